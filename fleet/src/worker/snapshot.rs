//! Snapshots: the rows of a unit in the object store, and which ones hold in a bucket.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_nats::jetstream::{self, kv, object_store::ObjectStore};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::log::{Position, time_of};
use crate::Failure;
use crate::crash::{self, Point};
use crate::layout::{self, Stage, Unit};

/// What the bucket says of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// How far the log was read for these rows.
    pub(crate) position: Position,
    /// The rows.
    pub(crate) object: String,
}

/// Where snapshots are kept.
#[derive(Clone)]
pub(crate) struct Snapshots {
    jetstream: jetstream::Context,
    bucket: kv::Store,
    objects: ObjectStore,
    /// By stage: a snapshot of devices waits for the log of users, which may have room only when there
    /// are new snapshots of users.
    turns: [Arc<Semaphore>; 2],
    loads: Arc<Semaphore>,
}

/// Snapshots of a stage that a worker takes at a time, and those that it loads: each is all rows of a
/// partition once more.
const AT_A_TIME: usize = 1;

/// How often a swap is tried against others.
const TRIES: usize = 5;

impl Snapshots {
    pub(crate) async fn open(jetstream: &jetstream::Context) -> Result<Self, Failure> {
        Ok(Self {
            jetstream: jetstream.clone(),
            bucket: jetstream.get_key_value(layout::SNAPSHOTS).await?,
            objects: jetstream.get_object_store(layout::ROWS).await?,
            turns: Stage::BOTH.map(|_| Arc::new(Semaphore::new(AT_A_TIME))),
            loads: Arc::new(Semaphore::new(AT_A_TIME)),
        })
    }

    /// Waits for a turn to take a snapshot: whoever asks first has it first. It lasts until it is
    /// dropped.
    pub(crate) fn turn(
        &self,
        stage: Stage,
    ) -> impl Future<Output = Option<OwnedSemaphorePermit>> + Send + use<> {
        let turns = self.turns(stage);
        // They are never closed.
        async { turns.acquire_owned().await.ok() }
    }

    /// Waits for a turn to load one.
    pub(crate) async fn load_turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.loads).acquire_owned().await.ok()
    }

    fn turns(&self, stage: Stage) -> Arc<Semaphore> {
        let [devices, users] = &self.turns;
        Arc::clone(match stage {
            Stage::Devices => devices,
            Stage::Users => users,
        })
    }

    /// What holds of a unit, and its revision.
    pub(crate) async fn find(&self, unit: &str) -> Result<(Snapshot, u64), Failure> {
        let entry = self.bucket.entry(unit).await?;
        Ok(match entry.filter(|entry| entry.operation == kv::Operation::Put) {
            Some(entry) => (serde_json::from_slice(&entry.value)?, entry.revision),
            None => (Snapshot::default(), 0),
        })
    }

    /// The rows of a snapshot, by the name of its object; none if there is no snapshot yet.
    pub(crate) async fn rows(&self, object: &str) -> Result<Option<Vec<u8>>, Failure> {
        if object.is_empty() {
            return Ok(None);
        }
        let mut object = self.objects.get(object).await?;
        let mut rows = Vec::with_capacity(object.info().size);
        // The client compares the digest.
        object.read_to_end(&mut rows).await?;
        Ok(Some(rows))
    }

    /// Makes these rows the ones that hold, unless newer ones do. Call it only when everything that
    /// was sent for them is acknowledged. With `rewinds` the log began anew, so that newer is not
    /// what has the greater number.
    pub(crate) async fn store(
        &self,
        unit: Unit,
        position: Position,
        rows: Vec<u8>,
        rewinds: bool,
    ) -> Result<bool, Failure> {
        let object = format!("{unit}-{}-{:08x}", position.sequence, getrandom::u32()?);
        self.objects.put(object.as_str(), &mut rows.as_slice()).await?;
        crash::here(Point::Stored);
        let new = Snapshot { position, object };
        let value = Bytes::from(serde_json::to_vec(&new)?);
        for _ in 0..TRIES {
            let (old, revision) = self.find(&unit.to_string()).await?;
            // Rows of this position may have been tidied away meanwhile.
            let is_there = !rewinds || self.objects.info(&new.object).await.is_ok();
            if !is_there || (!rewinds && old.position.sequence >= position.sequence) {
                break;
            }
            match self.bucket.update(unit.to_string(), value.clone(), revision).await {
                Ok(_) => {
                    crash::here(Point::Swapped);
                    self.trim(unit, position, &old).await?;
                    return Ok(true);
                }
                Err(error) if error.kind() == kv::UpdateErrorKind::WrongLastRevision => {}
                Err(error) => return Err(error.into()),
            }
        }
        let _ = self.objects.delete(&new.object).await;
        Ok(false)
    }

    /// Removes rows that workers stored and did not live to make hold. Those of a later position than
    /// the one that holds may still come to: they stay.
    pub(crate) async fn tidy(&self) -> Result<(), Failure> {
        let mut objects = self.objects.list().await?;
        let mut found = BTreeMap::<String, Vec<(u64, String)>>::new();
        while let Some(object) = objects.next().await {
            let name = object?.name;
            let mut parts = name.split('-');
            if let (Some(unit), Some(sequence)) = (parts.next(), parts.next())
                && let Ok(sequence) = sequence.parse()
            {
                found.entry(unit.to_owned()).or_default().push((sequence, name));
            }
        }
        for (unit, objects) in found {
            let (holds, _) = self.find(&unit).await?;
            let is_over = |(sequence, name): &(u64, String)| {
                *sequence <= holds.position.sequence && *name != holds.object
            };
            for (_, name) in objects.into_iter().filter(is_over) {
                self.objects.delete(name).await?;
            }
        }
        Ok(())
    }

    /// Removes what the snapshot has made superfluous. The message at the position stays: by it one
    /// sees that the log is still the same. Of a log that is not, nothing is removed: under these numbers
    /// it may hold what nobody has read.
    async fn trim(&self, unit: Unit, position: Position, old: &Snapshot) -> Result<(), Failure> {
        let stream = self.jetstream.get_stream_no_info(unit.stream()).await?;
        if time_of(&stream, position.sequence).await? == Some(position.nanos) {
            stream.purge().sequence(position.sequence).await?;
        }
        if !old.object.is_empty() {
            self.objects.delete(&old.object).await?;
        }
        Ok(())
    }
}
