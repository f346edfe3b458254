//! The table of ratios.

use foldhash::fast::FixedState;

use crate::array::Arrays;
use crate::contender::{Contender, Pair, Rounds, side_by_side, two_loads};
use crate::index_map::{Fnv, IndexTally};
use crate::json;
use crate::ours::{ByHandle, ByKey, Mesh};
use crate::recount::Recount;
use crate::sqlite::{Sqlite, in_memory};
use crate::std_tally::StdTally;
use crate::workload::{Draw, Workload};

const ROUNDS: usize = 41;

const DRAWS: [(Draw, &str); 2] = [(Draw::Uniform, "uniform"), (Draw::Skewed, "90 % on a tenth")];

/// Prints one line as soon as it is measured.
struct Table {
    tsv: bool,
}

pub fn print(tsv: bool) {
    let table = Table { tsv };
    table.head();
    table.full::<64, 16>();
    table.full::<1024, 256>();
    table.full::<32768, 8192>();
    table.beside_std::<65534, 16384>();
    table.loads::<64, 16>();
    table.loads::<1024, 256>();
    table.loads::<32768, 8192>();
    table.room::<64, 16, 128, 32>();
    table.room::<1024, 256, 2048, 512>();
    table.room::<32768, 8192, 65534, 16384>();
    table.handles::<64, 16>();
    table.handles::<1024, 256>();
    table.handles::<32768, 8192>();
    table.reads::<1024, 256>();
    table.reads::<32768, 8192>();

    let lines = "example roll-out, per line";
    table.line("decode", lines, "serde_json + chrono", Some(0.35), json::decode(ROUNDS));
    let pair = json::decode_apply(ROUNDS);
    table.line("decode + apply", lines, "serde_json + chrono + hashbrown", None, pair);
    table.line("encode a device state", lines, "serde_json", None, json::encode_states(ROUNDS));
    table.line("encode a summary", "one", "serde_json", None, json::encode_summary(ROUNDS));
}

impl Table {
    fn full<const N: usize, const U: usize>(&self) {
        self.beside_std::<N, U>();
        for (draw, name) in DRAWS {
            let case = format!("{N} devices, full, {name}");
            let peer = IndexTally::<Fnv, N, U>::default();
            let pair =
                side_by_side(Workload::new(N, draw), rounds(N), ByKey::<N, U>::default(), peer);
            let target = if N < 1024 { 0.33 } else { 0.2 };
            self.line("apply", &case, "heapless FnvIndexMap", Some(target), pair);
            let peer = IndexTally::<FixedState, N, U>::default();
            let pair =
                side_by_side(Workload::new(N, draw), rounds(N), ByKey::<N, U>::default(), peer);
            self.line("apply", &case, "heapless IndexMap + foldhash", None, pair);
        }
    }

    fn beside_std<const N: usize, const U: usize>(&self) {
        for (draw, name) in DRAWS {
            let case = format!("{N} devices, full, {name}");
            let peer = StdTally::with_room_for(N, U);
            let pair =
                side_by_side(Workload::new(N, draw), rounds(N), ByKey::<N, U>::default(), peer);
            let target = if N <= 1024 { 0.6 } else { 0.8 };
            self.line("apply", &case, "std: hashbrown + foldhash", Some(target), pair);
        }
    }

    /// Twice the devices in the same room. They also touch twice the memory, which plain arrays
    /// show: what those pay more, no table can save.
    fn loads<const N: usize, const U: usize>(&self) {
        let case = |who| format!("{who}{N} devices, full, uniform");
        let pair = both_loads::<N, _>(ByKey::<N, U>::default);
        self.line("apply", &case(""), "itself half full", None, pair);
        let pair = both_loads::<N, _>(|| StdTally::with_room_for(N, U));
        self.line("apply", &case("std: hashbrown + foldhash, "), "itself half full", None, pair);
        let pair = both_loads::<N, _>(|| Arrays::with_room_for(N, U));
        self.line("apply", &case("plain arrays, "), "itself half full", None, pair);
    }

