//! When the driver wakes up by itself.
//!
//! Contract: one timer of the runtime for all deadlines of switch, gate and shutdown. Deliberately
//! absent: the deadlines, which their rooms keep.

use super::clock::Clock;
use crate::time::Instant;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::Sleep;

/// The single sleep of the shell. It is left armed while deadlines move away, and looked at again
/// when it rings: most deadlines are never reached.
#[derive(Default)]
pub(super) struct DriverAlarm {
    sleep: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl DriverAlarm {
    /// Ready at `deadline`, or a little later; without one never.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Option<Instant>,
        clock: Clock,
    ) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        if self.sleep.as_ref().is_none_or(|(armed, _)| deadline < *armed) {
            let wait = deadline.since(clock.mono());
            self.sleep = Some((deadline, Box::pin(tokio::time::sleep(wait))));
        }
        let Some((_, sleep)) = &mut self.sleep else { return Poll::Pending };
        if sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.sleep = None;
        Poll::Ready(())
    }
}
