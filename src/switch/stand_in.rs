//! Stand-in: the switch decides within limits in the place of a bank that a request cannot reach.
//!
//! Contract: only where it is proven that nothing was sent – no line, not signed on, no room in
//! the window until the deadline, or the gate handed the frame back – and never after
//! sent-unknown. The limits are the bank's own ([`super::policy::StandIn`]); what is outside them
//! is declined as without stand-in. The approval names no authorization (`F38`): the bank gave
//! none. Records: the intent, the advice that is owed for it, then the outcome; the answer leaves
//! when that is durable. An intent whose advice is queued was stood in for, which is how recovery
//! knows it. Until the bank has the advice nothing else of that card goes to it online; a reversal
//! follows the advice in the order of the card. Deliberately absent: stand-in for top-ups, for
//! what refers to another transaction, and for what carries a PIN.

use super::Switch;
use super::duplicates;
use super::duplicates::Likeness;
use super::hash::Digest;
use super::ids::{BankId, Name, RecordNo, SendId, SessionId, TxnNo};
use super::inflight::{Flight, Pending, Requester};
use super::policy::StandIn;
use super::record::{Debt, Intent, Leg, Outcome, Owed, Queued};
use super::record_bytes::{Coded, Reader, RecordError, coded_struct};
use super::role::Role;
use super::standing::Standing;
use super::txn::Phase;
use super::{record::Record, reply, routing};
use crate::canonical::{Canonical, Flow, Reason, Sent};
use crate::limits::{STAND_IN_WINDOW_MAX_S, STOOD_IN_MAX};
use crate::money::Amount;
use crate::sensitive::Pan;
use crate::time::Wall;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// One decision in a bank's place.
#[derive(Debug, Clone, PartialEq)]
struct Decided {
    at: Wall,
    /// Fingerprint of the card and its bank.
    card: u64,
    amount: Amount,
}

coded_struct!(Decided { at, card, amount });

/// Decisions of the last day, by which the limits per card are kept. Reversed ones count as well.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Decisions {
    /// Oldest first.
    all: VecDeque<Decided>,
    /// The same by card.
    cards: BTreeMap<u64, VecDeque<Decided>>,
}

/// What the limits per card are kept by.
fn card_of(bank: &Name, pan: Option<&Pan>) -> u64 {
    Digest::new(duplicates::order_key(pan, None)).bytes(bank.as_bytes()).finish()
}

impl Decisions {
    /// Takes in a decision; the oldest make room.
    pub(super) fn add(&mut self, bank: &Name, pan: Option<&Pan>, at: Wall, amount: Amount) {
        self.push(Decided { at, card: card_of(bank, pan), amount });
    }

    fn push(&mut self, decided: Decided) {
        let over = |d: &Decided| is_over(d.at, decided.at, STAND_IN_WINDOW_MAX_S);
        while self.all.len() >= STOOD_IN_MAX || self.all.front().is_some_and(over) {
            self.drop_oldest();
        }
        self.cards.entry(decided.card).or_default().push_back(decided.clone());
        self.all.push_back(decided);
    }

    /// A run begins, and what is here was decided before it: stamps of a clock that was ahead then
    /// count from now on, and not until that day has come.
    pub(super) fn begin(&mut self, now: Wall) {
        let all = self.all.iter_mut().chain(self.cards.values_mut().flatten());
        all.for_each(|decided| decided.at = decided.at.min(now));
    }

    fn drop_oldest(&mut self) {
        let Some(Decided { card, .. }) = self.all.pop_front() else { return };
        if let Some(of_card) = self.cards.get_mut(&card) {
            of_card.pop_front();
            if of_card.is_empty() {
                self.cards.remove(&card);
            }
        }
    }

