//! The walk of recovery over segment files, oldest needed first.
//!
//! Contract: see [`super::recovery`]; judges files by their headers before it hands anything on,
//! then batch by batch by [`super::scan`].

use super::backend::{Backend, FileName, read_all, read_whole};
use super::entry::{BATCH_HEADER_LEN, BatchHeader, Records};
use super::error::{AtFile, RecoveryError};
use super::extent::{Stated, read_extent};
use super::keys::DataKey;
use super::map::{Anchor, SegmentMap};
use super::options::Options;
use super::recovery::{Finding, OnFound, Recovered, Replayed};
use super::scan::{Scan, Step};
use super::seal::Cipher;
use super::segment::{Before, FORMAT_VERSION, SEGMENT_HEADER_LEN, SegmentHeader};
use super::verdicts::{
    EXTENT_MISSING, EXTENT_OLDER, MISCOUNTED, MISSING_SEGMENTS, NEWEST_MISSING, Row, SEGMENT_ROWS,
    Verdict, decide,
};
use std::sync::Arc;

/// A segment file as listed, with its header where that can be read.
struct Listed {
    id: u64,
    len: u64,
    head: Vec<u8>,
    header: Option<SegmentHeader>,
}

impl Listed {
    /// The header, if it is that of the segment the file is named after.
    fn own_header(&self) -> Option<SegmentHeader> {
        self.header.filter(|header| header.id == self.id)
    }

    fn name(&self) -> FileName {
        FileName::Segment(self.id)
    }
}

/// Why a segment gave no more batches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopped {
    Clean,
    Torn,
    Damaged,
}

/// A segment that can be read, and the cipher of its batches where there is a key.
type Usable = (SegmentHeader, Option<Cipher>);

pub(super) struct Walk<'a, 'f> {
    backend: &'a dyn Backend,
    key: Option<&'a DataKey>,
    key_id: Option<[u8; 8]>,
    options: Options,
    on: &'a mut OnFound<'f>,
    /// Records up to this number are covered by the checkpoint.
    covered: u64,
    /// Take the oldest segment for the beginning, whatever its first number.
    from_oldest: bool,
    next: u64,
    records: u64,
    /// What the next segment must continue; `None` before the first one and behind a loss.
    link: Option<Before>,
    /// Where the chain ends so far.
    last: Before,
    unmarked_from: u64,
    highest: u64,
    unused: Option<(u64, u64)>,
    findings: Vec<Finding>,
    lost: bool,
    map: Arc<SegmentMap>,
    stated: Stated,
    least_stated: u64,
    /// Holds one segment after the other: memory is taken and cleared once.
    bytes: Vec<u8>,
}

impl<'a, 'f> Walk<'a, 'f> {
    pub(super) fn new(
        backend: &'a dyn Backend,
        key: Option<&'a DataKey>,
        options: &Options,
        covered: u64,
        on: &'a mut OnFound<'f>,
    ) -> Self {
        Self {
            backend,
            key,
            key_id: key.map(DataKey::id),
            options: *options,
            on,
            covered,
            from_oldest: false,
            next: 0,
            records: 0,
            link: None,
            last: Before::default(),
            unmarked_from: 0,
            highest: 0,
            unused: None,
            findings: Vec::new(),
            lost: false,
            map: Arc::default(),
            stated: Stated::Missing,
            least_stated: 0,
            bytes: Vec::new(),
        }
    }

    /// Takes the oldest segment for the beginning, whatever its first number.
    pub(super) fn take_oldest(&mut self) {
        self.from_oldest = true;
    }

    /// Adds what was found before the walk.
    pub(super) fn note(&mut self, findings: Vec<Finding>) {
        self.findings.extend(findings);
    }

