//! What is older than the memory of requests: repeats, reversals, and what refers to it, after
//! the journal was asked.
//!
//! Contract: a request that the memory does not have and that may be older than it reaches is
//! new only when the journal has none of its name either. While the journal is asked the world
//! goes on: every answer is judged against the memory first. Deliberately absent: how records
//! are found ([`super::recall`], and the shell's index).

use super::ids::{Name, RecordNo, TxnNo};
use super::inflight::Requester;
use super::library::{Coverage, Recalled};
use super::memory::{Past, Remembered};
use super::output::{Event, RecallKey};
use super::questions::Recalling;
use super::recall::{REFUND_DAYS, REPEAT_DAYS, is_named, takes_back};
use super::record::{Outcome, Record};
use super::stamps::own_stamp;
use super::{Switch, anchors, duplicates, reply};
use crate::canonical::{Canonical, Flow, Kind, Reason};
use std::time::Duration;

/// How far a platform's clock may be ahead of ours: `F7` tells whether the memory still covers a
/// request.
const SKEW: Duration = Duration::from_secs(60);

/// What the journal has of a transaction.
pub(super) type Found = Option<(RecordNo, Box<Record>)>;

/// What became of a transaction, as the journal has it.
pub(super) enum Became {
    /// Granted, and nobody took it back.
    Granted(RecordNo, Outcome),
    /// Ended otherwise.
    Denied(RecordNo, Outcome),
    /// A reversal is owed or done.
    TakenBack,
    /// Part of it is or will be taken back; the rest stands.
    PartlyTakenBack,
    /// It has not ended, or its end is not on disk any more.
    Unknown,
}

impl Switch {
    /// Whether the memory of requests might have forgotten this one. A repeat says so itself; of
    /// others their stamp tells, compared with our clock and with the newest stamp of its platform
    /// among what was forgotten, which is right whatever that platform's clock shows. Without a
    /// stamp nothing tells, and names that carry no time come again.
    pub(super) fn may_be_forgotten(&self, platform: &Name, msg: &Canonical) -> bool {
        let Some(since) = self.remembered_since else { return false };
        let covered = self.now.mono.since(since);
        let skew = SKEW.min(covered / 2);
        let age = msg.transmission.and_then(|f7| super::stamps::age_of(&f7, self.now.wall));
        let stamp = own_stamp(&reply::origin_of(msg), self.now.wall);
        age.is_some_and(|age| age >= covered - skew)
            || stamp.is_some_and(|stamp| self.state.memory.may_have_forgotten(platform, stamp))
    }

    /// Asks the journal for a request's own name; what may be stamped anew also for its trace
    /// number and card.
    pub(super) fn ask_for_own(&mut self, requester: Requester, msg: Box<Canonical>, name: u64) {
        let days = self.days_to_ask(&msg);
        let key = if self.may_be_restamped(&requester, &msg) {
            let trace = |pan| anchors::by_trace(msg.stan.unwrap_or_default(), pan);
            let trace = msg.pan.as_ref().map(trace).unwrap_or_default();
            let (names, anchors) = ([name, 0, 0, 0], [trace, 0, 0, 0]);
            RecallKey::Meant { names, anchors, reference: 0, days }
        } else {
            RecallKey::Key { names: [name, 0, 0, 0], days }
        };
        let since = self.state.last;
        self.recall(key, Recalling::Own { requester, msg, name, since });
    }

    /// As far as repeats come, or as far as its own stamp is back.
    fn days_to_ask(&self, msg: &Canonical) -> u16 {
        let age = msg.transmission.and_then(|f7| super::stamps::age_of(&f7, self.now.wall));
        let days = age.map_or(0, |age| age.as_secs() / 86_400 + 3);
        u16::try_from(days).unwrap_or(REFUND_DAYS).clamp(REPEAT_DAYS, REFUND_DAYS)
    }

    /// The journal was asked for a request's own name.
    pub(super) fn own_recalled(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        (name, since): (u64, RecordNo),
        recalled: Recalled,
    ) {
        let waits = self.air.waiting_names.get(name).is_some();
        if waits || self.state.memory.find(name).is_some() {
            // It was repeated or reversed while the journal was asked.
            return self.asked_again(from, msg);
        }
        let named = recalled.records.iter().rev().find(|(_, record)| is_named(record, name));
        match named {
            Some((no, record)) => {
                let (no, record) = (*no, record.clone());
                self.own_found(from, msg, name, (no, record));
            }
            None if self.may_be_restamped(&from, &msg) => {
                self.restamped(from, msg, since, &recalled);
            }
            None => self.not_found_either(from, msg, recalled.coverage),
        }
    }

