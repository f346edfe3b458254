//! Any sequence of requests: lists, counts and summary agree after each, and one that is refused
//! changes nothing.
//!
//! What is carried is the only thing that the lists do not show. So a model keeps just that: each
//! write that is accepted says what it is from then on, and every later answer is held to it.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use proptest::prelude::*;
use proptest::sample::select;
use runtally::http::{Clock, Request};
use runtally::strategies::{documents, hostile_documents};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::client::{
    Answer, CONFIGURATION, Client, OTHER, READ, SCRIPT, THIRD, WRITE, configuration, device,
    script, user_id,
};

/// The wire's counters, in the order of severity of their run states.
const COUNTERS: [(&str, &str); 6] = [
    ("notApplicable", "notApplicable"),
    ("success", "successful"),
    ("unknown", "unknown"),
    ("pending", "pending"),
    ("fail", "failed"),
    ("scriptError", "error"),
];

/// The run states, the one least final first.
const FINALITY: [&str; 6] =
    ["unknown", "pending", "notApplicable", "success", "fail", "scriptError"];

/// One after the other; the last two but one are the same instant.
pub(crate) const TIMES: [&str; 6] = [
    "0001-01-01T00:00:00Z",
    "2026-11-21T09:30:00.0000001Z",
    "2026-11-21T09:30:00.0000002Z",
    "2026-11-21T09:31:00-08:00",
    "2026-11-21T17:31:00Z",
    "9999-12-31T23:59:59.9999999Z",
];

/// What the clock says, where there is one.
const NOW: &str = "2026-11-21T17:31:00Z";

/// Five users, one more than there is room for.
const UPNS: [&str; 7] =
    ["ada", "ADA", "Bob@Example.com", "bob@example.com", "čeněk", "Čeněk", "fay 👩‍🔬"];

/// A request and what it holds.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: &'static str,
    path: String,
    query: &'static str,
    body: Vec<u8>,
    authorization: Option<&'static str>,
    content_type: Option<&'static str>,
}

impl Ask {
    pub(crate) fn request(&self) -> Request<'_> {
        Request {
            method: self.method,
            path: &self.path,
            query: self.query,
            authorization: self.authorization,
            content_type: self.content_type,
            body: &self.body,
        }
    }
}

/// Six counters, in the order of [`COUNTERS`].
type Six = [i64; 6];

/// What the lists of a configuration do not show.
#[derive(Clone, Debug, Default, PartialEq)]
struct Carried {
    devices: Six,
    users: Six,
    /// By UPN in lower case; users that are not in here carry nothing.
    of_user: BTreeMap<String, Six>,
}

fn upns() -> impl Strategy<Value = &'static str> {
    select(&UPNS[..])
}

fn counts() -> impl Strategy<Value = i64> {
    prop_oneof![60 => 0..4i64, 1 => Just(i64::from(i32::MAX)), 1 => Just(i64::from(i32::MAX) - 1)]
}

// Strategies are boxed where they branch widely: as plain values they would fill the stack of a
// test's thread.

/// A property is given as it should be, given badly, or not given. There are up to twelve in a body,
/// and most bodies must be right, or little happens.
fn value(good: impl Strategy<Value = Value>) -> impl Strategy<Value = Option<Value>> {
    let bad = [json!(-1), json!(2_147_483_648_i64), json!(1.5), json!("5"), json!(true), json!([])];
    prop_oneof![
        200 => good.prop_map(Some),
        3 => Just(None),
        1 => select(bad.to_vec()).prop_map(Some),
        1 => Just(Some(Value::Null)),
    ]
}

fn object<const N: usize>(values: [(&str, Option<Value>); N]) -> Vec<u8> {
    let given = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect::<Map<_, _>>()).to_string().into_bytes()
}

