//! Connections between the switch and its peers, and how frames travel.
//!
//! Contract: a connection has two ends that learn separately that it is over; each direction may
//! go silent without anybody being told. Frames of one connection may overtake each other: what
//! the world calls a network includes whatever stands between the two ends.

use super::coverage::Fault;
use super::setting;
use super::wire::{self, Frame};
use super::world::{Happens, World};
use pointsman::canonical::MacCheck;
use pointsman::switch::ids::{LineId, SessionId};
use pointsman::switch::input::{Garbled, Input};
use pointsman::text::Text;
use pointsman::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// One connection; its number is also the session's.
#[derive(Debug, Clone, Copy)]
pub struct Conn {
    /// Which line.
    pub line: usize,
    /// The switch's end is open.
    pub open_in: bool,
    /// The peer's end is open.
    pub open_out: bool,
    /// Frames towards the switch vanish.
    pub deaf_in: bool,
    /// Frames towards the peer vanish.
    pub deaf_out: bool,
    /// When the last frame each way arrives.
    last: [Instant; 2],
}

/// All connections.
#[derive(Debug, Default)]
pub struct Net {
    conns: BTreeMap<u64, Conn>,
    /// The connection each line's peer uses.
    current: [Option<u64>; setting::LINES.len()],
    dialing: [bool; setting::LINES.len()],
    stalls: BTreeMap<u64, Instant>,
    next: u64,
}

impl Net {
    /// How long a session still does not write.
    pub fn stall(&self, session: u64, now: Instant) -> Duration {
        self.stalls.get(&session).map_or(Duration::ZERO, |until| until.since(now))
    }

    /// Makes a session stop writing for a while.
    pub fn set_stall(&mut self, session: u64, until: Instant) {
        self.stalls.insert(session, until);
    }

    /// The connection a line's peer uses, if it has one.
    pub fn current(&self, line: usize) -> Option<u64> {
        self.current.get(line).copied().flatten()
    }

    /// The bank a connection leads to, if it leads to one.
    pub fn bank(&self, conn: u64) -> Option<usize> {
        setting::BANK_LINES.get(self.conns.get(&conn)?.line).copied()
    }

    /// All connections that have an open end.
    pub fn open(&self) -> Vec<u64> {
        let open = self.conns.iter().filter(|(_, c)| c.open_in || c.open_out);
        open.map(|(id, _)| *id).collect()
    }

    /// One connection.
    pub fn conn(&mut self, conn: u64) -> Option<&mut Conn> {
        self.conns.get_mut(&conn)
    }
}

impl World {
    /// Plans that a line connects.
    pub(super) fn plan_dial(&mut self, line: usize, low: u64, high: u64) {
        if let Some(dialing) = self.net.dialing.get_mut(line)
            && !*dialing
        {
            *dialing = true;
            let pause = self.dice.millis(low, high);
            self.later(pause, Happens::Dial(line));
        }
    }

    /// A line tries to connect.
    pub(super) fn dial(&mut self, line: usize) {
        if let Some(dialing) = self.net.dialing.get_mut(line) {
            *dialing = false;
        }
        let Some(machine) = &mut self.machine else {
            return self.plan_dial(line, 500, 3_000);
        };
        self.net.next += 1;
        let id = self.net.next;
        let conn = Conn {
            line,
            open_in: true,
            open_out: true,
            deaf_in: false,
            deaf_out: false,
            last: [Instant::default(); 2],
        };
        self.net.conns.insert(id, conn);
        machine.connect(LineId(line as u16), SessionId(id));
        if let Some(current) = self.net.current.get_mut(line) {
            *current = Some(id);
        }
        self.wake();
    }

    /// A frame leaves the switch.
    pub(super) fn send_out(&mut self, conn: u64, frame: Frame) {
        if let Some(pause) = self.travel(conn, 1) {
            self.later(pause, Happens::ArriveOut(conn, frame));
        }
    }

    /// A frame leaves a peer.
    pub(super) fn send_in(&mut self, conn: u64, frame: Frame) {
        if let Some(pause) = self.travel(conn, 0) {
            self.later(pause, Happens::ArriveIn(conn, frame));
        }
    }

