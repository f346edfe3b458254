//! Flash that no power cut explains.

use super::*;
use runtally::{Event, Refusal, RunState};

type Flash = Mock<4, 1024>;

/// Enough for every page to be begun more than once.
const OPERATIONS: usize = 600;

/// A journal after so many operations, what it holds, and what it held before its last record.
fn written(seed: u8, operations: usize) -> (Flash, Small, Small) {
    let mut flash = Flash::new(4);
    let (mut journal, mut tally, _) = open(&mut flash).unwrap();
    let mut before = tally.clone();
    for operation in trace(seed, operations) {
        let written = journal.flash().written;
        let last = tally.clone();
        let _ = run(&mut journal, &mut tally, &operation);
        if journal.flash().written != written {
            before = last;
        }
    }
    // Around the ring more than once, or not through its first page.
    let erases = &journal.flash().erases;
    assert!(erases.iter().all(|&erases| erases > 1) || *erases == [1, 0, 0, 0]);
    (flash, tally, before)
}

/// A journal in whatever state goes on: what is written into it is there after the next opening.
fn goes_on(flash: &mut Flash) {
    flash.faults.damaged = true;
    let (mut journal, mut tally, _) = open(flash).expect("opened before");
    for operation in trace(99, 60) {
        let _ = run(&mut journal, &mut tally, &operation);
    }
    assert_eq!(tally.audit(), Ok(()));
    let (_, restored, recovered) = open(flash).expect("still opens");
    assert_eq!(restored, tally);
    assert_eq!(recovered.damaged, 0, "what was written since is on pages of its own");
}

#[test]
fn one_flipped_bit_loses_one_record_and_says_so() {
    let (flash, tally, before) = written(1, OPERATIONS);
    let mut damages = 0;
    for bit in 0..flash.bytes.len() * 8 {
        let mut flipped = flash.clone();
        flipped.bytes[bit / 8] ^= 1 << (bit % 8);
        let (_, restored, recovered) = open(&mut flipped).expect("one record less is no reason");
        match recovered.damaged {
            // Nothing told it from a record that was being written as the power went.
            0 => assert!(restored == tally || restored == before, "bit {bit}"),
            1 => damages += 1,
            // A device that should be gone was in the way of another.
            more => assert!(more < 4, "bit {bit}: {more} damaged"),
        }
        if bit % 101 == 0 {
            goes_on(&mut flipped);
        }
    }
    assert!(damages > flash.bytes.len(), "{damages}");
}

/// On the only page there is, no other tells how many records it has.
#[test]
fn one_flipped_bit_on_the_first_page_loses_one_row() {
    let (flash, tally, before) = written(6, 12);
    let rows = tally.devices().count();
    assert!(rows > 4, "{rows}");
    for bit in 0..1024 * 8 {
        let mut flipped = flash.clone();
        flipped.bytes[bit / 8] ^= 1 << (bit % 8);
        let (_, restored, recovered) = open(&mut flipped).expect("one record less is no reason");
        assert!(restored.devices().count() + 1 >= rows, "bit {bit}");
        if recovered.damaged == 0 {
            assert!(restored == tally || restored == before, "bit {bit}");
        }
        if bit % 101 == 0 {
            goes_on(&mut flipped);
        }
    }
}

#[test]
fn a_page_in_the_place_of_another_is_damage() {
    for seed in 0..4 {
        let (flash, tally, _) = written_once(seed);
        for (from, to) in (0..4).flat_map(|from| (0..4).map(move |to| (from, to))) {
            let mut copied = flash.clone();
            let page = flash.bytes[from * 1024..][..1024].to_vec();
            copied.bytes[to * 1024..][..1024].copy_from_slice(&page);
            let Ok((_, restored, recovered)) = open(&mut copied) else { continue };
            let is_told = recovered.damaged > 0 || restored == tally;
            assert!(is_told, "seed {seed}, page {from} at {to}");
            goes_on(&mut copied);
        }
    }
}

/// The opening of a page says how many records the one before has; where both are gone, one is
/// counted for all.
#[test]
fn pages_that_are_gone_are_counted() {
    let mut flash = Flash::new(4);
    let (mut journal, mut tally, _) = open(&mut flash).unwrap();
    for tick in 0..400_u16 {
        let at = DateTime::from_ticks(tick.into(), 0).unwrap();
        let event = Event { device: tick % 12, user: None, state: RunState::Fail, at };
        let _ = block_on(journal.apply(&mut tally, &event)).unwrap();
    }
    let most = flash.erases.iter().max();
    let newest = flash.erases.iter().rposition(|erases| Some(erases) == most).unwrap();
    let (oldest, between) = ((newest + 2) % 4, (newest + 3) % 4);
    let recovered = |pages: &[usize]| {
        let mut flash = flash.clone();
        for page in pages {
            flash.bytes[page * 1024..][..1024].fill(0xff);
        }
        open(&mut flash).expect("the newest page is there").2
    };
    let intact = recovered(&[]).records;
    for page in [oldest, between] {
        let Recovered { records, damaged, .. } = recovered(&[page]);
        // With the opening, and the mark behind the rows brought along.
        assert_eq!(damaged, intact - records + 2, "page {page}");
    }
    assert_eq!(recovered(&[oldest, between]).damaged, recovered(&[between]).damaged + 1);
}

