//! What the journal is asked: under which names a record is found again, and which record
//! answers a question.
//!
//! Contract: [`index_keys`] says how a record is entered in the index by day, and [`fit`] judges
//! what such an index finds: fingerprints are hints, the record decides. Both are pure; the shell
//! holds the index. An entry stands under the UTC day its record was written. Deliberately
//! absent: how answers are gathered ([`super::library`]), and what is done with them.

use super::anchors;
use super::duplicates::fingerprint;
use super::hash::Digest;
use super::ids::{RecordNo, TxnNo};
use super::output::RecallKey;
use super::record::{Origin, Owed, Queued, Record, Refused};
use super::state::{is_remembered, original_name};
use crate::canonical::{Kind, Reason};
use crate::time::Wall;

/// Names one question may carry: what dialects leave out makes several of one original.
pub const NAMES_MAX: usize = 4;

/// Days with records that a repeat or a reversal may reach back: acquirers retry for a week.
pub const REPEAT_DAYS: u16 = 7;

/// Days with records that a void, a completion or the reversal of a hold may reach back: holds
/// live for 30 days.
pub const REFERENCE_DAYS: u16 = 32;

/// Days with records that a refund may reach back: card schemes allow up to half a year.
pub const REFUND_DAYS: u16 = 184;

/// Fingerprints one record may be found by.
const KEYS_MAX: usize = 7;

/// Under what a record is found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexKeys {
    /// The day it was written, YYYYMMDD (UTC).
    pub day: u32,
    fingerprints: [u64; KEYS_MAX],
    len: usize,
}

impl IndexKeys {
    fn new(at: Wall, all: impl IntoIterator<Item = Option<u64>>) -> Option<Self> {
        let mut keys = Self { day: day_of(at), fingerprints: [0; KEYS_MAX], len: 0 };
        for fingerprint in all.into_iter().flatten() {
            if let Some(slot) = keys.fingerprints.get_mut(keys.len) {
                *slot = fingerprint;
                keys.len += 1;
            }
        }
        (keys.len > 0).then_some(keys)
    }

    /// The fingerprints.
    pub fn fingerprints(&self) -> &[u64] {
        self.fingerprints.get(..self.len).unwrap_or_default()
    }
}

/// How well a record answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is the answer.
    Whole,
    /// It is, unless another one fits whole: an outcome, where a reversal may stand as well.
    Unless,
}

/// YYYYMMDD of a stamp, UTC.
fn day_of(at: Wall) -> u32 {
    let date = at.utc().date();
    let year = u32::try_from(date.year()).unwrap_or_default();
    let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
    year * 10_000 + u32::from(month) * 100 + u32::from(day)
}

/// What became of a transaction, an advice or a reversal is found under this.
pub(super) fn ending_of(txn: TxnNo) -> u64 {
    Digest::new(4).num(txn.0).finish()
}

/// How a record is entered in the index; `None` for records nobody asks for by name.
pub fn index_keys(record: &Record) -> Option<IndexKeys> {
    let anchors = anchors::of_record(record);
    match record {
        Record::Intent(intent) => {
            let name = [Some(intent.likeness.name()), intent.original.map(anchors::refers_to)];
            IndexKeys::new(intent.at, name.into_iter().chain(anchors))
        }
        Record::Outcome(outcome) => IndexKeys::new(outcome.at, [Some(ending_of(outcome.txn))]),
        Record::Queued(queued) => {
            let of = queued.of.map(anchors::refers_to);
            let name = own_name(queued);
            let names = [name, tombstone(queued), reversed_by(queued).map(ending_of), of];
            IndexKeys::new(queued.at, names.into_iter().filter(Option::is_some).chain(anchors))
        }
        Record::Closed(closed) => IndexKeys::new(closed.at, [Some(ending_of(closed.entry))]),
        Record::Refused(refused) => {
            let names = [refused_name(refused), taken_back_by(refused).map(ending_of)];
            IndexKeys::new(refused.at, names.into_iter().chain(anchors))
        }
        Record::Desk(desk) => {
            let decided = desk.verb.is_some().then(|| ending_of(desk.item));
            IndexKeys::new(desk.at, [decided])
        }
        Record::Late(late) => IndexKeys::new(late.at, [late.txn.map(ending_of)]),
        _ => None,
    }
}

/// When a record was written; hints do not say.
pub fn stamp_of(record: &Record) -> Option<Wall> {
    match record {
        Record::Intent(intent) => Some(intent.at),
        Record::Outcome(outcome) => Some(outcome.at),
        Record::Refused(refused) => Some(refused.at),
        Record::Queued(queued) => Some(queued.at),
        Record::Attempt(attempt) => Some(attempt.at),
        Record::Closed(closed) => Some(closed.at),
        Record::Late(late) => Some(late.at),
        Record::Desk(desk) => Some(desk.at),
        Record::Cutover(cutover) => Some(cutover.at),
        Record::Policy(stamp) => Some(stamp.at),
        Record::LineState(state) => Some(state.at),
        Record::Garbled(note) => Some(note.at),
        Record::Reconciled(totals) => Some(totals.at),
        Record::Moved(moved) => Some(moved.at),
        Record::Released(_) | Record::Answered(_) | Record::Forgotten(_) => None,
    }
}

