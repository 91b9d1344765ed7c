//! Queue of log lines between whoever has something to log and the thread that writes the log.
//!
//! Contract: whoever logs never waits for the log and never hears of its trouble. The queue is
//! bounded in bytes; what finds it full and what cannot be written is lost and counted by reason,
//! and the log says so as soon as it takes lines again. Deliberately absent: the thread (`server`
//! spawns it), and what a line looks like.

use super::names;
use crate::limits::{LOG_END_LIMIT, LOG_QUEUE_BYTES};
use metrics::Counter;
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// How often a panic tries to get at the queue before its line is lost.
const TRIES_OF_A_PANIC: u32 = 1_000;
/// Pause before a log that takes nothing at the moment is tried again, and how often that is done.
const BUSY_PAUSE: Duration = Duration::from_millis(10);
const BUSY_TRIES: u32 = 100;
/// How often a log that took nothing is tried again while nothing is logged.
const RETRY: Duration = Duration::from_secs(1);

/// Lines that wait to be written.
pub(super) struct LogQueue {
    state: Mutex<State>,
    changed: Condvar,
    room: usize,
    full: Counter,
    failed: Counter,
}

#[derive(Default)]
struct State {
    waiting: Lines,
    /// Lines that found it full since lines were last taken.
    turned_away: u64,
    /// Nothing more comes.
    closed: bool,
    /// And everything that came has been written, or lost.
    over: bool,
}

/// Whole lines, one behind the other.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

/// Lines that were lost, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lost {
    /// The queue was full.
    pub(super) full: u64,
    /// They could not be written.
    pub(super) failed: u64,
}

/// What else goes into a log, asked for by the thread that writes it.
pub(super) trait Remarks {
    /// A line that says how many are missing here.
    fn of_lost(&self, lost: Lost) -> Vec<u8>;
    /// Lines that are due by now, and how long to wait for the next; `None` where none is expected.
    fn due(&self, last: bool, into: &mut dyn FnMut(&[u8])) -> Option<Duration>;
}

impl LogQueue {
    /// An empty queue of the usual size.
    pub(super) fn new() -> Self {
        Self::with_room(LOG_QUEUE_BYTES)
    }

    pub(super) fn with_room(room: usize) -> Self {
        let lost = |reason| metrics::counter!(names::LOG_LOST, "reason" => reason);
        let (full, failed) = (lost("full"), lost("failed"));
        full.increment(0);
        failed.increment(0);
        Self { state: Mutex::default(), changed: Condvar::new(), room, full, failed }
    }

    /// Takes one line, its end included, or counts it as lost.
    pub(super) fn push(&self, line: &[u8]) {
        self.take_in(self.state(), line);
    }

