//! Approvals on their way to the platform: granted, told again, taken back.
//!
//! Contract: an approval leaves when its outcome is durable and not past the platform's budget;
//! the gate accounts for every copy of it, and the last account decides whether it stands. What
//! surely never left is reversed. Deliberately absent: which step follows ([`super::txn`]).

use super::Switch;
use super::doubt::Doubt;
use super::ids::{PlatformId, RecordNo, SendId, TxnNo};
use super::inflight::{Flight, Requester, SendOwner};
use super::leg::{Answered, word_of};
use super::record::{Leg, Record};
use super::reply;
use super::standing::Standing;
use super::timers::Timer;
use super::txn::{Happening, Phase};
use crate::canonical::{Canonical, Reason};
use std::sync::Arc;

/// Copies of one approval that may wait at the gate: however often a platform asks again while
/// the disk is slow, they stay few.
const GRANT_COPIES: usize = 8;

impl Switch {
    /// Approved: the outcome is recorded, the answer leaves when it is durable.
    pub(super) fn grant(&mut self, slot: usize, leg: Leg, answer: Option<Answered>) {
        let Some(Answered { mut msg, .. }) = answer else {
            return self.impossible("an approval without an answer");
        };
        let (no, outcome) = self.outcome(slot, leg, Some((&msg, None)));
        let Some(flight) = self.air.flights.get_mut(slot) else { return };
        let (amount, rrn) = (outcome.amount, outcome.rrn);
        flight.outcome = Some((no, outcome));
        reply::restore(&mut msg, &flight.intent, flight.requester.header);
        msg.amount = amount.or(msg.amount);
        let platform = flight.requester.platform;
        self.put_banks_rrn(platform, rrn, &mut msg);
        self.flight_event(slot, word_of(leg));
        self.offer(slot, no, msg);
    }

    /// Hands an approval to the gate, to leave when its outcome is durable.
    pub(super) fn offer(&mut self, slot: usize, outcome: RecordNo, msg: Box<Canonical>) {
        let Some(flight) = self.air.flights.get_mut(slot) else { return };
        flight.phase = Phase::Granting;
        let Requester { received, platform, .. } = flight.requester;
        let not_after = received.after(self.budget(platform));
        let Some(to) = self.air.flights.get(slot).and_then(|f| self.way_back(&f.requester)) else {
            return self.happen(slot, Happening::GrantUnsent, None);
        };
        let id = self.send(to, msg, Some(outcome), Some(not_after), SendOwner::Grant(slot));
        self.timers.set_by(Timer::Flight(slot), not_after);
        if let Some(flight) = self.air.flights.get_mut(slot) {
            flight.deadline = not_after;
            flight.requester.session = to.1;
            flight.grants.push(id);
        }
    }

    /// The approval could not go to its session: another one of the platform will do.
    pub(super) fn grant_stayed(&mut self, slot: usize, id: SendId) {
        let retry = self.air.flights.get(slot).filter(|f| f.phase == Phase::Granting);
        if let Some(flight) = retry {
            let tried = flight.requester.session;
            let from = flight.requester.clone();
            if let Some(to) = self.way_back(&from).filter(|(_, session)| *session != tried) {
                self.send_stored_grant(slot, Requester { session: to.1, ..from });
            }
        }
        self.grant_left(slot, id, false);
    }

    /// One copy of an approval is accounted for; the last one decides.
    pub(super) fn grant_left(&mut self, slot: usize, id: SendId, left: bool) {
        let Some(flight) = self.air.flights.get_mut(slot) else {
            return self.impossible("an approval of no transaction");
        };
        flight.grants.retain(|g| *g != id);
        flight.granted |= left;
        if flight.grants.is_empty() {
            let left = flight.granted;
            let what = if left { Happening::GrantReleased } else { Happening::GrantUnsent };
            self.happen(slot, what, None);
        }
    }

