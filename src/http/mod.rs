//! Requests: what a Graph client asks over HTTP, answered by a pure function.
//!
//! There is no socket and no thread here. Your HTTP server parses a request and calls
//! [`Store::answer`](crate::store::Store::answer). If the reply has a change, make it durable,
//! [commit](crate::store::Store::commit) it, then send the response; commit nothing else in
//! between, because the response shows what the change makes of the store as it is. If nothing has
//! to be durable, [`Store::handle`](crate::store::Store::handle) answers and commits.
//!
//! ```
//! use runtally::http::{Request, Settings};
//! use runtally::store::{RolloutId, Store};
//! use runtally::uuid::uuid;
//!
//! // One configuration and one script, each with room for 64 devices and 16 users.
//! let mut store: Store<1, 1, 64, 16> = Store::new();
//! store.insert(RolloutId::configuration(uuid!("11111111-2222-3333-4444-555555555555")))?;
//!
//! let settings = Settings { read_tokens: &["reader"], write_tokens: &["writer"], ..Settings::default() };
//! let path = "/deviceManagement/hardwareConfigurations/11111111-2222-3333-4444-555555555555";
//! let event = Request {
//!     method: "POST",
//!     path: &format!("{path}/deviceRunStates"),
//!     authorization: Some("Bearer writer"),
//!     content_type: Some("application/json"),
//!     body: br#"{
//!         "id": "74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974",
//!         "upn": "ada@example.com",
//!         "lastStateUpdateDateTime": "2026-11-21T09:30:00+01:00",
//!         "configurationState": "success"
//!     }"#,
//!     ..Request::default()
//! };
//! let mut buffer = [0; 2048];
//! let reply = store.answer(&event, &settings, &mut buffer);
//! assert_eq!(reply.response.status, 201);
//! if let Some(change) = reply.change {
//!     // Here it is written down.
//!     assert!(store.commit(&change)?.is_applied());
//! }
//!
//! let count = Request {
//!     method: "GET",
//!     path: &format!("{path}/userRunStates/$count"),
//!     authorization: Some("Bearer reader"),
//!     ..Request::default()
//! };
//! assert_eq!(store.handle(&count, &settings, &mut buffer).body, b"1");
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Operations
//!
//! `{H}` is `/deviceManagement/hardwareConfigurations/{id}` and `{S}` is
//! `/deviceManagement/deviceManagementScripts/{id}`, each also below `/beta` and `/v1.0`. Ids are
//! GUIDs in any case.
//!
//! | operation | success | what it does |
//! |---|---|---|
//! | `POST {H}/runSummary` | 201 | declares the summary; 409 if it exists. Makes the configuration known if there is room |
//! | `PATCH {H}/runSummary` | 200 | declares the totals given; the others stay |
//! | `GET {H}/runSummary`, `GET {S}/runSummary` | 200 | `{"value": summary}`; the summary alone with [`Settings::bare`] |
//! | `POST {S}/runSummary/$ref` | 204 | declares a script's totals |
//! | `POST {H}/deviceRunStates`, `POST {S}/deviceRunStates` | 201 | applies one event and gives it back as it came; a duplicate or stale one is answered with what is recorded, or 409 if the device was removed. A script's known device keeps its user |
//! | `POST {S}/userRunStates/{id}/deviceRunStates` | 201 | applies one event for that user |
//! | `POST {H}/userRunStates`, `POST {S}/userRunStates` | 201 | declares a user's counts; 409 if the user was declared |
//! | `PATCH {H}/userRunStates/{id}` | 200 | declares the counts given |
//! | `DELETE …/userRunStates/{id}` | 204 | takes the declaration back; the row stays while it has devices |
//! | `DELETE …/deviceRunStates/{id}` | 204 | removes the device, as of now or of its recorded report, whichever is later |
//! | `GET …/deviceRunStates`, `…/userRunStates`, `…/userRunStates/{id}/deviceRunStates` | 200 | the rows behind the counts, in pages |
//! | `GET` of each of these lists with `/{id}` or `/$count` | 200 | one row, or their number as text |
//!
//! A device's `configurationState` or `runState` is the state it counts in: pending if its report is
//! from before [`Tally::run_from`](crate::Tally::run_from), or was on a lower `internalVersion` than
//! the configuration's [version](crate::store::Store::set_version).
//!
//! Lists take `$top` (the most rows on a page), `$skip`, `$count=true` and `$select`, with or
//! without the dollar sign; single resources take `$select`. `/$count` takes them too, and counts
//! every row whatever they say (OData 4.01 part 2, section 4.8). A page ends where the buffer does,
//! and then has an `@odata.nextLink`. Other query options of OData (`$filter`, `$orderby`,
//! `$expand`, `$search`) are refused by name.
//!
//! To find the user whom a path names, the id of every user of the roll-out is derived until it is
//! found. Where there are many users, give [`Settings::user_by_id`].
//!
//! Errors have Graph's shape, `{"error":{"code":…,"message":…,"innerError":{"status":…}}}`:
//!
//! | status | when |
//! |---|---|
//! | 400 | the body, an id in the path, or a query option is malformed |
//! | 401 | no token, or an unknown one |
//! | 403 | a reading token on a write |
//! | 404 | no such path, configuration, script, device or user |
//! | 405 | the path does not allow the method; `Allow` lists those it does |
//! | 409 | it already exists, the device was removed at that time or later, or the counts held here do not allow it |
//! | 413 | the answer would not fit the buffer; nothing was changed |
//! | 415 | a body that is not `application/json` |
//! | 507 | no row for another device or user, or no room for another configuration |
//!
//! After an error, every count is what it was. Even so, the report of a removed device may move the
//! last run, and then its 409 comes with a change.
//!
//! # Clocks
//!
//! With a [`Clock`] in the settings, an event is stamped when it is received: a device that reports
//! 1970 after a reboot, or 9999, gets the time now. What is answered, kept and listed is the stamped
//! event. Without a clock, times are taken as they are, and a removal is as of the recorded report.

