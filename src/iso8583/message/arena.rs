//! Where the values of a message lie: one arena, to which is appended.
//!
//! Contract: memory is kept, and what overwritten values left behind is given back only when there
//! is no room. Deliberately absent: the frame in front ([`super::loaded`]).

use super::{ARENA_MAX, Fields, Message, MessageError, SLACK, Slot};
use zeroize::Zeroize;

impl Message {
    #[inline(never)]
    pub(super) fn set_slowly(
        &mut self,
        de: u8,
        value: &[u8],
        (word, bit): (usize, u64),
    ) -> Result<(), MessageError> {
        let full = MessageError::Full { de, len: value.len() };
        if u16::try_from(value.len()).is_err() {
            return Err(full);
        }
        let was_there = self.present[word] & bit != 0;
        let old = self.slots[usize::from(de)];
        // A value outside the frame copy may be overwritten; the frame itself stays as it came.
        let fits = was_there
            && usize::from(old.at) >= self.frame_len
            && value.len() <= usize::from(old.len);
        let at = if fits {
            let at = usize::from(old.at);
            self.arena[at..at + value.len()].copy_from_slice(value);
            old.at
        } else {
            self.present[word] &= !bit;
            self.append(value).ok_or(full)?
        };
        self.slots[usize::from(de)] = Slot::of_value(at.into(), value.len());
        self.present[word] |= bit;
        Ok(())
    }

    pub(super) fn append(&mut self, value: &[u8]) -> Option<u16> {
        if self.used + value.len() > ARENA_MAX {
            self.compact();
        }
        let end = self.used + value.len();
        let at = u16::try_from(self.used).ok().filter(|_| end <= ARENA_MAX)?;
        if self.arena.len() < end + SLACK {
            self.grow(end + SLACK);
        }
        self.arena[self.used..end].copy_from_slice(value);
        self.used = end;
        Some(at)
    }

    #[cold]
    fn grow(&mut self, needed: usize) {
        self.arena.resize(needed.next_power_of_two().max(512), 0);
    }

    /// Gives back what overwritten values left behind. Rare: only a message edited thousands
    /// of times comes here.
    #[cold]
    fn compact(&mut self) {
        let old = std::mem::take(&mut self.arena);
        let mut new = Vec::with_capacity(old.len());
        let mut carry = |at: u16, len: u16| {
            let from = usize::from(at);
            let to = new.len() as u16;
            new.extend_from_slice(&old[from..from + usize::from(len)]);
            to
        };
        self.header = self.header.map(|(at, len)| (carry(at, len), len));
        for de in Fields::of(self.present) {
            let slot = &mut self.slots[usize::from(de)];
            *slot = Slot::of_value(carry(slot.at, slot.len).into(), slot.len.into());
        }
        self.used = new.len();
        self.frame_len = 0;
        self.arena = new;
        let mut old = old;
        old.zeroize();
    }
}
