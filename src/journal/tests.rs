//! What the journal takes of flash, to the byte.

#[path = "../../examples/flash/mod.rs"]
#[allow(unreachable_pub, clippy::arithmetic_side_effects, clippy::indexing_slicing)]
mod flash;

use core::convert::Infallible;
use std::vec;
use std::vec::Vec;

use embassy_futures::block_on;
use proptest::prelude::*;

use super::flash::record_len;
use super::page::{Before, HEAD_LEN, HEADER_LEN, Head, Header, Kind, Layout, Size};
use super::record::{Entries, Entry, Record, TOTALS_LEN, event_len, read, user_len};
use super::{Error, Journal, Key, Recovered};
use crate::strategies::{Operation, operations};
use crate::tally::{Kept, Totals};
use crate::{Counts, DateTime, Event, RunState, Summary, Tally};

/// Pages of 1 KiB.
type Flash<const READ: usize, const WRITE: usize> =
    flash::Nor<Vec<u8>, Vec<u32>, (), READ, WRITE, 1024>;

fn at(ticks: i64) -> DateTime {
    DateTime::from_ticks(ticks, -1439).unwrap()
}

fn six(count: u32) -> Counts {
    RunState::ALL.into_iter().fold(Counts::ZERO, |six, state| six.with(state, count).unwrap())
}

/// The longest entries of each kind, with the longest keys there are of their types.
fn are_as_long_as_said<D: Key, U: Key>(device: &D, user: &U) {
    let event = Event { device, user: Some(user), state: RunState::Unknown, at: at(1) };
    let kept = Kept { carried: six(1), last_update: Some(at(2)), declared: true };
    let totals = Totals { devices: six(2), users: six(3), last_run: Some(at(3)) };
    let retired = Entries::Retired(device, Some((user, kept)), &totals);

    let len = |add: &dyn Fn(&mut Record) -> Option<()>| {
        let mut record = Record::new();
        add(&mut record).expect("a record has room for it");
        record.body().len()
    };
    assert_eq!(len(&|record| record.event(&event)), event_len::<D, U>());
    assert_eq!(len(&|record| record.user(user, &kept)), user_len::<U>());
    assert_eq!(len(&|record| record.totals(&totals)), TOTALS_LEN);
    assert_eq!(len(&|record| record.totals(&Totals::default())), TOTALS_LEN);
    let change = len(&|record| retired.add_to(record));
    assert_eq!(change, Journal::<Flash<1, 4>, D, U, 1, 1>::CHANGE_LEN);
}

#[test]
fn entries_are_as_long_as_said() {
    are_as_long_as_said(&7_u16, &9_u16);
    are_as_long_as_said(&[0; 200], &0_u32);
    #[cfg(feature = "graph")]
    {
        let name = ["n"; crate::graph::Upn::MAX_LEN].concat();
        let upn = crate::graph::Upn::try_from(&*name).unwrap();
        are_as_long_as_said(&uuid::Uuid::max(), &upn);
    }
}

