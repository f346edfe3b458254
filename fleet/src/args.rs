//! The command line.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use lexopt::prelude::*;
use runtally::DateTime;
use runtally::http::Clock;
use runtally::store::RolloutId;
use runtally_service::Origin;
use tracing::level_filters::LevelFilter;

use uuid::Uuid;

use crate::connect::Nats;
use crate::gateway;
use crate::init::Init;
use crate::worker;

const HELP: &str = "\
Counts roll-outs past one machine: partitions on NATS JetStream (nats-server 2.11 or newer).

Usage: runtally-fleet COMMAND --nats URL [OPTIONS]

  init      make what a fleet needs on the server; running it again does no harm
  gateway   take device states over HTTP and put them on the log; answer what is asked
  ingest    put device states from standard input on the log
  worker    hold partitions: take in what is reported, and answer what is asked
  status    show partitions, their workers, positions and lag
  audit     compare the rows of both stages, and every count with its rows

runtally-fleet COMMAND --help lists the options of a command. Every command takes

  --nats URL           the servers, separated by commas, such as nats://127.0.0.1:4222;
                       nats://NAME:PASSWORD@HOST:PORT names a user; or set NATS_URL
  --credentials FILE   a file of NATS credentials
  --log LEVEL          off, error, warn, info, debug or trace (default warn), on standard error
  --help, --version";

const INIT: &str = "\
Makes the streams, buckets and object store of a fleet. Run again it makes what is missing, and
changes replicas and lease; other numbers of partitions or virtual shards are refused.

Usage: runtally-fleet init --nats URL --partitions N [OPTIONS]

  --partitions N       streams of each stage, 1 to 256, fixed for ever: no more workers than twice
                       as many find work; 32 suits most fleets
  --virtual-shards V   shards of each stage, N to 65535, fixed for ever (default 8 a partition, at
                       least 256); each has room for 65534 devices, so allow twice what you expect
  --replicas R         copies the server keeps of everything, 1 to 5 (default 1)
  --lease SECONDS      how long a worker that is silent keeps its partitions (default 6, at least 2)";

const GATEWAY: &str = "\
Answers Microsoft Graph's requests as runtally-service does: what is reported goes on the log, and
what is read comes from the workers. Start as many as you need; they keep nothing.

Usage: runtally-fleet gateway --nats URL --configuration GUID [OPTIONS]

  --listen ADDRESS:PORT    where to listen (default 127.0.0.1:8080); port 0 picks one
  --configuration GUID     a hardware configuration to count; may be given several times
  --script GUID            a management script to count; may be given several times
  --version-of GUID=N      the version of a configuration or script named here: a report on a lower
                           internalVersion counts as pending
  --bare                   answer GET runSummary without the envelope {\"value\": ...}
  --origin URL             where clients reach the gateway, for links (default: as requested)
  --earliest DATE-TIME     the earliest time that a device's clock may say (default
                           2001-01-01T00:00:00Z); what is earlier counts as reported now
  --ahead HOURS            how far a device's clock may be ahead (default 24); what is later counts
                           as reported now
  --overdue HOURS          how long a device may be pending until it is overdue (default 24)

RUNTALLY_READ_TOKEN and RUNTALLY_WRITE_TOKEN are the tokens, 12 to 1024 visible ASCII characters.";

const INGEST: &str = "\
Reads device states from standard input, one JSON object a line as POST .../deviceRunStates takes it,
and puts them on the log, 1024 a message. Says how many once all of them are acknowledged. Exits with
1 if a line was refused; each is named on standard error. Reading the same input again does no harm,
but that lines whose clock is out of range count as reported when they are read.

Usage: runtally-fleet ingest --nats URL (--configuration GUID | --script GUID)";

const STATUS: &str = "\
Shows every partition: who works it, how far its log is taken in, what is left (lag, in messages), how
many rows of devices it has, and how many of them are ghosts.

Usage: runtally-fleet status --nats URL [OPTIONS]

  --wait SECONDS       wait until all logs are drained, which is when the counts are exact; exits
                       with 1 if they are not by then";

const AUDIT: &str = "\
Compares the rows of both stages: what is counted for users must be what is recorded of their
devices. Each device of which that is not so is named; so is each count that is not that of its rows.
Exits with 1 then. It reads every row, and may run while devices report.

Usage: runtally-fleet audit --nats URL";

const WORKER: &str = "\
Holds a fair share of the partitions of a fleet, on one core; start as many as you need, and stop
them as you like. SIGTERM and SIGINT end it: it takes its last snapshots, for ten seconds at most,
gives its partitions back and exits with 0.

