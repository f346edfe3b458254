//! Why there is no date-time.

use core::fmt;

use crate::sentence::sentence;

/// Why a text is no [`DateTime`](crate::DateTime), or ticks and an offset make none.
///
/// Displays as the sentence. For a text: the byte, counted from 0, that cannot be part of a
/// date-time, and what was expected there.
///
/// Returned by [`DateTime::parse`](crate::DateTime::parse), [`str::parse`],
/// [`DateTime::from_ticks`](crate::DateTime::from_ticks) and
/// [`DateTime::from_unix`](crate::DateTime::from_unix).
///
/// ```
/// use runtally::DateTime;
///
/// let error = "2016-12-31 23:57:28Z".parse::<DateTime>().unwrap_err();
/// assert_eq!(error.to_string(), "expected `T` at byte 10 of the date-time");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DateTimeError(pub(super) Problem);

impl DateTimeError {
    /// The offset in the text of the first byte that cannot be part of a date-time, from 0; the
    /// length of the text where it ends too early. `None` from
    /// [`DateTime::from_ticks`](crate::DateTime::from_ticks).
    ///
    /// ```
    /// use runtally::DateTime;
    /// assert_eq!(DateTime::parse(b"2016-13").unwrap_err().at(), Some(5));
    /// assert_eq!(DateTime::from_ticks(0, 1440).unwrap_err().at(), None);
    /// ```
    #[must_use]
    pub const fn at(self) -> Option<usize> {
        match self.0 {
            Problem::Text { at, .. } => Some(at as usize),
            Problem::Offset(_) | Problem::Nanoseconds(_) | Problem::Year => None,
        }
    }
}

impl fmt::Display for DateTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Problem::Text { at, expected } => {
                f.write_str("expected ")?;
                expected.fmt(f)?;
                sentence!(f, " at byte {} of the date-time", u32::from(at))
            }
            Problem::Offset(minutes) => {
                let minutes = i32::from(minutes);
                sentence!(f, "the offset of {} minutes is not in -1439 to 1439", minutes)
            }
            Problem::Nanoseconds(nanoseconds) => {
                sentence!(f, "{} nanoseconds are not in 0 to 999999999", nanoseconds)
            }
            Problem::Year => f.write_str("the local date-time is not in the years 0001 to 9999"),
        }
    }
}

impl core::error::Error for DateTimeError {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) enum Problem {
    Text { at: u8, expected: Expected },
    Offset(i16),
    Nanoseconds(u32),
    Year,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) enum Expected {
    Number(Number),
    Separator(u8),
    Fraction,
    ColonOrOffset,
    DotOrOffset,
    Offset,
    End,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::Number(number) => return number.fmt(f),
            Self::Separator(byte) => return sentence!(f, "`{}`", char::from(byte)),
            Self::Fraction => "a fraction of 1 to 12 digits",
            Self::ColonOrOffset => "`:` or an offset (`Z`, `+hh:mm` or `-hh:mm`)",
            Self::DotOrOffset => "`.` or an offset (`Z`, `+hh:mm` or `-hh:mm`)",
            Self::Offset => "an offset (`Z`, `+hh:mm` or `-hh:mm`)",
            Self::End => "the end",
        })
    }
}

/// The numbers of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) enum Number {
    Year,
    Month,
    Day { last: u8 },
    Hour,
    Minute,
    Second,
}

impl Number {
    /// How many digits it has, the least it can be and the most.
    pub(super) const fn range(self) -> (usize, u32, u32) {
        match self {
            Self::Year => (4, 1, 9999),
            Self::Month => (2, 1, 12),
            Self::Day { last } => (2, 1, last as u32),
            Self::Hour => (2, 0, 23),
            Self::Minute => (2, 0, 59),
            Self::Second => (2, 0, 60),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::Year => "a year from 0001 to 9999",
            Self::Month => "a month from 01 to 12",
            Self::Day { last } => {
                return sentence!(f, "a day from 01 to {}", u32::from(last));
            }
            Self::Hour => "an hour from 00 to 23",
            Self::Minute => "a minute from 00 to 59",
            Self::Second => "a second from 00 to 60",
        })
    }
}
