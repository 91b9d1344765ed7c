//! A message in normal form: one arena, fixed slots, reusable.
//!
//! Contract: values of `n`, `an`, `ans`, `z` and `x+n` fields are ASCII text whatever the wire
//! coding was; `b` fields are raw bytes; a composite is its content as one value, read lazily
//! through the dialect. [`Message::clear`] keeps all memory, so the steady state allocates nothing.
//! `Debug` prints names and lengths, never values; memory is wiped on drop. Deliberately
//! absent: any knowledge of a dialect – the same message can be packed in another one.

mod arena;
mod fields;
mod loaded;

pub use fields::Fields;

use super::mti::Mti;
use crate::limits::DE_MAX;
use crate::text::Short;
use std::{fmt, ops::Range};
use zeroize::Zeroize;

/// One per number a byte can say, so that no look-up needs a check.
const SLOTS: usize = 256;
/// Slots address the arena with sixteen bits.
const ARENA_MAX: usize = u16::MAX as usize;
/// Values are read, and packed digits spread, in whole groups; the longest group has sixteen.
pub(super) const SLACK: usize = 16;
/// A short value, and the slack behind it.
const AHEAD: usize = Short::MOST + SLACK;

/// Where a value lies in the arena, and where its field lay in the frame.
#[derive(Clone, Copy, Default)]
pub(super) struct Slot {
    pub(super) at: u16,
    pub(super) len: u16,
    pub(super) raw_at: u16,
    pub(super) raw_len: u16,
}

impl Slot {
    /// Of a value that was set, not read from a frame.
    #[inline]
    fn of_value(at: usize, len: usize) -> Self {
        Self { at: at as u16, len: len as u16, raw_at: 0, raw_len: 0 }
    }
}

/// An ISO 8583 message: MTI, optional header, and up to 192 data elements in normal form.
#[derive(Clone)]
pub struct Message {
    mti: Mti,
    /// First the frame it was unpacked from, then expanded and set values. Its length is the
    /// most it ever needed; what is in use ends at `used`.
    arena: Vec<u8>,
    used: usize,
    frame_len: usize,
    header: Option<(u16, u16)>,
    /// Bit 63 of word 0 is DE 1, as on the wire.
    present: [u64; 3],
    bitmaps: u8,
    slots: Box<[Slot; SLOTS]>,
}

/// Why a value could not be put into a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// There is no such data element: 1 is the bitmap, 192 the last.
    #[error("there is no data element {de}: expected 2 to 192")]
    NoSuchField {
        /// The number given.
        de: u8,
    },
    /// All values together exceed 65,535 bytes.
    #[error("data element {de} of {len} bytes does not fit the message any more")]
    Full {
        /// The data element.
        de: u8,
        /// Its length in bytes.
        len: usize,
    },
}

impl Default for Message {
    fn default() -> Self {
        Self::new()
    }
}

impl Message {
    /// An empty message with MTI 0000. This allocates; reuse it with [`Self::clear`].
    pub fn new() -> Self {
        Self {
            mti: Mti::NONE,
            arena: Vec::new(),
            used: 0,
            frame_len: 0,
            header: None,
            present: [0; 3],
            bitmaps: 1,
            slots: Box::new([Slot::default(); SLOTS]),
        }
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.mti = Mti::NONE;
        self.used = 0;
        self.frame_len = 0;
        self.header = None;
        self.present = [0; 3];
        self.bitmaps = 1;
    }

    /// The message type.
    pub fn mti(&self) -> Mti {
        self.mti
    }

    /// Sets the message type.
    pub fn set_mti(&mut self, mti: Mti) {
        self.mti = mti;
    }

    /// The bytes that stood before the MTI, if any.
    pub fn header(&self) -> Option<&[u8]> {
        let (at, len) = self.header?;
        self.arena.get(usize::from(at)..usize::from(at) + usize::from(len))
    }