#[test]
fn any_damage_gives_an_error_or_a_sound_tally() {
    let mut rng = fastrand::Rng::with_seed(2);
    let mut opened = 0;
    for round in 0..1500u16 {
        let (intact, ..) = written_once((round % 4) as u8);
        let mut flash = intact;
        match rng.u8(..5) {
            0 => {
                for _ in 0..rng.usize(1..200) {
                    let at = rng.usize(..flash.bytes.len());
                    flash.bytes[at] = rng.u8(..);
                }
            }
            1 => {
                let page = rng.usize(..4) * 1024;
                let fill = [None, Some(0), Some(u8::MAX)][rng.usize(..3)];
                flash.bytes[page..][..1024].fill_with(|| fill.unwrap_or_else(|| rng.u8(..)));
            }
            2 => {
                let (from, to) = (rng.usize(..4), rng.usize(..4) * 1024);
                let page = flash.bytes[from * 1024..][..1024].to_vec();
                flash.bytes[to..][..1024].copy_from_slice(&page);
            }
            3 => {
                let (from, len) = (rng.usize(..4096), rng.usize(..2048));
                flash.bytes.iter_mut().skip(from).take(len).for_each(|byte| *byte = 0xff);
            }
            _ => flash.bytes.rotate_left(rng.usize(..4096)),
        }
        if open(&mut flash).is_ok() {
            opened += 1;
            goes_on(&mut flash);
        }
    }
    assert!(opened > 500, "{opened}");
}

fn written_once(seed: u8) -> (Flash, Small, Small) {
    use std::sync::OnceLock;
    static WRITTEN: [OnceLock<(Flash, Small, Small)>; 4] = [const { OnceLock::new() }; 4];
    WRITTEN[usize::from(seed)].get_or_init(|| written(seed, OPERATIONS)).clone()
}

#[test]
fn flash_of_random_bytes_is_foreign() {
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..300 {
        let mut flash = Flash::new(4);
        rng.fill(&mut flash.bytes);
        assert_eq!(open(&mut flash).err(), Some(Error::Foreign));

        let range = flash.range();
        block_on(Opened::erase(&mut flash, range)).unwrap();
        goes_on(&mut flash);
    }
}

#[test]
fn a_journal_of_other_keys_pages_or_place_is_refused() {
    let (flash, ..) = written(1, OPERATIONS);
    let range = flash.range();

    let mut other = Tally::<u32, u16, 12, 5>::new();
    let keys = block_on(Journal::open(flash.clone(), range.clone(), &mut other)).err();
    assert_eq!(keys, Some(Error::Keys { device: 2, user: 2 }));
    assert_eq!(
        keys.unwrap().to_string(),
        "the journal was written with keys of up to 2 bytes for a device and 2 for a user"
    );

    let mut tally = Small::new();
    let pages = block_on(Opened::open(flash.clone(), 0..3072, &mut tally)).err();
    assert_eq!(pages, Some(Error::Pages { found: 4 }));
    assert_eq!(pages.unwrap().to_string(), "the journal was written with 4 pages");

    let mut moved = flash.clone();
    moved.bytes.rotate_left(1024);
    assert_eq!(open(&mut moved).err(), Some(Error::Foreign));
    assert_eq!(Error::<PowerCut>::Foreign.to_string(), "the flash is neither erased nor a journal");

    for range in [0..1024, 0..1000, 512..4096, 0..8192, Range { start: 2048, end: 0 }] {
        let error = block_on(Opened::open(flash.clone(), range.clone(), &mut tally)).err();
        assert_eq!(error, Some(Error::Range { start: range.start, end: range.end }));
    }
    let odd = Error::<PowerCut>::Range { start: 0, end: 1000 };
    assert_eq!(
        odd.to_string(),
        "the range 0x0 to 0x3e8 is not 2 to 65535 whole pages of the flash"
    );
}

#[test]
fn a_tally_with_too_little_room_or_too_much_in_it_is_refused() {
    let (flash, tally, _) = written(1, OPERATIONS);
    let devices = tally.devices().count();
    let mut narrow = Tally::<u16, u16, 3, 5>::new();
    let error = block_on(Journal::open(flash.clone(), flash.range(), &mut narrow)).err();
    assert!(devices > 3);
    assert_eq!(error, Some(Error::Refused(Refusal::DevicesFull { capacity: 3 })));
    assert_eq!(narrow.audit(), Ok(()));

    let mut full = tally;
    let error = block_on(Opened::open(flash.clone(), flash.range(), &mut full)).err();
    assert_eq!(error, Some(Error::NotEmpty));
    assert_eq!(error.unwrap().to_string(), "the tally to restore into is not empty");
}

#[test]
fn a_layout_of_another_version_is_refused() {
    let mut flash = Flash::new(4);
    let header = [b'R', b'T', 3, 2, 2, 4, 4, 0, 4, 0, 0, 0, 0, 0];
    flash.bytes[..14].copy_from_slice(&header);
    flash.bytes[14..18].copy_from_slice(&forged::crc(&header).to_le_bytes());
    let error = open(&mut flash).err();
    assert_eq!(error, Some(Error::Version { found: 3 }));
    assert_eq!(error.unwrap().to_string(), "the journal has layout 3, and this crate reads 2");
}
