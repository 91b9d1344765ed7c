//! What a door remembers of the addresses that connect to it.
//!
//! Contract: pure – time comes in as values. An address that connects too often is let in as often
//! as it may; one whose sessions bring too much nonsense, or who connects and says nothing good
//! again and again, is not let in for a while, which doubles up to a bound and is forgiven.
//! Sessions that stand are not touched by that: others may stand behind the same address. Bounded:
//! who did least is forgotten first. Deliberately absent: sockets; log lines.

use super::budget::{Budget, Rate, Verdict};
use crate::limits::{
    ADDRESS_NONSENSE_AT_ONCE, ADDRESS_NONSENSE_PER_S, ADDRESSES_MAX, AWAY_FIRST, AWAY_MAX,
    CONNECTS_AT_ONCE, CONNECTS_PER_S, FORGIVEN_AFTER, FRUITLESS_COST,
};
use crate::switch::nonsense::Nonsense;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// What is done about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greeting {
    /// It is let in.
    Welcome,
    /// It is not.
    Away {
        /// Why, as a word from a closed set.
        why: &'static str,
        /// Whether it is the first of this address since one was let in.
        first: bool,
    },
}

/// All of a door.
#[derive(Debug)]
pub(super) struct Addresses {
    known: BTreeMap<IpAddr, Known>,
    connects: Rate,
    nonsense: Rate,
}

/// One address.
#[derive(Debug)]
struct Known {
    connects: Budget,
    nonsense: Budget,
    /// Not let in before this.
    away_until: Instant,
    /// For how long the last time.
    away_last: Duration,
    /// The last connection was turned away.
    turned_away: bool,
    seen: Instant,
}

impl Addresses {
    /// For a door with so many places.
    pub(super) fn new(places: usize) -> Self {
        let at_once = u32::try_from(places.saturating_mul(2)).unwrap_or(u32::MAX);
        Self {
            known: BTreeMap::new(),
            connects: Rate::new(CONNECTS_PER_S, at_once.max(CONNECTS_AT_ONCE)),
            nonsense: Rate::new(ADDRESS_NONSENSE_PER_S, ADDRESS_NONSENSE_AT_ONCE),
        }
    }

    /// It connects.
    pub(super) fn greet(&mut self, now: Instant, peer: IpAddr) -> Greeting {
        let known = self.known(now, peer);
        let why = match () {
            () if now < known.away_until => "sent_away",
            () if !known.connects.take(now) => "too_many_connects",
            () => {
                known.turned_away = false;
                return Greeting::Welcome;
            }
        };
        let first = !std::mem::replace(&mut known.turned_away, true);
        Greeting::Away { why, first }
    }

    /// One of its sessions brought nonsense: what that means for this session.
    pub(super) fn charge(
        &mut self,
        now: Instant,
        peer: IpAddr,
        kind: Nonsense,
        count: u32,
    ) -> Verdict {
        self.known(now, peer).nonsense.charge(now, kind, count)
    }

    /// A connection of it ended without one message that could be understood. For how long it is
    /// not let in, if that was one too many.
    pub(super) fn fruitless(&mut self, now: Instant, peer: IpAddr) -> Option<Duration> {
        let verdict = self.charge(now, peer, Nonsense::Unreadable, FRUITLESS_COST);
        (verdict == Verdict::Close).then(|| self.send_away(now, peer))
    }

    /// A session of it was closed for its nonsense: for how long it is not let in.
    pub(super) fn send_away(&mut self, now: Instant, peer: IpAddr) -> Duration {
        let known = self.known(now, peer);
        if now < known.away_until {
            // Sessions that end together are one fault.
            return known.away_until.since(now);
        }
        let forgiven = now.since(known.away_until) >= FORGIVEN_AFTER;
        let next = if forgiven { AWAY_FIRST } else { known.away_last * 2 };
        known.away_last = next.clamp(AWAY_FIRST, AWAY_MAX);
        known.away_until = now.after(known.away_last);
        known.away_last
    }

    fn known(&mut self, now: Instant, peer: IpAddr) -> &mut Known {
        let peer = one_host(peer);
        if self.known.len() >= ADDRESSES_MAX && !self.known.contains_key(&peer) {
            self.forget_some(now);
        }
        let (connects, nonsense) = (self.connects, self.nonsense);
        let known = self.known.entry(peer).or_insert_with(|| Known {
            connects: Budget::new(connects, now),
            nonsense: Budget::new(nonsense, now),
            away_until: Instant::default(),
            away_last: Duration::ZERO,
            turned_away: false,
            seen: now,
        });
        known.seen = now;
        known
    }

