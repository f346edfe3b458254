//! Requests: the few paths of this service, and all those of the library.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_ENCODING, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING,
    CONTENT_TYPE, HeaderName, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http_body_util::BodyExt;
use runtally::http::{self, Access, Clock, Settings};
use runtally::store::{Kind, RolloutId, Store};
use runtally::{DateTime, Gate};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use uuid::Uuid;

use crate::database::{Database, Job, Writer, kind_name};
use crate::metrics::{self, Metrics, Told};
use crate::page::Page;
use crate::pages::Pages;
use crate::server::Seat;
use crate::store::{Plan, Rollouts, Totals, now};
use crate::{Origin, Tokens};

/// How requests are answered.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who may read, and who may write.
    pub tokens: Tokens,
    /// Sends a summary alone, without the envelope `{"value": …}`.
    pub bare: bool,
    /// Where clients reach the service, for links to next pages; absent, where the request says it
    /// was sent.
    pub origin: Option<Origin>,
    /// The longest body of a request, in bytes.
    pub body: usize,
    /// The time that the body of a request may take.
    pub body_time: Duration,
    /// The most requests that share a transaction of the database.
    pub requests_per_transaction: usize,
    /// The earliest time that a device's clock may say; what is earlier is taken as now.
    pub earliest: DateTime,
    /// How far a device's clock may be ahead; what is later is taken as now.
    pub ahead: Duration,
    /// How long a device may be pending until it is overdue.
    pub overdue: Duration,
    /// When a roll-out is to be stopped.
    pub gate: Option<Gate>,
    /// What is counted of the service itself.
    pub metrics: Arc<Metrics>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tokens: Tokens::default(),
            bare: false,
            origin: None,
            // The longest device state there is, with every character of it escaped.
            body: 256 * 1024,
            body_time: Duration::from_secs(30),
            requests_per_transaction: 1024,
            earliest: Clock::new(DateTime::MIN).earliest,
            ahead: Clock::new(DateTime::MIN).ahead,
            overdue: Duration::from_hours(24),
            gate: None,
            metrics: Arc::default(),
        }
    }
}

/// What [`serve`](crate::serve) serves.
#[derive(Clone)]
pub struct Service {
    app: Arc<App>,
    pub(crate) router: Router,
    pub(crate) metrics: Arc<Metrics>,
}

struct App {
    store: &'static RwLock<dyn Rollouts>,
    /// The way of what is written to the disk, if it is kept there.
    writer: Option<Writer>,
    options: Arc<Options>,
    page: Page,
    pages: Pages,
    /// Half of the processors at most: reading cannot stop writing.
    reads: Semaphore,
    overdue: Mutex<Option<(Instant, HashMap<RolloutId, usize>)>>,
}

const HEALTH: &str = "/healthz";
const READINESS: &str = "/readyz";

/// How long the number of overdue devices is kept: finding it out looks at every row.
const OVERDUE_KEPT: Duration = Duration::from_secs(2);

/// The longest answer, and with it the longest page of a list: 128 KiB, some 350 users or 580
/// devices.
const ANSWER: usize = 1 << 17;

thread_local! {
    /// Where answers are written, before as much memory is taken as they need.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; ANSWER]);
}

impl Service {
    /// The service over a store, which a database keeps if there is one.
    ///
    /// # Errors
    ///
    /// If the system grants no thread for the database.
    pub fn new(
        store: &'static RwLock<dyn Rollouts>,
        database: Option<Database>,
        options: Options,
    ) -> io::Result<Self> {
        let (options, pages) = (Arc::new(options), Pages::new());
        let metrics = Arc::clone(&options.metrics);
        let writer = match database {
            Some(database) => {
                let own = Arc::clone(&options);
                let links = pages.clone();
                let answering =
                    move |store: &dyn Rollouts, job: &Job| own.reply(&links, store, job);
                let (answering, metrics) = (Arc::new(answering), Arc::clone(&metrics));
                let most = options.requests_per_transaction;
                Some(Writer::start(database, store, answering, metrics, most)?)
            }
            None => None,
        };
        let overdue = Mutex::default();
        let half = std::thread::available_parallelism().map_or(1, |all| all.get().div_ceil(2));
        let reads = Semaphore::new(half);
        let app = App { store, writer, options, page: Page::new(), pages, reads, overdue };
        let app = Arc::new(app);
        let router = Router::new()
            .route("/", get(page))
            .route("/rollouts", get(rollouts))
            .route("/metrics", get(metrics_of))
            .route(HEALTH, get("ok"))
            .route(READINESS, get(readiness))
            .method_not_allowed_fallback(method_not_allowed)
            .fallback(graph);
        Ok(Self { router: finish(router, &app), app, metrics })
    }

