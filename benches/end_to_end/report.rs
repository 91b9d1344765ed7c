//! Rows of the benchmark: one JSON line each, medians, ratios, and whether the run is valid.

use super::load::{Measured, Pace};
use super::subject::Usage;
use super::{Who, chart};
use std::collections::BTreeMap;
use std::io;

/// What one round of one subject gave.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    who: Who,
    case: String,
    per_second: f64,
    cpu_micros: f64,
    p50: u64,
    p99: u64,
    p999: u64,
    resident_kib: u64,
    other: u64,
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
            resident_kib: after.resident_kib,
            other: measured.other,
        }
    }

    /// The JSON line, with ratios of throughput to the two relays where they are known.
    pub(crate) fn line(&self, framing: Option<&Row>, durable: Option<&Row>) -> String {
        let ratio = |base: Option<&Row>, f: fn(&Row) -> f64| base.map(|b| f(self) / f(b).max(1e-9));
        serde_json::json!({
            "case": self.case,
            "subject": self.who.name(),
            "tx_per_second": self.per_second.round(),
            "cpu_micros_per_tx": (self.cpu_micros * 100.0).round() / 100.0,
            "p50_micros": self.p50,
            "p99_micros": self.p99,
            "p999_micros": self.p999,
            "resident_mib": self.resident_kib / 1_024,
            "not_approved": self.other,
            "ratio_to_framing_relay": ratio(framing, |r| r.per_second),
            "ratio_to_durable_relay": ratio(durable, |r| r.per_second),
            "p50_ratio_to_durable_relay": ratio(durable, |r| r.p50 as f64),
        })
        .to_string()
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

    /// Prints the medians, and says whether the baselines make the run valid.
    ///
    /// # Errors
    /// Where a subject approved nothing: that is no benchmark.
    pub(crate) fn print(&self, whole: bool) -> io::Result<()> {
        for subjects in self.0.values() {
            let medians: BTreeMap<Who, Row> =
                subjects.iter().map(|(who, rows)| (*who, median(rows))).collect();
            for row in medians.values() {
                println!("{}", row.line(medians.get(&Who::Framing), medians.get(&Who::Durable)));
                if row.per_second < 1.0 || row.other > 0 {
                    let who = row.who.name();
                    return Err(io::Error::other(format!("{who}: not every request was approved")));
                }
            }
            if whole {
                validity(&medians);
            }
        }
        Ok(())
    }

    /// A chart of the medians: throughput with 1,024 in flight, and latency at 5,000 a second.
    pub(crate) fn drawn(&self) -> String {
        let bars = |case: &str, value: fn(&Row) -> f64| -> Vec<(&'static str, f64)> {
            let subjects = self.0.get(case).into_iter().flatten();
            subjects.map(|(who, rows)| (who.name(), value(&median(rows)))).collect()
        };
        chart::svg(&[
            (
                "closed loop, 1,024 in flight: transactions per second",
                bars("closed-1024", |row| row.per_second),
            ),
            (
                "open loop, 5,000 tx/s: median latency, microseconds",
                bars("open-5000", |row| row.p50 as f64),
            ),
        ])
    }
}

fn validity(medians: &BTreeMap<Who, Row>) {
    let speed = |who| medians.get(&who).map_or(0.0, |r| r.per_second);
    let case = medians.values().next().map_or("", |r| r.case.as_str());
    if case != "closed-1024" {
        return;
    }
    let framing = speed(Who::Framing) / speed(Who::Direct);
    let durable = speed(Who::Durable) / speed(Who::Framing);
    let verdict = if framing >= 0.8 && durable >= 0.6 { "valid" } else { "INVALID" };
    let row = serde_json::json!({
        "run": verdict,
        "framing_to_direct": framing,
        "durable_to_framing": durable,
    });
    println!("{row}");
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
