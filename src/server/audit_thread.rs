//! The live auditor: a thread that looks at every record after it was decided and says at once
//! when a rule of money is broken.
//!
//! Contract: the driver lends its records and never waits; what the auditor reads of each is
//! written down where it is lent ([`Extract`], some 80 bytes), so that the records themselves are
//! freed on the thread that made them. The thread looks ten times a second, and is woken in
//! between only when `WAKE_AT` records wait: at most one wake-up for some 500 payments, and what
//! waits stays small. Extracts that pile up beyond `AUDIT_BACKLOG_MAX`, 5 MB of them, are let go,
//! counted and warned of, and the auditor begins again behind them; there are two lists of them,
//! which change places, and are given back where they grew larger than `ROOM_KEPT`. Deliberately
//! absent: acting on what it finds; that is for people, who are told the transaction.

use super::housekeeping;
use crate::limits::AUDIT_BACKLOG_MAX;
use crate::switch::audit::{Auditor, Extract, Violation};
use crate::switch::ids::RecordNo;
use crate::switch::record::Record;
use crate::telemetry::AuditMeters;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Settled transactions kept for judging what comes later of them: some 3 MB with their names.
/// A power of two, so that no room stands empty; what is not settled stays beside them.
pub(super) const TRANSACTIONS_KEPT: usize = 32_768;
/// Extracts that wait when the thread is woken for them: 160 KB.
const WAKE_AT: usize = 2_048;
/// Extracts for which a list keeps its room: twice what waits when all is well.
const ROOM_KEPT: usize = 2 * WAKE_AT;
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The driver's end.
#[derive(Debug)]
pub struct AuditHandle {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    stop: AtomicBool,
}

/// What is to be looked at.
#[derive(Debug, Default)]
struct Waiting {
    /// In order, without gaps.
    extracts: Vec<Extract>,
    /// Some before the first of them were let go.
    lost: bool,
}

impl Waiting {
    /// Adds to what waits; whether the thread is to be woken for it.
    fn take_in(&mut self, records: &[(RecordNo, Box<Record>)]) -> bool {
        if self.extracts.len() + records.len() > AUDIT_BACKLOG_MAX {
            self.extracts.clear();
            self.lost = true;
        }
        let before = self.extracts.len();
        self.extracts.extend(records.iter().map(|(no, record)| Extract::of(*no, record)));
        before < WAKE_AT && self.extracts.len() >= WAKE_AT
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuditHandle {
    /// Starts the thread around an auditor that has seen what came before.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(auditor: Auditor) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let watch = move || Watcher { auditor, meters: AuditMeters::default() }.run(&theirs);
        let thread = housekeeping::start("audit", watch)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Reads the turn's records, in order.
    pub fn take_in(&self, records: &[(RecordNo, Box<Record>)]) {
        if records.is_empty() {
            return;
        }
        let wake = self.shared.waiting().take_in(records);
        if let Some(thread) = self.thread.as_ref().filter(|_| wake) {
            thread.thread().unpark();
        }
    }

    fn end(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It panicked or it ended: either way there is nothing left to do.
            let _ = thread.join();
        }
    }
}

impl Drop for AuditHandle {
    /// Ends the thread; what waits is looked at first.
    fn drop(&mut self) {
        self.end();
    }
}

struct Watcher {
    auditor: Auditor,
    meters: AuditMeters,
}

impl Watcher {
    fn run(mut self, shared: &Shared) {
        self.tell();
        let mut taken = Waiting::default();
        loop {
            let stop = shared.stop.load(Ordering::Acquire);
            std::mem::swap(&mut *shared.waiting(), &mut taken);
            let none = taken.extracts.is_empty();
            self.look(&mut taken);
            self.tell();
            if stop && none {
                return;
            }
            if none {
                std::thread::park_timeout(LOOK_EVERY);
            }
        }
    }

    /// Judges all of it, and leaves it empty.
    fn look(&mut self, taken: &mut Waiting) {
        if std::mem::take(&mut taken.lost) {
            tracing::warn!("the live audit fell behind and begins anew: audit the journal");
            self.meters.fell_behind();
            self.auditor = Auditor::bounded(TRANSACTIONS_KEPT);
        }
        for extract in taken.extracts.drain(..) {
            self.auditor.judge(&extract);
        }
        taken.extracts.shrink_to(ROOM_KEPT);
    }

    /// Each broken rule wakes somebody.
    fn tell(&mut self) {
        for violation in self.auditor.broken_since() {
            self.meters.broken(violation.rule());
            told(&violation);
        }
    }
}

fn told(violation: &Violation) {
    let (rule, txn, record) = (violation.rule(), violation.transaction(), violation.record());
    tracing::error!(rule, %txn, %record, "AUDIT: a rule of money is broken: {violation}");
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::switch::record::{Closed, Ending};
    use crate::telemetry::{Recorder, names};
    use crate::time::Wall;

    fn closed(entry: u64) -> Box<Record> {
        let closed = Closed::bare(RecordNo(entry), Wall::default(), Ending::Acknowledged);
        Box::new(Record::Closed(closed))
    }

    fn released(no: u64) -> (RecordNo, Box<Record>) {
        (RecordNo(no), Box::new(Record::Released(RecordNo(no))))
    }

    #[test]
    fn a_broken_rule_is_counted_under_its_name() {
        let recorder = Recorder::of_process();
        let audit = AuditHandle::start(Auditor::bounded(10)).unwrap();
        let records = [released(1), (RecordNo(2), closed(1))];
        audit.take_in(&records);
        drop(audit);
        let page = recorder.render();
        let line = format!("{}{{rule=\"stray_entry\"}} 1", names::AUDIT_VIOLATIONS);
        assert!(page.contains(&line), "{page}");
    }

    #[test]
    fn what_waits_is_bounded_and_the_auditor_begins_anew_behind_what_was_let_go() {
        let auditor = Auditor::bounded(10);
        let mut watcher = Watcher { auditor, meters: AuditMeters::default() };
        let (mut waiting, mut taken) = (Waiting::default(), Waiting::default());
        let turn = |from: usize, count: usize| -> Vec<_> {
            (from as u64..(from + count) as u64).map(released).collect()
        };
        assert!(!waiting.take_in(&turn(1, WAKE_AT - 1)));
        assert!(waiting.take_in(&turn(WAKE_AT, 1)), "woken");
        assert!(!waiting.take_in(&turn(WAKE_AT + 1, 1)), "woken once");
        std::mem::swap(&mut waiting, &mut taken);
        // While the thread looks at these, more than may wait come, and later it looks again.
        assert!(waiting.take_in(&turn(WAKE_AT + 2, AUDIT_BACKLOG_MAX)));
        watcher.look(&mut taken);
        assert!(taken.extracts.is_empty() && taken.extracts.capacity() >= WAKE_AT);
        waiting.take_in(&turn(WAKE_AT + 2 + AUDIT_BACKLOG_MAX, 3));
        assert_eq!((waiting.extracts.len(), waiting.lost), (3, true));
        watcher.look(&mut waiting);
        assert_eq!(watcher.auditor.broken_since(), [], "no gap is told of what was let go");
        assert!(!waiting.lost && waiting.extracts.capacity() <= ROOM_KEPT);
        waiting.take_in(&turn(1, 1));
        watcher.look(&mut waiting);
        assert_eq!(watcher.auditor.broken_since().len(), 1, "a gap is told");
    }
}
