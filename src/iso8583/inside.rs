//! Inner structure of composites: positional, TLV, BER-TLV, bitmapped, nested.
//!
//! Contract: what a composite is made of, and whether a content is that ([`Inside::check`]).
//! Deliberately absent: finding its parts ([`super::inside_walk`]), putting them together
//! ([`super::inside_compose`]), and keeping parsed parts – a message holds the content, byte-exact,
//! so unknown tags survive.

use super::fault::{Fault, Kind};
use super::field::Field;
use super::inside_walk::{Item, Items};
use super::length_prefix::{LengthCoding, Prefix};
use super::plan::Plan;
use super::quick_inside::{self, TagIndex};
use super::tlv;

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
        Items::of(self, content)
    }

    pub(super) fn part_by_tag(&self, tag: &[u8]) -> Option<&Part> {
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

/// The inner fault as seen from the composite that holds `item`.
fn within(item: &Item<'_>, inner: InnerFault) -> InnerFault {
    let key = item.key();
    let path = if inner.path.is_empty() { key } else { format!("{key}.{}", inner.path) };
    InnerFault { path, fault: inner.fault.moved(item.content_at) }
}

/// A part of a tagged structure takes all of its value.
pub(crate) fn tagged_plan(mut plan: Plan) -> Plan {
    plan.prefix = Prefix { coding: LengthCoding::Rest, bytes: 0 };
    plan.unit = super::plan::Unit::Bytes;
    plan.composite = false;
    plan
}
