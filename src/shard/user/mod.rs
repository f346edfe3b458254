//! Stage 2: what the shard heard of devices, and the counts of its own users.

mod audit;
mod declare;
mod keep;
mod read;

use core::fmt;
use core::hash::Hash;

use super::record::{Kept, Record, RecordOrder, order_of};
use super::{Full, Rows};
use crate::exact::List;
#[cfg(feature = "alloc")]
use crate::table::Heap;
use crate::table::{Inline, RowId, Storage, Table};
use crate::tally::{RunFrom, Stamp, StateChange};
use crate::{Counts, DateTime, Effect, RunState, Summary};

/// A shard of the second stage: joins the records it hears and counts its own users.
///
/// There are `DEVICES` rows for devices of own users, as many for [ghosts](super#ghosts), and `USERS`
/// rows for users: each a number from 1 to 65 534. A user's row appears with the first device and goes
/// with the last one, unless the user is declared.
///
/// ```
/// use runtally::shard::{Record, UserShard};
/// use runtally::{Event, RunState};
///
/// let is_own = |user: &&str| *user == "ada";
/// let mut shard: UserShard<u16, &str, 64, 16> = UserShard::new();
/// let event = Event { device: 7, user: Some("ada"), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
/// assert!(shard.join(&Record::Report(event), is_own)?.is_applied());
/// assert_eq!(shard.summary().users[RunState::Fail], 1);
///
/// // The device is another's now, whom another shard counts.
/// let moved = Event { user: Some("bob"), at: "2026-11-21T09:31Z".parse()?, ..event };
/// assert!(shard.join(&Record::Report(moved), is_own)?.is_applied());
/// assert_eq!(shard.summary().users[RunState::Fail], 0);
/// assert_eq!((shard.device_count(), shard.ghost_count()), (0, 1));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct UserShard<D, U, const DEVICES: usize, const USERS: usize, S: Storage = Inline> {
    /// Of users alone.
    pub(super) summary: Summary,
    pub(super) run_from: RunFrom,
    pub(super) retired: u16,
    pub(super) devices: Table<D, Owned, DEVICES, S>,
    pub(super) ghosts: Table<D, Kept<U>, DEVICES, S>,
    pub(super) users: Table<U, User, USERS, S>,
    pub(super) declared: Table<U, Declared, USERS, S>,
}

/// A device of an own user.
#[derive(Clone, Copy)]
pub(super) struct Owned {
    pub(super) stamp: Stamp,
    pub(super) user: RowId,
    /// The next device of the same user, or nowhere.
    pub(super) sibling: RowId,
}

/// An own user: 14 bytes, so that with a 16-byte key and a link it is 32. What is declared lies in a
/// table of its own, since of most users nothing is.
#[derive(Clone, Copy)]
pub(super) struct User {
    /// The first of the user's devices, or nowhere.
    pub(super) first: RowId,
    /// The user's device rows in each run state, retired ones among them.
    live: [u16; 6],
}

impl User {
    pub(super) const NEW: Self = Self { first: RowId::NOWHERE, live: [0; 6] };

    pub(super) fn live(&self) -> Counts {
        Counts::from_rows(self.live)
    }

    fn set_live(&mut self, live: &Counts) {
        // A table has few enough rows for 16 bits.
        self.live = <[u32; 6]>::from(*live).map(|rows| rows as u16);
    }
}

/// What was declared of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) carried: Counts,
    pub(super) last_update: Option<DateTime>,
}

impl Declared {
    pub(super) const NOTHING: Self = Self { carried: Counts::ZERO, last_update: None };
}

impl<D, U, const DEVICES: usize, const USERS: usize> UserShard<D, U, DEVICES, USERS>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// An empty shard.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// static SHARD: UserShard<u16, u16, 500, 33> = UserShard::new();
    /// assert_eq!(SHARD.device_count(), 0);
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            summary: Summary::ZERO,
            run_from: RunFrom::NEVER,
            retired: 0,
            devices: Table::new(),
            ghosts: Table::new(),
            users: Table::new(),
            declared: Table::new(),
        }
    }
}

