//! The seeded simulation in the ordinary test run: 250 worlds, each with hundreds of
//! transactions, crashes and faults (`docs/simulation.md`).
//!
//! Contract: fails when a world breaks a promise, when something that must be met was never met,
//! or when one seed tells two stories. A failing seed is replayed with
//! `cargo run --release --bin sim -- --seed N`.
#![cfg(feature = "io")]

use simulators::world::sim::campaign::{campaign, run};
use simulators::world::sim::plant::{BUGS, Planted};

/// Worlds of the ordinary test run: so many that the rarest torn tail, one in fifty worlds, is met
/// whatever the journal's records weigh.
const WORLDS: u64 = 250;

/// Worlds within which every planted bug is caught.
const SEEDS: u64 = 200;

#[test]
fn all_worlds_keep_every_promise() {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let done = campaign(1, WORLDS, threads, Planted::default(), false, &|_| {});
    let broken: Vec<String> = done
        .failed
        .iter()
        .map(|verdict| format!("seed {}: {:?}", verdict.seed, verdict.violations.first()))
        .collect();
    assert!(broken.is_empty(), "{} seeds:\n{}", broken.len(), broken.join("\n"));
    assert_eq!(done.seeds, WORLDS);
    assert!(done.coverage.asked >= 300 * WORLDS, "{} asked", done.coverage.asked);
    assert!(done.fewest_crashes >= 2, "{} crashes in one world", done.fewest_crashes);
    let missing = done.coverage.missing();
    assert!(missing.is_empty(), "never met in {WORLDS} worlds: {}", missing.join(", "));
}

/// Worlds in which a repeat met an approval that was being taken back, heard a decline, and the
/// approval had left after all.
#[test]
fn a_repeat_never_hears_a_decline_while_its_approval_may_still_leave() {
    for seed in [433, 716] {
        let verdict = run(seed, Planted::default(), false);
        assert!(verdict.violations.is_empty(), "seed {seed}: {:?}", verdict.violations.first());
    }
}

#[test]
fn one_seed_tells_one_story() {
    for seed in [3, 77] {
        let first = run(seed, Planted::default(), false);
        let second = run(seed, Planted::default(), true);
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert_ne!(first.hash, run(seed + 1, Planted::default(), false).hash);
    }
}

/// Needs the feature `faults`; without it there is no bug to plant.
#[test]
fn every_planted_bug_is_caught() {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let mut missed = vec![];
    for bug in BUGS {
        let planted = Planted::named(bug.name).unwrap_or_default();
        let done = campaign(1, SEEDS, threads, planted, true, &|_| {});
        match done.failed.first() {
            Some(verdict) => println!(
                "{}: seed {}, {:?}",
                bug.name,
                verdict.seed,
                verdict.violations.first().map(|v| (v.invariant, &v.what))
            ),
            None => missed.push(bug.name),
        }
    }
    assert!(missed.is_empty(), "planted and not caught in {SEEDS} worlds: {missed:?}");
}
