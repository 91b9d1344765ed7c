//! Why a session ended: one closed set, for the log line and the counter.

use super::codec::CodecError;
use crate::framing::FrameError;
use crate::switch::output::CloseReason;
use std::io;

/// The reason, with what is known of it. Holds no bytes of the peer beyond what
/// [`crate::framing::FrameError`] may show.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The peer closed between two frames.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer closed, or the stream failed, in the middle of a frame.
    #[error("the peer closed the connection {0} bytes into a frame")]
    MidFrame(usize),
    /// What came is no frame: there is no way back into step.
    #[error("{0}")]
    Garbage(FrameError),
    /// A frame was not complete when its read deadline passed.
    #[error("a frame of {have} bytes so far was not complete within {limit_ms} ms")]
    SlowFrame {
        /// Bytes received.
        have: usize,
        /// The framing's read deadline.
        limit_ms: u32,
    },
    /// The peer took no bytes for too long.
    #[error("the peer took nothing for {limit_ms} ms while {waiting} bytes waited")]
    SlowReader {
        /// Bytes not yet taken.
        waiting: usize,
        /// The limit.
        limit_ms: u64,
    },
    /// The outbound queue was full.
    #[error("the peer reads too slowly: its outbound queue is full")]
    Overflow,
    /// The core closed it.
    #[error("closed by the switch: {0:?}")]
    Core(CloseReason),
    /// Its first message came when every place of the door was taken.
    #[error("every place is taken")]
    NoPlace,
    /// It said nothing, and others wanted in.
    #[error("it had said nothing yet and others wanted in")]
    PushedOut,
    /// Reading or writing failed.
    #[error("the connection failed: {0}")]
    Io(io::Error),
    /// A bug of ours, contained.
    #[error("a panic in its task; this is a bug of pointsman")]
    Panicked,
}

impl Ended {
    /// The reason as a word from a closed set, for labels.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::MidFrame(_) => "mid_frame",
            Self::Garbage(_) => "garbage",
            Self::SlowFrame { .. } => "slow_frame",
            Self::SlowReader { .. } => "slow_reader",
            Self::Overflow => "overflow",
            Self::Core(CloseReason::EchoMissed) => "echo_missed",
            Self::Core(CloseReason::Idle) => "idle",
            Self::Core(CloseReason::SignOnFailed) => "sign_on_failed",
            Self::Core(CloseReason::Garbage) => "garbled_messages",
            Self::Core(CloseReason::Protocol) => "protocol",
            Self::Core(CloseReason::Shutdown) => "shutdown",
            Self::NoPlace => "too_many_sessions",
            Self::PushedOut => "pushed_out",
            Self::Io(_) => "failed",
            Self::Panicked => "panicked",
        }
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<CodecError> for Ended {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Frame(error) => Self::Garbage(error),
            CodecError::Io(error) => Self::Io(error),
        }
    }
}
