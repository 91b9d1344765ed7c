//! Every limit the core waits for, in one table.
//!
//! Contract: a timer is named by what it is for and whom it concerns; setting it again moves
//! it; expired timers come out in order of their instants, the same in every run. Of a tie come
//! first the requests in flight, in the order in which they were set, then the rest in the order
//! of their names. The shell sleeps once, until [`Timers::next`].
//!
//! Every request sets its timer and stops it, and it hardly ever fires. The durations are few, so
//! that timers of one duration come and go in order: they stand in queues, where that costs a few
//! steps. What fits behind the last of no queue, and all that is not about a request in flight,
//! stands in a tree.

use super::by_number::ByNumber;
use super::hash::Lookup;
use super::ids::{BankId, RecordNo, SessionId, TxnNo};
use crate::time::Instant;
use std::collections::BTreeMap;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// A platform's session: nothing came in for its idle limit.
    Idle(SessionId),
    /// The original may no longer reach the bank: it can be forgotten.
    Lifetime(TxnNo),
    /// Finished transactions leave the duplicate window.
    Window,
    /// The pause of a bank that answered nothing is over.
    Breaker(BankId),
}

impl Timer {
    /// Its name as a number: what it is for in the highest bits, whom it concerns below. Slots,
    /// tickets and numbers of records and sessions stay far below 2^60.
    const fn key(self) -> u64 {
        let (what, whom) = match self {
            Self::Flight(slot) => (0, slot as u64),
            Self::Waiting(ticket) => (1, ticket),
            Self::Saf(entry) => (2, entry.0),
            Self::SafLifetime(entry) => (3, entry.0),
            Self::SafPace(bank) => (4, bank.0 as u64),
            Self::SignOn(session) => (5, session.0),
            Self::Echo(session) => (6, session.0),
            Self::Lifetime(txn) => (7, txn.0),
            Self::Window => (8, 0),
            Self::Idle(session) => (9, session.0),
            Self::Breaker(bank) => (10, bank.0 as u64),
        };
        (what << 60) | whom
    }
}

/// Timers of requests in flight have a duration per bank, till its silence counts.
const QUEUES: usize = 4;

/// When a timer is due, and what comes first of a tie.
type Due = (Instant, u64);

/// Where a running timer stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    due: Due,
    /// In which queue; [`QUEUES`]: in the tree.
    queue: usize,
}

/// All timers that run.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queues: [ByNumber<Due, Timer>; QUEUES],
    tree: BTreeMap<Due, Timer>,
    /// Where those of flights stand, by slot.
    flights: Vec<Option<Place>>,
    /// Where the others stand, by their key.
    others: Lookup<Place>,
    /// How many were set so far.
    count: u64,
    /// Nothing is due before this: a look at one number at every input.
    not_before: Option<Instant>,
}

