//! Case by case.

use super::*;

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
