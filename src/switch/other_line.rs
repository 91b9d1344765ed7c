//! A request that provably never left goes over another line of its bank.
//!
//! Contract: only what the gate handed back, never what was released; under the same keys, so that
//! the bank sees one request whichever line it came over; within the same deadline, and only so
//! often. The line it goes over now is recorded before the frame is handed over: a reversal goes
//! there first, also after a restart.
//! Deliberately absent: another bank, which is another transaction ([`super::other_bank`]).

use super::Switch;
use super::ids::{LineId, SendId, SessionId};
use super::inflight::SendOwner;
use super::input::Unsent;
use super::output::Event;
use super::record::{Moved, Record};
use super::txn::{self, Happening, Phase, Step};
use crate::canonical::Canonical;
use std::sync::Arc;

/// Lines that one request is handed over to besides its first.
const MOVES_MAX: u8 = 3;

impl Switch {
    /// A frame did not leave, and here it is again.
    pub(super) fn handed_back(&mut self, id: SendId, why: Unsent, msg: Box<Canonical>) {
        let owner = self.air.sends.get(id.0);
        let Some((SendOwner::Flight(slot), from)) = owner else {
            return self.unsent(id, why);
        };
        let Some(to) = self.other_way(slot, why) else {
            if !self.go_to_second(id, slot, why, msg) {
                self.unsent(id, why);
            }
            return;
        };
        self.met.note(Phase::Held, Happening::OtherWay);
        if txn::step(Phase::Held, Happening::OtherWay) != Step::Again {
            return self.impossible("a second way in a phase that has none");
        }
        self.air.sends.remove(id.0);
        let line = self.line_name(from);
        self.event(Event::NotSent { line, why });
        self.send_again(slot, to, msg);
    }

    /// Another session of the bank that may carry a request which stayed behind for this reason.
    fn other_way(&self, slot: usize, why: Unsent) -> Option<(LineId, SessionId)> {
        let may = matches!(why, Unsent::NoSession | Unsent::QueueFull | Unsent::Cancelled);
        let flight = self.air.flights.get(slot).filter(|_| may)?;
        let waits = flight.phase == Phase::Held && flight.released.is_none();
        let in_time = self.now.mono < flight.deadline && flight.moves < MOVES_MAX;
        let bank = self.policy.banks.get(usize::from(flight.bank.0))?;
        let off = self.is_signed_off(flight.bank) || self.is_given_up(flight.bank, flight.txn);
        if !waits || !in_time || off || self.is_undrained(flight.bank, flight.intent.pan.as_ref()) {
            return None;
        }
        let (keys, tried) = (&flight.intent.keys, flight.session);
        let terminal = keys.terminal.as_ref();
        // Where batches are kept per line, another line has other keys.
        let lines = bank.lines.iter().filter(|line| self.batch_of(**line, terminal) == keys.batch);
        lines.copied().find_map(|line| {
            let mut sessions = self.lines.of(line);
            let fit = sessions.find(|(id, s)| *id != tried && s.carries(terminal));
            fit.map(|(session, _)| (line, session))
        })
    }

    fn send_again(&mut self, slot: usize, to: (LineId, SessionId), msg: Box<Canonical>) {
        let Some(flight) = self.air.flights.get(slot) else { return };
        let (txn, deadline, before) = (flight.txn, flight.deadline, flight.line);
        let mut after = txn;
        if to.0 != before {
            let line = self.line_name(to.0);
            after = self.record(Record::Moved(Moved { txn, at: self.now.wall, line }));
        }
        let id = self.send(to, msg, Some(after), Some(deadline), SendOwner::Flight(slot));
        let moved = self.state.open.get(txn).map(|open| Arc::clone(&open.intent));
        let Some(flight) = self.air.flights.get_mut(slot) else { return };
        (flight.line, flight.session) = to;
        (flight.send, flight.moves) = (id, flight.moves.saturating_add(1));
        if let Some(intent) = moved {
            flight.intent = intent;
        }
    }
}
