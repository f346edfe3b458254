//! What a journal is told: with that, and with nothing else, a store is made anew.

// A doc example includes the same file.
#[path = "../../examples/flash/mod.rs"]
mod flash;

use std::collections::BTreeMap;

use embassy_futures::block_on;
use flash::Flash;
use proptest::prelude::*;
use runtally::graph::{RolloutId, StoreChange, Upn};
use runtally::journal::{Change, Journal};
use runtally::{Counts, Tally};
use uuid::Uuid;

use crate::client::{CONFIGURATION, Client, OTHER, SCRIPT, Small, configuration, device, event};
use crate::sequences::asks;

const SUMMARY: &str = include_str!("../wire/create-run-summary.request.json");

type Counted = Tally<Uuid, Upn, 6, 4>;
type Names = [Option<String>; 2];

/// One roll-out on flash, and beside it what a journal of a tally does not hold.
struct Kept {
    journal: Journal<Flash<8>, Uuid, Upn, 6, 4>,
    declared: bool,
    names: BTreeMap<Upn, Names>,
}

fn names(of: Option<[Option<&str>; 2]>) -> Option<Names> {
    of.map(|names| names.map(|name| name.map(str::to_owned)))
}

fn open(flash: Flash<8>, tally: &mut Counted) -> Journal<Flash<8>, Uuid, Upn, 6, 4> {
    let (journal, recovered) =
        block_on(Journal::open(flash, Flash::<8>::RANGE, tally)).expect("flash does not fail");
    assert_eq!(recovered.damaged, 0);
    journal
}

impl Kept {
    fn new() -> Self {
        let journal = open(Flash::new(), &mut Counted::new());
        Self { journal, declared: false, names: BTreeMap::new() }
    }

    /// Takes from the store what the change names, and nothing else.
    fn record(&mut self, store: &Small, StoreChange { rollout, change }: StoreChange<'_>) {
        let tally = match rollout {
            RolloutId::Script(id) => store.script(&id).expect("it is known").tally(),
            RolloutId::Configuration(id) => {
                let configuration = store.configuration(&id).expect("it is known");
                match change {
                    Change::User(user) => match names(configuration.names(user)) {
                        Some(names) => drop(self.names.insert(user.clone(), names)),
                        None => drop(self.names.remove(user)),
                    },
                    Change::Summary => self.declared = configuration.is_declared(),
                    Change::Device(_) => {}
                }
                configuration.tally()
            }
        };
        block_on(self.journal.record(tally, change)).expect("there is room");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_store_is_made_anew_from_the_changes_it_names(
        sequence in prop::collection::vec(asks(), 1..60),
    ) {
        let mut client = Client::new();
        let mut kept = BTreeMap::<Uuid, Kept>::new();
        for ask in sequence {
            client.ask(&ask.request());
            if let Some(change) = client.store.last_change() {
                let (RolloutId::Configuration(id) | RolloutId::Script(id)) = change.rollout;
                kept.entry(id).or_insert_with(Kept::new).record(&client.store, change);
            }
        }

        // In the place of the old one, whose rows were others'.
        let mut anew = client.store.clone();
        anew.clear();
        let ids = client.store.configurations().map(|(id, _)| *id).collect::<Vec<_>>();
        for id in ids.into_iter().rev() {
            let old = client.store.configuration(&id).expect("it is known");
            let new = anew.declare_configuration(id).expect("there is room");
            if let Some(kept) = kept.get_mut(&id) {
                open(kept.journal.flash().clone(), new.tally_mut());
                new.restore_declared(kept.declared);
                for (user, names) in &kept.names {
                    new.restore_names(user, names.each_ref().map(Option::as_deref));
                }
            }
            prop_assert_eq!(new.tally(), old.tally());
        }
        let old = client.store.script(&SCRIPT).expect("it is known");
        let new = anew.declare_script(SCRIPT).expect("there is room");
        if let Some(kept) = kept.get_mut(&SCRIPT) {
            open(kept.journal.flash().clone(), new.tally_mut());
        }
        prop_assert_eq!(new.tally(), old.tally());

        // Names, and whether the summary was created, show in the answers.
        let ids = anew.configurations().map(|(id, _)| *id).collect::<Vec<_>>();
        let mut restored = Client { store: anew, ..client.clone() };
        for id in ids {
            let users = configuration(id, "/userRunStates");
            for user in client.list(&users) {
                let row = format!("{users}/{}", user["id"].as_str().expect("a text"));
                prop_assert_eq!(restored.get(&row).json(), user);
            }
            let summary = configuration(id, "/runSummary");
            prop_assert_eq!(restored.get(&summary), client.get(&summary));
            let answers = [&mut restored, &mut client].map(|it| it.send("POST", &summary, SUMMARY));
            prop_assert_eq!(&answers[0], &answers[1]);
        }
    }
}

#[test]
fn what_changed_nothing_names_no_change() {
    let mut client = Client::new();
    let path = configuration(CONFIGURATION, "/deviceRunStates");
    let event = event(1, Some("ada"), "fail", "2026-11-21T09:30:00Z");
    let changed = |client: &Client| client.store.last_change().is_some();

    assert!(!changed(&client));
    client.must(201, "POST", &path, &event);
    assert!(changed(&client));
    client.must(201, "POST", &path, &event);
    assert!(!changed(&client), "a duplicate");
    client.must(201, "POST", &path, &event.replace(":30", ":31"));
    assert!(changed(&client));
    client.get(&path);
    assert!(!changed(&client), "a read");
    client.must(204, "DELETE", &format!("{path}/{}", device(1)), "");
    assert!(changed(&client));
    client.must(404, "POST", "/nowhere", &event);
    assert!(!changed(&client), "a refusal");
}

#[test]
fn a_cleared_store_knows_nothing() {
    let mut client = Client::new();
    let ada = Upn::try_from("ada").expect("a name");
    for id in [CONFIGURATION, OTHER] {
        let configuration = client.store.declare_configuration(id).expect("there is room");
        configuration.tally_mut().declare_user(&ada, Counts::ZERO, None).expect("it fits");
        configuration.restore_declared(true);
    }
    let script = client.store.declare_script(SCRIPT).expect("there is room");
    script.tally_mut().declare_user(&ada, Counts::ZERO, None).expect("it fits");
    assert_eq!(client.store.configurations().count(), 2);
    assert_eq!(client.store.scripts().count(), 1);

    client.store.clear();
    assert_eq!(client.store.configurations().count(), 0);
    assert_eq!(client.store.scripts().count(), 0);
    for id in [CONFIGURATION, OTHER] {
        let configuration = client.store.declare_configuration(id).expect("there is room");
        assert_eq!(configuration.tally(), &Counted::new());
        assert!(!configuration.is_declared());
    }
    let script = client.store.declare_script(SCRIPT).expect("there is room");
    assert_eq!(script.tally(), &Counted::new());
}
