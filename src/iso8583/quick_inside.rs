//! The short way through a composite: says only whether it is in order.
//!
//! Contract: [`Inside::holds`] answers true for a subset of what [`Inside::check`] accepts; on
//! false the caller asks `check`, which then accepts it or says what is wrong. Deliberately
//! absent: errors, and every structure but BER-TLV and fixed positional parts.

use super::charset::Class;
use super::coding::{self, Encoding};
use super::field::Field;
use super::inside::{DEPTH_MAX, Inside, Part, Shape, Unknown};
use super::length_prefix::LengthCoding;
use super::plan::Side;
use super::validate::Rule;

/// Finds parts by tag: those of one or two bytes in a table, longer ones one by one.
#[derive(Debug, Clone)]
pub(crate) struct TagIndex {
    /// By [`row`] the number in `places`.
    rows: Box<[u8; ROWS]>,
    /// [`UNLISTED`] and [`ASKED`], then one of every part.
    places: Vec<Place>,
}

/// Tags of one byte, then those of two by the upper bits of the first and by the second.
const ROWS: usize = 256 + 8 * 256;
/// The number of the place of all tags that hold bytes and are not listed.
const UNLISTED: u8 = 0;
/// The number of the place of all others: constructed ones, longer ones, and padding.
const ASKED: u8 = 1;
/// Bytes of the longest head in the table, and of what is told of a value.
const WINDOW: usize = 3 + 8;

/// One tag: its part, and what its value must look like if that is simple.
#[derive(Debug, Clone, Copy)]
struct Place {
    tag: u32,
    /// The index of the part; beyond the last where it is not listed.
    part: u16,
    /// Bytes of the value: so many, or up to so many more.
    least: u8,
    more: u8,
    /// The top bits of those nibbles of the first eight bytes that are decimal digits.
    decimal: u64,
    /// The bits of the first eight bytes that are zero: a pad in front.
    zero: u64,
}

/// Bytes of any kind, as many as a length of one byte can say.
const BYTES: Place = Place { tag: 0, part: u16::MAX, least: 0, more: 0x7F, decimal: 0, zero: 0 };
/// What the table cannot tell: no length of one byte fits.
const UNTOLD: Place = Place { least: 0xFF, more: 0, ..BYTES };

impl Default for TagIndex {
    fn default() -> Self {
        let mut rows = Box::new([UNLISTED; ROWS]);
        let is_asked = |row: usize| match row.checked_sub(256) {
            None => row == 0 || row & 0x20 != 0,
            Some(of_two) => of_two & 0x80 != 0 || of_two >> 8 & 1 == 1,
        };
        rows.iter_mut().enumerate().filter(|(row, _)| is_asked(*row)).for_each(|(_, p)| *p = ASKED);
        Self { rows, places: vec![BYTES, UNTOLD] }
    }
}

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
    match tag.to_be_bytes() {
        [0, 0, 0, only] => Some(usize::from(only)),
        [0, 0, first, second] => Some(row_of_two(first, second)),
        _ => None,
    }
}

#[inline]
fn row_of_two(first: u8, second: u8) -> usize {
    256_usize.wrapping_add(usize::from(first >> 5) << 8 | usize::from(second))
}

