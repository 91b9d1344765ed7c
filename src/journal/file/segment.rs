//! The header of a segment file: who it is, what it continues, which salt its key comes from.
//!
//! Contract: written once, synced under the name of a spare, then renamed; a file named as a
//! segment therefore always has a whole header and its full length. The header states where the
//! segment before ends and the last tag of its chain: what stands behind that end was cut off.
//! All numbers are little-endian. Magic, version and CRC keep their places in every version.
//!
//! ```text
//!   0  "PMSEGMT\0"         16  id u64            40  end of the one before u64   112  key id 8
//!   8  version u16         24  first record u64  48  its last tag 16             120  extent u64
//!  10  zero u16            32  id of the one     64  salt 32                     240  seal 16
//!  12  crc of the rest u32     before, 0: none   96  length of the file u64
//!                                               104  created, ms since 1970 i64
//! ```

use super::entry::{u32_at, u64_at};
use super::keys::DataKey;
use super::seal::{Cipher, HEADER_NONCE, Tag};

/// Bytes before the first batch.
pub const SEGMENT_HEADER_LEN: usize = 256;
/// The format this program writes, and the newest it reads.
pub const FORMAT_VERSION: u16 = 1;
const MAGIC: &[u8; 8] = b"PMSEGMT\0";
const SEALED: std::ops::Range<usize> = 16..240;

/// The header of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Format version.
    pub version: u16,
    /// Its id; ids grow and may skip.
    pub id: u64,
    /// Number of the first record in it.
    pub first: u64,
    /// What it continues.
    pub before: Before,
    /// What its key is derived from; its first 8 bytes are the stamp of its batches.
    pub salt: [u8; 32],
    /// Length of the file in bytes.
    pub file_len: u64,
    /// When it was opened, milliseconds since 1970.
    pub created_ms: i64,
    /// Which data key.
    pub key_id: [u8; 8],
    /// Number of the statement of the extent that stood when it was opened; 0: none.
    pub stated: u64,
    /// The seal; the first batch chains to it.
    pub tag: Tag,
}

/// Where the segment before ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Before {
    /// Its id, 0 if there is none.
    pub id: u64,
    /// The byte where its chain ends.
    pub end: u64,
    /// The last tag of its chain.
    pub tag: Tag,
}

/// What the first bytes of a file say before anything else is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preamble {
    /// It starts like a segment.
    pub magic: bool,
    /// The CRC of the header is right.
    pub crc: bool,
    /// Its format version, if the CRC is right.
    pub version: u16,
}

impl SegmentHeader {
    /// Magic, CRC and version of what should be a header.
    pub fn preamble(bytes: &[u8]) -> Preamble {
        let whole = bytes.len() >= SEGMENT_HEADER_LEN;
        let crc = whole && u32_at(bytes, 12) == crc(bytes);
        let version = if crc { u16::from_le_bytes([bytes[8], bytes[9]]) } else { 0 };
        Preamble { magic: bytes.starts_with(MAGIC), crc, version }
    }

    /// Reads a header of this program's version; `None` where the preamble is not right.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let preamble = Self::preamble(bytes);
        if !preamble.magic || !preamble.crc || preamble.version != FORMAT_VERSION {
            return None;
        }
        Some(Self {
            version: preamble.version,
            id: u64_at(bytes, 16),
            first: u64_at(bytes, 24),
            before: Before {
                id: u64_at(bytes, 32),
                end: u64_at(bytes, 40),
                tag: bytes[48..64].try_into().ok()?,
            },
            salt: bytes[64..96].try_into().ok()?,
            file_len: u64_at(bytes, 96),
            created_ms: i64::from_le_bytes(bytes[104..112].try_into().ok()?),
            key_id: bytes[112..120].try_into().ok()?,
            stated: u64_at(bytes, 120),
            tag: bytes[240..256].try_into().ok()?,
        })
    }

    /// Seals the header (sets its tag) and gives its bytes and the cipher of its batches.
    pub fn seal(&mut self, key: &DataKey) -> Option<([u8; SEGMENT_HEADER_LEN], Cipher)> {
        let cipher = key.file_cipher(&self.salt);
        let mut bytes = [0; SEGMENT_HEADER_LEN];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&self.version.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.id.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.before.id.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.before.end.to_le_bytes());
        bytes[48..64].copy_from_slice(&self.before.tag);
        bytes[64..96].copy_from_slice(&self.salt);
        bytes[96..104].copy_from_slice(&self.file_len.to_le_bytes());
        bytes[104..112].copy_from_slice(&self.created_ms.to_le_bytes());
        bytes[112..120].copy_from_slice(&self.key_id);
        bytes[120..128].copy_from_slice(&self.stated.to_le_bytes());
        self.tag = cipher.seal(HEADER_NONCE, &bytes[SEALED], &mut [])?;
        bytes[240..].copy_from_slice(&self.tag);
        let crc = crc(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        Some((bytes, cipher))
    }

    /// The cipher of the batches, if the header's own seal opens under `key`.
    pub fn open(&self, bytes: &[u8], key: &DataKey) -> Option<Cipher> {
        let cipher = key.file_cipher(&self.salt);
        let bound = bytes.get(SEALED)?;
        cipher.open(HEADER_NONCE, bound, &mut [], &self.tag).then_some(cipher)
    }

    /// What tells this segment's batches from those the file held in an earlier life.
    pub fn stamp(&self) -> u64 {
        u64_at(&self.salt, 0)
    }
}

fn crc(header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..12]);
    hasher.update(&header[16..SEGMENT_HEADER_LEN]);
    hasher.finalize()
}
