//! Reversals that platforms ask for.
//!
//! Contract: one chain per original, whoever asked; a reversal is never declined because a bank
//! is down: it is journaled, acknowledged once durable, and forwarded. One whose original is at
//! the bank goes out after that answer or its deadline. One for an unknown original leaves a
//! tombstone. Part of what was granted may be taken back, and more of it later: one reversal of
//! it after the other. Deliberately absent: how a reversal is made ([`super::undoing`]).

use super::duplicates;
use super::ids::{RecordNo, TxnNo};
use super::inflight::Requester;
use super::memory::{Past, Remembered};
use super::originals::{keys_of, leaves_less, original_names};
use super::output::RecallKey;
use super::questions::{Recalling, first_names};
use super::recall::REPEAT_DAYS;
use super::record::{Cause, Debt, Ending, Intent, Origin, Owed, Record};
use super::stamps::age_of;
use super::txn::Happening;
use super::undoing::Undone;
use super::{Switch, reply};
use crate::canonical::{Canonical, Reason};
use crate::money::Amount;
use crate::text::Text;
use crate::time::{Instant, Wall};
use std::sync::Arc;
use std::time::Duration;

/// A platform's reversal whose original is looked up in the journal.
#[derive(Debug)]
pub(super) struct Reversing {
    pub(super) from: Requester,
    pub(super) msg: Box<Canonical>,
    pub(super) txn: Option<TxnNo>,
}

impl Reversing {
    /// Who asks, and with what.
    pub(super) fn into_parts(self) -> (Requester, Box<Canonical>) {
        (self.from, self.msg)
    }
}

/// What the journal said when it was asked for an original.
type Asked = Option<(TxnNo, Arc<Intent>)>;

impl Switch {
    /// A platform reverses something.
    pub(super) fn platform_reversal(&mut self, from: Requester, msg: Box<Canonical>) {
        self.reverse(from, msg, None);
    }

    /// Finds what is reversed: in memory, or else in what the journal was `asked` and said.
    fn reverse(&mut self, from: Requester, msg: Box<Canonical>, asked: Option<Asked>) {
        let Some(name) = self.platform_name(&from) else { return };
        let origin = reply::origin_of(&msg);
        if let Some(past) = self.state.memory.find(duplicates::fingerprint(&name, &origin)) {
            self.repeat_event(&from, past.no());
            return match past.past() {
                Past::Acknowledged => {
                    self.answer_own(&from, msg, Reason::Accepted, Some(past.no()));
                }
                _ => self.refuse(&from, msg, Reason::Duplicate, Some(past.no()), None),
            };
        }
        let names: Vec<u64> = original_names(&msg, &origin)
            .iter()
            .map(|original| duplicates::fingerprint(&name, original))
            .collect();
        self.drop_waiting(&names);
        match names.iter().find_map(|name| self.state.memory.find(*name)) {
            Some(past) => self.reverse_known(from, msg, past),
            None => match asked {
                Some(Some((txn, _))) if self.state.open.contains(txn) => {
                    self.reverse_standing(from, msg, txn);
                }
                Some(Some((txn, intent))) => {
                    let reversing = Reversing { from, msg, txn: None };
                    self.ask_for_ending(reversing, txn, intent);
                }
                Some(None) => self.reverse_unknown(&from, msg),
                None => self.ask_for_original(from, msg, &names),
            },
        }
    }

    fn ask_for_original(&mut self, from: Requester, msg: Box<Canonical>, names: &[u64]) {
        let names = first_names(names.iter().copied());
        let key = RecallKey::Key { names, days: REPEAT_DAYS };
        let reversing = Reversing { from, msg, txn: None };
        self.recall(key, Recalling::Reversed(Box::new(reversing)));
    }

    /// A request that is still waiting is answered as reversed and never sent.
    fn drop_waiting(&mut self, names: &[u64]) {
        for name in names {
            if let Some(ticket) = self.air.waiting_names.get(*name) {
                self.withdraw_waiting(ticket, Reason::Reversed);
            }
        }
    }

