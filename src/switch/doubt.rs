//! What an operator has to know of: items on the desk, dead letters and late answers, as the
//! records leave them.
//!
//! Contract: a part of [`State`] and built like it, by `apply` alone. A dead letter keeps its
//! STAN, so that it can be sent again under the same keys; one that was never sent and never can
//! be keeps nothing. How many doubts a bank has is counted as they come and go, because a gauge
//! asks twice a second and there may be a hundred thousand. Deliberately absent: what an
//! operator may do about it ([`super::desk`]).

use super::ids::{Name, RecordNo};
use super::input::DeskVerb;
use super::proof::Knowledge;
use super::record::{
    Cause, Closed, Desk, Ending, Forgotten, Intent, Late, Leg, Owed, Queued, Record,
};
use super::state::{Entry, State};
use crate::limits::LATE_ANSWERS_MAX;
use crate::money::Amount;
use crate::text::Text;
use crate::time::{Day, Wall};
use std::sync::Arc;

/// Something an operator is asked to look at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Doubt {
    /// The bank; empty where only the journal still knows it.
    pub bank: Name,
    /// Since when it stands here.
    pub at: Wall,
    /// The request, where it was still in memory.
    pub intent: Option<Arc<Intent>>,
    /// It was approved, and whether the platform has that is not known.
    pub undelivered: bool,
    /// Why, where that is not that an answer is missing.
    pub cause: Option<Cause>,
    /// `F38` of the bank, where it approved.
    pub auth_id: Option<Text<6>>,
    /// `F37` of the bank, where it approved.
    pub bank_rrn: Option<Text<12>>,
    /// An approval that fits nothing else.
    pub late: Option<Arc<Late>>,
    /// The bank did it after all, as it said itself.
    pub done: bool,
}

impl Doubt {
    /// About something of this bank, of which nothing else is known.
    fn about(bank: Name, at: Wall, cause: Option<Cause>) -> Self {
        let (intent, auth_id, bank_rrn, late) = (None, None, None, None);
        Self { bank, at, intent, undelivered: false, cause, auth_id, bank_rrn, late, done: false }
    }

    /// Whether all is well once the approval has left. Not where its platform has taken it back: a
    /// copy that leaves behind that changes nothing.
    pub(super) fn ends_by_delivery(&self) -> bool {
        self.cause != Some(Cause::NoReversal)
    }
}

/// An approval that is not known to have left for its platform.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Granted {
    /// What was asked.
    pub intent: Arc<Intent>,
    /// `F38` of the bank.
    pub auth_id: Option<Text<6>>,
    /// `F37` of the bank.
    pub bank_rrn: Option<Text<12>>,
}

/// A message that is owed and is not sent any more until an operator decides.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DeadLetter {
    /// What was owed.
    pub queued: Arc<Queued>,
    /// How often it was sent.
    pub tries: u32,
    /// Why it is dead.
    pub ending: Ending,
    /// The bank's code, where it refused it.
    pub bank_code: Option<Text<4>>,
    /// When it died.
    pub at: Wall,
    /// Why, where the ending does not say it.
    pub cause: Option<Cause>,
    /// Of a reversal: what was known of its original.
    pub knows: Knowledge,
    /// The bank's business date when it was sent, where it was.
    pub date: Option<Day>,
    /// Of a reversal: what the bank turned out to have granted, as in its entry. Of an advice: what
    /// it says it booked.
    pub granted: Option<Amount>,
}

impl DeadLetter {
    /// Whether it may be sent, or sent again. Not a reversal whose original we never sent: its
    /// names mean nothing at the bank. Nor what is meant for no bank of ours.
    pub(super) fn can_be_sent(&self) -> bool {
        let named = |cause: Cause| cause.is_the_banks_word() || cause == Cause::MoreThanLeft;
        let told = self.queued.owed == Owed::Repeat && self.cause != Some(Cause::NoBank);
        told || self.cause.is_some_and(named)
    }

    /// Whether the bank may have it all the same.
    pub(super) fn may_be_at_bank(&self) -> bool {
        self.tries > 0 && !self.is_refused()
    }

    /// Whether the bank has said that it did nothing.
    fn is_refused(&self) -> bool {
        self.ending == Ending::Dead && self.tries > 0 && self.cause.is_none()
    }
}

/// An answer that came late, twice or from nowhere.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LateNote {
    /// Its record.
    pub no: RecordNo,
    /// What it said.
    pub late: Late,
    /// Whether its request was still without an answer.
    pub first: bool,
    /// The reversal it forced or met.
    pub entry: Option<RecordNo>,
    /// How that reversal ended.
    pub ending: Option<Ending>,
}

