//! Something to look at: the roll-out of the examples, at a pace the eye can follow.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use runtally::graph::{Request, Settings};
use tokio::time::{MissedTickBehavior, interval};
use uuid::{Uuid, uuid};

use crate::{Desk, Rollouts};

/// The configuration that is rolled out.
pub const CONFIGURATION: Uuid = uuid!("1f0a2c6e-5b7d-4e3a-9c48-d2b6f0e17a95");

/// Device states, one on each line.
const TRACE: &[u8] = include_bytes!("../../examples/data/rollout.jsonl");

/// Posts the trace like a client would, one device state every 25 ms: two and a half minutes.
pub async fn run(desk: &Mutex<Desk<dyn Rollouts>>) {
    let path = format!("/deviceManagement/hardwareConfigurations/{CONFIGURATION}/deviceRunStates");
    // It asks the store itself, which takes the token it is told.
    let settings = Settings { write_token: "demo", ..Settings::default() };
    let mut pace = interval(Duration::from_millis(25));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for body in TRACE.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        pace.tick().await;
        let request = Request {
            method: "POST",
            path: &path,
            authorization: Some("Bearer demo"),
            content_type: Some("application/json"),
            body,
            ..Request::default()
        };
        let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
        let status = desk.handle(&request, &settings).status;
        if status != 201 {
            tracing::warn!(status, "the demonstration was refused");
        }
    }
}
