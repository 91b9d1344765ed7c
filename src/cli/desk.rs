//! `pointsman desk`: what is in doubt in a running switch, its late answers, and decisions.
//!
//! Contract: asks the running switch (`cli::running`) and reads no journal. `--json` prints
//! what it said, unchanged. A refused decision is exit code 1 with the state and what is allowed.
//! Deliberately absent: the books of banks ([`super::books`]).

use super::running::{By, Switch, Where, bank_name};
use anyhow::ensure;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::ExitCode;

/// Arguments of `desk`.
#[derive(Debug, clap::Args)]
#[command(subcommand_precedence_over_arg = true)]
pub struct Args {
    #[command(flatten)]
    switch: Where,
    /// Only what an operator is asked to look at.
    #[arg(long)]
    attention: bool,
    /// Only of this bank.
    #[arg(long, value_name = "NAME")]
    bank: Option<String>,
    /// Only items after this one.
    #[arg(long, value_name = "ITEM", default_value_t = 0)]
    after: u64,
    /// At most so many.
    #[arg(long, value_name = "COUNT", default_value_t = 100, global = true)]
    limit: u16,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// The newest late, second and unknown answers.
    Late,
    /// Have an item sent again, now.
    Resend {
        #[command(flatten)]
        items: Items,
        #[command(flatten)]
        by: By,
    },
    /// Reverse what the bank approved and its platform does not have: an item, or a transaction.
    Reverse(Decision),
    /// The bank did it, as it told you: it counts as if the bank had said so itself.
    Did(Decision),
    /// The bank did not do it, as it told you.
    DidNot(Decision),
    /// Close an item by hand: its money is settled outside.
    GiveUp(Decision),
}

/// What a decision is about: one item, or all of one bank that wait for one cause.
#[derive(Debug, clap::Args)]
struct Items {
    /// Its number.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    item: Option<u64>,
    /// All of one bank that wait for one cause.
    #[arg(long, requires_all = ["of_bank", "cause"])]
    all: bool,
    /// The bank.
    #[arg(id = "of_bank", long = "bank", value_name = "NAME", requires = "all")]
    bank: Option<String>,
    /// Only those of this platform.
    #[arg(long, value_name = "NAME", requires = "all")]
    platform: Option<String>,
    /// The cause, as `desk --json` names it.
    #[arg(long, value_name = "WORD", requires = "all")]
    cause: Option<String>,
}

/// A decision that needs a reason.
#[derive(Debug, clap::Args)]
struct Decision {
    #[command(flatten)]
    items: Items,
    /// Why; it is journaled. At most 64 printable ASCII characters, no card number.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    by: By,
}

/// Runs `desk`.
///
/// # Errors
/// No address, a switch that cannot be reached or says no.
pub fn run(args: &Args, secret: super::journal::Resolve) -> anyhow::Result<ExitCode> {
    let switch = Switch::of(&args.switch, secret)?;
    let limit = args.limit;
    let filtered = args.attention || args.bank.is_some() || args.after > 0;
    let listed = args.action.is_none();
    ensure!(listed || !filtered, "--attention, --bank and --after choose among the items listed");
    let (answer, text) = match &args.action {
        None => {
            let mut path = format!("/desk?limit={limit}&after={}", args.after);
            if args.attention {
                path.push_str("&attention=true");
            }
            if let Some(bank) = &args.bank {
                let _ = write!(path, "&bank={}", bank_name(bank)?);
            }
            let answer = switch.ask("GET", &path, None)?;
            let text = desk_text(&answer);
            (answer, text)
        }
        Some(Action::Late) => {
            let answer = switch.ask("GET", &format!("/late?limit={limit}"), None)?;
            let text = late_text(&answer);
            (answer, text)
        }
        Some(Action::Resend { items, by }) => decide(&switch, "resend", items, None, by)?,
        Some(Action::Reverse(decision)) => decide_why(&switch, "reverse", decision)?,
        Some(Action::Did(decision)) => decide_why(&switch, "did", decision)?,
        Some(Action::DidNot(decision)) => decide_why(&switch, "did-not", decision)?,
        Some(Action::GiveUp(decision)) => decide_why(&switch, "give-up", decision)?,
    };
    args.switch.print(&answer, &text)?;
    Ok(ExitCode::SUCCESS)
}

fn decide_why(switch: &Switch, verb: &str, of: &Decision) -> anyhow::Result<(Value, String)> {
    decide(switch, verb, &of.items, Some(&of.reason), &of.by)
}

/// A decision about an item, or step by step about many.
fn decide(
    switch: &Switch,
    verb: &str,
    items: &Items,
    reason: Option<&str>,
    by: &By,
) -> anyhow::Result<(Value, String)> {
    let mut body = json!({ "operator": by.operator });
    if let Some(reason) = reason {
        body["reason"] = json!(reason);
    }
    if let Some(item) = items.item {
        let answer = switch.ask("POST", &format!("/desk/{item}/{verb}"), Some(&body))?;
        return Ok((answer, format!("item {item}: {verb}\n")));
    }
    body["bank"] = json!(bank_name(items.bank.as_deref().unwrap_or_default())?.as_str());
    body["cause"] = json!(items.cause);
    if let Some(platform) = &items.platform {
        body["platform"] = json!(platform);
    }
    let (mut decided, mut refused, mut after) = (0, 0, json!(0));
    let mut answer = Value::Null;
    while !after.is_null() {
        body["after"] = after;
        answer = switch.ask("POST", &format!("/desk/all/{verb}"), Some(&body))?;
        decided += answer["decided"].as_u64().unwrap_or_default();
        refused += answer["refused"].as_u64().unwrap_or_default();
        after = answer["next_after"].clone();
    }
    (answer["decided"], answer["refused"]) = (json!(decided), json!(refused));
    Ok((answer, format!("{decided} items: {verb}; {refused} could not be decided so\n")))
}

