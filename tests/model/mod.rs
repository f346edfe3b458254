//! The rules of the tally once more, in the plainest words: a list of what each device said last,
//! and every number counted from it anew whenever it is asked for.
//!
//! Written from the rules alone. Nothing here is shared with the library but its vocabulary: keys,
//! events, counts, refusals. A change is made on a copy, the copy is counted, and it is thrown away
//! if a number does not fit.

use std::collections::{BTreeMap, BTreeSet};

use runtally::strategies::{Effect, Operation};
use runtally::{
    Counter, Counts, DateTime, Event, Of, Outcome, Overflow, Refusal, RunState, Summary,
};

pub(crate) type Key = u16;
pub(crate) type Recorded = Event<Key, Key>;

const LIMIT: i64 = 2_147_483_647;

/// Least severe first.
const SEVERITY: [RunState; 6] = [
    RunState::NotApplicable,
    RunState::Success,
    RunState::Unknown,
    RunState::Pending,
    RunState::Fail,
    RunState::ScriptError,
];

/// How many in each state, by Graph's number; wide enough to be wrong in.
pub(crate) type Numbers = [i64; 6];

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Model {
    pub(crate) capacity: (usize, usize),
    pub(crate) devices: Vec<Recorded>,
    /// Users that were declared or had a device retired.
    pub(crate) notes: BTreeMap<Key, Note>,
    pub(crate) carried_devices: Numbers,
    pub(crate) carried_users: Numbers,
    pub(crate) last_run: Option<DateTime>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Note {
    pub(crate) declared: bool,
    pub(crate) carried: Numbers,
    pub(crate) last_update: Option<DateTime>,
}

/// What is known of a user.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct User {
    pub(crate) live: Counts,
    pub(crate) carried: Counts,
    pub(crate) reported: Counts,
    pub(crate) state: Option<RunState>,
    pub(crate) last_update: Option<DateTime>,
    pub(crate) declared: bool,
}

impl Model {
    pub(crate) fn new(devices: usize, users: usize) -> Self {
        Self {
            capacity: (devices, users),
            devices: Vec::new(),
            notes: BTreeMap::new(),
            carried_devices: [0; 6],
            carried_users: [0; 6],
            last_run: None,
        }
    }

    pub(crate) fn run(
        &mut self,
        operation: &Operation<Key, Key>,
    ) -> Result<Effect<Key, Key>, Refusal> {
        let mut after = self.clone();
        let effect = match operation {
            Operation::Apply(event) => Effect::Applied(after.apply(event)?),
            Operation::Remove(device) => Effect::Removed(after.remove(*device)?),
            Operation::Retire(device) => Effect::Retired(after.retire(*device)),
            Operation::Declare(summary) => {
                after.declare(summary)?;
                Effect::Declared
            }
            Operation::DeclareUser { user, devices, last_update } => {
                after.declare_user(*user, devices, *last_update)?;
                Effect::Declared
            }
            Operation::UndeclareUser(user) => Effect::Undeclared(after.undeclare_user(*user)?),
        };
        // A user that nothing keeps has no row.
        let with_devices: BTreeSet<Key> = after.devices.iter().filter_map(|row| row.user).collect();
        after.notes.retain(|user, note| {
            note.declared || note.carried != [0; 6] || with_devices.contains(user)
        });
        *self = after;
        Ok(effect)
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary {
            devices: counts(self.reported_devices()),
            users: counts(self.reported_users()),
            last_run: self.last_run,
        }
    }

    pub(crate) fn carried(&self, of: Of) -> Counts {
        counts(match of {
            Of::Devices => self.carried_devices,
            Of::Users => self.carried_users,
        })
    }

    /// What is recorded of each device, by device.
    pub(crate) fn devices(&self) -> Vec<Recorded> {
        let mut devices = self.devices.clone();
        devices.sort_by_key(|event| event.device);
        devices
    }

