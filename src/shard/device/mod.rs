//! Stage 1: device to greatest record.

mod audit;
mod keep;
mod read;

use core::fmt;
use core::hash::Hash;

use super::record::{Kept, Record};
use super::{Full, Rows};
use crate::exact::List;
#[cfg(feature = "alloc")]
use crate::table::Heap;
use crate::table::{Inline, Storage, Table};
use crate::tally::RunFrom;
use crate::{DateTime, Effect, Summary};

/// A shard of the first stage: the greatest record of every device that belongs here, with its user
/// in the row. It gives the device counters and the last run, and says what is to be sent to the
/// second stage.
///
/// `DEVICES` is the number of rows, from 1 to 65 534. A row stays: that of a removed or retired
/// device too, and none is forgotten to make room.
///
/// ```
/// use runtally::shard::{DeviceShard, Record};
/// use runtally::{Event, RunState};
///
/// let mut shard: DeviceShard<u16, &str, 64> = DeviceShard::new();
/// let event = Event { device: 7, user: Some("ada"), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
/// assert!(shard.take(&Record::Report(event), |_, _| ())?.is_applied());
///
/// // The device changes hands: its former user's shard hears of it too.
/// let moved = Record::Report(Event { user: Some("bob"), at: "2026-11-21T09:31Z".parse()?, ..event });
/// let mut sent = Vec::new();
/// assert!(shard.take(&moved, |user, record| sent.push((*user, record.cloned())))?.is_applied());
/// assert_eq!(sent, [("bob", moved), ("ada", moved)]);
/// assert_eq!(shard.summary().devices[RunState::Fail], 1);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DeviceShard<D, U, const DEVICES: usize, S: Storage = Inline> {
    pub(super) summary: Summary,
    pub(super) run_from: RunFrom,
    pub(super) retired: u16,
    pub(super) removed: u16,
    pub(super) rows: Table<D, Kept<U>, DEVICES, S>,
}

impl<D, U, const DEVICES: usize> DeviceShard<D, U, DEVICES>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord,
{
    /// An empty shard.
    ///
    /// ```
    /// use runtally::shard::DeviceShard;
    /// static SHARD: DeviceShard<u16, u16, 500> = DeviceShard::new();
    /// assert_eq!(SHARD.row_count(), 0);
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            summary: Summary::ZERO,
            run_from: RunFrom::NEVER,
            retired: 0,
            removed: 0,
            rows: Table::new(),
        }
    }
}

#[cfg(feature = "alloc")]
impl<D, U, const DEVICES: usize> DeviceShard<D, U, DEVICES, Heap>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord,
{
    /// An empty shard whose rows grow on the heap, up to `DEVICES`.
    ///
    /// ```
    /// use runtally::Heap;
    /// use runtally::shard::DeviceShard;
    /// let shard: DeviceShard<u16, u16, 65_534, Heap> = DeviceShard::growing();
    /// assert_eq!(shard.row_count(), 0);
    /// ```
    #[must_use]
    pub const fn growing() -> Self {
        Self {
            summary: Summary::ZERO,
            run_from: RunFrom::NEVER,
            retired: 0,
            removed: 0,
            rows: Table::growing(),
        }
    }
}

pub(super) use audit::compare;

