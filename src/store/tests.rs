//! What no answer shows.

use uuid::Uuid;

use super::{Kind, Names, RolloutId, Store, StoreChange, StoreError, StoreFull};
use crate::graph::Upn;
use crate::{
    Change, Counted, Counter, Counts, Effect, Event, Overflow, Refusal, RunState, Summary,
};

fn creation(id: RolloutId, summary: Summary) -> StoreChange<'static> {
    StoreChange { creates: true, ..StoreChange::new(id, Change::Declare(summary)) }
}

fn declaration(user: &str) -> Change<Uuid, Upn> {
    let user = user.parse().unwrap();
    Change::DeclareUser { user, devices: Counts::ZERO, last_update: None }
}

#[test]
fn every_table_is_seeded_also_those_that_come_later() {
    let [first, second] = [1, 2].map(Uuid::from_u128);
    let mut store: Store<2, 2, 4, 4> = Store::new();
    let kinds = [RolloutId::configuration, RolloutId::script];
    let seeds = |store: &Store<2, 2, 4, 4>, id| store.get(id).unwrap().tally().seeds();
    for kind in kinds {
        assert_eq!(store.insert(kind(first)), Ok(true));
    }
    store.reseed(7);
    for kind in kinds {
        assert_eq!(seeds(&store, kind(first)), [7; 2]);
        assert_eq!(store.insert(kind(second)), Ok(true));
        assert_eq!(seeds(&store, kind(second)), [7; 2]);

        // One that has its own keeps it, until all is cleared.
        store.tally_mut(kind(first)).unwrap().reseed(8);
        assert_eq!(store.insert(kind(first)), Ok(false));
        assert_eq!(seeds(&store, kind(first)), [8; 2]);
    }
    store.clear();
    for kind in kinds {
        assert_eq!(store.insert(kind(first)), Ok(true));
        assert_eq!(seeds(&store, kind(first)), [7; 2]);
    }
}

#[test]
fn a_check_says_what_a_commit_comes_to() {
    let mut store: Store<1, 1, 4, 4> = Store::new();
    let [first, second] = [1, 2].map(|id| RolloutId::configuration(Uuid::from_u128(id)));
    let applied = Ok(Effect::Applied { before: None });
    let full = Err(StoreError::Full(StoreFull { capacity: 1 }));
    let unknown = Err(StoreError::Unknown);
    let undeclared =
        StoreChange::new(first, Change::UndeclareUser { user: "ada".parse().unwrap() });
    for (change, expected) in [
        (&StoreChange::new(first, Change::Declare(Summary::ZERO)), unknown),
        (&creation(first, Summary::ZERO), applied),
        (&creation(second, Summary::ZERO), full),
        (&StoreChange::new(second, declaration("ada")), unknown),
        (&undeclared, Ok(Effect::Unknown)),
        (&StoreChange::new(first, declaration("ada")), applied),
        (&undeclared, applied),
    ] {
        assert_eq!(store.check(change), expected, "{change:?}");
        assert_eq!(store.commit(change), expected, "{change:?}");
        assert!(store.get(second).is_none());
    }
    assert!(store.get(first).unwrap().is_created());
}

#[test]
fn a_script_is_not_created_past_the_limit_of_its_error() {
    let mut store: Store<0, 1, 4, 4> = Store::new();
    let id = RolloutId::script(Uuid::nil());
    let counts = |fail| {
        let counts = Counts::ZERO.with(RunState::ScriptError, Counts::MAX).unwrap();
        counts.with(RunState::Fail, fail).unwrap()
    };
    for of in [Counted::Devices, Counted::Users] {
        let summary = match of {
            Counted::Devices => Summary { devices: counts(1), ..Summary::ZERO },
            Counted::Users => Summary { users: counts(1), ..Summary::ZERO },
        };
        let counter = Counter { of, state: RunState::ScriptError };
        let refused = Err(StoreError::Refused(Refusal::Overflow(Overflow(counter))));
        assert_eq!(store.check(&creation(id, summary)), refused);
        assert_eq!(store.commit(&creation(id, summary)), refused);
        assert!(store.get(id).is_none());
    }
    let summary = Summary { devices: counts(0), users: counts(0), ..Summary::ZERO };
    assert!(store.commit(&creation(id, summary)).unwrap().is_applied());
    assert_eq!(store.get(id).unwrap().tally().summary(), &summary);
}

