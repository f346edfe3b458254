//! Small stores with no more rows than one answer shows: what the shards gave is put there, and the
//! library answers from it. So all that is read and written on the wire is the library's.

use runtally::graph::Upn;
use runtally::http::{Request, Settings};
use runtally::store::{RolloutId, Store, StoreChange};
use runtally::{Change, Event, Summary};
use uuid::Uuid;

use crate::Failure;
use crate::ask::{DeviceRow, UserRow};

/// The most rows that an answer shows.
pub(crate) const ROWS: usize = 400;

/// A store of one roll-out with room for `N` devices and users.
pub(crate) struct Mirror<const N: usize> {
    store: Box<Store<1, 1, N, N>>,
    rollout: RolloutId,
}

/// What the library answers.
pub(crate) struct Answered {
    pub(crate) response: axum::response::Response,
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) change: Option<Change<Uuid, Upn>>,
}

/// The longest answer: the longest device state with every character of it escaped, or a page.
const ANSWER: usize = 1 << 18;

thread_local! {
    static BUFFER: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; ANSWER]);
}

impl<const N: usize> Mirror<N> {
    /// An empty one; without the roll-out if it is not known.
    pub(crate) fn new(rollout: RolloutId, version: Option<i32>) -> Self {
        let mut store = Box::new(Store::new());
        if let Some(version) = version {
            // There is room for one of each kind.
            let _ = store.insert(rollout);
            store.set_version(rollout, version);
        }
        Self { store, rollout }
    }

    fn commit(&mut self, change: Change<Uuid, Upn>) -> Result<(), Failure> {
        let change = StoreChange::new(self.rollout, change);
        self.store.commit(&change).map(drop).map_err(|error| error.to_string().into())
    }

    pub(crate) fn put_summary(&mut self, summary: Summary) -> Result<(), Failure> {
        self.commit(Change::Declare(summary))
    }

    /// Puts a device there, in the state that counts.
    pub(crate) fn put_device(
        &mut self,
        row: &DeviceRow,
        user: Option<&str>,
    ) -> Result<(), Failure> {
        let user = user.map(Upn::try_from).transpose()?;
        let DeviceRow { device, counted, at, .. } = *row;
        self.commit(Change::Event(Event { device, user, state: counted, at }))
    }

    pub(crate) fn put_user(&mut self, row: &UserRow) -> Result<(), Failure> {
        let user = Upn::try_from(&*row.name)?;
        let (devices, last_update) = (row.devices, row.last_update);
        self.commit(Change::DeclareUser { user, devices, last_update })
    }

    pub(crate) fn answer(&self, request: &Request<'_>, settings: &Settings<'_>) -> Answered {
        BUFFER.with_borrow_mut(|buffer| {
            let reply = self.store.answer(request, settings, buffer);
            let body = reply.response.body.to_vec();
            let response = runtally_service::response(&reply.response, Vec::new());
            let change = reply.change.map(|change| change.change);
            Answered { response, status: reply.response.status, body, change }
        })
    }
}

impl Answered {
    pub(crate) fn into_response(self) -> axum::response::Response {
        let Self { response, body, .. } = self;
        response.map(|_| body.into())
    }

    /// The same with another body, if it is none that refuses.
    pub(crate) fn with_body(self, body: String) -> axum::response::Response {
        if self.status == 200 { self.response.map(|_| body.into()) } else { self.into_response() }
    }
}
