//! A management script: a tally that shows two states on the wire.

use uuid::Uuid;

use super::changed::Changed;
use super::problem::{Problem, Thing, must_be};
use super::rollout::{Rollout, Shapes};
use crate::graph::cursor::Cursor;
use crate::graph::shape::Select;
use crate::graph::{
    ScriptDeviceState, ScriptRunSummary, ScriptUserState, Upn, script_device_state,
    script_run_summary, script_user_state, summary_id, user_state_id,
};
use crate::{
    Counter, Counts, Event, Of, Outcome, Overflow, Refusal, RowId, RunState, Summary, Tally,
    UserRow,
};

/// One management script: its [`Tally`], which keeps all six run states, of which the wire shows
/// success, and fail and script error together as error.
///
/// ```
/// use runtally::graph::Script;
/// static SCRIPT: Script<512, 64> = Script::new();
/// assert_eq!(SCRIPT.tally().summary().devices.total(), 0);
/// ```
#[derive(Clone, Debug)]
pub struct Script<const DEVICES: usize, const USERS: usize> {
    pub(super) tally: Tally<Uuid, Upn, DEVICES, USERS>,
}

impl<const DEVICES: usize, const USERS: usize> Script<DEVICES, USERS> {
    /// A script without devices.
    ///
    /// ```
    /// use runtally::graph::Script;
    /// let script: Script<8, 4> = Script::new();
    /// assert_eq!(script.tally().devices().count(), 0);
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { tally: Tally::new() }
    }

    /// The counts and rows.
    ///
    /// ```
    /// use runtally::graph::Script;
    /// assert_eq!(Script::<8, 4>::new().tally().audit(), Ok(()));
    /// ```
    #[must_use]
    pub const fn tally(&self) -> &Tally<Uuid, Upn, DEVICES, USERS> {
        &self.tally
    }

    /// Takes one event into account, like a `POST` to `deviceRunStates`.
    ///
    /// # Errors
    ///
    /// Those of [`Tally::apply`]; [`Refusal::Overflow`] also if fail and script error together
    /// would pass [`Counts::MAX`].
    ///
    /// ```
    /// use runtally::graph::{Script, ScriptDeviceState};
    ///
    /// let mut script: Script<8, 4> = Script::new();
    /// let state = ScriptDeviceState::decode(
    ///     br#"{"id":"74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974","runState":"fail",
    ///          "lastStateUpdateDateTime":"2026-11-21T09:30:00Z"}"#,
    /// )?;
    /// let _ = script.apply(&state.event(None))?;
    /// assert_eq!(script.tally().summary().devices.total(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn apply(&mut self, event: &Event<Uuid, Upn>) -> Result<Outcome, Refusal> {
        let (_, summary) = self.tally.preview(event)?;
        for (of, counts) in [(Of::Devices, &summary.devices), (Of::Users, &summary.users)] {
            if errors(counts) > u64::from(Counts::MAX) {
                let state = RunState::ScriptError;
                return Err(Overflow(Counter { of, state }).into());
            }
        }
        self.tally.apply(event)
    }

    /// Frees a device's row without changing the summary: see [`Tally::retire`].
    ///
    /// ```
    /// use runtally::graph::Script;
    /// use uuid::Uuid;
    /// assert_eq!(Script::<8, 4>::new().retire(&Uuid::nil()), None);
    /// ```
    pub fn retire(&mut self, device: &Uuid) -> Option<Event<Uuid, Upn>> {
        self.tally.retire(device)
    }

    /// Puts the tables' hash under another seed: see [`Tally::reseed`].
    ///
    /// ```
    /// runtally::graph::Script::<8, 4>::new().reseed(0x5EED);
    /// ```
    pub fn reseed(&mut self, seed: u64) {
        self.tally.reseed(seed);
    }
}

impl<const DEVICES: usize, const USERS: usize> Default for Script<DEVICES, USERS> {
    fn default() -> Self {
        Self::new()
    }
}

/// Fail and script error together: the wire's error.
fn errors(counts: &Counts) -> u64 {
    u64::from(counts[RunState::Fail]).saturating_add(counts[RunState::ScriptError].into())
}

/// No event takes the sum past the limit, so it fits a counter.
fn error_count(counts: &Counts) -> u32 {
    errors(counts).min(Counts::MAX.into()) as u32
}

/// Six totals that show as `success` and `error`. What of `error` no failed row accounts for is
/// declared as script error, whatever it was declared as before; the other states stay.
fn declared(
    of: Of,
    reported: &Counts,
    live: &Counts,
    success: u32,
    error: u32,
) -> Result<Counts, Refusal> {
    let failed = live[RunState::Fail];
    let state = RunState::ScriptError;
    let below = Refusal::BelowLive {
        counter: Counter { of, state },
        written: error,
        live: error_count(live),
    };
    let broken = error.checked_sub(failed).ok_or(below)?;
    if broken < live[state] {
        return Err(below);
    }
    let with = |counts: Counts, state, count| {
        counts.with(state, count).map_err(|error| Refusal::from(error.of(of)))
    };
    let counts = with(*reported, RunState::Success, success)?;
    with(with(counts, RunState::Fail, failed)?, state, broken)
}