impl State {
    /// The bank in doubt because of this item, if any: its reversal is not acknowledged yet, or
    /// an operator has to find out.
    #[inline(always)]
    pub(super) fn in_doubt(&self, item: Option<RecordNo>) -> Option<Name> {
        let item = item?;
        let chained = self.unanswered.get(&item).filter(|_| self.chains.contains_key(&item));
        if let Some(intent) = chained {
            return Some(intent.bank);
        }
        let doubt = self.desk.get(&item).filter(|_| !self.saf.contains_key(&item))?;
        let refused = self.dead.get(&item).is_some_and(DeadLetter::is_refused);
        (!refused && !doubt.bank.is_empty()).then_some(doubt.bank)
    }

    /// The items whose doubt a record may begin or end.
    #[inline(always)]
    pub(super) fn concerned(&self, record: &Record) -> (Option<RecordNo>, Option<RecordNo>) {
        match record {
            Record::Outcome(outcome) => (Some(outcome.txn), None),
            Record::Queued(queued) => (queued.txn, None),
            Record::Closed(closed) => {
                let entry = self.saf.get(&closed.entry);
                (Some(closed.entry), entry.and_then(|entry| entry.queued.txn))
            }
            Record::Late(late) => (late.txn, None),
            Record::Desk(desk) => (Some(desk.item), None),
            Record::Answered(txn) | Record::Forgotten(Forgotten::Original(txn)) => {
                (Some(*txn), None)
            }
            Record::Intent(_)
            | Record::Refused(_)
            | Record::Attempt(_)
            | Record::Cutover(_)
            | Record::Reconciled(_)
            | Record::Policy(_)
            | Record::LineState(_)
            | Record::Garbled(_)
            | Record::Released(_)
            | Record::Moved(_)
            | Record::Forgotten(Forgotten::Window(_)) => (None, None),
        }
    }

    /// Counts what changed between two looks at the same item.
    #[inline(always)]
    pub(super) fn count_doubts(&mut self, before: Option<Name>, after: Option<Name>) {
        if before == after {
            return;
        }
        if let Some(bank) = before.and_then(|name| self.bank_mut(&name)) {
            bank.doubts = bank.doubts.saturating_sub(1);
        }
        if let Some(bank) = after.and_then(|name| self.bank_mut(&name)) {
            bank.doubts = bank.doubts.saturating_add(1);
        }
    }

    /// An entry ended in a way that leaves it to an operator.
    pub(super) fn dies(&mut self, closed: &Closed, entry: Entry) {
        let Entry { queued, tries, knows, date, granted, .. } = entry;
        let granted = closed.booked.or(granted);
        if let Some(bank) = self.bank_mut(&queued.bank) {
            bank.dead = bank.dead.saturating_add(1);
        }
        let (at, cause) = (closed.at, closed.cause);
        let bank = queued.bank;
        let doubt = Doubt::about(bank, at, cause);
        self.desk.insert(closed.entry, doubt);
        let (ending, bank_code) = (closed.ending, closed.bank_code);
        let letter =
            DeadLetter { queued, tries, ending, bank_code, at, cause, knows, date, granted };
        if !letter.can_be_sent() {
            self.let_go(&letter.queued);
        }
        self.dead.insert(closed.entry, letter);
    }

    /// A dead letter is taken from the desk.
    fn take_letter(&mut self, item: RecordNo) -> Option<DeadLetter> {
        let letter = self.dead.remove(&item)?;
        if let Some(bank) = self.bank_mut(&letter.queued.bank) {
            bank.dead = bank.dead.saturating_sub(1);
        }
        Some(letter)
    }

    /// A dead letter, if it is one, is nobody's concern any more.
    pub(super) fn taken_back(&mut self, item: RecordNo) {
        if let Some(letter) = self.take_letter(item)
            && letter.can_be_sent()
        {
            self.let_go(&letter.queued);
        }
    }

    /// Something is put before an operator, or an operator decided.
    pub(super) fn on_desk(&mut self, desk: &Desk) {
        let item = desk.item;
        let desk_bank = self.desk.get(&item).map(|doubt| doubt.bank).unwrap_or_default();
        match desk.verb {
            None => {
                let doubt = self.doubt_about(item, desk);
                self.debits.remove(&item);
                if doubt.late.is_some() {
                    self.count_unmatched(&doubt.bank, 1);
                }
                self.desk.entry(item).or_insert(doubt);
            }
            Some(DeskVerb::GiveUp(_) | DeskVerb::Did(_) | DeskVerb::DidNot(_)) => {
                if self.desk.remove(&item).is_some_and(|doubt| doubt.late.is_some()) {
                    self.count_unmatched(&desk_bank, -1);
                }
                self.forget_chain(item);
                self.taken_back(item);
            }
            // What it owes follows.
            Some(DeskVerb::Reverse(_)) => {}
            Some(DeskVerb::Resend) => {
                if let Some(letter) = self.take_letter(item) {
                    self.desk.remove(&item);
                    let twin = letter.cause == Some(Cause::DuplicateAtFirstTry);
                    let DeadLetter { queued, tries, knows, granted, .. } = letter;
                    if let Some(txn) = queued.txn.filter(|_| queued.owed != Owed::Repeat) {
                        self.chains.insert(txn, item);
                    }
                    let (again, date) = (false, None);
                    let entry = Entry { queued, tries, again, knows, twin, date, granted };
                    self.saf.insert(item, entry);
                }
            }
        }
        if desk.operator.is_none() {
            self.undelivered.remove(item);
        }
    }

