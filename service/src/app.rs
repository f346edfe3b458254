//! Requests: the few paths of this service, and all those of the library.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING,
    CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http_body_util::BodyExt;
use runtally::graph::{self, Store};
use tokio::time::timeout;

use crate::journal::{Durable, NotDurable};
use crate::metrics::{Format, Metrics};
use crate::page::Page;
use crate::server::Seat;
use crate::{Access, Desk, Origin, Rollouts, Tokens, Totals};

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
            metrics: Arc::default(),
        }
    }
}

/// What [`serve`](crate::serve) serves.
#[derive(Clone)]
pub struct Service {
    pub(crate) router: Router,
    pub(crate) metrics: Arc<Metrics>,
}

struct App {
    desk: &'static Mutex<Desk<dyn Rollouts>>,
    options: Options,
    page: Page,
}

const HEALTH: &str = "/healthz";
const READINESS: &str = "/readyz";

impl Service {
    /// The service over a desk.
    #[must_use]
    pub fn new(desk: &'static Mutex<Desk<dyn Rollouts>>, options: Options) -> Self {
        let metrics = Arc::clone(&options.metrics);
        let app = Arc::new(App { desk, options, page: Page::new() });
        let router = Router::new()
            .route("/", get(page))
            .route("/rollouts", get(rollouts))
            .route("/metrics", get(metrics_of))
            .route(HEALTH, get("ok"))
            .route(READINESS, get(readiness))
            .method_not_allowed_fallback(method_not_allowed)
            .fallback(graph);
        Self { router: finish(router, app), metrics }
    }

    /// The paths that tell how the service is, and nothing else: for a listener of their own.
    #[must_use]
    pub fn health(desk: &'static Mutex<Desk<dyn Rollouts>>, options: Options) -> Self {
        let metrics = Arc::clone(&options.metrics);
        let app = Arc::new(App { desk, options, page: Page::new() });
        let router = Router::new()
            .route(HEALTH, get("ok"))
            .route(READINESS, get(readiness))
            .method_not_allowed_fallback(method_not_allowed)
            .fallback(nothing);
        Self { router: finish(router, app), metrics }
    }

    /// Whether this path is answered however busy the service is.
    pub(crate) fn is_always_answered(&self, path: &str) -> bool {
        path == HEALTH || path == READINESS
    }
}

fn finish(router: Router<Arc<App>>, app: Arc<App>) -> Router {
    router.layer(from_fn_with_state(Arc::clone(&app), observe)).with_state(app)
}

/// One line for each request, and one more in the metrics; and what every answer has. The path is
/// as it was sent, encoded, so it cannot forge a line.
async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut response = match admit(&request) {
        Ok(()) => next.run(request).await,
        Err(message) => refuse(StatusCode::BAD_REQUEST, "badRequest", message),
    };
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let status = response.status().as_u16();
    app.options.metrics.answered(status);
    let micros = start.elapsed().as_micros() as u64;
    tracing::info!(%method, path = uri.path(), status, micros, "request");
    response
}

/// What no request may leave open.
fn admit(request: &Request) -> Result<(), &'static str> {
    // Source: RFC 9112, section 3.2. HTTP/1.0 knows no Host.
    let needs_host = request.version() != Version::HTTP_10 || request.headers().contains_key("host");
    if needs_host && Origin::of(request.headers(), request.uri()).is_err() {
        return Err("send one Host header, with the name of a host");
    }
    if request.headers().get_all(AUTHORIZATION).iter().nth(1).is_some() {
        return Err("send one Authorization header");
    }
    Ok(())
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

/// The ids of the configurations and scripts: what the page begins with.
async fn rollouts(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let totals = match app.totals(&headers).await {
        Ok(totals) => totals,
        Err(refusal) => return refusal,
    };
    let rollouts =
        totals.iter().map(|it| serde_json::json!({ "kind": it.kind, "id": it.id.to_string() }));
    let body = serde_json::json!({ "value": rollouts.collect::<Vec<_>>() });
    (json_headers(), body.to_string()).into_response()
}

async fn metrics_of(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let totals = match app.totals(&headers).await {
        Ok(totals) => totals,
        Err(refusal) => return refusal,
    };
    let accept = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::preferred(accept);
    let text = app.options.metrics.text(format, &totals, app.is_ready());
    ([(CONTENT_TYPE, format.media_type())], text).into_response()
}

