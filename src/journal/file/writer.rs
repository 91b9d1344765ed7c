//! The writer: one batch, one seal, one write; durable after `sync`.
//!
//! Contract: plain and synchronous; one per journal, on one thread. Every start opens a new
//! segment and older ones are never written to again. A segment is synced before its successor
//! gets its first batch, so only the newest segment can have a torn tail. After one failed write
//! or sync it is poisoned: nothing is tried again. Deliberately absent: threads, clocks, waiters
//! (the gate of `server` holds what waits for a number).

use super::backend::{Backend, FileName, Sync};
use super::batch::{Batch, Place};
use super::current::Current;
use super::entry::BATCH_HEADER_LEN;
use super::error::{AtFile, JournalError};
use super::extent::Extent;
use super::keys::DataKey;
use super::map::{ANCHOR_EVERY_BYTES, Anchor, SegmentMap};
use super::options::{Entropy, Options};
use super::recovery::Recovered;
use super::segment::{Before, FORMAT_VERSION, SegmentHeader};
use super::shelf::Shelf;
use crate::time::Wall;
use std::sync::Arc;

/// Whether a batch may use the space reserved for a full disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Begins something new (an intent): refused with `DiskFull` when only the reserve is left.
    Ordinary,
    /// Ends something begun (outcomes, reversals, advices taken): may use the reserve.
    Essential,
}

/// Appends batches. See the module for the contract.
pub struct Writer {
    backend: Arc<dyn Backend>,
    key: DataKey,
    options: Options,
    entropy: Entropy,
    shelf: Shelf,
    extent: Extent,
    map: Arc<SegmentMap>,
    current: Current,
    next: u64,
    /// The largest mark that stands in a batch or header on disk.
    marked: u64,
    dirty: bool,
    poison: Option<String>,
    mark: Batch,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("Writer");
        out.field("segment", &self.current.id).field("next", &self.next);
        out.field("poison", &self.poison).finish_non_exhaustive()
    }
}

impl Writer {
    /// Opens a new segment behind what `recovered` found and makes spares.
    ///
    /// # Errors
    /// What the disk says; `DiskFull` only if there is not even a reserve segment.
    pub fn start(
        backend: Arc<dyn Backend>,
        key: DataKey,
        options: Options,
        recovered: &Recovered,
        entropy: Entropy,
        now: Wall,
    ) -> Result<Self, JournalError> {
        let shelf = Shelf::open(&backend, &options)?;
        let extent = Extent::after(&backend, &key, &recovered.stated, recovered.least_stated);
        let mut writer = Self {
            current: Current::after(recovered, &key),
            backend,
            key,
            options,
            entropy,
            shelf,
            extent,
            map: Arc::clone(&recovered.map),
            next: recovered.next,
            marked: recovered.next - 1,
            dirty: false,
            poison: None,
            mark: Batch::new(recovered.next),
        };
        // What was found may have its name in memory only: nothing unsafe is stated. And it is
        // stated before anything goes: an unused segment is no part of what there must be.
        writer.sync_folder()?;
        writer.state_begun(recovered)?;
        writer.settle(recovered)?;
        writer.open_segment(Class::Essential, recovered.last, now)?;
        // A start needs none: who keeps the shelf tries again, and says why.
        let _ = writer.shelf.fill();
        writer.map.set_durable(writer.next - 1);
        Ok(writer)
    }

    /// States what recovery left: from which segment on, and up to which.
    fn state_begun(&self, recovered: &Recovered) -> Result<(), JournalError> {
        let (oldest, next) = (self.map.oldest(), (self.current.id + 1, self.next));
        let newest = self.map.newest().map_or((0, 0), |header| (header.id, header.first));
        let lossy = recovered.needs_checkpoint;
        self.extent.state_that(|said| {
            if lossy || oldest.is_none() || said.first_segment == 0 {
                (said.first_segment, said.first_record) =
                    oldest.map_or(next, |header| (header.id, header.first));
            }
            (said.newest, said.newest_record) = newest;
        })
    }

