//! The rules that hold in the field, case by case.

use std::time::Duration;

use super::*;
use runtally::{
    Counted, Counter, Counts, DeviceHandle, Effect, Entry, Gate, Kept, Overflow, Refusal,
    RunStates, Summary, Tally, Totals, Verdict,
};

/// A report of 2026-11-21.
fn reported(device: Key, state: RunState, time: &str) -> Change<Key, Key> {
    let at = instant(&format!("2026-11-21T{time}"));
    Change::Event(Event { device, user: Some(1), state, at })
}

/// The tally after these changes, which is the same in the opposite order.
fn in_either_order(changes: &[Change<Key, Key>]) -> Tally<Key, Key, 4, 4> {
    let (mut tally, mut backwards) = (Tally::new(), Tally::new());
    for change in changes {
        tally.commit(change).expect("room");
    }
    for change in changes.iter().rev() {
        backwards.commit(change).expect("room");
    }
    assert_eq!(tally, backwards);
    assert_eq!(tally.audit(), Ok(()));
    tally
}

#[test]
fn r1_of_two_reports_in_one_second_the_final_one_counts() {
    let tally = in_either_order(&[
        reported(1, RunState::Pending, "09:30:00Z"),
        reported(1, RunState::Success, "09:30:00Z"),
    ]);
    assert_eq!(tally.summary().devices, Counts::ZERO.with(RunState::Success, 1).expect("one"));
    assert_eq!(tally.summary().users, tally.summary().devices);
}

#[test]
fn r2_a_zone_does_not_say_which_report_came_later() {
    let tally = in_either_order(&[
        reported(2, RunState::Fail, "09:30:00-05:00"),
        reported(2, RunState::Success, "15:30:00+01:00"),
    ]);
    assert_eq!(tally.summary().devices, Counts::ZERO.with(RunState::Fail, 1).expect("one"));
    assert_eq!(tally.summary().last_run, Some(instant("2026-11-21T14:30:00Z")));
}

#[test]
fn r3_a_late_copy_does_not_bring_a_removed_device_back() {
    let mut tally: Tally<Key, Key, 4, 4> = Tally::new();
    let success = reported(3, RunState::Success, "09:30:00Z");
    tally.commit(&success).expect("room");
    let removal = Change::Remove { device: 3, at: instant("2026-11-21T12:00:00Z") };
    let removed = tally.commit(&removal);
    assert_eq!(removed, Ok(Effect::Applied { before: Some(RunState::Success) }));
    assert_eq!(tally.commit(&success), Ok(Effect::Stale));
    assert_eq!(tally.device_count(), 0);
    assert_eq!(tally.summary().devices, Counts::ZERO);
    // A removal stands above every state of its instant; what is later is news.
    let stale = tally.commit(&reported(3, RunState::ScriptError, "12:00:00Z"));
    assert_eq!(stale, Ok(Effect::Stale));
    let back = tally.commit(&reported(3, RunState::Fail, "12:00:00.0000001Z"));
    assert_eq!(back, Ok(Effect::Applied { before: None }));
    assert_eq!(tally.summary().devices[RunState::Fail], 1);
}

#[test]
fn r4_a_retired_device_that_reports_again_is_one_device() {
    let mut tally: Tally<Key, Key, 4, 4> = Tally::new();
    tally.commit(&reported(4, RunState::Success, "09:30:00Z")).expect("room");
    tally.commit(&Change::Retire { device: 4 }).expect("no limit near");
    assert_eq!((tally.device_count(), tally.summary().devices.total()), (0, 1));
    let back = tally.commit(&reported(4, RunState::Fail, "10:00:00Z"));
    assert_eq!(back, Ok(Effect::Applied { before: Some(RunState::Success) }));
    assert_eq!(tally.summary().devices, Counts::ZERO.with(RunState::Fail, 1).expect("one"));
    assert_eq!(tally.summary().users, tally.summary().devices);
    assert_eq!(tally.carried(Counted::Devices), Counts::ZERO);
}

