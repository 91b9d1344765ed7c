//! The journal's own thread: takes what the driver recorded, makes it durable, says so.
//!
//! Contract: all records that wait when a commit begins become one write and one fdatasync;
//! records that come meanwhile wait for the next. Marks only grow. After a failure nothing is
//! tried again: [`JournalHandle::health`] says why and the driver ends the process (invariant
//! I12). A full disk is not a failure: it is told, new requests are refused, what is recorded goes
//! to the reserve, and all is well once there is space (`super::shelf_keeper`). Questions about
//! old records are passed on after the commit they came before, to a thread that may be slow
//! ([`super::recall_thread`]).
//! Deliberately absent: what records mean beyond encoding and decoding them.

use super::clock::Clock;
use super::handover::Handover;
use super::process_memory::wipe_stack;
use super::recall_index::{Key, note_keys};
use super::recall_thread::{Library, RecallThread};
use super::shelf_keeper::{Fullness, ShelfKeeper};
use crate::journal::{Batch, Class, JournalError, Writer};
use crate::link::Inbox;
use crate::switch::ids::{RecordNo, Ticket};
use crate::switch::output::RecallKey;
use crate::switch::record::Record;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

/// Silence after which the mark of what is durable is itself written down.
const IDLE_AFTER: Duration = Duration::from_millis(100);
/// Bytes after which a new batch is begun, where segments allow that much: a commit of more
/// gains nothing.
const BATCH_BYTES: usize = 1 << 20;
/// Pause between two looks whether there is space for what is decided.
const FULL_DISK_RETRY: Duration = Duration::from_millis(200);
/// Empty batches kept for use: what a slow disk made necessary is given back.
const EMPTY_KEPT: usize = 1;

/// How the journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Everything is written.
    Good,
    /// No space: records still fit the reserve, nothing new should be begun.
    Full(Left),
    /// It failed for good; why.
    Failed(String),
}

/// What is left of the reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Enough to write down refusals.
    Enough,
    /// Less than half: it is kept for how things end that have begun.
    Little,
}

/// The driver's end.
#[derive(Debug)]
pub struct JournalHandle {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// The number after the last record handed over.
    next: RecordNo,
}

/// Called with the duration of each commit and how many records it held.
pub type OnCommit = Box<dyn FnMut(Duration, u64) + Send>;

#[derive(Debug)]
struct Shared {
    work: Handover<Work>,
    durable: AtomicU64,
    full: Arc<Fullness>,
    failure: OnceLock<String>,
    inbox: Arc<Inbox>,
    batch_bytes: usize,
}

#[derive(Debug)]
struct Work {
    /// Batches that are full, oldest first.
    full: VecDeque<Batch>,
    filling: Batch,
    /// Empty batches whose memory is used again.
    empty: Vec<Batch>,
    recalls: VecDeque<(Ticket, RecallKey)>,
    /// Of the records in the batches: what the index of old records will hold.
    keys: Vec<Key>,
    stop: bool,
}

impl JournalHandle {
    /// Starts the thread around a writer whose next record is the driver's next.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(
        writer: Writer,
        library: Library,
        batch_bytes_max: usize,
        clock: Clock,
        inbox: Arc<Inbox>,
        on_commit: OnCommit,
    ) -> std::io::Result<Self> {
        let next = writer.next();
        let full = Arc::new(Fullness::new(Arc::clone(&inbox)));
        let shared = Arc::new(Shared {
            work: Handover::new(Work {
                full: VecDeque::new(),
                filling: Batch::new(next),
                empty: Vec::new(),
                recalls: VecDeque::new(),
                keys: Vec::new(),
                stop: false,
            }),
            durable: AtomicU64::new(next - 1),
            full: Arc::clone(&full),
            failure: OnceLock::new(),
            inbox,
            // Half of what fits, so that no single turn can outgrow a segment.
            batch_bytes: BATCH_BYTES.min(batch_bytes_max / 2),
        });
        let failing = Arc::clone(&shared);
        let failed = move |why| {
            let _ = failing.failure.set(why);
            failing.inbox.knock();
        };
        let inbox = Arc::clone(&shared.inbox);
        let scribe = Scribe {
            shared: Arc::clone(&shared),
            shelf_keeper: ShelfKeeper::start(writer.shelf(), full)?,
            writer,
            recall: RecallThread::start(library, next - 1, inbox, failed)?,
            clock,
            on_commit,
        };
        let thread =
            std::thread::Builder::new().name("journal".to_owned()).spawn(move || scribe.run())?;
        Ok(Self { shared, thread: Some(thread), next: RecordNo(next) })
    }

    /// Takes in the turn's records, in order and without gaps.
    pub fn hand_over(&mut self, records: &[(RecordNo, Box<Record>)]) {
        if records.is_empty() {
            return;
        }
        let (next, batch_bytes) = (&mut self.next, self.shared.batch_bytes);
        self.shared.work.ring(|work| {
            for (no, record) in records {
                let no = *no;
                debug_assert_eq!(no, *next, "records are numbered without gaps");
                *next = RecordNo(no.0 + 1);
                if work.filling.sealed_len() >= batch_bytes {
                    work.begin_batch(no);
                }
                work.filling.push_with(|buffer| record.encode(buffer));
                note_keys(no, record, &mut work.keys);
            }
        });
    }

    /// Asks for an old record; the answer comes as `Input::Recalled`.
    pub fn recall(&self, ticket: Ticket, key: RecallKey) {
        self.shared.work.ring(|work| work.recalls.push_back((ticket, key)));
    }

    /// Every record up to this one is durable.
    pub fn durable(&self) -> RecordNo {
        RecordNo(self.shared.durable.load(Ordering::Acquire))
    }

    /// Records handed over and not yet durable.
    pub fn lag(&self) -> u64 {
        self.next.0.saturating_sub(1).saturating_sub(self.durable().0)
    }

    /// How it is.
    pub fn health(&self) -> Health {
        match self.shared.failure.get() {
            Some(why) => Health::Failed(why.clone()),
            None => self.shared.full.left().map_or(Health::Good, Health::Full),
        }
    }

    /// Bytes its disk has left, as of the last look.
    pub fn free(&self) -> Option<u64> {
        self.shared.full.free()
    }

    /// Makes everything durable, writes the last mark and ends the thread.
    pub fn stop(mut self) -> Health {
        self.end();
        self.health()
    }

    fn end(&mut self) {
        self.shared.work.ring(|work| work.stop = true);
        let ended = self.thread.take().map(JoinHandle::join);
        if let Some(Err(_)) = ended {
            let _ = self.shared.failure.set("its thread panicked".to_owned());
        }
    }
}

