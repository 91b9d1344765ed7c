//! Lines that are signed off: by their bank, or by an operator.
//!
//! Contract: nothing but network management goes over a line that its bank signed off, or to a
//! bank that an operator signed off; requests are declined or stood in for, what is owed waits. A
//! bank signs off the line it says so on, or one terminal of it; its other lines are used. That
//! lasts until its sign-on, ours after `sign_on_retry` where the line signs on at all, or a new
//! session. An operator's word is about all lines of a bank and holds until an operator's next,
//! over restarts. Deliberately absent: what is in the bank's hands already, which is answered or
//! times out.

use super::Switch;
use super::ids::{BankId, LineId, Name, SessionId};
use super::input::BankSignOff;
use super::lines::{Asked, Session};
use super::output::{Event, Output};
use super::policy::Owner;
use super::record::{LineState, Record};
use super::timers::Timer;
use super::txn::Phase;
use crate::canonical::NetworkFunction as Function;
use crate::text::Text;

impl Switch {
    /// The bank signs a line off, or one terminal of it.
    pub(super) fn bank_signs_off(
        &mut self,
        line: LineId,
        bank: BankId,
        terminal: Option<&Text<16>>,
    ) {
        let retry = self.network(Owner::Bank(bank)).map(|n| n.sign_on_retry).unwrap_or_default();
        let again = self.now.mono.after(retry);
        let sessions: Vec<_> = self.lines.of(line).map(|(id, _)| id).collect();
        for session in sessions {
            let Some(at) = self.lines.sessions.get_mut(session) else { continue };
            let was_ready = at.is_ready();
            let gone = at.sign_off(terminal);
            if gone.is_empty() {
                continue;
            }
            if !at.signers.is_empty() {
                // What was asked meanwhile may still be granted; else it is asked again then.
                at.signing = false;
                self.timers.set(Timer::SignOn(session), again);
            }
            let is_ready = self.lines.sessions.get(session).is_some_and(Session::is_ready);
            for terminal in gone {
                self.note_line(line, terminal, Function::SignOff, false);
            }
            self.recall_held(session);
            if was_ready && !is_ready {
                let line = self.line_name(line);
                self.event(Event::LineOff { line });
            }
        }
        self.decline_waiting(bank);
    }

    /// What waits for room at a bank that no line leads to any more need not wait on.
    fn decline_waiting(&mut self, bank: BankId) {
        let lines = self.policy.banks.get(usize::from(bank.0)).map(|b| b.lines.clone());
        let ready = |line: &LineId| self.lines.of(*line).any(|(_, s)| s.is_ready());
        if !self.is_signed_off(bank) && lines.unwrap_or_default().iter().any(ready) {
            return;
        }
        let live = self.banks.get(usize::from(bank.0));
        let waiting = live.map_or_else(Vec::new, |live| live.waiting.tickets());
        waiting.into_iter().for_each(|ticket| self.waited_too_long(ticket));
    }

    /// The bank signs a line on that it had signed off, or wants ours to sign on (again); `fresh`:
    /// we have just asked, and asking for that once more would never end.
    pub(super) fn bank_signs_on(
        &mut self,
        line: LineId,
        bank: BankId,
        terminal: Option<&Text<16>>,
        fresh: bool,
    ) {
        if !fresh {
            self.sign_on_again(line, terminal);
        }
        let sessions: Vec<_> = self.lines.of(line).map(|(id, _)| id).collect();
        for session in sessions {
            let Some(at) = self.lines.sessions.get_mut(session) else { continue };
            let waits = !at.signing && at.signers.iter().any(|signer| !signer.on);
            if std::mem::take(&mut at.off) {
                self.note_line(line, None, Function::SignOn, true);
                self.line_ready(line, bank);
            } else if waits && !fresh {
                self.sign_on(session);
            }
        }
    }

    fn note_line(
        &mut self,
        line: LineId,
        terminal: Option<Text<16>>,
        function: Function,
        signed_on: bool,
    ) {
        self.record(Record::LineState(LineState {
            line: self.line_name(line),
            terminal,
            at: self.now.wall,
            function,
            signed_on,
            batch: None,
            operator: None,
            reason: None,
        }));
    }

