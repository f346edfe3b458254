//! Snapshots: there and back in pieces of any size, and everything else an error that changes nothing.

use std::error::Error;

use proptest::prelude::*;
use runtally::snapshot::{Snapshot, SnapshotError, SnapshotReader, min_piece};
use runtally::strategies::changes;
use runtally::{Change, Event, Refusal, RunState, Tally};

type Small = Tally<u16, u16, 8, 6>;

/// Tallies of everything a tally may hold. Each has room for the rows of two.
fn tallies() -> impl Strategy<Value = Small> {
    prop::collection::vec(changes(0..4u16, 0..3u16), 0..40).prop_map(|changes| {
        let mut tally = Small::new();
        for change in &changes {
            let _ = tally.commit(change);
        }
        tally
    })
}

/// The pieces of a tally, in buffers of these sizes over and over.
fn pieces<const DEVICES: usize, const USERS: usize>(
    tally: &Tally<u16, u16, DEVICES, USERS>,
    sizes: &[usize],
) -> Vec<Vec<u8>> {
    let mut snapshot = Snapshot::new(tally);
    let mut pieces = vec![];
    for size in sizes.iter().cycle() {
        let mut buffer = vec![0xa5; *size];
        let Some(piece) = snapshot.next(&mut buffer).expect("a buffer of enough bytes") else {
            break;
        };
        assert!(piece.len() <= *size);
        pieces.push(piece.to_vec());
    }
    assert_eq!(snapshot.next(&mut []), Ok(None), "after the last one there is none");
    pieces
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![Just(min_piece::<u16, u16>()), 87..160usize, Just(40_000)];
    prop::collection::vec(size, 1..5)
}

/// Takes pieces in that stand one behind the other.
fn read<const DEVICES: usize, const USERS: usize>(
    mut reader: SnapshotReader,
    tally: &mut Tally<u16, u16, DEVICES, USERS>,
    mut bytes: &[u8],
) -> Result<(), SnapshotError> {
    while !bytes.is_empty() {
        assert!(!reader.is_complete(), "there is more");
        let len = reader.read(tally, bytes)?;
        bytes = &bytes[len..];
    }
    assert!(reader.is_complete());
    Ok(())
}

/// A piece with this body: number 0, the last one, its checksum right.
fn forged(body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u16 | 1 << 15).to_le_bytes();
    let mut piece = [&b"RTS\x01\x02\x02"[..], &len, &[0; 8], body].concat();
    let crc = !piece.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    });
    piece.extend(crc.to_le_bytes());
    piece
}

proptest! {
    #[test]
    fn pieces_of_any_size_restore_the_tally(tally in tallies(), sizes in sizes()) {
        let bytes = pieces(&tally, &sizes).concat();
        let mut restored = Small::new();
        prop_assert_eq!(read(SnapshotReader::restore(), &mut restored, &bytes), Ok(()));
        prop_assert_eq!(restored.audit(), Ok(()));
        prop_assert_eq!(&restored, &tally);
        prop_assert_eq!(restored.run_from(), tally.run_from());

        let mut larger: Tally<u16, u16, 100, 50> = Tally::new();
        prop_assert_eq!(read(SnapshotReader::restore(), &mut larger, &bytes), Ok(()));
        prop_assert_eq!(larger.audit(), Ok(()));
        prop_assert_eq!(larger.summary(), tally.summary());
        prop_assert!(larger.tombstones().eq(tally.tombstones()));
        prop_assert_eq!(pieces(&larger, &[40_000]).len(), 1);
    }

    #[test]
    fn absorbing_pieces_is_absorbing_the_tally(
        tally in tallies(), other in tallies(), sizes in sizes(), again in any::<bool>(),
    ) {
        let mut expected = tally.clone();
        prop_assume!(expected.absorb(&other).is_ok());
        let bytes = pieces(&other, &sizes).concat();
        let mut found = tally;
        for _ in 0..=u8::from(again) {
            prop_assert_eq!(read(SnapshotReader::absorb(), &mut found, &bytes), Ok(()));
        }
        prop_assert_eq!(found.audit(), Ok(()));
        prop_assert_eq!(&found, &expected);
    }

    #[test]
    fn a_damaged_piece_changes_nothing(tally in tallies(), before in tallies()) {
        for piece in pieces(&tally, &[min_piece::<u16, u16>()]).iter().take(1) {
            for bit in 0..piece.len() * 8 {
                let mut flipped = piece.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let (mut found, mut reader) = (before.clone(), SnapshotReader::absorb());
                prop_assert!(reader.read(&mut found, &flipped).is_err(), "bit {}", bit);
                prop_assert_eq!(&found, &before);
                prop_assert!(!reader.is_complete());
                // The same piece, whole, is the next one still.
                let retried = reader.read(&mut found, piece);
                prop_assert_ne!(retried, Err(SnapshotError::Number { expected: 1, found: 0 }));
            }
            for len in 0..piece.len() {
                let mut found = before.clone();
                let error = SnapshotReader::restore().read(&mut found, &piece[..len]).err();
                let expected =
                    if len < 3 { SnapshotError::Foreign } else { SnapshotError::Damaged };
                prop_assert_eq!(error, Some(expected), "cut at {}", len);
                prop_assert_eq!(&found, &before);
            }
        }
    }
}

