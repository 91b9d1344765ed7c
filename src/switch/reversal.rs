//! Reversals that platforms ask for.
//!
//! Contract: one chain per original, whoever asked; a reversal is never declined because a bank
//! is down: it is journaled, acknowledged once durable, and forwarded. One whose original is at
//! the bank goes out after that answer or its deadline. One for an unknown original leaves a
//! tombstone. Part of what was granted may be taken back, and more of it later: one reversal of
//! it after the other. Deliberately absent: what it comes to
//! ([`super::taking_back`]), and how it is made ([`super::undoing`]).

use super::finding::{Body, Candidate, Stated};
use super::ids::TxnNo;
use super::inflight::Requester;
use super::memory::Past;
use super::standing::Standing;
use super::txn::Happening;
use super::{Switch, duplicates};
use crate::canonical::{Canonical, Reason};
use crate::money::Amount;

impl Switch {
    /// A platform reverses something: what, is looked for.
    pub(super) fn platform_reversal(&mut self, from: Requester, msg: Box<Canonical>) {
        let stated = self.stated(&from, &msg);
        let own = duplicates::fingerprint(&stated.platform, &stated.own);
        if let Some(past) = self.state.memory.find(own) {
            self.repeat_event(&from, past.no());
            let asked = duplicates::money(msg.amount, msg.replacement_amount);
            let mute = msg.amount.is_none() && msg.replacement_amount.is_none();
            let same = mute || past.content() == 0 || self.state.memory.has(own, asked);
            if past.past() == Past::Acknowledged && same {
                return self.answer_own(&from, msg, Reason::Accepted, Some(past.no()));
            }
            return self.conflict(from, msg, Some(past.no()));
        }
        let names = self.names_of_original(&stated, &msg);
        let withdrawn = self.drop_waiting(&stated, &names);
        let known = withdrawn.into_iter().chain(names);
        let known = known.filter_map(|name| self.state.memory.find(name)).next();
        // A tombstone under this name says nothing: its reversal may have named another one by it.
        match known.filter(|past| past.past() == Past::Refused) {
            // It never left, and its repeat is declined.
            Some(past) => self.refuse(&from, msg, Reason::Accepted, Some(past.no()), None),
            None => self.look_for(from, msg),
        }
    }

    /// A request that is still waiting is answered as reversed and never sent. Gives its name.
    pub(super) fn drop_waiting(&mut self, stated: &Stated, names: &[u64]) -> Option<u64> {
        let stan = stated.stan().unwrap_or(stated.own.stan);
        let waiting = self.air.waiting.iter().find(|(_, pending)| {
            let exact = names.contains(&pending.likeness.name());
            let (theirs, card) = (&pending.msg, stated.pan.as_ref());
            let traced = theirs.stan == Some(stan) && card.is_some();
            let card = card.is_none() || theirs.pan.as_ref() == card;
            let amount = stated.amount.is_none() || theirs.amount == stated.amount;
            let shop = stated.own.merchant.zip(theirs.merchant);
            let shop = shop.is_none_or(|(a, b)| a.eq_ignore_padding(&b));
            (exact || traced) && card && amount && shop || self.is_meant(stated, pending)
        });
        let (ticket, name) = waiting.map(|(ticket, p)| (*ticket, p.likeness.name()))?;
        self.withdraw_waiting(ticket, Reason::Reversed);
        Some(name)
    }

    /// Reverses what was found; what others took already (`spent`) an operator looks at.
    pub(super) fn reverse_found(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        one: &Candidate,
        spent: bool,
    ) {
        let txn = one.no;
        if self.state.chains.contains_key(&txn) {
            return self.taken_back_already(from, msg, txn);
        }
        let intent = match &one.body {
            Body::Told(queued) => return self.reverse_queued(from, msg, (txn, queued), spent),
            Body::Asked(intent) => intent,
        };
        let slot = self.air.slot_of(txn);
        let flight = slot.and_then(|slot| self.air.flights.get(slot));
        let released = flight.and_then(|flight| flight.released);
        let standing = Standing { released, spent, ..one.at_bank.clone() };
        match slot {
            // Its platform cannot know yet what to take a part of.
            Some(_) if msg.replacement_amount.is_some() => self.not_yet(from, msg, txn),
            Some(slot) if !spent => {
                self.reverse_intent(from, msg, txn, intent, standing);
                self.happen(slot, Happening::PlatformReversal, None);
            }
            _ => self.reverse_intent(from, msg, txn, intent, standing),
        }
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
}
