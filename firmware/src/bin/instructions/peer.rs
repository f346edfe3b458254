//! The same tally as an engineer writes it on `heapless`: the same order of events, the same moves
//! between users, the same twelve counts and last run, and nothing changed by a refusal. It leaves
//! carried counts out, which makes it cheaper.

use core::cmp::Ordering;

use heapless::index_map::FnvIndexMap;
use runtally::{DateTime, Effect, Event, RunState};

use super::Key;

/// What was not taken in.
#[derive(Debug)]
pub(crate) struct Full;

pub(crate) struct Peer<const DEVICES: usize, const USERS: usize> {
    pub(crate) device_counts: [u32; 6],
    pub(crate) user_counts: [u32; 6],
    pub(crate) last_run: Option<DateTime>,
    devices: FnvIndexMap<Key, Device, DEVICES>,
    users: FnvIndexMap<Key, User, USERS>,
}

struct Device {
    at: DateTime,
    state: RunState,
    user: Option<Key>,
}

/// A user's devices in each run state.
#[derive(Clone, Copy, Default)]
struct User([u16; 6]);

impl User {
    fn state(&self) -> Option<RunState> {
        let states = RunState::ALL.into_iter();
        states.filter(|&state| self.0[state as usize] > 0).max_by_key(|state| state.severity())
    }

    fn is_empty(&self) -> bool {
        self.0 == [0; 6]
    }
}

impl<const DEVICES: usize, const USERS: usize> Peer<DEVICES, USERS> {
    pub(crate) const fn new() -> Self {
        Self {
            device_counts: [0; 6],
            user_counts: [0; 6],
            last_run: None,
            devices: FnvIndexMap::new(),
            users: FnvIndexMap::new(),
        }
    }

    pub(crate) fn apply(&mut self, event: &Event<Key, Key>) -> Result<Effect, Full> {
        let Some(device) = self.devices.get_mut(&event.device) else {
            return self.insert(event);
        };
        let order = |at: DateTime, state: RunState| (at.ticks(), state.finality(), at.offset());
        let order = order(event.at, event.state).cmp(&order(device.at, device.state));
        let order = order.then_with(|| event.user.cmp(&device.user));
        match order {
            Ordering::Less => return Ok(Effect::Stale),
            Ordering::Equal => return Ok(Effect::Duplicate),
            Ordering::Greater => {}
        }

        let before = device.state;
        if device.user == event.user {
            if let Some(user) = &event.user
                && let Some(user) = self.users.get_mut(user)
            {
                let was = user.state();
                user.0[before as usize] -= 1;
                user.0[event.state as usize] += 1;
                shift(&mut self.user_counts, was, user.state());
            }
            device.at = event.at;
            device.state = event.state;
        } else {
            let left = device.user;
            let frees_a_row = left
                .and_then(|user| self.users.get(&user))
                .is_some_and(|user| user.0.iter().sum::<u16>() == 1);
            if let Some(user) = &event.user
                && self.users.is_full()
                && !frees_a_row
                && !self.users.contains_key(user)
            {
                return Err(Full);
            }
            device.at = event.at;
            device.state = event.state;
            device.user = event.user;
            if let Some(user) = left {
                self.leave(&user, before);
            }
            if let Some(user) = event.user {
                self.join(user, event.state)?;
            }
        }
        shift(&mut self.device_counts, Some(before), Some(event.state));
        self.last_run = self.last_run.max(Some(event.at));
        Ok(Effect::Applied { before: Some(before) })
    }

    fn insert(&mut self, event: &Event<Key, Key>) -> Result<Effect, Full> {
        if self.devices.is_full() {
            return Err(Full);
        }
        if let Some(user) = event.user {
            self.join(user, event.state)?;
        }
        let device = Device { at: event.at, state: event.state, user: event.user };
        self.devices.insert(event.device, device).map_err(|_| Full)?;
        shift(&mut self.device_counts, None, Some(event.state));
        self.last_run = self.last_run.max(Some(event.at));
        Ok(Effect::Applied { before: None })
    }

    fn join(&mut self, user: Key, state: RunState) -> Result<(), Full> {
        if let Some(known) = self.users.get_mut(&user) {
            let was = known.state();
            known.0[state as usize] += 1;
            shift(&mut self.user_counts, was, known.state());
        } else {
            let mut new = User::default();
            new.0[state as usize] = 1;
            self.users.insert(user, new).map_err(|_| Full)?;
            shift(&mut self.user_counts, None, Some(state));
        }
        Ok(())
    }

    fn leave(&mut self, user: &Key, state: RunState) {
        let Some(known) = self.users.get_mut(user) else { return };
        let was = known.state();
        known.0[state as usize] -= 1;
        shift(&mut self.user_counts, was, known.state());
        if known.is_empty() {
            self.users.swap_remove(user);
        }
    }
}

fn shift(counts: &mut [u32; 6], before: Option<RunState>, after: Option<RunState>) {
    if let Some(before) = before {
        counts[before as usize] -= 1;
    }
    if let Some(after) = after {
        counts[after as usize] += 1;
    }
}
