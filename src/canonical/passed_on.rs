//! What is passed on without being understood: the peer's header, and the allow-listed fields.
//!
//! Contract: both are bytes of bounded length that no rule typed; carried fields may be card data
//! (ICC tags), so they are wiped on drop and never printed. Deliberately absent: which fields are
//! carried ([`super::read`](super::read())).

use crate::sensitive::Pan;
use zeroize::Zeroize;

/// Opaque header bytes of the peer, at most 64, to be given back with the reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header {
    bytes: [u8; 64],
    len: u8,
}

impl Header {
    /// No header.
    pub const EMPTY: Self = Self { bytes: [0; 64], len: 0 };

    /// Takes at most 64 bytes; `None` where there are more.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut header = Self::EMPTY;
        header.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        header.len = bytes.len() as u8;
        Some(header)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Swaps destination and source of the TPDU at the front, where there is one of 5 bytes.
    pub(super) fn turn(&mut self, tpdu: usize) {
        if let (5, [_, d1, d2, s1, s2, ..]) = (tpdu, &mut self.bytes) {
            (*d1, *d2, *s1, *s2) = (*s1, *s2, *d1, *d2);
        }
    }
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Header({} bytes)", self.len)
    }
}

/// Allow-listed fields that pass through untyped, in one arena. Keyed by their DE number in the
/// 1987 numbering. May hold card data (ICC tags), so it is wiped on drop and never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Carried {
    /// One after the other: data element, length (two bytes, the high one first), value.
    bytes: Vec<u8>,
}

impl Carried {
    /// Adds `value` as DE `de`; replaces nothing: the first of a DE stands.
    pub fn push(&mut self, de: u8, value: &[u8]) {
        let Ok(len) = u16::try_from(value.len()) else {
            return; // A frame is at most 9,999 bytes long, so this cannot be reached from a peer.
        };
        let [high, low] = len.to_be_bytes();
        self.bytes.reserve(value.len() + 3);
        self.bytes.extend_from_slice(&[de, high, low]);
        self.bytes.extend_from_slice(value);
    }

    /// The value carried for DE `de`.
    pub fn get(&self, de: u8) -> Option<&[u8]> {
        self.iter().find(|(d, _)| *d == de).map(|(_, v)| v)
    }

    /// Every carried field in the order it was added.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut rest = &*self.bytes;
        std::iter::from_fn(move || {
            let ([de, high, low], after) = rest.split_first_chunk()?;
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            let (value, after) = after.split_at_checked(len)?;
            rest = after;
            Some((*de, value))
        })
    }

    /// Whether there is nothing.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The same as one run of bytes: data element, length (two bytes), value.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What [`Carried::as_bytes`] gave; `None` for anything else.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let carried = Self { bytes: bytes.to_vec() };
        let whole = carried.iter().map(|(_, value)| value.len() + 3).sum::<usize>();
        (whole == bytes.len()).then_some(carried)
    }

    /// Takes out everything in which the card number stands, as characters or two to a byte.
    pub fn without_card(mut self, pan: &Pan) -> Self {
        let digits = pan.expose();
        let found = |value: &[u8]| {
            let plain = value.windows(digits.len().max(1)).any(|run| run == digits);
            let packed: Vec<u8> =
                value.iter().flat_map(|b| [b'0' + (b >> 4), b'0' + (b & 15)]).collect();
            plain || packed.windows(digits.len().max(1)).any(|run| run == digits)
        };
        if self.iter().any(|(_, value)| found(value)) {
            let mut rest = Self::default();
            self.iter()
                .filter(|(_, value)| !found(value))
                .for_each(|(de, value)| rest.push(de, value));
            self.clear();
            return rest;
        }
        self
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        // Overwritten at once and kept; the volatile wipe is for the end of its life.
        self.bytes.fill(0);
        self.bytes.clear();
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl std::fmt::Debug for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = self.iter().map(|(de, value)| format!("F{de}:{}B", value.len()));
        f.debug_list().entries(said).finish()
    }
}
