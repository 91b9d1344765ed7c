//! The memory of requests: what became of each, as long as it may be repeated.
//!
//! Contract: it keeps 32 bytes and at most 16 of index per transaction, oldest first; bodies
//! come by recall. It is bounded by records ([`super::record::Forgotten`]), never by itself, so
//! that replay forgets what was forgotten live. Of what it forgot it keeps the newest own stamp
//! of each platform: what is not newer may be a repeat of something forgotten. Deliberately
//! absent: what makes two requests the same ([`super::duplicates`]).

use super::ids::{Name, RecordNo};
pub(super) use super::past::{Past, Remembered, Stamp};
use super::prints::Prints;
use std::collections::VecDeque;
use std::sync::Arc;

const CHUNK: usize = 4096;

/// The requests of the duplicate window, oldest first, found by fingerprint.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    /// Position of the oldest entry, counted from the beginning of time.
    first: u64,
    /// How many.
    len: usize,
    /// Entries in chunks, so that growing never copies them; the first chunk holds positions
    /// from `first` rounded down to a chunk. Shared with a snapshot while there is one: a chunk
    /// that changes meanwhile is copied first.
    chunks: VecDeque<Arc<Vec<Remembered>>>,
    /// Where which fingerprint stands; filled to at most three quarters.
    index: Prints,
    /// Platforms met, and the newest stamp of each among what was forgotten; 0: none.
    platforms: Vec<(Name, u32)>,
    /// How many are names of what was reversed before it came.
    tombstones: usize,
}

impl PartialEq for Memory {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.platforms == other.platforms && self.iter().eq(other.iter())
    }
}

impl Memory {
    /// An empty memory whose first entry will have this position.
    pub(super) fn starting_at(first: u64, platforms: Vec<(Name, u32)>) -> Self {
        let mut memory = Self { first, platforms, ..Self::default() };
        let gone = Remembered::new(0, 0, RecordNo(0), Past::Open, Stamp::default());
        // The chunk of the first entry holds what came before it: forgotten ones.
        let mut chunk = Vec::with_capacity(CHUNK);
        chunk.resize(first as usize % CHUNK, gone);
        memory.chunks.push_back(Arc::new(chunk));
        memory
    }

    /// The same entries, to be read only: they are shared, and the index by fingerprint is left
    /// out. A pointer per 4,096 entries, so that it takes no time.
    pub(super) fn frozen(&self) -> Self {
        Self {
            chunks: self.chunks.clone(),
            index: Prints::default(),
            platforms: self.platforms.clone(),
            ..*self
        }
    }

    /// Platforms met, and the newest stamp of each among what was forgotten.
    pub(super) const fn platforms(&self) -> &Vec<(Name, u32)> {
        &self.platforms
    }

    /// The stamp of a request as the memory keeps it.
    pub(super) fn stamp(&mut self, platform: &Name, seconds: Option<u32>) -> Stamp {
        let known = self.platforms.iter().position(|(name, _)| name == platform);
        let at = known.unwrap_or_else(|| {
            self.platforms.push((*platform, 0));
            self.platforms.len() - 1
        });
        Stamp {
            platform: u16::try_from(at).unwrap_or(u16::MAX),
            seconds: seconds.unwrap_or_default(),
        }
    }

    /// Whether a request of this platform and stamp may have been forgotten: it is not newer
    /// than the newest that was. Equal ones count, for stamps have seconds only.
    pub(super) fn may_have_forgotten(&self, platform: &Name, seconds: u32) -> bool {
        self.platforms.iter().any(|(name, newest)| name == platform && seconds <= *newest)
    }

