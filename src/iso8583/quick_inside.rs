//! The short way through a composite: says only whether it is in order.
//!
//! Contract: [`Inside::holds`] answers true for a subset of what [`Inside::check`] accepts; on
//! false the caller asks `check`, which then accepts it or says what is wrong. Deliberately
//! absent: errors, and every structure but BER-TLV and fixed positional parts.

use super::charset::Class;
use super::coding::{self, Encoding};
use super::inside::{DEPTH_MAX, Inside, Part, Shape, Unknown};
use super::plan::{LengthCoding, Side};
use super::validate::Rule;

/// Finds parts by tag: those of one or two bytes in a table, longer ones one by one.
#[derive(Debug, Clone)]
pub(crate) struct TagIndex {
    /// By [`row`] the number in `places`; [`NOBODY`] where there is none.
    rows: Box<[u8; ROWS]>,
    places: Vec<Place>,
}

/// Tags of one byte, then those of two by the upper bits of the first and by the second.
const ROWS: usize = 256 + 8 * 128;
const NOBODY: u8 = u8::MAX;

impl Default for TagIndex {
    fn default() -> Self {
        Self { rows: Box::new([NOBODY; ROWS]), places: Vec::new() }
    }
}

/// One tag: its part, and what its value must look like if that is simple.
#[derive(Debug, Clone, Copy)]
struct Place {
    tag: u32,
    part: u16,
    simple: Simple,
    /// The first byte is at most this: a decimal pad in front is zero.
    first: u8,
    /// Bytes of the value.
    min: u16,
    max: u16,
}

/// Values that the short way can check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Simple {
    No,
    Bytes,
    /// Packed digits, an even number, or padded with a decimal zero in front.
    Decimal,
}

/// What the short way leaves alone.
const UNCHECKED: Place = Place { tag: 0, part: 0, simple: Simple::No, first: 0, min: 0, max: 0 };

