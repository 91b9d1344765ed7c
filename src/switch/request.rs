//! What a platform asks for: validated, compared with the past, routed, and sent to its bank.
//!
//! Contract: a request reaches at most one bank at most once; every request hears an answer;
//! nothing is sent before its intent is durable. Errors stand in order of precedence: MAC,
//! format, duplicates, staleness, route, identities, PIN, line, window, STAN.

use super::duplicates::{self, Past, Remembered};
use super::ids::{BankId, LineId, Name, RecordNo, SessionId, Ticket};
use super::inflight::{Flight, Pending, Requester, SendOwner, match_key};
use super::output::{Event, Output, RecallKey};
use super::policy::{Bank, Policy};
use super::recall::{NAMES_MAX, REFERENCE_DAYS};
use super::record::{BankKeys, Debt, Intent, Leg, Origin, Outcome, Record, Refused};
use super::role::Role;
use super::stamps::{age_of, own_stamp};
use super::timers::Timer;
use super::txn::{Phase, unknown_debt};
use super::{Switch, reply, routing};
use crate::canonical::{Canonical, Flow, Kind, MacCheck, Reason, TransactionType};
use crate::limits::{FORGOTTEN_AT_ONCE, RECALLS_MAX, STAN_MAX};
use std::sync::Arc;

/// How far ahead of ours the clock of a platform may be that repeats what the last run heard.
const CLOCK_AHEAD_S: i64 = 60;

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
    OldReversed(Box<(super::reversal::Reversing, RecordNo, Arc<Intent>)>),
    /// What became of what a void, completion or refund refers to.
    ReferredEnded {
        /// Who asks.
        requester: Requester,
        /// The void, completion or refund.
        msg: Box<Canonical>,
        /// What it refers to.
        referred: (RecordNo, Arc<Intent>),
    },
    /// The original of a reversal by the platform.
    Reversed(Box<super::reversal::Reversing>),
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
    fn into_message(self) -> (Requester, Box<Canonical>) {
        match self {
            Self::Stored { requester, msg, .. }
            | Self::Own { requester, msg, .. }
            | Self::Told { requester, msg, .. }
            | Self::ReferredEnded { requester, msg, .. }
            | Self::Referred { requester, msg } => (requester, msg),
            Self::Reversed(reversing) => reversing.into_parts(),
            Self::OldReversed(old) => old.0.into_parts(),
        }
    }
}

/// As many names as a question can carry.
pub(super) fn first_names(names: impl Iterator<Item = u64>) -> [u64; NAMES_MAX] {
    let mut all = [0; NAMES_MAX];
    all.iter_mut().zip(names).for_each(|(slot, name)| *slot = name);
    all
}

impl Switch {
    /// A message of a platform other than network management.
    pub(super) fn platform_message(&mut self, from: Requester, msg: Box<Canonical>) {
        if msg.flow.is_answer() {
            // Whatever it means, nobody asked.
            return self.unasked(&from, &msg);
        }
        if let Err(reason) = readable(&msg) {
            return self.refuse(&from, msg, reason, None, None);
        }
        match (msg.kind, msg.flow) {
            (Kind::Transaction(_), Flow::Request) => self.request(from, msg),
            (Kind::Transaction(_), _) => self.platform_advice(from, msg),
            (Kind::Reversal(_), _) => self.platform_reversal(from, msg),
            (Kind::Reconciliation | Kind::BatchUpload | Kind::NetworkManagement(_), _) => {
                self.refuse(&from, msg, Reason::InvalidTransaction, None, None);
            }
        }
    }

    fn unasked(&mut self, from: &Requester, msg: &Canonical) {
        let at = from.platform.0;
        let name = self.policy.platforms.get(usize::from(at)).map(|p| p.name).unwrap_or_default();
        self.note_late(None, name, Leg::LateDeclined, msg);
        self.event(Event::UnmatchedAnswer { bank: name });
    }

