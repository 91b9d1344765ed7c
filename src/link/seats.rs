//! The places of a door, and who waits for one.
//!
//! Contract: a place is taken by the first message that can be understood, so that whoever only
//! connects holds none. Until then a connection waits, for as long as it likes: a platform may
//! keep one in reserve. Only where those that wait are too many, of one address or of all, the one
//! is pushed out that has waited longest of the address that has most. Deliberately absent: who may
//! connect at all ([`super::addresses`]); limits on silence, which are the core's.

use crate::limits::WAITING_SPARE;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// Both, of one door.
#[derive(Debug)]
pub(super) struct Seats {
    state: Mutex<State>,
    places: usize,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    /// All there are: with a place, waiting, and pushed out but not gone yet.
    alive: usize,
    /// Who waits, by when they came.
    waiting: BTreeMap<u64, (IpAddr, oneshot::Sender<()>)>,
    last: u64,
}

/// A connection's place, or its wait for one; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    /// Which of those that wait; unset: it has a place.
    waits: Option<(u64, oneshot::Receiver<()>)>,
}

impl Seats {
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), places })
    }

    /// Lets a connection wait; `None` where every place is taken by somebody who works, or where
    /// too many are still on their way out.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Seat> {
        let mut state = self.state();
        if state.taken >= self.places {
            return None;
        }
        let of_peer = state.waiting.values().filter(|(of, _)| *of == peer).count();
        if of_peer >= self.places + WAITING_SPARE / 2 {
            state.push_out(peer);
        } else if state.taken + state.waiting.len() >= self.places + WAITING_SPARE
            && let Some(most) = state.fullest()
        {
            state.push_out(most);
        }
        if state.alive >= self.places + 2 * WAITING_SPARE {
            return None;
        }
        state.alive += 1;
        state.last += 1;
        let (number, (sender, receiver)) = (state.last, oneshot::channel());
        state.waiting.insert(number, (peer, sender));
        drop(state);
        Some(Seat { seats: Arc::clone(self), waits: Some((number, receiver)) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The address of which most wait.
    fn fullest(&self) -> Option<IpAddr> {
        let mut counts = BTreeMap::<IpAddr, usize>::new();
        for (peer, _) in self.waiting.values() {
            *counts.entry(*peer).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(peer, _)| peer)
    }

    /// The one of this address that has waited longest.
    fn push_out(&mut self, peer: IpAddr) {
        let oldest = self.waiting.iter().find(|(_, (of, _))| *of == peer).map(|(at, _)| *at);
        if let Some((_, sender)) = oldest.and_then(|at| self.waiting.remove(&at)) {
            // It may have gone by itself.
            let _ = sender.send(());
        }
    }
}

impl Seat {
    /// Takes a place, unless it has one; whether it has one now.
    pub(super) fn take(&mut self) -> bool {
        let Some((number, _)) = &self.waits else { return true };
        let mut state = self.seats.state();
        // Who was pushed out has lost its turn.
        if state.taken >= self.seats.places || state.waiting.remove(number).is_none() {
            return false;
        }
        state.taken += 1;
        drop(state);
        self.waits = None;
        true
    }

    /// Ready once it is pushed out.
    pub(super) fn poll_pushed_out(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.waits {
            None => Poll::Pending,
            Some((_, told)) => Pin::new(told).poll(cx).map(drop),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.seats.state();
        state.alive = state.alive.saturating_sub(1);
        match &self.waits {
            None => state.taken = state.taken.saturating_sub(1),
            Some((number, _)) => drop(state.waiting.remove(number)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::net::Ipv4Addr;
    use std::task::Waker;

    fn peer(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    fn is_out(seat: &mut Seat) -> bool {
        seat.poll_pushed_out(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn silent_strangers_do_not_keep_anybody_out() {
        let seats = Seats::new(64);
        let mut silent = vec![];
        for _ in 0..1_000 {
            silent.push(seats.enter(peer(1)).unwrap());
            silent.retain_mut(|seat| !is_out(seat));
        }
        assert_eq!(silent.len(), 64 + WAITING_SPARE / 2);
        for honest in [1, 2] {
            assert!(seats.enter(peer(honest)).unwrap().take());
        }
    }

    #[test]
    fn those_on_their_way_out_are_bounded_too() {
        let seats = Seats::new(8);
        let slow: Vec<_> = (0..1_000).map_while(|_| seats.enter(peer(1))).collect();
        assert_eq!(slow.len(), 8 + 2 * WAITING_SPARE);
        drop(slow);
        assert!(seats.enter(peer(1)).is_some());
    }

    #[test]
    fn who_has_most_makes_room_and_its_oldest_first() {
        let seats = Seats::new(8);
        let mut warm = seats.enter(peer(2)).unwrap();
        let mut crowd: Vec<_> = (0..16).map(|_| seats.enter(peer(1)).unwrap()).collect();
        let more: Vec<_> = (3..10).map(|last| seats.enter(peer(last)).unwrap()).collect();
        assert!(!crowd.iter_mut().any(is_out));
        let _one_more = seats.enter(peer(200)).unwrap();
        assert!(!is_out(&mut warm) && more.len() == 7);
        let out: Vec<_> = crowd.iter_mut().map(is_out).collect();
        assert!(out[0] && !out[1..].contains(&true), "{out:?}");
        assert!(!crowd[0].take(), "who was pushed out has lost its turn");
        assert!(warm.take());
    }

    #[test]
    fn places_are_as_many_as_there_are_and_come_back() {
        let seats = Seats::new(1);
        let (mut first, mut second) =
            (seats.enter(peer(1)).unwrap(), seats.enter(peer(1)).unwrap());
        assert!(first.take() && first.take());
        assert!(!second.take());
        assert!(seats.enter(peer(2)).is_none(), "somebody works there");
        drop(first);
        assert!(second.take());
        drop(second);
        assert!(seats.enter(peer(2)).is_some_and(|mut third| third.take()));
        assert!(seats.state().waiting.is_empty() && seats.state().taken == 0);
    }
}
