//! `pointsman books`: a bank's business date and its totals, in a running switch.
//!
//! Contract: asks the running switch (`cli::running`); `--json` prints what it said, unchanged.
//! What is refused is exit code 1 with the reason. Deliberately absent: the totals themselves
//! (`journal totals`), and how a bank answered (`desk`, the metrics).

use super::desk::shown;
use super::running::{By, Switch, Where, bank_name, order};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Arguments of `books`.
#[derive(Debug, clap::Args)]
#[command(subcommand_precedence_over_arg = true)]
pub struct Args {
    #[command(flatten)]
    switch: Where,
    #[command(subcommand)]
    order: Order,
}

#[derive(Debug, clap::Subcommand)]
enum Order {
    /// List what of a bank is not settled: business dates, or batches of its terminals.
    Unsettled {
        /// The bank's name.
        bank: String,
        /// At most so many at once.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Where the list before ended, as it says.
        #[arg(long, value_name = "TEXT")]
        after: Option<String>,
    },
    /// Move a bank's business date.
    Cutover {
        /// The bank's name.
        bank: String,
        /// To this day; otherwise to the day after the present one.
        #[arg(long, value_name = "MMDD")]
        date: Option<String>,
        #[command(flatten)]
        by: By,
    },
    /// Ask a bank about the totals of a business date, or of its terminals' batches.
    Reconcile {
        /// The bank's name.
        bank: String,
        /// Of this day; otherwise of the present one.
        #[arg(long, value_name = "MMDD", conflicts_with = "terminal")]
        date: Option<String>,
        /// Of a batch of this terminal, as the bank calls it.
        #[arg(long, requires = "batch")]
        terminal: Option<String>,
        /// The batch, old or present.
        #[arg(long, requires = "terminal")]
        batch: Option<u32>,
        #[command(flatten)]
        by: By,
    },
}

/// Runs `books`.
///
/// # Errors
/// No address, a switch that cannot be reached or says no.
pub fn run(args: &Args, secret: super::journal::Resolve) -> anyhow::Result<ExitCode> {
    let (verb, bank, body) = match &args.order {
        Order::Unsettled { bank, limit, after } => {
            let mut path = format!("/books/{}/unsettled?limit={limit}", bank_name(bank)?);
            if let Some(after) = after {
                let plain = after.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
                anyhow::ensure!(plain, "--after: expected what the list before says");
                path = format!("{path}&after={after}");
            }
            let answer = Switch::of(&args.switch, secret)?.ask("GET", &path, None)?;
            args.switch.print(&answer, &unsettled_text(&answer))?;
            return Ok(ExitCode::SUCCESS);
        }
        Order::Cutover { bank, date, by } => {
            ("cutover", bank, json!({ "operator": by.operator, "date": date }))
        }
        Order::Reconcile { bank, date, terminal, batch, by } => {
            let operator = &by.operator;
            let period = json!({
                "operator": operator, "date": date, "terminal": terminal, "batch": batch,
            });
            ("reconcile", bank, period)
        }
    };
    order(&args.switch, secret, ("books", bank, verb), &body, text)
}

/// One line per period, and where the list goes on.
fn unsettled_text(answer: &Value) -> String {
    let mut text = String::new();
    for period in answer["periods"].as_array().into_iter().flatten() {
        let what = match period["terminal"].as_str() {
            Some(terminal) => format!("terminal {terminal} batch {}", shown(&period["batch"])),
            None => format!("date {}", shown(&period["day"])),
        };
        let sums = [
            ("debits", "debits"),
            ("debits_reversed", "debits reversed"),
            ("credits", "credits"),
            ("credits_reversed", "credits reversed"),
        ];
        let (currency, state) = (shown(&period["currency"]), shown(&period["state"]));
        let bank = shown(&answer["bank"]);
        text.push_str(&format!("{bank}  {what}  currency {currency}  {state}"));
        for (key, name) in sums {
            let (count, minor) = (shown(&period[key]["count"]), shown(&period[key]["minor"]));
            text.push_str(&format!("  {name} {count} / {minor}"));
        }
        text.push_str(&format!("  net {}\n", shown(&period["net_minor"])));
    }
    if let Some(next) = answer["next_after"].as_str() {
        text.push_str(&format!("there may be more: --after {next}\n"));
    }
    if text.is_empty() {
        text = format!("{}: everything is settled\n", shown(&answer["bank"]));
    }
    text
}

fn text(answer: &Value) -> String {
    let bank = shown(&answer["bank"]);
    let moved = answer["date"].as_str().map(|date| format!("{bank}: business date {date}\n"));
    let items: Vec<String> = answer["asked"].as_array().into_iter().flatten().map(shown).collect();
    let asked = match items.as_slice() {
        [] => String::new(),
        items => format!("{bank}: asked about its totals, items {}\n", items.join(", ")),
    };
    let waiting = match answer["waiting"].as_u64() {
        None | Some(0) => String::new(),
        Some(many) => {
            format!("{bank}: {many} settlements wait for what is in flight or owed\n")
        }
    };
    moved.unwrap_or_default() + &asked + &waiting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_settled_is_told_in_lines() {
        let sum = |count: u64, minor: u64| json!({ "count": count, "minor": minor });
        let period = json!({
            "terminal": "T0000001", "batch": 12, "currency": "156", "state": "waits",
            "debits": sum(2, 300), "debits_reversed": sum(1, 100), "credits": sum(0, 0),
            "credits_reversed": sum(0, 0), "net_minor": -200,
        });
        let page = json!({ "bank": "union", "periods": [period], "next_after": "156.12.5430" });
        assert_eq!(
            unsettled_text(&page),
            "union  terminal T0000001 batch 12  currency 156  waits  debits 2 / 300  debits \
             reversed 1 / 100  credits 0 / 0  credits reversed 0 / 0  net -200\nthere may be \
             more: --after 156.12.5430\n"
        );
        let nothing = json!({ "bank": "union", "periods": [], "next_after": null });
        assert_eq!(unsettled_text(&nothing), "union: everything is settled\n");
    }

    #[test]
    fn what_was_ordered_is_told_in_lines() {
        let moved = json!({ "bank": "river", "date": "1123", "asked": [], "record": 9 });
        assert_eq!(text(&moved), "river: business date 1123\n");
        let asked = json!({ "bank": "river", "date": null, "asked": [9, 11], "record": 11 });
        assert_eq!(text(&asked), "river: asked about its totals, items 9, 11\n");
    }
}
