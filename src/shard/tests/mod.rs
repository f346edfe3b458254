mod cases;
mod damage;

use std::collections::BTreeMap;
use std::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{DeviceShard, Full, Record, Rows, UserShard, partition};
#[cfg(feature = "alloc")]
use crate::Heap;
use crate::snapshot::{Snapshot, SnapshotError, SnapshotReader, Source, min_piece};
use crate::table::RowId;
use crate::table::scarce::{self, Scarce};
use crate::{
    Counted, Counter, Counts, DateTime, Effect, Event, Refusal, RunState, Summary, Tally, Violation,
};

type First = DeviceShard<u8, u8, 8>;
type Second = UserShard<u8, u8, 8, 8>;
type Sent = Vec<(u8, Record<u8, u8>)>;

/// The shards of either stage.
const SHARDS: u8 = 3;

fn shard_of(key: u8) -> u8 {
    partition(&[key], SHARDS.into()) as u8
}

fn at(seconds: i64, offset: i16) -> DateTime {
    DateTime::from_ticks((1_795_253_400 + seconds) * 10_000_000, offset).unwrap()
}

fn report(device: u8, user: Option<u8>, state: RunState, seconds: i64) -> Record<u8, u8> {
    Record::Report(Event { device, user, state, at: at(seconds, 0) })
}

fn retired(record: Record<u8, u8>) -> Record<u8, u8> {
    Record::Retired(*record.event().unwrap())
}

/// Few instants, states, offsets and users, so that ties are frequent in each.
fn records() -> impl Strategy<Value = Record<u8, u8>> {
    let state = prop::sample::select(&RunState::ALL[..]);
    let user = prop::option::weighted(0.9, 0..6u8);
    let at = (0..4i64, 0..2i16).prop_map(|(seconds, hours)| at(seconds, hours * 60));
    (0..5u8, user, state, at, 0..12).prop_map(|(device, user, state, at, kind)| {
        let event = Event { device, user, state, at };
        match kind {
            0 => Record::Removed { device, at },
            1 => Record::Retired(event),
            _ => Record::Report(event),
        }
    })
}

/// Records whose keys can be written.
fn numbered() -> impl Strategy<Value = Record<u16, u16>> {
    fn widened(event: Event<u8, u8>) -> Event<u16, u16> {
        let Event { device, user, state, at } = event;
        Event { device: device.into(), user: user.map(u16::from), state, at }
    }
    records().prop_map(|record| match record {
        Record::Report(event) => Record::Report(widened(event)),
        Record::Retired(event) => Record::Retired(widened(event)),
        Record::Removed { device, at } => Record::Removed { device: device.into(), at },
    })
}

/// The pieces of a snapshot in a buffer of this size.
fn pieces(of: &impl Source, size: usize) -> Vec<Vec<u8>> {
    let mut snapshot = Snapshot::new(of);
    let mut pieces = Vec::new();
    let mut buffer = std::vec![0; size];
    while let Some(piece) = snapshot.next(&mut buffer).unwrap() {
        pieces.push(piece.to_vec());
    }
    pieces
}

/// The shards of both stages, and what is on the way between them.
#[derive(Clone, Debug, Default, PartialEq)]
struct Fleet {
    first: [First; SHARDS as usize],
    second: [Second; SHARDS as usize],
    sent: Sent,
}

impl Fleet {
    fn take(&mut self, record: &Record<u8, u8>) -> Effect {
        let shard = &mut self.first[usize::from(shard_of(*record.device()))];
        let sent = &mut self.sent;
        let effect =
            shard.take(record, |user, record| sent.push((shard_of(*user), record.cloned())));
        assert_eq!(shard.audit(), Ok(()));
        effect.unwrap()
    }

    fn join(&mut self, &(shard, record): &(u8, Record<u8, u8>)) -> Effect {
        let second = &mut self.second[usize::from(shard)];
        let effect = second.join(&record, |user| shard_of(*user) == shard).unwrap();
        assert_eq!(second.audit(), Ok(()));
        effect
    }

    fn join_sent(&mut self) {
        for sent in core::mem::take(&mut self.sent) {
            let _ = self.join(&sent);
        }
    }

    fn summary(&self) -> Summary {
        let summaries = self.first.iter().map(First::summary);
        let summaries = summaries.chain(self.second.iter().map(Second::summary));
        summaries.fold(Summary::ZERO, |sum, shard| sum.merge(shard).unwrap())
    }
}

