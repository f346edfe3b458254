//! The library: each thread holds an equal part of the virtual shards of both stages.
//!
//! Events and records go in batches, each with the number of its shard: those of a thread's own
//! shards straight on, the rest through a bounded channel. All rows that a batch names are looked up
//! before any of them is changed, as a worker of the fleet does: so the processor waits for the memory
//! of many at once.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use runtally::shard::{self, DeviceShard, UserShard, partition};
use runtally::{Heap, Summary};

use crate::figures::{Figures, Meter};
use crate::trace::{Event, Key};

type First = DeviceShard<Key, Key, 65_534, Heap>;
type Second = UserShard<Key, Key, 65_534, 65_534, Heap>;
type Record = shard::Record<Key, Key>;

/// Virtual shards of each stage.
const SHARDS: usize = 256;

/// Events or records a message.
const BATCH: usize = 256;

/// Messages that may wait for a thread.
const WAITING: usize = 64;

/// How long a thread waits for messages before it tries again to send its own.
const PATIENCE: Duration = Duration::from_millis(1);

enum Message {
    Events(Vec<(usize, Event)>),
    Records(Vec<(usize, Record)>),
    /// There are no more events from this thread.
    EventsEnd,
    /// There are no more records from this thread.
    RecordsEnd,
}

struct Worker {
    number: usize,
    threads: usize,
    /// Shard `s` belongs to thread `s % threads`, and is the `s / threads`-th there.
    first: Vec<First>,
    second: Vec<Second>,
    /// What is not sent yet, for each thread and this one too.
    events: Vec<Vec<(usize, Event)>>,
    records: Vec<Vec<(usize, Record)>>,
    peers: Vec<SyncSender<Message>>,
    inbox: Receiver<Message>,
    /// What arrived while this thread waited to send.
    arrived: VecDeque<Message>,
    /// How many threads have not said yet that they have no more.
    open: Open,
}

struct Open {
    events: usize,
    records: usize,
}

pub fn run(events: &[Event], threads: usize) -> Figures {
    let meter = Meter::start();
    let workers = Worker::all(threads);
    let workers: Vec<Worker> = if threads == 1 {
        workers.into_iter().map(|worker| worker.run(events)).collect()
    } else {
        thread::scope(|scope| {
            let running: Vec<_> =
                workers.into_iter().map(|worker| scope.spawn(move || worker.run(events))).collect();
            running.into_iter().map(|thread| thread.join().expect("it ends well")).collect()
        })
    };
    let figures = meter.stop();
    let stages = workers.iter().flat_map(|worker| {
        let first = worker.first.iter().map(First::summary);
        first.chain(worker.second.iter().map(Second::summary))
    });
    let mut stages = stages.copied();
    let summary = stages.try_fold(Summary::ZERO, |sum, shard| sum.merge(&shard));
    Figures { summary: summary.expect("as many as there are devices"), ..figures }
}

impl Worker {
    fn all(threads: usize) -> Vec<Self> {
        let (peers, inboxes): (Vec<_>, Vec<_>) =
            (0..threads).map(|_| sync_channel(WAITING)).unzip();
        let worker = |(number, inbox)| {
            let own = || (number..SHARDS).step_by(threads);
            Self {
                number,
                threads,
                first: own().map(|_| First::growing()).collect(),
                second: own().map(|_| Second::growing()).collect(),
                events: (0..threads).map(|_| Vec::new()).collect(),
                records: (0..threads).map(|_| Vec::new()).collect(),
                peers: peers.clone(),
                inbox,
                arrived: VecDeque::new(),
                open: Open { events: threads - 1, records: threads - 1 },
            }
        };
        inboxes.into_iter().enumerate().map(worker).collect()
    }

    /// Reads every so-many-th batch of the events, and all that the other threads send.
    fn run(mut self, events: &[Event]) -> Self {
        for batch in events.chunks(BATCH).skip(self.number).step_by(self.threads) {
            for event in batch {
                let shard = shard_of(&event.device);
                self.put(shard, *event);
            }
            while let Some(message) = self.next() {
                self.receive(message);
            }
        }
        for peer in 0..self.threads {
            let rest = std::mem::take(&mut self.events[peer]);
            self.send(peer, Message::Events(rest));
        }
        for peer in self.others() {
            self.send(peer, Message::EventsEnd);
        }
        while self.open.events > 0 {
            self.wait();
        }
        for peer in 0..self.threads {
            let rest = std::mem::take(&mut self.records[peer]);
            self.send(peer, Message::Records(rest));
        }
        for peer in self.others() {
            self.send(peer, Message::RecordsEnd);
        }
        while self.open.records > 0 {
            self.wait();
        }
        self
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let number = self.number;
        (0..self.threads).filter(move |peer| *peer != number)
    }

    fn put(&mut self, shard: usize, event: Event) {
        let owner = shard % self.threads;
        let waiting = &mut self.events[owner];
        waiting.push((shard, event));
        if waiting.len() >= BATCH {
            let full = std::mem::replace(waiting, Vec::with_capacity(BATCH));
            self.send(owner, Message::Events(full));
        }
    }

    /// The first stage, and what follows from it for the second.
    fn take(&mut self, events: &[(usize, Event)]) {
        let Self { threads, first, records, .. } = self;
        let known = events
            .iter()
            .filter(|(shard, event)| first[*shard / *threads].record(&event.device).is_some());
        black_box(known.count());
        for (shard, event) in events {
            let taken = first[*shard / *threads].take(&Record::Report(*event), |user, record| {
                let shard = shard_of(user);
                records[shard % *threads].push((shard, record.cloned()));
            });
            let _ = taken.expect("a shard has room for its devices");
        }
        for owner in 0..self.threads {
            if self.records[owner].len() >= BATCH {
                let next = Vec::with_capacity(2 * BATCH);
                let full = std::mem::replace(&mut self.records[owner], next);
                self.send(owner, Message::Records(full));
            }
        }
    }

    /// The second stage.
    fn join(&mut self, records: &[(usize, Record)]) {
        let Self { threads, second, .. } = self;
        let known = records.iter().filter(|(shard, record)| {
            let rows = &second[*shard / *threads];
            let user = record.user().and_then(|user| rows.find_user(user));
            rows.record(record.device()).is_some() & user.is_some()
        });
        black_box(known.count());
        for (shard, record) in records {
            let is_own = |user: &Key| shard_of(user) == *shard;
            let joined = second[*shard / *threads].join(record, is_own);
            let _ = joined.expect("a shard has room for its users and their devices");
        }
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Events(events) => self.take(&events),
            Message::Records(records) => self.join(&records),
            Message::EventsEnd => self.open.events -= 1,
            Message::RecordsEnd => self.open.records -= 1,
        }
    }

    fn next(&mut self) -> Option<Message> {
        self.arrived.pop_front().or_else(|| self.inbox.try_recv().ok())
    }

    fn wait(&mut self) {
        let message = self.arrived.pop_front();
        let message = message.unwrap_or_else(|| self.inbox.recv().expect("it is open"));
        self.receive(message);
    }

    /// Two threads that send to each other while both channels are full would wait for ever: so what
    /// arrives meanwhile is put aside.
    fn send(&mut self, peer: usize, mut message: Message) {
        if peer == self.number {
            return self.receive(message);
        }
        while let Err(TrySendError::Full(back)) = self.peers[peer].try_send(message) {
            message = back;
            self.arrived.extend(self.inbox.recv_timeout(PATIENCE));
        }
    }
}

fn shard_of(key: &Key) -> usize {
    partition(key, SHARDS as u32) as usize
}
