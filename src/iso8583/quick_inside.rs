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

/// Tags of up to four bytes, hashed.
#[derive(Debug, Clone, Default)]
pub(crate) struct TagIndex {
    /// A power of two, at least twice as many as tags; 0 marks a free place.
    places: Vec<Place>,
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

const FREE: Place = Place { tag: 0, part: 0, simple: Simple::No, first: 0, min: 0, max: 0 };

/// A tag as a number: its bytes big-endian. `None` for more than four, or for none. The tag 00
/// is no tag (it is padding), so 0 can mark a free place.
#[inline]
pub(crate) fn tag_number(tag: &[u8]) -> Option<u32> {
    if tag.is_empty() || tag.len() > 4 || tag[0] == 0 {
        return None;
    }
    Some(tag.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
}

impl TagIndex {
    pub(crate) fn of(parts: &[Part]) -> Self {
        let size = (2 * parts.len()).next_power_of_two();
        let mut index = Self { places: vec![FREE; size] };
        for (number, part) in parts.iter().enumerate() {
            let Some(tag) = tag_number(&part.tag) else { continue };
            let mut place = index.place(tag);
            while index.places[place].tag != 0 {
                place = (place + 1) & (size - 1);
            }
            index.places[place] = Place { tag, part: number as u16, ..simple(part) };
        }
        index
    }

    #[inline]
    fn place(&self, number: u32) -> usize {
        let mixed = number.wrapping_mul(0x9E37_79B1);
        (mixed >> 16) as usize & self.places.len().wrapping_sub(1)
    }

    /// The index of the part with this tag.
    #[inline]
    pub(crate) fn find(&self, tag: u32) -> Option<usize> {
        Some(usize::from(self.look(tag)?.part))
    }

    #[inline]
    fn look(&self, tag: u32) -> Option<&Place> {
        let mut index = self.place(tag);
        loop {
            let place = self.places.get(index)?;
            if place.tag == tag {
                return Some(place);
            }
            if place.tag == 0 {
                return None;
            }
            index = index.wrapping_add(1) & self.places.len().wrapping_sub(1);
        }
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
            Place { simple: Simple::Bytes, min: plan.min, max: plan.max, ..FREE }
        }
        (Encoding::Bcd, Class::N) if plain && plan.min == plan.max => {
            let odd = !plan.max.is_multiple_of(2);
            let pads_zero = plan.side == Side::Left && plan.nibble == 0;
            let simple = if odd && !pads_zero { Simple::No } else { Simple::Decimal };
            let bytes = plan.max.div_ceil(2);
            Place { simple, first: if odd { 0x09 } else { 0x99 }, min: bytes, max: bytes, ..FREE }
        }
        _ => FREE,
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
        while let Some((tag, value, after)) = short_tag(rest) {
            rest = after;
            let good = match self.tags.look(tag) {
                Some(place) => {
                    let fits = value.len() >= usize::from(place.min)
                        && value.len() <= usize::from(place.max);
                    match place.simple {
                        Simple::Bytes => fits,
                        Simple::Decimal => {
                            let padded = value.first().is_none_or(|byte| *byte <= place.first);
                            fits && padded && coding::all_decimal(value)
                        }
                        Simple::No => self.listed_holds(place.part, value),
                    }
                }
                None => {
                    let first = if tag > 0xFF { tag >> 8 } else { tag };
                    first & 0x20 == 0 || (depth < DEPTH_MAX && self.tags_hold(value, depth + 1))
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

/// A tag of one or two bytes with a length of one: the tag, its value, and what follows.
#[inline]
fn short_tag(rest: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let (tag, after) = match rest {
        [first, second, after @ ..] if first & 0x1F == 0x1F => {
            if second & 0x80 != 0 {
                return None;
            }
            (u32::from(*first) << 8 | u32::from(*second), after)
        }
        [0, ..] => return None,
        [first, after @ ..] => (u32::from(*first), after),
        [] => return None,
    };
    let (len, after) = after.split_first()?;
    if *len >= 0x80 {
        return None;
    }
    let (value, after) = after.split_at_checked(usize::from(*len))?;
    Some((tag, value, after))
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
