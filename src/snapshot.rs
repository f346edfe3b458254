//! Snapshots: everything a tally or shard holds as a stream of bytes, in pieces of any size.
//!
//! A piece is a checked unit of its own. The sender writes one piece after the other into a buffer
//! of its choice; the receiver [restores](SnapshotReader::restore) them, after a restart or on
//! another capacity, or [absorbs](SnapshotReader::absorb) them, as gateways do that exchange what
//! they saw.
//!
//! ```
//! use runtally::snapshot::{Snapshot, SnapshotReader};
//! use runtally::{Event, RunState, Tally};
//!
//! let mut tally: Tally<u16, u16, 512, 64> = Tally::new();
//! for device in 0..300 {
//!     let event = Event { device, user: Some(device % 40), state: RunState::Success, at: "2026-11-21T09:30Z".parse()? };
//!     assert!(tally.apply(&event)?.is_applied());
//! }
//!
//! let mut larger: Tally<u16, u16, 1024, 128> = Tally::new();
//! let mut reader = SnapshotReader::restore();
//! let mut snapshot = Snapshot::new(&tally);
//! let mut buffer = [0; 256];
//! while let Some(piece) = snapshot.next(&mut buffer)? {
//!     reader.read(&mut larger, piece)?; // sent and received
//! }
//! assert!(reader.is_complete());
//! assert_eq!(larger.summary(), tally.summary());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Format
//!
//! ```text
//!  piece  "RTS"  version  device key  user key  length  number  before  entries  CRC-32
//!         3      u8       u8          u8        u16     u32     u32     ...      u32
//! ```
//!
//! A piece of a [`DeviceShard`](crate::shard::DeviceShard) begins with "RTD", one of a
//! [`UserShard`](crate::shard::UserShard) with "RTU". Little-endian. The length is that of the
//! entries; bit 15 marks the last piece. Key sizes are [`Key::MAX_LEN`]. The checksum (IEEE 802.3)
//! covers everything before it. *Before* is the checksum of the piece before, and zero in the first: so
//! pieces of two snapshots do not mix. Entries are those of [`Tally::entries`] or of the shard's, in that
//! order.

use core::fmt;
use core::hash::Hash;

use crate::codec::{self, Key, Writer, take};
use crate::sentence::sentence;
use crate::table::Storage;
use crate::{Entry, Refusal, Tally};

/// The layout described above.
const VERSION: u8 = 1;

const HEAD_LEN: usize = 3 + 1 + 2 + 2 + 4 + 4;
const CHECKSUM_LEN: usize = 4;

/// Set in the length of the last piece.
const LAST: u16 = 1 << 15;

/// The bytes a buffer needs at least for the pieces of a tally with these keys.
///
/// ```
/// assert_eq!(runtally::snapshot::min_piece::<u16, u16>(), 87);
/// ```
#[must_use]
pub const fn min_piece<D: Key, U: Key>() -> usize {
    codec::entry_len::<D, U>().saturating_add(HEAD_LEN + CHECKSUM_LEN)
}

/// The pieces of one tally or [shard](crate::shard), which stays as it is meanwhile.
///
/// ```
/// use runtally::Tally;
/// use runtally::snapshot::Snapshot;
///
/// let tally: Tally<u16, u16, 8, 8> = Tally::new();
/// let mut snapshot = Snapshot::new(&tally);
/// assert!(snapshot.next(&mut [0; 128])?.is_some()); // the totals
/// assert!(snapshot.next(&mut [0; 128])?.is_none());
/// # Ok::<(), runtally::snapshot::SnapshotError>(())
/// ```
pub struct Snapshot<'t, T> {
    of: &'t T,
    /// Entries written so far.
    written: usize,
    pieces: u32,
    /// The checksum of the last piece.
    before: u32,
    is_complete: bool,
}

/// What a [`Snapshot`] is of: a [`Tally`], a [`DeviceShard`](crate::shard::DeviceShard) or a
/// [`UserShard`](crate::shard::UserShard).
///
/// ```
/// use runtally::Tally;
/// use runtally::snapshot::{Snapshot, Source};
///
/// fn pieces(of: &impl Source) -> usize {
///     let (mut snapshot, mut pieces) = (Snapshot::new(of), 0);
///     while snapshot.next(&mut [0; 512]).expect("it is long enough").is_some() {
///         pieces += 1;
///     }
///     pieces
/// }
/// assert_eq!(pieces(&Tally::<u16, u16, 8, 8>::new()), 1);
/// ```
pub trait Source: source::Entries {}

