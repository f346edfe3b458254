//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use lexopt::prelude::*;
use runtally_service::{Limits, Origin, demo};
use tracing::level_filters::LevelFilter;
use uuid::Uuid;

pub(crate) const HELP: &str = "\
Serves the counts of roll-outs over HTTP, as Microsoft Graph (beta, Intune) shows them.

Usage: runtally-service [OPTIONS]

  --listen ADDRESS:PORT  where to listen (default 127.0.0.1:8080); port 0 picks one
  --configuration GUID   a hardware configuration to count; may be given several times
  --script GUID          a management script to count; may be given several times
  --journal FILE         keep the counts in this file, and begin with those that are there
  --bare                 answer GET runSummary without the envelope {\"value\": ...}
  --origin URL           where clients reach the service, for links (default: what the request says)
  --connections N        connections at a time (default 1024)
  --demo                 count the bundled roll-out as well; so does giving no argument at all
  --log LEVEL            off, error, warn, info, debug or trace (default info: a line per request)
  --help                 this text
  --version              the version

Tokens are read from RUNTALLY_READ_TOKEN and RUNTALLY_WRITE_TOKEN. Where one is missing, a random
one is made and printed once, to standard error.";

pub(crate) struct Args {
    pub(crate) listen: SocketAddr,
    pub(crate) configurations: Vec<Uuid>,
    pub(crate) scripts: Vec<Uuid>,
    pub(crate) journal: Option<PathBuf>,
    pub(crate) bare: bool,
    pub(crate) origin: Option<Origin>,
    pub(crate) limits: Limits,
    pub(crate) demo: bool,
    pub(crate) log: LevelFilter,
}

/// What the command line asks for.
pub(crate) enum Ask {
    Serve(Args),
    Help,
    Version,
}

impl Ask {
    pub(crate) fn from_env() -> Result<Self, lexopt::Error> {
        let mut args = Args {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            configurations: Vec::new(),
            scripts: Vec::new(),
            journal: None,
            bare: false,
            origin: None,
            limits: Limits::default(),
            demo: std::env::args_os().len() <= 1,
            log: LevelFilter::INFO,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("listen") => args.listen = parser.value()?.parse()?,
                Long("configuration") => args.configurations.push(parser.value()?.parse()?),
                Long("script") => args.scripts.push(parser.value()?.parse()?),
                Long("journal") => args.journal = Some(parser.value()?.into()),
                Long("bare") => args.bare = true,
                Long("origin") => args.origin = Some(parser.value()?.parse()?),
                Long("connections") => args.limits.connections = parser.value()?.parse()?,
                Long("demo") => args.demo = true,
                Long("log") => args.log = parser.value()?.parse()?,
                Long("help") | Short('h') => return Ok(Self::Help),
                Long("version") | Short('V') => return Ok(Self::Version),
                _ => return Err(arg.unexpected()),
            }
        }
        if args.demo {
            args.configurations.push(demo::CONFIGURATION);
        }
        Ok(Self::Serve(args))
    }
}
