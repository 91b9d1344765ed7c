//! A reversal that an operator orders, because its platform does not have what the bank approved.
//!
//! Contract: only of what the bank approved, what has a reversal, and what was not taken back yet;
//! an approval that stands on the desk is at hand, any other is asked for in the journal, and of
//! both what became of them: how much was granted, and how. The decision is recorded before the
//! reversal it leads to. After that the platform's repeats are declined, as after a reversal of its
//! own. Deliberately absent: whether the platform really has it not: the operator answers for that.

use super::Switch;
use super::desk::{Allowed, ItemState};
use super::ids::{RecordNo, TxnNo};
use super::input::DeskAction;
use super::output::RecallKey;
use super::questions::Recalling;
use super::recall::REFERENCE_DAYS;
use super::recalled::Found;
use super::record::{Debt, Intent, Leg, Record};
use super::role::Role;
use super::standing::Standing;
use crate::canonical::Reason;
use crate::limits::RECALLS_MAX;
use std::sync::Arc;

/// What an operator wants reversed that is on no desk.
#[derive(Debug)]
pub(super) struct Sought {
    action: DeskAction,
    /// The request, once it is known.
    intent: Option<Arc<Intent>>,
}

impl Switch {
    /// An approval that may not have reached its platform is taken back.
    pub(super) fn reverse_undelivered(&mut self, item: TxnNo, action: &DeskAction) {
        let doubt = self.state.desk.get(&item);
        let Some(intent) = doubt.and_then(|doubt| doubt.intent.clone()) else {
            return self.impossible("a reversal of a desk item without its request");
        };
        // How much was granted, and how, its outcome says.
        let key = RecallKey::Ending { txn: item, days: REFERENCE_DAYS };
        self.seek(key, Sought { action: action.clone(), intent: Some(intent) });
    }

    /// An operator names a transaction that is on no desk.
    pub(super) fn look_for_granted(&mut self, action: &DeskAction) {
        let item = action.item;
        if action.verb.reason().is_none_or(|reason| reason.trimmed().is_empty()) {
            return self.not_reversed(action, ItemState::Nothing, "that needs a reason");
        }
        if self.state.open.contains(item) || self.air.slot_of(item).is_some() {
            let why = "it is under way: wait for its end";
            return self.not_reversed(action, ItemState::WaitsForOriginal, why);
        }
        let sought = Sought { action: action.clone(), intent: None };
        self.seek(RecallKey::Record(item), sought);
    }

    fn seek(&mut self, key: RecallKey, sought: Sought) {
        if self.recalls.len() >= RECALLS_MAX {
            let why = "the journal is asked too much already: try again";
            return self.not_reversed(&sought.action, ItemState::Nothing, why);
        }
        self.recall(key, Recalling::Ordered(Box::new(sought)));
    }

    /// The journal says what it has of the transaction, or what became of it.
    pub(super) fn sought_recalled(&mut self, sought: Sought, record: Found) {
        let Sought { action, intent } = sought;
        let item = action.item;
        match (intent, record.map(|(_, record)| *record)) {
            (None, Some(Record::Intent(intent))) => {
                if let Some(why) = irreversible(&intent) {
                    return self.not_reversed(&action, ItemState::Nothing, why);
                }
                let key = RecallKey::Ending { txn: item, days: REFERENCE_DAYS };
                self.seek(key, Sought { action, intent: Some(intent) });
            }
            (None, _) => {
                let why = "nothing is open under this number, and it is no transaction";
                self.not_reversed(&action, ItemState::Nothing, why);
            }
            (Some(intent), Some(Record::Outcome(outcome))) if outcome.leg.grants() => {
                if self.is_taken_back(item) {
                    let why = "it was taken back already";
                    return self.not_reversed(&action, ItemState::Nothing, why);
                }
                self.reverse_by_order(item, &action, &intent, Standing::of(&outcome));
            }
            (Some(_), Some(Record::Outcome(outcome))) => {
                let why = match outcome.leg {
                    Leg::NotSent => "it was never sent",
                    Leg::Declined | Leg::Refused | Leg::LateDeclined => "the bank did not do it",
                    _ => "its own reversal has ended: the journal tells how",
                };
                self.not_reversed(&action, ItemState::Nothing, why);
            }
            (Some(_), Some(_)) => {
                self.not_reversed(&action, ItemState::Nothing, "it was taken back already");
            }
            (Some(_), None) => {
                let why = "the journal does not reach back to its end";
                self.not_reversed(&action, ItemState::Nothing, why);
            }
        }
    }

    fn not_reversed(&mut self, action: &DeskAction, state: ItemState, why: &'static str) {
        self.refuse_decision(action.item, (state, Allowed::NOTHING), action.verb, why);
    }

    fn is_taken_back(&self, txn: TxnNo) -> bool {
        let past = self.state.memory.of(txn).map(super::memory::Remembered::past);
        self.state.chains.contains_key(&txn) || past.is_some_and(super::past::Past::is_taken_back)
    }

    fn reverse_by_order(
        &mut self,
        txn: RecordNo,
        action: &DeskAction,
        intent: &Arc<Intent>,
        standing: Standing,
    ) {
        self.note_decision(txn, action);
        self.queue_own_reversal(txn, intent, standing, Reason::Undeliverable);
    }
}

/// Why a request cannot be reversed, whatever became of it.
fn irreversible(intent: &Intent) -> Option<&'static str> {
    match (&intent.role, intent.owes) {
        (Role::Debit, _) => Some("it is the debit of a top-up: reverse its credit"),
        (_, Debt::Reversal) => None,
        (_, Debt::Desk) => Some("the bank's dialect has no reversal for it"),
        (_, Debt::Repeat | Debt::Nothing) => Some("nothing of it could be reversed"),
    }
}
