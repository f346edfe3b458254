//! The fixed-capacity keyed rows both tables are made of.
//!
//! ```text
//!  heads: 2 per row              rows
//!  ┌───┐ key ─ hash ─> bucket    ┌─────┬───────┬──────┐
//!  │ · │                         │ key │ value │ next │ 0
//!  │ ──┼────────────────────────>│ key │ value │  ────┼─┐ 1
//!  │ · │                         │     │ none  │ free │ │ 2
//!  │ ──┼──┐                      │ key │ value │   ·  │<┘ 3
//!  └───┘  └─────────────────────>│ key │ value │   ·  │ 4
//!                                └─────┴───────┴──────┘
//! ```
//!
//! Twice as many heads as rows keep the chains short up to the last row, so a full table costs
//! what a half-full one does. A row stays where it is for as long as its key does, so its number
//! can be handed out. A freed row joins a list and is used again first; a row that is to be found
//! on, such as a tombstone's, stays in the table until another key [replaces](Table::replace) its own.
//! Links are the row's number plus one, so that zero means none and an empty table is all zero bytes.
//! Where rows and heads lie is the [`Storage`]'s to say.
//!
//! Why not `heapless::FnvIndexMap`: an event of a full tally takes 325 instructions here and 686
//! there on a Cortex-M3, and a third to a fifth of the time on x86-64; capacity is any number here
//! and a power of two there; rows stay where they are here, so that they can be handed out and
//! linked, and move at every removal there; and the hash can be seeded.

mod hash;
mod storage;

use core::hash::Hash;
use core::num::NonZeroU16;

#[cfg(feature = "alloc")]
pub use storage::Heap;
pub use storage::{Inline, Storage};

use hash::KeyHasher;

/// The number of a row plus one, so that zero is free to mean none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct RowId(NonZeroU16);

impl RowId {
    /// No row of any table.
    pub(crate) const NOWHERE: Self = Self(NonZeroU16::MAX);

    /// The row with this number, counted from zero; `None` above 65 533.
    pub(crate) const fn from_number(number: u16) -> Option<Self> {
        if number as usize >= MAX_ROWS {
            return None;
        }
        match NonZeroU16::new(number.wrapping_add(1)) {
            Some(link) => Some(Self(link)),
            None => None,
        }
    }

    /// Counted from zero.
    pub(crate) const fn number(self) -> u16 {
        self.0.get().wrapping_sub(1)
    }

    fn index(self) -> usize {
        usize::from(self.0.get()).wrapping_sub(1)
    }
}

/// The most rows a table has, so that a row's link fits 16 bits with a value to spare.
pub(crate) const MAX_ROWS: usize = 65_534;

/// `N` rows of a key and a value each, found by key in constant time.
// Rows first, from the start of a cache line on: then no row of 32 bytes lies across two.
#[cfg_attr(target_pointer_width = "64", repr(C, align(64)))]
pub(crate) struct Table<K, V, const N: usize, S: Storage = Inline> {
    rows: S::Rows<Row<K, V>, N>,
    heads: S::Heads<Option<RowId>, N>,
    free: Option<RowId>,
    len: u16,
    seed: u64,
}

// In this order, so that the key and what every event asks of the value lie together.
#[derive(Clone)]
#[repr(C)]
#[cfg_attr(target_pointer_width = "64", repr(align(4)))]
struct Row<K, V> {
    key: K,
    /// None while the row is free.
    value: Option<V>,
    /// The next row of the same bucket, or of the free list.
    next: Option<RowId>,
}

impl<K, V, const N: usize> Table<K, V, N> {
    pub(crate) const fn new() -> Self {
        const { assert_rows(N) }
        Self { rows: heapless::Vec::new(), heads: [[None; 2]; N], free: None, len: 0, seed: 0 }
    }
}

#[cfg(feature = "alloc")]
impl<K, V, const N: usize> Table<K, V, N, Heap> {
    pub(crate) const fn growing() -> Self {
        use alloc::vec::Vec;
        const { assert_rows(N) }
        Self { rows: Vec::new(), heads: Vec::new(), free: None, len: 0, seed: 0 }
    }
}

const fn assert_rows(rows: usize) {
    assert!(rows >= 1 && rows <= MAX_ROWS, "a tally has room for 1 to 65534 devices and users");
}

