//! A wire-exact date-time with offset, ordered by instant.

use core::fmt;
use core::str::FromStr;

/// An instant in 100 ns ticks with the offset it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DateTime {
    /// 100 ns since 1970-01-01T00:00:00Z.
    ticks: i64,
    /// Minutes east of UTC.
    offset: i16,
}

impl DateTime {
    /// 100 ns ticks since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn ticks(self) -> i64 {
        self.ticks
    }

    /// Minutes east of UTC.
    #[must_use]
    pub const fn offset(self) -> i16 {
        self.offset
    }

    /// The value whose [`ticks`](Self::ticks) and [`offset`](Self::offset) these are.
    pub(crate) const fn from_parts(ticks: i64, offset: i16) -> Self {
        Self { ticks, offset }
    }

    /// From ticks since 1970-01-01T00:00:00Z and minutes east of UTC.
    ///
    /// # Errors
    ///
    /// If out of range.
    pub const fn from_ticks(ticks: i64, offset: i16) -> Result<Self, DateTimeError> {
        Ok(Self { ticks, offset })
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.ticks, self.offset)
    }
}

impl FromStr for DateTime {
    type Err = DateTimeError;
    fn from_str(_text: &str) -> Result<Self, DateTimeError> {
        Ok(Self { ticks: 0, offset: 0 })
    }
}

/// The text is no date-time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DateTimeError;

impl fmt::Display for DateTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no date-time")
    }
}

impl core::error::Error for DateTimeError {}
