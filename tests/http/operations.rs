//! One test for each operation.

use runtally::http::Request;
use runtally::{Change, Effect, RunState};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{
    Answer, CONFIGURATION, Client, OTHER, READ, ROLLOUTS, SCRIPT, configuration, device, event,
    script, script_event, user_id,
};

const AT: &str = "2026-11-21T09:30:00+01:00";
const LATER: &str = "2026-11-21T10:30:00+01:00";

fn h(rest: &str) -> String {
    configuration(CONFIGURATION, rest)
}

/// A documented body as the library writes it: without white space between its tokens.
fn compact(documented: &str) -> String {
    let mut is_text = false;
    let keep = |character: &char| {
        is_text ^= *character == '"';
        is_text || !character.is_whitespace()
    };
    documented.chars().filter(keep).collect()
}

/// The answer is the documented one, word for word and in its order, but for the id.
#[track_caller]
fn assert_documented(answer: &Answer, documented: &str) {
    let id_of = |json: &Value| match &json["value"] {
        Value::Null => json["id"].as_str().map(str::to_owned),
        entity => entity["id"].as_str().map(str::to_owned),
    };
    let ours = id_of(&answer.json()).expect("an answer has an id");
    let documented = compact(documented);
    let documented = match id_of(&serde_json::from_str(&documented).expect("JSON")) {
        Some(theirs) => documented.replace(&theirs, &ours),
        None => documented,
    };
    assert_eq!(answer.body, documented);
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
}

const CREATE_SUMMARY: &str = include_str!("../wire/create-run-summary.request.json");
const UPDATE_SUMMARY: &str = include_str!("../wire/update-run-summary.request.json");
const SUMMARY: &str = include_str!("../wire/update-run-summary.response.json");
const ENVELOPE: &str = include_str!("../wire/get-run-summary.response.json");
const CREATE_USER: &str = include_str!("../wire/create-user-state.request.json");
const USER: &str = include_str!("../wire/create-user-state.response.json");
const CREATE_DEVICE: &str = include_str!("../wire/create-device-state.request.json");
const ADD_SCRIPT_SUMMARY: &str = include_str!("../wire/add-script-run-summary.request.json");

#[test]
fn creating_a_summary_is_answered_as_documented() {
    let answer = Client::new().must(201, "POST", &h("/runSummary"), CREATE_SUMMARY);
    assert_documented(&answer, SUMMARY);
}

#[test]
fn a_summary_is_read_in_the_documented_envelope() {
    let mut client = Client::new();
    client.must(201, "POST", &h("/runSummary"), CREATE_SUMMARY);
    let answer = client.get(&h("/runSummary"));
    assert_documented(&answer, ENVELOPE);
}

#[test]
fn updating_a_summary_is_answered_as_documented() {
    let answer = Client::new().must(200, "PATCH", &h("/runSummary"), UPDATE_SUMMARY);
    assert_documented(&answer, SUMMARY);
}

#[test]
fn creating_a_user_state_is_answered_as_documented() {
    let answer = Client::new().must(201, "POST", &h("/userRunStates"), CREATE_USER);
    assert_documented(&answer, USER);
}

#[test]
fn declaring_a_scripts_totals_is_answered_as_documented() {
    let mut client = Client::new();
    let answer = client.must(204, "POST", &script("/runSummary/$ref"), ADD_SCRIPT_SUMMARY);
    assert_eq!((answer.body.as_str(), answer.headers.len()), ("", 0));
    let summary = client.get(&script("/runSummary")).json();
    let declared: Value = serde_json::from_str(ADD_SCRIPT_SUMMARY).expect("JSON");
    for name in ["successDeviceCount", "errorDeviceCount", "successUserCount", "errorUserCount"] {
        assert_eq!(summary["value"][name], declared[name], "{name}");
    }
}

#[test]
fn an_event_is_echoed_word_for_word() {
    let answer = Client::new().must(201, "POST", &h("/deviceRunStates"), CREATE_DEVICE);
    assert_documented(&answer, CREATE_DEVICE);
}

