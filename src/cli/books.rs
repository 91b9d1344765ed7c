//! `pointsman books`: a bank's business date and its totals, in a running switch.
//!
//! Contract: asks the running switch (`cli::running`); `--json` prints what it said, unchanged.
//! What is refused is exit code 1 with the reason. Deliberately absent: the totals themselves
//! (`journal totals`), and how a bank answered (`desk`, the metrics).

use super::desk::shown;
use super::running::{By, Where, order};
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
    fn what_was_ordered_is_told_in_lines() {
        let moved = json!({ "bank": "river", "date": "1123", "asked": [], "record": 9 });
        assert_eq!(text(&moved), "river: business date 1123\n");
        let asked = json!({ "bank": "river", "date": null, "asked": [9, 11], "record": 11 });
        assert_eq!(text(&asked), "river: asked about its totals, items 9, 11\n");
    }
}
