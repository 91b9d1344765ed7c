//! What platforms say has happened, and how what the SAF is to forward is placed, queued and
//! acknowledged.
//!
//! Contract: an advice is never declined because a bank is down: it is journaled, acknowledged
//! once that is durable, and forwarded with what it says was decided (`F39`). One of a decline is
//! forwarded only to a bank whose advices have a place for that: without it, it would be posted.
//! Deliberately absent: forwarding ([`super::saf`]).

use super::following::Original;
use super::ids::{BankId, RecordNo};
use super::inflight::Requester;
use super::memory::Past;
use super::output::Event;
use super::plants::Plant;
use super::record::{BankKeys, Cause, Closed, Ending, Owed, Queued, Record, Told};
use super::request::likeness_of;
use super::{Switch, duplicates, reply, routing};
use crate::canonical::{Answer, Canonical, Flow, Reason, ResponseClass, Sent};
use crate::time::Instant;
use std::sync::Arc;

/// How something ended that is kept and never sent, and why an operator has to look.
pub(super) type Unsent = (Ending, Option<Cause>);

impl Switch {
    /// A platform says that something has happened.
    pub(super) fn platform_advice(&mut self, from: Requester, msg: Box<Canonical>) {
        let Some(name) = self.platform_name(&from) else { return };
        let likeness = likeness_of(&name, &msg);
        if let Some(past) = self.state.memory.find(likeness.name()) {
            if past.past() == Past::Tombstone {
                return self.ask_what_came_ahead(from, msg);
            }
            self.repeat_event(&from, past.no());
            // Also where its platform took it back meanwhile: an advice is never declined.
            let told = past.past() == Past::Acknowledged || past.past().is_taken_back();
            if told && self.state.memory.has(likeness.name(), likeness.content()) {
                return self.answer_own(&from, msg, Reason::Accepted, Some(past.no()));
            }
            if told {
                return self.conflict(from, msg, Some(past.no()));
            }
            return self.refuse(&from, msg, Reason::Duplicate, Some(past.no()), None);
        }
        if msg.repeat || self.may_be_forgotten(&name, &msg) {
            return self.ask_for_own(from, msg, likeness.name());
        }
        self.fresh(from, msg);
    }

    /// Queues an advice, with what it refers to as the bank knows it, and acknowledges it.
    pub(super) fn advise(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        referred: Option<Original>,
    ) {
        match self.place_owed(&from, &msg, referred.as_ref()) {
            Ok((bank, mut keys)) => {
                let flow = Flow::Advice;
                keys.sent = Some(Sent { kind: msg.kind, flow });
                let mut queued = self.entry_for(&from, &msg, bank, keys, Owed::Repeat);
                queued.flow = flow;
                let spent = referred.as_ref().is_some_and(|original| original.spent);
                if let Some(Original { no, keys, .. }) = referred {
                    queued.keys.rrn = self.rrn_of_follow_up(bank, &keys, queued.keys.rrn);
                    (queued.of, queued.original) = (Some(no), keys);
                }
                let lost = self.planted.has(Plant::AdviceLosesItsCode);
                queued.told = told_by(&msg).filter(|_| !lost);
                if let Some(field) = self.without_place(bank, &msg) {
                    self.no_place(&from, bank, &msg, field);
                    let ending = (Ending::Dead, Some(Cause::NoPlace(field)));
                    return self.acknowledge_unsent(&from, msg, queued, ending);
                }
                if spent {
                    let ending = (Ending::Dead, Some(Cause::MoreThanLeft));
                    return self.acknowledge_unsent(&from, msg, queued, ending);
                }
                self.pass_on(&from, msg, bank, queued);
            }
            Err(Reason::SystemError) => self.refuse(&from, msg, Reason::SystemError, None, None),
            Err(_) => {
                let bank = referred.map(|original| original.bank);
                self.keep_unsent(&from, msg, bank, (Ending::Dead, Some(Cause::NoBank)));
            }
        }
    }

