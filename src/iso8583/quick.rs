//! The short way into a field: what nearly every field of nearly every message needs to be read.
//!
//! Contract: a [`Quick`] is made from a plan at load and accepts a subset of what the plan accepts,
//! with the same result; whatever it does not know or does not like it leaves to the plan, which
//! then accepts it or says what is wrong. Nothing here builds an error. Deliberately absent: the
//! way out ([`super::quick_pack`]); rare codings, signs, odd counts, validation rules.

use super::charset::{self, Class};
use super::coding::{self, Encoding};
use super::length_prefix::LengthCoding;
use super::message::{SLACK, Slot};
use super::plan::{Plan, Side, Unit};
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

/// Whether a field is read in a row with its neighbours: digits alone, of fixed length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row {
    Alone,
    Digits,
    /// Packed: an even number, or padded with a zero in front.
    Packed,
}

/// A field's short way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quick {
    pub(super) head: Head,
    pub(super) body: Body,
    row: Row,
    pub(super) nibble: u8,
    pub(super) composite: bool,
    pub(super) min: u16,
    pub(super) max: u16,
    /// In a row: wire bytes.
    bytes: u16,
    /// In a row: whether a zero stands in front.
    padded: bool,
}

impl Quick {
    pub(super) fn of(plan: &Plan) -> Self {
        let head = head(plan).filter(|_| plan.known && plan.rule == Rule::None);
        let body = body(plan);
        let mut quick = Self {
            head: if body.is_some() { head.unwrap_or(Head::Plan) } else { Head::Plan },
            body: body.unwrap_or(Body::Bytes),
            row: Row::Alone,
            nibble: plan.nibble,
            composite: plan.composite,
            min: plan.min,
            max: plan.max,
            bytes: plan.max,
            padded: false,
        };
        let odd = !plan.max.is_multiple_of(2);
        let fixed = quick.head == Head::Fixed && !plan.composite;
        match quick.body {
            Body::Digits if fixed => quick.row = Row::Digits,
            Body::PackedLeft | Body::PackedRight if fixed && !odd => quick.row = Row::Packed,
            Body::PackedLeft if fixed && plan.nibble == 0 => {
                (quick.row, quick.padded) = (Row::Packed, true);
            }
            _ => {}
        }
        if quick.row == Row::Packed {
            quick.bytes = plan.max.div_ceil(2);
        }
        quick
    }

    /// Where the value begins and how many characters it has.
    #[inline]
    fn head(&self, front: &[u8], at: usize) -> Option<(usize, usize)> {
        match self.head {
            Head::Fixed => Some((at, usize::from(self.max))),
            _ => self.prefixed(front, at),
        }
    }

