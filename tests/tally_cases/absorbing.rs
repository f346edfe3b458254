//! Taking another tally in: all or nothing.

use super::*;
use runtally::{Counted, Counter, Counts, Overflow, Refusal, Summary, Tally};

#[test]
fn absorbing_takes_all_or_nothing() {
    let known = |devices: &[(Key, i64)]| {
        let mut tally: Tally<Key, Key, 4, 4> = Tally::new();
        for &(device, seconds) in devices {
            tally.apply(&event(device, Some(device), RunState::Success, seconds)).expect("room");
        }
        tally
    };
    // A new device takes the row of the tombstone that another's late report is told by.
    let mut tally: Tally<Key, Key, 2, 2> = Tally::new();
    tally.apply(&event(1, None, RunState::Fail, 0)).expect("room");
    tally.commit(&remove(2, 60)).expect("no limit near");
    let before = tally.clone();
    for other in [known(&[(3, 0), (2, 0)]), known(&[(2, 0), (3, 0)])] {
        let refused = tally.absorb(&other);
        assert!(refused.is_err() || tally.device_count() == 2);
        if refused.is_err() {
            assert_eq!(tally, before);
        }
        assert_eq!(tally.audit(), Ok(()));
        tally = before.clone();
    }
    // A late report is told by its tombstone before a new device takes that row.
    let mut roomy: Tally<Key, Key, 3, 4> = Tally::new();
    roomy.apply(&event(1, None, RunState::Fail, 0)).expect("room");
    roomy.commit(&remove(2, 60)).expect("no limit near");
    roomy.commit(&remove(4, 60)).expect("no limit near");
    assert_eq!(roomy.absorb(&known(&[(2, 0), (3, 0)])), Ok(()));
    assert!(roomy.device(&2).is_none() && roomy.device(&3).is_some());
    // And a later one brings its device back before.
    let mut roomy: Tally<Key, Key, 3, 4> = Tally::new();
    roomy.apply(&event(1, None, RunState::Fail, 0)).expect("room");
    roomy.commit(&remove(2, 60)).expect("no limit near");
    roomy.commit(&remove(4, 60)).expect("no limit near");
    assert_eq!(roomy.absorb(&known(&[(2, 90), (3, 0)])), Ok(()));
    assert!(roomy.device(&2).is_some() && roomy.device(&3).is_some());
    // And before another's removal takes it.
    let mut other = known(&[(2, 0)]);
    other.commit(&remove(9, 0)).expect("no limit near");
    assert_eq!(tally.absorb(&other), Ok(()));
    assert!(tally.device(&2).is_none());
    assert!(tally.tombstone(&9).is_some());
    // What is removed at the instant of its last report makes room; what was reported at the
    // instant of its removal takes none.
    let mut tally: Tally<Key, Key, 1, 1> = Tally::new();
    tally.apply(&event(1, Some(1), RunState::Fail, 0)).expect("room");
    let mut other = known(&[(1, 0)]);
    other.commit(&remove(1, 0)).expect("no limit near");
    other.apply(&event(2, Some(1), RunState::Success, 0)).expect("room");
    assert_eq!(tally.absorb(&other), Ok(()));
    assert!(tally.device(&2).is_some());
    let mut tally: Tally<Key, Key, 3, 1> = Tally::new();
    tally.apply(&event(1, Some(1), RunState::Fail, 0)).expect("room");
    tally.commit(&remove(2, 60)).expect("no limit near");
    assert_eq!(tally.absorb(&known(&[(2, 60)])), Ok(()));
    assert_eq!(tally.absorb(&known(&[(2, 0)])), Ok(()));
    assert_eq!(tally.device_count(), 1);
    // More users than there is room for, and more devices.
    let mut tally: Tally<Key, Key, 3, 1> = Tally::new();
    tally.apply(&event(1, Some(1), RunState::Fail, 0)).expect("room");
    let before = tally.clone();
    assert_eq!(tally.absorb(&known(&[(1, 1), (2, 0)])), Err(Refusal::UsersFull { capacity: 1 }));
    let refused = tally.absorb(&known(&[(1, 1), (2, 0), (3, 0), (4, 0)]));
    assert_eq!(refused, Err(Refusal::DevicesFull { capacity: 3 }));
    assert_eq!(tally, before);
    // What the other removed makes room.
    let mut tally: Tally<Key, Key, 3, 4> = Tally::new();
    tally.apply(&event(1, Some(1), RunState::Fail, 0)).expect("room");
    let mut other = known(&[(1, 0), (2, 0), (3, 0), (4, 0)]);
    other.commit(&remove(1, 1)).expect("no limit near");
    assert_eq!(tally.absorb(&other), Ok(()));
    assert!(tally.device(&1).is_none());
    assert!(tally.is_full());
    assert_eq!(tally.audit(), Ok(()));
}

