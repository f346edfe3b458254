//! The command under attack: memory stays bounded, others are answered, and it ends when told.

mod wire;

use std::fs::OpenOptions;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use wire::process::{HOST, JSON, Process, READ, WRITE, command};
use wire::{Connection, request};

const CONFIGURATION: &str = "4a1e0c52-6f0b-4d6e-8f43-0f1d4c7b9a10";

/// The grace it gives requests under way, and what a busy machine needs.
const GRACE: Duration = Duration::from_secs(10);

fn h(rest: &str) -> String {
    format!("/beta/deviceManagement/hardwareConfigurations/{CONFIGURATION}{rest}")
}

/// Sends `bytes` again and again, in writes of their own, until it is refused or `stop` is set.
fn flood(to: SocketAddr, head: &str, bytes: &[u8], stop: &AtomicBool) {
    // Whoever is cut off comes again.
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(to) else { continue };
        let _ = stream.set_nodelay(true);
        let _ = stream.set_write_timeout(Some(Duration::from_millis(200)));
        if stream.write_all(head.as_bytes()).is_err() {
            continue;
        }
        while !stop.load(Ordering::Relaxed) && stream.write_all(bytes).is_ok() {}
    }
}

#[test]
fn memory_is_bounded_whatever_is_sent() {
    const CONNECTIONS: u64 = 12;

    let service = Process::start(&["--log", "off", "--configuration", CONFIGURATION]);
    let chunked = format!(
        "POST {} HTTP/1.1\r\n{HOST}\r\n{JSON}\r\nTransfer-Encoding: chunked\r\n",
        h("/deviceRunStates")
    );
    let long = format!(
        "POST {} HTTP/1.1\r\n{HOST}\r\n{JSON}\r\nContent-Length: 1000000000\r\n",
        h("/deviceRunStates")
    );
    let page = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(50);
    let extended = format!("1;{}\r\nx\r\n", "e".repeat(200));
    let trailers = format!("0\r\n{}", "t: t\r\n".repeat(5000));
    let wide = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let zeros = vec![b' '; 1 << 16];
    for token in ["", WRITE] {
        let end = if token.is_empty() { "\r\n".to_owned() } else { format!("{token}\r\n\r\n") };
        let gzip = format!("{chunked}Content-Encoding: gzip\r\n{end}");
        let expects = format!("{chunked}Expect: 100-continue\r\n{end}");
        let (chunked, long) = (chunked.clone() + &end, long.clone() + &end);
        for (what, head, bytes) in [
            ("one-byte chunks", &chunked, &b"1\r\nx\r\n"[..]),
            ("extensions", &chunked, extended.as_bytes()),
            ("trailers", &chunked, trailers.as_bytes()),
            ("long chunks", &chunked, wide.as_bytes()),
            ("small pieces", &long, b"x"),
            ("long pieces", &long, &zeros),
            ("compressed", &gzip, b"1\r\nx\r\n"),
            ("expecting", &expects, b"1\r\nx\r\n"),
            ("pipelined", &page, page.as_bytes()),
        ] {
            let stop = AtomicBool::new(false);
            thread::scope(|scope| {
                for _ in 0..CONNECTIONS {
                    scope.spawn(|| flood(service.to, head, bytes, &stop));
                }
                thread::sleep(Duration::from_millis(250));
                assert_eq!(service.ask("GET", "/healthz", &[], b"").status, 200, "{what}");
                stop.store(true, Ordering::Relaxed);
            });
            // Each the longest body, as much again while it grows, buffers, and the process itself.
            let bound = CONNECTIONS * (2 * (256 << 10) + (192 << 10)) + (32 << 20);
            let peak = service.peak();
            assert!(peak < bound, "{what}: {peak} bytes, and {bound} are the bound");
        }
    }
}

