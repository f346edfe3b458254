//! NOR flash in RAM, that may lose its power in the middle of a write or an erasure.

use core::convert::Infallible;

use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

/// Bytes of a page: what the LM3S6965 erases at once.
pub const PAGE: usize = 1024;

/// Flash in RAM: pages of 1 KiB, words of 4 bytes.
#[derive(Debug)]
pub struct Nor<'f> {
    /// What it holds.
    pub bytes: &'f mut [u8],
    /// Bytes that are still written or erased before the power goes.
    pub budget: u32,
    /// Counts the erasures that were begun.
    pub erasures: &'f mut u32,
    /// What happens when the power goes.
    pub power_off: fn() -> !,
}

impl Nor<'_> {
    /// Brings bytes from what they hold to what `after` says; the one at which the power goes, half
    /// of the way. It may also go when all is done, before anyone hears of it.
    fn change(&mut self, from: usize, len: usize, after: impl Fn(usize, u8) -> u8) {
        let bytes = self.bytes.iter_mut().skip(from).take(len);
        for (place, byte) in bytes.enumerate() {
            let new = after(place, *byte);
            let Some(budget) = self.budget.checked_sub(1) else {
                *byte ^= (*byte ^ new) & 0b1010_1010;
                (self.power_off)();
            };
            self.budget = budget;
            *byte = new;
        }
        if self.budget == 0 {
            (self.power_off)();
        }
    }
}

impl ErrorType for Nor<'_> {
    type Error = Infallible;
}

impl ReadNorFlash for Nor<'_> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        let held = self.bytes.iter().skip(offset as usize);
        bytes.iter_mut().zip(held).for_each(|(byte, held)| *byte = *held);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Nor<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
        *self.erasures += 1;
        self.change(from as usize, to.saturating_sub(from) as usize, |_, _| 0xff);
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        // Programming clears bits, it sets none.
        let new = |place: usize, held| held & bytes.get(place).copied().unwrap_or(0xff);
        self.change(offset as usize, bytes.len(), new);
        Ok(())
    }
}
