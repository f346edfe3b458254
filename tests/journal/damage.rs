//! Flash that no power cut explains.

use std::sync::OnceLock;

use super::*;
use runtally::{Counts, Event, Refusal, RunState};

type Flash = Mock<4, 1024>;

/// Enough for every page to be begun more than once.
const CHANGES: usize = 600;

/// A journal after so many changes, what it holds, and what it held before its last record.
fn written(seed: u8, changes: usize) -> (Flash, Small, Small) {
    let mut flash = Flash::new(4);
    let mut ram = Ram::new();
    let mut journal = ram.reopen(&mut flash);
    let mut before = journal.tally().clone();
    for change in trace(seed, changes) {
        let written = journal.flash().written;
        let last = journal.tally().clone();
        let _ = block_on(journal.commit(&change));
        if journal.flash().written != written {
            before = last;
        }
    }
    let tally = journal.tally().clone();
    // Around the ring more than once, or not through its first page.
    let erases = &flash.erases;
    assert!(erases.iter().all(|&erases| erases > 1) || *erases == [1, 0, 0, 0], "{erases:?}");
    (flash, tally, before)
}

/// What flash in whatever state holds.
fn read(flash: &Flash) -> Result<(Small, Recovered), Error<PowerCut>> {
    let mut ram = Ram::new();
    let mut flash = flash.clone();
    flash.faults.damaged = true;
    let (journal, recovered) = ram.open(&mut flash)?;
    Ok((journal.tally().clone(), recovered))
}

/// A journal in whatever state goes on: what is written into it is there after the next opening,
/// however much that is.
fn goes_on(flash: &mut Flash) {
    flash.faults.damaged = true;
    let mut ram = Ram::new();
    let (mut journal, _) = ram.open(flash).expect("opened before");
    for (written, change) in (1..).zip(later()) {
        let _ = block_on(journal.commit(change));
        if [1, 3, 10, 20, 60].contains(&written) {
            assert_eq!(journal.tally().audit(), Ok(()));
            let (restored, recovered) = read(journal.flash()).expect("still opens");
            assert_same(&restored, journal.tally(), "goes on");
            let is_fresh = recovered.damaged == 0 || written < 20;
            assert!(is_fresh, "what was written since is on pages of its own");
        }
    }
}

/// Changes behind all that was written, so that they are not out of date.
fn later() -> &'static [Change<u16, u16>] {
    static TRACE: OnceLock<Vec<Change<u16, u16>>> = OnceLock::new();
    &TRACE.get_or_init(|| trace(99, CHANGES + 60))[CHANGES..]
}

#[test]
fn one_flipped_bit_loses_one_record_and_says_so() {
    let (flash, tally, before) = written(1, CHANGES);
    let mut damages = 0;
    for bit in 0..flash.bytes.len() * 8 {
        let mut flipped = flash.clone();
        flipped.bytes[bit / 8] ^= 1 << (bit % 8);
        let (restored, recovered) = read(&flipped).expect("one record less is no reason");
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
    let (flash, tally, before) = written(6, 14);
    let rows = tally.devices().count();
    assert!(rows > 3, "{rows}");
    for bit in 0..1024 * 8 {
        let mut flipped = flash.clone();
        flipped.bytes[bit / 8] ^= 1 << (bit % 8);
        let (restored, recovered) = read(&flipped).expect("one record less is no reason");
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
            let Ok((restored, recovered)) = read(&copied) else { continue };
            let is_told = recovered.damaged > 0 || restored == tally;
            assert!(is_told, "seed {seed}, page {from} at {to}");
            goes_on(&mut copied);
        }
    }
}

/// Where the records of a page are, and how long.
fn records(page: &[u8]) -> Vec<Range<usize>> {
    let u16_at = |at: usize| u16::from_le_bytes([page[at], page[at + 1]]);
    let mut records = vec![];
    let mut at = 16;
    while u16_at(at) == !u16_at(at + 2) {
        let end = (at + 8 + usize::from(u16_at(at) & 0x3fff)).next_multiple_of(4);
        records.push(at..end);
        at = end;
    }
    records
}