Usage: runtally-fleet worker --nats URL [OPTIONS]

  --snapshot-every SECONDS  the time between snapshots of a partition (default 30): what a worker
                            that takes over has to read again
  --shard-rows N            the most devices of a virtual shard, 1 to 65534 (default 65534): when one
                            is full its partition stops and says so, and nothing is lost; a worker
                            that allows more goes on
  --metrics ADDRESS:PORT    answer /metrics (Prometheus) and /healthz here; port 0 picks one

RUNTALLY_FLEET_CRASH=POINT:N ends the process the N-th time it comes to POINT, for tests:
after-apply, after-publish, after-acknowledgement, after-object or after-swap.";

const VERSION: &str = concat!("runtally-fleet ", env!("CARGO_PKG_VERSION"));

/// What is to be done.
pub(crate) enum Command {
    Audit,
    Gateway(gateway::Options),
    Ingest(RolloutId),
    Init(Init),
    Status(Option<Duration>),
    Worker(worker::Options),
}

pub(crate) struct Args {
    pub(crate) nats: Nats,
    pub(crate) log: Option<LevelFilter>,
    pub(crate) command: Command,
}

/// What the command line asks for.
pub(crate) enum Ask {
    Run(Box<Args>),
    Print(&'static str),
}

/// The options of all commands, as far as they were given.
#[derive(Default)]
struct Given {
    nats: Option<String>,
    credentials: Option<std::path::PathBuf>,
    log: Option<LevelFilter>,
    partitions: Option<u16>,
    virtual_shards: Option<u16>,
    replicas: Option<u16>,
    lease: Option<Duration>,
    snapshot_every: Option<Duration>,
    shard_rows: Option<u16>,
    wait: Option<Duration>,
    metrics: Option<std::net::SocketAddr>,
    listen: Option<std::net::SocketAddr>,
    rollouts: BTreeMap<RolloutId, i32>,
    versions: Vec<(Uuid, i32)>,
    bare: bool,
    origin: Option<Origin>,
    earliest: Option<DateTime>,
    ahead: Option<Duration>,
    overdue: Option<Duration>,
}

impl Ask {
    pub(crate) fn from_env() -> Result<Self, lexopt::Error> {
        let mut parser = lexopt::Parser::from_env();
        let name = match parser.next()? {
            None | Some(Long("help") | Short('h')) => return Ok(Self::Print(HELP)),
            Some(Long("version") | Short('V')) => {
                return Ok(Self::Print(VERSION));
            }
            Some(Value(name)) => name.string()?,
            Some(arg) => return Err(arg.unexpected()),
        };
        let (help, allowed): (_, &[&str]) = match &*name {
            "init" => (INIT, &["partitions", "virtual-shards", "replicas", "lease"]),
            "gateway" => (
                GATEWAY,
                &[
                    "listen",
                    "configuration",
                    "script",
                    "version-of",
                    "bare",
                    "origin",
                    "earliest",
                    "ahead",
                    "overdue",
                ],
            ),
            "ingest" => (INGEST, &["configuration", "script"]),
            "status" => (STATUS, &["wait"]),
            "audit" => (AUDIT, &[]),
            "worker" => (WORKER, &["snapshot-every", "shard-rows", "metrics"]),
            other => return Err(format!("there is no command {other}").into()),
        };
        let mut given = Given::default();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("help") | Short('h') => return Ok(Self::Print(help)),
                Long("version") | Short('V') => return Ok(Self::Print(VERSION)),
                Long("nats") => given.nats = Some(parser.value()?.string()?),
                Long("credentials") => given.credentials = Some(parser.value()?.into()),
                Long("log") => given.log = Some(parsed("log", &parser.value()?)?),
                Long(option) if allowed.contains(&option) => {
                    let option = option.to_owned();
                    given.set(&option, &mut parser)?;
                }
                _ => return Err(arg.unexpected()),
            }
        }
        let url = given.nats.take().or_else(|| std::env::var("NATS_URL").ok());
        let url = url.ok_or("--nats URL is missing, and NATS_URL is not set")?;
        let nats = Nats { url, credentials: given.credentials.take() };
        let log = given.log;
        let command = given.command(&name)?;
        Ok(Self::Run(Box::new(Args { nats, log, command })))
    }
}

