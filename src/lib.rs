//! # pointsman: an ISO 8583 bank front-end switch
//!
//! The map of the house: one line per room, floors from the ground up. A lower floor never
//! imports a higher one; `tests/tidy.rs` and the feature `io` hold that.

// -- words: import nothing of ours, touch nothing outside.
pub mod hex;
pub mod limits;
pub mod meaning;
pub mod money;
pub mod sensitive;
pub mod text;
pub mod time;

// -- wire: bytes in, messages out, and back.
pub mod canonical;
pub mod capture;
pub mod crypto;
pub mod framing;
pub mod imports;
pub mod iso8583;

// -- switch: decides everything, touches nothing.
pub mod config;
pub mod switch;

// -- IO: everything below; not each other.
#[cfg(feature = "io")]
pub mod journal;
#[cfg(feature = "io")]
pub mod link;
#[cfg(feature = "io")]
pub mod telemetry;

// -- shell: wires it together.
#[cfg(feature = "io")]
pub mod admin;
#[cfg(feature = "io")]
pub mod cli;
#[cfg(feature = "io")]
pub mod server;