fn events() -> BoxedStrategy<Vec<u8>> {
    let id = value((0..9u8).prop_map(|number| device(number).to_string().into()));
    let upn = prop::option::of(value(upns().prop_map(Value::from)));
    let state = value(select(&COUNTERS[..]).prop_map(|(state, _)| state.into()));
    let at = value(select(&TIMES[..]).prop_map(Value::from));
    (id, upn, state, at)
        .prop_map(|(id, upn, state, at)| {
            object([
                ("id", id),
                ("upn", upn.flatten()),
                ("configurationState", state.clone()),
                ("runState", state),
                ("lastStateUpdateDateTime", at),
            ])
        })
        .boxed()
}

/// Counters whose names end like this, all of them or some.
fn counters(what: &'static str) -> impl Strategy<Value = Map<String, Value>> {
    let six = prop::array::uniform6(value(counts().prop_map(Value::from)));
    (six, prop_oneof![3 => Just(63u8), 1 => any::<u8>()]).prop_map(move |(six, given)| {
        let named = COUNTERS.iter().zip(six).enumerate();
        named
            .filter(|(index, _)| given & 1 << index != 0)
            .filter_map(|(_, ((_, name), value))| Some((format!("{name}{what}Count"), value?)))
            .collect()
    })
}

fn summaries() -> BoxedStrategy<Vec<u8>> {
    let at = prop::option::of(prop::option::of(select(&TIMES[..])));
    (counters("Device"), counters("User"), at)
        .prop_map(|(mut devices, users, at)| {
            devices.extend(users);
            devices.extend(at.map(|at| ("lastRunDateTime".to_owned(), at.into())));
            Value::Object(devices).to_string().into_bytes()
        })
        .boxed()
}

fn user_states() -> BoxedStrategy<Vec<u8>> {
    user_states_of(value(upns().prop_map(Value::from)))
}

fn user_states_of(upn: impl Strategy<Value = Option<Value>> + 'static) -> BoxedStrategy<Vec<u8>> {
    let name =
        || prop::option::of(value(select(&["Ada \u{10FFFF}", ""][..]).prop_map(Value::from)));
    let at = value(select(&TIMES[..]).prop_map(Value::from));
    (counters("Device"), upn, name(), name(), at)
        .prop_map(|(mut state, upn, email, name, at)| {
            let others = [
                ("upn", upn),
                ("userEmail", email.flatten()),
                ("userName", name.flatten()),
                ("lastStateUpdateDateTime", at),
            ];
            let others =
                others.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
            state.extend(others);
            Value::Object(state).to_string().into_bytes()
        })
        .boxed()
}

fn script_bodies() -> impl Strategy<Value = Vec<u8>> {
    let count = || value(counts().prop_map(Value::from));
    let upn = value(upns().prop_map(Value::from));
    (count(), count(), count(), count(), upn).prop_map(|(a, b, c, d, upn)| {
        object([
            ("successDeviceCount", a),
            ("errorDeviceCount", b),
            ("successUserCount", c),
            ("errorUserCount", d),
            ("userPrincipalName", upn),
        ])
    })
}

fn bodies() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![
        4 => events(),
        2 => summaries(),
        2 => user_states(),
        2 => script_bodies(),
        1 => documents().prop_map(|document| document.json),
        1 => hostile_documents(),
    ]
    .boxed()
}

fn rollouts() -> impl Strategy<Value = Uuid> {
    prop_oneof![12 => Just(CONFIGURATION), 2 => Just(OTHER), 1 => Just(THIRD)]
}

fn place(id: Uuid, rest: &str) -> String {
    if id == SCRIPT { script(rest) } else { configuration(id, rest) }
}