#[test]
fn clients_that_never_read_keep_nobody_from_being_answered() {
    let args = ["--log", "off", "--connections", "64", "--configuration", CONFIGURATION];
    let mut service = Process::start(&[&args[..], &["--health", "127.0.0.1:0"]].concat());
    let pipelined = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2000);
    let mut deaf = Vec::new();
    for _ in 0..400 {
        let mut stream = TcpStream::connect(service.to).expect("it listens");
        stream.set_nonblocking(true).expect("a socket");
        let _ = stream.write(pipelined.as_bytes());
        deaf.push(stream);
    }
    for _ in 0..3 {
        let start = Instant::now();
        assert_eq!(service.ask("GET", "/healthz", &[], b"").body, "ok");
        assert_eq!(service.ask("GET", "/readyz", &[], b"").body, "ok");
        let mut own = Connection::new(service.health.expect("it says"));
        own.write(&request("GET", "/readyz", &[HOST], b""));
        assert_eq!(own.read().expect("an answer").body, "ok");
        // Whoever finds no place for three seconds is told to come again, and does.
        let summary = std::iter::repeat_with(|| service.get(&h("/runSummary")))
            .take(3)
            .inspect(|it| assert!(it.status == 200 || it.header("Retry-After").is_some()))
            .find(|it| it.status != 503);
        assert_eq!(summary.expect("a place in the end").status, 200);
        assert!(start.elapsed() < Duration::from_secs(14), "{:?}", start.elapsed());
    }
    let (code, took) = service.terminate();
    assert!(code == Some(0) && took < GRACE, "{code:?} after {took:?}");
    drop(deaf);
}

#[test]
fn idle_and_slow_connections_starve_nobody() {
    let args = ["--log", "off", "--connections", "16", "--configuration", CONFIGURATION];
    let mut service = Process::start(&args);
    let beginnings =
        [String::new(), "GET / HT".to_owned(), format!("POST {} HTTP/1.1\r\n", h("/x"))];
    let mut slow: Vec<TcpStream> = Vec::new();
    for n in 0..300 {
        let mut stream = TcpStream::connect(service.to).expect("it listens");
        let _ = stream.write_all(beginnings[n % 3].as_bytes());
        slow.push(stream);
    }
    // And those that send a body they may send, a byte at a time.
    let body = format!(
        "POST {} HTTP/1.1\r\n{HOST}\r\n{WRITE}\r\n{JSON}\r\nContent-Length: 1000\r\n\r\n ",
        h("/deviceRunStates")
    );
    for _ in 0..20 {
        let mut stream = TcpStream::connect(service.to).expect("it listens");
        let _ = stream.write_all(body.as_bytes());
        slow.push(stream);
    }
    for _ in 0..5 {
        let start = Instant::now();
        assert_eq!(service.ask("GET", "/healthz", &[], b"").status, 200);
        let answer = service.get(&h("/runSummary"));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    }
    assert!(service.metric("runtally_connections_closed_total{reason=\"evicted\"}") > 0);
    let (code, took) = service.terminate();
    assert!(code == Some(0) && took < GRACE, "{code:?} after {took:?}");
}

#[test]
fn when_every_place_is_at_work_the_rest_is_told_to_come_again() {
    let service = Process::start(&["--log", "off", "--connections", "1"]);
    // It has just come, so it makes no room.
    let mut first = Connection::new(service.to);
    first.write(&request("GET", "/rollouts", &[HOST, READ], b""));
    assert_eq!(first.read().expect("an answer").status, 200);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                first.write(&request("GET", "/rollouts", &[HOST, READ], b""));
                assert_eq!(first.read().expect("an answer").status, 200);
            }
        });
        let answer = service.get("/rollouts");
        let health = service.ask("GET", "/healthz", &[], b"");
        stop.store(true, Ordering::Relaxed);
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        assert!(answer.message().contains("try again"));
        assert_eq!(health.status, 200);
    });
}

#[test]
fn half_closed_clients_are_answered() {
    let service = Process::start(&["--log", "off", "--configuration", CONFIGURATION]);
    for n in 0..20 {
        let mut connection = Connection::new(service.to);
        let id = uuid::Uuid::from_u128(n);
        let body = format!(
            r#"{{"id":"{id}","configurationState":"success","lastStateUpdateDateTime":"2026-11-21T09:30:00Z"}}"#
        );
        let headers = [HOST, WRITE, JSON];
        connection.write(&request("POST", &h("/deviceRunStates"), &headers, body.as_bytes()));
        connection.stop_writing();
        assert_eq!(connection.read().map(|answer| answer.status), Some(201));
        assert_eq!(connection.read(), None);
    }
    assert_eq!(service.get(&h("/deviceRunStates/$count")).body, "20");
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let full = || OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let mut service = Process::spawn(command(&[]).stderr(full()));
    for _ in 0..50 {
        assert_eq!(service.get("/rollouts").status, 200);
    }
    // The lines of all but the last requests are lost by now.
    thread::sleep(Duration::from_millis(200));
    assert!(service.metric("runtally_log_lines_lost_total") >= 50);
    let (code, took) = service.terminate();
    assert!(code == Some(0) && took < GRACE, "{code:?} after {took:?}");

    // Closed, it is as good as `--log off`.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut service = Process::spawn(command(&[]).stderr(writer));
    for _ in 0..50 {
        assert_eq!(service.get("/rollouts").status, 200);
    }
    let (code, took) = service.terminate();
    assert!(code == Some(0) && took < GRACE, "{code:?} after {took:?}");
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let mut service = Process::spawn(command(&["--demo"]).stderr(Stdio::piped()));
    let mut connection = Connection::new(service.to);
    let one = request("GET", "/healthz", &[HOST], b"");
    // A pipe holds 64 KiB, and the queue a MiB.
    let many = one.repeat(100);
    for _ in 0..200 {
        connection.write(&many);
        for _ in 0..100 {
            assert_eq!(connection.read().expect("an answer").status, 200);
        }
    }
    assert!(service.metric("runtally_log_lines_lost_total") > 1000);
    assert!(service.peak() < 64 << 20, "{}", service.peak());
    let (code, took) = service.terminate();
    assert!(code == Some(0) && took < GRACE, "{code:?} after {took:?}");
}

