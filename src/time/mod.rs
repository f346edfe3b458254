//! A wire-exact date-time with offset, ordered by instant.

mod calendar;
mod error;
mod text;

use core::fmt;
use core::str::FromStr;

use heapless::String;

pub use self::error::DateTimeError;

use self::calendar::{
    TICKS_PER_SECOND, date, day_number, days_in_month, local_ticks, split_local_ticks,
    ticks_of_offset,
};
use self::error::{Expected, Number, Problem};
use self::text::{Reader, Writer};

/// 23:59 in minutes: the largest offset a text can say.
const MOST_OFFSET: i16 = 23 * 60 + 59;

/// The first and the last local date-time whose year has four digits, as [`local_ticks`] counts.
const FIRST_LOCAL: i64 = local_ticks(day_number(1, 1, 1), 0, 0);
const LAST_LOCAL: i64 = local_ticks(day_number(10_000, 1, 1), 0, 0) - 1;

/// An instant in steps of 100 ns and the offset from UTC it was given with: Graph's
/// `Edm.DateTimeOffset`.
///
/// The local date-time, which is the instant moved by the offset, lies in the years 0001 to 9999,
/// and the offset in -23:59 to +23:59. Every such value has one text, and reading that text gives
/// the same value again.
///
/// Date-times are ordered by instant, then by offset. Two that name the same instant with
/// different offsets are not equal.
///
/// # Text
///
/// Read by [`FromStr`] and [`DateTime::parse`], in the form `2017-01-01T00:02:58.4418045-08:00`:
///
/// - `T` and `Z` in either case;
/// - the seconds, with their fraction, may be left out;
/// - the fraction has 1 to 12 digits; what is less than 100 ns is cut, not rounded;
/// - second 60, a leap second, reads as 59, and keeps its fraction: 23:59:60.5 is 23:59:59.5;
/// - the offset must be there, `Z` or ±hh:mm up to ±23:59; `-00:00` reads as `Z`;
/// - the date must be in the calendar, from the year 0001 to 9999;
/// - nothing may stand before or after.
///
/// Written by [`Display`](fmt::Display): `T`, the seconds always, the fraction without its trailing
/// zeros, `Z` for offset 0.
///
/// Source: RFC 3339, section 5.6; `OData` 4.01 ABNF, `dateTimeOffsetValue`.
///
/// ```
/// use runtally::DateTime;
///
/// let utc: DateTime = "2016-12-31T23:57:28Z".parse()?;
/// let same_instant: DateTime = "2016-12-31t15:57:28.000-08:00".parse()?;
/// assert_eq!(same_instant.ticks(), utc.ticks());
/// assert!(same_instant < utc, "the offset decides");
/// assert_eq!(same_instant.to_string(), "2016-12-31T15:57:28-08:00");
/// # Ok::<(), runtally::DateTimeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime {
    /// 100 ns since 1970-01-01T00:00:00Z.
    ticks: i64,
    /// Minutes east of UTC.
    offset: i16,
}

impl DateTime {
    /// The least of all: the year 0001 begins, as far east as can be.
    ///
    /// ```
    /// assert_eq!(runtally::DateTime::MIN.to_string(), "0001-01-01T00:00:00+23:59");
    /// ```
    pub const MIN: Self = Self::at(FIRST_LOCAL, MOST_OFFSET);

    /// The greatest of all: the year 9999 ends, as far west as can be.
    ///
    /// ```
    /// assert_eq!(runtally::DateTime::MAX.to_string(), "9999-12-31T23:59:59.9999999-23:59");
    /// ```
    pub const MAX: Self = Self::at(LAST_LOCAL, -MOST_OFFSET);

    /// What is there before one is read: 1970 begins.
    #[cfg(feature = "graph")]
    pub(crate) const EPOCH: Self = Self { ticks: 0, offset: 0 };

    /// The length of the longest text written, in bytes.
    ///
    /// ```
    /// use runtally::DateTime;
    /// assert_eq!(DateTime::MAX.to_string().len(), DateTime::MAX_LEN);
    /// ```
    pub const MAX_LEN: usize = text::MAX_LEN;

