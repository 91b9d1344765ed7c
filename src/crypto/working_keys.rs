//! Working keys that a bank hands out while it runs: which one is in force, and which ones still
//! count for what was sent under them.
//!
//! Contract: a new key comes into force only when the peer granted it and its check value was
//! right; until then, and whenever it was not, the old one stays (safety.md, fault 20). What was
//! sent under an old key is answered under it, so old keys stay valid for `keep`, at most
//! [`OLD_KEYS_MAX`] of them. An answer to an earlier sign-in never replaces the key of a later
//! one. Pure: time comes in. Deliberately absent: what a key is (the tests
//! and the simulated world use numbers), locks, and where keys come from.

use crate::text::Text;
use crate::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Old keys that stay valid at once; a peer that changes keys faster loses the oldest.
pub const OLD_KEYS_MAX: usize = 4;

/// The working keys of a bank: one ring for each terminal that signs in, or one for the line.
#[derive(Debug)]
pub struct WorkingKeys<K> {
    rings: BTreeMap<Option<Text<16>>, Ring<K>>,
    keep: Duration,
    /// The newest sign-in.
    last_ask: SignIn,
    #[cfg(feature = "faults")]
    early: bool,
}

/// One sign-in; a later one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct SignIn(u64);

#[derive(Debug)]
struct Ring<K> {
    current: K,
    /// Which sign-in brought it.
    from: SignIn,
    /// Newest first, each with the end of its life.
    old: VecDeque<(K, Instant)>,
}

impl<K> WorkingKeys<K> {
    /// No keys yet. `keep`: how long a key counts after another took its place.
    pub const fn new(keep: Duration) -> Self {
        Self {
            rings: BTreeMap::new(),
            keep,
            last_ask: SignIn(0),
            #[cfg(feature = "faults")]
            early: false,
        }
    }

    /// Plants the bug "key switched early": what is offered is in force at once, whether it was
    /// granted and right or not, and the old keys are forgotten.
    #[cfg(feature = "faults")]
    pub const fn switch_early(&mut self) {
        self.early = true;
    }

    /// A sign-in leaves; its answer is to be told by this number.
    pub const fn asked(&mut self) -> SignIn {
        self.last_ask = SignIn(self.last_ask.0 + 1);
        self.last_ask
    }

    /// A sign-in was answered: `granted` by its code, with this key, already checked by its check
    /// value; `None`: there was none, or it was wrong. Whether the key came into force.
    pub fn answered(
        &mut self,
        now: Instant,
        sign_in: SignIn,
        terminal: Option<Text<16>>,
        granted: bool,
        key: Option<K>,
    ) -> bool {
        let terminal = terminal.map(|t| t.trimmed());
        #[cfg(feature = "faults")]
        let Some(key) = self.switched_early(sign_in, terminal, key) else {
            return true;
        };
        let Some(key) = key.filter(|_| granted) else { return false };
        let until = now.after(self.keep);
        match self.rings.get_mut(&terminal) {
            Some(ring) if ring.from > sign_in => return false,
            Some(ring) => ring.change(key, sign_in, until),
            None => {
                let ring = Ring { current: key, from: sign_in, old: VecDeque::new() };
                self.rings.insert(terminal, ring);
            }
        }
        true
    }

    /// The planted bug takes any key there is; otherwise the key is given back.
    #[cfg(feature = "faults")]
    fn switched_early(
        &mut self,
        from: SignIn,
        terminal: Option<Text<16>>,
        key: Option<K>,
    ) -> Option<Option<K>> {
        match key {
            Some(current) if self.early => {
                self.rings.insert(terminal, Ring { current, from, old: VecDeque::new() });
                None
            }
            key => Some(key),
        }
    }

    /// The key that what we send now is sealed with; `None` before the first sign-in.
    pub fn current(&self, terminal: Option<Text<16>>) -> Option<&K> {
        self.ring(terminal).map(|ring| &ring.current)
    }

    /// The keys under which what is received now may be sealed, the current one first.
    pub fn valid(&self, now: Instant, terminal: Option<Text<16>>) -> impl Iterator<Item = &K> {
        let ring = self.ring(terminal).into_iter();
        ring.flat_map(move |ring| {
            let old = ring.old.iter().filter(move |(_, until)| now <= *until);
            std::iter::once(&ring.current).chain(old.map(|(key, _)| key))
        })
    }

