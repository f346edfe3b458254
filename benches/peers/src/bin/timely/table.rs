//! Runs the contenders in turns, each in a process of its own, and prints what they took.

use std::process::{Command, Stdio};
use std::{env, fs};

use runtally::Summary;

use crate::figures::Figures;
use crate::recount::recount;
use crate::trace::Trace;
use crate::{Failure, dataflow, shards};

const ROUNDS: usize = 3;

#[derive(Clone, Copy)]
pub struct Contender {
    name: &'static str,
    threads: usize,
}

const TIMELY: &str = "timely";
const SHARDS: &str = "shards";

/// The first is what the others are compared to.
const CONTENDERS: [Contender; 4] = [
    Contender { name: TIMELY, threads: 1 },
    Contender { name: SHARDS, threads: 1 },
    Contender { name: TIMELY, threads: 2 },
    Contender { name: SHARDS, threads: 2 },
];

impl Contender {
    pub fn named(name: &str, threads: &str) -> Option<Self> {
        let threads: usize = threads.parse().ok()?;
        CONTENDERS.into_iter().find(|it| (it.name, it.threads) == (name, threads))
    }

    /// Runs here, and writes what it took.
    pub fn run(self, trace: Trace) -> Result<(), Failure> {
        // A worker of timely wants what lives as long as the program.
        let events = trace.events().leak();
        let figures = match self.name {
            TIMELY => dataflow::run(events, self.threads),
            _ => shards::run(events, self.threads),
        };
        println!("{}", serde_json::to_string(&figures)?);
        Ok(())
    }

    /// Runs in a new process. It fails if anything else is counted than expected.
    fn spawn(self, trace: Trace, expected: &Summary) -> Result<Figures, Failure> {
        let Self { name, threads } = self;
        let Trace { kind, events, devices } = trace;
        let numbers = [events, devices].map(|number| number.to_string());
        let output = Command::new(env::current_exe()?)
            .args([name, &threads.to_string(), kind.name()])
            .args(numbers)
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(format!("{name}, threads: {threads}: {}", output.status).into());
        }
        let figures: Figures = serde_json::from_slice(&output.stdout)?;
        if figures.summary != *expected {
            let [expected, found] = [expected, &figures.summary].map(serde_json::to_string);
            return Err(format!(
                "{name}, threads: {threads}, {} trace: counted is {}\nwhere a recount is {}",
                kind.name(),
                found?,
                expected?
            )
            .into());
        }
        Ok(figures)
    }
}

pub fn print(trace: Trace) -> Result<(), Failure> {
    let expected = recount(&Trace::CHECK.events());
    for contender in CONTENDERS {
        contender.spawn(Trace::CHECK, &expected)?;
    }
    let load = fs::read_to_string("/proc/loadavg")?;
    println!("{} events of {} devices, load {}", trace.events, trace.devices, load.trim());

    let expected = recount(&trace.events());
    let mut all: [Vec<Figures>; CONTENDERS.len()] = Default::default();
    for round in 0..ROUNDS {
        let mut turns: Vec<_> = CONTENDERS.into_iter().zip(&mut all).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for (contender, figures) in turns {
            figures.push(contender.spawn(trace, &expected)?);
        }
    }

    println!();
    println!(
        "| with | threads | events/s of processor time | ratio | events/s by the clock | ratio | \
         bytes a device |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    let millions = |seconds| f64::from(trace.events) / seconds / 1e6;
    let [base, ..] = &all;
    for (Contender { name, threads }, figures) in CONTENDERS.into_iter().zip(&all) {
        let rate = |value: fn(&Figures) -> f64| {
            let (base, own) = (Spread::of(base, value), Spread::of(figures, value));
            let (best, worst) = (millions(own.least), millions(own.most));
            format!("{best:.2} M ({worst:.2} M) | **{:.2}**", base.least / own.least)
        };
        let bytes = Spread::of(figures, |it| it.resident as f64);
        let a_device = |bytes: f64| bytes / f64::from(trace.devices);
        println!(
            "| {name} | {threads} | {} | {} | {:.0} ({:.0}) |",
            rate(|it| it.processor),
            rate(|it| it.clock),
            a_device(bytes.least),
            a_device(bytes.most)
        );
    }
    println!();
    println!("The best of {ROUNDS} rounds, in brackets the worst; ratios are to the first line.");
    Ok(())
}

/// The least and the most of all rounds.
struct Spread {
    least: f64,
    most: f64,
}

impl Spread {
    fn of(figures: &[Figures], value: fn(&Figures) -> f64) -> Self {
        let values = || figures.iter().map(value);
        Self { least: values().fold(f64::MAX, f64::min), most: values().fold(0.0, f64::max) }
    }
}
