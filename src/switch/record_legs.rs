//! What the journal remembers of requests: as they came, as they went to a bank, how they ended.
//!
//! Contract: that of [`super::record`], which gives these names to everybody.

use super::duplicates::Likeness;
use super::ids::{Name, TxnNo};
use super::record::Cause;
use super::role::Role;
use crate::canonical::{Carried, Flow, Kind, Reason, ResponseClass, Sent, TransactionType};
use crate::money::Amount;
use crate::sensitive::Pan;
use crate::text::Text;
use crate::time::{Day, Wall};

/// The platform's names for one request: what its answer must give back, and what makes it a
/// duplicate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// MTI as received.
    pub mti: Text<4>,
    /// `F7`.
    pub transmission: Option<Text<10>>,
    /// `F11`.
    pub stan: u32,
    /// `F12`.
    pub local_time: Option<Text<6>>,
    /// `F13`.
    pub local_date: Option<Text<4>>,
    /// `F32`.
    pub acquirer: Option<Text<11>>,
    /// `F33`.
    pub forwarder: Option<Text<11>>,
    /// `F37`.
    pub rrn: Option<Text<12>>,
    /// `F41`.
    pub terminal: Option<Text<16>>,
    /// `F42`.
    pub merchant: Option<Text<35>>,
    /// Batch, where the platform's dialect has one.
    pub batch: Option<u32>,
}

/// Our names for one request on the bank's side, as sent. A reversal is built from these.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BankKeys {
    /// `F11` on the bank's line.
    pub stan: u32,
    /// `F7` as sent.
    pub transmission: Option<Text<10>>,
    /// `F12` as sent.
    pub local_time: Option<Text<6>>,
    /// `F13` as sent.
    pub local_date: Option<Text<4>>,
    /// `F32` as sent.
    pub acquirer: Option<Text<11>>,
    /// `F33` as sent.
    pub forwarder: Option<Text<11>>,
    /// `F37` as sent.
    pub rrn: Option<Text<12>>,
    /// `F41` as sent.
    pub terminal: Option<Text<16>>,
    /// `F42` as sent.
    pub merchant: Option<Text<35>>,
    /// Batch as sent (UnionPay).
    pub batch: Option<u32>,
    /// What it was sent as: its MTI there. Unset in what older builds wrote, and in the names of
    /// what we never sent.
    pub sent: Option<Sent>,
}

/// What a reversal repeats of its original besides keys: allow-listed, no track, no PIN, no ICC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CardFacts {
    /// `F14`.
    pub expiry: Option<Text<4>>,
    /// `F3`.
    pub processing_code: Option<Text<6>>,
    /// `F18`.
    pub merchant_type: Option<Text<4>>,
    /// `F22`.
    pub pos_entry_mode: Option<Text<12>>,
    /// `F23`.
    pub card_sequence: Option<Text<3>>,
    /// `F24`.
    pub network_id: Option<Text<3>>,
    /// `F25`.
    pub pos_condition: Option<Text<2>>,
    /// `F3` says more than the kind does (cash, cash back).
    pub special: bool,
    /// Money besides the amount: fees, cash back.
    pub money: Option<Box<Carried>>,
}

/// A request accepted and about to be sent to a bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// When.
    pub at: Wall,
    /// Who asked.
    pub platform: Name,
    /// Who is asked.
    pub bank: Name,
    /// Over which line.
    pub line: Name,
    /// The rule that chose the bank.
    pub rule: Name,
    /// What is asked.
    pub kind: Kind,
    /// Request or advice.
    pub flow: Flow,
    /// The platform's keys.
    pub origin: Origin,
    /// The bank's keys.
    pub keys: BankKeys,
    /// The card.
    pub pan: Option<Pan>,
    /// How much.
    pub amount: Option<Amount>,
    /// What a reversal will repeat.
    pub facts: CardFacts,
    /// Whether the platform takes partial approvals.
    pub accepts_partial: bool,
    /// What it owes if its outcome stays unknown, as the dialect and the table say.
    pub owes: Debt,
    /// The transaction this one completes, voids or refunds, where it was found.
    pub original: Option<TxnNo>,
    /// That transaction's keys at this bank; a reversal of this one repeats them.
    pub referred: Option<Box<BankKeys>>,
    /// Hash of the policy that decided.
    pub policy: u64,
    /// Which part of the platform's request it is.
    pub role: Role,
    /// The bank's business date when it was sent: it counts there, unless the answer names
    /// another. Unset in records of older builds.
    pub date: Option<Day>,
    /// What a repeat of it is recognized by. Not on disk: it follows from the fields above.
    pub likeness: Likeness,
}

