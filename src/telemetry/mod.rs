//! Watching the switch: every metric name once, events to metrics and log lines, and a log that
//! cannot print a card number. What watches can be lost; what is watched cannot be held up by it.
//!
//! Invariant: labels come from closed sets (names of the configuration, words of enums), never
//! from a message. Deliberately absent: decisions; anything that could wait.

mod distribution;
mod events;
mod log_limit;
#[cfg(test)]
mod log_limit_tests;
mod log_queue;
#[cfg(test)]
mod log_queue_tests;
mod logging;
mod meters;
pub mod names;
mod recorder;
mod redact;

pub use events::Watch;
pub use logging::{Format, Log, LogClock, start_logging};
pub use meters::{AuditMeters, CheckpointMeters, Gauges, JournalMeters, LineMeters};
pub use recorder::Recorder;
pub use redact::redact;
