//! Group commit: one thread that plans writes, makes them durable many at a time, and answers.

use std::collections::{HashMap, HashSet};
use std::io;
use std::mem;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use runtally::store::RolloutId;
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use super::rows::Tables;
use super::{Database, WriteError, give_up};
use crate::app::refuse;
use crate::metrics::Metrics;
use crate::store::{Plan, Rollouts};

/// A transaction waits no longer than this for more requests, and no longer than the last one took.
const MOST_PATIENCE: Duration = Duration::from_millis(10);

/// A disk that takes longer than this for a transaction hangs: what comes then is refused at once,
/// and what waits for it is given up after as long again.
const HANGS: Duration = Duration::from_secs(5);

/// The bytes of the bodies that may wait.
const ROOM: usize = 256 << 20;

/// How often a database that failed is tried.
const PROBE: Duration = Duration::from_secs(1);

/// A request that may write.
pub(crate) struct Job {
    /// Its head.
    pub(crate) head: Parts,
    /// Its body, whole.
    pub(crate) body: Vec<u8>,
}

/// What a change depends on. Changes of one transaction are planned on the same store, so they must
/// come to the same in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claims {
    /// One device's row, and perhaps a free row for it or for its user.
    Device {
        /// The device.
        id: Uuid,
        /// The device needs a row.
        is_new: bool,
        /// Its user needs a row.
        is_new_user: bool,
    },
    /// The roll-out as a whole.
    Rollout,
    /// Which roll-outs there are.
    Store,
}

/// How a request is answered by a store, and what it is to change.
pub(crate) type Answering =
    dyn Fn(&dyn Rollouts, &Job) -> (Response, Option<Plan>) + Send + Sync + 'static;

/// The thread, and the queue before it.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    /// Closed when the thread has ended.
    ended: Mutex<mpsc::Receiver<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    news: Condvar,
    is_ready: AtomicBool,
    start: Instant,
    /// The millisecond since when the disk is waited for; 0, it is not.
    busy_since: AtomicU64,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Waiting>,
    /// The bytes of their bodies.
    bytes: usize,
    /// How many jobs wake the thread.
    wanted: usize,
    is_closed: bool,
}

struct Waiting {
    job: Job,
    answer: oneshot::Sender<Response>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the system grants none.
    pub(crate) fn start(
        database: Database,
        store: &'static RwLock<dyn Rollouts>,
        answering: Arc<Answering>,
        metrics: Arc<Metrics>,
        most: usize,
    ) -> io::Result<Self> {
        let is_ready = AtomicBool::new(true);
        let queue = Mutex::new(Queue { wanted: 1, ..Queue::default() });
        let (news, start) = (Condvar::new(), Instant::now());
        let busy_since = AtomicU64::new(0);
        let shared = Arc::new(Shared { queue, news, is_ready, start, busy_since });
        let run = Run {
            shared: Arc::clone(&shared),
            database,
            store,
            answering,
            metrics,
            most,
            patience: Duration::ZERO,
            expected: 1,
        };
        let (ends, ended) = mpsc::channel();
        thread::Builder::new().name("writer".to_owned()).spawn(move || {
            run.run();
            drop::<mpsc::Sender<()>>(ends);
        })?;
        Ok(Self { shared, ended: Mutex::new(ended) })
    }

    /// Answers a request that may write, once what it changed is durable.
    pub(crate) async fn answer(&self, job: Job) -> Response {
        let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable");
        if self.shared.hangs() {
            return refuse(status, code, "nothing was changed: the disk does not answer");
        }
        let (answer, answered) = oneshot::channel();
        {
            let mut queue = self.shared.queue();
            if queue.bytes + job.body.len() > ROOM {
                return refuse(
                    status,
                    code,
                    "nothing was changed: too much is waiting for the disk",
                );
            }
            if queue.is_closed {
                return refuse(status, code, "nothing was changed: the service ends");
            }
            queue.bytes += job.body.len();
            queue.jobs.push(Waiting { job, answer });
            if queue.jobs.len() >= queue.wanted {
                self.shared.news.notify_one();
            }
        }
        let mut answered = pin!(answered);
        loop {
            match timeout(HANGS, &mut answered).await {
                Ok(answer) => {
                    return answer.unwrap_or_else(|_| refuse(status, code, "the service ends"));
                }
                Err(_) if self.shared.hangs() => {
                    let message = "the disk does not answer; the change may yet be made";
                    return refuse(status, code, message);
                }
                Err(_) => {}
            }
        }
    }

