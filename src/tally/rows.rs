//! What the journal asks of a tally: entries by row, so that it can remember where each was written.

use core::hash::Hash;

use super::entry::PARTS;
use super::plan::Plan;
use super::record::{Linked, UserRecord};
use super::{Change, Effect, Entry, Kept, Refusal, Tally, Totals};
use crate::Event;
use crate::table::{RowId, Storage};

/// One thing that a change leaves.
pub(crate) enum After<'t, D, U> {
    Entry(Entry<&'t D, &'t U>),
    /// The tombstone of this device goes, because another device takes its row.
    Forgotten(&'t D),
    /// The row of this user goes, and with it the links of tombstones.
    Unlinked(&'t U),
}

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> Tally<D, U, DEVICES, USERS, S>
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

    /// The row of the oldest tombstone that is not of `device`.
    pub(crate) fn oldest_tombstone(&self, device: Option<&D>) -> Option<u16> {
        let mut freed = self.freed().filter(|(_, tombstoned, _)| Some(*tombstoned) != device);
        freed.next().map(|(row, ..)| row.number())
    }

    /// The device whose tombstone is in this row.
    pub(crate) fn tombstone_in(&self, row: u16) -> Option<&D> {
        let (device, record) = self.devices.get(RowId::from_number(row)?)?;
        (!record.is_live()).then_some(device)
    }

    /// The device whose tombstone goes when this one takes a row.
    pub(crate) fn displaced_by(&self, device: &D) -> Option<&D> {
        let takes_freed = self.devices.is_full() && self.devices.find(device).is_none();
        if takes_freed { self.freed().next().map(|(_, device, _)| device) } else { None }
    }

    /// Drops a device's tombstone.
    pub(crate) fn forget(&mut self, device: &D) {
        if let Some(row) = self.devices.find(device) {
            self.forget_row(row.number());
        }
    }

    /// Drops the tombstone in this row.
    pub(crate) fn forget_row(&mut self, row: u16) {
        if self.tombstone_in(row).is_some()
            && let Some(row) = RowId::from_number(row)
        {
            self.reuse(row);
            self.devices.remove(row);
        }
    }

    /// What a change would come to; `each` gets what it would leave, until it gives none, which the
    /// second says.
    ///
    /// A visitor and no iterator, so that one entry at a time is on the stack.
    #[inline(never)]
    pub(crate) fn each_after(
        &self,
        change: &Change<D, U>,
        each: &mut dyn FnMut(After<'_, D, U>) -> Option<()>,
    ) -> Result<(Effect, Option<()>), Refusal> {
        let mut plan = Plan::new(self);
        self.plan(change, &mut plan)?;
        let unlinked = self.unlinked_by(change, &plan);
        let displaced = match change {
            Change::Event(Event { device, .. }) | Change::Remove { device, .. } => {
                self.displaced_by(device)
            }
            _ => None,
        };
        let mut is_taken = unlinked.map_or(Some(()), |user| each(After::Unlinked(user)));
        for part in 0..PARTS {
            let entry = self.entry_after(change, &plan, part);
            let Some(entry) = entry.filter(|_| is_taken.is_some()) else { continue };
            is_taken = match entry {
                // It is said already.
                Entry::User { user, .. } if Some(user) == unlinked => Some(()),
                Entry::Device(_) | Entry::Removed { .. } => displaced
                    .map_or(Some(()), |device| each(After::Forgotten(device)))
                    .and_then(|()| each(After::Entry(entry))),
                _ => each(After::Entry(entry)),
            };
        }
        Ok((plan.effect, is_taken))
    }

    /// The user whose row goes with this change although tombstones link to it: they lose the link
    /// then, also if the user comes back.
    fn unlinked_by<'t>(&'t self, change: &'t Change<D, U>, plan: &Plan) -> Option<&'t U> {
        let goes = |user: &UserRecord| user.linked != Linked::No && !user.keeps_row();
        if let Some((row, left)) = &plan.left
            && goes(left)
        {
            return self.users.get(*row).map(|(user, _)| user);
        }
        match change {
            Change::DeclareUser { user, .. } | Change::UndeclareUser { user }
                if plan.user.as_ref().is_some_and(goes) =>
            {
                Some(user)
            }
            _ => None,
        }
    }

    /// Nothing is kept of a user any more, and no tombstone links there. The row goes, or goes with
    /// the user's last device, which is restored next.
    pub(crate) fn unlink(&mut self, user: &U) -> Result<(), Refusal> {
        let Some(row) = self.users.find(user) else { return Ok(()) };
        self.restore_user(user, &Kept::default())?;
        let Some(record) = self.users.value_mut(row) else { return Ok(()) };
        record.linked = Linked::No;
        let keeps_row = record.keeps_row();
        self.unlink_tombstones(row);
        if !keeps_row {
            self.users.remove(row);
        }
        Ok(())
    }
}
