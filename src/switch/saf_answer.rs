//! What a bank answers to what it was owed.
//!
//! Contract: what cannot be trusted ends nothing; what an answer proves says the one table
//! ([`super::proof`]), and nothing about an original is final before none can arrive any more. Only
//! the answer to the try under way fails it. Deliberately absent: what codes are called.

use super::Switch;
use super::answer::names_agree;
use super::forwarding::{Place, Tried};
use super::ids::{BankId, LineId, RecordNo, TxnNo};
use super::plants::Plant;
use super::policy::{MatchScope, NotFoundAfterTry};
use super::proof::{Knowledge, Question, Upshot, upshot};
use super::record::{Cause, Ending, Owed, Queued};
use super::saf::Said;
use super::state::Entry;
use super::timers::Timer;
use crate::canonical::{Answer, Canonical, MacCheck, ResponseClass};
use crate::money::Amount;
use crate::text::Text;
use crate::time::Instant;

impl Switch {
    /// The bank answered a SAF entry.
    pub(super) fn saf_answer(&mut self, entry: RecordNo, msg: &Canonical) {
        let Some((bank, queued)) = self.saf_entry(entry) else { return };
        let (class, code) = match msg.answer {
            Some(Answer::Given { class, code }) => (class, Some(code)),
            Some(Answer::Own(_)) | None => (ResponseClass::Unknown, None),
        };
        let trusted = !matches!(msg.mac, MacCheck::Bad | MacCheck::Missing);
        if trusted {
            let live = self.banks.get(usize::from(bank.0));
            let over = live.and_then(|live| live.saf.work.get(&entry)?.tried.over);
            self.breaker_answered(bank, over.unwrap_or_default());
            self.grow_saf(bank, entry);
        }
        let again = self.state.saf.get(&entry).is_some_and(|e| e.again);
        let weighed = if trusted { self.weigh_answer(entry, msg) } else { None };
        let (end, waits) = match weighed {
            Some(ending) => (Some((ending, None)), false),
            None if !trusted => (None, false),
            None if queued.owed == Owed::Repeat && self.is_dead_code(bank, code) => {
                (Some((Ending::Dead, None)), false)
            }
            None => {
                let class = as_booked(&queued, class, msg.amount);
                self.end_by(entry, (bank, &queued), class, code)
            }
        };
        match end {
            // An original approved after this try left may have overtaken nothing: once more.
            Some((Ending::Acknowledged, _)) if again => {
                self.saf_set(bank, entry, Place::Ready);
                self.timers.stop(Timer::Saf(entry));
                self.saf_next(bank);
            }
            Some((ending, cause)) => {
                let other = cause == Some(Cause::BookedOtherwise);
                let booked = msg.amount.filter(|_| other);
                let said = Said { code, settlement_date: msg.settlement_date, booked };
                self.close_entry_with(entry, ending, cause, said);
            }
            // Only the answer to the try under way fails it; an older one came too late.
            None if trusted => self.saf_failed_at_bank(bank, entry, !waits),
            None => {}
        }
    }

    /// An answer to the try in the bank's hands ended nothing.
    pub(super) fn saf_failed_at_bank(&mut self, bank: BankId, entry: RecordNo, look: bool) {
        if self.saf_place(bank, entry) == Some(Place::AtBank) {
            self.saf_failed(bank, entry, look);
            if look {
                self.let_card_go_on(bank, entry);
            }
            self.saf_next(bank);
        }
    }

    /// A reversal that its bank answers and never ends is an operator's by now: it is sent on, and
    /// what its card is owed besides waits for it no longer. An advice keeps its place: what
    /// stands behind it may be its reversal.
    fn let_card_go_on(&mut self, bank: BankId, entry: RecordNo) {
        let owed = self.state.saf.get(&entry).map(|entry| entry.queued.owed);
        if owed.is_none_or(|owed| owed == Owed::Repeat) || !self.state.desk.contains_key(&entry) {
            return;
        }
        let live = self.banks.get_mut(usize::from(bank.0));
        if let Some(next) = live.and_then(|live| live.saf.step_aside(entry)) {
            self.saf_wake(next);
        }
    }

    /// How a trusted answer ends an entry, as the table says; `None`: it is tried again, and
    /// whether that only waits for the original's lifetime.
    fn end_by(
        &mut self,
        entry: RecordNo,
        (bank, queued): (BankId, &Queued),
        class: ResponseClass,
        code: Option<Text<4>>,
    ) -> (Option<(Ending, Option<Cause>)>, bool) {
        let over =
            self.lifetime_passed(bank, entry) || self.planted.has(Plant::NotFoundFinalAtOnce);
        let (tried, early) = self.saf_answered(bank, entry);
        let known = self.state.saf.get(&entry).map(|e| (e.knows, e.twin));
        let (knows, twin) = known.unwrap_or_default();
        let knows = self.weighed_by(knows);
        let Some(codes) = self.policy.banks.get(usize::from(bank.0)).map(|bank| &bank.codes) else {
            return (None, false);
        };
        // Who answered every try has done none of them in silence.
        let silent = tried.is_one_open() && !early;
        let again = silent || self.planted.has(Plant::DuplicateEndsFirstTry);
        let question = match (queued.owed, again && !twin) {
            (Owed::OwnReversal | Owed::PlatformReversal, false) => Question::ReversalFirst,
            (Owed::OwnReversal | Owed::PlatformReversal, true) => Question::ReversalAgain,
            (Owed::Repeat, false) => Question::AdviceFirst,
            (Owed::Repeat, true) => Question::AdviceAgain,
        };
        let reversal = queued.owed != Owed::Repeat;
        let nothing = reversal && code.is_some_and(|code| codes.is_no_action(&code));
        let class = match class {
            // A part was asked for, and a part is done.
            ResponseClass::Partial if queued.replacement.is_some() => ResponseClass::Approved,
            _ if nothing && knows == Knowledge::Unlisted => ResponseClass::NotFound,
            class => class,
        };
        let not_found = if silent { codes.not_found } else { NotFoundAfterTry::Desk };
        match upshot(question, knows, class, over, not_found) {
            Upshot::Ends(ending, cause) => (Some((ending, cause)), false),
            Upshot::Again => (None, reversal && class == ResponseClass::NotFound),
        }
    }

