//! The design as the library has it.
//!
//! Every step is audited, records travel as bytes, and so do snapshots. Where `GROWS`, a shard begins
//! with room for one: when it is full, it stops and goes on as one that grows, made of its entries.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher};

use runtally::shard::{DeviceShard, Full, Record, UserShard};
use runtally::snapshot::{Snapshot, SnapshotReader, Source, min_piece};
use runtally::{Counts, DateTime, Entry, Event, Heap, RunState, Summary};

use crate::design::{Design, shard_of_user};
use crate::history::{Happening, Key};
use crate::recount::{Counted, Numbers, Outcome};

pub(crate) struct Library<const GROWS: bool>;

type Bytes = Vec<u8>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum One {
    Small(DeviceShard<Key, Key, 1>),
    Fixed(DeviceShard<Key, Key, 4>),
    Grown(DeviceShard<Key, Key, 32, Heap>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "few of them, and never moved far")]
pub(crate) enum Two {
    Small(UserShard<Key, Key, 1, 1>),
    Fixed(UserShard<Key, Key, 4, 4>),
    Grown(UserShard<Key, Key, 32, 32, Heap>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Message {
    Record(Bytes),
    RunFrom(DateTime),
}

macro_rules! each {
    ($shard:expr, $it:ident => $do:expr) => {
        match $shard {
            Self::Small($it) => $do,
            Self::Fixed($it) => $do,
            Self::Grown($it) => $do,
        }
    };
}

impl One {
    fn entries(&self) -> Vec<Entry<Key, Key>> {
        each!(self, it => it.entries().map(Entry::cloned).collect())
    }

    fn summary(&self) -> Summary {
        each!(self, it => *it.summary())
    }

    /// The devices, as listed, and those that are retired, which are found one by one.
    fn devices(&self) -> Vec<Counted> {
        each!(self, it => {
            let counted = |event, is_retired| counted(event, it.counted(&event), is_retired);
            let listed: Vec<_> = it.devices().map(|event| counted(event, false)).collect();
            assert_eq!(listed.len(), it.device_count());
            let retired = it.records().filter_map(|record| match record {
                Record::Retired(event) => Some(counted(event, true)),
                _ => None,
            });
            let retired: Vec<_> = retired.collect();
            assert_eq!(retired.len(), it.retired_count());
            [listed, retired].concat()
        })
    }

    fn records(&self) -> Vec<Record<Key, Key>> {
        each!(self, it => it.records().map(Record::cloned).collect())
    }

    fn audit(&self) {
        each!(self, it => {
            assert_eq!(it.audit(), Ok(()));
            assert_eq!(it.records().len(), it.row_count());
            assert!(it.records().all(|record| it.record(record.device()) == Some(record)));
        });
    }

    fn grown(&self) -> Self {
        let mut grown = DeviceShard::growing();
        // In another order than that of the rows.
        for entry in self.entries().iter().rev() {
            grown.restore(entry).expect("there is room");
        }
        Self::Grown(grown)
    }

    fn restored(&self) -> Self {
        let mut restored = if let Self::Fixed(_) = self {
            Library::<false>::one()
        } else {
            Self::Grown(DeviceShard::growing())
        };
        let mut reader = SnapshotReader::restore();
        for piece in each!(self, it => pieces(it)) {
            each!(&mut restored, it => it.restore_piece(&mut reader, &piece).expect("as written"));
        }
        assert!(reader.is_complete());
        restored
    }

    /// `None` if there is no room.
    fn try_take(&mut self, happening: &Happening) -> Option<Vec<(usize, Bytes)>> {
        let mut sent = Vec::new();
        let tell = |user: &Key, record: Record<&Key, &Key>| {
            sent.push((shard_of_user(*user), written(&record)));
        };
        let before = self.clone();
        let record = match *happening {
            Happening::Report(event) => Record::Report(event),
            Happening::Retired(event) => Record::Retired(event),
            Happening::Removed { device, at } => Record::Removed { device, at },
            Happening::Retire { device } => {
                let _ = each!(self, it => it.retire(&device, tell));
                return Some(sent);
            }
            Happening::RunFrom(at) => {
                let _ = each!(self, it => it.begin_anew(at));
                return Some(sent);
            }
        };
        match each!(self, it => it.take(&record, tell)) {
            Ok(_) => Some(sent),
            Err(Full { capacity, .. }) => {
                assert_eq!((*self == before, sent.len(), capacity), (true, 0, 1));
                None
            }
        }
    }
}

impl Two {
    fn entries(&self) -> Vec<Entry<Key, Key>> {
        each!(self, it => it.entries().map(Entry::cloned).collect())
    }

    fn summary(&self) -> Summary {
        each!(self, it => *it.summary())
    }

    /// The devices of its users.
    fn devices(&self) -> Vec<Counted> {
        each!(self, it => {
            let devices = it.records().map(|record| {
                let event = *record.event().expect("it counts");
                counted(event, it.counted(&event), matches!(record, Record::Retired(_)))
            });
            let devices: Vec<_> = devices.collect();
            let is_listed = |device: &&Counted| !device.is_retired;
            let listed = devices.iter().filter(is_listed).count();
            assert_eq!((listed, devices.len() - listed), (it.device_count(), it.retired_count()));
            let of_users: usize = it.users().map(|row| it.user_devices(row.user).count()).sum();
            assert_eq!(of_users, listed);
            devices
        })
    }

    fn users(&self) -> Vec<(Key, Numbers)> {
        each!(self, it => {
            let users = it.users().map(|row| {
                assert_eq!((row.reported(), row.carried), (row.live, Counts::ZERO));
                assert_eq!(row.state(), it.user_state(row.user));
                (*row.user, numbers(row.live))
            });
            users.collect()
        })
    }

    /// Of its own users' devices.
    fn records(&self) -> Vec<Record<Key, Key>> {
        each!(self, it => it.records().map(Record::cloned).collect())
    }

    fn audit(&self) {
        each!(self, it => {
            assert_eq!(it.audit(), Ok(()));
            assert_eq!(it.records().len() + it.ghosts().len(), it.row_count());
            let mut records = it.records().chain(it.ghosts());
            assert!(records.all(|record| it.record(record.device()) == Some(record)));
        });
    }

    fn grown(&self, shard: usize) -> Self {
        let mut grown = UserShard::growing();
        for entry in self.entries().iter().rev() {
            grown.restore(entry, |user| shard_of_user(*user) == shard).expect("there is room");
        }
        Self::Grown(grown)
    }

    fn restored(&self, shard: usize) -> Self {
        let mut restored = if let Self::Fixed(_) = self {
            Library::<false>::two()
        } else {
            Self::Grown(UserShard::growing())
        };
        let mut reader = SnapshotReader::restore();
        for piece in each!(self, it => pieces(it)) {
            let is_own = |user: &Key| shard_of_user(*user) == shard;
            each!(&mut restored, it => it.restore_piece(&mut reader, &piece, is_own).expect("as written"));
        }
        assert!(reader.is_complete());
        restored
    }

    /// `None` if there is no room.
    fn try_hear(&mut self, shard: usize, message: &Message) -> Option<()> {
        let before = self.clone();
        match message {
            Message::RunFrom(at) => {
                let _ = each!(self, it => it.begin_anew(*at));
                Some(())
            }
            Message::Record(bytes) => {
                let (record, len) = Record::read(bytes).expect("as it was written");
                assert_eq!(len, bytes.len());
                let is_own = |user: &Key| shard_of_user(*user) == shard;
                match each!(self, it => it.join(&record, is_own)) {
                    Ok(_) => Some(()),
                    Err(Full { capacity, .. }) => {
                        assert_eq!((*self == before, capacity), (true, 1));
                        None
                    }
                }
            }
        }
    }
}

impl Hash for One {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        each!(self, it => hash_all(it.records(), hasher));
    }
}

impl Hash for Two {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        each!(self, it => hash_all(it.records().chain(it.ghosts()), hasher));
    }
}

