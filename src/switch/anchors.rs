//! Under what a request is found by what others say of it.
//!
//! Contract: an exact name ([`super::duplicates`]) needs all that a platform wrote; an anchor
//! needs two things that what follows nearly always repeats: the platform's trace number with the
//! card, the trace number with the time, or the card alone. Several requests may share one: an
//! anchor gives candidates, `finding` says which of them is meant. Deliberately absent:
//! terminal, merchant, platform and MTI, in which a request and what follows it may differ.

use super::hash::Digest;
use super::ids::TxnNo;
use super::overtaken;
use super::record::{Origin, Record};
use super::refusals::may_be_repeated;
use super::stamps::own_stamp;
use crate::sensitive::Pan;
use crate::text::Text;
use crate::time::Wall;

/// Anchors one question may carry: the trace number with the card, and with three neighbouring
/// times.
pub const ANCHORS_MAX: usize = 4;

/// Anchors one record may have.
pub(super) const OF_RECORD: usize = 5;

/// How far apart two stamps of one request may be that are looked for together, in seconds:
/// whoever repeats a request may stamp it anew.
const SLOT_S: i64 = 600;

/// The trace number (`F11`) and the card.
pub(super) fn by_trace(stan: u32, pan: &Pan) -> u64 {
    Digest::new(5).num(u64::from(stan)).bytes(pan.expose()).finish()
}

/// The card alone.
pub(super) fn by_card(pan: &Pan) -> u64 {
    Digest::new(6).bytes(pan.expose()).finish()
}

fn in_slot(stan: u32, slot: i64) -> u64 {
    Digest::new(7).num(u64::from(stan)).num(slot.cast_unsigned()).finish()
}

/// The trace number and about this time, in seconds since 1970.
pub(super) fn by_time(stan: u32, seconds: u32) -> u64 {
    in_slot(stan, i64::from(seconds).div_euclid(SLOT_S))
}

/// The same and its neighbours: what is looked up.
pub(super) fn around(stan: u32, seconds: u32) -> [u64; 3] {
    let slot = i64::from(seconds).div_euclid(SLOT_S);
    [slot, slot - 1, slot + 1].map(|slot| in_slot(stan, slot))
}

/// The reference number (`F37`), however it is padded; `None` where it says nothing.
pub(super) fn by_reference(rrn: &Text<12>) -> Option<u64> {
    let bytes = rrn.trimmed_bytes();
    let says = bytes.iter().any(|byte| *byte != b'0');
    says.then(|| Digest::new(10).bytes(bytes).finish())
}

/// The anchor of a reversal that came before its original: what comes late is looked for there.
pub(super) fn ahead(anchor: u64) -> u64 {
    Digest::new(11).num(anchor).finish()
}

/// What refers to this transaction or advice.
pub(super) fn refers_to(txn: TxnNo) -> u64 {
    Digest::new(8).num(txn.0).finish()
}

/// The anchors of a request that came under this name.
pub(super) fn anchors_of(origin: &Origin, pan: Option<&Pan>, at: Wall) -> [Option<u64>; OF_RECORD] {
    let time = own_stamp(origin, at).map(|seconds| by_time(origin.stan, seconds));
    let reference = origin.rrn.as_ref().and_then(by_reference);
    [pan.map(|pan| by_trace(origin.stan, pan)), pan.map(by_card), time, reference, None]
}

/// The anchors of a record that something may refer to: a request that was sent, or an advice. One
/// that was refused is found by what repeats it, one that was reversed before it came by its
/// reversal.
pub(super) fn of_record(record: &Record) -> [Option<u64>; OF_RECORD] {
    match record {
        Record::Intent(intent) => anchors_of(&intent.origin, intent.pan.as_ref(), intent.at),
        Record::Queued(queued) if queued.is_told() => match &queued.origin {
            Some(origin) => anchors_of(origin, queued.pan.as_ref(), queued.at),
            None => [None; OF_RECORD],
        },
        Record::Queued(queued) => overtaken::anchors_ahead(queued),
        Record::Refused(refused) if may_be_repeated(refused) => {
            let trace = refused.pan.as_ref().map(|pan| by_trace(refused.origin.stan, pan));
            [trace, None, None, None, None]
        }
        _ => [None; OF_RECORD],
    }
}
