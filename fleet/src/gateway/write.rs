//! Writes: what the library makes of a request goes on the log, and is answered when it is there.

use axum::http::StatusCode;
use axum::response::Response;
use runtally::graph::{ScriptDeviceState, Upn, user_state_id};
use runtally::store::RolloutId;
use runtally::{Change, Summary};
use runtally_service::refuse;
use uuid::Uuid;

use super::mirror::{Answered, Mirror, ROWS};
use super::path::Target;
use super::publish::Placed;
use super::{Asked, Gateway, POSITION, lists, set};
use crate::Failure;
use crate::ask::DeviceRow;
use crate::declaration::{Declaration, carried};
use crate::ingest::identified;
use crate::layout::Stage;
use crate::wire::{Entry, Fact};

impl Gateway {
    /// A store with the rows that a report or a removal depends on.
    pub(super) async fn written_to(
        &self,
        asked: &Asked,
        rollout: RolloutId,
        target: Target,
    ) -> Result<Mirror<2>, Failure> {
        let mut mirror = Mirror::new(rollout, self.version(rollout));
        let device = match target {
            Target::Device(device) => Some(device),
            // At this path of a script, a device that is known keeps its user.
            Target::Devices => ScriptDeviceState::decode(&asked.body).ok().map(|state| state.id),
            Target::UserDevices(user) => {
                if let Some(row) = self.shards.user(rollout, user).await? {
                    mirror.put_user(&row)?;
                }
                None
            }
            _ => None,
        };
        if let Some(device) = device
            && let Some(row) = self.shards.device(rollout, device).await?
        {
            let names = self.shards.names(row.user.into_iter()).await?;
            // As reported, so that the library compares what is recorded.
            let row = DeviceRow { counted: row.state, ..row };
            mirror.put_device(&row, lists::name_of(&row, &names))?;
        }
        Ok(mirror)
    }

    /// Reports and removals.
    pub(super) async fn write(
        &self,
        rollout: RolloutId,
        answered: Answered,
    ) -> Result<Response, Failure> {
        let (device, name, record) = match answered.change.clone() {
            Some(Change::Event(event)) => {
                let (event, name) = identified(rollout, event);
                (event.device, name, Fact::Report(event))
            }
            Some(Change::Remove { device, at }) => {
                (device, String::new(), Fact::Removed { device, at })
            }
            _ => return Ok(answered.into_response()),
        };
        let shard = self.shards.layout().shard(&device);
        let entry = Entry::Record { shard, name: name.into(), record };
        self.log(Stage::Devices, rollout, shard, entry, answered).await
    }

    /// `POST` and `PATCH` of `runSummary`, and `POST` of a script's `runSummary/$ref`.
    pub(super) async fn declare_summary(
        &self,
        asked: &Asked,
        rollout: RolloutId,
    ) -> Result<Response, Failure> {
        let listed = self.shards.whole().await?.of(rollout);
        let mut mirror = Mirror::<1>::new(rollout, self.version(rollout));
        mirror.put_summary(&listed)?;
        let query = asked.head.uri.query().unwrap_or_default();
        let answered = self.answer_from(&mirror, asked, query);
        let Some(Change::Declare(written)) = &answered.change else {
            return Ok(answered.into_response());
        };
        let beside: Summary = match carried(written, &listed.live) {
            Ok(beside) => beside,
            Err(sentence) => return Ok(refuse(StatusCode::CONFLICT, "conflict", &sentence)),
        };
        let shard = self.shards.layout().shard(&rollout.id);
        let entry = Entry::Declare { shard, declaration: Declaration::Totals(beside).into() };
        self.log(Stage::Devices, rollout, shard, entry, answered).await
    }

    /// `POST`, `PATCH` and `DELETE` of users.
    pub(super) async fn declare_user(
        &self,
        asked: &Asked,
        rollout: RolloutId,
        target: Target,
        dry: Answered,
    ) -> Result<Response, Failure> {
        let user = match (target, &dry.change) {
            (Target::User(user), _) => user,
            (_, Some(Change::DeclareUser { user, .. })) => user_state_id(&rollout.id, user),
            _ => return Ok(dry.into_response()),
        };
        let known = self.shards.user(rollout, user).await?;
        let mut mirror = Mirror::<ROWS>::new(rollout, self.version(rollout));
        if let Some(row) = &known {
            if row.listed > ROWS {
                let message = "a user with more than 400 devices cannot be declared";
                return Ok(refuse(StatusCode::CONFLICT, "conflict", message));
            }
            for device in self.shards.user_devices(rollout, user, None, ROWS).await? {
                mirror.put_device(&device, Some(&row.name))?;
            }
            mirror.put_declared(row)?;
        }
        let query = asked.head.uri.query().unwrap_or_default();
        let answered = self.answer_from(&mirror, asked, query);
        let Some(declaration) = declaration(user, &answered) else {
            return Ok(answered.into_response());
        };
        let shard = self.shards.layout().shard(&user);
        let entry = Entry::Declare { shard, declaration: declaration.into() };
        self.log(Stage::Users, rollout, shard, entry, answered).await
    }

    /// Answers once the log has an entry.
    async fn log(
        &self,
        stage: Stage,
        rollout: RolloutId,
        shard: u16,
        entry: Entry<'static>,
        answered: Answered,
    ) -> Result<Response, Failure> {
        let publisher = match stage {
            Stage::Devices => &self.devices,
            Stage::Users => &self.users,
        };
        let Placed { unit, sequence } = publisher.send(rollout, shard, entry).await?;
        let mut response = answered.into_response();
        set(&mut response, POSITION, &format!("{unit}={sequence}"));
        Ok(response)
    }
}

/// What is declared of a user.
fn declaration(user: Uuid, answered: &Answered) -> Option<Declaration> {
    match &answered.change {
        Some(Change::DeclareUser { user: upn, devices, last_update }) => {
            let names = answered.names.clone();
            let upn = Upn::folded(upn.clone()).as_str().to_owned();
            let (devices, last_update) = (*devices, *last_update);
            Some(Declaration::User { user, upn, devices, last_update, names })
        }
        Some(Change::UndeclareUser { .. }) => Some(Declaration::NoUser { user }),
        _ => None,
    }
}
