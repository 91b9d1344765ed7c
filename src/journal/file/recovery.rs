//! Starting from what is on disk: the newest valid checkpoint, then every record after it.
//!
//! Contract: reads only, never writes, never deletes. Every record handed on is exactly as it was
//! written and its number follows the one before. Damage ends it with an error that names file,
//! byte, row of the decision table and remedy, unless an operator accepted the loss: then what is
//! lost is handed on as [`Replayed::Lost`] and a checkpoint must follow at once
//! ([`Recovered::needs_checkpoint`]), because the damage stays on disk.

use super::backend::{Backend, FileName, read_all};
use super::checkpoint::newest_checkpoint;
use super::entry::Records;
use super::error::{AtFile, RecoveryError};
use super::keys::DataKey;
use super::map::{Anchor, SegmentMap};
use super::options::Options;
use super::scan::{Scan, Step};
use super::segment::{Before, FORMAT_VERSION, SEGMENT_HEADER_LEN, SegmentHeader};
use super::verdicts::{MISCOUNTED, MISSING_SEGMENTS, Row, SEGMENT_ROWS, Verdict, decide};
use std::sync::Arc;

/// What recovery hands on, in this order: at most one checkpoint, then records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed<'a> {
    /// The caller's state after record `upto`.
    Checkpoint {
        /// The last record it covers.
        upto: u64,
        /// As given to `write_checkpoint`.
        state: &'a [u8],
    },
    /// A record.
    Record {
        /// Its number.
        no: u64,
        /// As given to `append`.
        bytes: &'a [u8],
    },
    /// Records lost to damage, the loss accepted by an operator.
    Lost {
        /// The first one lost.
        from: u64,
        /// The last one lost.
        upto: u64,
    },
}

/// Takes what is replayed; an error (with the reason) ends recovery.
pub type OnReplayed<'a> = dyn FnMut(Replayed<'_>) -> Result<(), String> + 'a;

/// Something recovery met that was not plainly intact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: FileName,
    /// Byte offset in it.
    pub offset: u64,
    /// The first record in doubt.
    pub record: u64,
    /// The row of the decision table.
    pub row: &'static Row,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, offset, record, row } = self;
        write!(f, "{file} byte {offset}, record {record}: {} (row {})", row.cause, row.name)
    }
}

/// What was recovered.
#[derive(Debug)]
pub struct Recovered {
    /// The number of the next record.
    pub next: u64,
    /// The checkpoint it started from.
    pub checkpoint: Option<u64>,
    /// Records replayed.
    pub records: u64,
    /// Torn tails (warn) and accepted damage.
    pub findings: Vec<Finding>,
    /// A loss was accepted: write a checkpoint before anything else.
    pub needs_checkpoint: bool,
    /// Where records stand.
    pub map: Arc<SegmentMap>,
    /// Where the chain ends.
    pub(super) last: Before,
    /// The highest segment id in use.
    pub(super) highest: u64,
    /// The newest segment if nothing was ever written to it: its id and length.
    pub(super) unused: Option<(u64, u64)>,
}

/// Recovers the journal in `backend`: hands on checkpoint and records, and tells where to go on.
///
/// # Errors
/// Damage, a newer format, another key, the disk, or the caller's own refusal.
pub fn recover(
    backend: &dyn Backend,
    key: &DataKey,
    options: &Options,
    on: &mut OnReplayed<'_>,
) -> Result<Recovered, RecoveryError> {
    let (checkpoint, passed_over) = newest_checkpoint(backend, key)?;
    let upto = checkpoint.as_ref().map(|checkpoint| checkpoint.upto);
    if let Some(checkpoint) = &checkpoint {
        let replayed = Replayed::Checkpoint { upto: checkpoint.upto, state: &checkpoint.state };
        on(replayed).map_err(|why| RecoveryError::Refused {
            what: format!("checkpoint {}", checkpoint.upto),
            why,
        })?;
    }
    let mut walk = Walk::new(backend, Some(key), options, upto.unwrap_or(0), on);
    walk.findings = passed_over;
    walk.run()?;
    walk.finish(upto)
}

