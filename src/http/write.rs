//! Writes: a body becomes a change, and the answer shows what is there once it is committed.

use uuid::Uuid;

use super::answer::{Answer, Refused};
use super::problem::{Problem, Thing};
use super::{Settings, resources};
use crate::graph::shape::Select;
use crate::graph::{
    DeviceState, Error, RunSummary, RunSummaryUpdate, ScriptDeviceState, ScriptRunSummary,
    ScriptUserState, Text, Upn, UserState, UserStateUpdate, summary_id, user_state_id,
};
use crate::store::{Kind, NamesUpdate, Rollout, RolloutId, StoreChange, error_count};
use crate::{
    Change, Counted, Counter, Counts, DateTime, Effect, Entry, Event, Refusal, RunState, Summary,
};

/// The document, or the answer is what is wrong with it.
fn decoded<T>(document: Result<T, Error>, answer: &mut Answer<'_, '_>) -> Result<T, Refused> {
    document.map_err(|error| answer.refuse(&Problem::Document(error)))
}

/// An id in the body must be the one that the path or the resource says.
fn must_be(
    property: &'static str,
    is_same: bool,
    answer: &mut Answer<'_, '_>,
) -> Result<(), Refused> {
    answer.require(is_same, &Problem::Mismatch { property })
}

/// A change that the roll-out's tally takes becomes the answer's.
#[inline(never)]
fn plan<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    change: Change<Uuid, Upn>,
    answer: &mut Answer<'_, '_>,
) -> Result<Effect, Refused> {
    match rollout.check(&change) {
        Ok(effect) => {
            answer.change = Some(StoreChange::new(rollout.id(), change));
            Ok(effect)
        }
        Err(refusal) => Err(answer.refuse(&Problem::Refused(refusal))),
    }
}

/// `POST {H}/runSummary` of a configuration that is not known yet.
#[inline(never)]
pub(super) fn create_summary(
    id: RolloutId,
    body: &[u8],
    answer: &mut Answer<'_, '_>,
) -> Result<(), Refused> {
    let update = decoded(RunSummaryUpdate::decode(body), answer)?;
    let summary = summary_of(id, &update, None, answer)?;
    let change = StoreChange::new(id, Change::Declare(summary));
    answer.change = Some(StoreChange { creates: true, ..change });
    answer.done(201)
}

/// `POST {H}/runSummary` and `PATCH {H}/runSummary`.
#[inline(never)]
pub(super) fn declare_summary<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    body: &[u8],
    creates: bool,
    answer: &mut Answer<'_, '_>,
) -> Result<(), Refused> {
    let update = decoded(RunSummaryUpdate::decode(body), answer)?;
    answer.require(!(creates && rollout.is_declared()), &Problem::Declared(Thing::Summary))?;
    let before = (!creates).then_some(rollout.tally().summary());
    let summary = summary_of(rollout.id(), &update, before, answer)?;
    let _ = plan(rollout, Change::Declare(summary), answer)?;
    if let Some(change) = &mut answer.change {
        change.creates = creates;
    }
    answer.done(if creates { 201 } else { 200 })
}

/// The totals of a body, all of them or on top of those before; written to the answer.
fn summary_of(
    id: RolloutId,
    update: &RunSummaryUpdate,
    before: Option<&Summary>,
    answer: &mut Answer<'_, '_>,
) -> Result<Summary, Refused> {
    let id = summary_id(&id.id);
    must_be("id", update.id.is_none_or(|given| given == id), answer)?;
    let summary = match before {
        Some(before) => update.apply_to(*before),
        None => decoded(update.complete(), answer)?.summary,
    };
    answer.body.resource(&RunSummary { id: Some(id), summary }, Select::ALL);
    answer.fits()?;
    Ok(summary)
}

/// `POST {S}/runSummary/$ref`.
#[inline(never)]
pub(super) fn declare_script_summary<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    body: &[u8],
    answer: &mut Answer<'_, '_>,
) -> Result<(), Refused> {
    let written = decoded(ScriptRunSummary::decode(body), answer)?;
    let id = summary_id(&rollout.id().id);
    must_be("id", written.id.is_none_or(|given| given == id), answer)?;
    let (tally, now) = (rollout.tally(), rollout.tally().summary());
    let (success, error) = (written.success_devices, written.error_devices);
    let live = tally.live(Counted::Devices);
    let devices = total(Counted::Devices, &now.devices, &live, success, error, answer)?;
    let (success, error) = (written.success_users, written.error_users);
    let live = tally.live(Counted::Users);
    let users = total(Counted::Users, &now.users, &live, success, error, answer)?;
    let _ = plan(rollout, Change::Declare(Summary { devices, users, ..*now }), answer)?;
    answer.done(204)
}

