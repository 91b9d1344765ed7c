//! The three ledgers compared: the platform's, the banks', the switch's journal.
//!
//! Contract: what the platform alone can tell is checked here; the invariants of safety.md
//! section 1 are judged by the joiner. The journal is read as it lies, by number.

use crate::Tested;
use crate::shop::Shop;
use crate::stage::{JOURNAL_KEY, Stage};
use crate::walk::Answer;
use pointsman::switch::record::Record;
use simulators::bank::ledger::totals;
use simulators::platform::ledger::Stray;
use simulators::world::{Verdict, World, join, journal};
use std::collections::{BTreeMap, BTreeSet};

/// No violation, no difference in money, and none open: what may stand on the desk is an approval
/// of which the crash left no note that the platform has it.
pub(crate) fn balance(stage: &Stage, shop: &Shop) -> Tested {
    let journal = judge(stage, shop)?;
    let (undecided, owing) = left_open(&journal);
    assert!(undecided > 0, "no start found a request without outcome");
    assert!(owing > 0, "no start found a reversal without end");
    Ok(())
}

/// The same, however little the starts had to settle; the journal.
pub(crate) fn judge(stage: &Stage, shop: &Shop) -> Tested<Vec<(u64, Record)>> {
    let requests = shop.ledger();
    let mut believed: BTreeMap<String, i64> = BTreeMap::new();
    assert!(shop.is_at_rest(), "the platform has open requests");
    for request in &requests {
        *believed.entry(request.currency.clone()).or_insert(0) += request.signed();
    }
    assert!(believed.values().any(|sum| *sum != 0), "no money moved at all");
    let (strays, banks, journal) = (strays(shop), stage.entries(), read_journal(stage)?);
    let verdict =
        join(&World { requests: &requests, strays: &strays, banks: &banks, journal: &journal });
    assert!(verdict.violations.is_empty(), "{}", told(&verdict));
    assert!(verdict.difference.values().all(|gap| *gap == 0), "{}", told(&verdict));
    assert!(verdict.open.values().all(|gap| *gap == 0), "{}", told(&verdict));
    // The same without the journal, so that the joiner is not believed alone.
    let moved = |mut sums: BTreeMap<String, i64>| {
        sums.retain(|_, sum| *sum != 0);
        sums
    };
    assert_eq!(moved(believed), moved(totals(&banks)), "platform and banks");
    Ok(journal)
}

/// Every record: those of segments that went stand in the archive.
fn read_journal(stage: &Stage) -> Tested<Vec<(u64, Record)>> {
    let kept = journal::read(&stage.journal(), JOURNAL_KEY)?;
    let first = kept.first().map_or(1, |(no, _)| *no);
    if first == 1 {
        return Ok(kept);
    }
    let mut all = journal::read(&stage.folder().join("archive"), JOURNAL_KEY)?;
    all.retain(|(no, _)| *no < first);
    assert_eq!(all.last().map(|(no, _)| *no), Some(first - 1), "the archive and what is kept");
    all.extend(kept);
    Ok(all)
}

/// How many requests without outcome, and obligations without end, the starts found.
fn left_open(journal: &[(u64, Record)]) -> (usize, usize) {
    let (mut undecided, mut owing) = (BTreeSet::new(), BTreeSet::new());
    let mut found = (0, 0);
    for (no, record) in journal {
        match record {
            Record::Policy(stamp) if stamp.start => {
                found = (found.0 + undecided.len(), found.1 + owing.len());
            }
            Record::Intent(_) => drop(undecided.insert(*no)),
            Record::Outcome(outcome) => drop(undecided.remove(&outcome.txn.0)),
            Record::Queued(_) => drop(owing.insert(*no)),
            Record::Closed(closed) => drop(owing.remove(&closed.entry.0)),
            _ => {}
        }
    }
    found
}

fn told(verdict: &Verdict) -> String {
    let violations: Vec<String> = verdict.violations.iter().map(ToString::to_string).collect();
    let (difference, open) = (&verdict.difference, &verdict.open);
    let unknown = verdict.unknown_left;
    format!("{}\n{difference:?} open {open:?} unknown {unknown}", violations.join("\n"))
}

fn strays(shop: &Shop) -> Vec<Stray> {
    let stray = |answer: &Answer| Stray {
        mti: answer.mti.clone(),
        stan: answer.get(11).to_owned(),
        transmission: answer.get(7).to_owned(),
        code: answer.code().to_owned(),
    };
    shop.strays.iter().map(stray).collect()
}
