//! Lines on the wire: listeners, connectors and the sessions between sockets and the driver.
//!
//! A [`Session`] turns bytes into meaning in its own task – frames, dialect, MAC – and puts what
//! it understood into the one [`Inbox`]; what it is to say comes through its [`Outbound`].
//! Invariant: for every frame handed to an [`Outbound`] the driver hears `Released` before the
//! first byte leaves, or `Unsent`, exactly once and before `LineDown`.
//! Deliberately absent: spawning and supervision (`server`), decisions (`switch`), the clock.

mod addresses;
mod alarm;
mod budget;
pub mod codec;
mod conduct;
#[cfg(test)]
mod conduct_tests;
pub mod connector;
mod ended;
mod inbox;
pub mod interpreter;
pub mod keys;
mod listener;
mod outbound;
mod reading;
mod seats;
mod session;
mod stream;
pub mod tcp;
#[cfg(test)]
mod tests;
mod throttle;
pub mod tls;
pub mod translation;
mod wiped;
mod writing;

pub use conduct::Conduct;
pub use ended::Ended;
pub use inbox::{Arrival, Inbox};
pub use listener::{Accepted, Allow, Listener};
pub use outbound::{EndWish, Full, Outbound};
pub use session::{Door, Session};
pub use stream::Stream;
pub use throttle::Throttle;

#[cfg(test)]
pub(crate) use outbound::tests::send as sample_send;

use crate::time::Instant;
use std::sync::Arc;

/// Reads the monotonic clock; the only one is `server::clock`.
pub type MonoClock = Arc<dyn Fn() -> Instant + Send + Sync>;
