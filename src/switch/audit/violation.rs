//! The rules of money that the journal alone can show, each with the records that break it.
//!
//! Contract: words for people and programs; [`super::Auditor`] finds them. Deliberately absent:
//! what only other ledgers know (did the platform see it, did the bank).

use crate::switch::ids::{RecordNo, TxnNo};

/// A broken rule, with the records that show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Record numbers run without gaps.
    #[error("record {got} follows record {last}")]
    Gap {
        /// The one before.
        last: RecordNo,
        /// The one found.
        got: RecordNo,
    },
    /// I1: an outcome belongs to an open intent.
    #[error("outcome {no} of transaction {txn}, which is not open")]
    StrayOutcome {
        /// The outcome.
        no: RecordNo,
        /// The transaction it names.
        txn: TxnNo,
    },
    /// I4: a debt is recorded before the outcome it follows from.
    #[error("outcome {no} of transaction {txn} owes a message that is not queued")]
    DebtNotQueued {
        /// The outcome.
        no: RecordNo,
        /// The transaction.
        txn: TxnNo,
    },
    /// I7: one reversal chain per original.
    #[error("record {no} opens a second reversal of transaction {txn}")]
    SecondChain {
        /// The queued reversal.
        no: RecordNo,
        /// The transaction.
        txn: TxnNo,
    },
    /// I5: what reached the platform is reversed only when the platform asks.
    #[error("record {no} reverses transaction {txn}, whose approval left for the platform")]
    GrantReversed {
        /// The queued reversal.
        no: RecordNo,
        /// The transaction.
        txn: TxnNo,
    },
    /// An advice or inquiry is never reversed.
    #[error("record {no} reverses transaction {txn}, which owes none")]
    NotReversible {
        /// The queued reversal.
        no: RecordNo,
        /// The transaction.
        txn: TxnNo,
    },
    /// I8: originals that may still be answered, reversed or wait share no STAN.
    #[error("intent {no} takes STAN {stan}, which transaction {holder} still holds")]
    StanShared {
        /// The intent.
        no: RecordNo,
        /// The number.
        stan: u32,
        /// Who holds it.
        holder: RecordNo,
    },
    /// A SAF entry is tried and closed only while it is open.
    #[error("record {no} concerns SAF entry {entry}, which is not open")]
    StrayEntry {
        /// The record.
        no: RecordNo,
        /// The entry it names.
        entry: RecordNo,
    },
    /// I6: no original goes to a bank twice.
    #[error("intent {no} sends transaction {txn} to its bank a second time")]
    SentTwice {
        /// The second intent.
        no: RecordNo,
        /// The first.
        txn: TxnNo,
    },
    /// I6: a try is counted before it is made, so that a repeat says that it is one.
    #[error("record {no} is try {count} of SAF entry {entry}, which had {known} already")]
    TryCountedTwice {
        /// The attempt.
        no: RecordNo,
        /// The entry.
        entry: RecordNo,
        /// What it says.
        count: u32,
        /// What was known.
        known: u32,
    },
    /// I9: a reversal is not needless while the bank is known to have the money.
    #[error(
        "record {no} calls the reversal of transaction {txn} needless, which the bank approved"
    )]
    MoneyLeft {
        /// The end of the reversal.
        no: RecordNo,
        /// The transaction.
        txn: TxnNo,
    },
    /// I4: the debit of a top-up is reversed only when its credit is settled.
    #[error("record {no} reverses debit {txn}, whose credit {credit} is not settled")]
    DebitBeforeCredit {
        /// The queued reversal.
        no: RecordNo,
        /// The debit.
        txn: TxnNo,
        /// The credit.
        credit: TxnNo,
    },
    /// I2: an approval leaves only after its outcome.
    #[error("record {no} says that transaction {txn} was granted, and its outcome does not")]
    NotGranted {
        /// The record.
        no: RecordNo,
        /// The transaction.
        txn: TxnNo,
    },
}

impl Violation {
    /// The rule, as metrics and programs spell it.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Gap { .. } => "gap",
            Self::StrayOutcome { .. } => "stray_outcome",
            Self::DebtNotQueued { .. } => "debt_not_queued",
            Self::SecondChain { .. } => "second_chain",
            Self::GrantReversed { .. } => "grant_reversed",
            Self::NotReversible { .. } => "not_reversible",
            Self::StanShared { .. } => "stan_shared",
            Self::StrayEntry { .. } => "stray_entry",
            Self::SentTwice { .. } => "sent_twice",
            Self::TryCountedTwice { .. } => "try_counted_twice",
            Self::MoneyLeft { .. } => "money_left",
            Self::DebitBeforeCredit { .. } => "debit_before_credit",
            Self::NotGranted { .. } => "not_granted",
        }
    }

    /// Every rule there is.
    pub const RULES: [&'static str; 13] = [
        "gap",
        "stray_outcome",
        "debt_not_queued",
        "second_chain",
        "grant_reversed",
        "not_reversible",
        "stan_shared",
        "stray_entry",
        "sent_twice",
        "try_counted_twice",
        "money_left",
        "debit_before_credit",
        "not_granted",
    ];

    /// The record that breaks it.
    pub const fn record(&self) -> RecordNo {
        match self {
            Self::Gap { got, .. } => *got,
            Self::StrayOutcome { no, .. }
            | Self::DebtNotQueued { no, .. }
            | Self::SecondChain { no, .. }
            | Self::GrantReversed { no, .. }
            | Self::NotReversible { no, .. }
            | Self::StanShared { no, .. }
            | Self::StrayEntry { no, .. }
            | Self::SentTwice { no, .. }
            | Self::TryCountedTwice { no, .. }
            | Self::MoneyLeft { no, .. }
            | Self::DebitBeforeCredit { no, .. }
            | Self::NotGranted { no, .. } => *no,
        }
    }

    /// The transaction it concerns, or the SAF entry; the record where there is neither.
    pub const fn transaction(&self) -> RecordNo {
        match self {
            Self::Gap { got, .. } => *got,
            Self::StrayOutcome { txn, .. }
            | Self::DebtNotQueued { txn, .. }
            | Self::SecondChain { txn, .. }
            | Self::GrantReversed { txn, .. }
            | Self::NotReversible { txn, .. }
            | Self::SentTwice { txn, .. }
            | Self::MoneyLeft { txn, .. }
            | Self::DebitBeforeCredit { txn, .. }
            | Self::NotGranted { txn, .. } => *txn,
            Self::StanShared { holder, .. } => *holder,
            Self::StrayEntry { entry, .. } | Self::TryCountedTwice { entry, .. } => *entry,
        }
    }
}