    /// How long a frame takes; `None`: it never arrives. Way 0 leads to the switch.
    fn travel(&mut self, conn: u64, way: usize) -> Option<Duration> {
        let mut pause = Duration::from_micros(self.dice.between(50, 8_000));
        let mut fault = None;
        if !self.healed {
            if self.dice.chance(8) {
                fault = Some(Fault::LostFrame);
            } else if self.dice.chance(15) {
                fault = Some(Fault::DelayedFrame);
                pause = self.dice.millis(500, 20_000);
            }
        }
        let at = self.now.after(pause);
        let found = self.net.conns.get_mut(&conn)?;
        let deaf = if way == 0 { found.deaf_in } else { found.deaf_out };
        let last = found.last.get_mut(way)?;
        let overtakes = at < *last;
        if self.healed && overtakes {
            // Healed connections keep the order.
            pause = last.since(self.now);
        } else if overtakes {
            self.witness.coverage.fault(Fault::ReorderedFrame);
        }
        *last = at.max(*last);
        if let Some(fault) = fault {
            self.witness.coverage.fault(fault);
        }
        (!deaf && fault != Some(Fault::LostFrame)).then_some(pause)
    }

    /// A frame arrives at the switch.
    pub(super) fn arrive_in(&mut self, conn: u64, frame: Frame) {
        let Some(found) = self.net.conns.get(&conn).copied().filter(|c| c.open_in) else { return };
        let Some(machine) = &mut self.machine else { return };
        let session = SessionId(conn);
        if !machine.has(session) {
            return;
        }
        let door = found.line >= setting::BANK_LINES.len();
        if door && !machine.reads_platforms() {
            let pause = Duration::from_millis(200);
            return self.later(pause, Happens::ArriveIn(conn, frame));
        }
        let received = self.now;
        let bank = setting::BANK_LINES.get(found.line);
        machine.push(match frame {
            Frame::Say(mut msg, sealed) => {
                if bank == Some(&setting::KEYED_BANK)
                    && !self.ring.judge(received, session, &mut msg, sealed)
                {
                    let what = format!("a right MAC judged wrong: {}", wire::brief(&msg));
                    self.witness.blame("I7", what);
                }
                Input::Message { session, received, msg }
            }
            Frame::Garbage(readable) => {
                let garbled = Garbled {
                    path: Text::new(b"55").unwrap_or_default(),
                    offset: 40,
                    len: 120,
                    digest: [7; 16],
                    readable,
                };
                Input::Garbled { session, received, garbled: Box::new(garbled) }
            }
        });
        self.wake();
    }

    /// A frame arrives at a peer.
    pub(super) fn arrive_out(&mut self, conn: u64, frame: Frame) {
        let Some(found) = self.net.conns.get(&conn).copied().filter(|c| c.open_out) else { return };
        let Frame::Say(mut msg, sealed) = frame else { return };
        msg.mac = MacCheck::NotRequired;
        match setting::BANK_LINES.get(found.line) {
            Some(bank) => self.bank_hears(*bank, found.line, &msg, sealed),
            None => self.platform_hears(found.line - setting::BANK_LINES.len(), &msg),
        }
    }

    /// The switch closes its end; the peer learns it later, unless nothing gets through.
    pub(super) fn close_in(&mut self, conn: u64) {
        let deaf = self.net.conn(conn).is_some_and(|c| c.deaf_out);
        self.learn_in(conn);
        let pause = if deaf { self.dice.millis(20_000, 60_000) } else { self.dice.millis(1, 50) };
        self.later(pause, Happens::LearnOut(conn));
    }

    /// The switch's end is over.
    pub(super) fn learn_in(&mut self, conn: u64) {
        let Some(found) = self.net.conns.get_mut(&conn) else { return };
        let (was_open, line) = (std::mem::replace(&mut found.open_in, false), found.line);
        if !was_open {
            return;
        }
        if let Some(machine) = &mut self.machine {
            machine.end(SessionId(conn));
        }
        self.wake();
        // The switch connects to banks; platforms connect to the switch.
        if line < setting::BANK_LINES.len() {
            self.plan_dial(line, 200, 3_000);
        }
    }

    /// The peer's end is over.
    pub(super) fn learn_out(&mut self, conn: u64) {
        let Some(found) = self.net.conns.get_mut(&conn) else { return };
        let (was_open, line) = (std::mem::replace(&mut found.open_out, false), found.line);
        if !was_open {
            return;
        }
        if let Some(current) = self.net.current.get_mut(line)
            && *current == Some(conn)
        {
            *current = None;
            if line >= setting::BANK_LINES.len() {
                self.plan_dial(line, 100, 6_000);
            }
        }
    }
}
