//! Inner structure of composites: positional, TLV, BER-TLV, bitmapped, nested.
//!
//! Contract: [`Items`] walks a composite's content (the normal form of its field) lazily, part by
//! part, without allocating; [`Inside::compose`] builds content. A walk never runs past its
//! content and ends at the first error. Deliberately absent: keeping parsed parts – a message
//! holds the content, byte-exact, so unknown tags survive.

use super::fault::{Fault, Kind, take};
use super::field::Field;
use super::plan::{LengthCoding, Plan, Prefix, number, write_number};
use super::quick_inside::{self, TagIndex};
use super::tlv;
use std::borrow::Cow;
use std::ops::Range;

/// Composites within composites deeper than this are read as plain bytes.
pub(crate) const DEPTH_MAX: usize = 8;

/// What to do with a tag that the dialect does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// Refuse the message.
    Reject,
    /// Pass over it; it stays in the content but is never listed.
    Skip,
    /// List it as bytes.
    Keep,
}

/// How parts are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One after the other.
    Positional,
    /// A tag of fixed size, a length, a value.
    Tlv { tag: TagCoding, tag_bytes: usize, length: Prefix, includes_itself: bool },
    /// BER: tags and lengths of one or more bytes.
    BerTlv,
    /// A bitmap, then the parts it announces.
    Bitmapped { hex: bool, bits: usize },
}

/// How the tag of a plain TLV is written in dialect files and JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TagCoding {
    /// The tag is text; its key is that text.
    Text,
    /// The tag is bytes; its key is their hex.
    Hex,
}

/// The inner structure of one composite.
#[derive(Debug, Clone)]
pub struct Inside {
    pub(crate) shape: Shape,
    pub(crate) unknown: Unknown,
    /// The same tag may occur more than once.
    pub(crate) repeats: bool,
    /// Not checked by `unpack`, only when read.
    pub(crate) lazy: bool,
    pub(crate) parts: Vec<Part>,
    /// Finds parts by tag; filled once all parts are there.
    pub(crate) tags: TagIndex,
}

/// One named part.
#[derive(Debug, Clone)]
pub struct Part {
    /// Name (positional), tag, or bit number: how JSON and paths call it.
    pub(crate) key: String,
    /// The tag's bytes as they stand in the content.
    pub(crate) tag: Vec<u8>,
    pub(crate) bit: usize,
    pub(crate) optional: bool,
    pub(crate) field: Field,
}

impl Part {
    /// Name (positional), tag, or bit number.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What it is: name, format, secrecy, further inner structure.
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// Whether it may be missing (positional parts: from here on).
    pub fn is_optional(&self) -> bool {
        self.optional
    }
}

/// One part found in a content.
#[derive(Debug, Clone)]
pub(crate) struct Item<'a> {
    pub(crate) part: Option<&'a Part>,
    /// Tag bytes, empty for positional and bitmapped parts.
    pub(crate) tag: &'a [u8],
    /// Where it lies in the content, tag and length included.
    pub(crate) span: Range<usize>,
    pub(crate) content: &'a [u8],
    /// Where `content` begins.
    pub(crate) content_at: usize,
    chars: usize,
    /// The tag is text rather than bytes.
    text_tag: bool,
}

/// A fault in a part: its path below the composite, and where in the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InnerFault {
    pub(crate) path: String,
    pub(crate) fault: Fault,
}

impl Inside {
    /// The parts the dialect lists.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What happens to tags that are not listed.
    pub fn unknown(&self) -> Unknown {
        self.unknown
    }

    pub(crate) fn items<'a>(&'a self, content: &'a [u8]) -> Items<'a> {
        Items { inside: self, content, at: 0, index: 0, bits: 0, done: false, tag: 0..0 }
    }

    fn part_by_tag(&self, tag: &[u8]) -> Option<&Part> {
        match quick_inside::tag_number(tag) {
            Some(number) => self.parts.get(self.tags.find(number)?),
            None => self.parts.iter().find(|p| p.tag == tag),
        }
    }