impl TagIndex {
    pub(crate) fn of(parts: &[Part]) -> Self {
        let mut index = Self::default();
        for (number, part) in parts.iter().enumerate() {
            let Some(tag) = tag_number(&part.tag) else { continue };
            // The first of a tag stands, and what finds no room is found one by one.
            if let Ok(place) = u8::try_from(index.places.len())
                && let Some(row) = row(tag).and_then(|row| index.rows.get_mut(row))
                && *row <= ASKED
            {
                *row = place;
            }
            index.places.push(Place { tag, part: number as u16, ..told(part) });
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

    /// In a table that is full somebody may stand elsewhere.
    fn is_full(&self) -> bool {
        self.places.len() > usize::from(u8::MAX)
    }
}

/// What the table can tell of a part's value: its length, and whether it is packed digits, an even
/// number or padded with a zero in front.
fn told(part: &Part) -> Place {
    const DIGITS: u64 = 0x8888_8888_8888_8888;
    const FIRST: u64 = 0xF0 << 56;
    let plan = &part.field.plan;
    match (plan.encoding, plan.class) {
        _ if !is_plain(part) || part.tag.first().is_none_or(|b| b & 0x20 != 0) => UNTOLD,
        (Encoding::Raw, Class::B) if plan.min <= 0x7F => {
            let (least, most) = (plan.min as u8, plan.max.min(0x7F) as u8);
            Place { least, more: most.saturating_sub(least), ..BYTES }
        }
        (Encoding::Bcd, Class::N) if plan.min == plan.max && (1..=16).contains(&plan.max) => {
            let bytes = plan.max.div_ceil(2) as u8;
            let decimal = DIGITS << (64 - 8 * u32::from(bytes));
            let even = Place { least: bytes, more: 0, decimal, ..BYTES };
            match plan.max.is_multiple_of(2) {
                true => even,
                false if plan.side == Side::Left && plan.nibble == 0 => {
                    Place { zero: FIRST, ..even }
                }
                false => UNTOLD,
            }
        }
        _ => UNTOLD,
    }
}

impl Place {
    /// Whether a value of so many bytes, of which `value` is the first eight, is what the table
    /// tells. What lies behind it does not count.
    #[inline]
    fn fits(&self, len: u8, value: u64) -> bool {
        let above_nine = value & self.decimal & (value << 1 | value << 2);
        len.wrapping_sub(self.least) <= self.more && above_nine | (value & self.zero) == 0
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
        if self.tags.is_full() {
            return false;
        }
        let mut ending = [0; WINDOW];
        while !rest.is_empty() {
            let window = match rest.first_chunk() {
                Some(window) => window,
                None => {
                    ending[..rest.len()].copy_from_slice(rest);
                    &ending
                }
            };
            let [first, second, third, ..] = *window;
            let ([_, _, early @ .., _], [_, _, _, late @ ..]) = (window, window);
            let (row, head, len, value) = match first & 0x1F {
                0x1F => (row_of_two(first, second), 3_usize, third, late),
                _ => (usize::from(first), 2, second, early),
            };
            let Some(place) = self.tags.look(row) else { return false };
            let all = head.wrapping_add(usize::from(len));
            let value = u64::from_be_bytes(*value);
            match rest.get(all..) {
                Some(after)
                    if place.fits(len, value) || self.untold_holds(place, rest, head, depth) =>
                {
                    rest = after;
                }
                _ => return false,
            }
        }
        true
    }

    /// What the table does not tell of the tag in front: values of other kinds, and what an
    /// unlisted tag holds.
    #[inline(never)]
    fn untold_holds(&self, place: &Place, rest: &[u8], head: usize, depth: usize) -> bool {
        let [first, second, ..] = rest else { return false };
        let Some((front, ahead)) = rest.split_at_checked(head) else { return false };
        let len = front.last().copied().filter(|len| *len < 0x80).map_or(usize::MAX, usize::from);
        let is_longer = head == 3 && second & 0x80 != 0;
        let Some(value) = ahead.get(..len).filter(|_| !is_longer) else { return false };
        match self.parts.get(usize::from(place.part)) {
            Some(part) => value_holds(part, value),
            None => first & 0x20 != 0 && depth < DEPTH_MAX && self.tags_hold(value, depth + 1),
        }
    }

    fn positions_hold(&self, content: &[u8]) -> bool {
        let mut rest = content;
        for part in &self.parts {
            if rest.is_empty() && part.optional {
                return true;
            }
            let plan = &part.field.plan;
            let plain =
                plan.prefix.coding == LengthCoding::Fixed && plan.is_verbatim() && is_plain(part);
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

/// Whether nothing but its plan says what a part's value is.
fn is_plain(part: &Part) -> bool {
    let Field { plan, inside, constant, .. } = &part.field;
    plan.rule == Rule::None && inside.is_none() && constant.is_none()
}

/// Whether a listed tag's value is packed digits of a length it may have.
fn value_holds(part: &Part, value: &[u8]) -> bool {
    let plan = &part.field.plan;
    if !is_plain(part) || plan.min != plan.max {
        return false;
    }
    match (plan.encoding, plan.class) {
        (Encoding::Bcd, Class::N) => {
            let (chars, odd) = (usize::from(plan.max), usize::from(plan.max & 1));
            let pad = match (odd, plan.side) {
                (0, _) => true,
                (_, Side::Left) => value.first().is_some_and(|b| b >> 4 == plan.nibble),
                (_, Side::Right) => value.last().is_some_and(|b| b & 15 == plan.nibble),
            };
            pad && plan.nibble <= 9 && 2 * value.len() == chars + odd && coding::all_decimal(value)
        }
        _ => false,
    }
}