    /// False if the last transaction failed.
    pub(crate) fn is_ready(&self) -> bool {
        self.shared.is_ready.load(Ordering::Relaxed) && !self.shared.hangs()
    }

    /// Answers what is there, and ends the thread; a disk that hangs is given up after this time.
    pub(crate) fn finish(&self, limit: Duration) {
        self.shared.queue().is_closed = true;
        self.shared.news.notify_one();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            tracing::error!("the disk does not answer");
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64 + 1
    }

    /// Whether the disk has been waited for too long.
    fn hangs(&self) -> bool {
        let since = self.busy_since.load(Ordering::Relaxed);
        since > 0 && self.now() - since >= HANGS.as_millis() as u64
    }
}

struct Run {
    shared: Arc<Shared>,
    database: Database,
    store: &'static RwLock<dyn Rollouts>,
    answering: Arc<Answering>,
    metrics: Arc<Metrics>,
    /// The most requests in a transaction.
    most: usize,
    /// How long the next transaction waits for more requests, and for how many.
    patience: Duration,
    expected: usize,
}

/// Nobody would be answered any more.
struct EndsTheProcess;

impl Drop for EndsTheProcess {
    fn drop(&mut self) {
        if thread::panicking() {
            give_up()
        }
    }
}

impl Run {
    fn run(mut self) {
        let _on_panic = EndsTheProcess;
        // Those that could not share a transaction with those before them.
        let mut left = Vec::new();
        loop {
            let Some(jobs) = self.next(mem::take(&mut left)) else { return };
            let start = Instant::now();
            self.shared.busy_since.store(self.shared.now(), Ordering::Relaxed);
            if jobs.is_empty() {
                self.probe();
            } else {
                let (group, later) = self.plan(jobs);
                left = later;
                if !group.is_empty() {
                    self.commit(group, start);
                }
            }
            self.shared.busy_since.store(0, Ordering::Relaxed);
        }
    }

