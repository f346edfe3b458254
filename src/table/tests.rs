use core::cell::Cell;
use core::hash::{Hash, Hasher};
use std::boxed::Box;
use std::collections::{BTreeMap, BTreeSet};
use std::thread_local;
use std::vec::Vec;

use proptest::prelude::*;

#[cfg(feature = "alloc")]
use super::Heap;
use super::{MAX_ROWS, RowId, Storage, Table, scarce};

#[cfg(feature = "graph")]
impl<K, V, const N: usize> Table<K, V, N> {
    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Insert(u8, u32),
    Change(u8, u32),
    Remove(u8),
    /// Gives the row of one key to another.
    Replace(u8, u8, u32),
    Reseed(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        8 => (0..24u8, any::<u32>()).prop_map(|(key, value)| Act::Insert(key, value)),
        2 => (0..24u8, any::<u32>()).prop_map(|(key, value)| Act::Change(key, value)),
        4 => (0..24u8).prop_map(Act::Remove),
        4 => (0..24u8, 0..24u8, any::<u32>())
            .prop_map(|(key, new, value)| Act::Replace(key, new, value)),
        1 => any::<u64>().prop_map(Act::Reseed),
    ];
    prop::collection::vec(act, 0..96)
}

/// What the table must be: keys and values, and the row each key got.
#[derive(Default)]
struct Mirror {
    rows: BTreeMap<u8, (RowId, u32)>,
}

fn act<const N: usize, S: Storage>(
    table: &mut Table<u8, u32, N, S>,
    mirror: &mut Mirror,
    act: Act,
) {
    match act {
        Act::Insert(key, value) if !mirror.rows.contains_key(&key) => {
            let row = table.insert(&key, value);
            assert_eq!(row.is_some(), mirror.rows.len() < N, "N means N");
            if let Some(row) = row {
                assert!(usize::from(row.number()) < N);
                mirror.rows.insert(key, (row, value));
            }
        }
        Act::Insert(key, value) | Act::Change(key, value) => match mirror.rows.get_mut(&key) {
            Some((row, mirrored)) => {
                *table.value_mut(*row).unwrap() = value;
                *mirrored = value;
            }
            None => assert_eq!(table.find(&key), None),
        },
        Act::Remove(key) => {
            let removed = mirror.rows.remove(&key);
            let found = table.find(&key);
            assert_eq!(found, removed.map(|(row, _)| row));
            if let Some((row, value)) = removed {
                assert_eq!(table.remove(row), Some(value));
                assert_eq!(table.remove(row), None, "free already");
                assert_eq!(table.get(row), None);
                assert_eq!(table.get_mut(row), None);
                assert_eq!(table.value_mut(row), None);
            }
        }
        Act::Replace(key, new, value) => {
            if mirror.rows.contains_key(&new) {
                return;
            }
            if let Some((row, _)) = mirror.rows.remove(&key) {
                assert_eq!(table.replace(row, &new, value), Some(row));
                mirror.rows.insert(new, (row, value));
            } else {
                // A row that is free, or was never used, is not replaced.
                let taken: BTreeSet<u16> =
                    mirror.rows.values().map(|(row, _)| row.number()).collect();
                for number in (0..N as u16).filter(|number| !taken.contains(number)) {
                    let row = RowId::from_number(number).unwrap();
                    assert_eq!(table.replace(row, &new, value), None);
                }
            }
        }
        Act::Reseed(seed) => table.reseed(seed),
    }
}

fn assert_mirrored<const N: usize, S: Storage>(table: &Table<u8, u32, N, S>, mirror: &Mirror) {
    assert!(table.is_sound());
    assert_eq!(usize::from(table.len()), mirror.rows.len());
    assert_eq!(table.is_full(), mirror.rows.len() == N);
    for key in 0..25 {
        let expected = mirror.rows.get(&key);
        assert_eq!(table.find(&key), expected.map(|(row, _)| *row));
        if let Some((row, value)) = expected {
            assert_eq!(table.get(*row), Some((&key, value)));
        }
    }
    let by_row: BTreeMap<RowId, (u8, u32)> =
        mirror.rows.iter().map(|(key, (row, value))| (*row, (*key, *value))).collect();
    assert_eq!(by_row.len(), mirror.rows.len(), "no row is two keys'");
    for first in [0, 1, 3, N as u16, u16::MAX] {
        let expected = by_row.iter().filter(|(row, _)| row.number() >= first);
        let expected = expected.map(|(row, (key, value))| (*row, key, value));
        assert!(table.iter_from(first).eq(expected));
    }
}

proptest! {
    #[test]
    fn a_table_is_a_map_whose_keys_keep_their_rows(acts in acts()) {
        fn run<const N: usize, S: Storage>(mut table: Table<u8, u32, N, S>, acts: &[Act]) {
            let mut mirror = Mirror::default();
            for &next in acts {
                act(&mut table, &mut mirror, next);
                assert_mirrored(&table, &mirror);
                table = if let Act::Reseed(_) = next { table.clone() } else { table };
            }
        }
        run(Table::<_, _, 1>::new(), &acts);
        run(Table::<_, _, 5>::new(), &acts);
        run(Table::<_, _, 16>::new(), &acts);
        run(Table::<_, _, 24>::new(), &acts);
        #[cfg(feature = "alloc")]
        {
            run(Table::<_, _, 1, Heap>::growing(), &acts);
            run(Table::<_, _, 16, Heap>::growing(), &acts);
            run(Table::<_, _, 65_534, Heap>::growing(), &acts);
        }
    }
}

