//! The store: configurations and scripts by id, and the answer to a request for one.

use core::fmt;

use heapless::Vec;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::changed::Changed;
use super::list;
use super::problem::{Problem, Thing};
use super::query::Query;
use super::route::{Place, Root, Route};
use super::writer::Writer;
use super::{Configuration, Request, Response, Script, Settings};
use crate::graph::object::Shape;
use crate::graph::{BufferFull, Upn, user_state_id};
use crate::{Event, Outcome, RowId, Tally, UserRow};

/// Hardware configurations and management scripts by their ids, and the requests for them.
///
/// There is room for `CONFIGURATIONS` and `SCRIPTS`, and in each of these for `DEVICES` and
/// `USERS`. Empty, it is all zero bytes, like the tallies in it.
///
/// ```
/// use runtally::graph::Store;
/// use uuid::Uuid;
///
/// let mut store: Store<2, 0, 64, 16> = Store::new();
/// store.declare_configuration(Uuid::from_u128(1))?;
/// assert!(store.configuration(&Uuid::from_u128(1)).is_some());
/// assert!(store.configuration(&Uuid::from_u128(2)).is_none());
/// # Ok::<(), runtally::graph::StoreFull>(())
/// ```
#[derive(Clone, Debug)]
pub struct Store<
    const CONFIGURATIONS: usize,
    const SCRIPTS: usize,
    const DEVICES: usize,
    const USERS: usize,
> {
    // Ids lie apart from what they name, so that taking one in moves nothing large.
    pub(super) configuration_ids: Vec<Uuid, CONFIGURATIONS>,
    pub(super) configurations: [Configuration<DEVICES, USERS>; CONFIGURATIONS],
    pub(super) script_ids: Vec<Uuid, SCRIPTS>,
    pub(super) scripts: [Script<DEVICES, USERS>; SCRIPTS],
    seed: u64,
    pub(super) changed: Changed,
}

/// Every place for a configuration or script is taken.
///
/// ```
/// use runtally::graph::Store;
/// use uuid::Uuid;
///
/// let mut store: Store<1, 0, 8, 8> = Store::new();
/// let error = store.declare_script(Uuid::nil()).unwrap_err();
/// assert_eq!(error.to_string(), "no room for another: all 0 places are taken");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StoreFull {
    /// The number of places.
    pub capacity: usize,
}

impl fmt::Display for StoreFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Problem::from(*self).fmt(f)
    }
}

impl core::error::Error for StoreFull {}

impl From<StoreFull> for Problem {
    fn from(full: StoreFull) -> Self {
        Self::StoreFull { capacity: full.capacity }
    }
}

impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    /// A store without configurations and scripts.
    ///
    /// ```
    /// use runtally::graph::Store;
    /// static STORE: Store<1, 1, 512, 64> = Store::new();
    /// assert_eq!(STORE.configurations().count(), 0);
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            configuration_ids: Vec::new(),
            configurations: [const { Configuration::new() }; CONFIGURATIONS],
            script_ids: Vec::new(),
            scripts: [const { Script::new() }; SCRIPTS],
            seed: 0,
            changed: Changed::NOTHING,
        }
    }

    /// Makes a configuration known; one that is known stays as it is.
    ///
    /// # Errors
    ///
    /// [`StoreFull`] if there is no room for another.
    ///
    /// ```
    /// use runtally::graph::{Store, StoreFull};
    /// use uuid::Uuid;
    ///
    /// let mut store: Store<1, 0, 8, 8> = Store::new();
    /// store.declare_configuration(Uuid::nil())?;
    /// store.declare_configuration(Uuid::nil())?;
    /// assert_eq!(store.declare_configuration(Uuid::max()).unwrap_err(), StoreFull { capacity: 1 });
    /// # Ok::<(), StoreFull>(())
    /// ```
    pub fn declare_configuration(
        &mut self,
        id: Uuid,
    ) -> Result<&mut Configuration<DEVICES, USERS>, StoreFull> {
        let known = self.configuration_ids.len();
        let configuration = declare(id, &mut self.configuration_ids, &mut self.configurations)?;
        if self.configuration_ids.len() > known && self.seed != 0 {
            configuration.reseed(self.seed);
        }
        Ok(configuration)
    }

    /// Makes a script known; one that is known stays as it is.
    ///
    /// # Errors
    ///
    /// [`StoreFull`] if there is no room for another.
    ///
    /// ```
    /// use runtally::graph::Store;
    /// use uuid::Uuid;
    ///
    /// let mut store: Store<0, 1, 8, 8> = Store::new();
    /// store.declare_script(Uuid::nil())?;
    /// assert!(store.script(&Uuid::nil()).is_some());
    /// # Ok::<(), runtally::graph::StoreFull>(())
    /// ```
    pub fn declare_script(&mut self, id: Uuid) -> Result<&mut Script<DEVICES, USERS>, StoreFull> {
        let known = self.script_ids.len();
        let script = declare(id, &mut self.script_ids, &mut self.scripts)?;
        if self.script_ids.len() > known && self.seed != 0 {
            script.reseed(self.seed);
        }
        Ok(script)
    }

    /// Puts the hash of every table under another seed, also of those that a request makes known
    /// later: see [`Tally::reseed`].
    ///
    /// ```
    /// use runtally::graph::Store;
    ///
    /// let mut store: Store<1, 1, 8, 8> = Store::new();
    /// store.reseed(0x5EED); // from the random number generator
    /// ```
    pub fn reseed(&mut self, seed: u64) {
        self.seed = seed;
        let configurations = self.configurations.iter_mut().take(self.configuration_ids.len());
        configurations.for_each(|configuration| configuration.reseed(seed));
        let scripts = self.scripts.iter_mut().take(self.script_ids.len());
        scripts.for_each(|script| script.reseed(seed));
    }

    /// The configuration of this id.
    ///
    /// ```
    /// use runtally::graph::Store;
    /// use uuid::Uuid;
    /// assert!(Store::<1, 1, 8, 8>::new().configuration(&Uuid::nil()).is_none());
    /// ```
    #[must_use]
    pub fn configuration(&self, id: &Uuid) -> Option<&Configuration<DEVICES, USERS>> {
        self.configurations.get(position(id, &self.configuration_ids)?)
    }

    /// The script of this id.
    ///
    /// ```
    /// use runtally::graph::Store;
    /// use uuid::Uuid;
    /// assert!(Store::<1, 1, 8, 8>::new().script(&Uuid::nil()).is_none());
    /// ```
    #[must_use]
    pub fn script(&self, id: &Uuid) -> Option<&Script<DEVICES, USERS>> {
        self.scripts.get(position(id, &self.script_ids)?)
    }

    /// The configurations with their ids, in the order they became known.
    ///
    /// ```
    /// use runtally::graph::Store;
    /// assert_eq!(Store::<1, 1, 8, 8>::new().configurations().count(), 0);
    /// ```
    pub fn configurations(
        &self,
    ) -> impl Iterator<Item = (&Uuid, &Configuration<DEVICES, USERS>)> + Clone {
        self.configuration_ids.iter().zip(&self.configurations)
    }

    /// The scripts with their ids, in the order they became known.
    ///
    /// ```
    /// use runtally::graph::Store;
    /// assert_eq!(Store::<1, 1, 8, 8>::new().scripts().count(), 0);
    /// ```
    pub fn scripts(&self) -> impl Iterator<Item = (&Uuid, &Script<DEVICES, USERS>)> + Clone {
        self.script_ids.iter().zip(&self.scripts)
    }

    /// Answers a request into `buffer`, and changes what a successful write asks for.
    ///
    /// Everything that can go wrong is an answer with the status for it, after which nothing has
    /// changed; [the module](crate::graph::request) lists them. The buffer wants 4 KiB at least, so that every
    /// resource but a device's own words fits; a longer one makes longer pages.
    ///
    /// ```
    /// use runtally::graph::{Request, Settings, Store};
    ///
    /// let mut store: Store<1, 1, 8, 8> = Store::new();
    /// let settings = Settings { read_token: "reader", write_token: "writer", ..Settings::default() };
    /// let request = Request { method: "GET", authorization: Some("Bearer reader"), ..Request::default() };
    /// let mut buffer = [0; 4096];
    /// let response = store.handle(&request, &settings, &mut buffer);
    /// assert_eq!(response.status, 404);
    /// assert_eq!(
    ///     str::from_utf8(response.body)?,
    ///     r#"{"error":{"code":"itemNotFound","message":"the path leads to nothing","innerError":{"status":404}}}"#
    /// );
    /// # Ok::<(), core::str::Utf8Error>(())
    /// ```
    pub fn handle<'b>(
        &mut self,
        request: &Request<'_>,
        settings: &Settings<'_>,
        buffer: &'b mut [u8],
    ) -> Response<'b> {
        let mut writer = Writer::new(buffer);
        let (status, allow) = match self.answer(request, settings, &mut writer) {
            Ok(success) => (success as u16, None),
            Err(problem) => {
                writer.truncate(0);
                // A buffer too short for this leaves the status alone to tell.
                let _ = writer.json(&problem);
                (problem.status(), problem.allow())
            }
        };
        let body = writer.finish();
        let content_type = match body.first() {
            Some(b'{') => Some("application/json"),
            Some(_) => Some("text/plain"),
            None => None,
        };
        Response { status, content_type, allow, body }
    }

    fn answer(
        &mut self,
        request: &Request<'_>,
        settings: &Settings<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<Success, Problem> {
        self.changed.nothing();
        let may_write = authorize(request, settings)?;
        let route = Route::parse(request.path)?;
        let allow = route.allow().ok_or(Problem::NoPath)?;
        if !allow.split([',']).any(|method| method.trim_ascii() == request.method) {
            return Err(Problem::Method { allow });
        }
        if request.method != "GET" && !may_write {
            return Err(Problem::ReadOnlyToken);
        }
        if matches!(request.method, "POST" | "PATCH") && !is_json(request.content_type) {
            return Err(Problem::MediaType);
        }

        let id = route.id;
        match route.root {
            Root::Configurations => {
                let creates = matches!(route.place, Place::Summary) && request.method == "POST";
                let Some(known) = position(&id, &self.configuration_ids) else {
                    if creates {
                        return self.create(id, request, writer);
                    }
                    return Err(Problem::NotFound(Thing::Configuration, id));
                };
                let Some(configuration) = self.configurations.get_mut(known) else {
                    return Err(Problem::NotFound(Thing::Configuration, id));
                };
                self.changed.begin(route.root, known);
                match (route.place, request.method) {
                    (Place::Summary, "POST" | "PATCH") => {
                        configuration.write(&id, request.body, creates, writer)?;
                        self.changed.summary();
                        Ok(if creates { Success::Created } else { Success::Ok })
                    }
                    (Place::User(user), "PATCH") => {
                        let row = configuration.user_of(&id, user)?.0;
                        let changed = &mut self.changed;
                        configuration.update_user(&id, row, request.body, writer, changed)?;
                        Ok(Success::Ok)
                    }
                    _ => configuration.answer(&route, request, settings, writer, &mut self.changed),
                }
            }
            Root::Scripts => {
                let (known, script) = position(&id, &self.script_ids)
                    .and_then(|known| Some((known, self.scripts.get_mut(known)?)))
                    .ok_or(Problem::NotFound(Thing::Script, id))?;
                self.changed.begin(route.root, known);
                if let Place::SummaryRef = route.place {
                    script.write(&id, request.body)?;
                    self.changed.summary();
                    return Ok(Success::NoContent);
                }
                script.answer(&route, request, settings, writer, &mut self.changed)
            }
        }
    }

    /// Takes in a configuration that its summary makes known, or nothing if the summary is wrong.
    fn create(
        &mut self,
        id: Uuid,
        request: &Request<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<Success, Problem> {
        let configuration = self.declare_configuration(id)?;
        let written = configuration.write(&id, request.body, true, writer);
        if written.is_err() {
            // It was the last to become known, and is as empty as it was before.
            self.configuration_ids.pop();
        } else {
            self.changed.begin(Root::Configurations, self.configuration_ids.len().wrapping_sub(1));
            self.changed.summary();
        }
        written.map(|()| Success::Created)
    }
}

impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    Default for Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Copy)]
pub(super) enum Success {
    Ok = 200,
    Created = 201,
    NoContent = 204,
}

