//! What one thread leaves for another: a lock, and a bell that is rung for sleepers only.
//!
//! Contract: whether there is work is judged, and sleep begun, under the one lock, so that no
//! ring is lost. A thread that is awake judges again before it sleeps and needs no ring, which
//! would be a system call for nothing: under load that is nearly all of them. Deliberately
//! absent: what is handed over, and bounds on it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Handover<T> {
    state: Mutex<State<T>>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct State<T> {
    work: T,
    /// Somebody sleeps for whom the bell was not rung yet.
    asleep: bool,
}

impl<T> Handover<T> {
    /// Begins with this.
    pub(super) fn new(work: T) -> Self {
        Self { state: Mutex::new(State { work, asleep: false }), bell: Condvar::new() }
    }

    /// Looks at it or changes it; wakes nobody.
    pub(super) fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.state().work)
    }

    /// Changes it, and wakes whoever sleeps.
    pub(super) fn ring(&self, change: impl FnOnce(&mut T)) {
        self.ring_if(|work| {
            change(work);
            true
        });
    }

    /// Changes it, and wakes whoever sleeps if `change` says that it is worth it.
    pub(super) fn ring_if(&self, change: impl FnOnce(&mut T) -> bool) {
        let mut state = self.state();
        let sleeper = change(&mut state.work) && std::mem::take(&mut state.asleep);
        drop(state);
        if sleeper {
            self.bell.notify_all();
        }
    }

    /// Sleeps as long as it is `idle`, or for `longest`, and takes what there is then.
    pub(super) fn take<R>(
        &self,
        longest: Option<Duration>,
        idle: impl Fn(&T) -> bool,
        take: impl FnOnce(&mut T) -> R,
    ) -> R {
        let sleeps = |state: &mut State<T>| {
            let idle = idle(&state.work);
            // Never unset here: another may sleep.
            state.asleep |= idle;
            idle
        };
        let state = self.state();
        let mut state = match longest {
            None => self.bell.wait_while(state, sleeps).unwrap_or_else(PoisonError::into_inner),
            Some(longest) => {
                let waited = self.bell.wait_timeout_while(state, longest, sleeps);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        take(&mut state.work)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::{Arc, mpsc};

    const LONGEST: Duration = Duration::from_secs(20);

    /// Two threads that both sleep after every single thing: one lost ring, and neither wakes.
    #[test]
    fn no_ring_is_lost_however_often_both_sides_fall_asleep() {
        const ROUNDS: u64 = 20_000;
        let (there, back) = (Arc::new(Handover::new(0)), Arc::new(Handover::new(0)));
        let (done, ended) = mpsc::sync_channel(2);
        let play = |from: &Arc<Handover<u64>>, to: &Arc<Handover<u64>>| {
            let (from, to, done) = (Arc::clone(from), Arc::clone(to), done.clone());
            std::thread::spawn(move || {
                for round in 1..=ROUNDS {
                    to.ring(|count| *count += 1);
                    let seen = from.take(None, |count| *count < round, |count| *count);
                    assert!(seen >= round);
                }
                done.send(()).unwrap();
            });
        };
        play(&there, &back);
        play(&back, &there);
        assert!(ended.recv_timeout(LONGEST).is_ok() && ended.recv_timeout(LONGEST).is_ok());
    }

    #[test]
    fn the_bell_is_rung_once_for_each_sleep_and_only_where_it_is_worth_it() {
        let handover = Handover::new(0);
        let asleep = || handover.state().asleep;
        handover.ring(|count| *count = 7);
        assert!(!asleep(), "nobody slept");
        let taken = handover.take(None, |count| *count == 0, std::mem::take);
        assert!(taken == 7 && !asleep(), "there was work: nobody slept");
        let taken = handover.take(Some(Duration::ZERO), |count| *count == 0, |count| *count);
        assert!(taken == 0 && asleep());
        handover.ring_if(|_| false);
        assert!(asleep(), "not worth it");
        handover.ring(|_| ());
        assert!(!asleep());
    }
}
