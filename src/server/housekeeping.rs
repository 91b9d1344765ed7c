//! Threads that no payment waits for: they stand behind those that one does.
//!
//! Contract: where cores are short, a thread started here gets a third of what the driver and the
//! journal get, and does not interrupt them; where they are not, it runs as any other. The live
//! audit, checkpoints and what looks through old segments are such work: a moment later hurts
//! nobody. Deliberately absent: spare segments and recalls, for which a payment may wait; more
//! of the machine for anybody, which would need privileges.

use std::io;
use std::thread::{Builder, JoinHandle};

/// How far behind: three steps of `nice` halve a share.
const STEPS_BEHIND: i32 = 5;

/// Starts a thread of this name.
///
/// # Errors
/// When the operating system gives no thread.
pub(super) fn start<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(move || {
        // Of this thread only. One that may not stand back runs as the others do.
        let _ = rustix::process::nice(STEPS_BEHIND);
        work()
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use rustix::process::getpriority_process;

    #[test]
    fn it_stands_behind_and_whoever_started_it_does_not() {
        let before = getpriority_process(None).unwrap();
        let theirs = start("behind", || getpriority_process(None).unwrap()).unwrap();
        assert_eq!(theirs.join().unwrap(), (before + STEPS_BEHIND).min(19));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
