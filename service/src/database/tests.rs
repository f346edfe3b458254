//! A small store in a database: whatever happens, what is read again is what was there.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use runtally::http::{Request, Settings};
use runtally::store::{NamesUpdate, RolloutId, StoreChange};
use runtally::{Change, Entry, Event, RunState};
use uuid::Uuid;

use super::writer::Claimed;
use super::*;
use crate::store::{IndexedStore, Plan};

type Small = IndexedStore<2, 1, 6, 4>;

const CONFIGURATION: RolloutId = RolloutId::configuration(Uuid::from_u128(1));
const SCRIPT: RolloutId = RolloutId::script(Uuid::from_u128(2));

/// A path for a database, gone when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("runtally-{}-{name}.sqlite", std::process::id());
        let scratch = Self(std::env::temp_dir().join(name));
        scratch.remove();
        scratch
    }

    fn remove(&self) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(with_suffix(&self.0, suffix));
        }
    }

    /// The database and the store that it keeps.
    fn open(&self) -> (Database, Small) {
        let mut database = Database::open(&self.0).expect("it opens");
        // No power is cut here, and a sync takes its time.
        database.connection.pragma_update(None, "synchronous", "off").expect("it is set");
        let mut store = Small::new();
        database.restore(&mut store).expect("it holds together");
        let new: Vec<_> = [CONFIGURATION, SCRIPT]
            .into_iter()
            .filter(|id| store.insert(*id).expect("there is room"))
            .collect();
        database.insert(&new).expect("it can be written");
        (database, store)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Everything a store holds. The order of live rows means nothing, that of tombstones does; nor
/// does the case of a user's name, which may be any of those it was spelled with.
fn image(store: &Small) -> String {
    let mut image = String::new();
    for rollout in store.store().iter() {
        let tally = rollout.tally();
        let mut rows: Vec<_> = tally.devices().map(|it| format!("{it:?}")).collect();
        rows.extend(tally.users().map(|user| {
            let kept = (
                user.user.as_str().to_ascii_lowercase(),
                user.reported(),
                user.declared,
                user.last_update,
            );
            format!("{kept:?} {:?}", rollout.names(user.user))
        }));
        rows.sort();
        // Of whom a device was that came to be of nobody means nothing.
        let tombstones = tally.tombstones().map(|it| match it {
            Entry::Retired { event, counted } => {
                format!("{:?}", Entry::Retired { event: Event { user: None, ..event }, counted })
            }
            it => format!("{it:?}"),
        });
        let tombstones: Vec<_> = tombstones.collect();
        let totals = tally.entries().last().map(|it| format!("{it:?}"));
        let _ = writeln!(
            image,
            "{:?} {} {} {:?}\n{}\n{}\n{totals:?}",
            rollout.id(),
            rollout.version(),
            rollout.is_created(),
            tally.summary(),
            rows.join("\n"),
            tombstones.join("\n"),
        );
    }
    image.to_ascii_lowercase()
}

/// A request of any kind.
fn ask(store: &Small, rng: &mut fastrand::Rng, tick: u32) -> Option<Plan> {
    let kind = ["hardwareConfigurations", "deviceManagementScripts"][rng.usize(..2)];
    let id = match kind {
        "hardwareConfigurations" => Uuid::from_u128([1, 1, 1, 9][rng.usize(..4)]),
        _ => SCRIPT.id,
    };
    let path = format!("/deviceManagement/{kind}/{id}");
    let device = Uuid::from_u128(rng.u128(..9));
    let upn = ["ada@x.org", "Ada@X.org", "bob@x.org", "eve@x.org", "joe@x.org"][rng.usize(..5)];
    let state = RunState::from_number(rng.u8(..6)).expect("a state").name();
    let at = format!(
        "2026-11-21T09:{:02}:{:02}Z",
        tick / 60 % 60,
        (tick % 60).saturating_sub(rng.u32(..9))
    );
    let (upn_name, state_name) = match kind {
        "hardwareConfigurations" => ("upn", "configurationState"),
        _ => ("userPrincipalName", "runState"),
    };
    let mut devices = store.store().get(CONFIGURATION)?.tally().devices();
    let known = devices.nth(rng.usize(..6)).map_or(device, |it| *it.device);
    let (method, path, body) = match rng.u8(..20) {
        0..=9 => (
            "POST",
            format!("{path}/deviceRunStates"),
            format!(
                r#"{{"id":"{device}","{upn_name}":"{upn}","{state_name}":"{state}","lastStateUpdateDateTime":"{at}"}}"#
            ),
        ),
        10 | 11 => (
            "POST",
            format!("{path}/deviceRunStates"),
            format!(
                r#"{{"id":"{device}","{state_name}":"{state}","lastStateUpdateDateTime":"{at}"}}"#
            ),
        ),
        12 | 13 => ("DELETE", format!("{path}/deviceRunStates/{known}"), String::new()),
        14 => {
            let count = rng.u8(..4);
            (
                "POST",
                format!("{path}/runSummary"),
                format!(r#"{{"failedDeviceCount":{count},"successfulUserCount":3}}"#),
            )
        }
        15 => (
            "PATCH",
            format!("{path}/runSummary"),
            format!(r#"{{"pendingDeviceCount":{},"lastRunDateTime":"{at}"}}"#, rng.u8(..9)),
        ),
        16 => (
            "POST",
            format!("{path}/userRunStates"),
            format!(
                r#"{{"{upn_name}":"{upn}","errorDeviceCount":{},"userName":"Ada Löw","userEmail":"a@x"}}"#,
                rng.u8(..5)
            ),
        ),
        17 | 18 => {
            let user = upn.parse().expect("a name");
            let devices = store.store().get(CONFIGURATION)?.tally().user(&user)?.reported();
            let change = Change::DeclareUser { user, devices, last_update: None };
            let names = [None, Some(None), Some(Some("Eve".try_into().expect("short")))];
            let (name, email) = (names[rng.usize(..3)], names[rng.usize(..3)]);
            let mut change = StoreChange::new(CONFIGURATION, change);
            change.names = NamesUpdate { name, email };
            return crate::store::plan(store.store(), change);
        }
        _ => {
            let change = match rng.u8(..3) {
                0 => Change::RunFrom(at.parse().expect("a date-time")),
                1 => Change::UndeclareUser { user: upn.parse().expect("a name") },
                _ => Change::Retire { device: known },
            };
            return crate::store::plan(store.store(), StoreChange::new(CONFIGURATION, change));
        }
    };
    let settings = Settings { write_tokens: &["writer"], ..Settings::default() };
    let request = Request {
        method,
        path: &path,
        authorization: Some("Bearer writer"),
        content_type: Some("application/json"),
        body: body.as_bytes(),
        ..Request::default()
    };
    let mut buffer = vec![0; 1 << 16];
    let store: &dyn Rollouts = store;
    store.answer(&request, &settings, &mut buffer).1
}

#[test]
fn whatever_was_asked_is_there_after_a_restart() {
    let scratch = Scratch::new("random");
    for seed in 0..20 {
        scratch.remove();
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut database, mut store) = scratch.open();
        let mut changes = 0;
        for tick in 60..360 {
            // Some share a transaction, as far as they may.
            let (mut claimed, mut group) = (Claimed::default(), Vec::<Plan>::new());
            for _ in 0..rng.u8(1..6) {
                let Some(plan) = ask(&store, &mut rng, tick) else { continue };
                if claimed.admit(&plan, &store, group.is_empty()) {
                    group.push(plan);
                }
            }
            let most = Rollouts::capacity(&store);
            database.write_plans(&group, most).expect("it can be written");
            for plan in &group {
                Rollouts::commit(&mut store, plan).expect("it was checked");
                changes += 1;
                store.audit(plan.rollout).expect("the counts and the index are those of the rows");
            }
            if rng.u8(..30) == 0 {
                let before = image(&store);
                drop(database);
                let (again, restored) = scratch.open();
                let after = image(&restored);
                let other = before.lines().zip(after.lines()).find(|(one, other)| one != other);
                assert_eq!(other, None, "seed {seed}, tick {tick}");
                assert_eq!(after.len(), before.len(), "seed {seed}, tick {tick}");
                for rollout in restored.store().iter() {
                    restored.audit(rollout.id()).expect("the index is that of the rows");
                }
                (database, store) = (again, restored);
            }
        }
        assert!(changes > 100, "{changes}");
        for rollout in store.store().iter() {
            store.audit(rollout.id()).expect("the counts and the index are those of the rows");
        }
    }
}

#[test]
fn tombstones_beyond_what_the_store_remembers_are_forgotten() {
    let scratch = Scratch::new("tombstones");
    let (mut database, mut store) = scratch.open();
    let at = "2026-11-21T09:30:00Z".parse().expect("a date-time");
    for n in 0..100 {
        let remove = Change::Remove { device: Uuid::from_u128(n), at };
        let plan = crate::store::plan(store.store(), StoreChange::new(CONFIGURATION, remove));
        let plan = plan.expect("it leaves a tombstone");
        database.write_plans(std::slice::from_ref(&plan), 6).expect("it can be written");
        Rollouts::commit(&mut store, &plan).expect("it was checked");
        let count: usize = database
            .connection
            .query_row("SELECT count(*) FROM device", (), |row| row.get::<_, u32>(0))
            .expect("readable") as usize;
        assert!(count <= 13, "{count} rows after {n}");
    }
    let before = image(&store);
    drop(database);
    assert_eq!(image(&scratch.open().1), before);
}

#[test]
fn a_last_run_outlives_the_device_that_ran() {
    let scratch = Scratch::new("last-run");
    let (mut database, mut store) = scratch.open();
    let device = Uuid::from_u128(7);
    let at = |text: &str| text.parse().expect("a date-time");
    let event =
        Event { device, user: None, state: RunState::Fail, at: at("2026-11-21T10:00:00+02:00") };
    let remove = Change::Remove { device, at: at("2026-11-21T12:00:00Z") };
    for change in [Change::Event(event), remove] {
        let plan = crate::store::plan(store.store(), StoreChange::new(CONFIGURATION, change));
        let plan = plan.expect("it changes something");
        database.write_plans(std::slice::from_ref(&plan), 6).expect("it can be written");
        Rollouts::commit(&mut store, &plan).expect("it was checked");
    }
    drop(database);
    let (_, restored) = scratch.open();
    let rollout = restored.store().get(CONFIGURATION).expect("it is known");
    assert_eq!(rollout.tally().summary().last_run, Some(at("2026-11-21T08:00:00Z")));
    assert_eq!(image(&restored), image(&store));
}

#[test]
fn changes_that_depend_on_one_another_share_no_transaction() {
    let mut store = Small::new();
    store.insert(CONFIGURATION).expect("there is room");
    let event = |n: u128, user: &str, second: u8| {
        let at = format!("2026-11-21T09:30:{second:02}Z").parse().expect("a date-time");
        let user = Some(user.parse().expect("a name"));
        Change::Event(Event { device: Uuid::from_u128(n), user, state: RunState::Fail, at })
    };
    let plan = |store: &Small, change| {
        crate::store::plan(store.store(), StoreChange::new(CONFIGURATION, change))
            .expect("a change")
    };
    let one = plan(&store, event(1, "ada", 1));
    assert_eq!(one.written.len(), 1);
    assert!(matches!(one.written[0], Written::Entry(Entry::Device(_))));
    let again = plan(&store, event(1, "bob", 2));
    let other = plan(&store, event(2, "ada", 1));
    let summary =
        plan(&store, Change::RunFrom("2026-11-21T09:30:00Z".parse().expect("a date-time")));

    let mut claimed = Claimed::default();
    assert!(claimed.admit(&one, &store, true) && claimed.admit(&other, &store, false));
    assert!(!claimed.admit(&again, &store, false), "the same device");
    assert!(!claimed.admit(&summary, &store, false), "the roll-out as a whole");
    let mut claimed = Claimed::default();
    assert!(claimed.admit(&summary, &store, true));
    assert!(!claimed.admit(&one, &store, false));

    // Five of six rows are taken: one new device fits, a second one waits to be refused.
    for n in 10..15 {
        let plan = plan(&store, event(n, "ada", 1));
        Rollouts::commit(&mut store, &plan).expect("there is room");
    }
    let mut claimed = Claimed::default();
    assert!(claimed.admit(&plan(&store, event(1, "ada", 1)), &store, true));
    assert!(!claimed.admit(&plan(&store, event(2, "ada", 1)), &store, false));
    assert!(claimed.admit(&plan(&store, event(10, "ada", 2)), &store, false), "it has its row");
}
