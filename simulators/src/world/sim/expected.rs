//! Which items must stand on the operators' desk, reckoned from the ledgers of the banks and the
//! platforms.
//!
//! Contract: the rules are written anew, from what the peers did and said; nothing here asks the
//! switch what it thinks. A difference is excused by a cause in the ledgers and by nothing else:
//! an item without a cause excuses nothing, and a cause without an item is a broken promise, like
//! an item for which there is no cause. Where the switch cannot know how a thing ended although it
//! ended well – an answer that was lost – an item may stand, and need not.

use super::bank::Deal;
use super::habits::Named;
use super::platform::{Ask, Standing};
use super::setting;
use pointsman::canonical::{Flow, TransactionType as T};

/// What the ledgers say of one reference.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The platform's.
    pub ask: &'a Ask,
    /// What each bank has of it.
    pub deals: &'a [(usize, &'a Deal)],
    /// Its bank refused the advice for good, called its first try a duplicate, or has no words for
    /// it.
    pub refused: bool,
    /// The process ended at a moment from which it could not know whether its approval left.
    pub cut_off: bool,
    /// It reached the switch and is in the journal.
    pub arrived: bool,
    /// Its platform voided, refunded or completed it, or tried to.
    pub followed: bool,
}

/// Why an operator has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The bank will not find what it did.
    Forgotten,
    /// The bank does not take the advice.
    RefusedAdvice,
    /// What happened cannot be taken back at this bank.
    NoReversal,
    /// The platform's reversal contradicts itself.
    Contradicted,
    /// A part cannot be taken back at this bank.
    NoPart,
    /// The platform reversed what it had voided or refunded.
    TakenTwice,
}

impl Case<'_> {
    /// Why the two sides may differ; `None`: they must not.
    pub fn cause(&self) -> Option<Cause> {
        let ask = self.ask;
        let taken_back = ask.is_reversed() || ask.standing == Standing::Denied;
        let stays = |bank: &usize, deal: &Deal| {
            deal.effect != 0 && !reverses(*bank, deal.kind) && taken_back
        };
        if self.deals.iter().any(|(_, deal)| deal.forgotten) {
            return Some(Cause::Forgotten);
        }
        if self.refused && self.deals.is_empty() {
            return Some(Cause::RefusedAdvice);
        }
        if ask.named == Named::Wrongly && ask.is_reversed() {
            return Some(Cause::Contradicted);
        }
        if self.deals.iter().any(|(bank, deal)| stays(bank, deal)) {
            return Some(Cause::NoReversal);
        }
        let part = matches!(ask.standing, Standing::Reduced(_));
        if part && self.deals.iter().any(|(bank, _)| !takes_parts(*bank)) {
            return Some(Cause::NoPart);
        }
        (self.followed && ask.is_reversed()).then_some(Cause::TakenTwice)
    }

    /// Whether an item may stand although both sides agree.
    pub fn may_stand(&self) -> bool {
        let ask = self.ask;
        // Done, and not found again when the answer to that had been lost.
        let done = self.deals.iter().any(|(_, deal)| deal.reversed && deal.found_once);
        let gone = ask.is_reversed() || ask.standing == Standing::Denied;
        let hand_made = gone && !reverses(bank_of(ask), ask.kind());
        let contradicted = ask.is_reversed() && (ask.named == Named::Wrongly || ask.conflict);
        let unheard = ask.is_reversed() && !self.arrived;
        let refused = self.refused && ask.msg.flow != Flow::Request;
        let taken_twice = self.followed && ask.is_reversed();
        let missed = contradicted || unheard || taken_twice;
        done || hand_made || missed || refused || self.cut_off
    }
}

/// The bank that a request goes to, by the cards of [`setting`].
fn bank_of(ask: &Ask) -> usize {
    usize::from(ask.is_of_west())
}

/// Whether a bank can take this back.
fn reverses(bank: usize, kind: T) -> bool {
    bank == 0
        || matches!(kind, T::Purchase | T::PreAuthorization | T::Completion | T::Void | T::TopUp)
}

/// Whether a bank can take a part back: UnionPay terminals cannot.
const fn takes_parts(bank: usize) -> bool {
    bank != setting::KEYED_BANK
}
