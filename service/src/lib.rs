//! `runtally` behind HTTP: the counts of roll-outs, as Microsoft Graph shows them, on axum and
//! tokio.
//!
//! The way of a request: [`serve`] takes connections and holds them to the [`Limits`]; the
//! [`Service`] knows the paths of this service and hands every other to the [`Desk`], where the
//! library answers it. With [`Journaled`] as the desk's store, what a request changed is in a
//! [`journal`] by then, and the [`Committer`] makes it durable before the answer is sent.
//!
//! ```no_run
//! use std::sync::Mutex;
//!
//! use runtally::graph::Store;
//! use runtally_service::{Desk, Limits, Options, Service, Tokens, serve};
//!
//! /// One configuration of 512 devices and 64 users: empty, it is all zero bytes.
//! static DESK: Mutex<Desk<Store<1, 0, 512, 64>>> = Mutex::new(Desk::new(Store::new()));
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let tokens = Tokens::new(vec!["reading-token".to_owned()], vec!["writing-token".to_owned()])?;
//! let service = Service::new(&DESK, Options { tokens, ..Options::default() });
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! serve(listener, service, &Limits::default(), std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod app;
mod committer;
pub mod demo;
mod desk;
pub mod journal;
mod journaled;
mod log;
mod metrics;
mod origin;
mod page;
mod server;
mod tokens;

pub use app::{Options, Service};
pub use committer::Committer;
pub use desk::{Desk, Rollouts, Totals};
pub use journaled::Journaled;
pub use log::{Line, Log};
pub use metrics::Metrics;
pub use origin::{NoOrigin, Origin};
pub use server::{Limits, RESERVE, serve};
pub use tokens::{Access, LONGEST, SHORTEST, TokenError, Tokens};
