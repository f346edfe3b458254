//! What is said of a document that is refused, word for word.
#![cfg(feature = "graph")]

use std::error::Error as _;

use runtally::ParseRunStateError;
use runtally::graph::{
    BufferFull, DeviceState, Error, Reason, RunSummaryUpdate, ScriptDeviceState, ScriptRunSummary,
    ScriptUserState, Text, Upn, UserStateUpdate,
};

fn summary(json: &[u8]) -> String {
    RunSummaryUpdate::decode(json).unwrap_err().to_string()
}

fn user(json: &str) -> String {
    UserStateUpdate::decode(json.as_bytes()).unwrap_err().to_string()
}

fn device(json: &str) -> String {
    DeviceState::decode(json.as_bytes()).unwrap_err().to_string()
}

fn script_device(json: &str) -> String {
    ScriptDeviceState::decode(json.as_bytes()).unwrap_err().to_string()
}

#[test]
fn what_is_no_json_is_named_with_its_byte() {
    for (json, said) in [
        (&b""[..], "byte 0: the document ends before its object does"),
        (b" \n", "byte 2: the document ends before its object does"),
        (b"{\"x\":1", "byte 6: the document ends before its object does"),
        (b"{\"x\":nul", "byte 8: the document ends before its object does"),
        (b"\xef\xbb\xbf{}", "byte 0: a byte order mark before the value"),
        (b"\xff\xfe{\0}\0", "byte 0: not UTF-8"),
        (b"{\"x\":\"\xc3\"}", "byte 6: not UTF-8"),
        (b"[]", "byte 0: expected an object"),
        (b" null", "byte 1: expected an object"),
        (b"{}{}", "byte 2: only white space may follow the object"),
        (b"{} x", "byte 3: only white space may follow the object"),
        (b"{x:1}", "byte 1: property names must be strings"),
        (b"{\"x\":1, }", "byte 8: property names must be strings"),
        (b"{\"x\":[{1:2}]}", "byte 7: property names must be strings"),
        (b"{\"x\" 1}", "byte 5: expected : after the property's name"),
        (b"{\"x\":1 \"y\":2}", "byte 7: expected , or }"),
        (b"{\"failedUserCount\":1 \"y\":2}", "byte 21: expected , or }"),
        (b"{\"x\":01}", "byte 6: expected , or }"),
        (b"{\"x\":{\"y\":1]}", "byte 11: expected , or }"),
        (b"{\"x\":[1 2]}", "byte 8: expected , or ]"),
        (b"{\"x\":[1}", "byte 7: expected , or ]"),
        (b"{\"x\":}", "byte 5: expected a value"),
        (b"{\"x\":[1,]}", "byte 8: expected a value"),
        (b"{\"x\":tru}", "byte 5: expected a value"),
        (b"{\"x\":nonsense!}", "byte 5: expected a value"),
        (b"{\"x\":NaN}", "byte 5: expected a value"),
        (b"{\"x\":'y'}", "byte 5: expected a value"),
        (b"{\"x\":-}", "byte 6: a number needs digits here"),
        (b"{\"x\":1.}", "byte 7: a number needs digits here"),
        (b"{\"x\":1e+}", "byte 8: a number needs digits here"),
        (b"{\"x\":\"a\nb\"}", "byte 7: a control character in a string must be escaped"),
        (
            b"{\"x\":\"ab\\q\"}",
            r#"byte 8: a backslash must begin one of \" \\ \/ \b \f \n \r \t \uXXXX"#,
        ),
        (
            b"{\"\\u12g4\":0}",
            r#"byte 2: a backslash must begin one of \" \\ \/ \b \f \n \r \t \uXXXX"#,
        ),
        (b"{\"x\":\"\\ud83d\"}", "byte 6: half a surrogate pair; both halves must be given"),
        (b"{\"x\":\"ab\\ude00\"}", "byte 8: half a surrogate pair; both halves must be given"),
        (b"{\"x\":[[[[[[[[[[[[[[[[", "byte 20: nested deeper than 16"),
    ] {
        assert_eq!(summary(json), said, "{}", String::from_utf8_lossy(json));
    }
}

