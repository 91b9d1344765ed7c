//! The thread that answers recalls: reads old records, and keeps the index by day.
//!
//! Contract: the journal's thread hands over keys of records that are durable, and questions; it
//! never waits for this one, so a slow read holds no commit. The index is derived: whatever is
//! missing, stale or damaged is brought up from the segments on one more thread, and never
//! refuses a start; questions by name wait until it is done, questions by number do not. Keys
//! that come meanwhile are held, and past `HELD_KEYS_MAX` brought up once more instead. Records
//! that cannot be read end the process like any damage.

use super::handover::Handover;
use super::housekeeping;
use super::process_memory::wipe_stack;
use super::recall_index::{Key, OnDisk, Trouble, brought_up, enter};
use crate::journal::{Backend, DayIndex, JournalError, Reader};
use crate::limits::HELD_KEYS_MAX;
use crate::link::{Arrival, Inbox};
use crate::switch::ids::Ticket;
use crate::switch::input::Input;
use crate::switch::library;
use crate::switch::output::RecallKey;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::warn;

/// Keys that wait before the thread is woken for them alone: a commit must not cost a wake.
const WAKE_KEYS: usize = 4_096;
/// Keys for which a list keeps its memory: more come at once only after something was slow.
const KEPT_KEYS: usize = 4 * WAKE_KEYS;
/// Pause before a question is tried again for which there was no descriptor.
const SCARCE_PAUSE: Duration = Duration::from_millis(200);
/// Pause before a failed attempt to bring the index up is repeated.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What the thread reads with.
pub struct Library {
    /// The disk, for the index.
    pub backend: Arc<dyn Backend>,
    /// Answers.
    pub reader: Reader,
    /// Brings the index up.
    pub second: Reader,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Work {
    keys: Vec<Key>,
    /// All keys of records up to this one were handed over.
    upto: u64,
    /// Some were dropped: the index has to be brought up from the segments.
    dropped: bool,
    asked: VecDeque<(Ticket, RecallKey)>,
    brought: Option<(DayIndex, Reader)>,
    stop: bool,
}

#[derive(Debug, Default)]
struct Shared {
    work: Handover<Work>,
    stop: AtomicBool,
}

/// The handle of the journal's thread.
#[derive(Debug)]
pub(super) struct RecallThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl RecallThread {
    /// Starts it; records up to `durable` are on disk already. `failed` is told why it ended, if
    /// a record cannot be read.
    pub(super) fn start(
        library: Library,
        durable: u64,
        inbox: Arc<Inbox>,
        failed: impl FnOnce(String) + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.work.with(|work| work.upto = durable);
        let Library { backend, reader, second } = library;
        let mut librarian = Librarian {
            shared: Arc::clone(&shared),
            backend,
            reader,
            inbox,
            index: Index::Missing(second),
            held: Vec::new(),
            upto: durable,
            gap: 0,
            waiting: VecDeque::new(),
            scarce: false,
        };
        let run = move || {
            if let Err(error) = librarian.run() {
                failed(error.to_string());
            }
            librarian.close();
        };
        let thread = std::thread::Builder::new().name("recall".to_owned()).spawn(run)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Hands over keys of durable records, all up to `upto`, and empties the list.
    pub(super) fn keys(&self, keys: &mut Vec<Key>, upto: u64) {
        self.shared.work.ring_if(|work| {
            if work.keys.len() + keys.len() > HELD_KEYS_MAX {
                work.dropped = true;
                work.keys.clear();
                keys.clear();
            }
            work.keys.append(keys);
            work.upto = upto;
            work.keys.len() >= WAKE_KEYS
        });
        keys.shrink_to(KEPT_KEYS);
    }

    /// Asks; the answer comes as [`Input::Recalled`].
    pub(super) fn ask(&self, asked: &mut VecDeque<(Ticket, RecallKey)>) {
        if !asked.is_empty() {
            self.shared.work.ring(|work| work.asked.append(asked));
        }
    }
}

impl Drop for RecallThread {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.work.ring(|work| work.stop = true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where the index is.
enum Index {
    /// Whole up to the keys that are held.
    Ready(DayIndex, Reader),
    /// Nobody is at it; the reader that will be.
    Missing(Reader),
    /// Another thread brings it up; `None` where there was no thread to be had.
    Coming(Option<JoinHandle<()>>),
}

struct Librarian {
    shared: Arc<Shared>,
    backend: Arc<dyn Backend>,
    reader: Reader,
    inbox: Arc<Inbox>,
    index: Index,
    /// Keys not yet in the index.
    held: Vec<Key>,
    /// All keys up to this record are in the index or held.
    upto: u64,
    /// Keys up to this record were dropped: an index that ends before is not whole.
    gap: u64,
    /// Questions that need the index, or what was not to be had when they were asked.
    waiting: VecDeque<(Ticket, RecallKey)>,
    /// Something was not to be had: it is tried again, whatever comes.
    scarce: bool,
}

impl Librarian {
    fn run(&mut self) -> Result<(), JournalError> {
        let mut asked = VecDeque::new();
        loop {
            self.bring_up();
            let stop = self.take(&mut asked);
            self.enter();
            self.waiting.extend(asked.drain(..));
            for _ in 0..self.waiting.len() {
                if let Some((ticket, key)) = self.waiting.pop_front() {
                    self.answer(ticket, key)?;
                }
            }
            self.forget();
            if stop {
                return Ok(());
            }
        }
    }

    /// Leaves nothing of the records that were read.
    fn forget(&mut self) {
        self.reader.forget();
        if let Index::Ready(_, reader) = &mut self.index {
            reader.forget();
        }
        wipe_stack();
    }

    fn take(&mut self, asked: &mut VecDeque<(Ticket, RecallKey)>) -> bool {
        let idle = |work: &Work| {
            let quiet = work.keys.len() < WAKE_KEYS && work.asked.is_empty();
            quiet && work.brought.is_none() && !work.stop
        };
        let shared = Arc::clone(&self.shared);
        let longest = std::mem::take(&mut self.scarce).then_some(SCARCE_PAUSE);
        let (stop, brought) = shared.work.take(longest, idle, |work| {
            std::mem::swap(&mut work.asked, asked);
            self.hold(work);
            (work.stop, work.brought.take())
        });
        if let Some((index, reader)) = brought {
            self.index = Index::Ready(index, reader);
        }
        if matches!(&self.index, Index::Ready(index, _) if index.upto() < self.gap) {
            self.lose_index();
        }
        stop
    }

    /// Holds the keys that were handed over, unless they are too many.
    fn hold(&mut self, work: &mut Work) {
        let room = HELD_KEYS_MAX.saturating_sub(self.held.len());
        if work.dropped || work.keys.len() > room {
            // Too many while the index was coming: it has to be brought up to here as well.
            (work.dropped, self.held, self.gap) = (false, Vec::new(), work.upto);
            work.keys.clear();
        }
        if self.held.is_empty() {
            std::mem::swap(&mut self.held, &mut work.keys);
        } else {
            self.held.append(&mut work.keys);
        }
        self.upto = work.upto;
    }

    /// Brings the index up on a thread of its own, where nobody is at it.
    fn bring_up(&mut self) {
        let reader = match std::mem::replace(&mut self.index, Index::Coming(None)) {
            Index::Missing(reader) => reader,
            other => {
                self.index = other;
                return;
            }
        };
        let (shared, backend) = (Arc::clone(&self.shared), Arc::clone(&self.backend));
        let work = move || bring_up(&shared, &backend, reader);
        match housekeeping::start("recall-index", work) {
            Ok(thread) => self.index = Index::Coming(Some(thread)),
            Err(error) => warn!(%error, "no thread for the index of old records: none is found"),
        }
    }

    /// Puts what is held into the index; writes a block when there is enough.
    fn enter(&mut self) {
        let Index::Ready(index, _) = &mut self.index else { return };
        let written = enter(index, &mut self.held, self.upto);
        self.held.clear();
        self.held.shrink_to(KEPT_KEYS);
        if let Err(error) = written {
            warn!(%error, "the index of old records cannot be written; it is made anew");
            self.lose_index();
        }
    }

    fn lose_index(&mut self) {
        match std::mem::replace(&mut self.index, Index::Coming(None)) {
            // What it had not written yet is read from the segments again.
            Index::Ready(_, reader) => self.index = Index::Missing(reader),
            other => self.index = other,
        }
    }

    fn answer(&mut self, ticket: Ticket, key: RecallKey) -> Result<(), JournalError> {
        let index = match &self.index {
            Index::Ready(index, _) => Some(index),
            Index::Missing(_) | Index::Coming(_) => None,
        };
        match library::answer(&key, &mut OnDisk { index, reader: &mut self.reader }) {
            Ok(found) => {
                self.inbox.put(Arrival::Input(Input::Recalled { ticket, found }));
            }
            Err(Trouble::Records(error) | Trouble::Index(Some(error))) if error.is_scarce() => {
                // No descriptor is no damage.
                self.scarce = true;
                self.waiting.push_back((ticket, key));
            }
            Err(Trouble::Records(error)) => return Err(error),
            Err(Trouble::Index(damage)) => {
                if let Some(error) = damage {
                    warn!(%error, "the index of old records is damaged; it is made anew");
                    if let Err(error) = DayIndex::anew(Arc::clone(&self.backend)) {
                        warn!(%error, "the damaged index cannot be removed");
                    }
                    self.lose_index();
                }
                self.waiting.push_back((ticket, key));
            }
        }
        Ok(())
    }

    /// Writes what is held, so that the next start has little to bring up.
    fn close(&mut self) {
        self.enter();
        match &mut self.index {
            Index::Ready(index, _) if index.pending() > 0 || index.upto() < self.upto => {
                if let Err(error) = index.flush(self.upto) {
                    warn!(%error, "the index of old records cannot be written; it is made anew");
                }
            }
            Index::Coming(thread) => {
                let _ = thread.take().map(JoinHandle::join);
            }
            Index::Ready(..) | Index::Missing(_) => {}
        }
    }
}

/// Brings the index up, trying again until it is there or the end comes.
fn bring_up(shared: &Shared, backend: &Arc<dyn Backend>, mut reader: Reader) {
    while !shared.stop.load(Ordering::Acquire) {
        let durable = || shared.work.with(|work| work.upto);
        let stopped = || shared.stop.load(Ordering::Acquire);
        match brought_up(backend, &mut reader, durable, stopped) {
            Ok(_) if stopped() => return,
            Ok(index) => return shared.work.ring(|work| work.brought = Some((index, reader))),
            Err(error) => {
                warn!(%error, "the index of old records cannot be brought up; trying again");
                wait_for(shared, AGAIN_AFTER);
            }
        }
    }
}

/// Waits, unless the end comes first.
fn wait_for(shared: &Shared, pause: Duration) {
    shared.work.take(Some(pause), |work| !work.stop, |_| ());
}