    /// The same from the length prefix.
    #[inline]
    fn prefixed(&self, front: &[u8], at: usize) -> Option<(usize, usize)> {
        let ahead = front.get(at..)?;
        let (prefix, chars) = match self.head {
            Head::Plan | Head::Fixed => return None,
            Head::Ascii2 => (2, two(*ahead.first_chunk()?)?),
            Head::Ascii3 => (3, three(*ahead.first_chunk()?)?),
            Head::Bcd1 => (1, packed_two(*ahead.first()?)?),
            Head::Bcd2 => {
                let [high, low] = ahead.first_chunk()?;
                (2, packed_two(*high)?.wrapping_mul(100).wrapping_add(packed_two(*low)?))
            }
            Head::Binary1 => (1, u16::from(*ahead.first()?)),
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

    /// Reads a value of so many characters that lies in the frame: where it is in the message.
    #[inline]
    fn value(&self, halves: &mut Halves<'_>, start: usize, chars: usize) -> Option<usize> {
        let front = halves.front;
        match self.body {
            Body::Bytes => Some(start),
            Body::Digits => words_hold(front, start, chars, charset::eight_digits).then_some(start),
            Body::Printable | Body::Alphanumeric | Body::Track => {
                self.text_holds(front, start, chars).then_some(start)
            }
            Body::PackedLeft | Body::PackedRight | Body::TrackLeft | Body::TrackRight => {
                self.unpacked(halves, start, chars)
            }
        }
    }

    /// Whether a value has the characters that it may have, other than digits alone.
    #[inline]
    fn text_holds(&self, front: &[u8], start: usize, chars: usize) -> bool {
        match self.body {
            Body::Printable => words_hold(front, start, chars, charset::eight_printable),
            Body::Alphanumeric => words_hold(front, start, chars, charset::eight_alphanumeric),
            _ => words_hold(front, start, chars, charset::eight_track),
        }
    }

    /// Spreads packed content behind the frame copy: where the value begins.
    #[inline(never)]
    fn unpacked(&self, halves: &mut Halves<'_>, start: usize, chars: usize) -> Option<usize> {
        let content = halves.front.get(start..)?.get(..self.bytes(chars))?;
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

/// Checks `len` bytes by whole words; the last word overlaps the one before. Of a value of less
/// than a word the bytes behind it are read (there is slack) but replaced by `'0'`, which every
/// check accepts.
#[inline]
pub(super) fn words_hold(
    front: &[u8],
    start: usize,
    len: usize,
    eight: impl Fn(u64) -> bool,
) -> bool {
    let Some(ahead) = front.get(start..) else { return false };
    if len <= 8 {
        let mask = MASKS[len & 15];
        let word = ahead.first_chunk().map(|word| u64::from_le_bytes(*word));
        return word.is_some_and(|word| eight((word & mask) | (ZEROS & !mask)));
    }
    let Some(value) = ahead.get(..len) else { return false };
    let (words, _) = value.as_chunks();
    words.iter().chain(value.last_chunk()).all(|word| eight(u64::from_le_bytes(*word)))
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
#[inline(never)]
pub(super) fn walk<const VALUES: bool>(
    table: &[Quick; 256],
    base: u8,
    pending: &mut u64,
    at: &mut usize,
    halves: &mut Halves<'_>,
) -> Stop {
    let (front, limit) = (halves.front, halves.front.len().wrapping_sub(SLACK));
    while *pending != 0 {
        let de = base.wrapping_add(pending.trailing_zeros() as u8).wrapping_add(1);
        let quick = &table[usize::from(de)];
        if quick.row != Row::Alone {
            if !row::<VALUES>(table, base, pending, at, halves) {
                return Stop::Plan(de);
            }
            continue;
        }
        let Some((start, chars)) = quick.head(front, *at) else { return Stop::Plan(de) };
        let end = start.wrapping_add(quick.bytes(chars));
        if end > limit {
            return Stop::Plan(de);
        }
        let value = if VALUES { quick.value(halves, start, chars) } else { Some(start) };
        let Some(value) = value else { return Stop::Plan(de) };
        let raw_len = end.wrapping_sub(*at) as u16;
        halves.slots[usize::from(de)] =
            Slot { at: value as u16, len: chars as u16, raw_at: *at as u16, raw_len };
        *at = end;
        *pending &= pending.wrapping_sub(1);
        if VALUES && quick.composite {
            return Stop::Composite(de);
        }
    }
    Stop::Done
}

/// Reads the pending data elements in front that are of one row. Where they lie follows from their
/// lengths, so they are looked at together, as one run of digits; on `false` nothing was read, and
/// the plan of the first is asked. Not inlined: its few values have registers of their own.
#[inline(never)]
fn row<const VALUES: bool>(
    table: &[Quick; 256],
    base: u8,
    pending: &mut u64,
    at: &mut usize,
    halves: &mut Halves<'_>,
) -> bool {
    let (front, slots) = (halves.front, &mut *halves.slots);
    let first = base.wrapping_add(1);
    let number = |left: u64| usize::from(first.wrapping_add(left.trailing_zeros() as u8));
    let kind = table[number(*pending)].row;
    let packed = VALUES && kind == Row::Packed;
    let (mut here, mut left, mut good) = (*at, *pending, true);
    let mut value = if packed { front.len().wrapping_add(halves.used) } else { here };
    loop {
        let de = number(left);
        let quick = &table[de];
        if quick.row != kind {
            break;
        }
        let bytes = usize::from(quick.bytes);
        let skip = usize::from(packed && quick.padded);
        good &= skip == 0 || front.get(here).is_some_and(|byte| *byte < 0x10);
        let at = value.wrapping_add(skip) as u16;
        slots[de] = Slot { at, len: quick.max, raw_at: here as u16, raw_len: quick.bytes };
        here = here.wrapping_add(bytes);
        value = value.wrapping_add(if packed { bytes.wrapping_mul(2) } else { bytes });
        left &= left.wrapping_sub(1);
        if left == 0 {
            break;
        }
    }
    let len = here.wrapping_sub(*at);
    let fits = good && here <= front.len().wrapping_sub(SLACK);
    let holds = match kind {
        _ if !fits || !VALUES => fits,
        Row::Packed => spread_row(halves, *at, len),
        Row::Digits | Row::Alone => words_hold(front, *at, len, charset::eight_digits),
    };
    if holds {
        (*at, *pending) = (here, left);
    }
    holds
}

/// Spreads packed digits behind the frame copy.
#[inline]
fn spread_row(halves: &mut Halves<'_>, start: usize, len: usize) -> bool {
    let used = halves.used;
    let room = used.wrapping_add(coding::spread_room(len));
    let content = halves.front.get(start..).and_then(|ahead| ahead.get(..len));
    let (Some(content), Some(room)) = (content, halves.back.get_mut(used..room)) else {
        return false;
    };
    halves.used = used.wrapping_add(len.wrapping_mul(2));
    let good = coding::spread_checked(content, room);
    if !good {
        halves.used = used;
    }
    good
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
