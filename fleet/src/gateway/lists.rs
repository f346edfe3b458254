//! Lists, a page at a time, and single rows: fetched from the shards, written by the library.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::response::Response;
use runtally::store::RolloutId;
use uuid::Uuid;

use super::mirror::{Mirror, ROWS};
use super::path::Target;
use super::query::Query;
use super::{Asked, Gateway};
use crate::Failure;
use crate::ask::{Cursor, DeviceRow, UserRow};

/// Rows that `$skip` leaves out, fetched at a time: the server takes messages of 1 MiB.
const SKIPPED: usize = 1_000;

/// Rows of a list.
enum Rows {
    Devices(Vec<DeviceRow>),
    Users(Vec<UserRow>),
}

impl Rows {
    fn cursors(&self) -> impl Iterator<Item = Cursor> {
        let (devices, users): (&[_], &[_]) = match self {
            Self::Devices(rows) => (rows, &[]),
            Self::Users(rows) => (&[], rows),
        };
        let devices = devices.iter().map(|row| (row.shard, row.device));
        let users = users.iter().map(|row| (row.shard, row.user));
        devices.chain(users).map(|(shard, id)| Cursor { shard, after: Some(id) })
    }
}

impl Gateway {
    /// What is read of a roll-out, but its summary.
    pub(super) async fn rows(
        &self,
        asked: &Asked,
        rollout: RolloutId,
        target: Target,
    ) -> Result<Response, Failure> {
        let mut one = Mirror::<1>::new(rollout, self.version(rollout));
        match target {
            Target::DeviceCount | Target::UserCount => {
                let whole = self.shards.whole().await?;
                let listed = whole.of(rollout);
                let is_users = matches!(target, Target::UserCount);
                let count = if is_users { listed.users } else { listed.devices };
                return Ok(self.dry(asked, rollout).with_body(count.to_string()));
            }
            Target::Device(device) => {
                let row = self.shards.device(rollout, device).await?;
                if let Some(row) = row.filter(|row| !row.retired) {
                    let names = self.names(&[row]).await?;
                    one.put_device(&row, name_of(&row, &names))?;
                }
            }
            Target::User(user) => {
                if let Some(row) = self.shards.user(rollout, user).await? {
                    one.put_user(&row)?;
                }
            }
            Target::UserDeviceCount(user) => {
                if let Some(row) = self.shards.user(rollout, user).await? {
                    one.put_user(&row)?;
                    let answered = self.answer_from(&one, asked, "");
                    return Ok(answered.with_body(row.listed.to_string()));
                }
            }
            Target::Summary | Target::Devices | Target::Users | Target::UserDevices(_) => {
                return self.list(asked, rollout, target).await;
            }
        }
        let query = asked.head.uri.query().unwrap_or_default();
        Ok(self.answer_from(&one, asked, query).into_response())
    }

    async fn list(
        &self,
        asked: &Asked,
        rollout: RolloutId,
        target: Target,
    ) -> Result<Response, Failure> {
        let Some(query) = Query::parse(asked.head.uri.query().unwrap_or_default()) else {
            return Ok(super::bad_link());
        };
        let most = query.top.map_or(ROWS, |top| top.min(ROWS));
        let mut mirror = Mirror::<ROWS>::new(rollout, self.version(rollout));
        let mut count = None;
        if let Target::UserDevices(user) = target {
            let Some(owner) = self.shards.user(rollout, user).await? else {
                return Ok(self.answer_from(&mirror, asked, &query.kept).into_response());
            };
            mirror.put_user(&owner)?;
            count = Some(owner.listed);
        }
        let (mut from, mut left) = (query.from, query.skip);
        while left > 0 {
            let skipped = self.fetch(rollout, target, from, left.min(SKIPPED)).await?;
            let Some(last) = skipped.cursors().last() else { break };
            (from, left) = (last, left - skipped.cursors().count());
        }
        let rows = self.fetch(rollout, target, from, most + 1).await?;
        // A page of no rows would link to itself.
        let is_more = most > 0 && rows.cursors().count() > most;
        let next = rows.cursors().take(most).last().filter(|_| is_more);
        match rows {
            Rows::Devices(rows) => {
                let rows = rows.get(..most).unwrap_or(&rows);
                let names = self.names(rows).await?;
                for row in rows {
                    mirror.put_device(row, name_of(row, &names))?;
                }
            }
            Rows::Users(rows) => {
                for row in rows.iter().take(most) {
                    mirror.put_user(row)?;
                }
            }
        }
        if query.count && count.is_none() {
            let whole = self.shards.whole().await?;
            let listed = whole.of(rollout);
            let is_users = matches!(target, Target::Users);
            count = Some(if is_users { listed.users } else { listed.devices });
        }
        Ok(self.written(asked, &mirror, &query, count, next))
    }

    /// The list as the library writes it, with the number of rows before it and the link after it.
    fn written(
        &self,
        asked: &Asked,
        mirror: &Mirror<ROWS>,
        query: &Query,
        count: Option<usize>,
        next: Option<Cursor>,
    ) -> Response {
        let answered = self.answer_from(mirror, asked, &query.kept);
        let (Some(body), 200) = (answered.body.strip_prefix(b"{"), answered.status) else {
            return answered.into_response();
        };
        let mut text = String::from("{");
        if let Some(count) = count.filter(|_| query.count) {
            let _ = write!(text, "\"@odata.count\":{count},");
        }
        let rest = String::from_utf8_lossy(body.strip_suffix(b"}").unwrap_or(body));
        text.push_str(&rest);
        if let Some(next) = next {
            let origin = self.origin(&asked.head);
            let origin = origin.as_ref().map_or("", |origin| origin.as_str());
            let link = query.link(next);
            let path = asked.head.uri.path();
            let _ = write!(text, ",\"@odata.nextLink\":\"{origin}{path}?{link}\"");
        }
        text.push('}');
        answered.with_body(text)
    }

    /// At most as many rows of a list, those after a cursor.
    async fn fetch(
        &self,
        rollout: RolloutId,
        target: Target,
        from: Cursor,
        most: usize,
    ) -> Result<Rows, Failure> {
        Ok(match target {
            Target::Users => Rows::Users(self.shards.users(rollout, from, most).await?),
            Target::UserDevices(user) => {
                Rows::Devices(self.shards.user_devices(rollout, user, from.after, most).await?)
            }
            _ => Rows::Devices(self.shards.devices(rollout, from, most).await?),
        })
    }

    async fn names(&self, rows: &[DeviceRow]) -> Result<BTreeMap<Uuid, String>, Failure> {
        self.shards.names(rows.iter().filter_map(|row| row.user)).await
    }
}

/// The name of a device's user.
pub(super) fn name_of<'n>(row: &DeviceRow, names: &'n BTreeMap<Uuid, String>) -> Option<&'n str> {
    names.get(&row.user?).map(String::as_str)
}
