//! Steps through the batches of one segment held in memory and judges each place by the table of
//! [`super::verdicts`].
//!
//! Contract: pure; what it accepts is exactly what was written, in order, without a hole. Marks
//! behind a bad place are searched for only once there is a bad place.

use super::entry::{BATCH_HEADER_LEN, BatchHeader};
use super::seal::{Cipher, Tag};
use super::segment::{SEGMENT_HEADER_LEN, SegmentHeader};
use super::verdicts::{PLACE_ROWS, Row, Verdict, decide};
use std::collections::VecDeque;
use std::ops::Range;

/// A segment being stepped through.
#[derive(Debug)]
pub struct Scan<'a> {
    id: u64,
    stamp: u64,
    cipher: Option<&'a Cipher>,
    bytes: &'a mut [u8],
    /// Where the next segment's header says this one ends; `None` for the newest.
    closed: Option<usize>,
    /// The mark of the checkpoint. Marks in earlier batches never reach a later place.
    mark: u64,
    at: usize,
    sequence: u32,
    next: u64,
    /// The last tag of the chain; `None` behind an accepted loss.
    tag: Option<Tag>,
    /// Batches no mark covers so far: where they start and the number after their records.
    unmarked: VecDeque<(usize, u64)>,
}

/// What stands at a place.
#[derive(Debug)]
pub enum Step {
    /// An intact batch.
    Batch {
        /// Its header.
        header: BatchHeader,
        /// Where it starts.
        offset: usize,
        /// Its body in [`Scan::body`], decrypted if there is a key.
        body: Range<usize>,
        /// The tag before it.
        before: Tag,
    },
    /// The chain ends where the next segment says, or nothing was written any more.
    End,
    /// Cut off here: above every mark.
    Torn(&'static Row),
    /// Refuse.
    Damage(&'static Row),
}

/// What a place looks like, before marks and later batches are asked for.
struct Look {
    blank: bool,
    in_place: bool,
    body: bool,
    seal: bool,
    header: Option<BatchHeader>,
}

impl<'a> Scan<'a> {
    /// Steps through `bytes`, the file from its first byte on.
    pub fn new(
        header: &SegmentHeader,
        cipher: Option<&'a Cipher>,
        bytes: &'a mut [u8],
        closed: Option<u64>,
        mark: u64,
    ) -> Self {
        Self {
            id: header.id,
            stamp: header.stamp(),
            cipher,
            bytes,
            closed: closed.map(|end| usize::try_from(end).unwrap_or(usize::MAX)),
            mark,
            at: SEGMENT_HEADER_LEN,
            sequence: 0,
            next: header.first,
            tag: Some(header.tag),
            unmarked: VecDeque::new(),
        }
    }

    /// The next place.
    pub fn step(&mut self) -> Step {
        if self.closed == Some(self.at) {
            return Step::End;
        }
        let look = self.look();
        let intact = look.in_place && look.body && look.seal;
        // The intact case needs no marks; anything else is decided with all there is to know.
        let later = if intact { None } else { self.later_mark() };
        let mark = self.mark.max(later.unwrap_or(0));
        let marked = match self.closed {
            Some(end) => self.at < end,
            None => !intact && self.next <= mark,
        };
        let checks = [
            marked,
            look.blank,
            look.header.is_some(),
            look.in_place,
            look.body,
            look.seal,
            later.is_some(),
        ];
        match (decide(PLACE_ROWS, &checks), look.header) {
            (Some(Row { verdict: Verdict::Accept, .. }), Some(header)) => self.accept(header),
            (Some(Row { verdict: Verdict::End, .. }), _) => Step::End,
            (Some(row), _) if row.verdict == Verdict::Torn => Step::Torn(row),
            (row, _) => Step::Damage(row.unwrap_or(&super::verdicts::MISCOUNTED)),
        }
    }

    /// Bytes of the segment at `range`.
    pub fn body(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Where it stands, the number of the next record, and the last tag of the chain.
    pub fn reached(&self) -> (u64, u64, Tag) {
        (self.at as u64, self.next, self.tag.unwrap_or_default())
    }

    /// Where the batches start that no mark covers; they end at [`Scan::reached`].
    pub fn unmarked_from(&self) -> u64 {
        self.unmarked.front().map_or(self.at, |(offset, _)| *offset) as u64
    }

    /// Passes over damage to the next batch that can be opened (an operator accepted the loss);
    /// the number of its first record, or `None` if there is none left.
    pub fn pass_over(&mut self) -> Option<u64> {
        let mut before = None;
        let mut at = self.at;
        while at + BATCH_HEADER_LEN <= self.limit() {
            let Some(header) = self.ours_at(at).filter(|h| h.first >= self.next) else {
                at += BATCH_HEADER_LEN;
                continue;
            };
            let behind = at.saturating_add(header.total_len());
            let body = at + BATCH_HEADER_LEN..behind;
            let intact = behind <= self.limit()
                && crc32fast::hash(self.bytes.get(body).unwrap_or_default()) == header.body_crc;
            match before {
                Some((end, tag)) if intact && end == at => {
                    self.at = at;
                    self.sequence = header.sequence;
                    self.next = header.first;
                    self.tag = Some(tag);
                    return Some(header.first);
                }
                // Without the tag before it a batch cannot be opened, but the one behind it can.
                _ => before = Some((behind, header.tag)),
            }
            at = if behind <= self.limit() { behind } else { at + BATCH_HEADER_LEN };
        }
        None
    }

    fn limit(&self) -> usize {
        self.closed.unwrap_or(self.bytes.len()).min(self.bytes.len())
    }

    fn ours_at(&self, at: usize) -> Option<BatchHeader> {
        let bytes = self.bytes.get(at..at + BATCH_HEADER_LEN)?;
        BatchHeader::parse(bytes).filter(|header| header.stamp == self.stamp)
    }

    fn look(&mut self) -> Look {
        let bytes = self.bytes.get(self.at..self.at + BATCH_HEADER_LEN).unwrap_or_default();
        let header = BatchHeader::parse(bytes);
        let stale = header.is_some_and(|header| header.stamp != self.stamp);
        let blank = stale || bytes.iter().all(|byte| *byte == 0);
        let Some(header) = header.filter(|_| !blank) else {
            return Look { blank, in_place: false, body: false, seal: false, header: None };
        };
        let behind = self.at.saturating_add(header.total_len());
        let in_place =
            behind <= self.limit() && header.sequence == self.sequence && header.first == self.next;
        let body = self.at + BATCH_HEADER_LEN..behind;
        let body_good = in_place
            && crc32fast::hash(self.bytes.get(body).unwrap_or_default()) == header.body_crc;
        let seal = body_good && self.open(&header);
        Look { blank, in_place, body: body_good, seal, header: Some(header) }
    }

    fn open(&mut self, header: &BatchHeader) -> bool {
        let (Some(cipher), Some(tag)) = (self.cipher, &self.tag) else { return true };
        let start = self.at + BATCH_HEADER_LEN;
        let body = self.bytes.get_mut(start..start + header.body_len as usize);
        body.is_some_and(|body| header.open(self.id, cipher, tag, body))
    }

    fn accept(&mut self, header: BatchHeader) -> Step {
        let offset = self.at;
        let start = offset + BATCH_HEADER_LEN;
        let before = self.tag.unwrap_or_default();
        self.at = offset + header.total_len();
        self.sequence = self.sequence.wrapping_add(1);
        self.next = header.next();
        self.tag = Some(header.tag);
        let marked = header.durable.saturating_add(1);
        while self.unmarked.front().is_some_and(|(_, next)| *next <= marked) {
            self.unmarked.pop_front();
        }
        // Not even a batch that only carries the mark vouches for itself.
        self.unmarked.push_back((offset, self.next));
        Step::Batch { header, offset, body: start..start + header.body_len as usize, before }
    }

    /// The largest mark in batches of this segment behind the place; `None` if there are none.
    fn later_mark(&self) -> Option<u64> {
        let places = (self.at + BATCH_HEADER_LEN..self.limit()).step_by(BATCH_HEADER_LEN);
        places.filter_map(|at| self.ours_at(at)).map(|header| header.durable).max()
    }
}
