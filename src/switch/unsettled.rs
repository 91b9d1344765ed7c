//! What of a bank is not settled yet: business dates and batches, and what is being done about
//! each.
//!
//! Contract: a list is bounded and asked for page by page; what is in balance, and what moved no
//! money, is not in it. Deliberately absent: who settles what (`settling`), and what is
//! kept at all ([`super::totals`]).

use super::Switch;
use super::ids::Name;
use super::totals::{Bucket, Kept, Standing};
use crate::limits::PAGE_ITEMS_MAX;
use crate::money::Currency;
use std::ops::Bound;

/// Which periods are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Of this bank.
    pub bank: Name,
    /// Only those after this one: the last of the page before.
    pub after: Option<Bucket>,
    /// At most so many, and never more than [`PAGE_ITEMS_MAX`].
    pub limit: usize,
}

/// What is being done about a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doing {
    /// Nothing yet: nobody has asked the bank.
    Nothing,
    /// It is to be asked about, once nothing of it is in flight or owed.
    Waits,
    /// The question is owed to the bank: an item of the desk.
    Asked,
    /// The bank has other totals: an item of the desk.
    OutOfBalance,
}

impl Doing {
    /// As programs spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "unsettled",
            Self::Waits => "waits",
            Self::Asked => "asked",
            Self::OutOfBalance => "out_of_balance",
        }
    }
}

/// A period that is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsettled {
    /// Whose, and of which currency.
    pub bucket: Bucket,
    /// What counts in it.
    pub kept: Kept,
    /// What is being done about it.
    pub doing: Doing,
}

impl Switch {
    /// A bank's unsettled periods, by date or by terminal and batch, and by currency.
    pub fn unsettled(&self, asked: &Asked) -> Vec<Unsettled> {
        let books = &self.state.books;
        let of_bank = |bucket: &Bucket| bucket.bank == asked.bank;
        let first = Bucket {
            bank: asked.bank,
            period: super::totals::Period::Date(crate::time::Day::UNNAMED),
            currency: Currency::none(),
        };
        let from = asked.after.map_or(Bound::Included(first), Bound::Excluded);
        let all = books.kept.range((from, Bound::Unbounded));
        // What has no currency moved no money.
        let open = all.take_while(|(bucket, _)| of_bank(bucket)).filter(|(bucket, kept)| {
            kept.standing != Standing::InBalance && bucket.currency.code() != 0
        });
        let told = open.map(|(bucket, kept)| Unsettled {
            bucket: *bucket,
            kept: *kept,
            doing: match kept.standing {
                _ if books.questions.contains_key(bucket) => Doing::Asked,
                _ if books.due.contains_key(&(bucket.bank, bucket.period)) => Doing::Waits,
                Standing::OutOfBalance => Doing::OutOfBalance,
                Standing::Unsettled | Standing::InBalance => Doing::Nothing,
            },
        });
        told.take(asked.limit.min(PAGE_ITEMS_MAX)).collect()
    }
}
