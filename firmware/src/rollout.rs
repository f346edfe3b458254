//! A trace of what clients reported, then what an operator asks.

use runtally::Effect;
use runtally::graph::DeviceState;
use runtally::http::{Request, Settings};
use runtally::store::{RolloutId, Store};
use uuid::uuid;

/// One configuration of 512 devices and 64 users: three quarters of the board's RAM.
pub type Gateway = Store<1, 0, 512, 64>;

/// Fits every resource that is asked for here.
pub const BUFFER: usize = 2048;

const CONFIGURATION: RolloutId =
    RolloutId::configuration(uuid!("11111111-2222-3333-4444-555555555555"));

const SUMMARY: &str =
    "/deviceManagement/hardwareConfigurations/11111111-2222-3333-4444-555555555555/runSummary";

/// `hardwareConfigurationDeviceState` documents, one per line.
pub(crate) const TRACE: &[u8] = include_bytes!("../rollout.jsonl");

const SETTINGS: Settings<'_> = Settings {
    read_tokens: &["reader"],
    write_tokens: &["writer"],
    bare: false,
    origin: "",
    clock: None,
    user_by_id: None,
};

/// What the operator asks: the summary, a change to it, and the summary again.
const REQUESTS: [Request<'_>; 3] = {
    let get = Request {
        method: "GET",
        path: SUMMARY,
        query: "",
        authorization: Some("Bearer reader"),
        content_type: None,
        body: b"",
    };
    let patch = Request {
        method: "PATCH",
        path: SUMMARY,
        query: "",
        authorization: Some("Bearer writer"),
        content_type: Some("application/json"),
        body: br#"{"notApplicableDeviceCount":40,"unknownUserCount":7}"#,
    };
    [get, patch, get]
};

/// How many events came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallied {
    /// Replaced what was recorded, or made a device known.
    pub applied: u32,
    /// Were recorded already.
    pub duplicate: u32,
    /// Came late.
    pub stale: u32,
}

/// Plays the trace into an empty store, then asks for the summary, changes it and asks again.
/// Every answer goes to `print`, a line each.
///
/// # Errors
///
/// The first thing that is not as it must be.
pub fn play(
    store: &mut Gateway,
    buffer: &mut [u8],
    mut print: impl FnMut(&[u8]),
) -> Result<Tallied, &'static str> {
    store.insert(CONFIGURATION).map_err(|_| "no room for a configuration")?;
    let tally = store.tally_mut(CONFIGURATION).ok_or("just inserted")?;
    let mut tallied = Tallied::default();
    for line in TRACE.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let state = DeviceState::decode(line).map_err(|_| "a line is no device state")?;
        match tally.apply(&state.event()).map_err(|_| "an event was refused")? {
            Effect::Applied { .. } => tallied.applied += 1,
            Effect::Duplicate => tallied.duplicate += 1,
            Effect::Stale | Effect::Unknown => tallied.stale += 1,
        }
    }
    tally.audit().map_err(|_| "an invariant does not hold")?;

    for request in &REQUESTS {
        let response = store.handle(request, &SETTINGS, buffer);
        if response.status != 200 {
            return Err("a request was refused");
        }
        print(response.body);
        print(b"\n");
    }
    Ok(tallied)
}