    /// Walks every segment that is needed.
    pub(super) fn run(&mut self) -> Result<(), RecoveryError> {
        let listed = self.list()?;
        self.compare_with_extent(&listed)?;
        self.highest = listed.last().map_or(0, |newest| newest.id);
        let start = listed
            .iter()
            .rposition(|s| s.own_header().is_some_and(|h| h.first <= self.covered + 1))
            .filter(|_| !self.from_oldest)
            .unwrap_or(0);
        for old in listed.get(..start).unwrap_or_default() {
            if let Some(header) = old.own_header() {
                self.map.add(header);
            }
        }
        let needed = listed.get(start..).unwrap_or_default();
        // Before anything is handed on: what the headers alone can tell.
        if !self.options.accept_loss {
            for segment in needed {
                let (row, _) = self.judge(segment, |_| (true, true));
                self.refuse_unless_accepted(segment, row)?;
            }
        }
        self.begin(needed)?;
        for (at, segment) in needed.iter().enumerate() {
            self.segment(segment, needed.get(at + 1))?;
        }
        if self.next <= self.covered {
            let file = FileName::Segment(self.highest);
            let finding = Finding { file, offset: 0, record: self.next, row: &MISSING_SEGMENTS };
            self.damage(finding)?;
            self.lose_upto(self.covered)?;
        }
        Ok(())
    }

    /// Compares the segments that are there with those that must be.
    fn compare_with_extent(&mut self, listed: &[Listed]) -> Result<(), RecoveryError> {
        self.stated = read_extent(self.backend, self.key)?;
        let headers = || listed.iter().filter_map(Listed::own_header);
        self.least_stated = headers().map(|header| header.stated).max().unwrap_or(0);
        let (file, offset) = (FileName::Extent, 0);
        let (number, said) = match &self.stated {
            Stated::Whole(number, said) => (*number, said),
            // Nothing that is there names a statement: it is of a program that made none.
            _ if self.least_stated == 0 => return Ok(()),
            Stated::Missing => {
                return self.damage(Finding { file, offset, record: 1, row: &EXTENT_MISSING });
            }
            Stated::Unreadable(row) if row.verdict == Verdict::OtherKey => {
                return Err(RecoveryError::WrongKey { file, why: row.cause });
            }
            Stated::Unreadable(row) => {
                return self.damage(Finding { file, offset, record: 1, row });
            }
        };
        let (first, newest) = (said.first_segment, said.newest);
        let (first_record, newest_record) = (said.first_record, said.newest_record);
        if number < self.least_stated {
            self.damage(Finding { file, offset, record: first_record, row: &EXTENT_OLDER })?;
        }
        if newest == 0 {
            // Stated, and nothing opened yet.
            return Ok(());
        }
        if listed.first().is_none_or(|oldest| oldest.id > first) {
            let file = FileName::Segment(first);
            self.damage(Finding { file, offset, record: first_record, row: &MISSING_SEGMENTS })?;
        }
        if listed.last().is_none_or(|last| last.id < newest) {
            let file = FileName::Segment(newest);
            self.damage(Finding { file, offset, record: newest_record, row: &NEWEST_MISSING })?;
        }
        Ok(())
    }

    /// Where numbering starts: 1, or the first record of the oldest segment that is needed.
    fn begin(&mut self, needed: &[Listed]) -> Result<(), RecoveryError> {
        let oldest = needed.first();
        let first = oldest.and_then(Listed::own_header).map_or(1, |header| header.first);
        self.next = if self.from_oldest { first } else { first.min(self.covered + 1) };
        if let Some(segment) = oldest.filter(|_| first > self.next) {
            let file = segment.name();
            let finding = Finding { file, offset: 0, record: self.next, row: &MISSING_SEGMENTS };
            self.damage(finding)?;
            self.lose_upto(first - 1)?;
        }
        Ok(())
    }

    fn list(&self) -> Result<Vec<Listed>, RecoveryError> {
        let mut listed = Vec::new();
        for (name, len) in self.backend.list().at("list", "the journal folder")? {
            let FileName::Segment(id) = name else { continue };
            let head = read_all(self.backend, name, len.min(SEGMENT_HEADER_LEN as u64));
            let head = head.at("read", name)?;
            let header = SegmentHeader::parse(&head);
            listed.push(Listed { id, len, head, header });
        }
        listed.sort_unstable_by_key(|segment| segment.id);
        Ok(listed)
    }

