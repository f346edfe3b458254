//! The resources of a management script.

use uuid::Uuid;

use super::Settings;
use super::answer::{Answer, Refused};
use super::cursor::Cursor;
use super::problem::Problem;
use super::resources::{Resources, Shapes};
use super::write::{begin_declaration, counted, declare, decoded, must_be, put_report, received};
use crate::graph::shape::Select;
use crate::graph::{
    ScriptDeviceState, ScriptRunSummary, ScriptUserState, Upn, script_device_state,
    script_run_summary, script_user_state, summary_id, user_state_id,
};
use crate::store::{Kind, NamesUpdate, Rollout, StoreChange, error_count};
use crate::{Change, Counted, Counter, Counts, Entry, Event, Refusal, RunState, Summary, UserRow};

pub(super) struct Script;

impl<const DEVICES: usize, const USERS: usize> Resources<DEVICES, USERS> for Script {
    fn shapes(&self) -> Shapes {
        Shapes {
            summary: &script_run_summary::SHAPE,
            device: &script_device_state::SHAPE,
            user: &script_user_state::SHAPE,
        }
    }

    fn write_summary(
        &self,
        rollout: &Rollout<'_, DEVICES, USERS>,
        select: Select,
        body: &mut Cursor<'_>,
    ) {
        let Summary { devices, users, .. } = rollout.tally().summary();
        let summary = ScriptRunSummary {
            id: Some(summary_id(&rollout.id().id)),
            success_devices: devices[RunState::Success],
            error_devices: error_count(devices),
            success_users: users[RunState::Success],
            error_users: error_count(users),
        };
        body.resource(&summary, select);
    }

    fn write_device(
        &self,
        recorded: &Event<&Uuid, &Upn>,
        state: RunState,
        select: Select,
        body: &mut Cursor<'_>,
    ) {
        body.resource(&ScriptDeviceState::row(*recorded.device, state, recorded.at), select);
    }

    fn write_user(
        &self,
        rollout: &Rollout<'_, DEVICES, USERS>,
        user: &UserRow<'_, Upn>,
        select: Select,
        body: &mut Cursor<'_>,
    ) {
        let devices = user.reported();
        let state = ScriptUserState {
            id: Some(user_state_id(&rollout.id().id, user.user)),
            success_devices: devices[RunState::Success],
            error_devices: error_count(&devices),
            upn: user.user.clone(),
        };
        body.resource(&state, select);
    }

    fn declare_summary(
        &self,
        rollout: &Rollout<'_, DEVICES, USERS>,
        body: &[u8],
        _creates: bool,
        answer: &mut Answer<'_, '_, '_>,
    ) -> Result<u16, Refused> {
        let mut written = ScriptRunSummary::empty();
        decoded(written.read(body), answer)?;
        let id = summary_id(&rollout.id().id);
        must_be("id", written.id.is_none_or(|given| given == id), answer)?;
        let (tally, now) = (rollout.tally(), rollout.tally().summary());
        let (success, error) = (written.success_devices, written.error_devices);
        let live = tally.live(Counted::Devices);
        let devices = total(Counted::Devices, &now.devices, &live, success, error, answer)?;
        let (success, error) = (written.success_users, written.error_users);
        let live = tally.live(Counted::Users);
        let users = total(Counted::Users, &now.users, &live, success, error, answer)?;
        let change = Change::Declare(Summary { devices, users, ..*now });
        *answer.change = Some(StoreChange::new(rollout.id(), change));
        Ok(204)
    }

    fn declare_user<'r>(
        &self,
        rollout: &Rollout<'_, DEVICES, USERS>,
        _known: Option<u16>,
        body: &'r [u8],
        answer: &mut Answer<'_, '_, 'r>,
    ) -> Result<(), Refused> {
        let mut state = ScriptUserState::empty();
        decoded(state.read(body), answer)?;
        put_user(rollout, &mut state, answer)
    }

    fn report(
        &self,
        rollout: &Rollout<'_, DEVICES, USERS>,
        user: Option<&Upn>,
        body: &[u8],
        settings: &Settings<'_>,
        answer: &mut Answer<'_, '_, '_>,
    ) -> Result<Uuid, Refused> {
        let mut state = ScriptDeviceState::empty();
        decoded(state.read(body), answer)?;
        put_event(rollout, user, &mut state, settings, answer)
    }
}

/// Declares a user.
// Out of line, like what follows, so that reading the body does not pay for its stack.
#[inline(never)]
fn put_user<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    state: &mut ScriptUserState,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<(), Refused> {
    let id = user_state_id(&rollout.id().id, &state.upn);
    must_be("id", state.id.is_none_or(|given| given == id), answer)?;
    let known = rollout.tally().user(&state.upn);
    let is_declared = known.is_some_and(|user| user.declared);
    answer.require(!is_declared, Problem::UserExists(Kind::Script))?;
    let (reported, live) =
        known.map_or((Counts::ZERO, Counts::ZERO), |user| (user.reported(), user.live));
    let (success, error) = (state.success_devices, state.error_devices);
    let devices = total(Counted::Devices, &reported, &live, success, error, answer)?;
    state.id = Some(id);
    answer.body.resource(state, Select::ALL);
    answer.fits()?;
    begin_declaration(rollout.id(), (&state.upn).into(), answer)?;
    declare(&devices, None, NamesUpdate::default(), answer);
    Ok(())
}

/// Applies an event, stamped.
#[inline(never)]
fn put_event<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    user: Option<&Upn>,
    state: &mut ScriptDeviceState<'_>,
    settings: &Settings<'_>,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<Uuid, Refused> {
    state.last_update = received(state.last_update, settings);
    let recorded = state.state;
    state.state = counted(rollout, recorded, state.last_update);
    answer.body.resource(state, Select::ALL);
    answer.fits()?;
    state.state = recorded;
    // The flat path names no user, so a known device keeps its own.
    let user = user.or_else(|| match rollout.tally().tombstone(&state.id) {
        Some(Entry::Retired { event, .. }) => event.user,
        _ => rollout.tally().device(&state.id)?.user,
    });
    put_report(rollout.id(), || state.event(user), answer);
    Ok(state.id)
}

/// Six totals that show as `success` and `error`. What of `error` no failed row accounts for is
/// declared as script error, whatever it was declared as before; the other states stay.
fn total(
    of: Counted,
    reported: &Counts,
    live: &Counts,
    success: u32,
    error: u32,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<Counts, Refused> {
    let (failed, state) = (live[RunState::Fail], RunState::ScriptError);
    let broken = error.checked_sub(failed).filter(|&broken| broken >= live[state]);
    let counter = Counter { of, state };
    let below = Refusal::BelowLive { counter, written: error, live: error_count(live) };
    let broken = answer.found(broken, Problem::Refused(&below))?;
    let with = |counts: Counts, state, count| counts.with(state, count);
    let counts = with(*reported, RunState::Success, success)
        .and_then(|counts| with(counts, RunState::Fail, failed))
        .and_then(|counts| with(counts, state, broken));
    counts.map_err(|error| answer.refuse(Problem::Refused(&error.of(of).into())))
}
