//! What a bank answers to what it was owed.
//!
//! Contract: what cannot be trusted ends nothing; "original not found" ends a reversal only once
//! no original can arrive any more. Only the answer to the try under way fails it.

use super::Switch;
use super::answer::names_agree;
use super::forwarding::Place;
use super::ids::{BankId, RecordNo, TxnNo};
use super::plants::Plant;
use super::record::{Ending, Owed};
use super::saf::Said;
use super::state::Entry;
use super::timers::Timer;
use crate::canonical::{Answer, Canonical, MacCheck, ResponseClass};
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
        let over =
            self.lifetime_passed(bank, entry) || self.planted.has(Plant::NotFoundFinalAtOnce);
        let again = self.state.saf.get(&entry).is_some_and(|e| e.again);
        let weighed = if trusted { self.weigh_answer(entry, msg) } else { None };
        let dead = queued.owed == Owed::Repeat && self.is_dead_code(bank, code);
        let ending = if dead { Some(Ending::Dead) } else { ending_of(queued.owed, class, over) };
        match weighed.or(ending.filter(|_| trusted)) {
            // An original approved after this try left may have overtaken nothing: once more.
            Some(Ending::Acknowledged) if again => {
                self.saf_set(bank, entry, Place::Ready);
                self.timers.stop(Timer::Saf(entry));
                self.saf_pump(bank);
            }
            Some(ending) => {
                let said = Said { code, settlement_date: msg.settlement_date };
                self.close_entry_with(entry, ending, None, said);
            }
            None => {
                if matches!(class, ResponseClass::SignOn | ResponseClass::Mac)
                    && let Some(line) = queued.line
                    && let Some(at) = self.policy.lines.iter().position(|l| l.name == line)
                {
                    let line = super::ids::LineId(u16::try_from(at).unwrap_or(u16::MAX));
                    self.sign_on_again(line, queued.keys.terminal.as_ref());
                }
                // Only the answer to the try under way fails it; an older one came too late.
                if trusted && self.saf_place(bank, entry) == Some(Place::AtBank) {
                    self.saf_failed(bank, entry);
                    self.saf_pump(bank);
                }
            }
        }
    }

    /// Whether the configuration calls this code final for an advice.
    fn is_dead_code(&self, bank: BankId, code: Option<Text<4>>) -> bool {
        let settings = self.policy.banks.get(usize::from(bank.0)).map(|b| &b.saf);
        let code = code.map(|code| code.trimmed());
        settings.zip(code).is_some_and(|(saf, code)| saf.dead_codes.contains(&code))
    }

    /// Whether an answer can be to this entry: a try of it has left, and the answer names no
    /// other merchant or terminal.
    pub(super) fn saf_expects(&self, entry: RecordNo, msg: &Canonical) -> bool {
        let Some(Entry { queued, tries, .. }) = self.state.saf.get(&entry) else { return false };
        let held = self
            .bank_id(&queued.bank)
            .is_some_and(|bank| self.saf_place(bank, entry) == Some(Place::Held));
        let never_left = *tries == 0 || (*tries == 1 && held);
        !never_left && names_agree(msg, &queued.keys)
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

/// How an answer of this class ends an entry; `None`: it is tried again.
fn ending_of(owed: Owed, class: ResponseClass, lifetime_over: bool) -> Option<Ending> {
    use ResponseClass as C;
    match (owed, class) {
        (_, C::Approved | C::Partial | C::AlreadyReversed | C::Duplicate) => {
            Some(Ending::Acknowledged)
        }
        (_, C::Retry | C::Unknown | C::SignOn | C::Mac) => None,
        (Owed::OwnReversal | Owed::PlatformReversal, C::NotFound) => {
            lifetime_over.then_some(Ending::NoOriginal)
        }
        // A reversal is owed whatever the bank thinks of it: tried on, and on the desk.
        (
            Owed::OwnReversal | Owed::PlatformReversal,
            C::Refer | C::Declined | C::PickUp | C::Security | C::Format,
        ) => None,
        (
            Owed::Repeat,
            C::Refer | C::Declined | C::PickUp | C::Security | C::Format | C::NotFound,
        ) => Some(Ending::Dead),
    }
}
