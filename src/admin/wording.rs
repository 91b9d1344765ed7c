//! What all pages of operators have in common: answers as JSON, and what operators typed.
//!
//! Contract: errors are `{"error": …}` and repeat no card number; a text that holds what looks
//! like one is refused, whatever it is for, because it is journaled or logged and shown.
//! Deliberately absent: anything about one page.

use super::operators::{Denied, OperatorDoor, Question};
use crate::sensitive::card_number_in;
use crate::switch::ids::Name;
use crate::telemetry::redact;
use crate::text::{Fault, Text};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::oneshot;

pub(super) type Answer = Result<Response, Response>;

/// How every page begins: whoever sent these headers may ask, what they said makes sense, and
/// the driver answers it. What was asked, and the answer.
pub(super) async fn put<T, A>(
    door: &OperatorDoor,
    headers: &HeaderMap,
    said: impl FnOnce() -> Result<T, String>,
    question: impl FnOnce(&T, oneshot::Sender<A>) -> Question,
) -> Result<(T, A), Response> {
    door.admits(headers).map_err(turned_away)?;
    let asked = said().map_err(wrong)?;
    let answer = door.ask(|answer| question(&asked, answer)).await.map_err(turned_away)?;
    Ok((asked, answer))
}

/// What a body says; `shape` is what it should look like.
pub(super) fn body_of<T: DeserializeOwned>(shape: &str, body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| {
        let (place, text) = ((error.line(), error.column()), String::from_utf8_lossy(body));
        let fault = Fault::of(&text, &error.to_string(), place, error.is_eof());
        format!("body: expected {shape}: {fault}")
    })
}

/// Nobody is called so.
pub(super) fn unknown_bank(bank: &str, known: impl Iterator<Item = Name>) -> Response {
    let known: Vec<String> = known.map(|name| name.to_string()).collect();
    let error = format!("no bank has this name; there are: {}", known.join(", "));
    told(StatusCode::NOT_FOUND, &json!({ "error": error, "bank": bank, "banks": known }))
}

/// Who decides.
pub(super) fn operator(text: &str) -> Result<Name, String> {
    let operator: Name = plain_text("operator", text.trim())?;
    if operator.is_empty() {
        return Err("operator: is empty; say who decides".to_owned());
    }
    Ok(operator)
}

/// Printable text that holds no card number: it is journaled and shown.
pub(super) fn plain_text<const N: usize>(what: &str, text: &str) -> Result<Text<N>, String> {
    if let Some(at) = card_number_in(text) {
        let (from, to) = at.into_inner();
        let place = format!("characters {from} to {to} are what looks like a card number");
        return Err(format!("{what}: {place}; name the item instead"));
    }
    Text::new(text.as_bytes()).map_err(|error| format!("{what}: {error}"))
}

/// What is wrong with a request.
fn wrong(why: String) -> Response {
    told(StatusCode::BAD_REQUEST, &json!({ "error": why }))
}

/// The answer carries why, for whoever counts and logs it.
pub(super) fn turned_away(denied: Denied) -> Response {
    let mut answer = told(denied.status, &json!({ "error": denied.why }));
    answer.extensions_mut().insert(denied);
    answer
}

/// An answer. What one that refuses quotes of its request is masked, wherever it stands.
pub(super) fn told(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    let mut text = format!("{body}\n").into_bytes();
    if !status.is_success() {
        redact(&mut text);
    }
    (status, kind, text).into_response()
}
