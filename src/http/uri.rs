//! The pieces of a URI: percent-encoded text, read without a copy.
//!
//! All of this module splits text with [`next_part`], because `str::split` takes ten times the
//! flash.

use uuid::Uuid;

use crate::graph::id::parse_guid;

/// Takes the part before the next `separator` off the front of `rest`, and the separator; the last
/// part leaves `None`.
#[inline(never)]
pub(super) fn next_part<'a>(rest: &mut Option<&'a str>, separator: u8) -> Option<&'a str> {
    let text = (*rest)?;
    let end = text.bytes().position(|byte| byte == separator);
    // ASCII separates, so both ends are between characters.
    let (part, after) = text.split_at_checked(end.unwrap_or(text.len()))?;
    *rest = after.get(1..);
    Some(part)
}

/// Whether a text is this word, in any case.
#[inline(never)]
pub(super) fn is_word(text: &str, word: &str) -> bool {
    text.eq_ignore_ascii_case(word)
}

/// What stands before the first `separator`, and what after it.
pub(super) fn halves(text: &str, separator: u8) -> (&str, Option<&str>) {
    let mut rest = Some(text);
    let first = next_part(&mut rest, separator).unwrap_or_default();
    (first, rest)
}

/// A segment of a path, or a name or value of a query, still percent-encoded.
#[derive(Clone, Copy, Default)]
pub(super) struct Encoded<'a>(pub(super) &'a str);

impl<'a> Encoded<'a> {
    /// The bytes, decoded; a per cent sign without two hexadecimal digits stands for itself.
    ///
    /// Source: RFC 3986, section 2.1.
    pub(super) fn bytes(self) -> Bytes<'a> {
        Bytes { rest: self.0.as_bytes() }
    }

    // Asked for every word a path or query may have: once in flash is enough.
    #[inline(never)]
    pub(super) fn is(self, text: &str) -> bool {
        // Most often nothing is encoded, and then nothing need be decoded byte by byte.
        self.0 == text || (self.0.len() > text.len() && self.bytes().eq(text.bytes()))
    }

    #[inline(never)]
    pub(super) fn guid(self) -> Option<Uuid> {
        parse_guid(self.0).or_else(|| {
            let mut decoded = heapless::String::<{ uuid::fmt::Hyphenated::LENGTH }, u8>::new();
            self.bytes().try_for_each(|byte| decoded.push(byte.into())).ok()?;
            parse_guid(&decoded)
        })
    }

    #[inline(never)]
    pub(super) fn number(self) -> Option<u32> {
        let mut number = (!self.0.is_empty()).then_some(0_u32)?;
        for byte in self.bytes() {
            let digit = char::from(byte).to_digit(10)?;
            number = number.checked_mul(10)?.checked_add(digit)?;
        }
        Some(number)
    }
}

/// See [`Encoded::bytes`].
pub(super) struct Bytes<'a> {
    rest: &'a [u8],
}

impl Iterator for Bytes<'_> {
    type Item = u8;

    #[inline(never)]
    fn next(&mut self) -> Option<u8> {
        let (&first, mut after) = self.rest.split_first()?;
        let mut byte = first;
        if first == b'%'
            && let [high, low, beyond @ ..] = after
            && let Some((high, low)) = hex(*high).zip(hex(*low))
        {
            byte = high << 4 | low;
            after = beyond;
        }
        self.rest = after;
        Some(byte)
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}

/// True if a link can repeat the text as it is: RFC 3986 lets nothing else into a URI unencoded,
/// and no byte of it needs an escape in JSON.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}
