//! Rules about any text: addresses, links, machine paths, unfinished marks, cards, the lock file.

use crate::report::Report;
use crate::source::{Source, Tree};
use crate::tables::{ADDRESSES, BANNED_CRATES, MACHINE_FOLDERS, REGISTRY, TEST_CARDS};

/// All text but the rules' own samples and the lock file, with line numbers.
fn lines(tree: &Tree) -> impl Iterator<Item = (&Source, usize, &str)> {
    let sources = tree.sources.iter();
    let judged = sources.filter(|s| !s.path.starts_with("tests/tidy/") && !is_lock(s));
    judged.flat_map(|s| s.text.lines().enumerate().map(move |(at, line)| (s, at + 1, line)))
}

/// Only licences, specifications, set-up and loopback have addresses here.
pub(crate) fn addresses(tree: &Tree, report: &mut Report) {
    for (source, at, line) in lines(tree) {
        for scheme in ["http://", "https://", "ssh://", "git://", "ftp://"] {
            let found = line.match_indices(scheme).map(|(begin, _)| &line[begin..]);
            let begins = |address: &&str| !ADDRESSES.iter().any(|known| address.starts_with(known));
            for address in found.filter(begins) {
                let end = address.find(|c: char| c.is_whitespace() || "\"'`)>".contains(c));
                let what = format!("the address {}", &address[..end.unwrap_or(address.len())]);
                report.add(source, at, what, "say it in words, or list it in ADDRESSES");
            }
        }
    }
}

/// No path of somebody's machine.
pub(crate) fn machine_paths(tree: &Tree, report: &mut Report) {
    for (source, at, line) in lines(tree) {
        for folder in MACHINE_FOLDERS {
            let path = format!("/{folder}/");
            let alone = |begin: usize| {
                let before = line[..begin].chars().next_back();
                before.is_none_or(|c| !(c.is_alphanumeric() || "._-/}>~".contains(c)))
            };
            if line.match_indices(&path).any(|(begin, _)| alone(begin)) {
                let what = format!("a path of one machine: {path}");
                report.add(source, at, what, "write a relative path or a placeholder");
            }
        }
    }
}

/// A link of a document leads to a file or folder of the tree.
pub(crate) fn links(tree: &Tree, report: &mut Report) {
    for (source, at, line) in lines(tree).filter(|(s, ..)| s.path.ends_with(".md")) {
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        for target in targets.filter(|t| !t.is_empty() && !t.contains("://")) {
            let path = resolve(&source.path, target);
            let there = |s: &Source| s.path == path || s.path.starts_with(&format!("{path}/"));
            if !tree.sources.iter().any(there) {
                let remedy = "correct the link, or write what it should lead to";
                report.add(source, at, format!("a link to nowhere: {target}"), remedy);
            }
        }
    }
}

/// `target` as seen from the document at `from`, relative to the top level.
fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// Nothing is left marked as unfinished.
pub(crate) fn unfinished(tree: &Tree, report: &mut Report) {
    for (source, at, line) in lines(tree) {
        let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        if let Some(word) = words.find(|word| matches!(*word, "TODO" | "FIXME")) {
            report.add(source, at, format!("marked {word}"), "do it, or open an issue");
        }
    }
}

/// No card number but those published for tests.
pub(crate) fn cards(tree: &Tree, report: &mut Report) {
    for (source, at, line) in lines(tree) {
        let spaced = line.split(|c: char| !(c.is_ascii_digit() || c == ' ' || c == '-'));
        let spaced = spaced.filter_map(grouped);
        let words = line.split(|c: char| !c.is_ascii_alphanumeric());
        let plain = words.filter_map(leading_digits).map(str::to_owned);
        for digits in plain.chain(spaced).filter(|digits| is_card(digits)) {
            let shown = format!("{}...{}", &digits[..6], &digits[digits.len() - 4..]);
            let remedy =
                "use a card of TEST_CARDS, tests/tidy/tables.rs; what is no card has a row there";
            report.add(source, at, format!("a card number: {shown}"), remedy);
        }
    }
}

/// The digits of a whole word, or those before a track separator.
fn leading_digits(word: &str) -> Option<&str> {
    let end = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (digits, rest) = word.split_at(end);
    let track =
        rest.strip_prefix(['D', 'd']).is_some_and(|r| r.bytes().all(|b| b.is_ascii_digit()));
    (rest.is_empty() || track).then_some(digits)
}

/// `4111 1111 1111 1111` and the like: groups of four, the last of one to four.
fn grouped(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.trim_matches([' ', '-']).split([' ', '-']).collect();
    let (last, full) = groups.split_last()?;
    let shaped = full.len() >= 3 && full.iter().all(|g| g.len() == 4) && last.len() <= 4;
    shaped.then(|| groups.concat())
}

/// 13 to 19 digits with a valid check digit that are no test card. Cards begin with 2 to 9:
/// what begins with 0 or 1 is a stamp, a count or padding.
fn is_card(digits: &str) -> bool {
    let mut published = TEST_CARDS.iter().flat_map(|(_, cards)| cards.split_whitespace());
    (13..=19).contains(&digits.len())
        && !digits.starts_with(['0', '1'])
        && luhn(digits)
        && !published.any(|card| card == digits)
}

fn luhn(digits: &str) -> bool {
    let value = |(at, digit): (usize, u8)| match u32::from(digit - b'0') * (1 + at as u32 % 2) {
        doubled @ 10.. => doubled - 9,
        plain => plain,
    };
    digits.bytes().rev().enumerate().map(value).sum::<u32>() % 10 == 0
}

/// The lock files: the workspace's, and that of the fuzz targets, which is a workspace of its own.
fn is_lock(source: &Source) -> bool {
    matches!(source.path.as_str(), "Cargo.lock" | "fuzz/Cargo.lock")
}

/// Every dependency comes from the public registry, and none is a second TLS provider.
pub(crate) fn lock(tree: &Tree, report: &mut Report) {
    for source in tree.sources.iter().filter(|s| is_lock(s)) {
        for (at, line) in source.text.lines().enumerate() {
            if line.strip_prefix("source = ").is_some_and(|from| !from.contains(REGISTRY)) {
                let remedy = "take the crate from the registry";
                report.add(source, at + 1, "a dependency from elsewhere", remedy);
            }
            let name = line.strip_prefix("name = ").map(|name| name.trim_matches('"'));
            let banned = BANNED_CRATES.iter().find(|(banned, _)| name == Some(banned));
            if let Some((banned, reason)) = banned {
                let remedy = "find who wants it with `cargo tree -i`, and turn that feature off";
                report.add(source, at + 1, format!("locks `{banned}`: {reason}"), remedy);
            }
        }
    }
}
