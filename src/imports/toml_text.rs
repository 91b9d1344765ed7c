//! A draft as the text of a dialect file.
//!
//! Contract: one line per data element, in order; what most fields have in common stands in
//! `[encoding]`, the rest at the field; every remark is a `check:` comment above its line, and a
//! field that is left out is a comment in its place. What may be shown and what is secret follows
//! the standard's numbering; private fields and composites stay masked. Deliberately absent:
//! cleverness – the text inherits no field and no coding.

use super::draft::{
    Coding, Counts, Draft, Entry, Kind, Left, Length, Part, Piece, Prefix, Side, Structure,
};
use super::toml_words::{clean, clean_part, file_name, name_of, quoted, quoted_key};
use super::usual::{Usual, word};
use super::{At, Remark};
use crate::iso8583::{Class, Dialect, Encoding, Field, Secret};
use std::fmt::Write;

/// Data elements whose content is private to the two sides: never shown by default.
fn is_private(number: u8) -> bool {
    matches!(number, 48 | 60..=63 | 104..=127)
}

/// The structure alone: a dialect that decodes and encodes.
pub(super) fn structure(draft: &Draft, base: &Dialect) -> String {
    written(draft, base, None)
}

/// Structure, and what the messages mean: `extends` a shipped dialect, whose `[encoding]` and
/// `[fields]` are replaced, and says `sections` over the rest.
pub(super) fn with_rules(draft: &Draft, base: &Dialect, sections: &str) -> String {
    written(draft, base, Some(sections))
}

fn written(draft: &Draft, base: &Dialect, sections: Option<&str>) -> String {
    let usual = Usual::of(draft);
    let mut out = String::new();
    top(&mut out, draft, base, sections.is_some());
    encoding(&mut out, draft, &usual, sections.is_some());
    if draft.header > 0 {
        let bits = 8 * draft.header;
        let _ = write!(out, "\n[header]\nformat = \"b{bits}\"\nencoding = \"binary\"\n");
    }
    out.push_str("\n[fields]\n");
    if sections.is_some() {
        out.push_str("replace = true\n");
    }
    for entry in &draft.fields {
        data_element(&mut out, draft, entry, base, &usual);
    }
    if let Some(sections) = sections.filter(|s| !s.is_empty()) {
        let _ = write!(out, "\n# -- What is different from {} --\n{sections}", base.name());
    }
    out
}

fn top(out: &mut String, draft: &Draft, base: &Dialect, extends: bool) {
    let file = file_name(&draft.file);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let _ = writeln!(out, "# Imported from the {} {}.", draft.origin, clean(file));
    out.push_str("# Lines with `check:` say what a person must look at.\n");
    for (at, note) in &draft.notes {
        comment(out, "", at, note);
    }
    let _ = writeln!(out, "name = {}", quoted(&name_of(stem)));
    let _ = writeln!(out, "title = {}", quoted(&clean(&draft.title)));
    if extends {
        out.push_str("# What the messages mean ([messages] and below) is that of the standard;\n");
        out.push_str("# header, encoding and fields are all here.\n");
        let _ = writeln!(out, "extends = {}", quoted(base.name()));
    }
    let shown: Vec<String> = draft
        .fields
        .iter()
        .filter(|entry| may_show(entry, base))
        .map(|entry| entry.number.to_string())
        .collect();
    let _ = writeln!(out, "# What people may see in clear; everything else is masked.");
    let _ = writeln!(out, "show = [");
    for line in shown.chunks(20) {
        let _ = writeln!(out, "    {},", line.join(", "));
    }
    out.push_str("]\n");
}

/// The standard shows it, and the name does not say that something else stands there.
fn may_show(entry: &Entry, base: &Dialect) -> bool {
    let plain = entry.what.as_ref().is_ok_and(|p| p.inside.is_none());
    let standard = base.field(entry.number).filter(|f| f.secret() == Secret::None);
    plain
        && !is_private(entry.number)
        && standard.is_some_and(|f| !sounds_secret(&entry.name, f.name()))
}

