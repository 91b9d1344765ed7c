//! Reads the journal back, joins the three ledgers, fills the closing table.

use crate::metrics::quantile;
use crate::script::Ended;
use crate::setup::JOURNAL_KEY;
use crate::table::{Share, Table};
use anyhow::{Context, ensure};
use pointsman::switch::record::{Ending, Leg, Record};
use simulators::cards;
use simulators::platform::latency::Got;
use simulators::world::canary::{Canary, Scanner};
use simulators::world::{World, join, journal};
use std::collections::HashSet;

/// The closing table.
pub(crate) fn judge(ended: &Ended) -> anyhow::Result<Table> {
    let records = journal::read(&ended.journal, JOURNAL_KEY)?;
    let verdict = join(&World {
        requests: &ended.shop.requests,
        strays: &ended.shop.strays,
        banks: &ended.banks,
        journal: &records,
    });
    let counts = ended.shop.counts;
    let told = Told::of(&records);
    let unsettled = ended.shop.requests.iter().filter(|request| !request.is_settled()).count();
    let own = |q| quantile(&ended.own_seconds, q).map_or(0, |seconds| (seconds * 1e6) as u64);
    let answered = [Got::Approved, Got::Declined].map(|got| ended.shop.latency.of(got));
    let [approved, _] = answered;
    Ok(Table {
        requests: counts.sent,
        approved: counts.approved,
        declined: counts.declined,
        timed_out: told.timed_out,
        reversed: told.reversed,
        late: told.late,
        duplicates: counts.repeats + ended.bank_counts.iter().map(|c| c.duplicated).sum::<u64>(),
        recovered: told.recovered,
        unknown_left: verdict.unknown_left + unsettled as u64,
        whole: Share { p50_us: approved.p50_us, p99_us: approved.p99_us },
        own: Share { p50_us: own(0.5), p99_us: own(0.99) },
        difference: verdict.difference,
        violations: verdict.violations.iter().map(ToString::to_string).collect(),
        clear_cards: clear_cards(ended)?,
        settled: ended.settled,
    })
}

/// What the journal tells.
#[derive(Debug, Default)]
struct Told {
    timed_out: u64,
    reversed: u64,
    late: u64,
    recovered: u64,
}

impl Told {
    fn of(records: &[(u64, Record)]) -> Self {
        let mut told = Self::default();
        // Intents of an earlier life of the switch that have no outcome yet.
        let (mut open, mut found) = (HashSet::new(), HashSet::new());
        // A second answer to what was approved in time is a duplicate, not late.
        let mut undecided = HashSet::new();
        for (no, record) in records {
            match record {
                Record::Policy(stamp) if stamp.start => found = std::mem::take(&mut open),
                Record::Intent(_) => {
                    open.insert(*no);
                }
                Record::Outcome(outcome) => {
                    if outcome.leg == Leg::SentUnknown {
                        told.timed_out += 1;
                        undecided.insert(outcome.txn);
                    }
                    told.recovered += u64::from(found.remove(&outcome.txn.0));
                    open.remove(&outcome.txn.0);
                }
                Record::Closed(closed) => {
                    told.reversed += u64::from(closed.ending == Ending::Acknowledged);
                }
                Record::Late(late) if late.leg == Leg::LateApproved => {
                    let txn = late.txn.filter(|txn| undecided.remove(txn));
                    told.late += u64::from(txn.is_some());
                }
                _ => {}
            }
        }
        told
    }
}

/// Card numbers in clear anywhere in the folder: journal, log, configuration.
fn clear_cards(ended: &Ended) -> anyhow::Result<u64> {
    let schemes = ["visa", "mastercard", "unionpay"].into_iter().filter_map(cards::of_scheme);
    let canaries: Vec<_> = schemes.flatten().map(|card| Canary::text("card", card)).collect();
    let scanner = Scanner::new(&canaries);
    ensure!(scanner.proves_itself(), "the scan for card numbers does not find planted ones");
    let found = scanner.scan_files(ended.folder.path()).context("scan for card numbers")?;
    Ok(found.len() as u64)
}
