//! A bank that answers nothing is not asked any more, and tried again by itself: one breaker per
//! bank.
//!
//! Contract: it opens when so many requests in a row have ended in silence, and none was answered
//! meanwhile; to new requests the bank is then one without a line, so that each is not sent, stood
//! in for or asked of the second bank, and never unknown. After a pause one request at a time goes
//! as a trial; where the bank has echo tests, one of these must be answered before. A line that
//! becomes ready ends the pause. The first answer in time to a request, or to what the bank is
//! owed, closes it; an answer that comes too late and network management do not, for a host may
//! greet with nobody behind it. What is owed goes on being tried.
//!
//! It is an opinion about now, made of inputs and their times: nothing of it is recorded. A restart
//! begins with it closed, and learns in a few requests what it forgot; each of those is recorded
//! and reversed like any other. Deliberately absent: the second bank and stand-in
//! ([`super::launch`]).

use super::Switch;
use super::ids::{BankId, LineId, SessionId, TxnNo};
use super::lines::Asked;
use super::output::Event;
use super::policy::{BreakerRule, Owner};
use super::record::Leg;
use super::timers::Timer;
use crate::canonical::NetworkFunction as Function;
use crate::time::{Instant, Wall};

/// How a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stand {
    /// Requests go.
    #[default]
    Closed,
    /// None goes, till the pause is over.
    Open,
    /// One may go, or is under way.
    Trying(Option<TxnNo>),
}

/// A request whose part at its bank is over.
pub(super) struct Over {
    /// Its number.
    pub(super) txn: TxnNo,
    /// Over which line it went.
    pub(super) line: LineId,
    /// When it left.
    pub(super) released: Option<Instant>,
    /// How it ended there.
    pub(super) leg: Leg,
}

/// The breaker of one bank.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    stand: Stand,
    /// Requests in a row that ended in silence.
    unanswered: u32,
    /// When the first of them left, by the clock on the wall.
    since: Wall,
}

impl Breaker {
    /// Whether a request may go.
    pub(super) const fn lets_through(&self) -> bool {
        matches!(self.stand, Stand::Closed | Stand::Trying(None))
    }

    /// Whether the bank is asked nothing, or no more than a trial.
    pub(super) const fn is_broken(&self) -> bool {
        !matches!(self.stand, Stand::Closed)
    }

    /// A request takes off.
    pub(super) const fn takes(&mut self, txn: TxnNo) {
        if matches!(self.stand, Stand::Trying(None)) {
            self.stand = Stand::Trying(Some(txn));
        }
    }

    /// A request ended without an answer, or never left: whether the bank is to be left alone from
    /// now on, for the first time or again after a trial.
    fn missed(&mut self, txn: TxnNo, leg: Leg, most: u32) -> Option<Missed> {
        let trial = self.stand == Stand::Trying(Some(txn));
        if leg == Leg::NotSent {
            if trial {
                self.stand = Stand::Trying(None);
            }
            return None;
        }
        self.unanswered = self.unanswered.saturating_add(1);
        if trial {
            self.stand = Stand::Open;
            return Some(Missed::Again);
        }
        let opens = self.stand == Stand::Closed && self.unanswered >= most;
        if opens {
            self.stand = Stand::Open;
        }
        opens.then_some(Missed::Enough)
    }
}

/// What follows from a request without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missed {
    /// The breaker opens.
    Enough,
    /// It was the trial: the breaker stays open.
    Again,
}

impl Switch {
    fn breaker_rule(&self, bank: BankId) -> Option<BreakerRule> {
        self.policy.banks.get(usize::from(bank.0))?.breaker
    }

    /// Whether a request that was handed back need not go to this bank again.
    pub(super) fn is_given_up(&self, bank: BankId, txn: TxnNo) -> bool {
        let live = self.banks.get(usize::from(bank.0));
        live.is_some_and(|live| {
            live.breaker.is_broken() && live.breaker.stand != Stand::Trying(Some(txn))
        })
    }

    /// Whether a bank is asked nothing because it answers nothing, or one trial at a time.
    pub fn is_broken(&self, bank: BankId) -> bool {
        self.banks.get(usize::from(bank.0)).is_some_and(|live| live.breaker.is_broken())
    }

    /// The part of a bank in a request is over. In time any answer counts, whatever it says.
    #[inline]
    pub(super) fn breaker_sees(&mut self, bank: BankId, over: &Over) {
        match over.leg {
            Leg::NotSent | Leg::SentUnknown => self.breaker_missed(bank, over),
            _ => self.breaker_answered(bank, over.line),
        }
    }