    /// The bank said something to a try: what became of all of them, and whether it may be one
    /// that came before its original.
    fn saf_answered(&mut self, bank: BankId, entry: RecordNo) -> (Tried, bool) {
        let live = self.banks.get_mut(usize::from(bank.0));
        let Some(work) = live.and_then(|live| live.saf.work.get_mut(&entry)) else {
            return (Tried::default(), false);
        };
        let early = work.tried.answered();
        (work.tried, early)
    }

    /// Whether the configuration calls this code final for an advice.
    fn is_dead_code(&self, bank: BankId, code: Option<Text<4>>) -> bool {
        let settings = self.policy.banks.get(usize::from(bank.0)).map(|b| &b.saf);
        let code = code.map(|code| code.trimmed());
        settings.zip(code).is_some_and(|(saf, code)| saf.dead_codes.contains(&code))
    }

    /// Whether an answer can be to this entry: a try of it has left, over a line that the answer
    /// may come back on, and the answer names no other merchant or terminal.
    pub(super) fn saf_expects(&self, entry: RecordNo, msg: &Canonical, line: LineId) -> bool {
        let Some(Entry { queued, tries, .. }) = self.state.saf.get(&entry) else { return false };
        let Some(bank) = self.bank_id(&queued.bank) else { return false };
        let held = self.saf_place(bank, entry) == Some(Place::Held);
        let never_left = *tries == 0 || (*tries == 1 && held);
        let at = usize::from(bank.0);
        let scope = self.policy.banks.get(at).map(|bank| bank.match_scope);
        let work = self.banks.get(at).and_then(|live| live.saf.work.get(&entry));
        let over = work.and_then(|work| work.tried.over);
        // What left before a restart left by a line that nobody remembers.
        let elsewhere = scope == Some(MatchScope::Line) && over.is_some_and(|over| over != line);
        !never_left && !elsewhere && names_agree(msg, &queued.keys)
    }

    /// The original of an open reversal was answered.
    pub(super) fn original_answered(&mut self, txn: TxnNo) {
        let Some(entry) = self.state.chains.get(&txn).copied() else { return };
        let Some((bank, _)) = self.saf_entry(entry) else { return };
        let live = self.banks.get_mut(usize::from(bank.0));
        if let Some(work) = live.and_then(|l| l.saf.work.get_mut(&entry)) {
            work.not_found_final = Instant::default();
        }
    }

    /// The original of an open reversal was done after all: tries of it that left before may have
    /// overtaken it, and done nothing.
    pub(super) fn original_done(&mut self, txn: TxnNo) {
        let Some(entry) = self.state.chains.get(&txn).copied() else { return };
        let Some((bank, _)) = self.saf_entry(entry) else { return };
        let live = self.banks.get_mut(usize::from(bank.0));
        if let Some(work) = live.and_then(|l| l.saf.work.get_mut(&entry)) {
            work.tried.overtook();
        }
    }

    /// Whether the try in the bank's hands left when no original could arrive any more: what the
    /// bank says late to an earlier one is no news.
    fn lifetime_passed(&self, bank: BankId, entry: RecordNo) -> bool {
        let live = self.banks.get(usize::from(bank.0));
        let work = live.and_then(|l| l.saf.work.get(&entry));
        work.is_some_and(|w| {
            let before = w.left.is_none_or(|left| left < w.not_found_final);
            w.not_found_final == Instant::default() || (w.place == Place::AtBank && !before)
        })
    }
}

/// What the answer to an advice is called by the amount it states: taken as told, or in part
/// where it states another. Of a decline no amount was told.
fn as_booked(queued: &Queued, class: ResponseClass, stated: Option<Amount>) -> ResponseClass {
    let tells = queued.owed == Owed::Repeat && queued.kind.transaction().is_some();
    if !tells || queued.tells_of_decline() || !class.accepts() {
        return class;
    }
    match (stated, queued.amount) {
        (Some(booked), Some(told)) if booked == told => match class {
            ResponseClass::Partial => ResponseClass::Approved,
            class => class,
        },
        (Some(_), Some(_)) => ResponseClass::Partial,
        (Some(_), None) | (None, _) => class,
    }
}
