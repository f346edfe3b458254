//! Why a tally refuses.

use core::fmt;

use crate::sentence::sentence;
use crate::{Counted, Counter, Counts, DateTime, Overflow};

/// Why a tally refused a call. The tally is as it was before.
///
/// Displays as the sentence an operator needs: which counter or table, the number given, the limit.
///
/// ```
/// use runtally::{Event, Refusal, RunState, Tally};
///
/// let mut tally: Tally<u16, u16, 1, 1> = Tally::new();
/// let event = Event { device: 1, user: None, state: RunState::Success, at: "2026-11-21T09:30Z".parse()? };
/// assert!(tally.apply(&event)?.is_applied());
///
/// let refusal = tally.apply(&Event { device: 2, ..event }).unwrap_err();
/// assert_eq!(refusal, Refusal::DevicesFull { capacity: 1 });
/// assert_eq!(refusal.to_string(), "no room for another device: all 1 rows are taken; retire or remove one");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// The device is not known and every device row is taken.
    DevicesFull {
        /// The number of device rows.
        capacity: u16,
    },
    /// The user is not known and every user row is taken.
    UsersFull {
        /// The number of user rows.
        capacity: u16,
    },
    /// A counter of the summary would pass [`Counts::MAX`].
    Overflow(Overflow),
    /// A device counter of one user would pass [`Counts::MAX`].
    UserOverflow(Overflow),
    /// A declared count is below the number of rows counted here, so carried would be negative.
    BelowLive {
        /// The counter declared.
        counter: Counter,
        /// The count declared.
        written: u32,
        /// The rows counted here.
        live: u32,
    },
    /// A declared last run or last update is earlier than that of a row counted here.
    BeforeRow {
        /// A summary's last run, or a user's last update.
        of: Counted,
        /// The date-time declared; `None` for a run that never was.
        written: Option<DateTime>,
        /// The latest date-time of a row.
        latest: DateTime,
    },
}

impl From<Overflow> for Refusal {
    fn from(overflow: Overflow) -> Self {
        Self::Overflow(overflow)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::DevicesFull { capacity } => sentence!(
                f,
                "no room for another device: all {} rows are taken; retire or remove one",
                u32::from(capacity)
            ),
            Self::UsersFull { capacity } => sentence!(
                f,
                "no room for another user: all {} rows are taken; a row goes with the user's last device",
                u32::from(capacity)
            ),
            Self::Overflow(overflow) => overflow.fmt(f),
            Self::UserOverflow(Overflow(counter)) => {
                sentence!(f, "{} of the user would pass its limit, {}", counter.name(), Counts::MAX)
            }
            Self::BelowLive { counter, written, live } => {
                let name = counter.name();
                sentence!(f, "{} was declared as {}, but {} are counted here", name, written, live)
            }
            Self::BeforeRow { of, written, latest } => {
                f.write_str(match of {
                    Counted::Devices => "lastRunDateTime",
                    Counted::Users => "lastStateUpdateDateTime",
                })?;
                f.write_str(" was declared as ")?;
                match written {
                    Some(written) => written.fmt(f)?,
                    None => f.write_str("null")?,
                }
                f.write_str(", but a row counted here is of ")?;
                latest.fmt(f)
            }
        }
    }
}

impl core::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Overflow(overflow) | Self::UserOverflow(overflow) => Some(overflow),
            _ => None,
        }
    }
}
