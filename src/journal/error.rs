//! Why a journal did not do what it was asked.

use core::fmt;

use embedded_storage_async::nor_flash::NorFlashError;

use super::page::VERSION;
use crate::Refusal;

/// Why a call on a [`Journal`](super::Journal) failed. The tally is as it was before; only after
/// [`open`](super::Journal::open) it may be filled in part.
///
/// ```
/// use embedded_storage_async::nor_flash::NorFlashErrorKind;
/// use runtally::journal::Error;
///
/// let full: Error<NorFlashErrorKind> = Error::Full { live: 3100, limit: 3104 };
/// assert_eq!(
///     full.to_string(),
///     "the journal is full: its rows take 3100 of 3104 bytes; remove a device, or \
///      restore a snapshot of its tally on more pages"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error<E> {
    /// The tally refused the change; nothing was written.
    Refused(Refusal),
    /// The flash failed. The change is not in the tally; after the next opening it is there wholly
    /// or not at all, and not at all once another change has been written.
    Flash(E),
    /// The change would make the rows take more of the flash than leaves room for changes; nothing
    /// was written.
    Full {
        /// Bytes that the rows take now.
        live: u32,
        /// Bytes that they may take.
        limit: u32,
    },
    /// The range is not of whole pages, at least 2 and at most 65 535, within the flash.
    Range {
        /// Where the range begins.
        start: u32,
        /// Where it ends.
        end: u32,
    },
    /// The tally given to be restored into is not empty.
    NotEmpty,
    /// The flash is neither erased nor a journal.
    Foreign,
    /// The journal was written by a version of this crate with another layout.
    Version {
        /// The version of the layout found.
        found: u8,
    },
    /// The journal was written with another number of pages.
    Pages {
        /// The number of pages found.
        found: u16,
    },
    /// The journal was written with keys of other types.
    Keys {
        /// The longest key found of a device, in bytes.
        device: u8,
        /// The longest key found of a user, in bytes.
        user: u8,
    },
    /// A key was written in more bytes than [`Key::MAX_LEN`](crate::Key::MAX_LEN) of its type.
    LongKey,
}

impl<E> From<Refusal> for Error<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: NorFlashError> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Flash(error) => write!(f, "the flash failed: {}", error.kind()),
            Self::Full { live, limit } => write!(
                f,
                "the journal is full: its rows take {live} of {limit} bytes; remove a device, or \
                 restore a snapshot of its tally on more pages"
            ),
            Self::Range { start, end } => write!(
                f,
                "the range {start:#x} to {end:#x} is not 2 to 65535 whole pages of the flash"
            ),
            Self::NotEmpty => f.write_str("the tally to restore into is not empty"),
            Self::Foreign => f.write_str("the flash is neither erased nor a journal"),
            Self::Version { found } => {
                write!(f, "the journal has layout {found}, and this crate reads {VERSION}")
            }
            Self::Pages { found } => write!(
                f,
                "the journal was written with {found} pages; open it with as many, or restore a \
                 snapshot of its tally on other ones"
            ),
            Self::Keys { device, user } => write!(
                f,
                "the journal was written with keys of up to {device} bytes for a device and \
                 {user} for a user"
            ),
            Self::LongKey => f.write_str("a key was written in more bytes than its type says"),
        }
    }
}

impl<E: NorFlashError> core::error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            // An error of flash need not be one of `core`.
            _ => None,
        }
    }
}
