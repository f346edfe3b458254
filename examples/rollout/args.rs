//! The command line.

use std::error::Error;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use std::{fmt, fs};

use jiff::{Span, SpanRelativeTo};
use lexopt::prelude::*;
use runtally::{DateTime, Gate};

pub(crate) const HELP: &str = "\
Counts a roll-out: reads hardwareConfigurationDeviceState documents, in any order and however often
repeated, and writes the run summary to standard output.

Usage: rollout [OPTIONS] [FILE ...]

  FILE  what to read; - is standard input; without any, the bundled trace

A file holds one document per line, or a JSON array of them, or pages of a Graph list, whose
documents are in the array \"value\", or documents spread over lines, the first of which is { alone.
A byte order mark at its start is skipped.

Pages of a list are given in its order; it ends with the first one without \"@odata.nextLink\", and
one that does not end is reported. Lists with another \"@odata.context\" may stand in between.
That a page before the last is missing cannot be told.

What to count:
  --run-from INSTANT   the roll-out began anew then: devices that have not reported since count as
                       pending
  --overdue DURATION   also count the devices that have been pending for so long: 90m, 3d, P1DT12H;
                       a day has 24 hours
  --now INSTANT        the instant --overdue is measured at (the clock's time)
  --gate failed=PERCENT%[,min=DEVICES]
                       end with status 3 if so many of the devices that ran it failed, and at least
                       so many ran it: --gate failed=5%,min=50; from 0.01% to 100%, and up to
                       4294967295 devices

What to write:
  --users              after the summary, one user state per line, in the order of their UPN
  --devices            after those, one device state per line, in the order of their id
  --quiet              no charts, figures or progress on standard error
  --help               this text

The summary is one line of JSON: {\"value\": summary}, as a GET of runSummary answers. --overdue adds
overdueDeviceCount and overdueUserCount after value, --gate adds gate: tooFew, below or reached.

An INSTANT is a date-time with offset, such as 2026-11-21T09:30:00Z or 2026-11-21T10:30+01:00.

A document that is refused is reported on standard error as FILE:LINE: REASON and skipped, and so is
one of more than 1 MiB. Bytes count from 0, at the start of the line; for documents of an array or
spread over lines, at the start of the file. Blank lines are skipped. Colour is for terminals,
unless NO_COLOR is set.

Exit status:
  0  every document was taken, and every list has its last page
  1  some were refused, or a list goes on
  2  the arguments are wrong, or something cannot be read or written
  3  the gate is reached, whether or not some were refused or a list goes on";

#[derive(Default)]
pub(crate) struct Args {
    pub(crate) run_from: Option<DateTime>,
    pub(crate) overdue: Option<Overdue>,
    pub(crate) gate: Option<Gate>,
    pub(crate) users: bool,
    pub(crate) devices: bool,
    pub(crate) quiet: bool,
    pub(crate) sources: Vec<Source>,
}

/// Pending for `limit` or longer at `now`.
#[derive(Clone, Copy)]
pub(crate) struct Overdue {
    pub(crate) now: DateTime,
    pub(crate) limit: Duration,
}

/// Where documents come from.
#[derive(PartialEq)]
pub(crate) enum Source {
    Bundled,
    StandardInput,
    File(PathBuf),
}

impl Args {
    /// The arguments of this process; nothing if help was asked for.
    pub(crate) fn from_env() -> Result<Option<Self>, Box<dyn Error>> {
        let mut args = Self::default();
        let (mut limit, mut now) = (None, None);
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("run-from") => args.run_from = Some(parser.value()?.parse()?),
                Long("overdue") => limit = Some(parser.value()?.parse_with(duration)?),
                Long("now") => now = Some(parser.value()?.parse()?),
                Long("gate") => args.gate = Some(parser.value()?.parse_with(gate)?),
                Long("users") => args.users = true,
                Long("devices") => args.devices = true,
                Long("quiet") => args.quiet = true,
                Short('h') | Long("help") => return Ok(None),
                Value(name) if name == "-" && args.sources.contains(&Source::StandardInput) => {
                    return Err("standard input is read once; give - once".into());
                }
                Value(name) if name == "-" => args.sources.push(Source::StandardInput),
                Value(name) => args.sources.push(Source::File(name.into())),
                other => return Err(other.unexpected().into()),
            }
        }
        args.overdue = match (limit, now) {
            (Some(limit), now) => Some(Overdue { now: now.map_or_else(clock, Ok)?, limit }),
            (None, Some(_)) => return Err("--now is for --overdue, which is not given".into()),
            (None, None) => None,
        };
        if args.sources.is_empty() {
            args.sources.push(Source::Bundled);
        }
        Ok(Some(args))
    }
}

