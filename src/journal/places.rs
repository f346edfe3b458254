//! On which page of the log each row was written last.

use crate::RowId;

/// For every row the turn of the page with its newest entry, the low 16 bits of it: there are fewer
/// pages than that. What stands here for a row that is not taken, or for a user nothing is kept of,
/// has no meaning.
pub(super) struct Places<const DEVICES: usize, const USERS: usize> {
    devices: [u16; DEVICES],
    users: [u16; USERS],
}

impl<const DEVICES: usize, const USERS: usize> Places<DEVICES, USERS> {
    pub(super) const fn new() -> Self {
        Self { devices: [0; DEVICES], users: [0; USERS] }
    }

    pub(super) fn is_device_at(&self, row: RowId, turn: u16) -> bool {
        self.devices.get(usize::from(row.number())) == Some(&turn)
    }

    pub(super) fn is_user_at(&self, row: RowId, turn: u16) -> bool {
        self.users.get(usize::from(row.number())) == Some(&turn)
    }

    pub(super) fn set_device(&mut self, row: Option<RowId>, turn: u16) {
        set(&mut self.devices, row, turn);
    }

    pub(super) fn set_user(&mut self, row: Option<RowId>, turn: u16) {
        set(&mut self.users, row, turn);
    }

    /// All that was written on one page was brought along to another.
    pub(super) fn move_all(&mut self, from: u16, to: u16) {
        for place in self.devices.iter_mut().chain(&mut self.users) {
            if *place == from {
                *place = to;
            }
        }
    }
}

fn set(places: &mut [u16], row: Option<RowId>, turn: u16) {
    if let Some(place) = row.and_then(|row| places.get_mut(usize::from(row.number()))) {
        *place = turn;
    }
}
