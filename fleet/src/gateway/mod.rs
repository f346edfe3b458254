//! The gateway: the service's wire in front of the log and the shards.

mod lists;
mod mirror;
mod path;
mod publish;
mod query;
mod read;
mod rollouts;
mod write;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use runtally::DateTime;
use runtally::http::{self, Access, Clock, Settings};
use runtally::store::{Kind, RolloutId};
use runtally_service::{
    Limits, Metrics, Origin, Page, Routes, Tokens, Told, Totals, observed, refuse, serve,
};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;

use crate::Failure;
use crate::connect::{self, Nats};
use crate::layout::{Layout, Stage};
use mirror::{Answered, Mirror};
use path::Target;
use publish::Publisher;
use read::Shards;

/// How a gateway answers.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) listen: SocketAddr,
    /// What is counted, and its version.
    pub(crate) rollouts: BTreeMap<RolloutId, i32>,
    /// Sends a summary alone, without the envelope `{"value": …}`.
    pub(crate) bare: bool,
    /// Where clients reach the gateway, for links to next pages.
    pub(crate) origin: Option<Origin>,
    /// The times that a device's clock may say.
    pub(crate) earliest: DateTime,
    pub(crate) ahead: Duration,
    /// How long a device may be pending until it is overdue.
    pub(crate) overdue: Duration,
}

struct Gateway {
    options: Options,
    tokens: Tokens,
    page: Page,
    /// The ways to both stages' logs.
    devices: Publisher,
    users: Publisher,
    jetstream: async_nats::jetstream::Context,
    shards: Shards,
    metrics: Arc<Metrics>,
    overdue: Mutex<Option<(Instant, BTreeMap<RolloutId, usize>)>>,
}

/// The longest body: the longest device state there is, with every character of it escaped.
const BODY: usize = 256 * 1024;

/// The time that the body of a request may take.
const BODY_TIME: Duration = Duration::from_secs(30);

/// How long the log's server may take to answer while the gateway counts as ready.
const READY: Duration = Duration::from_secs(1);

/// The positions that an answer is exact at, or that of an event on the log.
const POSITION: &str = "runtally-position";

/// Partitions that take nothing more, where there are any.
const STOPPED: &str = "runtally-stopped";

/// Serves until a signal ends it.
pub(crate) async fn run(nats: &Nats, options: Options) -> Result<(), Failure> {
    let tokens =
        Tokens::new(vec![token("RUNTALLY_READ_TOKEN")?], vec![token("RUNTALLY_WRITE_TOKEN")?])?;
    let client = nats.connect("gateway").await?;
    let jetstream = connect::jetstream(&client);
    let layout = Layout::load(&jetstream).await?;
    let listen = options.listen;
    let gateway = Arc::new(Gateway {
        options,
        tokens,
        page: Page::new(),
        devices: Publisher::start(&jetstream, layout, Stage::Devices),
        users: Publisher::start(&jetstream, layout, Stage::Users),
        jetstream,
        shards: Shards::new(client, layout),
        metrics: Arc::default(),
        overdue: Mutex::default(),
    });
    let router = Router::new()
        .route("/", get(async |State(gateway): State<Arc<Gateway>>| gateway.page.response()))
        .route("/healthz", get("ok"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_of))
        .fallback(graph)
        .with_state(Arc::clone(&gateway));
    let metrics = Arc::clone(&gateway.metrics);
    let served = Routes { router: observed(router, Arc::clone(&metrics)), metrics };
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    println!("listening on http://{}", listener.local_addr()?);
    let end = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    serve(listener, served, &Limits::default(), end).await;
    Ok(())
}

fn token(variable: &str) -> Result<String, Failure> {
    let missing = |_| format!("{variable} is not set: give a token of 12 characters or more");
    let token = std::env::var(variable).map_err(missing)?;
    Tokens::check(&token).map_err(|error| format!("{variable}: {error}"))?;
    Ok(token)
}

/// A request, read whole.
struct Asked {
    head: Parts,
    body: Vec<u8>,
}

async fn graph(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = if gateway.access(&head.headers).is_some() {
        match runtally_service::take_body(&head, body, BODY, BODY_TIME).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        }
    } else {
        // The library says what is wrong with the token, and no body is read before.
        Vec::new()
    };
    let asked = Asked { head, body };
    let path = asked.head.uri.path();
    let is_rollouts = path == "/rollouts" || path.starts_with("/rollouts/");
    let answered = match path::parse(path) {
        Some((rollout, target)) => gateway.answer(&asked, rollout, target).await,
        None if is_rollouts => gateway.rollouts(&asked).await,
        None => {
            Ok(gateway.dry(&asked, RolloutId::configuration(uuid::Uuid::nil())).into_response())
        }
    };
    answered.unwrap_or_else(|error| unavailable(&error))
}

/// Whether the log can be written to.
async fn ready(State(gateway): State<Arc<Gateway>>) -> Response {
    match tokio::time::timeout(READY, gateway.jetstream.query_account()).await {
        Ok(Ok(_)) => "ok".into_response(),
        Ok(Err(error)) => unavailable(&error.into()),
        Err(_) => unavailable(&"the server of the log does not answer".into()),
    }
}

