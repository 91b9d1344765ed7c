//! What a dialect's fields mean: the semantic sections of a dialect file, compiled.
//!
//! The structure of messages is the dialect's ([`super`]); this is how they map to the canonical
//! message, what each kind of message must carry, how codes are classed, how answers are matched,
//! how a reversal is built, what the MAC covers and where keys come. Contract:
//! [`Rules::compile`] reports every defect it finds, each with its key; after it nothing is
//! looked up by name. A dialect without any of these sections still unpacks and packs, but
//! [`Rules::translates`] is false. The sections are described in `docs/dialect-rules.md`.
//! Deliberately absent: bytes, peers, time.

mod atom;
mod codes;
mod field_map;
mod field_map_load;
mod field_set;
mod keys;
pub mod mac;
mod messages;
mod messages_load;
mod peer;
mod presence;
mod telling;

pub use atom::Atom;
pub use codes::{ReasonCodes, ResponseCodes};
pub use field_map::{FieldMap, Link, Part, Subject, What, Width};
pub use field_set::FieldSet;
pub use keys::KeyRule;
pub use mac::{MacRule, MacScope};
pub use messages::{Entry, Literal, Messages, NoMessage};
pub use peer::{
    FollowUpRule, MatchField, MatchRule, MatchScope, NetworkRule, OriginalRule, ReversalRule,
    SignOnScope, StanRule,
};
pub use presence::{Breach, Need, Presence};

use super::{Class, DialectError, FieldTable, Secret};
use crate::limits::DE_MAX;
use crate::meaning::{Answer, Kind};
use crate::text::Text;
use toml::{Table, Value};

/// What the rules need to know of a data element's structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Its characters.
    pub class: Class,
    /// Whether every value has `max` characters.
    pub fixed: bool,
    /// The longest value in normal form, in characters (bytes for `b`).
    pub max: usize,
    /// Whether it is nobody's to see.
    pub secret: bool,
}

/// The compiled semantic sections of a dialect.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    messages: Messages,
    fields: FieldMap,
    presence: Presence,
    responses: ResponseCodes,
    reasons: ReasonCodes,
    mac: Option<MacRule>,
    keys: Option<KeyRule>,
    matching: MatchRule,
    reversal: Option<ReversalRule>,
    network: NetworkRule,
    follow_up: FollowUpRule,
}

/// The sections this module reads; all others are none of its business.
pub const SECTIONS: [&str; 11] = [
    "messages",
    "responses",
    "reasons",
    "mac",
    "keys",
    "match",
    "reversal",
    "canonical",
    "presence",
    "network",
    "follow_up",
];

impl Rules {
    /// Compiles the sections of a merged dialect file over the data elements it has. Where none
    /// of the sections is there, the rules are empty.
    ///
    /// # Errors
    /// Every defect found, each with its key.
    pub fn compile(file: &Table, elements: &FieldTable) -> Result<Self, Vec<DialectError>> {
        let shape = |de| {
            let field = elements.get(de)?;
            let (fixed, max) = (field.is_fixed(), field.max_len());
            let secret = !matches!(field.secret(), Secret::None | Secret::Unstated);
            Some(Shape { class: field.class(), fixed, max, secret })
        };
        if !SECTIONS.iter().any(|name| file.contains_key(*name)) {
            return Ok(Self::default());
        }
        let mut faults = Faults { unread: unread(file, elements), ..Faults::default() };
        let mut section = |name: &str| -> Table {
            match file.get(name) {
                Some(Value::Table(table)) => table.clone(),
                None => Table::new(),
                Some(_) => {
                    faults.add(name, "expected a section");
                    Table::new()
                }
            }
        };
        let [
            messages,
            responses,
            reasons,
            mac,
            keys,
            matching,
            reversal,
            canonical,
            presence,
            network,
            follow_up,
        ] = SECTIONS.map(&mut section);
        let version = file.get("version").and_then(Value::as_integer);
        let mut fields =
            FieldMap::compile(&canonical, version.unwrap_or_default(), &shape, &mut faults);
        let reversal = ReversalRule::compile(&reversal, &mut fields, &shape, &mut faults);
        faults.check_version(&messages, version);
        let messages = Messages::compile(&messages, &fields, reversal.as_ref(), &mut faults);
        let reason_field = reversal.as_ref().is_some_and(|r| r.has_reason);
        let codes = ResponseCodes::compile(&responses, &shape, &mut faults);
        let rules = Self {
            reasons: ReasonCodes::compile(&reasons, reason_field, &codes, &mut faults),
            responses: codes,
            mac: MacRule::compile(&mac, &messages, &shape, &mut faults),
            keys: KeyRule::compile(&keys, &shape, &mut faults),
            matching: MatchRule::compile(&matching, &fields, &mut faults),
            network: NetworkRule::compile(&network, &messages, &mut faults),
            follow_up: FollowUpRule::compile(&follow_up, &fields, &mut faults),
            presence: Presence::compile(&presence, &messages, &shape, &mut faults),
            messages,
            fields,
            reversal,
        };
        if rules.messages.entries().is_empty() {
            let why = "missing: without it nothing reaches the other sections on meaning";
            faults.add("messages", why);
        }
        rules.lint(&mut faults);
        if faults.found.is_empty() { Ok(rules) } else { Err(faults.found) }
    }

