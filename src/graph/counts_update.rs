//! Some of six counters: what a document gives of them.

use super::Error;
use super::property::WIRE_ORDER;
use crate::{Counter, Counts, Of, RunState};

/// The counters that a document gives; the others are left as they are.
///
/// ```
/// use runtally::graph::RunSummaryUpdate;
/// use runtally::{Counts, RunState};
///
/// let update = RunSummaryUpdate::decode(br#"{"failedDeviceCount":3}"#)?;
/// assert_eq!(update.devices.get(RunState::Fail), Some(3));
/// assert_eq!(update.devices.get(RunState::Success), None);
/// # Ok::<(), runtally::graph::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CountsUpdate {
    /// Zero where not given.
    counts: Counts,
    /// Bit `n`: the counter of the state with Graph's number `n` is given.
    given: u8,
}

impl CountsUpdate {
    /// The counter of `state`, if given.
    ///
    /// ```
    /// use runtally::graph::CountsUpdate;
    /// use runtally::RunState;
    /// assert_eq!(CountsUpdate::default().get(RunState::Fail), None);
    /// ```
    #[must_use]
    pub fn get(&self, state: RunState) -> Option<u32> {
        (self.given & bit(state) != 0).then(|| self.counts[state])
    }

    /// `counts` with the given ones in their place.
    ///
    /// ```
    /// use runtally::graph::RunSummaryUpdate;
    /// use runtally::{Counts, RunState};
    ///
    /// let update = RunSummaryUpdate::decode(br#"{"failedDeviceCount":3}"#)?;
    /// let counts = Counts::ZERO.with(RunState::Success, 5)?;
    /// assert_eq!(update.devices.apply_to(counts), counts.with(RunState::Fail, 3)?);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn apply_to(&self, counts: Counts) -> Counts {
        RunState::ALL
            .into_iter()
            .filter_map(|state| Some((state, self.get(state)?)))
            .fold(counts, set)
    }

    /// Without a count, as it was.
    pub(super) fn set(&mut self, state: RunState, count: Option<u32>) {
        if let Some(count) = count {
            self.counts = set(self.counts, (state, count));
            self.given |= bit(state);
        }
    }

    /// All six, or the first that is missing, in the order of the wire.
    pub(super) fn complete(&self, of: Of) -> Result<Counts, Error> {
        match WIRE_ORDER.into_iter().find(|&state| self.get(state).is_none()) {
            None => Ok(self.counts),
            Some(state) => Err(Error::missing(Counter { of, state }.name())),
        }
    }
}

/// A count that was read is never above `Counts::MAX`, so it is always taken.
fn set(counts: Counts, (state, count): (RunState, u32)) -> Counts {
    counts.with(state, count).unwrap_or(counts)
}

const fn bit(state: RunState) -> u8 {
    1 << state.number()
}
