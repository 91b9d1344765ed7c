//! The platform's memory: which request waits for what, what is due when.
//!
//! Contract: pure but for the times it is told. Messages to send come out as [`Msg`]; answers
//! go in; the ledger is always up to date. No answer by `timeout` means: give up, send 0420, and
//! 0421 every `reversal_retry` until it is acknowledged – what `docs/platform-contract.md` asks
//! of every platform. Deliberately absent: sockets, pacing.

use super::habits::Habit;
use super::latency::{Got, Latency};
use super::ledger::{End, Extra, Line, Request, Reversal, Stray, Why};
use super::mix::{Made, Maker, repeat_of};
use super::row::Row;
use crate::clock::{now, stamp};
use crate::msg::Msg;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// The times a platform keeps.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Without an answer for so long after it left, a request is given up and reversed.
    pub timeout: Duration,
    /// Without an acknowledgement for so long, a reversal leaves again.
    pub reversal_retry: Duration,
    /// Without an answer for so long, a request leaves again as a repeat, once.
    pub repeat_after: Option<Duration>,
    /// After a lost connection, what left or was granted within so long before is repeated.
    pub repeat_after_loss: Option<Duration>,
}

/// What counts besides the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// Requests that left.
    pub sent: u64,
    /// Approvals in time.
    pub approved: u64,
    /// Declines in time.
    pub declined: u64,
    /// Requests given up.
    pub timed_out: u64,
    /// Requests that never left for want of a connection.
    pub unsent: u64,
    /// Repeats sent.
    pub repeats: u64,
    /// Reversals acknowledged.
    pub reversed: u64,
    /// Answers after the request was given up.
    pub late: u64,
    /// Second answers to one request.
    pub duplicates: u64,
    /// Messages that could not be understood.
    pub garbled: u64,
}

/// No connection carries more in the seconds in question.
const MOST_REPEATED: usize = 100_000;

/// (`F11`, `F7`): what the platform knows its messages by.
type Key = (String, String);

#[derive(Debug, Clone, Copy)]
pub(super) enum Waiting {
    Request(usize),
    Reversal(usize),
    Mistake(usize),
}

/// The memory.
#[derive(Debug)]
pub struct Desk {
    pub(super) maker: Maker,
    pub(super) patience: Patience,
    start: Instant,
    pub(super) rows: Vec<Row>,
    pub(super) waiting: HashMap<Key, Waiting>,
    strays: Vec<Stray>,
    pub(super) timeouts: VecDeque<(Instant, usize)>,
    repeats: VecDeque<(Instant, usize)>,
    retries: VecDeque<(Instant, usize)>,
    pub(super) mistakes: VecDeque<(Instant, usize)>,
    pub(super) voids: VecDeque<(Instant, usize)>,
    pub(super) unsettled: usize,
    /// When the first connection was lost since one was last opened.
    lost: Option<Instant>,
    latency: Latency,
    pub(super) counts: Counts,
}

impl Desk {
    /// An empty memory.
    pub fn new(maker: Maker, patience: Patience, start: Instant, latency: Latency) -> Self {
        Self {
            maker,
            patience,
            start,
            rows: Vec::new(),
            waiting: HashMap::new(),
            strays: Vec::new(),
            timeouts: VecDeque::new(),
            repeats: VecDeque::new(),
            retries: VecDeque::new(),
            mistakes: VecDeque::new(),
            voids: VecDeque::new(),
            unsettled: 0,
            lost: None,
            latency,
            counts: Counts::default(),
        }
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.rows.iter().map(|row| row.request.clone()).collect()
    }

    /// The same, with what habits did.
    pub fn lines(&self) -> Vec<Line> {
        let line = |row: &Row| Line { request: row.request.clone(), extra: row.extra.clone() };
        self.rows.iter().map(line).collect()
    }

    /// Answers that fit nothing.
    pub fn strays(&self) -> &[Stray] {
        &self.strays
    }

    /// The counts.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The latencies.
    pub fn latency(&self) -> &Latency {
        &self.latency
    }

    /// Requests and reversals something is still to come for.
    pub fn unsettled(&self) -> usize {
        self.unsettled
    }

    /// A message that could not be understood.
    pub fn garbled(&mut self) {
        self.counts.garbled += 1;
    }

