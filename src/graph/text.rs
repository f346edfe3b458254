//! A borrowed string: still escaped as it stands in the document, unescaped as it is read.

use core::fmt::{self, Write};
use core::str;

use heapless::{CapacityError, LenType};
use serde::{Serialize, Serializer};

use super::{Error, Name, Reason};

/// A string of at most `N` bytes, borrowed from the JSON document it was read from.
///
/// Nothing is copied: the escapes stay where they are and are resolved, surrogate pairs included,
/// whenever the text is read. The length, the limit `N` and every comparison are those of the
/// unescaped text, in UTF-8.
///
/// ```
/// use runtally::graph::{DeviceState, Text};
///
/// let state = DeviceState::decode(
///     br#"{
///         "id": "74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974",
///         "configurationState": "success",
///         "lastStateUpdateDateTime": "2026-11-21T09:30:00Z",
///         "deviceName": "dock \ud83d\ude00"
///     }"#,
/// )?;
/// let name: Text<'_, 255> = state.device_name.unwrap();
/// assert_eq!(name, "dock 😀");
/// assert_eq!(name.len(), 9);
/// assert_eq!(name.chars().last(), Some('😀'));
/// # Ok::<(), runtally::graph::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<'a, const N: usize>(pub(super) Escaped<'a>);

impl<'a, const N: usize> Text<'a, N> {
    /// The most bytes it holds: `N`.
    ///
    /// ```
    /// assert_eq!(runtally::graph::Text::<127>::MAX_LEN, 127);
    /// ```
    pub const MAX_LEN: usize = N;

    /// The text as it is, when the document holds no escape in it.
    ///
    /// ```
    /// use runtally::graph::Text;
    /// let text: Text<'_, 8> = "plain".try_into()?;
    /// assert_eq!(text.as_str(), Some("plain"));
    /// # Ok::<(), runtally::graph::Error>(())
    /// ```
    #[must_use]
    pub const fn as_str(&self) -> Option<&'a str> {
        self.0.as_str()
    }

    /// The characters, unescaped.
    ///
    /// ```
    /// use runtally::graph::Text;
    /// let text: Text<'_, 8> = "plain".try_into()?;
    /// assert!(text.chars().eq("plain".chars()));
    /// # Ok::<(), runtally::graph::Error>(())
    /// ```
    pub fn chars(&self) -> impl Iterator<Item = char> + use<'a, N> {
        self.0.chars()
    }

    /// The number of bytes of the unescaped text, 0 to `N`.
    ///
    /// ```
    /// use runtally::graph::Text;
    /// let text: Text<'_, 8> = "größe".try_into()?;
    /// assert_eq!(text.len(), 7);
    /// # Ok::<(), runtally::graph::Error>(())
    /// ```
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len
    }

    /// Whether there is no character.
    ///
    /// ```
    /// use runtally::graph::Text;
    /// assert!(Text::<8>::try_from("")?.is_empty());
    /// # Ok::<(), runtally::graph::Error>(())
    /// ```
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    /// The text, unescaped, in a string of its own.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] if it is longer than `M` bytes; never where `M` is `N` or more.
    ///
    /// ```
    /// use runtally::graph::{Name, Text};
    /// let text: Text<'_, 127> = "Ada".try_into()?;
    /// let name: Name = text.copied()?;
    /// assert_eq!(name, "Ada");
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn copied<const M: usize, L: LenType>(
        &self,
    ) -> Result<heapless::String<M, L>, CapacityError> {
        let mut copy = heapless::String::new();
        match self.as_str() {
            Some(text) => copy.push_str(text)?,
            None => self.0.write_to(&mut copy).map_err(|_| CapacityError::default())?,
        }
        Ok(copy)
    }
}

/// A Rust string, taken as it is: a backslash in it is a backslash.
impl<'a, const N: usize> TryFrom<&'a str> for Text<'a, N> {
    type Error = Error;

    /// # Errors
    ///
    /// [`Reason::TooLong`] if it is longer than `N` bytes.
    fn try_from(text: &'a str) -> Result<Self, Error> {
        if text.len() > N {
            return Err(Error::new(0, Reason::TooLong { limit: N }));
        }
        Ok(Self(Escaped::plain(text)))
    }
}

/// A stored string lent to a resource.
impl<'a, const N: usize, L: LenType> From<&'a heapless::String<N, L>> for Text<'a, N> {
    fn from(text: &'a heapless::String<N, L>) -> Self {
        Self(Escaped::plain(text))
    }
}

impl<const N: usize> PartialEq<str> for Text<'_, N> {
    fn eq(&self, other: &str) -> bool {
        self.0 == Escaped::plain(other)
    }
}

impl<const N: usize> PartialEq<&str> for Text<'_, N> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl<const N: usize> fmt::Display for Text<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const N: usize> fmt::Debug for Text<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        self.chars().flat_map(char::escape_debug).try_for_each(|c| f.write_char(c))?;
        f.write_char('"')
    }
}

#[cfg(feature = "defmt")]
impl<const N: usize> defmt::Format for Text<'_, N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::Display2Format(self).format(f);
    }
}

impl<const N: usize> Serialize for Text<'_, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// The inside of a string as it stands in the document, its escapes known to be valid.
///
/// Every escape is longer than what it stands for, so a text holds one exactly when `len` is less
/// than the length of `source`.
#[derive(Clone, Copy)]
pub(crate) struct Escaped<'a> {
    source: &'a str,
    /// Bytes of the unescaped text.
    len: usize,
}

