//! The worst stack of every call, over the cases that lead it down its longest ways.

#![no_std]
#![no_main]

#[path = "../../on_panic/exit.rs"]
mod on_panic;
mod paint;

use core::hint::black_box;

use cortex_m_rt::entry;
use paint::depth;
use runtally::graph::{DeviceState, RunSummary, RunSummaryUpdate, Upn, UserStateUpdate};
use runtally::http::{Request, Settings};
use runtally::snapshot::{Snapshot, SnapshotReader};
use runtally::store::{RolloutId, Store};
use runtally::{Change, Counts, DateTime, DeviceHandle, Event, RunState, Summary, Tally};
use semihosting::{println, process};
use uuid::Uuid;

type Rows = Tally<Uuid, Upn, 16, 4>;

#[entry]
fn main() -> ! {
    static mut TALLY: Rows = Tally::new();
    static mut STORE: Store<1, 1, 16, 4> = Store::new();
    static mut BYTES: [u8; 4096] = [0; 4096];

    ram();
    state(TALLY);
    json(TALLY, BYTES);
    requests(STORE, BYTES);
    process::exit(0)
}

/// Bytes that one more row adds, and that some tallies take.
fn ram() {
    const fn per_row(small: usize, large: usize) -> usize {
        (large - small) / 512
    }
    type Key = [u8; 16];
    let device = [size_of::<Tally<Key, Key, 512, 8>>(), size_of::<Tally<Key, Key, 1024, 8>>()];
    let user = [size_of::<Tally<Key, Key, 8, 512>>(), size_of::<Tally<Key, Key, 8, 1024>>()];
    let named = [size_of::<Store<1, 0, 8, 512>>(), size_of::<Store<1, 0, 8, 1024>>()];
    for (row, [small, large]) in [("device", device), ("user", user), ("named_user", named)] {
        println!("ram.{row}\t{}", per_row(small, large));
    }
    println!("ram.mesh\t{}", size_of::<Tally<u16, u16, 16, 4>>());
    println!("ram.binary\t{}", size_of::<Tally<Key, Key, 512, 64>>());
    println!("ram.graph\t{}", size_of::<Tally<Uuid, Upn, 512, 64>>());
    println!("ram.store\t{}", size_of::<Store<1, 0, 512, 64>>());
}

/// Prints the worst of several depths.
fn print(call: &str, depths: impl IntoIterator<Item = u32>) {
    println!("stack.{call}\t{}", depths.into_iter().max().unwrap_or_default());
}

/// The longest name there may be.
fn upn(user: u8) -> Upn {
    let mut name = [b'A'; Upn::MAX_LEN];
    name[Upn::MAX_LEN - 1] = b'0' + user;
    str::from_utf8(&name).expect("ASCII").try_into().expect("not too long")
}

fn event(device: u8, user: Option<u8>, state: RunState, at: i64) -> Event<Uuid, Upn> {
    Event {
        device: Uuid::from_u128(device.into()),
        user: user.map(upn),
        state,
        at: DateTime::from_ticks(at, 60).expect("1970"),
    }
}

/// New devices and users up to what there is room for and beyond, changes of state, changes of
/// hands that free a user's row and take it again, duplicates and late ones.
fn events() -> impl Iterator<Item = Event<Uuid, Upn>> {
    let new = (0..18).map(|device| event(device, Some(device % 5), RunState::Pending, 1));
    let changed = (0..18).map(|device| event(device, Some(device % 4), RunState::Fail, 2));
    let moved = (0..18).map(|device| event(device, Some((device + 1) % 5), RunState::Success, 3));
    let alone = (0..18).map(|device| event(device, None, RunState::Success, 4));
    let again = (0..18).map(|device| event(device, Some(device % 5), RunState::ScriptError, 5));
    let late = (0..18).map(|device| event(device, Some(device % 5), RunState::Unknown, 0));
    new.chain(changed).chain(moved).chain(alone).chain(again).chain(late)
}

fn fill(tally: &mut Rows) {
    *tally = Rows::new();
    for event in events() {
        _ = tally.apply(&event);
    }
}

