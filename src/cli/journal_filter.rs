//! Which records `journal dump` prints.
//!
//! Contract: all conditions that are given must hold; names and values are those that are printed,
//! looked for at every depth. Where nothing fits, [`Missed`] tells which value no record has, and
//! which there are: a misspelt bank is no bank without records. Deliberately absent: a query
//! language.

use serde_json::Value;
use std::collections::BTreeSet;

/// Which records; all that are given must hold.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Filter {
    /// From this record number on.
    #[arg(long, value_name = "NUMBER")]
    pub(super) from: Option<u64>,
    /// Up to this record number.
    #[arg(long, value_name = "NUMBER")]
    pub(super) upto: Option<u64>,
    /// Stamped at or after this time (UTC, as printed; a date alone will do).
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Stamped before this time.
    #[arg(long, value_name = "TIME")]
    pub(super) before: Option<String>,
    /// With this STAN on either side.
    #[arg(long)]
    pub(super) stan: Option<String>,
    /// With this RRN.
    #[arg(long)]
    pub(super) rrn: Option<String>,
    /// Of this bank.
    #[arg(long)]
    pub(super) bank: Option<String>,
    /// Of the card with this token.
    #[arg(long, value_name = "TOKEN")]
    pub(super) card: Option<String>,
    /// With any value under any other name, as printed.
    #[arg(long = "where", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(super) others: Vec<(String, String)>,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The name under which records are stamped.
const STAMP_NAME: &str = "at";

impl Filter {
    /// Whether a record with this number can be wanted.
    pub(super) fn takes_number(&self, no: u64) -> bool {
        self.from.is_none_or(|from| no >= from) && self.upto.is_none_or(|upto| no <= upto)
    }

    /// Whether this record is wanted.
    pub(super) fn takes(&self, record: &Value) -> bool {
        self.wanted().all(|(name, value)| holds(record, name, value)) && self.in_time(record)
    }

    /// Names and the values that must stand under them.
    fn wanted(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = [("stan", &self.stan), ("rrn", &self.rrn), ("bank", &self.bank)];
        let card = ("card_token", &self.card);
        let given = named.into_iter().chain([card]);
        let given = given.filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let others = self.others.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        given.chain(others)
    }

    fn in_time(&self, record: &Value) -> bool {
        if self.since.is_none() && self.before.is_none() {
            return true;
        }
        // Stamps of one form compare as text.
        stamp(record).is_some_and(|stamp| {
            self.since.as_deref().is_none_or(|since| stamp >= since)
                && self.before.as_deref().is_none_or(|before| stamp < before)
        })
    }
}

/// What the records have under the names a filter asks for, as long as none fits.
#[derive(Debug, Default)]
pub(super) struct Missed(Vec<BTreeSet<String>>);

impl Missed {
    /// A record that does not fit.
    pub(super) fn see(&mut self, filter: &Filter, record: &Value) {
        self.0.resize_with(filter.wanted().count(), BTreeSet::new);
        for (values, (name, value)) in self.0.iter_mut().zip(filter.wanted()) {
            if values.len() <= VALUES_MAX {
                each_under(record, name, &mut |held| values.extend([shown(held)]));
            }
            if holds(record, name, value) {
                values.insert(value.to_owned());
            }
        }
    }

    /// Each condition that no record fulfils.
    pub(super) fn told(&self, filter: &Filter) -> Vec<String> {
        let each = self.0.iter().zip(filter.wanted());
        each.filter_map(|(values, (name, value))| no_such(name, value, values)).collect()
    }
}

/// Values that are listed; of numbers that are never the same nobody wants a list.
const VALUES_MAX: usize = 12;

/// That nothing has `value` under `name`, and what there is; `None` where something has. The value
/// is not repeated: it may be what nobody should see.
pub(super) fn no_such(name: &str, value: &str, there: &BTreeSet<String>) -> Option<String> {
    let names: Vec<&str> = there.iter().map(String::as_str).collect();
    match names.len() {
        _ if there.contains(value) => None,
        0 => Some(format!("nothing here has a {name}")),
        1..=VALUES_MAX => Some(format!("nothing has this {name}; there are: {}", names.join(", "))),
        _ => Some(format!("nothing has this {name}")),
    }
}

/// The first stamp in a record.
fn stamp(record: &Value) -> Option<&str> {
    let fields = record.as_object()?;
    let here = fields.get(STAMP_NAME).and_then(Value::as_str);
    here.or_else(|| fields.values().find_map(stamp))
}

/// Whether `value` stands under `name`, or under a name that ends in `_name`, at any depth.
/// Numbers match without their leading zeros.
fn holds(record: &Value, name: &str, value: &str) -> bool {
    let mut found = false;
    each_under(record, name, &mut |held| found |= same(held, value));
    found
}

/// Every value under that name.
fn each_under(record: &Value, name: &str, take: &mut impl FnMut(&Value)) {
    match record {
        Value::Object(fields) => {
            for (field, held) in fields {
                if field.strip_suffix(name).is_some_and(|p| p.is_empty() || p.ends_with('_')) {
                    take(held);
                }
                each_under(held, name, take);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_under(item, name, take)),
        _ => {}
    }
}

fn shown(held: &Value) -> String {
    held.as_str().map_or_else(|| held.to_string(), str::to_owned)
}

fn same(held: &Value, value: &str) -> bool {
    match held {
        Value::String(text) => text == value,
        Value::Number(number) => {
            let digits = value.trim_start_matches('0');
            number.to_string() == if digits.is_empty() { "0" } else { digits }
        }
        Value::Bool(held) => value.parse() == Ok(*held),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn filters_look_at_every_depth_and_at_both_sides() {
        let record = json!({ "intent": { "at": "2026-11-22T10:00:00Z",
            "origin": { "stan": 7 }, "bank_stan": "000123", "route": [{ "bank": "north" }] } });
        let filter = |f: Filter| f.takes(&record);
        assert!(filter(Filter { stan: Some("000123".into()), ..Filter::default() }));
        assert!(filter(Filter { stan: Some("000007".into()), ..Filter::default() }));
        assert!(!filter(Filter { stan: Some("8".into()), ..Filter::default() }));
        assert!(filter(Filter { bank: Some("north".into()), ..Filter::default() }));
        assert!(!filter(Filter { rrn: Some("north".into()), ..Filter::default() }));
        assert!(filter(Filter { since: Some("2026-11-22".into()), ..Filter::default() }));
        assert!(!filter(Filter { before: Some("2026-11-22".into()), ..Filter::default() }));
    }

    #[test]
    fn what_no_record_has_is_told_with_what_there_is() {
        let bank = |bank: &str, stan: u32| json!({ "intent": { "bank": bank, "stan": stan } });
        let told = |filter: &Filter| {
            let mut missed = Missed::default();
            for stan in 1..=20 {
                missed.see(filter, &bank(["river", "mountain"][stan as usize % 2], stan));
            }
            missed.told(filter)
        };
        let lake = Filter { bank: Some("lake".into()), ..Filter::default() };
        assert_eq!(told(&lake), ["nothing has this bank; there are: mountain, river"]);
        let both = Filter { bank: Some("river".into()), stan: Some("21".into()), ..lake };
        assert_eq!(told(&both), ["nothing has this stan"]);
        let never_together = Filter { stan: Some("000019".into()), ..both };
        assert_eq!(told(&never_together), Vec::<String>::new());
        let others = vec![("rail".to_owned(), "1".to_owned())];
        assert_eq!(told(&Filter { others, ..Filter::default() }), ["nothing here has a rail"]);
    }
}