#[test]
fn bare_leaves_the_envelope_out() {
    let mut client = Client::new();
    client.settings.bare = true;
    client.must(201, "POST", &h("/runSummary"), CREATE_SUMMARY);
    let answer = client.get(&h("/runSummary"));
    assert_documented(&answer, SUMMARY);
}

#[test]
fn both_versions_of_graph_lead_to_the_same() {
    let mut client = Client::new();
    let plain = client.get(&h("/runSummary"));
    for version in ["/beta", "/v1.0"] {
        assert_eq!(client.get(&format!("{version}{}", h("/runSummary"))), plain);
    }
}

#[test]
fn ids_have_any_case_and_paths_may_be_encoded() {
    let mut client = Client::new();
    let plain = client.get(&h("/runSummary"));
    let upper = CONFIGURATION.to_string().to_uppercase();
    let path = format!("/deviceManagement/hardwareConfigurations/{upper}/runSummary");
    assert_eq!(client.get(&path), plain);
    assert_eq!(client.get(&path.replace("run", "%72%75n").replace("4A", "%34a")), plain);
    assert_eq!(client.get(&h("/userRunStates/%24count")).body, "0");
}

#[test]
fn creating_a_summary_takes_its_configuration_in() {
    let mut client = Client::new();
    let path = configuration(OTHER, "/runSummary");
    client.must(404, "GET", &path, "");
    client.must(400, "POST", &path, "{}");
    client.must(404, "GET", &path, "");
    client.must(201, "POST", &path, CREATE_SUMMARY);
    assert_documented(&client.get(&path), ENVELOPE);
}

