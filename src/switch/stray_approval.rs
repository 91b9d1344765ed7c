//! Approvals that fit nothing we know: a bank may have moved money that nobody waits for.
//!
//! Contract: each becomes an item of the desk, the same one once, and at most so many of a bank;
//! what goes beyond that stands in the journal and the inbox and is counted like all of them.
//! Deliberately absent: reversing it, for which its original would have to be known.

use super::Switch;
use super::answer::approves;
use super::ids::{Name, RecordNo};
use super::record::Cause;
use crate::canonical::{Canonical, Kind};
use crate::limits::STRAY_APPROVALS_MAX;

impl Switch {
    /// A bank's answer fits nothing: put before an operator where money may have moved.
    pub(super) fn stray_approval(&mut self, no: RecordNo, bank: &Name, msg: &Canonical) {
        let Kind::Transaction(of) = msg.kind else { return };
        let money = msg.flow.is_answer() && approves(msg) && of.has_money_effect();
        if !money || self.state.unmatched_approvals(bank) >= STRAY_APPROVALS_MAX {
            return;
        }
        if !self.is_on_desk_already(no) {
            self.put_on_desk(no, bank, no, msg.amount, Some(Cause::UnmatchedApproval));
        }
    }

    /// Whether the same answer came before and still stands there.
    fn is_on_desk_already(&self, no: RecordNo) -> bool {
        let mut newest = self.state.late.iter().rev();
        let Some(own) = newest.next().filter(|note| note.no == no).map(|note| &note.late) else {
            return false;
        };
        newest.any(|note| {
            let old = &note.late;
            let same = old.txn.is_none() && old.bank == own.bank && old.stan == own.stan;
            let same = same && old.kind == own.kind && old.amount == own.amount;
            same && old.auth_id == own.auth_id && self.state.desk.contains_key(&note.no)
        })
    }
}
