//! The way down, in steps: drain, end the sessions, stop the journal.
//!
//! Contract: asked to stop, the core accepts nothing new and what is in flight may finish until
//! the drain limit; then sessions write what they have and end; then the process does. A journal
//! that failed shortens this: what needs no record may still leave, and the exit is not clean.

use crate::limits::{DRAIN_LIMIT, END_LIMIT, FAILED_LIMIT};
use crate::time::Instant;

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Not asked to stop.
    #[default]
    Running,
    /// Waiting for what is in flight, at most until then.
    Draining(Instant),
    /// Waiting for sessions to end, at most until then.
    Ending(Instant),
    /// Nothing left to wait for.
    Over,
}

/// What the driver sees of the world at the end of a turn.
#[derive(Debug, Clone, Copy)]
pub struct Sight {
    /// Requests in flight, frames held.
    pub busy: bool,
    /// Sessions still there.
    pub sessions: usize,
    /// The journal failed.
    pub failed: bool,
}

impl Phase {
    /// Asks to stop. Asking twice does not wait any longer: sessions end now.
    #[must_use]
    pub fn asked(self, now: Instant) -> Self {
        match self {
            Self::Running => Self::Draining(now.after(DRAIN_LIMIT)),
            Self::Draining(_) => Self::Draining(now),
            later => later,
        }
    }

    /// One step, if it is time. The driver ends the sessions when `Ending` begins.
    #[must_use]
    pub fn step(self, now: Instant, sight: Sight) -> Self {
        match self {
            Self::Running | Self::Draining(_) if sight.failed => {
                Self::Ending(now.after(FAILED_LIMIT))
            }
            Self::Draining(limit) if !sight.busy || now >= limit => {
                Self::Ending(now.after(END_LIMIT))
            }
            Self::Ending(limit) if sight.sessions == 0 || now >= limit => Self::Over,
            same => same,
        }
    }

    /// When to look again at the latest.
    pub fn deadline(self) -> Option<Instant> {
        match self {
            Self::Draining(limit) | Self::Ending(limit) => Some(limit),
            Self::Running | Self::Over => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Sight = Sight { busy: false, sessions: 0, failed: false };
    const BUSY: Sight = Sight { busy: true, sessions: 2, failed: false };

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn what_is_in_flight_may_finish_and_then_sessions_end() {
        let phase = Phase::Running.step(at(0), BUSY);
        assert_eq!(phase, Phase::Running);
        let phase = phase.asked(at(0)).step(at(1), BUSY);
        assert_eq!(phase, Phase::Draining(at(30)));
        let phase = phase.step(at(2), Sight { busy: false, ..BUSY });
        assert_eq!(phase, Phase::Ending(at(4)));
        assert_eq!(phase.step(at(3), BUSY), phase);
        assert_eq!(phase.step(at(3), IDLE), Phase::Over);
        assert_eq!(phase.step(at(4), BUSY), Phase::Over);
    }

    #[test]
    fn asking_twice_and_a_failed_journal_are_not_waited_for() {
        let twice = Phase::Running.asked(at(0)).asked(at(1)).step(at(1), BUSY);
        assert_eq!(twice, Phase::Ending(at(3)));
        let failed = Phase::Running.step(at(0), Sight { failed: true, ..BUSY });
        assert_eq!(failed, Phase::Ending(Instant::from_nanos(250_000_000)));
    }
}
