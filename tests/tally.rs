//! The tally against its rules: random changes against a model that recounts everything.

#![expect(unused_must_use, reason = "what a change came to is seen in the tally")]

mod model;

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Key, Model, Recorded, User, rank};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use runtally::strategies::{changes, date_times, events, summaries};
use runtally::{
    Change, Counted, Counter, Counts, DateTime, DeviceHandle, Effect, Entry, Event, Overflow,
    RunState, Summary, Tally, UserRow,
};

type Ch = Change<Key, Key>;
type Entries = Vec<Entry<Key, Key>>;

/// More devices and users than there is room for.
fn script(length: usize) -> impl Strategy<Value = Vec<Ch>> {
    prop::collection::vec(near_changes(), 0..length)
}

/// Changes that leave something to count: a roll-out that begins anew in the year 9000 leaves every
/// device pending for good.
fn near_changes() -> impl Strategy<Value = Ch> {
    changes(0..8u16, 0..4u16).prop_map(|change| match change {
        Change::RunFrom(at) => Change::RunFrom(at.min(near())),
        change => change,
    })
}

/// Where the date-times that meet one another lie.
fn near() -> DateTime {
    "2026-11-21T09:30:00.5Z".parse().expect("a date-time")
}

/// What a set of is the same in any order.
fn reports(devices: Key, users: Key) -> impl Strategy<Value = Ch> {
    prop_oneof![
        4 => events(0..devices, 0..users).prop_map(Change::Event),
        2 => (0..devices, date_times()).prop_map(|(device, at)| Change::Remove { device, at }),
    ]
}

/// Changes that do declare: totals a little above what is counted at the time.
#[derive(Clone, Debug)]
enum Step {
    Do(Ch),
    /// Declares the summary as it stands, plus these counts, this much later.
    DeclareOnTop(Counts, Counts, i64),
    /// The same for a user.
    DeclareUserOnTop(Key, Counts, i64),
    /// What a device said last once more, this much later, or a removal at that instant.
    Again(Key, i64, Option<RunState>),
}

fn steps(length: usize) -> impl Strategy<Value = Vec<Step>> {
    let more = || {
        let number = prop_oneof![4 => Just(0u32), 2 => 1..4u32, 1 => Just(Counts::MAX)];
        number_each(number)
    };
    let later = || prop_oneof![Just(0), Just(1), Just(-1)];
    let state = prop::option::of(prop::sample::select(&RunState::ALL[..]));
    let step = prop_oneof![
        6 => near_changes().prop_map(Step::Do),
        1 => (more(), more(), later()).prop_map(|(a, b, c)| Step::DeclareOnTop(a, b, c)),
        1 => (0..4u16, more(), later()).prop_map(|(a, b, c)| Step::DeclareUserOnTop(a, b, c)),
        2 => (0..8u16, later(), state).prop_map(|(a, b, c)| Step::Again(a, b, c)),
    ];
    prop::collection::vec(step, 0..length)
}

fn number_each(number: impl Strategy<Value = u32>) -> impl Strategy<Value = Counts> {
    prop::collection::vec(number, 6).prop_map(|numbers| {
        let numbers = <[u32; 6]>::try_from(numbers).expect("six");
        Counts::try_from(numbers).expect("in range")
    })
}

/// Steps that declare nothing near the limit.
fn small_steps(length: usize) -> impl Strategy<Value = Vec<Step>> {
    let small = |counts: Counts| {
        let numbers = <[u32; 6]>::from(counts).map(|number| number % 5);
        Counts::try_from(numbers).expect("in range")
    };
    let step = move |step| match step {
        Step::Do(Change::Declare(Summary { devices, users, last_run })) => {
            let (devices, users) = (small(devices), small(users));
            Step::Do(Change::Declare(Summary { devices, users, last_run }))
        }
        Step::Do(Change::DeclareUser { user, devices, last_update }) => {
            Step::Do(Change::DeclareUser { user, devices: small(devices), last_update })
        }
        Step::DeclareOnTop(devices, users, later) => {
            Step::DeclareOnTop(small(devices), small(users), later)
        }
        Step::DeclareUserOnTop(user, devices, later) => {
            Step::DeclareUserOnTop(user, small(devices), later)
        }
        step => step,
    };
    steps(length).prop_map(move |steps| steps.into_iter().map(step).collect())
}