    pub(crate) fn users(&self) -> BTreeMap<Key, User> {
        self.user_rows()
            .into_iter()
            .map(|key| {
                let note = self.note(key);
                let user = User {
                    live: counts(self.live_of(key)),
                    carried: counts(note.carried),
                    reported: counts(self.reported_of(key)),
                    state: self.state_of(key),
                    last_update: note.last_update.max(self.latest_of(key)),
                    declared: note.declared,
                };
                (key, user)
            })
            .collect()
    }

    fn apply(&mut self, event: &Recorded) -> Result<Outcome, Refusal> {
        let known = self.devices.iter().position(|row| row.device == event.device);
        let before = known.map(|at| self.devices[at]);
        if let Some(before) = &before {
            let (old, new) = (rank(before), rank(event));
            if new == old {
                return Ok(Outcome::Duplicate);
            }
            if new < old {
                return Ok(Outcome::Stale);
            }
        }
        match known {
            Some(at) => self.devices[at] = *event,
            None => self.devices.push(*event),
        }
        self.last_run = self.last_run.max(Some(event.at));

        // In this order: the device's counter, a device's row, a user's row, the user's counter,
        // the counters of users by number.
        fits(Of::Devices, event.state, self.reported_devices()).map_err(Refusal::Overflow)?;
        if self.devices.len() > self.capacity.0 {
            return Err(Refusal::DevicesFull { capacity: self.capacity.0 as u16 });
        }
        self.room_for_users()?;
        if let Some(user) = event.user {
            let reported = self.reported_of(user);
            fits(Of::Devices, event.state, reported).map_err(Refusal::UserOverflow)?;
        }
        self.users_fit()?;
        Ok(Outcome::Applied { before: before.map(|before| before.state) })
    }

    fn remove(&mut self, device: Key) -> Result<Option<Recorded>, Refusal> {
        let removed = self.take(device);
        self.users_fit()?;
        Ok(removed)
    }

    fn retire(&mut self, device: Key) -> Option<Recorded> {
        let event = self.take(device)?;
        self.carried_devices[number(event.state)] += 1;
        if let Some(user) = event.user {
            let note = self.notes.entry(user).or_default();
            note.carried[number(event.state)] += 1;
            note.last_update = note.last_update.max(Some(event.at));
        }
        Some(event)
    }

    fn declare(&mut self, summary: &Summary) -> Result<(), Refusal> {
        let devices = difference(Of::Devices, &summary.devices, self.live_devices())?;
        let users = difference(Of::Users, &summary.users, self.live_users())?;
        let latest = self.devices.iter().map(|row| row.at).max();
        not_before(Of::Devices, summary.last_run, latest)?;
        self.carried_devices = devices;
        self.carried_users = users;
        self.last_run = summary.last_run;
        Ok(())
    }

    fn declare_user(
        &mut self,
        user: Key,
        written: &Counts,
        last_update: Option<DateTime>,
    ) -> Result<(), Refusal> {
        // Room comes first, whatever is declared.
        let room = {
            let mut with = self.clone();
            with.notes.entry(user).or_default().declared = true;
            with.room_for_users()
        };
        room?;
        let carried = difference(Of::Devices, written, self.live_of(user))?;
        if last_update.is_some() {
            not_before(Of::Users, last_update, self.latest_of(user))?;
        }
        self.notes.insert(user, Note { declared: true, carried, last_update });
        self.users_fit()
    }

    fn undeclare_user(&mut self, user: Key) -> Result<bool, Refusal> {
        let note = self.note(user);
        if !note.declared && note.carried == [0; 6] {
            return Ok(false);
        }
        self.notes.remove(&user);
        self.users_fit()?;
        Ok(true)
    }

    fn take(&mut self, device: Key) -> Option<Recorded> {
        let at = self.devices.iter().position(|row| row.device == device)?;
        Some(self.devices.remove(at))
    }

