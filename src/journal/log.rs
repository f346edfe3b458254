//! Writing: the next record, the next page.

use core::hash::Hash;

use embedded_storage_async::nor_flash::NorFlash;

use super::open::{End, odd_lap, page_of};
use super::opening::{Layout, Opening};
use super::pages::item_len;
use super::record::{Entries, Head, Record};
use super::{Error, Journal, Key};
use crate::{Event, Tally};

impl<F, D, U, const DEVICES: usize, const USERS: usize> Journal<F, D, U, DEVICES, USERS>
where
    F: NorFlash,
    D: Key + Clone + Eq + Hash,
    U: Key + Clone + Ord + Hash,
{
    /// Writes one record of a change's entries, and gives the turn of its page.
    pub(super) async fn write(
        &mut self,
        tally: &Tally<D, U, DEVICES, USERS>,
        entries: &Entries<'_, D, U>,
    ) -> Result<u16, Error<F::Error>> {
        while self.heal > 0 {
            self.turn(tally).await?;
            self.heal = self.heal.saturating_sub(1);
        }
        // Once around, every page holds nothing but rows, and `admit` sees to it that one has room.
        for _ in 0..=self.pages.count() {
            if let Some(turn) = self.try_write(entries).await? {
                return Ok(turn);
            }
            self.turn(tally).await?;
        }
        Err(self.full())
    }

    /// The same on the newest page; `None` if there is no room.
    async fn try_write(
        &mut self,
        entries: &Entries<'_, D, U>,
    ) -> Result<Option<u16>, Error<F::Error>> {
        let Some(End { turn, records }) = self.end.filter(|end| end.records <= Head::MAX_INDEX)
        else {
            return Ok(None);
        };
        let page = page_of(turn, self.pages.count());
        self.begin(turn, records, false);
        self.record.add(|record| entries.add_to(record)).ok_or(Error::Corrupted)?;
        let needed = item_len::<F>(self.record.bytes().len()).saturating_add(Self::RESERVE);
        if self.pages.room(page).await? < needed {
            return Ok(None);
        }
        self.pages.push(page, self.record.bytes()).await?;
        self.end = Some(End { turn, records: records.saturating_add(1) });
        Ok(Some(turn as u16))
    }

    /// Begins the next page of the log: brings along the rows of the page that leaves it.
    ///
    /// Until the mark behind those rows is written, nothing on the new page counts, and they are
    /// still where they were. From then on, the page that left is free.
    async fn turn(&mut self, tally: &Tally<D, U, DEVICES, USERS>) -> Result<(), Error<F::Error>> {
        let count = self.pages.count();
        let (turn, before) = match self.end {
            Some(end) => (end.turn.wrapping_add(1), end.records),
            None => (0, 0),
        };
        let page = page_of(turn, count);
        self.pages.erase(page).await?;

        self.begin(turn, 0, false);
        let opening = Opening { turn, before, totals: self.totals };
        let layout = self.layout();
        self.record.add(|record| opening.write(layout, record)).ok_or(Error::Corrupted)?;
        self.pages.push(page, self.record.bytes()).await?;

        let mut records = 1;
        let leaving = turn.checked_sub(u32::from(count).saturating_sub(1));
        if let Some(leaving) = leaving.map(|leaving| leaving as u16) {
            self.begin(turn, records, true);
            for (row, event) in tally.devices_from(0) {
                if self.places.is_device_at(row, leaving) {
                    self.bring(turn, &mut records, |record| record.event(&event)).await?;
                }
            }
            for (row, user, kept) in tally.kept_users() {
                if self.places.is_user_at(row, leaving) {
                    self.bring(turn, &mut records, |record| record.user(user, &kept)).await?;
                }
            }
            if self.record.has_entries() {
                self.pages.push(page, self.record.bytes()).await?;
                records = records.saturating_add(1);
            }
        }
        self.begin(turn, records, false);
        self.pages.push(page, self.record.bytes()).await?;

        if let Some(leaving) = leaving {
            self.places.move_all(leaving as u16, turn as u16);
        }
        self.end = Some(End { turn, records: records.saturating_add(1) });
        Ok(())
    }

    /// Adds a row to the record being filled, after writing that if it is full.
    async fn bring(
        &mut self,
        turn: u32,
        records: &mut u16,
        row: impl Fn(&mut Record) -> Option<()>,
    ) -> Result<(), Error<F::Error>> {
        if self.record.add(&row).is_some() {
            return Ok(());
        }
        self.pages.push(page_of(turn, self.pages.count()), self.record.bytes()).await?;
        *records = records.saturating_add(1);
        self.begin(turn, *records, true);
        self.record.add(&row).ok_or(Error::Corrupted)
    }

    fn begin(&mut self, turn: u32, index: u16, compacted: bool) {
        let odd_lap = odd_lap(turn, self.pages.count());
        self.record.begin(Head { index, odd_lap, compacted });
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

    pub(super) fn layout(&self) -> Layout {
        Layout::new::<D, U>(self.pages.count())
    }

    pub(super) fn event_len(&mut self, event: &Event<&D, &U>) -> u32 {
        self.len(|record| record.event(event))
    }

    pub(super) fn kept_len(&mut self, tally: &Tally<D, U, DEVICES, USERS>, user: &U) -> u32 {
        tally.kept(user).map_or(0, |kept| self.len(|record| record.user(user, &kept)))
    }

    /// Bytes that entries take.
    pub(super) fn len(&mut self, entries: impl FnOnce(&mut Record) -> Option<()>) -> u32 {
        self.begin(0, 0, false);
        // Entries that do not fit are refused when they are written.
        let _ = self.record.add(entries);
        self.record.entries_len()
    }
}
