//! Over real connections: what is wrong is refused, nothing is a 500, nothing hangs, and what was
//! refused has changed nothing.

mod wire;

use std::net::SocketAddr;
use std::sync::RwLock;
use std::time::Duration;

use runtally::store::RolloutId;
use runtally_service::{IndexedStore, Limits, Options, Rollouts, Service, Tokens, serve};
use tokio::net::TcpListener;
use uuid::{Uuid, uuid};
use wire::{Answer, Connection, request};

const CONFIGURATION: Uuid = uuid!("4a1e0c52-6f0b-4d6e-8f43-0f1d4c7b9a10");
const SCRIPT: Uuid = uuid!("7d4b3f85-9c3e-4a9b-9c76-3c4a7fae0d43");

const HOST: &str = "Host: counts.example.com:8080";
const READ: &str = "Authorization: Bearer reading-token";
const WRITE: &str = "Authorization: Bearer writing-token";
const JSON: &str = "Content-Type: application/json";

/// Three devices and two users, in a thread of its own.
fn start(options: Options, limits: Limits) -> SocketAddr {
    let mut store = IndexedStore::<1, 1, 3, 2>::new();
    store.insert(RolloutId::configuration(CONFIGURATION)).expect("there is room");
    store.insert(RolloutId::script(SCRIPT)).expect("there is room");
    // A test's service lives as long as the test's process.
    let store = Box::leak(Box::new(RwLock::new(store)));
    let tokens = Tokens::new(vec!["reading-token".to_owned()], vec!["writing-token".to_owned()]);
    let options = Options { tokens: tokens.expect("tokens"), ..options };
    let (sender, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            sender.send(listener.local_addr().expect("an address")).expect("a test waits");
            let service = Service::new(store, None, options).expect("no thread is needed");
            serve(listener, service, &limits, std::future::pending()).await;
        });
    });
    address.recv().expect("the service starts")
}

fn service() -> SocketAddr {
    start(Options::default(), Limits::default())
}

fn h(rest: &str) -> String {
    format!("/beta/deviceManagement/hardwareConfigurations/{CONFIGURATION}{rest}")
}

fn event(number: u8, upn: &str, state: &str) -> Vec<u8> {
    let id = Uuid::from_u128(number.into());
    format!(
        r#"{{"id":"{id}","upn":"{upn}","configurationState":"{state}","lastStateUpdateDateTime":"2026-11-21T09:30:00Z"}}"#
    )
    .into_bytes()
}

fn ask(to: SocketAddr, bytes: &[u8]) -> Answer {
    let mut connection = Connection::new(to);
    connection.write(bytes);
    connection.read().expect("an answer")
}

fn get(to: SocketAddr, path: &str) -> Answer {
    ask(to, &request("GET", path, &[HOST, READ], b""))
}

fn post(to: SocketAddr, path: &str, body: &[u8]) -> Answer {
    ask(to, &request("POST", path, &[HOST, WRITE, JSON], body))
}

/// Everything there is to read.
fn everything(to: SocketAddr) -> Vec<String> {
    ["/runSummary", "/deviceRunStates", "/userRunStates"]
        .into_iter()
        .map(|place| get(to, &h(place)).body)
        .collect()
}

#[test]
fn the_counts_come_and_go_over_http() {
    let to = service();
    assert_eq!(post(to, &h("/deviceRunStates"), &event(1, "ada", "success")).status, 201);
    assert_eq!(get(to, &h("/userRunStates/$count")).body, "1");
    let summary = get(to, &h("/runSummary"));
    assert_eq!(summary.header("content-type"), Some("application/json"));
    assert_eq!(summary.header("cache-control"), Some("no-store"));
    assert_eq!(summary.json()["value"]["successfulDeviceCount"], 1);
    let row = h(&format!("/deviceRunStates/{}", Uuid::from_u128(1)));
    let gone = ask(to, &request("DELETE", &row, &[HOST, WRITE], b""));
    assert_eq!((gone.status, gone.body.as_str()), (204, ""));
    assert_eq!(get(to, &h("/deviceRunStates/$count")).body, "0");
}

