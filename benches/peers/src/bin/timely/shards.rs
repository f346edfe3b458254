//! The library: each thread holds an equal part of the virtual shards of both stages.
//!
//! What is for a thread's own shards is taken at once. The rest goes through a bounded channel, so
//! many events or records a message, each with the number of its shard, as in a fleet.

use std::collections::VecDeque;
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
    /// What is not sent yet, for each thread.
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
                self.read(event);
            }
            while let Some(message) = self.next() {
                self.receive(message);
            }
        }
        for peer in self.others() {
            let rest = std::mem::take(&mut self.events[peer]);
            self.send(peer, Message::Events(rest));
            self.send(peer, Message::EventsEnd);
        }
        while self.open.events > 0 {
            self.wait();
        }
        for peer in self.others() {
            let rest = std::mem::take(&mut self.records[peer]);
            self.send(peer, Message::Records(rest));
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

    fn read(&mut self, event: &Event) {
        let shard = shard_of(&event.device);
        let owner = shard % self.threads;
        if owner == self.number {
            self.take(shard, *event);
            return;
        }
        let waiting = &mut self.events[owner];
        waiting.push((shard, *event));
        if waiting.len() >= BATCH {
            let full = std::mem::replace(waiting, Vec::with_capacity(BATCH));
            self.send(owner, Message::Events(full));
        }
    }

    /// The first stage, and what follows from it for the second.
    fn take(&mut self, shard: usize, event: Event) {
        let Self { number, threads, first, second, records, .. } = self;
        let taken = first[shard / *threads].take(&Record::Report(event), |user, record| {
            let (shard, record) = (shard_of(user), record.cloned());
            let owner = shard % *threads;
            if owner == *number {
                join(second, *threads, shard, &record);
            } else {
                records[owner].push((shard, record));
            }
        });
        let _ = taken.expect("a shard has room for its devices");
        for peer in self.others() {
            if self.records[peer].len() >= BATCH {
                let next = Vec::with_capacity(BATCH + 1);
                let full = std::mem::replace(&mut self.records[peer], next);
                self.send(peer, Message::Records(full));
            }
        }
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Events(events) => {
                for (shard, event) in events {
                    self.take(shard, event);
                }
            }
            Message::Records(records) => {
                for (shard, record) in records {
                    join(&mut self.second, self.threads, shard, &record);
                }
            }
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
        while let Err(TrySendError::Full(back)) = self.peers[peer].try_send(message) {
            message = back;
            self.arrived.extend(self.inbox.recv_timeout(PATIENCE));
        }
    }
}

fn join(second: &mut [Second], threads: usize, shard: usize, record: &Record) {
    let joined = second[shard / threads].join(record, |user| shard_of(user) == shard);
    let _ = joined.expect("a shard has room for its users and their devices");
}

fn shard_of(key: &Key) -> usize {
    partition(key, SHARDS as u32) as usize
}
