//! Designs that are wrong as a whole. Those that lack a part of the right one are in `design`.

use std::collections::BTreeMap;

use runtally::DateTime;

use crate::design::{
    Design, Handled, Rows, by_user, last_run, shard_of_device, shard_of_user, with_users,
};
use crate::history::{Happening, Key};
use crate::recount::{Counted, Fact, Numbers, Outcome};

/// One stage: a report goes to its user's shard, or to its device's if it names no user.
pub(crate) struct ByUserAlone;

impl Design for ByUserAlone {
    type One = Rows;
    type Two = ();
    type Message = ();

    const NAME: &'static str = "by user alone";

    fn one() -> Rows {
        Rows::default()
    }

    fn two() {}

    fn shard(happening: &Happening) -> Option<usize> {
        let user = match happening {
            Happening::Report(event) => event.user,
            _ => None,
        };
        user.or(happening.device()).map(shard_of_device)
    }

    fn broadcast(_: DateTime) {}

    fn take(
        one: &mut Rows,
        _: (usize, usize),
        happening: &Happening,
        _: &mut dyn FnMut(usize, ()),
    ) {
        one.take(happening);
    }

    fn hear((): &mut (), _: usize, (): &()) {}

    fn outcome(ones: &[Rows], _: &[()]) -> Outcome {
        let devices: Vec<_> = ones.iter().flat_map(Rows::devices).collect();
        let users = by_user(&devices);
        Outcome::new(devices.clone(), with_users(&devices), users, last_run(ones))
    }
}

/// Stage 1 tells stage 2 to count one less here and one more there.
pub(crate) struct Deltas;

/// The user, the state, and -1 or +1.
type Delta = (Key, u8, i64);

impl Design for Deltas {
    type One = Rows;
    type Two = BTreeMap<Key, Numbers>;
    type Message = Delta;

    const NAME: &'static str = "-1/+1 deltas";

    fn one() -> Rows {
        Rows::default()
    }

    fn two() -> Self::Two {
        BTreeMap::new()
    }

    fn broadcast(_: DateTime) -> Delta {
        unreachable!("given reports alone")
    }

    fn take(
        one: &mut Rows,
        _: (usize, usize),
        happening: &Happening,
        send: &mut dyn FnMut(usize, Delta),
    ) {
        if let Handled::Applied { before, now } = one.take(happening) {
            let mut tell = |fact: Fact, by| {
                if let Some(Counted { user: Some(user), state, .. }) = fact.counted(None) {
                    send(shard_of_user(user), (user, state, by));
                }
            };
            if let Some(before) = before {
                tell(before, -1);
            }
            tell(now, 1);
        }
    }

    fn hear(two: &mut Self::Two, _: usize, &(user, state, by): &Delta) {
        two.entry(user).or_insert([0; 6])[usize::from(state)] += by;
    }

    fn outcome(ones: &[Rows], twos: &[Self::Two]) -> Outcome {
        let devices: Vec<_> = ones.iter().flat_map(Rows::devices).collect();
        let users = twos.iter().flatten().map(|(&user, &numbers)| (user, numbers)).collect();
        Outcome::new(devices.clone(), with_users(&devices), users, last_run(ones))
    }
}

/// Stage 1 counts its devices of each user, and sends these counts with the position in its log
/// they are counted at. Stage 2 adds up the latest of each shard.
pub(crate) struct Positions;

/// From which shard, of which user, at which position, the counts.
type Partial = (usize, Key, usize, Numbers);

impl Design for Positions {
    type One = Rows;
    type Two = BTreeMap<(usize, Key), (usize, Numbers)>;
    type Message = Partial;

    const NAME: &'static str = "per-user counters stamped with the log position";

    fn one() -> Rows {
        Rows::default()
    }

    fn two() -> Self::Two {
        BTreeMap::new()
    }

    fn broadcast(_: DateTime) -> Partial {
        unreachable!("given reports alone")
    }

    fn take(
        one: &mut Rows,
        (shard, position): (usize, usize),
        happening: &Happening,
        send: &mut dyn FnMut(usize, Partial),
    ) {
        if let Handled::Applied { before, now } = one.take(happening) {
            let users = by_user(&one.devices().collect::<Vec<_>>());
            let former = before.and_then(|before| before.user);
            for user in now.user.into_iter().chain(former.filter(|_| former != now.user)) {
                let numbers = users.get(&user).copied().unwrap_or_default();
                send(shard_of_user(user), (shard, user, position, numbers));
            }
        }
    }

    fn hear(two: &mut Self::Two, _: usize, &(shard, user, position, numbers): &Partial) {
        let latest = two.entry((shard, user)).or_insert((position, numbers));
        if latest.0 <= position {
            *latest = (position, numbers);
        }
    }

    fn outcome(ones: &[Rows], twos: &[Self::Two]) -> Outcome {
        let devices: Vec<_> = ones.iter().flat_map(Rows::devices).collect();
        let mut users = BTreeMap::new();
        for (&(_, user), (_, numbers)) in twos.iter().flatten() {
            let sum = users.entry(user).or_insert([0; 6]);
            for (sum, number) in sum.iter_mut().zip(numbers) {
                *sum += number;
            }
        }
        Outcome::new(devices.clone(), with_users(&devices), users, last_run(ones))
    }
}
