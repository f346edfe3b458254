//! The pieces of a URI: percent-encoded text, read without a copy.
//!
//! Here and beside, texts are split at arrays of characters, `['/']` and not `'/'`: searching for a
//! single one links a check of `core` that panics.

use uuid::Uuid;

use crate::graph::json;

/// A segment of a path, or a name or value of a query, still percent-encoded.
#[derive(Clone, Copy)]
pub(super) struct Encoded<'a>(pub(super) &'a str);

impl<'a> Encoded<'a> {
    /// The bytes, decoded; a per cent sign without two hexadecimal digits stands for itself.
    ///
    /// Source: RFC 3986, section 2.1.
    pub(super) fn bytes(self) -> impl Iterator<Item = u8> + use<'a> {
        let mut rest = self.0.as_bytes();
        core::iter::from_fn(move || {
            let decoded = match rest {
                [b'%', high, low, after @ ..] => hex(*high).zip(hex(*low)).map(|(high, low)| {
                    rest = after;
                    high << 4 | low
                }),
                _ => None,
            };
            decoded.or_else(|| {
                let (first, after) = rest.split_first()?;
                rest = after;
                Some(*first)
            })
        })
    }

    // Asked for every word a path or query may have: once in flash is enough.
    #[inline(never)]
    pub(super) fn is(self, text: &str) -> bool {
        match self.plain() {
            Some(plain) => plain == text,
            None => self.bytes().eq(text.bytes()),
        }
    }

    /// The text, if nothing in it is encoded: most often it is not, and then nothing need be
    /// decoded byte by byte.
    fn plain(self) -> Option<&'a str> {
        (!self.0.as_bytes().contains(&b'%')).then_some(self.0)
    }

    /// Decoded, if it has at most `N` bytes and they are text.
    pub(super) fn decoded<const N: usize>(self) -> Option<heapless::String<N, u8>> {
        let mut bytes = heapless::Vec::<u8, N, u8>::new();
        for byte in self.bytes() {
            bytes.push(byte).ok()?;
        }
        heapless::String::from_utf8(bytes).ok()
    }

    pub(super) fn guid(self) -> Option<Uuid> {
        if let Some(plain) = self.plain() {
            return json::guid(plain);
        }
        json::guid(&self.decoded::<{ uuid::fmt::Hyphenated::LENGTH }>()?)
    }

    pub(super) fn number(self) -> Option<u32> {
        let digits = self.decoded::<10>()?;
        // `parse` would take a sign as well.
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
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