#[test]
fn the_token_is_looked_at_before_the_body() {
    let service = Process::start(&["--log", "off", "--configuration", CONFIGURATION]);
    for expect in ["", "Expect: 100-continue\r\n"] {
        for length in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
            for token in ["", "Authorization: Bearer a-wrong-one-indeed\r\n"] {
                let mut connection = Connection::new(service.to);
                let head = format!(
                    "POST {} HTTP/1.1\r\n{HOST}\r\n{token}{JSON}\r\n{expect}{length}\r\n\r\n",
                    h("/deviceRunStates")
                );
                connection.write(head.as_bytes());
                let answer = connection.read().expect("an answer, with nothing of the body sent");
                assert_eq!(
                    (answer.status, answer.header("www-authenticate")),
                    (401, Some("Bearer"))
                );
                assert_eq!(connection.read(), None, "what follows is no request");
            }
        }
    }
    // Whoever has one is told to go on.
    let mut connection = Connection::new(service.to);
    let body = r#"{"id":"00000000-0000-0000-0000-000000000001","configurationState":"success","lastStateUpdateDateTime":"2026-11-21T09:30:00Z"}"#;
    let head = [HOST, WRITE, JSON, "Expect: 100-continue"];
    let whole = request("POST", &h("/deviceRunStates"), &head, body.as_bytes());
    connection.write(&whole[..whole.len() - body.len()]);
    assert_eq!(connection.read_head().expect("an answer").status, 100);
    connection.write(body.as_bytes());
    assert_eq!(connection.read().expect("an answer").status, 201);
}

#[test]
fn an_answer_is_seen_even_by_who_sends_on() {
    let service = Process::start(&["--log", "off", "--configuration", CONFIGURATION]);
    for token in [WRITE, "X: none"] {
        let mut connection = Connection::new(service.to);
        let body = vec![b' '; 10_000_000];
        connection.write(&request("POST", &h("/deviceRunStates"), &[HOST, token, JSON], &body));
        let status = connection.read().map(|answer| answer.status);
        assert_eq!(status, Some(if token == WRITE { 413 } else { 401 }));
    }
}

#[test]
fn what_hyper_refuses_has_graphs_shape_and_is_counted() {
    let service = Process::start(&["--log", "off"]);
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: x\r\n".repeat(1000));
    let far = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(70_000));
    let pipelined = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n{}\r\n\r\n";
    let refused = [
        ("GET / HTTP/9.9\r\n\r\n", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        ("{}\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\n", 400),
        (&long, 431),
        (&many, 431),
        (&far, 431),
        (pipelined, 400),
    ];
    for (bytes, status) in refused {
        let mut connection = Connection::new(service.to);
        connection.try_write(bytes.as_bytes());
        connection.stop_writing();
        if bytes == pipelined {
            assert_eq!(connection.read().expect("an answer").body, "ok");
        }
        let answer = connection.read().unwrap_or_else(|| panic!("no answer to {bytes:.60}"));
        assert_eq!(answer.status, status, "{bytes:.60}");
        assert!(!answer.message().is_empty());
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(connection.read(), None);
    }
    for status in [400, 431] {
        let expected = refused.iter().filter(|it| it.1 == status).count() as u64;
        let sample = format!("runtally_requests_total{{status=\"{status}\"}}");
        assert_eq!(service.metric(&sample), expected, "{status}");
    }
}

