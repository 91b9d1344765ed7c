//! Rules about size, headers and names of Rust files.

use crate::lexer::{Kind, Token};
use crate::report::Report;
use crate::source::{Source, Tree, closing, nested};
use crate::tables::{EMPTY_NAMES, TOP};

const FILE_LINES: usize = 800;
const FUNCTION_LINES: usize = 70;
const LINE_CHARACTERS: usize = 100;

fn rust(tree: &Tree) -> impl Iterator<Item = &Source> {
    tree.sources.iter().filter(|s| s.is_rust())
}

/// Files, functions and lines stay small enough to be read at one go.
pub(crate) fn bounds(tree: &Tree, report: &mut Report) {
    for source in rust(tree) {
        let lines = source.text.lines().count();
        if lines > FILE_LINES {
            let what = format!("{lines} lines, at most {FILE_LINES}");
            report.add(source, FILE_LINES + 1, what, "split it by what its parts are for");
        }
        for (at, line) in source.text.lines().enumerate() {
            let characters = line.chars().count();
            if characters > LINE_CHARACTERS {
                let what = format!("{characters} characters, at most {LINE_CHARACTERS}");
                report.add(source, at + 1, what, "break the line");
            }
        }
        for (name, first, last) in functions(&source.tokens) {
            let lines = last - first + 1;
            if lines > FUNCTION_LINES {
                let what = format!("fn {name} has {lines} lines, at most {FUNCTION_LINES}");
                report.add(source, first, what, "give its steps names of their own");
            }
        }
    }
}

/// Name, first and last line of every function with a body.
fn functions(tokens: &[Token]) -> Vec<(&str, usize, usize)> {
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        if !(pair[0].is_word("fn") && pair[1].kind == Kind::Word) {
            continue;
        }
        if let Some(open) = body(tokens, at) {
            let last = &tokens[closing(tokens, open) - 1];
            found.push((pair[1].text.as_str(), pair[0].line, last.line));
        }
    }
    found
}

/// The index of the brace that opens the body of the `fn` at `at`; none for a mere declaration.
fn body(tokens: &[Token], at: usize) -> Option<usize> {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(at) {
        if depth == 0 && token.is_mark("{") {
            return Some(i);
        }
        if depth == 0 && token.is_mark(";") {
            return None;
        }
        depth = nested(depth, token);
    }
    None
}

/// Every file says what it is for; a room's `mod.rs` says it in more than one line.
pub(crate) fn headers(tree: &Tree, report: &mut Report) {
    for source in rust(tree) {
        let header = source.text.lines().take_while(|line| line.starts_with("//!")).count();
        let remedy = "open with `//!`: what it is for, its contract, what is deliberately absent";
        if header == 0 {
            report.add(source, 1, "no `//!` header", remedy);
        }
        let holds_code = !source.tokens.is_empty();
        if header == 1 && holds_code && source.path.ends_with("/mod.rs") {
            report.add(source, 1, "a room's header of one line", remedy);
        }
    }
}

/// A module that is a folder has its `mod.rs` inside.
pub(crate) fn rooms(tree: &Tree, report: &mut Report) {
    let has = |path: &str| tree.sources.iter().any(|s| s.path == path);
    for source in rust(tree) {
        let Some((folder, _)) = source.path.rsplit_once('/') else { continue };
        let modules = folder.contains("src/") && !folder.contains("src/bin");
        if modules && !has(&format!("{folder}/mod.rs")) {
            let what = format!("the folder `{folder}` has no mod.rs");
            report.add(source, 1, what, "put the module's contract into mod.rs of its folder");
        }
    }
}

/// Names say what a thing is for.
pub(crate) fn names(tree: &Tree, report: &mut Report) {
    let remedy = "name it after what it does, in the words of the field";
    for source in rust(tree) {
        let bare = source.path.trim_end_matches(".rs");
        if let Some(part) = bare.split('/').find_map(empty_part) {
            report.add(source, 1, format!("the path holds `{part}`"), remedy);
        }
        for pair in source.tokens.windows(2) {
            let defines = ["enum", "mod", "struct", "trait", "type", "union"];
            let part = empty_part(&pair[1].text);
            if let Some(part) = part.filter(|_| defines.iter().any(|word| pair[0].is_word(word))) {
                let what = format!("{} `{}` holds `{part}`", pair[0].text, pair[1].text);
                report.add(source, pair[1].line, what, remedy);
            }
        }
    }
}

/// The part of a snake or camel case name that says nothing.
fn empty_part(name: &str) -> Option<&'static str> {
    let mut spaced = String::new();
    for c in name.chars() {
        if c.is_uppercase() || !c.is_alphanumeric() {
            spaced.push(' ');
        }
        spaced.extend(c.to_lowercase().filter(|c| c.is_alphanumeric()));
    }
    EMPTY_NAMES.iter().copied().find(|empty| spaced.split(' ').any(|part| part == *empty))
}

/// Only what the design names stands at the top level.
pub(crate) fn top_level(tree: &Tree, report: &mut Report) {
    for name in tree.top.iter().filter(|name| !TOP.contains(&name.as_str())) {
        let remedy = "move it into a room, docs/, specs/ or tests/";
        report.add_at(name, 1, "not a name of the top level", remedy);
    }
}
