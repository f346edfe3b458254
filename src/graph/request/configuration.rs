//! A hardware configuration: its tally, and the names declared for its users.

use uuid::Uuid;

use super::changed::Changed;
use super::problem::{Problem, Thing};
use super::store::Rollout;
use super::writer::Writer;
use crate::graph::object::Shape;
use crate::graph::{
    BufferFull, DeviceState, Name, RunSummary, RunSummaryUpdate, Text, Upn, UserState,
    UserStateUpdate, device_state, run_summary, summary_id, user_state, user_state_id,
};
use crate::{Event, Outcome, Refusal, RowId, Tally, UserRow};

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

    /// Declares the totals a body gives; creating needs all of them.
    pub(super) fn write(
        &mut self,
        id: &Uuid,
        body: &[u8],
        create: bool,
        writer: &mut Writer<'_>,
    ) -> Result<(), Problem> {
        let update = RunSummaryUpdate::decode(body)?;
        let summary_id = summary_id(id);
        if update.id.is_some_and(|id| id != summary_id) {
            return Err(Problem::Mismatch { property: "id" });
        }
        let summary = if create {
            if self.declared {
                return Err(Problem::Declared(Thing::Summary));
            }
            update.complete()?.summary
        } else {
            update.apply_to(*self.tally.summary())
        };
        writer.json(&RunSummary { id: Some(summary_id), summary })?;
        self.tally.declare(&summary)?;
        self.declared |= create;
        Ok(())
    }

    /// Declares what a body gives of a known user.
    pub(super) fn update_user(
        &mut self,
        id: &Uuid,
        row: RowId,
        body: &[u8],
        writer: &mut Writer<'_>,
        changed: &mut Changed,
    ) -> Result<(), Problem> {
        let update = UserStateUpdate::decode(body)?;
        let (_, user) = self.tally.users_from(row.number()).next().ok_or(Problem::NoPath)?;
        let user_id = user_state_id(id, user.user);
        if update.id.is_some_and(|id| id != user_id) {
            return Err(Problem::Mismatch { property: "id" });
        }
        let is_other = |upn| Upn::try_from(upn).is_ok_and(|upn| upn != *user.user);
        if update.upn.is_some_and(is_other) {
            return Err(Problem::Mismatch { property: "upn" });
        }
        let profile = self.profile(row, &user);
        let last_update = update.last_update.or(user.last_update);
        let state = UserState {
            id: Some(user_id),
            upn: update.upn.unwrap_or_else(|| user.user.into()),
            email: update.email.unwrap_or(profile.email.as_ref().map(Text::from)),
            name: update.name.unwrap_or(profile.name.as_ref().map(Text::from)),
            last_update: last_update.ok_or(Problem::NoPath)?,
            devices: update.devices.apply_to(user.reported()),
        };
        writer.json(&state)?;
        let profile = Profile::of(&state);
        let upn = Upn::try_from(state.upn)?;
        let UserState { devices, last_update, .. } = state;
        self.tally.declare_user(&upn, devices, Some(last_update))?;
        if let Some(place) = self.profile_mut(&upn) {
            place.email = profile.email;
            place.name = profile.name;
        }
        changed.user(&upn);
        Ok(())
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

impl Profile {
    fn of(state: &UserState<'_>) -> Self {
        let mut profile = Self::EMPTY;
        profile.set(state);
        profile
    }

    /// In place: a profile is too long to be handed around on a small stack.
    fn set(&mut self, state: &UserState<'_>) {
        // A name holds what its property may have, so copying does not fail.
        let copied = |text: Option<Text<'_, 127>>| text.and_then(|text| text.copied().ok());
        self.email = copied(state.email);
        self.name = copied(state.name);
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
    const SUMMARY: &'static Shape = &run_summary::SHAPE;
    const DEVICE: &'static Shape = &device_state::SHAPE;
    const USER: &'static Shape = &user_state::SHAPE;

    fn tally(&self) -> &Tally<Uuid, Upn, DEVICES, USERS> {
        &self.tally
    }

    fn tally_mut(&mut self) -> &mut Tally<Uuid, Upn, DEVICES, USERS> {
        &mut self.tally
    }

    fn write_summary(&self, id: &Uuid, writer: &mut Writer<'_>) -> Result<(), BufferFull> {
        let summary = *self.tally.summary();
        writer.json(&RunSummary { id: Some(summary_id(id)), summary })
    }

    fn write_device(row: &Event<&Uuid, &Upn>, writer: &mut Writer<'_>) -> Result<(), BufferFull> {
        writer.json(&DeviceState::row(*row.device, row.user, row.state, row.at))
    }

    fn write_user(
        &self,
        id: &Uuid,
        row: RowId,
        user: &UserRow<'_, Upn>,
        writer: &mut Writer<'_>,
    ) -> Result<(), BufferFull> {
        let profile = self.profile(row, user);
        let Some(last_update) = user.last_update else { return Err(BufferFull) };
        writer.json(&UserState {
            id: Some(user_state_id(id, user.user)),
            upn: user.user.into(),
            email: profile.email.as_ref().map(Text::from),
            name: profile.name.as_ref().map(Text::from),
            last_update,
            devices: user.reported(),
        })
    }

    fn post_device(
        &mut self,
        _user: Option<&Upn>,
        body: &[u8],
        writer: &mut Writer<'_>,
    ) -> Result<(Outcome, Uuid), Problem> {
        let state = DeviceState::decode(body)?;
        writer.json(&state)?;
        Ok((self.tally.apply(&state.event())?, state.id))
    }

    fn post_user(
        &mut self,
        id: &Uuid,
        body: &[u8],
        writer: &mut Writer<'_>,
        changed: &mut Changed,
    ) -> Result<(), Problem> {
        let mut state = UserStateUpdate::decode(body)?.complete()?;
        let upn = Upn::try_from(state.upn)?;
        let user_id = user_state_id(id, &upn);
        if state.id.replace(user_id).is_some_and(|id| id != user_id) {
            return Err(Problem::Mismatch { property: "id" });
        }
        if self.tally.user(&upn).is_some_and(|user| user.declared) {
            return Err(Problem::Declared(Thing::User));
        }
        writer.json(&state)?;
        self.tally.declare_user(&upn, state.devices, Some(state.last_update))?;
        if let Some(profile) = self.profile_mut(&upn) {
            profile.set(&state);
        }
        changed.user(&upn);
        Ok(())
    }
}
