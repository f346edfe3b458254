//! What Prometheus reads.

use std::collections::HashMap;
use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use runtally::store::RolloutId;
use runtally::{Gate, RunState, Verdict};

use crate::Totals;
use crate::database::kind_name;

/// A format of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus' own text format, version 0.0.4.
    Text,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

/// What there is to tell of the roll-outs.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The counts of every roll-out.
    pub totals: &'a [Totals],
    /// How many devices of each are overdue.
    pub overdue: &'a HashMap<RolloutId, usize>,
    /// When a roll-out is to be stopped.
    pub gate: Option<&'a Gate>,
    /// Whether changes can be made durable.
    pub is_ready: bool,
}

/// A word for what a gate says.
pub(crate) const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::TooFew => "tooFew",
        Verdict::Below => "below",
        Verdict::Reached => "reached",
    }
}

/// What is counted of the service itself.
#[derive(Debug)]
pub struct Metrics {
    /// By status, from 100.
    answers: [AtomicU64; 500],
    connections: AtomicU64,
    closed: [AtomicU64; Closed::ALL.len()],
    log_lines_lost: AtomicU64,
    commits: Histogram,
    committed: AtomicU64,
    failed_commits: AtomicU64,
}

/// Why the service closed a connection that its client wanted to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// It waited longest when another was to have its slot.
    Evicted,
    /// There was no slot for it.
    Refused,
    /// The head of a request took too long, or did not begin.
    Head,
    /// The answer was not read in time.
    Answer,
    /// It was no HTTP.
    Malformed,
}

impl Closed {
    const ALL: [Self; 5] =
        [Self::Evicted, Self::Refused, Self::Head, Self::Answer, Self::Malformed];

    const fn name(self) -> &'static str {
        match self {
            Self::Evicted => "evicted",
            Self::Refused => "refused",
            Self::Head => "head_timeout",
            Self::Answer => "answer_timeout",
            Self::Malformed => "malformed",
        }
    }
}

/// How long something took.
#[derive(Debug, Default)]
struct Histogram {
    /// By the first bound that is not exceeded; the last for all above.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// In seconds.
const BOUNDS: [f64; 9] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0, 10.0];

impl Default for Metrics {
    fn default() -> Self {
        Self {
            answers: [const { AtomicU64::new(0) }; 500],
            connections: AtomicU64::new(0),
            closed: Default::default(),
            log_lines_lost: AtomicU64::new(0),
            commits: Histogram::default(),
            committed: AtomicU64::new(0),
            failed_commits: AtomicU64::new(0),
        }
    }
}

