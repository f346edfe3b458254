//! A roll-out on a Cortex-M3: events in, JSON out to a file of the debugger's, logs in defmt's frames
//! to its standard output.

#![no_std]
#![no_main]

// Its critical sections are the logger's.
use cortex_m as _;
use defmt_semihosting as _;
use runtally::http::{Request, Settings};
use runtally::{DateTime, Event, RunState, Tally};
use runtally_firmware::rollout::{BUFFER, Gateway, play};
use semihosting::fs::File;
use semihosting::io::Write;
use semihosting::process;

#[path = "../on_panic/exit.rs"]
mod on_panic;

#[cortex_m_rt::entry]
fn main() -> ! {
    // Empty they are all zero bytes: no flash, and nothing to copy at start-up.
    static mut STORE: Gateway = Gateway::new();
    static mut BYTES: [u8; BUFFER] = [0; BUFFER];

    refuse();
    defmt::info!("{} {}", REQUEST, SETTINGS);

    let Ok(mut out) = File::create(c"board.json") else { process::exit(2) };
    let mut printed = Ok(());
    match play(STORE, BYTES, |text| {
        if printed.is_ok() {
            printed = out.write_all(text);
        }
    }) {
        Ok(tallied) if printed.is_ok() => {
            defmt::info!(
                "{} applied, {} duplicate, {} stale",
                tallied.applied,
                tallied.duplicate,
                tallied.stale
            );
            process::exit(0)
        }
        Ok(_) => process::exit(3),
        Err(what) => {
            defmt::error!("{}", what);
            process::exit(1)
        }
    }
}

/// So that the log shows what is not logged of them: `firmware/run` looks for it.
const REQUEST: Request<'_> = Request {
    method: "GET",
    path: "/deviceManagement",
    query: "",
    authorization: Some("Bearer secret"),
    content_type: None,
    body: b"",
};
const SETTINGS: Settings<'_> = Settings {
    read_tokens: &["secret"],
    write_tokens: &["secret"],
    bare: false,
    origin: "",
    clock: None,
    user_by_id: None,
};

/// So that the log shows what a refusal looks like.
fn refuse() {
    let mut tally: Tally<u16, u16, 1, 1> = Tally::new();
    let Ok(at) = DateTime::from_ticks(0, 0) else { return };
    for device in [1, 2] {
        _ = tally.apply(&Event { device, user: None, state: RunState::Success, at });
    }
}
