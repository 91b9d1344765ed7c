//! Value in normal form → prefix and wire content, by a plan.
//!
//! Contract: the inverse of [`Plan::read`]; every value is checked first, a short one of fixed
//! length is filled up, nothing is cut. Deliberately absent: where it goes ([`super::pack`]).

use super::charset::Class;
use super::coding::{self, Encoding, Page};
use super::fault::{Fault, Kind};
use super::length_prefix::{LengthCoding, write_number};
use super::plan::{Plan, Side, Sign, Unit};

impl Plan {
    /// Checks a normal-form value and appends its prefix and content.
    #[inline]
    pub(crate) fn write(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        self.check(value)?;
        let (len, most) = (value.len(), usize::from(self.max));
        if len > most {
            return Err(Fault::new(0, Kind::TooLong { most, got: len }));
        }
        if len < usize::from(self.min) {
            return self.write_filled(value, out);
        }
        if !matches!(self.prefix.coding, LengthCoding::Fixed | LengthCoding::Rest) {
            self.write_prefix(len, out)?;
        }
        self.write_content(value, out)
    }

    #[inline]
    fn write_prefix(&self, chars: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        let bytes = self.wire_bytes(chars);
        let count = match self.unit {
            Unit::Digits => chars,
            Unit::Bytes => bytes,
            Unit::Nibbles if self.encoding == Encoding::Bcd => chars,
            Unit::Nibbles => 2 * bytes,
        };
        let size = usize::from(self.prefix.bytes);
        let count = if self.includes_itself { count + size } else { count };
        let fits = write_number(self.prefix.coding, size, count, out);
        fits.ok_or_else(|| Fault::new(0, Kind::PrefixTooSmall { got: chars }))
    }

    /// Appends the content of a checked value, without its prefix.
    #[inline]
    pub(crate) fn write_content(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        match self.encoding {
            Encoding::Ascii | Encoding::Raw => out.extend_from_slice(value),
            Encoding::Bcd => return self.write_packed(value, out),
            Encoding::Cp037 | Encoding::Cp1047 => {
                let page = Page::of(self.encoding).map_or(Ok(()), |p| p.encode(value, out));
                return page.map_err(|at| Fault::new(at, Kind::Character));
            }
            Encoding::Hex | Encoding::HexLower | Encoding::EbcdicHex => {
                coding::hex_encode(self.encoding, value, out);
            }
        }
        Ok(())
    }

    #[inline]
    fn write_packed(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.class == Class::Xn {
            self.write_signed(value, out);
            return Ok(());
        }
        if value.len().is_multiple_of(2) {
            coding::squeeze(value, out);
            return Ok(());
        }
        if self.unit == Unit::Bytes && self.nibble <= 9 && self.min != self.max {
            // Nobody could tell the pad from a digit.
            return Err(Fault::new(0, Kind::Odd { got: value.len() }));
        }
        match (self.side, value.split_first(), value.split_last()) {
            (Side::Left, Some((first, rest)), _) => {
                out.push(self.nibble << 4 | coding::nibble(*first));
                coding::squeeze(rest, out);
            }
            (Side::Right, _, Some((last, rest))) => {
                coding::squeeze(rest, out);
                out.push(coding::nibble(*last) << 4 | self.nibble);
            }
            _ => {}
        }
        Ok(())
    }

    fn write_signed(&self, value: &[u8], out: &mut Vec<u8>) {
        let Some((sign, digits)) = value.split_first() else { return };
        let mut nibbles = Vec::with_capacity(value.len() + 1);
        match self.sign {
            Sign::Byte => {
                out.push(*sign);
                nibbles.extend_from_slice(digits);
            }
            Sign::Leading => nibbles.extend_from_slice(value),
            Sign::Trailing => {
                nibbles.extend_from_slice(digits);
                nibbles.push(*sign);
            }
        }
        if nibbles.len() % 2 == 1 {
            nibbles.insert(0, b'0' + self.nibble);
        }
        coding::squeeze(&nibbles, out);
    }

    /// A short fixed value: digits get zeros in front, text is filled up behind.
    #[cold]
    fn write_filled(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let least = usize::from(self.min);
        let short = Fault::new(0, Kind::TooShort { least, got: value.len() });
        if !self.is_fixed() || value.is_empty() {
            return Err(short);
        }
        let mut full = Vec::with_capacity(least);
        match self.class {
            Class::B | Class::Xn | Class::Z => return Err(short),
            Class::N => {
                full.resize(least - value.len(), b'0');
                full.extend_from_slice(value);
            }
            _ => {
                full.extend_from_slice(value);
                full.resize(least, self.fill);
            }
        }
        self.write_content(&full, out)
    }
}
