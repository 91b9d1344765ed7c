//! Rows of the benchmark: one JSON line each, medians, ratios to the better relay.
//!
//! Contract: a ratio of throughput is to the relay, of one thread or of two, whose median is
//! higher; one of latency to that whose median is lower. Memory and the number of requests stand
//! together as one round had them. Deliberately absent: which goals there are (`verdict`).

use super::load::{Measured, Pace};
use super::subject::Usage;
use super::who::{WINDOW, Who};
use super::{chart, verdict};
use std::collections::BTreeMap;
use std::io;

/// Memory that may be resident whatever is remembered …
const RESIDENT_GOAL_MIB: f64 = 64.0;
/// … and bytes besides for each remembered request.
const REMEMBERED_GOAL_BYTES: f64 = 40.0;

/// What one round of one subject gave.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Who.
    pub(crate) who: Who,
    /// How requests left.
    pub(crate) case: String,
    /// Answers per second.
    pub(crate) per_second: f64,
    /// CPU time of the subject per request, in microseconds.
    pub(crate) cpu_micros: f64,
    /// Median latency in microseconds.
    pub(crate) p50: u64,
    p99: u64,
    p999: u64,
    /// Requests sent to it in all, warm-up included.
    requests: u64,
    resident_kib: u64,
    peak_kib: u64,
    /// Answers that did not approve.
    pub(crate) other: u64,
}

impl Row {
    /// Sums up one round. CPU counts over warm-up and measurement alike, per request.
    pub(crate) fn new(
        who: Who,
        pace: Pace,
        measured: &Measured,
        requests: u64,
        before: Usage,
        after: Usage,
    ) -> Self {
        let case = pace.name();
        let answers = (measured.approved + measured.other) as f64;
        let cpu = after.cpu_micros.saturating_sub(before.cpu_micros) as f64;
        Self {
            who,
            case,
            per_second: answers / measured.elapsed.as_secs_f64().max(0.001),
            cpu_micros: cpu / requests.max(1) as f64,
            p50: measured.latency.value_at_quantile(0.5),
            p99: measured.latency.value_at_quantile(0.99),
            p999: measured.latency.value_at_quantile(0.999),
            requests,
            resident_kib: after.resident_kib,
            peak_kib: after.peak_kib,
            other: measured.other,
        }
    }

    /// Resident memory at the end and the most it ever was, in MiB.
    pub(crate) fn memory_mib(&self) -> [f64; 2] {
        [self.resident_kib, self.peak_kib].map(|kib| kib as f64 / 1_024.0)
    }

    /// How much memory may be resident after so many requests, in MiB; `None` for a relay.
    pub(crate) fn memory_goal_mib(&self) -> Option<f64> {
        let remembered = self.requests.min(WINDOW) as f64 * REMEMBERED_GOAL_BYTES;
        self.who.is_switch().then(|| RESIDENT_GOAL_MIB + remembered / f64::from(1 << 20))
    }

    /// The JSON line, with ratios to the better relays of its case where they are known.
    pub(crate) fn line(&self, beside: Option<&Medians>) -> String {
        let to = |best: fn(&Medians) -> Option<f64>, own: f64| {
            beside.and_then(best).map(|best| rounded(own / best.max(1e-9), 3))
        };
        let [resident, peak] = self.memory_mib();
        serde_json::json!({
            "case": self.case,
            "subject": self.who.name(),
            "tx_per_second": self.per_second.round(),
            "cpu_micros_per_tx": rounded(self.cpu_micros, 2),
            "p50_micros": self.p50,
            "p99_micros": self.p99,
            "p999_micros": self.p999,
            "requests": self.requests,
            "resident_mib": rounded(resident, 1),
            "peak_mib": rounded(peak, 1),
            "memory_goal_mib": self.memory_goal_mib().map(|mib| rounded(mib, 1)),
            "not_approved": self.other,
            "ratio_to_framing_relay": to(Medians::framing, self.per_second),
            "ratio_to_durable_relay": to(Medians::durable, self.per_second),
            "p50_ratio_to_durable_relay": to(Medians::durable_p50, self.p50 as f64),
        })
        .to_string()
    }
}

