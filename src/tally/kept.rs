//! What a journal writes down beside the events: asked for before a change, put back after a
//! restart.

use core::hash::Hash;

use super::record::UserRecord;
use super::{Carried, Tally};
use crate::table::RowId;
use crate::{Counts, DateTime, Event, Of, Refusal, Summary};

/// The part of a summary that does not follow from the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Carried devices.
    pub(crate) devices: Counts,
    /// Carried users.
    pub(crate) users: Counts,
    pub(crate) last_run: Option<DateTime>,
}

/// The part of a user's row that does not follow from the user's devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) carried: Counts,
    pub(crate) last_update: Option<DateTime>,
    pub(crate) declared: bool,
}

impl Kept {
    fn of(record: &UserRecord) -> Option<Self> {
        record.is_kept().then(|| Self {
            carried: record.carried(),
            last_update: record.carried_update(),
            declared: record.declared,
        })
    }
}

impl<D, U, const DEVICES: usize, const USERS: usize> Tally<D, U, DEVICES, USERS>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// True if nothing was ever counted or declared, or all of it was taken back.
    pub(crate) fn is_empty(&self) -> bool {
        self.summary == Summary::ZERO && self.devices.len() == 0 && self.users.len() == 0
    }

    pub(crate) fn totals(&self) -> Totals {
        let Carried { devices, users } = self.carried;
        Totals { devices, users, last_run: self.summary.last_run }
    }

    /// What is kept of a user; none if the row goes with the last device.
    pub(crate) fn kept(&self, user: &U) -> Option<Kept> {
        Kept::of(&self.user_record(self.users.find(user)))
    }

    pub(crate) fn kept_users(&self) -> impl Iterator<Item = (RowId, &U, Kept)> {
        self.users.iter().filter_map(|(id, user, record)| Some((id, user, Kept::of(record)?)))
    }

    /// What [`remove`](Self::remove) would give.
    pub(crate) fn check_remove(&self, device: &D) -> Result<Option<Event<&D, &U>>, Refusal> {
        let Some((_, record)) = self.recorded(device) else { return Ok(None) };
        self.weigh_remove(&record)?;
        Ok(self.device(device))
    }

    /// What is kept of the device's user, and of the summary, once the device is retired.
    pub(crate) fn check_retire(&self, device: &D) -> Option<(Option<Kept>, Totals)> {
        let (_, record) = self.recorded(device)?;
        let (state, at) = (record.stamp.state(), record.stamp.at());
        let user = record.user.and_then(|user| self.users.get(user)).and_then(|(_, user)| {
            let mut user = *user;
            user.carry(state, at);
            Kept::of(&user)
        });
        let mut totals = self.totals();
        totals.devices.enter(state);
        Some((user, totals))
    }

    /// The totals after [`declare`](Self::declare).
    pub(crate) fn check_declare(&self, written: &Summary) -> Result<Totals, Refusal> {
        let Carried { devices, users } = self.weigh_declare(written)?;
        Ok(Totals { devices, users, last_run: written.last_run })
    }

    /// What is kept of a user after [`declare_user`](Self::declare_user).
    pub(crate) fn check_declare_user(
        &self,
        user: &U,
        written: &Counts,
        last_update: Option<DateTime>,
    ) -> Result<Kept, Refusal> {
        self.weigh_declare_user(user, written, last_update)
            .map(|record| Kept::of(&record).unwrap_or_default())
    }

    /// What [`undeclare_user`](Self::undeclare_user) would give.
    pub(crate) fn check_undeclare_user(&self, user: &U) -> Result<bool, Refusal> {
        self.weigh_undeclare_user(user).map(|record| record.is_some())
    }

    /// Makes the event what is recorded of its device, whatever was.
    pub(crate) fn restore(&mut self, event: &Event<D, U>) -> Result<(), Refusal> {
        if self.apply(event)? == super::Outcome::Stale {
            self.remove(&event.device)?;
            let _ = self.apply(event)?;
        }
        Ok(())
    }

    /// Makes this what is kept of a user.
    pub(crate) fn restore_user(&mut self, user: &U, kept: &Kept) -> Result<(), Refusal> {
        let known = self.users.find(user);
        let mut record = self.user_record(known);
        kept.carried
            .checked_add(&record.live())
            .map_err(|error| Refusal::UserOverflow(error.of(Of::Devices)))?;
        record.set_carried(kept.carried);
        record.set_carried_update(kept.last_update);
        record.declared = kept.declared;
        if known.is_none() && record.is_kept() && self.users.is_full() {
            return Err(Refusal::UsersFull { capacity: self.users.len() });
        }
        self.put_user(user, record)
    }

    /// Carries these totals on top of the rows; the last run is no earlier than theirs.
    pub(crate) fn restore_totals(&mut self, totals: &Totals) -> Result<(), Refusal> {
        let add =
            |of, carried: &Counts| self.live(of).checked_add(carried).map_err(|error| error.of(of));
        let (devices, users) = (add(Of::Devices, &totals.devices)?, add(Of::Users, &totals.users)?);
        let latest = self.devices.iter().map(|(_, _, record)| record.stamp.at()).max();
        let last_run = totals.last_run.max(latest);
        self.summary = Summary { devices, users, last_run };
        self.carried = Carried { devices: totals.devices, users: totals.users };
        Ok(())
    }
}
