//! `/desk` and `/late`: in-doubt money and late answers as JSON.
//!
//! Contract: `docs/operating.md` documents every field; fields may be added. What is wrong with
//! a request is said as `{"error": …}` with a 4xx. Cards show masked. Deliberately absent:
//! operators' decisions ([`super::decisions`]).

use super::operators::{DeskPage, OperatorDoor, Question};
use super::wording::{Answer, put, told, turned_away, unknown_bank};
use crate::limits::PAGE_ITEMS_MAX;
use crate::money::Amount;
use crate::switch::desk::{DeskItem, LateItem, Listing};
use crate::switch::ids::{Name, RecordNo};
use crate::switch::record::Cause;
use crate::text::Text;
use crate::time::Now;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use serde_json::{Value, json};

/// Items of a page where nothing else is asked for.
const PAGE: usize = 100;
/// By what the desk can be asked for.
const FILTERS: [&str; 4] = ["after", "limit", "attention", "bank"];

/// The routes of operators.
pub(super) fn routes(door: OperatorDoor) -> Router {
    Router::new().route("/desk", get(list)).route("/late", get(late)).with_state(door)
}

async fn list(
    State(door): State<OperatorDoor>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let said = || listing_of(query.as_deref().unwrap_or_default(), &FILTERS);
    let question = |listing: &Listing, answer| Question::Desk(*listing, answer);
    let (listing, mut page) = put(&door, &headers, said, question).await?;
    // The rest of the page, a step at a time: payments go on in between.
    while let Some(after) = page.more.filter(|_| page.items.len() < listing.limit) {
        let rest = Listing { after, limit: listing.limit - page.items.len(), ..listing };
        let step = door.ask(|answer| Question::Desk(rest, answer)).await.map_err(turned_away)?;
        page.items.extend(step.items);
        page.more = step.more;
    }
    // Items may be left of a bank that is not configured any more.
    let known = |bank: &Name| page.banks.iter().any(|sum| sum.bank == *bank);
    match listing.bank.filter(|bank| page.items.is_empty() && !known(bank)) {
        Some(bank) => Ok(unknown_bank(bank.as_str(), page.banks.iter().map(|sum| sum.bank))),
        None => Ok(told(StatusCode::OK, &page_json(&page, &listing))),
    }
}

async fn late(
    State(door): State<OperatorDoor>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let said = || listing_of(query.as_deref().unwrap_or_default(), &["limit"]);
    let question = |listing: &Listing, answer| Question::Late(listing.limit, answer);
    let (_, notes) = put(&door, &headers, said, question).await?;
    let items: Vec<Value> = notes.iter().map(late_json).collect();
    Ok(told(StatusCode::OK, &json!({ "late": items })))
}

/// `after=7&limit=50&attention=true&bank=river`, each that this page knows.
fn listing_of(query: &str, known: &[&str]) -> Result<Listing, String> {
    let mut listing = Listing::all(PAGE);
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let bad = |expected: &str| format!("{key}: expected {expected}, got {value:?}");
        let unknown = || format!("{key}: known here: {}", known.join(", "));
        match Some(key).filter(|key| known.contains(key)).ok_or_else(unknown)? {
            "after" => {
                listing.after = value.parse().map(RecordNo).map_err(|_| bad("an item's number"))?;
            }
            "limit" => {
                let limit: usize = value.parse().map_err(|_| bad("a number"))?;
                listing.limit = limit.min(PAGE_ITEMS_MAX);
            }
            "attention" => listing.attention = value.parse().map_err(|_| bad("true or false"))?,
            "bank" => listing.bank = Some(value.parse().map_err(|_| bad("a bank's name"))?),
            _ => return Err(unknown()),
        }
    }
    Ok(listing)
}

fn page_json(page: &DeskPage, listing: &Listing) -> Value {
    let items: Vec<Value> = page.items.iter().map(|item| item_json(item, page.now)).collect();
    let full = page.items.len() >= listing.limit.max(1);
    let next = page.items.last().filter(|_| full).map(|item| item.item.0);
    let banks: Vec<Value> = page
        .banks
        .iter()
        .map(|sum| {
            json!({
                "bank": sum.bank.as_str(), "owed": sum.owed, "unknown": sum.unknown,
                "dead_letters": sum.dead_letters,
                "breaker": if sum.breaker_open { "open" } else { "closed" },
            })
        })
        .collect();
    json!({ "at": page.now.wall.to_string(), "banks": banks, "items": items, "next_after": next })
}

fn item_json(item: &DeskItem, now: Now) -> Value {
    let age_ms = (now.wall.millis() - item.since.millis()).max(0);
    json!({
        "item": item.item.0,
        "txn": item.txn.map(|txn| txn.0),
        "bank": item.bank.as_str(),
        "platform": item.platform.as_ref().map(Text::as_str),
        "amount": item.amount.map(amount_json),
        "booked": item.booked.map(amount_json),
        "left": item.left.map(amount_json),
        "since": item.since.to_string(),
        "age_s": age_ms / 1_000,
        "tries": item.tries,
        "next_try_ms": item.next_try.map(|pause| pause.as_millis() as u64),
        "state": item.state.word(),
        "next": item.state.next(),
        "allowed": item.allowed.words().collect::<Vec<_>>(),
        "why": item.why.to_string(),
        "cause": item.cause.map(Cause::word),
        "attention": item.attention,
        "stan": item.stan.map(six_digits),
        "original_stan": item.original_stan.map(six_digits),
        "rrn": item.rrn.as_ref().map(Text::as_str),
        "bank_rrn": item.bank_rrn.as_ref().map(Text::as_str),
        "auth_id": item.auth_id.as_ref().map(Text::as_str),
        "terminal": item.terminal.as_ref().map(Text::as_str),
        "merchant": item.merchant.as_ref().map(Text::as_str),
        "platform_stan": item.platform_stan.map(six_digits),
        "card": item.card,
    })
}

fn late_json(item: &LateItem) -> Value {
    let late = &item.late;
    json!({
        "record": item.no.0,
        "at": late.at.to_string(),
        "bank": late.bank.as_str(),
        "txn": late.txn.map(|txn| txn.0),
        "kind": item.kind.word(),
        "meaning": meaning_of(item),
        "code": late.bank_code.as_ref().map(Text::as_str),
        "stan": six_digits(late.stan),
        "rrn": late.rrn.as_ref().map(Text::as_str),
        "auth_id": late.auth_id.as_ref().map(Text::as_str),
        "terminal": late.terminal.as_ref().map(Text::as_str),
        "merchant": late.merchant.as_ref().map(Text::as_str),
        "amount": late.amount.map(amount_json),
        "became": item.became,
    })
}

fn meaning_of(item: &LateItem) -> &'static str {
    use crate::switch::record::Leg;
    match item.late.leg {
        Leg::LateApproved | Leg::Approved | Leg::PartiallyApproved => "approved",
        Leg::LateDeclined | Leg::Declined | Leg::Refused => "declined",
        Leg::InvalidAnswer => "not trusted",
        Leg::NotSent | Leg::SentUnknown | Leg::StoodIn | Leg::Acknowledged => "acknowledged",
    }
}

fn amount_json(amount: Amount) -> Value {
    let (currency, decimal) = (amount.currency.to_string(), amount.decimal().to_string());
    json!({ "minor": amount.minor, "currency": currency, "decimal": decimal })
}

fn six_digits(stan: u32) -> String {
    format!("{stan:06}")
}
