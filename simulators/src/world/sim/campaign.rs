//! Many seeds on all processors, and what they add up to.

use super::coverage::Coverage;
use super::plant::Planted;
use super::world::{Verdict, World};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Campaign {
    /// Seeds that ran.
    pub seeds: u64,
    /// The fewest crashes any of them had.
    pub fewest_crashes: u64,
    /// What all of them met.
    pub coverage: Coverage,
    /// Those that broke a promise, in order of their seeds, stories not kept.
    pub failed: Vec<Verdict>,
}

/// Runs one seed.
pub fn run(seed: u64, planted: Planted, keep: bool) -> Verdict {
    World::new(seed, planted, keep).run()
}

/// Runs seeds `first..first + count` on `threads` threads; `until_caught`: ends with the first
/// that fails. `each` hears how many are done.
pub fn campaign(
    first: u64,
    count: u64,
    threads: usize,
    planted: Planted,
    until_caught: bool,
    each: &(dyn Fn(u64) + Sync),
) -> Campaign {
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let over = AtomicBool::new(false);
    let total = Mutex::new(Campaign::default());
    let work = || {
        while !over.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return;
            }
            let verdict = run(first + at, planted, false);
            let caught = !verdict.violations.is_empty();
            over.fetch_or(caught && until_caught, Ordering::Relaxed);
            let mut total = total.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let crashes = verdict.coverage.crashes;
            let first = total.seeds == 0;
            total.fewest_crashes = if first { crashes } else { total.fewest_crashes.min(crashes) };
            total.seeds += 1;
            total.coverage.add(&verdict.coverage);
            if caught {
                total.failed.push(verdict);
            }
            drop(total);
            each(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
    let mut total = total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    total.failed.sort_by_key(|verdict| verdict.seed);
    total
}