    pub(crate) fn part_by_key(&self, key: &str) -> Option<&Part> {
        self.parts.iter().find(|p| p.key == key || p.field.name == key)
    }

    /// Whether an unlisted BER tag is constructed and so walked with the same tag list.
    pub(crate) fn nests(&self, item: &Item<'_>) -> bool {
        self.shape == Shape::BerTlv && item.tag.first().is_some_and(|b| b & 0x20 != 0)
    }

    /// Walks everything, checks every known value. The first fault, with its path.
    pub(crate) fn check(&self, content: &[u8], depth: usize) -> Result<(), InnerFault> {
        let mut items = self.items(content);
        while let Some(item) = items.next() {
            let item = item.map_err(|fault| InnerFault { path: items.path(), fault })?;
            self.check_item(&item, depth).map_err(|inner| within(&item, inner))?;
            if !self.repeats && self.is_repeated(&item, content) {
                let fault = Fault::new(item.span.start, Kind::Repeated);
                return Err(InnerFault { path: item.key(), fault });
            }
        }
        Ok(())
    }

    fn check_item(&self, item: &Item<'_>, depth: usize) -> Result<(), InnerFault> {
        let own = |fault| InnerFault { path: String::new(), fault };
        let inner = match item.part {
            Some(part) => {
                item.check_value(part).map_err(own)?;
                part.field.inside()
            }
            None => None,
        };
        let inner = inner.or_else(|| self.nests(item).then_some(self));
        match inner.filter(|i| !i.lazy && depth < DEPTH_MAX) {
            Some(inner) => inner.check(&item.value().map_err(own)?, depth + 1),
            None => Ok(()),
        }
    }

    fn is_repeated(&self, item: &Item<'_>, content: &[u8]) -> bool {
        !item.tag.is_empty()
            && self
                .items(&content[..item.span.start])
                .any(|earlier| earlier.is_ok_and(|e| e.tag == item.tag))
    }

    /// Appends content made of the given parts (name or tag → value in normal form). Positional
    /// parts and bits are put in their order, tags stay in the order given.
    pub(crate) fn compose(
        &self,
        given: &[(&str, &[u8])],
        out: &mut Vec<u8>,
    ) -> Result<(), InnerFault> {
        match &self.shape {
            Shape::Positional => self.compose_positional(given, out),
            Shape::Bitmapped { hex, bits } => self.compose_bitmapped(given, *hex, *bits, out),
            Shape::Tlv { .. } | Shape::BerTlv => self.compose_tagged(given, out),
        }
    }

    fn refuse_strangers(&self, given: &[(&str, &[u8])]) -> Result<(), InnerFault> {
        match given.iter().find(|(key, _)| self.part_by_key(key).is_none()) {
            Some((key, _)) => Err(faulty(key, Fault::new(0, Kind::Unknown))),
            None => Ok(()),
        }
    }

    fn compose_positional(
        &self,
        given: &[(&str, &[u8])],
        out: &mut Vec<u8>,
    ) -> Result<(), InnerFault> {
        self.refuse_strangers(given)?;
        let mut ended = false;
        for part in &self.parts {
            match value_of(part, given) {
                Some(_) if ended => return Err(faulty(&part.key, Fault::new(0, Kind::Missing))),
                Some(value) => part.write(value, out).map_err(|f| faulty(&part.key, f))?,
                None if part.optional => ended = true,
                None => return Err(faulty(&part.key, Fault::new(0, Kind::Missing))),
            }
        }
        Ok(())
    }

