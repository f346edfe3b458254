//! Stage 2: what was heard of devices, and the unit's own users.

use std::collections::{BTreeMap, HashMap};

use runtally::shard::{Record, UserShard};
use runtally::store::RolloutId;
use runtally::{Event, Heap, Summary};
use uuid::Uuid;

use super::image::{Reader, Writer};
use super::page::{Smallest, page};
use super::rows::{ROWS, audit, full, seed};
use crate::Failure;
use crate::ask::{Body, Counted, Cursor, DeviceRow, Question, UserRow};
use crate::declaration::{Declaration, Names};
use crate::layout::{Layout, Unit};
use crate::wire::Entry;

type Shard = UserShard<Uuid, Uuid, ROWS, ROWS, Heap>;

/// The shards of one unit.
pub(crate) struct Users {
    layout: Layout,
    first_shard: u16,
    /// The most rows of a shard.
    limit: usize,
    seed: u64,
    shards: BTreeMap<(RolloutId, u16), Shard>,
    /// The name of every user, by the id of the user's state.
    names: HashMap<Uuid, Box<str>>,
    /// E-mail address and full name of users who were declared.
    declared: HashMap<Uuid, Names>,
}

impl Users {
    pub(crate) fn new(unit: Unit, layout: Layout, limit: usize) -> Self {
        let first_shard = layout.first_shard(unit.partition);
        let (shards, names, declared) = (BTreeMap::new(), HashMap::new(), HashMap::new());
        Self { layout, first_shard, limit, seed: seed(), shards, names, declared }
    }

    fn shard(&mut self, rollout: RolloutId, shard: u16) -> &mut Shard {
        if !self.shards.contains_key(&(rollout, shard)) {
            let mut rows = Shard::growing();
            // Nobody outside can choose keys that collide.
            rows.reseed(self.seed);
            // What began anew, began anew in every shard.
            if let Some(at) = self.of(rollout).filter_map(|(_, rows)| rows.run_from()).max() {
                let _ = rows.begin_anew(at);
            }
            self.shards.insert((rollout, shard), rows);
        }
        self.shards.entry((rollout, shard)).or_insert_with(Shard::growing)
    }

    pub(crate) fn take(&mut self, rollout: RolloutId, entry: &Entry<'_>) -> Result<(), Failure> {
        let layout = self.layout;
        match entry {
            Entry::Record { shard, name, record } => {
                let is_own = |user: &Uuid| layout.shard(user) == *shard;
                let limit = self.limit;
                let rows = self.shard(rollout, *shard);
                let taken = rows.device_count() + rows.retired_count() + rows.ghost_count();
                let is_full = taken >= limit || rows.user_count() >= limit;
                if is_full && rows.record(record.device()).is_none() {
                    return Err(full(*shard, limit));
                }
                let joined = rows.join(record, is_own);
                let _ = joined.map_err(|error| format!("shard {shard}: {error}"))?;
                if let Some(user) = record.user().filter(|user| !name.is_empty() && is_own(user))
                    && !self.names.contains_key(user)
                {
                    self.names.insert(*user, (**name).into());
                }
            }
            Entry::RunFrom(at) => {
                let first = self.first_shard;
                let _ = self.shard(rollout, first).begin_anew(*at);
                let all = self.shards.range_mut((rollout, 0)..=(rollout, u16::MAX));
                for (_, shard) in all {
                    let _ = shard.begin_anew(*at);
                }
            }
            Entry::Declare { shard, declaration } => {
                self.declare(rollout, *shard, declaration)?;
            }
            Entry::Retire { .. } => return Err("a device is retired in the first stage".into()),
        }
        Ok(())
    }

    fn declare(
        &mut self,
        rollout: RolloutId,
        shard: u16,
        declaration: &Declaration,
    ) -> Result<(), Failure> {
        match declaration {
            Declaration::User { user, upn, devices, last_update, names } => {
                match self.shard(rollout, shard).declare(user, devices, *last_update) {
                    Ok(_) => {
                        self.names.insert(*user, upn.as_str().into());
                        self.declared.insert(*user, names.clone());
                    }
                    // What came before it on the log has made it impossible.
                    Err(error) => tracing::warn!(%user, %error, "a declaration is passed over"),
                }
            }
            Declaration::NoUser { user } => {
                let _ = self.shard(rollout, shard).undeclare(user);
                self.declared.remove(user);
            }
            Declaration::Totals(_) => {
                return Err("totals are declared in the first stage".into());
            }
        }
        Ok(())
    }

    fn of(&self, rollout: RolloutId) -> impl Iterator<Item = (u16, &Shard)> {
        let range = self.shards.range((rollout, 0)..=(rollout, u16::MAX));
        range.map(|((_, shard), rows)| (*shard, rows))
    }

    fn name(&self, user: &Uuid) -> &str {
        self.names.get(user).map_or("", |name| name)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        for (key, rows) in &self.shards {
            // The names of users who have left end here.
            let names = rows.users().map(|it| (it.user, self.name(it.user)));
            let declared = rows.users().filter(|it| it.declared).map(|it| it.user);
            let declared = declared.filter_map(|user| Some((user, self.declared.get(user)?)));
            writer.shard(*key, rows, names, &declared.collect::<Vec<_>>());
        }
        writer.finish()
    }

