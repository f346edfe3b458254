//! Every status that refuses, and every message, word for word. What each refusal leaves is what
//! was there before.

use runtally::http::{Request, Settings};
use runtally::store::{RolloutId, Store};
use uuid::Uuid;

use crate::client::{
    Answer, CONFIGURATION, Client, OTHER, READ, SCRIPT, THIRD, WRITE, configuration, device, event,
    script, script_event, user_id,
};

const AT: &str = "2026-11-21T09:30:00Z";
const LATER: &str = "2026-11-21T09:31:00Z";
const JSON: Option<&str> = Some("application/json");
const SUMMARY: &str = include_str!("../wire/create-run-summary.request.json");
const USER: &str = include_str!("../wire/create-user-state.request.json");

fn h(rest: &str) -> String {
    configuration(CONFIGURATION, rest)
}

/// Two devices of Ada's in the configuration, one in the script.
fn client() -> Client {
    let mut client = Client::new();
    client.must(201, "POST", &h("/deviceRunStates"), &event(1, Some("ada"), "success", AT));
    client.must(201, "POST", &h("/deviceRunStates"), &event(2, Some("ada"), "success", LATER));
    client.must(201, "POST", &script("/deviceRunStates"), &script_event(1, "fail", AT));
    client
}

fn everything(client: &mut Client) -> Vec<Answer> {
    let mut answers = Vec::new();
    for place in ["/runSummary", "/deviceRunStates", "/userRunStates"] {
        for path in [h(place), configuration(OTHER, place), script(place)] {
            answers.push(client.send("GET", &path, ""));
        }
    }
    answers
}

/// The request is refused with this status, code and message, and changes nothing.
#[track_caller]
fn assert_refused(client: &mut Client, request: &Request<'_>, status: u16, code: &str, text: &str) {
    let before = everything(client);
    let answer = client.ask(request);
    assert_eq!((answer.status, answer.message().as_str()), (status, text), "{request:?}");
    assert_eq!(answer.code(), code);
    assert_eq!(everything(client), before);
}

/// The same, asked with the right token and media type.
#[track_caller]
fn refuses(client: &mut Client, method: &str, to: &str, body: &str, status: u16, text: &str) {
    let code = match status {
        400 => "badRequest",
        404 => "itemNotFound",
        405 => "methodNotAllowed",
        409 if text.contains("already exists") => "nameAlreadyExists",
        409 => "conflict",
        413 => "responseTooLarge",
        _ => "insufficientStorage",
    };
    let (path, query) = to.split_once('?').unwrap_or((to, ""));
    let (authorization, body) = (Some(WRITE), body.as_bytes());
    let request = Request { method, path, query, authorization, content_type: JSON, body };
    assert_refused(client, &request, status, code, text);
}

#[test]
fn a_token_must_be_given_and_known_and_good_for_a_write() {
    let path = h("/runSummary");
    let missing = "send an Authorization header with a Bearer token";
    let unknown = "unknown token";
    let reads = "this token may only read; \
                 writing needs DeviceManagementConfiguration.ReadWrite.All";
    let unauthorized = "invalidAuthenticationToken";
    for (method, authorization, status, code, text) in [
        ("GET", None, 401, unauthorized, missing),
        ("GET", Some(""), 401, unauthorized, missing),
        ("GET", Some("Bearer"), 401, unauthorized, missing),
        ("GET", Some("reader"), 401, unauthorized, missing),
        ("GET", Some("Basic reader"), 401, unauthorized, missing),
        ("GET", Some("Bearer "), 401, unauthorized, unknown),
        ("GET", Some("Bearer reade"), 401, unauthorized, unknown),
        ("GET", Some("Bearer reader2"), 401, unauthorized, unknown),
        ("GET", Some("Bearer READER"), 401, unauthorized, unknown),
        ("PATCH", Some("Bearer rewriter"), 401, unauthorized, unknown),
        ("PATCH", Some(READ), 403, "accessDenied", reads),
        ("POST", Some(READ), 403, "accessDenied", reads),
    ] {
        let (path, body) = (path.as_str(), SUMMARY.as_bytes());
        let request = Request { method, path, query: "", authorization, content_type: JSON, body };
        assert_refused(&mut client(), &request, status, code, text);
        let challenge = client().ask(&request).header("WWW-Authenticate");
        assert_eq!(challenge, (status == 401).then_some("Bearer"));
    }
}

