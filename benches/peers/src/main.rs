//! runtally beside what else would do its job, in one run on one machine.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml             a table, and the plots
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- --tsv    the table for a program
//! ```

mod array;
mod contender;
mod index_map;
mod json;
mod ours;
mod plot;
mod recount;
mod sqlite;
mod std_tally;
mod svg;
mod table;
mod workload;

use std::process::ExitCode;
use std::thread;

fn main() -> ExitCode {
    let mut tsv = false;
    for arg in std::env::args().skip(1) {
        if arg != "--tsv" {
            eprintln!("peers: {arg}: the only option is --tsv");
            return ExitCode::from(2);
        }
        tsv = true;
    }
    // A table of 65 534 rows is made on the stack before it goes to its box.
    let run = move || {
        table::print(tsv);
        plot::draw();
    };
    thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(run)
        .expect("a thread")
        .join()
        .map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
