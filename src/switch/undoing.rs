//! A reversal made of its original as recorded, and our own reversals.
//!
//! Contract: everything in it comes from the records, nothing from what somebody asks for now;
//! it goes under the numbers that the bank's dialect asks for. Deliberately absent: what a
//! platform asks for ([`super::reversal`]).

use super::Switch;
use super::ids::{Name, TxnNo};
use super::output::Event;
use super::plants::Plant;
use super::record::{About, BankKeys, CardFacts, Intent, Owed, Queued};
use super::role::Debited;
use super::standing::Standing;
use crate::canonical::{Kind, Reason, TransactionType};
use crate::money::Amount;
use crate::sensitive::Pan;
use crate::time::{Instant, Wall};
use std::sync::Arc;

/// What a reversal is made of: its original as recorded.
pub(super) struct Undone<'a> {
    bank: Name,
    line: Name,
    kind: Kind,
    keys: &'a BankKeys,
    referred: Option<&'a BankKeys>,
    pan: Option<&'a Pan>,
    amount: Option<Amount>,
    facts: &'a CardFacts,
    debit: Option<&'a Arc<Debited>>,
    standing: Standing,
    about: Option<About>,
}

impl<'a> Undone<'a> {
    /// A transaction at a bank.
    pub(super) fn intent(of: &'a Intent, standing: Standing) -> Self {
        Self {
            bank: of.bank,
            line: of.line,
            kind: of.kind,
            keys: &of.keys,
            referred: of.referred.as_deref(),
            pan: of.pan.as_ref(),
            amount: of.amount,
            facts: &of.facts,
            debit: of.role.debited(),
            about: Some(About {
                platform: of.platform,
                stan: of.origin.stan,
                bank_rrn: standing.rrn,
            }),
            standing,
        }
    }

    /// The debit of a top-up.
    pub(super) fn debit(of: &'a Debited) -> Self {
        Self {
            bank: of.bank,
            line: of.line,
            kind: of.kind,
            keys: &of.keys,
            referred: None,
            pan: of.pan.as_ref(),
            amount: of.amount,
            facts: &of.facts,
            debit: None,
            standing: Standing { auth_id: of.auth_id, ..Standing::default() },
            about: None,
        }
    }
}

impl Switch {
    /// Journals a reversal of ours.
    pub(super) fn queue_own_reversal(
        &mut self,
        txn: TxnNo,
        intent: &Arc<Intent>,
        standing: Standing,
        reason: Reason,
    ) {
        if self.planted.has(Plant::ReversalDroppedWhenSafFull) && self.state.saf.len() > 3 {
            return;
        }
        let of = Undone::intent(intent, standing);
        let queued = self.reversal_of(txn, of, Owed::OwnReversal, reason);
        let Some((queued, not_found_final)) = queued else { return };
        let recovered = self.recovering;
        self.event(Event::ReversalQueued { bank: intent.bank, txn, recovered });
        self.queue(queued, not_found_final);
    }

    /// A reversal as the bank's dialect states it, built from what was recorded of its original.
    pub(super) fn reversal_of(
        &mut self,
        txn: TxnNo,
        of: Undone<'_>,
        owed: Owed,
        reason: Reason,
    ) -> Option<(Queued, Instant)> {
        let policy = Arc::clone(&self.policy);
        let bank = policy.banks.iter().find(|b| b.name == of.bank)?;
        let mut keys = of.keys.clone();
        keys.transmission = Some(self.stamp.at(self.now.wall));
        if !bank.reversal.same_stan {
            match self.free_stan(&bank.name) {
                Some(stan) => keys.stan = stan,
                // Better a reversal under its original's number than none.
                None => self.event(Event::StansExhausted { bank: bank.name }),
            }
        }
        let lifetime = bank.original_lifetime;
        let final_after = of.standing.released.unwrap_or(self.now.mono).after(lifetime);
        let requested = self.planted.has(Plant::ReversedAsRequested);
        let amount = if requested { of.amount } else { of.standing.whole(of.amount) };
        let stated = of.amount.filter(|_| bank.reversal.requested && of.amount != amount);
        let transaction = of.kind.transaction().unwrap_or(TransactionType::Unstated);
        let queued = Queued {
            txn: Some(txn),
            line: Some(of.line),
            original: of.standing.named(of.keys),
            referred: of.referred.cloned().map(Box::new),
            pan: of.pan.cloned(),
            amount,
            facts: of.facts.clone(),
            auth_id: of.standing.auth_id,
            not_found_final_after: self.wall_of(final_after),
            debit: of.debit.map(Arc::clone),
            knows: self.known_of(txn),
            stated,
            stood: of.standing.left,
            about: of.about,
            kept: of.standing.kept,
            ..Queued::bare(
                self.now.wall,
                of.bank,
                (owed, Kind::Reversal(transaction), bank.reversal.flow),
                reason,
                keys,
            )
        };
        Some((queued, final_after))
    }

    /// The stamp of an instant, by the clock as it is now.
    pub(super) fn wall_of(&self, at: Instant) -> Wall {
        let ahead = i64::try_from(at.since(self.now.mono).as_millis()).unwrap_or(i64::MAX);
        Wall::from_millis(self.now.wall.millis().saturating_add(ahead))
    }
}