    pub(super) fn request(&mut self, from: Requester, msg: Box<Canonical>) {
        let Some(platform) = self.policy.platforms.get(usize::from(from.platform.0)) else {
            return self.impossible("a request of an unknown platform");
        };
        let (fingerprint, content) = prints_of(&platform.name, &msg);
        if let Some(past) = self.state.memory.find(fingerprint) {
            return self.seen_before(from, msg, fingerprint, content, past);
        }
        if let Some(ticket) = self.air.waiting_names.get(fingerprint) {
            return self.repeat_of_waiting(from, msg, content, ticket);
        }
        if self.may_be_forgotten(&platform.name, &msg) {
            return self.ask_for_own(from, msg, fingerprint);
        }
        if self.is_stale(&msg) {
            return self.refuse(&from, msg, Reason::OriginalNotFound, None, None);
        }
        if msg.original.is_none() {
            return self.admit_named(from, msg, None, (fingerprint, content));
        }
        self.fresh(from, msg);
    }

    /// A request nobody has seen before.
    pub(super) fn fresh(&mut self, from: Requester, msg: Box<Canonical>) {
        if msg.original.is_none() {
            return self.admit(from, msg, None);
        }
        let name = self.platform_name(&from).unwrap_or_default();
        let key = self.key_of_referred(&name, &msg, &reply::origin_of(&msg));
        self.recall(key, Recalling::Referred { requester: from, msg });
    }

    /// Where the journal has what this message refers to.
    pub(super) fn key_of_referred(
        &self,
        platform: &Name,
        msg: &Canonical,
        own: &Origin,
    ) -> RecallKey {
        let names = super::reversal::original_names(msg, own);
        let names = names.iter().map(|name| duplicates::fingerprint(platform, name));
        let known = names.clone().find_map(|name| self.state.memory.find(name));
        match known.filter(|past| past.past() == Past::Granted) {
            Some(past) => RecallKey::Record(past.no()),
            None => RecallKey::Key { names: first_names(names), days: REFERENCE_DAYS },
        }
    }

