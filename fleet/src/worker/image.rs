//! The bytes of a snapshot.
//!
//! ```text
//!  image = format (1) shard… 
//!  shard = kind of the roll-out (0, 1), its id (16), number (2), last run, run from,
//!          number of records (4), record…, number of names (4), {id (16), length (1), name}…
//!  a date-time = 0 | 1, ticks (8), offset (2)
//! ```
//!
//! The object store has a digest of it all.

use runtally::DateTime;
use runtally::store::{Kind, RolloutId};
use uuid::Uuid;

use crate::Failure;
use crate::layout::FORMAT;
use crate::wire::Fact;

/// What is written of one shard.
#[derive(Debug, PartialEq)]
pub(crate) struct ShardImage {
    pub(crate) rollout: RolloutId,
    pub(crate) shard: u16,
    pub(crate) last_run: Option<DateTime>,
    pub(crate) run_from: Option<DateTime>,
}

pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(vec![FORMAT])
    }

    pub(crate) fn head(&mut self, image: &ShardImage) {
        self.0.push(u8::from(image.rollout.kind == Kind::Script));
        self.0.extend(image.rollout.id.as_bytes());
        self.0.extend(image.shard.to_le_bytes());
        for at in [image.last_run, image.run_from] {
            match at {
                None => self.0.push(0),
                Some(at) => {
                    self.0.push(1);
                    self.0.extend(at.ticks().to_le_bytes());
                    self.0.extend(at.offset().to_le_bytes());
                }
            }
        }
    }

    pub(crate) fn records<'a>(
        &mut self,
        number: usize,
        records: impl Iterator<Item = runtally::shard::Record<&'a Uuid, &'a Uuid>>,
    ) {
        self.0.reserve(4 + number * Fact::MAX_LEN);
        self.number(number);
        for record in records {
            let at = self.0.len();
            self.0.resize(at + Fact::MAX_LEN, 0);
            let len = record.write(&mut self.0[at..]).unwrap_or_default();
            self.0.truncate(at + len);
        }
    }

    pub(crate) fn names<'a>(&mut self, names: &[(&'a Uuid, &'a str)]) {
        self.number(names.len());
        for (id, name) in names {
            self.0.extend(id.as_bytes());
            // A UPN has at most 145 bytes.
            self.0.push(name.len() as u8);
            self.0.extend(name.as_bytes());
        }
    }

    fn number(&mut self, number: usize) {
        self.0.extend((number as u32).to_le_bytes());
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
    pub(crate) fn head(&mut self) -> Result<Option<ShardImage>, Failure> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let kind = match self.array()? {
            [0] => Kind::Configuration,
            [1] => Kind::Script,
            [other] => return Err(format!("{other} is no kind of roll-out").into()),
        };
        let rollout = RolloutId { kind, id: Uuid::from_bytes(self.array()?) };
        let shard = u16::from_le_bytes(self.array()?);
        Ok(Some(ShardImage { rollout, shard, last_run: self.time()?, run_from: self.time()? }))
    }

    fn time(&mut self) -> Result<Option<DateTime>, Failure> {
        let [is_there] = self.array()?;
        if is_there == 0 {
            return Ok(None);
        }
        let ticks = i64::from_le_bytes(self.array()?);
        let offset = i16::from_le_bytes(self.array()?);
        Ok(Some(DateTime::from_ticks(ticks, offset)?))
    }

    pub(crate) fn records(
        &mut self,
        mut each: impl FnMut(&Fact) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for _ in 0..self.number()? {
            let (record, len) = Fact::read(self.0).ok_or(CUT)?;
            self.slice(len)?;
            each(&record)?;
        }
        Ok(())
    }

    pub(crate) fn names(&mut self, mut each: impl FnMut(Uuid, &str)) -> Result<(), Failure> {
        for _ in 0..self.number()? {
            let id = Uuid::from_bytes(self.array()?);
            let [len] = self.array()?;
            each(id, std::str::from_utf8(self.slice(len.into())?)?);
        }
        Ok(())
    }

    fn number(&mut self) -> Result<u32, Failure> {
        Ok(u32::from_le_bytes(self.array()?))
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
