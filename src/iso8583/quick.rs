//! The short way into a field: what nearly every field of nearly every message needs to be read.
//!
//! Contract: a [`Quick`] is made from a plan at load and accepts a subset of what the plan accepts,
//! with the same result; whatever it does not know or does not like it leaves to the plan, which
//! then accepts it or says what is wrong. Nothing here builds an error. Deliberately absent: the
//! way out ([`super::quick_pack`]); rare codings, signs, odd counts, validation rules.

use super::charset::{self, Class};
use super::coding::{self, Encoding};
use super::message::{SLACK, Slot};
use super::plan::{LengthCoding, Plan, Side, Unit};
use super::validate::Rule;

/// How the length is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// Not for us.
    Plan,
    Fixed,
    Ascii2,
    Ascii3,
    Bcd1,
    Bcd2,
    Binary1,
}

/// What is done with the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    Digits,
    Printable,
    Bytes,
    Alphanumeric,
    Track,
    // From here on packed.
    /// Packed digits; an odd one is padded on the left.
    PackedLeft,
    /// Packed digits; an odd one is padded on the right.
    PackedRight,
    /// Packed track characters, padded on the left or right.
    TrackLeft,
    TrackRight,
}

/// A field's short way, sixteen bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quick {
    pub(super) head: Head,
    pub(super) body: Body,
    pub(super) nibble: u8,
    pub(super) composite: bool,
    pub(super) min: u16,
    pub(super) max: u16,
}

impl Quick {
    pub(super) fn of(plan: &Plan) -> Self {
        let head = head(plan).filter(|_| plan.known && plan.rule == Rule::None);
        let body = body(plan);
        Self {
            head: if body.is_some() { head.unwrap_or(Head::Plan) } else { Head::Plan },
            body: body.unwrap_or(Body::Bytes),
            nibble: plan.nibble,
            composite: plan.composite,
            min: plan.min,
            max: plan.max,
        }
    }

    /// Where the value begins and how many characters it has, from the length prefix.
    #[inline]
    fn head(&self, front: &[u8], at: usize) -> Option<(usize, usize)> {
        let (prefix, chars) = match self.head {
            Head::Plan => return None,
            Head::Fixed => return Some((at, usize::from(self.max))),
            Head::Ascii2 => (2, two(*front.get(at..)?.first_chunk()?)?),
            Head::Ascii3 => (3, three(*front.get(at..)?.first_chunk()?)?),
            Head::Bcd1 => (1, packed_two(*front.get(at)?)?),
            Head::Bcd2 => {
                let [high, low] = front.get(at..)?.first_chunk()?;
                (2, packed_two(*high)?.wrapping_mul(100).wrapping_add(packed_two(*low)?))
            }
            Head::Binary1 => (1, u16::from(*front.get(at)?)),
        };
        let fits = chars >= self.min && chars <= self.max;
        fits.then_some((at.wrapping_add(prefix), usize::from(chars)))
    }

    /// Wire bytes of so many characters.
    #[inline]
    fn bytes(&self, chars: usize) -> usize {
        match self.body {
            Body::Bytes | Body::Digits | Body::Printable | Body::Alphanumeric | Body::Track => {
                chars
            }
            Body::PackedLeft | Body::PackedRight | Body::TrackLeft | Body::TrackRight => {
                chars.wrapping_add(1) >> 1
            }
        }
    }

    /// Reads a value of so many characters: where it is in the message, and where the field ends.
    #[inline]
    fn value(&self, halves: &mut Halves<'_>, start: usize, chars: usize) -> Option<(usize, usize)> {
        let front = halves.front;
        let good = match self.body {
            Body::Bytes => true,
            Body::Digits => words_hold(front, start, chars, charset::eight_digits),
            Body::Printable => words_hold(front, start, chars, charset::eight_printable),
            Body::Alphanumeric => words_hold(front, start, chars, charset::eight_alphanumeric),
            Body::Track => words_hold(front, start, chars, charset::eight_track),
            _ => {
                let end = start.wrapping_add(self.bytes(chars));
                return Some((self.unpacked(halves, start, end, chars)?, end));
            }
        };
        good.then_some((start, start.wrapping_add(chars)))
    }

