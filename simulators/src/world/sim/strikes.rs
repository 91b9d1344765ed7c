//! The faults of a world, and when they strike.

use super::bank::Mood;
use super::coverage::Fault;
use super::machine::Machine;
use super::setting;
use super::world::{Happens, World};
use std::time::Duration;

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// The process is killed, after a few more steps.
    Kill,
    /// The power is cut, after a few more steps.
    PowerCut,
    /// One of the next calls of the disk fails.
    DiskFails,
    /// No more space.
    DiskFills,
    /// Space again.
    DiskEmpties,
    /// Syncs get slow for a while.
    DiskSlows,
    /// The wall clock jumps by so many seconds.
    ClockJumps(i64),
    /// A line's connection is reset.
    Reset(usize),
    /// It goes silent both ways.
    HalfOpen(usize),
    /// It goes silent towards the switch or towards the peer.
    OneWay(usize, bool),
    /// The peer closes in order.
    PeerCloses(usize),
    /// The switch's session does not write for so many milliseconds.
    Stall(usize, u64),
    /// A bank changes its mood.
    Mood(usize, Mood),
}

/// How long the phase of faults lasts, in seconds.
const SAFETY_SECS: u64 = 900;
/// Room left on a disk that fills up, in bytes.
const ROOM: u64 = 20_000;

impl World {
    /// Plans traffic and faults.
    pub(super) fn plan(&mut self) {
        self.later(Duration::ZERO, Happens::Restart);
        for line in 0..setting::LINES.len() {
            self.plan_dial(line, 5, 400);
        }
        self.later(Duration::from_millis(800), Happens::Ask(0));
        let crashes = self.dice.between(2, 4);
        for number in 0..crashes {
            // Two at least are certain to strike.
            let strike = match self.dice.below(if number < 2 { 7 } else { 8 }) {
                0..=2 => Strike::Kill,
                3..=6 => Strike::PowerCut,
                _ => Strike::DiskFails,
            };
            self.plan_strike(strike);
        }
        for _ in 0..self.dice.between(10, 20) {
            let strike = self.line_strike();
            self.plan_strike(strike);
        }
        for _ in 0..self.dice.between(4, 8) {
            let bank = self.dice.below(setting::BANKS.len() as u64) as usize;
            let moods = [(5, Mood::Odd), (3, Mood::Well), (1, Mood::Slow), (1, Mood::Silent)];
            let mood = self.dice.weigh(&moods).unwrap_or(Mood::Odd);
            self.plan_strike(Strike::Mood(bank, mood));
        }
        self.plan_rare();
        for bank in 0..setting::BANKS.len() {
            let pause = self.dice.millis(10_000, SAFETY_SECS * 1_000);
            self.later(pause, Happens::BankAsks(bank));
        }
    }

    fn plan_rare(&mut self) {
        if self.dice.chance(400) {
            self.plan_strike(Strike::DiskSlows);
        }
        if self.dice.chance(300) {
            let pause = self.dice.millis(10_000, SAFETY_SECS * 1_000);
            self.later(pause, Happens::Strike(Strike::DiskFills));
            let pause = pause + self.dice.millis(1_000, 30_000);
            self.later(pause, Happens::Strike(Strike::DiskEmpties));
        }
        if self.dice.chance(400) {
            let secs = self.dice.pick(&[86_400, -86_400, 3_600, -3_600, 90, -90]).unwrap_or(90);
            self.plan_strike(Strike::ClockJumps(secs));
        }
    }

    fn line_strike(&mut self) -> Strike {
        let line = self.dice.below(setting::LINES.len() as u64) as usize;
        match self.dice.below(6) {
            0 | 1 => Strike::Reset(line),
            2 => Strike::HalfOpen(line),
            3 => Strike::OneWay(line, self.dice.chance(500)),
            4 => Strike::PeerCloses(line),
            _ => Strike::Stall(line, self.dice.between(5_000, 60_000)),
        }
    }

    fn plan_strike(&mut self, strike: Strike) {
        let pause = self.dice.millis(3_000, SAFETY_SECS * 1_000);
        self.later(pause, Happens::Strike(strike));
    }

    /// A fault strikes.
    pub(super) fn strike(&mut self, strike: Strike) {
        self.witness.story.tell(self.now, format_args!("FAULT {strike:?}"));
        match strike {
            Strike::Kill | Strike::PowerCut if self.is_falling() => {
                self.later(Duration::from_secs(4), Happens::Strike(strike));
            }
            Strike::Kill => self.light_fuse(false),
            Strike::PowerCut => self.light_fuse(true),
            Strike::DiskFails => {
                self.witness.coverage.fault(Fault::DiskFailure);
                let calls = self.dice.below(6);
                let for_good = self.dice.chance(500);
                self.disk.fail_after(calls, for_good);
            }
            Strike::DiskFills => {
                self.witness.coverage.fault(Fault::DiskFull);
                self.disk.set_capacity(Some(self.disk.used() + ROOM));
            }
            Strike::DiskEmpties => self.disk.set_capacity(None),
            Strike::DiskSlows => {
                self.witness.coverage.fault(Fault::SlowDisk);
                self.slow_until = self.now.after(self.dice.millis(2_000, 60_000));
            }
            Strike::ClockJumps(secs) => {
                self.witness.coverage.fault(Fault::ClockJump);
                self.skew_ms += secs * 1_000;
            }
            Strike::Mood(bank, mood) => {
                if let Some(bank) = self.banks.get_mut(bank) {
                    bank.mood = mood;
                }
            }
            Strike::Reset(line)
            | Strike::HalfOpen(line)
            | Strike::OneWay(line, _)
            | Strike::PeerCloses(line)
            | Strike::Stall(line, _) => self.strike_line(line, strike),
        }
    }

