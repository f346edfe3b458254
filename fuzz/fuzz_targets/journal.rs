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
use runtally::Tally;
use runtally::journal::{Error, Journal, Recovered};
use runtally::strategies::Operation;

type Small = Tally<u16, u16, 5, 3>;
type Flash = Mock<2, 512>;
type Opened<'f> = Journal<&'f mut Flash, u16, u16, 5, 3>;

#[derive(Arbitrary, Debug)]
enum Step {
    Do(Operation<u16, u16>),
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
    let mut mirror = Small::new();
    // What the tally would be if a change that failed since the last one that did not is there.
    let mut perhaps: Vec<Small> = Vec::new();
    let mut damaged = false;
    let mut steps = steps.into_iter().peekable();
    // Each round is one session, from power on to power off.
    while steps.peek().is_some() {
        // The power may go while it is opened, too.
        let opened = match open(&mut flash) {
            Err(Error::Flash(PowerCut)) => {
                flash.faults.revive();
                open(&mut flash)
            }
            opened => opened,
        };
        let Ok((mut journal, mut tally, recovered)) = opened else {
            assert!(damaged, "power cuts alone never shut a journal");
            return;
        };
        if !damaged {
            assert_eq!(recovered.damaged, 0);
            assert!(tally == mirror || perhaps.contains(&tally), "{tally:?}, and not {mirror:?}");
        }
        mirror.clone_from(&tally);
        perhaps.clear();
        for step in steps.by_ref() {
            match step {
                Step::Do(operation) => {
                    let operation = few(operation);
                    let before = mirror.clone();
                    let expected = operation.run(&mut mirror).map(drop).map_err(Error::Refused);
                    let answer = run(&mut journal, &mut tally, &operation);
                    match answer {
                        Err(Error::Flash(PowerCut)) => {
                            perhaps.push(core::mem::replace(&mut mirror, before));
                        }
                        Err(Error::Full { .. }) => mirror = before,
                        Err(Error::Corrupted) if damaged => return,
                        _ => {
                            assert_eq!(answer, expected, "{operation:?}");
                            if mirror != before {
                                perhaps.clear();
                            }
                        }
                    }
                    assert_eq!(tally, mirror, "{operation:?}");
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

fn open(flash: &mut Flash) -> Result<(Opened<'_>, Small, Recovered), Error<PowerCut>> {
    let range = flash.range();
    let mut tally = Small::new();
    let opened = block_on(Journal::open(flash, range, &mut tally));
    assert_eq!(tally.audit(), Ok(()));
    opened.map(|(journal, recovered)| (journal, tally, recovered))
}

fn run(
    journal: &mut Opened<'_>,
    tally: &mut Small,
    operation: &Operation<u16, u16>,
) -> Result<(), Error<PowerCut>> {
    block_on(async {
        match operation {
            Operation::Apply(event) => journal.apply(tally, event).await.map(drop),
            Operation::Remove(device) => journal.remove(tally, device).await.map(drop),
            Operation::Retire(device) => journal.retire(tally, device).await.map(drop),
            Operation::Declare(summary) => journal.declare(tally, summary).await,
            Operation::DeclareUser { user, devices, last_update } => {
                journal.declare_user(tally, user, *devices, *last_update).await
            }
            Operation::UndeclareUser(user) => journal.undeclare_user(tally, user).await.map(drop),
        }
    })
}
