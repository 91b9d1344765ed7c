//! What the system says of the switch, row by row, and whether that stayed flat.
//!
//! Contract: a row is one JSON line. The verdict compares medians of the last third of the rows
//! with those of the first, and calls fewer than three rows not flat: nothing was seen.

use super::load::Measured;
use super::stage::Stage;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Resident memory may grow by less than this part.
const MEMORY_GOAL: f64 = 0.10;
/// The p99 may grow by less than this factor.
const P99_GOAL: f64 = 2.0;
/// The journal keeps so many of its files open (a cache, filled as segments fill), besides its
/// folder, the index of old originals, and what a checkpoint is writing.
const JOURNAL_FILES_MAX: u64 = 16 + 8;

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    at: Duration,
    per_second: f64,
    p50: u64,
    p99: u64,
    p999: u64,
    declined: u64,
    others_approved: u64,
    others_declined: u64,
    cpu_micros: u64,
    resident_kib: u64,
    peak_kib: u64,
    descriptors: u64,
    journal_descriptors: u64,
    threads: u64,
    journal_bytes: u64,
    segments: u64,
    spares: u64,
}

impl Row {
    /// Looks at the process and its journal now, and sums up the loads.
    pub(crate) fn new(
        at: Duration,
        healthy: &Measured,
        sick: &Measured,
        slow: &Measured,
        stage: &Stage,
    ) -> io::Result<Self> {
        let id = stage.switch.id;
        let threads = std::fs::read_dir(format!("/proc/{id}/task"))?.count() as u64;
        let (descriptors, journal_descriptors) = descriptors(id, &stage.journal)?;
        let (mut journal_bytes, mut segments, mut spares) = (0, 0, 0);
        for entry in std::fs::read_dir(&stage.journal)? {
            let entry = entry?;
            // A file may get its next name or go between listing and looking.
            journal_bytes += entry.metadata().map_or(0, |file| file.len());
            let name = entry.file_name();
            let name = name.to_string_lossy();
            segments += u64::from(name.ends_with(".segment"));
            spares += u64::from(name.ends_with(".spare"));
        }
        let quantile = |q| healthy.latency.value_at_quantile(q);
        let usage = stage.switch.usage()?;
        let answers = (healthy.approved + healthy.other) as f64;
        Ok(Self {
            at,
            per_second: answers / healthy.elapsed.as_secs_f64().max(0.001),
            p50: quantile(0.5),
            p99: quantile(0.99),
            p999: quantile(0.999),
            declined: healthy.other,
            others_approved: sick.approved + slow.approved,
            others_declined: sick.other + slow.other,
            cpu_micros: usage.cpu_micros,
            resident_kib: usage.resident_kib,
            peak_kib: usage.peak_kib,
            descriptors,
            journal_descriptors,
            threads,
            journal_bytes,
            segments,
            spares,
        })
    }

    /// The JSON line.
    pub(crate) fn line(&self, window_full: bool) -> String {
        serde_json::json!({
            "case": "soak",
            "minute": (self.at.as_secs_f64() / 0.6).round() / 100.0,
            "tx_per_second": self.per_second.round(),
            "p50_us": self.p50, "p99_us": self.p99, "p999_us": self.p999,
            "declined": self.declined,
            "other_banks_approved": self.others_approved,
            "other_banks_declined": self.others_declined,
            "cpu_ms_so_far": self.cpu_micros / 1_000,
            "resident_kib": self.resident_kib,
            "peak_kib": self.peak_kib,
            "descriptors": self.descriptors,
            "journal_descriptors": self.journal_descriptors,
            "threads": self.threads,
            "journal_bytes": self.journal_bytes,
            "segments": self.segments,
            "spares": self.spares,
            "window_full": window_full,
        })
        .to_string()
    }
}

/// Whether it stayed flat, and by how much.
#[derive(Debug)]
pub(crate) struct Verdict {
    rows: usize,
    compared: usize,
    memory_growth: f64,
    descriptors: [u64; 2],
    journal_descriptors: u64,
    p99_ratio: f64,
    segments: u64,
}

/// Compares the thirds of the rows after the window was full; `rows`: how many there were in all.
pub(crate) fn verdict(filled: &[Row], rows: usize) -> Verdict {
    let compared = filled.len() / 3;
    let (first, last) = (&filled[..compared], &filled[filled.len() - compared..]);
    let both = |f: fn(&Row) -> u64| {
        [first, last].map(|third| median(&mut third.iter().map(f).collect::<Vec<_>>()))
    };
    let growth = |[before, after]: [u64; 2]| after as f64 / before.max(1) as f64;
    let of = |row: Option<&Row>| row.map_or(0, |row| row.segments);
    Verdict {
        rows,
        compared,
        memory_growth: growth(both(|row| row.resident_kib)) - 1.0,
        descriptors: both(|row| row.descriptors - row.journal_descriptors),
        journal_descriptors: filled.iter().map(|row| row.journal_descriptors).max().unwrap_or(0),
        p99_ratio: growth(both(|row| row.p99)),
        segments: of(filled.last()).saturating_sub(of(filled.first())),
    }
}

impl Verdict {
    /// Whether every goal is met.
    pub(crate) fn is_flat(&self) -> bool {
        let [before, after] = self.descriptors;
        let steady = self.memory_growth < MEMORY_GOAL && self.p99_ratio < P99_GOAL;
        let bounded = self.journal_descriptors <= JOURNAL_FILES_MAX;
        self.compared > 0 && before == after && bounded && steady
    }

    /// The JSON line.
    pub(crate) fn line(&self) -> String {
        let rounded = |value: f64| (value * 1_000.0).round() / 1_000.0;
        serde_json::json!({
            "case": "verdict",
            "rows": self.rows,
            "rows_per_third": self.compared,
            "memory_growth": rounded(self.memory_growth), "memory_goal": MEMORY_GOAL,
            "descriptors_but_journal": self.descriptors,
            "most_journal_descriptors": self.journal_descriptors,
            "journal_descriptors_limit": JOURNAL_FILES_MAX,
            "p99_ratio": rounded(self.p99_ratio), "p99_goal": P99_GOAL,
            "segments_filled": self.segments,
            "verdict": if self.is_flat() { "flat" } else { "not flat" },
        })
        .to_string()
    }
}

/// Descriptors of a process: all, and those of files under `journal`.
fn descriptors(id: u32, journal: &Path) -> io::Result<(u64, u64)> {
    let (mut all, mut ours) = (0, 0);
    for entry in std::fs::read_dir(format!("/proc/{id}/fd"))? {
        all += 1;
        // One that closes between listing and looking is no file of the journal's cache.
        let target = std::fs::read_link(entry?.path()).unwrap_or_default();
        ours += u64::from(target.starts_with(journal));
    }
    Ok((all, ours))
}

/// The middle value; 0 of none.
pub(crate) fn median(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
