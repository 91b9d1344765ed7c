//! What the auditor reads of one record, in a few bytes.
//!
//! Contract: [`Extract::of`] takes from a record all that the books will ever ask of it, so that
//! the record itself can be dropped at once, on the thread that made it; an extract is `Copy`,
//! owns nothing and takes at most 80 bytes. The books read extracts and nothing else: a journal
//! that is audited afterwards is judged by the very code that judges the running switch.
//! Deliberately absent: judging, and everything secret.

use crate::meaning::{Kind, Reason, TransactionType};
use crate::money::{Amount, Currency};
use crate::switch::ids::{Name, RecordNo, TxnNo};
use crate::switch::input::DeskVerb;
use crate::switch::record::{
    Cause, Closed, Debt, Desk, Ending, Forgotten, Intent, Late, Leg, Outcome, Owed, Queued, Record,
};
use crate::text::Text;
use std::num::NonZeroU64;

/// A transaction that may be none, in eight bytes: records are numbered from 1.
pub(super) type Number = Option<NonZeroU64>;

/// One record as the auditor reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extract {
    pub(super) no: RecordNo,
    pub(super) said: Said,
}

/// What it says, by kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// A request goes to a bank.
    Intent(Asked),
    /// So it ended.
    Outcome(Ended),
    /// A message is owed.
    Queued(Owes),
    /// It is about to be sent once more.
    Attempt { entry: RecordNo, count: u32 },
    /// It is finished; with the business date of the answer.
    /// `again`: an operator may have it sent once more.
    Closed { entry: RecordNo, ending: Ending, date: u16, again: bool, booked: Option<u64> },
    /// A bank approved what had been decided; with the amount it gave.
    LateApproval { txn: TxnNo, minor: Option<u64> },
    /// An operator decided.
    Desk { item: RecordNo, word: Word },
    /// The approval left for the platform.
    Answered(TxnNo),
    /// The STAN of this transaction is free.
    StanFree(TxnNo),
    /// The names of requests up to this one may come again.
    NamesFree(RecordNo),
    /// The switch was started.
    Start,
    /// Nothing about money.
    Nothing,
}

/// What an operator decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// It is sent again.
    Resend,
    /// It is closed, and nothing is said of what the bank did; or that it did nothing.
    Close,
    /// The bank did it.
    Did,
    /// It is to be reversed, whoever has it.
    Reverse,
}

/// Of an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// Fingerprint of the platform's name for the request.
    pub(super) name: u64,
    pub(super) minor: u64,
    /// Of the credit of a top-up: its debit.
    pub(super) debit: Number,
    pub(super) bank: Name,
    pub(super) stan: u32,
    /// Numeric code; 0 where no amount was stated.
    pub(super) currency: u16,
    pub(super) sign: i8,
    pub(super) owes: Debt,
}

/// Of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) txn: TxnNo,
    /// What was approved, where the bank said it.
    pub(super) minor: Option<u64>,
    pub(super) leg: Leg,
    pub(super) date: u16,
}

/// Of a message that is owed to a bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owes {
    pub(super) txn: Number,
    pub(super) minor: u64,
    /// What a partial reversal leaves.
    pub(super) left: Option<u64>,
    pub(super) bank: Name,
    pub(super) stan: u32,
    pub(super) currency: Option<Currency>,
    pub(super) sign: i8,
    pub(super) owed: Owed,
    /// It has a STAN of its own, not that of its original.
    pub(super) own_stan: bool,
    /// It follows from an approval that came too late.
    pub(super) too_late: bool,
    /// It tells of what was decided in the bank's place.
    pub(super) stands_in: bool,
}

impl Extract {
    /// What the auditor reads of record `no`.
    pub fn of(no: RecordNo, record: &Record) -> Self {
        let said = match record {
            Record::Intent(intent) => Said::Intent(asked(intent)),
            Record::Outcome(outcome) => Said::Outcome(ended(outcome)),
            Record::Queued(queued) => Said::Queued(owes(queued)),
            Record::Attempt(attempt) => {
                Said::Attempt { entry: attempt.entry, count: attempt.count }
            }
            Record::Closed(Closed { entry, ending, settlement_date, cause, booked, .. }) => {
                let (entry, ending, date) = (*entry, *ending, date_of(*settlement_date));
                let again = cause.is_some_and(Cause::is_the_banks_word);
                Said::Closed { entry, ending, date, again, booked: minor_of(*booked) }
            }
            Record::Late(late) => late_approval(late),
            Record::Desk(desk) => decided(desk),
            Record::Answered(txn) => Said::Answered(*txn),
            Record::Forgotten(Forgotten::Original(txn)) => Said::StanFree(*txn),
            Record::Forgotten(Forgotten::Window(upto)) => Said::NamesFree(*upto),
            Record::Policy(stamp) if stamp.start => Said::Start,
            Record::Refused(_)
            | Record::Cutover(_)
            | Record::Reconciled(_)
            | Record::Policy(_)
            | Record::LineState(_)
            | Record::Garbled(_)
            | Record::Released(_)
            | Record::Moved(_) => Said::Nothing,
        };
        Self { no, said }
    }
}

