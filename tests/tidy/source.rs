//! A tracked file as the rules see it: text, tokens, and which tokens are test code.
//!
//! Contract: paths are relative to the top level, with `/`. Reads files; judges nothing.

use crate::lexer::{Kind, Token, lex};
use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

/// One text file.
pub(crate) struct Source {
    /// Relative to the top level.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Empty unless this is Rust.
    pub(crate) tokens: Vec<Token>,
    /// For each token, whether it is compiled for tests only.
    pub(crate) in_test: Vec<bool>,
}

/// Everything the rules look at.
pub(crate) struct Tree {
    pub(crate) sources: Vec<Source>,
    /// Names at the top level, folders with a trailing `/`.
    pub(crate) top: Vec<String>,
    /// Crates that the manifests name, as Rust spells them.
    pub(crate) crates: BTreeSet<String>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let tokens = if path.ends_with(".rs") { lex(text) } else { Vec::new() };
        let in_test = mark_tests(path, &tokens);
        Self { path: path.to_owned(), text: text.to_owned(), tokens, in_test }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The room of `src/` this file belongs to: `src/switch/saf.rs` → `switch`.
    pub(crate) fn room(&self) -> Option<&str> {
        let name = self.path.strip_prefix("src/")?.split('/').next()?;
        let name = name.strip_suffix(".rs").unwrap_or(name);
        (!matches!(name, "lib" | "main")).then_some(name)
    }

    /// Tokens outside test code, with their index.
    pub(crate) fn shipped(&self) -> impl Iterator<Item = (usize, &Token)> {
        self.tokens.iter().enumerate().filter(|(i, _)| !self.in_test[*i])
    }

    /// Whether the tokens from `at` on spell `pattern`.
    pub(crate) fn spells(&self, at: usize, pattern: &[&str]) -> bool {
        let rest = self.tokens.get(at..).unwrap_or_default();
        rest.len() >= pattern.len()
            && rest.iter().zip(pattern).all(|(t, p)| t.kind != Kind::Literal && t.text == *p)
    }
}

impl Tree {
    pub(crate) fn of(sources: Vec<Source>, top: Vec<String>) -> Self {
        let manifests = sources.iter().filter(|s| s.path.ends_with("Cargo.toml"));
        let crates = manifests.flat_map(|s| named_crates(&s.text)).collect();
        let mut tree = Self { sources, top, crates };
        tree.mark_test_files();
        tree
    }

    /// Every text file below `root`, build output and hidden tool folders left out.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let (mut sources, mut top) = (Vec::new(), Vec::new());
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(root.join(&folder))? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_folder = entry.file_type()?.is_dir();
                if skipped(&name) {
                    continue;
                }
                if folder.is_empty() {
                    top.push(if is_folder { format!("{name}/") } else { name.clone() });
                }
                let path = format!("{folder}{name}");
                if is_folder {
                    folders.push(format!("{path}/"));
                } else if let Ok(text) = fs::read_to_string(entry.path()) {
                    sources.push(Source::new(&path, &text));
                }
            }
        }
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self::of(sources, top))
    }

    /// `#[cfg(test)] mod name;` makes the whole of that file test code.
    fn mark_test_files(&mut self) {
        let mut stems = Vec::new();
        for source in self.sources.iter().filter(|s| s.path.starts_with("src/")) {
            let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            for at in (0..source.tokens.len()).filter(|at| source.in_test[*at]) {
                let name = source.tokens.get(at + 1).map_or("", |t| t.text.as_str());
                if source.spells(at, &["mod", name, ";"]) {
                    stems.push(format!("{folder}/{name}"));
                }
            }
        }
        for source in &mut self.sources {
            let below = |stem: &String| {
                let rest = source.path.strip_prefix(stem.as_str());
                rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            };
            if stems.iter().any(below) {
                source.in_test.fill(true);
            }
        }
    }
}

/// Names that are not ours to judge.
fn skipped(name: &str) -> bool {
    let hidden = name.starts_with('.') && !matches!(name, ".ci" | ".gitignore" | ".github");
    hidden || matches!(name, "target" | "corpus" | "artifacts")
}

