//! Filling up, compaction and wear.

use super::*;
use runtally::{Counts, Event, RunState};

#[test]
fn pages_wear_alike() {
    for pages in [2, 3, 8] {
        let mut flash = Mock::<4, 1024>::new(pages);
        let mut mirror = Small::new();
        for (seed, restarts) in (0..24).enumerate() {
            let (mut journal, mut tally) = reopen(&mut flash);
            assert_eq!(tally, mirror, "{restarts} restarts");
            for operation in trace(seed as u8, 600) {
                let expected = operation.run(&mut mirror).map_err(Error::Refused);
                assert_eq!(run(&mut journal, &mut tally, &operation), expected);
            }
        }
        let (least, most) =
            (flash.erases.iter().min().unwrap(), flash.erases.iter().max().unwrap());
        assert!(flash.erases.iter().sum::<u32>() > 200, "{:?}", flash.erases);
        assert!(most - least <= 1, "{:?}", flash.erases);
    }
}

/// As many pages as are said to do hold every row there can be, however long it goes on.
#[test]
fn the_pages_said_to_be_enough_are_enough() {
    type Full = Tally<u32, [u8; 40], 200, 50>;
    type Kept<F> = Journal<F, u32, [u8; 40], 200, 50>;
    type Flash = Mock<4, 4096>;

    let mut flash = Flash::new(Kept::<Flash>::PAGES as usize);
    let mut tally = Full::new();
    let mut mirror = Full::new();
    let mut rng = fastrand::Rng::with_seed(1);
    let range = flash.range();
    let (mut journal, _) = block_on(Kept::open(&mut flash, range.clone(), &mut tally)).unwrap();
    let user = |n: u8| [n; 40];
    for n in 0..50 {
        let counts = Counts::default();
        let counts = RunState::ALL.into_iter().fold(counts, |c, state| c.with(state, 9).unwrap());
        let at = DateTime::from_ticks(i64::from(n), 0).ok();
        block_on(journal.declare_user(&mut tally, &user(n), counts, at)).unwrap();
        mirror.declare_user(&user(n), counts, at).unwrap();
    }
    for tick in 100..20_000 {
        let event = Event {
            device: rng.u32(..200),
            user: Some(user(rng.u8(..50))),
            state: RunState::ALL[rng.usize(..6)],
            at: DateTime::from_ticks(tick, 0).unwrap(),
        };
        let answer = block_on(journal.apply(&mut tally, &event));
        assert_eq!(answer, mirror.apply(&event).map_err(Error::Refused));
    }
    assert_eq!(tally, mirror);
    let mut restored = Full::new();
    block_on(Kept::open(&mut flash, range, &mut restored)).unwrap();
    assert_eq!(restored, mirror);
}

/// Removing and reporting the same event again leaves equal records behind, of which one counts.
#[test]
fn the_same_event_over_and_over_takes_no_room() {
    let mut flash = Mock::<4, 1024>::new(3);
    let (mut journal, mut tally, _) = open(&mut flash).unwrap();
    let at = DateTime::from_ticks(0, 0).unwrap();
    for round in 0..2000u32 {
        let event = Event { device: (round % 12) as u16, user: Some(1), state: RunState::Fail, at };
        block_on(journal.remove(&mut tally, &event.device)).unwrap();
        let _ = block_on(journal.apply(&mut tally, &event)).unwrap();
    }
    assert_eq!(reopen(&mut flash).1, tally);
}

#[test]
fn a_full_journal_says_so_and_goes_on_with_what_it_has() {
    type Wide = Tally<u64, u64, 500, 5>;
    let mut flash = Mock::<4, 1024>::new(3);
    let mut tally = Wide::new();
    let range = flash.range();
    let (mut journal, _) = block_on(Journal::open(&mut flash, range.clone(), &mut tally)).unwrap();
    let event = |device, tick| Event {
        device,
        user: None,
        state: RunState::Success,
        at: DateTime::from_ticks(tick, 0).unwrap(),
    };
    let mut devices = 0;
    let full = loop {
        match block_on(journal.apply(&mut tally, &event(devices, 0))) {
            Ok(_) => devices += 1,
            Err(full) => break full,
        }
    };
    let Error::Full { live, limit } = full else { panic!("{full}") };
    assert_eq!(u64::from(live), devices * 18);
    assert!(live <= limit && live + 18 > limit);

    // No more wear comes of asking again.
    let erases = journal.flash().erases.clone();
    for _ in 0..50 {
        assert_eq!(block_on(journal.apply(&mut tally, &event(devices, 0))), Err(full));
    }
    assert_eq!(journal.flash().erases, erases);

    for round in 1..3000i64 {
        let known = event(round.cast_unsigned() % devices, round);
        let _ = block_on(journal.apply(&mut tally, &known)).unwrap();
    }
    block_on(journal.remove(&mut tally, &0)).unwrap();
    let _ = block_on(journal.apply(&mut tally, &event(devices, 9))).unwrap();
    let mut restored = Wide::new();
    block_on(Journal::<_, u64, u64, 500, 5>::open(&mut flash, range, &mut restored)).unwrap();
    assert_eq!(restored, tally);
}
