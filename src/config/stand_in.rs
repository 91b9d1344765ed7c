//! `[bank.NAME.stand_in]`: what may be decided in a bank's place while it cannot be reached.
//!
//! Contract: nothing is allowed by default – every limit is stated – and only what the bank's
//! dialect can be told of (an advice) and take back (a reversal). Cards are named by prefix: whole
//! card numbers never stand in a configuration. Deliberately absent: lists of single cards.

use super::routes::prefixes;
use super::section::Section;
use crate::iso8583::Dialect;
use crate::limits::STAND_IN_WINDOW_MAX_S;
use crate::meaning::{Flow, Kind, TransactionType};
use crate::switch::policy::{StandIn, StandInLimit};
use std::time::Duration;

/// What the switch may decide at all: what follows another transaction is its bank's to judge.
const KINDS: [TransactionType; 2] = [TransactionType::Purchase, TransactionType::PreAuthorization];

/// The largest amount of `F4`, n12.
const MOST: u64 = 999_999_999_999;

pub(super) fn read(bank: &Section<'_, '_>, dialect: Option<&Dialect>) -> Option<StandIn> {
    let section = bank.table("stand_in")?;
    let window_s = needed(&section, "window_s", STAND_IN_WINDOW_MAX_S);
    let stand_in = StandIn {
        kinds: kinds(&section, dialect),
        never: prefixes(&section, "never"),
        window: Duration::from_secs(window_s),
        count: needed(&section, "count", 1_000_000) as u32,
        limits: limits(&section),
    };
    section.finish();
    Some(stand_in)
}

/// A number that must be there.
fn needed(section: &Section<'_, '_>, key: &'static str, most: u64) -> u64 {
    if !section.has(key) {
        section.wrong(key, format!("is missing: 1 to {most}"));
    }
    section.number(key, 0, 1..=most)
}

fn kinds(section: &Section<'_, '_>, dialect: Option<&Dialect>) -> Vec<TransactionType> {
    let given: Vec<String> = section.list("kinds");
    if given.is_empty() {
        section.wrong("kinds", format!("expected at least one of {}", words()));
    }
    let mut kinds = Vec::new();
    for word in given {
        let Some(kind) = KINDS.into_iter().find(|kind| kind.word() == word) else {
            section.wrong("kinds", format!("expected any of {}, got \"{word}\"", words()));
            continue;
        };
        let rules = dialect.map(Dialect::rules);
        let transaction = Kind::Transaction(kind);
        if rules.is_some_and(|r| r.messages().written(transaction, Flow::Advice).is_none()) {
            section.wrong("kinds", format!("the dialect has no advice of a {word} to send"));
        } else if rules.is_some_and(|r| r.reversal().is_none_or(|r| !r.types().contains(&kind))) {
            section.wrong("kinds", format!("the dialect does not reverse a {word}"));
        }
        kinds.push(kind);
    }
    kinds
}

fn words() -> String {
    KINDS.map(TransactionType::word).join(", ")
}

fn limits(section: &Section<'_, '_>) -> Vec<StandInLimit> {
    let listed = section.tables("limit");
    if listed.is_empty() {
        section.wrong("limit", "is missing: one [[bank.NAME.stand_in.limit]] per currency");
    }
    let mut limits: Vec<StandInLimit> = Vec::new();
    for row in &listed {
        let text = row.need("currency");
        let currency = text.parse().ok().filter(|_| text.len() == 3);
        if currency.is_none() && !text.is_empty() {
            row.wrong("currency", format!("\"{text}\": expected three digits (ISO 4217)"));
        }
        let (floor, total) = (needed(row, "floor", MOST), needed(row, "total", MOST));
        if total < floor {
            row.wrong("total", format!("is smaller than floor, {floor}"));
        }
        row.finish();
        let Some(currency) = currency else { continue };
        if limits.iter().any(|limit| limit.currency == currency) {
            row.wrong("currency", format!("\"{text}\" has a limit already"));
        }
        limits.push(StandInLimit { currency, floor, total });
    }
    limits
}
