//! The command line.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;
use runtally::DateTime;
use runtally_service::{Origin, demo};
use tracing::level_filters::LevelFilter;
use uuid::Uuid;

pub(crate) const HELP: &str = "\
Serves the counts of roll-outs over HTTP, as Microsoft Graph (beta, Intune) shows them.

Usage: runtally-service [OPTIONS]

  --listen ADDRESS:PORT    where to listen (default 127.0.0.1:8080); port 0 picks one
  --health ADDRESS:PORT    answer /healthz and /readyz here as well, on connections of their own
  --configuration GUID     a hardware configuration to count; may be given several times
  --script GUID            a management script to count; may be given several times
  --version-of GUID=N      the version of a configuration or script named here or on file, 1 to
                           2147483647: a report on a lower internalVersion counts as pending
  --database FILE          keep the counts in this SQLite database, and begin with those in it
  --read-token-file FILE   tokens that may read, one per line
  --write-token-file FILE  tokens that may read and write, one per line
  --bare                   answer GET runSummary without the envelope {\"value\": ...}
  --origin URL             where clients reach the service, for links (default: as requested)
  --earliest DATE-TIME     the earliest time that a device's clock may say (default
                           2001-01-01T00:00:00Z); what is earlier counts as reported now
  --ahead HOURS            how far a device's clock may be ahead (default 24); what is later counts
                           as reported now
  --overdue HOURS          how long a device may be pending until it is overdue (default 24)
  --gate PERCENT           the share of failed devices at which a roll-out is to be stopped
  --gate-minimum N         the fewest devices that must have executed it for that (default 1)
  --connections N          connections at a time, 1 to 65536 (default 1024)
  --connections-per-address N
                           the same for one address (default: half of --connections); behind a
                           proxy, give the number of --connections
  --demo                   count the bundled roll-out as well; so does giving no argument at all
  --log LEVEL              off, error, warn, info, debug or trace (default info: a line per request)
  --help                   this text
  --version                the version

A token has 12 to 1024 visible ASCII characters. Without a file, one is read from
RUNTALLY_READ_TOKEN or RUNTALLY_WRITE_TOKEN; without that, a random one is made and printed once,
to standard error.";

pub(crate) struct Args {
    pub(crate) listen: SocketAddr,
    pub(crate) health: Option<SocketAddr>,
    pub(crate) configurations: Vec<Uuid>,
    pub(crate) scripts: Vec<Uuid>,
    pub(crate) versions: Vec<(Uuid, i32)>,
    pub(crate) database: Option<PathBuf>,
    pub(crate) read_token_file: Option<PathBuf>,
    pub(crate) write_token_file: Option<PathBuf>,
    pub(crate) bare: bool,
    pub(crate) origin: Option<Origin>,
    /// Absent, as many as the system allows, up to the default.
    pub(crate) connections: Option<usize>,
    pub(crate) connections_per_address: Option<usize>,
    pub(crate) earliest: Option<DateTime>,
    pub(crate) ahead: Option<Duration>,
    pub(crate) overdue: Option<Duration>,
    /// In hundredths of a per cent.
    pub(crate) gate: Option<u32>,
    pub(crate) gate_minimum: Option<u32>,
    pub(crate) demo: bool,
    pub(crate) log: LevelFilter,
}

/// What the command line asks for.
pub(crate) enum Ask {
    Serve(Box<Args>),
    Help,
    Version,
}

impl Ask {
    pub(crate) fn from_env() -> Result<Self, lexopt::Error> {
        let mut args = Args {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            health: None,
            configurations: Vec::new(),
            scripts: Vec::new(),
            versions: Vec::new(),
            database: None,
            read_token_file: None,
            write_token_file: None,
            bare: false,
            origin: None,
            earliest: None,
            ahead: None,
            overdue: None,
            gate: None,
            gate_minimum: None,
            connections: None,
            connections_per_address: None,
            demo: std::env::args_os().len() <= 1,
            log: LevelFilter::INFO,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("listen") => args.listen = parser.value()?.parse()?,
                Long("health") => args.health = Some(parser.value()?.parse()?),
                Long("configuration") => args.configurations.push(parser.value()?.parse()?),
                Long("script") => args.scripts.push(parser.value()?.parse()?),
                Long("version-of") => args.versions.push(version(&parser.value()?)?),
                Long("database") => args.database = Some(parser.value()?.into()),
                Long("read-token-file") => args.read_token_file = Some(parser.value()?.into()),
                Long("write-token-file") => args.write_token_file = Some(parser.value()?.into()),
                Long("bare") => args.bare = true,
                Long("origin") => args.origin = Some(parser.value()?.parse()?),
                Long("earliest") => args.earliest = Some(parser.value()?.parse()?),
                Long("ahead") => args.ahead = Some(hours(&parser.value()?)?),
                Long("overdue") => args.overdue = Some(hours(&parser.value()?)?),
                Long("gate") => args.gate = Some(per_cent(&parser.value()?)?),
                Long("gate-minimum") => args.gate_minimum = Some(parser.value()?.parse()?),
                Long("connections") => args.connections = Some(count(&parser.value()?)?),
                Long("connections-per-address") => {
                    args.connections_per_address = Some(count(&parser.value()?)?);
                }
                Long("demo") => args.demo = true,
                Long("log") => args.log = parser.value()?.parse()?,
                Long("help") | Short('h') => return Ok(Self::Help),
                Long("version") | Short('V') => return Ok(Self::Version),
                _ => return Err(arg.unexpected()),
            }
        }
        if args.gate.is_none() && args.gate_minimum.is_some() {
            return Err("--gate-minimum is of use with --gate only".into());
        }
        if args.demo {
            args.configurations.push(demo::CONFIGURATION);
        }
        Ok(Self::Serve(Box::new(args)))
    }
}

/// A roll-out and its version.
fn version(value: &OsStr) -> Result<(Uuid, i32), lexopt::Error> {
    let given = value.to_str().and_then(|value| value.split_once('='));
    let version = given.and_then(|(id, version)| {
        let version = version.parse().ok().filter(|&version: &i32| version > 0)?;
        Some((id.parse().ok()?, version))
    });
    version.ok_or_else(|| {
        let value = value.to_string_lossy();
        format!("--version-of {value}: expected GUID=N, with N from 1 to 2147483647").into()
    })
}

/// A number of connections.
fn count(value: &OsStr) -> Result<usize, lexopt::Error> {
    let count = value.to_str().and_then(|value| value.parse().ok());
    let count = count.filter(|count| (1..=65_536).contains(count));
    count.ok_or_else(|| format!("{}: expected a number from 1 to 65536", value.display()).into())
}

/// A number of hours, up to a hundred years.
fn hours(value: &OsStr) -> Result<Duration, lexopt::Error> {
    let hours = value.to_str().and_then(|value| value.parse::<f64>().ok());
    let hours = hours.filter(|hours| (0.0..=876_000.0).contains(hours));
    let hours = hours.ok_or_else(|| format!("{}: expected a number of hours", value.display()))?;
    Ok(Duration::from_secs_f64(hours * 3600.0))
}

/// Hundredths of a per cent.
#[expect(clippy::cast_sign_loss, reason = "a share is none below zero")]
fn per_cent(value: &OsStr) -> Result<u32, lexopt::Error> {
    let share = value.to_str().and_then(|value| value.parse::<f64>().ok());
    let share = share.filter(|share| (0.01..=100.0).contains(share));
    let share =
        share.ok_or_else(|| format!("{}: expected a share from 0.01 to 100", value.display()))?;
    Ok((share * 100.0).round() as u32)
}
