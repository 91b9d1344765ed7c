//! Answers of banks of which only the number can be read.
//!
//! Contract: what cannot be read proves nothing, and nobody waits for something better: a request
//! is declined and reversed at once, as by any other answer that cannot be used; a try of what is
//! owed has failed; a decided request is reversed, if need be again. Deliberately absent: where
//! the bytes went wrong (`link`).

use super::Switch;
use super::ids::{BankId, LineId};
use super::inflight::{Target, match_key};
use super::leg::Answered;
use super::txn::{Happening, Verdict};
use crate::canonical::{Canonical, Reason};

impl Switch {
    /// A bank said something that cannot be understood, in answer to something.
    pub(super) fn unreadable_answer(
        &mut self,
        (line, bank): (LineId, BankId),
        mut msg: Box<Canonical>,
    ) {
        // What could be read of it may be anybody's: its code is no knowledge.
        msg.answer = None;
        let Some(stan) = msg.stan else { return };
        match self.air.matches.get(match_key(bank, msg.kind.family(), stan)) {
            Some(Target::Flight(slot)) if self.is_awaited(slot, bank, line) => {
                let fault = Some(Reason::InvalidAnswer);
                let answer = Answered { msg, fault };
                self.happen(slot, Happening::Answered(Verdict::Invalid), Some(answer));
            }
            Some(Target::Decided(txn)) => self.answer_too_late(txn, bank, &msg),
            Some(Target::Saf(entry)) if self.saf_expects(entry, &msg, line) => {
                self.saf_failed_at_bank(bank, entry, true);
            }
            Some(Target::Flight(_) | Target::Saf(_)) | None => {}
        }
    }
}