#[test]
fn an_empty_token_is_nobodys() {
    let mut store: Store<1, 1, 1, 1> = Store::new();
    for authorization in [Some("Bearer "), Some("Bearer"), Some(" "), None] {
        let request = Request { method: "GET", path: "/", authorization, ..Request::default() };
        let mut buffer = [0; 512];
        assert_eq!(store.handle(&request, &Settings::default(), &mut buffer).status, 401);
    }
}

#[test]
fn a_path_that_leads_nowhere_is_not_found() {
    let nowhere = "no such resource";
    for path in [
        "",
        "/",
        "//",
        "deviceManagement",
        "/deviceManagement",
        "/beta/beta/deviceManagement/hardwareConfigurations",
        "/v2.0/deviceManagement/hardwareConfigurations",
        &h(""),
        &h("/"),
        &h("/runsummary"),
        &h("/runSummary/"),
        &h("/runSummary/$ref"),
        &h("/runSummary/$count"),
        &script("/runSummary/$count"),
        &h("/deviceRunStates/$count/$count"),
        &h("//deviceRunStates"),
        &h(&format!("/userRunStates/{THIRD}/runSummary")),
        &h(&format!("/userRunStates/{THIRD}/deviceRunStates/{THIRD}")),
        &h(&format!("/userRunStates/{THIRD}/deviceRunStates/$count/x")),
        &script("/runSummary/$ref/x"),
        &format!("/deviceManagement/deviceCompliancePolicies/{CONFIGURATION}/runSummary"),
    ] {
        refuses(&mut client(), "GET", path, "", 404, nowhere);
    }
}

#[test]
fn an_id_that_is_not_known_is_named() {
    let paths = [
        (configuration(OTHER, "/runSummary"), format!("no configuration has the id {OTHER}")),
        (configuration(SCRIPT, "/runSummary"), format!("no configuration has the id {SCRIPT}")),
        (
            h(&format!("/deviceRunStates/{}", device(9))),
            format!("no device has the id {}", device(9)),
        ),
        (h(&format!("/userRunStates/{OTHER}")), format!("no user has the id {OTHER}")),
        (
            h(&format!("/userRunStates/{OTHER}/deviceRunStates")),
            format!("no user has the id {OTHER}"),
        ),
        (script("/runSummary").replace('7', "0"), {
            format!("no script has the id {}", SCRIPT.to_string().replace('7', "0"))
        }),
    ];
    for (path, text) in &paths {
        refuses(&mut client(), "GET", path, "", 404, text);
    }
    let unknown = format!("no user has the id {OTHER}");
    for (method, path, body) in [
        ("PATCH", h(&format!("/userRunStates/{OTHER}")), "{}"),
        ("DELETE", h(&format!("/userRunStates/{OTHER}")), ""),
        (
            "POST",
            script(&format!("/userRunStates/{OTHER}/deviceRunStates")),
            &script_event(3, "fail", AT),
        ),
    ] {
        refuses(&mut client(), method, &path, body, 404, &unknown);
    }
}

#[test]
fn an_id_that_is_no_guid_is_a_bad_request() {
    let text = "an id in the path must be a GUID such as 74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974";
    let base = "/deviceManagement/hardwareConfigurations";
    for id in ["", "1", "%00", "74b9fcd8fcd874b9d8fcb974d8fcb974", "{id}", "%7Bid%7D"] {
        refuses(&mut client(), "GET", &format!("{base}/{id}/runSummary"), "", 400, text);
        refuses(&mut client(), "GET", &h(&format!("/deviceRunStates/{id}")), "", 400, text);
        refuses(&mut client(), "GET", &h(&format!("/userRunStates/{id}")), "", 400, text);
    }
}

