//! The keeper of the shelf: makes spare segments ahead, and says when there is space again.
//!
//! Contract: on a thread of its own, because a spare is a whole file of zeros. It tries again on
//! its own while one is missing or the journal is full, whether or not anything is recorded, and
//! takes the latch back itself. What is in the way is one WARN and one INFO, not one per try; it
//! fails nothing. Deliberately absent: what the disk says of the segment being written.

use super::journal_thread::Left;
use crate::journal::{Bare, Shelf};
use crate::link::Inbox;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;
use tracing::{info, warn};

/// Pause between two attempts while a spare is missing.
const RETRY: Duration = Duration::from_millis(500);
/// Pause between two looks whether the spares are still there.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The latch of a full disk: set by who writes, taken back by who makes spares.
#[derive(Debug)]
pub(super) struct Fullness {
    state: AtomicU8,
    /// Bytes the disk has left; `u64::MAX` where nobody knows.
    free: AtomicU64,
    inbox: Arc<Inbox>,
}

const ROOM: u8 = 0;
const FULL: u8 = 1;
const NEAR_END: u8 = 2;

impl Fullness {
    /// Not full; changes are told to the driver.
    pub(super) fn new(inbox: Arc<Inbox>) -> Self {
        Self { state: AtomicU8::new(ROOM), free: AtomicU64::new(u64::MAX), inbox }
    }

    /// How much of the reserve is left, where the disk is full.
    pub(super) fn left(&self) -> Option<Left> {
        match self.state.load(Ordering::Acquire) {
            ROOM => None,
            FULL => Some(Left::Enough),
            _ => Some(Left::Little),
        }
    }

    /// Bytes the disk has left, as of the last look.
    pub(super) fn free(&self) -> Option<u64> {
        Some(self.free.load(Ordering::Acquire)).filter(|free| *free != u64::MAX)
    }

    fn note_free(&self, free: Option<u64>) {
        self.free.store(free.unwrap_or(u64::MAX), Ordering::Release);
    }

    /// The disk is full; `near_end`: half of the reserve is used up.
    pub(super) fn set(&self, near_end: bool) {
        self.change(if near_end { NEAR_END } else { FULL });
    }

    /// There is space again.
    fn clear(&self) {
        self.change(ROOM);
    }

    fn change(&self, to: u8) {
        if self.state.swap(to, Ordering::AcqRel) != to {
            self.inbox.knock();
        }
    }
}

/// Its end that belongs to who writes.
pub(super) struct ShelfKeeper {
    shelf: Shelf,
    full_at: usize,
    thread: std::thread::Thread,
    end: Arc<AtomicBool>,
}

impl ShelfKeeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(super) fn start(shelf: Shelf, full: Arc<Fullness>) -> std::io::Result<Self> {
        let end = Arc::new(AtomicBool::new(false));
        let (theirs, ended) = (shelf.clone(), Arc::clone(&end));
        let keep = move || keep(&theirs, &full, &ended);
        let thread = std::thread::Builder::new().name("journal-shelf".to_owned()).spawn(keep)?;
        Ok(Self { full_at: shelf.wanted(), shelf, thread: thread.thread().clone(), end })
    }

    /// After a commit: one may have been taken.
    pub(super) fn look(&self) {
        if self.shelf.len() < self.full_at {
            self.hurry();
        }
    }

    /// One is missed, or the latch is set.
    pub(super) fn hurry(&self) {
        self.thread.unpark();
    }
}

impl Drop for ShelfKeeper {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

fn keep(shelf: &Shelf, full: &Fullness, ended: &AtomicBool) {
    let mut told = None;
    while !ended.load(Ordering::Acquire) {
        let missing = shelf.fill().err();
        tell(missing.as_ref(), &mut told);
        full.note_free(shelf.free());
        if missing.is_some() {
            // Not parked: every commit unparks, and no attempt is free.
            pause(ended);
            continue;
        }
        full.clear();
        std::thread::park_timeout(LOOK_EVERY);
        // Where the folder cannot be read, a spare that is gone is met when it is taken.
        let _ = shelf.look();
    }
}

/// Says once what is in the way, and once that it is not any more.
fn tell(missing: Option<&Bare>, told: &mut Option<std::mem::Discriminant<Bare>>) {
    let kind = missing.map(std::mem::discriminant);
    if kind == *told {
        return;
    }
    match missing {
        Some(Bare::Full(free)) => warn!(
            ?free,
            "the journal's disk is full: no spare segment can be made; new requests are declined \
             once the current one is full; free space, traffic then goes on by itself"
        ),
        Some(why) => warn!(
            %why,
            "no spare segment can be made; new requests are declined once the current one is full; \
             it is tried again"
        ),
        None => info!("spare segments can be made again: the journal takes everything"),
    }
    *told = kind;
}

/// Between two attempts; nothing else lives on that thread.
#[expect(clippy::disallowed_methods, reason = "the thread makes spares and nothing else")]
fn pause(ended: &AtomicBool) {
    if !ended.load(Ordering::Acquire) {
        std::thread::sleep(RETRY);
    }
}
