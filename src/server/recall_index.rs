//! What stands in the index of old records, and how it is brought up from the segments.
//!
//! Contract: the keys of a record are noted once, when it is handed to the journal, and entered
//! in the order of records; a block of them is written when it is full. Plain functions over an
//! index that its caller owns. Deliberately absent: threads, and what to do when it fails
//! ([`super::recall_thread`]).

use crate::journal::file::index::BLOCK_KEYS;
use crate::journal::{Backend, DayIndex, JournalError, Reader};
use crate::switch::ids::RecordNo;
use crate::switch::output::RecallKey;
use crate::switch::recall::{self, IndexKeys, REFERENCE_DAYS};
use crate::switch::record::Record;
use std::sync::Arc;
use tracing::{info, warn};

/// Days with records that stay in the index: what anything may refer to, and some.
const KEPT_DAYS: usize = REFERENCE_DAYS as usize + 8;

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

/// Names and record numbers to look at, in the order in which the names count, newest first.
///
/// # Errors
/// What the disk says, and damage of the index.
pub(super) fn candidates(
    index: &DayIndex,
    key: &RecallKey,
    days: u16,
) -> Result<Vec<(u64, u64)>, JournalError> {
    let mut all = Vec::new();
    for name in recall::fingerprints(key) {
        all.extend(index.find(name, days)?.into_iter().map(|no| (name, no)));
    }
    Ok(all)
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
    if !index.is_whole(0) || index.upto() > upto {
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
