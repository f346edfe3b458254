//! Any changes of a tally with too little room, beside the model that recounts everything, and
//! beside what the entries written down before each change give when they are restored.
#![no_main]

mod few;
#[path = "../../tests/model/mod.rs"]
mod model;

use std::collections::BTreeMap;

use few::few;
use libfuzzer_sys::fuzz_target;
use model::{Key, Model, User};
use runtally::{Change, Counted, Entry, Event, Tally};

type Small = Tally<Key, Key, 5, 3>;

fuzz_target!(|changes: Vec<Change<Key, Key>>| {
    let (mut tally, mut model) = (Small::new(), Model::new(5, 3));
    let mut log = Vec::new();
    for change in changes.into_iter().map(few) {
        let before = tally.clone();
        let expected = model.commit(&change);
        assert_eq!(tally.check(&change), expected, "{change:?}");
        let entries = tally.entries_after(&change);
        let entries = entries.map(|(_, entries)| entries.map(Entry::cloned).collect::<Vec<_>>());
        assert_eq!(tally.commit(&change), expected, "{change:?}");
        match entries {
            Ok(entries) => log.extend(entries),
            Err(refusal) => assert_eq!(Err(refusal), expected, "{change:?}"),
        }
        if expected.is_err() {
            assert_eq!(tally, before, "{change:?}");
        }
        assert_same(&tally, &model);
    }
    assert_eq!(restored(&log), tally);
});

/// A tally from the entries, as they were written.
fn restored(log: &[Entry<Key, Key>]) -> Small {
    let mut tally = Small::new();
    for entry in log {
        tally.restore(entry).expect("it was there");
    }
    tally
}

fn assert_same(tally: &Small, model: &Model) {
    assert_eq!(tally.audit(), Ok(()));
    assert_eq!(*tally.summary(), model.summary());
    assert_eq!(tally.run_from(), model.run_from);
    for of in [Counted::Devices, Counted::Users] {
        assert_eq!(tally.carried(of), model.carried(of));
    }
    let mut devices: Vec<_> = tally.devices().map(Event::cloned).collect();
    devices.sort_by_key(|event| event.device);
    assert_eq!(devices, model.devices());
    for event in &devices {
        assert_eq!(tally.counted(event), model.counted(event));
    }
    assert_eq!(tally.tombstones().map(Entry::cloned).collect::<Vec<_>>(), model.tombstones());
    let users: BTreeMap<Key, User> = tally
        .users()
        .map(|row| {
            let user = User {
                live: row.live,
                carried: row.carried,
                reported: row.reported(),
                state: row.state(),
                last_update: row.last_update,
                declared: row.declared,
            };
            (*row.user, user)
        })
        .collect();
    assert_eq!(users, model.users());
}
