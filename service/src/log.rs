//! The log: lines that wait for standard error, so that no request does.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

use crate::metrics::Metrics;

/// The bytes of lines that may wait. More are dropped and counted.
const ROOM: usize = 1 << 20;

/// How long lines gather before they are written.
const GATHER: Duration = Duration::from_millis(5);

/// How long a sink that is not ready is left alone before the next attempt.
const PAUSE: Duration = Duration::from_millis(50);

/// A bounded queue of lines, and the thread that writes them.
///
/// Adding a line never waits. A line that finds no room, because the sink is slow or nobody reads
/// it, is dropped; so is one whose writing fails. Both are counted in the metrics as
/// `runtally_log_lines_lost_total`.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Signals the thread that there are lines, and [`Log::flush`] that there are none.
    changed: Condvar,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    is_writing: bool,
}

impl Log {
    /// Starts the thread that writes to `sink`.
    ///
    /// # Errors
    ///
    /// If the system grants no thread.
    pub fn start(sink: impl Write + Send + 'static, metrics: Arc<Metrics>) -> io::Result<Self> {
        let changed = Condvar::new();
        let shared = Arc::new(Shared { state: Mutex::default(), changed, metrics });
        let writer = Arc::clone(&shared);
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(sink))?;
        Ok(Self { shared })
    }

    /// Adds a line; its end is added here.
    pub fn line(&self, line: &str) {
        self.shared.add(format!("{line}\n").as_bytes());
    }

    /// Waits until all lines are written or given up, but no longer than this.
    pub fn flush(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.state();
        while !state.waiting.is_empty() || state.is_writing {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, lines: &[u8]) {
        let mut state = self.state();
        if state.waiting.len() + lines.len() > ROOM {
            drop(state);
            self.metrics.log_lines_lost(lines);
            return;
        }
        let is_first = state.waiting.is_empty();
        state.waiting.extend_from_slice(lines);
        drop(state);
        if is_first {
            self.changed.notify_all();
        }
    }

    fn run(&self, mut sink: impl Write) {
        let mut lines = Vec::new();
        loop {
            let mut state = self.state();
            state.is_writing = false;
            self.changed.notify_all();
            while state.waiting.is_empty() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.is_writing = true;
            drop(state);
            // One write for the lines of many requests.
            thread::sleep(GATHER);
            mem::swap(&mut lines, &mut self.state().waiting);
            self.write(&mut sink, &lines);
            lines.clear();
        }
    }

    fn write(&self, sink: &mut impl Write, mut lines: &[u8]) {
        while !lines.is_empty() {
            match sink.write(lines) {
                Ok(0) => break,
                Ok(written) => lines = &lines[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Somebody made the sink non-blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(PAUSE),
                Err(_) => break,
            }
        }
        self.metrics.log_lines_lost(lines);
    }
}

/// One event of `tracing`.
pub struct Line<'l>(&'l Shared);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'l> MakeWriter<'l> for Log {
    type Writer = Line<'l>;

    fn make_writer(&'l self) -> Line<'l> {
        Line(&self.shared)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// Takes a write when it is told to, and refuses it if it is told that.
    struct Sink(Receiver<io::Result<()>>, SyncSender<Vec<u8>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().unwrap_or(Ok(()))?;
            let _ = self.1.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    type Started = (Log, Arc<Metrics>, SyncSender<io::Result<()>>, Receiver<Vec<u8>>);

    fn start() -> Started {
        let metrics = Arc::new(Metrics::default());
        let (allow, allowed) = sync_channel(100);
        let (sender, written) = sync_channel(100);
        let log = Log::start(Sink(allowed, sender), Arc::clone(&metrics)).expect("a thread");
        (log, metrics, allow, written)
    }

    #[test]
    fn lines_are_written_in_their_order() {
        let (log, metrics, allow, written) = start();
        for n in 0..3 {
            allow.send(Ok(())).expect("the log runs");
            log.line(&format!("line {n}"));
            log.flush(Duration::from_mins(1));
            assert_eq!(written.recv().expect("written"), format!("line {n}\n").into_bytes());
        }
        assert_eq!(metrics.lost_lines(), 0);
    }

    #[test]
    fn a_sink_that_blocks_or_fails_costs_counted_lines_and_nobodys_time() {
        let (log, metrics, allow, written) = start();
        let line = "x".repeat(1023);
        let begin = Instant::now();
        for _ in 0..3000 {
            log.line(&line);
        }
        log.flush(Duration::from_millis(10));
        assert!(begin.elapsed() < Duration::from_secs(10));
        let lost = metrics.lost_lines();
        assert!((950..=2000).contains(&lost), "{lost}");

        allow.send(Err(io::Error::other("the disk is full"))).expect("the log runs");
        // Once it works again, it goes on.
        for _ in 0..10 {
            let _ = allow.send(Ok(()));
        }
        log.flush(Duration::from_mins(1));
        log.line("back");
        log.flush(Duration::from_mins(1));
        let bytes: Vec<u8> = written.try_iter().flatten().collect();
        assert!(bytes.ends_with(b"back\n"));
        let lines = bytes.split(|&byte| byte == b'\n').count() as u64 - 1;
        assert_eq!(lines + metrics.lost_lines(), 3001);
        assert!(metrics.lost_lines() > lost);
    }
}
