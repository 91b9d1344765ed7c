//! A bank's own ledger: every financial message it saw and what that did to the money.
//!
//! Contract: one entry per message, in the order of execution, never changed afterwards; the
//! sum of `signed` is what the bank believes to have moved. Card numbers are masked. As a file
//! it is one JSON object per line, flushed per entry, so that it survives the simulator.

use super::business::Business;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// What identifies an original at a bank: UnionPay keeps the STAN in the reversal and states the
/// batch, ISO 8583:1987 states STAN and `F7` in `F90`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Key {
    /// `F11` of the original.
    pub stan: String,
    /// `F7` of the original, or its batch (UnionPay).
    pub moment: String,
    /// `F41`, without padding.
    pub terminal: String,
}

/// What a message was to the bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// The first of its key.
    First,
    /// The same again: answered as before, nothing moved.
    Repeat,
    /// It names an original the bank does not know.
    NoOriginal,
}

/// One financial message and its effect.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// From 1 without gaps.
    pub no: u64,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The bank.
    pub bank: String,
    /// What was asked.
    pub business: Business,
    /// What it was to the bank.
    pub seen: Seen,
    /// MTI as received.
    pub mti: String,
    /// What it is known by; for a reversal, the original's.
    pub key: Key,
    /// `F11` as received.
    pub stan: String,
    /// `F37`: as received, or as given by the bank.
    pub rrn: String,
    /// First six and last four digits.
    pub pan: Option<String>,
    /// `F4` in minor units; of what was approved where that is another amount.
    pub amount: u64,
    /// `F4` as received, in minor units.
    #[serde(default)]
    pub asked: u64,
    /// `F49`.
    pub currency: String,
    /// `F15` the entry counts on, MMDD.
    pub settlement_date: String,
    /// `F39` answered.
    pub code: String,
    /// `F38` answered.
    pub auth_id: Option<String>,
    /// Minor units moved: positive from the cardholder, negative back to them.
    pub signed: i64,
}

/// The ledger.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Vec<Entry>,
    file: Option<File>,
}

impl Ledger {
    /// A ledger that is also written to `file`, appended to what stands there.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn with_file(file: Option<&Path>) -> io::Result<Self> {
        let open = |path| File::options().create(true).append(true).open(path);
        Ok(Self { entries: Vec::new(), file: file.map(open).transpose()? })
    }

    /// Adds an entry and numbers it. A file that cannot be written is given up, and said.
    pub fn push(&mut self, mut entry: Entry) {
        entry.no = self.entries.len() as u64 + 1;
        if let Some(file) = &mut self.file {
            let line = serde_json::to_string(&entry).map_err(io::Error::from);
            if let Err(error) = line.and_then(|line| writeln!(file, "{line}")) {
                eprintln!("ledger file given up: {error}");
                self.file = None;
            }
        }
        self.entries.push(entry);
    }

    /// Every entry so far.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// Minor units moved per currency.
pub fn totals(entries: &[Entry]) -> BTreeMap<String, i64> {
    let mut totals = BTreeMap::new();
    for entry in entries {
        *totals.entry(entry.currency.clone()).or_insert(0) += entry.signed;
    }
    totals
}
