//! A storage that has memory for as many rows as a test allows.

use core::cell::Cell;
use std::thread_local;
use std::vec::Vec;

use super::storage::kind::Kind;
use super::{Storage, Table};

thread_local! {
    static LEFT: Cell<usize> = const { Cell::new(0) };
}

/// From now on there is memory for so many more rows, of whatever table.
pub(crate) fn allow(rows: usize) {
    LEFT.set(rows);
}

pub(crate) const fn table<K, V, const N: usize>() -> Table<K, V, N, Scarce> {
    Table { rows: Vec::new(), heads: Vec::new(), free: None, len: 0, seed: 0 }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Scarce;

impl Storage for Scarce {}

impl Kind for Scarce {
    type Rows<T, const N: usize> = Vec<T>;
    /// As many as there is room for rows.
    type Heads<H: Copy, const N: usize> = Vec<[H; 2]>;

    fn rows<T, const N: usize>(rows: &Vec<T>) -> &[T] {
        rows
    }

    fn rows_mut<T, const N: usize>(rows: &mut Vec<T>) -> &mut [T] {
        rows
    }

    fn heads<H: Copy, const N: usize>(heads: &Vec<[H; 2]>) -> &[[H; 2]] {
        heads
    }

    fn heads_mut<H: Copy, const N: usize>(heads: &mut Vec<[H; 2]>) -> &mut [[H; 2]] {
        heads
    }

    fn push<T, const N: usize>(rows: &mut Vec<T>, row: T) -> Result<(), T> {
        if rows.len() >= rows.capacity() {
            return Err(row);
        }
        rows.push(row);
        Ok(())
    }

    fn clear<T, const N: usize>(rows: &mut Vec<T>) {
        rows.clear();
    }

    fn grow<T, H: Copy, const N: usize>(
        rows: &mut Vec<T>,
        heads: &mut Vec<[H; 2]>,
        more: usize,
        none: H,
    ) -> bool {
        let wanted = (rows.len() + more).min(N).saturating_sub(heads.len());
        if wanted == 0 || LEFT.get() < wanted {
            return false;
        }
        LEFT.set(LEFT.get() - wanted);
        heads.resize(heads.len() + wanted, [none; 2]);
        rows.reserve_exact(heads.len() - rows.len());
        true
    }

    fn has_room<T, H: Copy, const N: usize>(
        rows: &Vec<T>,
        heads: &Vec<[H; 2]>,
        more: usize,
    ) -> bool {
        (rows.len() + more).min(N) <= heads.len()
    }

    fn heap_bytes<T, H: Copy, const N: usize>(_: &Vec<T>, _: &Vec<[H; 2]>) -> usize {
        0
    }

    fn clone_rows<T: Clone, const N: usize>(rows: &Vec<T>) -> Vec<T> {
        let mut clone = Vec::with_capacity(rows.capacity());
        clone.extend_from_slice(rows);
        clone
    }

    fn clone_heads<H: Copy, const N: usize>(heads: &Vec<[H; 2]>) -> Vec<[H; 2]> {
        heads.clone()
    }
}
