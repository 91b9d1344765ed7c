//! `[mac]`: which messages carry a MAC, where, over what and how; and sealing and checking it.
//!
//! Contract: the MAC stands in DE 64 or 128, the last field of its message; it covers the bytes
//! from the MTI to the field before it, bitmap included with the MAC's own bit set, never a TPDU
//! or header; or the values of some fields with a separator between them. A field behind the MAC
//! makes it wrong. Deliberately absent: arithmetic ([`crate::crypto`]), where keys come from.

use super::{Faults, FieldSet, Messages, Shape};
use crate::crypto::{MacKey, MacStatement};
use crate::iso8583::{Dialect, Message, Mti, PackError, Packed, pack_field};
use crate::meaning::MacCheck;
use serde::Deserialize;
use toml::{Table, Value};

/// What the MAC covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MacScope {
    /// The message from the MTI to the field before the MAC.
    Message,
    /// The values of these fields, ascending, with this between them.
    Fields(FieldSet, Box<[u8]>),
}

/// The compiled section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacRule {
    /// How it is computed and written; a line's key may be bound to another statement.
    pub statement: MacStatement,
    /// DE 64 or 128.
    pub field: u8,
    /// Bytes of that field; a shorter MAC is followed by zeros.
    pub width: usize,
    /// What it covers.
    pub scope: MacScope,
    required: Vec<[u8; 4]>,
    optional: Vec<[u8; 4]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MacText {
    statement: MacStatement,
    field: u8,
    messages: Vec<String>,
    #[serde(default)]
    optional: Vec<String>,
    fields: Option<Vec<u8>>,
    #[serde(default)]
    separator: String,
}

impl MacRule {
    pub(super) fn compile(
        section: &Table,
        messages: &Messages,
        shape: &impl Fn(u8) -> Option<Shape>,
        faults: &mut Faults,
    ) -> Option<Self> {
        if section.is_empty() {
            return None;
        }
        let text: MacText = faults.typed("mac", Value::Table(section.clone()))?;
        if text.field != 64 && text.field != 128 {
            faults.add("mac.field", "expected 64 or 128");
        }
        let width = faults.known("mac.field", text.field, shape)?.max;
        let bytes = text.statement.field_bytes();
        if bytes > width {
            faults.add("mac.field", &format!("a MAC of {bytes} bytes does not fit {width}"));
        }
        let scope = text.fields.map_or(MacScope::Message, |des| {
            let set = faults.known_set("mac.fields", &des, shape);
            if set.contains(text.field) {
                faults.add("mac.fields", "the MAC cannot cover itself");
            }
            MacScope::Fields(set, text.separator.as_bytes().into())
        });
        Some(Self {
            statement: text.statement,
            field: text.field,
            width,
            scope,
            required: masks("mac.messages", &text.messages, messages, faults),
            optional: masks("mac.optional", &text.optional, messages, faults),
        })
    }

    /// Whether messages of this type carry a MAC.
    pub fn requires(&self, mti: Mti) -> bool {
        self.required.iter().any(|mask| fits(mask, mti))
    }

    /// Whether a MAC on messages of this type is checked when it is there.
    fn accepts(&self, mti: Mti) -> bool {
        self.optional.iter().any(|mask| fits(mask, mti))
    }
}

fn fits(mask: &[u8; 4], mti: Mti) -> bool {
    mask.iter().zip(mti.as_bytes()).all(|(m, c)| *m == b'x' || m == c)
}

fn masks(key: &str, words: &[String], messages: &Messages, faults: &mut Faults) -> Vec<[u8; 4]> {
    let mut masks = Vec::new();
    let reached = |mask: &[u8; 4]| {
        messages.entries().iter().any(|entry| {
            let legs = [entry.mti, entry.mti.response()];
            legs.into_iter().any(|mti| fits(mask, mti) || fits(mask, mti.as_repeat()))
        })
    };
    for word in words {
        match <[u8; 4]>::try_from(word.as_bytes()) {
            Ok(mask) if mask.iter().all(|c| matches!(c, b'0'..=b'9' | b'x')) => {
                if !reached(&mask) {
                    faults.add(key, &format!("{word:?} is the MTI of no entry of [messages]"));
                }
                masks.push(mask);
            }
            _ => faults.add(key, &format!("{word:?} is no MTI, x for any digit")),
        }
    }
    masks
}

