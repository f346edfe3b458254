//! From a request to its answer.

use core::iter;

use uuid::Uuid;

use super::answer::{Answer, Refused};
use super::configuration::Configuration;
use super::list::Page;
use super::problem::{Problem, Thing};
use super::query::Query;
use super::resources::Resources;
use super::route::{Method, Pick, Route, Target};
use super::rows::{DeviceRows, Rows, UserRows};
use super::script::Script;
use super::settings::token;
use super::uri::{halves, is_word, next_part};
use super::{Access, Reply, Request, Response, Settings, configuration, write};
use crate::graph::{Upn, user_state_id};
use crate::store::{Kind, Rollout, Store};
use crate::{DeviceHandle, UserHandle};

impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    /// Answers a request into `buffer`. Nothing is changed: a write is answered as it will be once
    /// the change that comes with the answer is [committed](Store::commit). Make it durable in
    /// between, and send the answer afterwards.
    ///
    /// Everything that can go wrong is an answer with the status for it; [the module](crate::http)
    /// lists them. `buffer` should be at least 4 KiB, enough for everything but the echo of a
    /// device's free-text fields. Larger buffers give longer pages.
    ///
    /// ```
    /// use runtally::http::{Request, Settings};
    /// use runtally::store::Store;
    ///
    /// let store: Store<1, 1, 8, 8> = Store::new();
    /// let settings = Settings { read_tokens: &["reader"], ..Settings::default() };
    /// let request = Request { method: "GET", authorization: Some("Bearer reader"), ..Request::default() };
    /// let mut buffer = [0; 4096];
    /// let reply = store.answer(&request, &settings, &mut buffer);
    /// assert_eq!(reply.response.status, 404);
    /// assert_eq!(
    ///     str::from_utf8(reply.response.body)?,
    ///     r#"{"error":{"code":"itemNotFound","message":"no such resource","innerError":{"status":404}}}"#
    /// );
    /// assert_eq!(reply.change, None);
    /// # Ok::<(), core::str::Utf8Error>(())
    /// ```
    pub fn answer<'b, 'r>(
        &self,
        request: &Request<'r>,
        settings: &Settings<'_>,
        buffer: &'b mut [u8],
    ) -> Reply<'b, 'r> {
        let mut change = None;
        let mut answer = Answer::new(buffer, &mut change);
        // A refusal is an answer, too.
        let _ = self.try_answer(request, settings, &mut answer);
        Reply { response: answer.response(), change }
    }

    /// Answers a request and commits what it changes: for those who keep nothing durable.
    ///
    /// ```
    /// use runtally::http::{Request, Settings};
    /// use runtally::store::Store;
    ///
    /// let mut store: Store<1, 1, 8, 8> = Store::new();
    /// let mut buffer = [0; 4096];
    /// let response = store.handle(&Request::default(), &Settings::default(), &mut buffer);
    /// assert_eq!(response.status, 401);
    /// ```
    pub fn handle<'b>(
        &mut self,
        request: &Request<'_>,
        settings: &Settings<'_>,
        buffer: &'b mut [u8],
    ) -> Response<'b> {
        let mut change = None;
        let mut answer = Answer::new(buffer, &mut change);
        let _ = self.try_answer(request, settings, &mut answer);
        let response = answer.response();
        match change.as_ref().map(|change| self.commit(change)) {
            None | Some(Ok(_)) => response,
            // What the store checked a moment ago it does not refuse.
            Some(Err(_)) => Response { status: 409, content_type: None, allow: None, body: b"" },
        }
    }

    #[inline(never)]
    fn try_answer<'r>(
        &self,
        request: &Request<'r>,
        settings: &Settings<'_>,
        answer: &mut Answer<'_, '_, 'r>,
    ) -> Result<(), Refused> {
        let (route, method) = admit(request, settings, answer)?;
        // Without room for scripts, nothing of theirs is linked.
        let resources: &dyn Resources<DEVICES, USERS> = match route.rollout.kind {
            Kind::Script if SCRIPTS > 0 => &Script,
            _ => &Configuration,
        };
        match self.get(route.rollout) {
            Some(rollout) => {
                respond(resources, &rollout, &route, method, request, settings, answer)
            }
            // Creating its summary makes a configuration known.
            None if matches!((method, route.target), (Method::Post, Target::Summary)) => {
                if let Err(full) = self.check_room(route.rollout.kind) {
                    return Err(answer.refuse(Problem::StoreFull(&full)));
                }
                configuration::create_summary(route.rollout, request.body, answer)
            }
            None => {
                let thing = Thing::Rollout(route.rollout.kind);
                Err(answer.refuse(Problem::NotFound(thing, &route.rollout.id)))
            }
        }
    }
}