impl<T: source::Entries> Source for T {}

pub(crate) mod source {
    use crate::{Entry, Key};

    /// What the pieces are made of. Three letters tell the kinds apart.
    pub trait Entries {
        type Device: Key;
        type User: Key;
        const MAGIC: [u8; 3];
        fn all(&self) -> impl Iterator<Item = Entry<&Self::Device, &Self::User>>;
    }
}

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> source::Entries
    for Tally<D, U, DEVICES, USERS, S>
where
    D: Key + Clone + Eq + Hash,
    U: Key + Clone + Ord + Hash,
{
    type Device = D;
    type User = U;
    const MAGIC: [u8; 3] = *b"RTS";

    fn all(&self) -> impl Iterator<Item = Entry<&D, &U>> {
        self.entries()
    }
}

impl<'t, T: Source> Snapshot<'t, T> {
    /// From the start.
    ///
    /// ```
    /// use runtally::Tally;
    /// use runtally::snapshot::Snapshot;
    /// let tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let _ = Snapshot::new(&tally);
    /// ```
    #[must_use]
    pub const fn new(of: &'t T) -> Self {
        const {
            assert!(
                T::Device::MAX_LEN <= 255 && T::User::MAX_LEN <= 255,
                "a key is at most 255 bytes long"
            );
        }
        Self { of, written: 0, pieces: 0, before: 0, is_complete: false }
    }

    /// Writes the next piece to the start of `buffer`, as much as fits; `None` after the last one.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::BufferTooSmall`] if the buffer is shorter than [`min_piece`].
    ///
    /// ```
    /// use runtally::Tally;
    /// use runtally::snapshot::{Snapshot, SnapshotError};
    /// let tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let refused = Snapshot::new(&tally).next(&mut [0; 16]).err();
    /// assert_eq!(refused, Some(SnapshotError::BufferTooSmall { needed: 87 }));
    /// ```
    pub fn next<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>, SnapshotError> {
        if self.is_complete {
            return Ok(None);
        }
        let needed = min_piece::<T::Device, T::User>();
        let too_small = SnapshotError::BufferTooSmall { needed };
        // A length has 15 bits.
        let most = buffer.len().min(usize::from(LAST));
        if most < needed {
            return Err(too_small);
        }
        let entries_end = most.saturating_sub(CHECKSUM_LEN);
        let space = buffer.get_mut(HEAD_LEN..entries_end).unwrap_or_default();
        let mut entries = Writer::new(space);
        let mut written = self.written;
        let mut is_complete = true;
        for entry in self.of.all().skip(written) {
            if entries.entry(&entry).is_none() {
                is_complete = false;
                break;
            }
            written = written.saturating_add(1);
        }
        let len = entries.len();

        let mut piece = Writer::new(buffer);
        let flag = if is_complete { LAST } else { 0 };
        let end = HEAD_LEN.saturating_add(len);
        head::<T>(&mut piece, len as u16 | flag, self.pieces, self.before).ok_or(too_small)?;
        let crc = codec::crc32(buffer.get(..end).unwrap_or_default());
        let checksum = buffer.get_mut(end..).and_then(<[u8]>::first_chunk_mut);
        *checksum.ok_or(too_small)? = crc.to_le_bytes();

        self.before = crc;
        self.written = written;
        self.pieces = self.pieces.wrapping_add(1);
        self.is_complete = is_complete;
        Ok(buffer.get(..end.saturating_add(CHECKSUM_LEN)))
    }
}

fn head<T: Source>(piece: &mut Writer<'_>, len: u16, number: u32, before: u32) -> Option<()> {
    piece.put(&T::MAGIC)?;
    piece.put(&[VERSION, T::Device::MAX_LEN as u8, T::User::MAX_LEN as u8])?;
    piece.put(&len.to_le_bytes())?;
    piece.put(&number.to_le_bytes())?;
    piece.put(&before.to_le_bytes())
}

