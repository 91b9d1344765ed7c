//! Interim: records in memory until they have bytes of their own.

use pointsman::switch::record::Record;
use std::cell::RefCell;

thread_local! {
    static ARENA: RefCell<Vec<Record>> = const { RefCell::new(vec![]) };
}

pub(super) fn clear() {
    ARENA.with_borrow_mut(Vec::clear);
}

pub(super) fn encode(record: &Record, into: &mut Vec<u8>) {
    ARENA.with_borrow_mut(|arena| {
        into.extend_from_slice(&(arena.len() as u64).to_le_bytes());
        into.resize(into.len() + 200, 7);
        arena.push(record.clone());
    });
}

pub(super) fn decode(bytes: &[u8]) -> Option<Record> {
    let at = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    ARENA.with_borrow(|arena| arena.get(at as usize).cloned())
}
