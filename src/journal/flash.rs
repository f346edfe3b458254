//! Reading and writing pages of flash.

use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;

use super::Error;
use super::page::{HEAD_LEN, HEADER_LEN, Head, Header, Kind, Layout, RECORD_LEN, is_layout_1};
use super::record::Record;
use crate::codec::Key;

/// The longest word there may be.
pub(super) const WORD_LEN: usize = 32;

/// What is written or read at once: at least one byte.
pub(super) const fn word<F: NorFlash>() -> usize {
    let (read, write) = (F::READ_SIZE, F::WRITE_SIZE);
    if read > write { read } else { write }
}

/// Bytes of a page that a record with a body of so many bytes takes.
pub(super) const fn record_len<F: NorFlash>(body: usize) -> u32 {
    HEAD_LEN.saturating_add(body).next_multiple_of(word::<F>()) as u32
}

/// Where the records of a page begin.
pub(super) const fn header_len<F: NorFlash>() -> u32 {
    HEADER_LEN.next_multiple_of(word::<F>()) as u32
}

/// The page that a sequence number lies on.
pub(super) const fn page_of(sequence: u32, pages: u16) -> u16 {
    match sequence.checked_rem(pages as u32) {
        Some(page) => page as u16,
        None => 0,
    }
}

/// What is found where a record may be.
pub(super) enum Found {
    /// A record; its body is in the buffer.
    Record(Kind, u32),
    /// No record, but its size is certain.
    Unreadable(u32),
    /// Neither: the records of the page end here.
    Nothing,
}

pub(super) struct Pages<F> {
    flash: F,
    start: u32,
    count: u16,
}

impl<F: NorFlash> Pages<F> {
    /// # Errors
    ///
    /// [`Error::Range`] if the range is not of whole pages, 2 to 65 535 of them.
    pub(super) fn new(flash: F, range: Range<u32>) -> Result<Self, Error<F::Error>> {
        let page = F::ERASE_SIZE as u32;
        let count = range.end.checked_sub(range.start).and_then(|len| len.checked_div(page));
        let count = count.and_then(|count| u16::try_from(count).ok()).filter(|&count| count >= 2);
        let aligned = [range.start, range.end].into_iter().all(|at| at.is_multiple_of(page));
        let fits = usize::try_from(range.end).is_ok_and(|end| end <= flash.capacity());
        match count {
            Some(count) if aligned && fits => Ok(Self { flash, start: range.start, count }),
            _ => Err(Error::Range { start: range.start, end: range.end }),
        }
    }

    pub(super) fn count(&self) -> u16 {
        self.count
    }

    pub(super) fn into_flash(self) -> F {
        self.flash
    }

    pub(super) const fn flash(&mut self) -> &mut F {
        &mut self.flash
    }

    pub(super) async fn erase(&mut self, page: u16) -> Result<(), Error<F::Error>> {
        let start = self.address(page, 0);
        let end = start.saturating_add(F::ERASE_SIZE as u32);
        self.flash.erase(start, end).await.map_err(Error::Flash)
    }

    /// Writes the header of a page that was erased.
    pub(super) async fn begin(&mut self, header: &Header) -> Result<(), Error<F::Error>> {
        let mut bytes = Aligned([0xff; WORD_LEN]);
        header.write(&mut bytes.0).ok_or(Error::LongKey)?;
        let bytes = bytes.0.get(..header_len::<F>() as usize).ok_or(Error::LongKey)?;
        let address = self.address(page_of(header.sequence, self.count), 0);
        self.flash.write(address, bytes).await.map_err(Error::Flash)
    }

    /// The header of a page, of whatever layout; `None` if there is none.
    pub(super) async fn header(&mut self, page: u16) -> Result<Option<Header>, Error<F::Error>> {
        let mut bytes = Aligned([0; WORD_LEN]);
        let bytes = bytes.0.get_mut(..header_len::<F>() as usize).ok_or(Error::LongKey)?;
        self.read(page, 0, bytes).await?;
        Ok(Header::read(bytes))
    }

