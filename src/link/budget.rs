//! How much nonsense a peer may bring: a bucket that empties with time and by honest work.
//!
//! Contract: pure – time comes in as values. Whoever stays below the rate is never touched; above
//! it the answer is for how long not to listen, and once that has gone on for too long, to close.
//! What may be about money costs little, and more patience is had with it: such a peer is slowed
//! long before it is closed. Deliberately absent: who is asked to carry it out ([`super::conduct`],
//! [`super::addresses`]).

use crate::limits::{MONEY_PATIENCE, NONSENSE_PARTS, NONSENSE_PATIENCE, UNREAD_MAX};
use crate::switch::nonsense::Nonsense;
use crate::time::Instant;
use std::time::Duration;

/// What may be spent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// The time in which one whole message is earned.
    whole: Duration,
    /// What may be spent at once, as the time in which it is earned.
    burst: Duration,
}

impl Rate {
    /// So many per second, and so many at once.
    pub(super) fn new(per_s: u32, at_once: u32) -> Self {
        let whole = Duration::from_secs(1) / per_s.max(1);
        Self { whole, burst: whole.saturating_mul(at_once) }
    }

    /// What one message of this kind costs. Whatever was understood has earned one part; what
    /// may be about money gives back that and one more.
    fn cost(&self, kind: Nonsense) -> Duration {
        if kind.may_be_money() { self.part() * 2 } else { self.whole }
    }

    fn part(&self) -> Duration {
        self.whole / NONSENSE_PARTS
    }
}

/// What is to be done about a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// Nothing.
    Fine,
    /// It is not listened to for so long.
    Slow(Duration),
    /// It is sent away.
    Close,
}

/// What one peer has spent.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    rate: Rate,
    /// As the time in which it is earned again.
    spent: Duration,
    at: Instant,
    /// Since when it has been beyond its budget by what cannot be about money, and by anything.
    beyond: [Option<Instant>; 2],
}

impl Budget {
    /// Nothing spent.
    pub(super) const fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, spent: Duration::ZERO, at: now, beyond: [None; 2] }
    }

    /// A message of use.
    pub(super) fn earn(&mut self) {
        self.spent = self.spent.saturating_sub(self.rate.part());
    }

    /// `count` messages of no use at once.
    pub(super) fn charge(&mut self, now: Instant, kind: Nonsense, count: u32) -> Verdict {
        self.settle(now);
        let most = self.rate.burst + UNREAD_MAX;
        self.spent = (self.spent + self.rate.cost(kind).saturating_mul(count)).min(most);
        let over = self.spent.saturating_sub(self.rate.burst);
        if over.is_zero() {
            return Verdict::Fine;
        }
        let money = kind.may_be_money();
        let (at, patience) = if money { (1, MONEY_PATIENCE) } else { (0, NONSENSE_PATIENCE) };
        let since = *self.beyond[at].get_or_insert(now);
        if now.since(since) >= patience { Verdict::Close } else { Verdict::Slow(over) }
    }

    /// Takes one whole message's worth, if there is that much left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.settle(now);
        let taken = self.spent + self.rate.whole;
        let fits = taken <= self.rate.burst;
        if fits {
            self.spent = taken;
        }
        fits
    }

    /// Whether it has spent so much that it is looked at more closely.
    pub(super) fn is_strained(&self) -> bool {
        self.spent > self.rate.burst / 20
    }

    /// Whether it has been slowed, and has not earned half of it again.
    pub(super) const fn is_beyond(&self) -> bool {
        self.beyond[0].is_some() || self.beyond[1].is_some()
    }

    /// What it has spent by now.
    pub(super) fn spent(&mut self, now: Instant) -> Duration {
        self.settle(now);
        self.spent
    }

    fn settle(&mut self, now: Instant) {
        self.spent = self.spent.saturating_sub(now.since(self.at));
        self.at = self.at.max(now);
        if self.spent <= self.rate.burst / 2 {
            self.beyond = [None; 2];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Nonsense::{RepeatedAnswer, Unreadable};

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    fn budget() -> Budget {
        Budget::new(Rate::new(20, 200), at(0))
    }

    #[test]
    fn a_mistake_in_fifty_at_five_hundred_a_second_is_never_noticed() {
        let mut budget = budget();
        for message in 0..500 * 3_600_u64 {
            if message % 50 == 49 {
                let verdict = budget.charge(at(message * 2), Unreadable, 1);
                assert_eq!(verdict, Verdict::Fine, "message {message}");
            } else {
                budget.earn();
            }
        }
        assert!(!budget.is_strained());
    }

    #[test]
    fn one_in_fifty_is_no_matter_at_any_speed() {
        let mut budget = budget();
        for message in 0..1_000_000_u64 {
            let verdict = match message % 50 {
                0 => budget.charge(at(0), Unreadable, 1),
                _ => {
                    budget.earn();
                    Verdict::Fine
                }
            };
            assert_eq!(verdict, Verdict::Fine, "message {message}");
        }
    }

    #[test]
    fn a_flood_is_slowed_at_once_and_closed_when_it_goes_on() {
        let mut budget = budget();
        for _ in 0..200 {
            assert_eq!(budget.charge(at(0), Unreadable, 1), Verdict::Fine);
        }
        let (mut now, mut taken) = (0, 0);
        loop {
            match budget.charge(at(now), Unreadable, 1) {
                Verdict::Slow(pause) => now += pause.as_millis() as u64,
                Verdict::Close => break,
                Verdict::Fine => {}
            }
            taken += 1;
            assert!(taken < 1_000, "it goes on for ever");
        }
        assert!((5_000..6_000).contains(&now) && taken <= 120, "{now} ms, {taken} more");
    }

    #[test]
    fn what_was_read_before_the_core_could_judge_it_is_forgiven_but_for_a_short_while() {
        let mut budget = budget();
        let verdict = budget.charge(at(0), Unreadable, 1_000_000);
        assert_eq!(verdict, Verdict::Slow(UNREAD_MAX));
        assert!(budget.is_beyond());
        // Half of it is earned again: as if nothing had been.
        assert_eq!(budget.charge(at(8_000), Unreadable, 1), Verdict::Fine);
        assert!(!budget.is_beyond());
    }

    #[test]
    fn a_backlog_that_may_be_money_is_slowed_and_not_cut_off() {
        let mut budget = budget();
        let (mut now, mut slowed) = (0_u64, 0);
        for _ in 0..20_000 {
            budget.earn();
            match budget.charge(at(now), RepeatedAnswer, 1) {
                Verdict::Fine => {}
                Verdict::Slow(pause) => {
                    slowed += 1;
                    now += pause.as_millis() as u64 + 1;
                }
                Verdict::Close => unreachable!("closed after {now} ms"),
            }
        }
        assert!(slowed > 1_000 && now < 60_000, "{slowed} times, {now} ms");
        // For ever it is not.
        let mut closed = false;
        while !closed && now < 300_000 {
            now += 1;
            closed = budget.charge(at(now), RepeatedAnswer, 10) == Verdict::Close;
        }
        assert!(closed);
    }

    #[test]
    fn a_bank_that_answers_everything_twice_is_not_touched() {
        let mut budget = budget();
        for message in 0..200_000_u64 {
            budget.earn();
            budget.earn();
            assert_eq!(budget.charge(at(message / 5), RepeatedAnswer, 1), Verdict::Fine);
        }
    }
}
