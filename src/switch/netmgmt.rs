//! Sign-on and answers to echo tests: what keeps a line usable.
//!
//! Contract: nothing but network management goes over a line before its sign-on (where it has
//! one) succeeded in this session; a new session, a "sign on again" and a refused MAC start
//! over. An inbound echo is answered at once and never echoed back; our own are asked in
//! [`super::silence`].

use super::Switch;
use super::ids::{BankId, LineId, SessionId};
use super::inflight::SendOwner;
use super::lines::Asked;
use super::nonsense::Nonsense;
use super::output::Event;
use super::policy::{Network, Owner};
use super::proof::{Knowledge, Proof, Question, proof};
use super::record::{LineState, Record};
use super::reply;
use super::timers::Timer;
use crate::canonical::{
    Answer, Canonical, Flow, KeyCheck, Kind, MacCheck, NetworkFunction as Function, Reason,
};
use crate::limits::STAN_MAX;
use crate::text::Text;

impl Switch {
    pub(super) fn network(&self, owner: Owner) -> Option<&Network> {
        match owner {
            Owner::Bank(bank) => self.policy.banks.get(usize::from(bank.0)).map(|b| &b.network),
            Owner::Platform(_) => None,
        }
    }

    /// A session came up.
    pub(super) fn begin_network(&mut self, session: SessionId) {
        let Some((line, owner, ready)) =
            self.lines.sessions.get(session).map(|s| (s.line, s.owner, s.is_ready()))
        else {
            return;
        };
        self.listen_for_silence(session, owner);
        match owner {
            Owner::Bank(bank) if ready => self.line_ready(line, bank),
            Owner::Bank(_) => self.sign_on(session),
            Owner::Platform(_) => {
                let line = self.line_name(line);
                self.event(Event::LineReady { line });
            }
        }
    }

    pub(super) fn line_ready(&mut self, line: LineId, bank: BankId) {
        if self.is_signed_off(bank) {
            return;
        }
        let line = self.line_name(line);
        self.event(Event::LineReady { line });
        self.breaker_may_try(bank);
        self.fill_window(bank);
        self.saf_pump(bank);
    }

    /// Asks for everything that is not signed on.
    pub(super) fn sign_on(&mut self, session: SessionId) {
        let Some(at) = self.lines.sessions.get_mut(session) else { return };
        let Owner::Bank(bank) = at.owner else { return };
        if self.banks.get(usize::from(bank.0)).is_some_and(|b| b.signed_off) {
            return;
        }
        at.signing = true;
        at.sign_on_asked = Some(self.now.mono);
        at.asked.retain(|_, asked| !matches!(asked, Asked::SignOn(_)));
        let off: Vec<_> = at.signers.iter().enumerate().filter(|(_, s)| !s.on).collect();
        let off: Vec<_> = off.into_iter().map(|(i, s)| (i, s.terminal)).collect();
        for (index, terminal) in off {
            self.ask(session, Function::SignOn, Asked::SignOn(index), terminal);
        }
        let limit = self.network(Owner::Bank(bank)).map(|n| n.response_timeout);
        let at = self.now.mono.after(limit.unwrap_or_default());
        self.timers.set(Timer::SignOn(session), at);
    }

    /// Silence after a sign-on, or the end of the pause before the next.
    pub(super) fn sign_on_timer(&mut self, session: SessionId) {
        let Some(at) = self.lines.sessions.get_mut(session) else { return };
        if !at.signing {
            return self.sign_on(session);
        }
        at.signing = false;
        let (line, owner) = (at.line, at.owner);
        let pause = self.network(owner).map(|n| n.sign_on_retry).unwrap_or_default();
        self.timers.set(Timer::SignOn(session), self.now.mono.after(pause));
        let line = self.line_name(line);
        self.event(Event::Network { line, function: Function::SignOn, ok: false });
    }

    /// The bank wants this line or terminal to sign on again.
    pub(super) fn sign_on_again(&mut self, line: LineId, terminal: Option<&Text<16>>) {
        let sessions: Vec<_> = self.lines.of(line).map(|(id, _)| id).collect();
        for session in sessions {
            self.sign_on_again_on(session, terminal);
        }
    }