#[test]
fn what_does_not_fit_its_property_is_named_with_the_property() {
    let count = "expected an integer from 0 to 2147483647";
    for value in ["-1", "2147483648", "5.0", "\"5\"", "true", "null", "{}"] {
        let said = summary(format!("{{\"failedUserCount\":{value}}}").as_bytes());
        assert_eq!(said, format!("failedUserCount at byte 19: {count}"));
    }
    let guid = "expected a GUID such as 74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974";
    assert_eq!(summary(b"{\"id\":\"7\"}"), format!("id at byte 6: {guid}"));
    assert_eq!(summary(b"{\"id\":null}"), format!("id at byte 6: {guid}"));
    assert_eq!(
        device("{\"internalVersion\":2147483648}"),
        "internalVersion at byte 19: expected an integer from -2147483648 to 2147483647"
    );
    assert_eq!(
        script_device("{\"errorCode\":null}"),
        "errorCode at byte 13: expected an integer from -2147483648 to 2147483647"
    );
    for value in ["\"done\"", "7", "null"] {
        assert_eq!(
            device(&format!("{{\"configurationState\":{value}}}")),
            "configurationState at byte 22: \
             expected unknown, success, fail, scriptError, pending or notApplicable"
        );
    }
    assert_eq!(user("{\"userName\":7}"), "userName at byte 12: expected a string or null");
    assert_eq!(
        user("{\"lastStateUpdateDateTime\":null}"),
        "lastStateUpdateDateTime at byte 27: expected a string"
    );
    assert_eq!(
        summary(b"{\"lastRunDateTime\":0}"),
        "lastRunDateTime at byte 19: expected a string or null"
    );
    assert_eq!(
        summary(b"{\"lastRunDateTime\":\"2026-11-21\"}"),
        "lastRunDateTime at byte 19: expected `T` at byte 10 of the date-time"
    );
    assert_eq!(user("{\"upn\":\"\"}"), "upn at byte 7: must not be empty");
    let long = "x".repeat(146);
    assert_eq!(user(&format!("{{\"upn\": \"{long}\"}}")), "upn at byte 8: longer than 145 bytes");
    assert_eq!(
        user(&format!("{{\"userName\":\"{long}\"}}")),
        "userName at byte 12: longer than 127 bytes"
    );
    assert_eq!(
        user("{\"@odata.type\":\"#microsoft.graph.user\"}"),
        "@odata.type at byte 15: expected #microsoft.graph.hardwareConfigurationUserState"
    );
    assert_eq!(user("{\"@odata.type\":null}"), "@odata.type at byte 15: expected a string");
    assert_eq!(
        user("{\"upn\":\"a\",\"\\u0075pn\":\"b\"}"),
        "upn at byte 11: given before; give it once"
    );
    assert_eq!(
        user("{\"userEmail\":\"a\\"),
        "userEmail at byte 16: the document ends before its object does"
    );
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(device("{}"), "id is missing");
    assert_eq!(script_device("{}"), "id is missing");
    let update = RunSummaryUpdate::decode(b"{\"successfulDeviceCount\":0}").unwrap();
    assert_eq!(update.complete().unwrap_err().to_string(), "failedDeviceCount is missing");
    let update = UserStateUpdate::decode(b"{\"upn\":null}").unwrap();
    assert_eq!(update.complete().unwrap_err().to_string(), "upn is missing");
    let error = ScriptRunSummary::decode(b"{}").unwrap_err();
    assert_eq!(error.to_string(), "successDeviceCount is missing");
    let error = ScriptUserState::decode(b"{\"successDeviceCount\":0,\"errorDeviceCount\":0}");
    assert_eq!(error.unwrap_err().to_string(), "userPrincipalName is missing");
}

#[test]
fn what_is_no_document_is_named_too() {
    assert_eq!("".parse::<Upn>().unwrap_err().to_string(), "upn at byte 0: must not be empty");
    assert_eq!(
        "x".repeat(146).parse::<Upn>().unwrap_err().to_string(),
        "upn at byte 0: longer than 145 bytes"
    );
    assert_eq!(
        Text::<'_, 1>::try_from("xy").unwrap_err(),
        Error { property: None, at: 0, reason: Reason::TooLong { limit: 1 } }
    );
    assert_eq!(BufferFull.to_string(), "the buffer is too short for the JSON");
    assert_eq!(Reason::Missing.to_string(), "is missing");
}

#[test]
fn an_error_names_the_error_that_it_wraps() {
    let source = |error: Error| error.source().map(ToString::to_string);
    let error = RunSummaryUpdate::decode(b"{\"lastRunDateTime\":\"2026-11-21\"}").unwrap_err();
    assert_eq!(source(error), Some("expected `T` at byte 10 of the date-time".into()));
    let error = DeviceState::decode(b"{\"configurationState\":\"done\"}").unwrap_err();
    assert_eq!(source(error), Some(ParseRunStateError.to_string()));
    assert_eq!(source(DeviceState::decode(b"{}").unwrap_err()), None);
}