    /// Requests for a session that may carry nothing any more, which the gate still holds: they
    /// are taken back, so that they need not time out.
    fn recall_held(&mut self, session: SessionId) {
        let held = self
            .air
            .flights
            .iter()
            .filter(|(_, flight)| flight.phase == Phase::Held && flight.session == session);
        let at = self.lines.sessions.get(session);
        let may =
            |terminal| at.is_some_and(|at| at.carries(terminal)) && !self.signed_off_at(session);
        let held = held.filter(|(_, flight)| !may(flight.intent.keys.terminal.as_ref()));
        let ids: Vec<_> = held.map(|(_, flight)| flight.send).collect();
        self.out.extend(ids.into_iter().map(|id| Output::Cancel { id }));
    }

    /// An operator signs a bank's lines off, or on again; recorded where that changes anything.
    pub(super) fn sign_off(&mut self, order: &BankSignOff) {
        let Some(bank) = self.bank_id(&order.bank) else {
            return self.impossible("a sign-off of an unknown bank");
        };
        let off = order.off.is_some();
        if self.is_signed_off(bank) == off {
            return;
        }
        if let Some(live) = self.banks.get_mut(usize::from(bank.0)) {
            live.signed_off = off;
        }
        let lines = self.policy.banks.get(usize::from(bank.0)).map(|b| b.lines.clone());
        for line in lines.unwrap_or_default() {
            self.record(Record::LineState(LineState {
                line: self.line_name(line),
                terminal: None,
                at: self.now.wall,
                function: if off { Function::SignOff } else { Function::SignOn },
                signed_on: false,
                batch: None,
                operator: Some(order.operator),
                reason: order.off,
            }));
        }
        let mine = |s: &Session| s.owner == Owner::Bank(bank);
        let sessions: Vec<_> = self
            .lines
            .sessions
            .iter()
            .filter(|(_, s)| mine(s))
            .map(|(id, s)| (id, s.line))
            .collect();
        for (session, line) in sessions {
            if off {
                self.sign_session_off(session, line);
            } else {
                self.sign_session_on(session, line, bank);
            }
        }
        self.decline_waiting(bank);
    }

    fn sign_session_on(&mut self, session: SessionId, line: LineId, bank: BankId) {
        let Some(at) = self.lines.sessions.get_mut(session) else { return };
        // An operator knows better than a sign-off that was heard once.
        at.off = false;
        if at.is_ready() { self.line_ready(line, bank) } else { self.sign_on(session) }
    }

    fn sign_session_off(&mut self, session: SessionId, line: LineId) {
        self.timers.stop(Timer::SignOn(session));
        let Some(at) = self.lines.sessions.get_mut(session) else { return };
        let was_ready = at.is_ready();
        let mut gone = vec![];
        for (index, signer) in at.signers.iter_mut().enumerate().filter(|(_, s)| s.on) {
            signer.on = false;
            gone.push((index, signer.terminal));
        }
        for (index, terminal) in gone {
            self.ask(session, Function::SignOff, Asked::SignOff(index), terminal);
            if let Some((terminal, _)) = terminal {
                self.note_line(line, Some(terminal.trimmed()), Function::SignOff, false);
            }
        }
        self.recall_held(session);
        if was_ready {
            let line = self.line_name(line);
            self.event(Event::LineOff { line });
        }
    }

    fn signed_off_at(&self, session: SessionId) -> bool {
        match self.lines.sessions.get(session).map(|at| at.owner) {
            Some(Owner::Bank(bank)) => self.is_signed_off(bank),
            Some(Owner::Platform(_)) | None => false,
        }
    }

    /// Whether an operator signed this bank off.
    pub(super) fn is_signed_off(&self, bank: BankId) -> bool {
        self.banks.get(usize::from(bank.0)).is_some_and(|live| live.signed_off)
    }

    /// What operators signed off in an earlier run stays so.
    pub(super) fn restore_sign_offs(&mut self) {
        let policy = std::sync::Arc::clone(&self.policy);
        let name_of = |line: &LineId| policy.lines.get(usize::from(line.0)).map(|l| l.name);
        let held = |line: Name| self.state.lines.get(&(line, None)).is_some_and(|s| s.held);
        let off: Vec<bool> = policy
            .banks
            .iter()
            .map(|bank| bank.lines.iter().filter_map(name_of).any(held))
            .collect();
        for (live, off) in self.banks.iter_mut().zip(off) {
            live.signed_off = off;
        }
    }
}
