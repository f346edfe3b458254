//! The state machine: changes, what they come to, and the rows they leave.

mod absorb;
mod apply;
mod audit;
mod change;
mod commit;
mod declare;
mod entry;
mod freed;
mod overdue;
mod plan;
mod read;
mod record;
mod refusal;
#[cfg(feature = "journal")]
mod rows;
#[cfg(test)]
mod tests;

use core::fmt;
use core::hash::Hash;

pub use audit::Violation;
pub use change::{Change, Effect};
pub use entry::{Entry, Kept, Totals};
pub use read::{DeviceHandle, UserHandle, UserRow};
pub use refusal::Refusal;
#[cfg(feature = "journal")]
pub(crate) use rows::After;

pub(crate) use declare::not_before;
pub(crate) use plan::carried;
pub(crate) use read::later;
pub(crate) use record::{RunFrom, Stamp, StateChange};

use freed::Freed;
use record::{DeviceRecord, UserRecord};

#[cfg(feature = "alloc")]
use crate::Heap;
use crate::exact::List;
use crate::table::{Inline, Storage, Table};
use crate::{Counts, Summary};

/// The last state of every device and user of one roll-out, and the counts over them.
///
/// `D` and `U` name a device and a user; `DEVICES` and `USERS` are the rows there is room for, any
/// number from 1 to 65 534. `S` says where they lie: [`Inline`](crate::Inline), or with the feature
/// `alloc` `Heap`. An empty tally is all zero bytes, so a `static` one lies in `.bss`.
///
/// Events and removals may come late, twice and in any order: the tally is a function of their set,
/// not of their sequence, for as long as there is room. See [`Change`] for all that may happen.
///
/// # Tombstones
///
/// A device that was removed or retired leaves a tombstone in its freed row, so that its late
/// reports are recognised. A new device takes a row that was never used, then the row freed longest
/// ago. Tombstones cost no memory beyond the rows: once every row is in use, the oldest tombstone
/// is forgotten, and a late report of that device makes it known again.
///
/// ```
/// use runtally::{Effect, Event, RunState, Tally};
///
/// let mut tally: Tally<u16, u16, 64, 16> = Tally::new();
/// let pending = Event { device: 7, user: Some(1), state: RunState::Pending, at: "2026-11-21T09:30:00Z".parse()? };
/// let success = Event { state: RunState::Success, at: "2026-11-21T09:45:00Z".parse()?, ..pending };
///
/// assert_eq!(tally.apply(&success)?, Effect::Applied { before: None });
/// assert_eq!(tally.apply(&pending)?, Effect::Stale); // came late, changes nothing
/// assert_eq!(tally.apply(&success)?, Effect::Duplicate);
/// assert_eq!(tally.summary().devices[RunState::Success], 1);
/// assert_eq!(tally.summary().users[RunState::Success], 1);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Tally<D, U, const DEVICES: usize, const USERS: usize, S: Storage = Inline> {
    /// Reported: carried + live.
    summary: Summary,
    carried: Carried,
    run_from: RunFrom,
    freed: Freed,
    /// The rows of devices that hold no tombstone.
    live: u16,
    devices: Table<D, DeviceRecord, DEVICES, S>,
    users: Table<U, UserRecord, USERS, S>,
}

/// The share of a summary that is counted by declaration, not from rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Carried {
    devices: Counts,
    users: Counts,
}

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
            run_from: RunFrom::NEVER,
            freed: Freed::NONE,
            live: 0,
            devices: Table::new(),
            users: Table::new(),
        }
    }

    /// The rows there are for devices: `DEVICES`.
    ///
    /// ```
    /// assert_eq!(runtally::Tally::<u16, u16, 500, 33>::DEVICE_CAPACITY, 500);
    /// ```
    pub const DEVICE_CAPACITY: usize = DEVICES;

    /// The rows there are for users: `USERS`.
    ///
    /// ```
    /// assert_eq!(runtally::Tally::<u16, u16, 500, 33>::USER_CAPACITY, 33);
    /// ```
    pub const USER_CAPACITY: usize = USERS;
}

