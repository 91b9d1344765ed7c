//! How a model bank takes advices and reversals: what it looks for, what it does not find again,
//! and what it says to a second try.
//!
//! Contract: it judges a reversal by its own ledger – the MTI, STAN and time it knows the original
//! by, and the amount it approved – and complains where the switch got one of them wrong. What it
//! does to money stands in the ledger whatever it says. Oddities that no switch could deal with
//! are held back by [`Fair`]: a bank forgets only what it told of before.

use super::bank::{Bank, Deal, Fair, Key, Saying, reply};
use super::coverage::{Coverage, Fault};
use super::wire;
use pointsman::canonical::{Answer, Canonical, Kind, ResponseClass, TransactionType};
use pointsman::money::Amount;
use pointsman::text::Text;

/// Weight of approvals by a code no table knows.
pub const UNLISTED: u64 = 12;
/// Weight of partial approvals above the request.
pub const ABOVE: u64 = 8;
/// How often, in a thousand, a bank posts something to the next day.
pub const OWN_DAY: u64 = 80;
/// How often an answer of it has no currency.
pub const NO_CURRENCY: u64 = 60;
/// How often, in a thousand, a bank forgets what it approved.
const FORGETS: u64 = 40;
/// How often it finds an original for one reversal only.
const FINDS_ONCE: u64 = 300;
/// How often it calls the first try of an advice a duplicate.
const DUPLICATE_FIRST: u64 = 50;
/// How often it calls a later one a duplicate.
const DUPLICATE_AGAIN: u64 = 500;
/// How often it refuses an advice for good.
const REFUSES_ADVICE: u64 = 20;

impl Bank {
    pub(super) fn advice(
        &mut self,
        msg: &Canonical,
        fair: Fair,
        cover: &mut Coverage,
    ) -> Vec<Saying> {
        let key = self.key(msg.stan.unwrap_or_default(), msg.transmission, msg.terminal);
        let rrn = msg.rrn.unwrap_or_default();
        // What it called a duplicate may be told so late that another try is on its way.
        if !self.honest && !self.refused.contains(&rrn) && self.dice.chance(150) {
            cover.fault(Fault::BankDeaf);
            return vec![];
        }
        let known = self.deals.contains_key(&key);
        if !self.honest && !known && fair.first {
            if self.dice.chance(DUPLICATE_FIRST) {
                cover.fault(Fault::BankDuplicateFirst);
                self.refused.insert(rrn);
                return vec![self.soon(reply(msg, ResponseClass::Duplicate))];
            }
            if self.dice.chance(REFUSES_ADVICE) {
                cover.fault(Fault::BankRefusesAdvice);
                self.refused.insert(rrn);
                return vec![self.soon(reply(msg, ResponseClass::Declined))];
            }
        }
        if known && self.dice.chance(DUPLICATE_AGAIN) {
            cover.fault(Fault::BankDuplicateAgain);
            return self.acknowledge(msg, ResponseClass::Duplicate, cover);
        }
        if !known {
            let amount = msg.amount.map_or(0, |a| a.minor);
            // What it is told was declined moves nothing.
            let declined = matches!(
                msg.answer,
                Some(Answer::Given { class, .. }) if !class.is_approval()
            );
            let class = if declined { ResponseClass::Declined } else { ResponseClass::Approved };
            self.execute(key, msg, amount, class, cover);
        }
        self.acknowledge(msg, ResponseClass::Approved, cover)
    }

    pub(super) fn reversal(
        &mut self,
        msg: &Canonical,
        fair: Fair,
        cover: &mut Coverage,
    ) -> Vec<Saying> {
        if !self.honest && self.dice.chance(100) {
            cover.fault(Fault::BankDeaf);
            return vec![];
        }
        if !self.honest && self.dice.chance(80) {
            let class = if self.dice.chance(50) {
                cover.fault(Fault::BankPoison);
                ResponseClass::Declined
            } else {
                ResponseClass::Retry
            };
            return vec![self.soon(reply(msg, class))];
        }
        let key = self.named(msg);
        let (odd, forgets) = (!self.honest && fair.told, self.dice.chance(FORGETS));
        let once = self.dice.chance(FINDS_ONCE);
        let whole = self.same_stan;
        let Some(deal) = self.deals.get_mut(&key) else {
            self.unknown_original(key, msg);
            return self.acknowledge(msg, ResponseClass::NotFound, cover);
        };
        if let Some(wrong) = complaint(deal, msg, (whole, fair.told), cover) {
            let code = if wrong.amount { wire::text("64") } else { wire::text("25") };
            let class =
                if wrong.amount { ResponseClass::Declined } else { ResponseClass::NotFound };
            self.complaints.push(wrong.what);
            let mut answer = reply(msg, class);
            answer.answer = Some(Answer::Given { class, code });
            return vec![self.soon(answer)];
        }
        let plain = deal.kind != TransactionType::TopUp && !deal.unlisted;
        let whole_stands = deal.effect == wire::sign(deal.kind) * wire::signed(deal.approved);
        if odd && plain && deal.class.is_approval() && !deal.reversed && whole_stands {
            // Of one that says "not found" to what it had done nobody can believe otherwise.
            deal.forgotten |= forgets && !whole;
            deal.found_once |= once;
        }
        let class = take_back(deal, msg.replacement_amount.filter(|_| !whole), cover);
        self.acknowledge(msg, class, cover)
    }

