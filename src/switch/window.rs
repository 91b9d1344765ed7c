//! The duplicate window moves on: what leaves it by age and by count, and which requests come from
//! behind it.
//!
//! Contract: ages are measured on the monotonic clock, by marks that say which record was the
//! last when; requests leave a few at a time, because other inputs must not wait for a whole
//! night's requests to be forgotten. Deliberately absent: the memory itself
//! ([`super::memory`]).

use super::ids::RecordNo;
use super::record::{Forgotten, Record};
use super::stamps::{age_of, own_stamp};
use super::timers::Timer;
use super::{Switch, reply};
use crate::canonical::Canonical;
use crate::limits::FORGOTTEN_AT_ONCE;
use crate::time::{Instant, Wall};
use std::time::Duration;

/// Between two bites.
const FORGETTING_PAUSE: Duration = Duration::from_millis(1);

/// Records after which there is an age mark, beside those that come with time.
const MARK_EVERY: u64 = 16_384;

/// What a stamp tells without its seconds.
const MINUTE: Duration = Duration::from_secs(60);

/// How far ahead of ours the clock of a platform may be that repeats what the last run heard.
const CLOCK_AHEAD_S: i64 = 60;

impl Switch {
    /// Keeps an age mark for the duplicate window.
    pub(super) fn mark_window(&mut self) {
        let most = self.policy.duplicates.count;
        if self.marks.back().is_none_or(|(_, no)| no.0 + MARK_EVERY < self.state.last.0) {
            self.marks.push_back((self.now.mono, self.state.last));
        }
        if self.state.memory.len() > most.saturating_add((most / 8).min(FORGOTTEN_AT_ONCE)) {
            // Faster than the timer: the count is a bound of memory.
            return self.window_timer();
        }
        if !self.timers.runs(Timer::Window) {
            self.timers.set(Timer::Window, self.now.mono.after(self.window_pause()));
        }
    }

    /// Requests leave the duplicate window by age and by count, a few at a time.
    pub(super) fn window_timer(&mut self) {
        let (upto, since) = self.forgotten_by_now();
        let memory = &self.state.memory;
        let bite = memory.nth_no(FORGOTTEN_AT_ONCE - 1).filter(|last| *last < upto);
        if memory.nth_no(0).is_some_and(|oldest| oldest <= upto) {
            self.record(Record::Forgotten(Forgotten::Window(bite.unwrap_or(upto))));
            self.remembered_since = self.remembered_since.max(since);
        }
        if bite.is_some() {
            self.forgetting = upto;
            self.timers.set(Timer::Window, self.now.mono.after(FORGETTING_PAUSE));
        } else if self.state.memory.len() > 0 {
            self.mark_window();
        }
    }

    /// How far apart age marks are.
    pub(super) fn window_pause(&self) -> Duration {
        (self.policy.duplicates.age / 64).max(Duration::from_secs(1))
    }

    /// Up to where the window has moved on, and since when requests are behind it.
    fn forgotten_by_now(&mut self) -> (RecordNo, Option<Instant>) {
        let window = self.policy.duplicates;
        self.marks.push_back((self.now.mono, self.state.last));
        let mut upto = self.forgetting;
        let mut since = None;
        while let Some((at, no)) = self.marks.front().copied() {
            if self.now.mono.since(at) < window.age {
                break;
            }
            (upto, since) = (upto.max(no), Some(at));
            self.marks.pop_front();
        }
        let over = self.state.memory.len().saturating_sub(window.count);
        if over > 0 {
            upto = upto.max(self.state.memory.nth_no(over - 1).unwrap_or_default());
            since = self.marks.iter().find(|(_, no)| *no >= upto).map(|(at, _)| *at).or(since);
        }
        // What was forgotten before needs no marks.
        while self.marks.front().is_some_and(|(_, no)| *no < upto) {
            self.marks.pop_front();
        }
        (upto, since)
    }

    /// Whether this request bears a stamp older than the memory reaches.
    pub(super) fn is_aged(&mut self, msg: &Canonical) -> bool {
        let (most, now) = (self.policy.duplicates.age, self.now.wall);
        let Some(f7) = &msg.transmission else { return false };
        // Nearly always it is of this minute.
        if most >= MINUTE && self.stamp.is_of_this_minute(f7, now) {
            return false;
        }
        age_of(f7, now).is_some_and(|age| age > most)
    }

    /// Whether this is a repeat of what the last run may have declined without living to write
    /// that down: neither memory nor journal has it.
    pub(super) fn may_have_been_declined(&self, msg: &Canonical) -> bool {
        let begun = self.begun().millis().div_euclid(1_000) + CLOCK_AHEAD_S;
        let stamp = || own_stamp(&reply::origin_of(msg), self.now.wall);
        self.former_run && msg.repeat && stamp().is_some_and(|stamp| i64::from(stamp) <= begun)
    }

    /// When this run began, by the clock as it is now: one that was wrong at the start and was
    /// corrected declines nothing that came later.
    fn begun(&self) -> Wall {
        Wall::from_millis(self.now.wall.millis().saturating_sub(self.run_ms()))
    }

    /// Wall time that follows the monotonic clock since the start. For lengths of time that are
    /// counted in stamps, and for nothing else: no correction of the clock makes them longer or
    /// shorter.
    pub(super) fn steady_wall(&self) -> Wall {
        Wall::from_millis(self.started.wall.millis().saturating_add(self.run_ms()))
    }

    /// How long this run has lasted, in milliseconds.
    fn run_ms(&self) -> i64 {
        let since = self.now.mono.since(self.started.mono).as_millis();
        i64::try_from(since).unwrap_or(i64::MAX)
    }
}
