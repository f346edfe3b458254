//! Applying an event: weigh it, then carry it out.

use core::cmp::Ordering;
use core::hash::Hash;

use super::record::{DeviceRecord, Stamp, UserRecord, UserShift};
use super::{Outcome, Refusal, StateChange, Tally};
use crate::table::RowId;
use crate::{Event, Of, Overflow, RunState, Summary};

impl<D, U, const DEVICES: usize, const USERS: usize> Tally<D, U, DEVICES, USERS>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// Takes one event into account, in constant time. Only where a device leaves one user for
    /// another are the devices of the former looked through.
    ///
    /// The events of one device are ordered by date-time (instant, then offset), severity of
    /// state, and user, no user being lowest. A greater event replaces the recorded one, an equal
    /// one is a duplicate, a smaller one is stale.
    ///
    /// # Errors
    ///
    /// The tally is then as it was.
    ///
    /// - [`Refusal::DevicesFull`], [`Refusal::UsersFull`]: a new device or user, and no row free.
    /// - [`Refusal::Overflow`], [`Refusal::UserOverflow`]: a counter stands at [`Counts::MAX`](crate::Counts::MAX),
    ///   which takes declared counts near that limit.
    ///
    /// ```
    /// use runtally::{Event, Outcome, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, &str, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: Some("ada"), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// assert_eq!(tally.apply(&event)?, Outcome::Applied { before: None });
    ///
    /// // The device changes hands: so does its count.
    /// let event = Event { user: Some("bob"), at: "2026-11-21T09:31Z".parse()?, ..event };
    /// assert_eq!(tally.apply(&event)?, Outcome::Applied { before: Some(RunState::Fail) });
    /// assert!(tally.user(&"ada").is_none());
    /// assert_eq!(tally.summary().users[RunState::Fail], 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn apply(&mut self, event: &Event<D, U>) -> Result<Outcome, Refusal> {
        self.apply_to(self.devices.find(&event.device), event)
    }

    /// Like [`apply`](Self::apply), looking in one row first: what it costs then is what a plain
    /// array costs. If another device is kept there by now, the event's own row is found.
    ///
    /// # Errors
    ///
    /// Those of [`apply`](Self::apply).
    ///
    /// ```
    /// use runtally::{Event, Outcome, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: None, state: RunState::Pending, at: "2026-11-21T09:30Z".parse()? };
    /// tally.apply(&event)?;
    /// let row = tally.find(&7).expect("just applied");
    /// let later = Event { state: RunState::Success, at: "2026-11-21T09:45Z".parse()?, ..event };
    /// assert_eq!(tally.apply_at(row, &later)?, Outcome::Applied { before: Some(RunState::Pending) });
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn apply_at(&mut self, row: RowId, event: &Event<D, U>) -> Result<Outcome, Refusal> {
        match self.devices.get(row) {
            Some((device, _)) if *device == event.device => self.apply_to(Some(row), event),
            _ => self.apply(event),
        }
    }

    /// What [`apply`](Self::apply) would come to; changes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`apply`](Self::apply).
    ///
    /// ```
    /// use runtally::{Event, Outcome, RunState, Summary, Tally};
    ///
    /// let tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: None, state: RunState::Pending, at: "2026-11-21T09:30Z".parse()? };
    /// assert_eq!(tally.check(&event)?, Outcome::Applied { before: None });
    /// assert_eq!(tally.summary(), &Summary::ZERO);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn check(&self, event: &Event<D, U>) -> Result<Outcome, Refusal> {
        self.preview(event).map(|(outcome, _)| outcome)
    }

    /// What [`apply`](Self::apply) would come to, and the summary afterwards.
    pub(crate) fn preview(&self, event: &Event<D, U>) -> Result<(Outcome, Summary), Refusal> {
        let record = self.devices.find(&event.device).and_then(|row| self.devices.get(row));
        let record = record.map(|(_, record)| record);
        let user = record.and_then(|record| record.user).and_then(|user| self.users.get(user));
        let stamp = Stamp::new(event.at, event.state);
        let weighed = weigh(&self.summary, record, user, event, stamp)?;

        let mut summary = self.summary;
        match weighed {
            Weighed::Duplicate | Weighed::Stale => return Ok((weighed.outcome(), summary)),
            Weighed::Stays { user, .. } => {
                summary.users.shift(user.map_or((None, None), |shift| shift.states));
            }
            Weighed::Moves { .. } => {
                let (_, changes) = self.weigh_move(record, event)?;
                for change in changes {
                    summary.users.shift(change);
                }
            }
        }
        let before = record.map(|record| record.stamp.state());
        summary.devices.shift((before, Some(event.state)));
        summary.ran(event.at);
        Ok((weighed.outcome(), summary))
    }

    #[inline]
    fn apply_to(&mut self, row: Option<RowId>, event: &Event<D, U>) -> Result<Outcome, Refusal> {
        let result = self.try_apply(row, event);
        #[cfg(feature = "defmt")]
        log(event.state, &result);
        result
    }

    #[inline]
    fn try_apply(&mut self, row: Option<RowId>, event: &Event<D, U>) -> Result<Outcome, Refusal> {
        let mut record = row.and_then(|row| self.devices.value_mut(row));
        let mut user = record
            .as_ref()
            .and_then(|record| record.user)
            .and_then(|user| self.users.get_mut(user));

        let known = user.as_ref().map(|(key, user)| (*key, &**user));
        let stamp = Stamp::new(event.at, event.state);
        let weighed = weigh(&self.summary, record.as_deref(), known, event, stamp)?;
        let change = match weighed {
            Weighed::Duplicate | Weighed::Stale => return Ok(weighed.outcome()),
            Weighed::Stays { before, user: shift } => {
                let change = (Some(before), Some(event.state));
                if let (Some((_, user)), Some(shift)) = (&mut user, shift) {
                    user.apply(change, shift);
                    self.summary.users.shift(shift.states);
                }
                if let Some(record) = &mut record {
                    record.stamp = stamp;
                }
                change
            }
            Weighed::Moves { before } => {
                let known = row.zip(record.map(|record| *record));
                self.hand_over(known, event)?;
                (before, Some(event.state))
            }
        };
        self.summary.devices.shift(change);
        self.summary.ran(event.at);
        Ok(weighed.outcome())
    }

    /// The part of weighing that `Moves` leaves open: is there a row, is there a counter?
    /// Gives the row of the user the device comes to, if there is one yet, and what becomes of the
    /// run states of both users.
    fn weigh_move(
        &self,
        record: Option<&DeviceRecord>,
        event: &Event<D, U>,
    ) -> Result<(Option<RowId>, [StateChange; 2]), Refusal> {
        if record.is_none() && self.devices.is_full() {
            return Err(Refusal::DevicesFull { capacity: self.devices.len() });
        }
        let left =
            record.and_then(|record| Some((record.stamp.state(), self.users.get(record.user?)?.1)));
        let to = event.user.as_ref().and_then(|user| self.users.find(user));
        let heir = to.and_then(|to| self.users.get(to)).map(|(_, heir)| heir);

        if heir.is_none() && event.user.is_some() && self.users.is_full() {
            // The row that the former user leaves behind would do.
            let freed = left.is_some_and(|(_, user)| !user.is_kept() && user.devices() == 1);
            if !freed {
                return Err(Refusal::UsersFull { capacity: self.users.len() });
            }
        }

        let enters = (None, Some(event.state));
        let joined = match (heir, &event.user) {
            (Some(heir), _) => heir.weigh(enters)?.states,
            (None, Some(_)) => enters,
            (None, None) => (None, None),
        };
        let left = match left {
            Some((state, user)) => user.weigh((Some(state), None))?.states,
            None => (None, None),
        };
        let changes = [left, joined];
        self.check_users(changes)?;
        Ok((to, changes))
    }

    /// Applies an event that makes the device known or brings it to another user; all but the
    /// summary's devices and last run.
    #[cfg_attr(target_pointer_width = "64", cold)]
    fn hand_over(
        &mut self,
        known: Option<(RowId, DeviceRecord)>,
        event: &Event<D, U>,
    ) -> Result<(), Refusal> {
        let (to, changes) = self.weigh_move(known.as_ref().map(|(_, record)| record), event)?;

        // From here on nothing refuses.
        let stamp = Stamp::new(event.at, event.state);
        let new = DeviceRecord { stamp, user: None, sibling: None };
        let row = if let Some((row, record)) = known {
            self.unlink(row, &record);
            if let Some(record) = self.devices.value_mut(row) {
                *record = new;
            }
            Some(row)
        } else {
            self.devices.insert(&event.device, new)
        };
        if let (Some(row), Some(user)) = (row, &event.user) {
            self.link(row, to, user, event.state);
        }
        for change in changes {
            self.summary.users.shift(change);
        }
        Ok(())
    }

    /// # Errors
    ///
    /// If the counts of users have no room for both changes: what they come to can pass the limit,
    /// not what is between.
    fn check_users(&self, changes: [StateChange; 2]) -> Result<(), Overflow> {
        let mut users = self.summary.users;
        for change in changes {
            users.shift(change);
        }
        users.check(Of::Users)
    }

    /// Puts a device at the head of a user's chain; `to` is `None` for a user without a row. The
    /// summary is the caller's to change.
    fn link(&mut self, device: RowId, to: Option<RowId>, user: &U, state: RunState) {
        let Some(to) = to.or_else(|| self.users.insert(user, UserRecord::default())) else {
            return;
        };
        let Some(user) = self.users.value_mut(to) else { return };
        user.shift((None, Some(state)));
        let sibling = user.first.replace(device);
        if let Some(record) = self.devices.value_mut(device) {
            record.user = Some(to);
            record.sibling = sibling;
        }
    }
}