    /// What was read back may stand in the page cache only, after kill -9 or a failed sync (which
    /// the kernel then takes for written): what no mark covers is written once more, with the
    /// same bytes, and synced before the new segment's header vouches for it.
    fn settle(&self, recovered: &Recovered) -> Result<(), JournalError> {
        let Recovered { last, unmarked_from, .. } = recovered;
        if last.id != 0 {
            let file = FileName::Segment(last.id);
            let len = usize::try_from(last.end.saturating_sub(*unmarked_from)).unwrap_or(0);
            let mut tail = vec![0; len];
            let got = self.backend.read_at(file, *unmarked_from, &mut tail).at("read", file)?;
            tail.truncate(got);
            if !tail.is_empty() {
                self.backend.write_at(file, *unmarked_from, &tail).at("write", file)?;
            }
            self.backend.sync(Sync::File(file)).at("sync", file)?;
        }
        if let Some((id, len)) = recovered.unused {
            self.shelf.recycle(id, len)?;
        }
        self.sync_folder()
    }

    /// Writes a batch and empties it for reuse; the number of its last record. Not yet durable:
    /// see [`Writer::sync`]. An empty batch writes nothing.
    ///
    /// # Errors
    /// `DiskFull`, `TooLarge`, `OutOfOrder`: nothing was written, the batch is as it was, and the
    /// writer goes on. Anything else poisons it.
    pub fn append(
        &mut self,
        batch: &mut Batch,
        class: Class,
        now: Wall,
    ) -> Result<u64, JournalError> {
        self.refuse_if_poisoned()?;
        if batch.is_empty() {
            return Ok(self.next - 1);
        }
        if batch.first() != self.next {
            return Err(JournalError::OutOfOrder { expected: self.next, got: batch.first() });
        }
        let most = self.options.batch_bytes_max();
        if batch.sealed_len() > most {
            return Err(JournalError::TooLarge { got: batch.sealed_len(), most });
        }
        let refused = class == Class::Ordinary && self.shelf.is_short();
        if refused && !self.shelf.refill_unless_full() {
            return Err(JournalError::DiskFull);
        }
        if !self.current.has_room(batch.sealed_len()) {
            self.rotate(class, now)?;
        }
        let next = batch.next();
        self.write(batch)?;
        self.next = next;
        batch.reset(next);
        Ok(next - 1)
    }

    /// Makes everything appended durable; the number of the last durable record. Costs nothing
    /// when there is nothing to do.
    ///
    /// # Errors
    /// What the disk says; the writer is then poisoned.
    pub fn sync(&mut self) -> Result<u64, JournalError> {
        self.refuse_if_poisoned()?;
        if self.dirty {
            let file = FileName::Segment(self.current.id);
            let synced = self.backend.sync(Sync::File(file)).at("sync", file);
            self.or_poison(synced)?;
            self.dirty = false;
        }
        self.map.set_durable(self.next - 1);
        Ok(self.next - 1)
    }

    /// Writes down how much is durable if no batch on disk says so yet: to be called when idle
    /// and at the end. From then on the loss of any record is told from a torn tail.
    ///
    /// # Errors
    /// What the disk says; the writer is then poisoned.
    pub fn idle(&mut self, now: Wall) -> Result<(), JournalError> {
        let durable = self.sync()?;
        if self.marked >= durable {
            return Ok(());
        }
        if self.current.has_room(BATCH_HEADER_LEN) {
            let mut mark = std::mem::replace(&mut self.mark, Batch::new(0));
            mark.reset(self.next);
            let written = self.write(&mut mark);
            self.mark = mark;
            written?;
        } else {
            match self.rotate(Class::Ordinary, now) {
                // The mark is worth a segment only while there is space for one.
                Err(JournalError::DiskFull) => return Ok(()),
                other => other?,
            }
        }
        self.sync().map(|_| ())
    }

    /// All records up to this number are durable.
    pub fn durable(&self) -> u64 {
        self.map.durable()
    }

    /// The number the next record gets.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Where records stand: for readers and retention.
    pub fn map(&self) -> Arc<SegmentMap> {
        Arc::clone(&self.map)
    }

