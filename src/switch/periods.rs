//! Periods that nobody settles: when there are more than are kept, the oldest is let go, aloud.
//!
//! Contract: its totals go into the journal, an item on the desk says so, and only then does it
//! leave the books. Deliberately absent: what is settled, which goes by itself
//! ([`super::totals`]).

use super::Switch;
use super::ids::Name;
use super::output::Event;
use super::record::{Cause, Desk, Record, Weighing};
use super::totals::{Bucket, Period, Standing};
use crate::limits::{DATES_MAX, PERIODS_MAX};

impl Switch {
    /// Whether more is kept than there is room for.
    pub(super) fn keeps_too_much(&self) -> bool {
        self.state.books.kept.len() > PERIODS_MAX
    }

    /// Lets the period go that has stood unsettled the longest.
    pub(super) fn let_go_oldest(&mut self) {
        let all = self.state.books.kept.iter();
        let open = all.filter(|(bucket, _)| !self.state.books.questions.contains_key(bucket));
        let oldest = open.min_by_key(|(_, kept)| kept.last).map(|(b, _)| (b.bank, b.period));
        if let Some((bank, period)) = oldest {
            self.let_go(bank, period);
        }
    }

    /// Lets a bank's oldest unsettled dates go, where there are more than are kept.
    pub(super) fn let_go_dates(&mut self, bank: Name) {
        let dates = self.state.books.dates_of(bank);
        let mut open: Vec<Period> = dates
            .filter(|(_, kept)| kept.standing == Standing::Unsettled)
            .map(|(bucket, _)| bucket.period)
            .collect();
        open.dedup();
        let many = open.len().saturating_sub(DATES_MAX);
        for period in open.into_iter().take(many) {
            self.let_go(bank, period);
        }
    }

    fn let_go(&mut self, bank: Name, period: Period) {
        let all = self.state.books.of_period(bank, period);
        let buckets: Vec<Bucket> = all.map(|(bucket, _)| *bucket).collect();
        for bucket in buckets {
            let ours = self.state.books.of(&bucket);
            let item = self.note_weighing(bucket, ours, None, Weighing::LetGo, None);
            if bucket.currency.code() != 0 {
                let (at, cause) = (self.now.wall, Some(Cause::Unsettled));
                self.record(Record::Desk(Desk::put(item, at, cause)));
                self.event(Event::OnDesk { bank, txn: item, amount: None, cause });
            }
        }
    }
}
