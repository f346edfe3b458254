//! Run states and counts: the words everything else is said in.

use proptest::prelude::*;
use runtally::strategies::counts;
use runtally::{Counter, Counts, Event, Of, OutOfRange, Overflow, RunState, Summary};

/// Graph's number, Graph's name, severity, and the two counters on the wire.
const STATES: [(RunState, u8, &str, u8, &str, &str); 6] = [
    (RunState::Unknown, 0, "unknown", 2, "unknownDeviceCount", "unknownUserCount"),
    (RunState::Success, 1, "success", 1, "successfulDeviceCount", "successfulUserCount"),
    (RunState::Fail, 2, "fail", 4, "failedDeviceCount", "failedUserCount"),
    (RunState::ScriptError, 3, "scriptError", 5, "errorDeviceCount", "errorUserCount"),
    (RunState::Pending, 4, "pending", 3, "pendingDeviceCount", "pendingUserCount"),
    (
        RunState::NotApplicable,
        5,
        "notApplicable",
        0,
        "notApplicableDeviceCount",
        "notApplicableUserCount",
    ),
];

#[test]
fn a_run_state_is_its_number_its_name_and_its_severity() {
    assert_eq!(RunState::ALL, STATES.map(|(state, ..)| state));
    assert_eq!(RunState::default(), RunState::Unknown);
    for (state, number, name, severity, devices, users) in STATES {
        assert_eq!(state.number(), number);
        assert_eq!(RunState::from_number(number), Some(state));
        assert_eq!(state.name(), name);
        assert_eq!(name.parse(), Ok(state));
        assert_eq!(state.to_string(), name);
        assert_eq!(format!("{state:>14}|{state:<14}|"), format!("{name:>14}|{name:<14}|"));
        assert_eq!(state.severity(), severity);
        assert_eq!(RunState::from_severity(severity), Some(state));
        for (of, name) in [(Of::Devices, devices), (Of::Users, users)] {
            let counter = Counter { of, state };
            assert_eq!(counter.name(), name);
            assert_eq!(format!("{counter:>25}"), format!("{name:>25}"));
        }
    }
    for number in 6..=u8::MAX {
        assert_eq!(RunState::from_number(number), None);
        assert_eq!(RunState::from_severity(number), None);
    }
}

#[test]
fn a_name_of_a_run_state_is_read_exactly() {
    for name in ["", " ", "Success", "success ", "successful", "error", "scripterror", "1"] {
        let error = name.parse::<RunState>().expect_err(name);
        assert_eq!(
            error.to_string(),
            "expected unknown, success, fail, scriptError, pending or notApplicable"
        );
    }
}

#[test]
fn a_count_has_the_range_of_an_int32_that_is_not_negative() {
    assert_eq!(Counts::MAX, 2_147_483_647);
    assert_eq!(Counts::ZERO, Counts::default());
    for state in RunState::ALL {
        let most = Counts::ZERO.with(state, 2_147_483_647).expect("the limit");
        for other in RunState::ALL {
            assert_eq!(most[other], if other == state { 2_147_483_647 } else { 0 });
        }
        for count in [2_147_483_648, u32::MAX] {
            let error = Counts::ZERO.with(state, count).expect_err("above the limit");
            assert_eq!(error, OutOfRange { state });
            let expected = format!("the count of {state} would leave the range 0 to 2147483647");
            assert_eq!(error.to_string(), expected);
        }
    }
}

#[test]
fn an_overflow_names_its_counter() {
    let overflow = Overflow(Counter { of: Of::Users, state: RunState::Pending });
    assert_eq!(overflow.to_string(), "pendingUserCount would pass its limit, 2147483647");
}

#[test]
fn counts_show_each_state() {
    let counts = Counts::ZERO.with(RunState::Fail, 7).expect("in range");
    assert_eq!(
        format!("{counts:?}"),
        r#"{"unknown": 0, "success": 0, "fail": 7, "scriptError": 0, "pending": 0, "notApplicable": 0}"#
    );
}

#[test]
fn a_summary_of_nothing_is_zero() {
    assert_eq!(Summary::ZERO, Summary::default());
    assert_eq!(Summary::ZERO.devices, Counts::ZERO);
    assert_eq!(Summary::ZERO.users, Counts::ZERO);
    assert_eq!(Summary::ZERO.last_run, None);
}

#[test]
fn a_cloned_event_is_the_event() {
    let at = "2026-11-21T09:30:00Z".parse().expect("a date-time");
    let (device, user) = ("dock".to_owned(), "ada".to_owned());
    for user in [Some(&user), None] {
        let event = Event { device: &device, user, state: RunState::Fail, at };
        let kept = event.cloned();
        assert_eq!(kept.device, device);
        assert_eq!(kept.user.as_ref(), user);
        assert_eq!((kept.state, kept.at), (RunState::Fail, at));
    }
}

proptest! {
    #[test]
    fn counts_are_added_and_subtracted_one_by_one(a in counts(), b in counts()) {
        for (result, op) in [
            (a.checked_add(&b), (|a, b| a + b) as fn(i64, i64) -> i64),
            (a.checked_sub(&b), |a, b| a - b),
        ] {
            let numbers = RunState::ALL.map(|state| op(a[state].into(), b[state].into()));
            let first_out =
                RunState::ALL.into_iter().zip(numbers).find(|(_, n)| !(0..=2_147_483_647).contains(n));
            match (result, first_out) {
                (Ok(result), None) => {
                    prop_assert!(result.iter().map(|(_, count)| i64::from(count)).eq(numbers));
                }
                (Err(error), Some((state, _))) => prop_assert_eq!(error, OutOfRange { state }),
                (result, out) => prop_assert!(false, "{result:?}, {out:?}"),
            }
        }
    }

    #[test]
    fn the_total_is_the_sum_of_all_six(counts in counts()) {
        prop_assert!(counts.iter().map(|(state, _)| state).eq(RunState::ALL));
        prop_assert!(counts.iter().all(|(state, count)| counts[state] == count));
        prop_assert_eq!(counts.total(), counts.iter().map(|(_, count)| u64::from(count)).sum::<u64>());
    }
}
