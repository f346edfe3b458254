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

#[test]
fn a_duplicate_is_not_sent_and_what_is_stale_only_to_whom_it_names_wrongly() {
    let mut shard = First::new();
    let mut take = |record: Record<u8, u8>| {
        let mut sent = Sent::new();
        let effect = shard.take(&record, |user, record| sent.push((*user, record.cloned())));
        (effect.unwrap(), sent)
    };
    let applied = |before| Effect::Applied { before };
    let fail = report(1, Some(10), RunState::Fail, 5);
    assert_eq!(take(fail), (applied(None), Vec::from([(10, fail)])));
    assert_eq!(take(fail), (Effect::Duplicate, Vec::new()));
    assert_eq!(take(report(1, Some(10), RunState::Fail, 4)), (Effect::Stale, Vec::new()));
    assert_eq!(take(report(1, None, RunState::Fail, 4)), (Effect::Stale, Vec::new()));
    let other = report(1, Some(11), RunState::Fail, 4);
    assert_eq!(take(other), (Effect::Stale, Vec::from([(11, fail)])));

    let moved = report(1, Some(12), RunState::Success, 6);
    let sent = Vec::from([(12, moved), (10, moved)]);
    assert_eq!(take(moved), (applied(Some(RunState::Fail)), sent));
    let nobodys = report(1, None, RunState::Success, 7);
    assert_eq!(take(nobodys), (applied(Some(RunState::Success)), Vec::from([(12, nobodys)])));
    assert_eq!(take(moved), (Effect::Stale, Vec::from([(12, nobodys)])));

    let removed = Record::Removed { device: 1, at: at(8, 60) };
    assert_eq!(take(removed), (applied(Some(RunState::Success)), Vec::new()));
    assert_eq!(take(Record::Removed { device: 1, at: at(8, 0) }).0, Effect::Duplicate);
    let (_, sent) = take(moved);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].0, sent[0].1.order()), (12, removed.order()));
    let back = report(1, Some(10), RunState::Success, 9);
    assert_eq!(take(back), (applied(None), Vec::from([(10, back)])));
}

#[test]
fn a_retired_device_counts_and_is_not_listed_until_it_reports() {
    let mut fleet = Fleet::default();
    let fail = report(1, Some(10), RunState::Fail, 5);
    let _ = fleet.take(&fail);
    fleet.join_sent();
    let before = fleet.summary();
    assert_eq!(before, recount(&[fail], None));

    let [first, second] = [1, 10].map(|key| usize::from(shard_of(key)));
    let sent = &mut fleet.sent;
    let retire =
        |user: &u8, record: Record<&u8, &u8>| sent.push((shard_of(*user), record.cloned()));
    let effect = fleet.first[first].retire(&1, retire);
    assert_eq!(effect, Effect::Applied { before: Some(RunState::Fail) });
    assert_eq!(fleet.sent, [(shard_of(10), retired(fail))]);
    assert_eq!(fleet.first[first].retire(&1, |_, _| panic!("sent twice")), Effect::Unknown);
    fleet.join_sent();
    assert_eq!(fleet.summary(), before);
    let (first, second) = (&fleet.first[first], &fleet.second[second]);
    assert_eq!((first.row_count(), first.device_count(), first.retired_count()), (1, 0, 1));
    assert_eq!((second.row_count(), second.device_count(), second.retired_count()), (1, 0, 1));
    assert_eq!((first.device(&1), first.devices().count()), (None, 0));
    assert_eq!(first.record(&1).map(Record::cloned), Some(retired(fail)));
    assert_eq!((second.user_devices(&10).count(), second.records().count()), (0, 1));
    assert_eq!(second.user_state(&10), Some(RunState::Fail));

    // The report it was retired with, once more, is not later.
    assert_eq!(fleet.take(&fail), Effect::Stale);
    let back = report(1, Some(10), RunState::Success, 6);
    assert_eq!(fleet.take(&back), Effect::Applied { before: Some(RunState::Fail) });
    fleet.join_sent();
    assert_eq!(fleet.summary(), recount(&[fail, back], None));
    assert_eq!(fleet.first.iter().map(First::device_count).sum::<usize>(), 1);
    assert_eq!(fleet.second.iter().map(Second::device_count).sum::<usize>(), 1);
}

