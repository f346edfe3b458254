//! The counts in an `SQLite` database that survives the process and a power cut.
//!
//! ```text
//!   a request ── plan on the store ──> rows ── one transaction for many ──> COMMIT ──> the store, the answer
//! ```
//!
//! The store that is read holds nothing that is not durable, so no answer shows what a failing disk
//! could take back, and a commit that fails leaves nothing to undo.

mod rows;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::exit;
use std::thread;
use std::time::Duration;

use runtally::Entry;
use runtally::store::RolloutId;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use rustix::process::geteuid;

pub(crate) use rows::kind_name;
pub use rows::{RolloutRow, Written};
pub use writer::Claims;
pub(crate) use writer::{Job, Writer};

use crate::{Plan, Rollouts};
use rows::Tables;

const SCHEMA: &str = include_str!("schema.sql");

/// The version of [`SCHEMA`], as `PRAGMA user_version` tells it.
const VERSION: i32 = 1;

/// What `PRAGMA application_id` tells: `rtly`.
const APPLICATION: i32 = i32::from_be_bytes(*b"rtly");

/// How long a write waits for somebody else's lock on the database.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most bytes that the files of a full service come to need: every row of 8 configurations and
/// 8 scripts, and the log.
pub const MOST_BYTES: u64 = 512 << 20;

/// An open database. One process has it at a time.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    numbers: HashMap<RolloutId, i64>,
    /// Tombstones written since the last prune.
    tombstones: HashMap<RolloutId, usize>,
    /// When the last row was written.
    written: i64,
    /// Something was committed that the store does not have.
    is_ahead: bool,
    files: Files,
}

/// The files as they were when the database was opened.
#[derive(Debug)]
struct Files {
    database: (PathBuf, u64, u64),
    log: Option<(PathBuf, u64, u64)>,
    /// Holds the lock, and is never closed: closing it would give up the locks of `SQLite` as well.
    _lock: File,
}

/// Why a database cannot be used.
#[derive(Debug)]
pub enum DatabaseError {
    /// The file cannot be opened.
    File(io::Error),
    /// Another process has it open.
    Locked,
    /// Others than its owner may write to the file.
    Writable {
        /// Its permissions.
        mode: u32,
    },
    /// The file belongs to another user.
    Owner {
        /// That user.
        user: u32,
    },
    /// It is a database of something else.
    Foreign,
    /// It has a schema that this service does not know.
    Schema {
        /// The schema's version.
        found: i32,
    },
    /// What `SQLite` says.
    Sql(rusqlite::Error),
    /// What is on file does not hold together.
    Damaged(String),
}

