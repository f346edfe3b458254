//! The command line.

use std::error::Error;
use std::io::{self, Read};
use std::path::PathBuf;
use std::{fmt, fs};

use lexopt::prelude::*;

pub(crate) const HELP: &str = "\
Counts a roll-out: reads one hardwareConfigurationDeviceState per line, in any order and however
often repeated, and writes the run summary to standard output.

Usage: rollout [--users] [--devices] [--quiet] [FILE]

  FILE       what to read; - is standard input; without it, the bundled trace,
             examples/data/rollout.jsonl
  --users    after the summary, one user state per line, in the order of their UPN
  --devices  after those, one device state per line, in the order of their id
  --quiet    no charts, figures or progress on standard error; refused lines are still reported
  --help     this text

A line that is refused is reported as FILE:LINE: REASON and skipped; so is one of more than 1 MiB.
Blank lines are skipped. Colour is for terminals, and not where NO_COLOR is set.

Exit status: 0 if every line was taken, 1 if any was refused, 2 if the arguments are wrong or
something cannot be read or written.";

pub(crate) struct Args {
    pub(crate) users: bool,
    pub(crate) devices: bool,
    pub(crate) quiet: bool,
    pub(crate) source: Source,
}

/// Where the lines come from.
pub(crate) enum Source {
    Bundled,
    StandardInput,
    File(PathBuf),
}

impl Args {
    /// The arguments of this process; nothing if help was asked for.
    pub(crate) fn from_env() -> Result<Option<Self>, Box<dyn Error>> {
        let mut args = Self { users: false, devices: false, quiet: false, source: Source::Bundled };
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match (arg, &args.source) {
                (Long("users"), _) => args.users = true,
                (Long("devices"), _) => args.devices = true,
                (Long("quiet"), _) => args.quiet = true,
                (Short('h') | Long("help"), _) => return Ok(None),
                (Value(name), Source::Bundled) if name == "-" => {
                    args.source = Source::StandardInput;
                }
                (Value(name), Source::Bundled) => args.source = Source::File(name.into()),
                (other, _) => return Err(other.unexpected().into()),
            }
        }
        Ok(Some(args))
    }
}

impl Source {
    /// The bytes, and how many there are where that is known.
    pub(crate) fn open(&self) -> io::Result<(Box<dyn Read>, Option<u64>)> {
        Ok(match self {
            Self::Bundled => {
                let trace: &[u8] = include_bytes!("../data/rollout.jsonl");
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
            Self::Bundled => f.write_str("examples/data/rollout.jsonl"),
            Self::StandardInput => f.write_str("-"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}
