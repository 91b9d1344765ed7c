//! Keys and what is computed with them: MACs, check values, PIN blocks, DUKPT, sign-in keys.
//!
//! Contract: pure arithmetic. A [`MacKey`] holds a precomputed key schedule, so that a MAC costs
//! its blocks and nothing else; comparison is in constant time; every type that holds key or PIN
//! material is wiped on drop and its `Debug` prints no byte of it. Errors name lengths and
//! positions, never material.
//!
//! Deliberately absent: randomness (callers give the filler of a PIN block), files (the shell
//! reads key references), the choice of what bytes of a message a MAC covers (the dialect's MAC
//! scope), and any default key. DES is here because the field uses it, not because it is good.

mod cbc;
mod cipher;
mod cmac;
pub mod dukpt;
mod fold;
mod key;
mod mac;
pub mod pin;
mod retail;
pub mod sign_in;
mod statement;
#[cfg(test)]
mod tests;
mod working_keys;

pub use cipher::CipherFamily;
pub use key::{KeyError, SecretKey};
pub use mac::{Mac, MacError, MacKey};
pub use statement::{MacAlgorithm, MacStatement, Padding, Rendering, StatementError};
pub use working_keys::{OLD_KEYS_MAX, SignIn, WorkingKeys};
