//! The metrics of this process, in the Prometheus text format.
//!
//! Contract: buckets, not quantiles: they add up over instances. Nothing has to run from time to
//! time: distributions are kept as they are shown ([`super::distribution`]).

use super::distribution::Distributions;
use super::names::{self, MetricKind};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::sync::{Arc, OnceLock};

/// A process has one.
static RECORDER: OnceLock<Recorder> = OnceLock::new();

/// The process's metrics.
#[derive(Debug, Clone)]
pub struct Recorder {
    /// Counters and gauges.
    counted: Option<PrometheusHandle>,
    distributions: Arc<Distributions>,
}

impl Recorder {
    /// Installs the recorder on first use; the same one afterwards. Where the process has a
    /// recorder of another kind, the page stays empty.
    pub fn of_process() -> Self {
        RECORDER.get_or_init(install).clone()
    }

    /// The page of `/metrics`.
    pub fn render(&self) -> String {
        let mut page = self.counted.as_ref().map(PrometheusHandle::render).unwrap_or_default();
        // Writing to a string does not fail.
        let _ = self.distributions.show(&mut page);
        page
    }
}

fn install() -> Recorder {
    let counted = PrometheusBuilder::new().build_recorder();
    let handle = counted.handle();
    let distributions = Arc::<Distributions>::default();
    let both = Both { counted, distributions: Arc::clone(&distributions) };
    let counted = metrics::set_global_recorder(both).is_ok().then_some(handle);
    for (name, kind, meaning) in names::ALL {
        match kind {
            MetricKind::Counter => metrics::describe_counter!(*name, *meaning),
            MetricKind::Gauge => metrics::describe_gauge!(*name, *meaning),
            // Distributions know their meaning.
            MetricKind::Histogram => {}
        }
    }
    Recorder { counted, distributions }
}

/// Hands out handles.
struct Both {
    counted: PrometheusRecorder,
    distributions: Arc<Distributions>,
}

impl metrics::Recorder for Both {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, meaning: SharedString) {
        self.counted.describe_counter(key, unit, meaning);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, meaning: SharedString) {
        self.counted.describe_gauge(key, unit, meaning);
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.counted.register_counter(key, metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.counted.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.distributions.of(key))
    }
}
