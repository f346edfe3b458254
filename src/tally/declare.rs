//! Writing totals: what a Graph client declares.

use core::hash::Hash;

use super::record::UserRecord;
use super::{Carried, StateChange, Tally};
use crate::table::RowId;
use crate::{Counter, Counts, DateTime, Of, Refusal, RunState, Summary};

impl<D, U, const DEVICES: usize, const USERS: usize> Tally<D, U, DEVICES, USERS>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// Declares the summary's reported totals. A read returns exactly what was written; each later
    /// event moves the numbers by one. To write some of the totals, start from
    /// [`summary`](Self::summary).
    ///
    /// The tally stores the difference, carried = written - live. The last run may be earlier than
    /// it was, but not earlier than a row; to find that, all rows are looked through.
    ///
    /// # Errors
    ///
    /// The tally is then as it was.
    ///
    /// - [`Refusal::BelowLive`]: a count is below the number of rows counted here.
    /// - [`Refusal::BeforeRow`]: the last run is earlier than the latest row's date-time.
    ///
    /// ```
    /// use runtally::{Counts, Event, RunState, Summary, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: None, state: RunState::Success, at: "2026-11-21T09:30Z".parse()? };
    /// tally.apply(&event)?;
    ///
    /// let mut written = *tally.summary();
    /// written.devices = Counts::ZERO.with(RunState::Success, 5)?;
    /// tally.declare(&written)?;
    /// assert_eq!(tally.summary(), &written);
    ///
    /// tally.apply(&Event { device: 8, ..event })?;
    /// assert_eq!(tally.summary().devices[RunState::Success], 6);
    ///
    /// let refusal = tally.declare(&Summary::ZERO).unwrap_err();
    /// assert_eq!(refusal.to_string(), "successfulDeviceCount was declared as 0, but 2 are counted here");
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn declare(&mut self, written: &Summary) -> Result<(), Refusal> {
        self.carried = self.weigh_declare(written)?;
        self.summary = *written;
        Ok(())
    }

    /// What is left to carry of declared totals.
    pub(super) fn weigh_declare(&self, written: &Summary) -> Result<Carried, Refusal> {
        let devices = carried(Of::Devices, &written.devices, &self.live(Of::Devices))?;
        let users = carried(Of::Users, &written.users, &self.live(Of::Users))?;
        let latest = self.devices.iter().map(|(_, _, record)| record.stamp.at()).max();
        not_before(Of::Devices, written.last_run, latest)?;
        Ok(Carried { devices, users })
    }

    /// Declares a user's reported device counts and, where the wire has one, last update. The user's row stays until
    /// [`undeclare_user`](Self::undeclare_user), even without devices. Declaring again replaces
    /// what was declared, and the spelling of the key with it.
    ///
    /// # Errors
    ///
    /// The tally is then as it was.
    ///
    /// - [`Refusal::UsersFull`]: the user is not known, and no row is free.
    /// - [`Refusal::BelowLive`]: a count is below the number of the user's device rows.
    /// - [`Refusal::BeforeRow`]: the last update is earlier than that of one of the user's devices.
    /// - [`Refusal::Overflow`]: the user's run state becomes one whose counter stands at
    ///   [`Counts::MAX`].
    ///
    /// ```
    /// use runtally::{Counts, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
    /// let counts = Counts::ZERO.with(RunState::Success, 5)?.with(RunState::Fail, 1)?;
    /// tally.declare_user(&"ada", counts, Some("2026-11-21T09:30Z".parse()?))?;
    /// assert_eq!(tally.summary().users[RunState::Fail], 1);
    /// assert_eq!(tally.summary().devices[RunState::Fail], 0); // those are the summary's own
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn declare_user(
        &mut self,
        user: &U,
        written: Counts,
        last_update: Option<DateTime>,
    ) -> Result<(), Refusal> {
        let record = self.weigh_declare_user(user, &written, last_update)?;
        self.put_user(user, record)
    }

    /// What a declared user's row will hold.
    // Out of line, so that its stack is free again when the row is put.
    #[inline(never)]
    pub(super) fn weigh_declare_user(
        &self,
        user: &U,
        written: &Counts,
        last_update: Option<DateTime>,
    ) -> Result<UserRecord, Refusal> {
        let known = self.users.find(user);
        if known.is_none() && self.users.is_full() {
            return Err(Refusal::UsersFull { capacity: self.users.len() });
        }
        let mut record = self.user_record(known);
        record.set_carried(carried(Of::Devices, written, &record.live())?);
        if last_update.is_some() {
            not_before(Of::Users, last_update, self.latest_of(&record))?;
        }
        record.set_carried_update(last_update);
        record.declared = true;
        self.weigh_user(known, &record)?;
        Ok(record)
    }

    /// Takes a user's declaration back: carried counts, retired devices among them, become zero.
    /// The row stays while it has devices, under `user`'s spelling. `Ok(false)` if the user was
    /// neither declared nor carries anything; then nothing changes.
    ///
    /// # Errors
    ///
    /// [`Refusal::Overflow`] if the user's run state falls to one whose counter stands at
    /// [`Counts::MAX`]. The tally is then as it was.
    ///
    /// ```
    /// use runtally::{Counts, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
    /// let counts = Counts::ZERO.with(RunState::Success, 5)?;
    /// tally.declare_user(&"ada", counts, Some("2026-11-21T09:30Z".parse()?))?;
    /// assert_eq!(tally.undeclare_user(&"ada"), Ok(true));
    /// assert_eq!(tally.undeclare_user(&"ada"), Ok(false));
    /// assert_eq!(tally.summary().users.total(), 0);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn undeclare_user(&mut self, user: &U) -> Result<bool, Refusal> {
        let Some(record) = self.weigh_undeclare_user(user)? else { return Ok(false) };
        self.put_user(user, record).map(|()| true)
    }

    /// What is left in a user's row when the declaration and what is carried go; none if there is
    /// neither.
    pub(super) fn weigh_undeclare_user(&self, user: &U) -> Result<Option<UserRecord>, Refusal> {
        let known = self.users.find(user);
        let mut record = self.user_record(known);
        if !record.is_kept() {
            return Ok(None);
        }
        record.set_carried(Counts::ZERO);
        record.set_carried_update(None);
        record.declared = false;
        self.weigh_user(known, &record)?;
        Ok(Some(record))
    }

    /// The run state of a user before and after the row becomes `record`.
    fn weigh_user(
        &self,
        known: Option<RowId>,
        record: &UserRecord,
    ) -> Result<StateChange, Refusal> {
        let change = (self.user_record(known).state(), record.state());
        self.summary.users.check_shift(change, Of::Users)?;
        Ok(change)
    }

    /// Makes `record` the row of a user, under this spelling; no row if nothing keeps it.
    pub(super) fn put_user(&mut self, user: &U, record: UserRecord) -> Result<(), Refusal> {
        let known = self.users.find(user);
        let change = self.weigh_user(known, &record)?;
        self.summary.users.shift(change);

        let keeps = record.first.is_some() || record.is_kept();
        match known.and_then(|id| Some((id, self.users.value_mut(id)?))) {
            Some((id, known)) if keeps => {
                *known = record;
                self.users.respell(id, user);
            }
            Some((id, _)) => {
                self.users.remove(id);
            }
            None if keeps => {
                self.users.insert(user, record);
            }
            None => {}
        }
        Ok(())
    }

    /// The devices or users counted from rows held here: reported - carried.
    ///
    /// ```
    /// use runtally::{Counts, Event, Of, RunState, Summary, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let five = Counts::ZERO.with(RunState::Fail, 5)?;
    /// tally.declare(&Summary { devices: five, ..Summary::ZERO })?;
    /// assert_eq!(tally.live(Of::Devices), Counts::ZERO);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn live(&self, of: Of) -> Counts {
        let reported = match of {
            Of::Devices => &self.summary.devices,
            Of::Users => &self.summary.users,
        };
        // Carried is never above reported: `carried` below sees to that.
        reported.checked_sub(&self.carried(of)).unwrap_or_default()
    }

    /// The devices or users counted by declaration, or devices retired.
    ///
    /// ```
    /// use runtally::{Counts, Event, Of, RunState, Summary, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let five = Counts::ZERO.with(RunState::Fail, 5)?;
    /// tally.declare(&Summary { devices: five, ..Summary::ZERO })?;
    /// assert_eq!(tally.carried(Of::Devices), five);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn carried(&self, of: Of) -> Counts {
        match of {
            Of::Devices => self.carried.devices,
            Of::Users => self.carried.users,
        }
    }

    pub(super) fn user_record(&self, id: Option<RowId>) -> UserRecord {
        id.and_then(|id| self.users.get(id)).map(|(_, record)| *record).unwrap_or_default()
    }
}

/// What is left to carry of a declared total.
fn carried(of: Of, written: &Counts, live: &Counts) -> Result<Counts, Refusal> {
    written.checked_sub(live).map_err(|error| {
        let state: RunState = error.state;
        Refusal::BelowLive {
            counter: Counter { of, state },
            written: written[state],
            live: live[state],
        }
    })
}

fn not_before(of: Of, written: Option<DateTime>, latest: Option<DateTime>) -> Result<(), Refusal> {
    match latest {
        Some(latest) if written < Some(latest) => Err(Refusal::BeforeRow { of, written, latest }),
        _ => Ok(()),
    }
}
