//! The deterministic simulation: one seed, one world, one story.
//!
//! A [`world::World`] holds the real core, gate and journal ([`machine`]), a network
//! ([`net`]), a simulated disk (`life`), model banks and platforms ([`bank`], [`platform`]),
//! and the faults of its seed ([`strikes`]). A [`witness`] checks every record and every frame
//! as it passes; [`join`] compares the ledgers at the end. `docs/simulation.md` tells the rest.
//! Deliberately absent: bytes on the wire but of
//! one bank ([`pen`]) – the codec has tests of its own – and real time.

pub mod bank;
pub mod campaign;
pub mod cash;
pub mod coverage;
pub mod dice;
pub mod expected;
mod facts;
pub mod habits;
pub mod join;
pub mod keys;
mod leaving;
mod life;
pub mod machine;
pub mod manners;
pub mod net;
mod peers;
pub mod pen;
pub mod plant;
pub mod platform;
pub mod setting;
mod shelf;
pub mod story;
pub mod strikes;
pub mod wire;
pub mod witness;
pub mod world;
