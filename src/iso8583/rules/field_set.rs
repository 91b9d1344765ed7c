//! A set of data elements, 1–192, as three words laid out like the bitmaps on the wire.

use crate::iso8583::Fields;
use crate::limits::DE_MAX;

/// A set of data elements.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct FieldSet([u64; 3]);

impl FieldSet {
    /// From presence words, DE 1 the highest bit of the first.
    pub const fn from_words(words: [u64; 3]) -> Self {
        Self(words)
    }

    /// Nothing.
    pub const EMPTY: Self = Self([0; 3]);

    /// Every data element.
    pub const ALL: Self = Self([u64::MAX; 3]);

    /// Whether `de` is in it.
    #[inline]
    pub fn contains(self, de: u8) -> bool {
        let at = usize::from(de.wrapping_sub(1));
        self.0.get(at / 64).is_some_and(|word| (word << (at % 64)) >> 63 == 1)
    }

    /// Adds `de`; what lies outside 1–192 is not added.
    pub fn insert(&mut self, de: u8) {
        let at = usize::from(de.wrapping_sub(1));
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= (1 << 63) >> (at % 64);
        }
    }

    /// Everything that is in either.
    #[must_use]
    #[inline]
    pub fn or(self, Self([d, e, f]): Self) -> Self {
        let Self([a, b, c]) = self;
        Self([a | d, b | e, c | f])
    }

    /// Everything that is in this one and not in `other`.
    #[must_use]
    #[inline]
    pub fn without(self, Self([d, e, f]): Self) -> Self {
        let Self([a, b, c]) = self;
        Self([a & !d, b & !e, c & !f])
    }

    /// Whether nothing is in it.
    #[inline]
    pub fn is_empty(self) -> bool {
        // Not compared as an array: that goes over memory, and waits for it.
        let Self([a, b, c]) = self;
        a | b | c == 0
    }

    /// The members, ascending.
    pub fn iter(self) -> Fields {
        Fields::of(self.0)
    }

    /// Everything that is in both.
    #[must_use]
    #[inline]
    pub fn and(self, Self([d, e, f]): Self) -> Self {
        let Self([a, b, c]) = self;
        Self([a & d, b & e, c & f])
    }
}

impl FromIterator<u8> for FieldSet {
    fn from_iter<I: IntoIterator<Item = u8>>(des: I) -> Self {
        let mut set = Self::EMPTY;
        des.into_iter().for_each(|de| set.insert(de));
        set
    }
}

impl std::fmt::Debug for FieldSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A data element written as a key or list item: 2–192 (1 is the bitmap's own).
pub(super) fn data_element(text: &str) -> Option<u8> {
    text.parse().ok().filter(|de| (2..=DE_MAX).contains(de))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in_and_lists_it_in_order() {
        let set: FieldSet = [128, 2, 192, 64, 65].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [2, 64, 65, 128, 192]);
        assert!(set.contains(64) && !set.contains(63) && !set.contains(0) && !set.contains(193));
        let odd: FieldSet = [0, 193, 255].into_iter().collect();
        assert!(odd.is_empty());
        assert_eq!(set.without([64].into_iter().collect()).iter().count(), 4);
    }
}
