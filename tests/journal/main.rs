//! The journal on flash that loses power, is damaged, fills up, and is opened by the wrong people.

mod mock;

mod cuts;
mod damage;
mod record;
mod wear;

use std::ops::Range;

use embassy_futures::block_on;
use mock::{Mock, PowerCut, Torn};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use runtally::journal::{Error, Journal, Recovered};
use runtally::strategies::{Effect, Operation, operations};
use runtally::{Counts, DateTime, Event, RunState, Summary, Tally};

type Op = Operation<u16, u16>;
/// Fewer rows than there are devices and users, so that the tally refuses some.
type Small = Tally<u16, u16, 12, 5>;
type Opened<F> = Journal<F, u16, u16, 12, 5>;
type Answer = Result<Effect<u16, u16>, Error<PowerCut>>;

/// Operations at random, the same for the same seed. Time goes on from event to event, more or less,
/// so that most of them change something.
fn trace(seed: u8, len: usize) -> Vec<Op> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let operations = (operations(0..14u16, 0..7u16), -20..20i64);
    let mut next = |now: i64| {
        let (mut operation, jitter) =
            operations.new_tree(&mut runner).expect("no filter").current();
        if let Operation::Apply(event) = &mut operation {
            let ticks = 17_952_534_000_000_000 + (now + jitter) * 10_000_000;
            event.at = DateTime::from_ticks(ticks, event.at.offset()).expect("in range");
        }
        operation
    };
    (0..).map(&mut next).take(len).collect()
}

fn run<F>(journal: &mut Opened<F>, tally: &mut Small, operation: &Op) -> Answer
where
    F: embedded_storage_async::nor_flash::NorFlash<Error = PowerCut>,
{
    block_on(async {
        Ok(match operation {
            Operation::Apply(event) => Effect::Applied(journal.apply(tally, event).await?),
            Operation::Remove(device) => Effect::Removed(journal.remove(tally, device).await?),
            Operation::Retire(device) => Effect::Retired(journal.retire(tally, device).await?),
            Operation::Declare(summary) => {
                journal.declare(tally, summary).await?;
                Effect::Declared
            }
            Operation::DeclareUser { user, devices, last_update } => {
                journal.declare_user(tally, user, *devices, *last_update).await?;
                Effect::Declared
            }
            Operation::UndeclareUser(user) => {
                Effect::Undeclared(journal.undeclare_user(tally, user).await?)
            }
        })
    })
}

/// Opens a journal and looks over what it restores.
fn open<const WORD: usize, const PAGE: usize>(
    flash: &mut Mock<WORD, PAGE>,
) -> Result<(Opened<&mut Mock<WORD, PAGE>>, Small, Recovered), Error<PowerCut>> {
    let range = flash.range();
    let mut tally = Small::new();
    let opened = block_on(Journal::open(flash, range, &mut tally));
    assert_eq!(tally.audit(), Ok(()));
    opened.map(|(journal, recovered)| (journal, tally, recovered))
}

/// A journal that never was damaged.
fn reopen<const WORD: usize, const PAGE: usize>(
    flash: &mut Mock<WORD, PAGE>,
) -> (Opened<&mut Mock<WORD, PAGE>>, Small) {
    flash.revive();
    let (journal, tally, recovered) = open(flash).expect("power cuts alone never shut a journal");
    assert_eq!(recovered.damaged, 0);
    (journal, tally)
}

#[test]
fn what_is_written_is_there_after_opening() {
    for seed in 0..4 {
        let mut flash = Mock::<4, 1024>::new(4);
        let mut mirror = Small::new();
        let mut tally = Small::new();
        let range = flash.range();
        let (mut journal, _) = block_on(Journal::open(&mut flash, range, &mut tally)).unwrap();
        for operation in trace(seed, 1000) {
            let expected = operation.run(&mut mirror).map_err(Error::Refused);
            assert_eq!(run(&mut journal, &mut tally, &operation), expected);
            assert_eq!(tally, mirror);
        }
        assert_eq!(reopen(&mut flash).1, mirror);
    }
}

/// Written by this code when the layout was new, and never again: who changes the layout gives it
/// another number, and adds another file.
const VERSION_1: &[u8; 3 * 1024] = include_bytes!("version-1.flash");

#[test]
fn flash_of_the_first_version_is_written_and_read_as_it_was() {
    let mut flash = Mock::<4, 1024>::new(3);
    let mut tally = Small::new();
    let range = flash.range();
    let (mut journal, _) = block_on(Journal::open(&mut flash, range, &mut tally)).unwrap();
    for n in 0..400_u16 {
        let (device, user) = (n * 7 % 14, n * 5 % 7);
        let state = RunState::ALL[usize::from(n) * 3 % 6];
        let offset = [-480, -150, 180][usize::from(n % 3)];
        let at = DateTime::from_ticks(17_952_534_000_000_000 + i64::from(n), offset).unwrap();
        let counts = Counts::ZERO.with(state, n.into()).unwrap();
        let operation = match n % 16 {
            3 => Op::Remove(device),
            7 => Op::Retire(device),
            9 => Op::DeclareUser { user, devices: counts, last_update: Some(at) },
            11 => {
                let Summary { devices, users, .. } = *tally.summary();
                let more = |counts: Counts| counts.with(state, counts[state] + 9).unwrap();
                let (devices, users) = (more(devices), more(users));
                Op::Declare(Summary { devices, users, last_run: Some(at) })
            }
            13 => Op::UndeclareUser(user),
            _ => Op::Apply(Event { device, user: (n % 5 > 0).then_some(user), state, at }),
        };
        let _ = run(&mut journal, &mut tally, &operation);
    }
    assert!(flash.erases.iter().all(|&erases| erases > 2), "{:?}", flash.erases);
    assert!(flash.bytes == VERSION_1, "the same calls write other bytes");
    assert_eq!(reopen(&mut flash).1, tally);
}