    fn compose_bitmapped(
        &self,
        given: &[(&str, &[u8])],
        hex: bool,
        bits: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), InnerFault> {
        self.refuse_strangers(given)?;
        let mut map = 0_u128;
        for part in self.parts.iter().filter(|p| value_of(p, given).is_some()) {
            map |= 1 << (127 - (part.bit - 1).min(127));
        }
        let bytes = &map.to_be_bytes()[..bits / 8];
        if hex {
            super::coding::hex_encode(super::coding::Encoding::Hex, bytes, out);
        } else {
            out.extend_from_slice(bytes);
        }
        for part in &self.parts {
            if let Some(value) = value_of(part, given) {
                part.write(value, out).map_err(|f| faulty(&part.key, f))?;
            }
        }
        Ok(())
    }

    fn compose_tagged(&self, given: &[(&str, &[u8])], out: &mut Vec<u8>) -> Result<(), InnerFault> {
        for (key, value) in given {
            let part = self.part_by_key(key);
            let known = part.map(|p| p.tag.clone());
            let unknown = || self.tag_from_key(key).filter(|_| self.unknown == Unknown::Keep);
            let Some(tag) = known.or_else(unknown) else {
                return Err(faulty(key, Fault::new(0, Kind::Unknown)));
            };
            let mut content = Vec::new();
            match part {
                Some(part) => part.write(value, &mut content).map_err(|f| faulty(key, f))?,
                None => content.extend_from_slice(value),
            }
            out.extend_from_slice(&tag);
            self.write_length(content.len(), out).map_err(|f| faulty(key, f))?;
            out.extend_from_slice(&content);
        }
        Ok(())
    }

    fn write_length(&self, len: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self.shape {
            Shape::Tlv { length, includes_itself, .. } => {
                let size = usize::from(length.bytes);
                let count = if includes_itself { len + size } else { len };
                let fits = write_number(length.coding, size, count, out);
                fits.ok_or_else(|| Fault::new(0, Kind::PrefixTooSmall { got: len }))
            }
            _ => {
                tlv::write_length(len, out);
                Ok(())
            }
        }
    }

    /// The bytes of a tag from its key; `None` when they are no tag of this structure.
    pub(crate) fn tag_from_key(&self, key: &str) -> Option<Vec<u8>> {
        match self.shape {
            Shape::BerTlv => {
                let tag = super::coding::parse_hex(key)?;
                let whole = tlv::tag_length(&tag)? == tag.len();
                whole.then_some(tag)
            }
            Shape::Tlv { tag: TagCoding::Hex, tag_bytes, .. } => {
                super::coding::parse_hex(key).filter(|t| t.len() == tag_bytes)
            }
            Shape::Tlv { tag: TagCoding::Text, tag_bytes, .. } => {
                Some(key.as_bytes().to_vec()).filter(|t| t.len() == tag_bytes)
            }
            Shape::Positional | Shape::Bitmapped { .. } => None,
        }
    }
}

fn value_of<'a>(part: &Part, given: &[(&str, &'a [u8])]) -> Option<&'a [u8]> {
    given.iter().find(|(key, _)| *key == part.key || *key == part.field.name).map(|(_, v)| *v)
}

fn faulty(key: &str, fault: Fault) -> InnerFault {
    InnerFault { path: key.to_owned(), fault }
}

/// The inner fault as seen from the composite that holds `item`.
fn within(item: &Item<'_>, inner: InnerFault) -> InnerFault {
    let key = item.key();
    let path = if inner.path.is_empty() { key } else { format!("{key}.{}", inner.path) };
    InnerFault { path, fault: inner.fault.moved(item.content_at) }
}

impl Part {
    fn write(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.field.constant.as_ref().is_some_and(|c| c != value) {
            return Err(Fault::new(0, Kind::Value));
        }
        self.field.plan.write(value, out)
    }
}

impl<'a> Item<'a> {
    /// How paths and JSON call it: the part's key, or the tag in hex (text tags as text).
    pub(crate) fn key(&self) -> String {
        match self.part {
            Some(part) => part.key.clone(),
            None if self.text_tag => String::from_utf8_lossy(self.tag).into_owned(),
            None => super::coding::hex_text(self.tag),
        }
    }