    fn reverse_known(&mut self, from: Requester, msg: Box<Canonical>, past: Remembered) {
        let txn = past.no();
        if self.state.chains.contains_key(&txn) {
            return self.taken_back_already(&from, msg, txn);
        }
        match past.past() {
            Past::Open | Past::Granted | Past::PartlyReversed => {
                self.reverse_standing(from, msg, txn)
            }
            Past::Acknowledged => self.take_back_advice(from, msg, txn),
            // Nothing stands at the bank, or an operator has it.
            Past::Denied | Past::Reversed | Past::Refused | Past::Tombstone => {
                self.refuse(&from, msg, Reason::Accepted, Some(txn), None);
            }
        }
    }

    /// Reverses what is at the bank or was granted.
    fn reverse_standing(&mut self, from: Requester, msg: Box<Canonical>, txn: TxnNo) {
        let slot = self.air.slot_of(txn);
        let intent = slot.and_then(|s| self.air.flights.get(s)).map(|f| {
            (Arc::clone(&f.intent), f.released, f.outcome.as_ref().and_then(|o| o.1.auth_id))
        });
        match (slot, intent) {
            // Its platform cannot know yet what to take a part of.
            (Some(_), Some(_)) if msg.replacement_amount.is_some() => {
                self.not_yet(&from, msg, txn);
            }
            (Some(slot), Some((intent, released, auth_id))) => {
                self.reverse_intent(&from, msg, txn, &intent, released, auth_id);
                self.happen(slot, Happening::PlatformReversal, None);
            }
            _ => {
                let reversing = Reversing { from, msg, txn: Some(txn) };
                let purpose = Recalling::Reversed(Box::new(reversing));
                self.recall(RecallKey::Record(txn), purpose);
            }
        }
    }

    pub(super) fn original_recalled(
        &mut self,
        reversing: Reversing,
        record: Option<(RecordNo, Box<Record>)>,
    ) {
        let Reversing { from, msg, txn } = reversing;
        let found = match record.map(|(no, record)| (no, *record)) {
            Some((no, Record::Queued(queued))) if txn == Some(no) && !self.is_reversed(no) => {
                return self.reverse_queued(&from, msg, no, &queued);
            }
            Some((no, Record::Intent(intent))) if txn.is_none_or(|txn| txn == no) => {
                Some((no, intent))
            }
            _ => None,
        };
        match txn {
            // While the journal was asked, the original itself or a repeat may have come.
            None => self.reverse(from, msg, Some(found)),
            Some(_) => self.reverse_old(&from, msg, found),
        }
    }

    /// Reverses what only the journal knows, or nobody does.
    fn reverse_old(&mut self, from: &Requester, msg: Box<Canonical>, found: Asked) {
        match found {
            None => self.reverse_unknown(from, msg),
            // Another reversal of it was quicker, and may be over already.
            Some((txn, _)) if self.is_reversed(txn) => self.taken_back_already(from, msg, txn),
            Some((txn, intent)) => self.reverse_intent(from, msg, txn, &intent, None, None),
        }
    }

    fn is_reversed(&self, txn: TxnNo) -> bool {
        let past = self.state.memory.of(txn).map(Remembered::past);
        self.state.chains.contains_key(&txn) || past == Some(Past::Reversed)
    }

    /// What the reversal at work leaves of a transaction, where it takes back a part of it.
    pub(super) fn partial_at_work(&self, txn: TxnNo) -> Option<Amount> {
        let entry = self.state.chains.get(&txn)?;
        self.state.saf.get(entry)?.queued.replacement
    }

    /// Reversed once more. What takes back more than the reversal at work waits for its end: a
    /// bank that heard both in another order would keep what the first one left.
    pub(super) fn taken_back_already(&mut self, from: &Requester, msg: Box<Canonical>, txn: TxnNo) {
        let left = self.partial_at_work(txn);
        if left.is_some() && left != msg.replacement_amount {
            return self.not_yet(from, msg, txn);
        }
        // What is left of it may be reversed later: nothing here says that all of it was.
        let concerns = Some(txn).filter(|_| left.is_none());
        self.refuse(from, msg, Reason::Accepted, concerns, None);
    }

