//! What the journal takes of flash, to the byte.

#[path = "../../examples/flash/mod.rs"]
#[allow(unreachable_pub, clippy::arithmetic_side_effects, clippy::indexing_slicing)]
mod flash;

use core::convert::Infallible;
use std::vec::Vec;

use embassy_futures::block_on;
use proptest::prelude::*;

use super::flash::record_len;
use super::page::{Before, HEAD_LEN, HEADER_LEN, Head, Header, Kind, Layout, Size};
use super::record::{Record, Special, is_sound, special};
use super::{Error, Journal, Memory, Recovered};
use crate::codec::{Key, TOTALS_LEN, device_len, user_len};
use crate::strategies::changes;
use crate::{Change, Counts, DateTime, Entry, Event, Kept, RunState, Tally, Totals};

/// Pages of 1 KiB.
type Flash<const READ: usize, const WRITE: usize> =
    flash::Nor<Vec<u8>, Vec<u32>, (), READ, WRITE, 1024>;

fn at(ticks: i64) -> DateTime {
    DateTime::from_ticks(ticks, -1439).unwrap()
}

fn six(count: u32) -> Counts {
    RunState::ALL.into_iter().fold(Counts::ZERO, |six, state| six.with(state, count).unwrap())
}

/// The longest record of each kind, with the longest keys there are of their types.
fn records_are_as_long_as_said<D: Key + Copy + 'static, U: Key + Copy + 'static>(
    device: &D,
    user: &U,
) {
    type Log<D, U> = Journal<'static, Flash<1, 4>, D, U, 1, 1>;
    let event = Event { device, user: Some(user), state: RunState::Unknown, at: at(1) };
    let kept = Kept { carried: six(1), last_update: Some(at(2)), declared: true };
    let run_from = Some(at(4).to_utc());
    let totals = Totals { devices: six(2), users: six(3), last_run: Some(at(3)), run_from };
    let retired = Entry::Retired { event, counted: RunState::Unknown };

    let mut record = Record::new();
    record.add(&Entry::Device(event)).unwrap();
    assert_eq!(Log::<D, U>::EVENT_LEN, record_len::<Flash<1, 4>>(record.body().len()));
    record.add_forgotten(device).unwrap();
    assert!(record.body().len() <= Log::<D, U>::CHANGE_LEN);

    record.clear();
    record.add(&retired).unwrap();
    assert_eq!(record.body().len(), device_len::<D, U>());
    record.add(&Entry::<&D, &U>::User { user, kept }).unwrap();
    assert_eq!(record.body().len(), device_len::<D, U>() + user_len::<U>());
    record.add(&Entry::<&D, &U>::Totals(totals)).unwrap();
    assert!(record.body().len() <= Log::<D, U>::CHANGE_LEN);
    assert_eq!(record.body().len(), device_len::<D, U>() + user_len::<U>() + TOTALS_LEN);
}

#[test]
fn records_are_as_long_as_it_is_said() {
    records_are_as_long_as_said(&7_u16, &9_u16);
    records_are_as_long_as_said(&[0; 200], &0_u32);
    records_are_as_long_as_said(&0_u32, &[0; 160]);
}

