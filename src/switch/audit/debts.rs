//! The rules about what is owed: queued once, tried as it says, and finished for a reason.
//!
//! Contract: some 70 bytes per message that is owed or dead, as long as it is. Deliberately absent:
//! whether a try is due; the journal knows no clock.

use super::Auditor;
use super::extract::{Number, Owes, Word, numbered};
use super::violation::Violation;
use crate::money::Currency;
use crate::switch::ids::{RecordNo, TxnNo};
use crate::switch::record::{Debt, Ending, Leg, Owed};
use crate::switch::txn::debt_of;

/// A SAF entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owing {
    txn: Number,
    pub(super) minor: u64,
    /// What a partial reversal leaves.
    left: Option<u64>,
    pub(super) stan: u32,
    tries: u32,
    pub(super) currency: Option<Currency>,
    pub(super) bank: u16,
    sign: i8,
    owed: Owed,
    /// It tells of what was decided in the bank's place.
    stands_in: bool,
}

impl Owing {
    fn new(owes: &Owes, bank: u16) -> Self {
        Self {
            txn: owes.txn,
            minor: owes.minor,
            left: owes.left,
            stan: owes.stan,
            tries: 0,
            currency: owes.currency,
            bank,
            sign: owes.sign,
            owed: owes.owed,
            stands_in: owes.stands_in,
        }
    }

    /// The transaction it reverses, repeats or tells of.
    pub(super) fn txn(&self) -> Option<TxnNo> {
        numbered(self.txn)
    }

    /// The transaction it takes back.
    fn reversed(&self) -> Option<TxnNo> {
        self.txn().filter(|_| self.owed != Owed::Repeat)
    }

    fn stands_in_for(&self) -> Option<TxnNo> {
        self.txn().filter(|_| self.stands_in)
    }

    /// Whether the last try left before a crash cannot be known.
    pub(super) fn may_have_left(&mut self) {
        self.tries = self.tries.max(1);
    }
}

impl Auditor {
    pub(super) fn queued(&mut self, no: RecordNo, owes: &Owes) {
        let owing = Owing::new(owes, self.bank_no(&owes.bank));
        self.entries.insert(no, owing);
        let own = owing.stands_in_for();
        if owes.own_stan {
            let stan = owing.stan;
            // The advice of a decision in the bank's place takes its transaction's number over.
            let holder = self.stans.take(owing.bank, stan, no).filter(|h| Some(*h) != own);
            if let Some(holder) = holder {
                self.broken(Violation::StanShared { no, stan, holder });
            }
        }
        if let Some(of) = own.and_then(|txn| self.transactions.get(txn)) {
            of.advised = true;
        }
        if let Some(txn) = owing.txn().filter(|_| owing.owed != Owed::Repeat) {
            self.chain(no, txn, owes);
        }
    }

    /// A reversal of a known original.
    fn chain(&mut self, no: RecordNo, txn: TxnNo, owes: &Owes) {
        let Some(of) = self.transactions.get(txn) else { return };
        let second = std::mem::replace(&mut of.reversing, true);
        let own = owes.owed == Owed::OwnReversal;
        // Only a late approval makes us reverse once more what was reversed.
        let again = own && of.reversed && !owes.too_late;
        of.chained = true;
        let stays = of.left_of(of.granted, owes.left);
        let returned = std::mem::replace(&mut of.granted, stays) - stays;
        let told = *of;
        self.totals(told.account()).returned += i128::from(returned);
        self.carry(&told, false);
        if let Some(credit) = told.partner().filter(|credit| *credit > txn)
            && !self.nothing_stands(credit)
        {
            self.broken(Violation::DebitBeforeCredit { no, txn, credit });
        }
        if second || again {
            self.broken(Violation::SecondChain { no, txn });
        }
        if own && told.delivered && !told.ordered {
            self.broken(Violation::GrantReversed { no, txn });
        }
        if told.owes != Debt::Reversal {
            self.broken(Violation::NotReversible { no, txn });
        }
    }

    /// Whether nothing of it can stand at its bank: not given, or taken back.
    fn nothing_stands(&mut self, txn: TxnNo) -> bool {
        let Some(of) = self.transactions.get(txn) else { return true };
        let refused = |leg: Leg| !leg.grants() && debt_of(leg, Debt::Reversal) == Debt::Nothing;
        !of.reversing && (of.chained || of.leg.is_some_and(refused))
    }

    pub(super) fn attempt(&mut self, no: RecordNo, entry: RecordNo, count: u32) {
        let Some(owing) = self.entries.get_mut(&entry) else {
            return self.stray(no, entry);
        };
        let known = owing.tries;
        owing.tries = known.max(count);
        if count <= known {
            self.broken(Violation::TryCountedTwice { no, entry, count, known });
        }
    }