    /// The value in normal form.
    pub(crate) fn value(&self) -> Result<Cow<'a, [u8]>, Fault> {
        match self.part.map(|p| p.field.plan) {
            Some(plan) if !plan.is_verbatim() => self.expand(&plan).map(Cow::Owned),
            Some(_) | None => Ok(Cow::Borrowed(self.content)),
        }
    }

    fn expand(&self, plan: &Plan) -> Result<Vec<u8>, Fault> {
        let mut room = vec![0; plan.room(self.content.len())];
        let (at, len) = plan.read(self.content, self.chars, &mut room)?;
        room.truncate(at + len);
        room.drain(..at);
        Ok(room)
    }

    fn check_value(&self, part: &Part) -> Result<(), Fault> {
        let plan = &part.field.plan;
        if plan.is_verbatim() {
            plan.check(self.content)?;
        } else {
            let mut room = [0; 128];
            match room.get_mut(..plan.room(self.content.len())) {
                Some(room) => drop(plan.read(self.content, self.chars, room)?),
                None => drop(self.expand(plan)?),
            }
        }
        match &part.field.constant {
            Some(constant) if *self.value()? != **constant => Err(Fault::new(0, Kind::Value)),
            _ => Ok(()),
        }
    }
}

/// A lazy walk over the parts of a content.
#[derive(Debug, Clone)]
pub(crate) struct Items<'a> {
    inside: &'a Inside,
    content: &'a [u8],
    at: usize,
    /// The next part (positional), or one past the bitmap once it is read (bitmapped).
    index: usize,
    bits: u128,
    done: bool,
    /// The tag being read, to say which one is at fault.
    tag: Range<usize>,
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let step = match &self.inside.shape {
            Shape::Positional => self.positional(),
            Shape::Bitmapped { hex, bits } => self.bitmapped(*hex, *bits),
            Shape::Tlv { .. } | Shape::BerTlv => self.tagged(),
        };
        match step {
            Ok(found) => {
                self.done = found.is_none();
                found.map(Ok)
            }
            Err(fault) => {
                self.done = true;
                Some(Err(fault))
            }
        }
    }
}

impl<'a> Items<'a> {
    /// What the walk stood at when it failed.
    fn path(&self) -> String {
        let tag = self.content.get(self.tag.clone()).unwrap_or_default();
        let part = match self.inside.shape {
            Shape::Positional => self.inside.parts.get(self.index),
            _ => self.inside.part_by_tag(tag),
        };
        part.map_or_else(|| super::coding::hex_text(tag), |p| p.key.clone())
    }