#[test]
fn a_ghost_keeps_what_comes_late_from_counting() {
    let is_own = |user: &u8| *user < 10;
    let mut shard = Second::new();
    let foreign = report(1, Some(10), RunState::Fail, 5);
    assert_eq!(shard.join(&foreign, is_own), Ok(Effect::Applied { before: None }));
    assert_eq!((shard.ghost_count(), shard.device_count(), shard.user_count()), (1, 0, 0));
    assert_eq!(shard.join(&report(1, Some(1), RunState::Fail, 4), is_own), Ok(Effect::Stale));
    // Nothing but the user tells them apart.
    assert_eq!(shard.join(&report(1, Some(9), RunState::Fail, 5), is_own), Ok(Effect::Stale));
    assert_eq!(shard.join(&foreign, is_own), Ok(Effect::Duplicate));
    assert_eq!(*shard.summary(), Summary::ZERO);

    let own = report(1, Some(1), RunState::Success, 6);
    assert_eq!(shard.join(&own, is_own), Ok(Effect::Applied { before: None }));
    assert_eq!((shard.ghost_count(), shard.device_count(), shard.user_count()), (0, 1, 1));
    let removed = Record::Removed { device: 1, at: at(6, 0) };
    let effect = shard.join(&removed, is_own);
    assert_eq!(effect, Ok(Effect::Applied { before: Some(RunState::Success) }));
    assert_eq!((shard.ghost_count(), shard.device_count(), shard.user_count()), (1, 0, 0));
    assert_eq!(shard.record(&1).map(Record::cloned), Some(removed));
    assert_eq!(shard.join(&own, is_own), Ok(Effect::Stale));
    assert_eq!((*shard.summary(), shard.audit()), (Summary::ZERO, Ok(())));
}

#[test]
fn a_full_shard_changes_nothing_and_forgets_nothing() {
    let mut first: DeviceShard<u8, u8, 2> = DeviceShard::new();
    let full = |of| Full { of, capacity: 2 };
    let removed = |device| Record::Removed { device, at: at(0, 0) };
    for record in [removed(1), retired(report(2, Some(1), RunState::Fail, 0))] {
        assert!(first.take(&record, |_, _| ()).unwrap().is_applied());
    }
    let before = first.clone();
    let third = report(3, Some(1), RunState::Fail, 9);
    assert_eq!(first.take(&third, |_, _| panic!("sent")), Err(full(Rows::Devices)));
    assert_eq!((&first, first.audit()), (&before, Ok(())));
    assert!(first.take(&report(1, None, RunState::Fail, 9), |_, _| ()).unwrap().is_applied());

    let is_own = |user: &u8| *user < 10;
    let mut second: UserShard<u8, u8, 2, 2> = UserShard::new();
    for record in [report(1, Some(1), RunState::Fail, 0), report(2, Some(2), RunState::Fail, 0)] {
        assert!(second.join(&record, is_own).unwrap().is_applied());
    }
    let before = second.clone();
    let new = report(3, Some(1), RunState::Fail, 0);
    assert_eq!(second.join(&new, is_own), Err(full(Rows::Devices)));
    assert_eq!(second, before);
    // The row that the former user leaves is the new one's.
    assert!(second.join(&report(1, Some(3), RunState::Fail, 1), is_own).unwrap().is_applied());
    assert!(second.join(&report(1, Some(2), RunState::Fail, 2), is_own).unwrap().is_applied());
    assert!(second.declare(&4, &Counts::ZERO, None).unwrap().is_applied());
    let before = second.clone();
    assert_eq!(second.declare(&5, &Counts::ZERO, None), Err(Refusal::UsersFull { capacity: 2 }));
    let new = report(1, Some(5), RunState::Fail, 3);
    assert_eq!(second.join(&new, is_own), Err(full(Rows::Users)));
    assert_eq!((&second, second.audit()), (&before, Ok(())));

    for device in [3, 4] {
        assert!(second.join(&removed(device), is_own).unwrap().is_applied());
    }
    let before = second.clone();
    assert_eq!(second.join(&removed(5), is_own), Err(full(Rows::Ghosts)));
    let gone = Record::Removed { device: 1, at: at(9, 0) };
    assert_eq!(second.join(&gone, is_own), Err(full(Rows::Ghosts)));
    assert_eq!((&second, second.audit()), (&before, Ok(())));
}

