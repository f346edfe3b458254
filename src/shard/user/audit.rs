//! The audit of a user shard: every count once more, from the rows.

use core::hash::Hash;

use super::UserShard;
use crate::shard::device::compare;
use crate::table::{RowId, Storage};
use crate::{Counted, Counter, Counts, RunState, Violation};

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> UserShard<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// Counts everything once more from the rows and compares.
    ///
    /// # Errors
    ///
    /// The first invariant that does not hold.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// assert_eq!(UserShard::<u16, u16, 8, 8>::new().audit(), Ok(()));
    /// ```
    pub fn audit(&self) -> Result<(), Violation> {
        let is_ghost = |(_, device, _): (_, &D, &_)| self.ghosts.find(device).is_some();
        let retired = self.devices.iter().filter(|(_, _, owned)| !owned.stamp.is_live()).count();
        if !self.devices.is_sound()
            || !self.ghosts.is_sound()
            || self.devices.iter().any(is_ghost)
            || retired != usize::from(self.retired)
        {
            return Err(Violation::Table { of: Counted::Devices });
        }
        let is_row = |(_, user, _): (_, &U, &_)| self.users.find(user).is_some();
        if !self.users.is_sound() || !self.declared.is_sound() || !self.declared.iter().all(is_row)
        {
            return Err(Violation::Table { of: Counted::Users });
        }
        self.audit_users()
    }

    fn audit_users(&self) -> Result<(), Violation> {
        let mut counted = Counts::ZERO;
        let mut chained = 0usize;
        for (row, key, user) in self.users.iter() {
            let mut devices = Counts::ZERO;
            let mut end = user.first;
            for (_, owned) in self.chain(user.first) {
                if owned.user != row {
                    return Err(Violation::Chain);
                }
                devices.enter(owned.stamp.counted(self.run_from));
                chained = chained.saturating_add(1);
                end = owned.sibling;
            }
            // A chain that goes round, or leads to a free row, has no end.
            if end != RowId::NOWHERE {
                return Err(Violation::Chain);
            }
            if user.first == RowId::NOWHERE && !self.is_declared(key) {
                return Err(Violation::Table { of: Counted::Users });
            }
            let live = user.live();
            if let Some(state) = RunState::ALL.into_iter().find(|&at| live[at] != devices[at]) {
                return Err(Violation::UserCount {
                    counter: Counter { of: Counted::Devices, state },
                    kept: live[state],
                    counted: devices[state],
                });
            }
            counted.shift((None, self.user_state(key)));
        }
        if chained != usize::from(self.devices.len()) {
            return Err(Violation::Chain);
        }
        compare(Counted::Users, &self.summary.users, &counted)
    }
}