#[test]
fn r5_and_r6_a_wrong_clock_does_no_harm_where_events_are_stamped() {
    let earliest = instant("2001-01-01T00:00:00Z");
    let day = Duration::from_secs(24 * 3_600);
    let stamped = |change, now: &str| match change {
        Change::Event(event) => Change::Event(event.received(instant(now), earliest, day)),
        change => change,
    };
    let mut tally: Tally<Key, Key, 4, 4> = Tally::new();
    let wrong = |state, at| Change::Event(Event { device: 5, user: None, state, at: instant(at) });
    let (nine, ten) = ("2026-11-21T09:00:00Z", "2026-11-21T10:00:00Z");
    tally.commit(&wrong(RunState::Pending, nine));
    let rebooted = wrong(RunState::Success, "1970-01-01T00:00:05Z");
    let applied = tally.commit(&stamped(rebooted, "2026-11-21T09:01:00Z"));
    assert_eq!(applied, Ok(Effect::Applied { before: Some(RunState::Pending) }));
    assert_eq!(tally.summary().devices[RunState::Success], 1);

    let ahead = wrong(RunState::Success, "9999-12-31T23:59:59Z");
    tally.commit(&stamped(ahead, ten)).expect("room");
    assert_eq!(tally.summary().last_run, Some(instant(ten)));
    tally.commit(&wrong(RunState::Fail, "2026-11-21T10:00:01Z")).expect("room");
    assert_eq!(tally.summary().devices[RunState::Fail], 1);
}

#[test]
fn r10_a_removal_and_an_earlier_report_come_to_the_same_in_either_order() {
    let tally = in_either_order(&[
        reported(6, RunState::Fail, "11:00:00+01:00"),
        Change::Remove { device: 6, at: instant("2026-11-21T12:00:00Z") },
    ]);
    assert_eq!(tally.device_count(), 0);
    assert_eq!(tally.summary().last_run, Some(instant("2026-11-21T10:00:00Z")));
    let tombstone = Entry::Removed { device: &6, at: instant("2026-11-21T12:00:00Z") };
    assert!(tally.tombstones().eq([tombstone]));
}

/// The device and the time of each tombstone, in seconds.
fn tombstones<const N: usize>(tally: &Tally<Key, Key, N, 4>) -> Vec<(Key, i64)> {
    tally
        .tombstones()
        .map(|entry| match entry {
            Entry::Removed { device, at } => (*device, at),
            Entry::Retired { event, .. } => (*event.device, event.at),
            entry => panic!("no tombstone: {entry:?}"),
        })
        .map(|(device, then)| (device, (then.ticks() - at(0).ticks()) / 10_000_000))
        .collect()
}

#[test]
fn a_new_device_takes_a_row_never_used_and_then_the_one_freed_longest_ago() {
    let mut tally: Tally<Key, Key, 4, 4> = Tally::new();
    for device in 1..=3 {
        tally.apply(&event(device, Some(1), RunState::Success, 0)).expect("room");
    }
    tally.commit(&remove(2, 1)).expect("no limit near");
    tally.commit(&Change::Retire { device: 1 }).expect("no limit near");
    tally.commit(&remove(3, 1)).expect("no limit near");
    assert_eq!(tombstones(&tally), [(2, 1), (1, 0), (3, 1)]);
    // Removed again, or removed after it was retired: the row was freed when it was freed.
    tally.commit(&remove(2, 5)).expect("no limit near");
    tally.commit(&remove(1, 5)).expect("no limit near");
    assert_eq!(tombstones(&tally), [(2, 5), (1, 5), (3, 1)]);

    // The fourth row was never used.
    tally.apply(&event(4, None, RunState::Success, 0)).expect("room");
    assert_eq!(tally.find(&4).map(DeviceHandle::number), Some(3));
    assert_eq!(tombstones(&tally).len(), 3);
    // A device that returns takes its own.
    tally.apply(&event(1, None, RunState::Success, 6)).expect("room");
    assert_eq!(tally.find(&1).map(DeviceHandle::number), Some(0));
    assert_eq!(tombstones(&tally), [(2, 5), (3, 1)]);
    tally.apply(&event(5, None, RunState::Success, 0)).expect("room");
    assert_eq!(tombstones(&tally), [(3, 1)]);
    // What is forgotten is news again.
    assert_eq!(tally.check(&remove(2, 0)), Ok(Effect::Applied { before: None }));
    // The removal of a device that is not known takes the last.
    tally.commit(&remove(9, 2)).expect("no limit near");
    assert_eq!(tombstones(&tally), [(9, 2)]);
    tally.apply(&event(6, None, RunState::Success, 0)).expect("room");
    assert!(tally.is_full());
    assert_eq!(tombstones(&tally), []);
    // With no row to remember it in, it is not remembered.
    assert_eq!(tally.commit(&remove(9, 2)), Ok(Effect::Unknown));
    assert_eq!(
        tally.apply(&event(9, None, RunState::Fail, 0)),
        Err(Refusal::DevicesFull { capacity: 4 })
    );
    assert_eq!(tally.audit(), Ok(()));
}

