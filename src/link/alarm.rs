//! A limit on how long something may take, for one session.
//!
//! Contract: cheap to start and stop – the timer underneath is made only when it is looked at
//! and left to run out when it is not needed any more; [`Alarm::poll`] measures by the clock it
//! is given, not by the timer.

use super::MonoClock;
use crate::time::Instant;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// Counts from `start` on; rings once `limit` is over.
#[derive(Debug)]
pub(super) struct Alarm {
    limit: Duration,
    since: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, since: None, sleep: None }
    }

    /// Counts from now on, whether it was counting or not.
    pub(super) fn restart(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// Counts from now on, unless it is counting.
    pub(super) fn start(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    pub(super) fn stop(&mut self) {
        self.since = None;
    }

    pub(super) fn is_running(&self) -> bool {
        self.since.is_some()
    }

    /// Whether the limit is over; if not, the task is woken when it will be.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, clock: &MonoClock) -> bool {
        while let Some(since) = self.since {
            let sleep = match &mut self.sleep {
                Some(sleep) => sleep,
                None => {
                    let left = self.limit.saturating_sub(clock().since(since));
                    if left.is_zero() {
                        return true;
                    }
                    self.sleep.insert(Box::pin(tokio::time::sleep(left)))
                }
            };
            match sleep.as_mut().poll(cx) {
                Poll::Pending => return false,
                Poll::Ready(()) => self.sleep = None,
            }
        }
        false
    }
}
