//! Totals by bank, business date (or terminal batch) and currency: kept from records alone.
//!
//! Contract (domain.md section 6): an approved original counts on its `F15`, or else on the
//! bank's business date; its accepted reversal counts among the reversals, on the reversal's own
//! date; a reversal answered "original not found" counts nowhere. An original whose answer never
//! came counts together with its accepted reversal, because the bank had it. An advice counts when
//! the bank has taken it. Kept by `apply`, so that replay and checkpoints rebuild it; bounded by
//! [`PERIODS_MAX`] a bank. Deliberately absent: who asks for totals (`reconciliation`).

use super::ids::{Name, RecordNo, TxnNo};
use super::record::{
    BankKeys, Closed, Ending, Forgotten, Late, Leg, Outcome, Owed, Queued, Reconciled, Record,
    Weighing,
};
use super::state::State;
use crate::canonical::{Kind, Sum, Totals, TransactionType};
use crate::money::{Amount, Currency};
use crate::text::Text;
use std::collections::{BTreeMap, BTreeSet};

/// Business dates and batches kept of one bank: two months, where a terminal closes a batch a day.
pub const PERIODS_MAX: usize = 64;

/// The business date of banks that have named none yet.
pub(super) const NO_DATE: &str = "0000";

/// What is settled together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// A business date, MMDD; `0000` until the bank has named one.
    Date(Text<4>),
    /// A batch of a terminal.
    Batch(TerminalBatch),
}

/// A batch of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TerminalBatch {
    /// The bank's name of the terminal.
    pub terminal: Text<16>,
    /// The batch.
    pub batch: u32,
}

/// Whose totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    /// The bank.
    pub bank: Name,
    /// What is settled together.
    pub period: Period,
    /// The currency.
    pub currency: Currency,
}

/// Totals with the records they come from, for whoever checks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Counts and amounts.
    pub totals: Totals,
    /// The first record that counted.
    pub first: RecordNo,
    /// The last one.
    pub last: RecordNo,
}

/// What is known of the original of an open reversal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counting {
    /// It has not counted: nobody knows whether the bank did it.
    Open,
    /// It has; its reversal counts when it is accepted.
    Counted,
    /// Both have already, in an earlier chain.
    Done,
}

/// The books.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Books {
    /// The totals.
    pub(super) kept: BTreeMap<Bucket, Kept>,
    /// Originals of open reversals.
    pub(super) chains: BTreeMap<TxnNo, Counting>,
    /// Unanswered originals that counted together with their reversal.
    pub(super) done: BTreeSet<TxnNo>,
    /// Approvals for less, as long as they are remembered.
    pub(super) partials: BTreeMap<TxnNo, Amount>,
    /// What was asked and is not answered, by the number of the entry in the SAF.
    pub(super) asked: BTreeMap<RecordNo, Asked>,
    /// Banks whose date moved, with the record that says so and the date that is over.
    pub(super) closing: BTreeMap<Name, Closing>,
}

/// Keeps the books from records alone, outside a switch.
#[derive(Debug, Default)]
pub struct Bookkeeper(State);

impl Bookkeeper {
    /// Takes in one record; in order.
    pub fn learn(&mut self, no: RecordNo, record: &Record) {
        self.0.apply(no, record);
    }

    /// The books.
    pub fn books(&self) -> &Books {
        &self.0.books
    }
}

/// A question about totals.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    /// Whose.
    pub bucket: Bucket,
    /// What we said.
    pub totals: Totals,
}

/// A business date that is over.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Closing {
    /// The cutover.
    pub cutover: RecordNo,
    /// The date.
    pub date: Text<4>,
}

/// On which side a transaction counts.
enum Side {
    Credit,
    Debit,
    Inquiry,
    Authorization,
    Nowhere,
}

const fn side(of: TransactionType) -> Side {
    match of {
        TransactionType::Purchase | TransactionType::Completion => Side::Debit,
        TransactionType::Refund
        | TransactionType::Void
        | TransactionType::CompletionVoid
        | TransactionType::TopUp => Side::Credit,
        TransactionType::Balance => Side::Inquiry,
        TransactionType::PreAuthorization => Side::Authorization,
        TransactionType::PreAuthorizationVoid | TransactionType::Unstated => Side::Nowhere,
    }
}

/// One transaction, as it counts.
pub(super) struct Item<'r> {
    pub(super) bank: Name,
    pub(super) keys: &'r BankKeys,
    pub(super) of: TransactionType,
    pub(super) amount: Option<Amount>,
}

impl Books {
    /// All totals, by bank, period and currency.
    pub fn all(&self) -> impl Iterator<Item = (&Bucket, &Kept)> {
        self.kept.iter()
    }

