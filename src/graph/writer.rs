//! JSON as it is written into the caller's buffer.

use core::fmt;

use super::BufferFull;
use super::document::plain;
use crate::sentence::digits;

/// What is written so far. Where something does not fit, nothing follows it, and
/// [`finish`](Self::finish) says so.
pub(super) struct Writer<'b> {
    buffer: &'b mut [u8],
    /// Beyond the buffer's end once something did not fit.
    len: usize,
}

impl<'b> Writer<'b> {
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
    pub(super) fn check(&self) -> Result<(), BufferFull> {
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

    /// JSON as it is.
    // Once in flash is enough; of this and what follows.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn raw(&mut self, json: &str) {
        let room = self.buffer.get_mut(self.len..).unwrap_or_default();
        if let Some(room) = room.get_mut(..json.len()) {
            room.copy_from_slice(json.as_bytes());
        }
        self.len = self.len.saturating_add(json.len());
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn byte(&mut self, byte: u8) {
        if let Some(place) = self.buffer.get_mut(self.len) {
            *place = byte;
        }
        self.len = self.len.saturating_add(1);
    }

    pub(super) fn number(&mut self, number: u32) {
        self.raw(&digits(number as usize));
    }

    /// A string, in quotation marks.
    pub(super) fn string(&mut self, text: &str) {
        self.byte(b'"');
        self.escaped(text);
        self.byte(b'"');
    }

    /// The inside of a string: quotation marks, backslashes and control characters are escaped, as
    /// RFC 8259, section 7, wants, and nothing else is.
    pub(super) fn escaped(&mut self, text: &str) {
        let mut rest = text;
        loop {
            let (plain, special) =
                rest.split_at_checked(plain(rest.as_bytes())).unwrap_or_default();
            self.raw(plain);
            let Some(byte) = special.bytes().next() else { return };
            self.byte(b'\\');
            match byte {
                b'\x08' => self.byte(b'b'),
                b'\t' => self.byte(b't'),
                b'\n' => self.byte(b'n'),
                b'\x0c' => self.byte(b'f'),
                b'\r' => self.byte(b'r'),
                ..b' ' => {
                    self.raw(if byte < 16 { "u000" } else { "u001" });
                    let digit = char::from_digit(u32::from(byte) % 16, 16).unwrap_or_default();
                    self.byte(digit.to_ascii_uppercase() as u8);
                }
                _ => self.byte(byte),
            }
            rest = special.get(1..).unwrap_or_default();
        }
    }
}

/// The inside of a string, for what is displayed.
impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.escaped(text);
        Ok(())
    }
}
