//! `<isofieldpackager>`: what stands inside a field of a jPOS packager.
//!
//! Contract: [`structure`] reads subfields one after the other, behind a bitmap, tagged by number,
//! or BER-TLV, by the packager's name and attributes; the inner result says why a field stays
//! whole. Facts about jPOS: without `firstField` numbering begins at 1, and
//! `GenericSubFieldPackager` may end early; with a bitmap, bits are subfield numbers.
//! Deliberately absent: packagers that are code.

use super::class_name::{self, Wire};
use super::draft::{Counts, Kind, Length, Part, PartAt, Piece, Prefix, Structure};
use super::inside::{World, distinct, fit_positions, is_plain, world};
use super::jpos::{self, Element, elements};
use super::{At, Stop};
use crate::iso8583::{Class, Encoding};

/// How deep composites go here.
const DEPTH_MAX: usize = 8;

type Whole = Result<Piece, String>;

/// The piece with its inner structure.
pub(super) fn structure(
    element: &Element<'_>,
    outer: Piece,
    notes: &mut Vec<(At, String)>,
) -> Result<Whole, Stop> {
    nested(element, outer, notes, 1)
}

fn nested(
    element: &Element<'_>,
    outer: Piece,
    notes: &mut Vec<(At, String)>,
    depth: usize,
) -> Result<Whole, Stop> {
    if depth > DEPTH_MAX {
        return Ok(Err(format!("it is nested deeper than {DEPTH_MAX}")));
    }
    let Some(packager) = element.node.attribute("packager") else {
        return Err(Stop::new(element.at.clone(), "has no packager"));
    };
    let name = class_name::simple(packager.trim());
    let subs = elements(element.node, &element.at, notes)?;
    match name {
        "BERTLVBinaryPackager" | "ICCDataPackager" => Ok(ber(outer, Encoding::Raw)),
        "BERTLVAsciiHexPackager" => Ok(ber(outer, Encoding::Hex)),
        "BERTLVEbcdicHexPackager" => Ok(ber(outer, Encoding::EbcdicHex)),
        "EuroSubFieldPackager" => tagged(element, outer, &subs, notes, depth),
        "MasterCardEBCDICSubFieldPackager" => tagged(element, outer, &subs, notes, depth),
        "GenericTaggedFieldsPackager" => {
            let mapper = element.node.attribute("tagMapper").map(class_name::simple);
            match mapper {
                Some("TTDecimalTagMapper" | "TTTDecimalTagMapper") => {
                    tagged(element, outer, &subs, notes, depth)
                }
                _ => Ok(Err(format!("its tags are made by {}", mapper.unwrap_or("nobody")))),
            }
        }
        "GenericPackager" | "GenericValidatingPackager" | "GenericSubFieldPackager" => {
            generic(element, name, outer, &subs, notes, depth)
        }
        "Base1SubFieldPackager" => {
            let has_bitmap = subs.first().is_some_and(|e| matches!(e.wire, Ok(Wire::Bitmap(_))));
            let layout = Layout { bitmap: has_bitmap.then_some(0), first: 0, may_end_early: true };
            numbered(&layout, outer, &subs, notes, depth)
        }
        _ => Ok(Err(format!("its packager {name} is not known"))),
    }
}

/// BER-TLV content, as bytes or as hex digits.
fn ber(outer: Piece, content: Encoding) -> Whole {
    let same = matches!(
        (outer.encoding, content),
        (Encoding::Ascii | Encoding::Raw | Encoding::Hex, Encoding::Raw | Encoding::Hex)
            | (Encoding::Cp1047 | Encoding::Raw, Encoding::EbcdicHex)
    );
    if !same {
        return Err(format!("BER-TLV in {} is not known", outer.encoding.as_str()));
    }
    let inside = Some(Box::new(Structure { kind: Kind::BerTlv, parts: Vec::new() }));
    let (as_hex, was_hex) = (content != Encoding::Raw, outer.encoding == Encoding::Hex);
    let max = if as_hex && !was_hex { outer.max / 2 } else { outer.max };
    let encoding = if as_hex { content } else { outer.encoding };
    let encoding = if outer.class == Class::B || as_hex { encoding } else { Encoding::Raw };
    Ok(Piece { class: Class::B, encoding, max, inside, ..outer })
}

/// How the subfields of a packager are numbered.
struct Layout {
    /// The number of the bitmap, if there is one.
    bitmap: Option<usize>,
    first: usize,
    may_end_early: bool,
}

