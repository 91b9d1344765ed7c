//! Which characters a value may hold, and how to check that quickly.
//!
//! Contract: a [`Class`] is the letter part of the field notation (`n`, `ans`, `z`, `b` …). Checks
//! run on the normal form, eight bytes at a time where the class allows it. `an` and its kin
//! accept the space, because everybody pads with it. Deliberately absent: lengths
//! ([`super::plan`]).

pub(crate) use crate::text::{eight_are_digits as eight_digits, eight_printable};

/// The character class of a field, as the field notation spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// `n`: decimal digits.
    N,
    /// `a`: letters and the space.
    A,
    /// `an`: letters, digits and the space.
    An,
    /// `anp`: the same, spelled out.
    Anp,
    /// `as`: letters, specials and the space.
    As,
    /// `ns`: digits, specials and the space.
    Ns,
    /// `ans`: every printable ASCII character.
    Ans,
    /// `z`: track characters: digits, `=`, `D`, and what a nibble or ISO 7811 may say.
    Z,
    /// `x+n`: `C` or `D`, then digits.
    Xn,
    /// `b`: bytes.
    B,
    /// `text`: bytes shown as text, not checked (national character sets).
    Any,
}

const DIGIT: u8 = 1;
const LETTER: u8 = 2;
const SPECIAL: u8 = 4;
const SPACE: u8 = 8;
const TRACK: u8 = 16;

const KINDS: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut table = [0; 256];
    let mut c = 0x20_u8;
    while c <= 0x7E {
        table[c as usize] = match c {
            b'0'..=b'9' => DIGIT,
            b'A'..=b'Z' | b'a'..=b'z' => LETTER,
            b' ' => SPACE,
            _ => SPECIAL,
        };
        if matches!(c, 0x30..=0x3F | b'A'..=b'F') {
            table[c as usize] |= TRACK;
        }
        c += 1;
    }
    table
}

impl Class {
    /// How the field notation spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::N => "n",
            Self::A => "a",
            Self::An => "an",
            Self::Anp => "anp",
            Self::As => "as",
            Self::Ns => "ns",
            Self::Ans => "ans",
            Self::Z => "z",
            Self::Xn => "x+n",
            Self::B => "b",
            Self::Any => "text",
        }
    }

    /// Whether the value is bytes rather than text.
    pub fn is_binary(self) -> bool {
        self == Self::B
    }

    /// What may stand in such a value, in words.
    pub(crate) fn expects(self) -> &'static str {
        match self {
            Self::N => "a decimal digit",
            Self::A => "a letter",
            Self::An | Self::Anp => "a letter or digit",
            Self::As => "a letter or special character",
            Self::Ns => "a digit or special character",
            Self::Ans => "a printable character",
            Self::Z => "a track character",
            Self::Xn => "C or D, then digits",
            Self::B | Self::Any => "any byte",
        }
    }

    fn mask(self) -> u8 {
        match self {
            Self::N | Self::Xn => DIGIT,
            Self::A => LETTER | SPACE,
            Self::An | Self::Anp => LETTER | DIGIT | SPACE,
            Self::As => LETTER | SPECIAL | SPACE,
            Self::Ns => DIGIT | SPECIAL | SPACE,
            Self::Ans => LETTER | DIGIT | SPECIAL | SPACE,
            Self::Z => TRACK,
            Self::B | Self::Any => 0,
        }
    }

    /// Whether every character of a normal-form value belongs to the class.
    #[inline]
    pub(crate) fn holds(self, value: &[u8]) -> bool {
        match self {
            Self::N => all_digits(value),
            Self::Ans => all_printable(value),
            Self::B | Self::Any => true,
            Self::Xn => {
                matches!(value.first(), Some(b'C' | b'D')) && value.get(1..).is_some_and(all_digits)
            }
            Self::An | Self::Anp => by_eights(value, eight_alphanumeric),
            Self::Z => by_eights(value, eight_track),
            Self::A | Self::As | Self::Ns => all_of(self.mask(), value),
        }
    }

    /// The index of the first character that does not belong to the class.
    #[cold]
    pub(crate) fn stranger(self, value: &[u8]) -> Option<usize> {
        let mask = self.mask();
        match self {
            Self::B | Self::Any => None,
            Self::Xn if !matches!(value.first(), Some(b'C' | b'D')) => Some(0),
            Self::Xn => value.iter().skip(1).position(|c| !c.is_ascii_digit()).map(|i| i + 1),
            _ => value.iter().position(|c| KINDS[usize::from(*c)] & mask == 0),
        }
    }
}