#[test]
fn absorbing_needs_no_room_for_a_user_of_late_reports() {
    let success = |device, user, seconds| event(device, Some(user), RunState::Success, seconds);
    let mut tally: Tally<Key, Key, 1, 1> = Tally::new();
    tally.apply(&success(1, 1, 60)).expect("room");
    let mut other: Tally<Key, Key, 2, 2> = Tally::new();
    other.apply(&success(1, 2, 0)).expect("room");
    assert_eq!(tally.absorb(&other), Ok(()));
    assert!(tally.user(&2).is_none());

    // That a device of another user, retired there, is news here is nothing to this one.
    let mut tally: Tally<Key, Key, 2, 1> = Tally::new();
    tally.apply(&success(1, 1, 60)).expect("room");
    other.apply(&success(3, 1, 90)).expect("room");
    other.commit(&Change::Retire { device: 3 }).expect("no limit near");
    assert_eq!(tally.absorb(&other), Ok(()));
    assert!(tally.user(&2).is_none() && tally.device(&3).is_some());

    // For one of news it does, and without any takes nothing.
    let mut tally: Tally<Key, Key, 2, 1> = Tally::new();
    tally.apply(&success(1, 1, 0)).expect("room");
    tally.apply(&success(3, 1, 0)).expect("room");
    let before = tally.clone();
    let mut other: Tally<Key, Key, 2, 2> = Tally::new();
    other.apply(&success(3, 1, 60)).expect("room");
    other.apply(&success(1, 2, 60)).expect("room");
    assert_eq!(tally.absorb(&other), Err(Refusal::UsersFull { capacity: 1 }));
    assert_eq!(tally, before);
}

#[test]
fn absorbing_is_refused_only_where_a_counter_is_near_its_limit() {
    let mut other: Tally<Key, Key, 2, 2> = Tally::new();
    other.apply(&event(1, Some(1), RunState::Fail, 0)).expect("room");
    let carried = |count| Counts::ZERO.with(RunState::Fail, count).expect("in range");
    let summary = |devices, users| Summary { devices, users, last_run: None };
    for of in [Counted::Devices, Counted::Users] {
        for (count, fits) in [(Counts::MAX - 2, true), (Counts::MAX - 1, false)] {
            let mut tally: Tally<Key, Key, 2, 2> = Tally::new();
            let written = match of {
                Counted::Devices => summary(carried(count), Counts::ZERO),
                Counted::Users => summary(Counts::ZERO, carried(count)),
            };
            tally.commit(&Change::Declare(written)).expect("no rows");
            let refusal = Overflow(Counter { of, state: RunState::Fail });
            let expected = if fits { Ok(()) } else { Err(Refusal::Overflow(refusal)) };
            assert_eq!(tally.absorb(&other), expected);
        }
    }
    let user = |count| Change::DeclareUser { user: 2, devices: carried(count), last_update: None };
    let mut tally: Tally<Key, Key, 2, 2> = Tally::new();
    tally.commit(&user(Counts::MAX - 1)).expect("room");
    let refusal = Overflow(Counter { of: Counted::Devices, state: RunState::Fail });
    assert_eq!(tally.absorb(&other), Err(Refusal::UserOverflow(refusal)));
    tally.commit(&user(Counts::MAX - 2)).expect("room");
    assert_eq!(tally.absorb(&other), Ok(()));
}