fn state(tally: &mut Rows) {
    print("apply", events().map(|event| depth(|| _ = black_box(tally.apply(&event)))));
    *tally = Rows::new();
    let row = DeviceHandle::from_number(3).expect("a row");
    print("apply_at", events().map(|event| depth(|| _ = black_box(tally.apply_at(row, &event)))));
    *tally = Rows::new();
    print(
        "check",
        events().map(|event| {
            let change = Change::Event(event);
            let depth = depth(|| _ = black_box(tally.check(&change)));
            _ = tally.commit(&change);
            depth
        }),
    );

    let devices = || (0..18).map(Uuid::from_u128);
    let at = |ticks| DateTime::from_ticks(ticks, 60).expect("1970");
    fill(tally);
    let change = |tally: &mut Rows, change: &Change<Uuid, Upn>| {
        let checked = depth(|| {
            tally
                .entries_after(black_box(change))
                .into_iter()
                .for_each(|(_, entries)| entries.for_each(|entry| _ = black_box(entry)))
        });
        checked.max(depth(|| _ = black_box(tally.commit(black_box(change)))))
    };
    print("remove", devices().map(|device| change(tally, &Change::Remove { device, at: at(9) })));
    fill(tally);
    print("retire", devices().map(|device| change(tally, &Change::Retire { device })));
    print(
        "return",
        events().map(|event| {
            let later = Event { at: at(event.at.ticks() + 10), ..event };
            depth(|| _ = black_box(tally.apply(&later)))
        }),
    );

    fill(tally);
    let summary = *tally.summary();
    let written = [Summary::ZERO, summary];
    print("declare", written.iter().map(|it| change(tally, &Change::Declare(*it))));
    let users = || (0..6).map(upn);
    let most = Counts::ZERO.with(RunState::Fail, Counts::MAX).expect("in range");
    let writes = || users().flat_map(|user| [(user.clone(), Counts::ZERO), (user, most)]);
    print(
        "declare_user",
        writes().map(|(user, devices)| {
            change(tally, &Change::DeclareUser { user, devices, last_update: summary.last_run })
        }),
    );
    print("undeclare_user", users().map(|user| change(tally, &Change::UndeclareUser { user })));
    fill(tally);
    print("run_from", [change(tally, &Change::RunFrom(at(5)))]);
    let limit = core::time::Duration::ZERO;
    print("summary_at", [depth(|| _ = black_box(tally.summary_at(at(9), limit, RunState::Fail)))]);
    let mut piece = [0; 512];
    let mut length = 0;
    print(
        "snapshot",
        [depth(|| {
            length = Snapshot::new(tally).next(&mut piece).ok().flatten().map_or(0, <[u8]>::len);
        })],
    );
    print(
        "restore",
        [depth(|| {
            _ = black_box(SnapshotReader::restore().read(tally, &piece[..length]));
        })],
    );
    fill(tally);
    print("reseed", [depth(|| tally.reseed(black_box(7)))]);
    print("merge", [depth(|| _ = black_box(summary.merge(&summary)))]);

    print("device", devices().map(|id| depth(|| _ = black_box(tally.device(&id)))));
    print("user", users().map(|user| depth(|| _ = black_box(tally.user(&user)))));
    print("devices", [depth(|| tally.devices().for_each(|it| _ = black_box(it)))]);
    print("users", [depth(|| tally.users().for_each(|it| _ = black_box(it)))]);
    print(
        "user_devices",
        users().map(|user| depth(|| tally.user_devices(&user).for_each(|it| _ = black_box(it)))),
    );
    print("audit", [depth(|| _ = black_box(tally.audit()))]);
}

