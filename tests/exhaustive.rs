//! Nothing sampled: every state a small tally can get into, and every change in each.
//!
//! Two devices, two users, three date-times, two of which are one instant with two offsets. Counts
//! that no row stands for are unbounded, so the changes that make them are bounded, as each scope
//! says; within its bounds a scope is complete. `--nocapture` prints its size.

mod model;

use std::collections::HashSet;
use std::time::Duration;

use model::{Gone, Key, Model, Numbers, Recorded};
use runtally::{Change, Counted, Counts, DateTime, Effect, Entry, Event, RunState, Summary, Tally};

type Ch = Change<Key, Key>;
type Small<const D: usize = 2, const U: usize = 2> = Tally<Key, Key, D, U>;

const DEVICES: [Key; 2] = [1, 2];
const USERS: [Key; 2] = [1, 2];

/// The first two are one instant.
fn instants() -> [DateTime; 3] {
    const START: i64 = 17_952_534_000_000_000;
    [(START, 0), (START, 60), (START + 1, -480)]
        .map(|(ticks, offset)| DateTime::from_ticks(ticks, offset).expect("in range"))
}

/// Every event over these states and date-times.
fn events(states: &[RunState], instants: &[DateTime]) -> Vec<Recorded> {
    let mut events = Vec::new();
    for device in DEVICES {
        for user in [None, Some(USERS[0]), Some(USERS[1])] {
            for &at in instants {
                events.extend(states.iter().map(|&state| Event { device, user, state, at }));
            }
        }
    }
    events
}

/// Every removal at these date-times.
fn removals(instants: &[DateTime]) -> Vec<Ch> {
    let removals = |device| instants.iter().map(move |&at| Change::Remove { device, at });
    DEVICES.into_iter().flat_map(removals).collect()
}

fn put_all(put: &mut impl FnMut(usize, usize), numbers: Numbers) {
    for count in numbers {
        put(usize::try_from(count).expect("never negative"), 3);
    }
}

/// The model in a number: two states of a scope are one if these are.
fn fingerprint(model: &Model) -> u128 {
    let mut number = 0u128;
    let mut put = |value: usize, choices: usize| {
        assert!(value < choices, "{value} of {choices}");
        number = number
            .checked_mul(choices as u128)
            .and_then(|number| number.checked_add(value as u128))
            .expect("fits");
    };
    // In UTC there are the two instants, and 0 for none.
    let instants = instants();
    let when = |at: DateTime| {
        let known = instants.iter().position(|&known| known == at);
        known.or((at.ticks() == instants[2].ticks()).then_some(3)).expect("one of four")
    };
    for device in DEVICES {
        let row = model.devices.iter().find(|row| row.device == device);
        let gone = model.gone.iter().position(|gone| gone.device() == device);
        let gone = gone.map(|at| (at, model.gone[at]));
        let (kind, event, counted, place) = match (row, gone) {
            (Some(event), _) => (1, Some(*event), None, 0),
            (_, Some((place, Gone::Retired { event, counted }))) => {
                (2, Some(event), Some(counted), place)
            }
            (_, Some((place, Gone::Removed { at, .. }))) => {
                let state = RunState::Unknown;
                (3, Some(Event { device, user: None, state, at }), None, place)
            }
            _ => (0, None, None, 0),
        };
        put(kind, 4);
        put(place, 2);
        put(event.map_or(0, |event| when(event.at)), 4);
        put(event.map_or(0, |event| model::number(event.state)), 6);
        put(event.and_then(|event| event.user).map_or(0, usize::from), 3);
        put(counted.map_or(0, model::number), 6);
    }
    for user in USERS {
        let note = model.notes.get(&user).copied().unwrap_or_default();
        put(usize::from(note.declared), 2);
        put(note.last_update.map_or(0, |at| 1 + when(at)), 5);
        put_all(&mut put, note.carried);
    }
    for numbers in [model.carried_devices, model.carried_users] {
        put_all(&mut put, numbers);
    }
    put(model.last_run.map_or(0, |at| 1 + when(at)), 5);
    put(model.run_from.map_or(0, |at| 1 + when(at)), 5);
    number
}