/// One page after the other takes as many of the longest events as there is room for by what is said
/// of a page: no byte is left out of account.
fn holds_what_is_said<const READ: usize, const WRITE: usize>() {
    type Log<const READ: usize, const WRITE: usize> = Journal<Flash<READ, WRITE>, u64, u64, 1, 1>;
    let pages = Log::<READ, WRITE>::PAGES.max(4);
    let flash = Flash::<READ, WRITE>::new(pages as usize);
    let range = flash.range();
    let mut tally = Tally::new();
    let (mut journal, _) = block_on(Journal::open(flash, range, &mut tally)).unwrap();
    let event_len = Log::<READ, WRITE>::EVENT_LEN;
    let word = READ.max(WRITE) as u32;
    let seal = 8_u32.next_multiple_of(word);

    let mut tick = 0;
    let mut record = |journal: &mut Log<READ, WRITE>| {
        tick += 1;
        let event = Event { device: 7, user: Some(1), state: RunState::Fail, at: at(tick) };
        let flash::Nor { written, read, .. } = *journal.flash();
        let _ = block_on(journal.apply(&mut tally, &event)).unwrap();
        let written = (journal.flash().written - written) as u32;
        let read = journal.flash().read - read;
        let room = 1024 - journal.append_at.unwrap() - seal;
        (journal.end.unwrap().sequence, room, written, read)
    };
    let (mut before, room, _, _) = record(&mut journal);
    let usable = Log::<READ, WRITE>::USABLE as u32;
    assert_eq!(room + event_len, usable, "the first of a page");
    // The header, the commit record behind no rows, and a seal.
    let taken = 18_u32.next_multiple_of(word) + (8_u32 + 58).next_multiple_of(word) + seal;
    assert_eq!(usable, 1024 - taken);
    let mut left = room;
    // On the last of these, the page of the first rows leaves the log; of the only one none is left there.
    while before < 2 * pages + 1 {
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
    let usable = Journal::<Flash<READ, WRITE>, D, U, 1, 1>::USABLE as usize;
    let reserve = Journal::<Flash<READ, WRITE>, D, U, 1, 1>::RESERVE as usize;
    let overhead = HEAD_LEN;
    let padded = overhead + READ.max(WRITE) - 1;
    let row = event_len::<D, U>().max(user_len::<U>());
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
    assert_eq!(stays_free::<1, 4, [u8; 100], u16>(), 23);
    assert_eq!(stays_free::<1, 32, u16, u16>(), 91);
    assert_eq!(stays_free::<8, 1, u128, [u8; 128]>(), 41);
}

#[test]
fn what_is_no_entry_is_none() {
    // A device that is gone has neither a date-time nor a user.
    let gone = [6, 0, 7, 0];
    assert_eq!(read::<u16, u16>(&gone), Some((Entry::Gone(7), &[][..])));
    let with_user = [6 | 8, 0, 7, 0];
    assert_eq!(read::<u16, u16>(&with_user), None);
    let with_date_time = [&[6, 0x80], &[0; 8][..], &[7, 0]].concat();
    assert_eq!(read::<u16, u16>(&with_date_time), None);
}

#[test]
fn a_tally_is_empty_when_nothing_is_counted_or_kept() {
    type Small = Tally<u16, u16, 4, 4>;
    assert!(Small::new().is_empty());
    let mut carried = Small::new();
    carried.declare(&Summary { devices: six(1), ..Summary::ZERO }).unwrap();
    assert!(!carried.is_empty(), "no row, but a count");
    let mut declared = Small::new();
    declared.declare_user(&1, Counts::ZERO, None).unwrap();
    assert_eq!(*declared.summary(), Summary::ZERO);
    assert!(!declared.is_empty(), "a row, but no count");
}

/// Where the entry that removed a device was lost, the event after it may be earlier.
#[test]
fn what_is_restored_is_recorded_whatever_was() {
    let mut tally = Tally::<u16, u16, 4, 4>::new();
    for tick in [9, 5, 7] {
        let event = Event { device: 1, user: Some(2), state: RunState::Fail, at: at(tick) };
        tally.restore(&event).unwrap();
        assert_eq!(tally.device(&1).unwrap().at, at(tick));
        assert_eq!(tally.audit(), Ok(()));
    }
}

/// Opens a journal of one failed device, behind whose record others were written, whole ones but not
/// by a journal.
fn behind(records: &[&dyn Fn(&mut Record)]) -> Result<Recovered, Error<Infallible>> {
    type Small = Tally<u16, u16, 4, 4>;
    let (mut tally, flash) = (Small::new(), Flash::<1, 4>::new(3));
    let (mut journal, _) = block_on(Journal::open(flash, 0..3072, &mut tally)).unwrap();
    let event = Event { device: 1, user: None, state: RunState::Fail, at: at(1) };
    let _ = block_on(journal.apply(&mut tally, &event)).unwrap();
    for fill in records {
        journal.record.clear();
        fill(&mut journal.record);
        block_on(journal.append(Kind::Change)).unwrap();
    }
    let mut restored = Small::new();
    let (_, recovered) = block_on(Journal::open(journal.flash().clone(), 0..3072, &mut restored))?;
    assert!(restored.device(&1).is_some());
    assert_eq!(restored.audit(), Ok(()));
    Ok(recovered)
}

#[test]
fn a_record_that_is_no_entries_is_damage() {
    let no_entry = |record: &mut Record| record.put(&[6 | 8, 0, 7, 0]).unwrap();
    let gone_and_more = |record: &mut Record| record.put(&[6, 0, 1, 0, 9]).unwrap();
    assert_eq!(behind(&[]).unwrap().damaged, 0);
    assert_eq!(behind(&[&no_entry]).unwrap().damaged, 1);
    assert_eq!(behind(&[&gone_and_more]).unwrap().damaged, 1);
}

#[test]
fn totals_that_leave_no_room_for_the_rows_are_refused_unless_there_is_damage() {
    let full = |record: &mut Record| {
        let devices = Counts::ZERO.with(RunState::Fail, Counts::MAX).unwrap();
        record.totals(&Totals { devices, ..Totals::default() }).unwrap();
    };
    let no_entry = |record: &mut Record| record.put(&[6 | 8, 0, 7, 0]).unwrap();
    assert!(matches!(behind(&[&full]), Err(Error::Refused(_))));
    assert_eq!(behind(&[&full, &no_entry]).unwrap().damaged, 2);
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
    assert_eq!(bytes[..14], [b'R', b'T', 2, 2, 16, 4, 44, 1, 4, 3, 2, 1, 0xfe, 0xff]);
    assert_eq!(Header::read(&bytes), Some(header));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Header::read(&flipped), None);
    }
    assert_eq!(Header::read(&bytes[..17]), None);
}

