//! What one bank is owed, in the order in which it may go.
//!
//! Contract: entries of one card (or terminal, where there is no card) go in order, and so do
//! entries that an answer could not tell apart. A reversal that its bank answers and never ends
//! steps aside once it is an operator's. Built from the state at a start, nothing here
//! survives by itself. Deliberately absent: sending ([`super::saf`]).

use super::duplicates::order_key;
use super::ids::{LineId, RecordNo, SendId};
use crate::sensitive::Pan;
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Behind another of its card or of its match key, or before its original's outcome.
    Parked,
    /// May go as soon as there is a slot and a session.
    Ready,
    /// Held by the gate.
    Held,
    /// In the bank's hands.
    AtBank,
    /// Pausing until its timer.
    Pausing,
}

/// One entry as it is worked on.
#[derive(Debug)]
pub(super) struct Work {
    /// Fingerprint of its card or terminal.
    pub order: u64,
    /// Its match key.
    pub key: u64,
    /// Where it stands.
    pub place: Place,
    /// Before this "original not found" is not final.
    pub not_found_final: Instant,
    /// The frame of the last try.
    pub last_try: Option<SendId>,
    /// When the last try left.
    pub left: Option<Instant>,
    /// A try of it may have reached the bank: it stays under the date of that.
    pub dated: bool,
    /// When it is too old to be sent.
    pub expires: Option<Instant>,
    /// It tells of a decision in the bank's place.
    pub stands_in: bool,
    /// What became of its tries.
    pub tried: Tried,
}

/// What the bank has yet to say to the tries of an entry.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tried {
    /// Tries that left, or may have left before a restart, and that nobody heard an answer to.
    unanswered: u32,
    /// The same among those that may have come before their original: their answers are awaited
    /// first, and say nothing of a later try.
    early: u32,
    /// The line of the last one.
    pub over: Option<LineId>,
}

impl Tried {
    /// So many tries may have left before, of which one had no answer.
    pub(super) fn before(tries: u32) -> Self {
        Self { unanswered: tries.min(1), early: 0, over: None }
    }

    /// A try left.
    pub(super) fn went(&mut self) {
        self.unanswered = self.unanswered.saturating_add(1);
    }

    /// The bank said something to one of them. Whether it may be one that came before its
    /// original.
    pub(super) fn answered(&mut self) -> bool {
        let early = self.early > 0;
        let of = if early { &mut self.early } else { &mut self.unanswered };
        *of = of.saturating_sub(1);
        early
    }

    /// The original was done after all: none of these tries is known to have come behind it.
    pub(super) fn overtook(&mut self) {
        self.early = self.early.saturating_add(std::mem::take(&mut self.unanswered));
    }

    /// Whether a try beside the answered one may have been done without a word.
    pub(super) fn is_one_open(self) -> bool {
        self.unanswered > 0
    }
}

/// The SAF of one bank.
#[derive(Debug, Default)]
pub(super) struct Forwarding {
    /// Every entry.
    pub work: BTreeMap<RecordNo, Work>,
    queues: BTreeMap<u64, VecDeque<RecordNo>>,
    /// Entries by match key. A bank whose reversals keep the STAN of their original may be owed
    /// two under one number, once numbers have gone round: their answers look the same.
    keys: BTreeMap<u64, VecDeque<RecordNo>>,
    /// Those that may go.
    pub ready: BTreeSet<RecordNo>,
    /// How many decisions in its place the bank has yet to hear of, by card.
    undrained: BTreeMap<u64, u32>,
    /// How many are held or in the bank's hands.
    pub busy: usize,
    /// Beside live traffic: when the next try is due.
    paced: Instant,
    /// How many may be at the bank at once whatever the pace, where its window has room: one more
    /// with each answer, half with each silence.
    grown: usize,
}

/// After its last live request a bank counts as busy for this long.
pub(super) const LIVE_FOR: Duration = Duration::from_secs(1);

/// How far tries beside live traffic may run ahead of their pace: timers are no finer than
/// milliseconds.
const PACE_SLACK: Duration = Duration::from_millis(10);

