//! One unit at work: its log taken in, what follows from it sent on, a snapshot now and then, and
//! questions answered.

use std::future::pending;
use std::mem::replace;
use std::pin::Pin;
use std::time::Duration;

use async_nats::{Message, Subject, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::Shared;
use super::log::{self, Next, Position};
use super::rows::Rows;
use super::snapshot::Snapshot;
use crate::Failure;
use crate::ask::{Answer, Head, Question};
use crate::crash::{self, Point};
use crate::layout::{Stage, Unit};
use crate::sends::Sender;

/// Messages taken in a row: then it is others' turn.
const IN_A_ROW: usize = 4;

/// How long a unit that ends may take for its last snapshot.
const FAREWELL: Duration = Duration::from_secs(10);

/// The time to the next try, when a unit cannot begin.
const PAUSE: Duration = Duration::from_secs(1);

/// Works a unit until it is told to stop.
pub(crate) async fn work(shared: Shared, unit: Unit, mut stop: watch::Receiver<bool>) {
    let mut is_short = false;
    while !*stop.borrow() {
        let begun = tokio::select! {
            begun = Work::begin(&shared, unit, is_short) => begun,
            _ = stop.changed() => break,
        };
        let ended = match begun {
            Ok(work) => Box::pin(work.run(&mut stop)).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(End::Told) => break,
            // Another worker has a newer snapshot, or else something is missing.
            Ok(End::Short) => is_short = true,
            Err(error) => {
                tracing::warn!(%unit, %error, "the unit begins again");
                tokio::select! {
                    () = sleep(PAUSE) => {}
                    _ = stop.changed() => {}
                }
            }
        }
    }
    shared.gauges.remove(unit);
}

/// Why a unit is worked no more.
enum End {
    Told,
    /// The log begins after the position.
    Short,
}

struct Work {
    shared: Shared,
    unit: Unit,
    rows: Rows,
    sends: Sender,
    messages: mpsc::Receiver<Next>,
    questions: Option<Subscriber>,
    applied: Position,
    /// How much is left to be read of the log.
    lag: u64,
    /// Where the log ended when the unit began: questions are answered from there on.
    caught_up_at: u64,
    began: Instant,
    /// Why nothing more is taken.
    stopped: Option<String>,
    /// The log began anew since the last snapshot.
    rewinds: bool,
    saved: Position,
    saved_at: Instant,
    next: Save,
}

/// The next snapshot.
enum Save {
    None,
    /// Waits for a turn.
    Queues(Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>),
    /// Waits until what was sent for the rows is acknowledged.
    Waits {
        position: Position,
        sent: u64,
        rows: Vec<u8>,
        turn: OwnedSemaphorePermit,
    },
    Stores(JoinHandle<(Position, Result<bool, Failure>)>),
}

impl Work {
    async fn begin(shared: &Shared, unit: Unit, is_short: bool) -> Result<Self, Failure> {
        let began = Instant::now();
        let mut rows = Rows::new(unit, shared.layout, shared.options.shard_rows);
        let position = {
            let _turn = shared.snapshots.load_turn().await;
            let (Snapshot { position, object }, _) =
                shared.snapshots.find(&unit.to_string()).await?;
            if let Some(bytes) = shared.snapshots.rows(&object).await? {
                rows.restore(&bytes).map_err(|error| format!("snapshot {object}: {error}"))?;
            }
            position
        };
        let mut stream = shared.jetstream.get_stream(unit.stream()).await?;
        let state = &stream.info().await?.state;
        let (first, caught_up_at) = (state.first_sequence, state.last_sequence);
        let is_missing = first > position.sequence + 1 && position.sequence < caught_up_at;
        let stopped = (is_short && is_missing).then(|| {
            format!(
                "the log begins at {first}, and the snapshot ends at {}: what lies between is lost",
                position.sequence
            )
        });
        let mut work = Self {
            shared: shared.clone(),
            unit,
            rows,
            sends: shared.sends.sender(),
            messages: log::follow(shared.jetstream.clone(), unit, position),
            questions: None,
            applied: position,
            lag: caught_up_at.saturating_sub(position.sequence),
            caught_up_at,
            began,
            stopped: None,
            rewinds: false,
            saved: position,
            saved_at: began,
            next: Save::None,
        };
        tracing::info!(%unit, sequence = position.sequence, lag = work.lag, "begins");
        if let Some(reason) = stopped {
            work.stop(reason);
        }
        Ok(work)
    }

    async fn run(mut self, stop: &mut watch::Receiver<bool>) -> Result<End, Failure> {
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.questions.is_none() && self.is_caught_up() {
                let subject = self.unit.questions();
                self.questions = Some(self.shared.client.subscribe(subject).await?);
                self.shared.gauges.recovered(self.unit, self.began.elapsed());
            }
            tokio::select! {
                biased;
                _ = stop.changed() => {
                    self.finish().await;
                    return Ok(End::Told);
                }
                question = question(&mut self.questions) => {
                    if let Some((to, bytes)) = question.and_then(|it| self.answer(it)) {
                        let _ = self.shared.client.publish(to, bytes).await;
                    }
                }
                () = self.sends.next(), if self.waits() => {}
                next = next(&mut self.next) => match next {
                    Step::Turn(turn) => self.next = self.snapshot(turn),
                    Step::Stored(stored) => self.saved(stored),
                },
                _ = second.tick() => self.tick(),
                next = self.messages.recv(), if self.takes() => {
                    let next = next.ok_or("the log is not read any more")?;
                    if let Some(end) = self.take(next) {
                        return Ok(end);
                    }
                }
            }
            self.save();
        }
    }

    fn takes(&self) -> bool {
        self.stopped.is_none() && !self.is_full()
    }

    /// Whether what follows from the log has to wait. Nothing follows from that of users.
    fn is_full(&self) -> bool {
        self.unit.stage == Stage::Devices && self.sends.is_full()
    }

    /// Whether an acknowledgement lets something go on.
    fn waits(&self) -> bool {
        matches!(self.next, Save::Waits { .. }) || self.is_full()
    }

    fn is_caught_up(&self) -> bool {
        self.applied.sequence >= self.caught_up_at || self.stopped.is_some()
    }

    /// Takes messages in, as many as are there.
    fn take(&mut self, first: Next) -> Option<End> {
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(message) = next.take() {
            match message {
                Next::Rewound { is_short: true, .. } => return Some(End::Short),
                Next::Rewound { to, .. } => {
                    self.rewinds = true;
                    self.applied = to;
                }
                Next::Message { position, payload, pending } => {
                    self.sends.come_after(self.applied);
                    match self.rows.take(&payload, &mut self.sends) {
                        Ok(entries) => self.shared.gauges.took(self.unit, entries),
                        Err(error) => {
                            self.stop(format!("message {}: {error}", position.sequence));
                            break;
                        }
                    }
                    (self.applied, self.lag) = (position, pending);
                }
            }
            taken += 1;
            if taken < IN_A_ROW {
                next = self.messages.try_recv().ok();
            }
        }
        crash::here(Point::Applied);
        None
    }

    /// Takes nothing more, and says why. Nothing is lost: the log keeps it.
    fn stop(&mut self, reason: String) {
        tracing::error!(unit = %self.unit, %reason, "the partition stops");
        self.stopped = Some(reason);
        self.tell();
    }

    fn tell(&self) {
        let (rows, ghosts) = self.rows.count();
        self.shared.gauges.tell(self.unit, |gauge| {
            gauge.position = self.applied.sequence;
            gauge.lag = self.lag;
            gauge.rows = rows;
            gauge.ghosts = ghosts;
            gauge.refusals = self.rows.passed_over() + u64::from(self.stopped.is_some());
            gauge.stopped.clone_from(&self.stopped);
        });
    }

    fn tick(&mut self) {
        self.tell();
        let is_due = self.saved_at.elapsed() >= self.shared.options.snapshot_every;
        if is_due && self.applied != self.saved && matches!(self.next, Save::None) {
            self.next = Save::Queues(Box::pin(self.shared.snapshots.turn(self.unit.stage)));
        }
    }

    /// A snapshot of what is here now.
    fn snapshot(&self, turn: OwnedSemaphorePermit) -> Save {
        let (position, sent, rows) = (self.applied, self.sends.mark(), self.rows.encode());
        Save::Waits { position, sent, rows, turn }
    }

    /// Stores the snapshot that waits, if it may be.
    fn save(&mut self) {
        let Save::Waits { sent, .. } = self.next else { return };
        if !self.sends.is_acknowledged(sent) {
            return;
        }
        if let Save::Waits { position, rows, turn, .. } = replace(&mut self.next, Save::None) {
            crash::here(Point::Acknowledged);
            let snapshots = self.shared.snapshots.clone();
            let (unit, rewinds) = (self.unit, self.rewinds);
            self.next = Save::Stores(tokio::spawn(async move {
                let stored = snapshots.store(unit, position, rows, rewinds).await;
                drop(turn);
                (position, stored)
            }));
        }
    }

    fn saved(&mut self, stored: Option<(Position, Result<bool, Failure>)>) {
        self.saved_at = Instant::now();
        match stored {
            Some((position, Ok(is_stored))) => {
                self.saved = position;
                self.rewinds = false;
                if is_stored {
                    self.shared.gauges.tell(self.unit, |gauge| gauge.snapshots += 1);
                } else {
                    tracing::info!(unit = %self.unit, "another worker has a newer snapshot");
                }
            }
            Some((_, Err(error))) => {
                tracing::warn!(unit = %self.unit, %error, "no snapshot is stored");
            }
            None => {}
        }
    }

    async fn finish(mut self) {
        // So that whoever is next gets the questions.
        self.questions = None;
        let last = async {
            match self.next {
                Save::None => {}
                // There will be a later one.
                Save::Queues(_) | Save::Waits { .. } => self.next = Save::None,
                Save::Stores(_) => {
                    let stored = stored(&mut self.next).await;
                    self.saved(stored);
                }
            }
            while !self.sends.is_empty() {
                self.sends.next().await;
            }
            if self.applied != self.saved
                && let Some(turn) = self.shared.snapshots.turn(self.unit.stage).await
            {
                self.next = self.snapshot(turn);
                self.save();
                let stored = stored(&mut self.next).await;
                self.saved(stored);
            }
        };
        if timeout(FAREWELL, last).await.is_err() {
            tracing::warn!("a unit ends without its last snapshot");
        }
    }

    fn answer(&self, message: Message) -> Option<(Subject, Bytes)> {
        let to = message.reply?;
        // One that was paused past its lease would tell what it knew before.
        if !self.shared.held.borrow().holds(self.unit) {
            return None;
        }
        let body = match serde_json::from_slice::<Question>(&message.payload) {
            Ok(question) => self.rows.answer(&question),
            Err(error) => Err(error.to_string()),
        };
        let head = Head {
            worker: self.shared.name.to_string(),
            applied: self.applied.sequence,
            acknowledged: self.sends.position(self.applied).sequence,
            stopped: self.stopped.clone(),
        };
        match serde_json::to_vec(&Answer { head, body }) {
            Ok(bytes) => Some((to, bytes.into())),
            Err(error) => {
                tracing::error!(%error, "an answer cannot be written");
                None
            }
        }
    }
}

async fn question(questions: &mut Option<Subscriber>) -> Option<Message> {
    match questions {
        Some(questions) => questions.next().await,
        None => pending().await,
    }
}

/// What happens next to a snapshot.
enum Step {
    Turn(OwnedSemaphorePermit),
    Stored(Option<(Position, Result<bool, Failure>)>),
}

async fn next(save: &mut Save) -> Step {
    match save {
        Save::Queues(turn) => match turn.await {
            Some(turn) => Step::Turn(turn),
            None => pending().await,
        },
        Save::Stores(_) => Step::Stored(stored(save).await),
        Save::None | Save::Waits { .. } => pending().await,
    }
}

async fn stored(next: &mut Save) -> Option<(Position, Result<bool, Failure>)> {
    let Save::Stores(task) = next else { return pending().await };
    let stored = task.await.ok();
    *next = Save::None;
    stored
}
