//! The short way out of a field: what nearly every field of nearly every message needs to be
//! written.
//!
//! Contract: writes a subset of what the plan writes, byte for byte the same; whatever it does not
//! know or does not like it leaves to the plan, which then writes it or says what is wrong. Values
//! are checked and copied in whole groups, because a message has slack behind its values and the
//! output gets some. Nothing here builds an error. Deliberately absent: the way in
//! ([`super::quick`]); filling up short values.

use super::charset;
use super::coding;
use super::message::{Message, SLACK, Slot};
use super::quick::{Body, Head, MASKS, Quick, Stop, ZEROS, words_hold};

/// Room that is taken ahead of what is written, at most.
const AHEAD: usize = 1024;
/// Values up to here are copied by groups, longer ones by a call.
const BY_GROUPS: usize = 3 * SLACK;

/// The data element written last, and where it begins.
pub(super) struct Last {
    pub(super) de: u8,
    pub(super) start: usize,
}

/// Writes pending data elements of one bitmap (lowest bit: the first one after `base`) as long as
/// the short way serves.
#[inline]
pub(super) fn walk(
    table: &[Quick; 256],
    base: u8,
    pending: &mut u64,
    msg: &Message,
    out: &mut Vec<u8>,
    last: &mut Last,
) -> Stop {
    let (arena, slots) = msg.values();
    let mut at = out.len();
    out.resize(at.wrapping_add(msg.size().min(AHEAD)).wrapping_add(4 * SLACK), 0);
    let mut left = *pending;
    let stop = loop {
        if left == 0 {
            break Stop::Done;
        }
        let de = base.wrapping_add(left.trailing_zeros() as u8).wrapping_add(1);
        let quick = &table[usize::from(de)];
        let room = out.get_mut(at..).unwrap_or_default();
        let Some(bytes) = quick.put(arena, slots[usize::from(de)], room) else {
            break Stop::Plan(de);
        };
        *last = Last { de, start: at };
        at = at.wrapping_add(bytes);
        left &= left.wrapping_sub(1);
        if quick.composite {
            break Stop::Composite(de);
        }
    };
    out.truncate(at);
    *pending = left;
    stop
}

impl Quick {
    /// Writes a field to the front of `room`: how many bytes it has.
    #[inline]
    fn put(&self, arena: &[u8], slot: Slot, room: &mut [u8]) -> Option<usize> {
        if slot.len < self.min || slot.len > self.max {
            return None;
        }
        let (start, chars) = (usize::from(slot.at), usize::from(slot.len));
        let prefix = self.put_prefix(slot.len, room)?;
        let room = room.get_mut(prefix..)?;
        let good = match self.body {
            Body::Bytes => true,
            Body::Digits => words_hold(arena, start, chars, charset::eight_digits),
            Body::Printable => words_hold(arena, start, chars, charset::eight_printable),
            Body::Alphanumeric => words_hold(arena, start, chars, charset::eight_alphanumeric),
            Body::Track => words_hold(arena, start, chars, charset::eight_track),
            Body::PackedLeft | Body::PackedRight => {
                let bytes = self.squeeze(arena, start, chars, charset::eight_digits, room)?;
                return Some(prefix.wrapping_add(bytes));
            }
            Body::TrackLeft | Body::TrackRight => {
                let bytes = self.squeeze(arena, start, chars, charset::eight_track, room)?;
                return Some(prefix.wrapping_add(bytes));
            }
        };
        if !good {
            return None;
        }
        Some(prefix.wrapping_add(copy(arena, start, chars, room)?))
    }

    /// Writes the length prefix: how many bytes it has.
    #[inline]
    fn put_prefix(&self, chars: u16, room: &mut [u8]) -> Option<usize> {
        let ascii = |digit: u16| b'0'.wrapping_add(digit as u8);
        let packed = |two: u16| (two / 10 * 16).wrapping_add(two % 10) as u8;
        match self.head {
            Head::Fixed if chars == self.max => Some(0),
            Head::Ascii2 if chars < 100 => {
                *room.first_chunk_mut()? = [ascii(chars / 10), ascii(chars % 10)];
                Some(2)
            }
            Head::Ascii3 if chars < 1_000 => {
                let (hundreds, rest) = (chars / 100, chars % 100);
                *room.first_chunk_mut()? = [hundreds, rest / 10, rest % 10].map(ascii);
                Some(3)
            }
            Head::Bcd1 if chars < 100 => {
                *room.first_mut()? = packed(chars);
                Some(1)
            }
            Head::Bcd2 if chars < 10_000 => {
                *room.first_chunk_mut()? = [packed(chars / 100), packed(chars % 100)];
                Some(2)
            }
            Head::Binary1 if chars < 256 => {
                *room.first_mut()? = chars as u8;
                Some(1)
            }
            _ => None,
        }
    }

    /// Checks and packs a value, and perhaps some bytes behind it. Before an odd value padded on
    /// the left the character in front is taken along; what is not of the value counts as `'0'`.
    #[inline]
    fn squeeze(
        &self,
        arena: &[u8],
        start: usize,
        chars: usize,
        eight: impl Fn(u64) -> bool,
        room: &mut [u8],
    ) -> Option<usize> {
        let odd = chars & 1;
        let left = matches!(self.body, Body::PackedLeft | Body::TrackLeft);
        let taken = if left { odd } else { 0 };
        let start = start.checked_sub(taken)?;
        let end = chars.wrapping_add(taken);
        let mut own = !MASKS[taken];
        let mut at = 0_usize;
        while at < end {
            let chars = arena.get(start.wrapping_add(at)..)?.first_chunk()?;
            own &= MASKS[end.wrapping_sub(at).min(8) & 15];
            let word = (u64::from_le_bytes(*chars) & own) | (ZEROS & !own);
            if !eight(word) {
                return None;
            }
            let packed = coding::squeeze_eight(word.to_le_bytes());
            *room.get_mut(at / 2..)?.first_chunk_mut()? = packed;
            own = u64::MAX;
            at = at.wrapping_add(8);
        }
        let bytes = chars.wrapping_add(odd) / 2;
        if odd == 1 {
            let (at, pad) =
                if left { (0, self.nibble << 4) } else { (bytes.wrapping_sub(1), self.nibble) };
            *room.get_mut(at)? |= pad;
        }
        Some(bytes)
    }
}

/// Copies a value to the front of `room`, and perhaps some bytes behind it.
#[inline]
fn copy(arena: &[u8], start: usize, len: usize, room: &mut [u8]) -> Option<usize> {
    if len > BY_GROUPS {
        let value = arena.get(start..start.wrapping_add(len))?;
        room.get_mut(..len)?.copy_from_slice(value);
        return Some(len);
    }
    let mut at = 0_usize;
    while at < len {
        let group = arena.get(start.wrapping_add(at)..)?.first_chunk::<SLACK>()?;
        *room.get_mut(at..)?.first_chunk_mut()? = *group;
        at = at.wrapping_add(SLACK);
    }
    Some(len)
}
