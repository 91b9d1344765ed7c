//! The clocks of the simulators, the only place that reads them, and how messages write time.

use pointsman::time::Wall;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Monotonic, for every wait.
#[expect(clippy::disallowed_methods, reason = "the one clock of the simulators")]
pub fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since the Unix epoch, for every stamp.
#[expect(clippy::disallowed_methods, reason = "the one clock of the simulators")]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A stamp as `MMDDhhmmss`, GMT (`F7`; `F13` and `F12`).
pub fn stamp(at_ms: u64) -> String {
    let at = Wall::from_millis(i64::try_from(at_ms).unwrap_or(i64::MAX)).utc();
    let (month, day) = (at.month(), at.day());
    format!("{month:02}{day:02}{:02}{:02}{:02}", at.hour(), at.minute(), at.second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_month_to_second() {
        assert_eq!(stamp(1_709_164_800_000), "0229000000");
        assert!(now_ms() > 1_709_164_800_000);
    }
}
