//! Sessions that are connected now, and which of them may carry traffic.
//!
//! Contract: nothing here survives a restart; what a line remembers (sign-on, batch) stands in
//! the state. A line may have several sessions, the newest is used first.

use super::by_number::ByNumber;
use super::ids::{LineId, SessionId};
use super::policy::{Owner, SignOn};
use crate::text::Text;
use crate::time::Instant;
use std::collections::BTreeMap;

/// One terminal of a line, or the line itself, that signs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signer {
    /// Terminal and merchant; `None` for the line itself.
    pub terminal: Option<(Text<16>, Text<35>)>,
    /// Whether it is signed on in this session.
    pub on: bool,
}

impl Signer {
    /// Whether what this terminal sends goes under this sign-on.
    fn is_for(&self, terminal: Option<&Text<16>>) -> bool {
        let own = self.terminal.as_ref().map(|(own, _)| own);
        own.is_none_or(|own| terminal.is_some_and(|terminal| own.eq_ignore_padding(terminal)))
    }
}

/// A network management message of ours that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Sign-on of the signer with this index.
    SignOn(usize),
    /// Sign-off of the signer with this index.
    SignOff(usize),
    /// An echo test.
    Echo,
    /// An echo test of a bank that answered nothing, before a request tries it.
    Probe,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    /// Its line.
    pub line: LineId,
    /// Whose line that is.
    pub owner: Owner,
    /// When anything last came in.
    pub heard: Instant,
    /// Who has to sign on; empty where nobody has.
    pub signers: Vec<Signer>,
    /// The bank signed it off, and nobody has to sign on.
    pub off: bool,
    /// Where each terminal stands among them: there may be thousands.
    terminals: BTreeMap<Text<16>, usize>,
    /// Whether sign-ons are with the peer, rather than waiting for their next try.
    pub signing: bool,
    /// When sign-ons were asked last.
    pub sign_on_asked: Option<Instant>,
    /// Unanswered messages of network management by STAN.
    pub asked: BTreeMap<u32, Asked>,
    /// Echo tests unanswered in a row.
    pub echoes_missed: u32,
    /// The last STAN of network management.
    pub last_stan: u32,
}

impl Session {
    fn new(line: LineId, owner: Owner, sign_on: &SignOn, now: Instant) -> Self {
        let signers = match sign_on {
            SignOn::No => vec![],
            SignOn::Line => vec![Signer { terminal: None, on: false }],
            SignOn::Terminals(all) => {
                all.iter().map(|t| Signer { terminal: Some(*t), on: false }).collect()
            }
        };
        let asked = BTreeMap::new();
        let named = |(at, signer): (usize, &Signer)| Some((signer.terminal?.0.trimmed(), at));
        let terminals = signers.iter().enumerate().filter_map(named).collect();
        Self {
            line,
            owner,
            heard: now,
            signers,
            off: false,
            terminals,
            signing: false,
            sign_on_asked: None,
            asked,
            echoes_missed: 0,
            last_stan: 0,
        }
    }

    /// Whether anything may be sent at all.
    pub(super) fn is_ready(&self) -> bool {
        if self.signers.is_empty() { !self.off } else { self.signers.iter().any(|s| s.on) }
    }

    /// Whether this terminal may ever send here, once signed on.
    pub(super) fn knows(&self, terminal: Option<&Text<16>>) -> bool {
        self.signers.is_empty() || self.signer_of(terminal).is_some()
    }

    /// Under whose sign-on this terminal sends.
    fn signer_of(&self, terminal: Option<&Text<16>>) -> Option<&Signer> {
        if self.terminals.is_empty() {
            return self.signers.iter().find(|signer| signer.terminal.is_none());
        }
        self.signers.get(*self.terminals.get(&terminal?.trimmed())?)
    }

    /// Whether this terminal may send.
    pub(super) fn carries(&self, terminal: Option<&Text<16>>) -> bool {
        if self.signers.is_empty() {
            return !self.off;
        }
        self.signer_of(terminal).is_some_and(|signer| signer.on)
    }

    /// The bank signs it off, or this terminal of it: what was on and is not now, the line itself
    /// as `None`.
    pub(super) fn sign_off(&mut self, terminal: Option<&Text<16>>) -> Vec<Option<Text<16>>> {
        if self.signers.is_empty() {
            return if std::mem::replace(&mut self.off, true) { vec![] } else { vec![None] };
        }
        let meant = |s: &&mut Signer| s.on && (terminal.is_none() || s.is_for(terminal));
        let mut gone = vec![];
        for signer in self.signers.iter_mut().filter(meant) {
            signer.on = false;
            gone.push(signer.terminal.map(|(terminal, _)| terminal.trimmed()));
        }
        gone
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// By number.
    pub sessions: ByNumber<SessionId, Session>,
    by_line: Vec<Vec<SessionId>>,
}

impl Lines {
    /// Makes room for this many lines.
    pub(super) fn resize(&mut self, lines: usize) {
        self.by_line.resize(lines, vec![]);
    }

    /// A session came up.
    pub(super) fn up(
        &mut self,
        session: SessionId,
        line: LineId,
        owner: Owner,
        sign_on: &SignOn,
        now: Instant,
    ) {
        self.sessions.insert(session, Session::new(line, owner, sign_on, now));
        if let Some(sessions) = self.by_line.get_mut(usize::from(line.0)) {
            sessions.push(session);
        }
    }

    /// A session went down; whether the line was ready before and is not now.
    pub(super) fn down(&mut self, session: SessionId) -> Option<(Session, bool)> {
        let gone = self.sessions.remove(session)?;
        if let Some(sessions) = self.by_line.get_mut(usize::from(gone.line.0)) {
            sessions.retain(|s| *s != session);
        }
        let lost = self.of(gone.line).next().is_none();
        Some((gone, lost))
    }

    /// The sessions of a line, newest first.
    pub(super) fn of(&self, line: LineId) -> impl Iterator<Item = (SessionId, &Session)> {
        let sessions = self.by_line.get(usize::from(line.0)).map_or(&[][..], Vec::as_slice);
        sessions.iter().rev().filter_map(|id| Some((*id, self.sessions.get(*id)?)))
    }

    /// The newest session of a line that may send for this terminal.
    pub(super) fn carrier(&self, line: LineId, terminal: Option<&Text<16>>) -> Option<SessionId> {
        self.of(line).find(|(_, s)| s.carries(terminal)).map(|(id, _)| id)
    }
}
