//! The closing table, for people and as JSON, and the promises it has to keep.

use std::collections::BTreeMap;
use std::fmt;

/// Half of all, and 99 of 100, took at most so long.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Share {
    /// Microseconds.
    pub(crate) p50_us: u64,
    /// Microseconds.
    pub(crate) p99_us: u64,
}

/// What it came to.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Table {
    /// Requests of the shop.
    pub(crate) requests: u64,
    /// Approvals the shop was told.
    pub(crate) approved: u64,
    /// Declines the shop was told.
    pub(crate) declined: u64,
    /// Bank legs without an answer in time.
    pub(crate) timed_out: u64,
    /// Reversals acknowledged by banks.
    pub(crate) reversed: u64,
    /// Approvals that came after the decision.
    pub(crate) late: u64,
    /// Repeats of the shop and second answers of banks.
    pub(crate) duplicates: u64,
    /// Legs found unfinished after the kill, and finished.
    pub(crate) recovered: u64,
    /// What nobody knows the fate of.
    pub(crate) unknown_left: u64,
    /// From the moment a request was to leave the shop to its approval.
    pub(crate) whole: Share,
    /// The switch's own part of that.
    pub(crate) own: Share,
    /// Minor units at the banks that the shop does not have, per currency.
    pub(crate) difference: BTreeMap<String, i64>,
    /// Invariants broken.
    pub(crate) violations: Vec<String>,
    /// Card numbers found in clear in journal and log.
    pub(crate) clear_cards: u64,
    /// Whether the shop's own ledger is settled.
    pub(crate) settled: bool,
}

/// Approvals without which the rest proves little.
const LEAST_APPROVED: u64 = 1_000;

impl Table {
    /// What was promised and not kept; nothing, if all is well.
    pub(crate) fn broken_promises(&self) -> Vec<String> {
        let mut broken = self.violations.clone();
        let mut demand = |kept: bool, what: &str| {
            if !kept {
                broken.push(what.to_owned());
            }
        };
        demand(self.difference.values().all(|gap| *gap == 0), "money is missing or left over");
        demand(self.unknown_left == 0 && self.settled, "something is left unknown");
        demand(self.timed_out > 0 && self.reversed > 0, "no timeout was reversed");
        demand(self.late > 0, "no late approval was caught");
        demand(self.recovered > 0, "no leg was recovered after the kill");
        demand(self.approved >= LEAST_APPROVED, "fewer than 1,000 approvals: ask more (--rate)");
        demand(self.clear_cards == 0, "a card number stands in clear in journal or log");
        broken
    }

    /// The table as one JSON object.
    pub(crate) fn to_json(&self, broken: &[String]) -> String {
        let mut object = serde_json::json!(self);
        object["kept"] = serde_json::json!(broken.is_empty());
        object["broken"] = serde_json::json!(broken);
        object.to_string()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("requests", self.requests),
            ("approved", self.approved),
            ("declined", self.declined),
            ("timed out at a bank", self.timed_out),
            ("reversed", self.reversed),
            ("late approvals caught", self.late),
            ("duplicates recognized", self.duplicates),
            ("recovered after the kill", self.recovered),
            ("unknown left", self.unknown_left),
            ("card numbers in clear on disk", self.clear_cards),
        ];
        writeln!(f)?;
        for (name, value) in rows {
            writeln!(f, "  {name:<32}{value:>12}")?;
        }
        for (name, share) in [("the whole", self.whole), ("our own share", self.own)] {
            let (p50, p99) = (milliseconds(share.p50_us), milliseconds(share.p99_us));
            writeln!(f, "  {name:<32}{:>12}", format!("p50 {p50} p99 {p99}"))?;
        }
        for (currency, gap) in &self.difference {
            let name = format!("money difference, currency {currency}");
            writeln!(f, "  {name:<32}{gap:>12}")?;
        }
        Ok(())
    }
}

fn milliseconds(micros: u64) -> String {
    format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let share = Share { p50_us: 1_234, p99_us: 20_000 };
        Table {
            requests: 3_000,
            approved: 2_500,
            declined: 500,
            timed_out: 30,
            reversed: 60,
            late: 25,
            duplicates: 10,
            recovered: 12,
            unknown_left: 0,
            whole: share,
            own: share,
            difference: BTreeMap::from([("840".to_owned(), 0)]),
            violations: Vec::new(),
            clear_cards: 0,
            settled: true,
        }
    }

    #[test]
    fn a_kept_table_breaks_nothing_and_each_flaw_is_named() {
        assert_eq!(table().broken_promises(), Vec::<String>::new());
        let flaws = [
            Table { difference: BTreeMap::from([("156".to_owned(), -1)]), ..table() },
            Table { unknown_left: 1, ..table() },
            Table { settled: false, ..table() },
            Table { reversed: 0, ..table() },
            Table { late: 0, ..table() },
            Table { recovered: 0, ..table() },
            Table { approved: 999, ..table() },
            Table { clear_cards: 1, ..table() },
            Table { violations: vec!["I4".to_owned()], ..table() },
        ];
        for flaw in flaws {
            assert_eq!(flaw.broken_promises().len(), 1, "{flaw:?}");
        }
    }

    #[test]
    fn it_is_shown_and_written() {
        let shown = table().to_string();
        assert!(shown.contains("p50 1.23 ms p99 20.00 ms"), "{shown}");
        let json: serde_json::Value = table().to_json(&[]).parse().unwrap_or_default();
        assert_eq!((&json["approved"], &json["kept"]), (&2_500.into(), &true.into()));
    }
}
