//! The tally against its rules: random operations against a model that recounts everything.

#![expect(unused_must_use, reason = "what an event came to is seen in the tally")]

mod model;

use std::collections::BTreeMap;

use model::{Key, Model, Recorded, User};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use runtally::strategies::{Effect, Operation, date_times, events, operations, summaries};
use runtally::{
    Counter, Counts, DateTime, Event, Of, Outcome, Overflow, RowId, RunState, Summary, Tally,
};

type Op = Operation<Key, Key>;

/// More devices and users than there is room for.
fn script(length: usize) -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(operations(0..8u16, 0..4u16), 0..length)
}

/// Operations that do declare: totals a little above what is counted at the time.
#[derive(Clone, Debug)]
enum Step {
    Do(Op),
    /// Declares the summary as it stands, plus these counts, this much later.
    DeclareOnTop(Counts, Counts, i64),
    /// The same for a user.
    DeclareUserOnTop(Key, Counts, i64),
}

fn steps(length: usize) -> impl Strategy<Value = Vec<Step>> {
    let more = || {
        let number = prop_oneof![4 => Just(0u32), 2 => 1..4u32, 1 => Just(Counts::MAX)];
        prop::collection::vec(number, 6)
            .prop_map(|numbers| RunState::ALL.into_iter().zip(numbers))
            .prop_map(|numbers| {
                numbers.fold(Counts::ZERO, |counts, (state, number)| {
                    counts.with(state, number).expect("in range")
                })
            })
    };
    let later = || prop_oneof![Just(0), Just(1), Just(-1)];
    let step = prop_oneof![
        6 => operations(0..8u16, 0..4u16).prop_map(Step::Do),
        1 => (more(), more(), later()).prop_map(|(a, b, c)| Step::DeclareOnTop(a, b, c)),
        1 => (0..4u16, more(), later()).prop_map(|(a, b, c)| Step::DeclareUserOnTop(a, b, c)),
    ];
    prop::collection::vec(step, 0..length)
}

impl Step {
    fn on(&self, model: &Model) -> Op {
        let top = |counts: &Counts, more: &Counts| {
            RunState::ALL.into_iter().fold(*counts, |counts, state| {
                let count = counts[state].saturating_add(more[state]).min(Counts::MAX);
                counts.with(state, count).expect("in range")
            })
        };
        let shifted = |at: DateTime, ticks: i64| {
            DateTime::from_ticks(at.ticks() + ticks, at.offset()).unwrap_or(at)
        };
        match self {
            Self::Do(operation) => *operation,
            Self::DeclareOnTop(devices, users, later) => {
                let now = model.summary();
                Operation::Declare(Summary {
                    devices: top(&now.devices, devices),
                    users: top(&now.users, users),
                    last_run: now.last_run.map(|at| shifted(at, *later)),
                })
            }
            Self::DeclareUserOnTop(user, more, later) => {
                let known = model.users().get(user).copied();
                Operation::DeclareUser {
                    user: *user,
                    devices: top(&known.map_or(Counts::ZERO, |user| user.live), more),
                    last_update: known
                        .and_then(|user| user.last_update)
                        .map(|at| shifted(at, *later)),
                }
            }
        }
    }
}

/// Everything that can be read of a tally, row numbers included: the bits that show.
fn everything<const D: usize, const U: usize>(tally: &Tally<Key, Key, D, U>) -> String {
    let devices: Vec<_> = tally.devices_from(0).collect();
    let users: Vec<_> = tally.users_from(0).collect();
    format!("{tally:?} {devices:?} {users:?}")
}

fn same<const D: usize, const U: usize>(
    tally: &Tally<Key, Key, D, U>,
    model: &Model,
) -> TestCaseResult {
    prop_assert_eq!(tally.audit(), Ok(()));
    prop_assert_eq!(*tally.summary(), model.summary());
    for of in [Of::Devices, Of::Users] {
        prop_assert_eq!(tally.carried(of), model.carried(of));
        let reported = match of {
            Of::Devices => tally.summary().devices,
            Of::Users => tally.summary().users,
        };
        prop_assert_eq!(tally.live(of).checked_add(&tally.carried(of)), Ok(reported));
    }

    let mut devices: Vec<Recorded> = tally.devices().map(Event::cloned).collect();
    devices.sort_by_key(|event| event.device);
    prop_assert_eq!(&devices, &model.devices());
    for device in 0..9 {
        let recorded = devices.iter().find(|event| event.device == device);
        prop_assert_eq!(tally.device(&device).map(Event::cloned), recorded.copied());
        prop_assert_eq!(tally.find(&device).is_some(), recorded.is_some());
    }

    let read = |user: runtally::UserRow<'_, Key>| User {
        live: user.live,
        carried: user.carried,
        reported: user.reported(),
        state: user.state(),
        last_update: user.last_update,
        declared: user.declared,
    };
    let users: BTreeMap<Key, User> = tally.users().map(|user| (*user.user, read(user))).collect();
    prop_assert_eq!(&users, &model.users());
    for user in 0..5 {
        prop_assert_eq!(tally.user(&user).map(read), users.get(&user).copied());
        let row = tally.find_user(&user);
        prop_assert_eq!(row.is_some(), users.contains_key(&user));
        let at_row = row.and_then(|row| tally.users_from(row.number()).next());
        prop_assert_eq!(at_row.map(|(_, at_row)| *at_row.user), row.map(|_| user));
        let mut of_user: Vec<Recorded> = tally.user_devices(&user).map(Event::cloned).collect();
        of_user.sort_by_key(|event| event.device);
        let expected: Vec<Recorded> =
            devices.iter().filter(|event| event.user == Some(user)).copied().collect();
        prop_assert_eq!(of_user, expected);
    }
    Ok(())
}

