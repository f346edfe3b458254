//! The fast door: an event of a known device that stays with its user.

use core::cmp::Ordering;
use core::hash::Hash;

use super::plan::{Origin, Plan};
use super::read::DeviceHandle;
use super::record::Stamp;
use super::{Effect, Refusal, Tally};
use crate::table::{RowId, Storage};
use crate::{Counted, Event};

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> Tally<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// Takes one event into account, in constant time.
    ///
    /// Two cases take longer: a device that leaves one user for another takes a walk along the
    /// former user's devices, and a [retired](super::Change::Retire) device that returns may take a
    /// walk along the freed rows.
    ///
    /// The events of one device are ordered by [`Event::order`]. A greater event replaces the
    /// recorded one, an equal one is a duplicate, a smaller one is stale. Each of them may move the
    /// summary's last run.
    ///
    /// # Errors
    ///
    /// The tally is then as it was.
    ///
    /// - [`Refusal::DevicesFull`], [`Refusal::UsersFull`]: a new device or user, and no row is free.
    /// - [`Refusal::Overflow`], [`Refusal::UserOverflow`]: a counter stands at
    ///   [`Counts::MAX`](crate::Counts::MAX), which takes declared counts near that limit.
    ///
    /// ```
    /// use runtally::{Effect, Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: Some("ada"), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// assert_eq!(tally.apply(&event)?, Effect::Applied { before: None });
    ///
    /// // The device changes hands, and so does its count.
    /// let event = Event { user: Some("bob"), at: "2026-11-21T09:31Z".parse()?, ..event };
    /// assert_eq!(tally.apply(&event)?, Effect::Applied { before: Some(RunState::Fail) });
    /// assert!(tally.user(&"ada").is_none());
    /// assert_eq!(tally.summary().users[RunState::Fail], 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn apply(&mut self, event: &Event<D, U>) -> Result<Effect, Refusal> {
        self.apply_to(self.devices.find(&event.device), event, |effect, _| effect)
    }

    /// Like [`apply`](Self::apply), but looks in one row first, which costs what a plain array
    /// costs. If another device is kept there by now, the event's own row is found.
    ///
    /// # Errors
    ///
    /// Those of [`apply`](Self::apply).
    ///
    /// ```
    /// use runtally::{Effect, Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: None, state: RunState::Pending, at: "2026-11-21T09:30Z".parse()? };
    /// assert!(tally.apply(&event)?.is_applied());
    /// let handle = tally.find(&7).expect("just applied");
    /// let later = Event { state: RunState::Success, at: "2026-11-21T09:45Z".parse()?, ..event };
    /// assert_eq!(tally.apply_at(handle, &later)?, Effect::Applied { before: Some(RunState::Pending) });
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn apply_at(
        &mut self,
        handle: DeviceHandle,
        event: &Event<D, U>,
    ) -> Result<Effect, Refusal> {
        let row = handle.row();
        match self.devices.get(row) {
            Some((device, _)) if *device == event.device => {
                self.apply_to(Some(row), event, |effect, _| effect)
            }
            _ => self.apply(event),
        }
    }

    /// Like [`apply`](Self::apply), and shows what was recorded before, without another look-up.
    ///
    /// `observe` gets the effect and the event recorded until now, `None` if the device does not
    /// count: it is not known, or it has a [tombstone](Self::tombstone). What is recorded from now
    /// on is `event` if the effect is [`Applied`](Effect::Applied), and else what was.
    ///
    /// # Errors
    ///
    /// Those of [`apply`](Self::apply); `observe` is not called then.
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: Some("ada"), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// assert!(tally.apply(&event)?.is_applied());
    /// let moved = Event { user: Some("bob"), at: "2026-11-21T09:31Z".parse()?, ..event };
    /// let former = tally.apply_with(&moved, |_, before| before.and_then(|it| it.user.copied()))?;
    /// assert_eq!(former, Some("ada"));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn apply_with<R>(
        &mut self,
        event: &Event<D, U>,
        observe: impl FnOnce(Effect, Option<Event<&D, &U>>) -> R,
    ) -> Result<R, Refusal> {
        self.apply_to(self.devices.find(&event.device), event, observe)
    }

    #[inline]
    fn apply_to<R>(
        &mut self,
        row: Option<RowId>,
        event: &Event<D, U>,
        observe: impl FnOnce(Effect, Option<Event<&D, &U>>) -> R,
    ) -> Result<R, Refusal> {
        let observe = |effect, before: Option<Event<&D, &U>>| {
            #[cfg(feature = "defmt")]
            log(event.state, &Ok(effect));
            observe(effect, before)
        };
        let result = self.try_apply(row, event, observe);
        #[cfg(feature = "defmt")]
        if let Err(refusal) = &result {
            log(event.state, &Err(*refusal));
        }
        result
    }

    #[inline]
    fn try_apply<R>(
        &mut self,
        row: Option<RowId>,
        event: &Event<D, U>,
        observe: impl FnOnce(Effect, Option<Event<&D, &U>>) -> R,
    ) -> Result<R, Refusal> {
        let Some((device, record)) = row.and_then(|row| self.devices.get_mut(row)) else {
            return self.apply_cold(row, event, observe);
        };
        if !record.is_live() {
            return self.apply_cold(row, event, observe);
        }
        let mut user = record.user.and_then(|user| self.users.get_mut(user));
        let known = user.as_ref().map(|(key, _)| *key);
        let recorded =
            Event { device, user: known, state: record.stamp.state(), at: record.stamp.at() };

        let stamp = Stamp::new(event.at, event.state);
        let order = stamp.cmp(&record.stamp);
        match order.then_with(|| event.user.as_ref().cmp(&known)) {
            // The last run is no earlier than any row, so it is as late as this event.
            Ordering::Less => return Ok(observe(Effect::Stale, Some(recorded))),
            Ordering::Equal => return Ok(observe(Effect::Duplicate, Some(recorded))),
            Ordering::Greater => {}
        }
        if event.user.as_ref() != known {
            return self.apply_cold(row, event, observe);
        }

        let before = record.stamp.counted(self.run_from);
        let change = (Some(before), Some(stamp.counted(self.run_from)));
        self.summary.devices.check_shift(change, Counted::Devices)?;
        let result = if let Some((key, user)) = &mut user {
            let shift = user.weigh(change)?;
            self.summary.users.check_shift(shift.states, Counted::Users)?;
            let recorded = Event { user: Some(*key), ..recorded };
            let result = observe(Effect::Applied { before: Some(before) }, Some(recorded));
            user.apply(change, shift);
            self.summary.users.shift(shift.states);
            result
        } else {
            observe(Effect::Applied { before: Some(before) }, Some(recorded))
        };
        record.stamp = stamp;
        self.summary.devices.shift(change);
        self.summary.ran(event.at);
        Ok(result)
    }

    /// The device is new, returns, or changes hands.
    #[cfg_attr(target_pointer_width = "64", cold)]
    #[inline(never)]
    fn apply_cold<R>(
        &mut self,
        row: Option<RowId>,
        event: &Event<D, U>,
        observe: impl FnOnce(Effect, Option<Event<&D, &U>>) -> R,
    ) -> Result<R, Refusal> {
        let mut plan = Plan::new(self);
        self.plan_event(row, event, Origin::Reported, &mut plan)?;
        self.make_room(&plan)?;
        let recorded = row.and_then(|row| self.devices.get(row));
        let recorded = recorded.filter(|(_, record)| record.is_live());
        let recorded = recorded.map(|(device, record)| self.view(device, record));
        let result = observe(plan.effect, recorded);
        self.carry_out_move(event, &plan);
        Ok(result)
    }
}

#[cfg(feature = "defmt")]
pub(super) fn log(state: crate::RunState, result: &Result<Effect, Refusal>) {
    match result {
        Ok(Effect::Applied { before }) => defmt::debug!("applied: {} -> {}", before, state),
        Ok(effect) => defmt::trace!("{}: {}", effect, state),
        Err(refusal) => defmt::warn!("refused {}: {}", state, refusal),
    }
}