fn comes_back<K: Key + PartialEq + core::fmt::Debug>(key: &K, len: usize) {
    let mut bytes = vec![0xAA; K::MAX_LEN + 3];
    assert_eq!(key.write(&mut bytes), Some(len));
    assert_eq!(bytes[len..], vec![0xAA; K::MAX_LEN + 3 - len]);
    let (read, read_len) = K::read(&bytes).unwrap();
    assert_eq!((&read, read_len), (key, len));
    for short in 0..len {
        assert_eq!(key.write(&mut vec![0; short]), None, "{short} bytes");
        assert_eq!(K::read(&bytes[..short]), None, "{short} bytes");
    }
}

#[test]
fn keys_come_back() {
    comes_back(&0x0102_u16, 2);
    comes_back(&0x0102_0304_u32, 4);
    comes_back(&0x0102_0304_0506_0708_u64, 8);
    comes_back(&(0x0102_u128 << 112), 16);
    comes_back(&[1, 2, 3], 3);
    #[cfg(feature = "graph")]
    {
        use crate::graph::Upn;
        comes_back(&uuid::Uuid::from_u128(0x0102 << 112), 16);
        comes_back(&Upn::try_from("Čeněk@example.com").unwrap(), 1 + 19);
        comes_back(&Upn::try_from(&*["n"; Upn::MAX_LEN].concat()).unwrap(), 1 + Upn::MAX_LEN);
        // It compares without regard to case, but is kept as it is spelled.
        let (upn, _) = Upn::read(b"\x03AdA").unwrap();
        assert_eq!(upn.as_str(), "AdA");
        assert_eq!(Upn::read(b"\x00"), None);
        assert_eq!(Upn::read(b"\x02\xff\xff"), None);
    }
}

proptest! {
    #[test]
    fn the_bytes_of_all_rows_are_known_after_any_change(
        changes in prop::collection::vec(operations(0..14_u16, 0..7_u16), 1..100),
    ) {
        let mut tally = Tally::<u16, u16, 12, 5>::new();
        let flash = Flash::<1, 4>::new(3);
        let range = flash.range();
        let (mut journal, _) = block_on(Journal::open(flash, range, &mut tally)).unwrap();
        for change in changes {
            // One that is refused changes nothing here either.
            let _ = block_on(async {
                use Operation::{Apply, Declare, DeclareUser, Remove, Retire, UndeclareUser};
                match &change {
                    Apply(event) => journal.apply(&mut tally, event).await.map(|_| ()),
                    Remove(device) => journal.remove(&mut tally, device).await.map(|_| ()),
                    Retire(device) => journal.retire(&mut tally, device).await.map(|_| ()),
                    Declare(summary) => journal.declare(&mut tally, summary).await,
                    DeclareUser { user, devices, last_update } => {
                        journal.declare_user(&mut tally, user, *devices, *last_update).await
                    }
                    UndeclareUser(user) => {
                        journal.undeclare_user(&mut tally, user).await.map(|_| ())
                    }
                }
            });
            let live = journal.live;
            journal.measure(&tally);
            prop_assert_eq!(live, journal.live, "{:?}", change);
        }
    }
}

