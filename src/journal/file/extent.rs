//! The extent: a sealed statement of what the journal holds, beside the segments. From which record
//! on it is kept, up to which segment it was written, how many segments were let go and archived,
//! and which losses an operator accepted.
//!
//! Contract: segments that are gone cannot say so themselves; this file says that they were there.
//! It is stated before a segment is let go, and after one is opened, so that no crash leaves a
//! statement of what never was. Two slots are written in turn, in a file that is allocated once: a
//! torn write leaves the one before, and a full disk stops nothing. Every segment names the
//! statement that stood when it was opened: an older copy of this file is told from the newest.
//!
//! ```text
//!   two slots of 32 KiB:
//!   0  "PMEXTNT\0"         16  number u64         32  key id 8       56  body
//!   8  version u16         24  length of body u32 40  seal 16
//!  10  zero u16            28  zero u32
//!  12  crc of the rest u32
//!
//!   body: first segment u64, its first record u64, newest segment u64, its first record u64,
//!   segments let go u64, of them archived u64, losses u32, and of each: byte u64, record u64,
//!   when i64 (ms since 1970), and as length u16 and UTF-8: file, row, who, why
//! ```

use super::backend::{Backend, FileName, Sync};
use super::entry::{u32_at, u64_at};
use super::error::{AtFile, JournalError};
use super::keys::DataKey;
use super::segment::SegmentHeader;
use super::statement::{Statement, decode, encode};
use super::verdicts::{EXTENT_DAMAGED, EXTENT_FORGED, EXTENT_NEWER, EXTENT_OTHER_KEY, Row};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const MAGIC: &[u8; 8] = b"PMEXTNT\0";
const VERSION: u16 = 1;
const HEAD_LEN: usize = 56;
const SEALED_HEAD: std::ops::Range<usize> = 16..40;

/// Bytes of a slot: some 200 accepted losses.
const SLOT_BYTES: usize = 32 << 10;

/// What the file says, or why it says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stated {
    /// There is no such file.
    Missing,
    /// The newest whole statement, and its number.
    Whole(u64, Statement),
    /// Neither slot can be believed.
    Unreadable(&'static Row),
}

/// Reads the newest statement; without a key its seal is taken for good.
///
/// # Errors
/// What the disk says.
pub fn read_extent(backend: &dyn Backend, key: Option<&DataKey>) -> Result<Stated, JournalError> {
    let mut bytes = vec![0; 2 * SLOT_BYTES];
    let got = match backend.read_at(FileName::Extent, 0, &mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Stated::Missing),
        other => other.at("read", FileName::Extent)?,
    };
    bytes.truncate(got);
    let (mut newest, mut why) = (None, &EXTENT_DAMAGED);
    for slot in bytes.chunks(SLOT_BYTES) {
        match open(slot, key) {
            Ok((number, _)) if newest.as_ref().is_some_and(|(known, _)| *known > number) => {}
            Ok(whole) => newest = Some(whole),
            // A slot that was torn says less than one that was altered.
            Err(row) if row != &EXTENT_DAMAGED => why = row,
            Err(_) => {}
        }
    }
    Ok(newest.map_or(Stated::Unreadable(why), |(number, said)| Stated::Whole(number, said)))
}

fn open(slot: &[u8], key: Option<&DataKey>) -> Result<(u64, Statement), &'static Row> {
    if !slot.starts_with(MAGIC) || slot.len() < HEAD_LEN {
        return Err(&EXTENT_DAMAGED);
    }
    let version = u16::from_le_bytes([slot[8], slot[9]]);
    let end = HEAD_LEN.saturating_add(u32_at(slot, 24) as usize);
    let slot = slot.get(..end).ok_or(&EXTENT_DAMAGED)?;
    if crc(slot) != u32_at(slot, 12) {
        return Err(&EXTENT_DAMAGED);
    }
    if version > VERSION {
        return Err(&EXTENT_NEWER);
    }
    if let Some(key) = key {
        if slot[32..40] != key.id() {
            return Err(&EXTENT_OTHER_KEY);
        }
        if slot[40..HEAD_LEN] != key.vouch(&sealed(slot)) {
            return Err(&EXTENT_FORGED);
        }
    }
    let said = decode(&slot[HEAD_LEN..]).ok_or(&EXTENT_DAMAGED)?;
    Ok((u64_at(slot, 16), said))
}

/// What the seal binds.
fn sealed(slot: &[u8]) -> Vec<u8> {
    [&slot[SEALED_HEAD], &slot[HEAD_LEN..]].concat()
}

