//! Stage 2: what was heard of devices, and the unit's own users.

use std::collections::{BTreeMap, HashMap};

use runtally::shard::{Full, Record, UserShard};
use runtally::store::RolloutId;
use runtally::{Event, Heap, Summary};
use uuid::Uuid;

use super::image::{Reader, Writer};
use super::names::Names;
use super::page::{Smallest, page};
use super::rows::{ROWS, full};
use super::shards::Shards;
use crate::Failure;
use crate::ask::{Body, Counted, Cursor, DeviceRow, Question, UserRow};
use crate::declaration::{self, Declaration};
use crate::layout::{Layout, Unit};
use crate::wire::{Entry, Fact};

type Rows = UserShard<Uuid, Uuid, ROWS, ROWS, Heap>;

/// A shard, and the names of its own users.
struct Shard {
    rows: Rows,
    names: Names,
}

impl Shard {
    fn new(seed: u64) -> Self {
        let mut rows = Rows::growing();
        rows.reseed(seed);
        Self { rows, names: Names::default() }
    }

    /// The name of a user; empty if it is not known.
    fn name(&self, user: &Uuid) -> &str {
        self.rows.find_user(user).map_or("", |row| self.names.get(row.number()))
    }

    /// Keeps the name of a user who has a row.
    fn set_name(&mut self, user: &Uuid, name: &str) {
        if let Some(row) = self.rows.find_user(user) {
            self.names.set(row.number(), name);
        }
    }

    fn join(
        &mut self,
        record: &Fact,
        name: &str,
        is_own: impl Fn(&Uuid) -> bool,
    ) -> Result<(), Full> {
        let own = record.user().filter(|user| is_own(user));
        let is_new = own.is_some_and(|user| self.rows.find_user(user).is_none());
        let _ = self.rows.join(record, is_own)?;
        if let Some(row) = own.and_then(|user| self.rows.find_user(user)) {
            // The row may have been another user's.
            if is_new || (!name.is_empty() && !self.names.is_known(row.number())) {
                self.names.set(row.number(), name);
            }
        }
        Ok(())
    }
}

/// The shards of one unit.
pub(crate) struct Users {
    layout: Layout,
    /// The most rows of a shard.
    limit: usize,
    shards: Shards<Shard>,
    /// E-mail address and full name of users who were declared.
    declared: HashMap<Uuid, declaration::Names>,
    passed_over: u64,
}

impl Users {
    pub(crate) fn new(unit: Unit, layout: Layout, limit: usize) -> Self {
        let shards = Shards::new(unit, layout, Shard::new);
        Self { layout, limit, shards, declared: HashMap::new(), passed_over: 0 }
    }

    /// Whether there are rows of a record's device and user.
    pub(crate) fn knows(&self, rollout: RolloutId, shard: u16, record: &Fact) -> bool {
        self.shards.get(rollout, shard).is_some_and(|Shard { rows, names }| {
            let user = record.user().and_then(|user| rows.find_user(user));
            let is_known = user.is_some_and(|row| names.is_known(row.number()));
            rows.record(record.device()).is_some() & is_known
        })
    }

    pub(crate) fn take(&mut self, rollout: RolloutId, entry: &Entry<'_>) -> Result<(), Failure> {
        let (layout, limit) = (self.layout, self.limit);
        match entry {
            Entry::Record { shard: number, name, record } => {
                let is_own = |user: &Uuid| layout.shard(user) == *number;
                let shard = self.shards.get_mut(rollout, *number)?;
                let rows = &shard.rows;
                let taken = rows.device_count() + rows.retired_count() + rows.ghost_count();
                let is_full = taken >= limit || rows.user_count() >= limit;
                if is_full && rows.record(record.device()).is_none() {
                    return Err(full(*number, limit));
                }
                let joined = shard.join(record, name, is_own);
                joined.map_err(|error| format!("shard {number}: {error}"))?;
            }
            Entry::RunFrom(at) => {
                for shard in self.shards.all_mut(rollout) {
                    let _ = shard.rows.begin_anew(*at);
                }
            }
            Entry::Declare { shard, declaration } => {
                self.declare(rollout, *shard, declaration)?;
            }
            Entry::Retire { .. } => return Err("a device is retired in the first stage".into()),
        }
        Ok(())
    }

    fn declare(
        &mut self,
        rollout: RolloutId,
        shard: u16,
        declaration: &Declaration,
    ) -> Result<(), Failure> {
        match declaration {
            Declaration::User { user, upn, devices, last_update, names } => {
                let shard = self.shards.get_mut(rollout, shard)?;
                match shard.rows.declare(user, devices, *last_update) {
                    Ok(_) => {
                        shard.set_name(user, upn);
                        self.declared.insert(*user, names.clone());
                    }
                    // What came before it on the log has made it impossible.
                    Err(error) => {
                        self.passed_over += 1;
                        tracing::warn!(%user, %error, "a declaration is passed over");
                    }
                }
            }
            Declaration::NoUser { user } => {
                let _ = self.shards.get_mut(rollout, shard)?.rows.undeclare(user);
                self.declared.remove(user);
            }
            Declaration::Totals(_) => {
                return Err("totals are declared in the first stage".into());
            }
        }
        Ok(())
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        for (key, shard) in self.shards.iter() {
            let rows = &shard.rows;
            let names = rows.users().map(|it| (it.user, shard.name(it.user)));
            let declared = rows.users().filter(|it| it.declared).map(|it| it.user);
            let declared = declared.filter_map(|user| Some((user, self.declared.get(user)?)));
            writer.shard(key, rows, names, &declared.collect::<Vec<_>>());
        }
        writer.finish()
    }