/// One operation on both: the same verdict, and an error or an old event changes nothing.
fn step<const D: usize, const U: usize>(
    tally: &mut Tally<Key, Key, D, U>,
    model: &mut Model,
    operation: &Op,
) -> TestCaseResult {
    let before = tally.clone();
    let expected = model.run(operation);
    if let Operation::Apply(event) = operation {
        let verdict = expected.map(|effect| match effect {
            Effect::Applied(outcome) => outcome,
            effect => unreachable!("{effect:?}"),
        });
        prop_assert_eq!(tally.check(event), verdict);
        prop_assert_eq!(everything(tally), everything(&before));
        for number in 0..=D as u16 {
            let row = RowId::from_number(number).expect("a row");
            let mut other = tally.clone();
            prop_assert_eq!(other.apply_at(row, event), verdict);
            let mut plain = tally.clone();
            prop_assert_eq!(plain.apply(event), verdict);
            prop_assert_eq!(everything(&other), everything(&plain));
        }
    }
    prop_assert_eq!(operation.run(tally), expected);
    let nothing = matches!(
        expected,
        Err(_)
            | Ok(Effect::Applied(Outcome::Duplicate | Outcome::Stale)
                | Effect::Removed(None)
                | Effect::Retired(None)
                | Effect::Undeclared(false))
    );
    if nothing {
        prop_assert_eq!(&*tally, &before);
        prop_assert_eq!(everything(tally), everything(&before));
    }
    // A device keeps its row for as long as it is known.
    for device in before.devices().map(|event| *event.device) {
        if let Some(row) = tally.find(&device) {
            prop_assert_eq!(before.find(&device), Some(row));
        }
    }
    same(tally, model)
}

