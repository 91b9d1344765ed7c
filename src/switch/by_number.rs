//! A map for keys that are given out in growing order and mostly leave in that order:
//! transactions, sessions.
//!
//! Contract: behaves as a sorted map, for any keys in any order, and iterates in the order of
//! the keys; entering behind the last key and leaving near the first cost a few steps, where a
//! tree would walk down and move its nodes. What left keeps its place until more has
//! left than is there, so the memory is bounded by three times the most there ever was.

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct ByNumber<K, V> {
    /// Sorted by key, no key twice.
    places: Vec<(K, Option<V>)>,
    /// How many places at the front are not needed any more.
    gone: usize,
    len: usize,
}

impl<K, V> Default for ByNumber<K, V> {
    fn default() -> Self {
        Self { places: vec![], gone: 0, len: 0 }
    }
}

impl<K: Copy + Ord, V> ByNumber<K, V> {
    /// How many are there.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The value of a key.
    pub(super) fn get(&self, key: K) -> Option<&V> {
        self.places.get(self.search(key).ok()?)?.1.as_ref()
    }

    /// The value of a key, to be changed.
    pub(super) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let place = self.search(key).ok()?;
        self.places.get_mut(place)?.1.as_mut()
    }

    /// Whether there is a value of this key.
    pub(super) fn contains(&self, key: K) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of a key; gives the one it had.
    #[inline(always)]
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let old = if self.places.last().is_none_or(|(last, _)| *last < key) {
            self.places.push((key, Some(value)));
            None
        } else {
            match self.search(key) {
                Ok(place) => self.places.get_mut(place).and_then(|(_, old)| old.replace(value)),
                Err(place) => {
                    self.places.insert(place, (key, Some(value)));
                    None
                }
            }
        };
        self.len += usize::from(old.is_none());
        old
    }

    /// Takes a key out; gives the value it had.
    #[inline(always)]
    pub(super) fn remove(&mut self, key: K) -> Option<V> {
        let place = self.search(key).ok()?;
        let value = self.places.get_mut(place)?.1.take()?;
        self.len -= 1;
        if self.len == 0 {
            self.places.clear();
            self.gone = 0;
            return Some(value);
        }
        while self.places.get(self.gone).is_some_and(|(_, value)| value.is_none()) {
            self.gone += 1;
        }
        if self.gone > self.len + 16 {
            self.places.drain(..self.gone);
            self.gone = 0;
        } else if self.places.len() - self.gone > 2 * self.len + 16 {
            self.places.retain(|(_, value)| value.is_some());
            self.gone = 0;
        }
        Some(value)
    }

    /// All of them, in the order of their keys.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (K, &V)> {
        let needed = self.places.get(self.gone..).unwrap_or_default();
        needed.iter().filter_map(|(key, value)| Some((*key, value.as_ref()?)))
    }

    /// The first key.
    pub(super) fn first(&self) -> Option<K> {
        // What is gone at the front was left behind when it went.
        self.places.get(self.gone).map(|(key, _)| *key)
    }

    /// The last key entered behind all others; whether it is still there does not matter.
    pub(super) fn newest(&self) -> Option<K> {
        self.places.last().map(|(key, _)| *key)
    }

    /// All values, in the order of their keys.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// Where the key stands, or would. Looks among what is needed only: what left at the front
    /// is not there anyway, and a key before it goes in front of the rest.
    #[inline(always)]
    fn search(&self, key: K) -> Result<usize, usize> {
        let needed = self.places.get(self.gone..).unwrap_or_default();
        if needed.first().is_some_and(|(first, _)| *first == key) {
            return Ok(self.gone);
        }
        let found = needed.binary_search_by(|(known, _)| known.cmp(&key));
        found.map(|at| at + self.gone).map_err(|at| at + self.gone)
    }
}

impl<K: Copy + Ord, V: PartialEq> PartialEq for ByNumber<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Copy + Ord, V> Extend<(K, V)> for ByNumber<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, all: I) {
        for (key, value) in all {
            self.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash::jitter;
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_agrees_with_a_tree_and_stays_small() {
        let (mut map, mut tree) = (ByNumber::default(), BTreeMap::new());
        for count in 0..30_000_u64 {
            let chance = jitter(1, 0, count, 100);
            // Mostly the next number, sometimes any.
            let new = if chance < 3 { jitter(2, 0, count, 5_000) } else { 5_000 + count };
            assert_eq!(map.insert(new, count), tree.insert(new, count));
            let near = tree.keys().nth(jitter(3, 0, count, 40) as usize).copied();
            let gone = if chance < 90 { near } else { Some(jitter(4, 0, count, 35_000)) };
            if let Some(key) = gone.filter(|_| tree.len() > 60) {
                assert_eq!(map.remove(key), tree.remove(&key));
            }
            let probe = jitter(5, 0, count, 35_000);
            assert_eq!(map.get(probe), tree.get(&probe));
            assert_eq!((map.len(), map.contains(new)), (tree.len(), tree.contains_key(&new)));
            assert_eq!(map.first(), tree.keys().next().copied());
            assert!(map.newest() >= tree.keys().next_back().copied());
            assert!(map.places.len() <= 3 * map.len() + 33, "places are not given back");
        }
        assert!(map.iter().eq(tree.iter().map(|(key, value)| (*key, value))));
        let other = {
            let mut other = ByNumber::default();
            other.extend(tree.iter().rev().map(|(key, value)| (*key, *value)));
            other
        };
        assert!(map == other, "equal whatever came and went in between");
    }
}
