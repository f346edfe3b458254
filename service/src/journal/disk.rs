//! What a journal is kept on: a file, or in tests one that loses power.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A file: what is written is durable after the next [`sync`](Self::sync), and until then may be
/// there or not, each sector for itself.
pub(super) trait Disk: Send + Sync {
    fn len(&self) -> io::Result<u64>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()>;
    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
}

impl Disk for File {
    fn len(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }

    fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(bytes, at)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    /// The length of the file is synced as well, its times are not.
    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Writes `len` bytes of erased flash. Real bytes, so that the disk has room for whatever comes in
/// their place.
pub(super) fn erase(disk: &dyn Disk, at: u64, len: u64) -> io::Result<()> {
    let blank = vec![0xff; len.min(1 << 20) as usize];
    let mut done = 0;
    while done < len {
        let part = (len - done).min(blank.len() as u64);
        disk.write(at + done, &blank[..part as usize])?;
        done += part;
    }
    Ok(())
}