/// A request that goes with its path, most often.
fn fitting() -> BoxedStrategy<Ask> {
    let ask = |method, path, body| Ask {
        method,
        path,
        query: "",
        body,
        authorization: Some(WRITE),
        content_type: Some("application/json"),
    };
    prop_oneof![
        8 => (rollouts(), events())
            .prop_map(move |(id, body)| ask("POST", place(id, "/deviceRunStates"), body)),
        2 => events().prop_map(move |body| ask("POST", script("/deviceRunStates"), body)),
        2 => (upns(), events()).prop_map(move |(upn, body)| {
            let user = user_id(SCRIPT, upn);
            ask("POST", script(&format!("/userRunStates/{user}/deviceRunStates")), body)
        }),
        2 => (rollouts(), summaries(), select(&["POST", "PATCH"][..]))
            .prop_map(move |(id, body, method)| ask(method, place(id, "/runSummary"), body)),
        2 => (rollouts(), user_states())
            .prop_map(move |(id, body)| ask("POST", place(id, "/userRunStates"), body)),
        3 => (rollouts(), upns()).prop_flat_map(move |(id, upn)| {
            let path = place(id, &format!("/userRunStates/{}", user_id(id, upn)));
            let body = user_states_of(prop::option::of(Just(upn.into())));
            (body, select(&["PATCH", "PATCH", "DELETE"][..]))
                .prop_map(move |(body, method)| ask(method, path.clone(), body))
        }),
        1 => (prop_oneof![rollouts(), Just(SCRIPT)], 0..9u8).prop_map(move |(id, number)| {
            ask("DELETE", place(id, &format!("/deviceRunStates/{}", device(number))), Vec::new())
        }),
        1 => upns().prop_map(move |upn| {
            ask("DELETE", script(&format!("/userRunStates/{}", user_id(SCRIPT, upn))), Vec::new())
        }),
        2 => script_bodies().prop_map(move |body| ask("POST", script("/runSummary/$ref"), body)),
        2 => script_bodies().prop_map(move |body| ask("POST", script("/userRunStates"), body)),
    ]
    .boxed()
}

/// Any method at any path with any body.
fn stray() -> impl Strategy<Value = Ask> {
    const PLACES: [&str; 12] = [
        "",
        "/",
        "/runSummary",
        "/runSummary/$ref",
        "/deviceRunStates",
        "/deviceRunStates/$count",
        "/deviceRunStates/{d}",
        "/userRunStates",
        "/userRunStates/$count",
        "/userRunStates/{u}",
        "/userRunStates/{u}/deviceRunStates",
        "/userRunStates/{u}/deviceRunStates/$count",
    ];
    const QUERIES: [&str; 8] = [
        "",
        "$top=1",
        "$top=99999999999",
        "$skip=1&$count=true",
        "$select=id",
        "$select=nothing",
        "$filter=x",
        "$skiptoken=3",
    ];
    (
        select(&["GET", "POST", "PATCH", "DELETE", "PUT", "get", ""][..]),
        prop_oneof![rollouts(), Just(SCRIPT)],
        (select(&PLACES[..]), 0..9u8, upns(), select(&["", "/beta", "/v1.0", "/x"][..])),
        select(&QUERIES[..]),
        bodies(),
        select(&[Some(WRITE), Some(WRITE), Some(READ), Some("Bearer x"), Some(""), None][..]),
        select(&[Some("application/json"), Some("application/json"), Some("text/plain"), None][..]),
    )
        .prop_map(|(method, id, rest, query, body, authorization, content_type)| {
            let (rest, number, upn, version) = rest;
            let rest = rest
                .replace("{d}", &device(number).to_string())
                .replace("{u}", &user_id(id, upn).to_string());
            let path = format!("{version}{}", place(id, &rest));
            Ask { method, path, query, body, authorization, content_type }
        })
}

pub(crate) fn asks() -> impl Strategy<Value = Ask> {
    prop_oneof![5 => fitting(), 1 => stray(), 1 => (fitting(), bodies()).prop_map(|(ask, body)| {
        Ask { body, ..ask }
    })]
}

/// Everything that can be read of one roll-out; `None` if it is not known.
#[derive(Clone, Debug, PartialEq)]
struct View {
    summary: Value,
    devices: Vec<Value>,
    users: Vec<Value>,
    /// The devices of each user.
    of_user: Vec<Vec<Value>>,
}

