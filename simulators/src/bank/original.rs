//! An original as a bank remembers it, and what it compares with what comes later.
//!
//! Contract: pure; undone at most once, and never by more than stands. Deliberately absent: who
//! looks for it (`book`).

use super::book::Reply;
use super::business::Business;
use super::habits::UNLISTED;
use super::ledger::Key;
use crate::msg::Msg;
use pointsman::sensitive::Pan;

/// An original the bank has executed, or declined.
#[derive(Debug)]
pub(super) struct Original {
    pub(super) business: Business,
    pub(super) mti: String,
    pub(super) acquirer: String,
    pub(super) pan: Option<Pan>,
    pub(super) asked: u64,
    pub(super) local: String,
    pub(super) reply: Reply,
    /// What it moves now, after voids, completions and reversals.
    pub(super) standing: i64,
    /// What it took from the standing of another, to be given back when it is reversed.
    pub(super) took: Option<(Key, i64)>,
    pub(super) reversed: bool,
}

impl Original {
    /// Minor units that move back; `kept` of the asked amount stays.
    pub(super) fn undo(&mut self, kept: u64) -> i64 {
        let kept = self.standing.signum() * i64::try_from(kept.min(self.asked)).unwrap_or(0);
        let back = kept - self.standing;
        self.standing = kept;
        self.reversed = true;
        back
    }

    /// Whether `F90` is its MTI, STAN, `F7` and `F32`; without `F90` nothing is misnamed.
    pub(super) fn is_named_by(&self, msg: &Msg) -> bool {
        let f90 = msg.text(90);
        let part = |from, to| f90.get(from..to).unwrap_or_default();
        let acquirer = part(20, 31).trim_start_matches('0');
        f90.is_empty()
            || (part(0, 4) == self.mti && acquirer == self.acquirer.trim_start_matches('0'))
    }

    /// Whether `F4` is what was granted.
    pub(super) fn is_valued_by(&self, msg: &Msg) -> bool {
        msg.number(4).is_none_or(|f4| f4 == self.reply.amount.unwrap_or(self.asked))
    }

    /// Whether whoever sends this has its listed approval: it states the `F38`.
    pub(super) fn was_told_to(&self, msg: &Msg) -> bool {
        let told = Some(msg.text(38)).filter(|auth_id| !auth_id.is_empty());
        self.reply.code != UNLISTED && told == self.reply.auth_id.as_deref()
    }

    pub(super) fn is_same(&self, msg: &Msg) -> bool {
        self.asked == msg.number(4).unwrap_or(0)
            && self.pan == pan_of(msg)
            && self.local == local_time(msg)
    }
}

/// `F13` and `F12`, where there: tell two uses of one STAN within a batch apart.
pub(super) fn local_time(msg: &Msg) -> String {
    format!("{}{}", msg.text(13), msg.text(12))
}

/// What stays of the original after a partial reversal (`F95`, first twelve digits).
pub(super) fn kept_amount(msg: &Msg) -> u64 {
    msg.text(95).get(..12).and_then(|kept| kept.parse().ok()).unwrap_or(0)
}

/// `F2`, or the card number in track 2.
pub(super) fn pan_of(msg: &Msg) -> Option<Pan> {
    let track = || pointsman::sensitive::Track::new(msg.get(35)?).ok()?.pan();
    msg.get(2).and_then(|digits| Pan::new(digits).ok()).or_else(track)
}
