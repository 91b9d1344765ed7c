//! A placed request takes off: it waits for room in its bank's window, gets its names at the
//! bank, is recorded and handed to the gate.
//!
//! Contract: the intent is recorded before the frame is handed over, and nothing is recorded of
//! what waits. Whatever could be different by the time its turn comes – terminal, line, what the
//! bank has yet to hear of its card – is looked at then. Deliberately absent: which bank it is
//! ([`super::request`]), and what follows ([`super::leg`]).

use super::ids::{BankId, LineId, Name, PlatformId, SessionId};
use super::inflight::{Flight, Pending, SendOwner, match_key};
use super::output::Event;
use super::policy::Bank;
use super::record::{BankKeys, Debt, Intent, Record};
use super::role::Role;
use super::timers::Timer;
use super::txn::{Phase, unknown_debt};
use super::waiting::GivesWay;
use super::{Switch, reply, routing};
use crate::canonical::{Canonical, Reason, Sent};
use crate::text::Text;
use std::sync::Arc;

/// How a request goes to its bank.
pub(super) struct Way {
    /// The names it has there.
    pub(super) names: routing::Identified,
    /// Line and session.
    pub(super) over: (LineId, SessionId),
}

impl Switch {
    /// Sends a request over the way just found for it, or lets it wait.
    pub(super) fn launch_or_wait(&mut self, pending: Pending, way: Option<Way>) {
        let bank = usize::from(pending.bank.0);
        self.load(pending.requester.platform, 1);
        if let Some(at) = self.holds_back(&pending) {
            return self.hold_back(pending, at);
        }
        let (Some(of), Some(live)) = (self.policy.banks.get(bank), self.banks.get(bank)) else {
            return;
        };
        if live.has_room(of) && live.waiting.is_empty() {
            return match way {
                Some(way) => self.launch_over(pending, way),
                None => self.launch(pending),
            };
        }
        self.wait_for_room(pending);
    }

    /// Puts a request behind those of its platform. Where there is no room to wait in, whoever has
    /// more of it than their share is declined.
    fn wait_for_room(&mut self, pending: Pending) {
        let (bank, platform) = (usize::from(pending.bank.0), pending.requester.platform);
        let most = self.policy.banks.get(bank).map_or(0, |b| b.waiting_max);
        let weight = self.policy.platforms.get(usize::from(platform.0)).map_or(1, |p| p.weight);
        let Some(live) = self.banks.get(bank) else { return };
        match live.waiting.gives_way(platform, weight, most) {
            Some(GivesWay::Newcomer) => return self.give_up(pending, Reason::BankDown),
            Some(GivesWay::Ticket(ticket)) => self.withdraw_waiting(ticket, Reason::BankDown),
            None => {}
        }
        let deadline = pending.deadline;
        let ticket = self.air.wait(pending);
        self.timers.set(Timer::Waiting(ticket), deadline);
        if let Some(live) = self.banks.get_mut(bank) {
            live.waiting.push(platform, weight, ticket);
        }
    }

    /// Fills the room in a bank's window from its queues.
    pub(super) fn fill_window(&mut self, bank: BankId) {
        let at = usize::from(bank.0);
        while let Some((of, live)) = self.policy.banks.get(at).zip(self.banks.get_mut(at)) {
            if !live.has_room(of) {
                return;
            }
            let Some(ticket) = live.waiting.pop() else { return };
            self.timers.stop(Timer::Waiting(ticket));
            if let Some(pending) = self.air.leave_queue(ticket) {
                self.launch(pending);
            }
        }
    }

    /// All that wait for room at a bank take the way that is left: another bank, or none.
    pub(super) fn launch_waiting(&mut self, bank: BankId) {
        let at = usize::from(bank.0);
        while let Some(ticket) = self.banks.get_mut(at).and_then(|live| live.waiting.pop()) {
            self.timers.stop(Timer::Waiting(ticket));
            if let Some(pending) = self.air.leave_queue(ticket) {
                self.launch(pending);
            }
        }
    }