/// Three thousand devices, each with its user.
fn large() -> Tally<u16, u16, 3000, 3000> {
    let mut tally = Tally::new();
    for device in 0..3000 {
        let at = "2026-11-21T09:30:00.1+01:00".parse().expect("a date-time");
        let event = Event { device, user: Some(device), state: RunState::Fail, at };
        assert!(tally.apply(&event).expect("there is room").is_applied());
    }
    tally
}

#[test]
fn a_piece_out_of_its_order_is_refused_and_beginning_again_is_not() {
    let tally = large();
    let pieces = pieces(&tally, &[1000]);
    let mut found: Tally<u16, u16, 3000, 3000> = Tally::new();
    let mut reader = SnapshotReader::absorb();
    for (number, piece) in (0..).zip(&pieces[..3]) {
        let wrong = &pieces[4];
        let error = SnapshotError::Number { expected: number, found: 4 };
        assert_eq!(reader.read(&mut found, wrong), Err(error), "one is missing");
        assert_eq!(reader.read(&mut found, piece), Ok(piece.len()));
        if number > 0 {
            let error = SnapshotError::Number { expected: number + 1, found: number };
            assert_eq!(reader.read(&mut found, piece), Err(error), "sent again");
        }
        assert!(!reader.is_complete());
    }
    assert!(found.device_count() > 0 && found.device_count() < 3000);
    assert_eq!(read(SnapshotReader::absorb(), &mut found, &pieces.concat()), Ok(()));
    assert_eq!(found, tally);
}

/// Neither a sender that began anew meanwhile nor two senders are taken for one snapshot.
#[test]
fn pieces_of_two_snapshots_do_not_mix() {
    let tally = large();
    let mut other = tally.clone();
    let removal = Change::Remove { device: 0, at: "2026-11-22T00:00Z".parse().unwrap() };
    assert!(other.commit(&removal).unwrap().is_applied());
    let (one, two) = (pieces(&tally, &[1000]), pieces(&other, &[1000]));
    let mut found: Tally<u16, u16, 3000, 3000> = Tally::new();
    let mut reader = SnapshotReader::restore();
    for number in 0..one.len() - 1 {
        assert_eq!(reader.read(&mut found, &one[number]), Ok(one[number].len()));
        let before = found.clone();
        assert_eq!(reader.read(&mut found, &two[number + 1]), Err(SnapshotError::Mixed));
        assert_eq!(found, before);
        assert!(!reader.is_complete());
    }
    // The same reader begins again with the first, of whichever.
    for piece in &two {
        assert_eq!(reader.read(&mut found, piece), Ok(piece.len()));
    }
    assert!(reader.is_complete());
    assert_eq!(found.tombstones().count(), 1, "in every row that there is, the later one counts");
}

/// A length has 15 bits, so more than 32 KiB are more than one piece, however large the buffer.
#[test]
fn no_piece_is_longer_than_its_length_can_say() {
    let tally = large();
    let pieces = pieces(&tally, &[1 << 20]);
    assert!(pieces.len() > 1);
    assert!(pieces.iter().all(|piece| piece.len() < 1 << 15));
    let mut found: Tally<u16, u16, 3000, 3000> = Tally::new();
    assert_eq!(read(SnapshotReader::restore(), &mut found, &pieces.concat()), Ok(()));
    assert_eq!(found, tally);
}

#[test]
fn a_buffer_is_large_enough_from_the_stated_size_on() {
    let tally = Small::new();
    let needed = min_piece::<u16, u16>();
    let mut buffer = vec![0; needed];
    for len in 0..needed {
        let refused = Snapshot::new(&tally).next(&mut buffer[..len]).err();
        assert_eq!(refused, Some(SnapshotError::BufferTooSmall { needed }));
    }
    assert!(Snapshot::new(&tally).next(&mut buffer).is_ok_and(|piece| piece.is_some()));
    // The longest entry fills it: the totals, or a user or a device where keys are long.
    assert_eq!(needed, 16 + 67 + 4);
    assert_eq!(min_piece::<u64, u128>(), needed);
    assert_eq!(min_piece::<[u8; 40], [u8; 1]>(), needed.max(16 + 11 + 41 + 4));
    assert_eq!(min_piece::<[u8; 200], [u8; 100]>(), 16 + 11 + 300 + 4);
    assert_eq!(min_piece::<u16, [u8; 100]>(), 16 + 35 + 100 + 4);
}

