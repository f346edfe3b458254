//! Entries as bytes: what snapshots and the journal are made of.
//!
//! ```text
//!  entry    head  [ticks]  ...
//!           u16   i64
//!           bits  0..3   run state of a device; 6 for a tombstone; 7 for what is kept
//!           bit   3      a device has a user; a tombstone is of a retired device; kept of a user
//!           bits  4..16  offset of the date-time in minutes + 2048; 0 without one
//!
//!   device  head ticks device [user]
//!   removed head ticks device
//!   retired head ticks what device [user]       bits of what: 0..3 run state, 3 user,
//!                                               4..7 the state that is carried
//!   user    head [ticks] mask count... user     bit n of the mask: state n has a count, a u32;
//!                                               bit 6: declared
//!   totals  head [ticks] [run-from] count...    bit 3 of the head: run-from, an i64; 12 counts:
//!                                               carried devices, carried users
//! ```
//!
//! Numbers are little-endian. The totals are told from a user by the mask: bit 7 is set.

mod key;

pub use key::Key;

use crate::{Counts, DateTime, Entry, Event, Kept, RunState, Totals};

/// The most bytes of a device's entry, row or tombstone.
pub(crate) const fn device_len<D: Key, U: Key>() -> usize {
    (HEAD_LEN + 1usize).saturating_add(D::MAX_LEN).saturating_add(U::MAX_LEN)
}

/// The most bytes of a user's entry.
pub(crate) const fn user_len<U: Key>() -> usize {
    (HEAD_LEN + 1 + 6 * 4usize).saturating_add(U::MAX_LEN)
}

/// The most bytes of the totals.
pub(crate) const TOTALS_LEN: usize = HEAD_LEN + 1 + 8 + 12 * 4;

/// The most bytes of any entry.
pub(crate) const fn entry_len<D: Key, U: Key>() -> usize {
    let (device, user) = (device_len::<D, U>(), user_len::<U>());
    let row = if device > user { device } else { user };
    if row > TOTALS_LEN { row } else { TOTALS_LEN }
}

const HEAD_LEN: usize = 2 + 8;
const TOMBSTONE: u16 = 6;
const KEPT: u16 = 7;
const FLAG: u16 = 1 << 3;
/// Keeps every offset, -1439 to 1439 minutes, above zero.
const OFFSET_BIAS: i16 = 2048;
const DECLARED: u8 = 1 << 6;
const TOTALS: u8 = 1 << 7;
const RUN_FROM: u8 = 1 << 6;
const ALL_STATES: u8 = 0x3f;

/// Bytes being written, front to back.
pub(crate) struct Writer<'b> {
    bytes: &'b mut [u8],
    len: usize,
}

impl<'b> Writer<'b> {
    pub(crate) const fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// `None` if there is no room, as in all that follow.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let rest = self.bytes.get_mut(self.len..)?;
        rest.get_mut(..bytes.len())?.copy_from_slice(bytes);
        self.len = self.len.checked_add(bytes.len())?;
        Some(())
    }

    /// Writes an entry: all of it or, where there is no room, nothing.
    pub(crate) fn entry<D: Key, U: Key>(&mut self, entry: &Entry<&D, &U>) -> Option<()> {
        let len = self.len;
        self.try_entry(entry).or_else(|| {
            self.len = len;
            None
        })
    }

    fn try_entry<D: Key, U: Key>(&mut self, entry: &Entry<&D, &U>) -> Option<()> {
        match entry {
            Entry::Device(event) => {
                let flag = if event.user.is_some() { FLAG } else { 0 };
                self.head(u16::from(event.state.number()) | flag, Some(event.at))?;
                self.keys(event)
            }
            Entry::Removed { device, at } => {
                self.head(TOMBSTONE, Some(*at))?;
                self.key(*device)
            }
            Entry::Retired { event, counted } => {
                self.head(TOMBSTONE | FLAG, Some(event.at))?;
                let user = u8::from(event.user.is_some()) << 3;
                self.put(&[event.state.number() | user | counted.number() << 4])?;
                self.keys(event)
            }
            Entry::User { user, kept } => {
                self.head(KEPT, kept.last_update)?;
                let mask = kept.carried.iter().filter(|&(_, count)| count > 0);
                let mask = mask.fold(0, |mask, (state, _)| mask | 1u8 << state.number());
                self.put(&[if kept.declared { mask | DECLARED } else { mask }])?;
                for (_, count) in kept.carried.iter().filter(|&(_, count)| count > 0) {
                    self.put(&count.to_le_bytes())?;
                }
                self.key(*user)
            }
            Entry::Totals(Totals { devices, users, last_run, run_from }) => {
                self.head(KEPT, *last_run)?;
                self.put(&[TOTALS | if run_from.is_some() { RUN_FROM } else { 0 }])?;
                if let Some(run_from) = run_from {
                    self.put(&run_from.ticks().to_le_bytes())?;
                }
                for (_, count) in devices.iter().chain(users.iter()) {
                    self.put(&count.to_le_bytes())?;
                }
                Some(())
            }
        }
    }

    fn head(&mut self, what: u16, at: Option<DateTime>) -> Option<()> {
        let Some(at) = at else { return self.put(&what.to_le_bytes()) };
        let offset = at.offset().wrapping_add(OFFSET_BIAS).cast_unsigned();
        self.put(&(what | offset << 4).to_le_bytes())?;
        self.put(&at.ticks().to_le_bytes())
    }

    fn keys<D: Key, U: Key>(&mut self, event: &Event<&D, &U>) -> Option<()> {
        self.key(event.device)?;
        event.user.map_or(Some(()), |user| self.key(user))
    }

    pub(crate) fn key<K: Key>(&mut self, key: &K) -> Option<()> {
        let len = key.write(self.bytes.get_mut(self.len..)?)?;
        self.len = self.len.checked_add(len)?;
        Some(())
    }
}

