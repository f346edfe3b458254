//! Batches of edits, each of them carried out wholly or not at all.
//!
//! A disk may keep any of the sectors written since the last sync and lose the others. So a batch
//! is first written to one of two places by itself, with a checksum, and synced: that is when it is
//! durable. Only then its edits are carried out where they belong, and the sync of the next batch,
//! which goes to the other place, makes that durable as well. After a power cut the batches found in
//! the two places are carried out once more, in order.
//!
//! ```text
//!  place   "RTBATCH1"  number  len   crc32  edits...
//!          8 bytes     u64     u32   u32
//! ```

use std::io;
use std::sync::Arc;

use super::disk::Disk;
use super::edits::{Edits, carry_out};

/// Bytes of a place. In tests most commits take several.
const PLACE: u64 = if cfg!(test) { 4096 } else { 1 << 20 };

/// Bytes of both places.
pub(super) const PLACES: u64 = 2 * PLACE;

const HEAD: usize = 24;
const MAGIC: &[u8; 8] = b"RTBATCH1";

pub(super) struct Batches {
    disk: Arc<dyn Disk>,
    start: u64,
    /// Of the last durable batch.
    number: u64,
    /// Its edits.
    last: Vec<u8>,
    /// They may not be where they belong: a write failed, or a sync, after which a disk may have
    /// forgotten what was written before it.
    unsettled: bool,
}

impl Batches {
    /// Carries out what is in the two places from `start` on.
    pub(super) fn open(disk: Arc<dyn Disk>, start: u64) -> io::Result<Self> {
        let mut batches = Self { disk, start, number: 0, last: Vec::new(), unsettled: false };
        let mut found = [batches.read(0)?, batches.read(1)?];
        found.sort_by_key(|batch| batch.as_ref().map_or(0, |(number, _)| *number));
        for (number, edits) in found.into_iter().flatten() {
            carry_out(&*batches.disk, &edits)?;
            (batches.number, batches.last) = (number, edits);
        }
        // The next batch will take the place of the older one.
        batches.disk.sync()?;
        Ok(batches)
    }

    fn read(&self, place: u64) -> io::Result<Option<(u64, Vec<u8>)>> {
        let at = self.start + place * PLACE;
        let mut head = [0; HEAD];
        self.disk.read(at, &mut head)?;
        let number = u64::from_le_bytes(*head[8..].first_chunk().expect("24 bytes"));
        let len = u32::from_le_bytes(*head[16..].first_chunk().expect("24 bytes"));
        if head[..8] != *MAGIC || u64::from(len) > PLACE - HEAD as u64 || number % 2 != place {
            return Ok(None);
        }
        let mut edits = vec![0; len as usize];
        self.disk.read(at + HEAD as u64, &mut edits)?;
        let is_whole = head[20..] == checksum(&head[8..20], &edits).to_le_bytes();
        Ok(is_whole.then_some((number, edits)))
    }

    /// Makes edits durable, then carries them out. They become several batches if they are too long
    /// for one; none that has no end within a request.
    ///
    /// After an error, some of the batches may be durable.
    pub(super) fn commit(&mut self, edits: &Edits) -> io::Result<()> {
        for part in edits.parts(PLACE as usize - HEAD) {
            self.settle()?;
            let number = self.number + 1;
            let mut batch = Vec::with_capacity(HEAD + part.len());
            batch.extend_from_slice(MAGIC);
            batch.extend_from_slice(&number.to_le_bytes());
            batch.extend_from_slice(&(part.len() as u32).to_le_bytes());
            let checksum = checksum(&batch[8..20], part);
            batch.extend_from_slice(&checksum.to_le_bytes());
            batch.extend_from_slice(part);
            let written = self
                .disk
                .write(self.start + number % 2 * PLACE, &batch)
                .and_then(|()| self.disk.sync());
            if let Err(error) = written {
                self.unsettled = true;
                return Err(error);
            }
            self.number = number;
            self.last = part.to_vec();
            // Durable it is; if this fails, it is tried again before the next batch.
            self.unsettled = true;
            let _ = self.settle();
        }
        Ok(())
    }

    fn settle(&mut self) -> io::Result<()> {
        if self.unsettled {
            carry_out(&*self.disk, &self.last)?;
            self.unsettled = false;
        }
        Ok(())
    }

    /// The edits of the last durable batch if they may not be where they belong.
    pub(super) fn unsettled(&self) -> Option<&[u8]> {
        self.unsettled.then_some(&*self.last)
    }
}

fn checksum(head: &[u8], edits: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(edits);
    hasher.finalize()
}