impl<K: Clone, V: Clone, const N: usize, S: Storage> Clone for Table<K, V, N, S> {
    fn clone(&self) -> Self {
        let (rows, heads) = (S::clone_rows(&self.rows), S::clone_heads(&self.heads));
        Self { rows, heads, free: self.free, len: self.len, seed: self.seed }
    }
}

impl<K: Clone + Eq + Hash, V, const N: usize, S: Storage> Table<K, V, N, S> {
    pub(crate) const fn len(&self) -> u16 {
        self.len
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.len as usize >= N
    }

    /// The bytes that the rows take on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        S::heap_bytes(&self.rows, &self.heads)
    }

    /// The rows ever taken: the numbers of all rows are below.
    pub(crate) fn rows(&self) -> u16 {
        S::rows(&self.rows).len() as u16
    }

    /// Where `key` is kept.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn find(&self, key: &K) -> Option<RowId> {
        let mut link = *S::heads(&self.heads).as_flattened().get(self.bucket(key))?;
        while let Some(id) = link {
            let row = S::rows(&self.rows).get(id.index())?;
            if row.key == *key {
                return Some(id);
            }
            link = row.next;
        }
        None
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn get(&self, id: RowId) -> Option<(&K, &V)> {
        let row = S::rows(&self.rows).get(id.index())?;
        Some((&row.key, row.value.as_ref()?))
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: RowId) -> Option<(&K, &mut V)> {
        let row = S::rows_mut(&mut self.rows).get_mut(id.index())?;
        Some((&row.key, row.value.as_mut()?))
    }

    #[inline]
    pub(crate) fn value_mut(&mut self, id: RowId) -> Option<&mut V> {
        S::rows_mut(&mut self.rows).get_mut(id.index())?.value.as_mut()
    }

    /// Puts another spelling in the place of an equal key.
    pub(crate) fn respell(&mut self, id: RowId, key: &K) {
        if let Some(row) = S::rows_mut(&mut self.rows).get_mut(id.index())
            && row.key == *key
        {
            row.key.clone_from(key);
        }
    }

    /// Makes room for `more` rows, or up to the limit. False if there is no memory for them.
    #[inline]
    pub(crate) fn make_room(&mut self, more: usize) -> bool {
        // A freed row will do, and how many there are is not kept.
        let more = more.saturating_sub(self.free.is_some().into());
        if more > 0 && S::grow(&mut self.rows, &mut self.heads, more, None) {
            self.file_all();
        }
        more == 0 || S::has_room(&self.rows, &self.heads, more)
    }

    /// Adds a key that is not there yet; `None` if every row is taken.
    pub(crate) fn insert(&mut self, key: &K, value: V) -> Option<RowId> {
        let id = if let Some(id) = self.free {
            self.free = S::rows(&self.rows).get(id.index())?.next;
            id
        } else {
            if !self.make_room(1) {
                return None;
            }
            let number = S::rows(&self.rows).len() as u16;
            S::push(&mut self.rows, Row { key: key.clone(), value: None, next: None }).ok()?;
            RowId::from_number(number)?
        };
        self.len = self.len.wrapping_add(1);
        self.file(id, key, value)
    }

    /// Frees a row and returns its value.
    pub(crate) fn remove(&mut self, id: RowId) -> Option<V> {
        self.unlink(id)?;
        let row = S::rows_mut(&mut self.rows).get_mut(id.index())?;
        row.next = self.free;
        self.free = Some(id);
        self.len = self.len.wrapping_sub(1);
        row.value.take()
    }

    /// Gives a taken row to a key that is not there yet.
    pub(crate) fn replace(&mut self, id: RowId, key: &K, value: V) -> Option<RowId> {
        self.unlink(id)?;
        self.file(id, key, value)
    }

    /// Makes a row that is in no chain this key's.
    fn file(&mut self, id: RowId, key: &K, value: V) -> Option<RowId> {
        let bucket = self.bucket(key);
        let head = S::heads_mut(&mut self.heads).as_flattened_mut().get_mut(bucket)?;
        let row = S::rows_mut(&mut self.rows).get_mut(id.index())?;
        row.key.clone_from(key);
        row.value = Some(value);
        row.next = head.replace(id);
        Some(id)
    }

    /// Takes a taken row out of its bucket's chain.
    fn unlink(&mut self, id: RowId) -> Option<()> {
        let row = S::rows(&self.rows).get(id.index())?;
        row.value.as_ref()?;
        let (bucket, next) = (self.bucket(&row.key), row.next);

        let mut link = S::heads_mut(&mut self.heads).as_flattened_mut().get_mut(bucket)?;
        while *link != Some(id) {
            let before = (*link)?;
            link = &mut S::rows_mut(&mut self.rows).get_mut(before.index())?.next;
        }
        *link = next;
        Some(())
    }

    /// The taken rows in the order of their numbers, from row `first` on.
    pub(crate) fn iter_from(&self, first: u16) -> impl Iterator<Item = (RowId, &K, &V)> + Clone {
        // The rows come first in the zip: when they end, the numbers are not asked for one more.
        S::rows(&self.rows).iter().skip(first.into()).zip(first..).filter_map(|(row, number)| {
            Some((RowId::from_number(number)?, &row.key, row.value.as_ref()?))
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (RowId, &K, &V)> + Clone {
        self.iter_from(0)
    }

    /// Frees every row.
    pub(crate) fn clear(&mut self) {
        S::clear(&mut self.rows);
        S::heads_mut(&mut self.heads).as_flattened_mut().fill(None);
        self.free = None;
        self.len = 0;
    }

    /// Files every row anew under another seed; rows stay where they are.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.seed = seed;
        self.file_all();
    }

    fn file_all(&mut self) {
        S::heads_mut(&mut self.heads).as_flattened_mut().fill(None);
        for number in 0..S::rows(&self.rows).len() as u16 {
            let Some(id) = RowId::from_number(number) else { return };
            let Some(row) = S::rows(&self.rows).get(id.index()).filter(|row| row.value.is_some())
            else {
                continue;
            };
            let bucket = self.bucket(&row.key);
            let Some(head) = S::heads_mut(&mut self.heads).as_flattened_mut().get_mut(bucket)
            else {
                return;
            };
            let Some(row) = S::rows_mut(&mut self.rows).get_mut(id.index()) else { return };
            row.next = head.replace(id);
        }
    }

    /// True if every taken row is found under its key and every other row is in the free list.
    pub(crate) fn is_sound(&self) -> bool {
        let mut filed = 0u16;
        for (bucket, head) in S::heads(&self.heads).as_flattened().iter().enumerate() {
            for id in self.chain(*head) {
                // In its own bucket only, so no row is in two; and not more of them than there
                // are, so every chain ends.
                let is_here = self.get(id).is_some_and(|(key, _)| self.bucket(key) == bucket);
                if !is_here || filed >= self.len {
                    return false;
                }
                filed = filed.saturating_add(1);
            }
        }
        let mut free = 0usize;
        for id in self.chain(self.free) {
            let is_free =
                S::rows(&self.rows).get(id.index()).is_some_and(|row| row.value.is_none());
            if !is_free || free >= S::rows(&self.rows).len() {
                return false;
            }
            free = free.saturating_add(1);
        }
        let taken = self.iter().count();
        filed == self.len
            && taken == usize::from(self.len)
            && taken.checked_add(free) == Some(S::rows(&self.rows).len())
            && self.iter().all(|(id, key, _)| self.find(key) == Some(id))
    }

    fn chain(&self, head: Option<RowId>) -> impl Iterator<Item = RowId> {
        core::iter::successors(head, |id| S::rows(&self.rows).get(id.index())?.next)
    }

    /// The hash's share of the heads: any number of them, without a division.
    #[inline]
    fn bucket(&self, key: &K) -> usize {
        let heads = S::heads(&self.heads).as_flattened().len() as u64;
        (u64::from(hash(key, self.seed)).wrapping_mul(heads) >> 32) as usize
    }
}

/// On a small core one copy, which both tables share if their keys are of one type.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
fn hash<K: Hash>(key: &K, seed: u64) -> u32 {
    let mut hasher = KeyHasher::new(seed);
    key.hash(&mut hasher);
    hasher.hash()
}

#[cfg(test)]
pub(crate) mod scarce;
#[cfg(test)]
mod tests;
