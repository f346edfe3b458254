//! What the audit finds.

use super::*;

type Damage<T> = (fn(&mut T), Violation);

fn user(shard: &mut Second, user: u8) -> &mut crate::shard::user::User {
    let row = shard.users.find(&user).unwrap();
    shard.users.value_mut(row).unwrap()
}

fn owned(shard: &mut Second, device: u8) -> &mut crate::shard::user::Owned {
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
                let kept = crate::shard::record::Kept { stamp: owned(it, 1).stamp, user: None };
                let _ = it.ghosts.insert(&1, kept);
            },
            devices,
        ),
        (|it| assert!(it.users.insert(&9, crate::shard::user::User::NEW).is_some()), users),
        (
            |it| assert!(it.declared.insert(&9, crate::shard::user::Declared::NOTHING).is_some()),
            users,
        ),
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
