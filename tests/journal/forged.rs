//! Bytes that were chosen to look like something else.

use super::*;
use runtally::{Event, RunState};

/// CRC-32, bit by bit.
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

/// A whole record, at this offset of this page, which says that `device` failed.
fn record(sequence: u32, offset: usize, device: &[u8]) -> Vec<u8> {
    let ticks = [0; 8];
    let entry = [&[2, 0x80][..], &ticks, device].concat();
    let size = (entry.len() as u16).to_le_bytes();
    let seed =
        [&sequence.to_le_bytes()[..], &(offset as u32).to_le_bytes(), &size, &entry].concat();
    let complement = size.map(|byte| !byte);
    [&size[..], &complement, &crc(&seed).to_le_bytes(), &entry].concat()
}

fn at(ticks: i64) -> DateTime {
    DateTime::from_ticks(ticks, 0).unwrap()
}

const KEY: usize = 60;
type Device = [u8; KEY];
type Forged = Tally<Device, u16, 8, 2>;
type Flash<const WORD: usize> = Mock<WORD, 1024>;
type Log<'r, const WORD: usize> = Journal<'r, &'r mut Flash<WORD>, Device, u16, 8, 2>;
type ForgedRam = (Forged, Memory<8, 2>);

fn event(device: Device, tick: i64) -> Change<Device, u16> {
    Change::Event(Event { device, user: None, state: RunState::Success, at: at(tick) })
}

fn start<'r, const WORD: usize>(
    flash: &'r mut Flash<WORD>,
    (tally, memory): &'r mut ForgedRam,
) -> Log<'r, WORD> {
    flash.faults.revive();
    tally.clear();
    let range = flash.range();
    let (journal, recovered) = block_on(Journal::open(flash, range, tally, memory)).unwrap();
    assert_eq!(recovered.damaged, 0);
    journal
}

/// The end of what was written to the first page.
fn end<const WORD: usize>(flash: &Flash<WORD>) -> usize {
    let last = flash.bytes[..1024].iter().rposition(|&byte| byte != 0xff).unwrap();
    (last + 1).next_multiple_of(WORD)
}

/// A device whose name is a whole record of another device, for every word at which such a record can
/// lie within the name, whose own record is cut at every byte, and after which others are written.
fn a_name_is_no_record<const WORD: usize>() {
    let inner = [0xEE; KEY - 38];
    let phantom = |tally: &Forged| tally.devices().any(|event| event.state == RunState::Fail);
    let mut ram = (Forged::new(), Memory::new());
    let mut cuts = 0;
    for shift in 0..=KEY - 18 {
        for budget in 0.. {
            let mut flash = Flash::<WORD>::new(3);
            flash.faults.torn = Torn::number(budget * 7 + shift as u64);
            let mut journal = start(&mut flash, &mut ram);
            let _ = block_on(journal.commit(&event([1; KEY], 1))).unwrap();
            let offset = end(journal.flash());
            // Head of the record, head of the entry, ticks: then comes the name.
            let place = offset + 8 + 10 + shift;
            let mut name = [0; KEY];
            let forged = record(3, place, &inner);
            let forged = &forged[..forged.len().min(KEY - shift)];
            name[shift..][..forged.len()].copy_from_slice(forged);

            journal.flash().faults.budget = budget;
            let cut = block_on(journal.commit(&event(name, 2))).is_err();
            let mut journal = start(&mut flash, &mut ram);
            assert!(!phantom(journal.tally()));
            assert!(journal.tally().device(&[1; KEY]).is_some());
            assert!(cut || journal.tally().device(&name).is_some());
            let _ = block_on(journal.commit(&event([3; KEY], 3))).unwrap();
            let tally = journal.tally().clone();
            assert_eq!(*start(&mut flash, &mut ram).tally(), tally);
            if !cut {
                break;
            }
            cuts += 1;
        }
    }
    assert!(cuts > 1000);
}

#[test]
fn a_name_that_spells_a_record_is_a_name() {
    a_name_is_no_record::<1>();
    a_name_is_no_record::<4>();
    a_name_is_no_record::<32>();
}

/// What torn bytes and the bytes that are written next would have to be to read as one record: the
/// head of one that was cut, and of every length, an event whose bytes go on where it ended.
#[test]
fn a_torn_head_and_what_is_written_next_are_no_record() {
    let mut ram = (Forged::new(), Memory::new());
    for budget in 1..=18 {
        for tick in 0..200 {
            let mut flash = Flash::<1>::new(3);
            let mut journal = start(&mut flash, &mut ram);
            let _ = block_on(journal.commit(&event([1; KEY], 1))).unwrap();
            let offset = end(journal.flash());
            // As a record of this very length would go on, behind what is left of the first.
            let wanted = record(3, offset, &[0xEE; KEY]);
            let mut name = [0; KEY];
            name.copy_from_slice(&wanted[wanted.len() - KEY..]);
            journal.flash().faults.budget = budget;
            assert!(block_on(journal.commit(&event([0xEE; KEY], 2))).is_err());
            let mut journal = start(&mut flash, &mut ram);
            let _ = block_on(journal.commit(&event(name, tick))).unwrap();
            let tally = journal.tally().clone();
            let journal = start(&mut flash, &mut ram);
            assert_eq!(*journal.tally(), tally, "cut at {budget}, time stamp {tick}");
        }
    }
}

/// What the first layout lost: time stamps whose bytes read as a head behind those that were torn.
#[test]
fn a_change_after_a_torn_head_is_there() {
    let event = |device, second: i64| {
        let at = at(17_952_000_000_000_000 + second * 10_000_000);
        Change::Event(Event { device, user: Some(1), state: RunState::Pending, at })
    };
    let mut ram = Ram::new();
    for second in 2..3000 {
        let mut flash = Mock::<1, 512>::new(3);
        let mut journal = ram.reopen(&mut flash);
        let _ = block_on(journal.commit(&event(1, 0))).unwrap();
        journal.flash().faults.budget = 7;
        assert!(block_on(journal.commit(&event(2, 1))).is_err());
        let mut journal = ram.reopen(&mut flash);
        let _ = block_on(journal.commit(&event(3, second))).unwrap();
        let tally = journal.tally().clone();
        assert_eq!(restored(&mut flash), tally, "second {second}");
    }
}