    /// The paths that tell how the service is, and nothing else: for a listener of their own.
    #[must_use]
    pub fn health(&self) -> Self {
        let app = Arc::clone(&self.app);
        let router = Router::new()
            .route(HEALTH, get("ok"))
            .route(READINESS, get(readiness))
            .method_not_allowed_fallback(method_not_allowed)
            .fallback(nothing);
        Self { router: finish(router, &app), app, metrics: Arc::clone(&self.metrics) }
    }

    /// Makes durable what there is, and closes the database; a disk that hangs is given up after
    /// this time.
    pub fn finish(&self, limit: Duration) {
        if let Some(writer) = &self.app.writer {
            writer.finish(limit);
        }
    }

    /// Answers a request as if it had come over the network, with a token that may write.
    pub(crate) async fn ask(&self, mut head: Parts, body: Vec<u8>) -> StatusCode {
        if let Some(authorization) = self.app.options.tokens.authorization() {
            head.headers.insert(AUTHORIZATION, authorization);
        }
        self.app.answer(Job { head, body }).await.status()
    }

    /// Whether this path is answered however busy the service is.
    pub(crate) fn is_always_answered(path: &str) -> bool {
        path == HEALTH || path == READINESS
    }
}

fn finish(router: Router<Arc<App>>, app: &Arc<App>) -> Router {
    observed(router.with_state(Arc::clone(app)), Arc::clone(&app.options.metrics))
}

/// The routes behind what every request and answer is held to: one `Host`, one `Authorization`, a
/// line of the log, one more in the metrics, and headers that keep answers out of caches.
pub fn observed(router: Router, metrics: Arc<Metrics>) -> Router {
    router.layer(from_fn_with_state(metrics, observe))
}

/// One line for each request, and one more in the metrics; and what every answer has. The path is
/// as it was sent, encoded, so it cannot forge a line.
async fn observe(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut response = match inadmissible(&request) {
        None => next.run(request).await,
        Some(refusal) => refusal,
    };
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let status = response.status().as_u16();
    metrics.answered(status);
    let micros = start.elapsed().as_micros() as u64;
    tracing::info!(%method, path = uri.path(), status, micros, "request");
    response
}

/// The answer to a request that may mean more than one thing.
fn inadmissible(request: &Request) -> Option<Response> {
    let bad = |message| refuse(StatusCode::BAD_REQUEST, "badRequest", message);
    // Source: RFC 9112, section 3.2. HTTP/1.0 knows no Host.
    let needs_host =
        request.version() != Version::HTTP_10 || request.headers().contains_key("host");
    if needs_host && Origin::of(request.headers(), request.uri()).is_err() {
        return Some(bad("send one Host header, with the name of a host"));
    }
    if request.headers().get_all(AUTHORIZATION).iter().nth(1).is_some() {
        return Some(bad("send one Authorization header"));
    }
    // Where a proxy reads such a body in another way, what follows it would be another request.
    // Source: RFC 9112, section 6.1.
    let codings = request.headers().get_all(TRANSFER_ENCODING);
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if !codings.iter().all(is_chunked) || codings.iter().nth(1).is_some() {
        let message = "send the body with no Transfer-Encoding but chunked";
        let close = (CONNECTION, HeaderValue::from_static("close"));
        let refusal = refuse(StatusCode::NOT_IMPLEMENTED, "notImplemented", message);
        return Some(([close], refusal).into_response());
    }
    None
}

