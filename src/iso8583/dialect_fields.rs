//! From the tables of a dialect file to fields, parts and inner structures.
//!
//! Contract: [`field`] reads one data element or part with the dialect's [`Defaults`]; every error
//! is collected, and what cannot work on the wire is refused here: lengths that the prefix cannot
//! express, codings that do not suit the class. Deliberately absent: the dialect as a whole
//! ([`super::dialect_load`]).

use super::charset::Class;
use super::coding::{self, Encoding};
use super::dialect_text::Keys;
use super::field::{Field, SECRETS, Secret};
use super::inside::DEPTH_MAX;
use super::inside_load;
use super::length_prefix::{LengthCoding, Prefix};
use super::notation::{self, Length, Notation};
use super::plan::{Plan, Side, Sign, Unit};
use super::validate::{RULES, Rule};
use toml::{Table, Value};

/// What `[encoding]` says for every field that says nothing else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    pub(crate) numeric: Encoding,
    pub(crate) text: Encoding,
    pub(crate) track: Encoding,
    pub(crate) binary: Encoding,
    pub(crate) length: LengthCoding,
    pub(crate) bcd_counts: Unit,
    pub(crate) pad: Side,
    /// Pad side of variable-length packed values.
    pub(crate) pad_variable: Side,
    pub(crate) pad_nibble: u8,
    pub(crate) sign: Sign,
}

impl Defaults {
    /// Everything as text: what the inside of a text field starts from.
    pub(crate) const TEXT: Self = Self {
        numeric: Encoding::Ascii,
        text: Encoding::Ascii,
        track: Encoding::Ascii,
        binary: Encoding::Hex,
        length: LengthCoding::Ascii,
        bcd_counts: Unit::Digits,
        pad: Side::Left,
        pad_variable: Side::Left,
        pad_nibble: 0,
        sign: Sign::Byte,
    };
}

pub(crate) const ENCODINGS: [(&str, Encoding); 10] = [
    ("ascii", Encoding::Ascii),
    ("ebcdic", Encoding::Cp037),
    ("cp037", Encoding::Cp037),
    ("cp1047", Encoding::Cp1047),
    ("bcd", Encoding::Bcd),
    ("packed", Encoding::Bcd),
    ("binary", Encoding::Raw),
    ("hex", Encoding::Hex),
    ("hex-lower", Encoding::HexLower),
    ("ebcdic-hex", Encoding::EbcdicHex),
];

pub(crate) const LENGTHS: [(&str, LengthCoding); 5] = [
    ("ascii", LengthCoding::Ascii),
    ("ebcdic", LengthCoding::Ebcdic),
    ("bcd", LengthCoding::Bcd),
    ("binary", LengthCoding::Binary),
    ("hex", LengthCoding::Hex),
];

pub(crate) const UNITS: [(&str, Unit); 3] =
    [("digits", Unit::Digits), ("bytes", Unit::Bytes), ("nibbles", Unit::Nibbles)];

pub(crate) const SIDES: [(&str, Side); 2] = [("left", Side::Left), ("right", Side::Right)];

pub(crate) const SIGNS: [(&str, Sign); 3] =
    [("byte", Sign::Byte), ("leading-nibble", Sign::Leading), ("trailing-nibble", Sign::Trailing)];

/// Reads the keys that data elements and parts have in common.
pub(crate) fn field(keys: &mut Keys<'_>, defaults: &Defaults, depth: usize) -> Option<Field> {
    let name = keys.text("name").unwrap_or_default().to_owned();
    let format = keys.text("format");
    let secret = keys.choice("secret", &SECRETS).unwrap_or(Secret::Unstated);
    let currency = keys.count("currency", 192).map(|de| de as u8);
    let plan = match format.map(notation::parse) {
        Some(Ok(notation)) => Some(plan(keys, &notation, defaults)),
        Some(Err(reason)) => {
            keys.refuse("format", reason);
            None
        }
        None => {
            keys.refuse("format", "missing: every field has a format, e.g. \"n12\"");
            None
        }
    };
    let constant = keys.text("value");
    let inside = keys.table_or_false("inside");
    let mut plan = plan?;
    let constant = constant.map(|text| match plan.class {
        Class::B => coding::parse_hex(text).unwrap_or_default(),
        _ => text.as_bytes().to_vec(),
    });
    if constant.as_ref().is_some_and(|c| plan.write(c, &mut Vec::new()).is_err()) {
        keys.refuse("value", "this constant does not suit the format");
    }
    let inside = inside.filter(|_| allowed_depth(keys, depth)).and_then(|table| {
        let mut inner = Keys::new(table, keys.path("inside"), keys.errors());
        let inside = inside_load::inside(&mut inner, &plan, defaults, depth + 1);
        inner.finish();
        inside
    });
    plan.composite = inside.as_ref().is_some_and(|i| !i.lazy);
    let format = format.unwrap_or_default().to_owned();
    Some(Field { name, format, secret, currency, constant, plan, inside: inside.map(Box::new) })
}

fn allowed_depth(keys: &Keys<'_>, depth: usize) -> bool {
    if depth >= DEPTH_MAX {
        keys.refuse("inside", format!("nested deeper than {DEPTH_MAX}"));
    }
    depth < DEPTH_MAX
}

