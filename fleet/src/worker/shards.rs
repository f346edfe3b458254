//! The shards of one unit, by roll-out: all that the unit has, from when the roll-out is first named.

use std::collections::BTreeMap;

use runtally::Violation;
use runtally::store::RolloutId;

use crate::Failure;
use crate::layout::{Layout, Unit};

pub(crate) struct Shards<S> {
    /// The number of the first.
    first: u16,
    /// How many there are of each roll-out.
    number: u16,
    /// Makes one without rows.
    make: fn(u64) -> S,
    /// Of the hashes of their tables: nobody outside can choose keys that collide.
    seed: u64,
    rollouts: BTreeMap<RolloutId, Box<[S]>>,
}

impl<S> Shards<S> {
    pub(crate) fn new(unit: Unit, layout: Layout, make: fn(u64) -> S) -> Self {
        let first = layout.first_shard(unit.partition);
        let number = layout.first_shard(unit.partition + 1) - first;
        let seed = getrandom::u64().unwrap_or_default();
        Self { first, number, make, seed, rollouts: BTreeMap::new() }
    }

    /// All of a roll-out.
    pub(crate) fn all_mut(&mut self, rollout: RolloutId) -> &mut [S] {
        let Self { number, make, seed, .. } = *self;
        self.rollouts.entry(rollout).or_insert_with(|| (0..number).map(|_| make(seed)).collect())
    }

    /// One of a roll-out.
    ///
    /// # Errors
    ///
    /// It belongs to another partition.
    pub(crate) fn get_mut(&mut self, rollout: RolloutId, shard: u16) -> Result<&mut S, Failure> {
        let index = shard.wrapping_sub(self.first);
        let shards = self.all_mut(rollout).get_mut(usize::from(index));
        shards.ok_or_else(|| format!("shard {shard} is not one of this partition").into())
    }

    /// One of a roll-out, if that was ever named.
    pub(crate) fn get(&self, rollout: RolloutId, shard: u16) -> Option<&S> {
        self.rollouts.get(&rollout)?.get(usize::from(shard.wrapping_sub(self.first)))
    }

    /// All of a roll-out, with their numbers.
    pub(crate) fn of(&self, rollout: RolloutId) -> impl Iterator<Item = (u16, &S)> {
        let shards = self.rollouts.get(&rollout).into_iter().flatten();
        (self.first..).zip(shards)
    }

    /// All of all roll-outs, with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ((RolloutId, u16), &S)> {
        let rollouts = self.rollouts.keys();
        rollouts
            .flat_map(|rollout| self.of(*rollout).map(|(shard, rows)| ((*rollout, shard), rows)))
    }

    pub(crate) fn rollouts(&self) -> impl Iterator<Item = RolloutId> {
        self.rollouts.keys().copied()
    }

    /// Which counts of which shards are not those of their rows.
    pub(crate) fn audit(&self, audit: impl Fn(&S) -> Result<(), Violation>) -> Vec<String> {
        let violations = self.iter().filter_map(|((rollout, shard), rows)| {
            let violation = audit(rows).err()?;
            Some(format!("{} {}, shard {shard}: {violation}", rollout.kind, rollout.id))
        });
        violations.collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::layout::Stage;

    const LAYOUT: Layout = Layout { format: 1, partitions: 3, virtual_shards: 8 };
    const UNIT: Unit = Unit { stage: Stage::Devices, partition: 1 };

    #[test]
    fn a_unit_has_its_own_shards_of_every_roll_out_that_was_named() {
        let mut shards = Shards::new(UNIT, LAYOUT, |_| 0_u32);
        let (named, other) = (RolloutId::script(Uuid::nil()), RolloutId::script(Uuid::max()));
        let own: Vec<_> = (0..8).filter(|shard| LAYOUT.unit(UNIT.stage, *shard) == UNIT).collect();
        for shard in 0..8 {
            let is_own = own.contains(&shard);
            assert_eq!(shards.get_mut(named, shard).is_ok(), is_own, "{shard}");
            assert_eq!(shards.get(named, shard).is_some(), is_own, "{shard}");
            assert_eq!(shards.get(other, shard), None, "{shard}");
        }
        let numbers = shards.iter().map(|((_, shard), _)| shard);
        assert_eq!(numbers.collect::<Vec<_>>(), own);
        let refused = shards.get_mut(named, 7).expect_err("of the last partition").to_string();
        assert_eq!(refused, "shard 7 is not one of this partition");
    }
}