/// What Prometheus reads, under the service's names.
async fn metrics_of(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response {
    if gateway.access(&headers).is_none() {
        let message = "send a bearer token that may read";
        return refuse(StatusCode::UNAUTHORIZED, "unauthorized", message);
    }
    let told = async {
        let (whole, overdue) = (gateway.shards.whole().await?, gateway.overdue().await?);
        let totals = gateway.options.rollouts.iter().map(|(id, version)| Totals {
            id: *id,
            version: *version,
            summary: whole.of(*id).reported(),
        });
        let (totals, overdue) = (totals.collect::<Vec<_>>(), overdue.into_iter().collect());
        let told = Told { totals: &totals, overdue: &overdue, gate: None, is_ready: true };
        Ok::<_, Failure>(gateway.metrics.answer(&headers, &told))
    };
    told.await.unwrap_or_else(|error| unavailable(&error))
}

/// The log or the workers do not answer.
fn unavailable(error: &Failure) -> Response {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let later = (RETRY_AFTER, HeaderValue::from_static("1"));
    ([later], refuse(status, "serviceNotAvailable", &error.to_string())).into_response()
}

impl Gateway {
    fn access(&self, headers: &HeaderMap) -> Option<Access> {
        self.tokens.access(text(headers, AUTHORIZATION.as_str()))
    }

    /// The version of a roll-out that is counted here.
    fn version(&self, rollout: RolloutId) -> Option<i32> {
        self.options.rollouts.get(&rollout).copied()
    }

    /// The library's answer from a store.
    fn answer_from<const N: usize>(
        &self,
        mirror: &Mirror<N>,
        asked: &Asked,
        query: &str,
    ) -> Answered {
        let Asked { head, body } = asked;
        let (read, write) = self.tokens.both();
        let origin = self.origin(head);
        let Options { bare, earliest, ahead, .. } = self.options;
        let settings = Settings {
            read_tokens: &read,
            write_tokens: &write,
            bare,
            origin: origin.as_ref().map_or("", Origin::as_str),
            clock: Some(Clock { now: runtally_service::now(), earliest, ahead }),
            ..Settings::default()
        };
        let request = http::Request {
            method: if head.method == Method::HEAD { "GET" } else { head.method.as_str() },
            path: head.uri.path(),
            query,
            authorization: text(&head.headers, AUTHORIZATION.as_str()),
            content_type: text(&head.headers, CONTENT_TYPE.as_str()),
            body,
        };
        mirror.answer(&request, &settings)
    }

    fn origin(&self, head: &Parts) -> Option<Origin> {
        let origin = self.options.origin.clone();
        origin.or_else(|| Origin::of(&head.headers, &head.uri).ok())
    }

    /// What the library answers where there are no rows: whatever is wrong with the request itself.
    fn dry(&self, asked: &Asked, rollout: RolloutId) -> Answered {
        let mirror = Mirror::<1>::new(rollout, self.version(rollout));
        let query = query::with_number(asked.head.uri.query().unwrap_or_default());
        self.answer_from(&mirror, asked, &query)
    }

    async fn answer(
        &self,
        asked: &Asked,
        rollout: RolloutId,
        target: Target,
    ) -> Result<Response, Failure> {
        let dry = self.dry(asked, rollout);
        // Without the roll-out, nothing is found.
        if self.version(rollout).is_none() || !matches!(dry.status, 200 | 201 | 204 | 404) {
            return Ok(dry.into_response());
        }
        match (&asked.head.method, target) {
            (&Method::GET | &Method::HEAD, Target::Summary) => self.summary(asked, rollout).await,
            (&Method::GET | &Method::HEAD, _) => self.rows(asked, rollout, target).await,
            (&Method::POST, Target::Devices) if rollout.kind == Kind::Configuration => {
                self.write(rollout, dry).await
            }
            (_, Target::Summary) => self.declare_summary(asked, rollout).await,
            (_, Target::Users | Target::User(_)) => {
                self.declare_user(asked, rollout, target, dry).await
            }
            _ => {
                let mirror = self.written_to(asked, rollout, target).await?;
                let query = asked.head.uri.query().unwrap_or_default();
                self.write(rollout, self.answer_from(&mirror, asked, query)).await
            }
        }
    }

    async fn summary(&self, asked: &Asked, rollout: RolloutId) -> Result<Response, Failure> {
        let whole = self.shards.whole().await?;
        let mut mirror = Mirror::<1>::new(rollout, self.version(rollout));
        mirror.put_summary(&whole.of(rollout))?;
        let query = asked.head.uri.query().unwrap_or_default();
        let mut response = self.answer_from(&mirror, asked, query).into_response();
        set(&mut response, POSITION, &whole.positions());
        let stopped = whole.stopped();
        if !stopped.is_empty() {
            set(&mut response, STOPPED, &stopped);
        }
        Ok(response)
    }
}

/// The answer to a link that is not a gateway's.
fn bad_link() -> Response {
    let message = "$skiptoken must come from a link to a next page";
    refuse(StatusCode::BAD_REQUEST, "badRequest", message)
}

fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
