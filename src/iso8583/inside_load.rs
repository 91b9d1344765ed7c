//! From the `inside` table of a dialect file to an inner structure.
//!
//! Contract: reads `kind` and what belongs to it; parts of a text field are text unless they say
//! otherwise, parts of a `b` field are coded as the dialect codes fields, and BER-TLV values as
//! EMV codes them (`n` packed). Every error is collected. Deliberately absent: reading messages.

use super::charset::Class;
use super::coding::{Encoding, hex_text, parse_hex};
use super::dialect_fields::{self, Defaults, ENCODINGS, LENGTHS, SIDES, UNITS, as_table};
use super::dialect_text::Keys;
use super::field::Secret;
use super::inside::{Inside, Part, Shape, TagCoding, Unknown, tagged_plan};
use super::length_prefix::{LengthCoding, Prefix};
use super::plan::Plan;
use super::quick_inside::TagIndex;
use super::tlv;
use toml::{Table, Value};

#[derive(Clone, Copy, PartialEq)]
enum KindName {
    Positional,
    Tlv,
    BerTlv,
    Bitmapped,
}

const KINDS: [(&str, KindName); 4] = [
    ("positional", KindName::Positional),
    ("tlv", KindName::Tlv),
    ("ber-tlv", KindName::BerTlv),
    ("bitmapped", KindName::Bitmapped),
];

const UNKNOWNS: [(&str, Unknown); 3] =
    [("reject", Unknown::Reject), ("skip", Unknown::Skip), ("keep", Unknown::Keep)];

/// Reads an `inside` table.
pub(crate) fn inside(
    keys: &mut Keys<'_>,
    outer: &Plan,
    defaults: &Defaults,
    depth: usize,
) -> Option<Inside> {
    let kind = keys.choice("kind", &KINDS);
    if keys.peek("kind").is_none() {
        keys.refuse("kind", "expected positional, tlv, ber-tlv or bitmapped");
    }
    let kind = kind?;
    let mut defaults = if outer.class == Class::B { *defaults } else { Defaults::TEXT };
    if kind == KindName::BerTlv {
        defaults.numeric = Encoding::Bcd;
        defaults.text = Encoding::Ascii;
        defaults.binary = Encoding::Raw;
    }
    if let Some(table) = keys.table("encoding") {
        let mut inner = Keys::new(table, keys.path("encoding"), keys.errors());
        overrides(&mut inner, &mut defaults);
        inner.finish();
    }
    let shape = shape(keys, kind, outer)?;
    let mut inside = Inside {
        unknown: keys.choice("unknown", &UNKNOWNS).unwrap_or(Unknown::Keep),
        repeats: keys.flag("repeats").unwrap_or(true),
        lazy: keys.flag("lazy").unwrap_or(false),
        shape,
        parts: Vec::new(),
        tags: TagIndex::default(),
    };
    match kind {
        KindName::Positional => {
            positional(keys, &mut inside, &defaults, depth);
            check_cover(keys, &inside, outer);
        }
        _ => keyed(keys, kind, &mut inside, &defaults, depth),
    }
    inside.tags = TagIndex::of(&inside.parts);
    show(keys, &mut inside);
    Some(inside)
}

/// The keys of `[encoding]` that fields inherit.
pub(crate) fn overrides(keys: &mut Keys<'_>, defaults: &mut Defaults) {
    let set = |to: &mut Encoding, new: Option<Encoding>| *to = new.unwrap_or(*to);
    set(&mut defaults.numeric, keys.choice("numeric", &ENCODINGS));
    set(&mut defaults.text, keys.choice("text", &ENCODINGS));
    set(&mut defaults.track, keys.choice("track", &ENCODINGS));
    set(&mut defaults.binary, keys.choice("binary", &ENCODINGS));
    defaults.length = keys.choice("length", &LENGTHS).unwrap_or(defaults.length);
    defaults.bcd_counts = keys.choice("bcd_counts", &UNITS).unwrap_or(defaults.bcd_counts);
    defaults.pad = keys.choice("pad", &SIDES).unwrap_or(defaults.pad);
    defaults.pad_variable = keys.choice("pad_variable", &SIDES).unwrap_or(defaults.pad_variable);
    defaults.pad_nibble = dialect_fields::pad_nibble(keys).unwrap_or(defaults.pad_nibble);
    defaults.sign = keys.choice("sign", &dialect_fields::SIGNS).unwrap_or(defaults.sign);
}