impl Database {
    /// Opens a database, or makes one where there is no file or an empty one.
    ///
    /// # Errors
    ///
    /// Any [`DatabaseError`]. The file is then as it was.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(DatabaseError::File)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DatabaseError::Locked),
            Err(TryLockError::Error(error)) => return Err(DatabaseError::File(error)),
        }
        let metadata = lock.metadata().map_err(DatabaseError::File)?;
        check_owner(&metadata)?;

        // The file is there by now, and a path is a path: `file:` in front of it means nothing, and
        // `:memory:` is a file. Where it is a link, the log lies beside what it leads to.
        let real = std::fs::canonicalize(path).map_err(DatabaseError::File)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&real, flags)?;
        connection.busy_timeout(PATIENCE)?;
        // More statements than the service has.
        connection.set_prepared_statement_cache_capacity(32);
        check_schema(&connection)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
        let schema = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !rows::has_tables(&schema)? {
            schema.execute_batch(SCHEMA)?;
            schema.pragma_update(None, "application_id", APPLICATION)?;
            schema.pragma_update(None, "user_version", VERSION)?;
        }
        let (mut numbers, mut written) = (HashMap::new(), 0);
        // A disk that takes no writes says so now.
        Tables::new(&schema, &mut numbers, &mut written).probe()?;
        schema.commit()?;
        let log = with_suffix(&real, "-wal");
        let log = std::fs::metadata(&log).ok().map(|it| (log, it.dev(), it.ino()));
        let database = (path.to_owned(), metadata.dev(), metadata.ino());
        let files = Files { database, log, _lock: lock };
        files.are_in_place().map_err(DatabaseError::File)?;
        Ok(Self {
            connection,
            numbers,
            tombstones: HashMap::new(),
            written,
            is_ahead: false,
            files,
        })
    }

    /// Fills a store with what is on file, and looks whether the counts are those of the rows.
    /// Gives the number of devices that count.
    ///
    /// # Errors
    ///
    /// [`DatabaseError::Sql`] or [`DatabaseError::Damaged`]; the store may be filled in part then.
    pub fn restore(&mut self, store: &mut dyn Rollouts) -> Result<u64, DatabaseError> {
        let check: String =
            self.connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
        if check != "ok" {
            return Err(DatabaseError::Damaged(check));
        }
        let (mut devices, most) = (0, store.capacity());
        for (key, number, row, totals) in rows::rollouts(&self.connection)? {
            self.numbers.insert(key, number);
            let damaged = |error: String| {
                DatabaseError::Damaged(format!("{} {}: {error}", kind_name(key.kind), key.id))
            };
            let mut refusal = None;
            let mut take = |written: Written| {
                if let Err(error) = store.restore(key, &written) {
                    refusal.get_or_insert(error);
                }
                Ok(())
            };
            take(Written::Rollout(row))?;
            let written = rows::entries(&self.connection, number, most, &mut take)?;
            // A clock that was set back does not change what is the oldest.
            self.written = self.written.max(written);
            take(Written::Entry(Entry::Totals(totals)))?;
            if let Some(refusal) = refusal {
                return Err(damaged(refusal));
            }
            store.audit(key).map_err(damaged)?;
            let by_rows = rows::recount(&self.connection, key)?;
            let live = store.live(key);
            for (state, count) in live {
                let found = by_rows.get(state).copied().unwrap_or(0);
                if found != count {
                    let error = format!("{found} rows are {state}, and {count} are counted");
                    return Err(damaged(error));
                }
                devices += u64::from(count);
            }
        }
        Ok(devices)
    }

    /// Writes roll-outs that became known.
    ///
    /// # Errors
    ///
    /// What `SQLite` says.
    pub fn insert(&mut self, rollouts: &[RolloutId]) -> Result<(), DatabaseError> {
        let rows: Vec<_> = rollouts.iter().map(|&id| (id, RolloutRow::default())).collect();
        self.write_versions(&rows)
    }

    /// Writes whether the summaries of roll-outs were created, and their versions.
    ///
    /// # Errors
    ///
    /// What `SQLite` says.
    pub fn write_versions(
        &mut self,
        rollouts: &[(RolloutId, RolloutRow)],
    ) -> Result<(), DatabaseError> {
        let written = self.write(|tables| {
            let mut rollouts = rollouts.iter();
            rollouts.try_for_each(|(id, row)| tables.write(*id, &Written::Rollout(*row)))
        });
        written.map_err(|error| match error {
            WriteError::Sql(error) => error.into(),
            WriteError::Replaced(error) => DatabaseError::File(error),
        })
    }

    /// Writes what changes leave, in one transaction. A roll-out has at most `most` tombstones of
    /// use.
    fn write_plans<'p>(
        &mut self,
        plans: impl IntoIterator<Item = &'p Plan>,
        most: usize,
    ) -> Result<(), WriteError> {
        let mut tombstones = self.tombstones.clone();
        self.write(|tables| {
            let mut last_runs = HashMap::new();
            for plan in plans {
                for written in &plan.written {
                    tables.write(plan.rollout, written)?;
                    match written {
                        // An event's row says that there was a run, until it is overwritten.
                        Written::Entry(Entry::Device(event)) => {
                            let last = last_runs.entry(plan.rollout).or_insert(event.at);
                            if last.ticks() < event.at.ticks() {
                                *last = event.at;
                            }
                        }
                        Written::Entry(Entry::Removed { .. } | Entry::Retired { .. }) => {
                            *tombstones.entry(plan.rollout).or_default() += 1;
                        }
                        _ => {}
                    }
                }
            }
            for (rollout, at) in last_runs {
                tables.ran(rollout, at)?;
            }
            for (rollout, count) in &mut tombstones {
                // The store has forgotten as many by then.
                if *count > most {
                    tables.prune(*rollout, most)?;
                    *count = 0;
                }
            }
            Ok(())
        })?;
        self.tombstones = tombstones;
        Ok(())
    }

    /// Writes in one transaction; nothing of it is there if anything fails.
    fn write(
        &mut self,
        fill: impl FnOnce(&mut Tables<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), WriteError> {
        self.files.are_in_place().map_err(WriteError::Replaced)?;
        if self.is_ahead {
            // The files are back, and the store lacks what was committed while they were taken
            // away. A start reads it.
            tracing::error!("the database has changes that the service has not");
            give_up();
        }
        if !self.connection.is_autocommit() {
            // The last transaction failed, and so did taking it back.
            self.connection.execute_batch("ROLLBACK").map_err(WriteError::Sql)?;
        }
        let before = self.numbers.clone();
        let result = (|| {
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            fill(&mut Tables::new(&transaction, &mut self.numbers, &mut self.written))?;
            // Dropped without this, it is rolled back.
            transaction.commit()
        })();
        if let Err(error) = result {
            self.numbers = before;
            return Err(WriteError::Sql(error));
        }
        // Whatever was committed to a file that was taken away meanwhile may be nowhere.
        let in_place = self.files.are_in_place();
        self.is_ahead = in_place.is_err();
        in_place.map_err(WriteError::Replaced)
    }
}

