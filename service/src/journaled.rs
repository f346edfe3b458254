//! A store that may be kept on file.

use std::io;
use std::path::Path;
use std::sync::Arc;

use runtally::graph::{Request, Response, RolloutId, Settings, Store};
use runtally::journal::Recovered;

use crate::app::problem;
use crate::committer::give_up;
use crate::journal::{Durable, JournalError, Ledger, Log, NotDurable};
use crate::{Rollouts, Totals};

/// A [`Store`], and once it is [opened](Self::open) the journal it is kept in.
///
/// Empty, it is all zero bytes, like the store.
pub struct Journaled<
    const CONFIGURATIONS: usize,
    const SCRIPTS: usize,
    const DEVICES: usize,
    const USERS: usize,
> {
    store: Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>,
    ledger: Option<Box<Ledger<DEVICES, USERS>>>,
}

impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    Journaled<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    /// A store in memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { store: Store::new(), ledger: None }
    }

    /// Keeps the store in this file from now on, after restoring what is there. What the store held
    /// is forgotten. Start a [`Committer`](crate::Committer) before the first request: answers wait
    /// for it.
    ///
    /// # Errors
    ///
    /// Any [`JournalError`]; the store may be filled in part then.
    pub fn open(&mut self, path: &Path) -> Result<Recovered, JournalError> {
        let (ledger, recovered) = Ledger::open(path, &mut self.store)?;
        self.ledger = Some(Box::new(ledger));
        Ok(recovered)
    }

    /// [`Store::reseed`].
    pub fn reseed(&mut self, seed: u64) {
        self.store.reseed(seed);
    }

    /// Makes a configuration or a script known; one that is known stays as it is.
    ///
    /// # Errors
    ///
    /// [`StoreFull`](runtally::graph::StoreFull), or what the journal says.
    pub fn declare(&mut self, id: RolloutId) -> Result<(), Box<dyn std::error::Error>> {
        match id {
            RolloutId::Configuration(id) => self.store.declare_configuration(id).map(drop)?,
            RolloutId::Script(id) => self.store.declare_script(id).map(drop)?,
        }
        if let Some(ledger) = &mut self.ledger {
            ledger.declare(id, &mut self.store)?;
            ledger.end_request();
        }
        Ok(())
    }
}

impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    Default for Journaled<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    Rollouts for Journaled<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    fn handle<'b>(
        &mut self,
        request: &Request<'_>,
        settings: &Settings<'_>,
        buffer: &'b mut [u8],
    ) -> Response<'b> {
        let Some(ledger) = &mut self.ledger else {
            return self.store.handle(request, settings, buffer);
        };
        if ledger.has_failed() && request.method != "GET" {
            // Whoever has no token gets to see no more than otherwise.
            let knock = Request { method: "GET", path: "/", query: "", ..*request };
            if self.store.handle(&knock, settings, &mut [0; 256]).status == 404
                && let Err(why) = ledger.retry()
            {
                return insufficient_storage(&why, buffer);
            }
        }
        let Response { status, content_type, allow, body } =
            self.store.handle(request, settings, buffer);
        let len = body.len();
        if let Err(why) = ledger.record(&mut self.store) {
            if let Err(error) = ledger.undo(&mut self.store) {
                give_up(&error);
            }
            return insufficient_storage(&why, buffer);
        }
        Response { status, content_type, allow, body: &buffer[..len] }
    }

    fn totals(&self) -> Vec<Totals> {
        self.store.totals()
    }

    fn durable(&mut self) -> Option<Durable> {
        self.ledger.as_ref()?.log().durable()
    }

    fn log(&self) -> Option<Arc<Log>> {
        Some(Arc::clone(self.ledger.as_ref()?.log()))
    }

    fn is_ready(&self) -> bool {
        !self.ledger.as_ref().is_some_and(|ledger| ledger.has_failed())
    }

    fn abandon(&mut self, error: &io::Error) {
        if let Some(ledger) = &mut self.ledger
            && let Err(error) = ledger.abandon(&mut self.store, error)
        {
            give_up(&error);
        }
    }
}

fn insufficient_storage<'b>(why: &NotDurable, buffer: &'b mut [u8]) -> Response<'b> {
    let body = problem(507, "insufficientStorage", &why.to_string());
    let len = body.len().min(buffer.len());
    buffer[..len].copy_from_slice(&body.as_bytes()[..len]);
    let content_type = Some("application/json");
    Response { status: 507, content_type, allow: None, body: &buffer[..len] }
}
