//! The command with `--database`: what it has acknowledged is there after it was killed.

mod wire;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use runtally::graph::user_state_id;
use rusqlite::OpenFlags;
use serde_json::{Value, json};
use wire::{Answer, Connection, request};

const CONFIGURATION: &str = "4a1e0c52-6f0b-4d6e-8f43-0f1d4c7b9a10";
const SCRIPT: &str = "7d4b3f85-9c3e-4a9b-9c76-3c4a7fae0d43";

/// A database, gone when the test ends.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.sqlite"));
        let place = Self(path);
        place.remove();
        place
    }

    fn remove(&self) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", self.0.display()));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.remove();
    }
}

fn command(place: &Place, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runtally-service"));
    command.args(["--listen", "127.0.0.1:0", "--bare", "--log", "off", "--database"]);
    command.arg(&place.0).args(args);
    command
        .env("RUNTALLY_READ_TOKEN", "reading-token")
        .env("RUNTALLY_WRITE_TOKEN", "writing-token");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

struct Service {
    child: Child,
    to: SocketAddr,
}

impl Service {
    fn start(place: &Place, args: &[&str]) -> Self {
        Self::spawn(command(place, args))
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().expect("it starts");
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

impl Drop for Service {
    fn drop(&mut self) {
        // It is gone, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(to: &mut Connection, method: &str, path: &str, body: &Value) -> Option<Answer> {
    let headers = [
        "Host: localhost",
        "Authorization: Bearer writing-token",
        "Content-Type: application/json",
    ];
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
                        if answer.status == 503 {
                            return;
                        }
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
            // Told to end, it ends as soon; killed, there is nothing it could do.
            let (start, signal) = (Instant::now(), ["-KILL", "-TERM"][round % 2]);
            let (code, said) = service.stop(signal);
            assert_eq!(code, if signal == "-TERM" { Some(0) } else { None }, "{said}");
            assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
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
        assert!(said.contains("devices"), "{said}");
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
    let refusal = format!("runtally-service: the database {path}: another process has it open\n");
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

/// The database as an operator reads it.
fn reader(place: &Place) -> rusqlite::Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    rusqlite::Connection::open_with_flags(&place.0, flags).expect("it can be read")
}

fn post(service: &Service, device: usize, tick: usize) -> Answer {
    let path = format!("{}/deviceRunStates", configuration());
    service.ask("POST", &path, &event(device, tick))
}

fn status(service: &Service, path: &str) -> u16 {
    service.ask("GET", path, &Value::Null).status
}

/// Waits until the service says that it is ready, or is not.
fn wait_until_ready(service: &Service, is_ready: bool) {
    let start = Instant::now();
    while status(service, "/readyz") != if is_ready { 200 } else { 503 } {
        assert!(start.elapsed() < Duration::from_secs(20), "it never becomes {is_ready}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_files_are_their_owners_alone() {
    let place = Place::new("mode");
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 022; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_runtally-service")]);
    shell.args(["--listen", "127.0.0.1:0", "--log", "off", "--configuration", CONFIGURATION]);
    shell.arg("--database").arg(&place.0);
    shell.env("RUNTALLY_READ_TOKEN", "reading-token").env("RUNTALLY_WRITE_TOKEN", "writing-token");
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let service = Service::spawn(shell);
    for suffix in ["", "-wal", "-shm"] {
        let file = format!("{}{suffix}", place.0.display());
        assert_eq!(fs::metadata(&file).expect("it is there").mode() & 0o777, 0o600, "{file}");
    }
    service.stop("-TERM");
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(&place.0, fs::Permissions::from_mode(mode)).expect("ours");
        let output = command(&place, &[]).output().expect("it runs");
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(said.contains("others may write to it") && said.contains("chmod"), "{said}");
    }
    // Whom its owner lets read it is the owner's business.
    fs::set_permissions(&place.0, fs::Permissions::from_mode(0o640)).expect("ours");
    Service::start(&place, &[]).stop("-TERM");
}

#[test]
fn a_file_that_is_no_database_of_this_service_is_refused_and_left_alone() {
    let place = Place::new("foreign");
    let sql = |text: &str| {
        place.remove();
        let database = rusqlite::Connection::open(&place.0).expect("made");
        database.execute_batch(text).expect("done");
    };
    let refused = |why: &str| {
        let before = fs::read(&place.0).expect("it is there");
        let output = command(&place, &[]).output().expect("it runs");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(1));
        assert!(said.contains(why), "{said}");
        assert!(said.starts_with(&format!("runtally-service: the database {}", place.0.display())));
        assert_eq!(fs::read(&place.0).expect("still there"), before);
    };
    for bytes in [&b"Dear diary, ".repeat(1000)[..], &[0xff; 5000]] {
        fs::write(&place.0, bytes).expect("written");
        fs::set_permissions(&place.0, fs::Permissions::from_mode(0o600)).expect("ours");
        refused("it is not a database of this service");
    }
    sql("CREATE TABLE diary (page TEXT);");
    fs::set_permissions(&place.0, fs::Permissions::from_mode(0o600)).expect("ours");
    refused("it is not a database of this service");
    place.remove();
    Service::start(&place, &[]).stop("-TERM");
    let database = rusqlite::Connection::open(&place.0).expect("a database");
    database.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA user_version = 2").expect("done");
    drop(database);
    refused("it has schema 2, and this service reads 1");

    // An empty file is where a new one is made.
    place.remove();
    fs::write(&place.0, b"").expect("written");
    fs::set_permissions(&place.0, fs::Permissions::from_mode(0o600)).expect("ours");
    Service::start(&place, &[]).stop("-TERM");
    let folder = Place(PathBuf::from("/nowhere/at.all"));
    let output = command(&folder, &[]).output().expect("it runs");
    assert!(String::from_utf8(output.stderr).expect("text").contains("No such file"));
}

#[test]
fn rows_that_do_not_hold_together_are_told_at_the_start() {
    let place = Place::new("damaged");
    let service = Service::start(&place, &["--configuration", CONFIGURATION]);
    for n in 0..20 {
        assert_eq!(post(&service, n, n).status, 201);
    }
    service.stop("-TERM");
    let intact = fs::read(&place.0).expect("readable");
    for (sql, why) in [
        ("UPDATE device SET id = 'x' WHERE ticks = (SELECT max(ticks) FROM device)", "no GUID"),
        ("UPDATE device SET user = '' WHERE user IS NOT NULL", "no user principal name"),
        ("UPDATE rollout SET kind = 'diary'", "no kind of roll-out"),
        ("UPDATE rollout SET failed_devices = -1", "out of range"),
        ("UPDATE device SET ticks = 9223372036854775807", "no date-time"),
        ("UPDATE rollout SET failed_devices = 2147483647", CONFIGURATION),
        ("DROP TABLE user", "no such table: user"),
    ] {
        fs::write(&place.0, &intact).expect("written");
        let database = rusqlite::Connection::open(&place.0).expect("a database");
        database.execute_batch(sql).expect(sql);
        drop(database);
        let output = command(&place, &[]).output().expect("it runs");
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.code() == Some(1) && said.contains(why), "{sql}: {said}");
    }
    // A page in the middle is lost.
    let mut bytes = intact.clone();
    let len = bytes.len();
    bytes[len - 4096..].fill(0x5a);
    fs::write(&place.0, &bytes).expect("written");
    let output = command(&place, &[]).output().expect("it runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("it is damaged") && output.status.code() == Some(1), "{said}");
}

#[test]
fn an_answer_comes_after_the_commit_and_anyone_can_count() {
    let place = Place::new("counted");
    let service = Service::start(&place, &["--configuration", CONFIGURATION]);
    let database = reader(&place);
    for n in 0..50 {
        assert_eq!(post(&service, n as usize, n as usize).status, 201);
        let sql = "SELECT count(*) FROM live_device";
        let rows: u32 = database.query_row(sql, (), |row| row.get(0)).expect("readable");
        assert_eq!(rows, n + 1, "what was acknowledged is in the database");
    }
    let summary = service.get(&format!("{}/runSummary", configuration()));
    let mut states = database
        .prepare("SELECT state, count(*) FROM live_device WHERE rollout_id = ? GROUP BY state")
        .expect("a query");
    let counted: BTreeMap<String, u32> = states
        .query_map([CONFIGURATION], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("readable")
        .collect::<Result<_, _>>()
        .expect("rows");
    for (state, counter) in STATES.iter().zip(COUNTERS) {
        let rows = counted.get(*state).copied().unwrap_or(0);
        assert_eq!(summary[format!("{counter}DeviceCount")], rows, "{state}");
    }
}

#[test]
fn a_full_disk_is_a_507_and_reading_goes_on() {
    let place = Place::new("full");
    let service = Service::start(&place, &["--configuration", CONFIGURATION]);
    for device in 0..20 {
        assert_eq!(post(&service, device, device).status, 201);
    }
    let before = service.all(&configuration());
    limit_files(&service, "4096");
    let refused = post(&service, 20, 1);
    assert_eq!(refused.status, 507, "{}", refused.body);
    assert_eq!(refused.json()["error"]["code"], "insufficientStorage");
    assert!(refused.message().contains("the database cannot be written"), "{}", refused.message());
    assert!(!refused.body.contains('/'), "no path of the server: {}", refused.body);
    // Who may not write is told so, whatever the disk says.
    let mut connection = Connection::new(service.to);
    let path = format!("{}/deviceRunStates", configuration());
    connection.write(&request("POST", &path, &["Host: localhost"], b""));
    assert_eq!(connection.read().expect("an answer").status, 401);
    // A transaction fails as a whole.
    thread::scope(|scope| {
        for n in 0..32 {
            let service = &service;
            scope.spawn(move || assert_eq!(post(service, 30 + n, 1).status, 507));
        }
    });
    assert_eq!(service.all(&configuration()), before, "as if it had not been asked");
    assert_eq!((status(&service, "/healthz"), status(&service, "/readyz")), (200, 503));
    let metrics = service.ask("GET", "/metrics", &Value::Null).body;
    assert!(metrics.contains("runtally_ready 0\n"), "{metrics}");
    assert!(!metrics.contains("runtally_database_failures_total 0\n"), "{metrics}");

    // It finds out by itself that there is room again.
    limit_files(&service, "unlimited");
    wait_until_ready(&service, true);
    assert_eq!(post(&service, 23, 1).status, 201);
    let before = service.all(&configuration());
    service.stop("-KILL");
    let service = Service::start(&place, &[]);
    assert_eq!(service.all(&configuration()), before);
    recount(&service);
    service.stop("-TERM");
}

#[test]
fn a_file_that_was_removed_or_replaced_is_noticed() {
    let place = Place::new("replaced");
    let aside = place.0.with_extension("aside");
    for suffix in ["", "-wal"] {
        place.remove();
        let service = Service::start(&place, &["--configuration", CONFIGURATION]);
        assert_eq!(post(&service, 1, 1).status, 201);
        let file = PathBuf::from(format!("{}{suffix}", place.0.display()));
        fs::rename(&file, &aside).expect("it is there");
        let refused = post(&service, 2, 1);
        assert_eq!(refused.status, 507, "{}", refused.body);
        assert!(refused.message().contains("removed or replaced"), "{}", refused.message());
        fs::copy(&aside, &file).expect("it is there");
        assert_eq!(post(&service, 2, 1).status, 507, "another file is not the same");
        assert_eq!(status(&service, "/readyz"), 503);
        assert_eq!(status(&service, &format!("{}/runSummary", configuration())), 200);
        fs::rename(&aside, &file).expect("it is there");
        wait_until_ready(&service, true);
        assert_eq!(post(&service, 2, 1).status, 201);
        service.stop("-TERM");
    }
}

#[test]
fn a_path_is_a_path_whatever_it_says_and_wherever_it_leads() {
    let place = Place::new("led-to");
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("paths");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).expect("it is new");
    for name in [":memory:", "file:counts?mode=memory", "link.sqlite"] {
        if name == "link.sqlite" {
            std::os::unix::fs::symlink(&place.0, directory.join(name)).expect("it is new");
            fs::write(&place.0, "").expect("it can be written");
            fs::set_permissions(&place.0, fs::Permissions::from_mode(0o600)).expect("its owner");
        }
        let there = Place(name.into());
        let start = || {
            let mut command = command(&there, &["--configuration", CONFIGURATION]);
            command.current_dir(&directory);
            Service::spawn(command)
        };
        let service = start();
        assert_eq!(post(&service, 1, 1).status, 201, "{name}");
        service.stop("-KILL");
        let service = start();
        let count = service.ask(
            "GET",
            &format!("{}/deviceRunStates/$count", configuration()),
            &Value::Null,
        );
        assert_eq!(count.body, "1", "{name}");
        if name == "link.sqlite" {
            fs::remove_file(format!("{}-wal", place.0.display())).expect("it is there");
            let refused = post(&service, 2, 1);
            assert_eq!(refused.status, 507, "{}", refused.body);
        }
        service.stop("-TERM");
    }
    fs::remove_dir_all(&directory).expect("it is there");
}

#[test]
fn what_was_removed_or_retired_is_remembered() {
    let place = Place::new("tombstones");
    let service = Service::start(&place, &["--configuration", CONFIGURATION]);
    for n in 0..6 {
        assert_eq!(post(&service, n, n).status, 201);
    }
    let row = |n: usize| {
        let id = event(n, 0)["id"].as_str().expect("an id").to_owned();
        format!("{}/deviceRunStates/{id}", configuration())
    };
    let id = |n: usize| event(n, 0)["id"].as_str().expect("an id").to_owned();
    let retire = |service: &Service, n: usize| {
        let path =
            format!("/rollouts/hardwareConfiguration/{CONFIGURATION}/devices/{}/retire", id(n));
        service.ask("POST", &path, &Value::Null).status
    };
    assert_eq!(service.ask("DELETE", &row(1), &Value::Null).status, 204);
    let before = service.get(&format!("{}/runSummary", configuration()));
    assert_eq!(retire(&service, 2), 204);
    assert_eq!(retire(&service, 2), 404, "it is retired already");
    assert_eq!(retire(&service, 1), 404, "it was removed");
    assert_eq!(service.get(&format!("{}/runSummary", configuration())), before);
    service.stop("-KILL");

    let service = Service::start(&place, &[]);
    assert_eq!(service.get(&format!("{}/runSummary", configuration())), before);
    // A copy of an old report does not bring it back.
    assert_eq!(post(&service, 1, 1).status, 409);
    assert_eq!(service.get(&format!("{}/runSummary", configuration())), before);
    // The retired one reports again, and counts once.
    let total = |summary: &Value| -> u64 {
        COUNTERS.iter().filter_map(|it| summary[format!("{it}DeviceCount")].as_u64()).sum()
    };
    assert_eq!(post(&service, 2, 100).status, 201);
    assert_eq!(total(&service.get(&format!("{}/runSummary", configuration()))), total(&before));
    let after = service.all(&configuration());
    service.stop("-KILL");
    let service = Service::start(&place, &[]);
    assert_eq!(service.all(&configuration()), after);
    service.stop("-TERM");
}

#[test]
fn a_list_is_read_in_pages_while_it_changes() {
    let place = Place::new("changing");
    let service = Service::start(&place, &["--configuration", CONFIGURATION]);
    for n in (0..200).map(|n| n * 7 % 200) {
        assert_eq!(post(&service, n, n).status, 201);
    }
    let list = format!("{}/deviceRunStates", configuration());
    let mut next = Some(format!("{list}?$top=20"));
    let (mut ids, mut page) = (Vec::new(), 0);
    while let Some(path) = next {
        let answer = service.get(&path);
        let rows = answer["value"].as_array().expect("rows");
        ids.extend(rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()));
        next = answer["@odata.nextLink"]
            .as_str()
            .map(|link| link[link.find("/deviceManagement").expect("a path")..].to_owned());
        // Some go, some come, and some writes fail.
        page += 1;
        let gone = format!("{list}/{}", event(page, 0)["id"].as_str().expect("an id"));
        assert_eq!(service.ask("DELETE", &gone, &Value::Null).status, 204);
        limit_files(&service, "4096");
        assert_eq!(post(&service, 900 + page, 1).status, 507);
        limit_files(&service, "unlimited");
        assert_eq!(post(&service, 500 + page, 1).status, 201);
    }
    let all = ids.len();
    let stayed = (20..200).map(|n| event(n, 0)["id"].as_str().expect("an id").to_owned());
    assert!(stayed.into_iter().all(|id| ids.contains(&id)), "whatever stayed is there");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "each once");
}

#[test]
fn a_link_to_the_next_page_outlives_a_restart_or_is_refused() {
    let place = Place::new("pages");
    let service = Service::start(&place, &["--configuration", CONFIGURATION]);
    // In an order that is not the one in which they are read again.
    for n in (0..300).map(|n| n * 7 % 300) {
        assert_eq!(post(&service, n, n).status, 201);
    }
    let list = format!("{}/deviceRunStates", configuration());
    let first = service.get(&format!("{list}?$top=150"));
    service.stop("-KILL");
    let service = Service::start(&place, &[]);
    let link = first["@odata.nextLink"].as_str().expect("there is more");
    let link = &link[link.find("/deviceManagement").expect("a path")..];
    let answer = service.ask("GET", link, &Value::Null);
    if answer.status == 400 {
        assert!(answer.message().contains("from its beginning"), "{}", answer.message());
        return;
    }
    let mut ids: Vec<_> = first["value"].as_array().expect("rows").clone();
    ids.extend(service.rows(link));
    let ids: std::collections::BTreeSet<_> = ids.iter().map(|row| row["id"].to_string()).collect();
    assert_eq!(ids.len(), 300, "each once");
}

#[test]
fn the_queries_of_the_readme_count_what_is_shown() {
    let place = Place::new("readme");
    let service = Service::start(&place, &["--configuration", CONFIGURATION]);
    for n in 0..40 {
        assert_eq!(post(&service, n, n).status, 201);
    }
    let path = format!("{}/runSummary", configuration());
    let answer = service.ask("PATCH", &path, &json!({ "failedDeviceCount": 99 }));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```sql\n").expect("there is SQL");
    let (sql, _) = rest.split_once("```").expect("it ends");
    let (failed, severities) = sql.split_once(";\n").expect("two queries");
    let database = reader(&place);
    let failed: u32 = database.query_row(failed, (), |row| row.get("failed")).expect("readable");
    assert_eq!(failed, 99);
    let severities = severities.trim().trim_end_matches(';');
    let mut severities = database.prepare(severities).expect("a query");
    let severities = severities.query_map((), |row| row.get::<_, u32>("severity"));
    let mut users = [0; 6];
    for severity in severities.expect("readable") {
        users[severity.expect("a number") as usize] += 1;
    }
    let summary = service.get(&path);
    let by_severity = ["notApplicable", "successful", "unknown", "pending", "failed", "error"];
    for (counter, count) in by_severity.into_iter().zip(users) {
        assert_eq!(summary[format!("{counter}UserCount")], count, "{counter}");
    }
    let (_, rest) = readme.split_once("    \"SELECT").expect("there is a query");
    let (states, _) = rest.split_once('"').expect("it ends");
    let mut states = database.prepare(&format!("SELECT{states}")).expect("a query");
    let counts = states.query_map((), |row| row.get::<_, u32>(3)).expect("readable");
    assert_eq!(counts.map(|count| count.expect("a number")).sum::<u32>(), 40);
}

#[test]
fn a_disk_that_hangs_is_told_and_reading_goes_on() {
    let place = Place::new("hangs");
    let service = Service::start(&place, &["--configuration", CONFIGURATION]);
    assert_eq!(post(&service, 1, 1).status, 201);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-e", "trace=fdatasync,fsync", "-o", "/dev/null"]);
    strace.args(["-e", "inject=fdatasync,fsync:delay_enter=8000000:when=1"]);
    strace.args(["-p", &service.child.id().to_string()]).stderr(Stdio::piped());
    let Ok(mut strace) = strace.spawn() else {
        eprintln!("A DISK THAT HANGS IS NOT TESTED: there is no strace here");
        return;
    };
    let mut said = String::new();
    BufReader::new(strace.stderr.take().expect("piped")).read_line(&mut said).expect("text");
    if !said.contains("attached") {
        eprintln!("A DISK THAT HANGS IS NOT TESTED: {said}");
        return;
    }
    thread::scope(|scope| {
        let late = scope.spawn(|| post(&service, 2, 1).status);
        wait_until_ready(&service, false);
        let start = Instant::now();
        assert_eq!(post(&service, 3, 1).status, 503);
        assert_eq!(status(&service, &format!("{}/runSummary", configuration())), 200);
        assert_eq!(status(&service, "/healthz"), 200);
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        wait_until_ready(&service, true);
        assert!([201, 503].contains(&late.join().expect("an answer")));
    });
    assert_eq!(post(&service, 3, 1).status, 201);
    assert_eq!(service.stop("-TERM").0, Some(0));
    let _ = strace.wait();
}

#[test]
fn a_report_on_a_lower_version_is_pending_and_the_version_outlives_a_restart() {
    let place = Place::new("version");
    let of = format!("/deviceManagement/hardwareConfigurations/{CONFIGURATION}");
    let report = |device: u8, version: u8| {
        json!({
            "id": format!("00000000-0000-0000-0000-0000000000{device:02}"),
            "configurationState": "success",
            "internalVersion": version,
            "lastStateUpdateDateTime": "2026-11-21T09:30:00Z",
        })
    };
    let version = format!("{CONFIGURATION}=2");
    let service =
        Service::start(&place, &["--configuration", CONFIGURATION, "--version-of", &version]);
    let path = format!("{of}/deviceRunStates");
    assert_eq!(service.ask("POST", &path, &report(1, 1)).status, 201);
    assert_eq!(service.stop("-KILL").0, None);

    let service = Service::start(&place, &[]);
    assert_eq!(service.ask("POST", &path, &report(2, 1)).status, 201);
    assert_eq!(service.ask("POST", &path, &report(3, 2)).status, 201);
    let summary = service.get(&format!("{of}/runSummary"));
    assert_eq!(summary["pendingDeviceCount"], 2);
    assert_eq!(summary["successfulDeviceCount"], 1);
}

#[test]
fn a_user_is_found_by_id_while_there_is_a_row_and_after_a_restart() {
    let place = Place::new("user-by-id");
    let args = ["--configuration", CONFIGURATION];
    let mut service = Service::start(&place, &args);
    let mut rng = fastrand::Rng::with_seed(1);
    let rollout = format!("/deviceManagement/hardwareConfigurations/{CONFIGURATION}");
    let users: Vec<_> = (0..8).map(|n| format!("User{n}@example.com")).collect();
    let ids: Vec<_> = users
        .iter()
        .map(|upn| {
            let of = CONFIGURATION.parse().expect("a GUID");
            user_state_id(&of, &upn.parse().expect("a name"))
        })
        .collect();
    let (mut found, mut missed) = (0, 0);
    for tick in 0..300 {
        let (user, device) = (rng.usize(..8), format!("{:032x}", rng.u32(..12)));
        let device = format!("{}-0000-0000-0000-{}", &device[..8], &device[20..]);
        let (method, path, body) = match rng.u8(..12) {
            0..=6 => {
                let upn = if rng.bool() { users[user].clone() } else { users[user].to_uppercase() };
                let at = format!("2026-11-21T09:{:02}:{:02}Z", tick / 60, tick % 60);
                let state = ["fail", "success", "pending"][rng.usize(..3)];
                let body = json!({
                    "id": device, "upn": upn, "configurationState": state,
                    "lastStateUpdateDateTime": at
                });
                ("POST", "/deviceRunStates".to_owned(), body)
            }
            7 => ("DELETE", format!("/deviceRunStates/{device}"), Value::Null),
            8 => (
                "POST",
                format!("/rollouts/hardwareConfiguration/{CONFIGURATION}/devices/{device}/retire"),
                Value::Null,
            ),
            9 => (
                "POST",
                "/userRunStates".to_owned(),
                json!({
                    "upn": users[user], "lastStateUpdateDateTime": "2026-11-21T11:00:00Z", "unknownDeviceCount": rng.u8(..2), "successfulDeviceCount": 2,
                    "failedDeviceCount": 2, "errorDeviceCount": 0, "pendingDeviceCount": 2,
                    "notApplicableDeviceCount": 0,
                }),
            ),
            _ => ("DELETE", format!("/userRunStates/{}", ids[user]), Value::Null),
        };
        let path = if path.starts_with("/rollouts") { path } else { format!("{rollout}{path}") };
        let answer = service.ask(method, &path, &body);
        let is_usual = [201, 204, 404, 409].contains(&answer.status);
        assert!(is_usual, "{method} {path} {body}: {}", answer.body);
        if tick % 10 > 0 {
            continue;
        }
        if tick % 50 == 0 {
            let (_, said) = service.stop("-KILL");
            assert!(!said.contains("damaged"), "{said}");
            service = Service::start(&place, &args);
        }
        let rows = service.rows(&format!("{rollout}/userRunStates"));
        for id in &ids {
            let path = format!("{rollout}/userRunStates/{id}");
            let answer = service.ask("GET", &path, &Value::Null);
            let Some(row) = rows.iter().find(|row| row["id"] == id.to_string()) else {
                missed += 1;
                assert_eq!(answer.status, 404, "{}", answer.body);
                continue;
            };
            found += 1;
            let mut one = answer.json();
            one.as_object_mut().expect("an object").remove("@odata.context");
            assert_eq!((answer.status, &one), (200, row));
            let devices = format!("{path}/deviceRunStates");
            let count = service.ask("GET", &format!("{devices}/$count"), &Value::Null);
            assert_eq!(count.body, service.rows(&devices).len().to_string());
        }
    }
    assert!(found > 40 && missed > 40, "{found} found, {missed} missed");
}