fn shape(keys: &mut Keys<'_>, kind: KindName, outer: &Plan) -> Option<Shape> {
    match kind {
        KindName::Positional => Some(Shape::Positional),
        KindName::BerTlv if outer.class != Class::B => {
            keys.refuse("kind", "ber-tlv needs a `b` field: its tags are bytes");
            None
        }
        KindName::BerTlv => Some(Shape::BerTlv),
        KindName::Tlv => plain_tlv(keys, outer),
        KindName::Bitmapped => {
            let usual = outer.class != Class::B;
            let hex = keys.choice("bitmap", &[("binary", false), ("hex", true)]).unwrap_or(usual);
            let bits = usize::from(keys.count("bits", 128).unwrap_or(64));
            if bits == 0 || bits % 8 != 0 {
                keys.refuse("bits", "expected 8 to 128 in eights");
            }
            Some(Shape::Bitmapped { hex, bits })
        }
    }
}

fn plain_tlv(keys: &mut Keys<'_>, outer: &Plan) -> Option<Shape> {
    let text = outer.class != Class::B;
    let (mut tag, mut tag_bytes) = (if text { TagCoding::Text } else { TagCoding::Hex }, 2);
    if let Some(table) = keys.table("tag") {
        let mut inner = Keys::new(table, keys.path("tag"), keys.errors());
        tag_bytes = usize::from(inner.count("bytes", 8).unwrap_or(2)).max(1);
        let codings =
            [("text", TagCoding::Text), ("decimal", TagCoding::Text), ("hex", TagCoding::Hex)];
        tag = inner.choice("coding", &codings).unwrap_or(tag);
        inner.finish();
    }
    let mut length = Prefix {
        coding: if text { LengthCoding::Ascii } else { LengthCoding::Binary },
        bytes: if text { 3 } else { 1 },
    };
    let mut includes_itself = false;
    if let Some(table) = keys.table("length") {
        let mut inner = Keys::new(table, keys.path("length"), keys.errors());
        length.bytes = inner.count("bytes", 6).map_or(length.bytes, |b| (b as u8).max(1));
        length.coding = inner.choice("coding", &LENGTHS).unwrap_or(length.coding);
        includes_itself = inner.flag("includes_itself").unwrap_or(false);
        inner.finish();
    }
    Some(Shape::Tlv { tag, tag_bytes, length, includes_itself })
}

fn positional(keys: &mut Keys<'_>, inside: &mut Inside, defaults: &Defaults, depth: usize) {
    let list = keys.list("parts").unwrap_or_default();
    if list.is_empty() {
        keys.refuse("parts", "expected at least one part");
    }
    for (index, value) in list.iter().enumerate() {
        let key = format!("parts.{index}");
        let Some(table) = as_table(value) else {
            keys.refuse(&key, "expected a table with name and format");
            continue;
        };
        if let Some(part) = part(keys, &key, None, &table, defaults, depth) {
            check_positional(keys, &key, inside, &part);
            inside.parts.push(part);
        }
    }
}

fn check_positional(keys: &Keys<'_>, key: &str, inside: &Inside, part: &Part) {
    if part.key.is_empty() {
        keys.refuse(key, "a positional part needs a name");
    } else if inside.parts.iter().any(|p| p.key == part.key) {
        keys.refuse(key, format!("two parts are called `{}`", part.key));
    }
    let last = inside.parts.last();
    if last.is_some_and(|l| l.optional && !part.optional) {
        keys.refuse(key, "a mandatory part cannot follow an optional one");
    }
    if last.is_some_and(|l| l.field.plan.prefix.coding == LengthCoding::Rest) {
        keys.refuse(key, "nothing can follow a part that takes the rest");
    }
}

/// Positional parts take up a fixed field from its first character to its last: a gap behind them
/// could never be read. In no field can they reach beyond its end.
fn check_cover(keys: &Keys<'_>, inside: &Inside, outer: &Plan) {
    let (mut least, mut most) = (0, 0);
    for part in &inside.parts {
        let plan = &part.field.plan;
        if plan.prefix.coding == LengthCoding::Rest {
            most = usize::from(outer.max).max(most);
            continue;
        }
        let prefix = usize::from(plan.prefix.bytes);
        most += prefix + plan.wire_bytes(usize::from(plan.max));
        if !part.optional {
            least += prefix + plan.wire_bytes(usize::from(plan.min));
        }
    }
    let has = usize::from(outer.max);
    if least > has {
        keys.refuse(
            "parts",
            format!("they overlap the end: {least} at least, the field has {has}"),
        );
    } else if most < has && outer.is_fixed() {
        keys.refuse("parts", format!("they leave a gap: {most} at most, the field has {has}"));
    }
}

