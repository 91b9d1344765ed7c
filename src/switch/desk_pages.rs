//! Pages of the desk, by number, in steps of bounded work.
//!
//! Contract: a step looks at no more items than it may, whatever it finds, and says where the next
//! one goes on: payments wait meanwhile. Deliberately absent: what an item says
//! ([`super::operator`]).

use super::Switch;
use super::desk::{DeskItem, Listing};
use super::ids::RecordNo;
use crate::limits::PAGE_ITEMS_MAX;
use std::ops::Bound;

impl Switch {
    /// What is in doubt or on the desk, by number.
    pub fn desk(&self, listing: &Listing) -> Vec<DeskItem> {
        self.desk_step(listing, usize::MAX).0
    }

    /// The same, of at most so many items looked at; and the last of them, where there are more.
    pub fn desk_step(&self, listing: &Listing, looks: usize) -> (Vec<DeskItem>, Option<RecordNo>) {
        let state = &self.state;
        let after = (Bound::Excluded(listing.after), Bound::Unbounded);
        let mut owed = state.saf.range(after).map(|(no, _)| *no).peekable();
        let mut looked = state.desk.range(after).map(|(no, _)| *no).peekable();
        let mut numbers = std::iter::from_fn(|| {
            let next = match (owed.peek().filter(|_| !listing.attention), looked.peek()) {
                (Some(a), Some(b)) => *a.min(b),
                (Some(one), None) | (None, Some(one)) => *one,
                (None, None) => return None,
            };
            owed.next_if_eq(&next);
            looked.next_if_eq(&next);
            Some(next)
        });
        let limit = listing.limit.min(PAGE_ITEMS_MAX);
        let wanted = |item: &DeskItem| listing.bank.is_none_or(|bank| item.bank == bank);
        let (mut found, mut last) = (Vec::new(), None);
        for _ in 0..looks {
            if found.len() >= limit {
                break;
            }
            let Some(no) = numbers.next() else { return (found, None) };
            found.extend(self.desk_item(no).filter(wanted));
            last = Some(no);
        }
        (found, last)
    }
}
