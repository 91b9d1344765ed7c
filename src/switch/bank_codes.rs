//! What a bank's codes are called where it differs from its dialect, and what is believed of those
//! that no list has.
//!
//! Contract: plain values of the policy; a bank that differs in nothing costs its answers two
//! compares. Deliberately absent: what a code proves ([`super::proof`]).

use super::Switch;
use super::ids::BankId;
use super::output::Event;
use crate::canonical::{Answer, Canonical};
use crate::limits::UNLISTED_CODES_MAX;
use crate::meaning::ResponseClass;
use crate::text::Text;

/// What is done about a request that was answered with a code no list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unlisted {
    /// It is declined and reversed: such a code proves nothing.
    #[default]
    Reverse,
    /// It is declined: this bank declines with codes of its own. Not where the answer carries
    /// `F38`.
    Decline,
}

/// What "not found" to a further try of a reversal means, where the bank did what is reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NotFoundAfterTry {
    /// An operator finds out.
    #[default]
    Desk,
    /// An earlier try was done: this bank says so to the second one.
    Done,
}

/// One bank's codes.
#[derive(Debug, Clone, Default)]
pub struct Codes {
    /// Classes of codes where this bank differs from its dialect.
    pub own: Vec<(Text<4>, ResponseClass)>,
    /// The same in answers to reversals, of the bank or of its dialect; the first of a code counts.
    pub to_reversals: Vec<(Text<4>, ResponseClass)>,
    /// Codes of answers to reversals that say that nothing was done. They count like "not found"
    /// where the original was answered with a code no list has.
    pub no_action: Vec<Text<4>>,
    /// What a code that no list has is taken for.
    pub unlisted: Unlisted,
    /// What "not found" to a further try is taken for.
    pub not_found: NotFoundAfterTry,
}

fn listed(list: &[(Text<4>, ResponseClass)], code: &Text<4>) -> Option<ResponseClass> {
    let same = |(own, _): &&(Text<4>, ResponseClass)| own.eq_ignore_padding(code);
    list.iter().find(same).map(|(_, class)| *class)
}

impl Codes {
    /// What a code is called at this bank.
    #[inline(always)]
    pub fn class(&self, code: &Text<4>, class: ResponseClass, reversal: bool) -> ResponseClass {
        let to_reversal = || listed(&self.to_reversals, code).filter(|_| reversal);
        if self.own.is_empty() && self.to_reversals.is_empty() {
            return class;
        }
        to_reversal().or_else(|| listed(&self.own, code)).unwrap_or(class)
    }

    /// Whether this code says of a reversal that there was nothing to be done.
    pub fn is_no_action(&self, code: &Text<4>) -> bool {
        self.no_action.iter().any(|own| own.eq_ignore_padding(code))
    }
}

impl Switch {
    /// Puts a bank's answer into the bank's own words; a code that no list has is told.
    pub(super) fn reclass(&mut self, bank: BankId, msg: &mut Canonical) {
        let Some(Answer::Given { class, code }) = &mut msg.answer else { return };
        let Some(codes) = self.policy.banks.get(usize::from(bank.0)).map(|b| &b.codes) else {
            return;
        };
        *class = codes.class(code, *class, msg.kind.family() == 4);
        // Whether totals agree is said by codes of its own.
        let weighed = msg.reconciliation.as_deref().is_some_and(|stated| stated.balance.is_some());
        if *class == ResponseClass::Unknown && !weighed {
            let code = *code;
            self.unlisted(bank, code);
        }
    }

    fn unlisted(&mut self, bank: BankId, code: Text<4>) {
        let Some(live) = self.banks.get_mut(usize::from(bank.0)) else { return };
        let first = !live.unlisted.contains(&code) && live.unlisted.len() < UNLISTED_CODES_MAX;
        if first {
            live.unlisted.push(code);
        }
        let bank = self.bank_name(bank);
        self.event(Event::UnlistedCode { bank, code, first });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(s: &str) -> Text<4> {
        s.parse().unwrap_or_default()
    }

    #[test]
    fn the_banks_own_word_goes_before_the_dialects() {
        let codes = Codes {
            own: vec![(code("12"), ResponseClass::Refer), (code("08"), ResponseClass::Approved)],
            to_reversals: vec![(code("12"), ResponseClass::NotFound)],
            no_action: vec![code("21")],
            ..Codes::default()
        };
        let ask = |c, reversal| codes.class(&code(c), ResponseClass::Declined, reversal);
        assert_eq!(ask("12", false), ResponseClass::Refer);
        assert_eq!(ask("12", true), ResponseClass::NotFound);
        assert_eq!(ask("08", true), ResponseClass::Approved);
        assert_eq!(ask("51", true), ResponseClass::Declined);
        assert!(codes.is_no_action(&code("21")) && !codes.is_no_action(&code("12")));
        let none = Codes::default();
        assert_eq!(none.class(&code("ZZ"), ResponseClass::Unknown, true), ResponseClass::Unknown);
    }
}
