//! Every limit the core waits for, in one table.
//!
//! Contract: a timer is named by what it is for and whom it concerns; setting it again moves
//! it; expired timers come out in order of their instants, ties in order of their names, the
//! same in every run. The shell sleeps once, until [`Timers::next`].

use super::ids::{RecordNo, SessionId, TxnNo};
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Timer {
    /// The deadline of a request in flight (slot of the in-flight table).
    Flight(usize),
    /// The deadline of a request that waits for room in a bank's window.
    Waiting(u64),
    /// A SAF entry: silence after a try, or the pause before the next.
    Saf(RecordNo),
    /// A session: silence after a sign-on, or the pause before the next.
    SignOn(SessionId),
    /// A session: silence of the peer, or no answer to an echo test.
    Echo(SessionId),
    /// The original may no longer reach the bank: it can be forgotten.
    Lifetime(TxnNo),
    /// Finished transactions leave the duplicate window.
    Window,
}

/// All timers that run.
#[derive(Debug, Default)]
pub(super) struct Timers {
    at: BTreeMap<Timer, Instant>,
    order: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    /// Starts or moves a timer.
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(old) = self.at.insert(timer, at) {
            self.order.remove(&(old, timer));
        }
        self.order.insert((at, timer));
    }

    /// Stops a timer if it runs.
    pub(super) fn stop(&mut self, timer: Timer) {
        if let Some(old) = self.at.remove(&timer) {
            self.order.remove(&(old, timer));
        }
    }

    /// When it is due, if it runs.
    pub(super) fn at(&self, timer: Timer) -> Option<Instant> {
        self.at.get(&timer).copied()
    }

    /// Whether it runs.
    pub(super) fn runs(&self, timer: Timer) -> bool {
        self.at.contains_key(&timer)
    }

    /// The earliest instant anything is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes out the earliest timer that is due.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Timer> {
        let &(at, timer) = self.order.first()?;
        if at > now {
            return None;
        }
        self.stop(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_once_and_can_be_moved() {
        let at = Instant::from_nanos;
        let mut timers = Timers::default();
        timers.set(Timer::Window, at(30));
        timers.set(Timer::Flight(2), at(10));
        timers.set(Timer::Flight(1), at(10));
        timers.set(Timer::Window, at(5));
        timers.set(Timer::Saf(RecordNo(9)), at(7));
        timers.stop(Timer::Saf(RecordNo(9)));
        assert_eq!(timers.next(), Some(at(5)));
        let mut fired = vec![];
        while let Some(timer) = timers.expired(at(10)) {
            fired.push(timer);
        }
        assert_eq!(fired, [Timer::Window, Timer::Flight(1), Timer::Flight(2)]);
        assert_eq!(timers.next(), None);
    }
}
