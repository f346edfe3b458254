//! The plots: measured here, drawn by `svg`.

use std::fs;
use std::path::Path;

use foldhash::fast::FixedState;
use runtally::DateTime;

use crate::array::Arrays;
use crate::contender::side_by_side;
use crate::index_map::{Fnv, IndexTally};
use crate::json;
use crate::ours::{ByHandle, ByKey};
use crate::std_tally::StdTally;
use crate::svg::{Bars, Lines, Scale, Series, Stroke};
use crate::table::rounds;
use crate::workload::{Draw, Workload};

/// Measures and draws all plots into `benches/plots`.
pub fn draw() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plots");
    fs::create_dir_all(&directory).expect("benches/plots can be made");
    for (name, svg) in [("devices", devices()), ("load", load()), ("json", json())] {
        let path = directory.join(name).with_extension("svg");
        fs::write(&path, svg).expect("benches/plots can be written");
    }
}

/// What is measured at one place of the x-axis: nanoseconds per event of each contender.
#[derive(Default)]
struct Points {
    by_key: Vec<(f64, f64)>,
    by_handle: Vec<(f64, f64)>,
    std: Vec<(f64, f64)>,
    arrays: Vec<(f64, f64)>,
    index_fold: Vec<(f64, f64)>,
    index_fnv: Vec<(f64, f64)>,
}

impl Points {
    fn heap<const N: usize, const U: usize>(&mut self, x: f64, devices: usize) {
        let workload = || Workload::new(devices, Draw::Uniform);
        let peer = StdTally::with_room_for(N, U);
        let pair = side_by_side(workload(), rounds(devices), ByKey::<N, U>::default(), peer);
        self.by_key.push((x, pair.ours));
        self.std.push((x, pair.peer));
        let peer = Arrays::with_room_for(N, U);
        let pair = side_by_side(workload(), rounds(devices), ByHandle::<N, U>::default(), peer);
        self.by_handle.push((x, pair.ours));
        self.arrays.push((x, pair.peer));
    }

    /// An `IndexMap` has room for a power of two, 32 768 at the most.
    fn index_maps<const N: usize, const U: usize>(&mut self, x: f64, devices: usize) {
        let workload = || Workload::new(devices, Draw::Uniform);
        let peer = IndexTally::<FixedState, N, U>::default();
        let pair = side_by_side(workload(), rounds(devices), ByKey::<N, U>::default(), peer);
        self.index_fold.push((x, pair.peer));
        let peer = IndexTally::<Fnv, N, U>::default();
        let pair = side_by_side(workload(), rounds(devices), ByKey::<N, U>::default(), peer);
        self.index_fnv.push((x, pair.peer));
    }

    fn series(self, y: impl Fn(f64) -> f64) -> Vec<Series> {
        let series = |name, stroke, points: Vec<(f64, f64)>| Series {
            name,
            stroke,
            points: points.into_iter().map(|(x, nanoseconds)| (x, y(nanoseconds))).collect(),
        };
        vec![
            series("plain arrays (the limit)", Stroke::Limit, self.arrays),
            series("heapless FnvIndexMap", Stroke::Third, self.index_fnv),
            series("heapless IndexMap + foldhash", Stroke::Second, self.index_fold),
            series("std: hashbrown + foldhash", Stroke::First, self.std),
            series("runtally, by handle", Stroke::OursToo, self.by_handle),
            series("runtally, by key", Stroke::Ours, self.by_key),
        ]
    }
}

fn devices() -> String {
    let mut points = Points::default();
    macro_rules! at {
        ($($devices:literal $users:literal)*) => {$(
            points.heap::<$devices, $users>(f64::from($devices), $devices);
            points.index_maps::<$devices, $users>(f64::from($devices), $devices);
        )*};
    }
    at!(16 4  64 16  256 64  1024 256  4096 1024  16384 4096  32768 8192);
    points.heap::<65534, 16384>(65534.0, 65534);
    Lines {
        title: "Events per second, tables full",
        subtitle: "one core, keys of 16 bytes, four devices to a user; summary current after each event",
        x: Scale::log("devices", &[16., 64., 256., 1024., 4096., 16384., 65534.]),
        y: Scale::log("million events per second", &[2., 5., 10., 20., 50., 100.]),
        series: points.series(|nanoseconds| 1e3 / nanoseconds),
        conditions: conditions(),
    }
    .svg()
}

fn load() -> String {
    const N: usize = 32768;
    const U: usize = 8192;
    let mut points = Points::default();
    for percent in (10..=100).step_by(10) {
        let devices = N * percent / 100;
        points.heap::<N, U>(percent as f64, devices);
        points.index_maps::<N, U>(percent as f64, devices);
    }
    Lines {
        title: "What an event costs as the table fills",
        subtitle: "room for 32 768 devices with keys of 16 bytes, drawn uniformly",
        x: Scale::linear(
            "of the rows taken, %",
            &[10., 20., 30., 40., 50., 60., 70., 80., 90., 100.],
        ),
        y: Scale::log("nanoseconds per event", &[10., 20., 50., 100., 200., 500.]),
        series: points.series(|nanoseconds| nanoseconds),
        conditions: conditions(),
    }
    .svg()
}

fn json() -> String {
    const ROUNDS: usize = 41;
    Bars {
        title: "From a JSON document to counts, and back",
        subtitle: &format!(
            "nanoseconds per document; the example roll-out, {:.0} bytes a line on average",
            json::bytes_per_line()
        ),
        ours: "runtally",
        peer: "serde_json + chrono + the tally on std",
        rows: vec![
            ("decode and apply", json::decode_apply(ROUNDS)),
            ("decode", json::decode(ROUNDS)),
            ("encode a device state", json::encode_states(ROUNDS)),
            ("encode a summary", json::encode_summary(ROUNDS)),
        ],
        conditions: conditions(),
    }
    .svg()
}

/// Where and when: a number without them says little.
fn conditions() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let since_1970 = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let today = DateTime::from_ticks((since_1970.as_secs() * 10_000_000).cast_signed(), 0)
        .map(|now| now.to_string());
    let today = today.as_deref().ok().and_then(|now| now.get(..10)).unwrap_or("an unknown day");
    format!(
        "{model}, {cores} cores, shared; {today}; \
         cargo run --release --manifest-path benches/peers/Cargo.toml"
    )
}
