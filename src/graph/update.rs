//! What a document gives of counts and of a summary.

use super::Error;
use super::shape::WIRE_ORDER;
use crate::{Counted, Counter, Counts, DateTime, RunState, Summary};

/// The counters that a document gives; the others are left as they are.
///
/// ```
/// use runtally::graph::RunSummaryUpdate;
/// use runtally::{Counts, RunState};
///
/// let update = RunSummaryUpdate::decode(br#"{"failedDeviceCount":3}"#)?;
/// assert_eq!(update.summary.devices.get(RunState::Fail), Some(3));
/// assert_eq!(update.summary.devices.get(RunState::Success), None);
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
    pub(super) const NOTHING: Self = Self { counts: Counts::ZERO, given: 0 };

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
    /// assert_eq!(update.summary.devices.apply_to(counts), counts.with(RunState::Fail, 3)?);
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
    pub(super) fn complete(&self, of: Counted) -> Result<Counts, Error> {
        match WIRE_ORDER.into_iter().find(|&state| self.get(state).is_none()) {
            None => Ok(self.counts),
            Some(state) => Err(Error::missing(Counter { of, state }.name())),
        }
    }
}

/// What a document gives of a summary; the rest is left as it is.
///
/// ```
/// use runtally::Summary;
/// use runtally::graph::RunSummaryUpdate;
///
/// let update = RunSummaryUpdate::decode(br#"{"lastRunDateTime":null}"#)?.summary;
/// assert_eq!(update.last_run, Some(None));
/// assert_eq!(update.apply_to(Summary::ZERO), Summary::ZERO);
/// # Ok::<(), runtally::graph::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SummaryUpdate {
    /// The device counters given.
    pub devices: CountsUpdate,
    /// The user counters given.
    pub users: CountsUpdate,
    /// The last run, if given; `Some(None)` is a null: there was none.
    pub last_run: Option<Option<DateTime>>,
}

impl SummaryUpdate {
    pub(super) const NOTHING: Self =
        Self { devices: CountsUpdate::NOTHING, users: CountsUpdate::NOTHING, last_run: None };

    /// `summary` with what was given in its place.
    ///
    /// ```
    /// use runtally::Summary;
    /// use runtally::graph::SummaryUpdate;
    /// assert_eq!(SummaryUpdate::default().apply_to(Summary::ZERO), Summary::ZERO);
    /// ```
    #[must_use]
    pub fn apply_to(&self, summary: Summary) -> Summary {
        Summary {
            devices: self.devices.apply_to(summary.devices),
            users: self.users.apply_to(summary.users),
            last_run: self.last_run.unwrap_or(summary.last_run),
        }
    }

    /// All of it; the last run may be missing.
    pub(super) fn complete(&self) -> Result<Summary, Error> {
        Ok(Summary {
            devices: self.devices.complete(Counted::Devices)?,
            users: self.users.complete(Counted::Users)?,
            last_run: self.last_run.flatten(),
        })
    }
}

/// A count that was read is never above `Counts::MAX`, so it is always taken.
fn set(counts: Counts, (state, count): (RunState, u32)) -> Counts {
    counts.with(state, count).unwrap_or(counts)
}

const fn bit(state: RunState) -> u8 {
    1 << state.number()
}
