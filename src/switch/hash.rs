//! The one hash of the core: fast, the same in every run, kept out of anybody's dictionary of
//! keys by nothing but its width.
//!
//! Contract: fingerprints are the same across restarts and builds, because a journal is
//! searched by them; [`Lookup`] cannot be iterated. Deliberately
//! absent: randomness – jitter comes from a counter and a seed.

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
        let (words, rest) = value.as_chunks::<8>();
        for word in words {
            digest = digest.num(u64::from_le_bytes(*word));
        }
        if rest.is_empty() {
            return digest;
        }
        digest.num(word_of(rest))
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

/// At most eight bytes as a number, the first one lowest, filled with zeros. Two halves that
/// overlap take fewer steps than a loop.
fn word_of(bytes: &[u8]) -> u64 {
    let up = |bytes: usize| 8 * bytes as u32;
    match (bytes.first_chunk(), bytes.last_chunk(), bytes) {
        (Some(first), Some(last), _) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            u64::from(first) | u64::from(last) << up(bytes.len() - 4)
        }
        (_, _, [first, .., last]) => {
            let middle = u64::from(bytes[bytes.len() / 2]) << up(bytes.len() / 2);
            u64::from(*first) | middle | u64::from(*last) << up(bytes.len() - 1)
        }
        (_, _, [one]) => u64::from(*one),
        (_, _, []) => 0,
    }
}

/// A look-up table from 64-bit keys, laid out alike in every run. It cannot be iterated, so
/// nothing can depend on its order. Open addressing, filled to at most one half.
#[derive(Debug)]
pub(super) struct Lookup<V> {
    slots: Vec<Option<(u64, V)>>,
    len: usize,
}

impl<V> Default for Lookup<V> {
    fn default() -> Self {
        Self { slots: vec![], len: 0 }
    }
}

impl<V: Copy> Lookup<V> {
    fn mask(&self) -> usize {
        self.slots.len().wrapping_sub(1)
    }

    fn home(&self, key: u64) -> usize {
        fold(key ^ A, B) as usize & self.mask()
    }

    /// Where the key stands, or the free slot where it would.
    fn slot(&self, key: u64) -> usize {
        let mut at = self.home(key);
        while self.slots.get(at).is_some_and(|s| s.as_ref().is_some_and(|(k, _)| *k != key)) {
            at = (at + 1) & self.mask();
        }
        at
    }

    /// The value of a key.
    #[inline(always)]
    pub(super) fn get(&self, key: u64) -> Option<V> {
        if self.len == 0 {
            return None;
        }
        self.slots.get(self.slot(key))?.as_ref().map(|(_, value)| *value)
    }

    /// Sets the value of a key.
    #[inline(always)]
    pub(super) fn insert(&mut self, key: u64, value: V) {
        if (self.len + 1) * 2 > self.slots.len() {
            let larger = (self.slots.len() * 2).max(16);
            let old = std::mem::take(&mut self.slots);
            self.slots.resize_with(larger, || None);
            for entry in old.into_iter().flatten() {
                let at = self.slot(entry.0);
                if let Some(slot) = self.slots.get_mut(at) {
                    *slot = Some(entry);
                }
            }
        }
        let (mask, mut at) = (self.mask(), self.home(key));
        while let Some(slot) = self.slots.get_mut(at) {
            match slot {
                Some((known, old)) if *known == key => return *old = value,
                Some(_) => at = (at + 1) & mask,
                None => {
                    self.len += 1;
                    return *slot = Some((key, value));
                }
            }
        }
    }

    /// Takes a key out and closes the gap it leaves.
    #[inline(always)]
    pub(super) fn remove(&mut self, key: u64) -> Option<V> {
        if self.len == 0 {
            return None;
        }
        let mut gap = self.slot(key);
        let (_, value) = self.slots.get_mut(gap)?.take()?;
        self.len -= 1;
        let mut at = gap;
        loop {
            at = (at + 1) & self.mask();
            let Some(Some((moved, _))) = self.slots.get(at) else { return Some(value) };
            let from_home = at.wrapping_sub(self.home(*moved)) & self.mask();
            if from_home >= (at.wrapping_sub(gap) & self.mask()) {
                self.slots.swap(gap, at);
                gap = at;
            }
        }
    }
}

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
    fn the_table_agrees_with_a_tree() {
        let mut table = Lookup::default();
        let mut tree = std::collections::BTreeMap::new();
        for count in 0..20_000_u64 {
            let key = jitter(3, 0, count, 700);
            if jitter(4, 0, count, 3) == 0 {
                assert_eq!(table.remove(key), tree.remove(&key));
            } else {
                table.insert(key, count);
                tree.insert(key, count);
            }
            let probe = jitter(5, 0, count, 700);
            assert_eq!(table.get(probe), tree.get(&probe).copied());
        }
    }

    #[test]
    fn a_word_has_its_bytes_in_order() {
        let bytes = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88];
        for len in 0..=bytes.len() {
            let one_by_one = bytes[..len].iter().rev().fold(0, |word, b| word << 8 | u64::from(*b));
            assert_eq!(word_of(&bytes[..len]), one_by_one, "{len} bytes");
        }
    }

    #[test]
    fn fingerprints_stay_what_they_are() {
        // A journal written by an older build is searched by the newer one.
        assert_eq!(Digest::new(7).bytes(b"pointsman").finish(), FINGERPRINT);
    }

    const FINGERPRINT: u64 = 3_554_952_174_250_179_907;
}
