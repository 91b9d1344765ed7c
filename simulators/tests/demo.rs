//! The demo as a whole, short: every promise of its closing table is kept.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::process::Command;

#[test]
fn every_promise_is_kept() {
    let demo = env!("CARGO_BIN_EXE_demo");
    let output = Command::new(demo).args(["--seconds", "9", "--json"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stdout));
    let table: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&table["kept"], &table["unknown_left"]), (&true.into(), &0.into()));
    let difference = table["difference"].as_object().unwrap();
    assert_eq!(difference.len(), 3);
    assert!(difference.values().all(|gap| gap == 0), "{table}");
    for row in ["timed_out", "reversed", "late", "duplicates", "recovered"] {
        assert!(table[row].as_u64().unwrap() > 0, "{row}: {table}");
    }
}
