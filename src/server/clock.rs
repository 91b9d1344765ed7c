//! The only operating system clock: monotonic since the start of the process, and the wall.
//!
//! Contract: [`Clock::mono`] never goes back; the wall may jump and only stamps carry it
//! (invariant I14).

use crate::time::{Instant, Now, Wall};
use std::path::Path;
use std::time::SystemTime;

/// Both clocks. Copies share the origin.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    /// A clock whose monotonic origin is now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn start() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    /// Monotonic time since the start.
    pub fn mono(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// The wall; a wall before 1970 counts as 1970.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn wall(&self) -> Wall {
        wall_of(SystemTime::now())
    }

    /// Both.
    pub fn now(&self) -> Now {
        Now { mono: self.mono(), wall: self.wall() }
    }
}

/// When a file was last written, by the wall clock of then; `None` where it cannot be told.
pub(super) fn written_at(file: &Path) -> Option<Wall> {
    std::fs::metadata(file).and_then(|file| file.modified()).ok().map(wall_of)
}

fn wall_of(at: SystemTime) -> Wall {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Wall::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
