//! AWS `IoT` Jobs: a device publishes to `$aws/things/{thing}/jobs/{job}/update`.
//!
//! Source: AWS `IoT` Core Developer Guide, "Jobs device MQTT API operations", `UpdateJobExecution`,
//! and "Job execution states".

use runtally::http::Clock;
use runtally::{DateTime, Event, RunState};
use serde::Deserialize;

#[derive(Deserialize)]
struct Update {
    status: Status,
}

/// The states a device reports, and those that the service sets.
#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Status {
    Queued,
    InProgress,
    Succeeded,
    Failed,
    TimedOut,
    Rejected,
    Removed,
    Canceled,
}

/// The event of a device that publishes `payload` to `topic`. The message has no time.
pub(crate) fn event(
    topic: &str,
    payload: &[u8],
    clock: &Clock,
) -> Result<Event<String, u8>, String> {
    let path: Vec<_> = topic.split('/').collect();
    let ["$aws", "things", thing, "jobs", _, "update"] = path[..] else {
        return Err(format!("{topic}: expected $aws/things/THING/jobs/JOB/update"));
    };
    let update: Update = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    let state = match update.status {
        Status::Queued | Status::InProgress => RunState::Pending,
        Status::Succeeded => RunState::Success,
        Status::Failed | Status::TimedOut => RunState::Fail,
        // The device declined, or was taken out of the job.
        Status::Rejected | Status::Removed | Status::Canceled => RunState::NotApplicable,
    };
    let event = Event { device: thing.to_owned(), user: None, state, at: DateTime::MIN };
    Ok(event.received(clock.now, clock.earliest, clock.ahead))
}
