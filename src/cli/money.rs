//! `pointsman journal verify --money`: the rules of money over every record of a journal.
//!
//! Contract: the same [`Auditor`] as runs beside the switch and in the tests, over all records in
//! order. Prints each broken rule with its transaction and record, then sums by business date,
//! currency and bank, and what is open. Some 90 bytes of memory per transaction. Deliberately
//! absent: judging what only a bank or a platform knows.

use crate::switch::audit::{Auditor, OpenItem, OpenWhat, Report, Totals, TotalsKey};
use crate::switch::ids::RecordNo;
use crate::switch::record::Record;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Judges records as they are read.
#[derive(Debug, Default)]
pub(super) struct Money(Auditor);

impl Money {
    /// The next record.
    ///
    /// # Errors
    /// Bytes that are no record this build knows.
    pub(super) fn see(&mut self, no: u64, bytes: &[u8]) -> Result<(), String> {
        let record = Record::decode(bytes).map_err(|error| format!("record {no}: {error}"))?;
        self.0.see(RecordNo(no), &record);
        Ok(())
    }

    /// Prints what was found; how many rules are broken.
    pub(super) fn tell(self, out: &mut impl Write) -> io::Result<usize> {
        let report = self.0.finish();
        for violation in &report.violations {
            let (rule, txn, no) = (violation.rule(), violation.transaction(), violation.record());
            writeln!(out, "MONEY: {rule}: transaction {txn}, record {no}: {violation}")?;
        }
        totals(&report, out)?;
        open(&report.open, out)?;
        let (records, transactions) = (report.records, report.transactions);
        let broken = report.violations.len();
        writeln!(out, "{transactions} transactions in {records} records, {broken} rules broken")?;
        Ok(broken)
    }
}

/// Amounts in minor units: the exponents of the currencies are left to the reader.
fn totals(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.totals.is_empty() {
        return Ok(());
    }
    let head = ["date", "currency", "bank", "approved", "sum", "reversed", "sum", "granted"];
    let head = head.iter().chain(&["returned", "advices", "sum", "by hand", "difference"]);
    let mut rows = vec![head.map(|&word| word.to_owned()).collect::<Vec<_>>()];
    rows.extend(report.totals.iter().map(|(key, sums)| row(key, sums)));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        writeln!(out, "{}", cells.join("  "))?;
    }
    Ok(())
}

fn row(key: &TotalsKey, sums: &Totals) -> Vec<String> {
    let date = key.date.map_or_else(|| "-".to_owned(), |date| date.to_string());
    let currency = format!("{:03}", key.currency);
    let counted = [date, currency, key.bank.to_string(), sums.approvals.to_string()];
    let more = [
        sums.at_banks.to_string(),
        sums.reversals.to_string(),
        sums.taken_back.to_string(),
        sums.granted.to_string(),
        sums.returned.to_string(),
        sums.advices.to_string(),
        sums.advised.to_string(),
        sums.by_hand.to_string(),
        sums.difference().to_string(),
    ];
    counted.into_iter().chain(more).collect()
}

/// What is open, counted by bank and kind.
fn open(items: &[OpenItem], out: &mut impl Write) -> io::Result<()> {
    let mut counts: BTreeMap<(String, OpenWhat), u64> = BTreeMap::new();
    for item in items {
        *counts.entry((item.bank.to_string(), item.what)).or_default() += 1;
    }
    for ((bank, what), count) in counts {
        writeln!(out, "open at {bank}: {count} {}", word(what))?;
    }
    Ok(())
}

const fn word(what: OpenWhat) -> &'static str {
    match what {
        OpenWhat::AtBank => "without an outcome",
        OpenWhat::InSaf => "owed to the bank",
        OpenWhat::Undelivered => "approved and not known to have left",
        OpenWhat::OnDesk => "unknown, without a reversal",
        OpenWhat::DeadLetter => "dead letters",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::switch::record::{Closed, Ending};
    use crate::time::Wall;

    #[test]
    fn a_broken_rule_is_told_with_its_record_and_bytes_that_are_no_record_are_refused() {
        let closed = Closed::bare(RecordNo(7), Wall::default(), Ending::Acknowledged);
        let (mut bytes, mut money) = (Vec::new(), Money::default());
        Record::Closed(closed).encode(&mut bytes);
        money.see(5, &bytes).unwrap();
        money.see(6, &bytes).unwrap();
        assert!(money.see(7, b"\xFF").unwrap_err().starts_with("record 7: "));
        let mut out = Vec::new();
        assert_eq!(money.tell(&mut out).unwrap(), 2);
        let said = String::from_utf8(out).unwrap();
        let line = "MONEY: stray_entry: transaction 7, record 6: record 6 concerns SAF entry 7";
        assert!(said.contains(line), "{said}");
        assert!(said.ends_with("0 transactions in 2 records, 2 rules broken\n"), "{said}");
    }
}
