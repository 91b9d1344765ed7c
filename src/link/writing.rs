//! The way out of a session: packs what the gate let go and writes it, one buffer at a time.
//!
//! Contract: a frame is in exactly one place – waiting to be packed, packed and untold, or told.
//! [`Writing::fill`] packs, the session tells `Released` of everything packed, and only then
//! [`Writing::poll_flush`] passes bytes to the stream. Whatever is untold at the end was not sent.

use super::alarm::Alarm;
use super::ended::Ended;
use super::inbox::Arrival;
use super::interpreter::Interpreter;
use super::{MonoClock, stream::Stream};
use crate::limits::WRITE_STALL;
use crate::switch::ids::SendId;
use crate::switch::input::{Input, Unsent};
use crate::switch::output::Send;
use crate::time::Instant;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;

/// Bytes after which packing pauses for a write: what a socket buffer takes in one go.
const WRITE_BYTES: usize = 64 << 10;

/// What is on its way out.
#[derive(Debug)]
pub(super) struct Writing {
    /// Taken from the queue, not yet packed.
    pub(super) waiting: VecDeque<Send>,
    /// Packed into `out`, not yet told.
    packed: Vec<SendId>,
    out: Vec<u8>,
    written: usize,
    stall: Alarm,
}

impl Writing {
    pub(super) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            packed: Vec::new(),
            out: Vec::new(),
            written: 0,
            stall: Alarm::new(WRITE_STALL),
        }
    }

    /// Packs what is waiting until a buffer is full, and notes in `batch` what became of each.
    pub(super) fn fill(
        &mut self,
        now: Instant,
        interpreter: &mut impl Interpreter,
        batch: &mut Vec<Arrival>,
    ) {
        // A panic while packing leaves the frame in `waiting`, from where it is told unsent.
        while let Some(send) = self.waiting.front().filter(|_| self.out.len() < WRITE_BYTES) {
            let id = send.id;
            let too_late = send.not_after.is_some_and(|limit| now > limit);
            if too_late {
                batch.push(unsent(id, Unsent::TooLate));
            } else {
                match interpreter.say(&send.msg, &mut self.out) {
                    Ok(()) => self.packed.push(id),
                    Err(what) => batch.push(unsent(id, Unsent::Unpackable(what))),
                }
            }
            self.waiting.pop_front();
        }
        batch.extend(self.packed.drain(..).map(|id| Arrival::Input(Input::Released { id })));
    }

    /// Passes bytes to the stream until none are left.
    pub(super) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        clock: &MonoClock,
    ) -> Poll<Result<(), Ended>> {
        if self.out.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while self.written < self.out.len() {
            match Pin::new(&mut *stream).poll_write(cx, &self.out[self.written..])? {
                Poll::Ready(0) => return Poll::Ready(Err(Ended::Closed)),
                Poll::Ready(count) => {
                    self.written += count;
                    self.stall.stop();
                }
                Poll::Pending => return self.poll_stall(cx, clock),
            }
        }
        match Pin::new(stream).poll_flush(cx)? {
            Poll::Ready(()) => self.stall.stop(),
            Poll::Pending => return self.poll_stall(cx, clock),
        }
        self.out.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// Gives back what earlier frames have filled; the allocator wipes it.
    pub(super) fn forget(&mut self) {
        if self.out.is_empty() {
            self.out = Vec::new();
        }
    }

    fn poll_stall(&mut self, cx: &mut Context<'_>, clock: &MonoClock) -> Poll<Result<(), Ended>> {
        if !self.stall.is_running() {
            self.stall.start(clock());
        }
        if !self.stall.poll(cx, clock) {
            return Poll::Pending;
        }
        Poll::Ready(Err(Ended::SlowReader {
            waiting: self.out.len() - self.written,
            limit_ms: WRITE_STALL.as_millis() as u64,
        }))
    }

    /// The end: everything that was never told goes to `batch` as unsent.
    pub(super) fn give_up(&mut self, batch: &mut Vec<Arrival>) {
        batch.extend(self.packed.drain(..).map(|id| unsent(id, Unsent::NoSession)));
        batch.extend(self.waiting.drain(..).map(|Send { id, msg, .. }| {
            Arrival::Input(Input::HandedBack { id, why: Unsent::NoSession, msg })
        }));
    }
}

fn unsent(id: SendId, why: Unsent) -> Arrival {
    Arrival::Input(Input::Unsent { id, why })
}