#[inline]
fn all_of(mask: u8, value: &[u8]) -> bool {
    // No early way out: values are short and nearly always right.
    value.iter().fold(true, |good, c| good & (KINDS[usize::from(*c)] & mask != 0))
}

const HIGH: u64 = 0x8080_8080_8080_8080;
const ONES: u64 = 0x0101_0101_0101_0101;

/// The high bit of every byte (of ASCII bytes) that lies within a range.
#[inline]
fn within(x: u64, from: u8, to: u8) -> u64 {
    let at_least = (x | HIGH).wrapping_sub(u64::from(from).wrapping_mul(ONES));
    let at_most = (u64::from(to | 0x80).wrapping_mul(ONES)).wrapping_sub(x & !HIGH);
    at_least & at_most & HIGH
}

#[inline]
pub(crate) fn eight_alphanumeric(x: u64) -> bool {
    // Lower case is upper case with 0x20 set, and so is nothing else that lands on a letter.
    let letters = within(x | (0x20 * ONES), b'a', b'z');
    let digits = within(x, b'0', b'9');
    let spaces = within(x, b' ', b' ');
    (letters | digits | spaces) & !x & HIGH == HIGH
}

#[inline]
pub(crate) fn eight_track(x: u64) -> bool {
    (within(x, 0x30, 0x3F) | within(x, b'A', b'F')) & !x & HIGH == HIGH
}

/// Checks eight bytes at a time; a tail is filled up with `'0'`, which every caller accepts.
#[inline]
fn by_eights(value: &[u8], eight: impl Fn(u64) -> bool) -> bool {
    let (chunks, tail) = value.as_chunks::<8>();
    let mut good = true;
    for chunk in chunks {
        good &= eight(u64::from_le_bytes(*chunk));
    }
    if !tail.is_empty() {
        good &= eight(tail_word(tail));
    }
    good
}

/// One to seven bytes as a word, the missing ones `'0'`.
#[inline]
fn tail_word(tail: &[u8]) -> u64 {
    let mut word = 0x30 * ONES;
    for c in tail.iter().rev() {
        word = word << 8 | u64::from(*c);
    }
    word
}

#[inline]
pub(crate) fn all_digits(value: &[u8]) -> bool {
    by_eights(value, eight_digits)
}

#[inline]
fn all_printable(value: &[u8]) -> bool {
    by_eights(value, eight_printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Class; 9] = [
        Class::N,
        Class::A,
        Class::An,
        Class::Anp,
        Class::As,
        Class::Ns,
        Class::Ans,
        Class::Z,
        Class::Xn,
    ];

    #[test]
    fn the_quick_check_and_the_slow_one_agree_on_every_byte_at_every_place() {
        for class in ALL {
            for length in 1..=17 {
                for at in 0..length {
                    for byte in 0..=255_u8 {
                        let mut value = vec![b'0'; length];
                        if class == Class::A || class == Class::As {
                            value.fill(b'A');
                        } else if class == Class::Xn {
                            value[0] = b'C';
                        }
                        value[at] = byte;
                        let quick = class.holds(&value);
                        assert_eq!(quick, class.stranger(&value).is_none(), "{class:?} {value:?}");
                    }
                }
            }
        }
    }
}
