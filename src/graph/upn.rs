//! A user's principal name: what names a user on the wire.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use serde::{Serialize, Serializer};

use super::text::{Escaped, Text};
use super::{Error, Reason};

/// A user principal name of 1 to 145 bytes, such as `ada@example.com`.
///
/// It keeps the spelling it was given, but compares and hashes without regard to the case of ASCII
/// letters, as directories do.
///
/// Microsoft Entra limits a UPN to 113 characters. A deleted user's has the object id in front of
/// it, 32 more.
///
/// ```
/// use runtally::graph::Upn;
///
/// let upn: Upn = "Ada@Example.com".parse()?;
/// assert_eq!(upn, "ada@example.COM".parse()?);
/// assert_eq!(upn.as_str(), "Ada@Example.com");
/// assert_eq!(upn.folded().as_str(), "ada@example.com");
/// # Ok::<(), runtally::graph::Error>(())
/// ```
#[derive(Clone)]
pub struct Upn(heapless::String<{ Upn::MAX_LEN }, u8>);

impl Upn {
    /// The most bytes it has: 145.
    ///
    /// ```
    /// assert_eq!(runtally::graph::Upn::MAX_LEN, 32 + 113);
    /// ```
    pub const MAX_LEN: usize = 145;

    /// No name: what is there before one is read.
    pub(super) const EMPTY: Self = Self(heapless::String::new());

    /// Takes a text of at most [`MAX_LEN`](Self::MAX_LEN) bytes.
    pub(super) fn set(&mut self, name: Escaped<'_>) {
        self.0.clear();
        // The text fits, and a string that has room refuses nothing.
        let _ = name.write_to(&mut self.0);
    }

    /// The name as it was spelled.
    ///
    /// ```
    /// use runtally::graph::Upn;
    /// assert_eq!("Ada".parse::<Upn>()?.as_str(), "Ada");
    /// # Ok::<(), runtally::graph::Error>(())
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same name in lower case; only ASCII letters change.
    ///
    /// Whatever shows a name that several events spelled must show this one: it does not depend on
    /// which of them came first.
    ///
    /// ```
    /// use runtally::graph::Upn;
    /// assert_eq!("Änne@X.org".parse::<Upn>()?.folded().as_str(), "Änne@x.org");
    /// # Ok::<(), runtally::graph::Error>(())
    /// ```
    #[must_use]
    pub fn folded(mut self) -> Self {
        self.0.make_ascii_lowercase();
        self
    }

    /// The UPN that is stored as `name`; none if it cannot be one.
    pub(crate) fn stored(name: &str) -> Option<Self> {
        let mut upn = Self(heapless::String::new());
        upn.0.push_str(name).ok()?;
        (!name.is_empty()).then_some(upn)
    }

    /// The UPN that `text` is, folded; none if it is empty.
    pub(super) fn fold(text: Text<'_, { Self::MAX_LEN }>) -> Option<Self> {
        let mut folded = Self(text.copied().ok()?);
        folded.0.make_ascii_lowercase();
        (!text.is_empty()).then_some(folded)
    }
}

/// A stored UPN lent to a resource.
impl<'a> From<&'a Upn> for Text<'a, { Upn::MAX_LEN }> {
    fn from(upn: &'a Upn) -> Self {
        Self(Escaped::plain(upn.as_str()))
    }
}

impl TryFrom<Text<'_, { Self::MAX_LEN }>> for Upn {
    type Error = Error;

    /// # Errors
    ///
    /// [`Reason::Empty`] if there is no character.
    fn try_from(text: Text<'_, { Self::MAX_LEN }>) -> Result<Self, Error> {
        match text.copied() {
            Ok(name) if !name.is_empty() => Ok(Self(name)),
            Ok(_) => Err(refuse(Reason::Empty)),
            Err(_) => Err(refuse(Reason::TooLong { limit: Self::MAX_LEN })),
        }
    }
}

impl TryFrom<&str> for Upn {
    type Error = Error;

    /// # Errors
    ///
    /// [`Reason::Empty`] if there is no character, [`Reason::TooLong`] above 145 bytes.
    fn try_from(name: &str) -> Result<Self, Error> {
        Text::try_from(name).map_err(|error| refuse(error.reason)).and_then(Self::try_from)
    }
}

impl FromStr for Upn {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        name.try_into()
    }
}

fn refuse(reason: Reason) -> Error {
    Error { property: Some("upn"), ..Error::new(0, reason) }
}

impl PartialEq for Upn {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Upn {}

impl PartialOrd for Upn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By the bytes of the [folded](Upn::folded) names.
impl Ord for Upn {
    fn cmp(&self, other: &Self) -> Ordering {
        fn folded(upn: &Upn) -> impl Iterator<Item = u8> {
            upn.0.bytes().map(|byte| byte.to_ascii_lowercase())
        }
        folded(self).cmp(folded(other))
    }
}

/// By the folded name, 16 bytes at a time.
impl Hash for Upn {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (blocks, tail) = self.0.as_bytes().as_chunks();
        for block in blocks {
            state.write_u128(lower(u128::from_le_bytes(*block)));
        }
        // At most 15 bytes are left: the last one is free for the length.
        let mut last = [0; 16];
        last.iter_mut().zip(tail).for_each(|(last, byte)| *last = *byte);
        state.write_u128(lower(u128::from_le_bytes(last)) | (self.0.len() as u128) << 120);
    }
}

/// Sixteen bytes at once, those that are `A` to `Z` in lower case.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
const fn lower(bytes: u128) -> u128 {
    const ONES: u128 = u128::MAX / 0xff;
    const TOPS: u128 = ONES << 7;
    /// The top bit of every byte whose low seven bits are `least` or more.
    const fn from(bytes: u128, least: u8) -> u128 {
        (bytes & !TOPS).wrapping_add(ONES.wrapping_mul(0x80_u8.wrapping_sub(least) as u128))
    }
    let upper = from(bytes, b'A') & !from(bytes, b'Z' + 1) & !bytes & TOPS;
    // From the top bit to the one in which the cases differ: 0x80 to 0x20.
    bytes | upper >> 2
}

impl fmt::Display for Upn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Upn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Upn {
    fn format(&self, f: defmt::Formatter<'_>) {
        self.as_str().format(f);
    }
}

impl Serialize for Upn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
