//! A top-up as two legs: a debit at one bank, then a credit at a stored-value issuer.
//!
//! Contract: the credit is asked for only after the debit was approved, within the same budget of
//! the platform; the platform hears of both legs as one. A debit whose credit is not given is
//! reversed; one whose credit is unknown, or was taken back, is touched only after the credit's
//! chain has closed. A late approval of the credit changes nothing about the debit.
//!
//! ```text
//!   debit not sent, declined ............ declined; no credit
//!   debit unknown ....................... declined; the debit's one chain; no credit
//!   debit approved, credit not given .... declined; the debit's one chain
//!   debit approved, credit unknown ...... declined; the credit's chain, then the debit's
//!   both approved ....................... granted
//!   granted, undeliverable or reversed .. the credit's chain, then the debit's
//! ```
//! Which debit is to be reversed stands in `State::debits`, put there by `apply`: live running
//! and recovery carry out the same list.

use super::Switch;
use super::ids::{BankId, TxnNo};
use super::inflight::Pending;
use super::leg::Answered;
use super::output::Event;
use super::record::{Debt, Leg, Owed};
use super::role::{Debited, Role};
use super::routing;
use super::undoing::Undone;
use crate::canonical::{Canonical, Reason};
use std::sync::Arc;

/// Of the card used for the debit the issuer of the stored value hears the number at most: track
/// data and chip data (`F35`, `F36`, `F45`, `F55`) are the debiting bank's.
const DEBIT_ONLY: [u8; 4] = [35, 36, 45, 55];

impl Switch {
    /// Whether a leg of this request could go to a bank now.
    pub(super) fn reaches(&self, bank: BankId, msg: &Canonical) -> Result<(), Reason> {
        let settings = self.policy.banks.get(usize::from(bank.0)).ok_or(Reason::NoRoute)?;
        let (_, terminal) = routing::identify(settings, msg)?;
        let live = self.banks.get(usize::from(bank.0)).ok_or(Reason::NoRoute)?;
        let way = self.carrier(bank, terminal.as_ref());
        way.filter(|_| live.breaker.lets_through()).map(|_| ()).ok_or(Reason::BankDown)
    }

    /// The credit that follows this request once it is approved, where it is a debit.
    pub(super) fn credit_of(&self, debit: &Pending) -> Option<Box<Pending>> {
        let rule = self.policy.routes.get(debit.rule).filter(|_| debit.role == Role::Debit)?;
        let mut msg = debit.msg.clone();
        msg.track2 = None;
        let mut carried = crate::canonical::Carried::default();
        let passed = msg.carried.iter().filter(|(de, _)| !DEBIT_ONLY.contains(de));
        passed.for_each(|(de, value)| carried.push(de, value));
        msg.carried = carried;
        let platform = self.policy.platforms.get(usize::from(debit.requester.platform.0))?;
        let limit = platform.budget.saturating_sub(platform.margin);
        Some(Box::new(Pending {
            msg,
            requester: debit.requester.clone(),
            likeness: debit.likeness,
            rule: debit.rule,
            bank: rule.credit?,
            deadline: debit.requester.received.after(limit),
            original: None,
            // Replaced when the debit is done.
            role: Role::Whole,
        }))
    }

    /// The debit was approved: recorded, and the credit goes out or waits for room.
    pub(super) fn debited(&mut self, slot: usize, answer: Option<Answered>) {
        let Some(Answered { msg, .. }) = answer else {
            return self.impossible("an approval without an answer");
        };
        let (_, outcome) = self.outcome(slot, Leg::Approved, Some((&msg, None)));
        let Some(flight) = self.finish(slot) else { return };
        let Some(mut credit) = flight.credit else {
            return self.impossible("a debit without a credit to follow");
        };
        // The newest who asked is answered.
        credit.requester = flight.requester;
        let debited = Debited::of(flight.txn, &flight.intent, outcome.auth_id);
        credit.role = Role::Credit(Arc::new(debited));
        self.launch_or_wait(*credit, None);
    }

    /// Reverses the debits that nothing carries on.
    pub(super) fn settle_debits(&mut self) {
        let waits = |txn: &TxnNo| {
            let mut credits = self.air.waiting.values().filter_map(|p| p.role.debited());
            credits.any(|debited| debited.txn == *txn)
        };
        let left = self.state.debits.iter().filter(|(txn, _)| !waits(txn));
        let left: Vec<Arc<Debited>> = left.map(|(_, debited)| Arc::clone(debited)).collect();
        for debited in left {
            self.reverse_debit(&debited);
        }
    }

    fn reverse_debit(&mut self, debited: &Debited) {
        let (txn, bank) = (debited.txn, debited.bank);
        // A credit that its bank did and does not find stands, for all we know: the debit goes to
        // the operator who finds out.
        let mut dead = self.state.dead.values().filter_map(|letter| letter.queued.debit.as_ref());
        if debited.owes != Debt::Reversal || dead.any(|of| of.txn == txn) {
            return self.put_on_desk(txn, &bank, txn, debited.amount, None);
        }
        let (of, reason) = (Undone::debit(debited), Reason::Undeliverable);
        let queued = self.reversal_of(txn, of, Owed::OwnReversal, reason);
        let Some((mut queued, not_found_final)) = queued else { return };
        queued.replacement = debited.left;
        let recovered = self.recovering;
        self.event(Event::ReversalQueued { bank, txn, recovered });
        self.queue(queued, not_found_final);
    }

    /// A credit whose end only an operator can find out: the debit is theirs as well.
    pub(super) fn debit_to_desk(&mut self, role: &Role) {
        if let Some(debited) = role.debited()
            && !self.state.desk.contains_key(&debited.txn)
        {
            self.put_on_desk(debited.txn, &debited.bank, debited.txn, debited.amount, None);
        }
    }
}
