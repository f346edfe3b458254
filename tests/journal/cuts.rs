//! The power goes at every single byte.

use super::*;
use runtally::{Event, RunState};

/// Cuts the power at every byte that every operation of a trace writes or erases.
fn cut_everywhere<const WORD: usize, const PAGE: usize>(
    pages: usize,
    seed: u8,
    len: usize,
    torn: Torn,
) {
    let mut flash = Mock::<WORD, PAGE>::new(pages);
    flash.torn = torn;
    let mut mirror = Small::new();
    let mut cuts = 0u32;
    for operation in trace(seed, len) {
        let before = mirror.clone();
        let expected = operation.run(&mut mirror).map_err(Error::Refused);
        let intact = flash.clone();
        for budget in 0.. {
            flash.clone_from(&intact);
            let (mut journal, mut tally) = reopen(&mut flash);
            assert_eq!(tally, before);
            journal.flash().budget = budget;
            let answer = run(&mut journal, &mut tally, &operation);
            let unspent = journal.flash().budget > 0;
            if answer == Err(Error::Flash(PowerCut)) {
                cuts += 1;
                assert_eq!(tally, before, "a call that fails changes nothing");
            } else {
                assert_eq!(answer, expected);
                assert_eq!(tally, mirror);
            }
            let (_, tally) = reopen(&mut flash);
            match answer {
                Err(_) => {
                    assert!(tally == before || tally == mirror, "wholly there or wholly absent");
                }

                Ok(_) => assert_eq!(tally, mirror, "what was acknowledged is there"),
            }
            if unspent {
                break;
            }
        }
    }
    assert!(cuts > 1000, "{cuts} cuts");
    assert!(flash.erases.iter().all(|&erases| erases > 0), "{:?}", flash.erases);
}

#[test]
fn a_power_cut_at_any_byte_loses_nothing_acknowledged() {
    cut_everywhere::<4, 1024>(3, 1, 150, Torn::Prefix);
}

#[test]
fn whatever_a_torn_page_holds_nothing_is_lost() {
    cut_everywhere::<4, 1024>(3, 2, 150, Torn::Suffix);
    cut_everywhere::<4, 1024>(3, 3, 150, Torn::Noise(3));
}

#[test]
fn words_of_any_size_lose_nothing() {
    cut_everywhere::<1, 512>(4, 4, 120, Torn::Noise(4));
    cut_everywhere::<8, 1024>(2, 5, 100, Torn::Prefix);
    cut_everywhere::<32, 2048>(3, 6, 150, Torn::Noise(6));
}

/// Cuts the power again and again in the midst of long traces, while opening as well.
#[test]
fn a_life_of_power_cuts_loses_nothing_acknowledged() {
    for seed in 0..6 {
        let mut rng = fastrand::Rng::with_seed(seed.into());
        let mut flash = Mock::<4, 1024>::new(3);
        let mut mirror = Small::new();
        let operations = trace(seed, 3000);
        let mut at = 0;
        while at < operations.len() {
            flash.torn = [Torn::Prefix, Torn::Suffix, Torn::Noise(rng.u64(..))][rng.usize(..3)];
            flash.revive();
            flash.budget = rng.u64(..40);
            if open(&mut flash).is_err() {
                continue;
            }
            let (mut journal, mut tally) = reopen(&mut flash);
            journal.flash().budget = rng.u64(..4000);
            let mut next = mirror.clone();
            while at < operations.len() {
                let expected = operations[at].run(&mut next).map_err(Error::Refused);
                let answer = run(&mut journal, &mut tally, &operations[at]);
                if answer == Err(Error::Flash(PowerCut)) {
                    break;
                }
                assert_eq!(answer, expected);
                mirror.clone_from(&next);
                at += 1;
            }
            let (_, tally) = reopen(&mut flash);
            assert!(tally == mirror || tally == next);
            if tally != mirror {
                mirror = next;
                at += 1;
            }
        }
        assert!(flash.erases.iter().sum::<u32>() > 50);
    }
}