#[test]
fn removing_a_retired_device_takes_back_what_was_carried_for_it() {
    let mut tally: Tally<Key, Key, 4, 4> = Tally::new();
    tally.apply(&event(1, Some(1), RunState::Fail, 0)).expect("room");
    tally.commit(&Change::Retire { device: 1 }).expect("no limit near");
    assert_eq!(tally.user(&1).and_then(|user| user.last_update), Some(at(0)));
    let removed = tally.commit(&remove(1, 0));
    assert_eq!(removed, Ok(Effect::Applied { before: Some(RunState::Fail) }));
    assert_eq!(tally.summary().devices, Counts::ZERO);
    assert_eq!(tally.summary().users, Counts::ZERO);
    assert_eq!(tally.user_count(), 0);
    assert_eq!(tally.commit(&remove(1, 0)), Ok(Effect::Duplicate));
    assert_eq!(tally.commit(&Change::Retire { device: 1 }), Ok(Effect::Unknown));
}

#[test]
fn a_users_last_update_reads_the_same_after_a_device_is_retired() {
    let elsewhere = |offset| DateTime::from_ticks(at(0).ticks(), offset).expect("in range");
    for (offsets, declared) in [
        ([0, 60], None),
        ([60, 0], None),
        ([0, 60], Some(elsewhere(-480))),
        ([60, 0], Some(elsewhere(120))),
    ] {
        let mut tally: Tally<Key, Key, 4, 4> = Tally::new();
        for (device, offset) in (1..).zip(offsets) {
            let at = elsewhere(offset);
            let event = Event { at, ..event(device, Some(1), RunState::Fail, 0) };
            tally.apply(&event).expect("room");
        }
        if declared.is_some() {
            let devices = tally.user(&1).expect("known").reported();
            tally.commit(&Change::DeclareUser { user: 1, devices, last_update: declared });
        }
        let shown =
            |tally: &Tally<Key, Key, 4, 4>| tally.user(&1).and_then(|user| user.last_update);
        assert_eq!(shown(&tally), declared.or(Some(elsewhere(60))));
        for device in [1, 2] {
            tally.commit(&Change::Retire { device }).expect("no limit near");
            assert_eq!(shown(&tally), declared.or(Some(elsewhere(60))), "{offsets:?}");
        }
    }
}

#[test]
fn what_was_declared_away_is_not_taken_back() {
    let mut tally: Tally<Key, Key, 4, 4> = Tally::new();
    tally.apply(&event(1, Some(1), RunState::Fail, 0)).expect("room");
    tally.commit(&Change::Retire { device: 1 }).expect("no limit near");
    let none = Summary { devices: Counts::ZERO, ..*tally.summary() };
    tally.commit(&Change::Declare(none)).expect("no rows");
    // The user's share is still there, and each goes on its own.
    let back = tally.apply(&event(1, Some(2), RunState::Success, 1));
    assert_eq!(back, Ok(Effect::Applied { before: None }));
    assert_eq!(tally.summary().devices, Counts::ZERO.with(RunState::Success, 1).expect("one"));
    assert!(tally.user(&1).is_none());
    assert_eq!(tally.user_state(&2), Some(RunState::Success));
    assert_eq!(tally.audit(), Ok(()));
}

#[test]
fn what_was_carried_is_the_state_that_counted() {
    let mut tally: Tally<Key, Key, 4, 4> = Tally::new();
    tally.apply(&event(1, Some(1), RunState::Success, 0)).expect("room");
    tally.commit(&Change::RunFrom(at(1))).expect("no limit near");
    tally.commit(&Change::Retire { device: 1 }).expect("no limit near");
    let one = |state| Counts::ZERO.with(state, 1).expect("one");
    assert_eq!(tally.carried(Counted::Devices), one(RunState::Pending));
    let recorded = event(1, Some(1), RunState::Success, 0);
    let tombstone = Entry::Retired { event: recorded.as_ref(), counted: RunState::Pending };
    assert_eq!(tally.tombstone(&1), Some(tombstone));
    let back = tally.apply(&event(1, Some(1), RunState::Success, 1));
    assert_eq!(back, Ok(Effect::Applied { before: Some(RunState::Pending) }));
    assert_eq!(tally.summary().devices, one(RunState::Success));
    assert_eq!(tally.summary().users, one(RunState::Success));
}

