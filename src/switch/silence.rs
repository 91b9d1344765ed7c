//! Sessions that say nothing: echo tests of ours, and platforms that only hold a place.
//!
//! Contract: an echo is asked when nothing was received for its interval, however much was sent; a
//! session that answers none of some in a row is closed, and so is a platform's that says nothing
//! at all for its idle limit. A platform whom the shell does not read is not silent. Deliberately
//! absent: frames that come too slowly, which the session itself sees.

use super::Switch;
use super::ids::SessionId;
use super::lines::Asked;
use super::output::{CloseReason, Output};
use super::policy::{Echo, Owner};
use super::timers::Timer;
use crate::canonical::NetworkFunction as Function;
use std::time::Duration;

impl Switch {
    /// A session came up: from now on its silence counts.
    pub(super) fn listen_for_silence(&mut self, session: SessionId, owner: Owner) {
        if let Some(echo) = self.echo(owner) {
            self.timers.set(Timer::Echo(session), self.now.mono.after(echo.interval));
        }
        if let Some(limit) = self.idle_limit(owner) {
            self.timers.set(Timer::Idle(session), self.now.mono.after(limit));
        }
    }

    fn echo(&self, owner: Owner) -> Option<Echo> {
        match owner {
            Owner::Bank(_) => self.network(owner)?.echo,
            Owner::Platform(platform) => self.policy.platforms.get(usize::from(platform.0))?.echo,
        }
    }

    fn idle_limit(&self, owner: Owner) -> Option<Duration> {
        match owner {
            Owner::Bank(_) => None,
            Owner::Platform(platform) => {
                self.policy.platforms.get(usize::from(platform.0))?.idle_limit
            }
        }
    }

    /// Nothing was received for a while, or an echo went unanswered.
    pub(super) fn echo_timer(&mut self, session: SessionId) {
        let Some(at) = self.lines.sessions.get(session) else { return };
        let (heard, owner, missed) = (at.heard, at.owner, at.echoes_missed);
        let Some(echo) = self.echo(owner) else { return };
        let due = heard.after(echo.interval);
        if self.now.mono < due {
            return self.timers.set(Timer::Echo(session), due);
        }
        if self.is_unread(owner) {
            // Whatever it says waits unread until its requests are answered.
            return self.timers.set(Timer::Echo(session), self.now.mono.after(echo.interval));
        }
        if missed >= echo.missed {
            self.out.push_back(Output::Close { session, why: CloseReason::EchoMissed });
            return;
        }
        if let Some(at) = self.lines.sessions.get_mut(session) {
            // Each echo is counted as missed until anything is heard.
            at.echoes_missed += 1;
            at.asked.retain(|_, asked| *asked != Asked::Echo);
        }
        self.ask(session, Function::Echo, Asked::Echo, None);
        let limit = self.network(owner).map_or(echo.interval, |n| n.response_timeout);
        let limit = limit.max(Duration::from_millis(1));
        self.timers.set(Timer::Echo(session), self.now.mono.after(limit));
    }

    /// A platform's session may have been silent for too long: it holds one of few places.
    pub(super) fn idle_timer(&mut self, session: SessionId) {
        let Some(at) = self.lines.sessions.get(session) else { return };
        let (heard, owner) = (at.heard, at.owner);
        let Some(limit) = self.idle_limit(owner) else { return };
        let due = heard.after(limit);
        if self.now.mono < due {
            self.timers.set(Timer::Idle(session), due);
        } else if self.is_unread(owner) {
            self.timers.set(Timer::Idle(session), self.now.mono.after(limit));
        } else {
            self.out.push_back(Output::Close { session, why: CloseReason::Idle });
        }
    }

    /// Whether the shell has stopped reading a platform because of its cap.
    fn is_unread(&self, owner: Owner) -> bool {
        let Owner::Platform(platform) = owner else { return false };
        let cap = self.policy.platforms.get(usize::from(platform.0)).map(|p| p.max_in_flight);
        cap.is_some_and(|cap| self.in_flight(platform) >= cap)
    }
}
