//! The metrics of this process, in the Prometheus text format.
//!
//! Contract: buckets, not quantiles: they add up over instances and cost nothing to keep. Its
//! upkeep must run every few seconds, or histograms grow.

use super::names::{self, MetricKind};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use std::time::Duration;

/// How often [`Recorder::upkeep`] is to be called.
pub const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Upper bounds of the buckets, in seconds: 50 µs to a minute, three to a decade.
const BUCKETS: [f64; 19] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// A process has one.
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// The process's metrics.
#[derive(Debug, Clone)]
pub struct Recorder(Option<PrometheusHandle>);

impl Recorder {
    /// Installs the recorder on first use; the same one afterwards. Where the process has a
    /// recorder of another kind, the page stays empty.
    pub fn of_process() -> Self {
        Self(RECORDER.get_or_init(install).clone())
    }

    /// The page of `/metrics`.
    pub fn render(&self) -> String {
        self.0.as_ref().map(PrometheusHandle::render).unwrap_or_default()
    }

    /// Folds what was measured into the buckets.
    pub fn upkeep(&self) {
        if let Some(handle) = &self.0 {
            handle.run_upkeep();
        }
    }
}

fn install() -> Option<PrometheusHandle> {
    let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).ok()?;
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok()?;
    for (name, kind, meaning) in names::ALL {
        match kind {
            MetricKind::Counter => metrics::describe_counter!(*name, *meaning),
            MetricKind::Gauge => metrics::describe_gauge!(*name, *meaning),
            MetricKind::Histogram => metrics::describe_histogram!(*name, *meaning),
        }
    }
    Some(handle)
}
