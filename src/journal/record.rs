//! The body of a record: entries, each of which says all there is of one device, one user or the
//! summary, so that the last one counts.
//!
//! ```text
//!  entry    head  [ticks]  ...
//!           u16   i64
//!           bits  0..3   run state of a device; 6 for a device that is gone; 7 for carried counts
//!           bit   3      a device: it has a user; carried counts: a user's, and not the summary's
//!           bits  4..16  offset of the date-time in minutes + 2048; 0 without one
//!
//!   event   head ticks device [user]
//!   gone    head device
//!   user    head [ticks] mask count... user     bit n of the mask: state n has a count, a u32;
//!                                               bit 6: declared
//!   totals  head ticks count...                 12 counts: carried devices, carried users
//! ```
//!
//! Numbers have their least byte first.

use super::Key;
use super::page::{HEAD_LEN, Head, Kind, RECORD_LEN, Size};
use crate::tally::{Kept, Totals};
use crate::{Counts, DateTime, Event, RunState};

/// Bytes of the totals.
pub(super) const TOTALS_LEN: usize = 2 + 8 + 12 * 4;

/// Bytes of the longest event.
pub(super) const fn event_len<D: Key, U: Key>() -> usize {
    ENTRY_HEAD_LEN.saturating_add(D::MAX_LEN).saturating_add(U::MAX_LEN)
}

/// Bytes of the longest entry for a user.
pub(super) const fn user_len<U: Key>() -> usize {
    (ENTRY_HEAD_LEN + 1 + 6 * 4usize).saturating_add(U::MAX_LEN)
}

const ENTRY_HEAD_LEN: usize = 2 + 8;
const GONE: u16 = 6;
const KEPT: u16 = 7;
const FLAG: u16 = 1 << 3;
/// Keeps every offset, -1439 to 1439 minutes, above zero.
const OFFSET_BIAS: i16 = 2048;
const DECLARED: u8 = 1 << 6;

/// What a change writes down, as one record.
// An enum and no closure, so that writing is in flash once and not once for each kind of change.
pub(super) enum Entries<'a, D, U> {
    Event(Event<&'a D, &'a U>),
    Gone(&'a D),
    User(&'a U, &'a Kept),
    Totals(&'a Totals),
    /// A device is gone, and what its user and the summary carry for it.
    Retired(&'a D, Option<(&'a U, Kept)>, &'a Totals),
}

impl<D: Key, U: Key> Entries<'_, D, U> {
    pub(super) fn add_to(&self, record: &mut Record) -> Option<()> {
        match self {
            Self::Event(event) => record.event(event),
            Self::Gone(device) => record.gone(*device),
            Self::User(user, kept) => record.user(*user, kept),
            Self::Totals(totals) => record.totals(totals),
            Self::Retired(device, user, totals) => {
                record.gone(*device)?;
                if let Some((user, kept)) = user {
                    record.user(*user, kept)?;
                }
                record.totals(totals)
            }
        }
    }
}

/// A record being written or read. All zero bytes are an empty one.
pub(super) struct Record {
    bytes: Aligned,
    /// Bytes of the body.
    len: u16,
}

/// Some flash controllers write from whole words only.
#[repr(align(4))]
struct Aligned([u8; RECORD_LEN]);

impl Record {
    pub(super) const fn new() -> Self {
        Self { bytes: Aligned([0; RECORD_LEN]), len: 0 }
    }

    /// All of it, to read into.
    pub(super) fn space(&mut self) -> &mut [u8] {
        &mut self.bytes.0
    }

    pub(super) fn body(&self) -> &[u8] {
        self.bytes
            .0
            .get(HEAD_LEN..)
            .and_then(|rest| rest.get(..self.len.into()))
            .unwrap_or_default()
    }

    /// Of what was read into the space, so much is a record.
    pub(super) fn set_len(&mut self, size: Size) {
        self.len = size.body() as u16;
    }

    /// Bytes of the entries so far.
    pub(super) fn body_len(&self) -> usize {
        self.len.into()
    }

    /// Drops all entries.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Takes over another record's entries.
    pub(super) fn copy(&mut self, other: &Self) {
        self.clear();
        // Both have room for as many bytes.
        let _ = self.put(other.body());
    }