#[test]
fn a_record_in_the_place_of_another_is_damage() {
    let mut flash = Flash::new(4);
    let mut ram = Ram::new();
    let mut journal = ram.reopen(&mut flash);
    for tick in 0..9_u16 {
        let at = DateTime::from_ticks(tick.into(), 0).unwrap();
        let event = Event { device: tick % 3, user: None, state: RunState::Fail, at };
        let _ = block_on(journal.commit(&Change::Event(event))).unwrap();
    }
    // The commit record is longer than the changes behind it.
    let records = &records(&flash.bytes[..1024])[1..];
    assert_eq!(records.len(), 9);
    for (from, to) in (0..9).flat_map(|from| (0..8).map(move |to| (from, to))) {
        let mut copied = flash.clone();
        copied.bytes.copy_within(records[from].clone(), records[to].start);
        let damaged = read(&copied).expect("opens").1.damaged;
        assert_eq!(damaged, u32::from(from != to), "{from} in the place of {to}");
    }
}

/// The header of a page says how many records the one before has; where both are gone, one is counted
/// for all.
#[test]
fn pages_that_are_gone_are_counted() {
    let mut flash = Flash::new(4);
    let mut ram = Ram::new();
    let mut journal = ram.reopen(&mut flash);
    for tick in 0..400_u16 {
        let at = DateTime::from_ticks(tick.into(), 0).unwrap();
        let event = Event { device: tick % 12, user: None, state: RunState::Fail, at };
        let _ = block_on(journal.commit(&Change::Event(event))).unwrap();
    }
    let most = flash.erases.iter().max();
    let newest = flash.erases.iter().rposition(|erases| Some(erases) == most).unwrap();
    let (oldest, between) = ((newest + 2) % 4, (newest + 3) % 4);
    let recovered = |pages: &[usize]| {
        let mut flash = flash.clone();
        for page in pages {
            flash.bytes[page * 1024..][..1024].fill(0xff);
        }
        read(&flash).expect("the newest page is there").1
    };
    let intact = recovered(&[]).records;
    for page in [oldest, between] {
        let Recovered { records, damaged, .. } = recovered(&[page]);
        // With the header and the commit record.
        assert_eq!(damaged, intact - records + 2, "page {page}");
    }
    assert_eq!(recovered(&[oldest, between]).damaged, recovered(&[between]).damaged + 1);
}

/// Also those behind a page that is gone: what is on them is later than all that is written next. On
/// a ring that was not gone round yet, nothing before them is missing.
#[test]
fn pages_without_headers_are_found() {
    let mut intact = Flash::new(8);
    let mut ram = Ram::new();
    let mut journal = ram.reopen(&mut intact);
    for change in trace(3, CHANGES) {
        let _ = block_on(journal.commit(&change));
        if journal.flash().erases.iter().sum::<u32>() == 4 {
            break;
        }
    }
    let mut lost = 0;
    for damages in 0..3_usize.pow(4) {
        let mut flash = intact.clone();
        for page in 0..4 {
            let gone = [0, 16, 1024][damages / 3_usize.pow(page) % 3];
            flash.bytes[page as usize * 1024..][..gone].fill(0xff);
        }
        let Ok((_, recovered)) = read(&flash) else { continue };
        lost += u32::from(recovered.damaged > 0);
        goes_on(&mut flash);
    }
    assert!(lost > 30, "{lost}");
}