/// Names of any length, so that a limit is met to the byte.
#[cfg(feature = "graph")]
mod to_the_byte {
    use super::*;
    use crate::graph::Upn;
    use crate::journal::Change;

    type Named = Tally<u64, Upn, 500, 5>;
    type Log = Journal<Flash<1, 1>, u64, Upn, 500, 5>;
    const PAGES: u32 = 3;

    /// An entry of 18 bytes, and of one more for a user and each letter of the name.
    fn event(device: u64, letters: usize) -> Event<u64, Upn> {
        let name = vec!["n"; letters].concat();
        Event { device, user: Upn::try_from(&*name).ok(), state: RunState::Fail, at: at(0) }
    }

    fn open() -> (Log, Named) {
        const { assert!(PAGES < Log::PAGES, "so that not every row there can be has room") };
        let mut tally = Tally::new();
        let flash = Flash::new(PAGES as usize);
        let range = flash.range();
        let (journal, _) = block_on(Journal::open(flash, range, &mut tally)).unwrap();
        (journal, tally)
    }

    /// How many letters a name takes to leave no byte of the limit.
    fn fill(journal: &mut Log, tally: &mut Named) -> (u32, usize) {
        let limit = Log::limit(PAGES as u16);
        let mut device = 0;
        while limit - journal.live > 18 + 19 {
            device += 1;
            let _ = block_on(journal.apply(tally, &event(device, 0))).unwrap();
        }
        (limit, (limit - journal.live - 19) as usize)
    }

    #[test]
    fn rows_take_all_that_they_may() {
        let (mut journal, mut tally) = open();
        let (limit, letters) = fill(&mut journal, &mut tally);
        let live = journal.live;
        let full = block_on(journal.apply(&mut tally, &event(900, letters + 1)));
        assert_eq!(full, Err(Error::Full { live, limit }));
        let _ = block_on(journal.apply(&mut tally, &event(900, letters))).unwrap();
        assert_eq!(journal.live, limit);
        // One that takes as much as before is no more.
        let later = Event { at: at(1), ..event(900, letters) };
        let _ = block_on(journal.apply(&mut tally, &later)).unwrap();
        assert_eq!(journal.live, limit);
    }

    #[test]
    fn rows_recorded_afterwards_take_all_that_they_may() {
        for (more, fits) in [(0, true), (1, false)] {
            let (mut journal, mut tally) = open();
            let (limit, letters) = fill(&mut journal, &mut tally);
            let _ = tally.apply(&event(900, letters + more)).unwrap();
            let recorded = block_on(journal.record(&tally, Change::Device(&900)));
            let full = Err(Error::Full { live: limit + more as u32, limit });
            assert_eq!(recorded, if fits { Ok(()) } else { full });
        }
    }

    #[test]
    fn a_page_is_filled_up_to_what_stays_free() {
        for (more, begins) in [(0, false), (1, true)] {
            let (mut journal, mut tally) = open();
            let longest = Log::EVENT_LEN;
            let mut device = 0;
            // Until the next event can leave just what stays free.
            let letters = loop {
                device += 1;
                let _ = block_on(journal.apply(&mut tally, &event(device, 0))).unwrap();
                let room = 1024 - journal.append_at.unwrap() - 8 - Log::RESERVE;
                let shortest = record_len::<Flash<1, 1>>(18 + 1 + 1);
                if (shortest..longest).contains(&room) {
                    break (room - shortest) as usize + 1;
                }
            };
            let page = journal.end.unwrap().sequence;
            let _ = block_on(journal.apply(&mut tally, &event(900, letters + more))).unwrap();
            let begun = journal.end.unwrap().sequence != page;
            assert_eq!(begun, begins, "{letters} letters and {more}");
        }
    }
}