impl<'a> Escaped<'a> {
    /// `len` is the number of bytes `source` has once its escapes are resolved.
    pub(super) const fn new(source: &'a str, len: usize) -> Self {
        Self { source, len }
    }

    pub(super) const fn plain(text: &'a str) -> Self {
        Self::new(text, text.len())
    }

    pub(super) const fn as_str(&self) -> Option<&'a str> {
        if self.len == self.source.len() { Some(self.source) } else { None }
    }

    /// Bytes of the unescaped text.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// As many whole characters from the start as have at most `limit` bytes.
    pub(super) fn cut(self, limit: usize) -> Self {
        let mut chars = self.chars();
        let (mut len, mut rest) = (0_usize, chars.rest);
        while let Some(c) = chars.next() {
            let longer = len.saturating_add(c.len_utf8());
            if longer > limit {
                break;
            }
            (len, rest) = (longer, chars.rest);
        }
        let kept = self.source.len().saturating_sub(rest.len());
        Self::new(self.source.get(..kept).unwrap_or_default(), len)
    }

    pub(super) fn chars(self) -> Chars<'a> {
        Chars { rest: self.source, plain: self.as_str().is_some() }
    }

    /// Writes the text, unescaped.
    ///
    /// One function for every kind of string it may go to: it is the slow path, and is kept small.
    pub(super) fn write_to(self, out: &mut dyn fmt::Write) -> fmt::Result {
        let mut rest = self.source;
        if self.as_str().is_none() {
            while let Some(at) = rest.bytes().position(|byte| byte == b'\\') {
                let (plain, escaped) = rest.split_at_checked(at).unwrap_or_default();
                // The door let the escape in, so it reads as it did then.
                let after = escaped.as_bytes().get(1..).unwrap_or_default();
                let Ok(escape) = Escape::read(after) else { break };
                out.write_str(plain)?;
                out.write_str(escape.stands_for.encode_utf8(&mut [0; 4]))?;
                rest = escaped.get(escape.len.saturating_add(1)..).unwrap_or_default();
            }
        }
        out.write_str(rest)
    }

    /// The text in `copy`, or as it is where that can be; `None` if `copy` is too short for it.
    pub(super) fn resolve<'t>(self, copy: &'t mut Name) -> Option<&'t str>
    where
        'a: 't,
    {
        match self.as_str() {
            Some(text) => Some(text),
            None => self.write_to(copy).is_ok().then_some(copy),
        }
    }
}

impl PartialEq for Escaped<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.chars().eq(other.chars())
    }
}

impl Eq for Escaped<'_> {}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

impl Serialize for Escaped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => serializer.collect_str(self),
        }
    }
}

pub(super) struct Chars<'a> {
    rest: &'a str,
    plain: bool,
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let mut next = chars.next()?;
        self.rest = chars.as_str();
        if next == '\\' && !self.plain {
            // The door let the escape in, so it is read as it was then.
            let escape = Escape::read(self.rest.as_bytes()).ok()?;
            next = escape.stands_for;
            self.rest = self.rest.get(escape.len..)?;
        }
        Some(next)
    }
}

/// What follows a backslash.
pub(super) struct Escape {
    pub(super) stands_for: char,
    /// Its bytes, the backslash not among them.
    pub(super) len: usize,
}

impl Escape {
    /// Reads the escape at the start of `after`, which is what follows the backslash
    /// (RFC 8259, section 7).
    pub(super) fn read(after: &[u8]) -> Result<Self, Reason> {
        let stands_for = match after.first().ok_or(Reason::Truncated)? {
            &same @ (b'"' | b'\\' | b'/') => char::from(same),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return Self::unicode(after),
            _ => return Err(Reason::BadEscape),
        };
        Ok(Self { stands_for, len: 1 })
    }

    /// One `\u` escape, or the two of a surrogate pair: characters beyond U+FFFF are written as a
    /// high and a low half of UTF-16.
    fn unicode(after: &[u8]) -> Result<Self, Reason> {
        let (unit, after) = unit(after)?;
        if let Some(stands_for) = char::from_u32(unit.into()) {
            return Ok(Self { stands_for, len: 5 });
        }
        let low = match after {
            _ if unit > 0xdbff => return Err(Reason::LoneSurrogate),
            [b'\\', after @ ..] if after.first() == Some(&b'u') => self::unit(after)?.0,
            [] | [b'\\'] => return Err(Reason::Truncated),
            _ => return Err(Reason::LoneSurrogate),
        };
        // Ten bits in each half.
        let bits = (u32::from(unit) & 0x3ff) << 10 | u32::from(low) & 0x3ff;
        match char::from_u32(bits.wrapping_add(0x1_0000)) {
            Some(stands_for) if low & 0xfc00 == 0xdc00 => Ok(Self { stands_for, len: 11 }),
            _ => Err(Reason::LoneSurrogate),
        }
    }
}

/// The number that a `u` and four hexadecimal digits write, and what follows them.
fn unit(escape: &[u8]) -> Result<(u16, &[u8]), Reason> {
    let mut rest = escape.get(1..).unwrap_or_default();
    let mut number = 0;
    for _ in 0..4 {
        let (&digit, after) = rest.split_first().ok_or(Reason::Truncated)?;
        let digit = char::from(digit).to_digit(16).ok_or(Reason::BadEscape)?;
        number = number << 4 | digit as u16;
        rest = after;
    }
    Ok((number, rest))
}
