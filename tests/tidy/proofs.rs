//! Samples that prove each rule: what it must find, and what it must leave alone.
//!
//! Contract: a sample names one rule, its files and the `path:line` places where that rule must
//! fire, no more and no fewer. A rule without a firing sample fails the test.

use crate::report::Report;
use crate::source::{Source, Tree};
use crate::tables::Exception;
use crate::{RULES, judge};

/// The rule, its files (path, text), and where it fires.
type Proof = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

const IMPORTS: &[Proof] = &[
    ("floors", &[("src/switch/a.rs", "\nuse crate::journal::J;")], &["src/switch/a.rs:2"]),
    ("floors", &[("src/switch/a.rs", "fn f(x: crate::link::L) {}")], &["src/switch/a.rs:1"]),
    ("floors", &[("src/switch/a.rs", "use super::super::{money, cli};")], &["src/switch/a.rs:1"]),
    ("floors", &[("src/switch/a.rs", "use crate::{money,\nlink as l};")], &["src/switch/a.rs:2"]),
    ("floors", &[("src/switch/mod.rs", "use super::server;")], &["src/switch/mod.rs:1"]),
    ("floors", &[("src/switch/mod.rs", "use crate::*;")], &["src/switch/mod.rs:1"]),
    ("floors", &[("src/switch/mod.rs", "use crate as c;")], &["src/switch/mod.rs:1"]),
    ("floors", &[("src/switch/mod.rs", "use crate::config::C;")], &["src/switch/mod.rs:1"]),
    ("floors", &[("src/journal/mod.rs", "use crate::link::L;")], &["src/journal/mod.rs:1"]),
    ("floors", &[("src/text.rs", "use crate::money::Amount;")], &["src/text.rs:1"]),
    ("floors", &[("src/iso8583/a.rs", "m!(crate::canonical::K)")], &["src/iso8583/a.rs:1"]),
    ("floors", &[("src/attic/mod.rs", "")], &["src/attic/mod.rs:1"]),
    (
        "floors",
        &[
            ("src/switch/a.rs", "// crate::link\nconst A: &str = \"use crate::link\";"),
            ("src/switch/b.rs", "use crate::{iso8583::M, switch::txn}; use super::saf;"),
            ("src/switch/c.rs", "/* use crate::link; */ mod t { use super::*; }"),
            ("src/config/mod.rs", "const A: &str = r#\"\" use crate::link\"#; use crate::switch;"),
            ("src/server/mod.rs", "use crate::{journal, link, admin, telemetry, config};"),
        ],
        &[],
    ),
    ("purity", &[CARGO, ("src/switch/a.rs", "use tokio::net;")], &["src/switch/a.rs:1"]),
    (
        "purity",
        &[CARGO, ("src/switch/a.rs", "\nfn f() { rand::random() }")],
        &["src/switch/a.rs:2"],
    ),
    ("purity", &[("src/config/a.rs", "use std::{fmt, fs::read};")], &["src/config/a.rs:1"]),
    ("purity", &[("src/config/a.rs", "fn f() { std::env::var(x) }")], &["src/config/a.rs:1"]),
    ("purity", &[("src/time.rs", "use std::time::{Duration, Instant};")], &["src/time.rs:1"]),
    ("purity", &[("src/crypto/a.rs", "use std::net::TcpStream;")], &["src/crypto/a.rs:1"]),
    ("purity", &[("src/switch/a.rs", "use std::collections::HashMap;")], &["src/switch/a.rs:1"]),
    ("purity", &[("src/switch/a.rs", "pub async fn f() {}")], &["src/switch/a.rs:1"]),
    ("purity", &[("src/iso8583/a.rs", "fn f() { println!() }")], &["src/iso8583/a.rs:1"]),
    (
        "purity",
        &[
            CARGO,
            ("src/switch/a.rs", "#[cfg(test)]\nmod t { use std::fs; use tokio::net; }"),
            (
                "src/switch/b.rs",
                "// async\nfn print() {}\nuse std::{time::Duration, collections::BTreeMap};",
            ),
            ("src/config/c.rs", "use std::net::SocketAddr; use crate::time::Instant;"),
            ("src/link/d.rs", "use tokio::net; use std::collections::HashMap;"),
        ],
        &[],
    ),
    (
        "simulators",
        &[
            ("simulators/src/bank/mod.rs", "use pointsman::{iso8583, switch::S};"),
            ("simulators/src/bin/pointsman-sim.rs", "use simulators::world::W;"),
            ("simulators/src/platform/a.rs", "\nuse crate::world;"),
            ("simulators/src/world/mod.rs", "use pointsman::{switch, journal, server};"),
            ("simulators/src/bin/demo.rs", "use simulators::world::W; use pointsman::server;"),
            ("simulators/src/lib.rs", "pub mod world;"),
        ],
        &[
            "simulators/src/bank/mod.rs:1",
            "simulators/src/bin/pointsman-sim.rs:1",
            "simulators/src/platform/a.rs:2",
        ],
    ),
    ("map", &[("src/lib.rs", "pub mod a;\nfn f() {}")], &["src/lib.rs:2"]),
    ("map", &[("src/main.rs", "use pointsman::server;")], &["src/main.rs:1"]),
    ("map", &[("src/main.rs", "fn main() { pointsman::cli::run() }")], &[]),
];

