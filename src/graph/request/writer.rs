//! The body of an answer, as it is written into the caller's buffer.

use serde::Serialize;

use crate::graph::{BufferFull, json};

pub(super) struct Writer<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl<'b> Writer<'b> {
    pub(super) fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The bytes that are left.
    pub(super) const fn room(&self) -> usize {
        self.buffer.len().saturating_sub(self.len)
    }

    /// Takes back what was written beyond `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    // Once in flash is enough.
    #[inline(never)]
    pub(super) fn text(&mut self, text: &str) -> Result<(), BufferFull> {
        let room = self.buffer.get_mut(self.len..).unwrap_or_default();
        let room = room.get_mut(..text.len()).ok_or(BufferFull)?;
        room.copy_from_slice(text.as_bytes());
        self.len = self.len.saturating_add(text.len());
        Ok(())
    }

    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), BufferFull> {
        let room = self.buffer.get_mut(self.len..).unwrap_or_default();
        self.len = self.len.saturating_add(json::encode(value, room)?);
        Ok(())
    }

    pub(super) fn written(&mut self, from: usize) -> &mut [u8] {
        self.buffer.get_mut(from..self.len).unwrap_or_default()
    }

    pub(super) fn finish(self) -> &'b [u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }
}