    /// The same for a panic, which may hold the queue itself: tries for a moment only.
    pub(super) fn push_in_panic(&self, line: &[u8]) {
        for _ in 0..TRIES_OF_A_PANIC {
            match self.state.try_lock() {
                Ok(state) => return self.take_in(state, line),
                Err(TryLockError::Poisoned(state)) => {
                    return self.take_in(state.into_inner(), line);
                }
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        self.full.increment(1);
    }

    fn take_in(&self, mut state: MutexGuard<'_, State>, line: &[u8]) {
        let State { waiting, turned_away, closed, .. } = &mut *state;
        if *closed || waiting.bytes.len().saturating_add(line.len()) > self.room {
            *turned_away += 1;
            drop(state);
            return self.full.increment(1);
        }
        waiting.bytes.extend_from_slice(line);
        waiting.ends.push(waiting.bytes.len());
        drop(state);
        self.changed.notify_one();
    }

    /// Takes nothing more and waits until everything is written, for [`LOG_END_LIMIT`] at most.
    /// Whether it is.
    pub(super) fn close(&self) -> bool {
        let mut state = self.state();
        state.closed = true;
        self.changed.notify_all();
        let limit = LOG_END_LIMIT;
        let waited = self.changed.wait_timeout_while(state, limit, |state| !state.over);
        waited.unwrap_or_else(PoisonError::into_inner).0.over
    }

    /// Writes what comes until the queue is closed and empty.
    pub(super) fn write_out(&self, to: impl Write, remarks: &dyn Remarks) {
        let mut log = Log { queue: self, to, remarks, untold: Lost::default(), torn: false };
        let mut lines = Lines::default();
        loop {
            let (full, closed) = self.take_out(log.next_look(), &mut lines);
            log.take(&lines, full);
            if closed {
                // Whatever is counted and not told yet is told now.
                log.finish();
                break;
            }
        }
        self.state().over = true;
        self.changed.notify_all();
    }

    /// Waits for lines, at most so long, and takes all there are: how many found it full behind
    /// them, and whether these were the last.
    fn take_out(&self, patience: Option<Duration>, into: &mut Lines) -> (u64, bool) {
        into.bytes.clear();
        into.ends.clear();
        let empty = |state: &mut State| !state.closed && state.waiting.ends.is_empty();
        let state = self.state();
        let mut state = match patience {
            None => self.changed.wait_while(state, empty).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => {
                let waited = self.changed.wait_timeout_while(state, limit, empty);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        mem::swap(&mut state.waiting, into);
        (mem::take(&mut state.turned_away), state.closed)
    }

    /// Waits a moment, whatever comes.
    fn pause(&self) {
        drop(self.changed.wait_timeout_while(self.state(), BUSY_PAUSE, |_| true));
    }

    /// Does this while the queue is held; what waits.
    #[cfg(test)]
    pub(super) fn while_held(&self, what: impl FnOnce()) -> Vec<u8> {
        let state = self.state();
        what();
        state.waiting.bytes.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves whole lines behind, or one that is cut.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for LogQueue {
    fn default() -> Self {
        Self::new()
    }
}

/// The log and what is known of its trouble.
struct Log<'q, W> {
    queue: &'q LogQueue,
    to: W,
    remarks: &'q dyn Remarks,
    /// Lost, and the log does not say so yet.
    untold: Lost,
    /// The last line it took is not whole.
    torn: bool,
}

impl<W: Write> Log<'_, W> {
    /// Writes lines, behind which so many found the queue full.
    fn take(&mut self, lines: &Lines, full: u64) {
        if self.tell_lost() {
            self.write(lines);
        } else {
            self.lose(lines.ends.len());
        }
        self.untold.full += full;
        self.tell_lost();
    }

    /// Says what is lost, if anything is; whether the log takes lines.
    fn tell_lost(&mut self) -> bool {
        if self.untold == Lost::default() {
            return true;
        }
        let told = self.put(&self.remarks.of_lost(self.untold)).is_ok();
        if told {
            self.untold = Lost::default();
        }
        told
    }

    /// Writes what is due beside the lines that were logged; when to look again at the latest.
    fn next_look(&mut self) -> Option<Duration> {
        let due = self.write_due(false);
        let retry = (self.untold != Lost::default()).then_some(RETRY);
        [due, retry].into_iter().flatten().min()
    }

    fn finish(&mut self) {
        self.write_due(true);
    }

    fn write_due(&mut self, last: bool) -> Option<Duration> {
        let mut due = Lines::default();
        let next = self.remarks.due(last, &mut |line| {
            due.bytes.extend_from_slice(line);
            due.ends.push(due.bytes.len());
        });
        if !due.ends.is_empty() {
            self.take(&due, 0);
        }
        next
    }

    fn write(&mut self, lines: &Lines) {
        if let Err(done) = self.put(&lines.bytes) {
            let whole = lines.ends.partition_point(|end| *end <= done);
            self.lose(lines.ends.len() - whole);
        }
    }

    fn lose(&mut self, lines: usize) {
        let lines = u64::try_from(lines).unwrap_or(u64::MAX);
        self.untold.failed = self.untold.failed.saturating_add(lines);
        self.queue.failed.increment(lines);
    }

    /// Writes whole lines; on failure how many bytes were taken.
    fn put(&mut self, lines: &[u8]) -> Result<(), usize> {
        if lines.is_empty() {
            return Ok(());
        }
        if mem::take(&mut self.torn) && self.put_all(b"\n").is_err() {
            self.torn = true;
            return Err(0);
        }
        self.put_all(lines).inspect_err(|done| {
            let end = done.checked_sub(1).and_then(|last| lines.get(last));
            self.torn = end.is_some_and(|byte| *byte != b'\n');
        })
    }

    fn put_all(&mut self, bytes: &[u8]) -> Result<(), usize> {
        let (mut done, mut busy) = (0, 0);
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            match self.to.write(rest) {
                Ok(0) => return Err(done),
                Ok(len) => (done, busy) = (done + len, 0),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Somebody made it non-blocking, and its reader is behind.
                Err(error) if error.kind() == ErrorKind::WouldBlock && busy < BUSY_TRIES => {
                    busy += 1;
                    self.queue.pause();
                }
                Err(_) => return Err(done),
            }
        }
        Ok(())
    }
}

/// Puts each write into the queue: one line, as the formatter writes them.
pub(super) struct Pushing<'q>(pub(super) &'q LogQueue);

impl Write for Pushing<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
