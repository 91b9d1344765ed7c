//! What the bank itself calls a transaction: its `F37`, its date, the network data of its answer.
//!
//! Contract: kept with the outcome, given back to the platform as its setting says, and repeated
//! in what follows as the bank's dialect says (`[follow_up]`, `canonical.keep`). Nothing of a card
//! is kept. Deliberately absent: our own names for it ([`super::launch`]).

use super::Switch;
use super::finding::Candidate;
use super::ids::{BankId, Name, PlatformId};
use super::policy::RrnRule;
use super::record::BankKeys;
use crate::canonical::{Canonical, Carried};
use crate::sensitive::Pan;
use crate::text::Text;

impl Switch {
    /// Gives an answer the bank's `F37` where its platform wants that instead of its own.
    #[inline]
    pub(super) fn put_banks_rrn(
        &self,
        platform: PlatformId,
        rrn: Option<Text<12>>,
        msg: &mut Canonical,
    ) {
        let rule = self.policy.platforms.get(usize::from(platform.0)).map(|p| p.rrn);
        if rule == Some(RrnRule::Bank) {
            msg.rrn = rrn.or(msg.rrn);
        }
    }

    /// `F37` of what refers to an original of these names: the original's or its own.
    pub(super) fn rrn_of_follow_up(
        &self,
        bank: BankId,
        original: &BankKeys,
        own: Option<Text<12>>,
    ) -> Option<Text<12>> {
        let bank = self.policy.banks.get(usize::from(bank.0));
        let repeats = bank.is_some_and(|bank| bank.follow_up.original_rrn);
        original.rrn.filter(|_| repeats).or(own)
    }

    /// Gives the keys of an original the names that its bank gave it, where the bank's follow-ups
    /// bear those.
    pub(super) fn put_banks_names(&self, bank: &Name, one: &Candidate, keys: &mut BankKeys) {
        let bank = self.policy.banks.iter().find(|b| b.name == *bank);
        let rule = bank.map(|bank| bank.follow_up).unwrap_or_default();
        if rule.original_rrn {
            keys.rrn = one.rrn.or(keys.rrn);
        }
        if rule.banks_date {
            keys.local_date = one.local_date.or(keys.local_date);
        }
    }
}

/// What of an answer is repeated in what follows it; nothing in which the card number stands.
#[inline]
pub(super) fn kept_of(msg: &Canonical, pan: Option<&Pan>) -> Option<Box<Carried>> {
    if msg.kept.is_empty() {
        return None;
    }
    let kept = pan.map_or_else(|| msg.kept.clone(), |pan| msg.kept.clone().without_card(pan));
    (!kept.is_empty()).then(|| Box::new(kept))
}
