//! Values as characters of their field: numbers to digits, widths, filling up, composites.
//!
//! Contract: nothing is cut; text is filled up behind with spaces, digits never (12 is not 012).
//! Deliberately absent: which value goes where ([`super::write`]).

use super::WriteError;
use super::read::name_of;
use crate::iso8583::rules::{Atom, Part, Shape, What, Width};
use crate::iso8583::{Class, Message};
use crate::text::Text;

/// The longest composite, and the longest fixed value that has to be filled up.
const ROOM: usize = 256;
/// Zeros, for numbers, filling and the place of the MAC.
pub(super) const ZEROS: [u8; ROOM] = [b'0'; ROOM];

const SPACES: [u8; ROOM] = [b' '; ROOM];

/// A value before it has a width.
pub(super) enum Value<'a> {
    Text(&'a [u8]),
    Code(Text<4>),
    Number(u64),
    /// C or D, then digits.
    Signed(i64),
}

impl Value<'_> {
    /// As characters; a number gets exactly `width` digits, `None` where it has more.
    fn characters<'s>(&'s self, width: usize, scratch: &'s mut Scratch) -> Option<&'s [u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Code(code) => Some(code.as_bytes()),
            Self::Number(number) => digits(*number, width.min(20), scratch),
            Self::Signed(number) => {
                let width = width.min(20);
                let first = scratch.len().checked_sub(width)?;
                digits(number.unsigned_abs(), width.checked_sub(1)?, scratch)?;
                *scratch.get_mut(first)? = if *number < 0 { b'D' } else { b'C' };
                scratch.get(first..)
            }
        }
    }
}

/// A composite under construction.
pub(super) struct Room {
    bytes: [u8; ROOM],
    len: usize,
}

impl Room {
    pub(super) const EMPTY: Self = Self { bytes: [0; ROOM], len: 0 };

    pub(super) fn push(&mut self, value: &[u8]) -> Option<()> {
        let place = self.bytes.get_mut(self.len..self.len + value.len())?;
        place.copy_from_slice(value);
        self.len += value.len();
        Some(())
    }