fn position(id: &Uuid, ids: &[Uuid]) -> Option<usize> {
    ids.iter().position(|known| known == id)
}

fn declare<'s, T, const N: usize>(
    id: Uuid,
    ids: &mut Vec<Uuid, N>,
    items: &'s mut [T; N],
) -> Result<&'s mut T, StoreFull> {
    let full = StoreFull { capacity: N };
    let index = if let Some(index) = position(&id, ids) {
        index
    } else {
        let index = ids.len();
        ids.push(id).map_err(|_| full)?;
        index
    };
    items.get_mut(index).ok_or(full)
}

/// Whether the token may write. Compared in constant time, so that the time an answer takes does
/// not tell how much of a guess was right.
fn authorize(request: &Request<'_>, settings: &Settings<'_>) -> Result<bool, Problem> {
    let given = request.authorization.ok_or(Problem::NoToken)?;
    let (scheme, token) = given.split_once([' ']).ok_or(Problem::NoToken)?;
    // Source: RFC 9110, section 11.1: the scheme's case does not matter.
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Problem::NoToken);
    }
    let token = token.trim_ascii();
    let is = |known: &str| !known.is_empty() & bool::from(token.as_bytes().ct_eq(known.as_bytes()));
    match (is(settings.write_token), is(settings.read_token)) {
        (true, _) => Ok(true),
        (false, true) => Ok(false),
        (false, false) => Err(Problem::UnknownToken),
    }
}

