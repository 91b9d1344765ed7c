//! Sessions whose peers talk nonsense, over a pipe in memory.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::tests::{Bench, frame, message, real_clock, send};
use crate::limits::{NONSENSE_AT_ONCE, WARY_FRAMES};
use crate::switch::nonsense::Nonsense;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

#[tokio::test]
async fn what_cannot_be_read_is_read_no_faster_than_the_budget_allows() {
    let mut bench = Bench::new(4096, real_clock()).await;
    let (garbage, patience) = (frame(b"what?"), Duration::from_millis(500));
    while timeout(patience, bench.peer.write_all(&garbage)).await.is_ok() {
        bench.hear_all();
        let most = NONSENSE_AT_ONCE as usize + 600;
        assert!(bench.seen.len() < most, "{} reached the core", bench.seen.len());
    }
    // The pipe is full, and nobody reads it.
    bench.hear_all();
    assert!(bench.seen.len() >= NONSENSE_AT_ONCE as usize, "{}", bench.seen.len());
    // What is owed to it is written all the same.
    bench.outbound.push(send(7, message(1))).unwrap();
    bench.outbound.wake();
    bench.peer.read_exact(&mut [0; 9]).await.unwrap();
}

#[tokio::test]
async fn what_the_core_calls_nonsense_slows_its_session() {
    let mut bench = Bench::new(64 << 10, real_clock()).await;
    bench.peer.write_all(&frame(b"M000001")).await.unwrap();
    bench.hear().await;
    for _ in 0..NONSENSE_AT_ONCE / 2 {
        bench.outbound.note(Nonsense::Conflict);
    }
    bench.outbound.wake();
    tokio::task::yield_now().await;
    // It is suspect: heard a little at a time, and heard all the same.
    bench.peer.write_all(&frame(b"M000002").repeat(4 * WARY_FRAMES)).await.unwrap();
    while bench.seen.len() < 1 + 4 * WARY_FRAMES {
        bench.hear().await;
    }
    for _ in 0..NONSENSE_AT_ONCE {
        bench.outbound.note(Nonsense::Conflict);
    }
    bench.outbound.wake();
    tokio::task::yield_now().await;
    let before = bench.seen.len();
    bench.peer.write_all(&frame(b"M000003")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    bench.hear_all();
    assert_eq!(bench.seen.len(), before, "it is left unread");
    bench.hear().await;
    assert_eq!(bench.seen.len(), before + 1, "and read again");
}
