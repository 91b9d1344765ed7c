//! From fingerprints to positions: the index of the memory of requests.
//!
//! Contract: open addressing with linear probing, filled to at most three quarters by its owner;
//! 6 bytes per slot. Beside each position stand eight bits of its fingerprint and how far it is
//! from its home, so that a look at what is not there – every new request – reads one line of
//! marks and no entry, and taking one out moves its neighbours without asking who they are.
//! Deliberately absent: the entries themselves.

/// A distance from home that is this or more is not known: the entry must be asked.
const FAR: usize = 255;

/// How many marks are looked at at once.
const ROW: usize = 8;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Prints {
    /// Low 32 bits of positions.
    lows: Vec<u32>,
    /// 0 where nothing stands; else one more than the distance from home, at most [`FAR`], in
    /// the high byte, and the low byte of the fingerprint.
    marks: Vec<u16>,
}

impl Prints {
    /// An empty index; `slots` is a power of two. Memory is taken as it is used.
    pub(super) fn with_slots(slots: usize) -> Self {
        Self { lows: vec![0; slots], marks: vec![0; slots] }
    }

    /// How many slots it has.
    pub(super) fn slots(&self) -> usize {
        self.marks.len()
    }

    fn mask(&self) -> usize {
        self.marks.len().wrapping_sub(1)
    }

    fn home(&self, print: u64) -> usize {
        (print >> 20) as usize & self.mask()
    }

    fn mark(&self, slot: usize) -> u16 {
        self.marks.get(slot).copied().unwrap_or_default()
    }

    /// Where entries stand that may have this fingerprint: all that have it, and few others.
    pub(super) fn candidates(&self, print: u64) -> impl Iterator<Item = u32> {
        let (mut slot, mut distance) = (self.home(print), 0);
        let absent = self.is_absent(print);
        std::iter::from_fn(move || {
            loop {
                let mark = self.mark(slot);
                if absent || mark == 0 {
                    return None;
                }
                let found = self.lows.get(slot).copied();
                slot = (slot + 1) & self.mask();
                distance += 1;
                if mark == marked(distance - 1, print) {
                    return found;
                }
            }
        })
    }

    /// Whether the row of marks that begins at home shows that this fingerprint is not there: one
    /// stands for nothing, so that what is at home here stands before it, and none is like ours.
    /// Nearly always so, and decided by one branch: what comes next need not wait for memory, as
    /// it would if every mark decided whether there is another.
    fn is_absent(&self, print: u64) -> bool {
        let row = self.marks.get(self.home(print)..).and_then(<[u16]>::first_chunk::<ROW>);
        let Some(row) = row else { return false };
        let (mut free, mut alike) = (false, false);
        for (distance, mark) in row.iter().enumerate() {
            free |= *mark == 0;
            alike |= *mark == marked(distance, print);
        }
        free & !alike
    }

    /// Enters a position. There must be room.
    pub(super) fn enter(&mut self, print: u64, low: u32) {
        let (mut slot, mut distance) = (self.home(print), 0);
        while self.mark(slot) != 0 {
            slot = (slot + 1) & self.mask();
            distance += 1;
        }
        self.put(slot, marked(distance, print), low);
    }

    fn put(&mut self, slot: usize, mark: u16, low: u32) {
        if let (Some(to), Some(place)) = (self.marks.get_mut(slot), self.lows.get_mut(slot)) {
            (*to, *place) = (mark, low);
        }
    }

    /// Takes a position out and closes the gap it leaves; `print_of` tells the fingerprint of
    /// another one, which is asked for only where it stands far from home.
    pub(super) fn leave(&mut self, print: u64, low: u32, print_of: impl Fn(u32) -> Option<u64>) {
        let mut gap = self.home(print);
        while self.mark(gap) != 0 && self.lows.get(gap) != Some(&low) {
            gap = (gap + 1) & self.mask();
        }
        let mut slot = gap;
        loop {
            slot = (slot + 1) & self.mask();
            let (mark, low) = (self.mark(slot), self.lows.get(slot).copied().unwrap_or_default());
            if mark == 0 {
                break;
            }
            let distance = match usize::from(mark >> 8) {
                FAR => {
                    let home = print_of(low).map_or(slot, |print| self.home(print));
                    slot.wrapping_sub(home) & self.mask()
                }
                known => known - 1,
            };
            // It may move into the gap unless its home lies behind the gap.
            let step = slot.wrapping_sub(gap) & self.mask();
            if distance >= step {
                self.put(gap, marked(distance - step, u64::from(mark)), low);
                gap = slot;
            }
        }
        self.put(gap, 0, 0);
    }
}

/// The mark of an entry so far from home.
fn marked(distance: usize, print: u64) -> u16 {
    (((distance + 1).min(FAR) as u16) << 8) | (print & 0xFF) as u16
}

#[cfg(test)]
mod tests {
    use super::super::hash::jitter;
    use super::*;

    #[test]
    fn what_is_in_is_found_even_far_from_home() {
        // Few homes: distances grow beyond what a mark can say.
        let print = |n: u64| (jitter(7, 0, n, 3) << 20) | jitter(8, 0, n, 5);
        let mut prints = Prints::with_slots(1_024);
        let (first, most) = (1_000_u64, 700);
        for n in 0..4_000_u64 {
            prints.enter(print(n), (first + n) as u32);
            if n >= most {
                let gone = n - most;
                let print_of = |low: u32| Some(print(u64::from(low) - first));
                prints.leave(print(gone), (first + gone) as u32, print_of);
            }
            let oldest = n.saturating_sub(most - 1);
            for probe in [oldest, (oldest + n) / 2, n] {
                let mut found = prints.candidates(print(probe));
                assert!(found.any(|low| u64::from(low) == first + probe), "{probe} of {n}");
            }
        }
        let in_use = prints.marks.iter().filter(|mark| **mark != 0).count();
        assert_eq!(in_use as u64, most);
    }
}
