//! The command itself: what it prints, what it takes, and how it ends.

mod wire;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};

use wire::{Connection, request};

const CONFIGURATION: &str = "4a1e0c52-6f0b-4d6e-8f43-0f1d4c7b9a10";

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runtally-service"));
    command.args(args).env_remove("RUNTALLY_READ_TOKEN").env_remove("RUNTALLY_WRITE_TOKEN");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts the service at a port of its own; gives where the first line says it listens.
fn start(command: &mut Command) -> (Child, SocketAddr) {
    let mut child = command.args(["--listen", "127.0.0.1:0"]).spawn().expect("it starts");
    let mut first = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut first).expect("a line");
    let address = first.trim_end().strip_prefix("listening on http://").expect("an address");
    let address = address.parse().expect("an address");
    (child, address)
}

fn stop(mut child: Child, signal: &str) -> (Option<i32>, String) {
    let kill = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    let status = child.wait().expect("it ends");
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    (status.code(), said)
}

fn get(to: SocketAddr, path: &str, token: &str) -> wire::Answer {
    let mut connection = Connection::new(to);
    let authorization = format!("Authorization: Bearer {token}");
    connection.write(&request("GET", path, &["Host: localhost", &authorization], b""));
    connection.read().expect("an answer")
}

#[test]
fn it_serves_what_it_was_told_and_ends_when_told() {
    for signal in ["-TERM", "-INT"] {
        let mut command = command(&["--configuration", CONFIGURATION, "--bare"]);
        command
            .env("RUNTALLY_READ_TOKEN", "reading-token")
            .env("RUNTALLY_WRITE_TOKEN", "writing-token");
        let (child, to) = start(&mut command);
        let path = format!("/deviceManagement/hardwareConfigurations/{CONFIGURATION}/runSummary");
        let summary = get(to, &path, "reading-token").json();
        assert_eq!(summary["successfulDeviceCount"], 0, "bare: no envelope");
        let idle = Connection::new(to);
        let (code, said) = stop(child, signal);
        drop(idle);
        assert_eq!(code, Some(0), "{said}");
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 1, "a line for each request: {said}");
        assert!(lines[0].contains("status=200") && lines[0].contains(&path), "{said}");
        assert!(!said.contains("Bearer"), "no token is in the log");
    }
}

#[test]
fn tokens_that_are_not_given_are_made_and_printed() {
    let (child, to) = start(&mut command(&["--demo", "--log", "off"]));
    let path = "/rollouts";
    assert_eq!(get(to, path, "r").status, 401);
    let (_, said) = stop(child, "-TERM");
    let tokens: Vec<_> = said.lines().filter_map(|line| line.rsplit_once(": ")).collect();
    assert_eq!(tokens.len(), 2, "{said}");
    assert!(tokens.iter().all(|(_, token)| token.len() == 32), "{said}");
    assert_ne!(tokens[0].1, tokens[1].1);
}

#[test]
fn a_printed_token_is_taken() {
    let mut command = command(&["--demo", "--log", "off"]);
    command.env("RUNTALLY_WRITE_TOKEN", "writing-token");
    let (mut child, to) = start(&mut command);
    let mut said = String::new();
    BufReader::new(child.stderr.as_mut().expect("piped")).read_line(&mut said).expect("a line");
    let token = said.trim_end().rsplit_once(": ").expect("a token").1;
    assert_eq!(get(to, "/rollouts", token).status, 200);
    stop(child, "-TERM");
}

#[test]
fn help_and_version_are_printed() {
    let output = |args: &[&str]| command(args).output().expect("it runs");
    let text = |output: &Output| String::from_utf8(output.stdout.clone()).expect("text");
    let help = output(&["--help"]);
    assert!(help.status.success());
    for option in
        ["--listen", "--configuration", "--script", "--bare", "--database", "--origin", "--version"]
    {
        assert!(text(&help).contains(option), "{option}");
    }
    let readme = include_str!("../README.md");
    let (_, table) = readme.split_once("| option | meaning |").expect("there is a table");
    let (table, _) = table.split_once("\n\n").expect("it ends");
    let options = table.split('`').filter(|text| text.starts_with("--"));
    let options: Vec<_> = options.filter_map(|text| text.split(' ').next()).collect();
    assert!(options.len() > 18, "{options:?}");
    for option in options {
        assert!(text(&help).contains(&format!("  {option} ")), "{option}");
    }
    assert_eq!(text(&output(&["--version"])).trim_end(), "runtally-service 0.1.0");
}