    /// Makes network management.
    pub fn network(&mut self, at_ms: u64, code: &str) -> Msg {
        self.maker.network(at_ms, code)
    }

    /// The next request, intended for `intended`; `None` where it cannot leave.
    pub fn next(&mut self, intended: Instant, at_ms: u64, connected: bool) -> Option<Msg> {
        let Made { mut request, mut msg } = self.maker.request(at_ms);
        let no = self.rows.len();
        let extra =
            Extra { advice: self.maker.advises(&mut request, &mut msg), ..Extra::default() };
        let leaving = connected.then(|| msg.clone());
        if connected {
            request.end = End::InFlight;
            self.counts.sent += 1;
            self.unsettled += 1;
            self.waiting.insert(key(&msg), Waiting::Request(no));
            let now = now().max(intended);
            self.timeouts.push_back((now + self.patience.timeout, no));
            if let Some(after) = self.patience.repeat_after {
                self.repeats.push_back((now + after, no));
            }
        } else {
            self.counts.unsent += 1;
        }
        let (left, reversal_msg, mistake_msg) = (intended, None, None);
        self.rows.push(Row { request, msg, reversal_msg, left, extra, mistake_msg });
        leaving
    }

    /// Everything that is due: repeats, first reversals, repeated reversals.
    pub fn due(&mut self, now: Instant, at_ms: u64) -> Vec<Msg> {
        let mut out = Vec::new();
        while let Some(no) = pop_due(&mut self.repeats, now) {
            out.extend(self.repeat(no, at_ms));
        }
        while let Some(no) = pop_due(&mut self.timeouts, now) {
            out.extend(self.give_up(no, now, at_ms));
        }
        while let Some(no) = pop_due(&mut self.retries, now) {
            out.extend(self.try_reversal(no, now));
        }
        while let Some(no) = pop_due(&mut self.mistakes, now) {
            out.extend(self.try_mistake(no, now));
        }
        while let Some(no) = pop_due(&mut self.voids, now) {
            out.extend(self.void(no, now, at_ms));
        }
        out
    }

    /// A connection is lost: whether its answers were read at the other end, nobody knows.
    pub fn connection_lost(&mut self, now: Instant) {
        self.lost.get_or_insert(now);
    }

    /// A connection is open again: what it has to carry first. Repeats tell the switch that
    /// approvals it cannot be sure of did arrive, and bring back answers that did not.
    pub fn connection_opened(&mut self, at_ms: u64) -> Vec<Msg> {
        let Some((lost, window)) = self.lost.take().zip(self.patience.repeat_after_loss) else {
            return Vec::new();
        };
        let recent = |row: &Row| row.left + window >= lost && row.left <= lost;
        let unsure = |row: &Row| {
            let request = &row.request;
            let wanted = request.end == End::InFlight || request.is_approved();
            wanted && request.reversal.is_none()
        };
        let rows = self.rows.iter().enumerate().rev().take(MOST_REPEATED);
        let again = rows.filter(|(_, row)| recent(row) && unsure(row)).map(|(no, _)| no);
        let again: Vec<usize> = again.collect();
        again.into_iter().filter_map(|no| self.say_again(no, at_ms)).collect()
    }

    fn repeat(&mut self, no: usize, at_ms: u64) -> Option<Msg> {
        self.rows.get(no).filter(|row| row.request.end == End::InFlight)?;
        self.say_again(no, at_ms)
    }

    /// A repeat; its answer may carry the time of either.
    fn say_again(&mut self, no: usize, at_ms: u64) -> Option<Msg> {
        let row = self.rows.get_mut(no)?;
        let mut msg = row.repeat(&mut self.counts);
        if !row.extra.advice && self.maker.habits.strikes(Habit::Restamp) {
            msg.set(7, stamp(at_ms));
            row.extra.habits.push(Habit::Restamp);
            self.waiting.insert(key(&msg), Waiting::Request(no));
        }
        Some(msg)
    }

    fn give_up(&mut self, no: usize, now: Instant, at_ms: u64) -> Option<Msg> {
        let row = self.rows.get_mut(no).filter(|row| row.request.end == End::InFlight)?;
        if row.extra.advice {
            // What was decided is told until it is heard.
            self.timeouts.push_back((now + self.patience.timeout, no));
            return self.say_again(no, at_ms);
        }
        row.request.end = End::TimedOut;
        self.counts.timed_out += 1;
        let took = now.saturating_duration_since(row.left);
        self.latency.record(Got::Nothing, row.left.saturating_duration_since(self.start), took);
        self.reverse(no, now, at_ms, Why::Timeout)
    }