#[test]
fn what_is_wrong_is_refused_and_changes_nothing() {
    let to = service();
    for number in 1..=2 {
        post(to, &h("/deviceRunStates"), &event(number, "ada", "success"));
    }
    let before = everything(to);
    let (summary, devices, users) = (h("/runSummary"), h("/deviceRunStates"), h("/userRunStates"));
    let long = format!(r#"{{"upn":"{}"}}"#, "x".repeat(128));
    let nested = "[".repeat(100_000);
    let script = format!("/deviceManagement/deviceManagementScripts/{SCRIPT}");
    let unknown = h("/runSummary").replace("4a1e", "ffff");
    let event = event(3, "ada", "success");
    let event = std::str::from_utf8(&event).expect("text");
    let no_guid = "/deviceManagement/hardwareConfigurations/1/runSummary".to_owned();
    let filtered = h("/deviceRunStates?$filter=x");
    for (method, path, headers, body, status) in [
        ("PUT", &summary, &[WRITE, JSON][..], "{}", 405),
        ("OPTIONS", &summary, &[WRITE], "", 405),
        ("DELETE", &summary, &[WRITE], "", 405),
        ("BREW", &devices, &[WRITE], "", 405),
        ("PATCH", &summary, &[WRITE, "Content-Type: text/plain"], "{}", 415),
        ("PATCH", &summary, &[WRITE], "{}", 415),
        ("PATCH", &summary, &[WRITE, JSON, "Content-Encoding: gzip"], "{}", 415),
        ("GET", &summary, &[], "", 401),
        ("GET", &summary, &["Authorization: Bearer wrong"], "", 401),
        ("GET", &summary, &["Authorization: Bearer \u{e9}"], "", 401),
        ("PATCH", &summary, &[JSON], "{}", 401),
        ("PATCH", &summary, &[READ, JSON], "{}", 403),
        ("POST", &devices, &[READ, JSON], event, 403),
        ("GET", &unknown, &[READ], "", 404),
        ("GET", &no_guid, &[READ], "", 400),
        ("GET", &filtered, &[READ], "", 400),
        ("GET", &script, &[READ], "", 404),
        ("PATCH", &summary, &[WRITE, JSON], "{", 400),
        ("PATCH", &summary, &[WRITE, JSON], "", 400),
        ("PATCH", &summary, &[WRITE, JSON], &nested, 400),
        ("PATCH", &summary, &[WRITE, JSON], r#"{"failedUserCount":-1}"#, 400),
        ("PATCH", &summary, &[WRITE, JSON], r#"{"failedUserCount":2147483648}"#, 400),
        ("PATCH", &summary, &[WRITE, JSON], r#"{"failedUserCount":99999999999999999999}"#, 400),
        ("PATCH", &summary, &[WRITE, JSON], r#"{"successfulDeviceCount":1}"#, 409),
        ("POST", &users, &[WRITE, JSON], &long, 400),
    ] {
        let mut lines = vec![HOST];
        lines.extend(headers);
        let answer = ask(to, &request(method, path, &lines, body.as_bytes()));
        assert_eq!(answer.status, status, "{method} {path} {headers:?} {body:.80}: {answer:?}");
        assert!(!answer.message().is_empty());
        assert_eq!(answer.header("allow").is_some(), status == 405);
        assert_eq!(everything(to), before);
    }
}

#[test]
fn full_tables_are_told_apart() {
    let to = service();
    let devices = h("/deviceRunStates");
    for (number, upn) in [(1, "ada"), (2, "bob"), (3, "bob")] {
        assert_eq!(post(to, &devices, &event(number, upn, "success")).status, 201);
    }
    let before = everything(to);
    let answer = post(to, &devices, &event(4, "ada", "success"));
    assert_eq!(answer.status, 507);
    assert!(answer.message().contains("all 3 rows are taken"), "{answer:?}");
    let row = format!("{devices}/{}", Uuid::from_u128(3));
    assert_eq!(everything(to), before);
    assert_eq!(ask(to, &request("DELETE", &row, &[HOST, WRITE], b"")).status, 204);
    let answer = post(to, &devices, &event(4, "eve", "success"));
    assert_eq!(answer.status, 507);
    assert!(answer.message().contains("all 2 rows are taken"), "{answer:?}");
}

#[test]
fn a_body_of_ten_megabytes_is_too_long() {
    let to = service();
    let before = everything(to);
    let body = vec![b' '; 10_000_000];
    let answer = post(to, &h("/deviceRunStates"), &body);
    assert_eq!(answer.status, 413);
    assert_eq!(answer.message(), "the body is longer than 262144 bytes");

    // The same in chunks, which do not tell how long it will be.
    let mut connection = Connection::new(to);
    let head = [HOST, WRITE, JSON, "Transfer-Encoding: chunked"];
    connection.write(&request("POST", &h("/deviceRunStates"), &head, b""));
    for chunk in body.chunks(1 << 16) {
        connection.try_write(format!("{:x}\r\n", chunk.len()).as_bytes());
        connection.try_write(chunk);
        connection.try_write(b"\r\n");
    }
    connection.try_write(b"0\r\n\r\n");
    assert_eq!(connection.read().map(|answer| answer.status), Some(413));
    assert_eq!(everything(to), before);
}

#[test]
fn the_longest_device_state_is_taken() {
    let to = service();
    let text = "\\u00e9".repeat(4096);
    let mut body = String::from_utf8(event(1, "ada", "success")).expect("text");
    body.pop();
    for name in ["configurationOutput", "configurationError", "assignmentFilterIds"] {
        body.extend([",\"", name, "\":\"", &text, "\""]);
    }
    body.push('}');
    let answer = post(to, &h("/deviceRunStates"), body.as_bytes());
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["configurationOutput"].as_str().map(str::len), Some(8192));
}

#[test]
fn half_a_body_is_given_up() {
    let options = Options { body_time: Duration::from_millis(50), ..Options::default() };
    let to = start(options, Limits::default());
    let before = everything(to);
    let whole =
        request("POST", &h("/deviceRunStates"), &[HOST, WRITE, JSON], &event(1, "a", "fail"));
    let half = &whole[..whole.len() - 20];

    let mut connection = Connection::new(to);
    connection.write(half);
    let answer = connection.read().expect("an answer");
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    assert_eq!(answer.message(), "the body took longer than 50ms");
    assert_eq!(connection.read(), None, "the connection is closed");

    // The client goes away in the middle.
    let mut connection = Connection::new(to);
    connection.write(half);
    connection.stop_writing();
    assert!(connection.read().is_none_or(|answer| answer.status == 400));
    assert_eq!(everything(to), before);
}

#[test]
fn half_a_head_is_given_up() {
    let limits = Limits { head: Duration::from_millis(50), ..Limits::default() };
    let to = start(Options::default(), limits);
    let mut connection = Connection::new(to);
    connection.write(b"GET / HTTP/1.1\r\nHost: x\r\n");
    let answer = connection.read().expect("an answer");
    assert_eq!(
        (answer.status, answer.message().as_str()),
        (408, "the head of the request took too long")
    );
    assert_eq!(connection.read(), None, "the connection is closed");
}

#[test]
fn what_is_no_http_is_refused() {
    let to = service();
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: x\r\n".repeat(1000));
    for bytes in [
        "\r\n\r\nGET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "{}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        &long,
        &many,
    ] {
        let mut connection = Connection::new(to);
        connection.try_write(bytes.as_bytes());
        connection.stop_writing();
        let answer = connection.read().expect("an answer");
        assert!((400..=431).contains(&answer.status), "{bytes:.60} {answer:?}");
        answer.message();
    }
    assert_eq!(get(to, &h("/runSummary")).status, 200);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let to = service();
    let mut bytes = Vec::new();
    for number in 1..=3 {
        let body = event(number, "ada", "success");
        bytes.extend(request("POST", &h("/deviceRunStates"), &[HOST, WRITE, JSON], &body));
        bytes.extend(request("GET", &h("/deviceRunStates/$count"), &[HOST, READ], b""));
        bytes.extend(request("GET", &h("/nothing"), &[HOST, READ], b""));
    }
    let mut connection = Connection::new(to);
    connection.write(&bytes);
    for number in 1..=3 {
        assert_eq!(connection.read().expect("an answer").status, 201);
        assert_eq!(connection.read().expect("an answer").body, number.to_string());
        assert_eq!(connection.read().expect("an answer").status, 404);
    }
}

#[test]
fn a_connection_outlives_what_is_refused() {
    let to = service();
    let mut connection = Connection::new(to);
    for _ in 0..100 {
        for (bytes, status) in [
            (request("PATCH", &h("/runSummary"), &[HOST, READ, JSON], b"{}"), 403),
            (request("PATCH", &h("/runSummary"), &[HOST, WRITE, JSON], b"{"), 400),
            (request("PUT", &h("/runSummary"), &[HOST, WRITE, JSON], b"{}"), 405),
            (request("GET", &h("/runSummary"), &[HOST, READ], b""), 200),
        ] {
            connection.write(&bytes);
            assert_eq!(connection.read().expect("an answer").status, status);
        }
    }
}

#[test]
fn a_connection_too_many_waits_for_its_turn() {
    let to = start(Options::default(), Limits { connections: 2, ..Limits::default() });
    let bytes = request("GET", "/healthz", &[HOST], b"");
    let mut held: Vec<_> = (0..2).map(|_| Connection::new(to)).collect();
    for connection in &mut held {
        connection.write(&bytes);
        assert_eq!(connection.read().expect("an answer").status, 200);
    }
    // The health of the service is always told; for the rest there is no place yet.
    let mut third = Connection::new(to);
    third.write(&bytes);
    assert_eq!(third.read().expect("an answer").status, 200);
    drop(held);
    third.write(&request("GET", &h("/runSummary"), &[HOST, READ], b""));
    assert_eq!(third.read().expect("an answer").status, 200);
}

#[test]
fn links_lead_to_where_the_request_was_sent() {
    let to = service();
    for number in 1..=2 {
        post(to, &h("/deviceRunStates"), &event(number, "ada", "success"));
    }
    let path = h("/deviceRunStates?$top=1");
    let next = h("/deviceRunStates?$top=1&$skiptoken=1");
    let ask_at = |to, host: &str| ask(to, &request("GET", &path, &[host, READ], b""));
    for host in ["counts.example.com:8080", "localhost", "127.0.0.1:80", "[::1]:8080"] {
        let link = ask_at(to, &format!("Host: {host}")).json()["@odata.nextLink"].take();
        assert_next(&link, &format!("http://{host}{next}"));
    }
    for host in ["", "a b", "user@host", "host/path", "host\"", "host,other", "é"] {
        let answer = ask_at(to, &format!("Host: {host}"));
        assert_eq!(answer.status, 400, "{host}");
    }
    let twice = ask(to, &request("GET", &path, &[HOST, HOST, READ], b""));
    assert_eq!(twice.message(), "send one Host header, with the name of a host");

    let origin = Some("https://counts.example.com".parse().expect("an origin"));
    let to = start(Options { origin, ..Options::default() }, Limits::default());
    for number in 1..=2 {
        post(to, &h("/deviceRunStates"), &event(number, "ada", "success"));
    }
    let link = ask_at(to, "Host: 10.0.0.1").json()["@odata.nextLink"].take();
    assert_next(&link, &format!("https://counts.example.com{next}"));
}

/// The link, up to what it says of its process.
fn assert_next(link: &serde_json::Value, next: &str) {
    let (link, mark) = link.as_str().expect("a link").rsplit_once('.').expect("a mark");
    assert_eq!((link, mark.len()), (next, 8));
}

#[test]
fn a_head_is_a_get_without_the_body() {
    let to = service();
    let whole = get(to, &h("/runSummary"));
    let mut connection = Connection::new(to);
    connection.write(&request("HEAD", &h("/runSummary"), &[HOST, READ], b""));
    let head = connection.read_head().expect("an answer");
    assert_eq!((head.status, head.header("content-length")), (200, whole.header("content-length")));
    connection.write(&request("GET", "/healthz", &[HOST], b""));
    assert_eq!(connection.read().expect("an answer").body, "ok");
}

#[test]
fn health_and_the_page_need_no_token() {
    let to = service();
    assert_eq!(ask(to, &request("GET", "/healthz", &[HOST], b"")).body, "ok");
    let page = ask(to, &request("GET", "/", &[HOST], b""));
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").is_some());
    assert!(page.body.len() < 30_000, "{} bytes", page.body.len());
    for remote in ["http://", "https://", "//cdn", "@import", "url("] {
        assert!(!page.body.contains(remote), "the page asks nobody else: {remote}");
    }
}

#[test]
fn metrics_and_rollouts_need_the_reading_token() {
    let to = service();
    post(to, &h("/deviceRunStates"), &event(1, "ada", "fail"));
    for path in ["/metrics", "/rollouts"] {
        for headers in [&[HOST][..], &[HOST, "Authorization: Bearer wrong"]] {
            let answer = ask(to, &request("GET", path, headers, b""));
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
        }
    }
    let rollouts = get(to, "/rollouts").json();
    assert_eq!(rollouts["value"][0]["id"], CONFIGURATION.to_string());
    assert_eq!(rollouts["value"][1]["kind"], "deviceManagementScript");

    let metrics = get(to, "/metrics");
    let labels = format!(r#"kind="hardwareConfiguration",id="{CONFIGURATION}",state"#);
    for line in [
        format!(r#"runtally_devices{{{labels}="fail"}} 1"#),
        format!(r#"runtally_devices{{{labels}="success"}} 0"#),
        format!(r#"runtally_users{{{labels}="fail"}} 1"#),
        r#"runtally_requests_total{status="201"} 1"#.to_owned(),
    ] {
        assert!(metrics.body.lines().any(|it| it == line), "{line} in {}", metrics.body);
    }
    let of_configuration = metrics.body.lines().filter(|line| line.contains(&labels)).count();
    assert_eq!(of_configuration, 12);
}

#[test]
fn an_answer_that_is_not_read_is_given_up() {
    let limits = Limits { answer: Duration::from_millis(200), ..Limits::default() };
    let to = start(Options::default(), limits);
    // More than the system buffers.
    let bytes = request("GET", "/", &[HOST], b"").repeat(2000);
    let mut connection = Connection::new(to);
    connection.try_write(&bytes);
    let begin = std::time::Instant::now();
    loop {
        let metrics = get(to, "/metrics").body;
        if metrics.contains("runtally_connections_closed_total{reason=\"answer_timeout\"} 1\n") {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{metrics}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn whoever_reads_slowly_but_in_time_gets_every_answer() {
    let limits = Limits { answer: Duration::from_secs(20), ..Limits::default() };
    let to = start(Options::default(), limits);
    let one = request("GET", "/", &[HOST], b"");
    let page = ask(to, &one).body;
    let mut connection = Connection::new(to);
    connection.write(&one.repeat(300));
    connection.stop_writing();
    for _ in 0..300 {
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(connection.read().expect("an answer").body, page);
    }
    assert_eq!(connection.read(), None);
}

#[test]
fn a_clock_that_is_wrong_does_no_harm() {
    let to = service();
    let event = |n: u128, state: &str, at: &str| {
        let id = Uuid::from_u128(n);
        format!(
            r#"{{"id":"{id}","configurationState":"{state}","lastStateUpdateDateTime":"{at}"}}"#
        )
    };
    let devices = h("/deviceRunStates");
    for (n, wrong) in [(1, "9999-12-31T23:59:59Z"), (2, "1970-01-01T00:00:05Z")] {
        for (state, at) in [("success", wrong), ("fail", "2037-01-01T00:00:00Z")] {
            let answer = post(to, &devices, event(n, state, at).as_bytes());
            assert_eq!(answer.status, 201, "{answer:?}");
            let year =
                answer.json()["lastStateUpdateDateTime"].as_str().map(|at| at[..4].to_owned());
            assert!(!["9999", "1970", "2037"].contains(&year.expect("a date-time").as_str()));
        }
    }
    let summary = get(to, &h("/runSummary")).json()["value"].take();
    assert_eq!(summary["failedDeviceCount"], 2, "{summary}");
    assert!(summary["lastRunDateTime"].as_str().is_some_and(|at| at < "2037"), "{summary}");
}
