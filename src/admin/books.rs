//! `/books/BANK/cutover` and `/books/BANK/reconcile`: operators move a bank's business date, and
//! have a bank asked about its totals.
//!
//! Contract: as `docs/operating.md` says; what makes no sense is 409 (404 for an unknown bank) and
//! records nothing. The answer comes when what it tells of is durable. Deliberately absent: the
//! totals themselves (`journal totals`), and how the bank answered (`/desk`, the metrics).

use super::operators::{BankOrder, BankVerb, OperatorDoor, OrderRefused, Question};
use super::wording::{Answer, body_of, operator, put, told, unknown_bank};
use crate::limits::ADMIN_BODY_MAX;
use crate::switch::ids::Name;
use crate::switch::totals::TerminalBatch;
use crate::text::Text;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;

/// What an order says besides bank and verb.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    operator: String,
    #[serde(default)]
    date: Option<String>,
    #[serde(default)]
    terminal: Option<String>,
    #[serde(default)]
    batch: Option<u32>,
}

/// The routes of the books.
pub(super) fn routes(door: OperatorDoor) -> Router {
    Router::new()
        .route("/books/{bank}/cutover", post(cutover))
        .route("/books/{bank}/reconcile", post(reconcile))
        .layer(DefaultBodyLimit::max(ADMIN_BODY_MAX))
        .with_state(door)
}

async fn cutover(
    State(door): State<OperatorDoor>,
    Path(bank): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    order(&door, &headers, BankVerb::Cutover, &bank, &body).await
}

async fn reconcile(
    State(door): State<OperatorDoor>,
    Path(bank): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    order(&door, &headers, BankVerb::Reconcile, &bank, &body).await
}

async fn order(
    door: &OperatorDoor,
    headers: &HeaderMap,
    verb: BankVerb,
    bank: &str,
    body: &[u8],
) -> Answer {
    answer_to(door, headers, bank, || order_of(verb, bank, body)).await
}

/// An order about a bank, whatever it is, and what became of it.
pub(super) async fn answer_to(
    door: &OperatorDoor,
    headers: &HeaderMap,
    bank: &str,
    said: impl FnOnce() -> Result<BankOrder, String>,
) -> Answer {
    let question = |order: &BankOrder, answer| Question::Order(*order, answer);
    let (order, ordered) = put(door, headers, said, question).await?;
    Ok(match ordered {
        Ok(done) => {
            let asked: Vec<u64> = done.questions.iter().map(|no| no.0).collect();
            let body = json!({
                "bank": bank, "decided": order.verb.word(), "record": done.no.0,
                "date": done.date.map(|day| day.digits().to_string()),
                "day": done.date.map(|day| day.to_string()),
                "asked": asked, "waiting": done.waiting,
            });
            told(StatusCode::OK, &body)
        }
        Err(OrderRefused::UnknownBank(known)) => unknown_bank(bank, known.into_iter()),
        Err(OrderRefused::Senseless(why)) => {
            told(StatusCode::CONFLICT, &json!({ "error": why.text(), "bank": bank }))
        }
    })
}

fn order_of(verb: BankVerb, bank: &str, body: &[u8]) -> Result<BankOrder, String> {
    let bank = bank_named(bank)?;
    let said: Said = body_of("{\"operator\": …, \"date\": …}", body)?;
    let batch = batch_of(&said, verb)?;
    let operator = operator(&said.operator)?;
    let date = said.date.as_deref().map(month_and_day).transpose()?;
    Ok(BankOrder { bank, operator, verb, date, batch })
}

/// The batch that is named: with its terminal, and instead of a date.
fn batch_of(said: &Said, verb: BankVerb) -> Result<Option<TerminalBatch>, String> {
    let (terminal, batch) = match (&said.terminal, said.batch) {
        (None, None) => return Ok(None),
        (Some(terminal), Some(batch)) => (terminal, batch),
        (Some(_), None) | (None, Some(_)) => {
            return Err("expected terminal and batch together".to_owned());
        }
    };
    if verb != BankVerb::Reconcile || said.date.is_some() {
        return Err("a batch is settled, and without a date".to_owned());
    }
    let named: Result<Text<16>, _> = terminal.parse();
    let expected = || format!("terminal: expected at most 16 characters, got {terminal:?}");
    let terminal = named.map_err(|_| expected())?.trimmed();
    Ok(Some(TerminalBatch { terminal, batch }))
}

/// A bank as the path names it.
pub(super) fn bank_named(bank: &str) -> Result<Name, String> {
    bank.parse().map_err(|_| format!("bank: expected a bank's name, got {bank:?}"))
}

/// MMDD of a day that some year has.
fn month_and_day(text: &str) -> Result<Text<4>, String> {
    let two = |at: usize| text.get(at..at + 2)?.parse::<i8>().ok();
    let digits = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    let day = two(0).zip(two(2)).filter(|_| digits);
    // A leap year has all days that there are.
    let day = day.and_then(|(month, day)| jiff::civil::Date::new(2024, month, day).ok());
    let date = day.and_then(|_| text.parse().ok());
    date.ok_or_else(|| format!("date: expected MMDD, got {text:?}"))
}
