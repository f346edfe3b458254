//! Peer: timely dataflow.
//!
//! ```text
//!  input ── exchange by device ──> Devices ── exchange by user ──> Users ──> probe
//!           event                  device -> greatest event        user -> counts
//!                                  change: user, left, entered
//! ```
//!
//! A channel of timely loses nothing and repeats nothing, so the second stage adds and subtracts: it
//! needs neither the devices nor the order of the changes. The hash tables are hashbrown's with
//! foldhash; counters lie beside the operators, one set for each worker.

use std::cell::RefCell;
use std::hash::BuildHasher;
use std::rc::Rc;
use std::sync::Barrier;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use runtally::{RunState, Summary};
use serde::{Deserialize, Serialize};
use timely::Config;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::probe::Probe;
use timely::dataflow::{InputHandle, ProbeHandle, Stream};

use crate::figures::{Figures, Meter};
use crate::recount::summary;
use crate::trace::{Event, Key};

/// Events of one time, of all workers. Two times are on their way at most.
const EPOCH: usize = 64 * 1024;

/// Events that a worker feeds in before the operators get their turn.
const TURN: usize = 1024;

/// What happened to a user's devices: one left a state, one entered another.
#[derive(Clone, Copy, Deserialize, Serialize)]
struct Change {
    user: Key,
    left: Option<RunState>,
    entered: Option<RunState>,
}

/// What is kept of a device under its key.
type Kept = runtally::Event<(), Key>;

#[derive(Clone, Copy, Default)]
struct Counters {
    devices: [i32; 6],
    users: [i32; 6],
    /// In ticks.
    last_run: Option<i64>,
}

type Shared = Rc<RefCell<Counters>>;

pub fn run(events: &'static [Event], threads: usize) -> Figures {
    let meter = Meter::start();
    let config = if threads == 1 { Config::thread() } else { Config::process(threads) };
    let barrier = Barrier::new(threads);
    let workers = timely::execute(config, move |worker| {
        let counters = Shared::default();
        let mut input = InputHandle::new();
        let probe = ProbeHandle::new();
        worker.dataflow::<usize, _, _>(|scope| {
            let changes = devices(input.to_stream(scope), Rc::clone(&counters));
            users(changes, Rc::clone(&counters)).probe_with(&probe);
        });
        for (epoch, events) in events.chunks(EPOCH).enumerate() {
            for turn in events.chunks(TURN).skip(worker.index()).step_by(worker.peers()) {
                for event in turn {
                    input.send(*event);
                }
                worker.step();
            }
            input.advance_to(epoch + 1);
            worker.step_or_park_while(None, || probe.less_than(&epoch));
        }
        let last = *input.time();
        worker.step_or_park_while(None, || probe.less_than(&last));
        // The tables are there until all have measured.
        barrier.wait();
        let figures = meter.stop();
        barrier.wait();
        (figures, *counters.borrow())
    });
    let workers = workers.expect("threads").join().into_iter();
    let workers = workers.map(|worker| worker.expect("it ends well"));
    workers
        .reduce(|(figures, sum), (_, counters)| (figures, sum.plus(&counters)))
        .map(|(figures, sum)| Figures { summary: sum.summary(), ..figures })
        .expect("at least one worker")
}

/// The greatest event of each device.
fn devices(
    events: Stream<'_, usize, Vec<Event>>,
    counters: Shared,
) -> Stream<'_, usize, Vec<Change>> {
    let by_device = Exchange::new(|event: &Event| route(&event.device));
    events.unary(by_device, "Devices", |_, _| {
        let mut devices = HashMap::<Key, Kept, FixedState>::default();
        move |input, output| {
            let counters = &mut *counters.borrow_mut();
            input.for_each_stamp(|time, events| {
                let mut changes = output.session(&time);
                for Event { device, user, state, at } in events.flat_map(|events| events.drain(..))
                {
                    let now = Kept { device: (), user, state, at };
                    let before = match devices.entry(device) {
                        Entry::Vacant(vacant) => {
                            vacant.insert(now);
                            None
                        }
                        Entry::Occupied(mut kept) if now.order() > kept.get().order() => {
                            Some(kept.insert(now))
                        }
                        Entry::Occupied(_) => continue,
                    };
                    let left = before.map(|before| before.state);
                    counters.last_run = counters.last_run.max(Some(at.ticks()));
                    shift(&mut counters.devices, left, Some(state));
                    let former = before.and_then(|before| before.user);
                    if former == user {
                        if let Some(user) = user
                            && left != Some(state)
                        {
                            changes.give(Change { user, left, entered: Some(state) });
                        }
                        continue;
                    }
                    if let Some(user) = former {
                        changes.give(Change { user, left, entered: None });
                    }
                    if let Some(user) = user {
                        changes.give(Change { user, left: None, entered: Some(state) });
                    }
                }
            });
        }
    })
}

/// How many devices each user has in each state. Nothing comes out but how far it is.
fn users(changes: Stream<'_, usize, Vec<Change>>, counters: Shared) -> Stream<'_, usize, Vec<()>> {
    let by_user = Exchange::new(|change: &Change| route(&change.user));
    changes.unary::<CapacityContainerBuilder<_>, _, _, _>(by_user, "Users", |_, _| {
        let mut users = HashMap::<Key, [i32; 6], FixedState>::default();
        move |input, _| {
            let counters = &mut *counters.borrow_mut();
            input.for_each_stamp(|_, changes| {
                for Change { user, left, entered } in changes.flat_map(|changes| changes.drain(..))
                {
                    let mut user = match users.entry(user) {
                        Entry::Occupied(user) => user,
                        Entry::Vacant(user) => user.insert_entry([0; 6]),
                    };
                    let before = most_severe(user.get());
                    shift(user.get_mut(), left, entered);
                    let after = most_severe(user.get());
                    if before != after {
                        shift(&mut counters.users, before, after);
                    }
                    // Changes of one time come in any order: a count may be below zero for a while.
                    if after.is_none() && *user.get() == [0; 6] {
                        user.remove();
                    }
                }
            });
        }
    })
}

/// Which worker. Another seed than that of the tables, in which all keys would else share some bits.
fn route(key: &Key) -> u64 {
    FixedState::with_seed(1).hash_one(key)
}

fn shift(counts: &mut [i32; 6], left: Option<RunState>, entered: Option<RunState>) {
    if let Some(left) = left {
        counts[left as usize] -= 1;
    }
    if let Some(entered) = entered {
        counts[entered as usize] += 1;
    }
}

fn most_severe(counts: &[i32; 6]) -> Option<RunState> {
    [
        RunState::ScriptError,
        RunState::Fail,
        RunState::Pending,
        RunState::Unknown,
        RunState::Success,
        RunState::NotApplicable,
    ]
    .into_iter()
    .find(|&state| counts[state as usize] > 0)
}

impl Counters {
    fn plus(mut self, other: &Self) -> Self {
        for state in 0..6 {
            self.devices[state] += other.devices[state];
            self.users[state] += other.users[state];
        }
        self.last_run = self.last_run.max(other.last_run);
        self
    }

    fn summary(&self) -> Summary {
        let count = |number| u32::try_from(number).expect("all changes have arrived");
        summary(self.devices.map(count), self.users.map(count), self.last_run)
    }
}