    fn stray(&mut self, no: RecordNo, entry: RecordNo) {
        if entry > self.unseen {
            self.broken(Violation::StrayEntry { no, entry });
        }
    }

    pub(super) fn closed(
        &mut self,
        no: RecordNo,
        entry: RecordNo,
        (ending, again): (Ending, bool),
        date: u16,
    ) {
        let Some(owing) = self.entries.remove(&entry) else {
            return self.stray(no, entry);
        };
        if ending.is_dead_letter() && (owing.owed == Owed::Repeat || again) {
            // It may be sent again, and keeps its number for that.
            if let Some(of) = owing.txn().and_then(|txn| self.transactions.get(txn)) {
                of.reversing &= owing.owed == Owed::Repeat;
            }
            self.dead.insert(entry, owing);
            return;
        }
        self.free(owing.bank, owing.stan, entry);
        if owing.owed == Owed::Repeat {
            if ending == Ending::Acknowledged {
                self.advised(&owing, date);
            }
            return;
        }
        let Some(of) = owing.txn().and_then(|txn| self.transactions.get(txn)) else { return };
        of.reversing = false;
        let (txn, money) = (of.txn, of.at_bank.is_some_and(|effect| effect != 0));
        if ending == Ending::Acknowledged {
            self.taken_back(txn, &owing);
        }
        if matches!(ending, Ending::Needless | Ending::NoOriginal) && money {
            self.broken(Violation::MoneyLeft { no, txn });
        }
    }

    /// A bank acknowledged a reversal.
    fn taken_back(&mut self, txn: TxnNo, owing: &Owing) {
        let Some(of) = self.transactions.get(txn) else { return };
        of.reversed |= owing.left.is_none();
        let Some(effect) = of.at_bank else { return };
        let stays = of.left_of(effect, owing.left);
        of.at_bank = (stays != 0).then_some(stays);
        let account = of.account();
        let totals = self.totals(account);
        totals.reversals += 1;
        totals.taken_back += i128::from(effect - stays);
    }

    /// A bank acknowledged an advice.
    fn advised(&mut self, owing: &Owing, date: u16) {
        let currency = owing.currency.map_or(0, Currency::code);
        let effect = i128::from(owing.minor) * i128::from(owing.sign);
        if let Some(txn) = owing.stands_in_for() {
            // Its approval was counted when it was given, on no date of the bank.
            let mut other = 0;
            if let Some(of) = self.transactions.get(txn) {
                other = effect - i128::from(of.effect(None));
                of.at_bank = Some(of.effect(Some(owing.minor)));
            }
            let totals = self.totals((owing.bank, currency, 0));
            totals.at_banks += effect;
            // What it booked otherwise is settled with its platform outside.
            totals.by_hand += other;
            return;
        }
        let totals = self.totals((owing.bank, currency, date));
        totals.advices += 1;
        totals.advised += effect;
    }

    /// An operator decided: about a dead letter, or about a transaction.
    pub(super) fn decided(&mut self, item: RecordNo, word: Word) {
        match (self.dead.remove(&item), word) {
            (Some(owing), Word::Resend) => {
                if let Some(of) = owing.reversed().and_then(|txn| self.transactions.get(txn)) {
                    of.reversing = true;
                }
                self.entries.insert(item, owing);
            }
            (Some(owing), word) => {
                self.free(owing.bank, owing.stan, item);
                match owing.reversed() {
                    Some(txn) if word == Word::Did => self.taken_back(txn, &owing),
                    None if word == Word::Did => self.advised(&owing, 0),
                    _ => {}
                }
            }
            (None, Word::Reverse) => {
                if let Some(of) = self.transactions.get(item) {
                    of.ordered = true;
                }
            }
            (None, Word::Resend) => {}
            (None, word) => self.settled_by_hand(item, word == Word::Did),
        }
    }

    /// What the bank has of a transaction and its platform has not is settled outside.
    fn settled_by_hand(&mut self, txn: TxnNo, did: bool) {
        let Some(of) = self.transactions.get(txn) else { return };
        let unknown = of.leg.is_some_and(|leg| debt_of(leg, of.owes) == Debt::Desk);
        let effect = of.effect(None);
        of.by_hand = true;
        if unknown && did && of.at_bank.is_none() {
            self.done(txn, effect);
        }
        let Some(of) = self.transactions.get(txn).filter(|_| unknown) else { return };
        let between = i128::from(of.at_bank.unwrap_or_default()) - i128::from(of.granted);
        let account = of.account();
        self.totals(account).by_hand += between;
    }
}
