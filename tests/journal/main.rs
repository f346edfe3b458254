//! The journal on flash that loses power, is damaged, fills up, and is opened by the wrong people.

#[path = "../../examples/flash/mod.rs"]
#[allow(unreachable_pub)]
mod flash;
mod power;

mod cuts;
mod damage;
mod forged;
mod unstable;
mod wear;

use std::ops::Range;

use embassy_futures::block_on;
use power::{Mock, PowerCut, Torn};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use runtally::journal::{Error, Journal, Memory, Recovered};
use runtally::strategies::changes;
use runtally::{Change, DateTime, Entry, Tally};

/// A row for each device, so that no tombstone is displaced; fewer for users, so that some are
/// refused.
type Small = Tally<u16, u16, 14, 5>;
type Opened<'t, F> = Journal<'t, F, u16, u16, 14, 5>;

/// Changes at random, the same for the same seed. Time goes on from one to the next, more or less,
/// so that most of them change something.
fn trace(seed: u8, len: usize) -> Vec<Change<u16, u16>> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let changes = (changes(0..14u16, 0..7u16), -20..20i64);
    let mut next = |now: i64| {
        let (mut change, jitter) = changes.new_tree(&mut runner).expect("no filter").current();
        let soon = |at: DateTime, jitter| {
            let ticks = 17_952_534_000_000_000 + (now + jitter) * 10_000_000;
            DateTime::from_ticks(ticks, at.offset()).expect("in range")
        };
        match &mut change {
            Change::Event(event) => event.at = soon(event.at, jitter),
            Change::Remove { at, .. } => *at = soon(*at, jitter),
            Change::RunFrom(at) => *at = soon(*at, -50),
            _ => {}
        }
        change
    };
    (0..).map(&mut next).take(len).collect()
}

/// A tally and what a journal of it works in.
struct Ram(Small, Memory<14, 5>);

impl Ram {
    fn new() -> Self {
        Self(Small::new(), Memory::new())
    }

    /// Opens a journal and looks over what it restores.
    fn open<'r, const WORD: usize, const PAGE: usize>(
        &'r mut self,
        flash: &'r mut Mock<WORD, PAGE>,
    ) -> Result<(Opened<'r, &'r mut Mock<WORD, PAGE>>, Recovered), Error<PowerCut>> {
        self.0.clear();
        let range = flash.range();
        let opened = block_on(Journal::open(flash, range, &mut self.0, &mut self.1));
        if let Ok((journal, _)) = &opened {
            assert_eq!(journal.tally().audit(), Ok(()));
        }
        opened
    }

    /// A journal that never was damaged.
    fn reopen<'r, const WORD: usize, const PAGE: usize>(
        &'r mut self,
        flash: &'r mut Mock<WORD, PAGE>,
    ) -> Opened<'r, &'r mut Mock<WORD, PAGE>> {
        flash.faults.revive();
        let (journal, recovered) = self.open(flash).expect("power cuts alone never shut a journal");
        assert_eq!(recovered.damaged, 0);
        journal
    }
}

/// Says which entries differ, where two tallies do.
#[track_caller]
fn assert_same(found: &Small, expected: &Small, what: &str) {
    if found != expected {
        let entries = |tally: &Small| tally.entries().map(Entry::cloned).collect::<Vec<_>>();
        let (mut extra, mut missing) = (entries(found), entries(expected));
        extra.retain(|entry| !missing.contains(entry));
        missing.retain(|entry| !entries(found).contains(entry));
        panic!("{what}: {extra:?} instead of {missing:?}");
    }
}

/// What a journal that never was damaged holds.
fn restored<const WORD: usize, const PAGE: usize>(flash: &mut Mock<WORD, PAGE>) -> Small {
    let mut ram = Ram::new();
    let journal = ram.reopen(flash);
    journal.tally().clone()
}

#[test]
fn what_is_written_is_there_after_opening() {
    for seed in 0..4 {
        let mut flash = Mock::<4, 1024>::new(4);
        let mut mirror = Small::new();
        let mut ram = Ram::new();
        let mut journal = ram.reopen(&mut flash);
        for change in trace(seed, 1000) {
            let expected = mirror.commit(&change).map_err(Error::Refused);
            assert_eq!(block_on(journal.commit(&change)), expected);
            assert_same(journal.tally(), &mirror, "committed");
        }
        assert_same(&restored(&mut flash), &mirror, "restored");
    }
}

#[test]
fn opening_again_writes_nothing_until_something_changed() {
    let mut flash = Mock::<4, 1024>::new(3);
    let mut ram = Ram::new();
    ram.reopen(&mut flash);
    assert_eq!(flash.written, 0, "an empty journal");
    for (session, change) in trace(1, 20).iter().enumerate() {
        let erases: u32 = flash.erases.iter().sum();
        let _ = block_on(ram.reopen(&mut flash).commit(change));
        ram.reopen(&mut flash);
        assert!(flash.erases.iter().sum::<u32>() <= erases + 2, "session {session}");
        let written = flash.written;
        for _ in 0..3 {
            ram.reopen(&mut flash);
        }
        assert_eq!(flash.written, written);
    }
}

/// Written by the first layout, when it was new.
const LAYOUT_1: &[u8; 3 * 1024] = include_bytes!("version-1.flash");

#[test]
fn layout_1_is_refused_by_name() {
    let mut flash = Mock::<4, 1024>::new(3);
    flash.bytes.copy_from_slice(LAYOUT_1);
    let mut ram = Ram::new();
    let error = ram.open(&mut flash).err();
    assert_eq!(error, Some(Error::Version { found: 1 }));
    assert_eq!(error.unwrap().to_string(), "the journal has layout 1, and this crate reads 2");
    assert_eq!(flash.bytes, LAYOUT_1, "refused is left alone");
}