/// One page after the other takes as many of the longest events as there is room for by what is said
/// of a page: no byte is left out of account.
fn holds_what_is_said<const READ: usize, const WRITE: usize>() {
    type Log<'t, const READ: usize, const WRITE: usize> =
        Journal<'t, Flash<READ, WRITE>, u64, u64, 1, 1>;
    let pages = Log::<READ, WRITE>::PAGES.max(4);
    let flash = Flash::<READ, WRITE>::new(pages as usize);
    let range = flash.range();
    let (mut tally, mut memory) = (Tally::new(), Memory::new());
    let (mut journal, _) = block_on(Journal::open(flash, range, &mut tally, &mut memory)).unwrap();
    let event_len = Log::<READ, WRITE>::EVENT_LEN;
    let word = READ.max(WRITE) as u32;
    let seal = 8_u32.next_multiple_of(word);

    let mut tick = 0;
    let mut record = |journal: &mut Log<'_, READ, WRITE>| {
        tick += 1;
        let event = Event { device: 7, user: Some(1), state: RunState::Fail, at: at(tick) };
        let flash::Nor { written, read, .. } = *journal.flash();
        let _ = block_on(journal.commit(&Change::Event(event))).unwrap();
        let written = (journal.flash().written - written) as u32;
        let read = journal.flash().read - read;
        let room = 1024 - journal.append_at.unwrap() - seal;
        (journal.end.unwrap().sequence, room, written, read)
    };
    // With that, and a last run, the totals are as long as they can be. On the first page there is none.
    let _ = block_on(journal.commit(&Change::RunFrom(at(0)))).unwrap();
    let (mut before, mut room) = (pages, 0);
    while before == pages {
        (before, room, _, _) = record(&mut journal);
    }
    let usable = Log::<READ, WRITE>::USABLE as u32;
    assert_eq!(room + event_len, usable, "the first of a page");
    // The header, the commit record behind no rows, and a seal.
    let taken = 16_u32.next_multiple_of(word) + (8_u32 + 67).next_multiple_of(word) + seal;
    assert_eq!(usable, 1024 - taken);
    let mut left = room;
    // On the last of these, the page of the first rows leaves the log; of the only one none is left there.
    while before < 2 * pages + 2 {
        let (sequence, room, written, read) = record(&mut journal);
        assert_eq!(read, 0, "where the room of a page begins is known");
        if sequence == before {
            assert_eq!((left - room, written), (event_len, event_len), "word {word}");
        } else {
            assert!(left < event_len + Log::<READ, WRITE>::RESERVE, "{left} bytes are left");
            assert_eq!(room + event_len, usable);
        }
        (before, left) = (sequence, room);
    }
}

#[test]
fn a_page_holds_what_is_said() {
    holds_what_is_said::<1, 1>();
    holds_what_is_said::<1, 4>();
    holds_what_is_said::<4, 4>();
    holds_what_is_said::<1, 32>();
    holds_what_is_said::<8, 1>();
    holds_what_is_said::<16, 4>();
}

/// Rows that fill a page but for what stays free, in as few records as can be, fit on another page
/// in as many records as can be.
fn stays_free<const READ: usize, const WRITE: usize, D: Key, U: Key>() -> usize {
    let usable = Journal::<'_, Flash<READ, WRITE>, D, U, 1, 1>::USABLE as usize;
    let reserve = Journal::<'_, Flash<READ, WRITE>, D, U, 1, 1>::RESERVE as usize;
    let overhead = HEAD_LEN;
    let padded = overhead + READ.max(WRITE) - 1;
    let row = device_len::<D, U>().max(user_len::<U>());
    // Of a record's 512 bytes its head takes eight.
    let least = |entries: usize| entries + entries.div_ceil(504) * overhead;
    let most = |entries: usize| entries + (entries / (504 - row) + 1) * padded;
    for entries in (0..usable).filter(|&entries| least(entries) <= usable - reserve) {
        assert!(most(entries) <= usable, "{reserve} bytes free, {entries} bytes of entries");
    }
    reserve
}

#[test]
fn what_stays_free_is_enough_and_little() {
    assert_eq!(stays_free::<1, 1, u16, u16>(), 10);
    assert_eq!(stays_free::<1, 4, u16, u16>(), 19);
    assert_eq!(stays_free::<1, 4, u128, [u8; 128]>(), 26);
    assert_eq!(stays_free::<1, 4, [u8; 100], u16>(), 22);
    assert_eq!(stays_free::<1, 32, u16, u16>(), 91);
    assert_eq!(stays_free::<8, 1, u128, [u8; 128]>(), 41);
}

#[test]
fn what_is_no_entry_is_none() {
    let read = special::<u16, u16>(&[6, 0, 7, 0]);
    assert!(matches!(read, Some((Special::Forgotten(7), &[]))));
    let read = special::<u16, u16>(&[15, 0, 9, 0, 1]);
    assert!(matches!(read, Some((Special::Unlinked(9), &[1]))));
    // A tombstone that is not forgotten has a date-time.
    let removed = [&[6, 0x80], &[0; 8][..], &[7, 0]].concat();
    assert!(special::<u16, u16>(&removed).is_none());
    assert!(is_sound::<u16, u16>(&removed));
    assert!(is_sound::<u16, u16>(&[]));
    for body in [&[6][..], &[6, 0, 7], &[15, 0, 9], &[14, 0, 7, 0], &[6, 0, 7, 0, 1]] {
        assert!(!is_sound::<u16, u16>(body), "{body:?}");
    }
}