async fn page(State(app): State<Arc<App>>) -> Response {
    app.page.response()
}

async fn readiness(State(app): State<Arc<App>>) -> Response {
    if app.is_ready() {
        return "ok".into_response();
    }
    let message = "what is written cannot be made durable; reading goes on";
    refuse(StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", message)
}

async fn method_not_allowed() -> Response {
    let (status, code) = (StatusCode::METHOD_NOT_ALLOWED, "methodNotAllowed");
    refuse(status, code, "method not allowed (allowed: GET, HEAD)")
}

async fn nothing() -> Response {
    refuse(StatusCode::NOT_FOUND, "itemNotFound", "no such resource")
}

/// What is rolled out, what the page shows of it beside the counts, and what the token allows.
async fn rollouts(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let Some(access) = app.access(&headers) else { return unauthorized(&headers) };
    let overdue = app.overdue();
    let rollouts = app.totals().into_iter().map(|it| {
        let gate = app.options.gate.map(|gate| metrics::verdict(gate.verdict(&it.summary)));
        serde_json::json!({
            "kind": kind_name(it.id.kind),
            "id": it.id.id.to_string(),
            "version": it.version,
            "overdue": overdue.get(&it.id).copied().unwrap_or(0),
            "gate": gate,
        })
    });
    let body = serde_json::json!({
        "access": if access == Access::Write { "write" } else { "read" },
        "value": rollouts.collect::<Vec<_>>(),
    });
    (json_headers(), body.to_string()).into_response()
}

async fn metrics_of(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if app.access(&headers).is_none() {
        return unauthorized(&headers);
    }
    let told = Told {
        totals: &app.totals(),
        overdue: &app.overdue(),
        gate: app.options.gate.as_ref(),
        is_ready: app.is_ready(),
    };
    app.options.metrics.answer(&headers, &told)
}

/// Everything else is the library's.
async fn graph(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    // Before the body is asked for: an `Expect: 100-continue` is answered with the refusal.
    if app.access(&head.headers).is_none() {
        return unauthorized(&head.headers);
    }
    match take_body(&head, body, app.options.body, app.options.body_time).await {
        Ok(body) => app.answer(Job { head, body }).await,
        Err(refusal) => refusal,
    }
}

/// The body of a request whose sender may send one, or the answer that refuses it: with a coding, in
/// more bytes than `limit`, or over a longer time.
///
/// # Errors
///
/// The refusal: 400, 408, 413 or 415.
pub async fn take_body(
    head: &Parts,
    body: Body,
    limit: usize,
    time: Duration,
) -> Result<Vec<u8>, Response> {
    // Some clients compress what they send, and send it again plain after this answer.
    if !is_identity(&head.headers) {
        let message = "send the body without a Content-Encoding";
        let (status, code) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupportedMediaType");
        let identity = (ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        return Err(([identity], refuse(status, code, message)).into_response());
    }
    let body = read(body, limit, time).await?;
    works(&head.extensions);
    Ok(body)
}

/// The client waits for its answer.
fn works(extensions: &Extensions) {
    if let Some(seat) = extensions.get::<Arc<Seat>>() {
        seat.works();
    }
}

/// Whether the body is as it is. Source: RFC 9110, section 8.4: codings are listed, in any case.
fn is_identity(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().all(|codings| {
        codings.to_str().is_ok_and(|codings| {
            let mut codings = codings.split(',').map(str::trim_ascii);
            codings.all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case("identity"))
        })
    })
}

/// The body, whole. Whatever pieces it comes in, it is kept in one buffer, which is at most as long
/// as a body may be.
async fn read(mut body: Body, limit: usize, time: Duration) -> Result<Vec<u8>, Response> {
    let too_long = || {
        let message = format!("the body is longer than {limit} bytes");
        refuse(StatusCode::PAYLOAD_TOO_LARGE, "requestTooLarge", &message)
    };
    // What says how long it is is not asked for first.
    let says = body.size_hint().lower();
    let whole = async {
        if says > limit as u64 {
            return Err(too_long());
        }
        let mut whole = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return Err(refuse(StatusCode::BAD_REQUEST, "badRequest", "the body is not whole"));
            };
            // Trailers say nothing here.
            let Some(data) = frame.data_ref() else { continue };
            let len = whole.len() + data.len();
            if len > limit {
                return Err(too_long());
            }
            if len > whole.capacity() {
                let room = (2 * whole.capacity()).clamp(len.max(1024.min(limit)), limit);
                whole.reserve_exact(room - whole.len());
            }
            whole.extend_from_slice(data);
        }
        Ok(whole)
    };
    let refusal = match timeout(time, whole).await {
        Ok(Ok(whole)) => return Ok(whole),
        Ok(Err(refusal)) => refusal,
        Err(_) => {
            let message = format!("the body took longer than {time:?}");
            refuse(StatusCode::REQUEST_TIMEOUT, "requestTimeout", &message)
        }
    };
    // What is left of the body would be taken for the next request.
    let close = (CONNECTION, HeaderValue::from_static("close"));
    Err(([close], refusal).into_response())
}

