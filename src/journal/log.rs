//! Writing: the next record, the next page.

use core::hash::Hash;

use embedded_storage_async::nor_flash::NorFlash;

use super::flash::{header_len, page_of, record_len};
use super::page::{Before, Header, Kind};
use super::{Error, Journal};
use crate::codec::Key;
use crate::{Change, Effect, Entry, Event, Kept};

/// The newest page that counts.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) sequence: u32,
    /// The records on it that count.
    pub(super) records: u16,
    /// The last of them was found on opening, and its write may have been cut.
    pub(super) doubtful: bool,
    /// Nothing stands behind the commit record.
    pub(super) bare: bool,
}

/// The first page of a journal lies on the first page of the flash, with sequence number `pages`.
pub(super) const fn first(pages: u16) -> u32 {
    pages as u32
}

/// The page that leaves the log when `sequence` is begun; before the first one if none does.
pub(super) const fn leaving(sequence: u32, pages: u16) -> u32 {
    sequence.saturating_add(1).saturating_sub(pages as u32)
}

/// What a record is made of.
pub(super) enum Body<'c, D, U> {
    /// The entries that the change leaves.
    Change(&'c Change<D, U>),
    /// The tombstone of this device is forgotten.
    Forgotten(&'c D),
}

/// What becomes of the record of a change.
#[derive(Clone, Copy)]
struct Plan {
    effect: Effect,
    /// An entry of the device is among them.
    device: bool,
    /// The row of the user whose entry is among them, if there is one before the change.
    user: Option<u16>,
}

impl<F, D, U, const DEVICES: usize, const USERS: usize> Journal<'_, F, D, U, DEVICES, USERS>
where
    F: NorFlash,
    D: Key + Clone + Eq + Hash,
    U: Key + Clone + Ord + Hash,
{
    /// Writes the entries that a change leaves, then commits it.
    pub(super) async fn write(&mut self, change: &Change<D, U>) -> Result<Effect, Error<F::Error>> {
        let plan = self.encode(&Body::Change(change))?;
        if self.memory.record.body().is_empty() {
            return Ok(plan.effect);
        }
        let live = self.admit(change).await?;
        let page = self.write_body(&Body::Change(change)).await?;
        let effect = self.tally.commit(change)?;
        self.live = live;
        let device = device_of(change).filter(|_| plan.device);
        let row = device.and_then(|device| self.tally.row(device));
        self.memory.locations.set_device(row, page);
        let declared = match change {
            Change::DeclareUser { user, .. } => self.tally.user_row(user),
            _ => None,
        };
        self.memory.locations.set_user(plan.user.or(declared), page);
        Ok(effect)
    }

    /// Makes a record.
    fn encode(&mut self, body: &Body<'_, D, U>) -> Result<Plan, Error<F::Error>> {
        let record = &mut self.memory.record;
        record.clear();
        let mut plan = Plan { effect: Effect::Unknown, device: false, user: None };
        let is_made = match body {
            Body::Forgotten(device) => record.add_forgotten(*device),
            Body::Change(change) => {
                let unlinked = self.tally.unlinked_by(change)?;
                let (effect, mut entries) = self.tally.entries_after(change)?;
                plan.effect = effect;
                let is_made = unlinked.map_or(Some(()), |user| record.add_unlinked(user));
                is_made.and_then(|()| {
                    entries.try_for_each(|entry| match &entry {
                        // It says so already.
                        Entry::User { user, .. } if Some(*user) == unlinked => Some(()),
                        Entry::User { user, .. } => {
                            plan.user = self.tally.user_row(*user);
                            record.add(&entry)
                        }
                        Entry::Device(Event { device, .. }) | Entry::Removed { device, .. } => {
                            if let Some(displaced) = self.tally.displaced_by(*device) {
                                record.add_forgotten(displaced)?;
                            }
                            plan.device = true;
                            record.add(&entry)
                        }
                        Entry::Retired { .. } => {
                            plan.device = true;
                            record.add(&entry)
                        }
                        Entry::Totals(_) => record.add(&entry),
                    })
                })
            }
        };
        is_made.ok_or(Error::LongKey)?;
        Ok(plan)
    }

    /// Writes one record, and gives the sequence number of its page.
    async fn write_body(&mut self, body: &Body<'_, D, U>) -> Result<u16, Error<F::Error>> {
        while self.rewrite > 0 {
            self.begin_page().await?;
            self.rewrite = self.rewrite.saturating_sub(1);
        }
        // After as many pages as there are, all hold nothing but rows, and `admit` sees to it that one
        // has room.
        for _ in 0..=self.pages.count() {
            self.encode(body)?;
            if self.has_room() {
                self.append(Kind::Change).await?;
                return Ok(self.end.map_or(0, |end| end.sequence as u16));
            }
            self.begin_page().await?;
        }
        Err(self.full())
    }

    /// True if the record that was made fits on the newest page, and may be written there.
    pub(super) fn has_room(&self) -> bool {
        let (Some(offset), Some(end)) = (self.append_at, self.end) else { return false };
        let needed = record_len::<F>(self.memory.record.body().len())
            .saturating_add(Self::RESERVE)
            .saturating_add(record_len::<F>(0));
        (F::ERASE_SIZE as u32).saturating_sub(offset) >= needed && end.records < Before::MAX
    }

    /// Writes the record that was made to the newest page.
    pub(super) async fn append(&mut self, kind: Kind) -> Result<(), Error<F::Error>> {
        // If this fails or is dropped, nobody knows what lies there: nothing is written behind it.
        let (Some(offset), Some(end)) = (self.append_at.take(), self.end) else {
            return Err(Error::LongKey);
        };
        let record = &mut self.memory.record;
        let next = self.pages.write(end.sequence, offset, kind, record).await?;
        self.append_at = Some(next);
        let records = end.records.saturating_add(1);
        self.end = Some(End { records, bare: false, ..end });
        Ok(())
    }

    /// Writes that all before it was written whole.
    pub(super) async fn seal(&mut self) -> Result<(), Error<F::Error>> {
        self.memory.record.clear();
        self.append(Kind::Seal).await
    }

    /// Begins the next page of the log: writes the rows of the page that leaves it once more.
    ///
    /// Until the commit record behind those rows is written, nothing on the new page counts, and
    /// they are still where they were. From then on, the page that left is free.
    pub(super) async fn begin_page(&mut self) -> Result<(), Error<F::Error>> {
        let pages = self.pages.count();
        if let Some(End { bare: true, .. }) = self.end
            && self.append_at.is_some()
        {
            // The page that left is erased next. What is behind the commit record shows, also to one
            // who cannot trust the last record that there is, that it is not needed any more.
            self.seal().await?;
        }
        self.append_at = None;
        let (sequence, before) = match self.end {
            Some(End { sequence, records, doubtful, .. }) => {
                (sequence.wrapping_add(1), Before { records, doubtful })
            }
            None => (first(pages), Before { records: 0, doubtful: false }),
        };
        self.pages.erase(page_of(sequence, pages)).await?;
        let layout = self.pages.layout::<D, U>();
        self.pages.begin(&Header { layout, sequence, before }).await?;

        let mut page = Page { sequence, offset: header_len::<F>(), records: 0 };
        let leaving = leaving(sequence, pages) as u16;
        self.memory.record.clear();
        // By number, so that no borrow of the tally is held over a write.
        let mut next = Some(Next::default());
        while let Some(from) = next {
            next = self.fill(leaving, from)?;
            if next.is_some() || !self.memory.record.body().is_empty() {
                self.write_to(&mut page, Kind::Rows).await?;
            }
        }
        let totals = Entry::Totals(self.tally.totals());
        self.memory.record.add::<D, U>(&totals).ok_or(Error::LongKey)?;
        self.write_to(&mut page, Kind::Commit).await?;

        self.memory.locations.move_all(leaving, sequence as u16);
        let Page { records, offset, .. } = page;
        self.end = Some(End { sequence, records, doubtful: false, bare: true });
        self.append_at = Some(offset);
        #[cfg(feature = "defmt")]
        defmt::debug!("journal: page {} begun, {} bytes of rows", sequence, offset);
        Ok(())
    }

    /// Fills the record with rows whose newest entry is on the page that leaves; where to go on if
    /// there are more.
    fn fill(&mut self, leaving: u16, from: Next) -> Result<Option<Next>, Error<F::Error>> {
        let (record, locations) = (&mut self.memory.record, &self.memory.locations);
        let Next { mut devices, mut users } = from;
        let is_empty = record.body().is_empty();
        for (row, entry) in self.tally.rows().skip(devices) {
            if locations.is_device_on(row, leaving) && record.add(&entry).is_none() {
                let next = Next { devices, users };
                return if is_empty && next == from { Err(Error::LongKey) } else { Ok(Some(next)) };
            }
            devices = devices.saturating_add(1);
        }
        for (row, entry) in self.tally.kept_users().skip(users) {
            if locations.is_user_on(row, leaving) && record.add(&entry).is_none() {
                let next = Next { devices, users };
                return if is_empty && next == from { Err(Error::LongKey) } else { Ok(Some(next)) };
            }
            users = users.saturating_add(1);
        }
        Ok(None)
    }

    /// Writes the record being filled to a page that does not count yet, and begins another.
    async fn write_to(&mut self, page: &mut Page, kind: Kind) -> Result<(), Error<F::Error>> {
        let record = &mut self.memory.record;
        let left = (F::ERASE_SIZE as u32).saturating_sub(page.offset);
        if record_len::<F>(record.body().len()) > left {
            return Err(Error::LongKey);
        }
        page.offset = self.pages.write(page.sequence, page.offset, kind, record).await?;
        page.records = page.records.saturating_add(1);
        record.clear();
        Ok(())
    }

    /// The bytes of all rows after a change. Where they would be too many, the oldest tombstones are
    /// forgotten; an error if that is not enough.
    async fn admit(&mut self, change: &Change<D, U>) -> Result<u32, Error<F::Error>> {
        if self.holds_all() {
            return Ok(0);
        }
        let limit = Self::limit(self.pages.count());
        let mut is_exact = false;
        loop {
            let (before, after) = self.weigh(change)?;
            let live = self.live.saturating_sub(before).saturating_add(after);
            if after <= before || live <= limit {
                return Ok(live);
            }
            if !is_exact {
                // Tombstones become shorter when their user goes, which is not kept account of.
                self.measure();
                is_exact = true;
                continue;
            }
            let own = device_of(change);
            let oldest = self.tally.tombstoned().find(|&device| Some(device) != own).cloned();
            let Some(device) = oldest else { return Err(self.full()) };
            self.write_body(&Body::Forgotten(&device)).await?;
            self.tally.forget(&device);
            self.measure();
        }
    }

    /// The bytes of the rows that a change is about, before and after it.
    fn weigh(&mut self, change: &Change<D, U>) -> Result<(u32, u32), Error<F::Error>> {
        let record = &mut self.memory.record;
        let mut len = |entry: Entry<&D, &U>| {
            record.clear();
            // Entries that do not fit are refused when they are written.
            record.add(&entry).map_or(0, |()| record.body().len() as u32)
        };
        let (mut before, mut after) = (0_u32, 0_u32);
        for entry in self.tally.entries_after(change)?.1 {
            let known = match &entry {
                Entry::Totals(_) => continue,
                Entry::User { user, .. } => self.tally.user_entry(user),
                _ => device_of(change).and_then(|device| {
                    let displaced = self.tally.displaced_by(device);
                    self.tally.device_entry(displaced.unwrap_or(device))
                }),
            };
            before = before.saturating_add(known.map_or(0, &mut len));
            if !matches!(&entry, Entry::User { kept, .. } if *kept == Kept::default()) {
                after = after.saturating_add(len(entry));
            }
        }
        Ok((before, after))
    }

    /// True if every row there can be has room: then nobody needs to count their bytes.
    pub(super) fn holds_all(&self) -> bool {
        u32::from(self.pages.count()) >= Self::PAGES
    }

    /// Counts the bytes that the rows take.
    pub(super) fn measure(&mut self) -> u32 {
        let record = &mut self.memory.record;
        let rows = self.tally.rows().chain(self.tally.kept_users());
        self.live = rows.fold(0, |live: u32, (_, entry)| {
            record.clear();
            let len = record.add(&entry).map_or(0, |()| record.body().len());
            live.saturating_add(len as u32)
        });
        self.live
    }

    fn full(&self) -> Error<F::Error> {
        let (live, limit) = (self.live, Self::limit(self.pages.count()));
        #[cfg(feature = "defmt")]
        defmt::warn!("journal: full, rows take {} of {} bytes", live, limit);
        Error::Full { live, limit }
    }
}

/// A page being filled that does not count yet.
struct Page {
    sequence: u32,
    offset: u32,
    records: u16,
}

/// How many rows were looked at.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Next {
    devices: usize,
    users: usize,
}

/// The device that a change is about.
fn device_of<D, U>(change: &Change<D, U>) -> Option<&D> {
    match change {
        Change::Event(event) => Some(&event.device),
        Change::Remove { device, .. } | Change::Retire { device } => Some(device),
        _ => None,
    }
}