#[cfg(feature = "alloc")]
impl<D, U, const DEVICES: usize, const USERS: usize> UserShard<D, U, DEVICES, USERS, Heap>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// An empty shard whose rows grow on the heap, up to `DEVICES` and `USERS`.
    ///
    /// ```
    /// use runtally::Heap;
    /// use runtally::shard::UserShard;
    /// let shard: UserShard<u16, u16, 65_534, 65_534, Heap> = UserShard::growing();
    /// assert_eq!(shard.row_count(), 0);
    /// ```
    #[must_use]
    pub const fn growing() -> Self {
        Self {
            summary: Summary::ZERO,
            run_from: RunFrom::NEVER,
            retired: 0,
            devices: Table::growing(),
            ghosts: Table::growing(),
            users: Table::growing(),
            declared: Table::growing(),
        }
    }
}

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> UserShard<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// The user counters of this shard; its device counters are zero, and it has no last run.
    ///
    /// [Merged](Summary::merge) over all shards of both stages it gives the whole summary.
    ///
    /// ```
    /// use runtally::Summary;
    /// use runtally::shard::UserShard;
    /// assert_eq!(UserShard::<u16, u16, 8, 8>::new().summary(), &Summary::ZERO);
    /// ```
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Joins a record: it replaces what is known of its device if it is greater.
    ///
    /// `is_own` tells whether a user belongs to this shard. It must give the same answer for a user
    /// every time, for as long as the shard or a snapshot of it is kept.
    ///
    /// Constant time, but for a device that leaves an own user: that takes a walk along the user's
    /// devices.
    ///
    /// # Errors
    ///
    /// [`Full`] if there is no row for the device, its user or the ghost. The shard is then as it was.
    ///
    /// ```
    /// use runtally::shard::{Record, UserShard};
    /// use runtally::{Effect, Event, RunState};
    ///
    /// let mut shard: UserShard<u16, u16, 64, 16> = UserShard::new();
    /// let event = Event { device: 7, user: Some(1), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// let (report, is_own) = (Record::Report(event), |user: &u16| *user < 10);
    /// assert_eq!(shard.join(&report, is_own)?, Effect::Applied { before: None });
    /// assert_eq!(shard.join(&report, is_own)?, Effect::Duplicate);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn join(
        &mut self,
        record: &Record<D, U>,
        is_own: impl Fn(&U) -> bool,
    ) -> Result<Effect, Full> {
        let device = record.device();
        let row = self.devices.find(device);
        let ghost = if row.is_none() { self.ghosts.find(device) } else { None };
        let known = row
            .and_then(|row| self.owned_order(row))
            .or_else(|| Some(self.ghosts.get(ghost?)?.1.order()));
        match known.map(|known| record.order().cmp(&known)) {
            Some(core::cmp::Ordering::Less) => return Ok(Effect::Stale),
            Some(core::cmp::Ordering::Equal) => return Ok(Effect::Duplicate),
            _ => {}
        }
        let before = row.and_then(|row| self.devices.get(row)).map(|(_, owned)| *owned);
        match record.user().filter(|user| is_own(user)) {
            Some(user) => self.put_owned(record, user, row.zip(before), ghost)?,
            None => self.put_ghost(record, row.zip(before), ghost)?,
        }
        Ok(Effect::Applied { before: before.map(|owned| owned.stamp.counted(self.run_from)) })
    }

    /// The device counts for an own user.
    fn put_owned(
        &mut self,
        record: &Record<D, U>,
        user: &U,
        known: Option<(RowId, Owned)>,
        ghost: Option<RowId>,
    ) -> Result<(), Full> {
        let stamp = record.stamp();
        let counted = Some(stamp.counted(self.run_from));
        let to = self.users.find(user);
        if let Some((row, owned)) = known
            && Some(owned.user) == to
        {
            // It stays in the chain of its user: no walk along that.
            self.shift_user(owned.user, (Some(owned.stamp.counted(self.run_from)), counted));
            self.count_retired(owned.stamp, u16::wrapping_sub);
            self.count_retired(stamp, u16::wrapping_add);
            if let Some(owned) = self.devices.value_mut(row) {
                owned.stamp = stamp;
            }
            return Ok(());
        }

        if known.is_none() && (self.devices.is_full() || !self.devices.make_room(1)) {
            return Err(Full { of: Rows::Devices, capacity: self.devices.len() });
        }
        // The row that the former user leaves behind would do.
        let is_left = known.is_some_and(|(_, owned)| self.is_last_of(&owned));
        if to.is_none() && !is_left && (self.users.is_full() || !self.users.make_room(1)) {
            return Err(Full { of: Rows::Users, capacity: self.users.len() });
        }

        if let Some((row, owned)) = known {
            self.leave(row, &owned);
        }
        if let Some(ghost) = ghost {
            self.ghosts.remove(ghost);
        }
        let Some(to) = to.or_else(|| self.users.insert(user, User::NEW)) else {
            return Ok(());
        };
        let sibling = self.users.get(to).map_or(RowId::NOWHERE, |(_, user)| user.first);
        let owned = Owned { stamp, user: to, sibling };
        let row = match known {
            Some((row, _)) => {
                if let Some(before) = self.devices.value_mut(row) {
                    *before = owned;
                }
                Some(row)
            }
            None => self.devices.insert(record.device(), owned),
        };
        if let (Some(row), Some(user)) = (row, self.users.value_mut(to)) {
            user.first = row;
        }
        self.shift_user(to, (None, counted));
        self.count_retired(stamp, u16::wrapping_add);
        Ok(())
    }

    /// The device counts for nobody here.
    fn put_ghost(
        &mut self,
        record: &Record<D, U>,
        known: Option<(RowId, Owned)>,
        ghost: Option<RowId>,
    ) -> Result<(), Full> {
        let kept = Kept::of(record);
        if let Some(ghost) = ghost.and_then(|ghost| self.ghosts.value_mut(ghost)) {
            *ghost = kept;
            return Ok(());
        }
        let full = Full { of: Rows::Ghosts, capacity: self.ghosts.len() };
        self.ghosts.insert(record.device(), kept).ok_or(full)?;
        if let Some((row, owned)) = known {
            self.leave(row, &owned);
            self.devices.remove(row);
        }
        Ok(())
    }

    /// A device leaves its user; its own row is the caller's to change.
    fn leave(&mut self, row: RowId, owned: &Owned) {
        let Some(user) = self.users.value_mut(owned.user) else { return };
        let mut link = &mut user.first;
        while *link != row {
            let before = *link;
            let Some(before) = self.devices.value_mut(before) else { return };
            link = &mut before.sibling;
        }
        *link = owned.sibling;
        self.shift_user(owned.user, (Some(owned.stamp.counted(self.run_from)), None));
        self.count_retired(owned.stamp, u16::wrapping_sub);
        self.drop_unkept(owned.user);
    }

    /// Frees the row of a user who has no device and is not declared.
    fn drop_unkept(&mut self, row: RowId) {
        let user = self.users.get(row);
        if user.is_some_and(|(key, user)| user.first == RowId::NOWHERE && !self.is_declared(key)) {
            self.users.remove(row);
        }
    }

    /// True if the user's row goes with this device.
    fn is_last_of(&self, owned: &Owned) -> bool {
        let user = self.users.get(owned.user);
        user.is_some_and(|(key, user)| user.live().total() == 1 && !self.is_declared(key))
    }

    pub(super) fn is_declared(&self, user: &U) -> bool {
        self.declared.len() > 0 && self.declared.find(user).is_some()
    }

    fn shift_user(&mut self, row: RowId, change: StateChange) {
        let before = self.state_of(row);
        if let Some(user) = self.users.value_mut(row) {
            let mut live = user.live();
            live.shift(change);
            user.set_live(&live);
        }
        self.summary.users.shift((before, self.state_of(row)));
    }

    fn count_retired(&mut self, stamp: Stamp, count: impl Fn(u16, u16) -> u16) {
        if !stamp.is_live() {
            self.retired = count(self.retired, 1);
        }
    }

    fn state_of(&self, row: RowId) -> Option<RunState> {
        let (key, user) = self.users.get(row)?;
        let (live, carried) = (user.live(), self.declared_of(key).carried);
        let is_in = |state: &RunState| live[*state] > 0 || carried[*state] > 0;
        RunState::BY_SEVERITY.into_iter().rfind(is_in)
    }

    fn declared_of(&self, user: &U) -> Declared {
        let row = if self.declared.len() > 0 { self.declared.find(user) } else { None };
        row.and_then(|row| self.declared.get(row)).map_or(Declared::NOTHING, |(_, it)| *it)
    }

    /// The roll-out begins anew, as [`DeviceShard::begin_anew`](super::DeviceShard::begin_anew) says.
    ///
    /// Recounts every row.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// let mut shard: UserShard<u16, u16, 8, 8> = UserShard::new();
    /// assert!(shard.begin_anew("2026-11-22T00:00Z".parse()?).is_applied());
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    pub fn begin_anew(&mut self, at: DateTime) -> Effect {
        let effect = self.run_from.raise(at);
        if !effect.is_applied() {
            return effect;
        }
        let mut users = Counts::ZERO;
        for number in 0..self.users.rows() {
            let Some(row) = RowId::from_number(number) else { break };
            let Some(first) = self.users.get(row).map(|(_, user)| user.first) else { continue };
            let mut live = Counts::ZERO;
            self.chain(first).for_each(|(_, owned)| live.enter(owned.stamp.counted(self.run_from)));
            if let Some(user) = self.users.value_mut(row) {
                user.set_live(&live);
            }
            users.shift((None, self.state_of(row)));
        }
        self.summary.users = users;
        effect
    }

    /// Puts the tables' hash under another seed, as [`Tally::reseed`](crate::Tally::reseed) does.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// let mut shard: UserShard<u16, u16, 8, 8> = UserShard::new();
    /// shard.reseed(0x5EED_0F_7155);
    /// ```
    pub fn reseed(&mut self, seed: u64) {
        self.devices.reseed(seed);
        self.ghosts.reseed(seed);
        self.users.reseed(seed);
        self.declared.reseed(seed);
    }

    fn owned_order(&self, row: RowId) -> Option<RecordOrder<'_, U>> {
        let owned = self.devices.get(row)?.1;
        Some(order_of(owned.stamp, self.users.get(owned.user).map(|(user, _)| user)))
    }

    /// The chain of a user's devices, from `first` on: no longer than the table is.
    pub(super) fn chain(&self, first: RowId) -> impl Iterator<Item = (&D, &Owned)> + Clone {
        let row = |row| self.devices.get(row);
        core::iter::successors(row(first), move |(_, owned)| row(owned.sibling))
            .take(self.devices.len().into())
    }
}