    /// Not acknowledged and not remembered: its platform goes on sending it.
    pub(super) fn not_yet(&mut self, from: &Requester, msg: Box<Canonical>, txn: TxnNo) {
        self.answer_own(from, msg, Reason::SystemError, None);
        self.answered_event(from, None, Some(txn), "refused");
    }

    /// Queues the platform's reversal of a known original and acknowledges it.
    pub(super) fn reverse_intent(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        txn: TxnNo,
        intent: &Arc<Intent>,
        released: Option<Instant>,
        auth_id: Option<Text<6>>,
    ) {
        if !leaves_less(&msg, intent.amount) {
            return self.refuse(from, msg, Reason::FormatError, Some(txn), None);
        }
        if intent.owes != Debt::Reversal {
            // The bank's dialect has no reversal of this: an operator settles it.
            if intent.owes == Debt::Desk && !self.state.desk.contains_key(&txn) {
                self.put_before_operator(txn, intent, Cause::NoReversal);
            }
            return self.refuse(from, msg, Reason::Accepted, Some(txn), None);
        }
        let reason = msg.reason.unwrap_or(Reason::CustomerCancel);
        let of = Undone::intent(intent);
        let queued = self.reversal_of(txn, of, released, Owed::PlatformReversal, reason);
        let Some((mut queued, not_found_final)) = queued else {
            return self.refuse(from, msg, Reason::SystemError, Some(txn), None);
        };
        queued.origin = Some(reply::origin_of(&msg));
        queued.platform = self.platform_name(from);
        queued.replacement = msg.replacement_amount;
        if let Some(debit) = queued.debit.as_mut().filter(|_| queued.replacement.is_some()) {
            Arc::make_mut(debit).left = queued.replacement;
        }
        queued.auth_id = auth_id.or(msg.auth_id);
        self.acknowledge_queued(from, msg, queued, not_found_final);
    }

    /// Routed like its original would be, and a tombstone for the original; never forwarded.
    fn reverse_unknown(&mut self, from: &Requester, mut msg: Box<Canonical>) {
        let own = reply::origin_of(&msg);
        let original = original_names(&msg, &own).into_iter().next().unwrap_or_default();
        let mti = msg.mti.replace(original.mti);
        let placed = self.place_owed(from, &msg);
        msg.mti = mti;
        let (bank, keys) = match placed {
            Ok(placed) => placed,
            Err(reason) => return self.refuse(from, msg, reason, None, None),
        };
        let mut queued = self.entry_for(from, &msg, bank, keys, Owed::PlatformReversal);
        queued.original = keys_of(&original);
        queued.original_mti = Some(original.mti);
        // Our STANs are the bank's names, the platform's are not: forwarded, such a reversal
        // could only undo somebody else's transaction. What the window still covers never went
        // to a bank; what is older may have, and an operator has to look.
        let ending =
            if self.would_be_remembered(&original) { Ending::Needless } else { Ending::Dead };
        let cause = (ending == Ending::Dead).then_some(Cause::Forgotten);
        self.acknowledge_unsent(from, msg, queued, (ending, cause));
    }

    /// Whether an original of this name would be in the memory, had it ever gone to a bank.
    fn would_be_remembered(&self, original: &Origin) -> bool {
        /// A platform's clock may be ahead of ours.
        const SKEW: Duration = Duration::from_secs(3_600);
        let window = self.policy.duplicates;
        let ahead = Wall::from_millis(self.steady_wall().millis() + 3_600_000);
        let age = original.transmission.and_then(|f7| age_of(&f7, ahead));
        let covered = age.is_some_and(|age| age <= window.age + SKEW);
        covered && self.state.memory.len() < window.count
    }
}
