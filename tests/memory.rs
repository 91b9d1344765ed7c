//! What the core keeps of a transaction, in flight and finished, counted by the allocator.
//!
//! Contract: a finished purchase adds at most [`MOST`] bytes of live memory, whatever the core
//! keeps of it; the index of the whole duplicate window is taken at the start and counted apart.
//! One that waits for its bank holds at most [`MOST_IN_FLIGHT`], the room that tables grow ahead
//! included; `max_in_flight` of a platform says how many may wait.
//! It has a binary of its own, because the allocator counts for the whole process, and one test,
//! so that nothing else allocates. Purchases are fed as `benches/switch_handle` does it.
//! Deliberately absent: time, and the frames that sessions and the gate hold.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]
#![expect(clippy::disallowed_methods, reason = "the harness of the benchmark reads the clock")]
#![expect(dead_code, reason = "the benchmark's harness has more stories than are told here")]

#[path = "../benches/switch_handle/core.rs"]
mod core;

use self::core::{Core, Story, WINDOW};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes a finished transaction may add.
const MOST: usize = 40;
/// Bytes of index per transaction that the window has room for.
const MOST_INDEX: usize = 16;
/// Bytes a transaction may hold while its bank is asked.
const MOST_IN_FLIGHT: usize = 2_048;
/// `duplicates.count` of the harness.
const REMEMBERED: usize = 1_000_000;
/// Turns of one half: 102,400 purchases.
const TURNS: usize = 100;

#[test]
fn a_transaction_holds_what_is_stated_in_flight_and_at_most_forty_bytes_after() {
    let whole = Region::new(ALLOCATOR);
    let live = || {
        let counted = whole.change();
        counted.bytes_allocated - counted.bytes_deallocated
    };
    let mut core = Core::new().unwrap();
    let start = live();
    let mut finish = || {
        for _ in 0..TURNS {
            core.turn(Story::Purchase, WINDOW);
        }
        live()
    };
    let (first, second) = (finish(), finish());
    let each = (second - first) as f64 / (TURNS * WINDOW) as f64;
    println!("live at the start {start}, after one half {first}, after both {second}: {each} each");
    assert!(each > MOST as f64 / 2.0, "{each} bytes each: was anything kept?");
    assert!(each <= MOST as f64, "{each} bytes each, not {MOST}");
    assert!(start <= MOST_INDEX * REMEMBERED, "{start} bytes before the first transaction");

    let mut core = Core::new().unwrap();
    let idle = live();
    // The messages themselves are with the bank's session, and gone once they are written.
    drop(core.ask(WINDOW));
    let each = (live() - idle) as f64 / WINDOW as f64;
    println!("{each} bytes per transaction in flight");
    assert!(each > MOST as f64, "{each} bytes each: was anything in flight?");
    assert!(each <= MOST_IN_FLIGHT as f64, "{each} bytes in flight, not {MOST_IN_FLIGHT}");
}
