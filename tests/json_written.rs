//! JSON out, against `serde_json`: what is written, and into which buffers.
#![cfg(feature = "graph")]

use proptest::prelude::*;
use runtally::graph::{
    DeviceState, RunSummary, ScriptDeviceState, ScriptRunSummary, ScriptUserState, UserState,
};
use runtally::strategies::counts;
use runtally::{Counts, DateTime, RunState, Summary};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

const AT: &str = "9999-12-31T23:59:59.9999999-08:00";

fn at() -> DateTime {
    AT.parse().expect("a date-time")
}

fn json(encode: impl Fn(&mut [u8]) -> Result<usize, runtally::graph::BufferFull>) -> String {
    let mut buffer = vec![0; 65_536];
    let length = encode(&mut buffer).expect("it fits");
    buffer.truncate(length);
    String::from_utf8(buffer).expect("UTF-8")
}

/// What serde writes, which two serialisers agree on.
fn by_serde(resource: &impl Serialize) -> String {
    let json = serde_json::to_string(resource).expect("no error of its own");
    let core = serde_json_core::to_string::<_, 8192>(resource).expect("it fits");
    assert_eq!(core.as_str(), json);
    json
}

fn device(name: Option<&str>, version: Option<i32>) -> DeviceState<'_> {
    let row = DeviceState::row(Uuid::max(), None, RunState::NotApplicable, at());
    let device_name = name.map(|name| name.try_into().expect("not too long"));
    DeviceState { device_name, internal_version: version, ..row }
}

#[test]
fn every_buffer_that_is_long_enough_will_do_and_no_other() {
    let state = device(Some("\u{1}\"\\é😀"), Some(i32::MIN));
    let whole = json(|buffer| state.encode(buffer));
    for room in 0..whole.len() + 2 {
        let mut buffer = vec![b'#'; room];
        match state.encode(&mut buffer) {
            Ok(length) => assert_eq!(&buffer[..length], whole.as_bytes(), "{room} bytes"),
            Err(_) => assert!(room < whole.len(), "{room} bytes"),
        }
    }
}

#[test]
fn integers_of_every_length_are_written() {
    let powers = || (0..10).map(|digits| 10_i64.pow(digits));
    for number in powers().flat_map(|power| [power - 1, power, -power, 1 - power]) {
        let Ok(number) = i32::try_from(number) else { continue };
        let written = json(|buffer| device(None, Some(number)).encode(buffer));
        assert!(written.contains(&format!("\"internalVersion\":{number},")), "{written}");
    }
    for number in [i32::MIN, i32::MAX] {
        let written = json(|buffer| device(None, Some(number)).encode(buffer));
        assert!(written.contains(&format!("\"internalVersion\":{number},")), "{written}");
    }
}

#[test]
fn every_character_comes_back() {
    for code in (0..=0x17f).chain([0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x1_0000, 0x10_ffff]) {
        let c = char::from_u32(code).expect("no surrogate");
        let name = format!("a{c}b{c}");
        let state = device(Some(&name), None);
        let written = json(|buffer| state.encode(buffer));
        let core = serde_json_core::to_string::<_, 8192>(&state).expect("it fits");
        assert_eq!(written, core.as_str());
        let read: Value = serde_json::from_str(&written).expect("JSON");
        assert_eq!(read["deviceName"], Value::from(name), "{written}");
    }
}

proptest! {
    /// An escape that was read is resolved and escaped anew.
    #[test]
    fn what_serde_writes_is_what_is_written(
        counts in counts(),
        users in counts(),
        name in proptest::option::of("[ -~\u{e9}\u{1f600}]{0,40}"),
        id in proptest::option::of(any::<u128>()),
        version in proptest::option::of(any::<i32>()),
    ) {
        let id = id.map(Uuid::from_u128);
        let state = device(name.as_deref(), version);
        prop_assert_eq!(json(|buffer| state.encode(buffer)), by_serde(&state));
        let written = by_serde(&state);
        let read = DeviceState::decode(written.as_bytes()).expect("as written");
        prop_assert_eq!(json(|buffer| read.encode(buffer)), written);

        for last_run in [None, Some(at())] {
            let summary = RunSummary { id, summary: Summary { devices: counts, users, last_run } };
            prop_assert_eq!(json(|buffer| summary.encode(buffer)), by_serde(&summary));
        }
        let text = name.as_deref().map(|name| name.try_into().expect("not too long"));
        let user = UserState {
            id,
            upn: "ada".try_into().expect("short"),
            email: None,
            name: text,
            last_update: at(),
            devices: counts,
        };
        prop_assert_eq!(json(|buffer| user.encode(buffer)), by_serde(&user));
        let script = ScriptRunSummary {
            id,
            success_devices: counts[RunState::Success],
            error_devices: Counts::MAX,
            success_users: 0,
            error_users: users[RunState::Fail],
        };
        prop_assert_eq!(json(|buffer| script.encode(buffer)), by_serde(&script));
        let user = ScriptUserState {
            id,
            success_devices: counts[RunState::Success],
            error_devices: 0,
            upn: "ada".try_into().expect("short"),
        };
        prop_assert_eq!(json(|buffer| user.encode(buffer)), by_serde(&user));
        let state = ScriptDeviceState {
            error_code: version,
            ..ScriptDeviceState::row(Uuid::nil(), RunState::Fail, at())
        };
        prop_assert_eq!(json(|buffer| state.encode(buffer)), by_serde(&state));
    }
}
