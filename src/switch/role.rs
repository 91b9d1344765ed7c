//! Which part of a platform's request a bank leg is.
//!
//! Contract: most requests are one leg. A top-up is two, a debit and then a credit; the credit's
//! record carries all that the debit's reversal will need, so that whoever has the one can undo
//! both, in the right order, without asking the journal again.

use super::ids::{Name, TxnNo};
use super::record::{BankKeys, CardFacts, Debt, Intent};
use crate::canonical::{Kind, TransactionType};
use crate::money::Amount;
use crate::sensitive::Pan;
use crate::text::Text;
use std::sync::Arc;

/// Which part of the platform's request a bank leg is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Role {
    /// All of it.
    #[default]
    Whole,
    /// The debit of a top-up: the credit is asked for once it is approved.
    Debit,
    /// The credit of a top-up, with its debit, which was approved.
    Credit(Arc<Debited>),
    /// Decided by the switch in the bank's place; an advice tells the bank.
    StandIn,
}

/// An approved debit: all that its reversal needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debited {
    /// Its transaction.
    pub txn: TxnNo,
    /// The bank that debited.
    pub bank: Name,
    /// Over which line.
    pub line: Name,
    /// What it was asked as.
    pub kind: Kind,
    /// Its keys at that bank.
    pub keys: BankKeys,
    /// What an unknown outcome of it would have owed.
    pub owes: Debt,
    /// The card.
    pub pan: Option<Pan>,
    /// How much.
    pub amount: Option<Amount>,
    /// What its reversal repeats.
    pub facts: CardFacts,
    /// `F38` as the bank gave it.
    pub auth_id: Option<Text<6>>,
    /// What is to stand of it, where the platform takes only part of the top-up back.
    pub left: Option<Amount>,
}

impl Debited {
    /// The debit `txn` as it was intended, with the authorization it got.
    pub(super) fn of(txn: TxnNo, intent: &Intent, auth_id: Option<Text<6>>) -> Self {
        Self {
            txn,
            bank: intent.bank,
            line: intent.line,
            kind: intent.kind,
            keys: intent.keys.clone(),
            owes: intent.owes,
            pan: intent.pan.clone(),
            amount: intent.amount,
            facts: intent.facts.clone(),
            auth_id,
            left: None,
        }
    }
}

impl Role {
    /// The debit behind this leg, where it is a credit.
    pub fn debited(&self) -> Option<&Arc<Debited>> {
        match self {
            Self::Credit(debited) => Some(debited),
            Self::Whole | Self::Debit | Self::StandIn => None,
        }
    }

    /// What a bank is asked for, where the platform asked for this.
    pub(super) const fn leg(&self, asked: Kind) -> Kind {
        match self {
            Self::Debit => Kind::Transaction(TransactionType::Purchase),
            Self::Whole | Self::Credit(_) | Self::StandIn => asked,
        }
    }

    /// What the platform asked for, of which a leg of this kind is a part.
    pub(super) const fn asked(&self, leg: Kind) -> Kind {
        match self {
            Self::Debit => Kind::Transaction(TransactionType::TopUp),
            Self::Whole | Self::Credit(_) | Self::StandIn => leg,
        }
    }
}
