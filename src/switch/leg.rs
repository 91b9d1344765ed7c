//! What the gate and the clock say about a bank leg, carried out as the table of
//! [`super::txn`] decides.
//!
//! Contract: this is the only place that ends a flight. Whatever creates a debt is recorded
//! before the outcome it follows from, so that every prefix of the journal owes at least what
//! is due.

use super::Switch;
use super::bank_names::kept_of;
use super::breaker::Over;
use super::ids::{BankId, RecordNo, SendId, SessionId, TxnNo};
use super::inflight::{Flight, Requester, SendOwner, Target, match_key};
use super::input::Unsent;
use super::output::{Event, Output};
use super::plants::Plant;
use super::record::{Debt, Ending, Intent, Leg, Outcome, Record};
use super::reply;
use super::standing::Standing;
use super::timers::Timer;
use super::txn::{self, Happening, Phase, Step, debt_of};
use crate::canonical::{Answer, Canonical, MacCheck, Reason, ResponseClass};
use crate::money::Amount;
use std::sync::Arc;

/// A bank's answer with what is wrong with it, if anything.
#[derive(Debug)]
pub(super) struct Answered {
    /// The message.
    pub msg: Box<Canonical>,
    /// Why it cannot be used.
    pub fault: Option<Reason>,
}

impl Switch {
    /// A frame left.
    pub(super) fn released(&mut self, id: SendId) {
        match self.air.sends.remove(id.0) {
            None => self.impossible("the release of a frame the gate does not hold"),
            Some((SendOwner::Flight(slot), _)) => self.happen(slot, Happening::Released, None),
            Some((SendOwner::Grant(slot), _)) => self.grant_left(slot, id, true),
            Some((SendOwner::Restated(txn), _)) => self.note_delivered(txn),
            Some((SendOwner::Saf(entry), _)) => self.saf_released(entry),
            Some((SendOwner::Plain, _)) => {}
        }
    }

    /// A frame did not leave.
    pub(super) fn unsent(&mut self, id: SendId, why: Unsent) {
        let Some((owner, line)) = self.air.sends.remove(id.0) else {
            return self.impossible("an account of a frame the gate does not hold");
        };
        if why != Unsent::Cancelled {
            let line = self.line_name(line);
            self.event(Event::NotSent { line, why });
        }
        match owner {
            SendOwner::Flight(slot) => {
                if let Some(flight) = self.air.flights.get_mut(slot) {
                    flight.unpackable = matches!(why, Unsent::Unpackable(_));
                }
                self.happen(slot, Happening::Unsent, None);
            }
            SendOwner::Grant(slot) if why == Unsent::TooLate => {
                // The gate was quicker than our own timer; the table knows one order.
                if let Some(flight) = self.air.flights.get_mut(slot) {
                    flight.grants.retain(|g| *g != id);
                }
                if self.air.flights.get(slot).is_some_and(|f| f.phase == Phase::Granting) {
                    self.happen(slot, Happening::Deadline, None);
                }
                self.grant_left(slot, id, false);
            }
            SendOwner::Grant(slot) => self.grant_stayed(slot, id),
            SendOwner::Saf(entry) => self.saf_unsent(entry, why),
            SendOwner::Restated(_) | SendOwner::Plain => {}
        }
    }

    /// The timer of a flight fires, at its deadline or before it.
    pub(super) fn flight_timer(&mut self, slot: usize) {
        match self.air.flights.get(slot) {
            Some(flight) if flight.deadline > self.now.mono => {
                self.timers.set(Timer::Flight(slot), flight.deadline);
            }
            _ => self.happen(slot, Happening::Deadline, None),
        }
    }