fn against_the_model<const D: usize, const U: usize>(steps: &[Step]) -> TestCaseResult {
    let mut tally: Tally<Key, Key, D, U> = Tally::new();
    let mut model = Model::new(D, U);
    for next in steps {
        let operation = next.on(&model);
        step(&mut tally, &mut model, &operation)?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_tally_does_what_the_model_does(steps in steps(48)) {
        against_the_model::<5, 3>(&steps)?;
    }

    #[test]
    fn a_tally_with_room_for_one_does_what_the_model_does(steps in steps(24)) {
        against_the_model::<1, 1>(&steps)?;
    }

    #[test]
    fn a_tally_with_room_for_all_does_what_the_model_does(steps in steps(48)) {
        against_the_model::<8, 4>(&steps)?;
    }

    #[test]
    fn permutations_and_repetitions_of_events_give_the_same_tally(
        (events, shuffled) in prop::collection::vec(events(0..6u16, 0..4u16), 1..40)
            .prop_flat_map(|events| {
                let twice: Vec<_> = events.iter().chain(&events).copied().collect();
                (Just(events), Just(twice).prop_shuffle())
            }),
    ) {
        let mut tally: Tally<Key, Key, 6, 4> = Tally::new();
        let mut other = tally.clone();
        for event in &events {
            prop_assert!(tally.apply(event).is_ok());
        }
        for event in &shuffled {
            prop_assert!(other.apply(event).is_ok());
        }
        prop_assert_eq!(&tally, &other);
        prop_assert_eq!(tally.summary(), other.summary());
        prop_assert_eq!(other.audit(), Ok(()));
    }

    #[test]
    fn a_cleared_tally_is_as_good_as_new(
        before in script(24), after in script(24), seed: u64,
    ) {
        let mut cleared: Tally<Key, Key, 3, 2> = Tally::new();
        let mut new = cleared.clone();
        cleared.reseed(seed);
        for op in &before {
            let _ = op.run(&mut cleared);
        }
        cleared.clear();
        prop_assert_eq!(everything(&cleared), everything(&new));
        for op in &after {
            prop_assert_eq!(op.run(&mut cleared), op.run(&mut new));
            prop_assert_eq!(everything(&cleared), everything(&new));
            prop_assert_eq!(cleared.audit(), Ok(()));
        }
    }

    #[test]
    fn a_seed_changes_nothing_that_shows(
        before in script(24), seed: u64, after in script(24),
    ) {
        let mut tally: Tally<Key, Key, 6, 3> = Tally::new();
        for operation in &before {
            let _ = operation.run(&mut tally);
        }
        let mut reseeded = tally.clone();
        reseeded.reseed(seed);
        prop_assert_eq!(everything(&reseeded), everything(&tally));
        prop_assert_eq!(reseeded.audit(), Ok(()));
        prop_assert_eq!(&reseeded, &tally);
        for operation in &after {
            prop_assert_eq!(operation.run(&mut reseeded), operation.run(&mut tally));
            prop_assert_eq!(everything(&reseeded), everything(&tally));
        }
    }

    #[test]
    fn shards_partitioned_by_user_add_up_to_one_tally(
        events in prop::collection::vec(events(0..8u16, 0..4u16), 0..40),
    ) {
        // A device that changes hands would change shards; so each keeps its user here.
        let owned = events.into_iter().map(|event| {
            let user = (event.device >= 3).then_some(event.device % 4);
            Event { user, ..event }
        });
        let mut whole: Tally<Key, Key, 8, 4> = Tally::new();
        let mut shards: [Tally<Key, Key, 8, 4>; 3] = [Tally::new(), Tally::new(), Tally::new()];
        for event in owned {
            let shard = event.user.unwrap_or(event.device) % 3;
            prop_assert_eq!(shards[usize::from(shard)].apply(&event), whole.apply(&event));
        }
        let merged = shards
            .iter()
            .try_fold(Summary::ZERO, |sum, shard| sum.merge(shard.summary()))
            .expect("far from the limit");
        prop_assert_eq!(&merged, whole.summary());
    }

    #[test]
    fn merging_is_checked_addition(a in summaries(), b in summaries()) {
        let sum = |of, x: &Counts, y: &Counts| {
            let over = |state: &RunState| {
                u64::from(x[*state]) + u64::from(y[*state]) > 2_147_483_647
            };
            RunState::ALL.into_iter().find(over).map(|state| Overflow(Counter { of, state }))
        };
        let overflow = sum(Of::Devices, &a.devices, &b.devices)
            .or(sum(Of::Users, &a.users, &b.users));
        match (a.merge(&b), overflow) {
            (Err(error), Some(overflow)) => prop_assert_eq!(error, overflow),
            (Ok(merged), None) => {
                for state in RunState::ALL {
                    prop_assert_eq!(merged.devices[state], a.devices[state] + b.devices[state]);
                    prop_assert_eq!(merged.users[state], a.users[state] + b.users[state]);
                }
                prop_assert_eq!(merged.last_run, a.last_run.max(b.last_run));
            }
            (merged, overflow) => prop_assert!(false, "{merged:?}, {overflow:?}"),
        }
        prop_assert_eq!(b.merge(&a).is_ok(), a.merge(&b).is_ok());
    }

    #[test]
    fn what_is_written_is_read_back(before in script(16), written in summaries()) {
        let mut tally: Tally<Key, Key, 8, 4> = Tally::new();
        for operation in &before {
            let _ = operation.run(&mut tally);
        }
        if tally.declare(&written).is_ok() {
            prop_assert_eq!(tally.summary(), &written);
        }
    }

    #[test]
    fn retiring_leaves_the_summary_and_the_users_as_they_are(
        before in script(24), device in 0..8u16,
    ) {
        let mut tally: Tally<Key, Key, 8, 4> = Tally::new();
        for operation in &before {
            let _ = operation.run(&mut tally);
        }
        let (summary, rows) = (*tally.summary(), tally.devices().count());
        let users = |tally: &Tally<Key, Key, 8, 4>| -> BTreeMap<_, _> {
            tally.users().map(|u| (*u.user, (u.reported(), u.state(), u.last_update))).collect()
        };
        let users_before = users(&tally);
        let retired = tally.retire(&device);
        prop_assert_eq!(tally.summary(), &summary);
        prop_assert_eq!(users(&tally), users_before);
        prop_assert_eq!(tally.devices().count(), rows - usize::from(retired.is_some()));
    }

    #[test]
    fn the_greatest_event_is_what_is_recorded(
        mut events in prop::collection::vec(
            (date_times(), 0..6u8, prop::option::of(0..4u16)), 1..20
        ),
    ) {
        let mut tally: Tally<Key, Key, 1, 4> = Tally::new();
        for &(at, state, user) in &events {
            let state = RunState::from_number(state).expect("below six");
            tally.apply(&Event { device: 7, user, state, at }).expect("room");
        }
        events.sort_by_key(|&(at, state, user)| {
            let state = RunState::from_number(state).expect("below six");
            (at.ticks(), at.offset(), state.severity(), user)
        });
        let recorded = tally.device(&7).expect("known");
        let (at, state, user) = *events.last().expect("at least one");
        prop_assert_eq!(recorded.at, at);
        prop_assert_eq!(recorded.state.number(), state);
        prop_assert_eq!(recorded.user.copied(), user);
    }
}
