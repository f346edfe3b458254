//! A change that the tally has made already.

use core::hash::Hash;

use embedded_storage_async::nor_flash::NorFlash;

use super::record::Entries;
use super::{Error, Journal, Key};
use crate::Tally;

/// What a change was about: a row of a tally, or what is carried on top of the rows.
///
/// ```
/// use runtally::journal::Change;
/// let change: Change<'_, u16, u16> = Change::Device(&7);
/// assert_ne!(change, Change::Summary);
/// ```
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Change<'a, D, U> {
    /// A device: an event was applied, or the device was removed.
    Device(&'a D),
    /// A user was declared or un-declared.
    User(&'a U),
    /// The summary was declared.
    Summary,
}

// Whether the keys can be copied does not matter.
impl<D, U> Clone for Change<'_, D, U> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D, U> Copy for Change<'_, D, U> {}

impl<F, D, U, const DEVICES: usize, const USERS: usize> Journal<F, D, U, DEVICES, USERS>
where
    F: NorFlash,
    D: Key + Clone + Eq + Hash,
    U: Key + Clone + Ord + Hash,
{
    /// Writes down a change that `tally` has made already: for where something else makes the
    /// changes, such as [`Store::handle`](crate::graph::Store::handle). Each is to be recorded
    /// before the next one is made.
    ///
    /// A device that was retired is not only its own row: use [`retire`](Self::retire).
    ///
    /// With fewer than [`PAGES`](Self::PAGES) pages, each call counts the bytes of all rows.
    ///
    /// # Errors
    ///
    /// The tally holds a change then that the flash does not: [clear](Tally::clear) it and
    /// [`open`](Self::open) the journal again.
    ///
    /// - [`Error::Full`]: the rows take more flash than leaves room for changes.
    /// - [`Error::Flash`], [`Error::Corrupted`]: the flash failed, or a page was changed behind the
    ///   journal's back.
    ///
    /// ```
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    /// # use runtally::{Event, RunState, Tally};
    /// use runtally::journal::{Change, Journal};
    ///
    /// # embassy_futures::block_on(async {
    /// # let mut flash = Flash::new(3);
    /// # let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let (mut journal, _) = Journal::open(&mut flash, 0..0x3000, &mut tally).await?;
    /// let event = Event { device: 7, user: Some(1), state: RunState::Success, at: "2026-11-21T09:30Z".parse()? };
    /// let _ = tally.apply(&event)?;
    /// journal.record(&tally, Change::Device(&7)).await?;
    ///
    /// let mut restored: Tally<u16, u16, 8, 8> = Tally::new();
    /// let _ = Journal::open(&mut flash, 0..0x3000, &mut restored).await?;
    /// assert_eq!(restored, tally);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn record(
        &mut self,
        tally: &Tally<D, U, DEVICES, USERS>,
        change: Change<'_, D, U>,
    ) -> Result<(), Error<F::Error>> {
        if !self.holds_all() {
            self.measure(tally);
            if self.live > Self::limit(self.pages.count()) {
                return Err(self.full());
            }
        }
        match change {
            Change::Device(device) => {
                let page = match tally.device(device) {
                    Some(event) => self.write(tally, &Entries::Event(event)).await?,
                    None => self.write(tally, &Entries::Gone(device)).await?,
                };
                self.locations.set_device(tally.find(device), page);
            }
            Change::User(user) => {
                let kept = tally.kept(user).unwrap_or_default();
                let page = self.write(tally, &Entries::User(user, &kept)).await?;
                self.locations.set_user(tally.find_user(user), page);
            }
            Change::Summary => {
                let totals = tally.totals();
                self.write(tally, &Entries::Totals(&totals)).await?;
            }
        }
        self.totals = tally.totals();
        Ok(())
    }
}
