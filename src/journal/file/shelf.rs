//! Segment files made ahead: zero-filled, synced, and waiting under the name of a spare.
//!
//! Contract: filling may run on another thread than the writer ([`Shelf::fill`] is slow: it writes
//! a whole segment). The last [`Options::reserve_segments`] spares go to essential batches only,
//! so that outcomes still fit a full disk. That no spare can be made fails nothing, whatever the
//! disk says: `fill` tells it ([`Bare`]) and may be called again. Only an essential batch for which
//! there is none left meets it, and only where waiting will not help. A spare whose writing failed
//! is removed and never used.

use super::backend::{Backend, Change, FileName, Sync};
use super::bare::Bare;
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
    /// Why the last attempt made none.
    bare: Option<Bare>,
    /// Could not be removed after its writing had failed; goes before another is made.
    leftover: Option<FileName>,
}

/// Why a spare did not become a segment.
struct Unused {
    error: io::Error,
    step: &'static str,
    /// The folder is as it was, and another spare can be taken.
    harmless: bool,
}

/// Spares that may turn out to be unusable, one after the other, before the disk is given up.
const TRIES_MAX: u32 = 16;
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

    /// Makes spares until there are as many as the options ask for; why not, where it cannot (call
    /// again later: this is how the journal gets well). Spares that somebody removed are missed.
    ///
    /// # Errors
    /// Why none could be made. Nothing has failed: those that are there can be taken.
    pub fn fill(&self) -> Result<(), Bare> {
        let mut zeros = self.zeros.lock().unwrap_or_else(PoisonError::into_inner);
        let mut made = self.hold_open();
        while made.is_ok() && self.len() < self.wanted() {
            zeros.resize(CHUNK_BYTES, 0);
            made = self.make_one(&zeros).map_err(|why| match why {
                Bare::Full(_) => Bare::Full(self.backend.free()),
                other => other,
            });
        }
        self.state().bare = made.clone().err();
        made
    }

    /// Touches every spare, so that the disk holds it open and rotation needs no descriptor. One
    /// that cannot be read is dropped.
    fn hold_open(&self) -> Result<(), Bare> {
        let spares = self.state().spares.clone();
        for id in spares {
            let Err(error) = self.backend.read_at(FileName::Spare(id), 0, &mut [0]) else {
                continue;
            };
            let bare = Bare::of(&error, "read", FileName::Spare(id));
            if matches!(bare, Bare::Scarce(_)) {
                return Err(bare);
            }
            self.state().spares.retain(|spare| *spare != id);
        }
        Ok(())
    }

    /// Takes spares off that are not in the folder any more, or have another length.
    ///
    /// # Errors
    /// What the disk says.
    pub fn look(&self) -> io::Result<()> {
        let before = self.state().spares.clone();
        let files = self.backend.list()?;
        let whole = |id| files.contains(&(FileName::Spare(id), self.segment_bytes()));
        // Only those that were there before the look: others may have come meanwhile.
        self.state().spares.retain(|id| !before.contains(id) || whole(*id));
        Ok(())
    }

    /// Spares on the shelf.
    pub fn len(&self) -> usize {
        self.state().spares.len()
    }

    /// Bytes its disk has left, where that is known.
    pub fn free(&self) -> Option<u64> {
        self.backend.free()
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
    pub(super) fn refill_unless_full(&self) -> bool {
        // What is in the way is remembered, and told by who fills it next.
        let _ = if self.is_known_full() { Ok(()) } else { self.fill() };
        !self.is_short()
    }

    fn is_known_full(&self) -> bool {
        matches!(self.state().bare, Some(Bare::Full(_)))
    }

    /// Spares there should be.
    pub fn wanted(&self) -> usize {
        self.options.reserve_segments + self.options.spare_segments
    }

    fn segment_bytes(&self) -> u64 {
        u64::from(self.options.segment_bytes)
    }

    /// Takes a spare for a batch of `class`; makes one on the spot unless the disk is known to be
    /// full.
    ///
    /// # Errors
    /// `DiskFull` where there is none for this class, and one may come; `NoSpare` where an
    /// essential batch has none and waiting will not help.
    fn take(&self, class: Class) -> Result<u64, JournalError> {
        let left_alone = match class {
            Class::Essential => 0,
            Class::Ordinary => self.options.reserve_segments,
        };
        if self.len() <= left_alone && !self.is_known_full() {
            // Told below where it matters.
            let _ = self.fill();
        }
        let mut state = self.state();
        if state.spares.len() > left_alone
            && let Some(id) = state.spares.pop()
        {
            return Ok(id);
        }
        match &state.bare {
            Some(Bare::Broken(why)) if class == Class::Essential => {
                Err(JournalError::NoSpare { why: why.clone() })
            }
            _ => Err(JournalError::DiskFull),
        }
    }

    /// Makes a spare the segment `id`. One that is gone or cannot be written is left out: nothing
    /// stands in it yet. The folder is not synced.
    ///
    /// # Errors
    /// As [`Shelf::take`]; anything else is a failed journal.
    pub(super) fn begin_segment(
        &self,
        class: Class,
        id: u64,
        header: &[u8],
    ) -> Result<(), JournalError> {
        let segment = FileName::Segment(id);
        let mut tries = 0;
        loop {
            let taken = self.take(class)?;
            tries += 1;
            match self.name_segment(FileName::Spare(taken), segment, header) {
                Ok(()) => return Ok(()),
                Err(unused) if unused.harmless && tries < TRIES_MAX => {
                    if let Some(for_want_of) = self.put_aside(taken, &unused) {
                        return Err(for_want_of);
                    }
                }
                Err(Unused { error, step, .. }) => {
                    return Err(error).at(step, FileName::Spare(taken));
                }
            }
        }
    }

    /// Header first, synced, and only then the name: no crash leaves a segment without a header.
    fn name_segment(&self, spare: FileName, to: FileName, header: &[u8]) -> Result<(), Unused> {
        let before = |step| move |error| Unused { error, step, harmless: true };
        self.backend.write_at(spare, 0, header).map_err(before("write"))?;
        self.backend.sync(Sync::File(spare)).map_err(before("sync"))?;
        self.backend.change(Change::Rename { from: spare, to }).map_err(|error| {
            let harmless = error.kind() == io::ErrorKind::NotFound;
            Unused { error, step: "rename", harmless }
        })
    }

    /// Forgets a spare, or takes it back where it could not be opened for want of descriptors:
    /// then there is no use in trying another at once.
    fn put_aside(&self, id: u64, unused: &Unused) -> Option<JournalError> {
        let spare = FileName::Spare(id);
        let bare = Bare::of(&unused.error, unused.step, spare);
        let scarce = matches!(bare, Bare::Scarce(_));
        let mut state = self.state();
        state.bare = Some(bare);
        if scarce {
            state.spares.push(id);
            return Some(JournalError::DiskFull);
        }
        state.leftover = Some(spare);
        None
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
        let fits = len == self.segment_bytes();
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
    fn make_one(&self, zeros: &[u8]) -> Result<(), Bare> {
        self.clear_leftover()?;
        if self.backend.free().is_some_and(|free| free < self.segment_bytes()) {
            return Err(Bare::Full(None));
        }
        let id = self.new_name();
        let (blank, spare) = (FileName::Blank(id), FileName::Spare(id));
        self.write_zeros(blank, zeros).map_err(|error| self.unmade("zero-fill", blank, &error))?;
        let rename = Change::Rename { from: blank, to: spare };
        self.backend.change(rename).map_err(|error| self.unmade("rename", blank, &error))?;
        if !self.options.skips_folder_sync() {
            let synced = self.backend.sync(Sync::Folder);
            synced.map_err(|error| self.unmade("sync of the folder for that", spare, &error))?;
        }
        self.state().spares.push(id);
        Ok(())
    }

    fn unmade(&self, step: &str, file: FileName, error: &io::Error) -> Bare {
        self.state().leftover = Some(file);
        // What is still in the way then is met by the next attempt.
        let _ = self.clear_leftover();
        Bare::of(error, step, file)
    }

    fn clear_leftover(&self) -> Result<(), Bare> {
        let Some(file) = self.state().leftover else { return Ok(()) };
        match self.backend.change(Change::Remove(file)) {
            // It was never made: the disk was too full even for the name.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(|error| Bare::of(&error, "remove", file))?,
        }
        self.state().leftover = None;
        Ok(())
    }

    fn write_zeros(&self, name: FileName, zeros: &[u8]) -> io::Result<()> {
        let len = self.segment_bytes();
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