impl<D, U, const DEVICES: usize, const USERS: usize> Default for UserShard<D, U, DEVICES, USERS>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    fn default() -> Self {
        Self::new()
    }
}

/// Two shards are equal if they hold the same records of the same devices and the same declarations,
/// in whatever rows.
impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> PartialEq
    for UserShard<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    fn eq(&self, other: &Self) -> bool {
        self.summary == other.summary
            && self.run_from == other.run_from
            && self.device_count() == other.device_count()
            && self.ghost_count() == other.ghost_count()
            && self.user_count() == other.user_count()
            && self.records().all(|record| other.record(record.device()) == Some(record))
            && self.ghosts().all(|record| other.record(record.device()) == Some(record))
            && self.users().all(|user| other.user(user.user) == Some(user))
    }
}

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> Eq
    for UserShard<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
}

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> fmt::Debug
    for UserShard<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash + fmt::Debug,
    U: Clone + Ord + Hash + fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserShard")
            .field("summary", &self.summary)
            .field("run_from", &self.run_from())
            .field("records", &List(self.records()))
            .field("ghosts", &List(self.ghosts()))
            .field("users", &List(self.users()))
            // The seed of the hash stays unsaid: whoever knows it can make keys collide.
            .finish_non_exhaustive()
    }
}
