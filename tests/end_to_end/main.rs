//! End to end: the real binary between a platform that knows only bytes and two simulated banks.
//!
//! Contract: requests are committed frames of a foreign implementation (`specs/vectors/
//! end_to_end`), answers are walked here with a table of widths; nothing of our codec takes part
//! on the platform's side. Ports are picked by the OS, every wait is for a condition and has a
//! limit, and no outcome depends on timing. Deliberately absent: speed (`benches/end_to_end`)
//! and fault combinations (`tests/sim`).
#![expect(
    clippy::disallowed_methods,
    reason = "the tests stand outside the switch: they have clocks and sleeps of their own"
)]

mod admin_door;
mod binary;
mod books;
mod canaries;
mod certificates;
#[cfg(feature = "faults")]
mod crash_sweep;
mod desk;
mod forgotten;
mod frames;
mod full_disk;
mod good_days;
mod hostile;
mod keys;
mod kills;
mod lost_log;
mod nonsense;
mod process_image;
mod reconciling;
mod refusals;
mod restarts;
mod shop;
mod signals;
mod stage;
mod syscall_order;
mod trouble;
mod walk;
mod watching;

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

/// What a test returns: any error fails it, with its text.
type Tested<T = ()> = Result<T, Failed>;

/// Why a test failed.
struct Failed(Box<dyn Error>);

impl<E: Into<Box<dyn Error>>> From<E> for Failed {
    fn from(why: E) -> Self {
        Self(why.into())
    }
}

impl fmt::Debug for Failed {
    /// As people read it: a log over many lines stays one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Longest wait for anything that a healthy switch does at once, on a crowded machine.
const SOON: Duration = Duration::from_secs(30);

/// Waits until `is_so`, looking every few milliseconds.
fn wait_until(what: &str, limit: Duration, mut is_so: impl FnMut() -> Tested<bool>) -> Tested {
    let begun = Instant::now();
    while !is_so()? {
        if begun.elapsed() > limit {
            return Err(format!("after {limit:?} still not: {what}").into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
