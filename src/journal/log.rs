//! Writing: the next record, the next page.

use core::hash::Hash;

use embedded_storage_async::nor_flash::NorFlash;

use super::flash::{header_len, page_of, record_len};
use super::page::{Before, Header, Kind};
use super::record::{Entries, Record};
use super::{Error, Journal, Key};
use crate::{Event, Tally};

/// The newest page that counts.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) sequence: u32,
    /// The records on it that count.
    pub(super) records: u16,
    /// The last of them was found on opening, and may have been cut.
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

impl<F, D, U, const DEVICES: usize, const USERS: usize> Journal<F, D, U, DEVICES, USERS>
where
    F: NorFlash,
    D: Key + Clone + Eq + Hash,
    U: Key + Clone + Ord + Hash,
{
    /// Writes one record of a change's entries, and gives the sequence number of its page.
    pub(super) async fn write(
        &mut self,
        tally: &Tally<D, U, DEVICES, USERS>,
        entries: &Entries<'_, D, U>,
    ) -> Result<u16, Error<F::Error>> {
        while self.rewrite > 0 {
            self.begin_page(tally).await?;
            self.rewrite = self.rewrite.saturating_sub(1);
        }
        // After as many pages as there are, all hold nothing but rows, and `admit` sees to it that one
        // has room.
        for _ in 0..=self.pages.count() {
            self.record.clear();
            self.record.add(|record| entries.add_to(record)).ok_or(Error::Corrupted)?;
            if self.has_room() {
                self.append(Kind::Change).await?;
                return Ok(self.end.map_or(0, |end| end.sequence as u16));
            }
            self.begin_page(tally).await?;
        }
        Err(self.full())
    }

    /// True if the record that was made fits on the newest page, and may be written there.
    pub(super) fn has_room(&self) -> bool {
        let (Some(offset), Some(end)) = (self.append_at, self.end) else { return false };
        let needed = record_len::<F>(self.record.body_len())
            .saturating_add(Self::RESERVE)
            .saturating_add(record_len::<F>(0));
        (F::ERASE_SIZE as u32).saturating_sub(offset) >= needed && end.records < Before::MAX
    }

    /// Writes the record that was made to the newest page.
    pub(super) async fn append(&mut self, kind: Kind) -> Result<(), Error<F::Error>> {
        // If this fails or is dropped, nobody knows what lies there: nothing is written behind it.
        let (Some(offset), Some(end)) = (self.append_at.take(), self.end) else {
            return Err(Error::Corrupted);
        };
        let next = self.pages.write(end.sequence, offset, kind, &mut self.record).await?;
        self.append_at = Some(next);
        let records = end.records.saturating_add(1);
        self.end = Some(End { records, bare: false, ..end });
        Ok(())
    }

    /// Writes that all before it was written whole.
    pub(super) async fn seal(&mut self) -> Result<(), Error<F::Error>> {
        self.record.clear();
        self.append(Kind::Seal).await
    }

    /// Begins the next page of the log: writes the rows of the page that leaves it once more.
    ///
    /// Until the commit record behind those rows is written, nothing on the new page counts, and
    /// they are still where they were. From then on, the page that left is free.
    pub(super) async fn begin_page(
        &mut self,
        tally: &Tally<D, U, DEVICES, USERS>,
    ) -> Result<(), Error<F::Error>> {
        let pages = self.pages.count();
        if let Some(end) = self.end
            && end.bare
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
        self.record.clear();
        for (row, event) in tally.devices_from(0) {
            if self.locations.is_device_on(row, leaving) {
                self.add_row(&mut page, |record| record.event(&event)).await?;
            }
        }
        for (row, user, kept) in tally.kept_users() {
            if self.locations.is_user_on(row, leaving) {
                self.add_row(&mut page, |record| record.user(user, &kept)).await?;
            }
        }
        if self.record.body_len() > 0 {
            self.write_to(&mut page, Kind::Rows).await?;
        }
        let totals = self.totals;
        self.record.add(|record| record.totals(&totals)).ok_or(Error::Corrupted)?;
        self.write_to(&mut page, Kind::Commit).await?;

        self.locations.move_all(leaving, sequence as u16);
        let Page { records, offset, .. } = page;
        self.end = Some(End { sequence, records, doubtful: false, bare: true });
        self.append_at = Some(offset);
        Ok(())
    }

    /// Adds a row to the record being filled, after writing that if it is full.
    async fn add_row(
        &mut self,
        page: &mut Page,
        row: impl Fn(&mut Record) -> Option<()>,
    ) -> Result<(), Error<F::Error>> {
        if self.record.add(&row).is_some() {
            return Ok(());
        }
        self.write_to(page, Kind::Rows).await?;
        self.record.add(&row).ok_or(Error::Corrupted)
    }

    /// Writes the record being filled to a page that does not count yet, and begins another.
    async fn write_to(&mut self, page: &mut Page, kind: Kind) -> Result<(), Error<F::Error>> {
        let left = (F::ERASE_SIZE as u32).saturating_sub(page.offset);
        if record_len::<F>(self.record.body_len()) > left {
            return Err(Error::Corrupted);
        }
        page.offset = self.pages.write(page.sequence, page.offset, kind, &mut self.record).await?;
        page.records = page.records.saturating_add(1);
        self.record.clear();
        Ok(())
    }

    /// The bytes of all rows after a change of some; an error if that is too many.
    pub(super) fn admit(&self, before: u32, after: u32) -> Result<u32, Error<F::Error>> {
        let live = self.live.saturating_sub(before).saturating_add(after);
        if after > before && !self.holds_all() && live > Self::limit(self.pages.count()) {
            return Err(self.full());
        }
        Ok(live)
    }

    /// True if every row there can be has room: then nobody needs to count their bytes.
    pub(super) fn holds_all(&self) -> bool {
        u32::from(self.pages.count()) >= Self::PAGES
    }

    /// Counts the bytes that the rows take.
    pub(super) fn measure(&mut self, tally: &Tally<D, U, DEVICES, USERS>) {
        self.live = 0;
        for event in tally.devices() {
            self.live = self.live.saturating_add(self.event_len(&event));
        }
        for (_, user, kept) in tally.kept_users() {
            let len = self.len(|record| record.user(user, &kept));
            self.live = self.live.saturating_add(len);
        }
    }

    pub(super) fn full(&self) -> Error<F::Error> {
        Error::Full { live: self.live, limit: Self::limit(self.pages.count()) }
    }

    pub(super) fn event_len(&mut self, event: &Event<&D, &U>) -> u32 {
        self.len(|record| record.event(event))
    }

    pub(super) fn kept_len(&mut self, tally: &Tally<D, U, DEVICES, USERS>, user: &U) -> u32 {
        tally.kept(user).map_or(0, |kept| self.len(|record| record.user(user, &kept)))
    }

    /// Bytes that entries take.
    pub(super) fn len(&mut self, entries: impl FnOnce(&mut Record) -> Option<()>) -> u32 {
        self.record.clear();
        // Entries that do not fit are refused when they are written.
        let _ = self.record.add(entries);
        self.record.body_len() as u32
    }
}

/// A page being filled that does not count yet.
struct Page {
    sequence: u32,
    offset: u32,
    records: u16,
}