/// Opens a journal of one failed device, behind whose record others were written, whole ones but not
/// by a journal.
fn behind(records: &[&dyn Fn(&mut Record)]) -> Result<Recovered, Error<Infallible>> {
    let (mut tally, mut memory) = (Tally::<u16, u16, 4, 4>::new(), Memory::new());
    let flash = Flash::<1, 4>::new(3);
    let (mut journal, _) =
        block_on(Journal::open(flash, 0..3072, &mut tally, &mut memory)).unwrap();
    let event = Event { device: 1, user: None, state: RunState::Fail, at: at(1) };
    let _ = block_on(journal.commit(&Change::Event(event))).unwrap();
    for fill in records {
        journal.memory.record.clear();
        fill(&mut journal.memory.record);
        block_on(journal.append(Kind::Change)).unwrap();
    }
    let flash = journal.close();
    tally.clear();
    let (journal, recovered) = block_on(Journal::open(flash, 0..3072, &mut tally, &mut memory))?;
    assert!(journal.tally().device(&1).is_some());
    assert_eq!(journal.tally().audit(), Ok(()));
    Ok(recovered)
}

fn no_entry(record: &mut Record) {
    record.add_raw(&[14, 0, 7, 0]);
}

#[test]
fn a_record_that_is_no_entries_is_damage() {
    let forgotten_and_more = |record: &mut Record| record.add_raw(&[6, 0, 9, 0, 9]);
    assert_eq!(behind(&[]).unwrap().damaged, 0);
    assert_eq!(behind(&[&no_entry]).unwrap().damaged, 1);
    assert_eq!(behind(&[&forgotten_and_more]).unwrap().damaged, 1);
}

#[test]
fn totals_that_leave_no_room_for_the_rows_are_refused_also_behind_damage() {
    let full = |record: &mut Record| {
        let devices = Counts::ZERO.with(RunState::Fail, Counts::MAX).unwrap();
        let totals = Entry::Totals(Totals { devices, ..Totals::default() });
        record.add::<u16, u16>(&totals).unwrap();
    };
    assert!(matches!(behind(&[&full]), Err(Error::Refused(_))));
    assert!(matches!(behind(&[&no_entry, &full]), Err(Error::Refused(_))));
}

/// Whatever of a record's size was programmed before the power went: none but the whole of it reads
/// as a size.
#[test]
fn a_size_that_was_programmed_in_part_is_none() {
    for (kind, len) in [(Kind::Change, 14), (Kind::Rows, 504), (Kind::Commit, 58), (Kind::Seal, 0)]
    {
        let size = Size::new(kind, len);
        assert_eq!((size.kind(), size.body(), size.len()), (kind, len, 8 + len));
        let whole = u32::from_le_bytes(*Head::write(size, 0).first_chunk().unwrap());
        // Every set of bits that are still to be cleared.
        let mut missing = !whole;
        while missing > 0 {
            let bytes = (whole | missing).to_le_bytes();
            let head = Head::read(&[bytes, [0; 4]].concat()).unwrap();
            assert_eq!(head.size(), None, "{missing:#034b} of {size:?} are missing");
            missing = (missing - 1) & !whole;
        }
        assert_eq!(Head::read(&Head::write(size, 7)), Some(Head { sizes: [size, size], crc: 7 }));
    }
}

#[test]
fn a_header_comes_back_and_one_with_a_flipped_bit_does_not() {
    let layout = Layout::new::<u16, u128>(4, 300);
    let before = Before { records: 0x7ffe, doubtful: true };
    let header = Header { layout, sequence: 0x0102_0304, before };
    let mut bytes = [0xff; HEADER_LEN];
    header.write(&mut bytes).unwrap();
    assert_eq!(bytes[..12], [2, 2, 16, 4, 44, 1, 0xfe, 0xff, 4, 3, 2, 1]);
    assert_eq!(Header::read(&bytes), Some(header));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Header::read(&flipped), None);
    }
    assert_eq!(Header::read(&bytes[..15]), None);
}

