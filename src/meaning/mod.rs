//! The words for what messages mean: kind, leg, response class, reason, outcome of the checks of
//! MACs and keys.
//!
//! Contract: plain enums without data of a message; dialects map bytes to them, the switch decides
//! by them. Everyone but dialects names them through [`crate::canonical`]. Deliberately absent:
//! messages themselves, and how any dialect spells these words.

mod codes;
mod kind;
mod totals;

pub use codes::{Answer, Reason, ResponseClass};
pub use kind::{Flow, Kind, NetworkFunction, Sent, TransactionType};
pub use totals::{Balance, Reconciliation, Sum, Totals};

/// Whether the message's MAC was checked, by the session that received it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MacCheck {
    /// The dialect or line asks for none on this message.
    #[default]
    NotRequired,
    /// Present and right.
    Good,
    /// Present and wrong.
    Bad,
    /// Required, but not there.
    Missing,
}

/// Whether a message carried keys, judged by the session that received it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyCheck {
    /// It carried none, or the line expects none.
    #[default]
    NotCarried,
    /// Every check value was right.
    Good,
    /// A wrong check value or length: none of its keys is used.
    Bad,
}