    /// The totals of one bucket; zeros where nothing counted.
    pub(super) fn of(&self, bucket: &Bucket) -> Totals {
        self.kept.get(bucket).map(|kept| kept.totals).unwrap_or_default()
    }

    pub(super) fn count(&mut self, no: RecordNo, item: &Item<'_>, date: Text<4>, reversal: bool) {
        let currency = item.amount.map_or_else(Currency::none, |a| a.currency);
        let bank = item.bank;
        let batch = item.keys.batch.zip(item.keys.terminal).map(|(batch, terminal)| {
            Period::Batch(TerminalBatch { terminal: terminal.trimmed(), batch })
        });
        for period in [Some(Period::Date(date)), batch].into_iter().flatten() {
            let bucket = Bucket { bank, period, currency };
            let kept = match self.kept.get_mut(&bucket) {
                Some(kept) => kept,
                None => {
                    self.make_room(&bucket);
                    let fresh = Kept { totals: Totals::default(), first: no, last: no };
                    self.kept.entry(bucket).or_insert(fresh)
                }
            };
            kept.last = no;
            add(&mut kept.totals, item, reversal);
        }
    }

    /// Lets go of the bank's period that was still the longest.
    fn make_room(&mut self, wanted: &Bucket) {
        let mine = || self.kept.iter().filter(|(bucket, _)| bucket.bank == wanted.bank);
        if mine().any(|(b, _)| b.period == wanted.period) {
            return;
        }
        let mut last: BTreeMap<Period, RecordNo> = BTreeMap::new();
        for (bucket, kept) in mine() {
            let newest = last.entry(bucket.period).or_default();
            *newest = kept.last.max(*newest);
        }
        if last.len() >= PERIODS_MAX
            && let Some((oldest, _)) = last.into_iter().min_by_key(|(_, last)| *last)
        {
            self.kept.retain(|b, _| b.bank != wanted.bank || b.period != oldest);
        }
    }
}

fn add(totals: &mut Totals, item: &Item<'_>, reversal: bool) {
    let minor = item.amount.map_or(0, |amount| amount.minor);
    let sum: &mut Sum = match (side(item.of), reversal) {
        (Side::Credit, false) => &mut totals.credits,
        (Side::Credit, true) => &mut totals.credits_reversed,
        (Side::Debit, false) => &mut totals.debits,
        (Side::Debit, true) => &mut totals.debits_reversed,
        (Side::Inquiry, false) => return totals.inquiries += 1,
        (Side::Authorization, false) => return totals.authorizations += 1,
        (Side::Inquiry | Side::Authorization, true) | (Side::Nowhere, _) => return,
    };
    sum.add(minor);
}

impl State {
    /// Keeps the books; before the record changes anything else.
    pub(super) fn keep_books(&mut self, no: RecordNo, record: &Record) {
        match record {
            Record::Outcome(outcome) => self.book_outcome(no, outcome),
            Record::Late(late) => {
                self.book_late(no, late);
                self.book_late_for_good(no, late);
            }
            Record::Queued(queued) => self.book_queued(queued),
            Record::Closed(closed) => self.book_closed(no, closed),
            Record::Desk(desk) => self.book_decision(no, desk),
            Record::Reconciled(reconciled) => self.book_question(no, reconciled),
            Record::Cutover(cutover) => {
                let date = self.business_date(&cutover.bank);
                if date != cutover.date {
                    let closing = Closing { cutover: no, date };
                    self.books.closing.insert(cutover.bank, closing);
                }
            }
            Record::Forgotten(Forgotten::Window(upto)) => {
                self.books.partials.retain(|txn, _| txn > upto);
            }
            Record::Forgotten(Forgotten::Original(txn)) => {
                self.books.done.remove(txn);
            }
            _ => {}
        }
    }

    /// The bank's business date, or [`NO_DATE`].
    pub(super) fn business_date(&self, bank: &Name) -> Text<4> {
        let named = self.bank(bank).and_then(|bank| bank.business_date);
        named.unwrap_or_else(|| NO_DATE.parse().unwrap_or_default())
    }

    fn book_outcome(&mut self, no: RecordNo, outcome: &Outcome) {
        let Some(open) = self.open.get(outcome.txn) else { return };
        if !matches!(outcome.leg, Leg::Approved | Leg::PartiallyApproved) {
            return;
        }
        let intent = &open.intent;
        let date = outcome.settlement_date.unwrap_or_else(|| self.business_date(&intent.bank));
        let amount = outcome.amount.or(intent.amount);
        if let (Leg::PartiallyApproved, Some(amount)) = (outcome.leg, amount) {
            self.books.partials.insert(outcome.txn, amount);
        }
        self.books.chains.entry(outcome.txn).and_modify(|c| *c = Counting::Counted);
        let of = intent.kind.transaction().unwrap_or(TransactionType::Unstated);
        let item = Item { bank: intent.bank, keys: &intent.keys, of, amount };
        self.books.count(no, &item, date, false);
    }

