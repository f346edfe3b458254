use std::vec::Vec;

use proptest::prelude::*;

use super::record::{Linked, RunFrom, Stamp, Tombstone};
use super::{DeviceRecord, Tally, UserRecord, Violation};
#[cfg(feature = "graph")]
use crate::Refusal;
use crate::strategies::changes;
use crate::table::RowId;
use crate::table::scarce::{self, Scarce};
use crate::{Change, Counted, Counter, Counts, DateTime, Event, RunState, Summary};

type Small = Tally<u16, u16, 16, 8>;

#[cfg(feature = "graph")]
impl<D, U, const DEVICES: usize, const USERS: usize> Tally<D, U, DEVICES, USERS> {
    /// Of the devices' table and of the users'.
    pub(crate) const fn seeds(&self) -> [u64; 2] {
        [self.devices.seed(), self.users.seed()]
    }
}

fn at(seconds: i64) -> DateTime {
    DateTime::from_ticks((1_795_253_400 + seconds) * 10_000_000, 0).unwrap()
}

fn row(number: u16) -> Option<RowId> {
    RowId::from_number(number)
}

/// Devices 1, 2, 3 are user 1's and fail, succeed, fail; device 4 is user 2's and fails; device 5
/// is nobody's. User 3 was declared. Rows are numbered from 0 in that order. Then come tombstones,
/// in the order in which they were freed: device 6, removed; device 7, user 2's, retired; device 8,
/// removed.
fn tally() -> Small {
    let mut tally = Small::new();
    for (device, user, state) in [
        (1, Some(1), RunState::Fail),
        (2, Some(1), RunState::Success),
        (3, Some(1), RunState::Fail),
        (4, Some(2), RunState::Fail),
        (5, None, RunState::Pending),
    ] {
        let event = Event { device, user, state, at: at(i64::from(device)) };
        let _ = tally.apply(&event).unwrap();
    }
    let devices = Counts::ZERO.with(RunState::Pending, 2).unwrap();
    let _ = tally.commit(&Change::DeclareUser { user: 3, devices, last_update: None }).unwrap();
    let _ = tally.commit(&Change::Remove { device: 6, at: at(0) }).unwrap();
    let event = Event { device: 7, user: Some(2), state: RunState::Success, at: at(0) };
    let _ = tally.apply(&event).unwrap();
    let _ = tally.commit(&Change::Retire { device: 7 }).unwrap();
    let _ = tally.commit(&Change::Remove { device: 8, at: at(0) }).unwrap();
    assert_eq!(tally.audit(), Ok(()));
    tally
}

fn device(tally: &mut Small, number: u16) -> &mut DeviceRecord {
    tally.devices.value_mut(row(number).unwrap()).unwrap()
}

fn user(tally: &mut Small, number: u16) -> &mut UserRecord {
    tally.users.value_mut(row(number).unwrap()).unwrap()
}

fn assert_found(name: &str, violation: Violation, damage: impl Fn(&mut Small)) {
    let mut tally = tally();
    damage(&mut tally);
    assert_eq!(tally.audit(), Err(violation), "{name}");
}

#[test]
fn the_audit_finds_a_count_that_is_not_the_number_of_rows() {
    for (of, state) in [Counted::Devices, Counted::Users]
        .into_iter()
        .flat_map(|of| RunState::ALL.map(|state| (of, state)))
    {
        let counter = Counter { of, state };
        let rows = tally().live(of)[state];
        let count = |kept| Violation::Count { counter, kept, counted: rows };
        assert_found("one more reported", count(rows + 1), |tally| match of {
            Counted::Devices => tally.summary.devices.enter(state),
            Counted::Users => tally.summary.users.enter(state),
        });
        let violation = match rows.checked_sub(1) {
            Some(kept) => count(kept),
            // More than is reported.
            None => Violation::Carried { counter },
        };
        assert_found("one more carried", violation, |tally| match of {
            Counted::Devices => tally.carried.devices.enter(state),
            Counted::Users => tally.carried.users.enter(state),
        });
    }
}

