//! The page `docs/limits.md`: every bound, made of `limits.rs`, of the numbers that the readers of
//! a configuration ask for, and of what the reference configuration says of them.
//!
//! Contract: a constant without "At the bound" and a number that the reference does not explain are
//! told, and so is a page that is not what this makes: `UPDATE_PAGES=1 cargo test limits_page`
//! makes it anew. Compiled for tests only.

use super::load;
use super::section::asked_numbers;
use crate::iso8583::shipped;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

const LIMITS: &str = include_str!("../limits.rs");
const REFERENCE: &str = include_str!("../../specs/examples/demo.toml");

/// Tables that the reference shows as comments only, so that their numbers are asked for as well.
const SHOWN_AS_COMMENTS: &str = "
[bank.river.stand_in]
kinds = [\"purchase\"]
[[bank.river.stand_in.limit]]
currency = \"156\"
";

const HEAD: &str = "# Limits\n\n\
Every bound of the switch, and what happens at it. This page is made of `src/limits.rs` and of\n\
the configuration's keys (`UPDATE_PAGES=1 cargo test limits_page`); do not edit it by hand.\n";

/// The kinds of resources, who owns them, and what no table of numbers says.
const OWNERS: &str = "\n## Who owns what\n\n\
| resource | owner | bound | at the bound |\n|---|---|---|---|\n\
| descriptors | one share for each platform, bank, the admin listener, the journal, the process | \
their sum is compared with the limit of open files at the start, after that is raised to the hard \
limit | a configuration that does not fit is refused; so no share can take another's |\n\
| memory | requests in flight, the duplicate window, what is owed, the desk, queues | keys and \
constants below | platforms are not read, or requests are declined with 96; what is owed is never \
dropped |\n\
| disk | the journal: segments, spares made ahead, checkpoints, the index | `keep_days`, \
`recall_s`; a reserve of spares for how things end | new requests are declined with 96, \
reversals and answers are still recorded; `/ready` says why; it goes on by itself |\n\
| threads | fixed (below) | none is started for a peer | a thread that cannot be had at the \
start refuses it |\n";

/// What of secrets is in memory, and for how long.
const SECRETS: &str = "\n## Secrets in memory\n\n\
The process is not dumpable and writes no core; only the superuser reads its memory. What is\n\
freed is wiped by the allocator, stacks are wiped a second after they were used.\n\n\
| what | where | until |\n|---|---|---|\n\
| PIN blocks, tracks, verification values | the frame, the message, the request to the bank | \
the answer has left; the buffers of a session one second after its last byte |\n\
| card numbers | the same; what is owed, open or on the desk; the newest refusals and followers \
(`UNWRITTEN_MAX`, `NEWEST_FOLLOWERS_MAX`) | it is settled, or newer ones come |\n\
| records of the journal that were read again | the thread `recall` | its answer is given |\n\
| what rustls has decrypted | its buffer, up to 18 kB a session | the peer has nothing more to be \
read: the buffer is wiped by the stream under it (`link::wiped`) |\n\
| keys: the journal's, MAC and PIN keys, TLS keys, operators' token | where they are used; \
those given as environment variables in `/proc/PID/environ`, too | the end of the process |\n";

struct Bound {
    name: String,
    value: String,
    doc: String,
    at_it: String,
}

/// The constants by heading.
fn constants() -> Vec<(&'static str, Vec<Bound>)> {
    let mut headings: Vec<(&str, Vec<Bound>)> = Vec::new();
    for piece in LIMITS.split("\n\n") {
        if let Some(heading) = piece.strip_prefix("// -- ").and_then(|l| l.strip_suffix(" --")) {
            headings.push((heading, Vec::new()));
        } else if let (Some((_, bounds)), Some(bound)) = (headings.last_mut(), constant(piece)) {
            bounds.push(bound);
        }
    }
    headings
}

/// A constant and its comment.
fn constant(piece: &str) -> Option<Bound> {
    let (comment, code) = piece.split_once("pub const ")?;
    let (name, value) = code.split_once(" =")?;
    let lines = comment.lines().map(|line| line.strip_prefix("///").unwrap_or_default().trim());
    let text = lines.collect::<Vec<_>>().join(" ");
    let (doc, at_it) = text.split_once("  At the bound: ").unwrap_or((&text, ""));
    Some(Bound {
        name: name.split(':').next().unwrap_or(name).to_owned(),
        value: value.trim().trim_end_matches(';').to_owned(),
        doc: doc.to_owned(),
        at_it: at_it.to_owned(),
    })
}

/// What the reference says of each key, by section and key, and as the how manieth; the first that
/// says it counts.
fn explained() -> BTreeMap<String, (usize, String)> {
    let mut said: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let (mut section, mut open) = (String::new(), None);
    for line in REFERENCE.lines() {
        let shown = line.strip_prefix("# ").unwrap_or(line);
        let comment = shown.split_once('#').map(|(_, comment)| comment.trim());
        if shown.starts_with('[') {
            let head = shown.split('#').next().unwrap_or_default();
            section = general(head.trim_matches(|c| matches!(c, '[' | ']' | ' ')));
            open = None;
        } else if let Some((key, _)) = shown.split_once(" = ").filter(|(key, _)| is_key(key)) {
            let path = format!("{section}.{key}");
            let is_new = !said.contains_key(&path);
            let comment = comment.filter(|_| is_new);
            open = comment.map(|comment| {
                said.insert(path.clone(), (said.len(), comment.to_owned()));
                path
            });
        } else if let (Some(path), Some(more)) = (&open, comment.filter(|_| line.starts_with(' ')))
        {
            if let Some((_, said)) = said.get_mut(path) {
                let _ = write!(said, " {more}");
            }
        } else {
            open = None;
        }
    }
    said
}

fn is_key(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// A section without the names of this configuration: `bank.river.line[0]` is `bank.NAME.line`.
fn general(section: &str) -> String {
    let named = ["platform", "bank"];
    let words = section.split('.').map(|word| word.split('[').next().unwrap_or(word));
    let mut general: Vec<&str> = Vec::new();
    for word in words {
        let is_name = general.len() == 1 && general.iter().all(|first| named.contains(first));
        general.push(if is_name { "NAME" } else { word });
    }
    general.join(".")
}

/// The page, and what it lacks.
fn page() -> (String, Vec<String>) {
    let mut page = format!("{HEAD}{OWNERS}{SECRETS}");
    let mut lacks = Vec::new();
    let constants = constants();
    let read: usize = constants.iter().map(|(_, bounds)| bounds.len()).sum();
    if read != LIMITS.matches("pub const ").count() {
        lacks.push(format!("limits.rs: {read} constants could be read, there are more"));
    }
    for (heading, bounds) in constants {
        let _ = write!(page, "\n## {heading}\n\n| bound | value | at the bound |\n|---|---|---|\n");
        for Bound { name, value, doc, at_it } in bounds {
            if at_it.is_empty() {
                lacks.push(format!("limits.rs: {name}: no \"At the bound\""));
            }
            let _ = writeln!(page, "| {doc} (`{name}`) | `{value}` | {at_it} |");
        }
    }
    page.push_str("\n## The configuration\n\nOutside its range a key is refused.\n\n");
    page.push_str("| key | unset | range | about it |\n|---|---|---|---|\n");
    let explained = explained();
    let mut lines = BTreeMap::new();
    for (path, key, default, range) in numbers() {
        let path = format!("{}.{key}", general(&path));
        let Some((at, about)) = explained.get(&path) else {
            lacks.push(format!("specs/examples/demo.toml: {path}: not explained"));
            continue;
        };
        let unset = if range.contains(&default) { default.to_string() } else { "–".to_owned() };
        let (low, high) = (range.start(), range.end());
        lines.insert(at, format!("| `{path}` | {unset} | {low} to {high} | {about} |\n"));
    }
    page.extend(lines.into_values());
    (page, lacks)
}

fn numbers() -> Vec<(String, &'static str, u64, std::ops::RangeInclusive<u64>)> {
    drop(asked_numbers());
    let text = format!("{REFERENCE}{SHOWN_AS_COMMENTS}");
    // Whether it loads is another test's; a reader asks for everything anyway.
    drop(load(&text, &|name| shipped(name).map(str::to_owned)));
    asked_numbers()
}

#[test]
fn limits_page_says_what_the_code_says() -> std::io::Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/limits.md");
    let (page, lacks) = page();
    assert!(lacks.is_empty(), "{}", lacks.join("\n"));
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(&file, &page)?;
    }
    let made = "stale; make it anew: UPDATE_PAGES=1 cargo test limits_page";
    assert!(std::fs::read_to_string(&file)? == page, "{} is {made}", file.display());
    Ok(())
}
