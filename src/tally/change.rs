//! Changes: anything that may happen to a tally, and what it comes to.

use core::hash::Hash;

use super::plan::{Origin, Plan};
use super::{Refusal, Tally};
use crate::{Counts, DateTime, Event, RunState, Summary};

/// Anything that may happen to a tally, as a value: checked, written to a log, sent, replayed.
///
/// ```
/// use runtally::{Change, Effect, Event, RunState, Tally};
///
/// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
/// let at = "2026-11-21T09:30:00Z".parse()?;
/// let event = Event { device: 7, user: None, state: RunState::Fail, at };
/// let removal = Change::Remove { device: 7, at: "2026-11-21T12:00:00Z".parse()? };
///
/// // In either order the device is gone, and a late copy of its report does not bring it back.
/// assert_eq!(tally.commit(&removal)?, Effect::Applied { before: None });
/// assert_eq!(tally.commit(&Change::Event(event))?, Effect::Stale);
/// assert_eq!(tally.device_count(), 0);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", rename_all_fields = "camelCase"))]
pub enum Change<D, U> {
    /// A device reported. [`Tally::apply`] is the fast way to commit one.
    Event(Event<D, U>),
    /// A device is removed. This is ordered like an event of that device, above every state of its
    /// instant: reports up to `at` are stale from now on, and a later one makes the device known
    /// again.
    Remove {
        /// The device.
        device: D,
        /// When it was removed.
        at: DateTime,
    },
    /// A device's row is freed without changing the summary: what was live becomes carried, for the
    /// device and for its user. A later report brings the device back and takes back what was
    /// carried, so it is never counted twice.
    Retire {
        /// The device.
        device: D,
    },
    /// The summary's *reported* totals are set. Reads return exactly those values; later events
    /// adjust them by one. The last run may move back, but not before the latest row's instant.
    Declare(Summary),
    /// A user's *reported* device counts and, where the wire has one, last update are set. The
    /// user's row stays until [`UndeclareUser`](Self::UndeclareUser), even without devices. This
    /// also sets the spelling of the key.
    DeclareUser {
        /// The user.
        user: U,
        /// The user's devices in each state.
        devices: Counts,
        /// The user's last update.
        last_update: Option<DateTime>,
    },
    /// A user's declaration is taken back: carried counts, retired devices among them, become zero.
    /// The row stays while it has devices. Where it goes, retired devices forget whose they were: the
    /// same report once more is then news, not a duplicate.
    UndeclareUser {
        /// The user.
        user: U,
    },
    /// The roll-out begins anew, as an edited policy does: every device whose recorded event is
    /// before this instant counts as pending until it reports again. The latest instant ever given
    /// holds.
    RunFrom(DateTime),
}

/// What a [`Change`] came to.
///
/// ```
/// use runtally::{Effect, Event, RunState, Tally};
///
/// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
/// let event = Event { device: 7, user: None, state: RunState::Pending, at: "2026-11-21T09:30Z".parse()? };
/// assert_eq!(tally.apply(&event)?, Effect::Applied { before: None });
/// assert_eq!(tally.apply(&event)?, Effect::Duplicate);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
#[must_use = "a stale or duplicate change did nothing"]
pub enum Effect {
    /// The change is made.
    Applied {
        /// The state the device counted in before; `None` if it was not counted, and for changes
        /// that are not of one device.
        before: Option<RunState>,
    },
    /// What is recorded is the same; no row and no count changed.
    Duplicate,
    /// What is recorded is later; no row and no count changed.
    Stale,
    /// There is no such device or user; nothing changed.
    Unknown,
}

impl Effect {
    /// True for [`Applied`](Self::Applied).
    ///
    /// ```
    /// use runtally::Effect;
    /// assert!(Effect::Applied { before: None }.is_applied());
    /// assert!(!Effect::Stale.is_applied());
    /// ```
    #[must_use]
    pub const fn is_applied(self) -> bool {
        matches!(self, Self::Applied { .. })
    }
}

