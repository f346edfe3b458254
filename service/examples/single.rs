//! The service with a transaction for each request: what group commit is measured against.
//!
//! ```text
//! cargo run --release -p runtally-service --example single -- FILE
//! ```

use std::io::Write;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use runtally::store::RolloutId;
use runtally_service::{Database, IndexedStore, Limits, Options, Rollouts, Service, Tokens, serve};
use tokio::net::TcpListener;
use uuid::Uuid;

static STORE: RwLock<IndexedStore<1, 0, 65_534, 16_384>> = RwLock::new(IndexedStore::new());

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("give a file")?;
    let mut database = Database::open(Path::new(&path))?;
    {
        let mut store = STORE.write().unwrap_or_else(PoisonError::into_inner);
        let rollout = RolloutId::configuration(Uuid::from_u128(1));
        store.insert(rollout)?;
        database.insert(&[rollout])?;
    }
    let tokens = Tokens::new(vec!["reading-token".into()], vec!["writing-token".into()])?;
    let options = Options { tokens, requests_per_transaction: 1, ..Options::default() };
    let service = Service::new(&STORE, Some(database), options)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    serve(listener, service, &Limits::default(), std::future::pending()).await;
    Ok(())
}
