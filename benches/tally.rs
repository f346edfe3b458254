//! What a call costs, by Criterion: `cargo bench`. The peers are in `benches/peers`.

#[expect(unreachable_pub, reason = "the peers have it, too")]
#[path = "peers/src/workload.rs"]
mod workload;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use runtally::graph::{DeviceState, RunSummary, Upn};
use runtally::{DeviceHandle, Tally};
use uuid::Uuid;
use workload::{Draw, Workload};

const DEVICES: usize = 1024;
const USERS: usize = 256;
/// Events per iteration.
const EVENTS: usize = 8192;

const ROLLOUT: &str = include_str!("../examples/data/rollout.jsonl");

type Table = Tally<Uuid, Uuid, DEVICES, USERS>;
type Fleet = Tally<Uuid, Upn, 2048, 1024>;

criterion_group!(benches, apply, documents);
criterion_main!(benches);

/// Events of a full table.
fn apply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply");
    group.throughput(Throughput::Elements(EVENTS as u64));
    for (name, draw) in [("uniform", Draw::Uniform), ("90 % on a tenth", Draw::Skewed)] {
        let mut workload = Workload::new(DEVICES, draw);
        let mut tally = filled(&workload);
        // New events each time: those applied before would be stale.
        let mut events = || -> Vec<_> {
            let reports = workload.next(EVENTS);
            reports.into_iter().map(|report| workload.fleet.event(report)).collect()
        };
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                &mut events,
                |events| {
                    for event in &events {
                        let _ = black_box(tally.apply(event));
                    }
                },
                BatchSize::LargeInput,
            );
        });
    }

    let mut workload = Workload::new(DEVICES, Draw::Uniform);
    let mut tally = filled(&workload);
    // As many rows as devices, in the order in which they came.
    let rows: Vec<DeviceHandle> = workload
        .fleet
        .devices
        .iter()
        .map(|device| tally.find(device).expect("every device has reported"))
        .collect();
    let mut events = || -> Vec<_> {
        let reports = workload.next(EVENTS);
        let row = |device: u16| rows[usize::from(device)];
        reports.into_iter().map(|it| (row(it.device), workload.fleet.event(it))).collect()
    };
    group.bench_function("uniform, by row", |bencher| {
        bencher.iter_batched(
            &mut events,
            |events| {
                for (row, event) in &events {
                    let _ = black_box(tally.apply_at(*row, event));
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn filled(workload: &Workload) -> Box<Table> {
    let mut tally = Box::new(Table::new());
    for report in workload.first() {
        let _ = tally.apply(&workload.fleet.event(report)).expect("there is room");
    }
    tally
}

/// The example roll-out.
fn documents(criterion: &mut Criterion) {
    let lines: Vec<_> = ROLLOUT.lines().map(str::as_bytes).collect();
    let mut group = criterion.benchmark_group("documents");
    group.throughput(Throughput::Elements(lines.len() as u64));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            for line in &lines {
                let _ = black_box(DeviceState::decode(black_box(line)));
            }
        });
    });
    group.bench_function("decode and apply", |bencher| {
        bencher.iter_batched_ref(
            || Box::new(Fleet::new()),
            |fleet| read(&lines, fleet),
            BatchSize::LargeInput,
        );
    });

    let mut fleet = Box::new(Fleet::new());
    read(&lines, &mut fleet);
    let summary = RunSummary { id: Some(Uuid::nil()), summary: *fleet.summary() };
    let mut json = [0; RunSummary::MAX_JSON];
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode a summary", |bencher| {
        bencher.iter(|| black_box(&summary).encode(black_box(&mut json)));
    });
    group.finish();
}

fn read(lines: &[&[u8]], fleet: &mut Fleet) {
    for line in lines {
        let event = DeviceState::decode(line).expect("well formed").event();
        let _ = black_box(fleet.apply(&event)).expect("there is room");
    }
}
