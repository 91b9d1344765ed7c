//! What is wrong with a configuration: all of it at once, each with line and key.
//!
//! Contract: an error says where (line, key) and what to do; values are quoted only where they
//! cannot be secrets (secrets never stand in a configuration).

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Line in the file, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// The key from the outside in, like `bank.river.response_timeout_ms`.
    pub key: String,
    /// What is wrong and what is expected.
    pub why: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.key, self.why),
            line => write!(f, "line {line}: {}: {}", self.key, self.why),
        }
    }
}

/// Everything that is wrong, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigErrors(pub Vec<ConfigError>);

/// Collects errors while the text is read.
pub(super) struct Findings<'i> {
    text: &'i str,
    found: RefCell<Vec<ConfigError>>,
}

impl<'i> Findings<'i> {
    pub(super) fn new(text: &'i str) -> Self {
        Self { text, found: RefCell::default() }
    }

    /// Notes one error at a span of the text.
    pub(super) fn add(&self, at: Option<Range<usize>>, key: &str, why: impl Into<String>) {
        let line = at.map_or(0, |span| self.line_of(span.start));
        let error = ConfigError { line, key: key.to_owned(), why: why.into() };
        let mut found = self.found.borrow_mut();
        if !found.contains(&error) {
            found.push(error);
        }
    }

    /// What was found, in file order; `Err` where there is anything.
    pub(super) fn verdict(&self) -> Result<(), ConfigErrors> {
        let mut found = self.found.borrow().clone();
        found.sort_by_key(|e| e.line);
        if found.is_empty() { Ok(()) } else { Err(ConfigErrors(found)) }
    }

    fn line_of(&self, offset: usize) -> usize {
        let upto = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        1 + upto.iter().filter(|b| **b == b'\n').count()
    }
}