    /// The approval never left and will not: reverse it.
    pub(super) fn ungrant(&mut self, slot: usize, what: Happening) {
        debug_assert_eq!(what, Happening::GrantUnsent);
        let Some(flight) = self.finish(slot) else { return };
        let late = flight.phase == Phase::Withdrawing;
        let mut standing =
            flight.outcome.as_ref().map(|(_, o)| Standing::of(o)).unwrap_or_default();
        standing.released = flight.released;
        let reason = if late { Reason::AnswerTooLate } else { Reason::Undeliverable };
        self.owe_for(flight.txn, &flight.intent, standing, Leg::LateApproved, reason);
        // What is not taken back is not declined either: the platform's repeat gets the approval.
        // A crash that loses the reversal keeps the approval: the decline waits for the reversal.
        let owed = self.state.chains.get(&flight.txn).copied().filter(|_| late);
        if let Some(to) = owed.and_then(|_| self.way_back(&flight.requester)) {
            let header = flight.requester.header;
            let reply = reply::own_answer_to(&flight.intent, header, Reason::Timeout);
            self.send(to, reply, owed, None, SendOwner::Plain);
        }
    }

    /// The approval left for the platform.
    pub(super) fn note_delivered(&mut self, txn: TxnNo) {
        let doubt = self.state.desk.get(&txn);
        if self.state.undelivered.contains(txn) || doubt.is_some_and(Doubt::ends_by_delivery) {
            self.record(Record::Answered(txn));
        }
    }

    /// A repeat of a request whose approval is still at the gate: it is told as well. Also where
    /// the approval is being taken back: till the gate has said what left, a decline could be
    /// wrong, and a copy in time settles it for good.
    pub(super) fn repeat_of_grant(&mut self, from: Requester, msg: Box<Canonical>, slot: usize) {
        let flight = self.air.flights.get(slot);
        let held = |f: &Flight| matches!(f.phase, Phase::Granting | Phase::Withdrawing);
        if flight.is_some_and(|f| held(f) && f.grants.len() >= GRANT_COPIES) {
            // Enough are on their way, each of them the answer to this one as well.
            return;
        }
        match flight.map(|f| (f.phase, f.outcome.clone())) {
            Some((Phase::Granting | Phase::Withdrawing, Some((no, outcome)))) => {
                let budget = self.budget(from.platform);
                let to = self.way_back(&from);
                let not_after = from.received.after(budget);
                if let Some(to) = to {
                    let mut msg = reply::stored_answer(msg, &outcome);
                    self.put_banks_rrn(from.platform, outcome.rrn, &mut msg);
                    let owner = SendOwner::Grant(slot);
                    let id = self.send(to, msg, Some(no), Some(not_after), owner);
                    if let Some(flight) = self.air.flights.get_mut(slot) {
                        flight.grants.push(id);
                    }
                }
            }
            _ => self.answer_own(&from, msg, Reason::Reversed, None),
        }
    }

    fn send_stored_grant(&mut self, slot: usize, from: Requester) {
        let Some(flight) = self.air.flights.get_mut(slot) else { return };
        flight.requester.session = from.session;
        let Some((no, outcome)) = flight.outcome.clone() else { return };
        let intent = Arc::clone(&flight.intent);
        let empty = reply::own_answer_to(&intent, from.header, Reason::SystemError);
        let not_after = from.received.after(self.budget(from.platform));
        let Some(to) = self.way_back(&from) else { return };
        let mut msg = reply::stored_answer(empty, &outcome);
        self.put_banks_rrn(from.platform, outcome.rrn, &mut msg);
        let id = self.send(to, msg, Some(no), Some(not_after), SendOwner::Grant(slot));
        if let Some(flight) = self.air.flights.get_mut(slot) {
            flight.grants.push(id);
        }
    }

    fn budget(&self, platform: PlatformId) -> std::time::Duration {
        self.policy.platforms.get(usize::from(platform.0)).map(|p| p.budget).unwrap_or_default()
    }
}
