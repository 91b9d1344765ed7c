//! How one field is read and written: coding × length prefix × padding, compiled.
//!
//! Contract: [`Plan::measure`] finds a field's extent from its prefix, [`Plan::read`] turns wire
//! content into the normal form, [`Plan::write`] is their inverse; what `read` accepts, `write`
//! gives back byte for byte. Same code for data elements and parts of composites. Deliberately
//! absent: names, secrecy and everything else that only people want ([`super::field`]).

use super::charset::Class;
use super::coding::{self, Encoding, Page};
use super::fault::{Fault, Kind, take};
use super::validate::Rule;

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

/// What the number in a prefix counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Characters of the value: digits of `n` and `z`, bytes of a `b` value.
    Digits,
    /// Bytes on the wire.
    Bytes,
    /// Half-bytes: digits of packed fields, twice the bytes of everything else.
    Nibbles,
}

/// Which end of a packed value takes the odd nibble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Where the sign of a packed `x+n` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// An ASCII byte before the digits.
    Byte,
    /// A nibble (C or D) before the digits.
    Leading,
    /// A nibble (C or D) after the digits.
    Trailing,
}

/// Everything needed to read and write one field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) known: bool,
    pub(crate) encoding: Encoding,
    pub(crate) class: Class,
    pub(crate) prefix: Prefix,
    pub(crate) unit: Unit,
    /// The number in the prefix includes the prefix's own bytes.
    pub(crate) includes_itself: bool,
    /// Normal-form length in characters (bytes for `b`).
    pub(crate) min: u16,
    pub(crate) max: u16,
    pub(crate) side: Side,
    /// The nibble that fills an odd packed value.
    pub(crate) nibble: u8,
    /// Any nibble is accepted as padding (and written back as `nibble`).
    pub(crate) any_pad: bool,
    pub(crate) sign: Sign,
    /// What a short fixed text value is filled up with.
    pub(crate) fill: u8,
    pub(crate) rule: Rule,
    /// Whether the content has an inner structure to check.
    pub(crate) composite: bool,
}

/// Where a field's content lies, from the field's first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Bytes of the prefix.
    pub(crate) prefix: usize,
    /// Bytes of the content.
    pub(crate) bytes: usize,
    /// Characters of the normal form (an upper bound where the prefix counts packed bytes).
    pub(crate) chars: usize,
}

impl Plan {
    /// A data element the dialect does not know.
    pub(crate) const UNKNOWN: Self = Self {
        known: false,
        encoding: Encoding::Raw,
        class: Class::B,
        prefix: Prefix { coding: LengthCoding::Rest, bytes: 0 },
        unit: Unit::Bytes,
        includes_itself: false,
        min: 0,
        max: u16::MAX,
        side: Side::Left,
        nibble: 0,
        any_pad: false,
        sign: Sign::Byte,
        fill: b' ',
        rule: Rule::None,
        composite: false,
    };

    /// Whether the normal form is the wire content itself.
    #[inline]
    pub(crate) fn is_verbatim(&self) -> bool {
        matches!(self.encoding, Encoding::Ascii | Encoding::Raw)
    }

    /// Whether the length is always the same.
    pub(crate) fn is_fixed(&self) -> bool {
        self.prefix.coding == LengthCoding::Fixed
    }

    /// Wire bytes of a value of so many characters.
    #[inline]
    pub(crate) fn wire_bytes(&self, chars: usize) -> usize {
        match self.encoding {
            Encoding::Ascii | Encoding::Raw | Encoding::Cp037 | Encoding::Cp1047 => chars,
            Encoding::Bcd if self.class == Class::Xn && self.sign == Sign::Byte => 1 + chars / 2,
            Encoding::Bcd => chars.div_ceil(2),
            Encoding::Hex | Encoding::HexLower | Encoding::EbcdicHex => 2 * chars,
        }
    }

    /// Characters that so many wire bytes hold.
    fn chars_of(&self, bytes: usize) -> Result<usize, Fault> {
        match self.encoding {
            Encoding::Ascii | Encoding::Raw | Encoding::Cp037 | Encoding::Cp1047 => Ok(bytes),
            Encoding::Bcd if self.class == Class::Xn && self.sign == Sign::Byte => {
                Ok((2 * bytes).saturating_sub(1))
            }
            Encoding::Bcd => Ok(2 * bytes),
            Encoding::Hex | Encoding::HexLower | Encoding::EbcdicHex => halved(bytes),
        }
    }

