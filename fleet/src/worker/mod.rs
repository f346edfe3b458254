//! A worker: takes units as its lease says, and works them.

mod devices;
mod gauges;
mod image;
pub(crate) mod lease;
mod log;
mod metrics;
mod names;
mod page;
pub(crate) mod rows;
mod shards;
mod snapshot;
mod unit;
mod users;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, jetstream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Failure;
use crate::connect::{self, Nats};
use crate::layout::{Layout, Stage, Unit};
use crate::sends::Sends;
use gauges::Gauges;
use lease::{Held, Lease};
pub(crate) use log::Position;
use snapshot::Snapshots;

/// How long what is still to be written may take in the end.
const FLUSH: Duration = Duration::from_secs(2);

/// How a worker works.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// The time from one snapshot of a unit to the next.
    pub(crate) snapshot_every: Duration,
    /// The most devices of a shard.
    pub(crate) shard_rows: usize,
    /// Where metrics are told.
    pub(crate) metrics: Option<SocketAddr>,
}

/// What all units of a worker share.
#[derive(Clone)]
struct Shared {
    client: Client,
    jetstream: jetstream::Context,
    layout: Layout,
    snapshots: Snapshots,
    /// To the log of users.
    sends: Sends,
    gauges: Gauges,
    name: Arc<str>,
    options: Options,
    held: watch::Receiver<Held>,
}

/// A unit at work.
struct Worked {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Works until a signal ends it: then takes snapshots and gives the lease back.
pub(crate) async fn run(nats: &Nats, options: Options) -> Result<(), Failure> {
    crate::crash::arm()?;
    let name: Arc<str> = format!("worker-{:08x}", getrandom::u32()?).into();
    let client = nats.connect(&name).await?;
    let jetstream = connect::jetstream(&client);
    let layout = Layout::load(&jetstream).await?;
    let snapshots = Snapshots::open(&jetstream).await?;
    if let Err(error) = snapshots.tidy().await {
        tracing::warn!(%error, "rows that nobody needs are not removed");
    }
    let gauges = Gauges::default();
    if let Some(address) = options.metrics {
        metrics::serve_gauges(address, gauges.clone(), Arc::clone(&name)).await?;
    }
    let mut lease = Lease::take(nats.clone(), layout, name.to_string())?;
    println!("{name} at work");
    let shared = {
        let held = lease.held.clone();
        let sends = Sends::new(jetstream.clone(), layout, Stage::Users);
        Shared { client, jetstream, layout, snapshots, sends, gauges, name, options, held }
    };

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut worked = BTreeMap::<Unit, Worked>::new();
    let mut leaving = Vec::new();
    loop {
        tokio::select! {
            changed = lease.held.changed() => changed.map_err(|_| "the lease is not kept any more")?,
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        }
        let wanted = lease.held.borrow_and_update().units.clone();
        worked.retain(|unit, work| {
            let stays = wanted.contains(unit);
            if !stays {
                let _ = work.stop.send(true);
            }
            stays || !work.task.is_finished()
        });
        for unit in wanted {
            // One that was given away a moment ago, and comes back, ends first.
            if let Some(former) = worked.remove(&unit) {
                if *former.stop.borrow() {
                    leaving.push(former.task);
                } else {
                    worked.insert(unit, former);
                    continue;
                }
            }
            let (stop, stopped) = watch::channel(false);
            let task = tokio::spawn(unit::work(shared.clone(), unit, stopped));
            worked.insert(unit, Worked { stop, task });
        }
        leaving.retain(|task| !task.is_finished());
    }
    for work in worked.values() {
        let _ = work.stop.send(true);
    }
    for task in worked.into_values().map(|work| work.task).chain(leaving) {
        let _ = task.await;
    }
    lease.release();
    // A server that is away is not waited for.
    let _ = tokio::time::timeout(FLUSH, shared.client.flush()).await;
    Ok(())
}
