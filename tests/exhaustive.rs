//! Nothing sampled: every state a small tally can get into, and every operation in each.
//!
//! Two devices, two users, three date-times, two of which are one instant with two offsets. Counts
//! that no row stands for are unbounded, so the operations that make them are bounded, as each
//! scope says; within its bounds a scope is complete. `--nocapture` prints its size.

mod model;

use std::collections::HashSet;

use model::{Key, Model, Numbers, Recorded};
use runtally::strategies::Operation;
use runtally::{Counts, DateTime, Event, Of, RunState, Summary, Tally};

type Op = Operation<Key, Key>;
type Small<const D: usize = 2, const U: usize = 2> = Tally<Key, Key, D, U>;

const DEVICES: [Key; 2] = [1, 2];
const USERS: [Key; 2] = [1, 2];

fn instants() -> [DateTime; 3] {
    const START: i64 = 17_952_534_000_000_000;
    [(START, 0), (START, 60), (START + 1, -480)]
        .map(|(ticks, offset)| DateTime::from_ticks(ticks, offset).expect("in range"))
}

/// Every event over these states.
fn events(states: &[RunState]) -> Vec<Recorded> {
    let mut events = Vec::new();
    for device in DEVICES {
        for user in [None, Some(USERS[0]), Some(USERS[1])] {
            for at in instants() {
                events.extend(states.iter().map(|&state| Event { device, user, state, at }));
            }
        }
    }
    events
}

fn put_all(put: &mut impl FnMut(usize, usize), numbers: Numbers) {
    for count in numbers {
        put(usize::try_from(count).expect("never negative"), 3);
    }
}

/// The model in a number: two states of a scope are one if these are.
fn fingerprint(model: &Model) -> u128 {
    let instants = instants();
    let mut number = 0u128;
    let mut put = |value: usize, choices: usize| {
        assert!(value < choices, "{value} of {choices}");
        number = number * choices as u128 + value as u128;
    };
    let when = |at: DateTime| instants.iter().position(|&known| known == at).expect("one of three");
    for device in DEVICES {
        let row = model.devices.iter().find(|row| row.device == device);
        put(row.map_or(0, |row| 1 + when(row.at)), 4);
        put(row.map_or(0, |row| usize::from(row.state.number())), 6);
        put(row.and_then(|row| row.user).map_or(0, usize::from), 3);
    }
    for user in USERS {
        let note = model.notes.get(&user).copied().unwrap_or_default();
        put(usize::from(note.declared), 2);
        put(note.last_update.map_or(0, |at| 1 + when(at)), 4);
        put_all(&mut put, note.carried);
    }
    for numbers in [model.carried_devices, model.carried_users] {
        put_all(&mut put, numbers);
    }
    put(model.last_run.map_or(0, |at| 1 + when(at)), 4);
    number
}

/// The invariants, counted here from what the tally lists.
fn assert_invariants<const D: usize, const U: usize>(tally: &Small<D, U>, model: &Model) {
    assert_eq!(tally.audit(), Ok(()));
    let summary = tally.summary();
    assert_eq!(*summary, model.summary());
    let (mut devices, mut users) = (0, 0);
    for state in RunState::ALL {
        let live = tally.devices().filter(|event| event.state == state).count();
        assert_eq!(tally.live(Of::Devices)[state] as usize, live, "1");
        assert_eq!(summary.devices[state], tally.carried(Of::Devices)[state] + live as u32, "3");
        for user in tally.users() {
            let of_user = tally
                .devices()
                .filter(|event| event.user == Some(user.user) && event.state == state);
            assert_eq!(user.live[state] as usize, of_user.count(), "2");
            assert_eq!(user.reported()[state], user.carried[state] + user.live[state], "3");
        }
        let in_state = tally.users().filter(|user| user.state() == Some(state)).count();
        assert_eq!(summary.users[state], tally.carried(Of::Users)[state] + in_state as u32, "4");
        devices += live;
        users += in_state;
    }
    assert_eq!(devices, tally.devices().count());
    assert!(users <= tally.users().count());
    assert!(tally.devices().all(|event| Some(event.at) <= summary.last_run), "5");

    let expected = model.users();
    assert_eq!(tally.users().count(), expected.len());
    for row in tally.users() {
        let user = &expected[row.user];
        assert_eq!(
            (row.live, row.carried, row.reported(), row.state(), row.last_update, row.declared),
            (user.live, user.carried, user.reported, user.state, user.last_update, user.declared)
        );
        let devices = tally.user_devices(row.user).count();
        assert_eq!(devices as u64, row.live.total());
        assert!(devices > 0 || row.declared || row.carried != Counts::ZERO, "a row for nothing");
    }
    for recorded in model.devices() {
        assert_eq!(tally.device(&recorded.device).map(Event::cloned), Some(recorded));
    }
}

