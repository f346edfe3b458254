//! Rows: what a store holds and what a change leaves, written to tables and read back.

use std::collections::HashMap;
use std::time::SystemTime;

use runtally::graph::{Name, Upn};
use runtally::store::{Kind, Names, RolloutId};
use runtally::{Counts, DateTime, Entry, Event, Kept, RunState, Totals};
use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, named_params, params};
use uuid::Uuid;

/// What is kept of a roll-out itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RolloutRow {
    /// Its summary was created by a request.
    pub is_created: bool,
    /// Its version.
    pub version: i32,
}

/// One thing that a change leaves: each says all there is to say, so the last one written counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// The roll-out is known, and this is what is kept of it.
    Rollout(RolloutRow),
    /// What is kept of a device, a user, or the totals.
    Entry(Entry<Uuid, Upn>),
    /// What a user is called.
    Names(Upn, Names),
}

/// The tables, for one transaction.
pub(super) struct Tables<'c> {
    database: &'c Connection,
    /// The numbers of the roll-outs.
    numbers: &'c mut HashMap<RolloutId, i64>,
    /// When the last row was written, in microseconds since 1970; no two rows say the same.
    written: &'c mut i64,
}

/// More rows than a roll-out has.
const LARGEST: usize = u32::MAX as usize;

const STATES: [&str; 6] = ["unknown", "success", "fail", "scriptError", "pending", "notApplicable"];

impl<'c> Tables<'c> {
    pub(super) fn new(
        database: &'c Connection,
        numbers: &'c mut HashMap<RolloutId, i64>,
        written: &'c mut i64,
    ) -> Self {
        Self { database, numbers, written }
    }

    /// The time now, or the next instant if a row was written at that.
    fn now(&mut self) -> i64 {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros() as i64;
        *self.written = now.max(*self.written + 1);
        *self.written
    }

    pub(super) fn write(&mut self, rollout: RolloutId, written: &Written) -> rusqlite::Result<()> {
        if let Written::Rollout(row) = written {
            return self.rollout(rollout, *row);
        }
        let Some(&number) = self.numbers.get(&rollout) else {
            return Err(rusqlite::Error::QueryReturnedNoRows);
        };
        match written {
            Written::Rollout(_) => Ok(()),
            Written::Entry(entry) => self.entry(number, entry),
            Written::Names(user, names) => {
                let sql = "INSERT INTO user (rollout, upn, name, email) VALUES (?, ?, ?, ?) \
                           ON CONFLICT DO UPDATE SET name = excluded.name, email = excluded.email";
                let (name, email) = (names.name.as_deref(), names.email.as_deref());
                self.prepare(sql)?.execute(params![number, user.as_str(), name, email])?;
                self.forget_nobody(number, user)
            }
        }
    }

    fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'c>> {
        self.database.prepare_cached(sql)
    }

    fn rollout(&mut self, rollout: RolloutId, row: RolloutRow) -> rusqlite::Result<()> {
        let sql = "INSERT INTO rollout (kind, id, created, version) VALUES (?, ?, ?, ?) \
                   ON CONFLICT DO UPDATE SET created = excluded.created, \
                   version = excluded.version RETURNING rollout";
        let id = rollout.id.to_string();
        let values = params![kind_name(rollout.kind), id, row.is_created, row.version];
        let number = self.prepare(sql)?.query_row(values, |row| row.get(0))?;
        self.numbers.insert(rollout, number);
        Ok(())
    }

    fn entry(&mut self, rollout: i64, entry: &Entry<Uuid, Upn>) -> rusqlite::Result<()> {
        match entry {
            Entry::Device(event) => self.device(rollout, event, None),
            Entry::Retired { event, counted } => self.device(rollout, event, Some(*counted)),
            Entry::Removed { device, at } => {
                let (id, now) = (text(device), self.now());
                let values = params![
                    rollout,
                    id.as_str(),
                    None::<&str>,
                    None::<&str>,
                    at.ticks(),
                    at.offset(),
                    None::<&str>,
                    now
                ];
                self.prepare(DEVICE)?.execute(values).map(drop)
            }
            Entry::User { user, kept } => self.user(rollout, user, kept),
            Entry::Totals(totals) => self.totals(rollout, totals),
        }
    }

    fn device(
        &mut self,
        rollout: i64,
        event: &Event<Uuid, Upn>,
        retired: Option<RunState>,
    ) -> rusqlite::Result<()> {
        let (id, now) = (text(&event.device), self.now());
        let values = params![
            rollout,
            id.as_str(),
            event.user.as_ref().map(Upn::as_str),
            event.state.name(),
            event.at.ticks(),
            event.at.offset(),
            retired.map(RunState::name),
            now
        ];
        self.prepare(DEVICE)?.execute(values).map(drop)
    }

    fn user(&self, rollout: i64, user: &Upn, kept: &Kept) -> rusqlite::Result<()> {
        let sql = "INSERT INTO user (rollout, upn, declared, last_update_ticks, \
                   last_update_offset, unknown_devices, successful_devices, failed_devices, \
                   error_devices, pending_devices, not_applicable_devices) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
                   ON CONFLICT DO UPDATE SET upn = excluded.upn, declared = excluded.declared, \
                   last_update_ticks = excluded.last_update_ticks, \
                   last_update_offset = excluded.last_update_offset, \
                   unknown_devices = excluded.unknown_devices, \
                   successful_devices = excluded.successful_devices, \
                   failed_devices = excluded.failed_devices, \
                   error_devices = excluded.error_devices, \
                   pending_devices = excluded.pending_devices, \
                   not_applicable_devices = excluded.not_applicable_devices";
        let [unknown, success, fail, error, pending, not_applicable] = numbers(&kept.carried);
        self.prepare(sql)?.execute(params![
            rollout,
            user.as_str(),
            kept.declared,
            kept.last_update.map(DateTime::ticks),
            kept.last_update.map(DateTime::offset),
            unknown,
            success,
            fail,
            error,
            pending,
            not_applicable
        ])?;
        self.forget_nobody(rollout, user)
    }

    /// Drops the row of a user of whom nothing is kept.
    fn forget_nobody(&self, rollout: i64, user: &Upn) -> rusqlite::Result<()> {
        let sql = "DELETE FROM user WHERE rollout = ? AND upn = ? AND declared = 0 \
                   AND unknown_devices + successful_devices + failed_devices + error_devices \
                   + pending_devices + not_applicable_devices = 0 \
                   AND last_update_ticks IS NULL AND name IS NULL AND email IS NULL";
        let forgotten = self.prepare(sql)?.execute(params![rollout, user.as_str()])?;
        if forgotten > 0 {
            // Nothing is carried for this user any more, so a device that comes back takes nothing
            // from what may be declared for a user of that name later.
            let sql = "UPDATE device SET user = NULL \
                       WHERE rollout = ? AND user = ? AND retired IS NOT NULL";
            self.prepare(sql)?.execute(params![rollout, user.as_str()])?;
        }
        Ok(())
    }

    fn totals(&self, rollout: i64, totals: &Totals) -> rusqlite::Result<()> {
        let sql = "UPDATE rollout SET last_run_ticks = :ticks, last_run_offset = :offset, \
                   run_from_ticks = :run_from, unknown_devices = :d0, successful_devices = :d1, \
                   failed_devices = :d2, error_devices = :d3, pending_devices = :d4, \
                   not_applicable_devices = :d5, unknown_users = :u0, successful_users = :u1, \
                   failed_users = :u2, error_users = :u3, pending_users = :u4, \
                   not_applicable_users = :u5 WHERE rollout = :rollout";
        let (devices, users) = (numbers(&totals.devices), numbers(&totals.users));
        self.prepare(sql)?
            .execute(named_params! {
                ":rollout": rollout,
                ":ticks": totals.last_run.map(DateTime::ticks),
                ":offset": totals.last_run.map(DateTime::offset),
                ":run_from": totals.run_from.map(DateTime::ticks),
                ":d0": devices[0], ":d1": devices[1], ":d2": devices[2],
                ":d3": devices[3], ":d4": devices[4], ":d5": devices[5],
                ":u0": users[0], ":u1": users[1], ":u2": users[2],
                ":u3": users[3], ":u4": users[4], ":u5": users[5],
            })
            .map(drop)
    }

    /// There was a run at this instant.
    pub(super) fn ran(&self, rollout: RolloutId, at: DateTime) -> rusqlite::Result<()> {
        let sql = "UPDATE rollout SET last_run_ticks = ?2, last_run_offset = 0 WHERE rollout = ?1 \
                   AND ifnull(last_run_ticks < ?2, 1)";
        let Some(number) = self.numbers.get(&rollout) else { return Ok(()) };
        self.prepare(sql)?.execute(params![number, at.ticks()]).map(drop)
    }

    /// Forgets all but the latest `most` tombstones of a roll-out.
    pub(super) fn prune(&self, rollout: RolloutId, most: usize) -> rusqlite::Result<usize> {
        let sql = "DELETE FROM device WHERE rollout = ?1 AND id IN (SELECT id FROM device \
                   WHERE rollout = ?1 AND (state IS NULL OR retired IS NOT NULL) \
                   ORDER BY written DESC LIMIT -1 OFFSET ?2)";
        let Some(number) = self.numbers.get(&rollout) else { return Ok(0) };
        self.prepare(sql)?.execute(params![number, most.min(LARGEST) as u32])
    }

    /// Finds out whether anything can be written.
    pub(super) fn probe(&mut self) -> rusqlite::Result<()> {
        let now = self.now();
        self.prepare("INSERT OR REPLACE INTO probe VALUES (1, ?)")?.execute([now]).map(drop)
    }
}

