//! The command with `--journal`: what it has acknowledged is there after it was killed.

mod wire;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};
use wire::{Answer, Connection, request};

const CONFIGURATION: &str = "4a1e0c52-6f0b-4d6e-8f43-0f1d4c7b9a10";
const SCRIPT: &str = "7d4b3f85-9c3e-4a9b-9c76-3c4a7fae0d43";

/// A file for a journal, gone when the test ends.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.journal"));
        let _ = fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn command(place: &Place, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runtally-service"));
    command.args(["--listen", "127.0.0.1:0", "--bare", "--log", "off", "--journal"]);
    command.arg(&place.0).args(args);
    command.env("RUNTALLY_READ_TOKEN", "reading-token").env("RUNTALLY_WRITE_TOKEN", "writing-token");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

struct Service {
    child: Child,
    to: SocketAddr,
}

impl Service {
    fn start(place: &Place, args: &[&str]) -> Self {
        let mut child = command(place, args).spawn().expect("it starts");
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut first).expect("text");
        let Some(address) = first.trim_end().strip_prefix("listening on http://") else {
            let mut said = String::new();
            child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
            panic!("{said}");
        };
        let to = address.parse().expect("an address");
        Self { child, to }
    }

    /// Ends it with a signal; gives what it said on standard error.
    fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let kill = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
        let status = self.child.wait().expect("it ends");
        let mut said = String::new();
        self.child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
        (status.code(), said)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        ask(&mut Connection::new(self.to), method, path, body).expect("an answer")
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, &Value::Null);
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// Every row of a list, whatever pages it comes in.
    fn rows(&self, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let page = self.get(&path);
            rows.extend(page["value"].as_array().expect("a list").iter().cloned());
            next = page["@odata.nextLink"].as_str().map(|link| {
                let at = link.find("/deviceManagement").expect("a path");
                link[at..].to_owned()
            });
        }
        rows
    }

    /// Everything there is to read of a roll-out.
    fn all(&self, of: &str) -> Vec<Value> {
        let mut all = vec![self.get(&format!("{of}/runSummary"))];
        for list in ["deviceRunStates", "userRunStates"] {
            let mut rows = self.rows(&format!("{of}/{list}"));
            rows.sort_by_key(|row| row["id"].to_string());
            all.extend(rows);
        }
        all
    }
}

fn ask(to: &mut Connection, method: &str, path: &str, body: &Value) -> Option<Answer> {
    let headers = ["Host: localhost", "Authorization: Bearer writing-token", "Content-Type: application/json"];
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    to.try_write(&request(method, path, &headers, &body));
    to.read()
}

fn configuration() -> String {
    format!("/deviceManagement/hardwareConfigurations/{CONFIGURATION}")
}

fn script() -> String {
    format!("/deviceManagement/deviceManagementScripts/{SCRIPT}")
}

const STATES: [&str; 6] = ["unknown", "success", "fail", "scriptError", "pending", "notApplicable"];
const COUNTERS: [&str; 6] =
    ["unknown", "successful", "failed", "error", "pending", "notApplicable"];

fn event(device: usize, tick: usize) -> Value {
    json!({
        "id": format!("00000000-0000-0000-0000-{device:012x}"),
        "upn": format!("user{:04}@example.com", device % 50),
        "configurationState": STATES[(device + tick) % 6],
        "lastStateUpdateDateTime":
            format!("2026-11-{:02}T{:02}:{:02}:00Z", 1 + tick / 1440, tick / 60 % 24, tick % 60),
    })
}

