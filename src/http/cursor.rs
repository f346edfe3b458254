//! A cursor in the caller's buffer: bytes as they are, and values that serde-json-core writes.

use core::fmt;

use serde::{Serialize, Serializer};

use crate::graph::BufferFull;
use crate::graph::resource::{Resource, Selected};
use crate::graph::shape::Select;

/// What is written so far. Once something does not fit, nothing follows it, and
/// [`finish`](Self::finish) says so.
pub(super) struct Cursor<'b> {
    buffer: &'b mut [u8],
    /// Beyond the buffer's end once something did not fit.
    len: usize,
}

impl<'b> Cursor<'b> {
    pub(super) const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// True if `bytes` more would fit.
    pub(super) const fn has_room(&self, bytes: usize) -> bool {
        self.len.saturating_add(bytes) <= self.buffer.len()
    }

    /// Whether everything fitted.
    pub(super) const fn check(&self) -> Result<(), BufferFull> {
        if self.has_room(0) { Ok(()) } else { Err(BufferFull) }
    }

    /// Takes back what was written beyond `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// What was written.
    pub(super) fn finish(self) -> Result<&'b [u8], BufferFull> {
        self.buffer.get(..self.len).ok_or(BufferFull)
    }

    /// Writes JSON as it is.
    // Out of line: once in flash is enough.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn raw(&mut self, json: &str) {
        let rest = self.rest();
        let room = rest.get_mut(..json.len());
        let written = room.map(|room| room.copy_from_slice(json.as_bytes()));
        self.advance(written.map(|()| json.len()));
    }

    pub(super) fn number(&mut self, number: u32) {
        self.value(&number);
    }

    /// Writes the properties of a resource that are wanted.
    pub(super) fn resource(&mut self, resource: &dyn Resource, select: Select) {
        self.value(&Selected(resource, select));
    }

    /// Writes what is displayed, as a string.
    pub(super) fn display(&mut self, text: &dyn fmt::Display) {
        self.value(&Displayed(text));
    }

    fn value(&mut self, value: &impl Serialize) {
        let written = serde_json_core::to_slice(value, self.rest()).ok();
        self.advance(written);
    }

    fn rest(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.len..).unwrap_or_default()
    }

    /// Goes past what was written, or beyond the end if it did not fit.
    fn advance(&mut self, written: Option<usize>) {
        self.len = match written {
            Some(bytes) => self.len.saturating_add(bytes),
            None => usize::MAX,
        };
    }
}

struct Displayed<'t>(&'t dyn fmt::Display);

impl Serialize for Displayed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}