    fn reverse(&mut self, no: usize, now: Instant, at_ms: u64, why: Why) -> Option<Msg> {
        let row = self.rows.get_mut(no)?;
        let (reversal, mut msg) = self.maker.reversal(at_ms, &row.msg, why);
        if let Some(auth_id) = &row.request.auth_id {
            msg.set(38, auth_id.as_str());
        }
        row.extra.habits.extend(self.maker.bend(&mut msg));
        self.waiting.insert(key(&msg), Waiting::Reversal(no));
        row.request.reversal = Some(reversal);
        row.reversal_msg = Some(msg);
        self.try_reversal(no, now)
    }

    fn try_reversal(&mut self, no: usize, now: Instant) -> Option<Msg> {
        let row = self.rows.get_mut(no)?;
        let open = |reversal: &&mut Reversal| reversal.acknowledged.is_none();
        let reversal = row.request.reversal.as_mut().filter(open)?;
        self.retries.push_back((now + self.patience.reversal_retry, no));
        reversal.tries += 1;
        let msg = row.reversal_msg.as_mut()?;
        if reversal.tries > 1 {
            msg.mti = repeat_of(&msg.mti);
        }
        Some(msg.clone())
    }

    /// An answer came. What is to leave because of it: a customer's reversal, a repeat.
    pub fn answer(&mut self, now: Instant, at_ms: u64, msg: &Msg) -> Option<Msg> {
        match self.waiting.get(&key(msg)).copied() {
            Some(Waiting::Request(no)) => self.answered(no, now, at_ms, msg),
            Some(Waiting::Reversal(no)) => {
                self.reversal_answered(no, msg);
                None
            }
            Some(Waiting::Mistake(no)) => {
                self.mistake_answered(no, msg);
                None
            }
            None => {
                self.strays.push(Stray {
                    mti: msg.mti.clone(),
                    stan: msg.text(11).to_owned(),
                    transmission: msg.text(7).to_owned(),
                    code: msg.text(39).to_owned(),
                });
                None
            }
        }
    }

    fn answered(&mut self, no: usize, now: Instant, at_ms: u64, msg: &Msg) -> Option<Msg> {
        let row = self.rows.get_mut(no)?;
        row.request.answers += 1;
        row.note_contradiction(msg);
        match row.request.end {
            End::InFlight => {}
            End::TimedOut => {
                row.request.late_answers += 1;
                self.counts.late += 1;
                return None;
            }
            End::Answered | End::Unsent => {
                self.counts.duplicates += 1;
                return None;
            }
        }
        row.settle(msg);
        let approved = row.request.is_approved();
        let got = if approved { Got::Approved } else { Got::Declined };
        let took = now.saturating_duration_since(row.left);
        self.latency.record(got, row.left.saturating_duration_since(self.start), took);
        self.counts.approved += u64::from(approved);
        self.counts.declined += u64::from(!approved);
        let sign = if row.extra.advice { 0 } else { row.request.business.sign() };
        if approved && sign > 0 && self.maker.customer_reverses() {
            return self.reverse(no, now, at_ms, Why::Customer);
        }
        self.unsettled -= 1;
        let follows = if approved { self.follow_up(no, now, at_ms) } else { None };
        if follows.is_some() {
            return follows;
        }
        if self.maker.repeats() { self.say_again(no, at_ms) } else { None }
    }

    fn reversal_answered(&mut self, no: usize, msg: &Msg) {
        let reversal = self.rows.get_mut(no).and_then(|row| row.request.reversal.as_mut());
        if reversal.is_some_and(|reversal| reversal.acknowledge(msg.text(39))) {
            self.counts.reversed += 1;
            self.unsettled -= 1;
        }
    }
}

pub(super) fn key(msg: &Msg) -> Key {
    (msg.text(11).to_owned(), msg.text(7).to_owned())
}

fn pop_due(queue: &mut VecDeque<(Instant, usize)>, now: Instant) -> Option<usize> {
    let (_, no) = *queue.front().filter(|(at, _)| *at <= now)?;
    queue.pop_front();
    Some(no)
}
