//! What an operator's word changes in the books: "the bank did it", "the bank did not".
//!
//! Contract: a part of [`State`], kept by `apply` alone, before the record changes anything else.
//! A word is about what the item is: of a request whose answer is missing, whether the bank did it;
//! of a message that is owed, whether the bank has taken it. What the bank did counts once, as if
//! it had said so itself, on its business date. Deliberately absent: what may be said of which item
//! ([`super::desk`]).

use super::books::corrected;
use super::doubt::Doubt;
use super::ids::{RecordNo, TxnNo};
use super::input::DeskVerb;
use super::record::{BankKeys, Cause, Closed, Debt, Desk, Ending, Intent, Late, Leg, Queued};
use super::state::State;
use super::totals::Item;
use crate::canonical::{Kind, TransactionType};
use crate::time::Day;
use std::sync::Arc;

impl State {
    /// An operator decided. What is in the SAF counts when it is closed, right after this.
    pub(super) fn book_decision(&mut self, no: RecordNo, desk: &Desk) {
        let did = matches!(desk.verb, Some(DeskVerb::Did(_)));
        if !did || self.saf.contains_key(&desk.item) {
            return;
        }
        if let Some(letter) = self.dead.get(&desk.item) {
            let queued = Arc::clone(&letter.queued);
            return self.book_taken(no, desk, &queued);
        }
        let doubt = self.desk.get(&desk.item).cloned();
        let Some(Doubt { intent, late, done, cause, .. }) = doubt else { return };
        match (intent, late) {
            (_, Some(late)) => self.book_stray(no, &late),
            // Of what was granted the bank has taken back by hand what has no reversal.
            (Some(intent), None) if cause == Some(Cause::NoReversal) => {
                let granted = self.books.partials.get(&desk.item).copied();
                let back = Intent { amount: granted.or(intent.amount), ..(*intent).clone() };
                let date = self.business_date(&intent.bank);
                self.book_intent(no, &back, date, true);
            }
            (Some(intent), None) if !done => {
                let date = self.date_of(&intent, None, desk.at);
                self.book_intent(no, &intent, date, false);
                self.note_done(desk.item);
            }
            _ => {}
        }
    }

    /// The bank has a dead letter after all.
    fn book_taken(&mut self, no: RecordNo, desk: &Desk, queued: &Queued) {
        let closed = Closed::bare(desk.item, desk.at, Ending::Acknowledged);
        self.book_ending(no, &closed, queued);
    }

    /// A late approval of what has no reversal: the bank did it after all, and nothing that follows
    /// will tell of it again.
    pub(super) fn book_late_for_good(&mut self, no: RecordNo, late: &Late) {
        let Some(txn) = late.txn.filter(|_| late.leg == Leg::LateApproved) else { return };
        let Some(intent) = self.unanswered.get(&txn).map(Arc::clone) else { return };
        if intent.owes != Debt::Desk || self.is_done(txn) {
            return;
        }
        let told = Intent { amount: late.amount.or(intent.amount), ..(*intent).clone() };
        let date = self.date_of(&told, late.settlement_date, late.at);
        self.book_intent(no, &told, date, false);
        self.note_done(txn);
    }

    /// Whether the books have it that the bank did this unanswered transaction.
    pub(super) fn is_done(&self, txn: TxnNo) -> bool {
        self.books.done.contains(&txn)
    }

    fn note_done(&mut self, txn: TxnNo) {
        if self.unanswered.contains_key(&txn) {
            self.books.done.insert(txn);
        }
    }

    fn book_intent(&mut self, no: RecordNo, intent: &Intent, date: Day, reversal: bool) {
        let of = intent.kind.transaction().unwrap_or(TransactionType::Unstated);
        let (voided, amount) = (intent.voided(), intent.amount);
        let item = Item { bank: intent.bank, keys: &intent.keys, of, voided, amount };
        self.books.count(no, &item, date, reversal);
    }

    /// An approval that fits nothing we know, and that the bank stands by.
    fn book_stray(&mut self, no: RecordNo, late: &Late) {
        let Some(Kind::Transaction(of)) = late.kind else { return };
        let keys = BankKeys {
            stan: late.stan,
            terminal: late.terminal,
            batch: late.batch,
            ..BankKeys::default()
        };
        let date = corrected(self.business_date(&late.bank), late.settlement_date, late.at);
        let (voided, amount) = (None, late.amount);
        let item = Item { bank: late.bank, keys: &keys, of, voided, amount };
        self.books.count(no, &item, date, false);
    }
}
