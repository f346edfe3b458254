//! A store on file: what [`runtally::journal`] writes, and what else a request may change.
//!
//! ```text
//!  0         header      what was written by whom, for which capacity
//!  4 KiB     directory   32 bytes for each roll-out: kind, whether declared, id, crc32
//!  8 KiB     two places for batches, 1 MiB each
//!  2056 KiB  the first roll-out: the pages of its journal, then the names of its users
//!            the second roll-out...
//! ```
//!
//! A roll-out's part is written out when it becomes known, so a full disk is met then and not by a
//! later change.

mod batches;
mod disk;
mod edits;
mod error;
mod flash;
mod log;
mod names;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use embassy_futures::block_on;
use runtally::graph::{RolloutId, Script, Store, StoreChange, StoreFull, Upn};
use runtally::journal::{Change, Error, Journal, Recovered};
use uuid::Uuid;

pub use error::JournalError;
pub use log::{Durable, Log, NotDurable};

use disk::{Disk, erase};
use flash::{Flash, FlashError, PAGE};
use names::Names;

/// The layout described here.
const VERSION: u32 = 1;

/// Several times what opening a journal takes, in a debug build.
const STACK: usize = 16 << 20;

const MAGIC: &[u8; 16] = b"runtally-service";
const HEADER: u64 = 4096;
const DIRECTORY: u64 = 4096;
const ENTRY: usize = 32;
const ROLLOUTS: u64 = HEADER + DIRECTORY + batches::PLACES;

/// A [`Store`] that is kept on file.
pub struct Ledger<const DEVICES: usize, const USERS: usize> {
    log: Arc<Log>,
    /// How the file is called.
    path: String,
    rollouts: Vec<Rollout<DEVICES, USERS>>,
}

struct Rollout<const DEVICES: usize, const USERS: usize> {
    id: RolloutId,
    declared: bool,
    journal: Box<Journal<Flash, Uuid, Upn, DEVICES, USERS>>,
    names: Option<Names>,
}

impl<const DEVICES: usize, const USERS: usize> Ledger<DEVICES, USERS> {
    /// Bytes of the journal of one roll-out.
    const JOURNAL: u32 = Journal::<Flash, Uuid, Upn, DEVICES, USERS>::PAGES * PAGE as u32;

    /// Bytes of the file that a configuration takes: its journal, and the names of its users.
    pub const CONFIGURATION: u64 = Self::JOURNAL as u64 + (USERS * names::PLACE) as u64;

    /// Bytes of the file that a script takes.
    pub const SCRIPT: u64 = Self::JOURNAL as u64;

