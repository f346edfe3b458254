//! Any requests to a small store, and what has no request: every answer is one of those documented,
//! every count stays equal to the rows behind it, and what asks for no change changes nothing.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use runtally::http::{Clock, Request, Settings};
use runtally::store::{RolloutId, Store, StoreChange};
use runtally::strategies::Document;
use runtally::{Change, DateTime};
use uuid::{Uuid, uuid};

type Small = Store<2, 1, 4, 3>;

const CONFIGURATION: Uuid = uuid!("4a1e0c52-6f0b-4d6e-8f43-0f1d4c7b9a10");
const SCRIPT: Uuid = uuid!("7d4b3f85-9c3e-4a9b-9c76-3c4a7fae0d43");
const ROLLOUTS: [RolloutId; 2] =
    [RolloutId::configuration(CONFIGURATION), RolloutId::script(SCRIPT)];
const STATUSES: [u16; 12] = [200, 201, 204, 400, 401, 403, 404, 405, 409, 413, 415, 507];

#[derive(Arbitrary, Debug)]
enum Step {
    Ask(Asked),
    Retire { of: bool, device: u8 },
    RunFrom { of: bool, at: DateTime },
    Version { of: bool, version: i8 },
    Now(Option<DateTime>),
}

#[derive(Debug)]
struct Asked {
    method: String,
    path: String,
    query: String,
    authorization: Option<String>,
    content_type: Option<String>,
    body: Vec<u8>,
    buffer: usize,
}

/// Mostly what makes sense, and now and then anything.
fn likely(u: &mut Unstructured<'_>, choices: &[&str]) -> Result<String> {
    Ok(if u.ratio(1, 12)? { u.arbitrary()? } else { (*u.choose(choices)?).to_owned() })
}

/// One of few ids, so that requests meet.
fn id(u: &mut Unstructured<'_>) -> Result<String> {
    let user = ["ada", "bob", "eve", "fay"];
    Ok(match u.int_in_range(0..=7)? {
        0 => CONFIGURATION.to_string(),
        1 => SCRIPT.to_string(),
        2 => u.arbitrary()?,
        3 | 4 => {
            let of = *u.choose(&[CONFIGURATION, SCRIPT])?;
            Uuid::new_v5(&of, u.choose(&user)?.as_bytes()).to_string()
        }
        _ => Uuid::from_u128(u.int_in_range(0..=7)?).to_string(),
    })
}

