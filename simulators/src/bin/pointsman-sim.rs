//! `pointsman-sim bank | platform | proxy`: the simulators on the command line.
//!
//! Contract: addresses and results go to standard output, errors to standard error as one
//! sentence; exit 0 done, 1 the input is wrong, 2 usage. Commands come in on standard input,
//! one per line, and for a bank also on its control port.

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use simulators::bank::rules::Rules;
use simulators::bank::{Bank, BankSpec, control};
use simulators::platform::habits::Often;
use simulators::platform::latency::{Got, Percentiles};
use simulators::platform::mix::{Mix, Pool};
use simulators::platform::{Platform, PlatformSpec, Snapshot};
use simulators::proxy::{Fault, Proxy};
use simulators::speaker::SpeakerSpec;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, stdin, stdout};

/// Simulated banks, platforms and bad lines for pointsman.
#[derive(Debug, Parser)]
#[command(name = "pointsman-sim", version)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// A bank: listens, answers by rules, misbehaves on command.
    Bank(BankArguments),
    /// A platform: asks at a steady rate, reverses what is not answered, reports latencies.
    Platform(PlatformArguments),
    /// A bad line between two TCP ends.
    Proxy(ProxyArguments),
}

#[derive(Debug, Args)]
struct Speech {
    /// A shipped dialect, like iso8583-1987-bcd or unionpay-pos.
    #[arg(long, default_value = "iso8583-1987-ascii")]
    dialect: String,
    /// A framing preset, like 2-byte-be or 2-byte-be-tpdu.
    #[arg(long, default_value = "2-byte-be")]
    framing: String,
    /// A file with the static MAC key in hexadecimal.
    #[arg(long)]
    mac_key: Option<PathBuf>,
}

/// What a bank understands, one line each.
const COMMANDS: &str = "Commands, on standard input and the control port:
  approve | decline CODE | rules            what originals are answered
  delay MS | delay exponential MS | delay off
  late MS COUNT | slow MS COUNT | drop COUNT | duplicate COUNT
  wrong-mac COUNT | wrong-amount COUNT | garbage COUNT | wrong-keys COUNT
  silent SECONDS | on | off, disconnect, refuse-sign-on on | off
  cutover MMDD | cutover-again [bare] | own-day MMDD
  sign-off | sign-on                        by the bank itself; its sessions stay
  habit NAME PER-MILLE                      not-found, forgets, unlisted, above, no-currency,
                                            no-terminal, duplicate-first, strict-name, strict-amount
  misbook CURRENCY MINOR, heal, ledger, counts, habits

docs/simulators.md says what each does.";

#[derive(Debug, Args)]
#[command(after_help = COMMANDS)]
struct BankArguments {
    #[command(flatten)]
    speech: Speech,
    /// Its name, in ledger entries.
    #[arg(long, default_value = "bank")]
    name: String,
    /// Where to listen; port 0 lets the OS pick.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// What it approves and what happens when (TOML, see docs/simulators.md).
    #[arg(long)]
    rules: Option<PathBuf>,
    /// A file the ledger is written to, one JSON object per line.
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// A loopback port for commands; 0 lets the OS pick.
    #[arg(long)]
    control: Option<u16>,
    /// Financial traffic before a sign-on is refused.
    #[arg(long)]
    needs_sign_on: bool,
    /// A file with the terminals' master key in hexadecimal: each sign-in is given new MAC keys
    /// (UnionPay).
    #[arg(long, conflicts_with = "mac_key")]
    master_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct PlatformArguments {
    #[command(flatten)]
    speech: Speech,
    /// Where the switch listens.
    #[arg(long)]
    connect: SocketAddr,
    /// Connections.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Requests per second, whatever the answers do.
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// How long to ask.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Without an answer for so long a request is reversed.
    #[arg(long, default_value_t = 5_000)]
    timeout_ms: u64,
    /// Of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Test cards of a scheme and their currency, like visa=840, or so many in their ranges, like
    /// visa=840x5000; instead of visa=840 alone.
    #[arg(long = "cards", value_name = "SCHEME=CURRENCY", value_parser = pool)]
    pools: Vec<Pool>,
    /// The merchant's terminals, used in turn.
    #[arg(long = "terminal", value_name = "F41")]
    terminals: Vec<String>,
    /// Approved purchases and holds in a thousand that are taken back at once.
    #[arg(long, default_value_t = 20)]
    taken_back: u32,
    /// Answered requests in a thousand that are sent again as a repeat.
    #[arg(long, default_value_t = 10)]
    repeated: u32,
    /// Every amount is one more than the one before, so that it names its request.
    #[arg(long)]
    counted_amounts: bool,
    /// A habit of real platforms and how often in a thousand it strikes, like restamp=500: restamp,
    /// other-terminal, no-terminal, zero-name, advice, void-advice, wrong-card.
    #[arg(long = "habit", value_name = "NAME=PER-MILLE")]
    habits: Vec<Often>,
    /// After a lost connection, what left or was granted within so many seconds before is repeated.
    #[arg(long, value_name = "SECONDS")]
    repeat_after_loss: Option<f64>,
    /// A file the ledger is written to at the end, one JSON object per line.
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// The result as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ProxyArguments {
    /// Where to listen; port 0 lets the OS pick.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to relay to.
    #[arg(long)]
    target: SocketAddr,
}

/// Purchases and some of everything else with the test cards of a scheme.
fn pool(text: &str) -> Result<Pool, String> {
    let (scheme, currency) = text.split_once('=').ok_or("expected SCHEME=CURRENCY")?;
    let (currency, count) = currency.split_once('x').unwrap_or((currency, ""));
    let weights = [85, 5, if currency == "156" { 0 } else { 5 }, 5];
    let mut pool = Pool::of_scheme(scheme, currency, weights);
    if !count.is_empty() {
        let count = count.parse().map_err(|_| format!("no number of cards: {count:?}"))?;
        pool.cards = simulators::cards::in_ranges_of(scheme, count);
    }
    if pool.cards.is_empty() { Err(format!("no test cards of {scheme:?}")) } else { Ok(pool) }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.context("runtime").and_then(|runtime| {
        runtime.block_on(async {
            match arguments.role {
                Role::Bank(arguments) => bank(arguments).await,
                Role::Platform(arguments) => platform(arguments).await,
                Role::Proxy(arguments) => proxy(arguments).await,
            }
        })
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(1)
        }
    }
}

impl Speech {
    fn spec(&self) -> anyhow::Result<SpeakerSpec> {
        let mak = self.mac_key.as_ref().map(read_key).transpose()?;
        Ok(SpeakerSpec { dialect: self.dialect.clone(), framing: self.framing.clone(), mak })
    }
}

/// A key in hexadecimal, alone in its file.
fn read_key(path: &PathBuf) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(text.trim().to_owned())
}

