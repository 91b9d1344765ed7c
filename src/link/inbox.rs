//! The one way into the driver: what sessions, listeners and the shell have to tell the core.
//!
//! Contract: first in, first out over all sessions, so that a `Released` put in before the bytes
//! leave is handled before any message that could answer it. Bounded: when [`Inbox::poll_room`]
//! says wait, sessions stop reading; what must be told at any time (`Released`, `Unsent`,
//! `LineDown`) is bounded by what the driver asked for. Buffers change hands, they are not copied:
//! no allocation per message. Deliberately absent: the way out ([`super::outbound`]).

use super::outbound::Outbound;
use crate::switch::ids::{LineId, SessionId};
use crate::switch::input::Input;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// One thing for the driver.
#[derive(Debug)]
pub enum Arrival {
    /// A session began: what is sent to it goes into `outbound`.
    Up {
        /// Its line.
        line: LineId,
        /// The session.
        session: SessionId,
        /// Its queue.
        outbound: Arc<Outbound>,
    },
    /// Something for the core, as it is.
    Input(Input),
}

/// When something was handed over, for [`Inbox::poll_taken`].
#[derive(Debug, Clone, Copy)]
pub struct Handed(u64);

/// The bounded channel all sessions share.
#[derive(Debug)]
pub struct Inbox {
    state: Mutex<State>,
    room: usize,
}

#[derive(Debug, Default)]
struct State {
    arrivals: Vec<Arrival>,
    /// Something other than an arrival wants the driver's attention.
    knocked: bool,
    /// How often the driver took what there was.
    takes: u64,
    driver: Option<Waker>,
    readers: Vec<Waker>,
}

impl Inbox {
    /// An inbox that asks sessions to stop reading once `room` arrivals wait.
    pub fn new(room: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), room })
    }

    /// Takes everything out of `batch`, in order, and wakes the driver. When that was, unless there
    /// was nothing.
    pub fn hand_over(&self, batch: &mut Vec<Arrival>) -> Option<Handed> {
        if batch.is_empty() {
            return None;
        }
        let mut state = self.state();
        let then = Handed(state.takes);
        if state.arrivals.is_empty() {
            std::mem::swap(&mut state.arrivals, batch);
        } else {
            state.arrivals.append(batch);
        }
        wake(state);
        Some(then)
    }

    /// Hands over a single arrival.
    pub fn put(&self, arrival: Arrival) {
        let mut state = self.state();
        state.arrivals.push(arrival);
        wake(state);
    }

    /// Wakes the driver without telling it anything: it looks around by itself.
    pub fn knock(&self) {
        let mut state = self.state();
        state.knocked = true;
        wake(state);
    }

    /// Ready while there is room; otherwise the caller is woken when the driver has taken some.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_if(cx, |state| state.arrivals.len() < self.room)
    }

    /// Ready once the driver has taken what was handed over then: what it thinks of that is known.
    pub fn poll_taken(&self, cx: &mut Context<'_>, then: Handed) -> Poll<()> {
        self.poll_if(cx, |state| state.takes > then.0)
    }

    fn poll_if(&self, cx: &mut Context<'_>, is_so: impl FnOnce(&State) -> bool) -> Poll<()> {
        let mut state = self.state();
        if is_so(&state) {
            return Poll::Ready(());
        }
        if !state.readers.iter().any(|reader| reader.will_wake(cx.waker())) {
            state.readers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// For the driver: everything there is, into the empty `into`. Ready also after a knock.
    pub fn poll_take(&self, cx: &mut Context<'_>, into: &mut Vec<Arrival>) -> Poll<()> {
        let mut state = self.state();
        if state.arrivals.is_empty() && !state.knocked {
            if !state.driver.as_ref().is_some_and(|driver| driver.will_wake(cx.waker())) {
                state.driver = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        state.knocked = false;
        state.takes += 1;
        if into.is_empty() {
            std::mem::swap(&mut state.arrivals, into);
        } else {
            into.append(&mut state.arrivals);
        }
        let readers = std::mem::take(&mut state.readers);
        drop(state);
        readers.into_iter().for_each(Waker::wake);
        Poll::Ready(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock can only be one of ours in `Vec`; the state stays whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the driver once the lock is let go.
fn wake(mut state: MutexGuard<'_, State>) {
    let driver = state.driver.take();
    drop(state);
    if let Some(driver) = driver {
        driver.wake();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn timer() -> Arrival {
        Arrival::Input(Input::Timer)
    }

    #[test]
    fn what_goes_in_comes_out_in_order_and_the_buffers_change_hands() {
        let inbox = Inbox::new(4);
        let mut batch = vec![timer(), timer()];
        assert!(inbox.hand_over(&mut batch).is_some() && batch.is_empty());
        assert!(inbox.hand_over(&mut batch).is_none());
        inbox.put(Arrival::Input(Input::Durable { upto: Default::default() }));
        assert!(batch.is_empty());
        let mut cx = Context::from_waker(Waker::noop());
        let mut taken = Vec::new();
        assert!(inbox.poll_take(&mut cx, &mut taken).is_ready());
        assert_eq!(taken.len(), 3);
        assert!(matches!(taken[2], Arrival::Input(Input::Durable { .. })));
        taken.clear();
        assert!(inbox.poll_take(&mut cx, &mut taken).is_pending());
        inbox.knock();
        assert!(inbox.poll_take(&mut cx, &mut taken).is_ready());
        assert!(taken.is_empty());
    }

    #[test]
    fn a_full_inbox_stops_readers_until_the_driver_has_taken() {
        let inbox = Inbox::new(1);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(inbox.poll_room(&mut cx).is_ready());
        inbox.put(timer());
        assert!(inbox.poll_room(&mut cx).is_pending());
        let mut taken = Vec::new();
        assert!(inbox.poll_take(&mut cx, &mut taken).is_ready());
        assert!(inbox.poll_room(&mut cx).is_ready());
        let then = inbox.hand_over(&mut vec![timer()]).unwrap();
        assert!(inbox.poll_taken(&mut cx, then).is_pending());
        assert!(inbox.poll_take(&mut cx, &mut taken).is_ready());
        inbox.put(timer());
        assert!(inbox.poll_taken(&mut cx, then).is_ready(), "others' do not matter");
    }
}
