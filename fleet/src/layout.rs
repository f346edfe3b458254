//! How a fleet is laid out on the log: partitions, virtual shards, and the names of everything.

use std::fmt;
use std::time::Duration;

use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::{self, ErrorCode, kv, object_store, stream};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::Failure;

/// How long a server that begins is waited for.
const PATIENCE: Duration = Duration::from_secs(45);
const PAUSE: Duration = Duration::from_millis(300);

/// The bucket that says how many partitions there are.
const LAYOUT: &str = "runtally-layout";
const LAYOUT_KEY: &str = "layout";
/// The bucket of the workers' leases.
pub(crate) const LEASES: &str = "runtally-leases";
/// The bucket of {position, object} of every unit.
pub(crate) const SNAPSHOTS: &str = "runtally-snapshots";
/// The object store of the rows.
pub(crate) const ROWS: &str = "runtally-rows";

/// What every message and every snapshot begins with.
pub(crate) const FORMAT: u8 = 1;

/// How a fleet is divided. Fixed for ever: what is on the log was sent by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Layout {
    /// The format of messages and snapshots.
    pub(crate) format: u8,
    /// Streams of each stage.
    pub(crate) partitions: u16,
    /// Shards of each stage: a partition is a group of them.
    pub(crate) virtual_shards: u16,
}

/// What is counted where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stage {
    /// Events, by device.
    Devices,
    /// Records, by user.
    Users,
}

/// One partition of one stage: what a worker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Unit {
    pub(crate) stage: Stage,
    pub(crate) partition: u16,
}

impl Stage {
    pub(crate) const BOTH: [Self; 2] = [Self::Devices, Self::Users];

    /// As it stands in subjects and streams.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Devices => "devices",
            Self::Users => "users",
        }
    }
}

impl Layout {
    /// The layout that [`init`](crate::init) wrote.
    pub(crate) async fn load(jetstream: &jetstream::Context) -> Result<Self, Failure> {
        let missing = "there is no fleet on this server: run runtally-fleet init --nats URL \
                       --partitions N first";
        let until = Instant::now() + PATIENCE;
        let layout = loop {
            match Self::read(jetstream).await {
                Ok(layout) => break layout.ok_or(missing)?,
                Err(error) if is_off(jetstream) || Instant::now() > until => {
                    return Err(explained(jetstream, error));
                }
                // A server that has just begun does not answer yet, nor do those that have lost one
                // of them until they agree on a leader.
                Err(_) => sleep(PAUSE).await,
            }
        };
        let layout: Self = serde_json::from_slice(&layout)?;
        if layout.format != FORMAT {
            return Err(format!(
                "this fleet was made with format {}, and this program knows format {FORMAT}",
                layout.format
            )
            .into());
        }
        Ok(layout)
    }