fn plan(keys: &mut Keys<'_>, notation: &Notation, defaults: &Defaults) -> Plan {
    let class = notation.class;
    let encoding = encoding(keys, class, defaults);
    let min = match notation.length {
        Length::Fixed => notation.max,
        _ => keys.count("min", notation.max).unwrap_or(0),
    };
    let prefix = prefix(keys, notation.length, defaults);
    let usual_unit = if encoding == Encoding::Bcd { defaults.bcd_counts } else { Unit::Bytes };
    let usual_side = match notation.length {
        Length::Fixed => defaults.pad,
        _ => defaults.pad_variable,
    };
    let plan = Plan {
        known: true,
        encoding,
        class,
        prefix,
        unit: keys.choice("length_counts", &UNITS).unwrap_or(usual_unit),
        includes_itself: keys.flag("length_includes_itself").unwrap_or(false),
        min,
        max: notation.max,
        side: keys.choice("pad", &SIDES).unwrap_or(usual_side),
        nibble: pad_nibble(keys).unwrap_or(defaults.pad_nibble),
        any_pad: keys.choice("accept_pad", &[("exact", false), ("any", true)]).unwrap_or(false),
        sign: keys.choice("sign", &SIGNS).unwrap_or(defaults.sign),
        fill: keys.one("pad_char").unwrap_or(b' '),
        rule: keys.choice("validate", &RULES).unwrap_or(Rule::None),
        composite: false,
    };
    refuse_too_long(keys, &plan);
    plan
}

/// The dialect's coding for a class, or the field's own.
fn encoding(keys: &mut Keys<'_>, class: Class, defaults: &Defaults) -> Encoding {
    let usual = match class {
        Class::N | Class::Xn => defaults.numeric,
        Class::Z => defaults.track,
        Class::B => defaults.binary,
        _ => defaults.text,
    };
    let chosen = keys.choice("encoding", &ENCODINGS).unwrap_or(usual);
    let suits = match chosen {
        Encoding::Ascii | Encoding::Cp037 | Encoding::Cp1047 => class != Class::B,
        Encoding::Bcd => matches!(class, Class::N | Class::Z | Class::Xn),
        Encoding::Raw | Encoding::Hex | Encoding::HexLower | Encoding::EbcdicHex => {
            class == Class::B
        }
    };
    if !suits {
        let (coding, class) = (chosen.as_str(), class.as_str());
        keys.refuse("encoding", format!("{coding} cannot carry {class}"));
    }
    chosen
}

/// A hex digit, as text or number.
pub(crate) fn pad_nibble(keys: &mut Keys<'_>) -> Option<u8> {
    let c = keys.one("pad_nibble")?;
    let digit = char::from(c).to_digit(16).map(|d| d as u8);
    if digit.is_none() {
        keys.refuse("pad_nibble", "expected a hex digit");
    }
    digit
}

fn prefix(keys: &mut Keys<'_>, length: Length, defaults: &Defaults) -> Prefix {
    let coding = keys.choice("length", &LENGTHS).unwrap_or(defaults.length);
    let digits = match length {
        Length::Fixed => return Prefix { coding: LengthCoding::Fixed, bytes: 0 },
        Length::Rest => return Prefix { coding: LengthCoding::Rest, bytes: 0 },
        Length::Prefixed(digits) => digits,
    };
    let usual = match coding {
        LengthCoding::Bcd => digits.div_ceil(2),
        LengthCoding::Binary => match digits {
            1 | 2 => 1,
            3 | 4 => 2,
            _ => 3,
        },
        _ => digits,
    };
    let bytes = keys.count("length_bytes", 6).map_or(usual, |b| (b as u8).max(1));
    Prefix { coding, bytes }
}

/// The most a prefix can say.
pub(crate) fn most(prefix: Prefix) -> usize {
    let base: usize = match prefix.coding {
        LengthCoding::Ascii | LengthCoding::Ebcdic => 10,
        LengthCoding::Bcd => 100,
        LengthCoding::Binary => 256,
        LengthCoding::Hex => 16,
        LengthCoding::Fixed | LengthCoding::Rest => return usize::MAX,
    };
    base.saturating_pow(u32::from(prefix.bytes)) - 1
}

fn refuse_too_long(keys: &Keys<'_>, plan: &Plan) {
    if plan.prefix.bytes == 0 {
        return;
    }
    let (chars, bytes) = (usize::from(plan.max), plan.wire_bytes(usize::from(plan.max)));
    let count = match plan.unit {
        Unit::Digits => chars,
        Unit::Bytes => bytes,
        Unit::Nibbles if plan.encoding == Encoding::Bcd => chars,
        Unit::Nibbles => 2 * bytes,
    };
    let count = count + if plan.includes_itself { usize::from(plan.prefix.bytes) } else { 0 };
    let most = most(plan.prefix);
    if count > most {
        keys.refuse("format", format!("the length prefix says at most {most}, needed is {count}"));
    }
}

/// An entry of `[fields]` or `parts`: a table, or text that is its format.
pub(crate) fn as_table(value: &Value) -> Option<Table> {
    match value {
        Value::Table(table) => Some(table.clone()),
        Value::String(_) => {
            let mut table = Table::new();
            table.insert("format".to_owned(), value.clone());
            Some(table)
        }
        _ => None,
    }
}