/// Words of the name that sound like card data and are not the standard's own.
fn sounds_secret(name: &str, standard: &str) -> bool {
    const WORDS: [&str; 13] = [
        "pan",
        "pin",
        "track",
        "cvv",
        "cvv2",
        "cvc",
        "cvc2",
        "csc",
        "password",
        "expiry",
        "expiration",
        "card",
        "account",
    ];
    let words = |text: &str| -> Vec<String> {
        let lower = text.to_lowercase();
        lower.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
    };
    let own = words(standard);
    let usual = own.iter().any(|w| w == "card" || w == "pin" || w == "acceptor");
    words(name).iter().any(|w| WORDS.contains(&w.as_str()) && !own.contains(w)) && !usual
}

fn encoding(out: &mut String, draft: &Draft, usual: &Usual, replace: bool) {
    out.push_str("\n[encoding]\n");
    if replace {
        out.push_str("replace = true\n");
    }
    let _ = writeln!(out, "mti = \"{}\"", draft.mti.as_str());
    let _ = writeln!(out, "bitmap = \"{}\"", draft.bitmap.as_str());
    let _ = writeln!(out, "bitmaps = {}", draft.bitmaps);
    if draft.third_at_65 {
        out.push_str("third_bitmap = \"field-65\"\n");
    }
    let codings = [
        ("numeric", usual.numeric),
        ("text", usual.text),
        ("track", usual.track),
        ("binary", usual.binary),
    ];
    for (key, encoding) in codings {
        let _ = writeln!(out, "{key} = \"{}\"", encoding.as_str());
    }
    let _ = writeln!(out, "length = \"{}\"", usual.length.word());
    let packed = [usual.numeric, usual.track].contains(&Encoding::Bcd);
    if packed || [usual.pad, usual.pad_variable].contains(&Side::Right) {
        let sides = [("pad", usual.pad), ("pad_variable", usual.pad_variable)];
        for (key, side) in sides {
            let _ = writeln!(out, "{key} = \"{}\"", word(side));
        }
    }
}

fn data_element(out: &mut String, draft: &Draft, entry: &Entry, base: &Dialect, usual: &Usual) {
    for note in &entry.notes {
        comment(out, "", &entry.at, note);
    }
    let (number, name) = (entry.number, clean(&entry.name));
    match &entry.what {
        Ok(piece) => {
            let standard = base.field(number);
            let mut keys = Keys::of(&name, piece, usual);
            keys.also(standard.and_then(secret).map(|s| format!("secret = \"{s}\"")));
            let currency = standard.and_then(Field::currency);
            let currency = currency.filter(|de| draft.piece(*de).is_some());
            let amount = matches!(piece.class, Class::N | Class::Xn);
            keys.also(currency.filter(|_| amount).map(|de| format!("currency = {de}")));
            let inside = piece.inside.as_deref().map(|s| inside(s, piece, usual, 1));
            keys.also(inside);
            let _ = writeln!(out, "{number} = {{ {} }}", keys.joined());
        }
        Err(Left::Unused) => {
            let _ = writeln!(out, "# {number} is unused: {name}");
        }
        Err(Left::Cannot(reason)) => {
            comment(out, "", &entry.at, reason);
            let _ = writeln!(out, "# {number} = {{ name = {} }} left out", quoted(&name));
        }
    }
}

fn secret(field: &Field) -> Option<&'static str> {
    match field.secret() {
        Secret::Pan => Some("pan"),
        Secret::Track => Some("track"),
        Secret::Pin => Some("pin"),
        Secret::Cvv => Some("cvv"),
        Secret::CardData => Some("card-data"),
        Secret::None | Secret::Unstated => None,
    }
}

