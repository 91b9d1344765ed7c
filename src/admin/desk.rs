//! `/desk` and `/late`: in-doubt money and late answers as JSON, and operators' decisions.
//!
//! Contract: `docs/operating.md` documents every field; fields may be added. What is wrong with
//! a request is said as `{"error": …}` with a 4xx; a decision that makes no sense now is 409 (404
//! where nothing is open) and names the state and what is allowed. Cards show masked.

use super::operators::{DeskPage, OperatorDoor, Question};
use super::wording::{Answer, BODY_MAX, body_of, operator, plain_text, put, told, unknown_bank};
use crate::money::Amount;
use crate::switch::desk::{Allowed, DeskItem, ItemState, LateItem, Listing, Refusal};
use crate::switch::ids::{Name, RecordNo};
use crate::switch::input::{DeskAction, DeskVerb};
use crate::text::Text;
use crate::time::Now;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

/// Items of a page where nothing else is asked for.
const PAGE: usize = 100;
/// By what the desk can be asked for.
const FILTERS: [&str; 4] = ["after", "limit", "attention", "bank"];

/// What a decision says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    operator: String,
    #[serde(default)]
    reason: String,
}

/// The routes of operators.
pub(super) fn routes(door: OperatorDoor) -> Router {
    Router::new()
        .route("/desk", get(list))
        .route("/late", get(late))
        .route("/desk/{item}/resend", post(resend))
        .route("/desk/{item}/give-up", post(give_up))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(door)
}

async fn list(
    State(door): State<OperatorDoor>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let said = || listing_of(query.as_deref().unwrap_or_default(), &FILTERS);
    let question = |listing: &Listing, answer| Question::Desk(*listing, answer);
    let (listing, page) = put(&door, &headers, said, question).await?;
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

async fn resend(
    State(door): State<OperatorDoor>,
    Path(item): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    decide(&door, &headers, &item, &body, |decision| {
        let stray = !decision.reason.is_empty();
        if stray { Err("a resend takes no reason".to_owned()) } else { Ok(DeskVerb::Resend) }
    })
    .await
}

async fn give_up(
    State(door): State<OperatorDoor>,
    Path(item): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    decide(&door, &headers, &item, &body, |decision| {
        Ok(DeskVerb::GiveUp(plain_text("reason", decision.reason.trim())?))
    })
    .await
}

async fn decide(
    door: &OperatorDoor,
    headers: &HeaderMap,
    item: &str,
    body: &[u8],
    verb_of: impl FnOnce(&Decision) -> Result<DeskVerb, String>,
) -> Answer {
    let question = |action: &DeskAction, answer| Question::Decide(action.clone(), answer);
    let (action, decided) = put(door, headers, || action_of(item, body, verb_of), question).await?;
    match decided {
        Ok(decided) => {
            let verb = action.verb.word();
            let done = json!({ "item": decided.item.0, "decided": verb, "record": decided.no.0 });
            Ok(told(StatusCode::OK, &done))
        }
        Err(refusal) => Ok(refused(&refusal)),
    }
}

fn action_of(
    item: &str,
    body: &[u8],
    verb_of: impl FnOnce(&Decision) -> Result<DeskVerb, String>,
) -> Result<DeskAction, String> {
    let item =
        item.parse().map(RecordNo).map_err(|_| format!("item: expected a number, got {item:?}"))?;
    let decision: Decision = body_of("{\"operator\": …, \"reason\": …}", body)?;
    let verb = verb_of(&decision)?;
    let operator = operator(&decision.operator)?;
    Ok(DeskAction { item, operator, verb })
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
            "limit" => listing.limit = value.parse().map_err(|_| bad("a number"))?,
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
        "since": item.since.to_string(),
        "age_s": age_ms / 1_000,
        "tries": item.tries,
        "next_try_ms": item.next_try.map(|pause| pause.as_millis() as u64),
        "state": item.state.word(),
        "next": item.state.next(),
        "allowed": allowed_json(item.state),
        "why": item.why.to_string(),
        "attention": item.attention,
        "stan": item.stan.map(six_digits),
        "original_stan": item.original_stan.map(six_digits),
        "rrn": item.rrn.as_ref().map(Text::as_str),
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

fn allowed_json(state: ItemState) -> Vec<&'static str> {
    let allowed: Allowed = state.allowed();
    allowed.words().collect()
}

fn refused(refusal: &Refusal) -> Response {
    let gone = refusal.state == ItemState::Nothing;
    let status = if gone { StatusCode::NOT_FOUND } else { StatusCode::CONFLICT };
    let body = json!({
        "error": refusal.why,
        "item": refusal.item.0,
        "state": refusal.state.word(),
        "next": refusal.state.next(),
        "allowed": allowed_json(refusal.state),
    });
    told(status, &body)
}