/// A tag as a number: its bytes big-endian. `None` for more than four, or for none, or for what
/// begins with 00: that is padding.
#[inline]
pub(crate) fn tag_number(tag: &[u8]) -> Option<u32> {
    if tag.is_empty() || tag.len() > 4 || tag[0] == 0 {
        return None;
    }
    Some(tag.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
}

/// Where a tag of one or two bytes stands in the table.
#[inline]
fn row(tag: u32) -> Option<usize> {
    let (first, second) = (tag >> 8, tag & 0xFF);
    match first {
        0 => Some(second as usize),
        1..=0xFF if first & 0x1F == 0x1F && second < 0x80 => Some(row_of_two(first, second)),
        _ => None,
    }
}

#[inline]
fn row_of_two(first: u32, second: u32) -> usize {
    256_u32.wrapping_add((first >> 5 & 7) << 7 | second & 0x7F) as usize
}

impl TagIndex {
    pub(crate) fn of(parts: &[Part]) -> Self {
        let mut index = Self::default();
        for (number, part) in parts.iter().enumerate() {
            let Some(tag) = tag_number(&part.tag) else { continue };
            let place = u8::try_from(index.places.len()).unwrap_or(NOBODY);
            // The first of a tag stands, and what finds no room is found one by one.
            if let Some(row) = row(tag).and_then(|row| index.rows.get_mut(row))
                && *row == NOBODY
            {
                *row = place;
            }
            index.places.push(Place { tag, part: number as u16, ..simple(part) });
        }
        index
    }

    /// The index of the part with this tag.
    #[inline]
    pub(crate) fn find(&self, tag: u32) -> Option<usize> {
        let known = row(tag).and_then(|row| self.look(row)).filter(|place| place.tag == tag);
        let place = known.or_else(|| self.places.iter().find(|place| place.tag == tag))?;
        Some(usize::from(place.part))
    }

    /// What stands in a row of the table.
    #[inline]
    fn look(&self, row: usize) -> Option<&Place> {
        self.places.get(usize::from(*self.rows.get(row)?))
    }
}

/// How the short way checks a part's value, and how many bytes it may have.
fn simple(part: &Part) -> Place {
    let plan = &part.field.plan;
    let plain = plan.rule == Rule::None
        && part.field.inside.is_none()
        && part.field.constant.is_none()
        && part.tag.first().is_some_and(|b| b & 0x20 == 0);
    match (plan.encoding, plan.class) {
        (Encoding::Raw, Class::B) if plain => {
            Place { simple: Simple::Bytes, min: plan.min, max: plan.max, ..UNCHECKED }
        }
        (Encoding::Bcd, Class::N) if plain && plan.min == plan.max => {
            let odd = !plan.max.is_multiple_of(2);
            let pads_zero = plan.side == Side::Left && plan.nibble == 0;
            let simple = if odd && !pads_zero { Simple::No } else { Simple::Decimal };
            let bytes = plan.max.div_ceil(2);
            Place {
                simple,
                first: if odd { 0x09 } else { 0x99 },
                min: bytes,
                max: bytes,
                ..UNCHECKED
            }
        }
        _ => UNCHECKED,
    }
}

impl Inside {
    /// Whether all is in order, as far as the short way can tell.
    #[inline]
    pub(crate) fn holds(&self, content: &[u8], depth: usize) -> bool {
        match self.shape {
            Shape::BerTlv if self.repeats && self.unknown != Unknown::Reject => {
                self.tags_hold(content, depth)
            }
            Shape::Positional => self.positions_hold(content),
            _ => false,
        }
    }

    fn tags_hold(&self, mut rest: &[u8], depth: usize) -> bool {
        // In a table that is full somebody may stand elsewhere.
        if self.tags.places.len() >= usize::from(NOBODY) {
            return false;
        }
        while let Some(found) = short_tag(rest) {
            let ahead = rest.get(found.head..).unwrap_or_default();
            let Some((value, after)) = ahead.split_at_checked(found.len) else { return false };
            rest = after;
            let good = match self.tags.look(found.row) {
                Some(place) => {
                    let fits =
                        found.len >= usize::from(place.min) && found.len <= usize::from(place.max);
                    match place.simple {
                        Simple::Bytes => fits,
                        Simple::Decimal => fits && decimal(ahead, value, place.first),
                        Simple::No => self.listed_holds(place.part, value),
                    }
                }
                None => {
                    !found.constructed || (depth < DEPTH_MAX && self.tags_hold(value, depth + 1))
                }
            };
            if !good {
                return false;
            }
        }
        rest.is_empty()
    }

    /// A listed tag whose value is packed digits of odd count.
    fn listed_holds(&self, part: u16, value: &[u8]) -> bool {
        self.parts.get(usize::from(part)).is_some_and(|part| value_holds(part, value))
    }

    fn positions_hold(&self, content: &[u8]) -> bool {
        let mut rest = content;
        for part in &self.parts {
            if rest.is_empty() && part.optional {
                return true;
            }
            let plan = &part.field.plan;
            let plain = plan.prefix.coding == LengthCoding::Fixed
                && plan.is_verbatim()
                && plan.rule == Rule::None
                && part.field.inside.is_none()
                && part.field.constant.is_none();
            let split = rest.split_at_checked(usize::from(plan.max));
            let Some((value, after)) = split.filter(|_| plain) else { return false };
            if !plan.class.holds(value) {
                return false;
            }
            rest = after;
        }
        rest.is_empty()
    }
}

/// A tag of one or two bytes with a length of one.
struct ShortTag {
    row: usize,
    /// Bytes of tag and length, and of the value.
    head: usize,
    len: usize,
    constructed: bool,
}

#[inline]
fn short_tag(rest: &[u8]) -> Option<ShortTag> {
    let [first, second, after @ ..] = rest else { return None };
    let constructed = first & 0x20 != 0;
    let (row, head, len) = if first & 0x1F == 0x1F {
        if second & 0x80 != 0 {
            return None;
        }
        (row_of_two(u32::from(*first), u32::from(*second)), 3, *after.first()?)
    } else {
        (usize::from(*first), 2, *second)
    };
    let short = *first != 0 && len < 0x80;
    short.then_some(ShortTag { row, head, len: len.into(), constructed })
}

/// Whether a value is packed digits that begin with at most `first`. What lies behind it is read
/// with it, where there is enough.
#[inline]
fn decimal(ahead: &[u8], value: &[u8], first: u8) -> bool {
    match ahead.first_chunk() {
        Some(window) if (1..=8).contains(&value.len()) => {
            let beyond = (value.len() as u32).wrapping_neg().wrapping_mul(8) & 63;
            let word = u64::from_be_bytes(*window);
            word >> 56 <= u64::from(first) && coding::decimal_word(word >> beyond)
        }
        _ => value.first().is_none_or(|byte| *byte <= first) && coding::all_decimal(value),
    }
}

/// Whether a listed tag's value is bytes or packed digits of a length it may have.
#[inline]
fn value_holds(part: &Part, value: &[u8]) -> bool {
    let plan = &part.field.plan;
    let (least, most) = (usize::from(plan.min), usize::from(plan.max));
    let plain =
        plan.rule == Rule::None && part.field.inside.is_none() && part.field.constant.is_none();
    match (plan.encoding, plan.class) {
        _ if !plain => false,
        (Encoding::Raw, Class::B) => (least..=most).contains(&value.len()),
        (Encoding::Bcd, Class::N) if least == most => {
            let odd = most & 1;
            let pad = match (odd, plan.side) {
                (0, _) => true,
                (_, Side::Left) => value.first().is_some_and(|b| b >> 4 == plan.nibble),
                (_, Side::Right) => value.last().is_some_and(|b| b & 15 == plan.nibble),
            };
            pad && plan.nibble <= 9 && 2 * value.len() == most + odd && coding::all_decimal(value)
        }
        _ => false,
    }
}
