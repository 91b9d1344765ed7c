//! Frames: where a message begins and ends on a TCP stream.
//!
//! One parametrised description covers every framing (domain.md section 3); presets are names
//! for sets of parameters, not classes. On the stream a frame is
//!
//! ```text
//! skip_before  length  skip_after | TPDU  text header  body  trailer | terminator  LRC
//!          head                   |      content (what a plain length counts)      |  tail
//! ```
//!
//! Contract: [`Framing::split`] is total – any bytes give a frame, a wish for more, a keep-alive
//! or an error, never a panic – and decides about a length before anyone allocates for it: it
//! never asks for more than [`Framing::frame_max`]. Given a stream in any chunks it finds the
//! same frames. [`Framing::begin`] and [`Framing::finish`] let a body be packed in place and
//! patch the length afterwards.
//!
//! Deliberately absent: streams, clocks (the session measures [`Framing::read_deadline_ms`]),
//! headers that belong to a message rather than a frame (the dialect's `[header]`), and any
//! memory of earlier frames. A zero-length keep-alive is written by [`Framing::keep_alive`];
//! who sends one and when is the session's business.

mod candidates;
mod coding;
mod error;
mod guess;
pub mod presets;
mod spec;
mod split;
#[cfg(test)]
mod tests;
mod write;

pub use candidates::{Candidate, candidates};
pub use coding::Coding;
pub use error::{Cause, FrameError, FrameFault};
pub use spec::{FramingSpec, FramingSpecError};
pub use split::Split;
pub use write::Mark;

/// Bytes of a TPDU: identifier, destination (2), source (2).
pub const TPDU_BYTES: usize = 5;

/// A framing that was checked: its smallest and largest frame fit its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framing {
    length_bytes: usize,
    coding: Coding,
    counts_itself: bool,
    counts_header: bool,
    adjust: i64,
    skip_before: Box<[u8]>,
    skip_after: Box<[u8]>,
    tpdu: Option<[u8; TPDU_BYTES]>,
    text_header: Box<[u8]>,
    trailer: Box<[u8]>,
    terminator: Box<[u8]>,
    lrc: bool,
    keep_alive: bool,
    min: usize,
    max: usize,
    read_deadline_ms: u32,
}

impl Framing {
    /// The framing of a preset ([`presets::NAMES`]) as it stands.
    ///
    /// # Errors
    /// [`FramingSpecError`] naming the known presets when there is none of that name.
    pub fn named(preset: &str) -> Result<Self, FramingSpecError> {
        FramingSpec::named(preset).validate()
    }

    /// Largest body in bytes.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Largest frame in bytes as it stands on the stream: the size of a read buffer.
    pub fn frame_max(&self) -> usize {
        self.head() + self.before_body() + self.max + self.trailer.len() + self.tail()
    }

    /// Milliseconds a frame may take from its first byte to its last.
    pub fn read_deadline_ms(&self) -> u32 {
        self.read_deadline_ms
    }

    /// Whether frames carry a TPDU.
    pub fn has_tpdu(&self) -> bool {
        self.tpdu.is_some()
    }

    /// Bytes up to and with the length header and what follows it.
    fn head(&self) -> usize {
        self.skip_before.len() + self.length_bytes + self.skip_after.len()
    }

    /// Bytes of TPDU and text header.
    fn before_body(&self) -> usize {
        self.tpdu.map_or(0, |_| TPDU_BYTES) + self.text_header.len()
    }

    /// Bytes of terminator and LRC.
    fn tail(&self) -> usize {
        self.terminator.len() + usize::from(self.lrc)
    }

    /// Bytes of the content that are not body.
    fn inside(&self) -> i64 {
        // Each part is at most 64 bytes (checked when read), so this cannot overflow.
        (self.before_body() + self.trailer.len()) as i64
    }

    /// What the length says beyond the content.
    fn value_extra(&self) -> i64 {
        let itself = if self.counts_itself { self.length_bytes } else { 0 };
        let around = if self.counts_header { self.head() - self.length_bytes } else { 0 };
        (itself + around) as i64 + self.adjust
    }

    /// XOR of everything after `skip_before`; `frame` ends before the LRC.
    fn lrc_of(&self, frame: &[u8]) -> u8 {
        frame.iter().skip(self.skip_before.len()).fold(0, |sum, byte| sum ^ byte)
    }
}

impl<'de> serde::Deserialize<'de> for Framing {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spec = <FramingSpec as serde::Deserialize>::deserialize(deserializer)?;
        spec.validate().map_err(serde::de::Error::custom)
    }
}

/// The TPDU of a reply: destination and source change places.
pub fn swap_tpdu(tpdu: [u8; TPDU_BYTES]) -> [u8; TPDU_BYTES] {
    let [id, to_high, to_low, from_high, from_low] = tpdu;
    [id, from_high, from_low, to_high, to_low]
}
