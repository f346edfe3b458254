//! The wire: Graph's examples, lengths, limits, depth, truncation.
#![cfg(feature = "graph")]

use runtally::graph::{
    BufferFull, DeviceState, Error, MAX_DEPTH, Reason, RunSummary, RunSummaryUpdate,
    ScriptDeviceState, ScriptRunSummary, ScriptUserState, Text, Upn, UserState, UserStateUpdate,
};
use runtally::{Counts, DateTime, RunState, Summary};
use uuid::Uuid;

/// Reads one resource and writes it again.
type Echo = fn(&[u8], &mut [u8]) -> Result<usize, Error>;

fn run_summary(json: &[u8], buffer: &mut [u8]) -> Result<usize, Error> {
    Ok(RunSummaryUpdate::decode(json)?.complete()?.encode(buffer).unwrap())
}

fn user_state(json: &[u8], buffer: &mut [u8]) -> Result<usize, Error> {
    Ok(UserStateUpdate::decode(json)?.complete()?.encode(buffer).unwrap())
}

fn device_state(json: &[u8], buffer: &mut [u8]) -> Result<usize, Error> {
    Ok(DeviceState::decode(json)?.encode(buffer).unwrap())
}

fn script_run_summary(json: &[u8], buffer: &mut [u8]) -> Result<usize, Error> {
    Ok(ScriptRunSummary::decode(json)?.encode(buffer).unwrap())
}

fn script_user_state(json: &[u8], buffer: &mut [u8]) -> Result<usize, Error> {
    Ok(ScriptUserState::decode(json)?.encode(buffer).unwrap())
}

fn script_device_state(json: &[u8], buffer: &mut [u8]) -> Result<usize, Error> {
    Ok(ScriptDeviceState::decode(json)?.encode(buffer).unwrap())
}

/// Graph's examples, compact.
const EXAMPLES: [(&str, Echo); 8] = [
    (include_str!("wire/run-summary.json"), run_summary),
    (include_str!("wire/run-summary-with-id.json"), run_summary),
    (include_str!("wire/user-state.json"), user_state),
    (include_str!("wire/user-state-with-id.json"), user_state),
    (include_str!("wire/device-state.json"), device_state),
    (include_str!("wire/script-run-summary.json"), script_run_summary),
    (include_str!("wire/script-user-state.json"), script_user_state),
    (include_str!("wire/script-device-state.json"), script_device_state),
];

const ID: Uuid = Uuid::from_u128(0x74b9_fcd8_fcd8_74b9_d8fc_b974_d8fc_b974);

/// Displays as no shorter date-time does.
fn longest_date_time() -> DateTime {
    "2016-12-31T23:57:28.4995371-08:00".parse().unwrap()
}

fn most() -> Counts {
    RunState::ALL
        .into_iter()
        .fold(Counts::ZERO, |counts, state| counts.with(state, Counts::MAX).unwrap())
}

/// `N` control characters: nothing takes more bytes in JSON.
fn text<const N: usize>() -> Text<'static, N> {
    Text::try_from("\u{1}".repeat(N).leak() as &str).unwrap()
}

fn upn() -> Upn {
    "\u{1}".repeat(Upn::MAX_LEN).parse().unwrap()
}

/// Asserts that `max` bytes are enough and one less are not.
fn assert_max(max: usize, encode: impl Fn(&mut [u8]) -> Result<usize, BufferFull>) {
    let mut buffer = vec![0; max + 100];
    assert_eq!(encode(&mut buffer), Ok(max));
    assert_eq!(encode(&mut buffer[..max]), Ok(max));
    assert_eq!(encode(&mut buffer[..max - 1]), Err(BufferFull));
    assert_eq!(encode(&mut []), Err(BufferFull));
    serde_json::from_slice::<serde_json::Value>(&buffer[..max]).unwrap();
}

#[test]
fn the_examples_come_back_byte_for_byte() {
    for (example, echo) in EXAMPLES {
        let example = example.trim_end();
        let mut buffer = [0; 1000];
        let length = echo(example.as_bytes(), &mut buffer).unwrap();
        assert_eq!(str::from_utf8(&buffer[..length]).unwrap(), example);
    }
}

