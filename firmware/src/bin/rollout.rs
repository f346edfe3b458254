//! A roll-out on a Cortex-M3: events in, JSON out on the debugger's standard error, logs in
//! defmt's frames on its standard output.

#![no_std]
#![no_main]

use defmt_semihosting as _;
use runtally_firmware::rollout::{BUFFER, Gateway, play};
use semihosting::io::{self, Write};
use semihosting::process;

#[path = "../on_panic/exit.rs"]
mod on_panic;

#[cortex_m_rt::entry]
fn main() -> ! {
    // Empty they are all zero bytes: no flash, and nothing to copy at start-up.
    static mut STORE: Gateway = Gateway::new();
    static mut BYTES: [u8; BUFFER] = [0; BUFFER];

    let Ok(mut out) = io::stderr() else { process::exit(2) };
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
