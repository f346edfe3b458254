//! Peer: `serde_json` in the place of the JSON door, `chrono` for the date-times, in front of the
//! tally on std.

use std::borrow::Cow;
use std::hint::black_box;
use std::time::Instant;

use chrono::FixedOffset;
use runtally::graph::{DeviceState, RunSummary, RunSummaryUpdate, Upn};
use runtally::{DateTime, Event, RunState, Summary, Tally};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::contender::{Order, Pair, paired};
use crate::std_tally::StdTally;

/// The example roll-out: what clients send, in order of arrival.
const ROLLOUT: &str = include_str!("../../../examples/data/rollout.jsonl");

/// A device state, every property of it, borrowed where the text has no escapes.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct PeerState<'a> {
    #[serde(rename = "@odata.type", borrow, skip_serializing_if = "Option::is_none")]
    odata_type: Option<Borrowed<'a>>,
    id: Uuid,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    device_name: Option<Borrowed<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    os_version: Option<Borrowed<'a>>,
    #[serde(borrow)]
    upn: Option<Borrowed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    internal_version: Option<i32>,
    last_state_update_date_time: chrono::DateTime<FixedOffset>,
    configuration_state: RunState,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    configuration_output: Option<Borrowed<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    configuration_error: Option<Borrowed<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    assignment_filter_ids: Option<Borrowed<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    user_id: Option<Borrowed<'a>>,
}

/// serde borrows a `Cow` only where it stands directly below the attribute, not in an `Option`.
#[derive(Deserialize, Serialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PeerSummary {
    #[serde(rename = "@odata.type")]
    odata_type: &'static str,
    id: Uuid,
    successful_device_count: u32,
    failed_device_count: u32,
    pending_device_count: u32,
    error_device_count: u32,
    not_applicable_device_count: u32,
    unknown_device_count: u32,
    successful_user_count: u32,
    failed_user_count: u32,
    pending_user_count: u32,
    error_user_count: u32,
    not_applicable_user_count: u32,
    unknown_user_count: u32,
    last_run_date_time: Option<chrono::DateTime<FixedOffset>>,
}

impl PeerSummary {
    fn new(id: Uuid, summary: &Summary) -> Self {
        let (devices, users) = (&summary.devices, &summary.users);
        Self {
            odata_type: "#microsoft.graph.hardwareConfigurationRunSummary",
            id,
            successful_device_count: devices[RunState::Success],
            failed_device_count: devices[RunState::Fail],
            pending_device_count: devices[RunState::Pending],
            error_device_count: devices[RunState::ScriptError],
            not_applicable_device_count: devices[RunState::NotApplicable],
            unknown_device_count: devices[RunState::Unknown],
            successful_user_count: users[RunState::Success],
            failed_user_count: users[RunState::Fail],
            pending_user_count: users[RunState::Pending],
            error_user_count: users[RunState::ScriptError],
            not_applicable_user_count: users[RunState::NotApplicable],
            unknown_user_count: users[RunState::Unknown],
            last_run_date_time: summary
                .last_run
                .map(|at| at.to_string().parse().expect("what we write, chrono reads")),
        }
    }
}

/// Decodes with the peer and applies to the peer's tally.
#[derive(Default)]
struct PeerDoor {
    /// A folded UPN, kept so that folding does not allocate.
    folded: String,
}

impl PeerDoor {
    fn apply(&mut self, tally: &mut StdTally<String>, state: &PeerState) {
        let device = state.id;
        let at = &state.last_state_update_date_time;
        let ticks = at.timestamp() * 10_000_000 + i64::from(at.timestamp_subsec_nanos() / 100);
        let offset = (at.offset().local_minus_utc() / 60) as i16;
        let user = state.upn.as_ref().filter(|upn| !upn.0.is_empty()).map(|upn| {
            self.folded.clear();
            self.folded.push_str(&upn.0);
            self.folded.make_ascii_lowercase();
            self.folded.as_str()
        });
        let at = DateTime::from_ticks(ticks, offset).expect("within 9999");
        let state = state.configuration_state;
        let _ = black_box(tally.apply(&Event { device, user, state, at }));
    }
}

type OurTally = Tally<Uuid, Upn, 2048, 1024>;

/// Decoding the example roll-out.
pub fn decode(rounds: usize) -> Pair {
    per_line(
        rounds,
        || (),
        |(), line| {
            black_box(our_state(line));
        },
        || (),
        |(), line| {
            black_box(peer_state(line));
        },
    )
}

/// Decoding the example roll-out and applying it to an empty tally.
pub fn decode_apply(rounds: usize) -> Pair {
    let mut ours = Box::new(OurTally::new());
    let mut peer = StdTally::with_room_for(2048, 1024);
    let mut door = PeerDoor::default();
    for line in ROLLOUT.lines() {
        let _ = ours.apply(&our_state(line.as_bytes()).event()).expect("there is room");
        door.apply(&mut peer, &peer_state(line.as_bytes()));
    }
    assert_eq!(*ours.summary(), peer.summary(), "the same lines, another summary");

    per_line(
        rounds,
        || Box::new(OurTally::new()),
        |tally, line| {
            let _ = black_box(tally.apply(&our_state(line).event()).expect("there is room"));
        },
        || StdTally::with_room_for(2048, 1024),
        |tally, line| door.apply(tally, &peer_state(line)),
    )
}