    /// Looks up the table and does what it says.
    pub(super) fn happen(&mut self, slot: usize, what: Happening, answer: Option<Answered>) {
        let Some(flight) = self.air.flights.get_mut(slot) else {
            return self.impossible("something happened to no transaction");
        };
        self.met.note(flight.phase, what);
        match txn::step(flight.phase, what) {
            Step::Enter(phase) => self.enter(slot, phase),
            Step::Cancel(phase) => {
                flight.phase = phase;
                let held = matches!(phase, Phase::Cancelling | Phase::HeldReversed);
                let ids = if held { vec![flight.send] } else { flight.grants.clone() };
                let kept = self.planted.has(Plant::FrameLeavesAfterDeadline);
                let ids = ids.into_iter().filter(|_| !kept);
                self.out.extend(ids.map(|id| Output::Cancel { id }));
            }
            Step::Grant(leg) => self.grant(slot, leg, answer),
            Step::Credit => self.debited(slot, answer),
            Step::Deny(leg) => self.deny(slot, leg, answer),
            Step::Settle(leg) => self.settle(slot, leg, answer),
            Step::Stands => {
                let txn = flight.txn;
                self.finish(slot);
                self.note_delivered(txn);
            }
            Step::Undeliverable | Step::TooLate => self.ungrant(slot, what),
            Step::Finish => {
                self.finish(slot);
            }
            // It is taken where the frame is handed back.
            Step::Again => self.impossible("another way without the message"),
            Step::Stay => {}
            Step::Impossible => self.impossible("this cannot happen to a transaction here"),
        }
    }

    fn enter(&mut self, slot: usize, phase: Phase) {
        let now = self.now.mono;
        let Some(flight) = self.air.flights.get_mut(slot) else { return };
        let leaves = flight.released.is_none();
        flight.phase = phase;
        if leaves && matches!(phase, Phase::Sent | Phase::SentReversed) {
            flight.released = Some(now);
            let bank = self.policy.banks.get(usize::from(flight.bank.0));
            let limit = bank.map_or(now, |b| now.after(b.response_timeout));
            flight.deadline = flight.deadline.min(limit);
            self.timers.set_by(Timer::Flight(slot), flight.deadline);
        }
    }

    /// Not granted: what is owed and the outcome are recorded; the decline need not wait. What
    /// never left may be decided in the bank's place.
    fn deny(&mut self, slot: usize, leg: Leg, answer: Option<Answered>) {
        if leg == Leg::NotSent && self.stands_in_for(slot) {
            let over = self.over(slot, leg);
            self.stood_in(slot);
            return over.map_or((), |(bank, over)| self.leg_over(bank, &over));
        }
        let leg = match leg {
            Leg::SentUnknown if self.planted.has(Plant::SentUnknownAsNotSent) => Leg::NotSent,
            leg => leg,
        };
        let fault = answer.as_ref().and_then(|a| a.fault);
        let reason = match leg {
            Leg::NotSent => Some(Reason::BankDown),
            Leg::SentUnknown => Some(Reason::Timeout),
            _ => fault,
        };
        let msg = answer.as_ref().map(|a| &*a.msg);
        let granted = self.granted_in(slot, msg);
        self.owe(slot, leg, reason, (granted, msg));
        self.outcome(slot, leg, msg.map(|m| (m, reason)));
        let unlisted = msg.and_then(no_verdict).filter(|_| leg == Leg::InvalidAnswer);
        self.flight_event(slot, word_of(leg));
        let Some(flight) = self.finish(slot) else { return };
        let header = flight.requester.header;
        let reply = match (answer, reason) {
            (Some(Answered { mut msg, .. }), None) => {
                let rrn = msg.rrn;
                reply::restore(&mut msg, &flight.intent, header);
                self.put_banks_rrn(flight.requester.platform, rrn, &mut msg);
                msg
            }
            (_, reason) => {
                let reason = reason.unwrap_or(Reason::SystemError);
                // Only reversals say more than that something is wrong with the answer.
                let told = if leg == Leg::InvalidAnswer { Reason::SystemError } else { reason };
                let mut reply = reply::own_answer_to(&flight.intent, header, told);
                // The bank's own word, which every dialect writes as a plain decline.
                reply.answer = unlisted.or(reply.answer);
                reply
            }
        };
        if let Some(to) = self.way_back(&flight.requester) {
            if self.planted.has(Plant::DuplicateReply) {
                self.send(to, reply.clone(), None, None, SendOwner::Plain);
            }
            self.send(to, reply, None, None, SendOwner::Plain);
        }
        self.owed_may_go(flight.txn, leg);
    }