#[test]
fn the_audit_finds_counts_past_the_limit() {
    let state = RunState::Fail;
    let most = Counts::ZERO.with(state, Counts::MAX).unwrap();
    let counter = Counter { of: Counted::Devices, state };
    assert_found("of the summary", Violation::Carried { counter }, |tally| {
        tally.summary.devices = most;
        tally.carried.devices = most;
    });
    let counter = Counter { of: Counted::Users, state };
    assert_found("of users", Violation::Carried { counter }, |tally| {
        tally.summary.users = most;
        tally.carried.users = most;
    });
    let counter = Counter { of: Counted::Devices, state };
    assert_found("of a user", Violation::Carried { counter }, |tally| {
        user(tally, 0).set_carried(most);
    });
}

#[test]
fn the_audit_finds_a_damaged_device_row() {
    let failed = Counter { of: Counted::Devices, state: RunState::Unknown };
    assert_found("a state", Violation::Count { counter: failed, kept: 0, counted: 1 }, |tally| {
        device(tally, 0).stamp = Stamp::new(at(1), RunState::Unknown);
    });
    assert_found("a date-time", Violation::LastRun { latest: at(6) }, |tally| {
        device(tally, 4).stamp = Stamp::new(at(6), RunState::Pending);
    });
    assert_found("another's user", Violation::Chain, |t| device(t, 0).user = row(1));
    assert_found("no user", Violation::Chain, |t| device(t, 0).user = None);
    assert_found("nobody's device a user's", Violation::Chain, |t| device(t, 4).user = row(1));
    assert_found("a user without row", Violation::Chain, |t| device(t, 0).user = row(7));
    assert_found("a chain to a tombstone", Violation::Chain, |t| device(t, 0).sibling = row(5));
    assert_found("a row without device", Violation::Freed, |t| {
        device(t, 0).stamp = DeviceRecord::removed(at(1)).stamp;
    });
    // The chain of user 1 is 3, 2, 1.
    assert_found("a chain cut short", wrong_count(RunState::Fail, 2, 1), |tally| {
        device(tally, 1).sibling = None;
    });
    assert_found("a chain that goes round", Violation::Chain, |tally| {
        device(tally, 0).sibling = row(0);
    });
    assert_found("a chain to another's device", Violation::Chain, |tally| {
        device(tally, 0).sibling = row(3);
    });
    assert_found("a chain to a free row", Violation::Chain, |tally| {
        device(tally, 0).sibling = row(9);
    });
}

