//! Reading records back by number, beside the writer.
//!
//! Contract: sees durable records only, each opened and verified like at recovery. One read of at
//! most 64 KiB and one decryption per look-up where the anchors are known; the first look-up in a
//! segment older than the checkpoint walks it once. What is damaged where an operator accepted the
//! loss is not there: it is passed over, and [`Reader::lost_before`] says so. One reader per
//! thread.

use super::backend::{Backend, FileName};
use super::entry::{BATCH_HEADER_LEN, BatchHeader, Records};
use super::error::{AtFile, JournalError};
use super::keys::DataKey;
use super::map::{ANCHOR_EVERY_BYTES, Anchor, Mapped, SegmentMap};
use super::seal::Cipher;
use super::segment::SegmentHeader;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Places whose loss an operator accepted: a segment, and a byte in it.
pub type Lost = Arc<BTreeSet<(u64, u64)>>;

/// Looks records up.
pub struct Reader {
    backend: Arc<dyn Backend>,
    key: DataKey,
    map: Arc<SegmentMap>,
    lost: Lost,
    /// The cipher of the segment looked into last, by its stamp.
    cipher: Option<(u64, Cipher)>,
    buffer: Vec<u8>,
    body: Vec<u8>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Reader {
    /// A reader of the journal whose segments `map` knows.
    pub fn new(backend: Arc<dyn Backend>, key: DataKey, map: Arc<SegmentMap>) -> Self {
        let (lost, buffer, body) = (Lost::default(), Vec::new(), Vec::new());
        Self { backend, key, map, lost, cipher: None, buffer, body }
    }

    /// The same, for which what stands at these places is not there.
    #[must_use]
    pub fn without(self, lost: Lost) -> Self {
        Self { lost, ..self }
    }

    /// Record `no`, or `None` if it is not durable yet or its segment was retired.
    ///
    /// # Errors
    /// `Damaged` where the bytes on disk are not what was written; what the disk says.
    pub fn read(&mut self, no: u64) -> Result<Option<&[u8]>, JournalError> {
        if no == 0 || no > self.map.durable() {
            return Ok(None);
        }
        let Some((segment, end, anchor)) = self.map.find(no) else { return Ok(None) };
        let found = self.batch_of(&segment, end, anchor, no).and_then(|(header, anchor)| {
            self.open(&segment, &header, anchor).map(|()| (header, anchor))
        });
        let (header, anchor) = match found {
            // Retired while we looked: the file is gone or somebody else's by now.
            Err(_) if !self.map.holds(segment.id) => return Ok(None),
            Err(error) if self.is_lost(&segment, &error) => return Ok(None),
            other => other?,
        };
        let index = usize::try_from(no - header.first).unwrap_or(usize::MAX);
        match Records::new(&self.body).nth(index) {
            Some(record) => Ok(Some(record)),
            None => Err(damaged(&segment, anchor.offset, "the records in it do not add up")),
        }
    }

    /// Gives back what records it read last were opened into; the allocator wipes it.
    pub fn forget(&mut self) {
        (self.buffer, self.body) = (Vec::new(), Vec::new());
    }

    /// The oldest record that is still there, and when its segment was opened (milliseconds since
    /// 1970); `None` where there is no segment.
    pub fn begins(&self) -> Option<(u64, i64)> {
        self.map.oldest().map(|header| (header.first, header.created_ms))
    }

    /// When the segment was opened that follows the newest with an accepted loss (milliseconds
    /// since 1970), the end of time where none does: what is older may be missing. `None`: nothing
    /// is.
    pub fn lost_before(&self) -> Option<i64> {
        let segments = self.map.all();
        let follows = |(at, segment): (usize, &Mapped)| {
            let lost = self.lost.iter().any(|(id, _)| *id == segment.header.id);
            let next = segments.get(at + 1).map(|next| next.header.created_ms);
            lost.then(|| next.unwrap_or(i64::MAX))
        };
        segments.iter().enumerate().filter_map(follows).max()
    }

    /// Whether this is damage at an accepted place or behind it: a batch may not open without the
    /// one before it. What is damaged anew there the next start meets.
    fn is_lost(&self, segment: &SegmentHeader, error: &JournalError) -> bool {
        let JournalError::Damaged { offset, .. } = error else { return false };
        self.lost.range((segment.id, 0)..=(segment.id, *offset)).next().is_some()
    }

    /// The first record of the segment behind this one.
    fn behind(&self, segment: &SegmentHeader) -> Option<u64> {
        let segments = self.map.all();
        let at = segments.iter().position(|known| known.header.id == segment.id)?;
        segments.get(at + 1).map(|next| next.header.first)
    }

    /// Hands out all durable records from `from` to `upto` that are still there, in order, until
    /// `on` says `false`. Segments that are retired meanwhile are passed over, and what follows an
    /// accepted loss in its segment; never what follows those.
    ///
    /// # Errors
    /// What [`Reader::read`] says.
    pub fn each(
        &mut self,
        from: u64,
        upto: u64,
        on: &mut dyn FnMut(u64, &[u8]) -> bool,
    ) -> Result<(), JournalError> {
        let upto = upto.min(self.map.durable());
        let oldest = self.map.all().first().map_or(u64::MAX, |segment| segment.header.first);
        let mut no = from.max(1).max(oldest);
        while no <= upto {
            let Some((segment, end, anchor)) = self.map.find(no) else {
                let oldest = self.map.all().first().map_or(u64::MAX, |oldest| oldest.header.first);
                if oldest <= no {
                    return Ok(());
                }
                no = oldest;
                continue;
            };
            let found = self
                .batch_of(&segment, end, anchor, no)
                .and_then(|(header, at)| self.open(&segment, &header, at).map(|()| header));
            let header = match found {
                Err(_) if !self.map.holds(segment.id) => continue,
                Err(error) if self.is_lost(&segment, &error) => {
                    let Some(next) = self.behind(&segment).filter(|next| *next > no) else {
                        return Ok(());
                    };
                    no = next;
                    continue;
                }
                other => other?,
            };
            let numbered = (header.first..).zip(Records::new(&self.body));
            for (at, record) in numbered.filter(|(at, _)| (no..=upto).contains(at)) {
                if !on(at, record) {
                    return Ok(());
                }
            }
            no = header.next();
        }
        Ok(())
    }

    /// Walks headers from `anchor` to the batch with record `no`.
    fn batch_of(
        &mut self,
        segment: &SegmentHeader,
        end: u64,
        mut anchor: Anchor,
        no: u64,
    ) -> Result<(BatchHeader, Anchor), JournalError> {
        // What stands in the buffer: the bytes of the file from here on.
        let mut loaded = u64::MAX;
        while anchor.offset < end {
            let covered = |loaded: u64, buffer: &Vec<u8>| {
                loaded <= anchor.offset
                    && anchor.offset + BATCH_HEADER_LEN as u64 <= loaded + buffer.len() as u64
            };
            if !covered(loaded, &self.buffer) {
                self.load(segment, anchor.offset)?;
                loaded = anchor.offset;
                self.map.note(segment.id, anchor, false);
            }
            let at = usize::try_from(anchor.offset - loaded).unwrap_or(usize::MAX);
            let header = self.buffer.get(at..).and_then(BatchHeader::parse);
            let Some(header) = header.filter(|h| h.stamp == segment.stamp()) else {
                return Err(damaged(segment, anchor.offset, "no batch header where one was"));
            };
            if header.first <= no && no < header.next() {
                return Ok((header, anchor));
            }
            anchor = Anchor {
                first: header.next(),
                offset: anchor.offset + header.total_len() as u64,
                before: header.tag,
            };
        }
        Err(damaged(segment, anchor.offset, "the record is in no batch of its segment"))
    }

    fn load(&mut self, segment: &SegmentHeader, at: u64) -> Result<(), JournalError> {
        let file = FileName::Segment(segment.id);
        let most = segment.file_len.saturating_sub(at).min(ANCHOR_EVERY_BYTES);
        self.buffer.resize(usize::try_from(most).unwrap_or(0), 0);
        let got = self.backend.read_at(file, at, &mut self.buffer).at("read", file)?;
        self.buffer.truncate(got);
        Ok(())
    }

    /// Reads and opens the body of a batch.
    fn open(
        &mut self,
        segment: &SegmentHeader,
        header: &BatchHeader,
        anchor: Anchor,
    ) -> Result<(), JournalError> {
        let file = FileName::Segment(segment.id);
        self.body.resize(header.body_len as usize, 0);
        let at = anchor.offset + BATCH_HEADER_LEN as u64;
        let got = self.backend.read_at(file, at, &mut self.body).at("read", file)?;
        if self.cipher.as_ref().is_none_or(|(stamp, _)| *stamp != segment.stamp()) {
            self.cipher = Some((segment.stamp(), self.key.file_cipher(&segment.salt)));
        }
        let opened = self.cipher.as_ref().is_some_and(|(_, cipher)| {
            got == self.body.len()
                && header.open(segment.id, cipher, &anchor.before, &mut self.body)
        });
        if opened { Ok(()) } else { Err(damaged(segment, anchor.offset, "the seal does not open")) }
    }
}

fn damaged(segment: &SegmentHeader, offset: u64, cause: &'static str) -> JournalError {
    JournalError::Damaged { file: FileName::Segment(segment.id).to_string(), offset, cause }
}