    /// Writes a record, which fits, with one write; the offset of the next one.
    pub(super) async fn write(
        &mut self,
        sequence: u32,
        offset: u32,
        kind: Kind,
        record: &mut Record,
    ) -> Result<u32, Error<F::Error>> {
        let bytes = record.close(kind, sequence, offset, word::<F>()).ok_or(Error::LongKey)?;
        let address = self.address(page_of(sequence, self.count), offset);
        self.flash.write(address, bytes).await.map_err(Error::Flash)?;
        Ok(offset.saturating_add(bytes.len() as u32))
    }

    /// Looks for the record at an offset of the page, and reads it.
    pub(super) async fn record(
        &mut self,
        sequence: u32,
        offset: u32,
        record: &mut Record,
    ) -> Result<Found, Error<F::Error>> {
        let page = page_of(sequence, self.count);
        let left = (F::ERASE_SIZE as u32).saturating_sub(offset);
        let buffer = record.space();
        let head_len = record_len::<F>(0);
        if left < head_len {
            return Ok(Found::Nothing);
        }
        let Some(bytes) = buffer.get_mut(..head_len as usize) else { return Ok(Found::Nothing) };
        self.read(page, offset, bytes).await?;
        let Some(head) = Head::read(bytes) else { return Ok(Found::Nothing) };

        for size in head.sizes {
            let len = record_len::<F>(size.body());
            if size.len() > RECORD_LEN || len > left {
                continue;
            }
            let Some(bytes) = record.space().get_mut(..len as usize) else { continue };
            self.read(page, offset, bytes).await?;
            let body = bytes.get(HEAD_LEN..size.len()).unwrap_or_default();
            let next = offset.saturating_add(len);
            if size.checksum(sequence, offset, body) == head.crc {
                record.set_len(size);
                return Ok(Found::Record(size.kind(), next));
            }
            if head.size().is_some() {
                return Ok(Found::Unreadable(next));
            }
        }
        Ok(Found::Nothing)
    }

    /// True if every byte of the page from `offset` on is erased.
    pub(super) async fn is_erased(
        &mut self,
        page: u16,
        offset: u32,
        buffer: &mut [u8],
    ) -> Result<bool, Error<F::Error>> {
        let mut offset = offset;
        loop {
            let left = (F::ERASE_SIZE as u32).saturating_sub(offset) as usize;
            let len = left.min(buffer.len());
            let Some(bytes) = buffer.get_mut(..len).filter(|bytes| !bytes.is_empty()) else {
                return Ok(true);
            };
            self.read(page, offset, bytes).await?;
            if bytes.iter().any(|&byte| byte != 0xff) {
                return Ok(false);
            }
            offset = offset.saturating_add(len as u32);
        }
    }

    /// The layout of a page written by a version without [headers](Header).
    pub(super) async fn older_layout(&mut self, page: u16) -> Result<Option<u8>, Error<F::Error>> {
        let mut bytes = Aligned([0; 3 * WORD_LEN]);
        self.read(page, 0, &mut bytes.0).await?;
        Ok(is_layout_1(&bytes.0, word::<F>()).then_some(1))
    }

    pub(super) fn layout<D: Key, U: Key>(&self) -> Layout {
        Layout::new::<D, U>(word::<F>(), self.count)
    }

    async fn read(
        &mut self,
        page: u16,
        offset: u32,
        bytes: &mut [u8],
    ) -> Result<(), Error<F::Error>> {
        let address = self.address(page, offset);
        self.flash.read(address, bytes).await.map_err(Error::Flash)
    }

    /// Pages lie within the range the journal was opened with, and that ends below 4 GiB.
    fn address(&self, page: u16, offset: u32) -> u32 {
        let start = u32::from(page).saturating_mul(F::ERASE_SIZE as u32);
        self.start.saturating_add(start).saturating_add(offset)
    }
}

/// Some flash controllers read and write whole words of RAM only.
#[repr(align(4))]
struct Aligned<const N: usize>([u8; N]);
