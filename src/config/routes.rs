//! `[[route]]`: ordered rules; and whether every platform waits long enough for its banks.

use super::platforms::checked_name;
use super::section::Section;
use super::settings::LineSettings;
use super::top::Builder;
use crate::meaning::{Flow, Kind, TransactionType};
use crate::switch::ids::{BankId, Name, PlatformId};
use crate::switch::policy::{Policy, Route};
use crate::text::Text;

pub(super) fn read(builder: &mut Builder<'_>, root: &Section<'_, '_>) {
    let sections = root.tables("route");
    if sections.is_empty() {
        root.wrong("route", "is missing: without a [[route]] no request reaches a bank");
    }
    for section in &sections {
        let route = route(&builder.policy, section);
        section.finish();
        if let Some(route) = route {
            check_budgets(&builder.policy, &route, section);
            check_top_up(builder, &route, section);
            if builder.policy.routes.iter().any(|r| r.name == route.name) {
                section.wrong("name", format!("there is a route \"{}\" already", route.name));
            }
            builder.policy.routes.push(route);
        }
    }
}

fn route(policy: &Policy, section: &Section<'_, '_>) -> Option<Route> {
    let name = section.need("name");
    let name = checked_name(section, &name);
    let (bank, second) = banks(policy, section);
    let credit = credit(policy, section);
    if credit.is_some() && second.is_some() {
        section.wrong("banks", "a top-up has one bank that debits: bank = \"NAME\"");
    }
    let route = Route {
        name,
        pan_prefixes: prefixes(section, "pan"),
        mtis: digits(section, "mti"),
        processing_codes: digits(section, "processing_code"),
        currencies: currencies(section),
        amount: amount(section),
        platforms: platforms(policy, section),
        bank: bank.unwrap_or_default(),
        second,
        credit,
        unreferenced_refunds: section.flag("unreferenced_refunds", false),
    };
    bank.map(|_| route)
}

/// `bank`, or `banks` with a second one for what provably was not sent to the first.
fn banks(policy: &Policy, section: &Section<'_, '_>) -> (Option<BankId>, Option<BankId>) {
    let find = |key: &'static str, wanted: &str| {
        let found = policy.banks.iter().position(|b| b.name.as_str() == wanted);
        if found.is_none() && !wanted.is_empty() {
            section.wrong(key, format!("no bank \"{wanted}\"; {}", known_banks(policy)));
        }
        found.map(|index| BankId(index as u16))
    };
    if !section.has("banks") {
        return (find("bank", &section.need("bank")), None);
    }
    if section.has("bank") {
        section.wrong("banks", "means the same as bank: give one of them");
    }
    let given: Vec<String> = section.list("banks");
    match given.as_slice() {
        [first, second] if first != second => (find("banks", first), find("banks", second)),
        _ => {
            section.wrong(
                "banks",
                "expected two different banks: the second is asked where \
                                    nothing was sent to the first",
            );
            (None, None)
        }
    }
}

/// `credit_bank`: the rule is for top-ups, which debit at `bank` and credit there.
fn credit(policy: &Policy, section: &Section<'_, '_>) -> Option<BankId> {
    let wanted = section.string("credit_bank")?;
    let found = policy.banks.iter().position(|b| b.name.as_str() == wanted);
    if found.is_none() {
        section.wrong("credit_bank", format!("no bank \"{wanted}\"; {}", known_banks(policy)));
    }
    found.map(|index| BankId(index as u16))
}

/// Both legs of a top-up must be takeable back, or a failed credit would leave the debit.
fn check_top_up(builder: &Builder<'_>, route: &Route, section: &Section<'_, '_>) {
    let Some(credit) = route.credit else { return };
    let legs = [
        ("bank", route.bank, TransactionType::Purchase),
        ("credit_bank", credit, TransactionType::TopUp),
    ];
    for (key, id, kind) in legs {
        let Some(bank) = builder.policy.banks.get(usize::from(id.0)) else { continue };
        let word = kind.word();
        let line = bank.lines.first().and_then(|line| builder.lines.get(usize::from(line.0)));
        let says = |l: &LineSettings| {
            l.dialect.rules().messages().written(Kind::Transaction(kind), Flow::Request).is_some()
        };
        if line.is_some_and(|line| !says(line)) {
            let why = format!("the dialect of bank {} has no {word} to send", bank.name);
            section.wrong(key, why);
        } else if line.is_some() && !bank.reversal.types.contains(&kind) {
            let why = format!(
                "the dialect of bank {} does not reverse a {word}: half a top-up could stand",
                bank.name
            );
            section.wrong(key, why);
        }
    }
}

