//! The example `rollout`, run as a program, against a recount written for nothing but to be
//! obvious; and `trace`, which makes its bundled file.
#![cfg(feature = "graph")]

#[path = "rollout/lists.rs"]
mod lists;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use fastrand::Rng;
use jiff::fmt::temporal::Pieces;
use jiff::{SignedDuration, Timestamp};
use runtally::http::{Request, Settings};
use runtally::store::{RolloutId, Store};
use serde_json::{Value, json};
use uuid::{Uuid, uuid};

/// A trace of 2 000 devices.
const TRACE: &str = include_str!("../examples/data/rollout.jsonl");
const TRACE_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/rollout.jsonl");

/// The trace that is counted where no file is named.
const BUNDLED: &str = include_str!("../examples/data/small.jsonl");

/// The configuration the program's ids derive from.
const CONFIGURATION: Uuid = uuid!("1f0a2c6e-5b7d-4e3a-9c48-d2b6f0e17a95");

/// The limit the program documents for a line, in bytes.
const LONGEST_LINE: usize = 1 << 20;

struct Ran {
    status: i32,
    out: String,
    err: String,
}

/// An example built by the same `cargo test`: tests stand in `deps`, beside `examples`.
fn example(name: &str) -> Command {
    let mut path = env::current_exe().expect("a test knows its path");
    path.pop();
    path.pop();
    path.push("examples");
    path.push(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is missing; `cargo build --examples` makes it", path.display());
    let mut command = Command::new(path);
    command
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    Ran {
        status: output.status.code().expect("no signal ended it"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

fn run(name: &str, args: &[&str]) -> Ran {
    finish(example(name).args(args).spawn().expect("the program starts"))
}

/// Runs `rollout` on the trace.
fn rollout(args: &[&str]) -> Ran {
    run("rollout", &[args, &[TRACE_FILE]].concat())
}

/// Runs `rollout` with `-` and these bytes on standard input.
fn rollout_of(input: impl AsRef<[u8]>, args: &[&str]) -> Ran {
    let mut child = example("rollout").args(args).arg("-").spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    let input = input.as_ref();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).expect("the program reads it all"));
        finish(child)
    })
}

/// A file with these bytes, under a name no other test uses.
fn file(name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, bytes).expect("the directory for tests can be written");
    path
}

/// What one device last said, in the order in which events replace each other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Last {
    instant: Timestamp,
    finality: usize,
    offset: i32,
    user: Option<String>,
    /// The date-time as the program is to write it.
    date_time: String,
}

/// Least final first.
const FINALITY: [&str; 6] =
    ["unknown", "pending", "notApplicable", "success", "fail", "scriptError"];

/// Least severe first; the names of their counters stand beside.
const STATES: [(&str, &str); 6] = [
    ("notApplicable", "notApplicable"),
    ("success", "successful"),
    ("unknown", "unknown"),
    ("pending", "pending"),
    ("fail", "failed"),
    ("scriptError", "error"),
];

/// The three kinds of documents, counted the long way.
#[derive(Debug, PartialEq)]
struct Recount {
    summary: Value,
    users: Vec<Value>,
    devices: Vec<Value>,
}

/// The questions that have a time in them.
#[derive(Clone, Copy, Default)]
struct Asked<'a> {
    run_from: Option<&'a str>,
    /// The time now, and the hours after which a pending device is overdue.
    overdue: Option<(&'a str, i64)>,
}

impl Last {
    /// The state it counts in, by its place among the severities.
    fn severity(&self, asked: Asked) -> usize {
        let run_from = asked.run_from.map(|at| at.parse::<Timestamp>().expect("a date-time"));
        let counts_anew = run_from.is_some_and(|run_from| self.instant < run_from);
        let state = if counts_anew { "pending" } else { FINALITY[self.finality] };
        STATES.iter().position(|&(name, _)| name == state).expect("a run state")
    }

    fn is_overdue(&self, asked: Asked) -> bool {
        let Some((now, hours)) = asked.overdue else { return false };
        let now: Timestamp = now.parse().expect("a date-time");
        let age = now.duration_since(self.instant);
        STATES[self.severity(asked)].0 == "pending" && age >= SignedDuration::from_hours(hours)
    }
}

impl Recount {
    fn of(lines: &str) -> Self {
        Self::asked(lines, Asked::default()).0
    }