#[test]
fn a_method_that_the_path_does_not_know_is_told_those_it_does() {
    let user = format!("/userRunStates/{}", user_id(CONFIGURATION, "ada"));
    let row = format!("/deviceRunStates/{}", device(1));
    for (path, allow) in [
        (h("/runSummary"), "GET, POST, PATCH"),
        (script("/runSummary"), "GET"),
        (script("/runSummary/$ref"), "POST"),
        (h("/deviceRunStates"), "GET, POST"),
        (script("/deviceRunStates"), "GET, POST"),
        (h("/userRunStates"), "GET, POST"),
        (script("/userRunStates"), "GET, POST"),
        (h("/deviceRunStates/$count"), "GET"),
        (h("/userRunStates/$count"), "GET"),
        (h(&row), "GET, DELETE"),
        (script(&row), "GET, DELETE"),
        (h(&user), "GET, PATCH, DELETE"),
        (script(&user), "GET, DELETE"),
        (h(&format!("{user}/deviceRunStates")), "GET"),
        (h(&format!("{user}/deviceRunStates/$count")), "GET"),
        (script(&format!("{user}/deviceRunStates")), "GET, POST"),
    ] {
        for method in ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "get", "", "PROPFIND"] {
            if !allow.split(", ").any(|known| known == method) {
                let text = format!("method not allowed (allowed: {allow})");
                refuses(&mut client(), method, &path, "{}", 405, &text);
                assert_eq!(client().send(method, &path, "").header("Allow"), Some(allow));
            }
        }
    }
}

#[test]
fn a_body_must_be_json() {
    let path = h("/runSummary");
    let text = "send the body with Content-Type: application/json";
    let ask = |content_type| Request {
        method: "PATCH",
        path: &path,
        query: "",
        authorization: Some(WRITE),
        content_type,
        body: b"{}",
    };
    for other in [None, Some(""), Some("text/json"), Some("application/jsonp"), Some("text/plain")]
    {
        assert_refused(&mut client(), &ask(other), 415, "unsupportedMediaType", text);
    }
    for json in ["application/json", "Application/JSON", "application/json; charset=utf-8"] {
        assert_eq!(client().ask(&ask(Some(json))).status, 200, "{json}");
    }
}