impl<D, U, const DEVICES: usize, const USERS: usize> Tally<D, U, DEVICES, USERS>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// What [`commit`](Self::commit) would come to. Changes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`commit`](Self::commit).
    ///
    /// ```
    /// use runtally::{Change, Effect, Event, RunState, Summary, Tally};
    ///
    /// let tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: None, state: RunState::Pending, at: "2026-11-21T09:30Z".parse()? };
    /// assert_eq!(tally.check(&Change::Event(event))?, Effect::Applied { before: None });
    /// assert_eq!(tally.summary(), &Summary::ZERO);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn check(&self, change: &Change<D, U>) -> Result<Effect, Refusal> {
        let mut plan = Plan::new(self);
        self.plan(change, &mut plan)?;
        Ok(plan.effect)
    }

    /// [`check`](Self::check), with another word on the summary afterwards.
    #[cfg(feature = "graph")]
    pub(crate) fn check_with(
        &self,
        change: &Change<D, U>,
        judge: impl FnOnce(&Summary) -> Result<(), Refusal>,
    ) -> Result<Effect, Refusal> {
        let mut plan = Plan::new(self);
        self.plan(change, &mut plan)?;
        judge(&plan.summary)?;
        Ok(plan.effect)
    }

    /// True if an event of that time moves the last run.
    #[cfg(feature = "graph")]
    pub(crate) fn moves_last_run(&self, at: DateTime) -> bool {
        let mut summary = self.summary;
        summary.ran(at);
        summary.last_run != self.summary.last_run
    }

    /// Makes a change.
    ///
    /// | change | takes |
    /// |---|---|
    /// | [`Event`](Change::Event) | constant time; see [`apply`](Self::apply) |
    /// | [`Remove`](Change::Remove), [`Retire`](Change::Retire) | a walk along the user's devices |
    /// | [`Declare`](Change::Declare) | a look at every row, for the latest instant |
    /// | [`DeclareUser`](Change::DeclareUser), [`UndeclareUser`](Change::UndeclareUser) | a walk along the user's devices |
    /// | [`RunFrom`](Change::RunFrom) | a recount of every row |
    ///
    /// # Errors
    ///
    /// The tally is then as it was, bit for bit.
    ///
    /// - [`Refusal::DevicesFull`], [`Refusal::UsersFull`]: a new device or user, and no row is free.
    /// - [`Refusal::Overflow`], [`Refusal::UserOverflow`]: a counter would pass [`Counts::MAX`],
    ///   which takes declared counts near that limit.
    /// - [`Refusal::BelowLive`]: a declared count is below the number of rows counted here.
    /// - [`Refusal::BeforeRow`]: a declared last run or last update is earlier than a row's.
    ///
    /// ```
    /// use runtally::{Change, Counts, Effect, RunState, Summary, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let five = Counts::ZERO.with(RunState::Success, 5)?;
    /// let written = Summary { devices: five, ..Summary::ZERO };
    /// assert_eq!(tally.commit(&Change::Declare(written))?, Effect::Applied { before: None });
    /// assert_eq!(tally.summary(), &written);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn commit(&mut self, change: &Change<D, U>) -> Result<Effect, Refusal> {
        match change {
            Change::Event(event) => self.apply(event),
            _ => self.commit_other(change),
        }
    }

    fn commit_other(&mut self, change: &Change<D, U>) -> Result<Effect, Refusal> {
        self.commit_with(change, |_| Ok(()))
    }

    /// Like [`commit`](Self::commit), if the summary that comes of it is in order.
    // Out of line: in one frame with applying an event, either would pay for the other's stack.
    #[inline(never)]
    pub(crate) fn commit_with(
        &mut self,
        change: &Change<D, U>,
        judge: impl FnOnce(&Summary) -> Result<(), Refusal>,
    ) -> Result<Effect, Refusal> {
        let mut plan = Plan::new(self);
        let planned = self.plan(change, &mut plan).and_then(|()| judge(&plan.summary));
        #[cfg(feature = "defmt")]
        match change {
            Change::Event(event) => super::apply::log(event.state, &planned.map(|()| plan.effect)),
            _ if planned.is_ok() => defmt::debug!("committed: {}", plan.effect),
            _ => {}
        }
        planned?;
        self.carry_out(change, &plan);
        Ok(plan.effect)
    }

    pub(super) fn plan(&self, change: &Change<D, U>, plan: &mut Plan) -> Result<(), Refusal> {
        match change {
            Change::Event(event) => {
                let row = self.devices.find(&event.device);
                self.plan_event(row, event, Origin::Reported, plan)
            }
            Change::Remove { device, at } => self.plan_removal(device, *at, Origin::Reported, plan),
            Change::Retire { device } => {
                self.plan_retirement(device, plan);
                Ok(())
            }
            Change::Declare(written) => self.plan_declaration(written, plan),
            Change::DeclareUser { user, devices, last_update } => {
                self.plan_user_declaration(user, devices, *last_update, plan)
            }
            Change::UndeclareUser { user } => self.plan_user_undeclaration(user, plan),
            Change::RunFrom(at) => self.plan_run_from(*at, plan),
        }
    }
}
