//! Values as characters of their field: numbers to digits, widths, filling up, composites.
//!
//! Contract: nothing is cut; text is filled up behind with spaces, digits never (12 is not 012).
//! Deliberately absent: which value goes where ([`super::write`]).

use super::WriteError;
use super::take::name_of;
use crate::iso8583::rules::{Atom, Part, Shape, What, Width};
use crate::iso8583::{Class, Message};
use crate::text::Short;

/// The longest composite, and the longest fixed value that has to be filled up.
const ROOM: usize = 256;
/// Zeros, for numbers, filling and the place of the MAC.
pub(super) const ZEROS: [u8; ROOM] = [b'0'; ROOM];

const SPACES: [u8; ROOM] = [b' '; ROOM];

/// A value before it has a width.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    /// Characters, up to sixteen.
    Short(Short),
    /// Characters, however many.
    Long(&'a [u8]),
    Number(u64),
    /// C or D, then digits.
    Signed(i64),
}

impl<'a> Value<'a> {
    /// As characters; a number gets exactly `width` digits, `None` where it has more.
    fn characters<'s>(self, width: usize, scratch: &'s mut Scratch) -> Option<&'s [u8]>
    where
        'a: 's,
    {
        let width = width.min(NUMBER_MAX);
        match self {
            Self::Long(text) => Some(text),
            Self::Short(short) => {
                *scratch.first_chunk_mut()? = short.bytes();
                scratch.get(..short.len())
            }
            Self::Number(number) => {
                digits(number, width, scratch)?;
                scratch.get(..width)
            }
            Self::Signed(number) => {
                let (sign, rest) = scratch.split_first_mut()?;
                digits(number.unsigned_abs(), width.checked_sub(1)?, rest)?;
                *sign = if number < 0 { b'D' } else { b'C' };
                scratch.get(..width)
            }
        }
    }
}

/// The most digits a number gets.
const NUMBER_MAX: usize = 20;

/// Room for the digits of a number and a sign: the digits are written sixteen at a time.
type Scratch = [u8; 1 + NUMBER_MAX + Short::MOST];
const SCRATCH: Scratch = [0; 1 + NUMBER_MAX + Short::MOST];

/// Puts a number's digits, right-justified, to the front; `None` where it has more than `width`.
fn digits(number: u64, width: usize, into: &mut [u8]) -> Option<()> {
    const SIXTEEN: u64 = 10_000_000_000_000_000;
    let beyond = width.saturating_sub(Short::MOST);
    let (front, back) = if beyond > 0 { (number / SIXTEEN, number % SIXTEEN) } else { (0, number) };
    *into.first_chunk_mut()? = Short::of_number(front, beyond)?.bytes();
    *into.get_mut(beyond..)?.first_chunk_mut()? = Short::of_number(back, width - beyond)?.bytes();
    Some(())
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

/// Puts a value into a data element as wide as the field wants it.
pub(super) fn put(
    de: u8,
    atom: Atom,
    shape: Shape,
    value: Value<'_>,
    message: &mut Message,
) -> Result<(), WriteError> {
    let fits = |len| len == shape.max || (!shape.fixed && len < shape.max);
    let short = match value {
        Value::Short(short) if fits(short.len()) => Some(short),
        Value::Number(number) => Short::of_number(number, shape.max),
        Value::Long(text) if fits(text.len()) => return set(message, de, text),
        _ => None,
    };
    match short {
        Some(short) => message.set_short(de, short).map_err(|_| WriteError::Full { de }),
        None => put_slowly(de, atom.word(), shape, value, message),
    }
}

/// A value that has to be filled up, has many digits, or does not fit.
#[inline(never)]
fn put_slowly(
    de: u8,
    name: &'static str,
    shape: Shape,
    value: Value<'_>,
    message: &mut Message,
) -> Result<(), WriteError> {
    let (most, mut scratch) = (shape.max, SCRATCH);
    if let Value::Short(short) = value
        && shape.class != Class::N
        && let Some(filled) = short.filled(most)
    {
        return message.set_short(de, filled).map_err(|_| WriteError::Full { de });
    }
    let too_long = WriteError::TooLong { de, name, most, got: most + 1 };
    let text = value.characters(most, &mut scratch).ok_or(too_long)?;
    if text.len() == most || (!shape.fixed && text.len() < most) {
        return set(message, de, text);
    }
    put_filled(de, name, shape, text, message)
}

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
    value: Value<'_>,
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
            let count = Short::of_number(text.len() as u64, size).ok_or(too_long(text.len()))?;
            room.push(&count.bytes()[..size]).ok_or(too_long(text.len()))?;
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
                let made = Value::Number(number).characters(width, &mut scratch);
                assert_eq!(made, (said.len() == width).then_some(said.as_bytes()));
            }
        }
    }
}
