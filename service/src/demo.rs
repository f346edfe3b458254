//! Something to look at: the roll-out of the examples, at a pace the eye can follow.

use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use tokio::time::{MissedTickBehavior, interval};
use uuid::{Uuid, uuid};

use crate::Service;

/// The configuration that is rolled out.
pub const CONFIGURATION: Uuid = uuid!("1f0a2c6e-5b7d-4e3a-9c48-d2b6f0e17a95");

/// Device states, one on each line.
const TRACE: &[u8] = include_bytes!("../../examples/data/rollout.jsonl");

/// Posts the trace like a client would, one device state every 25 ms: two and a half minutes.
pub async fn run(service: Service) {
    let path = format!("/deviceManagement/hardwareConfigurations/{CONFIGURATION}/deviceRunStates");
    let mut pace = interval(Duration::from_millis(25));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for body in TRACE.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        pace.tick().await;
        let request = Request::post(&path).header(CONTENT_TYPE, "application/json").body(());
        // The path is one.
        let Ok(request) = request else { return };
        let status = service.ask(request.into_parts().0, body.to_vec()).await;
        if status != StatusCode::CREATED {
            tracing::warn!(%status, "the demonstration was refused");
        }
    }
}
