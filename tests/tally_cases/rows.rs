//! Rows, room and what they cost.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use super::*;
use runtally::{
    Counted, Counter, Counts, DeviceHandle, Effect, Overflow, Refusal, Summary, Tally, UserHandle,
};

#[test]
fn a_full_table_takes_known_devices_and_refuses_new_ones() {
    fn full<const N: usize>() {
        let mut tally: Box<Tally<Key, Key, N, N>> = Box::new(Tally::new());
        for key in 0..N as u16 {
            let effect = tally.apply(&event(key, Some(key), RunState::Pending, 0));
            assert_eq!(effect, Ok(Effect::Applied { before: None }), "{key} of {N}");
        }
        let capacity = N as u16;
        let new = event(capacity, None, RunState::Success, 0);
        assert_eq!(tally.apply(&new), Err(Refusal::DevicesFull { capacity }));
        let new_user = event(0, Some(capacity), RunState::Success, 1);
        assert_eq!(
            tally.check(&Change::Event(new_user)),
            Ok(Effect::Applied { before: Some(RunState::Pending) })
        );
        for key in 0..N as u16 {
            let effect = tally.apply(&event(key, Some(key), RunState::Success, 1));
            assert_eq!(effect, Ok(Effect::Applied { before: Some(RunState::Pending) }));
        }
        assert_eq!(tally.summary().devices[RunState::Success], u32::from(capacity));
        assert_eq!(tally.summary().users[RunState::Success], u32::from(capacity));
        assert_eq!(tally.audit(), Ok(()));

        // A row that was freed is as good as a new one.
        let removed = tally.commit(&remove(capacity / 2, 1));
        assert_eq!(removed, Ok(Effect::Applied { before: Some(RunState::Success) }));
        assert_eq!(tally.apply(&new), Ok(Effect::Applied { before: None }));
        assert_eq!(
            tally.apply(&event(capacity + 1, None, RunState::Success, 0)),
            Err(Refusal::DevicesFull { capacity })
        );
        assert_eq!(tally.audit(), Ok(()));
    }
    full::<1>();
    full::<2>();
    full::<3>();
    full::<33>();
    full::<500>();
}

#[test]
fn the_largest_table_has_room_for_65534() {
    // On a thread of its own: the tally is larger than a test's stack.
    let run = || {
        let mut tally: Box<Tally<u16, u16, 65_534, 1>> = Box::new(Tally::new());
        for device in 0..65_534 {
            tally.apply(&event(device, None, RunState::Success, 0)).expect("room");
        }
        assert_eq!(
            tally.apply(&event(65_534, None, RunState::Success, 0)),
            Err(Refusal::DevicesFull { capacity: 65_534 })
        );
        assert_eq!(tally.summary().devices[RunState::Success], 65_534);
        assert_eq!(tally.devices().count(), 65_534);
        assert_eq!(tally.find(&65_533).map(DeviceHandle::number), Some(65_533));
        assert_eq!(tally.audit(), Ok(()));
    };
    std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(run)
        .expect("a thread")
        .join()
        .expect("the assertions hold");
}

#[test]
fn a_list_may_begin_behind_the_last_row() {
    let mut tally: Tally<Key, Key, 2, 2> = Tally::new();
    tally.apply(&event(7, Some(1), RunState::Success, 0)).expect("room");
    for first in [1, 2, 3, 65_533, 65_534, 65_535] {
        assert_eq!(tally.devices_from(first).next(), None);
        assert_eq!(tally.users_from(first).next(), None);
    }
}

#[test]
fn a_user_row_freed_by_an_event_is_there_for_its_new_user() {
    let mut tally: Tally<Key, Key, 2, 1> = Tally::new();
    tally.apply(&event(1, Some(1), RunState::Fail, 0)).expect("room");
    let moved = tally.apply(&event(1, Some(2), RunState::Fail, 1));
    assert_eq!(moved, Ok(Effect::Applied { before: Some(RunState::Fail) }));
    assert!(tally.users().map(|user| *user.user).eq([2]));

    // Not if another device or a declaration keeps the row.
    tally.apply(&event(2, Some(2), RunState::Success, 0)).expect("room");
    let refused = Err(Refusal::UsersFull { capacity: 1 });
    assert_eq!(tally.apply(&event(1, Some(3), RunState::Fail, 2)), refused);
    tally.commit(&remove(2, 9)).expect("no limit near");
    tally
        .commit(&Change::DeclareUser {
            user: 2,
            devices: tally.user(&2).expect("known").reported(),
            last_update: None,
        })
        .expect("above live");
    assert_eq!(tally.apply(&event(1, Some(3), RunState::Fail, 2)), refused);
    let undeclared = tally.commit(&Change::UndeclareUser { user: 2 });
    assert_eq!(undeclared, Ok(Effect::Applied { before: None }));
    assert!(tally.apply(&event(1, Some(3), RunState::Fail, 2)).is_ok());
}

