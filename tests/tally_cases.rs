//! The tally, case by case: capacity, limits, cost, and every message.

#![expect(unused_must_use, reason = "what an event came to is seen in the tally")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use runtally::{
    Counter, Counts, DateTime, Event, Of, Outcome, Overflow, Refusal, RowId, RunState, Summary,
    Tally, Violation,
};

type Key = u16;
type Recorded = Event<Key, Key>;

/// Seconds after 2026-11-21T09:30:00Z.
fn at(seconds: i64) -> DateTime {
    DateTime::from_ticks((1_795_253_400 + seconds) * 10_000_000, 0).expect("in range")
}

fn event(device: Key, user: Option<Key>, state: RunState, seconds: i64) -> Recorded {
    Event { device, user, state, at: at(seconds) }
}

#[test]
fn a_full_table_takes_known_devices_and_refuses_new_ones() {
    fn full<const N: usize>() {
        let mut tally: Box<Tally<Key, Key, N, N>> = Box::new(Tally::new());
        for key in 0..N as u16 {
            let outcome = tally.apply(&event(key, Some(key), RunState::Pending, 0));
            assert_eq!(outcome, Ok(Outcome::Applied { before: None }), "{key} of {N}");
        }
        let capacity = N as u16;
        let new = event(capacity, None, RunState::Success, 0);
        assert_eq!(tally.apply(&new), Err(Refusal::DevicesFull { capacity }));
        let new_user = event(0, Some(capacity), RunState::Success, 1);
        assert_eq!(
            tally.check(&new_user),
            Ok(Outcome::Applied { before: Some(RunState::Pending) })
        );
        for key in 0..N as u16 {
            let outcome = tally.apply(&event(key, Some(key), RunState::Success, 1));
            assert_eq!(outcome, Ok(Outcome::Applied { before: Some(RunState::Pending) }));
        }
        assert_eq!(tally.summary().devices[RunState::Success], u32::from(capacity));
        assert_eq!(tally.summary().users[RunState::Success], u32::from(capacity));
        assert_eq!(tally.audit(), Ok(()));

        // A row that was freed is as good as a new one.
        assert!(tally.remove(&(capacity / 2)).expect("no limit near").is_some());
        assert_eq!(tally.apply(&new), Ok(Outcome::Applied { before: None }));
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
        assert_eq!(tally.find(&65_533).map(RowId::number), Some(65_533));
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
    assert_eq!(moved, Ok(Outcome::Applied { before: Some(RunState::Fail) }));
    assert!(tally.users().map(|user| *user.user).eq([2]));

    // Not if another device or a declaration keeps the row.
    tally.apply(&event(2, Some(2), RunState::Success, 0)).expect("room");
    let refused = Err(Refusal::UsersFull { capacity: 1 });
    assert_eq!(tally.apply(&event(1, Some(3), RunState::Fail, 2)), refused);
    tally.remove(&2).expect("no limit near");
    tally.declare_user(&2, tally.user(&2).expect("known").reported(), None).expect("above live");
    assert_eq!(tally.apply(&event(1, Some(3), RunState::Fail, 2)), refused);
    assert_eq!(tally.undeclare_user(&2), Ok(true));
    assert!(tally.apply(&event(1, Some(3), RunState::Fail, 2)).is_ok());
}

#[test]
fn a_counter_at_its_limit_refuses_one_more_and_takes_one_that_stays() {
    let mut tally: Tally<Key, Key, 4, 4> = Tally::new();
    tally.apply(&event(1, Some(1), RunState::Fail, 0)).expect("room");
    let most = |state| Counts::ZERO.with(state, 2_147_483_647).expect("the limit");
    let written = Summary { devices: most(RunState::Fail), ..*tally.summary() };
    tally.declare(&written).expect("above live");
    let counter = Counter { of: Of::Devices, state: RunState::Fail };
    let full = Err(Refusal::Overflow(Overflow(counter)));
    assert_eq!(tally.apply(&event(2, None, RunState::Fail, 0)), full);
    assert_eq!(tally.check(&event(2, None, RunState::Fail, 0)), full);
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
    tally.declare(&Summary { users: written, ..*tally.summary() }).expect("above live");
    // User 1 would fall to not applicable, user 2 come to succeed.
    let refused = tally.apply(&event(2, Some(2), RunState::Success, 1));
    let counter = Counter { of: Of::Users, state: RunState::Success };
    assert_eq!(refused, Err(Refusal::Overflow(Overflow(counter))));
    let refused = tally.remove(&2);
    let counter = Counter { of: Of::Users, state: RunState::NotApplicable };
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
    let outcome = tally.apply_at(row, &event(2, 1));
    assert_eq!(outcome, Ok(Outcome::Applied { before: Some(RunState::Success) }));
    assert_eq!(WATCHED.get(), (0, 1), "hashed, compared");
    let outcome = tally.apply_at(row, &event(1, 1));
    assert_eq!(outcome, Ok(Outcome::Applied { before: Some(RunState::Success) }));
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
fn an_outcome_names_the_state_before() {
    let mut tally: Tally<Key, Key, 1, 1> = Tally::new();
    let mut before = None;
    for (seconds, state) in (0..).zip(RunState::ALL) {
        let outcome = tally.apply(&event(1, Some(1), state, seconds));
        assert_eq!(outcome, Ok(Outcome::Applied { before }));
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
    let one = Counts::ZERO.with(RunState::Fail, 1).expect("in range");
    let changes: [fn(&mut Small, Counts); 7] = [
        |tally, _| _ = tally.apply(&event(1, Some(1), RunState::Fail, 1)),
        |tally, _| _ = tally.apply(&event(1, Some(2), RunState::Fail, 0)),
        |tally, _| _ = tally.apply(&event(2, None, RunState::Fail, 0)),
        |tally, _| _ = tally.retire(&1),
        |tally, _| _ = tally.remove(&1),
        |tally, one| tally.declare_user(&1, one, Some(at(0))).expect("equals live"),
        |tally, _| tally.declare_user(&2, Counts::ZERO, None).expect("room"),
    ];
    assert_eq!(base(), base());
    for (number, change) in changes.into_iter().enumerate() {
        let mut other = base();
        change(&mut other, one);
        assert_ne!(base(), other, "change {number}");
        assert_ne!(other, base(), "change {number}");
    }
    // The same summary, counted another way.
    let (mut live, mut carried) = (base(), Small::new());
    live.remove(&1).expect("no limit near");
    carried.declare(&Summary { last_run: Some(at(0)), ..Summary::ZERO }).expect("no rows");
    assert_eq!(live, carried);
    let mut retired = base();
    retired.retire(&1);
    carried.declare(base().summary()).expect("no rows");
    assert_eq!(retired.summary(), carried.summary());
    assert_ne!(retired, carried);
}

#[test]
fn every_refusal_says_what_an_operator_needs() {
    let devices = Counter { of: Of::Devices, state: RunState::ScriptError };
    let users = Counter { of: Of::Users, state: RunState::NotApplicable };
    let (early, late) = (at(0), at(60));
    let told = [
        (
            Refusal::DevicesFull { capacity: 500 },
            "no room for another device: all 500 rows are taken; retire or remove one",
        ),
        (
            Refusal::UsersFull { capacity: 33 },
            "no room for another user: all 33 rows are taken; a row goes with the user's last device",
        ),
        (
            Refusal::Overflow(Overflow(users)),
            "notApplicableUserCount would pass its limit, 2147483647",
        ),
        (
            Refusal::UserOverflow(Overflow(devices)),
            "errorDeviceCount of the user would pass its limit, 2147483647",
        ),
        (
            Refusal::BelowLive { counter: users, written: 3, live: 4 },
            "notApplicableUserCount was declared as 3, but 4 are counted here",
        ),
        (
            Refusal::BeforeRow { of: Of::Devices, written: Some(early), latest: late },
            "lastRunDateTime was declared as 2026-11-21T09:30:00Z, \
             but a row counted here is of 2026-11-21T09:31:00Z",
        ),
        (
            Refusal::BeforeRow { of: Of::Devices, written: None, latest: late },
            "lastRunDateTime was declared as null, \
             but a row counted here is of 2026-11-21T09:31:00Z",
        ),
        (
            Refusal::BeforeRow { of: Of::Users, written: Some(early), latest: late },
            "lastStateUpdateDateTime was declared as 2026-11-21T09:30:00Z, \
             but a row counted here is of 2026-11-21T09:31:00Z",
        ),
    ];
    for (refusal, sentence) in told {
        assert_eq!(refusal.to_string(), sentence);
    }
}

#[test]
fn every_violation_says_what_is_broken() {
    let counter = Counter { of: Of::Devices, state: RunState::Fail };
    let told = [
        (Violation::Table { of: Of::Devices }, "the table of devices is not sound"),
        (Violation::Table { of: Of::Users }, "the table of users is not sound"),
        (Violation::Chain, "a user's chain does not hold all of that user's devices"),
        (
            Violation::Count { counter, kept: 3, counted: 2 },
            "failedDeviceCount is kept as 3 live, but 2 rows say so",
        ),
        (
            Violation::UserCount { counter, kept: 3, counted: 2 },
            "failedDeviceCount of a user is kept as 3 live, but 2 rows say so",
        ),
        (Violation::UserState, "a user's run state does not follow from its counts"),
        (
            Violation::Carried { counter },
            "failedDeviceCount carries more than it reports, or passes 2147483647",
        ),
        (
            Violation::LastRun { latest: at(0) },
            "the last run is earlier than a row's, 2026-11-21T09:30:00Z",
        ),
    ];
    for (violation, sentence) in told {
        assert_eq!(violation.to_string(), sentence);
    }
}