    /// Reads the length prefix, if there is one, and says where the content lies. Whether the
    /// content is all there is not checked here.
    #[inline]
    pub(crate) fn measure(&self, input: &[u8]) -> Result<Extent, Fault> {
        match self.prefix.coding {
            LengthCoding::Fixed => {
                let chars = usize::from(self.max);
                Ok(Extent { prefix: 0, bytes: self.wire_bytes(chars), chars })
            }
            LengthCoding::Rest => self.extent(0, input.len(), Unit::Bytes),
            _ => {
                let size = usize::from(self.prefix.bytes);
                let (_, prefix) = take(size, input)?;
                let said = number(self.prefix.coding, prefix)
                    .ok_or_else(|| Fault::new(0, Kind::LengthCoding))?;
                let own = if self.includes_itself { size } else { 0 };
                let count = said.checked_sub(own);
                let below = || Fault::new(0, Kind::LengthBelowItself { got: said });
                self.extent(size, count.ok_or_else(below)?, self.unit)
            }
        }
    }

    #[inline]
    fn extent(&self, prefix: usize, count: usize, unit: Unit) -> Result<Extent, Fault> {
        let extent = match unit {
            Unit::Digits => Extent { prefix, bytes: self.wire_bytes(count), chars: count },
            Unit::Bytes => Extent { prefix, bytes: count, chars: self.chars_of(count)? },
            Unit::Nibbles if self.encoding == Encoding::Bcd => {
                Extent { prefix, bytes: self.wire_bytes(count), chars: count }
            }
            Unit::Nibbles => {
                let bytes = halved(count)?;
                Extent { prefix, bytes, chars: self.chars_of(bytes)? }
            }
        };
        let extent = self.without_pad(unit, extent);
        // The count of packed bytes may include one pad nibble.
        let most = usize::from(self.max) + usize::from(self.strips_pad(unit));
        if extent.chars > most {
            let got = extent.chars;
            return Err(Fault::new(0, Kind::TooLong { most: usize::from(self.max), got }));
        }
        if extent.chars < usize::from(self.min) {
            let least = usize::from(self.min);
            return Err(Fault::new(0, Kind::TooShort { least, got: extent.chars }));
        }
        Ok(extent)
    }

    /// A packed value of an odd fixed length, counted in bytes: the pad goes without saying.
    #[inline]
    fn without_pad(&self, unit: Unit, mut extent: Extent) -> Extent {
        let fixed = usize::from(self.max);
        let packed = self.encoding == Encoding::Bcd && unit == Unit::Bytes;
        if packed && self.min == self.max && extent.chars == fixed + 1 {
            extent.chars = fixed;
        }
        extent
    }

    /// Packed, counted in bytes, padded with what is no digit: the pad says itself.
    #[inline]
    fn strips_pad(&self, unit: Unit) -> bool {
        self.encoding == Encoding::Bcd && self.nibble > 9 && unit == Unit::Bytes
    }

    /// How much room [`Self::read`] needs for so many content bytes.
    #[inline]
    pub(crate) fn room(&self, bytes: usize) -> usize {
        if self.encoding == Encoding::Bcd { coding::spread_room(bytes) } else { bytes }
    }

    /// Turns content (exactly [`Extent::bytes`] long) into the normal form, written to `out`
    /// ([`Self::room`] long): gives the first index and the length of the value in there.
    #[inline]
    pub(crate) fn read(
        &self,
        content: &[u8],
        chars: usize,
        out: &mut [u8],
    ) -> Result<(usize, usize), Fault> {
        let (at, len) = match self.encoding {
            Encoding::Bcd => self.read_packed(content, chars, out)?,
            Encoding::Ascii | Encoding::Raw => {
                out[..content.len()].copy_from_slice(content);
                (0, content.len())
            }
            _ => self.read_mapped(content, out)?,
        };
        let value = &out[at..at + len];
        if !self.class.holds(value) {
            let index = self.class.stranger(value).unwrap_or(0);
            return Err(Fault::new(self.wire_index(at + index), Kind::Character));
        }
        self.obey(value)?;
        Ok((at, len))
    }

