//! The memory of the process: nobody dumps it, and what secrets left on stacks is wiped.
//!
//! Contract: the heap is wiped by the allocator as it is freed (`main.rs`), buffers of sessions are
//! freed once a session is quiet (`link::reading`); a stack is wiped here by whoever runs on it,
//! once what it did is done. Deliberately absent: keys, which a running switch has to hold.

use rustix::process::{Resource, Rlimit, setrlimit};
use std::time::Duration;
use zeroize::Zeroize;

/// Bytes of a stack that are wiped. That it is enough is for the test to say that reads the memory.
const STACK_BYTES: usize = 128 << 10;
/// Pause between two wipes of the stack of payments: 5 microseconds each.
const WIPE_EVERY: Duration = Duration::from_secs(1);

/// Keeps this process from being dumped: no core, and only the superuser reads its memory. What the
/// system refuses is warned of.
pub fn keep_private() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps stay allowed: one would hold card data");
    }
    if let Err(error) = not_dumpable() {
        tracing::warn!(%error, "others of this user may read this process's memory");
    }
}

#[cfg(target_os = "linux")]
fn not_dumpable() -> rustix::io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// Elsewhere there is no such call.
#[cfg(not(target_os = "linux"))]
fn not_dumpable() -> rustix::io::Result<()> {
    Ok(())
}

/// Overwrites the part of this thread's stack that calls which have returned left behind.
#[inline(never)]
pub(super) fn wipe_stack() {
    let mut below = [0_u64; STACK_BYTES / 8];
    below.zeroize();
}

/// Wipes the stack of the thread that runs this task, again and again.
pub(super) async fn keep_wiping() {
    loop {
        tokio::time::sleep(WIPE_EVERY).await;
        wipe_stack();
    }
}
