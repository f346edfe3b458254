//! Taking another tally in.

use core::hash::Hash;

use super::plan::{Origin, Plan};
use super::{Change, Entry, Refusal, Tally};
use crate::table::Storage;
use crate::{Counted, Counts, DateTime, Event};

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> Tally<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// Takes in every row and tombstone of another tally. The result is what one tally would hold
    /// that had seen the events and removals of both, so two gateways that saw overlapping reports
    /// agree after they exchanged what they hold. The order does not matter, nor does doing it
    /// twice.
    ///
    /// Carried counts are declarations of one place and are not taken over. The last event of a
    /// device that `other` retired is an event.
    ///
    /// # Errors
    ///
    /// The tally is then as it was.
    ///
    /// - [`Refusal::DevicesFull`]: there are not enough rows for the devices of both. Where a
    ///   tombstone would have to go, this is told as if none was there.
    /// - [`Refusal::UsersFull`]: there are not enough rows for the users of both at once.
    /// - [`Refusal::Overflow`], [`Refusal::UserOverflow`]: what is carried, with every row of the
    ///   table, might pass [`Counts::MAX`].
    ///
    /// ```
    /// use runtally::{Event, RunState, Tally};
    ///
    /// let [mut east, mut west]: [Tally<u16, u16, 8, 8>; 2] = [Tally::new(), Tally::new()];
    /// let pending = Event { device: 7, user: None, state: RunState::Pending, at: "2026-11-21T09:30Z".parse()? };
    /// let success = Event { state: RunState::Success, at: "2026-11-21T09:45Z".parse()?, ..pending };
    /// assert!(east.apply(&success)?.is_applied());
    /// assert!(west.apply(&pending)?.is_applied());
    /// assert!(west.apply(&Event { device: 8, ..pending })?.is_applied());
    ///
    /// east.absorb(&west)?;
    /// west.absorb(&east)?;
    /// assert_eq!(east, west);
    /// assert_eq!(east.summary().devices.total(), 2);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn absorb<const OTHER_DEVICES: usize, const OTHER_USERS: usize, T: Storage>(
        &mut self,
        other: &Tally<D, U, OTHER_DEVICES, OTHER_USERS, T>,
    ) -> Result<(), Refusal> {
        let (devices, users) = self.check_room(other)?;
        if !self.devices.make_room(devices) {
            return Err(Refusal::DevicesFull { capacity: self.devices.len() });
        }
        if !self.users.make_room(users) {
            return Err(Refusal::UsersFull { capacity: self.users.len() });
        }
        // What is known first, and of the rest the removals last: what is new takes the rows of
        // tombstones, and another's late report would be told by them. Of what is known the
        // removals first: they free rows.
        self.absorb_removals(other, true)?;
        self.absorb_events(other, true)?;
        self.absorb_events(other, false)?;
        self.absorb_removals(other, false)?;
        if let Some(at) = other.run_from() {
            let _ = self.commit(&Change::RunFrom(at))?;
        }
        self.absorb_last_run(other.summary.last_run);
        Ok(())
    }

    /// The removals of devices that are known here by now, or of those that are not.
    fn absorb_removals<const OTHER_DEVICES: usize, const OTHER_USERS: usize, T: Storage>(
        &mut self,
        other: &Tally<D, U, OTHER_DEVICES, OTHER_USERS, T>,
        is_known: bool,
    ) -> Result<(), Refusal> {
        for entry in other.tombstones() {
            if let Entry::Removed { device, at } = entry
                && self.knows(device) == is_known
            {
                self.remove(device, at)?;
            }
        }
        Ok(())
    }

    /// The last events of the same.
    fn absorb_events<const OTHER_DEVICES: usize, const OTHER_USERS: usize, T: Storage>(
        &mut self,
        other: &Tally<D, U, OTHER_DEVICES, OTHER_USERS, T>,
        is_known: bool,
    ) -> Result<(), Refusal> {
        for event in events(other) {
            if self.knows(event.device) == is_known {
                let _ = self.apply(&event.cloned())?;
            }
        }
        Ok(())
    }

    /// Takes in one entry of another tally.
    pub(crate) fn absorb_entry(&mut self, entry: &Entry<D, U>) -> Result<(), Refusal> {
        match entry {
            Entry::Device(event) | Entry::Retired { event, .. } => self.apply(event).map(drop),
            Entry::Removed { device, at } => self.remove(device, *at),
            Entry::User { .. } => Ok(()),
            Entry::Totals(totals) => {
                if let Some(at) = totals.run_from {
                    let _ = self.commit(&Change::RunFrom(at))?;
                }
                self.absorb_last_run(totals.last_run);
                Ok(())
            }
        }
    }

    /// Removes a device as `Change::Remove` does, without a copy of its key.
    fn remove(&mut self, device: &D, at: DateTime) -> Result<(), Refusal> {
        let mut plan = Plan::new(self);
        self.plan_removal(device, at, Origin::Reported, &mut plan)?;
        self.make_room(&plan)?;
        self.bury(device, &plan);
        Ok(())
    }

    /// Of one instant, written two ways, either tally keeps the same one.
    fn absorb_last_run(&mut self, last_run: Option<DateTime>) {
        self.summary.last_run = self.summary.last_run.max(last_run);
    }

    /// Whether everything of another tally has room, before any of it is taken; and how many devices
    /// and users are new.
    fn check_room<const OTHER_DEVICES: usize, const OTHER_USERS: usize, T: Storage>(
        &self,
        other: &Tally<D, U, OTHER_DEVICES, OTHER_USERS, T>,
    ) -> Result<(usize, usize), Refusal> {
        let removed = other.tombstones().filter(|entry| match entry {
            Entry::Removed { device, at } => {
                self.device(device).is_some_and(|recorded| recorded.at.ticks() <= at.ticks())
            }
            _ => false,
        });
        // While no tombstone has to go, it is told exactly what is news.
        let rows = other.devices().map(|event| event.device);
        let rows = rows.chain(other.tombstones().filter_map(|entry| entry.device()));
        let unknown = rows.filter(|device| !self.knows(device)).count();
        let is_exact = unknown <= DEVICES.saturating_sub(self.devices.len().into());
        let is_news = |event: &Event<&D, &U>| !is_exact || self.is_news(event);

        let new =
            events(other).filter(|event| self.device(event.device).is_none() && is_news(event));
        let devices = self.device_count().saturating_add(new.count());
        if devices.saturating_sub(removed.count()) > DEVICES {
            return Err(Refusal::DevicesFull { capacity: DEVICES as u16 });
        }

        let new = other.users().filter(|user| {
            let retired = retired(other).filter(|event| event.user == Some(user.user));
            self.find_user(user.user).is_none()
                && other.user_devices(user.user).chain(retired).any(|event| is_news(&event))
        });
        let users = new.count();
        if self.user_count().saturating_add(users) > USERS {
            return Err(Refusal::UsersFull { capacity: USERS as u16 });
        }

        // Whatever comes, no more than every row is in one state.
        let fits = |carried: &Counts, rows: usize| {
            carried.checked_add(&Counts::from_rows([rows as u16; 6])).map(drop)
        };
        fits(&self.carried.devices, DEVICES).map_err(|error| error.of(Counted::Devices))?;
        fits(&self.carried.users, USERS).map_err(|error| error.of(Counted::Users))?;
        for user in self.users() {
            fits(&user.carried, DEVICES)
                .map_err(|error| Refusal::UserOverflow(error.of(Counted::Devices)))?;
        }
        Ok((unknown, users))
    }

    /// True if the device has a row or a tombstone.
    fn knows(&self, device: &D) -> bool {
        self.devices.find(device).is_some()
    }

    /// True if an event would be applied.
    fn is_news(&self, event: &Event<&D, &U>) -> bool {
        let recorded = match (self.device(event.device), self.tombstone(event.device)) {
            (_, Some(Entry::Removed { at, .. })) => return event.at.ticks() > at.ticks(),
            (_, Some(Entry::Retired { event, .. })) => Some(event),
            (recorded, _) => recorded,
        };
        recorded.is_none_or(|recorded| event.borrowed_order() > recorded.borrowed_order())
    }
}

/// The last event of every device, retired ones among them.
fn events<D, U, const DEVICES: usize, const USERS: usize, S: Storage>(
    tally: &Tally<D, U, DEVICES, USERS, S>,
) -> impl Iterator<Item = Event<&D, &U>>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    tally.devices().chain(retired(tally))
}

fn retired<D, U, const DEVICES: usize, const USERS: usize, S: Storage>(
    tally: &Tally<D, U, DEVICES, USERS, S>,
) -> impl Iterator<Item = Event<&D, &U>>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    tally.tombstones().filter_map(|entry| match entry {
        Entry::Retired { event, .. } => Some(event),
        _ => None,
    })
}
