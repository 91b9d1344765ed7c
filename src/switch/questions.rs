//! Questions to the journal, and what each answer is for.
//!
//! Contract: every question is kept with all that its answer needs, at most [`RECALLS_MAX`] at
//! once; beyond that the asker hears of a system error. While the journal is asked the world
//! goes on, so every answer is judged against the memory first. Deliberately absent: what is
//! older than the memory ([`super::recalled`]), and how records are found ([`super::recall`]).

use super::duplicates;
use super::ids::{Name, RecordNo, Ticket};
use super::inflight::Requester;
use super::library::Recalled;
use super::memory::{Past, Remembered};
use super::ordered_reversal::Sought;
use super::output::{Output, RecallKey};
use super::recall::{NAMES_MAX, REFERENCE_DAYS};
use super::recalled::Found;
use super::record::{Intent, Origin, Record};
use super::request::likeness_of;
use super::reversal::Reversing;
use super::{Switch, originals};
use crate::canonical::{Canonical, Flow, Kind, Reason, TransactionType};
use crate::limits::RECALLS_MAX;
use std::sync::Arc;

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
    /// What became of a forgotten original that its platform reverses.
    OldReversed(Box<(Reversing, RecordNo, Arc<Intent>)>),
    /// What became of what a void, completion or refund refers to.
    ReferredEnded {
        /// Who asks.
        requester: Requester,
        /// The void, completion or refund.
        msg: Box<Canonical>,
        /// What it refers to.
        referred: (RecordNo, Arc<Intent>),
    },
    /// What an operator wants reversed.
    Ordered(Box<Sought>),
    /// The original of a reversal by the platform.
    Reversed(Box<Reversing>),
    /// What a void, completion or refund refers to.
    Referred {
        /// Who asks.
        requester: Requester,
        /// The void, completion or refund.
        msg: Box<Canonical>,
    },
}

impl Recalling {
    /// Who waits for the answer, and with what.
    fn into_message(self) -> Option<(Requester, Box<Canonical>)> {
        Some(match self {
            // Its operator was told before.
            Self::Ordered(_) => return None,
            Self::Stored { requester, msg, .. }
            | Self::Own { requester, msg, .. }
            | Self::Told { requester, msg, .. }
            | Self::ReferredEnded { requester, msg, .. }
            | Self::Referred { requester, msg } => (requester, msg),
            Self::Reversed(reversing) => reversing.into_parts(),
            Self::OldReversed(old) => old.0.into_parts(),
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
        let record = found.one();
        match self.recalls.remove(&ticket) {
            None => self.impossible("an answer to no question"),
            Some(Recalling::Ordered(sought)) => self.sought_recalled(*sought, record),
            Some(Recalling::Reversed(reversing)) => self.original_recalled(*reversing, record),
            Some(Recalling::Referred { requester, msg }) => {
                self.referred_recalled(requester, msg, record);
            }
            Some(Recalling::Own { requester, msg, name }) => {
                self.own_recalled(requester, msg, name, record);
            }
            Some(Recalling::Told { requester, msg, txn }) => {
                self.told_recalled(&requester, msg, txn, record);
            }
            Some(Recalling::OldReversed(old)) => {
                let (reversing, txn, intent) = *old;
                self.old_reversed(reversing, txn, &intent, record);
            }
            Some(Recalling::ReferredEnded { requester, msg, referred }) => {
                self.referred_ended(requester, msg, referred, record);
            }
            Some(Recalling::Stored { requester, msg, fingerprint }) => {
                self.stored_recalled(&requester, msg, fingerprint, record);
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

    /// Where the journal has what this message refers to.
    pub(super) fn key_of_referred(
        &self,
        platform: &Name,
        msg: &Canonical,
        own: &Origin,
    ) -> RecallKey {
        let names = originals::original_names(msg, own);
        let names = names.iter().map(|name| duplicates::fingerprint(platform, name));
        let known = names.clone().find_map(|name| self.state.memory.find(name));
        match known.filter(|past| past.past() == Past::Granted) {
            Some(past) => RecallKey::Record(past.no()),
            None => RecallKey::Key { names: first_names(names), days: REFERENCE_DAYS },
        }
    }

    /// The bank knows the original by its own keys only: a reference in the platform's would
    /// name another transaction there.
    fn referred_recalled(&mut self, from: Requester, mut msg: Box<Canonical>, record: Found) {
        let name = self.platform_name(&from).unwrap_or_default();
        let fingerprint = likeness_of(&name, &msg).name();
        let waits = self.air.waiting_names.get(fingerprint).is_some();
        if waits || self.state.memory.find(fingerprint).is_some() {
            // It was repeated or reversed while the journal was asked.
            return self.asked_again(from, msg);
        }
        match record.map(|(no, record)| (no, *record)) {
            Some((no, Record::Intent(intent))) => self.ask_for_referred(from, msg, no, intent),
            _ if msg.flow != Flow::Request => self.advise(from, msg, None),
            _ if msg.kind == Kind::Transaction(TransactionType::Refund) => {
                msg.original = None;
                self.admit(from, msg, None);
            }
            _ => self.refuse(&from, msg, Reason::OriginalNotFound, None, None),
        }
    }
}
