//! What the rules found: file, line, rule, what is wrong, what to do.

use crate::source::Source;
use crate::tables::Exception;
use std::fmt;

/// One violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) rule: &'static str,
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule, what, remedy } = self;
        write!(f, "{path}:{line}: [{rule}] {what}\n    remedy: {remedy}")
    }
}

/// Findings as they come in, under the rule at work.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) rule: &'static str,
    pub(crate) findings: Vec<Finding>,
}

impl Report {
    pub(crate) fn add(
        &mut self,
        source: &Source,
        line: usize,
        what: impl Into<String>,
        remedy: &str,
    ) {
        self.add_at(&source.path, line, what, remedy);
    }

    pub(crate) fn add_at(
        &mut self,
        path: &str,
        line: usize,
        what: impl Into<String>,
        remedy: &str,
    ) {
        let (path, what, remedy) = (path.to_owned(), what.into(), remedy.to_owned());
        self.findings.push(Finding { path, line, rule: self.rule, what, remedy });
    }

    /// Takes out what is excepted, and reports exceptions that excepted nothing.
    pub(crate) fn settle(mut self, exceptions: &[Exception]) -> Vec<Finding> {
        for exception in exceptions {
            let before = self.findings.len();
            self.findings.retain(|f| !(f.rule == exception.rule && f.path == exception.path));
            self.rule = "exception";
            if self.findings.len() == before {
                let what = format!(
                    "nothing needs the exception from `{}` any more ({})",
                    exception.rule, exception.reason
                );
                let remedy = "delete its line in EXCEPTIONS, tests/tidy/tables.rs";
                self.add_at(exception.path, 1, what, remedy);
            }
        }
        self.findings
    }
}
