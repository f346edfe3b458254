//! Reading: a device, a user, all of them.

use core::hash::Hash;

use super::Tally;
use super::record::{DeviceRecord, Stamp, UserRecord};
use crate::exact::Exact;
use crate::table::{RowId, Storage};
use crate::{Counts, DateTime, Event, RunState};

/// What is kept of one user.
///
/// ```
/// use runtally::{Event, RunState, Tally};
///
/// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
/// let at = "2026-11-21T09:30Z".parse()?;
/// assert!(tally.apply(&Event { device: 1, user: Some("ada"), state: RunState::Success, at })?.is_applied());
/// assert!(tally.apply(&Event { device: 2, user: Some("ada"), state: RunState::Pending, at })?.is_applied());
///
/// let ada = tally.user(&"ada").expect("has two devices");
/// assert_eq!(ada.state(), Some(RunState::Pending));
/// assert_eq!(ada.reported().total(), 2);
/// assert_eq!(ada.last_update, Some(at));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UserRow<'a, U> {
    /// Who it is.
    pub user: &'a U,
    /// The user's device rows in each run state.
    pub live: Counts,
    /// The devices counted by declaration, or retired.
    pub carried: Counts,
    /// The latest date-time of the user's devices and of a declared update; `None` only before
    /// there was either.
    pub last_update: Option<DateTime>,
    /// True if the user was declared through the API.
    pub declared: bool,
}

// By hand: deriving these would ask them of the key as well.
impl<U> Clone for UserRow<'_, U> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<U> Copy for UserRow<'_, U> {}

impl<U> UserRow<'_, U> {
    /// Carried + live: what the wire shows.
    ///
    /// ```
    /// use runtally::{Change, Counts, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
    /// let five = Counts::ZERO.with(RunState::Fail, 5)?;
    /// assert!(tally.commit(&Change::DeclareUser { user: "ada", devices: five, last_update: None })?.is_applied());
    /// assert_eq!(tally.user(&"ada").map(|ada| ada.reported()), Some(five));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn reported(&self) -> Counts {
        // The tally lets no sum past the limit.
        self.carried.checked_add(&self.live).unwrap_or(self.live)
    }

    /// The most severe state among the reported counts that are not zero; `None` for a user with
    /// no devices.
    ///
    /// ```
    /// use runtally::{Change, Counts, Tally};
    ///
    /// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
    /// assert!(tally.commit(&Change::DeclareUser { user: "ada", devices: Counts::ZERO, last_update: None })?.is_applied());
    /// assert_eq!(tally.user(&"ada").expect("declared").state(), None);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn state(&self) -> Option<RunState> {
        let reported = self.reported();
        RunState::BY_SEVERITY.into_iter().rfind(|&state| reported[state] > 0)
    }
}

/// Where a device's row is, to look there first the next time it reports: see
/// [`Tally::apply_at`](super::Tally::apply_at).
///
/// It stays the same for as long as the device has a row, and may be handed to another device
/// afterwards. So it is a hint, never an identity: every call that takes one checks whose row it is.
///
/// ```
/// use runtally::{Event, RunState, Tally};
///
/// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
/// assert!(tally.apply(&Event { device: 7, user: None, state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? })?.is_applied());
/// assert_eq!(tally.find(&7).map(|handle| handle.number()), Some(0));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DeviceHandle(RowId);

/// Where a user's row is. Like a [`DeviceHandle`], a hint.
///
/// ```
/// use runtally::{Change, Counts, Tally};
///
/// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
/// assert!(tally.commit(&Change::DeclareUser { user: "ada", devices: Counts::ZERO, last_update: None })?.is_applied());
/// assert_eq!(tally.find_user(&"ada").map(|handle| handle.number()), Some(0));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UserHandle(pub(crate) RowId);

macro_rules! handle {
    ($handle:ident) => {
        impl $handle {
            /// The handle of the row with this number, counted from zero; `None` above 65 533, the
            /// last row of the largest table.
            ///
            /// ```
            #[doc = concat!("use runtally::", stringify!($handle), ";")]
            #[doc = concat!("let handle = ", stringify!($handle), "::from_number(9);")]
            /// assert_eq!(handle.map(|handle| handle.number()), Some(9));
            /// ```
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match RowId::from_number(number) {
                    Some(row) => Some(Self(row)),
                    None => None,
                }
            }

            /// The row's number, counted from zero.
            ///
            /// ```
            #[doc = concat!("use runtally::", stringify!($handle), ";")]
            #[doc = concat!("let handle = ", stringify!($handle), "::from_number(0);")]
            /// assert_eq!(handle.map(|handle| handle.number()), Some(0));
            /// ```
            #[must_use]
            pub const fn number(self) -> u16 {
                self.0.number()
            }
        }
    };
}
handle!(DeviceHandle);
handle!(UserHandle);

