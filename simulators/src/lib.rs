//! # Simulators: the banks, platforms and bad lines pointsman is tested against
//!
//! The map: a bank with a ledger of its own, a platform with a ledger of its own, a proxy that
//! damages what passes, and the world, which joins both ledgers with the switch's journal and
//! names every broken promise. Contract: simulators use the words and the wire of pointsman and
//! nothing above, so that a bug in the core cannot hide in both ends; only the room `world` and
//! the bins `demo` and `sim` read journals or start switches.

// -- words
pub mod cards;
pub mod clock;
pub mod msg;
pub mod seed;

// -- wire
pub mod session;
pub mod speaker;

// -- ends
pub mod bank;
pub mod platform;
pub mod proxy;

// -- judge
pub mod world;
