//! Which record holds which STAN of which bank.
//!
//! Contract: 32 to 64 bytes per STAN that is held, and room for the most that were held lately:
//! [`Stans::is_roomy`] says when it is time to enter what is still held anew. Deliberately absent:
//! when a STAN is free.

use super::extract::{number, numbered};
use crate::switch::hash::Lookup;
use crate::switch::ids::RecordNo;
use std::num::NonZeroU64;

/// Room for so many is never too much.
const ROOM_KEPT: usize = 4_096;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Stans {
    holders: Lookup<NonZeroU64>,
    held: usize,
    pub(super) most_held: usize,
}

const fn key(bank: u16, stan: u32) -> u64 {
    ((bank as u64) << 32) | stan as u64
}

impl Stans {
    /// A record takes a STAN; who held it, if anybody did.
    pub(super) fn take(&mut self, bank: u16, stan: u32, no: RecordNo) -> Option<RecordNo> {
        let holder = self.holder(bank, stan);
        if let Some(no) = number(no) {
            self.holders.insert(key(bank, stan), no);
            self.held += usize::from(holder.is_none());
            self.most_held = self.most_held.max(self.held);
        }
        holder
    }

    /// Frees a STAN, if it is this record that holds it.
    pub(super) fn free(&mut self, bank: u16, stan: u32, holder: RecordNo) {
        if self.holder(bank, stan) == Some(holder) {
            self.holders.remove(key(bank, stan));
            self.held = self.held.saturating_sub(1);
        }
    }

    /// Who holds a STAN.
    pub(super) fn holder(&self, bank: u16, stan: u32) -> Option<RecordNo> {
        numbered(self.holders.get(key(bank, stan)))
    }

    /// Whether there is room for far more than is held.
    pub(super) const fn is_roomy(&self) -> bool {
        self.most_held > ROOM_KEPT && self.held < self.most_held / 8
    }
}
