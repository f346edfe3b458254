//! The one who makes changes durable, many with one sync.

use std::io;
use std::process::exit;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::journal::Log;
use crate::{Desk, Rollouts};

/// A thread that syncs what requests have changed, for as long as there is something: while the
/// disk is busy with some, the next ones gather.
pub struct Committer {
    log: Arc<Log>,
    thread: JoinHandle<()>,
}

impl Committer {
    /// Begins, if the desk's store is kept on file.
    ///
    /// # Errors
    ///
    /// If there is no thread to be had.
    pub fn start(desk: &'static Mutex<Desk<dyn Rollouts>>) -> io::Result<Option<Self>> {
        let log = desk.lock().unwrap_or_else(PoisonError::into_inner).store().log();
        let Some(log) = log else { return Ok(None) };
        let thread = {
            let log = Arc::clone(&log);
            thread::Builder::new().name("committer".to_owned()).spawn(move || run(&log, desk))?
        };
        Ok(Some(Self { log, thread }))
    }

    /// Makes durable what there is, and ends.
    pub fn finish(self) {
        self.log.close();
        // It has said what went wrong, if anything did.
        let _ = self.thread.join();
    }
}

/// Nobody would be answered any more.
struct EndsTheProcess;

impl Drop for EndsTheProcess {
    fn drop(&mut self) {
        if thread::panicking() {
            exit(1)
        }
    }
}

fn run(log: &Log, desk: &Mutex<Desk<dyn Rollouts>>) {
    let _on_panic = EndsTheProcess;
    loop {
        match log.commit_next() {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::error!(%error, "the journal cannot be written");
                let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
                desk.store().abandon(&error);
            }
        }
    }
}

/// Ends the process: its store is no longer what is on file, and cannot be made so.
pub(crate) fn give_up(error: &dyn std::error::Error) -> ! {
    tracing::error!(%error, "the journal cannot be read");
    exit(1)
}
