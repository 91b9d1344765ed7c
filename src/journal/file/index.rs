//! The business day index: from a key's fingerprint to the numbers of the records that carry it,
//! one file per business day.
//!
//! Contract: derived and never trusted: a hit is a hint, the caller reads the record and compares.
//! Fingerprints must be keyed hashes (they stand here in clear). [`DayIndex::flush`] comes before
//! every checkpoint with the same number, or what is missing is caught up from the segments; what
//! is on disk already is passed over. A missing or torn file is noticed by
//! [`DayIndex::is_whole`], a rotten entry by [`DayIndex::find`] – every entry carries a check of
//! itself – and the index is begun again by [`DayIndex::anew`]. One owner.
//!
//! ```text
//! day file:  blocks of  "PMI2" | header crc u32 | entries u32 | zero u32 | upto u64 | zero 8
//!            and entries of  fingerprint u64 | number u48 | check u16, sorted by fingerprint
//! day 0:     two such headers without entries, written in turn: all days are complete to `upto`;
//!            `entries` counts the blocks there were
//! ```

use super::backend::{Backend, Change, FileName, Sync};
use super::entry::{u32_at, u64_at};
use super::error::{AtFile, JournalError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The last letter tells what stands under which fingerprint: an index of another is made anew.
const MAGIC: [u8; 4] = *b"PMI2";
const HEADER_LEN: usize = 32;
const ENTRY_LEN: usize = 16;
/// The file that says how far all days are complete.
const MARKS: u32 = 0;
/// Keys that make a block: 2 MiB in memory until then, and a look-up reads one place of each block.
pub const BLOCK_KEYS: usize = 1 << 17;
/// Bytes of a block put together at a time.
const WRITE_BYTES: usize = 64 << 10;
/// Entries read around the place where a fingerprint is expected: four standard deviations for
/// a block of 65,536.
const WINDOW: u64 = 512;
/// Record numbers have 48 bits: what is above checks the entry.
const NUMBER_MASK: u64 = (1 << 48) - 1;

/// The index of all business days on disk.
pub struct DayIndex {
    backend: Arc<dyn Backend>,
    days: BTreeMap<u32, Day>,
    upto: u64,
    marks: u64,
    whole: bool,
    pending: usize,
    /// What a block is written from, kept for the next one.
    buffer: Vec<u8>,
}

#[derive(Debug, Default)]
struct Day {
    blocks: Vec<Block>,
    end: u64,
    upto: u64,
    pending: Vec<(u64, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    /// Where its entries start.
    at: u64,
    entries: u64,
}

impl std::fmt::Debug for DayIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("DayIndex");
        out.field("days", &self.days.len()).field("upto", &self.upto).finish_non_exhaustive()
    }
}

impl DayIndex {
    /// Opens what is on disk, reading block headers only.
    ///
    /// # Errors
    /// What the disk says. Damage is no error: see [`DayIndex::is_whole`].
    pub fn open(backend: Arc<dyn Backend>) -> Result<Self, JournalError> {
        let days = BTreeMap::new();
        let buffer = Vec::new();
        let mut index = Self { backend, days, upto: 0, marks: 0, whole: true, pending: 0, buffer };
        let mut counted = 0;
        // In the order of names: the marks come first.
        for (name, len) in index.backend.list().at("list", "the journal folder")? {
            match name {
                FileName::DayIndex(MARKS) => counted = index.read_marks()?,
                FileName::DayIndex(day) => index.open_day(day, len)?,
                _ => {}
            }
        }
        index.whole &= index.blocks() >= counted;
        Ok(index)
    }

    /// Whether it holds every key up to record `covered` (the checkpoint recovery started from).
    pub fn is_whole(&self, covered: u64) -> bool {
        self.whole && self.upto >= covered
    }

