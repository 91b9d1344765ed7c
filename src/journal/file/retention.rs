//! Letting go of old segments: archived if asked, then recycled.
//!
//! Contract: oldest first; never the newest, never one with records a kept checkpoint does not
//! cover, never one younger than the retention asks. What is archived is copied, synced and read
//! back before the original goes. Slow: not on the writer's thread. Nothing else deletes records.

use super::backend::{Backend, FileName, Sync};
use super::checkpoint::PIECE_BYTES;
use super::error::{AtFile, JournalError};
use super::extent::Extent;
use super::map::{Mapped, SegmentMap};
use super::shelf::Shelf;
use crate::time::Wall;
use std::io;
use std::sync::Arc;

/// How long records are kept, and where they go then.
#[derive(Clone)]
pub struct Retention {
    /// Milliseconds a segment is kept after its last record.
    pub keep_ms: i64,
    /// Another folder that gets a copy of every segment before it goes (with the key file, which
    /// opens it); `None` to let go for good.
    pub archive: Option<Arc<dyn Backend>>,
}

impl std::fmt::Debug for Retention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let archive = self.archive.is_some();
        f.debug_struct("Retention")
            .field("keep_ms", &self.keep_ms)
            .field("archive", &archive)
            .finish()
    }
}

/// Retires what may go; `covered` is what [`super::checkpoint_folder::prune_checkpoints`]
/// returned. The ids of the segments that went.
///
/// # Errors
/// What either disk says; the segment in question then stays.
pub fn retire(
    backend: &dyn Backend,
    map: &SegmentMap,
    (shelf, extent): (&Shelf, &Extent),
    retention: &Retention,
    covered: u64,
    now: Wall,
) -> Result<Vec<u64>, JournalError> {
    let mut gone = Vec::new();
    for pair in map.all().windows(2) {
        let [segment, next] = pair else { continue };
        if !may_go(next, retention, covered, now) {
            break;
        }
        let id = segment.header.id;
        if let Some(archive) = &retention.archive {
            copy(backend, archive.as_ref(), FileName::Segment(id), segment.header.file_len)?;
            extent.archived(archive, &segment.header)?;
        }
        extent.let_go(&next.header, retention.archive.is_some())?;
        map.remove(id);
        shelf.recycle(id, segment.header.file_len)?;
        gone.push(id);
    }
    Ok(gone)
}

/// Whether the segment before `next` may go: `next` opened when its last record was written.
fn may_go(next: &Mapped, retention: &Retention, covered: u64, now: Wall) -> bool {
    let kept_until = next.header.created_ms.saturating_add(retention.keep_ms);
    next.header.first <= covered.saturating_add(1) && kept_until <= now.millis()
}

fn copy(
    from: &dyn Backend,
    to: &dyn Backend,
    name: FileName,
    len: u64,
) -> Result<(), JournalError> {
    copy_one(from, to, FileName::Keys, u64::from(u16::MAX))?;
    copy_one(from, to, name, len)?;
    to.sync(Sync::Folder).at("sync", "the archive folder")
}

/// A piece at a time: a segment takes no memory of its size, and the journal's own syncs wait for
/// no more than a piece.
fn copy_one(
    from: &dyn Backend,
    to: &dyn Backend,
    name: FileName,
    len: u64,
) -> Result<(), JournalError> {
    let (mut at, mut piece) = (0, Vec::new());
    loop {
        let more = match read_piece(from, name, (at, len), &mut piece) {
            // A journal whose key the caller holds has no key file.
            Err(e) if name == FileName::Keys && e.kind() == io::ErrorKind::NotFound => false,
            other => other.at("read", name)?,
        };
        if !more {
            break;
        }
        to.write_at(name, at, &piece).at("archive", name)?;
        to.sync(Sync::File(name)).at("archive", name)?;
        at += piece.len() as u64;
    }
    let (len, mut copied) = (at, Vec::new());
    at = 0;
    while read_piece(from, name, (at, len), &mut piece).at("read", name)? {
        read_piece(to, name, (at, len), &mut copied).at("read back from the archive", name)?;
        if copied != piece {
            let cause = "the archive does not read back what was written to it";
            return Err(JournalError::Damaged { file: name.to_string(), offset: at, cause });
        }
        at += piece.len() as u64;
    }
    Ok(())
}

/// The next bytes from `at` on, of a file of at most `len`; false at its end.
fn read_piece(
    backend: &dyn Backend,
    name: FileName,
    (at, len): (u64, u64),
    piece: &mut Vec<u8>,
) -> io::Result<bool> {
    let most = usize::try_from(len.saturating_sub(at)).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
    piece.resize(most, 0);
    let got = if most == 0 { 0 } else { backend.read_at(name, at, piece)? };
    piece.truncate(got);
    Ok(got > 0)
}
