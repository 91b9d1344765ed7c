//! A message while a frame is read into it: the copy of the frame, and the room behind it.
//!
//! Contract: a data element that was noted counts as there once [`Message::arrived`] says so, so
//! that after an error there is what was read before it. Deliberately absent: reading
//! ([`mod@crate::iso8583::unpack`]).

use super::super::quick::Halves;
use super::{Message, SLACK, SLOTS, Slot};

impl Message {
    /// Clears, then takes a copy of the frame to the front of the arena and makes room for its
    /// values spread out.
    pub(in super::super) fn load(&mut self, frame: &[u8]) {
        self.clear();
        let most = 3 * frame.len() + 2 * SLACK;
        if self.arena.len() < most {
            self.arena.resize(most, 0);
        }
        self.arena[..frame.len()].copy_from_slice(frame);
        // Whole words of the frame are read, so some bytes behind it as well.
        self.used = frame.len() + SLACK;
        self.frame_len = frame.len();
    }

    pub(in super::super) fn set_header_span(&mut self, len: usize) {
        self.header = Some((0, len as u16));
    }

    /// Room for an expanded value after [`Self::load`]: where it begins, and the room.
    #[inline]
    pub(in super::super) fn room(&mut self, len: usize) -> Option<(usize, &mut [u8])> {
        let at = self.used;
        self.arena.get_mut(at..at + len).map(|room| (at, room))
    }

    /// Keeps `len` bytes of the room given last.
    #[inline]
    pub(in super::super) fn keep(&mut self, len: usize) {
        self.used += len;
    }

    /// Notes where a data element lies; it counts as there once [`Self::arrived`] says so.
    pub(in super::super) fn note(&mut self, de: u8, slot: Slot) {
        self.slots[usize::from(de)] = slot;
    }

    /// Where a data element was noted.
    pub(in super::super) fn slot(&self, de: u8) -> Slot {
        self.slots[usize::from(de)]
    }

    /// Takes a loaded message apart for the short way; [`Self::keep`] what it used of the room.
    #[inline]
    pub(in super::super) fn halves(&mut self) -> Halves<'_> {
        let front = self.frame_len + SLACK;
        let (front, back) = self.arena.split_at_mut(front);
        Halves { used: self.used - front.len(), front, back, slots: &mut self.slots }
    }

    /// Says how much of the room behind the frame is used.
    #[inline]
    pub(in super::super) fn set_used(&mut self, used: usize) {
        self.used = self.frame_len + SLACK + used;
    }

    /// Says which data elements of a bitmap are there.
    #[inline]
    pub(in super::super) fn arrived(&mut self, word: usize, bits: u64) {
        if let Some(present) = self.present.get_mut(word) {
            *present = bits;
        }
    }

    /// The values and where they lie, for the short way out.
    #[inline]
    pub(in super::super) fn values(&self) -> (&[u8], &[Slot; SLOTS]) {
        (&self.arena, &self.slots)
    }

    /// A noted value, whether it counts as there yet or not.
    #[inline]
    pub(in super::super) fn noted(&self, slot: Slot) -> &[u8] {
        let at = usize::from(slot.at);
        self.arena.get(at..at + usize::from(slot.len)).unwrap_or_default()
    }
}
