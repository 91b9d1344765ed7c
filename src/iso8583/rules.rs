//! The semantic sections of a dialect file (stub until the room is filled).

use super::error::DialectError;
use super::field::FieldTable;

/// How reversals are written in a dialect and when they are finished.
#[derive(Debug, Clone, Default)]
pub struct ReversalRule {}

/// What a dialect says about whole messages.
#[derive(Debug, Clone, Default)]
pub struct Rules {}

impl Rules {
    /// Compiles the message sections of a merged dialect table.
    ///
    /// # Errors
    /// Every reason why the sections cannot be used.
    pub fn compile(_: &toml::Table, _: &FieldTable) -> Result<Self, Vec<DialectError>> {
        Ok(Self {})
    }
}
