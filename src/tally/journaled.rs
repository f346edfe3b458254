//! What the journal asks of a tally: entries by row, so that it can remember where each was written.

use core::hash::Hash;

use super::{Entry, Kept, Refusal, Tally, Totals};

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
        self.devices.find(device).map(|row| row.number())
    }

    /// The row of a user.
    pub(crate) fn user_row(&self, user: &U) -> Option<u16> {
        self.users.find(user).map(|row| row.number())
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

    /// [`restore`](Self::restore) in the order of a log from which the oldest entries are gone: a
    /// user who went may still have a row then, that of a retired device.
    pub(crate) fn replay(&mut self, entry: &Entry<D, U>) -> Result<(), Refusal> {
        match self.restore(entry) {
            Err(Refusal::UsersFull { .. }) => {
                self.drop_unkept_users();
                self.restore(entry)
            }
            result => result,
        }
    }
}
