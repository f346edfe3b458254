//! What the roll-out has come to: one line for programs, a picture for people.

use std::fmt;
use std::io::{self, Write};

use indicatif::HumanCount;
use jiff::SignedDuration;
use jiff::fmt::friendly::{Designator, SpanPrinter};
use runtally::graph::{RunSummary, summary_id};
use runtally::{DateTime, Gate, Overflow, RunState, RunStates, Summary, Verdict};

use crate::args::{Args, Overdue};
use crate::chart::Chart;
use crate::{CONFIGURATION, Fleet};

pub(crate) struct Outcome {
    summary: Summary,
    run_from: Option<(DateTime, usize)>,
    overdue: Option<(Overdue, Late)>,
    gate: Option<(Gate, Verdict)>,
}

/// Those who have been pending for too long.
struct Late {
    devices: usize,
    users: u32,
}

impl Outcome {
    pub(crate) fn of(fleet: &Fleet, args: &Args) -> Result<Self, Overflow> {
        let summary = *fleet.summary();
        let run_from = args.run_from.map(|at| {
            let counts_anew = |event: &_| fleet.counted(event) != event.state;
            (at, fleet.devices().filter(counts_anew).count())
        });
        let mut outcome = Self { summary, run_from, overdue: None, gate: None };
        if let Some(overdue @ Overdue { now, limit }) = args.overdue {
            // Whoever has an overdue device and is pending would be in error with it.
            let worst = fleet.summary_at(now, limit, RunState::ScriptError)?;
            let users = summary.users[RunState::Pending] - worst.users[RunState::Pending];
            outcome.overdue = Some((overdue, Late { devices: fleet.overdue(now, limit), users }));
        }
        outcome.gate = args.gate.map(|gate| (gate, gate.verdict(&summary)));
        Ok(outcome)
    }

    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.gate.map(|(_, verdict)| verdict)
    }

    /// The summary in the envelope that `GET …/runSummary` answers with, and what was asked beyond
    /// it.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let id = Some(summary_id(&CONFIGURATION));
        let summary = RunSummary { id, summary: self.summary };
        let mut json = [0; RunSummary::MAX_JSON];
        let length = summary.encode(&mut json).map_err(io::Error::other)?;
        out.write_all(b"{\"value\":")?;
        out.write_all(&json[..length])?;
        if let Some((_, Late { devices, users })) = self.overdue {
            write!(out, r#","overdueDeviceCount":{devices},"overdueUserCount":{users}"#)?;
        }
        if let Some((_, verdict)) = self.gate {
            let name = match verdict {
                Verdict::TooFew => "tooFew",
                Verdict::Below => "below",
                Verdict::Reached => "reached",
            };
            write!(out, r#","gate":"{name}""#)?;
        }
        out.write_all(b"}\n")
    }

    pub(crate) const fn picture(&self, colour: bool) -> Picture<'_> {
        Picture { outcome: self, colour }
    }
}

/// Charts, and a line for each question.
pub(crate) struct Picture<'a> {
    outcome: &'a Outcome,
    colour: bool,
}

impl fmt::Display for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { summary, run_from, overdue, gate } = self.outcome;
        let late = overdue.as_ref().map(|(_, late)| late);
        let devices = Chart {
            title: "devices",
            counts: summary.devices,
            overdue: late.map(|late| late.devices as u64),
            colour: self.colour,
        };
        let users = Chart {
            title: "users",
            counts: summary.users,
            overdue: late.map(|late| late.users.into()),
            colour: self.colour,
        };
        writeln!(f, "{devices}\n{users}")?;
        if let Some((at, devices)) = run_from {
            let devices = HumanCount(*devices as u64);
            writeln!(
                f,
                "run from {at}: {devices} devices count as pending, having reported before"
            )?;
        }
        if let Some((Overdue { now, limit }, _)) = overdue {
            let printer = SpanPrinter::new().designator(Designator::Compact);
            let limit = SignedDuration::try_from(*limit).unwrap_or(SignedDuration::MAX);
            let limit = printer.duration_to_string(&limit);
            writeln!(f, "overdue: pending for {limit} or longer at {now}")?;
        }
        if let Some((gate, verdict)) = gate {
            self.gate(f, gate, *verdict)?;
        }
        Ok(())
    }
}

impl Picture<'_> {
    fn gate(&self, f: &mut fmt::Formatter<'_>, gate: &Gate, verdict: Verdict) -> fmt::Result {
        let sum = |states: RunStates| -> u64 {
            let counts = self.outcome.summary.devices.iter();
            counts.filter(|(state, _)| states.contains(*state)).map(|(_, n)| u64::from(n)).sum()
        };
        let (failed, executed) = (sum(gate.failed), sum(gate.executed));
        let limit = Share(gate.per_10_000.into());
        let (hue, plain) = match verdict {
            Verdict::Reached if self.colour => ("\x1b[1;31m", "\x1b[0m"),
            _ => ("", ""),
        };
        write!(f, "gate: {} of {} failed", HumanCount(failed), HumanCount(executed))?;
        if let Some(share) = (failed * 10_000).checked_div(executed) {
            write!(f, ", {}", Share(share))?;
        }
        match verdict {
            Verdict::TooFew => {
                let minimum = HumanCount(gate.minimum.max(1).into());
                writeln!(f, "; too few for a verdict, which takes {minimum}")
            }
            Verdict::Below => writeln!(f, "; below {limit}"),
            Verdict::Reached => writeln!(f, "; {hue}{limit} is reached: stop{plain}"),
        }
    }
}

/// In hundredths of a per cent.
struct Share(u64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} %", self.0 / 100, self.0 % 100)
    }
}
