//! Handles of metrics, looked up once per set of labels: the hot path touches an atomic, not the
//! registry.

use super::names;
use crate::switch::audit::Violation;
use crate::switch::ids::Name;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use std::collections::BTreeMap;

/// Counters with up to three labels and one distribution per bank.
#[derive(Debug, Default)]
pub(super) struct Meters {
    counters: BTreeMap<Key, Counter>,
    requests: BTreeMap<(Name, Option<Name>, &'static str), Counter>,
    responses: BTreeMap<Name, Histogram>,
    own: Option<Histogram>,
}

/// A counter: its metric, whose, and a word from a closed set.
type Key = (&'static str, Name, &'static str);

impl Meters {
    /// A request got its answer.
    pub(super) fn request(&mut self, platform: Name, bank: Option<Name>, outcome: &'static str) {
        let fresh = || {
            let bank = bank.map_or_else(|| "none".to_owned(), |bank| bank.to_string());
            counter!(
                names::REQUESTS, "platform" => platform.to_string(), "bank" => bank,
                "class" => class(outcome), "outcome" => outcome
            )
        };
        self.requests.entry((platform, bank, outcome)).or_insert_with(fresh).increment(1);
    }

    /// How long the bank took, and how long we did.
    pub(super) fn times(&mut self, bank: Option<Name>, bank_micros: u64, own_micros: u64) {
        if let Some(bank) = bank.filter(|_| bank_micros > 0) {
            let fresh = || histogram!(names::RESPONSE_SECONDS, "bank" => bank.to_string());
            self.responses.entry(bank).or_insert_with(fresh).record(seconds(bank_micros));
        }
        self.own.get_or_insert_with(|| histogram!(names::OWN_SECONDS)).record(seconds(own_micros));
    }

    /// One more of `metric`, whose label `whose` is `name`; `detail` is (label, word).
    pub(super) fn count(
        &mut self,
        metric: &'static str,
        whose: &'static str,
        name: Name,
        detail: Option<(&'static str, &'static str)>,
    ) {
        let word = detail.map_or("", |(_, word)| word);
        let fresh = || match detail {
            Some((label, word)) => counter!(metric, whose => name.to_string(), label => word),
            None => counter!(metric, whose => name.to_string()),
        };
        self.counters.entry((metric, name, word)).or_insert_with(fresh).increment(1);
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// What an outcome comes down to.
fn class(outcome: &str) -> &'static str {
    match outcome {
        "approved" | "partially_approved" | "stood_in" => "approval",
        "acknowledged" | "accepted" => "acknowledgement",
        _ => "decline",
    }
}

/// What is measured of the journal, on its own thread.
#[derive(Debug)]
pub struct JournalMeters {
    sync: Histogram,
    records: Counter,
}

impl Default for JournalMeters {
    fn default() -> Self {
        let (sync, records) =
            (histogram!(names::JOURNAL_SYNC_SECONDS), counter!(names::JOURNAL_RECORDS));
        Self { sync, records }
    }
}

impl JournalMeters {
    /// One group commit.
    pub fn commit(&self, took: std::time::Duration, records: u64) {
        self.sync.record(took.as_secs_f64());
        self.records.increment(records);
    }
}

/// What is measured of checkpoints.
#[derive(Debug, Clone)]
pub struct CheckpointMeters {
    written: Histogram,
    paused: Histogram,
    failed: Counter,
    recycled: Counter,
    removed: Counter,
    lost: Gauge,
}

impl Default for CheckpointMeters {
    fn default() -> Self {
        Self {
            written: histogram!(names::CHECKPOINT_SECONDS),
            paused: histogram!(names::CHECKPOINT_PAUSE_SECONDS),
            failed: counter!(names::CHECKPOINTS_FAILED),
            recycled: counter!(names::SEGMENTS_RETIRED, "became" => "spare"),
            removed: counter!(names::SEGMENTS_RETIRED, "became" => "removed"),
            lost: gauge!(names::ACCEPTED_LOSSES),
        }
    }
}

impl CheckpointMeters {
    /// One was written, in so long.
    pub fn written(&self, took: std::time::Duration) {
        self.written.record(took.as_secs_f64());
    }

    /// So many losses of the journal were ever accepted.
    pub fn lost(&self, places: usize) {
        self.lost.set(places as f64);
    }

    /// The switch stood still for one.
    pub fn paused(&self, took: std::time::Duration) {
        self.paused.record(took.as_secs_f64());
    }

    /// One could not be written.
    pub fn failed(&self) {
        self.failed.increment(1);
    }

    /// So many segments went behind one, of which so many became spares.
    pub fn retired(&self, segments: u64, spares: u64) {
        self.recycled.increment(spares);
        self.removed.increment(segments.saturating_sub(spares));
    }
}

/// What the live audit finds.
#[derive(Debug)]
pub struct AuditMeters {
    restarts: Counter,
}

impl Default for AuditMeters {
    /// Every rule has its counter from the beginning, so that an alarm sees it move.
    fn default() -> Self {
        for rule in Violation::RULES {
            counter!(names::AUDIT_VIOLATIONS, "rule" => rule).increment(0);
        }
        Self { restarts: counter!(names::AUDIT_RESTARTS) }
    }
}

impl AuditMeters {
    /// A rule is broken.
    pub fn broken(&self, rule: &'static str) {
        counter!(names::AUDIT_VIOLATIONS, "rule" => rule).increment(1);
    }

