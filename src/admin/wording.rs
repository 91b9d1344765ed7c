//! What all pages of operators have in common: answers as JSON, and what operators typed.
//!
//! Contract: errors are `{"error": …}` and repeat no card number; a text that holds what looks
//! like one is refused, whatever it is for, because it is journaled or logged and shown.
//! Deliberately absent: anything about one page.

use super::operators::Denied;
use crate::sensitive::card_number_in;
use crate::switch::ids::Name;
use crate::telemetry::redact;
use crate::text::Text;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A decision and its reason fit many times.
pub(super) const BODY_MAX: usize = 4_096;

pub(super) type Answer = Result<Response, Response>;

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
pub(super) fn wrong(why: String) -> Response {
    refused((StatusCode::BAD_REQUEST, why))
}

/// A request that is not carried out; what the reason quotes of it is masked.
pub(super) fn refused((status, why): (StatusCode, String)) -> Response {
    let mut why = why.into_bytes();
    redact(&mut why);
    told(status, &json!({ "error": String::from_utf8_lossy(&why) }))
}

pub(super) fn turned_away(denied: Denied) -> Response {
    told(denied.status, &json!({ "error": denied.why }))
}

pub(super) fn told(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, kind, format!("{body}\n")).into_response()
}
