//! The resources of a hardware configuration.

use uuid::Uuid;

use super::Settings;
use super::answer::{Answer, Refused};
use super::cursor::Cursor;
use super::problem::Problem;
use super::resources::{Resources, Shapes};
use super::write::{
    begin_declaration, counted, declare, declared, decoded, must_be, put_report, received,
};
use crate::graph::shape::Select;
use crate::graph::{
    DeviceState, Error, RunSummary, RunSummaryUpdate, Text, Upn, UserState, UserStateUpdate,
    device_state, run_summary, summary_id, user_state, user_state_id,
};
use crate::store::{Kind, Names, NamesUpdate, Rollout, RolloutId, StoreChange};
use crate::{Change, Counts, DateTime, Event, RunState, Summary, UserRow};

pub(super) struct Configuration;

/// 0001-01-01, which Graph shows for a time that is not set: the last update of a user who has no
/// devices and was declared without one, which no request does.
const NEVER: DateTime = DateTime::utc(-719_162 * 86_400 * DateTime::TICKS_PER_SECOND);

impl<const DEVICES: usize, const USERS: usize> Resources<DEVICES, USERS> for Configuration {
    fn shapes(&self) -> Shapes {
        Shapes {
            summary: &run_summary::SHAPE,
            device: &device_state::SHAPE,
            user: &user_state::SHAPE,
        }
    }

    fn write_summary(
        &self,
        rollout: &Rollout<'_, DEVICES, USERS>,
        select: Select,
        body: &mut Cursor<'_>,
    ) {
        let (id, summary) = (summary_id(&rollout.id().id), *rollout.tally().summary());
        body.resource(&RunSummary { id: Some(id), summary }, select);
    }

    fn write_device(
        &self,
        recorded: &Event<&Uuid, &Upn>,
        state: RunState,
        select: Select,
        body: &mut Cursor<'_>,
    ) {
        let row = DeviceState::row(*recorded.device, recorded.user, state, recorded.at);
        body.resource(&row, select);
    }

    fn write_user(
        &self,
        rollout: &Rollout<'_, DEVICES, USERS>,
        user: &UserRow<'_, Upn>,
        select: Select,
        body: &mut Cursor<'_>,
    ) {
        let names = rollout.names(user.user);
        let state = UserState {
            id: Some(user_state_id(&rollout.id().id, user.user)),
            upn: user.user.into(),
            email: names.email.as_ref().map(Text::from),
            name: names.name.as_ref().map(Text::from),
            last_update: user.last_update.unwrap_or(NEVER),
            devices: user.reported(),
        };
        body.resource(&state, select);
    }

    fn declare_summary(
        &self,
        rollout: &Rollout<'_, DEVICES, USERS>,
        body: &[u8],
        creates: bool,
        answer: &mut Answer<'_, '_, '_>,
    ) -> Result<u16, Refused> {
        let mut update = RunSummaryUpdate::empty();
        decoded(update.read(body), answer)?;
        answer.require(!(creates && rollout.is_created()), Problem::SummaryExists)?;
        let before = (!creates).then_some(rollout.tally().summary());
        put_summary(rollout.id(), &update, before, answer)?;
        Ok(if creates { 201 } else { 200 })
    }

    fn declare_user<'r>(
        &self,
        rollout: &Rollout<'_, DEVICES, USERS>,
        known: Option<u16>,
        body: &'r [u8],
        answer: &mut Answer<'_, '_, 'r>,
    ) -> Result<(), Refused> {
        // Read in place: what is handed up takes its stack twice.
        let mut update = UserStateUpdate::empty();
        decoded(update.read(body), answer)?;
        put_user(rollout, known, &update, answer)
    }

    fn report(
        &self,
        rollout: &Rollout<'_, DEVICES, USERS>,
        _user: Option<&Upn>,
        body: &[u8],
        settings: &Settings<'_>,
        answer: &mut Answer<'_, '_, '_>,
    ) -> Result<Uuid, Refused> {
        let mut state = DeviceState::empty();
        decoded(state.read(body), answer)?;
        put_event(rollout, &mut state, settings, answer)
    }
}

