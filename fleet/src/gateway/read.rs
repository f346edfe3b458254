//! Reading from the shards: every unit is asked, and the sum is what they answer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::Client;
use futures_util::{StreamExt, TryStreamExt, stream};
use runtally::store::RolloutId;
use runtally::{DateTime, Summary};
use uuid::Uuid;

use crate::Failure;
use crate::ask::{Body, Cursor, DeviceRow, Head, Question, UserRow, ask};
use crate::layout::{Layout, Stage, Unit};

/// How long a unit without a worker is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Units asked at a time.
const AT_A_TIME: usize = 64;

/// Asks the workers.
#[derive(Clone)]
pub(crate) struct Shards {
    client: Client,
    layout: Layout,
    /// The greatest position that was read of each unit.
    read: Arc<Mutex<BTreeMap<Unit, u64>>>,
}

/// What all units know of all roll-outs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Whole {
    pub(crate) summaries: BTreeMap<RolloutId, Listed>,
    pub(crate) heads: BTreeMap<Unit, Head>,
}

/// The counts of a roll-out, and how many rows lists have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Listed {
    /// What the rows come to.
    pub(crate) live: Summary,
    /// What counts beside them, if totals were declared.
    pub(crate) carried: Option<Summary>,
    pub(crate) devices: usize,
    pub(crate) users: usize,
}

impl Shards {
    pub(crate) fn new(client: Client, layout: Layout) -> Self {
        Self { client, layout, read: Arc::default() }
    }

    pub(crate) const fn layout(&self) -> Layout {
        self.layout
    }

