//! Mender: a device puts its status to
//! `/api/devices/v1/deployments/device/deployments/{deployment}/status`.
//!
//! Source: Mender, "Device API: Deployments", "Update the device deployment status".

use runtally::http::Clock;
use runtally::{DateTime, Event, RunState};
use serde::Deserialize;

#[derive(Deserialize)]
struct Update {
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Downloading,
    PauseBeforeInstalling,
    Installing,
    PauseBeforeRebooting,
    Rebooting,
    PauseBeforeCommitting,
    Success,
    Failure,
    #[serde(rename = "already-installed")]
    AlreadyInstalled,
}

/// The event of a device that puts `body`. Which device that is stands in neither path nor body: it
/// is the subject of the device's token. The body has no time.
pub(crate) fn event(device: &str, body: &[u8], clock: &Clock) -> Result<Event<String, u8>, String> {
    let update: Update = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let state = match update.status {
        Status::Success | Status::AlreadyInstalled => RunState::Success,
        Status::Failure => RunState::Fail,
        Status::Downloading
        | Status::PauseBeforeInstalling
        | Status::Installing
        | Status::PauseBeforeRebooting
        | Status::Rebooting
        | Status::PauseBeforeCommitting => RunState::Pending,
    };
    let event = Event { device: device.to_owned(), user: None, state, at: DateTime::MIN };
    Ok(event.received(clock.now, clock.earliest, clock.ahead))
}
