//! Past one machine: two stages of shards, by device and then by user.
//!
//! Partitioning by user alone is wrong: an event that names a new user goes to the new user's shard,
//! and the former one never hears of it and counts the device for ever. So devices are counted where
//! the device belongs, and what is recorded of a device is sent on to where its user belongs.
//!
//! ```text
//!  events ──> stage 1: DeviceShard ── records ──> stage 2: UserShard
//!             by partition(device)                by partition(user)
//!             device -> greatest record           joins what it hears, counts its own users
//!                   │                                   │
//!                   └─ devices, last run ─> merge <─ users ┘
//! ```
//!
//! ```
//! use runtally::shard::{DeviceShard, Record, UserShard, partition};
//! use runtally::{Event, RunState, Summary};
//!
//! const SHARDS: usize = 4;
//! let shard_of = |key: u32| partition(&key.to_le_bytes(), SHARDS as u32) as usize;
//! let mut first: [DeviceShard<u32, u32, 64>; SHARDS] = Default::default();
//! let mut second: [UserShard<u32, u32, 64, 64>; SHARDS] = Default::default();
//!
//! let at = "2026-11-21T09:30Z".parse()?;
//! let report = Event { device: 1u32, user: Some(10u32), state: RunState::Fail, at };
//! let moved = Event { user: Some(11), at: "2026-11-21T09:31Z".parse()?, ..report };
//! for event in [report, Event { device: 2, ..report }, moved, report] {
//!     let mut records = Vec::new();
//!     let _ = first[shard_of(event.device)].take(&Record::Report(event), |user, record| {
//!         records.push((shard_of(*user), record.cloned()));
//!     })?;
//!     // In a fleet a log is in between.
//!     for (shard, record) in records {
//!         let _ = second[shard].join(&record, |user| shard_of(*user) == shard)?;
//!     }
//! }
//!
//! let stages = first.iter().map(|it| it.summary()).chain(second.iter().map(|it| it.summary()));
//! let whole = stages.copied().try_fold(Summary::ZERO, |sum, shard| sum.merge(&shard))?;
//! assert_eq!(whole.devices[RunState::Fail], 2);
//! assert_eq!(whole.users[RunState::Fail], 2);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Why the counts are right
//!
//! A [`Record`] is a fact about one device, and records of one device are totally ordered. Both stages
//! keep the maximum of what they heard, so each is a function of a *set*: order, repetition and replay
//! change nothing, and what a dead worker sent late does no harm. The log needs at-least-once
//! delivery and no transactions.
//!
//! Say `e` is the greatest record of a device that names a user `w`. Either it is the greatest of
//! all; then it was [sent](DeviceShard::take) to `w`'s shard. Or a greater one is recorded, which does
//! not name `w`: it was sent to `w`'s shard when it replaced `e`, or when `e` came too late. In both
//! cases the row of the device in `w`'s shard names `w` exactly if the device is `w`'s.
//!
//! Two rules are the caller's:
//!
//! - A snapshot of a device shard is taken only after all that was sent for its rows is acknowledged
//!   by the log. Otherwise a replay meets a duplicate where the send was lost.
//! - A shard that is [`Full`] must stop its partition, not drop the record: then a larger shard
//!   resumes from the same position and nothing is lost.
//!
//! Sums are exact when all that was sent has been joined. Until then a device that moves may count
//! for both users or for neither, while device counters and each shard are exact at their positions.
//!
//! # Ghosts
//!
//! A record that names another shard's user, or none, turns a device's row in a [`UserShard`] into a
//! *ghost*: it keeps the record, so that what comes late stays stale, and counts for nobody. Ghosts lie
//! in a table of their own, like that of stage 1: they need the user's key, because events of one
//! instant may be ordered by nothing else, but no user row and no chain. They are never forgotten.
//!
//! # Changes that depend on the order
//!
//! [`Record::Removed`] and [`Record::Retired`] are records like any other.
//! [Retiring](DeviceShard::retire) what is recorded at the moment depends on the order. The roll-out [begins
//! anew](DeviceShard::begin_anew) in every shard of both stages, in any order. A user is
//! [declared](UserShard::declare) at a position of the log of the user's shard. Totals that are declared
//! for the whole roll-out belong to whoever merges: what is carried is what was written minus what was
//! merged at that moment.
//!
//! A second stage that lost what it heard is repaired by joining every record of the first, and by
//! asking the first, for each of its own records, whether there is a [greater](Record::order) one.
//!
//! # In batches
//!
//! What is larger than the caches is waited for at each look-up, one after another. Whoever takes many
//! records at a time looks all of them up first, so that the processor waits for many rows at once; a
//! worker of `fleet/` takes in nearly twice as many events for it.
//!
//! ```
//! use runtally::shard::{DeviceShard, Full, Record};
//!
//! fn take_all(shard: &mut DeviceShard<u32, u32, 64>, records: &[Record<u32, u32>]) -> Result<(), Full> {
//!     let known = records.iter().filter(|it| shard.record(it.device()).is_some());
//!     // The number is of no use; but what nobody asks for would not be looked up.
//!     core::hint::black_box(known.count());
//!     records.iter().try_for_each(|it| shard.take(it, |_user, _record| ()).map(drop))
//! }
//! # let event = runtally::Event { device: 1, user: Some(2), state: runtally::RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
//! # let mut shard = DeviceShard::new();
//! # take_all(&mut shard, &[Record::Report(event)])?;
//! # assert_eq!(shard.row_count(), 1);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Why not `Tally`
//!
//! A tally carries counts for retired devices, forgets tombstones to make room, and has 24 bytes of
//! carried counts in every user's row. Here a retired device keeps its row and is only marked, nothing
//! is ever forgotten, and what is declared lies apart from the rows of the many users of whom nothing
//! is. The order of events, run-from, run states and the tables are the same.

