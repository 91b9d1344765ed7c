//! Where records stand: segments in order, with an anchor every 64 KiB.
//!
//! Contract: shared by the writer (adds), readers (look up) and retention (removes). Memory is
//! 40 bytes per 64 KiB of journal. The lock is taken per anchor and per look-up, never per
//! record; readers see a record only once it is durable.

use super::seal::Tag;
use super::segment::{SEGMENT_HEADER_LEN, SegmentHeader};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A place to start reading batches from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Number of the first record of the batch there.
    pub first: u64,
    /// Where in the file.
    pub offset: u64,
    /// The tag before it.
    pub before: Tag,
}

/// One segment, as far as it is known.
#[derive(Debug, Clone)]
pub struct Mapped {
    /// Its header.
    pub header: SegmentHeader,
    /// Where its chain ends; for the newest one, as far as it was read at start.
    pub end: u64,
    anchors: Vec<Anchor>,
}

/// Bytes between two anchors: one read of this size finds any record.
pub(super) const ANCHOR_EVERY_BYTES: u64 = 64 << 10;

/// All segments on disk, and how much of them is durable.
#[derive(Debug, Default)]
pub struct SegmentMap {
    segments: RwLock<Vec<Mapped>>,
    durable: AtomicU64,
}

impl SegmentMap {
    /// Adds a segment behind the others; it ends the one before where its header says.
    pub fn add(&self, header: SegmentHeader) {
        let mut segments = self.write();
        if let Some(before) = segments.last_mut() {
            before.end = header.before.end;
        }
        let offset = SEGMENT_HEADER_LEN as u64;
        let start = Anchor { first: header.first, offset, before: header.tag };
        segments.push(Mapped { header, end: u64::MAX, anchors: vec![start] });
    }

    /// Notes that a batch stands at `anchor` of segment `id`; keeps it if far from the last one,
    /// or if it `must` be (what lies between cannot be walked).
    pub fn note(&self, id: u64, anchor: Anchor, must: bool) {
        let mut segments = self.write();
        let Some(segment) = segments.iter_mut().rev().find(|s| s.header.id == id) else {
            return;
        };
        let last = segment.anchors.last().map_or(0, |last| last.offset);
        if must || anchor.offset >= last.saturating_add(ANCHOR_EVERY_BYTES) {
            segment.anchors.push(anchor);
        }
    }

    /// Forgets a segment.
    pub fn remove(&self, id: u64) {
        self.write().retain(|segment| segment.header.id != id);
    }

    /// The segment and the nearest anchor at or before record `no`.
    pub fn find(&self, no: u64) -> Option<(SegmentHeader, u64, Anchor)> {
        let segments = self.read();
        // Behind a cut-off tail several segments may start at one number: the last one has it.
        let at = segments.partition_point(|s| s.header.first <= no).checked_sub(1)?;
        let segment = segments.get(at)?;
        let anchor = segment.anchors.partition_point(|a| a.first <= no).checked_sub(1)?;
        Some((segment.header, segment.end, *segment.anchors.get(anchor)?))
    }

    /// Whether segment `id` is still there.
    pub fn holds(&self, id: u64) -> bool {
        self.read().iter().any(|segment| segment.header.id == id)
    }

    /// A copy of what is known of every segment, oldest first.
    pub fn all(&self) -> Vec<Mapped> {
        self.read().clone()
    }

    /// The header of the oldest segment.
    pub(super) fn oldest(&self) -> Option<SegmentHeader> {
        self.read().first().map(|segment| segment.header)
    }

    /// The header of the newest segment.
    pub(super) fn newest(&self) -> Option<SegmentHeader> {
        self.read().last().map(|segment| segment.header)
    }

    /// All records up to this number are durable.
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(super) fn set_durable(&self, upto: u64) {
        self.durable.fetch_max(upto, Ordering::AcqRel);
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Mapped>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Mapped>> {
        self.segments.write().unwrap_or_else(PoisonError::into_inner)
    }
}
