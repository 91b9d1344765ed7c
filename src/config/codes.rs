//! What a bank's codes mean where it differs from its dialect: `codes`, `reversal_codes`,
//! `not_found_after_try`, `unlisted_codes` of `[bank.NAME]`.
//!
//! Contract: the dialect's own lists for answers to reversals come along, behind the bank's. That
//! a bank declines with codes nobody lists is believed only where a reason for it is stated.
//! Deliberately absent: what a code proves (`switch::proof`).

use super::section::Section;
use crate::iso8583::Dialect;
use crate::iso8583::rules::Rules;
use crate::meaning::ResponseClass;
use crate::switch::policy::{Codes, NotFoundAfterTry, Unlisted};
use crate::text::Text;
use std::collections::BTreeMap;

pub(super) fn read(bank: &Section<'_, '_>, dialect: Option<&Dialect>) -> Codes {
    let rules = dialect.map(Dialect::rules);
    let reversal = rules.and_then(Rules::reversal);
    let mut to_reversals = table(bank, "reversal_codes", rules);
    to_reversals.extend(reversal.iter().flat_map(|rule| rule.codes()));
    let found = [("desk", NotFoundAfterTry::Desk), ("done", NotFoundAfterTry::Done)];
    Codes {
        own: table(bank, "codes", rules),
        to_reversals,
        no_action: reversal.map_or_else(Vec::new, |rule| rule.no_action().to_vec()),
        unlisted: unlisted(bank),
        not_found: bank.word("not_found_after_try", &found).unwrap_or_default(),
    }
}

fn unlisted(bank: &Section<'_, '_>) -> Unlisted {
    let words = [("reverse", Unlisted::Reverse), ("decline", Unlisted::Decline)];
    let rule = bank.word("unlisted_codes", &words).unwrap_or_default();
    let reason = bank.string("unlisted_codes_reason");
    match (rule, reason) {
        (Unlisted::Decline, None) => bank.wrong(
            "unlisted_codes",
            "\"decline\" needs unlisted_codes_reason: who says that this bank moves no money then?",
        ),
        (Unlisted::Decline, Some(reason)) if reason.trim().is_empty() => {
            bank.wrong("unlisted_codes_reason", "is empty");
        }
        (Unlisted::Reverse, Some(_)) => bank
            .wrong("unlisted_codes_reason", "means nothing without unlisted_codes = \"decline\""),
        (Unlisted::Decline, Some(_)) | (Unlisted::Reverse, None) => {}
    }
    rule
}

fn table(
    bank: &Section<'_, '_>,
    key: &'static str,
    rules: Option<&Rules>,
) -> Vec<(Text<4>, ResponseClass)> {
    let stated: BTreeMap<String, String> = bank.value(key).unwrap_or_default();
    let len = rules.and_then(|rules| rules.responses().iter().next());
    let len = len.map(|(code, _)| code.as_bytes().len());
    let mut classes = Vec::new();
    for (code, word) in stated {
        let class = ResponseClass::ALL.into_iter().find(|class| class.word() == word);
        let fits = len.is_none_or(|len| code.len() == len);
        match (code.parse::<Text<4>>().ok().filter(|_| fits), class) {
            (Some(code), Some(class)) => classes.push((code, class)),
            (None, _) => {
                bank.wrong(key, format!("code \"{code}\" does not fit F39 of the dialect"))
            }
            (_, None) => {
                let all = ResponseClass::ALL.map(ResponseClass::word).join(", ");
                bank.wrong(key, format!("expected one of {all}, got \"{word}\""));
            }
        }
    }
    classes
}
