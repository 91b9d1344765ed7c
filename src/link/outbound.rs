//! What the gate has let go and the session has not yet written: one bounded queue per session.
//!
//! Contract: the gate never waits – a full queue or an ended session gives the frame back. What
//! is in the queue is still held: [`Outbound::cancel`] takes it out again. After
//! [`Outbound::shut`] nothing gets in, and what was in is given back to be reported `Unsent`.

use crate::switch::ids::SendId;
use crate::switch::nonsense::Nonsense;
use crate::switch::output::{CloseReason, Send};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

/// Why the queue did not take a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// As many frames wait as the line allows.
    Overflow,
    /// The session has ended.
    Gone,
}

/// Who wants the session to end, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndWish {
    /// The core. With [`CloseReason::Shutdown`] what is queued is written first.
    Core(CloseReason),
    /// The gate: the queue is full, the peer reads too slowly.
    Overflow,
}

/// The queue. Shared by the gate (pushes) and one session (takes).
#[derive(Debug)]
pub struct Outbound {
    state: Mutex<State>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Send>,
    wish: Option<EndWish>,
    /// How much of what it brought was of no use, by kind.
    nonsense: [u32; Nonsense::ALL.len()],
    gone: bool,
    session: Option<Waker>,
}

impl Outbound {
    /// A queue of at most `capacity` frames.
    pub fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), capacity })
    }

    /// Queues a frame; does not wake the session ([`Outbound::wake`], once per turn).
    ///
    /// # Errors
    /// Gives the frame back with the reason.
    pub fn push(&self, send: Send) -> Result<(), (Send, Full)> {
        let mut state = self.state();
        if state.gone {
            return Err((send, Full::Gone));
        }
        if state.queue.len() >= self.capacity {
            return Err((send, Full::Overflow));
        }
        state.queue.push_back(send);
        Ok(())
    }

    /// Takes a frame out again, if it is still here.
    pub fn cancel(&self, id: SendId) -> Option<Send> {
        let mut state = self.state();
        let at = state.queue.iter().position(|send| send.id == id)?;
        state.queue.remove(at)
    }

    /// Asks the session to end; the first wish stands. Wakes it.
    pub fn end(&self, wish: EndWish) {
        self.state().wish.get_or_insert(wish);
        self.wake();
    }

    /// Notes that a message of its peer was of no use; does not wake the session.
    pub fn note(&self, kind: Nonsense) {
        if let Some(count) = self.state().nonsense.get_mut(kind.index()) {
            *count = count.saturating_add(1);
        }
    }

    /// For the session: what was noted since it asked last.
    pub fn noted(&self) -> [u32; Nonsense::ALL.len()] {
        std::mem::take(&mut self.state().nonsense)
    }

    /// Wakes the session, if it sleeps.
    pub fn wake(&self) {
        let session = self.state().session.take();
        if let Some(session) = session {
            session.wake();
        }
    }

    /// For the session: moves up to `most` frames to the end of `into`, says whether it is wished
    /// to end, and is woken from now on.
    pub fn take(
        &self,
        cx: &Context<'_>,
        into: &mut VecDeque<Send>,
        most: usize,
    ) -> Option<EndWish> {
        let mut state = self.state();
        if into.is_empty() && state.queue.len() <= most {
            std::mem::swap(&mut state.queue, into);
        } else {
            let count = most.min(state.queue.len());
            into.extend(state.queue.drain(..count));
        }
        if !state.session.as_ref().is_some_and(|session| session.will_wake(cx.waker())) {
            state.session = Some(cx.waker().clone());
        }
        state.wish
    }

    /// For the session that ends: nothing gets in any more; moves what is in to `into`.
    pub fn shut(&self, into: &mut VecDeque<Send>) {
        let mut state = self.state();
        state.gone = true;
        state.session = None;
        into.append(&mut state.queue);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::canonical::{Canonical, Flow, Kind, NetworkFunction};
    use crate::switch::ids::{LineId, RecordNo, SessionId};
    use crate::time::Instant;

    /// A frame for `session`; what it says does not matter.
    pub(crate) fn send(id: u64, session: u64, after: u64, not_after: Option<u64>) -> Send {
        let kind = Kind::NetworkManagement(NetworkFunction::Echo);
        Send {
            id: SendId(id),
            session: SessionId(session),
            line: LineId(0),
            msg: Box::new(Canonical::new(kind, Flow::Request)),
            after: (after > 0).then_some(RecordNo(after)),
            not_after: not_after.map(Instant::from_nanos),
        }
    }

    fn taken(outbound: &Outbound, most: usize) -> Vec<u64> {
        let mut into = VecDeque::new();
        outbound.take(&Context::from_waker(Waker::noop()), &mut into, most);
        into.iter().map(|send| send.id.0).collect()
    }

    #[test]
    fn a_full_queue_gives_the_frame_back() {
        let outbound = Outbound::new(2);
        assert!(outbound.push(send(1, 1, 0, None)).is_ok());
        assert!(outbound.push(send(2, 1, 0, None)).is_ok());
        let refused = outbound.push(send(3, 1, 0, None)).map_err(|(send, why)| (send.id, why));
        assert_eq!(refused, Err((SendId(3), Full::Overflow)));
        assert_eq!(taken(&outbound, 1), [1]);
        assert_eq!(taken(&outbound, 9), [2]);
    }

    #[test]
    fn what_is_queued_can_still_be_cancelled() {
        let outbound = Outbound::new(2);
        assert!(outbound.push(send(1, 1, 0, None)).is_ok());
        assert_eq!(outbound.cancel(SendId(1)).map(|send| send.id), Some(SendId(1)));
        assert!(outbound.cancel(SendId(1)).is_none());
        assert!(taken(&outbound, 9).is_empty());
    }

    #[test]
    fn an_ended_session_gives_back_what_it_had_and_takes_nothing_more() {
        let outbound = Outbound::new(2);
        assert!(outbound.push(send(1, 1, 0, None)).is_ok());
        let mut back = VecDeque::new();
        outbound.shut(&mut back);
        assert_eq!(back.len(), 1);
        let refused = outbound.push(send(2, 1, 0, None)).map_err(|(_, why)| why);
        assert_eq!(refused, Err(Full::Gone));
    }
}