    /// Whether a reversal can say that a part of its original stands: in a field of its own
    /// (`F95`), or by a function of its own with what the original's amount was (`F24`, `F30`).
    pub fn says_part(&self) -> bool {
        let Some(rule) = &self.reversal else { return false };
        let says = |atom| self.fields.holder_of(atom).is_some_and(|de| rule.fields.contains(de));
        let by_function = |entry: &Entry| entry.mti == rule.mti && !entry.partial().is_empty();
        let by_function = self.messages.entries().iter().any(by_function);
        says(Atom::ReplacementAmount) || (by_function && says(Atom::OriginalAmount))
    }

    /// How this dialect says an answer to this kind of message; `None` where it cannot.
    pub fn spell(&self, answer: &Answer, to: Kind) -> Option<Text<4>> {
        match answer {
            Answer::Given { class, code } => self.responses.spell(*class, *code),
            Answer::Own(reason) => self.reasons.answer(*reason, to),
        }
    }

    /// Whether messages of this dialect can be read into, and written from, canonical ones.
    pub fn translates(&self) -> bool {
        !self.messages.entries().is_empty()
    }

    /// `[messages]`
    pub fn messages(&self) -> &Messages {
        &self.messages
    }

    /// `[canonical]`
    pub fn fields(&self) -> &FieldMap {
        &self.fields
    }

    /// `[presence]`
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// `[responses]`
    pub fn responses(&self) -> &ResponseCodes {
        &self.responses
    }

    /// `[reasons]`
    pub fn reasons(&self) -> &ReasonCodes {
        &self.reasons
    }

    /// `[mac]`; `None` where the dialect has none.
    pub fn mac(&self) -> Option<&MacRule> {
        self.mac.as_ref()
    }

    /// `[keys]`; `None` where sign-ons bring no keys.
    pub fn keys(&self) -> Option<&KeyRule> {
        self.keys.as_ref()
    }

    /// `[match]`
    pub fn matching(&self) -> &MatchRule {
        &self.matching
    }

    /// `[reversal]`; `None` where the dialect has no reversals.
    pub fn reversal(&self) -> Option<&ReversalRule> {
        self.reversal.as_ref()
    }

    /// `[follow_up]`
    pub fn follow_up(&self) -> FollowUpRule {
        self.follow_up
    }

    /// `[network]`
    pub fn network(&self) -> &NetworkRule {
        &self.network
    }