    /// And how many devices and users are overdue.
    fn asked(lines: &str, asked: Asked) -> (Self, [usize; 2]) {
        let mut rows: BTreeMap<String, Last> = BTreeMap::new();
        let mut last_run = None;
        for line in lines.lines() {
            let report: Value = serde_json::from_str(line).expect("every line is JSON");
            let text = |name: &str| report[name].as_str();
            let date_time = text("lastStateUpdateDateTime").expect("has a time");
            let last = Last {
                instant: date_time.parse().expect("a date-time"),
                offset: Pieces::parse(date_time)
                    .expect("a date-time")
                    .to_numeric_offset()
                    .expect("an offset")
                    .seconds(),
                finality: FINALITY
                    .iter()
                    .position(|&state| Some(state) == text("configurationState"))
                    .expect("a run state"),
                user: text("upn").filter(|upn| !upn.is_empty()).map(str::to_ascii_lowercase),
                date_time: shortest(date_time),
            };
            last_run = last_run.max(Some(last.instant));
            let device = text("id").expect("has an id").to_ascii_lowercase();
            let row = rows.entry(device).or_insert_with(|| last.clone());
            *row = last.max(row.clone());
        }

        let mut users: BTreeMap<&str, Vec<&Last>> = BTreeMap::new();
        for last in rows.values() {
            if let Some(user) = &last.user {
                users.entry(user).or_default().push(last);
            }
        }
        let worst = |lasts: &Vec<&Last>| lasts.iter().map(|last| last.severity(asked)).max();
        let late_devices = rows.values().filter(|last| last.is_overdue(asked)).count();
        let late_users = users.values().filter(|lasts| {
            worst(lasts).is_some_and(|worst| STATES[worst].0 == "pending")
                && lasts.iter().any(|last| last.is_overdue(asked))
        });
        let late = [late_devices, late_users.count()];

        let mut summary = json!({
            "@odata.type": "#microsoft.graph.hardwareConfigurationRunSummary",
            "lastRunDateTime": last_run.map(|last_run| last_run.to_string()),
        });
        for (severity, (_, counter)) in STATES.into_iter().enumerate() {
            summary[format!("{counter}DeviceCount")] =
                rows.values().filter(|last| last.severity(asked) == severity).count().into();
            summary[format!("{counter}UserCount")] =
                users.values().filter(|lasts| worst(lasts) == Some(severity)).count().into();
        }
        let users = users.iter().map(|(upn, lasts)| {
            let mut user = json!({
                "@odata.type": "#microsoft.graph.hardwareConfigurationUserState",
                "upn": upn,
                "userEmail": null,
                "userName": null,
                "lastStateUpdateDateTime": lasts
                    .iter()
                    .max_by_key(|last| (last.instant, last.offset))
                    .map(|last| &last.date_time),
            });
            for (severity, (_, counter)) in STATES.into_iter().enumerate() {
                user[format!("{counter}DeviceCount")] =
                    lasts.iter().filter(|last| last.severity(asked) == severity).count().into();
            }
            user
        });
        let devices = rows.iter().map(|(device, last)| {
            json!({
                "@odata.type": "#microsoft.graph.hardwareConfigurationDeviceState",
                "id": device,
                "upn": last.user,
                "lastStateUpdateDateTime": last.date_time,
                "configurationState": STATES[last.severity(asked)].0,
            })
        });
        let recount = Self { summary, users: users.collect(), devices: devices.collect() };
        (recount, late)
    }

    /// What the program wrote with `--users --devices`. Ids that it derives are taken out, after a
    /// look that they are there and differ.
    fn written(out: &str) -> Self {
        let mut ids = BTreeSet::new();
        let mut take_id = |mut value: Value| {
            let id = value.as_object_mut().and_then(|object| object.remove("id"));
            let id = id.as_ref().and_then(Value::as_str).expect("has an id").to_owned();
            assert!(ids.insert(id), "no two resources share an id");
            value
        };
        let mut lines = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let summary = take_id(lines.next().expect("the summary comes first")["value"].take());
        let (users, devices) = lines.partition(|line| line.get("userName").is_some());
        let users: Vec<_> = users;
        Self { summary, users: users.into_iter().map(take_id).collect(), devices }
    }
}

/// Without the fraction's last zeros, and `Z` for no offset.
fn shortest(date_time: &str) -> String {
    let (time, offset) = match date_time.strip_suffix('Z') {
        Some(time) => (time, "Z"),
        None => date_time.split_at(date_time.len() - "+00:00".len()),
    };
    let time =
        if time.contains('.') { time.trim_end_matches('0').trim_end_matches('.') } else { time };
    format!("{time}{}", if offset == "+00:00" { "Z" } else { offset })
}

fn shuffled_and_repeated(lines: &str, seed: u64) -> String {
    let mut rng = Rng::with_seed(seed);
    let mut lines: Vec<_> = lines.lines().flat_map(|line| vec![line; rng.usize(1..4)]).collect();
    rng.shuffle(&mut lines);
    lines.join("\n")
}

