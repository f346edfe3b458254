//! From flash back to a tally.

use core::hash::Hash;

use embedded_storage_async::nor_flash::NorFlash;

use super::flash::{Found, Pages, header_len, page_of, record_len};
use super::log::{End, first, leaving};
use super::page::{Before, Header, Kind, Layout};
use super::record::{Record, Special, is_sound, special};
use super::{Error, Journal, Locations, Recovered};
use crate::codec::{self, Key};
use crate::{Entry, Refusal, Summary, Tally, Totals};

impl<F, D, U, const DEVICES: usize, const USERS: usize> Journal<'_, F, D, U, DEVICES, USERS>
where
    F: NorFlash,
    D: Key + Clone + Eq + Hash,
    U: Key + Clone + Ord + Hash,
{
    /// Restores the tally, and makes what was restored proof against the words that a cut may have
    /// left half programmed.
    pub(super) async fn restore(&mut self) -> Result<Recovered, Error<F::Error>> {
        let layout = self.pages.layout::<D, U>();
        let newest = apart!(newest(&mut self.pages, layout, &mut self.memory.record))?;
        let mut last = Record::new();
        let mut replay = Replay::new(self.tally, &mut self.memory.locations);
        let mut reader = newest.map(|newest| Reader::new(layout, newest));
        if let Some(reader) = &mut reader {
            let (pages, record) = (&mut self.pages, &mut self.memory.record);
            // One record at a time, so that what is read is taken in where the stack is shallow.
            while let Some(kind) = apart!(reader.next(pages, record))? {
                if kind == Kind::Change {
                    last.copy(record);
                }
                replay.recovered.damaged = reader.damaged;
                reader.damaged = replay.record(kind, record, reader.sequence as u16);
            }
            let longest = record_len::<F>(Self::CHANGE_LEN);
            apart!(reader.finish(pages, longest, record))?;
            (replay.recovered.damaged, replay.recovered.torn) = (reader.damaged, !reader.is_clean);
        }
        let recovered = replay.finish()?;
        #[cfg(feature = "defmt")]
        log(recovered);
        self.measure();
        let Some(Reader { sequence, seen: Seen { records, last: kind, .. }, is_clean, .. }) =
            reader
        else {
            return Ok(recovered);
        };
        self.end = Some(End { sequence, records, doubtful: true, bare: false });
        if recovered.damaged > 0 {
            self.rewrite = layout.pages.saturating_sub(1);
        } else if !is_clean || kind != Some(Kind::Seal) {
            // The last record may have been acknowledged, or it may be one whose write was cut and
            // that will read differently the next time. Nothing is written behind it on its page; it
            // is written once more, on another.
            // Until it fits. After as many pages as there are, its rows were written again anyway.
            for _ in 0..layout.pages {
                apart!(self.begin_page())?;
                if kind != Some(Kind::Change) {
                    break;
                }
                self.memory.record.copy(&last);
                if self.has_room() {
                    apart!(self.append(Kind::Change))?;
                    break;
                }
            }
            apart!(self.seal())?;
        }
        Ok(recovered)
    }
}

/// The newest page that counts; `None` if there is none.
async fn newest<F: NorFlash>(
    pages: &mut Pages<F>,
    layout: Layout,
    record: &mut Record,
) -> Result<Option<u32>, Error<F::Error>> {
    let mut newest = None;
    for page in 0..layout.pages {
        let Some(Header { layout: found, sequence, .. }) = pages.header(page).await? else {
            continue;
        };
        if found.version != layout.version {
            return Err(Error::Version { found: found.version });
        }
        if found.keys != layout.keys {
            let [device, user] = found.keys;
            return Err(Error::Keys { device, user });
        }
        if found.pages != layout.pages {
            return Err(Error::Pages { found: found.pages });
        }
        // Else the range begins elsewhere by now, or the flash has other words.
        let is_here = page_of(sequence, layout.pages) == page && sequence >= first(layout.pages);
        if !is_here || found != layout {
            return Err(Error::Foreign);
        }
        newest = newest.max(Some(sequence));
    }
    let Some(newest) = newest else { return without_headers(pages, layout, record).await };

    // The headers of later pages may be damaged, and the rest of them not.
    for ahead in (1..layout.pages).rev() {
        let sequence = newest.saturating_add(ahead.into());
        if pages.header(page_of(sequence, layout.pages)).await?.is_none()
            && counts(pages, layout, sequence, record).await?
        {
            return Ok(Some(sequence));
        }
    }
    if counts(pages, layout, newest, record).await? {
        return Ok(Some(newest));
    }
    // The power was cut while rows were written to the newest page. Where they came from they still
    // are.
    Ok(newest.checked_sub(1).filter(|&sequence| sequence >= first(layout.pages)))
}

