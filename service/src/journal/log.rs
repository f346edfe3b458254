//! What is shared by those who make changes and the one who makes them durable.

use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::batches::Batches;
use super::disk::Disk;
use super::edits::{Edits, overlay};

/// A commit waits no longer than this for more requests, and no longer than the last one took.
const MOST_PATIENCE: Duration = Duration::from_millis(10);

/// Why a change could not be made durable: a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDurable(pub(super) Arc<str>);

impl From<&str> for NotDurable {
    fn from(why: &str) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for NotDurable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotDurable {}

/// Comes when what was seen is durable, or will never be.
pub type Durable = oneshot::Receiver<Result<(), NotDurable>>;

/// The edits of a file on their way to the disk.
///
/// ```text
///   a request's edits ──> pending ──> in flight ──> durable ──> where they belong
/// ```
///
/// Reading sees all of them.
pub struct Log {
    disk: Arc<dyn Disk>,
    batches: Mutex<Batches>,
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    /// Durable, but not all of it is where it belongs.
    unsettled: Vec<u8>,
    flight: Edits,
    pending: Edits,
    /// Those who wait for what is in flight, and for what is pending.
    waiting: [Vec<oneshot::Sender<Result<(), NotDurable>>>; 2],
    /// How many requests the next commit waits for, and how long.
    wanted: usize,
    expected: usize,
    patience: Duration,
    failed: bool,
    closed: bool,
}

impl Log {
    /// Carries out what was durable when the power went.
    pub(super) fn open(disk: Arc<dyn Disk>, start: u64) -> io::Result<Self> {
        let batches = Mutex::new(Batches::open(Arc::clone(&disk), start)?);
        Ok(Self { disk, batches, state: Mutex::default(), news: Condvar::new() })
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        // The lock is held over both: what leaves the flight in between would be seen in neither.
        let state = self.state();
        self.disk.read(at, bytes)?;
        for run in [&*state.unsettled, state.flight.bytes(), state.pending.bytes()] {
            overlay(run, at, bytes);
        }
        Ok(())
    }

    /// True if all there is to read is on the disk.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        state.unsettled.is_empty() && state.flight.is_empty() && state.pending.is_empty()
    }

    pub(super) fn write(&self, at: u64, bytes: &[u8]) {
        self.state().pending.write(at, bytes);
    }

    pub(super) fn erase(&self, at: u64, len: u32) {
        self.state().pending.erase(at, len);
    }

    /// A request's edits are complete.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.pending.end();
        if state.pending.requests() >= state.wanted {
            self.news.notify_one();
        }
    }

    /// Takes back the edits of the request that has not ended.
    pub(super) fn undo(&self) {
        self.state().pending.undo();
    }

    /// Waits for all that can be read now; `None` if that is durable.
    pub(crate) fn durable(&self) -> Option<Durable> {
        let mut state = self.state();
        let line = if state.pending.has_ended() {
            1
        } else if state.flight.has_ended() {
            0
        } else {
            return None;
        };
        let (sender, receiver) = oneshot::channel();
        state.waiting[line].push(sender);
        Some(receiver)
    }

    /// Makes all requests that have ended durable, once there are any. False if the log is closed
    /// and there are none.
    ///
    /// # Errors
    ///
    /// Then none of them is known to be durable, and the store is to
    /// [abandon](super::Ledger::abandon) them.
    pub(crate) fn commit_next(&self) -> io::Result<bool> {
        let mut state = self.state();
        while !state.pending.has_ended() {
            if state.closed {
                return Ok(false);
            }
            state.wanted = 1;
            state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        // Those who were answered last are likely to ask again: one sync for them all.
        state.wanted = state.expected;
        let is_few = |state: &mut State| state.pending.requests() < state.wanted && !state.closed;
        let patience = state.patience;
        let (gathered, _) = self
            .news
            .wait_timeout_while(state, patience, is_few)
            .unwrap_or_else(PoisonError::into_inner);
        state = gathered;
        let flight = state.pending.take_ended();
        state.flight = flight.clone();
        state.waiting.swap(0, 1);
        // The disk takes its time.
        drop(state);
        let start = Instant::now();
        self.commit(&flight)?;
        let mut state = self.state();
        state.patience = start.elapsed().min(MOST_PATIENCE);
        let busy = flight.requests() + state.pending.requests();
        state.expected = busy.max(state.expected * 7 / 8);
        Ok(true)
    }

    /// Writes and syncs, to see whether that works.
    pub(super) fn probe(&self) -> io::Result<()> {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let result = batches.commit(&Edits::default());
        let mut state = self.state();
        state.unsettled = batches.unsettled().map(<[u8]>::to_vec).unwrap_or_default();
        state.failed = result.is_err();
        result
    }

    fn commit(&self, edits: &Edits) -> io::Result<()> {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let result = batches.commit(edits);
        let mut state = self.state();
        state.unsettled = batches.unsettled().map(<[u8]>::to_vec).unwrap_or_default();
        result?;
        state.flight.clear();
        state.failed = false;
        for waiter in state.waiting[0].drain(..) {
            // Whoever hung up does not wait any more.
            let _ = waiter.send(Ok(()));
        }
        Ok(())
    }

    /// Drops all that is not durable, and gives those who wait for it.
    pub(super) fn abandon(&self, why: NotDurable) -> Abandoned {
        let mut state = self.state();
        state.flight.clear();
        state.pending.clear();
        let waiting = state.waiting.iter_mut().flat_map(std::mem::take).collect();
        Abandoned { waiting, why }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.state().failed
    }

    /// Remembers that writing failed, until a commit succeeds.
    pub(super) fn fail(&self) {
        self.state().failed = true;
    }

    /// No more requests will come.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.news.notify_one();
    }
}

/// Those whose changes are lost.
#[must_use]
pub(super) struct Abandoned {
    waiting: Vec<oneshot::Sender<Result<(), NotDurable>>>,
    why: NotDurable,
}

impl Abandoned {
    /// Tells them, once the tallies are what is on the disk.
    pub(super) fn tell(self) {
        for waiter in self.waiting {
            let _ = waiter.send(Err(self.why.clone()));
        }
    }
}