/// The whole snapshot, in pieces as short as they may be.
fn pieces(of: &impl Source) -> Vec<Bytes> {
    let mut snapshot = Snapshot::new(of);
    let next = || {
        snapshot.next(&mut [0; min_piece::<Key, Key>()]).expect("long enough").map(<[u8]>::to_vec)
    };
    std::iter::from_fn(next).collect()
}

/// In whatever rows they are.
fn hash_all<H: Hasher>(records: impl Iterator<Item: Hash>, hasher: &mut H) {
    let hash = |record| BuildHasherDefault::<DefaultHasher>::default().hash_one(record);
    records.map(hash).fold(0, u64::wrapping_add).hash(hasher);
}

fn counted(event: Event<&Key, &Key>, state: RunState, is_retired: bool) -> Counted {
    let (device, user) = (*event.device, event.user.copied());
    Counted { device, user, state: state.number(), is_retired }
}

fn numbers(counts: Counts) -> Numbers {
    RunState::ALL.map(|state| counts[state].into())
}

fn written(record: &Record<&Key, &Key>) -> Bytes {
    let mut bytes = [0; Record::<Key, Key>::MAX_LEN];
    let len = record.write(&mut bytes).expect("there is room");
    bytes[..len].to_vec()
}

/// Makes stage 2 what it has to be, whatever it has not heard: the first stage tells each user's shard
/// of that user's devices, and each shard asks it whether its own devices are still its own.
pub(crate) fn repair(ones: &[One], twos: &mut [Two]) {
    let all: Vec<_> = ones.iter().flat_map(One::records).collect();
    for (shard, two) in twos.iter_mut().enumerate() {
        let is_own = |user: &Key| shard_of_user(*user) == shard;
        let told = all.iter().filter(|record| record.user().is_some_and(is_own));
        let own = two.records();
        let is_past = |record: &&Record<Key, Key>| {
            own.iter().any(|own| own.device() == record.device() && own.order() < record.order())
        };
        for record in told.chain(all.iter().filter(is_past)) {
            Library::<true>::hear(two, shard, &Message::Record(written(&record.as_ref())));
        }
    }
}

