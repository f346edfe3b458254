//! The rows behind the counts, as lists ask for them.

use super::cursor::Cursor;
use super::resources::Resources;
use crate::Event;
use crate::graph::Upn;
use crate::graph::shape::Select;
use crate::store::Rollout;

/// The rows of a list, in ascending order of their numbers. So following the links from page to page
/// ends, whatever comes and goes meanwhile, and meets every row that stays exactly once.
pub(super) trait Rows {
    /// The first row of this number or a higher one.
    fn next(&self, from: u16) -> Option<u16>;

    fn count(&self) -> usize;

    fn write(&self, number: u16, body: &mut Cursor<'_>);
}

pub(super) struct UserRows<'r, 's, const DEVICES: usize, const USERS: usize> {
    pub(super) resources: &'r dyn Resources<DEVICES, USERS>,
    pub(super) rollout: &'r Rollout<'s, DEVICES, USERS>,
    pub(super) select: Select,
}

impl<const DEVICES: usize, const USERS: usize> Rows for UserRows<'_, '_, DEVICES, USERS> {
    fn next(&self, from: u16) -> Option<u16> {
        self.rollout.tally().user_keys_from(from).next().map(|(handle, _)| handle.number())
    }

    fn count(&self) -> usize {
        self.rollout.tally().user_count()
    }

    fn write(&self, number: u16, body: &mut Cursor<'_>) {
        if let Some((_, user)) = self.rollout.tally().users_from(number).next() {
            self.resources.write_user(self.rollout, &user, self.select, body);
        }
    }
}

/// All devices, or those of one user.
pub(super) struct DeviceRows<'r, 's, const DEVICES: usize, const USERS: usize> {
    pub(super) resources: &'r dyn Resources<DEVICES, USERS>,
    pub(super) rollout: &'r Rollout<'s, DEVICES, USERS>,
    pub(super) user: Option<&'r Upn>,
    pub(super) select: Select,
}

impl<const DEVICES: usize, const USERS: usize> Rows for DeviceRows<'_, '_, DEVICES, USERS> {
    fn next(&self, from: u16) -> Option<u16> {
        let mut devices = self.rollout.tally().devices_from(from);
        let is_listed = |device: &Event<_, _>| self.user.is_none() || device.user == self.user;
        devices.find(|(_, device)| is_listed(device)).map(|(handle, _)| handle.number())
    }

    fn count(&self) -> usize {
        match self.user {
            Some(user) => self.rollout.tally().user_devices(user).count(),
            None => self.rollout.tally().device_count(),
        }
    }

    fn write(&self, number: u16, body: &mut Cursor<'_>) {
        if let Some((_, device)) = self.rollout.tally().devices_from(number).next() {
            let state = self.rollout.tally().counted(&device);
            self.resources.write_device(&device, state, self.select, body);
        }
    }
}
