//! Plans: what a change comes to, worked out on a tally that stays as it is, then carried out.
//!
//! Everything that can be refused is refused while planning, so nothing is ever undone.

use core::cmp::Ordering;
use core::hash::Hash;

use super::record::{DeviceRecord, Linked, RunFrom, Stamp, Tombstone, UserRecord};
use super::{Carried, Change, Effect, Refusal, Tally};
use crate::table::{RowId, Storage};
use crate::{Counted, Counts, DateTime, Event, OutOfRange, RunState, Summary};

/// What a change comes to.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) effect: Effect,
    pub(super) summary: Summary,
    pub(super) carried: Carried,
    pub(super) run_from: RunFrom,
    /// The row or tombstone of the device that the change names.
    pub(super) row: Option<RowId>,
    /// What becomes of the device.
    pub(super) device: DevicePlan,
    /// The user whose row the device leaves, and what that row holds then.
    pub(super) left: Option<(RowId, UserRecord)>,
    /// The row of the user that the change names.
    pub(super) to: Option<RowId>,
    /// What that row holds then.
    pub(super) user: Option<UserRecord>,
}

/// Where an event or removal comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Reported,
    /// From an entry. What was carried for the device is an entry of its own, so nothing is taken
    /// back for it; and between the entries of one change a counter may be one above its limit.
    Restored,
}

/// What becomes of a device.
#[derive(Clone, Copy)]
pub(super) enum DevicePlan {
    Unchanged,
    /// It has a row with this stamp.
    Row(Stamp),
    /// It has this tombstone.
    Tombstone(DeviceRecord),
}

impl Plan {
    /// Nothing changes so far. Plans are made in place: one is too large to be handed up.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn new<D, U, const DEVICES: usize, const USERS: usize, S: Storage>(
        tally: &Tally<D, U, DEVICES, USERS, S>,
    ) -> Self {
        Self {
            effect: Effect::Applied { before: None },
            summary: tally.summary,
            carried: tally.carried,
            run_from: tally.run_from,
            row: None,
            device: DevicePlan::Unchanged,
            left: None,
            to: None,
            user: None,
        }
    }
}

