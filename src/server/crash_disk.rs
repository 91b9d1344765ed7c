//! The disk with the places where a crash can be asked for: before, in the middle of and after
//! each kind of access the journal makes. Compiled only under the feature `faults`.
//!
//! Contract: does what the disk below it does, until the time has come. A torn write leaves the
//! first half of its bytes.

use super::crash::{CrashPoints, Point, die};
use crate::journal::Backend;
use crate::journal::file::backend::{Change, FileName, Sync};
use std::io;
use std::sync::Arc;

/// A disk that ends the process.
pub(super) struct CrashDisk {
    below: Arc<dyn Backend>,
    points: CrashPoints,
    /// It is the archive's folder.
    archive: bool,
}

impl CrashDisk {
    /// The journal's folder.
    pub(super) fn new(below: Arc<dyn Backend>, points: CrashPoints) -> Self {
        Self { below, points, archive: false }
    }

    /// The archive's folder.
    pub(super) fn archive(below: Arc<dyn Backend>, points: CrashPoints) -> Self {
        Self { below, points, archive: true }
    }

    /// The place in the middle of a write.
    fn torn(&self, name: FileName) -> Option<Point> {
        Some(match name {
            FileName::Segment(_) if self.archive => Point::ArchiveTorn,
            _ if self.archive => return None,
            FileName::Segment(_) => Point::BatchTorn,
            FileName::Spare(_) => Point::RotateHeader,
            FileName::Blank(_) => Point::SpareZeros,
            // The key file is written beside as number 0; no checkpoint covers nothing.
            FileName::Unfinished(0) => Point::KeysWrite,
            FileName::Unfinished(_) => Point::CheckpointTorn,
            FileName::DayIndex(_) => Point::IndexTorn,
            FileName::Extent => Point::ExtentTorn,
            FileName::Checkpoint(_) | FileName::Keys => return None,
        })
    }

    /// The places before and after a sync.
    fn around_sync(&self, what: Sync) -> [Option<Point>; 2] {
        match what {
            Sync::File(FileName::Segment(_)) if self.archive => [Some(Point::ArchiveSync), None],
            _ if self.archive => [None, None],
            Sync::File(FileName::Segment(_)) => {
                [Some(Point::BatchWritten), Some(Point::BatchSynced)]
            }
            Sync::File(FileName::Unfinished(1..)) => [Some(Point::CheckpointSync), None],
            Sync::File(FileName::DayIndex(_)) => [Some(Point::IndexSync), None],
            Sync::File(FileName::Extent) => [Some(Point::ExtentSync), Some(Point::ExtentSynced)],
            Sync::Folder => [Some(Point::FolderSync), None],
            Sync::File(_) => [None, None],
        }
    }

    /// The places before and after a change of the folder.
    fn around_change(&self, change: Change) -> [Option<Point>; 2] {
        match change {
            _ if self.archive => [None, None],
            Change::Rename { to: FileName::Segment(_), .. } => {
                [Some(Point::RotateRename), Some(Point::RotateRenamed)]
            }
            Change::Rename { from: FileName::Segment(_), .. }
            | Change::Remove(FileName::Segment(_)) => [Some(Point::Retire), Some(Point::Retired)],
            Change::Rename { from: FileName::Blank(_), .. } => [Some(Point::SpareRename), None],
            Change::Rename { to: FileName::Keys, .. } => [Some(Point::KeysRename), None],
            Change::Rename { to: FileName::Checkpoint(_), .. } => {
                [Some(Point::CheckpointRename), Some(Point::CheckpointRenamed)]
            }
            Change::Remove(FileName::Checkpoint(_)) => [Some(Point::CheckpointPrune), None],
            Change::Rename { .. } | Change::Remove(_) => [None, None],
        }
    }
}

impl Backend for CrashDisk {
    fn list(&self) -> io::Result<Vec<(FileName, u64)>> {
        self.below.list()
    }

    fn read_at(&self, name: FileName, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.below.read_at(name, at, into)
    }

    fn write_at(&self, name: FileName, at: u64, bytes: &[u8]) -> io::Result<()> {
        if matches!(name, FileName::Segment(_)) && !self.archive {
            self.points.pass(Some(Point::BatchWrite));
        }
        if self.points.is_time(self.torn(name)) {
            let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
            drop(self.below.write_at(name, at, half));
            die();
        }
        self.below.write_at(name, at, bytes)
    }

    fn sync(&self, what: Sync) -> io::Result<()> {
        let [before, after] = self.around_sync(what);
        self.points.pass(before);
        self.below.sync(what)?;
        self.points.pass(after);
        Ok(())
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let [before, after] = self.around_change(change);
        self.points.pass(before);
        self.below.change(change)?;
        self.points.pass(after);
        Ok(())
    }

    fn free(&self) -> Option<u64> {
        self.below.free()
    }
}
