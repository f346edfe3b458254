//! The rules of the state machine as a client meets them: removals, retired devices, clocks,
//! versions, new beginnings, long texts.

use std::fmt::Write as _;

use runtally::http::{Access, Clock, Request, Settings};
use runtally::store::{RolloutId, StoreChange};
use runtally::{Change, Counts, DateTime, Effect, RunState};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{
    Answer, CONFIGURATION, Client, ROLLOUTS, SCRIPT, WRITE, configuration, device, event, script,
    script_event, user_id,
};

const NOW: &str = "2026-11-21T12:00:00Z";

fn h(rest: &str) -> String {
    configuration(CONFIGURATION, rest)
}

fn at(text: &str) -> DateTime {
    text.parse().expect("a date-time")
}

/// A client of a store whose clock says this.
fn client_at(now: &str) -> Client {
    let mut client = Client::new();
    client.settings.clock = Some(Clock::new(at(now)));
    client
}

#[track_caller]
fn report(client: &mut Client, status: u16, body: &str) -> Answer {
    client.must(status, "POST", &h("/deviceRunStates"), body)
}

fn summary(client: &mut Client, path: &str) -> Value {
    client.get(path).json()["value"].take()
}

#[track_caller]
fn assert_counts(client: &mut Client, counts: [(&str, u64); 2], last_run: &str) {
    let summary = summary(client, &h("/runSummary"));
    for (name, count) in counts {
        assert_eq!(summary[name], count, "{name}");
    }
    assert_eq!(summary["lastRunDateTime"], last_run);
}

fn commit(
    client: &mut Client,
    rollout: RolloutId,
    change: Change<Uuid, runtally::graph::Upn>,
) -> Effect {
    client.store.commit(&StoreChange::new(rollout, change)).expect("there is room")
}

#[test]
fn of_two_reports_of_one_second_the_final_one_counts_in_either_order() {
    let reports = ["pending", "success"].map(|state| event(1, None, state, "2026-11-21T09:30:00Z"));
    for order in [[0, 1], [1, 0]] {
        let mut client = Client::new();
        for index in order {
            report(&mut client, 201, &reports[index]);
        }
        let counts = [("successfulDeviceCount", 1), ("pendingDeviceCount", 0)];
        assert_counts(&mut client, counts, "2026-11-21T09:30:00Z");
    }
    // The zone in which an instant is written says nothing about which came later.
    let mut client = Client::new();
    report(&mut client, 201, &event(2, None, "fail", "2026-11-21T09:30:00-05:00"));
    let answer = report(&mut client, 201, &event(2, None, "success", "2026-11-21T15:30:00+01:00"));
    assert_eq!(answer.json()["configurationState"], "fail");
    let counts = [("failedDeviceCount", 1), ("successfulDeviceCount", 0)];
    assert_counts(&mut client, counts, "2026-11-21T14:30:00Z");
}