    /// What is written of it, if anything is.
    async fn read(jetstream: &jetstream::Context) -> Result<Option<Bytes>, Failure> {
        match jetstream.get_stream(format!("KV_{LAYOUT}")).await {
            Ok(_) => Ok(jetstream.get_key_value(LAYOUT).await?.get(LAYOUT_KEY).await?),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error)
                    if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(None)
                }
                _ => Err(error.into()),
            },
        }
    }

    /// Writes the layout where there is none; gives the one that holds.
    pub(crate) async fn settle(
        &self,
        jetstream: &jetstream::Context,
        replicas: usize,
    ) -> Result<Self, Failure> {
        let config =
            kv::Config { bucket: LAYOUT.into(), num_replicas: replicas, ..kv::Config::default() };
        let bucket = jetstream.create_or_update_key_value(config).await;
        let bucket = bucket.map_err(|error| explained(jetstream, error.into()))?;
        let bytes = Bytes::from(serde_json::to_vec(self)?);
        match bucket.create(LAYOUT_KEY, bytes).await {
            Ok(_) => Ok(*self),
            Err(error) if error.kind() == kv::CreateErrorKind::AlreadyExists => {
                Self::load(jetstream).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Every unit, those of devices first.
    pub(crate) fn units(self) -> impl Iterator<Item = Unit> {
        Stage::BOTH.into_iter().flat_map(move |stage| {
            (0..self.partitions).map(move |partition| Unit { stage, partition })
        })
    }

    /// The shard of a device, or of a user by the id of the user's state.
    pub(crate) fn shard(self, key: &Uuid) -> u16 {
        // Below the number of shards.
        runtally::shard::partition(key.as_bytes(), self.virtual_shards.into()) as u16
    }

    /// The unit that has a shard: one of as many with neighbouring numbers.
    pub(crate) fn unit(self, stage: Stage, shard: u16) -> Unit {
        let partition =
            u32::from(shard) * u32::from(self.partitions) / u32::from(self.virtual_shards);
        // Below the number of partitions.
        Unit { stage, partition: partition as u16 }
    }

    /// The first shard of a partition.
    pub(crate) fn first_shard(self, partition: u16) -> u16 {
        let before = u32::from(partition) * u32::from(self.virtual_shards);
        before.div_ceil(self.partitions.into()) as u16
    }

    /// The unit that has a device or a user.
    pub(crate) fn unit_of(self, stage: Stage, key: &Uuid) -> Unit {
        self.unit(stage, self.shard(key))
    }
}

impl Unit {
    /// The stream of what is sent to it.
    pub(crate) fn stream(self) -> String {
        format!("runtally-{}-{}", self.stage.name(), self.partition)
    }

    /// The subject of what is sent to it.
    pub(crate) fn subject(self) -> String {
        format!("runtally.{}.{}", self.stage.name(), self.partition)
    }

    /// The subject of questions to it.
    pub(crate) fn questions(self) -> String {
        format!("runtally.ask.{}.{}", self.stage.name(), self.partition)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}", self.stage.name(), self.partition))
    }
}

/// Whether the server keeps no log, nor will.
fn is_off(jetstream: &jetstream::Context) -> bool {
    !jetstream.client().server_info().jetstream
}

fn explained(jetstream: &jetstream::Context, error: Failure) -> Failure {
    if is_off(jetstream) {
        return "the server keeps no log: start nats-server with --jetstream".into();
    }
    error
}

/// The stream of a unit. It refuses what it has no room for, so nothing on it is ever pushed out.
pub(crate) fn stream_of(unit: Unit, replicas: usize) -> stream::Config {
    stream::Config {
        name: unit.stream(),
        subjects: vec![unit.subject()],
        discard: stream::DiscardPolicy::New,
        num_replicas: replicas,
        // Messages may be repeated, so none is looked up; the server's shortest window.
        duplicate_window: Duration::from_millis(100),
        ..stream::Config::default()
    }
}

pub(crate) fn leases(replicas: usize, lease: Duration) -> kv::Config {
    kv::Config {
        bucket: LEASES.into(),
        max_age: lease,
        num_replicas: replicas,
        ..kv::Config::default()
    }
}

pub(crate) fn snapshots(replicas: usize) -> kv::Config {
    kv::Config { bucket: SNAPSHOTS.into(), num_replicas: replicas, ..kv::Config::default() }
}

pub(crate) fn rows(replicas: usize) -> object_store::Config {
    object_store::Config {
        bucket: ROWS.into(),
        num_replicas: replicas,
        ..object_store::Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_shards_make_a_partition() {
        for (partitions, virtual_shards) in [(1, 1), (3, 7), (32, 256), (5, 4096), (4096, 4096)] {
            let layout = Layout { format: FORMAT, partitions, virtual_shards };
            let mut first = 0;
            for shard in 0..virtual_shards {
                let partition = layout.unit(Stage::Users, shard).partition;
                if partition != first || shard == 0 {
                    assert_eq!(layout.first_shard(partition), shard);
                    first = partition;
                }
            }
            assert_eq!(first + 1, partitions);
        }
    }
}
