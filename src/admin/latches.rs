//! What must be true before traffic is invited: three latches, read by `/ready`.
//!
//! Contract: dialects loaded, journal replayed and writable, listeners bound – not whether banks
//! are up: reversals must be accepted with every bank down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by the wiring (sets), the driver (takes back) and `/ready` (reads).
#[derive(Debug, Clone, Default)]
pub struct Latches(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    good: [AtomicBool; 3],
    full: AtomicBool,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latch {
    /// Dialects are loaded and their keys are there.
    Dialects,
    /// The journal is replayed and can be written.
    Journal,
    /// Every listener is bound.
    Listeners,
}

impl Latch {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Dialects, "dialects"), (Self::Journal, "journal"), (Self::Listeners, "listeners")];
}

impl Latches {
    /// Sets or takes back one.
    pub fn set(&self, latch: Latch, good: bool) {
        self.0.good[latch as usize].store(good, Ordering::Release);
    }

    /// Sets the journal's, or takes it back because no segment can be made.
    pub fn set_journal(&self, good: bool, full: bool) {
        self.0.full.store(full, Ordering::Release);
        self.set(Latch::Journal, good);
    }

    /// Why one of this name is open, where more is known than that.
    pub fn why(&self, name: &str) -> &'static str {
        let full = name == "journal" && self.0.full.load(Ordering::Acquire);
        if full { ": no space for another segment, new requests are declined" } else { "" }
    }

    /// Each with its name.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let state = |latch| self.0.good[latch as usize].load(Ordering::Acquire);
        Latch::ALL.into_iter().map(move |(latch, name)| (name, state(latch)))
    }

    /// Whether all are set.
    pub fn ready(&self) -> bool {
        self.each().all(|(_, good)| good)
    }
}