#[test]
fn creating_a_summary_once_is_remembered_through_every_change() {
    let mut store: Store<1, 0, 4, 4> = Store::new();
    let id = RolloutId::configuration(Uuid::nil());
    assert!(store.commit(&creation(id, Summary::ZERO)).unwrap().is_applied());
    assert!(store.commit(&StoreChange::new(id, declaration("ada"))).unwrap().is_applied());
    assert!(store.get(id).unwrap().is_created());
}

#[test]
fn only_the_names_of_a_declared_user_of_a_configuration_are_restored() {
    let mut store: Store<1, 1, 4, 4> = Store::new();
    let names = Names { email: None, name: Some("Ada".try_into().unwrap()) };
    let [ada, bob]: [Upn; 2] = ["ada", "bob"].map(|user| user.parse().unwrap());
    for id in [RolloutId::configuration(Uuid::nil()), RolloutId::script(Uuid::nil())] {
        assert!(!store.restore_names(id, &ada, &names), "an unknown roll-out");
        store.insert(id).unwrap();
        assert!(!store.restore_names(id, &ada, &names), "an unknown user");
        let at = "2026-11-21T09:30:00Z".parse().unwrap();
        let event =
            Event { device: Uuid::max(), user: Some(bob.clone()), state: RunState::Fail, at };
        assert!(store.tally_mut(id).unwrap().apply(&event).unwrap().is_applied());
        assert!(!store.restore_names(id, &bob, &names), "not declared");
        assert!(store.commit(&StoreChange::new(id, declaration("ada"))).unwrap().is_applied());
        let is_configuration = id.kind == Kind::Configuration;
        assert_eq!(store.restore_names(id, &ada, &names), is_configuration);
        assert_eq!(*store.get(id).unwrap().names(&ada) == names, is_configuration);
    }
}

/// Whatever becomes of the row of one who was declared, beside the store or through it.
#[test]
fn nobody_is_shown_with_the_names_of_another() {
    let id = RolloutId::configuration(Uuid::nil());
    let ada: Upn = "ada".parse().unwrap();
    let names = Names { email: None, name: Some("Ada".try_into().unwrap()) };
    for beside in [false, true] {
        let mut store: Store<1, 0, 4, 1> = Store::new();
        store.insert(id).unwrap();
        assert!(store.commit(&StoreChange::new(id, declaration("ada"))).unwrap().is_applied());
        assert!(store.restore_names(id, &ada, &names));
        let gone = Change::UndeclareUser { user: ada.clone() };
        let effect = if beside {
            store.tally_mut(id).unwrap().commit(&gone).unwrap()
        } else {
            store.commit(&StoreChange::new(id, gone)).unwrap()
        };
        assert!(effect.is_applied());
        // The only row there is.
        assert!(store.commit(&StoreChange::new(id, declaration("bob"))).unwrap().is_applied());
        let bob: Upn = "bob".parse().unwrap();
        assert_eq!(*store.get(id).unwrap().names(&bob), Names::NONE, "beside: {beside}");
    }
}

#[test]
fn roll_outs_are_as_many_as_said() {
    let mut store: Store<2, 2, 4, 4> = Store::new();
    for (known, id) in [1, 2].map(Uuid::from_u128).into_iter().enumerate() {
        assert_eq!(store.iter().len(), known * 2);
        store.insert(RolloutId::configuration(id)).unwrap();
        store.insert(RolloutId::script(id)).unwrap();
        let mut rollouts = store.iter();
        assert_eq!((rollouts.len(), rollouts.by_ref().count()), (known * 2 + 2, known * 2 + 2));
        assert_eq!(rollouts.len(), 0);
    }
}
