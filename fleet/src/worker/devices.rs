//! Stage 1: every device of the unit's shards, and what follows for stage 2.

use std::collections::BTreeMap;

use runtally::shard::{DeviceShard, Record};
use runtally::store::RolloutId;
use runtally::{Event, Heap, RunState, Summary};
use uuid::Uuid;

use super::image::{Reader, Writer};
use super::page::page;
use super::rows::{ROWS, full};
use super::shards::Shards;
use crate::Failure;
use crate::ask::{Body, Counted, Cursor, DeviceRow, Of, Question};
use crate::declaration::Declaration;
use crate::layout::{Layout, Stage, Unit};
use crate::sends::Sender;
use crate::wire::{Entry, Fact};

type Shard = DeviceShard<Uuid, Uuid, ROWS, Heap>;

/// The shards of one unit.
pub(crate) struct Devices {
    layout: Layout,
    /// The most rows of a shard.
    limit: usize,
    shards: Shards<Shard>,
    /// What counts beside the rows.
    carried: BTreeMap<RolloutId, Summary>,
}

impl Devices {
    pub(crate) fn new(unit: Unit, layout: Layout, limit: usize) -> Self {
        let shards = Shards::new(unit, layout, |seed| {
            let mut rows = Shard::growing();
            rows.reseed(seed);
            rows
        });
        Self { layout, limit, shards, carried: BTreeMap::new() }
    }

    /// Whether there is a row of a record's device.
    pub(crate) fn knows(&self, rollout: RolloutId, shard: u16, record: &Fact) -> bool {
        let rows = self.shards.get(rollout, shard);
        rows.is_some_and(|rows| rows.record(record.device()).is_some())
    }