/// The counts of the devices are those of the rows.
fn recount(service: &Service) {
    let summary = service.get(&format!("{}/runSummary", configuration()));
    let mut counts = BTreeMap::new();
    for row in service.rows(&format!("{}/deviceRunStates", configuration())) {
        *counts
            .entry(row["configurationState"].as_str().expect("a state").to_owned())
            .or_insert(0) += 1;
    }
    for (state, counter) in STATES.iter().zip(COUNTERS) {
        let counted = counts.get(*state).copied().unwrap_or(0);
        assert_eq!(summary[format!("{counter}DeviceCount")], counted, "{state}");
    }
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill_under_load() {
    const CONNECTIONS: usize = 8;
    const DEVICES: usize = 40;

    let place = Place::new("kill");
    let mut acknowledged = vec![[0; DEVICES]; CONNECTIONS];
    for round in 1..=6 {
        let service = Service::start(&place, &["--configuration", CONFIGURATION]);
        let path = format!("{}/deviceRunStates", configuration());
        let count = AtomicUsize::new(0);
        thread::scope(|scope| {
            for (number, acknowledged) in acknowledged.iter_mut().enumerate() {
                let (path, count, to) = (&path, &count, service.to);
                scope.spawn(move || {
                    let mut connection = Connection::new(to);
                    for n in 0.. {
                        let (device, tick) = (n % DEVICES, round * 4000 + n / DEVICES);
                        let event = event(number * DEVICES + device, tick);
                        let Some(answer) = ask(&mut connection, "POST", path, &event) else {
                            return;
                        };
                        assert_eq!(answer.status, 201, "{}", answer.body);
                        acknowledged[device] = tick;
                        count.fetch_add(1, Ordering::Release);
                    }
                });
            }
            // In the midst of it, each time somewhere else.
            while count.load(Ordering::Acquire) < 200 + round * 37 {
                thread::yield_now();
            }
            service.stop("-KILL");
        });

        let service = Service::start(&place, &[]);
        for (number, ticks) in acknowledged.iter().enumerate() {
            for (device, &tick) in ticks.iter().enumerate().filter(|&(_, &tick)| tick > 0) {
                let known = event(number * DEVICES + device, tick);
                let row = service.get(&format!("{path}/{}", known["id"].as_str().expect("an id")));
                // One more may have been on its way.
                assert!(
                    row["lastStateUpdateDateTime"].as_str()
                        >= known["lastStateUpdateDateTime"].as_str(),
                    "{row} is older than {known}"
                );
            }
        }
        recount(&service);
        let (code, said) = service.stop("-TERM");
        assert_eq!(code, Some(0));
        assert!(said.contains(" restored, 0 damaged"), "{said}");
    }
}

/// Writes of every kind, so that each thing there is to keep is there.
fn write_everything(service: &Service) {
    let (h, s) = (configuration(), script());
    let created = "/deviceManagement/hardwareConfigurations/00000000-0000-0000-0000-00000000000a";
    let counts = |devices: u32| {
        let mut state = json!({ "lastStateUpdateDateTime": "2026-11-02T00:00:00+01:00" });
        for (n, counter) in (0..).zip(COUNTERS) {
            state[format!("{counter}DeviceCount")] = (devices + n).into();
        }
        state
    };
    let summary = |devices| {
        let mut summary = counts(devices);
        summary["lastRunDateTime"] = "2026-11-21T09:30:00.1234567-08:00".into();
        for counter in COUNTERS {
            summary[format!("{counter}UserCount")] = 20.into();
        }
        summary.as_object_mut().expect("an object").remove("lastStateUpdateDateTime");
        summary
    };
    let user = |upn: &str, devices| {
        let mut state = counts(devices);
        state["upn"] = upn.into();
        state["userEmail"] = format!("mail.{upn}").into();
        state["userName"] = "Ada \u{1f600} Löw".into();
        state
    };
    let done = |method: &str, path: &str, body: Value| {
        let answer = service.ask(method, path, &body);
        assert!(answer.status < 300, "{method} {path}: {}", answer.body);
        serde_json::from_str::<Value>(&answer.body).unwrap_or_default()
    };
    for n in 0..60 {
        done("POST", &format!("{h}/deviceRunStates"), event(n, n));
        let mut event = event(n, n);
        let state = event["configurationState"].take();
        event.as_object_mut().expect("an object").remove("configurationState");
        event["runState"] = state;
        done("POST", &format!("{s}/deviceRunStates"), event);
    }
    done(
        "DELETE",
        &format!("{h}/deviceRunStates/00000000-0000-0000-0000-000000000003"),
        Value::Null,
    );
    done("POST", &format!("{h}/runSummary"), summary(70));
    done("PATCH", &format!("{h}/runSummary"), json!({ "failedDeviceCount": 99 }));
    done("POST", &format!("{created}/runSummary"), summary(7));
    let ada = done("POST", &format!("{h}/userRunStates"), user("Ada@example.com", 3));
    let patch = json!({ "userName": null, "failedDeviceCount": 8 });
    done("PATCH", &format!("{h}/userRunStates/{}", ada["id"].as_str().expect("an id")), patch);
    let bob = done("POST", &format!("{h}/userRunStates"), user("bob@example.com", 1));
    done(
        "DELETE",
        &format!("{h}/userRunStates/{}", bob["id"].as_str().expect("an id")),
        Value::Null,
    );
    done("POST", &format!("{h}/userRunStates"), user("user0007@example.com", 4));
    let totals = json!({
        "successDeviceCount": 500, "errorDeviceCount": 600,
        "successUserCount": 70, "errorUserCount": 80,
    });
    done("POST", &format!("{s}/runSummary/$ref"), totals);
    let eve = json!({
        "userPrincipalName": "eve@example.com", "successDeviceCount": 2, "errorDeviceCount": 1,
    });
    done("POST", &format!("{s}/userRunStates"), eve);
}

#[test]
fn whatever_a_request_wrote_is_there_after_a_kill() {
    let place = Place::new("everything");
    let service = Service::start(&place, &["--configuration", CONFIGURATION, "--script", SCRIPT]);
    write_everything(&service);
    let created = "/deviceManagement/hardwareConfigurations/00000000-0000-0000-0000-00000000000a";
    let rollouts = [configuration(), script(), created.to_owned()];
    let before = rollouts.each_ref().map(|it| service.all(it));
    let listed = service.get("/rollouts");
    service.stop("-KILL");

    // Twice: what was restored is kept as well.
    for signal in ["-KILL", "-TERM"] {
        let service = Service::start(&place, &[]);
        assert_eq!(service.get("/rollouts"), listed);
        for (rollout, before) in rollouts.iter().zip(&before) {
            assert_eq!(&service.all(rollout), before, "{rollout}");
        }
        // It remembers what was declared.
        for (path, body) in [
            (format!("{created}/runSummary"), before[2][0].clone()),
            (
                format!("{}/userRunStates", configuration()),
                before[0].iter().find(|row| row["upn"] == "Ada@example.com").expect("Ada").clone(),
            ),
        ] {
            assert_eq!(service.ask("POST", &path, &body).status, 409, "{path}");
        }
        service.stop(signal);
    }
}

#[test]
fn a_second_process_is_refused() {
    let place = Place::new("locked");
    let service = Service::start(&place, &["--configuration", CONFIGURATION]);
    let second = command(&place, &[]).output().expect("it runs");
    let said = String::from_utf8(second.stderr).expect("text");
    assert_eq!(second.status.code(), Some(1), "{said}");
    let path = place.0.display();
    let refusal = format!("runtally-service: the journal {path}: another process has it open\n");
    assert_eq!(said, refusal);
    assert_eq!(service.ask("GET", "/rollouts", &Value::Null).status, 200);
    assert_eq!(service.stop("-TERM").0, Some(0));
}

/// Lets the files that a process writes grow to this many bytes only, as a full disk does.
fn limit_files(service: &Service, bytes: &str) {
    let limit = Command::new("prlimit")
        .args([&format!("--pid={}", service.child.id()), &format!("--fsize={bytes}:unlimited")])
        .status();
    assert!(limit.expect("prlimit runs").success());
}

#[test]
fn a_full_disk_is_a_507_and_reading_goes_on() {
    let place = Place::new("full");
    let service = Service::start(&place, &["--configuration", CONFIGURATION]);
    let events = format!("{}/deviceRunStates", configuration());
    let mut ticks = 0..;
    let mut post = |service: &Service, device| {
        service.ask("POST", &events, &event(device, ticks.next().expect("no end")))
    };
    for device in 0..20 {
        assert_eq!(post(&service, device).status, 201);
    }
    let before = service.all(&configuration());

    // First nothing can be written; then the batches, but not where they belong.
    for (limit, first) in [("4096", 507), ("2105344", 201)] {
        limit_files(&service, limit);
        assert_eq!(post(&service, 20).status, first);
        let refused = post(&service, 21);
        assert_eq!(refused.status, 507, "{}", refused.body);
        let message = refused.message();
        assert!(message.contains(&place.0.display().to_string()), "{message}");
        assert!(message.contains("File too large"), "{message}");
        assert_eq!(refused.json()["error"]["code"], "insufficientStorage");
        // Who may not write is told so, whatever the disk says.
        let mut connection = Connection::new(service.to);
        connection.write(&request("POST", &events, &["Host: localhost"], b""));
        assert_eq!(connection.read().expect("an answer").status, 401);
        for _ in 0..5 {
            assert_eq!(post(&service, 22).status, 507);
            recount(&service);
        }
        if first == 507 {
            assert_eq!(service.all(&configuration()), before, "as if it had not been asked");
        }
        limit_files(&service, "unlimited");
        assert_eq!(post(&service, 23).status, 201);
    }

    // No room for another roll-out, but for those that are known.
    let len = fs::metadata(&place.0).expect("it is there").len();
    limit_files(&service, &(len + 100_000).to_string());
    let created = "/deviceManagement/hardwareConfigurations/00000000-0000-0000-0000-00000000000a";
    let mut summary = service.get(&format!("{}/runSummary", configuration()));
    summary.as_object_mut().expect("an object").remove("id");
    let refused = service.ask("POST", &format!("{created}/runSummary"), &summary);
    assert_eq!(refused.status, 507, "{}", refused.body);
    assert!(refused.message().contains("bytes more: File too large"), "{}", refused.message());
    assert_eq!(service.ask("GET", &format!("{created}/runSummary"), &Value::Null).status, 404);
    assert_eq!(fs::metadata(&place.0).expect("it is there").len(), len, "the room is given back");
    assert_eq!(post(&service, 24).status, 201);
    let before = service.all(&configuration());
    service.stop("-KILL");

    let service = Service::start(&place, &[]);
    assert_eq!(service.all(&configuration()), before);
    recount(&service);
    assert_eq!(service.ask("POST", &format!("{created}/runSummary"), &summary).status, 201);
    service.stop("-TERM");
}

#[test]
fn a_file_that_is_no_journal_of_this_service_is_refused_and_left_alone() {
    let place = Place::new("foreign");
    let mut version = Vec::from(*b"runtally-service");
    version.extend_from_slice(&2u32.to_le_bytes());
    version.resize(36, 0);
    version.extend_from_slice(&crc32fast::hash(&version).to_le_bytes());
    version.resize(10_000, 0);
    let mut damaged = version.clone();
    damaged[20] = 1;
    for (bytes, said) in [
        (&b"Dear diary"[..], "it is not a journal"),
        (&[0xff; 5000], "it is not a journal"),
        (&version, "it has layout 2, and this service reads 1"),
        (&damaged, "its header is damaged"),
    ] {
        fs::write(&place.0, bytes).expect("written");
        let output = command(&place, &[]).output().expect("it runs");
        let error = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(error, format!("runtally-service: the journal {}: {said}\n", place.0.display()));
        assert_eq!(fs::read(&place.0).expect("still there"), bytes);
    }
    let folder = Place(PathBuf::from("/nowhere/at.all"));
    let output = command(&folder, &[]).output().expect("it runs");
    assert!(String::from_utf8(output.stderr).expect("text").contains("No such file"));
}

#[test]
fn damage_is_an_error_or_is_told() {
    let place = Place::new("damaged");
    let service = Service::start(&place, &["--configuration", CONFIGURATION]);
    for n in 0..200 {
        let answer =
            service.ask("POST", &format!("{}/deviceRunStates", configuration()), &event(n, n));
        assert_eq!(answer.status, 201);
    }
    service.stop("-TERM");
    let intact = fs::read(&place.0).expect("readable");
    // The rows begin behind the header, the directory and two batches.
    let rows = 8192 + (2 << 20);
    let id = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    let at = rows + intact[rows..].windows(16).position(|it| it == id).expect("device 7");
    for len in [100, 1 << 20, 3 << 20] {
        fs::write(&place.0, &intact[..len]).expect("written");
        let output = command(&place, &[]).output().expect("it runs");
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(said.ends_with(": it is cut short\n"), "{said}");
    }
    for (at, restored) in [(at, true), (4100, false), (20, false)] {
        let mut bytes = intact.clone();
        bytes[at] ^= 1;
        // The last batches would put things right.
        bytes[8192..rows].fill(0xff);
        fs::write(&place.0, &bytes).expect("written");
        if !restored {
            let output = command(&place, &[]).output().expect("it runs");
            let said = String::from_utf8(output.stderr).expect("text");
            assert!(said.contains("damaged") && output.status.code() == Some(1), "{said}");
            continue;
        }
        let service = Service::start(&place, &[]);
        recount(&service);
        let row =
            format!("{}/deviceRunStates/00000000-0000-0000-0000-000000000007", configuration());
        assert_eq!(service.ask("GET", &row, &Value::Null).status, 404);
        assert_eq!(
            service
                .ask("POST", &format!("{}/deviceRunStates", configuration()), &event(7, 9))
                .status,
            201
        );
        let (_, said) = service.stop("-TERM");
        assert!(said.contains("records: 199 restored, 1 damaged"), "{said}");
        // Whatever was lost is lost once.
        let service = Service::start(&place, &[]);
        assert_eq!(service.rows(&format!("{}/deviceRunStates", configuration())).len(), 200);
        let (_, said) = service.stop("-TERM");
        assert!(said.contains(" 0 damaged"), "{said}");
    }
}
