//! A hardware configuration: its tally, and the names declared for its users.

use uuid::Uuid;

use super::changed::Changed;
use super::problem::{Problem, Thing, must_be};
use super::rollout::{Rollout, Shapes};
use crate::graph::cursor::Cursor;
use crate::graph::shape::Select;
use crate::graph::{
    DeviceState, Name, RunSummary, RunSummaryUpdate, Text, Upn, UserState, UserStateUpdate,
    device_state, run_summary, summary_id, user_state, user_state_id,
};
use crate::{Counts, DateTime, Event, Outcome, Refusal, RowId, Tally, UserRow};

/// One hardware configuration: its [`Tally`], and the e-mail address and name of every user that
/// was declared.
///
/// ```
/// use runtally::graph::Configuration;
/// static CONFIGURATION: Configuration<512, 64> = Configuration::new();
/// assert_eq!(CONFIGURATION.tally().summary().devices.total(), 0);
/// ```
#[derive(Clone, Debug)]
pub struct Configuration<const DEVICES: usize, const USERS: usize> {
    pub(super) tally: Tally<Uuid, Upn, DEVICES, USERS>,
    /// One for each row of a user; in use while that user is declared.
    pub(super) profiles: [Profile; USERS],
    /// True once the summary was created through the API.
    pub(super) declared: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub(super) email: Option<Name>,
    pub(super) name: Option<Name>,
}

impl Profile {
    const EMPTY: Self = Self { email: None, name: None };
}

impl<const DEVICES: usize, const USERS: usize> Configuration<DEVICES, USERS> {
    /// A configuration without devices.
    ///
    /// ```
    /// use runtally::graph::Configuration;
    /// let configuration: Configuration<8, 4> = Configuration::new();
    /// assert_eq!(configuration.tally().devices().count(), 0);
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { tally: Tally::new(), profiles: [const { Profile::EMPTY }; USERS], declared: false }
    }

    /// The counts and rows.
    ///
    /// ```
    /// use runtally::graph::Configuration;
    /// assert_eq!(Configuration::<8, 4>::new().tally().audit(), Ok(()));
    /// ```
    #[must_use]
    pub const fn tally(&self) -> &Tally<Uuid, Upn, DEVICES, USERS> {
        &self.tally
    }

    /// Takes one event into account, like a `POST` to `deviceRunStates`.
    ///
    /// # Errors
    ///
    /// Those of [`Tally::apply`].
    ///
    /// ```
    /// use runtally::graph::{Configuration, DeviceState};
    ///
    /// let mut configuration: Configuration<8, 4> = Configuration::new();
    /// let state = DeviceState::decode(
    ///     br#"{"id":"74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974","configurationState":"success",
    ///          "lastStateUpdateDateTime":"2026-11-21T09:30:00Z"}"#,
    /// )?;
    /// let _ = configuration.apply(&state.event())?;
    /// assert_eq!(configuration.tally().summary().devices.total(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn apply(&mut self, event: &Event<Uuid, Upn>) -> Result<Outcome, Refusal> {
        self.tally.apply(event)
    }

    /// Frees a device's row without changing the summary: see [`Tally::retire`].
    ///
    /// ```
    /// use runtally::graph::Configuration;
    /// use uuid::Uuid;
    /// assert_eq!(Configuration::<8, 4>::new().retire(&Uuid::nil()), None);
    /// ```
    pub fn retire(&mut self, device: &Uuid) -> Option<Event<Uuid, Upn>> {
        self.tally.retire(device)
    }

    /// Puts the tables' hash under another seed: see [`Tally::reseed`].
    ///
    /// ```
    /// runtally::graph::Configuration::<8, 4>::new().reseed(0x5EED);
    /// ```
    pub fn reseed(&mut self, seed: u64) {
        self.tally.reseed(seed);
    }

    /// Writes what will be declared of a user: of one that is known, or of a new one.
    // Out of line, so that its stack is free again when the change is made.
    #[inline(never)]
    fn write_update(
        &self,
        id: &Uuid,
        known: Option<RowId>,
        upn: &Upn,
        update: &UserStateUpdate<'_>,
        writer: &mut Cursor<'_>,
    ) -> Result<(Counts, DateTime), Problem> {
        let before = known.and_then(|row| self.tally.users_from(row.number()).next());
        let mut state = match &before {
            None => update.clone().complete()?,
            Some((row, user)) => {
                let profile = self.profile(*row, user);
                UserState {
                    id: None,
                    upn: update.upn.unwrap_or_else(|| user.user.into()),
                    email: update.email.unwrap_or(profile.email.as_ref().map(Text::from)),
                    name: update.name.unwrap_or(profile.name.as_ref().map(Text::from)),
                    last_update: update.last_update.or(user.last_update).ok_or(Problem::NoPath)?,
                    devices: update.devices.apply_to(user.reported()),
                }
            }
        };
        let key = before.as_ref().map_or(upn, |(_, user)| user.user);
        let user_id = user_state_id(id, key);
        must_be("id", update.id.is_none_or(|given| given == user_id))?;
        must_be("upn", upn == key)?;
        if before.is_none() && self.is_declared_user(upn) {
            return Err(Problem::Declared(Thing::User));
        }
        state.id = Some(user_id);
        writer.resource(&state, Select::ALL);
        writer.check()?;
        Ok((state.devices, state.last_update))
    }

    fn is_declared_user(&self, upn: &Upn) -> bool {
        self.tally.user(upn).is_some_and(|user| user.declared)
    }

    fn profile(&self, row: RowId, user: &UserRow<'_, Upn>) -> &Profile {
        let profile = self.profiles.get(usize::from(row.number()));
        profile.filter(|_| user.declared).unwrap_or(&Profile::EMPTY)
    }

    pub(super) fn profile_mut(&mut self, upn: &Upn) -> Option<&mut Profile> {
        let row = self.tally.find_user(upn)?;
        self.profiles.get_mut(usize::from(row.number()))
    }
}

