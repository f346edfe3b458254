//! Texts that are long: names that are kept have a limit, what is only echoed is cut.

use serde_json::Value;

use crate::client::{CONFIGURATION, Client, configuration, event, script, script_event, user_id};

const AT: &str = "2026-11-21T09:30:00Z";

fn devices() -> String {
    configuration(CONFIGURATION, "/deviceRunStates")
}

/// A body with one property more.
fn with(body: &str, property: &str, text: &str) -> String {
    let body = body.strip_suffix('}').expect("an object");
    format!("{body},\"{property}\":\"{text}\"}}")
}

#[test]
fn a_deleted_users_device_is_counted() {
    // Microsoft Entra puts the object's id, 32 digits, before a deleted user's UPN, which has up to
    // 113 characters.
    let upn = format!("{}{}@example.com", "0f1e2d3c4b5a6978".repeat(2), "a".repeat(101));
    assert_eq!(upn.len(), 145);
    let mut client = Client::new();
    let answer = client.must(201, "POST", &devices(), &event(1, Some(&upn), "success", AT));
    assert_eq!(answer.json()["upn"], upn);
    let users = format!("/userRunStates/{}", user_id(CONFIGURATION, &upn));
    let user = client.get(&configuration(CONFIGURATION, &users)).json();
    assert_eq!((&user["upn"], &user["successfulDeviceCount"]), (&upn.into(), &1.into()));
}

#[test]
fn a_longer_upn_is_refused_and_nothing_is_counted() {
    let mut client = Client::new();
    let body = event(1, Some(&"a".repeat(146)), "success", AT);
    let answer = client.must(400, "POST", &devices(), &body);
    assert!(answer.message().ends_with("longer than 145 bytes"), "{}", answer.message());
    assert!(client.list(&devices()).is_empty());
}

#[test]
fn a_device_is_counted_whatever_it_has_to_say() {
    for (to, body, property, limit) in [
        (devices(), event(1, None, "success", AT), "configurationOutput", 8192),
        (devices(), event(1, None, "success", AT), "configurationError", 8192),
        (devices(), event(1, None, "success", AT), "assignmentFilterIds", 8192),
        (devices(), event(1, None, "success", AT), "deviceName", 255),
        (devices(), event(1, None, "success", AT), "osVersion", 255),
        (devices(), event(1, None, "success", AT), "userId", 255),
        (script("/deviceRunStates"), script_event(1, "success", AT), "resultMessage", 8192),
        (script("/deviceRunStates"), script_event(1, "success", AT), "errorDescription", 8192),
    ] {
        for (given, echoed) in [
            ("x".repeat(limit + 1), "x".repeat(limit)),
            ("x".repeat(limit - 1) + "é", "x".repeat(limit - 1)),
            ("x".repeat(limit - 3) + r"\ud83d\ude00", "x".repeat(limit - 3)),
            ("x".repeat(limit - 4) + r"\ud83d\ude00!", "x".repeat(limit - 4) + "😀"),
            (r"\n".repeat(limit + 7), "\n".repeat(limit)),
        ] {
            let mut client = Client::new();
            client.buffer = 65_536;
            let answer = client.must(201, "POST", &to, &with(&body, property, &given));
            assert_eq!(answer.json()[property], Value::from(echoed), "{property}");
            assert_eq!(client.list(&to).len(), 1, "{property}");
        }
    }
}
