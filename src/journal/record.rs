//! Records: the unit of writing, each with the entries that a change leaves.
//!
//! ```text
//!  body       entry entry ...        of `codec`, or in their place:
//!  forgotten  0x0006 device          its tombstone is gone: another device took the row
//!  unlinked   0x000f user            nothing is kept of the user, and no tombstone links there
//! ```
//!
//! An entry says all there is of one device, one user or the summary, so the last one counts.

use super::page::{HEAD_LEN, Head, Kind, RECORD_LEN, Size};
use crate::Entry;
use crate::codec::{self, Key, Writer, take};

/// What a tombstone without a date-time begins with, which is none.
const FORGOTTEN: [u8; 2] = [6, 0];

/// What nothing of `codec` begins with.
const UNLINKED: [u8; 2] = [15, 0];

/// The most bytes of the entry that a tombstone is forgotten.
pub(super) const fn forgotten_len<D: Key>() -> usize {
    FORGOTTEN.len().saturating_add(D::MAX_LEN)
}

/// A record being written or read. All zero bytes are an empty one.
pub(super) struct Record {
    bytes: Aligned,
    /// Bytes of the body.
    len: u16,
}

/// Some flash controllers read and write whole words of RAM only.
#[repr(align(4))]
struct Aligned([u8; RECORD_LEN]);

impl Record {
    pub(super) const fn new() -> Self {
        Self { bytes: Aligned([0; RECORD_LEN]), len: 0 }
    }

    /// All of it, to read into.
    pub(super) fn space(&mut self) -> &mut [u8] {
        &mut self.bytes.0
    }

    pub(super) fn body(&self) -> &[u8] {
        let body = self.bytes.0.get(HEAD_LEN..).and_then(|body| body.get(..self.len.into()));
        body.unwrap_or_default()
    }

    /// Of what was read into the space, so much is a record.
    pub(super) fn set_len(&mut self, size: Size) {
        self.len = size.body() as u16;
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Takes over another record's entries.
    pub(super) fn copy(&mut self, other: &Self) {
        self.clear();
        // Both have room for as many bytes.
        let _ = self.write(|body| body.put(other.body()));
    }

    /// Adds an entry, all of it or, where there is no room, nothing.
    pub(super) fn add<D: Key, U: Key>(&mut self, entry: &Entry<&D, &U>) -> Option<()> {
        self.write(|body| body.entry(entry))
    }

    /// Adds that a tombstone is forgotten.
    pub(super) fn add_forgotten<D: Key>(&mut self, device: &D) -> Option<()> {
        self.write(|body| {
            body.put(&FORGOTTEN)?;
            body.key(device)
        })
    }

    /// Adds that nothing is kept of a user, and no tombstone links there.
    pub(super) fn add_unlinked<U: Key>(&mut self, user: &U) -> Option<()> {
        self.write(|body| {
            body.put(&UNLINKED)?;
            body.key(user)
        })
    }

    #[cfg(test)]
    pub(super) fn add_raw(&mut self, bytes: &[u8]) {
        self.write(|body| body.put(bytes)).unwrap();
    }

    fn write(&mut self, write: impl FnOnce(&mut Writer<'_>) -> Option<()>) -> Option<()> {
        let rest = self.bytes.0.get_mut(HEAD_LEN..)?.get_mut(self.len.into()..)?;
        let mut body = Writer::new(rest);
        write(&mut body)?;
        self.len = self.len.checked_add(body.len() as u16)?;
        Some(())
    }

    /// Fills in the head, and gives all bytes to be written.
    pub(super) fn close(
        &mut self,
        kind: Kind,
        sequence: u32,
        offset: u32,
        word: usize,
    ) -> Option<&[u8]> {
        let size = Size::new(kind, self.len.into());
        let head = Head::write(size, size.checksum(sequence, offset, self.body()));
        *self.bytes.0.first_chunk_mut()? = head;
        let len = size.len().checked_next_multiple_of(word)?;
        self.bytes.0.get_mut(size.len()..len)?.fill(0xff);
        self.bytes.0.get(..len)
    }
}

/// What stands in place of an entry.
pub(super) enum Special<D, U> {
    Forgotten(D),
    Unlinked(U),
}

/// What a body begins with, and the bytes after it; `None` if it is an entry of `codec`, or nothing.
#[inline(never)]
pub(super) fn special<D: Key, U: Key>(body: &[u8]) -> Option<(Special<D, U>, &[u8])> {
    let mut rest = body;
    match take(&mut rest)? {
        FORGOTTEN => {
            let (device, len) = D::read(rest)?;
            Some((Special::Forgotten(device), rest.get(len..)?))
        }
        UNLINKED => {
            let (user, len) = U::read(rest)?;
            Some((Special::Unlinked(user), rest.get(len..)?))
        }
        _ => None,
    }
}

/// True if a body is entries from end to end.
#[inline(never)]
pub(super) fn is_sound<D: Key, U: Key>(mut body: &[u8]) -> bool {
    loop {
        if let Some((_, rest)) = special::<D, U>(body) {
            body = rest;
        } else if let Some((_, rest)) = codec::read::<D, U>(body) {
            body = rest;
        } else {
            return body.is_empty();
        }
    }
}