/// The invariants, counted here from what the tally lists.
fn assert_invariants<const D: usize, const U: usize>(tally: &Small<D, U>, model: &Model) {
    assert_eq!(tally.audit(), Ok(()));
    let summary = tally.summary();
    assert_eq!(*summary, model.summary());
    assert_eq!(tally.run_from(), model.run_from);
    let (mut devices, mut users) = (0, 0);
    for state in RunState::ALL {
        let live = tally.devices().filter(|event| tally.counted(event) == state).count();
        assert_eq!(tally.live(Counted::Devices)[state] as usize, live, "1");
        let carried = tally.carried(Counted::Devices)[state];
        assert_eq!(summary.devices[state], carried + live as u32, "3");
        for user in tally.users() {
            let of_user = tally
                .devices()
                .filter(|event| event.user == Some(user.user) && tally.counted(event) == state);
            assert_eq!(user.live[state] as usize, of_user.count(), "2");
            assert_eq!(user.reported()[state], user.carried[state] + user.live[state], "3");
        }
        let in_state = tally.users().filter(|user| user.state() == Some(state)).count();
        let carried = tally.carried(Counted::Users)[state];
        assert_eq!(summary.users[state], carried + in_state as u32, "4");
        devices += live;
        users += in_state;
    }
    assert_eq!(devices, tally.device_count());
    assert!(users <= tally.user_count());
    let last_run = summary.last_run.map(DateTime::ticks);
    assert!(tally.devices().all(|event| Some(event.at.ticks()) <= last_run), "5");

    let expected = model.users();
    assert_eq!(tally.user_count(), expected.len());
    for row in tally.users() {
        let user = &expected[row.user];
        assert_eq!(
            (row.live, row.carried, row.reported(), row.state(), row.last_update, row.declared),
            (user.live, user.carried, user.reported, user.state, user.last_update, user.declared)
        );
        assert_eq!(tally.user_state(row.user), user.state);
        let devices = tally.user_devices(row.user).count();
        assert_eq!(devices as u64, row.live.total());
        assert!(devices > 0 || row.declared || row.carried != Counts::ZERO, "a row for nothing");
    }
    for recorded in model.devices() {
        assert_eq!(tally.device(&recorded.device).map(Event::cloned), Some(recorded));
        assert_eq!(tally.counted(&recorded), model.counted(&recorded));
    }
    assert!(tally.tombstones().map(Entry::cloned).eq(model.tombstones()));
    for now in instants() {
        for limit in [0, 100].map(Duration::from_nanos) {
            assert_eq!(tally.overdue(now, limit), model.overdue(now, limit));
            for state in [RunState::Fail, RunState::NotApplicable] {
                let expected = model.summary_at(now, limit, state);
                assert_eq!(tally.summary_at(now, limit, state), expected);
            }
        }
    }
}

/// Every state that these changes lead to, breadth first, and every transition between them.
fn explore<const D: usize, const U: usize>(
    name: &str,
    changes: impl Fn(&Model) -> Vec<Ch>,
) -> Vec<(Small<D, U>, Model)> {
    let start = (Small::<D, U>::new(), Model::new(D, U));
    let mut seen = HashSet::from([fingerprint(&start.1)]);
    let mut all = vec![start.clone()];
    let mut frontier = vec![start];
    let (mut transitions, mut refusals) = (0u64, 0u64);
    while !frontier.is_empty() {
        let mut next = Vec::new();
        for (tally, model) in frontier {
            assert_invariants(&tally, &model);
            assert_restorable(&tally);
            for change in changes(&model) {
                transitions += 1;
                let (mut tally_after, mut model_after) = (tally.clone(), model.clone());
                let expected = model_after.commit(&change);
                assert_eq!(tally.check(&change), expected, "{change:?}\n{tally:?}");
                let restored = restored(&tally, &change);
                assert_eq!(tally_after.commit(&change), expected, "{change:?}\n{tally:?}");
                assert_eq!(tally_after, restored, "{change:?}\n{tally:?}");
                if !matches!(expected, Ok(Effect::Applied { .. })) {
                    refusals += u64::from(expected.is_err());
                    let is_run = matches!((&change, &expected), (Change::Event(_), Ok(_)));
                    assert!(is_run || tally_after == tally, "6: {change:?}");
                    assert!(tally_after.devices_from(0).eq(tally.devices_from(0)), "6");
                    assert!(tally_after.users_from(0).eq(tally.users_from(0)), "6");
                    assert!(tally_after.tombstones().eq(tally.tombstones()), "6");
                }
                assert_eq!(*tally_after.summary(), model_after.summary(), "{change:?}\n{tally:?}");
                if seen.insert(fingerprint(&model_after)) {
                    next.push((tally_after, model_after));
                }
            }
        }
        all.extend(next.iter().cloned());
        frontier = next;
    }
    println!(
        "{name}, room for {D} and {U}: {} states, {transitions} transitions, {refusals} refused",
        seen.len()
    );
    all
}

