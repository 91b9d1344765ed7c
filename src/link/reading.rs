//! The way into a session: bytes to frames to meaning, one batch per turn.
//!
//! Contract: reads until the peer has nothing more, the turn's share is used up or the peer is not
//! to be heard for now ([`super::conduct`]); a frame that takes longer than the framing's read
//! deadline from its first byte ends the session.

use super::alarm::Alarm;
use super::codec::FrameCodec;
use super::conduct::Conduct;
use super::ended::Ended;
use super::inbox::Arrival;
use super::interpreter::{Heard, Interpreter};
use super::{MonoClock, stream::Stream};
use crate::framing::Framing;
use crate::limits::{QUIET, WARY_FRAMES};
use crate::switch::ids::SessionId;
use crate::switch::input::Input;
use crate::switch::nonsense::Nonsense;
use crate::time::Instant;
use bytes::BytesMut;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio_util::codec::Decoder;
use tokio_util::io::poll_read_buf;

/// Bytes a session asks the stream for at once: some 300 messages for one system call.
const READ_BYTES: usize = 64 << 10;

/// What is on its way in.
#[derive(Debug)]
pub(super) struct Reading {
    session: SessionId,
    codec: FrameCodec,
    buffer: BytesMut,
    /// Cutting was broken off: the buffer may hold whole frames.
    uncut: bool,
    limit_ms: u32,
    slow: Alarm,
    /// Rings when nothing has come or gone for a while.
    quiet: Alarm,
}

impl Reading {
    pub(super) fn new(session: SessionId, framing: Framing) -> Self {
        let limit_ms = framing.read_deadline_ms();
        Self {
            session,
            codec: FrameCodec::new(framing),
            buffer: BytesMut::new(),
            uncut: false,
            limit_ms,
            slow: Alarm::new(Duration::from_millis(u64::from(limit_ms))),
            quiet: Alarm::new(QUIET),
        }
    }

    /// Reads once, unless frames are left from the last time; everything understood goes to
    /// `batch`. Pending when the peer has nothing.
    pub(super) fn poll_once(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        clock: &MonoClock,
        interpreter: &mut impl Interpreter,
        conduct: &mut Conduct,
        batch: &mut Vec<Arrival>,
    ) -> Poll<Result<(), Ended>> {
        if self.uncut {
            return Poll::Ready(self.cut(clock(), interpreter, conduct, batch));
        }
        self.buffer.reserve(READ_BYTES);
        let count = ready!(poll_read_buf(Pin::new(stream), cx, &mut self.buffer))?;
        if count == 0 {
            let ended = match self.buffer.len() {
                0 => Ended::Closed,
                have => Ended::MidFrame(have),
            };
            return Poll::Ready(Err(ended));
        }
        Poll::Ready(self.cut(clock(), interpreter, conduct, batch))
    }

    fn cut(
        &mut self,
        now: Instant,
        interpreter: &mut impl Interpreter,
        conduct: &mut Conduct,
        batch: &mut Vec<Arrival>,
    ) -> Result<(), Ended> {
        let (session, received, before) = (self.session, now, batch.len());
        self.quiet.restart(now);
        self.uncut = true;
        while conduct.may_be_heard()
            && (batch.len() - before < WARY_FRAMES || !conduct.is_suspect())
        {
            let Some(frame) = self.codec.decode(&mut self.buffer)? else {
                self.uncut = false;
                break;
            };
            match interpreter.hear(&frame) {
                Heard::Message(msg) => {
                    conduct.heard()?;
                    batch.push(Arrival::Input(Input::Message { session, received, msg }));
                }
                Heard::Garbled(garbled) => {
                    batch.push(Arrival::Input(Input::Garbled { session, received, garbled }));
                    conduct.nonsense(now, Nonsense::Unreadable, 1)?;
                }
            }
        }
        match (self.buffer.is_empty(), batch.len() > before) {
            (true, _) => self.slow.stop(),
            (false, true) => self.slow.restart(now),
            (false, false) => self.slow.start(now),
        }
        Ok(())
    }

    /// While we do not read, the peer cannot be slow.
    pub(super) fn pause(&mut self, clock: &MonoClock) {
        if self.slow.is_running() {
            self.slow.restart(clock());
        }
    }

    /// Something was written.
    pub(super) fn heard_or_said(&mut self, now: Instant) {
        self.quiet.restart(now);
    }

    /// Gives back what earlier frames have filled, once nothing has come or gone for a while; the
    /// allocator wipes it. True: so should whoever writes.
    pub(super) fn poll_quiet(&mut self, cx: &mut Context<'_>, clock: &MonoClock) -> bool {
        let quiet = self.quiet.is_running() && self.quiet.poll(cx, clock);
        if quiet {
            self.quiet.stop();
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        quiet
    }

    /// Whether a frame has taken too long.
    pub(super) fn poll_slow(&mut self, cx: &mut Context<'_>, clock: &MonoClock) -> Option<Ended> {
        let over = self.slow.is_running() && self.slow.poll(cx, clock);
        over.then(|| Ended::SlowFrame { have: self.buffer.len(), limit_ms: self.limit_ms })
    }
}