    pub(crate) fn restore(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut reader = Reader::new(bytes)?;
        let layout = self.layout;
        while let Some((rollout, number)) = reader.shard()? {
            let is_own = |user: &Uuid| layout.shard(user) == number;
            let shard = self.shards.get_mut(rollout, number)?;
            let rows = &mut shard.rows;
            reader.pieces(|reader, bytes| rows.restore_piece(reader, bytes, is_own))?;
            reader.names(|user, name| shard.set_name(&user, name))?;
            self.declared.extend(reader.declared::<Vec<_>>()?);
        }
        Ok(())
    }

    pub(crate) const fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// Rows of devices, and how many of them are ghosts.
    pub(crate) fn count(&self) -> (usize, usize) {
        self.shards.iter().fold((0, 0), |(rows, ghosts), (_, shard)| {
            (rows + shard.rows.row_count(), ghosts + shard.rows.ghost_count())
        })
    }

    pub(crate) fn answer(&self, question: &Question) -> Option<Body> {
        Some(match question {
            Question::Summaries => {
                let (rows, ghosts) = self.count();
                Body::Summaries { counted: self.counted(), rows, ghosts }
            }
            Question::User(of, user) => {
                let shard = self.layout.shard(user);
                let of = self.shards.get((*of).into(), shard);
                let row = of.and_then(|of| Some(self.row(of, shard, &of.rows.user(user)?)));
                Body::Users(row.into_iter().collect())
            }
            Question::Users(of, from, most) => Body::Users(self.page((*of).into(), *from, *most)),
            Question::UserDevices(of, user, after, most) => {
                let shard = self.layout.shard(user);
                let of = self.shards.get((*of).into(), shard);
                Body::Devices(of.map_or_else(Vec::new, |Shard { rows, .. }| {
                    let mut smallest = Smallest::new(*most, *after);
                    for event in rows.user_devices(user) {
                        smallest.offer(*event.device, device(rows, shard, &event));
                    }
                    smallest.into_sorted().collect()
                }))
            }
            Question::Audit => Body::Audit(self.shards.audit(|shard| shard.rows.audit())),
            Question::Records { of, from, most, .. } => {
                Body::Devices(self.records((*of).into(), *from, *most))
            }
            Question::Names(users) => {
                let names = users.iter().map(|user| self.name(user).map(str::to_owned));
                Body::Names(names.collect())
            }
            _ => return None,
        })
    }

    fn counted(&self) -> Vec<Counted> {
        let mut all = BTreeMap::<RolloutId, Counted>::new();
        for ((rollout, _), Shard { rows, .. }) in self.shards.iter() {
            let counted = all.entry(rollout).or_insert(Counted {
                of: rollout.into(),
                summary: Summary::ZERO,
                carried: None,
                listed: 0,
                run_from: None,
            });
            // A sum beyond 2 147 483 647 is more users than a worker has memory for.
            counted.summary = counted.summary.merge(rows.summary()).unwrap_or(counted.summary);
            counted.listed += rows.user_count();
            counted.run_from = counted.run_from.max(rows.run_from());
        }
        all.into_values().collect()
    }

    /// The name of a user of whatever roll-out.
    fn name(&self, user: &Uuid) -> Option<&str> {
        let number = self.layout.shard(user);
        let shards = self.shards.rollouts().filter_map(|of| self.shards.get(of, number));
        shards.map(|shard| shard.name(user)).find(|name| !name.is_empty())
    }

    fn page(&self, rollout: RolloutId, from: Cursor, most: usize) -> Vec<UserRow> {
        page(self.shards.of(rollout), from, most, |number, shard, smallest| {
            for user in shard.rows.users() {
                smallest.offer(*user.user, (number, shard, user));
            }
        })
        .map(|(number, shard, user)| self.row(shard, number, &user))
        .collect()
    }

    /// What is counted for own users.
    fn records(&self, rollout: RolloutId, from: Cursor, most: usize) -> Vec<DeviceRow> {
        page(self.shards.of(rollout), from, most, |shard, Shard { rows, .. }, smallest| {
            for record in rows.records() {
                smallest.offer(**record.device(), (shard, rows, record));
            }
        })
        .filter_map(|(shard, rows, record)| {
            let event = record.event()?;
            let event = Event { device: event.device, user: event.user, ..*event };
            let retired = matches!(record, Record::Retired(_));
            Some(DeviceRow { retired, ..device(rows, shard, &event) })
        })
        .collect()
    }

    fn row(&self, of: &Shard, shard: u16, user: &runtally::UserRow<'_, Uuid>) -> UserRow {
        UserRow {
            user: *user.user,
            name: of.name(user.user).to_owned(),
            devices: user.reported(),
            last_update: user.last_update,
            listed: of.rows.user_devices(user.user).count(),
            shard,
            carried: user.declared.then_some(user.carried),
            names: self.declared.get(user.user).cloned().unwrap_or_default(),
        }
    }
}

fn device(rows: &Rows, shard: u16, event: &Event<&Uuid, &Uuid>) -> DeviceRow {
    let counted = rows.counted(event);
    let Event { device, user, state, at } = event.cloned();
    DeviceRow { device, user, state, counted, at, retired: false, shard }
}
