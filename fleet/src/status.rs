//! `status`: every unit with its worker, position and lag, as a table.

use std::fmt::Write as _;
use std::time::Duration;

use async_nats::{Client, jetstream};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep};

use crate::Failure;
use crate::ask::{Body, Head, Question, ask};
use crate::connect::{self, Nats};
use crate::layout::{Layout, Stage, Unit};

/// How long a worker may take to answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// Units asked at a time.
const AT_A_TIME: usize = 32;

/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// One unit as it is now.
struct Seen {
    unit: Unit,
    /// The last message on the log, looked at before the worker was asked, and again if the worker says
    /// that it is further.
    last: u64,
    answer: Option<(Head, usize, usize)>,
}

impl Seen {
    /// Whether all that was on the log is taken in, and on the log of users if it follows from it.
    fn is_drained(&self) -> bool {
        self.answer.as_ref().is_some_and(|(head, ..)| head.acknowledged >= self.last)
            && !self.is_of_another_log()
    }

    /// Whether the worker has not noticed yet that the log is not the one it read.
    fn is_of_another_log(&self) -> bool {
        self.answer.as_ref().is_some_and(|(head, ..)| head.applied > self.last)
    }
}

/// Prints the table; waits until everything is drained, if it is to. Gives whether it is.
pub(crate) async fn run(nats: &Nats, wait: Option<Duration>) -> Result<bool, Failure> {
    let client = nats.connect("status").await?;
    let jetstream = connect::jetstream(&client);
    let layout = Layout::load(&jetstream).await?;
    let until = wait.map(|wait| Instant::now() + wait);
    loop {
        let is_last = until.is_none_or(|until| Instant::now() >= until);
        match look(&client, &jetstream, layout).await {
            Ok(all) => {
                let is_drained = all.iter().all(Seen::is_drained);
                if is_drained || is_last {
                    print!("{}", table(&all));
                    return Ok(is_drained);
                }
            }
            Err(error) if is_last => return Err(error),
            // Servers that have lost one of them do not answer until they agree on a leader.
            Err(error) => tracing::info!(%error, "asked again"),
        }
        sleep(PAUSE).await;
    }
}

/// Every unit as it is now, those of devices first: what follows from them is on the log of users by
/// the time that this is looked at.
async fn look(
    client: &Client,
    jetstream: &jetstream::Context,
    layout: Layout,
) -> Result<Vec<Seen>, Failure> {
    let mut all = look_at(client, jetstream, layout, Stage::Devices).await?;
    all.extend(look_at(client, jetstream, layout, Stage::Users).await?);
    Ok(all)
}

async fn look_at(
    client: &Client,
    jetstream: &jetstream::Context,
    layout: Layout,
    stage: Stage,
) -> Result<Vec<Seen>, Failure> {
    let units = (0..layout.partitions).map(|partition| Unit { stage, partition });
    stream::iter(units)
        .map(|unit| async move {
            let mut stream = jetstream.get_stream(unit.stream()).await?;
            let mut last = stream.cached_info().state.last_sequence;
            let answer = ask(client, unit, &Question::Summaries, PATIENCE).await.ok();
            let answer = answer.and_then(|(head, body)| match body {
                Body::Summaries { rows, ghosts, .. } => Some((head, rows, ghosts)),
                _ => None,
            });
            let applied = answer.as_ref().map_or(0, |(head, ..)| head.applied);
            if applied > last {
                last = stream.info().await?.state.last_sequence;
            }
            Ok(Seen { unit, last, answer })
        })
        .buffered(AT_A_TIME)
        .try_collect()
        .await
}

fn table(all: &[Seen]) -> String {
    let mut text = format!(
        "{:<12} {:<16} {:>10} {:>8} {:>9} {:>7}  {}\n",
        "partition", "worker", "position", "lag", "rows", "ghosts", "state"
    );
    for seen @ Seen { unit, last, answer } in all {
        let Some((head, rows, ghosts)) = answer else {
            let state = "no worker answers";
            let _ =
                writeln!(text, "{unit:<12} {:<16} {:>10} {last:>8}{:>19}  {state}", "-", "-", "");
            continue;
        };
        let lag = last.saturating_sub(head.acknowledged);
        let state = match (&head.stopped, lag) {
            (Some(reason), _) => reason,
            _ if seen.is_of_another_log() => "the log ends before that",
            (None, 0) => "drained",
            (None, _) => "reads",
        };
        let _ = writeln!(
            text,
            "{unit:<12} {:<16} {:>10} {lag:>8} {rows:>9} {ghosts:>7}  {state}",
            head.worker, head.applied
        );
    }
    text
}