    /// The terminal's ring, or the line's; hosts leave the terminal out of answers, and where
    /// only one has keys it is meant.
    fn ring(&self, terminal: Option<Text<16>>) -> Option<&Ring<K>> {
        let exact =
            self.rings.get(&terminal.map(|t| t.trimmed())).or_else(|| self.rings.get(&None));
        let only = || self.rings.values().next().filter(|_| self.rings.len() == 1);
        exact.or_else(|| only().filter(|_| terminal.is_none()))
    }
}

impl<K> Ring<K> {
    fn change(&mut self, key: K, from: SignIn, until: Instant) {
        let old = std::mem::replace(&mut self.current, key);
        self.from = from;
        self.old.push_front((old, until));
        self.old.truncate(OLD_KEYS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Instant {
        Instant::default().after(Duration::from_secs(seconds))
    }

    fn terminal(name: &str) -> Option<Text<16>> {
        Text::new(name.as_bytes()).ok()
    }

    /// A sign-in, granted with this key.
    fn sign_in(keys: &mut WorkingKeys<u32>, seconds: u64, name: &str, key: u32) -> bool {
        let ask = keys.asked();
        keys.answered(at(seconds), ask, terminal(name), true, Some(key))
    }

    fn valid(keys: &WorkingKeys<u32>, seconds: u64, name: &str) -> Vec<u32> {
        keys.valid(at(seconds), terminal(name)).copied().collect()
    }

    #[test]
    fn an_old_key_counts_for_what_was_sent_under_it_and_no_longer() {
        let mut keys = WorkingKeys::new(KEEP);
        assert_eq!(keys.current(terminal("T1")), None);
        assert!(sign_in(&mut keys, 0, "T1", 1));
        assert!(sign_in(&mut keys, 10, "T1  ", 2));
        assert_eq!(keys.current(terminal("T1")), Some(&2));
        assert_eq!(valid(&keys, 70, "T1"), [2, 1]);
        assert_eq!(valid(&keys, 71, "T1"), [2]);
    }

    #[test]
    fn a_refused_sign_in_or_a_wrong_check_value_keeps_the_old_key() {
        let mut keys = WorkingKeys::new(KEEP);
        assert!(sign_in(&mut keys, 0, "T1", 1));
        let ask = keys.asked();
        assert!(!keys.answered(at(1), ask, terminal("T1"), false, Some(2)));
        assert!(!keys.answered(at(2), ask, terminal("T1"), true, None));
        assert_eq!(valid(&keys, 3, "T1"), [1]);
    }

    #[test]
    fn a_late_answer_to_an_earlier_sign_in_changes_nothing() {
        let mut keys = WorkingKeys::new(KEEP);
        let early = keys.asked();
        assert!(sign_in(&mut keys, 0, "T1", 2));
        assert!(!keys.answered(at(1), early, terminal("T1"), true, Some(1)));
        assert_eq!(valid(&keys, 1, "T1"), [2]);
    }

    #[test]
    fn a_terminal_is_never_given_the_key_of_another() {
        let mut keys = WorkingKeys::new(KEEP);
        sign_in(&mut keys, 0, "T1", 1);
        assert_eq!(keys.current(terminal("T2")), None);
        assert_eq!(keys.current(None), Some(&1), "an answer without its terminal");
        sign_in(&mut keys, 0, "T2", 2);
        assert_eq!(keys.current(None), None, "it could be either's");
        assert_eq!(keys.current(terminal("T2")), Some(&2));
    }

    #[test]
    fn old_keys_are_bounded() {
        let mut keys = WorkingKeys::new(KEEP);
        for key in 0..10 {
            let ask = keys.asked();
            keys.answered(at(0), ask, None, true, Some(key));
        }
        assert_eq!(keys.valid(at(0), None).count(), 1 + OLD_KEYS_MAX);
        assert_eq!(keys.current(terminal("T9")), Some(&9), "the line's key serves every terminal");
    }
}
