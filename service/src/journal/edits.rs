//! Edits of a file, one after the other in one run of bytes.
//!
//! ```text
//!  edit    at   len  bytes...        len + 2^31 and no bytes: so many are erased
//!          u64  u32
//! ```

use std::io;

use super::disk::{Disk, erase};

const HEAD: usize = 12;
const ERASED: u32 = 1 << 31;

/// Edits in the order they were made.
#[derive(Clone, Debug, Default)]
pub(super) struct Edits {
    bytes: Vec<u8>,
    /// Where a request's edits end.
    ends: Vec<usize>,
    /// Where the last edit begins, and where in the file the next one would go on with it; none if
    /// that is a request's end.
    open: Option<(usize, u64)>,
}

/// One edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit<'a> {
    Write(u64, &'a [u8]),
    Erase(u64, u32),
}

impl Edits {
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) {
        let start = match self.open {
            // A header and its data, most likely: one edit.
            Some((start, end)) if end == at => start,
            _ => {
                self.head(at, 0);
                self.bytes.len() - HEAD
            }
        };
        self.bytes.extend_from_slice(bytes);
        let len = (self.bytes.len() - start - HEAD) as u32;
        self.bytes[start + 8..start + HEAD].copy_from_slice(&len.to_le_bytes());
        self.open = Some((start, at + bytes.len() as u64));
    }

    pub(super) fn erase(&mut self, at: u64, len: u32) {
        self.head(at, len | ERASED);
        self.open = None;
    }

    fn head(&mut self, at: u64, len: u32) {
        self.bytes.extend_from_slice(&at.to_le_bytes());
        self.bytes.extend_from_slice(&len.to_le_bytes());
    }

    /// A request ends.
    pub(super) fn end(&mut self) {
        self.ends.push(self.bytes.len());
        self.open = None;
    }

    /// Drops the edits of the request that has not ended.
    pub(super) fn undo(&mut self) {
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
        self.open = None;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes the edits of the requests that have ended.
    pub(super) fn take_ended(&mut self) -> Self {
        let end = self.ends.last().copied().unwrap_or(0);
        let rest = self.bytes.split_off(end);
        let bytes = std::mem::replace(&mut self.bytes, rest);
        self.open = self.open.map(|(start, at)| (start - end, at));
        Self { bytes, ends: std::mem::take(&mut self.ends), open: None }
    }

    pub(super) fn has_ended(&self) -> bool {
        !self.ends.is_empty()
    }

    /// How many requests have ended.
    pub(super) fn requests(&self) -> usize {
        self.ends.len()
    }

    /// Parts of at most `limit` bytes each, none of which ends within a request unless that is
    /// longer by itself. There is one part at least.
    pub(super) fn parts(&self, limit: usize) -> Vec<&[u8]> {
        let mut parts = Vec::new();
        let (mut start, mut end, mut edit_end) = (0, 0, 0);
        let mut ends = self.ends.iter().copied().peekable();
        while edit_end < self.bytes.len() {
            let next = edit_end + next(&self.bytes[edit_end..]).map_or(usize::MAX / 2, |it| it.1);
            if next - start > limit {
                // Back to the last request's end, if there is one in this part.
                let cut = if end > start { end } else { edit_end };
                parts.push(&self.bytes[start..cut]);
                start = cut;
            }
            edit_end = next;
            if ends.next_if_eq(&edit_end).is_some() {
                end = edit_end;
            }
        }
        parts.push(&self.bytes[start..]);
        parts
    }

    /// All of them.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Makes `bytes`, read at `at`, what they are after the edits in a run.
pub(super) fn overlay(run: &[u8], at: u64, bytes: &mut [u8]) {
    for edit in edits(run) {
        match edit {
            Edit::Write(from, new) => overlap(at, bytes, from, new.len(), |old, range| {
                old.copy_from_slice(&new[range]);
            }),
            Edit::Erase(from, len) => {
                overlap(at, bytes, from, len as usize, |old, _| old.fill(0xff));
            }
        }
    }
}

/// Shows `each` the bytes that lie within `from..from + len`, and which of those they are.
fn overlap(
    at: u64,
    bytes: &mut [u8],
    from: u64,
    len: usize,
    each: impl FnOnce(&mut [u8], std::ops::Range<usize>),
) {
    let start = at.max(from);
    let end = (at + bytes.len() as u64).min(from + len as u64);
    if start < end {
        let range = (start - from) as usize..(end - from) as usize;
        each(&mut bytes[(start - at) as usize..(end - at) as usize], range);
    }
}

/// The edits in a run of bytes.
fn edits(mut bytes: &[u8]) -> impl Iterator<Item = Edit<'_>> {
    std::iter::from_fn(move || {
        let (edit, len) = next(bytes)?;
        bytes = &bytes[len..];
        Some(edit)
    })
}

/// The first edit, and how many bytes it takes.
fn next(bytes: &[u8]) -> Option<(Edit<'_>, usize)> {
    let (at, rest) = bytes.split_first_chunk()?;
    let (len, rest) = rest.split_first_chunk()?;
    let (at, len) = (u64::from_le_bytes(*at), u32::from_le_bytes(*len));
    if len & ERASED != 0 {
        return Some((Edit::Erase(at, len & !ERASED), HEAD));
    }
    Some((Edit::Write(at, rest.get(..len as usize)?), HEAD + len as usize))
}

/// Carries the edits in a run of bytes out. Writes that follow each other become one.
pub(super) fn carry_out(disk: &dyn Disk, bytes: &[u8]) -> io::Result<()> {
    let (mut start, mut run) = (0, Vec::new());
    for edit in edits(bytes) {
        match edit {
            Edit::Write(at, new) => {
                if at != start + run.len() as u64 && !run.is_empty() {
                    disk.write(start, &run)?;
                    run.clear();
                }
                if run.is_empty() {
                    start = at;
                }
                run.extend_from_slice(new);
            }
            Edit::Erase(at, len) => {
                if !run.is_empty() {
                    disk.write(start, &run)?;
                    run.clear();
                }
                erase(disk, at, len.into())?;
            }
        }
    }
    if run.is_empty() { Ok(()) } else { disk.write(start, &run) }
}
