//! The auditor: judges by the records alone whether the rules of money are kept.
//!
//! Contract: feed every record in order to [`Auditor::see`] – or, where the record is not to be
//! kept until then, its [`Extract`] to [`Auditor::judge`], which is all that `see` does – then ask
//! [`Auditor::finish`], or [`Auditor::broken_since`] as it goes. The live auditor,
//! `journal verify --money` and the three-ledger joiner of the tests use this and nothing else. It
//! shares no state with the switch, so that a bug there is not repeated here.
//!
//! Some 90 bytes per transaction, also while it is open; what is owed is kept as long as it is
//! owed. [`Auditor::bounded`] keeps so many transactions and what is not settled, so that it can
//! run beside a switch for years; [`Auditor::new`] keeps all. What came before the first record
//! it was given is not known and not judged.
//! Deliberately absent: what only other ledgers know (did the platform see it, did the bank).

#[cfg(test)]
mod bounds_proofs;
mod debts;
mod extract;
#[cfg(test)]
pub(super) mod proofs;
mod report;
mod requests;
mod stans;
mod transactions;
mod violation;

pub use self::extract::Extract;
pub use self::report::{OpenItem, OpenWhat, Report, Totals, TotalsKey};
pub use self::violation::Violation;

use self::debts::Owing;
use self::extract::Said;
use self::report::Account;
use self::stans::Stans;
use self::transactions::Transactions;
use super::ids::{Name, RecordNo};
use super::record::Record;
use std::collections::BTreeMap;

/// Sees records in order and keeps what is needed to judge them.
#[derive(Debug)]
pub struct Auditor {
    /// Records up to this one were not seen.
    unseen: RecordNo,
    last: RecordNo,
    transactions: Transactions,
    entries: BTreeMap<RecordNo, Owing>,
    /// Given up until an operator decides.
    dead: BTreeMap<RecordNo, Owing>,
    stans: Stans,
    banks: Vec<Name>,
    totals: BTreeMap<Account, Totals>,
    violations: Vec<Violation>,
    records: u64,
    intents: u64,
}

impl Default for Auditor {
    fn default() -> Self {
        Self::new()
    }
}

impl Auditor {
    /// An auditor that has seen nothing and forgets nothing.
    pub fn new() -> Self {
        Self::bounded(usize::MAX)
    }

    /// An auditor that keeps at most so many transactions besides those that are not settled.
    pub fn bounded(most: usize) -> Self {
        Self {
            unseen: RecordNo(0),
            last: RecordNo(0),
            transactions: Transactions::bounded(most),
            entries: BTreeMap::new(),
            dead: BTreeMap::new(),
            stans: Stans::default(),
            banks: Vec::new(),
            totals: BTreeMap::new(),
            violations: Vec::new(),
            records: 0,
            intents: 0,
        }
    }

    /// Takes in the next record; returns the rules it breaks.
    pub fn see(&mut self, no: RecordNo, record: &Record) -> &[Violation] {
        self.judge(&Extract::of(no, record))
    }

    /// Takes in what the next record says; returns the rules it breaks.
    pub fn judge(&mut self, extract: &Extract) -> &[Violation] {
        let (before, no) = (self.violations.len(), extract.no);
        self.count(no);
        match &extract.said {
            Said::Intent(asked) => self.intent(no, asked),
            Said::Outcome(ended) => self.outcome(no, ended),
            Said::Queued(owes) => self.queued(no, owes),
            Said::Attempt { entry, count } => self.attempt(no, *entry, *count),
            Said::Closed { entry, ending, date, again, booked } => {
                if let (Some(owing), Some(minor)) = (self.entries.get_mut(entry), booked) {
                    owing.minor = *minor;
                }
                self.closed(no, *entry, (*ending, *again), *date);
            }
            Said::LateApproval { txn, minor } => self.late(*txn, *minor),
            Said::Desk { item, word } => self.decided(*item, *word),
            Said::Answered(txn) => self.answered(no, *txn),
            Said::StanFree(txn) => self.forget_stan(*txn),
            Said::NamesFree(upto) => self.transactions.forget_names(*upto),
            Said::Start => self.entries.values_mut().for_each(Owing::may_have_left),
            Said::Nothing => {}
        }
        self.violations.get(before..).unwrap_or_default()
    }

    /// Takes out the rules broken since this was last asked.
    pub fn broken_since(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.violations)
    }

    /// How many transactions are in the books now.
    pub fn transactions_kept(&self) -> usize {
        self.transactions.len()
    }

    fn count(&mut self, no: RecordNo) {
        if self.records == 0 {
            self.unseen = RecordNo(no.0.saturating_sub(1));
        } else if no.0 != self.last.0 + 1 {
            self.broken(Violation::Gap { last: self.last, got: no });
        }
        self.last = no;
        self.records += 1;
    }

    fn bank_no(&mut self, name: &Name) -> u16 {
        let at = self.banks.iter().position(|bank| bank == name).unwrap_or_else(|| {
            self.banks.push(*name);
            self.banks.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    fn broken(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    fn totals(&mut self, account: Account) -> &mut Totals {
        self.totals.entry(account).or_default()
    }

    /// Frees a STAN; gives back the room that a long outage took for them once it is over.
    fn free(&mut self, bank: u16, stan: u32, holder: RecordNo) {
        self.stans.free(bank, stan, holder);
        if !self.stans.is_roomy() {
            return;
        }
        let roomy = std::mem::take(&mut self.stans);
        let asked = self.transactions.iter().map(|told| (told.bank, told.stan, told.txn));
        let owed = self.entries.iter().chain(&self.dead);
        let owed = owed.map(|(no, owing)| (owing.bank, owing.stan, *no));
        for (bank, stan, no) in asked.chain(owed) {
            if roomy.holder(bank, stan) == Some(no) {
                self.stans.take(bank, stan, no);
            }
        }
    }
}