    /// Owes the bank an advice, where it says what was decided in words the bank has: nothing is
    /// posted that was declined, and nothing of which nobody knows.
    fn pass_on(&mut self, from: &Requester, msg: Box<Canonical>, bank: BankId, queued: Queued) {
        let class = queued.told.map(|told| told.class);
        let coded = self.policy.banks.get(usize::from(bank.0)).is_some_and(|b| b.coded_advices);
        match class {
            Some(ResponseClass::Unknown) => {
                let ending = (Ending::Dead, Some(Cause::UnlistedCode));
                self.acknowledge_unsent(from, msg, queued, ending);
            }
            Some(class) if !class.is_approval() && !coded => {
                self.event(Event::DeclineKept { bank: queued.bank });
                self.acknowledge_unsent(from, msg, queued, (Ending::Needless, None));
            }
            _ => self.acknowledge_queued(from, msg, queued, self.now.mono),
        }
    }

    /// Bank and keys of something that is forwarded by the SAF: to the bank of its original, or
    /// by the routing table.
    pub(super) fn place_owed(
        &mut self,
        from: &Requester,
        msg: &Canonical,
        original: Option<&Original>,
    ) -> Result<(BankId, BankKeys), Reason> {
        let policy = Arc::clone(&self.policy);
        let routed = || Some(routing::route(&policy, from.platform, msg)?.1.bank);
        let at = match original {
            Some(original) => self.bank_id(&original.bank),
            None => routed(),
        };
        let at = at.ok_or(Reason::NoRoute)?;
        let bank = policy.banks.get(usize::from(at.0)).ok_or(Reason::NoRoute)?;
        let names = Self::names_at(bank, msg, original.map(|original| &original.keys))?;
        let stan = self.free_stan(&bank.name).ok_or(Reason::SystemError)?;
        let line = bank.lines.first().copied().unwrap_or_default();
        let transmission = self.stamp.at(self.now.wall);
        let keys = self.keys_at(bank, msg, names, (line, stan), transmission);
        Ok((at, keys))
    }

    pub(super) fn entry_for(
        &self,
        from: &Requester,
        msg: &Canonical,
        bank: BankId,
        keys: BankKeys,
        owed: Owed,
    ) -> Queued {
        let reversal = self.policy.banks.get(usize::from(bank.0)).map(|b| b.reversal.flow);
        let asked = duplicates::money(msg.amount, msg.replacement_amount);
        Queued {
            asked: (owed == Owed::PlatformReversal).then_some(asked),
            origin: Some(reply::origin_of(msg)),
            platform: self.platform_name(from),
            pan: msg.pan.clone(),
            amount: msg.amount,
            replacement: msg.replacement_amount,
            facts: reply::facts_of(msg),
            auth_id: msg.auth_id,
            kept: (!msg.kept.is_empty()).then(|| Box::new(msg.kept.clone())),
            original_amount: msg.original_amount,
            ..Queued::bare(
                self.now.wall,
                self.bank_name(bank),
                (owed, msg.kind, reversal.unwrap_or(Flow::Advice)),
                msg.reason.unwrap_or(Reason::CustomerCancel),
                keys,
            )
        }
    }

    pub(super) fn acknowledge_queued(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        queued: Queued,
        not_found_final: Instant,
    ) {
        let bank = queued.bank;
        if queued.owed == Owed::PlatformReversal {
            let txn = queued.txn.unwrap_or(RecordNo(self.state.last.0 + 1));
            self.event(Event::ReversalQueued { bank, txn, recovered: false });
        }
        let no = self.queue(queued, not_found_final);
        self.answered_event(from, Some(bank), Some(no), "acknowledged");
        self.answer_own(from, msg, Reason::Accepted, Some(no));
    }

    /// Journals what is not sent, as finished, and acknowledges it.
    pub(super) fn acknowledge_unsent(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        queued: Queued,
        (ending, cause): Unsent,
    ) {
        let (bank, at, amount) = (queued.bank, self.now.wall, queued.amount);
        let entry = self.record(Record::Queued(Arc::new(queued)));
        let closed = Closed { cause, ..Closed::bare(entry, at, ending) };
        let no = self.record(Record::Closed(closed));
        self.mark_window();
        if ending == Ending::Dead {
            self.event(Event::OnDesk { bank, txn: entry, amount, cause });
        }
        self.answered_event(from, Some(bank), Some(entry), "acknowledged");
        self.answer_own(from, msg, Reason::Accepted, Some(no));
    }
}

/// What a platform's advice says was decided.
fn told_by(msg: &Canonical) -> Option<Told> {
    match msg.answer {
        Some(Answer::Given { class, code }) => Some(Told { class, code }),
        Some(Answer::Own(_)) | None => None,
    }
}
