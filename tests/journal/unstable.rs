//! Words that read differently each time, in records whose last byte has but one bit to be cleared:
//! every second time they read as whole.

use super::*;
use runtally::{Counts, Event, RunState, Summary};

type Flash = Mock<1, 512>;
type Both = (Tally<u16, u16, 14, 5>, Memory<14, 5>);
type Log<'r> = Journal<'r, &'r mut Flash, u16, u16, 14, 5>;

/// A device whose last byte is `fe`.
fn event(device: u16, tick: i64) -> Change<u16, u16> {
    let at = DateTime::from_ticks(tick, 0).unwrap();
    let device = 0xfe00 | device;
    Change::Event(Event { device, user: None, state: RunState::Success, at })
}

fn start<'r>(
    flash: &'r mut Flash,
    (tally, memory): &'r mut Both,
    budget: u64,
) -> Result<Log<'r>, Error<PowerCut>> {
    flash.faults.budget = budget;
    tally.clear();
    let range = flash.range();
    let (journal, recovered) = block_on(Journal::open(flash, range, tally, memory))?;
    assert_eq!(recovered.damaged, 0);
    Ok(journal)
}

/// A change whose write was cut in its last byte: what the next opening makes of it stays.
#[test]
fn a_change_that_was_there_once_is_there() {
    let mut ram = (Tally::new(), Memory::new());
    let mut there = 0;
    for seed in 0..400 {
        let mut flash = Flash::new(3);
        flash.faults.torn = Torn::Unstable(seed);
        let mut journal = start(&mut flash, &mut ram, u64::MAX).unwrap();
        let _ = block_on(journal.commit(&event(1, 1))).unwrap();
        let before = journal.tally().clone();
        // All of the record but its last byte.
        let record = u64::from(8 + 10 + 2 - 1_u32);
        journal.flash().faults.budget = record;
        assert_eq!(block_on(journal.commit(&event(2, 2))), Err(Error::Flash(PowerCut)));
        // No two runs read the same.
        for _ in 0..seed % 7 {
            let _ = start(&mut flash, &mut ram, 1);
        }
        let journal = start(&mut flash, &mut ram, u64::MAX).unwrap();
        let mut expected = journal.tally().clone();
        there += u32::from(expected != before);
        for tick in 3..9 {
            let mut journal = start(&mut flash, &mut ram, u64::MAX).unwrap();
            assert_same(journal.tally(), &expected, &format!("seed {seed}, {tick}"));
            if tick % 2 == 0 {
                let _ = block_on(journal.commit(&event(3, tick))).unwrap();
                expected = journal.tally().clone();
            }
        }
    }
    assert!((100..300).contains(&there), "{there} of 400");
}

/// A page whose commit record was cut in its last byte: while it cannot be told whether the page
/// counts, the one that leaves is not given up.
#[test]
fn a_page_that_counted_once_loses_nothing() {
    let mut ram = (Tally::new(), Memory::new());
    // The last of the totals, so the last byte of the commit record, is 7f.
    let users = Counts::ZERO.with(RunState::NotApplicable, Counts::MAX).unwrap();
    let declared = Change::Declare(Summary { users, ..Summary::ZERO });
    let mut flash = Flash::new(3);
    let mut journal = start(&mut flash, &mut ram, u64::MAX).unwrap();
    let _ = block_on(journal.commit(&declared)).unwrap();
    // Until the next change begins a page, and each page holds rows that no other holds.
    for tick in 1.. {
        let intact = (**journal.flash()).clone();
        let erases: u32 = intact.erases.iter().sum();
        let tally = journal.tally().clone();
        let change = event(if tick < 12 { tick } else { tick % 4 }, tick.into());
        let _ = block_on(journal.commit(&change)).unwrap();
        if journal.flash().erases.iter().sum::<u32>() > erases && erases > 4 {
            let after = journal.tally().clone();
            return cut_the_commit_record(&intact, &change, &tally, &after);
        }
    }
}

fn cut_the_commit_record(intact: &Flash, change: &Change<u16, u16>, before: &Small, after: &Small) {
    let mut ram = (Tally::new(), Memory::new());
    let mut rng = fastrand::Rng::with_seed(1);
    for round in 0..3 {
        for budget in 0..2000 {
            let mut flash = intact.clone();
            flash.faults.torn = Torn::Unstable(budget);
            let opened = start(&mut flash, &mut ram, budget);
            let answer = match opened {
                Ok(mut journal) => block_on(journal.commit(change)),
                Err(error) => Err(error),
            };
            // Cut again, in the midst of what opening makes of it.
            for _ in 0..4 {
                let _ = start(&mut flash, &mut ram, rng.u64(1..900)).map(|_| ());
            }
            let journal = start(&mut flash, &mut ram, u64::MAX).unwrap();
            let tally = journal.tally();
            let expected = if answer.is_ok() || tally == after { after } else { before };
            assert_same(tally, expected, &format!("round {round}, budget {budget}"));
        }
    }
}
