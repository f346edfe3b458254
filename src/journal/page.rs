//! What a page holds, to the byte.
//!
//! ```text
//!  header  version  device key  user key  word  pages  before  sequence  CRC
//!          u8       u8          u8        u8    u16    u16     u32       u32
//!
//!  record  size   !size    CRC   body
//!          u16    u16      u32   entries, none in a seal
//!          bits  0..14  bytes of the body
//!          bits 14..16  change 0, rows 1, commit record 2, seal 3
//! ```
//!
//! Numbers have their least byte first. The header and each record begin on a word and are padded
//! with 0xff. The checksum of a header is that of "runtally" and what stands before it. That of a
//! record is over its page's sequence number, its offset on the page, its size and its body: a record
//! that was left from an earlier use of the page, or that is part of the body of another, is none.
//!
//! Programming only clears bits. A size that was programmed in part therefore never agrees with its
//! complement, whichever bits are missing: a size that is complete leads to where the write ended,
//! and one that is not leads nowhere. Where one of the two is damaged, the checksum tells which.
//!
//! The checksum is the CRC-32 of [`codec`](crate::codec), whose table of 64 bytes snapshots use too.

use crate::codec::{Key, crc32};

/// The layout described here and in [`record`](super::record).
pub(super) const VERSION: u8 = 2;

/// What the checksum of a header begins with, so that it needs no room there.
const MAGIC: [u8; 8] = *b"runtally";

/// Bytes of a header before its checksum. Other layouts keep these two lengths, the magic number and
/// the place of the version.
const SUMMED_LEN: usize = 12;
pub(super) const HEADER_LEN: usize = SUMMED_LEN + 4;

/// Bytes of a record before its body.
pub(super) const HEAD_LEN: usize = 8;

/// The most bytes of a record, its head included.
pub(super) const RECORD_LEN: usize = 512;

/// What must agree between those who wrote a journal and those who read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) version: u8,
    /// The longest key of a device, and of a user.
    pub(super) keys: [u8; 2],
    /// Bytes that are read or written at once.
    pub(super) word: u8,
    pub(super) pages: u16,
}

impl Layout {
    pub(super) const fn new<D: Key, U: Key>(word: usize, pages: u16) -> Self {
        let keys = [D::MAX_LEN as u8, U::MAX_LEN as u8];
        Self { version: VERSION, keys, word: word as u8, pages }
    }
}

/// What the header of a page says about the page before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Before {
    /// The records on it; what lies behind them was never acknowledged.
    pub(super) records: u16,
    /// The last of them was found on opening: its write may have been cut, so that it reads
    /// differently now. It was written again elsewhere.
    pub(super) doubtful: bool,
}

impl Before {
    /// The most records there may be on a page.
    pub(super) const MAX: u16 = 0x7fff;

    fn bits(self) -> u16 {
        self.records & Self::MAX | u16::from(self.doubtful) << 15
    }

    fn from_bits(bits: u16) -> Self {
        Self { records: bits & Self::MAX, doubtful: bits > Self::MAX }
    }
}

/// What a page begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) layout: Layout,
    /// Counts the pages begun; the page lies at this modulo the number of pages.
    pub(super) sequence: u32,
    pub(super) before: Before,
}

impl Header {
    pub(super) fn write(&self, into: &mut [u8]) -> Option<()> {
        let Layout { version, keys: [device, user], word, pages } = self.layout;
        let layout = u64::from(u32::from_le_bytes([version, device, user, word]))
            | u64::from(pages) << 32
            | u64::from(self.before.bits()) << 48;
        let (bytes, rest) = into.split_first_chunk_mut()?;
        *bytes = layout.to_le_bytes();
        *rest.first_chunk_mut()? = self.sequence.to_le_bytes();
        let crc = crc32(MAGIC.iter().chain(into.get(..SUMMED_LEN)?));
        *into.get_mut(SUMMED_LEN..)?.first_chunk_mut()? = crc.to_le_bytes();
        Some(())
    }

    /// `None` if it is no header, of whatever layout.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (summed, crc) = bytes.split_at_checked(SUMMED_LEN)?;
        if crc32(MAGIC.iter().chain(summed)) != u32::from_le_bytes(*crc.first_chunk()?) {
            return None;
        }
        let (&[version, device, user, word], rest) = summed.split_first_chunk()?;
        let (&pages, rest) = rest.split_first_chunk()?;
        let (&before, sequence) = rest.split_first_chunk()?;
        let pages = u16::from_le_bytes(pages);
        Some(Self {
            layout: Layout { version, keys: [device, user], word, pages },
            sequence: u32::from_le_bytes(*sequence.first_chunk()?),
            before: Before::from_bits(u16::from_le_bytes(before)),
        })
    }
}

/// True if a page begins as layout 1 had it: an item of `sequential-storage` 8, which stands behind
/// a marker of one word, of 73 bytes, with "RT" and the version in it.
pub(super) fn is_layout_1(bytes: &[u8], word: usize) -> bool {
    let head = 8_usize.next_multiple_of(word);
    let is_opening = || {
        let marker = bytes.get(..word)?;
        let item = bytes.get(word..)?;
        let len = item.get(4..6)?;
        let opening = item.get(head.checked_add(2)?..)?.first_chunk::<3>()?;
        Some(marker.iter().all(|&byte| byte == 0) && *len == [73, 0] && opening == b"RT\x01")
    };
    is_opening() == Some(true)
}

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What a change leaves. Found only on a page that counts.
    Change = 0,
    /// Rows of the page that leaves the log.
    Rows = 1,
    /// All rows of the page that leaves are here. Holds the totals.
    Commit = 2,
    /// Nothing: whatever stands before it was written whole.
    Seal = 3,
}

/// The size of a record's body, and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(u16);

impl Size {
    pub(super) fn new(kind: Kind, len: usize) -> Self {
        Self(len as u16 | (kind as u16) << 14)
    }

    pub(super) fn kind(self) -> Kind {
        match self.0 >> 14 {
            0 => Kind::Change,
            1 => Kind::Rows,
            2 => Kind::Commit,
            _ => Kind::Seal,
        }
    }

    /// Bytes of the body.
    pub(super) fn body(self) -> usize {
        (self.0 & 0x3fff).into()
    }

    /// Bytes of head and body.
    pub(super) fn len(self) -> usize {
        HEAD_LEN.saturating_add(self.body())
    }

    pub(super) fn checksum(self, sequence: u32, offset: u32, body: &[u8]) -> u32 {
        let (sequence, offset) = (sequence.to_le_bytes(), offset.to_le_bytes());
        crc32(sequence.iter().chain(&offset).chain(&self.0.to_le_bytes()).chain(body))
    }
}

/// The head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The size, and its complement's complement.
    pub(super) sizes: [Size; 2],
    pub(super) crc: u32,
}

impl Head {
    pub(super) fn write(size: Size, crc: u32) -> [u8; HEAD_LEN] {
        let head = u64::from(size.0) | u64::from(!size.0) << 16 | u64::from(crc) << 32;
        head.to_le_bytes()
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let head = u64::from_le_bytes(*bytes.first_chunk()?);
        let sizes = [Size(head as u16), Size(!((head >> 16) as u16))];
        Some(Self { sizes, crc: (head >> 32) as u32 })
    }

    /// The size, if both say the same.
    pub(super) fn size(self) -> Option<Size> {
        let [size, other] = self.sizes;
        (size == other).then_some(size)
    }
}