#[test]
fn a_roll_out_that_begins_anew_waits_for_every_device() {
    let mut tally: Tally<Key, Key, 4, 4> = Tally::new();
    for (device, seconds) in [(1, 0), (2, 9), (3, 10)] {
        tally.apply(&event(device, Some(device), RunState::Success, seconds)).expect("room");
    }
    let elsewhere = DateTime::from_ticks(at(10).ticks(), 60).expect("in range");
    let effect = tally.commit(&Change::RunFrom(elsewhere));
    assert_eq!(effect, Ok(Effect::Applied { before: None }));
    assert_eq!(tally.run_from(), Some(at(10)));
    for counts in [tally.summary().devices, tally.summary().users] {
        assert_eq!((counts[RunState::Pending], counts[RunState::Success]), (2, 1));
    }
    assert_eq!(tally.commit(&Change::RunFrom(at(10))), Ok(Effect::Duplicate));
    assert_eq!(tally.commit(&Change::RunFrom(at(9))), Ok(Effect::Stale));
    // A report from before counts as pending, too, and one from then on as it is.
    let late = tally.apply(&event(1, Some(1), RunState::Fail, 9));
    assert_eq!(late, Ok(Effect::Applied { before: Some(RunState::Pending) }));
    assert_eq!(tally.summary().devices[RunState::Pending], 2);
    let now = tally.apply(&event(1, Some(1), RunState::Fail, 10));
    assert_eq!(now, Ok(Effect::Applied { before: Some(RunState::Pending) }));
    assert_eq!(tally.summary().devices[RunState::Fail], 1);
    assert_eq!(tally.audit(), Ok(()));
}

#[test]
fn beginning_anew_is_refused_where_a_counter_would_pass_its_limit() {
    let most = Counts::ZERO.with(RunState::Pending, Counts::MAX).expect("the limit");
    let mut base: Tally<Key, Key, 4, 4> = Tally::new();
    base.apply(&event(1, Some(1), RunState::Success, 0)).expect("room");
    let counter = |of| Overflow(Counter { of, state: RunState::Pending });
    let cases = [
        (
            Change::Declare(Summary {
                devices: most.with(RunState::Success, 1).expect("one"),
                ..*base.summary()
            }),
            Refusal::Overflow(counter(Counted::Devices)),
        ),
        (
            Change::DeclareUser {
                user: 1,
                devices: most.with(RunState::Success, 1).expect("one"),
                last_update: None,
            },
            Refusal::UserOverflow(counter(Counted::Devices)),
        ),
        (
            Change::Declare(Summary {
                users: most.with(RunState::Success, 1).expect("one"),
                ..*base.summary()
            }),
            Refusal::Overflow(counter(Counted::Users)),
        ),
    ];
    for (declared, refusal) in cases {
        let mut tally = base.clone();
        tally.commit(&declared).expect("above live");
        let before = tally.clone();
        assert_eq!(tally.commit(&Change::RunFrom(at(1))), Err(refusal));
        assert_eq!(tally, before);
        assert_eq!(tally.run_from(), None);
        assert_eq!(tally.commit(&Change::RunFrom(at(0))), Ok(Effect::Applied { before: None }));
    }
}

#[test]
fn a_tombstone_forgets_a_user_whose_row_goes() {
    let mut tally: Tally<Key, Key, 4, 2> = Tally::new();
    tally.apply(&event(1, Some(1), RunState::Fail, 0)).expect("room");
    tally.commit(&Change::Retire { device: 1 }).expect("no limit near");
    tally.commit(&Change::UndeclareUser { user: 1 }).expect("no limit near");
    assert_eq!(tally.user_count(), 0);
    // Another user gets the row, and a declared count that is not the retired device's.
    let devices = Counts::ZERO.with(RunState::Fail, 3).expect("three");
    tally.commit(&Change::DeclareUser { user: 2, devices, last_update: None }).expect("room");
    tally.apply(&event(1, Some(2), RunState::Success, 1)).expect("room");
    let user = tally.user(&2).expect("declared");
    assert_eq!(user.carried, devices, "nothing is taken from another");
    assert_eq!(tally.audit(), Ok(()));
}

