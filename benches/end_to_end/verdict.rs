//! The last line: every goal, what was reached, and whether it is met.
//!
//! Contract: goals are about the switch without MACs, before either bank; memory about every
//! case. What was not measured in this run has no verdict (`null`). A run is valid only where
//! the baselines are fast enough to be divisors: otherwise its verdicts mean nothing.

use super::report::{Medians, Row, rounded};
use super::who::Who;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Throughput, of the better framing relay.
const OF_FRAMING: f64 = 0.5;
/// Throughput, of the better durable relay.
const OF_DURABLE: f64 = 0.75;
/// CPU time per transaction, in microseconds.
const CPU_MICROS: f64 = 8.0;
/// Median latency at 5,000 a second, of the better durable relay's.
const OF_DURABLE_P50: f64 = 1.25;
/// What makes a run valid: framing relay of the direct connection, durable of framing relay.
const VALID: [f64; 2] = [0.8, 0.6];

const FULL: &str = "closed-1024";
const STEADY: &str = "open-5000";

/// The JSON line over all cases.
pub(crate) fn line(cases: &BTreeMap<&str, Medians>) -> String {
    let (full, steady) = (cases.get(FULL), cases.get(STEADY));
    let goals: Vec<Value> = Who::SWITCHES
        .into_iter()
        .flat_map(|who| {
            let reached = |case: Option<&Medians>, f: fn(&Medians, &Row) -> Option<f64>| {
                case.and_then(|case| f(case, case.of(who)?))
            };
            let framing = reached(full, |case, row| Some(row.per_second / case.framing()?));
            let durable = reached(full, |case, row| Some(row.per_second / case.durable()?));
            let cpu = reached(full, |_, row| Some(row.cpu_micros));
            let p50 = reached(steady, |case, row| Some(row.p50 as f64 / case.durable_p50()?));
            [
                at_least("throughput, of the framing relay", FULL, who, OF_FRAMING, framing),
                at_least("throughput, of the durable relay", FULL, who, OF_DURABLE, durable),
                at_most("CPU microseconds per transaction", FULL, who, CPU_MICROS, cpu),
                at_most("p50, of the durable relay's", STEADY, who, OF_DURABLE_P50, p50),
            ]
        })
        .chain([
            memory("MiB resident at the end", cases, 0),
            memory("MiB resident at most", cases, 1),
        ])
        .collect();
    let [framing, durable] = full.map_or([None; 2], baselines);
    let fast = |ratio: Option<f64>, least: f64| ratio.is_some_and(|ratio| ratio >= least);
    let valid = fast(framing, VALID[0]) && fast(durable, VALID[1]);
    json!({
        "case": "verdict",
        "run": if valid { "valid" } else { "INVALID" },
        "framing_to_direct": framing.map(|ratio| rounded(ratio, 3)),
        "framing_to_direct_goal": VALID[0],
        "durable_to_framing": durable.map(|ratio| rounded(ratio, 3)),
        "durable_to_framing_goal": VALID[1],
        "goals": goals,
    })
    .to_string()
}

/// The better framing relay of the direct connection, and the better durable one of it.
fn baselines(full: &Medians) -> [Option<f64>; 2] {
    let direct = full.of(Who::Direct).map(|row| row.per_second);
    let (framing, durable) = (full.framing(), full.durable());
    let ratio = |of: Option<f64>, to: Option<f64>| Some(of? / to?.max(1e-9));
    [ratio(framing, direct), ratio(durable, framing)]
}

/// The case and subject that are nearest to their limit, or furthest above it.
fn memory(what: &str, cases: &BTreeMap<&str, Medians>, which: usize) -> Value {
    let rows = cases.values().flat_map(Medians::rows);
    let worst = rows
        .filter_map(|row| Some((row, row.memory_goal_mib()?, row.memory_mib()[which])))
        .max_by(|a, b| (a.2 - a.1).total_cmp(&(b.2 - b.1)));
    match worst {
        Some((row, goal, reached)) => at_most(what, &row.case, row.who, goal, Some(reached)),
        None => Value::Null,
    }
}

fn at_least(what: &str, case: &str, who: Who, goal: f64, reached: Option<f64>) -> Value {
    told(what, (case, who), ("at least", goal), reached, reached.map(|reached| reached >= goal))
}

fn at_most(what: &str, case: &str, who: Who, goal: f64, reached: Option<f64>) -> Value {
    told(what, (case, who), ("at most", goal), reached, reached.map(|reached| reached <= goal))
}

fn told(
    what: &str,
    (case, who): (&str, Who),
    (bound, goal): (&str, f64),
    reached: Option<f64>,
    met: Option<bool>,
) -> Value {
    json!({
        "what": what, "case": case, "subject": who.name(),
        "bound": bound, "goal": rounded(goal, 2),
        "reached": reached.map(|reached| rounded(reached, 3)),
        "met": met,
    })
}