impl<const GROWS: bool> Design for Library<GROWS> {
    type One = One;
    type Two = Two;
    type Message = Message;

    const NAME: &'static str = "`runtally::shard`";

    fn one() -> One {
        if GROWS { One::Small(DeviceShard::new()) } else { One::Fixed(DeviceShard::new()) }
    }

    fn two() -> Two {
        if GROWS { Two::Small(UserShard::new()) } else { Two::Fixed(UserShard::new()) }
    }

    fn restored_one(snapshot: &One) -> One {
        let restored = snapshot.restored();
        assert!(matches!(snapshot, One::Small(_)) || restored == *snapshot);
        restored
    }

    fn restored_two(shard: usize, snapshot: &Two) -> Two {
        let restored = snapshot.restored(shard);
        assert!(matches!(snapshot, Two::Small(_)) || restored == *snapshot);
        restored
    }

    fn broadcast(run_from: DateTime) -> Message {
        Message::RunFrom(run_from)
    }

    fn take(
        one: &mut One,
        _: (usize, usize),
        happening: &Happening,
        send: &mut dyn FnMut(usize, Message),
    ) {
        let records = one.try_take(happening).or_else(|| {
            *one = one.grown();
            one.try_take(happening)
        });
        for (shard, bytes) in records.expect("there is room") {
            send(shard, Message::Record(bytes));
        }
        one.audit();
    }

    fn hear(two: &mut Two, shard: usize, message: &Message) {
        if two.try_hear(shard, message).is_none() {
            *two = two.grown(shard);
            two.try_hear(shard, message).expect("there is room");
        }
        two.audit();
    }

    fn outcome(ones: &[One], twos: &[Two]) -> Outcome {
        let summaries = ones.iter().map(One::summary).chain(twos.iter().map(Two::summary));
        let whole = summaries.fold(Summary::ZERO, |sum, it| sum.merge(&it).expect("small"));
        let devices = ones.iter().flat_map(One::devices).collect();
        let user_devices = twos.iter().flat_map(Two::devices).collect();
        let users = twos.iter().flat_map(Two::users).collect();
        let listed = Outcome::new(devices, user_devices, users, None);
        Outcome {
            device_states: numbers(whole.devices),
            user_states: numbers(whole.users),
            last_run: whole.last_run.map(DateTime::ticks),
            ..listed
        }
    }
}
