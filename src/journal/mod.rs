//! A write-ahead log of a tally on NOR flash that survives a power cut at any moment (feature
//! `journal`).
//!
//! A [`Journal`] holds a tally by its mutable borrow. It writes what each change leaves before the
//! tally makes it, and restores the tally at the next start. It runs on any flash that implements
//! the traits of `embedded-storage-async`, on any executor or on none. Here that is the `block_on` of
//! `embassy-futures`, and `Flash` is flash in RAM (`examples/flash` of the package):
//!
//! ```
//! use embassy_futures::block_on;
//! use runtally::journal::{Journal, Memory, Recovered};
//! use runtally::{Change, Effect, Event, RunState, Tally};
//! # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
//! # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
//!
//! block_on(async {
//!     let mut flash = Flash::new(4); // four pages of 4 KiB, from your HAL
//!     let mut tally: Tally<u16, u16, 512, 64> = Tally::new();
//!     let mut memory = Memory::new();
//!     let (mut journal, _) = Journal::open(&mut flash, 0..0x4000, &mut tally, &mut memory).await?;
//!
//!     let at = "2026-11-21T09:30:00Z".parse()?;
//!     let event = Event { device: 7, user: Some(1), state: RunState::Success, at };
//!     assert_eq!(journal.commit(&Change::Event(event)).await?, Effect::Applied { before: None });
//!     // From here on the event is there, whatever happens to the power.
//!     assert_eq!(journal.tally().summary().devices[RunState::Success], 1);
//!
//!     let mut restored: Tally<u16, u16, 512, 64> = Tally::new();
//!     let mut memory = Memory::new();
//!     let (_, recovered) = Journal::open(&mut flash, 0..0x4000, &mut restored, &mut memory).await?;
//!     assert_eq!(restored, tally);
//!     assert_eq!(recovered, Recovered { records: 1, ..Recovered::default() });
//!     Ok::<(), Box<dyn core::error::Error>>(())
//! })
//! # .unwrap();
//! ```
//!
//! In firmware the tally and the [`Memory`] are statics, for which `ConstStaticCell` of the crate
//! `static_cell` is enough: both are all zero bytes when they are new, so they lie in `.bss`.
//!
//! # The promise
//!
//! - When [`commit`](Journal::commit) has returned success, the change is there after any power cut,
//!   for as long as the flash does what it says: a write that has returned is durable.
//! - A change whose call was cut short, by the power, by an error or because its future was dropped,
//!   is not in the tally. After the next opening it is there wholly or not at all; once another
//!   change has been written, not at all.
//! - What a tally holds when it was opened, it holds at the next opening, also on flash whose
//!   half-programmed words read differently each time.
//! - Opening never fails on flash that power cuts alone have produced, and reports no damage. What a
//!   page holds when its erasure was cut may be anything.
//! - Flash that was damaged otherwise gives an error, or costs the damaged records, and
//!   [`Recovered::damaged`] says how many are known to be lost. A damaged record that is the last of
//!   the log cannot be told from one whose write was cut.
//! - Everything the tally holds is restored: rows, tombstones, carried counts, the last run and
//!   run-from. Counts are computed anew from the rows, so [`Tally::audit`] holds whatever the flash
//!   held. On fewer than [`PAGES`](Journal::PAGES) pages, the oldest tombstones make room for what does
//!   not fit beside them. Not restored are the numbers of rows, the order in which tombstones were made, and which
//!   of several spellings a user's key has.
//!
//! Only the journal can change the tally that it borrows. To change it otherwise, end the borrow; then
//! open the journal again, on an empty tally. The tallies of a `Store` are not for a journal: write
//! what [`Tally::entries_after`] says to a medium of your choice, as the service does.
//!
//! # On flash
//!
//! Pages form a ring. All but one make up the log.
//!
//! ```text
//!  sequence   4        5        6                3         modulo the pages it is the place
//!         ┌────────┬────────┬────────┐       ┌────────┐
//!         │        │        │ newest │ free  │ oldest │
//!         └────────┴────────┴────────┘       └────────┘
//!
//!  page   ┌────────┬───────────────┬────────┬────────┬────────┬────────┐
//!         │ header │ rows of the   │ commit │ change │ change │  ...   │
//!         └────────┴───────────────┴────────┴────────┴────────┴────────┘
//!          version,  page that       totals;  the entries that a
//!          keys,     leaves the      from     change leaves, or a
//!          sequence  log             here on  seal
//!          number                    it counts
//! ```
//!
//! A change is one record, written at once, with a checksum over its page, its place there, its size
//! and its bytes. A change that does not fit begins the next page: the free one is erased, the rows
//! whose newest entry is on the oldest page are written to it (compaction), and a commit record
//! behind them. Until that is there, the page counts for nothing and the rows are still where they
//! were; from then on the oldest page is free. The rows are taken from the tally, so nothing is read
//! after opening, and a record that went bad since then is written anew.
//!
//! Nothing is ever written behind bytes that nobody vouches for. After a write that failed or was
//! dropped, the next change begins a page, whose header says how many records of the page before
//! count. After opening, the last record may be one whose write was cut although it reads well, so
//! opening begins a page and writes it there once more. It ends with a seal, an empty record, so that
//! opening again costs nothing until something changed. After damage was found, the next change
//! first writes all rows to fresh pages.
//!
//! No word is written twice between two erasures, as flash with error correction demands.
//!
//! # What it costs
//!
//! | | |
//! |---|---|
//! | RAM | [`Memory`]: 2 bytes per row of the tally and 516 bytes; the journal itself some 50 |
//! | flash for an event | 18 bytes, the keys, and padding to a word: [`Journal::EVENT_LEN`] |
//! | flash for all rows | at least [`Journal::PAGES`]; below that, until [`Error::Full`] |
//! | a change | one write; when it begins a page, an erasure and up to a page of writes as well |
//! | opening | one read of all pages; the erasure and the writes of one page if anything changed since the opening before |
//!
//! The pages are erased in turn, so they wear alike. With more of them than it takes, fewer rows are
//! written again. Measured with pages of 4 KiB and words of 4 bytes, 512 devices that report news at
//! random and 64 users:
//!
//! | keys | pages | bytes of an event | bytes written per event | events per erasure |
//! |---|---|---|---|---|
//! | u16 and u16 | 4 | 24 | 51 | 78 |
//! | | 6 | 24 | 30 | 129 |
//! | | 8 | 24 | 27 | 149 |
//! | | 16 | 24 | 24 | 163 |
//! | GUID and UPN of 24 bytes | 16 | 60 | 77 | 51 |
//! | | 32 | 60 | 62 | 63 |
//!
//! (`cargo run --release --example journal`; every number is a count and the same on every machine.)
//!
//! # Why pages of its own
//!
//! | | `sequential-storage` 8.0.2, queue | its map | `ekv` 1.0 | these pages |
//! |---|---:|---:|---:|---:|
//! | bytes written per event | 29 | 29 | 1 230 | 27 |
//! | events per erasure | 143 | 141 | 0.5 | 147 |
//! | RAM beside the tally | 152 | 88 | 1 032 | 1 740 |
//! | code beyond the same tally | 9 776 | 10 308 | 30 392 | 17 736 |
//! | stack of opening; of an event | 1 212; 1 028 | 1 276; 1 128 | 4 636; 1 644 | 3 056; 1 796 |
//! | after power cuts: a row lost; shut | 2; 9 of 1 670 | 1; 12 of 1 637 | 0; 4 of 10 016 | 0; 0 of 9 113 |
//!
//! 512 devices and 64 users with `u16` keys, 8 pages of 4 KiB and words of 4 bytes; `ekv` has 16, as 8
//! are full after 263 rows. The others keep the last event of each device and nothing else. The queue
//! forgets its oldest page, so the rows there are pushed again before. A power cut leaves what is
//! being written in any state; it comes in an event, and once more in the attempt that follows; then a
//! third goes on. A row is lost if it was acknowledged and is not there later; shut is what cannot be
//! opened or written any more. Wear and cuts:
//! `cargo run --release --manifest-path benches/peers/Cargo.toml --bin flash`, the same on every
//! machine. Code, RAM and stack, futures included: `firmware`'s profile, Rust 1.95, a Cortex-M3 under
//! QEMU (`mps2-an385`), 2026-11-26. The tally beside these pages makes every change and restores
//! snapshots; beside the others it applies events.
//!
//! `sequential-storage` wears the flash as little and needs less of all else, so it is right where a
//! row may be lost. It appends behind a record whose head was torn; old and new bytes together may
//! read as one record (its issue 136, open at 8.0.2). Its map cannot write several entries at once, and
//! an event reads 18 KiB of flash there, 2 KiB in the queue. `ekv` loses no row while it mounts, but
//! erases two pages for an event, as each transaction begins a file: right for many keys written at
//! once.

