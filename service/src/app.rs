//! Requests: the few paths of this service, and all those of the library.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_ENCODING, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use runtally::graph;
use tokio::time::timeout;

use crate::journal::{Durable, NotDurable};
use crate::metrics::{self, Metrics};
use crate::{Desk, Origin, Rollouts, Totals};

/// How requests are answered.
#[derive(Clone, Debug)]
pub struct Options {
    /// The token that may read; empty, there is none.
    pub read_token: String,
    /// The token that may read and write; empty, there is none.
    pub write_token: String,
    /// Sends a summary alone, without the envelope `{"value": …}`.
    pub bare: bool,
    /// Where clients reach the service, for links to next pages; absent, where the request says it
    /// was sent.
    pub origin: Option<Origin>,
    /// The longest body of a request, in bytes.
    pub body: usize,
    /// The time that the body of a request may take.
    pub body_time: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            read_token: String::new(),
            write_token: String::new(),
            bare: false,
            origin: None,
            // The longest device state there is, with every character of it escaped.
            body: 256 * 1024,
            body_time: Duration::from_secs(30),
        }
    }
}

/// The bytes of a body that is too long that are read all the same.
const LONGEST_DRAINED: usize = 64 << 20;

struct App {
    desk: &'static Mutex<Desk<dyn Rollouts>>,
    options: Options,
    metrics: Metrics,
}

/// The service over a desk.
pub fn router(desk: &'static Mutex<Desk<dyn Rollouts>>, options: Options) -> Router {
    let app = Arc::new(App { desk, options, metrics: Metrics::default() });
    Router::new()
        .route("/", get(page))
        .route("/healthz", get("ok"))
        .route("/rollouts", get(rollouts))
        .route("/metrics", get(metrics))
        .fallback(graph)
        .layer(from_fn_with_state(Arc::clone(&app), log))
        .with_state(app)
}

/// One line for each request, and one more in the metrics. The path is as it was sent, encoded, so
/// it cannot forge a line.
async fn log(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    app.metrics.answered(status);
    let micros = start.elapsed().as_micros() as u64;
    tracing::info!(%method, path = uri.path(), status, micros, "request");
    response
}

async fn page() -> Response {
    const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                          connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
                          frame-ancestors 'none'";
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, include_str!("page.html")).into_response()
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

async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    match app.totals(&headers).await {
        Ok(totals) => {
            ([(CONTENT_TYPE, metrics::MEDIA_TYPE)], app.metrics.text(&totals)).into_response()
        }
        Err(refusal) => refusal,
    }
}

/// Everything else is the library's.
async fn graph(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    // Some clients compress what they send, and send it again plain after this answer.
    if head.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        let message = "send the body without a Content-Encoding";
        let mut response =
            refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupportedMediaType", message);
        response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        return response;
    }
    match read(body, &app.options).await {
        Ok(body) => app.answer(&head, &body).await,
        Err(refusal) => refusal,
    }
}

/// The body, whole.
async fn read(mut body: Body, options: &Options) -> Result<Bytes, Response> {
    let whole = Limited::new(&mut body, options.body).collect();
    let refusal = match timeout(options.body_time, whole).await {
        Ok(Ok(whole)) => return Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let _ = timeout(options.body_time, drain(body)).await;
            let message = format!("the body is longer than {} bytes", options.body);
            refuse(StatusCode::PAYLOAD_TOO_LARGE, "requestTooLarge", &message)
        }
        Ok(Err(_)) => refuse(StatusCode::BAD_REQUEST, "badRequest", "the body is not whole"),
        Err(_) => {
            let message = format!("the body took longer than {:?}", options.body_time);
            refuse(StatusCode::REQUEST_TIMEOUT, "requestTimeout", &message)
        }
    };
    // What is left of the body would be taken for the next request.
    let close = (CONNECTION, HeaderValue::from_static("close"));
    Err(([close], refusal).into_response())
}

/// Reads on and forgets, so that a client that is still sending gets to see the answer.
async fn drain(mut body: Body) {
    let mut left = LONGEST_DRAINED;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}

impl App {
    async fn answer(&self, head: &Parts, body: &[u8]) -> Response {
        let origin = match &self.options.origin {
            Some(origin) => Ok(origin.clone()),
            None => Origin::of(head),
        };
        let Ok(origin) = origin else {
            let message = "send one Host header, with the name of a host";
            return refuse(StatusCode::BAD_REQUEST, "badRequest", message);
        };
        let request = graph::Request {
            // What a GET is answered is what a HEAD asks for; the connection leaves the body out.
            method: if head.method == Method::HEAD { "GET" } else { head.method.as_str() },
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            authorization: text(&head.headers, &AUTHORIZATION),
            content_type: text(&head.headers, &CONTENT_TYPE),
            body,
        };
        self.handle(&request, origin.as_str()).await
    }

    /// The library's answer, once all that it shows is durable.
    async fn handle(&self, request: &graph::Request<'_>, origin: &str) -> Response {
        let Options { read_token, write_token, bare, .. } = &self.options;
        let settings = graph::Settings { read_token, write_token, bare: *bare, origin };
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

    /// All totals, or the library's own answer to whoever may not read. The path it is asked for
    /// leads to nothing, so whoever may is told 404.
    async fn totals(&self, headers: &HeaderMap) -> Result<Vec<Totals>, Response> {
        let request = graph::Request {
            method: "GET",
            path: "/",
            authorization: text(headers, &AUTHORIZATION),
            ..graph::Request::default()
        };
        let response = self.handle(&request, "").await;
        if response.status() != StatusCode::NOT_FOUND {
            return Err(response);
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
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn json_headers() -> [(HeaderName, HeaderValue); 2] {
    [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]
}

/// An error of this service.
fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    (status, json_headers(), problem(status.as_u16(), code, message)).into_response()
}

/// An error in the shape of Graph's.
pub(crate) fn problem(status: u16, code: &str, message: &str) -> String {
    let error = serde_json::json!({
        "error": { "code": code, "message": message, "innerError": { "status": status } }
    });
    error.to_string()
}
