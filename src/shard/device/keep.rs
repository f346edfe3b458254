//! Entries and snapshots of a device shard.

use core::hash::Hash;

use super::DeviceShard;
use crate::shard::{Full, Record};
use crate::snapshot::source::Entries;
use crate::snapshot::{SnapshotError, SnapshotReader};
use crate::table::Storage;
use crate::{Entry, Key, Totals};

impl<D, U, const DEVICES: usize, S: Storage> DeviceShard<D, U, DEVICES, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord,
{
    /// Everything the shard holds: an entry for each row, and the totals.
    ///
    /// ```
    /// use runtally::shard::DeviceShard;
    /// use runtally::{Entry, Totals};
    /// let shard: DeviceShard<u16, u16, 8> = DeviceShard::new();
    /// assert!(shard.entries().eq([Entry::Totals(Totals::default())]));
    /// ```
    pub fn entries(&self) -> impl Iterator<Item = Entry<&D, &U>> + Clone {
        let totals = Totals {
            last_run: self.summary.last_run,
            run_from: self.run_from(),
            ..Totals::default()
        };
        let rows = self.records().map(|record| record.into_entry(self.run_from));
        rows.chain([Entry::Totals(totals)])
    }

    /// Takes one entry in, in any order and any number of times. What is not of a device shard, a
    /// user or carried counts, is passed over.
    ///
    /// # Errors
    ///
    /// Those of [`take`](Self::take).
    ///
    /// ```
    /// use runtally::Entry;
    /// use runtally::shard::DeviceShard;
    ///
    /// let mut shard: DeviceShard<u16, u16, 8> = DeviceShard::new();
    /// shard.restore(&Entry::Removed { device: 7, at: "2026-11-21T12:00Z".parse()? })?;
    /// assert_eq!((shard.row_count(), shard.device_count()), (1, 0));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn restore(&mut self, entry: &Entry<D, U>) -> Result<(), Full> {
        if let Entry::Totals(Totals { last_run, run_from, .. }) = entry {
            if let Some(at) = last_run {
                self.summary.ran(*at);
            }
            if let Some(at) = run_from {
                let _ = self.begin_anew(*at);
            }
            return Ok(());
        }
        match Record::of(entry.clone()) {
            Some(record) => self.take(&record, |_, _| ()).map(drop),
            None => Ok(()),
        }
    }

    /// Takes in one piece of a [snapshot](crate::snapshot) of another device shard, which begins
    /// `bytes`; gives the length of the piece. The shard holds afterwards what both held.
    ///
    /// # Errors
    ///
    /// Those of [`SnapshotReader::read`]. A shard that has no room is
    /// [`Refused`](SnapshotError::Refused).
    ///
    /// ```
    /// use runtally::shard::{DeviceShard, Record};
    /// use runtally::snapshot::{Snapshot, SnapshotReader};
    ///
    /// let mut shard: DeviceShard<u16, u16, 8> = DeviceShard::new();
    /// let removed = Record::Removed { device: 7, at: "2026-11-21T12:00Z".parse()? };
    /// assert!(shard.take(&removed, |_, _| ())?.is_applied());
    ///
    /// let mut restored: DeviceShard<u16, u16, 16> = DeviceShard::new();
    /// let (mut snapshot, mut reader) = (Snapshot::new(&shard), SnapshotReader::restore());
    /// let mut buffer = [0; 256];
    /// while let Some(piece) = snapshot.next(&mut buffer)? {
    ///     restored.restore_piece(&mut reader, piece)?;
    /// }
    /// assert!(reader.is_complete());
    /// assert!(restored.records().eq(shard.records()));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn restore_piece(
        &mut self,
        reader: &mut SnapshotReader,
        bytes: &[u8],
    ) -> Result<usize, SnapshotError>
    where
        D: Key,
        U: Key,
    {
        reader.take::<Self>(bytes, |entry| Ok(self.restore(entry)?))
    }
}

impl<D, U, const DEVICES: usize, S: Storage> Entries for DeviceShard<D, U, DEVICES, S>
where
    D: Key + Clone + Eq + Hash,
    U: Key + Clone + Ord,
{
    type Device = D;
    type User = U;
    const MAGIC: [u8; 3] = *b"RTD";

    fn all(&self) -> impl Iterator<Item = Entry<&D, &U>> {
        self.entries()
    }
}