/// The fingerprints a question is looked up by, likeliest first.
pub fn fingerprints(key: &RecallKey) -> Vec<u64> {
    let stated = |all: &[u64]| all.iter().copied().filter(|name| *name != 0).collect();
    match key {
        RecallKey::Record(_) | RecallKey::Family { .. } => vec![],
        RecallKey::Key { names, .. } => stated(names),
        RecallKey::Meant { names, anchors, .. } => {
            let mut all: Vec<u64> = stated(names);
            all.extend(anchors.iter().filter(|anchor| **anchor != 0));
            all
        }
        RecallKey::Ending { txn, .. } => vec![ending_of(*txn)],
    }
}

/// Whether a record that the index found under `name` answers the question.
pub fn fit(key: &RecallKey, name: u64, record: &Record) -> Option<Fit> {
    match (key, record) {
        (RecallKey::Key { .. }, record) => is_named(record, name).then_some(Fit::Whole),
        (RecallKey::Ending { txn, .. }, Record::Outcome(outcome)) => {
            (outcome.txn == *txn).then_some(Fit::Unless)
        }
        (RecallKey::Ending { txn, .. }, Record::Closed(closed)) => {
            (closed.entry == *txn).then_some(Fit::Unless)
        }
        (RecallKey::Ending { txn, .. }, record) => {
            (takes_back(record) == Some(*txn)).then_some(Fit::Whole)
        }
        (RecallKey::Record(_) | RecallKey::Meant { .. } | RecallKey::Family { .. }, _) => {
            Some(Fit::Whole)
        }
    }
}

/// What this record tells the end of, or part of it: an outcome or a late answer that of its
/// transaction, a reversal that of what it takes back, a closing that of its entry, an operator's
/// word that of its item.
pub(super) fn tells_end_of(record: &Record) -> Option<RecordNo> {
    match record {
        Record::Outcome(outcome) => Some(outcome.txn),
        Record::Closed(closed) => Some(closed.entry),
        Record::Desk(desk) => desk.verb.as_ref().map(|_| desk.item),
        Record::Late(late) => late.txn,
        record => takes_back(record),
    }
}

/// When a record was written, where it says.
pub(super) fn written(record: &Record) -> Option<Wall> {
    match record {
        Record::Intent(intent) => Some(intent.at),
        Record::Outcome(outcome) => Some(outcome.at),
        Record::Refused(refused) => Some(refused.at),
        Record::Queued(queued) => Some(queued.at),
        Record::Closed(closed) => Some(closed.at),
        Record::Policy(stamp) => Some(stamp.at),
        _ => None,
    }
}

/// The transaction that this record takes back: a repeat of it hears no approval any more.
pub(super) fn takes_back(record: &Record) -> Option<TxnNo> {
    match record {
        Record::Queued(queued) => reversed_by(queued),
        Record::Refused(refused) => taken_back_by(refused),
        _ => None,
    }
}

pub(super) fn is_named(record: &Record, name: u64) -> bool {
    match record {
        Record::Intent(intent) => intent.likeness.name() == name,
        Record::Queued(queued) => own_name(queued) == Some(name) || tombstone(queued) == Some(name),
        Record::Refused(refused) => refused_name(refused) == Some(name),
        _ => false,
    }
}

fn own_name(queued: &Queued) -> Option<u64> {
    Some(fingerprint(queued.platform.as_ref()?, queued.origin.as_ref()?))
}

/// The name of an original that was reversed before it was seen.
pub(super) fn tombstone(queued: &Queued) -> Option<u64> {
    let (platform, origin) = (queued.platform.as_ref()?, queued.origin.as_ref()?);
    let unknown = queued.is_ahead();
    let original: Origin = original_name(&queued.original, queued.original_mti, origin.batch);
    unknown.then(|| fingerprint(platform, &original))
}

fn reversed_by(queued: &Queued) -> Option<TxnNo> {
    queued.txn.filter(|_| queued.owed != Owed::Repeat)
}

fn refused_name(refused: &Refused) -> Option<u64> {
    is_remembered(refused.reason).then(|| fingerprint(&refused.platform, &refused.origin))
}

fn taken_back_by(refused: &Refused) -> Option<TxnNo> {
    let done = matches!(refused.kind, Kind::Reversal(_)) && refused.reason == Reason::Accepted;
    refused.concerns.filter(|_| done)
}