    /// Asks a unit. A worker that was thought dead may answer from a while ago: an answer from before
    /// what was read already is not taken, unless there is no other: the log may have lost its end.
    pub(crate) async fn ask(
        &self,
        unit: Unit,
        question: &Question,
    ) -> Result<(Head, Body), Failure> {
        let until = Instant::now() + PATIENCE;
        loop {
            let (head, body) = ask(&self.client, unit, question, PATIENCE).await?;
            {
                let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
                let greatest = read.entry(unit).or_default();
                if head.applied >= *greatest || Instant::now() > until {
                    *greatest = head.applied;
                    return Ok((head, body));
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The counts of all roll-outs.
    pub(crate) async fn whole(&self) -> Result<Whole, Failure> {
        let answers = stream::iter(self.layout.units())
            .map(|unit| async move {
                let (head, body) = self.ask(unit, &Question::Summaries).await?;
                Ok::<_, Failure>((unit, head, body))
            })
            .buffer_unordered(AT_A_TIME);
        let whole =
            answers.try_fold(Whole::default(), |mut whole, (unit, head, body)| async move {
                if let Body::Summaries { counted, .. } = body {
                    for counted in counted {
                        let listed = whole.summaries.entry(counted.of.into()).or_default();
                        listed.live = listed.live.merge(&counted.summary)?;
                        listed.carried = listed.carried.or(counted.carried);
                        match unit.stage {
                            Stage::Devices => listed.devices += counted.listed,
                            Stage::Users => listed.users += counted.listed,
                        }
                    }
                }
                whole.heads.insert(unit, head);
                Ok(whole)
            });
        whole.await
    }

    /// Devices that are pending, and were so at that instant already, by roll-out.
    pub(crate) async fn overdue(
        &self,
        at: DateTime,
    ) -> Result<BTreeMap<RolloutId, usize>, Failure> {
        let units = self.layout.units().filter(|unit| unit.stage == Stage::Devices);
        let answers = stream::iter(units)
            .map(|unit| async move { self.ask(unit, &Question::Overdue(at)).await })
            .buffer_unordered(AT_A_TIME);
        let add = |mut all: BTreeMap<_, _>, (_, body)| async move {
            if let Body::Overdue(overdue) = body {
                for (of, number) in overdue {
                    *all.entry(of.into()).or_default() += number;
                }
            }
            Ok::<_, Failure>(all)
        };
        answers.try_fold(BTreeMap::new(), add).await
    }

    /// A device, also a retired one.
    pub(crate) async fn device(
        &self,
        rollout: RolloutId,
        device: Uuid,
    ) -> Result<Option<DeviceRow>, Failure> {
        let unit = self.layout.unit_of(Stage::Devices, &device);
        match self.ask(unit, &Question::Device(rollout.into(), device)).await? {
            (_, Body::Devices(rows)) => Ok(rows.into_iter().next()),
            _ => Ok(None),
        }
    }

    pub(crate) async fn user(
        &self,
        rollout: RolloutId,
        user: Uuid,
    ) -> Result<Option<UserRow>, Failure> {
        let unit = self.layout.unit_of(Stage::Users, &user);
        match self.ask(unit, &Question::User(rollout.into(), user)).await? {
            (_, Body::Users(rows)) => Ok(rows.into_iter().next()),
            _ => Ok(None),
        }
    }

    /// At most as many devices, those after a cursor.
    pub(crate) async fn devices(
        &self,
        rollout: RolloutId,
        from: Cursor,
        most: usize,
    ) -> Result<Vec<DeviceRow>, Failure> {
        let mut page = Vec::new();
        for unit in self.units_from(Stage::Devices, from) {
            let question = Question::Devices(rollout.into(), from, most - page.len());
            if let (_, Body::Devices(rows)) = self.ask(unit, &question).await? {
                page.extend(rows);
            }
            if page.len() >= most {
                break;
            }
        }
        Ok(page)
    }

    /// At most as many users, those after a cursor.
    pub(crate) async fn users(
        &self,
        rollout: RolloutId,
        from: Cursor,
        most: usize,
    ) -> Result<Vec<UserRow>, Failure> {
        let mut page = Vec::new();
        for unit in self.units_from(Stage::Users, from) {
            let question = Question::Users(rollout.into(), from, most - page.len());
            if let (_, Body::Users(rows)) = self.ask(unit, &question).await? {
                page.extend(rows);
            }
            if page.len() >= most {
                break;
            }
        }
        Ok(page)
    }

    fn units_from(&self, stage: Stage, from: Cursor) -> impl Iterator<Item = Unit> {
        let first = self.layout.unit(stage, from.shard).partition;
        (first..self.layout.partitions).map(move |partition| Unit { stage, partition })
    }

    pub(crate) async fn user_devices(
        &self,
        rollout: RolloutId,
        user: Uuid,
        after: Option<Uuid>,
        most: usize,
    ) -> Result<Vec<DeviceRow>, Failure> {
        let unit = self.layout.unit_of(Stage::Users, &user);
        let question = Question::UserDevices(rollout.into(), user, after, most);
        match self.ask(unit, &question).await? {
            (_, Body::Devices(rows)) => Ok(rows),
            _ => Ok(Vec::new()),
        }
    }

    /// The names of users, by the ids of their states, as far as they have arrived.
    pub(crate) async fn names(
        &self,
        users: impl Iterator<Item = Uuid>,
    ) -> Result<BTreeMap<Uuid, String>, Failure> {
        let mut units = BTreeMap::<Unit, Vec<Uuid>>::new();
        for user in users {
            units.entry(self.layout.unit_of(Stage::Users, &user)).or_default().push(user);
        }
        let answers = stream::iter(units)
            .map(|(unit, users)| async move {
                let question = Question::Names(users.clone());
                let (_, body) = self.ask(unit, &question).await?;
                let Body::Names(names) = body else { return Ok(BTreeMap::new()) };
                let names = users.into_iter().zip(names);
                Ok(names.filter_map(|(user, name)| Some((user, name?))).collect())
            })
            .buffer_unordered(AT_A_TIME);
        let all = |mut all: BTreeMap<_, _>, mut names| async move {
            all.append(&mut names);
            Ok::<_, Failure>(all)
        };
        answers.try_fold(BTreeMap::new(), all).await
    }
}

impl Listed {
    /// What the roll-out reports.
    pub(crate) fn reported(&self) -> Summary {
        // A counter at its limit stays there.
        self.live.merge(&self.carried.unwrap_or_default()).unwrap_or(self.live)
    }
}

impl Whole {
    pub(crate) fn of(&self, rollout: RolloutId) -> Listed {
        self.summaries.get(&rollout).copied().unwrap_or_default()
    }

    /// The positions that the counts are exact at: those of stage 1 and then of stage 2, in the
    /// order of the partitions.
    pub(crate) fn positions(&self) -> String {
        let mut text = String::new();
        for stage in Stage::BOTH {
            let _ = write!(text, "{}{}=", if text.is_empty() { "" } else { "; " }, stage.name());
            let of = self.heads.iter().filter(|(unit, _)| unit.stage == stage);
            for (index, (_, head)) in of.enumerate() {
                let _ = write!(text, "{}{}", if index == 0 { "" } else { "," }, head.applied);
            }
        }
        text
    }

    /// The partitions that take nothing more.
    pub(crate) fn stopped(&self) -> String {
        let stopped = self.heads.iter().filter(|(_, head)| head.stopped.is_some());
        stopped.map(|(unit, _)| unit.to_string()).collect::<Vec<_>>().join(",")
    }
}
