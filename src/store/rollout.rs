//! One roll-out: a configuration or a script.

use uuid::Uuid;

use super::{Kind, NamesUpdate, RolloutId, StoreChange};
use crate::graph::{Name, Text, Upn};
use crate::{
    Change, Counted, Counter, Counts, Effect, Overflow, Refusal, RunState, Summary, Tally,
};

/// A configuration or a script, to be read.
///
/// A script keeps all six run states, of which the wire shows success, and fail and script error
/// together as error.
///
/// ```
/// use runtally::store::{RolloutId, Store};
/// use runtally::uuid::Uuid;
///
/// let mut store: Store<0, 1, 8, 8> = Store::new();
/// let id = RolloutId::script(Uuid::nil());
/// store.insert(id)?;
/// let script = store.get(id).expect("just inserted");
/// assert_eq!(script.tally().device_count(), 0);
/// assert!(!script.is_created());
/// # Ok::<(), runtally::store::StoreFull>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Rollout<'s, const DEVICES: usize, const USERS: usize> {
    id: RolloutId,
    tally: &'s Tally<Uuid, Upn, DEVICES, USERS>,
    names: &'s [Names],
    version: i32,
    is_created: bool,
}

/// The e-mail address and full name of a user who was declared.
///
/// ```
/// assert_eq!(runtally::store::Names::NONE.email, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Names {
    /// The e-mail address.
    pub email: Option<Name>,
    /// The full name.
    pub name: Option<Name>,
}

impl Names {
    /// Neither is known.
    ///
    /// ```
    /// use runtally::store::Names;
    /// assert_eq!(Names::NONE, Names::default());
    /// ```
    pub const NONE: Self = Self { email: None, name: None };
}

impl<'s, const DEVICES: usize, const USERS: usize> Rollout<'s, DEVICES, USERS> {
    /// Which one it is.
    ///
    /// ```
    /// use runtally::store::{RolloutId, Store};
    /// let mut store: Store<1, 0, 8, 8> = Store::new();
    /// let id = RolloutId::configuration(runtally::uuid::Uuid::nil());
    /// store.insert(id)?;
    /// assert_eq!(store.get(id).map(|it| it.id()), Some(id));
    /// # Ok::<(), runtally::store::StoreFull>(())
    /// ```
    #[must_use]
    pub const fn id(&self) -> RolloutId {
        self.id
    }

    /// The counts and rows.
    ///
    /// ```
    /// use runtally::store::{RolloutId, Store};
    /// let mut store: Store<1, 0, 8, 8> = Store::new();
    /// store.insert(RolloutId::configuration(runtally::uuid::Uuid::nil()))?;
    /// assert!(store.iter().all(|rollout| rollout.tally().audit().is_ok()));
    /// # Ok::<(), runtally::store::StoreFull>(())
    /// ```
    #[must_use]
    pub const fn tally(&self) -> &'s Tally<Uuid, Upn, DEVICES, USERS> {
        self.tally
    }

    /// The version: see [`Store::set_version`](super::Store::set_version).
    ///
    /// ```
    /// use runtally::store::{RolloutId, Store};
    /// let mut store: Store<1, 0, 8, 8> = Store::new();
    /// store.insert(RolloutId::configuration(runtally::uuid::Uuid::nil()))?;
    /// assert!(store.iter().all(|rollout| rollout.version() == 0));
    /// # Ok::<(), runtally::store::StoreFull>(())
    /// ```
    #[must_use]
    pub const fn version(&self) -> i32 {
        self.version
    }

    /// True once its summary was created by a request.
    ///
    /// ```
    /// use runtally::store::{RolloutId, Store};
    /// let mut store: Store<1, 0, 8, 8> = Store::new();
    /// store.insert(RolloutId::configuration(runtally::uuid::Uuid::nil()))?;
    /// assert!(store.iter().all(|rollout| !rollout.is_created()));
    /// # Ok::<(), runtally::store::StoreFull>(())
    /// ```
    #[must_use]
    pub const fn is_created(&self) -> bool {
        self.is_created
    }

    /// The names of a configuration's user; [none](Names::NONE) if the user was not declared.
    ///
    /// ```
    /// use runtally::store::{Names, RolloutId, Store};
    /// let mut store: Store<1, 0, 8, 8> = Store::new();
    /// store.insert(RolloutId::configuration(runtally::uuid::Uuid::nil()))?;
    /// let ada = "ada@example.com".parse()?;
    /// assert!(store.iter().all(|rollout| *rollout.names(&ada) == Names::NONE));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn names(&self, user: &Upn) -> &'s Names {
        let declared = self.tally.find_user(user).filter(|_| self.is_declared_user(user));
        let names = declared.and_then(|row| self.names.get(usize::from(row.number())));
        names.unwrap_or(const { &Names::NONE })
    }

    pub(crate) fn is_declared_user(&self, user: &Upn) -> bool {
        self.tally.user(user).is_some_and(|user| user.declared)
    }

    /// What a change of the tally would come to.
    pub(crate) fn check(&self, change: &Change<Uuid, Upn>) -> Result<Effect, Refusal> {
        let kind = self.id.kind;
        self.tally.check_with(change, |summary| check_errors(kind, summary))
    }
}

