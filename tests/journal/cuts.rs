//! The power goes at every single byte, and then things go on.

use super::*;
use runtally::{Event, RunState};

/// What is written to flash, and what must then be there.
struct Life<const WORD: usize, const PAGE: usize> {
    flash: Mock<WORD, PAGE>,
    operations: Vec<Op>,
    /// The tally before each of the operations, and after the last.
    mirrors: Vec<Small>,
    /// The operations that were acknowledged.
    done: usize,
}

impl<const WORD: usize, const PAGE: usize> Life<WORD, PAGE> {
    fn new(pages: usize, seed: u8, len: usize) -> Self {
        let operations = trace(seed, len);
        let mut mirrors = vec![Small::new()];
        for operation in &operations {
            let mut mirror = mirrors.last().unwrap().clone();
            let _ = operation.run(&mut mirror);
            mirrors.push(mirror);
        }
        Self { flash: Mock::new(pages), operations, mirrors, done: 0 }
    }

    /// One session: so many operations, of which the power cuts one or none. Each answers as it
    /// should. True if the power was cut.
    fn session(&mut self, operations: usize, budget: u64) -> bool {
        self.flash.faults.budget = budget;
        let until = self.operations.len().min(self.done + operations);
        let opened = match open(&mut self.flash) {
            Err(Error::Flash(PowerCut)) => return true,
            opened => opened,
        };
        let (mut journal, mut tally, recovered) = opened.expect("cuts never shut a journal");
        assert_eq!(recovered.damaged, 0);
        // The operation that was cut last is wholly there or not at all.
        if tally != self.mirrors[self.done] {
            self.done += 1;
            assert_eq!(tally, self.mirrors[self.done], "what was acknowledged is there");
        }
        while self.done < until {
            let mut expected = self.mirrors[self.done].clone();
            let expected = self.operations[self.done].run(&mut expected);
            let answer = run(&mut journal, &mut tally, &self.operations[self.done]);
            if answer == Err(Error::Flash(PowerCut)) {
                assert_eq!(tally, self.mirrors[self.done], "a call that fails changes nothing");
                return true;
            }
            assert_eq!(answer, expected.map_err(Error::Refused));
            self.done += 1;
            assert_eq!(tally, self.mirrors[self.done]);
        }
        false
    }

    /// Once more, this time to the end.
    fn session_without_cut(&mut self, operations: usize) {
        let cut = self.session(operations, u64::MAX);
        assert!(!cut);
    }
}

/// Cuts the power at every `step`-th byte that a session writes or erases, opening included, then
/// goes on through further cuts and openings.
fn cut_everywhere<const WORD: usize, const PAGE: usize>(
    pages: usize,
    seed: u8,
    before: usize,
    operations: usize,
    step: u64,
) {
    let mut life = Life::<WORD, PAGE>::new(pages, seed, before + operations + 60);
    life.session_without_cut(before);
    let (flash, done) = (life.flash.clone(), life.done);
    let mut rng = fastrand::Rng::with_seed(seed.into());
    for budget in (0..).step_by(step as usize) {
        life.flash.clone_from(&flash);
        life.done = done;
        life.flash.faults.torn = Torn::number(rng.u64(..));
        if !life.session(operations, budget) {
            return;
        }
        for _ in 0..3 {
            // Now in the midst of opening, now in that of a change.
            life.flash.faults.torn = Torn::number(rng.u64(..));
            life.session(12, rng.u64(..2 * PAGE as u64));
            // And without writing.
            life.session_without_cut(0);
            life.session_without_cut(rng.usize(0..3));
        }
        life.session_without_cut(0);
    }
}

#[test]
fn a_power_cut_at_any_byte_loses_nothing_acknowledged() {
    cut_everywhere::<4, 1024>(3, 1, 400, 90, 1);
    cut_everywhere::<4, 1024>(3, 2, 0, 60, 1);
}

#[test]
fn words_of_any_size_lose_nothing() {
    cut_everywhere::<1, 512>(4, 3, 300, 50, 1);
    cut_everywhere::<2, 512>(3, 4, 300, 50, 1);
    cut_everywhere::<8, 1024>(2, 5, 300, 50, 1);
    cut_everywhere::<32, 2048>(3, 6, 500, 60, 3);
}

#[test]
fn pages_of_any_size_lose_nothing() {
    cut_everywhere::<1, 256>(12, 7, 300, 30, 1);
    cut_everywhere::<4, 256>(14, 8, 300, 30, 1);
    cut_everywhere::<4, 4096>(2, 9, 600, 90, 11);
    cut_everywhere::<4, 65_536>(2, 10, 6000, 300, 499);
}

/// Cuts the power again and again in the midst of long traces, while opening as well.
fn live_on<const WORD: usize, const PAGE: usize>(pages: usize, seed: u8, len: usize) {
    let mut rng = fastrand::Rng::with_seed(seed.into());
    let mut life = Life::<WORD, PAGE>::new(pages, seed, len);
    let mut cuts = 0;
    while life.done < len {
        life.flash.faults.torn = Torn::number(rng.u64(..));
        let most = [40, 400, 4 * PAGE as u64][rng.usize(..3)];
        cuts += u32::from(life.session(len, rng.u64(..most)));
        life.session_without_cut(0);
    }
    assert!(cuts > 100, "{cuts} cuts");
    let (least, most) = (life.flash.erases.iter().min(), life.flash.erases.iter().max());
    assert!(least > Some(&10), "{least:?} to {most:?}");
}

#[test]
fn a_life_of_power_cuts_loses_nothing_acknowledged() {
    for seed in 0..4 {
        live_on::<4, 1024>(3, seed, 3000);
    }
    live_on::<1, 256>(12, 4, 2000);
    live_on::<2, 512>(4, 5, 2000);
    live_on::<8, 1024>(2, 6, 2000);
    live_on::<32, 2048>(3, 7, 4000);
    live_on::<4, 4096>(4, 8, 12_000);
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
            let faults = &mut journal.flash().faults;
            faults.late = true;
            faults.torn = Torn::number(rng.u64(..));
            faults.budget = if rng.bool() { u64::MAX } else { rng.u64(4..100) };
            let answer = run(&mut journal, &mut tally, &operation);
            journal.flash().faults.revive();
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
    journal.flash().faults.pauses = true;
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
fn a_power_cut_between_rows_written_again_loses_none() {
    type Wide = Tally<u16, u16, 100, 1>;
    type Flash = Mock<4, 2048>;
    let restore = |flash: &mut Flash| {
        flash.faults.revive();
        let mut tally = Wide::new();
        let range = flash.range();
        let (_, recovered) =
            block_on(Journal::<_, u16, u16, 100, 1>::open(flash, range, &mut tally)).unwrap();
        assert_eq!(recovered.damaged, 0);
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
        for budget in (0..).step_by(29) {
            flash.clone_from(&intact);
            flash.faults.torn = Torn::number(budget / 29);
            flash.faults.budget = budget;
            let mut opened = Wide::new();
            let range = flash.range();
            let cut = block_on(async {
                let (mut journal, _) = Journal::open(&mut flash, range, &mut opened).await?;
                let _ = journal.apply(&mut opened, &event).await?;
                Ok::<_, Error<PowerCut>>(())
            })
            .is_err();
            let restored = restore(&mut flash);
            assert!(restored == after || cut && restored == tally);
            assert_eq!(restore(&mut flash), restored);
            if !cut {
                break;
            }
        }
        tally = after;
    }
    assert!(flash.erases.iter().all(|&erases| erases > 1));
}