fn crc(slot: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&slot[..12]);
    hasher.update(&slot[16..]);
    hasher.finalize()
}

fn slot(number: u64, said: &Statement, key: &DataKey) -> Result<Vec<u8>, JournalError> {
    let body = encode(said);
    let most = SLOT_BYTES - HEAD_LEN;
    if body.len() > most {
        return Err(JournalError::TooLarge { got: body.len(), most });
    }
    let mut slot = vec![0; HEAD_LEN];
    slot[..8].copy_from_slice(MAGIC);
    slot[8..10].copy_from_slice(&VERSION.to_le_bytes());
    slot[16..24].copy_from_slice(&number.to_le_bytes());
    slot[24..28].copy_from_slice(&u32::try_from(body.len()).unwrap_or(0).to_le_bytes());
    slot[32..40].copy_from_slice(&key.id());
    slot.extend_from_slice(&body);
    let seal = key.vouch(&sealed(&slot));
    slot[40..HEAD_LEN].copy_from_slice(&seal);
    let crc = crc(&slot);
    slot[12..16].copy_from_slice(&crc.to_le_bytes());
    Ok(slot)
}

/// The extent of a journal that is written: clones share it.
#[derive(Clone)]
pub struct Extent {
    backend: Arc<dyn Backend>,
    key: DataKey,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Number of the newest statement that is safe on disk; 0: none.
    number: u64,
    said: Statement,
    exists: bool,
    /// What the disk refused, the newest of it, and how often.
    failed: Option<(u64, String)>,
}

impl std::fmt::Debug for Extent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Extent").field("state", &*self.state()).finish_non_exhaustive()
    }
}

impl Extent {
    /// Goes on from what was read; `least`: the highest number that any segment names.
    pub(super) fn after(
        backend: &Arc<dyn Backend>,
        key: &DataKey,
        stated: &Stated,
        least: u64,
    ) -> Self {
        let (number, said) = match stated {
            Stated::Whole(number, said) => (*number, said.clone()),
            Stated::Missing | Stated::Unreadable(_) => (0, Statement::default()),
        };
        let exists = matches!(stated, Stated::Whole(..));
        let state = State { number: number.max(least), said, exists, failed: None };
        let state = Arc::new(Mutex::new(state));
        Self { backend: Arc::clone(backend), key: key.clone(), state }
    }

    /// Number of the newest statement that is safe on disk.
    pub fn number(&self) -> u64 {
        self.state().number
    }

    /// The newest statement.
    pub fn said(&self) -> Statement {
        self.state().said.clone()
    }

    /// States something else, durably; nothing is written where it says the same.
    ///
    /// # Errors
    /// `TooLarge` for more losses than fit; what the disk says. What was said before then stands.
    pub fn state_that(&self, change: impl FnOnce(&mut Statement)) -> Result<(), JournalError> {
        let mut state = self.state();
        let mut said = state.said.clone();
        change(&mut said);
        if said == state.said && state.exists {
            return Ok(());
        }
        let number = state.number + 1;
        let mut bytes = slot(number, &said, &self.key)?;
        let (file, fresh) = (FileName::Extent, !state.exists);
        let mut at = number % 2 * SLOT_BYTES as u64;
        if fresh {
            // Both slots: what is allocated now needs no space later.
            let mut both = vec![0; 2 * SLOT_BYTES];
            both[at as usize..at as usize + bytes.len()].copy_from_slice(&bytes);
            (bytes, at) = (both, 0);
        }
        self.backend.write_at(file, at, &bytes).at("write", file)?;
        self.backend.sync(Sync::File(file)).at("sync", file)?;
        if fresh {
            self.backend.sync(Sync::Folder).at("sync", "the journal folder")?;
        }
        (state.number, state.said, state.exists) = (number, said, true);
        Ok(())
    }

    /// States that a segment was opened: after it was. Should that fail, records go on: the
    /// statement before says less, and nothing wrong. [`Extent::failed`] tells.
    pub(super) fn opened(&self, newest: &SegmentHeader) {
        let stated =
            self.state_that(|said| (said.newest, said.newest_record) = (newest.id, newest.first));
        if let Err(why) = stated {
            let mut state = self.state();
            let times = state.failed.as_ref().map_or(0, |(times, _)| *times);
            state.failed = Some((times + 1, why.to_string()));
        }
    }

    /// How often the disk refused a statement so far, and why it did last.
    pub fn failed(&self) -> Option<(u64, String)> {
        self.state().failed.clone()
    }

