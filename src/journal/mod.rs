//! A record of a tally on NOR flash that survives a power cut at any moment (feature `journal`).
//!
//! A [`Journal`] writes each change down before the tally makes it, and restores the tally at the
//! next start. It runs on any flash that implements the traits of `embedded-storage-async`, on any
//! executor or on none:
//!
//! ```
//! use embassy_futures::block_on;
//! use runtally::journal::{Journal, Recovered};
//! use runtally::{Event, Outcome, RunState, Tally};
//! # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
//! # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
//!
//! block_on(async {
//!     let mut flash = Flash::new(4); // four pages of 4 KiB, from your HAL
//!     let mut tally: Tally<u16, u16, 512, 64> = Tally::new();
//!     let (mut journal, _) = Journal::open(&mut flash, 0..0x4000, &mut tally).await?;
//!
//!     let at = "2026-11-21T09:30:00Z".parse()?;
//!     let event = Event { device: 7, user: Some(1), state: RunState::Success, at };
//!     assert_eq!(journal.apply(&mut tally, &event).await?, Outcome::Applied { before: None });
//!     // From here on the event is there, whatever happens to the power.
//!
//!     let mut restored: Tally<u16, u16, 512, 64> = Tally::new();
//!     let (_, recovered) = Journal::open(&mut flash, 0..0x4000, &mut restored).await?;
//!     assert_eq!(restored, tally);
//!     assert_eq!(recovered, Recovered { records: 1, damaged: 0 });
//!     Ok::<(), Box<dyn core::error::Error>>(())
//! })
//! # .unwrap();
//! ```
//!
//! # The promise
//!
//! - When the call for a change has returned success, the change is there after any power cut, for
//!   as long as the flash does what it says: a write that has returned is durable.
//! - A change whose call was cut short, by the power, by an error or because its future was dropped,
//!   is not in the tally. After the next opening it is there wholly or not at all; once another
//!   change has been written, not at all.
//! - Opening never fails on flash that power cuts alone have produced, and reports no damage. What a
//!   page holds when its erasure was cut may be anything.
//! - Flash that was damaged otherwise gives an error, or costs the damaged records, and
//!   [`Recovered::damaged`] says how many are known to be lost. The last record before the end
//!   cannot be told from one that was being written as the power went. A row that should be gone
//!   may be in the way of another, which is then lost and counted, too.
//! - Counts are never stored, only rows and what is carried, so the counts of a restored tally
//!   cannot disagree with its rows: [`Tally::audit`] holds whatever the flash held.
//!
//! Every change must go through the journal: one made on the tally directly is not written, unless
//! it is [recorded](Journal::record) right after it. What is not restored is the number of a row,
//! and which of several spellings a user's key has.
//!
//! # On flash
//!
//! Pages form a ring. All but one make up the log; each is a queue of `sequential-storage`, which
//! keeps every record with a checksum of its length and one of its bytes.
//!
//! ```text
//!  turn       4        5        6                3         the turn modulo the pages is the place
//!         ┌────────┬────────┬────────┐       ┌────────┐
//!         │        │        │ newest │ free  │ oldest │
//!         └────────┴────────┴────────┘       └────────┘
//!
//!  page   ┌─────────┬───────────────┬──────┬────────┬────────┬─────────┐
//!         │ opening │ rows, compact │ mark │ change │ change │  ...    │
//!         └─────────┴───────────────┴──────┴────────┴────────┴─────────┘
//!          version,  of the page     from   an event, a device gone,
//!          keys,     that leaves     here   a user's or the summary's
//!          totals    the log         on     carried counts, or several
//!                                    it counts
//! ```
//!
//! A change that does not fit begins the next page: the free one is erased, the rows whose newest
//! record is on the oldest page are written to it, as many to a record as fit, and a mark behind
//! them. Until the mark is there, the page counts for nothing and the rows are still where they
//! were; from then on the oldest page is free. What a row holds is taken from the tally, so nothing
//! is read after opening, and a record that went bad since then is written anew.
//!
//! After damage was found, the next change first writes all rows to fresh pages.
//!
//! # What it costs
//!
//! | | |
//! |---|---|
//! | RAM | 2 bytes per row of the tally and about 650 bytes |
//! | flash for an event | 18 bytes, the keys, and padding to a word: [`Journal::EVENT_LEN`] |
//! | flash for all rows | at least [`Journal::PAGES`]; below that, until [`Error::Full`] |
//! | a change | one write; when it begins a page, an erasure and up to a page of writes as well |
//! | opening | one read of all pages |
//!
//! The pages are erased in turn, so they wear alike. With more of them than it takes, fewer rows are
//! brought along. Measured with pages of 4 KiB and words of 4 bytes, 512 devices that report news at
//! random and 64 users:
//!
//! | keys | pages | bytes of an event | bytes written per event | events per erasure |
//! |---|---|---|---|---|
//! | u16 and u16 | 4 | 24 | 52 | 76 |
//! | | 6 | 24 | 31 | 129 |
//! | | 8 | 24 | 27 | 147 |
//! | | 16 | 24 | 24 | 163 |
//! | GUID and UPN of 24 bytes | 16 | 64 | 84 | 46 |
//! | | 32 | 64 | 67 | 59 |
//!
//! `sequential-storage`'s map, which has to find out from flash which rows still count, wears the
//! flash as much (8 pages: 28 bytes written per event), but reads 18 KiB for each event, and cannot
//! write two rows at once. (`cargo run --release --example journal`, 2026-11-21; every number is a
//! count and the same on every machine.)

