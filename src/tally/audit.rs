//! The audit: every count once more, from the rows.

use core::fmt;
use core::hash::Hash;

use super::Tally;
use super::record::{Linked, Tombstone};
use crate::table::Storage;
use crate::{Counted, Counter, Counts, DateTime, OutOfRange, RunState};

/// The first invariant an [`audit`](Tally::audit) found broken. No call of the library leads here;
/// a bit that flipped in memory may.
///
/// ```
/// use runtally::{Counter, Counted, RunState, Violation};
/// let violation = Violation::Count {
///     counter: Counter { of: Counted::Devices, state: RunState::Fail },
///     kept: 3,
///     counted: 2,
/// };
/// assert_eq!(violation.to_string(), "failedDeviceCount is kept as 3 live, but 2 rows say so");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Violation {
    /// A row cannot be found under its key, or the rows do not add up to the number kept.
    Table {
        /// The devices' table or the users'.
        of: Counted,
    },
    /// A user's chain of devices does not hold that user's devices, all of them.
    Chain,
    /// The list of freed rows does not hold all of them, or the rows that hold a device are not as
    /// many as are kept.
    Freed,
    /// A live count of the summary is not the number of rows.
    Count {
        /// The counter.
        counter: Counter,
        /// Reported - carried.
        kept: u32,
        /// The rows that are in this state.
        counted: u32,
    },
    /// A live count of one user is not the number of that user's device rows.
    UserCount {
        /// The counter, among the user's.
        counter: Counter,
        /// What the user's row keeps.
        kept: u32,
        /// The user's device rows that are in this state.
        counted: u32,
    },
    /// A user's run state is not the most severe of that user's reported counts.
    UserState,
    /// Carried counts are above reported ones, or a sum passes [`Counts::MAX`].
    Carried {
        /// The counter.
        counter: Counter,
    },
    /// The last run is earlier than the latest row's.
    LastRun {
        /// The latest date-time of a row.
        latest: DateTime,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table { of: Counted::Devices } => {
                f.write_str("the table of devices is not sound")
            }
            Self::Table { of: Counted::Users } => f.write_str("the table of users is not sound"),
            Self::Chain => f.write_str("a user's chain does not hold all of that user's devices"),
            Self::Freed => f.write_str("the list of freed rows does not hold all of them"),
            Self::Count { counter, kept, counted } => {
                write!(f, "{counter} is kept as {kept} live, but {counted} rows say so")
            }
            Self::UserCount { counter, kept, counted } => {
                write!(f, "{counter} of a user is kept as {kept} live, but {counted} rows say so")
            }
            Self::UserState => f.write_str("a user's run state does not follow from its counts"),
            Self::Carried { counter } => {
                write!(f, "{counter} carries more than it reports, or passes {}", Counts::MAX)
            }
            Self::LastRun { latest } => {
                write!(f, "the last run is earlier than a row's, {latest}")
            }
        }
    }
}

impl core::error::Error for Violation {}

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> Tally<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// Counts everything once more from the rows and compares.
    ///
    /// Looks through every row, and through the chains of the tables. Meant for tests, for a
    /// self-test at start-up and for after a restore.
    ///
    /// # Errors
    ///
    /// The first invariant that does not hold.
    ///
    /// ```
    /// let tally: runtally::Tally<u16, u16, 8, 8> = runtally::Tally::new();
    /// assert_eq!(tally.audit(), Ok(()));
    /// ```
    pub fn audit(&self) -> Result<(), Violation> {
        for (of, sound) in
            [(Counted::Devices, self.devices.is_sound()), (Counted::Users, self.users.is_sound())]
        {
            if !sound {
                return Err(Violation::Table { of });
            }
        }
        self.audit_devices()?;
        self.audit_users()
    }

    fn audit_devices(&self) -> Result<(), Violation> {
        let mut counted = Counts::ZERO;
        let mut latest = None;
        let mut live = 0u16;
        let rows = self.devices.iter().map(|(_, _, record)| record);
        for record in rows.filter(|record| record.is_live()) {
            counted.enter(record.stamp.counted(self.run_from));
            latest = latest.max(Some(record.stamp.at()));
            live = live.saturating_add(1);
        }
        if live != self.live || !self.is_freed_sound() {
            return Err(Violation::Freed);
        }
        let (reported, carried) = (&self.summary.devices, &self.carried.devices);
        compare(Counted::Devices, reported, carried, &counted)?;
        match latest {
            Some(latest)
                if self.summary.last_run.is_none_or(|last| last.ticks() < latest.ticks()) =>
            {
                Err(Violation::LastRun { latest })
            }
            _ => Ok(()),
        }
    }

    /// True if every tombstone is in the list once, links back where it can, and links to no user
    /// who has no row.
    fn is_freed_sound(&self) -> bool {
        let mut before = None;
        let mut freed = 0usize;
        for (row, _, record) in self.freed() {
            let is_sound = match record.tombstone() {
                None => false,
                Some(Tombstone::Removed) => record.user == before,
                Some(Tombstone::Retired { .. }) => record.user.is_none_or(|user| {
                    self.users.get(user).is_some_and(|(_, user)| user.linked != Linked::No)
                }),
            };
            if !is_sound {
                return false;
            }
            before = Some(row);
            freed = freed.saturating_add(1);
        }
        let tombstones = usize::from(self.devices.len()).checked_sub(self.live.into());
        self.freed.newest == before && tombstones == Some(freed)
    }

    fn audit_users(&self) -> Result<(), Violation> {
        let mut counted = Counts::ZERO;
        let mut chained = 0usize;
        for (id, _, user) in self.users.iter() {
            let mut devices = Counts::ZERO;
            let mut end = user.first;
            for (_, _, record) in self.chain(user.first) {
                if record.user != Some(id) || !record.is_live() {
                    return Err(Violation::Chain);
                }
                devices.enter(record.stamp.counted(self.run_from));
                chained = chained.saturating_add(1);
                end = record.sibling;
            }
            // A chain that goes round, or leads to a free row, has no end.
            if end.is_some() {
                return Err(Violation::Chain);
            }
            let live = user.live();
            if let Some(state) = RunState::ALL.into_iter().find(|&at| live[at] != devices[at]) {
                return Err(Violation::UserCount {
                    counter: Counter { of: Counted::Devices, state },
                    kept: live[state],
                    counted: devices[state],
                });
            }
            user.carried().checked_add(&devices).map_err(|error| Violation::Carried {
                counter: Counter { of: Counted::Devices, state: error.state },
            })?;
            if !user.is_sound() {
                return Err(Violation::UserState);
            }
            if let Some(state) = user.state() {
                counted.enter(state);
            }
        }
        let rows = self.devices.iter().map(|(_, _, record)| record);
        if chained != rows.filter(|record| record.is_live() && record.user.is_some()).count() {
            return Err(Violation::Chain);
        }
        compare(Counted::Users, &self.summary.users, &self.carried.users, &counted)
    }
}

/// Reported = carried + live, all in range, and live = counted.
fn compare(
    of: Counted,
    reported: &Counts,
    carried: &Counts,
    counted: &Counts,
) -> Result<(), Violation> {
    let excess =
        |error: OutOfRange| Violation::Carried { counter: Counter { of, state: error.state } };
    let live = reported.checked_sub(carried).map_err(excess)?;
    carried.checked_add(counted).map_err(excess)?;
    for state in RunState::ALL {
        let (kept, counted) = (live[state], counted[state]);
        if kept != counted {
            return Err(Violation::Count { counter: Counter { of, state }, kept, counted });
        }
    }
    Ok(())
}