/// Parameters such as `charset=utf-8` may follow the type.
fn is_json(content_type: Option<&str>) -> bool {
    content_type
        .and_then(|value| value.split([';']).next())
        .is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case("application/json"))
}

/// What configurations and scripts have in common: rows, counts, and how they show on the wire.
pub(super) trait Rollout<const DEVICES: usize, const USERS: usize> {
    const SUMMARY: &'static Shape;
    const DEVICE: &'static Shape;
    const USER: &'static Shape;

    fn tally(&self) -> &Tally<Uuid, Upn, DEVICES, USERS>;
    fn tally_mut(&mut self) -> &mut Tally<Uuid, Upn, DEVICES, USERS>;
    fn write_summary(&self, id: &Uuid, writer: &mut Writer<'_>) -> Result<(), BufferFull>;
    fn write_device(row: &Event<&Uuid, &Upn>, writer: &mut Writer<'_>) -> Result<(), BufferFull>;
    fn write_user(
        &self,
        id: &Uuid,
        row: RowId,
        user: &UserRow<'_, Upn>,
        writer: &mut Writer<'_>,
    ) -> Result<(), BufferFull>;
    /// Applies a body's event, whose echo is written first, so that one too long changes nothing.
    fn post_device(
        &mut self,
        user: Option<&Upn>,
        body: &[u8],
        writer: &mut Writer<'_>,
    ) -> Result<(Outcome, Uuid), Problem>;
    fn post_user(
        &mut self,
        id: &Uuid,
        body: &[u8],
        writer: &mut Writer<'_>,
        changed: &mut Changed,
    ) -> Result<(), Problem>;

    /// The user whose state has this id: every user's is derived until it is found.
    fn user_of(&self, id: &Uuid, user: Uuid) -> Result<(RowId, &Upn), Problem> {
        let mut users = self.tally().user_keys();
        let found = users.find(|(_, upn)| user_state_id(id, upn) == user);
        found.ok_or(Problem::NotFound(Thing::User, user))
    }

    /// Answers what is asked of both alike.
    fn answer(
        &mut self,
        route: &Route,
        request: &Request<'_>,
        settings: &Settings<'_>,
        writer: &mut Writer<'_>,
        changed: &mut Changed,
    ) -> Result<Success, Problem> {
        match request.method {
            "POST" => self.post(route, request, writer, changed),
            "DELETE" => self.delete(route, changed),
            _ => self.get(route, request, settings, writer),
        }
    }

    // Each kind of request out of line: in one frame with the others it would pay for their stack.
    #[inline(never)]
    fn post(
        &mut self,
        route: &Route,
        request: &Request<'_>,
        writer: &mut Writer<'_>,
        changed: &mut Changed,
    ) -> Result<Success, Problem> {
        let user = match route.place {
            Place::Users => {
                self.post_user(&route.id, request.body, writer, changed)?;
                return Ok(Success::Created);
            }
            Place::UserDevices(user) => Some(self.user_of(&route.id, user)?.1.clone()),
            _ => None,
        };
        let (outcome, device) = self.post_device(user.as_ref(), request.body, writer)?;
        if matches!(outcome, Outcome::Applied { .. }) {
            changed.device(device);
        } else if let Some(recorded) = self.tally().device(&device) {
            writer.truncate(0);
            Self::write_device(&recorded, writer)?;
        }
        Ok(Success::Created)
    }

    #[inline(never)]
    fn delete(&mut self, route: &Route, changed: &mut Changed) -> Result<Success, Problem> {
        match route.place {
            Place::User(user) => {
                let upn = self.user_of(&route.id, user)?.1.clone().folded();
                if self.tally_mut().undeclare_user(&upn)? {
                    changed.user(&upn);
                }
            }
            Place::Device(device) => {
                self.tally_mut()
                    .remove(&device)?
                    .ok_or(Problem::NotFound(Thing::Device, device))?;
                changed.device(device);
            }
            _ => return Err(Problem::NoPath),
        }
        Ok(Success::NoContent)
    }

    #[inline(never)]
    fn get(
        &self,
        route: &Route,
        request: &Request<'_>,
        settings: &Settings<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<Success, Problem> {
        let (id, tally) = (&route.id, self.tally());
        let place =
            list::Place { origin: settings.origin, path: request.path, query: request.query };
        let options = |shape, is_list| Query::parse(request.query, shape, is_list);
        match route.place {
            Place::Summary | Place::SummaryRef => {
                let query = options(Self::SUMMARY, false)?;
                writer.text(if settings.bare { "" } else { "{\"value\":" })?;
                let start = writer.len();
                self.write_summary(id, writer)?;
                query.select(Self::SUMMARY, start, writer);
                writer.text(if settings.bare { "" } else { "}" })?;
            }
            Place::Device(device) => {
                let query = options(Self::DEVICE, false)?;
                let row = tally.device(&device).ok_or(Problem::NotFound(Thing::Device, device))?;
                Self::write_device(&row, writer)?;
                query.select(Self::DEVICE, 0, writer);
            }
            Place::User(user) => {
                let query = options(Self::USER, false)?;
                let row = self.user_of(id, user)?.0;
                let found = tally.users_from(row.number()).next();
                let (row, found) = found.ok_or(Problem::NotFound(Thing::User, user))?;
                self.write_user(id, row, &found, writer)?;
                query.select(Self::USER, 0, writer);
            }
            Place::Devices => {
                let query = options(Self::DEVICE, true)?;
                let rows = tally.devices_from(query.from).map(|(row, it)| (row.number(), it));
                let total = tally.devices().count();
                list::write(&place, &query, Self::DEVICE, total, rows, Self::write_device, writer)?;
            }
            Place::UserDevices(user) => {
                let query = options(Self::DEVICE, true)?;
                let upn = self.user_of(id, user)?.1;
                let total = tally.user_devices(upn).count();
                let rows = tally
                    .devices_from(query.from)
                    .filter(|(_, device)| device.user == Some(upn))
                    .map(|(row, device)| (row.number(), device));
                list::write(&place, &query, Self::DEVICE, total, rows, Self::write_device, writer)?;
            }
            Place::Users => {
                let query = options(Self::USER, true)?;
                let rows = tally.users_from(query.from).map(|(row, it)| (row.number(), (row, it)));
                let total = tally.user_keys().count();
                let write = |(row, user): &(RowId, UserRow<'_, Upn>), writer: &mut Writer<'_>| {
                    self.write_user(id, *row, user, writer)
                };
                list::write(&place, &query, Self::USER, total, rows, write, writer)?;
            }
            Place::DeviceCount => count(tally.devices().count(), writer)?,
            Place::UserCount => count(tally.user_keys().count(), writer)?,
            Place::UserDeviceCount(user) => {
                count(tally.user_devices(self.user_of(id, user)?.1).count(), writer)?;
            }
        }
        Ok(Success::Ok)
    }
}

fn count(rows: usize, writer: &mut Writer<'_>) -> Result<(), BufferFull> {
    writer.json(&(rows as u32))
}
