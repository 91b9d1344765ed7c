//! The judge of totals: what a bank was asked about, against its own ledger.
//!
//! Contract: pure; by rules of its own. What a bank approved plainly both sides count, undone or
//! not; what it approved otherwise – in part, above, by a code that no list has – the switch counts
//! once it is undone. A difference of anything else is one too many, and every comparison that the
//! bank called different is one item of the desk. Deliberately absent: batches, which the
//! simulated banks do not compare.

use crate::judge::Verdict;
use serde_json::Value;
use simulators::bank::business::Business;
use simulators::bank::ledger::Entry;
use simulators::bank::settlement::{Compared, Sums};
use std::collections::BTreeMap;

/// Whether an item is about totals: it is of no card and no amount.
pub(crate) fn is_of(item: &Value) -> bool {
    item["amount"].is_null() && item["rrn"].is_null() && item["card"].is_null()
}

/// Judges every comparison and the items there are.
pub(crate) fn judge(
    compared: &[Compared],
    banks: &[Entry],
    items: &[&Value],
    verdict: &mut Verdict,
) {
    let mut asked: Vec<&Compared> = Vec::new();
    for one in compared {
        // A question whose answer was lost is put again.
        let same = |other: &&Compared| {
            (&other.date, &other.currency, &other.theirs) == (&one.date, &one.currency, &one.theirs)
        };
        if !asked.iter().any(same) {
            asked.push(one);
        }
    }
    for one in &asked {
        let (gap, held) = (net(&one.ours) - net(&one.theirs), undecided(one, banks));
        if gap != held {
            verdict.wrong.push(format!(
                "totals of {} in {}: the bank has {gap} more, its ledger explains {held}",
                one.date, one.currency
            ));
        }
    }
    let different = asked.iter().filter(|one| !one.agreed).count();
    verdict.expected += different;
    if items.len() != different {
        verdict
            .wrong
            .push(format!("{} items about totals, expected {different}: {items:?}", items.len()));
    }
}

/// Minor units debited, less those credited.
fn net(sums: &Sums) -> i128 {
    let [credits, credits_back, debits, debits_back] = sums.amounts.map(i128::from);
    debits - debits_back - credits + credits_back
}

/// What stood at the bank by then of that day and was approved otherwise than plainly.
fn undecided(one: &Compared, banks: &[Entry]) -> i128 {
    let river = banks.iter().filter(|entry| entry.bank == "river").take(one.entries);
    let mut standing: BTreeMap<_, i128> = BTreeMap::new();
    for entry in river {
        match entry.business {
            Business::Reversal if entry.signed != 0 => _ = standing.remove(&entry.key),
            Business::Purchase if entry.signed != 0 && entry.code != "00" => {
                let of_day = entry.settlement_date == one.date && entry.currency == one.currency;
                if of_day {
                    standing.insert(&entry.key, i128::from(entry.signed));
                }
            }
            _ => {}
        }
    }
    standing.values().sum()
}
