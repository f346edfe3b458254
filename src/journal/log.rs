//! Writing: the next record, the next page.

use core::hash::Hash;

use embedded_storage_async::nor_flash::NorFlash;

use super::flash::{header_len, page_of, record_len};
use super::page::{Before, Header, Kind};
use super::{Error, Journal};
use crate::codec::Key;
use crate::tally::After;
use crate::{Change, Effect, Entry, Kept};

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

/// What is written next.
#[derive(Clone, Copy)]
enum Step {
    /// What the change leaves; the rows then take so many bytes.
    Change(u32),
    /// That the tombstone in this row is forgotten.
    Forget(u16),
}

/// What a record of a change holds.
#[derive(Clone, Copy)]
struct Plan {
    effect: Effect,
    /// An entry of the device.
    device: bool,
    /// An entry of the user in this row.
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
        let effect = self.encode(Step::Change(0), change)?.effect;
        if self.memory.record.body().is_empty() {
            return Ok(effect);
        }
        loop {
            let step = self.admit(change)?;
            let mut begun = 0;
            // Until it fits. After as many pages as there are, all hold nothing but rows, and `admit`
            // sees to it that one has room.
            let plan = loop {
                let plan = self.encode(step, change)?;
                if self.rewrite == 0 && self.has_room() {
                    break plan;
                }
                if begun > u32::from(self.pages.count()).saturating_mul(2) {
                    return Err(self.full());
                }
                apart!(self.begin_page())?;
                self.rewrite = self.rewrite.saturating_sub(1);
                begun = begun.saturating_add(1);
            };
            self.append(Kind::Change).await?;
            match step {
                Step::Change(live) => {
                    self.live = live;
                    return self.commit_written(change, plan);
                }
                Step::Forget(row) => {
                    self.tally.forget_row(row);
                    self.measure();
                }
            }
        }
    }

    /// Makes the change that was written last.
    #[inline(never)]
    fn commit_written(
        &mut self,
        change: &Change<D, U>,
        plan: Plan,
    ) -> Result<Effect, Error<F::Error>> {
        let page = self.end.map_or(0, |end| end.sequence as u16);
        let effect = self.tally.commit(change)?;
        if let Some(device) = device_of(change).filter(|_| plan.device) {
            self.memory.locations.set_device(self.tally.row(device), page);
        }
        let declared = match change {
            Change::DeclareUser { user, .. } => self.tally.user_row(user),
            _ => None,
        };
        self.memory.locations.set_user(plan.user.or(declared), page);
        Ok(effect)
    }

    /// Makes a record.
    #[inline(never)]
    fn encode(&mut self, step: Step, change: &Change<D, U>) -> Result<Plan, Error<F::Error>> {
        let (record, tally) = (&mut self.memory.record, &*self.tally);
        record.clear();
        let (mut device, mut user) = (false, None);
        let (effect, is_made) = match step {
            Step::Forget(row) => {
                let device = tally.tombstone_in(row);
                (Effect::Unknown, device.and_then(|device| record.add_forgotten(device)))
            }
            Step::Change(_) => tally.each_after(change, &mut |after| match after {
                After::Forgotten(device) => record.add_forgotten(device),
                After::Unlinked(user) => record.add_unlinked(user),
                After::Entry(entry) => {
                    match &entry {
                        Entry::User { user: key, .. } => user = tally.user_row(*key),
                        Entry::Totals(_) => {}
                        _ => device = true,
                    }
                    record.add(&entry)
                }
            })?,
        };
        is_made.ok_or(Error::LongKey)?;
        Ok(Plan { effect, device, user })
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
    #[inline(never)]
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

    /// Whether the change may be written. Where the rows would take too many bytes, the oldest
    /// tombstone is to be forgotten first; an error if forgetting all of them were not enough.
    #[inline(never)]
    fn admit(&mut self, change: &Change<D, U>) -> Result<Step, Error<F::Error>> {
        if self.holds_all() {
            return Ok(Step::Change(0));
        }
        let limit = Self::limit(self.pages.count());
        let mut needed = 0;
        // What was added up may be too much: a tombstone becomes shorter when its user goes.
        for is_exact in [false, true] {
            if is_exact {
                self.measure();
            }
            let (before, after) = self.weigh(change)?;
            let live = self.live.saturating_sub(before).saturating_add(after);
            if after <= before || live <= limit {
                return Ok(Step::Change(live));
            }
            needed = live;
        }
        // Nothing is forgotten in vain.
        if needed.saturating_sub(self.forgettable(change)) > limit {
            return Err(self.full());
        }
        let oldest = self.tally.oldest_tombstone(device_of(change));
        oldest.map(Step::Forget).ok_or_else(|| self.full())
    }

    /// The bytes of the tombstones that may be forgotten for a change, apart from the one whose row
    /// it takes.
    #[inline(never)]
    fn forgettable(&mut self, change: &Change<D, U>) -> u32 {
        let (record, tally) = (&mut self.memory.record, &*self.tally);
        let device = device_of(change);
        let displaced = device.and_then(|device| tally.displaced_by(device));
        let tombstones = tally.tombstones().filter(|entry| {
            let tombstoned = entry.device();
            tombstoned != device && tombstoned != displaced
        });
        tombstones.fold(0, |sum: u32, entry| {
            record.clear();
            let len = record.add(&entry).map_or(0, |()| record.body().len());
            sum.saturating_add(len as u32)
        })
    }

    /// The bytes of the rows that a change is about, before and after it.
    #[inline(never)]
    fn weigh(&mut self, change: &Change<D, U>) -> Result<(u32, u32), Error<F::Error>> {
        let (record, tally) = (&mut self.memory.record, &*self.tally);
        let mut len = |entry: &Entry<&D, &U>| {
            record.clear();
            // Entries that do not fit are refused when they are written.
            record.add(entry).map_or(0, |()| record.body().len() as u32)
        };
        let (mut before, mut after) = (0_u32, 0_u32);
        let _ = tally.each_after(change, &mut |left| {
            let (known, entry) = match left {
                After::Forgotten(device) => (tally.device_entry(device), None),
                After::Unlinked(user) => (tally.user_entry(user), None),
                After::Entry(Entry::Totals(_)) => (None, None),
                After::Entry(Entry::User { user, kept }) => {
                    let is_kept = kept != Kept::default();
                    (tally.user_entry(user), is_kept.then_some(Entry::User { user, kept }))
                }
                After::Entry(entry) => {
                    (device_of(change).and_then(|device| tally.device_entry(device)), Some(entry))
                }
            };
            before = before.saturating_add(known.as_ref().map_or(0, &mut len));
            after = after.saturating_add(entry.as_ref().map_or(0, &mut len));
            Some(())
        })?;
        Ok((before, after))
    }

    /// True if every row there can be has room: then nobody needs to count their bytes.
    pub(super) fn holds_all(&self) -> bool {
        u32::from(self.pages.count()) >= Self::PAGES
    }

    /// Counts the bytes that the rows take.
    #[inline(never)]
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

    #[cold]
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
