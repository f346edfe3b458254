//! The state machine, and its summary, users and devices written as JSON.

#![no_std]
#![no_main]

use core::hint::black_box;

use runtally::graph::{DeviceState, RunSummary, Upn, UserState};
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
        let row = DeviceState::row(event.device, event.user.as_ref(), event.state, event.at);
        _ = black_box(row.encode(bytes));
        let Some(user) = event.user.as_ref().and_then(|user| tally.user(user)) else { continue };
        let state = UserState {
            id: Some(event.device),
            upn: user.user.into(),
            email: "ada@example.com".try_into().ok(),
            name: None,
            last_update: event.at,
            devices: user.reported(),
        };
        _ = black_box(state.encode(bytes));
    }
}