mod device;
mod partition;
mod record;
#[cfg(test)]
mod tests;
mod user;

use core::fmt;

pub use device::DeviceShard;
pub use partition::partition;
pub use record::{Record, RecordOrder};
pub use user::UserShard;

use crate::Refusal;
use crate::sentence::sentence;

/// A shard has no row for a record. It is as it was, and so it stays until it is restored on a larger
/// capacity: nothing is forgotten to make room.
///
/// ```
/// use runtally::shard::{DeviceShard, Full, Record, Rows};
///
/// let mut shard: DeviceShard<u16, u16, 1> = DeviceShard::new();
/// let at = "2026-11-21T09:30Z".parse()?;
/// assert!(shard.take(&Record::Removed { device: 1, at }, |_, _| ())?.is_applied());
/// let full = shard.take(&Record::Removed { device: 2, at }, |_, _| ()).unwrap_err();
/// assert_eq!(full, Full { of: Rows::Devices, capacity: 1 });
/// assert_eq!(full.to_string(), "no room for another device in this shard: all 1 rows are taken");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Full {
    /// Which rows are all taken.
    pub of: Rows,
    /// How many there are.
    pub capacity: u16,
}

/// The rows of a shard.
///
/// ```
/// use runtally::shard::{Full, Rows};
/// let full = Full { of: Rows::Ghosts, capacity: 8 };
/// assert_eq!(full.to_string(), "no room for another ghost in this shard: all 8 rows are taken");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Rows {
    /// Devices that count here.
    Devices,
    /// Users.
    Users,
    /// Devices that count elsewhere or nowhere, in a [`UserShard`].
    Ghosts,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match self.of {
            Rows::Devices => "device",
            Rows::Users => "user",
            Rows::Ghosts => "ghost",
        };
        let rows = u32::from(self.capacity);
        sentence!(f, "no room for another {} in this shard: all {} rows are taken", of, rows)
    }
}

impl core::error::Error for Full {}

/// A snapshot and a tally know no ghosts: they are devices.
impl From<Full> for Refusal {
    fn from(Full { of, capacity }: Full) -> Self {
        match of {
            Rows::Devices | Rows::Ghosts => Self::DevicesFull { capacity },
            Rows::Users => Self::UsersFull { capacity },
        }
    }
}
