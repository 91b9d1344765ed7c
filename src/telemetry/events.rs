//! What the core says happened, as metrics and log lines.
//!
//! An event becomes one line at most.

use super::meters::{LineMeters, Meters};
use super::names;
use crate::switch::ids::Name;
use crate::switch::input::Unsent;
use crate::switch::output::Event;
use crate::switch::record::Cause;
use std::collections::BTreeMap;
use tracing::{debug, error, info, trace, warn};

/// Takes events and remembers the handles of their metrics.
#[derive(Debug, Default)]
pub struct Watch {
    meters: Meters,
    lines: BTreeMap<Name, LineMeters>,
}

impl Watch {
    /// One event.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Answered { platform, bank, txn, outcome, bank_micros, own_micros } => {
                self.meters.request(*platform, *bank, outcome);
                self.meters.times(*bank, *bank_micros, *own_micros);
                trace!(%platform, bank = ?bank, txn = ?txn, outcome, own_micros, "answered");
            }
            Event::Repeat { platform, txn } => {
                self.meters.count(names::REPEATS, "platform", *platform, None);
                trace!(%platform, %txn, "a repeat");
            }
            Event::DuplicateConflict { .. }
            | Event::UnclearOriginal { .. }
            | Event::DeskFull { .. }
            | Event::ClockSkew { .. } => self.platform_event(event),
            Event::LineReady { .. }
            | Event::LineOff { .. }
            | Event::LineLost { .. }
            | Event::Network { .. }
            | Event::KeysRefused { .. } => self.line_event(event),
            Event::Garbled { line, at } => {
                self.meters.count(names::GARBLED, "line", *line, None);
                warn!(%line, %at, "a message that cannot be understood");
            }
            Event::NotSent { line, why } => {
                self.meters.count(names::NOT_SENT, "line", *line, Some(("reason", word(why))));
                match why {
                    // Our configuration or our bug: it will stay behind every time.
                    Unsent::Unpackable(_) => warn!(%line, ?why, "a message cannot be written"),
                    _ => debug!(%line, ?why, "a message stayed behind"),
                }
            }
            Event::Impossible { what } => {
                metrics::counter!(names::IMPOSSIBLE).increment(1);
                error!(what, "impossible: this is a bug");
            }
            Event::ReloadRefused(why) => warn!("reload rejected, the old one runs on: {why}"),
            Event::DeskDecided { item, no, operator, verb } => {
                metrics::counter!(names::DESK_DECISIONS, "verb" => verb.word(), "result" => "done")
                    .increment(1);
                info!(%item, record = %no, %operator, verb = verb.word(), "desk: decided");
            }
            Event::DeskRefused(refusal) => {
                metrics::counter!(
                    names::DESK_DECISIONS, "verb" => refusal.verb.word(), "result" => "refused"
                )
                .increment(1);
                let (item, state) = (refusal.item, refusal.state.word());
                warn!(%item, state, "desk: refused: {refusal}");
            }
            Event::DeskSwept { decided, refused, .. } => {
                info!(decided, refused, "desk: many at once");
            }
            Event::TimedOut { .. }
            | Event::ReversalQueued { .. }
            | Event::ReversalClosed { .. }
            | Event::OnDesk { .. }
            | Event::PinDeclined { .. }
            | Event::NoPlace { .. }
            | Event::DeclineKept { .. }
            | Event::Reconciled { .. }
            | Event::DateIgnored { .. }
            | Event::StansExhausted { .. } => self.bank_event(event),
            Event::BreakerOpened { .. } | Event::BreakerClosed { .. } => breaker_event(event),
            Event::LateAnswer { .. }
            | Event::DuplicateAnswer { .. }
            | Event::UnmatchedAnswer { .. }
            | Event::UnlistedCode { .. } => self.answer_event(event),
        }
    }

    fn platform_event(&mut self, event: &Event) {
        match event {
            Event::DuplicateConflict { platform } => {
                self.meters.count(names::CONFLICTS, "platform", *platform, None);
                warn!(%platform, "a known key with other content: refused");
            }
            Event::UnclearOriginal { platform, stan, terminal, cause } => {
                let reason = cause.map_or("never_sent", Cause::word);
                let detail = Some(("reason", reason));
                self.meters.count(names::UNCLEAR_ORIGINALS, "platform", *platform, detail);
                let terminal = terminal.unwrap_or_default();
                match cause {
                    Some(cause) => warn!(%platform, stan, %terminal, "not sent: {cause}"),
                    None => warn!(%platform, stan, %terminal, "a reversal of what never came"),
                }
            }
            Event::DeskFull { platform, items, first } => {
                self.meters.count(names::DESK_FULL, "platform", *platform, None);
                if *first {
                    warn!(
                        %platform, items,
                        "the desk has desk_items_max of this platform's originals that nobody \
                         knows: more of them are not acknowledged until some are decided"
                    );
                }
            }
            Event::ClockSkew { platform, processed } => {
                let result = if *processed { "processed" } else { "refused" };
                self.meters.count(
                    names::CLOCK_SKEW,
                    "platform",
                    *platform,
                    Some(("result", result)),
                );
                warn!(%platform, result, "a new request is stamped long ago: is a clock wrong?");
            }
            _ => {}
        }
    }

    fn line_event(&mut self, event: &Event) {
        match event {
            Event::LineReady { line } => {
                self.line(*line).up(true);
                info!(%line, "line up");
            }
            Event::LineOff { line } => {
                self.line(*line).up(false);
                warn!(%line, "line signed off");
            }
            Event::LineLost { line } => {
                self.line(*line).up(false);
                info!(%line, "line down");
            }
            Event::Network { line, function, ok } => {
                let result = if *ok { "ok" } else { "failed" };
                self.meters.count(names::NETWORK, "line", *line, Some(("result", result)));
                if *ok {
                    debug!(%line, ?function, "network management");
                } else {
                    warn!(%line, ?function, "network management failed");
                }
            }
            Event::KeysRefused { line, terminal } => {
                self.meters.count(names::KEYS_REFUSED, "line", *line, None);
                let terminal = terminal.unwrap_or_default();
                warn!(%line, %terminal, "a sign-on brought no keys or wrong ones: no traffic; \
                    is the configured master key the bank's?");
            }
            _ => {}
        }
    }

    fn bank_event(&mut self, event: &Event) {
        match event {
            Event::TimedOut { bank, txn } => {
                self.meters.count(names::TIMEOUTS, "bank", *bank, None);
                debug!(%bank, %txn, "no answer in time");
            }
            Event::ReversalQueued { bank, txn, recovered } => {
                let step = if *recovered { "recovered" } else { "queued" };
                self.meters.count(names::REVERSALS, "bank", *bank, Some(("step", step)));
                debug!(%bank, %txn, recovered, "reversal queued");
            }
            Event::ReversalClosed { bank, txn, tries } => {
                self.meters.count(names::REVERSALS, "bank", *bank, Some(("step", "closed")));
                debug!(%bank, %txn, tries, "reversal closed");
            }
            Event::OnDesk { bank, txn, amount, cause } => {
                let word = cause.map_or("no_answer", Cause::word);
                self.meters.count(names::ON_DESK, "bank", *bank, Some(("cause", word)));
                let cause = cause.map(|cause| cause.to_string()).unwrap_or_default();
                warn!(%bank, %txn, ?amount, cause, "in doubt: an operator has to decide");
            }
            Event::DeclineKept { bank } => {
                self.meters.count(names::DECLINES_KEPT, "bank", *bank, None);
                debug!(%bank, "an advice of a decline: not forwarded");
            }
            Event::PinDeclined { bank } => {
                self.meters.count(names::PIN_DECLINED, "bank", *bank, None);
                debug!(%bank, "declined: its PIN cannot be translated");
            }
            Event::NoPlace { bank, platform, stan, terminal, field } => {
                self.meters.count(names::NO_PLACE, "bank", *bank, None);
                warn!(%bank, %platform, stan, %terminal, "F{field} states money that the bank's \
                    dialect has no place for: not sent");
            }
            Event::Reconciled { bank, balanced } => {
                let result = if *balanced { "in_balance" } else { "out_of_balance" };
                self.meters.count(names::RECONCILIATIONS, "bank", *bank, Some(("result", result)));
                if *balanced {
                    info!(%bank, "totals are in balance");
                } else {
                    warn!(%bank, "totals are OUT OF BALANCE: both sides stand in the journal");
                }
            }
            Event::DateIgnored { bank, stated, current } => {
                self.meters.count(names::DATES_IGNORED, "bank", *bank, None);
                let stated = stated.map(|day| day.to_string()).unwrap_or_default();
                warn!(%bank, %stated, %current, "the bank names a business date that is past, far \
                    away or none: its date stays");
            }
            Event::StansExhausted { bank } => {
                self.meters.count(names::STANS_EXHAUSTED, "bank", *bank, None);
                warn!(%bank, "no STAN is free");
            }
            _ => {}
        }
    }

    fn answer_event(&mut self, event: &Event) {
        match event {
            Event::LateAnswer { bank, txn, approved } => {
                let meaning = if *approved { "approved" } else { "declined" };
                self.meters.count(names::LATE_RESPONSES, "bank", *bank, Some(("meaning", meaning)));
                debug!(%bank, %txn, approved, "late answer");
            }
            Event::DuplicateAnswer { bank, txn } => {
                self.meters.count(names::DUPLICATE_RESPONSES, "bank", *bank, None);
                debug!(%bank, %txn, "the same answer once more");
            }
            Event::UnmatchedAnswer { bank } => {
                self.meters.count(names::UNMATCHED_RESPONSES, "bank", *bank, None);
                warn!(%bank, "an answer that fits nothing we know");
            }
            Event::UnlistedCode { bank, code, first } => {
                self.meters.count(names::UNLISTED_CODES, "bank", *bank, None);
                if *first {
                    warn!(%bank, %code, "a code that no list has: it proves nothing; what does \
                        the bank mean by it?");
                } else {
                    debug!(%bank, %code, "a code that no list has");
                }
            }
            _ => {}
        }
    }

    /// The meters of a line.
    pub fn line(&mut self, line: Name) -> &LineMeters {
        self.lines.entry(line).or_insert_with(|| LineMeters::new(line))
    }
}

/// A bank is not asked any more, or asked again: rare, and one line each.
fn breaker_event(event: &Event) {
    match event {
        Event::BreakerOpened { bank, line, unanswered, since } => {
            warn!(%bank, %line, unanswered, %since, "the bank answers nothing: it is not asked, \
                but tried now and then");
        }
        Event::BreakerClosed { bank, line, unanswered, since } => {
            warn!(%bank, %line, unanswered, %since, "the bank answers: it is asked again");
        }
        _ => {}
    }
}

fn word(why: &Unsent) -> &'static str {
    match why {
        Unsent::Cancelled => "cancelled",
        Unsent::TooLate => "too_late",
        Unsent::NoSession => "no_session",
        Unsent::QueueFull => "queue_full",
        Unsent::Unpackable(_) => "unpackable",
        Unsent::JournalFailed => "journal_failed",
    }
}