proptest! {
    #[test]
    fn the_bytes_of_all_rows_are_no_more_than_counted(
        changes in prop::collection::vec(changes(0..40_u16, 0..7_u16), 1..200),
    ) {
        type Log = Journal<'static, Flash<1, 4>, u16, u16, 60, 30>;
        const { assert!(Log::PAGES > 3, "so that bytes are counted") };
        let (mut tally, mut memory) = (Tally::<u16, u16, 60, 30>::new(), Memory::new());
        let flash = Flash::<1, 4>::new(3);
        let range = flash.range();
        let (mut journal, _) =
            block_on(Journal::open(flash, range, &mut tally, &mut memory)).unwrap();
        for change in changes {
            // One that is refused changes nothing here either.
            let _ = block_on(journal.commit(&change));
            let live = journal.live;
            prop_assert!(journal.measure() <= live, "{:?}", change);
            journal.live = live;
        }
    }
}

/// Names of any length, so that a limit is met to the byte.
#[cfg(feature = "graph")]
mod to_the_byte {
    use super::*;
    use crate::graph::Upn;

    type Named = Tally<u64, Upn, 500, 5>;
    type Log<'t> = Journal<'t, Flash<1, 1>, u64, Upn, 500, 5>;
    const PAGES: u32 = 3;

    /// An entry of 18 bytes, and of one more for a user and each letter of the name.
    fn event(device: u64, letters: usize) -> Change<u64, Upn> {
        let name = "n".repeat(letters);
        let user = Upn::try_from(&*name).ok();
        Change::Event(Event { device, user, state: RunState::Fail, at: at(0) })
    }

    fn ram() -> (Named, Memory<500, 5>) {
        const { assert!(PAGES < Log::PAGES, "so that not every row there can be has room") };
        (Tally::new(), Memory::new())
    }

    fn open((tally, memory): &mut (Named, Memory<500, 5>)) -> Log<'_> {
        let flash = Flash::new(PAGES as usize);
        let range = flash.range();
        block_on(Journal::open(flash, range, tally, memory)).unwrap().0
    }

    #[test]
    fn rows_take_all_that_they_may() {
        let mut ram = ram();
        let mut journal = open(&mut ram);
        let limit = Log::limit(PAGES as u16);
        let mut device = 0;
        while limit - journal.live > 18 + 19 {
            device += 1;
            let _ = block_on(journal.commit(&event(device, 0))).unwrap();
        }
        let letters = (limit - journal.live - 19) as usize;
        let live = journal.live;
        let full = block_on(journal.commit(&event(900, letters + 1)));
        assert_eq!(full, Err(Error::Full { live, limit }));
        let _ = block_on(journal.commit(&event(900, letters))).unwrap();
        assert_eq!(journal.live, limit);
        // One that takes as much as before is no more.
        let Change::Event(event) = event(900, letters) else { panic!() };
        let later = Change::Event(Event { at: at(1), ..event });
        let _ = block_on(journal.commit(&later)).unwrap();
        assert_eq!(journal.live, limit);
    }

    #[test]
    fn a_page_is_filled_up_to_what_stays_free() {
        for (more, begins) in [(0, false), (1, true)] {
            let mut ram = ram();
            let mut journal = open(&mut ram);
            let longest = Log::EVENT_LEN;
            let mut device = 0;
            // Until the next event can leave just what stays free.
            let letters = loop {
                device += 1;
                let _ = block_on(journal.commit(&event(device, 0))).unwrap();
                let room = 1024 - journal.append_at.unwrap() - 8 - Log::RESERVE;
                let shortest = record_len::<Flash<1, 1>>(18 + 1 + 1);
                if (shortest..longest).contains(&room) {
                    break (room - shortest) as usize + 1;
                }
            };
            let page = journal.end.unwrap().sequence;
            let _ = block_on(journal.commit(&event(900, letters + more))).unwrap();
            let begun = journal.end.unwrap().sequence != page;
            assert_eq!(begun, begins, "{letters} letters and {more}");
        }
    }
}
