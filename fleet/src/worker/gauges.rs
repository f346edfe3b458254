//! What a worker tells of itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::layout::Unit;

/// What is known of one unit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauge {
    pub(crate) position: u64,
    pub(crate) lag: u64,
    pub(crate) rows: usize,
    pub(crate) ghosts: usize,
    pub(crate) stopped: Option<String>,
    pub(crate) snapshots: u64,
    pub(crate) refusals: u64,
    entries: u64,
    recovery: Duration,
}

/// What is known of every unit the worker holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauges(Arc<Mutex<BTreeMap<Unit, Gauge>>>);

impl Gauges {
    pub(crate) fn tell(&self, unit: Unit, change: impl FnOnce(&mut Gauge)) {
        let mut gauges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(gauges.entry(unit).or_default());
    }

    pub(crate) fn took(&self, unit: Unit, entries: usize) {
        self.tell(unit, |gauge| gauge.entries += entries as u64);
    }

    pub(crate) fn recovered(&self, unit: Unit, after: Duration) {
        self.tell(unit, |gauge| gauge.recovery = after);
    }

    pub(crate) fn remove(&self, unit: Unit) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&unit);
    }

    /// All of it, as Prometheus reads it.
    pub(crate) fn text(&self, worker: &str) -> String {
        type Value = fn(&Gauge) -> f64;
        const METRICS: [(&str, &str, &str, Value); 9] = [
            ("position", "gauge", "The last message taken from the log.", |it| it.position as f64),
            ("lag", "gauge", "Messages of the log that are not taken yet.", |it| it.lag as f64),
            ("rows", "gauge", "Rows of devices.", |it| it.rows as f64),
            ("ghosts", "gauge", "Rows of devices that are of another shard's user by now.", |it| {
                it.ghosts as f64
            }),
            ("stopped", "gauge", "1 if the partition has stopped; the log says why.", |it| {
                f64::from(u8::from(it.stopped.is_some()))
            }),
            ("recovery_seconds", "gauge", "From the beginning to the end of the log.", |it| {
                it.recovery.as_secs_f64()
            }),
            ("entries_total", "counter", "Entries taken from the log.", |it| it.entries as f64),
            (
                "refusals_total",
                "counter",
                "Entries that could not be taken, or were passed over.",
                |it| it.refusals as f64,
            ),
            ("snapshots_total", "counter", "Snapshots that were stored.", |it| it.snapshots as f64),
        ];
        let gauges = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut text = String::new();
        for (name, kind, help, value) in METRICS {
            let name = format!("runtally_fleet_{name}");
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (unit, gauge) in &gauges {
                let (stage, partition) = (unit.stage.name(), unit.partition);
                let _ = writeln!(
                    text,
                    "{name}{{stage=\"{stage}\",partition=\"{partition}\",worker=\"{worker}\"}} {}",
                    value(gauge)
                );
            }
        }
        text
    }
}
