//! Any operations on a tally with too little room, beside the model that recounts everything.
#![no_main]

mod few;
#[allow(dead_code)]
#[path = "../../tests/model/mod.rs"]
mod model;

use std::collections::BTreeMap;

use few::few;
use libfuzzer_sys::fuzz_target;
use model::{Key, Model, User};
use runtally::strategies::Operation;
use runtally::{Event, Of, Tally};

type Small = Tally<Key, Key, 5, 3>;

fuzz_target!(|operations: Vec<Operation<Key, Key>>| {
    let (mut tally, mut model) = (Small::new(), Model::new(5, 3));
    for operation in operations.into_iter().map(few) {
        let before = tally.clone();
        let expected = model.run(&operation);
        if let Operation::Apply(event) = &operation {
            assert_eq!(tally.check(event).err(), expected.err());
        }
        assert_eq!(operation.run(&mut tally), expected, "{operation:?}");
        if expected.is_err() {
            assert_eq!(tally, before, "{operation:?}");
        }
        assert_same(&tally, &model);
    }
});

fn assert_same(tally: &Small, model: &Model) {
    assert_eq!(tally.audit(), Ok(()));
    assert_eq!(*tally.summary(), model.summary());
    for of in [Of::Devices, Of::Users] {
        assert_eq!(tally.carried(of), model.carried(of));
    }
    let mut devices: Vec<_> = tally.devices().map(Event::cloned).collect();
    devices.sort_by_key(|event| event.device);
    assert_eq!(devices, model.devices());
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
