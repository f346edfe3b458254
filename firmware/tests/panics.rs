//! The checks of `panics.txt`, which dependencies bring along, each taken to its edges.

use runtally::graph::{DeviceState, Request, RunSummary, Settings, Store, Upn};
use runtally::{Counts, DateTime, Event, RunState, Summary};
use uuid::Uuid;

/// serde-json-core's `extend_from_slice`: an index into the buffer.
#[test]
fn json_is_written_into_a_buffer_of_any_length_or_refused() {
    let counts = RunState::ALL
        .into_iter()
        .try_fold(Counts::ZERO, |counts, state| counts.with(state, Counts::MAX))
        .expect("in range");
    let at = "9999-12-31T23:59:59.9999999-08:00".parse().ok();
    let summary = Summary { devices: counts, users: counts, last_run: at };
    let summary = RunSummary { id: Some(Uuid::max()), summary };
    let length = summary.encode(&mut [0; RunSummary::MAX_JSON]).expect("the longest fits");
    for room in 0..=RunSummary::MAX_JSON {
        assert_eq!(summary.encode(&mut vec![0; room]).is_ok(), room >= length, "{room} bytes");
    }

    let body = r#"{"id":"74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974","deviceName":"\u0001\"\u00e9\ud83d\ude00",
        "internalVersion":-2147483648,"lastStateUpdateDateTime":"2026-11-21T09:30:00Z","configurationState":"fail"}"#;
    let state = DeviceState::decode(body.as_bytes()).expect("well formed");
    let length = state.encode(&mut [0; 1024]).expect("it fits");
    for room in 0..1024 {
        assert_eq!(state.encode(&mut vec![0; room]).is_ok(), room >= length, "{room} bytes");
    }
}

/// serde-json-core's integers: an index into as many digits as the longest has.
#[test]
fn integers_of_every_length_are_written() {
    let edges = (0..=9).flat_map(|digits| {
        let power = 10u32.pow(digits);
        [power - 1, power, power + 1]
    });
    for count in edges.chain([0, Counts::MAX - 1, Counts::MAX]) {
        let counts = Counts::ZERO.with(RunState::Fail, count).expect("in range");
        let summary = Summary { devices: counts, ..Summary::ZERO };
        let mut bytes = [0; RunSummary::MAX_JSON];
        let length = RunSummary { id: None, summary }.encode(&mut bytes).expect("it fits");
        let json = str::from_utf8(&bytes[..length]).expect("UTF-8");
        assert!(json.contains(&format!("\"failedDeviceCount\":{count},")), "{json}");
    }
    for version in [i32::MIN, i32::MIN + 1, -10, -9, -1, 0, 9, 10, i32::MAX] {
        let at = "2026-11-21T09:30:00Z".parse().expect("a date-time");
        let row = DeviceState::row(Uuid::nil(), None, RunState::Fail, at);
        let row = DeviceState { internal_version: Some(version), ..row };
        let mut bytes = [0; 512];
        let length = row.encode(&mut bytes).expect("it fits");
        let json = str::from_utf8(&bytes[..length]).expect("UTF-8");
        assert!(json.contains(&format!("\"internalVersion\":{version},")), "{json}");
    }
}

/// serde-json-core's `u16`, in the link to a list's next page, and the blocks of `sha1_smol`, which the
/// id of a user goes through: UPNs of every length there is end at every place of a block.
#[test]
fn users_with_names_of_every_length_are_listed_with_their_ids() {
    let id = Uuid::max();
    let mut store = Box::new(Store::<1, 0, 128, 128>::new());
    let configuration = store.declare_configuration(id).expect("room");
    let at = DateTime::from_ticks(0, 0).expect("1970");
    for length in 1..=Upn::MAX_LEN {
        let upn = Upn::try_from(&*"u".repeat(length)).expect("not too long");
        let device = Uuid::from_u128(length as u128);
        let event = Event { device, user: Some(upn), state: RunState::Success, at };
        assert!(configuration.apply(&event).is_ok());
    }

    let settings = Settings { read_token: "reader", ..Settings::default() };
    let path = format!("/deviceManagement/hardwareConfigurations/{id}/userRunStates");
    let mut users = 0;
    let mut query = "$top=7".to_owned();
    loop {
        let request = Request {
            method: "GET",
            path: &path,
            query: &query,
            authorization: Some("Bearer reader"),
            ..Request::default()
        };
        let mut bytes = vec![0; 8192];
        let response = store.handle(&request, &settings, &mut bytes);
        let page = str::from_utf8(response.body).expect("UTF-8");
        assert_eq!(response.status, 200, "{page}");
        for length in 1..=Upn::MAX_LEN {
            let name = "u".repeat(length);
            if page.contains(&format!("\"upn\":\"{name}\"")) {
                let id = Uuid::new_v5(&id, name.as_bytes());
                assert!(page.contains(&format!("\"id\":\"{id}\"")), "{length}");
                users += 1;
            }
        }
        let Some((_, link)) = page.split_once("@odata.nextLink\":\"") else { break };
        let (_, next) = link.split_once('?').expect("a query");
        query = next.trim_end_matches("\"}").to_owned();
    }
    assert_eq!(users, Upn::MAX_LEN);
}
