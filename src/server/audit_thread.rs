//! The live auditor: a thread that looks at every record after it was decided and says at once
//! when a rule of money is broken.
//!
//! Contract: the driver hands its records over for free – they go where it would have dropped
//! them – and never waits. The thread looks ten times a second, and is woken in between only
//! when `WAKE_AT` records wait: at most one wake-up for some 500 payments, and what waits
//! stays small. Records that pile up beyond `BACKLOG_MAX` are let go, counted and warned of,
//! and the auditor begins again behind them. Deliberately absent: acting on what it finds; that is
//! for people, who are told the transaction.

use crate::switch::audit::{Auditor, Violation};
use crate::switch::ids::RecordNo;
use crate::switch::record::Record;
use crate::telemetry::AuditMeters;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Settled transactions kept for judging what comes later of them: some 5 MB with their names.
/// A power of two, so that no room stands empty; what is not settled stays beside them.
pub(super) const TRANSACTIONS_KEPT: usize = 32_768;
/// Records that wait when the thread is woken for them: a megabyte or two.
const WAKE_AT: usize = 2_048;
/// Records that may wait, some 32 MB: a third of a second of the fastest traffic, for a thread
/// that was woken long before.
const BACKLOG_MAX: usize = 1 << 16;
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

type Records = Vec<(RecordNo, Box<Record>)>;

/// The driver's end.
#[derive(Debug)]
pub struct AuditHandle {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Records>,
    /// Records were let go.
    lost: AtomicBool,
    stop: AtomicBool,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Records> {
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
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(watch)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Takes the turn's records, in order, and empties the list.
    pub fn take_in(&self, records: &mut Records) {
        if records.is_empty() {
            return;
        }
        let mut waiting = self.shared.waiting();
        if waiting.len() + records.len() > BACKLOG_MAX {
            waiting.clear();
            self.shared.lost.store(true, Ordering::Release);
        }
        let before = waiting.len();
        waiting.append(records);
        let wake = before < WAKE_AT && waiting.len() >= WAKE_AT;
        drop(waiting);
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
        let mut records = Records::new();
        loop {
            let stop = shared.stop.load(Ordering::Acquire);
            std::mem::swap(&mut *shared.waiting(), &mut records);
            if shared.lost.swap(false, Ordering::AcqRel) {
                tracing::warn!("the live audit fell behind and begins anew: audit the journal");
                self.meters.fell_behind();
                self.auditor = Auditor::bounded(TRANSACTIONS_KEPT);
            }
            let none = records.is_empty();
            for (no, record) in records.drain(..) {
                self.auditor.see(no, &record);
            }
            self.tell();
            if stop && none {
                return;
            }
            if none {
                std::thread::park_timeout(LOOK_EVERY);
            }
        }
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
        let (entry, at, ending) = (RecordNo(entry), Wall::default(), Ending::Acknowledged);
        let closed = Closed { entry, at, ending, bank_code: None, settlement_date: None };
        Box::new(Record::Closed(closed))
    }

    #[test]
    fn a_broken_rule_is_counted_under_its_name() {
        let recorder = Recorder::of_process();
        let audit = AuditHandle::start(Auditor::bounded(10)).unwrap();
        let mut records =
            vec![(RecordNo(1), Box::new(Record::Released(RecordNo(1)))), (RecordNo(2), closed(1))];
        audit.take_in(&mut records);
        assert!(records.is_empty());
        drop(audit);
        let page = recorder.render();
        let line = format!("{}{{rule=\"stray_entry\"}} 1", names::AUDIT_VIOLATIONS);
        assert!(page.contains(&line), "{page}");
    }
}
