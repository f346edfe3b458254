//! The two stages of shards beside the same counters as a timely dataflow, on one trace, in memory.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml --bin timely -- [EVENTS] [DEVICES]
//! ```
//!
//! The trace is that of `fleet/bench`, made before the time is taken. Each run is a process of its own,
//! so that resident memory after minus before is what the tables, and the buffers still held, take.
//! Every summary is compared with a recount. After whole turns all devices of the trace are in one
//! state, which would hide mistakes: so a second trace, of late, repeated and moved devices, is counted
//! first and not timed.
//!
//! Both run with one thread and with two. With two, each reads every other piece of the trace and sends
//! on what belongs to the other. Both bound what is in flight: the shards by the length of the
//! channels, timely by a probe that holds the input to two epochs of 64 Ki events. Nothing is
//! serialised on either side.
//!
//! # What it leaves out
//!
//! The two do not promise the same, and this measures only what they have in common: no failure, and a
//! summary read once, at the end.
//!
//! - **Recovery.** Timely recovers nothing by itself: when a worker is lost the computation begins
//!   anew, and whoever feeds it must have kept the input, or have written state at a frontier. Shards
//!   are made for a log that delivers at least once: they are exact after redelivery in any order, so
//!   each restarts alone from its own snapshot. The log and the snapshots are not measured here.
//! - **What that costs the shards.** A device has two rows, with the order stamp in both, because
//!   the second stage joins records instead of adding differences; a device that moved leaves a
//!   ghost, a removed one a tombstone. Timely's second stage keeps six counts a user and no devices:
//!   it cannot list a user's devices, take a change twice, or correct one that was lost.
//! - **Retiring, removing, declaring and beginning anew** are in the shards and not in the dataflow.
//! - **Consistent cuts.** Timely's frontiers tell when everything up to an epoch is counted in both
//!   stages, so counters kept by epoch are exact while events flow. Shards are exact one by one at
//!   their positions; their sum is exact only when all that was sent has been joined.
//! - **Rebalancing.** 256 virtual shards a stage can move between workers. The dataflow's keys belong to
//!   a worker by their hash, as long as it runs.
//! - **Several processes.** Timely would serialise and use sockets, the fleet goes through its log.

mod dataflow;
mod figures;
mod recount;
mod shards;
mod table;
mod trace;

use std::env;
use std::error::Error;
use std::ops::RangeInclusive;
use std::process::ExitCode;

use table::Contender;
use trace::{Kind, Trace};

const USAGE: &str = "\
usage: timely [EVENTS] [DEVICES]

  EVENTS    of the trace, 1 to 100000000; 2000000 if not given
  DEVICES   that report, 2 to 8000000; 200000 if not given";

type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["-h" | "--help"] = arguments[..] {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let job = match parse(&arguments) {
        Ok(job) => job,
        Err(error) => {
            eprintln!("timely: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let result = match job {
        Job::Compare(trace) => table::print(trace),
        Job::Run(contender, trace) => contender.run(trace),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("timely: {error}");
            ExitCode::FAILURE
        }
    }
}

enum Job {
    /// All contenders, each in processes of its own.
    Compare(Trace),
    /// In such a process: one contender.
    Run(Contender, Trace),
}

fn parse(arguments: &[&str]) -> Result<Job, Failure> {
    let trace = |kind, events, devices| -> Result<Trace, Failure> {
        let events = number("EVENTS", events, &(1..=100_000_000))?;
        let devices = number("DEVICES", devices, &(2..=8_000_000))?;
        Ok(Trace { kind, events, devices })
    };
    match *arguments {
        [] => Ok(Job::Compare(trace(Kind::Turns, "2000000", "200000")?)),
        [events] => Ok(Job::Compare(trace(Kind::Turns, events, "200000")?)),
        [events, devices] => Ok(Job::Compare(trace(Kind::Turns, events, devices)?)),
        [name, threads, kind, events, devices] => {
            let contender = Contender::named(name, threads).ok_or("no such contender")?;
            let kind = Kind::named(kind).ok_or("no such trace")?;
            Ok(Job::Run(contender, trace(kind, events, devices)?))
        }
        _ => Err("too many arguments".into()),
    }
}

fn number(name: &str, argument: &str, range: &RangeInclusive<u32>) -> Result<u32, String> {
    let number = argument.parse().ok().filter(|number| range.contains(number));
    let [least, most] = [range.start(), range.end()];
    number.ok_or_else(|| format!("{name}: {argument:?} is not a number from {least} to {most}"))
}