/// Everything a person must look at, in the order of the text.
pub(super) fn remarks(draft: &Draft) -> Vec<Remark> {
    let file = |line, place, reason: &str| {
        let (file, reason) = (draft.file.clone(), reason.to_owned());
        Remark { file, line, place, reason }
    };
    let about = |at: &At, reason: &str| file(at.line, at.place(), reason);
    let mut all: Vec<Remark> = draft.notes.iter().map(|(at, note)| about(at, note)).collect();
    for entry in &draft.fields {
        all.extend(entry.notes.iter().map(|note| about(&entry.at, note)));
        match &entry.what {
            Ok(piece) => part_remarks(piece, &mut |part: &Part, note: &str| {
                all.push(file(part.at.line, format!("field {}", part.at.path), note));
            }),
            Err(Left::Unused) => {}
            Err(Left::Cannot(reason)) => {
                all.push(about(&entry.at, &format!("{reason}; the field is left out")));
            }
        }
    }
    all
}

fn part_remarks(piece: &Piece, add: &mut impl FnMut(&Part, &str)) {
    for part in piece.inside.iter().flat_map(|s| &s.parts) {
        for note in &part.notes {
            add(part, note);
        }
        part_remarks(&part.piece, add);
    }
}

fn comment(out: &mut String, indent: &str, at: &At, note: &str) {
    let line = at.line.map_or(String::new(), |line| format!("line {line}: "));
    let place = if at.path.is_empty() { String::new() } else { format!("{} ", at.path) };
    let _ = writeln!(out, "{indent}# check: {line}{place}{}", clean(note));
}

/// The `key = value` pairs of one field.
struct Keys(Vec<String>);

impl Keys {
    fn of(name: &str, piece: &Piece, usual: &Usual) -> Self {
        let mut keys = Self(Vec::new());
        let (format, length_bytes) = notation(piece);
        keys.also((!name.is_empty()).then(|| format!("name = {}", quoted(name))));
        keys.also(Some(format!("format = \"{format}\"")));
        if piece.encoding != usual.encoding(piece.class) {
            keys.also(Some(format!("encoding = \"{}\"", piece.encoding.as_str())));
        }
        if let Length::Prefixed(prefix) = piece.length {
            if prefix.coding != usual.length {
                keys.also(Some(format!("length = \"{}\"", prefix.coding.word())));
            }
            keys.also(length_bytes.map(|bytes| format!("length_bytes = {bytes}")));
            keys.also(counts(piece).map(|word| format!("length_counts = \"{word}\"")));
        }
        let packed = piece.encoding == Encoding::Bcd && piece.class != Class::Xn;
        let can_be_odd = piece.length != Length::Fixed || piece.max % 2 == 1;
        let side = if piece.length == Length::Fixed { usual.pad } else { usual.pad_variable };
        if packed && can_be_odd && piece.side != side {
            keys.also(Some(format!("pad = \"{}\"", word(piece.side))));
        }
        if packed && can_be_odd && piece.nibble != 0 {
            keys.also(Some(format!("pad_nibble = \"{:X}\"", piece.nibble & 15)));
        }
        if piece.fill != ' ' {
            keys.also(Some(format!("pad_char = {}", quoted(&piece.fill.to_string()))));
        }
        keys
    }

    fn also(&mut self, key: Option<String>) {
        self.0.extend(key);
    }

    fn joined(&self) -> String {
        self.0.join(", ")
    }
}

fn counts(piece: &Piece) -> Option<&'static str> {
    let usual = if piece.encoding == Encoding::Bcd { Counts::Digits } else { Counts::Bytes };
    let same = piece.counts == usual
        || (piece.counts == Counts::Digits && piece.wire_bytes(2) == 2)
        || (piece.counts == Counts::Nibbles && piece.encoding == Encoding::Bcd);
    let word = match piece.counts {
        Counts::Digits => "digits",
        Counts::Bytes => "bytes",
        Counts::Nibbles => "nibbles",
    };
    (!same).then_some(word)
}