/// Walks every segment from the first record on, with or without a key, past all damage: for
/// `verify` and for reading a journal beside its writer.
///
/// # Errors
/// A newer format, another key, the disk, or the caller's refusal; never damage.
pub fn walk_all(
    backend: &dyn Backend,
    key: Option<&DataKey>,
    on: &mut OnReplayed<'_>,
) -> Result<Recovered, RecoveryError> {
    let options = Options { accept_loss: true, ..Options::default() };
    let mut walk = Walk::new(backend, key, &options, 0, on);
    walk.from_oldest = true;
    walk.run()?;
    walk.finish(None)
}

/// A segment file as listed, with its header where that can be read.
struct Listed {
    id: u64,
    len: u64,
    head: Vec<u8>,
    header: Option<SegmentHeader>,
}

/// Why a segment gave no more batches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopped {
    Clean,
    Torn,
    Damaged,
}

struct Walk<'a, 'f> {
    backend: &'a dyn Backend,
    key: Option<&'a DataKey>,
    options: Options,
    on: &'a mut OnReplayed<'f>,
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
    highest: u64,
    unused: Option<(u64, u64)>,
    findings: Vec<Finding>,
    lost: bool,
    map: Arc<SegmentMap>,
}

impl<'a, 'f> Walk<'a, 'f> {
    fn new(
        backend: &'a dyn Backend,
        key: Option<&'a DataKey>,
        options: &Options,
        covered: u64,
        on: &'a mut OnReplayed<'f>,
    ) -> Self {
        Self {
            backend,
            key,
            options: *options,
            on,
            covered,
            from_oldest: false,
            next: 0,
            records: 0,
            link: None,
            last: Before::default(),
            highest: 0,
            unused: None,
            findings: Vec::new(),
            lost: false,
            map: Arc::default(),
        }
    }

