//! What is known of the original of a reversal that is owed, as the records tell it.
//!
//! Contract: first what was known when the reversal became owed, which its record says; then what
//! the original's answer, a late answer or the end of the advice add. Knowledge decides what "not
//! found" proves ([`super::proof`]): what a bank did itself it cannot be without.

use super::Switch;
use super::ids::{RecordNo, TxnNo};
use super::memory::{Past, Remembered};
use super::proof::Knowledge;
use super::record::{Closed, Ending, Late, Leg, Outcome, Owed, Queued};
use super::state::{Entry, State};

impl State {
    fn reversal_at_work(&mut self, of: TxnNo) -> Option<&mut Entry> {
        let entry = self.chains.get(&of)?;
        self.saf.get_mut(entry)
    }

    /// The original was answered, or never will be.
    pub(super) fn learn_from_outcome(&mut self, outcome: &Outcome) {
        let class = match outcome.leg {
            Leg::Approved | Leg::PartiallyApproved | Leg::LateApproved | Leg::InvalidAnswer => {
                outcome.class
            }
            Leg::NotSent
            | Leg::SentUnknown
            | Leg::Declined
            | Leg::Refused
            | Leg::LateDeclined
            | Leg::StoodIn
            | Leg::Acknowledged => return,
        };
        if let Some(entry) = self.reversal_at_work(outcome.txn) {
            entry.knows = entry.knows.told_by(class);
        }
    }

    /// An answer to the original came after all.
    pub(super) fn learn_from_late(&mut self, late: &Late) {
        let Some(entry) = late.txn.and_then(|txn| self.reversal_at_work(txn)) else { return };
        entry.knows = match late.leg {
            Leg::LateApproved => Knowledge::Approved,
            Leg::InvalidAnswer => entry.knows.told_by(late.class),
            _ => entry.knows,
        };
    }

    /// An advice ended: the bank has it, or nobody can say so.
    pub(super) fn learn_from_advice(&mut self, closed: &Closed, advice: &Queued) {
        if advice.owed != Owed::Repeat || self.chains.is_empty() {
            return;
        }
        let of = advice.stands_in_for().unwrap_or(closed.entry);
        if let Some(entry) = self.reversal_at_work(of) {
            let acknowledged = closed.ending == Ending::Acknowledged;
            entry.knows = if acknowledged { Knowledge::Acknowledged } else { Knowledge::Unknown };
        }
    }
}

impl Switch {
    /// What is known of a transaction or an advice that is about to be reversed. What only the
    /// journal remembers was granted: nothing else of it is reversed.
    pub(super) fn known_of(&self, txn: TxnNo) -> Knowledge {
        let state = &self.state;
        let undecided = state.open.contains(txn) || state.unanswered.contains_key(&txn);
        if undecided || state.saf.contains_key(&txn) || self.dead_advice_of(txn).is_some() {
            return Knowledge::Unknown;
        }
        match state.memory.of(txn).map(Remembered::past) {
            Some(Past::Acknowledged) => Knowledge::Acknowledged,
            Some(Past::Denied | Past::Refused | Past::Tombstone) => Knowledge::Unknown,
            // `Open`: the debit of a top-up, whose credit decides.
            Some(Past::Open | Past::Granted | Past::Reversed | Past::PartlyReversed) | None => {
                Knowledge::Approved
            }
        }
    }

    /// The dead letter that should have told the bank of this: itself an advice, or what was
    /// decided in the bank's place.
    fn dead_advice_of(&self, txn: TxnNo) -> Option<RecordNo> {
        let dead = self.state.dead.range(txn..);
        let of = |no: &RecordNo, queued: &Queued| {
            queued.owed == Owed::Repeat && (*no == txn || queued.stands_in_for() == Some(txn))
        };
        dead.filter(|(no, letter)| of(no, &letter.queued)).map(|(no, _)| *no).next()
    }
}
