//! Questions to the journal, and what each answer is for.
//!
//! Contract: every question is kept with all that its answer needs, at most [`RECALLS_MAX`] at
//! once; beyond that the asker hears of a system error. While the journal is asked the world
//! goes on, so every answer is judged against the memory first. Deliberately absent: what is
//! older than the memory ([`super::recalled`]), and how records are found ([`super::recall`]).

use super::Switch;
use super::ids::{RecordNo, Ticket};
use super::inflight::Requester;
use super::library::Recalled;
use super::meant::Looking;
use super::memory::Remembered;
use super::nonsense::Nonsense;
use super::ordered_reversal::Sought;
use super::output::{Output, RecallKey};
use super::recall::NAMES_MAX;
use super::recalled::Found;
use super::record::Record;
use crate::canonical::{Canonical, Reason};
use crate::limits::RECALLS_MAX;

/// A question to the journal and what its answer is for.
#[derive(Debug)]
pub(super) enum Recalling {
    /// The stored answer to a repeated request.
    Stored {
        /// Who repeats.
        requester: Requester,
        /// The repeat.
        msg: Box<Canonical>,
        /// Fingerprint of its name.
        fingerprint: u64,
    },
    /// A request that the memory may have forgotten.
    Own {
        /// Who asks.
        requester: Requester,
        /// The request or advice.
        msg: Box<Canonical>,
        /// Fingerprint of its name.
        name: u64,
        /// The last record when the question was put.
        since: RecordNo,
    },
    /// What became of a forgotten request that is repeated.
    Told {
        /// Who repeats.
        requester: Requester,
        /// The repeat.
        msg: Box<Canonical>,
        /// What it repeats.
        txn: RecordNo,
    },
    /// What took a request or advice back before it came.
    Ahead {
        /// Who asks.
        requester: Requester,
        /// The request or advice.
        msg: Box<Canonical>,
        /// The last record when the question was put.
        since: RecordNo,
    },
    /// What an operator wants reversed.
    Ordered(Box<Sought>),
    /// What a reversal, void, completion or refund refers to.
    Meant(Box<Looking>),
}

impl Recalling {
    /// Who waits for the answer, and with what.
    fn into_message(self) -> Option<(Requester, Box<Canonical>)> {
        Some(match self {
            // Its operator was told before.
            Self::Ordered(_) => return None,
            Self::Stored { requester, msg, .. }
            | Self::Own { requester, msg, .. }
            | Self::Ahead { requester, msg, .. }
            | Self::Told { requester, msg, .. } => (requester, msg),
            Self::Meant(looking) => (looking.from, looking.msg),
        })
    }
}

/// As many names as a question can carry.
pub(super) fn first_names(names: impl Iterator<Item = u64>) -> [u64; NAMES_MAX] {
    let mut all = [0; NAMES_MAX];
    all.iter_mut().zip(names).for_each(|(slot, name)| *slot = name);
    all
}

impl Switch {
    /// Asks the journal, unless it is asked too much already.
    pub(super) fn recall(&mut self, key: RecallKey, purpose: Recalling) {
        if self.recalls.len() >= RECALLS_MAX {
            if let Some((from, msg)) = purpose.into_message() {
                // Read on, it would only be told the same: it is heard once there is room.
                self.nonsense(from.session, Nonsense::UnknownOriginal);
                self.answer_own(&from, msg, Reason::SystemError, None);
            }
            return;
        }
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.recalls.insert(ticket, purpose);
        self.out.push_back(Output::Recall { ticket, key });
    }

    pub(super) fn recalled(&mut self, ticket: Ticket, found: Recalled) {
        match self.recalls.remove(&ticket) {
            None => self.impossible("an answer to no question"),
            Some(Recalling::Ordered(sought)) => self.sought_recalled(*sought, found.one()),
            Some(Recalling::Meant(looking)) => self.meant_recalled(*looking, found),
            Some(Recalling::Own { requester, msg, name, since }) => {
                self.own_recalled(requester, msg, (name, since), found);
            }
            Some(Recalling::Ahead { requester, msg, since }) => {
                self.ahead_recalled(requester, msg, since, &found);
            }
            Some(Recalling::Told { requester, msg, txn }) => {
                self.told_recalled(&requester, msg, txn, found.one());
            }
            Some(Recalling::Stored { requester, msg, fingerprint }) => {
                self.stored_recalled(&requester, msg, fingerprint, found.one());
            }
        }
    }

    fn stored_recalled(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        fingerprint: u64,
        record: Found,
    ) {
        let past = self.state.memory.find(fingerprint).map(Remembered::past);
        if past.is_some_and(|past| self.told_past(past).is_taken_back()) {
            return self.answer_own(from, msg, Reason::Reversed, None);
        }
        match record.map(|(no, record)| (no, *record)) {
            Some((no, Record::Outcome(outcome))) => self.tell_again(from, msg, no, &outcome),
            Some((_, Record::Refused(refused))) => {
                self.answer_own(from, msg, refused.reason, None);
            }
            _ => self.answer_own(from, msg, Reason::SystemError, None),
        }
    }
}
