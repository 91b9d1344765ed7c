//! The errors of this room, in words: where, what was expected, what came, and why perhaps.
//!
//! Contract: field path from the outside in (`55.9F02`), byte offset in the frame, never a secret
//! byte: what came is shown only where the dialect allows showing the field, and counts and
//! coding guesses otherwise. Everything here is off the hot path. Deliberately absent: finding
//! faults ([`super::plan`], [`super::inside`]).

use super::coding::hex_text;
use super::dialect::Dialect;
use super::fault::{Fault, Kind};
use super::field::{Field, Secret};
use super::likely;
use std::fmt;

/// A frame could not be unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpackError {
    /// `header`, `MTI`, `bitmap`, `end`, or the data element and what is in it: `55.9F02`.
    pub path: String,
    /// What the dialect calls it, for people.
    pub name: Option<Box<str>>,
    /// Byte offset in the frame, from 0, header included.
    pub offset: usize,
    /// What should have been there.
    pub expected: String,
    /// What was there; never a secret byte.
    pub got: String,
    /// A guess at the cause.
    pub cause: Option<String>,
}

impl std::error::Error for UnpackError {}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, name, offset, expected, got, cause } = self;
        write!(f, "{} at byte {offset}: expected {expected}, got {got}", place(path, name))?;
        match cause {
            Some(cause) => write!(f, " (perhaps {cause})"),
            None => Ok(()),
        }
    }
}

/// A message could not be packed. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackError {
    /// The data element and what is in it, or `header`, `message`.
    pub path: String,
    /// What the dialect calls it, for people.
    pub name: Option<Box<str>>,
    /// What the dialect asks for.
    pub expected: String,
    /// What the message holds; never a secret value.
    pub got: String,
}

impl std::error::Error for PackError {}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, name, expected, got } = self;
        write!(f, "{}: expected {expected}, got {got}", place(path, name))
    }
}

/// A path as people read it: `DE 55.9F02 (amount, authorised)`, `bitmap`.
pub fn place(path: &str, name: &Option<Box<str>>) -> String {
    let element = if path.starts_with(|c: char| c.is_ascii_digit()) { "DE " } else { "" };
    match name {
        Some(name) => format!("{element}{path} ({name})"),
        None => format!("{element}{path}"),
    }
}

pub(crate) fn name_of(field: Option<&Field>) -> Option<Box<str>> {
    field.map(|field| field.name.as_str()).filter(|name| !name.is_empty()).map(Into::into)
}

/// A dialect file cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialectError {
    /// Name of the dialect (or file) that says it.
    pub file: String,
    /// The key, dotted: `fields.22.pad`.
    pub key: String,
    /// Line in that file, from 1, where it could be found.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl DialectError {
    /// An error at a key; file and line are filled in by the compiler.
    pub fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { file: String::new(), key: key.into(), line: None, reason: reason.into() }
    }
}

impl std::error::Error for DialectError {}

impl fmt::Display for DialectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, key, line, reason } = self;
        match line {
            Some(line) => write!(f, "{file}:{line}: {key}: {reason}"),
            None => write!(f, "{file}: {key}: {reason}"),
        }
    }
}

/// What the field at fault looks like, for the words.
pub(crate) struct Scene<'a> {
    pub(crate) path: String,
    /// The field or part at fault, if the dialect knows it.
    pub(crate) field: Option<&'a Field>,
    /// Where what was being read begins in the frame.
    pub(crate) start: usize,
    pub(crate) frame: &'a [u8],
}

/// Puts a fault into words.
#[cold]
pub(crate) fn unpack_error(scene: &Scene<'_>, fault: Fault) -> UnpackError {
    let (expected, got) = words(scene, fault);
    UnpackError {
        path: scene.path.clone(),
        name: name_of(scene.field),
        offset: scene.start + fault.at,
        expected,
        got,
        cause: likely::cause(scene, fault),
    }
}

/// The byte at fault, if it may be shown.
fn byte_at(scene: &Scene<'_>, fault: Fault) -> String {
    let shown = scene.field.is_none_or(|f| f.secret == Secret::None);
    match scene.frame.get(scene.start + fault.at) {
        Some(byte) if shown => format!("byte {byte:02X}"),
        Some(_) => "a byte that is not one (hidden: the field is secret)".to_owned(),
        None => "the end".to_owned(),
    }
}

