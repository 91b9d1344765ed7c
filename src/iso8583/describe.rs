//! A frame as a table for people.
//!
//! Contract: one line per field with offset, raw bytes, number, name and value; secrets are masked
//! in both the bytes and the value. After an error: everything decoded before it, then the bytes
//! around the fault with a caret under the one at fault, expected, got and the likely cause.
//! Deliberately absent: colours and terminal width.

use super::coding::hex_text;
use super::dialect::Dialect;
use super::error::{UnpackError, place};
use super::field::Field;
use super::inside::{DEPTH_MAX, Inside};
use super::json::plain;
use super::mask;
use super::message::Message;
use super::mti::Mti;
use std::fmt::Write;

/// Raw bytes shown per line before `…`.
const RAW_SHOWN: usize = 16;
/// Bytes shown before the one at fault.
const BEFORE: usize = 8;

/// A message that was unpacked, as a table. Without `reveal`, secrets are masked.
pub fn describe(dialect: &Dialect, msg: &Message, reveal: bool) -> String {
    let mut out = String::new();
    let title = if dialect.title().is_empty() { "" } else { " – " };
    line(&mut out, format_args!("{}{title}{}", dialect.name(), dialect.title()));
    if let Some(header) = msg.header() {
        row(&mut out, "0", &clip(&hex_text(header)), "", "header", "");
        for (name, value) in dialect.header().map(|h| h.parts(header)).unwrap_or_default() {
            let text = String::from_utf8_lossy(&value);
            let clean = !text.chars().any(|c| c.is_control() || c == '\u{FFFD}');
            let shown = if clean { text.into_owned() } else { hex_text(&value) };
            row(&mut out, "", "", "", &format!("  {name}"), &shown);
        }
    }
    let at = msg.header().map_or(0, <[u8]>::len);
    if msg.mti() != Mti::NONE {
        row(&mut out, &at.to_string(), "", "MTI", mti_words(msg), &msg.mti().to_string());
    }
    for de in msg.fields() {
        field_rows(&mut out, dialect, msg, de, reveal);
    }
    out
}

/// The same after an error: what was decoded, then what is wrong and where.
pub fn describe_error(
    dialect: &Dialect,
    msg: &Message,
    frame: &[u8],
    error: &UnpackError,
    reveal: bool,
) -> String {
    let mut out = describe(dialect, msg, reveal);
    let de = error.path.split('.').next().and_then(|de| de.parse::<u8>().ok());
    let hide = !reveal && de.is_some_and(|de| !mask::is_public(dialect.field(de)));
    let from = error.offset.min(frame.len()).saturating_sub(BEFORE);
    let to = (error.offset + BEFORE).min(frame.len());
    let end = last_known(msg).max(from);
    line(&mut out, format_args!(""));
    let mut bytes = String::new();
    for (index, byte) in frame.iter().enumerate().take(to).skip(from) {
        // Bytes of fields before the fault may be secret too: those are in the table above.
        let known = index < end && de.is_some();
        let hidden = !reveal && (known || hide);
        let _ = if hidden { write!(bytes, "** ") } else { write!(bytes, "{byte:02X} ") };
    }
    if to == error.offset {
        bytes.push_str("<end>");
    }
    let label = format!("at {from:<5} ");
    line(&mut out, format_args!("{label}{bytes}"));
    let caret = label.chars().count() + 3 * (error.offset.saturating_sub(from));
    line(
        &mut out,
        format_args!("{:caret$}^ {} at byte {}", "", place(&error.path, &error.name), error.offset),
    );
    line(&mut out, format_args!("expected  {}", error.expected));
    line(&mut out, format_args!("got       {}", error.got));
    if let Some(cause) = &error.cause {
        line(&mut out, format_args!("perhaps   {cause}"));
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = writeln!(out, "{text}");
}

fn row(out: &mut String, at: &str, raw: &str, de: &str, name: &str, value: &str) {
    let text = format!("{at:>5}  {raw:<34} {de:>4}  {name:<30} {value}");
    line(out, format_args!("{}", text.trim_end()));
}

/// Where the last decoded field ends.
fn last_known(msg: &Message) -> usize {
    msg.fields().filter_map(|de| msg.raw_span(de)).map(|span| span.end).max().unwrap_or(0)
}

fn mti_words(msg: &Message) -> &'static str {
    let mti = msg.mti();
    match (mti.class(), mti.is_response()) {
        (1, false) => "authorization",
        (1, true) => "authorization answer",
        (2, false) => "financial",
        (2, true) => "financial answer",
        (3, false) => "file action",
        (3, true) => "file action answer",
        (4, false) => "reversal",
        (4, true) => "reversal answer",
        (5, false) => "reconciliation",
        (5, true) => "reconciliation answer",
        (6, _) => "administrative",
        (7, _) => "fee collection",
        (8, false) => "network management",
        (8, true) => "network management answer",
        _ => "unknown class",
    }
}

fn clip(hex: &str) -> String {
    match hex.get(..2 * RAW_SHOWN) {
        Some(front) if hex.len() > 2 * RAW_SHOWN => format!("{front}…"),
        _ => hex.to_owned(),
    }
}

fn field_rows(out: &mut String, dialect: &Dialect, msg: &Message, de: u8, reveal: bool) {
    let field = dialect.field(de);
    let value = msg.get(de).unwrap_or_default();
    let span = msg.raw_span(de);
    let bytes = span.clone().and_then(|s| msg.frame().get(s)).unwrap_or_default();
    let public = reveal || (mask::is_public(field) && field.is_none_or(|f| f.inside().is_none()));
    let raw = if public { hex_text(bytes) } else { "**".repeat(bytes.len()) };
    let at = span.map_or_else(String::new, |s| s.start.to_string());
    let name = field.map_or("not in this dialect", Field::name);
    let inside = field.and_then(Field::inside);
    let shown = match inside {
        Some(_) => String::new(),
        None => mask::shown(field, plain(field, value), reveal),
    };
    row(out, &at, &clip(&raw), &de.to_string(), name, &shown);
    if let Some(inside) = inside {
        part_rows(out, inside, value, reveal, 1);
    }
}

fn part_rows(out: &mut String, inside: &Inside, content: &[u8], reveal: bool, depth: usize) {
    for item in inside.items(content) {
        let Ok(item) = item else {
            row(out, "", "", "", &format!("{:1$}(not readable)", "", 2 * depth), "");
            return;
        };
        let field = item.part.map(|p| p.field());
        let name = field.map_or("", Field::name);
        let key = item.key();
        let called = if key == name { key } else { format!("{key} {name}") };
        let label = format!("{:1$}{called}", "", 2 * depth);
        let value = item.value().unwrap_or_default();
        let inner = field.and_then(Field::inside);
        let inner = inner.or_else(|| inside.nests(&item).then_some(inside));
        match inner.filter(|_| depth < DEPTH_MAX) {
            Some(inner) => {
                row(out, "", "", "", &label, "");
                part_rows(out, inner, &value, reveal, depth + 1);
            }
            None => {
                let shown = mask::shown(field, plain(field, &value), reveal);
                row(out, "", "", "", &label, &shown);
            }
        }
    }
}
