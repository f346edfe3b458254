//! How much flash it takes.

use embedded_storage_async::nor_flash::NorFlash;

use super::Journal;
use super::flash::{WORD_LEN, header_len, record_len, word};
use super::page::{HEAD_LEN, RECORD_LEN};
use super::record::forgotten_len;
use crate::codec::{Key, TOTALS_LEN, device_len, user_len};

/// Bytes of a record that are left for entries.
const ENTRIES_LEN: u64 = (RECORD_LEN - HEAD_LEN) as u64;

impl<F, D, U, const DEVICES: usize, const USERS: usize> Journal<'_, F, D, U, DEVICES, USERS>
where
    F: NorFlash,
    D: Key,
    U: Key,
{
    /// The most bytes of flash that the record of one event takes, with checksum and padding.
    ///
    /// A key that is written in fewer bytes than [`Key::MAX_LEN`] takes that many less.
    ///
    /// ```
    /// use runtally::graph::Upn;
    /// use runtally::journal::Journal;
    /// use runtally::uuid::Uuid;
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    ///
    /// // Words of 4 bytes.
    /// assert_eq!(Journal::<Flash, u16, u16, 512, 64>::EVENT_LEN, 24);
    /// assert_eq!(Journal::<Flash, Uuid, Upn, 512, 64>::EVENT_LEN, 180);
    /// ```
    // A tombstone has one byte more.
    pub const EVENT_LEN: u32 = record_len::<F>(device_len::<D, U>().saturating_sub(1));

    /// The fewest pages of flash on which there is room for every row the tally has, with all keys
    /// as long as they may be and every user declared in all six run states.
    ///
    /// A journal runs on fewer pages as well, 2 at least, until it is [full](super::Error::Full).
    /// Before that it forgets tombstones, the oldest first. With more pages, fewer rows are written
    /// again for every change, and the flash lives longer.
    ///
    /// ```
    /// use runtally::journal::Journal;
    /// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flash/mod.rs")); }
    /// # type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;
    ///
    /// // Pages of 4 KiB.
    /// type Mesh = Journal<'static, Flash, u16, u16, 512, 64>;
    /// const { assert!(Mesh::PAGES <= 5, "the flash set aside is too small for the tally") };
    /// ```
    pub const PAGES: u32 = {
        let devices = (device_len::<D, U>() as u64).saturating_mul(DEVICES as u64);
        let users = (user_len::<U>() as u64).saturating_mul(USERS as u64);
        let Some(pages) = devices.saturating_add(users).checked_div(Self::ROWS_PER_PAGE) else {
            panic!("{}", Self::TOO_SMALL)
        };
        // One more for the part of a page, and one that is free.
        (pages as u32).saturating_add(2)
    };

    /// The most bytes that rows may take in a journal of so many pages.
    pub(super) fn limit(pages: u16) -> u32 {
        let rows = u64::from(pages).saturating_sub(1).saturating_mul(Self::ROWS_PER_PAGE);
        u32::try_from(rows).unwrap_or(u32::MAX)
    }

    /// The longest change: a device is retired, or is back from that, so that its user's counts and
    /// the totals change with it; or it displaces a tombstone.
    pub(super) const CHANGE_LEN: usize = {
        let (retired, displaced) =
            (user_len::<U>().saturating_add(TOTALS_LEN), forgotten_len::<D>());
        let more = if retired > displaced { retired } else { displaced };
        device_len::<D, U>().saturating_add(more)
    };

    /// The longest entry for a row.
    const ROW_LEN: u64 = {
        let (device, user) = (device_len::<D, U>(), user_len::<U>());
        (if device > user { device } else { user }) as u64
    };

    /// Bytes of a page for records besides its header, the commit record and a seal.
    pub(super) const USABLE: u64 = {
        let taken = header_len::<F>()
            .saturating_add(record_len::<F>(TOTALS_LEN))
            .saturating_add(record_len::<F>(0));
        (F::ERASE_SIZE as u64).saturating_sub(taken as u64)
    };

    /// What a record takes beside its entries, without padding and with the most of it.
    const OVERHEAD: u64 = HEAD_LEN as u64;
    const PADDED: u64 = (Self::OVERHEAD + word::<F>() as u64).saturating_sub(1);

    /// Bytes that stay free on every page, so that rows which take all the rest of one fit on
    /// another together with their overhead.
    ///
    /// With e bytes of entries, no record holds more than 504, so they take at least
    /// e + e / 504 x overhead. Written again, all records but the last hold more than 504 less the
    /// longest row, so there they take at most e + (e / (504 - row) + 1) x (overhead + padding).
    pub(super) const RESERVE: u32 = {
        let filled = ENTRIES_LEN.saturating_sub(Self::ROW_LEN);
        let most = Self::USABLE.saturating_sub(Self::PADDED).saturating_mul(filled);
        let Some(entries) = most.checked_div(filled.saturating_add(Self::PADDED)) else {
            panic!("{}", Self::TOO_SMALL)
        };
        let Some(least) = entries.saturating_mul(Self::OVERHEAD).checked_div(ENTRIES_LEN) else {
            panic!("{}", Self::TOO_SMALL)
        };
        Self::USABLE.saturating_sub(entries.saturating_add(least)) as u32
    };

    /// Bytes of rows per page of the log that leave room for the longest change on one of them.
    ///
    /// Of what there is, 7/8: the fuller the flash, the more rows are written again for each
    /// change, without end as it gets quite full.
    const ROWS_PER_PAGE: u64 = {
        let filled = ENTRIES_LEN.saturating_sub(Self::ROW_LEN);
        let change = record_len::<F>(Self::CHANGE_LEN) as u64;
        let room = Self::USABLE
            .saturating_sub(Self::RESERVE as u64)
            .saturating_sub(change)
            .saturating_sub(Self::PADDED);
        let Some(rows) =
            room.saturating_mul(filled).checked_div(filled.saturating_add(Self::PADDED))
        else {
            panic!("{}", Self::TOO_SMALL)
        };
        assert!(rows > 0, "{}", Self::TOO_SMALL);
        rows.saturating_mul(7).div_ceil(8)
    };

    const TOO_SMALL: &'static str =
        "a page of this flash has no room for the longest record: the keys are too long for it";

    /// Fails to compile where a record would not fit.
    pub(super) const CHECKED: () = {
        assert!(D::MAX_LEN <= 255 && U::MAX_LEN <= 255, "a key is written in at most 255 bytes");
        assert!(
            Self::CHANGE_LEN <= RECORD_LEN - HEAD_LEN,
            "a record has 512 bytes, and these keys may take more"
        );
        assert!(
            word::<F>() <= WORD_LEN && word::<F>().is_power_of_two(),
            "a word of flash has a power of two of bytes, at most 32"
        );
        assert!(Self::ROWS_PER_PAGE > 0);
    };
}