#[test]
fn white_space_and_the_order_of_properties_do_not_matter() {
    for (example, echo) in EXAMPLES {
        let example = example.trim_end();
        let spaced = example
            .replace("\":", "\" \t\r\n:\n")
            .replace(",\"", " ,\r\n\t\"")
            .replace('{', "\n{ ")
            .replace('}', "\n} \n");
        let mut reversed: Vec<&str> = example[1..example.len() - 1].split(",\"").collect();
        reversed[0] = &reversed[0][1..];
        reversed.reverse();
        let reversed = format!("{{\"{}}}", reversed.join(",\""));
        for same in [spaced, reversed] {
            let mut buffer = [0; 1000];
            let length = echo(same.as_bytes(), &mut buffer).unwrap();
            assert_eq!(str::from_utf8(&buffer[..length]).unwrap(), example);
        }
    }
}

#[test]
fn a_document_cut_short_anywhere_is_refused_at_its_end() {
    for (example, echo) in EXAMPLES {
        let example = example.trim_end().as_bytes();
        for end in 0..example.len() {
            let error = echo(&example[..end], &mut [0; 1000]).unwrap_err();
            assert_eq!((error.reason, error.at), (Reason::Truncated, end));
        }
    }
    let every_kind = br#" { "x" : [ true , false, null, -0.5e+10 , { "\b\"": {} , "z" : [] } ] ,
        "deviceName" : "\u00e9 \ud83d\ude00 \/" , "osVersion" : null } "#;
    let whole = DeviceState::decode(every_kind).unwrap_err();
    assert_eq!((whole.reason, whole.property), (Reason::Missing, Some("id")));
    for end in 0..every_kind.trim_ascii_end().len() {
        let error = DeviceState::decode(&every_kind[..end]).unwrap_err();
        assert_eq!((error.reason, error.at), (Reason::Truncated, end));
    }
}

#[test]
fn the_longest_run_summary_is_as_long_as_it_says() {
    let summary = Summary { devices: most(), users: most(), last_run: Some(longest_date_time()) };
    let whole = RunSummary { id: Some(ID), summary };
    assert_max(RunSummary::MAX_JSON, |buffer| whole.encode(buffer));
}

#[test]
fn the_longest_user_state_is_as_long_as_it_says() {
    let whole = UserState {
        id: Some(ID),
        upn: text(),
        email: Some(text()),
        name: Some(text()),
        last_update: longest_date_time(),
        devices: most(),
    };
    assert_max(UserState::MAX_JSON, |buffer| whole.encode(buffer));
}

#[test]
fn the_longest_device_state_is_as_long_as_it_says() {
    let whole = DeviceState {
        id: ID,
        device_name: Some(text()),
        os_version: Some(text()),
        upn: Some(text()),
        internal_version: Some(i32::MIN),
        last_update: longest_date_time(),
        state: RunState::NotApplicable,
        output: Some(text()),
        error: Some(text()),
        assignment_filter_ids: Some(text()),
        user_id: Some(text()),
    };
    assert_max(DeviceState::MAX_JSON, |buffer| whole.encode(buffer));
}

#[test]
fn the_longest_row_of_a_device_is_as_long_as_it_says() {
    let upn = upn();
    let row = DeviceState::row(ID, Some(&upn), RunState::NotApplicable, longest_date_time());
    assert_max(DeviceState::MAX_ROW_JSON, |buffer| row.encode(buffer));
}

#[test]
fn the_longest_script_run_summary_is_as_long_as_it_says() {
    let whole = ScriptRunSummary {
        id: Some(ID),
        success_devices: Counts::MAX,
        error_devices: Counts::MAX,
        success_users: Counts::MAX,
        error_users: Counts::MAX,
    };
    assert_max(ScriptRunSummary::MAX_JSON, |buffer| whole.encode(buffer));
}

