//! Between frames and meaning: what a session needs of a dialect.
//!
//! Contract: total – any frame gives a message or a note of what is wrong with it, never a panic
//! on purpose; what a message could not be packed for is named without secrets. Deliberately
//! absent: streams, queues, time.

use super::codec::Frame;
use crate::canonical::Canonical;
use crate::switch::input::Garbled;
use crate::text::Text;

/// What a frame turned out to be.
#[derive(Debug)]
pub enum Heard {
    /// A message, its MAC checked.
    Message(Box<Canonical>),
    /// A frame that cannot be understood.
    Garbled(Box<Garbled>),
}

/// Reads and writes one line's messages. One per session: it owns the session's scratch memory.
pub trait Interpreter: Send {
    /// Unpacks, checks the MAC, reads the meaning.
    fn hear(&mut self, frame: &Frame) -> Heard;

    /// Writes the meaning, packs, seals and frames it at the end of `out`.
    ///
    /// # Errors
    /// Names what cannot be said in this dialect; `out` is then as long as before.
    fn say(&mut self, msg: &Canonical, out: &mut Vec<u8>) -> Result<(), Text<64>>;

    /// Wipes what the last messages left in the scratch memory.
    fn forget(&mut self);
}