#[test]
fn a_counter_at_its_limit_refuses_one_more_and_takes_one_that_stays() {
    let mut tally: Tally<Key, Key, 4, 4> = Tally::new();
    tally.apply(&event(1, Some(1), RunState::Fail, 0)).expect("room");
    let most = |state| Counts::ZERO.with(state, 2_147_483_647).expect("the limit");
    let written = Summary { devices: most(RunState::Fail), ..*tally.summary() };
    tally.commit(&Change::Declare(written)).expect("above live");
    let counter = Counter { of: Counted::Devices, state: RunState::Fail };
    let full = Err(Refusal::Overflow(Overflow(counter)));
    assert_eq!(tally.apply(&event(2, None, RunState::Fail, 0)), full);
    assert_eq!(tally.check(&Change::Event(event(2, None, RunState::Fail, 0))), full);
    assert!(tally.apply(&event(1, Some(1), RunState::Fail, 1)).is_ok());
    assert!(tally.apply(&event(1, Some(2), RunState::Fail, 2)).is_ok());
    assert!(tally.apply(&event(1, None, RunState::Success, 3)).is_ok());
    assert!(tally.apply(&event(2, None, RunState::Fail, 0)).is_ok());
    assert_eq!(tally.summary().devices[RunState::Fail], 2_147_483_647);
    assert_eq!(tally.audit(), Ok(()));
}

#[test]
fn of_two_user_counters_at_their_limit_the_first_by_number_is_named() {
    let mut tally: Tally<Key, Key, 4, 4> = Tally::new();
    tally.apply(&event(1, Some(1), RunState::NotApplicable, 0)).expect("room");
    tally.apply(&event(2, Some(1), RunState::Fail, 0)).expect("room");
    let written = RunState::ALL
        .into_iter()
        .fold(Counts::ZERO, |counts, state| counts.with(state, Counts::MAX).expect("the limit"));
    let written = Summary { users: written, ..*tally.summary() };
    tally.commit(&Change::Declare(written)).expect("above live");
    // User 1 would fall to not applicable, user 2 come to succeed.
    let refused = tally.apply(&event(2, Some(2), RunState::Success, 1));
    let counter = Counter { of: Counted::Users, state: RunState::Success };
    assert_eq!(refused, Err(Refusal::Overflow(Overflow(counter))));
    let refused = tally.commit(&remove(2, 9));
    let counter = Counter { of: Counted::Users, state: RunState::NotApplicable };
    assert_eq!(refused, Err(Refusal::Overflow(Overflow(counter))));
    assert_eq!(tally.audit(), Ok(()));
}

#[test]
fn a_device_takes_at_most_36_bytes_index_included() {
    // The difference of two capacities is what a row takes, all told; of two whose tables end at
    // the end of a cache line, since a table takes whole ones on a 64-bit core.
    const ROWS: usize = 1_024;
    let small = size_of::<Tally<[u8; 16], u16, 1_024, 1>>();
    let large = size_of::<Tally<[u8; 16], u16, 2_048, 1>>();
    assert!(large - small <= 36 * ROWS, "{} bytes", (large - small) / ROWS);
}

/// A device's key that is watched: how often it is hashed, and how often compared.
#[derive(Clone, Debug)]
struct Watched(u16);

thread_local!(static WATCHED: Cell<(u32, u32)> = const { Cell::new((0, 0)) });

impl Hash for Watched {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (hashed, compared) = WATCHED.get();
        WATCHED.set((hashed + 1, compared));
        self.0.hash(state);
    }
}

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        let (hashed, compared) = WATCHED.get();
        WATCHED.set((hashed, compared + 1));
        self.0 == other.0
    }
}

impl Eq for Watched {}

#[test]
fn a_row_number_saves_the_hash() {
    let mut tally: Tally<Watched, Key, 8, 1> = Tally::new();
    let event = |device, seconds| Event {
        device: Watched(device),
        user: None,
        state: RunState::Success,
        at: at(seconds),
    };
    tally.apply(&event(1, 0)).expect("room");
    tally.apply(&event(2, 0)).expect("room");
    let row = tally.find(&Watched(2)).expect("known");
    WATCHED.set((0, 0));
    let effect = tally.apply_at(row, &event(2, 1));
    assert_eq!(effect, Ok(Effect::Applied { before: Some(RunState::Success) }));
    assert_eq!(WATCHED.get(), (0, 1), "hashed, compared");
    let effect = tally.apply_at(row, &event(1, 1));
    assert_eq!(effect, Ok(Effect::Applied { before: Some(RunState::Success) }));
    assert_eq!(WATCHED.get().0, 1, "another's row, so it is looked up");
}

