//! Every path a file names: `use` trees spread out, and paths written in place.
//!
//! Contract: `super` is resolved against the file's module and inline modules; a path counts
//! wherever it stands (types, expressions, attributes, macros). Deliberately absent: aliases
//! are not followed, therefore the import rule forbids aliases of the crate root.

use crate::lexer::{Kind, Token};
use crate::source::Source;

/// A path and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// `["crate", "switch", "Switch"]`; a glob ends in `*`; `super` is resolved to `crate`.
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    /// Index of its first token.
    pub(crate) at: usize,
}

/// All paths of `source`.
pub(crate) fn paths(source: &Source) -> Vec<Named> {
    let mut walk = Walk {
        tokens: &source.tokens,
        home: module_of(&source.path),
        inline: Vec::new(),
        depth: 0,
    };
    let (mut named, mut at) = (Vec::new(), 0);
    while at < walk.tokens.len() {
        walk.follow_modules(at);
        at = walk.paths_at(at, &mut named);
    }
    named
}

/// The module path of a file: `src/switch/saf.rs` → `[switch, saf]`.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.split_once("src/").map_or("", |(_, inside)| inside);
    let inside = inside
        .strip_prefix("bin/")
        .map_or(inside, |bin| bin.split_once('/').map_or("main.rs", |(_, inside)| inside));
    let parts = inside.trim_end_matches(".rs").split('/').filter(|part| !part.is_empty());
    parts.filter(|part| !matches!(*part, "mod" | "lib" | "main")).map(str::to_owned).collect()
}

struct Walk<'t> {
    tokens: &'t [Token],
    home: Vec<String>,
    /// Inline modules open here, with the brace depth they opened at.
    inline: Vec<(String, usize)>,
    depth: usize,
}

impl Walk<'_> {
    fn mark(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|t| t.is_mark(text))
    }

    fn word(&self, at: usize) -> Option<&str> {
        self.tokens.get(at).filter(|t| t.kind == Kind::Word).map(|t| t.text.as_str())
    }

    /// Keeps the stack of inline modules while the tokens go by.
    fn follow_modules(&mut self, at: usize) {
        if self.mark(at, "{") {
            self.depth += 1;
            if at >= 2 && self.word(at - 2) == Some("mod") {
                let name = self.word(at - 1).unwrap_or_default().to_owned();
                self.inline.push((name, self.depth));
            }
        } else if self.mark(at, "}") {
            if self.inline.last().is_some_and(|(_, depth)| *depth == self.depth) {
                self.inline.pop();
            }
            self.depth = self.depth.saturating_sub(1);
        }
    }

    /// Takes the paths that begin at `at`; returns where to go on.
    fn paths_at(&self, at: usize, named: &mut Vec<Named>) -> usize {
        let Some(word) = self.word(at) else { return at + 1 };
        if word == "use" && !self.mark(at + 1, "<") {
            return self.tree(at + 1, &[], named);
        }
        let mut segments = vec![word.to_owned()];
        let mut end = at + 1;
        while let Some(next) = self.word(end + 1).filter(|_| self.mark(end, "::")) {
            segments.push(next.to_owned());
            end += 2;
        }
        let goes_on = at > 0 && self.mark(at - 1, ".");
        if segments.len() > 1 && !goes_on {
            named.push(self.name(segments, at));
        }
        end
    }

    /// Spreads out the `use` tree at `at`; returns the index after it.
    fn tree(&self, mut at: usize, prefix: &[String], named: &mut Vec<Named>) -> usize {
        let (start, mut segments) = (at, prefix.to_vec());
        loop {
            if let Some(word) = self.word(at) {
                segments.push(word.to_owned());
                at += 1;
            } else if self.mark(at, "*") {
                segments.push("*".to_owned());
                at += 1;
            } else if self.mark(at, "{") {
                at += 1;
                while at < self.tokens.len() && !self.mark(at, "}") {
                    at = if self.mark(at, ",") { at + 1 } else { self.tree(at, &segments, named) };
                }
                return at + 1;
            }
            if !self.mark(at, "::") {
                break;
            }
            at += 1;
        }
        if self.word(at) == Some("as") {
            at += 2;
        }
        if at == start {
            return at + 1;
        }
        named.push(self.name(segments, start));
        at
    }

    /// Resolves `self` and `super`.
    fn name(&self, mut segments: Vec<String>, at: usize) -> Named {
        let line = self.tokens[at].line;
        if segments.len() > 1 && segments.last().is_some_and(|s| s == "self") {
            segments.pop();
        }
        let supers = segments.iter().take_while(|s| matches!(s.as_str(), "self" | "super"));
        let leading = supers.clone().count();
        let up = supers.filter(|s| *s == "super").count();
        if up > 0 {
            let inline = self.inline.iter().map(|(name, _)| name);
            let mut home: Vec<String> = self.home.iter().chain(inline).cloned().collect();
            home.truncate(home.len().saturating_sub(up));
            home.insert(0, "crate".to_owned());
            segments.splice(..leading, home);
        }
        Named { segments, line, at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, text: &str) -> Vec<String> {
        let named = paths(&Source::new(path, text));
        named.into_iter().map(|n| n.segments.join("::")).collect()
    }

    #[test]
    fn use_trees_are_spread_out() {
        let text = "use std::{fs, time::{self, Instant as I}};\npub use crate::a::*;\nuse ::x;";
        let expected = ["std::fs", "std::time", "std::time::Instant", "crate::a::*", "x"];
        assert_eq!(of("src/b.rs", text), expected);
    }

    #[test]
    fn paths_in_place_count_and_methods_do_not() {
        let text = "#[derive(thiserror::Error)] fn f(x: &crate::a::B) { x.c::<D>(); m!(e::f) }";
        assert_eq!(of("src/b.rs", text), ["thiserror::Error", "crate::a::B", "e::f"]);
    }

    #[test]
    fn super_is_resolved() {
        let text = "use super::super::link::L; mod t { use super::*; fn f() { super::g() } } \
                    use super::{txn, super::journal};";
        let expected = [
            "crate::link::L",
            "crate::switch::saf::*",
            "crate::switch::saf::g",
            "crate::switch::txn",
            "crate::journal",
        ];
        assert_eq!(of("src/switch/saf.rs", text), expected);
        assert_eq!(of("src/money.rs", "use super::server::S;"), ["crate::server::S"]);
        assert_eq!(of("src/switch/mod.rs", "use super::link;"), ["crate::link"]);
    }
}
