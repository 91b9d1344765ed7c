//! The semantic sections of a dialect file (stub until the room is filled).

/// How reversals are written in a dialect and when they are finished.
#[derive(Debug, Clone, Default)]
pub struct ReversalRule {}
