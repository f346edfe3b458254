//! What goes on the log of a stage: in messages of many entries, a bounded number under way, each
//! repeated until the log has acknowledged it.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use async_nats::jetstream;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use runtally::store::RolloutId;
use tokio::time::sleep;

use crate::crash::{self, Point};
use crate::layout::{Layout, Stage, Unit};
use crate::wire::{Entry, MOST, Message};
use crate::worker::Position;

/// Messages under way. Beyond it whoever sends has to wait, and so what it reads waits too.
const UNDER_WAY: usize = 128;

/// The time to the next try, when the log refuses a message or does not answer.
const PAUSE: Duration = Duration::from_millis(500);

/// What is sent to a stage.
pub(crate) struct Sends {
    jetstream: jetstream::Context,
    layout: Layout,
    stage: Stage,
    /// By partition.
    messages: Vec<Message>,
    full: Vec<(u16, Bytes)>,
    under_way: FuturesOrdered<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// For each under way, how far all that was sent before it goes.
    before: VecDeque<Position>,
    /// Messages that were ever acknowledged.
    acknowledged: u64,
}

impl Sends {
    pub(crate) fn new(jetstream: jetstream::Context, layout: Layout, stage: Stage) -> Self {
        let mut messages = Vec::new();
        messages.resize_with(layout.partitions.into(), Message::default);
        let (full, under_way, before) = (Vec::new(), FuturesOrdered::new(), VecDeque::new());
        let acknowledged = 0;
        Self { jetstream, layout, stage, messages, full, under_way, before, acknowledged }
    }

    /// Adds an entry, to go to the shard it names.
    pub(crate) fn push(&mut self, rollout: RolloutId, shard: u16, entry: &Entry<'_>) {
        let partition = self.layout.unit(self.stage, shard).partition;
        let Some(message) = self.messages.get_mut(usize::from(partition)) else { return };
        message.push(rollout, entry);
        if message.len() == MOST {
            self.full.extend(message.take().map(|bytes| (partition, bytes)));
        }
    }

    /// Sends all that was added. It came of what the log holds after `before`.
    pub(crate) fn flush(&mut self, before: Position) {
        let rest = (0..).zip(&mut self.messages);
        let rest = rest.filter_map(|(partition, message)| Some((partition, message.take()?)));
        for (partition, bytes) in self.full.drain(..).chain(rest) {
            let unit = Unit { stage: self.stage, partition };
            self.under_way.push_back(Box::pin(deliver(self.jetstream.clone(), unit, bytes)));
            self.before.push_back(before);
        }
    }

    /// How far the log was read when everything sent for it was acknowledged.
    pub(crate) fn position(&self, applied: Position) -> Position {
        // A log that began anew counts from the beginning.
        let before = self.before.front().filter(|before| before.sequence < applied.sequence);
        before.copied().unwrap_or(if self.is_empty() { applied } else { Position::default() })
    }

    /// Stands for all that was sent by now.
    pub(crate) fn mark(&self) -> u64 {
        self.acknowledged + self.before.len() as u64
    }

    /// Whether all that was sent by then is acknowledged.
    pub(crate) const fn is_acknowledged(&self, mark: u64) -> bool {
        self.acknowledged >= mark
    }

    pub(crate) fn is_full(&self) -> bool {
        self.before.len() >= UNDER_WAY
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.before.is_empty()
    }

    /// Waits until one more is acknowledged.
    pub(crate) async fn next(&mut self) {
        if self.under_way.next().await.is_some() {
            self.before.pop_front();
            self.acknowledged += 1;
        }
    }
}

/// Sends a message until it is acknowledged. A message that arrives twice does no harm.
async fn deliver(jetstream: jetstream::Context, unit: Unit, bytes: Bytes) {
    loop {
        let sent = async {
            let acknowledged = jetstream.publish(unit.subject(), bytes.clone()).await?;
            if crash::is_due(Point::Published) {
                let _ = jetstream.client().flush().await;
                crash::end();
            }
            acknowledged.await
        };
        match sent.await {
            Ok(_) => return,
            Err(error) => tracing::warn!(%unit, %error, "a message is sent again"),
        }
        sleep(PAUSE).await;
    }
}
