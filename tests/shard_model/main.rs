//! One roll-out over many shards counts what one tally would.
//!
//! Devices are owned by the shards of stage 1 and users by those of stage 2. Random histories are
//! run through the design and through six designs that are wrong, in four worlds, and what is read in
//! the end is compared with a recount of what happened.
//!
//! `RUNTALLY_MODEL_HISTORIES` sets the number of histories; `--nocapture` prints how many each design
//! got wrong.

mod design;
mod exhaustive;
mod history;
mod library;
mod recount;
mod world;
mod wrong;

use std::env;

use design::{Design, SnapshotsEarly, TheDesign, WithoutGhosts, WithoutRule2};
use exhaustive::{Size, every_run};
use fastrand::Rng;
use history::{Happening, Kinds, history, instant};
use library::{Library, repair};
use recount::is_recount;
use runtally::{Event, RunState};
use world::{World, run, run_losing};
use wrong::{ByUserAlone, Deltas, Positions};

fn histories() -> u64 {
    env::var("RUNTALLY_MODEL_HISTORIES").map_or(2_000, |text| text.parse().expect("a number"))
}

/// In how many of so many histories the outcome is not what a recount gives.
fn wrong<D: Design>(histories: u64, world: World, kinds: Kinds, scale: usize) -> u64 {
    let is_wrong = |seed: &u64| {
        let history = history(kinds, scale, &mut Rng::with_seed(*seed));
        let mut schedules = Rng::with_seed(seed ^ 0x5EED_0000_0000);
        let (mut first, mut second) = (schedules.fork(), schedules.fork());
        !is_recount(run::<D>(&history, world, &mut first, &mut second), &history)
    };
    (0..histories).filter(is_wrong).count() as u64
}

/// How often the design is wrong in each world; `expected` says where it has to be.
fn assert_wrong<D: Design>(expected: [bool; 4]) {
    let wrong = World::ALL.map(|world| wrong::<D>(histories(), world, Kinds::Reports, 1));
    println!("| {} | {} | {} | {} | {} |", D::NAME, wrong[0], wrong[1], wrong[2], wrong[3]);
    assert_eq!(wrong.map(|count| count > 0), expected, "{}: {wrong:?}", D::NAME);
}

#[test]
fn the_design_is_never_wrong_and_each_of_six_others_is_where_it_is_said_to_be() {
    println!("wrong of {} histories, in each world:", histories());
    assert_wrong::<TheDesign>([false; 4]);
    assert_wrong::<Library<true>>([false; 4]);
    assert_wrong::<ByUserAlone>([true; 4]);
    assert_wrong::<Deltas>([false, true, true, true]);
    assert_wrong::<SnapshotsEarly>([false, true, true, true]);
    assert_wrong::<WithoutGhosts>([false, false, false, true]);
    assert_wrong::<WithoutRule2>([false, false, true, true]);
    assert_wrong::<Positions>([false, false, true, true]);
}

#[test]
fn removals_retirements_and_instants_to_run_from_are_counted_in_every_world() {
    let histories = histories();
    for (world, kinds) in
        World::ALL.into_iter().flat_map(|it| [(it, Kinds::Facts), (it, Kinds::All)])
    {
        assert_eq!(wrong::<TheDesign>(histories, world, kinds, 1), 0, "{world:?}, {kinds:?}");
        assert_eq!(wrong::<Library<true>>(histories, world, kinds, 1), 0, "{world:?}, {kinds:?}");
    }
}

#[test]
fn so_are_users_with_many_devices() {
    // Of up to 80 happenings of 24 devices and 32 users.
    for kinds in [Kinds::Reports, Kinds::Facts, Kinds::All] {
        assert_eq!(
            wrong::<Library<true>>(histories() / 10, World::AnyOrder, kinds, 8),
            0,
            "{kinds:?}"
        );
    }
}

#[test]
fn a_second_stage_that_has_lost_messages_is_repaired_from_the_first() {
    let mut wrong = 0;
    for seed in 0..histories() {
        let mut choices = Rng::with_seed(seed);
        let history = history(Kinds::Reports, 1, &mut choices);
        let (mut first, mut second) = (choices.fork(), choices.fork());
        let (ones, mut twos) = run_losing::<Library<true>>(&history, 3, &mut first, &mut second);
        wrong += u64::from(!is_recount(Library::<true>::outcome(&ones, &twos), &history));
        repair(&ones, &mut twos);
        assert!(is_recount(Library::<true>::outcome(&ones, &twos), &history), "{history:?}");
    }
    assert!(wrong > histories() / 10);
}

/// Reports of one device and two users, all of one instant: another state, another zone, another user.
fn few_reports() -> Vec<Happening> {
    use RunState::{Pending, Success};
    let said = [(Pending, instant(0, 0)), (Pending, instant(0, 1)), (Success, instant(0, 0))];
    let report = |user, (state, at)| Happening::Report(Event { device: 0, user, state, at });
    said.into_iter()
        .flat_map(|said| [None, Some(0), Some(1)].map(|user| report(user, said)))
        .collect()
}

/// Everything else that may happen to the device, and four reports for it to happen to.
fn few_of_all() -> Vec<Happening> {
    use RunState::{Fail, Pending};
    let report = |user, state, at| Happening::Report(Event { device: 0, user, state, at });
    vec![
        report(None, Fail, instant(1, 0)),
        report(Some(0), Pending, instant(0, 0)),
        report(Some(0), Fail, instant(1, 1)),
        report(Some(1), Fail, instant(1, 1)),
        Happening::Removed { device: 0, at: instant(0, 0) },
        Happening::Removed { device: 0, at: instant(1, 0) },
        Happening::Retired(Event { device: 0, user: Some(0), state: Fail, at: instant(1, 1) }),
        Happening::Retire { device: 0 },
        Happening::RunFrom(instant(1, 0)),
    ]
}

fn explore<D: Design>(happenings: &[Happening], deaths: usize) -> Size {
    let size = every_run::<D>(happenings, 3, deaths);
    println!("{}, {deaths} deaths: {size:?}", D::NAME);
    size
}

/// How often a worker dies at most. Two take minutes.
fn deaths() -> usize {
    if env::var("RUNTALLY_MODEL_HISTORIES").is_ok() { 2 } else { 1 }
}

#[test]
fn every_run_of_three_happenings_of_one_device_ends_as_a_recount_does() {
    for happenings in [few_reports(), few_of_all()] {
        let size = explore::<TheDesign>(&happenings, deaths());
        assert_eq!(size.wrong, 0);
        // Step by step the library does the same.
        assert_eq!(explore::<Library<false>>(&happenings, deaths()), size);
    }
}

#[test]
fn some_run_of_three_reports_ends_wrong_without_a_part_of_the_design() {
    let reports = few_reports().split_off(5);
    assert_ne!(explore::<SnapshotsEarly>(&reports, 1).wrong, 0);
    assert_ne!(explore::<WithoutGhosts>(&reports, 1).wrong, 0);
    assert_ne!(explore::<WithoutRule2>(&reports, 1).wrong, 0);
    assert_ne!(explore::<Positions>(&reports, 1).wrong, 0);
}
