//! `Text<N>`: a short ASCII value that lives where it is written, without an allocation.
//!
//! Contract: at most `N` bytes, every byte printable ASCII (0x20–0x7E); equality, order and
//! hash are those of the bytes. Deliberately absent: any use for secrets – a card number is a
//! [`crate::sensitive::Pan`], never a `Text`, because `Text` prints what it holds.

mod place;
mod short;

pub use place::Fault;
pub(crate) use short::{Printable, Short, eight_are_digits};

use std::fmt;

/// A printable ASCII string of at most `N` bytes (N ≤ 255), stored inline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

/// Why bytes could not become a [`Text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// More bytes than the capacity.
    #[error("{got} characters where at most {most} fit")]
    TooLong {
        /// Characters given.
        got: usize,
        /// Capacity.
        most: usize,
    },
    /// A byte outside printable ASCII, at this index.
    #[error("character {at} is not printable ASCII")]
    NotPrintable {
        /// Index of the first such byte.
        at: usize,
    },
}

impl<const N: usize> Text<N> {
    /// The empty text.
    pub const EMPTY: Self = Self { bytes: [0; N], len: 0 };

    /// Takes printable ASCII of at most `N` bytes.
    ///
    /// # Errors
    /// [`TextError`] when it is longer, or holds anything that is not printable ASCII.
    pub fn new(value: &[u8]) -> Result<Self, TextError> {
        let mut text = Self::EMPTY;
        text.set(value)?;
        Ok(text)
    }

    /// Replaces the value where it is: a text is not moved just after it was written.
    ///
    /// # Errors
    /// As [`Self::new`]; the text is then empty.
    #[inline]
    pub fn set(&mut self, value: &[u8]) -> Result<(), TextError> {
        *self = Self::EMPTY;
        if fill(&mut self.bytes, value) {
            self.len = value.len() as u8;
            return Ok(());
        }
        *self = Self::EMPTY;
        Err(refused(value, N))
    }

    /// The value, without padding.
    pub fn as_str(&self) -> &str {
        // Only printable ASCII gets in, so this is always UTF-8.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The value as bytes, without padding.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes without trailing spaces.
    pub fn trimmed_bytes(&self) -> &[u8] {
        let bytes = self.as_bytes();
        let spaces = bytes.iter().rev().take_while(|byte| **byte == b' ').count();
        &bytes[..bytes.len() - spaces]
    }

    /// Whether two texts are the same but for trailing spaces.
    pub fn eq_ignore_padding(&self, other: &Self) -> bool {
        self == other || self.trimmed_bytes() == other.trimmed_bytes()
    }

    /// The same text with trailing spaces taken off: hosts pad, or omit padding, as they like.
    pub fn trimmed(&self) -> Self {
        let mut text = *self;
        while text.len > 0 && text.bytes[usize::from(text.len) - 1] == b' ' {
            text.len -= 1;
            text.bytes[usize::from(text.len)] = 0;
        }
        text
    }
}

/// Puts a value into a text's bytes, if it fits and is printable. One function for all sizes,
/// because many sizes are read in a row and the instruction cache is small.
#[inline(never)]
fn fill(room: &mut [u8], value: &[u8]) -> bool {
    let Some(place) = room.get_mut(..value.len()) else { return false };
    // Two halves that overlap take fewer steps than a loop.
    match (value.first_chunk(), value.last_chunk(), place.first_chunk_mut::<8>()) {
        (Some(first), Some(last), Some(front)) if value.len() <= 16 => {
            *front = *first;
            if let Some(back) = place.last_chunk_mut() {
                *back = *last;
            }
            eight_printable(u64::from_le_bytes(*first)) & eight_printable(u64::from_le_bytes(*last))
        }
        _ => {
            place.copy_from_slice(value);
            value.iter().fold(true, |good, byte| good & is_printable(*byte))
        }
    }
}

#[cold]
fn refused(value: &[u8], most: usize) -> TextError {
    match value.iter().position(|byte| !is_printable(*byte)) {
        Some(at) if value.len() <= most => TextError::NotPrintable { at },
        _ => TextError::TooLong { got: value.len(), most },
    }
}

const fn is_printable(byte: u8) -> bool {
    byte.wrapping_sub(0x20) <= 0x7E - 0x20
}

/// Whether eight bytes are printable ASCII.
#[inline]
pub(crate) fn eight_printable(x: u64) -> bool {
    unprintable(x) == 0
}

/// The high bit of every byte that is not printable ASCII; where there is one, perhaps that of the
/// byte after it too.
#[inline]
fn unprintable(x: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    // Beyond ASCII, delete, control characters.
    (x | x.wrapping_add(ONES) | !(x | HIGH).wrapping_sub(0x20 * ONES)) & HIGH
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> std::str::FromStr for Text<N> {
    type Err = TextError;
    fn from_str(s: &str) -> Result<Self, TextError> {
        Self::new(s.as_bytes())
    }
}

impl<'de, const N: usize> serde::Deserialize<'de> for Text<N> {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let s = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        s.parse().map_err(serde::de::Error::custom)
    }
}

impl<const N: usize> serde::Serialize for Text<N> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_it_was_given_and_refuses_the_rest() {
        assert_eq!(Text::<4>::new(b"0210").map(|t| t.to_string()), Ok("0210".to_owned()));
        assert_eq!(Text::<2>::new(b"000"), Err(TextError::TooLong { got: 3, most: 2 }));
        assert_eq!(Text::<4>::new(b"a\x00b"), Err(TextError::NotPrintable { at: 1 }));
    }

    #[test]
    fn trimming_makes_padded_and_bare_equal() {
        let padded = Text::<8>::new(b"TERM1   ").map(|t| t.trimmed());
        assert_eq!(padded, Text::<8>::new(b"TERM1"));
        let text = |value: &str| value.parse::<Text<8>>().unwrap_or_default();
        assert_eq!(text(" A B  ").trimmed_bytes(), b" A B");
        assert!(text("TERM1   ").eq_ignore_padding(&text("TERM1")));
        assert!(text("   ").eq_ignore_padding(&text("")));
        assert!(!text("TERM1").eq_ignore_padding(&text("TERM")));
    }
}
