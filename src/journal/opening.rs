//! The first record of every page: which page of the log it is, and what goes for all before it.
//!
//! ```text
//!  head  magic  version  device key  user key  pages  turn  before  totals
//!  u16   "RT"   u8       u8          u8        u16    u32   u16     entry
//! ```

use super::Key;
use super::record::{self, Entry, HEAD_LEN, Record, TOTALS_LEN, take};
use crate::tally::Totals;

const MAGIC: [u8; 2] = *b"RT";

/// The layout described here and in [`record`].
pub(super) const VERSION: u8 = 1;

/// Bytes of an opening.
pub(super) const OPENING_LEN: usize = HEAD_LEN + 2 + 1 + 2 + 2 + 4 + 2 + TOTALS_LEN;

/// What a page opens with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    /// The page's number, had the flash no end: it lies at this modulo the number of pages.
    pub(super) turn: u32,
    /// The records on the page before.
    pub(super) before: u16,
    /// What is carried, and the last run, when the page was opened.
    pub(super) totals: Totals,
}

/// What must agree between those who wrote a journal and those who read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) version: u8,
    /// The longest key of a device, and of a user.
    pub(super) keys: [u8; 2],
    pub(super) pages: u16,
}

impl Layout {
    pub(super) const fn new<D: Key, U: Key>(pages: u16) -> Self {
        Self { version: VERSION, keys: [D::MAX_LEN as u8, U::MAX_LEN as u8], pages }
    }
}

impl Opening {
    pub(super) fn write(&self, layout: Layout, into: &mut Record) -> Option<()> {
        into.put(&MAGIC)?;
        into.put(&[layout.version])?;
        into.put(&layout.keys)?;
        into.put(&layout.pages.to_le_bytes())?;
        into.put(&self.turn.to_le_bytes())?;
        into.put(&self.before.to_le_bytes())?;
        into.totals(&self.totals)
    }

    /// What a record holds behind its head: the layout of whoever wrote it, and if that is
    /// `layout`, the rest.
    pub(super) fn read(mut bytes: &[u8], layout: Layout) -> Option<(Layout, Option<Self>)> {
        let from = &mut bytes;
        if take(from)? != MAGIC {
            return None;
        }
        let [version] = take(from)?;
        let keys = take(from)?;
        let pages = u16::from_le_bytes(take(from)?);
        let found = Layout { version, keys, pages };
        if found != layout {
            return Some((found, None));
        }
        let turn = u32::from_le_bytes(take(from)?);
        let before = u16::from_le_bytes(take(from)?);
        let (Entry::Totals(totals), []) = record::read::<[u8; 0], [u8; 0]>(bytes)? else {
            return None;
        };
        Some((found, Some(Self { turn, before, totals })))
    }
}