const CARGO: (&str, &str) = ("Cargo.toml", "[dependencies]\ntokio = \"1\"\nrand = \"1\"\n");

const SHAPE: &[Proof] = &[
    ("headers", &[("src/a.rs", "// a\n")], &["src/a.rs:1"]),
    ("headers", &[("src/a.rs", "")], &["src/a.rs:1"]),
    ("headers", &[("src/a/mod.rs", "//! One line.\nmod b;")], &["src/a/mod.rs:1"]),
    ("headers", &[("src/a/mod.rs", "//! Not yet."), ("src/b.rs", "//! One.\nfn f() {}")], &[]),
    ("rooms", &[("src/a/b.rs", "")], &["src/a/b.rs:1"]),
    ("rooms", &[("src/a/b.rs", ""), ("src/a/mod.rs", ""), ("tests/c/d.rs", "")], &[]),
    ("names", &[("src/utils.rs", "")], &["src/utils.rs:1"]),
    ("names", &[("tests/common/mod.rs", "")], &["tests/common/mod.rs:1"]),
    ("names", &[("src/a.rs", "\nstruct KeyManager;")], &["src/a.rs:2"]),
    ("names", &[("src/a.rs", "mod test_helper {}")], &["src/a.rs:1"]),
    ("names", &[("src/a.rs", "struct ProcessingCode; // a helper\nenum Utility {}")], &[]),
    ("top-level", &[("notes.md", ""), ("src/a.rs", "")], &["notes.md:1"]),
];

const CONDUCT: &[Proof] = &[
    ("expose", &[("src/a.rs", "\nfn f(p: Pan) { p.expose() }")], &["src/a.rs:2"]),
    ("expose", &[("simulators/src/a.rs", "x.map(Pan::expose)")], &["simulators/src/a.rs:1"]),
    (
        "expose",
        &[
            ("src/a.rs", "/// `.expose()`\nfn expose() {}\n#[test]\nfn t() { p.expose() }"),
            ("tests/b.rs", "p.expose()"),
        ],
        &[],
    ),
    ("allow", &[("src/a.rs", "\n#[allow(dead_code)]\nfn f() {}")], &["src/a.rs:2"]),
    ("allow", &[("tests/a.rs", "#![cfg_attr(x, allow(y))]")], &["tests/a.rs:1"]),
    ("allow", &[("src/a.rs", "#[expect(y, reason = \"allow\")]\nfn allow() {}")], &[]),
    ("spawn", &[("src/link/a.rs", "tokio::spawn(x)")], &["src/link/a.rs:1"]),
    ("spawn", &[("src/link/a.rs", "use std::thread::spawn;")], &["src/link/a.rs:1"]),
    ("spawn", &[("src/cli/a.rs", "set.spawn_local(x)")], &["src/cli/a.rs:1"]),
    ("spawn", &[("src/server/a.rs", "tokio::spawn(x)"), ("src/b.rs", "// tokio::spawn")], &[]),
    ("clock", &[("src/link/a.rs", "tokio::time::Instant::now()")], &["src/link/a.rs:1"]),
    ("clock", &[("src/server/a.rs", "jiff::Timestamp::now()")], &["src/server/a.rs:1"]),
    ("clock", &[("src/server/a.rs", "since.elapsed()")], &["src/server/a.rs:1"]),
    ("clock", &[("src/server/a.rs", "use std::time::SystemTime;")], &["src/server/a.rs:1"]),
    ("clock", &[("src/server/clock.rs", "Instant::now()"), ("src/b.rs", "clock.now()")], &[]),
];

