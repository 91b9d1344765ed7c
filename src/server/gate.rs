//! The gate: what the core wants sent waits here until its record is durable.
//!
//! Contract: for every [`Send`] admitted, either it is handed to its session's queue – whose
//! session then tells `Released` or `Unsent` – or an `Unsent` comes out here; never both, never
//! neither. Nothing passes before its `after` is durable, nothing passes after its `not_after`,
//! nothing passes once the journal has failed except what needs no record. The gate never waits:
//! a queue that is full ends its session. Deliberately absent: time of its own, threads, sockets.

use crate::canonical::Canonical;
use crate::link::{EndWish, Full, Outbound};
use crate::switch::ids::{RecordNo, SendId, SessionId};
use crate::switch::input::{Input, Unsent};
use crate::switch::nonsense::Nonsense;
use crate::switch::output::{CloseReason, Send};
use crate::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Everything held, and the doors it may leave through.
#[derive(Debug, Default)]
pub struct Gate {
    /// Sorted by the record each frame needs; equal ones in the order they came.
    held: VecDeque<(RecordNo, Send)>,
    durable: RecordNo,
    doors: BTreeMap<SessionId, Leaf>,
    /// Sessions to be woken at the end of the turn.
    touched: Vec<SessionId>,
    unsent: VecDeque<Stayed>,
    /// No frame is held whose `not_after` is earlier than this.
    soonest: Option<Instant>,
    failed: bool,
}

/// A frame that stayed behind: which, why, and what it was to say.
type Stayed = (SendId, Unsent, Box<Canonical>);

/// One door.
#[derive(Debug)]
struct Leaf {
    outbound: Arc<Outbound>,
    touched: bool,
}

impl Gate {
    /// A gate in front of a journal that is durable up to `durable`.
    pub fn new(durable: RecordNo) -> Self {
        Self { durable, ..Self::default() }
    }

    /// A session began.
    pub fn open(&mut self, session: SessionId, outbound: Arc<Outbound>) {
        self.doors.insert(session, Leaf { outbound, touched: false });
    }

    /// A session ended: what is held for it stays behind.
    pub fn close(&mut self, session: SessionId) {
        self.doors.remove(&session);
        self.drop_where(Unsent::NoSession, |send| send.session == session);
    }

    /// Takes a frame: holds it, passes it on, or says why not.
    pub fn admit(&mut self, now: Instant, send: Send) {
        match send.after {
            Some(after) if after > self.durable && self.failed => {
                self.unsent.push_back((send.id, Unsent::JournalFailed, send.msg));
            }
            Some(after) if after > self.durable => self.hold(after, send),
            _ => self.pass(now, send),
        }
    }

    /// Takes a frame back, if it is held here or in a session's queue. Where it is not, its
    /// session has told or will tell.
    pub fn cancel(&mut self, id: SendId) {
        let here = self.held.iter().position(|(_, send)| send.id == id);
        let found = match here {
            Some(at) => self.held.remove(at).map(|(_, send)| send),
            None => self.doors.values().find_map(|leaf| leaf.outbound.cancel(id)),
        };
        if let Some(send) = found {
            self.unsent.push_back((id, Unsent::Cancelled, send.msg));
        }
    }

    /// Everything up to `upto` is durable: lets go what waited for it.
    pub fn durable(&mut self, now: Instant, upto: RecordNo) {
        self.durable = self.durable.max(upto);
        while self.held.front().is_some_and(|(after, _)| *after <= self.durable) {
            if let Some((_, send)) = self.held.pop_front() {
                self.pass(now, send);
            }
        }
    }

    /// Drops what is held past its limit.
    pub fn expire(&mut self, now: Instant) {
        if self.soonest.is_none_or(|soonest| now <= soonest) {
            return;
        }
        self.drop_where(Unsent::TooLate, |send| send.not_after.is_some_and(|limit| now > limit));
        self.soonest = self.held.iter().filter_map(|(_, send)| send.not_after).min();
    }