    /// Spreads packed content behind the frame copy: where the value begins.
    #[inline]
    fn unpacked(
        &self,
        halves: &mut Halves<'_>,
        start: usize,
        end: usize,
        chars: usize,
    ) -> Option<usize> {
        let content = halves.front.get(start..end)?;
        let used = halves.used;
        let room = used.wrapping_add(coding::spread_room(content.len()));
        let decimal = coding::spread_checked(content, halves.back.get_mut(used..room)?);
        let left = matches!(self.body, Body::PackedLeft | Body::TrackLeft);
        let odd = chars & 1;
        if odd == 1 {
            let pad = if left { content.first()? >> 4 } else { content.last()? & 15 };
            if pad != self.nibble {
                return None;
            }
        }
        if !decimal && matches!(self.body, Body::PackedLeft | Body::PackedRight) {
            return None;
        }
        halves.used = used.wrapping_add(content.len().wrapping_mul(2));
        let skip = if left { odd } else { 0 };
        Some(halves.front.len().wrapping_add(used).wrapping_add(skip))
    }
}

/// The lowest bytes of a word, by how many of them count. Sixteen entries need no check.
pub(super) const MASKS: [u64; 16] = {
    let mut masks = [u64::MAX; 16];
    let mut bytes = 0;
    while bytes < 8 {
        masks[bytes] = (1 << (8 * bytes)) - 1;
        bytes += 1;
    }
    masks
};

/// What stands for bytes that do not count: every check accepts it.
pub(super) const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Checks `len` bytes by whole words. Bytes behind them are read (there is slack) but replaced by
/// `'0'`, which every check accepts.
#[inline]
pub(super) fn words_hold(
    front: &[u8],
    start: usize,
    len: usize,
    eight: impl Fn(u64) -> bool,
) -> bool {
    let word = |at: usize| {
        let rest = front.get(at..)?;
        rest.first_chunk().map(|eight| u64::from_le_bytes(*eight))
    };
    let (mut at, mut left) = (start, len);
    while left > 8 {
        match word(at) {
            Some(word) if eight(word) => {}
            _ => return false,
        }
        at = at.wrapping_add(8);
        left = left.wrapping_sub(8);
    }
    let mask = MASKS[left & 15];
    word(at).is_some_and(|word| eight((word & mask) | (ZEROS & !mask)))
}

/// A loaded message taken apart: the frame copy with its slack, the room behind it, the slots.
pub(super) struct Halves<'a> {
    pub(super) front: &'a [u8],
    pub(super) back: &'a mut [u8],
    /// What is used of `back`.
    pub(super) used: usize,
    pub(super) slots: &'a mut [Slot; 256],
}

/// Why a walk stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Every pending data element was read.
    Done,
    /// This one is for its plan; it is still pending.
    Plan(u8),
    /// This one was read and has an inner structure to check.
    Composite(u8),
}