fn known_banks(policy: &Policy) -> String {
    let names: Vec<&str> = policy.banks.iter().map(|b| b.name.as_str()).collect();
    format!("there is {}", names.join(", "))
}

/// `pan = ["622500-622599", "4"]`: prefixes, or ranges of two prefixes of equal length.
pub(super) fn prefixes(section: &Section<'_, '_>, key: &'static str) -> Vec<(Text<8>, Text<8>)> {
    let given: Vec<String> = section.list(key);
    let mut ranges = Vec::new();
    for text in given {
        let (low, high) = text.split_once('-').unwrap_or((&text, &text));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let sane = digits(low) && digits(high) && low.len() == high.len() && low <= high;
        match (sane, low.parse(), high.parse()) {
            (true, Ok(low), Ok(high)) => ranges.push((low, high)),
            _ => section.wrong(
                key,
                format!(
                    "\"{text}\": expected 1 to 8 digits, or two such of equal length as LOW-HIGH"
                ),
            ),
        }
    }
    ranges
}

/// First digits of a numeric field.
fn digits<const N: usize>(section: &Section<'_, '_>, key: &'static str) -> Vec<Text<N>> {
    let given: Vec<Text<N>> = section.list(key);
    for text in &given {
        if text.is_empty() || !text.as_bytes().iter().all(u8::is_ascii_digit) {
            section.wrong(key, format!("\"{text}\": expected 1 to {N} digits"));
        }
    }
    given
}

fn currencies(section: &Section<'_, '_>) -> Vec<u16> {
    let given: Vec<String> = section.list("currency");
    let mut codes = Vec::new();
    for text in given {
        match text.parse::<u16>() {
            Ok(code) if text.len() == 3 => codes.push(code),
            _ => section.wrong("currency", format!("\"{text}\": expected three digits (ISO 4217)")),
        }
    }
    codes
}

fn amount(section: &Section<'_, '_>) -> Option<(u64, u64)> {
    const MOST: u64 = 999_999_999_999; // n12
    let least = section.number("amount_min", 0, 0..=MOST);
    let most = section.number("amount_max", MOST, 0..=MOST);
    if least > most {
        section.wrong("amount_min", "is larger than amount_max");
    }
    (section.has("amount_min") || section.has("amount_max")).then_some((least, most))
}

fn platforms(policy: &Policy, section: &Section<'_, '_>) -> Vec<PlatformId> {
    let given: Vec<Name> = section.list("platform");
    let mut ids = Vec::new();
    for name in given {
        match policy.platforms.iter().position(|p| p.name == name) {
            Some(index) => ids.push(PlatformId(index as u16)),
            None => section.wrong("platform", format!("no platform \"{name}\"")),
        }
    }
    ids
}

/// Terminal > platform > switch > bank: a platform must outlast the bank it is routed to, and of
/// a top-up both banks, one after the other.
fn check_budgets(policy: &Policy, route: &Route, section: &Section<'_, '_>) {
    if let Some(second) = route.second {
        // Nothing was sent to the first then: its time is not spent.
        let alone = Route { bank: second, second: None, ..route.clone() };
        check_budgets(policy, &alone, section);
    }
    let banks = [Some(route.bank), route.credit].into_iter().flatten();
    let banks: Vec<_> = banks.filter_map(|id| policy.banks.get(usize::from(id.0))).collect();
    let may_take: Vec<String> = banks
        .iter()
        .map(|bank| format!("bank {} may take {} ms", bank.name, bank.response_timeout.as_millis()))
        .collect();
    let at_banks: std::time::Duration = banks.iter().map(|bank| bank.response_timeout).sum();
    for (index, platform) in policy.platforms.iter().enumerate() {
        let routed =
            route.platforms.is_empty() || route.platforms.contains(&PlatformId(index as u16));
        let needed = at_banks + platform.margin;
        if routed && platform.budget < needed {
            section.wrong(
                "bank",
                format!(
                    "platform {} waits {} ms, but {} and the way back {} ms: \
                     raise platform.{}.budget_ms to at least {}",
                    platform.name,
                    platform.budget.as_millis(),
                    may_take.join(" and "),
                    platform.margin.as_millis(),
                    platform.name,
                    needed.as_millis(),
                ),
            );
        }
    }
}