/// Without any header there is at most one page.
async fn without_headers<F: NorFlash>(
    pages: &mut Pages<F>,
    layout: Layout,
    record: &mut Record,
) -> Result<Option<u32>, Error<F::Error>> {
    let mut is_foreign = false;
    for page in 0..layout.pages {
        if let Some(found) = pages.older_layout(page).await? {
            return Err(Error::Version { found });
        }
        is_foreign |= page > 0 && !pages.is_erased(page, 0, record.space()).await?;
    }
    if is_foreign {
        return Err(Error::Foreign);
    }
    // Where not even that one counts, the power was cut as it was begun.
    let sequence = first(layout.pages);
    Ok(counts(pages, layout, sequence, record).await?.then_some(sequence))
}

/// Whether a page counts: whether all rows of the page that leaves were written to it.
async fn counts<F: NorFlash>(
    pages: &mut Pages<F>,
    layout: Layout,
    sequence: u32,
    record: &mut Record,
) -> Result<bool, Error<F::Error>> {
    let mut committed = None;
    let mut offset = header_len::<F>();
    loop {
        match pages.record(sequence, offset, record).await? {
            Found::Record(Kind::Change | Kind::Seal, _) => return Ok(true),
            Found::Record(Kind::Commit, next) => (committed, offset) = (Some(next), next),
            Found::Record(Kind::Rows, next) | Found::Unreadable(next) => offset = next,
            Found::Nothing => break,
        }
    }
    let Some(offset) = committed else { return Ok(false) };
    // Once something was written behind the commit record, its own write had returned. Before that it
    // may have been cut and read differently the next time, so it is not relied upon for as long as
    // it can be done without: until the page that left is erased.
    let page = page_of(sequence, layout.pages);
    Ok(!pages.is_erased(page, offset, record.space()).await?
        || !is_whole(pages, layout, leaving(sequence, layout.pages), record).await?)
}

/// Whether everything is there that was on a page when the next one was begun.
async fn is_whole<F: NorFlash>(
    pages: &mut Pages<F>,
    layout: Layout,
    sequence: u32,
    record: &mut Record,
) -> Result<bool, Error<F::Error>> {
    if sequence < first(layout.pages) {
        return Ok(true);
    }
    let next = sequence.saturating_add(1);
    let (Some(_), Some(Before { records, doubtful })) =
        (header(pages, layout, sequence).await?, before(pages, layout, next).await?)
    else {
        return Ok(false);
    };
    let mut offset = header_len::<F>();
    let mut read = 0;
    while read < records {
        match pages.record(sequence, offset, record).await? {
            Found::Record(_, next) => offset = next,
            _ => break,
        }
        read = read.saturating_add(1);
    }
    Ok(read.saturating_add(doubtful.into()) >= records)
}

/// The header of a page with this sequence number, if it is there.
async fn header<F: NorFlash>(
    pages: &mut Pages<F>,
    layout: Layout,
    sequence: u32,
) -> Result<Option<Header>, Error<F::Error>> {
    let header = pages.header(page_of(sequence, layout.pages)).await?;
    Ok(header.filter(|header| header.layout == layout && header.sequence == sequence))
}

async fn before<F: NorFlash>(
    pages: &mut Pages<F>,
    layout: Layout,
    sequence: u32,
) -> Result<Option<Before>, Error<F::Error>> {
    Ok(header(pages, layout, sequence).await?.map(|header| header.before))
}

/// What was found on a page.
#[derive(Clone, Copy)]
struct Seen {
    /// The records up to the last one that can be read.
    records: u16,
    /// Those behind, of which only the size can be read.
    unreadable: u16,
    /// Where the last one that can be read ends.
    offset: u32,
    /// What it is for.
    last: Option<Kind>,
}

