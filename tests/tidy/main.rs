//! The tidy test: the rules of the house that no compiler holds.
//!
//! Contract: reads the tracked tree, uses `std` only, and prints for every finding file, line,
//! rule and remedy. Every rule has a sample that makes it fire (`proofs.rs`), so that a rule
//! that went blind fails too. Deliberately absent: style that rustfmt or clippy already hold.

mod conduct;
mod imports;
mod lexer;
mod paths;
mod proofs;
mod prose;
mod report;
mod shape;
mod source;
mod tables;

use report::{Finding, Report};
use source::Tree;
use std::path::Path;

type Rule = fn(&Tree, &mut Report);

const RULES: &[(&str, Rule)] = &[
    ("floors", imports::floors),
    ("purity", imports::purity),
    ("simulators", imports::simulators),
    ("map", imports::map),
    ("bounds", shape::bounds),
    ("headers", shape::headers),
    ("rooms", shape::rooms),
    ("names", shape::names),
    ("top-level", shape::top_level),
    ("expose", conduct::expose),
    ("allow", conduct::allow),
    ("spawn", conduct::spawn),
    ("clock", conduct::clock),
    ("addresses", prose::addresses),
    ("links", prose::links),
    ("machine-paths", prose::machine_paths),
    ("unfinished", prose::unfinished),
    ("cards", prose::cards),
    ("lock", prose::lock),
];

/// Everything the rules find in `tree`, exceptions not yet taken out.
fn judge(tree: &Tree) -> Report {
    let mut report = Report::default();
    for (name, rule) in RULES {
        report.rule = name;
        rule(tree, &mut report);
    }
    report
}

#[test]
fn the_house_is_tidy() -> std::io::Result<()> {
    let tree = Tree::read(Path::new(env!("CARGO_MANIFEST_DIR")))?;
    assert!(tree.sources.len() > 20, "only {} files were read", tree.sources.len());
    let findings = judge(&tree).settle(tables::EXCEPTIONS);
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(lines.is_empty(), "{} findings\n{}\n", lines.len(), lines.join("\n"));
    Ok(())
}