/// Takes the pieces of one snapshot in, one after the other.
///
/// After an error, go on with the piece that was expected, or begin again with the first one, also
/// that of another snapshot: what was taken already is taken once.
///
/// ```
/// use runtally::snapshot::{Snapshot, SnapshotError, SnapshotReader};
/// use runtally::Tally;
///
/// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
/// let mut piece = [0; 128];
/// let len = Snapshot::new(&tally).next(&mut piece)?.map_or(0, <[u8]>::len);
/// piece[20] ^= 1;
/// let mut reader = SnapshotReader::absorb();
/// assert_eq!(reader.read(&mut tally, &piece[..len]), Err(SnapshotError::Damaged));
/// # Ok::<(), SnapshotError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SnapshotReader {
    absorbs: bool,
    next: u32,
    /// The checksum of the last piece.
    before: u32,
    is_complete: bool,
}

impl SnapshotReader {
    /// Makes the tally hold what the snapshot holds, carried counts and declarations among it, with
    /// [`Tally::restore`]. The tally should be empty.
    ///
    /// ```
    /// assert!(!runtally::snapshot::SnapshotReader::restore().is_complete());
    /// ```
    #[must_use]
    pub const fn restore() -> Self {
        Self { absorbs: false, next: 0, before: 0, is_complete: false }
    }

    /// Takes in the rows and tombstones of another tally, like [`Tally::absorb`]: what is carried
    /// there is not taken over.
    ///
    /// ```
    /// assert!(!runtally::snapshot::SnapshotReader::absorb().is_complete());
    /// ```
    #[must_use]
    pub const fn absorb() -> Self {
        Self { absorbs: true, next: 0, before: 0, is_complete: false }
    }

    /// True once the last piece was taken.
    ///
    /// ```
    /// assert!(!runtally::snapshot::SnapshotReader::absorb().is_complete());
    /// ```
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Takes one piece in, which begins `bytes`; gives the length of the piece, so that pieces may
    /// stand one behind the other. The piece is checked before any of it is taken.
    ///
    /// # Errors
    ///
    /// - [`SnapshotError::Foreign`], [`Version`](SnapshotError::Version),
    ///   [`Keys`](SnapshotError::Keys): the piece is something else, or of another version or of
    ///   other keys. Nothing is taken.
    /// - [`SnapshotError::Damaged`]: the piece is cut short or damaged. Nothing is taken.
    /// - [`SnapshotError::Number`]: a piece is missing, or was sent again. Nothing is taken. The first
    ///   piece is always taken: with it all begins again.
    /// - [`SnapshotError::Mixed`]: the piece is of another snapshot than the one before. Nothing is
    ///   taken.
    /// - [`SnapshotError::Refused`]: the tally has no room. Entries before the refused one are
    ///   taken.
    ///
    /// ```
    /// use runtally::snapshot::{SnapshotError, SnapshotReader};
    /// use runtally::Tally;
    /// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
    /// let foreign = SnapshotReader::restore().read(&mut tally, b"no piece at all");
    /// assert_eq!(foreign, Err(SnapshotError::Foreign));
    /// ```
    pub fn read<D, U, const DEVICES: usize, const USERS: usize, S: Storage>(
        &mut self,
        tally: &mut Tally<D, U, DEVICES, USERS, S>,
        bytes: &[u8],
    ) -> Result<usize, SnapshotError>
    where
        D: Key + Clone + Eq + Hash,
        U: Key + Clone + Ord + Hash,
    {
        let absorbs = self.absorbs;
        self.take::<Tally<D, U, DEVICES, USERS, S>>(bytes, |entry| {
            if absorbs { tally.absorb_entry(entry) } else { tally.restore(entry) }
        })
    }

    /// Takes in a piece of a snapshot of `T`, an entry at a time.
    pub(crate) fn take<T: Source>(
        &mut self,
        bytes: &[u8],
        take: impl FnMut(&Entry<T::Device, T::User>) -> Result<(), Refusal>,
    ) -> Result<usize, SnapshotError> {
        let keys = (T::Device::MAX_LEN, T::User::MAX_LEN);
        let Piece { number, crc, is_last, entries } = self.piece(bytes, T::MAGIC, keys)?;
        if !codec::is_sound::<T::Device, T::User>(entries) {
            return Err(SnapshotError::Damaged);
        }
        take_in(entries, take)?;
        self.next = number.wrapping_add(1);
        self.before = crc;
        self.is_complete = is_last;
        Ok((HEAD_LEN + CHECKSUM_LEN).saturating_add(entries.len()))
    }