    /// Checks a value that is its own normal form.
    #[inline]
    pub(crate) fn check(&self, value: &[u8]) -> Result<(), Fault> {
        if !self.class.holds(value) {
            return Err(Fault::new(self.class.stranger(value).unwrap_or(0), Kind::Character));
        }
        self.obey(value)
    }

    #[inline]
    fn obey(&self, value: &[u8]) -> Result<(), Fault> {
        if self.rule == Rule::None || self.rule.accepts(value) {
            return Ok(());
        }
        Err(Fault::new(0, Kind::Value))
    }

    /// The wire byte that character `index` of the spread content came from.
    fn wire_index(&self, index: usize) -> usize {
        match self.encoding {
            Encoding::Bcd => index / 2,
            Encoding::Hex | Encoding::HexLower | Encoding::EbcdicHex => index * 2,
            _ => index,
        }
    }

    #[inline]
    fn read_packed(
        &self,
        content: &[u8],
        chars: usize,
        out: &mut [u8],
    ) -> Result<(usize, usize), Fault> {
        if self.class == Class::Xn {
            return self.read_signed(content, out);
        }
        coding::spread(content, out);
        let full = 2 * content.len();
        let odd = if self.strips_pad(self.unit) {
            full > 0 && self.pad_of(full, out) == self.nibble
        } else {
            full != chars
        };
        if !odd {
            let most = usize::from(self.max);
            let long = || Fault::new(0, Kind::TooLong { most, got: full });
            return if full > most { Err(long()) } else { Ok((0, full)) };
        }
        if self.pad_of(full, out) != self.nibble && !self.any_pad {
            let at = if self.side == Side::Left { 0 } else { content.len() - 1 };
            return Err(Fault::new(at, Kind::Pad));
        }
        Ok((usize::from(self.side == Side::Left), full - 1))
    }

    #[inline]
    fn pad_of(&self, full: usize, out: &[u8]) -> u8 {
        let index = if self.side == Side::Left { 0 } else { full - 1 };
        coding::nibble(out[index])
    }

    /// `x+n`: brings the sign to the front as `C` or `D`.
    fn read_signed(&self, content: &[u8], out: &mut [u8]) -> Result<(usize, usize), Fault> {
        let digits = usize::from(self.max) - 1;
        if self.sign == Sign::Byte {
            let (packed, sign) = take(1, content)?;
            let mut spread = [0; 64];
            let room = spread
                .get_mut(..coding::spread_room(packed.len()))
                .ok_or_else(|| Fault::new(0, Kind::TooLong { most: 30, got: packed.len() }))?;
            coding::spread(packed, room);
            let skip = 2 * packed.len() - digits;
            if skip == 1 && coding::nibble(room[0]) != self.nibble {
                return Err(Fault::new(1, Kind::Pad));
            }
            out[0] = sign[0];
            out[1..=digits].copy_from_slice(&room[skip..skip + digits]);
            return Ok((0, digits + 1));
        }
        coding::spread(content, out);
        let skip = 2 * content.len() - (digits + 1);
        if skip == 1 && coding::nibble(out[0]) != self.nibble {
            return Err(Fault::new(0, Kind::Pad));
        }
        if self.sign == Sign::Trailing {
            out[skip..=skip + digits].rotate_right(1);
        }
        Ok((skip, digits + 1))
    }

    fn read_mapped(&self, content: &[u8], out: &mut [u8]) -> Result<(usize, usize), Fault> {
        let not_a_character = |at| Fault::new(at, Kind::Character);
        if let Some(page) = Page::of(self.encoding).filter(|_| self.class != Class::B) {
            page.decode(content, out).map_err(not_a_character)?;
            return Ok((0, content.len()));
        }
        let len = halved(content.len())?;
        coding::hex_decode(self.encoding, content, out).map_err(not_a_character)?;
        Ok((0, len))
    }

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

fn halved(count: usize) -> Result<usize, Fault> {
    if count % 2 == 1 {
        return Err(Fault::new(0, Kind::Odd { got: count }));
    }
    Ok(count / 2)
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