#[test]
fn the_audit_finds_a_damaged_list_of_freed_rows() {
    type Damage = (&'static str, fn(&mut Small));
    let damages: [Damage; 18] = [
        ("one device more", |t| t.live += 1),
        ("one device less", |t| t.live -= 1),
        ("no oldest", |t| t.freed.oldest = None),
        ("a later oldest", |t| t.freed.oldest = row(6)),
        ("a device as the oldest", |t| t.freed.oldest = row(0)),
        ("no newest", |t| t.freed.newest = None),
        ("an earlier newest", |t| t.freed.newest = row(6)),
        ("a device as the newest", |t| t.freed.newest = row(0)),
        ("a list cut short", |t| device(t, 5).sibling = None),
        ("a list that goes round", |t| device(t, 7).sibling = row(5)),
        ("a list that stays", |t| device(t, 6).sibling = row(6)),
        ("a list that leads to a device", |t| device(t, 7).sibling = row(0)),
        ("a list that skips one", |t| device(t, 5).sibling = row(7)),
        ("a first that has one before it", |t| device(t, 5).user = row(7)),
        ("one before that is missing", |t| device(t, 7).user = None),
        ("one before that is another", |t| device(t, 7).user = row(5)),
        ("a user without row", |t| device(t, 6).user = row(7)),
        ("a device that is not there", |t| device(t, 5).stamp = Stamp::new(at(0), RunState::Fail)),
    ];
    for (name, damage) in damages {
        assert_found(name, Violation::Freed, damage);
    }
    assert_found("a user that does not know", Violation::Freed, |t| user(t, 1).linked = Linked::No);
    assert_found("a user that does not know, of others", Violation::Freed, |t| {
        device(t, 6).user = row(0);
    });
}

#[test]
fn the_audit_finds_another_instant_to_run_from() {
    let fail = Counter { of: Counted::Devices, state: RunState::Fail };
    assert_found("later", Violation::Count { counter: fail, kept: 3, counted: 2 }, |tally| {
        tally.run_from = RunFrom::new(at(2));
    });
    let mut tally = tally();
    let _ = tally.commit(&Change::RunFrom(at(2))).unwrap();
    assert_eq!(tally.audit(), Ok(()));
    tally.run_from = RunFrom::NEVER;
    assert_eq!(tally.audit(), Err(Violation::Count { counter: fail, kept: 2, counted: 3 }));
}

#[test]
fn the_audit_finds_a_chain_that_goes_round_with_the_right_number_of_steps() {
    let mut tally = Small::new();
    for device in [1, 2] {
        let event = Event { device, user: Some(1), state: RunState::Fail, at: at(0) };
        let _ = tally.apply(&event).unwrap();
    }
    assert_eq!(tally.audit(), Ok(()));
    device(&mut tally, 1).sibling = row(1);
    assert_eq!(tally.audit(), Err(Violation::Chain));
}

#[test]
fn the_audit_finds_a_damaged_user_row() {
    assert_found("no first device", wrong_count(RunState::Success, 1, 0), |tally| {
        user(tally, 0).first = None;
    });
    assert_found("a later first device", wrong_count(RunState::Fail, 2, 1), |tally| {
        user(tally, 0).first = row(1);
    });
    assert_found("a device without row", Violation::Chain, |t| user(t, 2).first = row(9));
    assert_found("a tombstone", Violation::Chain, |t| user(t, 2).first = row(7));
    assert_found("another's device", Violation::Chain, |t| user(t, 2).first = row(3));
    assert_found("a count", wrong_count(RunState::Fail, 3, 2), |tally| {
        user(tally, 0).shift((None, Some(RunState::Fail)));
    });
    assert_found("a run state", Violation::UserState, |tally| {
        let user = user(tally, 0);
        let shift = user.weigh((None, Some(RunState::ScriptError))).unwrap();
        user.apply((None, None), shift);
    });
    let pending = Counter { of: Counted::Users, state: RunState::Pending };
    assert_found(
        "what was declared",
        Violation::Count { counter: pending, kept: 1, counted: 0 },
        |tally| user(tally, 2).set_carried(Counts::ZERO),
    );
}

#[test]
fn the_audit_finds_a_damaged_summary_or_table() {
    assert_found("no last run", Violation::LastRun { latest: at(5) }, |tally| {
        tally.summary.last_run = None;
    });
    assert_found("an earlier last run", Violation::LastRun { latest: at(5) }, |tally| {
        tally.summary.last_run = Some(at(4));
    });
    assert_found("a device's row", Violation::Table { of: Counted::Devices }, |tally| {
        let _ = tally.devices.insert(&1, DeviceRecord { ..*device(&mut self::tally(), 0) });
    });
    assert_found("a user's row", Violation::Table { of: Counted::Users }, |tally| {
        let _ = tally.users.insert(&1, UserRecord::default());
    });
}

fn wrong_count(state: RunState, kept: u32, counted: u32) -> Violation {
    Violation::UserCount { counter: Counter { of: Counted::Devices, state }, kept, counted }
}

#[test]
fn a_stamp_keeps_what_it_is_given_and_orders_as_the_rule_does() {
    let instants = [i64::MIN, -1, 0, 1, 17_952_534_000_000_000, i64::MAX];
    let offsets = [-1439, -1, 0, 1, 1439];
    let all = || {
        instants.into_iter().flat_map(move |ticks| {
            offsets.into_iter().flat_map(move |offset| {
                let at = DateTime::from_parts(ticks, offset);
                RunState::ALL.into_iter().map(move |state| (at, state))
            })
        })
    };
    for (at, state) in all() {
        let stamp = Stamp::new(at, state);
        assert_eq!((stamp.at(), stamp.state()), (at, state));
        for (other_at, other_state) in all() {
            let event = |at, state| Event { device: (), user: None::<()>, state, at };
            let other = Stamp::new(other_at, other_state);
            let (event, other_event) = (event(at, state), event(other_at, other_state));
            assert_eq!(stamp.cmp(&other), event.order().cmp(&other_event.order()));
            assert_eq!(stamp.partial_cmp(&other), Some(stamp.cmp(&other)));
            let rank = |at: DateTime, state: RunState| (at.ticks(), state.finality(), at.offset());
            assert_eq!(stamp.cmp(&other), rank(at, state).cmp(&rank(other_at, other_state)));
        }
    }
    assert_eq!(size_of::<Option<DeviceRecord>>(), 14);
}

#[test]
fn a_tombstone_keeps_what_it_is_given() {
    let instants = [DateTime::MIN, DateTime::MAX].map(|at| (at.ticks(), at.offset()));
    let instants = instants.into_iter().chain([(-1, 0), (0, -1439), (0, 0), (1, 1439)]);
    for (ticks, offset) in instants {
        let at = DateTime::from_parts(ticks, offset);
        for state in RunState::ALL {
            let stamp = Stamp::new(at, state);
            for counted in [state, RunState::Pending] {
                let record = DeviceRecord::retired(stamp, counted, row(3));
                assert!(!record.is_live());
                assert!(record.recorded() == stamp && record.recorded().at() == at);
                let Some(Tombstone::Retired { counted: read }) = record.tombstone() else {
                    panic!("{at}, {state} is not retired");
                };
                assert_eq!(read, counted);
            }
            assert!(DeviceRecord::live(stamp).is_live());
            assert!(DeviceRecord::live(stamp).tombstone().is_none());
        }
        let record = DeviceRecord::removed(at);
        assert!(!record.is_live());
        assert!(matches!(record.tombstone(), Some(Tombstone::Removed)));
        assert_eq!(record.recorded().at(), at.to_utc());
        // Above every state of its instant, and below all of the next.
        assert!(RunState::ALL.into_iter().all(|state| Stamp::new(at, state) < record.recorded()));
    }
}

#[test]
fn an_instant_to_run_from_is_kept_and_ordered() {
    assert_eq!(RunFrom::NEVER.at(), None);
    let ticks = [DateTime::MIN.ticks(), -1, 0, 1, DateTime::MAX.ticks()];
    for (number, one) in ticks.into_iter().enumerate() {
        let from = RunFrom::new(DateTime::from_parts(one, 0));
        assert_eq!(from.at().map(DateTime::ticks), Some(one));
        assert!(from > RunFrom::NEVER && !RunFrom::NEVER.is_after(one));
        for (place, other) in ticks.into_iter().enumerate() {
            assert_eq!(from.is_after(other), number > place);
            assert_eq!(from.cmp(&RunFrom::new(DateTime::from_parts(other, 0))), number.cmp(&place));
        }
    }
}

#[test]
fn a_tally_shows_what_it_keeps() {
    let shown = std::format!("{:?}", tally());
    let parts = [
        "summary",
        "carried",
        "run_from: None",
        "devices",
        "tombstones",
        "Removed",
        "Retired",
        "users",
        "fail",
        "declared: true",
    ];
    for part in parts {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    // Five devices, and the one that was retired.
    assert_eq!(shown.matches("Event").count(), 6);
    assert_eq!(shown.matches("UserRow").count(), 3);
}

proptest! {
    #[cfg(feature = "graph")]
    #[test]
    fn a_judge_sees_the_summary_that_a_change_comes_to(
        changes in prop::collection::vec(changes(0..8u16, 0..4u16), 0..32),
    ) {
        let mut tally: Tally<u16, u16, 5, 3> = Tally::new();
        for change in changes {
            let mut judged = None;
            let checked = tally.check_with(&change, |summary| {
                judged = Some(*summary);
                Ok(())
            });
            let refusal = Refusal::DevicesFull { capacity: 9 };
            prop_assert_eq!(
                tally.check_with(&change, |_| Err(refusal)),
                checked.and(Err(refusal))
            );
            if let Change::Event(Event { at, .. }) = change {
                let moves = tally.moves_last_run(at);
                let last_run = tally.summary().last_run;
                prop_assert_eq!(moves, last_run.is_none_or(|last| last.ticks() < at.ticks()));
            }
            let effect = tally.commit(&change);
            prop_assert_eq!(checked, effect);
            prop_assert_eq!(judged, effect.ok().map(|_| *tally.summary()));
        }
    }

    #[test]
    fn a_list_goes_on_at_the_row_it_is_asked_for(
        changes in prop::collection::vec(changes(0..8u16, 0..4u16), 0..32),
    ) {
        let mut tally: Tally<u16, u16, 5, 3> = Tally::new();
        for change in changes {
            let _ = tally.commit(&change);
        }
        for first in 0..6 {
            let rows: Vec<_> = tally.users_from(first).collect();
            prop_assert!(rows.iter().all(|(row, _)| row.number() >= first));
            let all = tally.users_from(0).filter(|(row, _)| row.number() >= first);
            prop_assert!(rows.into_iter().eq(all));
            let rows: Vec<_> = tally.devices_from(first).collect();
            prop_assert!(rows.iter().all(|(row, _)| row.number() >= first));
            let all = tally.devices_from(0).filter(|(row, _)| row.number() >= first);
            prop_assert!(rows.into_iter().eq(all));
        }
    }

    #[cfg(feature = "graph")]
    #[test]
    fn the_keys_of_the_users_are_those_of_their_rows(
        changes in prop::collection::vec(changes(0..8u16, 0..4u16), 0..32),
    ) {
        let mut tally: Tally<u16, u16, 5, 3> = Tally::new();
        for change in changes {
            let _ = tally.commit(&change);
        }
        let keys = tally.users_from(0).map(|(row, user)| (row, user.user));
        prop_assert!(tally.user_keys_from(0).eq(keys));
    }
}

proptest! {
    #[test]
    fn without_memory_a_tally_is_as_it_was(
        changes in prop::collection::vec(changes(0..12u16, 0..6u16), 0..60),
        rows in 0..20usize,
    ) {
        let empty: Tally<u16, u16, 16, 8, Scarce> = Tally {
            summary: Summary::ZERO,
            carried: super::Carried { devices: Counts::ZERO, users: Counts::ZERO },
            run_from: RunFrom::NEVER,
            freed: super::Freed::NONE,
            live: 0,
            devices: scarce::table(),
            users: scarce::table(),
        };
        scarce::allow(rows);
        let mut tally = empty.clone();
        for change in &changes {
            let before = tally.clone();
            if tally.commit(change).is_err() {
                prop_assert_eq!(&tally, &before);
            }
            prop_assert_eq!(tally.audit(), Ok(()));
        }

        // The same where an entry is restored, and where another tally is absorbed.
        let mut restored = empty.clone();
        for entry in tally.entries() {
            let before = restored.clone();
            if restored.restore(&entry.cloned()).is_err() {
                prop_assert_eq!(&restored, &before);
            }
        }
        let mut absorbing = empty;
        if absorbing.absorb(&tally).is_err() {
            prop_assert_eq!(absorbing.device_count(), 0);
            prop_assert_eq!(absorbing.entries().count(), 1);
        }
        prop_assert_eq!(absorbing.audit(), Ok(()));
    }
}
