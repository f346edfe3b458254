//! A journal on flash whose power is cut, or which is damaged, at any place.
#![no_main]

mod few;
#[allow(dead_code)]
#[path = "../../tests/journal/mock.rs"]
mod mock;

use arbitrary::Arbitrary;
use embassy_futures::block_on;
use few::few;
use libfuzzer_sys::fuzz_target;
use mock::{Mock, PowerCut, Torn};
use runtally::Tally;
use runtally::journal::{Error, Journal, Recovered};
use runtally::strategies::Operation;

type Small = Tally<u16, u16, 5, 3>;
type Flash = Mock<4, 512>;
type Opened<'f> = Journal<&'f mut Flash, u16, u16, 5, 3>;

#[derive(Arbitrary, Debug)]
enum Step {
    Do(Operation<u16, u16>),
    /// The power goes after so many bytes, and what it was changing may then hold anything.
    Cut {
        after: u8,
        noise: u64,
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
        flash.revive();
        let Ok((mut journal, mut tally, recovered)) = open(&mut flash) else {
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
                    if journal.flash().budget == 0 {
                        if journal.flash().late {
                            journal.flash().revive();
                            continue;
                        }
                        break;
                    }
                }
                Step::Cut { after, noise } => {
                    let flash = journal.flash();
                    (flash.budget, flash.torn, flash.late) =
                        (after.into(), Torn::Noise(noise), false);
                }
                Step::Fail { after } => {
                    let flash = journal.flash();
                    (flash.budget, flash.late) = (after.into(), true);
                }
                Step::Restart => break,
                Step::Damage { at, byte } => {
                    let flash = journal.flash();
                    let at = usize::from(at) % flash.bytes.len();
                    flash.bytes[at] = byte;
                    (flash.damaged, damaged) = (true, true);
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
