//! What a row holds, packed: 14 bytes per device, so that with a 16-byte key and a link it is 32.

use core::cmp::Ordering;
use core::num::NonZeroU16;

use crate::counts::refuses;
use crate::table::RowId;
use crate::{Counted, Counts, DateTime, Effect, OutOfRange, Refusal, RunState};

/// The run state of a device or user before and after; `None` where it is not counted.
pub(crate) type StateChange = (Option<RunState>, Option<RunState>);

/// The order of one device's events, packed: instant, then finality, then offset.
///
/// ```text
///  bytes   0..8   ticks, i64; of a tombstone, bit 62 flipped says: carried as pending
///  bits    0..12  offset in minutes + 1440     ┐
///          12..15 finality, or 6 for a removal │ of a u16, never zero
///          15     1 in a row, 0 in a tombstone ┘
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// As bytes, so that a row is aligned to 2 and wastes none.
    ticks: [u8; 8],
    tag: NonZeroU16,
}

/// Brings every offset, -1439 to 1439 minutes, above zero.
const OFFSET_BIAS: i16 = 1440;
const OFFSET: u16 = (1 << 12) - 1;

/// Above the finality of every state, so that a removal outranks all reports of its instant.
const REMOVAL: u16 = 6 << 12;

/// Set in a row, clear in a tombstone.
const LIVE: NonZeroU16 = NonZeroU16::MIN.saturating_add((1 << 15) - 1);

/// No date-time has this bit differ from the sign: ticks fit in 61 bits.
const CARRIED_AS_PENDING: i64 = 1 << 62;

impl Stamp {
    #[inline]
    pub(crate) fn new(at: DateTime, state: RunState) -> Self {
        Self::from_parts(at, u16::from(state.finality()) << 12)
    }

    /// In UTC: of two removals at one instant, neither is later.
    pub(crate) fn removal(at: DateTime) -> Self {
        Self::from_parts(at.to_utc(), REMOVAL)
    }

    #[inline]
    pub(crate) const fn is_removal(self) -> bool {
        self.tag.get() & REMOVAL == REMOVAL
    }

    #[inline]
    fn from_parts(at: DateTime, rank: u16) -> Self {
        let offset = at.offset().wrapping_add(OFFSET_BIAS).cast_unsigned();
        Self { ticks: at.ticks().to_le_bytes(), tag: LIVE | rank | offset }
    }

    #[inline]
    pub(crate) const fn ticks(self) -> i64 {
        i64::from_le_bytes(self.ticks)
    }

    #[inline]
    pub(crate) fn at(self) -> DateTime {
        let offset = (self.tag.get() & OFFSET).cast_signed().wrapping_sub(OFFSET_BIAS);
        DateTime::from_parts(self.ticks(), offset)
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) const fn state(self) -> RunState {
        match RunState::from_finality(self.finality() as u8) {
            Some(state) => state,
            // Only a removal is above, and that has no state.
            None => RunState::Unknown,
        }
    }

    /// The state that counts: pending for what was reported before run-from.
    #[inline]
    pub(crate) const fn counted(self, run_from: RunFrom) -> RunState {
        if run_from.is_after(self.ticks()) { RunState::Pending } else { self.state() }
    }

    /// 0 to 5, or 6 for a removal.
    pub(crate) const fn finality(self) -> u16 {
        self.tag.get() >> 12 & 0b111
    }

    #[inline]
    pub(crate) const fn is_live(self) -> bool {
        self.tag.get() & LIVE.get() != 0
    }

    /// The same of a device that is not listed any more.
    pub(crate) fn buried(self) -> Self {
        Self { tag: buried(self.tag), ..self }
    }
}

/// Both must be of rows, or both of events.
impl Ord for Stamp {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        (self.ticks(), self.tag).cmp(&(other.ticks(), other.tag))
    }
}

impl PartialOrd for Stamp {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The instant the roll-out began anew. None is all zero bytes, and before every instant.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RunFrom(u64);

impl RunFrom {
    pub(crate) const NEVER: Self = Self(0);

    /// Moves the sign out of the way: no date-time comes out as zero.
    const fn biased(ticks: i64) -> u64 {
        ticks.cast_unsigned() ^ 1 << 63
    }

    pub(crate) const fn new(at: DateTime) -> Self {
        Self(Self::biased(at.ticks()))
    }

    #[inline]
    pub(crate) const fn is_after(self, ticks: i64) -> bool {
        Self::biased(ticks) < self.0
    }

    /// The maximum of all instants ever given.
    pub(crate) fn raise(&mut self, at: DateTime) -> Effect {
        match Self::new(at).cmp(self) {
            Ordering::Less => Effect::Stale,
            Ordering::Equal => Effect::Duplicate,
            Ordering::Greater => {
                *self = Self::new(at);
                Effect::Applied { before: None }
            }
        }
    }