    /// Position of the oldest entry.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// How many are remembered.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// All of them, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Remembered> {
        (self.first..self.first + self.len as u64).filter_map(|at| self.get(at).copied())
    }

    /// Number of the record that is `n` entries from the oldest.
    pub(super) fn nth_no(&self, n: usize) -> Option<RecordNo> {
        (n < self.len).then(|| self.get(self.first + n as u64))?.map(|r| r.no())
    }

    fn get(&self, at: u64) -> Option<&Remembered> {
        let (chunk, slot) = self.place(at);
        self.chunks.get(chunk)?.get(slot)
    }

    fn place(&self, at: u64) -> (usize, usize) {
        let base = self.first - self.first % CHUNK as u64;
        let offset = at.wrapping_sub(base) as usize;
        (offset / CHUNK, offset % CHUNK)
    }

    /// Position of an index value: the only one within the window with these low bits.
    const fn position(&self, low: u32) -> u64 {
        self.first + low.wrapping_sub(self.first as u32) as u64
    }

    /// The newest request with this fingerprint.
    pub(super) fn find(&self, fingerprint: u64) -> Option<Remembered> {
        self.find_at(fingerprint).and_then(|at| self.get(at).copied())
    }

    /// Whether a request with this fingerprint asked for this: not only the newest of them.
    pub(super) fn has(&self, fingerprint: u64, content: u32) -> bool {
        let known = self.index.candidates(fingerprint).map(|low| self.position(low));
        let mut known = known.filter_map(|at| self.get(at));
        known.any(|r| r.fingerprint() == fingerprint && r.same_content(content))
    }

    fn find_at(&self, fingerprint: u64) -> Option<u64> {
        let known = self.index.candidates(fingerprint).map(|low| self.position(low));
        known.filter(|at| self.get(*at).is_some_and(|r| r.fingerprint() == fingerprint)).max()
    }

    /// Remembers a request; returns its position.
    pub(super) fn insert(
        &mut self,
        fingerprint: u64,
        content: u32,
        no: RecordNo,
        past: Past,
        stamp: Stamp,
    ) -> u64 {
        if (self.len + 1) * 4 > self.index.slots() * 3 {
            self.make_index(self.index.slots() * 2);
        }
        let at = self.first + self.len as u64;
        let remembered = Remembered::new(fingerprint, content, no, past, stamp);
        let (chunk, _) = self.place(at);
        if chunk == self.chunks.len() {
            self.chunks.push_back(Arc::new(Vec::with_capacity(CHUNK)));
        }
        if let Some(entries) = self.chunks.get_mut(chunk) {
            Arc::make_mut(entries).push(remembered);
        }
        self.len += 1;
        self.tombstones += usize::from(past == Past::Tombstone);
        self.index.enter(fingerprint, at as u32);
        at
    }

    /// Whether anything was reversed before it came.
    pub(super) const fn has_tombstones(&self) -> bool {
        self.tombstones > 0
    }

    /// Room for so many requests at once, so that the index need not be made anew while they
    /// come.
    pub(super) fn reserve(&mut self, requests: usize) {
        let slots = (requests.saturating_add(1) * 4).div_ceil(3).next_power_of_two();
        if slots > self.index.slots() {
            self.make_index(slots);
        }
    }

    fn make_index(&mut self, slots: usize) {
        let mut index = Prints::with_slots(slots.max(64));
        for at in self.first..self.first + self.len as u64 {
            if let Some(remembered) = self.get(at) {
                index.enter(remembered.fingerprint(), at as u32);
            }
        }
        self.index = index;
    }

    /// Changes what became of the request at a position.
    pub(super) fn set(&mut self, at: u64, past: Past, outcome: Option<RecordNo>) {
        if at < self.first {
            return;
        }
        let (chunk, slot) = self.place(at);
        let entry = self.chunks.get_mut(chunk).and_then(|c| Arc::make_mut(c).get_mut(slot));
        if let Some(entry) = entry {
            entry.set(past, outcome);
        }
    }

    /// Position of the request whose record has this number.
    pub(super) fn position_of(&self, no: RecordNo) -> Option<u64> {
        let (mut low, mut high) = (self.first, self.first + self.len as u64);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle)?.no() < no { low = middle + 1 } else { high = middle }
        }
        self.get(low).filter(|r| low < self.first + self.len as u64 && r.no() == no).map(|_| low)
    }

    /// The request whose record has this number.
    pub(super) fn of(&self, no: RecordNo) -> Option<Remembered> {
        self.position_of(no).and_then(|at| self.get(at).copied())
    }

    /// Forgets everything up to this record number.
    pub(super) fn forget(&mut self, upto: RecordNo) {
        while self.len > 0 {
            let Some(oldest) = self.get(self.first).copied() else { return };
            if oldest.no() > upto {
                return;
            }
            let mut index = std::mem::take(&mut self.index);
            index.leave(oldest.fingerprint(), self.first as u32, |low| {
                self.get(self.position(low)).map(|r| r.fingerprint())
            });
            self.index = index;
            let Stamp { platform, seconds } = oldest.stamp();
            if let Some((_, newest)) = self.platforms.get_mut(usize::from(platform)) {
                *newest = seconds.max(*newest);
            }
            self.len -= 1;
            self.tombstones -= usize::from(oldest.past() == Past::Tombstone);
            let (_, slot) = self.place(self.first);
            self.first += 1;
            if slot == CHUNK - 1 {
                self.chunks.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash::Digest;
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_memory_agrees_with_a_naive_one() {
        let mut memory = Memory::default();
        let stamp = Stamp::default();
        let mut naive: BTreeMap<u64, u64> = BTreeMap::new(); // number → fingerprint
        for no in 1..60_000_u64 {
            let fingerprint = Digest::new(9).num(no % 20_011).finish();
            let at = memory.insert(fingerprint, 0, RecordNo(no * 3), Past::Open, stamp);
            memory.set(at, Past::Granted, Some(RecordNo(no * 3 + 2)));
            naive.insert(no * 3, fingerprint);
            if no % 977 == 0 {
                let upto = (no * 3).saturating_sub((no % 9) * 3_000);
                memory.forget(RecordNo(upto));
                naive.retain(|n, _| *n > upto);
            }
            if no % 101 == 0 {
                let probe = Digest::new(9).num((no * 7) % 20_011).finish();
                let expected = naive.iter().rev().find(|(_, f)| **f == probe).map(|(n, _)| *n);
                assert_eq!(memory.find(probe).map(|r| r.no().0), expected);
            }
        }
        assert_eq!(memory.len(), naive.len());
        let last = memory.find(Digest::new(9).num(59_999 % 20_011).finish());
        assert_eq!(
            last.map(|r| (r.past(), r.outcome())),
            Some((Past::Granted, Some(RecordNo(179_999))))
        );
        assert!(memory.position_of(RecordNo(179_997)).is_some());
        assert_eq!(memory.position_of(RecordNo(179_998)), None);
    }

    #[test]
    fn what_is_not_newer_than_what_was_forgotten_may_have_been() {
        let name = |s: &str| s.parse::<Name>().unwrap_or_default();
        let (north, south) = (name("north"), name("south"));
        let mut memory = Memory::default();
        for no in 1..=10_u64 {
            let stamp = memory.stamp(&north, Some(100 + no as u32));
            memory.insert(no, 0, RecordNo(no), Past::Granted, stamp);
        }
        // A clock far behind is another platform's own affair.
        let stamp = memory.stamp(&south, Some(7));
        memory.insert(77, 0, RecordNo(11), Past::Granted, stamp);
        assert!(!memory.may_have_forgotten(&north, 101));
        memory.forget(RecordNo(4));
        assert!(memory.may_have_forgotten(&north, 101));
        assert!(memory.may_have_forgotten(&north, 104));
        assert!(!memory.may_have_forgotten(&north, 105));
        assert!(!memory.may_have_forgotten(&south, 8));
        memory.forget(RecordNo(11));
        assert!(memory.may_have_forgotten(&south, 7));
        assert!(!memory.may_have_forgotten(&south, 8));
    }
}