/// A value as people read it; what is not there is a dash.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn amount(of: &Value) -> String {
    match of["decimal"].as_str() {
        Some(decimal) => format!("{decimal} {}", shown(&of["currency"])),
        None => "-".to_owned(),
    }
}

fn age(seconds: &Value) -> String {
    match seconds.as_u64().unwrap_or_default() {
        s if s < 120 => format!("{s}s"),
        s if s < 7_200 => format!("{}m", s / 60),
        s if s < 172_800 => format!("{}h", s / 3_600),
        s => format!("{}d", s / 86_400),
    }
}

fn desk_text(answer: &Value) -> String {
    let mut text = String::new();
    for bank in answer["banks"].as_array().into_iter().flatten() {
        let (name, owed) = (shown(&bank["bank"]), shown(&bank["owed"]));
        let (unknown, dead) = (shown(&bank["unknown"]), shown(&bank["dead_letters"]));
        let left = if bank["breaker"] == "open" { ", not asked: it answers nothing" } else { "" };
        let _ = writeln!(text, "{name}: {owed} owed, {unknown} unknown, {dead} dead letters{left}");
    }
    let mut rows = vec![
        [
            "ITEM", "AGE", "BANK", "AMOUNT", "TRIES", "STATE", "STAN", "RRN", "BANK RRN", "AUTH",
            "TERMINAL", "MERCHANT", "PLATFORM", "ITS STAN", "CARD", "CAUSE", "WHY",
        ]
        .map(str::to_owned),
    ];
    for item in answer["items"].as_array().into_iter().flatten() {
        let mark = if item["attention"] == true { "!" } else { "" };
        rows.push([
            format!("{}{mark}", shown(&item["item"])),
            age(&item["age_s"]),
            shown(&item["bank"]),
            amount(&item["amount"]),
            shown(&item["tries"]),
            shown(&item["state"]),
            shown(&item["stan"]),
            shown(&item["rrn"]),
            shown(&item["bank_rrn"]),
            shown(&item["auth_id"]),
            shown(&item["terminal"]),
            shown(&item["merchant"]),
            shown(&item["platform"]),
            shown(&item["platform_stan"]),
            shown(&item["card"]),
            shown(&item["cause"]),
            format!("{}; {}", shown(&item["why"]), shown(&item["next"])),
        ]);
    }
    text.push_str(&table(&rows));
    if let Some(next) = answer["next_after"].as_u64() {
        let _ = writeln!(text, "there may be more: --after {next}");
    }
    text
}

fn late_text(answer: &Value) -> String {
    let mut rows = vec![
        ["RECORD", "AT", "BANK", "KIND", "MEANING", "CODE", "STAN", "TXN", "AMOUNT", "BECAME"]
            .map(str::to_owned),
    ];
    for late in answer["late"].as_array().into_iter().flatten() {
        let plain = ["record", "at", "bank", "kind", "meaning", "code", "stan", "txn"];
        let [record, at, bank, kind, meaning, code, stan, txn] = plain.map(|k| shown(&late[k]));
        let (amount, became) = (amount(&late["amount"]), shown(&late["became"]));
        rows.push([record, at, bank, kind, meaning, code, stan, txn, amount, became]);
    }
    table(&rows)
}

/// Columns as wide as their widest value.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let wide = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(wide).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_desk_is_a_table_for_people() {
        let answer = json!({
            "banks": [{ "bank": "river", "owed": 1, "unknown": 1, "dead_letters": 0 }],
            "items": [{
                "item": 3, "age_s": 7300, "bank": "river", "tries": 2, "state": "pausing",
                "amount": { "minor": 1250, "currency": "978", "decimal": "12.50" },
                "stan": "000002", "rrn": null, "card": "411111******1111", "attention": true,
                "bank_rrn": "632612000123", "auth_id": "A1B2C3", "terminal": "TERM0001",
                "merchant": "SHOP", "platform": "pos", "platform_stan": "000017",
                "cause": "not_found_though_done",
                "why": "our reversal: Timeout", "next": "is sent again",
            }],
            "next_after": 3,
        });
        let text = desk_text(&answer);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "river: 1 owed, 1 unknown, 0 dead letters");
        let cells: Vec<&str> = lines[2].split_whitespace().collect();
        assert_eq!(cells[..5], ["3!", "2h", "river", "12.50", "978"]);
        assert_eq!(cells[5..9], ["2", "pausing", "000002", "-"]);
        assert_eq!(cells[9..13], ["632612000123", "A1B2C3", "TERM0001", "SHOP"]);
        assert_eq!(cells[13..15], ["pos", "000017"]);
        assert_eq!(cells[15..17], ["411111******1111", "not_found_though_done"]);
        assert_eq!(lines[3], "there may be more: --after 3");
    }
}