    pub(crate) fn restore(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut reader = Reader::new(bytes)?;
        let layout = self.layout;
        while let Some((rollout, shard)) = reader.shard()? {
            let is_own = |user: &Uuid| layout.shard(user) == shard;
            let rows = self.shard(rollout, shard);
            reader.pieces(|reader, bytes| rows.restore_piece(reader, bytes, is_own))?;
            let names = &mut self.names;
            reader.names(|id, name| drop(names.insert(id, name.into())))?;
            self.declared.extend(reader.declared::<Vec<_>>()?);
        }
        Ok(())
    }

    /// Rows of devices, and how many of them are ghosts.
    pub(crate) fn count(&self) -> (usize, usize) {
        let ghosts: usize = self.shards.values().map(Shard::ghost_count).sum();
        let own = self.shards.values().map(|rows| rows.device_count() + rows.retired_count());
        (own.sum::<usize>() + ghosts, ghosts)
    }

    pub(crate) fn answer(&self, question: &Question) -> Option<Body> {
        Some(match question {
            Question::Summaries => {
                let (rows, ghosts) = self.count();
                Body::Summaries { counted: self.counted(), rows, ghosts }
            }
            Question::User(of, user) => {
                let shard = self.layout.shard(user);
                let rows = self.shards.get(&((*of).into(), shard));
                let row = rows.and_then(|rows| Some(self.row(rows, shard, &rows.user(user)?)));
                Body::Users(row.into_iter().collect())
            }
            Question::Users(of, from, most) => Body::Users(self.page((*of).into(), *from, *most)),
            Question::UserDevices(of, user, after, most) => {
                let shard = self.layout.shard(user);
                let rows = self.shards.get(&((*of).into(), shard));
                Body::Devices(rows.map_or_else(Vec::new, |rows| {
                    let mut smallest = Smallest::new(*most, *after);
                    for event in rows.user_devices(user) {
                        smallest.offer(*event.device, device(rows, shard, &event));
                    }
                    smallest.into_sorted().collect()
                }))
            }
            Question::Audit => Body::Audit(audit(&self.shards, Shard::audit)),
            Question::Records { of, from, most, .. } => {
                Body::Devices(self.records((*of).into(), *from, *most))
            }
            Question::Names(users) => {
                let names = users.iter().map(|user| self.names.get(user).map(|it| (**it).into()));
                Body::Names(names.collect())
            }
            _ => return None,
        })
    }

    fn counted(&self) -> Vec<Counted> {
        let mut all = BTreeMap::<RolloutId, Counted>::new();
        for ((rollout, _), rows) in &self.shards {
            let counted = all.entry(*rollout).or_insert(Counted {
                of: (*rollout).into(),
                summary: Summary::ZERO,
                carried: None,
                listed: 0,
                run_from: None,
            });
            // A sum beyond 2 147 483 647 is more users than a worker has memory for.
            counted.summary = counted.summary.merge(rows.summary()).unwrap_or(counted.summary);
            counted.listed += rows.user_count();
            counted.run_from = counted.run_from.max(rows.run_from());
        }
        all.into_values().collect()
    }

    fn page(&self, rollout: RolloutId, from: Cursor, most: usize) -> Vec<UserRow> {
        page(self.of(rollout), from, most, |shard, rows, smallest| {
            for user in rows.users() {
                smallest.offer(*user.user, (shard, rows, user));
            }
        })
        .map(|(shard, rows, user)| self.row(rows, shard, &user))
        .collect()
    }

    /// What is counted for own users.
    fn records(&self, rollout: RolloutId, from: Cursor, most: usize) -> Vec<DeviceRow> {
        page(self.of(rollout), from, most, |shard, rows, smallest| {
            for record in rows.records() {
                smallest.offer(**record.device(), (shard, rows, record));
            }
        })
        .filter_map(|(shard, rows, record)| {
            let event = record.event()?;
            let event = Event { device: event.device, user: event.user, ..*event };
            let retired = matches!(record, Record::Retired(_));
            Some(DeviceRow { retired, ..device(rows, shard, &event) })
        })
        .collect()
    }

    fn row(&self, rows: &Shard, shard: u16, user: &runtally::UserRow<'_, Uuid>) -> UserRow {
        UserRow {
            user: *user.user,
            name: self.name(user.user).to_owned(),
            devices: user.reported(),
            last_update: user.last_update,
            listed: rows.user_devices(user.user).count(),
            shard,
            carried: user.declared.then_some(user.carried),
            names: self.declared.get(user.user).cloned().unwrap_or_default(),
        }
    }
}

fn device(rows: &Shard, shard: u16, event: &Event<&Uuid, &Uuid>) -> DeviceRow {
    let counted = rows.counted(event);
    let Event { device, user, state, at } = event.cloned();
    DeviceRow { device, user, state, counted, at, retired: false, shard }
}
