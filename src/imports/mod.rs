//! Other people's message descriptions as dialects: jPOS packagers and moov specifications.
//!
//! Contract: [`jpos`] and [`moov`] take a file's name and bytes and give the text of a dialect
//! that compiles, or one error that says where and why. What our dialects cannot express is never
//! guessed in silence: every such field has a [`Remark`] and a `check:` comment above its line, and
//! a field that cannot be read at all is left out with a comment in its place. No input panics,
//! and nothing is resolved: entities are refused and external names are not followed.
//! Deliberately absent: reading files, and knowledge of any one packager – classes are read by the
//! scheme of their names.

mod class_name;
mod coded;
mod draft;
mod inside;
mod jpos;
mod jpos_inside;
mod json;
mod moov;
mod moov_inside;
mod rules_fit;
mod settle;
mod source_text;
#[cfg(test)]
mod tests;
mod toml_text;
mod toml_words;
mod usual;

use std::fmt;

pub use jpos::jpos;
pub use moov::moov;

/// A dialect made of somebody else's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The text of a dialect file; it compiles.
    pub text: String,
    /// What a person must look at, in the order of the file.
    pub remarks: Vec<Remark>,
}

/// Something about a place in the imported file: what a person must decide, or why it cannot be
/// imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The imported file.
    pub file: String,
    /// The line, from 1, where the parser says it.
    pub line: Option<u32>,
    /// The field or attribute: `field 48`, `field 48.3`, `headerLength`; empty for the file.
    pub place: String,
    /// What is the matter.
    pub reason: String,
}

impl std::error::Error for Remark {}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, place, reason } = self;
        f.write_str(file)?;
        if let Some(line) = line {
            write!(f, ":{line}")?;
        }
        if place.is_empty() { write!(f, ": {reason}") } else { write!(f, ": {place}: {reason}") }
    }
}

/// Where we are in the imported file, for remarks.
#[derive(Debug, Clone)]
struct At {
    line: Option<u32>,
    /// Field numbers from the outside in; empty for the file as a whole.
    path: String,
}

impl At {
    fn file(line: Option<u32>) -> Self {
        Self { line, path: String::new() }
    }

    fn field(line: Option<u32>, path: impl Into<String>) -> Self {
        Self { line, path: path.into() }
    }

    fn place(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!("field {}", self.path) }
    }
}

/// Why an import stops; the file's name is put in by the entry points.
#[derive(Debug)]
struct Stop {
    at: At,
    reason: String,
}

impl Stop {
    fn new(at: At, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }

    fn remark(self, file: &str) -> Remark {
        let place = self.at.place();
        Remark { file: file.to_owned(), line: self.at.line, place, reason: self.reason }
    }
}