/// Every state that these operations lead to, breadth first, and every transition between them.
fn explore<const D: usize, const U: usize>(name: &str, operations: impl Fn(&Model) -> Vec<Op>) {
    let start = (Small::<D, U>::new(), Model::new(D, U));
    let mut seen = HashSet::from([fingerprint(&start.1)]);
    let mut frontier = vec![start];
    let (mut transitions, mut refusals) = (0u64, 0u64);
    while !frontier.is_empty() {
        let mut next = Vec::new();
        for (tally, model) in frontier {
            assert_invariants(&tally, &model);
            for operation in operations(&model) {
                transitions += 1;
                let (mut tally_after, mut model_after) = (tally.clone(), model.clone());
                let expected = model_after.run(&operation);
                if let Operation::Apply(event) = &operation {
                    assert_eq!(tally.check(event).err(), expected.err(), "check {event:?}");
                }
                assert_eq!(operation.run(&mut tally_after), expected, "{operation:?}\n{tally:?}");
                if expected.is_err() {
                    refusals += 1;
                    assert_eq!(tally_after, tally, "6: {operation:?}");
                    assert!(tally_after.devices_from(0).eq(tally.devices_from(0)), "6");
                    assert!(tally_after.users_from(0).eq(tally.users_from(0)), "6");
                }
                assert_eq!(*tally_after.summary(), model_after.summary(), "{operation:?}");
                if seen.insert(fingerprint(&model_after)) {
                    next.push((tally_after, model_after));
                }
            }
        }
        frontier = next;
    }
    println!(
        "{name}, room for {D} and {U}: {} states, {transitions} transitions, {refusals} refused",
        seen.len()
    );
}

/// Retires each device, as far as that leaves no counter above one.
fn retirements(model: &Model) -> Vec<Op> {
    let is_bounded = |device: &Key| {
        let row = model.devices.iter().find(|row| row.device == *device);
        row.is_none_or(|row| {
            let state = usize::from(row.state.number());
            let of_user = row.user.and_then(|user| model.notes.get(&user));
            model.carried_devices[state] == 0 && of_user.is_none_or(|note| note.carried[state] == 0)
        })
    };
    DEVICES.into_iter().filter(is_bounded).map(Operation::Retire).collect()
}

/// What is live, and in each of these states one less, the same or one more.
fn about(live: Counts, states: [RunState; 2]) -> Vec<Counts> {
    let with = |counts: Counts, state: RunState, more: u32| {
        (counts[state] + more).checked_sub(1).and_then(|count| counts.with(state, count).ok())
    };
    let mut all = Vec::new();
    for first in 0..3 {
        for second in 0..3 {
            let counts = with(live, states[0], first);
            all.extend(counts.and_then(|counts| with(counts, states[1], second)));
        }
    }
    all
}

#[test]
fn all_events_and_removals() {
    let events = events(&RunState::ALL);
    let operations = |_: &Model| {
        let applied = events.iter().copied().map(Operation::Apply);
        applied.chain(DEVICES.map(Operation::Remove)).collect()
    };
    let name = "events and removals, six run states";
    explore::<2, 2>(name, operations);
    explore::<2, 1>(name, operations);
    explore::<1, 2>(name, operations);
    explore::<1, 1>(name, operations);
}