/// The card of these samples is one a payment company publishes, yet not on our list.
const PROSE: &[Proof] = &[
    ("addresses", &[("docs/a.md", "\nsee https://mirror.invalid/x")], &["docs/a.md:2"]),
    ("addresses", &[("docs/a.md", "https://semver.org/ and http://127.0.0.1:80/live")], &[]),
    ("links", &[("docs/a.md", "[b](b.md) [c](../c.md)"), ("docs/b.md", "")], &["docs/a.md:1"]),
    ("links", &[("docs/a.md", "[b](b.md#x) [d](../docs/) [e](#f)"), ("docs/b.md", "")], &[]),
    ("machine-paths", &[("docs/a.md", "in /home/me/x")], &["docs/a.md:1"]),
    ("machine-paths", &[("docs/a.md", "docs/work/x ${HOME}/root/x")], &[]),
    ("unfinished", &[("src/a.rs", "\n// TODO: later")], &["src/a.rs:2"]),
    ("unfinished", &[("src/a.rs", "// TODOs are refused")], &[]),
    ("cards", &[("specs/a.toml", "\npan = \"4929000000006\"")], &["specs/a.toml:2"]),
    ("cards", &[("specs/a.toml", "35 = '4929000000006D2512'")], &["specs/a.toml:1"]),
    ("cards", &[("docs/a.md", "card 4929-0000-0000-6.")], &["docs/a.md:1"]),
    (
        "cards",
        &[
            ("src/a.rs", "4111111111111111 4929000000007 0000000000000000 F4929000000006"),
            ("src/b.rs", "493000000000600000000 2600000000000000"),
        ],
        &[],
    ),
    ("lock", &[("Cargo.lock", "\nsource = \"git+x\"")], &["Cargo.lock:2"]),
    ("lock", &[("Cargo.lock", "name = \"aws-lc-rs\"")], &["Cargo.lock:1"]),
    ("lock", &[("fuzz/Cargo.lock", "name = \"aws-lc-rs\"")], &["fuzz/Cargo.lock:1"]),
    ("lock", &[("Cargo.lock", "name = \"a\"\nversion = \"1\"")], &[]),
];

fn tree(files: &[(&str, &str)]) -> Tree {
    let sources = files.iter().map(|(path, text)| Source::new(path, text)).collect();
    let tops = files.iter().map(|(path, _)| match path.split_once('/') {
        Some((folder, _)) => format!("{folder}/"),
        None => (*path).to_owned(),
    });
    Tree::of(sources, tops.collect())
}

fn places(files: &[(&str, &str)], rule: &str) -> Vec<String> {
    let findings = judge(&tree(files)).findings;
    let of_rule = findings.into_iter().filter(|f| f.rule == rule);
    let mut places: Vec<String> = of_rule.map(|f| format!("{}:{}", f.path, f.line)).collect();
    places.sort();
    places.dedup();
    places
}

#[test]
fn every_rule_fires_where_it_must_and_nowhere_else() {
    let proofs = [IMPORTS, SHAPE, CONDUCT, PROSE].concat();
    for (rule, files, expected) in &proofs {
        assert_eq!(places(files, rule), *expected, "[{rule}] {files:?}");
    }
    for (name, _) in RULES.iter().filter(|(name, _)| *name != "bounds") {
        let fires = proofs.iter().any(|(rule, _, expected)| rule == name && !expected.is_empty());
        assert!(fires, "no sample makes the rule `{name}` fire");
    }
}

#[test]
fn bounds_are_inclusive() {
    let function = |lines: usize| {
        let body = "    x;\n".repeat(lines - 2);
        format!("fn f(a: [u8; 2]) {{\n{body}}}\ntrait T {{ fn g(); }}\n")
    };
    let fits = format!("{}\n{}{}", "é".repeat(100), function(70), "\n".repeat(800 - 72));
    assert_eq!(places(&[("src/a.rs", &fits)], "bounds"), Vec::<String>::new());
    let bursts = format!("{}\n{}{}", "é".repeat(101), function(71), "\n".repeat(800 - 72));
    let expected = ["src/a.rs:1", "src/a.rs:2", "src/a.rs:801"];
    assert_eq!(places(&[("src/a.rs", &bursts)], "bounds"), expected);
}

#[test]
fn an_exception_excuses_one_rule_in_one_file_and_must_be_needed() {
    let files = [("src/a.rs", "p.expose()"), ("src/b.rs", "//! b\n")];
    let except = |path| Exception { rule: "expose", path, reason: "why" };
    let left = |exceptions: &[Exception]| {
        let report: Report = judge(&tree(&files));
        let left = report.settle(exceptions).into_iter();
        left.filter(|f| f.rule != "headers").map(|f| (f.rule, f.path)).collect::<Vec<_>>()
    };
    let floors = [("floors", "src/a.rs".to_owned()), ("floors", "src/b.rs".to_owned())];
    assert_eq!(left(&[except("src/a.rs")]), floors);
    assert!(
        left(&[except("src/a.rs"), except("src/b.rs")])
            .contains(&("exception", "src/b.rs".to_owned()))
    );
}
