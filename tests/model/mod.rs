//! The rules of the tally once more, in the plainest words: a list of what each device said last, a
//! list of the devices that are gone, and every number counted from them anew whenever it is asked
//! for.
//!
//! Written from the rules alone. Nothing here is shared with the library but its vocabulary: keys,
//! events, changes, counts, refusals. A change is made on a copy, the copy is counted, and it is
//! thrown away if a number does not fit.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use runtally::{
    Change, Counted, Counter, Counts, DateTime, Effect, Entry, Event, Overflow, Refusal, RunState,
    Summary,
};

pub(crate) type Key = u16;
pub(crate) type Recorded = Event<Key, Key>;

const LIMIT: i64 = 2_147_483_647;

/// Least severe first: rolls a user's devices up.
const SEVERITY: [RunState; 6] = [
    RunState::NotApplicable,
    RunState::Success,
    RunState::Unknown,
    RunState::Pending,
    RunState::Fail,
    RunState::ScriptError,
];

/// Least final first: orders the events of one instant.
const FINALITY: [RunState; 6] = [
    RunState::Unknown,
    RunState::Pending,
    RunState::NotApplicable,
    RunState::Success,
    RunState::Fail,
    RunState::ScriptError,
];

/// How many in each state, by Graph's number; wide enough to be wrong in.
pub(crate) type Numbers = [i64; 6];

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Model {
    pub(crate) capacity: (usize, usize),
    /// What each known device said last.
    pub(crate) devices: Vec<Recorded>,
    /// What is remembered of devices that are gone, the one gone longest first.
    pub(crate) gone: Vec<Gone>,
    /// What is written of users, beside their devices.
    pub(crate) notes: BTreeMap<Key, Note>,
    pub(crate) carried_devices: Numbers,
    pub(crate) carried_users: Numbers,
    pub(crate) last_run: Option<DateTime>,
    pub(crate) run_from: Option<DateTime>,
    /// Pending devices that are this old at this time are counted in that state.
    given_up: Option<(DateTime, Duration, RunState)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Gone {
    Removed { device: Key, at: DateTime },
    Retired { event: Recorded, counted: RunState },
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
            gone: Vec::new(),
            notes: BTreeMap::new(),
            carried_devices: [0; 6],
            carried_users: [0; 6],
            last_run: None,
            run_from: None,
            given_up: None,
        }
    }

    pub(crate) fn commit(&mut self, change: &Change<Key, Key>) -> Result<Effect, Refusal> {
        let mut after = self.clone();
        let effect = match change {
            Change::Event(event) => after.apply(event)?,
            Change::Remove { device, at } => after.remove(*device, *at)?,
            Change::Retire { device } => after.retire(*device),
            Change::Declare(summary) => after.declare(summary)?,
            Change::DeclareUser { user, devices, last_update } => {
                after.declare_user(*user, devices, *last_update)?
            }
            Change::UndeclareUser { user } => after.undeclare_user(*user)?,
            Change::RunFrom(at) => after.run_from(*at)?,
        };
        after.forget_users();
        *self = after;
        Ok(effect)
    }

    /// Everything another one saw, as if it had been seen here.
    pub(crate) fn absorb(&mut self, other: &Self) -> Result<(), Refusal> {
        let mut after = self.clone();
        for gone in &other.gone {
            if let Gone::Removed { device, at } = *gone {
                let _ = after.commit(&Change::Remove { device, at })?;
            }
        }
        let retired = other.gone.iter().filter_map(|gone| match gone {
            Gone::Retired { event, .. } => Some(event),
            Gone::Removed { .. } => None,
        });
        for event in other.devices.iter().chain(retired) {
            let _ = after.commit(&Change::Event(*event))?;
        }
        if let Some(at) = other.run_from {
            let _ = after.commit(&Change::RunFrom(at))?;
        }
        after.last_run = after.last_run.max(other.last_run);
        *self = after;
        Ok(())
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary {
            devices: counts(self.reported_devices()),
            users: counts(self.reported_users()),
            last_run: self.last_run,
        }
    }

    pub(crate) fn carried(&self, of: Counted) -> Counts {
        counts(match of {
            Counted::Devices => self.carried_devices,
            Counted::Users => self.carried_users,
        })
    }

    /// What is recorded of each device, by device.
    pub(crate) fn devices(&self) -> Vec<Recorded> {
        let mut devices = self.devices.clone();
        devices.sort_by_key(|event| event.device);
        devices
    }

    /// The tombstones, the oldest first.
    pub(crate) fn tombstones(&self) -> Vec<Entry<Key, Key>> {
        let entry = |gone: &Gone| match *gone {
            Gone::Removed { device, at } => Entry::Removed { device, at },
            Gone::Retired { event, counted } => Entry::Retired { event, counted },
        };
        self.gone.iter().map(entry).collect()
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
                    last_update: self.last_update_of(key),
                    declared: note.declared,
                };
                (key, user)
            })
            .collect()
    }

    /// The state a device counts in.
    pub(crate) fn counted(&self, event: &Recorded) -> RunState {
        let is_before = self.run_from.is_some_and(|from| event.at.ticks() < from.ticks());
        let state = if is_before { RunState::Pending } else { event.state };
        match self.given_up {
            Some((now, limit, instead)) if state == RunState::Pending => {
                if is_overdue(event, now, limit) { instead } else { state }
            }
            _ => state,
        }
    }

    pub(crate) fn overdue(&self, now: DateTime, limit: Duration) -> usize {
        let is_pending = |event: &&Recorded| self.counted(event) == RunState::Pending;
        let overdue = |event: &&Recorded| is_overdue(event, now, limit);
        self.devices.iter().filter(is_pending).filter(overdue).count()
    }

    pub(crate) fn summary_at(
        &self,
        now: DateTime,
        limit: Duration,
        state: RunState,
    ) -> Result<Summary, Overflow> {
        let with = Self { given_up: Some((now, limit, state)), ..self.clone() };
        all_fit(Counted::Devices, with.reported_devices())?;
        all_fit(Counted::Users, with.reported_users())?;
        Ok(with.summary())
    }

    fn apply(&mut self, event: &Recorded) -> Result<Effect, Refusal> {
        self.ran(event.at);
        let known = self.devices.iter().position(|row| row.device == event.device);
        let gone = self.gone.iter().position(|gone| gone.device() == event.device);

        // What is recorded says whether it is news.
        let recorded = match (known, gone.map(|at| self.gone[at])) {
            (Some(at), _) => Some(self.devices[at]),
            (_, Some(Gone::Retired { event, .. })) => Some(event),
            (_, Some(Gone::Removed { at, .. })) if event.at.ticks() <= at.ticks() => {
                return Ok(Effect::Stale);
            }
            _ => None,
        };
        if let Some(recorded) = recorded {
            let (old, new) = (rank(&recorded), rank(event));
            if new == old {
                return Ok(Effect::Duplicate);
            }
            if new < old {
                return Ok(Effect::Stale);
            }
        }

        let before = match (known, gone) {
            (Some(at), _) => {
                let before = self.counted(&self.devices[at]);
                self.devices[at] = *event;
                Some(before)
            }
            (_, Some(at)) => {
                let gone = self.gone.remove(at);
                let before = self.take_back(gone);
                self.devices.push(*event);
                before
            }
            _ => {
                self.free_a_row();
                self.devices.push(*event);
                None
            }
        };

        // In this order: the device's counter, a device's row, a user's row, the user's counter,
        // the counters of users by number.
        let state = self.counted(event);
        fits(Counted::Devices, state, self.reported_devices()).map_err(Refusal::Overflow)?;
        if self.devices.len() > self.capacity.0 {
            return Err(Refusal::DevicesFull { capacity: self.capacity.0 as u16 });
        }
        self.room_for_users()?;
        if let Some(user) = event.user {
            let reported = self.reported_of(user);
            fits(Counted::Devices, state, reported).map_err(Refusal::UserOverflow)?;
        }
        self.users_fit()?;
        Ok(Effect::Applied { before })
    }

    fn remove(&mut self, device: Key, at: DateTime) -> Result<Effect, Refusal> {
        let at = utc(at);
        let removed = Gone::Removed { device, at };
        let known = self.devices.iter().position(|row| row.device == device);
        let gone = self.gone.iter().position(|gone| gone.device() == device);
        let before = match (known, gone) {
            (Some(row), _) => {
                // Above every state of its instant.
                if at.ticks() < self.devices[row].at.ticks() {
                    return Ok(Effect::Stale);
                }
                let event = self.devices.remove(row);
                self.gone.push(removed);
                Some(self.counted(&event))
            }
            (_, Some(place)) => {
                let former = self.gone[place];
                match former {
                    Gone::Removed { at: former, .. } if at.ticks() == former.ticks() => {
                        return Ok(Effect::Duplicate);
                    }
                    Gone::Removed { at: former, .. }
                    | Gone::Retired { event: Event { at: former, .. }, .. }
                        if at.ticks() < former.ticks() =>
                    {
                        return Ok(Effect::Stale);
                    }
                    _ => {}
                }
                self.gone[place] = removed;
                self.take_back(former)
            }
            // There is no row to remember it in.
            _ if self.devices.len() == self.capacity.0 => return Ok(Effect::Unknown),
            _ => {
                self.free_a_row();
                self.gone.push(removed);
                None
            }
        };
        self.users_fit()?;
        Ok(Effect::Applied { before })
    }

    fn retire(&mut self, device: Key) -> Effect {
        let Some(at) = self.devices.iter().position(|row| row.device == device) else {
            return Effect::Unknown;
        };
        let event = self.devices[at];
        let counted = self.counted(&event);
        if let Some(user) = event.user {
            let shown = self.last_update_of(user).filter(|it| it.ticks() == event.at.ticks());
            let note = self.notes.entry(user).or_default();
            note.carried[number(counted)] += 1;
            // A read shows the same before and after.
            note.last_update = match note.last_update {
                Some(noted) if noted.ticks() >= event.at.ticks() => Some(noted),
                _ => shown.or(Some(event.at)),
            };
        }
        self.devices.remove(at);
        self.carried_devices[number(counted)] += 1;
        self.gone.push(Gone::Retired { event, counted });
        Effect::Applied { before: Some(counted) }
    }

    fn declare(&mut self, summary: &Summary) -> Result<Effect, Refusal> {
        let devices = difference(Counted::Devices, &summary.devices, self.live_devices())?;
        let users = difference(Counted::Users, &summary.users, self.live_users())?;
        let latest = self.devices.iter().map(|row| row.at).max();
        not_before(Counted::Devices, summary.last_run, latest)?;
        self.carried_devices = devices;
        self.carried_users = users;
        self.last_run = summary.last_run;
        Ok(Effect::Applied { before: None })
    }

    fn declare_user(
        &mut self,
        user: Key,
        written: &Counts,
        last_update: Option<DateTime>,
    ) -> Result<Effect, Refusal> {
        // Room comes first, whatever is declared.
        let room = {
            let mut with = self.clone();
            with.notes.entry(user).or_default().declared = true;
            with.room_for_users()
        };
        room?;
        let carried = difference(Counted::Devices, written, self.live_of(user))?;
        if last_update.is_some() {
            not_before(Counted::Users, last_update, self.latest_of(user))?;
        }
        self.notes.insert(user, Note { declared: true, carried, last_update });
        self.users_fit()?;
        Ok(Effect::Applied { before: None })
    }

    fn undeclare_user(&mut self, user: Key) -> Result<Effect, Refusal> {
        let note = self.note(user);
        if !note.declared && note.carried == [0; 6] {
            return Ok(Effect::Unknown);
        }
        self.notes.remove(&user);
        self.users_fit()?;
        Ok(Effect::Applied { before: None })
    }

    fn run_from(&mut self, at: DateTime) -> Result<Effect, Refusal> {
        match self.run_from {
            Some(from) if at.ticks() < from.ticks() => return Ok(Effect::Stale),
            Some(from) if at.ticks() == from.ticks() => return Ok(Effect::Duplicate),
            _ => self.run_from = Some(utc(at)),
        }
        all_fit(Counted::Devices, self.reported_devices()).map_err(Refusal::Overflow)?;
        for user in self.user_rows() {
            all_fit(Counted::Devices, self.reported_of(user)).map_err(Refusal::UserOverflow)?;
        }
        self.users_fit()?;
        Ok(Effect::Applied { before: None })
    }

    /// A report was received.
    fn ran(&mut self, at: DateTime) {
        if self.last_run.is_none_or(|last| last.ticks() < at.ticks()) {
            self.last_run = Some(utc(at));
        }
    }

    /// If there is no row that was never used, the one freed longest ago forgets its tombstone.
    fn free_a_row(&mut self) {
        if self.devices.len() + self.gone.len() >= self.capacity.0 && !self.gone.is_empty() {
            self.gone.remove(0);
        }
    }

    /// What is carried for a retired device no longer is, where it has not been declared away.
    /// The counter of the summary that it was taken from.
    fn take_back(&mut self, gone: Gone) -> Option<RunState> {
        let Gone::Retired { event, counted } = gone else { return None };
        if let Some(note) = event.user.and_then(|user| self.notes.get_mut(&user)) {
            let carried = &mut note.carried[number(counted)];
            *carried = 0.max(*carried - 1);
        }
        let carried = &mut self.carried_devices[number(counted)];
        if *carried == 0 {
            return None;
        }
        *carried -= 1;
        Some(counted)
    }

    /// What nothing keeps goes: the notes of a user, and the link of a tombstone to one.
    fn forget_users(&mut self) {
        self.notes.retain(|_, note| note.declared || note.carried != [0; 6]);
        let rows = self.user_rows();
        for gone in &mut self.gone {
            if let Gone::Retired { event, .. } = gone {
                event.user = event.user.filter(|user| rows.contains(user));
            }
        }
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
        all_fit(Counted::Users, self.reported_users()).map_err(Refusal::Overflow)
    }

    fn note(&self, user: Key) -> Note {
        self.notes.get(&user).copied().unwrap_or_default()
    }

    fn live_devices(&self) -> Numbers {
        tally_up(self.devices.iter().map(|row| self.counted(row)))
    }

    fn live_users(&self) -> Numbers {
        tally_up(self.user_rows().into_iter().filter_map(|user| self.state_of(user)))
    }

    fn live_of(&self, user: Key) -> Numbers {
        let rows = self.devices.iter().filter(|row| row.user == Some(user));
        tally_up(rows.map(|row| self.counted(row)))
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

    /// What was written, unless a row is later.
    fn last_update_of(&self, user: Key) -> Option<DateTime> {
        match (self.note(user).last_update, self.latest_of(user)) {
            (Some(noted), Some(latest)) if noted.ticks() < latest.ticks() => Some(latest),
            (noted, latest) => noted.or(latest),
        }
    }
}

