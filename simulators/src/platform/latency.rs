//! How long answers took, from the moment the request was *to* leave: free of coordinated
//! omission, because a stalled sender cannot hide the stall.
//!
//! Contract: microseconds; one histogram per result, one for all, one per second of the run.

use hdrhistogram::Histogram;
use std::time::Duration;

/// What a request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got {
    /// An approval.
    Approved,
    /// A decline.
    Declined,
    /// Nothing in time.
    Nothing,
}

/// The histograms.
#[derive(Debug, Clone)]
pub struct Latency {
    all: Histogram<u64>,
    by_result: [Histogram<u64>; 3],
    windows: Vec<Histogram<u64>>,
}

/// Percentiles of one histogram, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Percentiles {
    /// How many.
    pub count: u64,
    /// Half took at most this.
    pub p50_us: u64,
    /// 99 of 100.
    pub p99_us: u64,
    /// 999 of 1,000.
    pub p999_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// Longest that is told apart: two minutes.
const MOST_US: u64 = 120_000_000;

impl Latency {
    /// Empty histograms.
    ///
    /// # Errors
    /// Never with these bounds; the histogram's constructor says it could.
    pub fn new() -> Result<Self, hdrhistogram::CreationError> {
        let all = Histogram::new_with_bounds(1, MOST_US, 3)?;
        let by_result = [all.clone(), all.clone(), all.clone()];
        Ok(Self { all, by_result, windows: Vec::new() })
    }

    /// Notes one result; `since_start` is when the request was to leave.
    pub fn record(&mut self, got: Got, since_start: Duration, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(MOST_US).clamp(1, MOST_US);
        let window = usize::try_from(since_start.as_secs()).unwrap_or(usize::MAX).min(MOST_WINDOWS);
        while self.windows.len() <= window {
            let Ok(empty) = Histogram::new_with_bounds(1, MOST_US, 2) else { break };
            self.windows.push(empty);
        }
        self.all.saturating_record(micros);
        self.by_result[got as usize].saturating_record(micros);
        if let Some(window) = self.windows.get_mut(window) {
            window.saturating_record(micros);
        }
    }

    /// Of everything.
    pub fn all(&self) -> Percentiles {
        percentiles(&self.all)
    }

    /// Of one kind of result.
    pub fn of(&self, got: Got) -> Percentiles {
        percentiles(&self.by_result[got as usize])
    }

    /// Of everything that was to leave in each second of the run.
    pub fn windows(&self) -> Vec<Percentiles> {
        self.windows.iter().map(percentiles).collect()
    }
}

/// An hour of windows is enough; what is later counts in the last.
const MOST_WINDOWS: usize = 3_600;

fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    Percentiles {
        count: histogram.len(),
        p50_us: histogram.value_at_quantile(0.5),
        p99_us: histogram.value_at_quantile(0.99),
        p999_us: histogram.value_at_quantile(0.999),
        max_us: histogram.max(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn results_and_seconds_are_told_apart() {
        let mut latency = Latency::new().unwrap();
        let ms = Duration::from_millis;
        for i in 1..=100 {
            latency.record(Got::Approved, ms(10), ms(i));
        }
        latency.record(Got::Nothing, ms(2_500), ms(30_000));
        assert_eq!((latency.all().count, latency.of(Got::Declined).count), (101, 0));
        let p50 = latency.of(Got::Approved).p50_us;
        assert!((50_000..50_100).contains(&p50), "{p50}");
        let seconds: Vec<_> = latency.windows().iter().map(|w| w.count).collect();
        assert_eq!(seconds, [100, 0, 1]);
    }
}
