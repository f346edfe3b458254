//! Entries: everything a tally holds, one row at a time, as it is written down and read back.

use core::cmp::Ordering;
use core::hash::Hash;

use super::plan::{DevicePlan, Origin, Plan};
use super::record::{DeviceRecord, Linked, RunFrom, Stamp, Tombstone, UserRecord};
use super::{Carried, Change, Effect, Refusal, Tally};
use crate::exact::Exact;
use crate::table::{RowId, Storage};
use crate::{Counted, Counts, DateTime, Event, RunState, Summary};

/// One entry of what a tally holds. Each says all there is to say of one device, of one user, or of
/// the totals, so the last one written counts.
///
/// [`Tally::entries`] gives them all, [`Tally::entries_after`] those that a change leaves, and
/// [`Tally::restore`] takes them in again. A row in a database, a record of a log and a line of a
/// file can each be one entry.
///
/// ```
/// use runtally::{Entry, Event, RunState, Tally};
///
/// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
/// let event = Event { device: 7, user: Some(1), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
/// assert!(tally.apply(&event)?.is_applied());
///
/// let mut restored: Tally<u16, u16, 8, 8> = Tally::new();
/// for entry in tally.entries() {
///     restored.restore(&entry.cloned())?;
/// }
/// assert_eq!(restored, tally);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", rename_all_fields = "camelCase"))]
pub enum Entry<D, U> {
    /// A device's row: its greatest event.
    Device(Event<D, U>),
    /// The tombstone of a device that was removed.
    Removed {
        /// The device.
        device: D,
        /// When it was removed, in UTC.
        at: DateTime,
    },
    /// The tombstone of a device that was retired.
    Retired {
        /// Its greatest event.
        event: Event<D, U>,
        /// The state it counted in, which is carried for it.
        counted: RunState,
    },
    /// What is kept of a user beside the user's devices.
    User {
        /// The user.
        user: U,
        /// Counts and a date-time.
        kept: Kept,
    },
    /// What is kept of the summary beside the rows. Written last.
    Totals(Totals),
}

/// What is kept of a user beside the user's devices.
///
/// ```
/// use runtally::Kept;
/// assert!(!Kept::default().declared);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Kept {
    /// Devices counted by declaration, or retired.
    pub carried: Counts,
    /// The last update that was declared, or of a retired device, whichever is later.
    pub last_update: Option<DateTime>,
    /// True if the user was declared.
    pub declared: bool,
}

/// What is kept of a summary beside the rows.
///
/// ```
/// use runtally::Totals;
/// assert_eq!(Totals::default().run_from, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Totals {
    /// Carried devices.
    pub devices: Counts,
    /// Carried users.
    pub users: Counts,
    /// The summary's last run.
    pub last_run: Option<DateTime>,
    /// The instant from which the roll-out counts, in UTC.
    pub run_from: Option<DateTime>,
}

/// The most entries that a change leaves.
pub(super) const PARTS: u8 = 4;

impl<D: Clone, U: Clone> Entry<&D, &U> {
    /// The entry with its device and user cloned.
    ///
    /// ```
    /// use runtally::{Entry, RunState};
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// let entry: Entry<&u16, &u16> = Entry::Removed { device: &7, at };
    /// assert_eq!(entry.cloned(), Entry::Removed { device: 7, at });
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub fn cloned(self) -> Entry<D, U> {
        match self {
            Self::Device(event) => Entry::Device(event.cloned()),
            Self::Removed { device, at } => Entry::Removed { device: device.clone(), at },
            Self::Retired { event, counted } => Entry::Retired { event: event.cloned(), counted },
            Self::User { user, kept } => Entry::User { user: user.clone(), kept },
            Self::Totals(totals) => Entry::Totals(totals),
        }
    }
}

impl<'t, D, U> Entry<&'t D, &'t U> {
    /// The device of a row or tombstone.
    pub(crate) const fn device(&self) -> Option<&'t D> {
        match self {
            Self::Device(Event { device, .. })
            | Self::Removed { device, .. }
            | Self::Retired { event: Event { device, .. }, .. } => Some(*device),
            Self::User { .. } | Self::Totals(_) => None,
        }
    }
}

