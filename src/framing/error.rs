//! What is wrong with a frame: where, what was expected, what was got, and a likely cause.
//!
//! Contract: never holds more of the stream than single bytes and a length of at most eight
//! digits, so that a stream out of step cannot put a card number into a log.

use super::coding::Coding;

/// Lengths are shown up to eight digits: a longer header may be a card number out of step.
const SHOWN_MAX: u64 = 99_999_999;

/// A frame that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameError {
    /// Byte offset from the beginning of the frame.
    pub at: usize,
    /// What was expected there and what was got.
    pub fault: FrameFault,
    /// What probably happened.
    pub cause: Option<Cause>,
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "frame, byte {}: {}", self.at, self.fault)?;
        self.cause.map_or(Ok(()), |cause| write!(f, "; {cause}"))
    }
}

impl std::error::Error for FrameError {}

/// What was expected and what was got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// A byte of the length header that its coding cannot hold.
    #[error("{got:02X} in a length header, expected {}", .coding.name())]
    Coding {
        /// The coding of this framing.
        coding: Coding,
        /// The byte.
        got: u8,
    },
    /// Length zero where keep-alives are not configured.
    #[error("the length is zero, expected a message; `keep_alive = true` allows empty frames")]
    Empty,
    /// A length smaller than what it must count besides the message.
    #[error("the length says {stated}, less than the header bytes it counts")]
    Negative {
        /// The length as it stands in the header.
        stated: u64,
    },
    /// A body longer than allowed.
    #[error("a message of {body} bytes, expected at most {most}")]
    TooLong {
        /// Bytes of the body by the length header; at most 99,999,999 is shown.
        body: u64,
        /// Bytes allowed.
        most: usize,
    },
    /// A body shorter than allowed.
    #[error("a message of {body} bytes, expected at least {least}")]
    TooShort {
        /// Bytes of the body; negative when even TPDU or trailer have no room.
        body: i64,
        /// Bytes needed.
        least: usize,
    },
    /// No terminator within the largest frame.
    #[error("no terminator within {most} bytes")]
    Unterminated {
        /// The largest frame.
        most: usize,
    },
    /// A TPDU that does not begin with 60 to 6F.
    #[error("{got:02X} at the beginning of a TPDU, expected 60 to 6F")]
    Tpdu {
        /// The byte.
        got: u8,
    },
    /// A text header that differs.
    #[error("{got:02X} in the text header, expected {expected:02X} (digits match any digit)")]
    TextHeader {
        /// The byte as configured.
        expected: u8,
        /// The byte.
        got: u8,
    },
    /// A trailer that differs.
    #[error("{got:02X} in the trailer, expected {expected:02X}")]
    Trailer {
        /// The byte as configured.
        expected: u8,
        /// The byte.
        got: u8,
    },
    /// A terminator that differs, after a length header.
    #[error("{got:02X} in the terminator, expected {expected:02X}")]
    Terminator {
        /// The byte as configured.
        expected: u8,
        /// The byte.
        got: u8,
    },
    /// A wrong redundancy byte.
    #[error("LRC {got:02X}, expected {expected:02X}")]
    Lrc {
        /// XOR of what was received.
        expected: u8,
        /// The byte.
        got: u8,
    },
    /// The read deadline passed within a frame.
    #[error("{have} bytes when the read deadline passed, expected {needs}")]
    Stalled {
        /// Bytes received.
        have: usize,
        /// Bytes the frame needs at least.
        needs: usize,
    },
    /// Writing: the message holds the terminator that would end it.
    #[error("the message holds the terminator; this framing cannot carry it")]
    HoldsTerminator,
    /// Writing: the buffer is shorter than when the frame was begun.
    #[error("the beginning of this frame is gone from the buffer")]
    MarkLost,
}

/// What probably happened, for the person who reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// 16 03 …
    #[error("looks like a TLS ClientHello: the peer speaks TLS and this line does not")]
    TlsClientHello,
    /// 15 03 …
    #[error("looks like a TLS alert: the peer speaks TLS and this line does not")]
    TlsAlert,
    /// A request or status line.
    #[error("looks like an HTTP request: a browser or health check on the wrong port")]
    Http,
    /// PROXY protocol 1 or 2.
    #[error("looks like a PROXY protocol header: a load balancer adds it")]
    ProxyProtocol,
    /// Digits where binary or BCD was expected.
    #[error("the header looks like ASCII digits")]
    AsciiDigits,
    /// Binary where digits were expected.
    #[error("the header looks like a binary length")]
    BinaryLength,
    /// The other byte order gives a length that is allowed.
    #[error("looks like the other byte order")]
    OtherByteOrder,
    /// The peer counts the length header.
    #[error("looks like the length counts itself: try `counts_itself = true`")]
    CountsItself,
    /// The peer does not count the length header.
    #[error("looks like the length does not count itself: try `counts_itself = false`")]
    NotCountingItself,
    /// A message type where the header should be.
    #[error("looks like a message without a length header")]
    NoLengthHeader,
    /// A message type where the TPDU should be.
    #[error("looks like a message without a TPDU")]
    NoTpdu,
}

/// A length as an error may show it.
pub(super) fn shown(length: u64) -> u64 {
    length.min(SHOWN_MAX)
}
