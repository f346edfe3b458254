//! Events to the log. Those that come while a message is under way share the next one.

use std::sync::Arc;

use async_nats::jetstream;
use runtally::store::RolloutId;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::layout::{Layout, Stage, Unit};
use crate::wire::{Entry, MOST, Message};

/// Messages under way for one partition.
const UNDER_WAY: usize = 4;

/// Entries that wait for their message, for one partition.
const WAITING: usize = 4 * MOST;

/// Where an entry is on the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) unit: Unit,
    pub(crate) sequence: u64,
}

struct Item {
    rollout: RolloutId,
    entry: Entry<'static>,
    done: oneshot::Sender<Result<u64, String>>,
}

/// The way to the log of one stage.
#[derive(Clone)]
pub(crate) struct Publisher {
    layout: Layout,
    stage: Stage,
    partitions: Arc<[mpsc::Sender<Item>]>,
}

impl Publisher {
    pub(crate) fn start(jetstream: &jetstream::Context, layout: Layout, stage: Stage) -> Self {
        let partitions = (0..layout.partitions).map(|partition| {
            let (items, waiting) = mpsc::channel(WAITING);
            tokio::spawn(publish(jetstream.clone(), Unit { stage, partition }, waiting));
            items
        });
        Self { layout, stage, partitions: partitions.collect() }
    }

    /// Puts an entry on the log of the partition that has the shard, and waits for the log to
    /// acknowledge it. What was not acknowledged may be on the log all the same.
    pub(crate) async fn send(
        &self,
        rollout: RolloutId,
        shard: u16,
        entry: Entry<'static>,
    ) -> Result<Placed, String> {
        self.send_to(self.layout.unit(self.stage, shard), rollout, entry).await
    }

    /// The same to every partition.
    pub(crate) async fn send_to_all(
        &self,
        rollout: RolloutId,
        entry: &Entry<'static>,
    ) -> Result<(), String> {
        for partition in 0..self.layout.partitions {
            let unit = Unit { stage: self.stage, partition };
            self.send_to(unit, rollout, entry.clone()).await?;
        }
        Ok(())
    }

    async fn send_to(
        &self,
        unit: Unit,
        rollout: RolloutId,
        entry: Entry<'static>,
    ) -> Result<Placed, String> {
        let ended = || "the gateway ends".to_owned();
        let partition = self.partitions.get(usize::from(unit.partition)).ok_or_else(ended)?;
        let (done, placed) = oneshot::channel();
        partition.send(Item { rollout, entry, done }).await.map_err(|_| ended())?;
        let sequence = placed.await.map_err(|_| ended())??;
        Ok(Placed { unit, sequence })
    }
}

async fn publish(jetstream: jetstream::Context, unit: Unit, mut items: mpsc::Receiver<Item>) {
    let under_way = Arc::new(Semaphore::new(UNDER_WAY));
    while let Some(first) = items.recv().await {
        // It is never closed.
        let Ok(permit) = Arc::clone(&under_way).acquire_owned().await else { return };
        let (mut message, mut waiting) = (Message::default(), Vec::new());
        let mut next = Some(first);
        while let Some(Item { rollout, entry, done }) = next {
            message.push(rollout, &entry);
            waiting.push(done);
            next = if waiting.len() < MOST { items.try_recv().ok() } else { None };
        }
        let Some(bytes) = message.take() else { continue };
        let jetstream = jetstream.clone();
        tokio::spawn(async move {
            let sent = async { jetstream.publish(unit.subject(), bytes).await?.await };
            let placed = match sent.await {
                Ok(acknowledged) => Ok(acknowledged.sequence),
                Err(error) => Err(format!("the log of {unit} does not acknowledge: {error}")),
            };
            for done in waiting {
                // A client that has gone asks for nothing.
                let _ = done.send(placed.clone());
            }
            drop(permit);
        });
    }
}
