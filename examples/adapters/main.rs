//! Reports of other update systems as events: `cargo run --example adapters`.
//!
//! One module per protocol, some 40 lines each. None of them promises a device's own time, so the
//! receiver stamps each report once, at the edge, with `Event::received`.

mod aws_iot_jobs;
mod hawkbit;
mod mender;

use runtally::http::Clock;
use runtally::{Event, Tally};

/// The name of a device. Firmware without an allocator takes a `heapless::String`.
type Device = String;

/// Nobody's device: these protocols know no users.
type NoUser = u8;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = Clock::new("2026-11-21T09:30:00Z".parse()?);
    let events = [
        aws_iot_jobs::event(
            "$aws/things/dock-7/jobs/firmware-12/update",
            br#"{"status":"IN_PROGRESS","statusDetails":{"step":"download"},"expectedVersion":"1"}"#,
            &clock,
        )?,
        hawkbit::event(
            "/default/controller/v1/kiosk-3/deploymentBase/41/feedback",
            br#"{"timestamp":1795253395000,"status":{"execution":"closed","result":{"finished":"success"}}}"#,
            &clock,
        )?,
        mender::event("4b9f2c", br#"{"status":"rebooting","substate":"slot b"}"#, &clock)?,
    ];

    let mut tally: Tally<Device, NoUser, 64, 1> = Tally::new();
    for event in &events {
        let _ = tally.apply(event)?;
        let Event { device, state, at, .. } = event;
        println!("{device:8} {state:14} {at}");
    }
    println!("{:?}", tally.summary().devices);
    Ok(())
}
