//! The state machine, and its summary written as JSON.

#![no_std]
#![no_main]

use core::hint::black_box;

use runtally::graph::{RunSummary, Upn};
use runtally::{Event, Tally};
use uuid::Uuid;

#[path = "../on_panic/link_error.rs"]
mod on_panic;

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut TALLY: Tally<Uuid, Upn, 512, 64> = Tally::new();
    static mut BYTES: [u8; 2048] = [0; 2048];

    // The compiler knows nothing of these, so it drops nothing of what may happen.
    let (tally, event, bytes): (_, Option<&Event<Uuid, Upn>>, _) = black_box((TALLY, None, BYTES));
    loop {
        let Some(event) = event else { continue };
        _ = black_box(tally.apply(event));

        let summary = RunSummary { id: Some(event.device), summary: *tally.summary() };
        _ = black_box(summary.encode(bytes));
    }
}
