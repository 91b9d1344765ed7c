//! Telling the messages of one MTI apart: each place is looked at once, whatever many entries
//! compare it.
//!
//! Contract: a [`Group`] says of every entry of its MTI whether a message has all of its
//! distinguishing values, and whether it has none that contradicts – one bit per entry, the most
//! specific the lowest. Deliberately absent: what follows from that ([`super::messages`]).

use super::field_map::Place;
use super::messages::{Condition, Entry};
use crate::iso8583::{Message, Mti};
use crate::text::Short;

/// One bit per entry of an MTI, the first the lowest.
pub(super) type Bits = u64;

/// How many entries one MTI may have.
pub(super) const ENTRIES_MAX: usize = Bits::BITS as usize;

/// The entries of one MTI.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) mti: Mti,
    /// Where its entries begin in the list of all.
    pub(super) from: usize,
    /// Those that are ever read.
    pub(super) reads: Bits,
    all: Bits,
    looks: Vec<Look>,
}

/// One place that entries compare.
#[derive(Debug, Clone)]
struct Look {
    place: Place,
    /// The entries that do not look here.
    free: Bits,
    patterns: Vec<(Pattern, Bits)>,
}

/// A mask as words: a value fits where it is equal in the bytes that count.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    mask: Box<[u8]>,
    /// Which bytes of the first sixteen count, and what they are.
    counts: [u64; 2],
    wanted: [u64; 2],
}

/// What a message has of the entries of its MTI.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fit {
    /// Every distinguishing value.
    pub(super) whole: Bits,
    /// None that contradicts.
    pub(super) open: Bits,
}

impl Group {
    /// Entries in order of MTI, as groups.
    pub(super) fn all(entries: &[Entry]) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        let mut from = 0;
        for same in entries.chunk_by(|one, next| one.mti == next.mti) {
            groups.extend(same.first().map(|first| Self::of(first.mti, from, same)));
            from += same.len();
        }
        groups
    }

    fn of(mti: Mti, from: usize, entries: &[Entry]) -> Self {
        let mut group = Self { mti, from, reads: 0, all: 0, looks: Vec::new() };
        for (entry, bit) in entries.iter().take(ENTRIES_MAX).zip((0..).map(|at| 1 << at)) {
            group.all |= bit;
            group.reads |= if entry.reads { bit } else { 0 };
            entry.conditions.iter().for_each(|condition| group.look(condition, bit));
        }
        for look in &mut group.looks {
            look.free = group.all & !look.patterns.iter().fold(0, |bits, (_, own)| bits | own);
        }
        group
    }

    fn look(&mut self, condition: &Condition, bit: Bits) {
        // Who compares one place twice needs two looks: both must hold.
        let own = |look: &Look| look.patterns.iter().any(|(_, bits)| bits & bit != 0);
        let shared = |look: &Look| look.place == condition.place && !own(look);
        let at = self.looks.iter().position(shared).unwrap_or_else(|| {
            self.looks.push(Look { place: condition.place, free: 0, patterns: Vec::new() });
            self.looks.len() - 1
        });
        let look = &mut self.looks[at];
        for mask in &condition.masks {
            match look.patterns.iter_mut().find(|(pattern, _)| pattern.mask == *mask) {
                Some((_, bits)) => *bits |= bit,
                None => look.patterns.push((Pattern::of(mask), bit)),
            }
        }
    }

    /// What a message has of these entries.
    #[inline]
    pub(super) fn fit(&self, message: &Message) -> Fit {
        let mut fit = Fit { whole: self.all, open: self.all };
        for look in &self.looks {
            match look.value(message) {
                Some(value) => {
                    let bits = look.fitting(value);
                    fit = Fit { whole: fit.whole & bits, open: fit.open & bits };
                }
                None => fit.whole &= look.free,
            }
        }
        fit
    }
}

impl Look {
    #[inline]
    fn value<'m>(&self, message: &'m Message) -> Option<&'m [u8]> {
        let value = message.get(self.place.de)?;
        match self.place.part {
            None => Some(value),
            Some(_) => {
                let (first, _) = self.patterns.first()?;
                value.get(self.place.at..)?.get(..first.mask.len())
            }
        }
    }

    /// The entries that this value fits, and those that do not look at it.
    #[inline]
    fn fitting(&self, value: &[u8]) -> Bits {
        let words = value.get(..Short::MOST).unwrap_or(value);
        let words = Short::of(words).map(Short::words).unwrap_or_default();
        let fits = |(pattern, _): &&(Pattern, Bits)| pattern.fits(words, value);
        self.patterns.iter().filter(fits).fold(self.free, |bits, (_, own)| bits | own)
    }
}

impl Pattern {
    fn of(mask: &[u8]) -> Self {
        let front = mask.get(..Short::MOST).unwrap_or(mask);
        let counts = |c: &u8| if *c == b'x' { 0 } else { 0xFF };
        let counts: Vec<u8> = front.iter().map(counts).collect();
        let words = |bytes: &[u8]| Short::of(bytes).map(Short::words).unwrap_or_default();
        let (counts, wanted) = (words(&counts), words(front));
        let wanted = [wanted[0] & counts[0], wanted[1] & counts[1]];
        Self { mask: mask.into(), counts, wanted }
    }

    #[inline]
    fn fits(&self, words: [u64; 2], value: &[u8]) -> bool {
        let differs = |at: usize| (words[at] & self.counts[at]) ^ self.wanted[at];
        self.mask.len() == value.len()
            && differs(0) | differs(1) == 0
            && (value.len() <= Short::MOST || fits(&self.mask, value))
    }
}

/// Whether a value has a mask's characters; `x` is any.
pub(super) fn fits(mask: &[u8], value: &[u8]) -> bool {
    mask.len() == value.len() && mask.iter().zip(value).all(|(m, v)| *m == b'x' || m == v)
}

/// The numbers of the bits that are set, ascending.
#[inline]
pub(super) fn ones(mut bits: Bits) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = bits.trailing_zeros();
        bits &= bits.checked_sub(1)?;
        usize::try_from(at).ok()
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn patterns_fit_what_their_masks_fit() {
        let values: [&[u8]; 9] = [
            b"",
            b"00",
            b"x0",
            b"000000",
            b"010000",
            b"00xx00",
            b"0000000000000000",
            b"00000000000000000001",
            b"00000000000000000002",
        ];
        let masks: [&[u8]; 8] = [
            b"00",
            b"0x",
            b"xx",
            b"00xxxx",
            b"000000",
            b"000000000000000x",
            b"0000000000000000xxx1",
            b"xxxxxxxxxxxxxxxxxxxx",
        ];
        for mask in masks {
            for value in values {
                let words = value.get(..16).unwrap_or(value);
                let words = Short::of(words).unwrap().words();
                let said = Pattern::of(mask).fits(words, value);
                assert_eq!(said, fits(mask, value), "{mask:?} {value:?}");
            }
        }
    }

    #[test]
    fn bits_are_listed_from_the_lowest() {
        assert_eq!(ones(0).count(), 0);
        assert_eq!(ones(1 << 63 | 0b101).collect::<Vec<_>>(), [0, 2, 63]);
    }
}