impl<D, U, const DEVICES: usize, S: Storage> DeviceShard<D, U, DEVICES, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord,
{
    /// The device counters and the last run of this shard; its user counters are zero.
    ///
    /// [Merged](Summary::merge) over all shards of both stages it gives the whole summary.
    ///
    /// ```
    /// use runtally::Summary;
    /// use runtally::shard::DeviceShard;
    /// assert_eq!(DeviceShard::<u16, u16, 8>::new().summary(), &Summary::ZERO);
    /// ```
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Takes a record in and calls `send` for each user whose shard of the second stage has to hear
    /// of the device, with what is recorded of it from now on. It is called twice at most.
    ///
    /// | the record is | sent is | to the shard of |
    /// |---|---|---|
    /// | [`Applied`](Effect::Applied) | the record | its user and, if that is another, the user of what it replaced |
    /// | [`Stale`](Effect::Stale), and names another user than what is recorded | what is recorded | the user it names |
    /// | otherwise | nothing | |
    ///
    /// What was sent must be acknowledged before a snapshot that holds the row counts as taken. What
    /// is sent twice, late or in another order does no harm.
    ///
    /// # Errors
    ///
    /// [`Full`] if the device has no row and every row is taken. The shard is then as it was, and
    /// nothing was sent.
    ///
    /// ```
    /// use runtally::shard::{DeviceShard, Record};
    /// use runtally::{Effect, Event, RunState};
    ///
    /// let mut shard: DeviceShard<u16, &str, 64> = DeviceShard::new();
    /// let event = Event { device: 7, user: Some("ada"), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// assert!(shard.take(&Record::Report(event), |_, _| ())?.is_applied());
    ///
    /// // Bob's shard learns that the device is Ada's by now.
    /// let early = Record::Report(Event { user: Some("bob"), at: "2026-11-21T09:29Z".parse()?, ..event });
    /// let mut sent = Vec::new();
    /// let effect = shard.take(&early, |user, record| sent.push((*user, record.cloned())))?;
    /// assert_eq!((effect, sent), (Effect::Stale, vec![("bob", Record::Report(event))]));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn take(
        &mut self,
        record: &Record<D, U>,
        mut send: impl FnMut(&U, Record<&D, &U>),
    ) -> Result<Effect, Full> {
        let Some(row) = self.rows.find(record.device()) else {
            let kept = Kept::of(record);
            let counted = kept.counted(self.run_from);
            let (stamp, full) = (kept.stamp, self.full());
            self.rows.insert(record.device(), kept).ok_or(full)?;
            self.count_row(stamp.is_live(), stamp.is_removal(), u16::wrapping_add);
            self.summary.devices.shift((None, counted));
            self.ran(record);
            if let Some(user) = record.user() {
                send(user, record.as_ref());
            }
            return Ok(Effect::Applied { before: None });
        };
        self.ran(record);
        let Some((device, kept)) = self.rows.get_mut(row) else { return Ok(Effect::Unknown) };
        let order = record.order().cmp(&kept.order());
        if order.is_le() {
            if order.is_eq() {
                return Ok(Effect::Duplicate);
            }
            if let Some(user) = record.user()
                && Some(user) != kept.user.as_ref()
            {
                send(user, kept.view(device));
            }
            return Ok(Effect::Stale);
        }

        let before = core::mem::replace(kept, Kept::of(record));
        let change = (before.counted(self.run_from), kept.counted(self.run_from));
        let after = kept.stamp;
        self.count_row(before.stamp.is_live(), before.stamp.is_removal(), u16::wrapping_sub);
        self.count_row(after.is_live(), after.is_removal(), u16::wrapping_add);
        self.summary.devices.shift(change);
        let user = record.user();
        let former = before.user.as_ref().filter(|former| Some(*former) != user);
        for user in user.into_iter().chain(former) {
            send(user, record.as_ref());
        }
        Ok(Effect::Applied { before: change.0 })
    }

    /// Retires a device: [takes in](Self::take) its greatest event as [`Record::Retired`]. What it
    /// counts in stays, it is not listed any more, and a later report undoes it.
    ///
    /// Unlike records this depends on the order, because it is of what is recorded now. Use it where
    /// the order is the same in every replay. Elsewhere write [`Record::Retired`] of the device's event
    /// to the log: otherwise a stage 2 that heard of another order may go on listing a device as
    /// retired that stage 1 does not, or the other way round. Counts are the same in any case.
    ///
    /// ```
    /// use runtally::shard::{DeviceShard, Record};
    /// use runtally::{Event, RunState};
    ///
    /// let mut shard: DeviceShard<u16, u16, 64> = DeviceShard::new();
    /// let event = Event { device: 7, user: None, state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// assert!(shard.take(&Record::Report(event), |_, _| ())?.is_applied());
    /// assert!(shard.retire(&7, |_, _| ()).is_applied());
    /// assert_eq!((shard.device_count(), shard.retired_count()), (0, 1));
    /// assert_eq!(shard.summary().devices[RunState::Fail], 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn retire(&mut self, device: &D, send: impl FnMut(&U, Record<&D, &U>)) -> Effect {
        match self.device(device) {
            Some(event) => {
                let retired = Record::Retired(event.cloned());
                // It has a row, so none is wanting.
                self.take(&retired, send).unwrap_or(Effect::Unknown)
            }
            None => Effect::Unknown,
        }
    }

    /// The roll-out begins anew: every device recorded before `at` counts as pending until it
    /// reports again. The latest instant ever given holds, in every shard of both stages.
    ///
    /// Recounts every row.
    ///
    /// ```
    /// use runtally::Effect;
    /// use runtally::shard::DeviceShard;
    ///
    /// let mut shard: DeviceShard<u16, u16, 8> = DeviceShard::new();
    /// let at = "2026-11-22T00:00Z".parse()?;
    /// assert!(shard.begin_anew(at).is_applied());
    /// assert_eq!(shard.begin_anew(at), Effect::Duplicate);
    /// assert_eq!(shard.run_from(), Some(at));
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    pub fn begin_anew(&mut self, at: DateTime) -> Effect {
        let effect = self.run_from.raise(at);
        if effect.is_applied() {
            self.summary.devices = self.recount();
        }
        effect
    }

    /// Puts the table's hash under another seed, as [`Tally::reseed`](crate::Tally::reseed) does.
    ///
    /// ```
    /// use runtally::shard::DeviceShard;
    /// let mut shard: DeviceShard<u16, u16, 8> = DeviceShard::new();
    /// shard.reseed(0x5EED_0F_7155);
    /// ```
    pub fn reseed(&mut self, seed: u64) {
        self.rows.reseed(seed);
    }

    /// A removal is no run.
    fn ran(&mut self, record: &Record<D, U>) {
        if let Some(event) = record.event() {
            self.summary.ran(event.at);
        }
    }

    fn count_row(&mut self, is_live: bool, is_removal: bool, count: impl Fn(u16, u16) -> u16) {
        if is_removal {
            self.removed = count(self.removed, 1);
        } else if !is_live {
            self.retired = count(self.retired, 1);
        }
    }

    fn full(&self) -> Full {
        Full { of: Rows::Devices, capacity: self.rows.len() }
    }
}

impl<D, U, const DEVICES: usize> Default for DeviceShard<D, U, DEVICES>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord,
{
    fn default() -> Self {
        Self::new()
    }
}

/// Two shards are equal if they hold the same records, last run and run-from, in whatever rows.
impl<D, U, const DEVICES: usize, S: Storage> PartialEq for DeviceShard<D, U, DEVICES, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord,
{
    fn eq(&self, other: &Self) -> bool {
        self.summary == other.summary
            && self.run_from == other.run_from
            && self.row_count() == other.row_count()
            && self.records().all(|record| other.record(record.device()) == Some(record))
    }
}

impl<D, U, const DEVICES: usize, S: Storage> Eq for DeviceShard<D, U, DEVICES, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord,
{
}

impl<D, U, const DEVICES: usize, S: Storage> fmt::Debug for DeviceShard<D, U, DEVICES, S>
where
    D: Clone + Eq + Hash + fmt::Debug,
    U: Clone + Ord + fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceShard")
            .field("summary", &self.summary)
            .field("run_from", &self.run_from())
            .field("records", &List(self.records()))
            // The seed of the hash stays unsaid: whoever knows it can make keys collide.
            .finish_non_exhaustive()
    }
}