/// Six totals that show as `success` and `error`. What of `error` no failed row accounts for is
/// declared as script error, whatever it was declared as before; the other states stay.
fn total(
    of: Counted,
    reported: &Counts,
    live: &Counts,
    success: u32,
    error: u32,
    answer: &mut Answer<'_, '_>,
) -> Result<Counts, Refused> {
    let (failed, state) = (live[RunState::Fail], RunState::ScriptError);
    let broken = error.checked_sub(failed).filter(|&broken| broken >= live[state]);
    let counter = Counter { of, state };
    let below = Refusal::BelowLive { counter, written: error, live: error_count(live) };
    let broken = answer.found(broken, &Problem::Refused(below))?;
    let with = |counts: Counts, state, count| counts.with(state, count);
    let counts = with(*reported, RunState::Success, success)
        .and_then(|counts| with(counts, RunState::Fail, failed))
        .and_then(|counts| with(counts, state, broken));
    counts.map_err(|error| answer.refuse(&Problem::Refused(error.of(of).into())))
}

/// `POST …/userRunStates` and `PATCH {H}/userRunStates/{id}`; `known` is the number of the row of
/// the user that the path names.
pub(super) fn declare_user<'r, const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    known: Option<u16>,
    body: &'r [u8],
    answer: &mut Answer<'_, 'r>,
) -> Result<(), Refused> {
    match rollout.id().kind {
        Kind::Configuration => declare_configuration_user(rollout, known, body, answer),
        Kind::Script => declare_script_user(rollout, body, answer),
    }
}

#[inline(never)]
fn declare_configuration_user<'r, const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    known: Option<u16>,
    body: &'r [u8],
    answer: &mut Answer<'_, 'r>,
) -> Result<(), Refused> {
    let update = decoded(UserStateUpdate::decode(body), answer)?;
    let known = known.and_then(|row| rollout.tally().users_from(row).next()).map(|(_, user)| user);
    let user = match (update.upn, known) {
        (None, Some(known)) => known.user.clone(),
        (Some(upn), _) => decoded(Upn::try_from(upn), answer)?,
        (None, None) => return Err(answer.refuse(&Problem::Document(Error::missing("upn")))),
    };
    let mut state = match known {
        None => decoded(update.clone().complete(), answer)?,
        Some(known) => {
            let names = rollout.names(known.user);
            let last_update = update.last_update.or(known.last_update);
            UserState {
                id: None,
                upn: update.upn.unwrap_or_else(|| known.user.into()),
                email: update.email.unwrap_or(names.email.as_ref().map(Text::from)),
                name: update.name.unwrap_or(names.name.as_ref().map(Text::from)),
                last_update: answer.found(last_update, &Problem::NoPath)?,
                devices: update.devices.apply_to(known.reported()),
            }
        }
    };
    let key = known.map_or(&user, |known| known.user);
    let id = user_state_id(&rollout.id().id, key);
    must_be("id", update.id.is_none_or(|given| given == id), answer)?;
    must_be("upn", user == *key, answer)?;
    let is_declared = known.is_none() && rollout.is_declared_user(&user);
    answer.require(!is_declared, &Problem::Declared(Thing::User))?;
    state.id = Some(id);
    answer.body.resource(&state, Select::ALL);
    answer.fits()?;

    let (devices, last_update) = (state.devices, Some(state.last_update));
    let _ = plan(rollout, Change::DeclareUser { user, devices, last_update }, answer)?;
    if let Some(change) = &mut answer.change {
        change.names = NamesUpdate { email: update.email, name: update.name };
    }
    answer.done(if known.is_none() { 201 } else { 200 })
}

#[inline(never)]
fn declare_script_user<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    body: &[u8],
    answer: &mut Answer<'_, '_>,
) -> Result<(), Refused> {
    let mut state = decoded(ScriptUserState::decode(body), answer)?;
    let id = user_state_id(&rollout.id().id, &state.upn);
    must_be("id", state.id.is_none_or(|given| given == id), answer)?;
    let known = rollout.tally().user(&state.upn);
    let is_declared = known.is_some_and(|user| user.declared);
    answer.require(!is_declared, &Problem::Declared(Thing::User))?;
    let (reported, live) =
        known.map_or((Counts::ZERO, Counts::ZERO), |user| (user.reported(), user.live));
    let (success, error) = (state.success_devices, state.error_devices);
    let devices = total(Counted::Devices, &reported, &live, success, error, answer)?;
    state.id = Some(id);
    answer.body.resource(&state, Select::ALL);
    answer.fits()?;
    let change = Change::DeclareUser { user: state.upn, devices, last_update: None };
    let _ = plan(rollout, change, answer)?;
    answer.done(201)
}

