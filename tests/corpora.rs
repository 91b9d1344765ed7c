//! The committed corpora of the fuzz targets (`fuzz/corpus`), replayed through the same checks.
//!
//! Contract: every input of every target, and what a frame may cost: splitting a stream allocates
//! nothing, and unpacking never more in all than the largest frame. One test, for the allocator
//! counts for the whole process, and the harness allocates when another one ends. Deliberately
//! absent: new inputs – finding those is the fuzzers' work (`fuzz/`, docs/fuzzing.md).

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "../fuzz/checks/mod.rs"]
mod checks;

use pointsman::iso8583;
use pointsman::limits::FRAME_MAX;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What must hold for any bytes; panics where it does not.
type Check = fn(&[u8]);

/// Name and bytes of every input of a target.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut inputs: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), std::fs::read(&path).unwrap())
        })
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty() && inputs.len() <= 200, "{folder}: {} inputs", inputs.len());
    inputs
}

#[test]
fn every_committed_input_keeps_its_promises_and_costs_what_it_may() {
    every_input_keeps_its_promises();
    no_frame_costs_more_memory_than_the_largest_frame();
}

fn every_input_keeps_its_promises() {
    let targets: [(&str, Check); 7] = [
        ("frame_split", checks::frame_split),
        ("unpack", checks::unpack),
        ("pack_unpack_pack", checks::pack_unpack_pack),
        ("tlv", checks::tlv),
        ("dialect_text", checks::dialect_text),
        ("importers", checks::importers),
        ("pcap", checks::pcap),
    ];
    for (target, check) in targets {
        for (name, input) in corpus(target) {
            let done = catch_unwind(AssertUnwindSafe(|| check(&input)));
            assert!(done.is_ok(), "{name} breaks a promise");
        }
    }
}

fn no_frame_costs_more_memory_than_the_largest_frame() {
    for (name, input) in corpus("frame_split") {
        let Some((framing, stream)) = checks::stream_of(&input) else { continue };
        let region = Region::new(ALLOCATOR);
        let split = framing.split(stream);
        let cost = region.change().bytes_allocated;
        assert!(split.is_err() || cost == 0, "{name}: {cost} bytes to split");
    }
    let mut most = 0;
    for target in ["unpack", "pack_unpack_pack"] {
        for (name, input) in corpus(target) {
            let Some((dialect, frame, mut msg)) = checks::frame_of(&input) else { continue };
            let region = Region::new(ALLOCATOR);
            let _ = iso8583::unpack(dialect, frame, &mut msg);
            let cost = region.change().bytes_allocated;
            most = most.max(cost);
            assert!(cost <= FRAME_MAX, "{name}: {cost} bytes to unpack");
        }
    }
    assert!(most > 0, "nothing was measured");
}