    fn rest(&self) -> &'a [u8] {
        self.content.get(self.at..).unwrap_or_default()
    }

    fn ended(&self) -> Result<Option<Item<'a>>, Fault> {
        match self.rest().len() {
            0 => Ok(None),
            got => Err(Fault::new(self.at, Kind::Trailing { got })),
        }
    }

    fn positional(&mut self) -> Result<Option<Item<'a>>, Fault> {
        let Some(part) = self.inside.parts.get(self.index) else { return self.ended() };
        if self.rest().is_empty() && part.optional {
            return Ok(None);
        }
        let item = self.planned(part)?;
        self.index += 1;
        Ok(Some(item))
    }

    /// A part that begins here and whose plan says how long it is.
    fn planned(&mut self, part: &'a Part) -> Result<Item<'a>, Fault> {
        let (start, rest) = (self.at, self.rest());
        let extent = part.field.plan.measure(rest).map_err(|f| f.moved(start))?;
        let body = rest.get(extent.prefix..).unwrap_or_default();
        let (_, content) = take(extent.bytes, body).map_err(|f| f.moved(start + extent.prefix))?;
        let content_at = start + extent.prefix;
        self.at = content_at + extent.bytes;
        let span = start..self.at;
        let chars = extent.chars;
        Ok(Item { part: Some(part), tag: &[], span, content, content_at, chars, text_tag: false })
    }

    fn bitmapped(&mut self, hex: bool, bits: usize) -> Result<Option<Item<'a>>, Fault> {
        if self.index == 0 {
            self.read_bits(hex, bits)?;
        }
        if self.bits == 0 {
            return self.ended();
        }
        let bit = self.bits.leading_zeros() as usize + 1;
        self.bits &= !(1 << (128 - bit));
        let known = self.inside.parts.iter().find(|p| p.bit == bit);
        let part = known.ok_or_else(|| Fault::new(self.at, Kind::Unknown))?;
        self.planned(part).map(Some)
    }

    fn read_bits(&mut self, hex: bool, bits: usize) -> Result<(), Fault> {
        let size = if hex { bits / 4 } else { bits / 8 };
        let (_, map) = take(size, self.content)?;
        let mut bytes = [0; 16];
        if hex {
            let coding = super::coding::Encoding::Hex;
            super::coding::hex_decode(coding, map, &mut bytes)
                .map_err(|at| Fault::new(at, Kind::Bitmap))?;
        } else {
            bytes[..size].copy_from_slice(map);
        }
        self.bits = u128::from_be_bytes(bytes);
        self.at = size;
        self.index = 1;
        Ok(())
    }

    fn tagged(&mut self) -> Result<Option<Item<'a>>, Fault> {
        loop {
            if self.rest().is_empty() {
                return Ok(None);
            }
            let item = self.one_tagged()?;
            match (item.part, self.inside.unknown) {
                (None, Unknown::Reject) => {
                    return Err(Fault::new(item.span.start, Kind::Unknown));
                }
                (None, Unknown::Skip) => {}
                _ => return Ok(Some(item)),
            }
        }
    }

    fn one_tagged(&mut self) -> Result<Item<'a>, Fault> {
        let (start, rest) = (self.at, self.rest());
        self.tag = 0..0;
        let (tag_len, value_at, len) = match self.inside.shape {
            Shape::Tlv { tag_bytes, length, includes_itself, .. } => {
                plain_head(rest, tag_bytes, length, includes_itself)
            }
            _ => tlv::head(rest),
        }
        .map_err(|f| f.moved(start))?;
        let (tag, body) = (&rest[..tag_len], &rest[value_at..]);
        self.tag = start..start + tag_len;
        let (_, content) = take(len, body).map_err(|f| f.moved(start + value_at))?;
        let part = self.inside.part_by_tag(tag);
        let content_at = start + value_at;
        let measured = part.map(|p| p.field.plan.measure(content)).transpose();
        let chars = measured.map_err(|f| f.moved(content_at))?.map_or(len, |e| e.chars);
        self.at = content_at + len;
        let text_tag = matches!(self.inside.shape, Shape::Tlv { tag: TagCoding::Text, .. });
        Ok(Item { part, tag, span: start..self.at, content, content_at, chars, text_tag })
    }
}

/// Tag length, where the value begins, its length: for tags and lengths of fixed size.
fn plain_head(
    rest: &[u8],
    tag_bytes: usize,
    length: Prefix,
    includes_itself: bool,
) -> Result<(usize, usize, usize), Fault> {
    let (body, _) = take(tag_bytes, rest)?;
    let size = usize::from(length.bytes);
    let (_, prefix) = take(size, body).map_err(|f| f.moved(tag_bytes))?;
    let bad = |kind| move || Fault::new(tag_bytes, kind);
    let said = number(length.coding, prefix).ok_or_else(bad(Kind::LengthCoding))?;
    let own = if includes_itself { size } else { 0 };
    let below = bad(Kind::LengthBelowItself { got: said });
    Ok((tag_bytes, tag_bytes + size, said.checked_sub(own).ok_or_else(below)?))
}

/// A part of a tagged structure takes all of its value.
pub(crate) fn tagged_plan(mut plan: Plan) -> Plan {
    plan.prefix = Prefix { coding: LengthCoding::Rest, bytes: 0 };
    plan.unit = super::plan::Unit::Bytes;
    plan.composite = false;
    plan
}