/// Whether a script's error on the wire stays within its limit.
pub(super) fn check_errors(kind: Kind, summary: &Summary) -> Result<(), Refusal> {
    if kind == Kind::Configuration {
        return Ok(());
    }
    for (of, counts) in [(Counted::Devices, &summary.devices), (Counted::Users, &summary.users)] {
        if errors(counts) > u64::from(Counts::MAX) {
            let state = RunState::ScriptError;
            return Err(Overflow(Counter { of, state }).into());
        }
    }
    Ok(())
}

/// Fail and script error together: the wire's error.
fn errors(counts: &Counts) -> u64 {
    u64::from(counts[RunState::Fail]).saturating_add(counts[RunState::ScriptError].into())
}

/// The same as a counter, which no committed change takes past the limit.
pub(crate) fn error_count(counts: &Counts) -> u32 {
    errors(counts).min(Counts::MAX.into()) as u32
}

/// What is kept of a roll-out. `NAMES` is the number of users for a configuration, and none for a
/// script.
#[derive(Clone, Debug)]
pub(super) struct Slot<const DEVICES: usize, const USERS: usize, const NAMES: usize> {
    pub(super) tally: Tally<Uuid, Upn, DEVICES, USERS>,
    /// By the number of the user's row; none while that user is not declared.
    names: [Names; NAMES],
    version: i32,
    is_created: bool,
}

/// The same to be changed, whatever its kind.
pub(super) struct SlotMut<'s, const DEVICES: usize, const USERS: usize> {
    pub(super) tally: &'s mut Tally<Uuid, Upn, DEVICES, USERS>,
    names: &'s mut [Names],
    pub(super) version: &'s mut i32,
    pub(super) is_created: &'s mut bool,
}

impl<const DEVICES: usize, const USERS: usize, const NAMES: usize> Slot<DEVICES, USERS, NAMES> {
    pub(super) const fn new() -> Self {
        Self {
            tally: Tally::new(),
            names: [const { Names::NONE }; NAMES],
            version: 0,
            is_created: false,
        }
    }

    pub(super) const fn view(&self, id: RolloutId) -> Rollout<'_, DEVICES, USERS> {
        let Self { tally, names, version, is_created } = self;
        Rollout { id, tally, names, version: *version, is_created: *is_created }
    }

    pub(super) const fn view_mut(&mut self) -> SlotMut<'_, DEVICES, USERS> {
        let Self { tally, names, version, is_created } = self;
        SlotMut { tally, names, version, is_created }
    }

    pub(super) fn clear(&mut self) {
        self.tally.clear();
        self.names.fill(Names::NONE);
        self.version = 0;
        self.is_created = false;
    }
}

impl<const DEVICES: usize, const USERS: usize> SlotMut<'_, DEVICES, USERS> {
    /// Makes a change of this roll-out.
    pub(super) fn commit(&mut self, change: &StoreChange<'_>) -> Result<Effect, Refusal> {
        // The user's row may go, and its number with it.
        let undeclared = match &change.change {
            Change::UndeclareUser { user } => self.tally.find_user(user),
            _ => None,
        };
        let was_declared = match &change.change {
            Change::DeclareUser { user, .. } => self.tally.user(user).is_some_and(|it| it.declared),
            _ => false,
        };
        let kind = change.rollout.kind;
        let judge = |summary: &_| check_errors(kind, summary);
        let effect = self.tally.commit_with(&change.change, judge)?;
        *self.is_created |= change.creates;
        let undeclared = undeclared.map(|row| usize::from(row.number()));
        if let Some(names) = undeclared.and_then(|row| self.names.get_mut(row)) {
            *names = Names::NONE;
        }
        if let Change::DeclareUser { user, .. } = &change.change {
            // Another user of this row may have gone beside the store.
            if !was_declared && let Some(names) = self.names_mut(user) {
                *names = Names::NONE;
            }
            self.set_names(user, &change.names);
        }
        Ok(effect)
    }

    /// Sets names of a user who is declared. False where there is no room for names.
    pub(super) fn set_names(&mut self, user: &Upn, update: &NamesUpdate<'_>) -> bool {
        let Some(names) = self.names_mut(user) else { return false };
        if let Some(email) = update.email {
            names.email = copied(email);
        }
        if let Some(name) = update.name {
            names.name = copied(name);
        }
        true
    }

    fn names_mut(&mut self, user: &Upn) -> Option<&mut Names> {
        let row = self.tally.find_user(user)?;
        self.names.get_mut(usize::from(row.number()))
    }
}

/// A name holds what its property may have, so copying does not fail.
#[inline(never)]
fn copied(text: Option<Text<'_, 127>>) -> Option<Name> {
    text?.copied().ok()
}