impl Forwarding {
    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.work.len()
    }

    /// Whether the bank has yet to hear of a decision in its place for this card.
    pub(super) fn is_undrained(&self, pan: Option<&Pan>) -> bool {
        // Nearly always there is none: the fingerprint is not worth making.
        !self.undrained.is_empty() && self.undrained.contains_key(&order_key(pan, None))
    }

    /// When the next try may go at this rate, if not now.
    pub(super) fn held_back(&self, now: Instant) -> Option<Instant> {
        let early = self.paced.since(now) > PACE_SLACK;
        let due = self.paced.nanos().saturating_sub(PACE_SLACK.as_nanos() as u64);
        early.then(|| Instant::from_nanos(due))
    }

    /// The bank answered a try in time: one more may be there at once, up to this many.
    pub(super) fn grow(&mut self, most: usize) {
        self.grown = self.grown.saturating_add(1).min(most);
    }

    /// The bank left a try or a request unanswered.
    pub(super) const fn shrink(&mut self) {
        self.grown /= 2;
    }

    /// How many may be at the bank at once whatever the pace, with so much room beside `slots`:
    /// none where there is no room.
    pub(super) fn allowance(&self, slots: usize, room: usize) -> usize {
        if room == 0 { 0 } else { self.grown.min(slots + room) }
    }

    /// Places of the bank's window that tries take up, beyond their own `slots`.
    pub(super) const fn borrowed(&self, slots: usize) -> usize {
        self.busy.saturating_sub(slots)
    }

    /// A try goes out beside live traffic.
    pub(super) fn pace(&mut self, now: Instant, rate_per_s: u32) {
        let interval = Duration::from_secs(1) / rate_per_s.max(1);
        self.paced = self.paced.max(now).after(interval);
    }

    /// Moves an entry to another place.
    pub(super) fn set(&mut self, entry: RecordNo, place: Place) {
        let Some(work) = self.work.get_mut(&entry) else { return };
        let counts = |p| usize::from(matches!(p, Place::Held | Place::AtBank));
        self.busy = self.busy + counts(place) - counts(work.place);
        work.place = place;
        if place == Place::Ready {
            self.ready.insert(entry);
        } else {
            self.ready.remove(&entry);
        }
    }

    /// Whether an entry is too old to be sent.
    pub(super) fn is_over(&self, entry: RecordNo, now: Instant) -> bool {
        self.work.get(&entry).and_then(|work| work.expires).is_some_and(|at| at <= now)
    }

    /// Where an entry stands.
    pub(super) fn place(&self, entry: RecordNo) -> Option<Place> {
        self.work.get(&entry).map(|w| w.place)
    }

    /// Whether an entry is the first of its card and of its match key.
    pub(super) fn is_first(&self, entry: RecordNo) -> bool {
        let leads =
            |queue: Option<&VecDeque<RecordNo>>| queue.and_then(VecDeque::front) == Some(&entry);
        let work = self.work.get(&entry);
        work.is_some_and(|w| leads(self.queues.get(&w.order)) && leads(self.keys.get(&w.key)))
    }

    /// Puts an entry behind those of its card and of its match key; whether its answers are the
    /// next to come under that key.
    pub(super) fn add(&mut self, entry: RecordNo, work: Work) -> bool {
        self.queues.entry(work.order).or_default().push_back(entry);
        if work.stands_in {
            *self.undrained.entry(work.order).or_default() += 1;
        }
        let same_key = self.keys.entry(work.key).or_default();
        same_key.push_back(entry);
        let first = same_key.len() == 1;
        self.work.insert(entry, work);
        first
    }

    /// An entry waits beside those of its card from now on; returns the next of them, if there is
    /// one that waited for it. Those of its match key go on waiting: an answer could not tell them
    /// apart.
    pub(super) fn step_aside(&mut self, entry: RecordNo) -> Option<RecordNo> {
        let order = self.work.get(&entry)?.order;
        next_of(&mut self.queues, order, entry)
    }

    /// Takes an entry out; returns the next of its card and the next of its match key.
    pub(super) fn remove(&mut self, entry: RecordNo) -> [Option<RecordNo>; 2] {
        self.set(entry, Place::Parked);
        let Some(work) = self.work.remove(&entry) else { return [None; 2] };
        if self.work.is_empty() {
            // The next backlog learns anew what the bank can take.
            self.grown = 0;
        }
        if work.stands_in
            && let Some(count) = self.undrained.get_mut(&work.order)
        {
            *count -= 1;
            if *count == 0 {
                self.undrained.remove(&work.order);
            }
        }
        [next_of(&mut self.queues, work.order, entry), next_of(&mut self.keys, work.key, entry)]
    }
}

/// Takes an entry out of its queue; returns the first of those that are left.
fn next_of(
    queues: &mut BTreeMap<u64, VecDeque<RecordNo>>,
    of: u64,
    entry: RecordNo,
) -> Option<RecordNo> {
    let queue = queues.get_mut(&of)?;
    // All entries may be of one card: the first of a long queue goes without a search.
    if queue.front() == Some(&entry) {
        queue.pop_front();
    } else {
        queue.retain(|e| *e != entry);
    }
    let next = queue.front().copied();
    if next.is_none() {
        queues.remove(&of);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a duplicate, said to this try, may be one of a try before.
    fn may_repeat(mut tried: Tried) -> bool {
        !tried.answered() && tried.is_one_open()
    }

    #[test]
    fn a_try_may_repeat_one_that_nobody_heard_an_answer_to() {
        let mut tried = Tried::before(0);
        tried.went();
        assert!(!may_repeat(tried), "the first");
        tried.went();
        assert!(may_repeat(tried), "the first was met with silence");
        tried.answered();
        tried.answered();
        tried.went();
        assert!(!may_repeat(tried), "the bank has answered all that left");
        let mut tried = Tried::before(3);
        tried.went();
        assert!(may_repeat(tried), "the first of this run");
    }
}
