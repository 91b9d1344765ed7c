//! The beginning of a run: records back into state, and what the last run left owing.
//!
//! Contract: recovery uses the same `apply` and the same table of debts as live; an intent
//! without an outcome is sent-unknown, because nothing proves otherwise. Ages of the last run
//! are not known exactly, so memories are kept longer, never shorter, than configured.

use super::Switch;
use super::crowding::Crowd;
use super::ids::{Name, RecordNo, TxnNo};
use super::inflight::{Target, match_key};
use super::output::{Event, ReloadRefused};
use super::plants::Plant;
use super::policy::Policy;
use super::record::{Desk, Forgotten, Leg, Outcome, PolicyStamp, Queued, Record};
use super::standing::Standing;
use super::timers::Timer;
use crate::canonical::Reason;
use crate::limits::REMEMBERED_AT_ONCE;
use crate::time::{Instant, Now};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Switch {
    /// Takes back one record of the journal; in order, before [`Switch::start`].
    pub fn replay(&mut self, no: RecordNo, record: &Record) {
        if let Record::Outcome(outcome) = record {
            self.note_replayed(outcome);
        }
        self.state.apply(no, record);
    }

    /// A second answer to it will be recognized, as before the restart.
    fn note_replayed(&mut self, outcome: &Outcome) {
        if matches!(outcome.leg, Leg::NotSent | Leg::SentUnknown | Leg::InvalidAnswer) {
            return;
        }
        let Some(open) = self.state.open.get(outcome.txn) else { return };
        let (family, stan) = (open.intent.kind.family(), open.intent.keys.stan);
        if let Some(bank) = self.bank_id(&open.intent.bank) {
            self.air.note_answered(match_key(bank, family, stan), outcome.txn);
        }
    }

    /// Records up to this one are lost and an operator accepted that: numbers go on behind them,
    /// STANs as well, for each may have been an intent.
    pub fn lost(&mut self, upto: RecordNo) {
        let many = upto.0.saturating_sub(self.state.last.0);
        self.state.banks.iter_mut().for_each(|bank| bank.stans.skip(many));
        self.state.last = upto;
        self.state.gap.lost = true;
    }

    /// Begins the run: stamps the policy, settles what the last run left open, arms timers.
    /// Drain [`Switch::poll`] afterwards.
    pub fn start(&mut self, now: Now) {
        self.now = now;
        self.started = now;
        self.restore_sign_offs();
        self.crowd = Crowd::of(&self.state);
        self.former_run = self.state.last != RecordNo::default();
        // How old the oldest is was known to the last run only.
        self.remembered_since = (self.state.memory.first() > 0).then_some(now.mono);
        let window = self.policy.duplicates.count;
        self.state.memory.reserve(window.min(REMEMBERED_AT_ONCE));
        if self.planted.has(Plant::StanResetAtRestart) {
            self.state.banks.clear();
        }
        let hash = self.policy.hash;
        self.record(Record::Policy(PolicyStamp { at: now.wall, hash, start: true }));
        let entries: Vec<_> =
            self.state.saf.iter().map(|(no, e)| (*no, Arc::clone(&e.queued))).collect();
        for (entry, queued) in entries {
            let not_found_final = self.remaining_lifetime(&queued);
            self.saf_take(entry, &queued, not_found_final);
            #[cfg(feature = "faults")]
            if self.planted.has(Plant::AdviceReversedAtRecovery)
                && queued.owed == super::record::Owed::Repeat
            {
                self.reverse_advice(&queued);
            }
        }
        self.recovering = true;
        self.settle_open();
        self.settle_debits();
        self.recovering = false;
        let unanswered: Vec<TxnNo> = self.state.unanswered.keys().copied().collect();
        for txn in unanswered {
            self.await_late_answer(txn);
        }
        let undelivered: Vec<TxnNo> = self.state.undelivered.iter().map(|(txn, _)| txn).collect();
        for txn in undelivered {
            let at = self.now.wall;
            self.record(Record::Desk(Desk::put(txn, at, None)));
        }
        if self.state.memory.len() > 0 {
            self.mark_window();
        }
        self.recall_due();
    }

    /// The whole of it once more: how long the process was down only the wall clock knows, and
    /// that may have jumped (I14). It costs a dead original's reversal some more tries.
    fn remaining_lifetime(&self, queued: &Queued) -> Instant {
        let bank = self.policy.banks.iter().find(|b| b.name == queued.bank);
        self.now.mono.after(bank.map(|b| b.original_lifetime).unwrap_or_default())
    }

    /// Every intent without an outcome is sent-unknown.
    fn settle_open(&mut self) {
        let open: Vec<_> =
            self.state.open.iter().map(|(no, o)| (no, Arc::clone(&o.intent))).collect();
        for (txn, intent) in open {
            if let Some(outcome) = self.recovered_stand_in(txn, &intent) {
                self.record(Record::Outcome(outcome));
                if let Some(advice) = self.stand_in_advice(txn) {
                    self.saf_wake(advice);
                }
                continue;
            }
            let leg = Leg::SentUnknown;
            #[cfg(feature = "faults")]
            if self.planted.has(Plant::OriginalResentAfterRestart) {
                self.resend_original(txn, &intent);
            }
            self.owe_for(txn, &intent, Standing::default(), leg, Reason::Timeout);
            let reason = Some(Reason::Timeout);
            let outcome = Outcome { reason, ..Outcome::bare(txn, self.now.wall, leg) };
            self.record(Record::Outcome(outcome));
            if let Some(entry) = self.state.chains.get(&txn).copied() {
                self.saf_wake(entry);
            }
        }
    }

    /// A late answer to this original is still recognized, for its lifetime from now.
    fn await_late_answer(&mut self, txn: TxnNo) {
        let Some(intent) = self.state.unanswered.get(&txn) else { return };
        let Some(bank) = self.bank_id(&intent.bank) else { return };
        let key = match_key(bank, intent.kind.family(), intent.keys.stan);
        self.air.matches.insert(key, Target::Decided(txn));
        let lifetime = self.policy.banks.get(usize::from(bank.0)).map(|b| b.original_lifetime);
        let over = self.now.mono.after(lifetime.unwrap_or_default());
        self.timers.set(Timer::Lifetime(txn), over);
    }

    /// The lifetime of an unanswered original is over.
    pub(super) fn lifetime_over(&mut self, txn: TxnNo) {
        self.forget_if_over(txn);
    }

    /// Forgets an unanswered original when neither an answer nor a reversal can come any more.
    pub(super) fn forget_if_over(&mut self, txn: TxnNo) {
        let chained = self.state.chains.contains_key(&txn);
        let Some(intent) = self.state.unanswered.get(&txn).map(Arc::clone) else { return };
        if chained || self.timers.runs(Timer::Lifetime(txn)) {
            return;
        }
        if let Some(bank) = self.bank_id(&intent.bank) {
            let key = match_key(bank, intent.kind.family(), intent.keys.stan);
            if self.air.matches.get(key) == Some(Target::Decided(txn)) {
                self.air.matches.remove(key);
            }
        }
        self.record(Record::Forgotten(Forgotten::Original(txn)));
    }

    /// Banks that a policy does not have, and how much is owed to each or open there.
    pub(super) fn owed_under(&self, policy: &Policy) -> BTreeMap<Name, usize> {
        let owed = self.state.saf.values().map(|entry| entry.queued.bank);
        let open = self.state.open.values().map(|open| open.intent.bank);
        let mut missing = BTreeMap::new();
        for bank in owed.chain(open).filter(|bank| policy.banks.iter().all(|b| b.name != *bank)) {
            *missing.entry(bank).or_default() += 1;
        }
        missing
    }

    /// Swaps the policy whole, unless a bank with open obligations would vanish.
    pub(super) fn reload(&mut self, policy: Arc<Policy>) {
        let owed = self.owed_under(&policy).into_iter().next();
        let owed = owed.map(|(bank, count)| ReloadRefused::Owed { bank, count });
        if let Some(why) = owed.or_else(|| moved(&self.policy, &policy)) {
            return self.event(Event::ReloadRefused(why));
        }
        let hash = policy.hash;
        self.policy = policy;
        self.make_room();
        self.review_breakers();
        let at = self.now.wall;
        self.record(Record::Policy(PolicyStamp { at, hash, start: false }));
    }
}

/// Ids of banks, platforms and lines stay what they are: a reload adds at the end or changes
/// settings; anything else needs a restart.
fn moved(old: &Policy, new: &Policy) -> Option<ReloadRefused> {
    let names = |policy: &Policy| {
        let banks = policy.banks.iter().map(|b| b.name).collect::<Vec<_>>();
        let platforms = policy.platforms.iter().map(|p| p.name).collect::<Vec<_>>();
        let lines = policy.lines.iter().map(|l| l.name).collect::<Vec<_>>();
        [("bank", banks), ("platform", platforms), ("line", lines)]
    };
    names(old).into_iter().zip(names(new)).find_map(|((what, old), (_, new))| {
        let at = (0..old.len()).find(|at| old.get(*at) != new.get(*at))?;
        Some(ReloadRefused::Moved { what, name: old.get(at).copied()? })
    })
}
