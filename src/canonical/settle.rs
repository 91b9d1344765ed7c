//! What fields say of a message once its kind is known: amounts, codes, the original, the card.
//!
//! Contract: an amount has a currency or the message is refused, but for an answer's, which is in
//! the currency of what it answers; an unknown code is an unknown
//! class, never an approval; the card number comes from `F2`, or else from track 2. Deliberately
//! absent: single values ([`super::take`]).

use super::take::Pending;
use super::{Answer, Canonical, Flow, Kind, OriginalData, ReadError};
use crate::iso8583::rules::{Atom, OriginalRule, Rules, StanRule};
use crate::money::Amount;
use crate::text::Text;

/// Currency and verdict may stand elsewhere.
pub(super) fn settle_totals(rules: &Rules, pending: &Pending, into: &mut Canonical) {
    let mut stated = pending.reconciliation.unwrap_or_default();
    stated.currency = stated.currency.or(pending.currency).or(rules.fields().currency());
    let code = pending.code.filter(|_| into.flow.is_answer());
    let coded = code.and_then(|code| rules.fields().balance_of(code.as_bytes()));
    stated.balance = stated.balance.or(coded);
    into.reconciliation = Some(Box::new(stated));
}

pub(super) fn settle_amounts(
    rules: &Rules,
    pending: &Pending,
    into: &mut Canonical,
) -> Result<(), ReadError> {
    if pending.minor.is_none() && pending.replacement.is_none() {
        into.currency = pending.currency;
        return Ok(());
    }
    let de = || rules.fields().element_of(Atom::Amount).unwrap_or(4);
    let currency = pending.currency.or(rules.fields().currency());
    let Some(currency) = currency else {
        if !into.flow.is_answer() {
            return Err(ReadError::NoCurrency { de: de() });
        }
        into.bare_amount = pending.minor;
        return Ok(());
    };
    if pending.exponent.is_some_and(|e| e != currency.exponent()) {
        let expected = "the minor digits of its currency";
        return Err(ReadError::Value { de: de(), name: "exponent", expected, got: 1 });
    }
    into.amount = pending.minor.map(|minor| Amount::new(minor, currency));
    into.replacement_amount = pending.replacement.map(|minor| Amount::new(minor, currency));
    let (before, of) = pending.before;
    into.original_amount = before.map(|minor| Amount::new(minor, of.unwrap_or(currency)));
    Ok(())
}

/// What the function of a message says of its amount: in the reversal of a part it is what
/// stands, and the original's stands beside it.
pub(super) fn settle_part(partial: bool, into: &mut Canonical) {
    if matches!(into.kind, Kind::Reversal(_)) {
        let before = into.original_amount.take();
        if partial {
            into.replacement_amount = into.amount;
            into.amount = before;
        }
    } else if !partial {
        into.original_amount = None;
    }
}

/// `F39` is an answer, or in a reversal perhaps the reason.
pub(super) fn settle_codes(rules: &Rules, pending: &Pending, into: &mut Canonical) {
    let asks = !into.flow.is_answer();
    let mut reason = pending.reason;
    let in_answer = rules.reversal().is_some_and(|r| r.reason_in_answer());
    if asks && matches!(into.kind, Kind::Reversal(_)) && in_answer {
        reason = reason.or(pending.code);
    } else if into.flow != Flow::Request {
        into.answer = pending.code.map(|code| {
            let class = rules.responses().class_of(code.as_bytes());
            Answer::Given { class, code }
        });
    }
    into.reason = reason.and_then(|code| rules.reasons().reversal_of(code.as_bytes()));
}

/// A reversal with the STAN of its original refers to it by that; what stands in the original
/// data is what the reversed message itself referred to.
pub(super) fn settle_original(rules: &Rules, original: Option<OriginalData>, into: &mut Canonical) {
    let stated = original.filter(|original| *original != OriginalData::default());
    let rule = rules.reversal().filter(|r| r.stan == StanRule::Same);
    let reverses = matches!(into.kind, Kind::Reversal(_)) && !into.flow.is_answer();
    if let Some(OriginalRule::Itself) = rule.map(|r| r.original).filter(|_| reverses) {
        let stated = stated.unwrap_or_default();
        let stan = stated.stan.or(into.stan);
        into.original = Some(OriginalData { stan, ..stated });
    } else if rule.is_some() && reverses {
        into.referred = stated;
        into.original =
            Some(OriginalData { stan: into.stan, batch: into.batch, ..OriginalData::default() });
    } else {
        into.original = stated;
    }
}

pub(super) fn settle_card(into: &mut Canonical) {
    let Some(track) = &into.track2 else { return };
    if into.pan.is_none() {
        into.pan = track.pan();
    }
    if into.expiry.is_none() {
        into.expiry = track.expiry().and_then(|e| Text::new(&e).ok());
    }
}
