//! Counts a roll-out: device states in, the run summary out.
//!
//! ```text
//! cargo run --release --example rollout                          # the bundled trace
//! cargo run --release --example rollout -- --users FILE ...      # files of your own
//! cargo run --release --example rollout -- --overdue 3d --gate failed=5%,min=50 FILE
//! cargo run --release --example rollout -- --help
//! ```
//!
//! The way of the data: document, event, tally, summary, line. `take` holds the two calls that
//! matter; all else here is reading and printing.

#[path = "rollout/args.rs"]
mod args;
#[path = "rollout/chart.rs"]
mod chart;
#[path = "rollout/documents.rs"]
mod documents;
#[path = "rollout/input.rs"]
mod input;
#[path = "rollout/json.rs"]
mod json;
#[path = "rollout/outcome.rs"]
mod outcome;
#[path = "rollout/pages.rs"]
mod pages;

use std::error::Error;
use std::io::{self, BufReader, BufWriter, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use std::{env, fmt, mem};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use runtally::graph::{self, DeviceState, Upn, UserState, user_state_id};
use runtally::{Change, Effect, Refusal, Tally, Verdict};
use uuid::{Uuid, uuid};

use args::{Args, Source};
use documents::{Document, Documents, Place};
use outcome::Outcome;
use pages::Pages;

/// Room for 65 534 devices and 16 384 users.
type Fleet = Tally<Uuid, Upn, 65_534, 16_384>;

/// An empty tally is all zero bytes: it takes no room in the program's file, and none on the stack.
static FLEET: Mutex<Fleet> = Mutex::new(Tally::new());

/// The configuration that is rolled out. The ids of the summary and of the users are the name-based
/// UUIDs below it that requests are answered with.
const CONFIGURATION: Uuid = uuid!("1f0a2c6e-5b7d-4e3a-9c48-d2b6f0e17a95");

/// How many documents came to what.
#[derive(Default)]
struct Figures {
    applied: u64,
    duplicate: u64,
    stale: u64,
    refused: u64,
    /// Lists without their last page, the documents of which are unknown.
    unfinished: u64,
}

fn main() -> ExitCode {
    match run() {
        Ok((_, Some(Verdict::Reached))) => ExitCode::from(3),
        Ok((Figures { refused: 0, unfinished: 0, .. }, _)) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            say(format_args!("rollout: {error}"));
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(Figures, Option<Verdict>), Box<dyn Error>> {
    let args = Args::from_env().map_err(|error| format!("{error}; --help lists the options"))?;
    let Some(args) = args else {
        print(|out| writeln!(out, "{}", args::HELP))?;
        return Ok((Figures::default(), None));
    };
    let mut fleet = FLEET.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = args.run_from {
        // Before or after the events, or between them: it comes to the same.
        let _ = fleet.commit(&Change::RunFrom(at))?;
    }
    let start = Instant::now();
    let figures = read_all(&args, &mut fleet)?;
    let elapsed = start.elapsed();

    let outcome = Outcome::of(&fleet, &args)?;
    print(|out| {
        outcome.write(out)?;
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
        let per_second = u128::from(figures.total()) * 1_000_000_000 / elapsed.as_nanos().max(1);
        let per_second = HumanCount(per_second.try_into().unwrap_or(u64::MAX));
        say(format_args!("\n{}{figures}; {per_second} reports/s", outcome.picture(colour)));
    }
    Ok((figures, outcome.verdict()))
}

/// Takes every document of every source.
fn read_all(args: &Args, fleet: &mut Fleet) -> Result<Figures, Box<dyn Error>> {
    let mut figures = Figures::default();
    let mut pages = Pages::default();
    for source in &args.sources {
        read(source, args.quiet, fleet, &mut figures, &mut pages)
            .map_err(|error| format!("cannot read {source}: {error}"))?;
    }
    for link in pages.missing() {
        figures.unfinished += 1;
        say(format_args!("rollout: the list goes on, and its last page was not given: {link}"));
    }
    Ok(figures)
}

/// Takes every document of a source; one that is refused is reported, and changes nothing.
fn read(
    source: &Source,
    quiet: bool,
    fleet: &mut Fleet,
    figures: &mut Figures,
    pages: &mut Pages,
) -> io::Result<()> {
    let (input, length) = source.open()?;
    let progress = progress(length, quiet);
    let input = BufReader::with_capacity(1 << 18, progress.wrap_read(input));
    let mut documents = Documents::new(input)?;
    // A list may go on in the next file.
    documents.pages = mem::take(pages);
    while let Some(Document { place, text }) = documents.next()? {
        let taken = match text {
            Ok(text) if documents::is_blank(text) => continue,
            Ok(text) => take(text, fleet).map_err(|error| error.locate(place, text)),
            Err(fault) => Err((place.line, fault.to_string())),
        };
        match taken {
            Ok(Effect::Duplicate) => figures.duplicate += 1,
            Ok(Effect::Stale) => figures.stale += 1,
            Ok(_) => figures.applied += 1,
            Err((line, reason)) => {
                figures.refused += 1;
                let element = match place.element {
                    Some(number) => format!("element {number}: "),
                    None => String::new(),
                };
                progress.suspend(|| say(format_args!("{source}:{line}: {element}{reason}")));
            }
        }
    }
    *pages = documents.pages;
    progress.finish_and_clear();
    Ok(())
}

/// One document: a device state is read, and its event applied.
fn take(document: &[u8], fleet: &mut Fleet) -> Result<Effect, Refused> {
    let event = DeviceState::decode(document)?.event();
    Ok(fleet.apply(&event)?)
}

/// Why a document was not taken.
enum Refused {
    ByReader(graph::Error),
    ByTally(Refusal),
}

impl Refused {
    /// The line and the reason, with the byte where a reader of the file finds it.
    fn locate(self, place: Place, document: &[u8]) -> (u64, String) {
        match self {
            Self::ByReader(error) => {
                let (line, at) = place.of(document, error.at);
                (line, graph::Error { at, ..error }.to_string())
            }
            Self::ByTally(refusal) => (place.line, refusal.to_string()),
        }
    }
}

impl From<graph::Error> for Refused {
    fn from(error: graph::Error) -> Self {
        Self::ByReader(error)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::ByTally(refusal)
    }
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

/// One device state per line, with the state that it counts in.
fn write_devices(fleet: &Fleet, out: &mut dyn Write) -> io::Result<()> {
    let mut events: Vec<_> = fleet.devices().collect();
    events.sort_unstable_by_key(|event| event.device);
    let mut json = [0; DeviceState::MAX_ROW_JSON];
    for event in events {
        let counted = fleet.counted(&event);
        let state = DeviceState::row(*event.device, event.user, counted, event.at);
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
    fn total(&self) -> u64 {
        self.applied + self.duplicate + self.stale + self.refused
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} reports: {} applied, {} duplicate, {} stale, {} refused",
            HumanCount(self.total()),
            HumanCount(self.applied),
            HumanCount(self.duplicate),
            HumanCount(self.stale),
            HumanCount(self.refused),
        )
    }
}