/// Puts the MAC into a packed message that has a place for it (`canonical::write` leaves one).
/// Messages without that field are left as they are. `packed` is what `pack` said of `frame`.
///
/// # Errors
/// [`PackError`] when the MAC does not suit its field, or is not the last field.
pub fn seal(
    dialect: &Dialect,
    key: &MacKey,
    message: &mut Message,
    packed: &Packed,
    frame: &mut Vec<u8>,
) -> Result<(), PackError> {
    let Some(rule) = dialect.rules().mac().filter(|rule| message.has(rule.field)) else {
        return Ok(());
    };
    let refuse = |expected: &str, got: &str| PackError {
        path: rule.field.to_string(),
        name: crate::iso8583::error::name_of(dialect.field(rule.field)),
        expected: expected.to_owned(),
        got: got.to_owned(),
    };
    if packed.last != rule.field {
        return Err(refuse("the MAC as the last field", "fields behind it"));
    }
    let mac = match &rule.scope {
        MacScope::Message => key.mac(frame.get(packed.before_last()).unwrap_or_default()),
        MacScope::Fields(fields, separator) => key.mac(&values(*fields, separator, message)),
    };
    let mut field = [0; MAC_MAX];
    let place = field.get_mut(..mac.as_bytes().len());
    place.ok_or_else(|| refuse("a shorter MAC", "a longer one"))?.copy_from_slice(mac.as_bytes());
    let value = field.get(..rule.width.max(mac.as_bytes().len())).unwrap_or_default();
    message.set(rule.field, value).map_err(|_| refuse("room for the MAC", "a full message"))?;
    frame.truncate(packed.last_start);
    pack_field(dialect, message, rule.field, frame)
}

/// The widest MAC field: 16 bytes as hexadecimal text.
const MAC_MAX: usize = 32;

/// Whether the MAC of a message is right under any of these keys; without keys none is. The
/// message must still hold the frame it came from.
pub fn check<'k>(
    dialect: &Dialect,
    keys: impl IntoIterator<Item = &'k MacKey>,
    message: &Message,
) -> MacCheck {
    let Some(rule) = dialect.rules().mac() else { return MacCheck::NotRequired };
    let required = rule.requires(message.mti());
    let Some(value) = message.get(rule.field) else {
        return if required { MacCheck::Missing } else { MacCheck::NotRequired };
    };
    if !required && !rule.accepts(message.mti()) {
        return MacCheck::NotRequired;
    }
    let mut keys = keys.into_iter();
    let right = keys.any(|key| verify(rule, key, message, value).is_some());
    if right { MacCheck::Good } else { MacCheck::Bad }
}

fn verify(rule: &MacRule, key: &MacKey, message: &Message, value: &[u8]) -> Option<()> {
    if message.fields().last() != Some(rule.field) {
        return None;
    }
    let (mac, rest) = value.split_at_checked(key.statement().field_bytes())?;
    if rest.iter().any(|b| *b != 0) {
        return None;
    }
    match &rule.scope {
        MacScope::Message => {
            let mti = message.header().map_or(0, <[u8]>::len);
            let data = message.frame().get(mti..message.raw_span(rule.field)?.start)?;
            key.verify(data, mac).ok()
        }
        MacScope::Fields(fields, separator) => {
            key.verify(&values(*fields, separator, message), mac).ok()
        }
    }
}

/// The values of the fields that are there.
fn values(fields: FieldSet, separator: &[u8], message: &Message) -> Vec<u8> {
    let there: Vec<&[u8]> = fields.iter().filter_map(|de| message.get(de)).collect();
    there.join(separator)
}