/// A row too many may bring a counter over its limit, and then nothing adds up.
#[test]
fn a_counter_that_damage_brings_over_its_limit_is_an_error() {
    let mut flash = Flash::new(4);
    let mut ram = Ram::new();
    let mut journal = ram.reopen(&mut flash);
    let devices = Counts::ZERO.with(RunState::Success, Counts::MAX).unwrap();
    let at = DateTime::from_ticks(0, 0).unwrap();
    let event = Event { device: 7, user: Some(1), state: RunState::Success, at };
    for change in [
        Change::DeclareUser { user: 1, devices, last_update: None },
        Change::UndeclareUser { user: 1 },
        Change::Event(event),
        Change::Event(Event { device: 8, user: None, ..event }),
    ] {
        let _ = block_on(journal.commit(&change)).unwrap();
    }
    let undeclared = records(&flash.bytes[..1024])[2].clone();
    let mut refused = 0;
    for bit in undeclared.start * 8..undeclared.end * 8 {
        let mut flipped = flash.clone();
        flipped.bytes[bit / 8] ^= 1 << (bit % 8);
        match read(&flipped) {
            Ok(_) => goes_on(&mut flipped),
            Err(error) => {
                assert!(matches!(error, Error::Refused(Refusal::UserOverflow(_))), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 50, "{refused}");
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
        if read(&flash).is_ok() {
            opened += 1;
            goes_on(&mut flash);
        }
    }
    assert!(opened > 500, "{opened}");
}

fn written_once(seed: u8) -> (Flash, Small, Small) {
    static WRITTEN: [OnceLock<(Flash, Small, Small)>; 4] = [const { OnceLock::new() }; 4];
    WRITTEN[usize::from(seed)].get_or_init(|| written(seed, CHANGES)).clone()
}

#[test]
fn flash_of_random_bytes_is_foreign() {
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..300 {
        let mut flash = Flash::new(4);
        rng.fill(&mut flash.bytes);
        assert_eq!(read(&flash).err(), Some(Error::Foreign));

        let range = flash.range();
        block_on(Opened::erase(&mut flash, range)).unwrap();
        goes_on(&mut flash);
    }
}

#[test]
fn a_journal_of_other_keys_pages_or_place_is_refused() {
    let (flash, ..) = written(1, CHANGES);
    let range = flash.range();

    let mut other = (Tally::<u32, u16, 14, 5>::new(), Memory::new());
    let opened = Journal::open(flash.clone(), range.clone(), &mut other.0, &mut other.1);
    let keys = block_on(opened).err();
    assert_eq!(keys, Some(Error::Keys { device: 2, user: 2 }));
    assert_eq!(
        keys.unwrap().to_string(),
        "the journal was written with keys of up to 2 bytes for a device and 2 for a user"
    );

    let mut ram = Ram::new();
    let opened = Journal::open(flash.clone(), 0..3072, &mut ram.0, &mut ram.1);
    let pages = block_on(opened).err();
    assert_eq!(pages, Some(Error::Pages { found: 4 }));
    assert_eq!(
        pages.unwrap().to_string(),
        "the journal was written with 4 pages; open it with as many, or restore a snapshot of its \
         tally on other ones"
    );

    let mut moved = flash.clone();
    moved.bytes.rotate_left(1024);
    assert_eq!(read(&moved).err(), Some(Error::Foreign));
    assert_eq!(Error::<PowerCut>::Foreign.to_string(), "the flash is neither erased nor a journal");

    // Words of another length put the records elsewhere.
    let mut other = Mock::<8, 1024>::new(4);
    other.bytes.clone_from(&flash.bytes);
    assert_eq!(ram.open(&mut other).err(), Some(Error::Foreign));

    for range in [0..1024, 0..1000, 512..4096, 0..8192, Range { start: 2048, end: 0 }] {
        let opened = Journal::open(flash.clone(), range.clone(), &mut ram.0, &mut ram.1);
        let error = block_on(opened).err();
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
    let (flash, tally, _) = written(1, CHANGES);
    let mut narrow = (Tally::<u16, u16, 3, 5>::new(), Memory::new());
    let error =
        block_on(Journal::open(flash.clone(), flash.range(), &mut narrow.0, &mut narrow.1)).err();
    assert!(tally.device_count() > 3);
    assert_eq!(error, Some(Error::Refused(Refusal::DevicesFull { capacity: 3 })));
    assert_eq!(narrow.0.audit(), Ok(()));

    let mut full = Ram(tally, Memory::new());
    let error =
        block_on(Journal::open(flash.clone(), flash.range(), &mut full.0, &mut full.1)).err();
    assert_eq!(error, Some(Error::NotEmpty));
    assert_eq!(error.unwrap().to_string(), "the tally to restore into is not empty");
}

#[test]
fn a_layout_of_another_version_is_refused() {
    let mut flash = Flash::new(4);
    let header = [3, 2, 2, 4, 4, 0, 0, 0, 4, 0, 0, 0];
    let crc = forged::crc(&[&b"runtally"[..], &header].concat());
    flash.bytes[..12].copy_from_slice(&header);
    flash.bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    let error = read(&flash).err();
    assert_eq!(error, Some(Error::Version { found: 3 }));
    assert_eq!(error.unwrap().to_string(), "the journal has layout 3, and this crate reads 2");
}