    /// How many ticks of 100 ns a second has: 10 000 000.
    ///
    /// ```
    /// use runtally::DateTime;
    ///
    /// let unix_seconds = 1_483_228_648;
    /// let at = DateTime::from_ticks(unix_seconds * DateTime::TICKS_PER_SECOND, 0)?;
    /// assert_eq!(at.to_string(), "2016-12-31T23:57:28Z");
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    pub const TICKS_PER_SECOND: i64 = TICKS_PER_SECOND as i64;

    /// The instant, in ticks of 100 ns since 1970-01-01T00:00:00Z, leap seconds not counted.
    ///
    /// ```
    /// use runtally::DateTime;
    /// assert_eq!("1970-01-01T01:00:00.5+01:00".parse::<DateTime>()?.ticks(), 5_000_000);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub const fn ticks(self) -> i64 {
        self.ticks
    }

    /// The offset in minutes east of UTC, -1439 to 1439.
    ///
    /// ```
    /// use runtally::DateTime;
    /// assert_eq!("2016-12-31T23:57:28-08:00".parse::<DateTime>()?.offset(), -480);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub const fn offset(self) -> i16 {
        self.offset
    }

    /// The instant this many ticks of 100 ns after 1970-01-01T00:00:00Z, given with this offset in
    /// minutes east of UTC.
    ///
    /// # Errors
    ///
    /// [`DateTimeError`] if the offset is not in -1439 to 1439, or the local date-time not in the
    /// years 0001 to 9999.
    ///
    /// ```
    /// use runtally::DateTime;
    ///
    /// let at = DateTime::from_ticks(0, -90)?;
    /// assert_eq!(at.to_string(), "1969-12-31T22:30:00-01:30");
    ///
    /// assert!(DateTime::from_ticks(0, 1440).is_err());
    /// assert!(DateTime::from_ticks(i64::MAX, 0).is_err());
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    pub const fn from_ticks(ticks: i64, offset: i16) -> Result<Self, DateTimeError> {
        if offset < -MOST_OFFSET || offset > MOST_OFFSET {
            return Err(DateTimeError(Problem::Offset(offset)));
        }
        // Where this saturates, it is out of range.
        let local = ticks.saturating_add(ticks_of_offset(offset));
        if local < FIRST_LOCAL || local > LAST_LOCAL {
            return Err(DateTimeError(Problem::Year));
        }
        Ok(Self { ticks, offset })
    }

    /// The instant this many seconds and nanoseconds after 1970-01-01T00:00:00Z, in UTC. What is
    /// less than 100 ns is cut.
    ///
    /// # Errors
    ///
    /// [`DateTimeError`] if the instant is not in the years 0001 to 9999, or `nanoseconds` is
    /// above 999 999 999.
    ///
    /// ```
    /// use runtally::DateTime;
    ///
    /// let at = DateTime::from_unix(1_483_228_648, 499_537_000)?;
    /// assert_eq!(at.to_string(), "2016-12-31T23:57:28.499537Z");
    /// assert!(DateTime::from_unix(i64::MAX, 0).is_err());
    /// assert!(DateTime::from_unix(0, 1_000_000_000).is_err());
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    pub const fn from_unix(seconds: i64, nanoseconds: u32) -> Result<Self, DateTimeError> {
        if nanoseconds > 999_999_999 {
            return Err(DateTimeError(Problem::Nanoseconds(nanoseconds)));
        }
        // Where this saturates, it is out of range.
        let ticks = seconds.saturating_mul(Self::TICKS_PER_SECOND);
        Self::from_ticks(ticks.saturating_add((nanoseconds / 100) as i64), 0)
    }

    /// The same instant in UTC. Within a day of either end of the calendar, where UTC would leave
    /// the years 0001 to 9999, with the offset +23:59 or -23:59, which does not.
    ///
    /// ```
    /// use runtally::DateTime;
    /// let at: DateTime = "2026-11-21T09:30:00+01:00".parse()?;
    /// assert_eq!(at.to_utc().to_string(), "2026-11-21T08:30:00Z");
    /// assert_eq!(DateTime::MAX.to_utc(), DateTime::MAX);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub const fn to_utc(self) -> Self {
        Self::utc(self.ticks)
    }

    /// The instant of a date-time, in UTC.
    pub(crate) const fn utc(ticks: i64) -> Self {
        let offset = if ticks < FIRST_LOCAL {
            MOST_OFFSET
        } else if ticks > LAST_LOCAL {
            -MOST_OFFSET
        } else {
            0
        };
        Self { ticks, offset }
    }

    /// Reads a [text](Self#text) given as bytes; a `&str` has [`str::parse`].
    ///
    /// # Errors
    ///
    /// [`DateTimeError`] with the first byte that cannot be part of a date-time, which for a number
    /// is its first digit, and with what was expected there.
    ///
    /// ```
    /// use runtally::DateTime;
    ///
    /// let at = DateTime::parse(b"2016-12-31T23:57:28.499537-08:00")?;
    /// assert_eq!(at.offset(), -8 * 60);
    ///
    /// let error = DateTime::parse(b"2017-02-29T00:00:00Z").unwrap_err();
    /// assert_eq!(error.to_string(), "expected a day from 01 to 28 at byte 8 of the date-time");
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    pub fn parse(text: &[u8]) -> Result<Self, DateTimeError> {
        let mut text = Reader::new(text);
        let year = text.number(Number::Year);
        let month = text.number_after(b'-', Number::Month);
        let last = days_in_month(year, month);
        let day = text.number_after(b'-', Number::Day { last });
        let hour = text.number_after(b'T', Number::Hour);
        let minute = text.number_after(b':', Number::Minute);

        let mut ticks = 0;
        let mut next = Expected::ColonOrOffset;
        if text.skip(b':') {
            let second = text.number(Number::Second).min(59);
            ticks = second.wrapping_mul(TICKS_PER_SECOND);
            next = Expected::DotOrOffset;
            if text.skip(b'.') {
                ticks = ticks.wrapping_add(text.fraction());
                next = Expected::Offset;
            }
        }
        let offset = text.offset(next);
        text.end()?;

        let minutes = hour.wrapping_mul(60).wrapping_add(minute);
        Ok(Self::at(local_ticks(day_number(year, month, day), minutes, ticks), offset))
    }

    /// The value whose [`ticks`](Self::ticks) and [`offset`](Self::offset) these are.
    pub(crate) const fn from_parts(ticks: i64, offset: i16) -> Self {
        Self { ticks, offset }
    }

    /// The value whose local date-time this is. Both are in range.
    const fn at(local: i64, offset: i16) -> Self {
        Self { ticks: local.wrapping_sub(ticks_of_offset(offset)), offset }
    }

    /// What is written.
    pub(crate) fn text(self) -> String<{ Self::MAX_LEN }> {
        let local = self.ticks.wrapping_add(ticks_of_offset(self.offset));
        let (day_number, minutes, ticks) = split_local_ticks(local);
        let (year, month, day) = date(day_number);

        let mut text = Writer::new();
        text.two_digits(year / 100);
        text.two_digits(year % 100);
        text.push('-');
        text.two_digits(month);
        text.push('-');
        text.two_digits(day);
        text.push('T');
        text.two_digits(minutes / 60);
        text.push(':');
        text.two_digits(minutes % 60);
        text.push(':');
        text.two_digits(ticks / TICKS_PER_SECOND);
        text.fraction(ticks % TICKS_PER_SECOND);
        text.offset(self.offset);
        text.finish()
    }
}

impl FromStr for DateTime {
    type Err = DateTimeError;

    fn from_str(text: &str) -> Result<Self, DateTimeError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// The text: ticks tell a reader nothing.
impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text: ticks tell a reader nothing.
#[cfg(feature = "defmt")]
impl defmt::Format for DateTime {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.text().as_str());
    }
}

/// As a string, the [text](DateTime#text).
#[cfg(feature = "serde")]
impl serde::Serialize for DateTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

/// From a string, as [`DateTime::parse`] reads it.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for DateTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = DateTime;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a date-time with offset")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DateTime, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}
