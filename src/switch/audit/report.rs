//! What the records say altogether: sums, and what is not settled.
//!
//! Contract: a report is a value; who prints it says how. Amounts are minor units. Deliberately
//! absent: exponents of currencies, and judging what is open.

use super::Auditor;
use super::debts::Owing;
use super::transactions::Told;
use super::violation::Violation;
use crate::money::{Amount, Currency};
use crate::switch::ids::{Name, RecordNo};
use crate::switch::record::Debt;
use crate::switch::txn::debt_of;
use crate::text::Text;
use std::collections::BTreeMap;

/// Where sums go: bank, currency and business date as numbers.
pub(super) type Account = (u16, u16, u16);

/// What totals are kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TotalsKey {
    /// Business date, `F15` MMDD; unset where the bank stated none.
    pub date: Option<Text<4>>,
    /// Numeric ISO 4217 code; 0 where no amount was stated.
    pub currency: u16,
    /// The bank.
    pub bank: Name,
}

/// Sums in minor units; debits positive, credits negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Approvals by banks.
    pub approvals: u64,
    /// Σ of what banks approved.
    pub at_banks: i128,
    /// Reversals of known effects that banks acknowledged.
    pub reversals: u64,
    /// Σ of what they took back.
    pub taken_back: i128,
    /// Σ of what platforms were granted.
    pub granted: i128,
    /// Σ of what was reversed of that, by platforms or because it never left.
    pub returned: i128,
    /// Advices that banks acknowledged.
    pub advices: u64,
    /// Σ of what they told.
    pub advised: i128,
    /// Σ of what banks did and platforms were not granted, as operators settled it by hand.
    pub by_hand: i128,
}

impl Totals {
    /// What banks hold and platforms do not: 0 once everything is settled.
    pub const fn difference(&self) -> i128 {
        (self.at_banks - self.taken_back) - (self.granted - self.returned) - self.by_hand
    }
}

/// Something not settled yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenItem {
    /// The transaction, or the SAF entry where the original is unknown.
    pub item: RecordNo,
    /// The bank.
    pub bank: Name,
    /// How much.
    pub amount: Option<Amount>,
    /// What is open.
    pub what: OpenWhat,
}

/// What is open about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpenWhat {
    /// At the bank, no outcome yet.
    AtBank,
    /// A reversal, advice or repeat waits in the SAF.
    InSaf,
    /// Approved, and not known to have left for the platform.
    Undelivered,
    /// Unknown, and no reversal exists for its kind.
    OnDesk,
    /// Owed, and not sent any more until an operator decides.
    DeadLetter,
}

/// What the records say altogether.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Every broken rule, in order.
    pub violations: Vec<Violation>,
    /// By business date, currency and bank.
    pub totals: BTreeMap<TotalsKey, Totals>,
    /// Records seen.
    pub records: u64,
    /// Transactions seen.
    pub transactions: u64,
    /// What is not settled, by number.
    pub open: Vec<OpenItem>,
}

impl Auditor {
    /// What the records say altogether, with what is still open.
    pub fn finish(self) -> Report {
        let open_entry = |(no, owing): (&RecordNo, &Owing)| self.open_entry(*no, owing);
        let entries = self.entries.iter().map(open_entry);
        let dead = self.dead.iter().map(open_entry);
        let dead = dead.map(|item| OpenItem { what: OpenWhat::DeadLetter, ..item });
        let unsettled = self.transactions.iter().filter_map(|told| self.open_item(told));
        let mut open: Vec<OpenItem> = entries.chain(dead).chain(unsettled).collect();
        open.sort_by_key(|item| (item.item, item.what));
        let totals = self.totals.iter().map(|(account, totals)| (self.key_of(*account), *totals));
        Report {
            totals: totals.collect(),
            open,
            records: self.records,
            transactions: self.intents,
            violations: self.violations,
        }
    }

    fn open_item(&self, told: &Told) -> Option<OpenItem> {
        let what = match told.leg {
            None => OpenWhat::AtBank,
            Some(_) if told.is_settled() => return None,
            Some(leg) if debt_of(leg, told.owes) == Debt::Desk => OpenWhat::OnDesk,
            Some(_) => OpenWhat::Undelivered,
        };
        let currency = Currency::new(told.currency).filter(|c| c.code() != 0);
        Some(OpenItem {
            item: told.txn,
            bank: self.bank_name(told.bank),
            amount: currency.map(|currency| Amount::new(told.minor, currency)),
            what,
        })
    }

    fn open_entry(&self, no: RecordNo, owing: &Owing) -> OpenItem {
        OpenItem {
            item: owing.txn().unwrap_or(no),
            bank: self.bank_name(owing.bank),
            amount: owing.currency.map(|currency| Amount::new(owing.minor, currency)),
            what: OpenWhat::InSaf,
        }
    }

    fn key_of(&self, (bank, currency, date): Account) -> TotalsKey {
        let date = (date > 0).then(|| format!("{date:04}"));
        let date = date.and_then(|date| Text::new(date.as_bytes()).ok());
        TotalsKey { date, currency, bank: self.bank_name(bank) }
    }

    fn bank_name(&self, bank: u16) -> Name {
        self.banks.get(usize::from(bank)).copied().unwrap_or_default()
    }
}
