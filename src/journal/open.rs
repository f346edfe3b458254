//! From flash back to a tally.

use core::hash::Hash;
use core::ops::ControlFlow;

use embedded_storage_async::nor_flash::NorFlash;

use super::opening::{Layout, Opening};
use super::pages::Pages;
use super::record::{self, Entry, HEAD_LEN, Head, Record};
use super::{Error, Key, Places, Recovered};
use crate::tally::Totals;
use crate::{Refusal, Tally};

/// Where the log ends.
#[derive(Clone, Copy)]
pub(super) struct End {
    /// The newest page that counts.
    pub(super) turn: u32,
    /// The records on it.
    pub(super) records: u16,
}

/// Whether it is an odd time that the ring of pages comes round.
pub(super) const fn odd_lap(turn: u32, pages: u16) -> bool {
    match turn.checked_div(pages as u32) {
        Some(lap) => lap % 2 == 1,
        None => false,
    }
}

/// The page that a turn lies on.
pub(super) const fn page_of(turn: u32, pages: u16) -> u16 {
    match turn.checked_rem(pages as u32) {
        Some(page) => page as u16,
        None => 0,
    }
}

/// What one look at a page finds.
#[derive(Default)]
struct Look {
    opening: Option<Opening>,
    /// A record that is written only once all rows were brought along.
    whole: bool,
}

/// The newest page that counts; `None` if the flash is erased.
pub(super) async fn newest<F: NorFlash>(
    pages: &mut Pages<F>,
    layout: Layout,
    buffer: &mut [u8],
) -> Result<Option<u32>, Error<F::Error>> {
    let mut newest = None;
    for page in 0..layout.pages {
        let mut found = None;
        pages
            .scan(page, buffer, |item| {
                found = Head::read(item)
                    .filter(|(head, _)| head.index == 0)
                    .and_then(|(_, rest)| Opening::read(rest, layout));
                ControlFlow::Break(())
            })
            .await?;
        match found {
            Some((_, Some(opening))) if page_of(opening.turn, layout.pages) == page => {
                newest = newest.max(Some(opening.turn));
            }
            Some((found, None)) if found.version != layout.version => {
                return Err(Error::Version { found: found.version });
            }
            Some((found, None)) if found.keys != layout.keys => {
                let [device, user] = found.keys;
                return Err(Error::Keys { device, user });
            }
            Some((found, None)) => return Err(Error::Pages { found: found.pages }),
            // The range begins elsewhere by now.
            Some((_, Some(_))) => return Err(Error::Foreign),
            None => {}
        }
    }
    let Some(newest) = newest else { return first_page(pages, layout, buffer).await };

    // The opening of the newest page may be damaged, and the rest of it not.
    let after = newest.saturating_add(1);
    for turn in [after, newest] {
        if look(pages, layout, turn, buffer).await?.whole {
            return Ok(Some(turn));
        }
    }
    // The power was cut while rows were brought along to the newest page. Where they came from they
    // still are.
    Ok(newest.checked_sub(1))
}

/// Without any opening there is at most one page.
async fn first_page<F: NorFlash>(
    pages: &mut Pages<F>,
    layout: Layout,
    buffer: &mut [u8],
) -> Result<Option<u32>, Error<F::Error>> {
    for page in 1..layout.pages {
        if !pages.is_blank(page, F::ERASE_SIZE as u32, buffer).await? {
            return Err(Error::Foreign);
        }
    }
    // Where not even that one counts, the power was cut as it was begun.
    let whole = look(pages, layout, 0, buffer).await?.whole;
    Ok(whole.then_some(0))
}

