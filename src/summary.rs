//! The summary: the counts of devices and users, and the last run.

#[cfg(feature = "serde")]
use crate::RunState;
use crate::{Counted, Counts, DateTime, Overflow};

/// What a roll-out has come to: twelve counters and the last run.
///
/// With the feature `serde` it has Graph's properties, in Graph's order: what is written is that
/// resource without `@odata.type` and `id`, and the whole resource can be read.
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "Named", try_from = "Named"))]
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
    /// It is exact if no device and no user is counted in both. Partitioning by device gives that for
    /// devices and the last run only; partitioning by user gives it for neither, since a device that
    /// changes hands goes on counting in the former user's shard, which never hears of it. The two
    /// stages of [`shard`](crate::shard) give both. Gateways that see overlapping reports
    /// [`absorb`](crate::Tally::absorb) each other instead.
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
    ///     assert!(shards[usize::from(device % 2)].apply(&event)?.is_applied());
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

/// A [`Summary`] as serde has it: the properties of Graph's resource but `@odata.type` and `id`.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "Summary", rename_all = "camelCase")]
struct Named {
    successful_device_count: u32,
    failed_device_count: u32,
    pending_device_count: u32,
    error_device_count: u32,
    not_applicable_device_count: u32,
    unknown_device_count: u32,
    successful_user_count: u32,
    failed_user_count: u32,
    pending_user_count: u32,
    error_user_count: u32,
    not_applicable_user_count: u32,
    unknown_user_count: u32,
    last_run_date_time: Option<DateTime>,
}

#[cfg(feature = "serde")]
impl From<Summary> for Named {
    fn from(Summary { devices, users, last_run }: Summary) -> Self {
        Self {
            successful_device_count: devices[RunState::Success],
            failed_device_count: devices[RunState::Fail],
            pending_device_count: devices[RunState::Pending],
            error_device_count: devices[RunState::ScriptError],
            not_applicable_device_count: devices[RunState::NotApplicable],
            unknown_device_count: devices[RunState::Unknown],
            successful_user_count: users[RunState::Success],
            failed_user_count: users[RunState::Fail],
            pending_user_count: users[RunState::Pending],
            error_user_count: users[RunState::ScriptError],
            not_applicable_user_count: users[RunState::NotApplicable],
            unknown_user_count: users[RunState::Unknown],
            last_run_date_time: last_run,
        }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Named> for Summary {
    type Error = Overflow;

    fn try_from(named: Named) -> Result<Self, Overflow> {
        let counts = |of, counts: [(RunState, u32); 6]| {
            let with = |all: Counts, (state, count)| all.with(state, count);
            counts.into_iter().try_fold(Counts::ZERO, with).map_err(|error| error.of(of))
        };
        let devices = [
            (RunState::Success, named.successful_device_count),
            (RunState::Fail, named.failed_device_count),
            (RunState::Pending, named.pending_device_count),
            (RunState::ScriptError, named.error_device_count),
            (RunState::NotApplicable, named.not_applicable_device_count),
            (RunState::Unknown, named.unknown_device_count),
        ];
        let users = [
            (RunState::Success, named.successful_user_count),
            (RunState::Fail, named.failed_user_count),
            (RunState::Pending, named.pending_user_count),
            (RunState::ScriptError, named.error_user_count),
            (RunState::NotApplicable, named.not_applicable_user_count),
            (RunState::Unknown, named.unknown_user_count),
        ];
        Ok(Self {
            devices: counts(Counted::Devices, devices)?,
            users: counts(Counted::Users, users)?,
            last_run: named.last_run_date_time,
        })
    }
}