#[cfg(feature = "alloc")]
#[test]
fn rows_on_the_heap_grow_a_sixteenth_at_a_time_up_to_the_limit() {
    const LIMIT: usize = 1_000;
    let mut table: Table<u16, (), LIMIT, Heap> = Table::growing();
    assert_eq!(table.heap_bytes(), 0);
    let row = size_of::<super::Row<u16, ()>>() + size_of::<[Option<RowId>; 2]>();
    for key in 0..LIMIT as u16 {
        assert!(!table.is_full());
        assert_eq!(table.insert(&key, ()), RowId::from_number(key));
        let rows = usize::from(key) + 1;
        let most = (rows + rows / 16 + 4).min(LIMIT);
        assert!(table.heap_bytes() <= most * row, "{rows} rows");
    }
    assert!(table.is_full() && table.is_sound());
    assert_eq!(table.insert(&u16::MAX, ()), None);
    assert_eq!(table.heap_bytes(), LIMIT * row);
    assert!(table.iter().map(|(row, ..)| row.number()).eq(0..LIMIT as u16));

    // Room for many at once, and none beyond the limit.
    let mut table: Table<u16, (), LIMIT, Heap> = Table::growing();
    assert!(table.make_room(700) && table.make_room(700));
    assert_eq!(table.heap_bytes(), 700 * row);
    assert!(table.make_room(2 * LIMIT));
    assert_eq!(table.heap_bytes(), LIMIT * row);
}

#[test]
fn without_memory_a_row_is_refused_and_nothing_lost() {
    let mut table = scarce::table::<u8, u8, 8>();
    scarce::allow(3);
    for key in 0..3 {
        assert!(table.insert(&key, key).is_some());
    }
    assert!(!table.make_room(1) && !table.is_full());
    assert_eq!(table.insert(&3, 3), None);
    assert!(table.is_sound());
    assert_eq!((0..4).filter(|key| table.find(key).is_some()).count(), 3);
    let row = table.find(&1).unwrap();
    assert_eq!(table.remove(row), Some(1));
    assert!(table.make_room(1) && !table.make_room(2));
    assert_eq!(table.insert(&3, 3), Some(row));
    scarce::allow(1);
    assert!(table.insert(&4, 4).is_some() && table.is_sound());
}

#[test]
fn rows_are_numbered_up_to_the_largest_table() {
    assert_eq!(MAX_ROWS, 65_534);
    for number in [0, 1, 65_533] {
        assert_eq!(RowId::from_number(number).unwrap().number(), number);
        assert_eq!(RowId::from_number(number).unwrap().index(), usize::from(number));
    }
    assert_eq!(RowId::from_number(65_534), None);
    assert_eq!(RowId::from_number(65_535), None);
    assert_eq!(size_of::<Option<RowId>>(), 2);
}

#[test]
fn freed_rows_are_used_again_before_new_ones() {
    let mut table: Table<u8, (), 8> = Table::new();
    let rows: Vec<RowId> = (0..4).map(|key| table.insert(&key, ()).unwrap()).collect();
    table.remove(rows[1]);
    table.remove(rows[3]);
    let again: BTreeSet<u16> =
        (10..12).map(|key| table.insert(&key, ()).unwrap().number()).collect();
    assert_eq!(again, BTreeSet::from([1, 3]));
    assert_eq!(table.insert(&12, ()).map(RowId::number), Some(4));
}

/// A key that counts how often it is compared.
#[derive(Debug, Clone)]
struct Counting(u64);

thread_local!(static COMPARED: Cell<u32> = const { Cell::new(0) });

impl PartialEq for Counting {
    fn eq(&self, other: &Self) -> bool {
        COMPARED.set(COMPARED.get() + 1);
        self.0 == other.0
    }
}

impl Eq for Counting {}