#[test]
fn a_tombstone_forgets_a_user_whose_last_device_goes() {
    for moves in [true, false] {
        let mut tally: Tally<Key, Key, 4, 2> = Tally::new();
        tally.apply(&event(1, Some(1), RunState::Fail, 0)).expect("room");
        tally.apply(&event(2, Some(1), RunState::Fail, 0)).expect("room");
        tally.commit(&Change::Retire { device: 1 }).expect("no limit near");
        // Nothing is carried, but the other device keeps the row; then that goes, too.
        tally.commit(&Change::UndeclareUser { user: 1 }).expect("no limit near");
        let last = if moves {
            tally.apply(&event(2, Some(2), RunState::Fail, 1))
        } else {
            tally.commit(&remove(2, 1))
        };
        assert_eq!(last, Ok(Effect::Applied { before: Some(RunState::Fail) }));
        let recorded = event(1, None, RunState::Fail, 0);
        let tombstone = Entry::Retired { event: recorded.as_ref(), counted: RunState::Fail };
        assert_eq!(tally.tombstone(&1), Some(tombstone));
        assert_eq!(tally.audit(), Ok(()));
    }
}

#[test]
fn totals_complete_what_was_restored() {
    type Small = Tally<Key, Key, 4, 1>;
    let fail = |count| Counts::ZERO.with(RunState::Fail, count).expect("in range");
    let totals = |seconds, run_from| {
        let (last_run, run_from) = (Some(at(seconds)), Some(at(run_from)));
        Entry::Totals(Totals { last_run, run_from, ..Totals::default() })
    };
    let recorded = event(1, Some(1), RunState::Fail, 5);

    // The last run is no earlier than a row, and the roll-out does not begin earlier again.
    let mut tally = Small::new();
    tally.restore(&Entry::Device(recorded)).expect("room");
    tally.restore(&totals(0, 6)).expect("no limit near");
    tally.restore(&totals(0, 1)).expect("no limit near");
    assert_eq!(tally.summary().last_run, Some(at(5)));
    assert_eq!(tally.run_from(), Some(at(6)));
    assert_eq!(tally.user_state(&1), Some(RunState::Pending));
    assert_eq!(tally.audit(), Ok(()));

    // Whom nothing keeps, has no row.
    let mut tally = Small::new();
    let retired = Entry::Retired { event: recorded, counted: RunState::Fail };
    tally.restore(&retired).expect("room");
    assert_eq!(tally.user_count(), 1);
    tally.restore(&totals(5, 0)).expect("no limit near");
    assert_eq!(tally.user_count(), 0);
    assert!(tally.tombstones().map(Entry::cloned).all(|entry| entry != retired), "no link");
    assert_eq!(tally.audit(), Ok(()));

    // Rows and limits.
    let mut tally = Small::new();
    tally.restore(&Entry::Device(recorded)).expect("room");
    let kept = Kept { declared: true, ..Kept::default() };
    let refused = tally.restore(&Entry::User { user: 2, kept });
    assert_eq!(refused, Err(Refusal::UsersFull { capacity: 1 }));
    let kept = Kept { carried: fail(Counts::MAX), ..kept };
    tally.restore(&Entry::User { user: 1, kept }).expect("a row");
    let counter = Counter { of: Counted::Devices, state: RunState::Fail };
    assert_eq!(tally.restore(&totals(5, 0)), Err(Refusal::UserOverflow(Overflow(counter))));
    let kept = Kept { carried: fail(Counts::MAX - 1), ..kept };
    tally.restore(&Entry::User { user: 1, kept }).expect("a row");
    for of in [Counted::Devices, Counted::Users] {
        let carried = fail(Counts::MAX);
        let totals = match of {
            Counted::Devices => Totals { devices: carried, ..Totals::default() },
            Counted::Users => Totals { users: carried, ..Totals::default() },
        };
        let overflow = Overflow(Counter { of, state: RunState::Fail });
        assert_eq!(tally.restore(&Entry::Totals(totals)), Err(Refusal::Overflow(overflow)));
    }
    tally.restore(&totals(5, 0)).expect("within the limit");
    assert_eq!(tally.audit(), Ok(()));
}

