//! Rate limit of an asked-for thing: so many per second, some at once, and a bounded wait.
//!
//! Contract: whoever comes too early waits for a turn, at most [`TURN_LIMIT`]; beyond that they are
//! turned away at once, so that waiting costs nothing but their own time.

use crate::limits::TURN_LIMIT;
use crate::time::Instant;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where the time comes from.
pub type PaceClock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Turns, evenly spaced.
pub(super) struct Pace {
    clock: PaceClock,
    gap: Duration,
    /// What a pause saves up at most.
    saved: Duration,
    /// When the last turn was due. A pause moves it behind the present.
    last: Mutex<Option<Instant>>,
}

/// Too many wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

impl Pace {
    pub(super) fn new(clock: PaceClock, per_second: u32, at_once: u32) -> Self {
        let gap = Duration::from_secs(1) / per_second.max(1);
        Self { clock, gap, saved: gap * at_once.saturating_sub(1), last: Mutex::default() }
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) -> Result<(), TooMany> {
        let wait = self.take()?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Takes a turn: how long it is until then. Counted from `saved` ago, so that nothing goes
    /// below zero.
    fn take(&self) -> Result<Duration, TooMany> {
        let now = (self.clock)();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Of turns that are due `saved` later than they are counted.
        let next = last.map_or(now, |last| last.after(self.gap)).max(now);
        let wait = next.since(now).saturating_sub(self.saved);
        if wait > TURN_LIMIT {
            return Err(TooMany);
        }
        *last = Some(next);
        Ok(wait)
    }
}

impl std::fmt::Debug for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pace").field("gap", &self.gap).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn some_come_at_once_then_turns_are_spaced_and_too_many_are_turned_away() {
        let millis = Arc::<AtomicU64>::default();
        let now = Arc::clone(&millis);
        let clock =
            move || Instant::from_nanos(now.load(Ordering::Relaxed) * 1_000_000 + 5_000_000_000);
        let pace = Pace::new(Arc::new(clock), 100, 3);
        let take = || pace.take().map(|wait| wait.as_millis());
        assert_eq!([take(), take(), take(), take(), take()], [0, 0, 0, 10, 20].map(Ok));
        millis.fetch_add(15, Ordering::Relaxed);
        assert_eq!(take(), Ok(15));
        for _ in 0..198 {
            assert!(take().is_ok());
        }
        assert_eq!(take(), Err(TooMany), "nobody waits longer");
        millis.fetch_add(60_000, Ordering::Relaxed);
        assert_eq!([take(), take(), take(), take()], [0, 0, 0, 10].map(Ok));
    }
}
