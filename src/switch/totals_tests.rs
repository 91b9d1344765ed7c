//! What of totals is kept and what is let go, by the record: thousands of terminals of one bank.

use super::ids::RecordNo;
use super::record::{
    BankKeys, Cutover, Intent, Leg, Origin, Outcome, Reconciled, Record, Weighing,
};
use super::totals::{Bookkeeper, Bucket, DATES_KEPT, Period, TerminalBatch};
use crate::meaning::Totals;
use crate::money::{Amount, Currency};
use crate::text::Text;
use crate::time::{Day, Wall};
use std::sync::Arc;

#[derive(Default)]
struct Journal {
    keeper: Bookkeeper,
    last: u64,
}

fn bank() -> super::ids::Name {
    "union".parse().unwrap_or_default()
}

fn terminal(number: u32) -> Text<16> {
    format!("T{number:07}").parse().unwrap_or_default()
}

fn batch_of(number: u32, batch: u32) -> Period {
    Period::Batch(TerminalBatch { terminal: terminal(number), batch })
}

impl Journal {
    fn write(&mut self, record: &Record) -> RecordNo {
        self.last += 1;
        self.keeper.learn(RecordNo(self.last), record);
        RecordNo(self.last)
    }

    /// A sale of 1.00, approved.
    fn sells(&mut self, number: u32, batch: u32) {
        let amount = Currency::new(156).map(|currency| Amount::new(100, currency));
        let terminal = Some(terminal(number));
        let keys = BankKeys { stan: 1, terminal, batch: Some(batch), ..BankKeys::default() };
        let (at, platform) = (Wall::default(), (Text::EMPTY, Origin::default()));
        let intent = Intent::bare(at, platform, (bank(), keys), (None, amount));
        let txn = self.write(&Record::Intent(Arc::new(intent)));
        let approved = Outcome { amount, ..Outcome::bare(txn, Wall::default(), Leg::Approved) };
        self.write(&Record::Outcome(approved));
    }

    fn bucket(&self, period: Period) -> Option<(Bucket, Totals)> {
        let all = self.keeper.books().all();
        let mut mine = all.filter(|(bucket, _)| bucket.period == period);
        mine.next().map(|(bucket, kept)| (*bucket, kept.totals))
    }

    fn settles(&mut self, period: Period) {
        let Some((_, ours)) = self.bucket(period) else { return };
        self.write(&Record::Reconciled(Box::new(Reconciled {
            at: Wall::default(),
            bank: bank(),
            period,
            currency: 156,
            ours,
            theirs: None,
            weighing: Weighing::InBalance,
            bank_code: None,
            operator: None,
        })));
    }

    fn moves_to(&mut self, date: Day) {
        self.write(&Record::Cutover(Cutover {
            bank: bank(),
            at: Wall::default(),
            date,
            operator: None,
            stan: None,
            transmission: None,
        }));
    }
}

#[test]
fn every_batch_of_three_thousand_terminals_is_kept_until_it_is_settled() {
    let mut journal = Journal::default();
    for batch in 1..=3 {
        (0..3_000).for_each(|number| journal.sells(number, batch));
    }
    for number in [0, 1, 63, 64, 65, 2_999] {
        for batch in 1..=3 {
            let (_, kept) = journal
                .bucket(batch_of(number, batch))
                .unwrap_or_else(|| unreachable!("batch {batch} of terminal {number} is gone"));
            assert_eq!(kept.debits.minor, 100);
        }
    }
    let batches =
        journal.keeper.books().all().filter(|(b, _)| matches!(b.period, Period::Batch(_)));
    assert_eq!(batches.count(), 9_000);
}

#[test]
fn a_terminal_keeps_what_is_unsettled_and_its_newest_settled_batches() {
    let mut journal = Journal::default();
    for batch in 1..=9 {
        journal.sells(7, batch);
        if batch != 2 {
            journal.settles(batch_of(7, batch));
        }
    }
    let kept: Vec<u32> = (1..=9).filter(|b| journal.bucket(batch_of(7, *b)).is_some()).collect();
    assert_eq!(kept, [2, 7, 8, 9]);
}

#[test]
fn what_counts_late_makes_a_settled_batch_unsettled() {
    let mut journal = Journal::default();
    journal.sells(7, 1);
    journal.settles(batch_of(7, 1));
    journal.sells(7, 1);
    (2..=5).for_each(|batch| {
        journal.sells(7, batch);
        journal.settles(batch_of(7, batch));
    });
    let late = journal.bucket(batch_of(7, 1));
    assert_eq!(late.map(|(_, totals)| totals.debits.minor), Some(200));
}

#[test]
fn settled_dates_give_way_to_newer_ones_and_unsettled_ones_stay() {
    let mut journal = Journal::default();
    let mut date: Day = "2026-01-01".parse().unwrap_or_default();
    let first = date;
    for day in 0..3 * DATES_KEPT {
        journal.moves_to(date);
        journal.sells(1, 1);
        if day > 0 {
            journal.settles(Period::Date(date));
        }
        date = date.next().unwrap_or_default();
    }
    let all = journal.keeper.books().all();
    let dates = all.filter(|(b, _)| matches!(b.period, Period::Date(_))).count();
    assert_eq!(dates, DATES_KEPT);
    assert!(journal.bucket(Period::Date(first)).is_some());
}