/// Documents that take every way through the reader.
const DOCUMENTS: [&[u8]; 6] = [
    br##"{"@odata.type":"#microsoft.graph.hardwareConfigurationDeviceState","id":"74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974","deviceName":"\ud83d\ude00 \u0022","osVersion":null,"upn":"\u0041da@Example.com","internalVersion":-7,"lastStateUpdateDateTime":"2026-11-21T09:30:00.1234567+01:00","configurationState":"\u0073uccess","configurationOutput":"a\tb","x":[{"y":[1e5,true,null,"\u00e9"]}],"userId":"me"}"##,
    br#"{"id":"74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974","lastStateUpdateDateTime":"2026-11-21T09:30:00Z","configurationState":"notApplicable"}"#,
    br#"{"unknownDeviceCount":1,"successfulDeviceCount":2147483647,"failedDeviceCount":3,"errorDeviceCount":4,"pendingDeviceCount":5,"notApplicableDeviceCount":6,"unknownUserCount":1,"successfulUserCount":2,"failedUserCount":3,"errorUserCount":4,"pendingUserCount":5,"notApplicableUserCount":6,"lastRunDateTime":"9999-12-31T23:59:59.9999999-08:00"}"#,
    br#"{"upn":"Ada@example.com","userEmail":"\u0061da","userName":"Ada \ud83d\ude00","lastStateUpdateDateTime":"9999-12-31T23:59:59.9999999-08:00","successfulDeviceCount":2147483647,"failedDeviceCount":1,"pendingDeviceCount":2,"errorDeviceCount":3,"notApplicableDeviceCount":4,"unknownDeviceCount":5}"#,
    br#"{"id":"74b9fcd8","x":[[[[[[[[[[[[[[[["#,
    b"{\"\xff",
];

fn json(tally: &mut Rows, bytes: &mut [u8]) {
    let decode = |decode: fn(&[u8])| DOCUMENTS.map(|json| depth(|| decode(black_box(json))));
    print("DeviceState::decode", decode(|json| _ = black_box(DeviceState::decode(json))));
    print("RunSummaryUpdate::decode", decode(|json| _ = black_box(RunSummaryUpdate::decode(json))));
    print("UserStateUpdate::decode", decode(|json| _ = black_box(UserStateUpdate::decode(json))));

    fill(tally);
    let summary = RunSummary { id: Some(Uuid::max()), summary: *tally.summary() };
    print("RunSummary::encode", [depth(|| _ = black_box(summary.encode(bytes)))]);
    let states = DOCUMENTS.map(|json| {
        let Ok(state) = DeviceState::decode(json) else { return 0 };
        depth(|| _ = black_box(state.encode(bytes)))
    });
    print("DeviceState::encode", states);
    let states = DOCUMENTS.map(|json| {
        let Ok(state) = UserStateUpdate::decode(json).and_then(|it| it.complete()) else {
            return 0;
        };
        depth(|| _ = black_box(state.encode(bytes)))
    });
    print("UserState::encode", states);
}

const SETTINGS: Settings<'_> = Settings {
    read_tokens: &["reader"],
    write_tokens: &["writer"],
    bare: false,
    origin: "http://127.0.0.1:8080",
    clock: None,
    user_by_id: None,
};

fn requests(store: &mut Store<1, 1, 16, 4>, bytes: &mut [u8]) {
    store.insert(RolloutId::script(Uuid::max())).expect("room");
    let paths = [
        "/deviceManagement/hardwareConfigurations/11111111-2222-3333-4444-555555555555",
        "/v1.0/deviceManagement/deviceManagementScripts/%66fffffff-ffff-ffff-ffff-ffffffffffff",
    ];
    let places = [
        "/runSummary",
        "/runSummary/$ref",
        "/deviceRunStates",
        "/deviceRunStates/$count",
        "/deviceRunStates/74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974",
        "/userRunStates",
        "/userRunStates/$count",
        "/userRunStates/ba3ab3a1-7ac1-5cb5-b2a3-e0f0e3d0b1ce",
        "/nothing",
    ];
    let queries = ["", "$top=1&$count=true&$select=id,upn", "$filter=id eq 'x'"];
    for method in ["POST", "PATCH", "GET", "DELETE"] {
        let mut worst = 0;
        for (root, place) in paths.iter().flat_map(|root| places.map(|place| (root, place))) {
            let mut path = heapless::String::<160>::new();
            path.push_str(root).and_then(|()| path.push_str(place)).expect("short");
            for (query, body) in queries.iter().flat_map(|query| DOCUMENTS.map(|it| (query, it))) {
                let request = Request {
                    method,
                    path: &path,
                    query,
                    authorization: Some("Bearer writer"),
                    content_type: Some("application/json; charset=utf-8"),
                    body,
                };
                worst =
                    worst.max(depth(|| _ = black_box(store.handle(&request, &SETTINGS, bytes))));
            }
        }
        print(method, [worst]);
    }
}
