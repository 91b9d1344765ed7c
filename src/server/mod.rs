//! The shell's engine: the driver around the one switch, the gate, the journal's thread, the
//! clock, and the wiring of it all. The only room that spawns.
//!
//! One current-thread runtime carries sessions, driver and gate; the journal writes on a thread
//! of its own, old records are read on another, checkpoints are taken on one more, and the auditor
//! looks at every record on its own, the log is written on its own,
//! and operators are answered on one more.
//! Invariant: the driver waits for nobody; what a record must precede leaves only once that
//! record is durable. Deliberately absent: decisions about money (`switch`).

mod admin_thread;
pub mod at_start;
pub mod audit_thread;
pub mod checkpointer;
#[cfg(test)]
mod checkpointer_tests;
pub mod clock;
pub mod crash;
#[cfg(feature = "faults")]
mod crash_disk;
mod descriptors;
mod doors;
pub mod driver;
mod driver_alarm;
pub mod gate;
#[cfg(test)]
mod gate_tests;
mod handover;
mod housekeeping;
pub(crate) mod inspection;
pub mod journal_thread;
#[cfg(test)]
mod journal_thread_tests;
mod line_keys;
pub mod log_thread;

mod measuring;
mod opening;
pub mod operators;
mod papers;
pub mod process_memory;
mod recall_index;
pub mod recall_thread;
#[cfg(test)]
mod recall_thread_tests;
pub mod replaying;
pub mod secrets;
mod shelf_keeper;
pub mod shutdown;
mod start_clock;
#[cfg(test)]
mod tests;
pub mod wiring;
