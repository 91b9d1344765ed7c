//! `cargo bench --bench codec`: the codec against a hand-written fixed walk in the same run, in
//! nanoseconds, ratios and allocations; `-- --instructions` also counts instructions.
//!
//! Contract: a 20-field 0200 with 124 bytes of ICC data in 1987 ASCII, 1987 BCD and UnionPay.
//! Rounds of all cases are interleaved and medians reported: on a shared machine only ratios mean
//! something, and those are medians of the ratios within a round. A table for people, then one
//! JSON line per case. Without `--bench` (as the tests call it) one short round runs. Deliberately
//! absent: sockets (`end_to_end`).

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, and ends when it cannot run"
)]

mod cases;
mod fixed_walk;
mod instructions;
mod translations;

use cases::Case;
use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

const ROUNDS: usize = 1_001;
/// How long a case runs in one round. Short, so that on a busy machine most rounds of every case
/// are not interrupted.
const ROUND_NANOS: f64 = 50_000.0;

/// What a case cost.
struct Row {
    case: Case,
    /// Calls in one round.
    calls: usize,
    /// Nanoseconds per call, by round.
    nanos: Vec<f64>,
    allocations: usize,
    instructions: Option<u64>,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    if let [instructions::ONE_CASE, name, calls] = words.as_slice() {
        return one_case(name, calls.parse().unwrap_or(1));
    }
    let rounds = if words.contains(&"--bench") { ROUNDS } else { 1 };
    let mut rows: Vec<Row> = cases::all().into_iter().map(prepared).collect();
    for _ in 0..rounds {
        rows.iter_mut().for_each(|row| row.nanos.push(timed(&mut row.case, row.calls)));
    }
    if words.contains(&"--instructions") {
        count_instructions(&mut rows);
    }
    report(&rows);
    if let Some(row) = rows.iter().find(|row| row.allocations > 0) {
        eprintln!("{}: expected no allocations in the steady state", row.case.name);
        std::process::exit(1);
    }
}

/// Warms a case up and counts the allocations of its next call.
fn prepared(mut case: Case) -> Row {
    for _ in 0..3 {
        (case.run)();
    }
    let region = Region::new(ALLOCATOR);
    (case.run)();
    let change = region.change();
    let allocations = change.allocations + change.reallocations;
    let quickest = (0..20).map(|_| timed(&mut case, 20)).fold(f64::INFINITY, f64::min);
    let calls = (ROUND_NANOS / quickest).clamp(1.0, ROUND_NANOS) as usize;
    Row { case, calls, nanos: Vec::new(), allocations, instructions: None }
}

fn timed(case: &mut Case, calls: usize) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        (case.run)();
    }
    start.elapsed().as_nanos() as f64 / calls as f64
}

/// For callgrind, and for a profile of one case.
fn one_case(name: &str, calls: usize) {
    for case in cases::all().iter_mut().filter(|case| case.name == name) {
        (0..calls).for_each(|_| (case.run)());
    }
}

fn count_instructions(rows: &mut [Row]) {
    for row in rows {
        match instructions::per_call(&row.case.name) {
            Ok(count) => row.instructions = Some(count),
            Err(why) => return eprintln!("{why}"),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median over the rounds of the ratio to the divisor's time in the same round.
fn ratio(row: &Row, rows: &[Row]) -> Option<f64> {
    let divisor = rows.iter().find(|other| Some(&other.case.name) == row.case.divisor.as_ref())?;
    Some(median(row.nanos.iter().zip(&divisor.nanos).map(|(own, by)| own / by).collect()))
}

fn report(rows: &[Row]) {
    println!("{:<22} {:>8} {:>7} {:>12} {:>12}", "case", "ns", "x walk", "allocations", "instr.");
    for row in rows {
        let ratio = ratio(row, rows).map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let instructions = row.instructions.map_or_else(String::new, |count| count.to_string());
        let (name, nanos) = (&row.case.name, median(row.nanos.clone()));
        let allocations = row.allocations;
        println!("{name:<22} {nanos:>8.1} {ratio:>7} {allocations:>12} {instructions:>12}");
    }
    for row in rows {
        let line = json!({
            "case": row.case.name,
            "ns": median(row.nanos.clone()),
            "divisor": row.case.divisor,
            "ratio": ratio(row, rows),
            "allocations": row.allocations,
            "instructions": row.instructions,
        });
        println!("{line}");
    }
}
