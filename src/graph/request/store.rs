//! The store: configurations and scripts by id, and the answer to a request for one.

use core::{fmt, iter};

use heapless::Vec;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::changed::Changed;
use super::problem::Problem;
use super::rollout::{self, Rollout};
use super::route::{Place, Root, Route};
use super::uri::{halves, next_part};
use super::{Configuration, Request, Response, Script, Settings};
use crate::graph::cursor::Cursor;

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
    /// later: see [`Tally::reseed`](crate::Tally::reseed).
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
        let mut writer = Cursor::new(buffer);
        let status = self.answer(request, settings, &mut writer);
        Response::new(status, writer)
    }

    fn answer(
        &mut self,
        request: &Request<'_>,
        settings: &Settings<'_>,
        writer: &mut Cursor<'_>,
    ) -> Result<u16, Problem> {
        self.changed.nothing();
        let route = admit(request, settings)?;
        let known = self.configuration_ids.len();
        let (place, rollout): (_, Option<&mut dyn Rollout<DEVICES, USERS>>) = match route.root {
            Root::Configurations => {
                if matches!(route.place, Place::Summary) && request.method == "POST" {
                    self.declare_configuration(route.id)?;
                }
                let place = position(&route.id, &self.configuration_ids);
                (place, place.and_then(|place| Some(self.configurations.get_mut(place)? as _)))
            }
            Root::Scripts => {
                let place = position(&route.id, &self.script_ids);
                (place, place.and_then(|place| Some(self.scripts.get_mut(place)? as _)))
            }
        };
        let (Some(place), Some(rollout)) = (place, rollout) else {
            return Err(Problem::NotFound(route.root.thing(), route.id));
        };
        self.changed.begin(route.root, place);
        let changed = &mut self.changed;
        let status = rollout::answer(rollout, &route, request, settings, writer, changed);
        if status.is_err() {
            // A configuration that the request made known is as empty as it was before.
            self.configuration_ids.truncate(known);
        }
        status
    }
}

impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    Default for Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    fn default() -> Self {
        Self::new()
    }
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

impl<'b> Response<'b> {
    // Once in flash, however many kinds of store there are; and so below.
    #[inline(never)]
    fn new(status: Result<u16, Problem>, mut writer: Cursor<'b>) -> Self {
        let status = status.and_then(|status| {
            writer.check()?;
            Ok(status)
        });
        let (status, allow) = match status {
            Ok(status) => (status, None),
            Err(problem) => {
                writer.truncate(0);
                problem.write(&mut writer);
                (problem.status(), problem.allow())
            }
        };
        // A buffer too short for the problem leaves the status alone to tell.
        let body = writer.finish().unwrap_or_default();
        let content_type = match body.first() {
            Some(b'{') => Some("application/json"),
            Some(_) => Some("text/plain"),
            None => None,
        };
        Self { status, content_type, allow, body }
    }
}

/// Where a request leads, if its sender may go there.
#[inline(never)]
fn admit(request: &Request<'_>, settings: &Settings<'_>) -> Result<Route, Problem> {
    let may_write = authorize(request, settings)?;
    let route = Route::parse(request.path)?;
    let allow = route.allow().ok_or(Problem::NoPath)?;
    let mut methods = Some(allow);
    let is_known = iter::from_fn(|| next_part(&mut methods, b','))
        .any(|method| method.trim_ascii_start() == request.method);
    if !is_known {
        return Err(Problem::Method { allow });
    }
    if request.method != "GET" && !may_write {
        return Err(Problem::ReadOnlyToken);
    }
    if matches!(request.method, "POST" | "PATCH") && !is_json(request.content_type) {
        return Err(Problem::MediaType);
    }
    Ok(route)
}

/// Whether the token may write. Compared in constant time, so that the time an answer takes does
/// not tell how much of a guess was right.
fn authorize(request: &Request<'_>, settings: &Settings<'_>) -> Result<bool, Problem> {
    let (scheme, token) = halves(request.authorization.unwrap_or_default(), b' ');
    // Source: RFC 9110, section 11.1: the scheme's case does not matter.
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Problem::NoToken);
    }
    let token = token.ok_or(Problem::NoToken)?.trim_ascii();
    let is = |known: &str| !known.is_empty() & bool::from(token.as_bytes().ct_eq(known.as_bytes()));
    match (is(settings.write_token), is(settings.read_token)) {
        (true, _) => Ok(true),
        (false, true) => Ok(false),
        (false, false) => Err(Problem::UnknownToken),
    }
}

/// Parameters such as `charset=utf-8` may follow the type.
fn is_json(content_type: Option<&str>) -> bool {
    let (kind, _) = halves(content_type.unwrap_or_default(), b';');
    kind.trim_ascii().eq_ignore_ascii_case("application/json")
}
