//! One request in the platform's memory, with its messages.
//!
//! Contract: pure; the ledger row follows every answer. Deliberately absent: what is due when
//! (`desk`).

use super::desk::Counts;
use super::ledger::{End, Extra, Request, is_approval};
use super::mix::repeat_of;
use crate::msg::Msg;
use std::time::Instant;

/// One request with its message, kept for repeats and reversals.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) request: Request,
    pub(super) msg: Msg,
    pub(super) reversal_msg: Option<Msg>,
    pub(super) left: Instant,
    pub(super) extra: Extra,
    pub(super) mistake_msg: Option<Msg>,
}

impl Row {
    pub(super) fn repeat(&mut self, counts: &mut Counts) -> Msg {
        self.request.repeats += 1;
        counts.repeats += 1;
        let mut msg = self.msg.clone();
        msg.mti = repeat_of(&msg.mti);
        msg
    }

    pub(super) fn settle(&mut self, msg: &Msg) {
        let given = |de| Some(msg.text(de).to_owned()).filter(|value| !value.is_empty());
        self.request.end = End::Answered;
        self.request.code = given(39);
        self.request.auth_id = given(38);
        self.request.answered_amount = msg.number(4);
    }

    /// Whether this answer is somebody else's, or grants what the one before did not, or the
    /// other way round. One decline after another is none: a repeat of what has been reversed
    /// meanwhile is declined for that reason.
    pub(super) fn note_contradiction(&mut self, msg: &Msg) {
        let other = [37, 41].into_iter().find(|de| {
            let (asked, told) = (self.msg.text(*de), msg.text(*de));
            !told.is_empty() && told != asked
        });
        let told = msg.text(39);
        let turns = |first: &&String| is_approval(first) != is_approval(told);
        let first = self.request.code.as_ref().filter(|_| self.request.reversal.is_none());
        let contradiction = match (other, first.filter(turns)) {
            (Some(de), _) => format!("F{de} is another request's"),
            (None, Some(first)) => format!("answered {first} first, then {told}"),
            (None, None) => return,
        };
        self.request.contradiction = Some(contradiction);
    }
}