#[test]
fn the_longest_script_user_state_is_as_long_as_it_says() {
    let whole = ScriptUserState {
        id: Some(ID),
        success_devices: Counts::MAX,
        error_devices: Counts::MAX,
        upn: upn(),
    };
    assert_max(ScriptUserState::MAX_JSON, |buffer| whole.encode(buffer));
}

#[test]
fn the_longest_script_device_state_is_as_long_as_it_says() {
    let whole = ScriptDeviceState {
        id: ID,
        state: RunState::NotApplicable,
        result_message: Some(text()),
        last_update: longest_date_time(),
        error_code: Some(i32::MIN),
        error_description: Some(text()),
    };
    assert_max(ScriptDeviceState::MAX_JSON, |buffer| whole.encode(buffer));
    let row = ScriptDeviceState::row(ID, RunState::NotApplicable, longest_date_time());
    assert_max(ScriptDeviceState::MAX_ROW_JSON, |buffer| row.encode(buffer));
}

#[test]
fn a_row_shows_what_is_kept_of_a_device_and_nothing_else() {
    let at = "2026-11-21T09:30:00Z".parse().unwrap();
    let mut buffer = [0; DeviceState::MAX_ROW_JSON];
    let length = DeviceState::row(ID, None, RunState::Fail, at).encode(&mut buffer).unwrap();
    assert_eq!(
        str::from_utf8(&buffer[..length]).unwrap(),
        concat!(
            r##"{"@odata.type":"#microsoft.graph.hardwareConfigurationDeviceState","##,
            r#""id":"74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974","upn":null,"#,
            r#""lastStateUpdateDateTime":"2026-11-21T09:30:00Z","configurationState":"fail"}"#,
        )
    );
}

/// Each string that is kept, its limit, and a document of its resource to put it into.
const KEPT: [(&str, usize, Echo, &str); 6] = [
    ("upn", 145, device_state, DEVICE),
    ("upn", 145, user_state, USER),
    ("userEmail", 127, user_state, USER_WITH_UPN),
    ("userName", 127, user_state, USER_WITH_UPN),
    ("userPrincipalName", 145, script_user_state, SCRIPT_USER),
    ("unknown", usize::MAX, device_state, DEVICE),
];
/// Each string that is echoed only, likewise.
const ECHOED: [(&str, usize, Echo, &str); 8] = [
    ("deviceName", 255, device_state, DEVICE),
    ("osVersion", 255, device_state, DEVICE),
    ("userId", 255, device_state, DEVICE),
    ("configurationOutput", 8192, device_state, DEVICE),
    ("configurationError", 8192, device_state, DEVICE),
    ("assignmentFilterIds", 8192, device_state, DEVICE),
    ("resultMessage", 8192, script_device_state, SCRIPT_DEVICE),
    ("errorDescription", 8192, script_device_state, SCRIPT_DEVICE),
];
/// One character as it is spelled, and as it is.
const SPELLED: [(&str, &str); 6] = [
    ("x", "x"),
    (r"\n", "\n"),
    (r"\u0041", "A"),
    ("é", "é"),
    (r"\u20ac", "€"),
    (r"\ud83d\ude00", "😀"),
];
const DEVICE: &str = r#","id":"74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974",
    "lastStateUpdateDateTime":"2026-11-21T09:30:00Z","configurationState":"success"}"#;
const USER: &str = r#","lastStateUpdateDateTime":"2026-11-21T09:30:00Z",
    "successfulDeviceCount":0,"failedDeviceCount":0,"pendingDeviceCount":0,
    "errorDeviceCount":0,"notApplicableDeviceCount":0,"unknownDeviceCount":0}"#;
const USER_WITH_UPN: &str = r#","upn":"ada","lastStateUpdateDateTime":"2026-11-21T09:30:00Z",
    "successfulDeviceCount":0,"failedDeviceCount":0,"pendingDeviceCount":0,
    "errorDeviceCount":0,"notApplicableDeviceCount":0,"unknownDeviceCount":0}"#;
const SCRIPT_DEVICE: &str = r#","id":"74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974",
    "lastStateUpdateDateTime":"2026-11-21T09:30:00Z","runState":"success"}"#;