/// Why a transaction failed.
#[derive(Debug)]
enum WriteError {
    Sql(rusqlite::Error),
    Replaced(io::Error),
}

impl Files {
    /// Whether the files are where they were, and the same.
    fn are_in_place(&self) -> io::Result<()> {
        for (path, device, number) in
            [Some(&self.database), self.log.as_ref()].into_iter().flatten()
        {
            let is_same = match std::fs::metadata(path) {
                Ok(found) => (found.dev(), found.ino()) == (*device, *number),
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                Err(error) => return Err(error),
            };
            if !is_same {
                return Err(io::Error::other("the file was removed or replaced"));
            }
        }
        Ok(())
    }
}

/// Ends the process, after a moment for the log to be written.
fn give_up() -> ! {
    thread::sleep(Duration::from_millis(200));
    exit(1)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(suffix);
    path.into()
}

fn check_owner(metadata: &Metadata) -> Result<(), DatabaseError> {
    let (mode, user) = (metadata.mode() & 0o777, metadata.uid());
    if mode & 0o022 != 0 {
        return Err(DatabaseError::Writable { mode });
    }
    if user != geteuid().as_raw() && user != 0 {
        return Err(DatabaseError::Owner { user });
    }
    Ok(())
}

/// Looks whether the database is one of ours, or is to be.
fn check_schema(connection: &Connection) -> Result<(), DatabaseError> {
    if !rows::has_tables(connection)? {
        return Ok(());
    }
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    if number("application_id")? != APPLICATION {
        return Err(DatabaseError::Foreign);
    }
    match number("user_version")? {
        VERSION => Ok(()),
        found => Err(DatabaseError::Schema { found }),
    }
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Self::Foreign,
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => Self::Damaged(error.to_string()),
            _ => Self::Sql(error),
        }
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Locked => f.write_str("another process has it open"),
            Self::Writable { mode } => {
                write!(f, "others may write to it (mode {mode:03o}): run chmod go-w on it")
            }
            Self::Owner { user } => write!(f, "it belongs to another user ({user})"),
            Self::Foreign => f.write_str("it is not a database of this service"),
            Self::Schema { found } => {
                write!(f, "it has schema {found}, and this service reads {VERSION}")
            }
            Self::Sql(error) => error.fmt(f),
            Self::Damaged(what) => write!(f, "it is damaged: {what}; restore a backup"),
        }
    }
}

impl std::error::Error for DatabaseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(error) => Some(error),
            Self::Sql(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(error) => error.fmt(f),
            Self::Replaced(error) => error.fmt(f),
        }
    }
}