mod change;
mod crc;
mod error;
mod flash;
mod key;
mod locations;
mod log;
mod open;
mod page;
mod record;
mod size;
#[cfg(test)]
mod tests;

use core::hash::Hash;
use core::marker::PhantomData;
use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;

pub use crate::Key;
pub use change::Change;
pub use error::Error;

use flash::Pages;
use locations::Locations;
use log::End;
use record::{Entries, Record};

use crate::tally::{Kept, Totals};
use crate::{Counts, DateTime, Event, Outcome, Summary, Tally};

/// What was found when a journal was opened.
///
/// ```
/// use runtally::journal::Recovered;
/// assert_eq!(Recovered::default(), Recovered { records: 0, damaged: 0 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Recovered {
    /// The records read: one for each change since its page was begun, and one for as many rows
    /// brought along as fit.
    pub records: u32,
    /// The records known to have been there that could not be read.
    pub damaged: u32,
}

/// Writes each change of a tally to flash before the tally makes it.
///
/// `F` is the flash, or a mutable borrow of it; the other parameters are the tally's. Each method
/// asks the tally first, then writes one record, and only then changes the tally. So a refusal
/// writes nothing, and where the flash fails the tally is as it was.
///
/// See the [module](self) for an example.
pub struct Journal<F, D, U, const DEVICES: usize, const USERS: usize> {
    pages: Pages<F>,
    /// The newest page that counts; none before the first change.
    end: Option<End>,
    /// Where the next record goes on that page. `None` where nobody knows what lies there: after
    /// opening, and after a write that failed or was dropped. Then the next change begins a page.
    append_at: Option<u32>,
    /// Bytes that the entries of all rows take.
    live: u32,
    /// Pages to be begun before anything else is written, until no record is left in the log that
    /// was there when damage was found: what came of it should not depend on how much of the log
    /// the next opening sees.
    rewrite: u16,
    /// What is carried, and the last run, as far as it is written: of a change that the tally is
    /// ahead, nothing may stand in the commit record of a page.
    totals: Totals,
    locations: Locations<DEVICES, USERS>,
    record: Record,
    keys: PhantomData<fn() -> (D, U)>,
}