fn body(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let state =
        *u.choose(&["unknown", "success", "fail", "scriptError", "pending", "notApplicable"])?;
    let upn = *u.choose(&["ada", "ADA", "bob", "eve", "fay"])?;
    let day = u.int_in_range(1..=9)?;
    let count = *u.choose(&["0", "1", "2", "7", "2147483647"])?;
    let device = Uuid::from_u128(u.int_in_range(0..=7)?);
    let counts = |of: &str| {
        ["successful", "failed", "pending", "error", "notApplicable", "unknown"]
            .map(|name| format!(r#""{name}{of}Count":{count}"#))
            .join(",")
    };
    let at = format!("2026-11-0{day}T09:30:00Z");
    Ok(match u.int_in_range(0..=11)? {
        0 => Document::arbitrary(u)?.json,
        1 => u.arbitrary()?,
        2 => format!(
            r#"{{{},{},"lastRunDateTime":"{at}"}}"#, counts("Device"), counts("User")
        ).into(),
        3 => format!(
            r#"{{"upn":"{upn}",{},"lastStateUpdateDateTime":"{at}"}}"#, counts("Device")
        ).into(),
        4 => format!(r#"{{"failedDeviceCount":{count},"lastRunDateTime":null}}"#).into(),
        5 => format!(
            r#"{{"successDeviceCount":{count},"errorDeviceCount":0,"successUserCount":0,"errorUserCount":{count}}}"#
        ).into(),
        6 => format!(
            r#"{{"successDeviceCount":{count},"errorDeviceCount":0,"userPrincipalName":"{upn}"}}"#
        ).into(),
        7 => format!(
            r#"{{"id":"{device}","runState":"{state}","lastStateUpdateDateTime":"{at}"}}"#
        ).into(),
        _ => format!(
            r#"{{"id":"{device}","upn":"{upn}","configurationState":"{state}","lastStateUpdateDateTime":"{at}"}}"#
        ).into(),
    })
}

impl Arbitrary<'_> for Asked {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let version = likely(u, &["", "", "/beta", "/v1.0"])?;
        let kind = likely(u, &["hardwareConfigurations", "deviceManagementScripts"])?;
        let root = if u.ratio(7, 8)? {
            if kind.starts_with('h') { CONFIGURATION.to_string() } else { SCRIPT.to_string() }
        } else {
            id(u)?
        };
        let rest = match u.int_in_range(0..=7)? {
            0 => likely(u, &["/runSummary", "/runSummary/$ref"])?,
            1 => format!("/userRunStates/{}", id(u)?),
            2 => format!("/deviceRunStates/{}", id(u)?),
            3 => format!("/userRunStates/{}/deviceRunStates", id(u)?),
            _ => likely(
                u,
                &[
                    "/runSummary",
                    "/deviceRunStates",
                    "/userRunStates",
                    "/deviceRunStates/$count",
                    "/userRunStates/$count",
                ],
            )?,
        };
        Ok(Self {
            method: likely(u, &["GET", "POST", "POST", "PATCH", "DELETE"])?,
            path: format!("{version}/deviceManagement/{kind}/{root}{rest}"),
            query: likely(
                u,
                &[
                    "",
                    "",
                    "",
                    "$top=2",
                    "$skip=1&$count=true",
                    "$select=id,upn",
                    "select=id",
                    "$filter=x",
                    "$top=2&$skip=2&$select=id",
                ],
            )?,
            authorization: match u.int_in_range(0..=15)? {
                0 => u.arbitrary()?,
                1 | 2 => Some("Bearer reader".to_owned()),
                _ => Some("Bearer writer".to_owned()),
            },
            content_type: match u.int_in_range(0..=15)? {
                0 => u.arbitrary()?,
                1 => Some("Application/JSON; charset=utf-8".to_owned()),
                _ => Some("application/json".to_owned()),
            },
            body: body(u)?,
            buffer: if u.ratio(1, 8)? { u.int_in_range(0..=600)? } else { 1 << 15 },
        })
    }
}

/// All that a store holds.
fn held(store: &Small) -> String {
    format!("{store:?}")
}

fuzz_target!(|steps: Vec<Step>| {
    let mut store = Box::new(Small::new());
    for rollout in ROLLOUTS {
        store.insert(rollout).expect("room");
    }
    let mut settings = Settings {
        read_tokens: &["reader", "old"],
        write_tokens: &["writer"],
        ..Settings::default()
    };
    for step in steps {
        let rollout = |of| ROLLOUTS[usize::from(of)];
        match step {
            Step::Ask(asked) => ask(&mut store, &settings, &asked),
            Step::Retire { of, device } => {
                let device = Uuid::from_u128(u128::from(device % 8));
                commit(&mut store, &StoreChange::new(rollout(of), Change::Retire { device }));
            }
            Step::RunFrom { of, at } => {
                commit(&mut store, &StoreChange::new(rollout(of), Change::RunFrom(at)));
            }
            Step::Version { of, version } => {
                assert!(store.set_version(rollout(of), version.into()));
            }
            Step::Now(now) => settings.clock = now.map(Clock::new),
        }
        for rollout in store.iter() {
            assert_eq!(rollout.tally().audit(), Ok(()));
        }
    }
});

/// Commits what was checked; a refusal changes nothing.
fn commit(store: &mut Small, change: &StoreChange<'_>) {
    let before = held(store);
    let checked = store.check(change);
    assert_eq!(store.commit(change), checked, "{change:?}");
    if checked.is_err() {
        assert_eq!(held(store), before, "{change:?}");
    }
}

fn ask(store: &mut Small, settings: &Settings<'_>, asked: &Asked) {
    let request = Request {
        method: &asked.method,
        path: &asked.path,
        query: &asked.query,
        authorization: asked.authorization.as_deref(),
        content_type: asked.content_type.as_deref(),
        body: &asked.body,
    };
    let mut buffer = vec![0xAA; asked.buffer];
    let reply = store.answer(&request, settings, &mut buffer);
    let (response, change) = (reply.response, reply.change);

    assert!(STATUSES.contains(&response.status), "{} for {asked:?}", response.status);
    assert_eq!(response.allow.is_some(), response.status == 405);
    match response.content_type {
        Some("application/json") => {
            let json: serde_json::Value = serde_json::from_slice(response.body).expect("JSON");
            if response.status >= 400 {
                assert_eq!(json["error"]["innerError"]["status"], response.status);
            }
        }
        Some("text/plain") => {
            let count = str::from_utf8(response.body).expect("text");
            assert!(count.parse::<u16>().is_ok(), "{count}");
        }
        other => assert!(other.is_none() && response.body.is_empty()),
    }
    // A late report of a removed device moves the last run.
    let is_late = response.status == 409 && asked.method == "POST";
    if response.status >= 400 || asked.method == "GET" {
        assert!(change.is_none() || is_late, "{} for {asked:?}", response.status);
    }
    let Some(change) = change else { return };
    let mut handled = Box::new(store.clone());
    let mut again = vec![0xAA; asked.buffer];
    assert_eq!(handled.handle(&request, settings, &mut again), response);
    assert!(store.check(&change).is_ok(), "{change:?} for {asked:?}");
    assert!(store.commit(&change).is_ok(), "{change:?} for {asked:?}");
    assert_eq!(held(&handled), held(store));
}
