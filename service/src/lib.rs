//! `runtally` behind HTTP: the counts of roll-outs, as Microsoft Graph shows them, on axum and
//! tokio.
//!
//! The way of a request: [`serve`] takes connections and holds them to the [`Limits`]; the
//! [`Service`] answers the few paths of its own and hands every other to the store, where the
//! library answers it. Where the store is kept in a [`Database`], what a request changes is written
//! there, many requests with one transaction, before the store changes and the answer is sent.
//!
//! ```no_run
//! use std::sync::RwLock;
//!
//! use runtally_service::{IndexedStore, Limits, Options, Service, Tokens, serve};
//!
//! /// One configuration of 512 devices and 64 users: empty, it is all zero bytes.
//! static STORE: RwLock<IndexedStore<1, 0, 512, 64>> = RwLock::new(IndexedStore::new());
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let tokens = Tokens::new(vec!["reading-token".to_owned()], vec!["writing-token".to_owned()])?;
//! let service = Service::new(&STORE, None, Options { tokens, ..Options::default() })?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! serve(listener, service, &Limits::default(), std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod app;
mod database;
pub mod demo;
mod log;
mod metrics;
mod origin;
mod page;
mod pages;
mod server;
mod store;
mod tokens;

pub use app::{Options, Service, observed, refuse, response, take_body};
pub use database::{Claims, Database, DatabaseError, MOST_BYTES, RolloutRow, Written};
pub use log::{Line, Log};
pub use metrics::{Metrics, Told};
pub use origin::{NoOrigin, Origin};
pub use page::Page;
pub use server::{Limits, RESERVE, Routes, serve};
pub use store::{IndexedStore, Plan, Rollouts, Totals, now};
pub use tokens::{LONGEST, SHORTEST, TokenError, Tokens};
