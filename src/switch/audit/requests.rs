//! The rules about requests: asked once, decided once, and told as they were decided.
//!
//! Contract: each takes one record's extract, enters it and says which rules it breaks. Sums count
//! on the account of the transaction. Deliberately absent: what is owed ([`super::debts`]).

use super::Auditor;
use super::extract::{Asked, Ended, number, numbered};
use super::transactions::Told;
use super::violation::Violation;
use crate::switch::hash::Digest;
use crate::switch::ids::{RecordNo, TxnNo};
use crate::switch::record::{Debt, Leg};
use crate::switch::txn::debt_of;

impl Auditor {
    pub(super) fn intent(&mut self, no: RecordNo, asked: &Asked) {
        self.intents += 1;
        let (bank, stan) = (self.bank_no(&asked.bank), asked.stan);
        if let Some(holder) = self.stans.take(bank, stan, no) {
            self.broken(Violation::StanShared { no, stan, holder });
        }
        // The two legs of one request at two banks are two originals.
        let name = Digest::new(asked.name).bytes(asked.bank.as_bytes()).finish();
        if let Some(txn) = self.transactions.named(name) {
            self.broken(Violation::SentTwice { no, txn });
        }
        self.transactions.enter(Told {
            txn: no,
            name,
            minor: asked.minor,
            at_bank: None,
            granted: 0,
            partner: asked.debit,
            stan,
            bank,
            currency: asked.currency,
            date: 0,
            sign: asked.sign,
            owes: asked.owes,
            leg: None,
            numbered: true,
            delivered: false,
            chained: false,
            reversing: false,
            reversed: false,
            advised: false,
            carried: false,
            ordered: false,
            by_hand: false,
        });
        let debit = numbered(asked.debit);
        if let Some(of) = debit.and_then(|debit| self.transactions.get(debit)) {
            of.partner = number(no);
        }
    }

    pub(super) fn outcome(&mut self, no: RecordNo, ended: &Ended) {
        let Ended { txn, minor, leg, date } = *ended;
        if txn <= self.unseen {
            return;
        }
        let Some(of) = self.transactions.get(txn).filter(|told| told.leg.is_none()) else {
            return self.broken(Violation::StrayOutcome { no, txn });
        };
        let effect = of.effect(minor);
        of.leg = Some(leg);
        of.date = date;
        let approved = leg.grants() || leg == Leg::LateApproved;
        // The bank has what was decided in its place when it has the advice.
        let at_bank = approved && leg != Leg::StoodIn;
        of.at_bank = at_bank.then_some(effect);
        of.granted = if leg.grants() { effect } else { 0 };
        // An answer may still come to what is not known.
        of.numbered = matches!(leg, Leg::SentUnknown | Leg::InvalidAnswer);
        let told = *of;
        if approved {
            let totals = self.totals(told.account());
            totals.approvals += 1;
            totals.at_banks += i128::from(told.at_bank.unwrap_or_default());
            totals.granted += i128::from(told.granted);
        }
        self.carry(&told, leg.grants());
        let untold = leg == Leg::StoodIn && !told.advised;
        if untold || (debt_of(leg, told.owes) == Debt::Reversal && !told.chained) {
            self.broken(Violation::DebtNotQueued { no, txn });
        }
        if !told.numbered {
            self.free(told.bank, told.stan, txn);
        }
    }

    /// A credit speaks for its debit as long as it stands.
    pub(super) fn carry(&mut self, credit: &Told, stands: bool) {
        let debit = credit.partner().filter(|debit| *debit < credit.txn);
        if let Some(of) = debit.and_then(|debit| self.transactions.get(debit)) {
            of.carried = stands;
        }
    }

    /// A bank approved after it was decided.
    pub(super) fn late(&mut self, txn: TxnNo, minor: Option<u64>) {
        let Some(of) = self.transactions.get(txn) else { return };
        let unknown = matches!(of.leg, Some(Leg::SentUnknown | Leg::InvalidAnswer));
        // Known effects count once; a second approval of one original is the same effect.
        if !unknown || of.at_bank.is_some() || !(of.reversing || of.owes == Debt::Desk) {
            return;
        }
        let effect = of.effect(minor);
        // An operator has to look again.
        of.by_hand = false;
        self.done(txn, effect);
    }

    /// The bank did what had been decided without its answer.
    pub(super) fn done(&mut self, txn: TxnNo, effect: i64) {
        let Some(of) = self.transactions.get(txn) else { return };
        of.at_bank = Some(effect);
        let account = of.account();
        let totals = self.totals(account);
        totals.approvals += 1;
        totals.at_banks += i128::from(effect);
    }

    pub(super) fn answered(&mut self, no: RecordNo, txn: TxnNo) {
        match self.transactions.get(txn) {
            Some(of) if of.leg.is_some_and(Leg::grants) => of.delivered = true,
            Some(_) => self.broken(Violation::NotGranted { no, txn }),
            // It was settled, and left the books.
            None => {}
        }
    }

    pub(super) fn forget_stan(&mut self, txn: TxnNo) {
        let Some(of) = self.transactions.get(txn) else { return };
        of.numbered = false;
        let (bank, stan) = (of.bank, of.stan);
        self.free(bank, stan, txn);
    }
}