    /// Adds a key; passed over if it is on disk already. `day` is YYYYMMDD.
    pub fn add(&mut self, day: u32, fingerprint: u64, no: u64) {
        let held = self.days.entry(day.max(1)).or_default();
        if no > held.upto {
            if held.pending.capacity() == 0 {
                // Once and not by doubling: what is not filled takes no memory.
                held.pending.reserve_exact(BLOCK_KEYS + BLOCK_KEYS / 16);
            }
            held.pending.push((fingerprint, no));
            self.pending += 1;
        }
    }

    /// Keys added and not yet on disk: 16 bytes each.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Writes what was added; all records up to `upto` must have been. Before a checkpoint.
    ///
    /// # Errors
    /// What the disk says; a full disk costs a rebuild at the next start and nothing else.
    pub fn flush(&mut self, upto: u64) -> Result<(), JournalError> {
        let mut new_file = false;
        let mut kept = Vec::new();
        for (day, held) in self.days.iter_mut().filter(|(_, held)| !held.pending.is_empty()) {
            let file = FileName::DayIndex(*day);
            new_file |= held.end == 0;
            held.pending.sort_unstable();
            let end = write_block(&*self.backend, &mut self.buffer, (file, held), upto)?;
            self.backend.sync(Sync::File(file)).at("sync", file)?;
            let entries = held.pending.len() as u64;
            held.blocks.push(Block { at: held.end + HEADER_LEN as u64, entries });
            (held.end, held.upto) = (end, upto);
            kept = std::mem::take(&mut held.pending);
        }
        self.pending = 0;
        // Room for the next block stays with the newest day: the others get few keys more.
        kept.clear();
        if let Some(mut newest) = self.days.last_entry().filter(|_| kept.capacity() > 0) {
            newest.get_mut().pending = kept;
        }
        if new_file {
            self.backend.sync(Sync::Folder).at("sync", "the journal folder")?;
        }
        self.write_mark(upto)?;
        self.upto = upto;
        Ok(())
    }

