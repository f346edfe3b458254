//! What a unit holds: its shards, by roll-out.

use std::collections::BTreeMap;

use runtally::Violation;
use runtally::store::RolloutId;

use crate::Failure;
use crate::ask::{Body, Question};
use crate::layout::{Layout, Stage, Unit};
use crate::wire::Entries;

use super::devices::Devices;
use super::users::Users;
use crate::sends::Sends;

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
    pub(crate) fn take(&mut self, message: &[u8], sends: &mut Sends) -> Result<usize, Failure> {
        let mut taken = 0;
        for entry in Entries::of(message)? {
            let (rollout, entry) = entry?;
            match self {
                Self::Devices(devices) => devices.take(rollout, &entry, sends)?,
                Self::Users(users) => users.take(rollout, &entry)?,
            }
            taken += 1;
        }
        Ok(taken)
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

/// Which counts of which shards are not those of their rows.
pub(crate) fn audit<S>(
    shards: &BTreeMap<(RolloutId, u16), S>,
    audit: impl Fn(&S) -> Result<(), Violation>,
) -> Vec<String> {
    let violations = shards.iter().filter_map(|((rollout, shard), rows)| {
        let violation = audit(rows).err()?;
        Some(format!("{} {}, shard {shard}: {violation}", rollout.kind, rollout.id))
    });
    violations.collect()
}

/// A seed for the hashes of tables.
pub(crate) fn seed() -> u64 {
    getrandom::u64().unwrap_or_default()
}
