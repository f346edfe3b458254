//! Reading a unit's log: every message once, in order, from a position on.

use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{self, RawMessageErrorKind};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::Failure;
use crate::layout::Unit;

/// How far a log was read. The time tells a log that went on from one that was lost and begun
/// again under the same numbers, as a server that crashed may do with what it acknowledged last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The number of the message in the stream.
    pub(crate) sequence: u64,
    /// When the server took it, in nanoseconds since 1970.
    pub(crate) nanos: i64,
}

/// What comes out of the log.
#[derive(Debug)]
pub(crate) enum Next {
    Message {
        position: Position,
        payload: Bytes,
        /// How many are left after it.
        pending: u64,
    },
    /// The log is another one than it was, or begins after the position: it is read from its
    /// beginning. `is_short` says whether messages after the position are gone.
    Rewound { to: Position, is_short: bool },
}

/// Messages that wait to be taken, and that the server may send ahead of them.
const WAITING: usize = 4;
const AHEAD: usize = 16;

/// The server says so often that it is there.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// The time to the next try, when the log cannot be read.
const PAUSE: Duration = Duration::from_millis(300);

/// Follows the log of a unit from a position on, until nobody listens.
pub(crate) fn follow(
    jetstream: jetstream::Context,
    unit: Unit,
    from: Position,
) -> mpsc::Receiver<Next> {
    let (to, messages) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let mut reader = Reader { jetstream, unit, position: from, to };
        loop {
            match reader.read().await {
                Ok(()) => return,
                Err(error) => tracing::debug!(%unit, %error, "the log is read anew"),
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = reader.to.closed() => return,
            }
        }
    });
    messages
}

struct Reader {
    jetstream: jetstream::Context,
    unit: Unit,
    position: Position,
    to: mpsc::Sender<Next>,
}

impl Reader {
    /// Reads on until nobody listens.
    ///
    /// The client has a consumer of its own that keeps order, but made anew before its first
    /// message it begins at the first one; here it begins where it must.
    async fn read(&mut self) -> Result<(), Failure> {
        let mut stream = self.jetstream.get_stream(self.unit.stream()).await?;
        self.check(&stream).await?;
        let created = stream.cached_info().created;
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: self.position.sequence + 1,
            },
            ack_policy: AckPolicy::None,
            inactive_threshold: Duration::from_secs(30),
            num_replicas: 1,
            memory_storage: true,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await?;
        // Otherwise it would wait for a number that the new one may not come to for long.
        if stream.info().await?.created != created {
            return Err("the stream was made anew meanwhile".into());
        }
        let messages = consumer.stream().max_messages_per_batch(AHEAD).heartbeat(HEARTBEAT);
        let mut messages = messages.messages().await?;
        loop {
            let message = tokio::select! {
                message = messages.next() => message.ok_or("the consumer ended")??,
                () = self.to.closed() => return Ok(()),
            };
            let info = message.info()?;
            let sequence = info.stream_sequence;
            if sequence <= self.position.sequence {
                continue;
            }
            if sequence != self.position.sequence + 1
                && !self.are_removed(&stream, sequence).await?
            {
                return Err(format!("{sequence} after {}", self.position.sequence).into());
            }
            let nanos = nanos(info.published.unix_timestamp_nanos());
            self.position = Position { sequence, nanos };
            let (pending, payload) = (info.pending, message.message.payload);
            let next = Next::Message { position: self.position, payload, pending };
            if self.to.send(next).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Whether all messages between the position and this one were removed by hand: as somebody may
    /// do who has seen that one is malformed.
    async fn are_removed(&self, stream: &stream::Stream, sequence: u64) -> Result<bool, Failure> {
        if stream.get_info().await?.state.first_sequence > self.position.sequence + 1 {
            return Ok(false);
        }
        for missing in self.position.sequence + 1..sequence {
            if time_of(stream, missing).await?.is_some() {
                return Ok(false);
            }
        }
        tracing::warn!(unit = %self.unit, before = sequence, "messages were removed from the log");
        Ok(true)
    }

    /// Looks whether the message at the position is the one that was read.
    async fn check(&mut self, stream: &stream::Stream) -> Result<(), Failure> {
        let state = &stream.cached_info().state;
        let Position { sequence, nanos: known } = self.position;
        let is_there = (state.first_sequence..=state.last_sequence).contains(&sequence);
        let is_same = if sequence == 0 {
            state.first_sequence <= 1
        } else if is_there && state.messages > 0 {
            time_of(stream, sequence).await?.is_none_or(|time| time == known)
        } else {
            // Trimmed by another worker right up to here; nothing is missing.
            state.first_sequence == sequence + 1
        };
        if is_same {
            return Ok(());
        }
        let is_short = sequence + 1 < state.first_sequence;
        let from = state.first_sequence.saturating_sub(1);
        tracing::warn!(
            unit = %self.unit, sequence, first = state.first_sequence, last = state.last_sequence,
            "the log is not the one that was read; reading it from its beginning"
        );
        self.position = Position { sequence: from, nanos: 0 };
        let _ = self.to.send(Next::Rewound { to: self.position, is_short }).await;
        Ok(())
    }
}

/// When the server took a message; none if it was removed.
pub(crate) async fn time_of<I>(
    stream: &stream::Stream<I>,
    sequence: u64,
) -> Result<Option<i64>, Failure> {
    match stream.get_raw_message(sequence).await {
        Ok(message) => Ok(Some(nanos(message.time.unix_timestamp_nanos()))),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Until the year 2262.
fn nanos(time: i128) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}