#[test]
fn what_is_declared_of_a_user_adds_to_what_is_heard() {
    let is_own = |_: &u8| true;
    let mut shard = Second::new();
    let five = Counts::ZERO.with(RunState::Success, 5).unwrap();
    assert!(shard.join(&report(1, Some(1), RunState::Success, 5), is_own).unwrap().is_applied());
    assert!(shard.declare(&1, &five, Some(at(5, 0))).unwrap().is_applied());
    let user = shard.user(&1).unwrap();
    assert_eq!((user.reported(), user.live.total(), user.declared), (five, 1, true));
    assert!(shard.join(&report(2, Some(1), RunState::Fail, 6), is_own).unwrap().is_applied());
    let user = shard.user(&1).unwrap();
    assert_eq!((user.reported().total(), user.last_update), (6, Some(at(6, 0))));
    assert_eq!(shard.summary().users, Counts::ZERO.with(RunState::Fail, 1).unwrap());

    let before = shard.clone();
    let refusal = shard.declare(&1, &Counts::ZERO, None);
    assert!(matches!(refusal, Err(Refusal::BelowLive { .. })));
    let reported = user_reported(&shard);
    let refusal = shard.declare(&1, &reported, Some(at(5, 0)));
    assert!(matches!(refusal, Err(Refusal::BeforeRow { .. })));
    let most = Counts::ZERO.with(RunState::Fail, Counts::MAX - 7).unwrap();
    assert!(matches!(shard.declare(&2, &most, None), Err(Refusal::UserOverflow(_))));
    assert_eq!(shard, before);
    let most = Counts::ZERO.with(RunState::Fail, Counts::MAX - 8).unwrap();
    assert!(shard.declare(&2, &most, None).unwrap().is_applied());
    assert_eq!(shard.summary().users[RunState::Fail], 2);

    for device in [1, 2] {
        let removed = Record::Removed { device, at: at(7, 0) };
        assert!(shard.join(&removed, is_own).unwrap().is_applied());
    }
    // What was declared stays, with the user's row.
    assert_eq!(shard.user_state(&1), Some(RunState::Success));
    assert!(shard.undeclare(&1).is_applied());
    assert_eq!(shard.undeclare(&1), Effect::Unknown);
    assert!(shard.user(&1).is_none());
    assert_eq!((shard.user_count(), shard.audit()), (1, Ok(())));
}

fn user_reported(shard: &Second) -> Counts {
    shard.user(&1).unwrap().reported()
}

#[test]
fn a_snapshot_is_of_one_kind() {
    let (first, second) = (DeviceShard::<u16, u16, 4>::new(), UserShard::<u16, u16, 4, 4>::new());
    let tally = Tally::<u16, u16, 4, 4>::new();
    let all = [pieces(&first, 128), pieces(&second, 128), pieces(&tally, 128)];
    for (kind, pieces) in all.iter().enumerate() {
        let piece = &pieces[0][..];
        let read = [
            first.clone().restore_piece(&mut SnapshotReader::restore(), piece),
            second.clone().restore_piece(&mut SnapshotReader::restore(), piece, |_| true),
            SnapshotReader::restore().read(&mut tally.clone(), piece),
        ];
        for (of, read) in read.into_iter().enumerate() {
            let expected = if of == kind { Ok(piece.len()) } else { Err(SnapshotError::Foreign) };
            assert_eq!(read, expected, "{of} {kind}");
        }
    }
}

