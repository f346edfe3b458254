//! The state machine: apply, remove, retire, declare, summary, audit.

mod apply;
mod audit;
mod declare;
#[cfg(feature = "journal")]
mod kept;
mod read;
mod record;
mod refusal;
#[cfg(test)]
mod tests;

use core::fmt;
use core::hash::Hash;

pub use audit::Violation;
#[cfg(feature = "journal")]
pub(crate) use kept::{Kept, Totals};
pub use read::UserRow;
pub use refusal::Refusal;

use record::{DeviceRecord, UserRecord};

use crate::table::{RowId, Table};
use crate::{Counts, Event, Of, RunState, Summary};

/// The last state of every device and user of one roll-out, and the counts over them.
///
/// `D` and `U` name a device and a user; `DEVICES` and `USERS` are the rows there is room for, any
/// number from 1 to 65 534. An empty tally is all zero bytes, so a `static` one lives in `.bss`.
///
/// Events may come late, twice and in any order: the tally is a function of the set of events, not
/// of their sequence, for as long as there is room for all devices and users.
///
/// ```
/// use runtally::{Event, Outcome, RunState, Tally};
///
/// let mut tally: Tally<u16, u16, 64, 16> = Tally::new();
/// let pending = Event { device: 7, user: Some(1), state: RunState::Pending, at: "2026-11-21T09:30:00Z".parse()? };
/// let success = Event { state: RunState::Success, at: "2026-11-21T09:45:00Z".parse()?, ..pending };
///
/// assert_eq!(tally.apply(&success)?, Outcome::Applied { before: None });
/// assert_eq!(tally.apply(&pending)?, Outcome::Stale); // came late, changes nothing
/// assert_eq!(tally.apply(&success)?, Outcome::Duplicate);
/// assert_eq!(tally.summary().devices[RunState::Success], 1);
/// assert_eq!(tally.summary().users[RunState::Success], 1);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Tally<D, U, const DEVICES: usize, const USERS: usize> {
    /// Reported: carried + live.
    summary: Summary,
    carried: Carried,
    devices: Table<D, DeviceRecord, DEVICES>,
    users: Table<U, UserRecord, USERS>,
}

/// The share of a summary that is counted by declaration, not from rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Carried {
    devices: Counts,
    users: Counts,
}

/// What an event came to.
///
/// ```
/// use runtally::{Event, Outcome, RunState, Tally};
///
/// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
/// let event = Event { device: 7, user: None, state: RunState::Pending, at: "2026-11-21T09:30Z".parse()? };
/// assert_eq!(tally.apply(&event)?, Outcome::Applied { before: None });
/// assert_eq!(tally.apply(&event)?, Outcome::Duplicate);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a stale or duplicate event changed nothing"]
pub enum Outcome {
    /// The event is now what is recorded of the device.
    Applied {
        /// The state recorded before, if the device was known.
        before: Option<RunState>,
    },
    /// The event is the one recorded; nothing changed.
    Duplicate,
    /// A greater event is recorded; nothing changed.
    Stale,
}

/// The run state of a device or user before and after; `None` where it is not counted.
type StateChange = (Option<RunState>, Option<RunState>);