    /// Mandatory fields of messages that are written need a source, and amounts a place.
    fn lint(&self, faults: &mut Faults) {
        let amount = self.fields.holder_of(Atom::Amount);
        if let (Some(de), Some(rule)) = (amount, &self.reversal)
            && !rule.fields.contains(de)
        {
            let why = format!("F{de} carries the amount and is missing");
            faults.add("reversal.fields", &why);
        }
        for entry in self.messages.entries() {
            if !entry.partial().is_empty() && !self.fields.has(Atom::OriginalAmount) {
                let key = format!("messages.{}.partial", entry.name);
                faults.add(&key, "needs a field of [canonical] with original-amount");
            }
        }
        for (index, entry) in self.messages.entries().iter().enumerate() {
            for answer in [false, true] {
                let need = self.presence.of(index, answer);
                for de in need.must.iter().filter(|_| entry.writes(answer)) {
                    if !self.has_source(entry, de, answer) {
                        let leg = if answer { "answer" } else { "request" };
                        faults.add(
                            &format!("presence.{}.{leg}", entry.name),
                            &format!(
                                "F{de} is mandatory, but nothing fills it: map it in [canonical], \
                                 carry it, give it a default, or set it in [messages]"
                            ),
                        );
                    }
                }
            }
        }
    }

    fn has_source(&self, entry: &Entry, de: u8, answer: bool) -> bool {
        self.fields.link(de).is_some()
            || self.fields.carry(answer).contains(de)
            || self.fields.default_of(de, None).is_some()
            || entry.literals().any(|l| l.de == de)
            || self.mac.as_ref().is_some_and(|mac| mac.field == de)
    }
}

/// What `[fields]` states, but could not be compiled.
fn unread(file: &Table, elements: &FieldTable) -> FieldSet {
    let section = |name: &str| file.get(name).and_then(Value::as_table);
    let bitmaps = section("encoding").and_then(|e| e.get("bitmaps")).and_then(Value::as_integer);
    let last = bitmaps.unwrap_or(2).saturating_mul(64);
    let only = file.get("only").and_then(Value::as_array);
    let stated = |de: &u8| {
        let value = section("fields").and_then(|f| f.get(&de.to_string()));
        value.is_some_and(|v| v.as_bool() != Some(false))
            && i64::from(*de) <= last
            && only.is_none_or(|only| only.contains(&Value::Integer((*de).into())))
    };
    (2..=DE_MAX).filter(|de| elements.get(*de).is_none()).filter(stated).collect()
}

/// The defects found so far.
#[derive(Debug, Default)]
pub(super) struct Faults {
    found: Vec<DialectError>,
    /// Data elements whose definition is at fault itself: one error is enough.
    unread: FieldSet,
}

impl Faults {
    fn add(&mut self, key: &str, why: &str) {
        self.found.push(DialectError::new(key, why));
    }

    /// Every MTI begins with the version that the dialect insists on.
    fn check_version(&mut self, messages: &Table, version: Option<i64>) {
        for (name, entry) in messages {
            let mti = entry.get("mti").and_then(Value::as_str);
            let first = mti.and_then(|m| m.get(..1)?.parse::<i64>().ok());
            if first.is_some() && version.is_some() && first != version {
                self.add(&format!("messages.{name}.mti"), "begins with another version's digit");
            }
        }
    }

    /// Takes a section or value whose keys are closed; unknown keys are a fault.
    fn typed<T: serde::de::DeserializeOwned>(&mut self, key: &str, value: Value) -> Option<T> {
        value.try_into().map_err(|error: toml::de::Error| self.add(key, error.message())).ok()
    }

    /// A data element that the dialect has.
    fn known(&mut self, key: &str, de: u8, shape: &impl Fn(u8) -> Option<Shape>) -> Option<Shape> {
        let found = shape(de);
        if found.is_none() && !self.unread.contains(de) {
            self.add(key, &format!("F{de} is not a field of this dialect"));
        }
        found
    }

    /// A list of data elements that the dialect has.
    fn known_set(
        &mut self,
        key: &str,
        des: &[u8],
        shape: &impl Fn(u8) -> Option<Shape>,
    ) -> FieldSet {
        des.iter().copied().filter(|de| self.known(key, *de, shape).is_some()).collect()
    }
}
