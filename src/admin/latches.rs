//! What must be true before traffic is invited: three latches, read by `/ready`.
//!
//! Contract: dialects loaded, journal replayed and writable, listeners bound – not whether banks
//! are up: reversals must be accepted with every bank down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by the wiring (sets), the driver (takes back) and `/ready` (reads).
#[derive(Debug, Clone, Default)]
pub struct Latches(Arc<[AtomicBool; 3]>);

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
        self.0[latch as usize].store(good, Ordering::Release);
    }

    /// Each with its name.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let state = |latch| self.0[latch as usize].load(Ordering::Acquire);
        Latch::ALL.into_iter().map(move |(latch, name)| (name, state(latch)))
    }

    /// Whether all are set.
    pub fn ready(&self) -> bool {
        self.each().all(|(_, good)| good)
    }
}