#[test]
fn all_declarations_of_the_summary() {
    let states = [RunState::Success, RunState::Fail];
    let events = events(&states);
    explore::<2, 2>("declared summaries, two run states, at most one carried each", |model| {
        let mut operations: Vec<Op> = events.iter().copied().map(Operation::Apply).collect();
        operations.extend(DEVICES.map(Operation::Remove));
        let Summary { devices, users, .. } = model.summary();
        let of_devices = about(live(model, Of::Devices), states).into_iter();
        let of_users = about(live(model, Of::Users), states).into_iter();
        let declared = of_devices.map(|devices| (devices, users));
        let declared = declared.chain(of_users.map(|users| (devices, users)));
        for (devices, users) in declared {
            for last_run in [None].into_iter().chain(instants().map(Some)) {
                operations.push(Operation::Declare(Summary { devices, users, last_run }));
            }
        }
        operations
    });
}

#[test]
fn all_declarations_of_users() {
    let states = [RunState::Success, RunState::Fail];
    let events = events(&states);
    let updates = [None, Some(instants()[1])];
    explore::<2, 2>("declared users, two run states, at most one carried each", |model| {
        let mut operations: Vec<Op> = events.iter().copied().map(Operation::Apply).collect();
        operations.extend(DEVICES.map(Operation::Remove));
        operations.extend(USERS.map(Operation::UndeclareUser));
        let known = model.users();
        for user in USERS {
            let live = known.get(&user).map_or(Counts::ZERO, |user| user.live);
            for devices in about(live, states) {
                for last_update in updates {
                    operations.push(Operation::DeclareUser { user, devices, last_update });
                }
            }
        }
        operations
    });
}

#[test]
fn all_retirements() {
    let states = [RunState::Success, RunState::Fail];
    let events = events(&states);
    explore::<2, 2>("retired devices, two run states, at most one carried each", |model| {
        let mut operations: Vec<Op> = events.iter().copied().map(Operation::Apply).collect();
        operations.extend(DEVICES.map(Operation::Remove));
        operations.extend(retirements(model));
        // Which makes what is carried live on under a declaration, or go.
        let reported = model.users().get(&USERS[0]).map_or(Counts::ZERO, |user| user.reported);
        operations.push(Operation::DeclareUser {
            user: USERS[0],
            devices: reported,
            last_update: model.last_run,
        });
        operations.push(Operation::UndeclareUser(USERS[0]));
        operations
    });
}

fn live(model: &Model, of: Of) -> Counts {
    let reported = match of {
        Of::Devices => model.summary().devices,
        Of::Users => model.summary().users,
    };
    reported.checked_sub(&model.carried(of)).expect("carried is a part of it")
}

/// Every set of at most five of 24 events, in every order: one tally for each set.
#[test]
fn all_orders_of_all_sets_of_five_events() {
    let [first, _, last] = instants();
    let mut events = events(&[RunState::Success, RunState::Fail]);
    events.retain(|event| event.at == first || event.at == last);
    assert_eq!(events.len(), 24);

    let (mut sets, mut orders) = (0u64, 0u64);
    let mut chosen = Vec::new();
    choose(&events, &mut chosen, &mut |set| {
        let mut expected = Small::new();
        for event in set {
            let _ = expected.apply(event).expect("room for all");
        }
        permute(&Small::new(), set, 0, &mut |tally| {
            assert_eq!(tally, &expected, "7: {set:?}");
            orders += 1;
        });
        // And once more what was applied already: nothing changes.
        let mut again = expected.clone();
        for event in set {
            let _ = again.apply(event).expect("room for all");
        }
        assert_eq!(again, expected, "7: {set:?}");
        sets += 1;
    });
    println!("permutations: {sets} sets of events, {orders} orders");
}

/// Calls `visit` with every set of at most five of these events.
fn choose(events: &[Recorded], chosen: &mut Vec<Recorded>, visit: &mut impl FnMut(&[Recorded])) {
    visit(chosen);
    if chosen.len() < 5 {
        for (at, event) in events.iter().enumerate() {
            chosen.push(*event);
            choose(&events[at + 1..], chosen, visit);
            chosen.pop();
        }
    }
}

/// Calls `visit` with the tally of every order of the events not used yet.
fn permute(tally: &Small, events: &[Recorded], used: u8, visit: &mut impl FnMut(&Small)) {
    if usize::try_from(used.count_ones()) == Ok(events.len()) {
        visit(tally);
    }
    for (at, event) in events.iter().enumerate().filter(|(at, _)| used & 1 << at == 0) {
        let mut next = tally.clone();
        let _ = next.apply(event).expect("room for all");
        permute(&next, events, used | 1 << at, visit);
    }
}