const DEVICE: &str = "INSERT INTO device VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
                      ON CONFLICT DO UPDATE SET user = excluded.user, state = excluded.state, \
                      ticks = excluded.ticks, offset = excluded.offset, \
                      retired = excluded.retired, written = excluded.written";

/// A GUID as text, without a place in memory of its own.
struct GuidText([u8; uuid::fmt::Hyphenated::LENGTH]);

fn text(id: &Uuid) -> GuidText {
    let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
    id.hyphenated().encode_lower(&mut buffer);
    GuidText(buffer)
}

impl GuidText {
    fn as_str(&self) -> &str {
        // Hexadecimal digits and hyphens are ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn numbers(counts: &Counts) -> [u32; 6] {
    STATES_IN_ORDER.map(|state| counts[state])
}

const STATES_IN_ORDER: [RunState; 6] = [
    RunState::Unknown,
    RunState::Success,
    RunState::Fail,
    RunState::ScriptError,
    RunState::Pending,
    RunState::NotApplicable,
];

/// Graph's name of the type.
pub(crate) const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Configuration => "hardwareConfiguration",
        Kind::Script => "deviceManagementScript",
    }
}

/// The roll-outs on file, with the numbers of their rows.
pub(super) fn rollouts(
    database: &Connection,
) -> rusqlite::Result<Vec<(RolloutId, i64, RolloutRow, Totals)>> {
    let mut all = database.prepare("SELECT * FROM rollout ORDER BY rollout")?;
    let rows = all.query_map((), |row| {
        let kind: String = row.get("kind")?;
        let kind =
            [Kind::Configuration, Kind::Script].into_iter().find(|it| kind_name(*it) == kind);
        let kind = kind.ok_or_else(|| wrong(1, "no kind of roll-out"))?;
        let key = RolloutId { kind, id: guid(row, 2)? };
        let rollout = RolloutRow { is_created: row.get("created")?, version: row.get("version")? };
        let totals = Totals {
            devices: counts(row, row.as_ref().column_index("unknown_devices")?)?,
            users: counts(row, row.as_ref().column_index("unknown_users")?)?,
            last_run: optional_instant(row, row.as_ref().column_index("last_run_ticks")?)?,
            run_from: row.get::<_, Option<i64>>("run_from_ticks")?.map(utc).transpose()?,
        };
        Ok((key, row.get("rollout")?, rollout, totals))
    })?;
    rows.collect()
}

