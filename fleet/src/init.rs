//! `init`: everything a fleet needs on the server.

use async_nats::jetstream;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::time::Duration;

use crate::layout::{self, FORMAT, Layout};
use crate::{Failure, connect};

/// What is to be made.
pub(crate) struct Init {
    pub(crate) partitions: u16,
    pub(crate) virtual_shards: u16,
    pub(crate) replicas: usize,
    pub(crate) lease: Duration,
}

/// Streams made at a time.
const AT_A_TIME: usize = 8;

/// Makes streams, buckets and the object store. Run again it changes replicas and the lease, and
/// nothing else.
pub(crate) async fn run(nats: &connect::Nats, init: &Init) -> Result<(), Failure> {
    let jetstream = connect::jetstream(&nats.connect("init").await?);
    let Init { partitions, virtual_shards, replicas, lease } = *init;
    let wanted = Layout { format: FORMAT, partitions, virtual_shards };
    let layout = wanted.settle(&jetstream, replicas).await?;
    if layout != wanted {
        return Err(format!(
            "the fleet on this server has {} partitions and {} virtual shards, which cannot be \
             changed: give --partitions {} --virtual-shards {}, or begin anew on another account",
            layout.partitions, layout.virtual_shards, layout.partitions, layout.virtual_shards
        )
        .into());
    }
    jetstream.create_or_update_key_value(layout::leases(replicas, lease)).await?;
    jetstream.create_or_update_key_value(layout::snapshots(replicas)).await?;
    object_store(&jetstream, replicas).await?;
    stream::iter(layout.units())
        .map(|unit| {
            let jetstream = &jetstream;
            async move { jetstream.create_or_update_stream(layout::stream_of(unit, replicas)).await }
        })
        .buffer_unordered(AT_A_TIME)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    println!("{partitions} partitions of {virtual_shards} virtual shards, {replicas} replicas");
    Ok(())
}

async fn object_store(jetstream: &jetstream::Context, replicas: usize) -> Result<(), Failure> {
    // Made again with other replicas, the client's call fails; its stream can be changed.
    if jetstream.get_object_store(layout::ROWS).await.is_err() {
        jetstream.create_object_store(layout::rows(replicas)).await?;
        return Ok(());
    }
    let name = format!("OBJ_{}", layout::ROWS);
    let mut config = jetstream.get_stream(&name).await?.cached_info().config.clone();
    if config.num_replicas != replicas {
        config.num_replicas = replicas;
        jetstream.update_stream(&config).await?;
    }
    Ok(())
}
