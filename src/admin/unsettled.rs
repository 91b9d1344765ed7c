//! `/books/BANK/unsettled`: which business dates and batches of a bank are not settled.
//!
//! Contract: `docs/operating.md` documents every field; fields may be added. A page ends with what
//! to ask for next, as a text that only this page reads. Deliberately absent: having them settled
//! ([`super::books`]).

use super::books::bank_named;
use super::operators::{OperatorDoor, Question};
use super::wording::{Answer, put, told, unknown_bank};
use crate::limits::PAGE_ITEMS_MAX;
use crate::meaning::Sum;
use crate::money::Currency;
use crate::switch::ids::Name;
use crate::switch::totals::{Bucket, Period, TerminalBatch};
use crate::switch::unsettled::{Asked, Unsettled};
use crate::time::Day;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use serde_json::{Value, json};

/// Periods of a page where nothing else is asked for.
const PAGE: usize = 100;

/// The route of unsettled periods.
pub(super) fn routes(door: OperatorDoor) -> Router {
    Router::new().route("/books/{bank}/unsettled", get(list)).with_state(door)
}

async fn list(
    State(door): State<OperatorDoor>,
    Path(bank): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let said = || asked_of(bank_named(&bank)?, query.as_deref().unwrap_or_default());
    let question = |asked: &Asked, answer| Question::Unsettled(*asked, answer);
    let (asked, page) = put(&door, &headers, said, question).await?;
    Ok(match page {
        Err(known) => unknown_bank(&bank, known.into_iter()),
        Ok(page) => {
            let full = page.len() >= asked.limit;
            let next = page.last().filter(|_| full).map(|last| cursor(&last.bucket));
            let periods: Vec<Value> = page.iter().map(period_json).collect();
            let body = json!({ "bank": bank, "periods": periods, "next_after": next });
            told(StatusCode::OK, &body)
        }
    })
}

/// `after=TEXT&limit=50`.
fn asked_of(bank: Name, query: &str) -> Result<Asked, String> {
    let mut asked = Asked { bank, after: None, limit: PAGE };
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key {
            "after" => {
                let after = bucket_of(bank, value);
                let bad = || format!("after: expected the next_after of a page, got {value:?}");
                asked.after = Some(after.ok_or_else(bad)?);
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| *limit > 0);
                asked.limit =
                    limit.ok_or_else(|| format!("limit: expected a number, got {value:?}"))?;
                asked.limit = asked.limit.min(PAGE_ITEMS_MAX);
            }
            _ => return Err(format!("{key}: known here: after, limit")),
        }
    }
    Ok(asked)
}

/// Where a page goes on: currency, then date, or batch and terminal in hexadecimal digits.
fn cursor(bucket: &Bucket) -> String {
    let currency = bucket.currency.code();
    match &bucket.period {
        Period::Date(day) => format!("{currency}.{}", day.number()),
        Period::Batch(of) => {
            format!("{currency}.{}.{}", of.batch, crate::hex::upper(of.terminal.as_bytes()))
        }
    }
}

fn bucket_of(bank: Name, text: &str) -> Option<Bucket> {
    let mut parts = text.split('.');
    let currency = Currency::new(parts.next()?.parse().ok()?)?;
    let number: u32 = parts.next()?.parse().ok()?;
    let period = match parts.next() {
        None => Period::Date(Day::from_number(number)?),
        Some(terminal) => {
            let terminal = crate::hex::parse(terminal).ok()?;
            let terminal = crate::text::Text::new(&terminal).ok()?;
            Period::Batch(TerminalBatch { terminal, batch: number })
        }
    };
    parts.next().is_none().then_some(Bucket { bank, period, currency })
}

fn period_json(of: &Unsettled) -> Value {
    let Unsettled { bucket, kept, doing } = of;
    let totals = &kept.totals;
    let sum = |sum: Sum| json!({ "count": sum.count, "minor": sum.minor });
    let (day, terminal, batch) = match &bucket.period {
        Period::Date(day) => (Some(*day), None, None),
        Period::Batch(of) => (None, Some(of.terminal.as_str()), Some(of.batch)),
    };
    json!({
        "date": day.map(|day| day.digits().to_string()),
        "day": day.map(|day| day.to_string()),
        "terminal": terminal,
        "batch": batch,
        "currency": bucket.currency.to_string(),
        "state": doing.word(),
        "debits": sum(totals.debits),
        "debits_reversed": sum(totals.debits_reversed),
        "credits": sum(totals.credits),
        "credits_reversed": sum(totals.credits_reversed),
        "net_minor": totals.net(),
        "first_record": kept.first.0,
        "last_record": kept.last.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_where_the_one_before_ended() {
        let bank: Name = "union".parse().unwrap_or_default();
        let currency = Currency::new(156).unwrap_or_else(Currency::none);
        let terminal = "T.0000 1".parse().unwrap_or_default();
        for period in [
            Period::Batch(TerminalBatch { terminal, batch: 12 }),
            Period::Date(Day::from_number(20_261_122).unwrap_or_default()),
            Period::Date(Day::UNNAMED),
        ] {
            let bucket = Bucket { bank, period, currency };
            assert_eq!(bucket_of(bank, &cursor(&bucket)), Some(bucket));
        }
        for wrong in ["", "156", "156.x", "156.12.zz", "156.12.3132.9"] {
            assert_eq!(bucket_of(bank, wrong), None, "{wrong:?}");
        }
    }
}
