//! Distributions, kept as the buckets they are shown in.
//!
//! Contract: a measurement is two additions to atomics, whatever came before it: nothing is
//! gathered, so nothing has to be folded later. The count that is shown is that of the buckets
//! shown with it; the sum may be a measurement ahead. Deliberately absent: quantiles, which do
//! not add up over instances.

use super::names::{self, MetricKind};
use metrics::{HistogramFn, Key};
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Upper bounds of the buckets, in seconds: 50 µs to a minute, three to a decade.
const BOUNDS: [f64; 19] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// One distribution, in seconds.
#[derive(Debug, Default)]
pub(super) struct Distribution {
    /// By bound, and last what lies beyond them all.
    counts: [AtomicU64; BOUNDS.len() + 1],
    /// The bits of the sum.
    sum: AtomicU64,
}

impl HistogramFn for Distribution {
    fn record(&self, seconds: f64) {
        let bucket = BOUNDS.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let add = |sum| Some((f64::from_bits(sum) + seconds).to_bits());
        // It always has something to store, so it always does.
        let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

impl Distribution {
    /// Its lines; `labels` end in a comma where there are any.
    fn show(&self, name: &str, labels: &str, page: &mut String) -> fmt::Result {
        let mut count = 0;
        for (at, bucket) in self.counts.iter().enumerate() {
            count += bucket.load(Ordering::Relaxed);
            match BOUNDS.get(at) {
                Some(bound) => writeln!(page, "{name}_bucket{{{labels}le=\"{bound}\"}} {count}")?,
                None => writeln!(page, "{name}_bucket{{{labels}le=\"+Inf\"}} {count}")?,
            }
        }
        let labels = match labels.trim_end_matches(',') {
            "" => String::new(),
            some => format!("{{{some}}}"),
        };
        let sum = f64::from_bits(self.sum.load(Ordering::Relaxed));
        writeln!(page, "{name}_sum{labels} {sum}")?;
        writeln!(page, "{name}_count{labels} {count}")
    }
}

/// All distributions of a process, by metric and labels.
#[derive(Debug, Default)]
pub(super) struct Distributions {
    known: Mutex<BTreeMap<(String, String), Arc<Distribution>>>,
}

impl Distributions {
    /// The one of this name and these labels.
    pub(super) fn of(&self, key: &Key) -> Arc<Distribution> {
        // Rust escapes a quote and a backslash as the page wants them.
        let labels = key.labels().map(|label| format!("{}={:?},", label.key(), label.value()));
        let key = (key.name().to_owned(), labels.collect());
        Arc::clone(self.known().entry(key).or_default())
    }

    /// Their part of the page.
    pub(super) fn show(&self, page: &mut String) -> fmt::Result {
        let known = self.known();
        let histograms = names::ALL.iter().filter(|(_, kind, _)| *kind == MetricKind::Histogram);
        for (name, _, meaning) in histograms {
            let mut own = known.iter().filter(|((of, _), _)| of == name).peekable();
            if own.peek().is_some() {
                writeln!(page, "# HELP {name} {meaning}\n# TYPE {name} histogram")?;
            }
            own.try_for_each(|((_, labels), one)| one.show(name, labels, page))?;
        }
        Ok(())
    }

    /// A panic under this lock leaves the map whole.
    fn known(&self) -> MutexGuard<'_, BTreeMap<(String, String), Arc<Distribution>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::Label;

    #[test]
    fn buckets_add_up_and_a_bound_belongs_to_its_own() {
        let all = Distributions::default();
        let key = Key::from_parts(names::RESPONSE_SECONDS, vec![Label::new("bank", "river")]);
        for seconds in [0.000_01, 0.000_05, 0.000_06, 0.3, 61.0] {
            all.of(&key).record(seconds);
        }
        all.of(&Key::from_static_name(names::OWN_SECONDS)).record(0.5);
        let mut page = String::new();
        assert!(all.show(&mut page).is_ok());
        for line in [
            "# TYPE pointsman_response_seconds histogram",
            "pointsman_response_seconds_bucket{bank=\"river\",le=\"0.00005\"} 2",
            "pointsman_response_seconds_bucket{bank=\"river\",le=\"0.0001\"} 3",
            "pointsman_response_seconds_bucket{bank=\"river\",le=\"0.25\"} 3",
            "pointsman_response_seconds_bucket{bank=\"river\",le=\"0.5\"} 4",
            "pointsman_response_seconds_bucket{bank=\"river\",le=\"60\"} 4",
            "pointsman_response_seconds_bucket{bank=\"river\",le=\"+Inf\"} 5",
            "pointsman_response_seconds_count{bank=\"river\"} 5",
            "pointsman_own_seconds_bucket{le=\"0.5\"} 1",
            "pointsman_own_seconds_sum 0.5",
            "pointsman_own_seconds_count 1",
        ] {
            assert!(page.lines().any(|shown| shown == line), "{line} is missing:\n{page}");
        }
        assert!(page.contains("pointsman_response_seconds_sum{bank=\"river\"} 61.3"));
        assert!(!page.contains("journal"), "what was never asked for is not shown:\n{page}");
    }
}
