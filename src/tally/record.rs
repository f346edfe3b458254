//! What a row holds, packed: 14 bytes per device, so that with a 16-byte key and a link it is 32.

use core::cmp::Ordering;
use core::num::NonZeroU16;

use crate::table::RowId;
use crate::{Counts, DateTime, Of, OutOfRange, Refusal, RunState};

/// Date-time and severity of the recorded event, packed so that they compare as the event does.
///
/// ```text
///  bytes   0..8   ticks, i64
///  bits    0..3   severity of the run state    ┐ of a u16, which is
///          3..15  offset in minutes + 1440     ┘ therefore never zero
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// As bytes, so that a row is aligned to 2 and wastes none.
    ticks: [u8; 8],
    tag: NonZeroU16,
}

/// Keeps every offset, -1439 to 1439 minutes, above zero.
const OFFSET_BIAS: i16 = 1440;

impl Stamp {
    #[inline]
    pub(super) const fn new(at: DateTime, state: RunState) -> Self {
        let offset = at.offset().wrapping_add(OFFSET_BIAS).cast_unsigned();
        let tag = offset << 3 | state.severity() as u16;
        let tag = match NonZeroU16::new(tag) {
            Some(tag) => tag,
            // An offset is above -1440, so this is out of reach.
            None => NonZeroU16::MIN,
        };
        Self { ticks: at.ticks().to_le_bytes(), tag }
    }

    #[inline]
    pub(super) fn at(self) -> DateTime {
        let offset = (self.tag.get() >> 3).cast_signed().wrapping_sub(OFFSET_BIAS);
        DateTime::from_parts(i64::from_le_bytes(self.ticks), offset)
    }

    #[inline]
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
        let key = |stamp: &Self| (i64::from_le_bytes(stamp.ticks), stamp.tag);
        key(self).cmp(&key(other))
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

/// What is recorded of a user.
#[derive(Clone, Copy, Default)]
pub(super) struct UserRecord {
    /// The user's device rows in each run state; a table has few enough for 16 bits.
    live: [u16; 6],
    /// Counted by declaration, or retired.
    pub(super) carried: Counts,
    /// The last update that was declared, or of a device retired since, whichever is later.
    pub(super) carried_update: Option<DateTime>,
    pub(super) declared: bool,
    /// The first of the user's devices.
    pub(super) first: Option<RowId>,
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
        self.declared || self.carried != Counts::ZERO
    }

    /// The most severe state among the reported device counters that are not zero.
    #[inline]
    pub(super) fn state(&self) -> Option<RunState> {
        self.state_after(None, None)
    }

    /// What the state will be once a device has left one counter and entered another.
    #[inline]
    pub(super) fn state_after(
        &self,
        left: Option<RunState>,
        entered: Option<RunState>,
    ) -> Option<RunState> {
        RunState::MOST_SEVERE_FIRST.into_iter().find(|&state| {
            entered == Some(state) || self.reported(state) > u32::from(left == Some(state))
        })
    }

    /// Carried + live: what the wire shows.
    #[inline]
    fn reported(&self, state: RunState) -> u32 {
        self.carried[state].saturating_add(self.live_in(state).into())
    }

    /// # Errors
    ///
    /// If the user's counter of `state` cannot take one more device.
    #[inline]
    pub(super) fn check_room(&self, state: RunState) -> Result<(), Refusal> {
        if self.reported(state) >= Counts::MAX {
            return Err(Refusal::UserOverflow(OutOfRange { state }.of(Of::Devices)));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn enter(&mut self, state: RunState) {
        *self.live_mut(state) = self.live_in(state).saturating_add(1);
    }

    #[inline]
    pub(super) fn leave(&mut self, state: RunState) {
        *self.live_mut(state) = self.live_in(state).saturating_sub(1);
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
