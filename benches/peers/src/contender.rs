//! One way to do the job, and two of them side by side.

use std::hint::black_box;
use std::time::Instant;

use runtally::{Counts, DateTime, Outcome, RunState, Summary};

use crate::workload::{Fleet, Report, Workload};

/// One way to do the job: it keeps the last state of every device and the twelve counts.
pub trait Contender {
    /// An event in the form in which this one takes it.
    type Event;

    /// Whether it tells what an event came to.
    const TELLS: bool = true;

    fn event(&self, fleet: &Fleet, report: Report) -> Self::Event;

    fn apply(&mut self, event: &Self::Event) -> Outcome;

    fn summary(&mut self) -> Summary;
}

/// Nanoseconds per event of two contenders, and how they compare.
#[derive(Clone, Copy)]
pub struct Pair {
    pub ours: f64,
    pub peer: f64,
    /// Ours through the peer's: the median over the rounds, each of which has its own ratio.
    pub ratio: f64,
}

/// Every round, both get the same `chunk` events, one after the other, taking turns in going
/// first: whatever slows the machine down slows both.
///
/// # Panics
///
/// If they do not come to the same outcomes and the same summary.
pub fn side_by_side(
    mut workload: Workload,
    (chunk, rounds): (usize, usize),
    ours: &mut impl Contender,
    peer: &mut impl Contender,
) -> Pair {
    let first = workload.first();
    agree(&workload, ours, peer, &first);
    let some = workload.next(chunk);
    agree(&workload, ours, peer, &some);

    let times = (0..rounds).map(|round| {
        let reports = workload.next(chunk);
        if round % 2 == 0 {
            let ours = time(&workload.fleet, ours, &reports);
            (ours, time(&workload.fleet, peer, &reports))
        } else {
            let peer = time(&workload.fleet, peer, &reports);
            (time(&workload.fleet, ours, &reports), peer)
        }
    });
    let pair = Pair::of(times.collect());
    assert_eq!(ours.summary(), peer.summary(), "the same events, another summary");
    pair
}

fn agree<P: Contender>(
    workload: &Workload,
    ours: &mut impl Contender,
    peer: &mut P,
    reports: &[Report],
) {
    for &report in reports {
        let event = ours.event(&workload.fleet, report);
        let outcome = ours.apply(&event);
        let event = peer.event(&workload.fleet, report);
        let other = peer.apply(&event);
        assert!(!P::TELLS || outcome == other, "{outcome:?} became {other:?}");
    }
    assert_eq!(ours.summary(), peer.summary(), "the same events, another summary");
}

fn time<C: Contender>(fleet: &Fleet, contender: &mut C, reports: &[Report]) -> f64 {
    let events: Vec<_> = reports.iter().map(|&report| contender.event(fleet, report)).collect();
    let start = Instant::now();
    for event in &events {
        let _ = black_box(contender.apply(black_box(event)));
    }
    start.elapsed().as_nanos() as f64 / events.len() as f64
}

impl Pair {
    /// From the times of every round.
    pub fn of(times: Vec<(f64, f64)>) -> Self {
        let ratios = times.iter().map(|(ours, peer)| ours / peer).collect();
        let (ours, peer) = times.into_iter().unzip();
        Self { ours: median(ours), peer: median(peer), ratio: median(ratios) }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The summary of plain counters.
pub fn summary(devices: [u32; 6], users: [u32; 6], last_run: Option<DateTime>) -> Summary {
    let counts = |numbers: [u32; 6]| {
        RunState::ALL.into_iter().fold(Counts::ZERO, |counts, state| {
            counts.with(state, numbers[state as usize]).expect("as many as there are devices")
        })
    };
    Summary { devices: counts(devices), users: counts(users), last_run }
}
