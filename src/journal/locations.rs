//! On which page of the log each row was written last.

/// For every row the sequence number of the page with its newest entry, the low 16 bits of it: there
/// are fewer pages than that. What stands here for a row that is not taken, or for a user nothing is
/// kept of, has no meaning.
pub(super) struct Locations<const DEVICES: usize, const USERS: usize> {
    devices: [u16; DEVICES],
    users: [u16; USERS],
}

impl<const DEVICES: usize, const USERS: usize> Locations<DEVICES, USERS> {
    pub(super) const fn new() -> Self {
        Self { devices: [0; DEVICES], users: [0; USERS] }
    }

    pub(super) fn is_device_on(&self, row: u16, sequence: u16) -> bool {
        self.devices.get(usize::from(row)) == Some(&sequence)
    }

    pub(super) fn is_user_on(&self, row: u16, sequence: u16) -> bool {
        self.users.get(usize::from(row)) == Some(&sequence)
    }

    pub(super) fn set_device(&mut self, row: Option<u16>, sequence: u16) {
        set(&mut self.devices, row, sequence);
    }

    pub(super) fn set_user(&mut self, row: Option<u16>, sequence: u16) {
        set(&mut self.users, row, sequence);
    }

    /// Everything on one page was written again on another.
    pub(super) fn move_all(&mut self, from: u16, to: u16) {
        for location in self.devices.iter_mut().chain(&mut self.users) {
            if *location == from {
                *location = to;
            }
        }
    }
}

fn set(locations: &mut [u16], row: Option<u16>, sequence: u16) {
    if let Some(location) = row.and_then(|row| locations.get_mut(usize::from(row))) {
        *location = sequence;
    }
}
