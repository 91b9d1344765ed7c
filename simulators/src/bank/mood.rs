//! How the bank feels: which commands are in force, and what they do to the next message.
//!
//! Contract: pure; commands change it, every message uses it up. Counted faults strike exactly
//! as many messages as they were given.

use super::command::{Command, Delay};
use crate::seed::Seed;
use std::time::{Duration, Instant};

/// What is in force.
#[derive(Debug)]
pub struct Mood {
    answer: Option<String>,
    delay: Delay,
    late: (Duration, u32),
    slow: (Duration, u32),
    drop: u32,
    silent_until: Option<Instant>,
    silent: bool,
    duplicate: u32,
    wrong_mac: u32,
    wrong_amount: u32,
    garbage: u32,
    refuse_sign_on: bool,
    seed: Seed,
}

/// What becomes of one message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fate {
    /// It is lost: neither executed nor answered.
    pub lost: bool,
    /// It is executed after so long.
    pub execute_after: Duration,
    /// It is answered so long after it was executed.
    pub answer_after: Duration,
    /// The answer does not leave.
    pub mute: bool,
    /// It leaves twice.
    pub twice: bool,
    /// Its MAC is spoilt.
    pub wrong_mac: bool,
    /// Its amount is spoilt.
    pub wrong_amount: bool,
    /// Nonsense leaves in its place.
    pub garbage: bool,
}

impl Mood {
    /// Well; random delays follow from `seed`.
    pub fn well(seed: u64) -> Self {
        Self {
            answer: None,
            delay: Delay::None,
            late: (Duration::ZERO, 0),
            slow: (Duration::ZERO, 0),
            drop: 0,
            silent_until: None,
            silent: false,
            duplicate: 0,
            wrong_mac: 0,
            wrong_amount: 0,
            garbage: 0,
            refuse_sign_on: false,
            seed: Seed::new(seed),
        }
    }

    /// Takes a command; what it asks of sessions and book is the server's business.
    pub fn obey(&mut self, now: Instant, command: &Command) {
        match command {
            Command::Answer(code) => self.answer.clone_from(code),
            Command::Delay(delay) => self.delay = *delay,
            Command::Late(after, count) => self.late = (*after, *count),
            Command::Slow(after, count) => self.slow = (*after, *count),
            Command::Drop(count) => self.drop = *count,
            Command::Silent(long) => {
                self.silent = *long == Duration::MAX;
                self.silent_until = now.checked_add(*long);
            }
            Command::Duplicate(count) => self.duplicate = *count,
            Command::WrongMac(count) => self.wrong_mac = *count,
            Command::WrongAmount(count) => self.wrong_amount = *count,
            Command::Garbage(count) => self.garbage = *count,
            Command::RefuseSignOn(refuse) => self.refuse_sign_on = *refuse,
            Command::Heal => *self = Self { seed: self.seed.clone(), ..Self::well(0) },
            Command::Cutover(_)
            | Command::CutoverAgain(_)
            | Command::OwnDay(_)
            | Command::SignOff
            | Command::SignOn
            | Command::Habit(..)
            | Command::Misbook(..)
            | Command::Disconnect
            | Command::WrongKeys(_) => {}
        }
    }

    /// The code every original is answered with, if the rules do not decide.
    pub fn answer(&self) -> Option<&str> {
        self.answer.as_deref()
    }

    /// Whether sign-ons are declined.
    pub fn refuses_sign_on(&self) -> bool {
        self.refuse_sign_on
    }

    /// Whether nothing is answered now.
    pub fn is_silent(&self, now: Instant) -> bool {
        self.silent || self.silent_until.is_some_and(|until| now < until)
    }

    /// What becomes of the next message; `original`: it is an original transaction. A counted
    /// fault strikes alone: the next kind waits until the one before has run out.
    pub fn fate(&mut self, now: Instant, original: bool) -> Fate {
        let fate = Fate { answer_after: self.pause(), ..Fate::default() };
        if self.is_silent(now) {
            return Fate { mute: true, ..fate };
        }
        if !original {
            return fate;
        }
        self.counted(fate)
    }

    fn counted(&mut self, fate: Fate) -> Fate {
        if used(&mut self.drop) {
            Fate { lost: true, ..fate }
        } else if used(&mut self.slow.1) {
            Fate { execute_after: self.slow.0, ..fate }
        } else if used(&mut self.late.1) {
            Fate { answer_after: self.late.0, ..fate }
        } else if used(&mut self.duplicate) {
            Fate { twice: true, ..fate }
        } else if used(&mut self.wrong_mac) {
            Fate { wrong_mac: true, ..fate }
        } else if used(&mut self.wrong_amount) {
            Fate { wrong_amount: true, ..fate }
        } else {
            Fate { garbage: used(&mut self.garbage), ..fate }
        }
    }

    fn pause(&mut self) -> Duration {
        match self.delay {
            Delay::None => Duration::ZERO,
            Delay::Fixed(pause) => pause,
            Delay::Exponential(mean) => self.seed.exponential(mean),
        }
    }
}

/// Uses up one of a counted fault.
fn used(count: &mut u32) -> bool {
    let some = *count > 0;
    *count = count.saturating_sub(1);
    some
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    #[test]
    fn counted_faults_strike_originals_only_and_run_out() {
        let now = now();
        let mut mood = Mood::well(1);
        mood.obey(now, &Command::Duplicate(2));
        let twice = |mood: &mut Mood, original| mood.fate(now, original).twice;
        assert!(!twice(&mut mood, false));
        assert_eq!([(); 3].map(|()| twice(&mut mood, true)), [true, true, false]);
    }

    #[test]
    fn silence_ends_by_itself_or_when_healed() {
        let now = now();
        let mut mood = Mood::well(1);
        mood.obey(now, &Command::Silent(Duration::from_secs(3)));
        assert!(mood.fate(now, true).mute && mood.fate(now, false).mute);
        assert!(!mood.is_silent(now + Duration::from_secs(3)));
        mood.obey(now, &Command::Silent(Duration::MAX));
        assert!(mood.is_silent(now + Duration::from_secs(86_400)));
        mood.obey(now, &Command::Heal);
        assert!(!mood.is_silent(now));
    }

    #[test]
    fn a_lost_original_uses_up_no_other_fault() {
        let now = now();
        let mut mood = Mood::well(1);
        mood.obey(now, &Command::Drop(1));
        mood.obey(now, &Command::WrongMac(1));
        assert!(mood.fate(now, true).lost);
        assert!(mood.fate(now, true).wrong_mac);
    }
}
