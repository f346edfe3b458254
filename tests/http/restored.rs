//! A change says all there is to write down: from that, and from nothing else, a store is made
//! anew.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;
use runtally::graph::Upn;
use runtally::store::{Kind, Names, RolloutId, StoreChange};
use runtally::{Change, Counts, DateTime, Entry, Tally, Totals};
use uuid::Uuid;

use crate::client::{
    CONFIGURATION, Client, OTHER, ROLLOUTS, SCRIPT, Small, configuration, device, event, user_id,
};
use crate::sequences::{Ask, TIMES, asks};

const SUMMARY: &str = include_str!("../wire/create-run-summary.request.json");

type SmallTally = Tally<Uuid, Upn, 6, 4>;

/// What happens to a store: requests, and what has no request yet.
#[derive(Clone, Debug)]
enum Step {
    Ask(Ask),
    Retire(RolloutId, u8),
    RunFrom(RolloutId, &'static str),
}

fn steps() -> impl Strategy<Value = Step> {
    let rollouts = || select(&ROLLOUTS[..]);
    prop_oneof![
        12 => asks().prop_map(Step::Ask),
        1 => (rollouts(), 0..9u8).prop_map(|(id, number)| Step::Retire(id, number)),
        1 => (rollouts(), select(&TIMES[..5])).prop_map(|(id, at)| Step::RunFrom(id, at)),
    ]
}

/// One roll-out, written down twice: as a log, and as rows of which the last one written counts.
#[derive(Default)]
struct Written {
    log: Vec<Entry<Uuid, Upn>>,
    devices: BTreeMap<Uuid, (usize, Entry<Uuid, Upn>)>,
    users: BTreeMap<Upn, Entry<Uuid, Upn>>,
    totals: Totals,
    is_created: bool,
    names: BTreeMap<Upn, Names>,
}

/// An event is a run, whatever came of it.
fn run(last_run: &mut Option<DateTime>, at: DateTime) {
    if last_run.is_none_or(|last| last.ticks() < at.ticks()) {
        *last_run = Some(at.to_utc());
    }
}

impl Written {
    /// Writes a change down before it is made. Nothing but the change is written.
    fn write(&mut self, store: &Small, change: &StoreChange<'_>) {
        let nothing = SmallTally::new();
        let tally = store.get(change.rollout).map_or(&nothing, |rollout| rollout.tally());
        let (_, entries) = tally.entries_after(&change.change).expect("it was planned");
        let entries: Vec<_> = entries.map(Entry::cloned).collect();
        assert!(entries.len() <= 3, "{entries:?}");
        for entry in &entries {
            self.put(entry);
        }
        self.log.extend(entries);
        self.is_created |= change.creates;
        match &change.change {
            Change::DeclareUser { user, .. } if change.rollout.kind == Kind::Configuration => {
                let is_declared = tally.user(user).is_some_and(|user| user.declared);
                let names = self.names.entry(user.clone()).or_default();
                if !is_declared {
                    *names = Names::NONE;
                }
                if let Some(email) = change.names.email {
                    names.email = email.map(|text| text.copied().expect("it fits"));
                }
                if let Some(name) = change.names.name {
                    names.name = name.map(|text| text.copied().expect("it fits"));
                }
            }
            Change::UndeclareUser { user } => drop(self.names.remove(user)),
            _ => {}
        }
    }

    fn put(&mut self, entry: &Entry<Uuid, Upn>) {
        // The age of a tombstone is that of the first one of its device.
        let age = self.log.len();
        let is_live = |entry: &Entry<_, _>| matches!(entry, Entry::Device(_));
        match entry {
            Entry::Totals(totals) => self.totals = *totals,
            Entry::User { user, .. } => drop(self.users.insert(user.clone(), entry.clone())),
            Entry::Device(event) => {
                run(&mut self.totals.last_run, event.at);
                self.devices.insert(event.device, (age, entry.clone()));
            }
            Entry::Removed { device, .. }
            | Entry::Retired { event: runtally::Event { device, .. }, .. } => {
                let before = self.devices.get(device).filter(|(_, before)| !is_live(before));
                let age = before.map_or(age, |before| before.0);
                self.devices.insert(*device, (age, entry.clone()));
            }
        }
    }