/// The format, and the prefix's size where it is not the usual one of that format.
fn notation(piece: &Piece) -> (String, Option<u8>) {
    let (class, max) = (piece.class.as_str(), piece.max);
    match piece.length {
        Length::Rest => (format!("{class}*{max}"), None),
        Length::Fixed if piece.class == Class::B => (format!("b{}", 8 * max), None),
        Length::Fixed => (format!("{class}{max}"), None),
        Length::Prefixed(prefix) => {
            let usual = |dots: &u8| size_of(prefix.coding, *dots) == prefix.bytes;
            let says = |dots: &u8| 10_usize.pow(u32::from(*dots)) > max;
            let best = (1..=6).find(|dots| usual(dots) && says(dots));
            let dots = best.or_else(|| (1..=6).rev().find(usual));
            let written = dots.unwrap_or(prefix.bytes.min(6));
            let dotted = ".".repeat(usize::from(written));
            (format!("{class}{dotted}{max}"), dots.is_none().then_some(prefix.bytes))
        }
    }
}

/// How many bytes a prefix of so many digits usually has.
fn size_of(coding: Coding, dots: u8) -> u8 {
    match coding {
        Coding::Ascii | Coding::Ebcdic | Coding::Hex => dots,
        Coding::Bcd => dots.div_ceil(2),
        Coding::Binary => match dots {
            1 | 2 => 1,
            3 | 4 => 2,
            _ => 3,
        },
    }
}

fn inside(structure: &Structure, outer: &Piece, usual: &Usual, depth: usize) -> String {
    let usual = usual.inside(outer.class, structure.kind);
    let mut out = "inside = { ".to_owned();
    let (word, open, close) = match structure.kind {
        Kind::Positional => ("positional", "parts = [", "]"),
        Kind::Tlv { .. } => ("tlv", "tags = {", "}"),
        Kind::BerTlv => ("ber-tlv", "tags = {", "}"),
        Kind::Bitmapped { .. } => ("bitmapped", "parts = {", "}"),
    };
    let _ = write!(out, "kind = \"{word}\", ");
    match structure.kind {
        Kind::Tlv { tag_bytes, text, length } => {
            let coding = if text { "text" } else { "hex" };
            let Prefix { coding: length, bytes } = length;
            let _ = write!(
                out,
                "tag = {{ bytes = {tag_bytes}, coding = \"{coding}\" }}, \
                 length = {{ bytes = {bytes}, coding = \"{}\" }}, ",
                length.word()
            );
        }
        Kind::Bitmapped { bits, hex } => {
            let coding = if hex { "hex" } else { "binary" };
            let _ = write!(out, "bitmap = \"{coding}\", bits = {bits}, ");
        }
        Kind::BerTlv => out.push_str("unknown = \"keep\", "),
        Kind::Positional => {}
    }
    if structure.parts.is_empty() {
        return out.trim_end_matches(", ").to_owned() + " }";
    }
    out.push_str(open);
    out.push('\n');
    let indent = "    ".repeat(depth);
    for part in &structure.parts {
        let at = At::field(part.at.line, part.at.path.clone());
        for note in &part.notes {
            comment(&mut out, &indent, &at, note);
        }
        let mut keys = Keys::of(&clean_part(&part.name), &part.piece, &usual);
        keys.also(part.optional.then(|| "optional = true".to_owned()));
        let nested = part.piece.inside.as_deref();
        keys.also(nested.map(|s| inside(s, &part.piece, &usual, depth + 1)));
        let key = match structure.kind {
            Kind::Positional => String::new(),
            _ => format!("{} = ", quoted_key(&part.key)),
        };
        let _ = writeln!(out, "{indent}{key}{{ {} }},", keys.joined());
    }
    let _ = write!(out, "{}{close} }}", "    ".repeat(depth - 1));
    out
}
