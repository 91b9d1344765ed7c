//! A dialect as a page of Markdown, generated from what was compiled.
//!
//! Contract: everything the codec does with a field is in its row, so the page and the behaviour
//! cannot differ. Deliberately absent: what messages mean (the rules of the dialect).

use super::dialect::Dialect;
use super::field::{Field, SECRETS};
use super::inside::{Inside, Shape};
use super::plan::{LengthCoding, Side, Unit};
use std::fmt::Write;

/// The page of a dialect.
pub fn page(dialect: &Dialect) -> String {
    let mut out = format!("# {}\n\n{}\n\n", dialect.name(), dialect.title());
    let bitmap = dialect.bitmap;
    let (mti, coding) = (dialect.mti.as_str(), bitmap.encoding.as_str());
    let _ =
        writeln!(out, "MTI in {mti}; {coding} bitmaps, data elements up to {}.", bitmap.most * 64);
    if let Some(header) = dialect.header() {
        let optional = if header.optional { "An optional" } else { "A" };
        let _ = writeln!(out, "\n## Header\n\n{optional} header before the MTI.\n");
        heads(&mut out, "");
        row(&mut out, "header", &header.field);
        parts(&mut out, "", header.field.inside());
    }
    out.push_str("\n## Data elements\n\n");
    heads(&mut out, "DE");
    for (de, field) in dialect.fields().iter() {
        row(&mut out, &de.to_string(), field);
        parts(&mut out, &format!("{de}."), field.inside());
    }
    out
}

fn heads(out: &mut String, first: &str) {
    let _ = writeln!(out, "| {first} | name | format | coding | length | padding | shown |");
    out.push_str("|---|---|---|---|---|---|---|\n");
}

fn row(out: &mut String, key: &str, field: &Field) {
    let secret = SECRETS.iter().find(|(_, s)| *s == field.secret());
    let shown = match secret.map(|(name, _)| *name) {
        Some("none") => "yes",
        Some(name) => name,
        None => "no",
    };
    let (name, format, coding) = (field.name(), field.format(), field.plan.encoding.as_str());
    let (length, padding) = (length(field), padding(field));
    let _ = writeln!(
        out,
        "| {key} | {name} | `{format}` | {coding} | {length} | {padding} | {shown} |"
    );
}

fn parts(out: &mut String, above: &str, inside: Option<&Inside>) {
    let Some(inside) = inside else { return };
    for part in inside.parts() {
        let optional = if part.is_optional() { " (optional)" } else { "" };
        let key = match inside.shape {
            Shape::Positional => format!("{above}·{optional}"),
            _ => format!("{above}{}", part.key()),
        };
        row(out, &key, part.field());
        parts(out, &format!("{above}{}.", part.key()), part.field().inside());
    }
}

fn length(field: &Field) -> String {
    let plan = &field.plan;
    let coding = match plan.prefix.coding {
        LengthCoding::Fixed => return "fixed".to_owned(),
        LengthCoding::Rest => return "the rest".to_owned(),
        LengthCoding::Ascii => "ascii",
        LengthCoding::Ebcdic => "ebcdic",
        LengthCoding::Bcd => "bcd",
        LengthCoding::Binary => "binary",
        LengthCoding::Hex => "hex",
    };
    let unit = match plan.unit {
        Unit::Digits => "digits",
        Unit::Bytes => "bytes",
        Unit::Nibbles => "nibbles",
    };
    let itself = if plan.includes_itself { ", itself included" } else { "" };
    format!("{coding}, {} byte(s), counts {unit}{itself}", plan.prefix.bytes)
}

fn padding(field: &Field) -> String {
    let plan = &field.plan;
    if plan.encoding != super::coding::Encoding::Bcd {
        return String::new();
    }
    let side = if plan.side == Side::Left { "left" } else { "right" };
    format!("{:X} {side}", plan.nibble)
}
