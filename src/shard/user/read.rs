//! Reading a user shard: a device, a user, all of them.

use core::hash::Hash;

use super::{Owned, User, UserShard};
use crate::exact::Exact;
use crate::shard::Record;
use crate::shard::record::view;
use crate::table::{RowId, Storage};
use crate::tally::{Stamp, later};
use crate::{DateTime, Event, RunState, UserHandle, UserRow};

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> UserShard<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// The instant from which the roll-out counts, in UTC; `None` if it never began anew.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// assert_eq!(UserShard::<u16, u16, 8, 8>::new().run_from(), None);
    /// ```
    #[must_use]
    pub fn run_from(&self) -> Option<DateTime> {
        self.run_from.at()
    }

    /// The devices of own users that are neither removed nor retired.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// assert_eq!(UserShard::<u16, u16, 8, 8>::new().device_count(), 0);
    /// ```
    #[must_use]
    pub const fn device_count(&self) -> usize {
        self.devices.len().wrapping_sub(self.retired) as usize
    }

    /// The devices of own users that are retired: they count, and are not listed.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// assert_eq!(UserShard::<u16, u16, 8, 8>::new().retired_count(), 0);
    /// ```
    #[must_use]
    pub const fn retired_count(&self) -> usize {
        self.retired as usize
    }

    /// The devices that were heard of and count for nobody here.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// assert_eq!(UserShard::<u16, u16, 8, 8>::new().ghost_count(), 0);
    /// ```
    #[must_use]
    pub const fn ghost_count(&self) -> usize {
        self.ghosts.len() as usize
    }

    /// The rows of devices that are taken: those of own users, retired or not, and ghosts.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// assert_eq!(UserShard::<u16, u16, 8, 8>::new().row_count(), 0);
    /// ```
    #[must_use]
    pub const fn row_count(&self) -> usize {
        (self.devices.len() as usize).wrapping_add(self.ghosts.len() as usize)
    }

    /// The users that have a row: those with devices and those that were declared.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// assert_eq!(UserShard::<u16, u16, 8, 8>::new().user_count(), 0);
    /// ```
    #[must_use]
    pub const fn user_count(&self) -> usize {
        self.users.len() as usize
    }

    /// The record of a device, also of a ghost.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// assert_eq!(UserShard::<u16, u16, 8, 8>::new().record(&7), None);
    /// ```
    #[must_use]
    pub fn record(&self, device: &D) -> Option<Record<&D, &U>> {
        if let Some(row) = self.devices.find(device) {
            let (device, owned) = self.devices.get(row)?;
            return Some(self.owned_view(device, owned));
        }
        let (device, ghost) = self.ghosts.get(self.ghosts.find(device)?)?;
        Some(ghost.view(device))
    }

    /// The record of every device that counts for an own user, in the order of the rows.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// assert_eq!(UserShard::<u16, u16, 8, 8>::new().records().len(), 0);
    /// ```
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record<&D, &U>> + Clone {
        let rows = self.devices.iter().map(|(_, device, owned)| self.owned_view(device, owned));
        Exact { rows, left: self.devices.len().into() }
    }

    /// The record of every ghost, in the order of the rows.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// assert_eq!(UserShard::<u16, u16, 8, 8>::new().ghosts().len(), 0);
    /// ```
    pub fn ghosts(&self) -> impl ExactSizeIterator<Item = Record<&D, &U>> + Clone {
        let rows = self.ghosts.iter().map(|(_, device, ghost)| ghost.view(device));
        Exact { rows, left: self.ghost_count() }
    }

    /// What is kept of a user; `None` if there is no row. The user's devices are looked through for
    /// the last update.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// assert!(UserShard::<u16, u16, 8, 8>::new().user(&1).is_none());
    /// ```
    #[must_use]
    pub fn user(&self, user: &U) -> Option<UserRow<'_, U>> {
        let (key, user) = self.users.get(self.users.find(user)?)?;
        Some(self.user_view(key, user))
    }

    /// Where a user's row is, to keep something beside it; `None` if there is none. A row that its user
    /// has left may be another user's afterwards.
    ///
    /// ```
    /// use runtally::shard::{Record, UserShard};
    /// use runtally::{Event, RunState};
    ///
    /// let mut shard: UserShard<u16, u16, 8, 8> = UserShard::new();
    /// assert_eq!(shard.find_user(&1), None);
    /// let event = Event { device: 7, user: Some(1), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// assert!(shard.join(&Record::Report(event), |_| true)?.is_applied());
    /// assert_eq!(shard.find_user(&1).map(|handle| handle.number()), Some(0));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn find_user(&self, user: &U) -> Option<UserHandle> {
        self.users.find(user).map(UserHandle)
    }

    /// The run state of a user, in constant time: the most severe among that user's devices.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// assert_eq!(UserShard::<u16, u16, 8, 8>::new().user_state(&1), None);
    /// ```
    #[must_use]
    pub fn user_state(&self, user: &U) -> Option<RunState> {
        self.state_of(self.users.find(user)?)
    }

    /// What is kept of every user, in the order of the rows.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// assert_eq!(UserShard::<u16, u16, 8, 8>::new().users().len(), 0);
    /// ```
    pub fn users(&self) -> impl ExactSizeIterator<Item = UserRow<'_, U>> + Clone {
        let rows = self.users.iter().map(|(_, key, user)| self.user_view(key, user));
        Exact { rows, left: self.user_count() }
    }

    /// The greatest event of each device of a user that is not retired, in no order.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// assert_eq!(UserShard::<u16, u16, 8, 8>::new().user_devices(&1).count(), 0);
    /// ```
    pub fn user_devices(&self, user: &U) -> impl Iterator<Item = Event<&D, &U>> + Clone {
        let first = self.users.find(user).and_then(|row| self.users.get(row));
        self.chain(first.map_or(RowId::NOWHERE, |(_, user)| user.first)).filter_map(
            |(device, owned)| match self.owned_view(device, owned) {
                Record::Report(event) => Some(event),
                Record::Retired(_) | Record::Removed { .. } => None,
            },
        )
    }

    /// The state a recorded event counts in: its own, or pending if the event is from before
    /// [`run_from`](Self::run_from).
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// use runtally::{Event, RunState};
    ///
    /// let event = Event { device: 7, user: Some(1), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// assert_eq!(UserShard::<u16, u16, 8, 8>::new().counted(&event), RunState::Fail);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub fn counted<A, B>(&self, recorded: &Event<A, B>) -> RunState {
        Stamp::new(recorded.at, recorded.state).counted(self.run_from)
    }

    /// The bytes it takes: of the value itself, and of its rows on the heap.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// let shard: UserShard<u16, u16, 8, 8> = UserShard::new();
    /// assert_eq!(shard.memory(), size_of_val(&shard));
    /// ```
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            .saturating_add(self.devices.heap_bytes())
            .saturating_add(self.ghosts.heap_bytes())
            .saturating_add(self.users.heap_bytes())
            .saturating_add(self.declared.heap_bytes())
    }

    fn owned_view<'a>(&'a self, device: &'a D, owned: &Owned) -> Record<&'a D, &'a U> {
        view(device, owned.stamp, self.users.get(owned.user).map(|(user, _)| user))
    }

    fn user_view<'a>(&'a self, key: &'a U, user: &User) -> UserRow<'a, U> {
        let declared = self.declared_of(key);
        UserRow {
            user: key,
            live: user.live(),
            carried: declared.carried,
            last_update: later(declared.last_update, self.latest_of(user)),
            declared: self.is_declared(key),
        }
    }

    /// The latest date-time of a user's devices.
    pub(super) fn latest_of(&self, user: &User) -> Option<DateTime> {
        self.chain(user.first).map(|(_, owned)| owned.stamp.at()).max()
    }
}
