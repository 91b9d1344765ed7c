//! `/banks/BANK/sign-off` and `/banks/BANK/sign-on`: operators take a bank out of use, and back.
//!
//! Contract: as `docs/operating.md` says; a bank that is so already is 409 (404 for an unknown one)
//! and records nothing. The answer comes when the record is durable. Deliberately absent: what the
//! bank itself says of its lines, which needs no operator.

use super::books::{answer_to, bank_named};
use super::operators::{BankOrder, BankVerb, OperatorDoor};
use super::wording::{Answer, body_of, operator, plain_text};
use crate::limits::ADMIN_BODY_MAX;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::HeaderMap;
use axum::routing::post;
use serde::Deserialize;

/// What an order says besides bank and verb.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    operator: String,
    #[serde(default)]
    reason: String,
}

/// The routes of banks.
pub(super) fn routes(door: OperatorDoor) -> Router {
    Router::new()
        .route("/banks/{bank}/sign-off", post(sign_off))
        .route("/banks/{bank}/sign-on", post(sign_on))
        .layer(DefaultBodyLimit::max(ADMIN_BODY_MAX))
        .with_state(door)
}

async fn sign_off(
    State(door): State<OperatorDoor>,
    Path(bank): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    answer_to(&door, &headers, &bank, || order_of(&bank, &body, true)).await
}

async fn sign_on(
    State(door): State<OperatorDoor>,
    Path(bank): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    answer_to(&door, &headers, &bank, || order_of(&bank, &body, false)).await
}

fn order_of(bank: &str, body: &[u8], off: bool) -> Result<BankOrder, String> {
    let bank = bank_named(bank)?;
    let said: Said = body_of("{\"operator\": …, \"reason\": …}", body)?;
    let reason = said.reason.trim();
    let verb = match (off, reason.is_empty()) {
        (true, true) => return Err("reason: is empty; say why the bank is signed off".to_owned()),
        (true, false) => BankVerb::SignOff(plain_text("reason", reason)?),
        (false, true) => BankVerb::SignOn,
        (false, false) => return Err("a sign-on takes no reason".to_owned()),
    };
    Ok(BankOrder { bank, operator: operator(&said.operator)?, verb, date: None, batch: None })
}