/// The time by this machine's clock, in whole seconds.
fn clock() -> Result<DateTime, Box<dyn Error>> {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(DateTime::from_unix(since_1970.as_secs().try_into()?, 0)?)
}

/// As jiff reads it, friendly or by ISO 8601, but of a fixed length.
fn duration(text: &str) -> Result<Duration, String> {
    let span: Span = text.parse().map_err(|_| "expected a duration such as 90m, 3d or P1DT12H")?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours());
    let length = length.map_err(|_| "months and years differ in length; give days or weeks")?;
    length.try_into().map_err(|_| "expected a duration that is not negative".into())
}

fn gate(text: &str) -> Result<Gate, &'static str> {
    let malformed = "expected failed=PERCENT%[,min=DEVICES], such as failed=5%,min=50";
    let (mut share, mut minimum) = (None, None);
    for part in text.split(',') {
        match part.split_once('=').ok_or(malformed)? {
            ("failed", _) if share.is_some() => return Err("failed is given twice"),
            ("failed", text) => {
                let out_of_range = "failed goes from 0.01% to 100%, with up to two decimals";
                share = Some(share_per_10_000(text).ok_or(out_of_range)?);
            }
            ("min", _) if minimum.is_some() => return Err("min is given twice"),
            ("min", text) => {
                let number = Some(text).filter(|text| is_digits(text)).map(str::parse);
                let out_of_range = "min is a whole number up to 4294967295";
                minimum = Some(number.and_then(Result::ok).ok_or(out_of_range)?);
            }
            _ => return Err(malformed),
        }
    }
    let gate = Gate { per_10_000: share.ok_or(malformed)?, ..Gate::default() };
    Ok(Gate { minimum: minimum.unwrap_or(gate.minimum), ..gate })
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Up to 100 %, with up to two decimals.
fn share_per_10_000(text: &str) -> Option<u32> {
    let percent = text.strip_suffix('%')?;
    let (whole, decimals) = percent.split_once('.').unwrap_or((percent, "0"));
    if !is_digits(whole) || !is_digits(decimals) || !(1..=2).contains(&decimals.len()) {
        return None;
    }
    let hundredths = format!("{decimals:0<2}").parse().ok()?;
    let share = whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(hundredths)?;
    (1..=10_000).contains(&share).then_some(share)
}

impl Source {
    /// The bytes, and how many there are where that is known.
    pub(crate) fn open(&self) -> io::Result<(Box<dyn Read>, Option<u64>)> {
        Ok(match self {
            Self::Bundled => {
                let trace: &[u8] = include_bytes!("../data/small.jsonl");
                (Box::new(trace), Some(trace.len() as u64))
            }
            Self::StandardInput => (Box::new(io::stdin().lock()), None),
            Self::File(path) => {
                let file = fs::File::open(path)?;
                let meta = file.metadata()?;
                (Box::new(file), meta.is_file().then_some(meta.len()))
            }
        })
    }
}

/// The name that stands before a line's number.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundled => f.write_str("examples/data/small.jsonl"),
            Self::StandardInput => f.write_str("-"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}
