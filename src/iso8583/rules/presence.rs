//! `[presence]`: which fields a message must, must not, or must together carry.
//!
//! Contract: stated per family (`transaction`, `reversal`, `reconciliation`, `batch-upload`,
//! `network`) and per entry of `[messages]`, each for `request` and `answer`; an entry adds to
//! its family. `echo` lists what an answer must repeat from its request if the request had it.
//! Deliberately absent: values.

use super::{Faults, FieldSet, Messages, Shape};
use crate::meaning::Kind;
use serde::Deserialize;
use toml::{Table, Value};

/// What one leg of one kind of message must carry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Need {
    /// Mandatory.
    pub must: FieldSet,
    /// Forbidden: an error on read, left out on write.
    pub never: FieldSet,
    /// Repeated from the request.
    pub echo: FieldSet,
    /// Of each set at least one is there.
    pub either: Vec<FieldSet>,
    /// Where the first is, the second is too.
    pub with: Vec<(u8, u8)>,
}

/// A field that breaks the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// Mandatory, absent.
    Missing(u8),
    /// Forbidden, present.
    Forbidden(u8),
}

impl Need {
    /// The first breach in a message with these fields.
    ///
    /// # Errors
    /// [`Breach`], with the field.
    #[inline]
    pub fn check(&self, present: FieldSet) -> Result<(), Breach> {
        if let Some(de) = first(self.must.without(present)) {
            return Err(Breach::Missing(de));
        }
        if let Some(de) = first(self.never.and(present)) {
            return Err(Breach::Forbidden(de));
        }
        for set in &self.either {
            if set.and(present).is_empty() {
                return Err(Breach::Missing(first(*set).unwrap_or_default()));
            }
        }
        let broken = |(one, _): &&(u8, u8)| present.contains(*one);
        match self.with.iter().filter(broken).find(|(_, other)| !present.contains(*other)) {
            Some((_, other)) => Err(Breach::Missing(*other)),
            None => Ok(()),
        }
    }

    fn add(&mut self, other: &Self) {
        self.must = self.must.or(other.must);
        self.never = self.never.or(other.never);
        self.echo = self.echo.or(other.echo);
        self.either.extend_from_slice(&other.either);
        self.with.extend_from_slice(&other.with);
    }
}

fn first(set: FieldSet) -> Option<u8> {
    if set.is_empty() { None } else { set.iter().next() }
}

/// The compiled section.
#[derive(Debug, Clone, Default)]
pub struct Presence {
    /// By entry: request, answer.
    by_entry: Vec<[Need; 2]>,
    by_family: [[Need; 2]; FAMILIES.len()],
}

const FAMILIES: [&str; 5] =
    ["transaction", "reversal", "reconciliation", "batch-upload", "network"];

const fn family(kind: Kind) -> usize {
    match kind {
        Kind::Transaction(_) => 0,
        Kind::Reversal(_) => 1,
        Kind::Reconciliation => 2,
        Kind::BatchUpload => 3,
        Kind::NetworkManagement(_) => 4,
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LegsText {
    #[serde(default)]
    request: NeedText,
    #[serde(default)]
    answer: NeedText,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct NeedText {
    must: Vec<u8>,
    never: Vec<u8>,
    echo: Vec<u8>,
    either: Vec<Vec<u8>>,
    with: Vec<(u8, u8)>,
}

impl Presence {
    pub(super) fn compile(
        section: &Table,
        messages: &Messages,
        shape: &impl Fn(u8) -> Option<Shape>,
        faults: &mut Faults,
    ) -> Self {
        let entries = messages.entries();
        let mut presence = Self::default();
        presence.by_entry.resize(entries.len(), Default::default());
        for (name, value) in section {
            let key = format!("presence.{name}");
            let Some(legs) = read_legs(&key, value, shape, faults) else { continue };
            let group = FAMILIES.iter().position(|f| f == name);
            if let Some(group) = group {
                add(&mut presence.by_family[group], &legs);
            }
            let named = |i: &usize| *entries[*i].name == **name;
            let mut known = group.is_some();
            for index in (0..entries.len()).filter(named).filter(|_| group.is_none()) {
                add(&mut presence.by_entry[index], &legs);
                known = true;
            }
            if !known {
                faults.add(&key, "no family and no entry of [messages] has this name");
            }
        }
        for (entry, need) in entries.iter().zip(&mut presence.by_entry) {
            add(need, &presence.by_family[family(entry.kind)]);
        }
        for (entry, legs) in entries.iter().zip(&presence.by_entry) {
            if legs.iter().any(|n| n.must.without(n.never) != n.must) {
                faults.add(&format!("presence.{}", entry.name), "a field is both must and never");
            }
        }
        presence
    }

    /// What the leg of an entry needs.
    pub fn of(&self, entry: usize, answer: bool) -> &Need {
        let legs = self.by_entry.get(entry).unwrap_or(&self.by_family[0]);
        &legs[usize::from(answer)]
    }

    /// What an answer needs whose entry is open.
    pub fn of_kind(&self, kind: Kind, answer: bool) -> &Need {
        &self.by_family[family(kind)][usize::from(answer)]
    }
}

fn add(legs: &mut [Need; 2], other: &[Need; 2]) {
    for (need, more) in legs.iter_mut().zip(other) {
        need.add(more);
    }
}

fn read_legs(
    key: &str,
    value: &Value,
    shape: &impl Fn(u8) -> Option<Shape>,
    faults: &mut Faults,
) -> Option<[Need; 2]> {
    let text: LegsText = faults.typed(key, value.clone())?;
    Some([(text.request, "request"), (text.answer, "answer")].map(|(text, leg)| {
        let key = format!("{key}.{leg}");
        let either = text.either.iter().map(|des| faults.known_set(&key, des, shape)).collect();
        let mut pairs = text.with.clone();
        pairs.retain(|(a, b)| faults.known_set(&key, &[*a, *b], shape).iter().count() > 0);
        Need {
            must: faults.known_set(&key, &text.must, shape),
            never: faults.known_set(&key, &text.never, shape),
            echo: faults.known_set(&key, &text.echo, shape),
            either,
            with: pairs,
        }
    }))
}
