//! Entries and snapshots of a user shard.

use core::hash::Hash;

use super::{Declared, UserShard};
use crate::shard::{Full, Record, Rows};
use crate::snapshot::source::Entries;
use crate::snapshot::{SnapshotError, SnapshotReader};
use crate::table::Storage;
use crate::{Entry, Kept, Key, Totals};

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> UserShard<D, U, DEVICES, USERS, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// Everything the shard holds: an entry for each row of a device, ghosts among them, and of each
    /// user who is declared, and the totals.
    ///
    /// ```
    /// use runtally::shard::UserShard;
    /// use runtally::{Entry, Totals};
    /// let shard: UserShard<u16, u16, 8, 8> = UserShard::new();
    /// assert!(shard.entries().eq([Entry::Totals(Totals::default())]));
    /// ```
    pub fn entries(&self) -> impl Iterator<Item = Entry<&D, &U>> + Clone {
        let devices = self.records().map(|record| record.into_entry(self.run_from));
        let ghosts = self.ghosts().map(|record| record.into_entry(self.run_from));
        let users = self.declared.iter().map(|(_, user, &Declared { carried, last_update })| {
            Entry::User { user, kept: Kept { carried, last_update, declared: true } }
        });
        let totals = Totals { run_from: self.run_from(), ..Totals::default() };
        devices.chain(ghosts).chain(users).chain([Entry::Totals(totals)])
    }

    /// Takes one entry in: records are [joined](Self::join), in any order and any number of times;
    /// what is declared of a user is replaced.
    ///
    /// # Errors
    ///
    /// Those of [`join`](Self::join).
    ///
    /// ```
    /// use runtally::Entry;
    /// use runtally::shard::UserShard;
    ///
    /// let mut shard: UserShard<u16, u16, 8, 8> = UserShard::new();
    /// shard.restore(&Entry::Removed { device: 7, at: "2026-11-21T12:00Z".parse()? }, |_| true)?;
    /// assert_eq!(shard.ghost_count(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn restore(
        &mut self,
        entry: &Entry<D, U>,
        is_own: impl Fn(&U) -> bool,
    ) -> Result<(), Full> {
        match entry {
            Entry::User { user, kept: Kept { declared: false, .. } } => {
                let _ = self.undeclare(user);
                Ok(())
            }
            Entry::User { user, kept: Kept { carried, last_update, .. } } => {
                let declared = Declared { carried: *carried, last_update: *last_update };
                let full = Full { of: Rows::Users, capacity: self.users.len() };
                self.put_declared(user, self.users.find(user), declared).ok_or(full)
            }
            Entry::Totals(Totals { run_from, .. }) => {
                if let Some(at) = run_from {
                    let _ = self.begin_anew(*at);
                }
                Ok(())
            }
            _ => match Record::of(entry.clone()) {
                Some(record) => self.join(&record, is_own).map(drop),
                None => Ok(()),
            },
        }
    }

    /// Takes in one piece of a [snapshot](crate::snapshot) of another user shard, which begins `bytes`;
    /// gives the length of the piece.
    ///
    /// # Errors
    ///
    /// Those of [`SnapshotReader::read`]. A shard that has no room is
    /// [`Refused`](SnapshotError::Refused).
    ///
    /// ```
    /// use runtally::shard::{Record, UserShard};
    /// use runtally::snapshot::{Snapshot, SnapshotReader};
    /// use runtally::{Event, RunState};
    ///
    /// let is_own = |user: &u16| *user < 10;
    /// let mut shard: UserShard<u16, u16, 8, 8> = UserShard::new();
    /// let event = Event { device: 7, user: Some(1), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// assert!(shard.join(&Record::Report(event), is_own)?.is_applied());
    ///
    /// let mut restored: UserShard<u16, u16, 8, 8> = UserShard::new();
    /// let (mut snapshot, mut reader) = (Snapshot::new(&shard), SnapshotReader::restore());
    /// let mut buffer = [0; 256];
    /// while let Some(piece) = snapshot.next(&mut buffer)? {
    ///     restored.restore_piece(&mut reader, piece, is_own)?;
    /// }
    /// assert!(reader.is_complete());
    /// assert_eq!(restored, shard);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn restore_piece(
        &mut self,
        reader: &mut SnapshotReader,
        bytes: &[u8],
        is_own: impl Fn(&U) -> bool,
    ) -> Result<usize, SnapshotError>
    where
        D: Key,
        U: Key,
    {
        reader.take::<Self>(bytes, |entry| Ok(self.restore(entry, &is_own)?))
    }
}

impl<D, U, const DEVICES: usize, const USERS: usize, S: Storage> Entries
    for UserShard<D, U, DEVICES, USERS, S>
where
    D: Key + Clone + Eq + Hash,
    U: Key + Clone + Ord + Hash,
{
    type Device = D;
    type User = U;
    const MAGIC: [u8; 3] = *b"RTU";

    fn all(&self) -> impl Iterator<Item = Entry<&D, &U>> {
        self.entries()
    }
}
