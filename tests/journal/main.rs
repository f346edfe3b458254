//! The journal on flash that loses power, is damaged, fills up, and is opened by the wrong people.

#[path = "../../examples/flash/mod.rs"]
#[allow(unreachable_pub)]
mod flash;
mod power;

mod cuts;
mod damage;
mod forged;
mod record;
mod wear;

use std::ops::Range;

use embassy_futures::block_on;
use power::{Mock, PowerCut, Torn};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use runtally::journal::{Error, Journal, Recovered};
use runtally::strategies::{Effect, Operation, operations};
use runtally::{DateTime, Tally};

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
    flash.faults.revive();
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

/// Written by the first layout, when it was new.
const LAYOUT_1: &[u8; 3 * 1024] = include_bytes!("version-1.flash");

#[test]
fn layout_1_is_refused_by_name() {
    let mut flash = Mock::<4, 1024>::new(3);
    flash.bytes.copy_from_slice(LAYOUT_1);
    let error = open(&mut flash).err();
    assert_eq!(error, Some(Error::Version { found: 1 }));
    assert_eq!(error.unwrap().to_string(), "the journal has layout 1, and this crate reads 2");
    assert_eq!(flash.bytes, LAYOUT_1, "refused is left alone");
}
