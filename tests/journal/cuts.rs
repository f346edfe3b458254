//! The power goes at every single byte, and then things go on.

use super::*;
use runtally::{Event, RunState, Summary};

/// What is written to flash, and what must then be there.
struct Life<const WORD: usize, const PAGE: usize> {
    flash: Mock<WORD, PAGE>,
    changes: Vec<Change<u16, u16>>,
    /// The tally before each of the changes, and after the last.
    mirrors: Vec<Small>,
    /// The changes that were acknowledged.
    done: usize,
}

impl<const WORD: usize, const PAGE: usize> Life<WORD, PAGE> {
    fn new(pages: usize, seed: u8, len: usize) -> Self {
        let changes = trace(seed, len);
        let mut mirrors = vec![Small::new()];
        for change in &changes {
            let mut mirror = mirrors.last().unwrap().clone();
            let _ = mirror.commit(change);
            mirrors.push(mirror);
        }
        Self { flash: Mock::new(pages), changes, mirrors, done: 0 }
    }

    /// One session: so many changes, of which the power cuts one or none. Each answers as it should.
    /// True if the power was cut.
    fn session(&mut self, changes: usize, budget: u64) -> bool {
        self.flash.faults.budget = budget;
        let until = self.changes.len().min(self.done + changes);
        let mut ram = Ram::new();
        let opened = match ram.open(&mut self.flash) {
            Err(Error::Flash(PowerCut)) => return true,
            opened => opened,
        };
        let (mut journal, recovered) = opened.expect("cuts never shut a journal");
        assert_eq!(recovered.damaged, 0);
        // The change that was cut last is wholly there or not at all.
        if *journal.tally() != self.mirrors[self.done] {
            self.done += 1;
            assert_same(
                journal.tally(),
                &self.mirrors[self.done],
                "what was acknowledged is there",
            );
        }
        while self.done < until {
            let mut expected = self.mirrors[self.done].clone();
            let expected = expected.commit(&self.changes[self.done]);
            let answer = block_on(journal.commit(&self.changes[self.done]));
            if answer == Err(Error::Flash(PowerCut)) {
                assert_same(journal.tally(), &self.mirrors[self.done], "a failure changes nothing");
                return true;
            }
            assert_eq!(answer, expected.map_err(Error::Refused));
            self.done += 1;
            assert_same(journal.tally(), &self.mirrors[self.done], "committed");
        }
        false
    }

    /// Once more, this time to the end.
    fn session_without_cut(&mut self, changes: usize) {
        let cut = self.session(changes, u64::MAX);
        assert!(!cut);
    }
}

