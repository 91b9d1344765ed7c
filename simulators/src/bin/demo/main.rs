//! `cargo run --release --bin demo`: a whole day of trouble in twenty seconds.
//!
//! A shop asks in ASCII, one bank answers in BCD, another in UnionPay POS with MACs; between
//! them the switch, as a process of its own, over real TCP on loopback. Things are broken on
//! purpose, and heal. Contract: exit 0 only if not a cent is missing, nothing is left unknown,
//! and every kind of trouble really happened; 1 otherwise, saying what was wrong. Everything
//! lives in a temporary folder and on ports the OS picks.

mod judge;
mod metrics;
mod narrator;
mod script;
mod setup;
mod switch;
mod table;

use clap::Parser;
use narrator::Narrator;
use std::ffi::OsString;
use std::process::ExitCode;

/// First argument of the copy of this program that is the switch.
const AS_SWITCH: &str = "run-as-switch";

/// Watch the switch lose nothing: two banks, a shop, and everything that goes wrong.
#[derive(Debug, Parser)]
#[command(name = "demo", version)]
struct Arguments {
    /// How long the shop asks; trouble and healing take as long as they need, and longer.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(5..=3600))]
    seconds: u32,
    /// Requests per second; by default 200, in a short run more: 1,000 approvals are needed.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: Option<u32>,
    /// The closing table as one JSON object and nothing else on standard output.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|first| first == AS_SWITCH) {
        arguments.remove(1);
        return pointsman::cli::run(arguments);
    }
    let arguments = Arguments::parse();
    match play(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::from(1)
        }
    }
}

/// Plays it; whether every promise was kept.
fn play(arguments: &Arguments) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let narrator = Narrator::new(arguments.seconds, arguments.json);
        let rate = arguments.rate.unwrap_or((3_200 / arguments.seconds).max(200));
        let scenery = setup::build(rate).await?;
        let ended = script::play(scenery, &narrator, arguments.seconds).await?;
        narrator.finish();
        let table = judge::judge(&ended)?;
        let wrong = table.broken_promises();
        if !wrong.is_empty() {
            let kept = ended.folder.keep();
            eprintln!("demo: journal and log are kept in {}", kept.display());
        }
        if arguments.json {
            println!("{}", table.to_json(&wrong));
        } else {
            println!("{table}");
            wrong.iter().for_each(|promise| println!("  NOT KEPT: {promise}"));
        }
        Ok(wrong.is_empty())
    })
}
