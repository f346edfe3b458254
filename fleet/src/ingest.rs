//! `ingest`: device states from a file or a pipe onto the log, a line each.

use std::fmt;

use async_nats::jetstream;
use runtally::graph::{DeviceState, ScriptDeviceState, Upn, user_state_id};
use runtally::store::{Kind, RolloutId};
use runtally::{DateTime, Event};
use tokio::io::{AsyncBufReadExt, BufReader};
use uuid::Uuid;

use crate::Failure;
use crate::connect::{self, Nats};
use crate::layout::{Layout, Stage};
use crate::sends::Sends;
use crate::wire::{Entry, Fact};

/// What came of it.
#[derive(Debug, Default)]
struct Tally {
    sent: u64,
    refused: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} device states are on the log, {} lines were refused", self.sent, self.refused)
    }
}

/// Reads standard input to its end. Says on standard error which lines were refused, and on standard
/// output how many were not, once all of them are acknowledged.
pub(crate) async fn run(nats: &Nats, rollout: RolloutId) -> Result<bool, Failure> {
    let jetstream = connect::jetstream(&nats.connect("ingest").await?);
    let layout = Layout::load(&jetstream).await?;
    let tally = read(jetstream, layout, rollout).await?;
    println!("{tally}");
    Ok(tally.refused == 0)
}

async fn read(
    jetstream: jetstream::Context,
    layout: Layout,
    rollout: RolloutId,
) -> Result<Tally, Failure> {
    let mut sends = Sends::new(jetstream, layout, Stage::Devices).sender();
    let mut lines = BufReader::with_capacity(1 << 20, tokio::io::stdin());
    let (mut tally, mut line, mut number) = (Tally::default(), Vec::new(), 0_u64);
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).await? == 0 {
            break;
        }
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match event(&line, rollout) {
            Ok((event, name)) => {
                let shard = layout.shard(&event.device);
                let (name, record) = (name.into(), Fact::Report(event));
                sends.push(rollout, shard, &Entry::Record { shard, name, record });
                tally.sent += 1;
            }
            Err(error) => {
                tally.refused += 1;
                eprintln!("line {number}: {error}");
            }
        }
        while sends.is_full() {
            sends.next().await;
        }
    }
    while !sends.is_empty() {
        sends.next().await;
    }
    Ok(tally)
}

/// The event of a device's state, users by the id of their state, and the user's name.
fn event(json: &[u8], rollout: RolloutId) -> Result<(Event<Uuid, Uuid>, String), Failure> {
    let event = match rollout.kind {
        Kind::Configuration => DeviceState::decode(json)?.event(),
        Kind::Script => ScriptDeviceState::decode(json)?.event(None),
    };
    let clock = runtally::http::Clock::new(runtally_service::now());
    let event = event.received(clock.now, clock.earliest, clock.ahead);
    Ok(identified(rollout, event))
}

/// The event with its user by the id of the user's state; and the user's name, in lower case.
pub(crate) fn identified(
    rollout: RolloutId,
    event: Event<Uuid, Upn>,
) -> (Event<Uuid, Uuid>, String) {
    let Event { device, user, state, at } = event;
    let at: DateTime = at;
    let Some(user) = user else { return (Event { device, user: None, state, at }, String::new()) };
    let id = user_state_id(&rollout.id, &user);
    (Event { device, user: Some(id), state, at }, user.folded().as_str().to_owned())
}