/// Cuts the power at every `step`-th byte that a session writes or erases, opening included, then
/// goes on through further cuts and openings.
fn cut_everywhere<const WORD: usize, const PAGE: usize>(
    pages: usize,
    seed: u8,
    before: usize,
    changes: usize,
    step: u64,
) {
    let mut life = Life::<WORD, PAGE>::new(pages, seed, before + changes + 60);
    life.session_without_cut(before);
    let (flash, done) = (life.flash.clone(), life.done);
    let mut rng = fastrand::Rng::with_seed(seed.into());
    for budget in (0..).step_by(step as usize) {
        life.flash.clone_from(&flash);
        life.done = done;
        life.flash.faults.torn = Torn::number(rng.u64(..));
        if !life.session(changes, budget) {
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
    cut_everywhere::<1, 256>(46, 7, 300, 30, 1);
    cut_everywhere::<2, 256>(100, 8, 300, 30, 1);
    cut_everywhere::<4, 256>(140, 11, 300, 30, 1);
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
    live_on::<1, 256>(46, 4, 2000);
    live_on::<2, 512>(4, 5, 2000);
    live_on::<8, 1024>(2, 6, 2000);
    live_on::<32, 2048>(3, 7, 4000);
    live_on::<4, 4096>(4, 8, 12_000);
}

#[test]
fn a_write_that_was_cut_is_told_once() {
    let mut ram = Ram::new();
    let mut flash = Mock::<4, 1024>::new(3);
    let event = |device, tick| {
        let at = DateTime::from_ticks(tick, 0).unwrap();
        Change::Event(Event { device, user: None, state: RunState::Fail, at })
    };
    let _ = block_on(ram.reopen(&mut flash).commit(&event(1, 1))).unwrap();
    let (mut journal, recovered) = ram.open(&mut flash).unwrap();
    assert_eq!(recovered, Recovered { records: 1, damaged: 0, torn: false });
    journal.flash().faults.budget = 9;
    assert_eq!(block_on(journal.commit(&event(2, 2))), Err(Error::Flash(PowerCut)));
    flash.faults.revive();
    let (_, recovered) = ram.open(&mut flash).unwrap();
    assert_eq!(recovered, Recovered { records: 2, damaged: 0, torn: true });
    let (journal, recovered) = ram.open(&mut flash).unwrap();
    assert_eq!(recovered, Recovered { records: 1, damaged: 0, torn: false });
    assert_eq!(journal.tally().device_count(), 1);
}

/// A driver that gives up now and then, even where the write was done.
#[test]
fn a_change_that_failed_is_gone_once_another_is_written() {
    for seed in 10..16 {
        let mut rng = fastrand::Rng::with_seed(seed.into());
        let mut flash = Mock::<4, 1024>::new(3);
        let mut mirror = Small::new();
        let mut ram = Ram::new();
        let mut journal = ram.reopen(&mut flash);
        let mut failures = 0;
        for change in trace(seed, 1500) {
            let faults = &mut journal.flash().faults;
            faults.late = true;
            faults.torn = Torn::number(rng.u64(..));
            faults.budget = if rng.bool() { u64::MAX } else { rng.u64(4..100) };
            let answer = block_on(journal.commit(&change));
            journal.flash().faults.revive();
            if answer == Err(Error::Flash(PowerCut)) {
                failures += 1;
            } else {
                assert_eq!(answer, mirror.commit(&change).map_err(Error::Refused));
            }
            assert_same(journal.tally(), &mirror, "committed");
        }
        // The last change may have failed as well; this one does not.
        write_one_more(&mut journal, &mut mirror);
        assert!(failures > 100, "{failures}");
        assert_same(&restored(&mut flash), &mirror, "restored");
    }
}

/// A change that nothing refuses, and that changes something.
fn write_one_more<F>(journal: &mut Opened<'_, F>, mirror: &mut Small)
where
    F: embedded_storage_async::nor_flash::NorFlash<Error = PowerCut>,
{
    let last_run = Some(DateTime::MAX);
    let last = Change::Declare(Summary { last_run, ..*mirror.summary() });
    let effect = block_on(journal.commit(&last)).unwrap();
    assert_eq!(effect, mirror.commit(&last).unwrap());
    assert!(effect.is_applied());
}

/// Futures that are dropped before they are done.
#[test]
fn a_call_that_is_given_up_changes_nothing() {
    use embassy_futures::poll_once;
    use std::pin::pin;

    let mut rng = fastrand::Rng::with_seed(9);
    let mut flash = Mock::<4, 1024>::new(3);
    let mut mirror = Small::new();
    let mut ram = Ram::new();
    let mut journal = ram.reopen(&mut flash);
    journal.flash().faults.pauses = true;
    let mut dropped = 0;
    for change in trace(20, 1500) {
        let done = {
            let mut call = pin!(journal.commit(&change));
            (0..rng.u32(1..20)).any(|_| poll_once(call.as_mut()).is_ready())
        };
        if done {
            let _ = mirror.commit(&change);
        } else {
            dropped += 1;
        }
        assert_same(journal.tally(), &mirror, "committed");
    }
    assert!(dropped > 100, "{dropped}");
    write_one_more(&mut journal, &mut mirror);
    assert_same(&restored(&mut flash), &mirror, "restored");
}

/// Rows that take several records when a page leaves the log: a page that has some of them does not
/// count.
#[test]
fn a_power_cut_between_rows_written_again_loses_none() {
    type Wide = Tally<u16, u16, 100, 1>;
    type Flash = Mock<4, 2048>;
    let restore = |flash: &mut Flash| {
        flash.faults.revive();
        let (mut tally, mut memory) = (Wide::new(), Memory::new());
        let range = flash.range();
        let opened = block_on(Journal::open(flash, range, &mut tally, &mut memory));
        assert_eq!(opened.unwrap().1.damaged, 0);
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
            let (mut opened, mut memory) = (Wide::new(), Memory::new());
            let range = flash.range();
            let cut = block_on(async {
                let (mut journal, _) =
                    Journal::open(&mut flash, range, &mut opened, &mut memory).await?;
                let _ = journal.commit(&Change::Event(event)).await?;
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

/// With fewer rows than devices, the tombstones that are displaced are displaced after opening too.
#[test]
fn tombstones_that_were_displaced_are_gone() {
    type Few = Tally<u16, u16, 6, 5>;
    for seed in 0..6 {
        let mut rng = fastrand::Rng::with_seed(seed.into());
        let mut flash = Mock::<4, 1024>::new(3);
        let mut expected = Few::new();
        let mut changes = trace(seed, 3000).into_iter().peekable();
        let mut tombstones = 0;
        while changes.peek().is_some() {
            let (mut tally, mut memory) = (Few::new(), Memory::new());
            let range = flash.range();
            let opened = block_on(Journal::open(&mut flash, range, &mut tally, &mut memory));
            let (mut journal, recovered) = opened.unwrap();
            assert_eq!(recovered.damaged, 0);
            assert_eq!(*journal.tally(), expected);
            for change in changes.by_ref().take(rng.usize(..100)) {
                let _ = block_on(journal.commit(&change));
            }
            tombstones += tally.tombstones().count();
            expected = tally;
        }
        assert!(tombstones > 10, "{tombstones}");
    }
}