impl DeviceHandle {
    pub(super) const fn row(self) -> RowId {
        self.0
    }
}

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> Tally<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// Where a device's row is, to look there first the next time it reports; `None` if the device
    /// is not known.
    ///
    /// ```
    /// use runtally::Tally;
    /// let tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// assert_eq!(tally.find(&7), None);
    /// ```
    #[must_use]
    pub fn find(&self, device: &D) -> Option<DeviceHandle> {
        let row = self.devices.find(device)?;
        self.devices.get(row)?.1.is_live().then_some(DeviceHandle(row))
    }

    /// What is recorded of a device: its greatest event.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: Some(1), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// assert!(tally.apply(&event)?.is_applied());
    /// assert_eq!(tally.device(&7).map(|recorded| recorded.state), Some(RunState::Fail));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn device(&self, device: &D) -> Option<Event<&D, &U>> {
        let (device, record) = self.devices.get(self.devices.find(device)?)?;
        record.is_live().then(|| self.view(device, record))
    }

    /// What is recorded of every device, in the order of the rows.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// for device in [7, 8] {
    ///     assert!(tally.apply(&Event { device, user: None, state: RunState::Fail, at })?.is_applied());
    /// }
    /// assert!(tally.devices().map(|recorded| *recorded.device).eq([7, 8]));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn devices(&self) -> impl ExactSizeIterator<Item = Event<&D, &U>> + Clone {
        let rows = self.devices_from(0).map(|(_, recorded)| recorded);
        Exact { rows, left: self.device_count() }
    }

    /// Like [`devices`](Self::devices), from the row with this number on, with each row's number:
    /// a list in pages goes on at the number after the last one shown.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// for device in [7, 8] {
    ///     assert!(tally.apply(&Event { device, user: None, state: RunState::Fail, at })?.is_applied());
    /// }
    /// let (row, recorded) = tally.devices_from(1).next().expect("two rows");
    /// assert_eq!((row.number(), *recorded.device), (1, 8));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn devices_from(
        &self,
        first: u16,
    ) -> impl Iterator<Item = (DeviceHandle, Event<&D, &U>)> + Clone {
        let rows = self.devices.iter_from(first).filter(|(_, _, record)| record.is_live());
        rows.map(|(row, device, record)| (DeviceHandle(row), self.view(device, record)))
    }

    /// The state a recorded event counts in: its own, or pending if the event is from before
    /// [`run_from`](Self::run_from).
    ///
    /// ```
    /// use runtally::{Change, Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: None, state: RunState::Success, at: "2026-11-21T09:30Z".parse()? };
    /// assert!(tally.apply(&event)?.is_applied());
    /// assert_eq!(tally.counted(&event), RunState::Success);
    /// assert!(tally.commit(&Change::RunFrom("2026-11-22T00:00Z".parse()?))?.is_applied());
    /// assert_eq!(tally.counted(&event), RunState::Pending);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn counted<A, B>(&self, recorded: &Event<A, B>) -> RunState {
        Stamp::new(recorded.at, recorded.state).counted(self.run_from)
    }

    /// What is kept of a user; `None` if there is no row.
    ///
    /// The user's devices are looked through for the last update.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: Some(1), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// assert!(tally.apply(&event)?.is_applied());
    /// assert_eq!(tally.user(&1).and_then(|user| user.state()), Some(RunState::Fail));
    /// assert!(tally.user(&2).is_none());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn user(&self, user: &U) -> Option<UserRow<'_, U>> {
        let (user, record) = self.users.get(self.users.find(user)?)?;
        Some(self.user_view(user, record))
    }

    /// The row of a user; `None` if there is none.
    ///
    /// ```
    /// use runtally::Tally;
    /// let tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// assert_eq!(tally.find_user(&7), None);
    /// ```
    #[must_use]
    pub fn find_user(&self, user: &U) -> Option<UserHandle> {
        self.users.find(user).map(UserHandle)
    }

    /// The run state of a user, in constant time: the most severe among that user's devices.
    /// `None` if there is no row, or nothing is counted for the user.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: Some(1), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// assert!(tally.apply(&event)?.is_applied());
    /// assert_eq!(tally.user_state(&1), Some(RunState::Fail));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn user_state(&self, user: &U) -> Option<RunState> {
        self.users.get(self.users.find(user)?)?.1.state()
    }

    /// What is kept of every user, in the order of the rows.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// assert!(tally.apply(&Event { device: 1, user: Some("ada"), state: RunState::Success, at })?.is_applied());
    /// assert!(tally.users().map(|user| *user.user).eq(["ada"]));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn users(&self) -> impl ExactSizeIterator<Item = UserRow<'_, U>> + Clone {
        let rows = self.users_from(0).map(|(_, user)| user);
        Exact { rows, left: self.user_count() }
    }

    /// Like [`users`](Self::users), from the row with this number on, with each row's number.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// assert!(tally.apply(&Event { device: 1, user: Some("ada"), state: RunState::Success, at })?.is_applied());
    /// assert!(tally.users_from(0).map(|(row, _)| row.number()).eq([0]));
    /// assert_eq!(tally.users_from(1).count(), 0);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn users_from(
        &self,
        first: u16,
    ) -> impl Iterator<Item = (UserHandle, UserRow<'_, U>)> + Clone {
        let rows = self.users.iter_from(first);
        rows.map(|(row, user, record)| (UserHandle(row), self.user_view(user, record)))
    }

    /// The key of the user's row there.
    #[cfg(feature = "graph")]
    pub(crate) fn user_key(&self, user: UserHandle) -> Option<&U> {
        self.users.get(user.0).map(|(user, _)| user)
    }

    /// The keys of the users' rows, from row `first` on.
    #[cfg(feature = "graph")]
    pub(crate) fn user_keys_from(
        &self,
        first: u16,
    ) -> impl Iterator<Item = (UserHandle, &U)> + Clone {
        self.users.iter_from(first).map(|(row, user, _)| (UserHandle(row), user))
    }

    /// What is recorded of each device of a user, in no order; empty if there is no row.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// assert!(tally.apply(&Event { device: 1, user: Some("ada"), state: RunState::Success, at })?.is_applied());
    /// assert!(tally.apply(&Event { device: 2, user: None, state: RunState::Success, at })?.is_applied());
    /// assert!(tally.user_devices(&"ada").map(|recorded| *recorded.device).eq([1]));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn user_devices(&self, user: &U) -> impl ExactSizeIterator<Item = Event<&D, &U>> + Clone {
        let user = self.users.find(user).and_then(|row| self.users.get(row)).map(|(_, user)| user);
        let rows = self.chain(user.and_then(|user| user.first));
        Exact {
            rows: rows.map(|(_, device, record)| self.view(device, record)),
            left: user.map_or(0, |user| user.devices() as usize),
        }
    }

    pub(super) fn view<'a>(&'a self, device: &'a D, record: &DeviceRecord) -> Event<&'a D, &'a U> {
        let stamp = record.recorded();
        Event { device, user: self.user_of(record), state: stamp.state(), at: stamp.at() }
    }

    /// The chain of a user's devices, from `first` on: no longer than the table is.
    pub(super) fn chain(
        &self,
        first: Option<RowId>,
    ) -> impl Iterator<Item = (RowId, &D, &DeviceRecord)> + Clone {
        let row = |id| self.devices.get(id).map(|(device, record)| (id, device, record));
        core::iter::successors(first.and_then(row), move |(_, _, record)| {
            record.sibling.and_then(row)
        })
        .take(self.devices.len().into())
    }

    /// The latest date-time of a user's devices.
    pub(super) fn latest_of(&self, record: &UserRecord) -> Option<DateTime> {
        self.chain(record.first).map(|(_, _, device)| device.stamp.at()).max()
    }

    /// The last update that is carried once a device of this instant is retired. Of two at one
    /// instant the one that is shown before, so that a read shows the same afterwards.
    pub(super) fn carried_update_with(&self, record: &UserRecord, at: DateTime) -> DateTime {
        match record.carried_update() {
            Some(carried) if carried.ticks() >= at.ticks() => carried,
            _ => self.latest_of(record).filter(|it| it.ticks() == at.ticks()).unwrap_or(at),
        }
    }

    fn user_view<'a>(&'a self, user: &'a U, record: &UserRecord) -> UserRow<'a, U> {
        UserRow {
            user,
            live: record.live(),
            carried: record.carried(),
            last_update: later(record.carried_update(), self.latest_of(record)),
            declared: record.declared,
        }
    }
}

/// Of two at one instant the declared one: a read returns exactly what was written.
pub(crate) fn later(declared: Option<DateTime>, latest: Option<DateTime>) -> Option<DateTime> {
    match (declared, latest) {
        (Some(declared), Some(latest)) if declared.ticks() >= latest.ticks() => Some(declared),
        (declared, latest) => latest.or(declared),
    }
}