    fn run(&mut self) -> Result<(), RecoveryError> {
        let listed = self.list()?;
        self.highest = listed.last().map_or(0, |newest| newest.id);
        let start = listed
            .iter()
            .rposition(|s| s.header.is_some_and(|h| h.first <= self.covered + 1))
            .filter(|_| !self.from_oldest)
            .unwrap_or(0);
        for old in listed.get(..start).unwrap_or_default() {
            if let Some(header) = old.header {
                self.map.add(header);
            }
        }
        let needed = listed.get(start..).unwrap_or_default();
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

    /// Where numbering starts: 1, or the first record of the oldest segment that is needed.
    fn begin(&mut self, needed: &[Listed]) -> Result<(), RecoveryError> {
        let oldest = needed.first();
        let first = oldest.and_then(|segment| segment.header).map_or(1, |header| header.first);
        self.next = if self.from_oldest { first } else { first.min(self.covered + 1) };
        if let Some(segment) = oldest.filter(|_| first > self.next) {
            let file = FileName::Segment(segment.id);
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
        let Some(header) = self.check_header(file)? else { return Ok(()) };
        if header.first > self.next {
            self.lose_upto(header.first - 1)?;
        }
        self.map.add(header);
        let closed = next.and_then(|next| next.header).map(|header| header.before);
        let closed = closed.filter(|before| before.id == file.id).map(|before| before.end);
        let len = closed.unwrap_or(file.len).min(file.len);
        let name = FileName::Segment(file.id);
        let mut bytes = read_all(self.backend, name, len).at("read", name)?;
        let cipher = self.key.map(|key| key.file_cipher(&header.salt));
        let mut scan = Scan::new(&header, cipher.as_ref(), &mut bytes, closed, self.covered);
        let stopped = self.batches(file.id, &mut scan)?;
        let (end, reached, tag) = scan.reached();
        self.next = self.next.max(reached);
        if stopped == Stopped::Clean && reached == header.first && next.is_none() && !self.lost {
            self.unused = Some((file.id, file.len));
            self.last = header.before;
            self.map.remove(file.id);
            return Ok(());
        }
        self.last = Before { id: file.id, end, tag };
        self.link = Some(self.last).filter(|_| stopped != Stopped::Damaged);
        Ok(())
    }

    /// Judges the header by the table; `None` when the segment is unusable and that is accepted.
    fn check_header(&mut self, file: &Listed) -> Result<Option<SegmentHeader>, RecoveryError> {
        let preamble = SegmentHeader::preamble(&file.head);
        let header = file.header;
        let is = |check: &dyn Fn(&SegmentHeader) -> bool| header.as_ref().is_some_and(check);
        let linked = |h: &SegmentHeader| self.link.is_none_or(|link| h.before == link);
        let checks = [
            preamble.magic,
            preamble.crc,
            preamble.version <= FORMAT_VERSION,
            is(&|h| self.key.is_none_or(|key| h.key_id == key.id())),
            is(&|h| self.key.is_none_or(|key| h.open(&file.head, key).is_some())),
            is(&|h| h.id == file.id),
            is(&|h| h.file_len == file.len),
            is(&linked),
            is(&|h| h.first == self.next || (self.link.is_none() && h.first > self.next)),
        ];
        let row = decide(SEGMENT_ROWS, &checks).unwrap_or(&MISCOUNTED);
        let name = FileName::Segment(file.id);
        match row.verdict {
            Verdict::Accept => return Ok(header),
            Verdict::Newer => {
                let (found, supported) = (preamble.version, FORMAT_VERSION);
                return Err(RecoveryError::NewerFormat { file: name, found, supported });
            }
            Verdict::OtherKey => {
                return Err(RecoveryError::WrongKey { file: name, why: row.cause });
            }
            _ => {}
        }
        let record = header.map_or(self.next, |header| header.first.min(self.next));
        self.damage(Finding { file: name, offset: 0, record, row })?;
        // Accepted: its batches are still good if its header is ours and numbers go forward.
        let [.., sealed, named, _, _, _] = checks;
        let usable = sealed && named && header.is_some_and(|h| h.first >= self.next);
        Ok(header.filter(|_| usable))
    }

    /// Hands on the batches, up to what ends them.
    fn batches(&mut self, id: u64, scan: &mut Scan<'_>) -> Result<Stopped, RecoveryError> {
        let file = FileName::Segment(id);
        loop {
            let (offset, record, _) = scan.reached();
            match scan.step() {
                Step::Batch { header, offset, body, before } => {
                    let anchor = Anchor { first: header.first, offset: offset as u64, before };
                    self.map.note(id, anchor);
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
                        Some(first) => self.lose_upto(first - 1)?,
                        None => return Ok(Stopped::Damaged),
                    }
                }
            }
        }
    }

    fn hand_on(
        &mut self,
        file: FileName,
        header: &super::entry::BatchHeader,
        offset: u64,
        body: &[u8],
    ) -> Result<(), RecoveryError> {
        let mut records = Records::new(body);
        let mut no = header.first;
        for bytes in records.by_ref() {
            if no > self.covered {
                let handed = (self.on)(Replayed::Record { no, bytes });
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
        (self.on)(Replayed::Lost { from, upto })
            .map_err(|why| RecoveryError::Refused { what: format!("the loss of {from}"), why })
    }

    fn finish(self, checkpoint: Option<u64>) -> Result<Recovered, RecoveryError> {
        self.map.set_durable(self.next.saturating_sub(1));
        Ok(Recovered {
            next: self.next,
            checkpoint,
            records: self.records,
            findings: self.findings,
            needs_checkpoint: self.lost,
            map: self.map,
            last: self.last,
            highest: self.highest,
            unused: self.unused,
        })
    }
}