/// What a TLV's length can say.
fn check_length(inside: &Inside, plan: &Plan) -> Result<(), String> {
    let Shape::Tlv { length, includes_itself, .. } = inside.shape else { return Ok(()) };
    if plan.prefix.coding == LengthCoding::Rest {
        return Ok(());
    }
    let own = if includes_itself { usize::from(length.bytes) } else { 0 };
    let (needed, most) =
        (plan.wire_bytes(usize::from(plan.max)) + own, dialect_fields::most(length));
    let why = || format!("the length of a tag says at most {most}, needed is {needed}");
    if needed > most { Err(why()) } else { Ok(()) }
}

fn keyed(
    keys: &mut Keys<'_>,
    kind: KindName,
    inside: &mut Inside,
    defaults: &Defaults,
    depth: usize,
) {
    let word = if kind == KindName::Bitmapped { "parts" } else { "tags" };
    let Some(table) = keys.table(word) else { return };
    for (name, value) in table {
        let key = format!("{word}.{name}");
        let Some(table) = as_table(value) else {
            if value.as_bool() != Some(false) {
                keys.refuse(&key, "expected a table, a format, or false to take it away");
            }
            continue;
        };
        let Some(mut part) = part(keys, &key, Some(name), &table, defaults, depth) else {
            continue;
        };
        match place(inside, kind, name, &mut part) {
            Ok(()) => inside.parts.push(part),
            Err(reason) => keys.refuse(&key, reason),
        }
    }
    inside.parts.sort_by_key(|p| p.bit);
}

/// Gives a part its tag or bit.
fn place(inside: &Inside, kind: KindName, name: &str, part: &mut Part) -> Result<(), String> {
    if let (KindName::Bitmapped, Shape::Bitmapped { bits, .. }) = (kind, &inside.shape) {
        part.bit = name.parse().unwrap_or(0);
        if inside.parts.iter().any(|p| p.bit == part.bit) {
            return Err(format!("bit {} is defined twice", part.bit));
        }
        let good = (1..=*bits).contains(&part.bit);
        return if good { Ok(()) } else { Err(format!("expected a bit of 1 to {bits}")) };
    }
    part.tag = inside.tag_from_key(name).ok_or_else(|| format!("`{name}` is no tag here"))?;
    if kind == KindName::BerTlv {
        part.key = hex_text(&parse_hex(name).unwrap_or_default());
        debug_assert!(tlv::tag_length(&part.tag).is_some());
    }
    check_length(inside, &part.field.plan)?;
    part.field.plan = tagged_plan(part.field.plan);
    let twice = inside.parts.iter().any(|p| p.tag == part.tag);
    if twice { Err(format!("tag {name} is defined twice")) } else { Ok(()) }
}

fn part(
    keys: &Keys<'_>,
    path: &str,
    key: Option<&str>,
    table: &Table,
    defaults: &Defaults,
    depth: usize,
) -> Option<Part> {
    let mut inner = Keys::new(table, keys.path(path), keys.errors());
    let optional = inner.flag("optional").unwrap_or(false);
    let field = dialect_fields::field(&mut inner, defaults, depth);
    inner.finish();
    let field = field?;
    let key = key.map_or_else(|| field.name.clone(), str::to_owned);
    Some(Part { key, tag: Vec::new(), bit: 0, optional, field })
}

/// `show = ["9F02", …]` or `show = "all"`: parts that are no secret.
fn show(keys: &mut Keys<'_>, inside: &mut Inside) {
    if keys.peek("show").is_some_and(Value::is_str) {
        if keys.choice("show", &[("all", ())]).is_some() {
            inside.parts.iter_mut().for_each(reveal);
        }
        return;
    }
    for value in keys.list("show").unwrap_or_default() {
        let name = value.as_str().unwrap_or_default();
        match inside.parts.iter_mut().find(|p| p.key == name) {
            Some(part) => reveal(part),
            None => keys.refuse("show", format!("there is no part {value} here")),
        }
    }
}

fn reveal(part: &mut Part) {
    if part.field.secret == Secret::Unstated {
        part.field.secret = Secret::None;
    }
}
