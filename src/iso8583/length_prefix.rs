//! Length prefixes: the number in front of a value, in five codings.
//!
//! Contract: [`number`] and [`write_number`] are each other's inverse for a prefix of so many
//! bytes.
//! Deliberately absent: what the number counts ([`super::plan::Unit`]).

/// How a length prefix is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LengthCoding {
    /// No prefix: always the maximum.
    Fixed,
    /// No prefix: whatever is left (parts of composites only).
    Rest,
    Ascii,
    Ebcdic,
    Bcd,
    Binary,
    Hex,
}

/// A length prefix: coding and size on the wire in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) coding: LengthCoding,
    pub(crate) bytes: u8,
}

/// The number in a length prefix; `None` when it is not well formed in its coding.
#[inline]
pub(crate) fn number(coding: LengthCoding, prefix: &[u8]) -> Option<usize> {
    let (mut value, mut good) = (0_usize, true);
    for byte in prefix {
        let (base, digit) = match coding {
            LengthCoding::Ascii => (10, byte.wrapping_sub(b'0')),
            LengthCoding::Ebcdic => (10, byte.wrapping_sub(0xF0)),
            LengthCoding::Bcd => {
                let (high, low) = (byte >> 4, byte & 15);
                good &= high <= 9;
                (100, if low > 9 { u8::MAX } else { high.wrapping_mul(10).wrapping_add(low) })
            }
            LengthCoding::Binary => (256, *byte),
            LengthCoding::Hex => (16, hex_digit(*byte)),
            LengthCoding::Fixed | LengthCoding::Rest => return None,
        };
        good &= coding == LengthCoding::Binary || usize::from(digit) < base;
        value = value.wrapping_mul(base).wrapping_add(usize::from(digit));
    }
    good.then_some(value)
}

fn hex_digit(c: u8) -> u8 {
    match c {
        b'0'..=b'9' => c - b'0',
        b'A'..=b'F' => c - b'A' + 10,
        _ => u8::MAX,
    }
}

/// Appends a number of `size` bytes; `None` when it does not fit.
#[inline]
pub(crate) fn write_number(
    coding: LengthCoding,
    size: usize,
    mut value: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    let mut bytes = [0_u8; 8];
    let room = bytes.get_mut(..size)?;
    for byte in room.iter_mut().rev() {
        let base = match coding {
            LengthCoding::Ascii | LengthCoding::Ebcdic => 10,
            LengthCoding::Bcd => 100,
            LengthCoding::Binary => 256,
            LengthCoding::Hex => 16,
            LengthCoding::Fixed | LengthCoding::Rest => return None,
        };
        let digit = (value % base) as u8;
        *byte = match coding {
            LengthCoding::Ascii => b'0' + digit,
            LengthCoding::Ebcdic => 0xF0 + digit,
            LengthCoding::Bcd => ((digit / 10) << 4) | (digit % 10),
            LengthCoding::Hex => b"0123456789ABCDEF"[usize::from(digit)],
            _ => digit,
        };
        value /= base;
    }
    out.extend_from_slice(room);
    (value == 0).then_some(())
}