impl Gone {
    pub(crate) fn device(&self) -> Key {
        match self {
            Self::Removed { device, .. } => *device,
            Self::Retired { event, .. } => event.device,
        }
    }
}

/// The same instant in UTC; where the calendar does not have that, as far east or west as can be.
pub(crate) fn utc(at: DateTime) -> DateTime {
    [0, 1439, -1439]
        .into_iter()
        .find_map(|offset| DateTime::from_ticks(at.ticks(), offset).ok())
        .expect("one of the three")
}

pub(crate) fn number(state: RunState) -> usize {
    usize::from(state.number())
}

/// What orders the events of one device; no user is lowest.
pub(crate) fn rank(event: &Recorded) -> (i64, usize, i16, Option<Key>) {
    let finality = FINALITY.iter().position(|&state| state == event.state).expect("one of six");
    (event.at.ticks(), finality, event.at.offset(), event.user)
}

fn is_overdue(event: &Recorded, now: DateTime, limit: Duration) -> bool {
    let nanoseconds = |at: DateTime| i128::from(at.ticks()) * 100;
    let limit = i128::try_from(limit.as_nanos()).expect("fits by far");
    nanoseconds(event.at) + limit <= nanoseconds(now)
}

fn tally_up(states: impl Iterator<Item = RunState>) -> Numbers {
    let mut numbers = [0; 6];
    states.for_each(|state| numbers[number(state)] += 1);
    numbers
}

