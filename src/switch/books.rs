//! What counts in a bank's totals, when, and on which business date: kept by `apply` from records
//! alone, so that replay and checkpoints rebuild it.
//!
//! Contract (domain.md section 6): an approved original counts on its `F15`, or else on the
//! bank's business date when it was sent; its accepted reversal counts among the reversals, on
//! the reversal's own date, found likewise; a reversal answered "original not found" counts
//! nowhere. An original whose answer never came, or proved nothing, counts on its own date (its
//! bank's `F15`, were it in such an answer), together with its accepted reversal, because the bank
//! had it. An advice counts when the bank has taken it, on
//! the date when it was sent. Deliberately absent: the numbers ([`super::totals`]).

use super::ids::{Name, RecordNo, TxnNo};
use super::input::DeskVerb;
use super::record::{
    Closed, Cutover, Desk, Ending, Forgotten, Intent, Late, Leg, Outcome, Owed, Queued, Reconciled,
    Record, Weighing,
};
use super::state::State;
use super::totals::{Asked, Bucket, Counting, Due, Item, Standing};
use crate::canonical::{Kind, TransactionType};
use crate::text::Text;
use crate::time::{Day, Wall};
use std::sync::Arc;

/// The last word about a bank's business date.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LastCutover {
    /// When.
    pub at: Wall,
    /// `F11` of the bank's word.
    pub stan: Option<u32>,
    /// `F7` of the bank's word.
    pub transmission: Option<Text<10>>,
}

impl State {
    /// Keeps the books; before the record changes anything else.
    pub(super) fn keep_books(&mut self, no: RecordNo, record: &Record) {
        match record {
            Record::Outcome(outcome) => self.book_outcome(no, outcome),
            Record::Late(late) => {
                self.book_late(no, late);
                self.book_late_for_good(no, late);
                if let Some(txn) = late.txn {
                    self.date_undecided(txn, late.settlement_date, late.at);
                }
            }
            Record::Queued(queued) => self.book_queued(no, queued),
            Record::Closed(closed) => self.book_closed(no, closed),
            Record::Reconciled(reconciled) => self.book_question(no, reconciled),
            Record::Desk(desk) => {
                self.book_decision(no, desk);
                self.book_asked_again(desk);
            }
            Record::Forgotten(Forgotten::Window(upto)) => {
                self.books.partials.retain(|txn, _| txn > upto);
            }
            Record::Forgotten(Forgotten::Original(txn)) => {
                self.books.done.remove(txn);
            }
            _ => {}
        }
    }

    /// The bank's business date.
    pub(super) fn business_date(&self, bank: &Name) -> Day {
        self.bank(bank).and_then(|bank| bank.business_date).unwrap_or_default()
    }

    /// The bank's date moves.
    pub(super) fn cut_over(&mut self, cutover: &Cutover) {
        let Cutover { at, date, stan, transmission, .. } = *cutover;
        if let Some(bank) = self.bank_mut(&cutover.bank) {
            bank.business_date = Some(date.near(at));
            bank.cutover = Some(LastCutover { at, stan, transmission });
        }
    }

    /// The date of a request: the one it was sent on, unless its bank has named another.
    pub(super) fn date_of(&self, intent: &Intent, stated: Option<Text<4>>, at: Wall) -> Day {
        let sent = intent.date.unwrap_or_else(|| self.business_date(&intent.bank));
        corrected(sent, stated, at)
    }

    /// What a bank answered proves nothing, but it names the day on which the bank has it.
    pub(super) fn date_undecided(&mut self, txn: TxnNo, stated: Option<Text<4>>, at: Wall) {
        let Some(intent) = self.unanswered.get(&txn).filter(|_| stated.is_some()) else { return };
        let date = self.date_of(intent, stated, at);
        if let Some(intent) = self.unanswered.get_mut(&txn) {
            Arc::make_mut(intent).date = Some(date);
        }
    }

