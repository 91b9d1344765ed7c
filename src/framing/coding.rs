//! How a length stands in a header: binary in two orders, BCD, decimal text, hexadecimal text.
//!
//! Contract: a header is 1 to 8 bytes; reading never overflows and refuses a byte that the
//! coding cannot hold; writing refuses a value that the bytes cannot express. What the value
//! counts is not known here: that is [`super::Framing`]'s business.

use crate::hex;

/// The coding of a length header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coding {
    /// Binary, most significant byte first.
    BigEndian,
    /// Binary, least significant byte first.
    LittleEndian,
    /// Two decimal digits a byte.
    Bcd,
    /// Decimal digits as ASCII.
    Ascii,
    /// Hexadecimal digits as ASCII; read in both cases, written in upper case.
    AsciiHex,
}

/// The byte of a header that its coding cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadByte {
    /// Index in the header.
    pub at: usize,
    /// The byte.
    pub got: u8,
}

impl Coding {
    /// Its name as configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BigEndian => "big-endian",
            Self::LittleEndian => "little-endian",
            Self::Bcd => "bcd",
            Self::Ascii => "ascii",
            Self::AsciiHex => "ascii-hex",
        }
    }

    /// Base and digits per byte.
    fn base(self) -> (u64, u32) {
        match self {
            Self::BigEndian | Self::LittleEndian => (256, 1),
            Self::Bcd => (10, 2),
            Self::Ascii => (10, 1),
            Self::AsciiHex => (16, 1),
        }
    }

    /// The largest value that `bytes` (at most 8) can express.
    pub(super) fn most(self, bytes: usize) -> u64 {
        let (base, digits) = self.base();
        let digits = digits.saturating_mul(u32::try_from(bytes).unwrap_or(u32::MAX));
        base.checked_pow(digits).map_or(u64::MAX, |over| over - 1)
    }

    /// The value of a header of at most 8 bytes.
    pub(super) fn read(self, header: &[u8]) -> Result<u64, BadByte> {
        // Most headers are: their bytes are the number's.
        if self == Self::BigEndian {
            return Ok(header.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)));
        }
        let mut value = 0u64;
        for i in 0..header.len() {
            let at = if self == Self::LittleEndian { header.len() - 1 - i } else { i };
            let got = header[at];
            let digit = self.digit(got).ok_or(BadByte { at, got })?;
            let (base, digits) = self.base();
            value = value.saturating_mul(base.pow(digits)).saturating_add(digit);
        }
        Ok(value)
    }

    /// What one byte of a header says.
    fn digit(self, byte: u8) -> Option<u64> {
        match self {
            Self::BigEndian | Self::LittleEndian => Some(u64::from(byte)),
            Self::Bcd => {
                let (high, low) = (byte >> 4, byte & 0x0F);
                (high < 10 && low < 10).then(|| u64::from(high * 10 + low))
            }
            Self::Ascii => byte.is_ascii_digit().then(|| u64::from(byte - b'0')),
            Self::AsciiHex => hex::nibble(byte).map(u64::from),
        }
    }

    /// Writes `value` over all of `header`; `None` when it does not fit, `header` is then spoilt.
    pub(super) fn write(self, value: u64, header: &mut [u8]) -> Option<()> {
        let mut rest = value;
        if self == Self::BigEndian {
            for byte in header.iter_mut().rev() {
                (*byte, rest) = (rest as u8, rest >> 8);
            }
            return (rest == 0).then_some(());
        }
        for byte in header.iter_mut().rev() {
            let (base, digits) = self.base();
            let step = base.pow(digits);
            let low = u8::try_from(rest % step).ok()?;
            rest /= step;
            *byte = match self {
                Self::BigEndian | Self::LittleEndian => low,
                Self::Bcd => (low / 10) << 4 | (low % 10),
                Self::Ascii | Self::AsciiHex => hex::digit(low),
            };
        }
        if self == Self::LittleEndian {
            header.reverse();
        }
        (rest == 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Coding; 5] =
        [Coding::BigEndian, Coding::LittleEndian, Coding::Bcd, Coding::Ascii, Coding::AsciiHex];

    #[test]
    fn every_coding_writes_what_the_field_reads() {
        let written = ALL.map(|coding| {
            let mut header = [0; 4];
            coding.write(1234, &mut header).map(|()| header)
        });
        let expected = [
            Some([0x00, 0x00, 0x04, 0xD2]),
            Some([0xD2, 0x04, 0x00, 0x00]),
            Some([0x00, 0x00, 0x12, 0x34]),
            Some(*b"1234"),
            Some(*b"04D2"),
        ];
        assert_eq!(written, expected);
        for (coding, header) in ALL.into_iter().zip(expected) {
            assert_eq!(header.map(|h| coding.read(&h)), Some(Ok(1234)), "{coding:?}");
        }
    }

    #[test]
    fn the_largest_value_fits_and_the_next_does_not() {
        for coding in ALL {
            for bytes in 1..=8 {
                let most = coding.most(bytes);
                let mut header = vec![0; bytes];
                assert_eq!(coding.write(most, &mut header), Some(()), "{coding:?} {bytes}");
                assert_eq!(coding.read(&header), Ok(most), "{coding:?} {bytes}");
                if let Some(over) = most.checked_add(1) {
                    assert_eq!(coding.write(over, &mut header), None, "{coding:?} {bytes}");
                }
            }
        }
    }

    #[test]
    fn a_byte_of_another_coding_is_named() {
        assert_eq!(Coding::Ascii.read(b"01x4"), Err(BadByte { at: 2, got: b'x' }));
        assert_eq!(Coding::Bcd.read(&[0x12, 0x3A]), Err(BadByte { at: 1, got: 0x3A }));
        assert_eq!(Coding::AsciiHex.read(b"00fg"), Err(BadByte { at: 3, got: b'g' }));
    }
}
