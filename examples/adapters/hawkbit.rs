//! Eclipse hawkBit: a device posts feedback to
//! `/{tenant}/controller/v1/{controller}/deploymentBase/{action}/feedback`.
//!
//! Source: hawkBit, "Direct Device Integration API", `DdiActionFeedback` and its state mapping.

use runtally::http::Clock;
use runtally::{DateTime, Event, RunState};
use serde::Deserialize;

#[derive(Deserialize)]
struct Feedback {
    /// Milliseconds since 1970 by the device's clock; older devices send none.
    timestamp: Option<i64>,
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    execution: Execution,
    result: Outcome,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Execution {
    Scheduled,
    Download,
    Downloaded,
    Proceeding,
    Resumed,
    Rejected,
    Canceled,
    Closed,
}

#[derive(Deserialize)]
struct Outcome {
    finished: Finished,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Finished {
    None,
    Success,
    Failure,
}

/// The event of a device that posts `body` to `path`.
pub(crate) fn event(path: &str, body: &[u8], clock: &Clock) -> Result<Event<String, u8>, String> {
    let segments: Vec<_> = path.split('/').collect();
    let ["", _, "controller", "v1", controller, "deploymentBase", _, "feedback"] = segments[..]
    else {
        return Err(format!("{path}: expected the feedback of a deploymentBase"));
    };
    let feedback: Feedback = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let state = match (feedback.status.execution, feedback.status.result.finished) {
        (Execution::Closed, Finished::Failure) => RunState::Fail,
        // hawkBit takes a closed action without a result for finished.
        (Execution::Closed, Finished::Success | Finished::None) => RunState::Success,
        (Execution::Canceled, _) => RunState::NotApplicable,
        // Also `rejected`, which for hawkBit is a warning: the action goes on.
        _ => RunState::Pending,
    };
    let ticks = feedback.timestamp.and_then(|milliseconds| milliseconds.checked_mul(10_000));
    let at = ticks.and_then(|ticks| DateTime::from_ticks(ticks, 0).ok()).unwrap_or(DateTime::MIN);
    let event = Event { device: controller.to_owned(), user: None, state, at };
    Ok(event.received(clock.now, clock.earliest, clock.ahead))
}
