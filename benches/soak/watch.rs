//! What the system says of the switch, row by row, and whether that stayed flat.
//!
//! Contract: a row is one JSON line. The verdict compares medians of the last third of the rows
//! that were settled – the duplicate window full, segments retiring – with those of the first, and
//! calls fewer than three such rows not flat: nothing was seen. The index of old records is left
//! out of what the journal takes: it goes by whole days.

use super::load::Measured;
use super::stage::{BANKS, ORIGINAL_LIFETIME, Stage};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// Resident memory may grow by less than this part.
const MEMORY_GOAL: f64 = 0.10;
/// The p99 may grow by less than this factor.
const P99_GOAL: f64 = 2.0;
/// Segments and spares may take this part more: they come and go by dozens of a checkpoint.
const SEGMENTS_GOAL: f64 = 0.25;
/// Nothing may be owed for longer at the end of a row: a reversal of what never reached its bank
/// is over soon after this, and a fault strikes for less than a row.
const OWED_GOAL: Duration = ORIGINAL_LIFETIME.saturating_add(Duration::from_secs(30));
/// Of the healthy bank's traffic this part may be declined.
const DECLINED_GOAL: f64 = 0.001;
/// The journal keeps so many of its files open (a cache, filled as segments fill), besides its
/// folder, the index of old originals, and what a checkpoint is writing.
const JOURNAL_FILES_MAX: u64 = 16 + 8;

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    at: Duration,
    answers: u64,
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
    segment_bytes: u64,
    index_bytes: u64,
    segments: u64,
    spares: u64,
    /// Segments that the journal let go, as spares and removed, since the start.
    retired: [u64; 2],
    /// Messages owed to each bank.
    owed: [u64; 3],
    /// For how many seconds the oldest of them has been.
    oldest_owed_s: [f64; 3],
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
        let (mut segment_bytes, mut index_bytes, mut segments, mut spares) = (0, 0, 0, 0);
        for entry in std::fs::read_dir(&stage.journal)? {
            let entry = entry?;
            // A file may get its next name or go between listing and looking.
            let bytes = entry.metadata().map_or(0, |file| file.len());
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let (segment, spare) = (name.ends_with(".segment"), name.ends_with(".spare"));
            segments += u64::from(segment);
            spares += u64::from(spare);
            segment_bytes += if segment || spare { bytes } else { 0 };
            index_bytes += if name.ends_with(".index") { bytes } else { 0 };
        }
        let quantile = |q| healthy.latency.value_at_quantile(q);
        let usage = stage.switch.usage()?;
        let answers = healthy.approved + healthy.other;
        let page = metrics(&stage.admin)?;
        let retired = |became: &str| {
            value(&page, &format!("journal_segments_retired_total{{became=\"{became}\"}}"))
        };
        let (mut owed, mut oldest_owed_s) = ([0; 3], [0.0; 3]);
        for ((bank, owed), oldest) in BANKS.iter().zip(&mut owed).zip(&mut oldest_owed_s) {
            *owed = value(&page, &format!("saf_depth{{bank=\"{bank}\"}}"))? as u64;
            *oldest = value(&page, &format!("saf_oldest_seconds{{bank=\"{bank}\"}}"))?;
        }
        Ok(Self {
            at,
            answers,
            per_second: answers as f64 / healthy.elapsed.as_secs_f64().max(0.001),
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
            segment_bytes,
            index_bytes,
            segments,
            spares,
            retired: [retired("spare")? as u64, retired("removed")? as u64],
            owed,
            oldest_owed_s,
        })
    }

    /// The JSON line.
    pub(crate) fn line(&self, settled: bool) -> String {
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
            "segment_bytes": self.segment_bytes,
            "index_bytes": self.index_bytes,
            "segments": self.segments,
            "spares": self.spares,
            "segments_recycled": self.retired[0],
            "segments_removed": self.retired[1],
            "owed": by_bank(&self.owed),
            "oldest_owed_s": by_bank(&self.oldest_owed_s.map(|age| (age * 10.0).round() / 10.0)),
            "settled": settled,
        })
        .to_string()
    }
}

/// Whether it stayed flat, and by how much.
#[derive(Debug)]
pub(crate) struct Verdict {
    rows: usize,
    compared: usize,
    resident_kib: [u64; 2],
    peak_kib: u64,
    descriptors: [u64; 2],
    threads: [u64; 2],
    journal_descriptors: u64,
    p99: [u64; 2],
    segment_bytes: [u64; 2],
    retired: [u64; 2],
    most_owed: u64,
    oldest_owed_s: f64,
    declined: f64,
}

