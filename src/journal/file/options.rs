//! What the caller decides about a journal, and where its randomness comes from.
//!
//! Deliberately absent: anything that changes the format; two journals differ only in size.

use super::segment::SEGMENT_HEADER_LEN;

/// Fills a buffer with unpredictable bytes. The simulation hands in a seeded one.
pub type Entropy = Box<dyn FnMut(&mut [u8]) -> std::io::Result<()> + Send>;

/// The operating system's randomness.
pub fn os_entropy() -> Entropy {
    Box::new(|into| getrandom::fill(into).map_err(|e| std::io::Error::other(e.to_string())))
}

/// Sizes and decisions. The defaults are what a production switch uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Length of a new segment file in bytes, a multiple of 4,096. Old ones keep theirs.
    pub segment_bytes: u32,
    /// Spare segments only essential batches may use: room for outcomes on a full disk.
    pub reserve_segments: usize,
    /// Spare segments made ahead, beyond the reserve.
    pub spare_segments: usize,
    /// Retired segments kept as spares beyond those: with as many as retire at one checkpoint
    /// none has to be filled with zeros again.
    pub recycled_segments: usize,
    /// An operator decided to go on without what damage destroyed (`--accept-loss`).
    pub accept_loss: bool,
    /// Planted bugs.
    #[cfg(feature = "faults")]
    pub plant: Plant,
}

/// The bugs that can be planted to prove that the tests find them.
#[cfg(feature = "faults")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plant {
    /// None.
    #[default]
    Nothing,
    /// The directory is never synced.
    NoFolderSync,
    /// Damage in the middle is cut off like a torn tail.
    MiddleTruncationAccepted,
}

/// 32 MiB: some 100,000 records, and 5 ms to read back.
const SEGMENT_BYTES: u32 = 32 << 20;

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: SEGMENT_BYTES,
            reserve_segments: 1,
            spare_segments: 1,
            recycled_segments: 8,
            accept_loss: false,
            #[cfg(feature = "faults")]
            plant: Plant::Nothing,
        }
    }
}

impl Options {
    /// The largest batch that fits a segment, header included, in bytes.
    pub fn batch_bytes_max(&self) -> usize {
        (self.segment_bytes as usize).saturating_sub(SEGMENT_HEADER_LEN)
    }

    pub(super) fn skips_folder_sync(&self) -> bool {
        #[cfg(feature = "faults")]
        return self.plant == Plant::NoFolderSync;
        #[cfg(not(feature = "faults"))]
        false
    }

    pub(super) fn cuts_the_middle(&self) -> bool {
        #[cfg(feature = "faults")]
        return self.plant == Plant::MiddleTruncationAccepted;
        #[cfg(not(feature = "faults"))]
        false
    }
}