    /// The next piece, whose keys are of these lengths, or the first one.
    fn piece(
        self,
        bytes: &[u8],
        magic: [u8; 3],
        keys: (usize, usize),
    ) -> Result<Piece<'_>, SnapshotError> {
        let mut rest = bytes;
        let from = &mut rest;
        if take(from) != Some(magic) {
            return Err(SnapshotError::Foreign);
        }
        let [version, device, user] = take(from).ok_or(SnapshotError::Damaged)?;
        if version != VERSION {
            return Err(SnapshotError::Version { found: version });
        }
        if (usize::from(device), usize::from(user)) != keys {
            return Err(SnapshotError::Keys { device, user });
        }
        let len = u16::from_le_bytes(take(from).ok_or(SnapshotError::Damaged)?);
        let number = u32::from_le_bytes(take(from).ok_or(SnapshotError::Damaged)?);
        let before = u32::from_le_bytes(take(from).ok_or(SnapshotError::Damaged)?);
        let end = HEAD_LEN.saturating_add(usize::from(len & !LAST));
        let checked = bytes.split_at_checked(end);
        let checked = checked.and_then(|(checked, crc)| Some((checked, *crc.first_chunk()?)));
        let (checked, crc) = checked.ok_or(SnapshotError::Damaged)?;
        let crc = u32::from_le_bytes(crc);
        if codec::crc32(checked) != crc {
            return Err(SnapshotError::Damaged);
        }
        if number != 0 && number != self.next {
            return Err(SnapshotError::Number { expected: self.next, found: number });
        }
        if before != if number == 0 { 0 } else { self.before } {
            return Err(SnapshotError::Mixed);
        }
        let entries = checked.get(HEAD_LEN..).unwrap_or_default();
        Ok(Piece { number, crc, is_last: len & LAST != 0, entries })
    }
}

/// A piece whose head and checksum are right.
struct Piece<'b> {
    number: u32,
    crc: u32,
    is_last: bool,
    entries: &'b [u8],
}

// Out of line: an entry takes 200 bytes of stack.
#[inline(never)]
fn take_in<D: Key, U: Key>(
    entries: &[u8],
    mut take: impl FnMut(&Entry<D, U>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut rest = entries;
    while let Some((entry, left)) = &codec::read(rest) {
        take(entry)?;
        rest = left;
    }
    Ok(())
}

/// Why a piece of a snapshot was not written or not taken.
///
/// ```
/// use runtally::snapshot::SnapshotError;
/// assert_eq!(
///     SnapshotError::Number { expected: 3, found: 5 }.to_string(),
///     "piece 5 of the snapshot came where 3 was expected; send that, or begin again with the first"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SnapshotError {
    /// The buffer is shorter than [`min_piece`].
    BufferTooSmall {
        /// The bytes it needs at least.
        needed: usize,
    },
    /// The bytes are no piece of a snapshot of this kind.
    Foreign,
    /// The piece has another layout.
    Version {
        /// The version of the layout found; this crate reads 1.
        found: u8,
    },
    /// The snapshot is of a tally with other keys.
    Keys {
        /// The longest key found of a device, in bytes.
        device: u8,
        /// The longest key found of a user, in bytes.
        user: u8,
    },
    /// The piece is cut short, or its checksum or an entry is wrong.
    Damaged,
    /// The piece is not the next one.
    Number {
        /// The number of the next piece, counted from 0.
        expected: u32,
        /// The number found.
        found: u32,
    },
    /// The piece is of another snapshot than the one before.
    Mixed,
    /// The tally refused an entry.
    Refused(Refusal),
}

impl From<Refusal> for SnapshotError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BufferTooSmall { needed } => {
                sentence!(f, "a piece of the snapshot needs a buffer of at least {} bytes", needed)
            }
            Self::Foreign => f.write_str("this is no piece of a snapshot"),
            Self::Version { found } => {
                let (found, known) = (u32::from(found), u32::from(VERSION));
                sentence!(f, "the snapshot has layout {}; this version reads {}", found, known)
            }
            Self::Keys { device, user } => sentence!(
                f,
                "the snapshot has keys of up to {} bytes for a device and {} for a user, unlike this tally",
                u32::from(device),
                u32::from(user)
            ),
            Self::Damaged => f.write_str("the piece of the snapshot is cut short or damaged"),
            Self::Number { expected, found } => sentence!(
                f,
                "piece {} of the snapshot came where {} was expected; send that, or begin again with the first",
                found,
                expected
            ),
            Self::Mixed => f.write_str(
                "the piece is of another snapshot than the one before; begin again with the first",
            ),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl core::error::Error for SnapshotError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}
