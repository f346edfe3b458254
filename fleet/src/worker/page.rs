//! Pages: rows in the order of their ids. So a page goes on where the last one ended whatever came
//! or went meanwhile, and whoever holds the rows by then.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::ask::Cursor;

/// The rows with the smallest ids after one.
pub(crate) struct Smallest<T> {
    most: usize,
    after: Option<Uuid>,
    rows: BTreeMap<Uuid, T>,
}

impl<T> Smallest<T> {
    pub(crate) const fn new(most: usize, after: Option<Uuid>) -> Self {
        Self { most, after, rows: BTreeMap::new() }
    }

    pub(crate) fn offer(&mut self, id: Uuid, row: T) {
        let is_late = self.after.is_some_and(|after| id <= after);
        let is_beyond = self.rows.len() >= self.most
            && self.rows.last_key_value().is_none_or(|(last, _)| id > *last);
        if is_late || is_beyond {
            return;
        }
        self.rows.insert(id, row);
        if self.rows.len() > self.most {
            self.rows.pop_last();
        }
    }

    pub(crate) fn into_sorted(self) -> impl Iterator<Item = T> {
        self.rows.into_values()
    }
}

/// A page over the shards of a roll-out, in ascending order, from a cursor on. `offer` offers the
/// rows of a shard.
pub(crate) fn page<'s, S: 's, T>(
    shards: impl Iterator<Item = (u16, &'s S)>,
    from: Cursor,
    most: usize,
    offer: impl Fn(u16, &'s S, &mut Smallest<T>),
) -> impl Iterator<Item = T> {
    let mut page = Vec::new();
    for (shard, rows) in shards.filter(|(shard, _)| *shard >= from.shard) {
        if page.len() >= most {
            break;
        }
        let after = from.after.filter(|_| shard == from.shard);
        let mut smallest = Smallest::new(most - page.len(), after);
        offer(shard, rows, &mut smallest);
        page.extend(smallest.into_sorted());
    }
    page.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_meet_every_row_once() {
        let ids: Vec<_> = (0..50u128).map(|n| n.wrapping_mul(0x9E37_79B9) % 1009).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let mut page = Smallest::new(7, after);
            for id in &ids {
                page.offer(Uuid::from_u128(*id), *id);
            }
            let page: Vec<_> = page.into_sorted().collect();
            let Some(last) = page.last() else { break };
            after = Some(Uuid::from_u128(*last));
            seen.extend(page);
        }
        assert_eq!(seen, sorted);
    }
}
