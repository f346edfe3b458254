//! What the service is measured against: the same server with a constant in the place of the
//! library, or axum alone with nothing around it.
//!
//! ```text
//! cargo run --release -p runtally-service --example constant -- desk|axum LENGTH
//! ```
//!
//! Answers every GET with 200 and every POST with 201, and a body of that length.

use std::env::args;
use std::io::Write;
use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use runtally::graph::{Request, Response, Settings};
use runtally_service::{Desk, Limits, Options, Rollouts, Service, Tokens, Totals, serve};
use tokio::net::TcpListener;

/// Answers so many bytes, whatever is asked.
struct Constant(usize);

static DESK: Mutex<Desk<Constant>> = Mutex::new(Desk::new(Constant(0)));

impl Rollouts for Constant {
    fn handle<'b>(
        &mut self,
        request: &Request<'_>,
        _settings: &Settings<'_>,
        buffer: &'b mut [u8],
    ) -> Response<'b> {
        Response {
            status: if request.method == "GET" { 200 } else { 201 },
            content_type: Some("application/json"),
            allow: None,
            body: &buffer[..self.0],
        }
    }

    fn totals(&self) -> Vec<Totals> {
        Vec::new()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (server, length) = (args().nth(1), args().nth(2));
    let length: usize = length.ok_or("give a server, desk or axum, and a length")?.parse()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    if server.as_deref() == Some("axum") {
        let body = Bytes::from(vec![0; length]);
        // The body of the request is read, as it must be before another comes.
        let answer = move |method: Method, _: Bytes| async move {
            let status = if method == Method::GET { StatusCode::OK } else { StatusCode::CREATED };
            (status, [(CONTENT_TYPE, "application/json")], body).into_response()
        };
        axum::serve(listener, Router::new().fallback(answer)).await?;
    } else {
        tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .with_target(false)
            .init();
        DESK.lock().map_err(|_| "nobody else has it")?.store().0 = length;
        let tokens = Tokens::new(vec!["reading-token".into()], vec!["writing-token".into()])?;
        let service = Service::new(&DESK, Options { tokens, ..Options::default() });
        serve(listener, service, &Limits::default(), std::future::pending()).await;
    }
    Ok(())
}
