//! How one field stands on the wire: coding × length prefix × padding, compiled.
//!
//! Contract: [`Plan::measure`] finds a field's extent from its prefix, [`Plan::check`] looks at a
//! value in normal form. Same code for data elements and parts of composites. Deliberately absent:
//! the way in ([`super::plan_read`]) and the way out ([`super::plan_write`]); names, secrecy and
//! everything else that only people want ([`super::field`]).

use super::charset::Class;
use super::coding::Encoding;
use super::fault::{Fault, Kind, take};
use super::length_prefix::{LengthCoding, Prefix, number};
use super::validate::Rule;

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
    pub(super) fn strips_pad(&self, unit: Unit) -> bool {
        self.encoding == Encoding::Bcd && self.nibble > 9 && unit == Unit::Bytes
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
    pub(super) fn obey(&self, value: &[u8]) -> Result<(), Fault> {
        if self.rule == Rule::None || self.rule.accepts(value) {
            return Ok(());
        }
        Err(Fault::new(0, Kind::Value))
    }
}

pub(super) fn halved(count: usize) -> Result<usize, Fault> {
    if count % 2 == 1 {
        return Err(Fault::new(0, Kind::Odd { got: count }));
    }
    Ok(count / 2)
}