#[test]
fn every_path_answers_every_method_in_graphs_shape() {
    let service = Process::start(&["--log", "off"]);
    let mut count = 0;
    for path in ["/", "/metrics", "/rollouts", "/healthz", "/readyz"] {
        for method in ["POST", "DELETE", "OPTIONS", "BREW"] {
            let answer = service.ask(method, path, &[READ], b"");
            assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD")), "{path}");
            assert_eq!(answer.message(), "method not allowed (allowed: GET, HEAD)");
            count += 1;
        }
    }
    assert_eq!(service.metric("runtally_requests_total{status=\"405\"}"), count);
    for target in ["*", "localhost:80", "http://localhost/nothing", "//", "/%", "/\u{7f}"] {
        for method in ["GET", "OPTIONS", "CONNECT"] {
            let mut connection = Connection::new(service.to);
            connection.write(&request(method, target, &[HOST, READ], b""));
            let Some(answer) = connection.read() else { panic!("no answer: {method} {target}") };
            assert!((400..=405).contains(&answer.status), "{method} {target} {answer:?}");
            answer.message();
        }
    }
}

#[test]
fn headers_that_may_come_once_come_once() {
    let service = Process::start(&["--log", "off", "--configuration", CONFIGURATION]);
    let path = h("/runSummary");
    for headers in [&[READ, READ][..], &[READ, WRITE], &[READ, "Authorization: Basic eDp5"]] {
        let answer = service.ask("GET", &path, headers, b"");
        assert_eq!(
            (answer.status, answer.message().as_str()),
            (400, "send one Authorization header")
        );
    }
    for path in ["/", "/healthz", "/metrics", &path] {
        for head in ["", "Host: a\r\nHost: b\r\n", "Host: a b\r\n", "Host:\r\n"] {
            let mut connection = Connection::new(service.to);
            connection.write(format!("GET {path} HTTP/1.1\r\n{head}{READ}\r\n\r\n").as_bytes());
            let answer = connection.read().expect("an answer");
            assert_eq!(answer.status, 400, "{path} {head}");
            assert_eq!(answer.message(), "send one Host header, with the name of a host");
        }
        let mut old = Connection::new(service.to);
        old.write(format!("GET {path} HTTP/1.0\r\n{READ}\r\n\r\n").as_bytes());
        assert_eq!(old.read().expect("an answer").status, 200, "HTTP/1.0 knows no Host");
    }
}

#[test]
fn content_codings_are_read_as_they_are_written() {
    let service = Process::start(&["--log", "off", "--configuration", CONFIGURATION]);
    let body = br#"{"id":"00000000-0000-0000-0000-000000000001","configurationState":"success","lastStateUpdateDateTime":"2026-11-21T09:30:00Z"}"#;
    for (coding, status) in [
        ("identity", 201),
        ("IDENTITY", 201),
        ("identity , Identity", 201),
        ("", 201),
        ("gzip", 415),
        ("identity, gzip", 415),
        ("x\u{e9}", 415),
    ] {
        let coding = format!("Content-Encoding: {coding}");
        let answer = service.ask("POST", &h("/deviceRunStates"), &[WRITE, JSON, &coding], body);
        assert_eq!(answer.status, status, "{coding}");
        assert_eq!(answer.header("accept-encoding").is_some(), status == 415);
    }
}

