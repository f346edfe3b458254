//! Pending for too long.

use core::hash::Hash;
use core::time::Duration;

use super::Tally;
use super::record::DeviceRecord;
use crate::table::Storage;
use crate::{Counted, DateTime, Overflow, RunState, Summary};

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> Tally<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// The devices that count as pending and whose recorded event is at least `limit` old at `now`.
    ///
    /// Nothing is stored, so a late success needs no correction. Every row is looked at.
    ///
    /// ```
    /// use core::time::Duration;
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// assert!(tally.apply(&Event { device: 7, user: None, state: RunState::Pending, at: "2026-11-21T09:00Z".parse()? })?.is_applied());
    /// let hour = Duration::from_secs(3600);
    /// assert_eq!(tally.overdue("2026-11-21T09:59:59Z".parse()?, hour), 0);
    /// assert_eq!(tally.overdue("2026-11-21T10:00:00Z".parse()?, hour), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn overdue(&self, now: DateTime, limit: Duration) -> usize {
        let latest = latest(now, limit);
        self.devices.iter().filter(|(_, _, record)| self.is_overdue(record, latest)).count()
    }

    /// The summary at `now`, with devices that are [overdue](Self::overdue) counted as `state`, for
    /// devices and for users: what an operator who gives up on them reports.
    ///
    /// # Errors
    ///
    /// [`Overflow`] if a counter would pass [`Counts::MAX`](crate::Counts::MAX), which takes
    /// declared counts near that limit.
    ///
    /// ```
    /// use core::time::Duration;
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: Some(1), state: RunState::Pending, at: "2026-11-21T09:00Z".parse()? };
    /// assert!(tally.apply(&event)?.is_applied());
    /// let tomorrow = "2026-11-22T09:00Z".parse()?;
    /// let summary = tally.summary_at(tomorrow, Duration::from_secs(3600), RunState::Fail)?;
    /// assert_eq!(summary.devices[RunState::Fail], 1);
    /// assert_eq!(summary.users[RunState::Fail], 1);
    /// assert_eq!(tally.summary().devices[RunState::Pending], 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn summary_at(
        &self,
        now: DateTime,
        limit: Duration,
        state: RunState,
    ) -> Result<Summary, Overflow> {
        let latest = latest(now, limit);
        let change = (Some(RunState::Pending), Some(state));
        let mut summary = self.summary;
        for (_, _, record) in self.devices.iter() {
            if self.is_overdue(record, latest) {
                summary.devices.shift(change);
            }
        }
        for (_, _, user) in self.users.iter() {
            let mut after = *user;
            for (_, _, record) in self.chain(user.first) {
                if self.is_overdue(record, latest) {
                    after.shift(change);
                }
            }
            summary.users.shift((user.state(), after.state()));
        }
        summary.devices.check(Counted::Devices)?;
        summary.users.check(Counted::Users)?;
        Ok(summary)
    }

    fn is_overdue(&self, record: &DeviceRecord, latest: i64) -> bool {
        record.is_live()
            && record.stamp.counted(self.run_from) == RunState::Pending
            && record.stamp.ticks() <= latest
    }
}

/// The latest instant that is `limit` old at `now`, in ticks.
fn latest(now: DateTime, limit: Duration) -> i64 {
    let seconds = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
    let limit = seconds
        .saturating_mul(DateTime::TICKS_PER_SECOND)
        .saturating_add(limit.subsec_nanos().div_ceil(100).into());
    now.ticks().saturating_sub(limit)
}
