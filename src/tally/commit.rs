//! A change is checked, and made.

use core::hash::Hash;

use super::plan::{Origin, Plan};
use super::{Change, Effect, Refusal, Tally};
use crate::Summary;
use crate::table::Storage;

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> Tally<D, U, DEVICES, USERS, S>
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
    pub(crate) fn moves_last_run(&self, at: crate::DateTime) -> bool {
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
    /// - [`Refusal::Overflow`], [`Refusal::UserOverflow`]: a counter would pass [`Counts::MAX`](crate::Counts::MAX),
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
        let planned = planned.and_then(|()| self.make_room(&plan));
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