#[test]
fn a_transfer_coding_but_chunked_is_refused() {
    let service = Process::start(&["--log", "off", "--configuration", CONFIGURATION]);
    let body = r#"{"id":"00000000-0000-0000-0000-000000000001","configurationState":"success","lastStateUpdateDateTime":"2026-11-21T09:30:00Z"}"#;
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for (codings, status) in [
        (&["Transfer-Encoding: chunked"][..], 201),
        (&["Transfer-Encoding: Chunked"], 201),
        (&["Transfer-Encoding: chunked, chunked"], 501),
        (&["Transfer-Encoding: gzip, chunked"], 501),
        (&["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"], 501),
        (&["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], 501),
    ] {
        let mut connection = Connection::new(service.to);
        let headers = [&[HOST, WRITE, JSON], codings].concat();
        connection.write(&request("POST", &h("/deviceRunStates"), &headers, b""));
        connection.try_write(chunked.as_bytes());
        let answer = connection.read().expect("an answer");
        assert_eq!(answer.status, status, "{codings:?} {}", answer.body);
        if status == 501 {
            assert_eq!(answer.message(), "send the body with no Transfer-Encoding but chunked");
            assert_eq!(connection.read(), None, "what follows is no request");
        }
    }
}

#[test]
fn a_body_that_says_it_is_too_long_is_not_asked_for() {
    let service = Process::start(&["--log", "off", "--configuration", CONFIGURATION]);
    for length in ["262145", "9223372036854775807"] {
        for expect in ["Expect: 100-continue", "X: none"] {
            let mut connection = Connection::new(service.to);
            let length = format!("Content-Length: {length}");
            let headers = [HOST, WRITE, JSON, expect, &length];
            connection.write(&request("POST", &h("/deviceRunStates"), &headers, b""));
            let answer = connection.read().expect("an answer, with nothing of the body sent");
            assert_eq!(answer.status, 413, "{length} {expect}");
            assert_eq!(answer.message(), "the body is longer than 262144 bytes");
            assert_eq!(connection.read(), None, "what follows is no request");
        }
    }
}

#[test]
fn every_answer_may_not_be_sniffed_nor_kept() {
    let service = Process::start(&["--log", "off", "--configuration", CONFIGURATION]);
    for path in ["/", "/healthz", "/readyz", "/metrics", "/rollouts", "/nothing", &h("/runSummary")]
    {
        let answer = service.get(path);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        let cache = answer.header("cache-control");
        assert_eq!(cache, Some(if path == "/" { "no-cache" } else { "no-store" }), "{path}");
    }
    let page = service.ask("GET", "/", &[], b"");
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
}

#[test]
fn metrics_come_as_they_are_asked_for_and_in_one_order() {
    let service = Process::start(&["--log", "off", "--configuration", CONFIGURATION]);
    let text = service.get("/metrics");
    assert_eq!(text.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(!text.body.contains("# EOF"));
    assert!(text.body.contains("# TYPE runtally_requests_total counter"));
    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2";
    let open = service.ask("GET", "/metrics", &[READ, accept], b"");
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("content-type"), Some(media_type));
    assert!(open.body.ends_with("# EOF\n"));
    assert!(open.body.contains("# TYPE runtally_requests counter"));
    let names = |body: &str| -> Vec<String> {
        let lines = body.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
    };
    let again = service.get("/metrics");
    assert_eq!(names(&again.body), names(&service.get("/metrics").body));
    assert_eq!(names(&again.body), names(&open.body));
}

#[test]
fn it_ends_when_told_in_the_midst_of_anything() {
    let beginnings = [
        String::new(),
        "GET / HT".to_owned(),
        format!(
            "POST {} HTTP/1.1\r\n{HOST}\r\n{WRITE}\r\n{JSON}\r\nContent-Length: 9\r\n\r\n{{",
            h("/deviceRunStates")
        ),
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3000),
        format!("POST / HTTP/1.1\r\n{HOST}\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ];
    let mut service = Process::start(&["--log", "off", "--configuration", CONFIGURATION]);
    let held: Vec<_> = beginnings
        .iter()
        .flat_map(|bytes| {
            [false, true].map(|half| {
                let mut stream = TcpStream::connect(service.to).expect("it listens");
                stream.set_nonblocking(true).expect("a socket");
                let _ = stream.write(bytes.as_bytes());
                if half {
                    let _ = stream.shutdown(Shutdown::Write);
                }
                stream
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(100));
    let (code, took) = service.terminate();
    assert!(code == Some(0) && took < GRACE, "{code:?} after {took:?}");
    drop(held);
}

#[test]
fn one_address_leaves_room_for_others() {
    let args = ["--log", "off", "--connections", "8", "--connections-per-address", "4"];
    let service = Process::start(&args);
    let (stop, refused) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        // They are always at work, so none of them makes room.
        for _ in 0..8 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let mut connection = Connection::new(service.to);
                    loop {
                        connection.write(&request("GET", "/rollouts", &[HOST, READ], b""));
                        match connection.read().map(|answer| answer.status) {
                            Some(200) if !stop.load(Ordering::Relaxed) => {}
                            Some(503) => {
                                refused.store(true, Ordering::Relaxed);
                                break;
                            }
                            _ => break,
                        }
                    }
                }
            });
        }
        let start = Instant::now();
        while !refused.load(Ordering::Relaxed) && start.elapsed() < GRACE {
            thread::sleep(Duration::from_millis(10));
        }
        let other = "127.0.0.2".parse().expect("an address");
        let answers: Vec<_> = (0..20)
            .map(|_| {
                let mut connection = Connection::from(other, service.to);
                connection.write(&request("GET", "/rollouts", &[HOST, READ], b""));
                connection.read().map(|answer| answer.status)
            })
            .collect();
        stop.store(true, Ordering::Relaxed);
        assert!(refused.load(Ordering::Relaxed), "four of eight are too many");
        assert!(answers.iter().all(|status| *status == Some(200)), "{answers:?}");
    });
}
