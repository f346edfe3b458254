//! A fixed amount of work, for `benches/instructions` to count its instructions under callgrind:
//! `instructions CASE TIMES` does the case that many times.

#[expect(unreachable_pub, reason = "the peers have it, too")]
#[path = "peers/src/workload.rs"]
mod workload;

use std::hint::black_box;

use runtally::graph::{DeviceState, RunSummary, Upn};
use runtally::{DeviceHandle, Tally};
use uuid::Uuid;
use workload::{Draw, Workload};

const DEVICES: usize = 1024;
const USERS: usize = 256;

const ROLLOUT: &str = include_str!("../examples/data/rollout.jsonl");

fn main() {
    let mut args = std::env::args().skip(1);
    // `cargo bench` and `cargo test` pass arguments of their own; then there is nothing to count.
    let (Some(case), Some(times)) = (args.next(), args.next()) else { return };
    let times = times.parse().expect("a number of times");
    match case.as_str() {
        "apply" => apply(times, Draw::Uniform, false),
        "apply-skewed" => apply(times, Draw::Skewed, false),
        "apply-at" => apply(times, Draw::Uniform, true),
        "decode" => decode(times, false),
        "decode-apply" => decode(times, true),
        "encode-summary" => encode_summary(times),
        "encode-row" => encode_row(times),
        _ => panic!("{case} is no case"),
    }
}

/// Events of a full table, by key or by handle.
fn apply(times: usize, draw: Draw, by_handle: bool) {
    // As many events are made whatever is applied, so that only applying makes a difference.
    const MOST: usize = 40_000;
    let mut workload = Workload::new(DEVICES, draw);
    let mut tally: Box<Tally<Uuid, Uuid, DEVICES, USERS>> = Box::new(Tally::new());
    for report in workload.first() {
        let _ = tally.apply(&workload.fleet.event(report)).expect("there is room");
    }
    let events: Vec<(DeviceHandle, _)> = workload
        .next(MOST)
        .into_iter()
        .map(|report| workload.fleet.event(report))
        .map(|event| (tally.find(&event.device).expect("known"), event))
        .collect();
    for (row, event) in events.iter().take(times) {
        let _ = black_box(if by_handle {
            tally.apply_at(black_box(*row), event)
        } else {
            tally.apply(black_box(event))
        });
    }
}

/// Documents of the example roll-out, from an empty tally on.
fn decode(times: usize, apply: bool) {
    let mut tally: Box<Tally<Uuid, Upn, 2048, 1024>> = Box::new(Tally::new());
    for line in ROLLOUT.lines().cycle().take(times) {
        let state =
            black_box(DeviceState::decode(black_box(line.as_bytes())).expect("well formed"));
        if apply {
            let _ = black_box(tally.apply(&state.event())).expect("there is room");
        }
    }
}

fn encode_summary(times: usize) {
    let mut tally: Box<Tally<Uuid, Upn, 2048, 1024>> = Box::new(Tally::new());
    for line in ROLLOUT.lines() {
        let state = DeviceState::decode(line.as_bytes()).expect("well formed");
        let _ = tally.apply(&state.event()).expect("there is room");
    }
    let summary = RunSummary { id: Some(Uuid::from_u128(7)), summary: *tally.summary() };
    let mut buffer = [0; RunSummary::MAX_JSON];
    for _ in 0..times {
        black_box(black_box(&summary).encode(black_box(&mut buffer)).expect("it fits"));
    }
}

fn encode_row(times: usize) {
    let states: Vec<_> = ROLLOUT
        .lines()
        .map(|line| DeviceState::decode(line.as_bytes()).expect("well formed"))
        .collect();
    let mut buffer = vec![0; DeviceState::MAX_JSON];
    for state in states.iter().cycle().take(times) {
        black_box(black_box(state).encode(black_box(&mut buffer)).expect("it fits"));
    }
}
