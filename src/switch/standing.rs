//! How an original stands at its bank: what its reversal has to say beyond what was asked for.
//!
//! Contract: made of the outcome as it was recorded, or as it is about to be; unset is what
//! nobody knows. The reversal of a partial approval is about what was granted (Mastercard CIS and
//! Visa VIP: the approved amount), that of a decision in the bank's place is about an advice.
//! Deliberately absent: whether it may be reversed at all ([`super::reversal`]).

use super::Switch;
use super::bank_names::kept_of;
use super::ids::TxnNo;
use super::record::{BankKeys, Intent, Leg, Outcome};
use crate::canonical::{Canonical, Carried, Flow, MacCheck, ResponseClass};
use crate::money::Amount;
use crate::sensitive::Pan;
use crate::text::Text;
use crate::time::Instant;

/// What is known of an original whose reversal is made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Standing {
    /// When it left.
    pub released: Option<Instant>,
    /// `F38` as the bank gave it.
    pub auth_id: Option<Text<6>>,
    /// `F37` as the bank gave it.
    pub rrn: Option<Text<12>>,
    /// What of its answer is repeated in what follows it (network data).
    pub kept: Option<Box<Carried>>,
    /// What the bank granted, where that is not what was asked for.
    pub granted: Option<Amount>,
    /// What earlier reversals left of it.
    pub left: Option<Amount>,
    /// The bank did not hear the request but an advice: it was decided in its place.
    pub advised: bool,
    /// What refers to it took so much that its reversal would take more than was granted.
    pub spent: bool,
}

impl Standing {
    /// As its outcome tells.
    pub(super) fn of(outcome: &Outcome) -> Self {
        Self {
            auth_id: outcome.auth_id,
            rrn: outcome.rrn,
            kept: outcome.kept.clone(),
            granted: granted_by(outcome),
            advised: outcome.leg == Leg::StoodIn,
            ..Self::default()
        }
    }

    /// As an answer tells that can be trusted: how the bank calls what it may have done.
    pub(super) fn told(msg: Option<&Canonical>, pan: Option<&Pan>) -> Self {
        let trusted = |msg: &&Canonical| !matches!(msg.mac, MacCheck::Bad | MacCheck::Missing);
        let Some(msg) = msg.filter(trusted) else { return Self::default() };
        let kept = kept_of(msg, pan);
        Self { auth_id: msg.auth_id, rrn: msg.rrn, kept, ..Self::default() }
    }

    /// All that the bank has of it, before anything was taken back.
    pub(super) fn whole(&self, asked: Option<Amount>) -> Option<Amount> {
        self.granted.or(asked)
    }

    /// What stands of it now.
    pub(super) fn now(&self, asked: Option<Amount>) -> Option<Amount> {
        self.left.or(self.whole(asked))
    }

    /// The original's names at the bank, with the MTI it was told by.
    pub(super) fn named(&self, keys: &BankKeys) -> BankKeys {
        let mut keys = keys.clone();
        if let Some(sent) = keys.sent.as_mut().filter(|_| self.advised) {
            sent.flow = Flow::Advice;
        }
        keys
    }
}

/// What an outcome granted, where the bank said that it was not all. An answer that cannot be
/// trusted leaves no amount in its outcome.
pub(super) fn granted_by(outcome: &Outcome) -> Option<Amount> {
    let partly = outcome.class == Some(ResponseClass::Partial);
    outcome.amount.filter(|_| partly && outcome.leg != Leg::Declined)
}

impl Switch {
    /// How a transaction stands, earlier reversals of parts of it included. Of what is in memory
    /// the books know which of them the bank took; of what is older, the newest reversal tells.
    pub(super) fn standing(&self, txn: TxnNo, intent: &Intent, mut known: Standing) -> Standing {
        let whole = known.whole(intent.amount);
        if self.state.memory.of(txn).is_some() {
            known.left = self.state.books.partials.get(&txn).copied();
        }
        let less = |left: &Amount| whole.and_then(|w| w.minus(*left)).is_some_and(|l| l.minor > 0);
        known.left = known.left.filter(less);
        known
    }
}
