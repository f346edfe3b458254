use std::vec::Vec;

use proptest::prelude::*;

use super::record::Stamp;
use super::{DeviceRecord, Tally, UserRecord, Violation};
use crate::strategies::{Operation, operations};
use crate::table::RowId;
use crate::{Counted, Counter, Counts, DateTime, Event, RunState};

type Small = Tally<u16, u16, 8, 8>;

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
/// is nobody's. User 3 was declared. Rows are numbered from 0 in that order.
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
    tally.declare_user(&3, Counts::ZERO.with(RunState::Pending, 2).unwrap(), None).unwrap();
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
        device(tally, 0).sibling = row(7);
    });
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
    assert_found("a device without row", Violation::Chain, |t| user(t, 2).first = row(7));
    assert_found("another's device", Violation::Chain, |t| user(t, 2).first = row(3));
    assert_found("a count", wrong_count(RunState::Fail, 3, 2), |tally| {
        user(tally, 0).shift((None, Some(RunState::Fail)));
    });
    assert_found("a run state", Violation::UserState, |tally| {
        user(tally, 0).carry(RunState::ScriptError, at(0));
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
            let rank = |at: DateTime, state: RunState| (at.ticks(), at.offset(), state.severity());
            let other = Stamp::new(other_at, other_state);
            assert_eq!(stamp.cmp(&other), rank(at, state).cmp(&rank(other_at, other_state)));
            assert_eq!(stamp.partial_cmp(&other), Some(stamp.cmp(&other)));
        }
    }
    assert_eq!(size_of::<Option<DeviceRecord>>(), 14);
}

#[test]
fn a_tally_shows_what_it_keeps() {
    let shown = std::format!("{:?}", tally());
    for part in ["summary", "carried", "devices", "users", "fail", "declared: true"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert_eq!(shown.matches("Event").count(), 5);
    assert_eq!(shown.matches("UserRow").count(), 3);
}

proptest! {
    #[test]
    fn a_preview_is_what_applying_comes_to(
        operations in prop::collection::vec(operations(0..8u16, 0..4u16), 0..32),
    ) {
        let mut tally: Tally<u16, u16, 5, 3> = Tally::new();
        for operation in operations {
            if let Operation::Apply(event) = &operation {
                let preview = tally.preview(event);
                let applied = tally.apply(event);
                prop_assert_eq!(preview, applied.map(|outcome| (outcome, *tally.summary())));
            } else {
                let _ = operation.run(&mut tally);
            }
        }
    }

    #[test]
    fn a_list_goes_on_at_the_row_it_is_asked_for(
        operations in prop::collection::vec(operations(0..8u16, 0..4u16), 0..32),
    ) {
        let mut tally: Tally<u16, u16, 5, 3> = Tally::new();
        for operation in operations {
            let _ = operation.run(&mut tally);
        }
        for first in 0..6 {
            let rows: Vec<_> = tally.users_from(first).collect();
            prop_assert!(rows.iter().all(|(row, _)| row.number() >= first));
            let all = tally.users_from(0).filter(|(row, _)| row.number() >= first);
            prop_assert!(rows.into_iter().eq(all));
        }
    }

    #[cfg(feature = "graph")]
    #[test]
    fn the_keys_of_the_users_are_those_of_their_rows(
        operations in prop::collection::vec(operations(0..8u16, 0..4u16), 0..32),
    ) {
        let mut tally: Tally<u16, u16, 5, 3> = Tally::new();
        for operation in operations {
            let _ = operation.run(&mut tally);
        }
        let keys = tally.users_from(0).map(|(row, user)| (row, user.user));
        prop_assert!(tally.user_keys_from(0).eq(keys));
    }
}
