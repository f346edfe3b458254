//! What the service is measured against: the same server with a constant in the place of the
//! library, or axum alone with nothing around it.
//!
//! ```text
//! cargo run --release -p runtally-service --example constant -- service|axum LENGTH
//! ```
//!
//! Answers every GET with 200 and every POST with 201, and a body of that length.

use std::collections::HashMap;
use std::env::args;
use std::io::Write;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use runtally::http::{Request, Response, Settings};
use runtally::store::RolloutId;
use runtally_service::{
    Limits, Log, Options, Plan, RolloutRow, Rollouts, Service, Tokens, Totals, Written, serve,
};
use tokio::net::TcpListener;
use uuid::Uuid;

/// Answers so many bytes, whatever is asked.
struct Constant(usize);

static STORE: RwLock<Constant> = RwLock::new(Constant(0));

impl Rollouts for Constant {
    fn answer<'b>(
        &self,
        request: &Request<'_>,
        _settings: &Settings<'_>,
        buffer: &'b mut [u8],
    ) -> (Response<'b>, Option<Plan>) {
        let response = Response {
            status: if request.method == "GET" { 200 } else { 201 },
            content_type: Some("application/json"),
            allow: None,
            body: &buffer[..self.0],
        };
        (response, None)
    }

    fn retire(&self, _: RolloutId, _: Uuid) -> Option<Plan> {
        None
    }

    fn reseed(&mut self, _: u64) {}

    fn insert(&mut self, _: RolloutId) -> Result<bool, String> {
        Ok(false)
    }

    fn set_version(&mut self, _: Uuid, _: i32) -> Vec<(RolloutId, RolloutRow)> {
        Vec::new()
    }

    fn commit(&mut self, _: &Plan) -> Result<(), String> {
        Ok(())
    }

    fn totals(&self) -> Vec<Totals> {
        Vec::new()
    }

    fn overdue(&self, _: Duration) -> HashMap<RolloutId, usize> {
        HashMap::new()
    }

    fn room(&self, _: RolloutId) -> [usize; 2] {
        [0; 2]
    }

    fn capacity(&self) -> usize {
        0
    }

    fn live(&self, _: RolloutId) -> HashMap<&'static str, u32> {
        HashMap::new()
    }

    fn audit(&self, _: RolloutId) -> Result<(), String> {
        Ok(())
    }

    fn restore(&mut self, _: RolloutId, _: &Written) -> Result<(), String> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (server, length) = (args().nth(1), args().nth(2));
    let length: usize = length.ok_or("give a server, service or axum, and a length")?.parse()?;
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
        let log = Log::start(std::io::stderr(), Arc::default())?;
        tracing_subscriber::fmt().with_writer(log).with_ansi(false).with_target(false).init();
        STORE.write().map_err(|_| "nobody else has it")?.0 = length;
        let tokens = Tokens::new(vec!["reading-token".into()], vec!["writing-token".into()])?;
        let service = Service::new(&STORE, None, Options { tokens, ..Options::default() })?;
        serve(listener, service, &Limits::default(), std::future::pending()).await;
    }
    Ok(())
}