    /// Numbers of records with this fingerprint in the newest `days` days, newest first. Verify
    /// each: other keys may share a fingerprint.
    ///
    /// # Errors
    /// What the disk says.
    pub fn find(&self, fingerprint: u64, days: u16) -> Result<Vec<u64>, JournalError> {
        let mut found = Vec::new();
        for (day, held) in self.days.iter().rev().take(usize::from(days)) {
            let pending = held.pending.iter().filter(|(held, _)| *held == fingerprint);
            found.extend(pending.map(|(_, no)| *no));
            for block in held.blocks.iter().rev() {
                self.find_in(FileName::DayIndex(*day), *block, fingerprint, &mut found)?;
            }
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.dedup();
        Ok(found)
    }

    /// Removes the files of days before `day`.
    ///
    /// # Errors
    /// What the disk says.
    pub fn retire(&mut self, day: u32) -> Result<(), JournalError> {
        let kept = self.days.split_off(&day);
        let old = std::mem::replace(&mut self.days, kept);
        // First the count, then the files: a crash between leaves more files than counted.
        self.write_mark(self.upto)?;
        for (day, _) in old.iter().filter(|(_, held)| held.end > 0) {
            let file = FileName::DayIndex(*day);
            self.backend.change(Change::Remove(file)).at("remove", file)?;
        }
        self.backend.sync(Sync::Folder).at("sync", "the journal folder")
    }

    /// Removes every file of an index and begins an empty one.
    ///
    /// # Errors
    /// What the disk says.
    pub fn anew(backend: Arc<dyn Backend>) -> Result<Self, JournalError> {
        for (name, _) in backend.list().at("list", "the journal folder")? {
            if matches!(name, FileName::DayIndex(_)) {
                backend.change(Change::Remove(name)).at("remove", name)?;
            }
        }
        backend.sync(Sync::Folder).at("sync", "the journal folder")?;
        Self::open(backend)
    }

    /// All keys of records up to this number are on disk.
    pub const fn upto(&self) -> u64 {
        self.upto
    }

    /// Keeps the newest `days` days that have records.
    ///
    /// # Errors
    /// What the disk says.
    pub fn keep_newest(&mut self, days: usize) -> Result<(), JournalError> {
        let oldest_kept = self.days.keys().rev().nth(days.saturating_sub(1)).copied();
        match oldest_kept.filter(|_| self.days.len() > days) {
            Some(day) => self.retire(day),
            None => Ok(()),
        }
    }

    /// The oldest of the newest `days` days, where there may be older ones: behind it, or gone.
    pub fn oldest_of(&self, days: usize) -> Option<u32> {
        self.days.keys().rev().nth(days.saturating_sub(1)).copied()
    }

    /// Blocks on disk that a mark covers.
    fn blocks(&self) -> u64 {
        self.days.values().map(|held| held.blocks.len() as u64).sum()
    }

    fn read_marks(&mut self) -> Result<u64, JournalError> {
        let file = FileName::DayIndex(MARKS);
        let mut bytes = [0; 2 * HEADER_LEN];
        let got = self.backend.read_at(file, 0, &mut bytes).at("read", file)?;
        let newest = bytes[..got].chunks(HEADER_LEN).filter_map(parse).max_by_key(|mark| mark.1);
        let (counted, upto) = newest.unwrap_or_default();
        self.upto = upto;
        // Whichever slot holds the newest mark, the next one goes to the other.
        let second = bytes[..got].get(HEADER_LEN..).and_then(parse).map(|mark| mark.1);
        self.marks = 1 + u64::from(second == Some(upto));
        Ok(counted)
    }

    fn write_mark(&mut self, upto: u64) -> Result<(), JournalError> {
        let file = FileName::DayIndex(MARKS);
        let blocks = self.blocks();
        let at = self.marks % 2 * HEADER_LEN as u64;
        self.backend.write_at(file, at, &header(blocks, upto)).at("write", file)?;
        self.backend.sync(Sync::File(file)).at("sync", file)?;
        if self.marks == 0 {
            self.backend.sync(Sync::Folder).at("sync", "the journal folder")?;
        }
        self.marks += 1;
        Ok(())
    }

    fn open_day(&mut self, day: u32, len: u64) -> Result<(), JournalError> {
        let file = FileName::DayIndex(day);
        let mut held = Day::default();
        while let Some((entries, upto)) = self.header_at(file, held.end)? {
            let at = held.end + HEADER_LEN as u64;
            let end = at + entries * ENTRY_LEN as u64;
            if upto > self.upto {
                break;
            }
            if end > len {
                // Covered by a mark, and cut short.
                self.whole = false;
                break;
            }
            held.blocks.push(Block { at, entries });
            (held.end, held.upto) = (end, upto);
        }
        // What no mark covers may be torn and is written over; a covered block behind a gap
        // means damage.
        let mut at = held.end + ENTRY_LEN as u64;
        while at + (HEADER_LEN as u64) <= len && self.whole {
            self.whole = self.header_at(file, at)?.is_none_or(|(_, upto)| upto > self.upto);
            at += ENTRY_LEN as u64;
        }
        self.days.insert(day, held);
        Ok(())
    }

    fn header_at(&self, file: FileName, at: u64) -> Result<Option<(u64, u64)>, JournalError> {
        let mut bytes = [0; HEADER_LEN];
        let got = self.backend.read_at(file, at, &mut bytes).at("read", file)?;
        Ok(Some(bytes).filter(|_| got == HEADER_LEN).and_then(|bytes| parse(&bytes)))
    }

    fn find_in(
        &self,
        file: FileName,
        block: Block,
        fingerprint: u64,
        found: &mut Vec<u64>,
    ) -> Result<(), JournalError> {
        // Hashes are even: the place is known but for a few hundred entries.
        let expected = (u128::from(fingerprint) * u128::from(block.entries)) >> 64;
        let expected = u64::try_from(expected).unwrap_or(0);
        let mut low = expected.saturating_sub(WINDOW);
        let mut high = (expected + WINDOW).min(block.entries);
        loop {
            let entries = self.entries(file, block, low, high)?;
            let more_below = low > 0 && entries.first().is_none_or(|e| e.0 >= fingerprint);
            let more_above =
                high < block.entries && entries.last().is_none_or(|e| e.0 <= fingerprint);
            if !more_below && !more_above {
                let hits = entries.iter().filter(|entry| entry.0 == fingerprint);
                found.extend(hits.map(|entry| entry.1));
                return Ok(());
            }
            if more_below {
                low = low.saturating_sub(4 * WINDOW);
            }
            if more_above {
                high = (high + 4 * WINDOW).min(block.entries);
            }
        }
    }

    fn entries(
        &self,
        file: FileName,
        block: Block,
        low: u64,
        high: u64,
    ) -> Result<Vec<(u64, u64)>, JournalError> {
        let len = usize::try_from(high.saturating_sub(low)).unwrap_or(0) * ENTRY_LEN;
        let mut bytes = vec![0; len];
        let at = block.at + low * ENTRY_LEN as u64;
        let got = self.backend.read_at(file, at, &mut bytes).at("read", file)?;
        if got < len {
            return Err(rotten(file, at));
        }
        let mut entries = Vec::with_capacity(bytes.len() / ENTRY_LEN);
        for entry in bytes.chunks_exact(ENTRY_LEN) {
            let (fingerprint, checked) = (u64_at(entry, 0), u64_at(entry, 8));
            let no = checked & NUMBER_MASK;
            if with_check(fingerprint, no) != checked {
                return Err(rotten(file, at));
            }
            entries.push((fingerprint, no));
        }
        Ok(entries)
    }
}

/// A record's number with the check of its entry above it.
fn with_check(fingerprint: u64, no: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&fingerprint.to_le_bytes());
    bytes[8..].copy_from_slice(&(no & NUMBER_MASK).to_le_bytes());
    let crc = crc32fast::hash(&bytes);
    (no & NUMBER_MASK) | (u64::from((crc >> 16) ^ (crc & 0xFFFF)) << 48)
}