    /// Opens the journal in a file, or makes one, and restores what it holds.
    ///
    /// # Errors
    ///
    /// Any [`JournalError`]; the store may be filled in part then.
    pub fn open<const CONFIGURATIONS: usize, const SCRIPTS: usize>(
        path: &Path,
        store: &mut Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>,
    ) -> Result<(Self, Recovered), JournalError> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => JournalError::Locked,
            TryLockError::Error(error) => JournalError::File(error),
        })?;
        if !file.metadata()?.is_file() {
            return Err(JournalError::Foreign);
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        // A new file is there after a power cut only if the folder says so.
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        Self::open_on(Arc::new(file), path.display().to_string(), store)
    }

    fn open_on<const CONFIGURATIONS: usize, const SCRIPTS: usize>(
        disk: Arc<dyn Disk>,
        path: String,
        store: &mut Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>,
    ) -> Result<(Self, Recovered), JournalError> {
        const {
            assert!((CONFIGURATIONS + SCRIPTS) * ENTRY <= DIRECTORY as usize);
        }
        let capacity = [CONFIGURATIONS as u32, SCRIPTS as u32, DEVICES as u32, USERS as u32];
        begin(&*disk, capacity)?;
        let log = Arc::new(Log::open(disk, HEADER + DIRECTORY)?);
        let mut ledger = Self { log, path, rollouts: Vec::new() };
        let recovered = ledger.restore(store)?;
        Ok((ledger, recovered))
    }

    /// Fills the store with what the file holds, and nothing else.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn restore<const CONFIGURATIONS: usize, const SCRIPTS: usize>(
        &mut self,
        store: &mut Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>,
    ) -> Result<Recovered, JournalError> {
        store.clear();
        self.rollouts.clear();
        let mut recovered = Recovered::default();
        let mut directory = vec![0; (CONFIGURATIONS + SCRIPTS) * ENTRY];
        self.log.read(HEADER, &mut directory)?;
        for entry in directory.chunks(ENTRY) {
            if entry.iter().all(|&byte| byte == 0xff) {
                break;
            }
            let damaged = || JournalError::Damaged("its directory is damaged".into());
            let (id, declared) = read_entry(entry).ok_or_else(damaged)?;
            let found = self.take_in(id, declared, store)?;
            recovered.records += found.records;
            recovered.damaged += found.damaged;
        }
        Ok(recovered)
    }

    /// Opens the next part of the file.
    fn take_in<const CONFIGURATIONS: usize, const SCRIPTS: usize>(
        &mut self,
        id: RolloutId,
        declared: bool,
        store: &mut Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>,
    ) -> Result<Recovered, JournalError> {
        let start = self.end();
        if self.log.disk().len()? < start + Self::len(id) {
            return Err(cut_short());
        }
        let flash = Flash::new(Arc::clone(&self.log), start, Self::JOURNAL);
        let full = |full: StoreFull| JournalError::Damaged(full.to_string());
        let open = |tally| {
            // A journal is long, and the stack of a thread that serves requests may be short.
            let open = || {
                let opened = block_on(Journal::open(flash, 0..Self::JOURNAL, tally));
                opened.map(|(journal, found)| (Box::new(journal), found)).map_err(journal_error)
            };
            thread::scope(|scope| {
                let opener = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, open)?;
                opener.join().unwrap_or_else(|panic| resume_unwind(panic))
            })
        };
        let (journal, recovered, names) = match id {
            RolloutId::Script(id) => {
                let script = store.declare_script(id).map_err(full)?;
                let (journal, recovered) = open(script.tally_mut())?;
                (journal, recovered, None)
            }
            RolloutId::Configuration(id) => {
                let configuration = store.declare_configuration(id).map_err(full)?;
                let (journal, mut recovered) = open(configuration.tally_mut())?;
                configuration.restore_declared(declared);
                // Names that are missing must not be those of whoever had the row before.
                let users = configuration.tally().users().filter(|user| user.declared);
                for user in users.map(|user| user.user.clone()).collect::<Vec<_>>() {
                    configuration.restore_names(&user, [None, None]);
                }
                let start = start + u64::from(Self::JOURNAL);
                let (names, damaged) = Names::open(&self.log, start, USERS, |entry| {
                    let [email, name] = &entry.names;
                    configuration.restore_names(&entry.user, [email.as_deref(), name.as_deref()]);
                    configuration.names(&entry.user).is_some()
                })?;
                recovered.damaged += damaged;
                (journal, recovered, Some(names))
            }
        };
        self.rollouts.push(Rollout { id, declared, journal, names });
        Ok(recovered)
    }

    /// Where the next roll-out goes.
    fn end(&self) -> u64 {
        self.rollouts.iter().fold(ROLLOUTS, |end, rollout| end + Self::len(rollout.id))
    }

    const fn len(id: RolloutId) -> u64 {
        match id {
            RolloutId::Configuration(_) => Self::CONFIGURATION,
            RolloutId::Script(_) => Self::SCRIPT,
        }
    }

    /// Makes room for a roll-out that is not in the file yet. Of what the store knows of it, only
    /// the summary may be more than nothing.
    ///
    /// # Errors
    ///
    /// [`NotDurable`]: there is no room, or the file cannot be written.
    pub fn declare<const CONFIGURATIONS: usize, const SCRIPTS: usize>(
        &mut self,
        id: RolloutId,
        store: &mut Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>,
    ) -> Result<(), NotDurable> {
        if self.rollouts.iter().any(|rollout| rollout.id == id) {
            return Ok(());
        }
        let (start, len, disk) = (self.end(), Self::len(id), self.log.disk());
        if let Err(error) = erase(disk, start, len).and_then(|()| disk.sync()) {
            // Others may need it. If this fails as well, nothing is worse for it.
            let _ = disk.set_len(start);
            return Err(self.fail(&format_args!("a roll-out takes {len} bytes more: {error}")));
        }
        let (summary, declared) = match id {
            RolloutId::Configuration(id) => {
                store.configuration(&id).map_or_else(Default::default, |configuration| {
                    (*configuration.tally().summary(), configuration.is_declared())
                })
            }
            RolloutId::Script(_) => Default::default(),
        };
        if let RolloutId::Configuration(id) = id
            && let Ok(configuration) = store.declare_configuration(id)
        {
            configuration.tally_mut().clear();
        }
        self.take_in(id, false, store).map_err(|error| self.fail(&error))?;
        if let RolloutId::Configuration(id) = id
            && let Ok(configuration) = store.declare_configuration(id)
        {
            configuration.restore_declared(declared);
            // It was declared before, on no more rows than there are now.
            let _ = configuration.tally_mut().declare(&summary);
        }
        self.write_entry(self.rollouts.len() - 1);
        Ok(())
    }

    /// Writes down what the last request changed. Call it after every request.
    ///
    /// # Errors
    ///
    /// [`NotDurable`]: the store holds a change that the file does not; [`undo`](Self::undo) it.
    pub fn record<const CONFIGURATIONS: usize, const SCRIPTS: usize>(
        &mut self,
        store: &mut Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>,
    ) -> Result<(), NotDurable> {
        let Some(StoreChange { rollout: id, .. }) = store.last_change() else { return Ok(()) };
        self.declare(id, store)?;
        let Some(StoreChange { change, .. }) = store.last_change() else { return Ok(()) };
        let Some(number) = self.rollouts.iter().position(|rollout| rollout.id == id) else {
            return Ok(());
        };
        let rollout = &mut self.rollouts[number];
        let mut redeclared = false;
        let tally = match id {
            RolloutId::Script(id) => store.script(&id).map(Script::tally),
            RolloutId::Configuration(id) => store.configuration(&id).map(|configuration| {
                if let (Change::User(user), Some(names)) = (change, &mut rollout.names) {
                    names.write(&self.log, user, configuration.names(user));
                }
                redeclared = rollout.declared != configuration.is_declared();
                rollout.declared = configuration.is_declared();
                configuration.tally()
            }),
        };
        let Some(tally) = tally else { return Ok(()) };
        let recorded = block_on(rollout.journal.record(tally, change));
        recorded.map_err(|error| self.fail(&journal_error(error)))?;
        if redeclared {
            self.write_entry(number);
        }
        self.log.end();
        Ok(())
    }

    fn write_entry(&self, number: usize) {
        let Rollout { id, declared, .. } = self.rollouts[number];
        self.log.write(HEADER + (number * ENTRY) as u64, &entry(id, declared));
    }

    /// What was [declared](Self::declare) since the last request is complete.
    pub fn end_request(&self) {
        self.log.end();
    }

    /// Takes back what the request at hand changed, after [`record`](Self::record) failed.
    ///
    /// # Errors
    ///
    /// Those of [`restore`](Self::restore).
    pub fn undo<const CONFIGURATIONS: usize, const SCRIPTS: usize>(
        &mut self,
        store: &mut Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>,
    ) -> Result<(), JournalError> {
        self.log.undo();
        self.restore(store).map(drop)
    }

    /// Takes back whatever is not durable, after a commit failed, and tells those who wait for it.
    ///
    /// # Errors
    ///
    /// Those of [`restore`](Self::restore).
    pub fn abandon<const CONFIGURATIONS: usize, const SCRIPTS: usize>(
        &mut self,
        store: &mut Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>,
        error: &io::Error,
    ) -> Result<(), JournalError> {
        let abandoned = self.log.abandon(self.fail(error));
        self.restore(store)?;
        abandoned.tell();
        Ok(())
    }

    /// Tries to write again, if writing failed before.
    ///
    /// # Errors
    ///
    /// [`NotDurable`] if it fails again.
    pub fn retry(&self) -> Result<(), NotDurable> {
        if self.log.has_failed() {
            self.log.probe().map_err(|error| self.fail(&error))?;
        }
        Ok(())
    }

    /// True if the last attempt to write failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.log.has_failed()
    }

    /// The way of changes to the disk.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    fn fail(&self, error: &dyn fmt::Display) -> NotDurable {
        self.log.fail();
        NotDurable(format!("the journal {} cannot be written: {error}", self.path).into())
    }
}

