//! The segment being written: where the next batch goes, and what it is chained to.

use super::keys::DataKey;
use super::recovery::Recovered;
use super::seal::{Cipher, Tag};
use super::segment::{Before, SEGMENT_HEADER_LEN, SegmentHeader};

/// The segment being written.
pub(super) struct Current {
    pub(super) id: u64,
    pub(super) stamp: u64,
    pub(super) cipher: Cipher,
    pub(super) file_len: u64,
    /// Where the next batch goes.
    pub(super) end: u64,
    pub(super) sequence: u32,
    /// The last tag of the chain.
    pub(super) tag: Tag,
    /// Where the last anchor was noted.
    pub(super) anchored: u64,
}

impl Current {
    pub(super) fn new(header: &SegmentHeader, cipher: Cipher) -> Self {
        Self {
            id: header.id,
            stamp: header.stamp(),
            cipher,
            file_len: header.file_len,
            end: SEGMENT_HEADER_LEN as u64,
            sequence: 0,
            tag: header.tag,
            anchored: SEGMENT_HEADER_LEN as u64,
        }
    }

    /// Stands for what was recovered until the new segment is open: full, never written to.
    pub(super) fn after(recovered: &Recovered, key: &DataKey) -> Self {
        Self {
            id: recovered.highest,
            stamp: 0,
            cipher: key.file_cipher(&[0; 32]),
            file_len: 0,
            end: recovered.last.end,
            sequence: 0,
            tag: recovered.last.tag,
            anchored: 0,
        }
    }

    pub(super) fn has_room(&self, len: usize) -> bool {
        self.end.saturating_add(len as u64) <= self.file_len
    }

    pub(super) fn as_before(&self) -> Before {
        Before { id: self.id, end: self.end, tag: self.tag }
    }

    pub(super) fn is_half_full(&self) -> bool {
        self.end > self.file_len / 2
    }
}
