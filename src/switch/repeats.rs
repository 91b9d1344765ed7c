//! A platform asks again for what is remembered.
//!
//! Contract: a repeat never goes to the bank a second time. It joins the one that waits or is in
//! flight, hears the stored answer, or the decline of what was taken back since; the same name
//! for something else is refused, or an operator's where it has happened already. Deliberately
//! absent: what the memory has forgotten ([`super::recalled`]).

use super::duplicates::Likeness;
use super::ids::RecordNo;
use super::inflight::{Requester, SendOwner};
use super::memory::{Past, Remembered};
use super::nonsense::Nonsense;
use super::output::{Event, RecallKey};
use super::questions::Recalling;
use super::record::{Cause, Ending, Outcome};
use super::{Switch, reply};
use crate::canonical::{Canonical, Flow, Kind, Reason};

impl Switch {
    /// A request whose name is remembered.
    pub(super) fn seen_before(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        likeness: Likeness,
        past: Remembered,
    ) {
        if past.past() == Past::Tombstone {
            return self.ask_what_came_ahead(from, msg);
        }
        if !past.same_content(likeness.content()) {
            return self.conflict(from, msg, Some(past.no()));
        }
        self.repeat_event(&from, past.no());
        let fingerprint = likeness.name();
        match self.told_past(past.past()) {
            Past::Open => match self.air.waiting_names.get(fingerprint) {
                // Its debit is done, its credit waits for room.
                Some(ticket) => self.repeat_of_waiting(from, msg, likeness, ticket),
                None => self.repeat_in_flight(from, msg, past.no()),
            },
            Past::Granted | Past::Denied | Past::Refused => {
                let recent = self.air.slot_of(past.no());
                if let Some(slot) = recent {
                    return self.repeat_of_grant(from, msg, slot);
                }
                let key = RecallKey::Record(past.outcome().unwrap_or(past.no()));
                self.recall(key, Recalling::Stored { requester: from, msg, fingerprint });
            }
            Past::Reversed | Past::PartlyReversed | Past::Tombstone => {
                self.answer_own(&from, msg, Reason::Reversed, None);
            }
            Past::Acknowledged => self.answer_own(&from, msg, Reason::Accepted, Some(past.no())),
        }
    }

    pub(super) fn conflict(&mut self, from: Requester, msg: Box<Canonical>, of: Option<RecordNo>) {
        let platform = self.platform_name(&from).unwrap_or_default();
        self.event(Event::DuplicateConflict { platform });
        if msg.flow == Flow::Request && !matches!(msg.kind, Kind::Reversal(_)) {
            self.nonsense(from.session, Nonsense::Conflict);
            return self.refuse(&from, msg, Reason::Duplicate, of, None);
        }
        // It has happened: which of both is right an operator finds out.
        let owed = |no| Some(self.state.saf.get(&no)?.queued.bank);
        let dead = |no| Some(self.state.dead.get(&no)?.queued.bank);
        let bank = of.and_then(|no| owed(no).or_else(|| dead(no)));
        let cause = Cause::RepeatDiffers;
        self.unclear(&from, &msg, Some(cause));
        self.keep_unsent(&from, msg, bank, (Ending::Dead, Some(cause)));
    }

    pub(super) fn repeat_event(&mut self, from: &Requester, txn: RecordNo) {
        let platform = self.platform_name(from).unwrap_or_default();
        self.event(Event::Repeat { platform, txn });
    }

    pub(super) fn repeat_of_waiting(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        likeness: Likeness,
        ticket: u64,
    ) {
        let Some(waiting) = self.air.waiting.get_mut(&ticket) else { return };
        if waiting.likeness.content() != likeness.content() {
            return self.conflict(from, msg, None);
        }
        let received = waiting.requester.received;
        waiting.requester = Requester { received, ..from };
    }

    /// The answer of the one in flight goes to the newest requester.
    pub(super) fn repeat_in_flight(&mut self, from: Requester, msg: Box<Canonical>, txn: RecordNo) {
        let slot = self.air.slot_of(txn);
        let Some(flight) = slot.and_then(|slot| self.air.flights.get_mut(slot)) else {
            return self.answer_own(&from, msg, Reason::SystemError, None);
        };
        let received = flight.requester.received;
        flight.requester = Requester { received, ..from };
    }

    /// Sends the stored answer to a repeat.
    pub(super) fn tell_again(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        no: RecordNo,
        outcome: &Outcome,
    ) {
        let Some(to) = self.way_back(from) else { return };
        let granted = outcome.leg.grants();
        let owner = if granted { SendOwner::Restated(outcome.txn) } else { SendOwner::Plain };
        let after = granted.then_some(no);
        let mut msg = reply::stored_answer(msg, outcome);
        self.put_banks_rrn(from.platform, outcome.rrn, &mut msg);
        self.send(to, msg, after, None, owner);
    }
}
