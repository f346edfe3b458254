//! Declarations, and the roll-out that begins anew.

use core::hash::Hash;

use super::plan::{Plan, carried};
use super::record::UserRecord;
use super::{Carried, Effect, Refusal, Tally};
use crate::table::{RowId, Storage};
use crate::{Counted, Counts, DateTime, Summary};

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> Tally<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// Reported totals: what is carried is the difference to what is live.
    #[inline(never)]
    pub(super) fn plan_declaration(
        &self,
        written: &Summary,
        plan: &mut Plan,
    ) -> Result<(), Refusal> {
        let devices = carried(Counted::Devices, &written.devices, &self.live(Counted::Devices))?;
        let users = carried(Counted::Users, &written.users, &self.live(Counted::Users))?;
        let rows = self.devices.iter().map(|(_, _, record)| record);
        let latest = rows.filter(|record| record.is_live()).map(|record| record.stamp.at()).max();
        not_before(Counted::Devices, written.last_run, latest)?;

        plan.summary = *written;
        plan.carried = Carried { devices, users };
        Ok(())
    }

    /// A user's reported totals.
    // Out of line, so that its stack is free again when the plan is carried out.
    #[inline(never)]
    pub(super) fn plan_user_declaration(
        &self,
        user: &U,
        written: &Counts,
        last_update: Option<DateTime>,
        plan: &mut Plan,
    ) -> Result<(), Refusal> {
        let known = self.users.find(user);
        if known.is_none() && self.users.is_full() {
            return Err(Refusal::UsersFull { capacity: self.users.len() });
        }
        let mut record = self.user_record(known);
        record.set_carried(carried(Counted::Devices, written, &record.live())?);
        if last_update.is_some() {
            not_before(Counted::Users, last_update, self.latest_of(&record))?;
        }
        record.set_carried_update(last_update);
        record.declared = true;
        self.plan_user(known, record, plan)
    }

    /// Nothing of a user is declared or carried any more.
    #[inline(never)]
    pub(super) fn plan_user_undeclaration(&self, user: &U, plan: &mut Plan) -> Result<(), Refusal> {
        let known = self.users.find(user);
        let mut record = self.user_record(known);
        if !record.is_kept() {
            plan.effect = Effect::Unknown;
            return Ok(());
        }
        record.set_carried(Counts::ZERO);
        record.set_carried_update(None);
        record.declared = false;
        self.plan_user(known, record, plan)
    }

    /// What the row of a user holds from now on; `known` is that row.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn plan_user(
        &self,
        known: Option<RowId>,
        record: UserRecord,
        plan: &mut Plan,
    ) -> Result<(), Refusal> {
        plan.summary.users.shift((self.state_of(known), record.state()));
        plan.summary.users.check(Counted::Users)?;
        (plan.to, plan.user) = (known, Some(record));
        Ok(())
    }

    /// Devices recorded before an instant count as pending.
    #[inline(never)]
    pub(super) fn plan_run_from(&self, at: DateTime, plan: &mut Plan) -> Result<(), Refusal> {
        plan.effect = plan.run_from.raise(at);
        if !plan.effect.is_applied() {
            return Ok(());
        }
        let run_from = plan.run_from;

        let live = self.recount_all(run_from);
        let devices = self.carried.devices.checked_add(&live);
        plan.summary.devices = devices.map_err(|error| error.of(Counted::Devices))?;
        for (_, _, user) in self.users.iter() {
            let mut after = *user;
            after.set_live(&self.recount(user.first, run_from));
            if let Err(error) = after.carried().checked_add(&after.live()) {
                return Err(Refusal::UserOverflow(error.of(Counted::Devices)));
            }
            plan.summary.users.shift((user.state(), after.state()));
        }
        Ok(plan.summary.users.check(Counted::Users)?)
    }

    /// The live counts of every user, from the rows.
    pub(super) fn recount_users(&mut self) {
        for number in 0..self.users.rows() {
            let Some(row) = RowId::from_number(number) else { return };
            let Some(first) = self.users.get(row).map(|(_, user)| user.first) else { continue };
            let live = self.recount(first, self.run_from);
            if let Some(user) = self.users.value_mut(row) {
                user.set_live(&live);
            }
        }
    }

    /// The instant from which the roll-out counts, in UTC; `None` if it never began anew. See
    /// [`Change::RunFrom`](super::Change::RunFrom).
    ///
    /// ```
    /// use runtally::{Change, Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: None, state: RunState::Success, at: "2026-11-21T09:30Z".parse()? };
    /// assert!(tally.apply(&event)?.is_applied());
    /// assert!(tally.commit(&Change::RunFrom("2026-11-22T00:00Z".parse()?))?.is_applied());
    /// assert_eq!(tally.run_from().map(|at| at.to_string()).as_deref(), Some("2026-11-22T00:00:00Z"));
    /// assert_eq!(tally.summary().devices[RunState::Pending], 1);
    ///
    /// // What is recorded is what was reported.
    /// assert_eq!(tally.device(&7).map(|recorded| recorded.state), Some(RunState::Success));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn run_from(&self) -> Option<DateTime> {
        self.run_from.at()
    }
}

/// By the instant: the offset it is written with does not matter.
pub(crate) fn not_before(
    of: Counted,
    written: Option<DateTime>,
    latest: Option<DateTime>,
) -> Result<(), Refusal> {
    match latest {
        Some(latest) if written.is_none_or(|written| written.ticks() < latest.ticks()) => {
            Err(Refusal::BeforeRow { of, written, latest })
        }
        _ => Ok(()),
    }
}
