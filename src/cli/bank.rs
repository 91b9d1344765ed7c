//! `pointsman bank`: a bank's lines, in a running switch, signed off and on by an operator.
//!
//! Contract: asks the running switch (`cli::running`); `--json` prints what it said, unchanged.
//! What is refused is exit code 1 with the reason. Deliberately absent: the bank's books
//! ([`super::books`]).

use super::desk::shown;
use super::running::{By, Where, order};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Arguments of `bank`.
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
    /// Sign all lines of a bank off: requests are declined or stood in for, reversals wait.
    SignOff {
        /// The bank's name.
        bank: String,
        /// Why; it is journaled. At most 64 printable ASCII characters, no card number.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        by: By,
    },
    /// Sign them on again.
    SignOn {
        /// The bank's name.
        bank: String,
        #[command(flatten)]
        by: By,
    },
}

/// Runs `bank`.
///
/// # Errors
/// No address, a switch that cannot be reached or says no.
pub fn run(args: &Args, secret: super::journal::Resolve) -> anyhow::Result<ExitCode> {
    let (verb, bank, body) = match &args.order {
        Order::SignOff { bank, reason, by } => {
            ("sign-off", bank, json!({ "operator": by.operator, "reason": reason }))
        }
        Order::SignOn { bank, by } => ("sign-on", bank, json!({ "operator": by.operator })),
    };
    order(&args.switch, secret, ("banks", bank, verb), &body, text)
}

fn text(answer: &Value) -> String {
    let off = answer["decided"] == "sign-off";
    let what = if off { "signed off" } else { "signed on" };
    format!("{}: {what}, record {}\n", shown(&answer["bank"]), shown(&answer["record"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_ordered_is_told_in_a_line() {
        let off = json!({ "bank": "river", "decided": "sign-off", "record": 9 });
        assert_eq!(text(&off), "river: signed off, record 9\n");
        let on = json!({ "bank": "river", "decided": "sign-on", "record": 11 });
        assert_eq!(text(&on), "river: signed on, record 11\n");
    }
}
