//! What goes on the log of a stage: in messages of many entries, a bounded number under way, each
//! repeated until the log has acknowledged it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream;
use bytes::Bytes;
use runtally::store::RolloutId;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::crash::{self, Point};
use crate::layout::{Layout, Stage, Unit};
use crate::wire::{Entry, MOST, Message};
use crate::worker::Position;

/// Messages under way. Beyond it whoever sends has to wait, and so what it reads waits too.
const UNDER_WAY: usize = 64;

/// How long a message waits for more entries: the log has each one to write on its own.
const LINGER: Duration = Duration::from_millis(100);

/// The time to the next try, when the log refuses a message or does not answer.
const PAUSE: Duration = Duration::from_millis(500);

/// What one process sends to a stage. All its [`Sender`]s share the messages: so these fill up soon,
/// however many partitions there are.
#[derive(Clone)]
pub(crate) struct Sends {
    jetstream: jetstream::Context,
    stage: Stage,
    layout: Layout,
    state: Arc<Mutex<State>>,
    /// Messages that were ever acknowledged.
    acknowledged: watch::Sender<u64>,
}

struct State {
    /// The message of each partition that is being filled, and its number.
    messages: Vec<(Message, u64)>,
    /// Messages that were ever begun.
    begun: u64,
    under_way: usize,
    /// For each sender its messages that are not acknowledged, and how far its log was read before
    /// that which they come of.
    open: BTreeMap<u64, BTreeMap<u64, Position>>,
    /// Senders that there ever were.
    senders: u64,
}

/// One of those that send.
pub(crate) struct Sender {
    sends: Sends,
    number: u64,
    acknowledged: watch::Receiver<u64>,
    /// What is added comes of what the log holds after this.
    after: Position,
}

impl Sends {
    pub(crate) fn new(jetstream: jetstream::Context, layout: Layout, stage: Stage) -> Self {
        let mut messages = Vec::new();
        messages.resize_with(layout.partitions.into(), Default::default);
        let open = BTreeMap::new();
        let empty = State { messages, begun: 0, under_way: 0, open, senders: 0 };
        let (acknowledged, _) = watch::channel(0);
        Self { jetstream, stage, layout, state: Arc::new(Mutex::new(empty)), acknowledged }
    }

    pub(crate) fn sender(&self) -> Sender {
        let number = {
            let mut state = self.lock();
            state.senders += 1;
            let number = state.senders;
            state.open.insert(number, BTreeMap::new());
            number
        };
        let acknowledged = self.acknowledged.subscribe();
        Sender { sends: self.clone(), number, acknowledged, after: Position::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message that is whole, or has waited.
    fn send(&self, state: &mut State, partition: u16) {
        let Some((message, number)) = state.messages.get_mut(usize::from(partition)) else {
            return;
        };
        let (Some(bytes), number) = (message.take(), *number) else { return };
        state.under_way += 1;
        let (sends, unit) = (self.clone(), Unit { stage: self.stage, partition });
        tokio::spawn(async move {
            deliver(&sends.jetstream, unit, bytes).await;
            let mut state = sends.lock();
            state.under_way -= 1;
            for open in state.open.values_mut() {
                open.remove(&number);
            }
            drop(state);
            sends.acknowledged.send_modify(|messages| *messages += 1);
        });
    }

    /// Sends a message when it has waited for long, unless it was whole by then.
    fn send_later(&self, partition: u16, number: u64) {
        let sends = self.clone();
        tokio::spawn(async move {
            sleep(LINGER).await;
            let mut state = sends.lock();
            let message = state.messages.get(usize::from(partition));
            if message.is_some_and(|(_, filled)| *filled == number) {
                sends.send(&mut state, partition);
            }
        });
    }
}

impl Sender {
    /// What is added from now on comes of what the log holds after this.
    pub(crate) const fn come_after(&mut self, position: Position) {
        self.after = position;
    }

    /// Adds an entry, to go to the shard it names.
    pub(crate) fn push(&mut self, rollout: RolloutId, shard: u16, entry: &Entry<'_>) {
        let Self { sends, number: sender, after, .. } = self;
        let partition = sends.layout.unit(sends.stage, shard).partition;
        let mut state = sends.lock();
        let State { messages, begun, open, .. } = &mut *state;
        let Some((message, number)) = messages.get_mut(usize::from(partition)) else { return };
        if message.len() == 0 {
            *number = *begun;
            *begun += 1;
            sends.send_later(partition, *number);
        }
        message.push(rollout, entry);
        if let Some(open) = open.get_mut(sender) {
            open.entry(*number).or_insert(*after);
        }
        if message.len() == MOST {
            sends.send(&mut state, partition);
        }
    }

    /// How far the log was read when everything sent for it was acknowledged.
    pub(crate) fn position(&self, applied: Position) -> Position {
        let state = self.sends.lock();
        let open = state.open.get(&self.number).into_iter().flat_map(BTreeMap::values);
        let Some(before) = open.min_by_key(|before| before.sequence) else { return applied };
        // A log that began anew counts from the beginning.
        if before.sequence < applied.sequence { *before } else { Position::default() }
    }

    /// Stands for all that was added by now.
    pub(crate) fn mark(&self) -> u64 {
        self.sends.lock().begun
    }

    /// Whether all that was added by then is acknowledged.
    pub(crate) fn is_acknowledged(&self, mark: u64) -> bool {
        let state = self.sends.lock();
        let first = state.open.get(&self.number).and_then(BTreeMap::first_key_value);
        first.is_none_or(|(first, _)| *first >= mark)
    }

    /// Whether nothing may be added for now.
    pub(crate) fn is_full(&self) -> bool {
        self.sends.lock().under_way >= UNDER_WAY
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.is_acknowledged(u64::MAX)
    }

    /// Waits until one more message is acknowledged, this sender's or another's.
    pub(crate) async fn next(&mut self) {
        // There is a sender of it as long as this is here.
        let _ = self.acknowledged.changed().await;
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.sends.lock().open.remove(&self.number);
    }
}

/// Sends a message until it is acknowledged. A message that arrives twice does no harm.
async fn deliver(jetstream: &jetstream::Context, unit: Unit, bytes: Bytes) {
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
