//! What effects, refusals and violations say.

use super::*;
use runtally::{Counted, Counter, Effect, Overflow, Refusal, Violation};

#[test]
fn only_an_applied_effect_is_applied() {
    assert!(Effect::Applied { before: None }.is_applied());
    assert!(Effect::Applied { before: Some(RunState::Fail) }.is_applied());
    for effect in [Effect::Duplicate, Effect::Stale, Effect::Unknown] {
        assert!(!effect.is_applied());
    }
}

#[test]
fn every_refusal_says_what_an_operator_needs() {
    let devices = Counter { of: Counted::Devices, state: RunState::ScriptError };
    let users = Counter { of: Counted::Users, state: RunState::NotApplicable };
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
            Refusal::BeforeRow { of: Counted::Devices, written: Some(early), latest: late },
            "lastRunDateTime was declared as 2026-11-21T09:30:00Z, \
             but a row counted here is of 2026-11-21T09:31:00Z",
        ),
        (
            Refusal::BeforeRow { of: Counted::Devices, written: None, latest: late },
            "lastRunDateTime was declared as null, \
             but a row counted here is of 2026-11-21T09:31:00Z",
        ),
        (
            Refusal::BeforeRow { of: Counted::Users, written: Some(early), latest: late },
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
    let counter = Counter { of: Counted::Devices, state: RunState::Fail };
    let told = [
        (Violation::Table { of: Counted::Devices }, "the table of devices is not sound"),
        (Violation::Table { of: Counted::Users }, "the table of users is not sound"),
        (Violation::Chain, "a user's chain does not hold all of that user's devices"),
        (Violation::Freed, "the list of freed rows does not hold all of them"),
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
