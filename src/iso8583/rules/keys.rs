//! `[keys]`: where the answer to a sign-on carries working keys, and under which cipher.
//!
//! Contract: the field is binary and of this dialect; how a block of keys is cut is
//! [`crate::crypto::sign_in`]'s. Deliberately absent: keys themselves, and when they count.

use super::{Class, Faults, Shape};
use crate::crypto::CipherFamily;
use serde::Deserialize;
use toml::{Table, Value};

/// The compiled section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRule {
    /// The data element that holds the block of keys (UnionPay: `F62`).
    pub field: u8,
    /// The cipher under which the terminal's master key hides them.
    pub cipher: CipherFamily,
}

impl KeyRule {
    pub(super) fn compile(
        section: &Table,
        shape: &impl Fn(u8) -> Option<Shape>,
        faults: &mut Faults,
    ) -> Option<Self> {
        if section.is_empty() {
            return None;
        }
        let rule: Self = faults.typed("keys", Value::Table(section.clone()))?;
        let field = faults.known("keys.field", rule.field, shape)?;
        if field.class != Class::B {
            faults.add("keys.field", "keys stand in a binary field");
        }
        Some(rule)
    }
}