impl Hash for Counting {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// The most keys compared to find any of these, and all of them together.
fn compared<const N: usize>(table: &Table<Counting, (), N>, keys: &[u64]) -> (u32, u32) {
    let find = |&key: &u64| {
        COMPARED.set(0);
        assert!(table.find(&Counting(key)).is_some());
        COMPARED.get()
    };
    let each: Vec<u32> = keys.iter().map(find).collect();
    (each.iter().copied().max().unwrap(), each.iter().sum())
}

#[test]
fn a_full_table_compares_as_few_keys_as_a_half_full_one() {
    let mut table: Box<Table<Counting, (), 1_024>> = Box::new(Table::new());
    let keys: Vec<u64> = (0..1_024).map(|key| key * 0x9E37_79B9).collect();
    for &key in &keys[..512] {
        table.insert(&Counting(key), ());
    }
    let (_, half) = compared(&table, &keys[..512]);
    for &key in &keys[512..] {
        table.insert(&Counting(key), ());
    }
    let (longest, full) = compared(&table, &keys);
    // A perfect hash compares 1.125 keys and 1.25 keys.
    assert!(half <= 512 * 125 / 100, "{half} for 512 keys, half full");
    assert!(full <= 1_024 * 140 / 100, "{full} for 1024 keys, full");
    assert!(longest <= 8, "{longest}");
}

/// The worst that chosen keys can do, and what a seed does about it.
#[test]
fn chosen_keys_cost_a_walk_through_them_all_until_the_table_is_seeded() {
    let mut table: Box<Table<Counting, (), 64>> = Box::new(Table::new());
    let bucket = table.bucket(&Counting(0));
    let chosen: Vec<u64> =
        (0..).filter(|&key| table.bucket(&Counting(key)) == bucket).take(64).collect();
    for &key in &chosen {
        table.insert(&Counting(key), ()).unwrap();
    }
    assert_eq!(compared(&table, &chosen), (64, 64 * 65 / 2), "one chain of 64");

    let mut seed = 0x5EED_u64;
    let (mut longest, mut most) = (0, 0);
    for _ in 0..200 {
        seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        table.reseed(seed);
        assert!(table.is_sound());
        let (longest_now, all) = compared(&table, &chosen);
        longest = longest.max(longest_now);
        most = most.max(all);
    }
    // Over 200 seeds that nobody knew when the keys were chosen.
    assert!(longest <= 12, "{longest} keys in a row, of 64");
    assert!(most <= 64 * 3, "{most} keys compared to find 64");
}

#[test]
fn an_equal_key_may_be_spelled_anew_and_no_other() {
    #[derive(Clone, Debug)]
    struct Name(&'static str);
    impl PartialEq for Name {
        fn eq(&self, other: &Self) -> bool {
            self.0.eq_ignore_ascii_case(other.0)
        }
    }
    impl Eq for Name {}
    impl Hash for Name {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.len().hash(state);
        }
    }
    let mut table: Table<Name, u8, 2> = Table::new();
    let row = table.insert(&Name("ada"), 7).unwrap();
    table.respell(row, &Name("Ada"));
    assert_eq!(table.get(row).map(|(name, value)| (name.0, *value)), Some(("Ada", 7)));
    table.respell(row, &Name("bob"));
    assert_eq!(table.get(row).map(|(name, _)| name.0), Some("Ada"));
}

/// Four of five keys in, two of them chained, one row freed.
fn sound() -> Table<u8, u8, 5> {
    let mut table = Table::new();
    let first = table.bucket(&0);
    let second = (1..=u8::MAX).find(|key| table.bucket(key) == first).unwrap();
    let others = (1..=u8::MAX).filter(|&key| key != second);
    for key in [0, second].into_iter().chain(others.take(3)) {
        table.insert(&key, key).unwrap();
    }
    let freed = RowId::from_number(3).unwrap();
    table.remove(freed);
    assert!(table.is_sound());
    table
}

#[test]
fn every_damaged_part_of_a_table_is_found() {
    type Damage = (&'static str, fn(&mut Table<u8, u8, 5>));
    let damages: [Damage; 14] = [
        ("another seed", |table| table.seed = 1),
        ("one row more", |table| table.len += 1),
        ("one row less", |table| table.len -= 1),
        ("no free list", |table| table.free = None),
        ("a taken row in the free list", |table| table.free = RowId::from_number(0)),
        ("a row that never was in the free list", |table| table.free = RowId::from_number(5)),
        ("a free list that goes round", |table| table.rows[3].next = RowId::from_number(3)),
        ("another key", |table| table.rows[2].key = 200),
        ("a key twice", |table| table.rows[1].key = 0),
        ("a taken row without value", |table| table.rows[2].value = None),
        ("a free row with a value", |table| table.rows[3].value = Some(1)),
        ("a chain cut short", |table| {
            for head in table.heads.as_flattened_mut() {
                if let Some(id) = *head
                    && table.rows[id.index()].next.is_some()
                {
                    table.rows[id.index()].next = None;
                }
            }
        }),
        ("a chain that goes round", |table| table.rows[0].next = RowId::from_number(1)),
        ("a head that is gone", |table| {
            let head = table.heads.as_flattened_mut().iter_mut().find(|head| head.is_some());
            *head.unwrap() = None;
        }),
    ];
    for (name, damage) in damages {
        let mut table = sound();
        damage(&mut table);
        assert!(!table.is_sound(), "{name}");
    }
    // A chain that leads into another bucket's.
    let mut table = sound();
    let ends: Vec<usize> = (0..5).filter(|&at| table.rows[at].next.is_none()).collect();
    for (from, to) in ends.iter().flat_map(|&from| ends.iter().map(move |&to| (from, to))) {
        if from != 3 {
            table.rows[from].next = RowId::from_number(to as u16);
            assert!(!table.is_sound(), "row {from} leads to {to}");
            table = sound();
        }
    }
}