    /// How this bank reads the name of an original.
    fn named(&self, msg: &Canonical) -> Key {
        let original = msg.original.as_ref();
        let named = original.and_then(|o| o.stan).filter(|_| !self.same_stan);
        let stan = named.or(msg.stan).unwrap_or_default();
        self.key(stan, original.and_then(|o| o.transmission), msg.terminal)
    }

    /// A reversal of nothing it knows: either it is not here yet, or it is called by a wrong name.
    fn unknown_original(&mut self, key: Key, msg: &Canonical) {
        if self.deals.values().any(|deal| Some(deal.rrn) == msg.rrn) {
            self.complaints
                .push(format!("its original has another name here: {}", wire::brief(msg)));
        }
        *self.unknown.entry(key).or_default() += 1;
    }

    /// Answers what is owed: in time, late, twice or not at all.
    pub(super) fn acknowledge(
        &mut self,
        msg: &Canonical,
        class: ResponseClass,
        cover: &mut Coverage,
    ) -> Vec<Saying> {
        let answer = reply(msg, class);
        if self.honest {
            return vec![self.soon(answer)];
        }
        match self.dice.below(20) {
            0 | 1 => {
                cover.fault(Fault::BankSilent);
                vec![]
            }
            2 => {
                cover.fault(Fault::BankLate);
                vec![self.late(answer)]
            }
            3 => {
                cover.fault(Fault::DuplicatedFrame);
                vec![self.soon(answer.clone()), self.late(answer)]
            }
            _ => vec![self.soon(answer)],
        }
    }
}

/// What a bank finds wrong with a reversal.
struct Wrong {
    what: String,
    amount: bool,
}

/// Compares what a reversal says of its original with the ledger.
fn complaint(
    deal: &Deal,
    msg: &Canonical,
    (by_stan, told): (bool, bool),
    cover: &mut Coverage,
) -> Option<Wrong> {
    let brief = wire::brief(msg);
    let advised = deal.mti.as_bytes().get(2) == Some(&b'2');
    if !by_stan {
        let named = mti_named(msg);
        if named != deal.mti {
            let what = format!("it came as {} and is called {named}: {brief}", deal.mti);
            return Some(Wrong { what, amount: false });
        }
        if advised {
            cover.fault(Fault::BankNamesJudged);
        }
    }
    if deal.class == ResponseClass::Partial && told {
        let said = msg.amount.map_or(0, |a| a.minor);
        if said != deal.approved {
            let what = format!("{} were granted, not {said}: {brief}", deal.approved);
            return Some(Wrong { what, amount: true });
        }
        cover.fault(Fault::BankAmountsJudged);
    }
    None
}

/// The MTI in `F90`: what is not said is written as the request it most likely was.
fn mti_named(msg: &Canonical) -> Text<4> {
    let kind = match msg.kind {
        Kind::Reversal(kind) => Kind::Transaction(kind),
        kind => kind,
    };
    let likely = wire::mti(kind, pointsman::canonical::Flow::Request, false);
    let original = msg.original.as_ref();
    let sent = original.and_then(|o| o.sent).map(|sent| wire::mti(sent.kind, sent.flow, false));
    sent.or(original.and_then(|o| o.mti)).unwrap_or(likely)
}

/// Reverses a deal, in whole or down to `left`; what the bank says to it.
fn take_back(deal: &mut Deal, left: Option<Amount>, cover: &mut Coverage) -> ResponseClass {
    if deal.forgotten {
        cover.fault(Fault::BankForgot);
        return ResponseClass::NotFound;
    }
    if !deal.class.is_approval() && deal.unlisted {
        cover.fault(Fault::BankUnlistedNothing);
        return ResponseClass::NotFound;
    }
    if deal.reversed && deal.found_once {
        cover.fault(Fault::BankForgetsTheDone);
        return ResponseClass::NotFound;
    }
    if deal.reversed {
        return ResponseClass::AlreadyReversed;
    }
    deal.reversed = left.is_none();
    let left = left.map_or(0, |a| a.minor.min(deal.approved));
    deal.effect = wire::sign(deal.kind) * wire::signed(left);
    ResponseClass::Approved
}