#[test]
fn another_seed_puts_keys_into_other_buckets() {
    let mut tally: Tally<Watched, Key, 64, 1> = Tally::new();
    for device in 0..64 {
        let device = Watched(device);
        tally
            .apply(&Event { device, user: None, state: RunState::Success, at: at(0) })
            .expect("room");
    }
    let mut compared = BTreeSet::new();
    for seed in 0..16 {
        tally.reseed(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        WATCHED.set((0, 0));
        assert!((0..64).all(|device| tally.find(&Watched(device)).is_some()));
        compared.insert(WATCHED.get().1);
    }
    assert!(compared.len() > 4, "keys compared under 16 seeds: {compared:?}");
}

#[test]
fn an_empty_tally_is_a_constant() {
    const EMPTY: Tally<u16, u16, 8, 8> = Tally::new();
    static STATIC: Tally<u16, u16, 500, 33> = Tally::new();
    assert_eq!(EMPTY.summary(), &Summary::ZERO);
    assert_eq!(STATIC.audit(), Ok(()));
    assert_eq!(EMPTY, Tally::default());
}

#[test]
fn an_effect_names_the_state_before() {
    let mut tally: Tally<Key, Key, 1, 1> = Tally::new();
    let mut before = None;
    for (seconds, state) in (0..).zip(RunState::ALL) {
        let effect = tally.apply(&event(1, Some(1), state, seconds));
        assert_eq!(effect, Ok(Effect::Applied { before }));
        before = Some(state);
    }
}

#[test]
fn tallies_differ_if_anything_they_keep_differs() {
    type Small = Tally<Key, Key, 2, 2>;
    let base = || {
        let mut tally = Small::new();
        tally.apply(&event(1, Some(1), RunState::Fail, 0)).expect("room");
        tally
    };
    let one = || Counts::ZERO.with(RunState::Fail, 1).expect("in range");
    let changes: [fn(Counts) -> Change<Key, Key>; 10] = [
        |_| Change::Event(event(1, Some(1), RunState::Fail, 1)),
        |_| Change::Event(event(1, Some(2), RunState::Fail, 0)),
        |_| Change::Event(event(2, None, RunState::Fail, 0)),
        |_| Change::Retire { device: 1 },
        |_| remove(1, 1),
        |_| remove(2, 1),
        |devices| Change::DeclareUser { user: 1, devices, last_update: Some(at(0)) },
        |_| Change::DeclareUser { user: 2, devices: Counts::ZERO, last_update: None },
        |_| Change::RunFrom(at(-1)),
        |devices| {
            let users = Counts::ZERO.with(RunState::Fail, 2).expect("in range");
            Change::Declare(Summary { devices, users, last_run: Some(at(0)) })
        },
    ];
    assert_eq!(base(), base());
    for (number, change) in changes.into_iter().enumerate() {
        let mut other = base();
        other.commit(&change(one())).expect("room");
        assert_ne!(base(), other, "change {number}");
        assert_ne!(other, base(), "change {number}");
    }
    // The same summary, counted another way.
    let mut carried = Small::new();
    carried.commit(&Change::Declare(*base().summary())).expect("no rows");
    let mut retired = base();
    retired.commit(&Change::Retire { device: 1 }).expect("no limit near");
    assert_eq!(retired.summary(), carried.summary());
    assert_ne!(retired, carried);
    // Removed at another time; removed and retired; retired in another state.
    let after = |changes: &[Change<Key, Key>]| {
        let mut tally = Small::new();
        for change in changes {
            tally.commit(change);
        }
        tally
    };
    assert_ne!(after(&[remove(1, 0)]), after(&[remove(1, 1)]));
    assert_ne!(after(&[remove(1, 0)]), after(&[remove(2, 0)]));
    let retire = Change::Retire { device: 1 };
    let [success, fail] =
        [RunState::Success, RunState::Fail].map(|state| Change::Event(event(1, None, state, 0)));
    assert_ne!(after(&[fail, retire]), after(&[success, retire]));
    let (retired, removed) = (after(&[fail, retire]), after(&[fail, remove(1, 0)]));
    assert_ne!(retired, removed);
    // Tombstones of another age, in other rows, are the same.
    assert_eq!(after(&[remove(1, 0), remove(2, 0)]), after(&[remove(2, 0), remove(1, 0)]));
}

#[test]
fn handles_are_the_numbers_of_rows() {
    for number in [0, 1, 65_533] {
        assert_eq!(DeviceHandle::from_number(number).map(DeviceHandle::number), Some(number));
        assert_eq!(UserHandle::from_number(number).map(UserHandle::number), Some(number));
    }
    for number in [65_534, 65_535] {
        assert_eq!(DeviceHandle::from_number(number), None);
        assert_eq!(UserHandle::from_number(number), None);
    }
}

#[test]
fn lists_know_their_length() {
    let mut tally: Tally<Key, Key, 8, 8> = Tally::new();
    for device in 0..6 {
        tally.apply(&event(device, Some(device % 3), RunState::Success, 0)).expect("room");
    }
    tally.commit(&remove(1, 0)).expect("no limit near");
    tally.commit(&Change::Retire { device: 3 }).expect("no limit near");
    let (mut devices, mut users) = (tally.devices(), tally.users());
    for left in (0..4).rev() {
        assert!(devices.next().is_some());
        assert_eq!((devices.len(), devices.size_hint()), (left, (left, Some(left))));
    }
    for left in (0..3).rev() {
        assert!(users.next().is_some());
        assert_eq!((users.len(), users.size_hint()), (left, (left, Some(left))));
    }
    assert!(devices.next().is_none() && users.next().is_none());
    assert_eq!((devices.len(), users.len()), (0, 0));
}
