//! A small generator of pseudo-random numbers: one seed, one run, on every machine.
//!
//! Contract: SplitMix64 (public domain algorithm); never for keys or anything secret.

/// The generator.
#[derive(Debug, Clone)]
pub struct Seed(u64);

impl Seed {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 up to but not including `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw().checked_rem(end).unwrap_or(0)
    }

    /// True `per_mille` times in a thousand.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1_000) < u64::from(per_mille)
    }

    /// A waiting time of an exponential distribution with this mean, capped at ten times it.
    pub fn exponential(&mut self, mean: std::time::Duration) -> std::time::Duration {
        // 53 bits make a fraction in (0, 1].
        let unit = ((self.draw() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        mean.mul_f64((-unit.ln()).min(10.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn one_seed_gives_one_stream() {
        let take = |seed| (0..5).map(|_| Seed::new(seed).draw()).collect::<Vec<_>>();
        assert_eq!(take(7), take(7));
        // First output of SplitMix64 for seed 0, as published with the algorithm.
        assert_eq!(Seed::new(0).draw(), 0xE220_A839_7B1D_CDAF);
    }

    #[test]
    fn exponential_times_have_their_mean() {
        let mut seed = Seed::new(1);
        let total: Duration = (0..10_000).map(|_| seed.exponential(Duration::from_millis(5))).sum();
        assert!((45..55).contains(&total.as_secs()), "{total:?}");
    }
}
