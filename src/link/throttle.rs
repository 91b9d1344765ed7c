//! Back pressure on a platform: beyond its in-flight cap its sessions are not read.
//!
//! Contract: the driver sets it after each turn; sessions look before they read. One turn's reads
//! may overshoot the cap, more may not.

use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Shared by the sessions of one platform and the driver.
#[derive(Debug, Default)]
pub struct Throttle {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    readers: Vec<Waker>,
}

impl Throttle {
    /// Stops reading, or lets it go on and wakes who waited.
    pub fn set(&self, stopped: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.stopped = stopped;
        if stopped {
            return;
        }
        let readers = std::mem::take(&mut state.readers);
        drop(state);
        readers.into_iter().for_each(Waker::wake);
    }

    /// Ready while sessions may read.
    pub fn poll_read(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.stopped {
            return Poll::Ready(());
        }
        if !state.readers.iter().any(|reader| reader.will_wake(cx.waker())) {
            state.readers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_platform_is_not_read() {
        let throttle = Throttle::default();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(throttle.poll_read(&mut cx).is_ready());
        throttle.set(true);
        assert!(throttle.poll_read(&mut cx).is_pending());
        throttle.set(false);
        assert!(throttle.poll_read(&mut cx).is_ready());
    }
}