    /// Those left and those that came since, once there are any; none, when it is time to try a
    /// database that failed; `None` at the end.
    fn next(&self, left: Vec<Waiting>) -> Option<Vec<Waiting>> {
        let shared = Arc::clone(&self.shared);
        let mut queue = shared.queue();
        if left.is_empty() {
            queue.wanted = 1;
            while queue.jobs.is_empty() {
                if queue.is_closed {
                    return None;
                }
                if shared.is_ready.load(Ordering::Relaxed) {
                    queue = shared.news.wait(queue).unwrap_or_else(PoisonError::into_inner);
                } else {
                    let waited = shared.news.wait_timeout(queue, PROBE);
                    let (waited, time) = waited.unwrap_or_else(PoisonError::into_inner);
                    queue = waited;
                    if time.timed_out() && queue.jobs.is_empty() {
                        return Some(Vec::new());
                    }
                }
            }
        }
        // Those who were answered last are likely to ask again: one transaction for them all.
        let wanted = self.expected.saturating_sub(left.len());
        queue.wanted = wanted.max(1);
        let is_few = |queue: &mut Queue| queue.jobs.len() < wanted && !queue.is_closed;
        let gathered = shared.news.wait_timeout_while(queue, self.patience, is_few);
        let (mut queue, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        let mut jobs = left;
        jobs.append(&mut queue.jobs);
        queue.bytes = 0;
        Some(jobs)
    }

    /// Answers what changes nothing; gives what shares a transaction, and what comes after it.
    fn plan(&self, jobs: Vec<Waiting>) -> (Vec<(Waiting, Response, Plan)>, Vec<Waiting>) {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        let (mut group, mut later) = (Vec::new(), Vec::new());
        let mut claimed = Claimed::default();
        for waiting in jobs {
            // Nothing overtakes a change that waits for the whole store.
            if claimed.is_closed || group.len() >= self.most {
                later.push(waiting);
                continue;
            }
            let (response, plan) = (self.answering)(&*store, &waiting.job);
            match plan {
                None => {
                    // Whoever hung up does not wait any more.
                    let _ = waiting.answer.send(response);
                }
                Some(plan) if claimed.admit(&plan, &*store, group.is_empty()) => {
                    group.push((waiting, response, plan));
                }
                Some(_) => later.push(waiting),
            }
        }
        (group, later)
    }

    fn commit(&mut self, group: Vec<(Waiting, Response, Plan)>, start: Instant) {
        let most = self.store.read().unwrap_or_else(PoisonError::into_inner).capacity();
        let committed = self.database.write_plans(group.iter().map(|(.., plan)| plan), most);
        match committed {
            Ok(()) => {
                let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
                for (.., plan) in &group {
                    if let Err(error) = store.commit(plan) {
                        // It was checked, and nothing else has changed the store since.
                        tracing::error!(%error, "the store is not what is on file");
                        give_up();
                    }
                }
                drop(store);
                self.is_ready(true);
                let took = start.elapsed();
                self.metrics.committed(group.len(), took);
                self.patience = took.min(MOST_PATIENCE);
                let busy = group.len() + self.shared.queue().jobs.len();
                self.expected = busy.max(self.expected * 7 / 8);
                for (waiting, response, _) in group {
                    let _ = waiting.answer.send(response);
                }
            }
            Err(error) => {
                self.failed(&error);
                let message = match error {
                    WriteError::Sql(error) => why(&error),
                    WriteError::Replaced(_) => "its file was removed or replaced",
                };
                let message =
                    format!("nothing was changed: the database cannot be written: {message}");
                for (waiting, ..) in group {
                    let (status, code) = (StatusCode::INSUFFICIENT_STORAGE, "insufficientStorage");
                    let _ = waiting.answer.send(refuse(status, code, &message));
                }
            }
        }
    }

    /// Tries whether the database can be written again.
    fn probe(&mut self) {
        match self.database.write(|tables: &mut Tables<'_>| tables.probe()) {
            Ok(()) => self.is_ready(true),
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&self, error: &WriteError) {
        self.metrics.commit_failed();
        if self.shared.is_ready.swap(false, Ordering::Relaxed) {
            tracing::error!(%error, "the database cannot be written");
        }
    }

    fn is_ready(&self, is_ready: bool) {
        if self.shared.is_ready.swap(is_ready, Ordering::Relaxed) != is_ready {
            tracing::info!("the database can be written again");
        }
    }
}

/// What went wrong, without the names of files.
fn why(error: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode;

    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::SystemIoFailure) => "the disk fails, or a file may grow no further",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            "it may not be written"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process has locked it"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "it is damaged",
        _ => "see the log of the service",
    }
}

/// What the changes of a transaction have claimed.
#[derive(Default)]
pub(super) struct Claimed {
    devices: HashSet<(RolloutId, Uuid)>,
    rollouts: HashSet<RolloutId>,
    /// Rows that are going to be taken, of devices and of users.
    taken: HashMap<RolloutId, [usize; 2]>,
    is_closed: bool,
}

impl Claimed {
    /// Takes a change in, if it comes to the same with those that are.
    pub(super) fn admit(&mut self, plan: &Plan, store: &dyn Rollouts, is_first: bool) -> bool {
        let rollout = plan.rollout;
        match plan.claims {
            Claims::Device { id, is_new, is_new_user } => {
                if self.rollouts.contains(&rollout) {
                    return false;
                }
                let taken = self.taken.entry(rollout).or_default();
                let [devices, users] = store.room(rollout);
                // The first is known to fit.
                let has_room =
                    |is_new: bool, taken: usize, free: usize| !is_new || taken == 0 || taken < free;
                if !has_room(is_new, taken[0], devices)
                    || !has_room(is_new_user, taken[1], users)
                    || !self.devices.insert((rollout, id))
                {
                    return false;
                }
                taken[0] += usize::from(is_new);
                taken[1] += usize::from(is_new_user);
                true
            }
            // It comes first, or else waits for what it would have to see.
            Claims::Rollout => !self.taken.contains_key(&rollout) && self.rollouts.insert(rollout),
            Claims::Store => {
                self.is_closed = is_first;
                is_first
            }
        }
    }
}
