//! The command as a process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Answer, Connection, request};

pub(crate) const HOST: &str = "Host: localhost";
pub(crate) const READ: &str = "Authorization: Bearer reading-token";
pub(crate) const WRITE: &str = "Authorization: Bearer writing-token";
pub(crate) const JSON: &str = "Content-Type: application/json";

/// A running service; it ends with the test.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) to: SocketAddr,
    /// Where the second line says its health is told.
    pub(crate) health: Option<SocketAddr>,
}

/// The command with both tokens and everything piped.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runtally-service"));
    command.args(["--listen", "127.0.0.1:0"]).args(args);
    command.env("RUNTALLY_READ_TOKEN", "reading-token");
    command.env("RUNTALLY_WRITE_TOKEN", "writing-token");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Process {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::spawn(&mut command(args))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut address = |before: &str| {
            let line = lines.next()?.expect("text");
            Some(line.strip_prefix(before)?.parse().expect("an address"))
        };
        let to = address("listening on http://");
        let has_health = command.get_args().any(|arg| arg == "--health");
        let health = if has_health { address("health on http://") } else { None };
        let Some(to) = to else {
            let mut said = String::new();
            child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
            panic!("{said}");
        };
        Self { child, to, health }
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut connection = Connection::new(self.to);
        let headers = [&[HOST], headers].concat();
        connection.write(&request(method, path, &headers, body));
        connection.read().expect("an answer")
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[READ], b"")
    }

    /// A sample of the metrics.
    pub(crate) fn metric(&self, sample: &str) -> u64 {
        let metrics = self.get("/metrics").body;
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{sample} ")));
        line.map_or(0, |value| value.parse().expect("a number"))
    }

    /// The most memory it ever had, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.expect("a line").trim().trim_end_matches(" kB");
        kib.parse::<u64>().expect("a number") * 1024
    }

    pub(crate) fn signal(&self, signal: &str) {
        let kill = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
    }

    /// Tells it to end; gives its exit code and how long it took.
    pub(crate) fn terminate(&mut self) -> (Option<i32>, Duration) {
        self.signal("-TERM");
        let start = Instant::now();
        let status = self.child.wait().expect("it ends");
        (status.code(), start.elapsed())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
