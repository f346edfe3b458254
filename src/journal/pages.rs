//! The pages of flash, each a queue of `sequential-storage` of its own.
//!
//! A queue of one page takes items until it is full, tells whole ones from torn and damaged ones,
//! and never erases anything by itself as long as it holds one. Which page follows which is the
//! journal's affair.

use core::ops::{ControlFlow, Range};

use embedded_storage_async::nor_flash::NorFlash;
use sequential_storage::cache::page_pointers::ArrayPagePointers;
use sequential_storage::cache::page_states::ArrayPageStates;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::queue::{QueueConfig, QueueStorage};

use super::Error;

/// Knows where the free space of one page begins, so that a write does not look for it.
type PageCache = Cache<ArrayPageStates<1>, ArrayPagePointers<1>, Uncached>;

type Queue<'f, F> = QueueStorage<&'f mut F, PageCache>;

/// Bytes of a page that are not for items: a marker at each end.
pub(super) const fn markers<F: NorFlash>() -> u32 {
    (word::<F>() as u32).saturating_mul(2)
}

/// Bytes of flash that an item of `len` bytes takes.
pub(super) const fn item_len<F: NorFlash>(len: usize) -> u32 {
    let data = len.next_multiple_of(word::<F>()) as u32;
    QueueStorage::<F, PageCache>::item_overhead_size().saturating_add(data)
}

/// What is written or read at once: at least one byte.
pub(super) const fn word<F: NorFlash>() -> usize {
    let (read, write) = (F::READ_SIZE, F::WRITE_SIZE);
    if read > write { read } else { write }
}

pub(super) struct Pages<F> {
    flash: F,
    start: u32,
    count: u16,
    /// Belongs to the page last written to.
    cached: Option<(u16, PageCache)>,
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
            Some(count) if aligned && fits => {
                Ok(Self { flash, start: range.start, count, cached: None })
            }
            _ => Err(Error::Range { start: range.start, end: range.end }),
        }
    }

    pub(super) fn count(&self) -> u16 {
        self.count
    }

    pub(super) fn into_flash(self) -> F {
        self.flash
    }

    pub(super) fn flash(&mut self) -> &mut F {
        &mut self.flash
    }

    pub(super) async fn erase(&mut self, page: u16) -> Result<(), Error<F::Error>> {
        self.cached = None;
        let Range { start, end } = self.range(page);
        self.flash.erase(start, end).await.map_err(Error::Flash)
    }

    /// The bytes left on a page, for items with all that belongs to them.
    pub(super) async fn room(&mut self, page: u16) -> Result<u32, Error<F::Error>> {
        let mut queue = self.queue(page)?;
        let room = queue.space_left().await;
        let (_, cache) = queue.destroy();
        let room = room.map_err(error)?;
        self.cached = Some((page, cache));
        Ok(room)
    }

    /// Writes an item that fits.
    pub(super) async fn push(&mut self, page: u16, item: &[u8]) -> Result<(), Error<F::Error>> {
        let mut queue = self.queue(page)?;
        let pushed = queue.push(item, false).await;
        let (_, cache) = queue.destroy();
        pushed.map_err(error)?;
        // After an error, and if this is cancelled, the cache is gone: nobody knows what it is worth.
        self.cached = Some((page, cache));
        Ok(())
    }

    /// Shows every whole item of a page to `each`, in the order in which they were written, until
    /// that breaks off.
    pub(super) async fn scan(
        &mut self,
        page: u16,
        buffer: &mut [u8],
        mut each: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error<F::Error>> {
        use sequential_storage::Error as Stored;

        self.cached = None;
        let mut queue = self.queue(page)?;
        let mut items = match queue.iter().await {
            Ok(items) => items,
            Err(Stored::Storage { value, .. }) => return Err(Error::Flash(value)),
            // Nothing can be read from this page.
            Err(_) => return Ok(()),
        };
        loop {
            match items.next(buffer).await {
                Ok(Some(item)) if each(&item).is_break() => return Ok(()),
                Ok(Some(_)) => {}
                Err(Stored::Storage { value, .. }) => return Err(Error::Flash(value)),
                // The end, or something longer than the journal writes.
                Ok(None) | Err(_) => return Ok(()),
            }
        }
    }

    /// True if the last `len` bytes of a page are erased.
    pub(super) async fn is_blank(
        &mut self,
        page: u16,
        len: u32,
        buffer: &mut [u8],
    ) -> Result<bool, Error<F::Error>> {
        let end = self.range(page).end;
        let mut at = end.saturating_sub(len);
        while at < end {
            let len = buffer.len().min(end.saturating_sub(at) as usize);
            let Some(bytes) = buffer.get_mut(..len) else { break };
            self.flash.read(at, bytes).await.map_err(Error::Flash)?;
            if bytes.iter().any(|&byte| byte != 0xff) {
                return Ok(false);
            }
            at = at.saturating_add(len as u32);
        }
        Ok(true)
    }

    /// True if nothing stands where the next item goes, nor behind.
    pub(super) async fn is_clean(
        &mut self,
        page: u16,
        buffer: &mut [u8],
    ) -> Result<bool, Error<F::Error>> {
        let room = self.room(page).await?;
        self.is_blank(page, room.saturating_add(word::<F>() as u32), buffer).await
    }

    /// The queue that a page is, with what is known of it.
    fn queue(&mut self, page: u16) -> Result<Queue<'_, F>, Error<F::Error>> {
        let range = self.range(page);
        let fresh = || Cache::new(ArrayPageStates::new(), ArrayPagePointers::new(), Uncached);
        let known = self.cached.take().filter(|&(cached, _)| cached == page);
        let cache = known.map_or_else(fresh, |(_, cache)| cache);
        let config = QueueConfig::try_new(range.clone())
            .map_err(|_| Error::Range { start: range.start, end: range.end })?;
        Ok(QueueStorage::new(&mut self.flash, config, cache))
    }

    /// Pages lie within the range the journal was opened with, and that ends below 4 GiB.
    fn range(&self, page: u16) -> Range<u32> {
        let len = F::ERASE_SIZE as u32;
        let start = self.start.saturating_add(u32::from(page).saturating_mul(len));
        start..start.saturating_add(len)
    }
}

fn error<E>(error: sequential_storage::Error<E>) -> Error<E> {
    match error {
        sequential_storage::Error::Storage { value, .. } => Error::Flash(value),
        _ => Error::Corrupted,
    }
}
