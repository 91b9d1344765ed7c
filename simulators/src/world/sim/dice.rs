//! The only source of chance in a simulated world: one seed, one stream, on every machine.
//!
//! Contract: SplitMix64, written out here so that no new version of anything changes what a seed
//! means. Never for keys. Deliberately absent: floats.

use std::time::Duration;

/// A stream of pseudo-random numbers.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x005E_ED0F_7E57)
    }

    /// A stream of its own for one part of the world, so that parts do not disturb each other.
    pub fn fork(&mut self) -> Self {
        Self(self.roll())
    }

    /// The next 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to but not including `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll().checked_rem(end).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True `per_mille` times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let at = usize::try_from(self.below(of.len() as u64)).unwrap_or(0);
        of.get(at).copied()
    }

    /// One of these, each as likely as its weight says.
    pub fn weigh<T: Copy>(&mut self, of: &[(u64, T)]) -> Option<T> {
        let mut left = self.below(of.iter().map(|(weight, _)| *weight).sum());
        of.iter().find_map(|(weight, what)| {
            let hit = left < *weight;
            left = left.saturating_sub(*weight);
            hit.then_some(*what)
        })
    }

    /// A duration from `low` to `high` milliseconds.
    pub fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_micros(self.between(low * 1_000, high * 1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_kept_and_streams_repeat() {
        let mut dice = Dice::new(1);
        let hits = (0..10_000).filter(|_| dice.weigh(&[(1, true), (3, false)]) == Some(true));
        assert!((2_300..2_700).contains(&hits.count()));
        let five = |seed| {
            let mut dice = Dice::new(seed);
            (0..5).map(|_| dice.roll()).collect::<Vec<_>>()
        };
        assert_eq!(five(7), five(7));
        assert_ne!(five(7), five(8));
    }
}
