//! The whole file: platforms, banks, routes, journal, and what must fit between them.
//!
//! Contract: `load` returns settings in which every index is valid and every limit fits every
//! other, or every error at once.

use super::error::{ConfigErrors, Findings};
use super::section::Section;
use super::settings::{AdminSettings, JournalSettings, LineSettings, SecretRef, Settings};
use super::{banks, platforms, routes};
use crate::iso8583::Dialect;
use crate::switch::policy::{DuplicateWindow, Line, Policy};
use crate::switch::recall::{REFERENCE_DAYS, REPEAT_DAYS};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use toml::de::DeTable;

/// Gives the text of a dialect by name, for `dialect = "…"` and `extends = "…"`.
pub type DialectSource<'s> = dyn Fn(&str) -> Option<String> + 's;

/// Reads a configuration.
///
/// # Errors
/// [`ConfigErrors`]: everything that is wrong, each with line and key.
pub fn load(text: &str, dialects: &DialectSource<'_>) -> Result<Settings, ConfigErrors> {
    let findings = Findings::new(text);
    let (tree, broken) = DeTable::parse_recoverable(text);
    for error in &broken {
        findings.add(error.span(), "syntax", error.message());
    }
    findings.verdict()?; // With broken syntax every later complaint would be noise.
    let root = Section::root(&tree, &findings);
    let settings = Builder::new(dialects).read(&root, text);
    root.finish();
    findings.verdict()?;
    Ok(settings)
}

/// What is being built while the sections are read.
pub(super) struct Builder<'s> {
    source: &'s DialectSource<'s>,
    compiled: RefCell<BTreeMap<String, Option<Arc<Dialect>>>>,
    texts: RefCell<String>,
    pub(super) policy: Policy,
    pub(super) lines: Vec<LineSettings>,
}

impl<'s> Builder<'s> {
    fn new(source: &'s DialectSource<'s>) -> Self {
        let policy = Policy {
            hash: 0,
            platforms: Vec::new(),
            banks: Vec::new(),
            lines: Vec::new(),
            routes: Vec::new(),
            duplicates: DuplicateWindow { age: std::time::Duration::ZERO, count: 0 },
        };
        let (compiled, texts) = (RefCell::default(), RefCell::default());
        Self { source, compiled, texts, policy, lines: Vec::new() }
    }

    fn read(mut self, root: &Section<'_, '_>, text: &str) -> Settings {
        let production = root.flag("production", false);
        platforms::read(&mut self, root);
        banks::read(&mut self, root);
        routes::read(&mut self, root);
        self.policy.duplicates = duplicates(root);
        let journal = journal(root, production, self.policy.duplicates.age.as_secs());
        let admin = root.table("admin").map(|section| {
            let address = super::platforms::address(&section, "address");
            let token = secret(&section, "token");
            if production && !section.has("token") {
                section.wrong("token", "`production = true` needs a token: file:… or env:…");
            }
            let hosts = section.list("hosts");
            section.finish();
            AdminSettings { address, token, hosts }
        });
        self.policy.hash = fingerprint(&[text, self.texts.borrow().as_str()]);
        Settings { policy: Arc::new(self.policy), lines: self.lines, journal, admin, production }
    }

    /// The dialect named in `section.dialect`, compiled once per name.
    pub(super) fn dialect(&self, section: &Section<'_, '_>) -> Option<Arc<Dialect>> {
        let name = section.need("dialect");
        if name.is_empty() {
            return None;
        }
        if let Some(known) = self.compiled.borrow().get(&name) {
            return known.clone();
        }
        let source = |wanted: &str| {
            let text = (self.source)(wanted);
            self.texts.borrow_mut().extend(text.as_deref());
            text
        };
        let dialect = match Dialect::compile(&name, &source) {
            Ok(dialect) => Some(Arc::new(dialect)),
            Err(errors) => {
                for error in errors {
                    section.wrong("dialect", error.to_string());
                }
                None
            }
        };
        self.compiled.borrow_mut().insert(name, dialect.clone());
        dialect
    }

    /// Adds a line to the policy and the settings, keeping both in step.
    pub(super) fn add_line(&mut self, line: Line, wire: LineSettings, section: &Section<'_, '_>) {
        if self.policy.lines.iter().any(|l| l.name == line.name) {
            section.wrong("name", format!("there is a line \"{}\" already", line.name));
        }
        self.policy.lines.push(line);
        self.lines.push(wire);
    }
}

