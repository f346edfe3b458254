//! One way to do the job, and two of them side by side.

use std::hint::black_box;
use std::time::Instant;

use runtally::{Counts, DateTime, Effect, RunState, Summary};

use crate::workload::{Fleet, Report, Workload};

/// One way to do the job: it keeps the last state of every device and the twelve counts.
pub trait Contender {
    /// An event in the form in which this one takes it.
    type Event;

    /// Whether it tells what an event came to.
    const TELLS: bool = true;

    fn event(&self, fleet: &Fleet, report: Report) -> Self::Event;

    fn apply(&mut self, event: &Self::Event) -> Effect;

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

/// How long two contenders are compared.
#[derive(Clone, Copy)]
pub struct Rounds {
    pub count: usize,
    /// Events per round.
    pub events: usize,
    /// The summary is read after this many events; not within a round if there are fewer.
    pub read_every: usize,
}

/// Every round, both get the same events, one contender after the other.
///
/// # Panics
///
/// If they do not come to the same outcomes and the same summary.
pub fn side_by_side<P: Contender>(
    mut workload: Workload,
    rounds: Rounds,
    mut ours: impl Contender,
    mut peer: P,
) -> Pair {
    let mut reports = workload.first();
    reports.extend(workload.next(rounds.events));
    for &report in &reports {
        let event = ours.event(&workload.fleet, report);
        let outcome = ours.apply(&event);
        let event = peer.event(&workload.fleet, report);
        let other = peer.apply(&event);
        assert!(!P::TELLS || outcome == other, "{outcome:?} became {other:?}");
    }
    assert_eq!(ours.summary(), peer.summary(), "the same events, another summary");

    let pair = paired(rounds.count, |order| {
        let reports = workload.next(rounds.events);
        let (ours, peer) = (&mut ours, &mut peer);
        match order {
            Order::Forward => {
                let ours = time(&workload.fleet, ours, &reports, rounds.read_every);
                (ours, time(&workload.fleet, peer, &reports, rounds.read_every))
            }
            Order::Reversed => {
                let peer = time(&workload.fleet, peer, &reports, rounds.read_every);
                (time(&workload.fleet, ours, &reports, rounds.read_every), peer)
            }
        }
    });
    assert_eq!(ours.summary(), peer.summary(), "the same events, another summary");
    pair
}

/// The same tally with two loads, each with its own events: the first through the second.
pub fn two_loads(
    mut workloads: [Workload; 2],
    rounds: Rounds,
    mut tallies: [impl Contender; 2],
) -> Pair {
    for (tally, workload) in tallies.iter_mut().zip(&mut workloads) {
        let mut reports = workload.first();
        reports.extend(workload.next(rounds.events));
        time(&workload.fleet, tally, &reports, rounds.read_every);
    }
    let [first, second] = &mut workloads;
    let [a, b] = &mut tallies;
    paired(rounds.count, |order| {
        let (of_a, of_b) = (first.next(rounds.events), second.next(rounds.events));
        match order {
            Order::Forward => {
                let a = time(&first.fleet, a, &of_a, rounds.read_every);
                (a, time(&second.fleet, b, &of_b, rounds.read_every))
            }
            Order::Reversed => {
                let b = time(&second.fleet, b, &of_b, rounds.read_every);
                (time(&first.fleet, a, &of_a, rounds.read_every), b)
            }
        }
    })
}

/// Whether ours goes first or second: they take turns, so that whatever slows the machine down
/// slows both.
#[derive(Clone, Copy)]
pub enum Order {
    Forward,
    Reversed,
}

/// The medians over so many rounds, each of which gives two times.
pub fn paired(rounds: usize, mut round: impl FnMut(Order) -> (f64, f64)) -> Pair {
    let times: Vec<_> = [Order::Forward, Order::Reversed]
        .into_iter()
        .cycle()
        .take(rounds)
        .map(&mut round)
        .collect();
    let ratios = times.iter().map(|(ours, peer)| ours / peer).collect();
    let (ours, peer) = times.into_iter().unzip();
    Pair { ours: median(ours), peer: median(peer), ratio: median(ratios) }
}

fn time<C: Contender>(
    fleet: &Fleet,
    contender: &mut C,
    reports: &[Report],
    read_every: usize,
) -> f64 {
    let events: Vec<_> = reports.iter().map(|&report| contender.event(fleet, report)).collect();
    let start = Instant::now();
    for events in events.chunks(read_every) {
        for event in events {
            let _ = black_box(contender.apply(black_box(event)));
        }
        if events.len() == read_every {
            black_box(contender.summary());
        }
    }
    start.elapsed().as_nanos() as f64 / events.len() as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The place of an event among those of its device: by instant, finality, offset and user.
pub fn order<U>(at: DateTime, state: RunState, user: U) -> (i64, u8, i16, U) {
    (at.ticks(), state.finality(), at.offset(), user)
}

/// The summary of plain counters and of the latest instant.
pub fn summary(devices: [u32; 6], users: [u32; 6], last_run: Option<i64>) -> Summary {
    let last_run = last_run.map(|ticks| DateTime::from_ticks(ticks, 0).expect("a year to come"));
    let counts = |numbers: [u32; 6]| {
        RunState::ALL.into_iter().fold(Counts::ZERO, |counts, state| {
            counts.with(state, numbers[state as usize]).expect("as many as there are devices")
        })
    };
    Summary { devices: counts(devices), users: counts(users), last_run }
}
