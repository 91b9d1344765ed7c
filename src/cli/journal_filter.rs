//! Which records `journal dump` prints.
//!
//! Contract: all conditions that are given must hold; names and values are those that are printed,
//! looked for at every depth. Deliberately absent: a query language.

use serde_json::Value;

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
        let named = [("stan", &self.stan), ("rrn", &self.rrn), ("bank", &self.bank)];
        let card = ("card_token", &self.card);
        let given = named.into_iter().chain([card]);
        let given = given.filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let others = self.others.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        given.chain(others).all(|(name, value)| holds(record, name, value)) && self.in_time(record)
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

/// The first stamp in a record.
fn stamp(record: &Value) -> Option<&str> {
    let fields = record.as_object()?;
    let here = fields.get(STAMP_NAME).and_then(Value::as_str);
    here.or_else(|| fields.values().find_map(stamp))
}

/// Whether `value` stands under `name`, or under a name that ends in `_name`, at any depth.
/// Numbers match without their leading zeros.
fn holds(record: &Value, name: &str, value: &str) -> bool {
    match record {
        Value::Object(fields) => fields.iter().any(|(field, held)| {
            let named = field.strip_suffix(name).is_some_and(|p| p.is_empty() || p.ends_with('_'));
            named && same(held, value) || holds(held, name, value)
        }),
        Value::Array(items) => items.iter().any(|item| holds(item, name, value)),
        _ => false,
    }
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
}