impl View {
    fn of(client: &mut Client, id: Uuid) -> Option<Self> {
        let answer = client.send("GET", &place(id, "/runSummary"), "");
        if answer.status == 404 {
            return None;
        }
        let summary = answer.json()["value"].take();
        let devices = client.list(&place(id, "/deviceRunStates"));
        let users = client.list(&place(id, "/userRunStates"));
        let mut of_user = Vec::new();
        let counted = |client: &mut Client, list: &str, rows: usize| {
            assert_eq!(client.get(&place(id, &format!("{list}/$count"))).body, rows.to_string());
        };
        counted(client, "/deviceRunStates", devices.len());
        counted(client, "/userRunStates", users.len());
        for user in &users {
            let path = format!("/userRunStates/{}", text(user, "id"));
            assert_eq!(client.get(&place(id, &path)).json(), *user);
            let list = format!("{path}/deviceRunStates");
            let rows = client.list(&place(id, &list));
            counted(client, &list, rows.len());
            of_user.push(rows);
        }
        for row in &devices {
            let path = format!("/deviceRunStates/{}", text(row, "id"));
            assert_eq!(client.get(&place(id, &path)).json(), *row);
        }
        Some(Self { summary, devices, users, of_user })
    }
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_else(|| panic!("{name} of {row}"))
}

fn views(client: &mut Client) -> Vec<Option<View>> {
    [CONFIGURATION, OTHER, THIRD, SCRIPT].map(|id| View::of(client, id)).into()
}

/// The rows in each state.
fn count(rows: &[Value], property: &str) -> Six {
    COUNTERS.map(|(state, _)| rows.iter().map(|row| i64::from(row[property] == state)).sum())
}

/// The counters of an entity whose names end like this.
fn six(entity: &Value, what: &str) -> Six {
    COUNTERS.map(|(_, name)| {
        entity[format!("{name}{what}Count")].as_i64().unwrap_or_else(|| panic!("{entity}"))
    })
}

/// The users in each run state: the most severe of a user's counts that are not zero.
fn run_states(users: &[Value]) -> Six {
    let mut states = [0; 6];
    for user in users {
        if let Some(severity) = six(user, "Device").iter().rposition(|&count| count > 0) {
            states[severity] += 1;
        }
    }
    states
}

fn minus(a: Six, b: Six) -> Six {
    std::array::from_fn(|index| a[index] - b[index])
}

impl Carried {
    /// What a configuration must carry if these are its lists and summary.
    fn of(view: &View) -> Self {
        let mut of_user = BTreeMap::new();
        for (user, devices) in view.users.iter().zip(&view.of_user) {
            let carried = minus(six(user, "Device"), count(devices, "configurationState"));
            if carried != [0; 6] {
                of_user.insert(text(user, "upn").to_ascii_lowercase(), carried);
            }
        }
        Self {
            devices: minus(
                six(&view.summary, "Device"),
                count(&view.devices, "configurationState"),
            ),
            users: minus(six(&view.summary, "User"), run_states(&view.users)),
            of_user,
        }
    }

    fn is_sound(&self) -> bool {
        let not_negative = |six: &Six| six.iter().all(|&count| count >= 0);
        not_negative(&self.devices)
            && not_negative(&self.users)
            && self.of_user.values().all(not_negative)
    }
}

/// The order of the events of one device: instant, finality, offset, user.
fn rank(row: &Value) -> (i128, usize, i32, Option<String>) {
    let at = Pieces::parse(text(row, "lastStateUpdateDateTime")).expect("a date-time");
    let offset = at.to_numeric_offset().expect("an offset").seconds();
    let local = at.date().to_datetime(at.time().expect("a time"));
    let local = local.duration_since(DateTime::ZERO).as_nanos();
    let finality = FINALITY.iter().position(|state| row["configurationState"] == *state);
    // An empty name is nobody's.
    let user = row["upn"].as_str().filter(|upn| !upn.is_empty()).map(str::to_ascii_lowercase);
    (local - i128::from(offset) * 1_000_000_000, finality.expect("one of the six"), offset, user)
}

/// The instant of the last run.
fn last_run(view: &View) -> Option<i128> {
    let at = &view.summary["lastRunDateTime"];
    let run = json!({ "lastStateUpdateDateTime": at, "configurationState": "unknown" });
    at.is_string().then(|| rank(&run).0)
}