#[test]
fn overdue_is_told_to_the_tick() {
    let mut tally: Tally<Key, Key, 4, 4> = Tally::new();
    tally.apply(&event(1, Some(1), RunState::Pending, 0)).expect("room");
    tally.apply(&event(2, Some(1), RunState::Success, 0)).expect("room");
    tally.apply(&event(3, None, RunState::Pending, 5)).expect("room");
    tally.commit(&Change::Retire { device: 3 }).expect("no limit near");
    for (seconds, nanoseconds, overdue) in [
        (1, 1_000_000_000, 1),
        (1, 1_000_000_001, 0),
        (1, 999_999_901, 1),
        (0, 0, 1),
        (0, 1, 0),
        (-1, 0, 0),
    ] {
        assert_eq!(tally.overdue(at(seconds), Duration::from_nanos(nanoseconds)), overdue);
    }
    let summary = tally.summary_at(at(9), Duration::ZERO, RunState::ScriptError).expect("far");
    let states = |counts: Counts| {
        [RunState::Success, RunState::ScriptError, RunState::Pending].map(|state| counts[state])
    };
    assert_eq!(states(summary.devices), [1, 1, 1], "a retired device has no row to be overdue");
    assert_eq!(states(summary.users), [0, 1, 0]);
    assert_eq!(summary.last_run, tally.summary().last_run);
    // A success that comes late is a success all the same.
    tally.apply(&event(1, Some(1), RunState::Success, 6)).expect("room");
    assert_eq!(tally.overdue(DateTime::MAX, Duration::ZERO), 0);
}

#[test]
fn a_gate_is_plain_arithmetic() {
    let gate = Gate::default();
    let summary = |failed, succeeded| Summary {
        devices: Counts::try_from([0, succeeded, failed, 0, 7, 7]).expect("in range"),
        ..Summary::ZERO
    };
    assert_eq!(gate.verdict(&summary(0, 0)), Verdict::TooFew);
    assert_eq!(gate.verdict(&summary(0, 1)), Verdict::Below);
    assert_eq!(gate.verdict(&summary(1, 65_533)), Verdict::Reached);
    let gate = Gate { per_10_000: 1, ..gate };
    assert_eq!(gate.verdict(&summary(1, 9_999)), Verdict::Reached);
    assert_eq!(gate.verdict(&summary(1, 10_000)), Verdict::Below);
    // At least one must have executed it, whatever is asked for.
    let none = Gate { minimum: 0, per_10_000: 0, ..gate };
    assert_eq!(none.verdict(&summary(0, 0)), Verdict::TooFew);
    assert_eq!(none.verdict(&summary(0, 1)), Verdict::Below, "nothing has failed");
    assert_eq!(none.verdict(&summary(1, 1)), Verdict::Reached);
    // Nothing is too large.
    let most =
        Summary { devices: Counts::try_from([Counts::MAX; 6]).expect("in range"), ..Summary::ZERO };
    let all: RunStates = RunState::ALL.into_iter().collect();
    let gate = Gate { failed: all, executed: all, minimum: u32::MAX, per_10_000: u32::MAX };
    assert_eq!(gate.verdict(&most), Verdict::Below);
    assert_eq!(Gate { per_10_000: 10_000, ..gate }.verdict(&most), Verdict::Reached);
    assert_eq!(Gate { per_10_000: 10_001, ..gate }.verdict(&most), Verdict::Below);
}

#[test]
fn a_state_that_is_added_twice_stays_in_the_set() {
    let failed = RunStates::NONE.with(RunState::Fail);
    assert_eq!(failed.with(RunState::Fail), failed);
}

#[test]
fn a_received_event_keeps_its_time_within_the_bounds_and_takes_now_beyond_them() {
    let (earliest, now) = (at(-1_000), at(0));
    let ahead = Duration::from_nanos(10_000_000_099);
    let received = |ticks: i64, offset| {
        let at = DateTime::from_ticks(ticks, offset).expect("in range");
        Event { at, ..event(1, Some(1), RunState::Fail, 0) }.received(now, earliest, ahead)
    };
    let kept = [at(-1_000).ticks(), at(0).ticks(), at(10).ticks()];
    for ticks in kept {
        for offset in [0, 60, -480] {
            let event = received(ticks, offset);
            assert_eq!((event.at.ticks(), event.at.offset()), (ticks, offset));
            assert_eq!((event.device, event.user, event.state), (1, Some(1), RunState::Fail));
        }
    }
    for ticks in
        [at(-1_000).ticks() - 1, at(10).ticks() + 1, 0, DateTime::MAX.ticks() - 864_000_000_000 * 2]
    {
        assert_eq!(received(ticks, 0).at, now);
    }
    // Without a limit ahead, and without device time.
    let event = Event { at: DateTime::MAX, ..event(1, None::<Key>, RunState::Fail, 0) };
    assert_eq!(event.received(now, earliest, Duration::MAX).at, DateTime::MAX);
    let event = Event { at: DateTime::MIN, ..event };
    assert_eq!(event.received(now, earliest, Duration::MAX).at, now);
}
