//! Messages of the log. Both stages speak the same: records of devices, and the few other things
//! that may happen to a roll-out, up to 1 024 entries a message.
//!
//! ```text
//!  message = format (1) group…
//!  group   = kind of the roll-out (0, 1), its id (16), entries (2), entry…
//!  entry   = 0, shard (2), length of the name (1), name, record
//!          | 1, shard (2), device (16)               the device is retired
//!          | 2, ticks (8), offset (2)                the roll-out begins anew
//!          | 3, shard (2), length (4), JSON          a declaration
//! ```
//!
//! Numbers have their least byte first; a record is written as the library writes it. The name is
//! the UPN, in lower case, of the user whom the record names: the record itself has only the id of
//! the user's state.

use std::borrow::Cow;

use runtally::DateTime;
use runtally::shard::Record;
use runtally::store::{Kind, RolloutId};
use uuid::Uuid;

use crate::declaration::Declaration;
use crate::layout::FORMAT;

/// A record as it is here: users by the id of their state.
pub(crate) type Fact = Record<Uuid, Uuid>;

/// Something that may happen to a roll-out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry<'a> {
    /// A device's report or removal on the log of devices; where a device is now, on that of users.
    Record { shard: u16, name: Cow<'a, str>, record: Fact },
    /// A device goes on counting, and is not listed any more.
    Retire { shard: u16, device: Uuid },
    /// Every device whose record is from before counts as pending.
    RunFrom(DateTime),
    /// Somebody wrote totals, or a user.
    Declare { shard: u16, declaration: Box<Declaration> },
}

/// The most entries of a message.
pub(crate) const MOST: usize = 1024;

/// A message being written.
#[derive(Debug, Default)]
pub(crate) struct Message {
    bytes: Vec<u8>,
    entries: usize,
    /// The roll-out of the last group, and where its number of entries stands.
    group: Option<(RolloutId, usize)>,
    /// The length of the message before, which this one may be expected to have.
    usual: usize,
}

impl Message {
    pub(crate) const fn len(&self) -> usize {
        self.entries
    }

    /// Adds an entry.
    pub(crate) fn push(&mut self, rollout: RolloutId, entry: &Entry<'_>) {
        if self.bytes.is_empty() {
            self.bytes.reserve(self.usual);
            self.bytes.push(FORMAT);
        }
        let at = match self.group {
            Some((last, at)) if last == rollout => at,
            _ => self.begin(rollout),
        };
        if let Some(number) = self.bytes.get_mut(at..at + 2) {
            let entries = u16::from_le_bytes([number[0], number[1]]) + 1;
            number.copy_from_slice(&entries.to_le_bytes());
        }
        self.entries += 1;
        entry.write(&mut self.bytes);
    }

    fn begin(&mut self, rollout: RolloutId) -> usize {
        self.bytes.push(u8::from(rollout.kind == Kind::Script));
        self.bytes.extend(rollout.id.as_bytes());
        let at = self.bytes.len();
        self.bytes.extend([0, 0]);
        self.group = Some((rollout, at));
        at
    }

    /// The bytes, if there are any; a new message begins.
    pub(crate) fn take(&mut self) -> Option<bytes::Bytes> {
        let Self { bytes, entries, .. } = std::mem::take(self);
        self.usual = bytes.len();
        (entries > 0).then(|| bytes.into())
    }
}

impl Entry<'_> {
    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Record { shard, name, record } => {
                bytes.push(0);
                bytes.extend(shard.to_le_bytes());
                // A UPN has at most 145 bytes.
                bytes.push(name.len() as u8);
                bytes.extend(name.as_bytes());
                let at = bytes.len();
                bytes.resize(at + Fact::MAX_LEN, 0);
                let len = record.as_ref().write(&mut bytes[at..]).unwrap_or_default();
                bytes.truncate(at + len);
            }
            Self::Retire { shard, device } => {
                bytes.push(1);
                bytes.extend(shard.to_le_bytes());
                bytes.extend(device.as_bytes());
            }
            Self::RunFrom(at) => {
                bytes.push(2);
                bytes.extend(at.ticks().to_le_bytes());
                bytes.extend(at.offset().to_le_bytes());
            }
            Self::Declare { shard, declaration } => {
                // Of numbers and texts: none of that fails.
                let json = serde_json::to_vec(declaration).unwrap_or_default();
                bytes.push(3);
                bytes.extend(shard.to_le_bytes());
                bytes.extend((json.len() as u32).to_le_bytes());
                bytes.extend(json);
            }
        }
    }
}

/// Why a message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the message is not one of this program's format")
    }
}

