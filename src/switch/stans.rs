//! Which STANs of a bank are taken, and which comes next.
//!
//! Contract: numbers run 1–999999 and round again; one that is held by anything that may still
//! be answered, reversed or waits in the SAF is skipped. A number may be held several times
//! (by an original and by its reversal) and is free when all let go. 125 kB per bank.

use crate::limits::STAN_MAX;
use std::collections::BTreeMap;

const WORDS: usize = STAN_MAX as usize / 64 + 1;

/// The STANs of one bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stans {
    /// Where the search for a free number starts.
    next: u32,
    /// One bit per number, set while it is held.
    held: Vec<u64>,
    /// Holders beyond the first.
    more: BTreeMap<u32, u32>,
}

impl Default for Stans {
    fn default() -> Self {
        Self { next: 1, held: vec![0; WORDS], more: BTreeMap::new() }
    }
}

impl Stans {
    fn is_held(&self, stan: u32) -> bool {
        self.held.get(stan as usize / 64).is_some_and(|w| w & (1 << (stan % 64)) != 0)
    }

    /// The next free number, not yet taken; `None` when all are held.
    pub(super) fn free(&self) -> Option<u32> {
        let first = self.next;
        self.free_between(first, STAN_MAX).or_else(|| self.free_between(1, first - 1))
    }

    fn free_between(&self, low: u32, high: u32) -> Option<u32> {
        let mut stan = low;
        while stan <= high {
            if !self.is_held(stan) {
                return Some(stan);
            }
            let full = self.held.get(stan as usize / 64) == Some(&u64::MAX);
            stan = if full { (stan / 64 + 1) * 64 } else { stan + 1 };
        }
        None
    }

    /// Holds a number and continues the search behind it.
    pub(super) fn take(&mut self, stan: u32) {
        self.hold(stan);
        self.next = if stan >= STAN_MAX { 1 } else { stan + 1 };
    }

    /// Holds a number once more. Numbers outside 1–999999 are nobody's.
    pub(super) fn hold(&mut self, stan: u32) {
        if !(1..=STAN_MAX).contains(&stan) {
            return;
        }
        if self.is_held(stan) {
            *self.more.entry(stan).or_default() += 1;
        } else if let Some(word) = self.held.get_mut(stan as usize / 64) {
            *word |= 1 << (stan % 64);
        }
    }

    /// Where the search continues, and every held number with how often it is held.
    pub(super) fn parts(&self) -> (u32, impl Iterator<Item = (u32, u32)>) {
        let numbers = self.held.iter().zip(0_u32..).flat_map(|(word, at)| {
            // Bit by bit as long as one is set: nearly all words have none.
            let without_lowest = |word: &u64| Some(word & (word - 1)).filter(|left| *left != 0);
            let words = std::iter::successors(Some(*word).filter(|w| *w != 0), without_lowest);
            words.map(move |word| at * 64 + word.trailing_zeros())
        });
        let more = |stan: u32| self.more.get(&stan).copied().unwrap_or_default();
        (self.next, numbers.map(move |stan| (stan, more(stan).saturating_add(1))))
    }

    /// Holds a number so many times.
    pub(super) fn hold_times(&mut self, stan: u32, holders: u32) {
        self.hold(stan);
        if holders > 1 && self.is_held(stan) {
            self.more.insert(stan, holders - 1);
        }
    }

    /// Continues the search here.
    pub(super) fn continue_at(&mut self, next: u32) {
        self.next = next.clamp(1, STAN_MAX);
    }

    /// So many numbers may have been given out that nothing tells of: continues behind them.
    pub(super) fn skip(&mut self, many: u64) {
        let next = u64::from(self.next - 1).saturating_add(many) % u64::from(STAN_MAX);
        self.next = u32::try_from(next).map_or(1, |next| next + 1);
    }

    /// Lets go of a number once.
    pub(super) fn release(&mut self, stan: u32) {
        if !self.more.is_empty()
            && let Some(more) = self.more.get_mut(&stan)
        {
            *more -= 1;
            if *more == 0 {
                self.more.remove(&stan);
            }
        } else if let Some(word) = self.held.get_mut(stan as usize / 64) {
            *word &= !(1 << (stan % 64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_skipped_comes_last() {
        let mut stans = Stans::default();
        stans.take(7);
        stans.skip(5);
        assert_eq!(stans.free(), Some(13));
        stans.skip(u64::from(STAN_MAX) - 12);
        assert_eq!(stans.free(), Some(1));
        stans.skip(6);
        assert_eq!(stans.free(), Some(8), "7 is held");
    }

    #[test]
    fn numbers_wrap_and_skip_what_is_held() {
        let mut stans = Stans::default();
        stans.take(1);
        stans.take(STAN_MAX);
        assert_eq!(stans.free(), Some(2));
        stans.take(2);
        stans.release(1);
        stans.take(STAN_MAX - 1);
        assert_eq!(stans.free(), Some(1));
    }

    #[test]
    fn a_number_held_twice_is_free_after_two_releases() {
        let mut stans = Stans::default();
        stans.take(5);
        stans.hold(5);
        stans.take(4);
        stans.release(5);
        assert_eq!(stans.free(), Some(6));
        stans.release(5);
        assert_eq!(stans.free(), Some(5));
    }

    #[test]
    fn none_is_free_when_all_are_held() {
        let mut stans = Stans::default();
        for stan in 1..=STAN_MAX {
            stans.take(stan);
        }
        assert_eq!(stans.free(), None);
        stans.release(77);
        assert_eq!(stans.free(), Some(77));
    }
}