fn generic(
    element: &Element<'_>,
    packager: &str,
    outer: Piece,
    subs: &[Element<'_>],
    notes: &mut Vec<(At, String)>,
    depth: usize,
) -> Result<Whole, Stop> {
    let (node, at) = (element.node, &element.at);
    if jpos::number(node, "headerLength", at)?.is_some_and(|n| n > 0) {
        return Ok(Err("it has a headerLength".into()));
    }
    let emit = jpos::flag(node, "emitBitmap", at)?.unwrap_or(true);
    let field = jpos::number(node, "bitmapField", at)?.unwrap_or(1);
    let is_bitmap = |e: &&Element<'_>| matches!(e.wire, Ok(Wire::Bitmap(_)));
    let bitmap_at_1 = subs.iter().find(|e| e.id == 1).filter(is_bitmap).is_some();
    let usual = match subs.first() {
        Some(only) if subs.len() == 1 && only.id == 0 => 0,
        _ if bitmap_at_1 => 2,
        _ => 1,
    };
    let first = jpos::number(node, "firstField", at)?;
    let first = first.and_then(|n| usize::try_from(n).ok()).unwrap_or(usual);
    let ends_early = packager == "GenericSubFieldPackager";
    let bitmap = if emit { usize::try_from(field).ok() } else { None };
    // The plain packagers read field 0 as if it were an MTI.
    let zero_too = !ends_early && subs.iter().any(|e| e.id == 0 && !is_bitmap(&e));
    let first = if zero_too { 0 } else { first };
    let skipped = subs.iter().find(|e| e.id < first && Some(e.id) != bitmap && !is_bitmap(e));
    if let Some(skipped) = skipped {
        let reason = format!("jPOS begins at subfield {first} and never reads this one");
        notes.push((skipped.at.clone(), reason));
    }
    if emit && bitmap.is_none() {
        return Ok(Err(format!("its bitmap is field {field}")));
    }
    let layout = Layout { bitmap, first, may_end_early: ends_early };
    numbered(&layout, outer, subs, notes, depth)
}

/// Subfields by number: positional, or behind a bitmap.
fn numbered(
    layout: &Layout,
    outer: Piece,
    subs: &[Element<'_>],
    notes: &mut Vec<(At, String)>,
    depth: usize,
) -> Result<Whole, Stop> {
    let map = layout.bitmap.map(|id| subs.iter().find(|e| e.id == id));
    let map = match map {
        Some(None) => return Ok(Err("its bitmap is not defined".into())),
        Some(Some(element)) => Some(element),
        None => None,
    };
    let own = |e: &&Element<'_>| {
        let is_map = map.is_some_and(|m| m.id == e.id);
        !is_map && e.id >= layout.first && !matches!(e.wire, Ok(Wire::Nothing))
    };
    let mut parts = Vec::new();
    for element in subs.iter().filter(own) {
        match part(element, element.id.to_string(), notes, depth)? {
            Ok(part) => parts.push(part),
            Err(reason) => return Ok(Err(format!("subfield {} {reason}", element.id))),
        }
    }
    Ok(match map {
        None => positional(layout, outer, parts),
        Some(map) => bitmapped(map, outer, parts),
    })
}

fn part(
    element: &Element<'_>,
    key: String,
    notes: &mut Vec<(At, String)>,
    depth: usize,
) -> Result<Result<Part, String>, Stop> {
    let (piece, mut said) = match element.piece() {
        Ok(noted) => noted,
        Err(reason) => return Ok(Err(reason)),
    };
    let whole = piece.clone();
    let piece = if element.nested() {
        match nested(element, piece, notes, depth + 1)? {
            Ok(composite) => composite,
            Err(reason) => {
                said.push(format!("is kept whole, without its subfields: {reason}"));
                whole
            }
        }
    } else {
        piece
    };
    let at = PartAt { line: element.at.line, path: element.at.path.clone() };
    let name = element.name.clone();
    Ok(Ok(Part { at, key, name, optional: false, piece, notes: said }))
}

fn positional(layout: &Layout, outer: Piece, mut parts: Vec<Part>) -> Whole {
    if parts.is_empty() {
        return Err("it has no subfields".into());
    }
    let (outer, _) = world(outer, parts.iter().all(|p| is_plain(&p.piece)))?;
    distinct(&mut parts);
    fit_positions(&outer, &mut parts, layout.may_end_early)?;
    let inside = Some(Box::new(Structure { kind: Kind::Positional, parts }));
    Ok(Piece { inside, ..outer })
}

fn bitmapped(map: &Element<'_>, outer: Piece, parts: Vec<Part>) -> Whole {
    let Ok(Wire::Bitmap(coding)) = &map.wire else {
        return Err(format!("its bitmap's class {} is no bitmap's", class_name::simple(map.class)));
    };
    let bits = 8 * map.length.min(8);
    if !(1..=24).contains(&map.length) {
        return Err(format!("its bitmap has {} bytes", map.length));
    }
    let beyond = parts.iter().find(|p| p.key.parse().is_ok_and(|bit: usize| bit > bits));
    if let Some(part) = beyond {
        return Err(format!("subfield {} is beyond its first {bits} bits", part.key));
    }
    if parts.iter().any(|p| p.key == "0") {
        return Err("it has a bitmap, and a subfield 0 besides".into());
    }
    let plain = *coding == Encoding::Hex && parts.iter().all(|p| is_plain(&p.piece));
    let (outer, _) = world(outer, plain)?;
    let hex = match coding {
        Encoding::Raw => false,
        Encoding::Hex => true,
        _ => return Err("its bitmap is EBCDIC".into()),
    };
    let inside = Some(Box::new(Structure { kind: Kind::Bitmapped { bits, hex }, parts }));
    Ok(Piece { inside, ..outer })
}

/// Subfields with their number as a tag in front; a subfield 0 stands before them, untagged.
fn tagged(
    element: &Element<'_>,
    outer: Piece,
    subs: &[Element<'_>],
    notes: &mut Vec<(At, String)>,
    depth: usize,
) -> Result<Whole, Stop> {
    let mut parts = Vec::new();
    let mut shape: Option<(u8, bool, Prefix)> = None;
    let mut leading = None;
    for sub in subs.iter().filter(|e| !matches!(e.wire, Ok(Wire::Nothing))) {
        let (tag_bytes, ebcdic, content) = match &sub.wire {
            Ok(Wire::Tagged { tag_bytes, ebcdic_tag, content }) => {
                (*tag_bytes, *ebcdic_tag, content)
            }
            Ok(Wire::Field(_)) if sub.id == 0 => {
                leading = Some(sub);
                continue;
            }
            _ => {
                let class = class_name::simple(sub.class);
                return Ok(Err(format!("subfield {} ({class}) has no tag and length", sub.id)));
            }
        };
        let Some(prefix) = content.prefix.filter(|_| content.counts != Counts::Nibbles) else {
            return Ok(Err(format!("subfield {} has no usual length", sub.id)));
        };
        if shape.is_some_and(|known| known != (tag_bytes, ebcdic, prefix)) {
            return Ok(Err("its tags or lengths are not all coded alike".into()));
        }
        shape = Some((tag_bytes, ebcdic, prefix));
        let digits = format!("{:0width$}", sub.id, width = usize::from(tag_bytes));
        match part(sub, digits, notes, depth)? {
            Ok(part) => parts.push(part),
            Err(reason) => return Ok(Err(format!("subfield {} {reason}", sub.id))),
        }
    }
    let Some((tag_bytes, ebcdic, prefix)) = shape else {
        return Ok(Err("it has no tagged subfields".into()));
    };
    let tlv = Tlv { tag_bytes, ebcdic, prefix };
    let done = tlv.inside(outer, parts);
    match (done, leading) {
        (Ok(composite), None) => Ok(Ok(composite)),
        (Ok(composite), Some(leading)) => behind(composite, leading, element, notes, depth),
        (Err(reason), _) => Ok(Err(reason)),
    }
}

/// How tags and lengths stand in a tagged composite.
struct Tlv {
    tag_bytes: u8,
    ebcdic: bool,
    prefix: Prefix,
}

impl Tlv {
    fn inside(&self, outer: Piece, mut parts: Vec<Part>) -> Whole {
        let plain = !self.ebcdic
            && self.prefix.coding == super::draft::Coding::Ascii
            && parts.iter().all(|p| is_plain(&p.piece));
        let (outer, world) = world(outer, plain)?;
        for part in &mut parts {
            part.piece.length = Length::Rest;
            if world == World::Bytes {
                let zone = if self.ebcdic { 0xF0 } else { 0x30 };
                part.key = part.key.bytes().map(|c| format!("{:02X}", zone | (c & 15))).collect();
            }
        }
        let kind = Kind::Tlv {
            tag_bytes: usize::from(self.tag_bytes),
            text: world == World::Text,
            length: self.prefix,
        };
        Ok(Piece { inside: Some(Box::new(Structure { kind, parts })), ..outer })
    }
}

/// A tagged composite behind one untagged subfield.
fn behind(
    composite: Piece,
    leading: &Element<'_>,
    element: &Element<'_>,
    notes: &mut Vec<(At, String)>,
    depth: usize,
) -> Result<Whole, Stop> {
    let first = match part(leading, "0".into(), notes, depth)? {
        Ok(first) => first,
        Err(reason) => return Ok(Err(format!("subfield 0 {reason}"))),
    };
    if composite.class != Class::B && !is_plain(&first.piece) {
        return Ok(Err("its subfield 0 is no text, the others are".into()));
    }
    let at = PartAt { line: element.at.line, path: element.at.path.clone() };
    let (class, encoding) = (composite.class, composite.encoding);
    let encoding = if class == Class::B { Encoding::Raw } else { encoding };
    let mut rest = Piece::plain(class, encoding, Length::Rest, composite.max);
    if class != Class::B {
        rest.encoding = Encoding::Ascii;
    }
    rest.inside = composite.inside.clone();
    let name = "tagged subfields".to_owned();
    let key = "1".to_owned();
    let notes = Vec::new();
    let rest = Part { at, key, name, optional: true, piece: rest, notes };
    let mut parts = vec![first, rest];
    distinct(&mut parts);
    let inside = Some(Box::new(Structure { kind: Kind::Positional, parts }));
    Ok(Ok(Piece { inside, ..composite }))
}
