//! Run states and counts: the words everything else is said in.

use proptest::prelude::*;
use runtally::strategies::counts;
use runtally::{
    Counted, Counter, Counts, Event, Gate, OutOfRange, Overflow, RunState, RunStates, Summary,
    Verdict,
};

type Row = (RunState, u8, &'static str, [u8; 2], &'static str, &'static str);

/// Graph's number, Graph's name, severity and finality, and the two counters on the wire.
const STATES: [Row; 6] = [
    (RunState::Unknown, 0, "unknown", [2, 0], "unknownDeviceCount", "unknownUserCount"),
    (RunState::Success, 1, "success", [1, 3], "successfulDeviceCount", "successfulUserCount"),
    (RunState::Fail, 2, "fail", [4, 4], "failedDeviceCount", "failedUserCount"),
    (RunState::ScriptError, 3, "scriptError", [5, 5], "errorDeviceCount", "errorUserCount"),
    (RunState::Pending, 4, "pending", [3, 1], "pendingDeviceCount", "pendingUserCount"),
    (
        RunState::NotApplicable,
        5,
        "notApplicable",
        [0, 2],
        "notApplicableDeviceCount",
        "notApplicableUserCount",
    ),
];

#[test]
fn a_run_state_is_its_number_its_name_its_severity_and_its_finality() {
    assert_eq!(RunState::ALL, STATES.map(|(state, ..)| state));
    assert_eq!(RunState::default(), RunState::Unknown);
    for (state, number, name, [severity, finality], devices, users) in STATES {
        assert_eq!(state.number(), number);
        assert_eq!(RunState::from_number(number), Some(state));
        assert_eq!(state.name(), name);
        assert_eq!(name.parse(), Ok(state));
        assert_eq!(state.to_string(), name);
        assert_eq!(format!("{state:>14}|{state:<14}|"), format!("{name:>14}|{name:<14}|"));
        assert_eq!(state.severity(), severity);
        assert_eq!(RunState::from_severity(severity), Some(state));
        assert_eq!(state.finality(), finality);
        assert_eq!(RunState::from_finality(finality), Some(state));
        for (of, name) in [(Counted::Devices, devices), (Counted::Users, users)] {
            let counter = Counter { of, state };
            assert_eq!(counter.name(), name);
            assert_eq!(format!("{counter:>25}"), format!("{name:>25}"));
        }
    }
    for number in 6..=u8::MAX {
        assert_eq!(RunState::from_number(number), None);
        assert_eq!(RunState::from_severity(number), None);
        assert_eq!(RunState::from_finality(number), None);
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
fn counts_are_six_numbers_by_graphs_number() {
    let numbers = [10, 11, 12, 13, 14, 2_147_483_647];
    let counts = Counts::try_from(numbers).expect("in range");
    assert_eq!(<[u32; 6]>::from(counts), numbers);
    for (number, state) in RunState::ALL.into_iter().enumerate() {
        assert_eq!(counts[state], numbers[number]);
        let mut above = numbers;
        above[number] = 2_147_483_648;
        assert_eq!(Counts::try_from(above), Err(OutOfRange { state }));
    }
    let two = [0, u32::MAX, 0, u32::MAX, 0, 0];
    assert_eq!(Counts::try_from(two), Err(OutOfRange { state: RunState::Success }), "the first");
    // Owned, borrowed and by name, with their length known.
    let listed = RunState::ALL.into_iter().zip(numbers);
    assert!(counts.into_iter().eq(listed.clone()));
    assert!((&counts).into_iter().eq(listed.clone()));
    assert!(counts.iter().eq(listed));
    assert_eq!(counts.iter().len(), 6);
}

#[test]
fn a_set_of_run_states_holds_what_was_put_in() {
    for bits in 0..64u8 {
        let holds = |state: &RunState| bits & 1 << state.number() != 0;
        let set: RunStates = RunState::ALL.into_iter().filter(holds).collect();
        assert!(RunState::ALL.into_iter().all(|state| set.contains(state) == holds(&state)));
        for state in RunState::ALL {
            assert!(set.with(state).contains(state));
            assert_eq!(set.with(state) == set, set.contains(state));
        }
    }
    assert_eq!(RunStates::NONE, RunStates::default());
}

#[test]
fn an_overflow_names_its_counter() {
    let overflow = Overflow(Counter { of: Counted::Users, state: RunState::Pending });
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
        assert_eq!(kept.as_ref(), event);
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
    fn a_gate_divides_as_one_does_by_hand(
        devices in counts(), failed in 0..64u8, executed in 0..64u8,
        minimum in prop_oneof![0..20u32, any::<u32>()], per_10_000 in prop_oneof![0..=10_001u32, any::<u32>()],
    ) {
        let set = |bits: u8| -> RunStates {
            RunState::ALL.into_iter().filter(|state| bits & 1 << state.number() != 0).collect()
        };
        let sum = |bits: u8| -> u128 {
            let counted = devices.iter().filter(|(state, _)| bits & 1 << state.number() != 0);
            counted.map(|(_, count)| u128::from(count)).sum()
        };
        let gate = Gate { failed: set(failed), executed: set(executed), minimum, per_10_000 };
        let summary = Summary { devices, users: Counts::ZERO, last_run: None };
        let (failed, executed) = (sum(failed), sum(executed));
        let verdict = if executed == 0 || executed < u128::from(minimum) {
            Verdict::TooFew
        } else if failed > 0 && failed * 10_000 >= executed * u128::from(per_10_000) {
            Verdict::Reached
        } else {
            Verdict::Below
        };
        prop_assert_eq!(gate.verdict(&summary), verdict);
        // Of users, nothing is asked.
        let with_users = Summary { users: devices, ..summary };
        prop_assert_eq!(gate.verdict(&with_users), verdict);
    }

    #[test]
    fn the_total_is_the_sum_of_all_six(counts in counts()) {
        prop_assert!(counts.iter().map(|(state, _)| state).eq(RunState::ALL));
        prop_assert!(counts.iter().all(|(state, count)| counts[state] == count));
        prop_assert_eq!(counts.total(), counts.iter().map(|(_, count)| u64::from(count)).sum::<u64>());
    }
}
