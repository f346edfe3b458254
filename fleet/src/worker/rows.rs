//! What a unit holds: its shards, by roll-out.

use std::hint::black_box;

use runtally::store::RolloutId;

use crate::Failure;
use crate::ask::{Body, Question};
use crate::layout::{Layout, Stage, Unit};
use crate::wire::{Entries, Entry, MOST};

use super::devices::Devices;
use super::users::Users;
use crate::sends::Sender;

/// The most devices, ghosts or users of a shard.
pub(crate) const ROWS: usize = 65_534;

/// The rows of a unit.
pub(crate) enum Rows {
    Devices(Devices),
    Users(Users),
}

impl Rows {
    pub(crate) fn new(unit: Unit, layout: Layout, limit: usize) -> Self {
        match unit.stage {
            Stage::Devices => Self::Devices(Devices::new(unit, layout, limit)),
            Stage::Users => Self::Users(Users::new(unit, layout, limit)),
        }
    }

    /// Takes a message of the log in; gives the number of its entries. If one of them is refused,
    /// those before it are taken: that they come again does no harm.
    pub(crate) fn take(&mut self, message: &[u8], sends: &mut Sender) -> Result<usize, Failure> {
        let mut entries = Vec::with_capacity(MOST);
        for entry in Entries::of(message)? {
            entries.push(entry?);
        }
        self.touch(&entries);
        for (rollout, entry) in &entries {
            match self {
                Self::Devices(devices) => devices.take(*rollout, entry, sends)?,
                Self::Users(users) => users.take(*rollout, entry)?,
            }
        }
        Ok(entries.len())
    }

    /// Looks all devices up before any is changed. Nothing comes of it but that the processor waits for
    /// the memory of many rows at once, which else it would do for one after another.
    fn touch(&self, entries: &[(RolloutId, Entry<'_>)]) {
        let known = entries.iter().filter(|(rollout, entry)| match entry {
            Entry::Record { shard, record, .. } => match self {
                Self::Devices(devices) => devices.knows(*rollout, *shard, record),
                Self::Users(users) => users.knows(*rollout, *shard, record),
            },
            _ => false,
        });
        black_box(known.count());
    }

    /// All of it, for a snapshot.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Devices(devices) => devices.encode(),
            Self::Users(users) => users.encode(),
        }
    }

    /// Takes a snapshot in.
    pub(crate) fn restore(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Devices(devices) => devices.restore(bytes),
            Self::Users(users) => users.restore(bytes),
        }
    }

    /// Rows, and how many of them are ghosts.
    pub(crate) fn count(&self) -> (usize, usize) {
        match self {
            Self::Devices(devices) => (devices.count(), 0),
            Self::Users(users) => users.count(),
        }
    }

    /// Declarations that what came before them on the log had made impossible.
    pub(crate) fn passed_over(&self) -> u64 {
        match self {
            Self::Devices(_) => 0,
            Self::Users(users) => users.passed_over(),
        }
    }

    pub(crate) fn answer(&self, question: &Question) -> Result<Body, String> {
        let answer = match self {
            Self::Devices(devices) => devices.answer(question),
            Self::Users(users) => users.answer(question),
        };
        answer.ok_or_else(|| "this stage has no answer to that".to_owned())
    }
}

/// A shard takes no other device.
pub(crate) fn full(shard: u16, limit: usize) -> Failure {
    format!("shard {shard}: no room for another device: all {limit} rows are taken").into()
}