    #[cold]
    fn breaker_missed(&mut self, bank: BankId, over: &Over) {
        let Some(rule) = self.breaker_rule(bank) else { return };
        let Some(live) = self.banks.get_mut(usize::from(bank.0)) else { return };
        if live.breaker.unanswered == 0 {
            let ago = over.released.map_or(0, |at| self.now.mono.since(at).as_millis());
            let ago = i64::try_from(ago).unwrap_or(0);
            live.breaker.since = Wall::from_millis(self.now.wall.millis().saturating_sub(ago));
        }
        match live.breaker.missed(over.txn, over.leg, rule.unanswered) {
            Some(Missed::Enough) => self.break_off(bank, over.line),
            Some(Missed::Again) => self.pause_breaker(bank),
            None => {}
        }
    }

    /// The bank answered a request in time, or what it is owed.
    #[inline]
    pub(super) fn breaker_answered(&mut self, bank: BankId, line: LineId) {
        let Some(live) = self.banks.get_mut(usize::from(bank.0)) else { return };
        if live.breaker.is_broken() {
            return self.close_breaker(bank, line);
        }
        live.breaker.unanswered = 0;
    }

    /// What waits for room goes to its second bank, is stood in for or declined.
    fn break_off(&mut self, bank: BankId, line: LineId) {
        let Some(live) = self.banks.get(usize::from(bank.0)) else { return };
        let (unanswered, since) = (live.breaker.unanswered, live.breaker.since);
        let (name, line) = (self.bank_name(bank), self.line_name(line));
        self.event(Event::BreakerOpened { bank: name, line, unanswered, since });
        self.pause_breaker(bank);
        self.launch_waiting(bank);
    }

    #[cold]
    fn close_breaker(&mut self, bank: BankId, line: LineId) {
        let Some(live) = self.banks.get_mut(usize::from(bank.0)) else { return };
        let Breaker { unanswered, since, .. } = std::mem::take(&mut live.breaker);
        self.timers.stop(Timer::Breaker(bank));
        let (bank, line) = (self.bank_name(bank), self.line_name(line));
        self.event(Event::BreakerClosed { bank, line, unanswered, since });
    }

    fn pause_breaker(&mut self, bank: BankId) {
        let pause = self.breaker_rule(bank).map(|rule| rule.retry).unwrap_or_default();
        self.timers.set(Timer::Breaker(bank), self.now.mono.after(pause));
    }

    /// The pause is over: an echo test, where the bank has them and a line, or a request.
    pub(super) fn breaker_timer(&mut self, bank: BankId) {
        let Some(session) = self.session_for_probe(bank) else {
            return self.breaker_may_try(bank);
        };
        if let Some(at) = self.lines.sessions.get_mut(session) {
            at.asked.retain(|_, asked| *asked != Asked::Probe);
        }
        self.ask(session, Function::Echo, Asked::Probe, None);
        self.pause_breaker(bank);
    }

    /// A session of a bank that has echo tests.
    fn session_for_probe(&self, bank: BankId) -> Option<SessionId> {
        let bank = self.policy.banks.get(usize::from(bank.0))?;
        bank.network.echo?;
        let mut sessions = bank.lines.iter().flat_map(|line| self.lines.of(*line));
        sessions.find(|(_, session)| session.is_ready()).map(|(id, _)| id)
    }

    /// A trial may go: the pause is over, an echo test was answered, or a session came up.
    pub(super) fn breaker_may_try(&mut self, bank: BankId) {
        let Some(live) = self.banks.get_mut(usize::from(bank.0)) else { return };
        if live.breaker.stand == Stand::Open {
            live.breaker.stand = Stand::Trying(None);
            self.timers.stop(Timer::Breaker(bank));
        }
    }

    /// The bank whose session answered the echo test before a trial.
    pub(super) fn probe_answered(&mut self, session: SessionId) {
        let owner = self.lines.sessions.get(session).map(|at| at.owner);
        if let Some(Owner::Bank(bank)) = owner {
            self.breaker_may_try(bank);
        }
    }

    /// A new policy: what it has no breaker for is closed.
    pub(super) fn review_breakers(&mut self) {
        for at in 0..self.banks.len() {
            let bank = BankId(u16::try_from(at).unwrap_or(u16::MAX));
            if self.is_broken(bank) && self.breaker_rule(bank).is_none() {
                let lines = self.policy.banks.get(at).map(|bank| bank.lines.as_slice());
                let line = lines.unwrap_or_default().first().copied().unwrap_or_default();
                self.close_breaker(bank, line);
            }
        }
    }
}