async fn look<F: NorFlash>(
    pages: &mut Pages<F>,
    layout: Layout,
    turn: u32,
    buffer: &mut [u8],
) -> Result<Look, Error<F::Error>> {
    let mut look = Look::default();
    let odd_lap = odd_lap(turn, layout.pages);
    pages
        .scan(page_of(turn, layout.pages), buffer, |item| {
            match Head::read(item) {
                Some((head, _)) if head.odd_lap != odd_lap => {}
                Some((Head { index: 0, .. }, rest)) => {
                    look.opening = Opening::read(rest, layout).and_then(|(_, opening)| opening);
                }
                Some((head, _)) => look.whole |= !head.compacted,
                None => {}
            }
            if look.whole { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await?;
    Ok(look)
}

/// Takes the records of the log in, one after the other.
pub(super) struct Replay<'t, D, U, const DEVICES: usize, const USERS: usize> {
    pub(super) tally: &'t mut Tally<D, U, DEVICES, USERS>,
    pub(super) places: &'t mut Places<DEVICES, USERS>,
    pub(super) recovered: Recovered,
    /// The first refusal that no damage explains.
    pub(super) refused: Option<Refusal>,
    totals: Totals,
    /// The last record read, and its turn. It waits for the next one: a record in the same place is
    /// written after a failure, and then this one never came about.
    held: Record,
    place: Option<(u32, u16)>,
}

impl<'t, D, U, const DEVICES: usize, const USERS: usize> Replay<'t, D, U, DEVICES, USERS>
where
    D: Key + Clone + Eq + Hash,
    U: Key + Clone + Ord + Hash,
{
    pub(super) fn new(
        tally: &'t mut Tally<D, U, DEVICES, USERS>,
        places: &'t mut Places<DEVICES, USERS>,
    ) -> Self {
        Self {
            tally,
            places,
            recovered: Recovered::default(),
            refused: None,
            totals: Totals::default(),
            held: Record::new(),
            place: None,
        }
    }

    /// Replays the log up to the page of turn `newest`.
    pub(super) async fn run<F: NorFlash>(
        &mut self,
        pages: &mut Pages<F>,
        layout: Layout,
        newest: u32,
        buffer: &mut [u8],
    ) -> Result<End, Error<F::Error>> {
        let oldest = newest.saturating_sub(u32::from(layout.pages).saturating_sub(2));
        let mut records = 0;
        for turn in oldest..=newest {
            let before = (turn > oldest).then_some(records);
            records = self.page(pages, layout, turn, before, buffer).await?;
        }
        self.take_in_held();
        // Records behind a gap are not seen until the gap is filled.
        if records == 0 || !pages.is_clean(page_of(newest, layout.pages), buffer).await? {
            self.damaged(1);
        }
        self.finish();
        Ok(End { turn: newest, records })
    }

    /// Replays one page and gives the records seen on it; `before` are those seen on the page
    /// before, if it is in the log.
    async fn page<F: NorFlash>(
        &mut self,
        pages: &mut Pages<F>,
        layout: Layout,
        turn: u32,
        before: Option<u16>,
        buffer: &mut [u8],
    ) -> Result<u16, Error<F::Error>> {
        let odd_lap = odd_lap(turn, layout.pages);
        let mut seen = 0;
        let mut opened = false;
        pages
            .scan(page_of(turn, layout.pages), buffer, |item| {
                let Some((head, rest)) =
                    Head::read(item).filter(|(head, _)| head.odd_lap == odd_lap)
                else {
                    return ControlFlow::Continue(());
                };
                let opening = Opening::read(rest, layout).and_then(|(_, opening)| opening);
                match opening.filter(|opening| head.index == 0 && opening.turn == turn) {
                    Some(opening) => {
                        opened = true;
                        self.open(&opening, before);
                        seen = 1;
                    }
                    None => seen = self.record(turn, head.index, seen, item),
                }
                ControlFlow::Continue(())
            })
            .await?;
        if !opened && before == Some(0) {
            // How many records the page before had would stand in the opening.
            self.damaged(1);
        }
        Ok(seen)
    }

    fn open(&mut self, opening: &Opening, before: Option<u16>) {
        if let Some((_, index)) = self.place
            && index >= opening.before
        {
            // Whoever opened the page did not know of this record: writing it had failed.
            self.place = None;
        }
        self.take_in_held();
        if let Some(seen) = before {
            self.damaged(opening.before.saturating_sub(seen).into());
        }
        self.totals = opening.totals;
    }

    /// Takes note of the record in place `index` and gives the number of places seen.
    fn record(&mut self, turn: u32, index: u16, seen: u16, record: &[u8]) -> u16 {
        let retried = self.place == Some((turn, index));
        if index < seen && !retried {
            // Places only rise.
            self.damaged(1);
            return seen;
        }
        if !retried {
            self.take_in_held();
            self.damaged(index.saturating_sub(seen).into());
        }
        self.held.copy(record);
        self.place = Some((turn, index));
        index.saturating_add(1)
    }

    fn take_in_held(&mut self) {
        let Some((turn, _)) = self.place.take() else { return };
        let held = core::mem::replace(&mut self.held, Record::new());
        let entries = held.bytes().get(HEAD_LEN..).unwrap_or_default();
        if entries.is_empty() {
            return;
        }
        if !is_sound::<D, U>(entries) {
            return self.damaged(1);
        }
        let mut rest = entries;
        let mut result = Ok(());
        while let Some((entry, left)) = record::read(rest) {
            result = result.and(self.entry(entry, turn as u16));
            rest = left;
        }
        match result {
            Ok(()) => self.recovered.records = self.recovered.records.saturating_add(1),
            // After damage, a row that should have gone may still take the place of another.
            Err(_) if self.recovered.damaged > 0 => self.damaged(1),
            Err(refusal) => self.refused = self.refused.or(Some(refusal)),
        }
    }

    fn entry(&mut self, entry: Entry<D, U>, turn: u16) -> Result<(), Refusal> {
        match entry {
            Entry::Event(event) => {
                self.tally.restore(&event)?;
                self.totals.last_run = self.totals.last_run.max(Some(event.at));
                self.places.set_device(self.tally.find(&event.device), turn);
            }
            Entry::Gone(device) => {
                self.tally.remove(&device)?;
            }
            Entry::User(user, kept) => {
                self.tally.restore_user(&user, &kept)?;
                self.places.set_user(self.tally.find_user(&user), turn);
            }
            Entry::Totals(totals) => self.totals = totals,
        }
        Ok(())
    }

    /// What is carried goes in last: on the way there, rows may stand in other states than the sum
    /// was made for.
    fn finish(&mut self) {
        if let Err(refusal) = self.tally.restore_totals(&self.totals) {
            if self.recovered.damaged > 0 {
                self.damaged(1);
            } else {
                self.refused = self.refused.or(Some(refusal));
            }
        }
    }

    fn damaged(&mut self, records: u32) {
        self.recovered.damaged = self.recovered.damaged.saturating_add(records);
    }
}

/// True if a record is entries from end to end.
fn is_sound<D: Key, U: Key>(mut entries: &[u8]) -> bool {
    while let Some((_, rest)) = record::read::<D, U>(entries) {
        entries = rest;
    }
    entries.is_empty()
}