    pub(crate) fn at(self) -> Option<DateTime> {
        (self != Self::NEVER)
            .then(|| DateTime::utc(Self::biased(self.0.cast_signed()).cast_signed()))
    }
}

/// What is recorded of a device, or the tombstone of one that was removed or retired.
#[derive(Clone, Copy)]
pub(super) struct DeviceRecord {
    pub(super) stamp: Stamp,
    /// The row of the device's user. Of a removed device: the row freed before this one.
    pub(super) user: Option<RowId>,
    /// The next device of the same user. Of a tombstone: the row freed after this one.
    pub(super) sibling: Option<RowId>,
}

/// A tombstone, by what became of the device.
#[derive(Clone, Copy)]
pub(super) enum Tombstone {
    Removed,
    Retired {
        /// The state that was carried for it.
        counted: RunState,
    },
}

impl DeviceRecord {
    pub(super) const fn live(stamp: Stamp) -> Self {
        Self { stamp, user: None, sibling: None }
    }

    pub(super) fn removed(at: DateTime) -> Self {
        Self { stamp: Stamp::removal(at).buried(), user: None, sibling: None }
    }

    /// The tombstone of a device whose record was `stamp` and which counted as `counted`.
    pub(super) fn retired(stamp: Stamp, counted: RunState, user: Option<RowId>) -> Self {
        let flag = if counted == stamp.state() { 0 } else { CARRIED_AS_PENDING };
        let ticks = (stamp.ticks() ^ flag).to_le_bytes();
        Self { stamp: Stamp { ticks, tag: buried(stamp.tag) }, user, sibling: None }
    }

    #[inline]
    pub(super) const fn is_live(&self) -> bool {
        self.stamp.is_live()
    }

    pub(super) fn tombstone(&self) -> Option<Tombstone> {
        if self.is_live() {
            return None;
        }
        let recorded = self.recorded();
        Some(if recorded.finality() << 12 == REMOVAL {
            Tombstone::Removed
        } else if recorded.ticks == self.stamp.ticks {
            Tombstone::Retired { counted: recorded.state() }
        } else {
            Tombstone::Retired { counted: RunState::Pending }
        })
    }

    /// The stamp as it was before it became a tombstone's: fit to be compared with an event's.
    pub(super) fn recorded(&self) -> Stamp {
        let ticks = self.stamp.ticks();
        let is_flipped = (ticks ^ ticks << 1) < 0;
        let ticks = if is_flipped { ticks ^ CARRIED_AS_PENDING } else { ticks };
        Stamp { ticks: ticks.to_le_bytes(), tag: self.stamp.tag | LIVE }
    }
}

fn buried(tag: NonZeroU16) -> NonZeroU16 {
    // The offset alone is never zero.
    NonZeroU16::new(tag.get() & !LIVE.get()).unwrap_or(NonZeroU16::MIN)
}

/// Whether a tombstone may link to the row of a user. All zero bytes are no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Linked {
    #[default]
    No,
    Yes,
    /// One does, and until all is restored the row stays, whatever keeps it.
    Restoring,
}

/// What is recorded of a user. In this order, so that what every event touches lies together.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(super) struct UserRecord {
    /// The first of the user's devices.
    pub(super) first: Option<RowId>,
    /// The user's device rows in each run state; a table has few enough for 16 bits.
    live: [u16; 6],
    /// The states whose reported counter is not zero. It follows from the counters, and is kept
    /// because the run state is asked for before and after each event.
    present: States,
    /// The states whose carried counter is not zero: while there are none, no event looks further.
    carrying: States,
    pub(super) declared: bool,
    /// Whether a tombstone may link to this row.
    pub(super) linked: Linked,
    /// The last update that was declared, or of a device retired since, whichever is later. Packed
    /// like an event's; its state means nothing.
    carried_update: Option<Stamp>,
    /// Counted by declaration, or retired.
    carried: Counts,
}

impl UserRecord {
    pub(super) fn live(&self) -> Counts {
        Counts::from_rows(self.live)
    }

    /// The number of the user's device rows.
    pub(super) fn devices(&self) -> u32 {
        self.live.iter().copied().map(u32::from).sum()
    }

    /// True if the row stays when the user's last device goes.
    pub(super) fn is_kept(&self) -> bool {
        self.declared || self.carrying != States::NONE
    }

    /// True if there is something to keep a row for.
    pub(super) fn keeps_row(&self) -> bool {
        self.devices() > 0 || self.is_kept() || self.linked == Linked::Restoring
    }

    /// True if what is reported in `state` is within the limit.
    pub(super) fn fits(&self, state: RunState) -> bool {
        self.reported(state) <= Counts::MAX
    }