    /// Whoever has a device, was declared or carries something.
    fn user_rows(&self) -> BTreeSet<Key> {
        let noted = self
            .notes
            .iter()
            .filter(|(_, note)| note.declared || note.carried != [0; 6])
            .map(|(user, _)| *user);
        self.devices.iter().filter_map(|row| row.user).chain(noted).collect()
    }

    fn room_for_users(&self) -> Result<(), Refusal> {
        if self.user_rows().len() > self.capacity.1 {
            return Err(Refusal::UsersFull { capacity: self.capacity.1 as u16 });
        }
        Ok(())
    }

    /// Whether every counter of users is within the limit.
    fn users_fit(&self) -> Result<(), Refusal> {
        let reported = self.reported_users();
        RunState::ALL
            .into_iter()
            .try_for_each(|state| fits(Of::Users, state, reported).map_err(Refusal::Overflow))
    }

    fn note(&self, user: Key) -> Note {
        self.notes.get(&user).copied().unwrap_or_default()
    }

    fn live_devices(&self) -> Numbers {
        tally_up(self.devices.iter().map(|row| row.state))
    }

    fn live_users(&self) -> Numbers {
        tally_up(self.user_rows().into_iter().filter_map(|user| self.state_of(user)))
    }

    fn live_of(&self, user: Key) -> Numbers {
        let rows = self.devices.iter().filter(|row| row.user == Some(user));
        tally_up(rows.map(|row| row.state))
    }

    fn reported_devices(&self) -> Numbers {
        sum(self.carried_devices, self.live_devices())
    }

    fn reported_users(&self) -> Numbers {
        sum(self.carried_users, self.live_users())
    }

    fn reported_of(&self, user: Key) -> Numbers {
        sum(self.note(user).carried, self.live_of(user))
    }

    fn state_of(&self, user: Key) -> Option<RunState> {
        let reported = self.reported_of(user);
        SEVERITY.into_iter().rfind(|&state| reported[number(state)] != 0)
    }

    fn latest_of(&self, user: Key) -> Option<DateTime> {
        self.devices.iter().filter(|row| row.user == Some(user)).map(|row| row.at).max()
    }
}

fn number(state: RunState) -> usize {
    usize::from(state.number())
}

/// What orders the events of one device; no user is lowest.
fn rank(event: &Recorded) -> (i64, i16, usize, Option<Key>) {
    let severity = SEVERITY.iter().position(|&state| state == event.state).expect("one of six");
    (event.at.ticks(), event.at.offset(), severity, event.user)
}

fn tally_up(states: impl Iterator<Item = RunState>) -> Numbers {
    let mut numbers = [0; 6];
    states.for_each(|state| numbers[number(state)] += 1);
    numbers
}

fn sum(a: Numbers, b: Numbers) -> Numbers {
    std::array::from_fn(|state| a[state] + b[state])
}

fn fits(of: Of, state: RunState, numbers: Numbers) -> Result<(), Overflow> {
    if numbers[number(state)] > LIMIT { Err(Overflow(Counter { of, state })) } else { Ok(()) }
}

fn difference(of: Of, written: &Counts, live: Numbers) -> Result<Numbers, Refusal> {
    let mut carried = [0; 6];
    for state in RunState::ALL {
        let at = number(state);
        carried[at] = i64::from(written[state]) - live[at];
        if carried[at] < 0 {
            let counter = Counter { of, state };
            let live = u32::try_from(live[at]).expect("never negative");
            return Err(Refusal::BelowLive { counter, written: written[state], live });
        }
    }
    Ok(carried)
}

fn not_before(of: Of, written: Option<DateTime>, latest: Option<DateTime>) -> Result<(), Refusal> {
    match latest {
        Some(latest) if written < Some(latest) => Err(Refusal::BeforeRow { of, written, latest }),
        _ => Ok(()),
    }
}

fn counts(numbers: Numbers) -> Counts {
    RunState::ALL.into_iter().fold(Counts::ZERO, |counts, state| {
        let count = u32::try_from(numbers[number(state)]).expect("never negative");
        counts.with(state, count).expect("never above the limit")
    })
}
