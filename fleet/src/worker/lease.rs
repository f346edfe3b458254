//! Leases: who is at work, and what each has to do.
//!
//! A lease is one key of a bucket whose entries end by themselves. What a worker holds follows from
//! the names of all that have one, by the same rule everywhere, so nothing is negotiated. While two
//! workers do not see the same names a unit may have two workers, or none: that costs work or time,
//! and never a count.
//!
//! This has a thread and a connection of its own: however busy the worker is, it keeps its lease.

use std::collections::BTreeSet;
use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_nats::jetstream::kv;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::connect::{self, Nats};
use crate::layout::{self, Layout, Stage, Unit};
use crate::{Failure, runtime};

/// How long giving a lease back may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// How often a lease is renewed within its time.
const RENEWALS: u32 = 4;

/// What a worker has to do, and until when nobody else thinks that it has.
pub(crate) struct Held {
    pub(crate) units: BTreeSet<Unit>,
    until: Instant,
}

impl Held {
    fn nothing() -> Self {
        Self { units: BTreeSet::new(), until: Instant::now() }
    }

    /// True if what is told of a unit is not yet another worker's to tell.
    pub(crate) fn holds(&self, unit: Unit) -> bool {
        Instant::now() < self.until && self.units.contains(&unit)
    }
}

/// The lease of a worker.
pub(crate) struct Lease {
    pub(crate) held: watch::Receiver<Held>,
    end: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Lease {
    /// Takes a lease under this name and keeps it.
    pub(crate) fn take(nats: Nats, layout: Layout, name: String) -> io::Result<Self> {
        let (holder, held) = watch::channel(Held::nothing());
        let (end, mut ended) = watch::channel(false);
        let keep = move || {
            let kept = runtime().map_err(Failure::from).and_then(|runtime| {
                runtime.block_on(keep(&nats, layout, &name, &holder, &mut ended))
            });
            if let Err(error) = kept {
                tracing::error!(%error, "no lease");
            }
        };
        let thread = thread::Builder::new().name("lease".into()).spawn(keep)?;
        Ok(Self { held, end, thread })
    }

    /// Gives the lease back.
    pub(crate) fn release(self) {
        let _ = self.end.send(true);
        let _ = self.thread.join();
    }
}

async fn keep(
    nats: &Nats,
    layout: Layout,
    name: &str,
    holder: &watch::Sender<Held>,
    ended: &mut watch::Receiver<bool>,
) -> Result<(), Failure> {
    let jetstream = connect::jetstream(&nats.connect("lease").await?);
    let bucket = jetstream.get_key_value(layout::LEASES).await?;
    let time = bucket.status().await?.max_age();
    let mut renewal = interval(time / RENEWALS);
    renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut renewed = Instant::now();
    loop {
        tokio::select! {
            _ = renewal.tick() => {}
            _ = ended.changed() => break,
        }
        let begun = Instant::now();
        match round(&bucket, layout, name, time).await {
            Ok(units) => {
                renewed = begun;
                holder.send_if_modified(|held| {
                    let is_new = held.units != units;
                    *held = Held { units, until: begun + time };
                    is_new
                });
            }
            // What is held is kept: if others took it over meanwhile, both do the same work.
            Err(error) => {
                tracing::warn!(%error, since = ?renewed.elapsed(), "the lease is not renewed");
            }
        }
    }
    // Without a mark that would have to end first.
    let key = format!("$KV.{}.{name}", layout::LEASES);
    // A server that is away is not waited for: the lease ends by itself.
    let _ = tokio::time::timeout(FAREWELL, async { bucket.stream.purge().filter(key).await }).await;
    Ok(())
}

/// Renews the lease, and finds out what is to be done.
async fn round(
    bucket: &kv::Store,
    layout: Layout,
    name: &str,
    time: Duration,
) -> Result<BTreeSet<Unit>, Failure> {
    let round = async {
        bucket.put(name, Bytes::new()).await?;
        Ok(assigned(layout, &holders(bucket).await?, name))
    };
    tokio::time::timeout(time / 2, round).await.map_err(|_| "no answer in time")?
}

/// The names of all workers that have a lease.
pub(crate) async fn holders(bucket: &kv::Store) -> Result<BTreeSet<String>, Failure> {
    let prefix = format!("$KV.{}.", layout::LEASES);
    let mut subjects = bucket.stream.info_with_subjects(format!("{prefix}>")).await?;
    let mut holders = BTreeSet::new();
    while let Some(subject) = subjects.next().await {
        let (subject, _) = subject?;
        holders.extend(subject.strip_prefix(&prefix).map(str::to_owned));
    }
    Ok(holders)
}

/// The units of one of these workers: each goes to the worker whose name ranks highest for it, among
/// those that have room. So a worker that comes or goes moves little else.
fn assigned(layout: Layout, workers: &BTreeSet<String>, name: &str) -> BTreeSet<Unit> {
    let mut units = BTreeSet::new();
    for stage in Stage::BOTH {
        let most = usize::from(layout.partitions).div_ceil(workers.len().max(1));
        let mut loads = vec![0; workers.len()];
        for partition in 0..layout.partitions {
            let unit = Unit { stage, partition };
            let with_room = workers.iter().zip(&mut loads).filter(|(_, load)| **load < most);
            let highest = with_room.max_by_key(|(worker, _)| rank(worker, unit));
            let Some((worker, load)) = highest else { continue };
            *load += 1;
            if worker == name {
                units.insert(unit);
            }
        }
    }
    units
}

/// FNV-1a of both names, its bits mixed: the same on every machine.
fn rank(worker: &str, unit: Unit) -> u64 {
    let text = format!("{worker} {unit}");
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ hash >> 29
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout { format: 1, partitions: 32, virtual_shards: 256 };

    fn workers(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn every_unit_has_one_worker_and_all_have_about_as_many() {
        let all = workers(&["a", "b", "c", "d", "e"]);
        let shares: Vec<_> = all.iter().map(|name| assigned(LAYOUT, &all, name)).collect();
        assert!(shares.iter().all(|share| (8..=14).contains(&share.len())), "{shares:?}");
        let together: BTreeSet<_> = shares.iter().flatten().collect();
        assert_eq!(together.len(), 64);
        assert_eq!(shares.iter().map(BTreeSet::len).sum::<usize>(), 64);
    }

    #[test]
    fn a_worker_that_leaves_moves_little_else() {
        let (all, left) = (workers(&["a", "b", "c"]), workers(&["a", "b"]));
        for name in ["a", "b"] {
            let before = assigned(LAYOUT, &all, name);
            let kept = assigned(LAYOUT, &left, name).intersection(&before).count();
            assert!(kept * 10 >= before.len() * 7, "{name} kept {kept} of {}", before.len());
        }
    }
}