/// Its entries make the same tally, with as much room and with more.
fn assert_restorable<const D: usize, const U: usize>(tally: &Small<D, U>) {
    let (mut same, mut larger) = (Small::<D, U>::new(), Small::<5, 3>::new());
    for entry in tally.entries() {
        same.restore(&entry.cloned()).expect("as much room");
        larger.restore(&entry.cloned()).expect("more room");
    }
    assert_eq!(&same, tally);
    assert!(same.tombstones().eq(tally.tombstones()));
    assert!(
        larger
            .entries()
            .filter(|it| !matches!(it, Entry::Totals(_)))
            .all(|it| { tally.entries().any(|entry| entry == it) })
    );
    assert_eq!(larger.summary(), tally.summary());
    assert_eq!(larger.entries().count(), tally.entries().count());
}

/// The tally after the change, restored from the entries that the change leaves.
fn restored<const D: usize, const U: usize>(tally: &Small<D, U>, change: &Ch) -> Small<D, U> {
    let mut restored = tally.clone();
    if let Ok((_, entries)) = tally.entries_after(change) {
        for entry in entries {
            restored.restore(&entry.cloned()).expect("a change that was made");
        }
    }
    restored
}

/// Retires each device, as far as that leaves no counter above one.
fn retirements(model: &Model) -> Vec<Ch> {
    let is_bounded = |device: &Key| {
        let row = model.devices.iter().find(|row| row.device == *device);
        row.is_none_or(|row| {
            let state = model::number(model.counted(row));
            let of_user = row.user.and_then(|user| model.notes.get(&user));
            model.carried_devices[state] == 0 && of_user.is_none_or(|note| note.carried[state] == 0)
        })
    };
    DEVICES.into_iter().filter(is_bounded).map(|device| Change::Retire { device }).collect()
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
    let mut changes: Vec<Ch> =
        events(&RunState::ALL, &instants()).into_iter().map(Change::Event).collect();
    changes.extend(removals(&instants()));
    let name = "events and removals, six run states";
    explore::<2, 2>(name, |_| changes.clone());
    explore::<2, 1>(name, |_| changes.clone());
    explore::<1, 2>(name, |_| changes.clone());
    explore::<1, 1>(name, |_| changes.clone());
}

#[test]
fn all_ways_to_begin_anew() {
    let states = [RunState::Success, RunState::Fail, RunState::Pending];
    let mut changes: Vec<Ch> =
        events(&states, &instants()).into_iter().map(Change::Event).collect();
    changes.extend(removals(&instants()[1..]));
    changes.extend(instants().map(Change::RunFrom));
    let name = "events, removals and run-from, three run states";
    explore::<2, 2>(name, |_| changes.clone());
    explore::<1, 1>(name, |_| changes.clone());
}