impl Given {
    fn set(&mut self, option: &str, parser: &mut lexopt::Parser) -> Result<(), lexopt::Error> {
        match option {
            "partitions" => self.partitions = Some(number(option, &parser.value()?, 1, 256)?),
            "virtual-shards" => {
                self.virtual_shards = Some(number(option, &parser.value()?, 1, u16::MAX)?);
            }
            "replicas" => self.replicas = Some(number(option, &parser.value()?, 1, 5)?),
            "lease" => {
                let seconds = number(option, &parser.value()?, 2, 3600)?;
                self.lease = Some(Duration::from_secs(seconds.into()));
            }
            "snapshot-every" => {
                let seconds = number(option, &parser.value()?, 1, 3600)?;
                self.snapshot_every = Some(Duration::from_secs(seconds.into()));
            }
            "shard-rows" => self.shard_rows = Some(number(option, &parser.value()?, 1, 65_534)?),
            "wait" => {
                let seconds = number(option, &parser.value()?, 0, u16::MAX)?;
                self.wait = Some(Duration::from_secs(seconds.into()));
            }
            "listen" => self.listen = Some(parsed(option, &parser.value()?)?),
            "configuration" => {
                self.rollouts
                    .insert(RolloutId::configuration(parsed(option, &parser.value()?)?), 0);
            }
            "script" => {
                self.rollouts.insert(RolloutId::script(parsed(option, &parser.value()?)?), 0);
            }
            "version-of" => self.versions.push(version(&parser.value()?)?),
            "bare" => self.bare = true,
            "origin" => self.origin = Some(parsed(option, &parser.value()?)?),
            "earliest" => self.earliest = Some(parsed(option, &parser.value()?)?),
            "ahead" => self.ahead = Some(hours(option, &parser.value()?)?),
            "overdue" => self.overdue = Some(hours(option, &parser.value()?)?),
            "metrics" => self.metrics = Some(parsed(option, &parser.value()?)?),
            _ => return Err(format!("--{option}: unknown").into()),
        }
        Ok(())
    }

    fn command(self, name: &str) -> Result<Command, lexopt::Error> {
        match name {
            "worker" => Ok(Command::Worker(worker::Options {
                snapshot_every: self.snapshot_every.unwrap_or(Duration::from_secs(30)),
                shard_rows: self.shard_rows.map_or(worker::rows::ROWS, usize::from),
                metrics: self.metrics,
            })),
            "audit" => Ok(Command::Audit),
            "gateway" => self.gateway(),
            "status" => Ok(Command::Status(self.wait)),
            "ingest" => match self.rollouts.into_keys().collect::<Vec<_>>()[..] {
                [rollout] => Ok(Command::Ingest(rollout)),
                _ => Err("give one --configuration GUID or one --script GUID".into()),
            },
            _ => self.init(),
        }
    }

    fn gateway(mut self) -> Result<Command, lexopt::Error> {
        if self.rollouts.is_empty() {
            return Err("give a --configuration GUID or a --script GUID at least".into());
        }
        for (id, version) in self.versions {
            let mut named = self.rollouts.iter_mut().filter(|(rollout, _)| rollout.id == id);
            let Some((_, known)) = named.next() else {
                return Err(format!("--version-of {id}: it is not counted here").into());
            };
            *known = version;
        }
        let clock = Clock::new(DateTime::MIN);
        Ok(Command::Gateway(gateway::Options {
            listen: self.listen.unwrap_or(([127, 0, 0, 1], 8080).into()),
            rollouts: self.rollouts,
            bare: self.bare,
            origin: self.origin,
            earliest: self.earliest.unwrap_or(clock.earliest),
            ahead: self.ahead.unwrap_or(clock.ahead),
            overdue: self.overdue.unwrap_or(Duration::from_hours(24)),
        }))
    }

    fn init(self) -> Result<Command, lexopt::Error> {
        let partitions =
            self.partitions.ok_or("--partitions N is missing: 32 suits most fleets")?;
        let virtual_shards = self.virtual_shards.unwrap_or((8 * partitions).max(256));
        if virtual_shards < partitions {
            return Err(format!(
                "--virtual-shards {virtual_shards}: a partition needs one at least, and there are \
                 {partitions}"
            )
            .into());
        }
        Ok(Command::Init(Init {
            partitions,
            virtual_shards,
            replicas: self.replicas.unwrap_or(1).into(),
            lease: self.lease.unwrap_or(Duration::from_secs(6)),
        }))
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
        let value = value.display();
        format!("--version-of {value}: expected GUID=N, with N from 1 to 2147483647").into()
    })
}

fn parsed<T: FromStr<Err: Display>>(option: &str, value: &OsStr) -> Result<T, lexopt::Error> {
    let value = value.to_str().ok_or_else(|| format!("--{option}: expected UTF-8"))?;
    value.parse().map_err(|error| format!("--{option} {value}: {error}").into())
}

fn hours(option: &str, value: &OsStr) -> Result<Duration, lexopt::Error> {
    Ok(Duration::from_hours(number(option, value, 0, u16::MAX)?.into()))
}

fn number(option: &str, value: &OsStr, least: u16, most: u16) -> Result<u16, lexopt::Error> {
    let number = value.to_str().and_then(|value| value.parse().ok());
    let number = number.filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| {
        let value = value.display();
        format!("--{option} {value}: expected a number from {least} to {most}").into()
    })
}
