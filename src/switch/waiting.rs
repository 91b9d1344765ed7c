//! Requests that wait for room at one bank: one queue per platform, served in turns by weight.
//!
//! Contract: a turn gives a platform as many places as its weight, one request each, and then the
//! next platform has one, so that nobody waits longer for a place than one round of the others;
//! a platform's own requests keep their order. Every step costs the same however many wait. The
//! room to wait in is shared by the same weights: once it is full, whoever has more than their
//! share gives way. Nothing here survives a restart, as nothing is recorded of what waits.
//! Deliberately absent: the requests themselves ([`super::inflight`]).

use super::ids::PlatformId;
use std::collections::VecDeque;

/// The queue of one platform.
#[derive(Debug, Default)]
struct Queue {
    /// Oldest first: tickets grow.
    tickets: VecDeque<u64>,
    /// Places it has in one turn.
    weight: u32,
    /// Places that are left of its present turn.
    left: u32,
}

/// All that wait for one bank.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// By platform.
    queues: Vec<Queue>,
    /// Platforms of which somebody waits, the next to be served first.
    turns: VecDeque<usize>,
    /// The weights of these together.
    weights: u64,
    len: usize,
}

/// Who gives way where there is no room to wait in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GivesWay {
    /// The request that came: its platform has its share already.
    Newcomer,
    /// The newest of the platform that is furthest beyond its share.
    Ticket(u64),
}

impl Waiting {
    /// How many wait.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody waits.
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The tickets of all, oldest first.
    pub(super) fn tickets(&self) -> Vec<u64> {
        let mut all: Vec<u64> =
            self.queues.iter().flat_map(|queue| queue.tickets.iter().copied()).collect();
        all.sort_unstable();
        all
    }

    /// Puts a request behind those of its platform; tickets grow.
    pub(super) fn push(&mut self, platform: PlatformId, weight: u32, ticket: u64) {
        let at = usize::from(platform.0);
        if at >= self.queues.len() {
            self.queues.resize_with(at + 1, Queue::default);
        }
        let Some(queue) = self.queues.get_mut(at) else { return };
        if queue.tickets.is_empty() {
            self.turns.push_back(at);
            queue.left = weight;
        } else {
            self.weights -= u64::from(queue.weight);
            queue.left = queue.left.min(weight);
        }
        queue.weight = weight;
        self.weights += u64::from(weight);
        queue.tickets.push_back(ticket);
        self.len += 1;
    }

    /// Takes out the request whose turn it is.
    pub(super) fn pop(&mut self) -> Option<u64> {
        let at = *self.turns.front()?;
        let queue = self.queues.get_mut(at)?;
        let ticket = queue.tickets.pop_front()?;
        self.len -= 1;
        queue.left = queue.left.saturating_sub(1);
        if queue.tickets.is_empty() {
            self.turns.pop_front();
            self.weights -= u64::from(queue.weight);
        } else if queue.left == 0 {
            queue.left = queue.weight;
            self.turns.rotate_left(1);
        }
        Some(ticket)
    }

    /// Takes a request out wherever it stands.
    pub(super) fn remove(&mut self, platform: PlatformId, ticket: u64) {
        let at = usize::from(platform.0);
        let Some(queue) = self.queues.get_mut(at) else { return };
        // Whose time is over is nearly always the first.
        let Ok(place) = queue.tickets.binary_search(&ticket) else { return };
        queue.tickets.remove(place);
        self.len -= 1;
        if queue.tickets.is_empty() {
            self.turns.retain(|turn| *turn != at);
            self.weights -= u64::from(queue.weight);
        }
    }

