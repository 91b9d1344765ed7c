//! A dialect: what a peer's messages look like, compiled.
//!
//! Contract: immutable after load, shared freely; the hot path reads one flat table of plans, one
//! per data element. Subfields are read lazily from a message's values, and composed here.
//! Deliberately absent: reading dialect files ([`super::dialect_load`]).

use super::coding::Encoding;
use super::error::{self, PackError};
use super::field::{Field, FieldTable};
use super::header::Header;
use super::inside::{DEPTH_MAX, Inside};
use super::message::Message;
use super::plan::Plan;
use super::quick::Quick;
use super::rules::Rules;
use std::borrow::Cow;

/// How bitmaps stand on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BitmapCoding {
    /// `Raw`, or one of the three hex codings.
    pub(crate) encoding: Encoding,
    /// How many there may be: 1 to 3.
    pub(crate) most: u8,
    /// How many are written at least.
    pub(crate) least: u8,
    /// The third stands where data element 65 would, not behind the second.
    pub(crate) third_at_65: bool,
}

/// A compiled dialect.
#[derive(Debug)]
pub struct Dialect {
    pub(crate) name: String,
    pub(crate) title: String,
    /// The MTI's first digit, if the dialect insists on one.
    pub(crate) version: Option<u8>,
    /// `Ascii`, an EBCDIC page, or `Bcd`.
    pub(crate) mti: Encoding,
    pub(crate) bitmap: BitmapCoding,
    pub(crate) header: Option<Header>,
    pub(crate) fields: FieldTable,
    pub(crate) plans: Vec<Plan>,
    pub(super) quick: Box<[Quick; 256]>,
    /// The data elements of the first bitmap, as its bits.
    pub(crate) known: u64,
    pub(crate) rules: Rules,
}

impl Dialect {
    /// The name it was compiled under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// A data element's definition.
    pub fn field(&self, de: u8) -> Option<&Field> {
        self.fields.get(de)
    }

    /// All data elements.
    pub fn fields(&self) -> &FieldTable {
        &self.fields
    }

    /// The header before the MTI, if the dialect has one.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// What the dialect says about whole messages.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The MTI's first digit, if the dialect insists on one: 0 = 1987, 1 = 1993, 2 = 2003.
    pub fn version(&self) -> Option<u8> {
        self.version
    }

    /// The highest data element its bitmaps can announce: 64, 128 or 192.
    pub fn last_de(&self) -> u8 {
        self.bitmap.most * 64
    }

    /// A part of a composite in normal form, read from the message's value. `path` is a part's
    /// name, tag or bit; dots lead into nested composites (`70.9F36`). The first of repeated
    /// tags. `None` where the message or the dialect does not have it, or it cannot be read.
    pub fn subfield<'m>(&self, msg: &'m Message, de: u8, path: &str) -> Option<Cow<'m, [u8]>> {
        let inside = self.field(de)?.inside()?;
        read_part(inside, Cow::Borrowed(msg.get(de)?), path, 0)
    }

    /// Appends the content of a composite made of parts: name, tag or bit → value in normal form
    /// (nested composites: their composed content). What results is the value for
    /// [`Message::set`].
    ///
    /// # Errors
    /// [`PackError`] with the part's path; `out` is then as before.
    pub fn compose(
        &self,
        de: u8,
        parts: &[(&str, &[u8])],
        out: &mut Vec<u8>,
    ) -> Result<(), PackError> {
        let field = self.field(de);
        let Some(inside) = field.and_then(Field::inside) else {
            return Err(error::not_a_composite(de, field));
        };
        let start = out.len();
        inside.compose(parts, out).map_err(|inner| {
            out.truncate(start);
            let field = error::part_at(self, de, &inner.path);
            error::pack_error(format!("{de}.{}", inner.path), field, inner.fault)
        })
    }
}

fn read_part<'m>(
    inside: &Inside,
    content: Cow<'m, [u8]>,
    path: &str,
    depth: usize,
) -> Option<Cow<'m, [u8]>> {
    let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
    let (found, next) = {
        let part = inside.part_by_key(key);
        let tag = inside.tag_from_key(key);
        let item = inside.items(&content).filter_map(Result::ok).find(|item| match part {
            Some(part) => item.part.is_some_and(|p| std::ptr::eq(p, part)),
            None => tag.as_deref() == Some(item.tag),
        })?;
        let next = part.and_then(|p| p.field.inside());
        let next = next.or_else(|| inside.nests(&item).then_some(inside));
        let found = match item.value().ok()? {
            Cow::Owned(value) => Err(value),
            Cow::Borrowed(value) => Ok(item.content_at..item.content_at + value.len()),
        };
        (found, next)
    };
    let value = match (found, content) {
        (Err(value), _) => Cow::Owned(value),
        (Ok(span), Cow::Borrowed(content)) => Cow::Borrowed(content.get(span)?),
        (Ok(span), Cow::Owned(content)) => Cow::Owned(content.get(span)?.to_vec()),
    };
    go_on(next, value, rest, depth)
}

fn go_on<'m>(
    next: Option<&Inside>,
    value: Cow<'m, [u8]>,
    rest: Option<&str>,
    depth: usize,
) -> Option<Cow<'m, [u8]>> {
    match rest {
        None => Some(value),
        Some(rest) if depth < DEPTH_MAX => read_part(next?, value, rest, depth + 1),
        Some(_) => None,
    }
}
