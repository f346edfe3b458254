//! The flash of one roll-out: a range of the file.

use std::fmt;
use std::io;
use std::sync::Arc;

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use super::log::Log;

/// Bytes of a page. The more, the fewer times rows are brought along, each of which looks through
/// all of them. Tests turn many.
pub(super) const PAGE: usize = if cfg!(test) { 4096 } else { 64 * 1024 };

/// A range of the file as NOR flash. What is written is durable once the log says so.
pub(super) struct Flash {
    log: Arc<Log>,
    start: u64,
    len: u32,
    /// The page that was read last, while nothing is on its way to the disk: opening reads page by
    /// page, but a few bytes at a time.
    page: Option<(u32, Box<[u8]>)>,
}

/// The file could not be read.
#[derive(Debug)]
pub(super) struct FlashError(pub(super) io::Error);

impl Flash {
    pub(super) fn new(log: Arc<Log>, start: u64, len: u32) -> Self {
        Self { log, start, len, page: None }
    }
}

impl fmt::Display for FlashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl ErrorType for Flash {
    type Error = FlashError;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        if !self.log.is_idle() {
            return self.log.read(self.start + u64::from(offset), bytes).map_err(FlashError);
        }
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u32;
            let (number, from) = (at / PAGE as u32, at as usize % PAGE);
            let len = (PAGE - from).min(bytes.len() - done);
            let known = self.page.take().filter(|(known, _)| *known == number);
            let page = if let Some((_, page)) = known {
                page
            } else {
                let mut page = vec![0; PAGE].into_boxed_slice();
                let at = self.start + u64::from(number) * PAGE as u64;
                self.log.read(at, &mut page).map_err(FlashError)?;
                page
            };
            bytes[done..done + len].copy_from_slice(&page[from..from + len]);
            self.page = Some((number, page));
            done += len;
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.len as usize
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        self.page = None;
        self.log.erase(self.start + u64::from(from), to - from);
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        self.page = None;
        self.log.write(self.start + u64::from(offset), bytes);
        Ok(())
    }
}
