//! How values look to people: masked by allow-list.
//!
//! Contract: only what the dialect says may be shown is shown; a card number shows its first six
//! and last four, everything else nothing but its length. Deliberately absent: logging – logs do
//! not get values at all.

use super::field::{Field, Secret};
use crate::sensitive::Pan;

/// A value for people or JSON: `clear` is its text (or hex) form.
pub(crate) fn shown(field: Option<&Field>, clear: String, reveal: bool) -> String {
    let secret = field.map_or(Secret::Unstated, Field::secret);
    match secret {
        _ if reveal => clear,
        Secret::None => clear,
        Secret::Pan => Pan::new(clear.as_bytes()).map_or_else(|_| stars(&clear), |p| p.masked()),
        _ => stars(&clear),
    }
}

/// Whether the raw bytes of a field may be shown.
pub(crate) fn is_public(field: Option<&Field>) -> bool {
    field.is_some_and(|f| f.secret() == Secret::None)
}

fn stars(clear: &str) -> String {
    "*".repeat(clear.chars().count())
}
