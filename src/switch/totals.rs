//! Totals by bank, business date (or terminal batch) and currency.
//!
//! Contract: numbers alone; what counts when and where says `books`. What is settled is
//! let go once newer periods of the same terminal or bank need its place; what is not is never
//! dropped here: that is decided, alarmed and put on the desk (`periods`). Deliberately
//! absent: who asks for totals (`reconciliation`).

use super::ids::{Name, RecordNo, TxnNo};
use super::record::{BankKeys, Record};
use super::state::State;
use crate::canonical::{Sum, Totals, TransactionType};
use crate::limits::PERIODS_MAX;
use crate::money::{Amount, Currency};
use crate::text::Text;
use crate::time::Day;
use std::collections::{BTreeMap, BTreeSet};

/// Business dates kept of one bank where older ones are settled: two months.
pub const DATES_KEPT: usize = 64;

/// Settled batches kept of one terminal.
pub const SETTLED_BATCHES_KEPT: usize = 2;

/// What is settled together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// A business date; [`Day::UNNAMED`] until the bank has named one.
    Date(Day),
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

/// What became of a period's totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Standing {
    /// Never compared, or something counted since.
    #[default]
    Unsettled,
    /// The bank has the same.
    InBalance,
    /// The bank has others: an item of the desk says so.
    OutOfBalance,
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
    /// Whether they are settled.
    pub standing: Standing,
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
    /// What was asked, by the number of the entry in the SAF or of the dead letter.
    pub(super) asked: BTreeMap<RecordNo, Asked>,
    /// The questions that are open, by what they are about.
    pub(super) questions: BTreeMap<Bucket, RecordNo>,
    /// The question whose entry the next record makes.
    pub(super) asking: Option<Asked>,
    /// Periods a bank is to be asked about once nothing of them is under way.
    pub(super) due: BTreeMap<(Name, Period), Due>,
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

/// A period that is over, or ordered to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Due {
    /// The record that says so.
    pub order: RecordNo,
    /// Who ordered it, where somebody did.
    pub operator: Option<Name>,
}

/// On which side a transaction counts.
enum Side {
    Credit,
    Debit,
    Inquiry,
    Authorization,
    Nowhere,
}

