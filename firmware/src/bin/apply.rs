//! The least that a device counts with: events in, the summary read.

#![no_std]
#![no_main]

use core::hint::black_box;

use runtally::{Event, Tally};

#[path = "../on_panic/link_error.rs"]
mod on_panic;

type Key = [u8; 16];

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut TALLY: Tally<Key, Key, 512, 64> = Tally::new();

    // The compiler knows nothing of either, so it drops nothing of what may happen.
    let (tally, event): (_, Option<&Event<Key, Key>>) = black_box((TALLY, None));
    loop {
        if let Some(event) = event {
            _ = black_box(tally.apply(event));
        }
        black_box(tally.summary());
    }
}