/// The devices of a roll-out that count, then the users with their names, then the latest `most`
/// less the devices that count of the tombstones, the oldest first. Gives when the last one was
/// written.
pub(super) fn entries(
    database: &Connection,
    rollout: i64,
    most: usize,
    mut take: impl FnMut(Written) -> rusqlite::Result<()>,
) -> rusqlite::Result<i64> {
    let (mut live, mut written) = (0, 0);
    let sql = "SELECT id, user, state, ticks, offset, retired FROM device \
               WHERE rollout = ? AND state IS NOT NULL AND retired IS NULL";
    let mut devices = database.prepare(sql)?;
    let mut rows = devices.query([rollout])?;
    while let Some(row) = rows.next()? {
        live += 1;
        take(Written::Entry(device(row)?))?;
    }
    let mut users = database.prepare("SELECT * FROM user WHERE rollout = ?")?;
    let mut rows = users.query([rollout])?;
    while let Some(row) = rows.next()? {
        let user = upn(row, 1)?;
        let kept = Kept {
            declared: row.get(2)?,
            last_update: optional_instant(row, 3)?,
            carried: counts(row, 5)?,
        };
        let names = Names { name: name(row, "name")?, email: name(row, "email")? };
        if kept != Kept::default() {
            take(Written::Entry(Entry::User { user: user.clone(), kept }))?;
        }
        if names != Names::NONE {
            take(Written::Names(user, names))?;
        }
    }
    let sql = "SELECT * FROM (SELECT id, user, state, ticks, offset, retired, written FROM device \
               WHERE rollout = ? AND (state IS NULL OR retired IS NOT NULL) \
               ORDER BY written DESC LIMIT ?) ORDER BY written";
    let mut tombstones = database.prepare(sql)?;
    let left = most.saturating_sub(live).min(LARGEST) as u32;
    let mut rows = tombstones.query(params![rollout, left])?;
    while let Some(row) = rows.next()? {
        take(Written::Entry(device(row)?))?;
        written = row.get("written")?;
    }
    Ok(written)
}

/// The number of devices that count in each state, by the rows.
pub(super) fn recount(
    database: &Connection,
    rollout: RolloutId,
) -> rusqlite::Result<HashMap<String, u32>> {
    let sql = "SELECT state, count(*) FROM live_device WHERE kind = ? AND rollout_id = ? \
               GROUP BY state";
    let mut states = database.prepare(sql)?;
    let values = params![kind_name(rollout.kind), rollout.id.to_string()];
    let rows = states.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn device(row: &Row<'_>) -> rusqlite::Result<Entry<Uuid, Upn>> {
    let device = guid(row, 0)?;
    let at = instant(row.get(3)?, row.get(4)?).ok_or_else(|| wrong(3, "no date-time"))?;
    let Some(state) = state(row, 2)? else { return Ok(Entry::Removed { device, at }) };
    let user = match row.get_ref(1)?.as_str_or_null()? {
        Some(_) => Some(upn(row, 1)?),
        None => None,
    };
    let event = Event { device, user, state, at };
    Ok(match self::state(row, 5)? {
        Some(counted) => Entry::Retired { event, counted },
        None => Entry::Device(event),
    })
}

fn state(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<RunState>> {
    let Some(name) = row.get_ref(column)?.as_str_or_null()? else { return Ok(None) };
    let number = STATES.iter().position(|state| *state == name);
    let state = number.and_then(|number| RunState::from_number(number as u8));
    state.map(Some).ok_or_else(|| wrong(column, "no run state"))
}

fn guid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    let text = row.get_ref(column)?.as_str()?;
    Uuid::try_parse(text).map_err(|_| wrong(column, "no GUID"))
}

fn upn(row: &Row<'_>, column: usize) -> rusqlite::Result<Upn> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|_| wrong(column, "no user principal name"))
}

fn name(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Name>> {
    let Some(text) = row.get_ref(column)?.as_str_or_null()? else { return Ok(None) };
    let name = Name::try_from(text);
    name.map(Some).map_err(|_| wrong(0, "a name of more than 127 bytes"))
}

fn counts(row: &Row<'_>, first: usize) -> rusqlite::Result<Counts> {
    let mut counts = Counts::default();
    for (column, state) in (first..).zip(STATES_IN_ORDER) {
        let with = counts.with(state, row.get(column)?);
        counts = with.map_err(|_| wrong(column, "a count beyond 2147483647"))?;
    }
    Ok(counts)
}

fn optional_instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<DateTime>> {
    let Some(ticks) = row.get(column)? else { return Ok(None) };
    let at = instant(ticks, row.get(column + 1)?);
    at.map(Some).ok_or_else(|| wrong(column, "no date-time"))
}

fn instant(ticks: i64, offset: i16) -> Option<DateTime> {
    DateTime::from_ticks(ticks, offset).ok()
}

fn utc(ticks: i64) -> rusqlite::Result<DateTime> {
    instant(ticks, 0).ok_or_else(|| wrong(8, "no date-time"))
}

/// A value that the service did not write.
fn wrong(column: usize, what: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.into())
}

/// Whether there is a table of this name.
pub(super) fn has_tables(database: &Connection) -> rusqlite::Result<bool> {
    let found = database.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", (), |_| Ok(()));
    Ok(found.optional()?.is_some())
}
