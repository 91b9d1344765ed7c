//! The switch: decides everything, touches nothing.
//!
//! One law: feed one [`input::Input`] with `handle`, then drain `poll` to `None`, then sleep
//! until `deadline`. Time never goes back. `handle` is total: it never fails, never blocks and
//! never logs a secret. Records are decided first and change state only through
//! `apply(&mut State, &Record)`, live and at recovery alike. Deliberately absent: sockets,
//! clocks, randomness, threads, async.

pub mod ids;
pub mod input;
pub mod output;
pub mod policy;
pub mod record;