    /// Whether one more of this amount stays within what a card may have. Where no more can be
    /// remembered, nothing is allowed.
    fn allow(&self, rules: &StandIn, card: u64, now: Wall, amount: Amount, total: u64) -> bool {
        let oldest = self.all.front().filter(|_| self.all.len() >= STOOD_IN_MAX);
        if oldest.is_some_and(|oldest| !is_over(oldest.at, now, STAND_IN_WINDOW_MAX_S)) {
            return false;
        }
        let window_s = rules.window.as_secs();
        let of_card = self.cards.get(&card).into_iter().flatten();
        let (mut count, mut sum) = (0_u32, amount.minor);
        for decided in of_card.filter(|d| !is_over(d.at, now, window_s)) {
            count = count.saturating_add(1);
            if decided.amount.currency == amount.currency {
                sum = sum.saturating_add(decided.amount.minor);
            }
        }
        count < rules.count && sum <= total
    }
}

/// Whether `at` is so many seconds before `now`; what lies ahead of it is not over.
fn is_over(at: Wall, now: Wall, after_s: u64) -> bool {
    let age = now.millis().saturating_sub(at.millis());
    u64::try_from(age).is_ok_and(|age| age >= after_s.saturating_mul(1_000))
}

impl Coded for Decisions {
    fn put(&self, out: &mut Vec<u8>) {
        self.all.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        let mut decisions = Self::default();
        VecDeque::take(from)?.into_iter().for_each(|decided| decisions.push(decided));
        Ok(decisions)
    }
}

impl Switch {
    /// A request that no line of its bank can take now: stood in for, or declined.
    pub(super) fn not_placed(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        (reason, bank): (Reason, Option<BankId>),
        likeness: Likeness,
    ) {
        let rule = routing::route(&self.policy, from.platform, &msg);
        let rule = rule.filter(|(_, rule)| rule.credit.is_none()).map(|(index, _)| index);
        match (rule, bank, reason) {
            (Some(rule), Some(bank), Reason::BankDown) if msg.original.is_none() => {
                let (requester, original, role) = (from, None, Role::Whole);
                let deadline = requester.received;
                self.load(requester.platform, 1);
                let pending =
                    Pending { msg, requester, likeness, rule, bank, deadline, original, role };
                self.give_up(pending, reason);
            }
            _ => self.refuse(&from, msg, reason, None, bank),
        }
    }

    /// Decides a request that never left in its bank's place; gives it back where the limits do
    /// not allow that.
    pub(super) fn stand_in(&mut self, mut pending: Pending) -> Option<Pending> {
        let policy = Arc::clone(&self.policy);
        let bank = policy.banks.get(usize::from(pending.bank.0));
        let whole = pending.role == Role::Whole && pending.original.is_none();
        let Some(bank) = bank.filter(|b| b.stand_in.is_some() && whole) else {
            return Some(pending);
        };
        let identified = routing::identify(bank, &pending.msg).ok();
        let stan = self.free_stan(&bank.name);
        let (Some(identified), Some(stan), None) = (identified, stan, &pending.msg.pin_block)
        else {
            return Some(pending);
        };
        let line = bank.lines.first().copied().unwrap_or_default();
        let transmission = self.stamp.at(self.now.wall);
        let mut keys = self.keys_at(bank, &pending.msg, identified, (line, stan), transmission);
        keys.sent = Some(Sent { kind: pending.msg.kind, flow: Flow::Advice });
        pending.role = Role::StandIn;
        let intent = self.intent(&pending, line, keys);
        if !self.may_stand_in(&intent) {
            pending.role = Role::Whole;
            return Some(pending);
        }
        let txn = self.record(Record::Intent(Arc::clone(&intent)));
        let slot = self.air.flights.vacant_key();
        self.air.enter_unsent(Box::new(Flight {
            txn,
            intent,
            requester: pending.requester,
            bank: pending.bank,
            line,
            session: SessionId(0),
            moves: 0,
            phase: Phase::Held,
            send: SendId(0),
            released: None,
            answered: None,
            deadline: pending.deadline,
            outcome: None,
            grants: vec![],
            granted: false,
            credit: None,
            unpackable: false,
        }));
        self.stood_in(slot);
        None
    }

