//! Flash whose power goes in the middle of writes and erasures.

use embassy_futures::yield_now;
use embedded_storage_async::nor_flash::{NorFlashError, NorFlashErrorKind};

use super::flash::{Faults, Nor};

pub(crate) type Mock<const WORD: usize, const PAGE: usize> =
    Nor<Vec<u8>, Vec<u32>, Power<WORD>, WORD, WORD, PAGE>;

/// What a page or a word holds when the power went while it was changed. The traits of
/// `embedded-storage` say: undefined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Torn {
    /// What was changed so far is new, the rest is old.
    Prefix,
    /// It began at the other end.
    Suffix,
    /// Anything: a page has each byte old, new or neither; of a write, from the word on in which the
    /// power went, each bit is old or new.
    Noise(u64),
    /// The word in which the power went, or a page, reads differently each time until it is erased:
    /// each of the bits that were to change as before, or changed.
    Unstable(u64),
}

impl Torn {
    /// All of them, one after the other.
    pub(crate) fn number(number: u64) -> Self {
        match number % 4 {
            0 => Self::Prefix,
            1 => Self::Suffix,
            2 => Self::Noise(number),
            _ => Self::Unstable(number),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Power<const WORD: usize> {
    /// Bytes that may still be changed before the power goes.
    pub(crate) budget: u64,
    pub(crate) torn: Torn,
    /// A write that ends where the power goes is reported as failed though it is complete.
    pub(crate) late: bool,
    /// Someone else changed something, so that a word may be found written that should be erased.
    pub(crate) damaged: bool,
    /// Every change gives way once before it begins and once before it ends.
    pub(crate) pauses: bool,
    /// Words of which a write was begun since their page was erased.
    written: Vec<bool>,
    /// The bits that read differently each time.
    unstable: Vec<u8>,
    /// Reads so far, so that no two are the same.
    reads: u64,
}

impl<const WORD: usize> Default for Power<WORD> {
    fn default() -> Self {
        Self {
            budget: u64::MAX,
            torn: Torn::Prefix,
            late: false,
            damaged: false,
            pauses: false,
            written: vec![],
            unstable: vec![],
            reads: 0,
        }
    }
}

/// The power is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PowerCut;

impl NorFlashError for PowerCut {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl<const WORD: usize> Power<WORD> {
    /// Switches the power on again.
    pub(crate) fn revive(&mut self) {
        self.budget = u64::MAX;
    }

    /// How many of `len` bytes are changed before the power goes.
    fn spend(&mut self, len: usize) -> usize {
        let spent = self.budget.min(len as u64);
        if self.budget != u64::MAX {
            self.budget -= spent;
        }
        spent as usize
    }

    fn outcome(&self, spent: usize, len: usize) -> Result<(), PowerCut> {
        if spent < len || self.late && self.budget == 0 { Err(PowerCut) } else { Ok(()) }
    }

    /// As long as all flash up to there.
    fn cover(&mut self, end: usize) {
        if self.unstable.len() < end {
            self.unstable.resize(end, 0);
            self.written.resize(end / WORD, false);
        }
    }
}

fn rng(seed: u64, offset: usize, spent: usize) -> fastrand::Rng {
    fastrand::Rng::with_seed(seed ^ (offset as u64) << 20 ^ spent as u64)
}

impl<const WORD: usize> Faults for Power<WORD> {
    type Error = PowerCut;

    async fn pause(&mut self) {
        if self.pauses {
            yield_now().await;
        }
    }

    fn read(&mut self, offset: usize, bytes: &mut [u8]) -> Result<(), PowerCut> {
        if self.budget == 0 {
            return Err(PowerCut);
        }
        self.reads += 1;
        let mut rng = fastrand::Rng::with_seed(self.reads);
        let unstable = self.unstable.iter().skip(offset);
        for (byte, unstable) in bytes.iter_mut().zip(unstable).filter(|(_, bits)| **bits > 0) {
            *byte ^= unstable & rng.u8(..);
        }
        Ok(())
    }

    fn write(&mut self, offset: usize, flash: &mut [u8], new: &[u8]) -> Result<(), PowerCut> {
        if self.budget == 0 {
            return Err(PowerCut);
        }
        self.cover(offset + new.len());
        let spent = self.spend(new.len());
        let torn = if spent < new.len() { Some(self.torn) } else { None };
        // The word in which the power went is neither old nor new.
        let words = match torn {
            Some(Torn::Suffix | Torn::Noise(_)) => new.len() / WORD,
            _ => spent.div_ceil(WORD),
        };
        for written in &mut self.written[offset / WORD..][..words] {
            assert!(!*written || self.damaged, "a word is written twice");
            *written = true;
        }
        let bytes = flash.iter_mut().zip(new);
        match torn {
            None => bytes.for_each(|(flash, new)| *flash &= new),
            Some(Torn::Prefix) => bytes.take(spent).for_each(|(flash, new)| *flash &= new),
            Some(Torn::Suffix) => {
                bytes.skip(new.len() - spent).for_each(|(flash, new)| *flash &= new);
            }
            Some(Torn::Noise(seed)) => {
                let mut rng = rng(seed, offset, spent);
                let whole = spent - spent % WORD;
                for (place, (flash, new)) in bytes.enumerate() {
                    let missing = if place < whole { 0 } else { rng.u8(..) };
                    *flash &= new | missing;
                }
            }
            Some(Torn::Unstable(_)) => {
                let whole = spent - spent % WORD;
                let unstable = &mut self.unstable[offset..];
                for (place, (flash, new)) in bytes.take(whole + WORD).enumerate() {
                    let after = *flash & new;
                    if place < whole {
                        *flash = after;
                    } else {
                        unstable[place] = *flash ^ after;
                    }
                }
            }
        }
        self.outcome(spent, new.len())
    }

    fn erase(&mut self, offset: usize, flash: &mut [u8]) -> Result<(), PowerCut> {
        if self.budget == 0 {
            return Err(PowerCut);
        }
        let len = flash.len();
        self.cover(offset + len);
        let spent = self.spend(len);
        // Of a page that was erased in part, no word is.
        self.written[offset / WORD..][..len / WORD].fill(spent < len);
        if spent == len {
            flash.fill(0xff);
            self.unstable[offset..][..len].fill(0);
            return self.outcome(spent, len);
        }
        match self.torn {
            Torn::Prefix => flash[..spent].fill(0xff),
            Torn::Suffix => flash[len - spent..].fill(0xff),
            Torn::Noise(seed) => {
                let mut rng = rng(seed, offset, spent);
                for byte in flash {
                    match rng.u8(0..8) {
                        0..3 => *byte = 0xff,
                        3 => *byte = rng.u8(..),
                        _ => {}
                    }
                }
            }
            Torn::Unstable(_) => {
                let unstable = &mut self.unstable[offset..][..len];
                for (byte, unstable) in flash.iter().zip(unstable) {
                    *unstable |= !*byte;
                }
            }
        }
        self.outcome(spent, len)
    }
}
