//! What one transaction costs the pure core: nanoseconds and instructions of `handle` and `poll`
//! for a purchase, a decline and a timeout with its reversal.
//!
//! Contract: 1,024 transactions are in flight at once; rounds of all cases are interleaved and
//! medians reported. Instructions come from callgrind where there is one, without what the
//! harness itself does, and stand beside the count committed here: nanoseconds of a shared
//! machine prove nothing, a ratio of instructions does. Prints a JSON line per case. Without
//! `--bench` (as a test) it takes one turn of each; `one-case NAME COUNT` runs one case only, for
//! callgrind and for profiles.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod core;
#[path = "../codec/instructions.rs"]
mod instructions;

use self::core::{Core, STORIES, Story, WINDOW};

/// The allocator of the switch.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<mimalloc::MiMalloc> =
    zeroizing_alloc::ZeroAlloc(mimalloc::MiMalloc);

const ROUNDS: usize = 31;
/// Turns per round: enough that the look at the clock does not count.
const TURNS: usize = 4;
/// What a purchase may cost.
const GOAL_NANOS: f64 = 1_500.0;
/// Makes the requests of a turn and nothing else: what the harness costs.
const HARNESS: &str = "harness";

/// Instructions per transaction in the release profile when this was last committed.
const COMMITTED: [u64; 3] = [9_350, 8_085, 54_294];

fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    if let [instructions::ONE_CASE, name, count, ..] = words.as_slice() {
        return one_case(name, count.parse().map_err(|_| format!("{count}: not a number"))?);
    }
    let whole = words.contains(&"--bench");
    let cores = STORIES.iter().map(|(_, story)| warm(Some(*story)));
    let mut cores = cores.collect::<Result<Vec<_>, _>>()?;
    let mut nanos = vec![Vec::new(); STORIES.len()];
    for _ in 0..if whole { ROUNDS } else { 1 } {
        for ((core, (_, story)), nanos) in cores.iter_mut().zip(STORIES).zip(&mut nanos) {
            let spent: u128 = (0..TURNS).map(|_| core.turn(story, WINDOW).as_nanos()).sum();
            nanos.push(spent as f64 / (TURNS * WINDOW) as f64);
        }
    }
    if let Some(core) = cores.iter().find(|core| core.owed() > 0) {
        return Err(format!("a bank is owed {} reversals: no turn was whole", core.owed()));
    }
    let counts = if whole { counts() } else { [None; 3] };
    for (((name, story), nanos), (count, committed)) in
        STORIES.iter().zip(&mut nanos).zip(counts.into_iter().zip(COMMITTED))
    {
        nanos.sort_by(f64::total_cmp);
        let nanos = nanos[nanos.len() / 2];
        let ratio = count.map(|count| (count as f64 / committed as f64 * 1e3).round() / 1e3);
        let goal = (*story == Story::Purchase).then_some(GOAL_NANOS);
        let line = serde_json::json!({
            "bench": "switch_handle",
            "case": name,
            "ns_per_tx": nanos.round(),
            "goal_ns": goal,
            "met": goal.map(|goal| nanos <= goal),
            "instructions_per_tx": count,
            "committed_instructions": committed,
            "ratio_to_committed": ratio,
        });
        println!("{line}");
    }
    Ok(())
}

/// A core whose tables have grown to what a window needs.
fn warm(story: Option<Story>) -> Result<Core, String> {
    let mut core = Core::new()?;
    for story in [story; 2].into_iter().flatten() {
        core.turn(story, WINDOW);
    }
    Ok(core)
}

fn counts() -> [Option<u64>; 3] {
    let count = |name: &str| instructions::per_call(name).map_err(|why| eprintln!("{why}")).ok();
    let harness = count(HARNESS).unwrap_or_default();
    STORIES.map(|(name, _)| count(name).map(|count| count.saturating_sub(harness)))
}

fn one_case(name: &str, count: usize) -> Result<(), String> {
    let story = STORIES.iter().find(|(known, _)| *known == name).map(|(_, story)| *story);
    let mut core = warm(story)?;
    let mut left = count;
    while left > 0 {
        let now = left.min(WINDOW);
        match story {
            Some(story) => {
                core.turn(story, now);
            }
            None if name == HARNESS => core.requests_only(now),
            None => return Err(format!("{name}: no such case")),
        }
        left -= now;
    }
    Ok(())
}