impl<D, U, const DEVICES: usize, const USERS: usize> Tally<D, U, DEVICES, USERS>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// An empty tally: no rows, nothing carried, no run.
    ///
    /// ```
    /// use runtally::{Summary, Tally};
    ///
    /// // Any capacity from 1 to 65 534, and N means N.
    /// static TALLY: Tally<u16, u16, 500, 33> = Tally::new();
    /// assert_eq!(TALLY.summary(), &Summary::ZERO);
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            summary: Summary::ZERO,
            carried: Carried { devices: Counts::ZERO, users: Counts::ZERO },
            devices: Table::new(),
            users: Table::new(),
        }
    }

    /// The counts and the last run, always up to date: reported = carried + live. Costs nothing.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// tally.apply(&Event { device: 7, user: None, state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? })?;
    /// assert_eq!(tally.summary().devices[RunState::Fail], 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Un-counts a device and frees its row; `None` if it is not known. The event recorded comes
    /// back. An event of the device that arrives afterwards, however old, counts it again.
    ///
    /// The devices of the same user are looked through.
    ///
    /// # Errors
    ///
    /// [`Refusal::Overflow`] if the user's run state falls to one whose counter stands at
    /// [`Counts::MAX`]. The tally is then as it was.
    ///
    /// ```
    /// use runtally::{Event, RunState, Summary, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: Some(1), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// tally.apply(&event)?;
    /// assert_eq!(tally.remove(&7)?, Some(event));
    /// assert_eq!(tally.remove(&7)?, None);
    /// assert_eq!(tally.summary().devices.total(), 0);
    /// assert_eq!(tally.summary().users.total(), 0);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn remove(&mut self, device: &D) -> Result<Option<Event<D, U>>, Refusal> {
        let Some((row, record)) = self.recorded(device) else { return Ok(None) };
        let event = self.view(device, &record).cloned();
        self.summary.users = self.weigh_remove(&record)?;

        // From here on nothing refuses.
        self.summary.devices.leave(event.state);
        self.unlink(row, &record);
        self.devices.remove(row);
        Ok(Some(event))
    }

    /// The user counts after a device is removed.
    fn weigh_remove(&self, record: &DeviceRecord) -> Result<Counts, Refusal> {
        let mut users = self.summary.users;
        if let Some((_, user)) = record.user.and_then(|user| self.users.get(user)) {
            let shift = user.weigh((Some(record.stamp.state()), None))?;
            users.check_shift(shift.states, Of::Users)?;
            users.shift(shift.states);
        }
        Ok(users)
    }

    /// Frees a device's row without changing the summary: its count becomes carried, for the
    /// device and for its user. `None` if the device is not known; else the event recorded.
    ///
    /// The user keeps the device's last update as well. The devices of the same user are looked
    /// through. An event of the device that arrives afterwards counts it a second time, so retire
    /// a device only when it will not report again.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 1, 8> = Tally::new();
    /// let event = Event { device: 7, user: Some(1), state: RunState::Success, at: "2026-11-21T09:30Z".parse()? };
    /// tally.apply(&event)?;
    /// tally.retire(&7);
    /// assert_eq!(tally.summary().devices[RunState::Success], 1);
    ///
    /// // There is room for another device now.
    /// tally.apply(&Event { device: 8, ..event })?;
    /// assert_eq!(tally.summary().devices[RunState::Success], 2);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn retire(&mut self, device: &D) -> Option<Event<D, U>> {
        let (row, record) = self.recorded(device)?;
        let event = self.view(device, &record).cloned();
        let state = event.state;

        // Carried + 1, live - 1: what is reported, and with it every limit, stays as it is.
        self.carried.devices.enter(state);
        if let Some(user) = record.user.and_then(|user| self.users.value_mut(user)) {
            user.carry(state, event.at);
        }
        self.unlink(row, &record);
        self.devices.remove(row);
        Some(event)
    }

    /// Puts the tables' hash under another seed. Rows keep their numbers.
    ///
    /// Someone who may choose the keys may choose ones that all fall into one bucket, which turns
    /// constant time into a walk through them all. Where that matters, seed the tally at start-up
    /// with a number nobody outside knows; a seed of 0 is what [`new`](Self::new) has.
    ///
    /// ```
    /// use runtally::Tally;
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// tally.reseed(0x5EED_0F_7155); // from the random number generator
    /// ```
    pub fn reseed(&mut self, seed: u64) {
        self.devices.reseed(seed);
        self.users.reseed(seed);
    }

    /// Empties the tally: as [`new`](Self::new) makes it, but in place, and with the seed it has.
    ///
    /// ```
    /// use runtally::{Event, RunState, Summary, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// tally.apply(&Event { device: 7, user: None, state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? })?;
    /// tally.clear();
    /// assert_eq!(tally.summary(), &Summary::ZERO);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn clear(&mut self) {
        self.devices.clear();
        self.users.clear();
        self.summary = Summary::ZERO;
        self.carried = Carried { devices: Counts::ZERO, users: Counts::ZERO };
    }

    /// Takes a device out of its user's chain, and the user's row out of the table if nothing
    /// keeps it. The device's own record and the summary are the caller's to change.
    fn unlink(&mut self, device: RowId, record: &DeviceRecord) {
        let Some(from) = record.user else { return };
        let Some(user) = self.users.value_mut(from) else { return };
        user.shift((Some(record.stamp.state()), None));

        let mut link = &mut user.first;
        while *link != Some(device) {
            let Some(before) = *link else { return };
            let Some(record) = self.devices.value_mut(before) else { return };
            link = &mut record.sibling;
        }
        *link = record.sibling;

        if user.first.is_none() && !user.is_kept() {
            self.users.remove(from);
        }
    }
}

impl<D, U, const DEVICES: usize, const USERS: usize> Default for Tally<D, U, DEVICES, USERS>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    fn default() -> Self {
        Self::new()
    }
}

/// Two tallies are equal if they keep the same of the same devices and users, in whatever rows.
impl<D, U, const DEVICES: usize, const USERS: usize> PartialEq for Tally<D, U, DEVICES, USERS>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    fn eq(&self, other: &Self) -> bool {
        self.summary == other.summary
            && self.carried == other.carried
            && self.devices.len() == other.devices.len()
            && self.users.len() == other.users.len()
            && self.devices().all(|event| other.device(event.device) == Some(event))
            && self.users().all(|user| other.user(user.user) == Some(user))
    }
}

impl<D, U, const DEVICES: usize, const USERS: usize> fmt::Debug for Tally<D, U, DEVICES, USERS>
where
    D: Clone + Eq + Hash + fmt::Debug,
    U: Clone + Ord + Hash + fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct List<I>(I);
        impl<I: Iterator<Item: fmt::Debug> + Clone> fmt::Debug for List<I> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(self.0.clone()).finish()
            }
        }
        f.debug_struct("Tally")
            .field("summary", &self.summary)
            .field("carried", &self.carried)
            .field("devices", &List(self.devices()))
            .field("users", &List(self.users()))
            .finish()
    }
}