    fn strike_line(&mut self, line: usize, strike: Strike) {
        let Some(conn) = self.net.current(line) else { return };
        let (soon, late) = (self.dice.millis(0, 30), self.dice.millis(20_000, 60_000));
        let Some(found) = self.net.conn(conn) else { return };
        let fault = match strike {
            Strike::HalfOpen(_) => {
                (found.deaf_in, found.deaf_out) = (true, true);
                Fault::HalfOpen
            }
            Strike::OneWay(_, inward) => {
                found.deaf_in |= inward;
                found.deaf_out |= !inward;
                Fault::OneWay
            }
            Strike::Stall(_, millis) => {
                let until = self.now.after(Duration::from_millis(millis));
                self.net.set_stall(conn, until);
                Fault::StalledSession
            }
            Strike::PeerCloses(_) => Fault::PeerClosed,
            _ => {
                // What is on its way is lost.
                (found.deaf_in, found.deaf_out) = (true, true);
                Fault::Reset
            }
        };
        self.witness.coverage.fault(fault);
        if line >= setting::BANK_LINES.len() && matches!(fault, Fault::PeerClosed | Fault::Reset) {
            self.witness.coverage.fault(Fault::PlatformGone);
        }
        match fault {
            Fault::StalledSession => {}
            Fault::HalfOpen | Fault::OneWay => {
                // The operating system's own timers find it in the end.
                self.later(late, Happens::LearnIn(conn));
                self.later(late, Happens::LearnOut(conn));
            }
            _ => {
                self.later(soon, Happens::LearnIn(conn));
                self.later(Duration::ZERO, Happens::LearnOut(conn));
            }
        }
    }

    /// Whether the process is down or about to be.
    fn is_falling(&self) -> bool {
        self.machine.as_ref().is_none_or(Machine::has_fuse)
    }

    fn light_fuse(&mut self, power_cut: bool) {
        self.witness.coverage.fault(if power_cut { Fault::PowerCut } else { Fault::Kill });
        self.power_cut |= power_cut;
        let steps = self.dice.below(14) as u32;
        if let Some(machine) = &mut self.machine {
            machine.light_fuse(steps);
        }
    }

    /// Everything is well from here on.
    pub(super) fn heal(&mut self) {
        self.witness.story.tell(self.now, format_args!("all faults end"));
        self.healed = true;
        self.disk.heal();
        self.disk.set_capacity(None);
        self.slow_until = self.now;
        if let Some(machine) = &mut self.machine {
            machine.be_prompt();
        }
        self.wake();
        for bank in &mut self.banks {
            bank.honest = true;
        }
        for platform in &mut self.platforms {
            platform.honest = true;
        }
        for conn in self.net.open() {
            self.net.set_stall(conn, self.now);
            let sick = self.net.conn(conn).is_some_and(|c| c.deaf_in || c.deaf_out);
            if sick {
                self.learn_in(conn);
                self.learn_out(conn);
            }
        }
    }

    /// Whether nothing is owed, in flight or waited for.
    pub(super) fn is_settled(&self) -> bool {
        let quiet = |machine: &Machine| {
            let switch = machine.switch();
            let banks = 0..setting::BANKS.len() as u16;
            let platforms = 0..setting::PLATFORMS as u16;
            banks.into_iter().all(|b| switch.owed(pointsman::switch::ids::BankId(b)) == 0)
                && platforms
                    .into_iter()
                    .all(|p| switch.in_flight(pointsman::switch::ids::PlatformId(p)) == 0)
                && !machine.is_writing()
        };
        self.machine.as_ref().is_some_and(quiet) && self.platforms.iter().all(|p| p.is_done())
    }

    /// Says what did not come to rest.
    pub(super) fn blame_unsettled(&mut self) {
        let owed: Vec<String> = self
            .witness
            .known
            .owed
            .iter()
            .map(|(no, q)| format!("{no} ref={}", q.keys.rrn.unwrap_or_default()))
            .collect();
        if !owed.is_empty() {
            self.witness.blame("I4", format!("never settled at a healthy bank: {owed:?}"));
        }
        let mut waiting = vec![];
        for platform in &self.platforms {
            use super::platform::Standing;
            let open = |s| matches!(s, Standing::Waiting | Standing::Reversing);
            waiting.extend(
                platform.asks.iter().filter(|(_, a)| open(a.standing)).map(|(rrn, _)| *rrn),
            );
        }
        if !waiting.is_empty() {
            self.witness.blame("I1", format!("never answered by a healthy switch: {waiting:?}"));
        }
        if owed.is_empty() && waiting.is_empty() {
            let up = self.machine.is_some();
            self.witness.blame("I1", format!("the switch did not come to rest (running: {up})"));
        }
    }
}
