//! What was refused of late: its record may still be on its way to the disk.
//!
//! Contract: the journal answers from what is on disk, and a refusal is told before that. A repeat
//! that comes meanwhile is compared with these too. Bounded by record numbers; nothing here
//! survives, for after a start all there is stands on disk. Deliberately absent: exact names,
//! which the memory of requests has.

use super::ids::RecordNo;
use super::record::Refused;
use super::state::is_remembered;
use crate::canonical::{Kind, Reason};
use crate::limits::UNWRITTEN_MAX;
use std::collections::VecDeque;

/// The refusals among the newest records.
#[derive(Debug, Default)]
pub(super) struct Refusals(VecDeque<(RecordNo, Refused)>);

impl Refusals {
    /// One more.
    pub(super) fn note(&mut self, no: RecordNo, refused: Refused) {
        if !may_be_repeated(&refused) {
            return;
        }
        while self.0.front().is_some_and(|(oldest, _)| oldest.0 + UNWRITTEN_MAX < no.0) {
            self.0.pop_front();
        }
        self.0.push_back((no, refused));
    }

    /// All of them, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (RecordNo, &Refused)> {
        self.0.iter().map(|(no, refused)| (*no, refused))
    }
}

/// Whether what repeats it has to hear it again.
pub(super) fn may_be_repeated(refused: &Refused) -> bool {
    matches!(refused.kind, Kind::Transaction(_)) && is_remembered(refused.reason)
}

/// Whether what was refused for this reason may be asked for afresh by whoever does not say that
/// he repeats it: nothing moved, and what stood in the way may be over.
pub(super) const fn may_be_tried_afresh(reason: Reason) -> bool {
    matches!(reason, Reason::SystemError | Reason::BankDown)
}
