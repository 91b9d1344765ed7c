//! What the messages mean: the standard's sections, fitted to the fields that are there.
//!
//! Contract: [`fit`] lays the imported structure over a shipped dialect and takes away what speaks
//! of data elements that the file does not have, until it compiles; every change is said. Where
//! that does not end, the reason. Deliberately absent: rules of its own – response codes, kinds of
//! messages and reversals are the shipped dialect's, to be reviewed by a person.

use super::draft::Draft;
use super::{settle, toml_text};
use crate::iso8583::rules::FieldSet;
use crate::iso8583::{Dialect, DialectError};
use std::collections::BTreeMap;

/// What is taken away in one round can leave something without a source in the next.
const ROUNDS: usize = 6;

/// Section → key → value, as TOML.
type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// The text with the sections, and what was changed in them.
pub(super) fn fit(draft: &Draft, base: &Dialect) -> Result<(String, Vec<String>), String> {
    let has: FieldSet = draft.fields.iter().filter(|e| e.what.is_ok()).map(|e| e.number).collect();
    let lacking = needed(base).into_iter().find(|de| !has.contains(*de));
    if let Some(de) = lacking {
        return Err(format!("no F{de}"));
    }
    let mut sections = Sections::new();
    let mut changes = Vec::new();
    for _ in 0..ROUNDS {
        let text = toml_text::with_rules(draft, base, &written(&sections));
        let errors = match settle::compile(&text) {
            Ok(_) => return Ok((text, changes)),
            Err(errors) => errors,
        };
        let before = changes.len();
        // What only overlaps with something that goes away anyhow may stay.
        let (overlaps, plain): (Vec<_>, Vec<_>) = errors.iter().partition(|e| is_overlap(e));
        for error in plain {
            changes.extend(change(error, base, has, &mut sections));
        }
        let only_overlaps = changes.len() == before;
        for error in overlaps.into_iter().filter(|_| only_overlaps) {
            changes.extend(change(error, base, has, &mut sections));
        }
        if changes.len() == before {
            return Err(first(&errors));
        }
    }
    Err("too much of it is missing".to_owned())
}

/// Without these no payment could be told from another, or reversed so that the bank knows which.
fn needed(base: &Dialect) -> Vec<u8> {
    let links = base.rules().fields().links();
    let original = links.iter().find(|l| l.parts.iter().any(|p| *p.name == *"original-stan"));
    [3, 4, 11, 39].into_iter().chain(original.map(|link| link.de)).collect()
}

/// Two messages that nothing tells apart.
fn is_overlap(error: &DialectError) -> bool {
    error.key.starts_with("messages.") && error.reason.starts_with("a message could be")
}

fn first(errors: &[DialectError]) -> String {
    errors.first().map_or_else(String::new, |e| format!("{}: {}", e.key, e.reason))
}

fn written(sections: &Sections) -> String {
    let mut out = String::new();
    for (section, keys) in sections {
        let lines: Vec<String> = keys.iter().map(|(k, v)| format!("{k} = {v}\n")).collect();
        out.push_str(&format!("[{section}]\n{}", lines.concat()));
    }
    out
}

/// The override that answers one error; `None` where there is none, or it is there already.
fn change(
    error: &DialectError,
    base: &Dialect,
    has: FieldSet,
    sections: &mut Sections,
) -> Option<String> {
    let mut steps = error.key.split('.');
    let (section, key) = (steps.next()?, steps.next()?);
    let rules = base.rules();
    let (section, key, value) = match (section, key) {
        ("reversal", "fields") => {
            let fields = list(rules.reversal()?.fields, has);
            ("reversal".to_owned(), key.to_owned(), fields)
        }
        ("canonical", "carry") => {
            let [request, answer] = [false, true].map(|a| list(rules.fields().carry(a), has));
            let value = format!("{{ request = {request}, answer = {answer} }}");
            ("canonical".to_owned(), key.to_owned(), value)
        }
        ("canonical", "lossy") => {
            ("canonical".to_owned(), key.to_owned(), list(rules.fields().lossy(), has))
        }
        ("canonical", number) if number.parse::<u8>().is_ok() => {
            ("canonical".to_owned(), number.to_owned(), "false".to_owned())
        }
        ("match", "must_equal") => {
            let all = rules.matching().must_equal.iter().map(|field| field.number()).collect();
            ("match".to_owned(), key.to_owned(), list(all, has))
        }
        ("network", "sign_on") => ("network".to_owned(), key.to_owned(), "\"none\"".to_owned()),
        ("messages", entry) => ("messages".to_owned(), entry.to_owned(), "false".to_owned()),
        ("presence", group) => {
            let leg = steps.next().filter(|leg| ["request", "answer"].contains(leg))?;
            let value = presence(base, group, leg == "answer", has)?;
            (format!("presence.{group}"), leg.to_owned(), value)
        }
        _ => return None,
    };
    let keys = sections.entry(section.clone()).or_default();
    if keys.get(&key) == Some(&value) {
        return None;
    }
    let said = match (section.as_str(), value.as_str()) {
        ("messages", _) => {
            format!("[messages] {key} is taken away: what tells it from others is missing")
        }
        (_, "false") => format!("[{section}] {key} is taken away: {}", error.reason),
        _ => format!("[{section}] {key} is only {value} here: {}", error.reason),
    };
    keys.insert(key, value);
    Some(said)
}

fn list(all: FieldSet, has: FieldSet) -> String {
    let kept: Vec<String> =
        all.iter().filter(|de| has.contains(*de)).map(|de| de.to_string()).collect();
    format!("[{}]", kept.join(", "))
}

/// What a family of messages needs, of the fields that are there.
fn presence(base: &Dialect, group: &str, answer: bool, has: FieldSet) -> Option<String> {
    let entries = base.rules().messages().entries();
    let kind = entries.iter().find(|entry| family(&entry.name) == group)?.kind;
    let need = base.rules().presence().of_kind(kind, answer);
    let either: Vec<String> =
        need.either.iter().map(|set| list(*set, has)).filter(|set| set != "[]").collect();
    let (must, echo, never) = (list(need.must, has), list(need.echo, has), list(need.never, has));
    let either = either.join(", ");
    Some(format!("{{ must = {must}, echo = {echo}, never = {never}, either = [{either}] }}"))
}

/// The family of `[presence]` that a shipped dialect's entry belongs to, by its name.
fn family(entry: &str) -> &'static str {
    match entry {
        "reversal" | "reversal-advice" => "reversal",
        "reconciliation" | "reconciliation-advice" => "reconciliation",
        "batch-upload" => "batch-upload",
        "purchase" => "transaction",
        "sign-on" => "network",
        _ => "",
    }
}
