//! Composites of moov specifications.
//!
//! Contract: with a tag encoding the parts are TLV or BER-TLV, with a bitmap they are announced by
//! it, otherwise they stand in the order of their keys; what cannot be expressed stays whole, with
//! the reason. Facts about moov: a composite's length counts bytes, tags are padded with the
//! tag's padding, and in a composite of varying length the last parts may be missing.
//! Deliberately absent: repeated tags and unknown tags – ours keep both.

use super::coded::Noted;
use super::draft::{Coding, Counts, Kind, Length, Part, PartAt, Piece, Prefix, Structure};
use super::inside::{World, distinct, fit_positions, is_plain, world};
use super::json::{Json, Pair};
use super::moov::{Field, prefix};
use super::{At, Stop};
use crate::iso8583::{Class, Encoding};

/// How deep composites go here.
const DEPTH_MAX: usize = 8;
/// The longest value of a BER-TLV part that states none.
const BER_VALUE_MAX: usize = 255;

/// A data element with parts: the piece and remarks, or why it is left out.
pub(super) fn composite(field: &Field<'_>) -> Result<Result<Noted, String>, Stop> {
    let outer = match outer(field) {
        Ok(outer) => outer,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut notes = field.strange_keys();
    Ok(match inside(field, outer.clone(), 1)? {
        Ok(piece) => Ok((piece, notes)),
        Err(reason) => {
            notes.push(format!("is kept whole, without its subfields: {reason}"));
            let whole = Piece { class: Class::B, encoding: Encoding::Raw, ..outer };
            Ok((whole, notes))
        }
    })
}

/// The bytes of a composite, as text until its parts say otherwise.
fn outer(field: &Field<'_>) -> Result<Piece, String> {
    let length = prefix(field.prefix)?.map_or(Length::Fixed, Length::Prefixed);
    if field.length == 0 {
        return Err("has no length".to_owned());
    }
    let mut outer = Piece::plain(Class::Ans, Encoding::Ascii, length, field.length);
    if let Length::Prefixed(Prefix { coding, bytes }) = length {
        outer.max = outer.max.min(coding.most(bytes)).min(crate::limits::FRAME_MAX);
    }
    Ok(outer)
}

fn inside(field: &Field<'_>, outer: Piece, depth: usize) -> Result<Result<Piece, String>, Stop> {
    if depth > DEPTH_MAX {
        return Ok(Err(format!("it is nested deeper than {DEPTH_MAX}")));
    }
    let listed = field.json.get("subfields").and_then(Json::object).unwrap_or_default();
    if listed.is_empty() {
        return Ok(Err("it has no subfields".into()));
    }
    let tag = Tag::of(field.json.get("tag"));
    let mut parts = Vec::new();
    for Pair { key, line, value } in listed {
        let sub = Field::of(value, At::field(*line, format!("{}.{key}", field.at.path)))?;
        match part(&sub, key, &tag, depth)? {
            Ok(part) => parts.push(part),
            Err(reason) => return Ok(Err(format!("subfield {key} {reason}"))),
        }
    }
    if let Some(map) = field.json.get("bitmap").filter(|map| **map != Json::Null) {
        let map = Field::of(map, At::field(field.at.line, format!("{}.bitmap", field.at.path)))?;
        return Ok(bitmapped(&map, outer, parts));
    }
    Ok(match tag.enc {
        "" => positional(&tag, outer, parts),
        "BerTLVTag" => ber(outer, parts),
        _ => tlv(&tag, outer, parts),
    })
}

/// What `tag` says.
struct Tag<'a> {
    length: usize,
    enc: &'a str,
    /// `Left` and `0`, mostly.
    padding: Option<(&'a str, char)>,
    sort: &'a str,
}

impl<'a> Tag<'a> {
    fn of(json: Option<&'a Json>) -> Self {
        let text = |json: &'a Json, key: &str| json.get(key).and_then(Json::text);
        let length = match json.and_then(|j| j.get("length")) {
            Some(Json::Number(n)) => usize::try_from(*n).unwrap_or(0),
            _ => 0,
        };
        let padding = json.and_then(|j| j.get("padding")).and_then(|padding| {
            let side = text(padding, "type")?;
            Some((side, text(padding, "pad")?.chars().next()?))
        });
        let word = |key| json.and_then(|j| text(j, key)).unwrap_or_default();
        Self { length, enc: word("enc"), padding, sort: word("sort") }
    }

    fn is_ber(&self) -> bool {
        self.enc == "BerTLVTag"
    }

    /// The tag as characters, before it is encoded.
    fn padded(&self, key: &str) -> String {
        let missing = self.length.saturating_sub(key.chars().count());
        let fill = |c: char| String::from(c).repeat(missing);
        match self.padding {
            Some(("Left", c)) => format!("{}{key}", fill(c)),
            Some(("Right", c)) => format!("{key}{}", fill(c)),
            _ => key.to_owned(),
        }
    }

    /// The hex of the tag on the wire.
    fn hex(&self, key: &str) -> Option<String> {
        let tag = self.padded(key);
        let digits = tag.bytes().all(|c| c.is_ascii_digit());
        let each = |zone: Option<u8>| {
            let byte = |c: u8| zone.map_or(c, |zone| zone | (c & 15));
            tag.bytes().map(|c| format!("{:02X}", byte(c))).collect::<String>()
        };
        let hex = match self.enc {
            "ASCII" | "Binary" => Some(each(None)),
            "EBCDIC" | "EBCDIC1047" if digits => Some(each(Some(0xF0))),
            "ASCIIToHex" | "ASCIIHexToBytes" => Some(tag.to_ascii_uppercase()),
            "BCD" if digits && tag.len().is_multiple_of(2) => Some(tag),
            "BCD" if digits => Some(format!("0{tag}")),
            _ => None,
        };
        hex.filter(|hex| crate::iso8583::parse_hex(hex).is_some_and(|bytes| !bytes.is_empty()))
    }
}

fn part(
    sub: &Field<'_>,
    key: &str,
    tag: &Tag<'_>,
    depth: usize,
) -> Result<Result<Part, String>, Stop> {
    let is_composite = sub.json.get("subfields").is_some() || sub.kind == "Composite";
    let own = if sub.prefix == "BerTLV" {
        if tag.is_ber() {
            ber_value(sub)
        } else {
            Err("has a BerTLV length without its tag".into())
        }
    } else if is_composite {
        outer(sub).map(|piece| (piece, sub.strange_keys()))
    } else {
        sub.piece()
    };
    let (mut piece, mut notes) = match own {
        Ok(noted) => noted,
        Err(reason) => return Ok(Err(reason)),
    };
    if is_composite {
        let whole = Piece { class: Class::B, encoding: Encoding::Raw, ..piece.clone() };
        piece = match inside(sub, piece, depth + 1)? {
            Ok(piece) => piece,
            Err(reason) => {
                notes.push(format!("is kept whole, without its subfields: {reason}"));
                whole
            }
        };
    }
    let at = PartAt { line: sub.at.line, path: sub.at.path.clone() };
    let (key, name) = (key.to_owned(), sub.name.to_owned());
    Ok(Ok(Part { at, key, name, optional: false, piece, notes }))
}

/// The value of a BER-TLV part: all that its length leaves.
fn ber_value(sub: &Field<'_>) -> Result<Noted, String> {
    let max = if sub.length == 0 { BER_VALUE_MAX } else { sub.length };
    let composite = sub.json.get("subfields").is_some() || sub.kind == "Composite";
    let (class, encoding) = match (sub.kind, sub.enc) {
        _ if composite => (Class::Ans, Encoding::Ascii),
        ("Binary" | "Hex", _) | (_, "Binary" | "ASCIIToHex" | "ASCIIHexToBytes") => {
            (Class::B, Encoding::Raw)
        }
        ("Numeric", "ASCII") => (Class::N, Encoding::Ascii),
        (_, "ASCII") => (Class::Ans, Encoding::Ascii),
        (_, "EBCDIC" | "EBCDIC037") => (Class::Ans, Encoding::Cp037),
        (_, "EBCDIC1047") => (Class::Ans, Encoding::Cp1047),
        (_, "BCD" | "LBCD") => (Class::N, Encoding::Bcd),
        (_, enc) => return Err(format!("has the encoding \"{enc}\" in BER-TLV")),
    };
    let piece = Piece::plain(class, encoding, Length::Rest, max);
    let mut notes = sub.strange_keys();
    if encoding == Encoding::Bcd {
        notes
            .push("is packed in BER-TLV: its length is read as counting bytes, as EMV says".into());
    }
    Ok((piece, notes))
}

fn sorted(parts: &mut [Part], sort: &str) {
    let number = |key: &str| match sort {
        "StringsByHex" => u128::from_str_radix(key, 16).ok(),
        _ => key.parse().ok(),
    };
    parts.sort_by_key(|part| (number(&part.key), part.key.clone()));
}

fn positional(tag: &Tag<'_>, outer: Piece, mut parts: Vec<Part>) -> Result<Piece, String> {
    sorted(&mut parts, tag.sort);
    let (outer, _) = world(outer, parts.iter().all(|p| is_plain(&p.piece)))?;
    distinct(&mut parts);
    fit_positions(&outer, &mut parts, true)?;
    Ok(Piece { inside: Some(Box::new(Structure { kind: Kind::Positional, parts })), ..outer })
}

fn bitmapped(map: &Field<'_>, outer: Piece, mut parts: Vec<Part>) -> Result<Piece, String> {
    let hex = match map.enc {
        "Binary" => false,
        "HexToASCII" | "BytesToASCIIHex" | "Hex" => true,
        enc => return Err(format!("its bitmap has the encoding \"{enc}\"")),
    };
    let bits = 8 * if map.length == 0 { 8 } else { map.length };
    let bit = |part: &Part| part.key.parse::<usize>().ok().filter(|bit| (1..=bits).contains(bit));
    if let Some(part) = parts.iter().find(|part| bit(part).is_none()) {
        return Err(format!("subfield {} is no bit of 1 to {bits}", part.key));
    }
    if bits > 128 {
        return Err(format!("its bitmap has {bits} bits"));
    }
    parts.sort_by_key(bit);
    let (outer, _) = world(outer, hex && parts.iter().all(|p| is_plain(&p.piece)))?;
    let kind = Kind::Bitmapped { bits, hex };
    Ok(Piece { inside: Some(Box::new(Structure { kind, parts })), ..outer })
}

fn ber(outer: Piece, parts: Vec<Part>) -> Result<Piece, String> {
    let (outer, _) = world(outer, false)?;
    if let Some(part) = parts.iter().find(|part| part.piece.length != Length::Rest) {
        return Err(format!("subfield {} has no BerTLV length", part.key));
    }
    if let Some(part) = parts.iter().find(|p| crate::iso8583::parse_hex(&p.key).is_none()) {
        return Err(format!("subfield {} is no tag in hex", part.key));
    }
    Ok(Piece { inside: Some(Box::new(Structure { kind: Kind::BerTlv, parts })), ..outer })
}

fn tlv(tag: &Tag<'_>, outer: Piece, mut parts: Vec<Part>) -> Result<Piece, String> {
    let prefix_of = |part: &Part| match part.piece.length {
        Length::Prefixed(prefix) => Ok(prefix),
        Length::Fixed | Length::Rest => Err(format!("subfield {} has no length", part.key)),
    };
    let length = parts.first().map_or(Err("it has no subfields".to_owned()), prefix_of)?;
    for part in &parts {
        let same = prefix_of(part)? == length;
        let counts_bytes = part.piece.count(2) == part.piece.wire_bytes(2);
        if !same || !(counts_bytes || part.piece.counts == Counts::Bytes) {
            return Err("its lengths are not all coded alike, or count digits".into());
        }
    }
    let plain = tag.enc == "ASCII"
        && length.coding == Coding::Ascii
        && parts.iter().all(|p| is_plain(&p.piece));
    let (outer, world) = world(outer, plain)?;
    for part in &mut parts {
        let written = match world {
            World::Text => Some(tag.padded(&part.key)),
            World::Bytes => tag.hex(&part.key),
        };
        let unknown = || format!("the tag {} in \"{}\" is not known", part.key, tag.enc);
        part.key = written.ok_or_else(unknown)?;
        part.piece.length = Length::Rest;
    }
    let size = |part: &Part| match world {
        World::Text => part.key.len(),
        World::Bytes => part.key.len() / 2,
    };
    let tag_bytes = parts.first().map_or(0, size);
    if tag_bytes == 0 || parts.iter().any(|part| size(part) != tag_bytes) {
        return Err("its tags are not all of one length".into());
    }
    let kind = Kind::Tlv { tag_bytes, text: world == World::Text, length };
    Ok(Piece { inside: Some(Box::new(Structure { kind, parts })), ..outer })
}