/// A driver that gives up now and then, even where the write was done.
#[test]
fn a_change_that_failed_is_gone_once_another_is_written() {
    for seed in 10..16 {
        let mut rng = fastrand::Rng::with_seed(seed.into());
        let mut flash = Mock::<4, 1024>::new(3);
        let mut mirror = Small::new();
        let (mut journal, mut tally, _) = open(&mut flash).unwrap();
        let mut failures = 0;
        for operation in trace(seed, 1500) {
            let flash = journal.flash();
            flash.late = true;
            flash.budget = if rng.bool() { u64::MAX } else { rng.u64(4..100) };
            let answer = run(&mut journal, &mut tally, &operation);
            journal.flash().revive();
            if answer == Err(Error::Flash(PowerCut)) {
                failures += 1;
            } else {
                assert_eq!(answer, operation.run(&mut mirror).map_err(Error::Refused));
            }
            assert_eq!(tally, mirror);
        }
        // The last change may have failed as well; this one does not.
        let last = Operation::Declare(*mirror.summary());
        assert_eq!(run(&mut journal, &mut tally, &last), Ok(Effect::Declared));
        assert!(failures > 100, "{failures}");
        assert_eq!(reopen(&mut flash).1, mirror);
    }
}

/// Futures that are dropped before they are done.
#[test]
fn a_call_that_is_given_up_changes_nothing() {
    use embassy_futures::poll_once;
    use std::pin::pin;

    let mut rng = fastrand::Rng::with_seed(9);
    let mut flash = Mock::<4, 1024>::new(3);
    let mut mirror = Small::new();
    let (mut journal, mut tally, _) = open(&mut flash).unwrap();
    journal.flash().pauses = true;
    let mut dropped = 0;
    for operation in trace(20, 1500) {
        let Operation::Apply(event) = operation else { continue };
        let done = {
            let mut call = pin!(journal.apply(&mut tally, &event));
            (0..rng.u32(1..20)).any(|_| poll_once(call.as_mut()).is_ready())
        };
        if done {
            let _ = operation.run(&mut mirror);
        } else {
            dropped += 1;
            journal.flash().revive();
        }
        assert_eq!(tally, mirror);
    }
    assert!(dropped > 100, "{dropped}");
    let last = Operation::Declare(*mirror.summary());
    assert_eq!(run(&mut journal, &mut tally, &last), Ok(Effect::Declared));
    assert_eq!(reopen(&mut flash).1, mirror);
}

/// Rows that take several records when a page leaves the log: a page that has some of them does not
/// count.
#[test]
fn a_power_cut_between_rows_brought_along_loses_none() {
    type Wide = Tally<u16, u16, 100, 1>;
    type Flash = Mock<4, 2048>;
    let restore = |flash: &mut Flash| {
        flash.revive();
        let mut tally = Wide::new();
        let range = flash.range();
        block_on(Journal::<_, u16, u16, 100, 1>::open(flash, range, &mut tally)).unwrap();
        tally
    };
    let mut rng = fastrand::Rng::with_seed(7);
    let mut flash = Flash::new(3);
    let mut tally = Wide::new();
    for tick in 0..400 {
        let event = Event {
            device: if tick < 100 { tick } else { rng.u16(..100) },
            user: None,
            state: RunState::ALL[rng.usize(..6)],
            at: DateTime::from_ticks(tick.into(), 0).unwrap(),
        };
        let intact = flash.clone();
        let mut after = tally.clone();
        let _ = after.apply(&event).unwrap();
        for budget in (0..).step_by(9) {
            flash.clone_from(&intact);
            let mut opened = Wide::new();
            let range = flash.range();
            let (mut journal, recovered) =
                block_on(Journal::open(&mut flash, range, &mut opened)).unwrap();
            assert_eq!((recovered.damaged, &opened), (0, &tally));
            journal.flash().budget = budget;
            let cut = block_on(journal.apply(&mut opened, &event)).is_err();
            let restored = restore(&mut flash);
            assert!(restored == after || cut && restored == tally);
            if !cut {
                break;
            }
        }
        tally = after;
    }
    assert!(flash.erases.iter().all(|&erases| erases > 1));
}