#[test]
fn all_declarations_of_the_summary() {
    let states = [RunState::Success, RunState::Fail];
    let events = events(&states, &instants()[1..]);
    let name = "declared summaries, two run states, at most one carried each";
    explore::<2, 2>(name, |model| {
        let mut changes: Vec<Ch> = events.iter().copied().map(Change::Event).collect();
        changes.extend(removals(&instants()[1..]));
        let Summary { devices, users, .. } = model.summary();
        let of_devices = about(live(model, Counted::Devices), states).into_iter();
        let of_users = about(live(model, Counted::Users), states).into_iter();
        let declared = of_devices.map(|devices| (devices, users));
        let declared = declared.chain(of_users.map(|users| (devices, users)));
        for (devices, users) in declared {
            for last_run in [None].into_iter().chain(instants().map(Some)) {
                changes.push(Change::Declare(Summary { devices, users, last_run }));
            }
        }
        changes
    });
}

#[test]
fn all_declarations_of_users() {
    let states = [RunState::Success, RunState::Fail];
    let events = events(&states, &instants());
    let updates = [None, Some(instants()[0])];
    let name = "declared users, two run states, at most one carried each";
    explore::<2, 2>(name, |model| {
        let mut changes: Vec<Ch> = events.iter().copied().map(Change::Event).collect();
        changes.extend(removals(&instants()[1..]));
        changes.extend(USERS.map(|user| Change::UndeclareUser { user }));
        let known = model.users();
        for user in USERS {
            let live = known.get(&user).map_or(Counts::ZERO, |user| user.live);
            for devices in about(live, states) {
                for last_update in updates {
                    changes.push(Change::DeclareUser { user, devices, last_update });
                }
            }
        }
        changes
    });
}

#[test]
fn all_retirements() {
    let states = [RunState::Success, RunState::Fail];
    let events = events(&states, &instants());
    let name = "retired devices, two run states, at most one carried each";
    let changes = |model: &Model| {
        let mut changes: Vec<Ch> = events.iter().copied().map(Change::Event).collect();
        changes.extend(removals(&instants()[1..]));
        changes.extend(retirements(model));
        // Which makes what is carried live on under a declaration, or go.
        let reported = model.users().get(&USERS[0]).map_or(Counts::ZERO, |user| user.reported);
        changes.push(Change::DeclareUser {
            user: USERS[0],
            devices: reported,
            last_update: model.last_run,
        });
        changes.push(Change::UndeclareUser { user: USERS[0] });
        changes
    };
    explore::<2, 2>(name, changes);
    explore::<1, 1>(name, changes);
}

#[test]
fn all_retirements_of_a_roll_out_that_begins_anew() {
    let states = [RunState::Success, RunState::Fail];
    let mut events = events(&states, &instants());
    events.retain(|event| event.user != Some(USERS[1]));
    explore::<2, 2>("retired devices and run-from, one user, at most one carried each", |model| {
        let mut changes: Vec<Ch> = events.iter().copied().map(Change::Event).collect();
        changes.extend(removals(&instants()[1..]));
        changes.extend(retirements(model));
        changes.extend([instants()[0], instants()[2]].map(Change::RunFrom));
        changes.push(Change::UndeclareUser { user: USERS[0] });
        // Declared away.
        let devices = live(model, Counted::Devices);
        changes.push(Change::Declare(Summary { devices, ..model.summary() }));
        changes
    });
}