/// Writing device states, every property of them.
pub fn encode_states(rounds: usize) -> Pair {
    let states: Vec<_> = ROLLOUT
        .lines()
        .map(|line| (our_state(line.as_bytes()), peer_state(line.as_bytes())))
        .collect();
    let (mut ours, mut peer) = (vec![0; DeviceState::MAX_JSON], Vec::new());
    for (state, same) in &states {
        let length = state.encode(&mut ours).expect("it fits");
        peer.clear();
        serde_json::to_writer(&mut peer, same).expect("it can be written");
        assert_eq!(DeviceState::decode(&ours[..length]), DeviceState::decode(&peer));
    }
    let (ours, peer) = (&mut ours, &mut peer);
    timed(
        rounds,
        states.len(),
        || {
            for (state, _) in &states {
                black_box(black_box(state).encode(ours).expect("it fits"));
            }
        },
        || {
            for (_, state) in &states {
                peer.clear();
                serde_json::to_writer(&mut *peer, black_box(state)).expect("it can be written");
                black_box(&peer);
            }
        },
    )
}

/// Writing a summary.
pub fn encode_summary(rounds: usize) -> Pair {
    const TIMES: usize = 5_000;
    let mut tally = Box::new(OurTally::new());
    for line in ROLLOUT.lines() {
        let _ = tally.apply(&our_state(line.as_bytes()).event()).expect("there is room");
    }
    let id = Uuid::from_u128(7);
    let summary = RunSummary { id: Some(id), summary: *tally.summary() };
    let same = PeerSummary::new(id, tally.summary());
    let (mut ours, mut peer) = ([0; RunSummary::MAX_JSON], Vec::new());
    let length = summary.encode(&mut ours).expect("it fits");
    serde_json::to_writer(&mut peer, &same).expect("it can be written");
    assert_eq!(RunSummaryUpdate::decode(&ours[..length]), RunSummaryUpdate::decode(&peer));
    timed(
        rounds,
        TIMES,
        || {
            for _ in 0..TIMES {
                black_box(black_box(&summary).encode(&mut ours).expect("it fits"));
            }
        },
        || {
            for _ in 0..TIMES {
                peer.clear();
                serde_json::to_writer(&mut peer, black_box(&same)).expect("it can be written");
                black_box(&peer);
            }
        },
    )
}

/// The bytes of a line, on average.
pub fn bytes_per_line() -> f64 {
    ROLLOUT.len() as f64 / ROLLOUT.lines().count() as f64
}

fn our_state(line: &[u8]) -> DeviceState<'_> {
    DeviceState::decode(black_box(line)).expect("well formed")
}

fn peer_state(line: &[u8]) -> PeerState<'_> {
    serde_json::from_slice(black_box(line)).expect("well formed")
}

/// The whole roll-out through both, from a new start each round, which is not timed.
fn per_line<A, B>(
    rounds: usize,
    new_ours: impl Fn() -> A,
    ours: impl Fn(&mut A, &[u8]),
    new_peer: impl Fn() -> B,
    mut peer: impl FnMut(&mut B, &[u8]),
) -> Pair {
    let lines: Vec<_> = ROLLOUT.lines().map(str::as_bytes).collect();
    let nanoseconds = |start: Instant| start.elapsed().as_nanos() as f64 / lines.len() as f64;
    let run_ours = || {
        let mut state = new_ours();
        let start = Instant::now();
        for line in &lines {
            ours(&mut state, line);
        }
        nanoseconds(start)
    };
    let mut run_peer = || {
        let mut state = new_peer();
        let start = Instant::now();
        for line in &lines {
            peer(&mut state, line);
        }
        nanoseconds(start)
    };
    paired(rounds, |order| in_order(order, run_ours, &mut run_peer))
}

fn timed(rounds: usize, times: usize, mut ours: impl FnMut(), mut peer: impl FnMut()) -> Pair {
    fn time(times: usize, run: &mut impl FnMut()) -> f64 {
        let start = Instant::now();
        run();
        start.elapsed().as_nanos() as f64 / times as f64
    }
    paired(rounds, |order| in_order(order, || time(times, &mut ours), || time(times, &mut peer)))
}

fn in_order(order: Order, ours: impl FnOnce() -> f64, peer: impl FnOnce() -> f64) -> (f64, f64) {
    match order {
        Order::Forward => {
            let ours = ours();
            (ours, peer())
        }
        Order::Reversed => {
            let peer = peer();
            (ours(), peer)
        }
    }
}
