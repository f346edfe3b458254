//! What differs between configurations and scripts: their resources on the wire.

use uuid::Uuid;

use super::Settings;
use super::answer::{Answer, Refused};
use super::cursor::Cursor;
use crate::graph::Upn;
use crate::graph::shape::{Select, Shape};
use crate::store::Rollout;
use crate::{Event, RunState, UserRow};

/// The resources of one kind of roll-out.
///
/// What reads a body makes the change it asks for the answer's; whether the tally takes that is
/// asked afterwards, when the stack that reading took is free again.
pub(super) trait Resources<const DEVICES: usize, const USERS: usize> {
    fn shapes(&self) -> Shapes;

    fn write_summary(
        &self,
        rollout: &Rollout<'_, DEVICES, USERS>,
        select: Select,
        body: &mut Cursor<'_>,
    );

    /// `state` is the one that the device counts in.
    fn write_device(
        &self,
        recorded: &Event<&Uuid, &Upn>,
        state: RunState,
        select: Select,
        body: &mut Cursor<'_>,
    );

    fn write_user(
        &self,
        rollout: &Rollout<'_, DEVICES, USERS>,
        user: &UserRow<'_, Upn>,
        select: Select,
        body: &mut Cursor<'_>,
    );

    /// Reads totals; gives the status of the answer.
    fn declare_summary(
        &self,
        rollout: &Rollout<'_, DEVICES, USERS>,
        body: &[u8],
        creates: bool,
        answer: &mut Answer<'_, '_, '_>,
    ) -> Result<u16, Refused>;

    /// Reads a user's totals. `known` is the number of the row of the user that the path names.
    fn declare_user<'r>(
        &self,
        rollout: &Rollout<'_, DEVICES, USERS>,
        known: Option<u16>,
        body: &'r [u8],
        answer: &mut Answer<'_, '_, 'r>,
    ) -> Result<(), Refused>;

    /// Reads an event; gives its device. `user` is the one that the path names.
    fn report(
        &self,
        rollout: &Rollout<'_, DEVICES, USERS>,
        user: Option<&Upn>,
        body: &[u8],
        settings: &Settings<'_>,
        answer: &mut Answer<'_, '_, '_>,
    ) -> Result<Uuid, Refused>;
}

/// What the summary, the devices and the users of a roll-out look like on the wire.
pub(super) struct Shapes {
    pub(super) summary: &'static Shape,
    pub(super) device: &'static Shape,
    pub(super) user: &'static Shape,
}
