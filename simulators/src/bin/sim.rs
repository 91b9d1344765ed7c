//! `sim`: the seeded simulation at length, one seed's story, or one planted bug.
//!
//! Contract: exit code 0 when every promise held, 1 when one was broken: with `--plant` that is the
//! bug caught, and 0 means that it was missed. The same seed tells the same story on every machine.

use clap::Parser;
use indicatif::ProgressBar;
use simulators::world::sim::campaign::{Campaign, campaign, run};
use simulators::world::sim::coverage::legal_pairs;
use simulators::world::sim::plant::{BUGS, Planted};
use simulators::world::sim::world::Verdict;
use std::process::ExitCode;

/// Lives through simulated worlds and checks the invariants of docs/simulation.md.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Run one seed and print its story.
    #[arg(long)]
    seed: Option<u64>,
    /// Plant a bug and look for it until it is found (needs the feature `faults`).
    #[arg(long)]
    plant: Option<String>,
    /// Lines of the story to print before the first violation; 0 for all.
    #[arg(long, default_value_t = 0)]
    tail: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let planted = match &arguments.plant {
        None => Planted::default(),
        Some(name) => match Planted::named(name) {
            Some(planted) => planted,
            None => {
                let names: Vec<&str> = BUGS.iter().map(|bug| bug.name).collect();
                eprintln!(
                    "no plant `{name}`; with --features faults there are: {}",
                    names.join(", ")
                );
                return ExitCode::from(2);
            }
        },
    };
    match arguments.seed {
        Some(seed) => tell(&run(seed, planted, true), arguments.tail),
        None => many(&arguments, planted),
    }
}

fn many(arguments: &Arguments, planted: Planted) -> ExitCode {
    let hunting = arguments.plant.is_some();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let bar = ProgressBar::new(arguments.seeds);
    let each = |done| bar.set_position(done);
    let done = campaign(arguments.first, arguments.seeds, threads, planted, hunting, &each);
    bar.finish_and_clear();
    summary(&done);
    for verdict in done.failed.iter().take(5) {
        violations(verdict);
        let (features, plant) = match &arguments.plant {
            Some(name) => (" --features faults", format!(" --plant {name}")),
            None => ("", String::new()),
        };
        let seed = verdict.seed;
        println!("  replay: cargo run --release{features} --bin sim -- --seed {seed}{plant}");
    }
    if hunting && done.failed.is_empty() {
        println!("the planted bug was not caught in these seeds");
    }
    if done.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn summary(done: &Campaign) {
    let coverage = &done.coverage;
    println!("seeds              {}", done.seeds);
    println!("simulated hours    {:.1}", coverage.millis as f64 / 3_600_000.0);
    println!("transactions       {}", coverage.asked);
    println!("frames             {}", coverage.frames);
    println!("crashes            {}", coverage.crashes);
    println!("outcomes           {:?}", coverage.legs);
    println!("recovery verdicts  {:?}", coverage.verdicts);
    println!("faults");
    for (fault, count) in &coverage.faults {
        println!("  {:<24} {count}", format!("{fault:?}"));
    }
    println!("breakers           {} opened, {} closed", coverage.breakers[0], coverage.breakers[1]);
    println!("phases and happenings {} of {}", coverage.pairs.len(), legal_pairs().len());
    let missing = coverage.missing();
    if !missing.is_empty() {
        println!("never met in these seeds: {}", missing.join(", "));
    }
    println!("seeds with violations {}", done.failed.len());
}

fn tell(verdict: &Verdict, tail: usize) -> ExitCode {
    let end = verdict.story.iter().position(|line| line.contains("VIOLATION"));
    let to =
        if tail == 0 { verdict.story.len() } else { end.map_or(verdict.story.len(), |e| e + 1) };
    let from = if tail == 0 { 0 } else { to.saturating_sub(tail) };
    for line in verdict.story.iter().take(to).skip(from) {
        println!("{line}");
    }
    violations(verdict);
    println!("story {:016x}", verdict.hash);
    if verdict.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn violations(verdict: &Verdict) {
    println!("seed {}: {} violations", verdict.seed, verdict.violations.len());
    for violation in verdict.violations.iter().take(8) {
        let at = violation.at.nanos() as f64 / 1e9;
        println!("  {} at t={at:.3}s: {}", violation.invariant, violation.what);
    }
}
