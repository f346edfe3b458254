//! Small stores with no more rows than one answer shows: what the shards gave is put there, and the
//! library answers from it. So all that is read and written on the wire is the library's.

use runtally::graph::{Name, Text, Upn};
use runtally::http::{Request, Settings};
use runtally::store::{Names, NamesUpdate, RolloutId, Store, StoreChange};
use runtally::{Change, Event, Kept};
use uuid::Uuid;

use super::read::Listed;
use crate::Failure;
use crate::ask::{DeviceRow, UserRow};
use crate::declaration;

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
    /// The names of the user whom it declares, as they are then.
    pub(crate) names: declaration::Names,
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

    pub(crate) fn put_summary(&mut self, listed: &Listed) -> Result<(), Failure> {
        self.store.restore_created(self.rollout, listed.carried.is_some());
        self.commit(Change::Declare(listed.reported()))
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

    /// Puts a user there who reports these counts, whatever devices are there.
    pub(crate) fn put_user(&mut self, row: &UserRow) -> Result<(), Failure> {
        let user = Upn::try_from(&*row.name)?;
        let (devices, last_update) = (row.devices, row.last_update);
        self.commit(Change::DeclareUser { user, devices, last_update })?;
        self.put_names(row)
    }

    /// Puts there what was declared of a user whose devices are there.
    pub(crate) fn put_declared(&mut self, row: &UserRow) -> Result<(), Failure> {
        let Some(carried) = row.carried else { return Ok(()) };
        let user = Upn::try_from(&*row.name)?;
        let kept = Kept { carried, last_update: row.last_update, declared: true };
        if let Some(tally) = self.store.tally_mut(self.rollout) {
            tally.restore(&runtally::Entry::User { user, kept })?;
        }
        self.put_names(row)
    }

    fn put_names(&mut self, row: &UserRow) -> Result<(), Failure> {
        let user = Upn::try_from(&*row.name)?;
        let text = |text: &Option<String>| text.as_deref().map(TryInto::try_into).transpose();
        let names = Names { email: text(&row.names.email)?, name: text(&row.names.name)? };
        self.store.restore_names(self.rollout, &user, &names);
        Ok(())
    }

    pub(crate) fn answer(&self, request: &Request<'_>, settings: &Settings<'_>) -> Answered {
        BUFFER.with_borrow_mut(|buffer| {
            let reply = self.store.answer(request, settings, buffer);
            let body = reply.response.body.to_vec();
            let response = runtally_service::response(&reply.response, Vec::new());
            let status = reply.response.status;
            let names = reply.change.as_ref().map(|change| self.names_after(change));
            let change = reply.change.map(|change| change.change);
            Answered { response, status, body, change, names: names.unwrap_or_default() }
        })
    }
}

impl<const N: usize> Mirror<N> {
    fn names_after(&self, change: &StoreChange<'_>) -> declaration::Names {
        let Change::DeclareUser { user, .. } = &change.change else {
            return declaration::Names::default();
        };
        let rollout = self.store.get(self.rollout);
        let known = rollout.as_ref().map_or(&Names::NONE, |rollout| rollout.names(user));
        let before = |name: &Option<Name>| name.as_ref().map(|name| name.as_str().to_owned());
        let text = |text: Text<'_, 127>| text.chars().collect();
        let NamesUpdate { email, name } = change.names;
        declaration::Names {
            email: email.map_or_else(|| before(&known.email), |given| given.map(text)),
            name: name.map_or_else(|| before(&known.name), |given| given.map(text)),
        }
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