    /// Whether a request that the gate handed back may be decided in its bank's place.
    pub(super) fn stands_in_for(&self, slot: usize) -> bool {
        let flight = self.air.flights.get(slot);
        flight.is_some_and(|f| {
            let proven = f.released.is_none() && !f.unpackable && f.credit.is_none();
            proven && self.may_stand_in(&f.intent)
        })
    }

    /// Whether this is within the limits of its bank. It must be reversible: what is granted may
    /// turn out to be undeliverable.
    fn may_stand_in(&self, intent: &Intent) -> bool {
        let bank = self.policy.banks.iter().find(|b| b.name == intent.bank);
        let Some(rules) = bank.and_then(|b| b.stand_in.as_ref()) else { return false };
        let (Some(pan), Some(amount), Some(kind)) =
            (&intent.pan, intent.amount, intent.kind.transaction())
        else {
            return false;
        };
        let Some(limit) = rules.limits.iter().find(|l| l.currency == amount.currency.code()) else {
            return false;
        };
        matches!(intent.role, Role::Whole | Role::StandIn)
            && intent.flow == Flow::Request
            && (intent.original.is_none() && intent.referred.is_none())
            && intent.owes == Debt::Reversal
            && rules.kinds.contains(&kind)
            && !routing::in_ranges(pan, &rules.never)
            && amount.minor <= limit.floor
            && self.state.stood_in.allow(
                rules,
                card_of(&intent.bank, Some(pan)),
                self.steady_wall(),
                amount,
                limit.total,
            )
    }

    /// Stands in: the advice is owed, the outcome recorded, the approval on its way.
    pub(super) fn stood_in(&mut self, slot: usize) {
        let Some(flight) = self.air.flights.get(slot) else { return };
        let (txn, intent) = (flight.txn, Arc::clone(&flight.intent));
        let header = flight.requester.header;
        let advice = self.advice_of(txn, &intent);
        let entry = self.queue(advice, self.now.mono);
        let outcome = outcome_of(txn, &intent, self.steady_wall());
        let no = self.record(Record::Outcome(outcome.clone()));
        if let Some(flight) = self.air.flights.get_mut(slot) {
            flight.outcome = Some((no, outcome));
        }
        self.flight_event(slot, "stood_in");
        self.saf_wake(entry);
        self.offer(slot, no, reply::own_answer_to(&intent, header, Reason::Accepted));
    }

    /// What tells the bank of a decision in its place, under the keys of the request it replaces.
    fn advice_of(&self, txn: TxnNo, intent: &Intent) -> Queued {
        Queued {
            txn: Some(txn),
            // The request has the platform's name already.
            pan: intent.pan.clone(),
            amount: intent.amount,
            facts: intent.facts.clone(),
            ..Queued::bare(
                self.now.wall,
                intent.bank,
                (Owed::Repeat, intent.kind, Flow::Advice),
                Reason::BankDown,
                Standing { advised: true, ..Standing::default() }.named(&intent.keys),
            )
        }
    }

    /// Whether the bank has yet to hear what was decided in its place for this card.
    pub(super) fn is_undrained(&self, bank: BankId, pan: Option<&Pan>) -> bool {
        let live = self.banks.get(usize::from(bank.0));
        live.is_some_and(|live| live.saf.is_undrained(pan))
    }

    /// What the last run left of this intent, where it was stood in for: the advice in the SAF
    /// proves that it never left and was decided. One without its advice was not decided.
    pub(super) fn recovered_stand_in(&self, txn: TxnNo, intent: &Intent) -> Option<Outcome> {
        let at = self.now.wall;
        if self.stand_in_advice(txn).is_some() {
            return Some(outcome_of(txn, intent, at));
        }
        (intent.role == Role::StandIn).then(|| Outcome {
            leg: Leg::NotSent,
            reason: Some(Reason::BankDown),
            amount: None,
            ..outcome_of(txn, intent, at)
        })
    }

    /// The entry that tells the bank of this decision, while it is owed.
    pub(super) fn stand_in_advice(&self, txn: TxnNo) -> Option<RecordNo> {
        // It stands behind its intent.
        let mut after = self.state.saf.range(txn..);
        after.find(|(_, entry)| entry.queued.stands_in_for() == Some(txn)).map(|(no, _)| *no)
    }

