//! The judge: joins what the platform was told, what the banks did and what the switch wrote
//! down, and names every broken promise.
//!
//! Contract: [`join`] is pure – three ledgers in, violations and money out – and believes none
//! of them: each violation names the invariant (safety.md section 1) and the transaction. This
//! room may read the switch's records; the ends may not. Deliberately absent: I11–I14, which
//! are not about money; I10 is [`canary`].

pub mod canary;
pub mod journal;
mod rules;
#[cfg(test)]
mod rules_tests;
pub mod sim;
mod threads;

use crate::bank::ledger::Entry;
use crate::platform::ledger::{Request, Stray};
use pointsman::switch::record::Record;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use threads::Threads;

/// The three ledgers after a run.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// What the platform asked and was told.
    pub requests: &'a [Request],
    /// What it was told without having asked.
    pub strays: &'a [Stray],
    /// What the banks saw and did, each bank in its own order.
    pub banks: &'a [Entry],
    /// What the switch wrote down, by record number.
    pub journal: &'a [(u64, Record)],
}

/// The invariants that ledgers can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// Every accepted request reaches exactly one final outcome.
    I1,
    /// Every approval the platform saw is in the journal, with its amount and code.
    I2,
    /// Every request a bank saw has an intent.
    I3,
    /// An approval the platform does not have is reversed, or open and known.
    I4,
    /// Nothing the platform has and did not take back is reversed.
    I5,
    /// No original goes to a bank twice; repeats say that they are repeats.
    I6,
    /// An answer reaches only its requester.
    I7,
    /// No two living originals of one bank share a key.
    I8,
    /// Money at the banks is money at the platform, plus what is open and known.
    I9,
}

/// One broken promise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// Whose: the transaction by its journal number, or by what else is known of it.
    pub transaction: String,
    /// How.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} broken by {}: {}", self.invariant, self.transaction, self.what)
    }
}

/// What the ledgers say together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Every broken promise.
    pub violations: Vec<Violation>,
    /// Per currency in minor units: at the banks, less at the platform, less open and known.
    pub difference: BTreeMap<String, i64>,
    /// Per currency in minor units: what is open and known.
    pub open: BTreeMap<String, i64>,
    /// Intents without outcome, obligations without end, items on the desk.
    pub unknown_left: u64,
}

/// Joins the ledgers and judges.
pub fn join(world: &World<'_>) -> Verdict {
    let threads = Threads::of(world);
    let mut violations = rules::judge(world, &threads);
    let named: BTreeSet<String> = violations
        .iter()
        .filter(|v| v.invariant != Invariant::I2)
        .map(|v| v.transaction.clone())
        .collect();
    let (mut difference, mut open) = (BTreeMap::new(), BTreeMap::new());
    for thread in threads.all() {
        let (gap, currency) = (thread.gap(), thread.currency());
        let known = if thread.is_open() { gap } else { 0 };
        *open.entry(currency.clone()).or_insert(0) += known;
        *difference.entry(currency).or_insert(0) += gap - known;
        if gap != known && !named.contains(&thread.name()) {
            violations.push(Violation {
                invariant: Invariant::I9,
                transaction: thread.name(),
                what: format!("{gap} minor units at the bank that the platform does not know of"),
            });
        }
    }
    for (currency, gap) in threads.strange_money() {
        *difference.entry(currency).or_insert(0) += gap;
    }
    violations.sort();
    Verdict { violations, difference, open, unknown_left: threads.unknown_left() }
}
