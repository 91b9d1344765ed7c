//! `cargo run --release --bin trial`: the real binary between banks and a platform that behave as
//! real ones do, with three kills, and a judge that believes none of the switch's tables.
//!
//! Contract: exit 0 only if no cent is missing in any currency without counting what is on the
//! desk, the desk has exactly the items that both ledgers demand, and every habit has struck; 1
//! otherwise, saying what was wrong. Deliberately absent: broken lines and disks (`demo`, `sim`).

mod judge;
mod process;
mod setup;
mod totals;

use anyhow::{Context, ensure};
use clap::Parser;
use judge::{Verdict, judge};
use process::{Platform, Switch, pause};
use serde_json::Value;
use setup::Scenery;
use simulators::bank::ledger::Entry;
use simulators::clock::{now, now_ms, stamp};
use simulators::platform::habits::Habit;
use simulators::platform::ledger::Line;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Banks and a platform as they are, three kills, and a judge.
#[derive(Debug, Parser)]
#[command(name = "trial", version)]
struct Arguments {
    /// How long the platform asks.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(10..=36_000))]
    seconds: u32,
    /// Requests per second.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// A habit of the banks or the platform that is left out; the trial fails then, but says what
    /// is wrong without it.
    #[arg(long, value_name = "HABIT")]
    without: Vec<String>,
    /// Keep the folder with journal, ledgers and logs.
    #[arg(long)]
    keep: bool,
}

/// What the switch may need after the last request until nothing moves any more.
const SETTLING: Duration = Duration::from_secs(180);

/// How many complaints of a kind are printed.
const SAID_OF_A_KIND: usize = 3;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("trial: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let scenery = setup::build(&arguments.without)?;
    let result = play(arguments, &scenery);
    if arguments.keep || !matches!(result, Ok(true)) {
        println!("trial: everything is kept in {}", scenery.folder.keep().display());
    }
    result
}

fn play(arguments: &Arguments, scenery: &Scenery) -> anyhow::Result<bool> {
    let folder = scenery.folder.path();
    let mut switch = Switch::start(folder, scenery.admin)?;
    for bank in ["river", "mountain"] {
        until("both banks are up", Duration::from_secs(30), || {
            Ok(switch.metric("pointsman_link_up", bank)? > 0.0)
        })?;
    }
    let asked = setup::platform(scenery.shop, arguments.rate, arguments.seconds);
    let asked = setup::without(asked, &arguments.without);
    let mut shop = Platform::start(folder, &asked)?;
    happen(arguments.seconds, scenery, &mut switch)?;
    shop.process.ends(Duration::from_secs(u64::from(arguments.seconds) + 120))?;
    let items = at_rest(&switch)?;
    let lines: Vec<Line> = read(&shop.ledger)?;
    let banks: Vec<Entry> =
        [read(&scenery.river.ledger)?, read(&scenery.mountain.ledger)?].concat();
    let mut verdict = judge(&lines, &banks, &scenery.river.compared()?, &items);
    habits_struck(scenery, &lines, &mut verdict)?;
    report(&verdict, lines.len());
    Ok(verdict.wrong.is_empty())
}

/// One thing that happens while the platform asks.
#[derive(Debug, Clone)]
enum Happening {
    /// River is told something.
    River(String),
    /// Both banks are told something.
    Banks(String),
    /// SIGKILL, and the same again.
    Kill,
}

/// What happens while the platform asks, and when: most of it at twentieths of the time.
fn happenings(seconds: u32) -> Vec<(Duration, Happening)> {
    let date = |days: u64| stamp(now_ms() + days * 86_400_000)[..4].to_owned();
    let at = |twentieth: u32| Duration::from_secs_f64(f64::from(seconds * twentieth) / 20.0);
    let river = |at, command: String| (at, Happening::River(command));
    let mut all = vec![
        river(at(3), format!("cutover {}", date(1))),
        river(at(4), "cutover-again".to_owned()),
        river(at(7), "cutover-again bare".to_owned()),
        river(at(8), "sign-off".to_owned()),
        river(at(8) + Duration::from_secs(2), "sign-on".to_owned()),
        river(at(12), format!("own-day {}", date(2))),
        river(at(13), format!("cutover {}", date(2))),
    ];
    for kill in [5, 10, 15] {
        // "Duplicate" to what may have left before the kill is believed, as it must be: by then no
        // bank calls anything one that it has not done.
        let off = |per_mille| Happening::Banks(format!("habit duplicate-first {per_mille}"));
        all.push((at(kill).saturating_sub(Duration::from_millis(500)), off(0)));
        all.push((at(kill), Happening::Kill));
        all.push((at(kill + 4).min(at(kill) + Duration::from_secs(15)), off(50)));
    }
    all.sort_by_key(|(at, _)| *at);
    all
}

