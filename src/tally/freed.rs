//! The freed rows of devices, in the order they were freed. Each holds a tombstone until a new
//! device takes the row.
//!
//! ```text
//!           ┌─────────┐ sibling ┌─────────┐ sibling ┌─────────┐
//!  oldest ─>│ removed ├────────>│ retired ├────────>│ removed │<─ newest
//!           │         │         │ user ─> │   ┌─────┤ user    │   what a tombstone of a removed
//!           └─────────┘         └─────────┘<──┘     └─────────┘   device links back with
//! ```
//!
//! A row has two links. A removed device has no user, so its tombstone links both ways and leaves
//! the list in constant time. A retired one needs a link for its user; finding the row before it
//! takes a walk.

use core::hash::Hash;
use core::iter;

use super::Tally;
use super::record::{DeviceRecord, Tombstone};
use crate::table::{RowId, Storage};

/// Both ends of the list. Empty is all zero bytes.
#[derive(Clone, Copy, Default)]
pub(super) struct Freed {
    pub(super) oldest: Option<RowId>,
    pub(super) newest: Option<RowId>,
}

impl Freed {
    pub(super) const NONE: Self = Self { oldest: None, newest: None };
}

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> Tally<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// Makes `tombstone` the record of a row that is in use, and the row the newest of the list.
    pub(super) fn free(&mut self, row: RowId, mut tombstone: DeviceRecord) {
        let before = self.freed.newest.replace(row);
        match before {
            Some(before) => self.set_after(before, Some(row)),
            None => self.freed.oldest = Some(row),
        }
        if let Some(Tombstone::Removed) = tombstone.tombstone() {
            tombstone.user = before;
        }
        tombstone.sibling = None;
        if let Some(record) = self.devices.value_mut(row) {
            *record = tombstone;
        }
    }

    /// Takes a freed row out of the list. What its record is then is the caller's to say.
    pub(super) fn reuse(&mut self, row: RowId) {
        let Some(record) = self.devices.get(row).map(|(_, record)| *record) else { return };
        let (before, after) = (self.freed_before(row, &record), record.sibling);
        match before {
            Some(before) => self.set_after(before, after),
            None => self.freed.oldest = after,
        }
        match after {
            Some(after) => self.set_before(after, before),
            None => self.freed.newest = before,
        }
    }

    /// Replaces a tombstone where it is. A retired device that is removed stays in the list where
    /// it was: its row was freed when it was retired.
    pub(super) fn rebury(&mut self, row: RowId, mut tombstone: DeviceRecord) {
        let Some(record) = self.devices.get(row).map(|(_, record)| *record) else { return };
        if let Some(Tombstone::Removed) = tombstone.tombstone() {
            tombstone.user = self.freed_before(row, &record);
        }
        tombstone.sibling = record.sibling;
        if let Some(record) = self.devices.value_mut(row) {
            *record = tombstone;
        }
    }

    /// A row for a new device: one never used, or the one freed longest ago. None if every row
    /// holds a device.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn insert_device(&mut self, device: &D, record: DeviceRecord) -> Option<RowId> {
        if !self.devices.is_full() {
            return self.devices.insert(device, record);
        }
        let row = self.freed.oldest?;
        self.reuse(row);
        self.devices.replace(row, device, record)
    }

    /// The freed rows, the one freed longest ago first: no more than there are rows.
    pub(super) fn freed(&self) -> impl Iterator<Item = (RowId, &D, &DeviceRecord)> + Clone {
        let row = |id| self.devices.get(id).map(|(device, record)| (id, device, record));
        iter::successors(self.freed.oldest.and_then(row), move |(_, _, record)| {
            record.sibling.and_then(row)
        })
        .take(self.devices.len().into())
    }

    /// Forgets the links of tombstones to a user whose row goes.
    pub(super) fn unlink_tombstones(&mut self, user: RowId) {
        let mut next = self.freed.oldest;
        while let Some(record) = next.and_then(|row| self.devices.value_mut(row)) {
            if let Some(Tombstone::Retired { .. }) = record.tombstone()
                && record.user == Some(user)
            {
                record.user = None;
            }
            next = record.sibling;
        }
    }

    fn freed_before(&self, row: RowId, record: &DeviceRecord) -> Option<RowId> {
        match record.tombstone() {
            Some(Tombstone::Removed) => record.user,
            _ => self.freed().find(|(_, _, before)| before.sibling == Some(row)).map(|it| it.0),
        }
    }

    fn set_after(&mut self, row: RowId, after: Option<RowId>) {
        if let Some(record) = self.devices.value_mut(row) {
            record.sibling = after;
        }
    }

    fn set_before(&mut self, row: RowId, before: Option<RowId>) {
        if let Some(record) = self.devices.value_mut(row)
            && let Some(Tombstone::Removed) = record.tombstone()
        {
            record.user = before;
        }
    }
}