impl Step {
    fn on(&self, model: &Model) -> Ch {
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
            Self::Do(change) => *change,
            Self::DeclareOnTop(devices, users, later) => {
                let now = model.summary();
                Change::Declare(Summary {
                    devices: top(&now.devices, devices),
                    users: top(&now.users, users),
                    last_run: now.last_run.map(|at| shifted(at, *later)),
                })
            }
            Self::DeclareUserOnTop(user, more, later) => {
                let known = model.users().get(user).copied();
                Change::DeclareUser {
                    user: *user,
                    devices: top(&known.map_or(Counts::ZERO, |user| user.live), more),
                    last_update: known
                        .and_then(|user| user.last_update)
                        .map(|at| shifted(at, *later)),
                }
            }
            Self::Again(device, later, state) => {
                let gone = model.tombstones().into_iter().find_map(|entry| match entry {
                    Entry::Retired { event, .. } if event.device == *device => Some(event),
                    Entry::Removed { device: removed, at } if removed == *device => {
                        Some(Event { device: removed, user: None, state: RunState::Fail, at })
                    }
                    _ => None,
                });
                let known = model.devices().into_iter().find(|event| event.device == *device);
                match (known.or(gone), state) {
                    (Some(event), Some(state)) => {
                        let at = shifted(event.at, *later);
                        Change::Event(Event { state: *state, at, ..event })
                    }
                    (Some(event), None) => {
                        Change::Remove { device: *device, at: shifted(event.at, *later) }
                    }
                    (None, _) => Change::Retire { device: *device },
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
    for of in [Counted::Devices, Counted::Users] {
        prop_assert_eq!(tally.carried(of), model.carried(of));
        let reported = match of {
            Counted::Devices => tally.summary().devices,
            Counted::Users => tally.summary().users,
        };
        prop_assert_eq!(tally.live(of).checked_add(&tally.carried(of)), Ok(reported));
    }
    prop_assert_eq!(tally.run_from(), model.run_from);
    prop_assert_eq!(tally.tombstones().map(Entry::cloned).collect::<Vec<_>>(), model.tombstones());
    same_devices(tally, model)?;
    same_users(tally, model)?;

    let states = [RunState::Fail, RunState::NotApplicable, RunState::Pending];
    for (now, state) in moments().into_iter().zip(states.into_iter().cycle()) {
        for limit in [0, 49, 50_000_000, 86_400_000_000_000].map(Duration::from_nanos) {
            prop_assert_eq!(tally.overdue(now, limit), model.overdue(now, limit));
            prop_assert_eq!(
                tally.summary_at(now, limit, state),
                model.summary_at(now, limit, state)
            );
        }
        prop_assert_eq!(tally.overdue(now, Duration::MAX), 0);
    }
    Ok(())
}

fn moments() -> [DateTime; 5] {
    [
        "0001-01-01T00:00:00Z",
        "2026-11-21T09:30:00Z",
        "2026-11-21T10:30:00.2500000+01:00",
        "2026-11-21T09:30:00.7500001Z",
        "9999-12-31T23:59:59.9999999Z",
    ]
    .map(|text| text.parse().expect("a date-time"))
}

fn same_devices<const D: usize, const U: usize>(
    tally: &Tally<Key, Key, D, U>,
    model: &Model,
) -> TestCaseResult {
    let devices = devices_of(tally);
    prop_assert_eq!(tally.devices().len(), devices.len());
    prop_assert_eq!(tally.device_count(), devices.len());
    prop_assert_eq!(tally.is_full(), devices.len() == D);
    prop_assert_eq!(&devices, &model.devices());
    for device in 0..9 {
        let recorded = devices.iter().find(|event| event.device == device);
        prop_assert_eq!(tally.device(&device).map(Event::cloned), recorded.copied());
        let handle = tally.find(&device);
        prop_assert_eq!(handle.is_some(), recorded.is_some());
        let at_row = handle.and_then(|row| tally.devices_from(row.number()).next());
        prop_assert_eq!(at_row.map(|(_, event)| *event.device), handle.map(|_| device));
        if let Some(recorded) = recorded {
            prop_assert_eq!(tally.counted(recorded), model.counted(recorded));
        }
        let tombstone = model.tombstones().into_iter().find(|entry| match entry {
            Entry::Removed { device: gone, .. }
            | Entry::Retired { event: Event { device: gone, .. }, .. } => *gone == device,
            _ => false,
        });
        prop_assert_eq!(tally.tombstone(&device).map(Entry::cloned), tombstone);
    }
    Ok(())
}

fn same_users<const D: usize, const U: usize>(
    tally: &Tally<Key, Key, D, U>,
    model: &Model,
) -> TestCaseResult {
    let users = users_of(tally);
    prop_assert_eq!(tally.users().len(), users.len());
    prop_assert_eq!(tally.user_count(), users.len());
    prop_assert_eq!(tally.is_full_of_users(), users.len() == U);
    prop_assert_eq!(&users, &model.users());
    for user in 0..5 {
        let expected = users.get(&user).copied();
        prop_assert_eq!(tally.user(&user), tally.users().find(|row| *row.user == user));
        prop_assert_eq!(tally.user_state(&user), expected.and_then(|user| user.state));
        let row = tally.find_user(&user);
        prop_assert_eq!(row.is_some(), users.contains_key(&user));
        let at_row = row.and_then(|row| tally.users_from(row.number()).next());
        prop_assert_eq!(at_row.map(|(_, at_row)| *at_row.user), row.map(|_| user));
        let mut of_user: Vec<Recorded> = tally.user_devices(&user).map(Event::cloned).collect();
        of_user.sort_by_key(|event| event.device);
        let devices = model.devices();
        let expected = devices.into_iter().filter(|event| event.user == Some(user));
        prop_assert!(of_user.into_iter().eq(expected));
    }
    Ok(())
}

/// One change on both: the same effect, told beforehand, and an error changes nothing.
fn step<const D: usize, const U: usize>(
    tally: &mut Tally<Key, Key, D, U>,
    model: &mut Model,
    change: &Ch,
) -> TestCaseResult {
    let before = tally.clone();
    let expected = model.commit(change);
    prop_assert_eq!(tally.check(change), expected);
    let told = tally.entries_after(change);
    prop_assert_eq!(told.map(|(effect, _)| effect), expected);
    prop_assert_eq!(everything(tally), everything(&before));
    if let Change::Event(event) = change {
        all_doors(tally, event, expected)?;
    }
    prop_assert_eq!(tally.commit(change), expected);

    let is_change = matches!(expected, Ok(Effect::Applied { .. }));
    if !is_change {
        // An event that is no news is a run all the same.
        let last_run = tally.summary().last_run;
        if !matches!(change, Change::Event(_)) || expected.is_err() {
            prop_assert_eq!(last_run, before.summary().last_run);
            prop_assert_eq!(&*tally, &before);
            prop_assert_eq!(everything(tally), everything(&before));
        }
        prop_assert_eq!(tally.summary().devices, before.summary().devices);
        prop_assert_eq!(tally.summary().users, before.summary().users);
        prop_assert!(tally.devices_from(0).eq(before.devices_from(0)));
        prop_assert!(tally.users_from(0).eq(before.users_from(0)));
        prop_assert!(tally.tombstones().eq(before.tombstones()));
    }
    // A device keeps its row for as long as it is known.
    for device in before.devices().map(|event| *event.device) {
        if let Some(row) = tally.find(&device) {
            prop_assert_eq!(before.find(&device), Some(row));
        }
    }
    same(tally, model)
}

/// Every way to apply an event comes to the same, and shows what was recorded.
fn all_doors<const D: usize, const U: usize>(
    tally: &Tally<Key, Key, D, U>,
    event: &Recorded,
    expected: Result<Effect, runtally::Refusal>,
) -> TestCaseResult {
    let mut plain = tally.clone();
    prop_assert_eq!(plain.apply(event), expected);
    for number in 0..=D as u16 {
        let row = DeviceHandle::from_number(number).expect("a row");
        let mut other = tally.clone();
        prop_assert_eq!(other.apply_at(row, event), expected);
        prop_assert_eq!(everything(&other), everything(&plain));
    }
    let mut shown = None;
    let mut observed = tally.clone();
    let effect = observed.apply_with(event, |effect, recorded| {
        shown = Some(recorded.map(Event::cloned));
        effect
    });
    prop_assert_eq!(effect, expected);
    prop_assert_eq!(everything(&observed), everything(&plain));
    let recorded = tally.device(&event.device).map(Event::cloned);
    prop_assert_eq!(shown, expected.is_ok().then_some(recorded));
    let now = match expected {
        Ok(Effect::Applied { .. }) => Some(*event),
        _ => recorded,
    };
    prop_assert_eq!(observed.device(&event.device).map(Event::cloned), now);
    Ok(())
}

fn against_the_model<const D: usize, const U: usize>(steps: &[Step]) -> TestCaseResult {
    let mut tally: Tally<Key, Key, D, U> = Tally::new();
    let mut model = Model::new(D, U);
    for next in steps {
        let change = next.on(&model);
        step(&mut tally, &mut model, &change)?;
    }
    Ok(())
}

fn entries<const D: usize, const U: usize>(tally: &Tally<Key, Key, D, U>) -> Entries {
    tally.entries().map(Entry::cloned).collect()
}

fn devices_of<const D: usize, const U: usize>(tally: &Tally<Key, Key, D, U>) -> Vec<Recorded> {
    let mut devices: Vec<Recorded> = tally.devices().map(Event::cloned).collect();
    devices.sort_by_key(|event| event.device);
    devices
}

/// What is read of each user.
fn users_of<const D: usize, const U: usize>(tally: &Tally<Key, Key, D, U>) -> BTreeMap<Key, User> {
    let read = |user: UserRow<'_, Key>| User {
        live: user.live,
        carried: user.carried,
        reported: user.reported(),
        state: user.state(),
        last_update: user.last_update,
        declared: user.declared,
    };
    tally.users().map(|user| (*user.user, read(user))).collect()
}

fn after<const D: usize, const U: usize>(steps: &[Step]) -> Tally<Key, Key, D, U> {
    let mut tally: Tally<Key, Key, D, U> = Tally::new();
    let mut model = Model::new(D, U);
    for next in steps {
        let change = next.on(&model);
        let _ = model.commit(&change);
        let _ = tally.commit(&change);
    }
    tally
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
    fn permutations_and_repetitions_of_events_and_removals_give_the_same_tally(
        (reports, shuffled) in prop::collection::vec(reports(6, 4), 1..40)
            .prop_flat_map(|reports| {
                let twice: Vec<_> = reports.iter().chain(&reports).copied().collect();
                (Just(reports), Just(twice).prop_shuffle())
            }),
    ) {
        let mut tally: Tally<Key, Key, 6, 4> = Tally::new();
        let mut other = tally.clone();
        for change in &reports {
            prop_assert!(tally.commit(change).is_ok());
        }
        for change in &shuffled {
            prop_assert!(other.commit(change).is_ok());
        }
        prop_assert_eq!(&tally, &other);
        prop_assert_eq!(tally.summary(), other.summary());
        prop_assert_eq!(other.audit(), Ok(()));
        // The last run is a function of the events alone.
        let latest = reports.iter().filter_map(|change| match change {
            Change::Event(event) => Some(event.at),
            _ => None,
        });
        let latest = latest.max_by_key(|at| at.ticks()).map(model::utc);
        prop_assert_eq!(tally.summary().last_run, latest);
    }

    #[test]
    fn the_instant_to_run_from_may_come_at_any_time_among_the_reports(
        reports in prop::collection::vec(reports(6, 4), 1..30),
        run_from in prop::collection::vec((date_times(), any::<prop::sample::Index>()), 1..4),
    ) {
        let mut last: Tally<Key, Key, 6, 4> = Tally::new();
        for change in &reports {
            prop_assert!(last.commit(change).is_ok());
        }
        let mut between = reports;
        for (at, index) in &run_from {
            prop_assert!(last.commit(&Change::RunFrom(*at)).is_ok());
            between.insert(index.index(between.len() + 1), Change::RunFrom(*at));
        }
        let mut mixed: Tally<Key, Key, 6, 4> = Tally::new();
        for change in &between {
            prop_assert!(mixed.commit(change).is_ok());
        }
        prop_assert_eq!(&mixed, &last);
        prop_assert_eq!(mixed.audit(), Ok(()));
        let latest = run_from.iter().map(|(at, _)| *at).max_by_key(|at| at.ticks());
        prop_assert_eq!(mixed.run_from(), latest.map(model::utc));
    }

    #[test]
    fn a_cleared_tally_is_as_good_as_new(
        before in script(24), after in script(24), seed: u64,
    ) {
        let mut cleared: Tally<Key, Key, 3, 2> = Tally::new();
        let mut new = cleared.clone();
        cleared.reseed(seed);
        for change in &before {
            let _ = cleared.commit(change);
        }
        cleared.clear();
        prop_assert_eq!(everything(&cleared), everything(&new));
        prop_assert_eq!(&cleared, &new);
        for change in &after {
            prop_assert_eq!(cleared.commit(change), new.commit(change));
            prop_assert_eq!(everything(&cleared), everything(&new));
            prop_assert_eq!(cleared.audit(), Ok(()));
        }
    }

    #[test]
    fn a_seed_changes_nothing_that_shows(
        before in script(24), seed: u64, after in script(24),
    ) {
        let mut tally: Tally<Key, Key, 6, 3> = Tally::new();
        for change in &before {
            let _ = tally.commit(change);
        }
        let mut reseeded = tally.clone();
        reseeded.reseed(seed);
        prop_assert_eq!(everything(&reseeded), everything(&tally));
        prop_assert_eq!(reseeded.audit(), Ok(()));
        prop_assert_eq!(&reseeded, &tally);
        for change in &after {
            prop_assert_eq!(reseeded.commit(change), tally.commit(change));
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
        let overflow = sum(Counted::Devices, &a.devices, &b.devices)
            .or(sum(Counted::Users, &a.users, &b.users));
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
    fn what_is_written_is_read_back(before in script(16), written in summaries(), user in 0..4u16) {
        let mut tally: Tally<Key, Key, 8, 4> = Tally::new();
        for change in &before {
            let _ = tally.commit(change);
        }
        let (devices, last_update) = (written.devices, written.last_run);
        if tally.commit(&Change::DeclareUser { user, devices, last_update }).is_ok() {
            let row = tally.user(&user).expect("declared");
            prop_assert_eq!(row.reported(), devices);
            prop_assert!(last_update.is_none() || row.last_update == last_update);
        }
        if tally.commit(&Change::Declare(written)).is_ok() {
            prop_assert_eq!(tally.summary(), &written);
        }
    }

    #[test]
    fn retiring_leaves_the_summary_and_the_users_as_they_are(
        before in steps(24), device in 0..8u16,
    ) {
        let mut tally: Tally<Key, Key, 8, 4> = after(&before);
        let (summary, rows) = (*tally.summary(), tally.device_count());
        let users = |tally: &Tally<Key, Key, 8, 4>| -> BTreeMap<_, _> {
            tally.users().map(|u| (*u.user, (u.reported(), u.state(), u.last_update))).collect()
        };
        let users_before = users(&tally);
        let effect = tally.commit(&Change::Retire { device });
        prop_assert_eq!(tally.summary(), &summary);
        prop_assert_eq!(users(&tally), users_before);
        let retired = matches!(effect, Ok(Effect::Applied { .. }));
        prop_assert_eq!(tally.device_count(), rows - usize::from(retired));
    }

    /// The events and removals of a set, some of the devices retired between them: in the end every
    /// device is counted once, whatever is carried meanwhile.
    #[test]
    fn a_retired_device_that_reports_again_is_counted_once(
        changes in prop::collection::vec(
            prop_oneof![3 => reports(6, 4), 1 => (0..6u16).prop_map(|device| Change::Retire { device })],
            1..40,
        ),
    ) {
        let mut tally: Tally<Key, Key, 6, 4> = Tally::new();
        let mut never: Tally<Key, Key, 6, 4> = Tally::new();
        for change in &changes {
            tally.commit(change).expect("room for all");
            if !matches!(change, Change::Retire { .. }) {
                never.commit(change).expect("room for all");
            }
            prop_assert_eq!(tally.summary(), never.summary());
            prop_assert_eq!(tally.audit(), Ok(()));
        }
        for device in 0..6 {
            // The greatest there is.
            let (user, state) = (Some(3), RunState::ScriptError);
            let event = Event { device, user, state, at: DateTime::MAX };
            tally.apply(&event).expect("room for all");
            never.apply(&event).expect("room for all");
        }
        prop_assert_eq!(&tally, &never);
        prop_assert_eq!(tally.carried(Counted::Devices), Counts::ZERO);
    }

    #[test]
    fn the_greatest_event_is_what_is_recorded(
        mut events in prop::collection::vec(events(7..8u16, 0..4u16), 1..20),
    ) {
        let mut tally: Tally<Key, Key, 1, 4> = Tally::new();
        for event in &events {
            tally.apply(event).expect("room");
        }
        events.sort_by_key(rank);
        let recorded = tally.device(&7).expect("known").cloned();
        prop_assert_eq!(Some(&recorded), events.last());
        let by_order = events.iter().max_by_key(|event| event.order());
        prop_assert_eq!(Some(&recorded), by_order);
    }

    #[test]
    fn the_order_of_events_is_the_rule(
        one in events(0..1u16, 0..3u16), other in events(0..1u16, 0..3u16),
    ) {
        prop_assert_eq!(one.order().cmp(&other.order()), rank(&one).cmp(&rank(&other)));
        prop_assert_eq!(one.order() == other.order(), rank(&one) == rank(&other));
    }

    #[test]
    fn a_received_event_has_its_own_time_or_now(
        event in events(0..1u16, 0..1u16), now in date_times(), earliest in date_times(),
        ahead in prop_oneof![0..20_000_000u64, any::<u64>()].prop_map(Duration::from_nanos),
    ) {
        let nanoseconds = |at: DateTime| i128::from(at.ticks()) * 100;
        let latest = nanoseconds(now) + i128::try_from(ahead.as_nanos()).expect("fits by far");
        let is_plausible =
            nanoseconds(earliest) <= nanoseconds(event.at) && nanoseconds(event.at) <= latest;
        let at = if is_plausible { event.at } else { now };
        prop_assert_eq!(event.received(now, earliest, ahead), Event { at, ..event });
    }

    #[test]
    fn entries_restore_the_tally_on_any_capacity_that_fits(steps in steps(40)) {
        let tally: Tally<Key, Key, 5, 3> = after(&steps);
        let entries = entries(&tally);
        restores::<5, 3>(&entries, &tally)?;
        restores::<8, 4>(&entries, &tally)?;
        restores::<64, 64>(&entries, &tally)?;
        let mut same: Tally<Key, Key, 5, 3> = Tally::new();
        for entry in &entries {
            prop_assert_eq!(same.restore(entry), Ok(()));
        }
        prop_assert_eq!(same, tally);
    }

    /// What has room by its devices and users has room; the oldest tombstones go.
    #[test]
    fn entries_restore_the_tally_where_not_every_tombstone_has_room(steps in steps(40)) {
        let tally: Tally<Key, Key, 8, 4> = after(&steps);
        let mut restored: Tally<Key, Key, 5, 4> = Tally::new();
        let fits = tally.device_count() <= 5;
        for entry in entries(&tally) {
            if let Err(refusal) = restored.restore(&entry) {
                prop_assert!(!fits, "{}", refusal);
                return Ok(());
            }
        }
        prop_assert!(fits);
        prop_assert_eq!(restored.audit(), Ok(()));
        prop_assert_eq!(restored.summary(), tally.summary());
        prop_assert_eq!(devices_of(&restored), devices_of(&tally));
        prop_assert_eq!(users_of(&restored), users_of(&tally));
        let gone = tally.tombstones().count();
        let room = 5 - tally.device_count();
        prop_assert!(restored.tombstones().eq(tally.tombstones().skip(gone.saturating_sub(room))));
    }

    #[test]
    fn a_log_of_entries_restores_the_tally_at_every_change(steps in steps(40)) {
        log_restores::<5, 3>(&steps)?;
        log_restores::<2, 2>(&steps)?;
        log_restores::<8, 4>(&steps)?;
    }

    #[test]
    fn a_log_may_be_restored_twice_from_any_entry_on(
        steps in small_steps(30), from in any::<prop::sample::Index>(),
    ) {
        let mut tally: Tally<Key, Key, 8, 4> = Tally::new();
        let mut model = Model::new(8, 4);
        let mut log = Vec::new();
        for next in &steps {
            let change = next.on(&model);
            let _ = model.commit(&change);
            log.extend(written(&tally, &change));
            let _ = tally.commit(&change);
        }
        let mut restored: Tally<Key, Key, 8, 4> = Tally::new();
        let again = log.iter().skip(from.index(log.len() + 1));
        for entry in log.iter().chain(again) {
            prop_assert_eq!(restored.restore(entry), Ok(()), "{:?} of {:#?}", entry, log);
        }
        prop_assert_eq!(restored.audit(), Ok(()));
        prop_assert_eq!(restored.summary(), tally.summary(), "{:#?}", log);
        prop_assert_eq!(devices_of(&restored), devices_of(&tally));
        prop_assert_eq!(users_of(&restored), users_of(&tally));
        // But for the users of retired devices: no entry says that a tombstone lost its user.
        let tombstones = |tally: &Tally<Key, Key, 8, 4>| {
            let mut all: Vec<String> = tally
                .tombstones()
                .map(|mut entry| {
                    if let Entry::Retired { event, .. } = &mut entry {
                        event.user = None;
                    }
                    format!("{entry:?}")
                })
                .collect();
            all.sort();
            all
        };
        prop_assert_eq!(tombstones(&restored), tombstones(&tally));
    }

    #[test]
    fn a_snapshot_may_be_taken_while_the_log_goes_on(
        steps in steps(30), from in any::<prop::sample::Index>(),
    ) {
        // A log that holds a snapshot, and the changes from before it on.
        let mut tally: Tally<Key, Key, 8, 4> = Tally::new();
        let mut model = Model::new(8, 4);
        let (mut log, mut marks) = (Vec::new(), vec![0]);
        let mut snapshots = vec![entries(&tally)];
        for next in &steps {
            let change = next.on(&model);
            let _ = model.commit(&change);
            log.extend(written(&tally, &change));
            let _ = tally.commit(&change);
            marks.push(log.len());
            snapshots.push(entries(&tally));
        }
        let from = from.index(marks.len());
        let mut restored: Tally<Key, Key, 8, 4> = Tally::new();
        for entry in snapshots[from].iter().chain(&log[marks[from]..]) {
            prop_assert_eq!(restored.restore(entry), Ok(()), "{:?}", entry);
        }
        prop_assert_eq!(restored.audit(), Ok(()));
        prop_assert_eq!(&restored, &tally);
        prop_assert!(restored.tombstones().eq(tally.tombstones()));
    }

    #[test]
    fn a_refused_entry_leaves_the_tally_as_it_was(before in steps(30), other in steps(30)) {
        let other: Tally<Key, Key, 8, 4> = after(&other);
        let mut tally: Tally<Key, Key, 3, 2> = after(&before);
        for entry in entries(&other) {
            let was = tally.clone();
            if tally.restore(&entry).is_err() {
                prop_assert_eq!(everything(&tally), everything(&was), "{:?}", entry);
                prop_assert_eq!(&tally, &was);
            }
        }
    }
}

/// A gateway that counts on its own: reports and removals, and the roll-out begun anew.
fn gateway(length: usize) -> impl Strategy<Value = Vec<Ch>> {
    let change = prop_oneof![
        8 => reports(6, 4),
        1 => date_times().prop_map(|at| Change::RunFrom(at.min(near()))),
    ];
    prop::collection::vec(change, 0..length)
}

fn seen<const D: usize, const U: usize>(changes: &[Ch]) -> Tally<Key, Key, D, U> {
    let mut tally = Tally::new();
    for change in changes {
        let _ = tally.commit(change);
    }
    tally
}

proptest! {
    #[test]
    fn two_tallies_absorbed_are_one_that_saw_both(a in gateway(24), b in gateway(24)) {
        let (one, other): (Tally<Key, Key, 6, 4>, Tally<Key, Key, 16, 7>) = (seen(&a), seen(&b));
        let both: Tally<Key, Key, 6, 4> = seen(&[a, b].concat());
        let mut absorbed = one.clone();
        prop_assert_eq!(absorbed.absorb(&other), Ok(()));
        prop_assert_eq!(absorbed.audit(), Ok(()));
        prop_assert_eq!(&absorbed, &both);

        let mut again = absorbed.clone();
        prop_assert_eq!(again.absorb(&other), Ok(()));
        prop_assert_eq!(again.absorb(&one), Ok(()));
        prop_assert_eq!(again.absorb(&absorbed), Ok(()));
        prop_assert_eq!(everything(&again), everything(&absorbed), "twice is once");

        let mut back: Tally<Key, Key, 6, 4> = seen(&[]);
        prop_assert_eq!(back.absorb(&other), Ok(()));
        prop_assert_eq!(back.absorb(&one), Ok(()));
        prop_assert_eq!(&back, &both, "the other way round");
    }

    #[test]
    fn three_tallies_may_be_absorbed_in_any_order(
        a in gateway(16), b in gateway(16), c in gateway(16),
    ) {
        type Gateway = Tally<Key, Key, 6, 4>;
        let [a, b, c]: [Gateway; 3] = [seen(&a), seen(&b), seen(&c)];
        let joined = |one: &Gateway, other: &Gateway| {
            let mut joined = one.clone();
            joined.absorb(other).expect("room for all");
            joined
        };
        let (left, right) = (joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
        prop_assert_eq!(&left, &right);
        prop_assert_eq!(&left, &joined(&c, &joined(&b, &a)));
    }

    /// Declared and retired counts stay where they are.
    #[test]
    fn a_tally_absorbs_what_the_model_absorbs(a in small_steps(30), b in small_steps(30)) {
        let run = |steps: &[Step]| {
            let mut tally: Tally<Key, Key, 8, 4> = Tally::new();
            let mut model = Model::new(8, 4);
            for next in steps {
                let change = next.on(&model);
                let _ = model.commit(&change);
                let _ = tally.commit(&change);
            }
            (tally, model)
        };
        let ((mut tally, mut model), (other, other_model)) = (run(&a), run(&b));
        prop_assert_eq!(tally.absorb(&other), Ok(()));
        prop_assert_eq!(model.absorb(&other_model), Ok(()));
        // But for the order of tombstones, since a table has no order of devices.
        prop_assert_eq!(tally.audit(), Ok(()));
        prop_assert_eq!(*tally.summary(), model.summary());
        prop_assert_eq!(devices_of(&tally), model.devices());
        prop_assert_eq!(users_of(&tally), model.users());
        prop_assert_eq!(tally.carried(Counted::Devices), model.carried(Counted::Devices));
        prop_assert_eq!(tally.carried(Counted::Users), model.carried(Counted::Users));
        prop_assert_eq!(tally.run_from(), model.run_from);
        let listed = |entries: Entries| {
            let mut entries: Vec<_> = entries.iter().map(|entry| format!("{entry:?}")).collect();
            entries.sort();
            entries
        };
        let tombstones = tally.tombstones().map(Entry::cloned).collect();
        prop_assert_eq!(listed(tombstones), listed(model.tombstones()));
    }

    /// Where not everything has room, all of it is refused.
    #[test]
    fn absorbing_is_all_or_nothing(a in steps(24), b in steps(40)) {
        let other: Tally<Key, Key, 8, 4> = after(&b);
        let mut tally: Tally<Key, Key, 3, 2> = after(&a);
        let before = tally.clone();
        if tally.absorb(&other).is_err() {
            prop_assert_eq!(everything(&tally), everything(&before));
            prop_assert_eq!(&tally, &before);
        } else {
            prop_assert!(tally.summary().last_run >= other.summary().last_run);
        }
        prop_assert_eq!(tally.audit(), Ok(()));
    }
}

fn restores<const D: usize, const U: usize>(
    entries: &[Entry<Key, Key>],
    tally: &Tally<Key, Key, 5, 3>,
) -> TestCaseResult {
    let mut restored: Tally<Key, Key, D, U> = Tally::new();
    for round in 1..=2 {
        for entry in entries {
            prop_assert_eq!(restored.restore(entry), Ok(()), "round {}", round);
        }
        prop_assert_eq!(restored.audit(), Ok(()));
        prop_assert_eq!(restored.summary(), tally.summary());
        prop_assert!(restored.tombstones().eq(tally.tombstones()));
        let parts = |entries: Entries| {
            let mut parts: Vec<_> = entries.iter().map(|it| format!("{it:?}")).collect();
            parts.sort();
            parts
        };
        prop_assert_eq!(parts(self::entries(&restored)), parts(entries.to_vec()));
    }
    Ok(())
}

/// What a change leaves, as it would be written down before it is made.
fn written<const D: usize, const U: usize>(tally: &Tally<Key, Key, D, U>, change: &Ch) -> Entries {
    let Ok((_, entries)) = tally.entries_after(change) else { return Vec::new() };
    entries.map(Entry::cloned).collect()
}

fn log_restores<const D: usize, const U: usize>(steps: &[Step]) -> TestCaseResult {
    let mut tally: Tally<Key, Key, D, U> = Tally::new();
    let mut restored = tally.clone();
    let mut model = Model::new(D, U);
    for next in steps {
        let change = next.on(&model);
        let _ = model.commit(&change);
        let written = written(&tally, &change);
        let before = tally.clone();
        let effect = tally.commit(&change);
        prop_assert!(tally == before || !written.is_empty(), "{:?}: {:?}", effect, written);
        let is_news = matches!(effect, Ok(Effect::Applied { .. })) || tally != before;
        prop_assert!(is_news || written.is_empty(), "{:?}: {:?}", effect, written);
        prop_assert!(written.len() <= 3);
        for entry in &written {
            prop_assert_eq!(restored.restore(entry), Ok(()), "{:?} of {:?}", entry, change);
        }
        prop_assert_eq!(restored.audit(), Ok(()));
        prop_assert_eq!(&restored, &tally, "{:?}: {:?}", change, written);
        prop_assert!(restored.tombstones().eq(tally.tombstones()));
    }
    Ok(())
}

/// A roll-out as agents report it: whole seconds, several zones, most runs within one second,
/// devices that change hands, and removals between. Counted once more from the set of what was
/// said, for every order.
#[test]
fn a_trace_of_same_second_reports_counts_the_same_in_any_order() {
    const DEVICES: u16 = 300;
    let mut random = fastrand::Rng::with_seed(13);
    let start = near().ticks() / DateTime::TICKS_PER_SECOND * DateTime::TICKS_PER_SECOND;
    let mut changes: Vec<Ch> = Vec::new();
    for _ in 0..12_000 {
        let device = random.u16(..DEVICES);
        let ticks = start + random.i64(0..20) * DateTime::TICKS_PER_SECOND;
        let offset = [0, 60, 330, -300, -480][random.usize(..5)];
        let at = DateTime::from_ticks(ticks, offset).expect("in range");
        if random.u8(..10) == 0 {
            changes.push(Change::Remove { device, at });
        } else {
            let state = RunState::ALL[random.usize(..6)];
            let user = (!device.is_multiple_of(7)).then(|| device % 50 + random.u16(..2));
            changes.push(Change::Event(Event { device, user, state, at }));
        }
    }

    // The greatest that was said of each device, in plain words.
    let mut greatest: BTreeMap<Key, Recorded> = BTreeMap::new();
    for change in &changes {
        if let Change::Event(event) = change {
            let recorded = greatest.entry(event.device).or_insert(*event);
            *recorded = [*recorded, *event].into_iter().max_by_key(rank).expect("two");
        }
    }
    for change in &changes {
        if let Change::Remove { device, at } = change
            && greatest.get(device).is_some_and(|event| event.at.ticks() <= at.ticks())
        {
            greatest.remove(device);
        }
    }
    let mut counted = [[0u32; 6]; 2];
    let mut worst: BTreeMap<Key, RunState> = BTreeMap::new();
    for event in greatest.values() {
        counted[0][model::number(event.state)] += 1;
        if let Some(user) = event.user {
            let state = worst.entry(user).or_insert(event.state);
            if event.state.severity() > state.severity() {
                *state = event.state;
            }
        }
    }
    for &state in worst.values() {
        counted[1][model::number(state)] += 1;
    }
    assert!(greatest.len() > 200, "most devices are known in the end");

    for _ in 0..4 {
        let mut tally: Box<Tally<Key, Key, 300, 60>> = Box::new(Tally::new());
        for change in &changes {
            tally.commit(change).expect("room for all");
        }
        assert_eq!(tally.audit(), Ok(()));
        assert_eq!(<[u32; 6]>::from(tally.summary().devices), counted[0]);
        assert_eq!(<[u32; 6]>::from(tally.summary().users), counted[1]);
        assert_eq!(devices_of(&tally), greatest.values().copied().collect::<Vec<_>>());
        random.shuffle(&mut changes);
    }
}