#[test]
fn an_update_changes_only_what_it_names() {
    let mut client = Client::new();
    client.must(201, "POST", &h("/runSummary"), CREATE_SUMMARY);
    let mut summary = client.get(&h("/runSummary")).json()["value"].take();
    summary["failedDeviceCount"] = 77.into();
    let answer = client.must(200, "PATCH", &h("/runSummary"), r#"{"failedDeviceCount":77}"#);
    assert_eq!(answer.json(), summary);
    // The whole entity as it was read, its id and its type among it.
    let answer = client.must(200, "PATCH", &h("/runSummary"), &summary.to_string());
    assert_eq!(answer.json(), summary);
    summary["lastRunDateTime"] = Value::Null;
    let answer = client.must(200, "PATCH", &h("/runSummary"), r#"{"lastRunDateTime":null}"#);
    assert_eq!(answer.json(), summary);
}

#[test]
fn an_event_moves_the_summary_by_one() {
    let mut client = Client::new();
    client.must(201, "POST", &h("/runSummary"), CREATE_SUMMARY);
    let later = "2026-11-21T08:30:00Z";
    client.must(201, "POST", &h("/deviceRunStates"), &event(1, Some("ada"), "fail", later));
    let summary = client.get(&h("/runSummary")).json()["value"].take();
    assert_eq!(summary["failedDeviceCount"], 2);
    assert_eq!(summary["failedUserCount"], 16);
    assert_eq!(summary["successfulDeviceCount"], 5);
    assert_eq!(summary["lastRunDateTime"], later);
}

#[test]
fn a_stale_or_duplicate_event_is_answered_with_what_is_recorded() {
    let mut client = Client::new();
    let path = h("/deviceRunStates");
    client.must(201, "POST", &path, &event(1, Some("Ada"), "success", LATER));
    let recorded = client.list(&path).remove(0);
    for (state, at) in [("success", LATER), ("pending", AT), ("notApplicable", LATER)] {
        let answer = client.must(201, "POST", &path, &event(1, Some("ADA"), state, at));
        assert_eq!(answer.json(), recorded, "{state} {at}");
    }
    assert_eq!(client.get(&h("/runSummary")).json()["value"]["successfulDeviceCount"], 1);
}

#[test]
fn rows_are_listed_read_alone_and_counted() {
    let mut client = Client::new();
    let devices = h("/deviceRunStates");
    assert_eq!(client.get(&devices).body, r#"{"value":[]}"#);
    for number in 1..=3 {
        client.must(201, "POST", &devices, &event(number, Some("Ada@Example.com"), "success", AT));
    }
    let rows = client.list(&devices);
    assert_eq!(rows.len(), 3);
    for (row, number) in rows.iter().zip(1..) {
        assert_eq!(client.get(&format!("{devices}/{}", device(number))).json(), *row);
        assert_eq!(row["id"], device(number).to_string());
        assert_eq!(row["configurationState"], "success");
        assert_eq!(row["lastStateUpdateDateTime"], AT);
    }

    let users = client.list(&h("/userRunStates"));
    assert_eq!(users.len(), 1);
    let id = user_id(CONFIGURATION, "ada@example.com");
    assert_eq!(users[0]["id"], id.to_string());
    assert_eq!(users[0]["successfulDeviceCount"], 3);
    assert_eq!(client.get(&h(&format!("/userRunStates/{id}"))).json(), users[0]);
    assert_eq!(client.list(&h(&format!("/userRunStates/{id}/deviceRunStates"))), rows);

    for (list, count) in [
        ("/deviceRunStates", "3"),
        ("/userRunStates", "1"),
        (&format!("/userRunStates/{id}/deviceRunStates"), "3"),
    ] {
        let answer = client.get(&h(&format!("{list}/$count")));
        assert_eq!(answer.body, count);
        assert_eq!(answer.header("Content-Type"), Some("text/plain"));
    }
}

#[test]
fn a_removed_device_is_not_counted() {
    let mut client = Client::new();
    let devices = h("/deviceRunStates");
    let before = client.get(&h("/runSummary")).json()["value"]["failedDeviceCount"].take();
    client.must(201, "POST", &devices, &event(1, Some("ada"), "fail", AT));
    let row = format!("{devices}/{}", device(1));
    assert_eq!(client.must(204, "DELETE", &row, "").body, "");
    client.must(404, "DELETE", &row, "");
    client.must(404, "GET", &row, "");
    let after = client.get(&h("/runSummary")).json()["value"].take();
    assert_eq!(after["failedDeviceCount"], before);
    assert_eq!(after["failedUserCount"], 0);
    assert_eq!(client.list(&h("/userRunStates")), [] as [Value; 0]);
}

#[test]
fn a_declared_user_stays_until_it_is_undeclared() {
    let mut client = Client::new();
    let users = h("/userRunStates");
    let created = client.must(201, "POST", &users, CREATE_USER).json();
    assert_eq!(client.list(&users), std::slice::from_ref(&created));
    let summary = client.get(&h("/runSummary")).json()["value"].take();
    assert_eq!(summary["failedUserCount"], 1, "one of the user's devices failed");

    let row = h(&format!("/userRunStates/{}", user_id(CONFIGURATION, "upn value")));
    assert_eq!(client.get(&row).json(), created);
    let mut patched = created.clone();
    patched["failedDeviceCount"] = 0.into();
    patched["userName"] = "Ada 👩‍🔬".into();
    let changes = r#"{"failedDeviceCount":0,"userName":"Ada \ud83d\udc69\u200d\ud83d\udd2c"}"#;
    assert_eq!(client.must(200, "PATCH", &row, changes).json(), patched);
    assert_eq!(client.get(&row).json(), patched);
    // Then the whole entity, as the generated clients send it.
    assert_eq!(client.must(200, "PATCH", &row, &patched.to_string()).json(), patched);
    assert_eq!(client.get(&row).json(), patched);

    client.must(204, "DELETE", &row, "");
    client.must(404, "GET", &row, "");
    assert_eq!(client.get(&format!("{users}/$count")).body, "0");
}

#[test]
fn undeclaring_leaves_a_user_with_devices() {
    let mut client = Client::new();
    client.must(201, "POST", &h("/userRunStates"), CREATE_USER);
    client.must(201, "POST", &h("/deviceRunStates"), &event(1, Some("Upn value"), "pending", AT));
    let row = h(&format!("/userRunStates/{}", user_id(CONFIGURATION, "upn value")));
    assert_eq!(client.get(&row).json()["pendingDeviceCount"], 3);
    client.must(204, "DELETE", &row, "");
    let user = client.get(&row).json();
    assert_eq!(user["pendingDeviceCount"], 1);
    assert_eq!(user["successfulDeviceCount"], 0);
    assert_eq!(user["userName"], Value::Null);
    assert_eq!(user["lastStateUpdateDateTime"], AT);
    // Undeclared, it may be declared again.
    let declared = json!({
        "upn": "UPN VALUE", "lastStateUpdateDateTime": LATER, "successfulDeviceCount": 1,
        "failedDeviceCount": 0, "pendingDeviceCount": 1, "errorDeviceCount": 0,
        "notApplicableDeviceCount": 0, "unknownDeviceCount": 0,
    });
    client.must(201, "POST", &h("/userRunStates"), &declared.to_string());
    let user = client.get(&row).json();
    assert_eq!(user["upn"], "UPN VALUE");
    assert_eq!((&user["userEmail"], &user["userName"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_retired_device_is_counted_and_not_listed() {
    let mut client = Client::new();
    let retire = Change::Retire { device: device(1) };
    let applied = Ok(Effect::Applied { before: Some(RunState::Fail) });
    let [configuration, counts] = ROLLOUTS;

    client.must(201, "POST", &h("/deviceRunStates"), &event(1, None, "fail", AT));
    let tally = client.store.tally_mut(configuration).expect("it is known");
    assert_eq!(tally.commit(&retire), applied);
    let summary = client.get(&h("/runSummary")).json()["value"].take();
    assert_eq!(summary["failedDeviceCount"], 1);
    assert_eq!(client.list(&h("/deviceRunStates")), [] as [Value; 0]);

    client.must(201, "POST", &script("/deviceRunStates"), &script_event(1, "fail", AT));
    let tally = client.store.tally_mut(counts).expect("it is known");
    assert_eq!(tally.commit(&retire), applied);
    let summary = client.get(&script("/runSummary")).json()["value"].take();
    assert_eq!(summary["errorDeviceCount"], 1);
    assert_eq!(client.list(&script("/deviceRunStates")), [] as [Value; 0]);
}

#[test]
fn a_scripts_error_is_fail_and_script_error() {
    let mut client = Client::new();
    let devices = script("/deviceRunStates");
    for (number, state) in [(1, "success"), (2, "fail"), (3, "scriptError"), (4, "pending")] {
        client.must(201, "POST", &devices, &script_event(number, state, AT));
    }
    let summary = client.get(&script("/runSummary")).json()["value"].take();
    assert_eq!(summary["successDeviceCount"], 1);
    assert_eq!(summary["errorDeviceCount"], 2);
    assert_eq!(summary["@odata.type"].as_str().map(|name| name.contains("Script")), Some(true));
    assert_eq!(client.get(&format!("{devices}/$count")).body, "4");
}

#[test]
fn a_scripts_event_names_its_user_by_the_path() {
    let mut client = Client::new();
    let declared = r#"{"userPrincipalName":"Ada","successDeviceCount":0,"errorDeviceCount":0}"#;
    let created = client.must(201, "POST", &script("/userRunStates"), declared).json();
    let id = user_id(SCRIPT, "ada");
    assert_eq!(created["id"], id.to_string());

    let devices = script(&format!("/userRunStates/{id}/deviceRunStates"));
    client.must(201, "POST", &devices, &script_event(1, "success", AT));
    client.must(201, "POST", &script("/deviceRunStates"), &script_event(2, "fail", AT));
    assert_eq!(client.list(&devices).len(), 1);
    assert_eq!(client.get(&format!("{devices}/$count")).body, "1");
    let user = script(&format!("/userRunStates/{id}"));
    assert_eq!(client.get(&user).json()["successDeviceCount"], 1);
    assert_eq!(client.list(&script("/userRunStates")), [client.get(&user).json()]);
    let summary = client.get(&script("/runSummary")).json()["value"].take();
    assert_eq!(summary["successUserCount"], 1);
    assert_eq!(summary["errorUserCount"], 0);

    client.must(204, "DELETE", &script(&format!("/deviceRunStates/{}", device(1))), "");
    client.must(204, "DELETE", &user, "");
    assert_eq!(client.get(&script("/userRunStates/$count")).body, "0");
}

#[test]
fn select_leaves_out_what_it_does_not_name() {
    let mut client = Client::new();
    client.must(201, "POST", &h("/runSummary"), CREATE_SUMMARY);
    client.must(201, "POST", &h("/deviceRunStates"), CREATE_DEVICE);
    let odata_type = r##""@odata.type":"#microsoft.graph.hardwareConfigurationRunSummary""##;
    let body = client.get(&h("/runSummary?$select=failedUserCount,pendingDeviceCount")).body;
    assert_eq!(
        body,
        format!(r#"{{"value":{{{odata_type},"pendingDeviceCount":2,"failedUserCount":15}}}}"#)
    );
    let lists = [
        "%24select=id%2CconfigurationState",
        "$select=id,+configurationState",
        "select=id%20,%20configurationState",
    ];
    let [rows, spaced, escaped] =
        lists.map(|query| client.list(&h(&format!("/deviceRunStates?{query}"))));
    assert_eq!([&spaced, &escaped], [&rows; 2]);
    let odata_type = "#microsoft.graph.hardwareConfigurationDeviceState";
    let id = "74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974";
    let row = json!({ "@odata.type": odata_type, "id": id, "configurationState": "success" });
    assert_eq!(rows, [row]);
}

#[test]
fn options_work_with_and_without_the_dollar_sign() {
    let mut client = Client::new();
    for number in 1..=4 {
        let body = event(number, None, "success", AT);
        client.must(201, "POST", &h("/deviceRunStates"), &body);
    }
    // The number of rows is that of all, whichever a page would show.
    let count = client.get(&h("/deviceRunStates/$count?$top=2&skip=1&$select=id")).body;
    assert_eq!(count, "4");
    let rows = client.list(&h("/deviceRunStates"));
    for query in ["$top=2&$skip=1&$count=true", "top=2&skip=1&count=true"] {
        let page = client.get(&h(&format!("/deviceRunStates?{query}"))).json();
        assert_eq!(page["@odata.count"], 4);
        assert_eq!(page["value"], Value::from(rows[1..3].to_vec()));
        let next = page["@odata.nextLink"].as_str().expect("a row is left");
        let next = next.strip_prefix("http://host").expect("the link is whole");
        let page = client.get(next).json();
        assert_eq!(page["value"], Value::from(rows[3..].to_vec()));
        assert_eq!(page["@odata.count"], 4);
        assert_eq!(page.get("@odata.nextLink"), None);
    }
}

#[test]
fn the_reading_token_reads() {
    let mut client = Client::new();
    for place in ["/runSummary", "/deviceRunStates", "/userRunStates", "/userRunStates/$count"] {
        for scheme in [READ, "bearer reader", "BEARER   reader"] {
            let path = h(place);
            let request = Request {
                method: "GET",
                path: &path,
                authorization: Some(scheme),
                ..Request::default()
            };
            assert_eq!(client.ask(&request).status, 200, "{scheme}");
        }
    }
}

#[test]
fn ids_are_the_same_on_every_node() {
    let mut client = Client::new();
    let summary = client.get(&h("/runSummary")).json()["value"]["id"].take();
    assert_eq!(summary, Uuid::new_v5(&CONFIGURATION, b"").to_string());
    client.must(201, "POST", &h("/userRunStates"), CREATE_USER);
    let user = client.list(&h("/userRunStates")).remove(0);
    assert_eq!(user["id"], user_id(CONFIGURATION, "Upn value").to_string());
}
