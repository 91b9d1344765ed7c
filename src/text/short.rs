//! `Short`: a value of at most sixteen bytes in two words, so that it is moved, checked and turned
//! into a number, and back, without a loop.
//!
//! Contract: the first character is the lowest byte of the first word; what lies behind the value
//! is zero. Nothing is refused here but length: what characters it may hold is asked. Deliberately
//! absent: any memory of its own, and so wiping – it is as short-lived as the slice it was made of.

use super::{Text, unprintable};

/// A value of at most [`Short::MOST`] bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short {
    words: [u64; 2],
    len: usize,
}

const ZEROS: u64 = 0x3030_3030_3030_3030;
const SPACES: u64 = 0x2020_2020_2020_2020;
/// How many numbers eight digits can say.
const GROUP: u64 = 100_000_000;

/// Which bytes belong to a value of this length. Thirty-two entries need no check.
static MASKS: [[u64; 2]; 32] = {
    let mut masks = [[u64::MAX; 2]; 32];
    let mut len = 0;
    while len < Short::MOST {
        let own = (1_u128 << (8 * len)) - 1;
        masks[len] = [own as u64, (own >> 64) as u64];
        len += 1;
    }
    masks
};

/// The first number that so many digits cannot say.
static POWERS: [u64; Short::MOST + 1] = {
    let mut powers = [1; Short::MOST + 1];
    let mut at = 1;
    while at <= Short::MOST {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

impl Short {
    /// The longest value.
    pub(crate) const MOST: usize = 16;

    /// Takes a value; `None` where it is longer.
    #[inline]
    pub(crate) fn of(value: &[u8]) -> Option<Self> {
        let len = value.len();
        let words = match (value.first_chunk(), value.last_chunk()) {
            (Some(first), Some(last)) if len > 8 => {
                // The last eight, and the front of them that is in the first word already, cut off.
                let beyond = u32::try_from(Self::MOST.checked_sub(len)?).unwrap_or_default();
                let last = u64::from_le_bytes(*last) >> (beyond.wrapping_mul(8) & 63);
                [u64::from_le_bytes(*first), last]
            }
            (Some(eight), _) => [u64::from_le_bytes(*eight), 0],
            _ => [below_eight(value), 0],
        };
        Some(Self { words, len })
    }

    /// The first `len` of these bytes; whatever lies behind them is forgotten. `None` where it is
    /// more than sixteen, or more than there are.
    #[inline]
    pub(crate) fn ahead(bytes: &[u8], len: usize) -> Option<Self> {
        let Some(window) = bytes.first_chunk::<{ Self::MOST }>() else {
            return Self::of(bytes.get(..len)?);
        };
        let window = u128::from_le_bytes(*window);
        let [own, own_too] = MASKS[len & 31];
        let words = [window as u64 & own, (window >> 64) as u64 & own_too];
        (len <= Self::MOST).then_some(Self { words, len })
    }

    /// A number as exactly `width` digits; `None` where it has more, or `width` is above sixteen.
    #[inline]
    pub(crate) fn of_number(number: u64, width: usize) -> Option<Self> {
        if number >= *POWERS.get(width)? {
            return None;
        }
        let beyond = (width as u32).wrapping_neg().wrapping_mul(8) & 63;
        if width <= 8 {
            // Of no digits none are left, and a shift by 64 is none at all.
            let word = if width == 0 { 0 } else { eight_digits(number) >> beyond };
            return Some(Self { words: [word, 0], len: width });
        }
        let (front, back) = (eight_digits(number / GROUP), eight_digits(number % GROUP));
        let words = match beyond {
            0 => [front, back],
            _ => [front >> beyond | back << (64_u32.wrapping_sub(beyond) & 63), back >> beyond],
        };
        Some(Self { words, len: width })
    }

    /// How many bytes.
    #[inline]
    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// The two words.
    #[inline]
    pub(crate) fn words(self) -> [u64; 2] {
        self.words
    }

    /// The bytes, and zeros behind them.
    #[inline]
    pub(crate) fn bytes(self) -> [u8; Self::MOST] {
        let [low, high] = self.words;
        (u128::from(low) | u128::from(high) << 64).to_le_bytes()
    }

    /// The same, filled up behind with spaces; `None` where it is longer than that.
    #[inline]
    pub(crate) fn filled(self, width: usize) -> Option<Self> {
        if width > Self::MOST || self.len > width {
            return None;
        }
        let ([own, own_too], [all, all_too]) = (MASKS[self.len & 31], MASKS[width & 31]);
        let [low, high] = self.words;
        let words = [low | (SPACES & all & !own), high | (SPACES & all_too & !own_too)];
        Some(Self { words, len: width })
    }

    /// The same, where every byte of it is printable ASCII.
    #[inline]
    pub(crate) fn printable(self) -> Option<Printable> {
        let ([low, high], [own, own_too]) = (self.words, MASKS[self.len & 31]);
        let strange = (unprintable(low) & own) | (unprintable(high) & own_too);
        (strange == 0).then_some(Printable(self))
    }

    /// The number it says in decimal digits; `None` where it says none. Nothing is 0.
    #[inline]
    pub(crate) fn number(self) -> Option<u64> {
        let [low, high] = self.words;
        let beyond = (self.len as u32).wrapping_neg().wrapping_mul(8) & 63;
        // Zeros in front rather than behind.
        let zeros = (1_u64 << beyond).wrapping_sub(1) & ZEROS;
        if self.len <= 8 {
            let word = if self.len == 0 { ZEROS } else { low << beyond | zeros };
            return four_and_four(word);
        }
        let (front, back) = match beyond {
            0 => (low, high),
            _ => {
                (low << beyond | zeros, high << beyond | low >> (64_u32.wrapping_sub(beyond) & 63))
            }
        };
        Some(four_and_four(front)?.wrapping_mul(GROUP).wrapping_add(four_and_four(back)?))
    }
}

/// A short value of printable ASCII.
#[derive(Clone, Copy)]
pub(crate) struct Printable(Short);

impl Printable {
    /// Without the spaces behind.
    #[inline]
    pub(crate) fn trimmed(self) -> Self {
        let Self(Short { words: [low, high], len }) = self;
        let [own, own_too] = MASKS[len & 31];
        let (low_differs, high_differs) = (low ^ (SPACES & own), high ^ (SPACES & own_too));
        let unused = match high_differs {
            0 => 8_u32.wrapping_add(low_differs.leading_zeros() / 8),
            _ => high_differs.leading_zeros() / 8,
        };
        let len = Short::MOST.wrapping_sub(unused as usize);
        let [own, own_too] = MASKS[len & 31];
        Self(Short { words: [low & own, high & own_too], len })
    }

    /// Whether it is nothing.
    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.0.len == 0
    }
}

impl<const N: usize> Text<N> {
    /// A short value as text; `None` where it is longer.
    #[inline]
    pub(crate) fn of_short(Printable(value): Printable) -> Option<Self> {
        let fits = value.len <= N;
        let (all, mut bytes) = (value.bytes(), [0; N]);
        match bytes.first_chunk_mut() {
            Some(front) => *front = all,
            None => bytes.copy_from_slice(all.get(..N)?),
        }
        fits.then_some(Self { bytes, len: value.len as u8 })
    }

    /// The text as a short value; `None` where it is longer.
    #[inline]
    pub(crate) fn short(&self) -> Option<Short> {
        let mut all = [0; Short::MOST];
        match self.bytes.first_chunk() {
            Some(front) => all = *front,
            None => all.get_mut(..N)?.copy_from_slice(&self.bytes),
        }
        let words = u128::from_le_bytes(all);
        let len = usize::from(self.len);
        (N <= Short::MOST || len <= Short::MOST)
            .then_some(Short { words: [words as u64, (words >> 64) as u64], len })
    }
}

/// Less than eight bytes as a word: two halves, laid over each other where they overlap.
#[inline]
fn below_eight(value: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (value.first_chunk(), value.last_chunk()) {
        let shift = (value.len() as u32).wrapping_mul(8).wrapping_sub(32) & 31;
        let last = u64::from(u32::from_le_bytes(*last)) << shift;
        return u64::from(u32::from_le_bytes(*first)) | last;
    }
    value.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Whether eight bytes are decimal digits.
#[inline]
pub(crate) fn eight_are_digits(word: u64) -> bool {
    const SIXES: u64 = 0x0606_0606_0606_0606;
    const HALVES: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    (word & HALVES == ZEROS) & (word.wrapping_add(SIXES) & HALVES == ZEROS)
}

/// Eight digits as a number: pairs, fours, eight.
#[inline]
fn four_and_four(word: u64) -> Option<u64> {
    let ones = word & 0x0F0F_0F0F_0F0F_0F0F;
    let pairs = (ones.wrapping_mul(10 << 8 | 1) >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_FFFF_0000_FFFF;
    let eight = fours.wrapping_mul(10_000 << 32 | 1) >> 32;
    eight_are_digits(word).then_some(eight)
}

/// A number below 100,000,000 as eight digits, made side by side: two fours, four twos, eight.
#[inline]
fn eight_digits(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    // A multiplication and a shift instead of the division by 100, then by 10.
    let hundreds = (fours.wrapping_mul(10_486) >> 20) & 0x0000_007F_0000_007F;
    let twos = hundreds | fours.wrapping_sub(hundreds.wrapping_mul(100)) << 16;
    let tens = (twos.wrapping_mul(103) >> 10) & 0x000F_000F_000F_000F;
    let ones = tens | twos.wrapping_sub(tens.wrapping_mul(10)) << 8;
    ones | ZEROS
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, reason = "a failed test may panic")]
    use super::*;

    const ALPHABET: &[u8; 18] = b"ABCDEFGHIJKLMNOPQR";

    #[test]
    fn a_value_comes_back_with_zeros_behind_and_a_longer_one_is_refused() {
        for len in 0..=16 {
            let value = &ALPHABET[..len];
            let mut expected = [0; 16];
            expected[..len].copy_from_slice(value);
            assert_eq!(Short::of(value).map(Short::bytes), Some(expected), "{len}");
            assert_eq!(Short::of(value).map(Short::len), Some(len));
        }
        assert!(Short::of(&ALPHABET[..17]).is_none() && Short::of(ALPHABET).is_none());
    }

    #[test]
    fn numbers_become_digits_and_digits_numbers() {
        let powers = (0..17_u32).flat_map(|n| [10_u64.pow(n) - 1, 10_u64.pow(n)]);
        for number in powers.chain((0..3_000).map(|n| n * 7_919)).chain([u64::MAX]) {
            for width in 0..=17 {
                let said = format!("{number:0width$}");
                let fits = said.len() == width && width <= 16 || (number, width) == (0, 0);
                let made = Short::of_number(number, width);
                assert_eq!(made.is_some(), fits, "{number} in {width}");
                let Some(made) = made else { continue };
                let expected = if width == 0 { "" } else { &said };
                assert_eq!(made.bytes()[..width], *expected.as_bytes());
                assert!(made == Short { words: made.words, len: width });
                assert_eq!(Short::of(expected.as_bytes()).map(Short::words), Some(made.words()));
                assert_eq!(made.number(), Some(number));
            }
        }
    }

    #[test]
    fn every_byte_of_it_is_looked_at_and_none_behind() {
        for len in 1..=16_usize {
            for at in 0..len {
                for bad in [0x00, 0x1F, b'/', b':', 0x7F, 0x80, 0xFF] {
                    let mut value = [b'5'; 16];
                    value[at] = bad;
                    let short = Short::of(&value[..len]);
                    assert_eq!(short.and_then(Short::number), None, "{bad:02X} at {at} of {len}");
                    let printable = short.and_then(Short::printable).is_some();
                    assert_eq!(printable, (0x20..0x7F).contains(&bad), "{bad:02X} at {at}");
                }
            }
        }
    }

    #[test]
    fn texts_take_what_fits_them_and_give_it_back() {
        for len in 0..=16 {
            let Some(short) = Short::of(&ALPHABET[..len]) else { continue };
            let Some(text) = short.printable() else { panic!("letters are printable") };
            let (small, large) = (Text::<6>::of_short(text), Text::<35>::of_short(text));
            assert_eq!(small, Text::new(&ALPHABET[..len]).ok());
            assert_eq!(large, Text::new(&ALPHABET[..len]).ok());
            assert!(large.and_then(|text| text.short()) == Some(short));
            assert!(small.is_none_or(|text| text.short() == Some(short)));
        }
        let long = Text::<35>::new(&ALPHABET[..]);
        assert!(long.is_ok_and(|text| text.short().is_none()));
    }

    #[test]
    fn a_value_with_others_behind_it_is_the_same_value() {
        for bytes in [&[0xFF; 40][..], ALPHABET, &ALPHABET[..16], &ALPHABET[..15]] {
            for len in 0..=bytes.len() + 1 {
                let alone = bytes.get(..len).and_then(Short::of);
                assert!(Short::ahead(bytes, len) == alone, "{len} of {}", bytes.len());
            }
        }
    }

    #[test]
    fn spaces_behind_are_taken_off_and_no_others() {
        for len in 0..=16 {
            for spaces in 0..=16 - len {
                let mut value = b" B DEFGHIJKLM OP"[..len].to_vec();
                value.extend(std::iter::repeat_n(b' ', spaces));
                let printable = Short::of(&value).and_then(Short::printable);
                let trimmed = printable.map(|p| p.trimmed().0);
                assert!(trimmed == Short::of(value.trim_ascii_end()), "{value:?}");
            }
        }
    }

    #[test]
    fn filling_up_puts_spaces_behind() {
        let filled = |width| Short::of(b"TERM1").and_then(|s| s.filled(width)).map(Short::bytes);
        assert_eq!(filled(8), Some(*b"TERM1   \0\0\0\0\0\0\0\0"));
        assert_eq!(filled(16), Some(*b"TERM1           "));
        assert_eq!((filled(4), filled(17)), (None, None));
    }
}