/// What something comes to that is not later than what is recorded.
const fn not_later(order: Ordering) -> Option<Effect> {
    match order {
        Ordering::Less => Some(Effect::Stale),
        Ordering::Equal => Some(Effect::Duplicate),
        Ordering::Greater => None,
    }
}

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> Tally<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// An event of a device whose row or tombstone is `row`.
    #[inline(never)]
    pub(super) fn plan_event(
        &self,
        row: Option<RowId>,
        event: &Event<D, U>,
        origin: Origin,
        plan: &mut Plan,
    ) -> Result<(), Refusal> {
        plan.summary.ran(event.at);
        plan.row = row;

        let stamp = Stamp::new(event.at, event.state);
        let record = row.and_then(|row| self.devices.get(row)).map(|(_, record)| record);
        if let Some(record) = record {
            let order = stamp.cmp(&record.recorded());
            let order = order.then_with(|| event.user.as_ref().cmp(&self.user_of(record)));
            if let Some(effect) = not_later(order) {
                plan.effect = effect;
                return Ok(());
            }
            self.plan_leaving(plan, record, origin);
        }

        let state = stamp.counted(self.run_from);
        plan.device = DevicePlan::Row(stamp);
        plan.summary.devices.enter(state);
        if origin == Origin::Reported {
            plan.summary.devices.check(Counted::Devices)?;
        }
        if !record.is_some_and(DeviceRecord::is_live) && self.is_full() {
            return Err(Refusal::DevicesFull { capacity: self.live });
        }
        if let Some(user) = &event.user {
            let to = self.users.find(user);
            let mut joined = match plan.left {
                Some((left, record)) if Some(left) == to => record,
                _ => self.user_record(to),
            };
            if to.is_none() && self.users.is_full() {
                // The row that the former user leaves behind would do.
                let freed = plan.left.is_some_and(|(_, left)| !left.keeps_row());
                if !freed {
                    return Err(Refusal::UsersFull { capacity: self.users.len() });
                }
            }
            joined.shift((None, Some(state)));
            if origin == Origin::Reported && !joined.fits(state) {
                let counter = OutOfRange { state }.of(Counted::Devices);
                return Err(Refusal::UserOverflow(counter));
            }
            if plan.left.is_some_and(|(left, _)| Some(left) == to) {
                plan.left = None;
            }
            plan.summary.users.shift((self.state_of(to), joined.state()));
            (plan.to, plan.user) = (to, Some(joined));
        }
        self.plan_left(plan, origin)
    }

    /// A device is removed.
    #[inline(never)]
    pub(super) fn plan_removal(
        &self,
        device: &D,
        at: DateTime,
        origin: Origin,
        plan: &mut Plan,
    ) -> Result<(), Refusal> {
        let tombstone = DeviceRecord::removed(at);
        let row = self.devices.find(device);
        plan.row = row;
        if let Some((_, record)) = row.and_then(|row| self.devices.get(row)) {
            // Above every state of its instant; of two removals, both in UTC, neither is later.
            if let Some(effect) = not_later(tombstone.recorded().cmp(&record.recorded())) {
                plan.effect = effect;
                return Ok(());
            }
            self.plan_leaving(plan, record, origin);
        } else if self.is_full() {
            // There is no row to remember it in.
            plan.effect = Effect::Unknown;
            return Ok(());
        }
        plan.device = DevicePlan::Tombstone(tombstone);
        self.plan_left(plan, origin)
    }

    /// A device's count moves from live to carried.
    #[inline(never)]
    pub(super) fn plan_retirement(&self, device: &D, plan: &mut Plan) {
        plan.effect = Effect::Unknown;
        let row = self.devices.find(device);
        plan.row = row;
        let Some((_, record)) = row.and_then(|row| self.devices.get(row)) else { return };
        if !record.is_live() {
            return;
        }
        let (stamp, state) = (record.stamp, record.stamp.counted(self.run_from));
        plan.effect = Effect::Applied { before: Some(state) };
        plan.device = DevicePlan::Tombstone(DeviceRecord::retired(stamp, state, record.user));
        plan.carried.devices.enter(state);
        plan.left = record.user.map(|row| {
            let mut left = self.user_record(Some(row));
            left.carry(state, self.carried_update_with(&left, stamp.at()));
            (row, left)
        });
    }

    /// What was counted for a device no longer is: live, or carried since it was retired.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn plan_leaving(&self, plan: &mut Plan, record: &DeviceRecord, origin: Origin) {
        let (state, is_live) = match record.tombstone() {
            None => (record.stamp.counted(self.run_from), true),
            Some(Tombstone::Removed) => return,
            // What is carried for it is an entry of its own.
            Some(Tombstone::Retired { .. }) if origin == Origin::Restored => return,
            Some(Tombstone::Retired { counted }) => (counted, false),
        };
        if let Some(row) = record.user {
            let mut left = self.user_record(Some(row));
            if is_live {
                left.shift((Some(state), None));
            } else {
                left.take_back(state);
            }
            plan.left = Some((row, left));
        }
        if !is_live {
            // It may have been declared away.
            if plan.carried.devices[state] == 0 {
                return;
            }
            plan.carried.devices.leave(state);
        }
        plan.summary.devices.leave(state);
        let before = Some(state);
        plan.effect = Effect::Applied { before };
    }

    /// The change of run state of the user who is left, and the limits of the users' counters.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn plan_left(&self, plan: &mut Plan, origin: Origin) -> Result<(), Refusal> {
        if let Some((row, left)) = plan.left {
            plan.summary.users.shift((self.state_of(Some(row)), left.state()));
        }
        if origin == Origin::Reported {
            plan.summary.users.check(Counted::Users)?;
        }
        Ok(())
    }

    /// Makes room for the rows that a plan adds, where memory is the limit.
    ///
    /// # Errors
    ///
    /// If there is none. Nothing has changed then.
    #[inline]
    pub(super) fn make_room(&mut self, plan: &Plan) -> Result<(), Refusal> {
        let is_new = plan.row.is_none() && !matches!(plan.device, DevicePlan::Unchanged);
        if is_new && !self.devices.make_room(1) {
            return Err(Refusal::DevicesFull { capacity: self.devices.len() });
        }
        let is_new = plan.to.is_none() && plan.user.as_ref().is_some_and(UserRecord::keeps_row);
        if is_new && !self.users.make_room(1) {
            return Err(Refusal::UsersFull { capacity: self.users.len() });
        }
        Ok(())
    }

    /// Makes a change as planned. Nothing refuses here.
    #[cfg_attr(target_pointer_width = "64", cold)]
    #[inline(never)]
    pub(super) fn carry_out(&mut self, change: &Change<D, U>, plan: &Plan) {
        match change {
            Change::Event(event) => self.carry_out_event(event, plan),
            Change::Remove { device, .. } | Change::Retire { device } => self.bury(device, plan),
            Change::DeclareUser { user, .. } | Change::UndeclareUser { user } => {
                self.put_user(user, plan);
            }
            Change::Declare(_) => self.put_totals(plan),
            Change::RunFrom(_) => {
                self.run_from = plan.run_from;
                self.recount_users();
                self.put_totals(plan);
            }
        }
    }

    fn put_totals(&mut self, plan: &Plan) {
        self.summary = plan.summary;
        self.carried = plan.carried;
    }

    pub(super) fn carry_out_event(&mut self, event: &Event<D, U>, plan: &Plan) {
        let record = plan.row.and_then(|row| self.devices.value_mut(row));
        match (plan.device, record) {
            // It stays in the chain of its user: no walk along that.
            (DevicePlan::Row(stamp), Some(record))
                if record.is_live()
                    && record.user == plan.to
                    && record.user.is_some() == event.user.is_some() =>
            {
                record.stamp = stamp;
                let user = plan.to.and_then(|to| self.users.value_mut(to));
                if let (Some(user), Some(joined)) = (user, &plan.user) {
                    *user = *joined;
                }
                self.put_totals(plan);
            }
            _ => self.carry_out_move(event, plan),
        }
    }

    /// A device is new, returns, or changes hands.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn carry_out_move(&mut self, event: &Event<D, U>, plan: &Plan) {
        self.put_totals(plan);
        let DevicePlan::Row(stamp) = plan.device else { return };
        let known = plan.row.and_then(|row| Some((row, *self.devices.get(row)?.1)));
        let new = DeviceRecord::live(stamp);
        match known {
            Some((row, record)) if record.is_live() => self.unchain(row, &record),
            Some((row, _)) => {
                self.reuse(row);
                self.live = self.live.wrapping_add(1);
            }
            None => self.live = self.live.wrapping_add(1),
        }
        self.put_left(plan);
        let row = match known {
            Some((row, _)) => {
                if let Some(record) = self.devices.value_mut(row) {
                    *record = new;
                }
                Some(row)
            }
            None => self.insert_device(&event.device, new),
        };
        if let (Some(row), Some(user), Some(joined)) = (row, &event.user, &plan.user) {
            let to = plan.to.or_else(|| self.users.insert(user, UserRecord::default()));
            self.chain_in(row, to, joined);
        }
    }

    /// A device's row becomes a tombstone.
    pub(super) fn bury(&mut self, device: &D, plan: &Plan) {
        self.put_totals(plan);
        let DevicePlan::Tombstone(tombstone) = plan.device else { return };
        let known = plan.row.and_then(|row| Some((row, *self.devices.get(row)?.1)));
        match known {
            Some((row, record)) if record.is_live() => {
                self.unchain(row, &record);
                self.free(row, tombstone);
                self.live = self.live.wrapping_sub(1);
            }
            Some((row, _)) => self.rebury(row, tombstone),
            None => {
                if let Some(row) = self.insert_device(device, tombstone) {
                    self.free(row, tombstone);
                }
            }
        }
        self.put_left(plan);
    }

    /// Takes a device out of its user's chain; the counts are the caller's to change.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn unchain(&mut self, device: RowId, record: &DeviceRecord) {
        let Some(user) = record.user.and_then(|user| self.users.value_mut(user)) else { return };
        let mut link = &mut user.first;
        while *link != Some(device) {
            let Some(before) = *link else { return };
            let Some(record) = self.devices.value_mut(before) else { return };
            link = &mut record.sibling;
        }
        *link = record.sibling;
    }

    /// The row of the user who is left.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn put_left(&mut self, plan: &Plan) {
        let Some((row, left)) = &plan.left else { return };
        let row = *row;
        let Some(record) = self.users.value_mut(row) else { return };
        let first = record.first;
        *record = *left;
        record.first = first;
        if !record.keeps_row() {
            let linked = record.linked != Linked::No;
            self.users.remove(row);
            if linked {
                self.unlink_tombstones(row);
            }
        }
    }

    /// Puts a device at the head of the chain of the user it joins.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn chain_in(&mut self, device: RowId, to: Option<RowId>, joined: &UserRecord) {
        let Some(user) = to.and_then(|to| self.users.value_mut(to)) else { return };
        let sibling = user.first;
        *user = *joined;
        user.first = Some(device);
        if let Some(record) = self.devices.value_mut(device) {
            record.user = to;
            record.sibling = sibling;
        }
    }

    fn put_user(&mut self, user: &U, plan: &Plan) {
        self.put_totals(plan);
        if let Some(record) = &plan.user {
            self.put_record(user, plan.to, record);
        }
    }

    /// The row of a user, under the spelling given; no row if nothing keeps it.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn put_record(&mut self, user: &U, row: Option<RowId>, record: &UserRecord) {
        match row.and_then(|row| Some((row, self.users.value_mut(row)?))) {
            Some((row, known)) if record.keeps_row() => {
                *known = *record;
                self.users.respell(row, user);
            }
            Some((row, known)) => {
                let linked = known.linked != Linked::No;
                self.users.remove(row);
                if linked {
                    self.unlink_tombstones(row);
                }
            }
            None if record.keeps_row() => {
                self.users.insert(user, *record);
            }
            None => {}
        }
    }

    /// What is kept of the user in this row; nothing, without one.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn user_record(&self, row: Option<RowId>) -> UserRecord {
        row.and_then(|row| self.users.get(row)).map(|(_, record)| *record).unwrap_or_default()
    }

    /// The run state of the user in this row; none without one.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn state_of(&self, row: Option<RowId>) -> Option<RunState> {
        row.and_then(|row| self.users.get(row))?.1.state()
    }

    /// The user of a device, or of the tombstone of a retired one.
    pub(super) fn user_of(&self, record: &DeviceRecord) -> Option<&U> {
        let user = match record.tombstone() {
            Some(Tombstone::Removed) => None,
            _ => record.user,
        };
        user.and_then(|user| self.users.get(user)).map(|(user, _)| user)
    }

    /// The live counts of a user whose first device is `first`.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn recount(&self, first: Option<RowId>, run_from: RunFrom) -> Counts {
        let mut counts = Counts::ZERO;
        self.chain(first).for_each(|(_, _, device)| counts.enter(device.stamp.counted(run_from)));
        counts
    }

    /// The live counts of all devices.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn recount_all(&self, run_from: RunFrom) -> Counts {
        let mut counts = Counts::ZERO;
        let rows = self.devices.iter().filter(|(_, _, record)| record.is_live());
        rows.for_each(|(_, _, device)| counts.enter(device.stamp.counted(run_from)));
        counts
    }

    /// The devices or users counted from rows held here: reported - carried.
    ///
    /// ```
    /// use runtally::{Change, Counted, Counts, RunState, Summary, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let five = Counts::ZERO.with(RunState::Fail, 5)?;
    /// assert!(tally.commit(&Change::Declare(Summary { devices: five, ..Summary::ZERO }))?.is_applied());
    /// assert_eq!(tally.live(Counted::Devices), Counts::ZERO);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn live(&self, of: Counted) -> Counts {
        let reported = match of {
            Counted::Devices => &self.summary.devices,
            Counted::Users => &self.summary.users,
        };
        // Carried is never above reported.
        reported.checked_sub(&self.carried(of)).unwrap_or_default()
    }

    /// The devices or users counted by declaration, or devices retired.
    ///
    /// ```
    /// use runtally::{Change, Counted, Counts, RunState, Summary, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let five = Counts::ZERO.with(RunState::Fail, 5)?;
    /// assert!(tally.commit(&Change::Declare(Summary { devices: five, ..Summary::ZERO }))?.is_applied());
    /// assert_eq!(tally.carried(Counted::Devices), five);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn carried(&self, of: Counted) -> Counts {
        match of {
            Counted::Devices => self.carried.devices,
            Counted::Users => self.carried.users,
        }
    }
}

/// What is left to carry of a declared total.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn carried(of: Counted, written: &Counts, live: &Counts) -> Result<Counts, Refusal> {
    written.checked_sub(live).map_err(|error| {
        let state: RunState = error.state;
        Refusal::BelowLive {
            counter: crate::Counter { of, state },
            written: written[state],
            live: live[state],
        }
    })
}