    /// Sets or removes the bytes before the MTI. One that does not fit is dropped.
    pub fn set_header(&mut self, header: Option<&[u8]>) {
        self.header = None;
        let Some(bytes) = header else { return };
        if let Some(at) = self.append(bytes) {
            self.header = Some((at, bytes.len() as u16));
        }
    }

    /// Whether the data element is there.
    pub fn has(&self, de: u8) -> bool {
        let Some((word, bit)) = place(de) else { return false };
        self.present[word] & bit != 0
    }

    /// The value in normal form.
    #[inline]
    pub fn get(&self, de: u8) -> Option<&[u8]> {
        if !self.has(de) {
            return None;
        }
        let slot = self.slots.get(usize::from(de))?;
        self.arena.get(usize::from(slot.at)..usize::from(slot.at) + usize::from(slot.len))
    }

    /// The value of a data element that is there; of any other it means nothing.
    #[inline]
    pub(crate) fn value(&self, de: u8) -> &[u8] {
        self.noted(self.slots[usize::from(de)])
    }

    /// The same as two words; `None` where it is longer than sixteen bytes.
    #[inline]
    pub(crate) fn short(&self, de: u8) -> Option<Short> {
        let slot = self.slots[usize::from(de)];
        let from = self.arena.get(usize::from(slot.at)..).unwrap_or_default();
        Short::ahead(from, slot.len.into())
    }

    /// Puts a value in normal form; whether it suits the dialect is checked by `pack`.
    ///
    /// # Errors
    /// [`MessageError`] for DE 0, 1 or above 192, or when the message is full.
    #[inline]
    pub fn set(&mut self, de: u8, value: &[u8]) -> Result<(), MessageError> {
        let (word, bit) = place(de).filter(|_| de > 1).ok_or(MessageError::NoSuchField { de })?;
        let (at, len) = (self.used, value.len());
        let end = at.saturating_add(len);
        let absent = self.present[word] & bit == 0;
        match self.arena.get_mut(at..end.saturating_add(SLACK)) {
            // Nearly always: it is new, and there is room for it.
            Some(room) if absent && end <= ARENA_MAX => {
                room[..len].copy_from_slice(value);
                self.used = end;
                self.slots[usize::from(de)] = Slot::of_value(at, len);
                self.present[word] |= bit;
                Ok(())
            }
            _ => self.set_slowly(de, value, (word, bit)),
        }
    }

    /// The same with a short value.
    ///
    /// # Errors
    /// As [`Self::set`].
    #[inline]
    pub(crate) fn set_short(&mut self, de: u8, value: Short) -> Result<(), MessageError> {
        let (word, bit) = place(de).filter(|_| de > 1).ok_or(MessageError::NoSuchField { de })?;
        let (at, end) = (self.used, self.used.saturating_add(value.len()));
        let absent = self.present[word] & bit == 0;
        let room = self.arena.get_mut(at..).and_then(|room| room.first_chunk_mut::<AHEAD>());
        match room.and_then(|room| room.first_chunk_mut()) {
            // All its sixteen bytes are written, and as many are left behind it.
            Some(front) if absent && end <= ARENA_MAX => {
                *front = value.bytes();
                self.used = end;
                self.slots[usize::from(de)] = Slot::of_value(at, value.len());
                self.present[word] |= bit;
                Ok(())
            }
            _ => self.set_slowly(de, &value.bytes()[..value.len()], (word, bit)),
        }
    }

    /// Takes a data element out.
    pub fn remove(&mut self, de: u8) {
        if let Some((word, bit)) = place(de) {
            self.present[word] &= !bit;
        }
    }

    /// The data elements that are there, ascending.
    pub fn fields(&self) -> Fields {
        Fields::of(self.present)
    }

