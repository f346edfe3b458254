//! The core types in formats of serde: written, read back, and what is refused.
#![cfg(feature = "serde")]

use std::fmt::Debug;

use proptest::prelude::*;
use runtally::strategies::{counts, date_times};
use runtally::{Counted, Counter, Counts, DateTime, Event, RunState, Summary};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is written, if it reads back as it was, by two implementations each.
fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> String {
    let json = serde_json::to_string(value).expect("no error of its own");
    let core = serde_json_core::to_string::<_, 1024>(value).expect("it fits");
    assert_eq!(core.as_str(), json);
    assert_eq!(serde_json::from_str::<T>(&json).expect("as written"), *value);
    // From a reader nothing is borrowed.
    assert_eq!(serde_json::from_reader::<_, T>(json.as_bytes()).expect("as written"), *value);
    let (read, length) = serde_json_core::from_str::<T>(&json).expect("as written");
    assert_eq!((&read, length), (value, json.len()));
    json
}

fn refusal<T: DeserializeOwned + Debug>(json: &str) -> String {
    assert!(serde_json_core::from_str::<T>(json).is_err(), "{json}");
    serde_json::from_str::<T>(json).expect_err(json).to_string()
}

#[test]
fn a_state_is_its_name() {
    for state in RunState::ALL {
        assert_eq!(there_and_back(&state), format!("\"{}\"", state.name()));
    }
    refusal::<RunState>("\"Success\"");
    refusal::<RunState>("1");
}

#[test]
fn a_date_time_is_its_text() {
    let at: DateTime = "2026-11-21T09:30:00.5+01:00".parse().unwrap();
    assert_eq!(there_and_back(&at), "\"2026-11-21T09:30:00.5+01:00\"");
    let said = refusal::<DateTime>("\"2026-11-21\"");
    assert!(said.starts_with("expected `T` at byte 10 of the date-time"), "{said}");
}

#[test]
fn counts_have_a_counter_for_each_state() {
    let counts = Counts::ZERO.with(RunState::ScriptError, Counts::MAX).unwrap();
    assert_eq!(
        there_and_back(&counts),
        r#"{"unknown":0,"success":0,"fail":0,"scriptError":2147483647,"pending":0,"notApplicable":0}"#
    );
    let json = there_and_back(&Counts::ZERO);
    let said = refusal::<Counts>(&json.replace("\"fail\":0", "\"fail\":2147483648"));
    assert_eq!(said, "the count of fail would leave the range 0 to 2147483647");
    refusal::<Counts>(&json.replace("\"fail\":0", "\"fail\":-1"));
    assert!(refusal::<Counts>("{\"fail\":0}").contains("missing field `unknown`"));
}

#[test]
fn a_counter_is_what_it_counts_and_the_state() {
    let counter = Counter { of: Counted::Users, state: RunState::NotApplicable };
    assert_eq!(there_and_back(&counter), r#"{"of":"users","state":"notApplicable"}"#);
}

/// The summary whose counters are 1 to 12, in the order in which the wire lists them.
fn summary() -> Summary {
    let order = [
        RunState::Success,
        RunState::Fail,
        RunState::Pending,
        RunState::ScriptError,
        RunState::NotApplicable,
        RunState::Unknown,
    ];
    let counts = |from| {
        order
            .into_iter()
            .zip(from..)
            .fold(Counts::ZERO, |counts, (state, count)| counts.with(state, count).expect("small"))
    };
    Summary { devices: counts(1), users: counts(7), last_run: None }
}

#[test]
fn a_summary_has_the_properties_of_graph() {
    let json = there_and_back(&summary());
    assert_eq!(
        json,
        concat!(
            r#"{"successfulDeviceCount":1,"failedDeviceCount":2,"pendingDeviceCount":3,"#,
            r#""errorDeviceCount":4,"notApplicableDeviceCount":5,"unknownDeviceCount":6,"#,
            r#""successfulUserCount":7,"failedUserCount":8,"pendingUserCount":9,"#,
            r#""errorUserCount":10,"notApplicableUserCount":11,"unknownUserCount":12,"#,
            r#""lastRunDateTime":null}"#,
        )
    );
    for of in [Counted::Devices, Counted::Users] {
        for state in RunState::ALL {
            let Summary { devices, users, .. } = summary();
            let count = if of == Counted::Devices { devices[state] } else { users[state] };
            let name = Counter { of, state }.name();
            let property = format!("\"{name}\":{count}");
            let said =
                refusal::<Summary>(&json.replace(&property, &format!("\"{name}\":2147483648")));
            assert_eq!(said, format!("{name} would pass its limit, 2147483647"));
            refusal::<Summary>(&json.replace(&format!("{property},"), ""));
        }
    }
}

/// `RunSummary` writes what the summary in it does.
#[cfg(feature = "graph")]
#[test]
fn a_summary_reads_the_resource_that_holds_it() {
    let resource = runtally::graph::RunSummary { id: Some(uuid::Uuid::max()), summary: summary() };
    let json = serde_json::to_string(&resource).expect("no error of its own");
    assert_eq!(serde_json::from_str::<Summary>(&json).expect("as written"), summary());
    let (read, _) = serde_json_core::from_str::<Summary>(&json).expect("as written");
    assert_eq!(read, summary());
    let written = there_and_back(&summary());
    assert!(json.ends_with(written.strip_prefix('{').expect("an object")));
}

#[test]
fn an_event_is_a_struct() {
    let at = "2026-11-21T09:30:00Z".parse().unwrap();
    let event = Event { device: 7_u16, user: Some(1_u16), state: RunState::Fail, at };
    assert_eq!(
        there_and_back(&event),
        r#"{"device":7,"user":1,"state":"fail","at":"2026-11-21T09:30:00Z"}"#
    );
    let nobody = Event { user: None, ..event };
    assert!(there_and_back(&nobody).contains(r#""user":null"#));
}

proptest! {
    #[test]
    fn every_value_comes_back(
        devices in counts(),
        users in counts(),
        last_run in proptest::option::of(date_times()),
        at in date_times(),
        user in proptest::option::of(any::<u16>()),
    ) {
        there_and_back(&devices);
        there_and_back(&at);
        there_and_back(&Summary { devices, users, last_run });
        there_and_back(&Event { device: 7_u32, user, state: RunState::Pending, at });
    }
}
