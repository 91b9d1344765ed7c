//! One TCP connection of a line: one task owns its stream, buffers and dialect scratch.
//!
//! Each time it is woken it does one turn: write what the gate let go, read what is there, hand
//! the driver one batch. Contract:
//! - every frame taken from [`Outbound`] is told `Released` before its first byte is passed to
//!   the stream (TLS: to the TLS session), or `Unsent` if that never happens, and all of them
//!   before `LineDown`;
//! - it holds one buffer of bytes to write; while the peer does not take them nothing is taken
//!   from the queue, which then overflows and ends the session;
//! - a panic in here (a codec bug) ends this session and no other.
//!
//! Deliberately absent: spawning, reconnecting, deciding, telling the time.

use super::MonoClock;
use super::conduct::Conduct;
use super::ended::Ended;
use super::inbox::{Arrival, Handed, Inbox};
use super::interpreter::Interpreter;
use super::outbound::{EndWish, Outbound};
use super::reading::Reading;
use super::stream::Stream;
use super::throttle::Throttle;
use super::writing::Writing;
use crate::framing::Framing;
use crate::switch::ids::{LineId, SessionId};
use crate::switch::input::Input;
use crate::switch::output::CloseReason;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Reads per turn, so that one busy peer does not keep the others waiting.
const READS_PER_TURN: usize = 4;
/// Frames taken from the queue at once; the rest stays where it can still be cancelled.
const TAKEN_AT_ONCE: usize = 256;

/// What every session of a line shares.
#[derive(Clone)]
pub struct Door {
    /// The line.
    pub line: LineId,
    /// How frames are cut.
    pub framing: Framing,
    /// Frames an outbound queue holds.
    pub outbound_queue: usize,
    /// Where everything goes that the core must know.
    pub inbox: Arc<Inbox>,
    /// Stops reading where the platform has too much in flight.
    pub throttle: Arc<Throttle>,
    /// The monotonic clock.
    pub clock: MonoClock,
}

/// One connection.
pub struct Session<I> {
    session: SessionId,
    door: Door,
    stream: Stream,
    interpreter: I,
    outbound: Arc<Outbound>,
    reading: Reading,
    writing: Writing,
    conduct: Conduct,
    /// What happened in this turn, in order.
    batch: Vec<Arrival>,
    /// When it was handed over last.
    handed: Option<Handed>,
}

impl<I: Interpreter> Session<I> {
    /// A session on a connected stream; `session` is unique within the run.
    pub fn new(
        session: SessionId,
        door: Door,
        stream: Stream,
        interpreter: I,
        conduct: Conduct,
    ) -> Self {
        Self {
            session,
            stream,
            interpreter,
            outbound: Outbound::new(door.outbound_queue),
            reading: Reading::new(session, door.framing.clone()),
            writing: Writing::new(),
            conduct,
            batch: Vec::new(),
            handed: None,
            door,
        }
    }

    /// Runs to the end of the connection. Tells the driver of its beginning and its end. Gives back
    /// how the peer behaved, and with it its place.
    pub async fn run(mut self) -> (Ended, Conduct) {
        let (line, session) = (self.door.line, self.session);
        let outbound = Arc::clone(&self.outbound);
        self.door.inbox.put(Arrival::Up { line, session, outbound });
        let ended = poll_fn(|cx| {
            // What a panic leaves half done is in this session only, and it ends here.
            catch_unwind(AssertUnwindSafe(|| self.turn(cx))).unwrap_or(Poll::Ready(Ended::Panicked))
        })
        .await;
        self.outbound.shut(&mut self.writing.waiting);
        self.writing.give_up(&mut self.batch);
        self.batch.push(Arrival::Input(Input::LineDown { line, session }));
        self.door.inbox.hand_over(&mut self.batch);
        (ended, self.conduct)
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        if let Poll::Ready(ended) = self.write(cx) {
            return Poll::Ready(ended);
        }
        if self.conduct.poll_pushed_out(cx).is_ready() {
            return Poll::Ready(Ended::PushedOut);
        }
        if let Err(ended) = self.conduct.noted(&self.door.clock, self.outbound.noted()) {
            return Poll::Ready(ended);
        }
        let read = self.read(cx);
        self.handed = self.door.inbox.hand_over(&mut self.batch).or(self.handed);
        read
    }

    /// Ready only when the session is to end.
    fn write(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        loop {
            let flushed = self.writing.poll_flush(cx, &mut self.stream, &self.door.clock);
            if let Poll::Ready(Err(ended)) = flushed {
                return Poll::Ready(ended);
            }
            let most = if flushed.is_ready() { TAKEN_AT_ONCE } else { 0 };
            match self.outbound.take(cx, &mut self.writing.waiting, most) {
                Some(EndWish::Overflow) => return Poll::Ready(Ended::Overflow),
                Some(EndWish::Core(why)) if why != CloseReason::Shutdown => {
                    return Poll::Ready(Ended::Core(why));
                }
                Some(EndWish::Core(why))
                    if flushed.is_ready() && self.writing.waiting.is_empty() =>
                {
                    // The peer's view of the end does not matter any more.
                    let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
                    return Poll::Ready(Ended::Core(why));
                }
                _ => {}
            }
            if flushed.is_pending() || self.writing.waiting.is_empty() {
                return Poll::Pending;
            }
            let now = (self.door.clock)();
            self.writing.fill(now, &mut self.interpreter, &mut self.batch);
            self.reading.heard_or_said(now);
            self.door.inbox.hand_over(&mut self.batch);
        }
    }

    /// Whether the core has judged what a suspect brought, before it may bring more.
    fn is_judged(&self, suspect: bool, cx: &mut Context<'_>) -> bool {
        let handed = self.handed.filter(|_| suspect);
        handed.is_none_or(|then| self.door.inbox.poll_taken(cx, then).is_ready())
    }

    /// Ready only when the session is to end.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        let suspect = self.conduct.is_suspect();
        let reads = if suspect { 1 } else { READS_PER_TURN };
        for _ in 0..reads {
            let may_read = self.conduct.poll_read(cx, &self.door.clock).is_ready()
                && self.door.throttle.poll_read(cx).is_ready()
                && self.door.inbox.poll_room(cx).is_ready()
                && self.is_judged(suspect, cx);
            if !may_read {
                self.reading.pause(&self.door.clock);
                return Poll::Pending;
            }
            let read = self.reading.poll_once(
                cx,
                &mut self.stream,
                &self.door.clock,
                &mut self.interpreter,
                &mut self.conduct,
                &mut self.batch,
            );
            match read {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(ended)) => return Poll::Ready(ended),
                Poll::Pending => {
                    if self.reading.poll_quiet(cx, &self.door.clock) {
                        self.writing.forget();
                        self.interpreter.forget();
                    }
                    return self
                        .reading
                        .poll_slow(cx, &self.door.clock)
                        .map_or(Poll::Pending, Poll::Ready);
                }
            }
        }
        // More may be there: let the others have their turn first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
