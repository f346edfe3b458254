//! `audit`: the rows of both stages compared, device by device, and every count with its rows.
//!
//! What stage 2 counts for its users must be what stage 1 recorded of the devices that have one. The
//! rows of one partition of users at a time are compared, so the audit needs memory for those alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_nats::Client;
use runtally::store::RolloutId;
use tokio::time::sleep;
use uuid::Uuid;

use crate::Failure;
use crate::ask::{Body, Cursor, DeviceRow, Of, Question, ask};
use crate::connect::{self, Nats};
use crate::layout::{Layout, Stage, Unit};

/// How long a unit without a worker is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Rows fetched at a time.
const ROWS: usize = 2_000;

/// Looks before rows differ: what is on its way to stage 2 has arrived by then.
const LOOKS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(700);

type Rows = BTreeMap<(Of, Uuid), DeviceRow>;
/// What each stage has of a device.
type Pair = (Option<DeviceRow>, Option<DeviceRow>);

struct Audit {
    client: Client,
    layout: Layout,
    rollouts: BTreeSet<Of>,
}

/// Says what differs on standard output; gives whether nothing does.
pub(crate) async fn run(nats: &Nats) -> Result<bool, Failure> {
    let client = nats.connect("audit").await?;
    let layout = Layout::load(&connect::jetstream(&client)).await?;
    let mut audit = Audit { client, layout, rollouts: BTreeSet::new() };
    let mut wrong = 0;
    for unit in layout.units() {
        for violation in audit.counts(unit).await? {
            println!("{unit}: {violation}");
            wrong += 1;
        }
    }
    let mut compared = 0;
    for partition in 0..layout.partitions {
        let (rows, differing) = audit.partition(partition).await?;
        compared += rows;
        wrong += differing.len();
        for ((of, device), pair) in differing {
            println!("{}", sentence(of.into(), device, pair));
        }
    }
    println!("{compared} devices with a user compared, {wrong} differences");
    Ok(wrong == 0)
}

impl Audit {
    /// Which counts are not those of a unit's rows.
    async fn counts(&mut self, unit: Unit) -> Result<Vec<String>, Failure> {
        if let (_, Body::Summaries { counted, .. }) =
            ask(&self.client, unit, &Question::Summaries, PATIENCE).await?
        {
            self.rollouts.extend(counted.iter().map(|counted| counted.of));
        }
        match ask(&self.client, unit, &Question::Audit, PATIENCE).await? {
            (_, Body::Audit(violations)) => Ok(violations),
            _ => Ok(Vec::new()),
        }
    }

    /// How many rows the users of a partition have, and those that differ at every look.
    async fn partition(
        &self,
        partition: u16,
    ) -> Result<(usize, BTreeMap<(Of, Uuid), Pair>), Failure> {
        let mut left: Option<BTreeMap<_, _>> = None;
        for look in 0.. {
            let recorded = self.recorded(partition).await?;
            let unit = Unit { stage: Stage::Users, partition };
            let counted = self.rows(unit, partition).await?;
            let mut differing = differences(&recorded, &counted);
            if let Some(before) = &left {
                differing.retain(|device, pair| before.get(device) == Some(pair));
            }
            if differing.is_empty() || look == LOOKS {
                return Ok((recorded.len(), differing));
            }
            left = Some(differing);
            sleep(PAUSE).await;
        }
        Ok((0, BTreeMap::new()))
    }

    /// What stage 1 recorded of the devices whose users are of a partition.
    async fn recorded(&self, partition: u16) -> Result<Rows, Failure> {
        let mut all = Rows::new();
        for of in 0..self.layout.partitions {
            let unit = Unit { stage: Stage::Devices, partition: of };
            all.append(&mut self.rows(unit, partition).await?);
        }
        Ok(all)
    }

    async fn rows(&self, unit: Unit, users: u16) -> Result<Rows, Failure> {
        let mut all = Rows::new();
        for of in &self.rollouts {
            let mut from = Cursor::default();
            loop {
                let question = Question::Records { of: *of, users, from, most: ROWS };
                let (_, Body::Devices(rows)) = ask(&self.client, unit, &question, PATIENCE).await?
                else {
                    break;
                };
                let is_last = rows.len() < ROWS;
                if let Some(last) = rows.last() {
                    from = Cursor { shard: last.shard, after: Some(last.device) };
                }
                all.extend(rows.into_iter().map(|row| ((*of, row.device), row)));
                if is_last {
                    break;
                }
            }
        }
        Ok(all)
    }
}

fn differences(recorded: &Rows, counted: &Rows) -> BTreeMap<(Of, Uuid), Pair> {
    let devices: BTreeSet<_> = recorded.keys().chain(counted.keys()).collect();
    let pairs = devices.into_iter().filter_map(|device| {
        // Where a row lies is not what it says.
        let plain = |row: Option<&DeviceRow>| row.map(|row| DeviceRow { shard: 0, ..*row });
        let (recorded, counted) = (plain(recorded.get(device)), plain(counted.get(device)));
        (recorded != counted).then_some((*device, (recorded, counted)))
    });
    pairs.collect()
}

fn sentence(rollout: RolloutId, device: Uuid, (recorded, counted): Pair) -> String {
    let told = |row: Option<DeviceRow>| {
        row.map_or("nothing".to_owned(), |row| {
            let user = row.user.map_or("nobody".to_owned(), |user| user.to_string());
            let retired = if row.retired { ", retired" } else { "" };
            format!("{} at {} for user {user}{retired}", row.state, row.at)
        })
    };
    format!(
        "device {device} of {} {}: stage 1 recorded {}; stage 2 counts {}",
        rollout.kind,
        rollout.id,
        told(recorded),
        told(counted)
    )
}