/// The summary by its definition: the maximum of each device, counted.
fn recount(records: &[Record<u8, u8>], run_from: Option<DateTime>) -> Summary {
    let mut devices: BTreeMap<u8, Record<u8, u8>> = BTreeMap::new();
    for record in records {
        let known = devices.entry(*record.device()).or_insert(*record);
        if known.order() < record.order() {
            *known = *record;
        }
    }
    let mut summary = Summary::ZERO;
    let mut users: BTreeMap<u8, RunState> = BTreeMap::new();
    for event in devices.values().filter_map(|record| record.event()) {
        let is_before = run_from.is_some_and(|from| event.at.ticks() < from.ticks());
        let state = if is_before { RunState::Pending } else { event.state };
        summary.devices.enter(state);
        if let Some(user) = event.user {
            let known = users.entry(user).or_insert(state);
            *known = *[*known, state].iter().max_by_key(|state| state.severity()).unwrap();
        }
    }
    for state in users.values() {
        summary.users.enter(*state);
    }
    let ran = records.iter().filter_map(|record| record.event()).map(|event| event.at.to_utc());
    summary.last_run = ran.max();
    summary
}

/// `of` in another order, and each of them once or more.
fn redelivered<T: Clone>(of: &[T], order: &[prop::sample::Index]) -> Vec<T> {
    let mut all = of.to_vec();
    if !of.is_empty() {
        all.extend(order.iter().map(|index| index.get(of).clone()));
        for (place, index) in order.iter().enumerate() {
            let (a, b) = (place % all.len(), index.index(all.len()));
            all.swap(a, b);
        }
    }
    all
}

fn user_reported(shard: &Second) -> Counts {
    shard.user(&1).unwrap().reported()
}

