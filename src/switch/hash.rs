//! The one hash of the core: fast, the same in every run, kept out of anybody's dictionary of
//! keys by nothing but its width.
//!
//! Contract: fingerprints are the same across restarts and builds, because a journal is
//! searched by them; look-up tables hashed with [`Fixed`] are never iterated. Deliberately
//! absent: randomness – jitter comes from a counter and a seed.

use std::hash::{BuildHasherDefault, Hasher};

/// Odd constants with well spread bits (fractions of the square roots of 2, 3 and 5).
const A: u64 = 0x6A09_E667_F3BC_C909;
const B: u64 = 0xBB67_AE85_84CA_A73B;
const C: u64 = 0x3C6E_F372_FE94_F82B;

/// Multiplies to 128 bits and folds: every input bit reaches every output bit.
const fn fold(a: u64, b: u64) -> u64 {
    let wide = (a as u128).wrapping_mul(b as u128);
    (wide as u64) ^ ((wide >> 64) as u64)
}

/// A running 64-bit digest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digest(u64);

impl Digest {
    /// A digest that differs by `domain` from every other use.
    pub(super) const fn new(domain: u64) -> Self {
        Self(fold(domain ^ A, C))
    }

    /// Takes in a number.
    #[must_use]
    pub(super) const fn num(self, value: u64) -> Self {
        Self(fold(self.0 ^ value ^ B, A))
    }

    /// Takes in bytes and their length, so that neighbours never run together.
    #[must_use]
    pub(super) fn bytes(self, value: &[u8]) -> Self {
        let mut digest = self.num(value.len() as u64);
        for chunk in value.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            digest = digest.num(u64::from_le_bytes(word));
        }
        digest
    }

    /// Takes in bytes that may be absent; absent and empty differ.
    #[must_use]
    pub(super) fn maybe(self, value: Option<&[u8]>) -> Self {
        match value {
            Some(bytes) => self.bytes(bytes),
            None => self.num(u64::MAX),
        }
    }

    /// The digest.
    pub(super) const fn finish(self) -> u64 {
        fold(self.0 ^ C, B)
    }
}

/// Hasher of the look-up tables.
#[derive(Debug, Clone, Default)]
pub(super) struct FixedHasher(u64);

impl Hasher for FixedHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = Digest(self.0).bytes(bytes).finish();
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = fold(self.0 ^ value ^ A, B);
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
}

/// A look-up table that hashes alike in every run. Never iterated.
pub(super) type Lookup<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<FixedHasher>>;

/// A number between 0 and `below` − 1, made of a seed and two counters.
pub(super) const fn jitter(seed: u64, owner: u64, count: u64, below: u64) -> u64 {
    if below == 0 {
        return 0;
    }
    Digest::new(seed).num(owner).num(count).finish() % below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_and_absence_are_told_apart() {
        let d = |a: &[u8], b: Option<&[u8]>| Digest::new(1).bytes(a).maybe(b).finish();
        assert_ne!(d(b"12", Some(b"3")), d(b"1", Some(b"23")));
        assert_ne!(d(b"1", Some(b"")), d(b"1", None));
    }

    #[test]
    fn fingerprints_stay_what_they_are() {
        // A journal written by an older build is searched by the newer one.
        assert_eq!(Digest::new(7).bytes(b"pointsman").finish(), FINGERPRINT);
    }

    const FINGERPRINT: u64 = 3_554_952_174_250_179_907;
}
