//! The design, and what every way of dividing the work has to answer.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use runtally::DateTime;

use crate::history::{Happening, Key};
use crate::recount::{Counted, Fact, Numbers, Outcome};

/// The shards of stage 1, which own devices, and of stage 2, which own users.
pub(crate) const ONES: usize = 3;
pub(crate) const TWOS: usize = 3;

pub(crate) fn shard_of_device(device: Key) -> usize {
    usize::from(device) % ONES
}

pub(crate) fn shard_of_user(user: Key) -> usize {
    usize::from(user) % TWOS
}

/// A way of dividing one roll-out over shards.
pub(crate) trait Design {
    /// What a shard of stage 1 keeps, and its snapshot.
    type One: Clone + Debug + Eq + Hash;
    /// What a shard of stage 2 keeps, and its snapshot.
    type Two: Clone + Debug + Eq + Hash;
    /// What stage 1 sends to stage 2.
    type Message: Clone + Debug + Ord + Hash;

    const NAME: &'static str;

    /// Whether a snapshot of stage 1 waits until all that was sent is acknowledged.
    const WAITS: bool = true;

    fn one() -> Self::One;
    fn two() -> Self::Two;

    /// What a worker has that takes up a snapshot.
    fn restored_one(snapshot: &Self::One) -> Self::One {
        snapshot.clone()
    }

    fn restored_two(_shard: usize, snapshot: &Self::Two) -> Self::Two {
        snapshot.clone()
    }

    /// The shard of stage 1 whose log this is written to; `None`: to all of both stages.
    fn shard(happening: &Happening) -> Option<usize> {
        happening.device().map(shard_of_device)
    }

    /// What is written to all shards of stage 2 for it.
    fn broadcast(run_from: DateTime) -> Self::Message;

    /// Stage 1 handles a happening. `place` is its shard, and how many that has handled by then.
    fn take(
        one: &mut Self::One,
        place: (usize, usize),
        happening: &Happening,
        send: &mut dyn FnMut(usize, Self::Message),
    );

    /// Stage 2 handles a message.
    fn hear(two: &mut Self::Two, shard: usize, message: &Self::Message);

    fn outcome(ones: &[Self::One], twos: &[Self::Two]) -> Outcome;
}

/// The design, in the plainest words. Without one of its parts it is a wrong design.
pub(crate) struct Plain<const RULE_2: bool, const GHOSTS: bool, const WAITS: bool>;

pub(crate) type TheDesign = Plain<true, true, true>;
pub(crate) type SnapshotsEarly = Plain<true, true, false>;
pub(crate) type WithoutGhosts = Plain<true, false, true>;
pub(crate) type WithoutRule2 = Plain<false, true, true>;

/// The greatest fact of each device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Rows {
    pub(crate) facts: BTreeMap<Key, Fact>,
    /// The latest instant of all reports received.
    pub(crate) last_run: Option<i64>,
    pub(crate) run_from: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Message {
    Fact(Fact),
    RunFrom(i64),
}

/// What came of a happening at stage 1.
pub(crate) enum Handled {
    Applied { before: Option<Fact>, now: Fact },
    Stale { fact: Fact, now: Fact },
    Nothing,
}

impl Rows {
    pub(crate) fn take(&mut self, happening: &Happening) -> Handled {
        let fact = match happening {
            Happening::RunFrom(at) => {
                self.run_from = self.run_from.max(Some(at.ticks()));
                return Handled::Nothing;
            }
            Happening::Retire { device } => match self.facts.get(device) {
                Some(fact) if !fact.is_removal() => Fact { is_retired: true, ..*fact },
                _ => return Handled::Nothing,
            },
            _ => Fact::of(happening).expect("a report or a removal"),
        };
        if let Happening::Report(event) | Happening::Retired(event) = happening {
            self.last_run = self.last_run.max(Some(event.at.ticks()));
        }
        let before = self.facts.get(&fact.device).copied();
        match before {
            Some(now) if fact < now => Handled::Stale { fact, now },
            Some(now) if fact == now => Handled::Nothing,
            _ => {
                self.facts.insert(fact.device, fact);
                Handled::Applied { before, now: fact }
            }
        }
    }

    pub(crate) fn devices(&self) -> impl Iterator<Item = Counted> {
        self.facts.values().filter_map(|fact| fact.counted(self.run_from))
    }
}

/// Each user's numbers of devices.
pub(crate) fn by_user<'a>(
    devices: impl IntoIterator<Item = &'a Counted>,
) -> BTreeMap<Key, Numbers> {
    let mut users = BTreeMap::new();
    for device in devices {
        if let Some(user) = device.user {
            users.entry(user).or_insert([0; 6])[usize::from(device.state)] += 1;
        }
    }
    users
}

pub(crate) fn with_users(devices: &[Counted]) -> Vec<Counted> {
    devices.iter().filter(|device| device.user.is_some()).copied().collect()
}

pub(crate) fn last_run(ones: &[Rows]) -> Option<i64> {
    ones.iter().filter_map(|one| one.last_run).max()
}

impl<const RULE_2: bool, const GHOSTS: bool, const WAITS: bool> Design
    for Plain<RULE_2, GHOSTS, WAITS>
{
    type One = Rows;
    type Two = Rows;
    type Message = Message;

    const NAME: &'static str = match (RULE_2, GHOSTS, WAITS) {
        (false, _, _) => "no rule 2",
        (_, false, _) => "device that left is forgotten, no ghost",
        (_, _, false) => "snapshot before acknowledgement",
        _ => "**the design**",
    };
    const WAITS: bool = WAITS;

    fn one() -> Rows {
        Rows::default()
    }

    fn two() -> Rows {
        Rows::default()
    }

    fn broadcast(run_from: DateTime) -> Message {
        Message::RunFrom(run_from.ticks())
    }

    fn take(
        one: &mut Rows,
        _: (usize, usize),
        happening: &Happening,
        send: &mut dyn FnMut(usize, Message),
    ) {
        match one.take(happening) {
            Handled::Applied { before, now } => {
                let here = now.user.map(shard_of_user);
                let there = before.and_then(|before| before.user).map(shard_of_user);
                for shard in here.into_iter().chain(there.filter(|_| there != here)) {
                    send(shard, Message::Fact(now));
                }
            }
            Handled::Stale { fact, now } if RULE_2 && fact.user != now.user => {
                if let Some(user) = fact.user {
                    send(shard_of_user(user), Message::Fact(now));
                }
            }
            Handled::Stale { .. } | Handled::Nothing => {}
        }
    }

    fn hear(two: &mut Rows, shard: usize, message: &Message) {
        match *message {
            Message::RunFrom(ticks) => two.run_from = two.run_from.max(Some(ticks)),
            Message::Fact(fact) => {
                if two.facts.get(&fact.device).is_none_or(|row| *row < fact) {
                    if GHOSTS || fact.user.map(shard_of_user) == Some(shard) {
                        two.facts.insert(fact.device, fact);
                    } else {
                        two.facts.remove(&fact.device);
                    }
                }
            }
        }
    }

    fn outcome(ones: &[Rows], twos: &[Rows]) -> Outcome {
        let devices = ones.iter().flat_map(Rows::devices).collect();
        let own = |(shard, two)| {
            let is_own = move |device: &Counted| device.user.map(shard_of_user) == Some(shard);
            Rows::devices(two).filter(is_own)
        };
        let user_devices: Vec<_> = twos.iter().enumerate().flat_map(own).collect();
        let users = by_user(&user_devices);
        Outcome::new(devices, user_devices, users, last_run(ones))
    }
}
