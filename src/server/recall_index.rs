//! What stands in the index of old records, and how it is brought up from the segments.
//!
//! Contract: the keys of a record are noted once, when it is handed to the journal, and entered
//! in the order of records; a block of them is written when it is full. Plain functions over an
//! index that its caller owns. Deliberately absent: threads, and what to do when it fails
//! ([`super::recall_thread`]).

use crate::journal::file::index::BLOCK_KEYS;
use crate::journal::{Backend, DayIndex, JournalError, Reader};
use crate::switch::ids::RecordNo;
use crate::switch::library::{Coverage, Library};
use crate::switch::recall::{self, IndexKeys, REFUND_DAYS};
use crate::switch::record::Record;
use crate::time::Wall;
use std::sync::Arc;
use tracing::{info, warn};

/// Days with records that stay in the index: what anything may refer to, and some.
const KEPT_DAYS: usize = REFUND_DAYS as usize + 8;

/// A record's key on its way to the index: day, fingerprint, number.
pub(super) type Key = (u32, u64, u64);

/// The keys of a record, added to `keys`.
pub(super) fn note_keys(no: RecordNo, record: &Record, keys: &mut Vec<Key>) {
    let Some(found) = recall::index_keys(record) else { return };
    let IndexKeys { day, .. } = found;
    keys.extend(found.fingerprints().iter().map(|fingerprint| (day, *fingerprint, no.0)));
}

/// Adds keys in the order of their records, all up to `upto`, and writes whole blocks.
///
/// # Errors
/// What the disk says; some of the keys may be missing then.
pub(super) fn enter(
    index: &mut DayIndex,
    keys: &mut Vec<Key>,
    upto: u64,
) -> Result<(), JournalError> {
    let mut last = 0;
    for (day, fingerprint, no) in keys.drain(..) {
        // Between two records, for a block holds all keys of those it covers.
        if index.pending() >= BLOCK_KEYS && no > last {
            index.flush(no - 1)?;
        }
        index.add(day, fingerprint, no);
        last = no;
    }
    if index.pending() >= BLOCK_KEYS {
        index.flush(upto)?;
        index.keep_newest(KEPT_DAYS)?;
    }
    Ok(())
}

/// What went wrong at an answer: an index can be made anew, records cannot.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The index is damaged, or missing: only records by their number are found.
    Index(Option<JournalError>),
    /// A record cannot be read.
    Records(JournalError),
}

/// The records on disk, with their index where that is ready.
pub(super) struct OnDisk<'l> {
    pub(super) index: Option<&'l DayIndex>,
    pub(super) reader: &'l mut Reader,
}

impl Library for OnDisk<'_> {
    type Error = Trouble;

    fn numbers(&mut self, fingerprint: u64, days: u16) -> Result<Vec<RecordNo>, Trouble> {
        let index = self.index.ok_or(Trouble::Index(None))?;
        let found = index.find(fingerprint, days).map_err(|error| Trouble::Index(Some(error)))?;
        Ok(found.into_iter().map(RecordNo).collect())
    }

    fn record(&mut self, no: RecordNo) -> Result<Option<Record>, Trouble> {
        let bytes = self.reader.read(no.0).map_err(Trouble::Records)?;
        Ok(bytes.and_then(|bytes| Record::decode(bytes).ok()))
    }

    /// From the oldest segment that is there, the oldest day searched and the newest loss that was
    /// accepted: what is older in one of them is not found.
    fn coverage(&self, days: u16) -> Coverage {
        let kept = self.reader.begins().filter(|(first, _)| *first > 1);
        let kept = kept.map(|(_, opened)| Wall::from_millis(opened));
        let searched = usize::from(days).min(KEPT_DAYS);
        let day = self.index.and_then(|index| index.oldest_of(searched)).and_then(begin_of);
        let lost = self.reader.lost_before().map(Wall::from_millis);
        Coverage { since: kept.max(day).max(lost) }
    }
}

/// When the day after YYYYMMDD begins: of the day itself some records may stand in the file of
/// the day before, for it is named by their own clock.
fn begin_of(day: u32) -> Option<Wall> {
    let part = |divisor: u32, modulus: u32| i8::try_from(day / divisor % modulus).ok();
    let year = i16::try_from(day / 10_000).ok()?;
    let date = jiff::civil::Date::new(year, part(100, 100)?, part(1, 100)?).ok()?;
    let next = date.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Wall::from_millis(next.timestamp().as_millisecond()))
}

/// Opens the index, or begins it again, and enters every durable record that is not in it, up to
/// `durable()`. Stopped in the middle, it says itself how far it goes.
///
/// # Errors
/// What the disk says.
pub(super) fn brought_up(
    backend: &Arc<dyn Backend>,
    reader: &mut Reader,
    durable: impl Fn() -> u64,
    stopped: impl Fn() -> bool,
) -> Result<DayIndex, JournalError> {
    let mut index = DayIndex::open(Arc::clone(backend))?;
    let mut upto = durable();
    if !index.is_whole(0) || index.upto() == 0 || index.upto() > upto {
        warn!("the index of old records is not whole; it is made anew from the segments");
        index = DayIndex::anew(Arc::clone(backend))?;
    }
    let mut keys = Vec::new();
    // Once more for what came meanwhile, so that little has to be held.
    for _ in 0..3 {
        let (from, mut result) = (index.upto(), Ok(()));
        reader.each(from + 1, upto, &mut |no, bytes| {
            if let Ok(record) = Record::decode(bytes) {
                note_keys(RecordNo(no), &record, &mut keys);
            }
            keys.drain(..).for_each(|(day, fingerprint, no)| index.add(day, fingerprint, no));
            if index.pending() >= BLOCK_KEYS {
                result = index.flush(no);
            }
            result.is_ok() && !stopped()
        })?;
        result?;
        if stopped() {
            return Ok(index);
        }
        if upto > index.upto() {
            index.flush(upto)?;
        }
        if upto > from {
            info!(from = from + 1, upto, "records entered in the index of old records");
        }
        upto = durable();
    }
    Ok(index)
}
