//! Configurations and scripts by id: what a gateway keeps.
//!
//! A [`Store`] knows nothing of HTTP; [`http`](crate::http) answers requests to one. Whatever
//! happens to a roll-out is a [`StoreChange`]: checked on `&Store`, made durable by the caller, then
//! committed.
//!
//! ```
//! use runtally::store::{RolloutId, Store, StoreChange};
//! use runtally::{Change, Effect, Event, RunState};
//! use runtally::uuid::Uuid;
//!
//! // One configuration and one script, each with room for 64 devices and 16 users.
//! let mut store: Store<1, 1, 64, 16> = Store::new();
//! let configuration = RolloutId::configuration(Uuid::from_u128(1));
//! store.insert(configuration)?;
//!
//! let at = "2026-11-21T09:30:00Z".parse()?;
//! let event = Event { device: Uuid::from_u128(7), user: None, state: RunState::Success, at };
//! let change = StoreChange::new(configuration, Change::Event(event));
//! assert_eq!(store.check(&change)?, Effect::Applied { before: None });
//! // Here it is written down.
//! assert!(store.commit(&change)?.is_applied());
//! assert_eq!(store.get(configuration).map(|it| it.tally().device_count()), Some(1));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Making a store durable
//!
//! Of each change, write down before it is committed: the roll-out, the entries that
//! [`Tally::entries_after`] gives, [`creates`](StoreChange::creates) and
//! [`names`](StoreChange::names); and each [version](Store::set_version) that is set. To restore a
//! store, insert the roll-outs, [restore](Tally::restore) their entries in the order they were
//! written, and then [what was created](Store::restore_created), the
//! [names](Store::restore_names) and the versions.
//!
//! ```
//! use runtally::store::{RolloutId, Store, StoreChange};
//! use runtally::{Change, Entry, Event, RunState};
//! use runtally::uuid::Uuid;
//!
//! let mut store: Store<1, 0, 64, 16> = Store::new();
//! let id = RolloutId::configuration(Uuid::from_u128(1));
//! store.insert(id)?;
//! let at = "2026-11-21T09:30:00Z".parse()?;
//! let event = Event { device: Uuid::from_u128(7), user: None, state: RunState::Success, at };
//! let change = StoreChange::new(id, Change::Event(event));
//!
//! let mut log = Vec::new();
//! let (_, entries) = store.get(id).expect("inserted").tally().entries_after(&change.change)?;
//! log.extend(entries.map(Entry::cloned));
//! assert!(store.commit(&change)?.is_applied());
//!
//! let mut restored: Store<1, 0, 64, 16> = Store::new();
//! restored.insert(id)?;
//! for entry in &log {
//!     restored.tally_mut(id).expect("inserted").restore(entry)?;
//! }
//! assert_eq!(restored.get(id).map(|it| it.tally()), store.get(id).map(|it| it.tally()));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod change;
mod error;
mod id;
mod rollout;
#[cfg(test)]
mod tests;

use core::fmt;

use heapless::LinearMap;
use uuid::Uuid;

pub use change::{NamesUpdate, StoreChange};
pub use error::{StoreError, StoreFull};
pub use id::{Kind, RolloutId};
pub(crate) use rollout::error_count;
pub use rollout::{Names, Rollout};

use rollout::{Slot, SlotMut, check_errors};

use crate::exact::Exact;
use crate::graph::{Text, Upn};
use crate::{Change, Effect, Tally};

/// Hardware configurations and management scripts by their ids.
///
/// There is room for `CONFIGURATIONS` and `SCRIPTS`, and in each of these for `DEVICES` and
/// `USERS`. Only configurations have room for names of users. Empty, a store is all zero bytes,
/// like the tallies in it.
///
/// See the [module](self) for an example.
#[derive(Clone)]
pub struct Store<
    const CONFIGURATIONS: usize,
    const SCRIPTS: usize,
    const DEVICES: usize,
    const USERS: usize,
> {
    // Ids lie apart from what they name, so that inserting one moves nothing large.
    configuration_ids: LinearMap<Uuid, usize, CONFIGURATIONS>,
    configurations: [Slot<DEVICES, USERS, USERS>; CONFIGURATIONS],
    script_ids: LinearMap<Uuid, usize, SCRIPTS>,
    scripts: [Slot<DEVICES, USERS, 0>; SCRIPTS],
    seed: u64,
}

impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    /// A store without configurations and scripts.
    ///
    /// ```
    /// use runtally::store::Store;
    /// static STORE: Store<1, 1, 512, 64> = Store::new();
    /// assert_eq!(STORE.iter().count(), 0);
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            configuration_ids: LinearMap::new(),
            configurations: [const { Slot::new() }; CONFIGURATIONS],
            script_ids: LinearMap::new(),
            scripts: [const { Slot::new() }; SCRIPTS],
            seed: 0,
        }
    }

    /// Makes a roll-out known; one that is known stays as it is. True if it was not known.
    ///
    /// # Errors
    ///
    /// [`StoreFull`] if there is no room for another of its kind.
    ///
    /// ```
    /// use runtally::store::{RolloutId, Store, StoreFull};
    /// use runtally::uuid::Uuid;
    ///
    /// let mut store: Store<1, 0, 8, 8> = Store::new();
    /// assert!(store.insert(RolloutId::configuration(Uuid::nil()))?);
    /// assert!(!store.insert(RolloutId::configuration(Uuid::nil()))?);
    /// let full = store.insert(RolloutId::configuration(Uuid::max())).unwrap_err();
    /// assert_eq!(full, StoreFull { capacity: 1 });
    /// # Ok::<(), StoreFull>(())
    /// ```
    pub fn insert(&mut self, id: RolloutId) -> Result<bool, StoreFull> {
        let is_new = match id.kind {
            Kind::Configuration => insert(&mut self.configuration_ids, id.id)?,
            Kind::Script => insert(&mut self.script_ids, id.id)?,
        };
        let seed = self.seed;
        if is_new
            && seed != 0
            && let Some(tally) = self.tally_mut(id)
        {
            tally.reseed(seed);
        }
        Ok(is_new)
    }

    /// A roll-out, to be read.
    ///
    /// ```
    /// use runtally::store::{RolloutId, Store};
    /// use runtally::uuid::Uuid;
    /// assert!(Store::<1, 1, 8, 8>::new().get(RolloutId::script(Uuid::nil())).is_none());
    /// ```
    #[must_use]
    pub fn get(&self, id: RolloutId) -> Option<Rollout<'_, DEVICES, USERS>> {
        match id.kind {
            Kind::Configuration => {
                let index = *self.configuration_ids.get(&id.id)?;
                Some(self.configurations.get(index)?.view(id))
            }
            Kind::Script => {
                let index = *self.script_ids.get(&id.id)?;
                Some(self.scripts.get(index)?.view(id))
            }
        }
    }

    /// The tally of a roll-out, to be changed: the way to feed events without HTTP, and to restore
    /// one from what was written down.
    ///
    /// What only a store knows is not looked after here: the names of users who are declared, and
    /// the limit that a script's fail and script error share. [`commit`](Self::commit) does that.
    ///
    /// ```
    /// use runtally::store::{RolloutId, Store};
    /// use runtally::{Event, RunState};
    /// use runtally::uuid::Uuid;
    ///
    /// let mut store: Store<0, 1, 8, 8> = Store::new();
    /// let script = RolloutId::script(Uuid::nil());
    /// store.insert(script)?;
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// let event = Event { device: Uuid::max(), user: None, state: RunState::Fail, at };
    /// let tally = store.tally_mut(script).expect("just inserted");
    /// assert!(tally.apply(&event)?.is_applied());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn tally_mut(&mut self, id: RolloutId) -> Option<&mut Tally<Uuid, Upn, DEVICES, USERS>> {
        Some(self.slot_mut(id)?.tally)
    }

    /// The roll-outs, configurations first, each kind in the order it became known.
    ///
    /// ```
    /// use runtally::store::Store;
    /// assert_eq!(Store::<1, 1, 8, 8>::new().iter().count(), 0);
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Rollout<'_, DEVICES, USERS>> {
        let configurations = self.configuration_ids.keys().copied().map(RolloutId::configuration);
        let scripts = self.script_ids.keys().copied().map(RolloutId::script);
        let rows = configurations.chain(scripts).filter_map(|id| self.get(id));
        let left = self.configuration_ids.len().saturating_add(self.script_ids.len());
        Exact { rows, left }
    }

    /// Sets the version of a roll-out: an event whose `internalVersion` is lower is read as
    /// pending. 0, which every roll-out has at first, turns that off. False if the roll-out is not
    /// known.
    ///
    /// An edited policy also begins anew: see [`Change::RunFrom`].
    ///
    /// ```
    /// use runtally::store::{RolloutId, Store};
    /// use runtally::uuid::Uuid;
    ///
    /// let mut store: Store<1, 0, 8, 8> = Store::new();
    /// let id = RolloutId::configuration(Uuid::nil());
    /// store.insert(id)?;
    /// assert!(store.set_version(id, 2));
    /// assert_eq!(store.get(id).map(|it| it.version()), Some(2));
    /// # Ok::<(), runtally::store::StoreFull>(())
    /// ```
    pub fn set_version(&mut self, id: RolloutId, version: i32) -> bool {
        self.slot_mut(id).map(|slot| *slot.version = version).is_some()
    }

    /// Puts the hash of every table under another seed, also of roll-outs that become known later:
    /// see [`Tally::reseed`].
    ///
    /// ```
    /// use runtally::store::Store;
    ///
    /// let mut store: Store<1, 1, 8, 8> = Store::new();
    /// store.reseed(0x5EED); // from the random number generator
    /// ```
    pub fn reseed(&mut self, seed: u64) {
        self.seed = seed;
        for slot in self.configurations.iter_mut().take(self.configuration_ids.len()) {
            slot.tally.reseed(seed);
        }
        for slot in self.scripts.iter_mut().take(self.script_ids.len()) {
            slot.tally.reseed(seed);
        }
    }

    /// Forgets every configuration and script: as [`new`](Self::new) makes it, but in place, and
    /// with the seed it has.
    ///
    /// ```
    /// use runtally::store::{RolloutId, Store};
    /// use runtally::uuid::Uuid;
    ///
    /// let mut store: Store<1, 0, 8, 8> = Store::new();
    /// store.insert(RolloutId::configuration(Uuid::nil()))?;
    /// store.clear();
    /// assert_eq!(store.iter().count(), 0);
    /// # Ok::<(), runtally::store::StoreFull>(())
    /// ```
    pub fn clear(&mut self) {
        self.configurations.iter_mut().take(self.configuration_ids.len()).for_each(Slot::clear);
        self.scripts.iter_mut().take(self.script_ids.len()).for_each(Slot::clear);
        self.configuration_ids.clear();
        self.script_ids.clear();
    }

    /// What [`commit`](Self::commit) would come to. Changes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`commit`](Self::commit).
    ///
    /// ```
    /// use runtally::store::{RolloutId, Store, StoreChange, StoreError};
    /// use runtally::Change;
    /// use runtally::uuid::Uuid;
    ///
    /// let store: Store<1, 0, 8, 8> = Store::new();
    /// let retire = Change::Retire { device: Uuid::max() };
    /// let change = StoreChange::new(RolloutId::configuration(Uuid::nil()), retire);
    /// assert_eq!(store.check(&change), Err(StoreError::Unknown));
    /// ```
    pub fn check(&self, change: &StoreChange<'_>) -> Result<Effect, StoreError> {
        match self.get(change.rollout) {
            Some(rollout) => Ok(rollout.check(&change.change)?),
            // The totals of a roll-out without rows may be any.
            None if change.creates => {
                self.check_room(change.rollout.kind)?;
                if let Change::Declare(written) = &change.change {
                    check_errors(change.rollout.kind, written)?;
                }
                Ok(Effect::Applied { before: None })
            }
            None => Err(StoreError::Unknown),
        }
    }

    pub(crate) fn check_room(&self, kind: Kind) -> Result<(), StoreFull> {
        let (known, capacity) = match kind {
            Kind::Configuration => (self.configuration_ids.len(), CONFIGURATIONS),
            Kind::Script => (self.script_ids.len(), SCRIPTS),
        };
        if known < capacity { Ok(()) } else { Err(StoreFull { capacity }) }
    }

    /// Makes a change, such as the one that an [answer](crate::http::Reply) asks for.
    ///
    /// # Errors
    ///
    /// The store is then as it was.
    ///
    /// - [`StoreError::Unknown`]: there is no such roll-out.
    /// - [`StoreError::Full`]: the change creates one, and there is no room for it.
    /// - [`StoreError::Refused`]: its tally refuses the change; or a script's fail and script error
    ///   together, which the wire shows as one counter, would pass
    ///   [`Counts::MAX`](crate::Counts::MAX).
    ///
    /// ```
    /// use runtally::store::{RolloutId, Store, StoreChange};
    /// use runtally::{Change, Effect};
    /// use runtally::uuid::Uuid;
    ///
    /// let mut store: Store<1, 0, 8, 8> = Store::new();
    /// let id = RolloutId::configuration(Uuid::nil());
    /// store.insert(id)?;
    /// let removal = Change::Remove { device: Uuid::max(), at: "2026-11-21T12:00Z".parse()? };
    /// assert!(store.commit(&StoreChange::new(id, removal))?.is_applied());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    // Out of line, so that answering does not pay for its stack.
    #[inline(never)]
    pub fn commit(&mut self, change: &StoreChange<'_>) -> Result<Effect, StoreError> {
        // Whatever a new roll-out refuses, it is refused before it is there.
        if change.creates && self.get(change.rollout).is_none() {
            let _ = self.check(change)?;
            self.insert(change.rollout)?;
        }
        let mut slot = self.slot_mut(change.rollout).ok_or(StoreError::Unknown)?;
        Ok(slot.commit(change)?)
    }

    /// Restores whether the summary of a roll-out was created by a request. False if the roll-out
    /// is not known.
    ///
    /// ```
    /// use runtally::store::{RolloutId, Store};
    /// let mut store: Store<1, 0, 8, 8> = Store::new();
    /// let id = RolloutId::configuration(runtally::uuid::Uuid::nil());
    /// store.insert(id)?;
    /// store.restore_created(id, true);
    /// assert_eq!(store.get(id).map(|it| it.is_created()), Some(true));
    /// # Ok::<(), runtally::store::StoreFull>(())
    /// ```
    pub fn restore_created(&mut self, id: RolloutId, is_created: bool) -> bool {
        self.slot_mut(id).map(|slot| *slot.is_created = is_created).is_some()
    }

    /// Restores the names of a declared user of a configuration. False if there is no such
    /// configuration or user.
    ///
    /// ```
    /// use runtally::graph::Upn;
    /// use runtally::store::{Names, RolloutId, Store};
    /// use runtally::{Entry, Kept};
    ///
    /// let mut store: Store<1, 0, 8, 8> = Store::new();
    /// let id = RolloutId::configuration(runtally::uuid::Uuid::nil());
    /// store.insert(id)?;
    /// let ada: Upn = "ada@example.com".parse()?;
    /// let kept = Kept { declared: true, ..Kept::default() };
    /// store.tally_mut(id).expect("known").restore(&Entry::User { user: ada.clone(), kept })?;
    /// let names = Names { email: None, name: Some("Ada".try_into()?) };
    /// assert!(store.restore_names(id, &ada, &names));
    /// assert_eq!(store.get(id).map(|it| it.names(&ada).clone()), Some(names));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn restore_names(&mut self, id: RolloutId, user: &Upn, names: &Names) -> bool {
        let update = NamesUpdate {
            email: Some(names.email.as_ref().map(Text::from)),
            name: Some(names.name.as_ref().map(Text::from)),
        };
        let Some(mut slot) = self.slot_mut(id) else { return false };
        let is_declared = slot.tally.user(user).is_some_and(|user| user.declared);
        is_declared && slot.set_names(user, &update)
    }

    fn slot_mut(&mut self, id: RolloutId) -> Option<SlotMut<'_, DEVICES, USERS>> {
        match id.kind {
            Kind::Configuration => {
                let index = *self.configuration_ids.get(&id.id)?;
                Some(self.configurations.get_mut(index)?.view_mut())
            }
            Kind::Script => {
                let index = *self.script_ids.get(&id.id)?;
                Some(self.scripts.get_mut(index)?.view_mut())
            }
        }
    }
}

impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    Default for Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    fn default() -> Self {
        Self::new()
    }
}

/// The seed of the hash stays unsaid: whoever knows it can make keys collide.
impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    fmt::Debug for Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Gives an id that is new the next slot. True if it is new.
fn insert<const N: usize>(
    ids: &mut LinearMap<Uuid, usize, N>,
    id: Uuid,
) -> Result<bool, StoreFull> {
    // Where there is room for none, nothing is linked.
    if N == 0 {
        return Err(StoreFull { capacity: 0 });
    }
    if ids.contains_key(&id) {
        return Ok(false);
    }
    match ids.insert(id, ids.len()) {
        Ok(_) => Ok(true),
        Err(_) => Err(StoreFull { capacity: N }),
    }
}