impl App {
    fn access(&self, headers: &HeaderMap) -> Option<Access> {
        self.options.tokens.access(text(headers, &AUTHORIZATION))
    }

    fn is_ready(&self) -> bool {
        self.writer.as_ref().is_none_or(Writer::is_ready)
    }

    fn totals(&self) -> Vec<Totals> {
        self.store.read().unwrap_or_else(PoisonError::into_inner).totals()
    }

    fn overdue(&self) -> HashMap<RolloutId, usize> {
        let mut kept = self.overdue.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((at, overdue)) if at.elapsed() < OVERDUE_KEPT => overdue.clone(),
            _ => {
                let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
                let overdue = store.overdue(self.options.overdue);
                *kept = Some((Instant::now(), overdue.clone()));
                overdue
            }
        }
    }

    /// The answer, once all that it shows is durable.
    async fn answer(&self, job: Job) -> Response {
        let is_read = matches!(job.head.method, Method::GET | Method::HEAD);
        match &self.writer {
            Some(writer) if !is_read => writer.answer(job).await,
            _ if is_read => {
                // It is never closed.
                let _permit = self.reads.acquire().await;
                let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
                self.options.reply(&self.pages, &*store, &job).0
            }
            _ => {
                let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
                let (response, plan) = self.options.reply(&self.pages, &*store, &job);
                match plan.map_or(Ok(()), |plan| store.commit(&plan)) {
                    Ok(()) => response,
                    Err(error) => refuse(StatusCode::CONFLICT, "conflict", &error),
                }
            }
        }
    }
}

impl Options {
    /// How a store answers a request, and what is to be changed first.
    fn reply(&self, pages: &Pages, store: &dyn Rollouts, job: &Job) -> (Response, Option<Plan>) {
        let Job { head, body } = job;
        if let Some(rest) = head.uri.path().strip_prefix("/rollouts/") {
            return self.retire(store, rest, head);
        }
        let origin = match &self.origin {
            Some(origin) => Some(origin.clone()),
            // Without a host, links are paths.
            None => Origin::of(&head.headers, &head.uri).ok(),
        };
        let (read, write) = self.tokens.both();
        let settings = Settings {
            read_tokens: &read,
            write_tokens: &write,
            bare: self.bare,
            origin: origin.as_ref().map_or("", Origin::as_str),
            clock: Some(Clock { now: now(), earliest: self.earliest, ahead: self.ahead }),
            ..Settings::default()
        };
        let Ok(query) = pages.without_epoch(head.uri.query().unwrap_or_default()) else {
            let message = "this link is from before the service was restarted: \
                           read the list from its beginning";
            return (refuse(StatusCode::BAD_REQUEST, "badRequest", message), None);
        };
        let request = http::Request {
            // What a GET is answered is what a HEAD asks for; the connection leaves the body out.
            method: if head.method == Method::HEAD { "GET" } else { head.method.as_str() },
            path: head.uri.path(),
            query: &query,
            authorization: text(&head.headers, &AUTHORIZATION),
            content_type: text(&head.headers, &CONTENT_TYPE),
            body,
        };
        BUFFER.with_borrow_mut(|buffer| {
            let (answer, plan) = store.answer(&request, &settings, buffer);
            (response(&answer, pages.with_epoch(answer.body).into_owned()), plan)
        })
    }