/// What a write was answered with is what is read once its change is committed.
fn assert_shown(view: &View, ask: &Ask, answer: &Answer) {
    let row = |rows: &[Value], id: &Value| {
        rows.iter().find(|row| row["id"] == *id).cloned().expect("what was written is there")
    };
    if answer.body.is_empty() {
        return;
    }
    let shown = answer.json();
    if ask.path.ends_with("/runSummary") {
        assert_eq!(shown, view.summary);
    } else if ask.path.ends_with("/deviceRunStates") {
        for (name, value) in row(&view.devices, &shown["id"]).as_object().expect("a row") {
            let upn = |value: &Value| value.as_str().map(str::to_ascii_lowercase);
            match name.as_str() {
                "upn" => assert_eq!(upn(value), upn(&shown["upn"])),
                _ => assert_eq!(shown[name], *value, "{name}"),
            }
        }
    } else {
        assert_eq!(shown, row(&view.users, &shown["id"]));
    }
}

/// Everything that a store holds.
fn held(client: &Client) -> String {
    format!("{:?}", client.store.iter().collect::<Vec<_>>())
}

/// Whether a report is of a time that the clock takes: from 2001 to a day after now.
fn is_plausible(report: &Value) -> bool {
    let instant = |at: &str| {
        rank(&json!({ "lastStateUpdateDateTime": at, "configurationState": "unknown" })).0
    };
    (instant("2001-01-01T00:00:00Z")..=instant(NOW) + 86_400_000_000_000)
        .contains(&instant(text(report, "lastStateUpdateDateTime")))
}