/// The first entry and the bytes after it; `None` if it is none.
pub(crate) fn read<D: Key, U: Key>(mut bytes: &[u8]) -> Option<(Entry<D, U>, &[u8])> {
    let from = &mut bytes;
    let head = u16::from_le_bytes(take(from)?);
    let at = match head >> 4 {
        0 => None,
        offset => {
            let offset = offset.cast_signed().wrapping_sub(OFFSET_BIAS);
            Some(DateTime::from_ticks(i64::from_le_bytes(take(from)?), offset).ok()?)
        }
    };
    let flag = head & FLAG != 0;
    let entry = match head & 0b111 {
        TOMBSTONE if flag => {
            let [what] = take(from)?;
            let counted = RunState::from_number(what >> 4)?;
            Entry::Retired { event: event(from, what & 0b111, what & 1 << 3 != 0, at?)?, counted }
        }
        TOMBSTONE => Entry::Removed { at: at?, device: key(from)? },
        KEPT if !flag => {
            let [mask] = take(from)?;
            if mask & TOTALS == 0 {
                let carried = counts(from, mask)?;
                let declared = mask & DECLARED != 0;
                Entry::User { user: key(from)?, kept: Kept { carried, last_update: at, declared } }
            } else {
                let run_from = match mask & RUN_FROM {
                    0 => None,
                    _ => Some(instant(i64::from_le_bytes(take(from)?))?),
                };
                let (devices, users) = (counts(from, ALL_STATES)?, counts(from, ALL_STATES)?);
                Entry::Totals(Totals { devices, users, last_run: at, run_from })
            }
        }
        KEPT => return None,
        state => Entry::Device(event(from, state as u8, flag, at?)?),
    };
    Some((entry, bytes))
}

/// True if `entries` are entries from end to end.
#[inline(never)]
pub(crate) fn is_sound<D: Key, U: Key>(mut entries: &[u8]) -> bool {
    while let Some((_, rest)) = read::<D, U>(entries) {
        entries = rest;
    }
    entries.is_empty()
}

pub(crate) fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*taken)
}

#[expect(clippy::inline_always, reason = "so that an entry is not moved from frame to frame")]
#[inline(always)]
fn event<D: Key, U: Key>(
    from: &mut &[u8],
    state: u8,
    has_user: bool,
    at: DateTime,
) -> Option<Event<D, U>> {
    Some(Event {
        state: RunState::from_number(state)?,
        at,
        device: key(from)?,
        user: if has_user { Some(key(from)?) } else { None },
    })
}

#[expect(clippy::inline_always, reason = "so that an entry is not moved from frame to frame")]
#[inline(always)]
fn key<K: Key>(from: &mut &[u8]) -> Option<K> {
    let (key, len) = K::read(from)?;
    *from = from.get(len..)?;
    Some(key)
}

fn counts(from: &mut &[u8], mask: u8) -> Option<Counts> {
    RunState::ALL.into_iter().try_fold(Counts::ZERO, |counts, state| {
        if mask & 1 << state.number() == 0 {
            return Some(counts);
        }
        counts.with(state, u32::from_le_bytes(take(from)?)).ok()
    })
}

/// The date-time in UTC; `None` if there is none of this instant.
fn instant(ticks: i64) -> Option<DateTime> {
    let is_one = (DateTime::MIN.ticks()..=DateTime::MAX.ticks()).contains(&ticks);
    is_one.then(|| DateTime::utc(ticks))
}

/// CRC-32 as in IEEE 802.3 (reflected, polynomial `EDB88320`).
///
/// Four bits at a time: the table is 64 bytes, that of a crate 1 KiB or more, and what is read and
/// written here is not much.
pub(crate) fn crc32<'b>(bytes: impl IntoIterator<Item = &'b u8>) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut nibble = 0u32;
        while nibble < 16 {
            let mut crc = nibble;
            let mut bit = 0;
            while bit < 4 {
                crc = crc >> 1 ^ if crc & 1 == 0 { 0 } else { 0xEDB8_8320 };
                bit = i32::wrapping_add(bit, 1);
            }
            #[expect(clippy::indexing_slicing, reason = "computed by the compiler")]
            {
                table[nibble as usize] = crc;
            }
            nibble = nibble.wrapping_add(1);
        }
        table
    };
    #[expect(clippy::indexing_slicing, reason = "sixteen entries, four bits")]
    let step = |crc: u32| crc >> 4 ^ TABLE[(crc & 0xf) as usize];
    !bytes.into_iter().fold(!0, |crc, &byte| step(step(crc ^ u32::from(byte))))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(super::crc32(&[]), 0);
    }
}