/// Awaits a future in a stack frame of its own, so that what it needs there is not in the caller's
/// frame as well while the caller does something else.
macro_rules! apart {
    ($future:expr) => {{
        let mut future = core::pin::pin!($future);
        core::future::poll_fn(|context| super::poll(future.as_mut(), context)).await
    }};
}

mod error;
mod flash;
mod locations;
mod log;
mod open;
mod page;
mod record;
mod size;
#[cfg(test)]
mod tests;

use core::hash::Hash;
use core::ops::Range;
use core::pin::Pin;
use core::task::{Context, Poll};

use embedded_storage_async::nor_flash::NorFlash;

pub use error::Error;

use flash::Pages;
use locations::Locations;
use log::End;
use record::Record;

use crate::codec::Key;
use crate::{Change, Effect, Tally};

#[inline(never)]
fn poll<F: Future>(future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
    future.poll(context)
}

/// What was found when a journal was opened.
///
/// ```
/// use runtally::journal::Recovered;
/// assert_eq!(Recovered::default(), Recovered { records: 0, damaged: 0, torn: false });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Recovered {
    /// The records read: one for each change since its page was begun, and one for as many rows
    /// written again as fit.
    pub records: u32,
    /// The records known to have been there that could not be read.
    pub damaged: u32,
    /// The write of the last change was cut: bytes are left that make no record.
    pub torn: bool,
}