/// Lists and counts of every view agree with one another.
fn assert_whole(view: &View, is_script: bool) {
    assert!(view.devices.len() <= 6 && view.users.len() <= 4, "{view:?}");
    let ids = |rows: &[Value]| {
        let mut ids: Vec<_> = rows.iter().map(|row| text(row, "id").to_owned()).collect();
        ids.sort();
        ids
    };
    for rows in [&view.devices, &view.users] {
        let mut unique = ids(rows);
        unique.dedup();
        assert_eq!(unique.len(), rows.len(), "no row is there twice");
    }
    if is_script {
        return;
    }
    for (user, devices) in view.users.iter().zip(&view.of_user) {
        let upn = text(user, "upn");
        let own = |row: &&Value| row["upn"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(upn));
        let own: Vec<_> = view.devices.iter().filter(own).cloned().collect();
        assert_eq!(ids(&own), ids(devices), "a user's devices are those that name the user");
    }
    let latest = view.devices.iter().map(|row| rank(row).0).max();
    assert!(last_run(view) >= latest, "no row is later than the last run");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn lists_counts_and_summaries_agree_after_any_sequence(
        sequence in prop::collection::vec(asks(), 1..40),
        has_clock in any::<bool>(),
    ) {
        let mut client = Client::new();
        client.settings.clock = has_clock.then(|| Clock::new(NOW.parse().expect("a date-time")));
        let mut before = views(&mut client);
        let mut carried = BTreeMap::<usize, Carried>::new();
        for ask in sequence {
            let request = ask.request();
            let (answer, change) = client.plan(&request);
            let mut handled = client.clone();
            if let Some(change) = &change {
                prop_assert_eq!(&views(&mut client), &before, "{:?} is planned", ask);
                client.commit(change);
            }
            prop_assert_eq!(&handled.handle(&request), &answer);
            prop_assert_eq!(held(&handled), held(&client));
            let statuses = [200, 201, 204, 400, 401, 403, 404, 405, 409, 415, 507];
            prop_assert!(statuses.contains(&answer.status), "{:?}: {:?}", ask, answer);
            let after = views(&mut client);
            let is_report = ask.method == "POST" && ask.path.ends_with("/deviceRunStates");
            if change.is_none() {
                prop_assert_eq!(&after, &before, "{:?} asks for no change", ask);
            }
            if answer.status >= 400 {
                prop_assert!(!answer.message().is_empty());
                // A late report of a removed device was a run.
                prop_assert!(change.is_none() || answer.status == 409 && is_report);
            }
            if ask.method == "GET" {
                prop_assert!(change.is_none());
            }
            if change.is_none() && (answer.status >= 400 || ask.method == "GET") {
                continue;
            }

            for (index, (view, old)) in after.iter().zip(&before).enumerate() {
                let Some(view) = view else { continue };
                assert_whole(view, index == 3);
                if index == 3 {
                    continue;
                }
                let now = Carried::of(view);
                prop_assert!(now.is_sound(), "nothing negative is carried: {:?}", now);
                let known = carried.entry(index).or_default();
                let id = [CONFIGURATION, OTHER, THIRD][index];
                let changed = ask.path.contains(&id.to_string());
                if changed && ask.path.ends_with("/runSummary") {
                    (known.devices, known.users) = (now.devices, now.users);
                } else if changed && ask.path.contains("/userRunStates") {
                    known.of_user.clone_from(&now.of_user);
                }
                prop_assert_eq!(&*known, &now, "only a write of totals changes what is carried");
                if changed && answer.status < 300 {
                    assert_shown(view, &ask, &answer);
                }
                let (ran, runs) = (last_run(view), old.as_ref().and_then(last_run));
                if !(changed && (is_report || ask.path.ends_with("/runSummary"))) {
                    prop_assert_eq!(ran, runs, "only a report or a declaration is a run");
                }

                // Of an event and what was recorded before, the greater is recorded, and the last
                // run is the latest of all.
                if changed && is_report {
                    // Numbers beyond a double are JSON, but not every reader's.
                    let Ok(mut posted) = serde_json::from_slice::<Value>(&ask.body) else { continue };
                    if has_clock && !is_plausible(&posted) {
                        posted["lastStateUpdateDateTime"] = NOW.into();
                    }
                    prop_assert_eq!(ran, runs.max(Some(rank(&posted).0)));
                    if answer.status >= 400 {
                        prop_assert_eq!(&view.devices, &old.as_ref().expect("it was known").devices);
                        continue;
                    }
                    let id = posted["id"].as_str().expect("an event has an id").to_ascii_lowercase();
                    let find = |view: &View| {
                        view.devices.iter().find(|row| row["id"] == id.as_str()).cloned()
                    };
                    let recorded = old.as_ref().and_then(find);
                    let greatest = recorded.iter().map(rank).chain([rank(&posted)]).max();
                    prop_assert_eq!(find(view).as_ref().map(rank), greatest);
                }
            }
            before = after;
        }
    }

    /// What an accepted write gives is what is read from then on.
    #[test]
    fn what_is_written_is_what_is_read(
        before in prop::collection::vec(asks(), 0..16),
        body in summaries(),
        state in user_states(),
    ) {
        let mut client = Client::new();
        for ask in before {
            client.ask(&ask.request());
        }
        let body = String::from_utf8(body).expect("JSON is text");
        let path = configuration(CONFIGURATION, "/runSummary");
        let mut expected = client.get(&path).json()["value"].take();
        let answer = client.send("PATCH", &path, &body);
        if answer.status == 200 {
            let given: Map<String, Value> = serde_json::from_str(&body).expect("it was taken");
            given.into_iter().for_each(|(name, value)| expected[name] = value);
            prop_assert_eq!(answer.json(), expected.clone());
        }
        prop_assert_eq!(client.get(&path).json()["value"].take(), expected);

        let state = String::from_utf8(state).expect("JSON is text");
        let users = configuration(CONFIGURATION, "/userRunStates");
        let answer = client.send("POST", &users, &state);
        if answer.status == 201 {
            let created = answer.json();
            let given: Map<String, Value> = serde_json::from_str(&state).expect("it was taken");
            for (name, value) in given {
                prop_assert_eq!(&created[&name], &value, "{}", name);
            }
            let row = format!("{users}/{}", text(&created, "id"));
            prop_assert_eq!(client.get(&row).json(), created);
        }
    }
}