fn happen(seconds: u32, scenery: &Scenery, switch: &mut Switch) -> anyhow::Result<()> {
    let begun = now();
    for (at, what) in happenings(seconds) {
        wait_for(begun + at);
        match what {
            Happening::River(command) => _ = scenery.river.tell(&command)?,
            Happening::Banks(command) => {
                scenery.river.tell(&command)?;
                scenery.mountain.tell(&command)?;
            }
            Happening::Kill => switch.kill_and_restart()?,
        }
    }
    Ok(())
}

fn wait_for(at: Instant) {
    pause(at.saturating_duration_since(now()));
}

fn until(
    what: &str,
    limit: Duration,
    mut is_so: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let end = now() + limit;
    while !is_so()? {
        ensure!(now() < end, "after {limit:?} still not: {what}");
        pause(Duration::from_millis(200));
    }
    Ok(())
}

/// The desk when nothing moves any more: nothing in flight, and the same items, each for an
/// operator, for ten seconds.
fn at_rest(switch: &Switch) -> anyhow::Result<Vec<Value>> {
    let (mut last, mut since): (Vec<Value>, Instant) = (Vec::new(), now());
    let numbers = |items: &[Value]| -> Vec<Option<u64>> {
        items.iter().map(|item| item["item"].as_u64()).collect()
    };
    let end = now() + SETTLING;
    while now() < end {
        let items = switch.desk()?;
        let moving = switch.metric("pointsman_inflight", "")? > 0.0
            || items.iter().any(|item| item["attention"] != true);
        if moving || numbers(&items) != numbers(&last) {
            since = now();
        }
        last = items;
        if since.elapsed() > Duration::from_secs(10) {
            return Ok(last);
        }
        pause(Duration::from_secs(1));
    }
    println!("trial: something still moves after {SETTLING:?}");
    Ok(last)
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
    lines.with_context(|| path.display().to_string())
}

/// Every habit must have struck, but for those that strike only what a switch does wrong.
fn habits_struck(scenery: &Scenery, lines: &[Line], verdict: &mut Verdict) -> anyhow::Result<()> {
    let never = ["strict-name", "strict-amount"];
    let mut banks: BTreeMap<String, u64> = BTreeMap::new();
    for bank in [&scenery.river, &scenery.mountain] {
        for (name, count) in bank.habits()?.as_object().into_iter().flatten() {
            *banks.entry(name.clone()).or_insert(0) += count.as_u64().unwrap_or(0);
        }
    }
    for (name, count) in &banks {
        let wrong = never.contains(&name.as_str()) == (*count > 0);
        if wrong {
            verdict.wrong.push(format!("the banks' habit {name} struck {count} times"));
        }
    }
    let struck = |habit: Habit| {
        let did = |line: &&Line| match habit {
            Habit::Advice => line.extra.advice,
            Habit::VoidAdvice => line.extra.void_of.is_some(),
            Habit::WrongCard => line.extra.mistaken.is_some(),
            _ => line.extra.habits.contains(&habit),
        };
        lines.iter().filter(did).count()
    };
    let platform: BTreeMap<_, _> = Habit::ALL.map(|habit| (habit.word(), struck(habit))).into();
    for (name, _) in platform.iter().filter(|(_, count)| **count == 0) {
        verdict.wrong.push(format!("the platform's habit {name} never struck"));
    }
    println!("trial: the banks' habits struck {}", serde_json::json!(banks));
    println!("trial: the platform's habits struck {}", serde_json::json!(platform));
    Ok(())
}

fn report(verdict: &Verdict, requests: usize) {
    println!("trial: {requests} requests");
    for (currency, minor) in &verdict.difference {
        let refused = verdict.refused.get(currency).copied().unwrap_or(0);
        println!("trial: {currency}: difference {minor}, and {refused} that a bank refused");
    }
    println!("trial: {} items on the desk, {} expected", verdict.items, verdict.expected);
    for (kind, all) in &kinds(&verdict.wrong) {
        println!("  WRONG {:>6} x {kind}", all.len());
        all.iter().take(SAID_OF_A_KIND).for_each(|what| println!("               {what}"));
    }
}

/// Complaints that differ in numbers only are of one kind.
fn kinds(wrong: &[String]) -> BTreeMap<String, Vec<&str>> {
    let mut kinds: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for what in wrong {
        let mut kind = String::new();
        for c in what.chars() {
            match c {
                '0'..='9' if kind.ends_with('#') => {}
                '0'..='9' => kind.push('#'),
                c => kind.push(c),
            }
        }
        kinds.entry(kind).or_default().push(what);
    }
    kinds
}