impl Timers {
    /// Starts or moves a timer.
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(place) = self.place(timer) {
            if place.due.0 == at {
                return;
            }
            self.leave(place);
        }
        self.count += 1;
        let (due, queue) = match timer {
            Timer::Flight(_) => ((at, self.count), self.queue_for(at)),
            _ => ((at, timer.key()), QUEUES),
        };
        match self.queues.get_mut(queue) {
            Some(queue) => drop(queue.insert(due, timer)),
            None => drop(self.tree.insert(due, timer)),
        }
        self.not_before = self.not_before.filter(|first| *first <= at).or(Some(at));
        self.put(timer, Some(Place { due, queue }));
    }

    /// Starts a timer, or moves it if it runs and is due later: nobody has to wait longer than
    /// this, and whoever fires early looks at the time and starts it again. So what is due later
    /// and later need not be moved each time.
    pub(super) fn set_by(&mut self, timer: Timer, at: Instant) {
        if self.at(timer).is_none_or(|running| running > at) {
            self.set(timer, at);
        }
    }

    /// Stops a timer if it runs.
    pub(super) fn stop(&mut self, timer: Timer) {
        if let Some(place) = self.place(timer) {
            self.put(timer, None);
            self.leave(place);
        }
    }

    /// When it is due, if it runs.
    pub(super) fn at(&self, timer: Timer) -> Option<Instant> {
        self.place(timer).map(|place| place.due.0)
    }

    /// Whether it runs.
    pub(super) fn runs(&self, timer: Timer) -> bool {
        self.place(timer).is_some()
    }

    /// The earliest instant anything is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.first().map(|((at, _), _)| at)
    }

    fn first(&self) -> Option<(Due, Timer)> {
        let queues = self.queues.iter().filter_map(|queue| queue.iter().next());
        let tree = self.tree.first_key_value().map(|(due, timer)| (*due, timer));
        queues.chain(tree).min_by_key(|(due, _)| *due).map(|(due, timer)| (due, *timer))
    }

    /// Takes out the earliest timer that is due.
    #[inline]
    pub(super) fn expired(&mut self, now: Instant) -> Option<Timer> {
        self.not_before.filter(|first| *first <= now)?;
        self.take_due(now)
    }

    #[inline(never)]
    fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let first = self.first();
        self.not_before = first.map(|((at, _), _)| at);
        let (_, timer) = first.filter(|((at, _), _)| *at <= now)?;
        self.stop(timer);
        Some(timer)
    }

    fn place(&self, timer: Timer) -> Option<Place> {
        match timer {
            Timer::Flight(slot) => *self.flights.get(slot)?,
            _ => self.others.get(timer.key()),
        }
    }

    fn put(&mut self, timer: Timer, place: Option<Place>) {
        match (timer, place) {
            (Timer::Flight(slot), place) => {
                if slot >= self.flights.len() {
                    self.flights.resize(slot + 1, None);
                }
                self.flights[slot] = place;
            }
            (_, Some(place)) => self.others.insert(timer.key(), place),
            (_, None) => drop(self.others.remove(timer.key())),
        }
    }

    /// The queue behind whose last a timer fits most closely, an empty one if there is no other.
    fn queue_for(&self, at: Instant) -> usize {
        let (mut best, mut closest) = (QUEUES, None);
        for (queue, timers) in self.queues.iter().enumerate() {
            let last = timers.newest().map(|(last, _)| last);
            let fits = last.is_none_or(|last| last <= at);
            if fits && (best == QUEUES || last > closest) {
                (best, closest) = (queue, last);
            }
        }
        best
    }

    fn leave(&mut self, place: Place) {
        match self.queues.get_mut(place.queue) {
            Some(queue) => drop(queue.remove(place.due)),
            None => drop(self.tree.remove(&place.due)),
        }
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
        assert_eq!(fired, [Timer::Window, Timer::Flight(2), Timer::Flight(1)]);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn they_agree_with_a_tree() {
        let mut timers = Timers::default();
        let mut tree = std::collections::BTreeMap::new();
        let chance = |what, count, below| crate::switch::hash::jitter(what, 0, count, below);
        for count in 0..20_000_u64 {
            let slot = chance(1, count, 300);
            let all = [Timer::Flight(slot as usize), Timer::Waiting(slot), Timer::Window];
            let timer = all[chance(2, count, 3) as usize];
            let old = tree.iter().find(|(_, t)| **t == timer).map(|(due, _)| *due);
            assert_eq!(timers.at(timer), old.map(|(at, _)| at));
            assert_eq!(timers.runs(timer), old.is_some());
            let at = Instant::from_nanos(count + chance(4, count, 500));
            if chance(3, count, 3) == 0 {
                timers.stop(timer);
                old.map(|old| tree.remove(&old));
            } else {
                timers.set(timer, at);
                if old.is_none_or(|(before, _)| before != at) {
                    old.map(|old| tree.remove(&old));
                    let flight = matches!(timer, Timer::Flight(_));
                    tree.insert((at, if flight { count } else { timer.key() }), timer);
                }
            }
            let now = Instant::from_nanos(count);
            while let Some(fired) = timers.expired(now) {
                let first = tree.pop_first();
                assert_eq!(first.map(|(_, timer)| timer), Some(fired));
                assert!(first.is_some_and(|((at, _), _)| at <= now));
            }
            assert_eq!(timers.next(), tree.first_key_value().map(|((at, _), _)| *at));
        }
    }

    #[test]
    fn a_timer_set_by_an_instant_is_brought_forward_and_never_put_off() {
        let at = Instant::from_nanos;
        let mut timers = Timers::default();
        timers.set_by(Timer::Flight(1), at(10));
        timers.set_by(Timer::Flight(1), at(20));
        assert_eq!((timers.next(), timers.expired(at(9))), (Some(at(10)), None));
        timers.set_by(Timer::Flight(1), at(5));
        timers.set(Timer::Window, at(7));
        assert_eq!(timers.expired(at(6)), Some(Timer::Flight(1)));
        timers.stop(Timer::Window);
        assert_eq!((timers.next(), timers.expired(at(30))), (None, None));
    }

    #[test]
    fn deadlines_of_few_durations_stand_in_queues() {
        let mut timers = Timers::default();
        for now in 0..1_000_u64 {
            let slot = Timer::Flight((now % 100) as usize);
            for duration in [500, 300, 700] {
                timers.set(slot, Instant::from_nanos(now + duration));
            }
            timers.set(Timer::Saf(RecordNo(now)), Instant::from_nanos(now + 9));
        }
        let in_queues: usize = timers.queues.iter().map(ByNumber::len).sum();
        assert_eq!((in_queues, timers.tree.len()), (100, 1_000));
    }
}
