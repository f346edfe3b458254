//! The adapters of the example `adapters`, on bodies as the documents of each protocol show them.
#![cfg(feature = "graph")]

#[path = "../examples/adapters/aws_iot_jobs.rs"]
mod aws_iot_jobs;
#[path = "../examples/adapters/hawkbit.rs"]
mod hawkbit;
#[path = "../examples/adapters/mender.rs"]
mod mender;

use runtally::http::Clock;
use runtally::{Event, RunState, Tally};

fn clock() -> Clock {
    Clock::new("2026-11-21T09:30:00Z".parse().expect("a date-time"))
}

fn pretty(event: Result<Event<String, u8>, String>) -> Result<String, String> {
    event.map(|Event { device, user, state, at }| {
        assert_eq!(user, None);
        format!("{device} {state} {at}")
    })
}

#[test]
fn an_update_of_aws_iot_jobs_is_an_event() {
    let topic = "$aws/things/MyRaspberryPi/jobs/update-2026-11/update";
    for (status, state) in [
        ("QUEUED", "pending"),
        ("IN_PROGRESS", "pending"),
        ("SUCCEEDED", "success"),
        ("FAILED", "fail"),
        ("TIMED_OUT", "fail"),
        ("REJECTED", "notApplicable"),
        ("REMOVED", "notApplicable"),
        ("CANCELED", "notApplicable"),
    ] {
        let payload = format!(
            r#"{{
                "status": "{status}",
                "statusDetails": {{ "progress": "50%", "step": "reboot \u00e4" }},
                "expectedVersion": "2",
                "executionNumber": 1,
                "includeJobExecutionState": true,
                "includeJobDocument": false,
                "stepTimeoutInMinutes": 5,
                "clientToken": "a12b8f6e-token"
            }}"#
        );
        let event = pretty(aws_iot_jobs::event(topic, payload.as_bytes(), &clock()));
        assert_eq!(event, Ok(format!("MyRaspberryPi {state} 2026-11-21T09:30:00Z")));
    }
    for (topic, payload) in [
        ("$aws/things/a/jobs/b/get", r#"{"status":"FAILED"}"#),
        ("$aws/things/a/jobs/b/update/accepted", r#"{"status":"FAILED"}"#),
        (topic, r#"{"status":"SUCCESS"}"#),
        (topic, r#"{"statusDetails":{}}"#),
        (topic, "SUCCEEDED"),
    ] {
        assert!(aws_iot_jobs::event(topic, payload.as_bytes(), &clock()).is_err(), "{payload}");
    }
}

#[test]
fn feedback_to_hawkbit_is_an_event() {
    let path = "/default/controller/v1/DeviceId-4711/deploymentBase/11/feedback";
    for (execution, finished, state) in [
        ("scheduled", "none", "pending"),
        ("download", "none", "pending"),
        ("downloaded", "none", "pending"),
        ("proceeding", "none", "pending"),
        ("resumed", "none", "pending"),
        ("rejected", "none", "pending"),
        ("canceled", "none", "notApplicable"),
        ("closed", "none", "success"),
        ("closed", "success", "success"),
        ("closed", "failure", "fail"),
    ] {
        for (timestamp, at) in [
            (r#""timestamp": 1795253395250,"#, "2026-11-21T09:29:55.25Z"),
            // A clock that lost its time, and one a year ahead.
            (r#""timestamp": 5000,"#, "2026-11-21T09:30:00Z"),
            (r#""timestamp": 1826789395250,"#, "2026-11-21T09:30:00Z"),
            (r#""timestamp": 9223372036854775807,"#, "2026-11-21T09:30:00Z"),
            // As devices of the first versions send it.
            (r#""id": "11", "time": "20261121T092955","#, "2026-11-21T09:30:00Z"),
            ("", "2026-11-21T09:30:00Z"),
        ] {
            let body = format!(
                r#"{{
                    {timestamp}
                    "status": {{
                        "execution": "{execution}",
                        "result": {{ "finished": "{finished}", "progress": {{ "cnt": 2, "of": 5 }} }},
                        "code": 200,
                        "details": [ "Installing slot b" ]
                    }}
                }}"#
            );
            let event = pretty(hawkbit::event(path, body.as_bytes(), &clock()));
            assert_eq!(event, Ok(format!("DeviceId-4711 {state} {at}")));
        }
    }
    for (path, body) in [
        ("/default/controller/v1/a/configData", r#"{"data":{}}"#),
        (path, r#"{"status":{"execution":"done","result":{"finished":"success"}}}"#),
        (path, r#"{"status":{"execution":"closed"}}"#),
        (path, "{}"),
    ] {
        assert!(hawkbit::event(path, body.as_bytes(), &clock()).is_err(), "{body}");
    }
}

#[test]
fn a_status_of_mender_is_an_event() {
    for (status, state) in [
        ("downloading", "pending"),
        ("pause_before_installing", "pending"),
        ("installing", "pending"),
        ("pause_before_rebooting", "pending"),
        ("rebooting", "pending"),
        ("pause_before_committing", "pending"),
        ("success", "success"),
        ("failure", "fail"),
        ("already-installed", "success"),
    ] {
        for body in [
            format!(r#"{{"status":"{status}"}}"#),
            format!(r#"{{"status":"{status}","substate":"installing bootloader..."}}"#),
        ] {
            let event = pretty(mender::event("4b9f2c", body.as_bytes(), &clock()));
            assert_eq!(event, Ok(format!("4b9f2c {state} 2026-11-21T09:30:00Z")));
        }
    }
    for body in [r#"{"status":"already_installed"}"#, "{}", ""] {
        assert!(mender::event("4b9f2c", body.as_bytes(), &clock()).is_err(), "{body}");
    }
}

/// A whole update: the device's clock is never asked, and it reboots in between.
#[test]
fn stamped_reports_count_as_they_arrive() {
    let mut tally: Tally<String, u8, 8, 1> = Tally::new();
    for (minute, status) in (30..).zip(["downloading", "installing", "rebooting", "success"]) {
        let now = format!("2026-11-21T09:{minute}:00Z").parse().expect("a date-time");
        let body = format!(r#"{{"status":"{status}"}}"#);
        let event =
            mender::event("4b9f2c", body.as_bytes(), &Clock::new(now)).expect("well formed");
        assert!(tally.apply(&event).expect("there is room").is_applied());
    }
    assert_eq!(tally.summary().devices[RunState::Success], 1);
    assert_eq!(tally.summary().devices.total(), 1);
}