    fn book_outcome(&mut self, no: RecordNo, outcome: &Outcome) {
        let Some(open) = self.open.get(outcome.txn) else { return };
        if !matches!(outcome.leg, Leg::Approved | Leg::PartiallyApproved) {
            return;
        }
        let intent = &open.intent;
        let date = self.date_of(intent, outcome.settlement_date, outcome.at);
        let amount = outcome.amount.or(intent.amount);
        if let (Leg::PartiallyApproved, Some(amount)) = (outcome.leg, amount) {
            self.books.partials.insert(outcome.txn, amount);
        }
        self.books.chains.entry(outcome.txn).and_modify(|c| *c = Counting::Counted);
        let of = intent.kind.transaction().unwrap_or(TransactionType::Unstated);
        let voided = intent.voided();
        let item = Item { bank: intent.bank, keys: &intent.keys, of, voided, amount };
        self.books.count(no, &item, date, false);
    }

    /// A late approval counts like one in time; its reversal is on its way.
    fn book_late(&mut self, no: RecordNo, late: &Late) {
        let Some(txn) = late.txn.filter(|_| late.leg == Leg::LateApproved) else { return };
        let Some(intent) = self.unanswered.get(&txn).map(Arc::clone) else { return };
        if self.books.chains.get(&txn) != Some(&Counting::Open) {
            return;
        }
        self.books.chains.insert(txn, Counting::Counted);
        let date = self.date_of(&intent, late.settlement_date, late.at);
        let of = intent.kind.transaction().unwrap_or(TransactionType::Unstated);
        let amount = late.amount.or(intent.amount);
        let voided = intent.voided();
        let item = Item { bank: intent.bank, keys: &intent.keys, of, voided, amount };
        self.books.count(no, &item, date, false);
    }

    fn book_queued(&mut self, no: RecordNo, queued: &Queued) {
        if queued.kind == Kind::Reconciliation {
            return self.book_asked(no);
        }
        let Some(txn) = queued.txn.filter(|_| queued.owed != Owed::Repeat) else { return };
        // A dead advice has not counted either, and the bank may have it.
        let open = self.open.contains(txn)
            || self.unanswered.contains_key(&txn)
            || self.dead.contains_key(&txn);
        let dead = self.books.chains.get(&txn) == Some(&Counting::Counted);
        let counting = match (self.books.done.contains(&txn), open) {
            (true, _) => Counting::Done,
            // It was reversed before, in vain.
            _ if dead => Counting::Counted,
            (false, true) => Counting::Open,
            (false, false) => Counting::Counted,
        };
        self.books.chains.insert(txn, counting);
    }

    fn book_closed(&mut self, no: RecordNo, closed: &Closed) {
        self.book_answered(closed);
        let Some(entry) = self.saf.get(&closed.entry) else { return };
        let queued = Arc::clone(&entry.queued);
        self.book_ending(no, closed, &queued);
    }

    /// The bank has a message that was owed, or will not have it (any more).
    pub(super) fn book_ending(&mut self, no: RecordNo, closed: &Closed, queued: &Queued) {
        // The advice of a decision in the bank's place leaves a reversal behind it as it stands.
        let reversed = queued.txn.filter(|_| queued.owed != Owed::Repeat);
        let counting = reversed.and_then(|txn| self.books.chains.remove(&txn));
        if let (Some(txn), Some(counting), true) =
            (reversed, counting, closed.ending.is_dead_letter())
        {
            // The bank may have it all the same, as an operator will find out.
            self.books.chains.insert(txn, counting);
        }
        if closed.ending != Ending::Acknowledged {
            return;
        }
        let owed = self.saf.get(&closed.entry).and_then(|entry| entry.date);
        let sent = owed.or_else(|| self.dead.get(&closed.entry)?.date);
        let sent = sent.unwrap_or_else(|| self.business_date(&queued.bank));
        let date = corrected(sent, closed.settlement_date, closed.at);
        let Some(of) = queued.kind.transaction() else { return };
        let partial = queued.txn.and_then(|txn| self.books.partials.get(&txn)).copied();
        let granted = self.saf.get(&closed.entry).and_then(|entry| entry.granted);
        let granted = granted.or_else(|| self.dead.get(&closed.entry)?.granted);
        let whole = granted.or(queued.stood).or(partial).or(queued.amount);
        let voided = queued.voided();
        match (queued.kind, counting) {
            (Kind::Reversal(_), Some(counting)) if counting != Counting::Done => {
                let unanswered = queued.txn.and_then(|txn| self.unanswered.get(&txn));
                let own = unanswered.map(|intent| self.date_of(intent, None, closed.at));
                if let (Some(txn), Some(_)) = (queued.txn, own) {
                    self.books.done.insert(txn);
                }
                let original =
                    Item { bank: queued.bank, keys: &queued.original, of, voided, amount: whole };
                if counting == Counting::Open {
                    self.books.count(no, &original, own.unwrap_or(date), false);
                }
                let kept = queued.replacement;
                let back = whole.map(|w| kept.and_then(|kept| w.minus(kept)).unwrap_or(w));
                self.books.count(no, &Item { amount: back, ..original }, date, true);
                if let (Some(txn), Some(kept)) = (queued.txn, kept) {
                    // A further reversal takes back of what this one left.
                    self.books.partials.insert(txn, kept);
                }
            }
            // An advice of a decline has moved nothing.
            (Kind::Transaction(_), _) if !queued.tells_of_decline() => {
                let keys = &queued.keys;
                let advice = Item { bank: queued.bank, keys, of, voided, amount: whole };
                self.books.count(no, &advice, date, false);
            }
            _ => {}
        }
    }

