//! Flash that remembers what was done to it and loses power on demand.

use embassy_futures::yield_now;
use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// What a page or a word holds when the power went while it was changed. The traits of
/// `embedded-storage` say: undefined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Torn {
    /// What was changed so far is new, the rest is old.
    Prefix,
    /// An erase began at the other end.
    Suffix,
    /// Anything: each byte old, new or neither.
    Noise(u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mock<const WORD: usize, const PAGE: usize> {
    pub(crate) bytes: Vec<u8>,
    /// Words written since their page was erased.
    written: Vec<bool>,
    pub(crate) erases: Vec<u32>,
    /// Bytes written, and bytes erased.
    pub(crate) wear: (u64, u64),
    /// Bytes that may still be changed before the power goes.
    pub(crate) budget: u64,
    pub(crate) torn: Torn,
    /// A write that ends where the power goes is reported as failed though it is complete.
    pub(crate) late: bool,
    /// A page that does not look begun any more is begun again.
    pub(crate) damaged: bool,
    /// Every access gives way once before it begins and once before it ends.
    pub(crate) pauses: bool,
}

/// The power is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PowerCut;

impl NorFlashError for PowerCut {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl<const WORD: usize, const PAGE: usize> Mock<WORD, PAGE> {
    pub(crate) fn new(pages: usize) -> Self {
        Self {
            bytes: vec![0xff; pages * PAGE],
            written: vec![false; pages * PAGE / WORD],
            erases: vec![0; pages],
            wear: (0, 0),
            budget: u64::MAX,
            torn: Torn::Prefix,
            late: false,
            damaged: false,
            pauses: false,
        }
    }

    pub(crate) fn range(&self) -> core::ops::Range<u32> {
        0..self.bytes.len() as u32
    }

    /// Switches the power on again.
    pub(crate) fn revive(&mut self) {
        self.budget = u64::MAX;
        // Nobody knows any more which words were written, only what they hold.
        let words = self.bytes.chunks(WORD).map(|word| word.iter().any(|&byte| byte != 0xff));
        self.written = words.collect();
    }

    /// How many of `len` bytes are changed before the power goes.
    fn spend(&mut self, len: usize) -> usize {
        let spent = self.budget.min(len as u64);
        if self.budget != u64::MAX {
            self.budget -= spent;
        }
        spent as usize
    }

    async fn pause(&self) {
        if self.pauses {
            yield_now().await;
        }
    }

    fn outcome(&self, spent: usize, len: usize) -> Result<(), PowerCut> {
        if spent < len || self.late && self.budget == 0 { Err(PowerCut) } else { Ok(()) }
    }
}

impl<const WORD: usize, const PAGE: usize> ErrorType for Mock<WORD, PAGE> {
    type Error = PowerCut;
}

impl<const WORD: usize, const PAGE: usize> ReadNorFlash for Mock<WORD, PAGE> {
    const READ_SIZE: usize = WORD;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), PowerCut> {
        assert!((offset as usize).is_multiple_of(WORD) && bytes.len().is_multiple_of(WORD));
        if self.budget == 0 {
            return Err(PowerCut);
        }
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const WORD: usize, const PAGE: usize> NorFlash for Mock<WORD, PAGE> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), PowerCut> {
        let range = from as usize..to as usize;
        assert!(range.start.is_multiple_of(PAGE) && range.end.is_multiple_of(PAGE));
        self.pause().await;
        let spent = self.spend(range.len());
        if spent > 0 {
            self.erases[range.start / PAGE..range.end / PAGE].iter_mut().for_each(|n| *n += 1);
        }
        self.wear.1 += spent as u64;
        self.written[range.start / WORD..range.end / WORD].fill(false);
        let whole = spent == range.len();
        let page = &mut self.bytes[range];
        match self.torn {
            _ if whole => page.fill(0xff),
            Torn::Prefix => page[..spent].fill(0xff),
            Torn::Suffix => {
                let kept = page.len() - spent;
                page[kept..].fill(0xff);
            }
            Torn::Noise(seed) => {
                let mut rng = fastrand::Rng::with_seed(seed ^ spent as u64);
                for byte in page.iter_mut().filter(|_| spent > 0) {
                    match rng.u8(0..8) {
                        0..3 => *byte = 0xff,
                        3 => *byte = rng.u8(..),
                        _ => {}
                    }
                }
            }
        }
        self.pause().await;
        self.outcome(spent, to as usize - from as usize)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), PowerCut> {
        let offset = offset as usize;
        assert!(offset.is_multiple_of(WORD) && bytes.len().is_multiple_of(WORD));
        assert!(
            bytes.as_ptr().addr().is_multiple_of(4),
            "some flash controllers need aligned bytes"
        );
        self.pause().await;
        let spent = self.spend(bytes.len());
        self.wear.0 += spent as u64;
        // The word in which the power went is neither old nor new.
        for word in 0..spent.div_ceil(WORD) {
            let written = &mut self.written[offset / WORD + word];
            assert!(!*written || self.damaged, "a word is written twice");
            *written = true;
        }
        let target = &mut self.bytes[offset..][..bytes.len()];
        // Writing clears bits and sets none.
        target.iter_mut().zip(&bytes[..spent]).for_each(|(old, new)| *old &= new);
        if let Torn::Noise(seed) = self.torn
            && spent < bytes.len()
        {
            let word = spent - spent % WORD;
            let mut rng = fastrand::Rng::with_seed(seed ^ spent as u64);
            for (target, byte) in target[word..].iter_mut().zip(&bytes[word..]).take(WORD) {
                *target = byte | rng.u8(..);
            }
        }
        self.pause().await;
        self.outcome(spent, bytes.len())
    }
}