fn rotten(file: FileName, offset: u64) -> JournalError {
    let cause = "an entry of the index is not what was written";
    JournalError::Damaged { file: file.to_string(), offset, cause }
}

/// Entries and `upto` of a block header.
fn parse(bytes: &[u8]) -> Option<(u64, u64)> {
    let whole = bytes.len() == HEADER_LEN && bytes[..4] == MAGIC;
    let good = whole && u32_at(bytes, 4) == crc32fast::hash(&bytes[8..]);
    good.then(|| (u64::from(u32_at(bytes, 8)), u64_at(bytes, 16)))
}

fn header(entries: u64, upto: u64) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&u32::try_from(entries).unwrap_or(u32::MAX).to_le_bytes());
    bytes[16..24].copy_from_slice(&upto.to_le_bytes());
    let crc = crc32fast::hash(&bytes[8..]);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Writes the pending entries of a day behind its last block, a bufferful at a time; where the
/// block ends. A block that a crash cut short is covered by no mark.
fn write_block(
    backend: &dyn Backend,
    buffer: &mut Vec<u8>,
    (file, held): (FileName, &Day),
    upto: u64,
) -> Result<u64, JournalError> {
    let mut end = held.end;
    buffer.clear();
    buffer.reserve_exact(WRITE_BYTES + ENTRY_LEN);
    buffer.extend_from_slice(&header(held.pending.len() as u64, upto));
    for (fingerprint, no) in &held.pending {
        buffer.extend_from_slice(&fingerprint.to_le_bytes());
        buffer.extend_from_slice(&with_check(*fingerprint, *no).to_le_bytes());
        if buffer.len() >= WRITE_BYTES {
            backend.write_at(file, end, buffer).at("write", file)?;
            end += buffer.len() as u64;
            buffer.clear();
        }
    }
    backend.write_at(file, end, buffer).at("write", file)?;
    Ok(end + buffer.len() as u64)
}