impl<const DEVICES: usize, const USERS: usize> Default for Configuration<DEVICES, USERS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const DEVICES: usize, const USERS: usize> Rollout<DEVICES, USERS>
    for Configuration<DEVICES, USERS>
{
    fn tally(&self) -> &Tally<Uuid, Upn, DEVICES, USERS> {
        &self.tally
    }

    fn tally_mut(&mut self) -> &mut Tally<Uuid, Upn, DEVICES, USERS> {
        &mut self.tally
    }

    fn shapes(&self) -> Shapes {
        Shapes {
            summary: &run_summary::SHAPE,
            device: &device_state::SHAPE,
            user: &user_state::SHAPE,
        }
    }

    fn write_summary(&self, id: &Uuid, select: Select, writer: &mut Cursor<'_>) {
        let summary = *self.tally.summary();
        writer.resource(&RunSummary { id: Some(summary_id(id)), summary }, select);
    }

    fn write_device(&self, row: &Event<&Uuid, &Upn>, select: Select, writer: &mut Cursor<'_>) {
        writer.resource(&DeviceState::row(*row.device, row.user, row.state, row.at), select);
    }

    fn write_user(
        &self,
        id: &Uuid,
        row: RowId,
        user: &UserRow<'_, Upn>,
        select: Select,
        writer: &mut Cursor<'_>,
    ) {
        let profile = self.profile(row, user);
        // A row has devices, or it was declared; either brings a last update.
        let Some(last_update) = user.last_update else { return };
        let state = UserState {
            id: Some(user_state_id(id, user.user)),
            upn: user.user.into(),
            email: profile.email.as_ref().map(Text::from),
            name: profile.name.as_ref().map(Text::from),
            last_update,
            devices: user.reported(),
        };
        writer.resource(&state, select);
    }

    fn declare(
        &mut self,
        id: &Uuid,
        body: &[u8],
        creates: bool,
        writer: &mut Cursor<'_>,
    ) -> Result<(), Problem> {
        let mut update = RunSummaryUpdate::EMPTY;
        update.read(body)?;
        let id = summary_id(id);
        must_be("id", update.id.is_none_or(|given| given == id))?;
        let summary = if creates {
            if self.declared {
                return Err(Problem::Declared(Thing::Summary));
            }
            update.complete()?.summary
        } else {
            update.apply_to(*self.tally.summary())
        };
        writer.resource(&RunSummary { id: Some(id), summary }, Select::ALL);
        writer.check()?;
        self.tally.declare(&summary)?;
        self.declared |= creates;
        Ok(())
    }

    fn declare_user(
        &mut self,
        id: &Uuid,
        known: Option<RowId>,
        body: &[u8],
        writer: &mut Cursor<'_>,
        changed: &mut Changed,
    ) -> Result<(), Problem> {
        let mut update = UserStateUpdate::EMPTY;
        update.read(body)?;
        let upn = match (update.upn, known) {
            (None, Some(row)) => self
                .tally
                .user_keys_from(row.number())
                .next()
                .map(|(_, upn)| upn.clone())
                .ok_or(Problem::NoPath)?,
            (upn, _) => Upn::try_from(upn.ok_or(crate::graph::Error::missing("upn"))?)?,
        };
        let (devices, last_update) = self.write_update(id, known, &upn, &update, writer)?;
        let is_declared = self.is_declared_user(&upn);
        self.tally.declare_user(&upn, devices, Some(last_update))?;
        if let Some(profile) = self.profile_mut(&upn) {
            if !is_declared {
                *profile = Profile::EMPTY;
            }
            // A name holds what its property may have, so copying does not fail.
            let copied = |text: Option<Text<'_, 127>>| text.and_then(|text| text.copied().ok());
            if let Some(email) = update.email {
                profile.email = copied(email);
            }
            if let Some(name) = update.name {
                profile.name = copied(name);
            }
        }
        changed.user(&upn);
        Ok(())
    }

    fn apply_body(
        &mut self,
        _user: Option<RowId>,
        body: &[u8],
        writer: &mut Cursor<'_>,
    ) -> Result<(Outcome, Uuid), Problem> {
        let mut state = DeviceState::EMPTY;
        state.read(body)?;
        writer.resource(&state, Select::ALL);
        writer.check()?;
        Ok((self.tally.apply(&state.event())?, state.id))
    }
}