    /// What becomes of a period's totals.
    fn book_question(&mut self, no: RecordNo, reconciled: &Reconciled) {
        let bucket = reconciled.bucket();
        let of = (bucket.bank, bucket.period);
        match reconciled.weighing {
            Weighing::Ordered => {
                let operator = reconciled.operator;
                self.books.due.entry(of).or_insert(Due { order: no, operator });
            }
            Weighing::Nothing => {
                self.books.due.remove(&of);
            }
            Weighing::Asked => {
                self.books.asking = Some(Asked { bucket, totals: reconciled.ours });
            }
            Weighing::InBalance | Weighing::OutOfBalance => self.book_verdict(&bucket, reconciled),
            Weighing::LetGo => {
                self.books.kept.remove(&bucket);
            }
        }
    }

    fn book_verdict(&mut self, bucket: &Bucket, reconciled: &Reconciled) {
        let Some(kept) = self.books.kept.get_mut(bucket) else { return };
        kept.standing = match reconciled.weighing {
            Weighing::OutOfBalance => Standing::OutOfBalance,
            // Something has counted since it was asked.
            _ if kept.totals != reconciled.ours => Standing::Unsettled,
            _ => Standing::InBalance,
        };
    }

    /// The question has its entry; nothing is due any more once all currencies are asked about.
    fn book_asked(&mut self, no: RecordNo) {
        let Some(asked) = self.books.asking.take() else { return };
        let Bucket { bank, period, .. } = asked.bucket;
        self.books.questions.insert(asked.bucket, no);
        self.books.asked.insert(no, asked);
        let books = &self.books;
        let left = books.of_period(bank, period).any(|(bucket, kept)| {
            bucket.currency.code() != 0
                && kept.standing == Standing::Unsettled
                && !books.questions.contains_key(bucket)
        });
        if !left {
            self.books.due.remove(&(bank, period));
        }
    }

    /// A question is over; as a dead letter it may be asked again.
    fn book_answered(&mut self, closed: &Closed) {
        let Some(asked) = self.books.asked.get(&closed.entry) else { return };
        if self.books.questions.get(&asked.bucket) == Some(&closed.entry) {
            self.books.questions.remove(&asked.bucket);
        }
        if !closed.ending.is_dead_letter() {
            self.books.asked.remove(&closed.entry);
        }
    }

    /// An operator has a dead question asked again, with the totals of now, or drops it.
    fn book_asked_again(&mut self, desk: &Desk) {
        if !self.dead.contains_key(&desk.item) {
            return;
        }
        match desk.verb {
            Some(DeskVerb::Resend) => {
                let Some(asked) = self.books.asked.get_mut(&desk.item) else { return };
                let bucket = asked.bucket;
                if let Some(kept) = self.books.kept.get(&bucket) {
                    asked.totals = kept.totals;
                }
                self.books.questions.insert(bucket, desk.item);
            }
            Some(_) => {
                self.books.asked.remove(&desk.item);
            }
            None => {}
        }
    }
}

/// The date a leg counts on: when it was sent, unless its bank has named another.
pub(super) fn corrected(sent: Day, stated: Option<Text<4>>, at: Wall) -> Day {
    match stated {
        Some(stated) if !sent.is_called(&stated) => {
            let near = if sent == Day::UNNAMED { Day::of(at) } else { sent };
            Day::stated(&stated, near).unwrap_or(sent)
        }
        Some(_) | None => sent,
    }
}
