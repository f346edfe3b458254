//! What the journal asks of a tally: entries by row, so that it can remember where each was written.

use core::hash::Hash;

use super::plan::Plan;
use super::record::{Linked, UserRecord};
use super::{Change, Entry, Kept, Refusal, Tally, Totals};
use crate::table::RowId;

impl<D, U, const DEVICES: usize, const USERS: usize> Tally<D, U, DEVICES, USERS>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// True if the tally is as [`new`](Self::new) makes it, whatever its seed.
    pub(crate) fn is_new(&self) -> bool {
        self.devices.len() == 0 && self.users.len() == 0 && self.totals() == Totals::default()
    }

    /// The row of a device, live or a tombstone.
    pub(crate) fn row(&self, device: &D) -> Option<u16> {
        self.devices.find(device).map(RowId::number)
    }

    /// The row of a user.
    pub(crate) fn user_row(&self, user: &U) -> Option<u16> {
        self.users.find(user).map(RowId::number)
    }

    /// The rows of devices: those that are live, then tombstones from the oldest on.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u16, Entry<&D, &U>)> {
        let live = self.devices.iter().filter(|(_, _, record)| record.is_live());
        live.chain(self.freed())
            .map(|(row, device, record)| (row.number(), self.entry_of(device, record)))
    }

    /// The rows of users of whom something is kept beside their devices.
    pub(crate) fn kept_users(&self) -> impl Iterator<Item = (u16, Entry<&D, &U>)> {
        self.users.iter().filter_map(|(row, user, record)| {
            Some((row.number(), Entry::User { user, kept: Kept::of(record)? }))
        })
    }

    /// The entry of a device, live or a tombstone.
    pub(crate) fn device_entry(&self, device: &D) -> Option<Entry<&D, &U>> {
        let (device, record) = self.devices.get(self.devices.find(device)?)?;
        Some(self.entry_of(device, record))
    }

    /// The entry of a user of whom something is kept.
    pub(crate) fn user_entry(&self, user: &U) -> Option<Entry<&D, &U>> {
        let (user, record) = self.users.get(self.users.find(user)?)?;
        Some(Entry::User { user, kept: Kept::of(record)? })
    }

    /// The devices that have a tombstone, from the oldest on.
    pub(crate) fn tombstoned(&self) -> impl Iterator<Item = &D> {
        self.freed().map(|(_, device, _)| device)
    }

    /// The device whose tombstone goes when this one takes a row.
    pub(crate) fn displaced_by(&self, device: &D) -> Option<&D> {
        let takes_freed = self.devices.is_full() && self.devices.find(device).is_none();
        if takes_freed { self.tombstoned().next() } else { None }
    }

    /// Drops a tombstone.
    pub(crate) fn forget(&mut self, device: &D) {
        let Some(row) = self.devices.find(device) else { return };
        if self.devices.get(row).is_some_and(|(_, record)| !record.is_live()) {
            self.reuse(row);
            self.devices.remove(row);
        }
    }

    /// The user whose row goes with this change although tombstones link to it: they lose the link
    /// then, also if the user comes back.
    pub(crate) fn unlinked_by<'t>(
        &'t self,
        change: &'t Change<D, U>,
    ) -> Result<Option<&'t U>, Refusal> {
        let mut plan = Plan::new(self);
        self.plan(change, &mut plan)?;
        let goes = |user: &UserRecord| user.linked != Linked::No && !user.keeps_row();
        if let Some((row, left)) = &plan.left
            && goes(left)
        {
            return Ok(self.users.get(*row).map(|(user, _)| user));
        }
        Ok(match change {
            Change::DeclareUser { user, .. } | Change::UndeclareUser { user }
                if plan.user.as_ref().is_some_and(goes) =>
            {
                Some(user)
            }
            _ => None,
        })
    }

    /// A user's row went although tombstones linked to it, or goes with the user's last device, which
    /// is restored next.
    pub(crate) fn unlink(&mut self, user: &U) {
        let Some(row) = self.users.find(user) else { return };
        let Some(record) = self.users.value_mut(row) else { return };
        record.linked = Linked::No;
        let keeps_row = record.keeps_row();
        self.unlink_tombstones(row);
        if !keeps_row {
            self.users.remove(row);
        }
    }
}