    /// The bank wants this session, or a terminal of it, to sign on again.
    pub(super) fn sign_on_again_on(&mut self, session: SessionId, terminal: Option<&Text<16>>) {
        let terminal = terminal.map(|t| t.trimmed());
        let Some(at) = self.lines.sessions.get_mut(session) else { return };
        let mut changed = false;
        for signer in &mut at.signers {
            let meant = signer.terminal.is_none_or(|(t, _)| Some(t.trimmed()) == terminal);
            changed |= signer.on && meant;
            signer.on &= !meant;
        }
        if changed {
            self.sign_on(session);
        }
    }

    pub(super) fn ask(
        &mut self,
        session: SessionId,
        function: Function,
        asked: Asked,
        terminal: Option<(Text<16>, Text<35>)>,
    ) {
        let stamp = self.stamp.at(self.now.wall);
        let Some(at) = self.lines.sessions.get_mut(session) else { return };
        at.last_stan = if at.last_stan >= STAN_MAX { 1 } else { at.last_stan + 1 };
        at.asked.insert(at.last_stan, asked);
        // Where terminals sign on, whatever is asked is asked in the name of one.
        let terminal = terminal.or_else(|| at.signers.first().and_then(|s| s.terminal));
        let mut msg = Box::new(Canonical::new(Kind::NetworkManagement(function), Flow::Request));
        msg.stan = Some(at.last_stan);
        msg.transmission = Some(stamp);
        msg.terminal = terminal.map(|(t, _)| t);
        msg.merchant = terminal.map(|(_, m)| m);
        let (line, has_batches) = (at.line, at.signers.iter().any(|s| s.terminal.is_some()));
        let batch = self.batch_of(line, terminal.as_ref().map(|(t, _)| t));
        // Batches count from 1; the answer to the sign-in names the one in force.
        msg.batch = batch.or(has_batches.then_some(1));
        self.send((line, session), msg, None, None, SendOwner::Plain);
    }

    /// Network management from either side.
    pub(super) fn network_message(&mut self, session: SessionId, msg: Box<Canonical>) {
        let Kind::NetworkManagement(function) = msg.kind else { return };
        if msg.flow.is_answer() {
            return self.network_answer(session, &msg);
        }
        let Some((line, owner)) = self.lines.sessions.get(session).map(|s| (s.line, s.owner))
        else {
            return;
        };
        let mut after = None;
        let reason = match (function, owner) {
            _ if matches!(msg.mac, MacCheck::Bad | MacCheck::Missing) => Reason::MacFailed,
            (Function::Echo, _) => Reason::Accepted,
            (Function::SignOn | Function::SignOff, Owner::Platform(_)) => Reason::Accepted,
            (Function::Cutover, Owner::Bank(bank)) => {
                after = Some(self.bank_cuts_over(bank, &msg));
                Reason::Accepted
            }
            (Function::CutoverEnd, Owner::Bank(_)) => Reason::Accepted,
            // A bank asks for a new sign-on, or signs the line on or off.
            (Function::SignOn | Function::SignOff, Owner::Bank(_)) => Reason::Accepted,
            (Function::Cutover | Function::CutoverEnd, Owner::Platform(_))
            | (Function::KeyChange | Function::Unstated, _) => Reason::InvalidTransaction,
        };
        let ok = reason == Reason::Accepted;
        let terminal = msg.terminal;
        let answer = reply::own_answer(msg, reason);
        self.send((line, session), answer, after, None, SendOwner::Plain);
        let name = self.line_name(line);
        self.event(Event::Network { line: name, function, ok });
        match reason {
            Reason::Accepted => {}
            Reason::MacFailed => self.nonsense(session, Nonsense::Refused),
            _ => self.nonsense(session, Nonsense::Unasked),
        }
        let Owner::Bank(bank) = owner else { return };
        match function {
            Function::SignOn if ok => {
                let fresh = self.has_just_signed_on(session, owner);
                self.bank_signs_on(line, bank, terminal.as_ref(), fresh);
            }
            Function::SignOff if ok => self.bank_signs_off(line, bank, terminal.as_ref()),
            _ => {}
        }
    }

    /// Some banks sign on themselves whenever we do: doing it again for that would never end.
    fn has_just_signed_on(&self, session: SessionId, owner: Owner) -> bool {
        let asked = self.lines.sessions.get(session).and_then(|s| s.sign_on_asked);
        let pause = self.network(owner).map(|n| n.sign_on_retry);
        asked.zip(pause).is_some_and(|(at, pause)| self.now.mono < at.after(pause))
    }