impl std::error::Error for Malformed {}

/// The entries of a message, in order.
pub(crate) struct Entries<'a> {
    bytes: &'a [u8],
    rollout: Option<RolloutId>,
    left: u16,
}

impl<'a> Entries<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Result<Self, Malformed> {
        match message {
            [FORMAT, bytes @ ..] => Ok(Self { bytes, rollout: None, left: 0 }),
            _ => Err(Malformed),
        }
    }

    fn next_entry(&mut self) -> Option<(RolloutId, Entry<'a>)> {
        while self.left == 0 {
            let kind = match self.array()? {
                [0] => Kind::Configuration,
                [1] => Kind::Script,
                _ => return None,
            };
            self.rollout = Some(RolloutId { kind, id: Uuid::from_bytes(self.array()?) });
            self.left = u16::from_le_bytes(self.array()?);
        }
        self.left -= 1;
        let entry = match self.array()? {
            [0] => {
                let shard = u16::from_le_bytes(self.array()?);
                let [len] = self.array()?;
                let name = std::str::from_utf8(self.slice(len.into())?).ok()?;
                let (record, len) = Fact::read(self.bytes)?;
                self.slice(len)?;
                Entry::Record { shard, name: name.into(), record }
            }
            [1] => {
                let shard = u16::from_le_bytes(self.array()?);
                Entry::Retire { shard, device: Uuid::from_bytes(self.array()?) }
            }
            [2] => {
                let ticks = i64::from_le_bytes(self.array()?);
                let offset = i16::from_le_bytes(self.array()?);
                Entry::RunFrom(DateTime::from_ticks(ticks, offset).ok()?)
            }
            [3] => {
                let shard = u16::from_le_bytes(self.array()?);
                let len = u32::from_le_bytes(self.array()?) as usize;
                let declaration = serde_json::from_slice(self.slice(len)?).ok()?;
                Entry::Declare { shard, declaration }
            }
            _ => return None,
        };
        Some((self.rollout?, entry))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*array)
    }

    fn slice(&mut self, len: usize) -> Option<&'a [u8]> {
        let (slice, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(slice)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(RolloutId, Entry<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 && self.bytes.is_empty() {
            return None;
        }
        let next = self.next_entry().ok_or(Malformed);
        if next.is_err() {
            (self.bytes, self.left) = (&[], 0);
        }
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More bytes than an entry takes.
    const LONGEST: usize = 1 + 2 + 1 + 145 + Fact::MAX_LEN;
    use runtally::{Event, RunState};

    fn entries() -> Vec<(RolloutId, Entry<'static>)> {
        let at: DateTime = "2026-11-21T09:30:00.1234567+01:00".parse().expect("a time");
        let (device, user) = (Uuid::from_u128(7), Some(Uuid::from_u128(9)));
        let event = Event { device, user, state: RunState::Fail, at };
        let configuration = RolloutId::configuration(Uuid::from_u128(1));
        let script = RolloutId::script(Uuid::from_u128(2));
        vec![
            (
                configuration,
                Entry::Record { shard: 3, name: "ada@x.org".into(), record: Fact::Report(event) },
            ),
            (configuration, Entry::Retire { shard: 65535, device }),
            (script, Entry::RunFrom(at)),
            (
                script,
                Entry::Declare {
                    shard: 1,
                    declaration: Declaration::NoUser { user: device }.into(),
                },
            ),
            (
                configuration,
                Entry::Record {
                    shard: 0,
                    name: "".into(),
                    record: Fact::Removed { device, at: at.to_utc() },
                },
            ),
        ]
    }

    #[test]
    fn entries_come_back_in_order() {
        let mut message = Message::default();
        for (rollout, entry) in &entries() {
            message.push(*rollout, entry);
        }
        assert_eq!(message.len(), 5);
        let bytes = message.take().expect("five entries");
        assert!(bytes.len() < 5 * LONGEST);
        let read: Result<Vec<_>, _> = Entries::of(&bytes).expect("a message").collect();
        assert_eq!(read.expect("well formed"), entries());
        assert_eq!(message.take(), None);
    }

    #[test]
    fn what_is_cut_is_malformed() {
        let mut message = Message::default();
        for (rollout, entry) in &entries() {
            message.push(*rollout, entry);
        }
        let bytes = message.take().expect("five entries");
        let whole = |bytes| Entries::of(bytes)?.collect::<Result<Vec<_>, _>>();
        for len in 0..bytes.len() {
            let is_whole = whole(&bytes[..len]).is_ok_and(|read| read.len() == 5);
            assert!(!is_whole, "{len} of {} bytes", bytes.len());
        }
    }
}