    /// `POST /rollouts/{kind}/{id}/devices/{id}/retire`: Graph has no operation for it.
    fn retire(&self, store: &dyn Rollouts, path: &str, head: &Parts) -> (Response, Option<Plan>) {
        let refused = |status, code, message| (refuse(status, code, message), None);
        let parts: Vec<_> = path.split('/').collect();
        let [kind, id, "devices", device, "retire"] = parts[..] else {
            return refused(StatusCode::NOT_FOUND, "itemNotFound", "no such resource");
        };
        let kind =
            [Kind::Configuration, Kind::Script].into_iter().find(|it| kind_name(*it) == kind);
        let (Some(kind), Ok(id), Ok(device)) = (kind, Uuid::try_parse(id), Uuid::try_parse(device))
        else {
            return refused(StatusCode::NOT_FOUND, "itemNotFound", "no such resource");
        };
        if head.method != Method::POST {
            let (status, code) = (StatusCode::METHOD_NOT_ALLOWED, "methodNotAllowed");
            let (answer, plan) = refused(status, code, "method not allowed (allowed: POST)");
            return (([(ALLOW, "POST")], answer).into_response(), plan);
        }
        if self.tokens.access(text(&head.headers, &AUTHORIZATION)) != Some(Access::Write) {
            let message = "the token may only read; retiring a device needs one that may write";
            return refused(StatusCode::FORBIDDEN, "accessDenied", message);
        }
        match store.retire(RolloutId { kind, id }, device) {
            Some(plan) => (StatusCode::NO_CONTENT.into_response(), Some(plan)),
            None => refused(StatusCode::NOT_FOUND, "itemNotFound", "no such device is counted"),
        }
    }
}

/// An answer of the library, with the body taken out of its buffer.
#[must_use]
pub fn response(answer: &http::Response<'_>, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    // The library knows no status that is none.
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
    for (name, value) in answer.headers() {
        let name = match name {
            "Content-Type" => CONTENT_TYPE,
            "Allow" => ALLOW,
            name => HeaderName::from_bytes(name.as_bytes()).unwrap_or(ALLOW),
        };
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The library's answer to whoever has no token it knows.
fn unauthorized(headers: &HeaderMap) -> Response {
    let authorization = text(headers, &AUTHORIZATION);
    let request = http::Request { method: "GET", authorization, ..http::Request::default() };
    let mut buffer = [0; 512];
    // The store of a service without tokens.
    let store: Store<0, 0, 1, 1> = Store::new();
    let answer = store.answer(&request, &Settings::default(), &mut buffer).response;
    response(&answer, answer.body.to_vec())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn json_headers() -> [(HeaderName, HeaderValue); 1] {
    [(CONTENT_TYPE, HeaderValue::from_static("application/json"))]
}

/// An error in the shape of Graph's, as an answer.
///
/// ```
/// use axum::http::StatusCode;
/// let answer = runtally_service::refuse(StatusCode::NOT_FOUND, "itemNotFound", "no such resource");
/// assert_eq!(answer.status(), 404);
/// ```
#[must_use]
pub fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let headers = [
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    let body = problem(status.as_u16(), code, message);
    (status, headers, json_headers(), body).into_response()
}

/// An error in the shape of Graph's.
pub(crate) fn problem(status: u16, code: &str, message: &str) -> String {
    let error = serde_json::json!({
        "error": { "code": code, "message": message, "innerError": { "status": status } }
    });
    error.to_string()
}