    /// Fills in the head, and gives all bytes to be written.
    pub(super) fn close(
        &mut self,
        kind: Kind,
        sequence: u32,
        offset: u32,
        word: usize,
    ) -> Option<&[u8]> {
        let size = Size::new(kind, self.body_len());
        let head = Head::write(size, size.checksum(sequence, offset, self.body()));
        *self.bytes.0.first_chunk_mut()? = head;
        let len = size.len().checked_next_multiple_of(word)?;
        self.bytes.0.get_mut(size.len()..len)?.fill(0xff);
        self.bytes.0.get(..len)
    }

    /// Adds one entry, all of it or, where there is no room, nothing.
    pub(super) fn add(&mut self, entry: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        let len = self.len;
        entry(self).or_else(|| {
            self.len = len;
            None
        })
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Option<()> {
        self.rest()?.get_mut(..bytes.len())?.copy_from_slice(bytes);
        self.len = self.len.checked_add(bytes.len() as u16)?;
        Some(())
    }

    pub(super) fn event<D: Key, U: Key>(&mut self, event: &Event<&D, &U>) -> Option<()> {
        let flag = if event.user.is_some() { FLAG } else { 0 };
        self.head(u16::from(event.state.number()) | flag, Some(event.at))?;
        self.key(event.device)?;
        event.user.map_or(Some(()), |user| self.key(user))
    }

    pub(super) fn gone<D: Key>(&mut self, device: &D) -> Option<()> {
        self.head(GONE, None)?;
        self.key(device)
    }

    pub(super) fn user<U: Key>(&mut self, user: &U, kept: &Kept) -> Option<()> {
        self.head(KEPT | FLAG, kept.last_update)?;
        let mask = kept.carried.iter().filter(|&(_, count)| count > 0);
        let mask = mask.fold(0, |mask, (state, _)| mask | 1u8 << state.number());
        self.put(&[if kept.declared { mask | DECLARED } else { mask }])?;
        for (_, count) in kept.carried.iter().filter(|&(_, count)| count > 0) {
            self.put(&count.to_le_bytes())?;
        }
        self.key(user)
    }

    pub(super) fn totals(&mut self, totals: &Totals) -> Option<()> {
        self.head(KEPT, totals.last_run)?;
        if totals.last_run.is_none() {
            // So that totals always take as many bytes.
            self.put(&[0; 8])?;
        }
        for (_, count) in totals.devices.iter().chain(totals.users.iter()) {
            self.put(&count.to_le_bytes())?;
        }
        Some(())
    }

    fn head(&mut self, what: u16, at: Option<DateTime>) -> Option<()> {
        let Some(at) = at else { return self.put(&what.to_le_bytes()) };
        let offset = at.offset().wrapping_add(OFFSET_BIAS).cast_unsigned();
        self.put(&(what | offset << 4).to_le_bytes())?;
        self.put(&at.ticks().to_le_bytes())
    }

    fn key<K: Key>(&mut self, key: &K) -> Option<()> {
        let len = key.write(self.rest()?)?;
        self.len = self.len.checked_add(len as u16)?;
        Some(())
    }

    fn rest(&mut self) -> Option<&mut [u8]> {
        self.bytes.0.get_mut(HEAD_LEN..)?.get_mut(self.len.into()..)
    }
}

/// One entry, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry<D, U> {
    /// This is recorded of the device.
    Event(Event<D, U>),
    /// The device has no row.
    Gone(D),
    /// This is kept of the user.
    User(U, Kept),
    /// This is carried on top of the rows.
    Totals(Totals),
}

/// The first entry and the bytes after it; `None` if it is none.
pub(super) fn read<D: Key, U: Key>(mut bytes: &[u8]) -> Option<(Entry<D, U>, &[u8])> {
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
        GONE if !flag && at.is_none() => Entry::Gone(key(from)?),
        KEPT if flag => {
            let [mask] = take(from)?;
            let declared = mask & DECLARED != 0;
            let carried = counts(from, mask)?;
            Entry::User(key(from)?, Kept { carried, last_update: at, declared })
        }
        KEPT => {
            if at.is_none() {
                take::<8>(from)?;
            }
            let (devices, users) = (counts(from, 0x3f)?, counts(from, 0x3f)?);
            Entry::Totals(Totals { devices, users, last_run: at })
        }
        state => Entry::Event(Event {
            state: RunState::from_number(state as u8)?,
            at: at?,
            device: key(from)?,
            user: if flag { Some(key(from)?) } else { None },
        }),
    };
    Some((entry, bytes))
}

pub(super) fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*taken)
}

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
