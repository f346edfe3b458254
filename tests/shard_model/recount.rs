//! What the counts have to be: the happenings as a set, counted by hand.
//!
//! Written from the rules. Of the library it uses the names of things alone: no order, no counter,
//! no severity.

use std::collections::{BTreeMap, BTreeSet};

use runtally::RunState;

use crate::history::{Happening, Key};

/// How many devices in each state, by Graph's number; wide enough to be wrong in.
pub(crate) type Numbers = [i64; 6];

/// What is to be read once everything is drained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Each device that counts, as often as it is counted.
    pub(crate) devices: Vec<Counted>,
    /// Each of them that has a user, as that user's shard has it.
    pub(crate) user_devices: Vec<Counted>,
    /// Each user with devices.
    pub(crate) users: BTreeMap<Key, Numbers>,
    /// How many devices and users are in each state.
    pub(crate) device_states: Numbers,
    pub(crate) user_states: Numbers,
    /// Ticks.
    pub(crate) last_run: Option<i64>,
}

/// A device that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Counted {
    pub(crate) device: Key,
    pub(crate) user: Option<Key>,
    /// By Graph's number.
    pub(crate) state: u8,
    pub(crate) is_retired: bool,
}

impl Outcome {
    /// An outcome in which users without devices are left out and the rest are rolled up.
    pub(crate) fn new(
        mut devices: Vec<Counted>,
        mut user_devices: Vec<Counted>,
        mut users: BTreeMap<Key, Numbers>,
        last_run: Option<i64>,
    ) -> Self {
        devices.sort_unstable();
        user_devices.sort_unstable();
        users.retain(|_, numbers| *numbers != [0; 6]);
        let [mut device_states, mut user_states] = [[0; 6]; 2];
        for device in &devices {
            device_states[usize::from(device.state)] += 1;
        }
        for numbers in users.values() {
            // Most severe first.
            let states = [3usize, 2, 4, 0, 1, 5];
            if let Some(state) = states.into_iter().find(|&state| numbers[state] > 0) {
                user_states[state] += 1;
            }
        }
        Self { devices, user_devices, users, device_states, user_states, last_run }
    }

    /// Without what depends on the order if a device is retired as it stands.
    pub(crate) fn unlisted(mut self) -> Self {
        let devices = self.devices.iter_mut().chain(&mut self.user_devices);
        devices.for_each(|device| device.is_retired = false);
        self
    }
}

/// What one device is said to be, and where that stands among all that is said of it.
///
/// The fields are in the order of the comparison: the instant; unknown, pending, not applicable,
/// success, fail, script error, removed; the offset; the user, none being lowest; and whether it was
/// retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Fact {
    pub(crate) ticks: i64,
    pub(crate) finality: u8,
    pub(crate) offset: i16,
    pub(crate) user: Option<Key>,
    pub(crate) is_retired: bool,
    pub(crate) device: Key,
}

const REMOVED: u8 = 6;

impl Fact {
    /// The fact that is reported or a removal; `None` for what is none by itself.
    pub(crate) fn of(happening: &Happening) -> Option<Self> {
        let (device, user, finality, at) = match *happening {
            Happening::Report(event) | Happening::Retired(event) => {
                let finality = match event.state {
                    RunState::Unknown => 0,
                    RunState::Pending => 1,
                    RunState::NotApplicable => 2,
                    RunState::Success => 3,
                    RunState::Fail => 4,
                    RunState::ScriptError => 5,
                };
                (event.device, event.user, finality, event.at)
            }
            // Only the instant of a removal matters.
            Happening::Removed { device, at } => {
                let (ticks, finality) = (at.ticks(), REMOVED);
                let (offset, user, is_retired) = (0, None, false);
                return Some(Self { ticks, finality, offset, user, is_retired, device });
            }
            Happening::Retire { .. } | Happening::RunFrom(_) => return None,
        };
        let (ticks, offset) = (at.ticks(), at.offset());
        let is_retired = matches!(happening, Happening::Retired(_));
        Some(Self { ticks, finality, offset, user, is_retired, device })
    }

    pub(crate) fn is_removal(&self) -> bool {
        self.finality == REMOVED
    }

    /// How the device counts if this is the greatest fact; `None` if it does not.
    pub(crate) fn counted(&self, run_from: Option<i64>) -> Option<Counted> {
        let state = match self.finality {
            REMOVED => return None,
            _ if run_from.is_some_and(|start| self.ticks < start) => 4,
            finality => [0, 4, 5, 1, 2, 3][usize::from(finality)],
        };
        let Self { device, user, is_retired, .. } = *self;
        Some(Counted { device, user, state, is_retired })
    }
}

/// Counts the greatest fact of every device. Retirement changes no count.
pub(crate) fn recount(history: &[Happening]) -> Outcome {
    let facts: BTreeSet<Fact> = history.iter().filter_map(Fact::of).collect();
    let run_from = history
        .iter()
        .filter_map(|happening| match happening {
            Happening::RunFrom(at) => Some(at.ticks()),
            _ => None,
        })
        .max();
    let last_run = facts.iter().filter(|fact| !fact.is_removal()).map(|fact| fact.ticks).max();
    let mut devices = Vec::new();
    let mut users = BTreeMap::new();
    for device in facts.iter().map(|fact| fact.device).collect::<BTreeSet<_>>() {
        let greatest = facts.iter().filter(|fact| fact.device == device).max().expect("one");
        if let Some(counted) = greatest.counted(run_from) {
            devices.push(counted);
            if let Some(user) = counted.user {
                users.entry(user).or_insert([0; 6])[usize::from(counted.state)] += 1;
            }
        }
    }
    let user_devices = devices.iter().filter(|device| device.user.is_some()).copied().collect();
    Outcome::new(devices, user_devices, users, last_run)
}

/// Whether this is what a recount of the history gives.
pub(crate) fn is_recount(outcome: Outcome, history: &[Happening]) -> bool {
    let expected = recount(history);
    let is_order = |happening: &Happening| matches!(happening, Happening::Retire { .. });
    if history.iter().any(is_order) {
        return outcome.unlisted() == expected.unlisted();
    }
    outcome == expected
}