fn unit(scene: &Scene<'_>) -> &'static str {
    match scene.field {
        Some(f) if f.class().is_binary() => "bytes",
        Some(f) if f.class() == super::charset::Class::N => "digits",
        _ => "characters",
    }
}

fn words(scene: &Scene<'_>, fault: Fault) -> (String, String) {
    let unit = unit(scene);
    let class = scene.field.map_or("a byte", |f| f.class().expects());
    let (expected, got) = match fault.kind {
        Kind::Short { need, have } => (format!("{need} bytes"), format!("{have}, then the end")),
        Kind::LengthCoding => ("a length in its coding".to_owned(), prefix_bytes(scene, fault)),
        Kind::LengthBelowItself { got } => {
            ("a length that includes itself".to_owned(), got.to_string())
        }
        Kind::Odd { got } => ("an even count".to_owned(), got.to_string()),
        Kind::TooLong { most, got } => (format!("at most {most} {unit}"), got.to_string()),
        Kind::TooShort { least, got } => (format!("at least {least} {unit}"), got.to_string()),
        Kind::PrefixTooSmall { got } => ("a length its prefix can say".into(), got.to_string()),
        Kind::Character => (class.to_owned(), byte_at(scene, fault)),
        Kind::Pad => (pad_words(scene), "another nibble".to_owned()),
        Kind::Value => (rule_words(scene), "another value".to_owned()),
        Kind::Unknown => ("what the dialect defines".to_owned(), "something it does not".into()),
        Kind::Missing => ("the part".to_owned(), "nothing".to_owned()),
        Kind::Trailing { got } => ("the end".to_owned(), format!("{got} more bytes")),
        Kind::Tag => ("a well-formed tag and length".to_owned(), byte_at(scene, fault)),
        Kind::Repeated => ("each tag once".to_owned(), "it a second time".to_owned()),
        Kind::Mti => ("four digits of the dialect's version".into(), four_bytes(scene)),
        Kind::Bitmap => ("upper-case hex digits".to_owned(), byte_at(scene, fault)),
        Kind::TooManyBitmaps => ("no further bitmap".to_owned(), "one announced".to_owned()),
        Kind::Header => ("the dialect's header, then an MTI".to_owned(), four_bytes(scene)),
        Kind::TooBig { most } => (format!("at most {most} bytes"), "more".to_owned()),
    };
    (expected, got)
}

/// A length prefix is never secret.
fn prefix_bytes(scene: &Scene<'_>, fault: Fault) -> String {
    let at = scene.start + fault.at;
    let size = scene.field.map_or(1, |f| usize::from(f.plan.prefix.bytes).max(1));
    let end = (at + size).min(scene.frame.len());
    format!("bytes {}", hex_text(scene.frame.get(at..end).unwrap_or_default()))
}

fn four_bytes(scene: &Scene<'_>) -> String {
    let from = scene.frame.get(scene.start..).unwrap_or_default();
    format!("bytes {}", hex_text(from.get(..4).unwrap_or(from)))
}

fn pad_words(scene: &Scene<'_>) -> String {
    let Some(plan) = scene.field.map(|f| f.plan) else { return "the pad nibble".to_owned() };
    let side = if plan.side == super::plan::Side::Left { "left" } else { "right" };
    format!("pad nibble {:X} on the {side}", plan.nibble)
}

fn rule_words(scene: &Scene<'_>) -> String {
    match scene.field {
        Some(f) if f.constant.is_some() => "the constant the dialect states".to_owned(),
        Some(f) => format!("a value that is {}", f.plan.rule.as_str()),
        None => "a valid value".to_owned(),
    }
}

/// Puts a fault of packing into words.
#[cold]
pub(crate) fn pack_error(path: String, field: Option<&Field>, fault: Fault) -> PackError {
    let scene = Scene { path, field, start: 0, frame: &[] };
    let (expected, mut got) = words(&scene, fault);
    if fault.kind == Kind::Character {
        got = format!("something else at character {}", fault.at + 1);
    }
    PackError { path: scene.path, name: name_of(field), expected, got }
}

/// Parts were given to a data element that has none.
#[cold]
pub(crate) fn not_a_composite(de: u8, field: Option<&Field>) -> PackError {
    PackError {
        path: de.to_string(),
        name: name_of(field),
        expected: "a composite".to_owned(),
        got: "a data element without parts".to_owned(),
    }
}

/// The part of a composite that a path names, and the dialect's field above it.
pub(crate) fn part_at<'a>(dialect: &'a Dialect, de: u8, path: &str) -> Option<&'a Field> {
    let mut field = dialect.field(de)?;
    for key in path.split('.').filter(|k| !k.is_empty()) {
        field = field.inside()?.part_by_key(key)?.field();
    }
    Some(field)
}
