//! Which bank a request goes to, and what merchant and terminal are called there.
//!
//! Contract: rules are tried in order, the first whose every stated condition holds decides;
//! an empty condition holds for everything. Identities likewise: first match, then the
//! default; a table with neither passes the platform's names on as they are.

use super::ids::PlatformId;
use super::policy::{Bank, Policy, Route};
use crate::canonical::{Canonical, Flow, Kind, Reason, TransactionType};
use crate::sensitive::Pan;
use crate::text::Text;

/// The first rule that fits, with its index.
pub(super) fn route<'a>(
    policy: &'a Policy,
    from: PlatformId,
    msg: &Canonical,
) -> Option<(usize, &'a Route)> {
    policy.routes.iter().enumerate().find(|(_, rule)| fits(rule, from, msg))
}

fn fits(rule: &Route, from: PlatformId, msg: &Canonical) -> bool {
    let amount = msg.amount.map(|a| a.minor);
    let currency = msg.amount.map(|a| a.currency).or(msg.currency).map(|c| c.code());
    let top_up = msg.kind.transaction() == Some(TransactionType::TopUp)
        && (msg.flow == Flow::Request || matches!(msg.kind, Kind::Reversal(_)));
    (rule.credit.is_none() || top_up)
        && (rule.platforms.is_empty() || rule.platforms.contains(&from))
        && (rule.pan_prefixes.is_empty()
            || msg.pan.as_ref().is_some_and(|pan| in_ranges(pan, &rule.pan_prefixes)))
        && (rule.currencies.is_empty() || currency.is_some_and(|c| rule.currencies.contains(&c)))
        && rule.amount.is_none_or(|(low, high)| amount.is_some_and(|a| (low..=high).contains(&a)))
        && starts(&rule.mtis, msg.mti.as_ref())
        && starts(&rule.processing_codes, msg.processing_code.as_ref())
}

/// Whether a card number begins within one of these ranges of prefixes.
pub(super) fn in_ranges(pan: &Pan, ranges: &[(Text<8>, Text<8>)]) -> bool {
    ranges.iter().any(|(low, high)| {
        let prefix = pan.prefix(low.as_bytes().len());
        low.as_bytes() <= prefix && prefix <= high.as_bytes()
    })
}

fn starts<const N: usize>(wanted: &[Text<N>], value: Option<&Text<N>>) -> bool {
    let value = value.map_or(&[][..], Text::as_bytes);
    wanted.is_empty() || wanted.iter().any(|w| value.starts_with(w.as_bytes()))
}

/// Merchant (`F42`) and terminal (`F41`) at the bank.
pub(super) type Identified = (Option<Text<35>>, Option<Text<16>>);

/// What the platform's merchant and terminal are called at this bank.
pub(super) fn identify(bank: &Bank, msg: &Canonical) -> Result<Identified, Reason> {
    let table = &bank.identities;
    if table.entries.is_empty() && table.default.is_none() {
        return Ok((msg.merchant, msg.terminal));
    }
    let merchant = msg.merchant.map(|m| m.trimmed());
    let terminal = msg.terminal.map(|t| t.trimmed());
    let mut merchant_known = false;
    for entry in &table.entries {
        let merchant_fits = entry.acquirer.is_none_or(|a| Some(a) == msg.acquirer)
            && entry.merchant.is_none_or(|m| Some(m.trimmed()) == merchant);
        merchant_known |= merchant_fits;
        if merchant_fits && entry.terminal.is_none_or(|t| Some(t.trimmed()) == terminal) {
            return Ok((Some(entry.bank_merchant), Some(entry.bank_terminal)));
        }
    }
    match table.default {
        Some((merchant, terminal)) => Ok((Some(merchant), Some(terminal))),
        None if merchant_known => Err(Reason::UnknownTerminal),
        None => Err(Reason::UnknownMerchant),
    }
}
