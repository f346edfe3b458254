//! What a journal asks of a store: what a request changed, and the way back after a restart.

use uuid::Uuid;

use super::changed::Changed;
use super::{Configuration, Script, Store};
use crate::Tally;
use crate::graph::{Name, Upn};
use crate::journal::Change;

/// A roll-out of a [`Store`].
///
/// ```
/// use runtally::graph::RolloutId;
/// use uuid::Uuid;
/// assert_ne!(RolloutId::Script(Uuid::nil()), RolloutId::Configuration(Uuid::nil()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RolloutId {
    /// A hardware configuration.
    Configuration(Uuid),
    /// A management script.
    Script(Uuid),
}

/// What a request changed: see [`Store::last_change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreChange<'a> {
    /// Where.
    pub rollout: RolloutId,
    /// The row, or the summary.
    pub change: Change<'a, Uuid, Upn>,
}

impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    /// What the last request changed, for [`Journal::record`](crate::journal::Journal::record);
    /// `None` if it changed nothing.
    ///
    /// A user's change includes the [names](Configuration::names), that of a configuration's
    /// summary whether it was [declared](Configuration::is_declared).
    ///
    /// ```
    /// use runtally::graph::{Request, RolloutId, Settings, Store, StoreChange};
    /// use runtally::journal::Change;
    /// use uuid::{Uuid, uuid};
    ///
    /// let mut store: Store<1, 0, 8, 8> = Store::new();
    /// store.declare_configuration(Uuid::nil())?;
    /// let request = Request {
    ///     method: "POST",
    ///     path: "/deviceManagement/hardwareConfigurations/00000000-0000-0000-0000-000000000000/deviceRunStates",
    ///     authorization: Some("Bearer writer"),
    ///     content_type: Some("application/json"),
    ///     body: br#"{"id":"74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974","configurationState":"success",
    ///          "lastStateUpdateDateTime":"2026-11-21T09:30:00Z"}"#,
    ///     ..Request::default()
    /// };
    /// let settings = Settings { write_token: "writer", ..Settings::default() };
    /// store.handle(&request, &settings, &mut [0; 1024]);
    /// assert_eq!(
    ///     store.last_change(),
    ///     Some(StoreChange {
    ///         rollout: RolloutId::Configuration(Uuid::nil()),
    ///         change: Change::Device(&uuid!("74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974")),
    ///     })
    /// );
    /// // The second time it is a duplicate.
    /// store.handle(&request, &settings, &mut [0; 1024]);
    /// assert_eq!(store.last_change(), None);
    /// # Ok::<(), runtally::graph::StoreFull>(())
    /// ```
    #[must_use]
    pub fn last_change(&self) -> Option<StoreChange<'_>> {
        let (change, is_script, place) = self.changed.change()?;
        let rollout = if is_script {
            RolloutId::Script(*self.script_ids.get(place)?)
        } else {
            RolloutId::Configuration(*self.configuration_ids.get(place)?)
        };
        Some(StoreChange { rollout, change })
    }

    /// Forgets every configuration and script: as [`new`](Self::new) makes it, but in place, and
    /// with the seed it has.
    ///
    /// ```
    /// use runtally::graph::Store;
    /// use uuid::Uuid;
    ///
    /// let mut store: Store<1, 0, 8, 8> = Store::new();
    /// store.declare_configuration(Uuid::nil())?;
    /// store.clear();
    /// assert_eq!(store.configurations().count(), 0);
    /// # Ok::<(), runtally::graph::StoreFull>(())
    /// ```
    pub fn clear(&mut self) {
        for configuration in self.configurations.iter_mut().take(self.configuration_ids.len()) {
            configuration.tally.clear();
            configuration.declared = false;
        }
        for script in self.scripts.iter_mut().take(self.script_ids.len()) {
            script.tally.clear();
        }
        self.configuration_ids.clear();
        self.script_ids.clear();
        self.changed = Changed::NOTHING;
    }
}

impl<const DEVICES: usize, const USERS: usize> Configuration<DEVICES, USERS> {
    /// The counts and rows, for a journal to restore. A change made here is no request's, so no
    /// journal is told of it.
    ///
    /// ```
    /// use runtally::graph::Configuration;
    /// Configuration::<8, 4>::new().tally_mut().clear();
    /// ```
    pub const fn tally_mut(&mut self) -> &mut Tally<Uuid, Upn, DEVICES, USERS> {
        &mut self.tally
    }

    /// True once the summary was created through the API.
    ///
    /// ```
    /// use runtally::graph::Configuration;
    /// assert!(!Configuration::<8, 4>::new().is_declared());
    /// ```
    #[must_use]
    pub const fn is_declared(&self) -> bool {
        self.declared
    }

    /// Restores whether the summary was created through the API.
    ///
    /// ```
    /// use runtally::graph::Configuration;
    /// let mut configuration: Configuration<8, 4> = Configuration::new();
    /// configuration.restore_declared(true);
    /// assert!(configuration.is_declared());
    /// ```
    pub const fn restore_declared(&mut self, declared: bool) {
        self.declared = declared;
    }

    /// The e-mail address and the name of a user who was declared; `None` if the user was not.
    ///
    /// ```
    /// use runtally::graph::{Configuration, Upn};
    /// let ada: Upn = "ada@example.com".try_into()?;
    /// assert_eq!(Configuration::<8, 4>::new().names(&ada), None);
    /// # Ok::<(), runtally::graph::Error>(())
    /// ```
    #[must_use]
    pub fn names(&self, user: &Upn) -> Option<[Option<&str>; 2]> {
        let row = self.tally.find_user(user)?;
        self.tally.user(user).filter(|user| user.declared)?;
        let profile = self.profiles.get(usize::from(row.number()))?;
        Some([profile.email.as_deref(), profile.name.as_deref()])
    }

    /// Restores the e-mail address and the name of a user who was declared. One that is longer
    /// than a [`Name`] holds is left out. Do so for every declared user, also for one without
    /// either: the row may have been another user's.
    ///
    /// ```
    /// use runtally::Counts;
    /// use runtally::graph::{Configuration, Upn};
    ///
    /// let mut configuration: Configuration<8, 4> = Configuration::new();
    /// let ada: Upn = "ada@example.com".try_into()?;
    /// configuration.tally_mut().declare_user(&ada, Counts::ZERO, None)?;
    /// configuration.restore_names(&ada, [None, Some("Ada")]);
    /// assert_eq!(configuration.names(&ada), Some([None, Some("Ada")]));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn restore_names(&mut self, user: &Upn, [email, name]: [Option<&str>; 2]) {
        let name_of = |text: Option<&str>| Name::try_from(text?).ok();
        if let Some(profile) = self.profile_mut(user) {
            profile.email = name_of(email);
            profile.name = name_of(name);
        }
    }
}

impl<const DEVICES: usize, const USERS: usize> Script<DEVICES, USERS> {
    /// The counts and rows, for a journal to restore. A change made here is no request's, so no
    /// journal is told of it.
    ///
    /// ```
    /// use runtally::graph::Script;
    /// Script::<8, 4>::new().tally_mut().clear();
    /// ```
    pub const fn tally_mut(&mut self) -> &mut Tally<Uuid, Upn, DEVICES, USERS> {
        &mut self.tally
    }
}