    /// Decided before, by the platform's own reversal: only the books are brought in order.
    fn settle(&mut self, slot: usize, leg: Leg, answer: Option<Answered>) {
        let msg = answer.as_ref().map(|a| &*a.msg);
        let granted = self.granted_in(slot, msg);
        self.owe(slot, leg, Some(Reason::Reversed), (granted, msg));
        self.outcome(slot, leg, msg.map(|m| (m, Some(Reason::Reversed))));
        self.flight_event(slot, word_of(leg));
        if let Some(flight) = self.finish(slot) {
            self.owed_may_go(flight.txn, leg);
        }
    }

    /// Records the outcome; the bank's part is over.
    pub(super) fn outcome(
        &mut self,
        slot: usize,
        leg: Leg,
        answer: Option<(&Canonical, Option<Reason>)>,
    ) -> (RecordNo, Outcome) {
        let granted = self.granted_in(slot, answer.map(|(msg, _)| msg));
        let Some(flight) = self.air.flights.get_mut(slot) else {
            return (RecordNo(0), Outcome::bare(RecordNo(0), self.now.wall, leg));
        };
        let mut outcome = Outcome::bare(flight.txn, self.now.wall, leg);
        if let Some((msg, reason)) = answer {
            flight.answered = Some(self.now.mono);
            if let Some(Answer::Given { class, code }) = msg.answer {
                // What a forged answer calls itself is no knowledge.
                let trusted = !matches!(msg.mac, MacCheck::Bad | MacCheck::Missing);
                outcome.class = Some(class).filter(|_| trusted);
                outcome.bank_code = Some(code);
            }
            outcome.reason = reason;
            outcome.auth_id = msg.auth_id;
            outcome.rrn = msg.rrn;
            outcome.settlement_date = msg.settlement_date;
            outcome.local_date = msg.local_date;
            outcome.kept = kept_of(msg, flight.intent.pan.as_ref());
            outcome.amount = match leg {
                Leg::Approved => flight.intent.amount,
                // Of what cannot be trusted, only what its reversal is about.
                Leg::InvalidAnswer => granted,
                _ => msg.amount,
            };
        } else {
            outcome.reason = Some(match leg {
                Leg::NotSent => Reason::BankDown,
                _ => Reason::Timeout,
            });
        }
        let (bank, txn) = (flight.bank, flight.txn);
        let key = match_key(bank, flight.intent.kind.family(), flight.intent.keys.stan);
        let lifetime = self.policy.banks.get(usize::from(bank.0)).map(|b| b.original_lifetime);
        let over = flight.released.zip(lifetime).map(|(at, lifetime)| at.after(lifetime));
        let no = self.record(Record::Outcome(outcome.clone()));
        if self.state.unanswered.contains_key(&txn) {
            self.air.matches.insert(key, Target::Decided(txn));
            if let Some(over) = over {
                self.timers.set(Timer::Lifetime(txn), over);
            }
        } else {
            self.air.matches.remove(key);
            self.air.note_answered(key, txn);
        }
        if let Some((bank, over)) = self.over(slot, leg) {
            self.leg_over(bank, &over);
        }
        (no, outcome)
    }

    fn over(&self, slot: usize, leg: Leg) -> Option<(BankId, Over)> {
        let Flight { bank, txn, line, released, .. } = **self.air.flights.get(slot)?;
        Some((bank, Over { txn, line, released, leg }))
    }

    /// One request less is at a bank: the next may go.
    fn leg_over(&mut self, bank: BankId, over: &Over) {
        if let Some(live) = self.banks.get_mut(usize::from(bank.0)) {
            live.in_flight = live.in_flight.saturating_sub(1);
        }
        if over.leg == Leg::SentUnknown {
            self.shrink_saf(bank);
        }
        self.breaker_sees(bank, over);
        self.fill_window(bank);
    }

    /// Records what this ending of a flight owes.
    fn owe(
        &mut self,
        slot: usize,
        leg: Leg,
        reason: Option<Reason>,
        (granted, told): (Option<Amount>, Option<&Canonical>),
    ) {
        let Some(flight) = self.air.flights.get(slot) else { return };
        let (txn, released) = (flight.txn, flight.released);
        let intent = Arc::clone(&flight.intent);
        let reason = reason.unwrap_or(Reason::InvalidAnswer);
        let known = Standing::told(told, intent.pan.as_ref());
        self.owe_for(txn, &intent, Standing { released, granted, ..known }, leg, reason);
    }

