// Flash in RAM that counts: pages of 4 KiB, words of 4 bytes, no faults.

#[derive(Clone, Debug)]
#[allow(dead_code)]
pub(crate) struct Flash<const PAGES: usize> {
    bytes: Vec<u8>,
    /// How often each page was erased.
    pub(crate) erases: [u32; PAGES],
    pub(crate) written: u64,
    pub(crate) read: u64,
}

#[allow(dead_code)]
impl<const PAGES: usize> Flash<PAGES> {
    pub(crate) const RANGE: core::ops::Range<u32> = 0..PAGES as u32 * 4096;

    pub(crate) fn new() -> Self {
        Self { bytes: vec![0xff; PAGES * 4096], erases: [0; PAGES], written: 0, read: 0 }
    }
}

impl<const PAGES: usize> embedded_storage_async::nor_flash::ErrorType for Flash<PAGES> {
    type Error = core::convert::Infallible;
}

impl<const PAGES: usize> embedded_storage_async::nor_flash::ReadNorFlash for Flash<PAGES> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.read += bytes.len() as u64;
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const PAGES: usize> embedded_storage_async::nor_flash::NorFlash for Flash<PAGES> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.erases[from as usize / 4096..to as usize / 4096].iter_mut().for_each(|n| *n += 1);
        self.bytes[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.written += bytes.len() as u64;
        let flash = &mut self.bytes[offset as usize..];
        flash.iter_mut().zip(bytes).for_each(|(old, new)| *old &= new);
        Ok(())
    }
}
