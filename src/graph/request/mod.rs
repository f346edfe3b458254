//! Requests: what a Graph client asks over HTTP, answered by a pure function.
//!
//! No socket and no thread is in here. The HTTP server of your choice takes a request apart, calls
//! [`Store::handle`], and sends what comes back.
//!
//! ```
//! use runtally::graph::{Request, Settings, Store};
//! use uuid::uuid;
//!
//! // One configuration and one script, of 64 devices and 16 users each.
//! let mut store: Store<1, 1, 64, 16> = Store::new();
//! store.declare_configuration(uuid!("11111111-2222-3333-4444-555555555555"))?;
//!
//! let settings = Settings { read_token: "reader", write_token: "writer", ..Settings::default() };
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
//! assert_eq!(store.handle(&event, &settings, &mut buffer).status, 201);
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
//! | `POST {H}/runSummary` | 201 | declares the summary; 409 if it was. Takes the configuration in if there is room |
//! | `PATCH {H}/runSummary` | 200 | declares the totals given, the others stay |
//! | `GET {H}/runSummary`, `GET {S}/runSummary` | 200 | `{"value": summary}`; the summary alone with [`Settings::bare`] |
//! | `POST {S}/runSummary/$ref` | 204 | declares a script's totals |
//! | `POST {H}/deviceRunStates`, `POST {S}/deviceRunStates` | 201 | applies one event; a duplicate or stale one is answered with what is recorded |
//! | `POST {S}/userRunStates/{id}/deviceRunStates` | 201 | applies one event of that user's |
//! | `POST {H}/userRunStates`, `POST {S}/userRunStates` | 201 | declares a user's counts; 409 if the user was declared |
//! | `PATCH {H}/userRunStates/{id}` | 200 | declares the counts given |
//! | `DELETE …/userRunStates/{id}` | 204 | takes the declaration back; the row stays while it has devices |
//! | `DELETE …/deviceRunStates/{id}` | 204 | un-counts the device |
//! | `GET …/deviceRunStates`, `…/userRunStates`, `…/userRunStates/{id}/deviceRunStates` | 200 | the rows behind the counts, in pages |
//! | `GET` of each of these lists with `/{id}` or `/$count` | 200 | one row, or their number as text |
//!
//! Lists take `$top` (the most rows on a page), `$skip`, `$count=true` and `$select`, with or
//! without the dollar sign; what is read alone takes `$select`. `/$count` takes them too, and counts
//! every row whatever they say (OData 4.01 part 2, section 4.8). A page ends where the buffer does, and
//! then has an `@odata.nextLink`. What else an OData client may ask (`$filter`, `$orderby`, `$expand`,
//! `$search`) is refused by name.
//!
//! Errors have Graph's shape, `{"error":{"code":…,"message":…,"innerError":{"status":…}}}`:
//!
//! | status | when |
//! |---|---|
//! | 400 | the body, an id in the path, or a query option is not what it must be |
//! | 401 | no token, or one that is not known |
//! | 403 | the reading token on a write |
//! | 404 | no such path, configuration, script, device or user |
//! | 405 | the path does not know the method; `Allow` lists those it knows |
//! | 409 | it exists already, or the counts held here do not allow it |
//! | 413 | the answer would not fit the buffer; nothing was changed |
//! | 415 | a body that is not `application/json` |
//! | 507 | every row, or every place for a configuration, is taken |
//!
//! After an error, every count is what it was.

use core::fmt;

mod changed;
mod configuration;
#[cfg(feature = "journal")]
mod journaled;
mod list;
mod problem;
mod query;
mod rollout;
mod route;
mod script;
mod store;
mod uri;

pub use configuration::Configuration;
#[cfg(feature = "journal")]
pub use journaled::{RolloutId, StoreChange};
pub use script::Script;
pub use store::{Store, StoreFull};

/// What was asked, taken apart by the HTTP server.
///
/// ```
/// use runtally::graph::Request;
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
    /// The value of the `Authorization` header. `Debug` and `defmt` do not show it.
    pub authorization: Option<&'a str>,
    /// The value of the `Content-Type` header.
    pub content_type: Option<&'a str>,
    /// The body, whole.
    pub body: &'a [u8],
}

/// How requests are answered.
///
/// An empty token is nobody's: with the default settings every request is refused. `Debug` and
/// `defmt` do not show the tokens.
///
/// ```
/// use runtally::graph::Settings;
/// let settings = Settings { read_token: "reader", write_token: "writer", ..Settings::default() };
/// assert!(!settings.bare);
/// ```
#[derive(Clone, Copy, Default)]
pub struct Settings<'a> {
    /// The bearer token that may read: Graph's `DeviceManagementConfiguration.Read.All`.
    pub read_token: &'a str,
    /// The bearer token that may read and write: `DeviceManagementConfiguration.ReadWrite.All`.
    pub write_token: &'a str,
    /// Sends a summary alone and not as `{"value": summary}`, which is what the documentation shows
    /// but not what Graph's generated clients read.
    pub bare: bool,
    /// Scheme and authority for the link to the next page, such as `http://127.0.0.1:8080`: clients
    /// follow that link as it is. Empty makes the link a path.
    pub origin: &'a str,
}

/// Stands for a secret in what is logged.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Redacted;

impl Redacted {
    /// For a token; an empty one is none.
    fn token(token: &str) -> Option<Self> {
        (!token.is_empty()).then_some(Self)
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query)
            .field("authorization", &self.authorization.map(|_| Redacted))
            .field("content_type", &self.content_type)
            .field("body", &self.body)
            .finish()
    }
}

impl fmt::Debug for Settings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("read_token", &Redacted::token(self.read_token))
            .field("write_token", &Redacted::token(self.write_token))
            .field("bare", &self.bare)
            .field("origin", &self.origin)
            .finish()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Request<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Request {{ method: {}, path: {}, query: {}, authorization: {}, content_type: {}, body: {} }}",
            self.method,
            self.path,
            self.query,
            self.authorization.map(|_| Redacted),
            self.content_type,
            self.body
        );
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Settings<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Settings {{ read_token: {}, write_token: {}, bare: {}, origin: {} }}",
            Redacted::token(self.read_token),
            Redacted::token(self.write_token),
            self.bare,
            self.origin
        );
    }
}

/// What to send back.
///
/// ```
/// use runtally::graph::{Request, Settings, Store};
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
    /// use runtally::graph::Response;
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

#[cfg(test)]
mod tests;
