//! A bank's totals of one business date and currency, summed from its own ledger, and its answer
//! to a reconciliation (ISO 8583:1987, 0500).
//!
//! Contract: every number comes from [`Entry`]s and the field meanings of ISO 8583:1987 alone, so
//! that a switch that counts wrongly finds a bank that disagrees. What was not approved, and
//! repeats, do not count; holds and inquiries move no money. Deliberately absent: UnionPay's
//! settlement by batch, which this bank answers 12.

use super::business::Business;
use super::ledger::{Entry, Key, Seen};
use crate::msg::Msg;
use std::collections::HashMap;

/// Credits, their reversals, debits, theirs: how many, and minor units together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Sums {
    /// `F74`, `F75`, `F76`, `F77`.
    pub counts: [u64; 4],
    /// `F86`, `F87`, `F88`, `F89`.
    pub amounts: [u64; 4],
}

const CREDITS: usize = 0;
const DEBITS: usize = 2;
const COUNTS: [u8; 4] = [74, 75, 76, 77];
const AMOUNTS: [u8; 4] = [86, 87, 88, 89];

impl Sums {
    /// What the entries of this date (MMDD) and currency come to.
    pub fn of(entries: &[Entry], date: &str, currency: &str) -> Self {
        let mut sums = Self::default();
        let of_date = |e: &&Entry| e.settlement_date == date && e.currency == currency;
        let mut originals: HashMap<&Key, &Entry> = HashMap::new();
        for entry in entries.iter().filter(|e| e.business != Business::Reversal && moved(e)) {
            originals.entry(&entry.key).or_insert(entry);
        }
        for entry in entries.iter().filter(of_date).filter(|entry| moved(entry)) {
            if entry.business != Business::Reversal {
                if let Some(side) = side(entry.business) {
                    sums.add(side, entry.amount);
                }
                continue;
            }
            if let Some(original) = originals.get(&entry.key)
                && let Some(side) = side(original.business)
            {
                // What refers to another transaction moves a difference, and is undone whole.
                let whole = original.business.has_original();
                let back = if whole { original.amount } else { entry.signed.unsigned_abs() };
                sums.add(side + 1, back);
            }
        }
        sums
    }

    /// The totals a message states; absent ones are zero.
    pub fn stated(msg: &Msg) -> Self {
        let read = |des: [u8; 4]| des.map(|de| msg.number(de).unwrap_or(0));
        Self { counts: read(COUNTS), amounts: read(AMOUNTS) }
    }

    /// `F97`: credits and reversed debits less debits and reversed credits.
    pub fn net(&self) -> String {
        let [credits, credits_back, debits, debits_back] = self.amounts.map(i128::from);
        let net = credits + debits_back - debits - credits_back;
        format!("{}{:016}", if net < 0 { 'D' } else { 'C' }, net.unsigned_abs())
    }

    /// Puts the totals into a message.
    pub fn state(&self, msg: &mut Msg) {
        for (de, count) in COUNTS.into_iter().zip(self.counts) {
            msg.set(de, format!("{count:010}"));
        }
        for (de, amount) in AMOUNTS.into_iter().zip(self.amounts) {
            msg.set(de, format!("{amount:016}"));
        }
        msg.set(97, self.net());
    }

    fn add(&mut self, at: usize, minor: u64) {
        self.counts[at] += 1;
        self.amounts[at] += minor;
    }
}

/// One comparison: what was stated, what this bank has, and whether it agreed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Compared {
    /// The business date, MMDD.
    pub date: String,
    /// `F50`.
    pub currency: String,
    /// As stated.
    pub theirs: Sums,
    /// As this bank has it.
    pub ours: Sums,
    /// Whether it said that they are the same.
    pub agreed: bool,
    /// Entries of its ledger by then.
    pub entries: usize,
}

/// Answers a 0500: 00, our totals, and `F66` = 1 where they are those stated, else 2.
pub fn answer(entries: &[Entry], msg: &Msg) -> (Msg, Compared) {
    let ours = Sums::of(entries, msg.text(15), msg.text(50));
    let (theirs, net) = (Sums::stated(msg), ours.net());
    // A net of nothing may have either sign.
    let nets = msg.get(97).is_none_or(|f97| f97 == net.as_bytes() || ours.nets_to_nothing(f97));
    let agreed = theirs == ours && nets;
    let mut answer = msg.answer(&[7, 11, 15, 32, 41, 42, 50]).with(39, "00");
    ours.state(&mut answer);
    let (date, currency) = (msg.text(15).to_owned(), msg.text(50).to_owned());
    let compared = Compared { date, currency, theirs, ours, agreed, entries: entries.len() };
    (answer.with(66, if agreed { "1" } else { "2" }), compared)
}

impl Sums {
    fn nets_to_nothing(&self, f97: &[u8]) -> bool {
        let nothing = |net: &[u8]| net.iter().skip(1).all(|digit| *digit == b'0');
        nothing(f97) && nothing(self.net().as_bytes())
    }
}

/// Whether it counts at all.
fn moved(entry: &Entry) -> bool {
    entry.seen == Seen::First && super::book::grants(&entry.code)
}

/// Where amounts of this kind stand.
fn side(business: Business) -> Option<usize> {
    match business {
        Business::Purchase | Business::Completion => Some(DEBITS),
        Business::Refund | Business::Void | Business::CompletionVoid => Some(CREDITS),
        Business::Hold
        | Business::HoldVoid
        | Business::Balance
        | Business::Reversal
        | Business::Reconciliation
        | Business::Network
        | Business::Other => None,
    }
}