/// Looks at the header, and writes it to a file that has none.
fn begin(disk: &dyn Disk, capacity: [u32; 4]) -> Result<(), JournalError> {
    let mut header = [0; 40];
    header[..16].copy_from_slice(MAGIC);
    let fields = [VERSION].into_iter().chain(capacity);
    for (field, number) in header[16..36].chunks_mut(4).zip(fields) {
        field.copy_from_slice(&number.to_le_bytes());
    }
    let checksum = crc32fast::hash(&header[..36]);
    header[36..].copy_from_slice(&checksum.to_le_bytes());

    let len = disk.len()?;
    let mut found = [0; 40];
    if len >= ROLLOUTS {
        disk.read(0, &mut found)?;
    } else if len > 0 {
        // Perhaps whoever began to write this journal did not come to its end.
        let mut start = vec![0; len.min(40) as usize];
        disk.read(0, &mut start)?;
        found[..start.len()].copy_from_slice(&start);
    }
    if found == header {
        return if len < ROLLOUTS { Err(cut_short()) } else { Ok(()) };
    }
    let begun = found.iter().zip(&header).take_while(|(found, written)| found == written).count();
    if len <= ROLLOUTS && found[begun..].iter().all(|&byte| byte == 0) {
        disk.write(0, &[0; HEADER as usize])?;
        erase(disk, HEADER, ROLLOUTS - HEADER)?;
        disk.sync()?;
        disk.write(0, &header)?;
        return Ok(disk.sync()?);
    }
    if found[..16] != *MAGIC {
        return Err(JournalError::Foreign);
    }
    let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| found[at + byte]));
    if number(36) != crc32fast::hash(&found[..36]) {
        return Err(JournalError::Damaged("its header is damaged".into()));
    }
    if number(16) != VERSION {
        return Err(JournalError::Version { found: number(16) });
    }
    Err(JournalError::Capacity { found: [20, 24, 28, 32].map(number) })
}

/// What stands in the directory for a roll-out.
fn entry(id: RolloutId, declared: bool) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    let (kind, id) = match id {
        RolloutId::Configuration(id) => (1, id),
        RolloutId::Script(id) => (2, id),
    };
    entry[0] = kind;
    entry[1] = declared.into();
    entry[2..18].copy_from_slice(id.as_bytes());
    let checksum = crc32fast::hash(&entry[..28]);
    entry[28..].copy_from_slice(&checksum.to_le_bytes());
    entry
}

fn cut_short() -> JournalError {
    JournalError::Damaged("it is cut short".into())
}

fn read_entry(bytes: &[u8]) -> Option<(RolloutId, bool)> {
    let id = Uuid::from_bytes(*bytes.get(2..)?.first_chunk()?);
    let id = match bytes.first()? {
        1 => RolloutId::Configuration(id),
        _ => RolloutId::Script(id),
    };
    let declared = *bytes.get(1)? == 1;
    (entry(id, declared) == *bytes).then_some((id, declared))
}

fn journal_error(error: Error<FlashError>) -> JournalError {
    match error {
        Error::Flash(FlashError(error)) => JournalError::File(error),
        error => JournalError::Damaged(error.to_string()),
    }
}