/// Compares the thirds of the settled rows; `rows`: how many there were in all.
pub(crate) fn verdict(settled: &[Row], rows: usize) -> Verdict {
    let compared = settled.len() / 3;
    let (first, last) = (&settled[..compared], &settled[settled.len() - compared..]);
    let both = |f: fn(&Row) -> u64| {
        [first, last].map(|third| median(&mut third.iter().map(f).collect::<Vec<_>>()))
    };
    let since = |at: usize| match (settled.first(), settled.last()) {
        (Some(first), Some(last)) => last.retired[at].saturating_sub(first.retired[at]),
        _ => 0,
    };
    let sum = |f: fn(&Row) -> u64| settled.iter().map(f).sum::<u64>();
    Verdict {
        rows,
        compared,
        resident_kib: both(|row| row.resident_kib),
        peak_kib: settled.iter().map(|row| row.peak_kib).max().unwrap_or(0),
        descriptors: both(|row| row.descriptors.saturating_sub(row.journal_descriptors)),
        threads: both(|row| row.threads),
        journal_descriptors: settled.iter().map(|row| row.journal_descriptors).max().unwrap_or(0),
        p99: both(|row| row.p99),
        segment_bytes: both(|row| row.segment_bytes),
        retired: [since(0), since(1)],
        most_owed: settled.iter().map(|row| row.owed.iter().sum()).max().unwrap_or(0),
        oldest_owed_s: settled.iter().flat_map(|row| row.oldest_owed_s).fold(0.0, f64::max),
        declined: sum(|row| row.declined) as f64 / sum(|row| row.answers).max(1) as f64,
    }
}

/// By what part more, or less, it is afterwards.
fn growth([before, after]: [u64; 2]) -> f64 {
    after as f64 / before.max(1) as f64 - 1.0
}

impl Verdict {
    /// Whether every goal is met.
    pub(crate) fn is_flat(&self) -> bool {
        let steady = growth(self.resident_kib) < MEMORY_GOAL
            && growth(self.segment_bytes) < SEGMENTS_GOAL
            && growth(self.p99) + 1.0 < P99_GOAL;
        let same = |[before, after]: [u64; 2]| before == after;
        let bounded = self.journal_descriptors <= JOURNAL_FILES_MAX
            && self.oldest_owed_s <= OWED_GOAL.as_secs_f64();
        let all_same = same(self.descriptors) && same(self.threads);
        let served = self.declined < DECLINED_GOAL && self.retired[0] > 0;
        self.compared > 0 && all_same && bounded && steady && served
    }

    /// The JSON line.
    pub(crate) fn line(&self) -> String {
        let rounded = |value: f64| (value * 1_000.0).round() / 1_000.0;
        serde_json::json!({
            "case": "verdict",
            "rows": self.rows,
            "rows_per_third": self.compared,
            "resident_kib": self.resident_kib, "peak_kib": self.peak_kib,
            "memory_growth": rounded(growth(self.resident_kib)), "memory_goal": MEMORY_GOAL,
            "segment_bytes": self.segment_bytes,
            "segment_growth": rounded(growth(self.segment_bytes)), "segment_goal": SEGMENTS_GOAL,
            "segments_recycled": self.retired[0], "segments_recycled_goal": "above 0",
            "segments_removed": self.retired[1],
            "most_owed": self.most_owed,
            "oldest_owed_s": rounded(self.oldest_owed_s), "oldest_owed_goal_s": OWED_GOAL.as_secs(),
            "descriptors_but_journal": self.descriptors,
            "threads": self.threads,
            "most_journal_descriptors": self.journal_descriptors,
            "journal_descriptors_limit": JOURNAL_FILES_MAX,
            "p99_us": self.p99,
            "p99_ratio": rounded(growth(self.p99) + 1.0), "p99_goal": P99_GOAL,
            "declined_part": self.declined, "declined_goal": DECLINED_GOAL,
            "verdict": if self.is_flat() { "flat" } else { "not flat" },
        })
        .to_string()
    }
}

/// A number for each bank, under its name.
fn by_bank<T: Copy + Into<serde_json::Value>>(numbers: &[T; 3]) -> serde_json::Value {
    BANKS.iter().map(|bank| (*bank).to_owned()).zip(numbers.iter().copied()).collect()
}

/// What the switch says of itself.
fn metrics(admin: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    Ok(page)
}

/// A number of that page, by its name and labels.
fn value(page: &str, series: &str) -> io::Result<f64> {
    let name = format!("pointsman_{series} ");
    let value = page.lines().find_map(|line| line.strip_prefix(name.as_str()));
    let number = value.and_then(|value| value.trim().parse().ok());
    number.ok_or_else(|| io::Error::other(format!("{name}: expected a number in /metrics")))
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