    pub(super) fn get(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[inline]
pub(super) fn set(message: &mut Message, de: u8, value: &[u8]) -> Result<(), WriteError> {
    message.set(de, value).map_err(|_| WriteError::Full { de })
}

/// Room for a number's digits: three groups of eight.
type Scratch = [u8; 24];
const SCRATCH: Scratch = [b'0'; 24];

/// A number as digits, right-justified; `None` where it has more than `width`.
fn digits(number: u64, width: usize, into: &mut Scratch) -> Option<&[u8]> {
    const GROUP: u64 = 100_000_000;
    let first = into.len().checked_sub(width)?;
    let mut left = number;
    for group in into.as_chunks_mut::<8>().0.iter_mut().rev() {
        *group = eight_digits(left % GROUP);
        left /= GROUP;
        if left == 0 {
            break;
        }
    }
    let most = u32::try_from(width).ok().and_then(|width| 10_u64.checked_pow(width));
    most.is_none_or(|most| number < most).then(|| &into[first..])
}

/// A number below 100,000,000 as eight digits, made side by side: two fours, four twos, eight.
#[inline]
fn eight_digits(number: u64) -> [u8; 8] {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    // A multiplication and a shift instead of the division by 100, then by 10.
    let hundreds = (fours.wrapping_mul(10_486) >> 20) & 0x0000_007F_0000_007F;
    let twos = hundreds | fours.wrapping_sub(hundreds.wrapping_mul(100)) << 16;
    let tens = (twos.wrapping_mul(103) >> 10) & 0x000F_000F_000F_000F;
    let ones = tens | twos.wrapping_sub(tens.wrapping_mul(10)) << 8;
    (ones | 0x3030_3030_3030_3030).to_le_bytes()
}

pub(super) fn put_value(
    de: u8,
    name: &'static str,
    shape: Shape,
    value: &Value<'_>,
    message: &mut Message,
) -> Result<(), WriteError> {
    let (most, mut scratch) = (shape.max, SCRATCH);
    let too_long = WriteError::TooLong { de, name, most, got: most + 1 };
    let text = value.characters(most, &mut scratch).ok_or(too_long)?;
    put_text(de, name, shape, text, message)
}

#[inline]
pub(super) fn put_number(
    de: u8,
    name: &'static str,
    shape: Shape,
    number: u64,
    message: &mut Message,
) -> Result<(), WriteError> {
    let (most, mut scratch) = (shape.max, SCRATCH);
    match digits(number, most.min(20), &mut scratch) {
        Some(text) => set(message, de, text),
        None => Err(WriteError::TooLong { de, name, most, got: most + 1 }),
    }
}

#[inline]
pub(super) fn put_text(
    de: u8,
    name: &'static str,
    shape: Shape,
    text: &[u8],
    message: &mut Message,
) -> Result<(), WriteError> {
    let (most, got) = (shape.max, text.len());
    if got == most || (!shape.fixed && got < most) {
        return set(message, de, text);
    }
    put_filled(de, name, shape, text, message)
}

#[inline(never)]
fn put_filled(
    de: u8,
    name: &'static str,
    shape: Shape,
    text: &[u8],
    message: &mut Message,
) -> Result<(), WriteError> {
    let (most, got) = (shape.max, text.len());
    if got > most {
        return Err(WriteError::TooLong { de, name, most, got });
    }
    let mut room = Room::EMPTY;
    fill(de, name, text, most, shape.class == Class::N, &mut room)?;
    set(message, de, room.get())
}

/// Text is filled up behind with spaces. Digits are never filled up: 12 is not 012.
fn fill(
    de: u8,
    name: &'static str,
    text: &[u8],
    width: usize,
    numeric: bool,
    room: &mut Room,
) -> Result<(), WriteError> {
    let length = WriteError::Length { de, name, want: width, got: text.len() };
    if numeric || text.len() > width {
        return Err(length);
    }
    room.push(text).ok_or(length)?;
    let spaces = SPACES.get(..width - text.len()).ok_or(length)?;
    room.push(spaces).ok_or(length)
}

pub(super) fn push_part(
    de: u8,
    part: &Part,
    value: &Value<'_>,
    room: &mut Room,
) -> Result<(), WriteError> {
    let name = name_of(part);
    let (Width::Fixed(most) | Width::Rest(most) | Width::Counted(_, most)) = part.width else {
        return Ok(());
    };
    let mut scratch = SCRATCH;
    let too_long = |got| WriteError::TooLong { de, name, most, got };
    let text = value.characters(most, &mut scratch).ok_or(too_long(most + 1))?;
    if text.len() > most {
        return Err(too_long(text.len()));
    }
    match part.width {
        Width::Counted(size, _) => {
            let mut scratch = SCRATCH;
            let count =
                digits(text.len() as u64, size, &mut scratch).ok_or(too_long(text.len()))?;
            room.push(count).ok_or(too_long(text.len()))?;
            room.push(text).ok_or(too_long(text.len()))
        }
        // Institution ids are right-justified and zero filled in original data (domain.md 2).
        Width::Fixed(width)
            if matches!(
                part.what,
                What::Atom(Atom::OriginalAcquirer | Atom::OriginalForwarder)
            ) =>
        {
            room.push(&ZEROS[..(width - text.len()).min(ROOM)]).ok_or(too_long(text.len()))?;
            room.push(text).ok_or(too_long(text.len()))
        }
        Width::Fixed(width) if text.len() != width => {
            fill(de, name, text, width, is_digits(part), room)
        }
        Width::Fixed(_) | Width::Rest(_) | Width::Whole => {
            room.push(text).ok_or(too_long(text.len()))
        }
    }
}

/// Terminals and merchants are text; every other part of a composite is digits.
fn is_digits(part: &Part) -> bool {
    !matches!(part.what, What::Atom(Atom::Terminal | Atom::Merchant | Atom::Rrn | Atom::AuthId))
}

pub(super) fn check_carried(de: u8, value: &[u8], shape: Option<Shape>) -> Result<(), WriteError> {
    let name = "carried";
    let shape = shape.ok_or(WriteError::Missing { de, name })?;
    if value.len() > shape.max {
        return Err(WriteError::TooLong { de, name, most: shape.max, got: value.len() });
    }
    if shape.fixed && shape.class == Class::N && value.len() != shape.max {
        return Err(WriteError::Length { de, name, want: shape.max, got: value.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_number_or_none() {
        let numbers = (0..19_u32).flat_map(|n| [10_u64.pow(n) - 1, 10_u64.pow(n)]);
        for number in numbers.chain(0..10_000).chain([u64::MAX]) {
            for width in [1, 2, 3, 6, 8, 9, 12, 16, 17, 20] {
                let said = format!("{number:0width$}");
                let mut scratch = SCRATCH;
                let made = digits(number, width, &mut scratch);
                assert_eq!(made, (said.len() == width).then_some(said.as_bytes()));
            }
        }
    }
}
