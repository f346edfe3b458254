//! Counts a roll-out: device states in, the run summary out.
//!
//! ```text
//! cargo run --release --example rollout                     # the bundled trace
//! cargo run --release --example rollout -- --users FILE     # a file of your own
//! cargo run --release --example rollout -- --help
//! ```
//!
//! The way of the data: line, event, tally, summary, line. `take` holds the two calls that matter;
//! all else here is reading and printing.

#[path = "rollout/args.rs"]
mod args;
#[path = "rollout/chart.rs"]
mod chart;
#[path = "rollout/lines.rs"]
mod lines;

use std::error::Error;
use std::io::{self, BufReader, BufWriter, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use std::{env, fmt};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use runtally::graph::{DeviceState, RunSummary, Upn, UserState, summary_id, user_state_id};
use runtally::{Outcome, Tally};
use uuid::{Uuid, uuid};

use args::Args;
use chart::Chart;
use lines::Lines;

/// Room for 65 534 devices and 16 384 users.
type Fleet = Tally<Uuid, Upn, 65_534, 16_384>;

/// An empty tally is all zero bytes: it takes no room in the program's file, and none on the stack.
static FLEET: Mutex<Fleet> = Mutex::new(Tally::new());

/// The configuration that is rolled out. The ids of the summary and of the users are the name-based
/// UUIDs below it that requests are answered with.
const CONFIGURATION: Uuid = uuid!("1f0a2c6e-5b7d-4e3a-9c48-d2b6f0e17a95");

/// How many lines came to what.
#[derive(Default)]
struct Figures {
    applied: u64,
    duplicate: u64,
    stale: u64,
    refused: u64,
}

fn main() -> ExitCode {
    match run() {
        Ok(Figures { refused: 0, .. }) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            say(format_args!("rollout: {error}"));
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<Figures, Box<dyn Error>> {
    let Some(args) = Args::from_env()? else {
        print(|out| writeln!(out, "{}", args::HELP))?;
        return Ok(Figures::default());
    };
    let mut fleet = FLEET.lock().unwrap_or_else(PoisonError::into_inner);
    let start = Instant::now();
    let figures =
        read(&args, &mut fleet).map_err(|error| format!("cannot read {}: {error}", args.source))?;
    let elapsed = start.elapsed();

    print(|out| {
        write_summary(&fleet, out)?;
        if args.users {
            write_users(&fleet, out)?;
        }
        if args.devices {
            write_devices(&fleet, out)?;
        }
        Ok(())
    })?;
    if !args.quiet {
        let colour = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
        let per_second = u128::from(figures.lines()) * 1_000_000_000 / elapsed.as_nanos().max(1);
        say(format_args!(
            "\n{}\n{}\n{figures}; {} lines/s",
            Chart { title: "devices", counts: fleet.summary().devices, colour },
            Chart { title: "users", counts: fleet.summary().users, colour },
            HumanCount(per_second.try_into().unwrap_or(u64::MAX)),
        ));
    }
    Ok(figures)
}

/// Takes every line of the source; a line that is refused is reported, and changes nothing.
fn read(args: &Args, fleet: &mut Fleet) -> io::Result<Figures> {
    let (input, length) = args.source.open()?;
    let progress = progress(length, args.quiet);
    let mut lines = Lines::new(BufReader::with_capacity(1 << 18, progress.wrap_read(input)));
    let mut figures = Figures::default();
    while let Some(line) = lines.next()? {
        let taken = match line.text {
            Ok(text) if lines::is_blank(text) => continue,
            Ok(text) => take(text, fleet),
            Err(too_long) => Err(too_long.into()),
        };
        match taken {
            Ok(Outcome::Applied { .. }) => figures.applied += 1,
            Ok(Outcome::Duplicate) => figures.duplicate += 1,
            Ok(Outcome::Stale) => figures.stale += 1,
            Err(reason) => {
                figures.refused += 1;
                progress.suspend(|| say(format_args!("{}:{}: {reason}", args.source, line.number)));
            }
        }
    }
    progress.finish_and_clear();
    Ok(figures)
}

/// One line: a device state is read, and its event applied.
fn take(line: &[u8], fleet: &mut Fleet) -> Result<Outcome, Box<dyn Error>> {
    let event = DeviceState::decode(line)?.event();
    Ok(fleet.apply(&event)?)
}

/// The summary, in the envelope that `GET …/runSummary` answers with.
fn write_summary(fleet: &Fleet, out: &mut dyn Write) -> io::Result<()> {
    let id = Some(summary_id(&CONFIGURATION));
    let summary = RunSummary { id, summary: *fleet.summary() };
    let mut json = [0; RunSummary::MAX_JSON];
    let length = summary.encode(&mut json).map_err(io::Error::other)?;
    out.write_all(b"{\"value\":")?;
    out.write_all(&json[..length])?;
    out.write_all(b"}\n")
}

/// One user state per line.
fn write_users(fleet: &Fleet, out: &mut dyn Write) -> io::Result<()> {
    let mut rows: Vec<_> = fleet.users().collect();
    rows.sort_unstable_by_key(|row| row.user);
    let mut json = [0; UserState::MAX_JSON];
    for row in rows {
        let Some(last_update) = row.last_update else { continue };
        let id = Some(user_state_id(&CONFIGURATION, row.user));
        let (upn, devices) = (row.user.into(), row.reported());
        let state = UserState { id, upn, email: None, name: None, last_update, devices };
        let length = state.encode(&mut json).map_err(io::Error::other)?;
        out.write_all(&json[..length])?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// One device state per line.
fn write_devices(fleet: &Fleet, out: &mut dyn Write) -> io::Result<()> {
    let mut events: Vec<_> = fleet.devices().collect();
    events.sort_unstable_by_key(|event| event.device);
    let mut json = [0; DeviceState::MAX_ROW_JSON];
    for event in events {
        let state = DeviceState::row(*event.device, event.user, event.state, event.at);
        let length = state.encode(&mut json).map_err(io::Error::other)?;
        out.write_all(&json[..length])?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Standard output through `write`; a reader who has seen enough is no error.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), String> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}

/// One message on standard error. If that fails, there is nobody left to tell.
fn say(message: fmt::Arguments<'_>) {
    let _ = io::stderr().write_all(format!("{message}\n").as_bytes());
}

/// A bar where the length is known, else a count of bytes; only on a terminal.
fn progress(length: Option<u64>, quiet: bool) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let template = match length {
        Some(_) => "{wide_bar} {percent:>3} %  {binary_bytes_per_sec}  {eta} left",
        None => "{spinner} {binary_bytes}  {binary_bytes_per_sec}",
    };
    let style = ProgressStyle::with_template(template).expect("the template is well formed");
    ProgressBar::with_draw_target(length, target).with_style(style)
}

impl Figures {
    fn lines(&self) -> u64 {
        self.applied + self.duplicate + self.stale + self.refused
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lines: {} applied, {} duplicate, {} stale, {} refused",
            HumanCount(self.lines()),
            HumanCount(self.applied),
            HumanCount(self.duplicate),
            HumanCount(self.stale),
            HumanCount(self.refused),
        )
    }
}
