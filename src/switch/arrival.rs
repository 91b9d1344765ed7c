//! What comes in from sessions, told apart: who said it, and what about.
//!
//! Contract: every message goes to exactly one room; one of a session that is not up is our bug or
//! the shell's, and told as such. Deliberately absent: what a message does.

use super::ids::{LineId, SessionId};
use super::inflight::{self, SendOwner};
use super::input::Garbled;
use super::output::Event;
use super::plants::Plant;
use super::policy::{Owner, SignOn};
use super::record::{GarbledNote, Record};
use super::timers::Timer;
use super::{Switch, reply};
use crate::canonical::{Canonical, Reason};
use crate::text::Text;
use crate::time::Instant;

impl Switch {
    /// A peer said something.
    pub(super) fn message(
        &mut self,
        session: SessionId,
        received: Instant,
        mut msg: Box<Canonical>,
    ) {
        let Some(from) = self.lines.sessions.get_mut(session) else {
            return self.impossible("a message from a session that is not up");
        };
        from.heard = received.max(from.heard);
        from.echoes_missed = 0;
        let owner = from.owner;
        if let Owner::Bank(bank) = owner
            && msg.flow.is_answer()
        {
            self.reclass(bank, &mut msg);
        }
        match owner {
            _ if msg.kind.family() == 8 => self.network_message(session, msg),
            Owner::Platform(platform) => {
                msg.special &= !self.planted.has(Plant::CodeRewritten);
                let header = msg.header;
                let requester = inflight::Requester { session, platform, header, received };
                self.platform_message(requester, msg);
            }
            Owner::Bank(bank) => self.bank_message(session, bank, msg),
        }
    }

    /// A peer said something that cannot be understood: noted, and answered where that is possible.
    pub(super) fn garbled(&mut self, session: SessionId, _received: Instant, garbled: Garbled) {
        let Some(from) = self.lines.sessions.get(session) else {
            return self.impossible("garbage from a session that is not up");
        };
        let (line, owner) = (from.line, from.owner);
        let name = self.line_name(line);
        let at = format!("{} at byte {}", garbled.path, garbled.offset);
        let at = Text::new(at.as_bytes()).unwrap_or_default();
        self.record(Record::Garbled(GarbledNote {
            line: name,
            at: self.now.wall,
            path: garbled.path,
            offset: garbled.offset,
            len: garbled.len,
            digest: garbled.digest,
        }));
        self.event(Event::Garbled { line: name, at });
        match (owner, garbled.readable) {
            (Owner::Platform(_), Some(readable)) if readable.flow.answer().is_some() => {
                let answer = reply::own_answer(readable, Reason::FormatError);
                self.send((line, session), answer, None, None, SendOwner::Plain);
            }
            (Owner::Bank(bank), Some(readable)) if readable.flow.is_answer() => {
                self.unreadable_answer((line, bank), readable);
            }
            _ => {}
        }
    }

    /// A session came up.
    pub(super) fn line_up(&mut self, line: LineId, session: SessionId) {
        let Some(owner) = self.policy.lines.get(usize::from(line.0)).map(|l| l.owner) else {
            return self.impossible("a session of an unknown line");
        };
        let sign_on = match owner {
            Owner::Bank(bank) => {
                self.policy.banks.get(usize::from(bank.0)).map(|b| b.network.sign_on.clone())
            }
            Owner::Platform(_) => None,
        };
        let sign_on = sign_on.unwrap_or(SignOn::No);
        self.lines.up(session, line, owner, &sign_on, self.now.mono);
        self.begin_network(session);
    }

    /// A session ended; its sends are accounted for.
    pub(super) fn line_down(&mut self, session: SessionId) {
        let Some((gone, lost)) = self.lines.down(session) else {
            return self.impossible("the end of a session that is not up");
        };
        self.timers.stop(Timer::SignOn(session));
        self.timers.stop(Timer::Echo(session));
        self.timers.stop(Timer::Idle(session));
        if lost {
            let line = self.line_name(gone.line);
            self.event(Event::LineLost { line });
        }
    }
}