#[test]
fn what_it_does_not_understand_is_named() {
    for (args, said) in [
        (&["--listen", "x"][..], "\"x\": invalid socket address"),
        (&["--configuration", "1"], "\"1\""),
        (&["--origin", "counts"], "scheme and host"),
        (&["--configuration"], "--configuration"),
        (&["--version-of", "x=1"], "expected GUID=N"),
        (&["--version-of", "4a1e0c52-6f0b-4d6e-8f43-0f1d4c7b9a10=0"], "from 1 to 2147483647"),
        (&["--ahead", "-1"], "hours"),
        (&["--gate", "101"], "from 0.01 to 100"),
        (&["--gate-minimum", "3"], "--gate only"),
        (&["--earliest", "yesterday"], "\"yesterday\""),
        (&["extra"], "extra"),
    ] {
        let output = command(args).output().expect("it runs");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

/// What the command says when it is started so, in vain.
fn refusal(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn tokens_that_cannot_work_are_refused_and_not_shown() {
    let long = "x".repeat(100_000);
    for (token, why) in [
        (" a-token-of-some-length", "visible ASCII"),
        ("a-token-of-some-length\n", "visible ASCII"),
        ("a-token of-some-length", "visible ASCII"),
        ("a-t\u{f6}ken-of-some-length", "visible ASCII"),
        ("tiny-token", "12 random characters or more"),
        ("", "is empty"),
        (&long, "1024 characters or fewer"),
    ] {
        for variable in ["RUNTALLY_READ_TOKEN", "RUNTALLY_WRITE_TOKEN"] {
            let (code, said) = refusal(command(&["--listen", "127.0.0.1:0"]).env(variable, token));
            assert_eq!(code, Some(1), "{said}");
            assert!(said.contains(why) && said.contains(variable), "{said}");
            assert!(token.is_empty() || !said.contains(token), "{said}");
        }
    }
    let mut same = command(&["--listen", "127.0.0.1:0"]);
    same.env("RUNTALLY_READ_TOKEN", "the-same-token");
    same.env("RUNTALLY_WRITE_TOKEN", "the-same-token");
    let (code, said) = refusal(&mut same);
    assert!(code == Some(1) && said.contains("use different ones"), "{said}");
}

#[test]
fn tokens_come_from_files_and_may_be_several() {
    let place = |name: &str, text: &str| {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let read = place("read-tokens", "reading-token\r\nformer-reading-token\n");
    let write = place("write-token", "writing-token\n");
    let files = ["--read-token-file", &read, "--write-token-file", &write, "--log", "off"];
    let (child, to) = start(&mut command(&files));
    for token in ["reading-token", "former-reading-token", "writing-token"] {
        assert_eq!(get(to, "/rollouts", token).status, 200, "{token}");
    }
    assert_eq!(get(to, "/rollouts", "formerly-reading").status, 401);
    let (_, said) = stop(child, "-TERM");
    assert_eq!(said, "", "no token was made");

    let blank = place("blank-token", "a token-with-a-blank\n");
    let empty = place("no-token", "\n");
    let long = place("long-tokens", &"reading-token\n".repeat(80_000));
    for (args, why) in [
        (["--read-token-file", &blank], "token 1: the token has a character"),
        (["--read-token-file", &empty], "it has no token"),
        (["--read-token-file", &long], "it is longer than 1048576 bytes"),
        (["--write-token-file", "/nowhere"], "No such file"),
    ] {
        let (code, said) = refusal(&mut command(&args));
        assert!(code == Some(1) && said.contains(why), "{said}");
    }
    let both = ["--read-token-file", &read];
    let (code, said) = refusal(command(&both).env("RUNTALLY_READ_TOKEN", "another-token"));
    assert!(code == Some(1) && said.contains("use one"), "{said}");
}

#[test]
fn what_the_system_does_not_grant_is_told_at_the_start() {
    for connections in ["0", "-1", "65537", "9223372036854775807", "99999999999999999999", "x"] {
        let (code, said) = refusal(&mut command(&["--connections", connections]));
        assert_eq!(code, Some(2));
        assert!(said.contains("from 1 to 65536"), "{said}");
    }
    let limited = |limit: &str, args: &[&str]| {
        let mut limited = Command::new("prlimit");
        limited.args([limit, env!("CARGO_BIN_EXE_runtally-service")]).args(args);
        limited.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        limited
    };
    let (code, said) = refusal(&mut limited("--nofile=500:500", &["--connections", "400"]));
    assert!(
        code == Some(1) && said.contains("need 720 open files, and the limit is 500"),
        "{said}"
    );
    let database = ["--database", "/nowhere/at.all"];
    let (code, said) = refusal(&mut limited("--fsize=1000000:1000000", &database));
    assert!(code == Some(1) && said.contains("ulimit -f"), "{said}");
    // Without a number it takes what there is.
    let (child, to) = start(&mut limited("--nofile=500:500", &["--log", "off"]));
    assert_eq!(get(to, "/rollouts", "-").status, 401);
    stop(child, "-TERM");
}

#[test]
fn there_is_room_for_eight_configurations() {
    let ids: Vec<String> = (0..9).map(|n| uuid::Uuid::from_u128(n).to_string()).collect();
    let args: Vec<_> = ids.iter().flat_map(|id| ["--configuration", id]).collect();
    let output = command(&args).output().expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("all 8 are taken"), "{error}");
}