/// The keys of a manifest's dependency sections.
fn named_crates(manifest: &str) -> Vec<String> {
    let (mut names, mut inside) = (Vec::new(), false);
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.trim_end().ends_with("dependencies]");
        } else if let Some((key, _)) = line.split_once('=').filter(|_| inside) {
            let key = key.trim().split('.').next().unwrap_or_default();
            names.push(key.replace('-', "_"));
        }
    }
    names
}

/// Which tokens belong to items under `#[test]` or `#[cfg(test)]`, or to a test target.
fn mark_tests(path: &str, tokens: &[Token]) -> Vec<bool> {
    let whole = path.split('/').any(|part| matches!(part, "tests" | "benches" | "tests.rs"));
    let mut marks = vec![whole; tokens.len()];
    let mut at = 0;
    while at < tokens.len() {
        let inner = tokens.get(at + 1).is_some_and(|t| t.is_mark("!"));
        let open = at + 1 + usize::from(inner);
        if !(tokens[at].is_mark("#") && tokens.get(open).is_some_and(|t| t.is_mark("["))) {
            at += 1;
            continue;
        }
        let close = closing(tokens, open);
        if is_test_attribute(&tokens[open..close]) {
            let end = if inner { tokens.len() } else { item_end(tokens, close) };
            marks[at..end].fill(true);
        }
        at = close;
    }
    marks
}

fn is_test_attribute(attribute: &[Token]) -> bool {
    let has = |word| attribute.iter().any(|t| t.is_word(word));
    let last = attribute.iter().rev().find(|t| t.kind == Kind::Word);
    let conditional = has("cfg") && has("test") && !has("not") && !has("any");
    conditional || (!has("cfg") && !has("cfg_attr") && last.is_some_and(|t| t.is_word("test")))
}

/// The index after the bracket that closes the one at `open`.
pub(crate) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        depth = nested(depth, token);
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// The index after the item that begins at `at`, further attributes included.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    while tokens.get(at).is_some_and(|t| t.is_mark("#")) {
        at = closing(tokens, at + 1);
    }
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            ";" | "}" if token.kind == Kind::Mark => return at + 1,
            "{" if token.kind == Kind::Mark => return closing(tokens, at),
            "(" | "[" if token.kind == Kind::Mark => at = closing(tokens, at),
            _ => at += 1,
        }
    }
    tokens.len()
}

/// The bracket depth after `token`.
pub(crate) fn nested(depth: usize, token: &Token) -> usize {
    match (token.kind, token.text.as_str()) {
        (Kind::Mark, "(" | "[" | "{") => depth + 1,
        (Kind::Mark, ")" | "]" | "}") => depth.saturating_sub(1),
        _ => depth,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_code_is_told_from_shipped_code() {
        let text = "fn a() {}\n#[cfg(test)]\nmod t { fn b() {} }\n#[test]\n#[ignore]\nfn c() {}\n\
                    #[cfg(not(test))]\nfn d() {}\n#[cfg(test)]\nuse e;\nfn f() {}";
        let source = Source::new("src/x.rs", text);
        let shipped: Vec<&str> = source
            .shipped()
            .filter(|(at, _)| *at > 0 && source.tokens[at - 1].is_word("fn"))
            .map(|(_, t)| t.text.as_str())
            .collect();
        assert_eq!(shipped, ["a", "d", "f"]);
    }

    #[test]
    fn a_test_module_in_its_own_file_is_test_code() {
        let parent = Source::new("src/switch/mod.rs", "#[cfg(test)]\nmod pair;");
        let child = Source::new("src/switch/pair.rs", "fn a() {}");
        let tree = Tree::of(vec![parent, child], Vec::new());
        assert!(tree.sources[1].in_test.iter().all(|t| *t));
    }

    #[test]
    fn manifests_name_their_crates() {
        let manifest = "[package]\na = 1\n[dependencies]\naes-gcm = { }\nserde.workspace = 1";
        assert_eq!(named_crates(manifest), ["aes_gcm", "serde"]);
    }
}
