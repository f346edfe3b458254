//! Device states in a database instead of a journal, behind the same HTTP server: `SQLite`.
//!
//! ```text
//! runtally-service-peer each|group FILE
//! ```
//!
//! The database is in WAL mode with `synchronous=FULL`, so that a commit that returns is as durable
//! as a sync makes it. Each `POST` is an upsert by the order rule of the library. With `each`,
//! every request is a transaction of its own; with `group`, one transaction takes all requests
//! that have come in while the last one was committed.

use std::io::Write;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};

use runtally::graph::{DeviceState, Request, Response, Settings};
use runtally_service::journal::{Durable, NotDurable};
use runtally_service::{Desk, Limits, Options, Rollouts, Totals, router, serve};
use rusqlite::{Connection, params};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE device (
        id BLOB PRIMARY KEY, ticks INTEGER NOT NULL, offset INTEGER NOT NULL,
        severity INTEGER NOT NULL, user TEXT NOT NULL COLLATE NOCASE
    ) WITHOUT ROWID;
";

/// No user is an empty text, which is the lowest.
const UPSERT: &str = "
    INSERT INTO device VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (id) DO UPDATE SET
        ticks = excluded.ticks, offset = excluded.offset,
        severity = excluded.severity, user = excluded.user
    WHERE (excluded.ticks, excluded.offset, excluded.severity, excluded.user)
        > (ticks, offset, severity, user)
";

struct Row {
    id: [u8; 16],
    ticks: i64,
    offset: i16,
    severity: u8,
    user: String,
    done: oneshot::Sender<Result<(), NotDurable>>,
}

/// The way to the one thread that writes.
struct Database {
    rows: Option<Sender<Row>>,
    durable: Option<Durable>,
}

static DESK: Mutex<Desk<Database>> = Mutex::new(Desk::new(Database { rows: None, durable: None }));

impl Rollouts for Database {
    fn handle<'b>(
        &mut self,
        request: &Request<'_>,
        settings: &Settings<'_>,
        buffer: &'b mut [u8],
    ) -> Response<'b> {
        let refused = |status| Response { status, content_type: None, allow: None, body: b"" };
        let token = request.authorization.and_then(|it| it.strip_prefix("Bearer "));
        if token != Some(settings.write_token) {
            return refused(401);
        }
        let Ok(state) = DeviceState::decode(request.body) else { return refused(400) };
        let Ok(len) = state.encode(buffer) else { return refused(413) };
        let event = state.event();
        let (done, durable) = oneshot::channel();
        let row = Row {
            id: *event.device.as_bytes(),
            ticks: event.at.ticks(),
            offset: event.at.offset(),
            severity: event.state.severity(),
            user: event.user.map(|user| user.as_str().to_owned()).unwrap_or_default(),
            done,
        };
        self.durable = Some(durable);
        if self.rows.as_ref().is_none_or(|rows| rows.send(row).is_err()) {
            return refused(507);
        }
        Response {
            status: 201,
            content_type: Some("application/json"),
            allow: None,
            body: &buffer[..len],
        }
    }

    fn totals(&self) -> Vec<Totals> {
        Vec::new()
    }

    fn durable(&mut self) -> Option<Durable> {
        self.durable.take()
    }
}

fn write(mut database: Connection, rows: &Receiver<Row>, limit: usize) -> rusqlite::Result<()> {
    let mut batch = Vec::new();
    while let Ok(row) = rows.recv() {
        batch.push(row);
        batch.extend(rows.try_iter().take(limit - 1));
        let transaction = database.transaction()?;
        {
            let mut upsert = transaction.prepare_cached(UPSERT)?;
            for row in &batch {
                upsert.execute(params![row.id, row.ticks, row.offset, row.severity, row.user])?;
            }
        }
        transaction.commit()?;
        for row in batch.drain(..) {
            // Whoever hung up does not wait any more.
            let _ = row.done.send(Ok(()));
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (limit, path) = (std::env::args().nth(1), std::env::args().nth(2));
    let limit = if limit.as_deref() == Some("each") { 1 } else { usize::MAX };
    let database = Connection::open(path.ok_or("give each or group, and a file")?)?;
    database.execute_batch(SCHEMA)?;
    let (sender, rows) = mpsc::channel();
    DESK.lock().unwrap_or_else(PoisonError::into_inner).store().rows = Some(sender);
    std::thread::spawn(move || write(database, &rows, limit).expect("SQLite writes"));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    let options = Options { write_token: "writer".to_owned(), ..Options::default() };
    serve(listener, router(&DESK, options), &Limits::default(), std::future::pending()).await;
    Ok(())
}