    /// A record of its own name.
    fn own_found(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        name: u64,
        (no, record): (RecordNo, Box<Record>),
    ) {
        let content = |pan, code, amount| duplicates::content(pan, code, amount);
        let code = msg.processing_code.as_ref();
        let asked = content(msg.pan.as_ref(), code, msg.amount);
        match *record {
            Record::Intent(i) => {
                if asked != i.likeness.content() {
                    return self.conflict(from, msg, Some(no));
                }
                self.join(from, msg, no);
            }
            Record::Queued(q) if super::recall::tombstone(&q) == Some(name) => {
                self.comes_after(from, msg, &[(no, q)]);
            }
            Record::Queued(q) => {
                let code = q.facts.processing_code.as_ref();
                if asked != content(q.pan.as_ref(), code, q.amount) {
                    return self.conflict(from, msg, Some(no));
                }
                self.repeat_event(&from, no);
                self.answer_own(&from, msg, Reason::Accepted, Some(no));
            }
            Record::Refused(r) => {
                let code = r.processing_code.as_ref();
                if asked != content(r.pan.as_ref(), code, r.amount) {
                    return self.conflict(from, msg, Some(no));
                }
                self.repeat_event(&from, no);
                self.answer_own(&from, msg, r.reason, None);
            }
            _ => self.impossible("a record of another name than the one asked for"),
        }
    }

    /// A repeat of what the journal has: joins it, or hears what became of it.
    pub(super) fn join(&mut self, from: Requester, msg: Box<Canonical>, txn: RecordNo) {
        self.repeat_event(&from, txn);
        if self.state.open.contains(txn) {
            return self.repeat_in_flight(from, msg, txn);
        }
        if let Some(slot) = self.air.slot_of(txn) {
            return self.repeat_of_grant(from, msg, slot);
        }
        let key = RecallKey::Ending { txn, days: REPEAT_DAYS };
        self.recall(key, Recalling::Told { requester: from, msg, txn });
    }

    /// Nobody has seen it: new, or too old to begin now.
    pub(super) fn not_found_either(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        coverage: Coverage,
    ) {
        if msg.flow != Flow::Request {
            return self.fresh(from, msg);
        }
        if self.may_have_been_declined(&msg) {
            return self.refuse(&from, msg, Reason::OriginalNotFound, None, None);
        }
        if self.is_aged(&msg) {
            // A wrong clock alone refuses nobody: it is new as far as the records reach.
            let platform = self.platform_name(&from).unwrap_or_default();
            let processed = self.reaches_back(&msg, coverage);
            self.event(Event::ClockSkew { platform, processed });
            if !processed {
                return self.refuse(&from, msg, Reason::SystemError, None, None);
            }
        }
        self.fresh(from, msg);
    }

    /// Whether a request of this stamp would be among the records, had it ever come.
    fn reaches_back(&self, msg: &Canonical, coverage: Coverage) -> bool {
        const SKEW_S: i64 = 3_600;
        let Some(since) = coverage.since.max(self.state.gap.since) else { return true };
        let now = self.now.wall;
        let at = msg.transmission.and_then(|f7| super::stamps::moment(f7.as_bytes(), now));
        at.is_some_and(|at| at - SKEW_S >= since.millis().div_euclid(1_000))
    }

    /// What refers to another transaction is judged again from the beginning.
    pub(super) fn asked_again(&mut self, from: Requester, msg: Box<Canonical>) {
        match (msg.kind, msg.flow) {
            (Kind::Reversal(_), _) => self.platform_reversal(from, msg),
            (_, Flow::Request) => self.request(from, msg),
            _ => self.platform_advice(from, msg),
        }
    }

    /// The end of a repeated request was asked for: told again, unless it was taken back.
    pub(super) fn told_recalled(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        txn: TxnNo,
        found: Found,
    ) {
        match self.became(txn, found) {
            Became::TakenBack | Became::PartlyTakenBack => {
                self.answer_own(from, msg, Reason::Reversed, None);
            }
            Became::Granted(no, outcome) | Became::Denied(no, outcome) => {
                self.tell_again(from, msg, no, &outcome);
            }
            Became::Unknown => self.answer_own(from, msg, Reason::SystemError, None),
        }
    }

    /// What became of a transaction, from the journal and from what came since.
    pub(super) fn became(&self, txn: TxnNo, found: Found) -> Became {
        let past = self.state.memory.of(txn).map(Remembered::past);
        if past == Some(Past::PartlyReversed) || self.partial_at_work(txn).is_some() {
            return Became::PartlyTakenBack;
        }
        if self.state.chains.contains_key(&txn) || past == Some(Past::Reversed) {
            return Became::TakenBack;
        }
        match found.map(|(no, record)| (no, *record)) {
            Some((_, Record::Queued(queued)))
                if queued.replacement.is_some() && queued.txn == Some(txn) =>
            {
                Became::PartlyTakenBack
            }
            Some((_, record)) if takes_back(&record) == Some(txn) => Became::TakenBack,
            Some((no, Record::Outcome(outcome))) if outcome.leg.grants() => {
                Became::Granted(no, outcome)
            }
            Some((no, Record::Outcome(outcome))) => Became::Denied(no, outcome),
            _ => Became::Unknown,
        }
    }
}