proptest! {
    #[test]
    fn in_any_order_and_any_number_of_times_the_counts_are_those_of_the_set(
        records in vec(records(), 0..40),
        [first, second] in prop::array::uniform2(vec(any::<prop::sample::Index>(), 0..60)),
        lost in any::<prop::sample::Index>(),
    ) {
        // A worker is lost before its first snapshot. What it sent is heard nevertheless.
        let mut fleet = Fleet::default();
        for record in &records[..lost.index(records.len() + 1)] {
            let _ = fleet.take(record);
        }
        fleet.first = Default::default();
        for record in redelivered(&records, &first) {
            let _ = fleet.take(&record);
        }
        for sent in redelivered(&core::mem::take(&mut fleet.sent), &second) {
            let _ = fleet.join(&sent);
        }
        prop_assert_eq!(fleet.summary(), recount(&records, None));

        // What is sent depends on the order. What comes of it does not.
        let mut ordered = Fleet::default();
        for record in &records {
            let _ = ordered.take(record);
        }
        ordered.join_sent();
        prop_assert_eq!(&ordered.first, &fleet.first);
        for (a, b) in ordered.second.iter().zip(&fleet.second) {
            prop_assert!(a.users().all(|user| b.user(user.user) == Some(user)));
            prop_assert_eq!(a.user_count(), b.user_count());
        }
    }

    #[test]
    fn the_roll_out_begins_anew_at_any_moment(
        records in vec(records(), 0..40),
        from in vec(0..5i64, 1..3),
        place in any::<prop::sample::Index>(),
    ) {
        let from = from.into_iter().map(|seconds| at(seconds, 0));
        let mut fleet = Fleet::default();
        let (early, late) = records.split_at(place.index(records.len() + 1));
        for record in early {
            let _ = fleet.take(record);
        }
        fleet.join_sent();
        for at in from.clone() {
            let first = fleet.first.iter_mut().map(|shard| shard.begin_anew(at));
            let second = fleet.second.iter_mut().map(|shard| shard.begin_anew(at));
            prop_assert!(first.eq(second));
        }
        prop_assert_eq!(fleet.summary(), recount(early, from.clone().max()));
        for record in late {
            let _ = fleet.take(record);
        }
        fleet.join_sent();
        prop_assert_eq!(fleet.summary(), recount(&records, from.max()));
    }

    #[test]
    fn a_snapshot_comes_back_on_any_capacity_that_fits(
        records in vec(numbered(), 0..40),
        declared in vec((0..6u16, 0..3u32), 0..3),
        from in prop::option::of(0..4i64),
        size in min_piece::<u16, u16>()..200,
    ) {
        let is_own = |user: &u16| *user < 4;
        let mut first: DeviceShard<u16, u16, 5> = DeviceShard::new();
        let mut second: UserShard<u16, u16, 5, 6> = UserShard::new();
        for record in &records {
            let _ = first.take(record, |_, _| ()).unwrap();
            let _ = second.join(record, is_own).unwrap();
        }
        for (user, count) in &declared {
            let devices = Counts::ZERO.with(RunState::Fail, 5 + count).unwrap();
            let _ = second.declare(user, &devices, None);
        }
        if let Some(from) = from {
            assert_eq!(first.begin_anew(at(from, 0)), second.begin_anew(at(from, 0)));
        }

        let mut restored: DeviceShard<u16, u16, 9> = DeviceShard::new();
        let mut reader = SnapshotReader::restore();
        for piece in pieces(&first, size) {
            prop_assert_eq!(restored.restore_piece(&mut reader, &piece), Ok(piece.len()));
        }
        prop_assert!(reader.is_complete());
        prop_assert_eq!(restored.audit(), Ok(()));
        prop_assert_eq!(restored.summary(), first.summary());
        prop_assert_eq!(restored.run_from(), first.run_from());
        prop_assert!(restored.records().eq(first.records()));

        let mut restored: UserShard<u16, u16, 9, 9> = UserShard::new();
        let mut reader = SnapshotReader::restore();
        for piece in pieces(&second, size) {
            let read = restored.restore_piece(&mut reader, &piece, is_own);
            prop_assert_eq!(read, Ok(piece.len()));
        }
        prop_assert!(reader.is_complete());
        prop_assert_eq!(restored.audit(), Ok(()));
        prop_assert_eq!(restored.summary(), second.summary());
        prop_assert_eq!(restored.run_from(), second.run_from());
        prop_assert!(restored.records().eq(second.records()));
        prop_assert!(restored.ghosts().eq(second.ghosts()));
        prop_assert_eq!(restored.user_count(), second.user_count());
        prop_assert!(second.users().all(|user| restored.user(user.user) == Some(user)));
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn on_the_heap_a_shard_is_the_same(records in vec(numbered(), 0..60)) {
        let is_own = |user: &u16| *user < 4;
        let mut first: (DeviceShard<u16, u16, 4>, DeviceShard<u16, u16, 4, Heap>) =
            (DeviceShard::new(), DeviceShard::growing());
        let mut second: (UserShard<u16, u16, 2, 2>, UserShard<u16, u16, 2, 2, Heap>) =
            (UserShard::new(), UserShard::growing());
        for record in &records {
            let mut sent = [Vec::new(), Vec::new()];
            let [inline, heap] = &mut sent;
            let taken = first.0.take(record, |user, record| inline.push((*user, record.cloned())));
            let same = first.1.take(record, |user, record| heap.push((*user, record.cloned())));
            prop_assert_eq!(taken, same);
            prop_assert_eq!(&sent[0], &sent[1]);
            prop_assert_eq!(second.0.join(record, is_own), second.1.join(record, is_own));
        }
        prop_assert_eq!((first.1.audit(), second.1.audit()), (Ok(()), Ok(())));
        prop_assert!(first.0.entries().eq(first.1.entries()));
        prop_assert!(second.0.entries().eq(second.1.entries()));
        prop_assert_eq!(first.0.summary(), first.1.summary());
        prop_assert_eq!(second.0.summary(), second.1.summary());
    }

    #[test]
    fn without_memory_a_shard_is_as_it_was(
        records in vec(records(), 0..40),
        [first, second] in [0..8usize, 0..12usize],
    ) {
        let mut stage: DeviceShard<u8, u8, 8, Scarce> = DeviceShard {
            summary: Summary::ZERO,
            run_from: crate::tally::RunFrom::NEVER,
            retired: 0,
            removed: 0,
            rows: scarce::table(),
        };
        scarce::allow(first);
        for record in &records {
            let before = stage.clone();
            if let Err(full) = stage.take(record, |_, _| ()) {
                prop_assert_eq!(&stage, &before);
                prop_assert_eq!(full, Full { of: Rows::Devices, capacity: first as u16 });
            }
            prop_assert_eq!(stage.audit(), Ok(()));
        }
        let mut stage: UserShard<u8, u8, 8, 8, Scarce> = UserShard {
            summary: Summary::ZERO,
            run_from: crate::tally::RunFrom::NEVER,
            retired: 0,
            devices: scarce::table(),
            ghosts: scarce::table(),
            users: scarce::table(),
            declared: scarce::table(),
        };
        scarce::allow(second);
        for (place, record) in records.iter().enumerate() {
            let before = stage.clone();
            let result = if place % 4 == 3 {
                let user = *record.device();
                stage.declare(&user, &Counts::ZERO, None).map_err(drop)
            } else {
                stage.join(record, |user| *user < 4).map_err(drop)
            };
            if result.is_err() {
                prop_assert_eq!(&stage, &before);
            }
            prop_assert_eq!(stage.audit(), Ok(()));
        }
    }

    #[test]
    fn a_record_is_written_and_read(record in numbered()) {
        let mut bytes = [0; Record::<u16, u16>::MAX_LEN];
        let len = record.as_ref().write(&mut bytes).unwrap();
        prop_assert_eq!(Record::read(&bytes), Some((record, len)));
        for short in 0..len {
            prop_assert_eq!(Record::<u16, u16>::read(&bytes[..short]), None);
            prop_assert_eq!(record.as_ref().write(&mut bytes[..short]), None);
        }
    }
}