    fn segment(&mut self, file: &Listed, next: Option<&Listed>) -> Result<(), RecoveryError> {
        let Some((header, cipher)) = self.check_header(file)? else { return self.pass_over(file) };
        if header.first > self.next {
            self.lose_upto(header.first - 1)?;
        }
        self.map.add(header);
        let closed = next.and_then(Listed::own_header).map(|header| header.before);
        let closed = closed.filter(|before| before.id == file.id).map(|before| before.end);
        let len = closed.unwrap_or(file.len).min(file.len);
        let mut bytes = std::mem::take(&mut self.bytes);
        read_whole(self.backend, file.name(), len, &mut bytes).at("read", file.name())?;
        let mut scan = Scan::new(&header, cipher.as_ref(), &mut bytes, closed, self.covered);
        let stopped = self.batches(file.id, &mut scan)?;
        let (end, reached, tag) = scan.reached();
        let unmarked_from = scan.unmarked_from();
        self.bytes = bytes;
        self.next = self.next.max(reached);
        if stopped == Stopped::Clean && reached == header.first && next.is_none() && !self.lost {
            self.unused = Some((file.id, file.len));
            self.last = header.before;
            self.unmarked_from = header.before.end;
            self.map.remove(file.id);
            return Ok(());
        }
        self.last = Before { id: file.id, end, tag };
        self.unmarked_from = unmarked_from;
        self.link = Some(self.last).filter(|_| stopped != Stopped::Damaged);
        Ok(())
    }

    /// Judges the header by the table; `None` when the segment is unusable and that is accepted.
    fn check_header(&mut self, file: &Listed) -> Result<Option<Usable>, RecoveryError> {
        let (row, cipher) = self.judge(file, |header| {
            let linked = self.link.is_none_or(|link| header.before == link);
            let skipped = self.link.is_none() && header.first > self.next;
            (linked, header.first == self.next || skipped)
        });
        self.refuse_unless_accepted(file, row)?;
        // Accepted damage: batches are still good if the header is ours and numbers go forward.
        let readable = self.key.is_none() || cipher.is_some();
        let own = file.own_header().filter(|h| readable && h.first >= self.next);
        Ok(own.map(|header| (header, cipher)))
    }

    /// The row of a segment file, and the cipher its header's seal opened with; `place` says
    /// whether it is linked and counted.
    fn judge(
        &self,
        file: &Listed,
        place: impl FnOnce(&SegmentHeader) -> (bool, bool),
    ) -> (&'static Row, Option<Cipher>) {
        let preamble = SegmentHeader::preamble(&file.head);
        let header = file.header.as_ref();
        let cipher = self.key.and_then(|key| header.and_then(|h| h.open(&file.head, key)));
        let (linked, counted) = header.map_or((false, false), place);
        let checks = [
            preamble.magic,
            preamble.crc,
            preamble.version <= FORMAT_VERSION,
            header.is_some_and(|h| self.key_id.is_none_or(|id| h.key_id == id)),
            self.key.is_none() || cipher.is_some(),
            header.is_some_and(|h| h.id == file.id),
            header.is_some_and(|h| h.file_len == file.len),
            linked,
            counted,
        ];
        (decide(SEGMENT_ROWS, &checks).unwrap_or(&MISCOUNTED), cipher)
    }

    fn refuse_unless_accepted(
        &mut self,
        file: &Listed,
        row: &'static Row,
    ) -> Result<(), RecoveryError> {
        let name = file.name();
        match row.verdict {
            Verdict::Accept => Ok(()),
            Verdict::Newer => Err(RecoveryError::NewerFormat {
                file: name,
                found: SegmentHeader::preamble(&file.head).version,
                supported: FORMAT_VERSION,
            }),
            Verdict::OtherKey => Err(RecoveryError::WrongKey { file: name, why: row.cause }),
            _ => {
                let first = file.header.map_or(self.next, |header| header.first.min(self.next));
                self.damage(Finding { file: name, offset: 0, record: first, row })
            }
        }
    }