/// `DELETE …/userRunStates/{id}`.
#[inline(never)]
pub(super) fn undeclare_user<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    user: &Upn,
    answer: &mut Answer<'_, '_>,
) -> Result<(), Refused> {
    let change = Change::UndeclareUser { user: user.clone().folded() };
    if plan(rollout, change, answer)? == Effect::Unknown {
        answer.change = None;
    }
    answer.done(204)
}

/// `POST …/deviceRunStates`: one event. `user` is the one that a script's path names.
pub(super) fn report<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    user: Option<&Upn>,
    body: &[u8],
    settings: &Settings<'_>,
    answer: &mut Answer<'_, '_>,
) -> Result<(), Refused> {
    let event = match rollout.id().kind {
        Kind::Configuration => configuration_event(rollout, body, settings, answer)?,
        Kind::Script => script_event(rollout, user, body, settings, answer)?,
    };
    let device = event.device;
    let effect = plan(rollout, Change::Event(event), answer)?;
    if !effect.is_applied() {
        show_recorded(rollout, device, answer)?;
    }
    answer.done(201)
}

#[inline(never)]
fn configuration_event<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    body: &[u8],
    settings: &Settings<'_>,
    answer: &mut Answer<'_, '_>,
) -> Result<Event<Uuid, Upn>, Refused> {
    let mut state = decoded(DeviceState::decode(body), answer)?;
    state.last_update = received(state.last_update, settings);
    // A report on an older version says nothing about this one.
    if state.internal_version.is_some_and(|version| version < rollout.version()) {
        state.state = RunState::Pending;
    }
    answer.body.resource(&state, Select::ALL);
    answer.fits()?;
    Ok(state.event())
}

#[inline(never)]
fn script_event<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    user: Option<&Upn>,
    body: &[u8],
    settings: &Settings<'_>,
    answer: &mut Answer<'_, '_>,
) -> Result<Event<Uuid, Upn>, Refused> {
    let mut state = decoded(ScriptDeviceState::decode(body), answer)?;
    state.last_update = received(state.last_update, settings);
    answer.body.resource(&state, Select::ALL);
    answer.fits()?;
    // The flat path names no user, so a known device keeps its own.
    let user = user.or_else(|| match rollout.tally().tombstone(&state.id) {
        Some(Entry::Retired { event, .. }) => event.user,
        _ => rollout.tally().device(&state.id)?.user,
    });
    Ok(state.event(user))
}

fn received(at: DateTime, settings: &Settings<'_>) -> DateTime {
    settings.clock.map_or(at, |clock| clock.received(at))
}

/// The answer to a duplicate or stale event: what is recorded. There may still be a change: the
/// event may move the last run.
#[inline(never)]
fn show_recorded<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    device: Uuid,
    answer: &mut Answer<'_, '_>,
) -> Result<(), Refused> {
    let moves_last_run = answer.change.as_ref().is_some_and(|change| match &change.change {
        Change::Event(event) => rollout.tally().moves_last_run(event.at),
        _ => false,
    });
    let change = answer.change.take().filter(|_| moves_last_run);
    let recorded = match rollout.tally().tombstone(&device) {
        Some(Entry::Removed { at, .. }) => {
            let refused = answer.refuse(&Problem::Removed(at));
            answer.change = change;
            return Err(refused);
        }
        Some(Entry::Retired { event, .. }) => Some(event),
        _ => rollout.tally().device(&device),
    };
    if let Some(recorded) = recorded {
        answer.body.truncate(0);
        resources::write_device(rollout, &recorded, Select::ALL, &mut answer.body);
    }
    answer.change = change;
    Ok(())
}

/// `DELETE …/deviceRunStates/{id}`: at the later of now and the recorded instant, so that it always
/// works, whatever clock the device had.
#[inline(never)]
pub(super) fn remove<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    device: Uuid,
    settings: &Settings<'_>,
    answer: &mut Answer<'_, '_>,
) -> Result<(), Refused> {
    let recorded = match rollout.tally().tombstone(&device) {
        Some(Entry::Retired { event, .. }) => Some(event.at),
        _ => rollout.tally().device(&device).map(|recorded| recorded.at),
    };
    let recorded = answer.found(recorded, &Problem::NotFound(Thing::Device, device))?;
    let now = settings.clock.map(|clock| clock.now).filter(|now| now.ticks() > recorded.ticks());
    let at = now.unwrap_or(recorded);
    let _ = plan(rollout, Change::Remove { device, at }, answer)?;
    answer.done(204)
}
