//! The transactions in the auditor's books, found by number and by name.
//!
//! Contract: 80 bytes per transaction and some twelve for finding it by name, and 64 KiB of notes
//! where the newest stand. At most so many are kept besides those that are not settled; which ones
//! is decided by age alone. Deliberately absent: rules, and what is owed for them.

use super::extract::{Number, numbered};
use super::report::Account;
use crate::switch::ids::{RecordNo, TxnNo};
use crate::switch::prints::Prints;
use crate::switch::record::{Debt, Leg};
use crate::switch::txn::debt_of;
use std::collections::{BTreeMap, VecDeque};

/// One transaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) txn: TxnNo,
    /// Fingerprint of its name and bank.
    pub(super) name: u64,
    pub(super) minor: u64,
    /// What its bank has that was not taken back.
    pub(super) at_bank: Option<i64>,
    /// What its platform has that was not returned.
    pub(super) granted: i64,
    /// Of the debit of a top-up its credit, of a credit its debit.
    pub(super) partner: Number,
    pub(super) stan: u32,
    pub(super) bank: u16,
    pub(super) currency: u16,
    pub(super) date: u16,
    /// +1 debits the card, −1 credits it, 0 moves nothing.
    pub(super) sign: i8,
    pub(super) owes: Debt,
    pub(super) leg: Option<Leg>,
    /// It may be answered: its STAN is not free.
    pub(super) numbered: bool,
    pub(super) delivered: bool,
    /// A reversal of it was ever queued.
    pub(super) chained: bool,
    /// One is open.
    pub(super) reversing: bool,
    /// One was acknowledged.
    pub(super) reversed: bool,
    /// Its bank is to be told what was decided in its place.
    pub(super) advised: bool,
    /// Of the debit of a top-up: its credit was granted and stands, which tells of both.
    pub(super) carried: bool,
    /// An operator ordered its reversal.
    pub(super) ordered: bool,
    /// An operator closed it: what is between bank and platform is settled by hand.
    pub(super) by_hand: bool,
}

impl Told {
    /// Whether nothing more needs to happen to it; an open reversal is another matter.
    pub(super) fn is_settled(&self) -> bool {
        self.by_hand
            || self.leg.is_some_and(|leg| {
                let told = !leg.grants() || self.delivered || self.chained || self.carried;
                debt_of(leg, self.owes) != Debt::Desk && (told || self.owes == Debt::Nothing)
            })
    }

    /// Whether no later record is judged by it.
    fn may_go(&self) -> bool {
        self.is_settled() && !self.reversing && !self.numbered
    }

    /// The effect of so much, or of all it asked for.
    pub(super) fn effect(&self, minor: Option<u64>) -> i64 {
        let minor = minor.unwrap_or(self.minor);
        i64::try_from(minor).unwrap_or(i64::MAX) * i64::from(self.sign)
    }

    /// What a reversal leaves of an effect: nothing, or as much as it says.
    pub(super) fn left_of(&self, effect: i64, left: Option<u64>) -> i64 {
        let left = left.map_or(0, |left| self.effect(Some(left)));
        if left.unsigned_abs() < effect.unsigned_abs() { left } else { effect }
    }

    pub(super) const fn account(&self) -> Account {
        (self.bank, self.currency, self.date)
    }

    pub(super) fn partner(&self) -> Option<TxnNo> {
        numbered(self.partner)
    }
}

/// Numbers whose place is noted, 4 bytes each: some 4,000 transactions back, which is more than
/// are under way at once.
const PLACES_NOTED: usize = 1 << 14;

/// Which note is of this transaction.
const fn noted_at(txn: TxnNo) -> usize {
    txn.0 as usize % PLACES_NOTED
}

/// See the module.
#[derive(Debug)]
pub(super) struct Transactions {
    /// Most to keep of those that are settled.
    most: usize,
    /// By number.
    recent: VecDeque<Told>,
    /// Where the newest transactions stand, by the low bits of their numbers and counted as
    /// `gone` is: a hint, for an older one may have had the same bits.
    places: Vec<u32>,
    /// How many came before the first of them, in the low bits that [`Prints`] keeps.
    gone: u32,
    /// So many of them, from the front, have lost their names: they left the duplicate window.
    nameless: usize,
    /// By name: the order in which they came.
    names: Prints,
    /// Not settled when they were older than the recent ones.
    kept: BTreeMap<TxnNo, Told>,
    /// Those that were settled meanwhile leave when there are more than this: a sweep of all is
    /// paid for by as many that came since the last.
    pub(super) sweep_above: usize,
}

impl Transactions {
    /// None; at most `most` that are settled.
    pub(super) fn bounded(most: usize) -> Self {
        Self {
            most: most.max(1),
            recent: VecDeque::new(),
            places: vec![0; PLACES_NOTED],
            gone: 0,
            nameless: 0,
            names: Prints::default(),
            kept: BTreeMap::new(),
            sweep_above: most,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.recent.len() + self.kept.len()
    }

    /// All of them, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Told> {
        self.kept.values().chain(&self.recent)
    }

    /// The transaction of this number, unless it was settled and left the books.
    pub(super) fn get(&mut self, txn: TxnNo) -> Option<&mut Told> {
        match self.place(txn) {
            Some(at) => self.recent.get_mut(at),
            None => self.kept.get_mut(&txn),
        }
    }