    pub(super) fn carried(&self) -> Counts {
        self.carried
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn set_carried(&mut self, carried: Counts) {
        self.carried = carried;
        self.carrying = States::of(|state| carried[state] > 0);
        self.present = States::of(|state| self.reported(state) > 0);
    }

    /// One of the user's devices is retired, which counts in `state`. It moves from live to
    /// carried, so what is reported stays.
    pub(super) fn carry(&mut self, state: RunState, last_update: DateTime) {
        self.shift((Some(state), None));
        let mut carried = self.carried;
        carried.enter(state);
        self.set_carried(carried);
        self.set_carried_update(Some(last_update));
        self.linked = Linked::Yes;
    }

    /// Takes back what was carried for a retired device, unless it was declared away.
    pub(super) fn take_back(&mut self, state: RunState) {
        if self.carried[state] == 0 {
            return;
        }
        let mut carried = self.carried;
        carried.leave(state);
        self.set_carried(carried);
        if !self.is_kept() {
            self.set_carried_update(None);
        }
    }

    /// Sets the live counts, as recounted.
    pub(super) fn set_live(&mut self, live: &Counts) {
        for state in RunState::ALL {
            // A table has few enough rows for 16 bits.
            *self.live_mut(state) = live[state] as u16;
        }
        self.present = States::of(|state| self.reported(state) > 0);
    }

    pub(super) fn carried_update(&self) -> Option<DateTime> {
        self.carried_update.map(Stamp::at)
    }

    pub(super) fn set_carried_update(&mut self, at: Option<DateTime>) {
        self.carried_update = at.map(|at| Stamp::new(at, RunState::Unknown));
    }

    /// The most severe state among the reported device counters that are not zero.
    #[inline]
    pub(super) fn state(&self) -> Option<RunState> {
        self.present.most_severe()
    }

    /// True if the sets of states are what follows from the counters.
    pub(super) fn is_sound(&self) -> bool {
        self.present == States::of(|state| self.reported(state) > 0)
            && self.carrying == States::of(|state| self.carried[state] > 0)
    }

    /// What a device's change of state comes to for its user.
    ///
    /// # Errors
    ///
    /// If a counter would pass the limit.
    #[inline]
    pub(super) fn weigh(&self, change: StateChange) -> Result<UserShift, Refusal> {
        match change.1 {
            Some(state)
                if self.carrying != States::NONE
                    && refuses(self.reported(state), change.0, change.1) =>
            {
                Err(Refusal::UserOverflow(OutOfRange { state }.of(Counted::Devices)))
            }
            _ => Ok(self.shift_of(change)),
        }
    }

    /// Carries out what was weighed.
    #[inline]
    pub(super) fn apply(&mut self, (left, entered): StateChange, shift: UserShift) {
        self.present = shift.present;
        if let Some(left) = left {
            *self.live_mut(left) = self.live_in(left).wrapping_sub(1);
        }
        if let Some(entered) = entered {
            *self.live_mut(entered) = self.live_in(entered).wrapping_add(1);
        }
    }

    /// A device leaves one counter and enters another.
    pub(super) fn shift(&mut self, change: StateChange) {
        self.apply(change, self.shift_of(change));
    }

    /// Without a branch on a state, since a processor cannot foresee those.
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn shift_of(&self, (left, entered): StateChange) -> UserShift {
        let if_last = |state| 0u8.wrapping_sub(u8::from(self.live_in(state) <= 1));
        let gone = left.map_or(0, |left| States::NONE.with(left).0 & if_last(left));
        let present = States(self.present.0 & !gone | self.carrying.0);
        let present = entered.map_or(present, |entered| present.with(entered));
        UserShift { present, states: (self.state(), present.most_severe()) }
    }

    /// Carried + live: what the wire shows.
    #[inline]
    fn reported(&self, state: RunState) -> u32 {
        self.carried[state].wrapping_add(self.live_in(state).into())
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "six counters, six states")]
    fn live_in(&self, state: RunState) -> u16 {
        self.live[state as usize]
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "six counters, six states")]
    fn live_mut(&mut self, state: RunState) -> &mut u16 {
        &mut self.live[state as usize]
    }
}

/// A change of a user's counts, weighed but not carried out.
#[derive(Clone, Copy)]
pub(super) struct UserShift {
    present: States,
    /// The user's run state before and after.
    pub(super) states: StateChange,
}

/// A set of run states: bit n for the one of severity n.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct States(u8);

impl States {
    const NONE: Self = Self(0);

    fn of(is_in: impl Fn(RunState) -> bool) -> Self {
        RunState::ALL.into_iter().filter(|&state| is_in(state)).fold(Self::NONE, Self::with)
    }

    #[inline]
    const fn with(self, state: RunState) -> Self {
        Self(self.0 | 1 << state.severity())
    }

    #[inline]
    const fn most_severe(self) -> Option<RunState> {
        match self.0.checked_ilog2() {
            Some(severity) => RunState::from_severity(severity as u8),
            None => None,
        }
    }
}
