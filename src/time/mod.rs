//! The two times there are: a monotonic [`Instant`] for every limit, a [`Wall`] for every stamp;
//! and the [`Day`], which banks name rather than clocks.
//!
//! Contract: timers use `Instant` only, stamps use `Wall` only (invariant I14). Nothing here
//! reads a clock; the only OS clock is `server::clock`. Civil dates come from `jiff`.

mod day;

pub use day::Day;

use std::fmt;
use std::time::Duration;

/// Nanoseconds on a monotonic clock whose origin is the start of the process (or of the
/// simulated world). Never goes back, never means a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// This instant and `by`; saturates at the end of time (584 years).
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z: a stamp, never a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall(i64);

impl Wall {
    /// `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The civil date and time in UTC; stamps outside jiff's range clamp to its ends.
    pub fn utc(self) -> jiff::civil::DateTime {
        let stamp = jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        });
        jiff::tz::Offset::UTC.to_datetime(stamp)
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Z", self.utc())
    }
}

/// What the shell tells the core about time with every input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For limits.
    pub mono: Instant,
    /// For stamps.
    pub wall: Wall,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_stamp_prints_as_utc() {
        assert_eq!(Wall::from_millis(1_709_164_800_000).to_string(), "2024-02-29T00:00:00Z");
    }

    #[test]
    fn an_earlier_instant_is_zero_after_a_later_one() {
        let early = Instant::from_nanos(5);
        assert_eq!(early.since(early.after(Duration::from_secs(1))), Duration::ZERO);
    }
}
