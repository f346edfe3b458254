//! What a row holds, packed: 14 bytes per device, so that with a 16-byte key and a link it is 32.

use core::cmp::Ordering;
use core::num::NonZeroU16;

use super::StateChange;
use crate::counts::refuses;
use crate::table::RowId;
use crate::{Counts, DateTime, Of, OutOfRange, Refusal, RunState};

/// Date-time and severity of the recorded event, packed so that they compare as the event does.
///
/// ```text
///  bytes   0..8   ticks, i64
///  bits    0..3   severity of the run state    ┐ of a u16, which is
///          3..15  offset in minutes + 1440     │ therefore never zero
///          15     1                            ┘
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// As bytes, so that a row is aligned to 2 and wastes none.
    ticks: [u8; 8],
    tag: NonZeroU16,
}

/// Brings every offset, -1439 to 1439 minutes, above zero.
const OFFSET_BIAS: i16 = 1440;

/// Keeps the tag above zero.
const TAGGED: NonZeroU16 = NonZeroU16::MIN.saturating_add((1 << 15) - 1);

impl Stamp {
    #[inline]
    pub(super) fn new(at: DateTime, state: RunState) -> Self {
        let offset = at.offset().wrapping_add(OFFSET_BIAS).cast_unsigned();
        let tag = TAGGED | offset << 3 | u16::from(state.severity());
        Self { ticks: at.ticks().to_le_bytes(), tag }
    }

    #[inline]
    const fn ticks(self) -> i64 {
        i64::from_le_bytes(self.ticks)
    }

    #[inline]
    pub(super) fn at(self) -> DateTime {
        let offset = (self.tag.get() >> 3 & 0xfff).cast_signed().wrapping_sub(OFFSET_BIAS);
        DateTime::from_parts(self.ticks(), offset)
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) const fn state(self) -> RunState {
        match RunState::from_severity((self.tag.get() & 0b111) as u8) {
            Some(state) => state,
            // Only severities go in, and those are below six.
            None => RunState::Unknown,
        }
    }
}

impl Ord for Stamp {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        (self.ticks(), self.tag).cmp(&(other.ticks(), other.tag))
    }
}

impl PartialOrd for Stamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What is recorded of a device.
#[derive(Clone, Copy)]
pub(super) struct DeviceRecord {
    pub(super) stamp: Stamp,
    /// The row of the device's user.
    pub(super) user: Option<RowId>,
    /// The next device of the same user.
    pub(super) sibling: Option<RowId>,
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

    pub(super) fn carried(&self) -> Counts {
        self.carried
    }

    pub(super) fn set_carried(&mut self, carried: Counts) {
        self.carried = carried;
        self.carrying = States::of(|state| carried[state] > 0);
        self.present = States::of(|state| self.reported(state) > 0);
    }

    /// One of the user's devices is retired, which is counted in `state`: it will leave the live
    /// counter next, so what is reported comes out as it was.
    pub(super) fn carry(&mut self, state: RunState, at: DateTime) {
        self.carried.enter(state);
        self.carrying = self.carrying.with(state);
        self.set_carried_update(self.carried_update().max(Some(at)));
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
                Err(Refusal::UserOverflow(OutOfRange { state }.of(Of::Devices)))
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