    /// It fell behind.
    pub fn fell_behind(&self) {
        self.restarts.increment(1);
    }
}

/// What is measured of a line's connections.
#[derive(Debug, Clone)]
pub struct LineMeters {
    line: Name,
    up: Gauge,
}

impl LineMeters {
    /// The meters of a line.
    pub fn new(line: Name) -> Self {
        let up = gauge!(names::LINK_UP, "line" => line.to_string());
        up.set(0.0);
        Self { line, up }
    }

    /// A connection ended.
    pub fn ended(&self, reason: &'static str) {
        counter!(names::SESSIONS_ENDED, "line" => self.line.to_string(), "reason" => reason)
            .increment(1);
    }

    /// A connection was turned away.
    pub fn refused(&self, reason: &'static str) {
        counter!(names::SESSIONS_REFUSED, "line" => self.line.to_string(), "reason" => reason)
            .increment(1);
    }

    /// A connection is read more slowly for the nonsense that comes over it.
    pub fn slowed(&self) {
        counter!(names::SESSIONS_SLOWED, "line" => self.line.to_string()).increment(1);
    }

    /// An address is not let in for a while.
    pub fn sent_away(&self) {
        counter!(names::ADDRESSES_SENT_AWAY, "line" => self.line.to_string()).increment(1);
    }

    /// A call failed.
    pub fn connect_failed(&self) {
        counter!(names::CONNECT_FAILURES, "line" => self.line.to_string()).increment(1);
    }

    /// The line became usable, or was lost.
    pub fn up(&self, up: bool) {
        self.up.set(f64::from(u8::from(up)));
    }
}

/// What is looked at from time to time.
#[derive(Debug)]
pub struct Gauges {
    in_flight: Vec<Gauge>,
    owed: Vec<Gauge>,
    oldest: Vec<Gauge>,
    unknown: Vec<Gauge>,
    dead_letters: Vec<Gauge>,
    breaker: Vec<Gauge>,
    sessions: Gauge,
    held: Gauge,
    lag: Gauge,
    full: Gauge,
    free: Gauge,
}

impl Gauges {
    /// Gauges for these banks, in this order.
    pub fn new(banks: &[Name]) -> Self {
        let each = |metric: &'static str| {
            banks.iter().map(|bank| gauge!(metric, "bank" => bank.to_string())).collect()
        };
        Self {
            in_flight: each(names::IN_FLIGHT),
            owed: each(names::SAF_DEPTH),
            oldest: each(names::SAF_OLDEST_SECONDS),
            unknown: each(names::UNKNOWN_OUTCOMES),
            dead_letters: each(names::DEAD_LETTERS),
            breaker: each(names::BANK_BREAKER),
            sessions: gauge!(names::SESSIONS),
            held: gauge!(names::GATE_HELD),
            lag: gauge!(names::JOURNAL_LAG),
            full: gauge!(names::JOURNAL_FULL),
            free: gauge!(names::JOURNAL_FREE_BYTES),
        }
    }

    /// Requests at bank `at` or waiting for it.
    pub fn in_flight(&self, at: usize, count: usize) {
        set(self.in_flight.get(at), count);
    }

    /// Messages owed to bank `at`, and for how long the oldest of them has been.
    pub fn owed(&self, at: usize, count: usize, oldest: std::time::Duration) {
        set(self.owed.get(at), count);
        if let Some(gauge) = self.oldest.get(at) {
            gauge.set(oldest.as_secs_f64());
        }
    }

    /// Transactions of bank `at` whose end nobody knows.
    pub fn unknown(&self, at: usize, count: usize) {
        set(self.unknown.get(at), count);
    }

    /// Messages to bank `at` that are given up until an operator decides.
    pub fn dead_letters(&self, at: usize, count: usize) {
        set(self.dead_letters.get(at), count);
    }

    /// Whether bank `at` is not asked because it answers nothing.
    pub fn breaker(&self, at: usize, open: bool) {
        set(self.breaker.get(at), usize::from(open));
    }

    /// Sessions, frames held at the gate, records not yet durable.
    pub fn engine(&self, sessions: usize, held: usize, lag: u64) {
        set(Some(&self.sessions), sessions);
        set(Some(&self.held), held);
        self.lag.set(lag as f64);
    }

    /// Whether the journal is full, and how many bytes its disk has left.
    pub fn room(&self, full: bool, free: Option<u64>) {
        self.full.set(f64::from(u8::from(full)));
        if let Some(free) = free {
            self.free.set(free as f64);
        }
    }
}

fn set(gauge: Option<&Gauge>, count: usize) {
    if let Some(gauge) = gauge {
        gauge.set(count as f64);
    }
}
