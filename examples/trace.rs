//! Writes a roll-out as its clients would report it: `hardwareConfigurationDeviceState` documents,
//! one per line, the same bytes for the same seed on every machine.
//!
//! ```text
//! cargo run --release --example trace > examples/data/rollout.jsonl
//! cargo run --release --example trace -- --devices 100 --users 30 > examples/data/small.jsonl
//! cargo run --release --example trace -- --devices 65534 --users 16384 --lines 5000000 > big.jsonl
//! ```
//!
//! Memory grows with the devices, never with the lines.

#[path = "trace/fleet.rs"]
mod fleet;
#[path = "trace/json.rs"]
mod json;
#[path = "trace/life.rs"]
mod life;

use std::error::Error;
use std::io::{self, ErrorKind, Write};
use std::ops::RangeInclusive;
use std::process::ExitCode;

use lexopt::prelude::*;

const HELP: &str = "\
Writes a believable roll-out, one hardwareConfigurationDeviceState per line, to standard output.

Usage: trace [OPTIONS]

  --devices N  devices taking part, 1 to 65534 (default 2000)
  --users N    people among them, 1 to 16384 (default 600)
  --days N     how long the rings are rolled out, 1 to 365 (default 14); what arrives later is left
               out
  --lines N    write exactly N lines instead, however many days that takes
  --seed N     another roll-out for every number (default 1)
  --help       this text";

/// How large a roll-out is asked for.
struct Args {
    devices: u16,
    users: u16,
    days: u16,
    lines: Option<u64>,
    seed: u64,
}

fn main() -> ExitCode {
    let args = match parse(lexopt::Parser::from_env()) {
        Ok(Some(args)) => args,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("trace: {error}; --help lists the options");
            return ExitCode::from(2);
        }
    };
    match write(&args) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trace: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(args: &Args) -> io::Result<()> {
    let mut rng = fastrand::Rng::with_seed(args.seed);
    let fleet = fleet::Fleet::new(args.devices, args.users, &mut rng);
    let reports = life::Reports::new(&fleet, args.days, args.lines.is_none(), rng);

    let mut out = io::stdout().lock();
    let mut page = Vec::with_capacity(1 << 17);
    let mut line = json::Line::new(&fleet);
    let mut left = args.lines.unwrap_or(u64::MAX);
    for report in reports {
        if left == 0 {
            break;
        }
        left -= 1;
        line.append(&report, &mut page);
        if page.len() >= 1 << 16 {
            out.write_all(&page)?;
            page.clear();
        }
    }
    out.write_all(&page)?;
    match left {
        left if left > 0 && args.lines.is_some() => {
            Err(io::Error::other(format!("the calendar ends in year 9999, {left} lines short")))
        }
        _ => out.flush(),
    }
}

/// The arguments, or nothing if help was asked for.
fn parse(mut parser: lexopt::Parser) -> Result<Option<Args>, lexopt::Error> {
    let mut args = Args { devices: 2_000, users: 600, days: 14, lines: None, seed: 1 };
    while let Some(arg) = parser.next()? {
        match arg {
            Long("devices") => args.devices = parser.value()?.parse_with(within(1..=65_534))?,
            Long("users") => args.users = parser.value()?.parse_with(within(1..=16_384))?,
            Long("days") => args.days = parser.value()?.parse_with(within(1..=365))?,
            Long("lines") => args.lines = Some(parser.value()?.parse()?),
            Long("seed") => args.seed = parser.value()?.parse()?,
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(args))
}

fn within(
    range: RangeInclusive<u16>,
) -> impl Fn(&str) -> Result<u16, Box<dyn Error + Send + Sync>> {
    move |text| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("expected a number from {} to {}", range.start(), range.end()).into()),
    }
}