fn respond<'r, const DEVICES: usize, const USERS: usize>(
    resources: &dyn Resources<DEVICES, USERS>,
    rollout: &Rollout<'_, DEVICES, USERS>,
    route: &Route,
    method: Method,
    request: &Request<'r>,
    settings: &Settings<'_>,
    answer: &mut Answer<'_, '_, 'r>,
) -> Result<(), Refused> {
    let body = request.body;
    match (method, route.target) {
        (Method::Get, _) => get(resources, rollout, route, request, settings, answer),
        (Method::Post, Target::Summary | Target::SummaryRef) => {
            write::declare_summary(resources, rollout, body, true, answer)
        }
        (Method::Patch, Target::Summary) => {
            write::declare_summary(resources, rollout, body, false, answer)
        }
        (Method::Post, Target::Users(_)) => {
            write::declare_user(resources, rollout, None, body, answer)
        }
        (Method::Patch, Target::Users(Pick::One(user))) => {
            let row = user_of(rollout, user, settings, answer)?.0;
            write::declare_user(resources, rollout, Some(row), body, answer)
        }
        (Method::Post, Target::UserDevices(user, _)) => {
            let user = user_of(rollout, user, settings, answer)?.1;
            write::report(resources, rollout, Some(user), body, settings, answer)
        }
        (Method::Post, _) => write::report(resources, rollout, None, body, settings, answer),
        (Method::Delete, Target::Users(Pick::One(user))) => {
            let user = user_of(rollout, user, settings, answer)?.1;
            write::undeclare_user(rollout, user, answer)
        }
        (Method::Delete, Target::Devices(Pick::One(device))) => {
            write::remove(rollout, device, settings, answer)
        }
        (Method::Patch | Method::Delete, _) => Err(answer.refuse(Problem::NoPath)),
    }
}

#[inline(never)]
fn get<const DEVICES: usize, const USERS: usize>(
    resources: &dyn Resources<DEVICES, USERS>,
    rollout: &Rollout<'_, DEVICES, USERS>,
    route: &Route,
    request: &Request<'_>,
    settings: &Settings<'_>,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<(), Refused> {
    let shapes = resources.shapes();
    let (shape, pick, user) = match route.target {
        Target::Summary | Target::SummaryRef => {
            let select = Query::parse(request.query, shapes.summary, false);
            let select = select.map_err(|problem| answer.refuse(problem))?.select;
            let (before, after) = if settings.bare { ("", "") } else { ("{\"value\":", "}") };
            answer.body.raw(before);
            resources.write_summary(rollout, select, &mut answer.body);
            answer.body.raw(after);
            return answer.fits();
        }
        Target::Users(pick) => (shapes.user, pick, None),
        Target::Devices(pick) => (shapes.device, pick, None),
        Target::UserDevices(user, pick) => {
            (shapes.device, pick, Some(user_of(rollout, user, settings, answer)?.1))
        }
    };
    let is_list = !matches!(pick, Pick::One(_));
    let query = Query::parse(request.query, shape, is_list);
    let query = query.map_err(|problem| answer.refuse(problem))?;
    let devices = DeviceRows { resources, rollout, user, select: query.select };
    let users = UserRows { resources, rollout, select: query.select };
    let is_users = matches!(route.target, Target::Users(_));
    let rows: &dyn Rows = if is_users { &users } else { &devices };
    match pick {
        Pick::All => {
            let page = Page { rows, query: &query, request, origin: settings.origin };
            page.write(&mut answer.body).map_err(|problem| answer.refuse(problem))?;
        }
        Pick::Count => {
            answer.is_text();
            answer.body.number(rows.count() as u32);
        }
        Pick::One(one) => {
            let row = if is_users {
                user_of(rollout, one, settings, answer)?.0
            } else {
                let row = rollout.tally().find(&one).map(DeviceHandle::number);
                answer.found(row, Problem::NotFound(Thing::Device, &one))?
            };
            rows.write(row, &mut answer.body);
        }
    }
    answer.fits()
}

/// The user whose state has this id, and the number of the user's row: the one that the index knows,
/// or without an index every user's id is derived until it is found.
fn user_of<'s, const DEVICES: usize, const USERS: usize>(
    rollout: &Rollout<'s, DEVICES, USERS>,
    id: Uuid,
    settings: &Settings<'_>,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<(u16, &'s Upn), Refused> {
    let (tally, of) = (rollout.tally(), rollout.id());
    let is_asked = |(_, upn): &(UserHandle, &Upn)| user_state_id(&of.id, upn) == id;
    let found = match settings.user_by_id {
        Some(user_by_id) => user_by_id(of, id)
            .and_then(|handle| Some((handle, tally.user_key(handle)?)))
            .filter(is_asked),
        None => tally.user_keys_from(0).find(is_asked),
    };
    let found = found.map(|(handle, upn)| (handle.number(), upn));
    answer.found(found, Problem::NotFound(Thing::User, &id))
}

/// Where a request leads and what it does there, if its sender may.
#[inline(never)]
fn admit(
    request: &Request<'_>,
    settings: &Settings<'_>,
    answer: &mut Answer<'_, '_, '_>,
) -> Result<(Route, Method), Refused> {
    let Some(access) = settings.access(request.authorization) else {
        let is_token = token(request.authorization).is_some();
        let problem = if is_token { Problem::UnknownToken } else { Problem::NoToken };
        return Err(answer.refuse(problem));
    };
    let route = Route::parse(request.path).map_err(|problem| answer.refuse(problem))?;
    let allow = answer.found(route.allow(), Problem::NoPath)?;
    let mut methods = Some(allow);
    let is_allowed = iter::from_fn(|| next_part(&mut methods, b','))
        .any(|method| method.trim_ascii_start() == request.method);
    let method = Method::parse(request.method).filter(|_| is_allowed);
    let method = answer.found(method, Problem::Method { allow })?;
    answer.require(method == Method::Get || access == Access::Write, Problem::ReadOnlyToken)?;
    let has_body = matches!(method, Method::Post | Method::Patch);
    answer.require(!has_body || is_json(request.content_type), Problem::MediaType)?;
    Ok((route, method))
}

/// Parameters such as `charset=utf-8` may follow the type.
fn is_json(content_type: Option<&str>) -> bool {
    let (kind, _) = halves(content_type.unwrap_or_default(), b';');
    is_word(kind.trim_ascii(), "application/json")
}
