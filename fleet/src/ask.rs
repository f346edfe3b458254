//! Questions to the worker of a unit, and what it answers. JSON over the server's request and reply.

use std::time::Duration;

use async_nats::Client;
use runtally::store::{Kind, RolloutId};
use runtally::{Counts, DateTime, RunState, Summary};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::Failure;
use crate::declaration::Names;
use crate::layout::Unit;

/// A roll-out as questions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Of {
    is_script: bool,
    id: Uuid,
}

impl From<RolloutId> for Of {
    fn from(RolloutId { kind, id }: RolloutId) -> Self {
        Self { is_script: kind == Kind::Script, id }
    }
}

impl From<Of> for RolloutId {
    fn from(Of { is_script, id }: Of) -> Self {
        if is_script { Self::script(id) } else { Self::configuration(id) }
    }
}

/// Where a page of a list begins: after this id of this shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Cursor {
    pub(crate) shard: u16,
    pub(crate) after: Option<Uuid>,
}

/// What a worker is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Question {
    /// The counts of every roll-out, and the numbers of rows.
    Summaries,
    /// Devices that are pending, and were so at that instant already, by roll-out.
    Overdue(DateTime),
    /// One device, also one that is retired.
    Device(Of, Uuid),
    /// Devices, by shard and then by id.
    Devices(Of, Cursor, usize),
    /// One user, by the id of the user's state.
    User(Of, Uuid),
    Users(Of, Cursor, usize),
    /// Devices of a user, those after one.
    UserDevices(Of, Uuid, Option<Uuid>, usize),
    /// What is recorded of devices whose users are of this partition, by shard and then by id.
    Records {
        of: Of,
        users: u16,
        from: Cursor,
        most: usize,
    },
    /// Whether the counts are those of the rows.
    Audit,
    /// The names of users, in the order of the ids.
    Names(Vec<Uuid>),
}

/// What there is to know of one roll-out in one unit.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) of: Of,
    pub(crate) summary: Summary,
    /// What counts beside the rows, if totals were declared.
    pub(crate) carried: Option<Summary>,
    /// Devices or users that are listed.
    pub(crate) listed: usize,
    pub(crate) run_from: Option<DateTime>,
}

/// What a list shows of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeviceRow {
    pub(crate) device: Uuid,
    /// The id of the user's state.
    pub(crate) user: Option<Uuid>,
    /// The state that was reported.
    pub(crate) state: RunState,
    /// The state that counts.
    pub(crate) counted: RunState,
    pub(crate) at: DateTime,
    pub(crate) retired: bool,
    pub(crate) shard: u16,
}

/// What a list shows of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserRow {
    pub(crate) user: Uuid,
    pub(crate) name: String,
    pub(crate) devices: Counts,
    pub(crate) last_update: Option<DateTime>,
    /// Devices that are listed.
    pub(crate) listed: usize,
    pub(crate) shard: u16,
    /// What was declared beside the devices, if anything was.
    pub(crate) carried: Option<Counts>,
    pub(crate) names: Names,
}

/// The rest of an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Body {
    Summaries {
        counted: Vec<Counted>,
        rows: usize,
        ghosts: usize,
    },
    Overdue(Vec<(Of, usize)>),
    /// The counts that are not.
    Audit(Vec<String>),
    Devices(Vec<DeviceRow>),
    Users(Vec<UserRow>),
    Names(Vec<Option<String>>),
}

/// Where the worker is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) worker: String,
    /// The last message of the log that the answer is exact at.
    pub(crate) applied: u64,
    /// The last one for which everything that follows from it is on the log of users.
    pub(crate) acknowledged: u64,
    /// Why the partition takes nothing more.
    pub(crate) stopped: Option<String>,
}

/// What a worker answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) body: Result<Body, String>,
}

/// The time to the next try.
const PAUSE: Duration = Duration::from_millis(100);

/// Asks the worker of a unit, for as long as `patience` lasts: a unit that changes hands answers
/// again when its next worker has caught up.
pub(crate) async fn ask(
    client: &Client,
    unit: Unit,
    question: &Question,
    patience: Duration,
) -> Result<(Head, Body), Failure> {
    let payload = bytes::Bytes::from(serde_json::to_vec(question)?);
    let until = Instant::now() + patience;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let request = client.request(unit.questions(), payload.clone());
        let failed = match tokio::time::timeout(left, request).await {
            Ok(Ok(message)) => {
                let answer: Answer = serde_json::from_slice(&message.payload)?;
                return Ok((answer.head, answer.body?));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        if Instant::now() + PAUSE >= until {
            return Err(format!("no worker answers for partition {unit}: {failed}").into());
        }
        sleep(PAUSE).await;
    }
}
