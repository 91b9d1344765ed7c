//! Guesses at why bytes do not fit: the mistakes that everybody makes with ISO 8583.
//!
//! Contract: looks at the bytes around a fault and says at most one sentence, never a byte; a
//! guess may be wrong, so it is worded as one. Deliberately absent: acting on a guess.

use super::charset::Class;
use super::coding::Encoding;
use super::error::Scene;
use super::fault::{Fault, Kind};
use super::field::Field;
use super::length_prefix::{LengthCoding, number};
use super::plan::Unit;

/// The likeliest cause, if any comes to mind.
pub(crate) fn cause(scene: &Scene<'_>, fault: Fault) -> Option<String> {
    let bytes = scene.frame.get(scene.start..).unwrap_or_default();
    let guess = match fault.kind {
        Kind::LengthCoding => length_coding(scene.field?, bytes.get(fault.at..)?)?,
        Kind::TooLong { .. } | Kind::Short { .. } => length(scene.field?, bytes)?,
        Kind::Character => content(scene.field?, *bytes.get(fault.at)?)?,
        Kind::Mti => mti(bytes)?,
        Kind::Pad => "the value is padded on the other side, or with another nibble",
        Kind::Odd { .. } => "odd digit count: the length counts digits, not bytes",
        Kind::Bitmap => "the bitmap is binary, or in the other case",
        Kind::TooManyBitmaps => "the bitmap is in another coding, or the dialect needs more",
        Kind::Trailing { .. } => "a field before has another length, or the peer sends a trailer",
        Kind::Unknown => "a field before has another length, or the dialect lacks this one",
        _ => return None,
    };
    Some(guess.to_owned())
}

fn length_coding(field: &Field, bytes: &[u8]) -> Option<&'static str> {
    let size = usize::from(field.plan.prefix.bytes);
    let fits = |coding, size: usize| {
        let said = bytes.get(..size).and_then(|b| number(coding, b));
        said.is_some_and(|n| n <= field.max_len())
    };
    let first = *bytes.first()?;
    match field.plan.prefix.coding {
        LengthCoding::Ascii if fits(LengthCoding::Ebcdic, size) => Some("length looks EBCDIC"),
        LengthCoding::Ascii if fits(LengthCoding::Bcd, size.div_ceil(2)) => {
            Some("length looks BCD")
        }
        LengthCoding::Bcd | LengthCoding::Ebcdic if first.is_ascii_digit() => {
            Some("length looks ASCII")
        }
        LengthCoding::Bcd if fits(LengthCoding::Binary, 1) => Some("length looks binary"),
        _ => None,
    }
}

/// The length is readable but does not fit.
fn length(field: &Field, bytes: &[u8]) -> Option<&'static str> {
    let plan = &field.plan;
    let prefix = bytes.get(..usize::from(plan.prefix.bytes))?;
    // Two ASCII digits where one byte of another coding should stand.
    let looks_ascii =
        bytes.first_chunk::<2>().is_some_and(|two| two.iter().all(u8::is_ascii_digit));
    let other = matches!(plan.prefix.coding, LengthCoding::Bcd | LengthCoding::Binary);
    if other && looks_ascii {
        return Some("length looks ASCII");
    }
    let said = number(plan.prefix.coding, prefix)?;
    let left = bytes.len() - prefix.len();
    match plan.unit {
        Unit::Digits if said > field.max_len() => Some("a field before has another length"),
        Unit::Bytes if plan.encoding == Encoding::Bcd && said.div_ceil(2) <= left => {
            Some("length counts digits")
        }
        Unit::Bytes if said > left && said / 2 == left => Some("length counts digits or nibbles"),
        _ => Some("the message is cut, or a field before has another length"),
    }
}

/// The value is readable but holds a wrong character.
fn content(field: &Field, byte: u8) -> Option<&'static str> {
    let (high, low) = (byte >> 4, byte & 15);
    match field.plan.encoding {
        Encoding::Ascii if byte >= 0xF0 && low <= 9 => Some("value looks EBCDIC"),
        Encoding::Ascii if field.class() == Class::N && !byte.is_ascii_graphic() && low <= 9 => {
            Some("value looks BCD")
        }
        Encoding::Bcd if high == 3 => Some("value looks ASCII"),
        Encoding::Bcd if high == 0xF => Some("value looks EBCDIC, or padded with F"),
        Encoding::Cp037 | Encoding::Cp1047 if byte.is_ascii_graphic() => Some("value looks ASCII"),
        _ => Some("a field before has another length"),
    }
}

fn mti(bytes: &[u8]) -> Option<&'static str> {
    let four = bytes.get(..4)?;
    if four.iter().all(u8::is_ascii_digit) {
        return Some("the MTI looks ASCII");
    }
    if four.iter().all(|b| (0xF0..=0xF9).contains(b)) {
        return Some("the MTI looks EBCDIC");
    }
    match four {
        [0..=2, _, ..] => Some("the MTI looks BCD"),
        [0x60, ..] => Some("a TPDU stands before the MTI"),
        [b'I', b'S', b'O', _] => Some("an ISO text header stands before the MTI"),
        _ => Some("a length header or another header stands before the MTI"),
    }
}
