//! A dialect as a page of Markdown, generated from what was compiled.
//!
//! Contract: everything the codec does with a field is in its row, so the page and the behaviour
//! cannot differ; then which messages there are, what response codes mean and what carries a MAC.
//! Deliberately absent: presence and the mapping to typed fields, which the dialect file says best.

use super::dialect::Dialect;
use super::field::{Field, SECRETS};
use super::header::Tpdu;
use super::inside::{Inside, Shape};
use super::length_prefix::LengthCoding;
use super::plan::{Side, Unit};
use super::rules::{Literal, Rules};
use crate::meaning::ResponseClass;
use crate::text::Text;
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
        let tpdu = match header.tpdu {
            Tpdu::Never => "",
            Tpdu::Optional => ", perhaps behind a TPDU",
            Tpdu::Required => ", behind a TPDU",
        };
        let lri = if header.lri { " and line information (`LRI`)" } else { "" };
        let _ = writeln!(out, "\n## Header\n\n{optional} header before the MTI{tpdu}{lri}.\n");
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
    if dialect.rules().translates() {
        meaning(&mut out, dialect.rules());
    }
    out
}

fn meaning(out: &mut String, rules: &Rules) {
    out.push_str("\n## Messages\n\n| message | MTI | answer | with |\n|---|---|---|---|\n");
    for entry in rules.messages().entries() {
        let with: Vec<String> = entry.literals().map(|one| literal(rules, one)).collect();
        let answer = match entry.flow.answer() {
            Some(_) => entry.mti.response().to_string(),
            None => String::new(),
        };
        let (name, mti, with) = (&entry.name, entry.mti, with.join(", "));
        let _ = writeln!(out, "| {name} | {mti} | {answer} | {with} |");
    }
    out.push_str("\n## Response codes\n\n| class | codes |\n|---|---|\n");
    for class in ResponseClass::ALL {
        let of_class = |(code, of): (Text<4>, ResponseClass)| (of == class).then_some(code);
        let codes: Vec<String> =
            rules.responses().iter().filter_map(of_class).map(|code| code.to_string()).collect();
        if !codes.is_empty() {
            let _ = writeln!(out, "| {} | {} |", class.word(), codes.join(" "));
        }
    }
    out.push_str(
        "\nA code that is not here proves nothing. [What the others prove](../codes.md).\n",
    );
    reversal_codes(out, rules);
    if let Some(mac) = rules.mac() {
        let (name, de) = (mac.statement.algorithm().name(), mac.field);
        let bytes = mac.statement.length();
        let _ = writeln!(out, "\n## MAC\n\n{name}, {bytes} bytes, in data element {de}.");
    }
}

/// What codes say in answers to reversals.
fn reversal_codes(out: &mut String, rules: &Rules) {
    let Some(reversal) = rules.reversal() else { return };
    let called: Vec<String> =
        reversal.codes().map(|(code, class)| format!("{code} {}", class.word())).collect();
    if !called.is_empty() {
        let _ = writeln!(out, "\nIn answers to reversals: {}.", called.join(", "));
    }
    let nothing: Vec<&str> = reversal.no_action().iter().map(Text::as_str).collect();
    if !nothing.is_empty() {
        let nothing = nothing.join(" ");
        let _ = writeln!(
            out,
            "\n{nothing} to a reversal: nothing was done; an end where a code that no list has was \
             reversed."
        );
    }
}

/// A value that tells a message from others, or is set in it: `3 = 00xxxx`, `60.type = 22`.
fn literal(rules: &Rules, one: &Literal) -> String {
    let part = one.part.and_then(|at| rules.fields().link(one.de)?.parts.get(usize::from(at)));
    let part = part.map_or_else(String::new, |part| format!(".{}", part.name));
    format!("{}{part} = `{}`", one.de, String::from_utf8_lossy(&one.mask))
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