    /// A late approval counts like one in time; its reversal is on its way.
    fn book_late(&mut self, no: RecordNo, late: &Late) {
        let Some(txn) = late.txn.filter(|_| late.leg == Leg::LateApproved) else { return };
        let Some(intent) = self.unanswered.get(&txn).map(std::sync::Arc::clone) else { return };
        if self.books.chains.get(&txn) != Some(&Counting::Open) {
            return;
        }
        self.books.chains.insert(txn, Counting::Counted);
        let date = self.business_date(&intent.bank);
        let of = intent.kind.transaction().unwrap_or(TransactionType::Unstated);
        let amount = late.amount.or(intent.amount);
        let item = Item { bank: intent.bank, keys: &intent.keys, of, amount };
        self.books.count(no, &item, date, false);
    }

    fn book_queued(&mut self, queued: &Queued) {
        let Some(txn) = queued.txn.filter(|_| queued.owed != Owed::Repeat) else { return };
        let open = self.open.contains(txn) || self.unanswered.contains_key(&txn);
        let dead = self.books.chains.get(&txn) == Some(&Counting::Counted);
        let counting = match (self.books.done.contains(&txn), open) {
            (true, _) => Counting::Done,
            // It was reversed before, in vain.
            _ if dead => Counting::Counted,
            (false, true) => Counting::Open,
            (false, false) => Counting::Counted,
        };
        self.books.chains.insert(txn, counting);
    }

    fn book_closed(&mut self, no: RecordNo, closed: &Closed) {
        self.books.asked.remove(&closed.entry);
        let Some(entry) = self.saf.get(&closed.entry) else { return };
        let queued = std::sync::Arc::clone(&entry.queued);
        self.book_ending(no, closed, &queued);
    }

    /// The bank has a message that was owed, or will not have it (any more).
    pub(super) fn book_ending(&mut self, no: RecordNo, closed: &Closed, queued: &Queued) {
        // The advice of a decision in the bank's place leaves a reversal behind it as it stands.
        let reversed = queued.txn.filter(|_| queued.owed != Owed::Repeat);
        let counting = reversed.and_then(|txn| self.books.chains.remove(&txn));
        if let (Some(txn), Some(counting), true) =
            (reversed, counting, closed.ending.is_dead_letter())
        {
            // The bank may have it all the same, as an operator will find out.
            self.books.chains.insert(txn, counting);
        }
        if closed.ending != Ending::Acknowledged {
            return;
        }
        let date = closed.settlement_date.unwrap_or_else(|| self.business_date(&queued.bank));
        let Some(of) = queued.kind.transaction() else { return };
        let partial = queued.txn.and_then(|txn| self.books.partials.get(&txn)).copied();
        let whole = partial.or(queued.amount);
        match (queued.kind, counting) {
            (Kind::Reversal(_), Some(counting)) if counting != Counting::Done => {
                if let Some(txn) = queued.txn.filter(|txn| self.unanswered.contains_key(txn)) {
                    self.books.done.insert(txn);
                }
                let original =
                    Item { bank: queued.bank, keys: &queued.original, of, amount: whole };
                if counting == Counting::Open {
                    self.books.count(no, &original, date, false);
                }
                let kept = queued.replacement;
                let back = whole.map(|w| kept.and_then(|kept| w.minus(kept)).unwrap_or(w));
                self.books.count(no, &Item { amount: back, ..original }, date, true);
                if let (Some(txn), Some(kept)) = (queued.txn, kept) {
                    // A further reversal takes back of what this one left.
                    self.books.partials.insert(txn, kept);
                }
            }
            (Kind::Transaction(_), _) => {
                let advice = Item { bank: queued.bank, keys: &queued.keys, of, amount: whole };
                self.books.count(no, &advice, date, false);
            }
            _ => {}
        }
    }

    /// What we asked about stands in the SAF under the next number.
    fn book_question(&mut self, no: RecordNo, reconciled: &Reconciled) {
        if reconciled.weighing != Weighing::Asked {
            return;
        }
        let bucket = reconciled.bucket();
        self.books.asked.insert(RecordNo(no.0 + 1), Asked { bucket, totals: reconciled.ours });
        if let Some(closing) = self.books.closing.get(&bucket.bank)
            && bucket.period == Period::Date(closing.date)
        {
            self.books.closing.remove(&bucket.bank);
        }
    }
}
