//! Instructions per message: this program run again under callgrind, one case at a time.
//!
//! Contract: a case is run with few and with many calls, and the difference is divided by the
//! difference in calls, so that start-up and loading of dialects do not count. Unlike nanoseconds
//! the figures hardly depend on what else the machine does. Without valgrind there are none, and
//! that is said. Deliberately absent: caches and branches.

use std::io;
use std::process::Command;

/// Few calls and many; the first also warm up the memory a case keeps.
const CALLS: [u64; 2] = [100, 1_100];

/// The argument by which this program runs one case only: `one-case NAME CALLS`.
pub(crate) const ONE_CASE: &str = "one-case";

/// Instructions per call of a case.
///
/// # Errors
/// A sentence for people: valgrind is absent, or did not say what is expected of it.
pub(crate) fn per_call(case: &str) -> Result<u64, String> {
    let few = counted(case, CALLS[0])?;
    let many = counted(case, CALLS[1])?;
    Ok(many.saturating_sub(few) / (CALLS[1] - CALLS[0]))
}

fn counted(case: &str, calls: u64) -> Result<u64, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(own)
        .args([ONE_CASE, case, &calls.to_string()])
        .output()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "valgrind is not installed: no instruction counts".into(),
            _ => format!("valgrind: {error}"),
        })?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected :"));
    let count = collected.and_then(|(_, count)| count.trim().parse().ok());
    count.ok_or_else(|| format!("valgrind: expected \"Collected : N\", got: {said}"))
}