async fn bank(arguments: BankArguments) -> anyhow::Result<()> {
    let mut spec = BankSpec::new(&arguments.name, arguments.speech.spec()?);
    spec.master = arguments.master_key.as_ref().map(read_key).transpose()?;
    if let Some(path) = &arguments.rules {
        let at = || path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(at)?;
        spec.rules = Rules::parse(&text).with_context(at)?;
    }
    spec.listen = arguments.listen;
    spec.ledger_file = arguments.ledger;
    spec.needs_sign_on |= arguments.needs_sign_on;
    let bank = Arc::new(Bank::start(spec).await?);
    println!("listening {}", bank.address());
    if let Some(port) = arguments.control {
        let address = control::listen(Arc::clone(&bank), port).await.context("control port")?;
        println!("control {address}");
    }
    control::converse(&bank, BufReader::new(stdin()), stdout()).await;
    // Standard input has ended (a service has none): serve until the process is stopped.
    tokio::signal::ctrl_c().await.context("signals")
}

async fn platform(arguments: PlatformArguments) -> anyhow::Result<()> {
    let mut spec = PlatformSpec::new(arguments.connect, arguments.speech.spec()?);
    spec.connections = arguments.connections;
    spec.rate = arguments.rate;
    spec.total = Some((arguments.rate * arguments.seconds).round() as u64);
    spec.patience.timeout = Duration::from_millis(arguments.timeout_ms);
    spec.seed = arguments.seed;
    spec.patience.repeat_after_loss = arguments.repeat_after_loss.map(Duration::from_secs_f64);
    spec.mix = mix(&arguments);
    let patience = spec.patience.timeout * 4 + Duration::from_secs(10);
    let platform = Platform::start(spec)?;
    let asking = Duration::from_secs_f64(arguments.seconds) + patience;
    anyhow::ensure!(platform.asked_all(asking).await, "no connection to {}", arguments.connect);
    let settled = platform.drain(patience).await;
    if let Some(path) = &arguments.ledger {
        let lines = platform.lines();
        let lines: Result<Vec<_>, _> = lines.iter().map(serde_json::to_string).collect();
        let text = lines?.join("\n") + "\n";
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    report(&platform.snapshot(), settled, arguments.json);
    Ok(())
}

fn mix(arguments: &PlatformArguments) -> Mix {
    let mut mix = Mix {
        customer_reversals_per_mille: arguments.taken_back,
        repeats_per_mille: arguments.repeated,
        counted: arguments.counted_amounts,
        habits: arguments.habits.clone(),
        ..Mix::default()
    };
    if !arguments.pools.is_empty() {
        mix.pools.clone_from(&arguments.pools);
    }
    let merchant = mix.terminals.first().map(|(merchant, _)| merchant.clone()).unwrap_or_default();
    if !arguments.terminals.is_empty() {
        let named = |terminal: &String| (merchant.clone(), terminal.clone());
        mix.terminals = arguments.terminals.iter().map(named).collect();
    }
    mix
}

fn report(snapshot: &Snapshot, settled: bool, json: bool) {
    let latency = &snapshot.latency;
    let rows = [
        ("all", latency.all()),
        ("approved", latency.of(Got::Approved)),
        ("declined", latency.of(Got::Declined)),
        ("nothing", latency.of(Got::Nothing)),
    ];
    if json {
        let latencies: serde_json::Map<_, _> =
            rows.iter().map(|(name, row)| ((*name).to_owned(), serde_json::json!(row))).collect();
        let windows = latency.windows();
        let counts = snapshot.counts;
        println!(
            "{}",
            serde_json::json!({
                "settled": settled, "counts": counts, "strays": snapshot.strays.len(),
                "latency": latencies, "seconds": windows,
            })
        );
        return;
    }
    println!("{:?}", snapshot.counts);
    println!("settled: {settled}; answers that fit nothing: {}", snapshot.strays.len());
    rows.iter().for_each(|(name, row)| print_row(name, row));
}

fn print_row(name: &str, row: &Percentiles) {
    println!(
        "{name:>9} {:>8}   p50 {:>8} µs   p99 {:>8} µs   p99.9 {:>8} µs   max {:>8} µs",
        row.count, row.p50_us, row.p99_us, row.p999_us, row.max_us
    );
}

async fn proxy(arguments: ProxyArguments) -> anyhow::Result<()> {
    let proxy = Proxy::start(arguments.listen, arguments.target).await.context("listener")?;
    println!("listening {}", proxy.address());
    let mut lines = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match line.parse::<Fault>() {
            Ok(fault) => proxy.command(&fault),
            Err(error) => eprintln!("{error}"),
        }
    }
    tokio::signal::ctrl_c().await.context("signals")
}