#[test]
fn a_snapshot_that_does_not_fit_is_refused() {
    let mut first: DeviceShard<u16, u16, 4> = DeviceShard::new();
    for device in 0..2 {
        let removed = Record::Removed { device, at: at(0, 0) };
        assert!(first.take(&removed, |_, _| ()).unwrap().is_applied());
    }
    let mut small: DeviceShard<u16, u16, 1> = DeviceShard::new();
    let read = small.restore_piece(&mut SnapshotReader::restore(), &pieces(&first, 128)[0]);
    assert_eq!(read, Err(SnapshotError::Refused(Refusal::DevicesFull { capacity: 1 })));
}

type Damage<T> = (fn(&mut T), Violation);

fn user(shard: &mut Second, user: u8) -> &mut super::user::User {
    let row = shard.users.find(&user).unwrap();
    shard.users.value_mut(row).unwrap()
}

fn owned(shard: &mut Second, device: u8) -> &mut super::user::Owned {
    let row = shard.devices.find(&device).unwrap();
    shard.devices.value_mut(row).unwrap()
}

#[test]
fn the_audit_finds_what_is_damaged() {
    let mut first = First::new();
    let mut second = Second::new();
    let fail = report(1, Some(1), RunState::Fail, 5);
    for record in [
        fail,
        report(2, Some(1), RunState::Success, 5),
        Record::Removed { device: 3, at: at(5, 0) },
        retired(report(4, Some(2), RunState::Fail, 5)),
    ] {
        assert!(first.take(&record, |_, _| ()).unwrap().is_applied());
        assert!(second.join(&record, |_| true).unwrap().is_applied());
    }
    assert!(second.declare(&1, &user_reported(&second), None).unwrap().is_applied());
    assert_eq!((first.audit(), second.audit()), (Ok(()), Ok(())));

    let devices = Violation::Table { of: Counted::Devices };
    let users = Violation::Table { of: Counted::Users };
    let fails = |of, kept, counted| {
        let counter = Counter { of, state: RunState::Fail };
        Violation::Count { counter, kept, counted }
    };
    let of_first: [Damage<First>; 4] = [
        (|it| it.retired = 0, devices),
        (|it| it.removed = 0, devices),
        (|it| it.summary.devices.enter(RunState::Fail), fails(Counted::Devices, 3, 2)),
        (|it| it.summary.last_run = Some(at(4, 0)), Violation::LastRun { latest: at(5, 0) }),
    ];
    for (place, (damage, violation)) in of_first.into_iter().enumerate() {
        let mut damaged = first.clone();
        damage(&mut damaged);
        assert_eq!(damaged.audit(), Err(violation), "{place}");
    }

    let of_a_user = Violation::UserCount {
        counter: Counter { of: Counted::Devices, state: RunState::Success },
        kept: 1,
        counted: 0,
    };
    let of_second: [Damage<Second>; 9] = [
        (|it| it.retired = 0, devices),
        (
            |it| {
                let kept = super::record::Kept { stamp: owned(it, 1).stamp, user: None };
                let _ = it.ghosts.insert(&1, kept);
            },
            devices,
        ),
        (|it| assert!(it.users.insert(&9, super::user::User::NEW).is_some()), users),
        (|it| assert!(it.declared.insert(&9, super::user::Declared::NOTHING).is_some()), users),
        (|it| owned(it, 1).user = owned(it, 4).user, Violation::Chain),
        (|it| owned(it, 2).sibling = it.devices.find(&2).unwrap(), Violation::Chain),
        (|it| user(it, 1).first = RowId::NOWHERE, of_a_user_without()),
        (|it| owned(it, 2).stamp = owned(it, 1).stamp, of_a_user),
        (|it| it.summary.users.enter(RunState::Fail), fails(Counted::Users, 3, 2)),
    ];
    for (place, (damage, violation)) in of_second.into_iter().enumerate() {
        let mut damaged = second.clone();
        damage(&mut damaged);
        // Which of two that are damaged is found first depends on the rows.
        let found = damaged.audit().unwrap_err();
        assert_eq!(found, violation, "{place}");
    }
}

/// Of a user who is declared and whose chain is gone.
fn of_a_user_without() -> Violation {
    let counter = Counter { of: Counted::Devices, state: RunState::Success };
    Violation::UserCount { counter, kept: 1, counted: 0 }
}