/// Everything else is the library's.
async fn graph(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    // Before the body is asked for: an `Expect: 100-continue` is answered with the refusal.
    let Some(access) = app.access(&head.headers) else {
        return unauthorized(&head.headers);
    };
    // Some clients compress what they send, and send it again plain after this answer.
    if !is_identity(&head.headers) {
        let message = "send the body without a Content-Encoding";
        let (status, code) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupportedMediaType");
        let identity = (ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        return ([identity], refuse(status, code, message)).into_response();
    }
    match read(body, &app.options).await {
        Ok(body) => {
            works(&head.extensions);
            app.answer(&head, access, &body).await
        }
        Err(refusal) => refusal,
    }
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
async fn read(mut body: Body, options: &Options) -> Result<Vec<u8>, Response> {
    let limit = options.body;
    let whole = async {
        let mut whole = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return Err(refuse(StatusCode::BAD_REQUEST, "badRequest", "the body is not whole"));
            };
            // Trailers say nothing here.
            let Some(data) = frame.data_ref() else { continue };
            let len = whole.len() + data.len();
            if len > limit {
                let message = format!("the body is longer than {limit} bytes");
                return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "requestTooLarge", &message));
            }
            if len > whole.capacity() {
                let room = (2 * whole.capacity()).clamp(len.max(1024.min(limit)), limit);
                whole.reserve_exact(room - whole.len());
            }
            whole.extend_from_slice(data);
        }
        Ok(whole)
    };
    let refusal = match timeout(options.body_time, whole).await {
        Ok(Ok(whole)) => return Ok(whole),
        Ok(Err(refusal)) => refusal,
        Err(_) => {
            let message = format!("the body took longer than {:?}", options.body_time);
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
        self.desk.lock().unwrap_or_else(PoisonError::into_inner).store().is_ready()
    }

    async fn answer(&self, head: &Parts, access: Access, body: &[u8]) -> Response {
        let origin = match &self.options.origin {
            Some(origin) => Some(origin.clone()),
            // Without a host, links are paths.
            None => Origin::of(&head.headers, &head.uri).ok(),
        };
        let token = format!("Bearer {}", self.options.tokens.one(access));
        let request = graph::Request {
            // What a GET is answered is what a HEAD asks for; the connection leaves the body out.
            method: if head.method == Method::HEAD { "GET" } else { head.method.as_str() },
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            authorization: Some(&token),
            content_type: text(&head.headers, &CONTENT_TYPE),
            body,
        };
        self.handle(&request, origin.as_ref().map_or("", Origin::as_str)).await
    }

    /// The library's answer, once all that it shows is durable.
    async fn handle(&self, request: &graph::Request<'_>, origin: &str) -> Response {
        let tokens = &self.options.tokens;
        let settings = graph::Settings {
            read_token: tokens.one(Access::Read),
            write_token: tokens.one(Access::Write),
            bare: self.options.bare,
            origin,
        };
        loop {
            let (response, durable) = {
                let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
                let response = response(&desk.handle(request, &settings));
                (response, desk.store().durable())
            };
            match wait(durable).await {
                Ok(()) => return response,
                // What was seen is not there. What is there can still be read.
                Err(_) if request.method == "GET" => {}
                Err(why) => {
                    let (status, code) = (StatusCode::INSUFFICIENT_STORAGE, "insufficientStorage");
                    return refuse(status, code, &why.to_string());
                }
            }
        }
    }

    /// All totals, for whoever may read.
    async fn totals(&self, headers: &HeaderMap) -> Result<Vec<Totals>, Response> {
        if self.access(headers).is_none() {
            return Err(unauthorized(headers));
        }
        loop {
            let (totals, durable) = {
                let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
                (desk.store().totals(), desk.store().durable())
            };
            if wait(durable).await.is_ok() {
                return Ok(totals);
            }
        }
    }
}

async fn wait(durable: Option<Durable>) -> Result<(), NotDurable> {
    match durable {
        None => Ok(()),
        Some(durable) => {
            durable.await.unwrap_or_else(|_| Err(NotDurable::from("the service ends")))
        }
    }
}

/// An answer of the library, taken out of its buffer.
fn response(answer: &graph::Response<'_>) -> Response {
    let mut response = Response::new(Body::from(Bytes::copy_from_slice(answer.body)));
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
    let request = graph::Request { method: "GET", authorization, ..graph::Request::default() };
    let mut buffer = [0; 512];
    // No token is known to a store of none.
    let mut store: Store<0, 0, 1, 1> = Store::new();
    response(&store.handle(&request, &graph::Settings::default(), &mut buffer))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn json_headers() -> [(HeaderName, HeaderValue); 1] {
    [(CONTENT_TYPE, HeaderValue::from_static("application/json"))]
}

/// An error of this service.
pub(crate) fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
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
