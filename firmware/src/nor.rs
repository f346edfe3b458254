//! NOR flash in RAM, that may lose its power in the middle of a write or an erasure.

use core::convert::Infallible;

#[path = "../../examples/flash/mod.rs"]
mod flash;

pub use flash::{Faults, Nor};

/// Bytes of a page: what the LM3S6965 erases at once.
pub const PAGE: usize = 1024;

/// Flash on so many pages of RAM, with words of 4 bytes.
pub type Flash<'f, const PAGES: usize> = Nor<&'f mut [u8], &'f mut [u32; PAGES], Power, 1, 4, PAGE>;

/// The power supply.
#[derive(Clone, Copy, Debug)]
pub struct Power {
    /// Bytes that are still written or erased before the power goes.
    pub budget: u32,
    /// What happens then.
    pub off: fn() -> !,
}

impl Power {
    /// Brings bytes to what they are to be; the one at which the power goes, half of the way. It may
    /// also go when all is done, before anyone hears of it.
    fn change<'b>(&mut self, changes: impl Iterator<Item = (&'b mut u8, u8)>) {
        for (byte, new) in changes {
            let Some(budget) = self.budget.checked_sub(1) else {
                *byte ^= (*byte ^ new) & 0b1010_1010;
                (self.off)();
            };
            self.budget = budget;
            *byte = new;
        }
        if self.budget == 0 {
            (self.off)();
        }
    }
}

impl Faults for Power {
    type Error = Infallible;

    fn write(&mut self, _offset: usize, flash: &mut [u8], new: &[u8]) -> Result<(), Infallible> {
        self.change(flash.iter_mut().zip(new).map(|(flash, new)| {
            let after = *flash & new;
            (flash, after)
        }));
        Ok(())
    }

    fn erase(&mut self, _offset: usize, flash: &mut [u8]) -> Result<(), Infallible> {
        self.change(flash.iter_mut().map(|flash| (flash, 0xff)));
        Ok(())
    }
}