/// What an event will come to, found out before anything changes.
enum Weighed {
    Duplicate,
    Stale,
    /// The device stays with its user, or without one.
    Stays {
        before: RunState,
        user: Option<UserShift>,
    },
    /// The device is new, or leaves its user, or comes to one.
    Moves {
        before: Option<RunState>,
    },
}

/// The order rule and the limits of the counters.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "out of line, its answer goes through memory: a quarter slower"
)]
fn weigh<D, U: Ord>(
    summary: &Summary,
    record: Option<&DeviceRecord>,
    user: Option<(&U, &UserRecord)>,
    event: &Event<D, U>,
    stamp: Stamp,
) -> Result<Weighed, Refusal> {
    let known = user.map(|(key, _)| key);
    let before = record.map(|record| record.stamp.state());
    if let Some(record) = record {
        let order = stamp.cmp(&record.stamp);
        match order.then_with(|| event.user.as_ref().cmp(&known)) {
            Ordering::Less => return Ok(Weighed::Stale),
            Ordering::Equal => return Ok(Weighed::Duplicate),
            Ordering::Greater => {}
        }
    }

    let change = (before, Some(event.state));
    summary.devices.check_shift(change, Of::Devices)?;
    match before {
        Some(before) if event.user.as_ref() == known => {
            let user = match user {
                Some((_, user)) => {
                    let shift = user.weigh(change)?;
                    summary.users.check_shift(shift.states, Of::Users)?;
                    Some(shift)
                }
                None => None,
            };
            Ok(Weighed::Stays { before, user })
        }
        before => Ok(Weighed::Moves { before }),
    }
}

impl Weighed {
    const fn outcome(&self) -> Outcome {
        match *self {
            Self::Duplicate => Outcome::Duplicate,
            Self::Stale => Outcome::Stale,
            Self::Stays { before, .. } => Outcome::Applied { before: Some(before) },
            Self::Moves { before } => Outcome::Applied { before },
        }
    }
}

#[cfg(feature = "defmt")]
fn log(state: RunState, result: &Result<Outcome, Refusal>) {
    match result {
        Ok(Outcome::Applied { before }) => defmt::debug!("applied: {} -> {}", before, state),
        Ok(outcome) => defmt::trace!("{}: {}", outcome, state),
        Err(refusal) => defmt::warn!("refused {}: {}", state, refusal),
    }
}