impl Metrics {
    pub(crate) fn answered(&self, status: u16) {
        if let Some(count) = self.answers.get(usize::from(status).wrapping_sub(100)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn opened(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn closed(&self, why: Closed) {
        self.closed[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn log_lines_lost(&self, lines: &[u8]) {
        let count = lines.split(|&byte| byte == b'\n').count() - 1;
        self.log_lines_lost.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn committed(&self, requests: usize, took: Duration) {
        self.commits.record(took);
        self.committed.fetch_add(requests as u64, Ordering::Relaxed);
    }

    pub(crate) fn commit_failed(&self) {
        self.failed_commits.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn lost_lines(&self) -> u64 {
        self.log_lines_lost.load(Ordering::Relaxed)
    }

    /// The answer to a request for metrics: all of it, in the format its sender prefers.
    #[must_use]
    pub fn answer(&self, headers: &HeaderMap, told: &Told<'_>) -> Response {
        let accept = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let format = Format::preferred(accept);
        ([(CONTENT_TYPE, format.media_type())], self.text(format, told)).into_response()
    }

    /// The text in this format, the counts of the roll-outs among it. Samples come in the same
    /// order every time.
    fn text(&self, format: Format, told: &Told<'_>) -> String {
        let Told { totals, overdue, gate, is_ready } = *told;
        let mut text = Text { format, text: String::new() };
        text.family("devices", "gauge", "Devices in each run state");
        for it in totals {
            for state in RunState::ALL {
                text.sample("devices", &state_labels(it, state), it.summary.devices[state]);
            }
        }
        text.family("users", "gauge", "Users in each run state");
        for it in totals {
            for state in RunState::ALL {
                text.sample("users", &state_labels(it, state), it.summary.users[state]);
            }
        }
        text.family("last_run_timestamp_seconds", "gauge", "Date-time of the last run");
        for it in totals {
            if let Some(at) = it.summary.last_run {
                let seconds = at.ticks() as f64 / 1e7;
                text.sample("last_run_timestamp_seconds", &labels(it), seconds);
            }
        }
        text.family("overdue_devices", "gauge", "Devices that are pending for too long");
        for it in totals {
            let count = overdue.get(&it.id).copied().unwrap_or(0);
            text.sample("overdue_devices", &labels(it), count);
        }
        if let Some(gate) = gate {
            text.family(
                "gate",
                "gauge",
                "1 for what the gate says of the roll-out, 0 for the rest",
            );
            for it in totals {
                let said = gate.verdict(&it.summary);
                for one in [Verdict::TooFew, Verdict::Below, Verdict::Reached] {
                    let labels = format!("{},verdict=\"{}\"", labels(it), verdict(one));
                    text.sample("gate", &labels, u8::from(one == said));
                }
            }
        }
        text.family(
            "ready",
            "gauge",
            "1 if writes can be made durable, 0 if the last one could not",
        );
        text.sample("ready", "", u8::from(is_ready));
        text.family("requests", "counter", "Requests answered, by status");
        for (status, count) in (100..).zip(&self.answers) {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                text.sample("requests_total", &format!("status=\"{status}\""), count);
            }
        }
        text.family("connections", "gauge", "Open connections");
        text.sample("connections", "", self.connections.load(Ordering::Relaxed));
        let help = "Connections closed against the will of their client, by reason";
        text.family("connections_closed", "counter", help);
        for (why, count) in Closed::ALL.into_iter().zip(&self.closed) {
            let label = format!("reason=\"{}\"", why.name());
            text.sample("connections_closed_total", &label, count.load(Ordering::Relaxed));
        }
        text.family("log_lines_lost", "counter", "Lines of the log that could not be written");
        text.sample("log_lines_lost_total", "", self.log_lines_lost.load(Ordering::Relaxed));
        let help = "Time that transactions took, from the first request of each to its end";
        text.family("database_commit_seconds", "histogram", help);
        self.commits.write("database_commit_seconds", &mut text);
        text.family("database_changes", "counter", "Requests whose changes were made durable");
        text.sample("database_changes_total", "", self.committed.load(Ordering::Relaxed));
        text.family("database_failures", "counter", "Transactions that failed");
        text.sample("database_failures_total", "", self.failed_commits.load(Ordering::Relaxed));
        text.end()
    }
}

fn labels(of: &Totals) -> String {
    format!("kind=\"{}\",id=\"{}\"", kind_name(of.id.kind), of.id.id)
}

fn state_labels(of: &Totals, state: RunState) -> String {
    format!("{},state=\"{}\"", labels(of), state.name())
}

struct Text {
    format: Format,
    text: String,
}

impl Text {
    /// Source: `OpenMetrics` names a counter without `_total`, Prometheus with it.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let total = if kind == "counter" && self.format == Format::Text { "_total" } else { "" };
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "# HELP runtally_{name}{total} {help}.");
        let _ = writeln!(self.text, "# TYPE runtally_{name}{total} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = match labels {
            "" => writeln!(self.text, "runtally_{name} {value}"),
            labels => writeln!(self.text, "runtally_{name}{{{labels}}} {value}"),
        };
    }

    fn end(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

impl Format {
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that the `Accept` headers prefer; text where they do not care.
    pub(crate) fn preferred<'a>(accept: impl Iterator<Item = &'a str>) -> Self {
        let mut best = [0.0_f32; 2];
        for range in accept.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let place = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/openmetrics-text" => 1,
                "text/plain" | "text/*" | "*/*" => 0,
                _ => continue,
            };
            let mut quality: f32 = 1.0;
            let mut is_known = true;
            for part in parts {
                match part.split_once('=') {
                    Some(("q", value)) => quality = value.parse().unwrap_or(0.0),
                    Some(("version", value)) => {
                        is_known =
                            place == 0 || ["1.0.0", "0.0.1"].contains(&value.trim_matches('"'));
                    }
                    _ => {}
                }
            }
            if is_known {
                best[place] = quality.max(best[place]);
            }
        }
        if best[1] > 0.0 && best[1] >= best[0] { Self::OpenMetrics } else { Self::Text }
    }
}

impl Histogram {
    fn record(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let place = BOUNDS.iter().take_while(|&&bound| seconds > bound).count();
        self.buckets[place].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
    }

    fn write(&self, name: &str, text: &mut Text) {
        let mut count = 0;
        let bounds = BOUNDS.iter().map(|bound| format!("{bound:?}"));
        for (bound, bucket) in bounds.chain(["+Inf".to_owned()]).zip(&self.buckets) {
            count += bucket.load(Ordering::Relaxed);
            text.sample(&format!("{name}_bucket"), &format!("le=\"{bound}\""), count);
        }
        let seconds = self.micros.load(Ordering::Relaxed) as f64 / 1e6;
        text.sample(&format!("{name}_sum"), "", seconds);
        text.sample(&format!("{name}_count"), "", count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_preferred() {
        let preferred = |accept: &str| Format::preferred([accept].into_iter());
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,\
                          application/openmetrics-text;version=0.0.1;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, format) in [
            (prometheus, Format::OpenMetrics),
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/plain;version=0.0.4", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;version=7.0.0", Format::Text),
            (
                "text/plain;q=0.9, Application/OpenMetrics-Text; version=\"1.0.0\"; q=0.1",
                Format::Text,
            ),
            ("text/html", Format::Text),
        ] {
            assert_eq!(preferred(accept), format, "{accept}");
        }
        assert_eq!(Format::preferred([].into_iter()), Format::Text);
    }
}
