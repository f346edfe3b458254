//! What Prometheus reads.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use runtally::RunState;

use crate::Totals;

/// The media type of [`Metrics::text`].
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels<const N: usize> = [(&'static str, String); N];

/// What is counted of the service itself.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Family<[(&'static str, u16); 1], Counter>,
}

impl Metrics {
    pub(crate) fn answered(&self, status: u16) {
        self.requests.get_or_create(&[("status", status)]).inc();
    }

    /// Everything there is to read, the counts of the roll-outs among it.
    pub(crate) fn text(&self, totals: &[Totals]) -> String {
        let devices = Family::<Labels<3>, Gauge<u64, AtomicU64>>::default();
        let users = Family::<Labels<3>, Gauge<u64, AtomicU64>>::default();
        let last_run = Family::<Labels<2>, Gauge<f64, AtomicU64>>::default();
        for &Totals { kind, id, summary } in totals {
            let [kind, id] = [("kind", kind.to_owned()), ("id", id.to_string())];
            for state in RunState::ALL {
                let labels = [kind.clone(), id.clone(), ("state", state.name().to_owned())];
                devices.get_or_create(&labels).set(summary.devices[state].into());
                users.get_or_create(&labels).set(summary.users[state].into());
            }
            if let Some(at) = summary.last_run {
                last_run.get_or_create(&[kind, id]).set(at.ticks() as f64 / 1e7);
            }
        }

        let mut registry = Registry::with_prefix("runtally");
        registry.register("devices", "Devices in each run state", devices);
        registry.register("users", "Users in each run state", users);
        registry.register("last_run_timestamp_seconds", "Date-time of the last run", last_run);
        registry.register("requests", "Requests answered", self.requests.clone());
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &registry);
        text
    }
}
