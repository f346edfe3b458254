//! Peer: `SQLite` in memory, prepared statements within one transaction: a timestamped upsert for
//! each event, `GROUP BY` for the summary.

use runtally::{Effect, Event, RunState, Summary};
use rusqlite::{Connection, Statement, params};
use uuid::Uuid;

use crate::contender::{Contender, summary};
use crate::workload::{Fleet, Report};

const SCHEMA: &str = "
    CREATE TABLE device (
        id BLOB PRIMARY KEY, ticks INTEGER NOT NULL, finality INTEGER NOT NULL,
        offset INTEGER NOT NULL, user BLOB NOT NULL, severity INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX by_user ON device (user, severity);
    BEGIN;
";

/// No user is an empty blob, which is the lowest.
const UPSERT: &str = "
    INSERT INTO device VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (id) DO UPDATE SET
        ticks = excluded.ticks, finality = excluded.finality, offset = excluded.offset,
        user = excluded.user, severity = excluded.severity
    WHERE (excluded.ticks, excluded.finality, excluded.offset, excluded.user)
        > (ticks, finality, offset, user)
";
const DEVICES: &str = "SELECT severity, COUNT(*) FROM device GROUP BY severity";
const USERS: &str = "
    SELECT worst, COUNT(*)
    FROM (SELECT MAX(severity) AS worst FROM device WHERE user > x'' GROUP BY user)
    GROUP BY worst
";
const LAST_RUN: &str = "SELECT MAX(ticks) FROM device";

pub struct Sqlite<'c> {
    upsert: Statement<'c>,
    devices: Statement<'c>,
    users: Statement<'c>,
    last_run: Statement<'c>,
}

pub fn in_memory() -> Connection {
    let connection = Connection::open_in_memory().expect("SQLite opens");
    connection.execute_batch(SCHEMA).expect("the schema is SQL");
    connection
}

impl<'c> Sqlite<'c> {
    pub fn new(connection: &'c Connection) -> Self {
        let prepare = |sql| connection.prepare(sql).expect("the statement is SQL");
        Self {
            upsert: prepare(UPSERT),
            devices: prepare(DEVICES),
            users: prepare(USERS),
            last_run: prepare(LAST_RUN),
        }
    }

    fn count(&mut self) -> Summary {
        let last_run = self.last_run.query_row((), |row| row.get(0)).expect("the query runs");
        summary(counts(&mut self.devices), counts(&mut self.users), last_run)
    }
}

fn counts(statement: &mut Statement) -> [u32; 6] {
    let mut counts = [0; 6];
    let mut rows = statement.query(()).expect("the query runs");
    while let Some(row) = rows.next().expect("the query runs") {
        let state = row.get(0).map(RunState::from_severity).expect("a number").expect("of a state");
        counts[state as usize] = row.get(1).expect("a count");
    }
    counts
}

impl Contender for Sqlite<'_> {
    type Event = Event<Uuid, Uuid>;

    const TELLS: bool = false;

    fn event(&self, fleet: &Fleet, report: Report) -> Self::Event {
        fleet.event(report)
    }

    fn apply(&mut self, event: &Self::Event) -> Effect {
        self.upsert
            .execute(params![
                event.device.as_bytes(),
                event.at.ticks(),
                event.state.finality(),
                event.at.offset(),
                event.user.as_ref().map_or(&[][..], |user| user.as_bytes()),
                event.state.severity(),
            ])
            .expect("there is memory");
        Effect::Applied { before: None }
    }

    fn summary(&mut self) -> Summary {
        self.count()
    }
}