fn asked(intent: &Intent) -> Asked {
    let debit = intent.role.debited().map(|debited| debited.txn);
    Asked {
        name: intent.likeness.name(),
        minor: minor_of(intent.amount).unwrap_or(0),
        debit: debit.and_then(number),
        bank: intent.bank,
        stan: intent.keys.stan,
        currency: intent.amount.map_or(0, |amount| amount.currency.code()),
        sign: if debit.is_some() { -1 } else { sign_of(intent.kind, intent.voided()) },
        owes: intent.owes,
    }
}

fn ended(outcome: &Outcome) -> Ended {
    Ended {
        txn: outcome.txn,
        minor: minor_of(outcome.amount),
        leg: outcome.leg,
        date: date_of(outcome.settlement_date),
    }
}

fn owes(queued: &Queued) -> Owes {
    Owes {
        txn: queued.txn.and_then(number),
        minor: minor_of(queued.amount).unwrap_or(0),
        left: minor_of(queued.replacement),
        bank: queued.bank,
        stan: queued.keys.stan,
        currency: queued.amount.map(|amount| amount.currency),
        // What was declined moved nothing, whoever tells of it.
        sign: if queued.tells_of_decline() { 0 } else { sign_of(queued.kind, queued.voided()) },
        owed: queued.owed,
        own_stan: queued.keys.stan != queued.original.stan,
        too_late: queued.reason == Reason::AnswerTooLate,
        stands_in: queued.stands_in_for().is_some(),
    }
}

/// What else may come late changes no sum.
fn late_approval(late: &Late) -> Said {
    match late.txn {
        Some(txn) if late.leg == Leg::LateApproved => {
            Said::LateApproval { txn, minor: minor_of(late.amount) }
        }
        _ => Said::Nothing,
    }
}

/// What the core itself puts on the desk stays open as it is.
fn decided(desk: &Desk) -> Said {
    let item = desk.item;
    match desk.verb {
        Some(DeskVerb::Resend) => Said::Desk { item, word: Word::Resend },
        Some(DeskVerb::GiveUp(_) | DeskVerb::DidNot(_)) => Said::Desk { item, word: Word::Close },
        Some(DeskVerb::Did(_)) => Said::Desk { item, word: Word::Did },
        Some(DeskVerb::Reverse(_)) => Said::Desk { item, word: Word::Reverse },
        None => Said::Nothing,
    }
}

pub(super) fn number(txn: TxnNo) -> Number {
    NonZeroU64::new(txn.0)
}

/// The transaction of a number, where there is one.
pub(super) fn numbered(number: Number) -> Option<TxnNo> {
    number.map(|no| RecordNo(no.get()))
}

fn minor_of(amount: Option<Amount>) -> Option<u64> {
    amount.map(|amount| amount.minor)
}

/// MMDD as a number; 0 where the bank stated none.
fn date_of(date: Option<Text<4>>) -> u16 {
    date.and_then(|date| date.as_str().parse().ok()).unwrap_or(0)
}

/// The effect on the cardholder's account: debits positive, credits negative, holds none. A void
/// takes back what it voids, a purchase or completion where it does not say.
fn sign_of(kind: Kind, voided: Option<TransactionType>) -> i8 {
    match kind.transaction() {
        Some(TransactionType::Void | TransactionType::CompletionVoid) => match voided {
            Some(TransactionType::Void | TransactionType::CompletionVoid) => 1,
            Some(TransactionType::TopUp) | None => -1,
            Some(voided) => -sign_of(Kind::Transaction(voided), None),
        },
        Some(TransactionType::Purchase | TransactionType::Completion | TransactionType::TopUp) => 1,
        Some(TransactionType::Refund) => -1,
        Some(
            TransactionType::PreAuthorization
            | TransactionType::PreAuthorizationVoid
            | TransactionType::Balance
            | TransactionType::Unstated,
        )
        | None => 0,
    }
}