#[test]
fn the_bundled_trace_is_taken_whole() {
    let ran = run("rollout", &[]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert_eq!(ran.out.lines().count(), 1);
    assert!(ran.out.starts_with(r##"{"value":{"@odata.type":"#microsoft.graph.hardwareConfig"##));
    assert!(ran.err.contains(" 0 refused"), "{}", ran.err);
    assert_eq!(ran.out, rollout_of(BUNDLED, &[]).out);
}

#[test]
fn every_count_and_row_equals_a_naive_recount() {
    let ran = rollout(&["--users", "--devices"]);
    assert_eq!(Recount::written(&ran.out), Recount::of(TRACE));
    let ran = run("rollout", &["--users", "--devices"]);
    assert_eq!(Recount::written(&ran.out), Recount::of(BUNDLED));

    for (seed, devices, users) in [("2", "300", "40"), ("3", "40", "300"), ("4", "7", "2")] {
        let trace = run(
            "trace",
            &["--seed", seed, "--devices", devices, "--users", users, "--lines", "3000"],
        )
        .out;
        assert_eq!(trace.lines().count(), 3000);
        let ran = rollout_of(&trace, &["--users", "--devices"]);
        assert_eq!(ran.status, 0, "{}", ran.err);
        assert_eq!(Recount::written(&ran.out), Recount::of(&trace), "seed {seed}");
    }
}

/// The same lines posted one by one to a store, and the summary got from there.
#[test]
fn what_is_written_is_what_requests_are_answered_with() {
    let root = format!("/deviceManagement/hardwareConfigurations/{CONFIGURATION}");
    let settings = Settings { read_tokens: &["r"], write_tokens: &["w"], ..Settings::default() };
    let mut store: Box<Store<1, 0, 2_000, 600>> = Box::new(Store::new());
    store.insert(RolloutId::configuration(CONFIGURATION)).expect("there is room for one");
    let mut buffer = vec![0; 1 << 16];
    for line in TRACE.lines() {
        let post = Request {
            method: "POST",
            path: &format!("{root}/deviceRunStates"),
            authorization: Some("Bearer w"),
            content_type: Some("application/json"),
            body: line.as_bytes(),
            ..Request::default()
        };
        assert_eq!(store.handle(&post, &settings, &mut buffer).status, 201, "{line}");
    }
    let mut get = |path: &str| {
        let path = &format!("{root}/{path}");
        let get =
            Request { method: "GET", path, authorization: Some("Bearer r"), ..Request::default() };
        let response = store.handle(&get, &settings, &mut buffer);
        assert_eq!(response.status, 200, "{path}");
        String::from_utf8(response.body.to_vec()).expect("JSON is UTF-8")
    };

    let written = rollout(&["--users"]).out;
    let mut lines = written.lines();
    assert_eq!(lines.next(), Some(get("runSummary").as_str()));
    for line in lines {
        let user: Value = serde_json::from_str(line).expect("JSON");
        let id = user["id"].as_str().expect("has an id");
        assert_eq!(line, get(&format!("userRunStates/{id}")));
    }
}

#[test]
fn users_come_in_the_order_of_their_upn_and_devices_in_that_of_their_id() {
    let both = rollout(&["--users", "--devices"]).out;
    let users = rollout(&["--users"]).out;
    let devices = rollout(&["--devices"]).out;
    let summary = rollout(&[]).out;
    assert_eq!(both, format!("{users}{}", devices.strip_prefix(&summary).unwrap()));

    let keys = |lines: &str, key: &str| -> Vec<String> {
        let value =
            |line| serde_json::from_str::<Value>(line).unwrap()[key].as_str().unwrap().to_owned();
        lines.lines().skip(1).map(value).collect()
    };
    assert!(keys(&users, "upn").is_sorted());
    assert!(keys(&devices, "id").is_sorted());
}

#[test]
fn any_order_and_repetition_of_the_lines_gives_the_same_bytes() {
    let expected = rollout(&["--users", "--devices"]).out;
    for seed in 0..3 {
        let ran = rollout_of(shuffled_and_repeated(TRACE, seed), &["--users", "--devices"]);
        assert_eq!(ran.status, 0, "{}", ran.err);
        assert!(ran.out == expected, "seed {seed}");
    }
}

#[test]
fn events_of_one_instant_are_ordered_by_finality_then_offset_then_user() {
    // Each device says everything it can at one instant, on one clock or on two.
    let clocks: [&[&str]; 3] = [
        &["09:30:00Z", "09:30:00+00:00", "09:30:00-00:00"],
        &["09:30:00Z", "10:30:00+01:00"],
        &["08:30:00-01:00", "09:30:00Z"],
    ];
    let mut lines = String::new();
    for (device, clock) in (0..).zip(clocks) {
        for time in clock {
            for (state, _) in STATES {
                for upn in [json!("Ada"), json!("bo"), json!("BO"), json!(null), json!("")] {
                    let line = json!({
                        "id": format!("74b9fcd8-fcd8-74b9-d8fc-b974d8fcb97{device}"),
                        "upn": upn,
                        "configurationState": state,
                        "lastStateUpdateDateTime": format!("2026-11-21T{time}"),
                    });
                    lines += &line.to_string();
                    lines += "\n";
                }
            }
        }
    }
    let recount = Recount::of(&lines.replace("-00:00", "+00:00"));
    assert_eq!(recount.summary["errorDeviceCount"], 3);
    for seed in 0..20 {
        let ran = rollout_of(shuffled_and_repeated(&lines, seed), &["--users", "--devices"]);
        assert_eq!(ran.status, 0, "{}", ran.err);
        assert_eq!(Recount::written(&ran.out), recount, "seed {seed}");
    }
}

/// Reports as agents send them that stamp whole seconds: many of one device at one instant, written
/// in the zone the device is in just then.
#[test]
fn thousands_of_reports_at_few_instants_in_many_zones_count_as_the_recount_says() {
    const ZONES: [(i64, &str); 8] = [
        (0, "Z"),
        (0, "+00:00"),
        (60, "+01:00"),
        (-300, "-05:00"),
        (330, "+05:30"),
        (345, "+05:45"),
        (-210, "-03:30"),
        (840, "+14:00"),
    ];
    for seed in 0..4 {
        let mut rng = Rng::with_seed(seed);
        let mut lines = String::new();
        for _ in 0..8_000 {
            let (minutes, zone) = ZONES[rng.usize(..ZONES.len())];
            // 2026-11-21T09:30:00Z and the seconds after.
            let local = 1_795_253_400 + rng.i64(0..3) + 60 * minutes;
            let local = Timestamp::from_second(local).expect("in range").to_string();
            let upn = ["Ada", "ADA", "bo", "Cy", ""][rng.usize(..5)];
            let line = json!({
                "id": Uuid::from_u128(rng.u128(0..300)).to_string(),
                "upn": upn,
                "configurationState": FINALITY[rng.usize(..6)],
                "lastStateUpdateDateTime": format!("{}{zone}", local.trim_end_matches('Z')),
            });
            lines += &line.to_string();
            lines += "\n";
        }
        let recount = Recount::of(&lines);
        for order in 0..3 {
            let ran = rollout_of(shuffled_and_repeated(&lines, order), &["--users", "--devices"]);
            assert_eq!(ran.status, 0, "{}", ran.err);
            assert_eq!(Recount::written(&ran.out), recount, "seed {seed}, order {order}");
        }
    }
}

#[test]
fn overdue_and_run_from_count_as_the_recount_says() {
    let all = ["--users", "--devices", "--quiet"];
    for run_from in [None, Some("2026-11-09T00:00:00+01:00"), Some("2027-01-01T00:00Z")] {
        for overdue in [None, Some(("2026-11-16T06:00:00Z", 24)), Some(("2026-11-12T00:00Z", 0))] {
            let mut args = all.to_vec();
            args.extend(run_from.into_iter().flat_map(|at| ["--run-from", at]));
            let limit = overdue.map(|(_, hours)| format!("{hours}h"));
            if let (Some((now, _)), Some(limit)) = (overdue, &limit) {
                args.extend(["--overdue", limit, "--now", now]);
            }
            let asked = Asked { run_from, overdue };
            let (recount, [devices, users]) = Recount::asked(TRACE, asked);
            let ran = rollout(&args);
            assert_eq!((ran.status, ran.err.as_str()), (0, ""));
            assert_eq!(Recount::written(&ran.out), recount);
            let first: Value = serde_json::from_str(ran.out.lines().next().unwrap()).unwrap();
            if overdue.is_some() {
                assert!(devices > 0 && users > 0, "the trace has overdue devices");
                assert_eq!(first["overdueDeviceCount"], devices);
                assert_eq!(first["overdueUserCount"], users);
            } else {
                assert_eq!(first.as_object().map(serde_json::Map::len), Some(1));
            }
        }
    }
}

#[test]
fn overdue_is_measured_from_the_clock_unless_now_is_given() {
    let pending = |at: Timestamp| {
        json!({
            "id": Uuid::nil().to_string(),
            "configurationState": "pending",
            "lastStateUpdateDateTime": at.to_string(),
        })
        .to_string()
    };
    let now = Timestamp::now();
    for (age, overdue) in [(25, 1), (23, 0), (-1, 0)] {
        let line = pending(now - SignedDuration::from_hours(age));
        let ran = rollout_of(line, &["--quiet", "--overdue", "1d"]);
        let body: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(body["overdueDeviceCount"], overdue, "{age} hours");
    }
}

#[test]
fn a_gate_that_is_reached_is_status_3() {
    let line = |device: u128, state: &str| {
        let id = Uuid::from_u128(device);
        format!(
            r#"{{"id":"{id}","configurationState":"{state}","lastStateUpdateDateTime":"2026-11-21T09:30Z"}}"#
        ) + "\n"
    };
    // 40 ran it, 2 of them failed: 5 %. The others have not run it.
    let mut input = line(1, "fail") + &line(2, "scriptError");
    input.extend((3..=40).map(|device| line(device, "success")));
    input.extend((41..=90).map(|device| line(device, "pending")));
    input.extend((91..=99).map(|device| line(device, "notApplicable")));
    for (gate, status, verdict) in [
        ("failed=5%", 3, "reached"),
        ("failed=5.00%,min=40", 3, "reached"),
        ("min=40,failed=5%", 3, "reached"),
        ("failed=5.01%", 0, "below"),
        ("failed=100%", 0, "below"),
        ("failed=0.01%,min=41", 0, "tooFew"),
    ] {
        let ran = rollout_of(&input, &["--quiet", "--gate", gate]);
        assert_eq!((ran.status, ran.err.as_str()), (status, ""), "{gate}");
        let body: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(body["gate"], verdict, "{gate}");
        // A refused document does not hide it.
        let refused = format!("{input}nonsense");
        let expected = if status == 3 { 3 } else { 1 };
        assert_eq!(rollout_of(&refused, &["--gate", gate]).status, expected, "{gate}");
    }
    assert_eq!(rollout_of("", &["--quiet", "--gate", "failed=0.01%"]).status, 0);
}

#[test]
fn the_picture_shows_what_was_asked() {
    let mut args = vec!["--run-from", "2026-11-08T00:00Z", "--overdue", "1d 12h"];
    args.extend(["--now", "2026-11-16T06:00Z", "--gate", "failed=5%,min=50"]);
    let ran = rollout(&args);
    assert_eq!(ran.status, 3, "{}", ran.err);
    for line in [
        "\nrun from 2026-11-08T00:00:00Z: 454 devices count as pending, having reported before\n",
        "\noverdue: pending for 36h or longer at 2026-11-16T06:00:00Z\n",
        "\ngate: 119 of 1,230 failed, 9.67 %; 5.00 % is reached: stop\n",
    ] {
        assert!(ran.err.contains(line), "{line}{}", ran.err);
    }
    let overdue = ran.err.lines().filter(|line| line.starts_with("     └ overdue  "));
    assert_eq!(overdue.count(), 2);
    for (gate, words) in [
        ("failed=99%", "gate: 149 of 1,660 failed, 8.97 %; below 99.00 %\n"),
        (
            "failed=5%,min=5000",
            "gate: 149 of 1,660 failed, 8.97 %; too few for a verdict, which takes 5,000\n",
        ),
    ] {
        let ran = rollout(&["--gate", gate]);
        assert!(ran.err.contains(words), "{}", ran.err);
    }
}

/// The same documents as a Graph client stores them.
#[test]
fn arrays_pages_and_several_files_count_as_their_lines_do() {
    let expected = rollout(&["--users", "--devices"]).out;
    let lines: Vec<_> = TRACE.lines().collect();
    let documents: Vec<Value> =
        lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let page = |documents: &[Value], next: Option<&str>| {
        let mut page =
            json!({ "@odata.context": "$metadata#devices(\"value\":[)", "value": documents });
        if let Some(next) = next {
            page["@odata.nextLink"] = next.into();
        }
        page
    };
    let (first, second) = documents.split_at(documents.len() / 3);
    let (next, whole) = (page(first, Some("https://x/2")), page(&documents, None));
    let last = page(second, None);
    let array = lines.join(",\n");
    for (name, input) in [
        ("array", format!("[{array}]")),
        ("array, spaced", format!("\r\n [\t{array}\n]\n\n")),
        ("array, pretty", serde_json::to_string_pretty(&documents).unwrap()),
        ("page", whole.to_string()),
        ("page, pretty", format!("{whole:#}\r\n")),
        ("page, its value first", format!(r#"{{"value":[{array}],"a":{{"b":["}}"]}}}}"#)),
        ("two pages", format!("{next}{last}")),
        ("two pages, pretty", format!("{next:#}\n{last:#}\n")),
        ("an array, then lines", format!("[{}]\n{}", lines[0], lines[1..].join("\n"))),
        ("no array, then lines", format!("[]\n[ ]{TRACE}")),
    ] {
        for mark in ["", "\u{feff}"] {
            let ran = rollout_of(format!("{mark}{input}"), &["--users", "--devices"]);
            assert_eq!(ran.status, 0, "{name}: {}", ran.err);
            assert!(ran.out == expected, "{name}");
            assert!(!ran.err.contains("the list goes on"), "{name}: {}", ran.err);
        }
    }

    let half = lines.len() / 2;
    let files = [
        file("several-1.jsonl", lines[..half].join("\n")),
        file("several-2.json", format!("\u{feff}[{}]", lines[half..].join(","))),
        file("several-3.json", next.to_string()),
    ];
    let mut args = vec!["--users", "--devices"];
    args.extend(files.iter().map(|file| file.to_str().expect("UTF-8")));
    let ran = rollout_of(last.to_string(), &args);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!(ran.out == expected);
}

#[test]
fn utf_16_is_refused_by_name() {
    for mark in [[0xff, 0xfe], [0xfe, 0xff]] {
        let ran = rollout_of([&mark[..], b"{\0}\0"].concat(), &[]);
        assert_eq!((ran.status, ran.out.as_str()), (2, ""));
        assert_eq!(ran.err, "rollout: cannot read -: the text is UTF-16; convert it to UTF-8\n");
    }
}

#[test]
fn compressed_files_are_refused_by_name() {
    for magic in [&b"\x1f\x8b\x08"[..], b"\x28\xb5\x2f\xfd"] {
        let ran = rollout_of([magic, b"\n\n"].concat(), &[]);
        assert_eq!((ran.status, ran.out.as_str()), (2, ""));
        let said =
            "rollout: cannot read -: the file is compressed; unpack it, and pipe it in as -\n";
        assert_eq!(ran.err, said);
    }
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_start_of_a_file_only() {
    let lines: Vec<_> = TRACE.lines().take(2).collect();
    let marked = format!("\u{feff}{}\n\u{feff}{}\n", lines[0], lines[1]);
    let ran = rollout_of(&marked, &["--quiet"]);
    assert_eq!(
        (ran.status, ran.err.as_str()),
        (1, "-:2: byte 0: a byte order mark before the value\n")
    );
    for nothing in ["", "\u{feff}", "\u{feff}\n"] {
        assert_eq!(rollout_of(nothing, &["--quiet"]).status, 0);
    }
}

#[test]
fn a_refused_line_is_named_and_changes_nothing() {
    const ID: &str = r#""id":"74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974""#;
    const AT: &str = r#""lastStateUpdateDateTime":"2026-11-21T09:30:00Z""#;
    const STATE: &str = r#""configurationState":"fail""#;
    let long_upn = format!(r#""upn":"{}""#, "u".repeat(146));
    let object = |properties: &[&str]| format!("{{{}}}", properties.join(",")).into_bytes();
    let lines: [(Vec<u8>, &str); 12] = [
        (vec![b'x'; 3 * LONGEST_LINE], "longer than 1048576 bytes"),
        (b"{".to_vec(), "ends before"),
        (b"\x0c".to_vec(), "expected an object"),
        (b"nonsense".to_vec(), "expected an object"),
        (b"[]".to_vec(), "expected an object"),
        (b"{\"id\":\"\xff\"}".to_vec(), "UTF-8"),
        (object(&[ID, AT]), "configurationState is missing"),
        (object(&[AT, STATE]), "id is missing"),
        (object(&[ID, STATE]), "lastStateUpdateDateTime is missing"),
        (object(&[ID, ID, AT, STATE]), "id at byte "),
        (object(&[ID, AT, STATE, r#""upn":"\ud83d""#]), "upn at byte "),
        (object(&[ID, AT, STATE, &long_upn]), "longer than 145 bytes"),
    ];

    let mut input = Vec::new();
    let mut bad = Vec::new();
    for (index, good) in TRACE.lines().enumerate() {
        if let Some((line, reason)) = lines.get(index) {
            input.extend([line, b"\n".as_slice()].concat());
            bad.push((2 * index + 1, *reason));
        }
        input.extend([good.as_bytes(), b"\n"].concat());
    }

    let path = file("refused.jsonl", &input);
    let path = path.to_str().expect("the target directory is UTF-8");
    let expected = rollout(&["--users", "--devices"]).out;
    let ran = run("rollout", &["--users", "--devices", "--quiet", path]);
    assert_eq!(ran.status, 1);
    assert!(ran.out == expected, "the refused lines changed something");
    let reports: Vec<_> = ran.err.lines().collect();
    assert_eq!(reports.len(), bad.len(), "{}", ran.err);
    for (report, (number, reason)) in reports.iter().zip(bad) {
        let rest = report.strip_prefix(&format!("{path}:{number}: "));
        assert!(rest.is_some_and(|rest| rest.contains(reason)), "{report}");
    }
    assert!(run("rollout", &[path]).err.contains(" 12 refused"));
}

#[test]
fn the_longest_line_that_is_documented_is_taken() {
    let line = TRACE.lines().next().expect("the trace is not empty");
    let longest = format!("{line}{}", " ".repeat(LONGEST_LINE - line.len()));
    for end in ["", "\n"] {
        assert_eq!(rollout_of(format!("{longest}{end}"), &[]).status, 0);
        assert_eq!(rollout_of(format!("{longest} {end}"), &[]).status, 1);
    }
}

#[test]
fn blank_lines_and_either_line_end_change_nothing() {
    let expected = rollout(&["--users"]).out;
    for input in [
        TRACE.replace('\n', "\r\n"),
        TRACE.replace('\n', "\n\n \t\r\n"),
        TRACE.trim_end().to_owned(),
        format!("\n\r\n{TRACE}   "),
    ] {
        let ran = rollout_of(&input, &["--users"]);
        assert_eq!(ran.status, 0, "{}", ran.err);
        assert!(ran.out == expected);
    }
}

#[test]
fn nothing_counts_as_nothing() {
    let ran = rollout_of("\n", &["--users", "--devices"]);
    assert_eq!(ran.status, 0);
    assert_eq!(Recount::written(&ran.out), Recount::of(""));
}

#[test]
fn standard_input_is_named_by_a_dash() {
    assert_eq!(rollout_of("\n\n{}\n", &["--quiet"]).err, "-:3: id is missing\n");
}

#[test]
fn the_readme_shows_what_the_program_draws() {
    let readme = include_str!("../README.md");
    let command = "rollout -- --overdue 7d --now 2026-11-16T06:00Z --gate failed=5%,min=50\n";
    assert!(readme.contains(command));
    let args: Vec<_> = command.split_whitespace().skip(2).collect();
    let drawn = run("rollout", &args).err;
    // All but the speed, which is another one every time.
    let (picture, speed) = drawn.rsplit_once("; ").expect("the last line has the speed");
    assert!(speed.ends_with(" reports/s\n"), "{speed}");
    let (_, shown) = readme.split_once(&format!("```text{picture}; ")).expect(picture);
    let (speed, rest) = shown.split_once(" reports/s\n").expect("a speed");
    assert!(speed.bytes().all(|byte| byte.is_ascii_digit() || byte == b','), "{speed}");
    assert!(rest.starts_with("```\n"), "nothing but what is drawn: {rest}");
}

#[test]
fn quiet_leaves_standard_error_to_what_is_refused() {
    let ran = rollout(&["--quiet"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, rollout(&[]).out);
}

#[test]
fn the_figures_are_for_people_and_plain_where_nobody_looks() {
    let err = rollout(&[]).err;
    assert!(!err.contains('\x1b') && !err.contains('\r'), "{err:?}");
    assert!(err.contains("devices") && err.contains("users") && err.contains("reports/s"));
    for label in ["successful", "pending", "failed", "error", "unknown", "not applicable"] {
        assert_eq!(err.lines().filter(|line| line.trim_start().starts_with(label)).count(), 2);
    }
    let widths: BTreeSet<_> =
        err.lines().filter(|line| line.ends_with(" %")).map(|line| line.chars().count()).collect();
    assert_eq!(widths.len(), 1, "the numbers stand below each other");
}

#[test]
fn what_cannot_be_read_is_status_2_and_says_which_and_why() {
    let missing = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-such-file.jsonl");
    let missing = missing.to_str().expect("the target directory is UTF-8");
    let ran = run("rollout", &[missing]);
    assert_eq!((ran.status, ran.out.as_str()), (2, ""));
    assert!(ran.err.starts_with(&format!("rollout: cannot read {missing}: ")), "{}", ran.err);

    let ran = run("rollout", &[env!("CARGO_TARGET_TMPDIR")]);
    assert_eq!((ran.status, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains(env!("CARGO_TARGET_TMPDIR")), "{}", ran.err);
}

#[test]
fn wrong_arguments_are_status_2_and_help_is_status_0() {
    for wrong in [
        &["--loud"][..],
        &["-", "-"],
        &["--users=yes"],
        &["-x"],
        &["--run-from"],
        &["--run-from", "yesterday"],
        &["--run-from", "2026-11-21"],
        &["--overdue", "3"],
        &["--overdue", "-3d"],
        &["--overdue", "2 months"],
        &["--overdue", "3d", "--now", "9:30"],
        &["--now", "2026-11-21T09:30Z"],
        &["--gate", "5%"],
        &["--gate", "failed=5"],
        &["--gate", "failed=0%"],
        &["--gate", "failed=101%"],
        &["--gate", "failed=0.005%"],
        &["--gate", "failed=+5%"],
        &["--gate", "min=50"],
        &["--gate", "failed=5%,min=-1"],
        &["--gate", "failed=5%,most=50"],
    ] {
        let ran = run("rollout", wrong);
        assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{wrong:?}");
        assert!(ran.err.starts_with("rollout: "), "{}", ran.err);
        assert!(ran.err.ends_with("; --help lists the options\n"), "{}", ran.err);
    }
    for wrong in [&["--devices", "65535"][..], &["--users", "0"], &["--lines"], &["here"]] {
        assert_eq!(run("trace", wrong).status, 2, "{wrong:?}");
    }
    for name in ["rollout", "trace"] {
        let ran = run(name, &["--help"]);
        assert_eq!((ran.status, ran.err.as_str()), (0, ""));
        assert!(ran.out.contains(&format!("Usage: {name} ")));
        assert!(ran.out.lines().all(|line| line.chars().count() <= 100));
    }
}

#[test]
fn a_gate_that_is_wrong_is_told_what_is_wrong() {
    let share = "failed goes from 0.01% to 100%, with up to two decimals";
    let minimum = "min is a whole number up to 4294967295";
    for (gate, reason) in [
        ("failed=0%", share),
        ("failed=0.00%", share),
        ("failed=100.01%", share),
        ("failed=0.001%", share),
        // In hundredths, this is 2^32 and 3.
        ("failed=42949672.99%", share),
        ("failed=99999999999%", share),
        ("failed=5", share),
        ("failed=5%,min=4294967296", minimum),
        ("failed=5%,min=-1", minimum),
        ("failed=5%,min=+1", minimum),
        ("failed=5%,min=", minimum),
        ("failed=5%,failed=6%", "failed is given twice"),
        ("failed=5%,min=1,min=2", "min is given twice"),
        ("min=1", "expected failed=PERCENT%[,min=DEVICES], such as failed=5%,min=50"),
        ("5%", "expected failed=PERCENT%[,min=DEVICES], such as failed=5%,min=50"),
    ] {
        let ran = run("rollout", &["--gate", gate]);
        assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{gate}");
        assert!(ran.err.contains(&format!(": {reason}; --help")), "{gate}: {}", ran.err);
    }
    for gate in ["failed=0.01%", "failed=100%", "failed=100.00%,min=4294967295", "min=0,failed=5%"]
    {
        assert_ne!(run("rollout", &["--quiet", "--gate", gate]).status, 2, "{gate}");
    }
}

#[test]
fn a_reader_who_leaves_early_is_no_error() {
    for (name, args) in [("rollout", &["--users", "--devices", "--quiet"][..]), ("trace", &[])] {
        let mut child = example(name).args(args).spawn().expect("the program starts");
        drop(child.stdout.take());
        let ran = finish(child);
        assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{name}");
    }
}

#[test]
fn a_full_table_refuses_new_devices_and_users_and_no_others() {
    let line = |device: u32, user: u32, state: &str, minute: u32| {
        format!(
            r#"{{"id":"00000000-0000-0000-0000-{device:012x}","upn":"u{user}","configurationState":"{state}","lastStateUpdateDateTime":"2026-11-21T09:{minute:02}Z"}}"#
        ) + "\n"
    };
    let mut input: String =
        (0..65_534).map(|device| line(device, device % 16_384, "pending", 0)).collect();
    input += &line(70_000, 0, "fail", 1);
    input += &line(0, 20_000, "fail", 2);
    input += &line(0, 0, "success", 3);
    let ran = rollout_of(&input, &["--quiet"]);
    assert_eq!(ran.status, 1);
    let reports: Vec<_> = ran.err.lines().collect();
    assert_eq!(reports.len(), 2, "{}", ran.err);
    assert!(reports[0].starts_with("-:65535: ") && reports[0].contains("device"), "{}", reports[0]);
    assert!(reports[1].starts_with("-:65536: ") && reports[1].contains("user"), "{}", reports[1]);
    let body: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(body["value"]["pendingDeviceCount"], 65_533);
    assert_eq!(body["value"]["successfulDeviceCount"], 1);
    assert_eq!(body["value"]["failedDeviceCount"], 0);
    assert_eq!(body["value"]["pendingUserCount"], 16_384);
}

#[test]
fn the_traces_are_what_the_generator_writes() {
    for (trace, file, args) in [
        (TRACE, "rollout.jsonl", &[][..]),
        (BUNDLED, "small.jsonl", &["--devices", "100", "--users", "30"]),
    ] {
        let ran = run("trace", args);
        assert_eq!((ran.status, ran.err.as_str()), (0, ""));
        let arguments = args.join(" ");
        assert!(
            ran.out == trace,
            "regenerate it: cargo run --release --example trace -- {arguments} > examples/data/{file}"
        );
    }
}

#[test]
fn a_seed_is_a_trace() {
    let trace =
        |seed, lines| run("trace", &["--devices", "50", "--seed", seed, "--lines", lines]).out;
    let thousand = trace("9", "1000");
    assert_eq!(thousand.lines().count(), 1000);
    assert!(thousand.starts_with(&trace("9", "10")));
    assert_ne!(thousand, trace("10", "1000"));
}

#[test]
fn the_trace_holds_what_clients_really_do() {
    for trait_ in [
        "+05:30\"",
        "+05:45\"",
        "-08:00\"",
        "Z\"",
        "+00:00\"",
        r#""upn":null"#,
        r#""upn":"""#,
        r#""upn": null"#,
        r"\ud83d\udd12",
        r"\uD83D\uDD12",
        "🔒",
        "東京",
        r"\u0027",
        r#"{"@odata.type""#,
        r#"{"configurationOutput""#,
        r#"{"configurationState": ""#,
    ] {
        assert!(TRACE.contains(trait_), "{trait_}");
    }
    let (mut digits, mut spellings) = (BTreeSet::new(), BTreeMap::<_, BTreeSet<_>>::new());
    let mut owners = BTreeMap::<_, BTreeSet<_>>::new();
    for line in TRACE.lines() {
        let report: Value = serde_json::from_str(line).unwrap();
        let date_time = report["lastStateUpdateDateTime"].as_str().unwrap();
        let fraction = date_time[19..].trim_end_matches(|c: char| c != '.' && !c.is_ascii_digit());
        let fraction = fraction.split(['Z', '+', '-']).next().unwrap();
        digits.insert(fraction.trim_start_matches('.').len());
        let upn = report["upn"].as_str().unwrap_or_default();
        spellings.entry(upn.to_ascii_lowercase()).or_default().insert(upn.to_owned());
        let device = report["id"].as_str().unwrap().to_ascii_lowercase();
        owners.entry(device).or_default().insert(upn.to_ascii_lowercase());
    }
    assert_eq!(digits, (0..=7).collect());
    assert!(spellings.values().any(|spellings| spellings.len() >= 3));
    assert!(owners.values().filter(|owners| owners.len() > 1).count() > 50);
    assert_eq!(owners.len(), 2_000);
    let err = rollout(&[]).err;
    assert!(!err.contains(" 0 duplicate") && !err.contains(" 0 stale"), "{err}");
}
