//! A field as people know it: name, format, secrecy, inner structure.
//!
//! Contract: [`Field`] describes a data element or a part of a composite; the plan inside it is
//! all the codec needs. Deliberately absent: how to read it from a dialect file
//! ([`super::dialect_fields`]).

use super::charset::Class;
use super::inside::Inside;
use super::plan::Plan;
use crate::limits::DE_MAX;

/// Which sensitive type a value belongs to, and so how it is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Secret {
    /// The dialect says that it may be shown.
    None,
    /// A card number: first six and last four are shown.
    Pan,
    /// Track data: never shown.
    Track,
    /// A PIN block: never shown.
    Pin,
    /// A card verification value: never shown.
    Cvv,
    /// Other data of the card or its holder (ICC data, expiry, names): never shown.
    CardData,
    /// The dialect says nothing, so it is not shown (masking is by allow-list).
    Unstated,
}

/// How dialect files spell the secrecy classes.
pub(crate) const SECRETS: [(&str, Secret); 6] = [
    ("none", Secret::None),
    ("pan", Secret::Pan),
    ("track", Secret::Track),
    ("pin", Secret::Pin),
    ("cvv", Secret::Cvv),
    ("card-data", Secret::CardData),
];

/// A data element, or a part of a composite.
#[derive(Debug, Clone)]
pub struct Field {
    pub(crate) name: String,
    pub(crate) format: String,
    pub(crate) secret: Secret,
    pub(crate) currency: Option<u8>,
    /// A constant it must hold, in normal form.
    pub(crate) constant: Option<Vec<u8>>,
    pub(crate) plan: Plan,
    pub(crate) inside: Option<Box<Inside>>,
}

impl Field {
    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The compact notation it was defined with, e.g. `n..19`.
    pub fn format(&self) -> &str {
        &self.format
    }

    /// Its character class.
    pub fn class(&self) -> Class {
        self.plan.class
    }

    /// Fewest characters of the normal form (bytes for `b`).
    pub fn min_len(&self) -> usize {
        usize::from(self.plan.min)
    }

    /// Most characters of the normal form (bytes for `b`).
    pub fn max_len(&self) -> usize {
        usize::from(self.plan.max)
    }

    /// Whether the length never varies.
    pub fn is_fixed(&self) -> bool {
        self.plan.min == self.plan.max
    }

    /// Its secrecy class.
    pub fn secret(&self) -> Secret {
        self.secret
    }

    /// For an amount: the data element with its currency.
    pub fn currency(&self) -> Option<u8> {
        self.currency
    }

    /// Its inner structure, if the dialect states one.
    pub fn inside(&self) -> Option<&Inside> {
        self.inside.as_deref()
    }

    /// Whether a normal-form value suits the field: class, length, validation. Fixed text may be
    /// shorter, as `pack` fills it up.
    pub fn accepts(&self, value: &[u8]) -> bool {
        self.plan.write(value, &mut Vec::new()).is_ok()
    }
}

/// All data elements of a dialect, by number.
#[derive(Debug, Clone)]
pub struct FieldTable {
    fields: Vec<Option<Field>>,
}

impl Default for FieldTable {
    fn default() -> Self {
        Self { fields: (0..=DE_MAX).map(|_| None).collect() }
    }
}

impl FieldTable {
    /// The field with this number, if the dialect has it.
    pub fn get(&self, de: u8) -> Option<&Field> {
        self.fields.get(usize::from(de))?.as_ref()
    }

    /// All of them with their numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &Field)> {
        (0..=DE_MAX).filter_map(|de| Some((de, self.get(de)?)))
    }

    pub(crate) fn get_mut(&mut self, de: u8) -> Option<&mut Field> {
        self.fields.get_mut(usize::from(de))?.as_mut()
    }

    pub(crate) fn put(&mut self, de: u8, field: Field) {
        if let Some(place) = self.fields.get_mut(usize::from(de)) {
            *place = Some(field);
        }
    }

    /// The plan per data element, for the hot path.
    pub(crate) fn plans(&self) -> Vec<Plan> {
        let plan = |f: &Option<Field>| f.as_ref().map_or(Plan::UNKNOWN, |f| f.plan);
        self.fields.iter().map(plan).collect()
    }
}