const SCRIPT_USER: &str = r#","successDeviceCount":0,"errorDeviceCount":0}"#;

#[test]
fn a_string_that_is_kept_is_as_long_as_its_unescaped_text() {
    for (property, limit, echo, rest) in KEPT {
        for (spelled, character) in SPELLED {
            let bytes = character.len();
            let fits = limit.min(10_000) / bytes;
            for (count, is_taken) in [(fits, true), (fits + 1, limit == usize::MAX)] {
                // Filled up with one-byte characters, so that it is one byte above the limit.
                let fill = "x".repeat(if limit == usize::MAX { 0 } else { limit % bytes });
                let text = spelled.repeat(count);
                let json = format!("{{\"{property}\":\"{fill}{text}\"{rest}");
                let result = echo(json.as_bytes(), &mut vec![0; DeviceState::MAX_JSON]);
                let too_long = Error {
                    property: Some(property),
                    at: property.len() + 4,
                    reason: Reason::TooLong { limit },
                };
                assert_eq!(result.err(), (!is_taken).then_some(too_long), "{property} {spelled}");
            }
        }
    }
}

#[test]
fn a_string_that_is_echoed_is_cut_at_the_last_character_that_fits() {
    for (property, limit, echo, rest) in ECHOED {
        for (spelled, character) in SPELLED {
            // The first character that does not fit whole begins at each of its bytes.
            for fill in 0..=character.len() {
                let fill = "x".repeat(fill);
                for count in [limit / character.len() - 2, limit / character.len() + 3] {
                    let json =
                        format!("{{\"{property}\":\"{fill}{}\"{rest}", spelled.repeat(count));
                    let mut buffer = vec![0; DeviceState::MAX_JSON];
                    let length = echo(json.as_bytes(), &mut buffer).unwrap();
                    let echoed: serde_json::Value =
                        serde_json::from_slice(&buffer[..length]).unwrap();
                    let most = count.min((limit - fill.len()) / character.len());
                    let expected = fill.clone() + &character.repeat(most);
                    assert_eq!(echoed[property], expected, "{property} {spelled}");
                }
            }
        }
    }
}

#[test]
fn a_text_that_is_cut_within_an_escape_must_still_be_well_formed() {
    for (tail, reason) in [
        (r"\ud83d", Reason::LoneSurrogate),
        (r"\q", Reason::BadEscape),
        ("\n", Reason::ControlCharacter),
    ] {
        let json = format!("{{\"osVersion\":\"{}{tail}\"{DEVICE}", "x".repeat(300));
        assert_eq!(DeviceState::decode(json.as_bytes()).unwrap_err().reason, reason, "{tail}");
    }
}

#[test]
fn the_upn_of_a_deleted_user_is_counted() {
    let upn = format!("{}{}@example.com", "0123456789abcdef".repeat(2), "a".repeat(101));
    assert_eq!(upn.len(), 145);
    let state = format!("{{\"upn\":\"{upn}\"{DEVICE}");
    let event = DeviceState::decode(state.as_bytes()).unwrap().event();
    assert_eq!(event.user.unwrap().as_str(), upn);
}

#[test]
fn an_error_points_at_the_value_that_does_not_fit() {
    for (example, echo) in EXAMPLES {
        let value: serde_json::Value = serde_json::from_str(example).unwrap();
        for (property, good) in value.as_object().unwrap() {
            let good = format!("\"{property}\":{good}");
            for wrong in ["{}", "[1]", "true", "-7.5e1", "\"\u{1f}\""] {
                let before = example.find(&good).unwrap();
                let bad = format!("\"{property}\" :\r\n  {wrong}");
                let at = before + property.len() + 8;
                let json = example.replacen(&good, &bad, 1);
                let error = echo(json.as_bytes(), &mut [0; 1000]).unwrap_err();
                assert_eq!(error.property, Some(&**property), "{json}");
                if error.reason == Reason::ControlCharacter {
                    assert_eq!(error.at, at + 1, "{json}");
                } else {
                    assert_eq!(error.at, at, "{json}");
                }
            }
        }
    }
}