mod answer;
mod configuration;
mod cursor;
mod list;
mod problem;
mod query;
mod resources;
mod respond;
mod route;
mod rows;
mod script;
mod settings;
mod uri;
mod write;

use core::fmt;

pub use settings::{Access, Clock, Settings, UserById};

use crate::store::StoreChange;

/// What was asked, taken apart by the HTTP server.
///
/// ```
/// use runtally::http::Request;
/// let request = Request { method: "GET", path: "/deviceManagement", ..Request::default() };
/// assert_eq!(request.query, "");
/// ```
#[derive(Clone, Copy, Default)]
pub struct Request<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path, still percent-encoded, without the query.
    pub path: &'a str,
    /// The query, still percent-encoded, without the question mark; empty if there is none.
    pub query: &'a str,
    /// The value of the `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The value of the `Content-Type` header.
    pub content_type: Option<&'a str>,
    /// The body, whole.
    pub body: &'a [u8],
}

/// What to send back.
///
/// ```
/// use runtally::http::{Request, Settings};
/// use runtally::store::Store;
///
/// let mut store: Store<1, 1, 8, 8> = Store::new();
/// let mut buffer = [0; 512];
/// let response = store.handle(&Request::default(), &Settings::default(), &mut buffer);
/// assert_eq!(response.status, 401);
/// assert!(response.headers().any(|header| header == ("WWW-Authenticate", "Bearer")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Response<'b> {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body, where there is one.
    pub content_type: Option<&'static str>,
    /// With status 405, the methods that the path knows.
    pub allow: Option<&'static str>,
    /// The body.
    pub body: &'b [u8],
}

impl Response<'_> {
    /// The headers that go with it, besides the body's length.
    ///
    /// ```
    /// use runtally::http::Response;
    /// let response = Response { status: 204, content_type: None, allow: None, body: b"" };
    /// assert_eq!(response.headers().count(), 0);
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        [
            self.content_type.map(|value| ("Content-Type", value)),
            self.allow.map(|value| ("Allow", value)),
            (self.status == 401).then_some(("WWW-Authenticate", "Bearer")),
        ]
        .into_iter()
        .flatten()
    }
}

/// An answer, and the change it asks for.
///
/// See the [module](self) for an example.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "the change in it is not made yet"]
pub struct Reply<'b, 'r> {
    /// What to send once the change is committed.
    pub response: Response<'b>,
    /// The change to [commit](crate::store::Store::commit) first; `None` if nothing changes. A 409
    /// may come with one: a report of a removed device still moves the last run.
    pub change: Option<StoreChange<'r>>,
}

/// The token is a secret, so it is not shown.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query)
            .field("authorization", &self.authorization.map(|_| "redacted"))
            .field("content_type", &self.content_type)
            .field("body", &self.body)
            .finish()
    }
}

/// The token is a secret, so it is not shown.
#[cfg(feature = "defmt")]
impl defmt::Format for Request<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Request {{ method: {=str}, path: {=str}, query: {=str}, authorization: {}, content_type: {}, body: {=[u8]} }}",
            self.method,
            self.path,
            self.query,
            self.authorization.map(|_| "redacted"),
            self.content_type,
            self.body,
        );
    }
}