    pub(crate) fn take(
        &mut self,
        rollout: RolloutId,
        entry: &Entry<'_>,
        sends: &mut Sender,
    ) -> Result<(), Failure> {
        let layout = self.layout;
        let mut send = |user: &Uuid, record: Record<&Uuid, &Uuid>, name: &str| {
            let shard = layout.shard(user);
            let (name, record) = (name.into(), record.cloned());
            sends.push(rollout, shard, &Entry::Record { shard, name, record });
        };
        match entry {
            Entry::Declare { shard, declaration } => match **declaration {
                Declaration::Totals(carried) => {
                    // With the rows of that shard it goes into snapshots.
                    self.shards.get_mut(rollout, *shard)?;
                    self.carried.insert(rollout, carried);
                }
                _ => return Err("a user is declared in the second stage".into()),
            },
            Entry::Record { shard, name, record } => {
                let named = record.user();
                let limit = self.limit;
                let rows = self.shards.get_mut(rollout, *shard)?;
                if rows.row_count() >= limit && rows.record(record.device()).is_none() {
                    return Err(full(*shard, limit));
                }
                let taken = rows.take(record, |user, sent| {
                    // The name is that of the user whom the entry names.
                    let name = if sent.user() == named.as_ref() { name } else { "" };
                    send(user, sent, name);
                });
                let _ = taken.map_err(|error| format!("shard {shard}: {error}"))?;
            }
            Entry::Retire { shard, device } => {
                let rows = self.shards.get_mut(rollout, *shard)?;
                let _ = rows.retire(device, |user, sent| send(user, sent, ""));
            }
            Entry::RunFrom(at) => {
                for shard in self.shards.all_mut(rollout) {
                    let _ = shard.begin_anew(*at);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        for (key, rows) in self.shards.iter() {
            let is_home = key.1 == self.layout.shard(&key.0.id);
            let carried = self.carried.get(&key.0).filter(|_| is_home);
            writer.shard(key, rows, std::iter::empty(), &carried);
        }
        writer.finish()
    }

    pub(crate) fn restore(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut reader = Reader::new(bytes)?;
        while let Some((rollout, shard)) = reader.shard()? {
            let rows = self.shards.get_mut(rollout, shard)?;
            reader.pieces(|reader, bytes| rows.restore_piece(reader, bytes))?;
            reader.names(|_, _| ())?;
            if let Some(carried) = reader.declared()? {
                self.carried.insert(rollout, carried);
            }
        }
        Ok(())
    }

    pub(crate) fn count(&self) -> usize {
        self.shards.iter().map(|(_, rows)| rows.row_count()).sum()
    }

    pub(crate) fn answer(&self, question: &Question) -> Option<Body> {
        Some(match question {
            Question::Summaries => {
                Body::Summaries { counted: self.counted(), rows: self.count(), ghosts: 0 }
            }
            Question::Overdue(at) => Body::Overdue(self.overdue(at.ticks())),
            Question::Audit => Body::Audit(self.shards.audit(Shard::audit)),
            Question::Records { of, users, from, most } => {
                Body::Devices(self.records((*of).into(), *users, *from, *most))
            }
            Question::Device(of, device) => {
                let shard = self.layout.shard(device);
                let rows = self.shards.get((*of).into(), shard);
                let row = rows.and_then(|rows| row(rows, shard, &rows.record(device)?));
                Body::Devices(row.into_iter().collect())
            }
            Question::Devices(of, from, most) => {
                Body::Devices(self.page((*of).into(), *from, *most))
            }
            _ => return None,
        })
    }

    fn counted(&self) -> Vec<Counted> {
        let mut all = BTreeMap::<RolloutId, Counted>::new();
        for ((rollout, _), rows) in self.shards.iter() {
            let counted = all.entry(rollout).or_insert(Counted {
                of: rollout.into(),
                summary: Summary::ZERO,
                carried: self.carried.get(&rollout).copied(),
                listed: 0,
                run_from: None,
            });
            // A sum beyond 2 147 483 647 is more devices than a worker has memory for.
            counted.summary = counted.summary.merge(rows.summary()).unwrap_or(counted.summary);
            counted.listed += rows.device_count();
            counted.run_from = counted.run_from.max(rows.run_from());
        }
        all.into_values().collect()
    }

    fn overdue(&self, ticks: i64) -> Vec<(Of, usize)> {
        let mut all = BTreeMap::<Of, usize>::new();
        for ((rollout, _), rows) in self.shards.iter() {
            let is_overdue = |it: &Event<&Uuid, &Uuid>| {
                it.at.ticks() <= ticks && rows.counted(it) == RunState::Pending
            };
            *all.entry(rollout.into()).or_default() += rows.devices().filter(is_overdue).count();
        }
        all.into_iter().collect()
    }

    fn page(&self, rollout: RolloutId, from: Cursor, most: usize) -> Vec<DeviceRow> {
        page(self.shards.of(rollout), from, most, |shard, rows, smallest| {
            for event in rows.devices() {
                smallest.offer(*event.device, (shard, rows, Record::Report(event)));
            }
        })
        .filter_map(|(shard, rows, record)| row(rows, shard, &record))
        .collect()
    }

    /// What is recorded of the devices whose users are of a partition.
    fn records(&self, rollout: RolloutId, users: u16, from: Cursor, most: usize) -> Vec<DeviceRow> {
        page(self.shards.of(rollout), from, most, |shard, rows, smallest| {
            for record in rows.records() {
                let unit = record.user().map(|user| self.layout.unit_of(Stage::Users, user));
                if unit.is_some_and(|unit| unit.partition == users) {
                    smallest.offer(**record.device(), (shard, rows, record));
                }
            }
        })
        .filter_map(|(shard, rows, record)| row(rows, shard, &record))
        .collect()
    }
}

/// What a list shows of a device; nothing of one that was removed.
fn row(rows: &Shard, shard: u16, record: &Record<&Uuid, &Uuid>) -> Option<DeviceRow> {
    let (event, retired) = match record {
        Record::Report(event) => (event, false),
        Record::Retired(event) => (event, true),
        Record::Removed { .. } => return None,
    };
    let Event { device, user, state, at } = event.cloned();
    let counted = rows.counted(event);
    Some(DeviceRow { device, user, state, counted, at, retired, shard })
}