/// The RAM that a journal works in: for every row, where on flash it is, and one record. All zero
/// bytes when it is new, so a `static` one lies in `.bss`.
///
/// ```
/// use runtally::journal::Memory;
/// assert!(size_of::<Memory<512, 64>>() < 2 * (512 + 64) + 520);
/// ```
pub struct Memory<const DEVICES: usize, const USERS: usize> {
    locations: Locations<DEVICES, USERS>,
    record: Record,
}

impl<const DEVICES: usize, const USERS: usize> Memory<DEVICES, USERS> {
    /// For one journal, which borrows it.
    ///
    /// ```
    /// use runtally::journal::Memory;
    /// static MEMORY: Memory<512, 64> = Memory::new();
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { locations: Locations::new(), record: Record::new() }
    }
}

impl<const DEVICES: usize, const USERS: usize> Default for Memory<DEVICES, USERS> {
    fn default() -> Self {
        Self::new()
    }
}

/// A tally whose changes are written to flash before they are made.
///
/// `F` is the flash, or a mutable borrow of it; the other parameters are the tally's. See the
/// [module](self) for an example.
pub struct Journal<'t, F, D, U, const DEVICES: usize, const USERS: usize> {
    tally: &'t mut Tally<D, U, DEVICES, USERS>,
    memory: &'t mut Memory<DEVICES, USERS>,
    pages: Pages<F>,
    /// The newest page that counts; none before the first change.
    end: Option<End>,
    /// Where the next record goes on that page. `None` where nobody knows what lies there: after
    /// opening, and after a write that failed or was dropped. Then the next change begins a page.
    append_at: Option<u32>,
    /// Bytes that the entries of all rows take, or more; not counted where all have room.
    live: u32,
    /// Pages to be begun before anything else is written, until no record is left in the log that
    /// was there when damage was found: what came of it should not depend on how much of the log
    /// the next opening sees.
    rewrite: u16,
}