impl Intent {
    /// A purchase of which nothing is known but when, its names at platform and bank, its card and
    /// its amount; it is reversed if need be.
    pub fn bare(
        at: Wall,
        (platform, origin): (Name, Origin),
        (bank, keys): (Name, BankKeys),
        (pan, amount): (Option<Pan>, Option<Amount>),
    ) -> Self {
        Self {
            at,
            likeness: Likeness::of(&platform, &origin, pan.as_ref(), None, amount),
            platform,
            bank,
            line: bank,
            rule: Name::EMPTY,
            kind: Kind::Transaction(TransactionType::Purchase),
            flow: Flow::Request,
            origin,
            keys,
            pan,
            amount,
            facts: CardFacts::default(),
            accepts_partial: false,
            owes: Debt::Reversal,
            original: None,
            referred: None,
            policy: 1,
            role: Role::Whole,
            date: None,
        }
    }

    /// What this voids, where it is a void of something known.
    pub fn voided(&self) -> Option<TransactionType> {
        self.referred.as_ref()?.sent?.kind.transaction()
    }
}

/// What an unknown outcome owes (domain.md section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Debt {
    /// A reversal.
    Reversal,
    /// The same message again, through the SAF, never reversed.
    Repeat,
    /// Nothing: no money moves.
    Nothing,
    /// An operator's decision: the dialect has no reversal for it.
    Desk,
}

/// How a bank leg ended. Closed: every outcome there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leg {
    /// Proof that no byte left.
    NotSent,
    /// It left; nothing is known.
    SentUnknown,
    /// Approved in full.
    Approved,
    /// Approved for less, and the platform takes that.
    PartiallyApproved,
    /// Declined.
    Declined,
    /// The bank refused our message (format, MAC, sign-on): no effect there.
    Refused,
    /// The answer cannot be trusted: declined to the platform, reversed at the bank.
    InvalidAnswer,
    /// Approved after we had decided.
    LateApproved,
    /// Declined after we had decided.
    LateDeclined,
    /// Decided locally within limits.
    StoodIn,
    /// An advice, reversal or network message was acknowledged.
    Acknowledged,
}

impl Leg {
    /// Whether the platform is told that it has money or goods.
    pub const fn grants(self) -> bool {
        matches!(self, Self::Approved | Self::PartiallyApproved | Self::StoodIn)
    }
}

/// The final outcome of a bank leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Which transaction.
    pub txn: TxnNo,
    /// When.
    pub at: Wall,
    /// How it ended.
    pub leg: Leg,
    /// Class of the bank's answer, if it gave one.
    pub class: Option<ResponseClass>,
    /// The bank's code, if it gave one.
    pub bank_code: Option<Text<4>>,
    /// Our own reason, where we decided.
    pub reason: Option<Reason>,
    /// `F38` as the bank gave it.
    pub auth_id: Option<Text<6>>,
    /// `F37` as the bank gave it.
    pub rrn: Option<Text<12>>,
    /// What was approved; equals the request's amount unless partial.
    pub amount: Option<Amount>,
    /// `F15` of the leg.
    pub settlement_date: Option<Text<4>>,
    /// `F13` as the bank gave it: the date under which it has the transaction.
    pub local_date: Option<Text<4>>,
    /// What of its answer is repeated in what follows (network data).
    pub kept: Option<Box<Carried>>,
}

impl Outcome {
    /// An ending of which nothing is known but how it ended.
    pub const fn bare(txn: TxnNo, at: Wall, leg: Leg) -> Self {
        Self {
            txn,
            at,
            leg,
            class: None,
            bank_code: None,
            reason: None,
            auth_id: None,
            rrn: None,
            amount: None,
            settlement_date: None,
            local_date: None,
            kept: None,
        }
    }
}

/// A request answered without asking a bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// When.
    pub at: Wall,
    /// Who asked.
    pub platform: Name,
    /// What was asked.
    pub kind: Kind,
    /// Request, advice or notification.
    pub flow: Flow,
    /// The platform's keys.
    pub origin: Origin,
    /// The card.
    pub pan: Option<Pan>,
    /// `F3`.
    pub processing_code: Option<Text<6>>,
    /// How much.
    pub amount: Option<Amount>,
    /// What it was told; `Accepted` where it asked for what was so already.
    pub reason: Reason,
    /// The transaction it concerns, where there is one.
    pub concerns: Option<TxnNo>,
    /// What is wrong with the original it names.
    pub cause: Option<Cause>,
    /// Of a reversal: what is to stand, as it asked (`F95`).
    pub replacement: Option<Amount>,
}