#[test]
fn a_late_report_of_a_removed_device_is_a_conflict_that_says_since_when() {
    let mut client = client_at(NOW);
    let success = event(3, Some("ada"), "success", "2026-11-21T09:30:00Z");
    report(&mut client, 201, &success);
    let row = h(&format!("/deviceRunStates/{}", device(3)));
    client.must(204, "DELETE", &row, "");

    let text = "the device was removed at 2026-11-21T12:00:00Z; only a later report brings it back";
    for late in [&success, &event(3, None, "scriptError", NOW)] {
        let answer = report(&mut client, 409, late);
        assert_eq!((answer.message().as_str(), answer.code().as_str()), (text, "conflict"));
        assert_eq!(client.get(&h("/deviceRunStates")).body, r#"{"value":[]}"#);
        assert_eq!(client.get(&h("/userRunStates/$count")).body, "0");
        client.must(404, "GET", &row, "");
        client.must(404, "DELETE", &row, "");
    }

    let later = event(3, Some("ada"), "fail", "2026-11-21T12:00:00.0000001Z");
    report(&mut client, 201, &later);
    assert_eq!(client.get(&row).json()["configurationState"], "fail");
    let counts = [("failedDeviceCount", 1), ("failedUserCount", 1)];
    assert_counts(&mut client, counts, "2026-11-21T12:00:00.0000001Z");
}

#[test]
fn a_conflict_may_still_move_the_last_run() {
    let mut client = Client::new();
    report(&mut client, 201, &event(1, None, "success", "2026-11-21T09:30:00Z"));
    let removal = Change::Remove { device: device(1), at: at("2026-11-21T18:00:00Z") };
    assert!(commit(&mut client, ROLLOUTS[0], removal).is_applied());
    assert_counts(&mut client, [("successfulDeviceCount", 0); 2], "2026-11-21T09:30:00Z");

    let path = h("/deviceRunStates");
    let late = event(1, Some("ada"), "fail", "2026-11-21T10:00:00+01:00");
    let later = late.replace("10:00", "11:00");
    let ask = |body| Request {
        method: "POST",
        path: &path,
        authorization: Some(WRITE),
        content_type: Some("application/json"),
        body,
        ..Request::default()
    };
    let (answer, change) = client.plan(&ask(late.as_bytes()));
    assert_eq!((answer.status, change), (409, None), "an earlier one does not");
    let (answer, change) = client.plan(&ask(later.as_bytes()));
    assert_eq!(answer.status, 409);
    client.commit(&change.expect("the last run moves"));
    assert_counts(&mut client, [("failedDeviceCount", 0); 2], "2026-11-21T10:00:00Z");
    assert_eq!(client.plan(&ask(later.as_bytes())).1, None, "it has moved");
    assert_eq!(client.get(&h("/userRunStates/$count")).body, "0");
}

#[test]
fn removal_and_report_commute() {
    let body = event(1, Some("ada"), "fail", "2026-11-21T11:00:00+01:00");
    let removal = || Change::Remove { device: device(1), at: at("2026-11-21T12:00:00Z") };
    let [mut before, mut after] = [Client::new(), Client::new()];
    report(&mut before, 201, &body);
    assert!(commit(&mut before, ROLLOUTS[0], removal()).is_applied());
    assert!(commit(&mut after, ROLLOUTS[0], removal()).is_applied());
    report(&mut after, 409, &body);
    for client in [&mut before, &mut after] {
        assert_counts(client, [("failedDeviceCount", 0); 2], "2026-11-21T10:00:00Z");
    }
    let tallies =
        [&before, &after].map(|it| it.store.get(ROLLOUTS[0]).expect("it is known").tally());
    assert_eq!(tallies[0], tallies[1]);
}

#[test]
fn deleting_works_whatever_clock_the_device_had() {
    // Without a clock, a removal is as of the report. A report from beyond the clock outlasts now.
    for (reported, now, removed) in [
        ("2026-11-21T09:30:00+01:00", None, "2026-11-21T08:30:00Z"),
        ("9999-12-31T23:59:59Z", None, "9999-12-31T23:59:59Z"),
        ("0001-01-01T00:00:00Z", None, "0001-01-01T00:00:00Z"),
        ("2026-11-21T09:30:00Z", Some(NOW), NOW),
        ("9999-12-31T23:59:59Z", Some(NOW), "9999-12-31T23:59:59Z"),
        ("1970-01-01T00:00:05Z", Some(NOW), NOW),
    ] {
        for state in ["unknown", "scriptError"] {
            let mut client = Client::new();
            let body = event(1, Some("ada"), state, reported);
            report(&mut client, 201, &body);
            client.settings.clock = now.map(|now| Clock::new(at(now)));
            let row = h(&format!("/deviceRunStates/{}", device(1)));
            client.must(204, "DELETE", &row, "");
            client.must(404, "GET", &row, "");
            client.settings.clock = None;
            let message = report(&mut client, 409, &body).message();
            assert!(message.contains(&format!("removed at {removed};")), "{message}");
        }
    }
}

#[test]
fn a_retired_device_that_reports_again_is_counted_once() {
    let mut client = Client::new();
    let success = event(4, Some("ada"), "success", "2026-11-21T09:30:00Z");
    report(&mut client, 201, &success);
    let retire = Change::Retire { device: device(4) };
    let before = Effect::Applied { before: Some(RunState::Success) };
    assert_eq!(commit(&mut client, ROLLOUTS[0], retire), before);
    let row = h(&format!("/deviceRunStates/{}", device(4)));
    client.must(404, "GET", &row, "");
    let counts = [("successfulDeviceCount", 1), ("successfulUserCount", 1)];
    assert_counts(&mut client, counts, "2026-11-21T09:30:00Z");

    // A copy of what is counted, and what is older, is answered with that.
    for state in ["success", "pending"] {
        let answer = report(&mut client, 201, &success.replace("success", state));
        assert_eq!(answer.json()["configurationState"], "success");
        assert_eq!(answer.json()["upn"], "ada");
        client.must(404, "GET", &row, "");
    }
    assert_counts(&mut client, counts, "2026-11-21T09:30:00Z");

    report(&mut client, 201, &event(4, Some("ada"), "fail", "2026-11-21T10:30:00Z"));
    assert_counts(
        &mut client,
        [("failedDeviceCount", 1), ("failedUserCount", 1)],
        "2026-11-21T10:30:00Z",
    );
    assert_counts(
        &mut client,
        [("successfulDeviceCount", 0), ("successfulUserCount", 0)],
        "2026-11-21T10:30:00Z",
    );
    assert_eq!(client.list(&h("/deviceRunStates")).len(), 1);
}

#[test]
fn deleting_a_retired_device_takes_back_what_was_carried() {
    let mut client = Client::new();
    let body = event(4, Some("ada"), "success", "2026-11-21T09:30:00Z");
    report(&mut client, 201, &body);
    assert!(commit(&mut client, ROLLOUTS[0], Change::Retire { device: device(4) }).is_applied());
    let row = h(&format!("/deviceRunStates/{}", device(4)));
    client.must(204, "DELETE", &row, "");
    client.must(404, "DELETE", &row, "");
    let counts = [("successfulDeviceCount", 0), ("successfulUserCount", 0)];
    assert_counts(&mut client, counts, "2026-11-21T09:30:00Z");
    report(&mut client, 409, &body);
}

#[test]
fn a_device_with_a_wrong_clock_does_no_harm() {
    // Device 5 says 1970 after a reboot, device 6 says 9999 first.
    let mut client = client_at("2026-11-21T09:00:05Z");
    report(&mut client, 201, &event(5, None, "pending", "2026-11-21T09:00:00Z"));
    let answer = report(&mut client, 201, &event(6, None, "success", "9999-12-31T23:59:59Z"));
    assert_eq!(answer.json()["lastStateUpdateDateTime"], "2026-11-21T09:00:05Z");

    client.settings.clock = Some(Clock::new(at(NOW)));
    let answer = report(&mut client, 201, &event(5, None, "success", "1970-01-01T00:00:05Z"));
    assert_eq!(answer.json()["lastStateUpdateDateTime"], NOW);
    report(&mut client, 201, &event(6, None, "fail", "2026-11-21T11:59:59Z"));
    assert_counts(&mut client, [("successfulDeviceCount", 1), ("failedDeviceCount", 1)], NOW);

    let answer = client.must(
        201,
        "POST",
        &script("/deviceRunStates"),
        &script_event(5, "fail", "9999-12-31T23:59:59Z"),
    );
    assert_eq!(answer.json()["lastStateUpdateDateTime"], NOW);

    for number in [5, 6] {
        client.must(204, "DELETE", &h(&format!("/deviceRunStates/{}", device(number))), "");
    }
    report(&mut client, 409, &event(5, None, "success", "1970-01-01T00:00:05Z"));
    client.settings.clock = Some(Clock::new(at("2026-11-21T12:00:01Z")));
    report(&mut client, 201, &event(5, None, "success", "1970-01-01T00:00:05Z"));
}

#[test]
fn a_clock_takes_what_lies_within_its_bounds() {
    let earliest = at("2026-01-01T00:00:00Z");
    for (reported, is_taken) in [
        ("2025-12-31T23:59:59.9999999Z", false),
        ("2026-01-01T01:00:00+01:00", true),
        ("2026-11-22T14:00:00+02:00", true),
        ("2026-11-22T12:00:00.0000001Z", false),
    ] {
        let mut client = client_at(NOW);
        client.settings.clock = client.settings.clock.map(|clock| Clock { earliest, ..clock });
        let answer = report(&mut client, 201, &event(1, None, "success", reported));
        let stamped = if is_taken { reported } else { NOW };
        assert_eq!(answer.json()["lastStateUpdateDateTime"], stamped);
        assert_eq!(client.list(&h("/deviceRunStates"))[0]["lastStateUpdateDateTime"], stamped);
    }
}

#[test]
fn a_report_on_an_older_version_is_read_as_pending() {
    let mut client = Client::new();
    let versioned = |number, version: Option<i32>| {
        let body = event(number, Some("ada"), "success", "2026-11-21T09:30:00Z");
        match version {
            Some(version) => body.replacen('{', &format!(r#"{{"internalVersion":{version},"#), 1),
            None => body,
        }
    };
    // Until a version is set, each is as good as the other.
    let answer = report(&mut client, 201, &versioned(1, Some(-3)));
    assert_eq!(answer.json()["configurationState"], "success");

    assert!(client.store.set_version(ROLLOUTS[0], 2));
    for (number, version, state) in [
        (2, Some(1), "pending"),
        (3, Some(-1), "pending"),
        (4, Some(2), "success"),
        (5, Some(3), "success"),
        (6, None, "success"),
    ] {
        let answer = report(&mut client, 201, &versioned(number, version)).json();
        assert_eq!(answer["configurationState"], state, "{version:?}");
        assert_eq!(answer["internalVersion"].as_i64(), version.map(i64::from));
        let row = client.get(&h(&format!("/deviceRunStates/{}", device(number)))).json();
        assert_eq!(row["configurationState"], state);
    }
    assert_counts(
        &mut client,
        [("pendingDeviceCount", 2), ("successfulDeviceCount", 4)],
        "2026-11-21T09:30:00Z",
    );
}

#[test]
fn a_new_beginning_shows_wherever_devices_are_counted() {
    let mut client = Client::new();
    for number in 1..=2 {
        report(&mut client, 201, &event(number, Some("ada"), "success", "2026-11-21T09:30:00Z"));
        client.must(
            201,
            "POST",
            &script("/deviceRunStates"),
            &script_event(number, "fail", "2026-11-21T09:30:00Z"),
        );
    }
    for rollout in ROLLOUTS {
        assert!(commit(&mut client, rollout, Change::RunFrom(at(NOW))).is_applied());
    }
    assert_counts(
        &mut client,
        [("pendingDeviceCount", 2), ("pendingUserCount", 1)],
        "2026-11-21T09:30:00Z",
    );
    assert_counts(
        &mut client,
        [("successfulDeviceCount", 0), ("successfulUserCount", 0)],
        "2026-11-21T09:30:00Z",
    );
    let user = format!("/userRunStates/{}", user_id(CONFIGURATION, "ada"));
    assert_eq!(client.get(&h(&user)).json()["pendingDeviceCount"], 2);
    for list in ["/deviceRunStates", &format!("{user}/deviceRunStates")] {
        for row in client.list(&h(list)) {
            assert_eq!(row["configurationState"], "pending");
            assert_eq!(row["lastStateUpdateDateTime"], "2026-11-21T09:30:00Z");
        }
        assert_eq!(client.get(&h(&format!("{list}/$count"))).body, "2");
    }
    assert_eq!(summary(&mut client, &script("/runSummary"))["errorDeviceCount"], 0);
    for row in client.list(&script("/deviceRunStates")) {
        assert_eq!(row["runState"], "pending");
    }

    // A report from before is pending, new or known, and answered so.
    for (number, state, minute) in [(1, "fail", 31), (3, "success", 30), (1, "success", 30)] {
        let reported = format!("2026-11-21T09:{minute}:00Z");
        let answer = report(&mut client, 201, &event(number, Some("ada"), state, &reported));
        assert_eq!(answer.json()["configurationState"], "pending");
        let answer = client.must(
            201,
            "POST",
            &script("/deviceRunStates"),
            &script_event(number, state, &reported),
        );
        assert_eq!(answer.json()["runState"], "pending");
    }
    // What is recorded is what was reported.
    for rollout in ROLLOUTS {
        let tally = client.store.get(rollout).expect("it is known").tally();
        let recorded = [1, 3].map(|number| tally.device(&device(number)).map(|it| it.state));
        assert_eq!(recorded, [Some(RunState::Fail), Some(RunState::Success)]);
    }
    // One from now on counts.
    let answer = report(&mut client, 201, &event(2, Some("ada"), "fail", NOW));
    assert_eq!(answer.json()["configurationState"], "fail");
    assert_counts(&mut client, [("pendingDeviceCount", 2), ("failedDeviceCount", 1)], NOW);
}

#[test]
fn a_retired_device_shows_the_state_that_is_carried_for_it() {
    let mut client = Client::new();
    let body = event(1, None, "success", "2026-11-21T09:30:00Z");
    report(&mut client, 201, &body);
    assert!(commit(&mut client, ROLLOUTS[0], Change::Retire { device: device(1) }).is_applied());
    assert!(commit(&mut client, ROLLOUTS[0], Change::RunFrom(at(NOW))).is_applied());
    assert_eq!(report(&mut client, 201, &body).json()["configurationState"], "success");
    assert_counts(
        &mut client,
        [("successfulDeviceCount", 1), ("pendingDeviceCount", 0)],
        "2026-11-21T09:30:00Z",
    );
}

#[test]
fn a_scripts_device_keeps_its_user_at_the_flat_path() {
    let mut client = Client::new();
    let declared = r#"{"userPrincipalName":"Ada","successDeviceCount":0,"errorDeviceCount":0}"#;
    client.must(201, "POST", &script("/userRunStates"), declared);
    let user = script(&format!("/userRunStates/{}", user_id(SCRIPT, "ada")));
    let (flat, own) = (script("/deviceRunStates"), format!("{user}/deviceRunStates"));
    client.must(201, "POST", &own, &script_event(1, "success", "2026-11-21T09:30:00Z"));

    client.must(201, "POST", &flat, &script_event(1, "fail", "2026-11-21T09:31:00Z"));
    assert_eq!(client.list(&own).len(), 1);
    assert_eq!(client.get(&user).json()["errorDeviceCount"], 1);
    assert_eq!(summary(&mut client, &script("/runSummary"))["errorUserCount"], 1);

    // Also when it returns after it was retired.
    assert!(commit(&mut client, ROLLOUTS[1], Change::Retire { device: device(1) }).is_applied());
    assert_eq!(client.get(&user).json()["errorDeviceCount"], 1);
    client.must(201, "POST", &flat, &script_event(1, "success", "2026-11-21T09:32:00Z"));
    let state = client.get(&user).json();
    assert_eq!((&state["successDeviceCount"], &state["errorDeviceCount"]), (&json!(1), &json!(0)));
    assert_eq!(client.list(&own).len(), 1);

    // A repetition at either path is a duplicate.
    for path in [&flat, &own] {
        client.must(201, "POST", path, &script_event(1, "success", "2026-11-21T09:32:00Z"));
        assert_eq!(client.get(&user).json(), state);
    }

    // A removed device has no user any more.
    client.must(204, "DELETE", &format!("{flat}/{}", device(1)), "");
    client.must(201, "POST", &flat, &script_event(1, "success", "2026-11-21T09:33:00Z"));
    assert_eq!(client.list(&own), [] as [Value; 0]);
    assert_eq!(client.list(&flat).len(), 1);
}

#[test]
fn a_upn_of_145_bytes_is_counted_and_one_more_is_refused() {
    let mut client = Client::new();
    let upn = format!("{}@example.com", "a".repeat(133));
    assert_eq!(upn.len(), 145);
    report(&mut client, 201, &event(8, Some(&upn), "success", "2026-11-21T09:30:00Z"));
    assert_eq!(client.list(&h("/deviceRunStates"))[0]["upn"], upn);
    assert_eq!(client.list(&h("/userRunStates"))[0]["upn"], upn);
    let answer = report(&mut client, 400, &event(8, Some(&format!("a{upn}")), "fail", NOW));
    assert!(answer.message().ends_with("longer than 145 bytes"), "{}", answer.message());
}

#[test]
fn a_text_that_is_only_echoed_is_cut_at_a_character() {
    let mut client = Client::new();
    client.buffer = 1 << 17;
    let mut body: Value =
        serde_json::from_str(&event(9, None, "success", "2026-11-21T09:30:00Z")).expect("JSON");
    body["configurationOutput"] = "x".repeat(8193).into();
    body["configurationError"] = format!("{}é", "x".repeat(8191)).into();
    body["deviceName"] = "é".repeat(128).into();
    let answer = report(&mut client, 201, &body.to_string()).json();
    assert_eq!(answer["configurationOutput"], "x".repeat(8192));
    assert_eq!(answer["configurationError"], "x".repeat(8191));
    assert_eq!(answer["deviceName"], "é".repeat(127));
    assert_counts(&mut client, [("successfulDeviceCount", 1); 2], "2026-11-21T09:30:00Z");

    let mut body: Value =
        serde_json::from_str(&script_event(9, "fail", "2026-11-21T09:30:00Z")).expect("JSON");
    body["errorDescription"] = "y".repeat(20_000).into();
    body["resultMessage"] = "y".repeat(20_000).into();
    client.must(201, "POST", &script("/deviceRunStates"), &body.to_string());
    assert_eq!(summary(&mut client, &script("/runSummary"))["errorDeviceCount"], 1);
}

#[test]
fn a_stale_report_moves_the_last_run_past_what_was_declared() {
    let mut client = Client::new();
    report(&mut client, 201, &event(1, None, "success", "2026-11-21T09:30:00Z"));
    report(&mut client, 201, &event(2, None, "success", "2026-11-21T09:00:00Z"));
    client.must(204, "DELETE", &h(&format!("/deviceRunStates/{}", device(1))), "");
    // What is written is what is read, in the zone it was written in.
    let declared = "2026-11-21T10:10:00+01:00";
    client.must(200, "PATCH", &h("/runSummary"), &format!(r#"{{"lastRunDateTime":"{declared}"}}"#));
    assert_counts(&mut client, [("successfulDeviceCount", 1); 2], declared);
    // The same instant is no later event.
    report(&mut client, 409, &event(1, None, "pending", "2026-11-21T09:10:00Z"));
    assert_counts(&mut client, [("successfulDeviceCount", 1); 2], declared);
    report(&mut client, 409, &event(1, None, "pending", "2026-11-21T09:20:00Z"));
    assert_counts(&mut client, [("successfulDeviceCount", 1); 2], "2026-11-21T09:20:00Z");
}

#[test]
fn names_go_with_the_declaration() {
    let mut client = Client::new();
    let named = |upn: &str, name: Option<&str>| {
        let mut state = json!({ "upn": upn, "lastStateUpdateDateTime": NOW });
        for counter in ["successful", "failed", "pending", "error", "notApplicable", "unknown"] {
            state[format!("{counter}DeviceCount")] = 0.into();
        }
        if let Some(name) = name {
            state["userName"] = name.into();
        }
        state.to_string()
    };
    let users = h("/userRunStates");
    client.must(201, "POST", &users, &named("ada", Some("Ada")));
    client.must(204, "DELETE", &format!("{users}/{}", user_id(CONFIGURATION, "ada")), "");
    // Bob takes the row over, by a request or beside one.
    client.must(201, "POST", &users, &named("bob", None));
    assert_eq!(client.list(&users)[0]["userName"], Value::Null);
    client.must(204, "DELETE", &format!("{users}/{}", user_id(CONFIGURATION, "bob")), "");
    let cid = "cid".parse().expect("a name");
    let declared =
        Change::DeclareUser { user: cid, devices: Counts::ZERO, last_update: Some(at(NOW)) };
    let tally = client.store.tally_mut(ROLLOUTS[0]).expect("it is known");
    assert!(tally.commit(&declared).expect("there is room").is_applied());
    assert_eq!(client.list(&users)[0]["userName"], Value::Null);
}

#[test]
fn a_user_declared_without_a_last_update_shows_the_first_moment() {
    let mut client = Client::new();
    for upn in ["ada", "bob"] {
        let user = upn.parse().expect("a name");
        let declared = Change::DeclareUser { user, devices: Counts::ZERO, last_update: None };
        assert!(commit(&mut client, ROLLOUTS[0], declared).is_applied());
    }
    let users = client.list(&h("/userRunStates"));
    assert_eq!(users.len(), 2);
    for user in users {
        assert_eq!(user["lastStateUpdateDateTime"], "0001-01-01T00:00:00Z");
        let row = h(&format!("/userRunStates/{}", user["id"].as_str().expect("a text")));
        assert_eq!(client.must(200, "PATCH", &row, "{}").json(), user);
        assert_eq!(client.get(&row).json(), user);
    }
}

#[test]
fn each_role_has_as_many_tokens_as_are_given() {
    let settings = Settings {
        read_tokens: &["reader", "", "old reader", "both"],
        write_tokens: &["writer", "old writer", "both", ""],
        ..Settings::default()
    };
    let access = |token: &str| settings.access(Some(&format!("Bearer {token}")));
    for token in ["reader", "old reader"] {
        assert_eq!(access(token), Some(Access::Read), "{token}");
    }
    for token in ["writer", "old writer", "both"] {
        assert_eq!(access(token), Some(Access::Write), "{token}");
    }
    for token in ["", "old", "reader old reader", "read", "writer2"] {
        assert_eq!(access(token), None, "{token}");
    }
}

#[test]
fn no_secret_is_shown() {
    let settings = Settings {
        read_tokens: &["s3cret-reader"],
        write_tokens: &["s3cret-writer", "s3cret-other"],
        origin: "http://host",
        ..Settings::default()
    };
    let request = Request {
        method: "POST",
        path: "/deviceManagement",
        authorization: Some("Bearer s3cret-writer"),
        ..Request::default()
    };
    let mut shown = String::new();
    write!(shown, "{settings:?} {settings:#?} {request:?} {request:#?}")
        .expect("a string takes it");
    assert!(!shown.contains("s3cret"), "{shown}");
    for told in ["1 redacted", "2 redacted", "http://host", "/deviceManagement", "POST"] {
        assert!(shown.contains(told), "{told} in {shown}");
    }
    assert!(format!("{:?}", Request::default()).contains("authorization: None"));
}
