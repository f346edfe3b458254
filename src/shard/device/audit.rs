//! The audit of a device shard: every count once more, from the rows.

use core::hash::Hash;

use super::DeviceShard;
use crate::shard::Record;
use crate::table::Storage;
use crate::{Counted, Counter, Counts, RunState, Violation};

impl<D, U, const DEVICES: usize, S: Storage> DeviceShard<D, U, DEVICES, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord,
{
    /// Counts everything once more from the rows and compares.
    ///
    /// # Errors
    ///
    /// The first invariant that does not hold.
    ///
    /// ```
    /// use runtally::shard::DeviceShard;
    /// assert_eq!(DeviceShard::<u16, u16, 8>::new().audit(), Ok(()));
    /// ```
    pub fn audit(&self) -> Result<(), Violation> {
        let of = Counted::Devices;
        let [mut retired, mut removed] = [0u16; 2];
        let mut latest = None;
        for record in self.records() {
            match record {
                Record::Retired(_) => retired = retired.saturating_add(1),
                Record::Removed { .. } => removed = removed.saturating_add(1),
                Record::Report(_) => {}
            }
            latest = latest.max(record.event().map(|event| event.at));
        }
        if !self.rows.is_sound() || (retired, removed) != (self.retired, self.removed) {
            return Err(Violation::Table { of });
        }
        compare(of, &self.summary.devices, &self.recount())?;
        match latest {
            Some(latest)
                if self.summary.last_run.is_none_or(|last| last.ticks() < latest.ticks()) =>
            {
                Err(Violation::LastRun { latest })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn recount(&self) -> Counts {
        let mut counts = Counts::ZERO;
        for (_, _, kept) in self.rows.iter() {
            counts.shift((None, kept.counted(self.run_from)));
        }
        counts
    }
}

/// Kept = counted, for every state.
pub(in crate::shard) fn compare(
    of: Counted,
    kept: &Counts,
    counted: &Counts,
) -> Result<(), Violation> {
    match RunState::ALL.into_iter().find(|&state| kept[state] != counted[state]) {
        Some(state) => Err(Violation::Count {
            counter: Counter { of, state },
            kept: kept[state],
            counted: counted[state],
        }),
        None => Ok(()),
    }
}
