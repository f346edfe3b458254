//! The bytes of a snapshot: the library's snapshot of every shard, and the names of its users.
//!
//! ```text
//!  image = format (1) shard…
//!  shard = kind of the roll-out (0, 1), its id (16), number (2), piece… up to the last one,
//!          number of names (4), {id (16), length (1), name}…, length (4), JSON of what was declared
//! ```

use runtally::snapshot::{Snapshot, SnapshotError, SnapshotReader, Source};
use runtally::store::{Kind, RolloutId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::Failure;
use crate::layout::FORMAT;

/// The length of a piece.
const PIECE: usize = 16 * 1024;

pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(vec![FORMAT])
    }

    pub(crate) fn shard<'a>(
        &mut self,
        (rollout, shard): (RolloutId, u16),
        rows: &impl Source,
        names: impl ExactSizeIterator<Item = (&'a Uuid, &'a str)>,
        declared: &impl Serialize,
    ) {
        self.0.push(u8::from(rollout.kind == Kind::Script));
        self.0.extend(rollout.id.as_bytes());
        self.0.extend(shard.to_le_bytes());
        let (mut snapshot, mut buffer) = (Snapshot::new(rows), vec![0; PIECE]);
        // Every entry fits a piece.
        while let Ok(Some(piece)) = snapshot.next(&mut buffer) {
            self.0.extend(piece);
        }
        self.0.extend((names.len() as u32).to_le_bytes());
        for (id, name) in names {
            self.0.extend(id.as_bytes());
            // A UPN has at most 145 bytes.
            self.0.push(name.len() as u8);
            self.0.extend(name.as_bytes());
        }
        // Of numbers and texts: none of that fails.
        let json = serde_json::to_vec(declared).unwrap_or_default();
        self.0.extend((json.len() as u32).to_le_bytes());
        self.0.extend(json);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, Failure> {
        match bytes {
            [FORMAT, bytes @ ..] => Ok(Self(bytes)),
            [other, ..] => Err(format!("format {other}, where {FORMAT} is known").into()),
            [] => Err("it is empty".into()),
        }
    }

    /// The next shard; none at the end.
    pub(crate) fn shard(&mut self) -> Result<Option<(RolloutId, u16)>, Failure> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let kind = match self.array()? {
            [0] => Kind::Configuration,
            [1] => Kind::Script,
            [other] => return Err(format!("{other} is no kind of roll-out").into()),
        };
        let rollout = RolloutId { kind, id: Uuid::from_bytes(self.array()?) };
        Ok(Some((rollout, u16::from_le_bytes(self.array()?))))
    }

    /// The rows of the shard.
    pub(crate) fn pieces(
        &mut self,
        mut restore: impl FnMut(&mut SnapshotReader, &[u8]) -> Result<usize, SnapshotError>,
    ) -> Result<(), Failure> {
        let mut reader = SnapshotReader::restore();
        while !reader.is_complete() {
            let len = restore(&mut reader, self.0)?;
            self.slice(len)?;
        }
        Ok(())
    }

    /// The names of its users.
    pub(crate) fn names(&mut self, mut each: impl FnMut(Uuid, &str)) -> Result<(), Failure> {
        for _ in 0..u32::from_le_bytes(self.array()?) {
            let id = Uuid::from_bytes(self.array()?);
            let [len] = self.array()?;
            each(id, std::str::from_utf8(self.slice(len.into())?)?);
        }
        Ok(())
    }

    /// What was declared.
    pub(crate) fn declared<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let len = u32::from_le_bytes(self.array()?) as usize;
        Ok(serde_json::from_slice(self.slice(len)?)?)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let (array, rest) = self.0.split_first_chunk().ok_or(CUT)?;
        self.0 = rest;
        Ok(*array)
    }

    fn slice(&mut self, len: usize) -> Result<&'a [u8], Failure> {
        let (slice, rest) = self.0.split_at_checked(len).ok_or(CUT)?;
        self.0 = rest;
        Ok(slice)
    }
}

const CUT: &str = "it is cut off";