    /// Where the whole field (length prefix included) lay in the frame this message was
    /// unpacked from. `None` for what is not there or was set afterwards.
    pub fn raw_span(&self, de: u8) -> Option<Range<usize>> {
        let slot = self.slots.get(usize::from(de)).filter(|_| self.has(de))?;
        let at = usize::from(slot.raw_at);
        (slot.raw_len > 0).then(|| at..at + usize::from(slot.raw_len))
    }

    /// The frame it was unpacked from, empty if it was built by hand.
    pub fn frame(&self) -> &[u8] {
        self.arena.get(..self.frame_len).unwrap_or_default()
    }

    /// How many bitmaps are written at least: 1 to 3. A peer that always sends the secondary
    /// bitmap is answered, and re-encoded, in kind.
    pub fn bitmaps(&self) -> u8 {
        self.bitmaps
    }

    /// Sets how many bitmaps are written at least (1 to 3; anything else is brought into that).
    pub fn set_bitmaps(&mut self, bitmaps: u8) {
        self.bitmaps = bitmaps.clamp(1, 3);
    }

    /// Bytes of the arena in use: about what the values take.
    pub(super) fn size(&self) -> usize {
        self.used
    }

    /// The presence bits, DE 1 the highest bit of the first word; DE 1 itself is never set.
    pub(crate) fn present(&self) -> [u64; 3] {
        self.present
    }
}

/// Word and bit of a data element.
#[inline]
fn place(de: u8) -> Option<(usize, u64)> {
    let index = de.wrapping_sub(1);
    (index < DE_MAX).then(|| (usize::from(index / 64), 1 << 63 >> (index % 64)))
}

impl Drop for Message {
    fn drop(&mut self) {
        self.arena.zeroize();
    }
}

impl PartialEq for Message {
    /// Same MTI, header and values; where they came from does not matter.
    fn eq(&self, other: &Self) -> bool {
        self.mti == other.mti
            && self.header() == other.header()
            && self.bitmaps == other.bitmaps
            && self.present == other.present
            && self.fields().all(|de| self.get(de) == other.get(de))
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message {} {{", self.mti)?;
        for de in self.fields() {
            write!(f, " F{de}[{}]", self.get(de).map_or(0, <[u8]>::len))?;
        }
        f.write_str(" }")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn fields_come_back_ascending_whatever_the_order_of_setting() {
        let mut msg = Message::new();
        for de in [128, 2, 65, 192, 64] {
            msg.set(de, &[de]).unwrap();
        }
        msg.remove(65);
        assert_eq!(msg.fields().collect::<Vec<_>>(), [2, 64, 128, 192]);
        assert_eq!(msg.get(128), Some(&[128][..]));
        assert_eq!(msg.get(65), None);
    }

    #[test]
    fn data_elements_outside_the_bitmaps_are_refused() {
        let mut msg = Message::new();
        for de in [0, 1, 193, 255] {
            assert_eq!(msg.set(de, b"x"), Err(MessageError::NoSuchField { de }));
            assert_eq!(msg.get(de), None);
        }
    }

    #[test]
    fn a_message_edited_without_end_stays_bounded_and_right() {
        let mut msg = Message::new();
        msg.set_header(Some(b"HEAD"));
        for round in 0..5_000_usize {
            let value = vec![round as u8; round % 97];
            msg.set(48, &value).unwrap();
            msg.set(60, b"kept").unwrap();
            assert_eq!(msg.get(48), Some(&value[..]));
        }
        assert_eq!((msg.get(60), msg.header()), (Some(&b"kept"[..]), Some(&b"HEAD"[..])));
        let huge = vec![0; 70_000];
        assert_eq!(msg.set(48, &huge), Err(MessageError::Full { de: 48, len: 70_000 }));
    }

    #[test]
    fn debug_tells_lengths_and_no_values() {
        let mut msg = Message::new();
        msg.set(2, b"4111111111111111").unwrap();
        assert_eq!(format!("{msg:?}"), "Message 0000 { F2[16] }");
    }
}