    /// The bank knows the original by its own keys only: a reference in the platform's would
    /// name another transaction there.
    fn referred_recalled(
        &mut self,
        from: Requester,
        mut msg: Box<Canonical>,
        record: Option<(RecordNo, Box<Record>)>,
    ) {
        let name = self.policy.platforms.get(usize::from(from.platform.0)).map(|p| p.name);
        let (fingerprint, _) = prints_of(&name.unwrap_or_default(), &msg);
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

    /// Routes a new request and sends it, or lets it wait.
    pub(super) fn admit(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        referred: Option<(RecordNo, Arc<Intent>)>,
    ) {
        let name = self.platform_name(&from).unwrap_or_default();
        let prints = prints_of(&name, &msg);
        self.admit_named(from, msg, referred, prints);
    }

    /// The same where the fingerprints are known.
    fn admit_named(
        &mut self,
        from: Requester,
        mut msg: Box<Canonical>,
        referred: Option<(RecordNo, Arc<Intent>)>,
        (fingerprint, content): (u64, u32),
    ) {
        let Some(platform) = self.policy.platforms.get(usize::from(from.platform.0)) else {
            return;
        };
        let deadline = from.received.after(platform.budget.saturating_sub(platform.margin));
        let (rule, bank) = match self.place(&from, &msg) {
            Ok(placed) => placed,
            Err(why) if referred.is_none() => {
                return self.not_placed(from, msg, why, (fingerprint, content));
            }
            Err((reason, bank)) => return self.refuse(&from, msg, reason, None, bank),
        };
        let mut original = None;
        if let Some((txn, intent)) = referred {
            if intent.bank != self.bank_name(bank) {
                // Its own bank alone knows it.
                return self.refuse(&from, msg, Reason::OriginalNotFound, Some(txn), Some(bank));
            }
            msg.original = Some(reply::reference(&intent.keys, None));
            original = Some((txn, Box::new(intent.keys.clone())));
        }
        let requester = from;
        let two_legs = self.policy.routes.get(rule).is_some_and(|rule| rule.credit.is_some());
        let role = if two_legs { Role::Debit } else { Role::Whole };
        let pending =
            Pending { msg, requester, fingerprint, content, rule, bank, deadline, original, role };
        self.launch_or_wait(pending);
    }

    /// Which rule and bank a request goes to, or why not.
    pub(super) fn place(
        &mut self,
        from: &Requester,
        msg: &Canonical,
    ) -> Result<(usize, BankId), (Reason, Option<BankId>)> {
        let policy = &self.policy;
        let Some(rule) = routing::route(policy, from.platform, msg) else {
            return Err((Reason::NoRoute, None));
        };
        let (bank, rule_credit) = (rule.bank, rule.credit);
        let Some(at) = policy.banks.get(usize::from(bank.0)) else {
            return Err((Reason::NoRoute, None));
        };
        let index = policy.routes.iter().position(|r| std::ptr::eq(r, rule)).unwrap_or_default();
        let (_, terminal) = routing::identify(at, msg).map_err(|why| (why, Some(bank)))?;
        if msg.pin_block.is_some() {
            let bank_name = at.name;
            self.event(Event::PinDeclined { bank: bank_name });
            return Err((Reason::PinNotSupported, Some(bank)));
        }
        if self.draining || self.over_cap(from) {
            return Err((Reason::SystemError, Some(bank)));
        }
        let carrier = self.carrier(bank, terminal.map(|t| t.trimmed()).as_ref());
        if carrier.is_none() || self.is_undrained(bank, msg.pan.as_ref()) {
            return Err((Reason::BankDown, Some(bank)));
        }
        if let Some(credit) = rule_credit {
            self.reaches(credit, msg).map_err(|why| (why, Some(credit)))?;
        }
        Ok((index, bank))
    }

    /// The shell stops reading a platform at its cap; twice the cap is what batches may add.
    fn over_cap(&self, from: &Requester) -> bool {
        let cap = self.policy.platforms.get(usize::from(from.platform.0)).map(|p| p.max_in_flight);
        cap.is_some_and(|cap| self.in_flight(from.platform) >= cap.saturating_mul(2))
    }

    pub(super) fn launch_or_wait(&mut self, pending: Pending) {
        let bank = usize::from(pending.bank.0);
        let window = self.policy.banks.get(bank).map_or(0, |b| b.window);
        self.load(pending.requester.platform, 1);
        let Some(live) = self.banks.get_mut(bank) else { return };
        if live.in_flight < window && live.waiting.is_empty() {
            return self.launch(pending);
        }
        let deadline = pending.deadline;
        let ticket = self.air.wait(pending);
        live.waiting.push_back(ticket);
        self.timers.set(Timer::Waiting(ticket), deadline);
    }

    /// Fills the room in a bank's window from its queue.
    pub(super) fn fill_window(&mut self, bank: BankId) {
        let window = self.policy.banks.get(usize::from(bank.0)).map_or(0, |b| b.window);
        while let Some(live) = self.banks.get_mut(usize::from(bank.0)) {
            if live.in_flight >= window {
                return;
            }
            let Some(ticket) = live.waiting.pop_front() else { return };
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
            live.waiting.retain(|t| *t != ticket);
        }
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

    /// Writes the intent and sends the request.
    fn launch(&mut self, pending: Pending) {
        let policy = Arc::clone(&self.policy);
        let Some(bank) = policy.banks.get(usize::from(pending.bank.0)) else { return };
        let (merchant, terminal) = match routing::identify(bank, &pending.msg) {
            Ok(identified) => identified,
            Err(reason) => return self.give_up(pending, reason),
        };
        let trimmed = terminal.map(|t| t.trimmed());
        let Some((line, session)) = self.carrier(pending.bank, trimmed.as_ref()) else {
            return self.give_up(pending, Reason::BankDown);
        };
        if self.is_undrained(pending.bank, pending.msg.pan.as_ref()) {
            return self.give_up(pending, Reason::BankDown);
        }
        let Some(stan) = self.free_stan(&bank.name) else {
            self.event(Event::StansExhausted { bank: bank.name });
            return self.give_up(pending, Reason::BankDown);
        };
        let keys = self.keys_at(bank, &pending.msg, (merchant, terminal), (line, stan));
        let intent = Arc::new(self.intent(&policy, &pending, line, keys));
        self.take_off(pending, intent, (line, session));
    }

    /// What a new message is called at its bank.
    pub(super) fn keys_at(
        &mut self,
        bank: &Bank,
        msg: &Canonical,
        (merchant, terminal): routing::Identified,
        (line, stan): (LineId, u32),
    ) -> BankKeys {
        BankKeys {
            stan,
            transmission: Some(self.stamp.at(self.now.wall)),
            local_time: msg.local_time,
            local_date: msg.local_date,
            acquirer: bank.acquirer.or(msg.acquirer),
            forwarder: bank.forwarder,
            rrn: msg.rrn,
            terminal,
            merchant,
            batch: self.batch_of(line, terminal.map(|t| t.trimmed()).as_ref()),
        }
    }

    /// What will be journaled of a request before it leaves.
    pub(super) fn intent(
        &self,
        policy: &Policy,
        pending: &Pending,
        line: LineId,
        keys: BankKeys,
    ) -> Intent {
        let msg = &pending.msg;
        let kind = pending.role.leg(msg.kind);
        let platform = policy.platforms.get(usize::from(pending.requester.platform.0));
        let bank = policy.banks.get(usize::from(pending.bank.0));
        Intent {
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
        }
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
        let flight = Flight {
            txn,
            intent,
            requester,
            bank,
            line: to.0,
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
        };
        self.air.enter(slot, key, flight);
        self.timers.set(Timer::Flight(slot), deadline);
        self.mark_window();
        if let Some(live) = self.banks.get_mut(usize::from(bank.0)) {
            live.in_flight += 1;
            live.last_request = Some(self.now.mono);
        }
    }

    /// Journals a refusal and says so.
    pub(super) fn refuse(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        reason: Reason,
        concerns: Option<RecordNo>,
        bank: Option<BankId>,
    ) {
        let policy = Arc::clone(&self.policy);
        let Some(platform) = policy.platforms.get(usize::from(from.platform.0)) else { return };
        let no = self.record(Record::Refused(Box::new(Refused {
            at: self.now.wall,
            platform: platform.name,
            kind: msg.kind,
            flow: msg.flow,
            origin: reply::origin_of(&msg),
            pan: msg.pan.clone(),
            processing_code: msg.processing_code,
            amount: msg.amount,
            reason,
            concerns,
        })));
        self.mark_window();
        let word = if reason == Reason::Accepted { "acknowledged" } else { "refused" };
        let after = (reason == Reason::Accepted).then_some(no);
        self.answer_own(from, msg, reason, after);
        self.answered_event(from, bank.map(|b| self.bank_name(b)), concerns, word);
    }

    /// Sends our own answer to a request in hand, where its kind is answered at all.
    pub(super) fn answer_own(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        reason: Reason,
        after: Option<RecordNo>,
    ) {
        if msg.flow == Flow::Notification {
            return;
        }
        if let Some(to) = self.way_back(from) {
            let answer = reply::own_answer(msg, reason);
            self.send(to, answer, after, None, SendOwner::Plain);
        }
    }

    pub(super) fn answered_event(
        &mut self,
        from: &Requester,
        bank: Option<super::ids::Name>,
        txn: Option<RecordNo>,
        outcome: &'static str,
    ) {
        let platform = self.policy.platforms.get(usize::from(from.platform.0));
        let platform = platform.map(|p| p.name).unwrap_or_default();
        let own = self.now.mono.since(from.received).as_micros();
        let own_micros = u64::try_from(own).unwrap_or(u64::MAX);
        let bank_micros = 0;
        self.event(Event::Answered { platform, bank, txn, outcome, bank_micros, own_micros });
    }

    /// A request whose name is remembered.
    fn seen_before(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        fingerprint: u64,
        content: u32,
        past: Remembered,
    ) {
        if past.past() == Past::Tombstone {
            return self.refuse(&from, msg, Reason::Reversed, Some(past.no()), None);
        }
        if !past.same_content(content) {
            return self.conflict(from, msg, Some(past.no()));
        }
        self.repeat_event(&from, past.no());
        match self.told_past(past.past()) {
            Past::Open => match self.air.waiting_names.get(fingerprint) {
                // Its debit is done, its credit waits for room.
                Some(ticket) => self.repeat_of_waiting(from, msg, content, ticket),
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
        let platform = self.policy.platforms.get(usize::from(from.platform.0));
        let platform = platform.map(|p| p.name).unwrap_or_default();
        self.event(Event::DuplicateConflict { platform });
        self.refuse(&from, msg, Reason::Duplicate, of, None);
    }

    pub(super) fn repeat_event(&mut self, from: &Requester, txn: RecordNo) {
        let platform = self.policy.platforms.get(usize::from(from.platform.0));
        let platform = platform.map(|p| p.name).unwrap_or_default();
        self.event(Event::Repeat { platform, txn });
    }

    fn repeat_of_waiting(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        content: u32,
        ticket: u64,
    ) {
        let Some(waiting) = self.air.waiting.get_mut(&ticket) else { return };
        if waiting.content != content {
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

    /// Asks the journal, unless it is asked too much already.
    pub(super) fn recall(&mut self, key: RecallKey, purpose: Recalling) {
        if self.recalls.len() >= RECALLS_MAX {
            let (from, msg) = purpose.into_message();
            return self.answer_own(&from, msg, Reason::SystemError, None);
        }
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.recalls.insert(ticket, purpose);
        self.out.push_back(Output::Recall { ticket, key });
    }

    pub(super) fn recalled(&mut self, ticket: Ticket, record: Option<(RecordNo, Box<Record>)>) {
        match self.recalls.remove(&ticket) {
            None => self.impossible("an answer to no question"),
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
        record: Option<(RecordNo, Box<Record>)>,
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
        self.send(to, reply::stored_answer(msg, outcome), after, None, owner);
    }

    /// Whether this request, which neither memory nor journal has, comes too late to begin: older
    /// than the memory reaches, or a repeat of what the last run may have declined without living
    /// to write that down.
    pub(super) fn is_stale(&self, msg: &Canonical) -> bool {
        let now = self.steady_wall();
        let age = msg.transmission.and_then(|f7| age_of(&f7, now));
        let stamp = own_stamp(&reply::origin_of(msg), now).filter(|_| msg.repeat);
        let begun = self.started.wall.millis().div_euclid(1_000) + CLOCK_AHEAD_S;
        let before_start = stamp.is_some_and(|stamp| i64::from(stamp) <= begun);
        age.is_some_and(|age| age > self.policy.duplicates.age) || (self.former_run && before_start)
    }

    /// Wall time that follows the monotonic clock since the start: jumps do not make requests
    /// old.
    pub(super) fn steady_wall(&self) -> crate::time::Wall {
        let since = self.now.mono.since(self.started.mono).as_millis();
        let since = i64::try_from(since).unwrap_or(i64::MAX);
        crate::time::Wall::from_millis(self.started.wall.millis().saturating_add(since))
    }

    pub(super) fn load(&mut self, platform: super::ids::PlatformId, by: isize) {
        if let Some(load) = self.platform_load.get_mut(usize::from(platform.0)) {
            *load = load.saturating_add_signed(by);
        }
    }

    /// The next STAN of a bank; 1 for a bank no record has named yet.
    pub(super) fn free_stan(&self, bank: &super::ids::Name) -> Option<u32> {
        self.state.bank(bank).map_or(Some(1), |b| b.stans.free())
    }

    /// Keeps an age mark for the duplicate window.
    pub(super) fn mark_window(&mut self) {
        let most = self.policy.duplicates.count;
        if self.marks.back().is_none_or(|(_, no)| no.0 + MARK_EVERY < self.state.last.0) {
            self.marks.push_back((self.now.mono, self.state.last));
        }
        if self.state.memory.len() > most.saturating_add((most / 8).min(FORGOTTEN_AT_ONCE)) {
            // Faster than the timer: the count is a bound of memory.
            return self.window_timer();
        }
        if !self.timers.runs(Timer::Window) {
            self.timers.set(Timer::Window, self.now.mono.after(self.window_pause()));
        }
    }
}

/// Records after which there is an age mark, beside those that come with time.
const MARK_EVERY: u64 = 16_384;

/// Fingerprints of a request's name and of what it asks for.
fn prints_of(platform: &Name, msg: &Canonical) -> (u64, u32) {
    let code = msg.processing_code.as_ref();
    let content = duplicates::content(msg.pan.as_ref(), code, msg.amount);
    (duplicates::fingerprint(platform, &reply::origin_of(msg)), content)
}

/// Whether a platform's message can be worked with at all.
fn readable(msg: &Canonical) -> Result<(), Reason> {
    if matches!(msg.mac, MacCheck::Bad | MacCheck::Missing) {
        return Err(Reason::MacFailed);
    }
    if !msg.stan.is_some_and(|stan| (1..=STAN_MAX).contains(&stan)) {
        return Err(Reason::FormatError);
    }
    match msg.kind {
        Kind::Transaction(TransactionType::Unstated) => Err(Reason::InvalidTransaction),
        Kind::Transaction(kind)
            if msg.pan.is_none() || (kind.has_money_effect() && msg.amount.is_none()) =>
        {
            Err(Reason::FormatError)
        }
        Kind::Transaction(_)
        | Kind::Reversal(_)
        | Kind::Reconciliation
        | Kind::BatchUpload
        | Kind::NetworkManagement(_) => Ok(()),
    }
}
