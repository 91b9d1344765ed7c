//! Every metric of the switch: name, kind and meaning, once.

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution, in seconds.
    Histogram,
}

macro_rules! metrics_table {
    ($($constant:ident = $name:literal, $kind:ident, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $constant: &str = $name;)*
        /// Name, kind and meaning of each.
        pub const ALL: &[(&str, MetricKind, &str)] =
            &[$(($name, MetricKind::$kind, $meaning)),*];
    };
}

metrics_table! {
    REQUESTS = "pointsman_requests_total", Counter,
        "Requests of platforms that got their final answer, by platform, bank, class and outcome.";
    RESPONSE_SECONDS = "pointsman_response_seconds", Histogram,
        "Time a request was in the bank's hands, by bank.";
    OWN_SECONDS = "pointsman_own_seconds", Histogram,
        "Our share: from a request's last byte to its answer, the bank's time excluded.";
    IN_FLIGHT = "pointsman_inflight", Gauge,
        "Requests at a bank or waiting for it, by bank.";
    LINK_UP = "pointsman_link_up", Gauge,
        "Whether a line is usable: connected, and signed on where its dialect wants it.";
    SESSIONS = "pointsman_sessions", Gauge,
        "Connections, over all lines.";
    SESSIONS_ENDED = "pointsman_sessions_ended_total", Counter,
        "Connections that ended, by line and reason.";
    SESSIONS_REFUSED = "pointsman_sessions_refused_total", Counter,
        "Connections that were turned away, by line and reason.";
    SESSIONS_SLOWED = "pointsman_sessions_slowed_total", Counter,
        "Times a connection began to be read more slowly for its nonsense, by line.";
    ADDRESSES_SENT_AWAY = "pointsman_addresses_sent_away_total", Counter,
        "Times an address was not let in for a while for its nonsense, by line.";
    CONNECT_FAILURES = "pointsman_connect_failures_total", Counter,
        "Calls to a bank that failed, by line.";
    JOURNAL_SYNC_SECONDS = "pointsman_journal_sync_seconds", Histogram,
        "Time of one group commit: write and fdatasync.";
    JOURNAL_RECORDS = "pointsman_journal_records_total", Counter,
        "Records made durable.";
    JOURNAL_FULL = "pointsman_journal_full", Gauge,
        "1 while new requests are declined because no journal segment can be made.";
    JOURNAL_FREE_BYTES = "pointsman_journal_free_bytes", Gauge,
        "Bytes free on the journal's disk.";
    JOURNAL_LAG = "pointsman_journal_lag_records", Gauge,
        "Records decided and not yet durable.";
    CHECKPOINT_SECONDS = "pointsman_checkpoint_seconds", Histogram,
        "Time to write a checkpoint, on a thread of its own.";
    CHECKPOINT_PAUSE_SECONDS = "pointsman_checkpoint_pause_seconds", Histogram,
        "Time the switch stood still for a checkpoint.";
    CHECKPOINTS_FAILED = "pointsman_checkpoints_failed_total", Counter,
        "Checkpoints that could not be written: restarts take longer.";
    SEGMENTS_RETIRED = "pointsman_journal_segments_retired_total", Counter,
        "Segments the journal keeps no longer, by what became of the file (spare, removed).";
    ACCEPTED_LOSSES = "pointsman_journal_accepted_losses", Gauge,
        "Places of the journal that damage took, and an operator accepted, ever.";
    GATE_HELD = "pointsman_gate_held", Gauge,
        "Messages that wait for their record to be durable.";
    SAF_DEPTH = "pointsman_saf_depth", Gauge,
        "Messages owed to a bank, by bank.";
    SAF_OLDEST_SECONDS = "pointsman_saf_oldest_seconds", Gauge,
        "Age of the oldest message owed to a bank, by bank; 0 where none is.";
    UNKNOWN_OUTCOMES = "pointsman_unknown_outcomes", Gauge,
        "Transactions of which nobody knows now whether the bank did them, by bank.";
    DEAD_LETTERS = "pointsman_dead_letters", Gauge,
        "Messages that are not sent any more until an operator decides, by bank.";
    BANK_BREAKER = "pointsman_bank_breaker", Gauge,
        "Whether a bank is not asked, but for trials, because it answers nothing, by bank.";
    ON_DESK = "pointsman_on_desk_total", Counter,
        "Items put before an operator, by bank and cause. Alarm on every new one.";
    UNLISTED_CODES = "pointsman_unlisted_codes_total", Counter,
        "Answers with a code that no list has, by bank: they prove nothing. Alarm on them.";
    DESK_DECISIONS = "pointsman_desk_decisions_total", Counter,
        "Operators' decisions, by verb and result (done, refused).";
    LATE_RESPONSES = "pointsman_late_responses_total", Counter,
        "Answers that came after their transaction had been decided, by bank and meaning.";
    DUPLICATE_RESPONSES = "pointsman_duplicate_responses_total", Counter,
        "Answers that came a second time, by bank.";
    UNMATCHED_RESPONSES = "pointsman_unmatched_responses_total", Counter,
        "Answers that fitted nothing known, by bank.";
    TIMEOUTS = "pointsman_timeouts_total", Counter,
        "Bank legs that passed their deadline after they were sent, by bank.";
    REVERSALS = "pointsman_reversals_total", Counter,
        "Reversals, by bank and step (queued, recovered, closed).";
    RECONCILIATIONS = "pointsman_reconciliations_total", Counter,
        "Totals compared with a bank, by bank and result (in_balance, out_of_balance).";
    DATES_IGNORED = "pointsman_dates_ignored_total", Counter,
        "Cutovers to a business date that is past, far away or none, by bank: the date stayed.";
    REPEATS = "pointsman_repeats_total", Counter,
        "Requests that a platform repeated, by platform.";
    CONFLICTS = "pointsman_duplicate_conflicts_total", Counter,
        "Requests with a known key and other content, refused, by platform.";
    UNCLEAR_ORIGINALS = "pointsman_unclear_originals_total", Counter,
        "Messages whose original is not clear, by platform and reason (never_sent, or a cause).";
    DESK_FULL = "pointsman_desk_full_total", Counter,
        "Messages not taken because their platform has too much on the desk, by platform.";
    CLOCK_SKEW = "pointsman_clock_skew_total", Counter,
        "Requests older than the duplicate window, by platform and result (processed, refused).";
    GARBLED = "pointsman_garbled_total", Counter,
        "Messages that could not be understood, by line.";
    NETWORK = "pointsman_network_total", Counter,
        "Network management, by line, function and result.";
    KEYS_REFUSED = "pointsman_keys_refused_total", Counter,
        "Sign-ons that brought no keys or wrong ones, by line.";
    NOT_SENT = "pointsman_not_sent_total", Counter,
        "Messages that stayed behind, by line and reason.";
    PIN_DECLINED = "pointsman_pin_declined_total", Counter,
        "Requests declined because their PIN cannot be translated, by bank.";
    NO_PLACE = "pointsman_no_place_total", Counter,
        "Requests and advices with money that the bank's dialect has no place for, by bank.";
    DECLINES_KEPT = "pointsman_declined_advices_kept_total", Counter,
        "Advices of declines, acknowledged and not forwarded, by bank.";
    STANS_EXHAUSTED = "pointsman_stans_exhausted_total", Counter,
        "Requests declined because no STAN was free, by bank.";
    AUDIT_VIOLATIONS = "pointsman_audit_violations_total", Counter,
        "Rules of money that the live audit found broken, by rule. Must stay 0.";
    AUDIT_RESTARTS = "pointsman_audit_restarts_total", Counter,
        "Times the live audit fell behind and began anew.";
    ADMIN_REFUSED = "pointsman_admin_refused_total", Counter,
        "Requests to the admin listener that were refused, and connections, by reason.";
    LOG_LOST = "pointsman_log_lost_total", Counter,
        "Log lines that were lost, by reason (full: too many waited; failed: not written).";
    IMPOSSIBLE = "pointsman_impossible_total", Counter,
        "Inputs that are impossible in their state: a bug. Must stay 0.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_say_their_unit() {
        for (at, (name, kind, meaning)) in ALL.iter().enumerate() {
            assert!(name.starts_with("pointsman_") && meaning.ends_with('.'), "{name}");
            assert_eq!(*kind == MetricKind::Counter, name.ends_with("_total"), "{name}");
            let in_seconds = name.ends_with("_seconds");
            assert!(in_seconds || *kind != MetricKind::Histogram, "{name}");
            assert!(ALL[..at].iter().all(|(other, ..)| other != name), "{name} twice");
        }
    }
}
