//! A lazy walk over the parts of a composite's content.
//!
//! Contract: [`Items`] walks a content (the normal form of its field) part by part, without
//! allocating; it never runs past its content and ends at the first error. Deliberately absent:
//! whether all that was found suits ([`Inside::check`]).

use super::fault::{Fault, Kind, take};
use super::inside::{Inside, Part, Shape, TagCoding, Unknown};
use super::length_prefix::{Prefix, number};
use super::plan::Plan;
use super::tlv;
use std::borrow::Cow;
use std::ops::Range;

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

    pub(super) fn check_value(&self, part: &Part) -> Result<(), Fault> {
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
    pub(super) fn of(inside: &'a Inside, content: &'a [u8]) -> Self {
        Self { inside, content, at: 0, index: 0, bits: 0, done: false, tag: 0..0 }
    }

    /// What the walk stood at when it failed.
    pub(super) fn path(&self) -> String {
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