#[test]
fn a_body_is_told_the_property_and_the_byte() {
    let user = h(&format!("/userRunStates/{}", user_id(CONFIGURATION, "ada")));
    let long = format!(r#"{{"userName":"{}"}}"#, "x".repeat(128));
    for (method, path, body, text) in [
        ("PATCH", h("/runSummary"), "", "byte 0: the document ends before its object does"),
        ("PATCH", h("/runSummary"), "[]", "byte 0: expected an object"),
        ("PATCH", h("/runSummary"), "{} {}", "byte 3: only white space may follow the object"),
        (
            "PATCH",
            h("/runSummary"),
            r#"{"failedDeviceCount":-1}"#,
            "failedDeviceCount at byte 21: expected an integer from 0 to 2147483647",
        ),
        (
            "PATCH",
            h("/runSummary"),
            r#"{"failedUserCount":2147483648}"#,
            "failedUserCount at byte 19: expected an integer from 0 to 2147483647",
        ),
        ("POST", h("/runSummary"), "{}", "successfulDeviceCount is missing"),
        ("POST", h("/userRunStates"), "{}", "upn is missing"),
        ("PATCH", user.clone(), &long, "userName at byte 12: longer than 127 bytes"),
        ("POST", h("/deviceRunStates"), "{}", "id is missing"),
        (
            "PATCH",
            h("/runSummary"),
            &format!(r#"{{"id":"{OTHER}"}}"#),
            "id must match the resource, or be left out",
        ),
        ("PATCH", user.clone(), r#"{"upn":"bob"}"#, "upn must match the resource, or be left out"),
        (
            "PATCH",
            user,
            &format!(r#"{{"id":"{OTHER}"}}"#),
            "id must match the resource, or be left out",
        ),
        (
            "POST",
            script("/runSummary/$ref"),
            r#"{"successDeviceCount":1}"#,
            "errorDeviceCount is missing",
        ),
    ] {
        refuses(&mut client(), method, &path, body, 400, text);
    }
}

#[test]
fn a_query_option_is_refused_by_its_name() {
    let unknown = |name: &str| {
        format!("{name} is not supported; reads take $select, lists also $top, $skip and $count")
    };
    for name in ["$filter", "$orderby", "$expand", "$search", "$format", "$apply"] {
        for list in ["/deviceRunStates", "/userRunStates/$count", "/runSummary"] {
            refuses(&mut client(), "GET", &h(&format!("{list}?{name}=x")), "", 400, &unknown(name));
            let bare = format!("{list}?top=1&{}=x", name.trim_start_matches('$'));
            refuses(
                &mut client(),
                "GET",
                &h(&bare),
                "",
                400,
                &if list == "/runSummary" { unknown("$top") } else { unknown(name) },
            );
        }
    }
    let list = |query: &str| h(&format!("/deviceRunStates?{query}"));
    let properties = "$select must list properties of the resource";
    for (path, text) in [
        (h("/runSummary?$top=1"), unknown("$top")),
        (list("$levels=1"), unknown("this option; names are case-sensitive")),
        (list("$top=-1"), "$top must be a number of rows".to_owned()),
        (list("$top="), "$top must be a number of rows".to_owned()),
        (list("$top=+1"), "$top must be a number of rows".to_owned()),
        (list("$skip=4294967296"), "$skip must be a number of rows".to_owned()),
        (list("$count=1"), "$count must be true or false".to_owned()),
        (list("$top=1&top=1"), "$top is given twice".to_owned()),
        (list("$select=runState"), properties.to_owned()),
        (list("$select="), properties.to_owned()),
        (list("$select=id,"), properties.to_owned()),
        (list("$select=,id"), properties.to_owned()),
        (list("$skiptoken=65536"), "$skiptoken must come from an @odata.nextLink".to_owned()),
    ] {
        refuses(&mut client(), "GET", &path, "", 400, &text);
    }
}

#[test]
fn declaring_twice_is_a_conflict() {
    let mut client = client();
    client.must(409, "POST", &h("/runSummary"), &SUMMARY.replace("17", "16").replace("5,", "1,"));
    client.must(201, "POST", &configuration(OTHER, "/runSummary"), SUMMARY);
    let text = "the summary already exists; change it with PATCH";
    refuses(&mut client, "POST", &configuration(OTHER, "/runSummary"), SUMMARY, 409, text);
    client.must(201, "POST", &h("/userRunStates"), USER);
    let text = "the user already exists; change it with PATCH";
    let other_case = USER.replace("Upn value", "UPN VALUE");
    refuses(&mut client, "POST", &h("/userRunStates"), USER, 409, text);
    refuses(&mut client, "POST", &h("/userRunStates"), &other_case, 409, text);
    // A script's users have no PATCH.
    client.must(201, "POST", &script("/userRunStates"), &script_user("ada", 0));
    let text = "the user already exists; DELETE it first";
    refuses(&mut client, "POST", &script("/userRunStates"), &script_user("ADA", 1), 409, text);
}

#[test]
fn totals_below_what_is_counted_are_a_conflict_with_both_numbers() {
    let user = h(&format!("/userRunStates/{}", user_id(CONFIGURATION, "ada")));
    let summary = h("/runSummary");
    for (path, body, text) in [
        (
            &summary,
            r#"{"successfulDeviceCount":1}"#,
            "successfulDeviceCount was declared as 1, but 2 are counted here",
        ),
        (
            &summary,
            r#"{"successfulUserCount":0}"#,
            "successfulUserCount was declared as 0, but 1 are counted here",
        ),
        (
            &summary,
            r#"{"lastRunDateTime":"2026-11-21T09:30:30Z"}"#,
            "lastRunDateTime was declared as 2026-11-21T09:30:30Z, \
             but a row counted here is of 2026-11-21T09:31:00Z",
        ),
        (
            &summary,
            r#"{"lastRunDateTime":null}"#,
            "lastRunDateTime was declared as null, \
             but a row counted here is of 2026-11-21T09:31:00Z",
        ),
        (
            &user,
            r#"{"successfulDeviceCount":1}"#,
            "successfulDeviceCount was declared as 1, but 2 are counted here",
        ),
        (
            &user,
            r#"{"lastStateUpdateDateTime":"2026-11-21T09:30:30Z"}"#,
            "lastStateUpdateDateTime was declared as 2026-11-21T09:30:30Z, \
             but a row counted here is of 2026-11-21T09:31:00Z",
        ),
    ] {
        refuses(&mut client(), "PATCH", path, body, 409, text);
    }
    let declared =
        r#"{"successDeviceCount":0,"errorDeviceCount":0,"successUserCount":0,"errorUserCount":0}"#;
    let answer = client().send("POST", &script("/runSummary/$ref"), declared);
    assert_eq!(answer.status, 409);
}

#[test]
fn a_count_at_its_limit_takes_no_further_event() {
    let mut client = client();
    client.must(200, "PATCH", &h("/runSummary"), r#"{"failedDeviceCount":2147483647}"#);
    let text = "failedDeviceCount would pass its limit, 2147483647";
    let body = event(3, None, "fail", LATER);
    refuses(&mut client, "POST", &h("/deviceRunStates"), &body, 409, text);
}

fn totals(success: i64, error: i64, users: [i64; 2]) -> String {
    let [success_users, error_users] = users;
    format!(
        r#"{{"successDeviceCount":{success},"errorDeviceCount":{error},"successUserCount":{success_users},"errorUserCount":{error_users}}}"#
    )
}

fn script_user(upn: &str, error: i64) -> String {
    format!(r#"{{"userPrincipalName":"{upn}","successDeviceCount":0,"errorDeviceCount":{error}}}"#)
}

#[test]
fn fail_and_script_error_share_one_limit_in_a_script() {
    const MAX: i64 = 2_147_483_647;
    let mut client = client();
    let devices = script("/deviceRunStates");
    // Device 1 has failed; what else is declared counts as script error.
    client.must(204, "POST", &script("/runSummary/$ref"), &totals(0, MAX - 1, [0, 0]));
    client.must(201, "POST", &devices, &script_event(2, "fail", AT));
    let summary = client.get(&script("/runSummary")).json()["value"].take();
    assert_eq!(summary["errorDeviceCount"], MAX);

    let text = "errorDeviceCount would pass its limit, 2147483647";
    refuses(&mut client, "POST", &devices, &script_event(3, "fail", AT), 409, text);
    client.must(201, "POST", &devices, &script_event(2, "scriptError", LATER));
    client.must(201, "POST", &devices, &script_event(3, "success", AT));
    refuses(&mut client, "POST", &devices, &script_event(3, "fail", LATER), 409, text);
    client.must(201, "POST", &devices, &script_event(1, "success", LATER));
    client.must(201, "POST", &devices, &script_event(3, "fail", LATER));
}

#[test]
fn users_in_error_have_a_limit_in_a_script() {
    const MAX: i64 = 2_147_483_647;
    let mut client = client();
    let (summary, users) = (script("/runSummary/$ref"), script("/userRunStates"));
    let devices_of =
        |upn| script(&format!("/userRunStates/{}/deviceRunStates", user_id(SCRIPT, upn)));
    client.must(204, "POST", &summary, &totals(0, 1, [0, MAX - 1]));
    // Ada fails; what else is declared counts as script error.
    client.must(201, "POST", &users, &script_user("ada", 0));
    client.must(201, "POST", &devices_of("ada"), &script_event(2, "fail", AT));
    let reported = client.get(&script("/runSummary")).json()["value"].take();
    assert_eq!(reported["errorUserCount"], MAX);

    let text = "errorUserCount would pass its limit, 2147483647";
    refuses(&mut client, "POST", &users, &script_user("bob", 1), 409, text);
    client.must(201, "POST", &users, &script_user("bob", 0));
    let devices = devices_of("bob");
    refuses(&mut client, "POST", &devices, &script_event(3, "scriptError", AT), 409, text);

    // Who is in error by a device is counted already.
    client.must(204, "POST", &summary, &totals(0, 2, [0, MAX - 1]));
    client.must(201, "POST", &devices, &script_event(3, "fail", AT));
    client.must(204, "DELETE", &script(&format!("/userRunStates/{}", user_id(SCRIPT, "bob"))), "");
    assert_eq!(client.get(&script("/userRunStates/$count")).body, "2");
    client.must(201, "POST", &users, &script_user("bob", 1));
}

#[test]
fn a_scripts_ids_must_be_those_of_what_is_named() {
    let mut client = client();
    let with = |id: Uuid, body: &str| format!(r#"{{"id":"{id}",{}"#, &body[1..]);
    let text = "id must match the resource, or be left out";

    let (path, body) = (script("/runSummary/$ref"), totals(0, 1, [0, 0]));
    refuses(&mut client, "POST", &path, &with(THIRD, &body), 400, text);
    client.must(204, "POST", &path, &with(Uuid::new_v5(&SCRIPT, b""), &body));

    let (path, body) = (script("/userRunStates"), script_user("Ada", 0));
    refuses(&mut client, "POST", &path, &with(THIRD, &body), 400, text);
    client.must(201, "POST", &path, &with(user_id(SCRIPT, "ada"), &body));
}

#[test]
fn full_tables_are_told_apart() {
    let mut client = client();
    for number in 3..=6 {
        let upn = format!("user{}", number % 3);
        let body = event(number, Some(&upn), "success", AT);
        client.must(201, "POST", &h("/deviceRunStates"), &body);
    }
    let devices = "no room for another device: all 6 rows are taken; retire or remove one";
    let body = event(7, None, "success", AT);
    refuses(&mut client, "POST", &h("/deviceRunStates"), &body, 507, devices);
    // A device that is known reports on.
    client.must(201, "POST", &h("/deviceRunStates"), &event(3, Some("user0"), "fail", LATER));

    client.must(204, "DELETE", &h(&format!("/deviceRunStates/{}", device(2))), "");
    let users =
        "no room for another user: all 4 rows are taken; a row goes with the user's last device";
    let body = event(7, Some("zoe"), "success", AT);
    refuses(&mut client, "POST", &h("/deviceRunStates"), &body, 507, users);
    refuses(&mut client, "POST", &h("/userRunStates"), USER, 507, users);

    client.must(201, "POST", &configuration(OTHER, "/runSummary"), SUMMARY);
    let places = "no room for another roll-out of this kind: all 2 are taken";
    refuses(&mut client, "POST", &configuration(THIRD, "/runSummary"), SUMMARY, 507, places);
    let full =
        client.store.insert(RolloutId::configuration(THIRD)).expect_err("as the request was told");
    assert_eq!(full.to_string(), places);
}

#[test]
fn a_store_without_room_for_a_kind_knows_none_of_it() {
    let mut store: Store<0, 0, 1, 1> = Store::new();
    let mut buffer = [0; 512];
    for path in [script("/runSummary"), h("/runSummary"), script("/deviceRunStates")] {
        let request =
            Request { method: "GET", path: &path, authorization: Some(READ), ..Request::default() };
        let settings = Settings { read_tokens: &["reader"], ..Settings::default() };
        assert_eq!(store.handle(&request, &settings, &mut buffer).status, 404, "{path}");
    }
    let path = h("/runSummary");
    let request = Request {
        method: "POST",
        path: &path,
        authorization: Some(WRITE),
        content_type: JSON,
        body: SUMMARY.as_bytes(),
        ..Request::default()
    };
    let settings = Settings { write_tokens: &["writer"], ..Settings::default() };
    let response = store.handle(&request, &settings, &mut buffer);
    assert_eq!(response.status, 507);
    let body = str::from_utf8(response.body).expect("answers are text");
    assert!(body.contains("no room for another roll-out of this kind: all 0 are taken"), "{body}");
}

#[test]
fn an_answer_that_does_not_fit_changes_nothing() {
    let text = "the answer does not fit the buffer";
    let full = client();
    for (method, path, body) in [
        ("GET", h("/runSummary"), String::new()),
        ("GET", h("/deviceRunStates"), String::new()),
        ("PATCH", h("/runSummary"), r#"{"failedDeviceCount":7}"#.to_owned()),
        ("POST", h("/userRunStates"), USER.to_owned()),
        ("POST", h("/deviceRunStates"), event(3, None, "success", AT)),
        ("POST", h("/deviceRunStates"), event(1, Some("ada"), "success", AT)),
    ] {
        let mut client = full.clone();
        client.buffer = 150;
        let answer = client.send(method, &path, &body);
        assert_eq!((answer.status, answer.message().as_str()), (413, text), "{method} {path}");
        assert_eq!(answer.code(), "responseTooLarge");
        client.buffer = 1 << 14;
        assert_eq!(everything(&mut client), everything(&mut full.clone()));
    }
}

#[test]
fn without_any_buffer_the_status_tells() {
    let mut client = client();
    for buffer in 0..150 {
        client.buffer = buffer;
        let answer = client.send("GET", &h("/runSummary"), "");
        assert_eq!(answer.status, 413);
        let answer = client.send("GET", "/", "");
        assert_eq!(answer.status, 404);
    }
}