/// With so many decimal places.
pub(crate) fn rounded(value: f64, places: i32) -> f64 {
    (value * 10_f64.powi(places)).round() / 10_f64.powi(places)
}

/// The medians of one case.
#[derive(Debug, Default)]
pub(crate) struct Medians(BTreeMap<Who, Row>);

impl Medians {
    /// The row of one subject.
    pub(crate) fn of(&self, who: Who) -> Option<&Row> {
        self.0.get(&who)
    }

    /// Everybody's.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.values()
    }

    fn both(&self, relays: [Who; 2], value: fn(&Row) -> f64) -> impl Iterator<Item = f64> {
        relays.into_iter().filter_map(move |who| self.of(who).map(value))
    }

    /// Throughput of the better framing relay.
    pub(crate) fn framing(&self) -> Option<f64> {
        self.both([Who::Framing, Who::FramingTwo], |row| row.per_second).reduce(f64::max)
    }

    /// Throughput of the better durable relay.
    pub(crate) fn durable(&self) -> Option<f64> {
        self.both([Who::Durable, Who::DurableTwo], |row| row.per_second).reduce(f64::max)
    }

    /// Median latency of the better durable relay, in microseconds.
    pub(crate) fn durable_p50(&self) -> Option<f64> {
        self.both([Who::Durable, Who::DurableTwo], |row| row.p50 as f64).reduce(f64::min)
    }
}

/// All rounds.
#[derive(Debug, Default)]
pub(crate) struct Rows(BTreeMap<String, BTreeMap<Who, Vec<Row>>>);

impl Rows {
    /// Takes in one round.
    pub(crate) fn add(&mut self, row: Row) {
        self.0.entry(row.case.clone()).or_default().entry(row.who).or_default().push(row);
    }

    fn medians(&self) -> BTreeMap<&str, Medians> {
        let of = |(who, rows): (&Who, &Vec<Row>)| (*who, median(rows));
        let case = |(case, rows): (_, &BTreeMap<_, _>)| {
            (String::as_str(case), Medians(rows.iter().map(of).collect()))
        };
        self.0.iter().map(case).collect()
    }

    /// Prints the medians and, where the run is long enough to judge, the verdict.
    ///
    /// # Errors
    /// Where a subject did not approve everything: that is no benchmark.
    pub(crate) fn print(&self, judged: bool) -> io::Result<()> {
        let medians = self.medians();
        for case in medians.values() {
            for row in case.rows() {
                println!("{}", row.line(Some(case)));
                if row.per_second < 1.0 || row.other > 0 {
                    let who = row.who.name();
                    return Err(io::Error::other(format!("{who}: not every request was approved")));
                }
            }
        }
        if judged {
            println!("{}", verdict::line(&medians));
        }
        Ok(())
    }

    /// A chart of the medians: throughput with 1,024 in flight, and latency at 5,000 a second.
    pub(crate) fn drawn(&self) -> String {
        let medians = self.medians();
        let bars = |case: &str, value: fn(&Row) -> f64| -> Vec<(&'static str, f64)> {
            let rows = medians.get(case).into_iter().flat_map(Medians::rows);
            rows.map(|row| (row.who.name(), value(row))).collect()
        };
        chart::svg(&[
            (
                "closed loop, 1,024 in flight: transactions per second",
                bars("closed-1024", |row| row.per_second),
            ),
            (
                "closed loop, 1,024 in flight: CPU microseconds per transaction",
                bars("closed-1024", |row| row.cpu_micros),
            ),
            (
                "open loop, 5,000 tx/s: median latency, microseconds",
                bars("open-5000", |row| row.p50 as f64),
            ),
        ])
    }
}

/// The round whose throughput is the median; latency figures are medians of their own.
fn median(rows: &[Row]) -> Row {
    let middle = |f: fn(&Row) -> u64| {
        let mut values: Vec<u64> = rows.iter().map(f).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    let mut row = sorted[sorted.len() / 2].clone();
    (row.p50, row.p99, row.p999) = (middle(|r| r.p50), middle(|r| r.p99), middle(|r| r.p999));
    row.other = rows.iter().map(|r| r.other).sum();
    row
}
