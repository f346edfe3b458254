//! Peer: the same tally on std with `hashbrown` and `foldhash`, its counts kept with every event.

use std::borrow::Borrow;
use std::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use runtally::{DateTime, Effect, Event, RunState, Summary};
use uuid::Uuid;

use crate::contender::{Contender, order, summary};
use crate::workload::{Fleet, Report};

/// Devices by key; users by number, so that a device's user is found without a hash.
pub struct StdTally<U> {
    devices: HashMap<Uuid, Device, FixedState>,
    ids: HashMap<U, u32, FixedState>,
    users: Vec<User<U>>,
    free: Vec<u32>,
    counts: Counters,
}

#[derive(Default)]
struct Counters {
    devices: [u32; 6],
    users: [u32; 6],
    /// In ticks: the instant alone counts.
    last_run: Option<i64>,
}

struct Device {
    at: DateTime,
    state: RunState,
    user: Option<u32>,
}

struct User<U> {
    key: U,
    devices: [u32; 6],
    total: u32,
}

impl<U: Clone + Hash + Ord> StdTally<U> {
    pub fn with_room_for(devices: usize, users: usize) -> Self {
        Self {
            devices: HashMap::with_capacity_and_hasher(devices, FixedState::default()),
            ids: HashMap::with_capacity_and_hasher(users, FixedState::default()),
            users: Vec::with_capacity(users),
            free: Vec::new(),
            counts: Counters::default(),
        }
    }

    pub fn apply<Q>(&mut self, event: &Event<Uuid, &Q>) -> Effect
    where
        U: Borrow<Q>,
        Q: Hash + Ord + ToOwned<Owned = U> + ?Sized,
    {
        let Self { devices, ids, users, free, counts } = self;
        let before = match devices.entry(event.device) {
            Entry::Occupied(mut device) => {
                let device = device.get_mut();
                let known = device.user.map(|user| users[user as usize].key.borrow());
                let new = order(event.at, event.state, event.user);
                match new.cmp(&order(device.at, device.state, known)) {
                    std::cmp::Ordering::Less => return Effect::Stale,
                    std::cmp::Ordering::Equal => return Effect::Duplicate,
                    std::cmp::Ordering::Greater => {}
                }
                let before = device.state;
                device.at = event.at;
                device.state = event.state;
                if known == event.user {
                    if let Some(user) = device.user
                        && before != event.state
                    {
                        users[user as usize].shift(counts, Some(before), Some(event.state));
                    }
                } else {
                    if let Some(id) = device.user {
                        let user = &mut users[id as usize];
                        user.shift(counts, Some(before), None);
                        if user.total == 0 {
                            ids.remove(user.key.borrow());
                            free.push(id);
                        }
                    }
                    device.user = event.user.map(|user| number(ids, users, free, user));
                    if let Some(user) = device.user {
                        users[user as usize].shift(counts, None, Some(event.state));
                    }
                }
                counts.devices[before as usize] -= 1;
                Some(before)
            }
            Entry::Vacant(vacant) => {
                let user = event.user.map(|user| number(ids, users, free, user));
                vacant.insert(Device { at: event.at, state: event.state, user });
                if let Some(user) = user {
                    users[user as usize].shift(counts, None, Some(event.state));
                }
                None
            }
        };
        counts.devices[event.state as usize] += 1;
        counts.last_run = counts.last_run.max(Some(event.at.ticks()));
        Effect::Applied { before }
    }

    pub fn summary(&self) -> Summary {
        summary(self.counts.devices, self.counts.users, self.counts.last_run)
    }
}

/// The number of a user, who gets one if there is none yet.
fn number<U, Q>(
    ids: &mut HashMap<U, u32, FixedState>,
    users: &mut Vec<User<U>>,
    free: &mut Vec<u32>,
    user: &Q,
) -> u32
where
    U: Borrow<Q> + Clone + Hash + Ord,
    Q: Hash + Ord + ToOwned<Owned = U> + ?Sized,
{
    if let Some(&id) = ids.get(user) {
        return id;
    }
    let key = user.to_owned();
    let row = User { key: key.clone(), devices: [0; 6], total: 0 };
    let id = if let Some(id) = free.pop() {
        users[id as usize] = row;
        id
    } else {
        users.push(row);
        users.len() as u32 - 1
    };
    ids.insert(key, id);
    id
}

impl<U> User<U> {
    fn shift(&mut self, counts: &mut Counters, left: Option<RunState>, entered: Option<RunState>) {
        let before = most_severe(&self.devices);
        if let Some(left) = left {
            self.devices[left as usize] -= 1;
            self.total -= 1;
        }
        if let Some(entered) = entered {
            self.devices[entered as usize] += 1;
            self.total += 1;
        }
        let after = most_severe(&self.devices);
        if before != after {
            if let Some(before) = before {
                counts.users[before as usize] -= 1;
            }
            if let Some(after) = after {
                counts.users[after as usize] += 1;
            }
        }
    }
}

/// The most severe state that is not zero. A mask of all six, made without a branch, was slower.
pub fn most_severe<T: Copy + Default + PartialOrd>(counts: &[T; 6]) -> Option<RunState> {
    [
        RunState::ScriptError,
        RunState::Fail,
        RunState::Pending,
        RunState::Unknown,
        RunState::Success,
        RunState::NotApplicable,
    ]
    .into_iter()
    .find(|&state| counts[state as usize] > T::default())
}

impl Contender for StdTally<Uuid> {
    type Event = Event<Uuid, Uuid>;

    fn event(&self, fleet: &Fleet, report: Report) -> Self::Event {
        fleet.event(report)
    }

    fn apply(&mut self, event: &Self::Event) -> Effect {
        let &Event { device, ref user, state, at } = event;
        StdTally::apply(self, &Event { device, user: user.as_ref(), state, at })
    }

    fn summary(&mut self) -> Summary {
        StdTally::summary(self)
    }
}