#[test]
fn a_known_property_is_given_once_however_it_is_spelled() {
    for (example, echo) in EXAMPLES {
        let value: serde_json::Value = serde_json::from_str(example).unwrap();
        for (property, good) in value.as_object().unwrap() {
            let escaped: Vec<_> = property.bytes().map(|b| format!("\\u00{b:02X}")).collect();
            let escaped = escaped.concat();
            for spelled in [property.clone(), escaped.clone()] {
                let again =
                    format!("{},\"{spelled}\":{good}}}", example.trim_end().trim_end_matches('}'));
                let error = echo(again.as_bytes(), &mut [0; 1000]).unwrap_err();
                assert_eq!(error.property, Some(&**property));
                assert_eq!(error.reason, Reason::Duplicate);
                assert_eq!(&again[error.at..][..=spelled.len()], &format!("\"{spelled}"));
            }
            let once = example.replacen(&format!("\"{property}\""), &format!("\"{escaped}\""), 1);
            assert!(echo(once.as_bytes(), &mut [0; 1000]).is_ok(), "{once}");
        }
    }
}

#[test]
fn an_unknown_property_may_be_given_twice() {
    for (example, echo) in EXAMPLES {
        let known = example.trim_end().trim_end_matches('}');
        let json = format!("{known},\"x\":1,\"x\":{{\"y\":[],\"y\":[null]}}}}");
        assert!(echo(json.as_bytes(), &mut [0; 1000]).is_ok());
    }
}

#[test]
fn sixteen_levels_are_read_and_seventeen_are_not() {
    let nested = |depth: usize, open: &str, close: &str| {
        format!("{{\"x\":{}1{}}}", open.repeat(depth), close.repeat(depth))
    };
    let most = MAX_DEPTH as usize - 1;
    for (open, close) in [("[", "]"), ("{\"y\":", "}"), ("[0,", ",0]"), ("[{\"y\":[", "]}]")] {
        let levels = open.matches(['[', '{']).count();
        assert_eq!(
            RunSummaryUpdate::decode(nested(most / levels, open, close).as_bytes()),
            Ok(RunSummaryUpdate::default())
        );
        let error = RunSummaryUpdate::decode(nested(most / levels + 1, open, close).as_bytes());
        assert_eq!(error.unwrap_err().reason, Reason::TooDeep);
    }
    // Depth is what is open at once, not what was opened.
    let flat = format!("{{\"x\":[{}]}}", ["[[[[]]]]"; 100].join(","));
    assert!(RunSummaryUpdate::decode(flat.as_bytes()).is_ok());
}

