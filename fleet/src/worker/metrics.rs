//! What a worker tells of itself over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use runtally_service::{Limits, Metrics, Routes, serve};
use tokio::net::TcpListener;

use super::gauges::Gauges;
use crate::Failure;

/// Answers `/metrics` and `/healthz` for as long as the process lives.
pub(crate) async fn serve_gauges(
    address: SocketAddr,
    gauges: Gauges,
    worker: Arc<str>,
) -> Result<(), Failure> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address} for metrics: {error}"))?;
    let address = listener.local_addr()?;
    let text = move || {
        let text = gauges.text(&worker);
        async { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
    };
    let router = Router::new().route("/metrics", get(text)).route("/healthz", get("ok"));
    let served = Routes { router, metrics: Arc::<Metrics>::default() };
    tokio::spawn(async move {
        serve(listener, served, &Limits::default(), std::future::pending()).await;
    });
    println!("metrics on http://{address}/metrics");
    Ok(())
}