    fn network_answer(&mut self, session: SessionId, msg: &Canonical) {
        let asked = msg.stan.and_then(|stan| {
            self.lines.sessions.get_mut(session).and_then(|s| s.asked.remove(&stan))
        });
        let granted = !matches!(msg.mac, MacCheck::Bad | MacCheck::Missing)
            && matches!(msg.answer, Some(Answer::Given { class, .. })
                if proof(Question::SignOn, Knowledge::Unknown, class, false) == Proof::Effect);
        match asked {
            Some(Asked::SignOn(index)) => {
                let granted = granted && self.keys_are_good(session, index, msg.keys);
                self.sign_on_answered(session, index, granted, msg);
            }
            Some(Asked::Probe) => self.probe_answered(session),
            Some(Asked::Echo | Asked::SignOff(_)) => {}
            None => {
                let owner = self.lines.sessions.get(session).map(|s| s.owner);
                match owner {
                    Some(Owner::Bank(bank)) => self.unmatched_from(session, bank, None, msg),
                    _ => self.nonsense(session, Nonsense::UnmatchedAnswer),
                }
            }
        }
    }

    /// Whether a granted sign-on brought the working keys it should: with wrong ones nothing can
    /// be sealed that the bank would take (domain.md section 4).
    fn keys_are_good(&mut self, session: SessionId, index: usize, keys: KeyCheck) -> bool {
        let Some(at) = self.lines.sessions.get(session) else { return false };
        let needed = self.network(at.owner).is_some_and(|n| n.keys);
        let good = keys == KeyCheck::Good || !needed && keys == KeyCheck::NotCarried;
        if !good {
            let terminal = at.signers.get(index).and_then(|s| s.terminal).map(|(t, _)| t.trimmed());
            let line = self.line_name(at.line);
            self.event(Event::KeysRefused { line, terminal });
        }
        good
    }

    fn sign_on_answered(
        &mut self,
        session: SessionId,
        index: usize,
        granted: bool,
        msg: &Canonical,
    ) {
        let Some(at) = self.lines.sessions.get_mut(session) else { return };
        let was_ready = at.is_ready();
        let Some(signer) = at.signers.get_mut(index) else { return };
        signer.on = granted;
        let terminal = signer.terminal.map(|(t, _)| t.trimmed());
        let (line, owner) = (at.line, at.owner);
        let all = at.signers.iter().all(|s| s.on);
        let name = self.line_name(line);
        if let (Owner::Bank(bank), Some(terminal), true) = (owner, terminal, granted) {
            self.batch_over(bank, terminal, msg.batch);
        }
        self.record(Record::LineState(LineState {
            line: name,
            terminal,
            at: self.now.wall,
            function: Function::SignOn,
            signed_on: granted,
            batch: msg.batch.filter(|_| granted),
            operator: None,
            reason: None,
        }));
        self.event(Event::Network { line: name, function: Function::SignOn, ok: granted });
        if all {
            self.timers.stop(Timer::SignOn(session));
        }
        if let (Owner::Bank(bank), true) = (owner, granted) {
            if was_ready {
                self.fill_window(bank);
                self.saf_pump(bank);
            } else {
                self.line_ready(line, bank);
            }
        }
    }

    /// The first line of a bank, in its order, with a session that may send for this terminal.
    #[inline(always)]
    pub(super) fn carrier(
        &self,
        bank: BankId,
        terminal: Option<&Text<16>>,
    ) -> Option<(LineId, SessionId)> {
        let live = self.banks.get(usize::from(bank.0))?;
        let bank = self.policy.banks.get(usize::from(bank.0))?;
        if live.signed_off {
            return None;
        }
        bank.lines.iter().find_map(|l| Some((*l, self.lines.carrier(*l, terminal)?)))
    }

    /// The batch in force for a terminal of a line (UnionPay).
    pub(super) fn batch_of(&self, line: LineId, terminal: Option<&Text<16>>) -> Option<u32> {
        if self.state.lines.is_empty() {
            return None;
        }
        let name = self.line_name(line);
        let signed = |terminal| self.state.lines.get(&(name, terminal)).and_then(|s| s.batch);
        signed(terminal.map(Text::trimmed)).or_else(|| signed(None))
    }

    /// Accept no new originals, finish what is in flight, sign off.
    pub(super) fn drain(&mut self) {
        self.draining = true;
    }
}