impl<const DEVICES: usize, const USERS: usize> Rollout<DEVICES, USERS> for Script<DEVICES, USERS> {
    fn tally(&self) -> &Tally<Uuid, Upn, DEVICES, USERS> {
        &self.tally
    }

    fn tally_mut(&mut self) -> &mut Tally<Uuid, Upn, DEVICES, USERS> {
        &mut self.tally
    }

    fn shapes(&self) -> Shapes {
        Shapes {
            summary: &script_run_summary::SHAPE,
            device: &script_device_state::SHAPE,
            user: &script_user_state::SHAPE,
        }
    }

    fn write_summary(&self, id: &Uuid, select: Select, writer: &mut Cursor<'_>) {
        let Summary { devices, users, .. } = self.tally.summary();
        let summary = ScriptRunSummary {
            id: Some(summary_id(id)),
            success_devices: devices[RunState::Success],
            error_devices: error_count(devices),
            success_users: users[RunState::Success],
            error_users: error_count(users),
        };
        writer.resource(&summary, select);
    }

    fn write_device(&self, row: &Event<&Uuid, &Upn>, select: Select, writer: &mut Cursor<'_>) {
        writer.resource(&ScriptDeviceState::row(*row.device, row.state, row.at), select);
    }

    fn write_user(
        &self,
        id: &Uuid,
        _row: RowId,
        user: &UserRow<'_, Upn>,
        select: Select,
        writer: &mut Cursor<'_>,
    ) {
        let devices = user.reported();
        let state = ScriptUserState {
            id: Some(user_state_id(id, user.user)),
            success_devices: devices[RunState::Success],
            error_devices: error_count(&devices),
            upn: user.user.clone(),
        };
        writer.resource(&state, select);
    }

    fn declare(
        &mut self,
        id: &Uuid,
        body: &[u8],
        _creates: bool,
        _writer: &mut Cursor<'_>,
    ) -> Result<(), Problem> {
        let mut written = ScriptRunSummary::EMPTY;
        written.read(body)?;
        must_be("id", written.id.is_none_or(|given| given == summary_id(id)))?;
        let now = self.tally.summary();
        let total = |of, reported: &Counts, success, error| {
            declared(of, reported, &self.tally.live(of), success, error)
        };
        let summary = Summary {
            devices: total(
                Of::Devices,
                &now.devices,
                written.success_devices,
                written.error_devices,
            )?,
            users: total(Of::Users, &now.users, written.success_users, written.error_users)?,
            last_run: now.last_run,
        };
        self.tally.declare(&summary)?;
        Ok(())
    }

    fn declare_user(
        &mut self,
        id: &Uuid,
        _known: Option<RowId>,
        body: &[u8],
        writer: &mut Cursor<'_>,
        changed: &mut Changed,
    ) -> Result<(), Problem> {
        let mut state = ScriptUserState::EMPTY;
        state.read(body)?;
        let user_id = user_state_id(id, &state.upn);
        must_be("id", state.id.is_none_or(|given| given == user_id))?;
        state.id = Some(user_id);
        let known = self.tally.user(&state.upn);
        if known.is_some_and(|user| user.declared) {
            return Err(Problem::Declared(Thing::User));
        }
        let (reported, live, before) = known.map_or((Counts::ZERO, Counts::ZERO, None), |user| {
            (user.reported(), user.live, user.state())
        });
        let counts =
            declared(Of::Devices, &reported, &live, state.success_devices, state.error_devices)?;
        // The sum of two counters is the wire's, so it must not pass the limit either.
        let is_error = |state| matches!(state, Some(RunState::Fail | RunState::ScriptError));
        let users = &self.tally.summary().users;
        if state.error_devices > 0 && !is_error(before) && error_count(users) == Counts::MAX {
            let counter = Counter { of: Of::Users, state: RunState::ScriptError };
            return Err(Refusal::from(Overflow(counter)).into());
        }
        writer.resource(&state, Select::ALL);
        writer.check()?;
        self.tally.declare_user(&state.upn, counts, None)?;
        changed.user(&state.upn);
        Ok(())
    }

    fn apply_body(
        &mut self,
        user: Option<RowId>,
        body: &[u8],
        writer: &mut Cursor<'_>,
    ) -> Result<(Outcome, Uuid), Problem> {
        let mut state = ScriptDeviceState::EMPTY;
        state.read(body)?;
        writer.resource(&state, Select::ALL);
        writer.check()?;
        let user = user.and_then(|row| self.tally.user_keys_from(row.number()).next());
        let event = state.event(user.map(|(_, upn)| upn));
        Ok((self.apply(&event)?, state.id))
    }
}
