//! A platform takes back an advice that it was told is done.
//!
//! Contract: the bank must not keep what its platform has reversed. What never left is not sent
//! any more; what may have left is reversed behind itself, in the order of its card; a dead
//! letter is given up, because its platform decided about it. Where a part is taken back, the
//! advice goes first; of what is dead, an operator decides about both. Deliberately absent:
//! reversals of requests ([`super::reversal`]).

use super::Switch;
use super::duplicates;
use super::ids::{Name, RecordNo};
use super::inflight::Requester;
use super::input::DeskVerb;
use super::record::{Cause, Desk, Ending, Owed, Queued, Record};
use super::reply;
use super::taking_back::{Part, part_of};
use crate::canonical::{Canonical, Kind, Reason, TransactionType};
use crate::text::Text;
use std::sync::Arc;

impl Switch {
    /// Reverses an advice as its record tells it, and acknowledges that.
    pub(super) fn reverse_queued(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        (advice, queued): (RecordNo, &Queued),
        spent: bool,
    ) {
        if queued.owed != Owed::Repeat {
            // A reversal is not reversed; what it took back stays taken back.
            return self.refuse(from, msg, Reason::Accepted, Some(advice), None);
        }
        if queued.tells_of_decline() {
            // Nothing was done, and nobody was told that it was.
            return self.refuse(from, msg, Reason::Accepted, Some(advice), None);
        }
        let booked = self.state.dead.get(&advice).and_then(|letter| letter.granted);
        let stands = self.state.books.partials.get(&advice).copied().or(booked);
        let part = part_of(&msg, stands.or(queued.amount));
        if part == Part::Already {
            return self.refuse(from, msg, Reason::Accepted, None, None);
        }
        let Some((mut reversal, not_found_final)) =
            self.reversal_of_advice(from, &msg, advice, queued)
        else {
            return self.refuse(from, msg, Reason::SystemError, Some(advice), None);
        };
        reversal.stood = stands.filter(|stands| booked.is_none() && Some(*stands) != queued.amount);
        // What the bank says it booked is what it is to take back.
        reversal.amount = booked.or(reversal.amount);
        if spent {
            let banks = [Some(queued.bank)];
            return self.take_back(from, msg, (reversal, not_found_final), Part::Spent, &banks);
        }
        let waits = self.state.saf.get(&advice).is_some_and(|entry| entry.tries == 0);
        let dead = self.state.dead.get(&advice).map(|letter| letter.may_be_at_bank());
        if part != Part::Whole && dead.is_some() {
            // What is left has to get there, and whether the advice does an operator decides.
            let cause = Cause::OriginalOnDesk;
            self.unclear(from, &msg, Some(cause));
            let bank = Some(queued.bank);
            return self.keep_unsent(from, msg, bank, (Ending::Dead, Some(cause)));
        }
        if part == Part::Whole && (waits || dead == Some(false)) {
            self.acknowledge_unsent(from, msg, reversal, (Ending::Needless, None));
        } else if !self.reverses(&queued.bank, queued.kind) {
            // Nobody can tell the bank: the advice stays as it is, and an operator settles it.
            return self.acknowledge_unsent(
                from,
                msg,
                reversal,
                (Ending::Dead, Some(Cause::NoReversal)),
            );
        } else {
            self.take_back(from, msg, (reversal, not_found_final), part, &[Some(queued.bank)]);
        }
        if part == Part::Whole && waits {
            self.close_entry(advice, Ending::Needless);
        }
        if dead.is_some() {
            self.give_up_letter(advice, queued);
        }
    }

    /// Whether this bank's dialect has a reversal of such a message.
    fn reverses(&self, bank: &Name, kind: Kind) -> bool {
        let of = kind.transaction().unwrap_or(TransactionType::Unstated);
        self.policy.banks.iter().any(|b| b.name == *bank && b.reversal.types.contains(&of))
    }

    /// Nobody may send it again.
    pub(super) fn give_up_letter(&mut self, advice: RecordNo, queued: &Queued) {
        let reason = Text::new(b"reversed by its platform").unwrap_or_default();
        let (at, verb) = (self.now.wall, Some(DeskVerb::GiveUp(reason)));
        let operator = Some(queued.platform.unwrap_or_default());
        let (cause, about) = (None, None);
        self.record(Record::Desk(Desk { item: advice, at, operator, verb, cause, about }));
    }

    fn reversal_of_advice(
        &mut self,
        from: &Requester,
        msg: &Canonical,
        advice: RecordNo,
        queued: &Queued,
    ) -> Option<(Queued, crate::time::Instant)> {
        let policy = Arc::clone(&self.policy);
        let bank = policy.banks.iter().find(|bank| bank.name == queued.bank)?;
        let mut keys = queued.keys.clone();
        keys.transmission = Some(self.stamp.at(self.now.wall));
        if !bank.reversal.same_stan {
            keys.stan = self.free_stan(&bank.name)?;
        }
        let not_found_final = self.now.mono.after(bank.original_lifetime);
        let kind = queued.kind.transaction().unwrap_or(TransactionType::Unstated);
        let reversal = Queued {
            at: self.now.wall,
            txn: Some(advice),
            line: None,
            owed: Owed::PlatformReversal,
            kind: Kind::Reversal(kind),
            flow: bank.reversal.flow,
            reason: msg.reason.unwrap_or(Reason::CustomerCancel),
            origin: Some(reply::origin_of(msg)),
            platform: self.platform_name(from),
            keys,
            original: self.advice_named(&queued.keys),
            original_mti: None,
            referred: Some(Box::new(queued.original.clone())).filter(|of| of.stan != 0),
            replacement: msg.replacement_amount.filter(|left| left.minor > 0),
            knows: self.known_of(advice),
            told: None,
            of: None,
            asked: Some(duplicates::money(msg.amount, msg.replacement_amount)),
            not_found_final_after: self.wall_of(not_found_final),
            ..queued.clone()
        };
        Some((reversal, not_found_final))
    }
}
