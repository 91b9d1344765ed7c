//! Rules about what code may do: open secrets, silence lints, spawn, read the clock.

use crate::lexer::Kind;
use crate::report::Report;
use crate::source::{Source, Tree, closing};

/// Files of the switch itself, where the floors hold.
fn switch(tree: &Tree) -> impl Iterator<Item = &Source> {
    tree.sources.iter().filter(|s| s.path.starts_with("src/"))
}

/// Secrets are opened only where the table of exceptions says so.
pub(crate) fn expose(tree: &Tree, report: &mut Report) {
    for source in &tree.sources {
        for (at, token) in source.shipped() {
            let defined = at > 0 && source.tokens[at - 1].is_word("fn");
            if token.is_word("expose") && !defined {
                let what = "opens a secret";
                let remedy = "use `masked()` or `prefix()`; if it must be the clear value, list \
                              the file with its reason in EXCEPTIONS, tests/tidy/tables.rs";
                report.add(source, token.line, what, remedy);
            }
        }
    }
}

/// Lints are expected with a reason, never allowed.
pub(crate) fn allow(tree: &Tree, report: &mut Report) {
    for source in &tree.sources {
        for at in 0..source.tokens.len() {
            let inner = usize::from(source.spells(at, &["#", "!"]));
            if !(source.tokens[at].is_mark("#") && source.spells(at + 1 + inner, &["["])) {
                continue;
            }
            let end = closing(&source.tokens, at + 1 + inner);
            let attribute = &source.tokens[at..end];
            if let Some(token) = attribute.iter().find(|t| t.is_word("allow")) {
                let remedy = "write #[expect(lint, reason = \"...\")] on the smallest item";
                report.add(source, token.line, "silences a lint with `allow`", remedy);
            }
        }
    }
}

/// Tasks and threads are born in `server` only, so that one place supervises them.
pub(crate) fn spawn(tree: &Tree, report: &mut Report) {
    for source in switch(tree).filter(|s| !s.path.starts_with("src/server/")) {
        for (at, token) in source.shipped() {
            let spawns = token.kind == Kind::Word && token.text.starts_with("spawn");
            let reached = at > 0 && ["::", "."].iter().any(|m| source.tokens[at - 1].is_mark(m));
            if spawns && reached {
                let remedy = "return the future or the loop; server spawns and supervises it";
                report.add(source, token.line, format!("`{}` outside server", token.text), remedy);
            }
        }
    }
}

/// The operating system's clock is read in one file, so that time can be simulated.
pub(crate) fn clock(tree: &Tree, report: &mut Report) {
    for source in switch(tree).filter(|s| s.path != "src/server/clock.rs") {
        for (at, token) in source.shipped() {
            let read = source.spells(at, &["::", "now"]) || source.spells(at, &[".", "elapsed"]);
            if read || token.is_word("SystemTime") {
                let remedy = "take `Now` as an argument; server::clock reads the clock";
                report.add(source, token.line, "reads a clock", remedy);
            }
        }
    }
}