    pub(super) fn waited_too_long(&mut self, ticket: u64) {
        self.withdraw_waiting(ticket, Reason::BankDown);
    }

    /// A waiting request is declined and never sent.
    pub(super) fn withdraw_waiting(&mut self, ticket: u64, reason: Reason) {
        self.timers.stop(Timer::Waiting(ticket));
        let Some(pending) = self.air.leave_queue(ticket) else { return };
        if let Some(live) = self.banks.get_mut(usize::from(pending.bank.0)) {
            live.waiting.remove(pending.requester.platform, ticket);
        }
        self.settling.withdraw(ticket);
        self.give_up(pending, reason);
    }

    /// It never leaves: decided in the bank's place where that is why, or declined.
    pub(super) fn give_up(&mut self, pending: Pending, reason: Reason) {
        let left = if reason == Reason::BankDown { self.stand_in(pending) } else { Some(pending) };
        let Some(pending) = left else { return };
        self.load(pending.requester.platform, -1);
        let concerns = pending.role.debited().map(|debited| debited.txn);
        self.refuse(&pending.requester, pending.msg, reason, concerns, Some(pending.bank));
    }

    /// Its turn has come: sent, if there still is a way.
    fn launch(&mut self, pending: Pending) {
        if let Some(at) = self.holds_back(&pending) {
            return self.hold_back(pending, at);
        }
        let Some(bank) = self.policy.banks.get(usize::from(pending.bank.0)) else { return };
        let original = pending.original.as_ref().map(|(_, keys)| &**keys);
        let way = Self::names_at(bank, &pending.msg, original).and_then(|names| {
            self.way_to(pending.bank, names, &pending.msg).ok_or(Reason::BankDown)
        });
        match way {
            Ok(way) => self.launch_over(pending, way),
            Err(reason) => match self.second_of(&pending) {
                Some((bank, way)) if reason == Reason::BankDown => {
                    self.launch_over(Pending { bank, ..pending }, way);
                }
                _ => self.give_up(pending, reason),
            },
        }
    }

    /// The way to a bank, where a session may carry this message, the bank answers, and it has
    /// heard all that was decided in its place for the card.
    pub(super) fn way_to(
        &self,
        bank: BankId,
        names: routing::Identified,
        msg: &Canonical,
    ) -> Option<Way> {
        let over = self.carrier(bank, names.1.as_ref())?;
        let live = self.banks.get(usize::from(bank.0))?;
        let may = live.breaker.lets_through() && !live.saf.is_undrained(msg.pan.as_ref());
        may.then_some(Way { names, over })
    }

    /// Writes the intent and sends the request.
    fn launch_over(&mut self, pending: Pending, way: Way) {
        let Way { names, over } = way;
        let transmission = self.stamp.at(self.now.wall);
        let Some(bank) = self.policy.banks.get(usize::from(pending.bank.0)) else { return };
        let Some(stan) = self.free_stan(&bank.name) else {
            self.event(Event::StansExhausted { bank: bank.name });
            return self.give_up(pending, Reason::BankDown);
        };
        let mut keys = self.keys_at(bank, &pending.msg, names, (over.0, stan), transmission);
        if let Some((_, of)) = &pending.original {
            keys.rrn = self.rrn_of_follow_up(pending.bank, of, keys.rrn);
        }
        let kind = pending.role.leg(pending.msg.kind);
        keys.sent = Some(Sent { kind, flow: pending.msg.flow });
        let intent = self.intent(&pending, over.0, keys);
        self.take_off(pending, intent, over);
    }

    /// What a new message is called at its bank.
    pub(super) fn keys_at(
        &self,
        bank: &Bank,
        msg: &Canonical,
        (merchant, terminal): routing::Identified,
        (line, stan): (LineId, u32),
        transmission: Text<10>,
    ) -> BankKeys {
        BankKeys {
            stan,
            transmission: Some(transmission),
            local_time: msg.local_time,
            local_date: msg.local_date,
            acquirer: bank.acquirer.or(msg.acquirer),
            forwarder: bank.forwarder,
            rrn: msg.rrn,
            terminal,
            merchant,
            batch: self.batch_of(line, terminal.as_ref()),
            sent: Some(Sent { kind: msg.kind, flow: msg.flow }),
        }
    }