    /// Where it stands among the recent ones. What a record tells of is mostly young, and its
    /// place was noted; the rest is looked for.
    fn place(&self, txn: TxnNo) -> Option<usize> {
        let noted = self.places.get(noted_at(txn)).map(|low| low.wrapping_sub(self.gone) as usize);
        let is_there = |at: &usize| self.recent.get(*at).is_some_and(|told| told.txn == txn);
        let looked_for = || self.recent.binary_search_by_key(&txn, |told| told.txn).ok();
        noted.filter(is_there).or_else(looked_for)
    }

    /// The newest of this name in the duplicate window.
    pub(super) fn named(&self, name: u64) -> Option<TxnNo> {
        let places = self.names.candidates(name).map(|low| low.wrapping_sub(self.gone));
        let all = places.filter_map(|at| self.recent.get(at as usize));
        all.filter(|told| told.name == name).map(|told| told.txn).max()
    }

    /// Enters a transaction; its number is the highest yet.
    pub(super) fn enter(&mut self, told: Told) {
        // First, so that the room for `most` is never doubled for one more.
        while self.recent.len() >= self.most {
            self.forget_oldest();
        }
        let named = self.recent.len() - self.nameless;
        if (named + 1) * 4 > self.names.slots() * 3 {
            self.make_names((self.names.slots() * 2).max(16));
        }
        let low = self.gone.wrapping_add(self.recent.len() as u32);
        self.names.enter(told.name, low);
        if let Some(place) = self.places.get_mut(noted_at(told.txn)) {
            *place = low;
        }
        self.recent.push_back(told);
    }

    fn make_names(&mut self, slots: usize) {
        self.names = Prints::with_slots(slots);
        for (told, at) in self.recent.iter().zip(0_u32..).skip(self.nameless) {
            self.names.enter(told.name, self.gone.wrapping_add(at));
        }
    }

    /// Requests up to this record left the duplicate window: their names may come again.
    pub(super) fn forget_names(&mut self, upto: RecordNo) {
        while self.recent.get(self.nameless).is_some_and(|told| told.txn <= upto) {
            self.forget_name();
        }
    }

    /// Forgets the oldest name there is.
    fn forget_name(&mut self) {
        let Some(told) = self.recent.get(self.nameless) else { return };
        let low = self.gone.wrapping_add(self.nameless as u32);
        let (recent, gone) = (&self.recent, self.gone);
        let name_of = |low: u32| Some(recent.get(low.wrapping_sub(gone) as usize)?.name);
        self.names.leave(told.name, low, name_of);
        self.nameless += 1;
    }

    /// What is settled needs no more judging; the rest is kept aside.
    fn forget_oldest(&mut self) {
        if self.nameless == 0 {
            self.forget_name();
        }
        let Some(told) = self.recent.pop_front() else { return };
        self.nameless = self.nameless.saturating_sub(1);
        self.gone = self.gone.wrapping_add(1);
        if !told.may_go() {
            self.kept.insert(told.txn, told);
        }
        if self.kept.len() > self.sweep_above {
            self.kept.retain(|_, told| !told.may_go());
            self.sweep_above = self.most.max(self.kept.len().saturating_mul(2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::hash::jitter;

    fn told(txn: u64, name: u64) -> Told {
        Told {
            txn: RecordNo(txn),
            name,
            minor: 0,
            at_bank: None,
            granted: 0,
            partner: None,
            stan: 0,
            bank: 0,
            currency: 0,
            date: 0,
            sign: 1,
            owes: Debt::Reversal,
            leg: Some(Leg::Declined),
            numbered: false,
            delivered: false,
            chained: false,
            reversing: false,
            reversed: false,
            advised: false,
            carried: false,
            ordered: false,
            by_hand: false,
        }
    }

    /// Numbers with gaps of all sizes, few names, and a window that moves on now and then.
    #[test]
    fn a_transaction_is_found_by_number_and_by_name_as_a_plain_search_would() {
        for (seed, most) in [(1, 1), (2, 7), (3, 100), (4, usize::MAX)] {
            let (mut books, mut plain) = (Transactions::bounded(most), Vec::new());
            let (mut no, mut nameless) = (100, 0);
            for count in 0..3_000 {
                let wide = if jitter(seed, 1, count / 500, 2) == 0 { 5 } else { 5_000 };
                no += 1 + jitter(seed, 2, count, wide);
                let name = jitter(seed, 3, count, 300) << 20 | jitter(seed, 3, count, 3);
                let named = plain.iter().rev().find(|(txn, old)| *old == name && *txn > nameless);
                assert_eq!(books.named(name), named.map(|(txn, _)| RecordNo(*txn)));
                books.enter(told(no, name));
                plain.push((no, name));
                plain.drain(..plain.len().saturating_sub(most));
                if jitter(seed, 4, count, 50) == 0 {
                    let at = jitter(seed, 5, count, plain.len() as u64) as usize;
                    nameless = nameless.max(plain[at].0);
                    books.forget_names(RecordNo(nameless));
                }
                let at = jitter(seed, 6, count, plain.len() as u64) as usize;
                for txn in [plain[at].0, plain[at].0 + 1, plain[0].0, plain[0].0 - 1, no, no + 1] {
                    let found = books.get(RecordNo(txn)).map(|told| told.txn.0);
                    assert_eq!(found, plain.iter().map(|(txn, _)| *txn).find(|no| *no == txn));
                }
            }
        }
    }
}
