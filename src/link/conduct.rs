//! How one peer behaves, and what follows for its session: read on, left unread for a while, ended.
//!
//! Contract: what cannot be read counts before the next frame is cut, so that it reaches the core
//! no faster than the budget allows; what only the core can judge comes back from it and counts in
//! the next turn. While a session is left unread its peer waits by TCP's back pressure, and what is
//! owed to it is written all the same. What was read is never dropped. A session that behaves well
//! is not touched by what others of its address do. Deliberately absent: logs and metrics, which
//! are whoever's made it.

use super::MonoClock;
use super::addresses::Addresses;
use super::alarm::Alarm;
use super::budget::{Budget, Rate, Verdict};
use super::ended::Ended;
use super::seats::Seat;
use crate::limits::{NONSENSE_AT_ONCE, NONSENSE_PER_S, UNREAD_MAX};
use crate::switch::nonsense::Nonsense;
use crate::switch::output::CloseReason;
use crate::time::Instant;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// Hears when a session begins to be left unread: for what, and how much it has brought.
pub(super) type OnSlow = Box<dyn Fn(Nonsense, u64) + Send>;

/// What a door shares with its sessions.
pub(super) type Book = Arc<Mutex<Addresses>>;

/// One session's.
pub struct Conduct {
    budget: Budget,
    /// From which address, where it called us.
    from: Option<(IpAddr, Book)>,
    seat: Option<Seat>,
    /// It said something that could be understood.
    heard: bool,
    /// Not read while this runs.
    unread: Option<Alarm>,
    slowed: bool,
    brought: u64,
    newest: Option<Nonsense>,
    on_slow: Option<OnSlow>,
}

impl Conduct {
    /// Of a peer whom we called.
    pub fn of_called(now: Instant) -> Self {
        let rate = Rate::new(NONSENSE_PER_S, NONSENSE_AT_ONCE);
        Self {
            budget: Budget::new(rate, now),
            from: None,
            seat: None,
            heard: false,
            unread: None,
            slowed: false,
            brought: 0,
            newest: None,
            on_slow: None,
        }
    }

    /// Of a peer who called us.
    pub(super) fn of_caller(now: Instant, peer: IpAddr, book: Book, seat: Seat) -> Self {
        Self { from: Some((peer, book)), seat: Some(seat), ..Self::of_called(now) }
    }

    /// Tells when it is slowed.
    pub fn tell(&mut self, on_slow: OnSlow) {
        self.on_slow = Some(on_slow);
    }

    /// Takes its place, where it needs one; whether it has one.
    pub fn sit(&mut self) -> bool {
        self.seat.as_mut().is_none_or(Seat::take)
    }

    /// Ready once it is pushed out of where it waits for its place.
    pub fn poll_pushed_out(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.seat.as_mut().map_or(Poll::Pending, |seat| seat.poll_pushed_out(cx))
    }

    /// The peer said something that can be understood.
    pub(super) fn heard(&mut self) -> Result<(), Ended> {
        if !self.heard {
            if !self.sit() {
                return Err(Ended::NoPlace);
            }
            self.heard = true;
        }
        self.budget.earn();
        Ok(())
    }

    /// Whether it ever said something that could be understood.
    pub const fn has_been_heard(&self) -> bool {
        self.heard
    }

    /// The peer said what is of no use, `count` times.
    pub(super) fn nonsense(
        &mut self,
        now: Instant,
        kind: Nonsense,
        count: u32,
    ) -> Result<(), Ended> {
        self.brought += u64::from(count);
        self.newest = Some(kind);
        let own = self.budget.charge(now, kind, count);
        let all = self.at_door(|book, peer| book.charge(now, peer, kind, count));
        // A mistake now and then is not what the others of the address are slowed for.
        let all = all.filter(|_| self.budget.is_strained());
        match own.max(all.unwrap_or(Verdict::Fine)) {
            Verdict::Fine => {
                self.slowed &= self.budget.is_beyond();
                Ok(())
            }
            Verdict::Slow(pause) => {
                // Finer than the timer's grain is no pause.
                let pause = pause.clamp(Duration::from_millis(1), UNREAD_MAX);
                let mut unread = Alarm::new(pause);
                unread.start(now);
                self.unread = Some(unread);
                if !std::mem::replace(&mut self.slowed, true)
                    && let Some(tell) = &self.on_slow
                {
                    tell(kind, self.brought);
                }
                Ok(())
            }
            Verdict::Close => Err(Ended::Core(CloseReason::Garbage)),
        }
    }

    /// What the core noted of it, by kind.
    pub(super) fn noted(
        &mut self,
        clock: &MonoClock,
        noted: [u32; Nonsense::ALL.len()],
    ) -> Result<(), Ended> {
        for (kind, count) in Nonsense::ALL.into_iter().zip(noted).filter(|(_, count)| *count > 0) {
            self.nonsense(clock(), kind, count)?;
        }
        Ok(())
    }

    /// Whether more of what has come may be cut into frames now.
    pub(super) const fn may_be_heard(&self) -> bool {
        self.unread.is_none()
    }

    /// Whether it is to be heard a little at a time.
    pub(super) fn is_suspect(&self) -> bool {
        self.budget.is_strained()
    }

    /// Ready while it may be read; its task is woken when it may be again.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, clock: &MonoClock) -> Poll<()> {
        if let Some(unread) = &mut self.unread
            && !unread.poll(cx, clock)
        {
            return Poll::Pending;
        }
        self.unread = None;
        Poll::Ready(())
    }

    /// It was closed for its nonsense: for how long its address is not let in.
    pub fn send_away(&self, now: Instant) -> Option<Duration> {
        self.at_door(|book, peer| book.send_away(now, peer))
    }

    /// It ended without a word: for how long its address is not let in, if that was one too many.
    pub fn fruitless(&self, now: Instant) -> Option<Duration> {
        self.at_door(|book, peer| book.fruitless(now, peer)).flatten()
    }

    /// How much nonsense it brought, and of what kind the last was.
    pub fn brought(&self) -> (u64, &'static str) {
        (self.brought, self.newest.map_or("nothing", Nonsense::word))
    }

    fn at_door<T>(&self, does: impl FnOnce(&mut Addresses, IpAddr) -> T) -> Option<T> {
        let (peer, book) = self.from.as_ref()?;
        Some(does(&mut book.lock().unwrap_or_else(PoisonError::into_inner), *peer))
    }
}

impl fmt::Debug for Conduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conduct")
            .field("heard", &self.heard)
            .field("brought", &self.brought)
            .finish_non_exhaustive()
    }
}