    /// What was decided in the bank's place is taken back: nobody may send a dead advice of it
    /// again.
    pub(super) fn give_up_dead_advice(&mut self, txn: TxnNo, platform: Option<Name>) {
        let mut dead = self.state.dead.range(txn..);
        let found = dead.find(|(_, letter)| letter.queued.stands_in_for() == Some(txn));
        let Some((entry, letter)) = found.map(|(no, letter)| (*no, &letter.queued)) else { return };
        let mut queued = Queued::clone(letter);
        queued.platform = platform;
        self.give_up_letter(entry, &queued);
    }
}

fn outcome_of(txn: TxnNo, intent: &Intent, at: Wall) -> Outcome {
    let reason = Some(Reason::Accepted);
    Outcome { reason, amount: intent.amount, ..Outcome::bare(txn, at, Leg::StoodIn) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;
    use std::time::Duration;

    fn rules() -> StandIn {
        let window = Duration::from_secs(60);
        StandIn { kinds: vec![], window, count: 2, never: vec![], limits: vec![] }
    }

    fn amount(minor: u64, currency: u16) -> Option<Amount> {
        Currency::new(currency).map(|currency| Amount::new(minor, currency))
    }

    fn at(seconds: i64) -> Wall {
        Wall::from_millis(seconds * 1_000)
    }

    fn decisions(all: &[(i64, u64, u64)]) -> Decisions {
        let mut decisions = Decisions::default();
        for (seconds, card, minor) in all {
            if let Some(amount) = amount(*minor, 156) {
                decisions.push(Decided { at: at(*seconds), card: *card, amount });
            }
        }
        decisions
    }

    #[test]
    fn a_card_is_limited_in_number_and_sum_within_the_window() {
        let allows = |decisions: &Decisions, now, card, minor, currency| {
            amount(minor, currency).map(|a| decisions.allow(&rules(), card, at(now), a, 100))
        };
        let one = decisions(&[(0, 1, 60)]);
        assert_eq!(allows(&one, 1, 1, 40, 156), Some(true), "together all it may have");
        assert_eq!(allows(&one, 1, 1, 41, 156), Some(false));
        assert_eq!(allows(&one, 1, 2, 41, 156), Some(true), "another card");
        assert_eq!(allows(&one, 1, 1, 41, 344), Some(true), "sums are per currency");
        assert_eq!(allows(&one, 59, 1, 41, 156), Some(false));
        assert_eq!(allows(&one, 60, 1, 41, 156), Some(true), "the window is over");
        let two = decisions(&[(0, 1, 1), (1, 1, 1)]);
        assert_eq!(allows(&two, 2, 1, 1, 344), Some(false), "the number is over all currencies");
        assert_eq!(allows(&two, -500, 1, 1, 156), Some(false), "the clock was set back");
    }

    #[test]
    fn the_memory_is_bounded_and_a_full_one_allows_nothing() {
        let many: Vec<_> = (0..STOOD_IN_MAX as u64).map(|card| (0, card, 1)).collect();
        let mut full = decisions(&many);
        let one = amount(1, 156);
        let day = STAND_IN_WINDOW_MAX_S as i64;
        let asked =
            |full: &Decisions, now| one.map(|a| full.allow(&rules(), 7_777_777, at(now), a, 9));
        assert_eq!(asked(&full, day - 1), Some(false));
        assert_eq!(asked(&full, day), Some(true), "they are too old to count");
        if let Some(amount) = one {
            full.push(Decided { at: at(day), card: 1, amount });
        }
        assert_eq!((full.all.len(), full.cards.len()), (1, 1), "and leave with the next");
    }

    #[test]
    fn a_checkpoint_brings_them_back() {
        let before = decisions(&[(0, 1, 60), (1, 2, 5), (2, 1, 7)]);
        let mut bytes = vec![];
        before.put(&mut bytes);
        assert_eq!(Decisions::take(&mut Reader::new(&bytes)), Ok(before));
    }
}