    /// The same devices with twice the room: the load alone, the memory touched being the same.
    fn room<const N: usize, const U: usize, const TWICE: usize, const TWICE_U: usize>(&self) {
        let workload = Workload::new(N, Draw::Uniform);
        let (full, half) = (ByKey::<N, U>::default(), ByKey::<TWICE, TWICE_U>::default());
        let pair = side_by_side(workload, rounds(N), full, half);
        let case = format!("{N} devices, full, uniform");
        self.line("apply", &case, "itself with room for twice as many", Some(1.15), pair);
    }

    fn handles<const N: usize, const U: usize>(&self) {
        let case = |keys| format!("{N} devices, full, uniform, keys of {keys} bytes");
        let workload = || Workload::new(N, Draw::Uniform);
        let (ours, peer) = (ByHandle::<N, U>::default(), Arrays::with_room_for(N, U));
        let pair = side_by_side(workload(), rounds(N), ours, peer);
        self.line("apply by handle", &case(16), "plain arrays", Some(1.2), pair);
        let (ours, peer) = (Mesh::<N, U>::default(), Arrays::with_room_for(N, U));
        let pair = side_by_side(workload(), rounds(N), ours, peer);
        self.line("apply by handle", &case(2), "plain arrays", Some(1.2), pair);
    }

    fn reads<const N: usize, const U: usize>(&self) {
        for read_every in [1, 100, 10_000] {
            let case = format!("{N} devices, full, summary read every {read_every}");
            let rounds = Rounds { count: 15, events: read_every.max(40), read_every };
            let workload = || Workload::new(N, Draw::Uniform);
            let (ours, peer) = (ByKey::<N, U>::default(), Recount::default());
            let pair = side_by_side(workload(), rounds, ours, peer);
            self.line("apply and read", &case, "std HashMap, recounted", None, pair);
            let connection = in_memory();
            let (ours, peer) = (ByKey::<N, U>::default(), Sqlite::new(&connection));
            let pair = side_by_side(workload(), rounds, ours, peer);
            self.line("apply and read", &case, "SQLite, GROUP BY", None, pair);
        }
    }

    fn head(&self) {
        if self.tsv {
            println!("what\tcase\tpeer\tours_ns\tpeer_ns\tratio\ttarget");
        } else {
            println!("| what | case | beside | ns | its ns | ratio | target |");
            println!("|---|---|---|---:|---:|---:|---:|");
        }
    }

    fn line(&self, what: &str, case: &str, peer: &str, target: Option<f64>, pair: Pair) {
        let Pair { ours, peer: theirs, ratio } = pair;
        let target = target.map_or(String::new(), |target| target.to_string());
        if self.tsv {
            println!("{what}\t{case}\t{peer}\t{ours:.2}\t{theirs:.2}\t{ratio:.5}\t{target}");
        } else {
            let ratio = figures(ratio);
            let (ours, theirs) = (figures(ours), figures(theirs));
            println!("| {what} | {case} | {peer} | {ours} | {theirs} | **{ratio}** | {target} |");
        }
    }
}

fn both_loads<const N: usize, C: Contender>(empty: impl Fn() -> C) -> Pair {
    let workloads = [N, N / 2].map(|devices| Workload::new(devices, Draw::Uniform));
    two_loads(workloads, rounds(N), [empty(), empty()])
}

/// Enough events that a round warms the cache, few enough that drift hits both.
pub fn rounds(devices: usize) -> Rounds {
    Rounds { count: ROUNDS, events: (2 * devices).max(8192), read_every: usize::MAX }
}

/// At least two figures that count.
fn figures(value: f64) -> String {
    match value {
        ..0.0095 => format!("{value:.5}"),
        ..9.95 => format!("{value:.2}"),
        ..99.5 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