/// Declares a user, with what the body gives on top of what is known.
// Out of line, like what follows, so that reading the body does not pay for its stack.
#[inline(never)]
fn put_user<'r, const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    known: Option<u16>,
    update: &UserStateUpdate<'r>,
    answer: &mut Answer<'_, '_, 'r>,
) -> Result<(), Refused> {
    let known = known.and_then(|row| rollout.tally().users_from(row).next());
    let known = known.map(|(_, user)| user);
    let upn = update.upn.or(known.as_ref().map(|known| known.user.into()));
    let upn = answer.found(upn, Problem::Document(&Error::missing("upn")))?;
    let (names, last_update, devices) = if let Some(known) = &known {
        (rollout.names(known.user), known.last_update, known.reported())
    } else {
        decoded(update.complete().map(drop), answer)?;
        (const { &Names::NONE }, None, Counts::ZERO)
    };
    begin_declaration(rollout.id(), upn, answer)?;
    let Some(user) = declared(answer) else { return Ok(()) };
    let key = known.as_ref().map_or(user, |known| known.user);
    let id = user_state_id(&rollout.id().id, key);
    let (is_same, is_declared) = (user == key, known.is_none() && rollout.is_declared_user(user));
    must_be("id", update.id.is_none_or(|given| given == id), answer)?;
    must_be("upn", is_same, answer)?;
    answer.require(!is_declared, Problem::UserExists(Kind::Configuration))?;
    let state = UserState {
        id: Some(id),
        upn,
        email: update.email.unwrap_or(names.email.as_ref().map(Text::from)),
        name: update.name.unwrap_or(names.name.as_ref().map(Text::from)),
        last_update: update.last_update.or(last_update).unwrap_or(NEVER),
        devices: update.devices.apply_to(devices),
    };
    answer.body.resource(&state, Select::ALL);
    answer.fits()?;
    let names = NamesUpdate { email: update.email, name: update.name };
    declare(&state.devices, Some(state.last_update), names, answer);
    Ok(())
}

/// Applies an event, stamped, and pending if it is on an older version.
#[inline(never)]
fn put_event<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    state: &mut DeviceState<'_>,
    settings: &Settings<'_>,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<Uuid, Refused> {
    state.last_update = received(state.last_update, settings);
    // A report on an older version says nothing about this one.
    let current = rollout.version();
    let is_older = |version| current != 0 && version < current;
    if state.internal_version.is_some_and(is_older) {
        state.state = RunState::Pending;
    }
    let recorded = state.state;
    state.state = counted(rollout, recorded, state.last_update);
    answer.body.resource(state, Select::ALL);
    answer.fits()?;
    state.state = recorded;
    put_report(rollout.id(), || state.event(), answer);
    Ok(state.id)
}

/// `POST {H}/runSummary` of a configuration that is not known yet.
#[inline(never)]
pub(super) fn create_summary(
    id: RolloutId,
    body: &[u8],
    answer: &mut Answer<'_, '_, '_>,
) -> Result<(), Refused> {
    let mut update = RunSummaryUpdate::empty();
    decoded(update.read(body), answer)?;
    put_summary(id, &update, None, answer)?;
    answer.done(201)
}

/// Declares the totals of a body: all of them, which creates a summary, or some on top of those
/// before.
#[inline(never)]
fn put_summary(
    rollout: RolloutId,
    update: &RunSummaryUpdate,
    before: Option<&Summary>,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<(), Refused> {
    let id = summary_id(&rollout.id);
    must_be("id", update.id.is_none_or(|given| given == id), answer)?;
    if before.is_none() {
        decoded(update.complete().map(drop), answer)?;
    }
    let summary = update.apply_to(before.copied().unwrap_or_default());
    answer.body.resource(&RunSummary { id: Some(id), summary }, Select::ALL);
    answer.fits()?;
    let change = StoreChange::new(rollout, Change::Declare(summary));
    answer.change.insert(change).creates = before.is_none();
    Ok(())
}