/// First eight bytes of SHA-256 over the texts: names a policy in the journal.
fn fingerprint(texts: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

fn duplicates(root: &Section<'_, '_>) -> DuplicateWindow {
    const DAY_S: u64 = 86_400;
    let section = root.table("duplicates");
    let number = |key, default, range| match &section {
        Some(s) => s.number(key, default, range),
        None => default,
    };
    let age_s = number("window_s", DAY_S, 60..=30 * DAY_S);
    let count = number("count", 1_000_000, 100..=100_000_000);
    if let Some(s) = &section {
        s.finish();
    }
    DuplicateWindow {
        age: std::time::Duration::from_secs(age_s),
        count: usize::try_from(count).unwrap_or(usize::MAX),
    }
}

fn journal(root: &Section<'_, '_>, production: bool, window_s: u64) -> JournalSettings {
    let Some(section) = root.table("journal") else {
        root.wrong("journal", "is missing: the journal needs at least `folder`");
        return JournalSettings {
            folder: String::new(),
            segment_bytes: 0,
            key: None,
            keep_days: 0,
            recall: std::time::Duration::ZERO,
            archive: None,
            clock_bound: std::time::Duration::ZERO,
            checkpoint_records: 0,
            checkpoint_every: std::time::Duration::ZERO,
        };
    };
    let checkpoint_s = section.number("checkpoint_s", 600, 1..=86_400);
    let clock_s = section.number("clock_bound_s", 3_600, 60..=86_400);
    let settings = JournalSettings {
        folder: section.need("folder"),
        segment_bytes: section.number("segment_bytes", 64 << 20, 16 << 10..=4 << 30),
        key: secret(&section, "key"),
        keep_days: section.number("keep_days", 400, 0..=36_500) as u32,
        recall: recall(&section, production, window_s),
        archive: section.string("archive"),
        clock_bound: std::time::Duration::from_secs(clock_s),
        checkpoint_records: section.number("checkpoint_records", 1_500_000, 100..=100_000_000),
        checkpoint_every: std::time::Duration::from_secs(checkpoint_s),
    };
    if settings.archive.as_ref().is_some_and(|archive| *archive == settings.folder) {
        section.wrong("archive", "is the journal's own folder: expected another one");
    }
    if production && settings.key.is_none() {
        section.wrong("key", "`production = true` needs a key-encryption key: file:… or env:…");
    }
    section.finish();
    settings
}

/// `recall_s`. What the journal has let go cannot be found any more, neither the original of a
/// reversal nor that of a repeat: in production no acquirer may still send one.
fn recall(section: &Section<'_, '_>, production: bool, window_s: u64) -> std::time::Duration {
    const DAY_S: u64 = 86_400;
    const MOST_S: u64 = REFERENCE_DAYS as u64 * DAY_S;
    let recall_s = section.number("recall_s", MOST_S, 60..=MOST_S);
    if recall_s < window_s {
        let why = "a repeat that memory has forgotten would go to its bank once more";
        section.wrong(
            "recall_s",
            format!("expected at least duplicates.window_s ({window_s}), got {recall_s}: {why}"),
        );
    }
    // Clocks of platforms differ from ours by hours at most.
    let least_s = (u64::from(REPEAT_DAYS) * DAY_S).max(window_s + DAY_S);
    if production && recall_s < least_s {
        let why = "the longest that acquirers repeat, and a day more than duplicates.window_s";
        section.wrong(
            "recall_s",
            format!("`production = true` expects at least {least_s}, got {recall_s}: {why}"),
        );
    }
    std::time::Duration::from_secs(recall_s)
}

/// A reference to a secret: `file:path` or `env:NAME`.
pub(super) fn secret(section: &Section<'_, '_>, key: &'static str) -> Option<SecretRef> {
    let given = section.string(key)?;
    match given.split_once(':') {
        Some(("file", path)) if !path.is_empty() => Some(SecretRef::File(path.to_owned())),
        Some(("env", name)) if !name.is_empty() => Some(SecretRef::Env(name.to_owned())),
        _ => {
            // The value is not quoted: somebody may have put the secret itself here.
            section.wrong(key, "expected file:PATH or env:NAME; secrets never stand here");
            None
        }
    }
}
