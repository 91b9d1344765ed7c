//! Every limit the core waits for, in one table.
//!
//! Contract: a timer is named by what it is for and whom it concerns; setting it again moves
//! it; expired timers come out in order of their instants, ties in order of their names, the
//! same in every run. The shell sleeps once, until [`Timers::next`].

use super::hash::Lookup;
use super::ids::{BankId, RecordNo, SessionId, TxnNo};
use crate::time::Instant;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Timer {
    /// The deadline of a request in flight (slot of the in-flight table).
    Flight(usize),
    /// The deadline of a request that waits for room in a bank's window.
    Waiting(u64),
    /// A SAF entry: silence after a try, or the pause before the next.
    Saf(RecordNo),
    /// An advice in the SAF grows too old.
    SafLifetime(RecordNo),
    /// Live traffic of a bank held its SAF back; its next try may go.
    SafPace(BankId),
    /// A session: silence after a sign-on, or the pause before the next.
    SignOn(SessionId),
    /// A session: silence of the peer, or no answer to an echo test.
    Echo(SessionId),
    /// The original may no longer reach the bank: it can be forgotten.
    Lifetime(TxnNo),
    /// Finished transactions leave the duplicate window.
    Window,
}

impl Timer {
    /// Its name as a number: what it is for in the highest bits, whom it concerns below. Slots,
    /// tickets and numbers of records and sessions stay far below 2^60.
    const fn key(self) -> u64 {
        let (what, whom) = match self {
            Self::Flight(slot) => (0, slot as u64),
            Self::Waiting(ticket) => (1, ticket),
            Self::Saf(entry) => (2, entry.0),
            Self::SignOn(session) => (3, session.0),
            Self::Echo(session) => (4, session.0),
            Self::Lifetime(txn) => (5, txn.0),
            Self::Window => (6, 0),
            Self::SafLifetime(entry) => (7, entry.0),
            Self::SafPace(bank) => (8, bank.0 as u64),
        };
        (what << 60) | whom
    }
}

/// Four rather than two: half the depth, and the four lie in two cache lines.
const CHILDREN: usize = 4;

/// A running timer in the heap.
#[derive(Debug, Clone, Copy)]
struct Running {
    at: Instant,
    timer: Timer,
    /// Where `places` says where this stands.
    handle: u32,
}

impl Running {
    fn is_before(&self, other: &Self) -> bool {
        self.at < other.at || (self.at == other.at && self.timer < other.timer)
    }
}

/// All timers that run: a heap whose entries can be found, so that moving and stopping one – most
/// timers never fire – costs a few steps.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Each entry is due no later than the [`CHILDREN`] that hang on it.
    heap: Vec<Running>,
    /// Place in the heap, by handle.
    places: Vec<u32>,
    /// Handles that are not in use.
    free: Vec<u32>,
    /// Handles by the key of the timer.
    handles: Lookup<u32>,
}

impl Timers {
    /// Starts or moves a timer.
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some((handle, place)) = self.find(timer) {
            self.settle(place, Running { at, timer, handle });
            return;
        }
        let handle = self.free.pop().unwrap_or_else(|| {
            self.places.push(0);
            self.places.len() as u32 - 1
        });
        self.handles.insert(timer.key(), handle);
        let running = Running { at, timer, handle };
        self.heap.push(running);
        self.settle(self.heap.len() - 1, running);
    }

    /// Stops a timer if it runs.
    pub(super) fn stop(&mut self, timer: Timer) {
        let Some((handle, place)) = self.find(timer) else { return };
        self.handles.remove(timer.key());
        self.free.push(handle);
        if let Some(last) = self.heap.pop()
            && place < self.heap.len()
        {
            self.settle(place, last);
        }
    }

    /// When it is due, if it runs.
    pub(super) fn at(&self, timer: Timer) -> Option<Instant> {
        let (_, place) = self.find(timer)?;
        self.heap.get(place).map(|running| running.at)
    }

    /// Whether it runs.
    pub(super) fn runs(&self, timer: Timer) -> bool {
        self.handles.get(timer.key()).is_some()
    }

    /// The earliest instant anything is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|running| running.at)
    }

    /// Takes out the earliest timer that is due.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Timer> {
        let timer = self.heap.first().filter(|running| running.at <= now)?.timer;
        self.stop(timer);
        Some(timer)
    }

    fn find(&self, timer: Timer) -> Option<(u32, usize)> {
        let handle = self.handles.get(timer.key())?;
        Some((handle, *self.places.get(handle as usize)? as usize))
    }

    /// Puts a timer at this place, whose entry is no longer needed, and moves it up or down to
    /// where it belongs.
    fn settle(&mut self, place: usize, running: Running) {
        let mut at = place;
        while at > 0
            && let parent = (at - 1) / CHILDREN
            && running.is_before(&self.heap[parent])
        {
            self.put(at, self.heap[parent]);
            at = parent;
        }
        if at == place {
            while let Some(child) = self.earliest_child(at)
                && self.heap[child].is_before(&running)
            {
                self.put(at, self.heap[child]);
                at = child;
            }
        }
        self.put(at, running);
    }

    fn earliest_child(&self, at: usize) -> Option<usize> {
        let first = at * CHILDREN + 1;
        let end = self.heap.len().min(first + CHILDREN);
        let children = self.heap.get(first..end)?;
        let mut earliest = 0;
        for at in 1..children.len() {
            if children[at].is_before(&children[earliest]) {
                earliest = at;
            }
        }
        (!children.is_empty()).then_some(first + earliest)
    }

    fn put(&mut self, at: usize, running: Running) {
        self.heap[at] = running;
        self.places[running.handle as usize] = at as u32;
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

    #[test]
    fn they_agree_with_a_tree() {
        let mut timers = Timers::default();
        let mut tree = std::collections::BTreeSet::new();
        let chance = |what, count, below| crate::switch::hash::jitter(what, 0, count, below);
        for count in 0..20_000_u64 {
            let slot = chance(1, count, 300) as usize;
            let all = [Timer::Flight(slot), Timer::Waiting(slot as u64), Timer::Window];
            let timer = all[chance(2, count, 3) as usize];
            let old = tree.iter().find(|(_, t)| *t == timer).copied();
            assert_eq!(timers.at(timer), old.map(|(at, _)| at));
            assert_eq!(timers.runs(timer), old.is_some());
            if let Some(old) = old {
                tree.remove(&old);
            }
            if chance(3, count, 3) == 0 {
                timers.stop(timer);
            } else {
                let at = Instant::from_nanos(count + chance(4, count, 500));
                timers.set(timer, at);
                tree.insert((at, timer));
            }
            let now = Instant::from_nanos(count);
            while let Some(fired) = timers.expired(now) {
                let first = tree.pop_first();
                assert_eq!(first.map(|(_, timer)| timer), Some(fired));
                assert!(first.is_some_and(|(at, _)| at <= now));
            }
            assert_eq!(timers.next(), tree.first().map(|(at, _)| *at));
        }
        assert!(timers.places.len() <= 601, "handles are used again");
    }
}