fn sum(a: Numbers, b: Numbers) -> Numbers {
    std::array::from_fn(|state| a[state] + b[state])
}

fn fits(of: Counted, state: RunState, numbers: Numbers) -> Result<(), Overflow> {
    if numbers[number(state)] > LIMIT { Err(Overflow(Counter { of, state })) } else { Ok(()) }
}

fn all_fit(of: Counted, numbers: Numbers) -> Result<(), Overflow> {
    RunState::ALL.into_iter().try_for_each(|state| fits(of, state, numbers))
}

fn difference(of: Counted, written: &Counts, live: Numbers) -> Result<Numbers, Refusal> {
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

/// By the instant: the offset that it is written with does not matter.
fn not_before(
    of: Counted,
    written: Option<DateTime>,
    latest: Option<DateTime>,
) -> Result<(), Refusal> {
    match latest {
        Some(latest) if written.is_none_or(|written| written.ticks() < latest.ticks()) => {
            Err(Refusal::BeforeRow { of, written, latest })
        }
        _ => Ok(()),
    }
}

fn counts(numbers: Numbers) -> Counts {
    RunState::ALL.into_iter().fold(Counts::ZERO, |counts, state| {
        let count = u32::try_from(numbers[number(state)]).expect("never negative");
        counts.with(state, count).expect("never above the limit")
    })
}