impl<F, D, U, const DEVICES: usize, const USERS: usize> Journal<F, D, U, DEVICES, USERS>
where
    F: NorFlash,
    D: Key + Clone + Eq + Hash,
    U: Key + Clone + Ord + Hash,
{
    /// Opens the journal in `range` of the flash and restores what it holds into an empty tally.
    /// Erased flash is an empty journal.
    ///
    /// # Errors
    ///
    /// After an error the tally may be filled in part.
    ///
    /// - [`Error::NotEmpty`]: the tally is not empty.
    /// - [`Error::Range`]: the range is not of 2 to 65 535 whole pages of the flash.
    /// - [`Error::Foreign`]: there is something else, of more than one page.
    /// - [`Error::Version`], [`Error::Pages`], [`Error::Keys`]: the journal there was written by
    ///   another version of this crate, with another number of pages, or with other keys.
    /// - [`Error::Refused`]: more is stored than the tally has room for.
    /// - [`Error::Flash`], [`Error::Corrupted`]: the flash could not be read.
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// use runtally::Tally;
    /// use runtally::journal::{Error, Journal};
    ///
    /// # embassy_futures::block_on(async {
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let odd = Journal::open(Flash::new(2), 0..0x1234, &mut tally).await.err();
    /// assert_eq!(odd, Some(Error::Range { start: 0, end: 0x1234 }));
    /// # });
    /// ```
    pub async fn open(
        flash: F,
        range: Range<u32>,
        tally: &mut Tally<D, U, DEVICES, USERS>,
    ) -> Result<(Self, Recovered), Error<F::Error>> {
        const { Self::CHECKED };
        if !tally.is_empty() {
            return Err(Error::NotEmpty);
        }
        let mut journal = Self {
            pages: Pages::new(flash, range)?,
            end: None,
            append_at: None,
            live: 0,
            rewrite: 0,
            totals: Totals::default(),
            locations: Locations::new(),
            record: Record::new(),
            keys: PhantomData,
        };
        let recovered = journal.restore(tally).await?;
        Ok((journal, recovered))
    }

    /// Erases `range`, and with it any journal there: the first thing to do with flash that held
    /// something else.
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

    /// [`Tally::apply`], durable. A duplicate or stale event writes nothing.
    ///
    /// # Errors
    ///
    /// - [`Error::Refused`]: as [`Tally::apply`] refuses it.
    /// - [`Error::Full`]: the rows would take more flash than leaves room for changes.
    /// - [`Error::Flash`], [`Error::Corrupted`]: the flash failed, or a page was changed behind the
    ///   journal's back.
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// # use runtally::journal::Journal;
    /// # use runtally::{Event, Outcome, RunState, Tally};
    /// # embassy_futures::block_on(async {
    /// # let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// # let (mut journal, _) = Journal::open(Flash::new(2), 0..0x2000, &mut tally).await?;
    /// let event = Event { device: 7, user: Some(1), state: RunState::Success, at: "2026-11-21T09:30Z".parse()? };
    /// let stale = Event { state: RunState::Fail, at: "2026-11-21T09:29Z".parse()?, ..event };
    /// assert_eq!(journal.apply(&mut tally, &event).await?, Outcome::Applied { before: None });
    /// assert_eq!(journal.apply(&mut tally, &stale).await?, Outcome::Stale);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn apply(
        &mut self,
        tally: &mut Tally<D, U, DEVICES, USERS>,
        event: &Event<D, U>,
    ) -> Result<Outcome, Error<F::Error>> {
        let outcome = tally.check(event)?;
        if !matches!(outcome, Outcome::Applied { .. }) {
            return Ok(outcome);
        }
        let known = tally.device(&event.device);
        let before = known.map_or(0, |known| self.event_len(&known));
        let Event { device, user, state, at } = event;
        let after = Event { device, user: user.as_ref(), state: *state, at: *at };
        let len = self.event_len(&after);
        let live = self.admit(before, len)?;

        let page = self.write(tally, &Entries::Event(after)).await?;
        let outcome = tally.apply(event)?;
        self.totals = tally.totals();
        self.locations.set_device(tally.find(device), page);
        self.live = live;
        Ok(outcome)
    }

    /// [`Tally::remove`], durable. A device that is not known writes nothing.
    ///
    /// # Errors
    ///
    /// - [`Error::Refused`]: as [`Tally::remove`] refuses it.
    /// - [`Error::Flash`], [`Error::Corrupted`]: the flash failed, or a page was changed behind the
    ///   journal's back.
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// # use runtally::journal::Journal;
    /// # use runtally::{Event, RunState, Tally};
    /// # embassy_futures::block_on(async {
    /// # let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// # let (mut journal, _) = Journal::open(Flash::new(2), 0..0x2000, &mut tally).await?;
    /// let event = Event { device: 7, user: Some(1), state: RunState::Success, at: "2026-11-21T09:30Z".parse()? };
    /// let _ = journal.apply(&mut tally, &event).await?;
    /// assert_eq!(journal.remove(&mut tally, &7).await?, Some(event));
    /// assert_eq!(tally.summary().devices[RunState::Success], 0);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn remove(
        &mut self,
        tally: &mut Tally<D, U, DEVICES, USERS>,
        device: &D,
    ) -> Result<Option<Event<D, U>>, Error<F::Error>> {
        let Some(known) = tally.check_remove(device)? else { return Ok(None) };
        let before = self.event_len(&known);
        let live = self.admit(before, 0)?;
        self.write(tally, &Entries::Gone(device)).await?;
        self.live = live;
        Ok(tally.remove(device)?)
    }

    /// [`Tally::retire`], durable. A device that is not known writes nothing.
    ///
    /// # Errors
    ///
    /// - [`Error::Full`]: the rows would take more flash than leaves room for changes.
    /// - [`Error::Flash`], [`Error::Corrupted`]: the flash failed, or a page was changed behind the
    ///   journal's back.
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// # use runtally::journal::Journal;
    /// # use runtally::{Event, RunState, Tally};
    /// # embassy_futures::block_on(async {
    /// # let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// # let (mut journal, _) = Journal::open(Flash::new(2), 0..0x2000, &mut tally).await?;
    /// let event = Event { device: 7, user: Some(1), state: RunState::Success, at: "2026-11-21T09:30Z".parse()? };
    /// let _ = journal.apply(&mut tally, &event).await?;
    /// assert_eq!(journal.retire(&mut tally, &7).await?, Some(event));
    /// assert_eq!(tally.summary().devices[RunState::Success], 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn retire(
        &mut self,
        tally: &mut Tally<D, U, DEVICES, USERS>,
        device: &D,
    ) -> Result<Option<Event<D, U>>, Error<F::Error>> {
        let (Some(known), Some((kept, totals))) =
            (tally.device(device), tally.check_retire(device))
        else {
            return Ok(None);
        };
        let user = known.user.zip(kept);
        let mut before = self.event_len(&known);
        let mut after = 0;
        if let Some((user, kept)) = user {
            before = before.saturating_add(self.kept_len(tally, user));
            after = self.len(|record| record.user(user, &kept));
        }
        let live = self.admit(before, after)?;
        let row = known.user.and_then(|user| tally.find_user(user));

        let entries = Entries::Retired(device, user, &totals);
        let page = self.write(tally, &entries).await?;
        let event = tally.retire(device);
        self.totals = tally.totals();
        self.locations.set_user(row, page);
        self.live = live;
        Ok(event)
    }

    /// [`Tally::declare`], durable.
    ///
    /// # Errors
    ///
    /// - [`Error::Refused`]: as [`Tally::declare`] refuses it.
    /// - [`Error::Flash`], [`Error::Corrupted`]: the flash failed, or a page was changed behind the
    ///   journal's back.
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// # use runtally::journal::Journal;
    /// # use runtally::{Counts, RunState, Summary, Tally};
    /// # embassy_futures::block_on(async {
    /// # let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// # let (mut journal, _) = Journal::open(Flash::new(2), 0..0x2000, &mut tally).await?;
    /// let five = Counts::ZERO.with(RunState::Success, 5)?;
    /// let written = Summary { devices: five, ..Summary::ZERO };
    /// journal.declare(&mut tally, &written).await?;
    /// assert_eq!(tally.summary(), &written);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn declare(
        &mut self,
        tally: &mut Tally<D, U, DEVICES, USERS>,
        written: &Summary,
    ) -> Result<(), Error<F::Error>> {
        let totals = tally.check_declare(written)?;
        self.write(tally, &Entries::Totals(&totals)).await?;
        tally.declare(written)?;
        self.totals = totals;
        Ok(())
    }

    /// [`Tally::declare_user`], durable.
    ///
    /// # Errors
    ///
    /// - [`Error::Refused`]: as [`Tally::declare_user`] refuses it.
    /// - [`Error::Full`]: the rows would take more flash than leaves room for changes.
    /// - [`Error::Flash`], [`Error::Corrupted`]: the flash failed, or a page was changed behind the
    ///   journal's back.
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// # use runtally::journal::Journal;
    /// # use runtally::{Counts, RunState, Tally};
    /// # embassy_futures::block_on(async {
    /// # let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// # let (mut journal, _) = Journal::open(Flash::new(2), 0..0x2000, &mut tally).await?;
    /// let five = Counts::ZERO.with(RunState::Fail, 5)?;
    /// journal.declare_user(&mut tally, &1, five, None).await?;
    /// assert_eq!(tally.summary().users[RunState::Fail], 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn declare_user(
        &mut self,
        tally: &mut Tally<D, U, DEVICES, USERS>,
        user: &U,
        written: Counts,
        last_update: Option<DateTime>,
    ) -> Result<(), Error<F::Error>> {
        let kept = tally.check_declare_user(user, &written, last_update)?;
        let after = self.len(|record| record.user(user, &kept));
        let before = self.kept_len(tally, user);
        let live = self.admit(before, after)?;
        let page = self.write(tally, &Entries::User(user, &kept)).await?;
        tally.declare_user(user, written, last_update)?;
        self.locations.set_user(tally.find_user(user), page);
        self.live = live;
        Ok(())
    }

    /// [`Tally::undeclare_user`], durable. A user who was not declared writes nothing.
    ///
    /// # Errors
    ///
    /// - [`Error::Refused`]: as [`Tally::undeclare_user`] refuses it.
    /// - [`Error::Flash`], [`Error::Corrupted`]: the flash failed, or a page was changed behind the
    ///   journal's back.
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// # use runtally::journal::Journal;
    /// # use runtally::{Counts, Tally};
    /// # embassy_futures::block_on(async {
    /// # let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// # let (mut journal, _) = Journal::open(Flash::new(2), 0..0x2000, &mut tally).await?;
    /// journal.declare_user(&mut tally, &1, Counts::ZERO, None).await?;
    /// assert_eq!(journal.undeclare_user(&mut tally, &1).await?, true);
    /// assert_eq!(journal.undeclare_user(&mut tally, &1).await?, false);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn undeclare_user(
        &mut self,
        tally: &mut Tally<D, U, DEVICES, USERS>,
        user: &U,
    ) -> Result<bool, Error<F::Error>> {
        if !tally.check_undeclare_user(user)? {
            return Ok(false);
        }
        let before = self.kept_len(tally, user);
        let live = self.admit(before, 0)?;
        self.write(tally, &Entries::User(user, &Kept::default())).await?;
        self.live = live;
        Ok(tally.undeclare_user(user)?)
    }

    /// The flash, for what else is on it. What lies in the journal's range is not to be changed.
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// # use runtally::{Tally, journal::Journal};
    /// # embassy_futures::block_on(async {
    /// # let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let (mut journal, _) = Journal::open(Flash::new(2), 0..0x2000, &mut tally).await?;
    /// assert_eq!(journal.flash().written, 0);
    /// # Ok::<(), runtally::journal::Error<_>>(())
    /// # }).unwrap();
    /// ```
    pub fn flash(&mut self) -> &mut F {
        self.pages.flash()
    }

    /// Gives the flash back. Nothing is left to be written.
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// # use runtally::{Tally, journal::Journal};
    /// # embassy_futures::block_on(async {
    /// # let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let (journal, _) = Journal::open(Flash::new(2), 0..0x2000, &mut tally).await?;
    /// let flash: Flash = journal.close();
    /// # Ok::<(), runtally::journal::Error<_>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn close(self) -> F {
        self.pages.into_flash()
    }
}