/// Every two tallies of a scope, either absorbed by the other.
#[test]
fn all_pairs_of_tallies_absorb_each_other() {
    let [_, elsewhere, last] = instants();
    let mut events = events(&[RunState::Success, RunState::Fail], &[elsewhere, last]);
    events.retain(|event| event.user != Some(USERS[1]));
    let mut changes: Vec<Ch> = events.into_iter().map(Change::Event).collect();
    changes.extend(removals(&[elsewhere, last]));
    changes.push(Change::RunFrom(last));
    let name = "events, removals and run-from, two run states, one user";
    let all = explore::<2, 1>(name, |_| changes.clone());
    let mut pairs = 0u64;
    for (number, (one, one_model)) in all.iter().enumerate() {
        for (other, other_model) in &all[number..] {
            let (mut there, mut back) = (one.clone(), other.clone());
            there.absorb(other).expect("room for all");
            back.absorb(one).expect("room for all");
            assert_eq!(there, back, "{one:?}\n{other:?}");
            let mut both = one_model.clone();
            both.absorb(other_model).expect("room for all");
            assert_eq!(*there.summary(), both.summary());
            assert_eq!(there.run_from(), both.run_from);
            for device in DEVICES {
                let expected = both.devices.iter().find(|event| event.device == device);
                assert_eq!(there.device(&device).map(Event::cloned), expected.copied());
                let expected = both.tombstones().into_iter().find(
                    |entry| matches!(entry, Entry::Removed { device: gone, .. } if *gone == device),
                );
                assert_eq!(there.tombstone(&device).map(Entry::cloned), expected);
            }
            assert_eq!(there.audit(), Ok(()));
            let twice = there.clone();
            there.absorb(other).expect("room for all");
            assert_eq!(there, twice);
            pairs += 1;
        }
    }
    println!("absorbed: {pairs} pairs of {} tallies", all.len());
}

fn live(model: &Model, of: Counted) -> Counts {
    let reported = match of {
        Counted::Devices => model.summary().devices,
        Counted::Users => model.summary().users,
    };
    reported.checked_sub(&model.carried(of)).expect("carried is a part of it")
}

/// Every set of at most five of 24 events, in every order: one tally for each set.
#[test]
fn all_orders_of_all_sets_of_five_events() {
    let [first, _, last] = instants();
    let events = events(&[RunState::Success, RunState::Fail], &[first, last]);
    assert_eq!(events.len(), 24);
    all_orders("events", &events.into_iter().map(Change::Event).collect::<Vec<_>>(), 5);
}

/// The same of events, removals and instants to run from, in two zones.
#[test]
fn all_orders_of_all_sets_of_four_events_and_removals() {
    let [first, elsewhere, last] = instants();
    let mut changes: Vec<Ch> = events(&[RunState::Success, RunState::Pending], &[elsewhere, last])
        .into_iter()
        .map(Change::Event)
        .collect();
    changes.extend(removals(&[first, elsewhere, last]));
    changes.extend([elsewhere, last].map(Change::RunFrom));
    assert_eq!(changes.len(), 32);
    all_orders("events, removals and run-from", &changes, 4);
}

fn all_orders(name: &str, changes: &[Ch], most: usize) {
    let (mut sets, mut orders) = (0u64, 0u64);
    let mut chosen = Vec::new();
    choose(changes, most, &mut chosen, &mut |set| {
        let mut expected = Small::new();
        for change in set {
            let _ = expected.commit(change).expect("room for all");
        }
        permute(&Small::new(), set, 0, &mut |tally| {
            assert_eq!(tally, &expected, "7: {set:?}");
            orders += 1;
        });
        // And once more what was committed already: nothing changes.
        let mut again = expected.clone();
        for change in set {
            let _ = again.commit(change).expect("room for all");
        }
        assert_eq!(again, expected, "7: {set:?}");
        sets += 1;
    });
    println!("permutations of {name}: {sets} sets, {orders} orders");
}

/// Calls `visit` with every set of at most `most` of these changes.
fn choose(changes: &[Ch], most: usize, chosen: &mut Vec<Ch>, visit: &mut impl FnMut(&[Ch])) {
    visit(chosen);
    if chosen.len() < most {
        for (at, change) in changes.iter().enumerate() {
            chosen.push(*change);
            choose(&changes[at + 1..], most, chosen, visit);
            chosen.pop();
        }
    }
}

/// Calls `visit` with the tally of every order of the changes not used yet.
fn permute(tally: &Small, changes: &[Ch], used: u8, visit: &mut impl FnMut(&Small)) {
    if usize::try_from(used.count_ones()) == Ok(changes.len()) {
        visit(tally);
    }
    for (at, change) in changes.iter().enumerate().filter(|(at, _)| used & 1 << at == 0) {
        let mut next = tally.clone();
        let _ = next.commit(change).expect("room for all");
        permute(&next, changes, used | 1 << at, visit);
    }
}
