//! A batch being filled: records are laid down once, where they will be sealed and written.
//!
//! Contract: a batch may be filled on one thread and appended on another; its buffer is reused.
//! Pushing costs one copy and no allocation in steady state.

use super::entry::{BATCH_HEADER_LEN, BatchHeader, padded};
use super::seal::{Cipher, Tag};

/// Records with consecutive numbers, on their way to [`super::writer::Writer::append`].
#[derive(Debug, Clone)]
pub struct Batch {
    first: u64,
    records: u32,
    /// Room for the header, then length and bytes of each record.
    buffer: Vec<u8>,
}

impl Batch {
    /// An empty batch whose first record will have number `first`.
    pub fn new(first: u64) -> Self {
        Self { first, records: 0, buffer: vec![0; BATCH_HEADER_LEN] }
    }

    /// Empties it; the next record has number `first`. Keeps the buffer.
    pub fn reset(&mut self, first: u64) {
        self.first = first;
        self.records = 0;
        self.buffer.clear();
        self.buffer.resize(BATCH_HEADER_LEN, 0);
    }

    /// Adds a record; its number.
    pub fn push(&mut self, record: &[u8]) -> u64 {
        self.push_with(|buffer| buffer.extend_from_slice(record))
    }

    /// Adds a record that `encode` appends to the buffer; its number. What stands in the buffer
    /// already must be left alone.
    pub fn push_with(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; 4]);
        encode(&mut self.buffer);
        let len = self.buffer.len().saturating_sub(start + 4);
        debug_assert!(self.buffer.len() >= start + 4, "encode shortened the buffer");
        // Lengths beyond u32 do not fit any segment: `append` refuses the batch as too large.
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        self.buffer[start..start + 4].copy_from_slice(&len.to_le_bytes());
        let number = self.next();
        self.records += 1;
        number
    }

    /// The number of the first record.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The number the next record will have.
    pub fn next(&self) -> u64 {
        self.first + u64::from(self.records)
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.records as usize
    }

    /// Whether it holds no record.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Bytes it will take in a segment.
    pub fn sealed_len(&self) -> usize {
        BATCH_HEADER_LEN + padded(self.buffer.len() - BATCH_HEADER_LEN)
    }

    /// Seals the records in place; the bytes to write, and the tag the next batch chains to.
    /// The bytes end in an empty header beyond the batch: a recycled file shows no old bytes
    /// where the next batch will stand.
    pub(super) fn seal(&mut self, place: &Place<'_>) -> Option<(&[u8], Tag)> {
        let body_len = self.buffer.len() - BATCH_HEADER_LEN;
        let mut header = BatchHeader {
            body_crc: 0,
            body_len: u32::try_from(body_len).ok()?,
            records: self.records,
            sequence: place.sequence,
            stamp: place.stamp,
            first: self.first,
            durable: place.durable,
            tag: [0; 16],
        };
        let body = &mut self.buffer[BATCH_HEADER_LEN..];
        header.seal(place.segment, place.cipher, place.before, body)?;
        let sealed_len = BATCH_HEADER_LEN + padded(body_len);
        self.buffer.resize(sealed_len + BATCH_HEADER_LEN, 0);
        header.body_crc = crc32fast::hash(&self.buffer[BATCH_HEADER_LEN..sealed_len]);
        self.buffer[..BATCH_HEADER_LEN].copy_from_slice(&header.encode());
        Some((&self.buffer, header.tag))
    }
}

/// Where a batch is about to stand.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) segment: u64,
    pub(super) stamp: u64,
    pub(super) sequence: u32,
    pub(super) durable: u64,
    pub(super) cipher: &'a Cipher,
    pub(super) before: &'a Tag,
}