    /// Whether what is left for outcomes on a full disk is half used up: nothing new, not even a
    /// refusal, should be taken in.
    pub fn is_near_end(&self) -> bool {
        self.shelf.is_empty() && self.current.is_half_full()
    }

    /// The files made ahead: fill it from another thread, and again after a full disk.
    pub fn shelf(&self) -> Shelf {
        self.shelf.clone()
    }

    /// What the journal holds, as stated: for retention.
    pub fn extent(&self) -> Extent {
        self.extent.clone()
    }

    /// What poisoned it, if anything did.
    pub fn poison(&self) -> Option<&str> {
        self.poison.as_deref()
    }

    fn write(&mut self, batch: &mut Batch) -> Result<(), JournalError> {
        let durable = self.map.durable();
        let current = &mut self.current;
        let file = FileName::Segment(current.id);
        let first = batch.first();
        let place = Place {
            segment: current.id,
            stamp: current.stamp,
            sequence: current.sequence,
            durable,
            cipher: &current.cipher,
            before: &current.tag,
        };
        let most = self.options.batch_bytes_max();
        let len = batch.sealed_len();
        let room = usize::try_from(current.file_len - current.end).unwrap_or(usize::MAX);
        let (bytes, tag) =
            batch.seal(&place).ok_or(JournalError::TooLarge { got: usize::MAX, most })?;
        let bytes = bytes.get(..room.min(bytes.len())).unwrap_or(bytes);
        let written = self.backend.write_at(file, current.end, bytes).at("write", file);
        let (offset, len) = (current.end, len as u64);
        self.or_poison(written)?;
        let current = &mut self.current;
        if current.anchored + ANCHOR_EVERY_BYTES <= offset {
            current.anchored = offset;
            self.map.note(current.id, Anchor { first, offset, before: current.tag }, false);
        }
        current.end += len;
        current.sequence += 1;
        current.tag = tag;
        self.marked = self.marked.max(durable);
        self.dirty = true;
        Ok(())
    }

    /// Syncs the current segment and opens the next one.
    fn rotate(&mut self, class: Class, now: Wall) -> Result<(), JournalError> {
        self.sync()?;
        self.open_segment(class, self.current.as_before(), now)
    }

    fn open_segment(
        &mut self,
        class: Class,
        before: Before,
        now: Wall,
    ) -> Result<(), JournalError> {
        let mut salt = [0; 32];
        let filled = (self.entropy)(&mut salt).map_err(JournalError::Entropy);
        self.or_poison(filled)?;
        let mut header = SegmentHeader {
            version: FORMAT_VERSION,
            id: self.current.id + 1,
            first: self.next,
            before,
            salt,
            file_len: u64::from(self.options.segment_bytes),
            created_ms: now.millis(),
            key_id: self.key.id(),
            stated: self.extent.number(),
            tag: [0; 16],
        };
        let most = self.options.batch_bytes_max();
        let sealed = header.seal(&self.key).ok_or(JournalError::TooLarge { got: 0, most });
        let (bytes, cipher) = self.or_poison(sealed)?;
        match self.shelf.begin_segment(class, header.id, &bytes) {
            // Nothing has happened, and there may be one later.
            Err(error @ JournalError::DiskFull) => return Err(error),
            begun => self.or_poison(begun)?,
        }
        let synced = self.sync_folder();
        self.or_poison(synced)?;
        self.marked = self.marked.max(self.next - 1);
        self.current = Current::new(&header, cipher);
        self.map.add(header);
        self.extent.opened(&header);
        Ok(())
    }

    fn sync_folder(&self) -> Result<(), JournalError> {
        if self.options.skips_folder_sync() {
            return Ok(());
        }
        self.backend.sync(Sync::Folder).at("sync", "the journal folder")
    }

    fn refuse_if_poisoned(&self) -> Result<(), JournalError> {
        match &self.poison {
            None => Ok(()),
            Some(first) => Err(JournalError::Poisoned { first: first.clone() }),
        }
    }

    fn or_poison<T>(&mut self, result: Result<T, JournalError>) -> Result<T, JournalError> {
        result.inspect_err(|error| self.poison = Some(error.to_string()))
    }
}