    /// States that a segment is let go: before it goes. `next`: the oldest one then.
    pub(super) fn let_go(&self, next: &SegmentHeader, archived: bool) -> Result<(), JournalError> {
        self.state_that(|said| {
            // Once: a crash may have come between this and the end of the segment.
            if next.id > said.first_segment {
                (said.first_segment, said.first_record) = (next.id, next.first);
                said.let_go += 1;
                said.archived += u64::from(archived);
            }
        })
    }

    /// States in the archive's own folder that it has this segment, after it was copied there.
    pub(super) fn archived(
        &self,
        archive: &Arc<dyn Backend>,
        copied: &SegmentHeader,
    ) -> Result<(), JournalError> {
        let theirs = read_extent(archive.as_ref(), Some(&self.key))?;
        Self::after(archive, &self.key, &theirs, self.number()).state_that(|said| {
            if said.first_segment == 0 {
                (said.first_segment, said.first_record) = (copied.id, copied.first);
            }
            (said.newest, said.newest_record) = (copied.id, copied.first);
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sim_disk::SimDisk;
    use super::super::statement::Loss;
    use super::*;

    type Tested = Result<(), JournalError>;

    fn key() -> DataKey {
        DataKey::new([7; 32])
    }

    fn loss() -> Loss {
        let (file, row) = ("journal-0000000003.segment".to_owned(), "P4".to_owned());
        let (by, why) = ("anna".to_owned(), "restored from bank's file".to_owned());
        Loss { file, offset: 3_840, record: 77, row, by, why, at_ms: 5 }
    }

    fn extent(disk: &SimDisk) -> Result<Extent, JournalError> {
        let backend: Arc<dyn Backend> = Arc::new(disk.clone());
        Ok(Extent::after(&backend, &key(), &read_extent(disk, Some(&key()))?, 0))
    }

    #[test]
    fn what_was_stated_is_read_back_with_and_without_the_key() -> Tested {
        let disk = SimDisk::new(1);
        assert_eq!(read_extent(&disk, Some(&key()))?, Stated::Missing);
        extent(&disk)?.state_that(|said| {
            *said = Statement { first_segment: 3, first_record: 40, ..Statement::default() };
            said.losses.push(loss());
        })?;
        let said = extent(&disk)?.said();
        assert_eq!((said.first_segment, said.first_record), (3, 40));
        assert_eq!(said.losses, [loss()]);
        assert_eq!(read_extent(&disk, None)?, Stated::Whole(1, said));
        Ok(())
    }

    #[test]
    fn a_torn_statement_leaves_the_one_before() -> Tested {
        let disk = SimDisk::new(1);
        let held = extent(&disk)?;
        for newest in 1..=3 {
            held.state_that(|said| said.newest = newest)?;
        }
        disk.write_at(FileName::Extent, SLOT_BYTES as u64 + 60, b"torn").at("", "")?;
        assert_eq!(extent(&disk)?.said().newest, 2);
        disk.write_at(FileName::Extent, 60, b"torn").at("", "")?;
        let stated = read_extent(&disk, Some(&key()))?;
        assert_eq!(stated, Stated::Unreadable(&EXTENT_DAMAGED));
        Ok(())
    }

    #[test]
    fn a_statement_that_somebody_altered_is_told_from_a_torn_one() -> Tested {
        let disk = SimDisk::new(1);
        extent(&disk)?.state_that(|said| said.newest = 4)?;
        let mut forged = slot(2, &Statement { newest: 3, ..Statement::default() }, &key())?;
        forged[HEAD_LEN] ^= 1;
        let crc = crc(&forged);
        forged[12..16].copy_from_slice(&crc.to_le_bytes());
        disk.write_at(FileName::Extent, 0, &forged).at("", "")?;
        disk.write_at(FileName::Extent, SLOT_BYTES as u64, &forged).at("", "")?;
        let stated = read_extent(&disk, Some(&key()))?;
        assert_eq!(stated, Stated::Unreadable(&EXTENT_FORGED));
        let other = read_extent(&disk, Some(&DataKey::new([8; 32])))?;
        assert_eq!(other, Stated::Unreadable(&EXTENT_OTHER_KEY));
        Ok(())
    }

    #[test]
    fn more_losses_than_fit_are_refused_and_change_nothing() -> Tested {
        let disk = SimDisk::new(1);
        let held = extent(&disk)?;
        held.state_that(|said| said.newest = 1)?;
        let many = held.state_that(|said| said.losses = vec![loss(); 1_000]);
        assert!(matches!(many, Err(JournalError::TooLarge { .. })), "{many:?}");
        assert_eq!(extent(&disk)?.said(), held.said());
        Ok(())
    }
}