/// A void counts against what it voids: as a credit where that is not known.
const fn side(of: TransactionType, voided: Option<TransactionType>) -> Side {
    match of {
        TransactionType::Purchase | TransactionType::Completion => Side::Debit,
        TransactionType::Void | TransactionType::CompletionVoid => match voided {
            Some(
                TransactionType::Refund
                | TransactionType::TopUp
                | TransactionType::Void
                | TransactionType::CompletionVoid,
            ) => Side::Debit,
            Some(
                TransactionType::PreAuthorization
                | TransactionType::PreAuthorizationVoid
                | TransactionType::Balance,
            ) => Side::Nowhere,
            Some(
                TransactionType::Purchase | TransactionType::Completion | TransactionType::Unstated,
            )
            | None => Side::Credit,
        },
        TransactionType::Refund | TransactionType::TopUp => Side::Credit,
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
    /// What a void voids.
    pub(super) voided: Option<TransactionType>,
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

    /// A period's totals by currency.
    pub(super) fn of_period(
        &self,
        bank: Name,
        period: Period,
    ) -> impl Iterator<Item = (&Bucket, &Kept)> {
        let first = Bucket { bank, period, currency: Currency::none() };
        let all = self.kept.range(first..);
        all.take_while(move |(b, _)| b.bank == bank && b.period == period)
    }

    /// The batches of a terminal.
    pub(super) fn of_terminal(
        &self,
        bank: Name,
        terminal: Text<16>,
    ) -> impl Iterator<Item = (&Bucket, &Kept)> {
        let period = Period::Batch(TerminalBatch { terminal, batch: 0 });
        let first = Bucket { bank, period, currency: Currency::none() };
        let mine =
            move |b: &Bucket| matches!(b.period, Period::Batch(of) if of.terminal == terminal);
        self.kept.range(first..).take_while(move |(b, _)| b.bank == bank && mine(b))
    }

    /// The business dates of a bank.
    pub(super) fn dates_of(&self, bank: Name) -> impl Iterator<Item = (&Bucket, &Kept)> {
        let period = Period::Date(Day::UNNAMED);
        let first = Bucket { bank, period, currency: Currency::none() };
        let mine = move |b: &Bucket| b.bank == bank && matches!(b.period, Period::Date(_));
        self.kept.range(first..).take_while(move |(b, _)| mine(b))
    }

    pub(super) fn count(&mut self, no: RecordNo, item: &Item<'_>, date: Day, reversal: bool) {
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
                    let (totals, standing) = (Totals::default(), Standing::Unsettled);
                    let fresh = Kept { totals, first: no, last: no, standing };
                    self.kept.entry(bucket).or_insert(fresh)
                }
            };
            kept.last = no;
            if kept.standing == Standing::InBalance {
                // What comes late is not in what the bank agreed to.
                kept.standing = Standing::Unsettled;
            }
            add(&mut kept.totals, item, reversal);
        }
    }

    /// Lets go of what is settled and old: of the same terminal or bank, and where all there is
    /// is too much, of everybody.
    fn make_room(&mut self, wanted: &Bucket) {
        match wanted.period {
            Period::Batch(of) => {
                let all: Vec<_> = self.of_terminal(wanted.bank, of.terminal).collect();
                self.let_go_settled(&by_period(&all), SETTLED_BATCHES_KEPT);
            }
            Period::Date(_) => {
                let all: Vec<_> = self.dates_of(wanted.bank).collect();
                let dates = by_period(&all);
                let open = dates.iter().filter(|(_, (settled, _))| !settled).count();
                self.let_go_settled(&dates, DATES_KEPT.saturating_sub(open + 1));
            }
        }
        if self.kept.len() >= PERIODS_MAX {
            let questions = &self.questions;
            self.kept.retain(|bucket, kept| {
                kept.standing == Standing::Unsettled || questions.contains_key(bucket)
            });
        }
    }

    /// Lets go of all settled periods but the newest few.
    fn let_go_settled(
        &mut self,
        periods: &BTreeMap<(Name, Period), (bool, RecordNo)>,
        keep: usize,
    ) {
        let mut settled: Vec<_> = periods.iter().filter(|(_, (settled, _))| *settled).collect();
        settled.sort_by_key(|(_, (_, last))| std::cmp::Reverse(*last));
        let gone: Vec<(Name, Period)> = settled.iter().skip(keep).map(|(of, _)| **of).collect();
        for (bank, period) in gone {
            let buckets: Vec<Bucket> = self.of_period(bank, period).map(|(b, _)| *b).collect();
            for bucket in &buckets {
                self.kept.remove(bucket);
            }
        }
    }

    /// Whether a period's question is open in any currency.
    pub(super) fn is_asked(&self, bank: Name, period: Period) -> bool {
        let first = Bucket { bank, period, currency: Currency::none() };
        let next = self.questions.range(first..).next();
        next.is_some_and(|(b, _)| b.bank == bank && b.period == period)
    }

    /// Whether any period is being settled.
    pub(super) fn is_settling(&self) -> bool {
        !(self.due.is_empty() && self.questions.is_empty())
    }
}

/// Whether each period is settled in all currencies, and the last record that counted in it.
fn by_period(all: &[(&Bucket, &Kept)]) -> BTreeMap<(Name, Period), (bool, RecordNo)> {
    let mut periods = BTreeMap::new();
    for (bucket, kept) in all {
        let of = periods.entry((bucket.bank, bucket.period)).or_insert((true, RecordNo(0)));
        // What has no currency moved no money.
        of.0 &= kept.standing != Standing::Unsettled || bucket.currency.code() == 0;
        of.1 = kept.last.max(of.1);
    }
    periods
}

fn add(totals: &mut Totals, item: &Item<'_>, reversal: bool) {
    let minor = item.amount.map_or(0, |amount| amount.minor);
    let sum: &mut Sum = match (side(item.of, item.voided), reversal) {
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
