//! A batch as it stands in a segment: a 64-byte header, the sealed records, zeros up to a
//! multiple of 64 bytes.
//!
//! Contract: every byte of a batch is covered by a CRC (so that `verify` needs no key) and, but
//! for the CRCs, by the seal. A batch tells its place (stamp of its segment, sequence in it,
//! first record number), how much was durable when it was written, and nothing else in clear.
//! All numbers are little-endian.
//!
//! ```text
//!  0  "PMB1"            16  records u32       32  first record u64   48  seal (GCM tag) 16
//!  4  header crc u32    20  sequence u32      40  durable upto u64   64  body, zero padding
//!  8  body crc u32      24  segment stamp u64
//! 12  body length u32
//! ```

use super::seal::{Cipher, Tag};

/// Bytes of a batch header, and what every batch is a multiple of.
pub const BATCH_HEADER_LEN: usize = 64;
const MAGIC: [u8; 4] = *b"PMB1";

/// The header of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// CRC-32 of the sealed body and its padding.
    pub body_crc: u32,
    /// Bytes of the sealed body.
    pub body_len: u32,
    /// Records in it; 0 when it only carries the mark.
    pub records: u32,
    /// Which batch of the segment, from 0; the nonce.
    pub sequence: u32,
    /// The random stamp of the segment: tells it from what the file held before.
    pub stamp: u64,
    /// Number of the first record (of the next one, if it holds none).
    pub first: u64,
    /// All records up to this number were durable when the batch was written.
    pub durable: u64,
    /// The seal.
    pub tag: Tag,
}

/// `len` rounded up to what batches are a multiple of.
pub fn padded(len: usize) -> usize {
    len.next_multiple_of(BATCH_HEADER_LEN)
}

impl BatchHeader {
    /// Reads a header; `None` when magic or CRC is wrong or bytes are missing.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; BATCH_HEADER_LEN] = bytes.get(..BATCH_HEADER_LEN)?.try_into().ok()?;
        if bytes[..4] != MAGIC || u32_at(bytes, 4) != crc32fast::hash(&bytes[8..]) {
            return None;
        }
        let mut tag = [0; 16];
        tag.copy_from_slice(&bytes[48..]);
        Some(Self {
            body_crc: u32_at(bytes, 8),
            body_len: u32_at(bytes, 12),
            records: u32_at(bytes, 16),
            sequence: u32_at(bytes, 20),
            stamp: u64_at(bytes, 24),
            first: u64_at(bytes, 32),
            durable: u64_at(bytes, 40),
            tag,
        })
    }

    /// The header's bytes.
    pub fn encode(&self) -> [u8; BATCH_HEADER_LEN] {
        let mut bytes = [0; BATCH_HEADER_LEN];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.body_crc.to_le_bytes());
        bytes[12..48].copy_from_slice(&self.place());
        bytes[48..].copy_from_slice(&self.tag);
        let crc = crc32fast::hash(&bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The number after the last record.
    pub fn next(&self) -> u64 {
        self.first.saturating_add(u64::from(self.records))
    }

    /// Bytes of the whole batch in the segment.
    pub fn total_len(&self) -> usize {
        BATCH_HEADER_LEN + padded(self.body_len as usize)
    }

    fn place(&self) -> [u8; 36] {
        let mut place = [0; 36];
        place[..4].copy_from_slice(&self.body_len.to_le_bytes());
        place[4..8].copy_from_slice(&self.records.to_le_bytes());
        place[8..12].copy_from_slice(&self.sequence.to_le_bytes());
        place[12..20].copy_from_slice(&self.stamp.to_le_bytes());
        place[20..28].copy_from_slice(&self.first.to_le_bytes());
        place[28..].copy_from_slice(&self.durable.to_le_bytes());
        place
    }

    /// What the seal binds beside the body: segment id, place, and the tag before (the chain).
    fn bound(&self, segment: u64, before: &Tag) -> [u8; 60] {
        let mut bound = [0; 60];
        bound[..8].copy_from_slice(&segment.to_le_bytes());
        bound[8..44].copy_from_slice(&self.place());
        bound[44..].copy_from_slice(before);
        bound
    }

    /// Seals `body` in place and sets the tag. `None` only beyond the cipher's limit.
    pub fn seal(&mut self, id: u64, cipher: &Cipher, before: &Tag, body: &mut [u8]) -> Option<()> {
        self.tag = cipher.seal(u64::from(self.sequence), &self.bound(id, before), body)?;
        Some(())
    }

    /// Opens `body` in place; false when anything was altered or stands elsewhere.
    #[must_use]
    pub fn open(&self, id: u64, cipher: &Cipher, before: &Tag, body: &mut [u8]) -> bool {
        cipher.open(u64::from(self.sequence), &self.bound(id, before), body, &self.tag)
    }
}

/// The records of an opened body. Ends early (and [`Records::whole`] is false) where lengths do
/// not add up, which an intact seal rules out.
#[derive(Debug, Clone, Copy)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// Walks an opened body.
    pub fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    /// Whether everything was given out.
    pub fn whole(&self) -> bool {
        self.rest.is_empty()
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.rest.split_first_chunk::<4>()?;
        let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        self.rest = rest;
        Some(record)
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(value)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(value)
}