impl<'t, F, D, U, const DEVICES: usize, const USERS: usize> Journal<'t, F, D, U, DEVICES, USERS>
where
    F: NorFlash,
    D: Key + Clone + Eq + Hash,
    U: Key + Clone + Ord + Hash,
{
    /// Opens the journal in `range` of the flash and restores what it holds into an empty tally.
    /// Erased flash is an empty journal.
    ///
    /// If anything was written since the last opening, a page is begun: see the [module](self).
    ///
    /// # Errors
    ///
    /// After an error the tally may be filled in part; [`clear`](Tally::clear) it before you try
    /// again.
    ///
    /// - [`Error::NotEmpty`]: the tally is not empty.
    /// - [`Error::Range`]: the range is not of 2 to 65 535 whole pages of the flash.
    /// - [`Error::Foreign`]: more than one page holds other data.
    /// - [`Error::Version`], [`Error::Pages`], [`Error::Keys`]: the journal there was written by
    ///   another version of this crate, with another number of pages, or with other keys.
    /// - [`Error::Refused`]: more is stored than the tally has room for; or a row that damage left
    ///   brings a counter over its limit, and only [`erase`](Self::erase) helps.
    /// - [`Error::Flash`]: the flash failed.
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// use runtally::Tally;
    /// use runtally::journal::{Error, Journal, Memory};
    ///
    /// # embassy_futures::block_on(async {
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let mut memory = Memory::new();
    /// let odd = Journal::open(Flash::new(2), 0..0x1234, &mut tally, &mut memory).await.err();
    /// assert_eq!(odd, Some(Error::Range { start: 0, end: 0x1234 }));
    /// # });
    /// ```
    pub async fn open(
        flash: F,
        range: Range<u32>,
        tally: &'t mut Tally<D, U, DEVICES, USERS>,
        memory: &'t mut Memory<DEVICES, USERS>,
    ) -> Result<(Self, Recovered), Error<F::Error>> {
        const { Self::CHECKED };
        if !tally.is_new() {
            return Err(Error::NotEmpty);
        }
        let pages = Pages::new(flash, range)?;
        let mut journal =
            Self { tally, memory, pages, end: None, append_at: None, live: 0, rewrite: 0 };
        let recovered = journal.restore().await?;
        Ok((journal, recovered))
    }

    /// Erases `range`, and with it any journal there: the first thing to do with flash that held
    /// something else. If the power is cut meanwhile, erase it again.
    ///
    /// # Errors
    ///
    /// [`Error::Range`] and [`Error::Flash`], as for [`open`](Self::open).
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// use runtally::journal::Journal;
    ///
    /// # embassy_futures::block_on(async {
    /// let mut flash = Flash::new(2);
    /// Journal::<_, u16, u16, 8, 8>::erase(&mut flash, 0..0x2000).await?;
    /// assert_eq!(flash.erases, [1, 1]);
    /// # Ok::<(), runtally::journal::Error<_>>(())
    /// # }).unwrap();
    /// ```
    pub async fn erase(flash: &mut F, range: Range<u32>) -> Result<(), Error<F::Error>> {
        let mut pages = Pages::new(flash, range)?;
        for page in 0..pages.count() {
            pages.erase(page).await?;
        }
        Ok(())
    }

    /// [`Tally::commit`], durable. A change that changes nothing writes nothing.
    ///
    /// # Errors
    ///
    /// The tally is as it was.
    ///
    /// - [`Error::Refused`]: as [`Tally::commit`] refuses it; nothing was written.
    /// - [`Error::Full`]: the rows would take more flash than leaves room for changes, even if every
    ///   tombstone was forgotten; nothing was written.
    /// - [`Error::Flash`]: the flash failed. On fewer than [`PAGES`](Self::PAGES) pages, tombstones
    ///   may have been forgotten by then to make room; so they may if the future is dropped.
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// # use runtally::journal::{Journal, Memory};
    /// # use runtally::{Change, Effect, Event, RunState, Tally};
    /// # embassy_futures::block_on(async {
    /// # let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// # let mut memory = Memory::new();
    /// # let (mut journal, _) = Journal::open(Flash::new(2), 0..0x2000, &mut tally, &mut memory).await?;
    /// let event = Event { device: 7, user: Some(1), state: RunState::Success, at: "2026-11-21T09:30Z".parse()? };
    /// let removal = Change::Remove { device: 7, at: "2026-11-21T12:00Z".parse()? };
    /// assert_eq!(journal.commit(&Change::Event(event)).await?, Effect::Applied { before: None });
    /// assert_eq!(journal.commit(&removal).await?, Effect::Applied { before: Some(RunState::Success) });
    /// assert_eq!(journal.commit(&Change::Event(event)).await?, Effect::Stale);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn commit(&mut self, change: &Change<D, U>) -> Result<Effect, Error<F::Error>> {
        self.write(change).await
    }

    /// The tally, to read. Only the journal can change it.
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// # use runtally::journal::{Journal, Memory};
    /// # use runtally::{Summary, Tally};
    /// # embassy_futures::block_on(async {
    /// # let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// # let mut memory = Memory::new();
    /// # let (journal, _) = Journal::open(Flash::new(2), 0..0x2000, &mut tally, &mut memory).await?;
    /// assert_eq!(journal.tally().summary(), &Summary::ZERO);
    /// # Ok::<(), runtally::journal::Error<_>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub const fn tally(&self) -> &Tally<D, U, DEVICES, USERS> {
        self.tally
    }

    /// The flash, for what else is on it. What lies in the journal's range is not to be changed.
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// # use runtally::journal::{Journal, Memory};
    /// # use runtally::Tally;
    /// # embassy_futures::block_on(async {
    /// # let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// # let mut memory = Memory::new();
    /// # let (mut journal, _) = Journal::open(Flash::new(2), 0..0x2000, &mut tally, &mut memory).await?;
    /// assert_eq!(journal.flash().written, 0);
    /// # Ok::<(), runtally::journal::Error<_>>(())
    /// # }).unwrap();
    /// ```
    pub const fn flash(&mut self) -> &mut F {
        self.pages.flash()
    }

    /// Gives the flash back. Nothing is left to be written.
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// # use runtally::journal::{Journal, Memory};
    /// # use runtally::Tally;
    /// # embassy_futures::block_on(async {
    /// # let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// # let mut memory = Memory::new();
    /// let (journal, _) = Journal::open(Flash::new(2), 0..0x2000, &mut tally, &mut memory).await?;
    /// let flash: Flash = journal.close();
    /// # Ok::<(), runtally::journal::Error<_>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn close(self) -> F {
        self.pages.into_flash()
    }
}