impl Drop for JournalHandle {
    fn drop(&mut self) {
        self.end();
    }
}

impl Work {
    fn begin_batch(&mut self, first: RecordNo) {
        let mut batch = self.empty.pop().unwrap_or_else(|| Batch::new(first.0));
        batch.reset(first.0);
        self.full.push_back(std::mem::replace(&mut self.filling, batch));
    }

    fn is_idle(&self) -> bool {
        self.full.is_empty() && self.filling.is_empty() && self.recalls.is_empty()
    }
}

/// What runs on the thread.
struct Scribe {
    shared: Arc<Shared>,
    writer: Writer,
    recall: RecallThread,
    clock: Clock,
    on_commit: OnCommit,
    shelf_keeper: ShelfKeeper,
}

impl Scribe {
    fn run(mut self) {
        if let Err(error) = self.work_until_stopped() {
            let _ = self.shared.failure.set(error.to_string());
        }
        self.shared.inbox.knock();
    }

    fn work_until_stopped(&mut self) -> Result<(), JournalError> {
        let (mut batches, mut recalls, mut keys) = (VecDeque::new(), VecDeque::new(), Vec::new());
        let mut marked = true;
        loop {
            let stop = self.take(&mut batches, &mut recalls, &mut keys, marked);
            if batches.is_empty() && recalls.is_empty() {
                self.writer.idle(self.clock.wall())?;
                wipe_stack();
                marked = true;
                if stop {
                    return Ok(());
                }
                continue;
            }
            marked &= batches.is_empty();
            self.commit(&mut batches)?;
            self.recall.keys(&mut keys, self.writer.durable());
            self.recall.ask(&mut recalls);
        }
    }

    /// Waits for work, or – if the mark is not written yet – for silence. True: stop when done.
    fn take(
        &self,
        batches: &mut VecDeque<Batch>,
        recalls: &mut VecDeque<(Ticket, RecallKey)>,
        keys: &mut Vec<Key>,
        marked: bool,
    ) -> bool {
        self.shared.work.with(|work| {
            work.empty.extend(batches.drain(..));
            work.empty.truncate(EMPTY_KEPT);
        });
        let longest = (!marked).then_some(IDLE_AFTER);
        self.shared.work.take(
            longest,
            |work| work.is_idle() && !work.stop,
            |work| {
                if !work.filling.is_empty() {
                    let next = RecordNo(work.filling.next());
                    work.begin_batch(next);
                }
                std::mem::swap(&mut work.full, batches);
                std::mem::swap(&mut work.recalls, recalls);
                std::mem::swap(&mut work.keys, keys);
                work.stop
            },
        )
    }

    fn commit(&mut self, batches: &mut VecDeque<Batch>) -> Result<(), JournalError> {
        if batches.is_empty() {
            return Ok(());
        }
        let (began, before) = (self.clock.mono(), self.writer.durable());
        for batch in batches {
            self.append(batch)?;
        }
        let upto = self.writer.sync()?;
        self.shared.durable.store(upto, Ordering::Release);
        self.shared.inbox.knock();
        (self.on_commit)(self.clock.mono().since(began), upto - before);
        self.shelf_keeper.look();
        Ok(())
    }

    /// A batch always gets in in the end: what it says has been decided.
    fn append(&mut self, batch: &mut Batch) -> Result<(), JournalError> {
        let wall = self.clock.wall();
        match self.writer.append(batch, Class::Ordinary, wall) {
            Err(JournalError::DiskFull) => {}
            other => return other.map(drop),
        }
        loop {
            let appended = self.writer.append(batch, Class::Essential, wall);
            self.shared.full.set(self.writer.is_near_end());
            self.shelf_keeper.hurry();
            match appended {
                // Whoever waits for the end hears that this is not written.
                Err(JournalError::DiskFull) if !self.shared.work.with(|work| work.stop) => {
                    std::thread::park_timeout(FULL_DISK_RETRY);
                }
                other => return other.map(drop),
            }
        }
    }
}
