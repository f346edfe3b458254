//! Tallies whose rows grow on the heap, beside those whose rows lie inside.

use proptest::prelude::*;
use runtally::snapshot::{Snapshot, SnapshotReader};
use runtally::strategies::changes;
use runtally::{Event, Heap, Refusal, RunState, Storage, Tally};

proptest! {
    #[test]
    fn whatever_happens_both_are_the_same(
        changes in prop::collection::vec(changes(0..9u16, 0..6u16), 0..80),
    ) {
        let mut inline: Tally<u16, u16, 6, 4> = Tally::new();
        let mut heap: Tally<u16, u16, 6, 4, Heap> = Tally::growing();
        for change in &changes {
            prop_assert_eq!(inline.check(change), heap.check(change));
            prop_assert_eq!(inline.commit(change), heap.commit(change));
            prop_assert_eq!(inline.summary(), heap.summary());
        }
        prop_assert_eq!(heap.audit(), Ok(()));
        prop_assert!(inline.entries().eq(heap.entries()));

        // Each takes the other in, whole or as bytes.
        let mut heap_of_inline: Tally<u16, u16, 65_534, 65_534, Heap> = Tally::growing();
        let mut inline_of_heap: Tally<u16, u16, 12, 8> = Tally::new();
        prop_assert_eq!(heap_of_inline.absorb(&inline), Ok(()));
        prop_assert_eq!(inline_of_heap.absorb(&heap), Ok(()));
        prop_assert!(heap_of_inline.entries().eq(inline_of_heap.entries()));
        let mut restored: Tally<u16, u16, 65_534, 65_534, Heap> = Tally::growing();
        restore(&mut restored, &inline);
        prop_assert_eq!(restored.audit(), Ok(()));
        let mut back: Tally<u16, u16, 6, 4> = Tally::new();
        restore(&mut back, &restored);
        prop_assert_eq!(&back, &inline);
    }
}

fn restore<S, T, const A: usize, const B: usize, const C: usize, const D: usize>(
    to: &mut Tally<u16, u16, A, B, S>,
    from: &Tally<u16, u16, C, D, T>,
) where
    S: Storage,
    T: Storage,
{
    let (mut snapshot, mut reader) = (Snapshot::new(from), SnapshotReader::restore());
    let mut buffer = [0; 256];
    while let Some(piece) = snapshot.next(&mut buffer).expect("a buffer of enough bytes") {
        assert_eq!(reader.read(to, piece), Ok(piece.len()));
    }
    assert!(reader.is_complete());
}

#[test]
fn a_tally_grows_to_its_limit_and_no_further() {
    const LIMIT: u16 = 65_534;
    let mut tally: Tally<u32, u32, { LIMIT as usize }, 65_534, Heap> = Tally::growing();
    let empty = tally.memory();
    assert_eq!(empty, size_of_val(&tally));
    assert!(empty < 1024, "{empty} bytes before there is a row");
    let at = "2026-11-21T09:30Z".parse().expect("a date-time");
    let event = |device| Event { device, user: Some(device / 2), state: RunState::Fail, at };
    let mut before = empty;
    for device in 0..LIMIT.into() {
        assert!(tally.apply(&event(device)).expect("a row").is_applied());
        let memory = tally.memory();
        assert!(memory >= before);
        before = memory;
    }
    assert!(tally.is_full());
    let refused = tally.apply(&event(LIMIT.into()));
    assert_eq!(refused, Err(Refusal::DevicesFull { capacity: LIMIT }));
    assert_eq!((tally.audit(), tally.memory()), (Ok(()), before));
    assert_eq!(tally.user_count(), usize::from(LIMIT) / 2);

    let twin = tally.clone();
    assert_eq!(twin, tally);
    assert!(twin.memory() <= tally.memory());
    tally.reseed(7);
    assert_eq!(twin, tally);
    tally.clear();
    assert_eq!((tally.audit(), tally.device_count()), (Ok(()), 0));
    assert!(tally.apply(&event(3)).expect("a row").is_applied());
    assert_eq!(tally.audit(), Ok(()));
}
