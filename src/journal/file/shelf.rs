//! Segment files made ahead: zero-filled, synced, and waiting under the name of a spare.
//!
//! Contract: filling may run on another thread than the writer ([`Shelf::fill`] is slow: it writes
//! a whole segment). The last [`Options::reserve_segments`] spares go to essential batches only,
//! so that outcomes still fit a full disk. A full disk fails nothing: `fill` says so and may be
//! called again; a spare whose writing failed is never used.

use super::backend::{Backend, Change, FileName, Sync};
use super::checkpoint::PIECE_BYTES;
use super::error::{AtFile, JournalError};
use super::options::Options;
use super::writer::Class;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The spares of one journal; clones share them.
#[derive(Clone)]
pub struct Shelf {
    backend: Arc<dyn Backend>,
    options: Options,
    state: Arc<Mutex<State>>,
    /// Held while a spare is made, so that two threads do not make one each; the zeros it is made
    /// of, kept from the first one on.
    zeros: Arc<Mutex<Vec<u8>>>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").field("spares", &self.state().spares).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    spares: Vec<u64>,
    next_name: u64,
    /// Retired segments that became spares, so far.
    recycled: u64,
    /// The last attempt found the disk full; only a `fill` from outside tries again.
    full: bool,
}

/// Zeros are written in pieces of this size: they are kept, and no write takes the disk for long.
const CHUNK_BYTES: usize = 64 << 10;

impl Shelf {
    /// Finds the spares in the folder; removes those of another length and half-made ones.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn open(
        backend: &Arc<dyn Backend>,
        options: &Options,
    ) -> Result<Self, JournalError> {
        let mut state = State { next_name: 1, ..State::default() };
        for (name, len) in backend.list().at("list", "the journal folder")? {
            match name {
                FileName::Spare(id) if len == u64::from(options.segment_bytes) => {
                    state.next_name = state.next_name.max(id + 1);
                    state.spares.push(id);
                }
                FileName::Spare(_) | FileName::Blank(_) => {
                    backend.change(Change::Remove(name)).at("remove", name)?;
                }
                FileName::Segment(id) => state.next_name = state.next_name.max(id + 1),
                _ => {}
            }
        }
        Ok(Self {
            backend: Arc::clone(backend),
            options: *options,
            state: Arc::new(Mutex::new(state)),
            zeros: Arc::default(),
        })
    }

    /// Makes spares until there are as many as the options ask for. True when complete, false
    /// when the disk is full (call again later: this is how the journal gets well).
    ///
    /// # Errors
    /// What the disk says, but for a full one.
    pub fn fill(&self) -> Result<bool, JournalError> {
        let mut zeros = self.zeros.lock().unwrap_or_else(PoisonError::into_inner);
        while self.len() < self.wanted() {
            zeros.resize(CHUNK_BYTES, 0);
            match self.make_one(&zeros) {
                Ok(()) => {}
                Err(JournalError::DiskFull) => {
                    self.state().full = true;
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        self.state().full = false;
        Ok(true)
    }

    /// Spares on the shelf.
    pub fn len(&self) -> usize {
        self.state().spares.len()
    }

    /// Whether there is none left, not even the reserve.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether ordinary batches are refused because the reserve is being used up.
    pub fn is_short(&self) -> bool {
        self.len() < self.options.reserve_segments
    }

    /// Fills it unless the disk is known to be full; whether the reserve is complete.
    pub(super) fn refill_unless_full(&self) -> Result<bool, JournalError> {
        if self.state().full {
            return Ok(false);
        }
        self.fill()?;
        Ok(!self.is_short())
    }

    fn wanted(&self) -> usize {
        self.options.reserve_segments + self.options.spare_segments
    }

    /// Takes a spare for a batch of `class`; makes one on the spot unless the disk is known to be
    /// full.
    pub(super) fn take(&self, class: Class) -> Result<FileName, JournalError> {
        let left_alone = match class {
            Class::Essential => 0,
            Class::Ordinary => self.options.reserve_segments,
        };
        if self.len() <= left_alone && !self.state().full {
            self.fill()?;
        }
        let mut state = self.state();
        if state.spares.len() <= left_alone {
            return Err(JournalError::DiskFull);
        }
        state.spares.pop().map(FileName::Spare).ok_or(JournalError::DiskFull)
    }

    /// Retired segments that became spares since the start.
    pub fn recycled(&self) -> u64 {
        self.state().recycled
    }

    /// Makes a spare of a segment that is no longer needed; removes it if there are enough.
    ///
    /// # Errors
    /// What the disk says.
    pub fn recycle(&self, id: u64, len: u64) -> Result<(), JournalError> {
        let segment = FileName::Segment(id);
        let fits = len == u64::from(self.options.segment_bytes);
        if !fits || self.len() >= self.wanted() + self.options.recycled_segments {
            self.backend.change(Change::Remove(segment)).at("remove", segment)?;
            return self.sync_folder();
        }
        let spare = self.new_name();
        let rename = Change::Rename { from: segment, to: FileName::Spare(spare) };
        self.backend.change(rename).at("rename", segment)?;
        self.sync_folder()?;
        let mut state = self.state();
        state.spares.push(spare);
        state.recycled += 1;
        Ok(())
    }

    /// Filled and synced under another name: what is called a spare is whole on the medium, even
    /// after a sync that failed in an earlier life.
    fn make_one(&self, zeros: &[u8]) -> Result<(), JournalError> {
        let spare = self.new_name();
        let name = FileName::Blank(spare);
        match self.write_zeros(name, zeros) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                match self.backend.change(Change::Remove(name)) {
                    // The disk was too full even for the name.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    removed => removed.at("remove", name)?,
                }
                return Err(JournalError::DiskFull);
            }
            Err(error) => return Err(error).at("zero-fill", name),
        }
        let rename = Change::Rename { from: name, to: FileName::Spare(spare) };
        self.backend.change(rename).at("rename", name)?;
        self.sync_folder()?;
        self.state().spares.push(spare);
        Ok(())
    }

    fn write_zeros(&self, name: FileName, zeros: &[u8]) -> io::Result<()> {
        let len = u64::from(self.options.segment_bytes);
        let (mut at, mut unsynced) = (0, 0);
        while at < len {
            let piece = zeros.len().min(usize::try_from(len - at).unwrap_or(zeros.len()));
            self.backend.write_at(name, at, &zeros[..piece])?;
            at += piece as u64;
            unsynced += piece;
            // A segment of dirty pages at once would hold up the writer's next sync by tens of
            // milliseconds.
            if unsynced >= PIECE_BYTES || at == len {
                self.backend.sync(Sync::File(name))?;
                unsynced = 0;
            }
        }
        Ok(())
    }

    fn sync_folder(&self) -> Result<(), JournalError> {
        if self.options.skips_folder_sync() {
            return Ok(());
        }
        self.backend.sync(Sync::Folder).at("sync", "the journal folder")
    }

    fn new_name(&self) -> u64 {
        let mut state = self.state();
        state.next_name += 1;
        state.next_name - 1
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
