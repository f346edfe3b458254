//! The summary: the counts of devices and users, and the last run.

use crate::sentence::sentence;
use crate::{Counted, Counter, Counts, DateTime};

/// What a roll-out has come to: twelve counters and the last run.
///
/// Source: Microsoft Graph beta, `hardwareConfigurationRunSummary`.
///
/// ```
/// use runtally::{Counts, RunState, Summary};
///
/// let mut summary = Summary::ZERO;
/// summary.devices = Counts::ZERO.with(RunState::Success, 2)?;
/// assert_eq!(summary.devices.total(), 2);
/// assert_eq!(summary.last_run, None);
/// # Ok::<(), runtally::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Summary {
    /// Devices in each run state.
    pub devices: Counts,
    /// Users in each run state; a user with no devices is in none.
    pub users: Counts,
    /// The instant of the latest event ever received, in UTC; or what was declared, as it was
    /// written, until a later event. `None` if there was no run.
    pub last_run: Option<DateTime>,
}

impl Summary {
    /// Nothing counted, no run.
    ///
    /// ```
    /// assert_eq!(runtally::Summary::ZERO, runtally::Summary::default());
    /// ```
    pub const ZERO: Self = Self { devices: Counts::ZERO, users: Counts::ZERO, last_run: None };

    /// The summary of two shards: their counts added up, the later of their last runs.
    ///
    /// That is the summary of both together if no user has devices in both: partition by user,
    /// and by device where there is no user.
    ///
    /// # Errors
    ///
    /// [`Overflow`] if a sum is above [`Counts::MAX`]; it names the first such counter.
    ///
    /// ```
    /// use runtally::{Event, RunState, Summary, Tally};
    ///
    /// let mut shards: [Tally<u16, u16, 4, 4>; 2] = [Tally::new(), Tally::new()];
    /// for device in 0..6 {
    ///     let at = "2026-11-21T09:30:00Z".parse()?;
    ///     let event = Event { device, user: None, state: RunState::Success, at };
    ///     shards[usize::from(device % 2)].apply(&event)?;
    /// }
    /// let whole = shards[0].summary().merge(shards[1].summary())?;
    /// assert_eq!(whole.devices[RunState::Success], 6);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn merge(&self, other: &Self) -> Result<Self, Overflow> {
        let add = |of, a: &Counts, b| a.checked_add(b).map_err(|error| error.of(of));
        Ok(Self {
            devices: add(Counted::Devices, &self.devices, &other.devices)?,
            users: add(Counted::Users, &self.users, &other.users)?,
            last_run: self.last_run.max(other.last_run),
        })
    }

    /// A run was reported at that time.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn ran(&mut self, at: DateTime) {
        if self.last_run.is_none_or(|last| last.ticks() < at.ticks()) {
            self.last_run = Some(at.to_utc());
        }
    }
}

/// A counter of the summary would pass [`Counts::MAX`].
///
/// ```
/// use runtally::{Counter, Counted, Overflow, RunState};
/// let overflow = Overflow(Counter { of: Counted::Users, state: RunState::Fail });
/// assert_eq!(overflow.to_string(), "failedUserCount would pass its limit, 2147483647");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Overflow(pub Counter);

impl core::fmt::Display for Overflow {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        sentence!(f, "{} would pass its limit, {}", self.0.name(), Counts::MAX)
    }
}

impl core::error::Error for Overflow {}
