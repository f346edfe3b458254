//! Writes: a body becomes a change, and the answer shows what is there once it is committed.

use uuid::Uuid;

use super::Settings;
use super::answer::{Answer, Refused};
use super::problem::{Problem, Thing};
use super::resources::Resources;
use crate::graph::shape::Select;
use crate::graph::{Error, Text, Upn};
use crate::store::{NamesUpdate, Rollout, RolloutId, StoreChange};
use crate::{Change, Counts, DateTime, Effect, Entry, Event, RunState};

/// The document, or the answer is what is wrong with it.
pub(super) fn decoded<T>(
    document: Result<T, Error>,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<T, Refused> {
    document.map_err(|error| answer.refuse(Problem::Document(&error)))
}

/// An id in the body must be the one that the path or the resource says.
pub(super) fn must_be(
    property: &'static str,
    is_same: bool,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<(), Refused> {
    answer.require(is_same, Problem::Mismatch { property })
}

/// The answer's change, if the roll-out's tally takes it. It is put there first and checked there:
/// it is too large to be handed on.
#[inline(never)]
fn check<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<Effect, Refused> {
    let checked = match &answer.change {
        Some(change) => rollout.check(&change.change),
        None => Ok(Effect::Unknown),
    };
    checked.map_err(|refusal| answer.refuse(Problem::Refused(&refusal)))
}

/// The declaration of a user becomes the answer's change, of nothing so far:
/// [`declare`] says what. The user is read to there, since a UPN takes 150 bytes of stack.
// Out of line, so that what is refused afterwards does not pay for its stack.
#[inline(never)]
pub(super) fn begin_declaration(
    id: RolloutId,
    upn: Text<'_, { Upn::MAX_LEN }>,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<(), Refused> {
    let user = match Upn::try_from(upn) {
        Ok(user) => user,
        Err(error) => return Err(answer.refuse(Problem::Document(&error))),
    };
    let change = Change::DeclareUser { user, devices: Counts::ZERO, last_update: None };
    *answer.change = Some(StoreChange::new(id, change));
    Ok(())
}

/// The user whose declaration is the answer's change.
pub(super) fn declared<'u>(answer: &'u Answer<'_, '_, '_>) -> Option<&'u Upn> {
    match &*answer.change {
        Some(StoreChange { change: Change::DeclareUser { user, .. }, .. }) => Some(user),
        _ => None,
    }
}

/// What is declared of that user.
pub(super) fn declare<'r>(
    counts: &Counts,
    at: Option<DateTime>,
    update: NamesUpdate<'r>,
    answer: &mut Answer<'_, '_, 'r>,
) {
    if let Some(change) = answer.change
        && let Change::DeclareUser { devices, last_update, .. } = &mut change.change
    {
        *devices = *counts;
        *last_update = at;
        change.names = update;
    }
}

/// `POST` and `PATCH` of `…/runSummary`.
pub(super) fn declare_summary<const DEVICES: usize, const USERS: usize>(
    resources: &dyn Resources<DEVICES, USERS>,
    rollout: &Rollout<'_, DEVICES, USERS>,
    body: &[u8],
    creates: bool,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<(), Refused> {
    let status = resources.declare_summary(rollout, body, creates, answer)?;
    let _ = check(rollout, answer)?;
    answer.done(status)
}

/// `POST …/userRunStates` and `PATCH {H}/userRunStates/{id}`; `known` is the number of the row of
/// the user that the path names.
pub(super) fn declare_user<'r, const DEVICES: usize, const USERS: usize>(
    resources: &dyn Resources<DEVICES, USERS>,
    rollout: &Rollout<'_, DEVICES, USERS>,
    known: Option<u16>,
    body: &'r [u8],
    answer: &mut Answer<'_, '_, 'r>,
) -> Result<(), Refused> {
    resources.declare_user(rollout, known, body, answer)?;
    let _ = check(rollout, answer)?;
    answer.done(if known.is_none() { 201 } else { 200 })
}

/// `DELETE …/userRunStates/{id}`.
#[inline(never)]
pub(super) fn undeclare_user<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    user: &Upn,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<(), Refused> {
    let change = Change::UndeclareUser { user: user.clone().folded() };
    *answer.change = Some(StoreChange::new(rollout.id(), change));
    if check(rollout, answer)? == Effect::Unknown {
        *answer.change = None;
    }
    answer.done(204)
}

/// `POST …/deviceRunStates`: one event. `user` is the one that a script's path names.
pub(super) fn report<const DEVICES: usize, const USERS: usize>(
    resources: &dyn Resources<DEVICES, USERS>,
    rollout: &Rollout<'_, DEVICES, USERS>,
    user: Option<&Upn>,
    body: &[u8],
    settings: &Settings<'_>,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<(), Refused> {
    let device = resources.report(rollout, user, body, settings, answer)?;
    let effect = check(rollout, answer)?;
    if !effect.is_applied() {
        show_recorded(resources, rollout, device, answer)?;
    }
    answer.done(201)
}

/// The event that was read becomes the answer's change.
// Out of line: an event takes 170 bytes of stack, and a change 250.
#[inline(never)]
pub(super) fn put_report(
    id: RolloutId,
    event: impl FnOnce() -> Event<Uuid, Upn>,
    answer: &mut Answer<'_, '_, '_>,
) {
    *answer.change = Some(StoreChange::new(id, Change::Event(event())));
}

/// The state that an event will count in, which is what its answer shows.
pub(super) fn counted<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    state: RunState,
    at: DateTime,
) -> RunState {
    rollout.tally().counted(&Event { device: (), user: None::<()>, state, at })
}

