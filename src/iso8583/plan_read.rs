//! Wire content → value in normal form, by a plan.
//!
//! Contract: what [`Plan::read`] accepts, [`Plan::write`] gives back byte for byte; an error says
//! the wire byte. Deliberately absent: where the content lies ([`Plan::measure`]).

use super::charset::Class;
use super::coding::{self, Encoding, Page};
use super::fault::{Fault, Kind, take};
use super::plan::{Plan, Side, Sign, halved};

impl Plan {
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
}
