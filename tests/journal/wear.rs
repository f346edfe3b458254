//! Filling up, compaction and wear.

use super::*;
use runtally::{Counts, Event, RunState};

#[test]
fn pages_wear_alike() {
    for pages in [2, 3, 8] {
        let mut flash = Mock::<4, 1024>::new(pages);
        let mut mirror = Small::new();
        let mut ram = Ram::new();
        for session in 0..24 {
            let mut journal = ram.reopen(&mut flash);
            assert_same(journal.tally(), &mirror, &format!("session {session}"));
            for change in trace(session, 600) {
                let expected = mirror.commit(&change).map_err(Error::Refused);
                assert_eq!(block_on(journal.commit(&change)), expected);
                assert_same(journal.tally(), &mirror, &format!("{pages} pages, {change:?}"));
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
    type Flash = Mock<4, 4096>;
    type Log<'t, F> = Journal<'t, F, u32, [u8; 40], 200, 50>;

    let mut flash = Flash::new(Log::<Flash>::PAGES as usize);
    let (mut tally, mut memory) = (Full::new(), Memory::new());
    let mut mirror = Full::new();
    let mut rng = fastrand::Rng::with_seed(1);
    let range = flash.range();
    let opened = Journal::open(&mut flash, range.clone(), &mut tally, &mut memory);
    let (mut journal, _) = block_on(opened).unwrap();
    let user = |n: u8| [n; 40];
    let mut commit = |change: Change<u32, [u8; 40]>| {
        let answer = block_on(journal.commit(&change));
        assert_eq!(answer, mirror.commit(&change).map_err(Error::Refused));
    };
    for n in 0..50 {
        let counts = Counts::default();
        let devices = RunState::ALL.into_iter().fold(counts, |c, state| c.with(state, 9).unwrap());
        let last_update = DateTime::from_ticks(n.into(), 0).ok();
        commit(Change::DeclareUser { user: user(n), devices, last_update });
    }
    for tick in 100..20_000 {
        let at = DateTime::from_ticks(tick, 0).unwrap();
        let device = rng.u32(..200);
        commit(match rng.u8(..20) {
            0 => Change::Retire { device },
            1 => Change::Remove { device, at },
            _ => Change::Event(Event {
                device,
                user: Some(user(rng.u8(..50))),
                state: RunState::ALL[rng.usize(..6)],
                at,
            }),
        });
    }
    assert_eq!(tally, mirror);
    let mut restored = (Full::new(), Memory::new());
    block_on(Journal::open(&mut flash, range, &mut restored.0, &mut restored.1)).unwrap();
    assert_eq!(restored.0, mirror);
}

/// Removing and reporting again and again leaves records behind of which one counts.
#[test]
fn the_same_device_over_and_over_takes_no_room() {
    let mut flash = Mock::<4, 1024>::new(3);
    let mut ram = Ram::new();
    let mut journal = ram.reopen(&mut flash);
    for round in 0..2000_i64 {
        let at = DateTime::from_ticks(round, 0).unwrap();
        let device = round.cast_unsigned() as u16 % 12;
        let event = Event { device, user: Some(1), state: RunState::Fail, at };
        let _ = block_on(journal.commit(&Change::Event(event))).unwrap();
        let _ = block_on(journal.commit(&Change::Remove { device, at })).unwrap();
    }
    let tally = journal.tally().clone();
    assert_eq!(tally.tombstones().count(), 12);
    assert_same(&restored(&mut flash), &tally, "restored");
}

#[test]
fn a_change_that_does_not_fit_forgets_no_tombstone() {
    type Small = Tally<u16, u16, 64, 8>;
    let mut flash = Mock::<4, 1024>::new(2);
    let (mut tally, mut memory) = (Small::new(), Memory::new());
    let range = flash.range();
    let opened = Journal::open(&mut flash, range, &mut tally, &mut memory);
    let (mut journal, _) = block_on(opened).unwrap();
    let at = DateTime::from_ticks(7, 0).unwrap();
    let event = |device| Event { device, user: Some(1), state: RunState::Fail, at };
    let removal = |device| Change::Remove { device, at };
    let devices = Counts::try_from([1; 6]).unwrap();
    let declaration = Change::DeclareUser { user: 2, devices, last_update: Some(at) };
    let mut refused = 0;
    for device in 0..60 {
        // There is one tombstone, and a declaration is larger.
        let Ok(effect) = block_on(journal.commit(&Change::Event(event(device)))) else { break };
        assert!(effect.is_applied());
        if journal.tally().tombstones().count() == 0 {
            let Ok(_) = block_on(journal.commit(&removal(1000 + device))) else { break };
        }
        let (before, written) = (journal.tally().clone(), journal.flash().written);
        if let Err(Error::Full { .. }) = block_on(journal.commit(&declaration)) {
            refused += 1;
            assert_eq!(*journal.tally(), before);
            assert_eq!(journal.tally().tombstones().count(), before.tombstones().count());
            assert_eq!(journal.flash().written, written);
        } else {
            let undone = block_on(journal.commit(&Change::UndeclareUser { user: 2 })).unwrap();
            assert!(undone.is_applied());
        }
    }
    assert!(refused > 0);
}

#[test]
fn a_full_journal_says_so_and_goes_on_with_what_it_has() {
    type Wide = Tally<u64, u64, 500, 5>;
    let mut flash = Mock::<4, 1024>::new(3);
    let (mut tally, mut memory) = (Wide::new(), Memory::new());
    let range = flash.range();
    let opened = Journal::open(&mut flash, range.clone(), &mut tally, &mut memory);
    let (mut journal, _) = block_on(opened).unwrap();
    let event = |device, tick| {
        let at = DateTime::from_ticks(tick, 0).unwrap();
        Change::Event(Event { device, user: None, state: RunState::Success, at })
    };
    let mut devices = 0;
    let full = loop {
        match block_on(journal.commit(&event(devices, 0))) {
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
        assert_eq!(block_on(journal.commit(&event(devices, 0))), Err(full));
    }
    assert_eq!(journal.flash().erases, erases);

    for round in 1..3000i64 {
        let known = event(round.cast_unsigned() % devices, round);
        let _ = block_on(journal.commit(&known)).unwrap();
    }
    // A tombstone stays until there is no room for it.
    let at = DateTime::from_ticks(5000, 0).unwrap();
    let _ = block_on(journal.commit(&Change::Remove { device: 0, at })).unwrap();
    assert_eq!(journal.tally().tombstones().count(), 1);
    let _ = block_on(journal.commit(&event(devices, 9))).unwrap();
    assert_eq!(journal.tally().tombstones().count(), 0);
    assert!(matches!(block_on(journal.commit(&event(devices + 1, 9))), Err(Error::Full { .. })));
    let mut restored = (Wide::new(), Memory::new());
    block_on(Journal::open(&mut flash, range, &mut restored.0, &mut restored.1)).unwrap();
    assert_eq!(restored.0, tally);
}