/// Reads the log, record after record.
struct Reader {
    layout: Layout,
    newest: u32,
    /// The page being read.
    sequence: u32,
    /// Where to read on; none where the page is still to be begun.
    offset: Option<u32>,
    /// What the next page says of this one.
    before: Option<Before>,
    seen: Seen,
    /// The records known to have been there that could not be read.
    damaged: u32,
    /// Nothing but erased bytes follows on the newest page.
    is_clean: bool,
}

impl Reader {
    /// Reads the log up to page `newest`.
    fn new(layout: Layout, newest: u32) -> Self {
        let oldest = leaving(newest, layout.pages).saturating_add(1).max(first(layout.pages));
        let seen = Seen { records: 0, unreadable: 0, offset: 0, last: None };
        let (before, is_clean) = (None, true);
        Self { layout, newest, sequence: oldest, offset: None, before, seen, damaged: 0, is_clean }
    }

    /// The next record; none after the last one of the newest page.
    async fn next<F: NorFlash>(
        &mut self,
        pages: &mut Pages<F>,
        record: &mut Record,
    ) -> Result<Option<Kind>, Error<F::Error>> {
        loop {
            let Some(offset) = self.offset else {
                self.begin(pages).await?;
                continue;
            };
            let Seen { records, unreadable, .. } = self.seen;
            let read = records.saturating_add(unreadable);
            let limit = self.before.map_or(u16::MAX, |before| before.records);
            let found = if read < limit {
                pages.record(self.sequence, offset, record).await?
            } else {
                Found::Nothing
            };
            match found {
                Found::Record(kind, next) => {
                    self.damaged(unreadable.into());
                    self.offset = Some(next);
                    let records = read.saturating_add(1);
                    self.seen = Seen { records, unreadable: 0, offset: next, last: Some(kind) };
                    return Ok(Some(kind));
                }
                Found::Unreadable(next) => {
                    self.offset = Some(next);
                    self.seen.unreadable = unreadable.saturating_add(1);
                }
                Found::Nothing if self.sequence < self.newest => {
                    if let Some(Before { records, doubtful }) = self.before {
                        let missing = records.saturating_sub(self.seen.records);
                        self.damaged(missing.saturating_sub(doubtful.into()).into());
                    }
                    self.sequence = self.sequence.saturating_add(1);
                    self.offset = None;
                }
                Found::Nothing => return Ok(None),
            }
        }
    }

    async fn begin<F: NorFlash>(&mut self, pages: &mut Pages<F>) -> Result<(), Error<F::Error>> {
        if header(pages, self.layout, self.sequence).await?.is_none() {
            self.damaged(1);
        }
        self.before = None;
        if self.sequence < self.newest {
            self.before = before(pages, self.layout, self.sequence.saturating_add(1)).await?;
        }
        let offset = header_len::<F>();
        self.seen = Seen { records: 0, unreadable: 0, offset, last: None };
        self.offset = Some(offset);
        Ok(())
    }

    /// Looks at what follows the last record: one write may have been cut, and left something no
    /// longer than a change. All else is damage.
    async fn finish<F: NorFlash>(
        &mut self,
        pages: &mut Pages<F>,
        longest: u32,
        record: &mut Record,
    ) -> Result<(), Error<F::Error>> {
        let page = page_of(self.newest, self.layout.pages);
        let Seen { unreadable, offset, .. } = self.seen;
        self.is_clean = pages.is_erased(page, offset, record.space()).await?;
        let behind = offset.saturating_add(longest);
        if unreadable > 1 {
            self.damaged(unreadable.saturating_sub(1).into());
        } else if !self.is_clean && !pages.is_erased(page, behind, record.space()).await? {
            self.damaged(1);
        }
        Ok(())
    }

    fn damaged(&mut self, records: u32) {
        self.damaged = self.damaged.saturating_add(records);
    }
}

/// Takes the records of the log in, one after the other.
struct Replay<'t, D, U, const DEVICES: usize, const USERS: usize> {
    tally: &'t mut Tally<D, U, DEVICES, USERS>,
    locations: &'t mut Locations<DEVICES, USERS>,
    recovered: Recovered,
    /// The first refusal that no damage explains.
    refused: Option<Refusal>,
    totals: Totals,
}