    /// Who gives way to one more of this platform, where no more than so many may wait.
    pub(super) fn gives_way(
        &self,
        platform: PlatformId,
        weight: u32,
        most: usize,
    ) -> Option<GivesWay> {
        if self.len < most {
            return None;
        }
        let own = self.queues.get(usize::from(platform.0)).map_or(0, |queue| queue.tickets.len());
        let weight = u64::from(weight);
        let weights = self.weights + if own == 0 { weight } else { 0 };
        if own as u64 * weights >= most as u64 * weight {
            return Some(GivesWay::Newcomer);
        }
        let waiting = self.turns.iter().filter_map(|at| self.queues.get(*at));
        let beyond = waiting.max_by(|a, b| {
            let [of_a, of_b] = [a, b].map(|queue| queue.tickets.len() as u64);
            // Of two that have as much of theirs the newest is taken.
            let newest = |queue: &Queue| queue.tickets.back().copied();
            let more = (of_a * u64::from(b.weight)).cmp(&(of_b * u64::from(a.weight)));
            more.then(newest(a).cmp(&newest(b)))
        });
        beyond.and_then(|queue| queue.tickets.back().copied()).map(GivesWay::Ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waiting(of: &[(u16, u32, u64)]) -> Waiting {
        let mut waiting = Waiting::default();
        let mut ticket = 0;
        for (platform, weight, many) in of {
            for _ in 0..*many {
                ticket += 1;
                waiting.push(PlatformId(*platform), *weight, ticket);
            }
        }
        waiting
    }

    #[test]
    fn places_go_by_weight_and_nobody_waits_longer_than_a_round() {
        let mut both = waiting(&[(0, 1, 40), (1, 3, 40)]);
        let served: Vec<u64> = std::iter::from_fn(|| both.pop()).take(8).collect();
        assert_eq!(served, [1, 41, 42, 43, 2, 44, 45, 46]);
        both.push(PlatformId(2), 1, 81);
        let next: Vec<u64> = std::iter::from_fn(|| both.pop()).take(5).collect();
        assert_eq!(next, [3, 47, 48, 49, 81]);
    }

    #[test]
    fn whoever_has_more_than_their_share_gives_way() {
        let full = waiting(&[(0, 1, 90), (1, 1, 10)]);
        assert_eq!(full.gives_way(PlatformId(0), 1, 101), None, "there is room");
        assert_eq!(full.gives_way(PlatformId(0), 1, 100), Some(GivesWay::Newcomer));
        assert_eq!(full.gives_way(PlatformId(1), 1, 100), Some(GivesWay::Ticket(90)));
        assert_eq!(full.gives_way(PlatformId(2), 1, 100), Some(GivesWay::Ticket(90)));
        let even = waiting(&[(0, 1, 50), (1, 1, 50)]);
        assert_eq!(even.gives_way(PlatformId(1), 1, 100), Some(GivesWay::Newcomer));
        assert_eq!(even.gives_way(PlatformId(2), 1, 100), Some(GivesWay::Ticket(100)));
        let heavy = waiting(&[(0, 1, 50), (1, 4, 50)]);
        assert_eq!(heavy.gives_way(PlatformId(1), 4, 100), Some(GivesWay::Ticket(50)));
        assert_eq!(heavy.gives_way(PlatformId(2), 1, 100), Some(GivesWay::Ticket(50)));
        let alone = waiting(&[(0, 1, 100)]);
        assert_eq!(alone.gives_way(PlatformId(0), 1, 100), Some(GivesWay::Newcomer));
    }

    #[derive(Debug, Clone, Copy)]
    enum Move {
        Push(u16),
        Pop,
        Remove(usize),
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let one = prop_oneof![
            4 => (0_u16..5).prop_map(Move::Push),
            3 => Just(Move::Pop),
            1 => (0_usize..64).prop_map(Move::Remove),
        ];
        proptest::collection::vec(one, 0..400)
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_served_twice_and_a_platform_keeps_its_order(
            moves in moves(),
            weights in proptest::array::uniform5(1_u32..=9),
        ) {
            let mut real = Waiting::default();
            let mut model: Vec<VecDeque<u64>> = vec![VecDeque::new(); 5];
            let mut last = 0;
            for step in moves {
                match step {
                    Move::Push(platform) => {
                        last += 1;
                        let weight = weights[usize::from(platform)];
                        real.push(PlatformId(platform), weight, last);
                        model[usize::from(platform)].push_back(last);
                    }
                    Move::Pop => {
                        let got = real.pop();
                        prop_assert_eq!(got.is_none(), model_len(&model) == 0);
                        if let Some(got) = got {
                            let of = model.iter_mut().find(|q| q.front() == Some(&got));
                            prop_assert!(of.and_then(VecDeque::pop_front).is_some());
                        }
                    }
                    Move::Remove(nth) => {
                        let all = real.tickets();
                        let Some(ticket) = all.get(nth % all.len().max(1)) else { continue };
                        let of = model.iter().position(|queue| queue.contains(ticket));
                        let of = of.unwrap_or_default();
                        model[of].retain(|t| t != ticket);
                        real.remove(PlatformId(of as u16), *ticket);
                        // Nobody is there a second time.
                        real.remove(PlatformId(of as u16), *ticket);
                    }
                }
                prop_assert_eq!(real.len(), model_len(&model));
                let waits = |(_, queue): &(usize, &VecDeque<u64>)| !queue.is_empty();
                let weights = model.iter().enumerate().filter(waits);
                let weights: u64 = weights.map(|(at, _)| u64::from(weights_of(at, &real))).sum();
                prop_assert_eq!(real.weights, weights);
            }
        }

        #[test]
        fn weights_are_honoured(weights in proptest::collection::vec(1_u32..=9, 1..6)) {
            let all: u32 = weights.iter().sum();
            let of = weights.iter().enumerate().map(|(at, w)| (at as u16, *w, u64::from(*w) * 7));
            let of: Vec<_> = of.collect();
            let mut waiting = waiting(&of);
            for _ in 0..7 {
                let before: Vec<usize> = waiting.queues.iter().map(|q| q.tickets.len()).collect();
                for _ in 0..all {
                    let _ = waiting.pop();
                }
                let served = before.iter().zip(&waiting.queues).map(|(b, q)| b - q.tickets.len());
                let expected = weights.iter().map(|weight| *weight as usize);
                prop_assert!(served.eq(expected));
            }
            prop_assert!(waiting.is_empty() && waiting.pop().is_none());
        }
    }

    fn model_len(model: &[VecDeque<u64>]) -> usize {
        model.iter().map(VecDeque::len).sum()
    }

    fn weights_of(at: usize, real: &Waiting) -> u32 {
        real.queues.get(at).map_or(0, |queue| queue.weight)
    }
}
