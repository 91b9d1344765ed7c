//! What a platform's reversal of a known original comes to: all of it, or a part, or what nobody
//! can do.
//!
//! Contract: a reversal takes back of what stands – what was granted, less what earlier ones
//! took – and is acknowledged; what cannot be done with it is an item of the desk, never a whole
//! reversal in place of a part. Only where it is a request may it be declined instead. Zero to be
//! left is nothing left. Deliberately absent: finding the original ([`super::reversal`]).

use super::Switch;
use super::duplicates;
use super::ids::{Name, TxnNo};
use super::inflight::Requester;
use super::plants::Plant;
use super::record::{Cause, Debt, Ending, Intent, Owed, Queued};
use super::reply;
use super::standing::Standing;
use super::undoing::Undone;
use crate::canonical::{Canonical, Flow, Reason};
use crate::money::Amount;
use crate::time::Instant;
use std::sync::Arc;

/// The data element that says what is to stand, in the numbering of 1987.
const REPLACEMENT: u8 = 95;

/// What is asked of what stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// So much is to stand.
    Leaves(Amount),
    /// What is to stand stands.
    Already,
    /// More is to stand than does.
    TooMuch,
    /// Refunds or voids of it took what this would take once more.
    Spent,
}

/// What a reversal asks of what stands of its original.
pub(super) fn part_of(msg: &Canonical, stands: Option<Amount>) -> Part {
    let Some(left) = msg.replacement_amount.filter(|left| left.minor > 0) else {
        return Part::Whole;
    };
    match stands.and_then(|stands| stands.minus(left)) {
        Some(taken) if taken.minor > 0 => Part::Leaves(left),
        Some(_) => Part::Already,
        None => Part::TooMuch,
    }
}

impl Switch {
    /// Queues the platform's reversal of a known original and acknowledges it.
    pub(super) fn reverse_intent(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        txn: TxnNo,
        intent: &Arc<Intent>,
        standing: Standing,
    ) {
        let standing = self.standing(txn, intent, standing);
        let part = match part_of(&msg, standing.now(intent.amount)) {
            Part::Whole | Part::Leaves(_) if standing.spent => Part::Spent,
            part => part,
        };
        if part == Part::Already {
            return self.refuse(from, msg, Reason::Accepted, None, None);
        }
        if intent.owes != Debt::Reversal {
            // The bank's dialect has no reversal of this: an operator settles it.
            if intent.owes == Debt::Desk && !self.state.desk.contains_key(&txn) {
                self.put_before_operator(txn, intent, Cause::NoReversal);
            }
            return self.refuse(from, msg, Reason::Accepted, Some(txn), None);
        }
        let Some((queued, not_found_final)) =
            self.platform_reversal_of(from, &msg, txn, intent, standing)
        else {
            return self.refuse(from, msg, Reason::SystemError, Some(txn), None);
        };
        let debited = intent.role.debited().map(|debited| debited.bank);
        let banks = [Some(intent.bank), debited];
        self.take_back(from, msg, (queued, not_found_final), part, &banks);
    }

    fn platform_reversal_of(
        &mut self,
        from: &Requester,
        msg: &Canonical,
        txn: TxnNo,
        intent: &Intent,
        standing: Standing,
    ) -> Option<(Queued, Instant)> {
        let reason = msg.reason.unwrap_or(Reason::CustomerCancel);
        let of = Undone::intent(intent, standing);
        let (mut queued, not_found_final) =
            self.reversal_of(txn, of, Owed::PlatformReversal, reason)?;
        queued.origin = Some(reply::origin_of(msg));
        queued.platform = self.platform_name(from);
        queued.asked = Some(duplicates::money(msg.amount, msg.replacement_amount));
        queued.replacement = msg.replacement_amount.filter(|left| left.minor > 0);
        queued.kept = (!msg.kept.is_empty()).then(|| Box::new(msg.kept.clone())).or(queued.kept);
        if let Some(debit) = queued.debit.as_mut().filter(|_| queued.replacement.is_some()) {
            Arc::make_mut(debit).left = queued.replacement;
        }
        queued.auth_id = queued.auth_id.or(msg.auth_id);
        Some((queued, not_found_final))
    }

    /// Owes what these banks can be told; the rest is an operator's.
    pub(super) fn take_back(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        (queued, not_found_final): (Queued, Instant),
        part: Part,
        banks: &[Option<Name>],
    ) {
        match part {
            Part::TooMuch => {
                self.not_taken_back(from, msg, queued, Cause::Contradicted(REPLACEMENT))
            }
            Part::Spent => {
                let ending = (Ending::Dead, Some(Cause::MoreThanLeft));
                self.acknowledge_unsent(from, msg, queued, ending);
            }
            Part::Leaves(_) if !banks.iter().flatten().all(|bank| self.says_parts(bank)) => {
                self.not_taken_back(from, msg, queued, Cause::NoPlace(REPLACEMENT));
            }
            Part::Whole | Part::Already | Part::Leaves(_) => {
                self.acknowledge_queued(from, msg, queued, not_found_final);
            }
        }
    }

    /// Whether this bank's dialect can say that a part is to stand.
    fn says_parts(&self, bank: &Name) -> bool {
        let said = self.planted.has(Plant::PartReversedAsWhole);
        said || self.policy.banks.iter().any(|b| b.name == *bank && b.reversal.partial)
    }

    /// Nobody can be told: a request hears so, all else is acknowledged and an operator's.
    pub(super) fn not_taken_back(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        queued: Queued,
        cause: Cause,
    ) {
        if msg.flow == Flow::Request {
            let bank = self.bank_id(&queued.bank);
            return self.refuse(from, msg, Reason::InvalidTransaction, queued.txn, bank);
        }
        self.acknowledge_unsent(from, msg, queued, (Ending::Dead, Some(cause)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::{Kind, TransactionType};
    use crate::money::Currency;

    fn amount(minor: u64, currency: u16) -> Option<Amount> {
        Currency::new(currency).map(|currency| Amount::new(minor, currency))
    }

    #[test]
    fn what_is_to_stand_is_weighed_against_what_stands() {
        let mut msg = Canonical::new(Kind::Reversal(TransactionType::Purchase), Flow::Advice);
        assert_eq!(part_of(&msg, amount(60, 978)), Part::Whole);
        let mut asked = |left, stands| {
            msg.replacement_amount = left;
            part_of(&msg, stands)
        };
        assert_eq!(asked(amount(0, 978), amount(60, 978)), Part::Whole, "nothing is to stand");
        let left = amount(59, 978);
        assert_eq!(Some(asked(left, amount(60, 978))), left.map(Part::Leaves));
        assert_eq!(asked(amount(60, 978), amount(60, 978)), Part::Already);
        assert_eq!(asked(amount(70, 978), amount(60, 978)), Part::TooMuch);
        assert_eq!(asked(amount(50, 840), amount(60, 978)), Part::TooMuch, "another currency");
        assert_eq!(asked(amount(50, 978), None), Part::TooMuch, "nothing says how much stood");
    }
}
