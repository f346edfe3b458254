//! A roll-out's rows and totals as the resources of its kind.

use uuid::Uuid;

use super::cursor::Cursor;
use crate::graph::shape::{Select, Shape};
use crate::graph::{
    DeviceState, RunSummary, ScriptDeviceState, ScriptRunSummary, ScriptUserState, Text, Upn,
    UserState, device_state, run_summary, script_device_state, script_run_summary,
    script_user_state, summary_id, user_state, user_state_id,
};
use crate::store::{Kind, Rollout, error_count};
use crate::{Event, RunState, Summary, UserRow};

/// What the summary, the devices and the users of a roll-out look like on the wire.
pub(super) struct Shapes {
    pub(super) summary: &'static Shape,
    pub(super) device: &'static Shape,
    pub(super) user: &'static Shape,
}

pub(super) const fn shapes(kind: Kind) -> Shapes {
    match kind {
        Kind::Configuration => Shapes {
            summary: &run_summary::SHAPE,
            device: &device_state::SHAPE,
            user: &user_state::SHAPE,
        },
        Kind::Script => Shapes {
            summary: &script_run_summary::SHAPE,
            device: &script_device_state::SHAPE,
            user: &script_user_state::SHAPE,
        },
    }
}

#[inline(never)]
pub(super) fn write_summary<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    select: Select,
    body: &mut Cursor<'_>,
) {
    let (id, summary) = (summary_id(&rollout.id().id), rollout.tally().summary());
    match rollout.id().kind {
        Kind::Configuration => {
            body.resource(&RunSummary { id: Some(id), summary: *summary }, select);
        }
        Kind::Script => {
            let Summary { devices, users, .. } = summary;
            let summary = ScriptRunSummary {
                id: Some(id),
                success_devices: devices[RunState::Success],
                error_devices: error_count(devices),
                success_users: users[RunState::Success],
                error_users: error_count(users),
            };
            body.resource(&summary, select);
        }
    }
}

/// A device with the state it counts in.
#[inline(never)]
pub(super) fn write_device<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    recorded: &Event<&Uuid, &Upn>,
    select: Select,
    body: &mut Cursor<'_>,
) {
    let state = rollout.tally().counted(recorded);
    let (device, at) = (*recorded.device, recorded.at);
    match rollout.id().kind {
        Kind::Configuration => {
            body.resource(&DeviceState::row(device, recorded.user, state, at), select);
        }
        Kind::Script => body.resource(&ScriptDeviceState::row(device, state, at), select),
    }
}

#[inline(never)]
pub(super) fn write_user<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    user: &UserRow<'_, Upn>,
    select: Select,
    body: &mut Cursor<'_>,
) {
    let (id, devices) = (user_state_id(&rollout.id().id, user.user), user.reported());
    match rollout.id().kind {
        Kind::Configuration => {
            let names = rollout.names(user.user);
            // A row has devices, or it was declared; either brings a last update.
            let Some(last_update) = user.last_update else { return };
            let state = UserState {
                id: Some(id),
                upn: user.user.into(),
                email: names.email.as_ref().map(Text::from),
                name: names.name.as_ref().map(Text::from),
                last_update,
                devices,
            };
            body.resource(&state, select);
        }
        Kind::Script => {
            let state = ScriptUserState {
                id: Some(id),
                success_devices: devices[RunState::Success],
                error_devices: error_count(&devices),
                upn: user.user.clone(),
            };
            body.resource(&state, select);
        }
    }
}