#[test]
fn what_is_no_piece_of_such_a_tally_is_refused_by_name() {
    let mut tally = Small::new();
    let mut refuse = |piece: &[u8], error: SnapshotError| {
        assert_eq!(SnapshotReader::restore().read(&mut tally, piece), Err(error));
        assert_eq!(tally, Small::new());
    };
    let piece = forged(&[]);
    refuse(b"RTX", SnapshotError::Foreign);
    refuse(&[&piece[..3], &[2], &piece[4..]].concat(), SnapshotError::Version { found: 2 });
    let keys = SnapshotError::Keys { device: 4, user: 2 };
    refuse(&[&piece[..4], &[4], &piece[5..]].concat(), keys);
    let keys = SnapshotError::Keys { device: 2, user: 16 };
    refuse(&[&piece[..5], &[16], &piece[6..]].concat(), keys);
}

/// The checksum of each is right.
#[test]
fn entries_that_are_none_are_damage() {
    let ticks = 17_952_534_000_000_000_i64.to_le_bytes();
    let utc = (2048_u16 << 4).to_le_bytes();
    let head = |what: u8| [utc[0] | what, utc[1]];
    let device = |what: u8, rest: &[u8]| [&head(what)[..], &ticks, rest].concat();
    let sound = device(1, &[7, 0]);
    let mut tally = Small::new();
    assert_eq!(SnapshotReader::restore().read(&mut tally, &forged(&sound)), Ok(16 + 12 + 4));
    assert_eq!(tally.device(&7).map(|event| event.state), Some(RunState::Success));

    let totals = |mask: u8, rest: &[u8]| [&head(7)[..], &ticks, &[mask], rest].concat();
    for (what, body) in [
        ("a key is cut", device(1, &[7])),
        ("a user is missing", device(1 | 8, &[7, 0])),
        ("a removal without a time", vec![6, 0, 7, 0]),
        ("a report without a time", vec![1, 0, 7, 0]),
        ("what is kept has no flag", device(7 | 8, &[0, 7, 0])),
        ("a retired device carried as a seventh state", device(6 | 8, &[0x60, 7, 0])),
        ("as an eighth bit says", device(6 | 8, &[0x80, 7, 0])),
        ("a count above its limit", device(7, &[1, 0, 0, 0, 0x80, 7, 0])),
        (
            "a run-from before every date-time",
            totals(0xc0, &[&i64::MIN.to_le_bytes()[..], &[0; 48]].concat()),
        ),
        ("totals that are cut", totals(0x80, &[0; 47])),
        ("an offset of a day", [&[1, 0xda], &ticks[..], &[7, 0]].concat()),
        ("behind a sound one", [&sound[..], &[1]].concat()),
    ] {
        let mut tally = Small::new();
        let error = SnapshotReader::restore().read(&mut tally, &forged(&body)).err();
        assert_eq!(error, Some(SnapshotError::Damaged), "{what}");
        assert_eq!(tally, Small::new(), "{what}");
    }
}

#[test]
fn no_room_is_told_with_its_cause() {
    let tally = large();
    let mut small = Small::new();
    let bytes = pieces(&tally, &[1000]).concat();
    let error = read(SnapshotReader::restore(), &mut small, &bytes).unwrap_err();
    assert!(matches!(
        error,
        SnapshotError::Refused(Refusal::DevicesFull { .. } | Refusal::UsersFull { .. })
    ));
    assert_eq!(error.source().map(ToString::to_string), Some(error.to_string()));
    assert_eq!(small.audit(), Ok(()));
}

#[test]
fn restoring_keeps_what_absorbing_does_not() {
    let mut tally = Small::new();
    let declared = runtally::Counts::ZERO.with(RunState::Fail, 9).unwrap();
    let _ = tally.commit(&Change::DeclareUser { user: 3, devices: declared, last_update: None });
    let bytes = pieces(&tally, &[100]).concat();
    let [mut restored, mut absorbed] = [Small::new(), Small::new()];
    assert_eq!(read(SnapshotReader::restore(), &mut restored, &bytes), Ok(()));
    assert_eq!(read(SnapshotReader::absorb(), &mut absorbed, &bytes), Ok(()));
    assert_eq!(restored, tally);
    assert_eq!(restored.user(&3).map(|user| user.carried), Some(declared));
    assert_eq!(absorbed, Small::new());
}
