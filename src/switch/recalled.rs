//! What is older than the memory of requests: repeats, reversals, and what refers to it, after
//! the journal was asked.
//!
//! Contract: a request that the memory does not have and that may be older than it reaches is
//! new only when the journal has none of its name either. While the journal is asked the world
//! goes on: every answer is judged against the memory first. Deliberately absent: how records
//! are found ([`super::recall`], and the shell's index).

use super::duplicates;
use super::ids::{Name, RecordNo, TxnNo};
use super::inflight::Requester;
use super::memory::{Past, Remembered};
use super::output::RecallKey;
use super::questions::Recalling;
use super::recall::{REFERENCE_DAYS, REPEAT_DAYS, takes_back};
use super::record::{Intent, Outcome, Record};
use super::reversal::Reversing;
use super::stamps::own_stamp;
use super::{Switch, reply};
use crate::canonical::{Canonical, Flow, Kind, Reason, TransactionType};
use std::sync::Arc;
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
        if msg.repeat {
            return true;
        }
        let covered = self.now.mono.since(since);
        let skew = SKEW.min(covered / 2);
        let age = msg.transmission.and_then(|f7| super::stamps::age_of(&f7, self.steady_wall()));
        let stamp = own_stamp(&reply::origin_of(msg), self.steady_wall());
        age.is_some_and(|age| age >= covered - skew)
            || stamp.is_some_and(|stamp| self.state.memory.may_have_forgotten(platform, stamp))
    }

    /// Asks the journal for a request's own name.
    pub(super) fn ask_for_own(&mut self, requester: Requester, msg: Box<Canonical>, name: u64) {
        let key = RecallKey::Key { names: [name, 0, 0, 0], days: REPEAT_DAYS };
        self.recall(key, Recalling::Own { requester, msg, name });
    }

    /// The journal was asked for a request's own name.
    pub(super) fn own_recalled(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        name: u64,
        found: Found,
    ) {
        let waits = self.air.waiting_names.get(name).is_some();
        if waits || self.state.memory.find(name).is_some() {
            // It was repeated or reversed while the journal was asked.
            return self.asked_again(from, msg);
        }
        let Some((no, record)) = found else {
            return if msg.flow == Flow::Request {
                self.not_found_either(from, msg)
            } else {
                self.fresh(from, msg)
            };
        };
        let content = |pan, code, amount| duplicates::content(pan, code, amount);
        let code = msg.processing_code.as_ref();
        let asked = content(msg.pan.as_ref(), code, msg.amount);
        match *record {
            Record::Intent(i) => {
                if asked != i.likeness.content() {
                    return self.conflict(from, msg, Some(no));
                }
                self.repeat_event(&from, no);
                if self.state.open.contains(no) {
                    return self.repeat_in_flight(from, msg, no);
                }
                let key = RecallKey::Ending { txn: no, days: REPEAT_DAYS };
                self.recall(key, Recalling::Told { requester: from, msg, txn: no });
            }
            Record::Queued(q) if super::recall::tombstone(&q) == Some(name) => {
                self.refuse(&from, msg, Reason::Reversed, Some(no), None);
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

    /// Nobody has seen it: too old to begin now, or new.
    fn not_found_either(&mut self, from: Requester, msg: Box<Canonical>) {
        if self.is_stale(&msg) {
            return self.refuse(&from, msg, Reason::OriginalNotFound, None, None);
        }
        self.fresh(from, msg);
    }

    /// What refers to another transaction is judged again from the beginning.
    pub(super) fn asked_again(&mut self, from: Requester, msg: Box<Canonical>) {
        match msg.flow {
            Flow::Request => self.request(from, msg),
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

    /// The journal has an intent of the name that a platform's reversal gave; its end is next.
    pub(super) fn ask_for_ending(&mut self, reversing: Reversing, txn: TxnNo, intent: Arc<Intent>) {
        let key = RecallKey::Ending { txn, days: REPEAT_DAYS };
        self.recall(key, Recalling::OldReversed(Box::new((reversing, txn, intent))));
    }

    /// The end of an old original that its platform reverses.
    pub(super) fn old_reversed(
        &mut self,
        reversing: Reversing,
        txn: TxnNo,
        intent: &Arc<Intent>,
        found: Found,
    ) {
        let (from, msg) = reversing.into_parts();
        match self.became(txn, found) {
            Became::Granted(_, outcome) => {
                self.reverse_intent(&from, msg, txn, intent, None, outcome.auth_id);
            }
            // Nothing stands at the bank, or its reversal is on its way, or an operator has it.
            Became::TakenBack | Became::Denied(..) => self.taken_back_already(&from, msg, txn),
            Became::PartlyTakenBack if self.state.chains.contains_key(&txn) => {
                self.taken_back_already(&from, msg, txn);
            }
            // Better one reversal too many: the bank knows what stands.
            Became::PartlyTakenBack | Became::Unknown => {
                self.reverse_intent(&from, msg, txn, intent, None, None)
            }
        }
    }

    /// The end of what a void, completion or refund refers to: only what stands can be referred
    /// to.
    pub(super) fn referred_ended(
        &mut self,
        from: Requester,
        mut msg: Box<Canonical>,
        referred: (TxnNo, Arc<Intent>),
        found: Found,
    ) {
        let name = self.platform_name(&from).unwrap_or_default();
        let own = duplicates::fingerprint(&name, &reply::origin_of(&msg));
        if self.air.waiting_names.get(own).is_some() || self.state.memory.find(own).is_some() {
            return self.asked_again(from, msg);
        }
        match self.became(referred.0, found) {
            Became::Granted(..) | Became::PartlyTakenBack if msg.flow != Flow::Request => {
                self.advise(from, msg, Some(referred.1));
            }
            Became::Granted(..) | Became::PartlyTakenBack => {
                self.admit(from, msg, Some(referred));
            }
            _ if msg.flow != Flow::Request => self.advise(from, msg, None),
            _ if msg.kind == Kind::Transaction(TransactionType::Refund) => {
                msg.original = None;
                self.admit(from, msg, None);
            }
            _ => self.refuse(&from, msg, Reason::OriginalNotFound, Some(referred.0), None),
        }
    }

    /// Asks what became of the transaction that a message refers to.
    pub(super) fn ask_for_referred(
        &mut self,
        requester: Requester,
        msg: Box<Canonical>,
        txn: TxnNo,
        intent: Arc<Intent>,
    ) {
        let key = RecallKey::Ending { txn, days: REFERENCE_DAYS };
        self.recall(key, Recalling::ReferredEnded { requester, msg, referred: (txn, intent) });
    }
}
