//! Connections: taken up to a limit, held to a time in both directions, let finish at the end.

mod admission;
mod stream;

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;
use axum::{Router, body::Body};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tower_service::Service as _;

use crate::app::{Service, problem, refuse};
use crate::metrics::{Closed, Metrics};
use admission::Admission;
pub(crate) use admission::Seat;
use stream::Stream;

/// What clients may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections that may ask for anything but the health of the service. When there are as
    /// many, the one that has waited for its client longest makes room for a new one.
    pub connections: usize,
    /// The same for one address; for IPv6, for one network of 64 bits.
    pub connections_per_address: usize,
    /// The time the head of a request may take, counted from when the connection is free for one:
    /// so an idle connection is closed after it as well.
    pub head: Duration,
    /// The time a client may take to read an answer.
    pub answer: Duration,
    /// The time that requests under way are given at shutdown.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_address: 512,
            head: Duration::from_secs(30),
            answer: Duration::from_secs(30),
            farewell: Duration::from_secs(5),
        }
    }
}

/// The longest head of a request, in bytes. It is also the unit in which bodies are read.
const HEAD: usize = 16 * 1024;

/// What a connection that the service has ended may still send, and how long: its client gets to
/// see the answer only if what it sent before was read.
const LONGEST_DRAINED: usize = 64 << 20;
const DRAIN: Duration = Duration::from_secs(10);
const DRAIN_PAUSE: Duration = Duration::from_secs(2);

/// Connections beyond [`Limits::connections`]: they may ask for the health of the service, and wait
/// a moment for a slot to ask for more.
pub const RESERVE: usize = 256;

/// How long a connection of the reserve waits for a slot: longer than it takes the youngest to be
/// old enough to make room.
const WAIT: Duration = Duration::from_secs(3);

/// What [`serve`] answers with: a [`Service`], or other paths behind the same limits.
#[derive(Clone, Debug)]
pub struct Routes {
    /// Who answers requests. `/healthz` and `/readyz` are asked however busy it is.
    pub router: Router,
    /// What is counted of connections and refusals.
    pub metrics: Arc<Metrics>,
}

impl From<Service> for Routes {
    fn from(service: Service) -> Self {
        Self { router: service.router, metrics: service.metrics }
    }
}

/// Serves until `shutdown` is ready, then lets the requests under way finish.
pub async fn serve(
    listener: TcpListener,
    routes: impl Into<Routes>,
    limits: &Limits,
    shutdown: impl Future<Output = ()>,
) {
    let service = routes.into();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD)
        // A client that has said all it has to say still wants its answer.
        .half_close(true);
    let admission = Arc::new(Admission::new(*limits, Arc::clone(&service.metrics)));
    let (ends, end) = watch::channel(());
    // Closed when the last connection has dropped its half.
    let (alive, mut all_gone) = mpsc::channel::<()>(1);
    let mut shutdown = pin!(shutdown);

    loop {
        let next = async {
            admission.room().await;
            listener.accept().await
        };
        let accepted = tokio::select! {
            next = next => next,
            () = &mut shutdown => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                // Most likely out of file descriptors, which takes a moment to change.
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let seat = admission.take(peer.ip());
        let connection = Connection { service: service.clone(), seat, limits: *limits };
        let (http, end, alive) = (http.clone(), end.clone(), alive.clone());
        tokio::spawn(async move {
            connection.run(stream, &http, end, peer.ip()).await;
            drop(alive);
        });
    }

    drop((listener, alive));
    let _ = ends.send(());
    if timeout(limits.farewell, all_gone.recv()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

struct Connection {
    service: Routes,
    seat: Arc<Seat>,
    limits: Limits,
}

impl Connection {
    async fn run(
        self,
        stream: TcpStream,
        http: &http1::Builder,
        mut end: watch::Receiver<()>,
        peer: IpAddr,
    ) {
        let Self { service, seat, limits } = self;
        let metrics = Arc::clone(&service.metrics);
        // An answer is one write, so there is nothing to wait for.
        let _ = stream.set_nodelay(true);
        let stream = Stream::new(stream, limits.answer, Arc::clone(&metrics));
        let answers = Answers { service, seat: Arc::clone(&seat) };
        let mut connection = http.serve_connection(TokioIo::new(stream), answers);
        let evicted = async {
            seat.evicted().await;
            metrics.closed(Closed::Evicted);
        };
        let mut evicted = pin!(evicted);
        let mut is_ending = false;
        let result = loop {
            tokio::select! {
                result = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break result,
                () = &mut evicted => return,
                _ = end.changed(), if !is_ending => {
                    Pin::new(&mut connection).graceful_shutdown();
                    is_ending = true;
                }
            }
        };
        let parts = connection.into_parts();
        let mut stream = parts.io.into_inner();
        if let Err(error) = &result {
            tracing::debug!(%error, %peer, "connection");
            if stream.has_failed() {
                return;
            }
            // hyper has no answer to a head that never ends, nor to HTTP/2.
            let has_begun = !parts.read_buf.is_empty();
            let (status, code, message) = if error.is_timeout() {
                metrics.closed(Closed::Head);
                (408, "requestTimeout", "the head of the request took too long")
            } else if error.is_incomplete_message() {
                (400, "badRequest", "the request is not whole")
            } else if parts.read_buf.starts_with(b"PRI * HTTP/2.0\r\n") {
                metrics.closed(Closed::Malformed);
                stream::malformed(400)
            } else {
                (0, "", "")
            };
            if status > 0 && has_begun {
                metrics.answered(status);
                let answer = stream::answer(status, &problem(status, code, message));
                if !stream.send(&answer).await {
                    return;
                }
            }
        }
        tokio::select! {
            () = stream.finish(LONGEST_DRAINED, DRAIN, DRAIN_PAUSE) => {}
            () = evicted => {}
            _ = end.changed(), if !is_ending => {}
        }
    }
}

/// Answers the requests of one connection.
struct Answers {
    service: Routes,
    seat: Arc<Seat>,
}

type Answering = Pin<
    Box<dyn Future<Output = Result<axum::response::Response, std::convert::Infallible>> + Send>,
>;

impl hyper::service::Service<hyper::Request<Incoming>> for Answers {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = Answering;

    fn call(&self, request: hyper::Request<Incoming>) -> Answering {
        let (service, seat) = (self.service.clone(), Arc::clone(&self.seat));
        // From here on the body is waited for.
        seat.waits();
        Box::pin(async move {
            let mut request = request.map(Body::new);
            let path = request.uri().path();
            let response = if Service::is_always_answered(path) || seat.is_admitted(WAIT).await {
                request.extensions_mut().insert(Arc::clone(&seat));
                call(&mut service.router.clone(), request).await
            } else {
                service.metrics.closed(Closed::Refused);
                service.metrics.answered(503);
                let message = "the service has as many connections as it takes; try again";
                let busy = refuse(StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", message);
                let close = (CONNECTION, HeaderValue::from_static("close"));
                let later = (RETRY_AFTER, HeaderValue::from_static("1"));
                ([close, later], busy).into_response()
            };
            // From here on the client is waited for to read it, and to ask again.
            seat.waits();
            Ok(response)
        })
    }
}

async fn call(router: &mut Router, request: Request) -> axum::response::Response {
    match router.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
