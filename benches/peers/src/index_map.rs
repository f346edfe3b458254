//! Peer: the same tally on `heapless::index_map`, without a heap.
//!
//! Rows of that map move when one is removed, so a device keeps its user's key, not a number.

use std::cmp::Ordering;
use std::hash::BuildHasher;

use heapless::index_map::{Entry, IndexMap};
use runtally::{DateTime, Effect, Event, RunState, Summary};
use uuid::Uuid;

use crate::contender::{Contender, order, summary};
use crate::std_tally::most_severe;
use crate::workload::{Fleet, Report};

/// What `FnvIndexMap` hashes with.
pub type Fnv = hash32::BuildHasherDefault<hash32::FnvHasher>;

pub struct IndexTally<S, const N: usize, const U: usize> {
    maps: Box<Maps<S, N, U>>,
    devices: [u32; 6],
    users: [u32; 6],
    last_run: Option<i64>,
}

struct Maps<S, const N: usize, const U: usize> {
    devices: IndexMap<Uuid, Device, S, N>,
    users: IndexMap<Uuid, [u16; 6], S, U>,
}

struct Device {
    at: DateTime,
    state: RunState,
    user: Option<Uuid>,
}

impl<S: BuildHasher + Default, const N: usize, const U: usize> Default for IndexTally<S, N, U> {
    fn default() -> Self {
        let maps = Maps { devices: IndexMap::default(), users: IndexMap::default() };
        Self { maps: Box::new(maps), devices: [0; 6], users: [0; 6], last_run: None }
    }
}

impl<S: BuildHasher, const N: usize, const U: usize> IndexTally<S, N, U> {
    fn shift(&mut self, user: Uuid, left: Option<RunState>, entered: Option<RunState>) {
        let users = &mut self.maps.users;
        let row = match users.entry(user) {
            Entry::Occupied(row) => row.into_mut(),
            Entry::Vacant(row) => row.insert([0; 6]).expect("there is room"),
        };
        let before = most_severe(row);
        if let Some(left) = left {
            row[left as usize] -= 1;
        }
        if let Some(entered) = entered {
            row[entered as usize] += 1;
        }
        let after = most_severe(row);
        if before != after {
            if let Some(before) = before {
                self.users[before as usize] -= 1;
            }
            match after {
                Some(after) => self.users[after as usize] += 1,
                None => {
                    users.swap_remove(&user);
                }
            }
        }
    }
}

impl<S: BuildHasher, const N: usize, const U: usize> Contender for IndexTally<S, N, U> {
    type Event = Event<Uuid, Uuid>;

    fn event(&self, fleet: &Fleet, report: Report) -> Self::Event {
        fleet.event(report)
    }

    fn apply(&mut self, event: &Self::Event) -> Effect {
        let new = Device { at: event.at, state: event.state, user: event.user };
        let before = if let Some(device) = self.maps.devices.get_mut(&event.device) {
            let new_order = order(event.at, event.state, event.user);
            match new_order.cmp(&order(device.at, device.state, device.user)) {
                Ordering::Less => return Effect::Stale,
                Ordering::Equal => return Effect::Duplicate,
                Ordering::Greater => {}
            }
            let old = std::mem::replace(device, new);
            if old.user == event.user {
                if let Some(user) = old.user
                    && old.state != event.state
                {
                    self.shift(user, Some(old.state), Some(event.state));
                }
            } else {
                if let Some(user) = old.user {
                    self.shift(user, Some(old.state), None);
                }
                if let Some(user) = event.user {
                    self.shift(user, None, Some(event.state));
                }
            }
            self.devices[old.state as usize] -= 1;
            Some(old.state)
        } else {
            self.maps.devices.insert(event.device, new).ok().expect("there is room");
            if let Some(user) = event.user {
                self.shift(user, None, Some(event.state));
            }
            None
        };
        self.devices[event.state as usize] += 1;
        self.last_run = self.last_run.max(Some(event.at.ticks()));
        Effect::Applied { before }
    }

    fn summary(&mut self) -> Summary {
        summary(self.devices, self.users, self.last_run)
    }
}
