//! Declarations of users.

use core::hash::Hash;

use super::{Declared, User, UserShard};
use crate::table::{RowId, Storage};
use crate::tally::{carried, not_before};
use crate::{Counted, Counts, DateTime, Effect, Overflow, Refusal};

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> UserShard<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// Sets the *reported* device counts of a user and, where it is given, the last update, as
    /// [`Change::DeclareUser`](crate::Change::DeclareUser) does. The row stays until
    /// [`undeclare`](Self::undeclare), even without devices.
    ///
    /// Unlike records this depends on the order: it is applied at a position of the log.
    ///
    /// # Errors
    ///
    /// The shard is then as it was.
    ///
    /// - [`Refusal::UsersFull`]: there is no row for the user.
    /// - [`Refusal::BelowLive`]: a count is below the number of the user's rows.
    /// - [`Refusal::BeforeRow`]: the last update is earlier than a row's.
    /// - [`Refusal::UserOverflow`]: a count is above [`Counts::MAX`] - `DEVICES`, so a record might
    ///   have to be refused later.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// use runtally::{Counts, RunState};
    ///
    /// let mut shard: UserShard<u16, &str, 8, 8> = UserShard::new();
    /// let five = Counts::ZERO.with(RunState::Fail, 5)?;
    /// assert!(shard.declare(&"ada", &five, None)?.is_applied());
    /// assert_eq!(shard.user(&"ada").map(|ada| ada.reported()), Some(five));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn declare(
        &mut self,
        user: &U,
        devices: &Counts,
        last_update: Option<DateTime>,
    ) -> Result<Effect, Refusal> {
        let row = self.users.find(user);
        let record = row.and_then(|row| self.users.get(row)).map(|(_, user)| *user);
        let record = record.unwrap_or(User::NEW);
        let most = Counts::from_rows([DEVICES as u16; 6]);
        let past = |error: crate::OutOfRange| {
            let Overflow(counter) = error.of(Counted::Devices);
            Refusal::UserOverflow(Overflow(counter))
        };
        let _ = devices.checked_add(&most).map_err(past)?;
        let carried = carried(Counted::Devices, devices, &record.live())?;
        if last_update.is_some() {
            not_before(Counted::Users, last_update, self.latest_of(&record))?;
        }
        let declared = Declared { carried, last_update };
        if self.put_declared(user, row, declared).is_none() {
            return Err(Refusal::UsersFull { capacity: self.users.len() });
        }
        Ok(Effect::Applied { before: None })
    }

    /// Takes the declaration of a user back. The row stays while it has devices.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// use runtally::{Counts, Effect};
    ///
    /// let mut shard: UserShard<u16, &str, 8, 8> = UserShard::new();
    /// assert_eq!(shard.undeclare(&"ada"), Effect::Unknown);
    /// assert!(shard.declare(&"ada", &Counts::ZERO, None)?.is_applied());
    /// assert!(shard.undeclare(&"ada").is_applied());
    /// assert_eq!(shard.user_count(), 0);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn undeclare(&mut self, user: &U) -> Effect {
        let (Some(row), Some(declared)) = (self.users.find(user), self.declared.find(user)) else {
            return Effect::Unknown;
        };
        let before = self.state_of(row);
        self.declared.remove(declared);
        self.summary.users.shift((before, self.state_of(row)));
        self.drop_unkept(row);
        Effect::Applied { before: None }
    }

    /// `None` if there is no row for the user; nothing has changed then.
    pub(super) fn put_declared(
        &mut self,
        user: &U,
        row: Option<RowId>,
        declared: Declared,
    ) -> Option<()> {
        let known = row.and_then(|_| self.declared.find(user));
        let before = row.and_then(|row| self.state_of(row));
        if let Some(known) = known {
            self.declared.respell(known, user);
            *self.declared.value_mut(known)? = declared;
        } else {
            if row.is_none() && (self.users.is_full() || !self.users.make_room(1)) {
                return None;
            }
            // As many rows as users, and each of these has one of those at most.
            self.declared.insert(user, declared)?;
        }
        let row = row.or_else(|| self.users.insert(user, User::NEW))?;
        self.users.respell(row, user);
        self.summary.users.shift((before, self.state_of(row)));
        Some(())
    }
}