    /// Gives up a segment whose header is lost; its numbers are not given out again.
    fn pass_over(&mut self, file: &Listed) -> Result<(), RecoveryError> {
        let bytes = read_all(self.backend, file.name(), file.len).at("read", file.name())?;
        let places = bytes.chunks(BATCH_HEADER_LEN).filter_map(BatchHeader::parse);
        let last = places.map(|header| header.next().saturating_sub(1)).max();
        self.lose_upto(last.unwrap_or(0))
    }

    /// Hands on the batches, up to what ends them.
    fn batches(&mut self, id: u64, scan: &mut Scan<'_>) -> Result<Stopped, RecoveryError> {
        let file = FileName::Segment(id);
        let mut passed_over = false;
        loop {
            let (offset, record, _) = scan.reached();
            match scan.step() {
                Step::Batch { header, offset, body, before } => {
                    let anchor = Anchor { first: header.first, offset: offset as u64, before };
                    self.map.note(id, anchor, std::mem::take(&mut passed_over));
                    self.next = header.next();
                    if self.key.is_some() && header.next() > self.covered + 1 {
                        self.hand_on(file, &header, anchor.offset, scan.body(body))?;
                    }
                }
                Step::End => return Ok(Stopped::Clean),
                Step::Torn(row) => {
                    self.findings.push(Finding { file, offset, record, row });
                    return Ok(Stopped::Torn);
                }
                Step::Damage(row) => {
                    let finding = Finding { file, offset, record, row };
                    if self.options.cuts_the_middle() {
                        self.findings.push(finding);
                        return Ok(Stopped::Torn);
                    }
                    self.damage(finding)?;
                    match scan.pass_over() {
                        Some(first) => {
                            self.lose_upto(first - 1)?;
                            passed_over = true;
                        }
                        None => return Ok(Stopped::Damaged),
                    }
                }
            }
        }
    }

    fn hand_on(
        &mut self,
        file: FileName,
        header: &BatchHeader,
        offset: u64,
        body: &[u8],
    ) -> Result<(), RecoveryError> {
        let mut records = Records::new(body);
        let mut no = header.first;
        for bytes in records.by_ref() {
            if no > self.covered {
                let handed = (self.on)(file, offset, Replayed::Record { no, bytes });
                let what = || format!("record {no}");
                handed.map_err(|why| RecoveryError::Refused { what: what(), why })?;
                self.records += 1;
            }
            no += 1;
        }
        if records.whole() && no == header.next() {
            return Ok(());
        }
        Err(RecoveryError::Damage { file, offset, record: no, row: &MISCOUNTED })
    }

    /// Refuses, or notes it if the operator accepted losses.
    fn damage(&mut self, finding: Finding) -> Result<(), RecoveryError> {
        if !self.options.accept_loss {
            let Finding { file, offset, record, row } = finding;
            return Err(RecoveryError::Damage { file, offset, record, row });
        }
        self.findings.push(finding);
        self.lost = true;
        self.link = None;
        Ok(())
    }

    fn lose_upto(&mut self, upto: u64) -> Result<(), RecoveryError> {
        let from = self.next;
        if upto < from {
            return Ok(());
        }
        self.next = upto + 1;
        if upto <= self.covered {
            return Ok(());
        }
        let from = from.max(self.covered + 1);
        let file = FileName::Segment(self.highest);
        (self.on)(file, 0, Replayed::Lost { from, upto })
            .map_err(|why| RecoveryError::Refused { what: format!("the loss of {from}"), why })
    }

    /// What it came to.
    pub(super) fn finish(self, checkpoint: Option<u64>) -> Recovered {
        self.map.set_durable(self.next.saturating_sub(1));
        Recovered {
            next: self.next,
            checkpoint,
            records: self.records,
            findings: self.findings,
            needs_checkpoint: self.lost,
            map: self.map,
            stated: self.stated,
            least_stated: self.least_stated,
            last: self.last,
            unmarked_from: self.unmarked_from,
            highest: self.highest,
            unused: self.unused,
        }
    }
}