#[test]
fn depth_costs_no_stack() {
    let deep = |unit: &str| format!("{{\"x\":{}", unit.repeat(100_000)).into_bytes();
    let bombs = [deep("["), deep("{\"\":"), deep("[{\"x\":")];
    std::thread::Builder::new()
        .stack_size(16 * 1024)
        .spawn(move || {
            for bomb in bombs {
                let error = RunSummaryUpdate::decode(&bomb).unwrap_err();
                assert_eq!(error.reason, Reason::TooDeep);
            }
        })
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn any_magnitude_of_number_is_well_formed() {
    let digits = "9".repeat(10_000);
    for number in
        ["0", "-0", "1e999", "-0.0E-400", &digits, &format!("{digits}.{digits}e+{digits}")]
    {
        let json = format!("{{\"x\":{number},\"y\":[{number}]}}");
        assert!(RunSummaryUpdate::decode(json.as_bytes()).is_ok());
    }
}

#[test]
fn only_integer_literals_in_range_are_integers() {
    let count = |value: &str| {
        let json = format!("{{\"failedDeviceCount\":{value}}}");
        RunSummaryUpdate::decode(json.as_bytes())
            .map(|update| update.summary.devices.get(RunState::Fail))
    };
    let int32 = |value: &str| {
        let json = format!("{{\"internalVersion\":{value}{DEVICE}");
        DeviceState::decode(json.as_bytes()).map(|state| state.internal_version)
    };
    for (value, expected) in [("0", 0), ("7", 7), ("10", 10), ("2147483647", i32::MAX)] {
        assert_eq!(count(value), Ok(Some(expected.cast_unsigned())));
        assert_eq!(int32(value), Ok(Some(expected)));
    }
    for (value, expected) in [("-1", -1), ("-2147483648", i32::MIN)] {
        assert!(count(value).is_err());
        assert_eq!(int32(value), Ok(Some(expected)));
    }
    for value in [
        "2147483648",
        "-2147483649",
        "4294967296",
        "18446744073709551616",
        "5.0",
        "5e0",
        "5E0",
        "0.5",
        "\"5\"",
        "true",
        "null",
        "-0",
        "00",
        "05",
        "+5",
        "-",
        "0x5",
        "5_0",
        "[5]",
        "NaN",
        "١",
    ] {
        assert!(count(value).is_err(), "{value}");
        assert!(int32(value).is_err(), "{value}");
    }
}

#[test]
fn only_hyphenated_guids_are_guids() {
    let id = |value: &str| {
        let json = format!("{{\"id\":\"{value}\"}}");
        RunSummaryUpdate::decode(json.as_bytes()).map(|update| update.id)
    };
    for value in [
        "74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974",
        "74B9FCD8-FCD8-74B9-D8FC-B974D8FCB974",
        r"\u0037\u0034b9fcd8-fcd8-74b9-d8fc-b974d8fcb97\u0034",
    ] {
        assert_eq!(id(value), Ok(Some(ID)), "{value}");
    }
    for value in [
        "",
        "74b9fcd8fcd874b9d8fcb974d8fcb974",
        "{74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974}",
        "urn:uuid:74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974",
        "74b9fcd8-fcd8-74b9-d8fc-b974d8fcb97",
        "74b9fcd8-fcd8-74b9-d8fc-b974d8fcb9740",
        "74b9fcd8-fcd8-74b9-d8fcb-974d8fcb974",
        "74b9fcd8+fcd8-74b9-d8fc-b974d8fcb974",
        "74b9fcd8-fcd8-74b9-d8fc-b974d8fcb97g",
        " 4b9fcd8-fcd8-74b9-d8fc-b974d8fcb974",
        "74b9fcd8-fcd8-74b9-d8fc-b974d8fcbé4",
    ] {
        let error = id(value).unwrap_err();
        assert_eq!((error.property, error.at, error.reason), (Some("id"), 6, Reason::NotAGuid));
    }
}

#[test]
fn any_namespace_of_the_type_is_taken_and_no_other_type() {
    let decode = |odata_type: &str| {
        RunSummaryUpdate::decode(format!("{{\"@odata.type\":\"{odata_type}\"}}").as_bytes())
    };
    for same in [
        "#microsoft.graph.hardwareConfigurationRunSummary",
        "microsoft.graph.hardwareConfigurationRunSummary",
        "#microsoft.management.services.api.hardwareConfigurationRunSummary",
        "https://graph.microsoft.com/beta/$metadata#microsoft.graph.hardwareConfigurationRunSummary",
        "#hardwareConfigurationRunSummary",
        "#hardware.hardwareConfigurationRunSummary",
        r"\u0023microsoft.graph.hardwareConfigurationRunSummar\u0079",
        &format!("{}hardwareConfigurationRunSummary", r"\u0023".repeat(1000)),
    ] {
        assert!(decode(same).is_ok(), "{same}");
    }
    for other in [
        "",
        "#",
        "#microsoft.graph.hardwareConfigurationUserState",
        "#microsoft.graph.hardwareConfigurationRunSummary.",
        "#microsoft.graph.xhardwareConfigurationRunSummary",
        "#microsoft.graph.HardwareConfigurationRunSummary",
        "#microsoft.graph.hardwareConfigurationRunSummaries",
        "#hardwareConfigurationRunSummary.hardware",
        r"#microsoft.graph.x\u0068ardwareConfigurationRunSummary",
    ] {
        let reason = decode(other).unwrap_err().reason;
        let expected = "#microsoft.graph.hardwareConfigurationRunSummary";
        assert_eq!(reason, Reason::OtherType(expected), "{other}");
    }
}

#[test]
fn null_is_the_absence_of_what_is_nullable() {
    for property in [
        "deviceName",
        "osVersion",
        "upn",
        "configurationOutput",
        "configurationError",
        "assignmentFilterIds",
        "userId",
    ] {
        let json = format!("{{\"{property}\": null {DEVICE}");
        let absent = format!("{{{}", &DEVICE[1..]);
        let absent = DeviceState::decode(absent.as_bytes()).unwrap();
        assert_eq!(DeviceState::decode(json.as_bytes()), Ok(absent), "{property}");
    }
    let update = UserStateUpdate::decode(br#"{"userName":null}"#).unwrap();
    assert_eq!((update.email, update.name, update.upn), (None, Some(None), None));
    let update = UserStateUpdate::decode(br#"{"userEmail":null,"upn":null}"#).unwrap();
    assert_eq!((update.email, update.name, update.upn), (Some(None), None, None));
    let update = RunSummaryUpdate::decode(br#"{"lastRunDateTime":null}"#).unwrap();
    assert_eq!(update.summary.last_run, Some(None));
}

#[test]
fn an_event_of_no_user_has_an_empty_upn_or_none() {
    for upn in [r#""upn":"""#, r#""upn":null"#, r#""x":0"#] {
        let json = format!("{{{upn}{DEVICE}");
        let state = DeviceState::decode(json.as_bytes()).unwrap();
        assert_eq!(state.event().user, None);
        let upn = Some("".try_into().unwrap());
        assert_eq!(DeviceState { upn, ..state }.event().user, None);
    }
}

#[test]
fn an_event_does_not_depend_on_how_its_user_is_spelled() {
    let event = |upn: &str| {
        let json = format!("{{\"upn\":\"{upn}\"{DEVICE}");
        let event = DeviceState::decode(json.as_bytes()).unwrap().event();
        event.user.unwrap().as_str().to_owned()
    };
    assert_eq!(event("Änne@EXAMPLE.com"), "Änne@example.com");
    assert_eq!(event(r"\u00c4nne@exampl\u0045.com"), "Änne@example.com");
}

#[test]
fn an_update_changes_what_it_gives_and_nothing_else() {
    let base = Summary {
        devices: Counts::ZERO.with(RunState::Fail, 8).unwrap(),
        users: Counts::ZERO.with(RunState::Fail, 9).unwrap(),
        last_run: Some(longest_date_time()),
    };
    let apply = |json: &[u8]| RunSummaryUpdate::decode(json).unwrap().apply_to(base);
    assert_eq!(apply(b"{}"), base);
    assert_eq!(apply(br#"{"lastRunDateTime":null}"#), Summary { last_run: None, ..base });
    let users = base.users.with(RunState::Fail, 0).unwrap();
    assert_eq!(apply(br#"{"failedUserCount":0}"#), Summary { users, ..base });
    let devices = base.devices.with(RunState::NotApplicable, 3).unwrap();
    assert_eq!(apply(br#"{"notApplicableDeviceCount":3}"#), Summary { devices, ..base });
}

#[test]
fn creating_needs_every_property_that_is_not_nullable() {
    for (example, echo) in EXAMPLES {
        let value: serde_json::Map<_, _> = serde_json::from_str(example).unwrap();
        for property in value.keys() {
            let mut value = value.clone();
            value.remove(property);
            let json = serde_json::to_vec(&value).unwrap();
            let result = echo(&json, &mut [0; 1000]);
            let required = property.ends_with("Count")
                || [
                    "lastStateUpdateDateTime",
                    "configurationState",
                    "runState",
                    "userPrincipalName",
                ]
                .contains(&&**property)
                || property == "id" && example.contains("DeviceState")
                || property == "upn" && example.contains("UserState");
            match result {
                Ok(_) => assert!(!required, "{property}"),
                Err(error) => {
                    assert!(required, "{property}");
                    assert_eq!(error.property, Some(&**property));
                    assert_eq!((error.at, error.reason), (0, Reason::Missing));
                }
            }
        }
    }
}
