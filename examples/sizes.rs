//! How much memory a tally takes: `cargo run --release --example sizes`.

use std::mem::size_of;

use runtally::Tally;
use runtally::graph::{Configuration, Upn};
use uuid::Uuid;

/// Bytes that one more row adds: the difference of two sizes over their difference in rows.
const fn per_row(small: usize, large: usize) -> usize {
    (large - small) / 512
}

fn main() {
    println!("bytes per row, index included         device   user");
    println!(
        "16-byte keys for devices and users    {:6} {:6}",
        per_row(
            size_of::<Tally<[u8; 16], [u8; 16], 512, 8>>(),
            size_of::<Tally<[u8; 16], [u8; 16], 1024, 8>>()
        ),
        per_row(
            size_of::<Tally<[u8; 16], [u8; 16], 8, 512>>(),
            size_of::<Tally<[u8; 16], [u8; 16], 8, 1024>>()
        ),
    );
    println!(
        "u16 keys for devices and users        {:6} {:6}",
        per_row(size_of::<Tally<u16, u16, 512, 8>>(), size_of::<Tally<u16, u16, 1024, 8>>()),
        per_row(size_of::<Tally<u16, u16, 8, 512>>(), size_of::<Tally<u16, u16, 8, 1024>>()),
    );
    println!(
        "GUIDs and UPNs                        {:6} {:6}",
        per_row(size_of::<Tally<Uuid, Upn, 512, 8>>(), size_of::<Tally<Uuid, Upn, 1024, 8>>()),
        per_row(size_of::<Tally<Uuid, Upn, 8, 512>>(), size_of::<Tally<Uuid, Upn, 8, 1024>>()),
    );
    println!(
        "graph::Configuration                  {:6} {:6}",
        per_row(size_of::<Configuration<512, 8>>(), size_of::<Configuration<1024, 8>>()),
        per_row(size_of::<Configuration<8, 512>>(), size_of::<Configuration<8, 1024>>()),
    );
    println!();
    println!("bytes in all");
    println!("Tally<u16, u16, 16, 4>                {:13}", size_of::<Tally<u16, u16, 16, 4>>());
    println!("Tally<Uuid, Upn, 512, 64>             {:13}", size_of::<Tally<Uuid, Upn, 512, 64>>());
    println!("graph::Configuration<512, 64>         {:13}", size_of::<Configuration<512, 64>>());
    println!(
        "Tally<Uuid, Upn, 65534, 16384>        {:13}",
        size_of::<Tally<Uuid, Upn, 65_534, 16_384>>()
    );
}