pub(super) fn received(at: DateTime, settings: &Settings<'_>) -> DateTime {
    settings.clock.map_or(at, |clock| clock.received(at))
}

/// The answer to a duplicate or stale event: what is recorded. There may still be a change: the
/// event may move the last run.
#[inline(never)]
fn show_recorded<const DEVICES: usize, const USERS: usize>(
    resources: &dyn Resources<DEVICES, USERS>,
    rollout: &Rollout<'_, DEVICES, USERS>,
    device: Uuid,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<(), Refused> {
    let moves_last_run = answer.change.as_ref().is_some_and(|change| match &change.change {
        Change::Event(event) => rollout.tally().moves_last_run(event.at),
        _ => false,
    });
    if !moves_last_run {
        *answer.change = None;
    }
    let recorded = match rollout.tally().tombstone(&device) {
        Some(Entry::Removed { at, .. }) => return Err(answer.refuse(Problem::Removed(&at))),
        // It goes on counting in the state that was carried for it.
        Some(Entry::Retired { event, counted }) => Some((event, counted)),
        _ => rollout.tally().device(&device).map(|it| (it, rollout.tally().counted(&it))),
    };
    if let Some((recorded, state)) = recorded {
        answer.body.truncate(0);
        resources.write_device(&recorded, state, Select::ALL, &mut answer.body);
    }
    Ok(())
}

/// `DELETE …/deviceRunStates/{id}`: at the later of now and the recorded instant, so that it always
/// works, whatever clock the device had.
#[inline(never)]
pub(super) fn remove<const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'_, DEVICES, USERS>,
    device: Uuid,
    settings: &Settings<'_>,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<(), Refused> {
    let recorded = match rollout.tally().tombstone(&device) {
        Some(Entry::Retired { event, .. }) => Some(event.at),
        _ => rollout.tally().device(&device).map(|recorded| recorded.at),
    };
    let recorded = answer.found(recorded, Problem::NotFound(Thing::Device, &device))?;
    let now = settings.clock.map(|clock| clock.now).filter(|now| now.ticks() > recorded.ticks());
    let at = now.unwrap_or(recorded);
    let change = Change::Remove { device, at };
    *answer.change = Some(StoreChange::new(rollout.id(), change));
    let _ = check(rollout, answer)?;
    answer.done(204)
}
