//! Where requests are answered: a store and the buffer its answers are written to.

use std::io;
use std::sync::Arc;

use runtally::Summary;
use runtally::graph::{Request, Response, Settings, Store};
use uuid::Uuid;

use crate::journal::{Durable, Log};

/// The longest answer, and with it the longest page of a list: 128 KiB, some 350 users or 580
/// devices.
const BUFFER: usize = 1 << 17;

/// A store, and the one buffer all of its answers are written to. Whoever holds the desk's lock
/// has both.
#[derive(Debug)]
pub struct Desk<S: ?Sized> {
    buffer: [u8; BUFFER],
    store: S,
}

/// A [`Store`] of any capacity.
pub trait Rollouts: Send {
    /// [`Store::handle`].
    fn handle<'b>(
        &mut self,
        request: &Request<'_>,
        settings: &Settings<'_>,
        buffer: &'b mut [u8],
    ) -> Response<'b>;

    /// The totals of every configuration, then of every script.
    fn totals(&self) -> Vec<Totals>;

    /// Comes when all that can be seen now is durable; `None` if it is, or is not meant to be.
    fn durable(&mut self) -> Option<Durable> {
        None
    }

    /// The way of changes to the disk, if there is one.
    fn log(&self) -> Option<Arc<Log>> {
        None
    }

    /// False if the last attempt to make something durable failed.
    fn is_ready(&self) -> bool {
        true
    }

    /// Takes back what is not durable.
    fn abandon(&mut self, _error: &io::Error) {}
}

/// The counts of one roll-out.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// `hardwareConfiguration` or `deviceManagementScript`.
    pub kind: &'static str,
    /// Which one.
    pub id: Uuid,
    /// Its counts.
    pub summary: Summary,
}

impl<S> Desk<S> {
    /// A desk for this store. It is a constant, so that a large store need never lie on the stack.
    #[expect(clippy::large_stack_arrays, reason = "what is computed at build time has no stack")]
    pub const fn new(store: S) -> Self {
        Self { buffer: [0; BUFFER], store }
    }
}

impl<S: ?Sized> Desk<S> {
    /// The store.
    pub const fn store(&mut self) -> &mut S {
        &mut self.store
    }
}

impl<S: Rollouts + ?Sized> Desk<S> {
    /// Answers a request; the answer is in the desk's buffer.
    pub fn handle(&mut self, request: &Request<'_>, settings: &Settings<'_>) -> Response<'_> {
        self.store.handle(request, settings, &mut self.buffer)
    }
}

impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    Rollouts for Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    fn handle<'b>(
        &mut self,
        request: &Request<'_>,
        settings: &Settings<'_>,
        buffer: &'b mut [u8],
    ) -> Response<'b> {
        Self::handle(self, request, settings, buffer)
    }

    fn totals(&self) -> Vec<Totals> {
        let configurations = self.configurations().map(|(id, it)| Totals {
            kind: "hardwareConfiguration",
            id: *id,
            summary: *it.tally().summary(),
        });
        let scripts = self.scripts().map(|(id, it)| Totals {
            kind: "deviceManagementScript",
            id: *id,
            summary: *it.tally().summary(),
        });
        configurations.chain(scripts).collect()
    }
}