    /// The link of a retired device to its user goes with the user's row.
    fn forget_users(&mut self, tally: &SmallTally) {
        for (_, entry) in self.devices.values_mut() {
            if let Entry::Retired { event, .. } = entry {
                event.user = event.user.take().filter(|user| tally.user(user).is_some());
            }
        }
    }

    /// The log as it was written.
    fn replay(&self, tally: &mut SmallTally) {
        for entry in &self.log {
            tally.restore(entry).expect("it was there");
        }
    }

    /// The rows, the last ones first where the order is free.
    fn load(&self, tally: &mut SmallTally) {
        let mut devices: Vec<_> = self.devices.values().collect();
        devices.sort_by_key(|(age, entry)| (!matches!(entry, Entry::Device(_)), *age));
        let (live, tombstones): (Vec<_>, Vec<_>) =
            devices.into_iter().partition(|(_, entry)| matches!(entry, Entry::Device(_)));
        let live = live.into_iter().rev().map(|row| &row.1);
        let tombstones = tombstones.into_iter().map(|row| &row.1);
        for entry in self.users.values().rev().chain(live).chain(tombstones) {
            tally.restore(entry).expect("it was there");
        }
        tally.restore(&Entry::Totals(self.totals)).expect("they were there");
    }
}

/// A store from what was written, in the place of another one, whose rows were others'.
fn anew(
    old: &Small,
    written: &BTreeMap<RolloutId, Written>,
    restore: impl Fn(&Written, &mut SmallTally),
) -> Box<Small> {
    let mut anew = Box::new(old.clone());
    anew.clear();
    let ids: Vec<_> = old.iter().map(|rollout| rollout.id()).collect();
    for id in ids.into_iter().rev() {
        anew.insert(id).expect("there is room");
        let Some(written) = written.get(&id) else { continue };
        restore(written, anew.tally_mut(id).expect("just inserted"));
        assert!(anew.restore_created(id, written.is_created));
        for (user, names) in &written.names {
            assert!(anew.restore_names(id, user, names));
        }
    }
    anew
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn a_store_is_made_anew_from_the_changes(
        sequence in prop::collection::vec(steps(), 1..60),
    ) {
        let mut client = Client::new();
        let mut written = BTreeMap::<RolloutId, Written>::new();
        for step in &sequence {
            let request;
            let change = match step {
                Step::Ask(ask) => {
                    request = ask.request();
                    client.plan(&request).1
                }
                Step::Retire(id, number) => {
                    Some(StoreChange::new(*id, Change::Retire { device: device(*number) }))
                }
                Step::RunFrom(id, at) => {
                    Some(StoreChange::new(*id, Change::RunFrom(at.parse().expect("a date-time"))))
                }
            };
            if let Some(change) = change.filter(|change| client.store.check(change).is_ok()) {
                written.entry(change.rollout).or_default().write(&client.store, &change);
                client.commit(&change);
                let rollout = client.store.get(change.rollout).expect("it is known");
                written.entry(change.rollout).or_default().forget_users(rollout.tally());
            }
        }

        let logged = anew(&client.store, &written, Written::replay);
        let kept = anew(&client.store, &written, Written::load);
        for store in [logged, kept] {
            for old in client.store.iter() {
                let new = store.get(old.id()).expect("it is known");
                prop_assert_eq!(new.tally(), old.tally());
                prop_assert!(new.tally().tombstones().eq(old.tally().tombstones()));
                prop_assert_eq!(new.tally().audit(), Ok(()));
            }

            // Names, and whether the summary was created, show in the answers.
            let ids: Vec<_> = client.store.iter().map(|rollout| rollout.id()).collect();
            let mut client = client.clone();
            let mut restored = Client { store, ..client.clone() };
            for id in ids.into_iter().filter(|id| id.kind == Kind::Configuration) {
                let users = configuration(id.id, "/userRunStates");
                for user in client.list(&users) {
                    let row = format!("{users}/{}", user["id"].as_str().expect("a text"));
                    prop_assert_eq!(restored.get(&row).json(), user);
                }
                let summary = configuration(id.id, "/runSummary");
                prop_assert_eq!(restored.get(&summary), client.get(&summary));
                let answers =
                    [&mut restored, &mut client].map(|it| it.send("POST", &summary, SUMMARY));
                prop_assert_eq!(&answers[0], &answers[1]);
            }
        }
    }
}

#[test]
fn what_changes_nothing_asks_for_no_change() {
    let mut client = Client::new();
    let path = configuration(CONFIGURATION, "/deviceRunStates");
    let reported = event(1, Some("ada"), "fail", "2026-11-21T09:30:00Z");
    let earlier = reported.replace("09:30", "09:29");
    let mut asks_for_change = |method: &str, path: &str, body: &str| {
        let request = runtally::http::Request {
            method,
            path,
            query: "",
            authorization: Some(crate::client::WRITE),
            content_type: Some("application/json"),
            body: body.as_bytes(),
        };
        let (_, change) = client.plan(&request);
        if let Some(change) = &change {
            client.commit(change);
        }
        change.is_some()
    };

    assert!(asks_for_change("POST", &path, &reported));
    assert!(!asks_for_change("POST", &path, &reported), "a duplicate");
    assert!(!asks_for_change("POST", &path, &earlier), "stale");
    assert!(asks_for_change("POST", &path, &reported.replace("09:30", "09:31")));
    assert!(!asks_for_change("GET", &path, ""), "a read");
    assert!(!asks_for_change("POST", "/nowhere", &reported), "a refusal");
    let user = format!("/userRunStates/{}", user_id(CONFIGURATION, "ada"));
    assert!(!asks_for_change("DELETE", &configuration(CONFIGURATION, &user), ""), "no declaration");
    let row = format!("{path}/{}", device(1));
    assert!(asks_for_change("DELETE", &row, ""));
    assert!(!asks_for_change("DELETE", &row, ""), "a device that is gone");
    assert!(!asks_for_change("POST", &path, &reported), "a report from before the removal");
}

#[test]
fn a_cleared_store_knows_nothing() {
    let mut client = Client::new();
    let ada: Upn = "ada".parse().expect("a name");
    let declared =
        Change::DeclareUser { user: ada.clone(), devices: Counts::ZERO, last_update: None };
    let ids = [
        RolloutId::configuration(CONFIGURATION),
        RolloutId::configuration(OTHER),
        RolloutId::script(SCRIPT),
    ];
    let names = Names { email: None, name: Some("Ada".try_into().expect("it fits")) };
    for id in ids {
        client.store.insert(id).expect("there is room");
        client.commit(&StoreChange::new(id, declared.clone()));
        assert!(client.store.restore_created(id, true));
        assert_eq!(client.store.restore_names(id, &ada, &names), id.kind == Kind::Configuration);
        assert!(client.store.set_version(id, 3));
    }
    assert_eq!(client.store.iter().count(), 3);

    client.store.clear();
    assert_eq!(client.store.iter().count(), 0);
    for id in ids {
        client.store.insert(id).expect("there is room");
        // Whoever takes the row of a user takes nothing else of that user.
        let tally = client.store.tally_mut(id).expect("just inserted");
        assert_eq!(*tally, SmallTally::new());
        let user: Upn = "bob".parse().expect("a name");
        let declared =
            Change::DeclareUser { user: user.clone(), devices: Counts::ZERO, last_update: None };
        assert!(tally.commit(&declared).expect("there is room").is_applied());
        let rollout = client.store.get(id).expect("just inserted");
        assert_eq!((rollout.is_created(), rollout.version()), (false, 0));
        assert_eq!(*rollout.names(&user), Names::NONE);
    }
}
