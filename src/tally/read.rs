//! Reading: a device, a user, all of them.

use core::hash::Hash;

use super::Tally;
use super::record::{DeviceRecord, UserRecord};
use crate::table::RowId;
use crate::{Counts, DateTime, Event, RunState};

/// What is kept of one user.
///
/// ```
/// use runtally::{Event, RunState, Tally};
///
/// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
/// let at = "2026-11-21T09:30Z".parse()?;
/// tally.apply(&Event { device: 1, user: Some("ada"), state: RunState::Success, at })?;
/// tally.apply(&Event { device: 2, user: Some("ada"), state: RunState::Pending, at })?;
///
/// let ada = tally.user(&"ada").expect("has two devices");
/// assert_eq!(ada.state(), Some(RunState::Pending));
/// assert_eq!(ada.reported().total(), 2);
/// assert_eq!(ada.last_update, Some(at));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
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
    /// use runtally::{Counts, DateTime, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
    /// let five = Counts::ZERO.with(RunState::Fail, 5)?;
    /// tally.declare_user(&"ada", five, Some("2026-11-21T09:30Z".parse()?))?;
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
    /// use runtally::{Counts, Tally};
    ///
    /// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
    /// tally.declare_user(&"ada", Counts::ZERO, None)?;
    /// assert_eq!(tally.user(&"ada").expect("declared").state(), None);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn state(&self) -> Option<RunState> {
        let reported = self.reported();
        RunState::BY_SEVERITY.into_iter().rfind(|&state| reported[state] > 0)
    }
}

impl<D, U, const DEVICES: usize, const USERS: usize> Tally<D, U, DEVICES, USERS>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// The row of a device, to look in first the next time it reports; `None` if it is not known.
    ///
    /// ```
    /// use runtally::Tally;
    /// let tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// assert_eq!(tally.find(&7), None);
    /// ```
    #[must_use]
    pub fn find(&self, device: &D) -> Option<RowId> {
        self.devices.find(device)
    }

    /// What is recorded of a device: its greatest event.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: Some(1), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// tally.apply(&event)?;
    /// assert_eq!(tally.device(&7).map(|recorded| recorded.state), Some(RunState::Fail));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn device(&self, device: &D) -> Option<Event<&D, &U>> {
        let (device, record) = self.devices.get(self.devices.find(device)?)?;
        Some(self.view(device, record))
    }

    /// What is recorded of every device, in the order of the rows.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// for device in [7, 8] {
    ///     tally.apply(&Event { device, user: None, state: RunState::Fail, at })?;
    /// }
    /// assert!(tally.devices().map(|recorded| *recorded.device).eq([7, 8]));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn devices(&self) -> impl Iterator<Item = Event<&D, &U>> + Clone {
        self.devices_from(0).map(|(_, recorded)| recorded)
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
    ///     tally.apply(&Event { device, user: None, state: RunState::Fail, at })?;
    /// }
    /// let (row, recorded) = tally.devices_from(1).next().expect("two rows");
    /// assert_eq!((row.number(), *recorded.device), (1, 8));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn devices_from(&self, first: u16) -> impl Iterator<Item = (RowId, Event<&D, &U>)> + Clone {
        self.devices.iter_from(first).map(|(id, device, record)| (id, self.view(device, record)))
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
    /// tally.apply(&event)?;
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
    pub fn find_user(&self, user: &U) -> Option<RowId> {
        self.users.find(user)
    }

    /// What is kept of every user, in the order of the rows.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// tally.apply(&Event { device: 1, user: Some("ada"), state: RunState::Success, at })?;
    /// assert!(tally.users().map(|user| *user.user).eq(["ada"]));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn users(&self) -> impl Iterator<Item = UserRow<'_, U>> + Clone {
        self.users_from(0).map(|(_, user)| user)
    }

    /// Like [`users`](Self::users), from the row with this number on, with each row's number.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// tally.apply(&Event { device: 1, user: Some("ada"), state: RunState::Success, at })?;
    /// assert!(tally.users_from(0).map(|(row, _)| row.number()).eq([0]));
    /// assert_eq!(tally.users_from(1).count(), 0);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn users_from(&self, first: u16) -> impl Iterator<Item = (RowId, UserRow<'_, U>)> + Clone {
        self.users.iter_from(first).map(|(id, user, record)| (id, self.user_view(user, record)))
    }

    /// The keys of the users' rows, from row `first` on.
    #[cfg(feature = "graph")]
    pub(crate) fn user_keys_from(&self, first: u16) -> impl Iterator<Item = (RowId, &U)> + Clone {
        self.users.iter_from(first).map(|(id, user, _)| (id, user))
    }

    /// What is recorded of each device of a user, in no order; empty if there is no row.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// tally.apply(&Event { device: 1, user: Some("ada"), state: RunState::Success, at })?;
    /// tally.apply(&Event { device: 2, user: None, state: RunState::Success, at })?;
    /// assert!(tally.user_devices(&"ada").map(|recorded| *recorded.device).eq([1]));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn user_devices(&self, user: &U) -> impl Iterator<Item = Event<&D, &U>> + Clone {
        let first = self.users.find(user).and_then(|id| self.users.get(id)?.1.first);
        self.chain(first).map(|(_, device, record)| self.view(device, record))
    }

    /// The recorded event of a device as its owner's own value, with its row.
    pub(super) fn recorded(&self, device: &D) -> Option<(RowId, DeviceRecord)> {
        let id = self.devices.find(device)?;
        Some((id, *self.devices.get(id)?.1))
    }

    pub(super) fn view<'a>(&'a self, device: &'a D, record: &DeviceRecord) -> Event<&'a D, &'a U> {
        Event {
            device,
            user: record.user.and_then(|user| self.users.get(user)).map(|(user, _)| user),
            state: record.stamp.state(),
            at: record.stamp.at(),
        }
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

    fn user_view<'a>(&'a self, user: &'a U, record: &UserRecord) -> UserRow<'a, U> {
        UserRow {
            user,
            live: record.live(),
            carried: record.carried(),
            last_update: record.carried_update().max(self.latest_of(record)),
            declared: record.declared,
        }
    }
}