    /// What will be journaled of a request before it leaves.
    pub(super) fn intent(&self, pending: &Pending, line: LineId, keys: BankKeys) -> Arc<Intent> {
        let policy = &self.policy;
        let msg = &pending.msg;
        let kind = pending.role.leg(msg.kind);
        let platform = policy.platforms.get(usize::from(pending.requester.platform.0));
        let bank = policy.banks.get(usize::from(pending.bank.0));
        Arc::new(Intent {
            at: self.now.wall,
            platform: platform.map(|p| p.name).unwrap_or_default(),
            bank: bank.map(|b| b.name).unwrap_or_default(),
            line: self.line_name(line),
            rule: policy.routes.get(pending.rule).map(|r| r.name).unwrap_or_default(),
            kind,
            flow: msg.flow,
            origin: reply::origin_of(msg),
            keys,
            pan: msg.pan.clone(),
            amount: msg.amount,
            facts: reply::facts_of(msg),
            // Half a top-up cannot be given.
            accepts_partial: msg.accepts_partial && pending.role == Role::Whole,
            owes: bank.map_or(Debt::Desk, |b| unknown_debt(kind, msg.flow, &b.reversal)),
            original: pending.original.as_ref().map(|(txn, _)| *txn),
            referred: pending.original.as_ref().map(|(_, keys)| keys.clone()),
            policy: policy.hash,
            role: pending.role.clone(),
            date: bank.map(|bank| self.state.business_date(&bank.name)),
            likeness: pending.likeness,
        })
    }

    /// Records the intent and hands the request to the gate.
    fn take_off(&mut self, pending: Pending, intent: Arc<Intent>, to: (LineId, SessionId)) {
        let credit = self.credit_of(&pending);
        let Pending { mut msg, requester, bank, deadline, .. } = pending;
        msg.kind = intent.kind;
        msg.accepts_partial = intent.accepts_partial;
        reply::to_bank(&mut msg, &intent.keys);
        let txn = self.record(Record::Intent(Arc::clone(&intent)));
        let slot = self.air.flights.vacant_key();
        let send = self.send(to, msg, Some(txn), Some(deadline), SendOwner::Flight(slot));
        let key = match_key(bank, intent.kind.family(), intent.keys.stan);
        let flight = Box::new(Flight {
            txn,
            intent,
            requester,
            bank,
            line: to.0,
            session: to.1,
            moves: 0,
            phase: Phase::Held,
            send,
            released: None,
            answered: None,
            deadline,
            outcome: None,
            grants: vec![],
            granted: false,
            credit,
            unpackable: false,
        });
        self.air.enter(slot, key, flight);
        // At the gate it may wait till the deadline; the bank's time counts from when it leaves,
        // which is now or a little later: set early, the timer need not be moved then.
        let silence = self.policy.banks.get(usize::from(bank.0)).map(|b| b.response_timeout);
        let earliest =
            silence.map_or(deadline, |silence| deadline.min(self.now.mono.after(silence)));
        self.timers.set(Timer::Flight(slot), earliest);
        self.mark_window();
        if let Some(live) = self.banks.get_mut(usize::from(bank.0)) {
            live.in_flight += 1;
            live.last_request = Some(self.now.mono);
            live.breaker.takes(txn);
        }
    }

    pub(super) fn load(&mut self, platform: PlatformId, by: isize) {
        if let Some(load) = self.platform_load.get_mut(usize::from(platform.0)) {
            *load = load.saturating_add_signed(by);
        }
    }

    /// The next STAN of a bank; 1 for a bank no record has named yet.
    pub(super) fn free_stan(&self, bank: &Name) -> Option<u32> {
        self.state.bank(bank).map_or(Some(1), |b| b.stans.free())
    }
}