    /// A quarter of them, so that this is seldom.
    fn forget_some(&mut self, now: Instant) {
        let guilt = |known: &mut Known| {
            let forgiven = now.since(known.away_until) >= FORGIVEN_AFTER;
            let away = if forgiven { Duration::ZERO } else { known.away_last };
            (away, known.nonsense.spent(now) + known.connects.spent(now), known.seen)
        };
        let mut all: Vec<_> = self.known.iter_mut().map(|(ip, one)| (guilt(one), *ip)).collect();
        all.sort_unstable();
        for (_, peer) in all.into_iter().take(ADDRESSES_MAX.div_ceil(4)) {
            self.known.remove(&peer);
        }
    }
}

/// A host with IPv6 has as many addresses as it likes, all with the same first half.
pub(super) fn one_host(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    fn peer(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    #[test]
    fn who_connects_too_often_is_let_in_as_often_as_it_may() {
        let mut door = Addresses::new(64);
        let mut greeted = |ms, last| door.greet(at(ms), peer(last));
        let let_in = (0..10_000).filter(|_| greeted(0, 1) == Greeting::Welcome).count();
        assert_eq!(let_in, 128);
        assert_eq!(greeted(0, 2), Greeting::Welcome, "another address");
        let second = (0..1_000).filter(|ms| greeted(*ms, 1) == Greeting::Welcome).count();
        assert!((45..=51).contains(&second), "{second}");
    }

    #[test]
    fn the_first_that_is_turned_away_is_told_and_no_other() {
        let mut door = Addresses::new(1);
        let told = |greeting| matches!(greeting, Greeting::Away { first: true, .. });
        let count = (0..10_000).filter(|_| told(door.greet(at(0), peer(1)))).count();
        assert_eq!(count, 1);
    }

    #[test]
    fn penalties_double_to_a_bound_and_are_forgiven() {
        let mut door = Addresses::new(64);
        let (mut now, mut seen) = (0, vec![]);
        for _ in 0..8 {
            let away = door.send_away(at(now), peer(1));
            assert_eq!(door.send_away(at(now), peer(1)), away, "one fault, two sessions");
            let refused = Greeting::Away { why: "sent_away", first: true };
            assert_eq!(door.greet(at(now), peer(1)), refused);
            assert_eq!(door.greet(at(now), peer(2)), Greeting::Welcome);
            now += away.as_millis() as u64;
            assert_eq!(door.greet(at(now), peer(1)), Greeting::Welcome);
            seen.push(away.as_secs());
        }
        assert_eq!(seen, [1, 2, 4, 8, 16, 32, 60, 60]);
        let later = now + FORGIVEN_AFTER.as_millis() as u64;
        assert_eq!(door.send_away(at(later), peer(1)), AWAY_FIRST);
    }

    #[test]
    fn who_connects_and_hangs_up_all_the_time_is_sent_away_and_a_probe_is_not() {
        let mut door = Addresses::new(64);
        assert!((0..3_600).all(|s| door.fruitless(at(s * 200), peer(1)).is_none()));
        let flood = (0..20_000).step_by(20);
        let away = flood.into_iter().find(|ms| door.fruitless(at(*ms), peer(2)).is_some());
        assert!(away.is_some_and(|ms| ms < 10_000), "{away:?}");
    }

    #[test]
    fn a_crowd_of_addresses_is_bounded_and_the_guilty_are_kept() {
        let mut door = Addresses::new(64);
        door.send_away(at(0), peer(1));
        for number in 0..3 * ADDRESSES_MAX as u32 {
            let peer = IpAddr::V4(Ipv4Addr::from_bits(0x0B00_0000 + number));
            assert_eq!(door.greet(at(500), peer), Greeting::Welcome);
        }
        assert!(door.known.len() <= ADDRESSES_MAX);
        assert_ne!(door.greet(at(500), peer(1)), Greeting::Welcome);
    }

    #[test]
    fn a_host_is_one_however_many_addresses_it_has() {
        let v6 = |low| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 0, 0, 0, low));
        assert_eq!(one_host(v6(1)), one_host(v6(2)));
        let mapped = IpAddr::V6(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped());
        assert_eq!(one_host(mapped), peer(1));
        assert_ne!(one_host(peer(1)), one_host(peer(2)));
    }
}