    /// Records what an ending owes: the one table, live and at recovery.
    pub(super) fn owe_for(
        &mut self,
        txn: TxnNo,
        intent: &Arc<Intent>,
        standing: Standing,
        leg: Leg,
        reason: Reason,
    ) {
        if self.state.chains.contains_key(&txn) {
            return;
        }
        match debt_of(leg, intent.owes) {
            Debt::Nothing => {}
            Debt::Reversal => self.queue_own_reversal(txn, intent, standing, reason),
            Debt::Repeat | Debt::Desk => {
                if !self.state.desk.contains_key(&txn) && !self.state.is_done(txn) {
                    self.put_on_desk(txn, &intent.bank, txn, intent.amount, None);
                }
                self.debit_to_desk(&intent.role);
            }
        }
    }

    /// The outcome is recorded: a reversal that waited for it goes out, or is not needed.
    fn owed_may_go(&mut self, txn: TxnNo, leg: Leg) {
        let Some(entry) = self.state.chains.get(&txn).copied() else { return };
        if debt_of(leg, Debt::Reversal) == Debt::Nothing {
            self.close_entry(entry, Ending::Needless);
        } else {
            self.saf_wake(entry);
        }
    }

    /// Ends a flight.
    pub(super) fn finish(&mut self, slot: usize) -> Option<Box<Flight>> {
        let flight = self.air.leave(slot)?;
        self.timers.stop(Timer::Flight(slot));
        self.load(flight.requester.platform, -1);
        Some(flight)
    }

    /// The session an answer goes back over: the asker's, or another of the same platform.
    pub(super) fn way_back(&self, to: &Requester) -> Option<(super::ids::LineId, SessionId)> {
        if let Some(session) = self.lines.sessions.get(to.session) {
            return Some((session.line, to.session));
        }
        let owner = super::policy::Owner::Platform(to.platform);
        let other = self.lines.sessions.iter().rev().find(|(_, s)| s.owner == owner);
        other.map(|(id, s)| (s.line, id))
    }

    pub(super) fn flight_event(&mut self, slot: usize, outcome: &'static str) {
        let Some(flight) = self.air.flights.get(slot) else { return };
        let micros = |d: std::time::Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
        let till = flight.answered.unwrap_or(self.now.mono);
        let at_bank = flight.released.map_or(0, |released| micros(till.since(released)));
        let whole = micros(self.now.mono.since(flight.requester.received));
        let event = Event::Answered {
            platform: flight.intent.platform,
            bank: Some(flight.intent.bank),
            txn: Some(flight.txn),
            outcome,
            bank_micros: at_bank,
            own_micros: whole.saturating_sub(at_bank),
        };
        let timed_out = (outcome == "unknown")
            .then(|| Event::TimedOut { bank: flight.intent.bank, txn: flight.txn });
        self.event(event);
        if let Some(timed_out) = timed_out {
            self.event(timed_out);
        }
    }
}

/// A trusted answer that neither grants nor declines: every dialect writes it as a decline.
fn no_verdict(msg: &Canonical) -> Option<Answer> {
    let trusted = !matches!(msg.mac, MacCheck::Bad | MacCheck::Missing);
    let Some(Answer::Given { class, .. }) = msg.answer else { return None };
    let open = matches!(class, ResponseClass::Unknown | ResponseClass::NoOutcome);
    msg.answer.filter(|_| open && trusted)
}

/// The outcome as a word of the closed set of metrics.
pub(super) const fn word_of(leg: Leg) -> &'static str {
    match leg {
        Leg::NotSent => "not_sent",
        Leg::SentUnknown => "unknown",
        Leg::Approved => "approved",
        Leg::PartiallyApproved => "partially_approved",
        Leg::Declined => "declined",
        Leg::Refused => "refused_by_bank",
        Leg::InvalidAnswer => "invalid_answer",
        Leg::LateApproved => "late_approved",
        Leg::LateDeclined => "late_declined",
        Leg::StoodIn => "stood_in",
        Leg::Acknowledged => "acknowledged",
    }
}