/// Reads pending data elements of one bitmap (lowest bit: the first one after `base`) as long as
/// the short way serves. Without `VALUES` only where they lie.
#[inline]
pub(super) fn walk<const VALUES: bool>(
    table: &[Quick; 256],
    base: u8,
    pending: &mut u64,
    at: &mut usize,
    halves: &mut Halves<'_>,
) -> Stop {
    let limit = halves.front.len().wrapping_sub(SLACK);
    let (mut here, mut left) = (*at, *pending);
    let stop = loop {
        if left == 0 {
            break Stop::Done;
        }
        let de = base.wrapping_add(left.trailing_zeros() as u8).wrapping_add(1);
        let quick = &table[usize::from(de)];
        let Some((start, chars)) = quick.head(halves.front, here) else { break Stop::Plan(de) };
        let read = if VALUES {
            quick.value(halves, start, chars)
        } else {
            Some((start, start.wrapping_add(quick.bytes(chars))))
        };
        let Some((value, end)) = read.filter(|(_, end)| *end <= limit) else {
            break Stop::Plan(de);
        };
        let slot = &mut halves.slots[usize::from(de)];
        slot.at = value as u16;
        slot.len = chars as u16;
        slot.raw_at = here as u16;
        slot.raw_len = end.wrapping_sub(here) as u16;
        here = end;
        left &= left.wrapping_sub(1);
        if VALUES && quick.composite {
            break Stop::Composite(de);
        }
    };
    (*at, *pending) = (here, left);
    stop
}

/// The short way of every data element, by number.
pub(super) fn table(plans: &[Plan]) -> Box<[Quick; 256]> {
    let mut table = Box::new([Quick::of(&Plan::UNKNOWN); 256]);
    for (quick, plan) in table.iter_mut().zip(plans) {
        *quick = Quick::of(plan);
    }
    table
}

fn head(plan: &Plan) -> Option<Head> {
    if plan.includes_itself {
        return None;
    }
    let packed = plan.encoding == Encoding::Bcd;
    let unit = match plan.unit {
        Unit::Digits => true,
        Unit::Bytes => !packed,
        Unit::Nibbles => packed,
    };
    match (plan.prefix.coding, plan.prefix.bytes) {
        (LengthCoding::Fixed, _) => Some(Head::Fixed),
        _ if !unit => None,
        (LengthCoding::Ascii, 2) => Some(Head::Ascii2),
        (LengthCoding::Ascii, 3) => Some(Head::Ascii3),
        (LengthCoding::Bcd, 1) => Some(Head::Bcd1),
        (LengthCoding::Bcd, 2) => Some(Head::Bcd2),
        (LengthCoding::Binary, 1) => Some(Head::Binary1),
        _ => None,
    }
}

fn body(plan: &Plan) -> Option<Body> {
    match (plan.encoding, plan.class) {
        (Encoding::Raw, _) | (Encoding::Ascii, Class::Any) => Some(Body::Bytes),
        (Encoding::Ascii, Class::N) => Some(Body::Digits),
        (Encoding::Ascii, Class::Ans) => Some(Body::Printable),
        (Encoding::Ascii, Class::An | Class::Anp) => Some(Body::Alphanumeric),
        (Encoding::Ascii, Class::Z) => Some(Body::Track),
        // A digit for a pad would not be seen by the check of digits; a letter would.
        (Encoding::Bcd, Class::N) if plan.nibble <= 9 && !plan.any_pad => Some(match plan.side {
            Side::Left => Body::PackedLeft,
            Side::Right => Body::PackedRight,
        }),
        (Encoding::Bcd, Class::Z) if !plan.any_pad => Some(match plan.side {
            Side::Left => Body::TrackLeft,
            Side::Right => Body::TrackRight,
        }),
        _ => None,
    }
}

#[inline]
fn two(digits: [u8; 2]) -> Option<u16> {
    let [a, b] = digits.map(|c| u16::from(c.wrapping_sub(b'0')));
    (a <= 9 && b <= 9).then(|| a.wrapping_mul(10).wrapping_add(b))
}

#[inline]
fn three([a, rest @ ..]: [u8; 3]) -> Option<u16> {
    let a = u16::from(a.wrapping_sub(b'0'));
    let rest = two(rest)?;
    (a <= 9).then(|| a.wrapping_mul(100).wrapping_add(rest))
}

#[inline]
fn packed_two(byte: u8) -> Option<u16> {
    let (high, low) = (u16::from(byte >> 4), u16::from(byte & 15));
    (high <= 9 && low <= 9).then(|| high.wrapping_mul(10).wrapping_add(low))
}
