//! runtally beside what else would do its job, in one run on one machine.

mod array;
mod contender;
mod index_map;
mod ours;
mod recount;
mod sqlite;
mod std_tally;
mod workload;

use contender::{Contender, Pair, side_by_side};
use workload::{Draw, Workload};

fn main() {
    std::thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap().join().unwrap();
}

fn run() {
    apply::<64, 16>();
    apply::<1024, 256>();
    apply::<32768, 8192>();
}

fn apply<const N: usize, const U: usize>() {
    let size = ((2 * N).max(8192), 31);
    for draw in [Draw::Uniform, Draw::Skewed] {
        let w = || Workload::new(N, draw);
        let show = |name: &str, p: Pair| {
            println!("{N:6} {:16} {name:22} {:7.2} {:7.2} {:5.2}", draw.name(), p.ours, p.peer, p.ratio);
        };
        show("hashbrown", side_by_side(w(), size, &mut ours::ByKey::<N, U>::default(), &mut std_tally::StdTally::with_room_for(N, U)));
        show("array", side_by_side(w(), size, &mut ours::ByHandle::<N, U>::default(), &mut array::Arrays::with_room_for(N, U)));
        show("array mesh", side_by_side(w(), size, &mut ours::Mesh::<N, U>::default(), &mut array::Arrays::with_room_for(N, U)));
        show("index fold", side_by_side(w(), size, &mut ours::ByKey::<N, U>::default(), &mut index_map::IndexTally::<foldhash::fast::FixedState, N, U>::default()));
        show("index fnv", side_by_side(w(), size, &mut ours::ByKey::<N, U>::default(), &mut index_map::IndexTally::<index_map::Fnv, N, U>::default()));
        show("half", side_by_side(w(), size, &mut ours::ByKey::<N, U>::default(), &mut ours::ByKey::<N, U>::default()));
    }
}