#[cfg(feature = "alloc")]
impl<D, U, const DEVICES: usize, const USERS: usize> Tally<D, U, DEVICES, USERS, Heap>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// An empty tally whose rows grow on the heap, up to `DEVICES` and `USERS`.
    ///
    /// ```
    /// use runtally::{Heap, Summary, Tally};
    /// let tally: Tally<u16, u16, 65_534, 65_534, Heap> = Tally::growing();
    /// assert_eq!(tally.summary(), &Summary::ZERO);
    /// ```
    #[must_use]
    pub const fn growing() -> Self {
        Self {
            summary: Summary::ZERO,
            carried: Carried { devices: Counts::ZERO, users: Counts::ZERO },
            run_from: RunFrom::NEVER,
            freed: Freed::NONE,
            live: 0,
            devices: Table::growing(),
            users: Table::growing(),
        }
    }
}

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> Tally<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// The counts and the last run. This costs nothing: they are kept up to date.
    ///
    /// ```
    /// use runtally::{Summary, Tally};
    /// let tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// assert_eq!(tally.summary(), &Summary::ZERO);
    /// ```
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The devices that have a row.
    ///
    /// ```
    /// use runtally::Tally;
    /// assert_eq!(Tally::<u16, u16, 8, 8>::new().device_count(), 0);
    /// ```
    #[must_use]
    pub const fn device_count(&self) -> usize {
        self.live as usize
    }

    /// The users that have a row: those with devices, and those that were declared or carry counts.
    ///
    /// ```
    /// use runtally::Tally;
    /// assert_eq!(Tally::<u16, u16, 8, 8>::new().user_count(), 0);
    /// ```
    #[must_use]
    pub const fn user_count(&self) -> usize {
        self.users.len() as usize
    }

    /// True if there is no row for another device.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 1, 1> = Tally::new();
    /// assert!(!tally.is_full());
    /// assert!(tally.apply(&Event { device: 7, user: None, state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? })?.is_applied());
    /// assert!(tally.is_full());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.live as usize >= DEVICES
    }

    /// True if there is no row for another user.
    ///
    /// ```
    /// use runtally::Tally;
    /// assert!(!Tally::<u16, u16, 8, 8>::new().is_full_of_users());
    /// ```
    #[must_use]
    pub const fn is_full_of_users(&self) -> bool {
        self.users.is_full()
    }

    /// The bytes it takes: of the value itself, and of its rows on the heap.
    ///
    /// ```
    /// use runtally::Tally;
    /// let tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// assert_eq!(tally.memory(), size_of_val(&tally));
    /// ```
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            .saturating_add(self.devices.heap_bytes())
            .saturating_add(self.users.heap_bytes())
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
    /// assert!(tally.apply(&Event { device: 7, user: None, state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? })?.is_applied());
    /// tally.clear();
    /// assert_eq!(tally.summary(), &Summary::ZERO);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn clear(&mut self) {
        self.devices.clear();
        self.users.clear();
        self.live = 0;
        self.freed = Freed::NONE;
        self.run_from = RunFrom::NEVER;
        self.summary = Summary::ZERO;
        self.carried = Carried { devices: Counts::ZERO, users: Counts::ZERO };
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

/// Two tallies are equal if they keep the same of the same devices and users, in whatever rows;
/// tombstones count, their age does not.
impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> PartialEq
    for Tally<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    fn eq(&self, other: &Self) -> bool {
        self.summary == other.summary
            && self.carried == other.carried
            && self.run_from == other.run_from
            && self.live == other.live
            && self.devices.len() == other.devices.len()
            && self.users.len() == other.users.len()
            && self.devices().all(|event| other.device(event.device) == Some(event))
            && self.tombstones().all(|entry| {
                entry.device().and_then(|device| other.tombstone(device)) == Some(entry)
            })
            && self.users().all(|user| other.user(user.user) == Some(user))
    }
}

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> Eq
    for Tally<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
}

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> fmt::Debug
    for Tally<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash + fmt::Debug,
    U: Clone + Ord + Hash + fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tally")
            .field("summary", &self.summary)
            .field("carried", &self.carried)
            .field("run_from", &self.run_from())
            .field("devices", &List(self.devices()))
            .field("tombstones", &List(self.tombstones()))
            .field("users", &List(self.users()))
            // The seed of the hash stays unsaid: whoever knows it can make keys collide.
            .finish_non_exhaustive()
    }
}