    /// The journal failed: nothing that waits for a record leaves any more.
    pub fn fail(&mut self) {
        self.failed = true;
        self.drop_where(Unsent::JournalFailed, |_| true);
    }

    /// The core ends a session.
    pub fn end(&self, session: SessionId, why: CloseReason) {
        if let Some(leaf) = self.doors.get(&session) {
            leaf.outbound.end(EndWish::Core(why));
        }
    }

    /// Tells a session that what it brought was of no use.
    pub fn nonsense(&mut self, session: SessionId, kind: Nonsense) {
        let Some(leaf) = self.doors.get_mut(&session) else { return };
        leaf.outbound.note(kind);
        if !leaf.touched {
            leaf.touched = true;
            self.touched.push(session);
        }
    }

    /// Ends every session: the shell goes down.
    pub fn end_all(&self) {
        self.doors.keys().for_each(|session| self.end(*session, CloseReason::Shutdown));
    }

    /// Wakes each session that got something this turn, once.
    pub fn flush(&mut self) {
        for session in self.touched.drain(..) {
            if let Some(leaf) = self.doors.get_mut(&session) {
                leaf.touched = false;
                leaf.outbound.wake();
            }
        }
    }

    /// The next frame that stayed behind and why; each exactly once.
    pub fn next_unsent(&mut self) -> Option<(SendId, Unsent)> {
        self.unsent.pop_front().map(|(id, why, _)| (id, why))
    }

    /// The same as the core is told, which may send it another way.
    pub fn next_handed_back(&mut self) -> Option<Input> {
        let back = |(id, why, msg)| Input::HandedBack { id, why, msg };
        self.unsent.pop_front().map(back)
    }

    /// When to call [`Gate::expire`] next. May be early, never late.
    pub fn deadline(&self) -> Option<Instant> {
        self.soonest
    }

    /// Up to where the journal is durable, as far as the gate was told.
    pub fn mark(&self) -> RecordNo {
        self.durable
    }

    /// Whether it was told that the journal failed.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// How many frames stayed behind and have not been asked for yet.
    pub fn unsent_waiting(&self) -> usize {
        self.unsent.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Frames held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Sessions open.
    pub fn sessions(&self) -> usize {
        self.doors.len()
    }

    fn hold(&mut self, after: RecordNo, send: Send) {
        if let Some(limit) = send.not_after {
            self.soonest = Some(self.soonest.map_or(limit, |soonest| soonest.min(limit)));
        }
        // Records are numbered as they come, so this is nearly always the end.
        let mut at = self.held.len();
        while at > 0 && self.held[at - 1].0 > after {
            at -= 1;
        }
        self.held.insert(at, (after, send));
    }

    fn pass(&mut self, now: Instant, send: Send) {
        if send.not_after.is_some_and(|limit| now > limit) {
            self.unsent.push_back((send.id, Unsent::TooLate, send.msg));
            return;
        }
        let session = send.session;
        let Some(leaf) = self.doors.get_mut(&session) else {
            self.unsent.push_back((send.id, Unsent::NoSession, send.msg));
            return;
        };
        match leaf.outbound.push(send) {
            Ok(()) if leaf.touched => {}
            Ok(()) => {
                leaf.touched = true;
                self.touched.push(session);
            }
            Err((send, Full::Gone)) => {
                self.unsent.push_back((send.id, Unsent::NoSession, send.msg));
            }
            Err((send, Full::Overflow)) => {
                leaf.outbound.end(EndWish::Overflow);
                self.unsent.push_back((send.id, Unsent::QueueFull, send.msg));
            }
        }
    }

    fn drop_where(&mut self, why: Unsent, unwanted: impl Fn(&Send) -> bool) {
        if !self.held.iter().any(|(_, send)| unwanted(send)) {
            return;
        }
        for (after, send) in std::mem::take(&mut self.held) {
            if unwanted(&send) {
                self.unsent.push_back((send.id, why, send.msg));
            } else {
                self.held.push_back((after, send));
            }
        }
    }
}