impl Kept {
    pub(super) fn of(record: &UserRecord) -> Option<Self> {
        record.is_kept().then(|| Self::all_of(record))
    }

    fn all_of(record: &UserRecord) -> Self {
        Self {
            carried: record.carried(),
            last_update: record.carried_update(),
            declared: record.declared,
        }
    }
}

impl Totals {
    fn of(plan: &Plan) -> Self {
        let Carried { devices, users } = plan.carried;
        Self { devices, users, last_run: plan.summary.last_run, run_from: plan.run_from.at() }
    }
}

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> Tally<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// Everything the tally holds: devices, users with something kept beside their devices,
    /// tombstones from the oldest on, and the totals.
    ///
    /// ```
    /// use runtally::{Entry, Tally, Totals};
    /// let tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// assert!(tally.entries().eq([Entry::Totals(Totals::default())]));
    /// ```
    pub fn entries(&self) -> impl Iterator<Item = Entry<&D, &U>> + Clone {
        let users = self
            .users
            .iter()
            .filter_map(|(_, user, record)| Some(Entry::User { user, kept: Kept::of(record)? }));
        let devices = self.devices().map(Entry::Device);
        devices.chain(users).chain(self.tombstones()).chain([Entry::Totals(self.totals())])
    }

    /// The tombstones, the one whose row was freed longest ago first: an [`Entry::Removed`] or
    /// [`Entry::Retired`] each.
    ///
    /// ```
    /// use runtally::{Change, Entry, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let at = "2026-11-21T12:00Z".parse()?;
    /// assert!(tally.commit(&Change::Remove { device: 7, at })?.is_applied());
    /// assert!(tally.tombstones().eq([Entry::Removed { device: &7, at }]));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn tombstones(&self) -> impl ExactSizeIterator<Item = Entry<&D, &U>> + Clone {
        let rows = self.freed().map(|(_, device, record)| self.entry_of(device, record));
        Exact { rows, left: self.devices.len().saturating_sub(self.live).into() }
    }

    /// The tombstone of a device; `None` if it has none.
    ///
    /// ```
    /// use runtally::{Change, Entry, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let at = "2026-11-21T12:00Z".parse()?;
    /// assert!(tally.commit(&Change::Remove { device: 7, at })?.is_applied());
    /// assert_eq!(tally.tombstone(&7), Some(Entry::Removed { device: &7, at }));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn tombstone(&self, device: &D) -> Option<Entry<&D, &U>> {
        let (device, record) = self.devices.get(self.devices.find(device)?)?;
        (!record.is_live()).then(|| self.entry_of(device, record))
    }

    /// What a change would come to, and the entries it would leave: what to write down before the
    /// change is committed. At most one device, one user and the totals; none if nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`commit`](Self::commit).
    ///
    /// ```
    /// use runtally::{Change, Effect, Entry, Event, RunState, Tally};
    ///
    /// let tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let event = Event { device: 7, user: None, state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// let change = Change::Event(event);
    /// let (effect, entries) = tally.entries_after(&change)?;
    /// assert_eq!(effect, Effect::Applied { before: None });
    /// assert!(entries.map(Entry::cloned).eq([Entry::Device(event)]));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn entries_after<'t>(
        &'t self,
        change: &'t Change<D, U>,
    ) -> Result<(Effect, impl Iterator<Item = Entry<&'t D, &'t U>> + Clone), Refusal> {
        let mut plan = Plan::new(self);
        self.plan(change, &mut plan)?;
        let entries = (0..PARTS).filter_map(move |part| self.entry_after(change, &plan, part));
        Ok((plan.effect, entries))
    }

    /// One of the entries that a planned change leaves, in this order: the user whose device it was,
    /// the device, the user whose it is or of whom the change is, the totals. A former user's row
    /// goes before another's comes, and is kept before its device goes.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn entry_after<'t>(
        &'t self,
        change: &'t Change<D, U>,
        plan: &Plan,
        part: u8,
    ) -> Option<Entry<&'t D, &'t U>> {
        match (part, change) {
            (0, _) => {
                plan.left.as_ref().and_then(|(row, after)| self.kept_after(Some(*row), after))
            }
            (1, _) if matches!(plan.device, DevicePlan::Unchanged) => None,
            (1, Change::Event(event)) => Some(Entry::Device(event.as_ref())),
            (1, Change::Remove { device, at }) => Some(Entry::Removed { device, at: at.to_utc() }),
            (1, Change::Retire { device }) => match plan.effect {
                Effect::Applied { before: Some(counted) } => {
                    Some(Entry::Retired { event: self.device(device)?, counted })
                }
                _ => None,
            },
            (2, Change::Event(_)) => self.kept_after(plan.to, plan.user.as_ref()?),
            (2, Change::DeclareUser { user, .. } | Change::UndeclareUser { user }) => {
                Some(Entry::User { user, kept: Kept::all_of(plan.user.as_ref()?) })
            }
            (3, _) => {
                let (before, after) = (self.totals(), Totals::of(plan));
                // An event's own entry says that there was a run.
                let is_said = matches!(plan.device, DevicePlan::Row(_))
                    && Totals { last_run: before.last_run, ..after } == before;
                (before != after && !is_said).then_some(Entry::Totals(after))
            }
            _ => None,
        }
    }

    /// The entry of a user of whom something else is kept after a change: because one of the user's
    /// devices is retired, or back from that.
    fn kept_after(&self, row: Option<RowId>, after: &UserRecord) -> Option<Entry<&D, &U>> {
        let (user, before) = self.users.get(row?)?;
        let kept = Kept::all_of(after);
        (Kept::all_of(before) != kept).then_some(Entry::User { user, kept })
    }

    /// Takes one entry in, as it was written: what is recorded of the device is replaced unless it
    /// is later, what is kept of a user or of the summary is replaced. Restoring all entries of a
    /// tally into an empty one gives an equal tally, on any capacity that fits. Entries that were
    /// written one after the other may be restored twice, from any of them on: while there is room
    /// and no counter is near its limit, all counts come out the same, but a tombstone may then miss
    /// its user or have one that it had lost.
    ///
    /// [`Entry::Totals`] completes a restore: until then, users of retired devices may have rows
    /// that nothing keeps, and only then it is seen whether every counter is within its limit.
    ///
    /// # Errors
    ///
    /// Those of [`commit`](Self::commit). The tally is then as it was.
    ///
    /// ```
    /// use runtally::{Entry, RunState, Tally, Totals};
    ///
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// tally.restore(&Entry::Removed { device: 7, at: "2026-11-21T12:00Z".parse()? })?;
    /// tally.restore(&Entry::Totals(Totals::default()))?;
    /// assert_eq!(tally.tombstones().count(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn restore(&mut self, entry: &Entry<D, U>) -> Result<(), Refusal> {
        match entry {
            Entry::Device(event) => self.restore_device(event),
            Entry::Removed { device, at } => self.restore_removal(device, *at),
            Entry::Retired { event, counted } => self.restore_retirement(event, *counted),
            Entry::User { user, kept } => self.restore_user(user, kept),
            Entry::Totals(totals) => self.restore_totals(totals),
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals::of(&Plan::new(self))
    }

    pub(super) fn entry_of<'t>(
        &'t self,
        device: &'t D,
        record: &DeviceRecord,
    ) -> Entry<&'t D, &'t U> {
        let event = self.view(device, record);
        match record.tombstone() {
            None => Entry::Device(event),
            Some(Tombstone::Removed) => Entry::Removed { device, at: event.at },
            Some(Tombstone::Retired { counted }) => Entry::Retired { event, counted },
        }
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn restore_device(&mut self, event: &Event<D, U>) -> Result<(), Refusal> {
        let row = self.devices.find(&event.device);
        let mut plan = Plan::new(self);
        self.plan_event(row, event, Origin::Restored, &mut plan)?;
        self.make_room(&plan)?;
        self.carry_out_event(event, &plan);
        Ok(())
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn restore_removal(&mut self, device: &D, at: DateTime) -> Result<(), Refusal> {
        let mut plan = Plan::new(self);
        self.plan_removal(device, at, Origin::Restored, &mut plan)?;
        self.make_room(&plan)?;
        self.bury(device, &plan);
        Ok(())
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn restore_retirement(
        &mut self,
        event: &Event<D, U>,
        counted: RunState,
    ) -> Result<(), Refusal> {
        let stamp = Stamp::new(event.at, event.state);
        let row = self.devices.find(&event.device);
        let known = row.and_then(|row| Some((row, *self.devices.get(row)?.1)));
        if let Some((_, record)) = &known {
            let order = stamp.cmp(&record.recorded());
            if order.then_with(|| event.user.as_ref().cmp(&self.user_of(record))) == Ordering::Less
            {
                return Ok(());
            }
        }
        match known {
            // Out of the counts first, as if it were removed.
            Some((_, record)) if record.is_live() => {
                self.restore_removal(&event.device, event.at)?;
            }
            None if self.is_full() => return Ok(()),
            None if !self.devices.make_room(1) => {
                return Err(Refusal::DevicesFull { capacity: self.devices.len() });
            }
            _ => {}
        }
        let user = event.user.as_ref().and_then(|user| {
            let row = self.users.find(user);
            row.or_else(|| {
                let is_full = self.users.is_full();
                (!is_full).then(|| self.users.insert(user, UserRecord::default()))?
            })
        });
        if let Some(user) = user.and_then(|user| self.users.value_mut(user)) {
            user.linked = Linked::Restoring;
        }
        let tombstone = DeviceRecord::retired(stamp, counted, user);
        if let Some(row) = row {
            self.rebury(row, tombstone);
        } else if let Some(row) = self.insert_device(&event.device, tombstone) {
            self.free(row, tombstone);
        }
        Ok(())
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn restore_user(&mut self, user: &U, kept: &Kept) -> Result<(), Refusal> {
        let known = self.users.find(user);
        let mut record = self.user_record(known);
        record.set_carried(kept.carried);
        record.set_carried_update(kept.last_update);
        record.declared = kept.declared;
        let is_new = known.is_none() && record.is_kept();
        if is_new && (self.users.is_full() || !self.users.make_room(1)) {
            return Err(Refusal::UsersFull { capacity: self.users.len() });
        }
        self.summary.users.shift((self.state_of(known), record.state()));
        self.put_record(user, known, &record);
        Ok(())
    }

    /// The summary anew: what is carried, on top of the rows as they count from `run_from` on.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn restore_totals(&mut self, totals: &Totals) -> Result<(), Refusal> {
        let run_from = self.run_from.max(totals.run_from.map_or(RunFrom::NEVER, RunFrom::new));
        let live = self.recount_all(run_from);
        let mut users = Counts::ZERO;
        for (_, _, user) in self.users.iter() {
            let mut user = *user;
            user.set_live(&self.recount(user.first, run_from));
            let fits = user.carried().checked_add(&user.live());
            fits.map_err(|error| Refusal::UserOverflow(error.of(Counted::Devices)))?;
            users.shift((None, user.state()));
        }
        let add = |of, live: &Counts, carried| live.checked_add(carried).map_err(|it| it.of(of));
        let devices = add(Counted::Devices, &live, &totals.devices)?;
        let users = add(Counted::Users, &users, &totals.users)?;

        self.run_from = run_from;
        self.recount_users();
        self.drop_unkept_users();
        let rows = self.devices.iter().map(|(_, _, record)| record);
        let latest = rows.filter(|record| record.is_live()).map(|record| record.stamp.at()).max();
        self.summary = Summary { devices, users, last_run: totals.last_run };
        if let Some(latest) = latest {
            self.summary.ran(latest);
        }
        self.carried = Carried { devices: totals.devices, users: totals.users };
        Ok(())
    }

    pub(super) fn drop_unkept_users(&mut self) {
        for number in 0..self.users.rows() {
            let Some(row) = RowId::from_number(number) else { return };
            let Some(user) = self.users.value_mut(row) else { continue };
            if user.linked == Linked::Restoring {
                user.linked = Linked::Yes;
            }
            if !user.keeps_row() {
                self.users.remove(row);
                self.unlink_tombstones(row);
            }
        }
    }
}