    /// A reversal that is dead and decided is nothing the books wait for.
    fn forget_chain(&mut self, item: RecordNo) {
        let reversed = self
            .dead
            .get(&item)
            .and_then(|letter| letter.queued.txn.filter(|_| letter.queued.owed != Owed::Repeat));
        if let Some(txn) = reversed.filter(|txn| !self.chains.contains_key(txn)) {
            self.books.chains.remove(&txn);
        }
    }

    fn count_unmatched(&mut self, bank: &Name, by: i32) {
        if let Some(bank) = self.bank_mut(bank) {
            bank.unmatched = bank.unmatched.saturating_add_signed(by);
        }
    }

    /// What is known of a transaction nobody knows the end of, or of a SAF entry.
    fn doubt_about(&self, item: RecordNo, desk: &Desk) -> Doubt {
        let (at, cause) = (desk.at, desk.cause);
        if cause == Some(Cause::UnmatchedApproval) {
            let note = self.late.iter().rev().find(|note| note.no == item);
            let late = note.map(|note| Arc::new(note.late.clone()));
            let bank = late.as_ref().map(|late| late.bank).unwrap_or_default();
            return Doubt { late, ..Doubt::about(bank, at, cause) };
        }
        let granted = self.undelivered.get(item);
        let undelivered = granted.map(|granted| &granted.intent);
        let open = || self.open.get(item).map(|open| &open.intent);
        let intent = undelivered.or_else(open).or_else(|| self.unanswered.get(&item));
        let intent = intent.or(desk.about.as_ref());
        let owed = || self.saf.get(&item).map(|entry| entry.queued.bank);
        let debited = || self.debits.get(&item).map(|debited| debited.bank);
        let bank = intent.map(|intent| intent.bank).or_else(owed).or_else(debited);
        let bank = bank.unwrap_or_default();
        Doubt {
            intent: intent.cloned(),
            undelivered: granted.is_some(),
            auth_id: granted.and_then(|granted| granted.auth_id),
            bank_rrn: granted.and_then(|granted| granted.bank_rrn),
            ..Doubt::about(bank, at, cause)
        }
    }

    /// An answer came late, twice or from nowhere.
    pub(super) fn late(&mut self, no: RecordNo, late: &Late) {
        if self.late.len() >= LATE_ANSWERS_MAX {
            self.late.pop_front();
        }
        let entry = late.txn.and_then(|txn| self.chains.get(&txn).copied());
        let first = late.txn.is_some_and(|txn| self.unanswered.contains_key(&txn));
        self.late.push_back(LateNote { no, late: late.clone(), first, entry, ending: None });
        self.learn_from_late(late);
        let Some(txn) = late.txn else { return };
        if late.leg == Leg::LateDeclined && first {
            self.desk.remove(&txn);
        }
        if let (Leg::LateApproved, Some(doubt)) = (late.leg, self.desk.get_mut(&txn))
            && first
        {
            doubt.done = true;
            (doubt.auth_id, doubt.bank_rrn) = (late.auth_id, late.rrn);
        }
        self.granted_after_all(txn, late.granted);
        let done = matches!(late.leg, Leg::LateApproved | Leg::InvalidAnswer);
        if let Some(entry) = entry.filter(|_| done).and_then(|entry| self.saf.get_mut(&entry)) {
            entry.again = entry.tries > 0;
        }
    }

    /// A reversal ended: the late answers that met it know how.
    pub(super) fn late_ended(&mut self, closed: &Closed) {
        let met = self.late.iter_mut().filter(|note| note.entry == Some(closed.entry));
        met.for_each(|note| note.ending = Some(closed.ending));
    }

    /// How many transactions of a bank nobody knows the end of.
    pub(super) fn doubts(&self, bank: &Name) -> usize {
        self.bank(bank).map_or(0, |bank| bank.doubts as usize)
    }

    /// How many approvals of a bank that fit nothing wait for an operator.
    pub(super) fn unmatched_approvals(&self, bank: &Name) -> u32 {
        self.bank(bank).map_or(0, |bank| bank.unmatched)
    }

    /// How many dead letters a bank has.
    pub(super) fn dead_letters(&self, bank: &Name) -> usize {
        self.bank(bank).map_or(0, |bank| bank.dead as usize)
    }
}
