// NOR flash in RAM, for examples, tests, fuzzing and firmware: erasing sets bits, writing clears
// them. What can go wrong is said by whoever uses it. Without debug assertions there is no panic in
// it, so that firmware can be linked without any.

use core::convert::Infallible;
use core::fmt::Debug;
use core::iter::repeat_n;
use core::ops::Range;

use embedded_storage_async::nor_flash::{ErrorType, NorFlash, NorFlashError, ReadNorFlash};

/// Flash that is read and written in words and erased in pages, all lengths in bytes. What it holds
/// and how often each page was erased lies in vectors or slices; `X` is what can go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nor<B, E, X, const READ: usize, const WRITE: usize, const PAGE: usize> {
    /// What it holds.
    pub bytes: B,
    /// How often the erasure of each page was begun.
    pub erases: E,
    /// What can go wrong.
    pub faults: X,
    /// Bytes written.
    pub written: u64,
    /// Bytes read.
    pub read: u64,
}

/// What can go wrong with flash: what it does, as far as it differs from what it should do.
#[allow(async_fn_in_trait)]
pub trait Faults {
    /// What is said when it does.
    type Error: NorFlashError;

    /// Comes before and after each change.
    async fn pause(&mut self) {}

    /// Comes after bytes were read.
    fn read(&mut self, _offset: usize, _bytes: &mut [u8]) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Writes.
    fn write(&mut self, _offset: usize, flash: &mut [u8], new: &[u8]) -> Result<(), Self::Error> {
        flash.iter_mut().zip(new).for_each(|(flash, new)| *flash &= new);
        Ok(())
    }

    /// Erases.
    fn erase(&mut self, _offset: usize, flash: &mut [u8]) -> Result<(), Self::Error> {
        flash.fill(0xff);
        Ok(())
    }
}

/// Nothing goes wrong.
impl Faults for () {
    type Error = Infallible;
}

#[allow(dead_code)]
impl<B, E, X, const READ: usize, const WRITE: usize, const PAGE: usize>
    Nor<B, E, X, READ, WRITE, PAGE>
{
    /// Erased flash.
    pub fn new(pages: usize) -> Self
    where
        B: FromIterator<u8>,
        E: FromIterator<u32>,
        X: Default,
    {
        let bytes = repeat_n(0xff, pages * PAGE).collect();
        Self::on(bytes, repeat_n(0, pages).collect(), X::default())
    }

    /// Flash on memory that there is already.
    pub const fn on(bytes: B, erases: E, faults: X) -> Self {
        Self { bytes, erases, faults, written: 0, read: 0 }
    }

    /// All of it.
    pub fn range(&self) -> Range<u32>
    where
        B: AsRef<[u8]>,
    {
        0..self.bytes.as_ref().len() as u32
    }
}

impl<B, E, X, const READ: usize, const WRITE: usize, const PAGE: usize> ErrorType
    for Nor<B, E, X, READ, WRITE, PAGE>
where
    X: Faults,
{
    type Error = X::Error;
}

impl<B, E, X, const READ: usize, const WRITE: usize, const PAGE: usize> ReadNorFlash
    for Nor<B, E, X, READ, WRITE, PAGE>
where
    B: AsRef<[u8]>,
    X: Faults,
{
    const READ_SIZE: usize = READ;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), X::Error> {
        let offset = offset as usize;
        debug_assert!(offset.is_multiple_of(READ) && bytes.len().is_multiple_of(READ));
        debug_assert!(offset + bytes.len() <= self.capacity());
        self.read += bytes.len() as u64;
        let flash = self.bytes.as_ref().iter().skip(offset);
        bytes.iter_mut().zip(flash).for_each(|(byte, flash)| *byte = *flash);
        self.faults.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.bytes.as_ref().len()
    }
}

impl<B, E, X, const READ: usize, const WRITE: usize, const PAGE: usize> NorFlash
    for Nor<B, E, X, READ, WRITE, PAGE>
where
    B: AsRef<[u8]> + AsMut<[u8]>,
    E: AsMut<[u32]>,
    X: Faults,
{
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), X::Error> {
        let (from, to) = (from as usize, to as usize);
        debug_assert!(from.is_multiple_of(PAGE) && to.is_multiple_of(PAGE) && from <= to);
        self.faults.pause().await;
        let erases = self.erases.as_mut().get_mut(from / PAGE..to / PAGE).unwrap_or_default();
        for count in erases {
            *count += 1;
        }
        let flash = self.bytes.as_mut().get_mut(from..to).unwrap_or_default();
        debug_assert_eq!(flash.len(), to - from);
        let result = self.faults.erase(from, flash);
        self.faults.pause().await;
        result
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), X::Error> {
        let offset = offset as usize;
        debug_assert!(offset.is_multiple_of(WRITE) && bytes.len().is_multiple_of(WRITE));
        debug_assert!(bytes.as_ptr().addr().is_multiple_of(4), "some controllers ask for it");
        self.faults.pause().await;
        self.written += bytes.len() as u64;
        let end = offset.wrapping_add(bytes.len());
        let flash = self.bytes.as_mut().get_mut(offset..end).unwrap_or_default();
        debug_assert_eq!(flash.len(), bytes.len());
        let written = self.faults.write(offset, flash, bytes);
        self.faults.pause().await;
        written
    }
}
