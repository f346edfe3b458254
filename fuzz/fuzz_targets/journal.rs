//! A journal on flash whose power is cut, or which is damaged, at any place.
#![no_main]

mod few;
#[path = "../../examples/flash/mod.rs"]
mod flash;
#[allow(dead_code)]
#[path = "../../tests/journal/power.rs"]
mod power;

use arbitrary::Arbitrary;
use embassy_futures::block_on;
use few::few;
use libfuzzer_sys::fuzz_target;
use power::{Mock, PowerCut, Torn};
use runtally::journal::{Error, Journal, Memory, Recovered};
use runtally::{Change, Tally};

type Small = Tally<u16, u16, 5, 3>;
type Ram = (Small, Memory<5, 3>);
type Flash = Mock<2, 512>;
type Opened<'r> = Journal<'r, &'r mut Flash, u16, u16, 5, 3>;

#[derive(Arbitrary, Debug)]
enum Step {
    Do(Change<u16, u16>),
    /// The power goes after so many bytes.
    Cut {
        after: u16,
        torn: u64,
    },
    /// The driver gives up after so many bytes.
    Fail {
        after: u8,
    },
    Restart,
    Damage {
        at: u16,
        byte: u8,
    },
}

fuzz_target!(|input: (u8, Vec<Step>)| {
    let (pages, steps) = input;
    let mut flash = Flash::new(2 + usize::from(pages % 4));
    let mut ram = (Small::new(), Memory::new());
    let mut mirror = Small::new();
    // What the tally would be if a change that failed since the last one that did not is there.
    let mut perhaps: Vec<Small> = Vec::new();
    let mut damaged = false;
    let mut steps = steps.into_iter().peekable();
    // Each round is one session, from power on to power off.
    while steps.peek().is_some() {
        // The power may go while it is opened, too.
        let _ = open(&mut flash, &mut ram).map(drop);
        if flash.faults.budget == 0 {
            flash.faults.revive();
        }
        let Ok((mut journal, recovered)) = open(&mut flash, &mut ram) else {
            assert!(damaged, "power cuts alone never shut a journal");
            return;
        };
        let found = journal.tally();
        if !damaged {
            assert_eq!(recovered.damaged, 0);
            assert!(*found == mirror || perhaps.contains(found), "{found:?}, and not {mirror:?}");
        }
        mirror.clone_from(found);
        perhaps.clear();
        for step in steps.by_ref() {
            match step {
                Step::Do(change) => {
                    let change = few(change);
                    let before = mirror.clone();
                    let expected = mirror.commit(&change).map_err(Error::Refused);
                    let answer = block_on(journal.commit(&change));
                    if let Err(Error::Flash(PowerCut)) = answer {
                        perhaps.push(core::mem::replace(&mut mirror, before));
                    } else {
                        assert_eq!(answer, expected, "{change:?}");
                        if mirror != before {
                            perhaps.clear();
                        }
                    }
                    assert_eq!(*journal.tally(), mirror, "{change:?}");
                    let faults = &mut journal.flash().faults;
                    if faults.budget == 0 {
                        faults.revive();
                        if faults.late {
                            continue;
                        }
                        break;
                    }
                }
                Step::Cut { after, torn } => {
                    let faults = &mut journal.flash().faults;
                    faults.torn = Torn::number(torn);
                    (faults.budget, faults.late) = (u64::from(after) % 1500, false);
                }
                Step::Fail { after } => {
                    let faults = &mut journal.flash().faults;
                    (faults.budget, faults.late) = (after.into(), true);
                }
                Step::Restart => break,
                Step::Damage { at, byte } => {
                    let flash = journal.flash();
                    let at = usize::from(at) % flash.bytes.len();
                    flash.bytes[at] = byte;
                    (flash.faults.damaged, damaged) = (true, true);
                    break;
                }
            }
        }
    }
});

fn open<'r>(
    flash: &'r mut Flash,
    (tally, memory): &'r mut Ram,
) -> Result<(Opened<'r>, Recovered), Error<PowerCut>> {
    const { assert!(Opened::PAGES <= 2, "so that no tombstone is forgotten for want of room") };
    tally.clear();
    let range = flash.range();
    let opened = block_on(Journal::open(flash, range, tally, memory));
    if let Ok((journal, _)) = &opened {
        assert_eq!(journal.tally().audit(), Ok(()));
    }
    opened
}