impl<'t, D, U, const DEVICES: usize, const USERS: usize> Replay<'t, D, U, DEVICES, USERS>
where
    D: Key + Clone + Eq + Hash,
    U: Key + Clone + Ord + Hash,
{
    fn new(
        tally: &'t mut Tally<D, U, DEVICES, USERS>,
        locations: &'t mut Locations<DEVICES, USERS>,
    ) -> Self {
        let (recovered, totals) = (Recovered::default(), Totals::default());
        Self { tally, locations, recovered, refused: None, totals }
    }

    /// Takes a record in; how many are damaged by then.
    #[inline(never)]
    fn record(&mut self, kind: Kind, record: &Record, sequence: u16) -> u32 {
        if !is_sound::<D, U>(record.body()) {
            self.damaged(1);
            return self.recovered.damaged;
        }
        let mut rest = record.body();
        let mut is_taken = true;
        while !rest.is_empty() {
            is_taken &= self.next(&mut rest, sequence);
        }
        if is_taken && matches!(kind, Kind::Change | Kind::Rows) {
            self.recovered.records = self.recovered.records.saturating_add(1);
        } else if !is_taken && self.recovered.damaged > 0 {
            // After damage, a row that should have gone may still take the place of another.
            self.damaged(1);
        }
        self.recovered.damaged
    }

    /// Takes one entry in; true unless that is refused. It is looked at where it was read, for it is
    /// not small.
    #[inline(never)]
    fn next(&mut self, rest: &mut &[u8], sequence: u16) -> bool {
        let read = codec::read(rest);
        let result = if let Some((entry, left)) = &read {
            *rest = left;
            self.entry(entry, sequence)
        } else {
            self.special(rest)
        };
        if let Err(refusal) = result {
            // One that damage explains is none.
            if self.recovered.damaged == 0 {
                self.refused = self.refused.or(Some(refusal));
            }
            return false;
        }
        true
    }

    #[inline(never)]
    fn special(&mut self, rest: &mut &[u8]) -> Result<(), Refusal> {
        let read = special::<D, U>(rest);
        let Some((special, left)) = &read else {
            *rest = &[];
            return Ok(());
        };
        *rest = left;
        match special {
            Special::Forgotten(device) => self.tally.forget(device),
            Special::Unlinked(user) => self.tally.unlink(user)?,
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry<D, U>, sequence: u16) -> Result<(), Refusal> {
        // What is carried goes in last: on the way there, rows may stand in other states than the sum
        // was made for.
        if let Entry::Totals(totals) = entry {
            self.totals = *totals;
            return Ok(());
        }
        self.tally.restore(entry)?;
        let device = match entry {
            Entry::Device(event) => {
                let mut summary = Summary { last_run: self.totals.last_run, ..Summary::ZERO };
                summary.ran(event.at);
                self.totals.last_run = summary.last_run;
                &event.device
            }
            Entry::Retired { event, .. } => &event.device,
            Entry::Removed { device, .. } => device,
            Entry::User { user, .. } => {
                self.locations.set_user(self.tally.user_row(user), sequence);
                return Ok(());
            }
            Entry::Totals(_) => return Ok(()),
        };
        self.locations.set_device(self.tally.row(device), sequence);
        Ok(())
    }

    #[inline(never)]
    fn finish<E>(&mut self) -> Result<Recovered, Error<E>> {
        // Without the totals nothing adds up, so no damage excuses their refusal.
        let totals = self.tally.restore(&Entry::Totals(self.totals));
        match self.refused.or(totals.err()) {
            Some(refusal) => Err(Error::Refused(refusal)),
            None => Ok(self.recovered),
        }
    }

    fn damaged(&mut self, records: u32) {
        self.recovered.damaged = self.recovered.damaged.saturating_add(records);
    }
}

#[cfg(feature = "defmt")]
fn log(Recovered { records, damaged, torn }: Recovered) {
    defmt::info!("journal: {} records restored", records);
    if torn {
        defmt::info!("journal: the write of the last change was cut");
    }
    if damaged > 0 {
        defmt::warn!("journal: {} records are damaged", damaged);
    }
}
